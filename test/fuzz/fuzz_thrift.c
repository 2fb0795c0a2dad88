/*
 * fuzz_thrift.c: skipping and opening replies of the Thrift codec.
 *
 * The first byte chooses the type that is skipped.  Whatever the bytes are,
 * the cursor stays inside them, and a value that was skipped in one piece is
 * the same bytes when its fields are skipped one by one.  Where a message ends
 * does not depend on the pieces in which it comes, and is where skipping ends.
 */
#include "floe.h"

#include "base/thrift_scan.h"

#include <stdlib.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool held)
{
	if (!held)
		abort();
}

static void
check_scan(const uint8_t *data, size_t size)
{
	FloeThriftScan whole = {0};
	FloeThriftScan parts = {0};
	size_t cut = size / 2;
	size_t end = 0;
	size_t used = 0;
	FloeThriftScanResult result = floe_thrift_scan(&whole, data, size, &end);
	FloeThriftScanResult first = floe_thrift_scan(&parts, data, cut, &used);
	FloeCursor c;

	if (first == FLOE_THRIFT_SCAN_MORE)
	{
		require(floe_thrift_scan(&parts, data + cut, size - cut, &used) == result);
		used += cut;
	}
	else
		require(first == result);
	require(result != FLOE_THRIFT_SCAN_END || (used == end && end <= size));
	floe_cursor_init(&c, data, size);
	floe_cursor_skip(&c, 4);
	floe_cursor_skip(&c, floe_cursor_be32(&c));
	floe_cursor_skip(&c, 4);
	floe_thrift_skip(&c, FLOE_THRIFT_STRUCT);
	require(c.bad || result != FLOE_THRIFT_SCAN_END || c.pos == data + end);
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
	check_scan(data, size);
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
