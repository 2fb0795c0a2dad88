/*
 * hs2.h: the calls of HiveServer2 (TCLIService) that an engine adapter needs: bodies of requests, meaning of replies.
 *
 * Source: Apache Hive, service-rpc/if/TCLIService.thrift, protocol V8; what
 * Spark's Thrift Server really sends is in test/fixtures/hs2.  Over HTTP a
 * body is one strict binary Thrift message, not framed.
 *
 * Pure: bytes in, bytes out.  A reply points into the body it was read from
 * and is valid as long as that; what is kept longer is copied by the caller.
 * Reading is all or nothing: after false nothing of the reply may be used,
 * and st says FLOE_ERR_PROTOCOL (not this protocol, cut off, malformed),
 * FLOE_ERR_UNSUPPORTED or FLOE_ERR_SERVER (an application exception), or
 * FLOE_ERR_TOO_LARGE.  A server that refuses a call properly is no such
 * failure: reply->status says so, see floe_hs2_is_ok().
 */
#ifndef FLOE_ENGINE_HS2_H
#define FLOE_ENGINE_HS2_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/thrift.h"
#include "engine/secrets.h"

typedef enum FloeHs2Call
{
	FLOE_HS2_OPEN_SESSION,
	FLOE_HS2_EXECUTE_STATEMENT,
	FLOE_HS2_GET_OPERATION_STATUS,
	FLOE_HS2_GET_RESULT_SET_METADATA,
	FLOE_HS2_FETCH_RESULTS,
	FLOE_HS2_CANCEL_OPERATION,
	FLOE_HS2_CLOSE_OPERATION,
	FLOE_HS2_CLOSE_SESSION,
	FLOE_HS2_GET_INFO
} FloeHs2Call;

/* TOperationState */
typedef enum FloeHs2State
{
	FLOE_HS2_INITIALIZED = 0,
	FLOE_HS2_RUNNING = 1,
	FLOE_HS2_FINISHED = 2,
	FLOE_HS2_CANCELED = 3,
	FLOE_HS2_CLOSED = 4,
	FLOE_HS2_ERROR = 5,
	FLOE_HS2_UNKNOWN = 6,
	FLOE_HS2_PENDING = 7,
	FLOE_HS2_TIMEDOUT = 8
} FloeHs2State;

/* TGetInfoType */
#define FLOE_HS2_INFO_DBMS_NAME 17
#define FLOE_HS2_INFO_DBMS_VERSION 18

/* TFetchOrientation: FIRST reads from the start again, which makes a fetch repeatable. */
#define FLOE_HS2_FETCH_NEXT 0
#define FLOE_HS2_FETCH_FIRST 4

#define FLOE_HS2_ID_SIZE 16
#define FLOE_HS2_MAX_COLUMNS 1024

/* THandleIdentifier.  The secret is what the server checks: a stored handle is a secret. */
typedef struct FloeHs2Handle
{
	uint8_t guid[FLOE_HS2_ID_SIZE];
	uint8_t secret[FLOE_HS2_ID_SIZE];
} FloeHs2Handle;

typedef struct FloeHs2Operation
{
	FloeHs2Handle handle;
	int32_t type; /* as the server gave it, given back to it */
	bool has_result_set;
} FloeHs2Operation;

/* TStatus; message is errorMessage, or the first line of infoMessages when that is absent. */
typedef struct FloeHs2Status
{
	int32_t code;
	FloeThriftText sql_state;
	FloeThriftText message;
} FloeHs2Status;

typedef struct FloeHs2Reply
{
	FloeHs2Status status;
	FloeHs2Handle session;      /* OpenSession */
	FloeHs2Operation operation; /* ExecuteStatement */
	int32_t state;              /* GetOperationStatus: FloeHs2State, or a number it does not have */
	FloeThriftText error;       /* GetOperationStatus: errorMessage, with a stack trace behind it */
	FloeThriftText info;        /* GetInfo */
} FloeHs2Reply;

/* A column of a result, and its values in the fetch that was read last. */
typedef struct FloeHs2Column
{
	const char *name; /* in the arena of the schema */
	int16_t kind;     /* member of the TColumn union: 1 bool … 8 binary */
	FloeCursor values;
	FloeThriftText nulls; /* bit i of byte i / 8: row i is NULL; trailing zero bytes are cut */
} FloeHs2Column;

typedef struct FloeHs2Schema
{
	int ncolumns;
	FloeHs2Column *columns;
	int64_t nrows; /* of the fetch that was read last */
} FloeHs2Schema;

/*
 * Requests.  Each appends one message; buf->failed tells whether it is whole.
 * conf keys are HiveServer2's own ("set:hiveconf:spark.sql.session.timeZone").
 */
extern void floe_hs2_open_session(FloeBuf *buf, int32_t sequence, const FloeKeyValue *conf, int nconf);
extern void floe_hs2_execute_statement(FloeBuf *buf, int32_t sequence, const FloeHs2Handle *session,
									   const char *statement);
/* GetOperationStatus, GetResultSetMetadata, CancelOperation, CloseOperation */
extern void floe_hs2_operation_call(FloeBuf *buf, FloeHs2Call call, int32_t sequence,
									const FloeHs2Operation *operation);
extern void floe_hs2_fetch_results(FloeBuf *buf, int32_t sequence, const FloeHs2Operation *operation,
								   int32_t orientation, int64_t max_rows);
extern void floe_hs2_close_session(FloeBuf *buf, int32_t sequence, const FloeHs2Handle *session);
extern void floe_hs2_get_info(FloeBuf *buf, int32_t sequence, const FloeHs2Handle *session, int32_t info_type);

/* "OpenSession": the name on the wire. */
extern const char *floe_hs2_call_name(FloeHs2Call call);

/*
 * Replies.  When floe_hs2_is_ok(&reply->status), the fields of the call are
 * filled in; an OK answer that lacks one of them is FLOE_ERR_PROTOCOL.
 */
extern bool floe_hs2_read_reply(FloeHs2Call call, int32_t sequence, const void *body, size_t len, FloeHs2Reply *reply,
								FloeStatus *st);
extern bool floe_hs2_is_ok(const FloeHs2Status *status);

/* The server says that it does not know the session or the operation (any more). */
extern bool floe_hs2_is_lost(const FloeHs2Status *status);

/* Is nothing more to be expected in that state?  Unknown states are not terminal. */
extern bool floe_hs2_is_terminal(int32_t state);

/* "8152e51d-16c3-4462-9b39-ddf3adf4ee1b", as Spark's UI shows it; text holds at least 37 bytes. */
extern void floe_hs2_guid_text(const FloeHs2Handle *handle, char *text);

/*
 * Results.  GetResultSetMetadata gives a schema with names in the arena.
 * FetchResults fills its columns, which then point into the body; a set with
 * other columns than the schema is FLOE_ERR_PROTOCOL.  In both, *status is
 * the server's; when it is not OK, nothing else was read.
 */
extern bool floe_hs2_read_metadata(FloeArena *arena, int32_t sequence, const void *body, size_t len,
								   FloeHs2Schema *schema, FloeHs2Status *status, FloeStatus *st);
extern bool floe_hs2_read_rows(FloeHs2Schema *schema, int32_t sequence, const void *body, size_t len,
							   FloeHs2Status *status, FloeStatus *st);

/*
 * Appends the rows of the last fetch to *json as objects by column name:
 * "[{…},{…}" without the closing bracket.  At most *room rows, of which each
 * takes one away, and none that would make *json longer than max_bytes: the
 * first that does not fit ends it for good (*room becomes 0).  Secrets are
 * masked.  Consumes the columns' values.  False (FLOE_ERR_NOMEM) without memory.
 */
extern bool floe_hs2_append_rows(FloeHs2Schema *schema, const FloeSecrets *secrets, FloeBuf *json, size_t max_bytes,
								 int64_t *room, FloeStatus *st);

#endif /* FLOE_ENGINE_HS2_H */
