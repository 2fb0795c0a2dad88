/*
 * test_manifest_damage.c: manifests and manifest lists that are wrong in one respect.
 *
 * Each must be refused as a whole, with a reason, without output and without
 * a leak.
 */
#include "floe.h"

#include "avro_build.h"
#include "avro_fixture.h"

static FloeAvroReader *avro;

/* ---- files of others, cut and changed ---- */

static bool
read_list(const char *data, size_t len, FloeStatus *st)
{
	FloeArena *arena = floe_arena_new(1024 * 1024);
	char *copy = malloc(len > 0 ? len : 1);
	FloeManifestList list;
	bool done;

	memcpy(copy, data, len);
	done = floe_manifest_list_read(avro, copy, len, arena, &list, st);
	if (!done && (list.count > 0 || list.manifests != NULL))
		ok(false, "a list that is refused has rows");
	free(copy);
	floe_arena_free(arena);
	return done;
}

static bool
read_manifest(const char *data, size_t len, const FloeManifest *row, FloeStatus *st)
{
	FloeAggOptions options = {.bounds = {100, 200}, .keep_paths = true};
	char *copy = malloc(len > 0 ? len : 1);
	FloeBuf blob;
	bool done;

	memcpy(copy, data, len);
	floe_buf_init(&blob, 1024 * 1024);
	floe_buf_text(&blob, "what was there before");
	done = floe_manifest_read(avro, copy, len, row, &options, &blob, st);
	if (done != (blob.len > 0))
		ok(false, "a manifest that is refused leaves something behind");
	floe_buf_free(&blob);
	free(copy);
	return done;
}

static void
test_cuts(const char *table, const char *name, const FloeManifest *row)
{
	Bytes bytes = read_fixture(table, name);
	int accepted = 0, wrong_code = 0;
	FloeStatus st;

	for (size_t cut = 0; cut < bytes.len; cut++)
	{
		FloeManifest cut_row = row != NULL ? *row : (FloeManifest){0};

		/* the length is made to fit, or nothing but the length would be tested */
		cut_row.length = (int64_t) cut;
		if (row != NULL ? read_manifest(bytes.data, cut, &cut_row, &st) : read_list(bytes.data, cut, &st))
			accepted++;
		else
			wrong_code += st.code != FLOE_ERR_CORRUPT;
	}
	/* a list does not say how many rows it has: cut behind the header it is an empty one */
	is_int(accepted, row != NULL ? 0 : 1, "%s/%s: cuts that are accepted", table, name);
	is_int(wrong_code, 0, "%s/%s: every other cut is corruption", table, name);
	free(bytes.data);
}

static void
test_changes(const char *table, const char *name, const FloeManifest *row)
{
	Bytes bytes = read_fixture(table, name);
	int refused = 0, internal = 0;
	FloeStatus st;

	for (size_t at = 0; at < bytes.len; at++)
	{
		static const char changes[] = {0x01, 0x7f, (char) 0x80, (char) 0xff};
		char change = changes[at % sizeof(changes)];

		bytes.data[at] ^= change;
		if (!(row != NULL ? read_manifest(bytes.data, bytes.len, row, &st) : read_list(bytes.data, bytes.len, &st)))
		{
			refused++;
			internal += st.code != FLOE_ERR_CORRUPT && st.code != FLOE_ERR_UNSUPPORTED && st.code != FLOE_ERR_TOO_LARGE;
		}
		bytes.data[at] ^= change;
	}
	ok(refused > 100, "%s/%s: changed bytes are noticed (%d times)", table, name, refused);
	is_int(internal, 0, "%s/%s: and called what they are", table, name);
	free(bytes.data);
}

static void
test_fixtures(void)
{
	static const char *const tables[] = {"v1", "deletes", "vectors"};

	for (size_t i = 0; i < lengthof(tables); i++)
	{
		Bytes bytes = read_fixture(tables[i], "list.avro");
		FloeArena *arena = floe_arena_new(1024 * 1024);
		FloeManifestList list;
		FloeStatus st;

		test_cuts(tables[i], "list.avro", NULL);
		test_changes(tables[i], "list.avro", NULL);
		went_well(floe_manifest_list_read(avro, bytes.data, bytes.len, arena, &list, &st), &st, tables[i], "list");
		for (uint32_t m = 0; m < list.count; m++)
		{
			/* without counts to check, only the bytes can tell */
			if (list.manifests[m].known == FLOE_MANIFEST_HAS_SNAPSHOT_ID)
				continue;
			test_cuts(tables[i], file_name(list.manifests[m].path), &list.manifests[m]);
			test_changes(tables[i], file_name(list.manifests[m].path), &list.manifests[m]);
		}
		floe_arena_free(arena);
		free(bytes.data);
	}
}

/* ---- manifests by hand ---- */

/* Everything that a case can change; the defaults make a good delete manifest of one entry. */
typedef struct ManifestCase
{
	const char *name;
	FloeCode code;
	const char *schema;                      /* the whole Avro schema */
	const char *spec;                        /* "partition-spec" */
	const char *content, *spec_id, *version; /* of the header; "" leaves it out */
	int64_t status, file_content, records, size;
	bool no_sequence_field, no_sequence, no_path, no_reference, no_part_size;
	int64_t sequence, part_size;
	const char *format;
	/* of the row */
	FloeManifest row;
} ManifestCase;

#define F(id, type) "{\"name\":\"f" #id "\",\"field-id\":" #id ",\"type\":" type "}"
#define REC(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define INT "\"int\""
#define LONG "\"long\""
#define TEXT "\"string\""
#define OPT(type) "[\"null\"," type "]"

#define CONTENT_AND_PATH F(134, INT) "," F(100, TEXT)
#define FORMAT_AND_TUPLE F(101, TEXT) "," F(102, REC("r102", ""))
#define COUNTS F(103, LONG) "," F(104, LONG)
#define VECTOR F(143, OPT(TEXT)) "," F(145, OPT(LONG))
#define FILE_FIELDS CONTENT_AND_PATH "," FORMAT_AND_TUPLE "," COUNTS "," VECTOR

#define SEQUENCE F(3, OPT(LONG)) ","
#define ENTRY(sequence, fields) REC("entry", F(0, INT) "," F(1, OPT(LONG)) "," sequence F(2, REC("r2", fields)))

static const ManifestCase good_manifest = {
	.name = "nothing",
	.code = FLOE_OK,
	.schema = ENTRY(SEQUENCE, FILE_FIELDS),
	.spec = "[]",
	.content = "deletes",
	.spec_id = "4",
	.version = "3",
	.status = 1,
	.file_content = 1,
	.records = 10,
	.size = 1000,
	.sequence = 5,
	.part_size = 40,
	.format = "puffin",
	.row = {.path = "s3://b/metadata/bad-m0.avro",
			.spec_id = 4,
			.content = FLOE_MANIFEST_DELETES,
			.sequence_number = 5,
			.added_snapshot_id = 77,
			.known = FLOE_MANIFEST_HAS_SNAPSHOT_ID | FLOE_MANIFEST_HAS_ADDED_FILES | FLOE_MANIFEST_HAS_EXISTING_FILES |
					 FLOE_MANIFEST_HAS_DELETED_FILES,
			.added_files = 1},
};

static void
put_meta(FloeBuf *out, const char *key, const char *value)
{
	if (value[0] == '\0')
		return;
	put_long(out, 1);
	put_string(out, key);
	put_string(out, value);
}

static void
put_optional(FloeBuf *out, bool null)
{
	put_long(out, null ? 0 : 1);
}

static void
put_manifest(FloeBuf *out, const ManifestCase *c)
{
	FloeBuf row;

	floe_buf_init(&row, 10000);
	put_long(&row, c->status);
	put_optional(&row, true);
	if (!c->no_sequence_field)
		put_optional(&row, c->no_sequence);
	if (!c->no_sequence_field && !c->no_sequence)
		put_long(&row, c->sequence);
	put_long(&row, c->file_content);
	put_string(&row, c->no_path ? "" : "s3://b/data/x.puffin");
	put_string(&row, c->format);
	put_long(&row, c->records);
	put_long(&row, c->size);
	put_optional(&row, c->no_reference);
	if (!c->no_reference)
		put_string(&row, "s3://b/data/y.parquet");
	put_optional(&row, c->no_part_size);
	if (!c->no_part_size)
		put_long(&row, c->part_size);

	floe_buf_reset(out);
	floe_buf_append(out, "Obj\x01", 4);
	put_meta(out, "avro.schema", c->schema);
	put_meta(out, "partition-spec", c->spec);
	put_meta(out, "content", c->content);
	put_meta(out, "partition-spec-id", c->spec_id);
	put_meta(out, "format-version", c->version);
	put_long(out, 0);
	floe_buf_append(out, SYNC, 16);
	put_block(out, 1, row.data, row.len);
	floe_buf_free(&row);
}

/* A case is the good manifest with one thing changed: "c." is that case. */
#define CASE(case_name, case_code, ...)                                                                                \
	do                                                                                                                 \
	{                                                                                                                  \
		ManifestCase c = good_manifest;                                                                                \
		c.name = (case_name);                                                                                          \
		c.code = (case_code);                                                                                          \
		__VA_ARGS__;                                                                                                   \
		check_manifest(&c);                                                                                            \
	} while (0)

static void
check_manifest(const ManifestCase *c)
{
	FloeManifest row = c->row;
	FloeBuf file;
	FloeStatus st;
	bool done;

	floe_buf_init(&file, 100000);
	put_manifest(&file, c);
	row.length += (int64_t) file.len;
	floe_status_ok(&st);
	done = read_manifest(file.data, file.len, &row, &st);
	ok(done == (c->code == FLOE_OK) && (done || st.code == c->code), "%s: %s", c->name, floe_code_name(c->code));
	if (!done)
	{
		printf("#   %s\n", st.message);
		ok(strncmp(st.message, "manifest \"bad-m0.avro\": ", 24) == 0, "%s: the manifest is named", c->name);
	}
	floe_buf_free(&file);
}

#define COUNTS_UNKNOWN FLOE_MANIFEST_HAS_SNAPSHOT_ID

static void
test_wrong_manifests(void)
{
	static const char no_size[] = ENTRY(SEQUENCE, CONTENT_AND_PATH);
	static const char no_sequence[] = ENTRY("", FILE_FIELDS);
	static const char no_ids[] = REC("entry", "{\"name\":\"status\",\"type\":\"int\"}");

	CASE("a good manifest", FLOE_OK, (void) c);
	CASE("counts the list does not know", FLOE_OK, c.row.added_files = 9; c.row.known = COUNTS_UNKNOWN);
	CASE("a header that says nothing", FLOE_OK, c.content = c.spec_id = c.version = "");
	CASE("a sequence number that is inherited", FLOE_OK, c.no_sequence = true);
	CASE("position deletes of one file", FLOE_OK, c.format = "PARQUET"; c.no_part_size = true);
	CASE("equality deletes", FLOE_OK, c.file_content = 2; c.format = "orc"; c.no_reference = c.no_part_size = true);

	CASE("another length", FLOE_ERR_CORRUPT, c.row.length = 1);
	CASE("encrypted", FLOE_ERR_UNSUPPORTED, c.row.encrypted = true);
	CASE("another content in the header", FLOE_ERR_CORRUPT, c.content = "data");
	CASE("data where the list says deletes", FLOE_ERR_CORRUPT, c.file_content = 0);
	CASE("deletes where the list says data", FLOE_ERR_CORRUPT, c.row.content = FLOE_MANIFEST_DATA; c.content = "data");
	CASE("another partition spec", FLOE_ERR_CORRUPT, c.spec_id = "5");
	CASE("a partition spec that is no number", FLOE_ERR_CORRUPT, c.spec_id = "4x");
	CASE("a format version of the future", FLOE_ERR_UNSUPPORTED, c.version = "4");
	CASE("no schema", FLOE_ERR_CORRUPT, c.schema = "");
	CASE("a schema without sizes", FLOE_ERR_CORRUPT, c.schema = no_size);
	CASE("a schema without field ids", FLOE_ERR_CORRUPT, c.schema = no_ids);
	CASE("a schema that is not JSON", FLOE_ERR_CORRUPT, c.schema = "{");
	CASE("a spec that is not JSON", FLOE_ERR_CORRUPT, c.spec = "{");
	CASE("more added files than listed", FLOE_ERR_CORRUPT, c.row.added_files = 0);
	CASE("fewer added files than listed", FLOE_ERR_CORRUPT, c.row.added_files = 2);
	CASE("fewer existing files than listed", FLOE_ERR_CORRUPT, c.row.existing_files = 1);
	CASE("fewer deleted files than listed", FLOE_ERR_CORRUPT, c.row.deleted_files = 1);
	CASE("a status that does not exist", FLOE_ERR_CORRUPT, c.status = 3);
	CASE("a negative status", FLOE_ERR_CORRUPT, c.status = -1);
	CASE("a content that does not exist", FLOE_ERR_CORRUPT, c.file_content = 3);
	CASE("an empty path", FLOE_ERR_CORRUPT, c.no_path = true);
	CASE("a negative record count", FLOE_ERR_CORRUPT, c.records = -1);
	CASE("a negative size", FLOE_ERR_CORRUPT, c.size = -1);
	CASE("a negative sequence number", FLOE_ERR_CORRUPT, c.sequence = -1);
	CASE("an existing entry without sequence number", FLOE_ERR_CORRUPT, c.no_sequence = true; c.status = 0;
		 c.row.known = COUNTS_UNKNOWN);
	CASE("an existing entry without sequence number in a manifest of number 0", FLOE_OK, c.no_sequence = true;
		 c.status = 0; c.row.known = COUNTS_UNKNOWN; c.row.sequence_number = 0);
	CASE("an existing entry of format version 1, which has no sequence numbers", FLOE_OK, c.no_sequence_field = true;
		 c.schema = no_sequence; c.version = ""; c.status = 0; c.row.known = COUNTS_UNKNOWN);
	CASE("the same in version 2", FLOE_ERR_CORRUPT, c.no_sequence_field = true; c.schema = no_sequence; c.version = "2";
		 c.status = 0; c.row.known = COUNTS_UNKNOWN);
	CASE("a deleted entry without sequence number", FLOE_OK, c.no_sequence = true; c.status = 2;
		 c.row.known = COUNTS_UNKNOWN);
	CASE("a deletion vector without its data file", FLOE_ERR_CORRUPT, c.no_reference = true);
	CASE("a deletion vector without its size", FLOE_ERR_CORRUPT, c.no_part_size = true);
	CASE("a deletion vector of negative size", FLOE_ERR_CORRUPT, c.part_size = -1);
}

/* ---- manifest lists by hand ---- */

#define LIST_FIELDS F(500, TEXT) "," F(501, LONG) "," F(502, INT)
#define VERSION_2_FIELDS "," F(517, INT) "," F(515, LONG)
#define LIST(more) REC("file", LIST_FIELDS VERSION_2_FIELDS "," F(504, OPT(INT)) more)

typedef struct ListRow
{
	const char *path;
	int64_t length, spec, content, sequence, added;
} ListRow;

static const struct
{
	const char *name;
	FloeCode code;
	const char *schema;
	ListRow rows[2]; /* the second one if it has a path */
} lists[] = {
	{"a good list", FLOE_OK, LIST(""), {{"a", 1, 0, 0, 0, 0}, {"b", 1, 0, 1, 7, 3}}},
	{"a path twice", FLOE_ERR_CORRUPT, LIST(""), {{"a", 1, 0, 0, 0, 0}, {"a", 1, 0, 1, 7, 3}}},
	{"an empty path", FLOE_ERR_CORRUPT, LIST(""), {{"", 1, 0, 0, 0, 0}}},
	{"a path that is not UTF-8", FLOE_ERR_CORRUPT, LIST(""), {{"\xff", 1, 0, 0, 0, 0}}},
	{"a length of zero", FLOE_ERR_CORRUPT, LIST(""), {{"a", 0, 0, 0, 0, 0}}},
	{"a negative length", FLOE_ERR_CORRUPT, LIST(""), {{"a", -1, 0, 0, 0, 0}}},
	{"a negative spec id", FLOE_ERR_CORRUPT, LIST(""), {{"a", 1, -1, 0, 0, 0}}},
	{"a content that does not exist", FLOE_ERR_CORRUPT, LIST(""), {{"a", 1, 0, 2, 0, 0}}},
	{"a negative content", FLOE_ERR_CORRUPT, LIST(""), {{"a", 1, 0, -1, 0, 0}}},
	{"a negative sequence number", FLOE_ERR_CORRUPT, LIST(""), {{"a", 1, 0, 0, -1, 0}}},
	{"a negative count", FLOE_ERR_CORRUPT, LIST(""), {{"a", 1, 0, 0, 0, -1}}},
	{"a schema without paths", FLOE_ERR_CORRUPT, REC("file", ""), {{"a"}}},
	{"a schema whose count is text", FLOE_ERR_CORRUPT, LIST("," F(505, TEXT)), {{"a", 1}}},
};

static void
test_wrong_lists(void)
{
	FloeBuf file, rows;
	FloeStatus st;

	floe_buf_init(&file, 100000);
	floe_buf_init(&rows, 100000);
	for (size_t i = 0; i < lengthof(lists); i++)
	{
		int count = 0;
		bool done;

		floe_buf_reset(&file);
		floe_buf_reset(&rows);
		for (; count < 2 && (count == 0 || lists[i].rows[count].path != NULL); count++)
		{
			const ListRow *r = &lists[i].rows[count];

			put_string(&rows, r->path);
			put_long(&rows, r->length);
			put_long(&rows, r->spec);
			put_long(&rows, r->content);
			put_long(&rows, r->sequence);
			put_optional(&rows, false);
			put_long(&rows, r->added);
		}
		put_header(&file, lists[i].schema);
		put_block(&file, count, rows.data, rows.len);
		floe_status_ok(&st);
		done = read_list(file.data, file.len, &st);
		ok(done == (lists[i].code == FLOE_OK) && st.code == lists[i].code, "%s: %s", lists[i].name,
		   floe_code_name(lists[i].code));
		if (!done)
			ok(strncmp(st.message, "manifest list: ", 15) == 0, "%s: %s", lists[i].name, st.message);
	}
	floe_buf_free(&file);
	floe_buf_free(&rows);
}

/* What version 1 may leave out, and what no version has. */
static void
test_list_versions(void)
{
	static const char version_1[] = REC("file", LIST_FIELDS);
	static const struct
	{
		const char *version;
		FloeCode code;
	} cases[] = {
		{"1", FLOE_OK}, {"", FLOE_OK}, {"2", FLOE_ERR_CORRUPT}, {"3", FLOE_ERR_CORRUPT}, {"4", FLOE_ERR_UNSUPPORTED}};
	FloeBuf file;
	FloeStatus st;

	floe_buf_init(&file, 10000);
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		floe_buf_reset(&file);
		floe_buf_append(&file, "Obj\x01", 4);
		put_meta(&file, "avro.schema", version_1);
		put_meta(&file, "format-version", cases[i].version);
		put_long(&file, 0);
		floe_buf_append(&file, SYNC, 16);
		floe_status_ok(&st);
		ok(read_list(file.data, file.len, &st) == (cases[i].code == FLOE_OK) && st.code == cases[i].code,
		   "a list without sequence numbers in version \"%s\": %s", cases[i].version, floe_code_name(cases[i].code));
	}
	floe_buf_free(&file);
}

int
main(void)
{
	avro = floe_avro_reader_new(&floe_avro_default_limits);
	test_wrong_manifests();
	test_wrong_lists();
	test_list_versions();
	test_fixtures();
	floe_avro_reader_free(avro);
	return tap_done();
}
