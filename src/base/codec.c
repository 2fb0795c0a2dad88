/*
 * codec.c: one-shot bounded decompression over libdeflate, libzstd and libsnappy.
 */
#include "floe.h"

#include "base/codec.h"
#include "base/utf8.h"

#include <libdeflate.h>
#include <snappy-c.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

/* The smallest first guess at the size of the output: several Avro blocks of the usual 64 kB. */
#define FIRST_GUESS ((size_t) 256 * 1024)

/* What a decoder may allocate for back references: zstd's own default limit. */
#define ZSTD_WINDOW_LOG 27

/*
 * Writers in Python cut the header and only the last byte of the trailer off
 * a zlib stream, so three bytes of its checksum follow the deflate data.
 */
#define DEFLATE_TRAILER 4

void
floe_inflater_free(FloeInflater *inflater)
{
	libdeflate_free_decompressor(inflater->deflate);
	ZSTD_freeDCtx(inflater->zstd);
	memset(inflater, 0, sizeof(*inflater));
}

bool
floe_codec_by_name(const char *name, size_t len, FloeCodec *codec, FloeStatus *st)
{
	static const struct
	{
		const char *name;
		FloeCodec codec;
	} codecs[] = {
		{"null", FLOE_CODEC_NULL},
		{"deflate", FLOE_CODEC_DEFLATE},
		{"zstandard", FLOE_CODEC_ZSTD},
		{"snappy", FLOE_CODEC_SNAPPY},
	};
	char shown[32];

	for (size_t i = 0; i < lengthof(codecs); i++)
	{
		if (strlen(codecs[i].name) == len && memcmp(codecs[i].name, name, len) == 0)
		{
			*codec = codecs[i].codec;
			return true;
		}
	}
	floe_copy_text(shown, sizeof(shown), name, len);
	floe_utf8_repair(shown);
	return floe_fail(st, FLOE_ERR_UNSUPPORTED, "compression codec \"%s\" is not supported", shown);
}

static bool
fail_too_large(FloeStatus *st, const FloeBuf *out)
{
	return floe_fail(st, FLOE_ERR_TOO_LARGE, "a compressed block inflates to more than %zu bytes", out->cap);
}

static bool
fail_no_memory(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_NOMEM, "out of memory while inflating a block");
}

/* Empties out and makes room for size bytes. */
static bool
make_room(FloeBuf *out, size_t size, FloeStatus *st)
{
	floe_buf_reset(out);
	if (floe_buf_reserve(out, size) == NULL)
		return out->over_cap ? fail_too_large(st, out) : fail_no_memory(st);
	return true;
}

static void
set_length(FloeBuf *out, size_t len)
{
	out->len = len;
	out->data[len] = '\0';
}

/*
 * Raw deflate does not say how long the output is: guess, and start over with
 * twice the room.  All attempts together cost less than two of the last one.
 */
static bool
inflate_deflate(FloeInflater *inflater, const void *data, size_t len, FloeBuf *out, FloeStatus *st)
{
	size_t room = Max(FIRST_GUESS, out->size > 0 ? out->size - 1 : 0);

	if (len < out->cap / 4)
		room = Max(room, len * 4);
	if (inflater->deflate == NULL)
		inflater->deflate = libdeflate_alloc_decompressor();
	if (inflater->deflate == NULL)
		return fail_no_memory(st);
	for (;;)
	{
		enum libdeflate_result result;
		size_t consumed, produced;

		room = Min(room, out->cap);
		if (!make_room(out, room, st))
			return false;
		result = libdeflate_deflate_decompress_ex(inflater->deflate, data, len, out->data, room, &consumed, &produced);
		if (result == LIBDEFLATE_SUCCESS)
		{
			if (len - consumed > DEFLATE_TRAILER)
				return floe_fail(st, FLOE_ERR_CORRUPT, "deflate data is followed by %zu more bytes", len - consumed);
			set_length(out, produced);
			return true;
		}
		if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
			return floe_fail(st, FLOE_ERR_CORRUPT, "invalid deflate data");
		if (room >= out->cap)
			return fail_too_large(st, out);
		room = room > out->cap / 2 ? out->cap : room * 2;
	}
}

/* By the streaming interface, because a frame need not say how long its content is. */
static bool
inflate_zstd(FloeInflater *inflater, const void *data, size_t len, FloeBuf *out, FloeStatus *st)
{
	ZSTD_inBuffer in = {data, len, 0};
	size_t hint = 1;

	if (inflater->zstd == NULL)
		inflater->zstd = ZSTD_createDCtx();
	if (inflater->zstd == NULL)
		return fail_no_memory(st);
	if (ZSTD_isError(ZSTD_DCtx_reset(inflater->zstd, ZSTD_reset_session_only)) ||
		ZSTD_isError(ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)))
		return floe_fail(st, FLOE_ERR_INTERNAL, "zstd refuses its parameters");
	if (!make_room(out, Min(FIRST_GUESS, out->cap), st))
		return false;
	for (;;)
	{
		ZSTD_outBuffer to = {out->data, Min(out->size - 1, out->cap), out->len};
		size_t in_before = in.pos, out_before = to.pos;

		hint = ZSTD_decompressStream(inflater->zstd, &to, &in);
		if (ZSTD_isError(hint))
			return floe_fail(st,
							 ZSTD_getErrorCode(hint) == ZSTD_error_frameParameter_windowTooLarge ? FLOE_ERR_TOO_LARGE
																								 : FLOE_ERR_CORRUPT,
							 "invalid zstd data: %s", ZSTD_getErrorName(hint));
		set_length(out, to.pos);
		if (hint == 0 && in.pos == len)
			return true;
		if (to.pos == to.size)
		{
			size_t more = Min(out->size, out->cap - out->len);

			if (more == 0)
				return fail_too_large(st, out);
			if (floe_buf_reserve(out, more) == NULL)
				return fail_no_memory(st);
		}
		else if (in.pos == len || (in.pos == in_before && to.pos == out_before))
			return floe_fail(st, FLOE_ERR_CORRUPT, "zstd data ends too early");
	}
}

static bool
inflate_snappy(const void *data, size_t len, FloeBuf *out, FloeStatus *st)
{
	const uint8_t *crc;
	size_t size;

	if (len < 4 || snappy_uncompressed_length(data, len - 4, &size) != SNAPPY_OK)
		return floe_fail(st, FLOE_ERR_CORRUPT, "invalid snappy data");
	if (size > out->cap)
		return fail_too_large(st, out);
	if (!make_room(out, size, st))
		return false;
	if (snappy_uncompress(data, len - 4, out->data, &size) != SNAPPY_OK)
		return floe_fail(st, FLOE_ERR_CORRUPT, "invalid snappy data");
	crc = (const uint8_t *) data + len - 4;
	if (libdeflate_crc32(0, out->data, size) !=
		((uint32_t) crc[0] << 24 | (uint32_t) crc[1] << 16 | (uint32_t) crc[2] << 8 | crc[3]))
		return floe_fail(st, FLOE_ERR_CORRUPT, "snappy data does not match its checksum");
	set_length(out, size);
	return true;
}

bool
floe_codec_inflate(FloeInflater *inflater, FloeCodec codec, const void *data, size_t len, FloeBuf *out, FloeStatus *st)
{
	switch (codec)
	{
		case FLOE_CODEC_NULL:
			if (!make_room(out, len, st))
				return false;
			if (len > 0)
				memcpy(out->data, data, len);
			set_length(out, len);
			return true;
		case FLOE_CODEC_DEFLATE:
			return inflate_deflate(inflater, data, len, out, st);
		case FLOE_CODEC_ZSTD:
			return inflate_zstd(inflater, data, len, out, st);
		case FLOE_CODEC_SNAPPY:
			return inflate_snappy(data, len, out, st);
	}
	return floe_fail(st, FLOE_ERR_INTERNAL, "codec %d does not exist", (int) codec);
}
