/*
 * run.c: a pass with an end: what starts when, and when it is over; and the steps that serve.c repeats for ever.
 */
#include "floe.h"

#include "pass/pass.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "guc.h"

#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

#define TURN_MS 1000
#define PURGE_ROWS 5000
#define PLAN_TABLES 500
#define MAX_ROUNDS 20

void
floe_pass_progress(FloePass *pass, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	if (pass->options.progress == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* names of tables are in it, and it may end in the middle of a character */
	floe_utf8_one_line(text);
	pass->options.progress(text);
}

void
floe_pass_log(const FloeStatus *st, const char *what)
{
	ereport(LOG,
			(errmsg("floe: %s: %s", what, st->message), st->detail[0] != '\0' ? errdetail_log("%s", st->detail) : 0));
}

static FloeHttp *
create_http(void)
{
	FloeHttpOptions options;

	floe_http_default_options(&options);
	options.connect_timeout_ms = floe_connect_timeout_ms;
	options.total_timeout_ms = floe_request_timeout_ms;
	options.max_connections = floe_max_connections;
	options.max_connections_per_host = floe_max_connections_per_host;
	options.max_in_flight = floe_max_connections;
	options.allowed_hosts = floe_allowed_hosts;
	return floe_http_create(&options);
}

static void
release_avro(void *reader)
{
	floe_avro_reader_free(reader);
}

FloePass *
floe_pass_create(const FloePassOptions *options)
{
	FloePass *pass = palloc0(sizeof(FloePass));
	FloeCleanup *cleanup = floe_cleanup_register(release_avro);

	pass->options = *options;
	pass->endless = options->on_turn != NULL;
	pass->context = CurrentMemoryContext;
	pass->scratch = AllocSetContextCreate(CurrentMemoryContext, "floe pass turn", ALLOCSET_DEFAULT_SIZES);
	pass->http = create_http();
	pass->avro = floe_cleanup_hold(cleanup, floe_avro_reader_new(&floe_avro_default_limits));
	if (pass->avro == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return pass;
}

/* Waits for something to happen, in memory that is forgotten afterwards. */
void
floe_pass_turn(FloePass *pass, int timeout_ms)
{
	MemoryContext old = MemoryContextSwitchTo(pass->scratch);

	floe_pass_flush_unchanged(pass);
	floe_http_wait(pass->http, pass->ngiven_back > 0 ? Min(timeout_ms, TURN_MS) : timeout_ms);
	if (floe_clock_steady_us() - pass->last_stop_check_us > TURN_MS * INT64CONST(1000))
	{
		pass->last_stop_check_us = floe_clock_steady_us();
		floe_execute_check_stops(pass);
	}
	floe_execute_bury(pass);
	floe_pass_sweep_catalogs(pass);
	MemoryContextSwitchTo(old);
	MemoryContextReset(pass->scratch);
}

/* Steps 1 to 4: until all catalogs are listed and nothing due is left. */
static void
assess_all(FloePass *pass)
{
	for (;;)
	{
		bool found = floe_pass_claim_tables(pass);

		if (!found && pass->connecting == 0 && pass->assessing == 0)
			break;
		floe_pass_turn(pass, TURN_MS);
	}
}

/* Steps 5 to 9 for so many tables that are due; returns how many operations were queued. */
int
floe_pass_plan_due(FloePass *pass, bool *more)
{
	int32 decided = 0;
	int32 queued = 0;
	FloeStatus st;

	floe_db_begin();
	if (!floe_inbox_plan_due(PLAN_TABLES, &decided, &queued, &st))
	{
		floe_pass_log(&st, "planning");
		queued = -1;
	}
	floe_db_end();
	*more = decided >= PLAN_TABLES;
	return queued;
}

/* Whatever is due; with a pattern, all of it. */
static int
plan(FloePass *pass)
{
	int32 queued = 0;
	bool more = pass->options.pattern == NULL;
	FloeStatus st;

	while (more)
		queued += Max(floe_pass_plan_due(pass, &more), 0);
	if (pass->options.pattern != NULL)
	{
		floe_db_begin();
		if (!floe_inbox_plan_and_queue(pass->options.pattern, &queued, &st))
			floe_pass_log(&st, "planning");
		floe_db_end();
	}
	if (queued > 0)
		floe_pass_progress(pass, "%d operation%s queued", queued, queued == 1 ? "" : "s");
	return queued;
}

static bool
anything_pending(FloePass *pass, int32 *live)
{
	int32 queued = 0;
	int64 next_ms;
	FloeStatus st;

	*live = 0;
	floe_db_begin();
	if (!floe_queue_pending(pass->pass_id, pass->options.pattern, &queued, live, &next_ms, &st))
		floe_pass_log(&st, "looking at the queue");
	floe_db_end();
	return queued > 0 || *live > 0 || floe_execute_busy(pass) > 0;
}

/* Steps 10 to 14, until nothing is left to do but to wait for engines. */
static void
execute(FloePass *pass)
{
	do
	{
		floe_execute_claim(pass);
		while (floe_execute_busy(pass) > 0)
		{
			floe_pass_turn(pass, TURN_MS);
			floe_execute_claim(pass);
		}
		floe_execute_claim(pass);
	} while (floe_execute_busy(pass) > 0);
}

/* The same, until nothing is queued or live, planning anew after what was done. */
static void
execute_to_the_end(FloePass *pass)
{
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		int32 live;

		while (anything_pending(pass, &live))
		{
			floe_execute_adopt(pass);
			floe_execute_claim(pass);
			floe_pass_turn(pass, TURN_MS);
		}
		if (plan(pass) == 0)
			return;
	}
}

bool
floe_pass_purge(FloePass *pass)
{
	bool more = false;
	FloeStatus st;

	floe_db_begin();
	if (!floe_inbox_purge(PURGE_ROWS, &more, &st))
	{
		floe_pass_log(&st, "retention");
		more = false;
	}
	floe_db_end();
	return more;
}

static void
housekeeping(FloePass *pass)
{
	for (int i = 0; i < 20 && floe_pass_purge(pass); i++)
		;
}

static void
set_pass_locktag(LOCKTAG *tag, int32 pass_id)
{
	/* as pg_advisory_lock(floe_internal.pass_class(), pass_id) makes it */
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, 1718382437, (uint32) pass_id, 2);
}

static void
run(FloePass *pass)
{
	FloeStatus st;

	floe_pass_start_catalogs(pass);
	floe_execute_adopt(pass);
	assess_all(pass);
	floe_pass_sum_up_failures(pass);
	plan(pass);
	execute(pass);
	if (pass->options.wait)
		execute_to_the_end(pass);
	floe_pass_sum_up_failures(pass);
	housekeeping(pass);
	floe_db_begin();
	if (!floe_inbox_end_pass(pass->pass_id, &st))
		floe_pass_log(&st, "ending the pass");
	floe_db_end();
}

void
floe_pass_begin(FloePass *pass)
{
	FloeStatus st;
	bool begun;

	floe_db_begin();
	begun = floe_inbox_begin_pass(pass->options.kind, &pass->pass_id, &st);
	floe_db_end();
	if (!begun)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("cannot begin a maintenance pass: %s", st.message),
						st.detail[0] != '\0' ? errdetail("%s", st.detail) : 0));
}

void
floe_pass_run(const FloePassOptions *options)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "floe pass", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FloePass *pass = floe_pass_create(options);
	LOCKTAG tag;

	floe_pass_begin(pass);
	set_pass_locktag(&tag, pass->pass_id);
	PG_TRY();
	{
		run(pass);
	}
	PG_FINALLY();
	{
		/* without the lock the pass is over for everybody, however it ended */
		LockRelease(&tag, ExclusiveLock, true);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
