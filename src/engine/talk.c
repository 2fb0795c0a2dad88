/*
 * talk.c: requests of JSON over HTTP to an engine, and what their answers are worth.
 *
 * Separate from the adapters because Livy and Kyuubi differ in their words and
 * not in this.  No cookie is kept or sent.
 */
#include "floe.h"

#include "engine/talk.h"

#include "engine/spark_session.h"

#include <string.h>

#define MAX_ANSWER ((size_t) 32 * 1024 * 1024)
#define MAX_STATEMENT ((size_t) 1024 * 1024)

#define RETRY_CAP_MS 60000
#define RETRY_AFTER_CAP_MS (10 * 60 * 1000)

/* -------------------------------------------------------------------------
 * Before the first request
 * ------------------------------------------------------------------------- */

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* Nothing is sent for nobody: these servers may know no authentication at all. */
static bool
prepare_authorization(FloeTalk *t, FloeStatus *st)
{
	const FloeEngineTarget *target = t->run->target;
	const char *password = is_given(target->password) ? target->password : "";

	if (is_given(target->token))
	{
		return floe_adapter_bearer(t->run, &t->authorization, st);
	}
	if (!is_given(target->user))
	{
		if (password[0] != '\0')
			return floe_fail(st, FLOE_ERR_CONFIG, "the engine has a password and no user");
		return true;
	}
	/* RFC 7617: the first colon ends the user */
	if (strchr(target->user, ':') != NULL || floe_adapter_has_control(target->user) ||
		floe_adapter_has_control(password) || strlen(target->user) > 1024 || strlen(password) > 8192)
		return floe_fail(st, FLOE_ERR_CONFIG, "the user or password of the engine cannot be sent as HTTP Basic");
	t->authorization = floe_http_basic(t->run->arena, target->user, password);
	if (t->authorization == NULL)
		return floe_adapter_no_memory(st);
	return password[0] == '\0' || floe_secrets_add(&t->secrets, t->authorization + strlen("Basic "),
												   strlen(t->authorization) - strlen("Basic "), st);
}

static bool
prepare_statement(FloeTalk *t, FloeStatus *st)
{
	FloeEngineRun *run = t->run;
	size_t size;

	if (run->operation_id == NULL || run->operation_id[0] == '\0' || strlen(run->operation_id) > 64 ||
		strspn(run->operation_id, "0123456789abcdefABCDEF-") != strlen(run->operation_id))
		return floe_fail(st, FLOE_ERR_INTERNAL, "the id of the operation is not a uuid");
	if (run->statement == NULL || strlen(run->statement) > MAX_STATEMENT)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "the statement is longer than %zu bytes", MAX_STATEMENT);
	size = sizeof("/* floe: */") + strlen(run->operation_id);
	t->marker = floe_arena_alloc(run->arena, size);
	if (t->marker == NULL)
		return floe_adapter_no_memory(st);
	snprintf(t->marker, size, "/* floe:%s */", run->operation_id);
	size += strlen(run->statement) + 1;
	t->statement = floe_arena_alloc(run->arena, size);
	if (t->statement == NULL)
		return floe_adapter_no_memory(st);
	snprintf(t->statement, size, "%s %s", t->marker, run->statement);
	return true;
}

static bool
prepare_base(FloeTalk *t, const char *path, FloeStatus *st)
{
	const char *url = t->run->target->url;
	size_t len = url != NULL ? strlen(url) : 0;
	size_t path_len = strlen(path);

	if (len == 0)
		return floe_fail(st, FLOE_ERR_CONFIG, "the engine has no url");
	while (len > 0 && url[len - 1] == '/')
		len--;
	if (len >= path_len && memcmp(url + len - path_len, path, path_len) == 0)
		len -= path_len;
	t->base = floe_arena_alloc(t->run->arena, len + path_len + 1);
	t->url = floe_arena_alloc(t->run->arena, len + path_len + FLOE_TALK_PATH);
	if (t->base == NULL || t->url == NULL)
		return floe_adapter_no_memory(st);
	memcpy(t->base, url, len);
	memcpy(t->base + len, path, path_len + 1);
	return true;
}

bool
floe_talk_prepare(FloeTalk *t, FloeEngineRun *run, const char *product, const char *path, bool is_probe, FloeStatus *st)
{
	memset(t, 0, sizeof(*t));
	t->run = run;
	t->product = product;
	t->is_probe = is_probe;
	floe_adapter_reset(run, run->state);
	floe_talk_reset_rows(t);
	if (!is_probe)
	{
		for (const char *p = run->operation_id; p != NULL && *p != '\0'; p++)
			t->seed = t->seed * 31 + (unsigned char) *p;
	}
	return prepare_base(t, path, st) && floe_secrets_collect(&t->secrets, run->target, st) &&
		   prepare_authorization(t, st) && (is_probe || prepare_statement(t, st));
}

const char *
floe_talk_option(const FloeTalk *t, const char *name)
{
	const FloeConn *conn = t->run->target->conn;

	for (int i = 0; conn != NULL && i < conn->noptions; i++)
	{
		if (strcmp(conn->options[i].name, name) == 0)
			return conn->options[i].value;
	}
	return NULL;
}

/* Rendered timestamps are of that zone; double quotes are text (render.c). */
static const FloeKeyValue session_defaults[] = {
	{"spark.sql.session.timeZone", "UTC"},
	{"spark.sql.ansi.doubleQuotedIdentifiers", "false"},
	{"spark.sql.redaction.options.regex", NULL},
	{"spark.redaction.regex", NULL},
};

/* The last of several settings of one key counts. */
static bool
is_set_later(const FloeEngineTarget *target, const char *key, int from)
{
	for (int i = from; i < target->nsession_conf; i++)
	{
		if (strcmp(target->session_conf[i].key, key) == 0)
			return true;
	}
	return false;
}

bool
floe_talk_settings(FloeTalk *t, FloeTalkSetting setting, void *arg)
{
	const FloeEngineTarget *target = t->run->target;
	const char *redaction = floe_spark_redaction(t->run->arena, target);

	if (redaction == NULL)
		return false;
	for (size_t i = 0; i < lengthof(session_defaults); i++)
	{
		const FloeKeyValue *one = &session_defaults[i];

		if (!is_set_later(target, one->key, 0) && !setting(arg, one->key, one->value != NULL ? one->value : redaction))
			return false;
	}
	for (int i = 0; i < target->nsession_conf; i++)
	{
		const FloeKeyValue *pair = &target->session_conf[i];

		if (!is_set_later(target, pair->key, i + 1) && !setting(arg, pair->key, pair->value != NULL ? pair->value : ""))
			return false;
	}
	return true;
}

/* -------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------- */

static void
add_header(FloeHttpRequest *request, const char *name, const char *value)
{
	request->headers[request->nheaders].name = name;
	request->headers[request->nheaders].value = value;
	request->nheaders++;
}

FloeEngineVerb
floe_talk_send(FloeTalk *t, const char *method, const char *path, const FloeBuf *body)
{
	FloeEngineRun *run = t->run;
	FloeHttpRequest *request = &run->request;
	char *copy = body != NULL ? floe_arena_text(run->arena, body->data, body->len) : NULL;
	FloeStatus st;

	memset(request, 0, sizeof(*request));
	if (body != NULL && (copy == NULL || body->failed))
	{
		/* nothing was sent: later there may be memory again */
		floe_adapter_no_memory(&st);
		return floe_talk_retry(t, &st);
	}
	snprintf(t->url, strlen(t->base) + FLOE_TALK_PATH, "%s%s", t->base, path);
	request->method = method;
	request->url = t->url;
	add_header(request, "Accept", "application/json");
	if (copy != NULL)
	{
		add_header(request, "Content-Type", "application/json");
		request->body = copy;
		request->body_len = body->len;
	}
	/* servers with protection against cross-site requests ask for it with all that is not GET */
	add_header(request, "X-Requested-By", "floe");
	if (t->authorization != NULL)
		add_header(request, "Authorization", t->authorization);
	if (t->failures > 0)
		add_header(request, "Connection", "close"); /* the retry after this one gets a fresh connection */
	request->total_timeout_ms = run->target->request_timeout_ms;
	request->max_body = MAX_ANSWER;
	request->no_redirect = true;
	request->ca_file = run->target->ca_file;
	if (strcmp(method, "GET") != 0 || t->is_once)
		request->max_attempts = 1;
	t->is_once = false;
	t->is_sent = true;
	return FLOE_ENGINE_SEND;
}

/* -------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------- */

/* The server's own words: a string, or "msg" (Livy) or "message" (Kyuubi) of an object; NULL when it has none. */
static const char *
words_of(FloeTalk *t)
{
	FloeJson root = floe_talk_root(t);
	const char *text = floe_json_string(root);

	if (text == NULL)
		text = floe_json_string(floe_json_field(root, "msg"));
	if (text == NULL)
		text = floe_json_string(floe_json_field(root, "message"));
	return text;
}

static FloeTalkAnswer
refusal(FloeTalk *t, FloeStatus *why)
{
	int code = t->http_code;

	if (code == 401)
	{
		floe_fail(why, FLOE_ERR_AUTH, "the engine refuses user or password (HTTP 401)");
		return FLOE_TALK_REFUSED;
	}
	if (code == 403)
	{
		floe_fail(why, FLOE_ERR_FORBIDDEN, "the engine forbids the request (HTTP 403)");
		return FLOE_TALK_REFUSED;
	}
	if (code < 400)
	{
		floe_fail(why, FLOE_ERR_HTTP, "the engine redirects the request (HTTP %d): credentials are not sent on", code);
		return FLOE_TALK_REFUSED;
	}
	if (code == 408 || code == 425 || code == 429)
	{
		floe_fail(why, FLOE_ERR_THROTTLED, "the engine asks to come back later (HTTP %d)", code);
		return FLOE_TALK_NONE;
	}
	/* what stands before the server answers so, whatever its body is */
	if (code == 502 || code == 503 || code == 504 || (code >= 500 && t->text == NULL))
	{
		floe_fail(why, FLOE_ERR_SERVER, "the engine answered HTTP %d", code);
		return FLOE_TALK_NONE;
	}
	if (t->text == NULL)
	{
		floe_fail(why, FLOE_ERR_HTTP, "not an endpoint of %s (HTTP %d)", t->product, code);
		return FLOE_TALK_REFUSED;
	}
	floe_fail(why, FLOE_ERR_SERVER, "the engine declined the request (HTTP %d)", code);
	return FLOE_TALK_DECLINED;
}

FloeTalkAnswer
floe_talk_read(FloeTalk *t, const FloeHttpResponse *response, FloeStatus *why)
{
	FloeTalkAnswer answer;
	FloeStatus st;

	t->doc = NULL;
	t->text = NULL;
	t->http_code = 0;
	t->is_sent = false;
	floe_status_ok(why);
	if (response == NULL)
	{
		floe_fail(why, FLOE_ERR_INTERNAL, "a request was given no answer");
		return FLOE_TALK_NONE;
	}
	if (response->status.code != FLOE_OK)
	{
		*why = response->status;
		return why->code == FLOE_ERR_CONFIG || why->code == FLOE_ERR_DENIED ? FLOE_TALK_REFUSED : FLOE_TALK_NONE;
	}
	t->http_code = response->http_status;
	if (response->body.len > 0)
		t->doc = floe_json_parse(response->body.data, response->body.len, "the engine's answer", MAX_ANSWER, &st);
	if (t->http_code >= 200 && t->http_code < 300)
	{
		if (response->body.len == 0 || t->doc != NULL)
			return FLOE_TALK_OK;
		*why = st;
		return FLOE_TALK_ODD;
	}
	if (t->doc != NULL)
		t->text = words_of(t);
	answer = refusal(t, why);
	if (t->text != NULL)
		floe_copy_text(why->detail, sizeof(why->detail), t->text, strcspn(t->text, "\n"));
	else if (response->body.len > 0 && response->body.data[0] != '<')
		floe_copy_text(why->detail, sizeof(why->detail), response->body.data, response->body.len);
	why->http_status = t->http_code;
	why->retry_after_ms = response->status.retry_after_ms;
	return answer;
}

void
floe_talk_release(FloeTalk *t)
{
	floe_json_free(t->doc);
	t->doc = NULL;
	t->text = NULL;
}

/* -------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------- */

FloeEngineVerb
floe_talk_retry(FloeTalk *t, const FloeStatus *why)
{
	FloeEngineRun *run = t->run;

	floe_talk_note(t, why);
	t->failures++;
	return floe_adapter_retry(run, t->failures, t->seed, RETRY_CAP_MS, RETRY_AFTER_CAP_MS, why);
}

FloeEngineVerb
floe_talk_wait(FloeTalk *t, int ms)
{
	t->run->wait_ms = ms;
	t->run->unreachable = false;
	return FLOE_ENGINE_WAIT;
}
