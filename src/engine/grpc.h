/*
 * grpc.h: gRPC over HTTP/2, without the HTTP: messages in a body, and how a call ended.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md; google/rpc/status.proto and
 * error_details.proto.  A body is messages, each with a flag and four bytes of
 * length in front; a body that was cut off ends with a part of one, which is
 * left out.  How the call ended stands in the trailers, or in the header of an
 * answer without a body.  Pure: bytes in, bytes out.
 */
#ifndef FLOE_ENGINE_GRPC_H
#define FLOE_ENGINE_GRPC_H

#include "base/cursor.h"
#include "net/http.h"

/* Codes that an adapter tells apart (grpc/doc/statuscodes.md). */
typedef enum FloeGrpcCode
{
	FLOE_GRPC_NONE = -1, /* the answer does not say: cut off, or not gRPC */
	FLOE_GRPC_OK = 0,
	FLOE_GRPC_CANCELLED = 1,
	FLOE_GRPC_DEADLINE_EXCEEDED = 4,
	FLOE_GRPC_PERMISSION_DENIED = 7,
	FLOE_GRPC_RESOURCE_EXHAUSTED = 8,
	FLOE_GRPC_UNIMPLEMENTED = 12,
	FLOE_GRPC_INTERNAL = 13,
	FLOE_GRPC_UNAVAILABLE = 14,
	FLOE_GRPC_UNAUTHENTICATED = 16
} FloeGrpcCode;

/* Servers keep a header within 8 kB by default. */
#define FLOE_GRPC_HEADER_MAX 16384

/*
 * How a call ended.  Texts are cut and "" when absent.  Large, and filled in
 * for every answer: an adapter has one of them for all of its run.
 */
typedef struct FloeGrpcEnd
{
	int code;
	bool has_info; /* the service itself explains: google.rpc.ErrorInfo */
	char message[8192];
	char reason[256];    /* of ErrorInfo; Spark: the class of the exception */
	char error_id[64];   /* Spark: under which FetchErrorDetails knows more */
	char error_name[96]; /* Spark: "INVALID_HANDLE.OPERATION_NOT_FOUND" */
	char header[FLOE_GRPC_HEADER_MAX];
	char details[FLOE_GRPC_HEADER_MAX];
} FloeGrpcEnd;

/* The prefix of a message, to be put before it in the body of a request. */
#define FLOE_GRPC_PREFIX 5
extern void floe_grpc_prefix(uint8_t prefix[FLOE_GRPC_PREFIX], uint32_t len);

/*
 * The next whole message of a body.  False at its end, be it cut off or not;
 * a compressed one, which floe never asks for, and an unknown flag set c->bad.
 */
extern bool floe_grpc_next(FloeCursor *c, FloeCursor *message);

/* Details that cannot be read are absent. */
extern void floe_grpc_read_end(const FloeHttpResponse *response, FloeGrpcEnd *end);

#endif /* FLOE_ENGINE_GRPC_H */
