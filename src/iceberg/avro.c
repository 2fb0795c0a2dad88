/*
 * avro.c: header and blocks of Avro object container files.
 *
 * Avro specification, "Object Container Files".
 */
#include "floe.h"

#include "iceberg/avro.h"

#include "iceberg/avro_cache.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC_SIZE 4
#define SYNC_SIZE 16
#define MAX_META_KEY 256
#define MAX_META_VALUE ((size_t) 32 * 1024 * 1024)

struct FloeAvroReader
{
	FloeAvroLimits limits;
	FloeInflater inflater;
	FloeBuf block;
	FloeAvroCache cache;
};

const FloeAvroLimits floe_avro_default_limits = {
	.block_bytes = (size_t) 128 * 1024 * 1024,
	.total_bytes = (size_t) 2 * 1024 * 1024 * 1024,
	.cache_bytes = (size_t) 16 * 1024 * 1024,
};

FloeAvroReader *
floe_avro_reader_new(const FloeAvroLimits *limits)
{
	FloeAvroReader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		return NULL;
	reader->limits = *limits;
	floe_buf_init(&reader->block, limits->block_bytes);
	reader->cache.limit = limits->cache_bytes;
	return reader;
}

void
floe_avro_reader_free(FloeAvroReader *reader)
{
	if (reader == NULL)
		return;
	floe_inflater_free(&reader->inflater);
	floe_buf_free(&reader->block);
	floe_avro_cache_clear(&reader->cache);
	free(reader);
}

const void *
floe_avro_cache_find(FloeAvroReader *reader, const FloeAvroCacheKey *key)
{
	return floe_avro_cache_lookup(&reader->cache, key);
}

bool
floe_avro_cache_add(FloeAvroReader *reader, const FloeAvroCacheKey *key, FloeArena *arena, const void *value)
{
	return floe_avro_cache_insert(&reader->cache, key, arena, value);
}

/* ---- the header ---- */

FloeSlice
floe_avro_meta(const FloeAvroFile *file, const char *key)
{
	size_t len = strlen(key);

	for (uint32_t i = 0; i < file->nmeta; i++)
		if (file->meta[i].key.len == len && memcmp(file->meta[i].key.data, key, len) == 0)
			return file->meta[i].value;
	return (FloeSlice){NULL, 0};
}

bool
floe_avro_meta_int(const FloeAvroFile *file, const char *key, int32_t absent, int32_t *value, FloeStatus *st)
{
	FloeSlice text = floe_avro_meta(file, key);
	int64_t number = 0;

	*value = absent;
	if (text.data == NULL)
		return true;
	for (size_t i = 0; i < text.len && number <= INT32_MAX; i++)
	{
		if (text.data[i] < '0' || text.data[i] > '9')
			return floe_fail(st, FLOE_ERR_CORRUPT, "%s in the header of the Avro file is not a number", key);
		number = number * 10 + text.data[i] - '0';
	}
	if (text.len == 0 || number > INT32_MAX)
		return floe_fail(st, FLOE_ERR_CORRUPT, "%s in the header of the Avro file is out of range", key);
	*value = (int32_t) number;
	return true;
}

static bool
fail_header(FloeStatus *st, const char *what)
{
	return floe_fail(st, FLOE_ERR_CORRUPT, "the header of the Avro file is damaged: %s", what);
}

/* A length and that many bytes; bad when it is negative, too long or cut off. */
static FloeSlice
read_slice(FloeCursor *c, size_t max)
{
	int64_t len = floe_cursor_zigzag(c);
	FloeSlice slice = {NULL, 0};

	if (len < 0 || (uint64_t) len > max)
		c->bad = true;
	slice.data = floe_cursor_take(c, c->bad ? 0 : (size_t) len);
	slice.len = slice.data != NULL ? (size_t) len : 0;
	return slice;
}

/* The metadata is an Avro map of bytes: blocks of pairs, closed by an empty one. */
static bool
read_meta(FloeAvroFile *file, FloeCursor *c, FloeStatus *st)
{
	for (;;)
	{
		int64_t count = floe_cursor_zigzag(c);
		int64_t size = 0;
		const uint8_t *begin;

		if (count < 0)
		{
			count = count == INT64_MIN ? INT64_MAX : -count;
			size = floe_cursor_zigzag(c);
			if (size < 0)
				c->bad = true;
		}
		if (c->bad)
			return fail_header(st, "invalid metadata block");
		if (count == 0)
			return true;
		if (count > FLOE_AVRO_MAX_META - (int64_t) file->nmeta)
			return floe_fail(st, FLOE_ERR_TOO_LARGE, "the header of the Avro file has more than %d metadata entries",
							 FLOE_AVRO_MAX_META);
		begin = c->pos;
		for (int64_t i = 0; i < count; i++)
		{
			FloeSlice key = read_slice(c, MAX_META_KEY);
			FloeSlice value = read_slice(c, MAX_META_VALUE);

			if (c->bad)
				return fail_header(st, "invalid metadata entry");
			file->meta[file->nmeta].key = key;
			file->meta[file->nmeta].value = value;
			file->nmeta++;
		}
		if (size > 0 && size != c->pos - begin)
			return fail_header(st, "a metadata block has another size than it says");
	}
}

static bool
check_duplicate_meta(const FloeAvroFile *file, FloeStatus *st)
{
	for (uint32_t i = 0; i < file->nmeta; i++)
	{
		for (uint32_t j = i + 1; j < file->nmeta; j++)
		{
			if (file->meta[i].key.len == file->meta[j].key.len &&
				memcmp(file->meta[i].key.data, file->meta[j].key.data, file->meta[i].key.len) == 0)
				return fail_header(st, "a metadata key is there twice");
		}
	}
	return true;
}

bool
floe_avro_open(FloeAvroFile *file, const void *data, size_t len, FloeStatus *st)
{
	static const uint8_t magic[MAGIC_SIZE] = {'O', 'b', 'j', 1};
	FloeSlice codec;
	FloeCursor c;

	memset(file, 0, sizeof(*file));
	if (len >= MAGIC_SIZE && memcmp(data, "PAR1", MAGIC_SIZE) == 0)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "the file is in Parquet format, not Avro");
	if (len < MAGIC_SIZE || memcmp(data, magic, MAGIC_SIZE) != 0)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the file is not an Avro object container");
	floe_cursor_init(&c, (const uint8_t *) data + MAGIC_SIZE, len - MAGIC_SIZE);
	if (!read_meta(file, &c, st) || !check_duplicate_meta(file, st))
		return false;
	file->sync = floe_cursor_take(&c, SYNC_SIZE);
	if (file->sync == NULL)
		return fail_header(st, "no sync marker");
	file->blocks = (FloeSlice){c.pos, floe_cursor_left(&c)};
	codec = floe_avro_meta(file, "avro.codec");
	if (codec.data == NULL)
		file->codec = FLOE_CODEC_NULL;
	else if (!floe_codec_by_name((const char *) codec.data, codec.len, &file->codec, st))
		return false;
	return true;
}

/* ---- the blocks ---- */

static bool
scan_block(const FloeBuf *block, int64_t count, const FloeAvroProgram *program, FloeAvroValue *values,
		   FloeAvroRowFn row, void *context, FloeStatus *st)
{
	FloeCursor c;

	if (program->min_size == 0 || (uint64_t) count > block->len / program->min_size)
		return floe_fail(st, FLOE_ERR_CORRUPT, "%lld rows do not fit into %zu bytes", (long long) count, block->len);
	floe_cursor_init(&c, block->data, block->len);
	for (int64_t i = 0; i < count; i++)
		if (!floe_avro_decode(program, &c, values, st) || !row(context, values, st))
			return false;
	if (floe_cursor_left(&c) > 0)
		return floe_fail(st, FLOE_ERR_CORRUPT, "%zu bytes are left over after the last row", floe_cursor_left(&c));
	return true;
}

static bool
scan_blocks(FloeAvroReader *reader, const FloeAvroFile *file, const FloeAvroProgram *program, FloeAvroValue *values,
			FloeAvroRowFn row, void *context, FloeStatus *st)
{
	size_t total = 0;
	FloeCursor c;

	floe_cursor_init(&c, file->blocks.data, file->blocks.len);
	for (int block = 1; floe_cursor_left(&c) > 0; block++)
	{
		int64_t count = floe_cursor_zigzag(&c);
		FloeSlice bytes = read_slice(&c, SIZE_MAX);
		const uint8_t *sync = floe_cursor_take(&c, SYNC_SIZE);

		if (sync == NULL || count <= 0 || bytes.len == 0)
			return floe_fail(st, FLOE_ERR_CORRUPT, "block %d: invalid or cut off", block);
		if (memcmp(sync, file->sync, SYNC_SIZE) != 0)
			return floe_fail(st, FLOE_ERR_CORRUPT, "block %d: the sync marker does not match", block);
		if (!floe_codec_inflate(&reader->inflater, file->codec, bytes.data, bytes.len, &reader->block, st) ||
			!scan_block(&reader->block, count, program, values, row, context, st))
			return floe_status_prefix(st, "block %d", block);
		total += reader->block.len;
		if (total > reader->limits.total_bytes)
			return floe_fail(st, FLOE_ERR_TOO_LARGE, "the file inflates to more than %zu bytes",
							 reader->limits.total_bytes);
	}
	return true;
}

bool
floe_avro_scan(FloeAvroReader *reader, const FloeAvroFile *file, const FloeAvroProgram *program, FloeAvroRowFn row,
			   void *context, FloeStatus *st)
{
	FloeAvroValue *values = malloc(Max(program->nslots, 1) * sizeof(FloeAvroValue));
	bool done;

	if (values == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory while reading an Avro file");
	done = scan_blocks(reader, file, program, values, row, context, st);
	free(values);
	return done;
}
