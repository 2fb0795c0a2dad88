/*
 * test_avro.c: the Avro object container around rows, and the cache of compiled schemas.
 */
#include "floe.h"

#include "iceberg/avro.h"

#include <stdlib.h>

#include "avro_build.h"
#include "tap.h"

#define ROW_SCHEMA                                                                                                     \
	"{\"type\": \"record\", \"name\": \"r\", \"fields\": [{\"name\": \"a\", \"field-id\": 1, \"type\": \"int\"}]}"

static const FloeAvroField wanted[] = {{.parent = FLOE_AVRO_ROOT, .id = 1, .name = "a", .want = FLOE_AVRO_WANT_INT}};

static bool
sum_row(void *context, const FloeAvroValue *values, FloeStatus *st)
{
	int64_t *sum = context;

	if (values[0].num == 1000)
		return floe_fail(st, FLOE_ERR_CANCELLED, "the caller has enough");
	*sum += values[0].num;
	return true;
}

/* Reads the file from memory of its exact size; the sum of its rows, or -1. */
static int64_t
sum_file(const FloeBuf *buf, const FloeAvroLimits *limits, FloeStatus *st)
{
	FloeAvroReader *reader = floe_avro_reader_new(limits);
	FloeArena *arena = floe_arena_new(1024 * 1024);
	char *bytes = malloc(buf->len > 0 ? buf->len : 1);
	const FloeAvroProgram *program =
		floe_avro_compile(arena, ROW_SCHEMA, strlen(ROW_SCHEMA), wanted, lengthof(wanted), st);
	int64_t sum = 0;
	FloeAvroFile file;

	if (buf->len > 0)
		memcpy(bytes, buf->data, buf->len);
	if (!floe_avro_open(&file, bytes, buf->len, st) || !floe_avro_scan(reader, &file, program, sum_row, &sum, st))
		sum = -1;
	free(bytes);
	floe_arena_free(arena);
	floe_avro_reader_free(reader);
	return sum;
}

static void
good_file(FloeBuf *buf)
{
	floe_buf_reset(buf);
	put_header(buf, ROW_SCHEMA);
	put_block(buf, 3, "\x02\x04\x06", 3);
	put_block(buf, 1, "\x80\x01", 2);
}

static void
test_container(void)
{
	FloeAvroLimits small = {.block_bytes = 100, .total_bytes = 150, .cache_bytes = 1000};
	char hundred[101] = {0};
	FloeBuf buf;
	FloeStatus st;
	size_t accepted = 0;

	floe_buf_init(&buf, 100000);
	put_header(&buf, ROW_SCHEMA);
	is_int(sum_file(&buf, &floe_avro_default_limits, &st), 0, "a file without blocks has no rows");
	good_file(&buf);
	is_int(sum_file(&buf, &floe_avro_default_limits, &st), 70, "two blocks");

	for (size_t cut = 0; cut < buf.len; cut++)
	{
		FloeBuf part = {.data = buf.data, .len = cut};

		if (sum_file(&part, &floe_avro_default_limits, &st) >= 0)
			accepted++;
		else if (st.code != FLOE_ERR_CORRUPT)
			ok(false, "cut at %zu gives %s", cut, floe_code_name(st.code));
	}
	is_int(accepted, 2, "cut anywhere but between blocks it is refused");

	floe_buf_reset(&buf);
	put_header(&buf, ROW_SCHEMA);
	put_block(&buf, 100, hundred, 100);
	is_int(sum_file(&buf, &small, &st), 0, "a block at the limit");
	put_block(&buf, 100, hundred, 100);
	ok(sum_file(&buf, &small, &st) < 0 && st.code == FLOE_ERR_TOO_LARGE, "too many bytes in all blocks");
	floe_buf_reset(&buf);
	put_header(&buf, ROW_SCHEMA);
	put_block(&buf, 101, hundred, 101);
	ok(sum_file(&buf, &small, &st) < 0 && st.code == FLOE_ERR_TOO_LARGE, "a block beyond the limit");

	floe_buf_reset(&buf);
	put_header(&buf, ROW_SCHEMA);
	put_block(&buf, 2, "\x02\xd0\x0f", 3);
	ok(sum_file(&buf, &floe_avro_default_limits, &st) < 0 && st.code == FLOE_ERR_CANCELLED,
	   "the caller can stop the reading");
	is_str(st.message, "block 1: the caller has enough", "and its reason is kept");
	floe_buf_free(&buf);
}

/* Files that are refused: what is put in place of the good parts. */
typedef struct FileCase
{
	const char *name;
	void (*make)(FloeBuf *buf);
	FloeCode code;
} FileCase;

static void
bad_magic(FloeBuf *buf)
{
	good_file(buf);
	buf->data[3] = 2;
}

static void
parquet_file(FloeBuf *buf)
{
	good_file(buf);
	memcpy(buf->data, "PAR1", 4);
}

static void
bad_sync(FloeBuf *buf)
{
	good_file(buf);
	buf->data[buf->len - 1] ^= 1;
}

static void
no_rows(FloeBuf *buf)
{
	good_file(buf);
	put_block(buf, 0, "\x02", 1);
}

static void
negative_rows(FloeBuf *buf)
{
	good_file(buf);
	put_block(buf, -1, "\x02", 1);
}

static void
empty_block(FloeBuf *buf)
{
	good_file(buf);
	put_block(buf, 1, "", 0);
}

static void
too_many_rows(FloeBuf *buf)
{
	good_file(buf);
	put_block(buf, INT64_MAX, "\x02", 1);
}

static void
too_few_rows(FloeBuf *buf)
{
	good_file(buf);
	put_block(buf, 1, "\x02\x02", 2);
}

static void
negative_size(FloeBuf *buf)
{
	good_file(buf);
	put_long(buf, 1);
	put_long(buf, -1);
	floe_buf_append(buf, "\x02" SYNC, 17);
}

static void
huge_size(FloeBuf *buf)
{
	good_file(buf);
	put_long(buf, 1);
	put_long(buf, INT64_MAX);
	floe_buf_append(buf, "\x02" SYNC, 17);
}

static void
garbage_behind(FloeBuf *buf)
{
	good_file(buf);
	floe_buf_char(buf, 'x');
}

static void
long_varint(FloeBuf *buf)
{
	good_file(buf);
	floe_buf_append(buf, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 12);
}

static void
header_with(FloeBuf *buf, int64_t count, const char *const *pairs, int npairs)
{
	floe_buf_reset(buf);
	floe_buf_append(buf, "Obj\x01", 4);
	put_long(buf, count);
	for (int i = 0; i < 2 * npairs; i++)
		put_string(buf, pairs[i]);
	put_long(buf, 0);
	floe_buf_append(buf, SYNC, 16);
}

static void
key_twice(FloeBuf *buf)
{
	static const char *const pairs[] = {"avro.schema", "1", "avro.schema", "2"};

	header_with(buf, 2, pairs, 2);
}

static void
many_keys(FloeBuf *buf)
{
	static const char *const pairs[] = {"a", "b"};

	header_with(buf, 1000000, pairs, 1);
}

static void
unknown_codec(FloeBuf *buf)
{
	static const char *const pairs[] = {"avro.codec", "xz"};

	header_with(buf, 1, pairs, 1);
}

static void
negative_key(FloeBuf *buf)
{
	floe_buf_reset(buf);
	floe_buf_append(buf, "Obj\x01\x02\x01", 6);
	floe_buf_append(buf, SYNC SYNC, 32);
}

static void
wrong_meta_size(FloeBuf *buf)
{
	floe_buf_reset(buf);
	floe_buf_append(buf, "Obj\x01", 4);
	put_long(buf, -1);
	put_long(buf, 5);
	put_string(buf, "a");
	put_string(buf, "b");
	put_long(buf, 0);
	floe_buf_append(buf, SYNC, 16);
}

static void
test_bad_files(void)
{
	static const FileCase cases[] = {
		{"another magic", bad_magic, FLOE_ERR_CORRUPT},
		{"Parquet", parquet_file, FLOE_ERR_UNSUPPORTED},
		{"another sync marker", bad_sync, FLOE_ERR_CORRUPT},
		{"a block of no rows", no_rows, FLOE_ERR_CORRUPT},
		{"a block of a negative number of rows", negative_rows, FLOE_ERR_CORRUPT},
		{"a block of no bytes", empty_block, FLOE_ERR_CORRUPT},
		{"more rows than bytes", too_many_rows, FLOE_ERR_CORRUPT},
		{"bytes behind the last row", too_few_rows, FLOE_ERR_CORRUPT},
		{"a block of a negative size", negative_size, FLOE_ERR_CORRUPT},
		{"a block of a huge size", huge_size, FLOE_ERR_CORRUPT},
		{"garbage behind the last block", garbage_behind, FLOE_ERR_CORRUPT},
		{"a number without end", long_varint, FLOE_ERR_CORRUPT},
		{"a metadata key that is there twice", key_twice, FLOE_ERR_CORRUPT},
		{"a million metadata keys", many_keys, FLOE_ERR_TOO_LARGE},
		{"a codec nobody reads", unknown_codec, FLOE_ERR_UNSUPPORTED},
		{"a metadata key of negative length", negative_key, FLOE_ERR_CORRUPT},
		{"a metadata block of another size", wrong_meta_size, FLOE_ERR_CORRUPT},
	};
	FloeBuf buf;
	FloeStatus st;

	floe_buf_init(&buf, 100000);
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		cases[i].make(&buf);
		ok(sum_file(&buf, &floe_avro_default_limits, &st) < 0 && st.code == cases[i].code, "%s: refused",
		   cases[i].name);
	}

	/* the same with a size that is right */
	wrong_meta_size(&buf);
	buf.data[5] = 2 * 4;
	put_block(&buf, 1, "\x06", 1);
	is_int(sum_file(&buf, &floe_avro_default_limits, &st), 3, "a metadata block with its size");
	floe_buf_free(&buf);
}

static void
test_meta_int(void)
{
	static const char *const pairs[] = {"a", "17", "b", "-1", "c", "", "d", "99999999999999999999", "e", "2147483647"};
	FloeBuf buf;
	FloeAvroFile file;
	FloeStatus st;
	int32_t value;

	floe_buf_init(&buf, 1000);
	header_with(&buf, 5, pairs, 5);
	ok(floe_avro_open(&file, buf.data, buf.len, &st), "metadata without a schema can be opened");
	ok(floe_avro_meta_int(&file, "a", 0, &value, &st) && value == 17, "a number");
	ok(floe_avro_meta_int(&file, "e", 0, &value, &st) && value == INT32_MAX, "the largest number");
	ok(floe_avro_meta_int(&file, "x", -5, &value, &st) && value == -5, "no number");
	ok(!floe_avro_meta_int(&file, "b", 0, &value, &st) && !floe_avro_meta_int(&file, "c", 0, &value, &st) &&
		   !floe_avro_meta_int(&file, "d", 0, &value, &st),
	   "not a number");
	floe_buf_free(&buf);
}

static void
test_cache(void)
{
	FloeAvroLimits limits = {.block_bytes = 100, .total_bytes = 100, .cache_bytes = 40000};
	FloeAvroReader *reader = floe_avro_reader_new(&limits);
	char text[8] = "key";
	int kept = 0;

	for (int i = 0; i < 100; i++)
	{
		FloeArena *arena = floe_arena_new(100000);
		FloeAvroCacheKey key = {.part = {{(const uint8_t *) text, 3}, {(const uint8_t *) &i, sizeof(i)}}};
		int *value = floe_arena_alloc(arena, 5000);

		*value = i;
		if (floe_avro_cache_find(reader, &key) != NULL || !floe_avro_cache_add(reader, &key, arena, value) ||
			floe_avro_cache_find(reader, &key) != value)
			ok(false, "entry %d", i);
	}
	for (int i = 0; i < 100; i++)
	{
		FloeAvroCacheKey key = {.part = {{(const uint8_t *) text, 3}, {(const uint8_t *) &i, sizeof(i)}}};
		const int *value = floe_avro_cache_find(reader, &key);

		kept += value != NULL && *value == i && i >= 93 ? 1 : 0;
	}
	is_int(kept, 7, "the newest entries are kept, as many as fit");
	floe_avro_reader_free(reader);
}

int
main(void)
{
	test_container();
	test_bad_files();
	test_meta_int();
	test_cache();
	return tap_done();
}
