/*
 * serve.c: passes without an end: what an assessor and an executor do all day.
 *
 * Both sleep until something is due or somebody wakes them, and wait for
 * the network in between; neither ever waits for one thing alone.  When work
 * was found they ask again at once, because more may be there.
 */
#include "floe.h"

#include "pass/pass.h"

#include "base/clock.h"
#include "guc.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

#define LONGEST_SLEEP_MS 60000 /* somebody may have changed a clock, or committed without waking */
#define WOKEN_MS 50            /* least time between two looks that somebody asked for */
#define DUE_MS 200             /* least time until a look that the clock asks for: what is due is taken together */
#define RATE_MS 50             /* places of a catalog with a rate come free by the clock */
#define GATHER 9               /* times what the last decisions took is how long the next ones gather */
#define GATHER_MS 1000         /* at most */
#define FAILED_MS 5000         /* until decisions that failed are tried again */
#define STOPS_MS 1000
#define PURGE_MS 60000
#define TOLD_MS 1000

typedef struct Serve
{
	FloePass *pass;
	bool look;          /* at the database, on the next turn */
	int64 look_at_us;   /* then, if nothing happens before */
	int64 looked_at_us; /* last */
	int64 decide_at_us; /* while tables are being looked at: not before */
	bool decisions_fail;
	int64 purge_at_us;
	int64 told_at_us; /* pg_stat_activity */
	int told;
} Serve;

static FloePass *
begin(const FloePassOptions *options)
{
	FloePass *pass;

	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "floe pass", ALLOCSET_DEFAULT_SIZES));
	pass = floe_pass_create(options);
	floe_pass_begin(pass);
	return pass;
}

static int
until(int64 at_us, int64 now)
{
	return at_us <= now ? 0 : (int) Min((at_us - now) / 1000 + 1, LONGEST_SLEEP_MS);
}

/* What pg_stat_activity shows; not on every turn, because it takes a lock. */
static void
tell(Serve *serve, int in_flight, const char *what)
{
	int64 now = floe_clock_steady_us();

	if (in_flight == serve->told || (in_flight > 0 && now - serve->told_at_us < TOLD_MS * INT64CONST(1000)))
		return;
	serve->told = in_flight;
	serve->told_at_us = now;
	pgstat_report_activity(in_flight > 0 ? STATE_RUNNING : STATE_IDLE,
						   in_flight > 0 ? psprintf("%d %s", in_flight, what) : "");
}

/* After a turn: is there a reason to look at the database? */
static void
after_turn(Serve *serve, int in_flight)
{
	FloePass *pass = serve->pass;

	pass->activity.in_flight = in_flight;
	pass->activity.requests = floe_http_pending(pass->http);
	/* who wakes is served soon; who wakes all the time, not every time */
	if (pass->options.on_turn(&pass->activity) || pass->look)
		serve->look_at_us = Min(serve->look_at_us, serve->looked_at_us + WOKEN_MS * INT64CONST(1000));
	pass->look = false;
	if (floe_clock_steady_us() >= serve->look_at_us)
		serve->look = true;
}

/* ---- assessor ---- */

static int64
next_assessor_ms(FloePass *pass, bool decisions)
{
	int32 *ids = palloc(sizeof(int32) * Max(list_length(pass->catalogs), 1));
	int n = 0;
	int64 next_ms = -1;
	FloeStatus st;
	ListCell *cell;

	foreach (cell, pass->catalogs)
	{
		FloePassCatalog *catalog = lfirst(cell);

		/* what waits for a free place is not waited for by the clock */
		if (catalog->state == FLOE_CATALOG_READY && !catalog->more_due)
			ids[n++] = catalog->catalog_id;
	}
	floe_db_begin();
	if (!floe_inbox_next_ms(ids, n, decisions, &next_ms, &st))
		floe_pass_log(&st, "looking for the next time");
	floe_db_end();
	return next_ms < 0 ? LONGEST_SLEEP_MS : Min(next_ms, LONGEST_SLEEP_MS);
}

/* So many places must be free that claims are not made one by one: a quarter of the window, or what a rate gives in a turn. */
static int
portion(const FloePassCatalog *catalog)
{
	int most = Max(Min(catalog->window, floe_max_tables_in_flight) / 4, 1);

	return catalog->tokens >= 0 ? Min(most, Max((int) (catalog->rate * RATE_MS / 1000), 1)) : most;
}

/* A catalog has much to do and places are free again. */
static bool
wants_more(FloePass *pass)
{
	ListCell *cell;

	foreach (cell, pass->catalogs)
	{
		FloePassCatalog *catalog = lfirst(cell);

		if (catalog->state == FLOE_CATALOG_READY && catalog->more_due && floe_pass_room(catalog) >= portion(catalog))
			return true;
	}
	return false;
}

static bool
waits_for_rate(FloePass *pass)
{
	ListCell *cell;

	foreach (cell, pass->catalogs)
	{
		FloePassCatalog *catalog = lfirst(cell);

		if (catalog->state == FLOE_CATALOG_READY && catalog->more_due && catalog->tokens >= 0)
			return true;
	}
	return false;
}

/*
 * Returns whether more tables are due for a decision.  While tables are being
 * looked at, each may make itself due, and to decide upon one costs nearly as
 * much as upon ten: so they gather, until a portion was full.
 */
static bool
decide(Serve *serve)
{
	int64 began = floe_clock_steady_us();
	int64 now;
	bool more = false;

	serve->decisions_fail = floe_pass_plan_due(serve->pass, &more) < 0;
	now = floe_clock_steady_us();
	if (serve->decisions_fail)
		serve->decide_at_us = now + FAILED_MS * INT64CONST(1000);
	else
		serve->decide_at_us = more ? 0 : now + Min((now - began) * GATHER, GATHER_MS * INT64CONST(1000));
	return more;
}

static void
look_as_assessor(Serve *serve)
{
	FloePass *pass = serve->pass;
	bool decides = pass->options.number == 0;
	bool gather;
	bool more = false;

	serve->look = false;
	floe_pass_start_catalogs(pass);
	floe_pass_claim_tables(pass);
	gather = (pass->assessing > 0 || serve->decisions_fail) && floe_clock_steady_us() < serve->decide_at_us;
	if (decides && !gather)
		more = decide(serve);
	serve->looked_at_us = floe_clock_steady_us();
	serve->look_at_us = serve->looked_at_us;
	if (!more)
		serve->look_at_us += Max(next_assessor_ms(pass, decides && !gather), DUE_MS) * INT64CONST(1000);
	if (decides && gather)
		serve->look_at_us = Min(serve->look_at_us, serve->decide_at_us);
}

static void
clean_up(Serve *serve)
{
	FloePass *pass = serve->pass;

	if (pass->options.number != 0 || floe_clock_steady_us() < serve->purge_at_us)
		return;
	/* a batch at a time: other work goes on in between */
	serve->purge_at_us = floe_clock_steady_us() + (floe_pass_purge(pass) ? 0 : PURGE_MS * INT64CONST(1000));
}

void
floe_pass_assess_forever(const FloePassOptions *options)
{
	Serve serve = {begin(options), true};
	FloePass *pass = serve.pass;

	for (;;)
	{
		int sleep_ms;

		MemoryContextSwitchTo(pass->scratch);
		if (serve.look)
			look_as_assessor(&serve);
		else if (wants_more(pass))
			floe_pass_claim_tables(pass);
		clean_up(&serve);
		tell(&serve, pass->assessing, "tables are being looked at");
		sleep_ms = until(serve.look_at_us, floe_clock_steady_us());
		if (pass->options.number == 0)
			sleep_ms = Min(sleep_ms, until(serve.purge_at_us, floe_clock_steady_us()));
		if (pass->nunchanged > 0 || waits_for_rate(pass))
			sleep_ms = Min(sleep_ms, RATE_MS);
		floe_pass_turn(pass, pass->options.is_woken() ? 0 : sleep_ms);
		after_turn(&serve, pass->assessing);
	}
}

/* ---- executor ---- */

static int64
next_executor_ms(void)
{
	int64 next_ms = -1;
	FloeStatus st;

	floe_db_begin();
	if (!floe_queue_next_ms(&next_ms, &st))
		floe_pass_log(&st, "looking for the next time");
	floe_db_end();
	return next_ms < 0 ? LONGEST_SLEEP_MS : next_ms;
}

static void
look_as_executor(Serve *serve)
{
	FloePass *pass = serve->pass;

	serve->look = false;
	floe_execute_adopt(pass);
	floe_execute_claim(pass);
	floe_execute_check_stops(pass);
	serve->looked_at_us = floe_clock_steady_us();
	serve->look_at_us = serve->looked_at_us + next_executor_ms() * 1000;
}

void
floe_pass_execute_forever(const FloePassOptions *options)
{
	Serve serve = {begin(options), true};
	FloePass *pass = serve.pass;
	int busy = 0;

	for (;;)
	{
		int64 now = floe_clock_steady_us();
		int sleep_ms;

		MemoryContextSwitchTo(pass->scratch);
		if (serve.look)
			look_as_executor(&serve);
		tell(&serve, floe_execute_busy(pass), "operations are being followed");
		now = floe_clock_steady_us();
		sleep_ms = until(serve.look_at_us, now);
		/* timeouts of what runs */
		if (floe_execute_busy(pass) > 0)
			sleep_ms = Min(sleep_ms, STOPS_MS);
		floe_pass_turn(pass, pass->options.is_woken() ? 0 : sleep_ms);
		after_turn(&serve, floe_execute_busy(pass));
		/* a place is free */
		if (floe_execute_busy(pass) < busy)
		{
			pass->activity.done += busy - floe_execute_busy(pass);
			serve.look = true;
		}
		busy = floe_execute_busy(pass);
	}
}
