/*
 * jscan.c: the push scanner for JSON: structure, skipping, capturing.
 *
 * A state machine over tokens; what is inside a token is jscan_tokens.c.
 */
#include "floe.h"

#include "base/jscan_private.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

const FloeJscanLimits floe_jscan_default_limits = {
	.bytes = SIZE_MAX,
	.key = 4096,
	.string = 65536,
	.depth = FLOE_JSCAN_MAX_DEPTH,
	.syntax_error = FLOE_ERR_CORRUPT,
};

void
floe_jscan_init(FloeJscan *scan, const FloeJscanHandler *handler, void *ctx, const FloeJscanLimits *limits,
				FloeArena *arena)
{
	memset(scan, 0, sizeof(*scan));
	scan->handler = handler;
	scan->ctx = ctx;
	scan->limits = *limits;
	scan->limits.depth = Min(limits->depth, FLOE_JSCAN_MAX_DEPTH);
	scan->arena = arena;
	scan->muted = -1;
	scan->state = FLOE_JSCAN_AT_VALUE;
}

const uint8_t *
floe_jscan_bad(FloeJscan *s, const uint8_t *p, const char *why)
{
	floe_fail(s->st, s->limits.syntax_error, "invalid JSON at byte %llu: %s",
			  (unsigned long long) (s->offset + (uint64_t) (p - s->chunk)), why);
	return NULL;
}

const uint8_t *
floe_jscan_too_long(FloeJscan *s, const char *what, size_t limit)
{
	floe_fail(s->st, FLOE_ERR_TOO_LARGE, "JSON %s longer than %zu bytes", what, limit);
	return NULL;
}

static bool
end_capture(FloeJscan *s, const uint8_t *p)
{
	FloeBuf *buf = s->capture;
	const uint8_t *from = s->capture_from;

	s->capture = NULL;
	s->capture_from = NULL;
	if (!floe_buf_append(buf, from, (size_t) (p - from)))
		return floe_jscan_too_long(s, "value", buf->cap) != NULL;
	return true;
}

const uint8_t *
floe_jscan_value_done(FloeJscan *s, const uint8_t *p)
{
	if (s->muted == s->depth)
	{
		s->muted = -1;
		if (s->capture != NULL && !end_capture(s, p))
			return NULL;
	}
	s->state = s->depth == 0 ? FLOE_JSCAN_AT_END : FLOE_JSCAN_AT_COMMA;
	return p;
}

static const uint8_t *
open_container(FloeJscan *s, const uint8_t *p, bool is_array)
{
	uint64_t bit;

	if (s->depth >= s->limits.depth)
	{
		floe_fail(s->st, FLOE_ERR_TOO_LARGE, "JSON nested deeper than %d levels", s->limits.depth);
		return NULL;
	}
	bit = UINT64_C(1) << s->depth++;
	s->arrays = is_array ? s->arrays | bit : s->arrays & ~bit;
	s->state = is_array ? FLOE_JSCAN_AT_FIRST_VALUE : FLOE_JSCAN_AT_FIRST_KEY;
	s->at = p + 1;
	if (floe_jscan_wanted(s) && !s->handler->open(s->ctx, is_array, s->st))
		return NULL;
	return p + 1;
}

static bool
in_array(const FloeJscan *s)
{
	return (s->arrays >> (s->depth - 1) & 1) != 0;
}

static const uint8_t *
close_container(FloeJscan *s, const uint8_t *p)
{
	s->depth--;
	s->at = p + 1;
	if (floe_jscan_wanted(s) && !s->handler->close(s->ctx, s->st))
		return NULL;
	return floe_jscan_value_done(s, p + 1);
}

static const uint8_t *
begin_value(FloeJscan *s, const uint8_t *p, const uint8_t *end)
{
	uint8_t c = *p;

	if (s->capture != NULL && s->capture_from == NULL)
		s->capture_from = p;
	switch (c)
	{
		case '"':
			s->state = FLOE_JSCAN_IN_STRING;
			s->in_key = false;
			return floe_jscan_scan_string(s, p + 1, end);
		case '{':
		case '[':
			return open_container(s, p, c == '[');
		case 't':
		case 'f':
		case 'n':
			return floe_jscan_begin_literal(s, p, end);
		default:
			if (c != '-' && (c < '0' || c > '9'))
				return floe_jscan_bad(s, p, "a value must stand here");
			return floe_jscan_begin_number(s, p, end);
	}
}

/* Behind a value inside an object or array. */
static const uint8_t *
after_value(FloeJscan *s, const uint8_t *p)
{
	bool is_array = in_array(s);

	if (*p == ',')
	{
		s->state = is_array ? FLOE_JSCAN_AT_VALUE : FLOE_JSCAN_AT_KEY;
		return p + 1;
	}
	if (*p != (is_array ? ']' : '}'))
		return floe_jscan_bad(s, p, is_array ? "a comma or ] must stand here" : "a comma or } must stand here");
	return close_container(s, p);
}

static const uint8_t *
step(FloeJscan *s, const uint8_t *p, const uint8_t *end)
{
	switch (s->state)
	{
		case FLOE_JSCAN_AT_FIRST_VALUE:
			if (*p == ']')
				return close_container(s, p);
			/* FALLTHROUGH */
		case FLOE_JSCAN_AT_VALUE:
			return begin_value(s, p, end);
		case FLOE_JSCAN_AT_FIRST_KEY:
			if (*p == '}')
				return close_container(s, p);
			/* FALLTHROUGH */
		case FLOE_JSCAN_AT_KEY:
			if (*p != '"')
				return floe_jscan_bad(s, p, "a key must stand here");
			s->state = FLOE_JSCAN_IN_STRING;
			s->in_key = true;
			return floe_jscan_scan_string(s, p + 1, end);
		case FLOE_JSCAN_AT_COLON:
			if (*p != ':')
				return floe_jscan_bad(s, p, "a colon must stand here");
			s->state = FLOE_JSCAN_AT_VALUE;
			return p + 1;
		case FLOE_JSCAN_AT_COMMA:
			return after_value(s, p);
		case FLOE_JSCAN_IN_STRING:
			return floe_jscan_scan_string(s, p, end);
		case FLOE_JSCAN_IN_NUMBER:
			return floe_jscan_scan_number(s, p, end);
		case FLOE_JSCAN_IN_LITERAL:
			return floe_jscan_scan_literal(s, p, end);
		default:
			return floe_jscan_bad(s, p, "the document has ended before");
	}
}

static inline bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The first byte from p on that is not white space; indented documents are a third of it. */
static inline const uint8_t *
skip_space(const uint8_t *p, const uint8_t *end)
{
	if (p < end && !is_space(*p))
		return p;
#ifdef __SSE2__
	while (end - p >= 16)
	{
		__m128i v = _mm_loadu_si128((const __m128i *) p);
		__m128i space =
			_mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n'))),
						 _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\r')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'))));
		int mask = _mm_movemask_epi8(space);

		if (mask != 0xFFFF)
			return p + __builtin_ctz(~(unsigned int) mask);
		p += 16;
	}
#endif
	while (p < end && is_space(*p))
		p++;
	return p;
}

bool
floe_jscan_feed(FloeJscan *scan, const void *data, size_t len, FloeStatus *st)
{
	const uint8_t *p = data;
	const uint8_t *end = p + len;

	if (scan->failed)
		return floe_fail(st, FLOE_ERR_INTERNAL, "JSON scanner fed after a failure");
	if (len == 0)
		return true;
	scan->st = st;
	scan->chunk = p;
	scan->failed = true; /* until the chunk is through */
	if (len > scan->limits.bytes - scan->offset)
		return floe_jscan_too_long(scan, "document", scan->limits.bytes) != NULL;
	if (scan->capture_from != NULL)
		scan->capture_from = p;
	while (p < end)
	{
		if (scan->state < FLOE_JSCAN_IN_STRING)
		{
			p = skip_space(p, end);
			if (p == end)
				break;
		}
		p = step(scan, p, end);
		if (p == NULL)
			return false;
	}
	if (scan->capture != NULL && scan->capture_from != NULL &&
		!floe_buf_append(scan->capture, scan->capture_from, (size_t) (end - scan->capture_from)))
		return floe_jscan_too_long(scan, "value", scan->capture->cap) != NULL;
	scan->offset += len;
	scan->failed = false;
	return true;
}

bool
floe_jscan_finish(FloeJscan *scan, FloeStatus *st)
{
	static const uint8_t nothing[1];

	if (scan->failed)
		return floe_fail(st, FLOE_ERR_INTERNAL, "JSON scanner finished after a failure");
	scan->st = st;
	scan->chunk = nothing;
	scan->failed = true;
	/* only the end can tell that a number at the top is complete */
	if (scan->state == FLOE_JSCAN_IN_NUMBER && scan->depth == 0 && floe_jscan_end_number(scan, nothing) == NULL)
		return false;
	if (scan->state != FLOE_JSCAN_AT_END)
		return floe_jscan_bad(scan, nothing, "it ends too early") != NULL;
	return true;
}

void
floe_jscan_skip(FloeJscan *scan)
{
	scan->muted = scan->state == FLOE_JSCAN_AT_COLON ? scan->depth : scan->depth - 1;
}

void
floe_jscan_capture(FloeJscan *scan, FloeBuf *buf)
{
	scan->capture = buf;
	/* the bracket of an object or array has been read already */
	scan->capture_from = scan->state == FLOE_JSCAN_AT_COLON ? NULL : scan->at - 1;
	floe_jscan_skip(scan);
}

uint64_t
floe_jscan_offset(const FloeJscan *scan)
{
	return scan->offset + (uint64_t) (scan->at - scan->chunk);
}

bool
floe_jscan_check(const void *data, size_t len, const FloeJscanLimits *limits, FloeStatus *st)
{
	FloeJscan scan;

	floe_jscan_init(&scan, NULL, NULL, limits, NULL);
	return floe_jscan_feed(&scan, data, len, st) && floe_jscan_finish(&scan, st);
}
