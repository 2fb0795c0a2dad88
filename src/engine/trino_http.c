/*
 * trino_http.c: the HTTP side of the trino adapter.
 *
 * Builds the request of a step, says what an HTTP answer is worth, and decides
 * the pace of retries.
 */
#include "floe.h"

#include "engine/trino.h"

#include "base/buf.h"

#include <ctype.h>
#include <string.h>

#define DEFAULT_USER "floe"

/* Trino's default is a million characters. */
#define MAX_STATEMENT ((size_t) 1000 * 1000)
#define MAX_SESSION ((size_t) 16 * 1024)
#define MAX_ANSWER ((size_t) 16 * 1024 * 1024)

/* Trino ends a query whose client is silent for five minutes. */
#define RETRY_CAP_MS 30000
#define RETRY_AFTER_CAP_MS (2 * 60 * 1000)

#define SESSION_PREFIX "session."

/* -------------------------------------------------------------------------
 * Before the first request
 * ------------------------------------------------------------------------- */

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool
prepare_url(FloeTrinoRun *m, FloeStatus *st)
{
	const char *url = m->run->target->url;
	size_t len = url != NULL ? strlen(url) : 0;

	if (len == 0)
		return floe_fail(st, FLOE_ERR_CONFIG, "the engine has no url");
	while (len > 0 && url[len - 1] == '/')
		len--;
	if (len >= FLOE_TRINO_URI_MAX || strchr(url, '?') != NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "the engine's url is too long, or has a query");
	m->base = floe_arena_text(m->run->arena, url, len);
	return m->base != NULL ? floe_url_parse(m->base, &m->origin, st) : floe_adapter_no_memory(st);
}

static bool
prepare_authorization(FloeTrinoRun *m, FloeStatus *st)
{
	const FloeEngineTarget *target = m->run->target;

	m->user = is_given(target->user) ? target->user : is_given(target->token) ? NULL : DEFAULT_USER;
	if (m->user != NULL && (floe_adapter_has_control(m->user) || strlen(m->user) > 1024))
		return floe_fail(st, FLOE_ERR_CONFIG, "the user of the engine cannot be sent in a header");
	if (is_given(target->token))
	{
		return floe_adapter_bearer(m->run, &m->authorization, st);
	}
	if (!is_given(target->password))
		return true;
	if (!m->origin.https)
		return floe_fail(st, FLOE_ERR_CONFIG, "Trino takes a password over https only, and the engine's url is http");
	/* RFC 7617: the first colon ends the user */
	if (strchr(m->user, ':') != NULL || floe_adapter_has_control(target->password) || strlen(target->password) > 8192)
		return floe_fail(st, FLOE_ERR_CONFIG, "the user or password of the engine cannot be sent as HTTP Basic");
	m->authorization = floe_http_basic(m->run->arena, m->user, target->password);
	if (m->authorization == NULL)
		return floe_adapter_no_memory(st);
	return floe_secrets_add(&m->secrets, m->authorization + strlen("Basic "),
							strlen(m->authorization) - strlen("Basic "), st);
}

/* Trino decodes the value as a form's. */
static void
append_encoded(FloeBuf *buf, const char *text)
{
	for (; *text != '\0'; text++)
	{
		if (isalnum((unsigned char) *text) || strchr("-._~", *text) != NULL)
			floe_buf_char(buf, *text);
		else
			floe_buf_printf(buf, "%%%02X", (unsigned char) *text);
	}
}

/* X-Trino-Session: the options session.* of the server. */
static bool
prepare_session(FloeTrinoRun *m, FloeStatus *st)
{
	const FloeConn *conn = m->run->target->conn;
	FloeBuf buf;
	bool done = true;

	floe_buf_init(&buf, MAX_SESSION);
	for (int i = 0; conn != NULL && i < conn->noptions && done; i++)
	{
		const FloeConnOption *option = &conn->options[i];
		const char *name = option->name + strlen(SESSION_PREFIX);

		if (strncmp(option->name, SESSION_PREFIX, strlen(SESSION_PREFIX)) != 0)
			continue;
		for (const char *at = name; *at != '\0' && done; at++)
			done = isalnum((unsigned char) *at) || strchr("_.-", *at) != NULL;
		if (!done)
			floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" cannot be the name of a session property", name);
		floe_buf_printf(&buf, "%s%s=", buf.len > 0 ? "," : "", name);
		append_encoded(&buf, option->value);
	}
	if (done && buf.failed)
		done = floe_fail(st, FLOE_ERR_CONFIG, "the engine's session properties are too long");
	if (done && buf.len > 0)
	{
		m->session = floe_arena_text(m->run->arena, buf.data, buf.len);
		done = m->session != NULL || floe_adapter_no_memory(st);
	}
	floe_buf_free(&buf);
	return done;
}

/* The token by which a query is found again; of the operation alone it would also name its earlier attempts. */
static bool
prepare_nonce(FloeTrinoRun *m, FloeStatus *st)
{
	unsigned char random[FLOE_TRINO_NONCE_LEN / 2];

	if (m->nonce[0] == '\0')
	{
		if (!pg_strong_random(random, sizeof(random)))
			return floe_fail(st, FLOE_ERR_INTERNAL, "no random numbers");
		for (size_t i = 0; i < sizeof(random); i++)
			snprintf(m->nonce + i * 2, 3, "%02x", random[i]);
	}
	snprintf(m->trace_token, sizeof(m->trace_token), "floe:%.36s:%s", m->run->operation_id, m->nonce);
	return true;
}

static bool
prepare_statement(FloeTrinoRun *m, FloeStatus *st)
{
	FloeEngineRun *run = m->run;

	if (m->is_probe)
	{
		m->statement = floe_arena_text(run->arena, "SELECT 1", strlen("SELECT 1"));
		return m->statement != NULL || floe_adapter_no_memory(st);
	}
	if (run->operation_id == NULL || strlen(run->operation_id) > 36)
		return floe_fail(st, FLOE_ERR_INTERNAL, "the id of the operation is not a uuid");
	return floe_adapter_statement(run, MAX_STATEMENT, &m->statement, st);
}

bool
floe_trino_prepare(FloeTrinoRun *m, FloeStatus *st)
{
	return floe_secrets_collect(&m->secrets, m->run->target, st) && prepare_url(m, st) &&
		   prepare_authorization(m, st) && prepare_session(m, st) && prepare_statement(m, st) && prepare_nonce(m, st);
}

/* Credentials go nowhere else. */
bool
floe_trino_is_own(const FloeTrinoRun *m, const char *uri)
{
	FloeUrl url;
	FloeStatus st;

	return floe_url_parse(uri, &url, &st) && floe_url_same_origin(&url, &m->origin);
}

/* -------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------- */

static void
add_header(FloeHttpRequest *request, const char *name, const char *value)
{
	if (value == NULL)
		return;
	request->headers[request->nheaders].name = name;
	request->headers[request->nheaders].value = value;
	request->nheaders++;
}

/* Method and URL of the current step. */
static void
address(FloeTrinoRun *m, FloeHttpRequest *request)
{
	bool is_of_query = m->step == TRINO_LOOK || m->step == TRINO_CANCEL;
	const char *path = "/v1/info";

	request->method = m->step == TRINO_SUBMIT ? "POST" : m->step == TRINO_CANCEL ? "DELETE" : "GET";
	request->url = m->url;
	if (m->step == TRINO_PAGE)
		request->url = m->next_uri;
	else if (m->step == TRINO_SUBMIT)
		path = "/v1/statement";
	else if (m->step == TRINO_FIND)
		path = "/v1/query";
	else if (is_of_query)
		path = "/v1/query/";
	snprintf(m->url, sizeof(m->url), "%s%s%s%s", m->base, path, is_of_query ? m->query_id : "",
			 m->step == TRINO_LOOK ? "?pruned=true" : "");
}

FloeEngineVerb
floe_trino_send(FloeTrinoRun *m)
{
	FloeEngineRun *run = m->run;
	FloeHttpRequest *request = &run->request;

	memset(request, 0, sizeof(*request));
	address(m, request);
	add_header(request, "Authorization", m->authorization);
	add_header(request, "X-Trino-User", m->user);
	if (m->step == TRINO_SUBMIT)
	{
		m->submits++;
		add_header(request, "Content-Type", "text/plain; charset=utf-8");
		add_header(request, "X-Trino-Source", "floe");
		add_header(request, "X-Trino-Client-Tags", "floe");
		add_header(request, "X-Trino-Time-Zone", "UTC");
		add_header(request, "X-Trino-Trace-Token", m->trace_token);
		add_header(request, "X-Trino-Session", m->session);
		request->body = m->statement;
		request->body_len = strlen(m->statement);
	}
	request->total_timeout_ms = run->target->request_timeout_ms;
	request->max_body = MAX_ANSWER;
	request->no_redirect = true;
	request->accept_gzip = true;
	request->ca_file = run->target->ca_file;
	/* the pace of retries is the adapter's */
	request->max_attempts = 1;
	m->is_sent = true;
	return FLOE_ENGINE_SEND;
}

/* -------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------- */

static FloeTrinoAnswer
classify_http(const FloeTrinoRun *m, const FloeHttpResponse *response, FloeStatus *why)
{
	int code = response->http_status;
	FloeTrinoAnswer answer = TRINO_REFUSED;

	if (code == 200 || (m->step == TRINO_CANCEL && code >= 200 && code < 300))
		return TRINO_BODY;
	if (code == 401)
		floe_fail(why, FLOE_ERR_AUTH, "Trino refuses the credentials (HTTP 401)");
	else if (code == 403)
		floe_fail(why, FLOE_ERR_FORBIDDEN, "Trino forbids the request (HTTP 403)");
	else if (code == 404 || code == 410)
	{
		floe_fail(why, FLOE_ERR_HTTP,
				  m->step == TRINO_INFO || m->step == TRINO_SUBMIT ? "not a Trino server (HTTP %d)"
																   : "Trino does not know it (HTTP %d)",
				  code);
		answer = TRINO_GONE;
	}
	else if (code == 408 || code == 425 || code == 429 || code == 503)
	{
		floe_fail(why, FLOE_ERR_THROTTLED, "Trino asks to come back later (HTTP %d)", code);
		answer = m->step == TRINO_SUBMIT && code != 408 ? TRINO_UNSENT : TRINO_NONE;
	}
	else if (code >= 500 || code < 300)
	{
		floe_fail(why, FLOE_ERR_SERVER, "Trino answered HTTP %d", code);
		answer = TRINO_NONE;
	}
	else if (code < 400)
		floe_fail(why, FLOE_ERR_HTTP, "Trino redirects the request (HTTP %d): credentials are not sent on", code);
	else
		floe_fail(why, FLOE_ERR_HTTP, "Trino refuses the request (HTTP %d)", code);
	/* Trino explains itself in a line of text; web pages explain nothing */
	if (response->body.len > 0 && response->body.data[0] != '<')
		floe_copy_text(why->detail, sizeof(why->detail), response->body.data, Min(response->body.len, (size_t) 512));
	return answer;
}

FloeTrinoAnswer
floe_trino_classify(FloeTrinoRun *m, const FloeHttpResponse *response, FloeStatus *why)
{
	FloeTrinoAnswer answer;

	floe_status_ok(why);
	if (response == NULL)
	{
		floe_fail(why, FLOE_ERR_INTERNAL, "a request was given no answer");
		return TRINO_NONE;
	}
	if (response->status.code != FLOE_OK)
	{
		*why = response->status;
		switch (why->code)
		{
			case FLOE_ERR_CONFIG:
			case FLOE_ERR_DENIED:
				return TRINO_REFUSED;
			case FLOE_ERR_DNS:
			case FLOE_ERR_CONNECT:
			case FLOE_ERR_TLS:
				return TRINO_UNSENT;
			default:
				return TRINO_NONE;
		}
	}
	answer = classify_http(m, response, why);
	why->http_status = answer == TRINO_BODY ? 0 : response->http_status;
	why->retry_after_ms = answer == TRINO_BODY ? -1 : response->status.retry_after_ms;
	return answer;
}

/* That step, later; the executor decides how long that may go on. */
FloeEngineVerb
floe_trino_retry(FloeTrinoRun *m, const FloeStatus *why, FloeTrinoStep next)
{
	FloeEngineRun *run = m->run;
	uint64_t seed = 0;

	floe_trino_note(m, why);
	m->failures++;
	memcpy(&seed, m->nonce, sizeof(seed));
	m->step = next;
	return floe_adapter_retry(run, m->failures, seed, RETRY_CAP_MS, RETRY_AFTER_CAP_MS, why);
}

FloeEngineVerb
floe_trino_wait(FloeTrinoRun *m, int ms, FloeTrinoStep next)
{
	m->step = next;
	m->run->wait_ms = ms;
	m->run->unreachable = false;
	return FLOE_ENGINE_WAIT;
}
