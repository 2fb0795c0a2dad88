/*
 * spark_connect.c: Spark Connect (gRPC), of Spark 3.5 and 4, as an engine of floe.
 *
 * The state machine alone: which call follows which answer.  One session per
 * operation.  floe chooses the ids of both and saves them before the statement
 * leaves, so in any process the operation is found again by its id.
 *
 *     CONFIG  save  EXECUTE  save  ATTACH…  save  RELEASE_EXECUTE  RELEASE_SESSION  done
 *
 * A statement's answer is a stream that is open as long as the statement runs.
 * floe does not hold it: each request ends after seconds, and the next one
 * attaches to the operation again behind the response that came last.  Nobody
 * may stay away for longer than the server's
 * spark.connect.execute.manager.detachedTimeout (5 minutes), or it interrupts.
 *
 * A server that is silent, and one whose statement just has nothing to say
 * yet, look alike on a stream.  So a silence is followed by CHECK: ExecutePlan
 * under the same id with a plan that does nothing.  A server that has the
 * operation refuses that at once, in both versions.  One that does not runs
 * it, and then the id is taken: should the statement still be on its way, it
 * is refused when it arrives.  Either answer settles whether it runs, and the
 * statement itself is sent once.
 *
 * Spark registers an operation before it starts its thread, and kills one that
 * is attached to in between.  So some time passes before the first ATTACH.
 */
#include "floe.h"

#include "engine/spark_connect.h"

#include "base/json.h"
#include "engine/arrow.h"

#include <string.h>

#define ATTACH_PAUSE_MS 200
#define SILENT_PAUSE_MS 1000

/* After Interrupt: so often, before the operation is released under a statement that does not end. */
#define CANCEL_POLLS 20

/* Results are evidence, not the purpose. */
#define KEEP_ROWS 1000

#define CLOSE_TRIES 3

/* ReattachExecute on an operation without a thread: it died, or, under load, has not started yet. */
#define ORPHANED "Operation was orphaned"

/* -------------------------------------------------------------------------
 * Steps
 * ------------------------------------------------------------------------- */

FloeEngineVerb
floe_connect_enter(FloeConnectRun *m, FloeConnectStep step)
{
	FloeEngineRun *run = m->run;

	if (run->cancel_requested && !m->is_probe)
	{
		/* nothing was sent that would have to be stopped */
		if (step == CONNECT_CONFIG || step == CONNECT_EXECUTE)
			return floe_connect_finish(m, FLOE_OUTCOME_CANCELLED);
		if (step == CONNECT_ATTACH && !m->cancel_sent && !m->is_finished)
			step = CONNECT_INTERRUPT;
	}
	m->step = step;
	if (step == CONNECT_DONE)
		return floe_adapter_done(run, m->outcome);
	return floe_connect_send(m);
}

/* That the statement finished is made durable before the operation is released: afterwards the server does not know it. */
static FloeEngineVerb
finished(FloeConnectRun *m)
{
	m->is_finished = m->is_known = true;
	m->may_run = false;
	m->outcome = FLOE_OUTCOME_SUCCEEDED;
	m->failures = 0;
	floe_connect_save(m);
	m->step = CONNECT_RELEASE_EXECUTE;
	return FLOE_ENGINE_SAVE;
}

/* The server has the operation; the first time, people may know. */
static FloeEngineVerb
known(FloeConnectRun *m, int pause_ms)
{
	m->failures = 0;
	if (m->is_known)
		return floe_connect_wait(m, pause_ms, CONNECT_ATTACH);
	m->is_known = true;
	floe_connect_save(m);
	m->step = CONNECT_ATTACH;
	m->pause_ms = pause_ms;
	m->run->unreachable = false;
	return FLOE_ENGINE_SAVE;
}

static FloeEngineVerb
gone(FloeConnectRun *m)
{
	m->may_run = false;
	if (m->is_finished)
		return floe_connect_finish(m, FLOE_OUTCOME_SUCCEEDED);
	return floe_connect_lost(m, "the engine no longer knows the operation");
}

/* No answer, or one that says nothing: what that means for the step. */
static FloeEngineVerb
unanswered(FloeConnectRun *m, const FloeStatus *why)
{
	switch (m->step)
	{
		case CONNECT_EXECUTE:
			/* whether it was received is unknown */
			floe_connect_note(m, why);
			return floe_connect_enter(m, CONNECT_CHECK);
		case CONNECT_ERROR_DETAILS:
			return floe_connect_finish(m, FLOE_OUTCOME_FAILED);
		case CONNECT_RELEASE_EXECUTE:
			if (m->may_run)
				break;
			if (m->failures + 1 >= CLOSE_TRIES)
			{
				m->failures = 0;
				return floe_connect_enter(m, CONNECT_RELEASE_SESSION);
			}
			m->run->outcome = m->outcome;
			break;
		case CONNECT_RELEASE_SESSION:
			if (m->is_probe || m->failures + 1 >= CLOSE_TRIES)
				return floe_connect_closed(m);
			m->run->outcome = m->outcome;
			break;
		default:
			m->run->outcome = FLOE_OUTCOME_NONE;
			break;
	}
	return floe_connect_retry(m, why);
}

/* -------------------------------------------------------------------------
 * The stream
 * ------------------------------------------------------------------------- */

/* Rows that cannot be read are left out; what the engine did is not in question. */
static void
take_rows(FloeConnectRun *m, const FloeConnectPart *part)
{
	FloeEngineRun *run = m->run;
	FloeStatus why;

	floe_buf_reset(&run->result);
	run->result_rows = 0;
	if (floe_arrow_rows(part->rows, part->rows_len, &m->secrets, &run->result, FLOE_ENGINE_RESULT_MAX, KEEP_ROWS,
						&run->result_rows, &why))
		return;
	floe_connect_note(m, &why);
	floe_buf_reset(&run->result);
	run->result_rows = 0;
}

static bool
is_nothing(const FloeConnectPart *part)
{
	return part->query_len == strlen(FLOE_CONNECT_NOTHING) &&
		   memcmp(part->query, FLOE_CONNECT_NOTHING, part->query_len) == 0;
}

/* False when what came is no such stream. */
static bool
read_stream(FloeConnectRun *m, const FloeBuf *body, FloeStatus *why)
{
	FloeCursor all;
	FloeCursor message;

	m->has_parts = false;
	floe_cursor_init(&all, body->data != NULL ? body->data : "", body->len);
	while (floe_grpc_next(&all, &message))
	{
		FloeConnectPart part;

		if (!floe_connect_read_part(message, &part))
		{
			all.bad = true;
			break;
		}
		m->has_parts = true;
		if (part.response_id[0] != '\0')
			strcpy(m->last_response, part.response_id);
		m->is_complete = m->is_complete || part.is_complete;
		m->is_absent = m->is_absent || is_nothing(&part);
		if (part.has_rows)
			take_rows(m, &part);
	}
	return !all.bad || floe_fail(why, FLOE_ERR_PROTOCOL, "the answer to %s is no stream of Spark Connect",
								 m->step == CONNECT_ATTACH ? "ReattachExecute" : "ExecutePlan");
}

/* Of EXECUTE, ATTACH and CHECK, with or without an end. */
static FloeEngineVerb
stream_answered(FloeConnectRun *m, const FloeHttpResponse *response, FloeConnectAnswer answer)
{
	FloeStatus why;

	if (answer == ANSWER_LARGE)
		return finished(m); /* only rows are large, and they come when the statement is done */
	if (!read_stream(m, &response->body, &why))
		return unanswered(m, &why);
	if (m->is_absent)
	{
		m->may_run = false;
		return floe_connect_lost(m, "the engine has not received the statement");
	}
	if (m->is_complete && m->step != CONNECT_CHECK)
		return finished(m);
	if (m->step == CONNECT_ATTACH && m->cancel_sent && ++m->polls > CANCEL_POLLS)
		return floe_connect_finish(m, FLOE_OUTCOME_CANCELLED);
	if (m->step == CONNECT_CHECK || (answer == ANSWER_CUT && !m->has_parts))
	{
		if (m->step != CONNECT_CHECK)
			return floe_connect_enter(m, CONNECT_CHECK);
		floe_fail(&why, FLOE_ERR_PROTOCOL, "the engine does not say whether it has the operation");
		return unanswered(m, &why);
	}
	return known(m, ATTACH_PAUSE_MS);
}

/* Spark reports the end of the statement, or refuses the call. */
static FloeEngineVerb
stream_failed(FloeConnectRun *m)
{
	FloeBuf text;
	FloeEngineVerb verb;

	if (m->step == CONNECT_CHECK)
	{
		FloeStatus why;

		floe_fail_detail(&why, FLOE_ERR_SERVER, m->end.message, "the engine refused ExecutePlan");
		return unanswered(m, &why);
	}
	m->may_run = false;
	/* Spark found no thread of it, and has interrupted what there may be: the table decides */
	if (m->step == CONNECT_ATTACH && strstr(m->end.message, ORPHANED) != NULL)
		return floe_connect_lost(m, "the engine gave the operation up");
	if (floe_connect_is_cancelled(m))
	{
		/* an interrupted thread may have been in the middle of a commit */
		m->must_settle = true;
		if (m->run->cancel_requested)
			return floe_connect_finish(m, FLOE_OUTCOME_CANCELLED);
		return floe_connect_fail_text(m, "", 0, "the statement was ended at the engine");
	}
	floe_buf_init(&text, 65536);
	floe_connect_end_text(m, &text);
	verb = floe_connect_fail_text(m, text.data != NULL ? text.data : "", text.len,
								  "the engine reports an error without a message");
	floe_buf_free(&text);
	return verb;
}

/* -------------------------------------------------------------------------
 * Single answers
 * ------------------------------------------------------------------------- */

/* The only message of an answer. */
static bool
only_message(const FloeBuf *body, FloeCursor *message)
{
	FloeCursor all;

	floe_cursor_init(&all, body->data != NULL ? body->data : "", body->len);
	return floe_grpc_next(&all, message);
}

static FloeEngineVerb
no_message(FloeConnectRun *m, const char *call)
{
	FloeStatus why;

	floe_fail(&why, FLOE_ERR_PROTOCOL, "the answer to %s is none of Spark Connect", call);
	return floe_connect_fail(m, &why);
}

static FloeEngineVerb
config_answered(FloeConnectRun *m, const FloeBuf *body)
{
	FloeCursor message;

	if (!only_message(body, &message) ||
		!floe_connect_read_config(message, m->server_session, sizeof(m->server_session)))
		return no_message(m, "Config");
	m->has_session = true;
	m->failures = 0;
	if (m->run->cancel_requested)
		return floe_connect_finish(m, FLOE_OUTCOME_CANCELLED);
	floe_connect_save(m);
	m->step = CONNECT_EXECUTE;
	return FLOE_ENGINE_SAVE;
}

static FloeEngineVerb
version_answered(FloeConnectRun *m, const FloeBuf *body)
{
	FloeBuf *result = &m->run->result;
	FloeCursor message;
	char version[64];

	if (!only_message(body, &message) || !floe_connect_read_version(message, version, sizeof(version)))
		return no_message(m, "AnalyzePlan");
	m->has_session = true;
	floe_secrets_mask(&m->secrets, version, sizeof(version));
	floe_buf_text(result, "[{\"product\":\"Spark\",\"version\":");
	floe_json_quote(result, version, strlen(version));
	floe_buf_text(result, "}]");
	m->run->result_rows = 1;
	return floe_connect_finish(m, FLOE_OUTCOME_SUCCEEDED);
}

static FloeEngineVerb
interrupt_answered(FloeConnectRun *m)
{
	m->failures = 0;
	m->cancel_sent = true;
	m->polls = 0;
	/* it may have finished before: its stream tells */
	return floe_connect_enter(m, CONNECT_ATTACH);
}

/* The causes, which the first answer had no room for; without them it is classified by its own text. */
static FloeEngineVerb
details_answered(FloeConnectRun *m, const FloeBuf *body)
{
	FloeCursor message;
	FloeEngineVerb verb;
	FloeBuf text;

	floe_buf_init(&text, 65536);
	if (only_message(body, &message))
		floe_connect_read_error(message, &text);
	if (text.len > 0)
	{
		m->end.error_id[0] = '\0'; /* they are asked for once */
		verb = floe_connect_fail_text(m, text.data, text.len, "");
	}
	else
		verb = floe_connect_finish(m, FLOE_OUTCOME_FAILED);
	floe_buf_free(&text);
	return verb;
}

static FloeEngineVerb
released(FloeConnectRun *m)
{
	if (m->may_run)
		m->must_settle = true;
	m->may_run = false;
	m->failures = 0;
	return floe_connect_enter(m, CONNECT_RELEASE_SESSION);
}

static FloeEngineVerb
single_answered(FloeConnectRun *m, const FloeBuf *body)
{
	switch (m->step)
	{
		case CONNECT_CONFIG:
			return config_answered(m, body);
		case CONNECT_VERSION:
			return version_answered(m, body);
		case CONNECT_INTERRUPT:
			return interrupt_answered(m);
		case CONNECT_ERROR_DETAILS:
			return details_answered(m, body);
		case CONNECT_RELEASE_EXECUTE:
			return released(m);
		default:
			return floe_connect_closed(m);
	}
}

/* A call that is not a stream's was refused by Spark itself. */
static FloeEngineVerb
single_failed(FloeConnectRun *m, FloeConnectAnswer answer)
{
	FloeStatus why;

	switch (m->step)
	{
		case CONNECT_CONFIG:
		case CONNECT_VERSION:
			return stream_failed(m);
		case CONNECT_INTERRUPT:
			return answer == ANSWER_GONE ? gone(m) : interrupt_answered(m);
		case CONNECT_ERROR_DETAILS:
			return floe_connect_finish(m, FLOE_OUTCOME_FAILED);
		case CONNECT_RELEASE_EXECUTE:
			if (answer == ANSWER_GONE || !m->may_run)
				return released(m);
			floe_fail_detail(&why, FLOE_ERR_SERVER, m->end.message, "the engine refused ReleaseExecute");
			return unanswered(m, &why);
		default:
			return floe_connect_closed(m);
	}
}

/* The request is not served as things are.  Before anything may run, that is the end. */
static FloeEngineVerb
refused(FloeConnectRun *m, const FloeStatus *why)
{
	if (m->step == CONNECT_RELEASE_SESSION)
		return floe_connect_closed(m); /* Spark 3.5 has no such call */
	if (m->step == CONNECT_CONFIG || m->step == CONNECT_VERSION || m->step == CONNECT_EXECUTE)
		return floe_connect_fail(m, why);
	return unanswered(m, why);
}

static bool
is_stream(FloeConnectStep step)
{
	return step == CONNECT_EXECUTE || step == CONNECT_ATTACH || step == CONNECT_CHECK;
}

static FloeEngineVerb
answered(FloeConnectRun *m, const FloeHttpResponse *response, FloeConnectAnswer answer, const FloeStatus *why)
{
	m->run->unreachable = false;
	if (!is_stream(m->step))
		return answer == ANSWER_OK ? single_answered(m, &response->body) : single_failed(m, answer);
	switch (answer)
	{
		case ANSWER_EXISTS:
			if (m->step == CONNECT_ATTACH)
				return unanswered(m, why);
			return known(m, SILENT_PAUSE_MS);
		case ANSWER_GONE:
			/* by that name the server may not have received it yet */
			if (m->step == CONNECT_ATTACH && !m->is_known)
				return floe_connect_enter(m, CONNECT_CHECK);
			return gone(m);
		case ANSWER_FAILED:
			/* what came before the failure is of no interest */
			return stream_failed(m);
		default:
			return stream_answered(m, response, answer);
	}
}

/* -------------------------------------------------------------------------
 * The adapter
 * ------------------------------------------------------------------------- */

static FloeConnectRun *
start(FloeEngineRun *run, bool is_probe, FloeStatus *st)
{
	FloeConnectRun *m = floe_arena_alloc0(run->arena, sizeof(FloeConnectRun));

	if (m == NULL)
	{
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory for an operation at the engine");
		return NULL;
	}
	m->run = run;
	m->is_probe = is_probe;
	floe_adapter_reset(run, m);
	return floe_connect_prepare(m, st) ? m : NULL;
}

static bool
begin(FloeEngineRun *run, const char *saved, size_t saved_len, FloeStatus *st)
{
	FloeConnectRun *m = start(run, false, st);

	if (m == NULL)
		return false;
	if (saved_len == 0)
	{
		m->step = CONNECT_CONFIG;
		return floe_connect_new_ids(m, st);
	}
	if (!floe_connect_restore(m, saved, saved_len, st))
		return false;
	m->has_session = true;
	m->may_run = !m->is_finished;
	/* the statement may have been sent before the process ended, and may not have */
	m->step = m->is_known ? CONNECT_ATTACH : CONNECT_CHECK;
	return true;
}

static bool
begin_probe(FloeEngineRun *run, FloeStatus *st)
{
	FloeConnectRun *m = start(run, true, st);

	if (m == NULL)
		return false;
	m->step = CONNECT_VERSION;
	return floe_connect_new_ids(m, st);
}

static FloeEngineVerb
next(FloeEngineRun *run, FloeHttpResponse *response)
{
	FloeConnectRun *m = run->state;
	FloeConnectAnswer answer;
	FloeStatus why;

	if (!m->is_sent)
	{
		int pause_ms = m->pause_ms;

		m->pause_ms = 0;
		return pause_ms > 0 ? floe_connect_wait(m, pause_ms, m->step) : floe_connect_enter(m, m->step);
	}
	m->is_sent = false;
	answer = floe_connect_classify(m, response, &why);
	if (answer != ANSWER_REFUSED && answer != ANSWER_NONE)
		return answered(m, response, answer, &why);
	if (m->is_probe && m->step != CONNECT_RELEASE_SESSION)
		return floe_connect_fail(m, &why);
	return answer == ANSWER_REFUSED ? refused(m, &why) : unanswered(m, &why);
}

const FloeEngineOps floe_engine_spark_connect = {
	.type = "spark-connect",
	.dialect = FLOE_DIALECT_SPARK,
	.defines_catalog = true,
	.begin = begin,
	.next = next,
	.begin_probe = begin_probe,
};
