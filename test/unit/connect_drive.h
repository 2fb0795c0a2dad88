/*
 * connect_drive.h: drives the spark-connect adapter through a script, and checks what holds for every request.
 *
 * A script is a list of words.  "name=word" expects the adapter to send that
 * call and answers with the word; "save", "wait" and "done" expect that verb.
 * "cancel!" asks for cancellation, "crash!" begins anew with the saved bytes.
 */
#ifndef FLOE_TEST_CONNECT_DRIVE_H
#define FLOE_TEST_CONNECT_DRIVE_H

#include "base/protobuf.h"
#include "engine/grpc.h"
#include "engine/ops.h"

#include "common/base64.h"
#include "connect_fixture.h"

#define OPERATION_ID "8f14e45f-ceea-467f-a0e6-5b2d1c3a7e90"
#define STATEMENT "CALL `demo`.system.rewrite_manifests(table => '`demo`.`db`.`t`')"
#define NOTHING "SELECT 1 AS floe_nothing"
#define URL "https://spark:15002"

static const FloeKeyValue conf[] = {{"spark.sql.catalog.demo.credential", "id:t0psecret"},
									{"spark.sql.catalog.demo.uri", "http://catalog:8181"}};

typedef struct Drive
{
	FloeEngineTarget target;
	FloeEngineRun *run;
	FloeArena *arena;
	char saved[FLOE_ENGINE_SAVED_MAX];
	size_t saved_len;
	bool cancel_requested;
	int executed;
	bool broke_a_rule;
	char trace[2048]; /* what the adapter did */
} Drive;

static bool
drive_begin(Drive *d, bool is_probe, FloeStatus *st)
{
	d->arena = floe_arena_new(4 * 1024 * 1024);
	d->run = floe_arena_alloc0(d->arena, sizeof(FloeEngineRun));
	d->run->target = &d->target;
	d->run->operation_id = OPERATION_ID;
	d->run->statement = STATEMENT;
	d->run->arena = d->arena;
	d->run->cancel_requested = d->cancel_requested;
	if (is_probe)
		return floe_engine_spark_connect.begin_probe(d->run, st);
	return floe_engine_spark_connect.begin(d->run, d->saved, d->saved_len, st);
}

static void
drive_end(Drive *d)
{
	floe_buf_free(&d->run->result);
	floe_arena_free(d->arena);
}

static void
drive_init(Drive *d)
{
	memset(d, 0, sizeof(*d));
	d->target = (FloeEngineTarget){.url = URL,
								   .user = "ann",
								   .token = "t0kent0ken",
								   .session_conf = conf,
								   .nsession_conf = lengthof(conf),
								   .request_timeout_ms = 12345};
}

static bool
has_text(const FloeHttpRequest *request, const char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0; at + len <= request->body_len; at++)
	{
		if (memcmp((const char *) request->body + at, text, len) == 0)
			return true;
	}
	return false;
}

static void
broke(Drive *d, const char *rule, const char *call)
{
	printf("# broken: %s (%s)\n", rule, call);
	d->broke_a_rule = true;
}

static const char *
word_of(const FloeHttpRequest *request)
{
	static const struct
	{
		const char *method;
		const char *word;
	} methods[] = {{"AnalyzePlan", "version"},      {"Config", "config"},       {"ReattachExecute", "attach"},
				   {"Interrupt", "interrupt"},      {"ReleaseExecute", "free"}, {"ReleaseSession", "close"},
				   {"FetchErrorDetails", "details"}};
	const char *method = strrchr(request->url, '/') + 1;

	if (strcmp(method, "ExecutePlan") == 0)
		return has_text(request, NOTHING) ? "check" : "execute";
	for (size_t i = 0; i < lengthof(methods); i++)
	{
		if (strcmp(method, methods[i].method) == 0)
			return methods[i].word;
	}
	return "?";
}

/* What holds for every request, whatever the path. */
static void
check_request(Drive *d, const char *call)
{
	const FloeHttpRequest *request = &d->run->request;
	bool is_stream = strcmp(call, "execute") == 0 || strcmp(call, "attach") == 0;
	bool has_token = false;
	bool has_te = false;

	for (int i = 0; i < request->nheaders; i++)
	{
		const FloeHttpHeader *h = &request->headers[i];

		has_token = has_token || (strcmp(h->name, "Authorization") == 0 && strcmp(h->value, "Bearer t0kent0ken") == 0);
		has_te = has_te || (strcmp(h->name, "TE") == 0 && strcmp(h->value, "trailers") == 0);
	}
	if (!has_token || !has_te || !request->http2 || strcmp(request->method, "POST") != 0 ||
		strncmp(request->url, URL "/spark.connect.SparkConnectService/", strlen(URL) + 35) != 0)
		broke(d, "a request that Spark would refuse", call);
	if (!request->no_redirect || request->post_is_repeatable || request->max_attempts != 1)
		broke(d, "it could be sent twice, or elsewhere", call);
	if (request->keep_partial != is_stream || (request->total_timeout_ms < 12345) != is_stream)
		broke(d, "only streams are cut off", call);
	if (strcmp(call, "config") == 0)
	{
		if (!has_text(request, "spark.sql.catalog.demo.credential") || !has_text(request, "id:t0psecret") ||
			!has_text(request, "spark.sql.redaction.options.regex") || !has_text(request, "spark.sql.session.timeZone"))
			broke(d, "the session's configuration is incomplete", call);
	}
	else if (has_text(request, "t0psecret"))
		broke(d, "a secret outside Config", call);
	if (strcmp(call, "execute") == 0)
	{
		if (++d->executed > 1)
			broke(d, "the statement is sent twice", call);
		if (!has_text(request, "/* floe:" OPERATION_ID " */ " STATEMENT))
			broke(d, "the statement is not what was asked for", call);
		if (d->saved_len == 0)
			broke(d, "the ids were not saved before the statement", call);
	}
}

static bool
shows_secret(const FloeEngineRun *run)
{
	static const char *const secrets[] = {"t0kent0ken", "t0psecret"};

	for (size_t i = 0; i < lengthof(secrets); i++)
	{
		if (strstr(run->error, secrets[i]) || strstr(run->last_failure.message, secrets[i]) ||
			strstr(run->last_failure.detail, secrets[i]) || strstr(run->external_id, secrets[i]) ||
			(run->result.data != NULL && strstr(run->result.data, secrets[i])))
			return true;
	}
	return false;
}

/* Header block of an answer that ended so; with the class of an exception Spark explains itself. */
static void
put_end(FloeHttpResponse *response, int code, const char *message, const char *class, const char *error_id)
{
	FloeBuf info;
	FloeBuf any;
	FloeBuf status;
	FloeBuf entry;
	char base64[2048];
	int len;

	floe_buf_printf(&response->header_block, "grpc-status: %d\r\n", code);
	if (code != 0)
		floe_buf_printf(&response->header_block, "grpc-message: %s\r\n", message);
	if (class == NULL)
		return;
	floe_buf_init(&info, 4096);
	floe_buf_init(&any, 4096);
	floe_buf_init(&status, 4096);
	floe_buf_init(&entry, 4096);
	floe_proto_put_text(&info, 1, class);
	if (error_id != NULL)
	{
		floe_proto_put_text(&entry, 1, "errorId");
		floe_proto_put_text(&entry, 2, error_id);
		floe_proto_put_message(&info, 3, &entry);
	}
	floe_proto_put_text(&any, 1, "type.googleapis.com/google.rpc.ErrorInfo");
	floe_proto_put_message(&any, 2, &info);
	floe_proto_put_uint(&status, 1, (uint64_t) code);
	floe_proto_put_message(&status, 3, &any);
	len = pg_b64_encode((void *) status.data, (int) status.len, base64, sizeof(base64) - 1);
	base64[len] = '\0';
	floe_buf_printf(&response->header_block, "grpc-status-details-bin: %s\r\n", base64);
	floe_buf_free(&info);
	floe_buf_free(&any);
	floe_buf_free(&status);
	floe_buf_free(&entry);
}

static void
put_message(FloeHttpResponse *response, const void *data, size_t len)
{
	uint8_t prefix[FLOE_GRPC_PREFIX];

	floe_grpc_prefix(prefix, (uint32_t) len);
	floe_buf_append(&response->body, prefix, sizeof(prefix));
	if (len > 0)
		floe_buf_append(&response->body, data, len);
}

#define GONE "[INVALID_HANDLE.OPERATION_NOT_FOUND] The handle is invalid. Operation not found."
#define SQL_EXCEPTION "org.apache.spark.SparkSQLException"

/* Answers of Spark that explain a failure. */
static const struct
{
	const char *word;
	const char *message;
	const char *class;
	const char *error_id;
} explained[] = {
	{"gone", GONE, SQL_EXCEPTION, NULL},
	{"nosession", "org.apache.spark.SparkSQLException: [INVALID_HANDLE.SESSION_NOT_FOUND] The handle is invalid.",
	 "java.util.concurrent.ExecutionException", NULL},
	{"changed", "[INVALID_HANDLE.SESSION_CHANGED] The existing Spark server driver instance has restarted.",
	 SQL_EXCEPTION, NULL},
	{"exists", "[INVALID_HANDLE.OPERATION_ALREADY_EXISTS] The handle is invalid. Operation already exists.",
	 SQL_EXCEPTION, NULL},
	{"canceled", "[OPERATION_CANCELED] Operation has been canceled.", SQL_EXCEPTION, NULL},
	{"cursor", "[INVALID_CURSOR.DISCONNECTED] The cursor has been disconnected.", SQL_EXCEPTION, NULL},
	{"orphaned", "Operation was orphaned because of an internal error.", "java.lang.IllegalStateException", NULL},
	{"conflict", "lost to another", "org.apache.iceberg.exceptions.CommitFailedException", NULL},
	{"doubt", "502", "org.apache.iceberg.exceptions.CommitStateUnknownException", NULL},
	{"caused", "it did not work", "java.lang.RuntimeException", "e-1"},
	{"leak", "cannot log in with t0kent0ken and id:t0psecret", "java.lang.RuntimeException", NULL},
};

/* Answers that never reached Spark, or that are none. */
static bool
failed_response(FloeHttpResponse *response, const char *word)
{
	if (strcmp(word, "refused") == 0)
		floe_fail(&response->status, FLOE_ERR_CONNECT, "cannot connect to \"spark\"");
	else if (strcmp(word, "timeout") == 0)
		floe_fail(&response->status, FLOE_ERR_TIMEOUT, "no answer from \"spark\" in time");
	else if (strcmp(word, "denied") == 0)
		floe_fail(&response->status, FLOE_ERR_DENIED, "host \"spark\" is not allowed");
	else if (strcmp(word, "large") == 0)
	{
		floe_fail(&response->status, FLOE_ERR_TOO_LARGE, "the answer exceeds 1 bytes");
		response->http_status = 200;
	}
	else if (word[0] == 'h' && word[1] >= '1' && word[1] <= '5')
		response->http_status = atoi(word + 1);
	else
		return false;
	return true;
}

static void
ok_response(FloeHttpResponse *response, const char *call)
{
	const Fixture *whole = NULL;

	if (strcmp(call, "config") == 0)
		whole = fixture("config-4.0");
	else if (strcmp(call, "version") == 0)
		whole = fixture("version-4.0");
	else if (strcmp(call, "check") == 0)
		whole = fixture("nothing-4.0");
	else if (strcmp(call, "details") == 0)
		whole = fixture("details-4.0");
	else if (strcmp(call, "execute") == 0 || strcmp(call, "attach") == 0)
		whole = fixture("describe-4.0");
	if (whole != NULL)
		floe_buf_append(&response->body, whole->data, whole->len);
	else
		put_message(response, "\x0a\x01s", 3);
	put_end(response, 0, "", NULL, NULL);
}

static void
fake_response(FloeHttpResponse *response, const char *call, const char *word)
{
	memset(response, 0, sizeof(*response));
	floe_status_ok(&response->status);
	response->status.retry_after_ms = -1;
	floe_buf_init(&response->body, 65536);
	floe_buf_init(&response->header_block, 65536);
	if (failed_response(response, word))
		return;
	response->http_status = 200;
	floe_buf_text(&response->header_block, "HTTP/2 200 \r\n");
	for (size_t i = 0; i < lengthof(explained); i++)
	{
		if (strcmp(word, explained[i].word) == 0)
		{
			put_end(response, 13, explained[i].message, explained[i].class, explained[i].error_id);
			return;
		}
	}
	if (strcmp(word, "ok") == 0)
		ok_response(response, call);
	else if (strcmp(word, "part") == 0 || strcmp(word, "pause") == 0)
	{
		/* response_id, and nothing else; then floe or the server ends the stream */
		put_message(response, "\x6a\x02r1", 4);
		if (word[2] == 'r')
			floe_fail(&response->status, FLOE_ERR_TIMEOUT, "the answer was not complete in time");
		else
			put_end(response, 0, "", NULL, NULL);
	}
	else if (strcmp(word, "nothing") == 0)
		ok_response(response, "check");
	else if (strcmp(word, "packed") == 0)
		floe_buf_append(&response->body, "\1\0\0\0\0", 5), put_end(response, 0, "", NULL, NULL);
	else if (strcmp(word, "empty") == 0)
		put_end(response, 0, "", NULL, NULL);
	else if (word[0] == 's')
		put_end(response, atoi(word + 1), "says the proxy", NULL, NULL);
	/* "html": HTTP 200 without a grpc-status */
}

static void
traced(Drive *d, const char *what)
{
	size_t len = strlen(d->trace);

	snprintf(d->trace + len, sizeof(d->trace) - len, "%s%s", len > 0 ? " " : "", what);
}

/* Does what the adapter says with the answer of that word; the verb it says next. */
static FloeEngineVerb
drive_answer(Drive *d, const char *call, const char *word)
{
	FloeHttpResponse response;
	FloeEngineVerb verb;

	fake_response(&response, call, word);
	verb = floe_engine_spark_connect.next(d->run, &response);
	floe_buf_free(&response.body);
	floe_buf_free(&response.header_block);
	return verb;
}

static bool
is_right_wait(const Drive *d)
{
	if (d->run->wait_ms <= 0 || d->run->wait_ms > 10 * 60 * 1000)
		return false;
	/* what must be waited out is short, and on the way to the end */
	return d->run->outcome == FLOE_OUTCOME_NONE || d->run->wait_ms <= 5000;
}

/* Follows the script; false as soon as the adapter does something else. */
static bool
follow(Drive *d, const char *script)
{
	char text[1024];
	char *rest = text;
	char *word;
	FloeEngineVerb verb = FLOE_ENGINE_DONE;
	bool is_fresh = false; /* verb has not been acted on */

	snprintf(text, sizeof(text), "%s", script);
	while ((word = strsep(&rest, " ")) != NULL)
	{
		FloeStatus st;

		if (word[0] == '\0')
			continue;
		traced(d, word);
		if (strcmp(word, "cancel!") == 0)
		{
			d->cancel_requested = d->run->cancel_requested = true;
			continue;
		}
		if (strcmp(word, "crash!") == 0)
		{
			drive_end(d);
			is_fresh = false;
			if (!drive_begin(d, false, &st))
				return false;
			continue;
		}
		if (!is_fresh)
			verb = floe_engine_spark_connect.next(d->run, NULL);
		is_fresh = false;
		if (verb == FLOE_ENGINE_SEND)
		{
			const char *call = word_of(&d->run->request);
			char *answer = strchr(word, '=');

			check_request(d, call);
			if (answer == NULL || strlen(call) != (size_t) (answer - word) ||
				strncmp(word, call, (size_t) (answer - word)) != 0)
			{
				traced(d, "<- but sent");
				traced(d, call);
				return false;
			}
			verb = drive_answer(d, call, answer + 1);
			is_fresh = true;
		}
		else if (verb == FLOE_ENGINE_SAVE)
		{
			memcpy(d->saved, d->run->saved, d->run->saved_len);
			d->saved_len = d->run->saved_len;
			if (strcmp(word, "save") != 0)
				return false;
		}
		else if (verb == FLOE_ENGINE_WAIT)
		{
			if (strcmp(word, "wait") != 0 || !is_right_wait(d))
				return false;
		}
		else
			return strcmp(word, "done") == 0;
	}
	return false;
}

#endif /* FLOE_TEST_CONNECT_DRIVE_H */
