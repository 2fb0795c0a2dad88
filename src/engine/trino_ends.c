/*
 * trino_ends.c: how a run of the trino adapter ends: its outcome, and the error as people see it, without secrets.
 */
#include "floe.h"

#include "engine/trino.h"

#include "base/utf8.h"

#include <string.h>

/* How long an interrupted query may take to leave a commit it had begun. */
#define SETTLE_MS 1500

/* Keeps a failure as the reason the executor may show. */
void
floe_trino_note(FloeTrinoRun *m, const FloeStatus *why)
{
	FloeStatus *st = &m->run->last_failure;

	*st = *why;
	floe_utf8_one_line(st->message);
	floe_utf8_one_line(st->detail);
	floe_secrets_mask(&m->secrets, st->message, sizeof(st->message));
	floe_secrets_mask(&m->secrets, st->detail, sizeof(st->detail));
}

FloeEngineVerb
floe_trino_finish(FloeTrinoRun *m, FloeOutcome outcome)
{
	m->outcome = outcome;
	m->run->unreachable = false;
	/* the array was not closed, and what the rows say did not come about */
	if (outcome != FLOE_OUTCOME_SUCCEEDED)
	{
		floe_buf_reset(&m->run->result);
		m->run->result_rows = 0;
	}
	if (m->query_id[0] != '\0' && (outcome == FLOE_OUTCOME_CANCELLED || m->gave_up))
		m->must_settle = true;
	if (m->must_settle && !m->is_probe)
	{
		m->must_settle = false;
		m->run->outcome = outcome;
		return floe_trino_wait(m, SETTLE_MS, TRINO_DONE);
	}
	return floe_trino_enter(m, TRINO_DONE);
}

static void
set_error(FloeTrinoRun *m, const FloeStatus *why)
{
	FloeEngineRun *run = m->run;

	floe_trino_note(m, why);
	run->error_class = floe_adapter_class(why->code);
	if (run->last_failure.detail[0] != '\0')
		snprintf(run->error, sizeof(run->error), "%s: %s", run->last_failure.message, run->last_failure.detail);
	else
		snprintf(run->error, sizeof(run->error), "%s", run->last_failure.message);
}

/* Ends as FAILED because of HTTP, the protocol or floe's own rules; nothing runs. */
FloeEngineVerb
floe_trino_fail(FloeTrinoRun *m, const FloeStatus *why)
{
	set_error(m, why);
	return floe_trino_finish(m, FLOE_OUTCOME_FAILED);
}

/* The same when something may run: it is cancelled first. */
FloeEngineVerb
floe_trino_give_up(FloeTrinoRun *m, const FloeStatus *why)
{
	set_error(m, why);
	m->gave_up = true;
	m->outcome = FLOE_OUTCOME_FAILED;
	return floe_trino_enter(m, TRINO_CANCEL);
}

/* Ends as Trino says; a query that was cancelled on request is no failure. */
FloeEngineVerb
floe_trino_fail_error(FloeTrinoRun *m, const FloeTrinoError *error)
{
	FloeEngineRun *run = m->run;
	FloeTrinoEnding ending;
	FloeStatus st;

	run->error_class = floe_trino_error_read(error, &m->secrets, run->error, sizeof(run->error), &ending);
	m->must_settle = ending != TRINO_FAILED;
	if (m->cancel_sent && m->must_settle)
	{
		run->error[0] = '\0';
		run->error_class = FLOE_CLASS_NONE;
		return floe_trino_finish(m, FLOE_OUTCOME_CANCELLED);
	}
	floe_fail_detail(&st, FLOE_ERR_ENGINE, run->error, "the engine reports a failure");
	floe_trino_note(m, &st);
	run->in_doubt = ending == TRINO_IN_DOUBT;
	return floe_trino_finish(m, FLOE_OUTCOME_FAILED);
}

/* Nothing of it runs, and how it ended is not known: the table's snapshots decide. */
FloeEngineVerb
floe_trino_lost(FloeTrinoRun *m, const char *why)
{
	snprintf(m->run->error, sizeof(m->run->error), "%s", why);
	m->run->error_class = FLOE_CLASS_TRANSIENT;
	return floe_trino_finish(m, FLOE_OUTCOME_LOST);
}
