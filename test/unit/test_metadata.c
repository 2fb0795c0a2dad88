/*
 * test_metadata.c: table metadata and loadTable answers, read from fixtures.
 *
 * test/fixtures/metadata holds files written by hand and by pyiceberg; what
 * they say was read by Python's json into *.expected.  Here also: every way to
 * cut a document, gzip, limits and large tables.  test_metadata_rules.c has
 * what must be refused.
 */
#include "floe.h"

#include "metadata_dump.h"
#include "tap.h"

#include <stdlib.h>
#include <zlib.h>

#define FIXTURES "test/fixtures/metadata/"

static FloeBuf
read_file(const char *name, const char *suffix)
{
	char path[200];
	FloeBuf buf;
	FILE *file;
	size_t got;

	floe_buf_init(&buf, 1000000);
	snprintf(path, sizeof(path), FIXTURES "%s%s", name, suffix);
	file = fopen(path, "rb");
	ok(file != NULL, "open %s", path);
	if (file == NULL)
		exit(1);
	got = fread(floe_buf_reserve(&buf, 100000), 1, 100000, file);
	buf.len = got;
	buf.data[got] = '\0';
	fclose(file);
	return buf;
}

/* Parses in pieces of `step` bytes, the first one of `first`; each a copy, so that a read beyond it is seen. */
static const FloeTableMeta *
parse_pieces(FloeArena *arena, FloeMetaRoot root, const FloeMetaLimits *limits, const void *data, size_t len,
			 size_t first, size_t step, FloeStatus *st)
{
	FloeMetaParser *parser;
	const FloeTableMeta *meta;
	size_t size;

	floe_arena_reset(arena);
	parser = floe_meta_parser_new(arena, root, limits);
	if (parser == NULL)
	{
		floe_fail(st, FLOE_ERR_TOO_LARGE, "no parser");
		return NULL;
	}
	for (size_t at = 0; at < len; at += size)
	{
		char *copy;
		bool fed;

		size = Min(at == 0 ? first : step, len - at);
		copy = malloc(size);
		memcpy(copy, (const char *) data + at, size);
		fed = floe_meta_parser_feed(parser, copy, size, st);
		free(copy);
		if (!fed)
			return NULL;
	}
	return floe_meta_parser_finish(parser, &meta, st) ? meta : NULL;
}

static const FloeTableMeta *
parse(FloeArena *arena, FloeMetaRoot root, const FloeBuf *doc, FloeStatus *st)
{
	return parse_pieces(arena, root, &floe_meta_default_limits, doc->data, doc->len, doc->len, doc->len, st);
}

static bool
dumps_as(const FloeTableMeta *meta, const char *expected)
{
	FloeBuf out;
	bool same;

	if (meta == NULL)
		return false;
	floe_buf_init(&out, 1000000);
	dump_meta(&out, meta);
	same = strcmp(out.data, expected) == 0;
	floe_buf_free(&out);
	return same;
}

static const struct
{
	const char *name;
	FloeMetaRoot root;
} fixtures[] = {
	{"v1.metadata", FLOE_META_FILE},           {"v1-empty.metadata", FLOE_META_FILE},
	{"v2.metadata", FLOE_META_FILE},           {"v3.metadata", FLOE_META_FILE},
	{"pyiceberg-v1.metadata", FLOE_META_FILE}, {"pyiceberg-v2.metadata", FLOE_META_FILE},
	{"load-result", FLOE_META_LOAD_RESULT},
};

static void
test_fixtures(FloeArena *arena)
{
	for (size_t i = 0; i < lengthof(fixtures); i++)
	{
		FloeBuf doc = read_file(fixtures[i].name, ".json");
		FloeBuf expected = read_file(fixtures[i].name, ".expected");
		const FloeTableMeta *meta;
		FloeStatus st;
		FloeBuf out;
		int wrong = 0;

		floe_status_ok(&st);
		meta = parse(arena, fixtures[i].root, &doc, &st);
		is_str(st.message, "", "%s is read", fixtures[i].name);
		floe_buf_init(&out, 1000000);
		if (meta != NULL)
			dump_meta(&out, meta);
		is_str(out.data, expected.data, "%s says what Python reads", fixtures[i].name);
		floe_buf_free(&out);

		for (size_t cut = 1; cut < doc.len; cut++)
		{
			meta =
				parse_pieces(arena, fixtures[i].root, &floe_meta_default_limits, doc.data, doc.len, cut, doc.len, &st);
			wrong += !dumps_as(meta, expected.data);
		}
		is_int(wrong, 0, "cut in two at every place");
		for (size_t step = 1; step < 40; step++)
		{
			meta = parse_pieces(arena, fixtures[i].root, &floe_meta_default_limits, doc.data, doc.len, step, step, &st);
			wrong += !dumps_as(meta, expected.data);
		}
		is_int(wrong, 0, "cut into pieces of 1 to 39 bytes");
		wrong = 0;
		for (size_t len = 0; len < doc.len - 2; len += 1 + len / 50)
			wrong +=
				parse_pieces(arena, fixtures[i].root, &floe_meta_default_limits, doc.data, len, len, len, &st) != NULL;
		is_int(wrong, 0, "never accepted when the end is missing");
		floe_buf_free(&doc);
		floe_buf_free(&expected);
	}
}

static void
test_lookups(FloeArena *arena)
{
	FloeBuf doc = read_file("v2.metadata", ".json");
	FloeStatus st;
	const FloeTableMeta *meta = parse(arena, FLOE_META_FILE, &doc, &st);

	is_str(floe_meta_property(&meta->properties, "gc.enabled"), "true", "a property");
	is_str(floe_meta_property(&meta->properties, ""), "empty name", "the one without a name");
	is_str(floe_meta_property(&meta->properties, "gc.enable"), NULL, "no such property");
	is_str(floe_meta_field_type(meta, 1), "long", "type in the current schema");
	is_str(floe_meta_field_type(meta, 4), "string", "type of a dropped column");
	is_str(floe_meta_field_type(meta, 13), NULL, "no such column");
	is_int(floe_meta_spec(meta, 1)->count, 2, "a spec");
	ok(floe_meta_spec(meta, 2) == NULL, "no such spec");
	is_int(meta->current, 1, "index of the current snapshot");
	is_int(meta->lineage.parent[1], 0, "its parent");
	is_int(meta->lineage.parent[2], -1, "a parent that is not there");
	is_int(meta->json_bytes, doc.len - 1, "bytes of the metadata");
	floe_buf_free(&doc);

	doc = read_file("load-result", ".json");
	meta = parse(arena, FLOE_META_LOAD_RESULT, &doc, &st);
	is_int(meta->json_bytes, strstr(doc.data, ",\"storage-credentials\"") - strstr(doc.data, "{\n \"format-version\""),
		   "bytes of the metadata inside an answer");
	is_str(floe_meta_property(&meta->load.config, "token"), "secret", "a value of config");
	floe_buf_free(&doc);
}

/* ----------------------------------------------------------------------- gzip */

/* Appends one gzip member. */
static void
gzip(FloeBuf *out, const void *data, size_t len)
{
	z_stream stream = {0};
	size_t room = len + 1000;

	if (deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		exit(1);
	stream.next_in = (Bytef *) data;
	stream.avail_in = (uInt) len;
	stream.next_out = (Bytef *) floe_buf_reserve(out, room);
	stream.avail_out = (uInt) room;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		exit(1);
	out->len += room - stream.avail_out;
	deflateEnd(&stream);
}

static bool
refused(FloeArena *arena, const FloeBuf *zipped, FloeCode code, const char *message)
{
	FloeStatus st;
	const FloeTableMeta *meta = parse(arena, FLOE_META_FILE, zipped, &st);

	if (meta != NULL || st.code != code || strcmp(st.message, message) != 0)
		printf("# %s: %s\n", meta != NULL ? "accepted" : floe_code_name(st.code), st.message);
	return meta == NULL && st.code == code && strcmp(st.message, message) == 0;
}

static void
test_gzip(FloeArena *arena)
{
	FloeBuf doc = read_file("pyiceberg-v2.metadata", ".json");
	FloeBuf expected = read_file("pyiceberg-v2.metadata", ".expected");
	FloeBuf zipped;
	FloeStatus st;
	int wrong = 0;

	floe_buf_init(&zipped, 1000000);
	gzip(&zipped, doc.data, doc.len);
	ok(dumps_as(parse(arena, FLOE_META_FILE, &zipped, &st), expected.data), "gzip'ed metadata");
	for (size_t step = 1; step < 30; step++)
		wrong += !dumps_as(
			parse_pieces(arena, FLOE_META_FILE, &floe_meta_default_limits, zipped.data, zipped.len, step, step, &st),
			expected.data);
	is_int(wrong, 0, "in pieces");
	wrong = 0;
	for (size_t len = 1; len < zipped.len; len++)
	{
		wrong +=
			parse_pieces(arena, FLOE_META_FILE, &floe_meta_default_limits, zipped.data, len, len, len, &st) != NULL ||
			st.code != FLOE_ERR_CORRUPT;
	}
	is_int(wrong, 0, "cut short");
	zipped.data[zipped.len / 2] ^= 0x10;
	ok(parse(arena, FLOE_META_FILE, &zipped, &st) == NULL && st.code == FLOE_ERR_CORRUPT, "damaged");
	zipped.data[zipped.len / 2] ^= 0x10;
	zipped.data[zipped.len - 6] ^= 1;
	ok(refused(arena, &zipped, FLOE_ERR_CORRUPT, "table metadata: invalid gzip data: incorrect data check"),
	   "a wrong checksum");
	zipped.data[zipped.len - 6] ^= 1;
	floe_buf_text(&zipped, "{}");
	ok(refused(arena, &zipped, FLOE_ERR_CORRUPT, "table metadata: invalid gzip data: incorrect header check"),
	   "bytes behind the end");

	floe_buf_reset(&zipped);
	gzip(&zipped, doc.data, 1000);
	gzip(&zipped, "", 0);
	gzip(&zipped, doc.data + 1000, doc.len - 1000);
	wrong = 0;
	for (size_t cut = 1; cut < zipped.len; cut++)
		wrong += !dumps_as(parse_pieces(arena, FLOE_META_FILE, &floe_meta_default_limits, zipped.data, zipped.len, cut,
										zipped.len, &st),
						   expected.data);
	is_int(wrong, 0, "three members, cut at every place");

	floe_buf_reset(&zipped);
	gzip(&zipped, "{\"format-version\":4}", 20);
	ok(refused(arena, &zipped, FLOE_ERR_UNSUPPORTED, "table uses format version 4, floe reads 1 to 3"),
	   "what is inside is judged");
	floe_buf_reset(&zipped);
	gzip(&zipped, zipped.data, 0);
	ok(refused(arena, &zipped, FLOE_ERR_CORRUPT, "table metadata: invalid JSON at byte 0: it ends too early"),
	   "nothing inside");
	floe_buf_free(&zipped);
	floe_buf_free(&doc);
	floe_buf_free(&expected);
}

static void
test_bomb(void)
{
	FloeArena *arena = floe_arena_new(200000);
	FloeMetaLimits limits = floe_meta_default_limits;
	char *blanks = malloc(10000000);
	FloeBuf zipped;
	FloeStatus st;

	memset(blanks, ' ', 10000000);
	floe_buf_init(&zipped, 11000000);
	gzip(&zipped, blanks, 10000000);
	free(blanks);
	limits.json_bytes = 1000000;
	ok(parse_pieces(arena, FLOE_META_FILE, &limits, zipped.data, zipped.len, zipped.len, zipped.len, &st) == NULL &&
		   st.code == FLOE_ERR_TOO_LARGE,
	   "a bomb ends at the limit");
	is_str(st.message, "table metadata: JSON document longer than 1000000 bytes", "and says which");
	floe_arena_free(arena);
	arena = floe_arena_new(60000);
	ok(parse_pieces(arena, FLOE_META_FILE, &limits, zipped.data, zipped.len, zipped.len, zipped.len, &st) == NULL &&
		   st.code == FLOE_ERR_TOO_LARGE,
	   "no memory for inflating");
	floe_arena_free(arena);
	floe_buf_free(&zipped);
}

/* --------------------------------------------------------------------- limits */

static void
test_limits(FloeArena *arena)
{
	static const struct
	{
		size_t offset;
		int enough;
		const char *message;
	} table[] = {
		{offsetof(FloeMetaLimits, snapshots), 3, "table metadata: \"snapshots\" has more than 2 entries"},
		{offsetof(FloeMetaLimits, refs), 3, "table metadata: \"refs\" has more than 2 entries"},
		{offsetof(FloeMetaLimits, properties), 4, "table metadata: \"properties\" has more than 3 entries"},
		{offsetof(FloeMetaLimits, columns), 13,
		 "table metadata: \"schemas[1].fields[4]\" is beyond 12 columns of all schemas"},
		{offsetof(FloeMetaLimits, items), 3, "table metadata: \"metadata-log\" has more than 2 entries"},
	};
	FloeBuf doc = read_file("v2.metadata", ".json");
	FloeMetaLimits limits;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(table); i++)
	{
		limits = floe_meta_default_limits;
		*(int *) ((char *) &limits + table[i].offset) = table[i].enough;
		ok(parse_pieces(arena, FLOE_META_FILE, &limits, doc.data, doc.len, doc.len, doc.len, &st) != NULL,
		   "exactly as many as allowed");
		*(int *) ((char *) &limits + table[i].offset) -= 1;
		ok(parse_pieces(arena, FLOE_META_FILE, &limits, doc.data, doc.len, doc.len, doc.len, &st) == NULL &&
			   st.code == FLOE_ERR_TOO_LARGE,
		   "one more");
		is_str(st.message, table[i].message, "and says what");
	}
	limits = floe_meta_default_limits;
	limits.json_bytes = doc.len;
	ok(parse_pieces(arena, FLOE_META_FILE, &limits, doc.data, doc.len, doc.len, 100, &st) != NULL,
	   "as long as allowed");
	limits.json_bytes--;
	ok(parse_pieces(arena, FLOE_META_FILE, &limits, doc.data, doc.len, 100, 100, &st) == NULL &&
		   st.code == FLOE_ERR_TOO_LARGE,
	   "one byte more");
	limits = floe_meta_default_limits;
	limits.string_bytes = 50;
	ok(parse_pieces(arena, FLOE_META_FILE, &limits, doc.data, doc.len, doc.len, doc.len, &st) != NULL,
	   "long enough strings");
	limits.string_bytes = 20;
	ok(parse_pieces(arena, FLOE_META_FILE, &limits, doc.data, doc.len, doc.len, doc.len, &st) == NULL &&
		   st.code == FLOE_ERR_TOO_LARGE,
	   "too long a string");
	is_str(st.message, "table metadata at \"table-uuid\": JSON string longer than 20 bytes", "and says where");
	floe_buf_free(&doc);
}

/* Every possible failure of the arena is a failure of the parser, not a crash. */
static void
test_no_memory(void)
{
	int refused_count = 0;
	int wrong = 0;

	for (size_t i = 0; i < lengthof(fixtures); i++)
	{
		FloeBuf doc = read_file(fixtures[i].name, ".json");

		for (size_t limit = 1000; limit < 120000; limit += 64)
		{
			FloeArena *arena = floe_arena_new(limit);
			FloeMetaParser *parser = floe_meta_parser_new(arena, fixtures[i].root, &floe_meta_default_limits);
			const FloeTableMeta *meta;
			FloeStatus st;

			if (parser != NULL && (!floe_meta_parser_feed(parser, doc.data, doc.len, &st) ||
								   !floe_meta_parser_finish(parser, &meta, &st)))
			{
				refused_count++;
				wrong += st.code != FLOE_ERR_TOO_LARGE;
			}
			floe_arena_free(arena);
		}
		floe_buf_free(&doc);
	}
	is_int(wrong, 0, "too little memory says so");
	ok(refused_count > 100, "and that was tested (%d times)", refused_count);
}

/* 100,000 snapshots: the memory is that of the arrays and the paths. */
static void
test_large(void)
{
	enum
	{
		MANY = 100000
	};
	FloeArena *arena = floe_arena_new((size_t) 1024 * 1024 * 1024);
	FloeMetaParser *parser = floe_meta_parser_new(arena, FLOE_META_FILE, &floe_meta_default_limits);
	const FloeTableMeta *meta = NULL;
	FloeStatus st;
	FloeBuf buf;
	size_t fed = 0;
	bool fine;
	int64 value;

	floe_buf_init(&buf, 10000);
	floe_buf_text(&buf,
				  "{\"location\":\"s3://b/t\",\"last-updated-ms\":1,\"last-column-id\":0,\"schema\":{\"type\":"
				  "\"struct\",\"fields\":[]},\"partition-spec\":[],\"current-snapshot-id\":99999,\"snapshots\":[");
	fine = floe_meta_parser_feed(parser, buf.data, buf.len, &st);
	for (int i = 0; i < MANY && fine; i++)
	{
		floe_buf_reset(&buf);
		floe_buf_printf(
			&buf,
			"%s{\"snapshot-id\":%d,\"parent-snapshot-id\":%d,\"timestamp-ms\":%d,\"summary\":{\"operation\":"
			"\"append\",\"added-data-files\":\"%d\",\"total-records\":\"%d\",\"spark.app.id\":"
			"\"application_1700000000000_00001 and a long text that nobody needs to keep\",\"iceberg-version\":"
			"\"Apache Iceberg 1.8.1 (commit 9ce0fcf0af7becf25ad9fc996c3bad2afdcfd33d)\"},\"manifest-list\":"
			"\"s3://b/t/metadata/snap-%d.avro\"}",
			i > 0 ? "," : "", i, i - 1, i, i % 100, i * 10, i);
		fed += buf.len;
		fine = floe_meta_parser_feed(parser, buf.data, buf.len, &st);
	}
	floe_buf_reset(&buf);
	floe_buf_text(&buf, "],\"format-version\":1}");
	fine = fine && floe_meta_parser_feed(parser, buf.data, buf.len, &st) && floe_meta_parser_finish(parser, &meta, &st);
	ok(fine, "100,000 snapshots");
	is_int(meta->snapshot_count, MANY, "all of them");
	ok(floe_snapshot_counter(&meta->snapshots[77777], FLOE_COUNTER_ADDED_DATA_FILES, &value) && value == 77,
	   "a counter");
	is_str(meta->snapshots[77777].manifest_list, "s3://b/t/metadata/snap-77777.avro", "a manifest list");
	ok(floe_arena_used(arena) < MANY * 400, "with %zu bytes of memory a snapshot, from %zu in the document",
	   floe_arena_used(arena) / MANY, fed / MANY);
	floe_buf_free(&buf);
	floe_arena_free(arena);
}

int
main(void)
{
	FloeArena *arena = floe_arena_new(10000000);

	test_fixtures(arena);
	test_lookups(arena);
	test_gzip(arena);
	test_bomb();
	test_limits(arena);
	test_no_memory();
	test_large();
	floe_arena_free(arena);
	return tap_done();
}
