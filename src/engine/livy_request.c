/*
 * livy_request.c: the requests of the livy adapter, its options, and the durable state of a run.
 *
 * Separate from the state machine because another version of floe must be able
 * to read the saved bytes, and because every name of Livy's interface stands
 * here.
 */
#include "floe.h"

#include "engine/livy.h"

#include "base/cursor.h"
#include "engine/spark_values.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BODY ((size_t) 4 * 1024 * 1024)

/* Longer than the operations of floe's own defaults may take: some servers count it while a statement runs. */
#define DEFAULT_TTL_MS (INT64CONST(6) * 3600 * 1000)

#define MAGIC "FLV"
#define MAGIC_SIZE 3
#define VERSION 1
#define FLAG_SUBMITTING 1
#define FLAG_STATEMENT 2
#define FLAG_FINISHED 4
#define FLAG_PLAIN 8
#define FLAG_POOLED 16

/* -------------------------------------------------------------------------
 * Options
 * ------------------------------------------------------------------------- */

static bool
check_duration(FloeLivyRun *m, const char *name, FloeStatus *st)
{
	const char *text = floe_talk_option(&m->talk, name);
	int64_t ms;

	if (text != NULL && (!floe_spark_parse_duration(text, &ms) || ms < 1000))
		return floe_fail(st, FLOE_ERR_CONFIG,
						 "option \"%s\" must be a duration of at least a second, such as \"2 hours\"", name);
	return true;
}

bool
floe_livy_prepare(FloeLivyRun *m, FloeEngineRun *run, bool is_probe, FloeStatus *st)
{
	char name[128];

	if (!floe_talk_prepare(&m->talk, run, "Livy", "", is_probe, st) || !check_duration(m, "ttl", st) ||
		!check_duration(m, "heartbeat_timeout", st))
		return false;
	m->is_pooled = !is_probe && run->target->session_name != NULL;
	if (is_probe)
		return true;
	/* chosen here, so that a session can be found again whose answer was lost */
	if (m->is_pooled)
		snprintf(name, sizeof(name), "%s", run->target->session_name);
	else
		snprintf(name, sizeof(name), "floe-%s", run->operation_id);
	m->name = floe_arena_text(run->arena, name, strlen(name));
	return m->name != NULL || floe_fail(st, FLOE_ERR_NOMEM, "out of memory for an operation at the engine");
}

/* -------------------------------------------------------------------------
 * Bodies
 * ------------------------------------------------------------------------- */

/* Fields of Livy's own for what are settings of Spark elsewhere. */
static const struct
{
	const char *key;
	const char *field;
	bool is_number;
} fields[] = {
	{"spark.driver.memory", "driverMemory", false},     {"spark.driver.cores", "driverCores", true},
	{"spark.executor.memory", "executorMemory", false}, {"spark.executor.cores", "executorCores", true},
	{"spark.executor.instances", "numExecutors", true},
};

typedef struct ConfWriter
{
	FloeBuf *buf;
	bool in_conf; /* the settings, or else the fields */
	bool is_first;
} ConfWriter;

static int
field_of(const char *key, const char *value)
{
	for (size_t i = 0; i < lengthof(fields); i++)
	{
		if (strcmp(fields[i].key, key) == 0 && (!fields[i].is_number || (value[0] != '\0' && strlen(value) < 10 &&
																		 strspn(value, "0123456789") == strlen(value))))
			return (int) i;
	}
	return -1;
}

static bool
write_setting(void *arg, const char *key, const char *value)
{
	ConfWriter *w = arg;
	int field = field_of(key, value);

	if (w->in_conf != (field < 0))
		return true;
	if (!w->in_conf)
	{
		floe_buf_printf(w->buf, ",\"%s\":", fields[field].field);
		if (fields[field].is_number)
			return floe_buf_printf(w->buf, "%ld", strtol(value, NULL, 10));
		return floe_json_quote(w->buf, value, strlen(value));
	}
	if (!w->is_first)
		floe_buf_char(w->buf, ',');
	w->is_first = false;
	floe_json_quote(w->buf, key, strlen(key));
	floe_buf_char(w->buf, ':');
	return floe_json_quote(w->buf, value, strlen(value));
}

static void
write_text(FloeBuf *buf, const char *field, const char *value)
{
	if (value == NULL)
		return;
	floe_buf_printf(buf, ",\"%s\":", field);
	floe_json_quote(buf, value, strlen(value));
}

static int64_t
seconds_of(FloeLivyRun *m, const char *option, int64_t absent_ms)
{
	const char *text = floe_talk_option(&m->talk, option);
	int64_t ms = absent_ms;

	if (text != NULL && !floe_spark_parse_duration(text, &ms))
		ms = absent_ms;
	return ms / 1000;
}

static bool
write_session(FloeLivyRun *m, FloeBuf *buf)
{
	ConfWriter conf = {buf, false, true};
	int64_t heartbeat = seconds_of(m, "heartbeat_timeout", 0);

	floe_buf_text(buf, "{\"kind\":\"sql\"");
	write_text(buf, "name", m->name);
	write_text(buf, "queue", floe_talk_option(&m->talk, "queue"));
	write_text(buf, "proxyUser", floe_talk_option(&m->talk, "proxy_user"));
	if (!m->is_plain)
		floe_buf_printf(buf, ",\"ttl\":\"%llds\"", (long long) seconds_of(m, "ttl", DEFAULT_TTL_MS));
	if (heartbeat > 0)
		floe_buf_printf(buf, ",\"heartbeatTimeoutInSecond\":%lld", (long long) heartbeat);
	if (!floe_talk_settings(&m->talk, write_setting, &conf))
		return false;
	floe_buf_text(buf, ",\"conf\":{");
	conf.in_conf = true;
	return floe_talk_settings(&m->talk, write_setting, &conf) && floe_buf_text(buf, "}}");
}

static FloeEngineVerb
send_body(FloeLivyRun *m, const char *path)
{
	FloeEngineVerb verb;
	FloeBuf body;

	floe_buf_init(&body, MAX_BODY);
	if (m->step == LIVY_CREATE)
	{
		/* what could not be written is not sent */
		if (!write_session(m, &body))
			body.failed = true;
	}
	else if (m->step == LIVY_CANCEL)
		floe_buf_text(&body, "{}");
	else
	{
		floe_buf_text(&body, "{\"kind\":\"sql\",\"code\":");
		floe_json_quote(&body, m->talk.statement, strlen(m->talk.statement));
		floe_buf_char(&body, '}');
	}
	verb = floe_talk_send(&m->talk, "POST", path, &body);
	floe_buf_free(&body);
	return verb;
}

/* The request of the current step. */
FloeEngineVerb
floe_livy_send(FloeLivyRun *m)
{
	FloeTalk *t = &m->talk;
	FloeEngineVerb verb;
	char session[64];
	char path[160];

	snprintf(session, sizeof(session), "/sessions/%lld", (long long) m->session);
	switch (m->step)
	{
		case LIVY_CREATE:
			return send_body(m, "/sessions");
		case LIVY_FIND:
			snprintf(path, sizeof(path), "/sessions?from=%d&size=%d", m->from, FLOE_LIVY_PAGE);
			return floe_talk_send(t, "GET", path, NULL);
		case LIVY_LOG:
			snprintf(path, sizeof(path), "%s/log?size=100", session);
			return floe_talk_send(t, "GET", path, NULL);
		case LIVY_SUBMIT:
			snprintf(path, sizeof(path), "%s/statements", session);
			verb = send_body(m, path);
			t->may_run = t->may_run || verb == FLOE_ENGINE_SEND;
			return verb;
		case LIVY_LOOK:
			snprintf(path, sizeof(path), "%s/statements?from=%d&size=%d", session, m->from, FLOE_LIVY_PAGE);
			return floe_talk_send(t, "GET", path, NULL);
		case LIVY_POLL:
			snprintf(path, sizeof(path), "%s/statements/%lld", session, (long long) m->statement);
			return floe_talk_send(t, "GET", path, NULL);
		case LIVY_CANCEL:
			snprintf(path, sizeof(path), "%s/statements/%lld/cancel", session, (long long) m->statement);
			return send_body(m, path);
		case LIVY_REPLACE:
		case LIVY_DELETE:
		case LIVY_PROVE:
			return floe_talk_send(t, "DELETE", session, NULL);
		case LIVY_PROBE_SESSIONS:
			return floe_talk_send(t, "GET", "/sessions?from=0&size=1", NULL);
		case LIVY_PROBE_VERSION:
			return floe_talk_send(t, "GET", "/version", NULL);
		default: /* IDLE, CHECK */
			return floe_talk_send(t, "GET", session, NULL);
	}
}

/* -------------------------------------------------------------------------
 * Saved state: "FLV", version 1, flags, session and statement (big-endian)
 * ------------------------------------------------------------------------- */

static size_t
put_number(char *to, size_t at, int64_t number)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		to[at++] = (char) ((uint64_t) number >> shift);
	return at;
}

void
floe_livy_save(FloeLivyRun *m)
{
	FloeEngineRun *run = m->talk.run;
	size_t at = MAGIC_SIZE;

	memcpy(run->saved, MAGIC, MAGIC_SIZE);
	run->saved[at++] = VERSION;
	run->saved[at++] = (char) ((m->is_submitting ? FLAG_SUBMITTING : 0) | (m->has_statement ? FLAG_STATEMENT : 0) |
							   (m->is_finished ? FLAG_FINISHED : 0) | (m->is_plain ? FLAG_PLAIN : 0) |
							   (m->is_pooled ? FLAG_POOLED : 0));
	at = put_number(run->saved, at, m->session);
	at = put_number(run->saved, at, m->statement);
	run->saved_len = at;
	/* as in the URLs of its pages */
	if (m->has_statement)
		snprintf(run->external_id, sizeof(run->external_id), "session %lld statement %lld", (long long) m->session,
				 (long long) m->statement);
	else
		snprintf(run->external_id, sizeof(run->external_id), "session %lld", (long long) m->session);
}

static int64_t
take_number(FloeCursor *c)
{
	uint64_t high = floe_cursor_be32(c);

	return (int64_t) (high << 32 | floe_cursor_be32(c));
}

bool
floe_livy_restore(FloeLivyRun *m, const char *saved, size_t len, FloeStatus *st)
{
	const uint8_t *magic;
	uint8_t flags;
	FloeCursor c;

	floe_cursor_init(&c, saved, len);
	magic = floe_cursor_take(&c, MAGIC_SIZE);
	if (magic == NULL || memcmp(magic, MAGIC, MAGIC_SIZE) != 0 || floe_cursor_u8(&c) != VERSION)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the saved state of the operation is not one of livy");
	flags = floe_cursor_u8(&c);
	m->session = take_number(&c);
	m->statement = take_number(&c);
	if (c.bad || floe_cursor_left(&c) > 0 || flags >= 2 * FLAG_POOLED || m->session < 0 || m->statement < 0)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the saved state of the operation is damaged");
	m->has_session = true;
	m->is_submitting = (flags & FLAG_SUBMITTING) != 0;
	m->has_statement = (flags & FLAG_STATEMENT) != 0;
	m->is_finished = (flags & FLAG_FINISHED) != 0;
	m->is_plain = (flags & FLAG_PLAIN) != 0;
	m->is_pooled = (flags & FLAG_POOLED) != 0;
	m->talk.may_run = (m->is_submitting || m->has_statement) && !m->is_finished;
	floe_livy_save(m);
	return true;
}
