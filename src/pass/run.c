/*
 * run.c: the loop of a pass: what starts when, and when it is over.
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
	options.allowed_hosts = floe_allowed_hosts;
	return floe_http_create(&options);
}

static void
release_avro(void *reader)
{
	floe_avro_reader_free(reader);
}

static FloePass *
create_pass(const FloePassOptions *options)
{
	FloePass *pass = palloc0(sizeof(FloePass));
	FloeCleanup *cleanup = floe_cleanup_register(release_avro);

	pass->options = *options;
	pass->context = CurrentMemoryContext;
	pass->scratch = AllocSetContextCreate(CurrentMemoryContext, "floe pass turn", ALLOCSET_DEFAULT_SIZES);
	pass->http = create_http();
	pass->avro = floe_cleanup_hold(cleanup, floe_avro_reader_new(&floe_avro_default_limits));
	if (pass->avro == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return pass;
}

/* Waits for something to happen, in memory that is forgotten afterwards. */
static void
turn(FloePass *pass)
{
	MemoryContext old = MemoryContextSwitchTo(pass->scratch);

	floe_http_wait(pass->http, TURN_MS);
	if (floe_clock_steady_us() - pass->last_stop_check_us > TURN_MS * INT64CONST(1000))
	{
		pass->last_stop_check_us = floe_clock_steady_us();
		floe_execute_check_stops(pass);
	}
	floe_execute_bury(pass);
	MemoryContextSwitchTo(old);
	MemoryContextReset(pass->scratch);
}

static void
on_assessed(void *arg, const FloeStatus *st)
{
	((FloePass *) arg)->assessing--;
}

/* Claims due tables of ready catalogs, up to the limit; false: nothing was due. */
static bool
claim_tables(FloePass *pass)
{
	MemoryContext old = MemoryContextSwitchTo(pass->scratch);
	int32 *ids = palloc(sizeof(int32) * Max(list_length(pass->catalogs), 1));
	int nids = 0;
	FloeTableClaim *claims = NULL;
	int n = 0;
	FloeStatus st;
	ListCell *cell;

	foreach (cell, pass->catalogs)
	{
		FloePassCatalog *catalog = lfirst(cell);

		if (catalog->state == FLOE_CATALOG_READY)
			ids[nids++] = catalog->catalog_id;
	}
	if (nids > 0 && pass->assessing < floe_max_tables_in_flight)
	{
		floe_db_begin();
		if (!floe_inbox_claim_tables(pass->pass_id, ids, nids, pass->options.pattern,
									 floe_max_tables_in_flight - pass->assessing, pass->assessing == 0, &claims, &n,
									 &st))
			floe_pass_log(&st, "claiming tables");
		floe_db_end();
	}
	for (int i = 0; i < n; i++)
	{
		foreach (cell, pass->catalogs)
		{
			FloePassCatalog *catalog = lfirst(cell);

			if (catalog->catalog_id != claims[i].catalog_id)
				continue;
			pass->assessing++;
			floe_assess_start(pass, catalog, &claims[i], on_assessed, pass);
		}
	}
	MemoryContextSwitchTo(old);
	return n > 0;
}

/* Steps 1 to 4: until all catalogs are listed and nothing due is left. */
static void
assess_all(FloePass *pass)
{
	for (;;)
	{
		bool found = claim_tables(pass);

		if (!found && pass->connecting == 0 && pass->assessing == 0)
			break;
		turn(pass);
	}
}

/* Steps 5 to 9. */
static int
plan(FloePass *pass)
{
	int32 queued = 0;
	FloeStatus st;

	floe_db_begin();
	if (!floe_inbox_plan_and_queue(pass->options.pattern, &queued, &st))
		floe_pass_log(&st, "planning");
	floe_db_end();
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
			turn(pass);
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
			turn(pass);
		}
		if (plan(pass) == 0)
			return;
	}
}

static void
housekeeping(FloePass *pass)
{
	bool more = true;
	FloeStatus st;

	for (int i = 0; i < 20 && more; i++)
	{
		floe_db_begin();
		if (!floe_inbox_purge(PURGE_ROWS, &more, &st))
		{
			floe_pass_log(&st, "retention");
			more = false;
		}
		floe_db_end();
	}
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
floe_pass_run(const FloePassOptions *options)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "floe pass", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FloePass *pass = create_pass(options);
	FloeStatus st;
	bool begun;
	LOCKTAG tag;

	floe_db_begin();
	begun = floe_inbox_begin_pass(options->kind, &pass->pass_id, &st);
	floe_db_end();
	if (!begun)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("cannot begin a maintenance pass: %s", st.message),
						st.detail[0] != '\0' ? errdetail("%s", st.detail) : 0));
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
