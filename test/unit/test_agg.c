/*
 * test_agg.c: aggregates of hand-made entries: grouping at the thresholds, the
 * stored bytes, and the rules of merging (test_health.c has the random tables).
 */
#include "floe.h"

#include "iceberg/health.h"

#include <math.h>

#include "tap.h"

typedef struct Manifest
{
	FloeManifestContent content;
	int32_t spec;
	FloeBuf blob;
} Manifest;

static void
one_manifest(Manifest *m, FloeManifestContent content, int32_t spec, bool keep_paths, const FloeAggEntry *entries,
			 int n)
{
	FloeAggOptions options = {.bounds = {100, 200}, .keep_paths = keep_paths};
	FloeArena *arena = floe_arena_new(1024 * 1024);
	FloeAggBuilder *b = floe_agg_builder_new(arena, &options, content, spec, false);
	FloeStatus st;
	uint32_t partition;

	*m = (Manifest){.content = content, .spec = spec};
	floe_buf_init(&m->blob, 100000);
	floe_agg_partition(b, "{}", 2, &partition, &st);
	for (int i = 0; i < n; i++)
		floe_agg_add(b, &entries[i], &st);
	if (!floe_agg_finish(b, n, 0, 0, &m->blob, &st))
		ok(false, "cannot build a manifest: %s", st.message);
	floe_agg_builder_free(b);
	floe_arena_free(arena);
}

static void
test_rules(void)
{
	static const FloeAggEntry data = {.kind = FLOE_FILE_DATA, .bytes = 50, .rows = 5, .path = "p", .path_len = 1};
	static const FloeAggEntry huge = {.kind = FLOE_FILE_DATA, .bytes = INT64_MAX, .path = "p", .path_len = 1};
	static const FloeAggEntry vector = {.kind = FLOE_FILE_DELETION_VECTOR, .path = "p", .path_len = 1};
	FloeHealthOptions o = {
		.target_file_bytes = 100, .bounds = {100, 200}, .min_input_files = 5, .target_manifest_bytes = 1};
	FloeArena *arena = floe_arena_new(1024 * 1024);
	FloeHealth *h = floe_health_new(arena, &o, &(FloeStatus){0});
	Manifest d, without, del, big;
	FloeHealthTotals totals;
	FloeStatus st;

	one_manifest(&d, FLOE_MANIFEST_DATA, 0, true, &data, 1);
	one_manifest(&without, FLOE_MANIFEST_DATA, 0, false, &data, 1);
	one_manifest(&del, FLOE_MANIFEST_DELETES, 0, true, &vector, 1);
	one_manifest(&big, FLOE_MANIFEST_DATA, 0, true, &huge, 1);
	ok(!floe_health_add(h, FLOE_MANIFEST_DATA, 1, 10, d.blob.data, d.blob.len, &st) && st.code == FLOE_ERR_CORRUPT,
	   "a blob of another spec");
	ok(!floe_health_add(h, FLOE_MANIFEST_DELETES, 0, 10, d.blob.data, d.blob.len, &st) && st.code == FLOE_ERR_CORRUPT,
	   "a blob of another content");
	h = floe_health_new(arena, &o, &st);
	ok(floe_health_add(h, FLOE_MANIFEST_DATA, 0, 10, d.blob.data, d.blob.len, &st), "a data manifest");
	ok(!floe_health_add(h, FLOE_MANIFEST_DELETES, 0, 10, del.blob.data, del.blob.len, &st) &&
		   st.code == FLOE_ERR_INTERNAL,
	   "a delete manifest after it");
	h = floe_health_new(arena, &o, &st);
	ok(floe_health_add(h, FLOE_MANIFEST_DELETES, 0, 10, del.blob.data, del.blob.len, &st) &&
		   floe_health_add(h, FLOE_MANIFEST_DATA, 0, 10, d.blob.data, d.blob.len, &st) &&
		   floe_health_add(h, FLOE_MANIFEST_DATA, 0, 10, without.blob.data, without.blob.len, &st) &&
		   floe_health_finish(h, &totals, &st) && totals.needs_paths,
	   "one data manifest without paths is enough not to know what dangles");
	h = floe_health_new(arena, &o, &st);
	ok(floe_health_add(h, FLOE_MANIFEST_DATA, 0, 10, big.blob.data, big.blob.len, &st) &&
		   !floe_health_add(h, FLOE_MANIFEST_DATA, 0, 10, big.blob.data, big.blob.len, &st) &&
		   st.code == FLOE_ERR_CORRUPT,
	   "bytes beyond 64 bits in all");
	h = floe_health_new(arena, &o, &st);
	ok(floe_health_finish(h, &totals, &st) && isnan(totals.average_file_bytes) && isnan(totals.partition_skew) &&
		   isnan(totals.manifest_spread) && isnan(totals.delete_ratio) && isnan(totals.stat_column_count) &&
		   totals.manifest_count == 0,
	   "of nothing, the averages are unknown");
	o.target_file_bytes = 0;
	ok(floe_health_new(arena, &o, &st) == NULL, "a target of zero is refused");
	d.blob.data[1] = 2;
	o.target_file_bytes = 1;
	h = floe_health_new(arena, &o, &st);
	ok(!floe_health_add(h, FLOE_MANIFEST_DATA, 0, 10, d.blob.data, d.blob.len, &st) && st.code == FLOE_ERR_UNSUPPORTED,
	   "a blob of another version");
	floe_buf_free(&d.blob);
	floe_buf_free(&without.blob);
	floe_buf_free(&del.blob);
	floe_buf_free(&big.blob);
	floe_arena_free(arena);
}

/* Sizes exactly at the thresholds, among so many that they are grouped. */
static void
test_threshold_sizes(void)
{
	static FloeAggEntry entries[200];
	FloeHealthOptions o = {
		.target_file_bytes = 100000, .bounds = {100, 200}, .min_input_files = 5, .target_manifest_bytes = 1};
	FloeArena *arena = floe_arena_new(1024 * 1024);
	FloeStatus st;
	FloeHealth *h = floe_health_new(arena, &o, &st);
	FloeHealthTotals t;
	Manifest m;

	for (int i = 0; i < 200; i++)
		entries[i] = (FloeAggEntry){.kind = FLOE_FILE_DATA, .bytes = 50 + i, .path = "p", .path_len = 1};
	one_manifest(&m, FLOE_MANIFEST_DATA, 0, false, entries, 200);
	ok(floe_health_add(h, FLOE_MANIFEST_DATA, 0, 10, m.blob.data, m.blob.len, &st) && floe_health_finish(h, &t, &st),
	   "sizes 50 to 249, thresholds 100 and 200");
	is_int(t.small_file_count, 50, "a file of just the lower threshold is not small");
	is_int(t.oversized_file_count, 49, "a file of just the upper threshold is not oversized");
	ok(!t.inexact && m.blob.len < 200, "and still they are grouped (%zu bytes)", m.blob.len);
	floe_buf_free(&m.blob);
	floe_arena_free(arena);
}

/* What rewriting position deletes would remove: docs/metrics.md, excess_delete_file_count. */
static void
test_excess_deletes(void)
{
#define DELETE(what, of_path)                                                                                          \
	{                                                                                                                  \
		.kind = FLOE_FILE_##what, .path = of_path, .path_len = sizeof(of_path) - 1                                     \
	}
	static const FloeAggEntry any = {.kind = FLOE_FILE_POSITION_DELETES};
	static const FloeAggEntry one_each[] = {DELETE(POSITION_DELETES, "a"), DELETE(POSITION_DELETES, "b")};
	const FloeAggEntry twice[] = {one_each[0], one_each[1], one_each[0]};
	const FloeAggEntry mixed[] = {one_each[0], any, one_each[1], one_each[0]};
	static const FloeAggEntry vectors[] = {DELETE(DELETION_VECTOR, "a"), DELETE(DELETION_VECTOR, "b"),
										   DELETE(POSITION_DELETES, "c"), DELETE(POSITION_DELETES, "c")};
	static const FloeAggEntry equality[] = {{.kind = FLOE_FILE_EQUALITY_DELETES}, {.kind = FLOE_FILE_EQUALITY_DELETES}};
	const FloeAggEntry anywhere[] = {any, any, any};
	const struct
	{
		const char *what;
		const FloeAggEntry *entries;
		uint32_t count;
		int64_t per_file, per_partition;
	} cases[] = {
		{"one for each of two data files", one_each, 2, 0, 1},
		{"a second one for the first of them", twice, 3, 1, 2},
		{"and one that names no data file", mixed, 4, 2, 3},
		{"three that name none", anywhere, 3, 2, 2},
		{"a single one", &any, 1, 0, 0},
		{"two for one data file, vectors for two others", vectors, 4, 1, 1},
		{"vectors alone", vectors, 2, 0, 0},
		{"equality deletes", equality, 2, 0, 0},
	};

	for (size_t i = 0; i < lengthof(cases) * 2; i++)
	{
		bool per_file = i % 2 == 0;
		FloeHealthOptions o = {.target_file_bytes = 100, .target_manifest_bytes = 1, .deletes_per_file = per_file};
		FloeArena *arena = floe_arena_new(1024 * 1024);
		FloeStatus st;
		FloeHealth *h = floe_health_new(arena, &o, &st);
		FloeHealthTotals t = {.excess_delete_file_count = -1};
		Manifest m;

		one_manifest(&m, FLOE_MANIFEST_DELETES, 0, false, cases[i / 2].entries, cases[i / 2].count);
		(void) (floe_health_add(h, FLOE_MANIFEST_DELETES, 0, 10, m.blob.data, m.blob.len, &st) &&
				floe_health_finish(h, &t, &st));
		is_int(t.excess_delete_file_count, per_file ? cases[i / 2].per_file : cases[i / 2].per_partition,
			   "position deletes too many, per %s: %s", per_file ? "file" : "partition", cases[i / 2].what);
		floe_buf_free(&m.blob);
		floe_arena_free(arena);
	}
#undef DELETE
}

static void
test_snapshot_set(void)
{
	FloeArena *arena = floe_arena_new(100000);
	FloeSnapshotSet set = {0};
	bool good = true;

	for (int i = 0; i < 40; i++)
		good &= floe_snapshot_set_add(&set, arena, i % 20, 100 + i % 20);
	ok(good && set.count == 16 && set.refs[0].snapshot_id == 119 && set.refs[15].snapshot_id == 104,
	   "the sixteen newest of twenty");
	floe_snapshot_set_add(&set, arena, 50, 110);
	ok(set.count == 16 && set.refs[0].snapshot_id == 110 && set.refs[0].sequence_number == 50 &&
		   set.refs[1].snapshot_id == 119 && set.refs[15].snapshot_id == 104,
	   "one that turns out to be newer moves up");
	floe_snapshot_set_add(&set, arena, 104 - 100, 200);
	ok(set.refs[15].snapshot_id == 104, "of equal age the first one stays");
	floe_snapshot_set_add(&set, arena, 60, 201);
	ok(set.count == 16 && set.refs[0].snapshot_id == 201 && set.refs[15].snapshot_id == 105, "the oldest one leaves");
	floe_arena_free(arena);
}

/* Texts are stored as a difference from the one before: the first has nothing to differ from. */
static void
test_shared_text(void)
{
	static const char blob[] = "F\x01\x00\x00\x00\x00\x00\x00\x00\x01" /* header, one partition */
							   "\x01\x00\x00\x00\x00"                  /* one byte shared */
							   "\x00\x00\x00\x00\x00\x00";
	FloeAggReader reader;
	FloeAggPartition partition;
	FloeStatus st;

	ok(floe_agg_open(&reader, blob, sizeof(blob) - 1, &st) && !floe_agg_next(&reader, &partition, &st) &&
		   st.code == FLOE_ERR_CORRUPT,
	   "a text that shares what there is not");
	floe_agg_close(&reader);
}

/* The stored bytes are kept for years: a change of them needs a new version. */
static void
test_stored_bytes(void)
{
	static const FloeAggEntry entries[] = {
		{.kind = FLOE_FILE_DATA,
		 .bytes = 50,
		 .rows = 5,
		 .sequence_number = 3,
		 .file_sequence_number = 4,
		 .snapshot_id = 0x0102030405060708,
		 .stat_columns = 2,
		 .path = "p",
		 .path_len = 1},
		{.kind = FLOE_FILE_DATA,
		 .bytes = 300,
		 .rows = 5,
		 .sequence_number = 2,
		 .file_sequence_number = 2,
		 .snapshot_id = 1,
		 .path = "q",
		 .path_len = 1},
	};
	static const char expected[] = "46010400"           /* F, version, paths, spec 0 */
								   "64c801"             /* thresholds */
								   "020000"             /* entries */
								   "01"                 /* partitions */
								   "00027b7d"           /* {} */
								   "0201"               /* sequence numbers */
								   "02de020a02"         /* files, bytes, records, stat columns */
								   "12"                 /* snapshots */
								   "080807060504030201" /* sequence number 4 */
								   "030100000000000000" /* 2 less */
								   "05"                 /* sizes */
								   "6501"               /* 50, once */
								   "f50301"             /* 250 more, once */
								   "12";                /* paths */
	Manifest m;
	char hex[2 * sizeof(expected)];
	size_t len;

	one_manifest(&m, FLOE_MANIFEST_DATA, 0, true, entries, 2);
	len = Min(m.blob.len, sizeof(expected) / 2);
	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", (unsigned char) m.blob.data[i]);
	is_str(hex, expected, "the bytes of version 1 (up to the hashes of paths)");
	is_int(m.blob.len, len + 18, "and two hashes with a sequence number each");
	floe_buf_free(&m.blob);
}

int
main(void)
{
	test_rules();
	test_threshold_sizes();
	test_excess_deletes();
	test_snapshot_set();
	test_shared_text();
	test_stored_bytes();
	return tap_done();
}
