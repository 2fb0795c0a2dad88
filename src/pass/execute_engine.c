/*
 * execute_engine.c: doing what an engine adapter asks for.
 *
 * The adapter says SEND, SAVE, WAIT or DONE (engine/ops.h).  What it wants
 * saved is committed before the next request leaves; whether the engine
 * answers at all is noted as the engine's state.
 */
#include "floe.h"

#include "pass/execute.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include "utils/memutils.h"

#define RUN_ARENA_BYTES ((size_t) 16 * 1024 * 1024)
#define SILENCE_NOTE_US INT64CONST(10000000)

typedef struct Timer
{
	FloeOpRun *run;
	uint32 turn;
} Timer;

static void step(FloeOpRun *run, FloeHttpResponse *response);

static void
on_response(void *arg, FloeHttpResponse *response)
{
	FloeOpRun *run = arg;

	run->callbacks--;
	run->request_id = 0;
	if (run->phase == FLOE_RUN_ENGINE)
		step(run, response);
}

static void
on_timer(void *arg)
{
	Timer *timer = arg;
	FloeOpRun *run = timer->run;
	bool current = run->phase == FLOE_RUN_ENGINE && run->waiting && timer->turn == run->turn;

	run->callbacks--;
	pfree(timer);
	if (current)
		step(run, NULL);
}

static const char *
outcome_name(FloeOutcome outcome)
{
	switch (outcome)
	{
		case FLOE_OUTCOME_SUCCEEDED:
			return "succeeded";
		case FLOE_OUTCOME_FAILED:
			return "failed";
		case FLOE_OUTCOME_CANCELLED:
			return "cancelled";
		case FLOE_OUTCOME_LOST:
		case FLOE_OUTCOME_NONE:
			break;
	}
	return "lost";
}

/* After so many failures that no lock explains it goes without the rows that the engine gave: all else is floe's own. */
#define WITH_RESULT 3

static bool
store_ended(FloeOpRun *run, FloeStatus *st)
{
	const FloeBuf *result = &run->run.result;
	/* of a run that did not end well they may be cut off, and no JSON */
	bool has_result =
		run->begun && run->run.outcome == FLOE_OUTCOME_SUCCEEDED && result->data != NULL && result->len > 0;
	bool keep = run->other_failures < WITH_RESULT;

	if (floe_queue_engine_ended(run->op.operation_id, run->outcome, run->error_class, run->error,
								has_result && keep ? result->data : NULL, has_result ? run->run.result_rows : -1, st))
		return true;
	if (st->code != FLOE_ERR_BUSY)
		run->other_failures++;
	return false;
}

static const FloeRunStep ending = {"that the engine is done with it cannot be stored", store_ended, floe_run_verify};

static void
engine_ended(FloeOpRun *run, const char *outcome, const char *error_class, const char *error)
{
	run->outcome = outcome;
	run->error_class = error_class;
	run->error = error != NULL ? MemoryContextStrdup(run->context, error) : NULL;
	floe_run_store(run, &ending);
}

/* Keeps the engine's row in step with whether it answers. */
static void
note_reachability(FloeOpRun *run)
{
	int64 now = floe_clock_steady_us();
	FloeStatus st;

	if (!run->run.unreachable)
	{
		if (run->reached)
			return;
		floe_db_begin();
		/* or at its next answer */
		run->reached = floe_queue_engine_reached(run->op.engine, run->op.operation_id, &st);
		if (!run->reached)
			floe_pass_log(&st, "engine state");
		floe_db_end();
		return;
	}
	if (!run->reached && run->told_silence_us != 0 && now - run->told_silence_us < SILENCE_NOTE_US)
		return;
	if (run->reached || run->told_silence_us == 0)
		floe_pass_progress(run->pass, "engine \"%s\": %s", run->op.engine, run->run.last_failure.message);
	run->reached = false;
	run->told_silence_us = now;
	floe_db_begin();
	if (!floe_queue_engine_unreachable(run->op.engine, run->op.operation_id, false, &run->run.last_failure, &st))
	{
		/* or at its next silence */
		run->told_silence_us = now - SILENCE_NOTE_US;
		floe_pass_log(&st, "engine state");
	}
	floe_db_end();
}

static bool
store_unsent(FloeOpRun *run, FloeStatus *st)
{
	return floe_queue_engine_unreachable(run->op.engine, run->op.operation_id, true, &run->run.last_failure, st);
}

static const FloeRunStep requeueing = {"it cannot go back to the queue", store_unsent, floe_run_over};

static void
not_sent(FloeOpRun *run)
{
	floe_pass_progress(run->pass, "engine \"%s\": %s", run->op.engine, run->run.last_failure.message);
	floe_run_store(run, &requeueing);
}

static bool
store_saved(FloeOpRun *run, FloeStatus *st)
{
	FloeBytes saved = {run->run.saved, run->run.saved_len};

	return floe_queue_saved(run->op.operation_id, saved, run->run.external_id, st);
}

/* Only now may the request leave that needs it. */
static void
saved(FloeOpRun *run)
{
	run->sent_anything = true;
	if (run->run.external_id[0] != '\0' && !run->told_running)
	{
		run->told_running = true;
		floe_pass_progress(run->pass, "operation %lld: %s on %s runs on engine \"%s\"",
						   (long long) run->op.operation_id, run->op.operation, run->op.table_name, run->op.engine);
	}
	step(run, NULL);
}

static const FloeRunStep saving = {"what the engine holds of it cannot be recorded, and nothing is sent before",
								   store_saved, saved};

static void
send_request(FloeOpRun *run)
{
	FloeHttpResponse refused;
	FloeStatus st;

	run->callbacks++;
	if (floe_http_submit(run->pass->http, &run->run.request, on_response, run, &run->request_id, &st))
		return;
	run->callbacks--;
	/* floe's own rules forbid it: the adapter gets that as an answer */
	memset(&refused, 0, sizeof(refused));
	refused.status = st;
	step(run, &refused);
}

static void
wait_for_engine(FloeOpRun *run)
{
	Timer *timer;

	if (!run->pass->options.wait && run->sent_anything && run->run.outcome == FLOE_OUTCOME_NONE &&
		(run->run.unreachable || !run->run.cancel_requested))
	{
		/* the engine has it and goes on by itself; the next pass looks again, even while this one is busy with other things */
		floe_run_leave(run, 0);
		return;
	}
	run->waiting = true;
	timer = MemoryContextAlloc(run->context, sizeof(Timer));
	timer->run = run;
	timer->turn = run->turn;
	run->callbacks++;
	floe_http_after(run->pass->http, run->run.wait_ms, on_timer, timer);
}

/* An answer that shows a working server, be it a refusal, or as much of a stream as floe waited for (keep_partial). */
static bool
is_answer(const FloeHttpResponse *response)
{
	if (response == NULL || response->http_status >= 500)
		return false;
	return response->status.code == FLOE_OK || (response->status.code == FLOE_ERR_TIMEOUT && response->body.len > 0);
}

static void
step(FloeOpRun *run, FloeHttpResponse *response)
{
	bool answered = is_answer(response);
	FloeEngineVerb verb;

	run->waiting = false;
	run->turn++;
	verb = run->engine->next(&run->run, response);
	if (run->run.unreachable && !run->sent_anything)
	{
		not_sent(run);
		return;
	}
	if (run->run.unreachable || answered)
		note_reachability(run);
	switch (verb)
	{
		case FLOE_ENGINE_SEND:
			send_request(run);
			break;
		case FLOE_ENGINE_SAVE:
			floe_run_store(run, &saving);
			break;
		case FLOE_ENGINE_WAIT:
			wait_for_engine(run);
			break;
		case FLOE_ENGINE_DONE:
			engine_ended(run, outcome_name(run->run.outcome),
						 run->run.outcome == FLOE_OUTCOME_FAILED ? floe_error_class_name(run->run.error_class) : NULL,
						 run->run.error);
			break;
	}
}

static void
release_arena(void *arena)
{
	floe_arena_free(arena);
}

static void
release_result(void *buf)
{
	floe_buf_free(buf);
}

/* A new operation, or one that an earlier process dispatched (op.saved). */
void
floe_run_engine(FloeOpRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);
	FloeStatus st;
	bool ok;

	run->phase = FLOE_RUN_ENGINE;
	run->sent_anything = run->op.saved_len > 0;
	run->told_running = run->sent_anything;
	run->run.arena = floe_cleanup_hold(floe_cleanup_register(release_arena), floe_arena_new(RUN_ARENA_BYTES));
	floe_cleanup_hold(floe_cleanup_register(release_result), &run->run.result);
	run->run.target = &run->target;
	run->run.operation_id = run->op.operation_key;
	run->run.statement = run->op.statement;
	run->run.cancel_requested = run->op.cancel_requested;
	if (run->run.arena == NULL)
		ok = floe_fail(&st, FLOE_ERR_NOMEM, "out of memory");
	else
		ok = floe_run_target(run, &st) && run->engine->begin(&run->run, run->op.saved, run->op.saved_len, &st);
	MemoryContextSwitchTo(old);
	run->begun = ok;
	if (!ok)
	{
		engine_ended(run, run->sent_anything ? "lost" : "failed", floe_error_class_name(FLOE_CLASS_CONFIG), st.message);
		return;
	}
	step(run, NULL);
}

void
floe_run_engine_cancel(FloeOpRun *run)
{
	if (run->phase != FLOE_RUN_ENGINE || run->run.cancel_requested)
		return;
	run->run.cancel_requested = true;
	if (run->waiting)
		step(run, NULL);
}

static void
stop_asking(FloeOpRun *run)
{
	if (run->request_id != 0)
	{
		floe_http_abort(run->pass->http, run->request_id);
		run->callbacks--;
	}
	run->request_id = 0;
}

void
floe_run_engine_give_up(FloeOpRun *run, const char *reason)
{
	if (run->phase != FLOE_RUN_ENGINE)
		return;
	stop_asking(run);
	engine_ended(run, "lost", floe_error_class_name(FLOE_CLASS_TRANSIENT), reason);
}

void
floe_run_engine_leave(FloeOpRun *run, const char *reason)
{
	if (run->phase != FLOE_RUN_ENGINE)
		return;
	stop_asking(run);
	floe_pass_progress(run->pass, "operation %lld: %s on %s may still run: %s; a later pass asks again",
					   (long long) run->op.operation_id, run->op.operation, run->op.table_name, reason);
	floe_run_leave(run, FLOE_LEAVE_S);
}
