/*
 * spark_thrift_ends.c: how a run of the spark-thrift adapter ends.
 *
 * Three things stand here because every end needs them: the error as people
 * see it, without secrets; giving back what is held at the engine; and the
 * rule that a run whose statement may be running does not end before the
 * server has answered CloseSession, which interrupts all of the session.
 */
#include "floe.h"

#include "engine/spark_thrift.h"

#include "base/utf8.h"
#include "engine/spark_errors.h"

#include <string.h>

/* How long an interrupted thread may take to leave a commit it had begun. */
#define SETTLE_MS 1500

void
floe_spark_note(FloeThriftRun *m, const FloeStatus *why)
{
	floe_adapter_note(m->run, &m->secrets, why);
}

FloeEngineVerb
floe_spark_finish(FloeThriftRun *m, FloeOutcome outcome)
{
	m->outcome = outcome;
	return floe_spark_close(m);
}

/* Ends as FAILED because of HTTP, the protocol or floe's own rules. */
FloeEngineVerb
floe_spark_fail(FloeThriftRun *m, const FloeStatus *why)
{
	FloeEngineRun *run = m->run;

	floe_spark_note(m, why);
	run->error_class = floe_adapter_class(why->code);
	if (run->last_failure.detail[0] != '\0')
		snprintf(run->error, sizeof(run->error), "%s: %s", run->last_failure.message, run->last_failure.detail);
	else
		snprintf(run->error, sizeof(run->error), "%s", run->last_failure.message);
	for (char *at = run->error; *at != '\0'; at++)
	{
		if ((unsigned char) *at < ' ')
			*at = ' ';
	}
	return floe_spark_finish(m, FLOE_OUTCOME_FAILED);
}

/* Ends as FAILED because the server says so; without a text of its own that is the other one. */
FloeEngineVerb
floe_spark_fail_text(FloeThriftRun *m, FloeThriftText text, const char *otherwise, FloeErrorClass otherwise_class)
{
	FloeEngineRun *run = m->run;
	FloeStatus st;

	run->error_class = floe_adapter_spark_error(m->run, &m->secrets, text.data, text.len);
	if (run->error[0] == '\0')
	{
		snprintf(run->error, sizeof(run->error), "%s", otherwise);
		run->error_class = otherwise_class;
	}
	floe_fail_detail(&st, FLOE_ERR_ENGINE, run->error, "the engine reports a failure");
	floe_spark_note(m, &st);
	return floe_spark_finish(m, FLOE_OUTCOME_FAILED);
}

/* Ends as LOST; when the statement may still run, only after the session is known to be closed. */
FloeEngineVerb
floe_spark_lost(FloeThriftRun *m, const char *why, FloeThriftText text)
{
	char detail[FLOE_STATUS_DETAIL_SIZE];

	(void) floe_adapter_spark_error(m->run, &m->secrets, text.data, text.len);
	floe_copy_text(detail, sizeof(detail), m->run->error, strlen(m->run->error));
	snprintf(m->run->error, sizeof(m->run->error), detail[0] != '\0' ? "%s: %s" : "%s%s", why, detail);
	m->run->error_class = FLOE_CLASS_TRANSIENT;
	m->must_settle = true;
	return floe_spark_finish(m, FLOE_OUTCOME_LOST);
}

/* Gives back what is held at the engine. */
FloeEngineVerb
floe_spark_close(FloeThriftRun *m)
{
	m->failures = 0;
	m->empty_answers = 0;
	if (!m->has_session)
		return floe_spark_closed(m);
	if (m->may_run)
		return floe_spark_enter(m, STEP_PROVE);
	if (m->has_operation && m->outcome == FLOE_OUTCOME_SUCCEEDED)
		return floe_spark_enter(m, STEP_CLOSE_OPERATION);
	return floe_spark_enter(m, STEP_CLOSE_SESSION);
}

/* Nothing is held any more, as far as that could be reached. */
FloeEngineVerb
floe_spark_closed(FloeThriftRun *m)
{
	m->has_session = false;
	if (m->must_settle)
	{
		m->must_settle = false;
		m->run->outcome = m->outcome;
		return floe_spark_wait(m, SETTLE_MS, STEP_DONE);
	}
	return floe_spark_enter(m, STEP_DONE);
}
