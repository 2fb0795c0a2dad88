/*
 * thrift.c: the strict Thrift binary protocol over FloeBuf and FloeCursor.
 *
 * Separate from its users (HiveServer2 in engine/, the Hive Metastore in
 * catalog/) because the arithmetic on remote lengths stands here only.
 */
#include "floe.h"

#include "base/thrift.h"
#include "base/utf8.h"

#include <string.h>

#define VERSION_1 0x80010000u
#define VERSION_MASK 0xFFFF0000u

/* TApplicationException.type (Apache Thrift, lib/java TApplicationException) */
#define EXCEPTION_UNKNOWN_METHOD 1
#define EXCEPTION_INVALID_MESSAGE_TYPE 2
#define EXCEPTION_PROTOCOL_ERROR 7

/* -------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------- */

void
floe_thrift_write_i8(FloeBuf *buf, int8_t value)
{
	floe_buf_append(buf, &value, 1);
}

void
floe_thrift_write_i16(FloeBuf *buf, int16_t value)
{
	uint16_t v = (uint16_t) value;
	uint8_t bytes[2] = {(uint8_t) (v >> 8), (uint8_t) v};

	floe_buf_append(buf, bytes, sizeof(bytes));
}

static void
put_be32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t) (value >> (24 - 8 * i));
}

void
floe_thrift_write_i32(FloeBuf *buf, int32_t value)
{
	uint8_t bytes[4];

	put_be32(bytes, (uint32_t) value);
	floe_buf_append(buf, bytes, sizeof(bytes));
}

void
floe_thrift_write_i64(FloeBuf *buf, int64_t value)
{
	uint8_t bytes[8];

	put_be32(bytes, (uint32_t) ((uint64_t) value >> 32));
	put_be32(bytes + 4, (uint32_t) value);
	floe_buf_append(buf, bytes, sizeof(bytes));
}

void
floe_thrift_write_double(FloeBuf *buf, double value)
{
	int64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	floe_thrift_write_i64(buf, bits);
}

void
floe_thrift_write_bool(FloeBuf *buf, bool value)
{
	floe_thrift_write_i8(buf, value ? 1 : 0);
}

void
floe_thrift_write_binary(FloeBuf *buf, const void *data, size_t len)
{
	if (len > INT32_MAX)
	{
		buf->failed = true;
		return;
	}
	floe_thrift_write_i32(buf, (int32_t) len);
	floe_buf_append(buf, data, len);
}

void
floe_thrift_write_text(FloeBuf *buf, const char *text)
{
	floe_thrift_write_binary(buf, text, strlen(text));
}

void
floe_thrift_write_field(FloeBuf *buf, FloeThriftType type, int16_t id)
{
	floe_thrift_write_i8(buf, (int8_t) type);
	floe_thrift_write_i16(buf, id);
}

void
floe_thrift_write_stop(FloeBuf *buf)
{
	floe_thrift_write_i8(buf, FLOE_THRIFT_STOP);
}

void
floe_thrift_write_list(FloeBuf *buf, FloeThriftType type, uint32_t count)
{
	floe_thrift_write_i8(buf, (int8_t) type);
	floe_thrift_write_i32(buf, (int32_t) count);
}

void
floe_thrift_write_map(FloeBuf *buf, FloeThriftType key, FloeThriftType value, uint32_t count)
{
	floe_thrift_write_i8(buf, (int8_t) key);
	floe_thrift_write_i8(buf, (int8_t) value);
	floe_thrift_write_i32(buf, (int32_t) count);
}

void
floe_thrift_write_message(FloeBuf *buf, const char *method, FloeThriftKind kind, int32_t sequence)
{
	floe_thrift_write_i32(buf, (int32_t) (VERSION_1 | (uint32_t) kind));
	floe_thrift_write_text(buf, method);
	floe_thrift_write_i32(buf, sequence);
}

size_t
floe_thrift_frame_begin(FloeBuf *buf)
{
	size_t start = buf->len;

	floe_thrift_write_i32(buf, 0);
	return start;
}

void
floe_thrift_frame_end(FloeBuf *buf, size_t start)
{
	size_t len;

	if (buf->failed)
		return;
	len = buf->len - start - 4;
	if (len > INT32_MAX)
		buf->failed = true;
	else
		put_be32((uint8_t *) buf->data + start, (uint32_t) len);
}

bool
floe_thrift_frame_length(const uint8_t header[4], uint32_t max, uint32_t *length, FloeStatus *st)
{
	FloeCursor c;
	uint32_t value;

	floe_cursor_init(&c, header, 4);
	value = floe_cursor_be32(&c);
	/* a server that speaks HTTP or TLS here announces a frame of gigabytes */
	if (value > INT32_MAX)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "the answer is not a Thrift frame");
	if (value > max)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "Thrift frame of %u bytes, more than the limit of %u", value, max);
	*length = value;
	return true;
}

/* -------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------- */

/* The fewest bytes a value of that type takes; 0 for types that do not exist. */
static size_t
least_size(uint8_t type)
{
	switch (type)
	{
		case FLOE_THRIFT_BOOL:
		case FLOE_THRIFT_I8:
		case FLOE_THRIFT_STRUCT: /* its stop byte */
			return 1;
		case FLOE_THRIFT_I16:
			return 2;
		case FLOE_THRIFT_I32:
		case FLOE_THRIFT_STRING: /* its length */
			return 4;
		case FLOE_THRIFT_I64:
		case FLOE_THRIFT_DOUBLE:
			return 8;
		case FLOE_THRIFT_SET:
		case FLOE_THRIFT_LIST:
			return 5;
		case FLOE_THRIFT_MAP:
			return 6;
		default:
			return 0;
	}
}

/* Is every value of that type as long as least_size() says? */
static bool
is_fixed(uint8_t type)
{
	return type == FLOE_THRIFT_BOOL || type == FLOE_THRIFT_I8 || type == FLOE_THRIFT_I16 || type == FLOE_THRIFT_I32 ||
		   type == FLOE_THRIFT_I64 || type == FLOE_THRIFT_DOUBLE;
}

bool
floe_thrift_read_field(FloeCursor *c, FloeThriftField *field)
{
	field->type = floe_cursor_u8(c);
	field->id = 0;
	if (c->bad || field->type == FLOE_THRIFT_STOP)
		return false;
	field->id = floe_thrift_read_i16(c);
	return !c->bad;
}

bool
floe_thrift_read_bool(FloeCursor *c)
{
	return floe_cursor_u8(c) != 0;
}

double
floe_thrift_read_double(FloeCursor *c)
{
	uint64_t bits = floe_cursor_be64(c);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

FloeThriftText
floe_thrift_read_text(FloeCursor *c)
{
	FloeThriftText text = FLOE_THRIFT_NO_TEXT;
	uint32_t len = floe_cursor_be32(c);
	const uint8_t *data = floe_cursor_take(c, len);

	if (data != NULL)
	{
		text.data = (const char *) data;
		text.len = len;
	}
	return text;
}

FloeThriftList
floe_thrift_read_list(FloeCursor *c)
{
	FloeThriftList list;

	list.type = floe_cursor_u8(c);
	list.count = floe_cursor_be32(c);
	if (list.count > 0)
	{
		size_t least = least_size(list.type);

		if (least == 0 || list.count > floe_cursor_left(c) / least)
			c->bad = true;
	}
	if (c->bad)
		list.count = 0;
	return list;
}

FloeThriftMap
floe_thrift_read_map(FloeCursor *c)
{
	FloeThriftMap map;

	map.key_type = floe_cursor_u8(c);
	map.value_type = floe_cursor_u8(c);
	map.count = floe_cursor_be32(c);
	if (map.count > 0)
	{
		size_t key = least_size(map.key_type);
		size_t value = least_size(map.value_type);

		if (key == 0 || value == 0 || map.count > floe_cursor_left(c) / (key + value))
			c->bad = true;
	}
	if (c->bad)
		map.count = 0;
	return map;
}

/* What is still to be skipped of one open struct, list, set or map. */
typedef struct SkipLevel
{
	bool is_struct;
	uint8_t types[2]; /* of the elements; for a map key and value in turn */
	uint64_t left;    /* values */
} SkipLevel;

/* The type of the next value of the level, or STOP when the level is done. */
static uint8_t
next_skipped(FloeCursor *c, SkipLevel *level)
{
	FloeThriftField field;

	if (level->is_struct)
		return floe_thrift_read_field(c, &field) ? field.type : FLOE_THRIFT_STOP;
	if (level->left == 0)
		return FLOE_THRIFT_STOP;
	level->left--;
	/* a map has an even number of values, and an even number left before each key */
	return level->types[level->left & 1 ? 0 : 1];
}

void
floe_thrift_skip(FloeCursor *c, uint8_t type)
{
	SkipLevel levels[FLOE_THRIFT_MAX_DEPTH];
	int depth = 0;

	for (;;)
	{
		if (is_fixed(type))
			floe_cursor_skip(c, least_size(type));
		else if (type == FLOE_THRIFT_STRING)
			(void) floe_thrift_read_text(c);
		else if (least_size(type) == 0 || depth == FLOE_THRIFT_MAX_DEPTH)
			c->bad = true;
		else
		{
			SkipLevel *level = &levels[depth++];

			level->is_struct = type == FLOE_THRIFT_STRUCT;
			level->left = 0;
			if (type == FLOE_THRIFT_MAP)
			{
				FloeThriftMap map = floe_thrift_read_map(c);

				level->types[0] = map.key_type;
				level->types[1] = map.value_type;
				level->left = (uint64_t) map.count * 2;
			}
			else if (!level->is_struct)
			{
				FloeThriftList list = floe_thrift_read_list(c);

				level->types[0] = level->types[1] = list.type;
				level->left = list.count;
			}
		}

		/* close what is done, then take the next value */
		for (;;)
		{
			if (c->bad || depth == 0)
				return;
			type = next_skipped(c, &levels[depth - 1]);
			if (type != FLOE_THRIFT_STOP)
				break;
			depth--;
		}
	}
}

/* -------------------------------------------------------------------------
 * Replies
 * ------------------------------------------------------------------------- */

static bool
fail_exception(FloeCursor *c, const char *method, FloeStatus *st)
{
	FloeThriftField field;
	FloeThriftText message = FLOE_THRIFT_NO_TEXT;
	int32_t type = 0;
	FloeCode code;

	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_STRING))
			message = floe_thrift_read_text(c);
		else if (floe_thrift_field_is(&field, 2, FLOE_THRIFT_I32))
			type = floe_thrift_read_i32(c);
		else
			floe_thrift_skip(c, field.type);
	}
	if (c->bad)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "malformed Thrift exception in answer to %s", method);

	if (type == EXCEPTION_UNKNOWN_METHOD)
		code = FLOE_ERR_UNSUPPORTED;
	else if (type == EXCEPTION_INVALID_MESSAGE_TYPE || type == EXCEPTION_PROTOCOL_ERROR)
		code = FLOE_ERR_PROTOCOL;
	else
		code = FLOE_ERR_SERVER;
	floe_fail(st, code, "the server refused %s", method);
	floe_copy_text(st->detail, sizeof(st->detail), message.data, message.len);
	floe_utf8_repair(st->detail);
	return false;
}

bool
floe_thrift_open_reply(FloeCursor *c, const void *data, size_t len, const char *method, int32_t sequence,
					   FloeStatus *st)
{
	uint32_t header;
	FloeThriftText name;
	int32_t got;

	floe_cursor_init(c, len > 0 ? data : "", len);
	header = floe_cursor_be32(c);
	if (c->bad || (header & VERSION_MASK) != VERSION_1)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "the answer to %s is not a Thrift message", method);
	name = floe_thrift_read_text(c);
	got = floe_thrift_read_i32(c);
	if (c->bad || name.len != strlen(method) || memcmp(name.data, method, name.len) != 0 || got != sequence)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "the answer to %s belongs to another call", method);
	switch (header & ~VERSION_MASK)
	{
		case FLOE_THRIFT_REPLY:
			return true;
		case FLOE_THRIFT_EXCEPTION:
			return fail_exception(c, method, st);
		default:
			return floe_fail(st, FLOE_ERR_PROTOCOL, "the answer to %s is neither a reply nor an exception", method);
	}
}

bool
floe_thrift_close_reply(FloeCursor *c, const char *method, FloeStatus *st)
{
	if (c->bad)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "malformed or cut-off answer to %s", method);
	if (floe_cursor_left(c) > 0)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "%zu bytes behind the answer to %s", floe_cursor_left(c), method);
	return true;
}
