/*
 * spark_thrift_http.c: the HTTP side of the spark-thrift adapter.
 *
 * Builds the request of a step, says what an HTTP answer is worth, and decides
 * the pace of retries.  No cookie is kept or sent: a server that restarted
 * answers an old one with HTTP 500, whatever the credentials.
 */
#include "floe.h"

#include "engine/spark_thrift.h"

#include "engine/spark_session.h"

#include <string.h>

/* Spark takes any user, but neither an empty one nor an empty password. */
#define DEFAULT_USER "floe"
#define DEFAULT_PASSWORD "floe"

/* Spark's own limit of a message is 100 MB; only results are large. */
#define MAX_RESULT ((size_t) 128 * 1024 * 1024)
#define MAX_ANSWER ((size_t) 8 * 1024 * 1024)
#define MAX_REQUEST ((size_t) 4 * 1024 * 1024)
#define MAX_STATEMENT ((size_t) 1024 * 1024)

#define ROWS_PER_FETCH 5000

#define RETRY_CAP_MS 60000
#define RETRY_AFTER_CAP_MS (10 * 60 * 1000)

/* So many HTTP 500 without a body count as a hiccup before the server counts as unreachable. */
#define EMPTY_ANSWERS 3
#define EMPTY_ANSWER_MS 500

/* -------------------------------------------------------------------------
 * Before the first request
 * ------------------------------------------------------------------------- */

static bool
prepare_basic(FloeThriftRun *m, const char *user, const char *password, FloeStatus *st)
{
	m->authorization = floe_http_basic(m->run->arena, user, password);
	if (m->authorization == NULL)
		return floe_adapter_no_memory(st);
	return m->run->target->password == NULL || floe_secrets_add(&m->secrets, m->authorization + strlen("Basic "),
																strlen(m->authorization) - strlen("Basic "), st);
}

static bool
prepare_authorization(FloeThriftRun *m, FloeStatus *st)
{
	const FloeEngineTarget *target = m->run->target;
	const char *user = target->user != NULL && target->user[0] != '\0' ? target->user : DEFAULT_USER;
	const char *password =
		target->password != NULL && target->password[0] != '\0' ? target->password : DEFAULT_PASSWORD;

	if (target->token == NULL || target->token[0] == '\0')
	{
		/* RFC 7617: the first colon ends the user */
		if (strchr(user, ':') != NULL || floe_adapter_has_control(user) || floe_adapter_has_control(password) ||
			strlen(user) > 1024 || strlen(password) > 8192)
			return floe_fail(st, FLOE_ERR_CONFIG, "the user or password of the engine cannot be sent as HTTP Basic");
		return prepare_basic(m, user, password, st);
	}
	return floe_adapter_bearer(m->run, &m->authorization, st);
}

/*
 * HiveServer2 replaces ${env:…}, ${system:…} and ${hiveconf:…} in the values
 * of a session's configuration by what the server's process knows, and fails
 * on a line break.  Neither is ever meant.
 */
static bool
check_conf(const FloeEngineTarget *target, FloeStatus *st)
{
	for (int i = 0; i < target->nsession_conf; i++)
	{
		const FloeKeyValue *pair = &target->session_conf[i];

		if (pair->value != NULL && (strstr(pair->value, "${") != NULL || strpbrk(pair->value, "\r\n") != NULL))
			return floe_fail(st, FLOE_ERR_CONFIG, "setting \"%s\" of the engine's session holds a line break or \"${\"",
							 pair->key);
	}
	return true;
}

bool
floe_spark_prepare(FloeThriftRun *m, FloeStatus *st)
{
	const FloeEngineTarget *target = m->run->target;

	if (target->url == NULL || target->url[0] == '\0')
		return floe_fail(st, FLOE_ERR_CONFIG, "the engine has no url");
	return check_conf(target, st) && floe_secrets_collect(&m->secrets, target, st) && prepare_authorization(m, st) &&
		   (m->is_probe || floe_adapter_statement(m->run, MAX_STATEMENT, &m->statement, st));
}

/* -------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------- */

/*
 * What every session of floe sets: an immediate answer to GetOperationStatus,
 * the time zone of rendered timestamps, and double quotes as text (render.c).
 */
static const FloeKeyValue session_defaults[] = {
	{"hive.server2.long.polling.timeout", "0ms"},
	{"spark.sql.session.timeZone", "UTC"},
	{"spark.sql.ansi.doubleQuotedIdentifiers", "false"},
};

#define REDACTION_KEY "spark.sql.redaction.options.regex"
#define CONF_PREFIX "set:hiveconf:"

static bool
build_open(FloeThriftRun *m, FloeBuf *buf)
{
	const FloeEngineTarget *target = m->run->target;
	int ndefaults = (int) lengthof(session_defaults);
	int n = ndefaults + 1 + target->nsession_conf;
	FloeKeyValue *conf = floe_arena_alloc(m->run->arena, (size_t) n * sizeof(FloeKeyValue));
	FloeKeyValue redaction = {REDACTION_KEY, floe_spark_redaction(m->run->arena, m->run->target)};

	if (conf == NULL || redaction.value == NULL)
		return false;
	for (int i = 0; i < n; i++)
	{
		const FloeKeyValue *from = i < ndefaults    ? &session_defaults[i]
								   : i == ndefaults ? &redaction
													: &target->session_conf[i - ndefaults - 1];
		size_t size = sizeof(CONF_PREFIX) + strlen(from->key);
		char *key = floe_arena_alloc(m->run->arena, size);

		if (key == NULL)
			return false;
		snprintf(key, size, "%s%s", CONF_PREFIX, from->key);
		conf[i].key = key;
		conf[i].value = from->value != NULL ? from->value : "";
	}
	floe_hs2_open_session(buf, m->sequence, conf, n);
	return !buf->failed;
}

static bool
build(FloeThriftRun *m, FloeBuf *buf)
{
	switch (m->step)
	{
		case STEP_OPEN:
			return build_open(m, buf);
		case STEP_EXECUTE:
			floe_hs2_execute_statement(buf, m->sequence, &m->session, m->statement);
			break;
		case STEP_POLL:
			floe_hs2_operation_call(buf, FLOE_HS2_GET_OPERATION_STATUS, m->sequence, &m->operation);
			break;
		case STEP_METADATA:
			floe_hs2_operation_call(buf, FLOE_HS2_GET_RESULT_SET_METADATA, m->sequence, &m->operation);
			break;
		case STEP_FETCH:
			floe_hs2_fetch_results(buf, m->sequence, &m->operation,
								   m->from_start ? FLOE_HS2_FETCH_FIRST : FLOE_HS2_FETCH_NEXT, ROWS_PER_FETCH);
			break;
		case STEP_CANCEL:
			floe_hs2_operation_call(buf, FLOE_HS2_CANCEL_OPERATION, m->sequence, &m->operation);
			break;
		case STEP_CLOSE_OPERATION:
			floe_hs2_operation_call(buf, FLOE_HS2_CLOSE_OPERATION, m->sequence, &m->operation);
			break;
		case STEP_INFO_NAME:
			floe_hs2_get_info(buf, m->sequence, &m->session, FLOE_HS2_INFO_DBMS_NAME);
			break;
		case STEP_INFO_VERSION:
			floe_hs2_get_info(buf, m->sequence, &m->session, FLOE_HS2_INFO_DBMS_VERSION);
			break;
		default: /* the two ways of CloseSession */
			floe_hs2_close_session(buf, m->sequence, &m->session);
			break;
	}
	return !buf->failed;
}

/* Puts the body where it stays: large ones into the arena, small ones into the run. */
static bool
keep_body(FloeThriftRun *m, const FloeBuf *buf)
{
	FloeHttpRequest *request = &m->run->request;
	void *to = m->body;

	if (buf->len > sizeof(m->body))
		to = floe_arena_alloc(m->run->arena, buf->len);
	if (to == NULL)
		return false;
	memcpy(to, buf->data, buf->len);
	request->body = to;
	request->body_len = buf->len;
	if (m->step == STEP_OPEN && to != m->body)
	{
		m->open_body = to;
		m->open_len = buf->len;
	}
	return true;
}

static bool
make_body(FloeThriftRun *m)
{
	FloeBuf buf;
	bool done;

	if (m->step == STEP_OPEN)
	{
		m->sequence = 1;
		if (m->open_body != NULL)
		{
			m->run->request.body = m->open_body;
			m->run->request.body_len = m->open_len;
			return true;
		}
	}
	else
		m->sequence = m->sequence == INT32_MAX ? 2 : m->sequence + 1;
	floe_buf_init(&buf, MAX_REQUEST);
	done = build(m, &buf) && keep_body(m, &buf);
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

/* The request of the current step. */
FloeEngineVerb
floe_spark_send(FloeThriftRun *m)
{
	FloeEngineRun *run = m->run;
	FloeHttpRequest *request = &run->request;
	bool is_result = m->step == STEP_METADATA || m->step == STEP_FETCH;
	FloeStatus st;

	memset(request, 0, sizeof(*request));
	if (!make_body(m))
	{
		/* nothing was sent: later there may be memory again */
		floe_adapter_no_memory(&st);
		return floe_spark_retry(m, &st);
	}
	request->method = "POST";
	request->url = run->target->url;
	add_header(request, "Content-Type", "application/x-thrift");
	add_header(request, "Authorization", m->authorization);
	/* Hive and Kyuubi with hive.server2.xsrf.filter.enabled refuse a POST without it; any value will do, Spark ignores it */
	add_header(request, "X-XSRF-HEADER", "true");
	if (m->failures > 0)
		add_header(request, "Connection", "close"); /* the retry after this one gets a fresh connection */
	request->total_timeout_ms = run->target->request_timeout_ms;
	request->max_body = is_result ? MAX_RESULT : MAX_ANSWER;
	request->no_redirect = true;
	request->ca_file = run->target->ca_file;
	request->post_is_repeatable =
		m->step == STEP_POLL || m->step == STEP_METADATA || (m->step == STEP_FETCH && m->from_start);
	if (!request->post_is_repeatable)
		request->max_attempts = 1;
	if (m->step == STEP_EXECUTE)
		m->may_run = true;
	m->is_sent = true;
	return FLOE_ENGINE_SEND;
}

/* -------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------- */

static FloeThriftAnswer
classify_http(const FloeHttpResponse *response, FloeStatus *why)
{
	int code = response->http_status;
	FloeThriftAnswer answer = ANSWER_REFUSED;

	if (code == 200)
		return ANSWER_BODY;
	if (code == 401)
		floe_fail(why, FLOE_ERR_AUTH, "the engine refuses user or password (HTTP 401)");
	else if (code == 403)
		floe_fail(why, FLOE_ERR_FORBIDDEN, "the engine forbids the request (HTTP 403)");
	else if (code == 404 || code == 405)
		floe_fail(why, FLOE_ERR_HTTP, "not a HiveServer2 HTTP endpoint (HTTP %d)", code);
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
		floe_fail(why, FLOE_ERR_HTTP, "the engine refuses the request (HTTP %d)", code);
	/* Spark explains a 401 in a line of text; web pages explain nothing */
	if (response->body.len > 0 && response->body.data[0] != '<')
		floe_copy_text(why->detail, sizeof(why->detail), response->body.data, response->body.len);
	return answer;
}

FloeThriftAnswer
floe_spark_classify(FloeThriftRun *m, const FloeHttpResponse *response, FloeStatus *why)
{
	FloeThriftAnswer answer;
	bool is_empty;

	floe_status_ok(why);
	if (response == NULL)
	{
		floe_fail(why, FLOE_ERR_INTERNAL, "a request was given no answer");
		return ANSWER_NONE;
	}
	is_empty = response->status.code == FLOE_OK && response->http_status == 500 && response->body.len == 0;
	m->empty_answers = is_empty ? m->empty_answers + 1 : 0;
	if (response->status.code != FLOE_OK)
	{
		*why = response->status;
		return why->code == FLOE_ERR_CONFIG || why->code == FLOE_ERR_DENIED ? ANSWER_REFUSED : ANSWER_NONE;
	}
	answer = classify_http(response, why);
	why->http_status = answer == ANSWER_BODY ? 0 : response->http_status;
	why->retry_after_ms = answer == ANSWER_BODY ? -1 : response->status.retry_after_ms;
	return answer;
}

/* The same step again, later; the executor decides how long that may go on. */
FloeEngineVerb
floe_spark_retry(FloeThriftRun *m, const FloeStatus *why)
{
	FloeEngineRun *run = m->run;
	uint64_t seed = 0;

	floe_spark_note(m, why);
	m->failures++;
	if (m->empty_answers > 0 && m->empty_answers <= EMPTY_ANSWERS)
	{
		run->unreachable = false;
		run->wait_ms = EMPTY_ANSWER_MS;
		return FLOE_ENGINE_WAIT;
	}
	memcpy(&seed, m->session.guid, sizeof(seed));
	return floe_adapter_retry(run, m->failures, seed, RETRY_CAP_MS, RETRY_AFTER_CAP_MS, why);
}

FloeEngineVerb
floe_spark_wait(FloeThriftRun *m, int ms, FloeThriftStep next)
{
	m->step = next;
	m->run->wait_ms = ms;
	m->run->unreachable = false;
	return FLOE_ENGINE_WAIT;
}
