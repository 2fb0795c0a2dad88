/*
 * spark_connect_http.c: the HTTP side of the spark-connect adapter.
 *
 * Builds the request of a step, says what an answer is worth, and decides the
 * pace of retries.
 */
#include "floe.h"

#include "engine/spark_connect.h"

#include "base/url.h"
#include "engine/spark_session.h"

#include <string.h>

#define DEFAULT_USER "floe"
#define SERVICE "/spark.connect.SparkConnectService/"

#define MAX_STREAM ((size_t) 128 * 1024 * 1024)
#define MAX_ANSWER ((size_t) 8 * 1024 * 1024)
#define MAX_REQUEST ((size_t) 4 * 1024 * 1024)
#define MAX_STATEMENT ((size_t) 1024 * 1024)

/*
 * How long a stream is held.  Spark 4 says something every two seconds, so a
 * little more than that spares the question whether it is there at all.
 */
#define EXECUTE_MS 3000
#define ATTACH_MS 5000
#define CANCELLED_ATTACH_MS 1000

#define RETRY_CAP_MS 60000
#define RETRY_AFTER_CAP_MS (10 * 60 * 1000)

/* -------------------------------------------------------------------------
 * Before the first request
 * ------------------------------------------------------------------------- */

/* Spark's own clients send a token over TLS only, or to the machine they are on. */
static bool
may_send_token(const char *text, FloeStatus *st)
{
	FloeUrl url;

	if (!floe_url_parse(text, &url, st))
		return false;
	if (url.https || strcmp(url.host, "localhost") == 0 || strcmp(url.host, "::1") == 0 ||
		(url.is_literal && strncmp(url.host, "127.", 4) == 0))
		return true;
	return floe_fail(st, FLOE_ERR_CONFIG, "the token of the engine is not sent over plain HTTP: its url must be https");
}

static bool
prepare_authorization(FloeConnectRun *m, FloeStatus *st)
{
	const FloeEngineTarget *target = m->run->target;
	const char *user = target->user != NULL && target->user[0] != '\0' ? target->user : DEFAULT_USER;

	if (floe_adapter_has_control(user) || strlen(user) > FLOE_CONNECT_USER_MAX)
		return floe_fail(st, FLOE_ERR_CONFIG, "the user of the engine is too long or holds a control character");
	strcpy(m->user, user);
	if (target->password != NULL && target->password[0] != '\0')
		return floe_fail(st, FLOE_ERR_CONFIG, "Spark Connect knows no passwords; a token it does");
	if (target->token == NULL || target->token[0] == '\0')
		return true;
	if (!may_send_token(target->url, st))
		return false;
	return floe_adapter_bearer(m->run, &m->authorization, st);
}

bool
floe_connect_prepare(FloeConnectRun *m, FloeStatus *st)
{
	const FloeEngineTarget *target = m->run->target;

	if (target->url == NULL || target->url[0] == '\0' || strlen(target->url) > FLOE_URL_MAX)
		return floe_fail(st, FLOE_ERR_CONFIG, "the engine has no url");
	if (strpbrk(target->url, "?#") != NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "the url of the engine has a query, which Spark Connect has no use for");
	return floe_secrets_collect(&m->secrets, target, st) && prepare_authorization(m, st) &&
		   (m->is_probe || floe_adapter_statement(m->run, MAX_STATEMENT, &m->statement, st));
}

/* -------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------- */

/* The time zone of rendered timestamps, and double quotes as text (render.c). */
static const FloeKeyValue session_defaults[] = {
	{"spark.sql.session.timeZone", "UTC"},
	{"spark.sql.ansi.doubleQuotedIdentifiers", "false"},
};

static bool
build_config(FloeConnectRun *m, FloeBuf *buf, const FloeConnectIds *ids)
{
	const FloeEngineTarget *target = m->run->target;
	int ndefaults = (int) lengthof(session_defaults);
	int n = ndefaults + 1 + target->nsession_conf;
	FloeKeyValue *conf = floe_arena_alloc(m->run->arena, (size_t) n * sizeof(FloeKeyValue));

	if (conf == NULL)
		return false;
	memcpy(conf, session_defaults, sizeof(session_defaults));
	conf[ndefaults] = (FloeKeyValue){"spark.sql.redaction.options.regex", floe_spark_redaction(m->run->arena, target)};
	if (conf[ndefaults].value == NULL)
		return false;
	if (target->nsession_conf > 0)
		memcpy(conf + ndefaults + 1, target->session_conf, (size_t) target->nsession_conf * sizeof(FloeKeyValue));
	floe_connect_config(buf, ids, conf, n);
	return !buf->failed;
}

static FloeConnectCall
call_of(FloeConnectStep step)
{
	switch (step)
	{
		case CONNECT_CONFIG:
			return FLOE_CONNECT_CONFIG;
		case CONNECT_EXECUTE:
		case CONNECT_CHECK:
			return FLOE_CONNECT_EXECUTE;
		case CONNECT_ATTACH:
			return FLOE_CONNECT_REATTACH;
		case CONNECT_INTERRUPT:
			return FLOE_CONNECT_INTERRUPT;
		case CONNECT_ERROR_DETAILS:
			return FLOE_CONNECT_ERROR_DETAILS;
		case CONNECT_RELEASE_EXECUTE:
			return FLOE_CONNECT_RELEASE_EXECUTE;
		case CONNECT_VERSION:
			return FLOE_CONNECT_ANALYZE;
		default:
			return FLOE_CONNECT_RELEASE_SESSION;
	}
}

static bool
build(FloeConnectRun *m, FloeBuf *buf)
{
	FloeConnectIds ids = {m->user, m->session, m->operation, m->server_session};
	const char *text = "";

	if (m->step == CONNECT_CONFIG)
		return build_config(m, buf, &ids);
	if (m->step == CONNECT_EXECUTE)
		text = m->statement;
	else if (m->step == CONNECT_CHECK)
		text = FLOE_CONNECT_NOTHING;
	else if (m->step == CONNECT_ATTACH)
		text = m->last_response;
	else if (m->step == CONNECT_ERROR_DETAILS)
		text = m->end.error_id;
	floe_connect_request(buf, call_of(m->step), &ids, text);
	return !buf->failed;
}

/* Puts the body where it stays: large ones into the arena, once for each run; small ones into the run. */
static bool
make_body(FloeConnectRun *m)
{
	FloeHttpRequest *request = &m->run->request;
	void *to = m->body;
	FloeBuf buf;
	bool done;

	if (m->step == CONNECT_CONFIG && m->config_body != NULL)
	{
		request->body = m->config_body;
		request->body_len = m->config_len;
		return true;
	}
	floe_buf_init(&buf, MAX_REQUEST);
	done = build(m, &buf);
	if (done && buf.len > sizeof(m->body))
	{
		to = floe_arena_alloc(m->run->arena, buf.len);
		done = to != NULL;
	}
	if (done)
	{
		memcpy(to, buf.data, buf.len);
		request->body = to;
		request->body_len = buf.len;
	}
	if (done && m->step == CONNECT_CONFIG && to != m->body)
	{
		m->config_body = to;
		m->config_len = buf.len;
	}
	floe_buf_free(&buf);
	return done;
}

static void
add_header(FloeHttpRequest *request, const char *name, const char *value)
{
	request->headers[request->nheaders].name = name;
	request->headers[request->nheaders].value = value;
	request->nheaders++;
}

static bool
is_cut_off(FloeConnectStep step)
{
	return step == CONNECT_EXECUTE || step == CONNECT_ATTACH;
}

/* The request of the current step. */
FloeEngineVerb
floe_connect_send(FloeConnectRun *m)
{
	FloeEngineRun *run = m->run;
	FloeHttpRequest *request = &run->request;
	size_t base = strlen(run->target->url);
	int held_ms = m->step == CONNECT_EXECUTE ? EXECUTE_MS : m->cancel_sent ? CANCELLED_ATTACH_MS : ATTACH_MS;
	FloeStatus st;

	memset(request, 0, sizeof(*request));
	if (!make_body(m))
	{
		/* nothing was sent: later there may be memory again */
		floe_adapter_no_memory(&st);
		return floe_connect_retry(m, &st);
	}
	while (base > 0 && run->target->url[base - 1] == '/')
		base--;
	snprintf(m->url, sizeof(m->url), "%.*s%s%s", (int) base, run->target->url, SERVICE,
			 floe_connect_call_name(call_of(m->step)));
	request->method = "POST";
	request->url = m->url;
	add_header(request, "Content-Type", "application/grpc");
	add_header(request, "TE", "trailers");
	if (m->authorization != NULL)
		add_header(request, "Authorization", m->authorization);
	request->http2 = true;
	request->total_timeout_ms = run->target->request_timeout_ms;
	if (is_cut_off(m->step))
	{
		request->keep_partial = true;
		if (request->total_timeout_ms <= 0 || request->total_timeout_ms > held_ms)
			request->total_timeout_ms = held_ms;
	}
	request->max_body = is_cut_off(m->step) ? MAX_STREAM : MAX_ANSWER;
	request->no_redirect = true;
	request->ca_file = run->target->ca_file;
	request->max_attempts = 1;
	if (m->step == CONNECT_EXECUTE)
		m->may_run = true;
	m->is_sent = true;
	return FLOE_ENGINE_SEND;
}

/* -------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------- */

/* Spark's name of an error: its own field since 4.0, in 3.5 the brackets at the front of the message or behind a class. */
static bool
is_named(const FloeGrpcEnd *end, const char *name)
{
	size_t len = strlen(name);
	const char *bracket = end->message;

	if (strncmp(end->error_name, name, len) == 0)
		return true;
	if (*bracket != '[')
	{
		bracket = strstr(end->message, "Exception: [");
		if (bracket == NULL || strcspn(end->message, " ") < (size_t) (bracket - end->message))
			return false;
		bracket += strlen("Exception: ");
	}
	return strncmp(bracket + 1, name, len) == 0;
}

bool
floe_connect_is_cancelled(const FloeConnectRun *m)
{
	return is_named(&m->end, "OPERATION_CANCELED");
}

/* Spark explained itself. */
static FloeConnectAnswer
classify_spark(const FloeConnectRun *m, FloeStatus *why)
{
	const FloeGrpcEnd *end = &m->end;

	if (is_named(end, "INVALID_HANDLE.OPERATION_ALREADY_EXISTS"))
	{
		floe_fail_detail(why, FLOE_ERR_SERVER, end->message, "the engine refuses the operation's id");
		return ANSWER_EXISTS;
	}
	/* the place in the stream is taken by another request of ours, or is not there any more: again, or the server ends it */
	if (is_named(end, "INVALID_CURSOR"))
	{
		floe_fail_detail(why, FLOE_ERR_SERVER, end->message, "the engine does not go on with the stream");
		return ANSWER_NONE;
	}
	if (is_named(end, "INVALID_HANDLE.FORMAT"))
		return ANSWER_FAILED;
	return is_named(end, "INVALID_HANDLE.") ? ANSWER_GONE : ANSWER_FAILED;
}

/* HTTP 200: how the call ended stands in its trailers. */
static FloeConnectAnswer
classify_grpc(FloeConnectRun *m, const FloeHttpResponse *response, FloeStatus *why)
{
	FloeGrpcEnd *end = &m->end;

	floe_grpc_read_end(response, end);
	if (end->code == FLOE_GRPC_OK)
		return ANSWER_OK;
	if (end->code == FLOE_GRPC_NONE)
	{
		floe_fail(why, FLOE_ERR_PROTOCOL, "the engine's answer is not one of gRPC");
		return m->step == CONNECT_CONFIG || m->step == CONNECT_VERSION ? ANSWER_REFUSED : ANSWER_NONE;
	}
	if (end->has_info)
		return classify_spark(m, why);
	switch (end->code)
	{
		case FLOE_GRPC_UNAUTHENTICATED:
			floe_fail_detail(why, FLOE_ERR_AUTH, end->message, "the engine refuses the token");
			return ANSWER_REFUSED;
		case FLOE_GRPC_PERMISSION_DENIED:
			floe_fail_detail(why, FLOE_ERR_FORBIDDEN, end->message, "the engine forbids the request");
			return ANSWER_REFUSED;
		case FLOE_GRPC_UNIMPLEMENTED:
			floe_fail_detail(why, FLOE_ERR_UNSUPPORTED, end->message, "not Spark Connect of Spark 3.5 or newer");
			return ANSWER_REFUSED;
		case FLOE_GRPC_RESOURCE_EXHAUSTED:
			floe_fail_detail(why, FLOE_ERR_THROTTLED, end->message, "the engine takes no more requests");
			return ANSWER_NONE;
		default:
			floe_fail_detail(why, FLOE_ERR_SERVER, end->message, "the engine answered gRPC status %d", end->code);
			return ANSWER_NONE;
	}
}

static FloeConnectAnswer
classify_http(const FloeHttpResponse *response, FloeStatus *why)
{
	int code = response->http_status;
	FloeConnectAnswer answer = ANSWER_REFUSED;

	if (code == 401)
		floe_fail(why, FLOE_ERR_AUTH, "the engine refuses the token (HTTP 401)");
	else if (code == 403)
		floe_fail(why, FLOE_ERR_FORBIDDEN, "the engine forbids the request (HTTP 403)");
	else if (code == 408 || code == 425 || code == 429)
	{
		floe_fail(why, FLOE_ERR_THROTTLED, "the engine asks to come back later (HTTP %d)", code);
		answer = ANSWER_NONE;
	}
	else if (code >= 500 || code < 300)
	{
		floe_fail(why, FLOE_ERR_SERVER, "the engine answered HTTP %d", code);
		answer = ANSWER_NONE;
	}
	else if (code < 400)
		floe_fail(why, FLOE_ERR_HTTP, "the engine redirects the request (HTTP %d): credentials are not sent on", code);
	else
		floe_fail(why, FLOE_ERR_HTTP, "not a Spark Connect endpoint (HTTP %d)", code);
	if (response->body.len > 0 && response->body.data[0] != '<')
		floe_copy_text(why->detail, sizeof(why->detail), response->body.data, response->body.len);
	return answer;
}

FloeConnectAnswer
floe_connect_classify(FloeConnectRun *m, const FloeHttpResponse *response, FloeStatus *why)
{
	FloeConnectAnswer answer;

	floe_status_ok(why);
	m->end.message[0] = m->end.error_name[0] = '\0';
	if (m->step != CONNECT_ERROR_DETAILS)
		m->end.error_id[0] = '\0';
	if (response == NULL)
	{
		floe_fail(why, FLOE_ERR_INTERNAL, "a request was given no answer");
		return ANSWER_NONE;
	}
	if (response->status.code != FLOE_OK)
	{
		*why = response->status;
		if (is_cut_off(m->step) && why->code == FLOE_ERR_TIMEOUT)
			return ANSWER_CUT;
		if (is_cut_off(m->step) && why->code == FLOE_ERR_TOO_LARGE && response->http_status == 200)
			return ANSWER_LARGE;
		return why->code == FLOE_ERR_CONFIG || why->code == FLOE_ERR_DENIED ? ANSWER_REFUSED : ANSWER_NONE;
	}
	answer = response->http_status == 200 ? classify_grpc(m, response, why) : classify_http(response, why);
	if (answer == ANSWER_NONE || answer == ANSWER_REFUSED)
	{
		why->http_status = response->http_status;
		why->retry_after_ms = response->status.retry_after_ms;
	}
	return answer;
}

/* The same step again, later; the executor decides how long that may go on. */
FloeEngineVerb
floe_connect_retry(FloeConnectRun *m, const FloeStatus *why)
{
	FloeEngineRun *run = m->run;
	uint64_t seed = 0;

	floe_connect_note(m, why);
	m->failures++;
	memcpy(&seed, m->session, sizeof(seed));
	return floe_adapter_retry(run, m->failures, seed, RETRY_CAP_MS, RETRY_AFTER_CAP_MS, why);
}

FloeEngineVerb
floe_connect_wait(FloeConnectRun *m, int ms, FloeConnectStep next)
{
	m->step = next;
	m->run->wait_ms = ms;
	m->run->unreachable = false;
	return FLOE_ENGINE_WAIT;
}
