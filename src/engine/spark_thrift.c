/*
 * spark_thrift.c: Spark's Thrift Server, and any HiveServer2, over HTTP, as an engine of floe.
 *
 * The state machine alone: which call follows which answer.  One session per
 * operation.  Its handle is saved before the statement leaves, so after a
 * crash at any point either the operation is found again, or closing the
 * session proves that nothing of it runs.  Because the server chooses the
 * operation's id, a statement is sent once in a session: as soon as it is in
 * doubt whether it arrived, the session is closed and the run is LOST.
 *
 *     OPEN  save  EXECUTE  save  POLL…  METADATA  FETCH…  save  CLOSE_OPERATION  CLOSE_SESSION  done
 *
 * While the statement may run, a server that cannot be reached, refuses the
 * credentials or answers nonsense is waited for: those are no proof of an end.
 */
#include "floe.h"

#include "engine/spark_thrift.h"

#include "base/json.h"

#include <string.h>

/* After CancelOperation: so often, before the session is closed under a statement that does not end. */
#define CANCEL_POLL_MS 500
#define CANCEL_POLLS 20

/* The state ERROR can be seen a moment before its message is there. */
#define SILENT_ERRORS 5
#define SILENT_ERROR_MS 200

/* Results are evidence, not the purpose: so many rows are kept, and so many fetches made to count the rest. */
#define KEEP_ROWS 1000
#define MAX_FETCHES 1000

/* How often a call that is not needed for the outcome is tried again. */
#define RESULT_TRIES 5
#define CLOSE_TRIES 3

/* -------------------------------------------------------------------------
 * Steps
 * ------------------------------------------------------------------------- */

static void
reset_result(FloeThriftRun *m)
{
	floe_buf_reset(&m->run->result);
	m->run->result_rows = 0;
	m->room = KEEP_ROWS;
	m->fetches = 0;
	m->from_start = true;
}

FloeEngineVerb
floe_spark_enter(FloeThriftRun *m, FloeThriftStep step)
{
	FloeEngineRun *run = m->run;

	if (run->cancel_requested && !m->is_probe)
	{
		/* nothing was sent that would have to be stopped */
		if (step == STEP_OPEN || step == STEP_EXECUTE)
			return floe_spark_finish(m, FLOE_OUTCOME_CANCELLED);
		if (step == STEP_POLL && !m->cancel_sent && !m->is_finished)
			step = STEP_CANCEL;
	}
	m->step = step;
	if (step == STEP_DONE)
		return floe_adapter_done(run, m->outcome);
	if (step == STEP_FETCH && m->from_start)
		reset_result(m);
	return floe_spark_send(m);
}

/*
 * That the statement finished is made durable before the operation is closed:
 * afterwards the server does not know it any more.
 */
static FloeEngineVerb
close_finished(FloeThriftRun *m)
{
	m->is_finished = true;
	floe_spark_save(m);
	m->failures = 0;
	m->step = STEP_CLOSE_OPERATION;
	return FLOE_ENGINE_SAVE;
}

/* The rows could not be read; what the engine did is not in question. */
static FloeEngineVerb
give_up_result(FloeThriftRun *m, const FloeStatus *why)
{
	floe_spark_note(m, why);
	reset_result(m);
	return close_finished(m);
}

/* No answer, or one that says nothing: what that means for the step. */
static FloeEngineVerb
unanswered(FloeThriftRun *m, const FloeStatus *why)
{
	switch (m->step)
	{
		case STEP_EXECUTE:
			return floe_spark_lost(m, "no answer to the statement, so whether it was received is unknown",
								   (FloeThriftText){why->message, strlen(why->message)});
		case STEP_METADATA:
		case STEP_FETCH:
			m->from_start = true;
			if (m->failures + 1 >= RESULT_TRIES)
				return give_up_result(m, why);
			break;
		case STEP_CLOSE_OPERATION:
			return floe_spark_enter(m, STEP_CLOSE_SESSION);
		case STEP_CLOSE_SESSION:
			if (m->is_probe || m->failures + 1 >= CLOSE_TRIES)
				return floe_spark_closed(m);
			m->run->outcome = m->outcome;
			break;
		case STEP_POLL:
			m->run->outcome = FLOE_OUTCOME_NONE;
			break;
		default:
			break;
	}
	return floe_spark_retry(m, why);
}

/* The request is not served as things are.  Before anything may run, that is the end. */
static FloeEngineVerb
refused(FloeThriftRun *m, const FloeStatus *why)
{
	if (m->step == STEP_EXECUTE)
		m->may_run = false; /* HTTP itself turned the statement away */
	if (m->step == STEP_OPEN || m->step == STEP_EXECUTE)
		return floe_spark_fail(m, why);
	return unanswered(m, why);
}

/* HTTP 200 with a body that is no proper answer to the call. */
static FloeEngineVerb
misunderstood(FloeThriftRun *m, const FloeStatus *why)
{
	if (m->is_probe || m->step == STEP_OPEN)
		return floe_spark_fail(m, why);
	return unanswered(m, why);
}

/* A server that answers properly and refuses: its text as a failure of the call. */
static FloeEngineVerb
declined(FloeThriftRun *m, const FloeHs2Status *status, FloeHs2Call call)
{
	FloeStatus why;

	floe_fail(&why, FLOE_ERR_SERVER, "the engine refused %s", floe_hs2_call_name(call));
	floe_copy_text(why.detail, sizeof(why.detail), status->message.data, status->message.len);
	return unanswered(m, &why);
}

/* -------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------- */

static FloeEngineVerb
open_answered(FloeThriftRun *m, const FloeHs2Reply *reply)
{
	if (!floe_hs2_is_ok(&reply->status))
		return floe_spark_fail_text(m, reply->status.message, "the engine refused to open a session",
									FLOE_CLASS_TRANSIENT);
	m->session = reply->session;
	m->has_session = true;
	m->failures = 0;
	if (m->is_probe)
		return floe_spark_enter(m, STEP_INFO_NAME);
	if (m->run->cancel_requested)
		return floe_spark_finish(m, FLOE_OUTCOME_CANCELLED);
	floe_spark_save(m);
	m->step = STEP_EXECUTE;
	return FLOE_ENGINE_SAVE;
}

static FloeEngineVerb
execute_answered(FloeThriftRun *m, const FloeHs2Reply *reply)
{
	if (floe_hs2_is_lost(&reply->status))
	{
		m->may_run = false;
		return floe_spark_lost(m, "the engine no longer knows the session", reply->status.message);
	}
	if (!floe_hs2_is_ok(&reply->status))
		return floe_spark_fail_text(m, reply->status.message, "the engine refused the statement", FLOE_CLASS_TRANSIENT);
	m->operation = reply->operation;
	m->has_operation = true;
	floe_spark_save(m);
	m->step = STEP_POLL;
	return FLOE_ENGINE_SAVE;
}

/* A terminal state: nothing of the statement runs any more. */
static FloeEngineVerb
ended(FloeThriftRun *m, const FloeHs2Reply *reply)
{
	m->may_run = false;
	/* an interrupted thread may have been in the middle of a commit */
	m->must_settle = reply->state != FLOE_HS2_FINISHED && reply->state != FLOE_HS2_ERROR;
	switch (reply->state)
	{
		case FLOE_HS2_FINISHED:
			m->outcome = FLOE_OUTCOME_SUCCEEDED;
			if (!m->operation.has_result_set)
			{
				floe_buf_text(&m->run->result, "[]");
				return close_finished(m);
			}
			return floe_spark_enter(m, STEP_METADATA);
		case FLOE_HS2_ERROR:
			return floe_spark_fail_text(m, reply->error, "the engine reports an error without a message",
										FLOE_CLASS_TRANSIENT);
		case FLOE_HS2_TIMEDOUT:
			return floe_spark_fail_text(m, reply->error, "the engine ended the statement at its own time limit",
										FLOE_CLASS_RESOURCE);
		default: /* CANCELED, CLOSED */
			if (m->cancel_sent)
				return floe_spark_finish(m, FLOE_OUTCOME_CANCELLED);
			return floe_spark_fail_text(m, reply->error, "the statement was ended at the engine", FLOE_CLASS_TRANSIENT);
	}
}

/* The server was restarted, or the operation was closed or expired: it does not run. */
static FloeEngineVerb
forgotten(FloeThriftRun *m, const FloeHs2Reply *reply)
{
	m->may_run = false;
	if (m->is_finished)
		return floe_spark_finish(m, FLOE_OUTCOME_SUCCEEDED);
	return floe_spark_lost(m, "the engine no longer knows the operation", reply->status.message);
}

static FloeEngineVerb
poll_answered(FloeThriftRun *m, const FloeHs2Reply *reply)
{
	if (floe_hs2_is_lost(&reply->status))
		return forgotten(m, reply);
	if (!floe_hs2_is_ok(&reply->status))
		return declined(m, &reply->status, FLOE_HS2_GET_OPERATION_STATUS);
	m->failures = 0;
	if (reply->state == FLOE_HS2_ERROR && reply->error.len == 0 && m->silent_errors++ < SILENT_ERRORS)
	{
		/* it has ended, so the wait has to be waited out */
		m->run->outcome = FLOE_OUTCOME_FAILED;
		return floe_spark_wait(m, SILENT_ERROR_MS, STEP_POLL);
	}
	if (floe_hs2_is_terminal(reply->state))
		return ended(m, reply);
	if (m->cancel_sent)
	{
		if (++m->polls > CANCEL_POLLS)
			return floe_spark_finish(m, FLOE_OUTCOME_CANCELLED);
		return floe_spark_wait(m, CANCEL_POLL_MS, STEP_POLL);
	}
	m->poll_ms = floe_adapter_poll_ms(m->poll_ms);
	return floe_spark_wait(m, m->poll_ms, STEP_POLL);
}

static FloeEngineVerb
cancel_answered(FloeThriftRun *m, const FloeHs2Reply *reply)
{
	if (floe_hs2_is_lost(&reply->status))
		return forgotten(m, reply);
	m->failures = 0;
	m->cancel_sent = true;
	m->polls = 0;
	/* a server that cannot cancel the operation still ends it with its session */
	if (!floe_hs2_is_ok(&reply->status))
		return floe_spark_finish(m, FLOE_OUTCOME_CANCELLED);
	/* it may have finished before: its state tells */
	return floe_spark_enter(m, STEP_POLL);
}

static FloeEngineVerb
prove_answered(FloeThriftRun *m, const FloeHs2Reply *reply)
{
	if (!floe_hs2_is_ok(&reply->status) && !floe_hs2_is_lost(&reply->status))
		return declined(m, &reply->status, FLOE_HS2_CLOSE_SESSION);
	m->may_run = false;
	m->must_settle = true;
	if (m->outcome == FLOE_OUTCOME_LOST && m->run->cancel_requested)
		m->outcome = FLOE_OUTCOME_CANCELLED;
	return floe_spark_closed(m);
}

static FloeEngineVerb
info_answered(FloeThriftRun *m, const FloeHs2Reply *reply)
{
	FloeBuf *result = &m->run->result;
	char text[64];

	if (!floe_hs2_is_ok(&reply->status))
		return floe_spark_fail_text(m, reply->status.message, "the engine does not say what it is", FLOE_CLASS_CONFIG);
	floe_copy_text(text, sizeof(text), reply->info.data, reply->info.len);
	floe_secrets_mask(&m->secrets, text, sizeof(text));
	if (m->step == STEP_INFO_NAME)
	{
		strcpy(m->product, text);
		return floe_spark_enter(m, STEP_INFO_VERSION);
	}
	floe_buf_text(result, "[{\"product\":");
	floe_json_quote(result, m->product, strlen(m->product));
	floe_buf_text(result, ",\"version\":");
	floe_json_quote(result, text, strlen(text));
	floe_buf_text(result, "}]");
	m->run->result_rows = 1;
	return floe_spark_finish(m, FLOE_OUTCOME_SUCCEEDED);
}

static FloeEngineVerb
metadata_answered(FloeThriftRun *m, const FloeBuf *body)
{
	FloeHs2Status status;
	FloeStatus why;

	if (!floe_hs2_read_metadata(m->run->arena, m->sequence, body->data, body->len, &m->schema, &status, &why))
		return give_up_result(m, &why);
	if (!floe_hs2_is_ok(&status))
	{
		floe_fail(&why, FLOE_ERR_ENGINE, "the engine does not describe the result");
		floe_copy_text(why.detail, sizeof(why.detail), status.message.data, status.message.len);
		return give_up_result(m, &why);
	}
	m->failures = 0;
	m->from_start = true;
	return floe_spark_enter(m, STEP_FETCH);
}

/* Until a fetch is empty: hasMoreRows is always false. */
static FloeEngineVerb
fetch_answered(FloeThriftRun *m, const FloeBuf *body)
{
	FloeEngineRun *run = m->run;
	FloeHs2Status status;
	FloeStatus why;

	if (!floe_hs2_read_rows(&m->schema, m->sequence, body->data, body->len, &status, &why))
		return give_up_result(m, &why);
	if (!floe_hs2_is_ok(&status))
	{
		floe_fail(&why, FLOE_ERR_ENGINE, "the engine does not give the result");
		floe_copy_text(why.detail, sizeof(why.detail), status.message.data, status.message.len);
		return give_up_result(m, &why);
	}
	/* one byte is left for the bracket that ends the array */
	if (!floe_hs2_append_rows(&m->schema, &m->secrets, &run->result, FLOE_ENGINE_RESULT_MAX - 1, &m->room, &why))
		return give_up_result(m, &why);
	run->result_rows += m->schema.nrows;
	m->failures = 0;
	m->from_start = false;
	if (m->schema.nrows > 0 && ++m->fetches < MAX_FETCHES)
		return floe_spark_enter(m, STEP_FETCH);
	floe_buf_text(&run->result, run->result.len == 0 ? "[]" : "]");
	return close_finished(m);
}

/* The call whose answer a step waits for. */
static FloeHs2Call
call_of(FloeThriftStep step)
{
	switch (step)
	{
		case STEP_OPEN:
			return FLOE_HS2_OPEN_SESSION;
		case STEP_EXECUTE:
			return FLOE_HS2_EXECUTE_STATEMENT;
		case STEP_POLL:
			return FLOE_HS2_GET_OPERATION_STATUS;
		case STEP_CANCEL:
			return FLOE_HS2_CANCEL_OPERATION;
		case STEP_CLOSE_OPERATION:
			return FLOE_HS2_CLOSE_OPERATION;
		case STEP_INFO_NAME:
		case STEP_INFO_VERSION:
			return FLOE_HS2_GET_INFO;
		default:
			return FLOE_HS2_CLOSE_SESSION;
	}
}

static FloeEngineVerb
answered(FloeThriftRun *m, const FloeBuf *body)
{
	FloeHs2Reply reply;
	FloeStatus why;

	if (m->step == STEP_METADATA)
		return metadata_answered(m, body);
	if (m->step == STEP_FETCH)
		return fetch_answered(m, body);
	if (!floe_hs2_read_reply(call_of(m->step), m->sequence, body->data, body->len, &reply, &why))
		return misunderstood(m, &why);
	switch (m->step)
	{
		case STEP_OPEN:
			return open_answered(m, &reply);
		case STEP_EXECUTE:
			return execute_answered(m, &reply);
		case STEP_POLL:
			return poll_answered(m, &reply);
		case STEP_CANCEL:
			return cancel_answered(m, &reply);
		case STEP_PROVE:
			return prove_answered(m, &reply);
		case STEP_CLOSE_OPERATION:
			return floe_spark_enter(m, STEP_CLOSE_SESSION);
		case STEP_INFO_NAME:
		case STEP_INFO_VERSION:
			return info_answered(m, &reply);
		default:
			return floe_spark_closed(m);
	}
}

/* -------------------------------------------------------------------------
 * The adapter
 * ------------------------------------------------------------------------- */

static FloeThriftRun *
start(FloeEngineRun *run, bool is_probe, FloeStatus *st)
{
	FloeThriftRun *m = floe_arena_alloc0(run->arena, sizeof(FloeThriftRun));

	if (m == NULL)
	{
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory for an operation at the engine");
		return NULL;
	}
	m->run = run;
	m->is_probe = is_probe;
	floe_adapter_reset(run, m);
	reset_result(m);
	return floe_spark_prepare(m, st) ? m : NULL;
}

static bool
begin(FloeEngineRun *run, const char *saved, size_t saved_len, FloeStatus *st)
{
	FloeThriftRun *m = start(run, false, st);

	if (m == NULL)
		return false;
	if (saved_len == 0)
	{
		m->step = STEP_OPEN;
		return true;
	}
	if (!floe_spark_restore(m, saved, saved_len, st))
		return false;
	if (m->has_operation)
	{
		m->step = STEP_POLL;
		return true;
	}
	/* the statement may have been sent before the process ended */
	m->step = STEP_PROVE;
	m->outcome = FLOE_OUTCOME_LOST;
	run->error_class = FLOE_CLASS_TRANSIENT;
	floe_fail(&run->last_failure, FLOE_ERR_LOST,
			  "floe stopped before it knew the operation's id; the session is closed");
	snprintf(run->error, sizeof(run->error), "%s", run->last_failure.message);
	return true;
}

static bool
begin_probe(FloeEngineRun *run, FloeStatus *st)
{
	FloeThriftRun *m = start(run, true, st);

	if (m == NULL)
		return false;
	m->step = STEP_OPEN;
	return true;
}

static FloeEngineVerb
next(FloeEngineRun *run, FloeHttpResponse *response)
{
	FloeThriftRun *m = run->state;
	FloeThriftAnswer answer;
	FloeStatus why;

	if (!m->is_sent)
		return floe_spark_enter(m, m->step);
	m->is_sent = false;
	answer = floe_spark_classify(m, response, &why);
	if (answer == ANSWER_BODY)
	{
		run->unreachable = false;
		return answered(m, &response->body);
	}
	if (m->is_probe && m->step != STEP_CLOSE_SESSION)
		return floe_spark_fail(m, &why);
	return answer == ANSWER_REFUSED ? refused(m, &why) : unanswered(m, &why);
}

const FloeEngineOps floe_engine_spark_thrift = {
	.type = "spark-thrift",
	.dialect = FLOE_DIALECT_SPARK,
	.defines_catalog = true,
	.begin = begin,
	.next = next,
	.begin_probe = begin_probe,
};
