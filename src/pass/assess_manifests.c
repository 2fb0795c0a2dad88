/*
 * assess_manifests.c: reading the manifests that were never seen before.
 *
 * Delete manifests come first: when any of them names data files, data
 * manifests are needed with file paths.  A manifest's bytes are in memory only
 * while it is turned into its aggregate; how many bytes that may be at one
 * time is limited for the whole process.  Aggregates are stored in batches, so
 * that an interrupted first read of a big table goes on where it stopped.
 */
#include "floe.h"

#include "pass/assess.h"

#include "guc.h"
#include "iceberg/agg.h"
#include "iceberg/manifest.h"

#include "utils/memutils.h"

#define MANIFESTS_AT_ONCE 8
#define PROCESS_BUDGET ((size_t) 256 * 1024 * 1024)
#define BUDGET_RETRY_MS 20
#define BATCH_MANIFESTS 64
#define BATCH_BYTES ((size_t) 8 * 1024 * 1024)
#define AGGREGATE_MAX_BYTES ((size_t) 512 * 1024 * 1024)
#define PROPERTIES_MAX_BYTES ((size_t) 16 * 1024 * 1024)

static void read_more(void *arg);

typedef struct ManifestRead
{
	FloeAssess *assess;
	int index;
	size_t reserved;
} ManifestRead;

static void
fill_arrays(const FloeAssess *a, const int *indexes, int n, FloeManifestArrays *m)
{
	m->n = n;
	m->paths = palloc(sizeof(char *) * Max(n, 1));
	m->lengths = palloc(sizeof(int64) * Max(n, 1));
	m->contents = palloc(sizeof(int32) * Max(n, 1));
	m->spec_ids = palloc(sizeof(int32) * Max(n, 1));
	m->sequence_numbers = palloc(sizeof(int64) * Max(n, 1));
	m->added_snapshot_ids = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		const FloeManifest *row = &a->list.manifests[indexes[i]];

		m->paths[i] = row->path;
		m->lengths[i] = row->length;
		m->contents[i] = row->content;
		m->spec_ids[i] = row->spec_id;
		m->sequence_numbers[i] = row->sequence_number;
		m->added_snapshot_ids[i] = row->added_snapshot_id;
	}
}

/* Which manifests of one content have to be read; false after a failure. */
static bool
find_unread(FloeAssess *a, FloeManifestContent content)
{
	MemoryContext old = MemoryContextSwitchTo(a->context);
	int *indexes = palloc(sizeof(int) * Max(a->list.count, 1));
	int n = 0;
	FloeManifestArrays manifests;
	FloeUnread unread;
	FloeStatus st;
	bool ok;

	for (uint32 i = 0; i < a->list.count; i++)
	{
		if (a->list.manifests[i].content == content)
			indexes[n++] = (int) i;
	}
	fill_arrays(a, indexes, n, &manifests);
	floe_db_begin();
	ok = floe_inbox_unread_manifests(a->claim.table_id, &manifests, a->keep_paths, a->properties_json, &unread, &st);
	floe_db_end();
	a->todo = palloc(sizeof(int) * Max(n, 1));
	a->ntodo = 0;
	a->next = 0;
	for (int i = 0; ok && i < unread.n; i++)
		a->todo[a->ntodo++] = indexes[unread.places[i] - 1];
	MemoryContextSwitchTo(old);
	if (!ok)
	{
		floe_assess_fail(a, &st);
		return false;
	}
	a->keep_paths |= unread.has_scoped_deletes;
	a->bounds.small_file_below = unread.small_below;
	a->bounds.oversized_above = unread.oversized_above;
	return true;
}

/* Of a data manifest: paths were kept. Of a delete manifest: it has deletes that name their data file. */
static bool
has_paths(const FloeBuf *blob, bool *result, FloeStatus *st)
{
	FloeAggReader reader;
	FloeAggPartition partition;
	FloeAggScoped scoped;

	if (!floe_agg_open(&reader, blob->data, blob->len, st))
		return false;
	*result = reader.header.has_paths;
	for (uint32 i = 0; reader.header.content == FLOE_MANIFEST_DELETES && i < reader.header.npartitions && !*result; i++)
	{
		if (!floe_agg_next(&reader, &partition, st))
		{
			floe_agg_close(&reader);
			return false;
		}
		*result = floe_agg_next_scoped(&partition.scoped, &scoped);
	}
	floe_agg_close(&reader);
	return true;
}

static bool
store_fetched(FloeAssess *a, FloeStatus *st)
{
	MemoryContext old = MemoryContextSwitchTo(a->context);
	int n = list_length(a->fetched);
	int *indexes = palloc(sizeof(int) * Max(n, 1));
	bool *have_paths = palloc(sizeof(bool) * Max(n, 1));
	FloeBytes *aggregates = palloc(sizeof(FloeBytes) * Max(n, 1));
	FloeManifestArrays manifests;
	bool ok = true;

	for (int i = 0; i < n; i++)
	{
		FloeFetched *f = list_nth(a->fetched, i);

		indexes[i] = f->index;
		aggregates[i].data = f->blob.data;
		aggregates[i].len = f->blob.len;
		have_paths[i] = f->has_paths;
	}
	fill_arrays(a, indexes, n, &manifests);
	if (ok && n > 0)
	{
		floe_db_begin();
		ok = floe_inbox_store_manifests(a->claim.table_id, &manifests, have_paths, aggregates, st);
		floe_db_end();
	}
	for (int i = 0; i < n; i++)
		floe_buf_free(&((FloeFetched *) list_nth(a->fetched, i))->blob);
	list_free(a->fetched);
	a->fetched = NIL;
	a->fetched_bytes = 0;
	MemoryContextSwitchTo(old);
	return ok;
}

static bool
keep(FloeAssess *a, int index, FloeBuf *blob, FloeStatus *st)
{
	MemoryContext old = MemoryContextSwitchTo(a->context);
	FloeFetched *f = palloc(sizeof(FloeFetched));

	f->index = index;
	f->blob = *blob;
	floe_buf_init(blob, 0);
	a->fetched = lappend(a->fetched, f);
	a->fetched_bytes += f->blob.len;
	MemoryContextSwitchTo(old);
	if (!has_paths(&f->blob, &f->has_paths, st))
		return false;
	if (!a->reading_data && f->has_paths)
		a->keep_paths = true;
	if (list_length(a->fetched) >= BATCH_MANIFESTS || a->fetched_bytes >= BATCH_BYTES)
		return store_fetched(a, st);
	return true;
}

static void
phase_done(FloeAssess *a)
{
	FloeStatus st;

	if (!store_fetched(a, &st))
	{
		floe_assess_fail(a, &st);
		return;
	}
	if (!a->reading_data)
	{
		a->reading_data = true;
		if (find_unread(a, FLOE_MANIFEST_DATA))
			read_more(a);
		return;
	}
	floe_assess_apply(a);
}

static void
on_manifest(void *arg, const FloeStatus *st, FloeBuf *data, int64_t size)
{
	ManifestRead *read = arg;
	FloeAssess *a = read->assess;
	const FloeManifest *row = &a->list.manifests[read->index];
	FloeAggOptions options = {a->bounds, a->reading_data && a->keep_paths};
	FloeStatus result = *st;
	FloeBuf blob;
	bool ok;

	a->reading--;
	a->pass->manifest_bytes -= read->reserved;
	floe_buf_init(&blob, AGGREGATE_MAX_BYTES);
	ok = !a->failed && st->code == FLOE_OK &&
		 floe_manifest_read(a->pass->avro, data->data, data->len, row, &options, &blob, &result) &&
		 keep(a, read->index, &blob, &result);
	floe_buf_free(&blob);
	pfree(read);
	if (ok)
		read_more(a);
	else if (a->failed)
		floe_assess_ended(a);
	else
	{
		if (st->code == FLOE_ERR_TOO_LARGE)
			floe_fail(&result, FLOE_ERR_CORRUPT, "a manifest is longer than the %lld bytes that the manifest list says",
					  (long long) row->length);
		else if (st->code != FLOE_OK)
			floe_assess_read_failed(&result, "manifest");
		floe_assess_name_object(&result, row->path);
		floe_assess_fail(a, &result);
	}
}

static void
start_one(FloeAssess *a, int index)
{
	const FloeManifest *row = &a->list.manifests[index];
	ManifestRead *read = MemoryContextAlloc(a->context, sizeof(ManifestRead));
	FloeStoreRead request = {0};

	read->assess = a;
	read->index = index;
	read->reserved = (size_t) row->length;
	a->reading++;
	a->pass->manifest_bytes += read->reserved;
	a->bytes_read += row->length;
	request.location = row->path;
	request.max_bytes = (size_t) row->length + 1; /* one more, to notice that it is longer than the list says */
	request.done = on_manifest;
	request.arg = read;
	floe_store_read(&a->store, &request);
}

static bool
fits(const FloeAssess *a, const FloeManifest *row)
{
	return a->pass->manifest_bytes == 0 || a->pass->manifest_bytes + (size_t) row->length <= PROCESS_BUDGET;
}

static void
read_more(void *arg)
{
	FloeAssess *a = arg;
	FloeStatus st;

	while (a->next < a->ntodo && a->reading < MANIFESTS_AT_ONCE && !a->failed)
	{
		const FloeManifest *row = &a->list.manifests[a->todo[a->next]];

		if (row->length > (int64) floe_max_manifest_kb * 1024)
		{
			floe_fail_detail(&st, FLOE_ERR_TOO_LARGE, row->path,
							 "a manifest has %lld bytes, more than floe.max_manifest_size", (long long) row->length);
			floe_assess_fail(a, &st);
			return;
		}
		if (a->bytes_read > (int64) floe_max_assessment_mb * 1024 * 1024)
		{
			/* the rest another time; what was read is kept */
			a->incomplete = true;
			a->next = a->ntodo;
			break;
		}
		if (!fits(a, row))
		{
			/* the next of ours that is done goes on with this one; without one, look again later */
			if (a->reading == 0)
				floe_http_after(a->pass->http, BUDGET_RETRY_MS, read_more, a);
			return;
		}
		start_one(a, a->todo[a->next++]);
	}
	if (a->reading == 0 && a->next == a->ntodo && !a->failed)
		phase_done(a);
}

void
floe_assess_manifests(FloeAssess *a)
{
	FloeBuf properties;
	FloeStatus st;

	floe_buf_init(&properties, PROPERTIES_MAX_BYTES);
	if (!floe_assess_properties(a->meta, &properties))
	{
		floe_buf_free(&properties);
		floe_fail(&st, FLOE_ERR_TOO_LARGE, "the table's properties are too large");
		floe_assess_fail(a, &st);
		return;
	}
	a->properties_json = MemoryContextStrdup(a->context, properties.data);
	floe_buf_free(&properties);
	if (find_unread(a, FLOE_MANIFEST_DELETES))
		read_more(a);
}
