/*
 * connect_wire.c: messages of Spark Connect.
 */
#include "floe.h"

#include "engine/connect_wire.h"

#include "base/protobuf.h"
#include "engine/grpc.h"

#include <string.h>

#define CLIENT_TYPE "floe"
#define MESSAGE_MAX ((size_t) 4 * 1024 * 1024)
#define MAX_CAUSES 16

/* InterruptRequest.InterruptType */
#define INTERRUPT_OPERATION 3

/* Where the same thing has another number in each request. */
typedef struct CallFields
{
	const char *name;
	uint32_t operation;
	uint32_t client_type;
	uint32_t server_session; /* client_observed_server_side_session_id, since 4.0 */
} CallFields;

static const CallFields calls[] = {
	[FLOE_CONNECT_ANALYZE] = {"AnalyzePlan", 0, 3, 0},
	[FLOE_CONNECT_CONFIG] = {"Config", 0, 4, 0},
	[FLOE_CONNECT_EXECUTE] = {"ExecutePlan", 6, 4, 8},
	[FLOE_CONNECT_REATTACH] = {"ReattachExecute", 3, 4, 6},
	[FLOE_CONNECT_INTERRUPT] = {"Interrupt", 6, 3, 7},
	[FLOE_CONNECT_ERROR_DETAILS] = {"FetchErrorDetails", 0, 4, 5},
	[FLOE_CONNECT_RELEASE_EXECUTE] = {"ReleaseExecute", 3, 4, 7},
	[FLOE_CONNECT_RELEASE_SESSION] = {"ReleaseSession", 0, 3, 0},
};

const char *
floe_connect_call_name(FloeConnectCall call)
{
	return calls[call].name;
}

/* -------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------- */

static void
put_head(FloeBuf *message, FloeConnectCall call, const FloeConnectIds *ids)
{
	const CallFields *fields = &calls[call];
	FloeBuf user;

	floe_buf_init(&user, MESSAGE_MAX);
	floe_proto_put_text(&user, 1, ids->user);
	floe_proto_put_text(&user, 2, ids->user);
	floe_proto_put_text(message, 1, ids->session);
	floe_proto_put_message(message, 2, &user);
	floe_proto_put_text(message, fields->client_type, CLIENT_TYPE);
	if (fields->operation != 0)
		floe_proto_put_text(message, fields->operation, ids->operation);
	if (fields->server_session != 0 && ids->server_session[0] != '\0')
		floe_proto_put_text(message, fields->server_session, ids->server_session);
	floe_buf_free(&user);
}

/* What is in *inner becomes the only field of a message around it. */
static void
wrap(FloeBuf *inner, uint32_t number)
{
	FloeBuf outer;

	floe_buf_init(&outer, MESSAGE_MAX);
	floe_proto_put_message(&outer, number, inner);
	floe_buf_free(inner);
	*inner = outer;
}

/* Plan.command.sql_command.sql: the old place of the text, which both versions read; and ReattachOptions.reattachable. */
static void
put_plan(FloeBuf *message, const char *statement)
{
	FloeBuf plan;
	FloeBuf options;

	floe_buf_init(&plan, MESSAGE_MAX);
	floe_buf_init(&options, 64);
	floe_proto_put_text(&plan, 1, statement);
	wrap(&plan, 5);
	wrap(&plan, 2);
	floe_proto_put_message(message, 3, &plan);
	floe_proto_put_uint(&options, 1, 1);
	wrap(&options, 1);
	floe_proto_put_message(message, 5, &options);
	floe_buf_free(&plan);
	floe_buf_free(&options);
}

static void
put_framed(FloeBuf *buf, FloeBuf *message)
{
	uint8_t prefix[FLOE_GRPC_PREFIX];

	floe_grpc_prefix(prefix, (uint32_t) message->len);
	floe_buf_append(buf, prefix, sizeof(prefix));
	if (message->len > 0)
		floe_buf_append(buf, message->data, message->len);
	buf->failed = buf->failed || message->failed;
	floe_buf_free(message);
}

void
floe_connect_request(FloeBuf *buf, FloeConnectCall call, const FloeConnectIds *ids, const char *text)
{
	FloeBuf message;

	floe_buf_init(&message, MESSAGE_MAX);
	put_head(&message, call, ids);
	switch (call)
	{
		case FLOE_CONNECT_ANALYZE:
			floe_proto_put_bytes(&message, 10, NULL, 0); /* spark_version */
			break;
		case FLOE_CONNECT_EXECUTE:
			put_plan(&message, text);
			break;
		case FLOE_CONNECT_REATTACH:
			if (text[0] != '\0')
				floe_proto_put_text(&message, 5, text);
			break;
		case FLOE_CONNECT_INTERRUPT:
			floe_proto_put_uint(&message, 4, INTERRUPT_OPERATION);
			break;
		case FLOE_CONNECT_ERROR_DETAILS:
			floe_proto_put_text(&message, 3, text);
			break;
		case FLOE_CONNECT_RELEASE_EXECUTE:
			floe_proto_put_bytes(&message, 5, NULL, 0); /* release_all */
			break;
		case FLOE_CONNECT_CONFIG:
		case FLOE_CONNECT_RELEASE_SESSION:
			break;
	}
	put_framed(buf, &message);
}

void
floe_connect_config(FloeBuf *buf, const FloeConnectIds *ids, const FloeKeyValue *conf, int nconf)
{
	FloeBuf message;
	FloeBuf operation;

	floe_buf_init(&message, MESSAGE_MAX);
	floe_buf_init(&operation, MESSAGE_MAX);
	put_head(&message, FLOE_CONNECT_CONFIG, ids);
	for (int i = 0; i < nconf; i++)
	{
		FloeBuf pair;

		floe_buf_init(&pair, MESSAGE_MAX);
		floe_proto_put_text(&pair, 1, conf[i].key);
		floe_proto_put_text(&pair, 2, conf[i].value != NULL ? conf[i].value : "");
		floe_proto_put_message(&operation, 1, &pair);
		floe_buf_free(&pair);
	}
	wrap(&operation, 1); /* set */
	floe_proto_put_message(&message, 3, &operation);
	floe_buf_free(&operation);
	put_framed(buf, &message);
}

/* -------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------- */

/* Relation.local_relation.data, or Relation.sql.query: only a command is run at once */
static void
read_relation(FloeCursor result, FloeConnectPart *part)
{
	FloeProtoField relation;
	FloeProtoField inner;
	FloeProtoField data;

	if (!floe_proto_find(result, 1, &relation))
		return;
	if (floe_proto_find(floe_proto_open(&relation), 10, &inner) && floe_proto_find(floe_proto_open(&inner), 1, &data))
	{
		part->query = data.data;
		part->query_len = data.len;
	}
	if (!floe_proto_find(floe_proto_open(&relation), 11, &inner) || !floe_proto_find(floe_proto_open(&inner), 1, &data))
		return;
	part->has_rows = true;
	part->rows = data.data;
	part->rows_len = data.len;
}

bool
floe_connect_read_part(FloeCursor message, FloeConnectPart *part)
{
	FloeProtoField field;

	memset(part, 0, sizeof(*part));
	part->rows = part->query = "";
	while (floe_proto_next(&message, &field))
	{
		/* one that is longer would not be the same when it is given back */
		if (field.number == 13 && field.len < sizeof(part->response_id))
			floe_proto_copy(&field, part->response_id, sizeof(part->response_id));
		else if (field.number == 14)
			part->is_complete = true;
		else if (field.number == 5)
			read_relation(floe_proto_open(&field), part);
	}
	return !message.bad;
}

bool
floe_connect_read_version(FloeCursor message, char *version, size_t size)
{
	FloeProtoField result;
	FloeProtoField text;

	if (!floe_proto_find(message, 8, &result) || !floe_proto_find(floe_proto_open(&result), 1, &text))
		return false;
	floe_proto_copy(&text, version, size);
	return true;
}

bool
floe_connect_read_config(FloeCursor message, char *server_session, size_t size)
{
	FloeProtoField id;
	FloeProtoField theirs;

	if (!floe_proto_find(message, 1, &id))
		return false;
	server_session[0] = '\0';
	if (floe_proto_find(message, 4, &theirs) && theirs.len < size)
		floe_proto_copy(&theirs, server_session, size);
	return true;
}

/* Error: 1 error_type_hierarchy[], 2 message, 4 cause_idx.  The first of the hierarchy is the class. */
static bool
append_error(FloeCursor error, FloeBuf *text, int64_t *cause)
{
	FloeProtoField field;
	FloeProtoField message = {.data = ""};
	bool has_type = false;

	*cause = -1;
	while (floe_proto_next(&error, &field))
	{
		if (field.number == 1 && !has_type && field.wire == FLOE_PROTO_BYTES)
		{
			has_type = true;
			floe_buf_append(text, field.data, field.len);
			floe_buf_text(text, ": ");
		}
		else if (field.number == 2)
			message = field;
		else if (field.number == 4)
			*cause = (int64_t) field.value;
	}
	floe_buf_append(text, message.data, message.len);
	floe_buf_char(text, '\n');
	return !error.bad;
}

/* errors[] is number 2; where one is by its place. */
static bool
find_error(FloeCursor message, int64_t place, FloeCursor *error)
{
	FloeProtoField field;

	while (floe_proto_next(&message, &field))
	{
		if (field.number == 2 && place-- == 0)
		{
			*error = floe_proto_open(&field);
			return true;
		}
	}
	return false;
}

void
floe_connect_read_error(FloeCursor message, FloeBuf *text)
{
	FloeProtoField root;
	FloeCursor error;
	int64_t place;

	/* root_error_idx; zero is not sent by itself, but presence is tracked */
	if (!floe_proto_find(message, 1, &root))
		return;
	place = (int64_t) root.value;
	for (int i = 0; i < MAX_CAUSES && place >= 0 && find_error(message, place, &error); i++)
	{
		if (i > 0)
			floe_buf_text(text, "Caused by: ");
		if (!append_error(error, text, &place))
			break;
	}
}
