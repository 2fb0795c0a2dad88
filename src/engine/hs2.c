/*
 * hs2.c: bodies of HiveServer2 requests and the meaning of replies without rows.
 *
 * Separate from hs2_rows.c, which turns columns into rows, and from the
 * adapter, which knows in which order the calls are made.
 */
#include "floe.h"

#include "engine/hs2_wire.h"

#include <string.h>

/* TProtocolVersion HIVE_CLI_SERVICE_PROTOCOL_V8: columnar results; Spark refuses 11 and more. */
#define PROTOCOL_VERSION 7

#define HS2_STATUS_OK 0
#define HS2_STATUS_OK_WITH_INFO 1
#define HS2_STATUS_INVALID_HANDLE 4

static const char *const call_names[] = {
	[FLOE_HS2_OPEN_SESSION] = "OpenSession",
	[FLOE_HS2_EXECUTE_STATEMENT] = "ExecuteStatement",
	[FLOE_HS2_GET_OPERATION_STATUS] = "GetOperationStatus",
	[FLOE_HS2_GET_RESULT_SET_METADATA] = "GetResultSetMetadata",
	[FLOE_HS2_FETCH_RESULTS] = "FetchResults",
	[FLOE_HS2_CANCEL_OPERATION] = "CancelOperation",
	[FLOE_HS2_CLOSE_OPERATION] = "CloseOperation",
	[FLOE_HS2_CLOSE_SESSION] = "CloseSession",
	[FLOE_HS2_GET_INFO] = "GetInfo",
};

/* How servers say that a handle means nothing to them; it stands at the start of the message, before the stack trace. */
static const char *const lost_texts[] = {
	"Invalid SessionHandle",
	"Session does not exist",
	"Invalid OperationHandle",
};

const char *
floe_hs2_call_name(FloeHs2Call call)
{
	return call_names[call];
}

/* -------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------- */

/* Message header and the struct that every call has as its only argument. */
static void
begin_call(FloeBuf *buf, FloeHs2Call call, int32_t sequence)
{
	floe_thrift_write_message(buf, call_names[call], FLOE_THRIFT_CALL, sequence);
	floe_thrift_write_field(buf, FLOE_THRIFT_STRUCT, 1);
}

static void
end_call(FloeBuf *buf)
{
	floe_thrift_write_stop(buf); /* of the argument */
	floe_thrift_write_stop(buf); /* of the message */
}

/* THandleIdentifier as field 1 of the struct that holds it. */
static void
write_handle(FloeBuf *buf, const FloeHs2Handle *handle)
{
	floe_thrift_write_field(buf, FLOE_THRIFT_STRUCT, 1);
	floe_thrift_write_field(buf, FLOE_THRIFT_STRING, 1);
	floe_thrift_write_binary(buf, handle->guid, FLOE_HS2_ID_SIZE);
	floe_thrift_write_field(buf, FLOE_THRIFT_STRING, 2);
	floe_thrift_write_binary(buf, handle->secret, FLOE_HS2_ID_SIZE);
	floe_thrift_write_stop(buf);
}

static void
write_session(FloeBuf *buf, const FloeHs2Handle *session)
{
	floe_thrift_write_field(buf, FLOE_THRIFT_STRUCT, 1);
	write_handle(buf, session);
	floe_thrift_write_stop(buf);
}

static void
write_operation(FloeBuf *buf, const FloeHs2Operation *operation)
{
	floe_thrift_write_field(buf, FLOE_THRIFT_STRUCT, 1);
	write_handle(buf, &operation->handle);
	floe_thrift_write_field(buf, FLOE_THRIFT_I32, 2);
	floe_thrift_write_i32(buf, operation->type);
	floe_thrift_write_field(buf, FLOE_THRIFT_BOOL, 3);
	floe_thrift_write_bool(buf, operation->has_result_set);
	floe_thrift_write_stop(buf);
}

void
floe_hs2_open_session(FloeBuf *buf, int32_t sequence, const FloeKeyValue *conf, int nconf)
{
	begin_call(buf, FLOE_HS2_OPEN_SESSION, sequence);
	floe_thrift_write_field(buf, FLOE_THRIFT_I32, 1);
	floe_thrift_write_i32(buf, PROTOCOL_VERSION);
	floe_thrift_write_field(buf, FLOE_THRIFT_MAP, 4);
	floe_thrift_write_map(buf, FLOE_THRIFT_STRING, FLOE_THRIFT_STRING, (uint32_t) nconf);
	for (int i = 0; i < nconf; i++)
	{
		floe_thrift_write_text(buf, conf[i].key);
		floe_thrift_write_text(buf, conf[i].value);
	}
	end_call(buf);
}

void
floe_hs2_execute_statement(FloeBuf *buf, int32_t sequence, const FloeHs2Handle *session, const char *statement)
{
	begin_call(buf, FLOE_HS2_EXECUTE_STATEMENT, sequence);
	write_session(buf, session);
	floe_thrift_write_field(buf, FLOE_THRIFT_STRING, 2);
	floe_thrift_write_text(buf, statement);
	floe_thrift_write_field(buf, FLOE_THRIFT_BOOL, 4); /* runAsync */
	floe_thrift_write_bool(buf, true);
	end_call(buf);
}

void
floe_hs2_operation_call(FloeBuf *buf, FloeHs2Call call, int32_t sequence, const FloeHs2Operation *operation)
{
	begin_call(buf, call, sequence);
	write_operation(buf, operation);
	end_call(buf);
}

void
floe_hs2_fetch_results(FloeBuf *buf, int32_t sequence, const FloeHs2Operation *operation, int32_t orientation,
					   int64_t max_rows)
{
	begin_call(buf, FLOE_HS2_FETCH_RESULTS, sequence);
	write_operation(buf, operation);
	floe_thrift_write_field(buf, FLOE_THRIFT_I32, 2);
	floe_thrift_write_i32(buf, orientation);
	floe_thrift_write_field(buf, FLOE_THRIFT_I64, 3);
	floe_thrift_write_i64(buf, max_rows);
	floe_thrift_write_field(buf, FLOE_THRIFT_I16, 4); /* fetchType: rows, not the log */
	floe_thrift_write_i16(buf, 0);
	end_call(buf);
}

void
floe_hs2_close_session(FloeBuf *buf, int32_t sequence, const FloeHs2Handle *session)
{
	begin_call(buf, FLOE_HS2_CLOSE_SESSION, sequence);
	write_session(buf, session);
	end_call(buf);
}

void
floe_hs2_get_info(FloeBuf *buf, int32_t sequence, const FloeHs2Handle *session, int32_t info_type)
{
	begin_call(buf, FLOE_HS2_GET_INFO, sequence);
	write_session(buf, session);
	floe_thrift_write_field(buf, FLOE_THRIFT_I32, 2);
	floe_thrift_write_i32(buf, info_type);
	end_call(buf);
}

/* -------------------------------------------------------------------------
 * Replies
 * ------------------------------------------------------------------------- */

bool
floe_hs2_open_result(FloeCursor *c, FloeHs2Call call, int32_t sequence, const void *body, size_t len, FloeStatus *st)
{
	FloeThriftField field;

	if (!floe_thrift_open_reply(c, body, len, call_names[call], sequence, st))
		return false;
	if (!floe_thrift_read_field(c, &field) || !floe_thrift_field_is(&field, 0, FLOE_THRIFT_STRUCT))
		return floe_fail(st, FLOE_ERR_PROTOCOL, "the answer to %s has no result", call_names[call]);
	return true;
}

bool
floe_hs2_close_result(FloeCursor *c, FloeHs2Call call, FloeStatus *st)
{
	FloeThriftField field;

	while (floe_thrift_read_field(c, &field))
		floe_thrift_skip(c, field.type);
	return floe_thrift_close_reply(c, call_names[call], st);
}

static FloeThriftText
first_of_list(FloeCursor *c)
{
	FloeThriftText first = FLOE_THRIFT_NO_TEXT;
	FloeThriftList list = floe_thrift_read_list(c);

	for (uint32_t i = 0; i < list.count && !c->bad; i++)
	{
		if (i == 0 && list.type == FLOE_THRIFT_STRING)
			first = floe_thrift_read_text(c);
		else
			floe_thrift_skip(c, list.type);
	}
	return first;
}

void
floe_hs2_read_status(FloeCursor *c, FloeHs2Status *status)
{
	FloeThriftField field;
	FloeThriftText info = FLOE_THRIFT_NO_TEXT;
	bool has_code = false;

	status->code = HS2_STATUS_OK;
	status->sql_state = status->message = FLOE_THRIFT_NO_TEXT;
	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_I32))
		{
			status->code = floe_thrift_read_i32(c);
			has_code = true;
		}
		else if (floe_thrift_field_is(&field, 2, FLOE_THRIFT_LIST))
			info = first_of_list(c);
		else if (floe_thrift_field_is(&field, 3, FLOE_THRIFT_STRING))
			status->sql_state = floe_thrift_read_text(c);
		else if (floe_thrift_field_is(&field, 5, FLOE_THRIFT_STRING))
			status->message = floe_thrift_read_text(c);
		else
			floe_thrift_skip(c, field.type);
	}
	if (status->message.len == 0)
		status->message = info;
	if (!has_code)
		c->bad = true;
}

static bool
read_id(FloeCursor *c, uint8_t *to)
{
	FloeThriftText id = floe_thrift_read_text(c);

	if (id.len != FLOE_HS2_ID_SIZE)
		return false;
	memcpy(to, id.data, FLOE_HS2_ID_SIZE);
	return true;
}

/* THandleIdentifier; false when one of its halves is missing or has another length. */
static bool
read_handle(FloeCursor *c, FloeHs2Handle *handle)
{
	FloeThriftField field;
	bool has_guid = false;
	bool has_secret = false;

	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_STRING))
			has_guid = read_id(c, handle->guid);
		else if (floe_thrift_field_is(&field, 2, FLOE_THRIFT_STRING))
			has_secret = read_id(c, handle->secret);
		else
			floe_thrift_skip(c, field.type);
	}
	return has_guid && has_secret;
}

/* TSessionHandle and TOperationHandle begin alike. */
static bool
read_operation(FloeCursor *c, FloeHs2Operation *operation)
{
	FloeThriftField field;
	bool has_handle = false;

	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_STRUCT))
			has_handle = read_handle(c, &operation->handle);
		else if (floe_thrift_field_is(&field, 2, FLOE_THRIFT_I32))
			operation->type = floe_thrift_read_i32(c);
		else if (floe_thrift_field_is(&field, 3, FLOE_THRIFT_BOOL))
			operation->has_result_set = floe_thrift_read_bool(c);
		else
			floe_thrift_skip(c, field.type);
	}
	return has_handle;
}

/* TGetInfoValue, of which only the text member is asked for. */
static bool
read_info(FloeCursor *c, FloeThriftText *info)
{
	FloeThriftField field;
	bool has_text = false;

	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_STRING))
		{
			*info = floe_thrift_read_text(c);
			has_text = true;
		}
		else
			floe_thrift_skip(c, field.type);
	}
	return has_text;
}

/*
 * A field of the response struct beside the status.  Sets *complete when what
 * the call is made for has come.
 */
static void
read_result_field(FloeHs2Call call, FloeCursor *c, const FloeThriftField *field, FloeHs2Reply *reply, bool *complete)
{
	FloeHs2Operation session;

	if (call == FLOE_HS2_OPEN_SESSION && floe_thrift_field_is(field, 3, FLOE_THRIFT_STRUCT))
	{
		*complete = read_operation(c, &session);
		if (*complete)
			reply->session = session.handle;
	}
	else if (call == FLOE_HS2_EXECUTE_STATEMENT && floe_thrift_field_is(field, 2, FLOE_THRIFT_STRUCT))
		*complete = read_operation(c, &reply->operation);
	else if (call == FLOE_HS2_GET_OPERATION_STATUS && floe_thrift_field_is(field, 2, FLOE_THRIFT_I32))
	{
		reply->state = floe_thrift_read_i32(c);
		*complete = true;
	}
	else if (call == FLOE_HS2_GET_OPERATION_STATUS && floe_thrift_field_is(field, 5, FLOE_THRIFT_STRING))
		reply->error = floe_thrift_read_text(c);
	else if (call == FLOE_HS2_GET_INFO && floe_thrift_field_is(field, 2, FLOE_THRIFT_STRUCT))
		*complete = read_info(c, &reply->info);
	else
		floe_thrift_skip(c, field->type);
}

bool
floe_hs2_read_reply(FloeHs2Call call, int32_t sequence, const void *body, size_t len, FloeHs2Reply *reply,
					FloeStatus *st)
{
	const char *name = call_names[call];
	/* calls whose answer is a status and nothing else */
	bool complete =
		call == FLOE_HS2_CANCEL_OPERATION || call == FLOE_HS2_CLOSE_OPERATION || call == FLOE_HS2_CLOSE_SESSION;
	bool has_status = false;
	FloeThriftField field;
	FloeCursor c;

	memset(reply, 0, sizeof(*reply));
	reply->error = reply->info = FLOE_THRIFT_NO_TEXT;
	if (!floe_hs2_open_result(&c, call, sequence, body, len, st))
		return false;
	while (floe_thrift_read_field(&c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_STRUCT))
		{
			floe_hs2_read_status(&c, &reply->status);
			has_status = true;
		}
		else
			read_result_field(call, &c, &field, reply, &complete);
	}
	if (!floe_hs2_close_result(&c, call, st))
		return false;
	if (!has_status || (floe_hs2_is_ok(&reply->status) && !complete))
		return floe_fail(st, FLOE_ERR_PROTOCOL, "the answer to %s lacks a required field", name);
	return true;
}

bool
floe_hs2_is_ok(const FloeHs2Status *status)
{
	return status->code == HS2_STATUS_OK || status->code == HS2_STATUS_OK_WITH_INFO;
}

bool
floe_hs2_is_lost(const FloeHs2Status *status)
{
	char line[256];
	char *end;

	if (floe_hs2_is_ok(status))
		return false;
	if (status->code == HS2_STATUS_INVALID_HANDLE)
		return true;
	floe_copy_text(line, sizeof(line), status->message.data, status->message.len);
	end = strchr(line, '\n');
	if (end != NULL)
		*end = '\0';
	for (size_t i = 0; i < lengthof(lost_texts); i++)
	{
		if (strstr(line, lost_texts[i]) != NULL)
			return true;
	}
	return false;
}

bool
floe_hs2_is_terminal(int32_t state)
{
	return state == FLOE_HS2_FINISHED || state == FLOE_HS2_CANCELED || state == FLOE_HS2_CLOSED ||
		   state == FLOE_HS2_ERROR || state == FLOE_HS2_TIMEDOUT;
}

void
floe_hs2_guid_text(const FloeHs2Handle *handle, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < FLOE_HS2_ID_SIZE; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		*text++ = digits[handle->guid[i] >> 4];
		*text++ = digits[handle->guid[i] & 15];
	}
	*text = '\0';
}
