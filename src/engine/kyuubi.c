/*
 * kyuubi.c: Kyuubi's REST interface, as an engine of floe.
 *
 * The state machine alone: which request follows which answer.  One session
 * per operation, under a name of floe's, so that one whose answer was lost is
 * found again.  The statement waits until the engine behind the session is up,
 * because its POST would wait for that as well.  It is sent once in a session:
 * as soon as it is in doubt whether it arrived, the session is closed and the
 * run is LOST.
 *
 *     FIND  OPEN  save  OPENING…  save  EXECUTE  save  POLL…  METADATA  FETCH…  save  CLOSE_OPERATION  CLOSE_SESSION
 *
 * Nearly every failure of the server is a 404: its words tell whether a handle
 * is lost.  While the statement may run, a server that cannot be reached,
 * refuses the credentials or answers nonsense is waited for.
 */
#include "floe.h"

#include "engine/kyuubi.h"

#include <string.h>

#define CANCEL_POLL_MS 500
#define CANCEL_POLLS 20
#define CLOSE_TRIES 3
#define MAX_FETCHES 1000

/* -------------------------------------------------------------------------
 * Ends
 * ------------------------------------------------------------------------- */

/* Nothing is held any more, as far as that could be reached. */
static FloeEngineVerb
closed(FloeKyuubiRun *m)
{
	m->has_session = false;
	if (m->talk.must_settle)
	{
		m->talk.must_settle = false;
		m->talk.run->outcome = m->talk.outcome;
		m->step = KYUUBI_DONE;
		return floe_talk_wait(&m->talk, FLOE_TALK_SETTLE_MS);
	}
	return floe_kyuubi_enter(m, KYUUBI_DONE);
}

FloeEngineVerb
floe_kyuubi_finish(FloeKyuubiRun *m, FloeOutcome outcome)
{
	m->talk.outcome = outcome;
	m->talk.failures = 0;
	if (!m->has_session)
		return closed(m);
	return floe_kyuubi_enter(m, m->talk.may_run ? KYUUBI_PROVE : KYUUBI_CLOSE_SESSION);
}

FloeEngineVerb
floe_kyuubi_fail(FloeKyuubiRun *m, const FloeStatus *why)
{
	floe_talk_error(&m->talk, why);
	return floe_kyuubi_finish(m, FLOE_OUTCOME_FAILED);
}

FloeEngineVerb
floe_kyuubi_fail_text(FloeKyuubiRun *m, const char *text, const char *otherwise, FloeErrorClass otherwise_class)
{
	floe_talk_error_text(&m->talk, text, otherwise, otherwise_class);
	return floe_kyuubi_finish(m, FLOE_OUTCOME_FAILED);
}

static FloeEngineVerb
lost(FloeKyuubiRun *m, const char *why, const char *text)
{
	floe_talk_lost(&m->talk, why, text);
	return floe_kyuubi_finish(m, FLOE_OUTCOME_LOST);
}

FloeEngineVerb
floe_kyuubi_save_and(FloeKyuubiRun *m, FloeKyuubiStep step)
{
	floe_kyuubi_save(m);
	m->talk.failures = 0;
	m->step = step;
	return FLOE_ENGINE_SAVE;
}

FloeEngineVerb
floe_kyuubi_wait_and(FloeKyuubiRun *m, FloeKyuubiStep step, int ms)
{
	m->step = step;
	return floe_talk_wait(&m->talk, ms);
}

/* -------------------------------------------------------------------------
 * Steps
 * ------------------------------------------------------------------------- */

FloeEngineVerb
floe_kyuubi_enter(FloeKyuubiRun *m, FloeKyuubiStep step)
{
	FloeEngineRun *run = m->talk.run;

	if (run->cancel_requested && !m->talk.is_probe)
	{
		/* nothing was sent that would have to be stopped */
		if (step == KYUUBI_OPEN || step == KYUUBI_OPENING || step == KYUUBI_EXECUTE || step == KYUUBI_REPLACE)
			return floe_kyuubi_finish(m, FLOE_OUTCOME_CANCELLED);
		if (step == KYUUBI_POLL && !m->cancel_sent && !m->is_finished)
			step = KYUUBI_CANCEL;
	}
	m->step = step;
	if (step == KYUUBI_DONE)
		return floe_talk_done(&m->talk);
	return floe_kyuubi_send(m);
}

/*
 * That the statement finished is made durable before the operation is closed:
 * afterwards the server does not know it any more.
 */
static FloeEngineVerb
close_finished(FloeKyuubiRun *m)
{
	m->is_finished = true;
	return floe_kyuubi_save_and(m, KYUUBI_CLOSE_OPERATION);
}

/* The rows could not be read; what the engine did is not in question. */
static FloeEngineVerb
give_up_result(FloeKyuubiRun *m, const FloeStatus *why)
{
	floe_talk_note(&m->talk, why);
	floe_talk_reset_rows(&m->talk);
	return close_finished(m);
}

/* No answer, or one that says nothing: what that means for the step. */
static FloeEngineVerb
unanswered(FloeKyuubiRun *m, const FloeStatus *why)
{
	FloeTalk *t = &m->talk;

	switch (m->step)
	{
		case KYUUBI_OPEN:
			/* it may have been made all the same */
			m->step = KYUUBI_FIND;
			break;
		case KYUUBI_EXECUTE:
			return lost(m, "no answer to the statement, so whether it was received is unknown", why->message);
		case KYUUBI_LOG:
			return floe_kyuubi_fail_text(m, NULL, "the engine reports an error without a message",
										 FLOE_CLASS_TRANSIENT);
		case KYUUBI_METADATA:
		case KYUUBI_FETCH:
			return give_up_result(m, why);
		case KYUUBI_CLOSE_OPERATION:
			return floe_kyuubi_enter(m, KYUUBI_CLOSE_SESSION);
		case KYUUBI_CLOSE_SESSION:
			if (t->is_probe || t->failures + 1 >= CLOSE_TRIES)
				return closed(m);
			t->run->outcome = t->outcome;
			break;
		default:
			break;
	}
	return floe_talk_retry(t, why);
}

/* The request is not served as things are.  Before anything may run, that is the end. */
static FloeEngineVerb
refused(FloeKyuubiRun *m, const FloeStatus *why)
{
	if (m->step == KYUUBI_EXECUTE)
		m->talk.may_run = false; /* HTTP itself turned the statement away */
	if (m->step == KYUUBI_FIND || m->step == KYUUBI_OPEN || m->step == KYUUBI_EXECUTE)
		return floe_kyuubi_fail(m, why);
	return unanswered(m, why);
}

/* -------------------------------------------------------------------------
 * The statement
 * ------------------------------------------------------------------------- */

static FloeEngineVerb
execute_answered(FloeKyuubiRun *m)
{
	FloeStatus why;

	if (!floe_kyuubi_take_identifier(floe_talk_root(&m->talk), m->operation))
	{
		floe_fail(&why, FLOE_ERR_PROTOCOL, "the answer to the statement is not one of Kyuubi");
		return unanswered(m, &why);
	}
	m->has_operation = true;
	return floe_kyuubi_save_and(m, KYUUBI_POLL);
}

/* The server was restarted, or the operation was closed or expired. */
static FloeEngineVerb
forgotten(FloeKyuubiRun *m, const char *what)
{
	char why[96];

	m->talk.may_run = false;
	if (m->is_finished)
		return floe_kyuubi_finish(m, FLOE_OUTCOME_SUCCEEDED);
	snprintf(why, sizeof(why), "the engine no longer knows the %s", what);
	floe_talk_lost(&m->talk, why, m->talk.text);
	return floe_kyuubi_finish(m, m->talk.run->cancel_requested ? FLOE_OUTCOME_CANCELLED : FLOE_OUTCOME_LOST);
}

/* The state with or without the suffix that it has. */
static bool
is_state(const char *state, const char *name)
{
	size_t len = strlen(name);

	return strncmp(state, name, len) == 0 && (state[len] == '\0' || strcmp(state + len, "_STATE") == 0);
}

static FloeEngineVerb
poll_answered(FloeKyuubiRun *m)
{
	FloeJson event = floe_talk_root(&m->talk);
	const char *state = floe_json_string(floe_json_field(event, "state"));
	const char *message = floe_json_string(floe_json_field(floe_json_field(event, "exception"), "message"));
	FloeStatus why;

	if (state == NULL)
	{
		floe_fail(&why, FLOE_ERR_PROTOCOL, "the answer about the operation is not one of Kyuubi");
		return floe_talk_retry(&m->talk, &why);
	}
	m->talk.failures = 0;
	if (is_state(state, "FINISHED"))
	{
		m->talk.may_run = false;
		m->talk.outcome = FLOE_OUTCOME_SUCCEEDED;
		return floe_kyuubi_enter(m, KYUUBI_METADATA);
	}
	if (is_state(state, "ERROR"))
	{
		m->talk.may_run = false;
		if (message == NULL)
			return floe_kyuubi_enter(m, KYUUBI_LOG);
		return floe_kyuubi_fail_text(m, message, "the engine reports an error without a message", FLOE_CLASS_TRANSIENT);
	}
	if (is_state(state, "CANCELED") || is_state(state, "CLOSED") || is_state(state, "TIMEOUT"))
	{
		m->talk.may_run = false;
		m->talk.must_settle = true; /* an interrupted thread may have been in the middle of a commit */
		if (m->cancel_sent)
			return floe_kyuubi_finish(m, FLOE_OUTCOME_CANCELLED);
		if (is_state(state, "TIMEOUT"))
			return floe_kyuubi_fail_text(m, message, "the engine ended the statement at its own time limit",
										 FLOE_CLASS_RESOURCE);
		/* its own time limit looks the same */
		return floe_kyuubi_fail_text(m, message, "the statement was ended at the engine", FLOE_CLASS_TRANSIENT);
	}
	if (m->cancel_sent)
	{
		if (++m->polls > CANCEL_POLLS)
			return floe_kyuubi_finish(m, FLOE_OUTCOME_CANCELLED);
		return floe_kyuubi_wait_and(m, KYUUBI_POLL, CANCEL_POLL_MS);
	}
	m->poll_ms = floe_adapter_poll_ms(m->poll_ms);
	return floe_kyuubi_wait_and(m, KYUUBI_POLL, m->poll_ms);
}

/* The line that says why it failed: the last with an exception, else the last. */
static FloeEngineVerb
log_answered(FloeKyuubiRun *m)
{
	FloeJson lines = floe_json_field(floe_talk_root(&m->talk), "logRowSet");
	const char *reason = NULL;

	for (size_t i = 0; i < floe_json_length(lines); i++)
	{
		const char *line = floe_json_string(floe_json_at(lines, i));

		if (line != NULL && (strstr(line, "Exception") != NULL || strstr(line, "Error") != NULL))
			reason = line;
	}
	return floe_kyuubi_fail_text(m, reason, "the engine reports an error without a message", FLOE_CLASS_TRANSIENT);
}

static FloeEngineVerb
metadata_answered(FloeKyuubiRun *m)
{
	FloeJson columns = floe_json_field(floe_talk_root(&m->talk), "columns");
	FloeStatus why;

	floe_talk_reset_rows(&m->talk);
	m->fetches = 0;
	m->ncolumns = (int) Min(floe_json_length(columns), (size_t) FLOE_TALK_COLUMNS);
	for (int i = 0; i < m->ncolumns; i++)
	{
		const char *name = floe_json_string(floe_json_field(floe_json_at(columns, (size_t) i), "columnName"));

		m->names[i] = name != NULL ? floe_arena_text(m->talk.run->arena, name, strnlen(name, 256)) : NULL;
		if (m->names[i] == NULL)
		{
			floe_fail(&why, FLOE_ERR_PROTOCOL, "the engine does not describe the result");
			return give_up_result(m, &why);
		}
	}
	if (m->ncolumns > 0)
		return floe_kyuubi_enter(m, KYUUBI_FETCH);
	floe_talk_end_rows(&m->talk);
	return close_finished(m);
}

/* Until a fetch is empty. */
static FloeEngineVerb
fetch_answered(FloeKyuubiRun *m)
{
	FloeJson rows = floe_json_field(floe_talk_root(&m->talk), "rows");
	size_t n = floe_json_length(rows);

	for (size_t i = 0; i < n; i++)
	{
		FloeJson fields = floe_json_field(floe_json_at(rows, i), "fields");
		FloeJson values[FLOE_TALK_COLUMNS];

		for (int column = 0; column < m->ncolumns; column++)
			values[column] = floe_json_field(floe_json_at(fields, (size_t) column), "value");
		floe_talk_add_row(&m->talk, m->names, values, m->ncolumns);
	}
	if (n > 0 && ++m->fetches < MAX_FETCHES)
		return floe_kyuubi_enter(m, KYUUBI_FETCH);
	floe_talk_end_rows(&m->talk);
	return close_finished(m);
}

static FloeEngineVerb
probe_answered(FloeKyuubiRun *m)
{
	FloeTalk *t = &m->talk;
	FloeJson root = floe_talk_root(t);
	const char *version = floe_json_string(floe_json_field(root, "version"));
	FloeBuf *result = &t->run->result;
	FloeStatus why;

	if (m->step == KYUUBI_PROBE_VERSION && version != NULL)
	{
		floe_copy_text(m->version, sizeof(m->version), version, strlen(version));
		floe_secrets_mask(&t->secrets, m->version, sizeof(m->version));
		return floe_kyuubi_enter(m, KYUUBI_PROBE_SESSIONS);
	}
	if (m->step == KYUUBI_PROBE_VERSION || floe_json_kind(root) != FLOE_JSON_ARRAY)
	{
		floe_fail(&why, FLOE_ERR_PROTOCOL, "not the REST interface of Kyuubi");
		return floe_kyuubi_fail(m, &why);
	}
	floe_buf_text(result, "[{\"product\":\"Kyuubi\",\"version\":");
	floe_json_quote(result, m->version, strlen(m->version));
	floe_buf_text(result, "}]");
	t->run->result_rows = 1;
	return floe_kyuubi_finish(m, FLOE_OUTCOME_SUCCEEDED);
}

/* -------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------- */

static FloeEngineVerb
answered(FloeKyuubiRun *m)
{
	switch (m->step)
	{
		case KYUUBI_FIND:
			return floe_kyuubi_find_answered(m);
		case KYUUBI_REPLACE:
			m->has_session = m->was_found = false;
			return floe_kyuubi_enter(m, KYUUBI_FIND);
		case KYUUBI_OPEN:
			return floe_kyuubi_open_answered(m);
		case KYUUBI_OPENING:
			return floe_kyuubi_opening_answered(m);
		case KYUUBI_EXECUTE:
			return execute_answered(m);
		case KYUUBI_POLL:
			return poll_answered(m);
		case KYUUBI_LOG:
			return log_answered(m);
		case KYUUBI_METADATA:
			return metadata_answered(m);
		case KYUUBI_FETCH:
			return fetch_answered(m);
		case KYUUBI_CLOSE_OPERATION:
			return floe_kyuubi_enter(m, KYUUBI_CLOSE_SESSION);
		case KYUUBI_CANCEL:
			m->cancel_sent = true;
			m->polls = 0;
			/* it may have finished before: its state tells */
			return floe_kyuubi_enter(m, KYUUBI_POLL);
		case KYUUBI_PROVE:
			m->talk.may_run = false;
			m->talk.must_settle = true;
			if (m->talk.outcome == FLOE_OUTCOME_LOST && m->talk.run->cancel_requested)
				m->talk.outcome = FLOE_OUTCOME_CANCELLED;
			return closed(m);
		case KYUUBI_PROBE_VERSION:
		case KYUUBI_PROBE_SESSIONS:
			return probe_answered(m);
		default:
			return closed(m);
	}
}

/* The server itself refuses. */
static FloeEngineVerb
declined(FloeKyuubiRun *m, const FloeStatus *why)
{
	const char *text = m->talk.text;
	bool no_session = strstr(text, "Invalid SessionHandle") != NULL;
	bool no_operation = strstr(text, "Invalid OperationHandle") != NULL;

	switch (m->step)
	{
		case KYUUBI_FIND:
			/* not everybody may list sessions: then one whose answer was lost ends by its own time */
			return floe_kyuubi_enter(m, KYUUBI_OPEN);
		case KYUUBI_OPEN:
			return floe_kyuubi_fail_text(m, text, "the engine refused to open a session", FLOE_CLASS_TRANSIENT);
		case KYUUBI_OPENING:
		case KYUUBI_EXECUTE:
			if (m->step == KYUUBI_OPENING && !no_session)
				return unanswered(m, why);
			/* of a 500 it is not known whether the statement was received: then the session's end has to be proved */
			m->talk.may_run = m->talk.may_run && !no_session && m->talk.http_code >= 500;
			m->has_session = !no_session;
			return no_session
					   ? forgotten(m, "session")
					   : floe_kyuubi_fail_text(m, text, "the engine refused the statement", FLOE_CLASS_TRANSIENT);
		case KYUUBI_POLL:
		case KYUUBI_CANCEL:
			if (no_session || no_operation)
				return forgotten(m, no_session ? "session" : "operation");
			return unanswered(m, why);
		case KYUUBI_REPLACE:
		case KYUUBI_PROVE:
		case KYUUBI_CLOSE_SESSION:
			return no_session ? answered(m) : unanswered(m, why);
		default:
			return unanswered(m, why);
	}
}

/* -------------------------------------------------------------------------
 * The adapter
 * ------------------------------------------------------------------------- */

static FloeEngineVerb
read_answer(FloeKyuubiRun *m, FloeHttpResponse *response)
{
	FloeStatus why;
	FloeTalkAnswer answer = floe_talk_read(&m->talk, response, &why);

	if (answer == FLOE_TALK_OK)
	{
		m->talk.run->unreachable = false;
		return answered(m);
	}
	if (m->talk.is_probe)
		return floe_kyuubi_fail(m, &why);
	if (answer == FLOE_TALK_DECLINED)
		return declined(m, &why);
	if (answer == FLOE_TALK_REFUSED || (answer == FLOE_TALK_ODD && m->step == KYUUBI_FIND))
		return refused(m, &why);
	return unanswered(m, &why);
}

static FloeKyuubiRun *
start(FloeEngineRun *run, bool is_probe, FloeStatus *st)
{
	FloeKyuubiRun *m = floe_arena_alloc0(run->arena, sizeof(FloeKyuubiRun));

	if (m == NULL)
	{
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory for an operation at the engine");
		return NULL;
	}
	run->state = m;
	return floe_kyuubi_prepare(m, run, is_probe, st) ? m : NULL;
}

static bool
begin(FloeEngineRun *run, const char *saved, size_t saved_len, FloeStatus *st)
{
	FloeKyuubiRun *m = start(run, false, st);

	if (m == NULL)
		return false;
	m->step = KYUUBI_FIND;
	if (saved_len == 0)
		return true;
	if (!floe_kyuubi_restore(m, saved, saved_len, st))
		return false;
	if (m->is_finished)
	{
		m->talk.outcome = FLOE_OUTCOME_SUCCEEDED;
		m->step = KYUUBI_CLOSE_OPERATION;
	}
	else if (m->has_operation)
		m->step = KYUUBI_POLL;
	else if (!m->is_submitting)
		m->step = KYUUBI_OPENING;
	else
	{
		/* the statement may have been sent before the process ended */
		floe_talk_lost(&m->talk, "floe stopped before it knew the operation's id; the session is closed", NULL);
		floe_fail(&run->last_failure, FLOE_ERR_LOST, "%s", run->error);
		m->talk.outcome = FLOE_OUTCOME_LOST;
		m->step = KYUUBI_PROVE;
	}
	return true;
}

static bool
begin_probe(FloeEngineRun *run, FloeStatus *st)
{
	FloeKyuubiRun *m = start(run, true, st);

	if (m == NULL)
		return false;
	m->step = KYUUBI_PROBE_VERSION;
	return true;
}

static FloeEngineVerb
next(FloeEngineRun *run, FloeHttpResponse *response)
{
	FloeKyuubiRun *m = run->state;
	FloeEngineVerb verb;

	if (!m->talk.is_sent)
		return floe_kyuubi_enter(m, m->step);
	verb = read_answer(m, response);
	floe_talk_release(&m->talk);
	return verb;
}

const FloeEngineOps floe_engine_kyuubi = {
	.type = "kyuubi",
	.dialect = FLOE_DIALECT_SPARK,
	.defines_catalog = true,
	.sizes_sessions = true,
	.begin = begin,
	.next = next,
	.begin_probe = begin_probe,
};
