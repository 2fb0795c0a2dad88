/*
 * jscan_tokens.c: strings, numbers and words of the JSON scanner.
 *
 * Every token can be cut anywhere by the end of a chunk, so each has its own
 * resumable state.  Inside a chunk, strings (most of the bytes of table
 * metadata) are crossed sixteen bytes at a time and handed over where they
 * lie.
 */
#include "floe.h"

#include "base/jscan_private.h"

#include "mb/pg_wchar.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum
{
	ESC_NONE,
	ESC_BACKSLASH,
	ESC_HEX1,
	ESC_HEX2,
	ESC_HEX3,
	ESC_HEX4
};

enum
{
	NUM_MINUS, /* a digit must follow */
	NUM_ZERO,  /* a leading zero: no digit may follow */
	NUM_INTEGER,
	NUM_POINT, /* a digit must follow */
	NUM_FRACTION,
	NUM_E,     /* a sign or digit must follow */
	NUM_ESIGN, /* a digit must follow */
	NUM_EXPONENT
};

/* ---------------------------------------------------------------- strings */

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)
#define ZERO_BYTE(v) (((v) -ONES) & ~(v))

/* The first byte from p on that is a quote, a backslash, a control character or not ASCII. */
static inline const uint8_t *
plain_run(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i space = _mm_set1_epi8(' ');

	while (end - p >= 16)
	{
		__m128i v = _mm_loadu_si128((const __m128i *) p);
		/* as signed bytes, what is not ASCII is below the space too */
		__m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
									   _mm_cmplt_epi8(v, space));
		int mask = _mm_movemask_epi8(special);

		if (mask != 0)
			return p + __builtin_ctz((unsigned int) mask);
		p += 16;
	}
#endif
	while (end - p >= 8)
	{
		uint64_t v;

		memcpy(&v, p, 8);
		if (((ZERO_BYTE(v ^ (ONES * '"')) | ZERO_BYTE(v ^ (ONES * '\\')) | ((v - ONES * ' ') & ~v) | v) & HIGHS) != 0)
			break;
		p += 8;
	}
	while (p < end && *p >= ' ' && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* Keeps a decoded piece of a string that is not handed over where it lies. */
static bool
keep(FloeJscan *s, const void *bytes, size_t len)
{
	size_t limit = s->in_key ? s->limits.key : s->limits.string;
	size_t need = s->scratch_len + len;

	if (!floe_jscan_wanted(s) || len == 0)
		return true;
	if (len > limit || need > limit)
		return floe_jscan_too_long(s, s->in_key ? "key" : "string", limit) != NULL;
	if (need > s->scratch_size)
	{
		size_t size = Max(Max(s->scratch_size * 2, need), 256);
		char *grown = floe_arena_alloc(s->arena, size);

		if (grown == NULL)
			return floe_fail(s->st, FLOE_ERR_TOO_LARGE, "no memory left for a JSON string of %zu bytes", need);
		if (s->scratch_len > 0)
			memcpy(grown, s->scratch, s->scratch_len);
		s->scratch = grown;
		s->scratch_size = size;
	}
	memcpy(s->scratch + s->scratch_len, bytes, len);
	s->scratch_len = need;
	return true;
}

/* The string's last piece is [from, quote). */
static const uint8_t *
end_string(FloeJscan *s, const uint8_t *from, const uint8_t *quote)
{
	const char *text = (const char *) from;
	size_t len = (size_t) (quote - from);

	s->at = quote + 1;
	if (s->in_key)
		s->state = FLOE_JSCAN_AT_COLON;
	if (floe_jscan_wanted(s))
	{
		size_t limit = s->in_key ? s->limits.key : s->limits.string;

		if (s->scratch_len > 0)
		{
			if (!keep(s, from, len))
				return NULL;
			text = s->scratch;
			len = s->scratch_len;
			s->scratch_len = 0;
		}
		else if (len > limit)
			return floe_jscan_too_long(s, s->in_key ? "key" : "string", limit);
		if (!(s->in_key ? s->handler->key : s->handler->string)(s->ctx, text, len, s->st))
			return NULL;
	}
	return s->in_key ? quote + 1 : floe_jscan_value_done(s, quote + 1);
}

static bool
keep_code_point(FloeJscan *s, uint32_t code)
{
	unsigned char utf8[4];

	unicode_to_utf8(code, utf8);
	return keep(s, utf8, code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4);
}

/* \uXXXX is complete in s->hex. */
static const uint8_t *
end_hex(FloeJscan *s, const uint8_t *p)
{
	uint32_t code = s->hex;
	bool is_low = code >= 0xDC00 && code <= 0xDFFF;

	if (is_low != (s->high_surrogate != 0))
		return floe_jscan_bad(s, p, "half of a surrogate pair");
	s->escape = ESC_NONE;
	if (code >= 0xD800 && code <= 0xDBFF)
	{
		s->high_surrogate = code;
		return p + 1;
	}
	if (is_low)
		code = 0x10000 + ((s->high_surrogate - 0xD800) << 10) + (code - 0xDC00);
	s->high_surrogate = 0;
	return keep_code_point(s, code) ? p + 1 : NULL;
}

/* One byte of an escape sequence. */
static const uint8_t *
scan_escape(FloeJscan *s, const uint8_t *p)
{
	static const char names[] = "\"\\/bfnrt";
	static const char meant[] = "\"\\/\b\f\n\r\t";
	uint8_t c = *p;
	const char *name;

	if (s->escape != ESC_BACKSLASH)
	{
		uint8_t lower = c | 0x20;

		if (c >= '0' && c <= '9')
			s->hex = s->hex << 4 | (uint32_t) (c - '0');
		else if (lower >= 'a' && lower <= 'f')
			s->hex = s->hex << 4 | (uint32_t) (lower - 'a' + 10);
		else
			return floe_jscan_bad(s, p, "\\u needs four hexadecimal digits");
		return s->escape++ == ESC_HEX4 ? end_hex(s, p) : p + 1;
	}
	if (c == 'u')
	{
		s->escape = ESC_HEX1;
		s->hex = 0;
		return p + 1;
	}
	name = c == '\0' ? NULL : strchr(names, c);
	if (name == NULL)
		return floe_jscan_bad(s, p, "unknown escape");
	if (s->high_surrogate != 0)
		return floe_jscan_bad(s, p, "half of a surrogate pair");
	s->escape = ESC_NONE;
	return keep(s, &meant[name - names], 1) ? p + 1 : NULL;
}

static size_t
sequence_length(uint8_t lead)
{
	return lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
}

/* One more byte of a UTF-8 sequence that a chunk's end has cut. */
static const uint8_t *
scan_partial(FloeJscan *s, const uint8_t *p)
{
	s->partial[s->partial_len++] = *p;
	if (s->partial_len < sequence_length(s->partial[0]))
		return p + 1;
	if (!pg_utf8_islegal(s->partial, (int) s->partial_len))
		return floe_jscan_bad(s, p, "not UTF-8");
	if (!keep(s, s->partial, s->partial_len))
		return NULL;
	s->partial_len = 0;
	return p + 1;
}

const uint8_t *
floe_jscan_scan_string(FloeJscan *s, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *from = p; /* behind what has been kept */

	while (p < end)
	{
		size_t len;

		if (s->escape != ESC_NONE || s->partial_len > 0)
		{
			p = from = s->escape != ESC_NONE ? scan_escape(s, p) : scan_partial(s, p);
			if (p == NULL)
				return NULL;
			continue;
		}
		if (s->high_surrogate != 0 && *p != '\\')
			return floe_jscan_bad(s, p, "half of a surrogate pair");
		p = plain_run(p, end);
		if (p == end)
			break;
		if (*p == '"')
			return end_string(s, from, p);
		if (*p < ' ')
			return floe_jscan_bad(s, p, "control character in a string");
		len = *p == '\\' ? 0 : sequence_length(*p);
		if (len > 0 && len <= (size_t) (end - p))
		{
			if (!pg_utf8_islegal(p, (int) len))
				return floe_jscan_bad(s, p, "not UTF-8");
			p += len;
			continue;
		}
		if (!keep(s, from, (size_t) (p - from)))
			return NULL;
		if (len > 0)
			s->partial[s->partial_len++] = *p;
		else
			s->escape = ESC_BACKSLASH;
		from = ++p;
	}
	return keep(s, from, (size_t) (end - from)) ? end : NULL;
}

/* ---------------------------------------------------- numbers and literals */

#define MANY_DIGITS 18

const uint8_t *
floe_jscan_end_number(FloeJscan *s, const uint8_t *p)
{
	FloeJscanNumber kind = FLOE_JSCAN_FRACTION;
	int64_t value = 0;

	if (s->number == NUM_MINUS || s->number == NUM_POINT || s->number == NUM_E || s->number == NUM_ESIGN)
		return floe_jscan_bad(s, p, "a digit is missing in a number");
	if (s->number == NUM_ZERO || s->number == NUM_INTEGER)
	{
		uint64_t most = (uint64_t) INT64_MAX + (s->negative ? 1 : 0);

		kind = s->overflow || s->digits > most ? FLOE_JSCAN_OUT_OF_RANGE : FLOE_JSCAN_INTEGER;
		if (kind == FLOE_JSCAN_INTEGER)
			value = (int64_t) (s->negative ? 0 - s->digits : s->digits);
	}
	s->at = p;
	if (floe_jscan_wanted(s) && !s->handler->number(s->ctx, kind, value, s->st))
		return NULL;
	return floe_jscan_value_done(s, p);
}

static void
add_digit(FloeJscan *s, uint8_t digit)
{
	if (s->digits > UINT64_MAX / 20)
		s->overflow = true;
	else
		s->digits = s->digits * 10 + digit;
}

const uint8_t *
floe_jscan_scan_number(FloeJscan *s, const uint8_t *p, const uint8_t *end)
{
	for (; p < end; p++)
	{
		uint8_t c = *p;
		bool digit = c >= '0' && c <= '9';

		switch (s->number)
		{
			case NUM_MINUS:
			case NUM_INTEGER:
				if (!digit)
					break;
				add_digit(s, c - '0');
				s->number = s->number == NUM_MINUS && c == '0' ? NUM_ZERO : NUM_INTEGER;
				continue;
			case NUM_POINT:
			case NUM_FRACTION:
				if (!digit)
					break;
				s->number = NUM_FRACTION;
				continue;
			case NUM_E:
				if (c == '+' || c == '-')
				{
					s->number = NUM_ESIGN;
					continue;
				}
				/* FALLTHROUGH */
			case NUM_ESIGN:
			case NUM_EXPONENT:
				if (!digit)
					break;
				s->number = NUM_EXPONENT;
				continue;
			default:
				break;
		}
		if (c == '.' && (s->number == NUM_ZERO || s->number == NUM_INTEGER))
			s->number = NUM_POINT;
		else if ((c | 0x20) == 'e' && (s->number == NUM_ZERO || s->number == NUM_INTEGER || s->number == NUM_FRACTION))
			s->number = NUM_E;
		else
			return floe_jscan_end_number(s, p);
	}
	return p;
}

const uint8_t *
floe_jscan_begin_literal(FloeJscan *s, const uint8_t *p, const uint8_t *end)
{
	s->state = FLOE_JSCAN_IN_LITERAL;
	s->literal = *p == 't' ? FLOE_JSCAN_TRUE : *p == 'f' ? FLOE_JSCAN_FALSE : FLOE_JSCAN_NULL;
	s->rest = *p == 't' ? "true" : *p == 'f' ? "false" : "null";
	return floe_jscan_scan_literal(s, p, end);
}

const uint8_t *
floe_jscan_scan_literal(FloeJscan *s, const uint8_t *p, const uint8_t *end)
{
	for (; p < end && *s->rest != '\0'; p++, s->rest++)
	{
		if (*p != (uint8_t) *s->rest)
			return floe_jscan_bad(s, p, "unknown word");
	}
	if (*s->rest != '\0')
		return p;
	s->at = p;
	if (floe_jscan_wanted(s) && !s->handler->literal(s->ctx, s->literal, s->st))
		return NULL;
	return floe_jscan_value_done(s, p);
}

const uint8_t *
floe_jscan_begin_number(FloeJscan *s, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *start;
	uint64_t digits = 0;

	s->state = FLOE_JSCAN_IN_NUMBER;
	s->number = NUM_MINUS;
	s->negative = *p == '-';
	s->overflow = false;
	s->digits = 0;
	if (s->negative)
		p++;
	/* most numbers are integers in one chunk, and what has MANY_DIGITS or less cannot overflow */
	start = p;
	while (p < end && *p >= '0' && *p <= '9' && p - start < MANY_DIGITS)
		digits = digits * 10 + (uint64_t) (*p++ - '0');
	if (p == start || *start == '0')
		return floe_jscan_scan_number(s, start, end);
	s->digits = digits;
	s->number = NUM_INTEGER;
	return floe_jscan_scan_number(s, p, end);
}
