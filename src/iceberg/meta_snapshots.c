/*
 * meta_snapshots.c: snapshots, refs, logs and statistics files in table metadata.
 *
 * Spec: "Snapshots", "Snapshot References", "Table Statistics", "Partition
 * Statistics".  Of the logs only numbers are kept, of
 * statistics which snapshot each file is of.
 */
#include "floe.h"

#include "iceberg/meta_private.h"

#include <string.h>

#define KEY FLOE_META_KEY

/* Kept as a number: a copy of the word for every snapshot would only cost memory. */
static bool
read_operation(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	((FloeSnapshot *) frame->record)->op = floe_snapshot_op_parse(text, len);
	return true;
}

static bool
read_engine(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	((FloeSnapshot *) frame->record)->engine = floe_snapshot_engine_parse(text, len);
	return true;
}

/* Trino writes no name, but this. */
static bool
read_trino(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	return read_engine(parser, frame, "trino", 5, st);
}

#define COUNTER_KEY(id, text) {KEY(text), FLOE_WANT_COUNTER, .offset = FLOE_COUNTER_##id},

static const FloeMetaKey summary_keys[] = {{KEY("operation"), FLOE_WANT_WORD, .word = read_operation},
										   {KEY("engine-name"), FLOE_WANT_WORD, .word = read_engine},
										   {KEY("trino_query_id"), FLOE_WANT_WORD, .word = read_trino},
										   FLOE_COUNTERS(COUNTER_KEY)};

static bool
open_summary(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	frame->record = floe_meta_outer(frame)->record;
	parser->known = 0;
	return true;
}

static bool
close_summary(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	if (parser->known == 0 || floe_snapshot_set_counters(frame->record, parser->known, parser->counters, parser->arena))
		return true;
	return floe_meta_no_memory(parser, st);
}

const FloeMetaShape floe_meta_shape_summary = {
	.keys = summary_keys,
	.key_count = lengthof(summary_keys),
	.open = open_summary,
	.close = close_summary,
};

enum
{
	SNAPSHOT_PARENT = 2, /* positions in snapshot_keys */
	SNAPSHOT_MANIFEST_LIST = 5,
	SNAPSHOT_MANIFESTS,
	SNAPSHOT_SCHEMA_ID,
	SNAPSHOT_FIRST_ROW_ID,
	SNAPSHOT_ADDED_ROWS,
	SNAPSHOT_KEY_ID
};

static bool
read_key_id(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	((FloeSnapshot *) frame->record)->has_key_id = true;
	return true;
}

#define AT(field) .offset = offsetof(FloeSnapshot, field)

static const FloeMetaKey snapshot_keys[] = {
	{KEY("sequence-number"), FLOE_WANT_LONG, .flags = FLOE_META_NOT_NEGATIVE, AT(sequence_number)},
	{KEY("snapshot-id"), FLOE_WANT_LONG, .flags = FLOE_META_REQUIRED, AT(id)},
	[SNAPSHOT_PARENT] = {KEY("parent-snapshot-id"), FLOE_WANT_LONG, AT(parent_id)},
	{KEY("timestamp-ms"), FLOE_WANT_LONG, .flags = FLOE_META_REQUIRED | FLOE_META_TIME, AT(timestamp_ms)},
	{KEY("summary"), FLOE_WANT_OBJECT, FLOE_KIND_SUMMARY},
	[SNAPSHOT_MANIFEST_LIST] = {KEY("manifest-list"), FLOE_WANT_STRING, .flags = FLOE_META_NOT_EMPTY,
								AT(manifest_list)},
	[SNAPSHOT_MANIFESTS] = {KEY("manifests"), FLOE_WANT_ARRAY, FLOE_KIND_MANIFESTS},
	[SNAPSHOT_SCHEMA_ID] = {KEY("schema-id"), FLOE_WANT_INT, AT(schema_id)},
	[SNAPSHOT_FIRST_ROW_ID] = {KEY("first-row-id"), FLOE_WANT_LONG, .flags = FLOE_META_NOT_NEGATIVE, AT(first_row_id)},
	[SNAPSHOT_ADDED_ROWS] = {KEY("added-rows"), FLOE_WANT_LONG, .flags = FLOE_META_NOT_NEGATIVE, AT(added_rows)},
	[SNAPSHOT_KEY_ID] = {KEY("key-id"), FLOE_WANT_WORD, .word = read_key_id},
};

#undef AT

static bool
open_snapshot(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	return floe_meta_new_record(parser, frame, &parser->snapshots, st);
}

static bool
close_snapshot(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeSnapshot *snapshot = frame->record;

	if ((frame->has & (1 << SNAPSHOT_MANIFEST_LIST | 1 << SNAPSHOT_MANIFESTS)) == 0)
		return floe_meta_fail_member(parser, st, FLOE_ERR_CORRUPT, "manifest-list", "is missing");
	snapshot->has_parent = (frame->has >> SNAPSHOT_PARENT & 1) != 0;
	snapshot->has_schema_id = (frame->has >> SNAPSHOT_SCHEMA_ID & 1) != 0;
	snapshot->has_first_row_id = (frame->has >> SNAPSHOT_FIRST_ROW_ID & 1) != 0;
	snapshot->has_added_rows = (frame->has >> SNAPSHOT_ADDED_ROWS & 1) != 0;
	return true;
}

const FloeMetaShape floe_meta_shape_snapshot = {
	.keys = snapshot_keys,
	.key_count = lengthof(snapshot_keys),
	.open = open_snapshot,
	.close = close_snapshot,
};

const FloeMetaShape floe_meta_shape_snapshots = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_SNAPSHOT},
	.limit = offsetof(FloeMetaLimits, snapshots),
};

static bool
open_manifests(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	floe_meta_list_init(&parser->manifests, sizeof(const char *));
	return true;
}

static void *
add_manifest(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	return floe_meta_list_add(parser, &parser->manifests, st);
}

static bool
close_manifests(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeSnapshot *snapshot = floe_meta_outer(frame)->record;

	snapshot->manifest_count = parser->manifests.count;
	return floe_meta_list_flatten(parser, &parser->manifests, (void **) &snapshot->manifests, st);
}

const FloeMetaShape floe_meta_shape_manifests = {
	.element = {.want = FLOE_WANT_STRING, .flags = FLOE_META_NOT_EMPTY},
	.open = open_manifests,
	.item = add_manifest,
	.close = close_manifests,
};

/* ----------------------------------------------------------------------- refs */

static bool
is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && pg_strncasecmp(text, word, len) == 0;
}

static bool
read_ref_type(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	((FloeRef *) frame->record)->is_branch = is_word(text, len, "branch");
	if (!is_word(text, len, "branch") && !is_word(text, len, "tag"))
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "must be branch or tag");
	return true;
}

#define AT(field) .offset = offsetof(FloeRef, field)

static const FloeMetaKey ref_keys[] = {
	{KEY("snapshot-id"), FLOE_WANT_LONG, .flags = FLOE_META_REQUIRED, AT(snapshot_id)},
	{KEY("type"), FLOE_WANT_WORD, .flags = FLOE_META_REQUIRED, .word = read_ref_type},
	{KEY("min-snapshots-to-keep"), FLOE_WANT_INT, .flags = FLOE_META_POSITIVE, AT(min_snapshots_to_keep)},
	{KEY("max-snapshot-age-ms"), FLOE_WANT_LONG, .flags = FLOE_META_POSITIVE, AT(max_snapshot_age_ms)},
	{KEY("max-ref-age-ms"), FLOE_WANT_LONG, .flags = FLOE_META_POSITIVE, AT(max_ref_age_ms)},
};

#undef AT

static bool
open_ref(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	if (!floe_meta_new_record(parser, frame, &parser->refs, st))
		return false;
	((FloeRef *) frame->record)->name = floe_meta_outer(frame)->name;
	return true;
}

static bool
close_ref(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	const FloeRef *ref = frame->record;

	if (!ref->is_branch && (ref->min_snapshots_to_keep > 0 || ref->max_snapshot_age_ms > 0))
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "is a tag and cannot keep further snapshots");
	return true;
}

const FloeMetaShape floe_meta_shape_ref = {
	.keys = ref_keys,
	.key_count = lengthof(ref_keys),
	.open = open_ref,
	.close = close_ref,
};

const FloeMetaShape floe_meta_shape_refs = {
	.is_map = true,
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_REF},
	.limit = offsetof(FloeMetaLimits, refs),
};

/* ----------------------------------------------------- logs and statistics files */

static const FloeMetaKey log_entry_keys[] = {
	{KEY("timestamp-ms"), FLOE_WANT_LONG, .flags = FLOE_META_REQUIRED | FLOE_META_NOT_NEGATIVE,
	 .offset = offsetof(FloeMetaParser, timestamp_ms)},
};

/* What is only looked at for a moment goes into the parser itself. */
static bool
open_in_parser(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	frame->record = parser;
	return true;
}

static bool
close_log_entry(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;
	bool first = floe_meta_outer(frame)->index == 1;

	if (floe_meta_outer(frame)->kind != FLOE_KIND_METADATA_LOG)
		return true;
	meta->metadata_log_oldest_ms =
		first ? parser->timestamp_ms : Min(meta->metadata_log_oldest_ms, parser->timestamp_ms);
	meta->metadata_log_newest_ms =
		first ? parser->timestamp_ms : Max(meta->metadata_log_newest_ms, parser->timestamp_ms);
	return true;
}

const FloeMetaShape floe_meta_shape_log_entry = {
	.keys = log_entry_keys,
	.key_count = lengthof(log_entry_keys),
	.open = open_in_parser,
	.close = close_log_entry,
};

static bool
close_log(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	if (frame->kind == FLOE_KIND_METADATA_LOG)
		parser->meta->metadata_log_count = frame->index;
	else
		parser->meta->snapshot_log_count = frame->index;
	return true;
}

const FloeMetaShape floe_meta_shape_snapshot_log = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_LOG_ENTRY},
	.limit = offsetof(FloeMetaLimits, snapshots),
	.close = close_log,
};

const FloeMetaShape floe_meta_shape_metadata_log = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_LOG_ENTRY},
	.close = close_log,
};

/* Which file it is, not where: that is the engines' business. */
static bool
read_statistics_path(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	uint64 hash = UINT64CONST(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8) text[i]) * UINT64CONST(1099511628211);
	parser->statistics_file.file = hash;
	return true;
}

static const FloeMetaKey statistics_file_keys[] = {
	{KEY("snapshot-id"), FLOE_WANT_LONG, .flags = FLOE_META_REQUIRED,
	 .offset = offsetof(FloeMetaParser, statistics_file.snapshot_id)},
	{KEY("statistics-path"), FLOE_WANT_WORD, .flags = FLOE_META_REQUIRED, .word = read_statistics_path},
	{KEY("file-size-in-bytes"), FLOE_WANT_LONG, .flags = FLOE_META_REQUIRED | FLOE_META_NOT_NEGATIVE,
	 .offset = offsetof(FloeMetaParser, file_bytes)},
};

static bool
close_statistics_file(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;
	FloeMetaStatistics *entry;
	bool partition = floe_meta_outer(frame)->kind == FLOE_KIND_PARTITION_STATISTICS;
	int64 *sum = partition ? &meta->partition_statistics_bytes : &meta->statistics_bytes;

	if (__builtin_add_overflow(*sum, parser->file_bytes, sum))
		return floe_meta_fail_member(parser, st, FLOE_ERR_CORRUPT, "file-size-in-bytes", "is beyond 64 bits in all");
	entry = floe_meta_list_add(parser, &parser->statistics, st);
	if (entry == NULL)
		return false;
	*entry = parser->statistics_file;
	return true;
}

const FloeMetaShape floe_meta_shape_statistics_file = {
	.keys = statistics_file_keys,
	.key_count = lengthof(statistics_file_keys),
	.open = open_in_parser,
	.close = close_statistics_file,
};

static bool
open_statistics(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	floe_meta_list_init(&parser->statistics, sizeof(FloeMetaStatistics));
	return true;
}

static bool
close_statistics(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;
	bool partition = frame->kind == FLOE_KIND_PARTITION_STATISTICS;

	*(partition ? &meta->partition_statistics_count : &meta->statistics_count) = frame->index;
	return floe_meta_list_flatten(parser, &parser->statistics,
								  partition ? (void **) &meta->partition_statistics : (void **) &meta->statistics, st);
}

const FloeMetaShape floe_meta_shape_statistics = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_STATISTICS_FILE},
	.limit = offsetof(FloeMetaLimits, snapshots),
	.open = open_statistics,
	.close = close_statistics,
};

const FloeMetaShape floe_meta_shape_partition_statistics = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_STATISTICS_FILE},
	.limit = offsetof(FloeMetaLimits, snapshots),
	.open = open_statistics,
	.close = close_statistics,
};
