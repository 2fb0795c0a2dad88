/*
 * thrift.h: the strict Thrift binary protocol, for HiveServer2 and the Hive Metastore.
 *
 * Source of the rules: Apache Thrift, doc/specs/thrift-binary-protocol.md.
 * Own code because the C library of Thrift (GLib) ends the process when an
 * allocation fails, and the part that is needed is small.
 *
 * Writing appends to a FloeBuf; a refused append is remembered by the buffer
 * (buf->failed), so callers write a whole message and look once.
 * Reading goes through a FloeCursor and never allocates: text is given out as
 * a slice of the input.  Whatever contradicts the protocol sets c->bad, after
 * which every read yields zero and every loop over fields or elements ends.
 * A container is refused unless its elements can fit in the bytes that are
 * left, so that remote counts can be used as loop limits.
 */
#ifndef FLOE_BASE_THRIFT_H
#define FLOE_BASE_THRIFT_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/status.h"

typedef enum FloeThriftType
{
	FLOE_THRIFT_STOP = 0,
	FLOE_THRIFT_BOOL = 2,
	FLOE_THRIFT_I8 = 3,
	FLOE_THRIFT_DOUBLE = 4,
	FLOE_THRIFT_I16 = 6,
	FLOE_THRIFT_I32 = 8,
	FLOE_THRIFT_I64 = 10,
	FLOE_THRIFT_STRING = 11, /* also binary */
	FLOE_THRIFT_STRUCT = 12,
	FLOE_THRIFT_MAP = 13,
	FLOE_THRIFT_SET = 14,
	FLOE_THRIFT_LIST = 15
} FloeThriftType;

typedef enum FloeThriftKind
{
	FLOE_THRIFT_CALL = 1,
	FLOE_THRIFT_REPLY = 2,
	FLOE_THRIFT_EXCEPTION = 3,
	FLOE_THRIFT_ONEWAY = 4
} FloeThriftKind;

/* Containers inside containers that skipping follows; beyond it the cursor is bad. */
#define FLOE_THRIFT_MAX_DEPTH 32

/* A string or binary value inside the input; not terminated, may hold any byte. */
typedef struct FloeThriftText
{
	const char *data;
	size_t len;
} FloeThriftText;

#define FLOE_THRIFT_NO_TEXT ((FloeThriftText){"", 0})

typedef struct FloeThriftField
{
	uint8_t type; /* FloeThriftType as it was sent; may be an unknown one, which only skipping refuses */
	int16_t id;
} FloeThriftField;

typedef struct FloeThriftList
{
	uint8_t type; /* of the elements; meaningless when count is 0 */
	uint32_t count;
} FloeThriftList;

typedef struct FloeThriftMap
{
	uint8_t key_type;
	uint8_t value_type;
	uint32_t count;
} FloeThriftMap;

/*
 * Writing
 */
extern void floe_thrift_write_message(FloeBuf *buf, const char *method, FloeThriftKind kind, int32_t sequence);
extern void floe_thrift_write_field(FloeBuf *buf, FloeThriftType type, int16_t id);
extern void floe_thrift_write_stop(FloeBuf *buf);
extern void floe_thrift_write_bool(FloeBuf *buf, bool value);
extern void floe_thrift_write_i8(FloeBuf *buf, int8_t value);
extern void floe_thrift_write_i16(FloeBuf *buf, int16_t value);
extern void floe_thrift_write_i32(FloeBuf *buf, int32_t value);
extern void floe_thrift_write_i64(FloeBuf *buf, int64_t value);
extern void floe_thrift_write_double(FloeBuf *buf, double value);
extern void floe_thrift_write_binary(FloeBuf *buf, const void *data, size_t len); /* at most INT32_MAX bytes */
extern void floe_thrift_write_text(FloeBuf *buf, const char *text);
extern void floe_thrift_write_list(FloeBuf *buf, FloeThriftType type, uint32_t count); /* also sets */
extern void floe_thrift_write_map(FloeBuf *buf, FloeThriftType key, FloeThriftType value, uint32_t count);

/*
 * Framed transport (Hive Metastore): four bytes of length before each message.
 * begin returns where the frame starts; end fills in the length of all that was
 * appended since.
 */
extern size_t floe_thrift_frame_begin(FloeBuf *buf);
extern void floe_thrift_frame_end(FloeBuf *buf, size_t start);

/* The length a frame header announces; false when it is negative or above max. */
extern bool floe_thrift_frame_length(const uint8_t header[4], uint32_t max, uint32_t *length, FloeStatus *st);

/*
 * Reading
 */

/* The next field of a struct; false at its end, and when the cursor is or becomes bad. */
extern bool floe_thrift_read_field(FloeCursor *c, FloeThriftField *field);

extern bool floe_thrift_read_bool(FloeCursor *c);
extern double floe_thrift_read_double(FloeCursor *c);
extern FloeThriftText floe_thrift_read_text(FloeCursor *c);
extern FloeThriftList floe_thrift_read_list(FloeCursor *c); /* also sets */
extern FloeThriftMap floe_thrift_read_map(FloeCursor *c);

static inline int16_t
floe_thrift_read_i16(FloeCursor *c)
{
	return (int16_t) floe_cursor_be16(c);
}

static inline int32_t
floe_thrift_read_i32(FloeCursor *c)
{
	return (int32_t) floe_cursor_be32(c);
}

static inline int64_t
floe_thrift_read_i64(FloeCursor *c)
{
	return (int64_t) floe_cursor_be64(c);
}

/* Passes over a value of that type, without recursion. */
extern void floe_thrift_skip(FloeCursor *c, uint8_t type);

/* Is it that field?  One of a known id but another type is skipped like an unknown one, as Thrift's own readers do. */
static inline bool
floe_thrift_field_is(const FloeThriftField *field, int16_t id, FloeThriftType type)
{
	return field->id == id && field->type == type;
}

/*
 * Opens the answer to a call: c is placed inside the result struct (after the
 * message header), where field 0 is the return value and others are declared
 * exceptions.  False when it is not a strict binary message, answers another
 * call, or carries an application exception, whose text goes into st->detail:
 * FLOE_ERR_UNSUPPORTED for an unknown method, FLOE_ERR_PROTOCOL when the
 * server could not read the call, FLOE_ERR_SERVER for the rest.
 */
extern bool floe_thrift_open_reply(FloeCursor *c, const void *data, size_t len, const char *method, int32_t sequence,
								   FloeStatus *st);

/* After the last field was read: false when the cursor is bad or bytes are left over. */
extern bool floe_thrift_close_reply(FloeCursor *c, const char *method, FloeStatus *st);

#endif /* FLOE_BASE_THRIFT_H */
