/*
 * trino_drive.h: drives the trino adapter through a script, and checks what holds for every request.
 *
 * A script is a list of words.  "name=answer" expects the adapter to send that
 * request and answers it; "save", "wait" and "done" expect that verb.
 * "cancel!" asks for cancellation, "crash!" begins anew with the saved bytes.
 */
#ifndef FLOE_TEST_TRINO_DRIVE_H
#define FLOE_TEST_TRINO_DRIVE_H

#include <stdlib.h>

#include "engine/ops.h"

#define OPERATION_ID "8f14e45f-ceea-467f-a0e6-5b2d1c3a7e90"
#define STATEMENT "ALTER TABLE \"lake\".\"db\".\"t\" EXECUTE optimize_manifests"
#define QUERY_ID "20261121_095747_00000_ch5kt"
#define BASE "https://trino:8443/gateway"

#define STATS(state) "\"stats\":{\"state\":\"" state "\",\"queued\":false}"
#define HEAD "{\"id\":\"" QUERY_ID "\",\"infoUri\":\"" BASE "/ui/query.html?x\","
#define NEXT(n) "\"nextUri\":\"" BASE "/v1/statement/executing/" QUERY_ID "/y1f/" n "\","
#define COLUMNS "\"columns\":[{\"name\":\"metric\",\"type\":\"varchar\"},{\"name\":\"value\",\"type\":\"bigint\"}],"
#define ERROR_OF(name, type, message, more)                                                                            \
	"\"error\":{\"message\":\"" message "\",\"errorCode\":1,\"errorName\":\"" name "\",\"errorType\":\"" type          \
	"\",\"failureInfo\":{\"type\":\"io.trino.spi.TrinoException\",\"message\":\"" message "\"" more "}},"
#define CONFLICT                                                                                                       \
	",\"cause\":{\"type\":\"org.apache.iceberg.exceptions.ValidationException\",\"message\":\"Found conflicting "      \
	"files\"}"

/* What the server answers to a word: status, body, and in which code it fails before that. */
static const struct
{
	const char *word;
	int http_status;
	const char *body;
	FloeCode code;
} answers[] = {
	{"up", 200, "{\"nodeVersion\":{\"version\":\"476\"},\"starting\":false}", FLOE_OK},
	{"echo", 200, "{\"nodeVersion\":{\"version\":\"hunter2\"},\"starting\":false}", FLOE_OK},
	{"starting", 200, "{\"nodeVersion\":{\"version\":\"476\"},\"starting\":true}", FLOE_OK},
	{"html", 200, "<html>a web page</html>", FLOE_OK},
	{"queued", 200, HEAD NEXT("1") STATS("QUEUED") "}", FLOE_OK},
	{"run", 200, HEAD NEXT("2") COLUMNS STATS("RUNNING") "}", FLOE_OK},
	{"rows", 200, HEAD NEXT("3") COLUMNS "\"data\":[[\"files\",7],[\"hunter2 x\",null]]," STATS("RUNNING") "}",
	 FLOE_OK},
	{"finished", 200, HEAD STATS("FINISHED") "}", FLOE_OK},
	{"unfinished", 200, HEAD STATS("RUNNING") "}", FLOE_OK},
	{"other", 200, "{\"id\":\"20261121_095747_00001_other\"," NEXT("4") STATS("RUNNING") "}", FLOE_OK},
	{"badid", 200, "{\"id\":\"../v1/info\"," NEXT("4") STATS("RUNNING") "}", FLOE_OK},
	{"away", 200, HEAD "\"nextUri\":\"https://evil:8443/v1/statement\"," STATS("RUNNING") "}", FLOE_OK},
	{"plain", 200, HEAD "\"nextUri\":\"http://trino:8443/v1/statement\"," STATS("RUNNING") "}", FLOE_OK},
	{"conflict", 200,
	 HEAD ERROR_OF("ICEBERG_COMMIT_ERROR", "EXTERNAL", "Failed to commit during optimize", CONFLICT)
		 STATS("FAILED") "}",
	 FLOE_OK},
	{"syntax", 200, HEAD ERROR_OF("SYNTAX_ERROR", "USER_ERROR", "line 1:1: hunter2", "") STATS("FAILED") "}", FLOE_OK},
	{"canceled", 200, HEAD ERROR_OF("USER_CANCELED", "USER_ERROR", "Query was canceled", "") STATS("FAILED") "}",
	 FLOE_OK},
	{"abandoned", 200, HEAD ERROR_OF("ABANDONED_QUERY", "USER_ERROR", "Query was abandoned", "") STATS("FAILED") "}",
	 FLOE_OK},
	{"unknown", 200,
	 HEAD ERROR_OF(
		 "ICEBERG_COMMIT_ERROR", "EXTERNAL", "Failed to commit",
		 ",\"cause\":{\"type\":\"org.apache.iceberg.exceptions.CommitStateUnknownException\",\"message\":\"502\"}")
		 STATS("FAILED") "}",
	 FLOE_OK},
	{"s-abandoned", 200,
	 "{\"queryId\":\"" QUERY_ID "\",\"state\":\"FAILED\",\"errorCode\":{\"name\":\"ABANDONED_QUERY\",\"type\":"
	 "\"USER_ERROR\"},\"failureInfo\":{\"message\":\"Query was abandoned\"}}",
	 FLOE_OK},
	{"s-running", 200, "{\"queryId\":\"" QUERY_ID "\",\"state\":\"RUNNING\"}", FLOE_OK},
	{"s-finished", 200, "{\"queryId\":\"" QUERY_ID "\",\"state\":\"FINISHED\"}", FLOE_OK},
	{"s-failed", 200,
	 "{\"queryId\":\"" QUERY_ID "\",\"state\":\"FAILED\",\"errorCode\":{\"name\":\"CLUSTER_OUT_OF_MEMORY\",\"type\":"
	 "\"INSUFFICIENT_RESOURCES\"},\"failureInfo\":{\"message\":\"too much\"}}",
	 FLOE_OK},
	{"s-canceled", 200,
	 "{\"queryId\":\"" QUERY_ID "\",\"state\":\"FAILED\",\"errorCode\":{\"name\":\"USER_CANCELED\",\"type\":"
	 "\"USER_ERROR\"},\"failureInfo\":{\"message\":\"Query was canceled\"}}",
	 FLOE_OK},
	{"none", 200, "[]", FLOE_OK},
	{"found", 200, NULL, FLOE_OK}, /* made of the request's trace token */
	{"strangers", 200, "[{\"queryId\":\"x\",\"session\":{\"traceToken\":\"floe:other\"}},{},7]", FLOE_OK},
	{"ok", 204, "", FLOE_OK},
	{"h401", 401, "Password hunter2 is wrong", FLOE_OK},
	{"h400", 400, "Error 400 Bad Request: Invalid X-Trino-Session header", FLOE_OK},
	{"h302", 302, "", FLOE_OK},
	{"h403", 403, "Access Denied", FLOE_OK},
	{"h404", 404, "Error 404 Not Found: Query not found", FLOE_OK},
	{"h410", 410, "Error 410 Gone", FLOE_OK},
	{"h429", 429, "", FLOE_OK},
	{"h500", 500, "<html>", FLOE_OK},
	{"h502", 502, "<html>", FLOE_OK},
	{"h503", 503, "", FLOE_OK},
	{"refused", 0, NULL, FLOE_ERR_CONNECT},
	{"timeout", 0, NULL, FLOE_ERR_TIMEOUT},
	{"lost", 0, NULL, FLOE_ERR_NETWORK},
	{"denied", 0, NULL, FLOE_ERR_DENIED},
};

typedef struct Drive
{
	FloeEngineTarget target;
	FloeConn conn;
	FloeConnOption options[4];
	FloeEngineRun *run;
	FloeArena *arena;
	char saved[FLOE_ENGINE_SAVED_MAX];
	size_t saved_len;
	char trace_token[128];
	bool cancel_requested;
	bool broke_a_rule;
	char trace[2048]; /* what the adapter did */
} Drive;

static bool
drive_begin(Drive *d, bool is_probe, FloeStatus *st)
{
	d->arena = floe_arena_new(4 * 1024 * 1024);
	d->run = floe_arena_alloc0(d->arena, sizeof(FloeEngineRun));
	d->run->target = &d->target;
	d->run->operation_id = is_probe ? "check" : OPERATION_ID;
	d->run->statement = is_probe ? "" : STATEMENT;
	d->run->arena = d->arena;
	d->run->cancel_requested = d->cancel_requested;
	if (is_probe)
		return floe_engine_trino.begin_probe(d->run, st);
	return floe_engine_trino.begin(d->run, d->saved, d->saved_len, st);
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
	d->options[0] = (FloeConnOption){.name = "session.lake.x", .value = "a=b, c"};
	d->options[1] = (FloeConnOption){.name = "url", .value = BASE "/"};
	d->options[2] = (FloeConnOption){.name = "session.query_max_run_time", .value = "1h"};
	d->conn = (FloeConn){.server_type = "trino", .noptions = 3, .options = d->options};
	d->target = (FloeEngineTarget){
		.url = BASE "/", .user = "ann", .password = "hunter2", .conn = &d->conn, .request_timeout_ms = 12345};
}

static void
broke(Drive *d, const char *rule)
{
	printf("# broken: %s (%s)\n", rule, d->run->request.url);
	d->broke_a_rule = true;
}

static const char *
header(const FloeHttpRequest *request, const char *name)
{
	for (int i = 0; i < request->nheaders; i++)
	{
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	}
	return "";
}

/* Which request it is. */
static const char *
word_of(const FloeHttpRequest *request)
{
	const char *path = strncmp(request->url, BASE, strlen(BASE)) == 0 ? request->url + strlen(BASE) : "";

	if (strcmp(request->method, "POST") == 0 && strcmp(path, "/v1/statement") == 0)
		return "submit";
	if (strcmp(request->method, "DELETE") == 0 && strcmp(path, "/v1/query/" QUERY_ID) == 0)
		return "cancel";
	if (strcmp(request->method, "GET") != 0)
		return "?";
	if (strcmp(path, "/v1/info") == 0)
		return "info";
	if (strcmp(path, "/v1/query") == 0)
		return "find";
	if (strcmp(path, "/v1/query/" QUERY_ID "?pruned=true") == 0)
		return "look";
	return strncmp(path, "/v1/statement/executing/", strlen("/v1/statement/executing/")) == 0 ? "page" : "?";
}

/* What holds for every request, whatever the path. */
static void
check_request(Drive *d, const char *word)
{
	const FloeHttpRequest *request = &d->run->request;

	if (strcmp(header(request, "Authorization"), "Basic YW5uOmh1bnRlcjI=") != 0 ||
		strcmp(header(request, "X-Trino-User"), "ann") != 0)
		broke(d, "no credentials");
	if (!request->no_redirect || request->total_timeout_ms != 12345 || request->max_attempts != 1 ||
		request->post_is_repeatable || request->max_body == 0)
		broke(d, "a redirect or a retry that is not the adapter's, or no limit");
	if (strcmp(word, "submit") != 0)
		return;
	snprintf(d->trace_token, sizeof(d->trace_token), "%s", header(request, "X-Trino-Trace-Token"));
	if (strncmp(d->trace_token, "floe:" OPERATION_ID ":", strlen("floe:" OPERATION_ID ":")) != 0 ||
		strcmp(header(request, "X-Trino-Session"), "lake.x=a%3Db%2C%20c,query_max_run_time=1h") != 0 ||
		strcmp(header(request, "X-Trino-Source"), "floe") != 0)
		broke(d, "headers of the statement");
	if (request->body_len != strlen("/* floe:" OPERATION_ID " */ " STATEMENT) ||
		memcmp(request->body, "/* floe:" OPERATION_ID " */ " STATEMENT, request->body_len) != 0)
		broke(d, "another statement");
	if (d->saved_len == 0)
		broke(d, "nothing was saved before the statement");
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
	bool known = false;

	memset(&response, 0, sizeof(response));
	floe_status_ok(&response.status);
	floe_buf_init(&response.body, 64 * 1024);
	for (size_t i = 0; i < lengthof(answers); i++)
	{
		if (strcmp(answers[i].word, word) != 0)
			continue;
		known = true;
		response.http_status = answers[i].http_status;
		if (answers[i].code != FLOE_OK)
			floe_fail(&response.status, answers[i].code, "%s", floe_code_name(answers[i].code));
		if (answers[i].body != NULL)
			floe_buf_text(&response.body, answers[i].body);
		else if (answers[i].http_status == 200)
			floe_buf_printf(&response.body, "[{},{\"queryId\":\"%s\",\"session\":{\"traceToken\":\"%s\"}}]", QUERY_ID,
							d->trace_token);
	}
	if (!known)
		printf("# no answer \"%s\"\n", word);
	verb = floe_engine_trino.next(d->run, &response);
	floe_buf_free(&response.body);
	return verb;
}

/* Follows the script; false as soon as the adapter does something else. */
static bool
follow(Drive *d, const char *script)
{
	char text[4096];
	char *rest = text;
	char *word;
	FloeEngineVerb verb = FLOE_ENGINE_DONE;
	bool is_fresh = false; /* verb has not been acted on */

	snprintf(text, sizeof(text), "%s", script);
	while ((word = strsep(&rest, " ")) != NULL)
	{
		FloeStatus st;

		traced(d, word);
		if (strcmp(word, "cancel!") == 0)
		{
			d->cancel_requested = d->run->cancel_requested = true;
			continue;
		}
		if (strcmp(word, "crash!") == 0)
		{
			drive_end(d);
			if (!drive_begin(d, false, &st))
				return false;
			is_fresh = false;
			continue;
		}
		if (!is_fresh)
			verb = floe_engine_trino.next(d->run, NULL);
		is_fresh = false;
		if (verb == FLOE_ENGINE_SEND)
		{
			const char *sent = word_of(&d->run->request);
			char *answer = strchr(word, '=');

			check_request(d, sent);
			if (answer == NULL || strncmp(word, sent, (size_t) (answer - word)) != 0 || sent[answer - word] != '\0')
			{
				traced(d, "<- but sent");
				traced(d, d->run->request.url);
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
			/* a query whose client is silent for five minutes is ended */
			if (d->run->wait_ms <= 0 || d->run->wait_ms > 2 * 60 * 1000 || strcmp(word, "wait") != 0)
				return false;
		}
		else
			return strcmp(word, "done") == 0;
	}
	return false;
}

#endif /* FLOE_TEST_TRINO_DRIVE_H */
