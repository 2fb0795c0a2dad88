/*
 * execute_store.c: a step of the database that an operation cannot go on without.
 *
 * Such a step may fail although nothing is wrong with the operation: somebody
 * holds a row for longer than lock_timeout, a deadlock, a full disk.  Then the
 * run stays where it is, and only this step is done again until it is stored:
 * nothing is asked of the engine twice, nothing is forgotten.  Separate because
 * every part of an operation's way needs it.
 */
#include "floe.h"

#include "pass/execute.h"

#define AGAIN_MS 1000
#define AGAIN_MAX_MS 15000
#define ATTEMPTS 30 /* of a pass with an end; whoever comes after it takes over what it leaves */

static void attempt(FloeOpRun *run);

static void
on_again(void *arg)
{
	FloeOpRun *run = arg;

	run->callbacks--;
	if (run->phase == FLOE_RUN_STORE)
		attempt(run);
}

/* False: a pass with an end has waited for long enough. */
bool
floe_run_after(FloeOpRun *run, int attempts, void (*again)(void *run))
{
	if (!run->pass->endless && attempts >= ATTEMPTS)
		return false;
	run->callbacks++;
	floe_http_after(run->pass->http, Min(AGAIN_MS << Min(attempts / 8, 4), AGAIN_MAX_MS), again, run);
	return true;
}

static void
attempt(FloeOpRun *run)
{
	const FloeRunStep *step = run->step;
	FloeStatus st;
	bool ok;

	floe_db_begin();
	ok = step->store(run, &st);
	floe_db_end();
	if (ok)
	{
		run->phase = run->resumes;
		step->then(run);
		return;
	}
	floe_status_prefix(&st, "operation %lld: %s", (long long) run->op.operation_id, step->what);
	if (run->step_failures == 0)
		floe_pass_progress(run->pass, "%s; tried again", st.message);
	floe_pass_log(&st, "a step is repeated");
	if (!floe_run_after(run, ++run->step_failures, on_again))
		floe_run_over(run);
}

void
floe_run_store(FloeOpRun *run, const FloeRunStep *step)
{
	if (run->phase == FLOE_RUN_OVER)
		return;
	run->waiting = false;
	run->step = step;
	run->step_failures = 0;
	run->resumes = run->phase;
	run->phase = FLOE_RUN_STORE;
	attempt(run);
}
