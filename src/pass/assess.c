/*
 * assess.c: one table from the catalog's answer to stored health.
 *
 * All or nothing: a table is stored only when everything it needs was read;
 * otherwise it becomes a row with the reason, and its last health stays.
 */
#include "floe.h"

#include "pass/assess.h"

#include "base/cleanup.h"
#include "guc.h"
#include "iceberg/snapshot_codec.h"

#include "utils/memutils.h"

#define CATALOG_RETRY_MS 50
#define ARENA_MIN_BYTES ((size_t) 64 * 1024 * 1024) /* the manifest list is in it, too */
#define SNAPSHOTS_MAX_BYTES ((size_t) 256 * 1024 * 1024)
#define FACTS_MAX_BYTES ((size_t) 64 * 1024 * 1024)

static void on_loaded(void *arg, const FloeStatus *st, const FloeLoadAnswer *answer);

static void
release_arena(void *arena)
{
	floe_arena_free(arena);
}

/* Blobs that were not stored; runs when the context goes, so it must not look at anything else. */
static void
release_fetched(void *arg)
{
	FloeAssess *a = arg;
	ListCell *cell;

	foreach (cell, a->fetched)
		floe_buf_free(&((FloeFetched *) lfirst(cell))->blob);
	a->fetched = NIL;
}

static void
finish(FloeAssess *a, const FloeStatus *st)
{
	FloeAssessDone done = a->done;
	FloePassCatalog *catalog = a->catalog;
	void *arg = a->arg;
	FloeStatus copy = *st;

	floe_assess_asked(a);
	MemoryContextDelete(a->context);
	floe_pass_watch_catalog(catalog, &copy);
	done(arg, &copy);
	catalog->in_flight--;
	floe_assess_read_next(catalog);
	catalog->refs--;
}

static size_t
metadata_limit(void)
{
	return (size_t) floe_max_metadata_kb * 1024;
}

static size_t
manifest_limit(void)
{
	return (size_t) floe_max_manifest_kb * 1024;
}

static FloeMetaLimits
metadata_limits(void)
{
	FloeMetaLimits limits = floe_meta_default_limits;

	limits.json_bytes = metadata_limit();
	return limits;
}

/* What is too large is the object as a whole, and not something in it: then a setting can let it pass. */
static void
name_limit(FloeStatus *st, size_t limit, const char *setting)
{
	char size[40];

	snprintf(size, sizeof(size), " %zu bytes", limit);
	if (st->code == FLOE_ERR_TOO_LARGE && strstr(st->message, size) != NULL)
		snprintf(st->detail, sizeof(st->detail), "%s allows no more.", setting);
}

/* Of a table that is not assessed: its files are not orphans of a table around it. */
static const char *
known_location(const FloeAssess *a)
{
	return a->location != NULL || a->meta == NULL ? a->location : a->meta->location;
}

void
floe_assess_fail(FloeAssess *a, const FloeStatus *failure)
{
	const char *location = known_location(a);
	FloeStatus st = *failure;

	if (a->failed)
		return;
	a->failed = true;
	a->failure = *failure;
	/* that the database is busy is no failure of the table */
	if (failure->code != FLOE_ERR_BUSY)
	{
		floe_db_begin();
		/* that it failed counts even if the database does not take its location */
		if (!floe_inbox_table_failed(&a->claim, failure, location, &st) && location != NULL && st.code != FLOE_ERR_BUSY)
			floe_inbox_table_failed(&a->claim, failure, NULL, &st);
		floe_db_end();
	}
	if (st.code != FLOE_OK)
	{
		floe_pass_log(&st, "what was seen of a table cannot be stored");
		floe_pass_give_back(a->pass, a->claim.table_id, &st);
	}
	floe_pass_tell_failure(a->catalog, a->claim.name, failure);
	floe_assess_ended(a);
}

void
floe_assess_ended(FloeAssess *a)
{
	if (a->reading == 0)
		finish(a, &a->failure);
}

static void
unchanged(FloeAssess *a)
{
	FloeStatus st;

	floe_pass_unchanged(a->pass, a->claim.table_id, a->etag);
	floe_status_ok(&st);
	finish(a, &st);
}

FloeArena *
floe_assess_new_arena(void)
{
	return floe_arena_new(Max(metadata_limit(), ARENA_MIN_BYTES));
}

void
floe_assess_load_request(const FloeAssess *a, FloeLoadMode mode, const char *etag, FloeArena *arena,
						 FloeLoadRequest *request)
{
	memset(request, 0, sizeof(*request));
	request->id.namespace = (const char *const *) a->claim.namespace;
	request->id.nlevels = a->claim.nlevels;
	request->id.name = a->claim.table_name;
	request->mode = mode;
	request->etag = etag;
	request->arena = arena;
	request->limits = metadata_limits();
}

static void
load(FloeAssess *a, FloeLoadMode mode, const char *etag)
{
	FloeLoadRequest request;

	floe_assess_load_request(a, mode, etag, a->arena, &request);
	a->catalog->catalog->ops->load_table(a->catalog->catalog, &request, on_loaded, a);
}

/* ---- manifest list ---- */

/* Of an object that the metadata names. That it is missing does not mean that the table is. */
void
floe_assess_read_failed(FloeStatus *st, const char *what)
{
	if (st->code == FLOE_ERR_NOT_FOUND)
		st->code = FLOE_ERR_CORRUPT;
	floe_status_prefix(st, "%s", what);
}

/* What is in an object is wrong: its name goes into the detail, but not what may be a key to it. */
void
floe_assess_name_object(FloeStatus *st, const char *location)
{
	if (st->detail[0] == '\0')
		floe_store_show(location, st->detail, sizeof(st->detail));
}

static void
on_manifest_list(void *arg, const FloeStatus *st, FloeBuf *data, int64_t size)
{
	FloeAssess *a = arg;
	FloeStatus result = *st;

	if (st->code != FLOE_OK)
	{
		name_limit(&result, manifest_limit(), "floe.max_manifest_size");
		floe_assess_read_failed(&result, "manifest list");
		floe_assess_fail(a, &result);
		return;
	}
	if (!floe_manifest_list_read(a->pass->avro, data->data, data->len, a->arena, &a->list, &result))
	{
		floe_assess_name_object(&result, a->meta->snapshots[a->meta->current].manifest_list);
		floe_assess_fail(a, &result);
		return;
	}
	for (uint32 i = 0; i < a->list.count; i++)
	{
		if (!a->list.manifests[i].encrypted)
			continue;
		floe_fail(&result, FLOE_ERR_UNSUPPORTED, "the table is encrypted; floe cannot read its manifests");
		floe_assess_fail(a, &result);
		return;
	}
	floe_assess_manifests(a);
}

static void
read_manifest_list(FloeAssess *a)
{
	const FloeSnapshot *current;
	FloeStoreRead read = {0};
	FloeStatus st;

	if (a->meta->current < 0)
	{
		/* a table without a snapshot has no files: everything is known */
		floe_assess_apply(a);
		return;
	}
	current = &a->meta->snapshots[a->meta->current];
	if (current->has_key_id || a->meta->encryption_key_count > 0)
		floe_fail(&st, FLOE_ERR_UNSUPPORTED, "the table is encrypted; floe cannot read its manifests");
	else if (current->manifest_list == NULL)
		floe_fail(&st, FLOE_ERR_UNSUPPORTED,
				  "the current snapshot lists its manifests inline instead of in a manifest list");
	else
	{
		read.location = current->manifest_list;
		read.max_bytes = manifest_limit();
		read.done = on_manifest_list;
		read.arg = a;
		floe_store_read(&a->store, &read);
		return;
	}
	floe_assess_fail(a, &st);
}

/* ---- the metadata file: its size, or, where the server's option says so, its content ---- */

static void
on_metadata_size(void *arg, const FloeStatus *st, FloeBuf *data, int64_t size)
{
	FloeAssess *a = arg;

	/* unknown is fine: the catalog's answer had the content */
	a->metadata_bytes = st->code == FLOE_OK ? size : -1;
	read_manifest_list(a);
}

/* Runs inside libcurl: no server function may be called here. */
static bool
on_metadata_piece(void *arg, const char *data, size_t len)
{
	FloeAssess *a = arg;

	if (data == NULL)
	{
		FloeMetaLimits limits = metadata_limits();

		floe_status_ok(&a->parse_status);
		a->metadata_bytes = 0;
		a->file_parser = floe_meta_parser_new(a->arena, FLOE_META_FILE, &limits);
		if (a->file_parser == NULL)
			return floe_fail(&a->parse_status, FLOE_ERR_NOMEM, "out of memory for table metadata");
		return true;
	}
	a->metadata_bytes += (int64) len;
	return a->file_parser != NULL && floe_meta_parser_feed(a->file_parser, data, len, &a->parse_status);
}

static void
on_metadata_file(void *arg, const FloeStatus *st, FloeBuf *data, int64_t size)
{
	FloeAssess *a = arg;
	const FloeLoadResult load_result = a->meta->load;
	const FloeTableMeta *meta;
	FloeTableMeta *merged;
	FloeStatus result = *st;

	if (a->parse_status.code != FLOE_OK)
		result = a->parse_status;
	if (result.code != FLOE_OK || !floe_meta_parser_finish(a->file_parser, &meta, &result))
	{
		a->location = a->file_parser != NULL ? floe_meta_parser_location(a->file_parser) : NULL;
		name_limit(&result, metadata_limit(), "floe.max_metadata_size");
		floe_assess_read_failed(&result, "metadata file");
		floe_assess_name_object(&result, load_result.metadata_location);
		floe_assess_fail(a, &result);
		return;
	}
	merged = floe_arena_alloc(a->arena, sizeof(FloeTableMeta));
	if (merged == NULL)
	{
		floe_fail(&result, FLOE_ERR_NOMEM, "out of memory for table metadata");
		floe_assess_fail(a, &result);
		return;
	}
	*merged = *meta;
	merged->load = load_result;
	if (!floe_assess_adapt(a, merged, &result))
	{
		a->location = merged->location;
		floe_assess_fail(a, &result);
		return;
	}
	a->meta = merged;
	read_manifest_list(a);
}

static void
read_metadata_file(FloeAssess *a, bool content)
{
	FloeStoreRead read = {0};

	floe_status_ok(&a->parse_status);
	read.location = a->meta->load.metadata_location;
	read.max_bytes = metadata_limit();
	read.size_only = !content;
	read.arg = a;
	read.done = content ? on_metadata_file : on_metadata_size;
	if (content)
	{
		read.sink = on_metadata_piece;
		read.sink_arg = a;
	}
	floe_store_read(&a->store, &read);
}

static bool
metadata_from_store(const FloeAssess *a)
{
	const char *source = floe_conn_option(a->catalog->conn, "metadata_source");

	if (a->catalog->catalog->ops->load_table == NULL)
		return true;
	return source != NULL && strcmp(source, "store") == 0;
}

static void
on_loaded(void *arg, const FloeStatus *st, const FloeLoadAnswer *answer)
{
	FloeAssess *a = arg;

	if (st->code != FLOE_OK)
	{
		FloeStatus result = *st;

		if (answer->location != NULL)
			a->location = answer->location;
		name_limit(&result, metadata_limit(), "floe.max_metadata_size");
		floe_assess_fail(a, &result);
		return;
	}
	if (answer->unchanged)
	{
		unchanged(a);
		return;
	}
	a->meta = answer->meta;
	a->location = NULL;
	/* a cheap look first, where the catalog gives no ETag: the location alone tells whether anything changed */
	if (a->claim.etag == NULL && a->claim.metadata_location != NULL && a->etag == NULL &&
		strcmp(answer->meta->load.metadata_location, a->claim.metadata_location) == 0)
	{
		unchanged(a);
		return;
	}
	if (a->probing && !metadata_from_store(a))
	{
		a->probing = false;
		a->location = MemoryContextStrdup(a->context, a->meta->location);
		a->meta = NULL;
		floe_arena_reset(a->arena);
		load(a, FLOE_LOAD_ALL, NULL);
		return;
	}
	a->etag = answer->etag;
	floe_assess_open_store(a);
	read_metadata_file(a, metadata_from_store(a));
}

void
floe_assess_located(FloeAssess *a, const FloeStatus *st, const FloeLocated *located)
{
	FloeTableMeta *meta = NULL;
	FloeStatus result = *st;

	if (located->location != NULL)
		a->location = floe_arena_text(a->arena, located->location, strlen(located->location));
	if (located->etag != NULL)
		a->etag = floe_arena_text(a->arena, located->etag, strlen(located->etag));
	a->has_snapshot = located->has_snapshot;
	a->snapshot_id = located->snapshot_id;
	if (st->code == FLOE_OK && !located->unchanged)
	{
		meta = floe_arena_alloc0(a->arena, sizeof(FloeTableMeta));
		if (meta != NULL)
			meta->load.metadata_location =
				floe_arena_text(a->arena, located->metadata_location, strlen(located->metadata_location));
		if (meta == NULL || meta->load.metadata_location == NULL)
			floe_fail(&result, FLOE_ERR_NOMEM, "out of memory for table metadata");
	}
	if (result.code != FLOE_OK)
	{
		floe_assess_fail(a, &result);
		return;
	}
	if (meta == NULL ||
		(a->claim.metadata_location != NULL && strcmp(meta->load.metadata_location, a->claim.metadata_location) == 0))
	{
		unchanged(a);
		return;
	}
	a->meta = meta;
	a->location = NULL;
	floe_assess_await_turn(a);
}

void
floe_assess_read(FloeAssess *a)
{
	floe_assess_open_store(a);
	read_metadata_file(a, true);
}

static void
begin(void *arg)
{
	FloeAssess *a = arg;

	if (a->catalog->state == FLOE_CATALOG_FAILED)
		floe_assess_fail(a, &a->catalog->failure);
	else if (a->catalog->state == FLOE_CATALOG_CONNECTING)
		floe_http_after(a->pass->http, CATALOG_RETRY_MS, begin, a);
	else if (a->catalog->catalog->ops->load_table == NULL)
		floe_assess_locate(a);
	else
	{
		a->probing = a->claim.etag == NULL && (a->claim.metadata_location != NULL || metadata_from_store(a));
		load(a, a->probing ? FLOE_LOAD_REFS : FLOE_LOAD_ALL, a->claim.etag);
	}
}

static void
copy_claim(FloeAssess *a, const FloeTableClaim *claim)
{
	a->claim = *claim;
	a->claim.namespace = palloc(sizeof(char *) * Max(claim->nlevels, 1));
	for (int i = 0; i < claim->nlevels; i++)
		a->claim.namespace[i] = pstrdup(claim->namespace[i]);
	a->claim.table_name = pstrdup(claim->table_name);
	a->claim.name = pstrdup(claim->name);
	if (claim->metadata_location != NULL)
		a->claim.metadata_location = pstrdup(claim->metadata_location);
	if (claim->etag != NULL)
		a->claim.etag = pstrdup(claim->etag);
}

void
floe_assess_start(FloePass *pass, FloePassCatalog *catalog, const FloeTableClaim *claim, bool in_turn,
				  FloeAssessDone done, void *arg)
{
	MemoryContext context = AllocSetContextCreate(pass->context, "floe assessment", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FloeAssess *a = palloc0(sizeof(FloeAssess));
	FloeStatus st;

	catalog->refs++;
	catalog->in_flight++;
	a->pass = pass;
	a->catalog = catalog;
	a->context = context;
	a->done = done;
	a->arg = arg;
	a->in_turn = in_turn;
	a->metadata_bytes = -1;
	copy_claim(a, claim);
	floe_cleanup_hold(floe_cleanup_register(release_fetched), a);
	a->arena = floe_cleanup_hold(floe_cleanup_register(release_arena), floe_assess_new_arena());
	MemoryContextSwitchTo(old);
	if (a->arena == NULL)
	{
		floe_fail(&st, FLOE_ERR_NOMEM, "out of memory for table metadata");
		floe_assess_fail(a, &st);
		return;
	}
	begin(a);
}

/* ---- storing ---- */

static void
fill_arrays(const FloeAssess *a, FloeManifestArrays *m)
{
	int n = (int) a->list.count;

	m->n = n;
	m->paths = palloc(sizeof(char *) * Max(n, 1));
	m->lengths = palloc(sizeof(int64) * Max(n, 1));
	m->contents = palloc(sizeof(int32) * Max(n, 1));
	m->spec_ids = palloc(sizeof(int32) * Max(n, 1));
	m->sequence_numbers = NULL;
	m->added_snapshot_ids = NULL;
	for (int i = 0; i < n; i++)
	{
		m->paths[i] = a->list.manifests[i].path;
		m->lengths[i] = a->list.manifests[i].length;
		m->contents[i] = a->list.manifests[i].content;
		m->spec_ids[i] = a->list.manifests[i].spec_id;
	}
}

/* Everything is read and every new manifest stored: the table gets its new state. */
void
floe_assess_apply(FloeAssess *a)
{
	MemoryContext old = MemoryContextSwitchTo(a->context);
	FloeManifestArrays manifests;
	FloeBuf facts;
	FloeBuf snapshots;
	FloeBytes bytes;
	FloeStatus st;
	bool ok;

	floe_buf_init(&facts, FACTS_MAX_BYTES);
	floe_buf_init(&snapshots, SNAPSHOTS_MAX_BYTES);
	fill_arrays(a, &manifests);
	ok = floe_assess_facts(a, &facts, &st) &&
		 floe_snapshots_encode(a->meta->snapshots, a->meta->snapshot_count, &snapshots, &st);
	if (ok)
	{
		bytes.data = snapshots.data != NULL ? snapshots.data : "";
		bytes.len = snapshots.len;
		floe_db_begin();
		ok = floe_inbox_apply_assessment(&a->claim, facts.data, bytes, a->etag, &manifests, !a->incomplete, &st);
		floe_db_end();
	}
	floe_buf_free(&facts);
	floe_buf_free(&snapshots);
	MemoryContextSwitchTo(old);
	/* that it was dropped is known, and no failure of the table */
	if (!ok && st.code != FLOE_ERR_NOT_FOUND)
	{
		floe_assess_fail(a, &st);
		return;
	}
	if (ok)
		floe_status_ok(&st);
	finish(a, &st);
}
