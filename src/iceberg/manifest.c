/*
 * manifest.c: entries of a manifest, made complete and handed to the aggregate.
 */
#include "floe.h"

#include "base/hash.h"
#include "iceberg/manifest.h"
#include "iceberg/partition_value.h"

#include <string.h>

#define MAX_MEMORY ((size_t) 256 * 1024 * 1024)
#define MAX_SHOWN_NAME 100
#define MAX_COUNT (INT64_C(1) << 53) /* rows or bytes of one file: no file has more, and float8 metrics stay exact */
#define DELETE_FILE_PATH_ID UINT32_C(2147483546) /* spec, "Position Delete Files" */

/* Positions in the array of wanted fields below, and so slots.  Data manifests need the first ones only. */
enum
{
	STATUS,
	SNAPSHOT_ID,
	SEQUENCE_NUMBER,
	FILE_SEQUENCE_NUMBER,
	DATA_FILE,
	CONTENT,
	FILE_PATH,
	PARTITION,
	RECORD_COUNT,
	FILE_SIZE,
	VALUE_COUNTS,
	NWANTED_DATA,
	FILE_FORMAT = NWANTED_DATA,
	REFERENCED_DATA_FILE,
	CONTENT_SIZE,
	LOWER_BOUNDS,
	UPPER_BOUNDS,
	NWANTED_DELETES
};

#define ENTRY_FIELD(field_id, field_name, how, is_required)                                                            \
	{                                                                                                                  \
		.parent = FLOE_AVRO_ROOT, .id = field_id, .name = field_name, .want = how, .required = is_required             \
	}
#define FILE_FIELD(field_id, field_name, how, is_required)                                                             \
	{                                                                                                                  \
		.parent = 2, .id = field_id, .name = field_name, .want = how, .required = is_required                          \
	}
#define BOUND_FIELD(field_id, field_name, key_field, value_field)                                                      \
	{                                                                                                                  \
		.parent = 2, .id = field_id, .name = field_name, .want = FLOE_AVRO_WANT_ENTRY, .key_id = key_field,            \
		.value_id = value_field, .key = DELETE_FILE_PATH_ID                                                            \
	}

static const FloeAvroField wanted[NWANTED_DELETES] = {
	[STATUS] = ENTRY_FIELD(0, "status", FLOE_AVRO_WANT_INT, true),
	[SNAPSHOT_ID] = ENTRY_FIELD(1, "snapshot_id", FLOE_AVRO_WANT_INT, false),
	[SEQUENCE_NUMBER] = ENTRY_FIELD(3, "sequence_number", FLOE_AVRO_WANT_INT, false),
	[FILE_SEQUENCE_NUMBER] = ENTRY_FIELD(4, "file_sequence_number", FLOE_AVRO_WANT_INT, false),
	[DATA_FILE] = ENTRY_FIELD(2, "data_file", FLOE_AVRO_WANT_STRUCT, true),
	[CONTENT] = FILE_FIELD(134, "content", FLOE_AVRO_WANT_INT, false),
	[FILE_PATH] = FILE_FIELD(100, "file_path", FLOE_AVRO_WANT_BYTES, true),
	[PARTITION] = FILE_FIELD(102, "partition", FLOE_AVRO_WANT_TUPLE, true),
	[RECORD_COUNT] = FILE_FIELD(103, "record_count", FLOE_AVRO_WANT_INT, true),
	[FILE_SIZE] = FILE_FIELD(104, "file_size_in_bytes", FLOE_AVRO_WANT_INT, true),
	[VALUE_COUNTS] = FILE_FIELD(109, "value_counts", FLOE_AVRO_WANT_COUNT, false),
	[FILE_FORMAT] = FILE_FIELD(101, "file_format", FLOE_AVRO_WANT_BYTES, true),
	[REFERENCED_DATA_FILE] = FILE_FIELD(143, "referenced_data_file", FLOE_AVRO_WANT_BYTES, false),
	[CONTENT_SIZE] = FILE_FIELD(145, "content_size_in_bytes", FLOE_AVRO_WANT_INT, false),
	[LOWER_BOUNDS] = BOUND_FIELD(125, "lower_bounds", 126, 127),
	[UPPER_BOUNDS] = BOUND_FIELD(128, "upper_bounds", 129, 130),
};

/* All that depends on the header only; kept in the reader's cache. */
typedef struct Plan
{
	const FloeAvroProgram *program;
	const FloePartitionSpec *spec;
} Plan;

/* A partition tuple as it is stored, and the partition it is. */
typedef struct RawTuple
{
	FloeSlice bytes;
	uint32_t partition;
} RawTuple;

enum
{
	EXISTING = 0,
	ADDED = 1,
	DELETED = 2
};

typedef struct Reading
{
	const FloeManifest *row;
	const Plan *plan;
	bool version_1; /* no sequence numbers: all are 0 */
	FloeArena *arena;
	FloeAggBuilder *builder;
	int64_t entries[3]; /* by status */
	FloeHashKey hash_key;
	FloeIndex tuple_index;
	FloeBuf tuples; /* of RawTuple */
	uint32_t last_tuple;
	FloeBuf text;
} Reading;

static bool
fail_no_memory(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for a manifest");
}

/* ---- partitions ---- */

static bool
same_bytes(FloeSlice a, FloeSlice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool
add_tuple(Reading *r, FloeSlice raw, uint64_t hash, const FloeAvroValue *values, FloeStatus *st)
{
	uint32_t number = (uint32_t) (r->tuples.len / sizeof(RawTuple));
	RawTuple tuple = {.bytes.len = raw.len};

	if (!floe_partition_render(r->plan->spec, values, &r->text, st) ||
		!floe_agg_partition(r->builder, r->text.data, r->text.len, &tuple.partition, st))
		return false;
	tuple.bytes.data = (const uint8_t *) floe_arena_text(r->arena, (const char *) raw.data, raw.len);
	if (tuple.bytes.data == NULL || !floe_buf_append(&r->tuples, &tuple, sizeof(tuple)) ||
		!floe_index_add(&r->tuple_index, hash, number))
		return fail_no_memory(st);
	r->last_tuple = number;
	return true;
}

/*
 * The partition of an entry.  Rendering a tuple costs more than reading the
 * entry, so it is done once per distinct stored tuple; neighbours mostly share
 * theirs.
 */
static bool
find_partition(Reading *r, const FloeAvroValue *values, uint32_t *partition, FloeStatus *st)
{
	FloeSlice raw = {values[PARTITION].data, (size_t) values[PARTITION].num};
	const RawTuple *tuples = (const RawTuple *) (const void *) r->tuples.data;
	uint32_t probe = 0, number;
	bool found = tuples != NULL && same_bytes(tuples[r->last_tuple].bytes, raw);

	if (!found)
	{
		uint64_t hash = floe_hash_bytes(&r->hash_key, raw.data, raw.len);

		while (!found && floe_index_next(&r->tuple_index, hash, &probe, &number))
		{
			found = same_bytes(tuples[number].bytes, raw);
			if (found)
				r->last_tuple = number;
		}
		if (!found && !add_tuple(r, raw, hash, values, st))
			return false;
	}
	*partition = ((const RawTuple *) (const void *) r->tuples.data)[r->last_tuple].partition;
	return true;
}

/* ---- entries ---- */

static bool
fail_number(FloeStatus *st, const char *what, int64_t value)
{
	return floe_fail(st, FLOE_ERR_CORRUPT, "an entry has %s %lld", what, (long long) value);
}

/*
 * Spec, "Sequence Number Inheritance": null is the manifest's number, but only
 * in added entries; in manifests of format version 1 everything is 0.
 */
static bool
take_sequence_numbers(const Reading *r, const FloeAvroValue *values, FloeAggEntry *entry, FloeStatus *st)
{
	int64_t inherited = r->version_1 ? 0 : r->row->sequence_number;

	if (values[SEQUENCE_NUMBER].set)
		entry->sequence_number = values[SEQUENCE_NUMBER].num;
	else if (inherited == 0 || values[STATUS].num == ADDED)
		entry->sequence_number = inherited;
	else
		return floe_fail(st, FLOE_ERR_CORRUPT, "an existing entry has no sequence number");
	/* writers before Iceberg 1.0 did not have this one; it only orders snapshots */
	if (values[FILE_SEQUENCE_NUMBER].set)
		entry->file_sequence_number = values[FILE_SEQUENCE_NUMBER].num;
	else
		entry->file_sequence_number = values[STATUS].num == ADDED ? inherited : entry->sequence_number;
	if (entry->sequence_number < 0 || entry->file_sequence_number < 0)
		return fail_number(st, "sequence number", Min(entry->sequence_number, entry->file_sequence_number));
	return true;
}

static bool
is_puffin(const FloeAvroValue *format)
{
	return format->num == 6 && pg_strncasecmp((const char *) format->data, "puffin", 6) == 0;
}

/* What only delete files have: which kind, and the data file they are limited to. */
static bool
take_deletes(const FloeAvroValue *values, FloeAggEntry *entry, FloeStatus *st)
{
	const FloeAvroValue *path = NULL;
	const FloeAvroValue *lower = &values[LOWER_BOUNDS];
	const FloeAvroValue *upper = &values[UPPER_BOUNDS];

	entry->stat_columns = 0;
	if (values[CONTENT].num == 2)
	{
		entry->kind = FLOE_FILE_EQUALITY_DELETES;
		return true;
	}
	entry->kind = FLOE_FILE_POSITION_DELETES;
	if (values[REFERENCED_DATA_FILE].set && values[REFERENCED_DATA_FILE].num > 0)
		path = &values[REFERENCED_DATA_FILE];
	else if (lower->set && upper->set && lower->num == upper->num && lower->num > 0 &&
			 memcmp(lower->data, upper->data, (size_t) lower->num) == 0)
		path = lower;
	if (is_puffin(&values[FILE_FORMAT]))
	{
		entry->kind = FLOE_FILE_DELETION_VECTOR;
		/* several vectors share a file: each counts its own part */
		entry->bytes = values[CONTENT_SIZE].num;
		if (path != &values[REFERENCED_DATA_FILE] || !values[CONTENT_SIZE].set)
			return floe_fail(st, FLOE_ERR_CORRUPT,
							 "a deletion vector has no referenced_data_file or no content_size_in_bytes");
		if (entry->bytes < 0 || entry->bytes > MAX_COUNT)
			return fail_number(st, "content_size_in_bytes", entry->bytes);
	}
	if (path != NULL)
	{
		entry->path = path->data;
		entry->path_len = (size_t) path->num;
	}
	return true;
}

static bool
check_entry(const Reading *r, const FloeAvroValue *values, FloeStatus *st)
{
	int64_t content = values[CONTENT].set ? values[CONTENT].num : 0;

	if (values[STATUS].num < EXISTING || values[STATUS].num > DELETED)
		return fail_number(st, "status", values[STATUS].num);
	if (content < 0 || content > 2)
		return fail_number(st, "content", content);
	if ((content == 0) != (r->row->content == FLOE_MANIFEST_DATA))
		return floe_fail(st, FLOE_ERR_CORRUPT, "data and delete files are mixed");
	if (values[FILE_PATH].num == 0)
		return floe_fail(st, FLOE_ERR_CORRUPT, "an entry has an empty file_path");
	if (values[RECORD_COUNT].num < 0 || values[RECORD_COUNT].num > MAX_COUNT)
		return fail_number(st, "record_count", values[RECORD_COUNT].num);
	if (values[FILE_SIZE].num < 0 || values[FILE_SIZE].num > MAX_COUNT)
		return fail_number(st, "file_size_in_bytes", values[FILE_SIZE].num);
	return true;
}

static bool
read_entry(void *context, const FloeAvroValue *values, FloeStatus *st)
{
	Reading *r = context;
	FloeAggEntry entry = {
		.kind = FLOE_FILE_DATA,
		.bytes = values[FILE_SIZE].num,
		.rows = values[RECORD_COUNT].num,
		.stat_columns = values[VALUE_COUNTS].num,
		.snapshot_id = values[SNAPSHOT_ID].set ? values[SNAPSHOT_ID].num : r->row->added_snapshot_id,
	};

	if (!check_entry(r, values, st))
		return false;
	r->entries[values[STATUS].num]++;
	if (values[STATUS].num == DELETED)
		return true;
	if (!take_sequence_numbers(r, values, &entry, st) || !find_partition(r, values, &entry.partition, st))
		return false;
	if (r->row->content == FLOE_MANIFEST_DATA)
	{
		entry.path = values[FILE_PATH].data;
		entry.path_len = (size_t) values[FILE_PATH].num;
	}
	else if (!take_deletes(values, &entry, st))
		return false;
	return floe_agg_add(r->builder, &entry, st);
}

/* ---- the header ---- */

static const Plan *
compile_plan(FloeArena *arena, const FloeAvroFile *file, FloeManifestContent content, FloeStatus *st)
{
	FloeSlice schema = floe_avro_meta(file, "avro.schema");
	Plan *plan = floe_arena_alloc0(arena, sizeof(*plan));

	if (plan == NULL)
	{
		fail_no_memory(st);
		return NULL;
	}
	if (schema.data == NULL)
	{
		floe_fail(st, FLOE_ERR_CORRUPT, "the header has no avro.schema");
		return NULL;
	}
	plan->program = floe_avro_compile(arena, schema.data, schema.len, wanted,
									  content == FLOE_MANIFEST_DATA ? NWANTED_DATA : NWANTED_DELETES, st);
	if (plan->program == NULL)
		return NULL;
	plan->spec = floe_partition_compile(arena, floe_avro_meta(file, "schema"), floe_avro_meta(file, "partition-spec"),
										plan->program->columns, plan->program->ncolumns, st);
	return plan->spec != NULL ? plan : NULL;
}

static const Plan *
get_plan(FloeAvroReader *reader, const FloeAvroFile *file, FloeManifestContent content, FloeStatus *st)
{
	static const uint8_t kinds[] = {FLOE_MANIFEST_DATA, FLOE_MANIFEST_DELETES};
	FloeAvroCacheKey key = {.part = {{&kinds[content], 1},
									 floe_avro_meta(file, "avro.schema"),
									 floe_avro_meta(file, "schema"),
									 floe_avro_meta(file, "partition-spec")}};
	const Plan *plan = floe_avro_cache_find(reader, &key);
	FloeArena *arena;

	if (plan != NULL)
		return plan;
	arena = floe_arena_new(FLOE_AVRO_MAX_ARENA);
	if (arena == NULL)
	{
		fail_no_memory(st);
		return NULL;
	}
	plan = compile_plan(arena, file, content, st);
	if (plan == NULL)
		floe_arena_free(arena);
	else if (!floe_avro_cache_add(reader, &key, arena, plan))
	{
		fail_no_memory(st);
		return NULL;
	}
	return plan;
}

/* What the header says must agree with the row; it need not say it (format version 1). */
static bool
check_header(const FloeAvroFile *file, const FloeManifest *row, int32_t *version, FloeStatus *st)
{
	static const char *const contents[] = {"data", "deletes"};
	FloeSlice content = floe_avro_meta(file, "content");
	const char *expected = contents[row->content];
	int32_t spec_id;

	if (!floe_avro_meta_int(file, "format-version", 1, version, st) ||
		!floe_avro_meta_int(file, "partition-spec-id", row->spec_id, &spec_id, st))
		return false;
	if (*version > FLOE_MAX_FORMAT_VERSION)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "format version %d is not supported", *version);
	if (spec_id != row->spec_id)
		return floe_fail(st, FLOE_ERR_CORRUPT, "partition spec %d, but the manifest list says %d", spec_id,
						 row->spec_id);
	if (content.data != NULL && (content.len != strlen(expected) || memcmp(content.data, expected, content.len) != 0))
		return floe_fail(st, FLOE_ERR_CORRUPT, "its content is not \"%s\", as the manifest list says", expected);
	return true;
}

static bool
check_counts(const Reading *r, FloeStatus *st)
{
	const struct
	{
		FloeManifestKnown known;
		const char *name;
		int64_t expected, found;
	} counts[] = {
		{FLOE_MANIFEST_HAS_ADDED_FILES, "added", r->row->added_files, r->entries[ADDED]},
		{FLOE_MANIFEST_HAS_EXISTING_FILES, "existing", r->row->existing_files, r->entries[EXISTING]},
		{FLOE_MANIFEST_HAS_DELETED_FILES, "deleted", r->row->deleted_files, r->entries[DELETED]},
	};

	for (size_t i = 0; i < lengthof(counts); i++)
	{
		if ((r->row->known & counts[i].known) != 0 && counts[i].expected != counts[i].found)
			return floe_fail(st, FLOE_ERR_CORRUPT, "%lld %s files, but the manifest list says %lld",
							 (long long) counts[i].found, counts[i].name, (long long) counts[i].expected);
	}
	return true;
}

/* ---- the whole ---- */

static bool
read_manifest(FloeAvroReader *reader, const void *data, size_t len, const FloeAggOptions *options, Reading *r,
			  FloeBuf *blob, FloeStatus *st)
{
	const FloeManifest *row = r->row;
	FloeAvroFile file;
	int32_t version;

	if (row->encrypted)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "it is encrypted");
	if ((int64_t) len != row->length)
		return floe_fail(st, FLOE_ERR_CORRUPT, "%zu bytes long, but the manifest list says %lld", len,
						 (long long) row->length);
	if (!floe_avro_open(&file, data, len, st) || !check_header(&file, row, &version, st))
		return false;
	r->plan = get_plan(reader, &file, row->content, st);
	if (r->plan == NULL)
		return false;
	r->version_1 = version < 2 && !r->plan->program->present[SEQUENCE_NUMBER];
	r->builder = floe_agg_builder_new(r->arena, options, row->content, row->spec_id, r->plan->spec->unpartitioned);
	if (r->builder == NULL || !floe_hash_random_key(&r->hash_key))
		return fail_no_memory(st);
	floe_index_init(&r->tuple_index, r->arena);
	return floe_avro_scan(reader, &file, r->plan->program, read_entry, r, st) && check_counts(r, st) &&
		   floe_agg_finish(r->builder, r->entries[ADDED], r->entries[EXISTING], r->entries[DELETED], blob, st);
}

/* In messages a manifest goes by the last part of its path. */
static bool
name_manifest(const FloeManifest *row, FloeStatus *st)
{
	const char *slash = strrchr(row->path, '/');
	const char *name = slash != NULL ? slash + 1 : row->path;
	char shown[MAX_SHOWN_NAME];

	floe_copy_text(shown, sizeof(shown), name, strlen(name));
	return floe_status_prefix(st, "manifest \"%s\"", shown);
}

bool
floe_manifest_read(FloeAvroReader *reader, const void *data, size_t len, const FloeManifest *row,
				   const FloeAggOptions *options, FloeBuf *blob, FloeStatus *st)
{
	Reading r = {.row = row, .arena = floe_arena_new(MAX_MEMORY)};
	bool done;

	floe_buf_reset(blob);
	floe_buf_init(&r.tuples, FLOE_AGG_MAX_ENTRIES * sizeof(RawTuple));
	floe_buf_init(&r.text, FLOE_PARTITION_MAX_TEXT);
	if (r.arena == NULL)
		done = fail_no_memory(st);
	else
		done = read_manifest(reader, data, len, options, &r, blob, st);
	floe_agg_builder_free(r.builder);
	floe_buf_free(&r.tuples);
	floe_buf_free(&r.text);
	floe_arena_free(r.arena);
	if (!done)
	{
		floe_buf_reset(blob);
		return name_manifest(row, st);
	}
	return true;
}
