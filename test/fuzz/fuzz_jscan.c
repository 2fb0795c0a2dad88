/*
 * fuzz_jscan.c: the push scanner for JSON against itself and against jansson.
 *
 * The first byte says where the rest is cut in two.  The events must not
 * depend on that, skipped text must be judged like text that is read, and
 * jansson must agree on what is JSON, but for integers, exponents and nesting
 * beyond its or the scanner's limits.
 */
#include "floe.h"

#include "base/jscan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Trace
{
	FloeJscan scan;
	uint64_t hash; /* of all events */
	bool skip;     /* the value of the first key */
	FloeBuf *capture;
} Trace;

static void
require(bool held)
{
	if (!held)
		abort();
}

static void
mix(Trace *t, char event, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	t->hash = (t->hash ^ (unsigned char) event) * UINT64_C(1099511628211);
	for (size_t i = 0; i < len; i++)
		t->hash = (t->hash ^ bytes[i]) * UINT64_C(1099511628211);
	t->hash = (t->hash ^ len) * UINT64_C(1099511628211);
}

static bool
on_open(void *ctx, bool is_array, FloeStatus *st)
{
	uint64_t offset = floe_jscan_offset(&((Trace *) ctx)->scan);

	mix(ctx, is_array ? '[' : '{', &offset, sizeof(offset));
	return true;
}

static bool
on_close(void *ctx, FloeStatus *st)
{
	uint64_t offset = floe_jscan_offset(&((Trace *) ctx)->scan);

	mix(ctx, ')', &offset, sizeof(offset));
	return true;
}

static bool
on_key(void *ctx, const char *text, size_t len, FloeStatus *st)
{
	Trace *t = ctx;

	mix(t, 'k', text, len);
	if (t->skip)
		floe_jscan_skip(&t->scan);
	else if (t->capture != NULL)
		floe_jscan_capture(&t->scan, t->capture);
	t->skip = false;
	t->capture = NULL;
	return true;
}

static bool
on_string(void *ctx, const char *text, size_t len, FloeStatus *st)
{
	mix(ctx, 's', text, len);
	return true;
}

static bool
on_number(void *ctx, FloeJscanNumber kind, int64_t value, FloeStatus *st)
{
	mix(ctx, (char) ('0' + kind), &value, sizeof(value));
	return true;
}

static bool
on_literal(void *ctx, FloeJscanLiteral literal, FloeStatus *st)
{
	mix(ctx, "ftn"[literal], NULL, 0);
	return true;
}

static const FloeJscanHandler handler = {on_open, on_close, on_key, on_string, on_number, on_literal};

static bool
scan(Trace *t, FloeArena *arena, const uint8_t *json, size_t len, size_t cut, FloeStatus *st)
{
	FloeJscanLimits limits = floe_jscan_default_limits;
	bool ok;

	limits.key = limits.string = SIZE_MAX / 4;
	floe_arena_reset(arena);
	floe_jscan_init(&t->scan, &handler, t, &limits, arena);
	ok = floe_jscan_feed(&t->scan, json, cut, st) && floe_jscan_feed(&t->scan, json + cut, len - cut, st) &&
		 floe_jscan_finish(&t->scan, st);
	return ok;
}

static void
compare_with_jansson(const uint8_t *json, size_t len, bool accepted, const FloeStatus *st)
{
	json_error_t error;
	json_t *tree = json_loadb((const char *) json, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

	/* a NUL byte is an end to jansson */
	if (tree != NULL)
		require(accepted || st->code == FLOE_ERR_TOO_LARGE || memchr(json, '\0', len) != NULL);
	else if (accepted)
		require(json_error_code(&error) == json_error_numeric_overflow ||
				json_error_code(&error) == json_error_null_byte_in_key);
	json_decref(tree);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FloeArena *arena = floe_arena_new(SIZE_MAX);
	Trace whole = {.hash = 1};
	Trace pieces = {.hash = 1};
	Trace skipping = {.hash = 1, .skip = true};
	Trace capturing = {.hash = 1};
	FloeBuf captured;
	FloeStatus st;
	size_t cut;
	bool accepted;

	if (size == 0 || arena == NULL)
	{
		floe_arena_free(arena);
		return 0;
	}
	cut = size > 1 ? (size_t) data[0] * (size - 1) / 255 : 0;
	data++;
	size--;

	accepted = scan(&whole, arena, data, size, 0, &st);
	compare_with_jansson(data, size, accepted, &st);
	require(scan(&pieces, arena, data, size, cut, &st) == accepted);
	require(!accepted || whole.hash == pieces.hash);
	require(scan(&skipping, arena, data, size, cut, &st) == accepted);
	require(floe_jscan_check(data, size, &floe_jscan_default_limits, &st) == accepted);

	floe_buf_init(&captured, SIZE_MAX / 4);
	capturing.capture = &captured;
	require(scan(&capturing, arena, data, size, cut, &st) == accepted);
	require(!accepted || capturing.hash == skipping.hash);
	require(!accepted || captured.len == 0 ||
			floe_jscan_check(captured.data, captured.len, &floe_jscan_default_limits, &st));
	floe_buf_free(&captured);
	floe_arena_free(arena);
	return 0;
}
