/*
 * fake_hs2.h: a HiveServer2 for the tests of the adapter: one answer per word of a script.
 *
 * It reads the requests that the adapter builds and answers with messages in
 * the form that Spark 3.5.9 uses (test/fixtures/hs2), carrying the sequence
 * number of the request.
 */
#ifndef FLOE_TEST_FAKE_HS2_H
#define FLOE_TEST_FAKE_HS2_H

#include "engine/hs2.h"
#include "engine/ops.h"

#include <string.h>

/* What a request is: method and sequence number, as they stand in its message. */
typedef struct FakeCall
{
	char method[64];
	int32_t sequence;
	int32_t orientation; /* FetchResults; -1 otherwise */
} FakeCall;

static FakeCall
fake_read_call(const FloeHttpRequest *request)
{
	FakeCall call = {"", 0, -1};
	FloeThriftField field;
	FloeThriftText name;
	FloeCursor c;

	floe_cursor_init(&c, request->body, request->body_len);
	floe_cursor_skip(&c, 4);
	name = floe_thrift_read_text(&c);
	floe_copy_text(call.method, sizeof(call.method), name.data, name.len);
	call.sequence = floe_thrift_read_i32(&c);
	if (strcmp(call.method, "FetchResults") == 0 && floe_thrift_read_field(&c, &field))
	{
		while (floe_thrift_read_field(&c, &field))
		{
			if (floe_thrift_field_is(&field, 2, FLOE_THRIFT_I32))
				call.orientation = floe_thrift_read_i32(&c);
			else
				floe_thrift_skip(&c, field.type);
		}
	}
	return call;
}

static void
fake_status(FloeBuf *body, const FakeCall *call, int code, const char *message)
{
	floe_thrift_write_message(body, call->method, FLOE_THRIFT_REPLY, call->sequence);
	floe_thrift_write_field(body, FLOE_THRIFT_STRUCT, 0);
	floe_thrift_write_field(body, FLOE_THRIFT_STRUCT, 1);
	floe_thrift_write_field(body, FLOE_THRIFT_I32, 1);
	floe_thrift_write_i32(body, code);
	if (message != NULL)
	{
		floe_thrift_write_field(body, FLOE_THRIFT_STRING, 5);
		floe_thrift_write_text(body, message);
	}
	floe_thrift_write_stop(body);
}

static void
fake_handle(FloeBuf *body, int16_t id, const char *guid, bool is_operation)
{
	floe_thrift_write_field(body, FLOE_THRIFT_STRUCT, id);
	floe_thrift_write_field(body, FLOE_THRIFT_STRUCT, 1);
	floe_thrift_write_field(body, FLOE_THRIFT_STRING, 1);
	floe_thrift_write_binary(body, guid, 16);
	floe_thrift_write_field(body, FLOE_THRIFT_STRING, 2);
	floe_thrift_write_binary(body, "SECRETSECRETSECR", 16);
	floe_thrift_write_stop(body);
	if (is_operation)
	{
		floe_thrift_write_field(body, FLOE_THRIFT_I32, 2);
		floe_thrift_write_i32(body, 0);
		floe_thrift_write_field(body, FLOE_THRIFT_BOOL, 3);
		floe_thrift_write_bool(body, true);
	}
	floe_thrift_write_stop(body);
}

static void
fake_info(FloeBuf *body, const char *text)
{
	floe_thrift_write_field(body, FLOE_THRIFT_STRUCT, 2);
	floe_thrift_write_field(body, FLOE_THRIFT_STRING, 1);
	floe_thrift_write_text(body, text);
	floe_thrift_write_stop(body);
}

/* One text column "location". */
static void
fake_metadata(FloeBuf *body)
{
	floe_thrift_write_field(body, FLOE_THRIFT_STRUCT, 2);
	floe_thrift_write_field(body, FLOE_THRIFT_LIST, 1);
	floe_thrift_write_list(body, FLOE_THRIFT_STRUCT, 1);
	floe_thrift_write_field(body, FLOE_THRIFT_STRING, 1);
	floe_thrift_write_text(body, "location");
	floe_thrift_write_stop(body);
	floe_thrift_write_stop(body);
}

static void
fake_rows(FloeBuf *body, int count, const char *text)
{
	floe_thrift_write_field(body, FLOE_THRIFT_STRUCT, 3);
	floe_thrift_write_field(body, FLOE_THRIFT_LIST, 3);
	floe_thrift_write_list(body, FLOE_THRIFT_STRUCT, 1);
	floe_thrift_write_field(body, FLOE_THRIFT_STRUCT, 7);
	floe_thrift_write_field(body, FLOE_THRIFT_LIST, 1);
	floe_thrift_write_list(body, FLOE_THRIFT_STRING, (uint32_t) count);
	for (int i = 0; i < count; i++)
		floe_thrift_write_text(body, text);
	floe_thrift_write_stop(body);
	floe_thrift_write_stop(body);
	floe_thrift_write_stop(body);
}

typedef struct FakeState
{
	const char *word;
	int state;
	const char *error;
} FakeState;

static const FakeState fake_states[] = {
	{"running", FLOE_HS2_RUNNING, NULL},
	{"pending", FLOE_HS2_PENDING, NULL},
	{"unknown", FLOE_HS2_UNKNOWN, NULL},
	{"finished", FLOE_HS2_FINISHED, NULL},
	{"canceled", FLOE_HS2_CANCELED, NULL},
	{"closed", FLOE_HS2_CLOSED, NULL},
	{"timedout", FLOE_HS2_TIMEDOUT, NULL},
	{"silent", FLOE_HS2_ERROR, NULL},
	{"conflict", FLOE_HS2_ERROR,
	 "org.apache.hive.service.cli.HiveSQLException: Error running query: "
	 "org.apache.iceberg.exceptions.CommitFailedException: lost to another\n\tat "
	 "org.apache.iceberg.Some.frame(X.java)"},
	{"doubt", FLOE_HS2_ERROR, "org.apache.iceberg.exceptions.CommitStateUnknownException: 502"},
	/* a server that echoes what it should not know how to say */
	{"leak", FLOE_HS2_ERROR, "java.lang.RuntimeException: cannot log in with pa55word and id:t0psecret, t0psecret"},
};

/* Fills the body that a proper server gives; false for a word that is none of its answers. */
static bool
fake_answer(FloeBuf *body, const FakeCall *call, const char *word)
{
	if (strcmp(word, "exception") == 0)
	{
		floe_thrift_write_message(body, call->method, FLOE_THRIFT_EXCEPTION, call->sequence);
		floe_thrift_write_field(body, FLOE_THRIFT_STRING, 1);
		floe_thrift_write_text(body, "Invalid method name");
		floe_thrift_write_field(body, FLOE_THRIFT_I32, 2);
		floe_thrift_write_i32(body, 1);
		floe_thrift_write_stop(body);
		return true;
	}
	if (strcmp(word, "lost") == 0)
		fake_status(body, call, 3,
					strcmp(call->method, "CloseSession") == 0
						? "Session does not exist!"
						: "Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT]");
	else if (strcmp(word, "nosession") == 0)
		fake_status(body, call, 3, "Invalid SessionHandle: SessionHandle [5d7f]");
	else if (strcmp(word, "error") == 0)
		fake_status(body, call, 3, "The background threadpool cannot accept new task for execution");
	else
	{
		fake_status(body, call, 0, NULL);
		if (strcmp(call->method, "OpenSession") == 0)
			fake_handle(body, 3, "sessionsessionse", false);
		else if (strcmp(call->method, "ExecuteStatement") == 0)
			fake_handle(body, 2, "operationoperati", true);
		else if (strcmp(call->method, "GetInfo") == 0)
			fake_info(body, word);
		else if (strcmp(call->method, "GetResultSetMetadata") == 0)
			fake_metadata(body);
		else if (strcmp(call->method, "FetchResults") == 0)
			fake_rows(body, strcmp(word, "end") == 0 ? 0 : 2, strcmp(word, "leak") == 0 ? "/pa55word/x" : "/a");
		else if (strcmp(call->method, "GetOperationStatus") == 0)
		{
			for (size_t i = 0; i < lengthof(fake_states); i++)
			{
				if (strcmp(word, fake_states[i].word) != 0)
					continue;
				floe_thrift_write_field(body, FLOE_THRIFT_I32, 2);
				floe_thrift_write_i32(body, fake_states[i].state);
				if (fake_states[i].error != NULL)
				{
					floe_thrift_write_field(body, FLOE_THRIFT_STRING, 5);
					floe_thrift_write_text(body, fake_states[i].error);
				}
			}
		}
	}
	floe_thrift_write_stop(body);
	floe_thrift_write_stop(body);
	return true;
}

/* The response to a request: by word a transport failure, an HTTP status, or a body. */
static void
fake_response(FloeHttpResponse *response, const FloeHttpRequest *request, const char *word)
{
	FakeCall call = fake_read_call(request);

	memset(response, 0, sizeof(*response));
	floe_status_ok(&response->status);
	floe_buf_init(&response->body, request->max_body);
	response->http_status = 200;
	if (strcmp(word, "timeout") == 0)
	{
		floe_fail(&response->status, FLOE_ERR_TIMEOUT, "no answer from \"spark\" in time");
		response->http_status = 0;
	}
	else if (strcmp(word, "refused") == 0)
	{
		floe_fail(&response->status, FLOE_ERR_CONNECT, "cannot connect to \"spark\"");
		response->http_status = 0;
	}
	else if (strcmp(word, "denied") == 0)
	{
		floe_fail(&response->status, FLOE_ERR_DENIED, "host \"spark\" is not allowed");
		response->http_status = 0;
	}
	else if (word[0] == 'h' && word[1] >= '0' && word[1] <= '9')
	{
		response->http_status = atoi(word + 1);
		if (strchr(word, '+') != NULL)
			floe_buf_text(&response->body, "Authentication Error: pa55word is wrong");
		if (strchr(word, '@') != NULL)
			response->status.retry_after_ms = 20000;
	}
	else if (strcmp(word, "html") == 0)
		floe_buf_text(&response->body, "<html><body>Log in here</body></html>");
	else if (strcmp(word, "cut") == 0)
	{
		fake_answer(&response->body, &call, "ok");
		response->body.len /= 2;
	}
	else
		fake_answer(&response->body, &call, word);
}

#endif /* FLOE_TEST_FAKE_HS2_H */
