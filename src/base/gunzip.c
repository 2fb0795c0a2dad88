/*
 * gunzip.c: zlib's inflate over an arena.
 */
#include "floe.h"

#include "base/gunzip.h"

#include <zlib.h>

#define OUTPUT_SIZE ((size_t) 32 * 1024)
#define GZIP_ONLY 16 /* added to the window bits: no zlib wrapper, no raw deflate */

struct FloeGunzip
{
	z_stream stream;
	FloeGunzipSink sink;
	void *ctx;
	bool at_member_end;
	unsigned char output[OUTPUT_SIZE];
};

static void *
arena_zalloc(void *arena, uInt items, uInt size)
{
	return floe_arena_alloc(arena, (size_t) items * size);
}

static void
arena_zfree(void *arena, void *memory)
{
	/* all at once, with the arena */
}

FloeGunzip *
floe_gunzip_new(FloeArena *arena, FloeGunzipSink sink, void *ctx)
{
	FloeGunzip *gunzip = floe_arena_alloc0(arena, sizeof(FloeGunzip));

	if (gunzip == NULL)
		return NULL;
	gunzip->sink = sink;
	gunzip->ctx = ctx;
	gunzip->stream.zalloc = arena_zalloc;
	gunzip->stream.zfree = arena_zfree;
	gunzip->stream.opaque = arena;
	if (inflateInit2(&gunzip->stream, MAX_WBITS + GZIP_ONLY) != Z_OK)
		return NULL;
	return gunzip;
}

/* Inflates what is in the input, up to the end of a member. */
static bool
inflate_member(FloeGunzip *gunzip, FloeStatus *st)
{
	z_stream *stream = &gunzip->stream;
	int result = Z_OK;

	/* a full output buffer may hide more than is left of the input */
	do
	{
		size_t len;

		stream->next_out = gunzip->output;
		stream->avail_out = OUTPUT_SIZE;
		result = inflate(stream, Z_NO_FLUSH);
		/* what stands before an error is handed over first, so that the answer does not depend on the pieces */
		len = OUTPUT_SIZE - stream->avail_out;
		if (len > 0 && !gunzip->sink(gunzip->ctx, gunzip->output, len, st))
			return false;
		if (result == Z_MEM_ERROR)
			return floe_fail(st, FLOE_ERR_TOO_LARGE, "no memory left for inflating gzip");
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			return floe_fail(st, FLOE_ERR_CORRUPT, "invalid gzip data: %s", stream->msg ? stream->msg : "dictionary");
	} while (result == Z_OK && (stream->avail_in > 0 || stream->avail_out == 0));
	gunzip->at_member_end = result == Z_STREAM_END;
	return true;
}

bool
floe_gunzip_feed(FloeGunzip *gunzip, const void *data, size_t len, FloeStatus *st)
{
	const Bytef *from = data;

	while (len > 0)
	{
		/* zlib counts in uInt */
		size_t piece = Min(len, (size_t) 1 << 30);

		gunzip->stream.next_in = (Bytef *) from;
		gunzip->stream.avail_in = (uInt) piece;
		do
		{
			if (gunzip->at_member_end)
				inflateReset(&gunzip->stream);
			gunzip->at_member_end = false;
			if (!inflate_member(gunzip, st))
				return false;
		} while (gunzip->stream.avail_in > 0);
		from += piece;
		len -= piece;
	}
	return true;
}

bool
floe_gunzip_finish(FloeGunzip *gunzip, FloeStatus *st)
{
	if (!gunzip->at_member_end)
		return floe_fail(st, FLOE_ERR_CORRUPT, "gzip data ends too early");
	return true;
}
