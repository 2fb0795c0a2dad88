/*
 * test_thrift.c: the Thrift binary codec and the repair of remote text.
 */
#include "floe.h"

#include "base/thrift.h"
#include "base/utf8.h"

#include "tap.h"

#define BYTES(s) (s), sizeof(s) - 1

static void
test_write(void)
{
	/* written out by hand from the protocol's specification */
	static const char want[] = "\x80\x01\x00\x01\x00\x00\x00\x04ping\x00\x00\x00\x07"
							   "\x02\x00\x01\x01"
							   "\x03\x00\x02\xFF"
							   "\x06\xFF\xFF\xFF\xFE"
							   "\x08\x00\x04\x80\x00\x00\x00"
							   "\x0A\x00\x05\x01\x02\x03\x04\x05\x06\x07\x08"
							   "\x04\x00\x06\x3F\xF8\x00\x00\x00\x00\x00\x00"
							   "\x0B\x00\x07\x00\x00\x00\x03\x00\xC3\xA9"
							   "\x0F\x00\x08\x08\x00\x00\x00\x01\x00\x00\x00\x2A"
							   "\x0D\x00\x09\x0B\x08\x00\x00\x00\x01\x00\x00\x00\x01k\x00\x00\x00\x01"
							   "\x00";
	FloeBuf buf;

	floe_buf_init(&buf, 1000);
	floe_thrift_write_message(&buf, "ping", FLOE_THRIFT_CALL, 7);
	floe_thrift_write_field(&buf, FLOE_THRIFT_BOOL, 1);
	floe_thrift_write_bool(&buf, true);
	floe_thrift_write_field(&buf, FLOE_THRIFT_I8, 2);
	floe_thrift_write_i8(&buf, -1);
	floe_thrift_write_field(&buf, FLOE_THRIFT_I16, -1);
	floe_thrift_write_i16(&buf, -2);
	floe_thrift_write_field(&buf, FLOE_THRIFT_I32, 4);
	floe_thrift_write_i32(&buf, INT32_MIN);
	floe_thrift_write_field(&buf, FLOE_THRIFT_I64, 5);
	floe_thrift_write_i64(&buf, 0x0102030405060708);
	floe_thrift_write_field(&buf, FLOE_THRIFT_DOUBLE, 6);
	floe_thrift_write_double(&buf, 1.5);
	floe_thrift_write_field(&buf, FLOE_THRIFT_STRING, 7);
	floe_thrift_write_binary(&buf, "\0\xC3\xA9", 3);
	floe_thrift_write_field(&buf, FLOE_THRIFT_LIST, 8);
	floe_thrift_write_list(&buf, FLOE_THRIFT_I32, 1);
	floe_thrift_write_i32(&buf, 42);
	floe_thrift_write_field(&buf, FLOE_THRIFT_MAP, 9);
	floe_thrift_write_map(&buf, FLOE_THRIFT_STRING, FLOE_THRIFT_I32, 1);
	floe_thrift_write_text(&buf, "k");
	floe_thrift_write_i32(&buf, 1);
	floe_thrift_write_stop(&buf);
	ok(buf.len == sizeof(want) - 1 && memcmp(buf.data, want, buf.len) == 0, "every type as the specification has it");
	floe_thrift_write_binary(&buf, "", (size_t) INT32_MAX + 1);
	ok(buf.failed, "more than a length field can say is refused");
	floe_buf_free(&buf);
}

static void
test_frame(void)
{
	FloeBuf buf;
	FloeStatus st;
	uint32_t length = 0;
	size_t start;

	floe_buf_init(&buf, 1000);
	floe_buf_text(&buf, "x");
	start = floe_thrift_frame_begin(&buf);
	floe_thrift_write_i32(&buf, 1);
	floe_thrift_write_i8(&buf, 2);
	floe_thrift_frame_end(&buf, start);
	ok(buf.len == 10 && memcmp(buf.data, "x\0\0\0\5\0\0\0\1\2", 10) == 0, "the frame's length is filled in");
	ok(floe_thrift_frame_length((const uint8_t *) buf.data + 1, 100, &length, &st) && length == 5, "and read back");
	ok(!floe_thrift_frame_length((const uint8_t *) "HTTP", 100, &length, &st) && st.code == FLOE_ERR_TOO_LARGE,
	   "another protocol announces a huge frame");
	ok(!floe_thrift_frame_length((const uint8_t *) "\xFF\xFF\xFF\xFF", UINT32_MAX, &length, &st) &&
		   st.code == FLOE_ERR_PROTOCOL,
	   "a negative length is refused whatever the limit");
	floe_buf_free(&buf);

	floe_buf_init(&buf, 5);
	start = floe_thrift_frame_begin(&buf);
	floe_thrift_write_i64(&buf, 1);
	floe_thrift_frame_end(&buf, start);
	ok(buf.failed, "a frame beyond the buffer's cap is not ended");
	floe_buf_free(&buf);
}

typedef struct SkipCase
{
	const char *name;
	uint8_t type;
	const char *bytes;
	size_t len;
	int left; /* after skipping; -1: refused */
} SkipCase;

static const SkipCase skips[] = {
	{"bool", FLOE_THRIFT_BOOL, BYTES("\1zz"), 2},
	{"i16", FLOE_THRIFT_I16, BYTES("\1\2zz"), 2},
	{"i64 cut off", FLOE_THRIFT_I64, BYTES("\1\2\3\4\5\6\7"), -1},
	{"double", FLOE_THRIFT_DOUBLE, BYTES("\1\2\3\4\5\6\7\10"), 0},
	{"empty string", FLOE_THRIFT_STRING, BYTES("\0\0\0\0z"), 1},
	{"string", FLOE_THRIFT_STRING, BYTES("\0\0\0\2abz"), 1},
	{"string longer than the input", FLOE_THRIFT_STRING, BYTES("\0\0\0\3ab"), -1},
	{"string of negative length", FLOE_THRIFT_STRING, BYTES("\xFF\xFF\xFF\xFF"), -1},
	{"empty struct", FLOE_THRIFT_STRUCT, BYTES("\0z"), 1},
	{"struct without stop", FLOE_THRIFT_STRUCT, BYTES("\2\0\1\1"), -1},
	{"struct in struct", FLOE_THRIFT_STRUCT, BYTES("\14\0\1\2\0\1\1\0\10\0\2\0\0\0\1\0z"), 1},
	{"list of i16", FLOE_THRIFT_LIST, BYTES("\6\0\0\0\2\1\1\2\2z"), 1},
	{"list that cannot fit", FLOE_THRIFT_LIST, BYTES("\6\0\0\0\3\1\1\2\2z"), -1},
	{"list of two billion structs", FLOE_THRIFT_LIST, BYTES("\14\x7F\xFF\xFF\xFF\0\0\0\0"), -1},
	{"list of negative length", FLOE_THRIFT_LIST, BYTES("\2\xFF\xFF\xFF\xFF\0\0\0\0"), -1},
	{"empty list of a type that does not exist", FLOE_THRIFT_LIST, BYTES("\0\0\0\0\0z"), 1},
	{"list of a type that does not exist", FLOE_THRIFT_LIST, BYTES("\1\0\0\0\1zzzz"), -1},
	{"set of lists", FLOE_THRIFT_SET, BYTES("\17\0\0\0\2\2\0\0\0\1\1\2\0\0\0\0z"), 1},
	{"empty map", FLOE_THRIFT_MAP, BYTES("\0\0\0\0\0\0z"), 1},
	{"map of i8 to string", FLOE_THRIFT_MAP, BYTES("\3\13\0\0\0\2\1\0\0\0\1a\2\0\0\0\0z"), 1},
	{"map whose values cannot fit", FLOE_THRIFT_MAP, BYTES("\3\13\0\0\0\2\1\0\0\0\0\2\0\0\0"), -1},
	{"map of structs to maps", FLOE_THRIFT_MAP, BYTES("\14\15\0\0\0\1\2\0\1\1\0\3\3\0\0\0\1\5\6z"), 1},
	{"stop is not a value", FLOE_THRIFT_STOP, BYTES("zzzz"), -1},
	{"void is not a value", 1, BYTES("zzzz"), -1},
	{"unknown type", 16, BYTES("zzzzzzzzzzzzzzzzzzzz"), -1},
};

static void
test_skip(void)
{
	FloeCursor c;
	char nested[5 * (FLOE_THRIFT_MAX_DEPTH + 1)];

	for (size_t i = 0; i < lengthof(skips); i++)
	{
		const SkipCase *s = &skips[i];

		floe_cursor_init(&c, s->bytes, s->len);
		floe_thrift_skip(&c, s->type);
		is_int(c.bad ? -1 : (long long) floe_cursor_left(&c), s->left, "skip %s", s->name);
	}

	/* lists of one list each; the innermost is an empty list of booleans */
	for (int depth = FLOE_THRIFT_MAX_DEPTH; depth <= FLOE_THRIFT_MAX_DEPTH + 1; depth++)
	{
		for (int i = 0; i < depth; i++)
			memcpy(nested + i * 5, i == depth - 1 ? "\2\0\0\0\0" : "\17\0\0\0\1", 5);
		floe_cursor_init(&c, nested, 5 * depth);
		floe_thrift_skip(&c, FLOE_THRIFT_LIST);
		ok(c.bad == (depth > FLOE_THRIFT_MAX_DEPTH), "%d lists inside each other", depth);
	}
}

typedef struct ReplyCase
{
	const char *name;
	const char *bytes;
	size_t len;
	FloeCode code;
	const char *detail;
} ReplyCase;

#define HEADER(kind) "\x80\x01\x00" kind "\0\0\0\4ping\0\0\0\7"

static const ReplyCase replies[] = {
	{"a reply", BYTES(HEADER("\2") "\0"), FLOE_OK, ""},
	{"an empty answer", BYTES(""), FLOE_ERR_PROTOCOL, ""},
	{"HTML", BYTES("<html><head><title>Login</title>"), FLOE_ERR_PROTOCOL, ""},
	{"the old protocol without version", BYTES("\0\0\0\4ping\2\0\0\0\7\0"), FLOE_ERR_PROTOCOL, ""},
	{"the compact protocol", BYTES("\x82\x41\x07\x04ping\x00"), FLOE_ERR_PROTOCOL, ""},
	{"a call", BYTES(HEADER("\1") "\0"), FLOE_ERR_PROTOCOL, ""},
	{"another method", BYTES("\x80\x01\x00\x02\0\0\0\4pong\0\0\0\7\0"), FLOE_ERR_PROTOCOL, ""},
	{"another sequence number", BYTES("\x80\x01\x00\x02\0\0\0\4ping\0\0\0\6\0"), FLOE_ERR_PROTOCOL, ""},
	{"unknown method", BYTES(HEADER("\3") "\13\0\1\0\0\0\2no\10\0\2\0\0\0\1\0"), FLOE_ERR_UNSUPPORTED, "no"},
	{"the call was not understood", BYTES(HEADER("\3") "\13\0\1\0\0\0\2no\10\0\2\0\0\0\7\0"), FLOE_ERR_PROTOCOL, "no"},
	{"internal error", BYTES(HEADER("\3") "\10\0\2\0\0\0\6\13\0\1\0\0\0\2no\0"), FLOE_ERR_SERVER, "no"},
	{"an exception of nothing", BYTES(HEADER("\3") "\0"), FLOE_ERR_SERVER, ""},
	{"an exception in bad UTF-8", BYTES(HEADER("\3") "\13\0\1\0\0\0\2\xFFo\0"), FLOE_ERR_SERVER, "?o"},
	{"an exception cut off", BYTES(HEADER("\3") "\13\0\1\0\0\0\2n"), FLOE_ERR_PROTOCOL, ""},
	{"a reply without end", BYTES(HEADER("\2") "\2\0\0"), FLOE_ERR_PROTOCOL, ""},
	{"a reply and more", BYTES(HEADER("\2") "\0z"), FLOE_ERR_PROTOCOL, ""},
};

static void
test_reply(void)
{
	for (size_t i = 0; i < lengthof(replies); i++)
	{
		const ReplyCase *r = &replies[i];
		FloeThriftField field;
		FloeCursor c;
		FloeStatus st;

		floe_status_ok(&st);
		if (floe_thrift_open_reply(&c, r->bytes, r->len, "ping", 7, &st))
		{
			while (floe_thrift_read_field(&c, &field))
				floe_thrift_skip(&c, field.type);
			(void) floe_thrift_close_reply(&c, "ping", &st);
		}
		is_str(floe_code_name(st.code), floe_code_name(r->code), "%s", r->name);
		is_str(st.detail, r->detail, "%s: detail", r->name);
	}
}

static void
test_read(void)
{
	FloeCursor c;
	FloeThriftText text;

	floe_cursor_init(&c, BYTES("\x3F\xF8\0\0\0\0\0\0\xFF\xFE\x80\0\0\0\0\0\0\2hi\0\0\0\0"));
	ok(floe_thrift_read_double(&c) == 1.5, "double");
	is_int(floe_thrift_read_i16(&c), -2, "negative i16");
	is_int(floe_thrift_read_i32(&c), INT32_MIN, "negative i32");
	text = floe_thrift_read_text(&c);
	ok(text.len == 2 && memcmp(text.data, "hi", 2) == 0, "text is a slice of the input");
	text = floe_thrift_read_text(&c);
	ok(text.len == 0 && text.data != NULL, "empty text");
	text = floe_thrift_read_text(&c);
	ok(c.bad && text.len == 0 && text.data != NULL, "text beyond the end is empty");
	is_int(floe_thrift_read_list(&c).count, 0, "a bad cursor has no elements");
}

static void
test_utf8(void)
{
	FloeBuf buf;
	char text[600];
	char want[8];

	floe_buf_init(&buf, 10000);
	ok(floe_utf8_is_valid(BYTES("aé\xF0\x9F\x98\x80")), "valid text");
	ok(!floe_utf8_is_valid(BYTES("a\0b")), "NUL is not text");
	ok(!floe_utf8_is_valid(BYTES("\xED\xA0\x80")), "neither is half a surrogate pair");
	floe_utf8_append(&buf, BYTES("a\xFF\0é\xC3"));
	is_str(buf.data, "a\xEF\xBF\xBD\xEF\xBF\xBDé\xEF\xBF\xBD", "what is invalid is replaced");

	/* characters across the border of the pieces in which the verifier is asked */
	for (int lead = 253; lead <= 256; lead++)
	{
		memset(text, 'x', sizeof(text));
		memcpy(text + lead, "\xF0\x9F\x98\x80", 4);
		ok(floe_utf8_is_valid(text, sizeof(text)), "four bytes at %d", lead);
		ok(!floe_utf8_is_valid(text, lead + 3), "three of them at %d", lead);
	}
	strcpy(want, "\xFF"
				 "a\xC3"
				 "é");
	floe_utf8_repair(want);
	is_str(want, "?a?é", "repair in place");
	floe_buf_free(&buf);
}

int
main(void)
{
	test_write();
	test_frame();
	test_skip();
	test_reply();
	test_read();
	test_utf8();
	return tap_done();
}
