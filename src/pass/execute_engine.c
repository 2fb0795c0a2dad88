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

static void
engine_ended(FloeOpRun *run, const char *outcome, const char *error_class, const char *error)
{
	const FloeBuf *result = &run->run.result;
	bool has_result = run->begun && result->data != NULL && result->len > 0;
	FloeStatus st;

	run->waiting = false;
	floe_db_begin();
	if (!floe_queue_engine_ended(run->op.operation_id, outcome, error_class, error, has_result ? result->data : NULL,
								 has_result ? run->run.result_rows : -1, &st))
		floe_pass_log(&st, "end of an operation");
	floe_db_end();
	floe_run_verify(run);
}

/* Keeps the engine's row in step with whether it answers. */
static bool
note_reachability(FloeOpRun *run)
{
	int64 now = floe_clock_steady_us();
	FloeStatus st;

	if (!run->run.unreachable)
	{
		if (run->reached)
			return true;
		run->reached = true;
		floe_db_begin();
		if (!floe_queue_engine_reached(run->op.engine, run->op.operation_id, &st))
			floe_pass_log(&st, "engine state");
		floe_db_end();
		return true;
	}
	if (!run->reached && run->told_silence_us != 0 && now - run->told_silence_us < SILENCE_NOTE_US &&
		run->sent_anything)
		return true;
	if (run->reached || run->told_silence_us == 0)
		floe_pass_progress(run->pass, "engine \"%s\": %s", run->op.engine, run->run.last_failure.message);
	run->reached = false;
	run->told_silence_us = now;
	floe_db_begin();
	if (!floe_queue_engine_unreachable(run->op.engine, run->op.operation_id, !run->sent_anything,
									   &run->run.last_failure, &st))
		floe_pass_log(&st, "engine state");
	floe_db_end();
	return run->sent_anything; /* otherwise the operation is back in the queue */
}

static void
save(FloeOpRun *run)
{
	FloeBytes saved = {run->run.saved, run->run.saved_len};
	FloeStatus st;

	floe_db_begin();
	if (!floe_queue_saved(run->op.operation_id, saved, run->run.external_id, &st))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("cannot record operation %lld before it is sent: %s",
																(long long) run->op.operation_id, st.message)));
	floe_db_end();
	run->sent_anything = true;
	if (run->run.external_id[0] != '\0' && !run->told_running)
	{
		run->told_running = true;
		floe_pass_progress(run->pass, "operation %lld: %s on %s runs on engine \"%s\"",
						   (long long) run->op.operation_id, run->op.operation, run->op.table_name, run->op.engine);
	}
}

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

/* An answer that shows a working server, be it a refusal. */
static bool
is_answer(const FloeHttpResponse *response)
{
	return response != NULL && response->status.code == FLOE_OK && response->http_status < 500;
}

static void
step(FloeOpRun *run, FloeHttpResponse *response)
{
	for (;;)
	{
		bool answered = is_answer(response);
		FloeEngineVerb verb;

		run->waiting = false;
		run->turn++;
		verb = run->engine->next(&run->run, response);
		response = NULL;
		if ((run->run.unreachable || answered) && !note_reachability(run))
		{
			floe_run_over(run);
			return;
		}
		switch (verb)
		{
			case FLOE_ENGINE_SEND:
				send_request(run);
				return;
			case FLOE_ENGINE_SAVE:
				save(run);
				break;
			case FLOE_ENGINE_WAIT:
				wait_for_engine(run);
				return;
			case FLOE_ENGINE_DONE:
				engine_ended(run, outcome_name(run->run.outcome),
							 run->run.outcome == FLOE_OUTCOME_FAILED ? floe_error_class_name(run->run.error_class)
																	 : NULL,
							 run->run.error);
				return;
		}
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
