/*
 * protobuf.c: fields of Protocol Buffers, read and written.
 */
#include "floe.h"

#include "base/protobuf.h"

#include "base/status.h"

#include <string.h>

#define MAX_NUMBER ((uint64_t) 536870911) /* 2^29 - 1 */

static uint64_t
read_fixed(FloeCursor *c, size_t size)
{
	const uint8_t *at = floe_cursor_take(c, size);
	uint64_t value = 0;

	for (size_t i = size; at != NULL && i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

static void
read_bytes(FloeCursor *c, FloeProtoField *field)
{
	uint64_t len = floe_cursor_varint(c);

	/* before it becomes a size_t: the announced length may have 64 bits */
	if (c->bad || len > (uint64_t) (c->end - c->pos))
	{
		c->bad = true;
		return;
	}
	field->len = (size_t) len;
	field->data = (const char *) floe_cursor_take(c, field->len);
}

bool
floe_proto_next(FloeCursor *c, FloeProtoField *field)
{
	uint64_t tag;

	memset(field, 0, sizeof(*field));
	field->data = "";
	if (floe_cursor_left(c) == 0)
		return false;
	tag = floe_cursor_varint(c);
	if (c->bad || tag >> 3 == 0 || tag >> 3 > MAX_NUMBER)
	{
		c->bad = true;
		return false;
	}
	field->number = (uint32_t) (tag >> 3);
	field->wire = (FloeProtoWire) (tag & 7);
	switch (field->wire)
	{
		case FLOE_PROTO_VARINT:
			field->value = floe_cursor_varint(c);
			break;
		case FLOE_PROTO_I64:
			field->value = read_fixed(c, 8);
			break;
		case FLOE_PROTO_I32:
			field->value = read_fixed(c, 4);
			break;
		case FLOE_PROTO_BYTES:
			read_bytes(c, field);
			break;
		default:
			c->bad = true;
			break;
	}
	return !c->bad;
}

FloeCursor
floe_proto_open(const FloeProtoField *field)
{
	FloeCursor inside;

	floe_cursor_init(&inside, field->data, field->wire == FLOE_PROTO_BYTES ? field->len : 0);
	return inside;
}

bool
floe_proto_find(FloeCursor message, uint32_t number, FloeProtoField *field)
{
	FloeProtoField one;
	bool is_found = false;

	memset(field, 0, sizeof(*field));
	field->data = "";
	while (floe_proto_next(&message, &one))
	{
		if (one.number == number)
		{
			*field = one;
			is_found = true;
		}
	}
	return is_found && !message.bad;
}

void
floe_proto_copy(const FloeProtoField *field, char *text, size_t size)
{
	floe_copy_text(text, size, field->data, field->wire == FLOE_PROTO_BYTES ? field->len : 0);
}

static void
put_varint(FloeBuf *buf, uint64_t value)
{
	while (value > 0x7F)
	{
		floe_buf_char(buf, (char) (unsigned char) ((value & 0x7F) | 0x80));
		value >>= 7;
	}
	floe_buf_char(buf, (char) value);
}

void
floe_proto_put_uint(FloeBuf *buf, uint32_t number, uint64_t value)
{
	put_varint(buf, (uint64_t) number << 3 | FLOE_PROTO_VARINT);
	put_varint(buf, value);
}

void
floe_proto_put_bytes(FloeBuf *buf, uint32_t number, const void *data, size_t len)
{
	put_varint(buf, (uint64_t) number << 3 | FLOE_PROTO_BYTES);
	put_varint(buf, len);
	if (len > 0)
		floe_buf_append(buf, data, len);
}

void
floe_proto_put_text(FloeBuf *buf, uint32_t number, const char *text)
{
	floe_proto_put_bytes(buf, number, text, strlen(text));
}

void
floe_proto_put_message(FloeBuf *buf, uint32_t number, const FloeBuf *message)
{
	floe_proto_put_bytes(buf, number, message->data, message->len);
	buf->failed = buf->failed || message->failed;
}
