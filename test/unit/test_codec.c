/*
 * test_codec.c: decompression with a cap, the keyed hash and the index over it.
 */
#include "floe.h"

#include "base/codec.h"
#include "base/hash.h"

#include <libdeflate.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "tap.h"

#define PLAIN_SIZE 300000

static const char *const codec_names[] = {"null", "deflate", "zstandard", "snappy"};

/* Compresses as a writer would; the result is exactly as long as malloc was asked for, so ASan sees overruns. */
static char *
compress_as(FloeCodec codec, const char *plain, size_t len, size_t *out_len)
{
	size_t room = len + len / 2 + 1024;
	char *out = malloc(room);

	if (codec == FLOE_CODEC_NULL)
	{
		memcpy(out, plain, len);
		*out_len = len;
	}
	else if (codec == FLOE_CODEC_DEFLATE)
	{
		struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);

		*out_len = libdeflate_deflate_compress(c, plain, len, out, room);
		libdeflate_free_compressor(c);
	}
	else if (codec == FLOE_CODEC_ZSTD)
		*out_len = ZSTD_compress(out, room, plain, len, 3);
	else
	{
		uint32_t crc = libdeflate_crc32(0, plain, len);

		*out_len = room;
		snappy_compress(plain, len, out, out_len);
		for (int i = 0; i < 4; i++)
			out[(*out_len)++] = (char) (crc >> (24 - 8 * i));
	}
	return realloc(out, *out_len > 0 ? *out_len : 1);
}

static char *
make_plain(void)
{
	char *plain = malloc(PLAIN_SIZE);

	for (int i = 0; i < PLAIN_SIZE; i++)
		plain[i] = (char) ((i * 7 + i / 100) % 61 + '0');
	return plain;
}

static void
test_round_trip(void)
{
	FloeInflater inflater = {0};
	char *plain = make_plain();
	FloeBuf out;
	FloeStatus st;

	floe_buf_init(&out, PLAIN_SIZE);
	for (FloeCodec codec = FLOE_CODEC_NULL; codec <= FLOE_CODEC_SNAPPY; codec++)
	{
		static const size_t sizes[] = {0, 1, 1000, PLAIN_SIZE};
		FloeCodec named;

		ok(floe_codec_by_name(codec_names[codec], strlen(codec_names[codec]), &named, &st) && named == codec,
		   "%s is known by name", codec_names[codec]);
		for (size_t i = 0; i < lengthof(sizes); i++)
		{
			size_t len;
			char *packed = compress_as(codec, plain, sizes[i], &len);

			ok(floe_codec_inflate(&inflater, codec, packed, len, &out, &st) && out.len == sizes[i] &&
				   memcmp(out.data, plain, sizes[i]) == 0,
			   "%s: %zu bytes come back, the cap being %d", codec_names[codec], sizes[i], PLAIN_SIZE);
			free(packed);
		}
	}
	floe_buf_free(&out);
	floe_inflater_free(&inflater);
	free(plain);
}

/* Every cut and every changed byte: an error or other bytes, never an overrun; cuts are always errors. */
static void
test_damage(void)
{
	FloeInflater inflater = {0};
	char *plain = make_plain();
	FloeBuf out;
	FloeStatus st;

	floe_buf_init(&out, 100000);
	for (FloeCodec codec = FLOE_CODEC_DEFLATE; codec <= FLOE_CODEC_SNAPPY; codec++)
	{
		size_t len;
		char *packed = compress_as(codec, plain, 5000, &len);
		size_t accepted = 0, wrong_code = 0;

		for (size_t cut = 0; cut < len; cut++)
		{
			char *part = malloc(cut > 0 ? cut : 1);

			memcpy(part, packed, cut);
			if (floe_codec_inflate(&inflater, codec, part, cut, &out, &st))
				accepted++;
			else
				wrong_code += st.code != FLOE_ERR_CORRUPT;
			free(part);
		}
		is_int(accepted, 0, "%s: no cut is accepted", codec_names[codec]);
		is_int(wrong_code, 0, "%s: every cut is corruption", codec_names[codec]);
		accepted = 0;
		for (size_t at = 0; at < len; at++)
		{
			packed[at] ^= 0x55;
			if (floe_codec_inflate(&inflater, codec, packed, len, &out, &st))
				accepted++;
			packed[at] ^= 0x55;
		}
		if (codec == FLOE_CODEC_SNAPPY)
			is_int(accepted, 0, "snappy: its checksum catches every changed byte");
		ok(floe_codec_inflate(&inflater, codec, packed, len, &out, &st) && out.len == 5000,
		   "%s: the decompressor works again after errors", codec_names[codec]);
		free(packed);
	}
	floe_buf_free(&out);
	floe_inflater_free(&inflater);
	free(plain);
}

static void
test_bomb(void)
{
	FloeInflater inflater = {0};
	size_t plain_len = 50 * 1024 * 1024;
	char *plain = calloc(1, plain_len);
	FloeBuf out;
	FloeStatus st;

	floe_buf_init(&out, 1000000);
	for (FloeCodec codec = FLOE_CODEC_NULL; codec <= FLOE_CODEC_SNAPPY; codec++)
	{
		size_t len;
		char *packed = compress_as(codec, plain, plain_len, &len);

		ok(!floe_codec_inflate(&inflater, codec, packed, len, &out, &st) && st.code == FLOE_ERR_TOO_LARGE,
		   "%s: %zu bytes that inflate to 50 MB are refused", codec_names[codec], len);
		ok(out.size <= 1000001, "%s: and no more than the cap was allocated", codec_names[codec]);
		free(packed);
	}
	floe_buf_free(&out);
	floe_inflater_free(&inflater);
	free(plain);
}

/* What writers do besides the plain case. */
static void
test_variants(void)
{
	FloeInflater inflater = {0};
	char *plain = make_plain();
	char packed[4096];
	uLongf zlib_len = sizeof(packed);
	ZSTD_CCtx *z = ZSTD_createCCtx();
	ZSTD_inBuffer in = {plain, 4000, 0};
	ZSTD_outBuffer to = {packed, sizeof(packed), 0};
	FloeCodec codec;
	FloeBuf out;
	FloeStatus st;

	floe_buf_init(&out, PLAIN_SIZE);
	compress((Bytef *) packed, &zlib_len, (const Bytef *) plain, 4000);
	ok(floe_codec_inflate(&inflater, FLOE_CODEC_DEFLATE, packed + 2, zlib_len - 3, &out, &st) && out.len == 4000,
	   "deflate followed by three bytes of checksum, as Python's writers leave it");
	memset(packed + zlib_len, 0, 16);
	ok(!floe_codec_inflate(&inflater, FLOE_CODEC_DEFLATE, packed + 2, zlib_len + 10, &out, &st) &&
		   st.code == FLOE_ERR_CORRUPT,
	   "more bytes than that are corruption");

	ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0);
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
	ZSTD_compressStream2(z, &to, &in, ZSTD_e_end);
	ok(floe_codec_inflate(&inflater, FLOE_CODEC_ZSTD, packed, to.pos, &out, &st) && out.len == 4000,
	   "zstd without content size");
	in.pos = 0;
	ZSTD_compressStream2(z, &to, &in, ZSTD_e_end);
	ok(floe_codec_inflate(&inflater, FLOE_CODEC_ZSTD, packed, to.pos, &out, &st) && out.len == 8000,
	   "zstd in two frames");
	packed[to.pos] = 'x';
	ok(!floe_codec_inflate(&inflater, FLOE_CODEC_ZSTD, packed, to.pos + 1, &out, &st) && st.code == FLOE_ERR_CORRUPT,
	   "zstd followed by garbage");
	ZSTD_freeCCtx(z);

	ok(!floe_codec_by_name("bzip2", 5, &codec, &st) && st.code == FLOE_ERR_UNSUPPORTED, "an unknown codec");
	is_str(st.message, "compression codec \"bzip2\" is not supported", "is named");
	ok(!floe_codec_by_name("nul", 3, &codec, &st) && !floe_codec_by_name("nulll", 5, &codec, &st) &&
		   !floe_codec_by_name("", 0, &codec, &st),
	   "names are compared whole");
	floe_buf_free(&out);
	floe_inflater_free(&inflater);
	free(plain);
}

static void
test_hash(void)
{
	/* From the reference implementation's test vectors: key 00..0f, input 00, 01, 02 … */
	static const FloeHashKey key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	static const struct
	{
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},  {7, UINT64_C(0xab0200f58b01d137)},
		{8, UINT64_C(0x93f5f5799a932462)},  {15, UINT64_C(0xa129ca6149be45e5)}, {16, UINT64_C(0x3f2acc7f57c29bdb)},
		{63, UINT64_C(0x958a324ceb064572)},
	};
	uint8_t input[64];
	FloeHashKey a, b;

	for (int i = 0; i < 64; i++)
		input[i] = (uint8_t) i;
	for (size_t i = 0; i < lengthof(vectors); i++)
		ok(floe_hash_bytes(&key, input, vectors[i].len) == vectors[i].hash, "SipHash-2-4 of %zu bytes", vectors[i].len);
	ok(floe_hash_path("s3://b/f.parquet", 16) == UINT64_C(0x92ab03fe5972017b), "the hash of a path never changes");
	ok(floe_hash_random_key(&a) && floe_hash_random_key(&b) && memcmp(&a, &b, sizeof(a)) != 0, "random keys differ");
}

static void
test_index(void)
{
	FloeArena *arena = floe_arena_new(1024 * 1024);
	FloeIndex index;
	uint32_t probe, pos;
	bool good = true;

	floe_index_init(&index, arena);
	probe = 0;
	ok(!floe_index_next(&index, 1, &probe, &pos), "nothing in an empty index");
	for (uint32_t i = 0; i < 10000; i++)
		good &= floe_index_add(&index, (uint64_t) (i / 2) * UINT64_C(0x9E3779B97F4A7C15), i);
	ok(good, "10,000 positions are added");
	for (uint32_t i = 0; i < 5000; i++)
	{
		uint64_t hash = (uint64_t) i * UINT64_C(0x9E3779B97F4A7C15);
		uint32_t first;

		probe = 0;
		good &= floe_index_next(&index, hash, &probe, &first) && first / 2 == i;
		good &= floe_index_next(&index, hash, &probe, &pos) && pos / 2 == i && pos != first;
		good &= !floe_index_next(&index, hash, &probe, &pos);
	}
	ok(good, "both positions of every hash are found, and no more");
	floe_arena_free(arena);

	arena = floe_arena_new(4000);
	floe_index_init(&index, arena);
	for (pos = 0; floe_index_add(&index, pos, pos); pos++)
		;
	probe = 0;
	ok(pos > 40 && floe_index_next(&index, 40, &probe, &pos) && pos == 40,
	   "an index that may not grow refuses and stays as it was");
	floe_arena_free(arena);
}

int
main(void)
{
	test_round_trip();
	test_damage();
	test_bomb();
	test_variants();
	test_hash();
	test_index();
	return tap_done();
}
