/*
 * livy.c: Livy's sessions and statements, as an engine of floe.
 *
 * The state machine alone: which request follows which answer.  floe chooses
 * the session's name, which Livy keeps unique, so a session whose answer was
 * lost is found again by it; a statement whose answer was lost is found by the
 * operation's id, which stands in its code.  The statement is sent once in a
 * session; what cannot be found is LOST, after the session was deleted, which
 * ends its driver.
 *
 *     CREATE  save  IDLE…  save  SUBMIT  save  POLL…  save  DELETE  done
 *
 * A statement succeeded when its output says so: its state is "available" then,
 * and also when it failed.  While it may run, a server that cannot be reached,
 * refuses the credentials or answers nonsense is waited for.  A session that
 * several operations use is deleted, too, unless the run ended well: the next
 * one makes it anew, and never meets a statement of an earlier attempt in it.
 */
#include "floe.h"

#include "engine/livy.h"

#include <string.h>

#define DELETE_TRIES 3

/* -------------------------------------------------------------------------
 * Ends
 * ------------------------------------------------------------------------- */

/* Nothing is held any more, as far as that could be reached. */
static FloeEngineVerb
closed(FloeLivyRun *m)
{
	m->has_session = false;
	if (m->talk.must_settle)
	{
		m->talk.must_settle = false;
		m->talk.run->outcome = m->talk.outcome;
		m->step = LIVY_DONE;
		return floe_talk_wait(&m->talk, FLOE_TALK_SETTLE_MS);
	}
	return floe_livy_enter(m, LIVY_DONE);
}

FloeEngineVerb
floe_livy_finish(FloeLivyRun *m, FloeOutcome outcome)
{
	FloeTalk *t = &m->talk;

	t->outcome = outcome;
	t->failures = 0;
	if (!m->has_session)
		return closed(m);
	if (t->may_run)
		return floe_livy_enter(m, LIVY_PROVE);
	/* a session that may be used again is left as it is, if it was good for this one */
	if (m->is_pooled && outcome == FLOE_OUTCOME_SUCCEEDED)
		return closed(m);
	return floe_livy_enter(m, LIVY_DELETE);
}

FloeEngineVerb
floe_livy_fail(FloeLivyRun *m, const FloeStatus *why)
{
	floe_talk_error(&m->talk, why);
	return floe_livy_finish(m, FLOE_OUTCOME_FAILED);
}

FloeEngineVerb
floe_livy_fail_text(FloeLivyRun *m, const char *text, const char *otherwise, FloeErrorClass otherwise_class)
{
	floe_talk_error_text(&m->talk, text, otherwise, otherwise_class);
	return floe_livy_finish(m, FLOE_OUTCOME_FAILED);
}

FloeEngineVerb
floe_livy_lost(FloeLivyRun *m, const char *why, const char *text)
{
	floe_talk_lost(&m->talk, why, text);
	return floe_livy_finish(m, FLOE_OUTCOME_LOST);
}

/* The server does not know the session: it was restarted, or somebody deleted it. */
FloeEngineVerb
floe_livy_session_lost(FloeLivyRun *m)
{
	bool was_sent = m->talk.may_run;

	m->talk.may_run = false;
	m->has_session = false;
	if (m->is_finished)
		return floe_livy_finish(m, FLOE_OUTCOME_SUCCEEDED);
	floe_talk_lost(&m->talk, "the engine no longer knows the session", m->talk.text);
	m->talk.must_settle = was_sent;
	if (m->talk.run->cancel_requested)
		return floe_livy_finish(m, FLOE_OUTCOME_CANCELLED);
	return floe_livy_finish(m, FLOE_OUTCOME_LOST);
}

FloeEngineVerb
floe_livy_save_and(FloeLivyRun *m, FloeLivyStep step)
{
	floe_livy_save(m);
	m->talk.failures = 0;
	m->step = step;
	return FLOE_ENGINE_SAVE;
}

FloeEngineVerb
floe_livy_wait_and(FloeLivyRun *m, FloeLivyStep step, int ms)
{
	m->step = step;
	return floe_talk_wait(&m->talk, ms);
}

/* -------------------------------------------------------------------------
 * Steps
 * ------------------------------------------------------------------------- */

FloeEngineVerb
floe_livy_enter(FloeLivyRun *m, FloeLivyStep step)
{
	FloeEngineRun *run = m->talk.run;

	if (run->cancel_requested && !m->talk.is_probe)
	{
		/* nothing was sent that would have to be stopped; a session that may exist is looked for first */
		if (step == LIVY_CREATE && m->may_exist)
			step = LIVY_FIND;
		else if (step == LIVY_CREATE || step == LIVY_IDLE || step == LIVY_SUBMIT || step == LIVY_REPLACE)
			return floe_livy_finish(m, FLOE_OUTCOME_CANCELLED);
		if (step == LIVY_POLL && !m->cancel_sent && !m->is_finished)
			step = LIVY_CANCEL;
	}
	if (step != m->step && (step == LIVY_FIND || step == LIVY_LOOK))
		m->from = m->pages = 0;
	m->step = step;
	if (step == LIVY_DONE)
		return floe_talk_done(&m->talk);
	return floe_livy_send(m);
}

/* No answer, or one that says nothing: what that means for the step. */
FloeEngineVerb
floe_livy_unanswered(FloeLivyRun *m, const FloeStatus *why)
{
	FloeTalk *t = &m->talk;

	switch (m->step)
	{
		case LIVY_CREATE:
			m->may_exist = true;
			break;
		case LIVY_SUBMIT:
			floe_talk_note(t, why);
			m->from = m->pages = 0;
			return floe_livy_wait_and(m, LIVY_LOOK, FLOE_LIVY_LOOK_MS);
		case LIVY_LOG:
			return floe_livy_fail_text(m, NULL, "the session ended before it could be used", FLOE_CLASS_TRANSIENT);
		case LIVY_DELETE:
			if (t->is_probe || t->failures + 1 >= DELETE_TRIES)
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
refused(FloeLivyRun *m, const FloeStatus *why)
{
	if (m->step == LIVY_SUBMIT)
		m->talk.may_run = false; /* HTTP itself turned the statement away */
	if (m->step == LIVY_CREATE || m->step == LIVY_SUBMIT || (m->step == LIVY_FIND && !m->may_exist))
		return floe_livy_fail(m, why);
	return floe_livy_unanswered(m, why);
}

/* -------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------- */

static FloeEngineVerb
answered(FloeLivyRun *m)
{
	switch (m->step)
	{
		case LIVY_CREATE:
			return floe_livy_create_answered(m);
		case LIVY_FIND:
			return floe_livy_find_answered(m);
		case LIVY_REPLACE:
			m->has_session = m->was_found = m->is_submitting = false;
			return floe_livy_enter(m, LIVY_CREATE);
		case LIVY_IDLE:
			return floe_livy_idle_answered(m);
		case LIVY_LOG:
			return floe_livy_log_answered(m);
		case LIVY_SUBMIT:
			return floe_livy_submit_answered(m);
		case LIVY_LOOK:
			return floe_livy_look_answered(m);
		case LIVY_POLL:
			return floe_livy_poll_answered(m);
		case LIVY_CHECK:
			return floe_livy_check_answered(m);
		case LIVY_CANCEL:
			m->cancel_sent = true;
			m->polls = 0;
			/* it may have finished before: its state tells */
			return floe_livy_enter(m, LIVY_POLL);
		case LIVY_PROVE:
			m->talk.may_run = false;
			m->talk.must_settle = true;
			if (m->talk.outcome == FLOE_OUTCOME_LOST && m->talk.run->cancel_requested)
				m->talk.outcome = FLOE_OUTCOME_CANCELLED;
			return closed(m);
		case LIVY_PROBE_SESSIONS:
		case LIVY_PROBE_VERSION:
			return floe_livy_probe_answered(m);
		default:
			return closed(m);
	}
}

/* The server itself refuses.  Of the session it says 404 when it does not know it. */
static FloeEngineVerb
declined(FloeLivyRun *m, const FloeStatus *why)
{
	bool is_missing = m->talk.http_code == 404;

	switch (m->step)
	{
		case LIVY_CREATE:
			return floe_livy_create_declined(m);
		case LIVY_SUBMIT:
			return floe_livy_submit_declined(m, why);
		case LIVY_REPLACE:
		case LIVY_PROVE:
		case LIVY_DELETE:
			return is_missing ? answered(m) : floe_livy_unanswered(m, why);
		case LIVY_IDLE:
		case LIVY_CHECK:
		case LIVY_LOOK:
			if (is_missing)
				return floe_livy_session_lost(m);
			return floe_livy_unanswered(m, why);
		case LIVY_CANCEL:
		case LIVY_POLL:
			/* of the session, or of the statement: the session tells */
			m->not_there = is_missing;
			m->cancel_sent = m->cancel_sent || m->step == LIVY_CANCEL;
			return floe_livy_enter(m, LIVY_CHECK);
		case LIVY_FIND:
			return floe_livy_fail_text(m, m->talk.text, "the engine does not list its sessions", FLOE_CLASS_CONFIG);
		default:
			return floe_livy_unanswered(m, why);
	}
}

static FloeEngineVerb
read_answer(FloeLivyRun *m, FloeHttpResponse *response)
{
	FloeStatus why;
	FloeTalkAnswer answer = floe_talk_read(&m->talk, response, &why);

	if (answer == FLOE_TALK_OK)
	{
		m->talk.run->unreachable = false;
		return answered(m);
	}
	/* an old server has no page of its version */
	if (m->step == LIVY_PROBE_VERSION && answer != FLOE_TALK_NONE)
		return floe_livy_probe_answered(m);
	if (m->talk.is_probe)
		return floe_livy_fail(m, &why);
	if (answer == FLOE_TALK_DECLINED)
		return declined(m, &why);
	if (answer == FLOE_TALK_REFUSED || (answer == FLOE_TALK_ODD && m->step == LIVY_CREATE))
		return refused(m, &why);
	return floe_livy_unanswered(m, &why);
}

/* -------------------------------------------------------------------------
 * The adapter
 * ------------------------------------------------------------------------- */

static FloeLivyRun *
start(FloeEngineRun *run, bool is_probe, FloeStatus *st)
{
	FloeLivyRun *m = floe_arena_alloc0(run->arena, sizeof(FloeLivyRun));

	if (m == NULL)
	{
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory for an operation at the engine");
		return NULL;
	}
	run->state = m;
	return floe_livy_prepare(m, run, is_probe, st) ? m : NULL;
}

static bool
begin(FloeEngineRun *run, const char *saved, size_t saved_len, FloeStatus *st)
{
	FloeLivyRun *m = start(run, false, st);

	if (m == NULL)
		return false;
	m->step = LIVY_CREATE;
	if (saved_len == 0)
		return true;
	if (!floe_livy_restore(m, saved, saved_len, st))
		return false;
	if (m->is_finished)
	{
		m->talk.outcome = FLOE_OUTCOME_SUCCEEDED;
		m->step = LIVY_DELETE;
	}
	else if (m->has_statement)
		m->step = LIVY_POLL;
	else
		m->step = m->is_submitting ? LIVY_LOOK : LIVY_IDLE;
	return true;
}

static bool
begin_probe(FloeEngineRun *run, FloeStatus *st)
{
	FloeLivyRun *m = start(run, true, st);

	if (m == NULL)
		return false;
	m->step = LIVY_PROBE_SESSIONS;
	return true;
}

static FloeEngineVerb
next(FloeEngineRun *run, FloeHttpResponse *response)
{
	FloeLivyRun *m = run->state;
	FloeEngineVerb verb;

	if (!m->talk.is_sent)
	{
		/* a shared session stays, when the operation ended well in it */
		if (m->step == LIVY_DELETE && m->is_pooled && m->is_finished)
			return closed(m);
		return floe_livy_enter(m, m->step);
	}
	verb = read_answer(m, response);
	floe_talk_release(&m->talk);
	return verb;
}

const FloeEngineOps floe_engine_livy = {
	.type = "livy",
	.dialect = FLOE_DIALECT_SPARK,
	.defines_catalog = true,
	.begin = begin,
	.next = next,
	.begin_probe = begin_probe,
};
