/*
 * execute.c: an operation from the queue to its verified end.
 *
 * Look at the table once more, hand the statement to the engine, look at the
 * table again: what counts is the difference.  Every step that must survive
 * this process is committed before the next one begins.
 */
#include "floe.h"

#include "pass/execute.h"

#include "utils/memutils.h"

#define VERIFY_RETRY_MS 2000
#define VERIFY_ATTEMPTS 30
#define VERIFY_RETRY_MAX_MS 60000

/* Nothing more is done for it in this pass. */
void
floe_run_over(FloeOpRun *run)
{
	MemoryContext old;

	if (run->phase == FLOE_RUN_OVER)
		return;
	run->phase = FLOE_RUN_OVER;
	run->pass->runs = list_delete_ptr(run->pass->runs, run);
	old = MemoryContextSwitchTo(run->pass->context);
	run->pass->over = lappend(run->pass->over, run);
	MemoryContextSwitchTo(old);
}

static bool
store_release(FloeOpRun *run, FloeStatus *st)
{
	return floe_queue_release(run->op.operation_id, run->leave_s, st);
}

static const FloeRunStep releasing = {"it cannot be left", store_release, floe_run_over};

/* The run is over, the operation is not: somebody else takes it, or this one again after so many seconds. */
void
floe_run_leave(FloeOpRun *run, int seconds)
{
	/* a pass with an end that waits for operations must not take up again, and wait for, what it cannot follow */
	if (!run->pass->endless && run->pass->options.wait)
	{
		floe_run_over(run);
		return;
	}
	/* whoever calls the next pass wants it tried again */
	run->leave_s = run->pass->endless ? seconds : 0;
	floe_run_store(run, &releasing);
}

void
floe_execute_bury(FloePass *pass)
{
	ListCell *cell;

	foreach (cell, pass->over)
	{
		FloeOpRun *run = lfirst(cell);

		if (run->callbacks > 0)
			continue;
		if (run->catalog != NULL)
			run->catalog->refs--;
		pass->over = foreach_delete_current(pass->over, cell);
		MemoryContextDelete(run->context);
	}
}

static bool
store_postponed(FloeOpRun *run, FloeStatus *st)
{
	return floe_queue_postpone(run->op.operation_id, &run->failure, st);
}

static const FloeRunStep postponing = {"it cannot be put off", store_postponed, floe_run_over};

static void
postpone(FloeOpRun *run, const FloeStatus *failure)
{
	floe_pass_progress(run->pass, "operation %lld: %s on %s is put off: %s", (long long) run->op.operation_id,
					   run->op.operation, run->op.table_name, failure->message);
	run->failure = *failure;
	floe_run_store(run, &postponing);
}

/* ---- after the engine ---- */

static bool
store_abandoned(FloeOpRun *run, FloeStatus *st)
{
	return floe_queue_abandon(run->op.operation_id, &run->failure, st);
}

static const FloeRunStep abandoning = {"its end cannot be stored", store_abandoned, floe_run_over};

static void
on_verify_timer(void *arg)
{
	FloeOpRun *run = arg;

	run->callbacks--;
	if (run->phase == FLOE_RUN_VERIFY)
		floe_run_verify(run);
}

static void
verify_failed(FloeOpRun *run, const FloeStatus *failure)
{
	if (failure->code == FLOE_ERR_NOT_FOUND)
	{
		run->failure = *failure;
		floe_run_store(run, &abandoning);
	}
	else if (run->pass->options.wait && (++run->look_attempts < VERIFY_ATTEMPTS || run->pass->endless))
	{
		run->callbacks++;
		floe_http_after(run->pass->http, Min(VERIFY_RETRY_MS << Min(run->look_attempts / 4, 7), VERIFY_RETRY_MAX_MS),
						on_verify_timer, run);
	}
	else
	{
		/* stays "verifying" for the next pass */
		floe_pass_progress(run->pass,
						   "operation %lld: %s on %s ended at the engine; its effect is still to be measured: %s",
						   (long long) run->op.operation_id, run->op.operation, run->op.table_name, failure->message);
		floe_run_leave(run, FLOE_LEAVE_S);
	}
}

static bool
store_verified(FloeOpRun *run, FloeStatus *st)
{
	return floe_queue_verified(run->op.operation_id, &run->state, &run->message, st);
}

static void
verified(FloeOpRun *run)
{
	floe_pass_progress(run->pass, "operation %lld: %s on %s: %s%s%s", (long long) run->op.operation_id,
					   run->op.operation, run->op.table_name, run->state, run->message != NULL ? ": " : "",
					   run->message != NULL ? run->message : "");
	floe_run_over(run);
}

static const FloeRunStep verifying = {"its effect cannot be stored", store_verified, verified};

static void
on_verified(void *arg, const FloeStatus *assessed)
{
	FloeOpRun *run = arg;

	run->callbacks--;
	if (assessed->code != FLOE_OK)
	{
		verify_failed(run, assessed);
		return;
	}
	floe_pass_store_unchanged(run->pass);
	floe_run_store(run, &verifying);
}

/* The connection may have failed, or be an old one, since the run began. */
static void
use_catalog(FloeOpRun *run)
{
	FloePassCatalog *catalog = floe_pass_catalog(run->pass, run->op.catalog);

	if (catalog != NULL)
		catalog->refs++;
	if (run->catalog != NULL)
		run->catalog->refs--;
	run->catalog = catalog;
}

/* What is wrong with the table is for whoever asked. */
static bool
store_claim(FloeOpRun *run, FloeStatus *st)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);

	if (floe_inbox_claim_table(run->pass->pass_id, run->op.table_id, &run->claim, &run->failure))
		floe_status_ok(&run->failure);
	MemoryContextSwitchTo(old);
	*st = run->failure;
	return run->failure.code != FLOE_ERR_BUSY;
}

static void
claimed(FloeOpRun *run)
{
	run->callbacks++;
	if (run->failure.code == FLOE_OK)
		floe_assess_start(run->pass, run->catalog, &run->claim, false, run->looked, run);
	else
		run->looked(run, &run->failure);
}

static const FloeRunStep claiming = {"its table cannot be claimed", store_claim, claimed};

static void
look_at_table(FloeOpRun *run, FloeAssessDone done)
{
	FloeStatus st;

	use_catalog(run);
	run->looked = done;
	if (run->catalog != NULL)
	{
		floe_run_store(run, &claiming);
		return;
	}
	floe_fail(&st, FLOE_ERR_CONFIG, "catalog \"%s\" cannot be used", run->op.catalog);
	run->callbacks++;
	done(run, &st);
}

void
floe_run_verify(FloeOpRun *run)
{
	run->phase = FLOE_RUN_VERIFY;
	look_at_table(run, on_verified);
}

/* ---- before the engine ---- */

/* What is wrong with the operation puts it off. */
static bool
store_preflight(FloeOpRun *run, FloeStatus *st)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);
	bool is_there;

	run->message = NULL;
	if (floe_queue_preflight(run->op.operation_id, run->engine_conn->server_type,
							 floe_run_engine_catalog(run, &is_there), &run->op.statement, &run->message, &run->failure))
		floe_status_ok(&run->failure);
	MemoryContextSwitchTo(old);
	*st = run->failure;
	return run->failure.code != FLOE_ERR_BUSY;
}

static void
checked(FloeOpRun *run)
{
	if (run->failure.code != FLOE_OK)
	{
		FloeStatus failure = run->failure;

		postpone(run, &failure);
	}
	else if (run->op.statement == NULL)
	{
		floe_pass_progress(run->pass, "operation %lld: %s on %s is not sent: %s", (long long) run->op.operation_id,
						   run->op.operation, run->op.table_name, run->message);
		floe_run_over(run);
	}
	else
		floe_run_engine(run);
}

static const FloeRunStep checking = {"it cannot be checked once more", store_preflight, checked};

static void on_preflight(void *arg, const FloeStatus *assessed);

static void
on_preflight_timer(void *arg)
{
	FloeOpRun *run = arg;

	run->callbacks--;
	if (run->phase == FLOE_RUN_PREFLIGHT)
		look_at_table(run, on_preflight);
}

static void
on_preflight(void *arg, const FloeStatus *assessed)
{
	FloeOpRun *run = arg;

	run->callbacks--;
	/* what was seen of the table could not be stored */
	if (assessed->code == FLOE_ERR_BUSY && floe_run_after(run, ++run->look_attempts, on_preflight_timer))
		return;
	if (assessed->code != FLOE_OK)
	{
		postpone(run, assessed);
		return;
	}
	run->look_attempts = 0;
	floe_pass_store_unchanged(run->pass);
	floe_run_store(run, &checking);
}

static char *
copy_text(const char *text)
{
	return text != NULL ? pstrdup(text) : NULL;
}

/*
 * Its engine or catalog cannot be used.  What was not sent goes back to the
 * queue; what may run at an engine stays until its server is back, or until it
 * must have ended.
 */
static void
leave(FloeOpRun *run, bool is_silent, const FloeStatus *why)
{
	FloeStatus st;

	if (run->op.saved == NULL && strcmp(run->op.state, "dispatching") == 0)
	{
		postpone(run, why);
		return;
	}
	floe_pass_progress(run->pass, "operation %lld: %s on %s cannot be followed: %s", (long long) run->op.operation_id,
					   run->op.operation, run->op.table_name, why->message);
	if (is_silent)
	{
		floe_db_begin();
		if (!floe_queue_engine_unreachable(run->op.engine, run->op.operation_id, false, why, &st))
			floe_pass_log(&st, "engine state");
		floe_db_end();
	}
	floe_run_leave(run, FLOE_LEAVE_S);
}

static FloeOpRun *
new_run(FloePass *pass, const FloeOperation *op)
{
	MemoryContext context = AllocSetContextCreate(pass->context, "floe operation", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FloeOpRun *run = palloc0(sizeof(FloeOpRun));
	bool needs_engine = strcmp(op->state, "verifying") != 0;
	bool has_catalog;
	FloeStatus st;

	run->pass = pass;
	run->context = context;
	run->op = *op;
	run->op.operation_key = copy_text(op->operation_key);
	run->op.table_name = copy_text(op->table_name);
	run->op.operation = copy_text(op->operation);
	run->op.state = copy_text(op->state);
	run->op.engine = copy_text(op->engine);
	run->op.catalog = copy_text(op->catalog);
	run->op.statement = copy_text(op->statement);
	run->op.resources = copy_text(op->resources);
	if (op->saved != NULL)
	{
		run->op.saved = palloc(op->saved_len);
		memcpy(run->op.saved, op->saved, op->saved_len);
	}
	use_catalog(run);
	floe_db_begin();
	run->engine_conn = floe_conn_resolve(FLOE_WRAPPER_ENGINE, op->engine, &st);
	floe_db_end();
	run->engine = run->engine_conn != NULL ? floe_engine_lookup(run->engine_conn->server_type) : NULL;
	MemoryContextSwitchTo(pass->context);
	pass->runs = lappend(pass->runs, run);
	MemoryContextSwitchTo(old);
	/* its credentials may be refused before anything is sent: then there is a server, and no catalog */
	has_catalog =
		run->catalog != NULL && run->catalog->conn != NULL && (!needs_engine || run->catalog->catalog != NULL);
	if ((!needs_engine || run->engine != NULL) && has_catalog)
		return run;
	if (run->catalog != NULL && run->catalog->conn != NULL && !has_catalog)
		st = run->catalog->failure;
	else if (!has_catalog)
		floe_fail(&st, FLOE_ERR_CONFIG, "catalog \"%s\" cannot be used", op->catalog);
	else if (run->engine_conn != NULL)
		floe_fail(&st, FLOE_ERR_CONFIG, "engine \"%s\" has TYPE \"%s\", which floe does not speak", op->engine,
				  run->engine_conn->server_type);
	leave(run, needs_engine && run->engine == NULL, &st);
	return NULL;
}

void
floe_execute_adopt(FloePass *pass)
{
	FloeOperation *ops = NULL;
	int n = 0;
	FloeStatus st;

	floe_db_begin();
	if (!floe_queue_adopt(pass->pass_id, pass->options.pattern, &ops, &n, &st))
		floe_pass_log(&st, "taking over operations");
	floe_db_end();
	for (int i = 0; i < n; i++)
	{
		FloeOpRun *run = new_run(pass, &ops[i]);

		if (run == NULL)
			continue;
		floe_pass_progress(pass, "operation %lld: %s on %s was left %s by a process that is gone; taken over",
						   (long long) ops[i].operation_id, ops[i].operation, ops[i].table_name, ops[i].state);
		if (strcmp(ops[i].state, "verifying") == 0)
			floe_run_verify(run);
		else
			floe_run_engine(run);
	}
	/* some may have been silent for too long while nobody drove them */
	if (n > 0)
		floe_execute_check_stops(pass);
}

void
floe_execute_claim(FloePass *pass)
{
	for (;;)
	{
		FloeOperation op;
		FloeOpRun *run;
		bool found = false;
		FloeStatus st;

		floe_db_begin();
		if (!floe_queue_claim(pass->pass_id, pass->options.pattern, &op, &found, &st))
			floe_pass_log(&st, "claiming an operation");
		floe_db_end();
		if (!found)
			return;
		run = new_run(pass, &op);
		if (run == NULL)
			continue;
		run->phase = FLOE_RUN_PREFLIGHT;
		look_at_table(run, on_preflight);
	}
}

void
floe_execute_check_stops(FloePass *pass)
{
	FloeStop *stops = NULL;
	int n = 0;
	FloeStatus st;

	if (pass->runs == NIL)
		return;
	floe_db_begin();
	if (!floe_queue_to_stop(pass->pass_id, &stops, &n, &st))
		floe_pass_log(&st, "looking for operations to stop");
	floe_db_end();
	for (int i = 0; i < n; i++)
	{
		List *runs = list_copy(pass->runs);
		ListCell *cell;

		foreach (cell, runs)
		{
			FloeOpRun *run = lfirst(cell);

			if (run->op.operation_id != stops[i].operation_id)
				continue;
			if (stops[i].give_up)
				floe_run_engine_give_up(run, stops[i].reason);
			else if (stops[i].leave)
				floe_run_engine_leave(run, stops[i].reason);
			else
				floe_run_engine_cancel(run);
		}
		list_free(runs);
	}
}

int
floe_execute_busy(const FloePass *pass)
{
	return list_length(pass->runs);
}
