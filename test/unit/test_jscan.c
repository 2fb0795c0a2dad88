/*
 * test_jscan.c: the push scanner for JSON.
 *
 * Every case is scanned in one piece, cut in two at every place, and byte by
 * byte: the events must be the same.  It is also skipped as the value of a
 * key, where it must be accepted or refused just the same.
 */
#include "floe.h"

#include "base/jscan.h"

#include "jscan_cases.h"
#include "tap.h"

#include <stdlib.h>

/* What a scan did, as text: { [ ) for open and close, then k… s… n… and t f 0 for the rest. */
typedef struct Trace
{
	FloeJscan scan;
	FloeBuf text;
	const char *skip_key;    /* skip the value of this key */
	const char *capture_key; /* capture it */
	const char *fail_key;    /* refuse it */
	int skip_open;           /* skip the rest of the n-th object or array, from 1 */
	int opened;
	FloeBuf captured;
	uint64_t closed_at; /* offset at the last close */
} Trace;

static void
quote(Trace *t, char what, const char *text, size_t len)
{
	floe_buf_char(&t->text, what);
	for (size_t i = 0; i < len; i++)
	{
		if ((unsigned char) text[i] >= ' ')
			floe_buf_char(&t->text, text[i]);
		else
			floe_buf_printf(&t->text, "<%02x>", (unsigned char) text[i]);
	}
	floe_buf_char(&t->text, ' ');
}

static bool
on_open(void *ctx, bool is_array, FloeStatus *st)
{
	Trace *t = ctx;

	floe_buf_char(&t->text, is_array ? '[' : '{');
	if (++t->opened == t->skip_open)
	{
		if (t->capture_key != NULL)
			floe_jscan_capture(&t->scan, &t->captured);
		else
			floe_jscan_skip(&t->scan);
	}
	return true;
}

static bool
on_close(void *ctx, FloeStatus *st)
{
	Trace *t = ctx;

	t->closed_at = floe_jscan_offset(&t->scan);
	return floe_buf_char(&t->text, ')');
}

static bool
is_key(const char *key, const char *text, size_t len)
{
	return key != NULL && strlen(key) == len && memcmp(key, text, len) == 0;
}

static bool
on_key(void *ctx, const char *text, size_t len, FloeStatus *st)
{
	Trace *t = ctx;

	quote(t, 'k', text, len);
	if (is_key(t->skip_key, text, len))
		floe_jscan_skip(&t->scan);
	if (is_key(t->capture_key, text, len))
		floe_jscan_capture(&t->scan, &t->captured);
	if (is_key(t->fail_key, text, len))
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "refused");
	return true;
}

static bool
on_string(void *ctx, const char *text, size_t len, FloeStatus *st)
{
	quote(ctx, 's', text, len);
	return true;
}

static bool
on_number(void *ctx, FloeJscanNumber kind, int64_t value, FloeStatus *st)
{
	Trace *t = ctx;

	if (kind == FLOE_JSCAN_INTEGER)
		return floe_buf_printf(&t->text, "n%lld ", (long long) value);
	return floe_buf_text(&t->text, kind == FLOE_JSCAN_FRACTION ? "n. " : "n! ");
}

static bool
on_literal(void *ctx, FloeJscanLiteral literal, FloeStatus *st)
{
	Trace *t = ctx;

	return floe_buf_char(&t->text, "ft0"[literal]);
}

static const FloeJscanHandler handler = {on_open, on_close, on_key, on_string, on_number, on_literal};

static void
trace_init(Trace *t, FloeArena *arena, const FloeJscanLimits *limits)
{
	memset(t, 0, sizeof(*t));
	floe_buf_init(&t->text, 100000);
	floe_buf_init(&t->captured, 1000);
	floe_jscan_init(&t->scan, &handler, t, limits, arena);
}

static void
trace_free(Trace *t)
{
	floe_buf_free(&t->text);
	floe_buf_free(&t->captured);
}

static bool
feed(Trace *t, const char *json, size_t len, FloeStatus *st)
{
	/* a copy of exactly this length, so that a read beyond it is seen */
	char *copy = malloc(len + (len == 0));
	bool ok;

	memcpy(copy, json, len);
	ok = floe_jscan_feed(&t->scan, copy, len, st);
	free(copy);
	return ok;
}

/* Scans json cut at `cut` (SIZE_MAX: into single bytes). */
static bool
scan_cut(Trace *t, const char *json, size_t len, size_t cut, FloeStatus *st)
{
	if (cut == SIZE_MAX)
	{
		for (size_t i = 0; i < len; i++)
		{
			if (!feed(t, json + i, 1, st))
				return false;
		}
		return floe_jscan_finish(&t->scan, st);
	}
	return feed(t, json, cut, st) && feed(t, json + cut, len - cut, st) && floe_jscan_finish(&t->scan, st);
}

/* Number of ways to cut a case in which the scan was not what it should be. */
static int
count_wrong_cuts(FloeArena *arena, const char *json, size_t len, const char *want)
{
	int wrong = 0;

	for (size_t cut = 0; cut <= len + 1; cut++)
	{
		Trace t;
		FloeStatus st;
		bool ok;

		trace_init(&t, arena, &floe_jscan_default_limits);
		ok = scan_cut(&t, json, len, cut > len ? SIZE_MAX : cut, &st);
		if (ok != (want != NULL) || (ok && strcmp(t.text.data, want) != 0))
		{
			if (wrong++ == 0)
				printf("# cut at %zu: %s, %s\n", cut, ok ? "accepted" : st.message, t.text.data ? t.text.data : "");
		}
		if (!ok && st.code != FLOE_ERR_CORRUPT)
			wrong++;
		trace_free(&t);
		floe_arena_reset(arena);
	}
	return wrong;
}

/* Scans {"x":json,"y":1} without events for x. */
static bool
skips(FloeArena *arena, const char *json, size_t len)
{
	FloeBuf doc;
	Trace t;
	FloeStatus st;
	bool ok;

	floe_buf_init(&doc, 10000);
	floe_buf_text(&doc, "{\"x\":");
	floe_buf_append(&doc, json, len);
	floe_buf_text(&doc, ",\"y\":1}");
	trace_init(&t, arena, &floe_jscan_default_limits);
	t.skip_key = "x";
	ok = scan_cut(&t, doc.data, doc.len, 0, &st) && strcmp(t.text.data, "{kx ky n1 )") == 0;
	trace_free(&t);
	floe_buf_free(&doc);
	floe_arena_reset(arena);
	return ok;
}

/* The case as the name of a test: one line. */
static const char *
name_of(const Case *c)
{
	static char name[200];

	snprintf(name, sizeof(name), "%s", c->json);
	for (char *p = name; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ')
			*p = '~';
	}
	return name;
}

static void
test_conformance(FloeArena *arena)
{
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		const Case *c = &cases[i];
		size_t len = c->len > 0 ? c->len : strlen(c->json);
		FloeStatus st;

		is_int(count_wrong_cuts(arena, c->json, len, c->want), 0, "%s %s", c->want ? "accepts" : "refuses", name_of(c));
		ok(floe_jscan_check(c->json, len, &floe_jscan_default_limits, &st) == (c->want != NULL), "checks %s",
		   name_of(c));
		ok(skips(arena, c->json, len) == (c->want != NULL), "skips %s", name_of(c));
	}
}

/* A document with everything in it: the same events at every pair of cuts. */
static void
test_splits(FloeArena *arena)
{
	static const char json[] =
		"{ \"format-version\" : 2,\"a\\u00e9\\uD83D\\uDE00\xC3\xA9\":[-12.5e+3,0,true , false,null,\"\\\\\\\"\"],"
		"\"snapshots\":[{\"snapshot-id\":3051729675574597004,\"summary\":{\"operation\":\"append\"}},{}],\"x\":{\"y\":["
		"]}}";
	const char *want =
		"{kformat-version n2 ka\xC3\xA9\xF0\x9F\x98\x80\xC3\xA9 [n. n0 tf0s\\\" )ksnapshots [{ksnapshot-id "
		"n3051729675574597004 ksummary {koperation sappend )){))kx {ky [)))";
	size_t len = sizeof(json) - 1;
	int wrong = 0;

	for (size_t a = 0; a <= len; a++)
	{
		for (size_t b = a; b <= len; b++)
		{
			Trace t;
			FloeStatus st;

			trace_init(&t, arena, &floe_jscan_default_limits);
			if (!feed(&t, json, a, &st) || !feed(&t, json + a, b - a, &st) || !feed(&t, json + b, len - b, &st) ||
				!floe_jscan_finish(&t.scan, &st) || strcmp(t.text.data, want) != 0 || t.closed_at != len)
				wrong++;
			trace_free(&t);
			floe_arena_reset(arena);
		}
	}
	is_int(wrong, 0, "the same events at every two cuts of %zu bytes", len);
}

typedef struct CaptureCase
{
	const char *json;
	int open; /* capture from the n-th open; 0: the value of "c" */
	const char *captured;
	const char *want;
} CaptureCase;

static const CaptureCase captures[] = {
	{"{\"c\": {\"a\" : [1, 2]} ,\"d\":1}", 0, "{\"a\" : [1, 2]}", "{kc kd n1 )"},
	{"{\"c\":\"t\\u0065xt\"}", 0, "\"t\\u0065xt\"", "{kc )"},
	{"{\"c\":-12.50 , \"d\":1}", 0, "-12.50", "{kc kd n1 )"},
	{"{\"c\":12}", 0, "12", "{kc )"},
	{"{\"c\":null,\"d\":{\"c\":true}}", 0, "nulltrue", "{kc kd {kc ))"},
	{"{\"c\":[]}", 0, "[]", "{kc )"},
	{"[{\"a\":[{}]}, 5]", 2, "{\"a\":[{}]}", "[{n5 )"},
	{" [1,{}] ", 1, "[1,{}]", "["},
};

static void
test_capture(FloeArena *arena)
{
	FloeJscanLimits limits = floe_jscan_default_limits;
	Trace t;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(captures); i++)
	{
		const CaptureCase *c = &captures[i];
		int wrong = 0;

		for (size_t cut = 0; cut <= strlen(c->json) + 1; cut++)
		{
			trace_init(&t, arena, &limits);
			t.capture_key = "c";
			t.skip_open = c->open;
			if (!scan_cut(&t, c->json, strlen(c->json), cut > strlen(c->json) ? SIZE_MAX : cut, &st) ||
				strcmp(t.captured.data, c->captured) != 0 || strcmp(t.text.data, c->want) != 0)
				wrong++;
			trace_free(&t);
			floe_arena_reset(arena);
		}
		is_int(wrong, 0, "captures %s of %s", c->captured, c->json);
	}
	trace_init(&t, arena, &limits);
	t.captured.cap = 4;
	t.capture_key = "c";
	ok(!scan_cut(&t, "{\"c\":[1,2]}", 11, 7, &st) && st.code == FLOE_ERR_TOO_LARGE, "capture beyond its cap");
	is_str(st.message, "JSON value longer than 4 bytes", "and says so");
	ok(!floe_jscan_feed(&t.scan, "1", 1, &st) && st.code == FLOE_ERR_INTERNAL, "no way on after a failure");
	trace_free(&t);
}

static void
test_skip_and_fail(FloeArena *arena)
{
	static const char json[] = "[[1],{\"a\":{\"b\":[]},\"c\":2},3]";
	Trace t;
	FloeStatus st;

	trace_init(&t, arena, &floe_jscan_default_limits);
	t.skip_open = 3;
	ok(scan_cut(&t, json, strlen(json), SIZE_MAX, &st), "skip from open");
	is_str(t.text.data, "[[n1 ){n3 )", "no events for the rest of it");
	trace_free(&t);

	trace_init(&t, arena, &floe_jscan_default_limits);
	t.fail_key = "b";
	ok(!scan_cut(&t, "{\"a\":{\"b\":1}}", 13, 0, &st), "a handler can refuse");
	is_str(st.message, "refused", "with its own message");
	trace_free(&t);

	floe_jscan_check("[1,2,x]", 7, &floe_jscan_default_limits, &st);
	is_str(st.message, "invalid JSON at byte 5: a value must stand here", "an error names the byte");
	floe_jscan_check("[1,2", 4, &floe_jscan_default_limits, &st);
	is_str(st.message, "invalid JSON at byte 4: it ends too early", "a missing end");
}

/* Nested arrays, a key and a string of exactly a cap pass, one more does not; skipped text has no cap. */
static void
test_limits(FloeArena *arena)
{
	FloeJscanLimits limits = {.bytes = 200, .key = 5, .string = 8, .depth = 3, .syntax_error = FLOE_ERR_PROTOCOL};
	static const struct
	{
		const char *json;
		FloeCode code;
	} table[] = {
		{"[[[]]]", FLOE_OK},
		{"[[[[]]]]", FLOE_ERR_TOO_LARGE},
		{"{\"a\":[{\"b\":{}}]}", FLOE_ERR_TOO_LARGE},
		{"{\"skip\":[[[]]]}", FLOE_ERR_TOO_LARGE},
		{"[[],[],[[],[]],[]]", FLOE_OK},
		{"{\"12345\":1}", FLOE_OK},
		{"{\"123456\":1}", FLOE_ERR_TOO_LARGE},
		{"{\"1234\\u0035\":1}", FLOE_OK},
		{"{\"1234\\u00356\":1}", FLOE_ERR_TOO_LARGE},
		{"[\"12345678\"]", FLOE_OK},
		{"[\"123456789\"]", FLOE_ERR_TOO_LARGE},
		{"[\"\\n2345678\"]", FLOE_OK},
		{"[\"\\n23456789\"]", FLOE_ERR_TOO_LARGE},
		{"[\"1234567\xC3\xA9\"]", FLOE_ERR_TOO_LARGE},
		{"{\"skip\":{\"a long key\":\"and a long\\n string\"}}", FLOE_OK},
		{"[}", FLOE_ERR_PROTOCOL},
		{"[", FLOE_ERR_PROTOCOL},
	};
	char blanks[201];
	Trace t;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(table); i++)
	{
		int wrong = 0;

		for (size_t cut = 0; cut <= strlen(table[i].json) + 1; cut++)
		{
			bool done;

			trace_init(&t, arena, &limits);
			t.skip_key = "skip";
			done =
				scan_cut(&t, table[i].json, strlen(table[i].json), cut > strlen(table[i].json) ? SIZE_MAX : cut, &st);
			if ((done ? FLOE_OK : st.code) != table[i].code)
				wrong++;
			trace_free(&t);
			floe_arena_reset(arena);
		}
		is_int(wrong, 0, "%s: %s", table[i].json, floe_code_name(table[i].code));
	}
	memset(blanks, ' ', sizeof(blanks));
	memcpy(blanks, "[]", 2);
	ok(floe_jscan_check(blanks, 200, &limits, &st), "as many bytes as allowed");
	ok(!floe_jscan_check(blanks, 201, &limits, &st) && st.code == FLOE_ERR_TOO_LARGE, "one more");
	is_str(st.message, "JSON document longer than 200 bytes", "and says so");
	trace_init(&t, arena, &limits);
	ok(feed(&t, blanks, 150, &st) && !feed(&t, blanks + 2, 51, &st) && st.code == FLOE_ERR_TOO_LARGE,
	   "one more in the second chunk");
	trace_free(&t);

	/* 64 levels whatever the caller asks for */
	limits.depth = 1000;
	limits.bytes = SIZE_MAX;
	memset(blanks, '[', 65);
	ok(!floe_jscan_check(blanks, 65, &limits, &st) && st.code == FLOE_ERR_TOO_LARGE, "65 levels");
	memset(blanks + 64, ']', 64);
	ok(floe_jscan_check(blanks, 128, &limits, &st), "64 levels");
}

/* A string that needs scratch memory when the arena has none left. */
static void
test_no_memory(void)
{
	FloeArena *arena = floe_arena_new(1024);
	Trace t;
	FloeStatus st;
	bool done = true;

	trace_init(&t, arena, &floe_jscan_default_limits);
	done = feed(&t, "[\"", 2, &st);
	for (int i = 0; i < 200 && done; i++)
		done = feed(&t, "0123456789", 10, &st);
	ok(!done && st.code == FLOE_ERR_TOO_LARGE, "no memory left is a failure, not a crash");
	trace_free(&t);
	floe_arena_free(arena);
}

int
main(void)
{
	FloeArena *arena = floe_arena_new(1000000);

	test_conformance(arena);
	test_splits(arena);
	test_capture(arena);
	test_skip_and_fail(arena);
	test_limits(arena);
	test_no_memory();
	floe_arena_free(arena);
	return tap_done();
}
