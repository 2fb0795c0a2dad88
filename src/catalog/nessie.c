/*
 * nessie.c: Project Nessie by its own API, version 2.
 *
 * Nessie keeps one commit history for all tables of a branch.  So one request
 * tells whether anything has changed at all: the branch's hash, which is every
 * table's etag.  Where it differs, one more request has the metadata locations
 * of as many tables as are asked for.  Its Iceberg REST endpoint, which is a
 * catalog of TYPE 'rest', needs a request for each table and gives no ETag.
 *
 * Source: projectnessie/nessie, api/model, META-INF/openapi.yaml (HttpTreeApi
 * v2), and what a 0.99.0 server answers.
 */
#include "floe.h"

#include "catalog/nessie.h"
#include "catalog/rest.h"

#include "utils/memutils.h"

#define DEFAULT_PAGE_SIZE 1000
#define MAX_TABLES 2000000
#define MAX_NAME_BYTES 1024 /* all levels together: names are keys of indexes */
#define MAX_PAGES 100000
#define MAX_BARREN_PAGES 1000 /* in a row, without a table */
/* entry.contentType=='ICEBERG_TABLE' (CEL), encoded */
#define ONLY_TABLES "entry.contentType%3D%3D%27ICEBERG_TABLE%27"

/* ---- small things ---- */

void
floe_nessie_ask(FloeNessie *nessie, const char *what, const char *path, size_t max_body, FloeSessionDone done,
				void *arg)
{
	FloeSessionRequest request = {.what = what, .path = path, .max_body = max_body};

	floe_session_send(&nessie->session, &request, done, arg);
}

/* "/trees/main" and what follows */
char *
floe_nessie_tree_path(const FloeNessie *nessie, const char *rest)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/trees/");
	floe_session_encode(&path, nessie->ref);
	appendStringInfoString(&path, rest);
	return path.data;
}

void
floe_nessie_ask_reference(FloeNessie *nessie, FloeSessionDone done, void *arg)
{
	floe_nessie_ask(nessie, "get reference", floe_nessie_tree_path(nessie, ""), FLOE_NESSIE_SMALL_BYTES, done, arg);
}

FloeJsonDoc *
floe_nessie_parse(const FloeStatus *st, const FloeHttpResponse *response, const char *what, size_t max,
				  FloeStatus *result)
{
	*result = *st;
	if (st->code != FLOE_OK)
		return NULL;
	return floe_json_parse(response->body.data, response->body.len, what, max, result);
}

/* {"reference" or "effectiveReference": {"hash"}} */
const char *
floe_nessie_read_hash(FloeJson root, const char *member, FloeStatus *st)
{
	FloeJson reference;
	const char *hash;

	if (!floe_json_get_object(root, member, &reference, st) || !floe_json_get_string(reference, "hash", &hash, st))
		return NULL;
	if (hash[0] == '\0' || strlen(hash) > 256)
	{
		floe_fail(st, FLOE_ERR_PROTOCOL, "the hash of the reference is not usable");
		return NULL;
	}
	return hash;
}

/* Elements of a content key; 0: floe cannot use it as a name; -1: it is none. */
int
floe_nessie_read_key(FloeJson key, const char **elements)
{
	FloeJson array = floe_json_field(key, "elements");
	size_t n = floe_json_length(array);
	size_t bytes = 0;

	if (floe_json_kind(array) != FLOE_JSON_ARRAY || n == 0)
		return -1;
	for (size_t i = 0; i < n; i++)
	{
		const char *element = floe_json_string(floe_json_at(array, i));

		if (element == NULL)
			return -1;
		bytes += strlen(element);
		if (n < 2 || n > FLOE_NESSIE_ELEMENTS || element[0] == '\0' || strchr(element, 0x1F) != NULL)
			return 0;
		elements[i] = element;
	}
	return bytes <= MAX_NAME_BYTES ? (int) n : 0;
}

/* ---- connecting ---- */

static void
connected(FloeNessie *nessie, const FloeStatus *st)
{
	FloeCatalogDone done = nessie->connect_done;

	nessie->connect_done = NULL;
	done(nessie->connect_arg, st);
}

/* What the reference is: nobody commits to a tag. */
static void
on_connect_reference(void *arg, const FloeStatus *st, FloeHttpResponse *response)
{
	FloeNessie *nessie = arg;
	FloeStatus result;
	FloeJsonDoc *doc = floe_nessie_parse(st, response, "answer to get reference", FLOE_NESSIE_SMALL_BYTES, &result);
	const char *type;

	if (doc != NULL && floe_nessie_read_hash(floe_json_root(doc), "reference", &result) != NULL &&
		floe_json_get_string(floe_json_field(floe_json_root(doc), "reference"), "type", &type, &result))
	{
		nessie->is_branch = strcmp(type, "BRANCH") == 0;
		floe_status_ok(&result);
	}
	floe_json_free(doc);
	connected(nessie, &result);
}

static void
on_config(void *arg, const FloeStatus *st, FloeHttpResponse *response)
{
	FloeNessie *nessie = arg;
	FloeStatus result;
	FloeJsonDoc *doc = floe_nessie_parse(st, response, "answer to /config", FLOE_NESSIE_SMALL_BYTES, &result);
	const char *branch;
	int64 version;

	if (doc != NULL && floe_json_opt_string(floe_json_root(doc), "defaultBranch", &branch, &result) &&
		floe_json_opt_int(floe_json_root(doc), "maxSupportedApiVersion", 0, &version, &result))
	{
		nessie->max_api = (int) Min(Max(version, 0), 1000);
		if (version < 2)
			floe_fail(&result, FLOE_ERR_UNSUPPORTED, "the server at \"uri\" does not speak version 2 of Nessie's API");
		else if (nessie->ref[0] == '\0' && branch == NULL)
			floe_fail(&result, FLOE_ERR_PROTOCOL, "answer to /config: there is no default branch");
		else
		{
			if (nessie->ref[0] == '\0')
				nessie->ref = MemoryContextStrdup(nessie->context, branch);
			floe_status_ok(&result);
		}
	}
	floe_json_free(doc);
	if (result.code != FLOE_OK)
		connected(nessie, &result);
	else
		floe_nessie_ask_reference(nessie, on_connect_reference, nessie);
}

static void
nessie_connect(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	FloeNessie *nessie = (FloeNessie *) catalog;

	nessie->connect_done = done;
	nessie->connect_arg = arg;
	floe_nessie_ask(nessie, "get configuration", "/config", FLOE_NESSIE_SMALL_BYTES, on_config, nessie);
}

typedef struct Probe
{
	FloeCatalogDone done;
	void *arg;
} Probe;

static void
on_probe(void *arg, const FloeStatus *st, FloeHttpResponse *response)
{
	Probe *probe = arg;
	FloeStatus result;
	FloeJsonDoc *doc = floe_nessie_parse(st, response, "answer to list tables", FLOE_NESSIE_PAGE_BYTES, &result);
	FloeJson entries;

	if (doc != NULL && floe_json_get_array(floe_json_root(doc), "entries", &entries, &result))
		floe_status_ok(&result);
	floe_json_free(doc);
	probe->done(probe->arg, &result);
	pfree(probe);
}

/* To see the reference, which connecting does, and to see what is in it are two rights. */
static void
nessie_probe(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	FloeNessie *nessie = (FloeNessie *) catalog;
	Probe *probe = MemoryContextAlloc(nessie->context, sizeof(Probe));

	probe->done = done;
	probe->arg = arg;
	floe_nessie_ask(nessie, "list tables", floe_nessie_tree_path(nessie, "/entries?max-records=1"),
					FLOE_NESSIE_PAGE_BYTES, on_probe, probe);
}

/* ---- listing ---- */

typedef struct Listing
{
	FloeNessie *nessie;
	FloeCatalogPage page;
	FloeCatalogDone done;
	void *arg;
	int64 tables;
	int pages;
	int barren_pages; /* in a row */
	char *token;
} Listing;

static void next_page(Listing *listing);

static void
end_listing(Listing *listing, const FloeStatus *st)
{
	listing->done(listing->arg, st);
	if (listing->token != NULL)
		pfree(listing->token);
	pfree(listing);
}

static bool
read_entries(Listing *listing, FloeJson root, FloeStatus *st)
{
	FloeJson entries;
	FloeTableId *ids;
	const char **elements;
	int n = 0;

	if (!floe_json_get_array(root, "entries", &entries, st))
		return false;
	ids = palloc(sizeof(FloeTableId) * Max(floe_json_length(entries), 1));
	elements =
		palloc_extended(sizeof(char *) * FLOE_NESSIE_ELEMENTS * Max(floe_json_length(entries), 1), MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < floe_json_length(entries); i++)
	{
		FloeJson entry = floe_json_at(entries, i);
		const char **key = &elements[(size_t) n * FLOE_NESSIE_ELEMENTS];
		const char *type = floe_json_string(floe_json_field(entry, "type"));
		int count = floe_nessie_read_key(floe_json_field(entry, "name"), key);

		if (count < 0)
			return floe_fail(st, FLOE_ERR_PROTOCOL, "list tables: entry %zu has no name", i);
		/* a server that knows no filters gives everything */
		if (type == NULL || strcmp(type, "ICEBERG_TABLE") != 0)
			continue;
		if (count == 0)
		{
			listing->nessie->base.left_out++;
			continue;
		}
		ids[n].namespace = key;
		ids[n].nlevels = count - 1;
		ids[n].name = key[count - 1];
		n++;
	}
	if ((listing->tables += n) > MAX_TABLES)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "list tables: the catalog has more than %d", MAX_TABLES);
	listing->barren_pages = n > 0 ? 0 : listing->barren_pages + 1;
	listing->page(listing->arg, ids, n);
	pfree(ids);
	pfree(elements);
	return true;
}

/* The token of the page after this one; NULL with FLOE_OK: it was the last. */
static char *
read_token(Listing *listing, FloeJson root, FloeStatus *st)
{
	bool more;
	const char *token;

	if (!floe_json_opt_bool(root, "hasMore", false, &more, st) || !floe_json_opt_string(root, "token", &token, st))
		return NULL;
	floe_status_ok(st);
	if (!more)
		return NULL;
	if (token == NULL || token[0] == '\0')
		floe_fail(st, FLOE_ERR_PROTOCOL, "list tables: there are more, and no token to ask for them");
	else if ((listing->token != NULL && strcmp(token, listing->token) == 0) || ++listing->pages > MAX_PAGES ||
			 listing->barren_pages >= MAX_BARREN_PAGES)
		floe_fail(st, FLOE_ERR_PROTOCOL, "list tables: the pages do not come to an end");
	else
		return MemoryContextStrdup(listing->nessie->context, token);
	return NULL;
}

static void
on_entries(void *arg, const FloeStatus *st, FloeHttpResponse *response)
{
	Listing *listing = arg;
	FloeStatus result;
	FloeJsonDoc *doc = floe_nessie_parse(st, response, "answer to list tables", FLOE_NESSIE_PAGE_BYTES, &result);
	char *token = NULL;

	if (doc != NULL && read_entries(listing, floe_json_root(doc), &result))
		token = read_token(listing, floe_json_root(doc), &result);
	floe_json_free(doc);
	if (token == NULL)
	{
		end_listing(listing, &result);
		return;
	}
	if (listing->token != NULL)
		pfree(listing->token);
	listing->token = token;
	next_page(listing);
}

static void
next_page(Listing *listing)
{
	FloeNessie *nessie = listing->nessie;
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfo(&path, "%s?filter=%s&max-records=%lld", floe_nessie_tree_path(nessie, "/entries"), ONLY_TABLES,
					 (long long) floe_conn_count(nessie->base.conn, "page_size", DEFAULT_PAGE_SIZE));
	if (listing->token != NULL)
	{
		appendStringInfoString(&path, "&page-token=");
		floe_session_encode(&path, listing->token);
	}
	floe_nessie_ask(nessie, "list tables", path.data, FLOE_NESSIE_PAGE_BYTES, on_entries, listing);
	pfree(path.data);
}

static void
nessie_list_tables(FloeCatalog *catalog, FloeCatalogPage page, FloeCatalogDone done, void *arg)
{
	FloeNessie *nessie = (FloeNessie *) catalog;
	Listing *listing = MemoryContextAllocZero(nessie->context, sizeof(Listing));

	listing->nessie = nessie;
	listing->page = page;
	listing->done = done;
	listing->arg = arg;
	catalog->left_out = 0;
	next_page(listing);
}

/* ---- the rest ---- */

static FloeCatalog *
nessie_open(FloeHttp *http, const FloeConn *conn, FloeStatus *st)
{
	FloeNessie *nessie = palloc0(sizeof(FloeNessie));
	const char *uri = floe_conn_option(conn, "uri");
	const char *ref = floe_conn_option(conn, "ref");

	nessie->base.ops = &floe_catalog_nessie;
	nessie->base.conn = conn;
	nessie->base.http = http;
	nessie->base.keeps_gc = "Nessie";
	nessie->context = CurrentMemoryContext;
	nessie->ref = pstrdup(ref != NULL ? ref : "");
	if (uri == NULL)
	{
		floe_fail(st, FLOE_ERR_CONFIG, "server \"%s\" has no option \"uri\"", conn->server_name);
		return NULL;
	}
	return floe_session_init(&nessie->session, http, conn, uri, NULL, &nessie->base.under_way, st) ? &nessie->base
																								   : NULL;
}

static const char *
nessie_property(const FloeCatalog *catalog, const char *key)
{
	return NULL;
}

static void
nessie_describe(const FloeCatalog *catalog, FloeBuf *out)
{
	const FloeNessie *nessie = (const FloeNessie *) catalog;

	floe_buf_text(out, "{\"ref\": ");
	floe_json_quote(out, nessie->ref, strlen(nessie->ref));
	if (!nessie->is_branch)
		floe_buf_text(out, ", \"read_only\": \"server option ref: a tag\"");
	floe_buf_printf(out, ", \"max_api_version\": %d, \"authentication\": \"%s\"}", nessie->max_api,
					floe_session_auth_name(&nessie->session));
}

/*
 * Engines go through its Iceberg REST endpoint, which needs nothing but Iceberg: .../api/v2 is beside .../iceberg.
 *
 * Nessie takes no word about delegation for the wish that it sign each request to the store, and engines then do not use the
 * keys that floe gives them.  Iceberg's signer (1.11) keeps its token for all sessions of a process, so that a token that is
 * no good any more fails every operation until the engine is restarted.  Any word that it does not know is "neither".
 */
static void
nessie_engine_properties(const FloeCatalog *catalog, FloeCatalogProperty add, void *arg)
{
	const FloeNessie *nessie = (const FloeNessie *) catalog;
	const char *uri = floe_conn_option(catalog->conn, "uri");
	const char *ref = floe_conn_option(catalog->conn, "ref");
	StringInfoData rest;
	const char *api = strstr(uri, "/api/v");

	initStringInfo(&rest);
	appendBinaryStringInfo(&rest, uri, api != NULL ? (int) (api - uri) : (int) strlen(uri));
	appendStringInfoString(&rest, "/iceberg");
	if (ref != NULL)
	{
		appendStringInfoChar(&rest, '/');
		floe_session_encode(&rest, ref);
	}
	floe_rest_engine_properties(&nessie->session, rest.data, "client-managed", add, arg);
}

const FloeCatalogOps floe_catalog_nessie = {
	.type = "nessie",
	.engine_type = "rest",
	.open = nessie_open,
	.connect = nessie_connect,
	.probe = nessie_probe,
	.list_tables = nessie_list_tables,
	.locate_tables = floe_nessie_locate_tables,
	.property = nessie_property,
	.describe = nessie_describe,
	.engine_properties = nessie_engine_properties,
};
