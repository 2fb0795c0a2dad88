/*
 * spark_connect_ends.c: how a run of the spark-connect adapter ends.
 *
 * The error as people see it, without secrets, and giving back what is held at
 * the engine.  An operation whose end is not known is given back by a
 * ReleaseExecute that has to be answered: the server interrupts it.  One that
 * the server never had stays taken by the plan that does nothing, so that the
 * statement cannot begin under its id any more; its session, where the server
 * can end one, is ended, else both go by the server's own time limits.
 */
#include "floe.h"

#include "engine/spark_connect.h"

#include "base/utf8.h"
#include "engine/spark_errors.h"

#include <string.h>

/* How long an interrupted thread may take to leave a commit it had begun. */
#define SETTLE_MS 1500

void
floe_connect_note(FloeConnectRun *m, const FloeStatus *why)
{
	floe_adapter_note(m->run, &m->secrets, why);
}

/* As a Java program would print it, which is what spark_errors.c reads. */
void
floe_connect_end_text(const FloeConnectRun *m, FloeBuf *text)
{
	const FloeGrpcEnd *end = &m->end;

	if (end->reason[0] != '\0')
		floe_buf_printf(text, "%s: ", end->reason);
	floe_buf_text(text, end->message);
}

FloeEngineVerb
floe_connect_finish(FloeConnectRun *m, FloeOutcome outcome)
{
	m->outcome = outcome;
	m->failures = 0;
	m->must_settle =
		m->must_settle || outcome == FLOE_OUTCOME_LOST || (outcome == FLOE_OUTCOME_CANCELLED && m->may_run);
	if (!m->has_session)
		return floe_connect_closed(m);
	/* what was never there, or is not there any more, must not be released: see above */
	if (outcome == FLOE_OUTCOME_LOST || m->is_probe || !(m->is_known || m->may_run))
		return floe_connect_enter(m, CONNECT_RELEASE_SESSION);
	return floe_connect_enter(m, CONNECT_RELEASE_EXECUTE);
}

/* Ends as FAILED because of HTTP, the protocol or floe's own rules. */
FloeEngineVerb
floe_connect_fail(FloeConnectRun *m, const FloeStatus *why)
{
	FloeEngineRun *run = m->run;

	floe_connect_note(m, why);
	m->may_run = false;
	run->error_class = floe_adapter_class(why->code);
	if (run->last_failure.detail[0] != '\0')
		snprintf(run->error, sizeof(run->error), "%s: %s", run->last_failure.message, run->last_failure.detail);
	else
		snprintf(run->error, sizeof(run->error), "%s", run->last_failure.message);
	floe_utf8_one_line(run->error);
	return floe_connect_finish(m, FLOE_OUTCOME_FAILED);
}

/* Ends as FAILED because the server says so; it is asked for the causes when it has them. */
FloeEngineVerb
floe_connect_fail_text(FloeConnectRun *m, const char *text, size_t len, const char *otherwise)
{
	FloeEngineRun *run = m->run;
	FloeStatus st;

	run->error_class = floe_adapter_spark_error(m->run, &m->secrets, text, len);
	if (run->error[0] == '\0')
	{
		snprintf(run->error, sizeof(run->error), "%s", otherwise);
		run->error_class = FLOE_CLASS_TRANSIENT;
	}
	floe_fail_detail(&st, FLOE_ERR_ENGINE, run->error, "the engine reports a failure");
	floe_connect_note(m, &st);
	if (len > 0 && m->end.error_id[0] != '\0' && m->has_session)
		return floe_connect_enter(m, CONNECT_ERROR_DETAILS);
	return floe_connect_finish(m, FLOE_OUTCOME_FAILED);
}

/* Ends as LOST, with what the server said of it, if it did. */
FloeEngineVerb
floe_connect_lost(FloeConnectRun *m, const char *why)
{
	FloeEngineRun *run = m->run;
	char detail[FLOE_STATUS_DETAIL_SIZE];

	(void) floe_adapter_spark_error(m->run, &m->secrets, m->end.message, strlen(m->end.message));
	floe_copy_text(detail, sizeof(detail), run->error, strlen(run->error));
	snprintf(run->error, sizeof(run->error), detail[0] != '\0' ? "%s: %s" : "%s%s", why, detail);
	run->error_class = FLOE_CLASS_TRANSIENT;
	return floe_connect_finish(m, run->cancel_requested ? FLOE_OUTCOME_CANCELLED : FLOE_OUTCOME_LOST);
}

/* Nothing is held any more, as far as that could be reached. */
FloeEngineVerb
floe_connect_closed(FloeConnectRun *m)
{
	m->has_session = false;
	if (m->must_settle)
	{
		m->must_settle = false;
		m->run->outcome = m->outcome;
		return floe_connect_wait(m, SETTLE_MS, CONNECT_DONE);
	}
	return floe_connect_enter(m, CONNECT_DONE);
}
