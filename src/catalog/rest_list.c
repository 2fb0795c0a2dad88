/*
 * rest_list.c: all tables of a REST catalog.
 *
 * Namespaces are walked level by level with `parent`, several at a time; a
 * server may answer with more than one level, or ignore `parent`, so what was
 * seen is remembered.  Pages are followed until no token comes, but not for
 * ever.  Any failure ends the listing: half a listing would look like dropped
 * tables.  But a namespace below the first level that these credentials may not
 * list, or that the catalog's server does not let anybody ask for, is one that is
 * known not to be known (refused).  Names that floe cannot keep are left out and counted.
 */
#include "floe.h"

#include "catalog/rest.h"

#include "base/json.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "common/hashfn.h"

#define DEFAULT_PAGE_SIZE 1000
#define PAGE_MAX_BYTES ((size_t) 64 * 1024 * 1024)
#define MAX_NAMESPACES 200000
#define MAX_TABLES 2000000
#define MAX_BARREN_PAGES 1000 /* in a row: some catalogs hide what these credentials may not see page by page */
#define MAX_LEVELS 30
#define MAX_SHAPE_LEVELS 1000
#define MAX_NAME_BYTES 1024 /* all levels together: names are keys of indexes */

typedef struct Listing
{
	FloeRest *rest;
	MemoryContext context;
	FloeCatalogPage page;
	FloeCatalogDone done;
	void *arg;
	HTAB *seen; /* namespaces, tables and page tokens, by their hash */
	int open;   /* requests under way */
	int64 namespaces;
	int64 tables;
	bool finished;
} Listing;

/* One chain of pages: the children of a namespace, or its tables. */
typedef struct Chain
{
	Listing *listing;
	bool tables;
	char **levels;
	int nlevels;
	char *token;      /* of the page under way; "" for the first */
	int barren_pages; /* in a row, without anything new */
} Chain;

static void next_page(Chain *chain);

static void
finish(Listing *listing, const FloeStatus *st)
{
	if (listing->finished)
		return;
	listing->finished = true;
	listing->done(listing->arg, st);
}

static Chain *
new_chain(Listing *listing, bool tables, const char *const *levels, int nlevels)
{
	MemoryContext old = MemoryContextSwitchTo(listing->context);
	Chain *chain = palloc0(sizeof(Chain));

	chain->listing = listing;
	chain->tables = tables;
	chain->nlevels = nlevels;
	chain->levels = palloc(sizeof(char *) * Max(nlevels, 1));
	for (int i = 0; i < nlevels; i++)
		chain->levels[i] = pstrdup(levels[i]);
	chain->token = pstrdup("");
	MemoryContextSwitchTo(old);
	return chain;
}

/* Levels of a JSON array of strings; false: it is not that. *nlevels is 0 when floe cannot use them. */
static bool
read_levels(FloeJson array, const char *name, const char **levels, int *nlevels)
{
	size_t n = floe_json_length(array);
	size_t bytes = strlen(name);
	bool usable = n > 0 && n <= MAX_LEVELS;

	if (floe_json_kind(array) != FLOE_JSON_ARRAY || n > MAX_SHAPE_LEVELS)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		const char *level = floe_json_string(floe_json_at(array, i));

		if (level == NULL)
			return false;
		bytes += strlen(level);
		usable = usable && level[0] != '\0' && strchr(level, 0x1F) == NULL;
		if (usable)
			levels[i] = level;
	}
	*nlevels = usable && bytes <= MAX_NAME_BYTES ? (int) n : 0;
	return true;
}

/* Remembers a namespace, a table, or the token of one of a chain's pages; kind keeps them apart. */
static bool
seen_before(Listing *listing, char kind, const char *const *levels, int nlevels, const char *name)
{
	StringInfoData key;
	uint64 hash;
	bool found;

	initStringInfo(&key);
	appendStringInfoCharMacro(&key, kind);
	for (int i = 0; i < nlevels; i++)
	{
		appendStringInfoString(&key, levels[i]);
		appendStringInfoCharMacro(&key, 0x1F);
	}
	appendStringInfoString(&key, name);
	hash = hash_bytes_extended((unsigned char *) key.data, key.len, 0);
	pfree(key.data);
	hash_search(listing->seen, &hash, HASH_ENTER, &found);
	return found;
}

static bool
read_namespaces(Chain *chain, FloeJson root, int64 *fresh, FloeStatus *st)
{
	Listing *listing = chain->listing;
	FloeJson array;

	if (!floe_json_get_array(root, "namespaces", &array, st))
		return false;
	for (size_t i = 0; i < floe_json_length(array); i++)
	{
		const char *levels[MAX_LEVELS];
		int nlevels;

		if (!read_levels(floe_json_at(array, i), "", levels, &nlevels))
			return floe_fail(st, FLOE_ERR_PROTOCOL, "list namespaces: entry %zu is not a list of names", i);
		if (nlevels == 0)
		{
			listing->rest->base.left_out++;
			continue;
		}
		if (seen_before(listing, 'n', levels, nlevels, ""))
			continue;
		if (++listing->namespaces > MAX_NAMESPACES)
			return floe_fail(st, FLOE_ERR_TOO_LARGE, "list namespaces: the catalog has more than %d", MAX_NAMESPACES);
		++*fresh;
		next_page(new_chain(listing, true, levels, nlevels));
		next_page(new_chain(listing, false, levels, nlevels));
	}
	return true;
}

static bool
read_tables(Chain *chain, FloeJson root, int64 *fresh, FloeStatus *st)
{
	Listing *listing = chain->listing;
	FloeJson array;
	int n = 0;
	FloeTableId *ids;
	const char **levels;

	if (!floe_json_get_array(root, "identifiers", &array, st))
		return false;
	ids = palloc(sizeof(FloeTableId) * Max(floe_json_length(array), 1));
	levels = palloc_extended(sizeof(char *) * MAX_LEVELS * Max(floe_json_length(array), 1), MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < floe_json_length(array); i++)
	{
		FloeJson item = floe_json_at(array, i);
		FloeTableId *id = &ids[n];

		if (!floe_json_get_string(item, "name", &id->name, st))
			return floe_status_prefix(st, "list tables: entry %zu", i);
		id->namespace = &levels[(size_t) n * MAX_LEVELS];
		if (!read_levels(floe_json_field(item, "namespace"), id->name, &levels[(size_t) n * MAX_LEVELS], &id->nlevels))
			return floe_fail(st, FLOE_ERR_PROTOCOL, "list tables: entry %zu has no namespace", i);
		if (id->nlevels == 0 || id->name[0] == '\0')
			listing->rest->base.left_out++;
		else if (!seen_before(listing, 't', id->namespace, id->nlevels, id->name))
			n++;
	}
	if ((listing->tables += n) > MAX_TABLES)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "list tables: the catalog has more than %d", MAX_TABLES);
	*fresh += n;
	listing->page(listing->arg, ids, n);
	pfree(ids);
	pfree(levels);
	return true;
}

static bool
read_page(Chain *chain, FloeHttpResponse *response, char **token, FloeStatus *st)
{
	const char *what = chain->tables ? "answer to list tables" : "answer to list namespaces";
	FloeJsonDoc *doc = floe_json_parse(response->body.data, response->body.len, what, PAGE_MAX_BYTES, st);
	int64 fresh = 0;
	const char *next;
	bool ok;

	if (doc == NULL)
		return false;
	ok = floe_json_opt_string(floe_json_root(doc), "next-page-token", &next, st) &&
		 (chain->tables ? read_tables(chain, floe_json_root(doc), &fresh, st)
						: read_namespaces(chain, floe_json_root(doc), &fresh, st));
	*token = ok && next != NULL && next[0] != '\0' ? MemoryContextStrdup(chain->listing->context, next) : NULL;
	floe_json_free(doc);
	chain->barren_pages = fresh > 0 ? 0 : chain->barren_pages + 1;
	return ok;
}

/* May the next page be asked for? */
static bool
check_token(Chain *chain, const char *token, const char *what, FloeStatus *st)
{
	if (seen_before(chain->listing, chain->tables ? 'T' : 'N', (const char *const *) chain->levels, chain->nlevels,
					token))
		return floe_fail(st, FLOE_ERR_PROTOCOL, "%s: the catalog gives the token of a page again", what);
	if (chain->barren_pages >= MAX_BARREN_PAGES)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "%s: %d pages in a row brought nothing new, and there are more", what,
						 chain->barren_pages);
	return true;
}

/* A catalog without nested namespaces says so when it is asked for children. */
static bool
has_no_nesting(const FloeStatus *st)
{
	return st->http_status == 405 || st->http_status == 406 || st->http_status == 501 ||
		   strncmp(st->detail, "UnsupportedOperationException", strlen("UnsupportedOperationException")) == 0;
}

/* Polaris and others: there are rights to some namespaces only. */
static void
refuse(Chain *chain, const FloeStatus *why)
{
	FloeRefusedNamespaces *refused = &chain->listing->rest->base.refused;
	MemoryContext old = MemoryContextSwitchTo(chain->listing->context);
	StringInfoData joined;

	initStringInfo(&joined);
	for (int i = 0; i < chain->nlevels; i++)
		appendStringInfo(&joined, "%s%s", i > 0 ? "\x1F" : "", chain->levels[i]);
	if (refused->n == refused->size)
	{
		refused->size = Max(16, refused->size * 2);
		refused->names = refused->names == NULL ? palloc(sizeof(char *) * refused->size)
												: repalloc_huge(refused->names, sizeof(char *) * refused->size);
	}
	if (refused->n == 0)
		refused->why = *why;
	refused->names[refused->n++] = joined.data;
	MemoryContextSwitchTo(old);
}

/*
 * What stands in front of a catalog may refuse characters in a path however they are encoded (RFC 9110 lets it): Jetty
 * answers 400 to %25, %2F and %5C.  Such a namespace can be made and listed, and nothing in it can be asked for.
 */
static bool
is_refused_in_path(const Chain *chain, const FloeStatus *st)
{
	if (!chain->tables || st->http_status != 400)
		return false;
	for (int i = 0; i < chain->nlevels; i++)
	{
		if (strpbrk(chain->levels[i], "%/\\;") != NULL)
			return true;
	}
	return false;
}

static void
on_page(FloeRestCall *call, const FloeStatus *st, FloeHttpResponse *response)
{
	Chain *chain = call->arg;
	Listing *listing = chain->listing;
	FloeStatus result;
	char *token = NULL;

	listing->open--;
	if (listing->finished)
		return;
	if (chain->nlevels > 0 && (floe_session_says_missing(st, response) || (!chain->tables && has_no_nesting(st))))
		floe_status_ok(&result); /* gone in between, or nothing can be below */
	else if (chain->nlevels > 0 && (floe_session_says_forbidden(st, response) || is_refused_in_path(chain, st)))
	{
		refuse(chain, st);
		floe_status_ok(&result);
	}
	else if (st->code != FLOE_OK)
	{
		finish(listing, st);
		return;
	}
	else if (!read_page(chain, response, &token, &result) ||
			 (token != NULL && !check_token(chain, token, call->what, &result)))
	{
		finish(listing, &result);
		return;
	}
	if (token != NULL)
	{
		chain->token = token;
		next_page(chain);
	}
	if (listing->open == 0)
	{
		floe_status_ok(&result);
		finish(listing, &result);
	}
}

static void
next_page(Chain *chain)
{
	Listing *listing = chain->listing;
	FloeRest *rest = listing->rest;
	StringInfoData path;
	StringInfoData what;
	FloeRestCall *call;

	initStringInfo(&path);
	initStringInfo(&what);
	if (chain->tables)
	{
		appendStringInfoString(&path, "namespaces/");
		floe_rest_encode_namespace(rest, &path, (const char *const *) chain->levels, chain->nlevels);
		appendStringInfoString(&path, "/tables?");
	}
	else
	{
		appendStringInfoString(&path, "namespaces?");
		if (chain->nlevels > 0)
		{
			appendStringInfoString(&path, "parent=");
			floe_rest_encode_namespace(rest, &path, (const char *const *) chain->levels, chain->nlevels);
			appendStringInfoChar(&path, '&');
		}
	}
	appendStringInfoString(&path, "pageToken=");
	floe_session_encode(&path, chain->token);
	appendStringInfo(&path, "&pageSize=%lld",
					 (long long) floe_conn_count(rest->base.conn, "page_size", DEFAULT_PAGE_SIZE));
	appendStringInfo(&what, "list %s", chain->tables ? "tables" : "namespaces");
	for (int i = 0; i < chain->nlevels; i++)
		appendStringInfo(&what, "%s%.60s", i == 0 ? " of " : ".", chain->levels[i]);
	call = floe_rest_call(rest, what.data, path.data, on_page, chain);
	call->max_body = PAGE_MAX_BYTES;
	listing->open++;
	floe_rest_send(call);
	pfree(path.data);
	pfree(what.data);
}

void
floe_rest_list_tables(FloeCatalog *catalog, FloeCatalogPage page, FloeCatalogDone done, void *arg)
{
	FloeRest *rest = (FloeRest *) catalog;
	MemoryContext context = AllocSetContextCreate(rest->context, "floe catalog listing", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Listing *listing = palloc0(sizeof(Listing));
	HASHCTL info = {0};

	info.keysize = sizeof(uint64);
	info.entrysize = sizeof(uint64);
	info.hcxt = context;
	listing->rest = rest;
	listing->context = context;
	listing->page = page;
	listing->done = done;
	listing->arg = arg;
	catalog->left_out = 0;
	memset(&catalog->refused, 0, sizeof(catalog->refused));
	listing->seen = hash_create("floe namespaces", 256, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	MemoryContextSwitchTo(old);
	next_page(new_chain(listing, false, NULL, 0));
}
