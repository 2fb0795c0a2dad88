/*
 * test_protobuf.c: Protocol Buffers on the wire: what is written is read, and what is malformed is not.
 */
#include "floe.h"

#include "base/protobuf.h"

#include "tap.h"

static void
test_round_trip(void)
{
	static const uint64_t numbers[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX};
	FloeBuf buf;
	FloeBuf inner;
	FloeProtoField field;
	FloeCursor c;
	char text[8];

	floe_buf_init(&buf, 1024);
	floe_buf_init(&inner, 1024);
	for (size_t i = 0; i < lengthof(numbers); i++)
		floe_proto_put_uint(&buf, (uint32_t) (i + 1) * 1000, numbers[i]);
	floe_proto_put_text(&inner, 2, "two");
	floe_proto_put_text(&inner, 2, "deux");
	floe_proto_put_message(&buf, 536870911, &inner);
	floe_cursor_init(&c, buf.data, buf.len);
	for (size_t i = 0; i < lengthof(numbers); i++)
		ok(floe_proto_next(&c, &field) && field.number == (i + 1) * 1000 && field.wire == FLOE_PROTO_VARINT &&
			   field.value == numbers[i],
		   "number %llu", (unsigned long long) numbers[i]);
	ok(floe_proto_next(&c, &field) && field.number == 536870911 && field.len == inner.len, "a message");
	ok(floe_proto_find(floe_proto_open(&field), 2, &field), "a field by its number");
	floe_proto_copy(&field, text, sizeof(text));
	is_str(text, "deux", "of several the last one counts");
	ok(!floe_proto_next(&c, &field) && !c.bad, "the end is no error");

	floe_buf_free(&inner);
	floe_buf_init(&inner, 2);
	floe_proto_put_text(&inner, 1, "too long for its buffer");
	floe_proto_put_message(&buf, 1, &inner);
	ok(buf.failed, "a message that did not fit makes the one around it fail");
	floe_buf_free(&inner);
	floe_buf_free(&buf);
}

static void
test_malformed(void)
{
	static const struct
	{
		const char *name;
		const char *bytes;
		size_t len;
	} cases[] = {
		{"a tag that is cut off", "\x80", 1},
		{"number zero", "\x00\x01", 2},
		{"a number beyond 2^29", "\x80\x80\x80\x80\x10\x01", 6},
		{"a varint of eleven bytes", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
		{"text that is longer than the input",
		 "\x0a\x05"
		 "abcd",
		 6},
		{"text of 2^64-1 bytes",
		 "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
		 "a",
		 12},
		{"a group", "\x0b\x0c", 2},
		{"the end of a group", "\x0c", 1},
		{"an unknown type", "\x0e\x01", 2},
		{"four bytes that are three", "\x0d\x01\x02\x03", 4},
		{"eight bytes that are seven", "\x09\x01\x02\x03\x04\x05\x06\x07", 8},
	};
	FloeProtoField field;
	FloeCursor c;
	char text[4];

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		floe_cursor_init(&c, cases[i].bytes, cases[i].len);
		ok(!floe_proto_next(&c, &field) && c.bad, "%s", cases[i].name);
		ok(!floe_proto_next(&c, &field) && c.bad, "%s: and it stays so", cases[i].name);
		floe_cursor_init(&c, cases[i].bytes, cases[i].len);
		ok(!floe_proto_find(c, 1, &field), "%s: nothing is found in it", cases[i].name);
	}
	floe_cursor_init(&c, "\x0d\x04\x03\x02\x01\x09\x08\x07\x06\x05\x04\x03\x02\x01", 14);
	ok(floe_proto_next(&c, &field) && field.value == 0x01020304, "fixed32 is little-endian");
	ok(floe_proto_next(&c, &field) && field.value == UINT64_C(0x0102030405060708), "and fixed64");
	c = floe_proto_open(&field);
	ok(floe_cursor_left(&c) == 0, "a number has no inside");
	floe_proto_copy(&field, text, sizeof(text));
	is_str(text, "", "and is no text");
}

int
main(void)
{
	test_round_trip();
	test_malformed();
	return tap_done();
}
