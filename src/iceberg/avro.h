/*
 * avro.h: reader of Avro object container files held in memory.
 *
 * Own code, because of what a manifest reader needs and avro-c does not give:
 * fields found by Iceberg's field ids (avro-c drops them), zstd, reading from
 * memory, an error instead of repeated rows after a damaged block, and four
 * to six times the speed.  What is here is the container only: header, blocks,
 * sync markers; rows are read by a compiled program (avro_schema.h).
 *
 * Memory: the object, which the caller holds, and one inflated block.
 */
#ifndef FLOE_ICEBERG_AVRO_H
#define FLOE_ICEBERG_AVRO_H

#include "base/codec.h"
#include "iceberg/avro_schema.h"

#define FLOE_AVRO_MAX_META 64
#define FLOE_AVRO_MAX_ARENA ((size_t) 64 * 1024 * 1024) /* for the arena of one compiled schema */

/* Bytes inside somebody else's memory. */
typedef struct FloeSlice
{
	const uint8_t *data;
	size_t len;
} FloeSlice;

typedef struct FloeAvroLimits
{
	size_t block_bytes; /* one block, inflated */
	size_t total_bytes; /* all blocks of a file, inflated */
	size_t cache_bytes; /* compiled programs that are kept */
} FloeAvroLimits;

extern const FloeAvroLimits floe_avro_default_limits; /* 128 MiB, 2 GiB, 16 MiB */

/*
 * Everything that is worth keeping between files: decompressors, the block
 * buffer, and compiled schemas.  One per worker; not for two files at a time.
 * From malloc: its owner registers floe_avro_reader_free() for cleanup.
 */
typedef struct FloeAvroReader FloeAvroReader;

extern FloeAvroReader *floe_avro_reader_new(const FloeAvroLimits *limits); /* NULL: no memory */
extern void floe_avro_reader_free(FloeAvroReader *reader);                 /* NULL is allowed */

/* The header of a file; everything in it points into the file's bytes. */
typedef struct FloeAvroFile
{
	FloeCodec codec;
	const uint8_t *sync; /* 16 bytes */
	FloeSlice blocks;    /* what follows the header */
	uint32_t nmeta;
	struct
	{
		FloeSlice key, value;
	} meta[FLOE_AVRO_MAX_META];
} FloeAvroFile;

/*
 * Reads the header.  CORRUPT when it is not an Avro file; UNSUPPORTED for a
 * codec floe does not read and for Parquet (format version 4).
 */
extern bool floe_avro_open(FloeAvroFile *file, const void *data, size_t len, FloeStatus *st);

/* An entry of the header's metadata; data is NULL when there is none. */
extern FloeSlice floe_avro_meta(const FloeAvroFile *file, const char *key);

/* The same as a number, which is stored in decimal; absent when there is none, CORRUPT when it is no number >= 0. */
extern bool floe_avro_meta_int(const FloeAvroFile *file, const char *key, int32_t absent, int32_t *value,
							   FloeStatus *st);

/*
 * Reads every row of every block and calls row for each, until it returns
 * false (having filled st).  True only when the file was read to its last
 * byte: what the rows led to must not be used before.
 */
typedef bool (*FloeAvroRowFn)(void *context, const FloeAvroValue *values, FloeStatus *st);

extern bool floe_avro_scan(FloeAvroReader *reader, const FloeAvroFile *file, const FloeAvroProgram *program,
						   FloeAvroRowFn row, void *context, FloeStatus *st);

/*
 * Compiled things are kept under the texts they were made from, the least
 * recently used ones being dropped.  A value is good until the next call of
 * floe_avro_cache_add().
 */
#define FLOE_AVRO_CACHE_KEYS 4

typedef struct FloeAvroCacheKey
{
	FloeSlice part[FLOE_AVRO_CACHE_KEYS]; /* unused ones are zero */
} FloeAvroCacheKey;

extern const void *floe_avro_cache_find(FloeAvroReader *reader, const FloeAvroCacheKey *key);

/* Takes over the arena, in which value lives, in any case; when it cannot be kept it is freed and false returned. */
extern bool floe_avro_cache_add(FloeAvroReader *reader, const FloeAvroCacheKey *key, FloeArena *arena,
								const void *value);

#endif /* FLOE_ICEBERG_AVRO_H */
