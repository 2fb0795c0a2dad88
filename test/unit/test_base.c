/*
 * test_base.c: status, arena, buffer and cursor.
 */
#include "floe.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

#include "tap.h"

static void
test_status(void)
{
	FloeStatus st;
	char text[8];

	ok(!floe_fail(&st, FLOE_ERR_DNS, "cannot resolve \"%s\"", "h"), "floe_fail returns false");
	is_str(st.message, "cannot resolve \"h\"", "message is formatted");
	is_str(st.detail, "", "no detail");
	is_str(floe_phase_name(floe_code_phase(st.code)), "DNS", "phase of the code");
	floe_status_prefix(&st, "catalog \"%s\"", "demo");
	is_str(st.message, "catalog \"demo\": cannot resolve \"h\"", "prefix keeps the message");

	floe_copy_text(text, sizeof(text), "abcdef\xC3\xA9", 8);
	is_str(text, "abcdef", "a UTF-8 sequence is never cut");
	floe_copy_text(text, sizeof(text), "abcde\xC3\xA9xyz", 10);
	is_str(text, "abcde\xC3\xA9", "a sequence that fits is kept");
	for (int code = FLOE_OK; code <= FLOE_ERR_INTERNAL; code++)
		ok(floe_code_name(code) != NULL && strlen(floe_code_sqlstate(code)) == 5, "code %d has its row", code);
}

static void
test_arena(void)
{
	FloeArena *arena = floe_arena_new(100000);
	char *big;

	for (int i = 0; i < 1000; i++)
	{
		char *p = floe_arena_alloc(arena, 17);

		if (p == NULL || ((uintptr_t) p & 15) != 0)
		{
			ok(false, "piece %d", i);
			break;
		}
		memset(p, i, 17);
	}
	is_int(floe_arena_used(arena), 32000, "pieces are counted rounded up");
	big = floe_arena_alloc(arena, 40000);
	ok(big != NULL, "a big piece within the limit");
	memset(big, 1, 40000);
	ok(floe_arena_alloc(arena, 60000) == NULL, "beyond the limit");
	ok(floe_arena_alloc(arena, SIZE_MAX) == NULL, "size overflow");
	is_str(floe_arena_text(arena, "abcdef", 3), "abc", "terminated copy");
	floe_arena_reset(arena);
	is_int(floe_arena_used(arena), 0, "reset");
	ok(floe_arena_alloc(arena, 90000) != NULL, "all of it can be used again");
	floe_arena_free(arena);
	floe_arena_free(NULL);
}

static void
test_buf(void)
{
	FloeBuf buf;

	floe_buf_init(&buf, 10);
	ok(floe_buf_text(&buf, "12345") && floe_buf_printf(&buf, "%d", 678), "append within the cap");
	is_str(buf.data, "12345678", "content");
	ok(floe_buf_text(&buf, "90"), "exactly the cap");
	ok(!floe_buf_char(&buf, 'x') && buf.over_cap && buf.failed, "beyond the cap");
	is_str(buf.data, "1234567890", "what fitted stays");
	floe_buf_reset(&buf);
	ok(floe_buf_text(&buf, "a"), "usable again after reset");
	floe_buf_free(&buf);
	ok(buf.data == NULL && buf.cap == 10, "empty again after free");
}

static void
test_cursor(void)
{
	static const uint8_t varints[] = {0x00, 0x01, 0x02, 0x80, 0x01, 0xFF, 0xFF, 0xFF,
									  0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01};
	static const uint8_t too_long[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
	static const uint8_t too_big[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02};
	FloeCursor c;

	floe_cursor_init(&c, varints, sizeof(varints));
	is_int(floe_cursor_zigzag(&c), 0, "zigzag 0");
	is_int(floe_cursor_zigzag(&c), -1, "zigzag -1");
	is_int(floe_cursor_zigzag(&c), 1, "zigzag 1");
	is_int(floe_cursor_zigzag(&c), 64, "zigzag 64");
	is_int(floe_cursor_zigzag(&c), INT64_MIN, "zigzag of the smallest long");
	ok(!c.bad && floe_cursor_left(&c) == 0, "all read");
	floe_cursor_u8(&c);
	ok(c.bad, "one byte too many");
	floe_cursor_init(&c, too_long, sizeof(too_long));
	floe_cursor_varint(&c);
	ok(c.bad, "eleven bytes are refused");
	floe_cursor_init(&c, too_big, sizeof(too_big));
	floe_cursor_varint(&c);
	ok(c.bad, "more than 64 bits are refused");
	floe_cursor_init(&c, varints, 3);
	ok(floe_cursor_take(&c, SIZE_MAX) == NULL && c.bad, "a huge length is refused");
	ok(floe_cursor_left(&c) == 0, "a bad cursor has nothing left");
	floe_cursor_init(&c, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	is_int(floe_cursor_be64(&c), 0x0102030405060708, "big-endian 64");
}

int
main(void)
{
	test_status();
	test_arena();
	test_buf();
	test_cursor();
	return tap_done();
}
