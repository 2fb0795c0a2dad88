/*
 * livy_statement.c: the livy adapter's statement: sent, found again by its marker, polled, and its output read.
 *
 * Separate from the state machine for its size.
 */
#include "floe.h"

#include "engine/livy.h"

#include <string.h>

/* After the cancel was sent: so often, before the session is deleted under a statement that does not end. */
#define CANCEL_POLL_MS 500
#define CANCEL_POLLS 20
#define LOOKS 3

/* So many polls, then the session is looked at: a driver that died answers for none of its statements. */
#define POLLS_TO_CHECK 10

static const char *const dead_states[] = {"dead", "killed", "error", "success", NULL};

FloeEngineVerb
floe_livy_submit_answered(FloeLivyRun *m)
{
	FloeStatus why;

	if (!floe_livy_take_id(floe_talk_root(&m->talk), &m->statement))
	{
		floe_fail(&why, FLOE_ERR_PROTOCOL, "the answer to POST statements is not one of Livy");
		return floe_livy_unanswered(m, &why);
	}
	m->has_statement = true;
	return floe_livy_save_and(m, LIVY_POLL);
}

FloeEngineVerb
floe_livy_submit_declined(FloeLivyRun *m, const FloeStatus *why)
{
	FloeTalk *t = &m->talk;

	if (t->http_code == 404)
	{
		t->may_run = false;
		return floe_livy_session_lost(m);
	}
	if (t->http_code < 500)
	{
		t->may_run = false;
		return floe_livy_fail_text(m, t->text, "the engine refused the statement", FLOE_CLASS_CONFIG);
	}
	/* of a 500 it is not known whether the statement was received */
	m->declined = floe_arena_text(t->run->arena, t->text, strnlen(t->text, 4096));
	return floe_livy_unanswered(m, why);
}

static FloeEngineVerb
not_listed(FloeLivyRun *m)
{
	if (m->was_found && !m->is_submitting)
		return floe_livy_save_and(m, LIVY_IDLE); /* as new */
	m->from = m->pages = 0;
	if (++m->looks < LOOKS)
		return floe_livy_wait_and(m, LIVY_LOOK, FLOE_LIVY_LOOK_MS);
	if (m->declined != NULL)
		return floe_livy_fail_text(m, m->declined, "the engine refused the statement", FLOE_CLASS_TRANSIENT);
	return floe_livy_lost(m, "no answer to the statement, and the engine does not list it", NULL);
}

FloeEngineVerb
floe_livy_look_answered(FloeLivyRun *m)
{
	FloeJson statements = floe_json_field(floe_talk_root(&m->talk), "statements");
	size_t n = floe_json_length(statements);

	m->talk.failures = 0;
	/* of an earlier attempt, whose end nobody knows */
	if (n > 0 && m->was_found && !m->is_submitting)
		return floe_livy_enter(m, LIVY_REPLACE);
	for (size_t i = 0; i < n; i++)
	{
		FloeJson one = floe_json_at(statements, i);
		const char *code = floe_json_string(floe_json_field(one, "code"));

		if (code != NULL && strstr(code, m->talk.marker) != NULL && floe_livy_take_id(one, &m->statement))
		{
			m->has_statement = true;
			return floe_livy_save_and(m, LIVY_POLL);
		}
	}
	m->from += (int) n;
	if (n > 0 && ++m->pages < FLOE_LIVY_PAGES)
		return floe_livy_enter(m, LIVY_LOOK);
	return not_listed(m);
}

/* Rows of the kind "sql": a schema, and an array for each row. */
static void
read_rows(FloeLivyRun *m, FloeJson output)
{
	FloeJson table = floe_json_field(floe_json_field(output, "data"), "application/json");
	FloeJson columns = floe_json_field(floe_json_field(table, "schema"), "fields");
	FloeJson rows = floe_json_field(table, "data");
	const char *names[FLOE_TALK_COLUMNS];
	int n = (int) floe_json_length(columns);

	floe_talk_reset_rows(&m->talk);
	if (floe_json_kind(rows) != FLOE_JSON_ARRAY || floe_json_length(columns) > FLOE_TALK_COLUMNS)
		return;
	for (int i = 0; i < n; i++)
	{
		names[i] = floe_json_string(floe_json_field(floe_json_at(columns, (size_t) i), "name"));
		if (names[i] == NULL)
			return;
	}
	for (size_t row = 0; row < floe_json_length(rows); row++)
	{
		FloeJson values[FLOE_TALK_COLUMNS];

		for (int i = 0; i < n; i++)
			values[i] = floe_json_at(floe_json_at(rows, row), (size_t) i);
		floe_talk_add_row(&m->talk, names, values, n);
	}
	floe_talk_end_rows(&m->talk);
}

/* "available": there is an output, and it says how the statement ended. */
static FloeEngineVerb
available(FloeLivyRun *m)
{
	FloeJson output = floe_json_field(floe_talk_root(&m->talk), "output");
	const char *status = floe_json_string(floe_json_field(output, "status"));

	m->talk.may_run = false;
	if (status != NULL && strcmp(status, "ok") == 0)
	{
		read_rows(m, output);
		m->is_finished = true;
		m->talk.outcome = FLOE_OUTCOME_SUCCEEDED;
		return floe_livy_save_and(m, LIVY_DELETE);
	}
	return floe_livy_fail_text(m, floe_json_string(floe_json_field(output, "evalue")),
							   "the engine reports an error without a message", FLOE_CLASS_TRANSIENT);
}

FloeEngineVerb
floe_livy_poll_answered(FloeLivyRun *m)
{
	const char *state = floe_livy_state_of(m);

	m->talk.failures = 0;
	if (strcmp(state, "available") == 0)
		return available(m);
	if (strcmp(state, "cancelled") == 0)
	{
		m->talk.may_run = false;
		m->talk.must_settle = true; /* an interrupted thread may have been in the middle of a commit */
		if (m->cancel_sent)
			return floe_livy_finish(m, FLOE_OUTCOME_CANCELLED);
		return floe_livy_fail_text(m, NULL, "the statement was ended at the engine", FLOE_CLASS_TRANSIENT);
	}
	if (strcmp(state, "error") == 0)
		return available(m);
	m->polls++;
	if (m->cancel_sent)
	{
		if (m->polls > CANCEL_POLLS)
			return floe_livy_finish(m, FLOE_OUTCOME_CANCELLED);
		return floe_livy_wait_and(m, LIVY_POLL, CANCEL_POLL_MS);
	}
	m->poll_ms = floe_adapter_poll_ms(m->poll_ms);
	if (m->polls < POLLS_TO_CHECK)
		return floe_livy_wait_and(m, LIVY_POLL, m->poll_ms);
	m->polls = 0;
	return floe_livy_wait_and(m, LIVY_CHECK, m->poll_ms);
}

FloeEngineVerb
floe_livy_check_answered(FloeLivyRun *m)
{
	const char *state = floe_livy_state_of(m);
	char why[128];

	if (floe_livy_is_one_of(state, dead_states))
	{
		m->talk.may_run = false;
		snprintf(why, sizeof(why), "the session ended (%s) with the statement in it", state);
		return floe_livy_lost(m, why, NULL);
	}
	if (m->not_there && strcmp(state, "idle") == 0)
		return floe_livy_lost(m, "the engine no longer knows the statement", NULL);
	m->not_there = false;
	m->poll_ms = floe_adapter_poll_ms(m->poll_ms);
	return floe_livy_wait_and(m, LIVY_POLL, m->cancel_sent ? CANCEL_POLL_MS : m->poll_ms);
}

FloeEngineVerb
floe_livy_probe_answered(FloeLivyRun *m)
{
	FloeTalk *t = &m->talk;
	FloeBuf *result = &t->run->result;
	FloeJson root = floe_talk_root(t);
	const char *given = floe_json_string(floe_json_field(root, "version"));
	char version[64];
	FloeStatus why;

	if (m->step == LIVY_PROBE_SESSIONS)
	{
		if (floe_json_kind(floe_json_field(root, "sessions")) == FLOE_JSON_ARRAY)
			return floe_livy_enter(m, LIVY_PROBE_VERSION);
		floe_fail(&why, FLOE_ERR_PROTOCOL, "the answer to GET /sessions is not one of Livy");
		return floe_livy_fail(m, &why);
	}
	given = given != NULL && strlen(given) < sizeof(version) ? given : "";
	floe_copy_text(version, sizeof(version), given, strlen(given));
	floe_secrets_mask(&t->secrets, version, sizeof(version));
	floe_buf_text(result, "[{\"product\":\"Livy\",\"version\":");
	floe_json_quote(result, version, strlen(version));
	floe_buf_text(result, "}]");
	t->run->result_rows = 1;
	return floe_livy_finish(m, FLOE_OUTCOME_SUCCEEDED);
}
