/*
 * kyuubi_request.c: the requests of the kyuubi adapter, and the durable state of a run.
 *
 * Separate from the state machine because another version of floe must be able
 * to read the saved bytes, and because every name of Kyuubi's interface stands
 * here.
 */
#include "floe.h"

#include "engine/kyuubi.h"

#include "base/cursor.h"
#include "engine/spark_values.h"

#include <string.h>

#define MAX_BODY ((size_t) 4 * 1024 * 1024)

#define SESSION_NAME "kyuubi.session.name"
#define THRIFT_POOL "spark.sql.thriftserver.scheduler.pool"
#define KYUUBI_POOL "kyuubi.operation.scheduler.pool"

#define MAGIC "FKY"
#define MAGIC_SIZE 3
#define VERSION 1
#define FLAG_SUBMITTING 1
#define FLAG_OPERATION 2
#define FLAG_FINISHED 4

bool
floe_kyuubi_is_id(const char *text)
{
	return text != NULL && text[0] != '\0' && strlen(text) < FLOE_KYUUBI_ID &&
		   strspn(text, "0123456789abcdefABCDEF-") == strlen(text);
}

bool
floe_kyuubi_prepare(FloeKyuubiRun *m, FloeEngineRun *run, bool is_probe, FloeStatus *st)
{
	const char *ttl;
	int64_t ms;

	if (!floe_talk_prepare(&m->talk, run, "Kyuubi", "/api/v1", is_probe, st))
		return false;
	ttl = floe_talk_option(&m->talk, "ttl");
	if (ttl != NULL && (!floe_spark_parse_duration(ttl, &ms) || ms < 1000))
		return floe_fail(st, FLOE_ERR_CONFIG,
						 "option \"ttl\" must be a duration of at least a second, such as \"2 hours\"");
	return true;
}

static void
session_name(const FloeKyuubiRun *m, char *name, size_t size)
{
	snprintf(name, size, "floe-%s", m->talk.run->operation_id);
}

bool
floe_kyuubi_is_ours(const FloeKyuubiRun *m, FloeJson conf)
{
	const char *name = floe_json_string(floe_json_field(conf, SESSION_NAME));
	char ours[128];

	session_name(m, ours, sizeof(ours));
	return name != NULL && strcmp(name, ours) == 0;
}

/* -------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------- */

static bool
write_setting(void *arg, const char *key, const char *value)
{
	FloeBuf *buf = arg;

	if (strcmp(key, SESSION_NAME) == 0)
		return true;
	/* Kyuubi has a name of its own for the pool of the fair scheduler */
	if (strcmp(key, THRIFT_POOL) == 0)
		key = KYUUBI_POOL;
	floe_buf_char(buf, ',');
	floe_json_quote(buf, key, strlen(key));
	floe_buf_char(buf, ':');
	return floe_json_quote(buf, value, strlen(value));
}

static bool
write_session(FloeKyuubiRun *m, FloeBuf *buf)
{
	const char *ttl = floe_talk_option(&m->talk, "ttl");
	char name[128];
	int64_t ms;

	session_name(m, name, sizeof(name));
	floe_buf_printf(buf, "{\"configs\":{\"%s\":\"%s\"", SESSION_NAME, name);
	if (ttl != NULL && floe_spark_parse_duration(ttl, &ms))
		floe_buf_printf(buf, ",\"kyuubi.session.idle.timeout\":\"PT%lldS\"", (long long) (ms / 1000));
	return floe_talk_settings(&m->talk, write_setting, buf) && floe_buf_text(buf, "}}");
}

static FloeEngineVerb
send_body(FloeKyuubiRun *m, const char *method, const char *path)
{
	FloeEngineVerb verb;
	FloeBuf body;

	floe_buf_init(&body, MAX_BODY);
	switch (m->step)
	{
		case KYUUBI_OPEN:
			/* what could not be written is not sent */
			if (!write_session(m, &body))
				body.failed = true;
			break;
		case KYUUBI_EXECUTE:
			floe_buf_text(&body, "{\"runAsync\":true,\"statement\":");
			floe_json_quote(&body, m->talk.statement, strlen(m->talk.statement));
			floe_buf_char(&body, '}');
			break;
		case KYUUBI_CANCEL:
			floe_buf_text(&body, "{\"action\":\"cancel\"}");
			break;
		default:
			floe_buf_text(&body, "{\"action\":\"close\"}");
			break;
	}
	verb = floe_talk_send(&m->talk, method, path, &body);
	floe_buf_free(&body);
	return verb;
}

/* The request of the current step. */
FloeEngineVerb
floe_kyuubi_send(FloeKyuubiRun *m)
{
	FloeTalk *t = &m->talk;
	FloeEngineVerb verb;
	char session[128];
	char operation[128];
	char path[192];

	snprintf(session, sizeof(session), "/sessions/%s", m->session);
	snprintf(operation, sizeof(operation), "/operations/%s", m->operation);
	switch (m->step)
	{
		case KYUUBI_FIND:
		case KYUUBI_PROBE_SESSIONS:
			return floe_talk_send(t, "GET", "/sessions", NULL);
		case KYUUBI_OPEN:
			return send_body(m, "POST", "/sessions");
		case KYUUBI_OPENING:
			return floe_talk_send(t, "GET", session, NULL);
		case KYUUBI_EXECUTE:
			snprintf(path, sizeof(path), "%s/operations/statement", session);
			verb = send_body(m, "POST", path);
			t->may_run = t->may_run || verb == FLOE_ENGINE_SEND;
			return verb;
		case KYUUBI_POLL:
			snprintf(path, sizeof(path), "%s/event", operation);
			return floe_talk_send(t, "GET", path, NULL);
		case KYUUBI_LOG:
			snprintf(path, sizeof(path), "%s/log?maxrows=1000", operation);
			return floe_talk_send(t, "GET", path, NULL);
		case KYUUBI_METADATA:
			snprintf(path, sizeof(path), "%s/resultsetmetadata", operation);
			return floe_talk_send(t, "GET", path, NULL);
		case KYUUBI_FETCH:
			/* it moves on with every request */
			t->is_once = true;
			snprintf(path, sizeof(path), "%s/rowset?maxrows=1000&fetchorientation=FETCH_NEXT", operation);
			return floe_talk_send(t, "GET", path, NULL);
		case KYUUBI_CANCEL:
		case KYUUBI_CLOSE_OPERATION:
			return send_body(m, "PUT", operation);
		case KYUUBI_PROBE_VERSION:
			return floe_talk_send(t, "GET", "/version", NULL);
		default: /* the three ways of closing a session */
			return floe_talk_send(t, "DELETE", session, NULL);
	}
}

/* -------------------------------------------------------------------------
 * Saved state: "FKY", version 1, flags, and the two ids with their lengths
 * ------------------------------------------------------------------------- */

static size_t
put_id(char *to, size_t at, const char *id)
{
	size_t len = strlen(id);

	to[at++] = (char) len;
	memcpy(to + at, id, len);
	return at + len;
}

void
floe_kyuubi_save(FloeKyuubiRun *m)
{
	FloeEngineRun *run = m->talk.run;
	size_t at = MAGIC_SIZE;

	memcpy(run->saved, MAGIC, MAGIC_SIZE);
	run->saved[at++] = VERSION;
	run->saved[at++] = (char) ((m->is_submitting ? FLAG_SUBMITTING : 0) | (m->has_operation ? FLAG_OPERATION : 0) |
							   (m->is_finished ? FLAG_FINISHED : 0));
	at = put_id(run->saved, at, m->session);
	at = put_id(run->saved, at, m->operation);
	run->saved_len = at;
	snprintf(run->external_id, sizeof(run->external_id), "%s", m->has_operation ? m->operation : m->session);
}

static void
take_id(FloeCursor *c, char *id)
{
	uint8_t len = floe_cursor_u8(c);
	const uint8_t *text = floe_cursor_take(c, len);

	if (c->bad || len >= FLOE_KYUUBI_ID)
	{
		c->bad = true;
		return;
	}
	memcpy(id, text, len);
	id[len] = '\0';
}

bool
floe_kyuubi_restore(FloeKyuubiRun *m, const char *saved, size_t len, FloeStatus *st)
{
	const uint8_t *magic;
	uint8_t flags;
	FloeCursor c;

	floe_cursor_init(&c, saved, len);
	magic = floe_cursor_take(&c, MAGIC_SIZE);
	if (magic == NULL || memcmp(magic, MAGIC, MAGIC_SIZE) != 0 || floe_cursor_u8(&c) != VERSION)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the saved state of the operation is not one of kyuubi");
	flags = floe_cursor_u8(&c);
	take_id(&c, m->session);
	take_id(&c, m->operation);
	if (c.bad || floe_cursor_left(&c) > 0 || flags >= 2 * FLAG_FINISHED || !floe_kyuubi_is_id(m->session) ||
		((flags & FLAG_OPERATION) != 0) != floe_kyuubi_is_id(m->operation))
		return floe_fail(st, FLOE_ERR_CORRUPT, "the saved state of the operation is damaged");
	m->has_session = true;
	m->is_submitting = (flags & FLAG_SUBMITTING) != 0;
	m->has_operation = (flags & FLAG_OPERATION) != 0;
	m->is_finished = (flags & FLAG_FINISHED) != 0;
	m->talk.may_run = m->is_submitting && !m->is_finished;
	floe_kyuubi_save(m);
	return true;
}
