/*
 * avro_build.h: Avro bytes put together by hand, for what no proper writer writes.
 */
#ifndef FLOE_TEST_AVRO_BUILD_H
#define FLOE_TEST_AVRO_BUILD_H

#include "base/buf.h"

#include <string.h>

#define SYNC "0123456789abcdef"

/* Avro's int and long. */
static inline void
put_long(FloeBuf *buf, int64_t value)
{
	uint64_t v = (uint64_t) value << 1 ^ (uint64_t) (value >> 63);

	for (; v >= 0x80; v >>= 7)
		floe_buf_char(buf, (char) (v | 0x80));
	floe_buf_char(buf, (char) v);
}

static inline void
put_bytes(FloeBuf *buf, const void *data, size_t len)
{
	put_long(buf, (int64_t) len);
	floe_buf_append(buf, data, len);
}

static inline void
put_string(FloeBuf *buf, const char *text)
{
	put_bytes(buf, text, strlen(text));
}

/* A header without codec, whose only metadata is the schema. */
static inline void
put_header(FloeBuf *buf, const char *schema)
{
	floe_buf_append(buf, "Obj\x01", 4);
	put_long(buf, 1);
	put_string(buf, "avro.schema");
	put_string(buf, schema);
	put_long(buf, 0);
	floe_buf_append(buf, SYNC, 16);
}

static inline void
put_block(FloeBuf *buf, int64_t count, const void *data, size_t len)
{
	put_long(buf, count);
	put_bytes(buf, data, len);
	floe_buf_append(buf, SYNC, 16);
}

#endif /* FLOE_TEST_AVRO_BUILD_H */
