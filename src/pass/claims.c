/*
 * claims.c: which tables are looked at now, and how many at a time.
 *
 * Every catalog has a window of its own that grows while it answers and
 * shrinks while it does not, as TCP's does: a catalog that hangs holds a few
 * assessments, not all of them.  Tables that are as they were make up most of
 * the work; they are given back many at a time.
 */
#include "floe.h"

#include "pass/pass.h"

#include "base/clock.h"
#include "guc.h"

#include "utils/memutils.h"

#define UNCHANGED_BATCH 500
#define UNCHANGED_PATIENCE_US INT64CONST(100000)
#define BUSY_AGAIN_S 5
#define FAILED_AGAIN_S 60
#define GIVE_BACK_US INT64CONST(1000000)

static void
on_assessed(void *arg, const FloeStatus *st)
{
	FloePass *pass = arg;

	pass->assessing--;
	pass->activity.done++;
	if (st->code != FLOE_OK)
		pass->activity.failed++;
}

void
floe_pass_adjust_window(FloePassCatalog *catalog, bool answered)
{
	if (answered)
		catalog->window = Min(catalog->window + 1, catalog->most);
	else
		catalog->window = Max(catalog->window / 2, 1);
}

/* What was begun with an older connection to it counts, too. */
static int
in_flight(const FloePassCatalog *catalog)
{
	int n = catalog->in_flight;
	ListCell *cell;

	foreach (cell, catalog->pass->retired)
	{
		const FloePassCatalog *older = lfirst(cell);

		if (older->catalog_id == catalog->catalog_id)
			n += older->in_flight;
	}
	return n;
}

/*
 * One question has the answer for many tables, and most are as they were.  A
 * catalog that has answered well so far is asked for as many as a question
 * holds, one question at a time; what then has to be read waits for its turn.
 */
static bool
is_asked_for_many(const FloePassCatalog *catalog)
{
	return catalog->catalog->ops->locate_tables != NULL && catalog->window >= catalog->most;
}

/* How many tables of the catalog may begin now. */
int
floe_pass_room(FloePassCatalog *catalog)
{
	int room = catalog->window - in_flight(catalog);

	if (is_asked_for_many(catalog))
		room = catalog->asking > 0 ? 0 : FLOE_LOCATE_MOST;

	if (catalog->tokens >= 0)
	{
		int64 now = floe_clock_steady_us();

		/* what was not used is not saved up, but for what the loop's own pauses cost */
		catalog->tokens = Min(catalog->tokens + catalog->rate * (double) (now - catalog->tokens_at_us) / 1e6,
							  Max(catalog->rate / 10, 1));
		catalog->tokens_at_us = now;
		room = Min(room, (int) catalog->tokens);
	}
	return room;
}

static int
share_of(const FloePass *pass, FloePassCatalog *catalog)
{
	int free = floe_max_tables_in_flight - (pass->assessing - pass->asking);
	int room = floe_pass_room(catalog);

	if (free > 0 && is_asked_for_many(catalog))
		return room;
	return Min(room, Max(free, FLOE_GUARANTEED - in_flight(catalog)));
}

static FloePassCatalog *
by_id(const FloePass *pass, int32 catalog_id)
{
	ListCell *cell;

	foreach (cell, pass->catalogs)
	{
		FloePassCatalog *catalog = lfirst(cell);

		if (catalog->catalog_id == catalog_id)
			return catalog;
	}
	return NULL;
}

static void
start(FloePass *pass, const int32 *ids, const int32 *shares, int nids, const FloeTableClaim *claims, int n)
{
	for (int i = 0; i < nids; i++)
	{
		FloePassCatalog *catalog = by_id(pass, ids[i]);
		int taken = 0;

		for (int j = 0; j < n; j++)
			taken += claims[j].catalog_id == ids[i];
		catalog->more_due = taken >= shares[i];
		if (catalog->tokens >= 0)
			catalog->tokens -= taken;
	}
	for (int i = 0; i < n; i++)
	{
		pass->assessing++;
		floe_assess_start(pass, by_id(pass, claims[i].catalog_id), &claims[i], true, on_assessed, pass);
	}
}

/* Claims due tables of ready catalogs, up to their limits; false: nothing was due. */
bool
floe_pass_claim_tables(FloePass *pass)
{
	MemoryContext old = MemoryContextSwitchTo(pass->scratch);
	int most = Max(list_length(pass->catalogs), 1);
	int32 *ids = palloc(sizeof(int32) * most);
	int32 *shares = palloc(sizeof(int32) * most);
	int nids = 0;
	FloeTableClaim *claims = NULL;
	int n = 0;
	FloeStatus st;
	ListCell *cell;

	foreach (cell, pass->catalogs)
	{
		FloePassCatalog *catalog = lfirst(cell);
		int share = catalog->state == FLOE_CATALOG_READY ? share_of(pass, catalog) : 0;

		if (share <= 0)
		{
			/* what may be due waits for a free place, not for the clock */
			catalog->more_due = catalog->state == FLOE_CATALOG_READY;
			continue;
		}
		ids[nids] = catalog->catalog_id;
		shares[nids++] = share;
	}
	if (nids > 0)
	{
		/* what is given back may be due again */
		floe_pass_flush_unchanged(pass);
		floe_db_begin();
		if (!floe_inbox_claim_tables(pass->pass_id, ids, shares, nids, pass->options.pattern, pass->assessing == 0,
									 &claims, &n, &st))
			floe_pass_log(&st, "claiming tables");
		floe_db_end();
		start(pass, ids, shares, nids, claims, n);
	}
	MemoryContextSwitchTo(old);
	return n > 0;
}

void
floe_pass_unchanged(FloePass *pass, int64 table_id, const char *etag)
{
	FloeUnchanged *one;

	if (pass->unchanged == NULL)
		pass->unchanged = MemoryContextAlloc(pass->context, sizeof(FloeUnchanged) * UNCHANGED_BATCH);
	if (pass->nunchanged == 0)
		pass->unchanged_since_us = floe_clock_steady_us();
	one = &pass->unchanged[pass->nunchanged++];
	one->table_id = table_id;
	one->etag = etag != NULL ? MemoryContextStrdup(pass->context, etag) : NULL;
	if (pass->nunchanged == UNCHANGED_BATCH)
		floe_pass_store_unchanged(pass);
}

void
floe_pass_give_back(FloePass *pass, int64 table_id, const FloeStatus *why)
{
	FloeGivenBack *one;

	if (pass->ngiven_back == pass->given_back_size)
	{
		int size = Max(pass->given_back_size * 2, 64);

		pass->given_back = pass->given_back == NULL ? MemoryContextAlloc(pass->context, sizeof(FloeGivenBack) * size)
													: repalloc_huge(pass->given_back, sizeof(FloeGivenBack) * size);
		pass->given_back_size = size;
	}
	one = &pass->given_back[pass->ngiven_back++];
	one->table_id = table_id;
	one->due_s = why->code == FLOE_ERR_BUSY ? BUSY_AGAIN_S : FAILED_AGAIN_S;
}

/* Those whose rows somebody holds stay for the next time. */
static void
store_given_back(FloePass *pass)
{
	int n = pass->ngiven_back;
	int64 *ids;
	int32 *due_s;
	int32 *held;
	int nheld;
	FloeStatus st;
	bool ok;

	if (n == 0 || floe_clock_steady_us() < pass->give_back_at_us)
		return;
	ids = palloc(sizeof(int64) * n);
	due_s = palloc(sizeof(int32) * n);
	for (int i = 0; i < n; i++)
	{
		ids[i] = pass->given_back[i].table_id;
		due_s[i] = pass->given_back[i].due_s;
	}
	floe_db_begin();
	ok = floe_inbox_give_back(pass->pass_id, ids, due_s, n, &held, &nheld, &st);
	if (!ok)
		floe_pass_log(&st, "giving tables back");
	floe_db_end();
	pass->give_back_at_us = floe_clock_steady_us() + GIVE_BACK_US;
	if (!ok)
		return;
	for (int i = 0; i < nheld; i++)
		pass->given_back[i] = pass->given_back[held[i] - 1];
	pass->ngiven_back = nheld;
}

/* One that cannot be stored must not take the others with it, nor stay claimed. */
static void
store_unchanged(FloePass *pass, const FloeUnchanged *tables, int n)
{
	FloeStatus st;
	FloeStatus told;
	FloeTableClaim one = {.table_id = tables[0].table_id};
	int64 *ids = MemoryContextAlloc(pass->scratch, sizeof(int64) * n);
	const char **etags = MemoryContextAlloc(pass->scratch, sizeof(char *) * n);
	bool any_etag = false;
	bool ok;

	for (int i = 0; i < n; i++)
	{
		ids[i] = tables[i].table_id;
		etags[i] = tables[i].etag != NULL ? tables[i].etag : "";
		any_etag |= tables[i].etag != NULL;
	}
	floe_db_begin();
	ok = floe_inbox_tables_unchanged(ids, any_etag ? etags : NULL, n, &st);
	told = st;
	if (!ok && n == 1 && st.code != FLOE_ERR_BUSY)
		floe_inbox_table_failed(&one, &st, NULL, &told);
	floe_db_end();
	if (ok)
		return;
	floe_pass_log(&st, "what was seen of a table cannot be stored");
	if (st.code == FLOE_ERR_BUSY || n == 1)
	{
		for (int i = 0; i < n && told.code != FLOE_OK; i++)
			floe_pass_give_back(pass, ids[i], &told);
		return;
	}
	for (int i = 0; i < n; i++)
		store_unchanged(pass, &tables[i], 1);
}

void
floe_pass_store_unchanged(FloePass *pass)
{
	if (pass->nunchanged > 0)
		store_unchanged(pass, pass->unchanged, pass->nunchanged);
	for (int i = 0; i < pass->nunchanged; i++)
	{
		if (pass->unchanged[i].etag != NULL)
			pfree(pass->unchanged[i].etag);
	}
	pass->nunchanged = 0;
}

/* When the batch is old, or the last there will be. */
void
floe_pass_flush_unchanged(FloePass *pass)
{
	if (pass->assessing == 0 || floe_clock_steady_us() - pass->unchanged_since_us >= UNCHANGED_PATIENCE_US)
		floe_pass_store_unchanged(pass);
	store_given_back(pass);
}
