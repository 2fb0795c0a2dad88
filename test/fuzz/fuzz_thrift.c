/*
 * fuzz_thrift.c: skipping and opening replies of the Thrift codec.
 *
 * The first byte chooses the type that is skipped.  Whatever the bytes are,
 * the cursor stays inside them, and a value that was skipped in one piece is
 * the same bytes when its fields are skipped one by one.
 */
#include "floe.h"

#include "base/thrift.h"

#include <stdlib.h>

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
	FloeCursor whole;
	FloeCursor parts;
	FloeThriftField field;
	FloeStatus st;

	if (size == 0)
		return 0;
	floe_cursor_init(&whole, data + 1, size - 1);
	floe_thrift_skip(&whole, data[0]);
	require(whole.pos <= whole.end);
	if (data[0] == FLOE_THRIFT_STRUCT)
	{
		floe_cursor_init(&parts, data + 1, size - 1);
		while (floe_thrift_read_field(&parts, &field))
			floe_thrift_skip(&parts, field.type);
		/* skipping in parts may go one level deeper */
		require(whole.bad || (!parts.bad && parts.pos == whole.pos));
	}
	if (floe_thrift_open_reply(&parts, data, size, "ping", 7, &st))
	{
		while (floe_thrift_read_field(&parts, &field))
			floe_thrift_skip(&parts, field.type);
		(void) floe_thrift_close_reply(&parts, "ping", &st);
	}
	return 0;
}
