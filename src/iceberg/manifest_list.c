/*
 * manifest_list.c: reads manifest lists.
 */
#include "floe.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "iceberg/manifest_list.h"

#include <stdlib.h>
#include <string.h>

/* Positions in the array of wanted fields below, and so slots. */
enum
{
	PATH,
	LENGTH,
	SPEC_ID,
	CONTENT,
	SEQUENCE_NUMBER,
	MIN_SEQUENCE_NUMBER,
	SNAPSHOT_ID,
	ADDED_FILES,
	EXISTING_FILES,
	DELETED_FILES,
	ADDED_ROWS,
	EXISTING_ROWS,
	DELETED_ROWS,
	KEY_METADATA,
	FIRST_ROW_ID,
	NWANTED
};

#define INT_FIELD(field_id, field_name, is_required)                                                                   \
	{                                                                                                                  \
		.parent = FLOE_AVRO_ROOT, .id = field_id, .name = field_name, .want = FLOE_AVRO_WANT_INT,                      \
		.required = is_required                                                                                        \
	}

static const FloeAvroField wanted[NWANTED] = {
	[PATH] =
		{.parent = FLOE_AVRO_ROOT, .id = 500, .name = "manifest_path", .want = FLOE_AVRO_WANT_BYTES, .required = true},
	[LENGTH] = INT_FIELD(501, "manifest_length", true),
	[SPEC_ID] = INT_FIELD(502, "partition_spec_id", true),
	[CONTENT] = INT_FIELD(517, "content", false),
	[SEQUENCE_NUMBER] = INT_FIELD(515, "sequence_number", false),
	[MIN_SEQUENCE_NUMBER] = INT_FIELD(516, "min_sequence_number", false),
	[SNAPSHOT_ID] = INT_FIELD(503, "added_snapshot_id", false),
	[ADDED_FILES] = INT_FIELD(504, "added_files_count", false),
	[EXISTING_FILES] = INT_FIELD(505, "existing_files_count", false),
	[DELETED_FILES] = INT_FIELD(506, "deleted_files_count", false),
	[ADDED_ROWS] = INT_FIELD(512, "added_rows_count", false),
	[EXISTING_ROWS] = INT_FIELD(513, "existing_rows_count", false),
	[DELETED_ROWS] = INT_FIELD(514, "deleted_rows_count", false),
	[KEY_METADATA] = {.parent = FLOE_AVRO_ROOT, .id = 519, .name = "key_metadata", .want = FLOE_AVRO_WANT_BYTES},
	[FIRST_ROW_ID] = INT_FIELD(520, "first_row_id", false),
};

typedef struct Reading
{
	FloeArena *arena;
	FloeBuf manifests; /* of FloeManifest */
} Reading;

/* A number that must not be negative; 0 when it is null. */
static bool
take_count(const FloeAvroValue *values, int slot, int64_t *number, FloeStatus *st)
{
	*number = values[slot].set ? values[slot].num : 0;
	if (*number >= 0)
		return true;
	return floe_fail(st, FLOE_ERR_CORRUPT, "%s is %lld", wanted[slot].name, (long long) *number);
}

static bool
take_counts(const FloeAvroValue *values, FloeManifest *m, FloeStatus *st)
{
	const struct
	{
		int slot;
		int64_t *to;
		FloeManifestKnown known;
	} counts[] = {
		{LENGTH, &m->length, 0},
		{SEQUENCE_NUMBER, &m->sequence_number, 0},
		{MIN_SEQUENCE_NUMBER, &m->min_sequence_number, 0},
		{ADDED_FILES, &m->added_files, FLOE_MANIFEST_HAS_ADDED_FILES},
		{EXISTING_FILES, &m->existing_files, FLOE_MANIFEST_HAS_EXISTING_FILES},
		{DELETED_FILES, &m->deleted_files, FLOE_MANIFEST_HAS_DELETED_FILES},
		{ADDED_ROWS, &m->added_rows, FLOE_MANIFEST_HAS_ADDED_ROWS},
		{EXISTING_ROWS, &m->existing_rows, FLOE_MANIFEST_HAS_EXISTING_ROWS},
		{DELETED_ROWS, &m->deleted_rows, FLOE_MANIFEST_HAS_DELETED_ROWS},
		{FIRST_ROW_ID, &m->first_row_id, FLOE_MANIFEST_HAS_FIRST_ROW_ID},
	};

	for (size_t i = 0; i < lengthof(counts); i++)
	{
		if (!take_count(values, counts[i].slot, counts[i].to, st))
			return false;
		if (values[counts[i].slot].set)
			m->known |= counts[i].known;
	}
	return true;
}

static bool
read_row(void *context, const FloeAvroValue *values, FloeStatus *st)
{
	Reading *r = context;
	FloeManifest m = {0};
	const FloeAvroValue *path = &values[PATH];
	int64_t spec_id, content;

	if (r->manifests.len / sizeof(m) >= FLOE_MANIFEST_LIST_MAX)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "more than %d manifests", FLOE_MANIFEST_LIST_MAX);
	if (path->num == 0 || path->num > FLOE_MANIFEST_MAX_PATH ||
		!floe_utf8_is_valid((const char *) path->data, (size_t) path->num))
		return floe_fail(st, FLOE_ERR_CORRUPT, "manifest_path is empty, too long or not UTF-8");
	if (!take_counts(values, &m, st) || !take_count(values, SPEC_ID, &spec_id, st) ||
		!take_count(values, CONTENT, &content, st))
		return false;
	if (m.length == 0 || spec_id > INT32_MAX || content > FLOE_MANIFEST_DELETES)
		return floe_fail(st, FLOE_ERR_CORRUPT,
						 "manifest_length %lld, partition_spec_id %lld or content %lld is invalid",
						 (long long) m.length, (long long) spec_id, (long long) content);
	m.path = floe_arena_text(r->arena, (const char *) path->data, (size_t) path->num);
	m.spec_id = (int32_t) spec_id;
	m.content = (FloeManifestContent) content;
	m.added_snapshot_id = values[SNAPSHOT_ID].set ? values[SNAPSHOT_ID].num : 0;
	m.known |= values[SNAPSHOT_ID].set ? FLOE_MANIFEST_HAS_SNAPSHOT_ID : 0;
	m.encrypted = values[KEY_METADATA].set && values[KEY_METADATA].num > 0;
	if (m.path == NULL || !floe_buf_append(&r->manifests, &m, sizeof(m)))
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the manifests of a snapshot");
	return true;
}

/* By hash, so that long common prefixes of paths cost nothing. */
static bool
check_duplicates(const FloeManifestList *list, FloeArena *arena, FloeStatus *st)
{
	FloeHashKey key;
	FloeIndex index;

	floe_index_init(&index, arena);
	if (!floe_hash_random_key(&key))
		return floe_fail(st, FLOE_ERR_INTERNAL, "no random numbers");
	for (uint32_t i = 0; i < list->count; i++)
	{
		const char *path = list->manifests[i].path;
		uint64_t hash = floe_hash_bytes(&key, path, strlen(path));
		uint32_t probe = 0, other;

		while (floe_index_next(&index, hash, &probe, &other))
			if (strcmp(list->manifests[other].path, path) == 0)
				return floe_fail(st, FLOE_ERR_CORRUPT, "row %u lists the same manifest as row %u", i + 1, other + 1);
		if (!floe_index_add(&index, hash, i))
			return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the manifests of a snapshot");
	}
	return true;
}

/* The compiled schema; from the reader's cache when it was seen before. */
static const FloeAvroProgram *
get_program(FloeAvroReader *reader, const FloeAvroFile *file, FloeStatus *st)
{
	static const uint8_t kind[] = "manifest list";
	FloeSlice schema = floe_avro_meta(file, "avro.schema");
	FloeAvroCacheKey key = {.part = {{kind, sizeof(kind)}, schema}};
	const FloeAvroProgram *program = floe_avro_cache_find(reader, &key);
	FloeArena *arena;

	if (program != NULL)
		return program;
	if (schema.data == NULL)
	{
		floe_fail(st, FLOE_ERR_CORRUPT, "the header has no avro.schema");
		return NULL;
	}
	arena = floe_arena_new(FLOE_AVRO_MAX_ARENA);
	if (arena != NULL)
		program = floe_avro_compile(arena, schema.data, schema.len, wanted, NWANTED, st);
	else
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory for an Avro schema");
	if (program == NULL)
		floe_arena_free(arena);
	else if (!floe_avro_cache_add(reader, &key, arena, program))
	{
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory for an Avro schema");
		return NULL;
	}
	return program;
}

/* What format version 1 leaves out must be there from version 2 on. */
static bool
check_version(const FloeAvroFile *file, const FloeAvroProgram *program, FloeStatus *st)
{
	int32_t version;

	if (!floe_avro_meta_int(file, "format-version", 1, &version, st))
		return false;
	if (version > FLOE_MAX_FORMAT_VERSION)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "format version %d is not supported", version);
	if (version > 1 && !(program->present[CONTENT] && program->present[SEQUENCE_NUMBER]))
		return floe_fail(st, FLOE_ERR_CORRUPT,
						 "content or sequence_number is missing, which format version %d requires", version);
	return true;
}

static bool
read_list(FloeAvroReader *reader, const void *data, size_t len, Reading *r, FloeManifestList *list, FloeStatus *st)
{
	FloeAvroFile file;
	const FloeAvroProgram *program;

	if (!floe_avro_open(&file, data, len, st))
		return false;
	program = get_program(reader, &file, st);
	if (program == NULL || !check_version(&file, program, st) ||
		!floe_avro_scan(reader, &file, program, read_row, r, st))
		return false;
	list->manifests = floe_arena_alloc(r->arena, r->manifests.len);
	if (list->manifests == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the manifests of a snapshot");
	if (r->manifests.len > 0)
		memcpy(list->manifests, r->manifests.data, r->manifests.len);
	list->count = (uint32_t) (r->manifests.len / sizeof(FloeManifest));
	return check_duplicates(list, r->arena, st);
}

bool
floe_manifest_list_read(FloeAvroReader *reader, const void *data, size_t len, FloeArena *arena, FloeManifestList *list,
						FloeStatus *st)
{
	Reading r = {.arena = arena};
	bool done;

	memset(list, 0, sizeof(*list));
	floe_buf_init(&r.manifests, FLOE_MANIFEST_LIST_MAX * sizeof(FloeManifest));
	done = read_list(reader, data, len, &r, list, st);
	floe_buf_free(&r.manifests);
	if (!done)
	{
		memset(list, 0, sizeof(*list));
		return floe_status_prefix(st, "manifest list");
	}
	return true;
}
