/*
 * cursor.h: a bounds-checked reader over bytes from outside.
 *
 * Avro and Thrift decoders read through it, so that the arithmetic on remote
 * lengths stands in one place.  A read beyond the end, an over-long varint or
 * a negative length sets `bad` and yields zero; callers may read several
 * values and test `bad` once, as long as they do not loop on what they read.
 */
#ifndef FLOE_BASE_CURSOR_H
#define FLOE_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FloeCursor
{
	const uint8_t *pos;
	const uint8_t *end;
	bool bad;
} FloeCursor;

static inline void
floe_cursor_init(FloeCursor *c, const void *data, size_t len)
{
	c->pos = (const uint8_t *) data;
	c->end = c->pos + len;
	c->bad = false;
}

static inline size_t
floe_cursor_left(const FloeCursor *c)
{
	return c->bad ? 0 : (size_t) (c->end - c->pos);
}

/* The next n bytes, or NULL (and bad) when there are fewer. */
static inline const uint8_t *
floe_cursor_take(FloeCursor *c, size_t n)
{
	const uint8_t *at = c->pos;

	if (c->bad || n > (size_t) (c->end - c->pos))
	{
		c->bad = true;
		return NULL;
	}
	c->pos += n;
	return at;
}

static inline void
floe_cursor_skip(FloeCursor *c, size_t n)
{
	(void) floe_cursor_take(c, n);
}

static inline uint8_t
floe_cursor_u8(FloeCursor *c)
{
	const uint8_t *p = floe_cursor_take(c, 1);

	return p ? *p : 0;
}

/* Big-endian, as Thrift's binary protocol and gRPC framing write them. */
static inline uint16_t
floe_cursor_be16(FloeCursor *c)
{
	const uint8_t *p = floe_cursor_take(c, 2);

	return p ? (uint16_t) (p[0] << 8 | p[1]) : 0;
}

static inline uint32_t
floe_cursor_be32(FloeCursor *c)
{
	const uint8_t *p = floe_cursor_take(c, 4);

	return p ? (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3] : 0;
}

static inline uint64_t
floe_cursor_be64(FloeCursor *c)
{
	uint64_t hi = floe_cursor_be32(c);

	return hi << 32 | floe_cursor_be32(c);
}

/* A base-128 varint of at most ten bytes (Avro long before zigzag, protobuf). */
static inline uint64_t
floe_cursor_varint(FloeCursor *c)
{
	uint64_t value = 0;
	int shift = 0;

	if (c->bad)
		return 0;
	while (c->pos < c->end)
	{
		uint8_t b = *c->pos++;

		if (shift == 63 && b > 1)
			break; /* an eleventh byte, or bits beyond 64 */
		value |= (uint64_t) (b & 0x7F) << shift;
		if ((b & 0x80) == 0)
			return value;
		shift += 7;
	}
	c->bad = true;
	return 0;
}

/* Avro's int and long: zigzag varint. */
static inline int64_t
floe_cursor_zigzag(FloeCursor *c)
{
	uint64_t v = floe_cursor_varint(c);

	return (int64_t) (v >> 1) ^ -(int64_t) (v & 1);
}

#endif /* FLOE_BASE_CURSOR_H */
