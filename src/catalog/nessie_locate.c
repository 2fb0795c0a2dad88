/*
 * nessie_locate.c: the metadata locations of tables on a branch of Nessie.
 *
 * A branch's hash is the etag of all its tables: while it is the same, nothing
 * has changed.  Where it differs, one request has the contents of as many tables as are
 * asked for, and the hash they are of.  It refuses all of them for the sake of one that may not
 * be read: then they are asked for in halves.
 */
#include "floe.h"

#include "catalog/nessie.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "common/hashfn.h"

/* That many refusals for one question; a role that may read hardly anything is not asked after table by table. */
#define MAX_REFUSALS 64

typedef struct Locating
{
	FloeNessie *nessie;
	MemoryContext context;
	const FloeLocateItem *items;
	int count;
	bool *answered;
	int batch; /* how many to ask for at a time; */
	int asked; /* so many were, */
	int upto;  /* all of them before this one */
	int refusals;
	HTAB *wanted; /* hash of a key to its item */
	FloeLocateDone done;
	void *arg;
} Locating;

typedef struct Wanted
{
	uint64 hash;
	int item;
} Wanted;

static void
answer(Locating *l, int i, const FloeStatus *st, const FloeLocated *located)
{
	static const FloeLocated nothing = {0};

	if (l->answered[i])
		return;
	l->answered[i] = true;
	l->done(l->arg, i, st, located != NULL ? located : &nothing);
}

/* Everything that has no answer yet gets this one. */
static void
end_locating(Locating *l, const FloeStatus *st)
{
	MemoryContext context = l->context;

	for (int i = 0; i < l->count; i++)
		answer(l, i, st, NULL);
	MemoryContextDelete(context);
}

static uint64
hash_key(const char *const *levels, int nlevels, const char *name)
{
	StringInfoData key;
	uint64 hash;

	initStringInfo(&key);
	for (int i = 0; i < nlevels; i++)
	{
		appendStringInfoString(&key, levels[i]);
		appendStringInfoChar(&key, 0x1F);
	}
	appendStringInfoString(&key, name);
	hash = hash_bytes_extended((unsigned char *) key.data, key.len, 0);
	pfree(key.data);
	return hash;
}

static bool
read_contents(Locating *l, FloeJson root, FloeStatus *st)
{
	const char *hash = floe_nessie_read_hash(root, "effectiveReference", st);
	FloeJson contents;

	if (hash == NULL || !floe_json_get_array(root, "contents", &contents, st))
		return false;
	for (size_t i = 0; i < floe_json_length(contents); i++)
	{
		FloeJson entry = floe_json_at(contents, i);
		FloeJson content = floe_json_field(entry, "content");
		FloeLocated located = {.etag = hash};
		const char *elements[FLOE_NESSIE_ELEMENTS];
		int n = floe_nessie_read_key(floe_json_field(entry, "key"), elements);
		const char *type = floe_json_string(floe_json_field(content, "type"));
		Wanted *wanted;
		uint64 key;
		FloeStatus good;

		if (n <= 0 || type == NULL)
			continue;
		key = hash_key(elements, n - 1, elements[n - 1]);
		wanted = hash_search(l->wanted, &key, HASH_FIND, NULL);
		if (wanted == NULL)
			continue;
		floe_status_ok(&good);
		if (strcmp(type, "ICEBERG_TABLE") != 0)
			floe_fail_detail(&good, FLOE_ERR_UNSUPPORTED, type, "it is not an Iceberg table");
		else if (floe_json_get_string(content, "metadataLocation", &located.metadata_location, &good) &&
				 floe_json_opt_int(content, "snapshotId", -1, &located.snapshot_id, &good))
		{
			located.has_snapshot = true;
			floe_status_ok(&good);
		}
		answer(l, wanted->item, &good, &located);
	}
	return true;
}

static void ask_contents(Locating *l);

static void
on_contents(void *arg, const FloeStatus *st, FloeHttpResponse *response)
{
	Locating *l = arg;
	FloeStatus result;
	FloeJsonDoc *doc = floe_nessie_parse(st, response, "answer to get contents", FLOE_NESSIE_PAGE_BYTES, &result);
	bool ok = doc != NULL && read_contents(l, floe_json_root(doc), &result);

	floe_json_free(doc);
	if (ok)
		floe_fail(&result, FLOE_ERR_NOT_FOUND, "the catalog has no such table on \"%s\"", l->nessie->ref);
	else if (result.code != FLOE_ERR_FORBIDDEN || ++l->refusals > MAX_REFUSALS)
	{
		end_locating(l, &result);
		return;
	}
	if (ok || l->asked == 1)
	{
		for (int i = 0; i < l->upto; i++)
			answer(l, i, &result, NULL);
		l->batch = Min(l->count, l->asked * 2);
	}
	else
		l->batch = l->asked / 2;
	ask_contents(l);
}

/* {"requestedKeys": [{"elements": ["a", "t"]}, …]} of the first of what is not answered; the end, where all is */
static void
ask_contents(Locating *l)
{
	FloeSessionRequest request = {
		.what = "get contents",
		.method = "POST",
		.content_type = "application/json",
		.is_repeatable = true,
		.max_body = FLOE_NESSIE_PAGE_BYTES,
	};
	FloeBuf body;
	FloeStatus st;
	const char *separator = "";

	l->asked = 0;
	floe_buf_init(&body, FLOE_NESSIE_PAGE_BYTES);
	floe_buf_text(&body, "{\"requestedKeys\": [");
	for (int i = 0; i < l->count && l->asked < l->batch; i++)
	{
		const FloeTableId *id = &l->items[i].id;

		if (l->answered[i])
			continue;
		l->asked++;
		l->upto = i + 1;
		floe_buf_printf(&body, "%s{\"elements\": [", separator);
		for (int j = 0; j < id->nlevels; j++)
		{
			floe_json_quote(&body, id->namespace[j], strlen(id->namespace[j]));
			floe_buf_text(&body, ", ");
		}
		floe_json_quote(&body, id->name, strlen(id->name));
		floe_buf_text(&body, "]}");
		separator = ", ";
	}
	floe_buf_text(&body, "]}");
	floe_status_ok(&st);
	if (body.failed)
		floe_fail(&st, FLOE_ERR_NOMEM, "out of memory");
	if (body.failed || l->asked == 0)
	{
		floe_buf_free(&body);
		end_locating(l, &st);
		return;
	}
	request.path = floe_nessie_tree_path(l->nessie, "/contents");
	request.body = body.data;
	request.body_len = body.len;
	floe_session_send(&l->nessie->session, &request, on_contents, l);
	floe_buf_free(&body);
}

static void
on_reference(void *arg, const FloeStatus *st, FloeHttpResponse *response)
{
	Locating *l = arg;
	FloeStatus result;
	FloeJsonDoc *doc = floe_nessie_parse(st, response, "answer to get reference", FLOE_NESSIE_SMALL_BYTES, &result);
	const char *hash = doc != NULL ? floe_nessie_read_hash(floe_json_root(doc), "reference", &result) : NULL;
	FloeLocated same = {.unchanged = true, .etag = hash};

	if (hash == NULL)
	{
		floe_json_free(doc);
		end_locating(l, &result);
		return;
	}
	floe_status_ok(&result);
	for (int i = 0; i < l->count; i++)
	{
		if (l->items[i].etag != NULL && strcmp(l->items[i].etag, hash) == 0)
			answer(l, i, &result, &same);
	}
	floe_json_free(doc);
	ask_contents(l);
}

void
floe_nessie_locate_tables(FloeCatalog *catalog, const FloeLocateItem *items, int count, FloeLocateDone done, void *arg)
{
	FloeNessie *nessie = (FloeNessie *) catalog;
	MemoryContext context = AllocSetContextCreate(nessie->context, "floe locating", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Locating *l = palloc0(sizeof(Locating));
	HASHCTL info = {0};
	bool any_etag = false;

	l->nessie = nessie;
	l->context = context;
	l->items = items;
	l->count = count;
	l->batch = count;
	l->done = done;
	l->arg = arg;
	l->answered = palloc0(sizeof(bool) * (size_t) count);
	info.keysize = sizeof(uint64);
	info.entrysize = sizeof(Wanted);
	info.hcxt = context;
	l->wanted = hash_create("floe keys", count, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < count; i++)
	{
		uint64 key = hash_key(items[i].id.namespace, items[i].id.nlevels, items[i].id.name);
		Wanted *wanted = hash_search(l->wanted, &key, HASH_ENTER, NULL);

		wanted->item = i;
		any_etag |= items[i].etag != NULL;
	}
	MemoryContextSwitchTo(old);
	if (any_etag)
		floe_nessie_ask_reference(nessie, on_reference, l);
	else
		ask_contents(l);
}
