/*
 * spark_drive.h: drives the spark-thrift adapter through a script, and checks what holds for every request.
 *
 * A script is a list of words.  "name=word" expects the adapter to send that
 * call and answers with the word; "save", "wait" and "done" expect that verb.
 * "cancel!" asks for cancellation, "crash!" begins anew with the saved bytes.
 */
#ifndef FLOE_TEST_SPARK_DRIVE_H
#define FLOE_TEST_SPARK_DRIVE_H

#include <stdlib.h>

#include "fake_hs2.h"

#define OPERATION_ID "8f14e45f-ceea-467f-a0e6-5b2d1c3a7e90"
#define STATEMENT "CALL `demo`.system.rewrite_manifests(table => '`demo`.`db`.`t`')"

#define TO_RUNNING "open=ok save execute=ok save status=running wait "

static const struct
{
	const char *word;
	const char *method;
} methods[] = {
	{"open", "OpenSession"},
	{"execute", "ExecuteStatement"},
	{"status", "GetOperationStatus"},
	{"metadata", "GetResultSetMetadata"},
	{"fetch", "FetchResults"},
	{"cancel", "CancelOperation"},
	{"closeop", "CloseOperation"},
	{"close", "CloseSession"},
	{"info", "GetInfo"},
};

static const char *const secrets[] = {"pa55word", "t0psecret", "cGE1NXdvcmQ", "SECRETSECRET"};

static const FloeKeyValue conf[] = {{"spark.sql.catalog.demo.credential", "id:t0psecret"},
									{"spark.sql.catalog.demo.uri", "http://catalog:8181"}};

/* One run of the adapter, with what a test looks at. */
typedef struct Drive
{
	FloeEngineTarget target;
	FloeEngineRun *run;
	FloeArena *arena;
	char saved[FLOE_ENGINE_SAVED_MAX];
	size_t saved_len;
	bool cancel_requested;
	int executed; /* ExecuteStatement since the session was opened */
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
		return floe_engine_spark_thrift.begin_probe(d->run, st);
	return floe_engine_spark_thrift.begin(d->run, d->saved, d->saved_len, st);
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
	d->target = (FloeEngineTarget){.url = "http://spark:10001/cliservice",
								   .user = "ann",
								   .password = "pa55word",
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
broke(Drive *d, const char *rule, const char *method)
{
	printf("# broken: %s (%s)\n", rule, method);
	d->broke_a_rule = true;
}

/* What holds for every request, whatever the path. */
static void
check_request(Drive *d, const FakeCall *call)
{
	const FloeHttpRequest *request = &d->run->request;
	bool is_repeatable = strcmp(call->method, "GetOperationStatus") == 0 ||
						 strcmp(call->method, "GetResultSetMetadata") == 0 || call->orientation == FLOE_HS2_FETCH_FIRST;
	bool has_basic = false;
	bool has_type = false;
	bool has_xsrf = false;

	for (int i = 0; i < request->nheaders; i++)
	{
		const FloeHttpHeader *h = &request->headers[i];

		has_basic =
			has_basic || (strcmp(h->name, "Authorization") == 0 && strcmp(h->value, "Basic YW5uOnBhNTV3b3Jk") == 0);
		has_type = has_type || (strcmp(h->name, "Content-Type") == 0 && strcmp(h->value, "application/x-thrift") == 0);
		has_xsrf = has_xsrf || strcmp(h->name, "X-XSRF-HEADER") == 0;
		if (strcasecmp(h->name, "Cookie") == 0)
			broke(d, "a cookie is sent", call->method);
	}
	if (!has_basic || !has_type || !has_xsrf || strcmp(request->method, "POST") != 0 ||
		strcmp(request->url, "http://spark:10001/cliservice") != 0)
		broke(d, "a request that Spark would refuse", call->method);
	if (!request->no_redirect || request->total_timeout_ms != 12345)
		broke(d, "a redirect would be followed, or the timeout is not the target's", call->method);
	if (request->post_is_repeatable != is_repeatable)
		broke(d, "repeatable or not", call->method);
	if (strcmp(call->method, "OpenSession") == 0)
	{
		d->executed = 0;
		if (!has_text(request, "set:hiveconf:spark.sql.catalog.demo.credential") ||
			!has_text(request, "id:t0psecret") ||
			!has_text(request, "set:hiveconf:hive.server2.long.polling.timeout") ||
			!has_text(request, "set:hiveconf:spark.sql.session.timeZone"))
			broke(d, "the session's configuration is incomplete", call->method);
	}
	else if (has_text(request, "t0psecret"))
		broke(d, "a secret outside OpenSession", call->method);
	if (strcmp(call->method, "ExecuteStatement") == 0)
	{
		if (++d->executed > 1)
			broke(d, "a second statement in one session", call->method);
		if (!has_text(request, "/* floe:" OPERATION_ID " */ " STATEMENT))
			broke(d, "the statement is not what was asked for", call->method);
		if (d->saved_len == 0)
			broke(d, "the session was not saved before the statement", call->method);
	}
}

static bool
shows_secret(const FloeEngineRun *run)
{
	for (size_t i = 0; i < lengthof(secrets); i++)
	{
		if (strstr(run->error, secrets[i]) || strstr(run->last_failure.message, secrets[i]) ||
			strstr(run->last_failure.detail, secrets[i]) || strstr(run->external_id, secrets[i]) ||
			(run->result.data != NULL && strstr(run->result.data, secrets[i])))
			return true;
	}
	return false;
}

static void
traced(Drive *d, const char *what)
{
	size_t len = strlen(d->trace);

	snprintf(d->trace + len, sizeof(d->trace) - len, "%s%s", len > 0 ? " " : "", what);
}

/* Does what the adapter says with the answer of that word; the verb it says next. */
static FloeEngineVerb
drive_answer(Drive *d, const char *word)
{
	FloeHttpResponse response;
	FloeEngineVerb verb;

	fake_response(&response, &d->run->request, word);
	verb = floe_engine_spark_thrift.next(d->run, &response);
	floe_buf_free(&response.body);
	return verb;
}

static const char *
word_of(const char *method)
{
	for (size_t i = 0; i < lengthof(methods); i++)
	{
		if (strcmp(methods[i].method, method) == 0)
			return methods[i].word;
	}
	return "?";
}

/* Follows the script; false as soon as the adapter does something else. */
static bool
follow(Drive *d, const char *script)
{
	char text[1024];
	char *rest = text;
	char *word;
	FloeEngineVerb verb = floe_engine_spark_thrift.next(d->run, NULL);
	bool is_fresh = true; /* verb has not been acted on */

	snprintf(text, sizeof(text), "%s", script);
	while ((word = strsep(&rest, " ")) != NULL)
	{
		FloeStatus st;

		if (word[0] == '\0')
			continue;
		traced(d, word);
		if (strcmp(word, "cancel!") == 0 || strcmp(word, "crash!") == 0)
		{
			bool is_crash = word[1] == 'r';

			if (is_crash)
			{
				drive_end(d);
				if (!drive_begin(d, false, &st))
					return false;
			}
			else
				d->cancel_requested = d->run->cancel_requested = true;
			/* before anything was sent, the first verb is asked for again */
			if (is_crash || strcmp(script, "cancel! done") == 0)
			{
				if (!is_crash)
				{
					drive_end(d);
					drive_begin(d, false, &st);
				}
				is_fresh = false;
			}
			continue;
		}
		if (!is_fresh)
			verb = floe_engine_spark_thrift.next(d->run, NULL);
		is_fresh = false;
		if (verb == FLOE_ENGINE_SEND)
		{
			FakeCall call = fake_read_call(&d->run->request);
			char *answer = strchr(word, '=');

			check_request(d, &call);
			if (answer == NULL || strncmp(word, word_of(call.method), (size_t) (answer - word)) != 0 ||
				word_of(call.method)[answer - word] != '\0')
			{
				traced(d, "<- but sent");
				traced(d, call.method);
				return false;
			}
			verb = drive_answer(d, answer + 1);
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
			if (d->run->wait_ms <= 0 || d->run->wait_ms > 10 * 60 * 1000 || strcmp(word, "wait") != 0)
				return false;
			/* what must be waited out is short, and on the way to the end */
			if (d->run->outcome != FLOE_OUTCOME_NONE && d->run->wait_ms > 5000)
				return false;
		}
		else
			return strcmp(word, "done") == 0;
	}
	return false;
}

#endif /* FLOE_TEST_SPARK_DRIVE_H */
