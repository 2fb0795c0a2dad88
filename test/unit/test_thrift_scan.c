/*
 * test_thrift_scan.c: where Thrift messages end, for random messages in random pieces, and for damaged ones.
 */
#include "floe.h"

#include "base/thrift_scan.h"

#include <stdlib.h>

#include "tap.h"

static uint64_t seed = 1;

static uint32_t
pick(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) ((seed >> 33) % below);
}

static FloeThriftType
pick_type(int depth)
{
	static const FloeThriftType types[] = {
		FLOE_THRIFT_BOOL,   FLOE_THRIFT_I8,     FLOE_THRIFT_DOUBLE, FLOE_THRIFT_I16, FLOE_THRIFT_I32,  FLOE_THRIFT_I64,
		FLOE_THRIFT_STRING, FLOE_THRIFT_STRUCT, FLOE_THRIFT_MAP,    FLOE_THRIFT_SET, FLOE_THRIFT_LIST,
	};

	return types[pick(depth > 4 ? 7 : lengthof(types))];
}

static void
write_value(FloeBuf *out, FloeThriftType type, int depth)
{
	static const char zeros[200];
	FloeThriftType first = pick_type(depth + 1);
	FloeThriftType second = pick_type(depth + 1);
	uint32_t n = pick(4);

	switch (type)
	{
		case FLOE_THRIFT_BOOL:
		case FLOE_THRIFT_I8:
			floe_thrift_write_i8(out, 1);
			break;
		case FLOE_THRIFT_I16:
			floe_thrift_write_i16(out, 1);
			break;
		case FLOE_THRIFT_I32:
			floe_thrift_write_i32(out, 1);
			break;
		case FLOE_THRIFT_I64:
		case FLOE_THRIFT_DOUBLE:
			floe_thrift_write_i64(out, 1);
			break;
		case FLOE_THRIFT_STRING:
			floe_thrift_write_binary(out, zeros, pick(sizeof(zeros)));
			break;
		case FLOE_THRIFT_LIST:
		case FLOE_THRIFT_SET:
			floe_thrift_write_list(out, first, n);
			for (uint32_t i = 0; i < n; i++)
				write_value(out, first, depth + 1);
			break;
		case FLOE_THRIFT_MAP:
			floe_thrift_write_map(out, first, second, n);
			for (uint32_t i = 0; i < n * 2; i++)
				write_value(out, i % 2 == 0 ? first : second, depth + 1);
			break;
		default:
			for (uint32_t i = 0; i < n; i++)
			{
				FloeThriftType field = pick_type(depth + 1);

				floe_thrift_write_field(out, field, (int16_t) i);
				write_value(out, field, depth + 1);
			}
			floe_thrift_write_stop(out);
	}
}

static void
test_random(void)
{
	int wrong = 0;
	size_t longest = 0;

	for (int round = 0; round < 2000; round++)
	{
		FloeThriftScan scan = {0};
		FloeThriftScanResult result = FLOE_THRIFT_SCAN_MORE;
		FloeBuf message;
		size_t len;
		size_t at = 0;
		size_t used = 0;

		floe_buf_init(&message, 1 << 20);
		floe_thrift_write_message(&message, "get_tables", FLOE_THRIFT_REPLY, round);
		write_value(&message, FLOE_THRIFT_STRUCT, 0);
		len = message.len;
		longest = Max(longest, len);
		/* what follows is the next message's */
		floe_buf_append(&message, "\x80\x01", 2);
		while (at < message.len && result == FLOE_THRIFT_SCAN_MORE)
		{
			size_t piece = Min(1 + pick(round % 3 == 0 ? 1 : 50), message.len - at);

			used = 0;
			result = floe_thrift_scan(&scan, message.data + at, piece, &used);
			if (result == FLOE_THRIFT_SCAN_MORE)
				at += piece;
		}
		wrong += result != FLOE_THRIFT_SCAN_END || at + used != len;
		/* one byte less is not the whole */
		memset(&scan, 0, sizeof(scan));
		wrong += floe_thrift_scan(&scan, message.data, len - 1, &used) != FLOE_THRIFT_SCAN_MORE;
		floe_buf_free(&message);
	}
	is_int(wrong, 0, "2000 random messages in pieces end where they end");
	ok(longest > 1000, "the longest of them has %zu bytes", longest);
}

static void
test_refused(void)
{
#define BYTES(s) (s), sizeof(s) - 1
	static const struct
	{
		const char *what;
		const char *data;
		size_t len;
	} cases[] = {
		{"HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n")},
		{"SASL: a status and a length", BYTES("\x03\x00\x00\x00\x0fUnsupported mec")},
		{"the old encoding, without a version", BYTES("\x00\x00\x00\x04ping\x02\x00\x00\x00\x01\x00")},
		{"a name of two gigabytes", BYTES("\x80\x01\x00\x02\x7f\xff\xff\xff")},
		{"a negative length of a text",
		 BYTES("\x80\x01\x00\x02\x00\x00\x00\x01p\x00\x00\x00\x01\x0b\x00\x00\xff\xff\xff\xff")},
		{"a negative length of a list",
		 BYTES("\x80\x01\x00\x02\x00\x00\x00\x01p\x00\x00\x00\x01\x0f\x00\x00\x08\xff\xff\xff\xff")},
		{"a type that there is not", BYTES("\x80\x01\x00\x02\x00\x00\x00\x01p\x00\x00\x00\x01\x07\x00\x00")},
		{"elements of such a type",
		 BYTES("\x80\x01\x00\x02\x00\x00\x00\x01p\x00\x00\x00\x01\x0f\x00\x00\x01\x00\x00\x00\x01")},
	};
	FloeThriftScan scan = {0};
	FloeBuf deep;
	size_t used;

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		memset(&scan, 0, sizeof(scan));
		ok(floe_thrift_scan(&scan, cases[i].data, cases[i].len, &used) == FLOE_THRIFT_SCAN_BAD, "refused: %s",
		   cases[i].what);
	}
	floe_buf_init(&deep, 100000);
	floe_thrift_write_message(&deep, "p", FLOE_THRIFT_REPLY, 1);
	for (int i = 0; i < 10000; i++)
		floe_thrift_write_field(&deep, FLOE_THRIFT_STRUCT, 1);
	memset(&scan, 0, sizeof(scan));
	ok(floe_thrift_scan(&scan, deep.data, deep.len, &used) == FLOE_THRIFT_SCAN_BAD,
	   "refused: 10000 structs in each other");
	floe_buf_free(&deep);
#undef BYTES
}

int
main(void)
{
	test_random();
	test_refused();
	return tap_done();
}
