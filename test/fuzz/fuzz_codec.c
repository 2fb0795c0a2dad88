/*
 * fuzz_codec.c: decompression of one block; the first byte chooses the codec.
 *
 * Whatever the bytes are, the output stays below the cap, and the result is
 * the same when the decompressor is used again.
 */
#include "floe.h"

#include "base/codec.h"

#include <stdlib.h>

#define CAP ((size_t) 1024 * 1024)

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool held)
{
	if (!held)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FloeInflater inflater;
	FloeBuf first, second;
	FloeStatus st;
	bool done;

	if (size == 0)
		return 0;
	floe_buf_init(&first, CAP);
	floe_buf_init(&second, CAP);
	done = floe_codec_inflate(&inflater, (FloeCodec) (data[0] % 4), data + 1, size - 1, &first, &st);
	require(first.len <= CAP && first.size <= CAP + 1);
	require(done || st.code == FLOE_ERR_CORRUPT || st.code == FLOE_ERR_TOO_LARGE);
	require(done == floe_codec_inflate(&inflater, (FloeCodec) (data[0] % 4), data + 1, size - 1, &second, &st));
	require(!done || (first.len == second.len && memcmp(first.data, second.data, first.len) == 0));
	floe_buf_free(&first);
	floe_buf_free(&second);
	return 0;
}
