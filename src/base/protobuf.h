/*
 * protobuf.h: Protocol Buffers on the wire, as far as gRPC services need it: varints, text and messages in messages.
 *
 * Source of the rules: protobuf.dev, "Encoding".  Own code because protobuf-c
 * means generated code, a compiler to generate it and a library at run time,
 * and its parser allocates whatever a hostile message announces.  Here reading
 * goes through a FloeCursor and allocates nothing: text and messages are given
 * out as slices of the input, which bounds every length.  Nesting costs no
 * recursion: only messages that a caller wants to look into are opened.
 *
 * Writing appends to a FloeBuf, which remembers a refused append.  A message
 * inside a message is written into a buffer of its own first.
 */
#ifndef FLOE_BASE_PROTOBUF_H
#define FLOE_BASE_PROTOBUF_H

#include "base/buf.h"
#include "base/cursor.h"

typedef enum FloeProtoWire
{
	FLOE_PROTO_VARINT = 0,
	FLOE_PROTO_I64 = 1,
	FLOE_PROTO_BYTES = 2, /* also text and messages */
	FLOE_PROTO_I32 = 5    /* 3 and 4, groups, are refused: nobody writes them any more */
} FloeProtoWire;

typedef struct FloeProtoField
{
	uint32_t number;
	FloeProtoWire wire;
	uint64_t value;   /* unless wire is BYTES */
	const char *data; /* of BYTES; not terminated, may hold any byte.  Otherwise "" */
	size_t len;
} FloeProtoField;

/* The next field; false at the end, and for what is no field, which sets c->bad. */
extern bool floe_proto_next(FloeCursor *c, FloeProtoField *field);

/* The inside of a field; empty when its type cannot be a message's. */
extern FloeCursor floe_proto_open(const FloeProtoField *field);

/* The last field of that number, as the rules want it for one that is not repeated; false when there is none. */
extern bool floe_proto_find(FloeCursor message, uint32_t number, FloeProtoField *field);

/* Copies text, cut at size-1 bytes; what is no text field gives "". */
extern void floe_proto_copy(const FloeProtoField *field, char *text, size_t size);

extern void floe_proto_put_uint(FloeBuf *buf, uint32_t number, uint64_t value);
extern void floe_proto_put_text(FloeBuf *buf, uint32_t number, const char *text);
extern void floe_proto_put_bytes(FloeBuf *buf, uint32_t number, const void *data, size_t len);

/* A message that was written into a buffer of its own: also passes its failure on. */
extern void floe_proto_put_message(FloeBuf *buf, uint32_t number, const FloeBuf *message);

#endif /* FLOE_BASE_PROTOBUF_H */
