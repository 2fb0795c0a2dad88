/*
 * codec.h: decompression of one block at a time, with a cap.
 *
 * What an Avro object container may hold (Avro specification, "Object
 * Container Files", Required and Optional Codecs), as far as Iceberg writers
 * use it.  Separate from the Avro reader because the same rules hold for every
 * compressed thing from outside: the output never exceeds the cap of the
 * caller's buffer however little was sent, and what is not exactly one
 * compressed block is refused.
 */
#ifndef FLOE_BASE_CODEC_H
#define FLOE_BASE_CODEC_H

#include "base/buf.h"
#include "base/status.h"

typedef enum FloeCodec
{
	FLOE_CODEC_NULL,    /* stored as it is */
	FLOE_CODEC_DEFLATE, /* RFC 1951, no zlib header */
	FLOE_CODEC_ZSTD,
	FLOE_CODEC_SNAPPY /* followed by the big-endian CRC-32 of the uncompressed bytes */
} FloeCodec;

/* Reusable state of the libraries; made on first use.  Zero-initialised is valid. */
typedef struct FloeInflater
{
	struct libdeflate_decompressor *deflate;
	struct ZSTD_DCtx_s *zstd;
} FloeInflater;

extern void floe_inflater_free(FloeInflater *inflater); /* and makes it zero again */

/* By the name in "avro.codec"; UNSUPPORTED when floe does not read it. */
extern bool floe_codec_by_name(const char *name, size_t len, FloeCodec *codec, FloeStatus *st);

/*
 * Replaces the content of out by the decompressed bytes; the cap of out holds.
 * CORRUPT when the input is not one complete block of the codec, TOO_LARGE
 * when it inflates beyond the cap (or wants a window beyond 128 MiB), NOMEM.
 */
extern bool floe_codec_inflate(FloeInflater *inflater, FloeCodec codec, const void *data, size_t len, FloeBuf *out,
							   FloeStatus *st);

#endif /* FLOE_BASE_CODEC_H */
