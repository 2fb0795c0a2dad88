/*
 * connect_wire.h: the calls of Spark Connect that an engine adapter needs: bodies of requests, meaning of answers.
 *
 * Source: Spark's spark/connect/base.proto and commands.proto, of 3.5 and 4.0;
 * what servers really send is in test/fixtures/connect.  Fields that only 4.0
 * knows are sent to both: 3.5 passes over them.
 *
 * Pure: bytes in, bytes out.  A request is one gRPC message, with its prefix.
 */
#ifndef FLOE_ENGINE_CONNECT_WIRE_H
#define FLOE_ENGINE_CONNECT_WIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "engine/ops.h"

#define FLOE_UUID_SIZE 37 /* text and its end */

typedef enum FloeConnectCall
{
	FLOE_CONNECT_ANALYZE, /* the version of Spark */
	FLOE_CONNECT_CONFIG,
	FLOE_CONNECT_EXECUTE,
	FLOE_CONNECT_REATTACH,
	FLOE_CONNECT_INTERRUPT,
	FLOE_CONNECT_ERROR_DETAILS,
	FLOE_CONNECT_RELEASE_EXECUTE,
	FLOE_CONNECT_RELEASE_SESSION
} FloeConnectCall;

/* Which session and operation a request is about; texts are the caller's. */
typedef struct FloeConnectIds
{
	const char *user;
	const char *session;
	const char *operation;
	const char *server_session; /* what the server called the session when it was made; "" unknown (3.5) */
} FloeConnectIds;

/* What one message of ExecutePlan or ReattachExecute says.  Slices of the input. */
typedef struct FloeConnectPart
{
	char response_id[64]; /* "": none that could be given back */
	bool is_complete;     /* the last one of a statement that succeeded */
	const char *query;    /* the text of a query that was not run yet; not terminated, "" when there is none */
	size_t query_len;
	bool has_rows;
	const char *rows; /* an Arrow stream */
	size_t rows_len;
} FloeConnectPart;

/* "ExecutePlan": the name on the wire. */
extern const char *floe_connect_call_name(FloeConnectCall call);

/*
 * Each appends one message with its prefix; buf->failed tells whether it is
 * whole.  text: of EXECUTE the statement, of REATTACH the last response's id or
 * "", of ERROR_DETAILS the error's id.
 */
extern void floe_connect_request(FloeBuf *buf, FloeConnectCall call, const FloeConnectIds *ids, const char *text);
extern void floe_connect_config(FloeBuf *buf, const FloeConnectIds *ids, const FloeKeyValue *conf, int nconf);

/* Each false when the message is no answer to that call. */
extern bool floe_connect_read_part(FloeCursor message, FloeConnectPart *part);
extern bool floe_connect_read_version(FloeCursor message, char *version, size_t size);
extern bool floe_connect_read_config(FloeCursor message, char *server_session, size_t size);

/* FetchErrorDetails: "class: message", and "Caused by: class: message" for each cause, a line each. */
extern void floe_connect_read_error(FloeCursor message, FloeBuf *text);

#endif /* FLOE_ENGINE_CONNECT_WIRE_H */
