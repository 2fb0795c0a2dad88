/*
 * catalogs.c: connecting to the catalogs of a pass, and listing those that are due.
 *
 * A catalog that fails is a state with a reason; the others go on.  A listing
 * is applied only when it is complete.
 */
#include "floe.h"

#include "pass/pass.h"

#include "base/clock.h"
#include "guc.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

/* More than what may be in flight by chance, less than what a pass should wait for: each may have taken minutes. */
#define UNREACHABLE_IN_A_ROW 20
#define UNREACHABLE_FOR_EVER 8 /* of a pass without an end, which comes back soon */

/* Tables of one catalog that are looked at, at a time, where its server does not say otherwise. */
#define DEFAULT_IN_FLIGHT 64

/* A catalog with thousands of broken tables must not bury the rest of what a pass says; floe.tables has them all. */
#define TOLD_FAILURES 5

#define STORE_AGAIN_MS 1000
#define STORE_LISTING_ATTEMPTS 30 /* of a pass with an end */

static void store_failure(FloePassCatalog *catalog);

static void
on_store_failure(void *arg)
{
	FloePassCatalog *catalog = arg;

	/* a newer connection knows better */
	if (!catalog->retired)
		store_failure(catalog);
	catalog->refs--;
}

/* What is not told would keep the claim of a pass that lives on. */
static void
store_failure(FloePassCatalog *catalog)
{
	FloeStatus st;
	bool ok;

	floe_db_begin();
	ok = floe_inbox_catalog_failed(catalog->pass->pass_id, catalog->catalog_id, &catalog->failure,
								   catalog->failed_by_tables, &st);
	floe_db_end();
	if (ok)
		return;
	floe_pass_log(&st, "catalog state");
	catalog->refs++;
	floe_http_after(catalog->pass->http, STORE_AGAIN_MS, on_store_failure, catalog);
}

static void
failed(FloePassCatalog *catalog, const FloeStatus *failure, bool by_tables)
{
	catalog->state = FLOE_CATALOG_FAILED;
	catalog->failed_by_tables = by_tables;
	catalog->failure = *failure;
	floe_pass_progress(catalog->pass, "catalog \"%s\": %s%s%s", catalog->server_name, failure->message,
					   failure->detail[0] != '\0' ? ": " : "", failure->detail);
	store_failure(catalog);
}

static void
on_page(void *arg, const FloeTableId *tables, int count)
{
	FloePassCatalog *catalog = arg;
	MemoryContext old = MemoryContextSwitchTo(catalog->listing);

	if (catalog->nlisted + count > catalog->listed_size)
	{
		catalog->listed_size = Max(catalog->listed_size * 2, Max(256, catalog->nlisted + count));
		catalog->namespaces = catalog->namespaces == NULL
								  ? palloc_extended(sizeof(char *) * catalog->listed_size, MCXT_ALLOC_HUGE)
								  : repalloc_huge(catalog->namespaces, sizeof(char *) * catalog->listed_size);
		catalog->names = catalog->names == NULL
							 ? palloc_extended(sizeof(char *) * catalog->listed_size, MCXT_ALLOC_HUGE)
							 : repalloc_huge(catalog->names, sizeof(char *) * catalog->listed_size);
	}
	for (int i = 0; i < count; i++)
	{
		StringInfoData joined;

		initStringInfo(&joined);
		for (int j = 0; j < tables[i].nlevels; j++)
			appendStringInfo(&joined, "%s%s", j > 0 ? "\x1F" : "", tables[i].namespace[j]);
		catalog->namespaces[catalog->nlisted] = pstrdup(joined.data);
		catalog->names[catalog->nlisted] = pstrdup(tables[i].name);
		catalog->nlisted++;
		pfree(joined.data);
	}
	MemoryContextSwitchTo(old);
}

/* The names alone may take many megabytes. */
static void
forget_listing(FloePassCatalog *catalog)
{
	MemoryContextDelete(catalog->listing);
	catalog->listing = NULL;
	catalog->namespaces = catalog->names = NULL;
}

void
floe_pass_catalog_arrived(FloePassCatalog *catalog)
{
	catalog->pass->connecting--;
	catalog->refs--;
	catalog->pass->look = true;
}

static void
tell_listing(const FloePassCatalog *catalog, int32 fresh)
{
	char skipped[200] = "";
	const FloeRefusedNamespaces *refused = &catalog->catalog->refused;

	if (catalog->catalog->left_out > 0)
		snprintf(skipped, sizeof(skipped), ", %lld left out because of their names",
				 (long long) catalog->catalog->left_out);
	if (refused->n > 0)
		snprintf(skipped + strlen(skipped), sizeof(skipped) - strlen(skipped), ", some namespaces may not be listed");
	floe_pass_progress(catalog->pass, "catalog \"%s\": %d table%s, %d new%s", catalog->server_name, catalog->nlisted,
					   catalog->nlisted == 1 ? "" : "s", fresh, skipped);
}

static bool
apply_listing(FloePassCatalog *catalog, int32 *fresh, FloeStatus *st)
{
	const FloeRefusedNamespaces *refused = &catalog->catalog->refused;
	char why[FLOE_STATUS_MESSAGE_SIZE + FLOE_STATUS_DETAIL_SIZE];
	bool ok;

	snprintf(why, sizeof(why), "%s%s%s", refused->why.message, refused->why.detail[0] != '\0' ? ": " : "",
			 refused->why.detail);
	floe_db_begin();
	ok = floe_inbox_apply_listing(catalog->pass->pass_id, catalog->catalog_id, catalog->namespaces, catalog->names,
								  catalog->nlisted, catalog->catalog->left_out, (const char *const *) refused->names,
								  refused->n, refused->n > 0 ? why : NULL, fresh, st);
	floe_db_end();
	return ok;
}

static void
store_listing(void *arg)
{
	FloePassCatalog *catalog = arg;
	int32 fresh = 0;
	FloeStatus st;
	bool ok;

	if (catalog->retired)
	{
		/* listed anew meanwhile: this one is the older truth, and the claim is another's */
		floe_pass_catalog_arrived(catalog);
		forget_listing(catalog);
		return;
	}
	ok = apply_listing(catalog, &fresh, &st);
	if (!ok && st.code == FLOE_ERR_BUSY &&
		(catalog->pass->endless || ++catalog->listing_failures < STORE_LISTING_ATTEMPTS))
	{
		floe_status_prefix(&st, "the listing of catalog \"%s\"", catalog->server_name);
		floe_pass_log(&st, "a step is repeated");
		floe_http_after(catalog->pass->http, STORE_AGAIN_MS, store_listing, catalog);
		return;
	}
	forget_listing(catalog);
	if (!ok)
	{
		floe_pass_catalog_arrived(catalog);
		floe_status_prefix(&st, "the listing cannot be stored");
		failed(catalog, &st, false);
		return;
	}
	/* its tables may have failed meanwhile */
	if (catalog->state != FLOE_CATALOG_FAILED)
		catalog->state = FLOE_CATALOG_READY;
	tell_listing(catalog, fresh);
	floe_pass_read_policies(catalog);
}

static void
on_listed(void *arg, const FloeStatus *st)
{
	FloePassCatalog *catalog = arg;

	if (st->code == FLOE_OK)
	{
		store_listing(catalog);
		return;
	}
	floe_pass_catalog_arrived(catalog);
	forget_listing(catalog);
	if (!catalog->retired)
		failed(catalog, st, false);
}

static void
on_connected(void *arg, const FloeStatus *st)
{
	FloePassCatalog *catalog = arg;
	FloeBuf config;
	FloeStatus db;

	if (st->code != FLOE_OK || catalog->retired)
	{
		floe_pass_catalog_arrived(catalog);
		if (!catalog->retired)
			failed(catalog, st, false);
		return;
	}
	floe_buf_init(&config, 65536);
	catalog->catalog->ops->describe(catalog->catalog, &config);
	floe_db_begin();
	if (!floe_inbox_catalog_connected(catalog->catalog_id, config.data, &catalog->probing, &db))
		floe_pass_log(&db, "catalog state");
	floe_db_end();
	floe_buf_free(&config);
	if (catalog->probing)
		catalog->window = 1;
	/* an endless pass does not wait for the list to look at tables it knows */
	if (!catalog->list || catalog->pass->endless)
		catalog->state = FLOE_CATALOG_READY;
	catalog->pass->look = true;
	if (catalog->list)
	{
		catalog->listing = AllocSetContextCreate(catalog->context, "floe listing", ALLOCSET_DEFAULT_SIZES);
		catalog->catalog->ops->list_tables(catalog->catalog, on_page, on_listed, catalog);
	}
	else
		floe_pass_catalog_arrived(catalog);
}

static void
set_limits(FloePassCatalog *catalog)
{
	int64 most = floe_conn_count(catalog->conn, "max_in_flight", DEFAULT_IN_FLIGHT);

	catalog->rate = (double) floe_conn_count(catalog->conn, "max_rate", 0);
	/* assessors of one database share what the catalog bears */
	if (catalog->pass->endless)
	{
		most = (most + floe_assessors - 1) / floe_assessors;
		catalog->rate /= floe_assessors;
	}
	catalog->most = (int) Max(1, Min(most, 10000));
	catalog->window = catalog->pass->endless ? 1 : catalog->most;
	catalog->tokens = catalog->rate > 0 ? 1 : -1;
	catalog->tokens_at_us = floe_clock_steady_us();
}

/* What an older connection has found out of how much the catalog bears. */
static void
inherit_window(FloePassCatalog *catalog)
{
	ListCell *cell;

	foreach (cell, catalog->pass->retired)
	{
		const FloePassCatalog *older = lfirst(cell);

		if (older->catalog_id == catalog->catalog_id && older->state == FLOE_CATALOG_READY)
			catalog->window = Min(older->window, catalog->most);
	}
}

/* Resolves the connection inside a transaction and starts to connect outside of it. */
static void
start(FloePassCatalog *catalog)
{
	MemoryContext old = MemoryContextSwitchTo(catalog->context);
	const FloeCatalogOps *ops;
	FloeStatus st;

	floe_db_begin();
	catalog->conn = floe_conn_resolve(FLOE_WRAPPER_CATALOG, catalog->server_name, &st);
	floe_db_end();
	if (catalog->conn != NULL)
	{
		set_limits(catalog);
		inherit_window(catalog);
		ops = floe_catalog_lookup(catalog->conn->server_type);
		if (ops == NULL)
			floe_fail(&st, FLOE_ERR_CONFIG, "server \"%s\" has TYPE \"%s\", which is not a catalog floe speaks",
					  catalog->server_name, catalog->conn->server_type);
		else
			catalog->catalog = ops->open(catalog->pass->http, catalog->conn, &st);
	}
	MemoryContextSwitchTo(old);
	if (catalog->catalog == NULL)
	{
		failed(catalog, &st, false);
		return;
	}
	catalog->pass->connecting++;
	catalog->refs++;
	catalog->catalog->ops->connect(catalog->catalog, on_connected, catalog);
}

static FloePassCatalog *
find(FloePass *pass, const char *server_name)
{
	ListCell *cell;

	foreach (cell, pass->catalogs)
	{
		FloePassCatalog *catalog = lfirst(cell);

		if (strcmp(catalog->server_name, server_name) == 0)
			return catalog;
	}
	return NULL;
}

/* Out of the way; freed by floe_pass_sweep_catalogs(). */
static void
retire(FloePassCatalog *catalog)
{
	FloePass *pass = catalog->pass;
	MemoryContext old = MemoryContextSwitchTo(pass->context);

	catalog->retired = true;
	pass->catalogs = list_delete_ptr(pass->catalogs, catalog);
	pass->retired = lappend(pass->retired, catalog);
	MemoryContextSwitchTo(old);
}

static FloePassCatalog *
add_catalog(FloePass *pass, int32 catalog_id, const char *server_name, bool list)
{
	MemoryContext context = AllocSetContextCreate(pass->context, "floe catalog", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FloePassCatalog *catalog = palloc0(sizeof(FloePassCatalog));

	catalog->pass = pass;
	catalog->context = context;
	catalog->regions.context = context;
	catalog->catalog_id = catalog_id;
	catalog->server_name = pstrdup(server_name);
	catalog->list = list;
	MemoryContextSwitchTo(pass->context);
	pass->catalogs = lappend(pass->catalogs, catalog);
	MemoryContextSwitchTo(old);
	return catalog;
}

void
floe_pass_start_catalogs(FloePass *pass)
{
	FloeCatalogClaim *claims = NULL;
	int n = 0;
	FloeStatus st;

	floe_db_begin();
	if (!floe_inbox_claim_catalogs(pass->pass_id, pass->options.pattern, &claims, &n, &st))
		floe_pass_log(&st, "claiming catalogs");
	floe_db_end();
	for (int i = 0; i < n; i++)
	{
		FloePassCatalog *known = find(pass, claims[i].server_name);

		/* to list is to connect anew: what was changed, renewed or forgotten meanwhile is noticed */
		if (known != NULL && !claims[i].is_due && known->state != FLOE_CATALOG_FAILED)
			continue;
		if (known != NULL)
			retire(known);
		start(add_catalog(pass, claims[i].catalog_id, claims[i].server_name, claims[i].is_due));
	}
}

void
floe_pass_sweep_catalogs(FloePass *pass)
{
	ListCell *cell;

	if (!pass->endless)
		return;
	if (pass->conn_generation != floe_conn_generation())
	{
		pass->conn_generation = floe_conn_generation();
		foreach (cell, list_copy(pass->catalogs))
		{
			FloePassCatalog *catalog = lfirst(cell);

			/* one that is being listed holds the claim for that */
			if (catalog->state == FLOE_CATALOG_READY && catalog->listing == NULL)
				retire(catalog);
		}
	}
	foreach (cell, pass->retired)
	{
		FloePassCatalog *catalog = lfirst(cell);

		if (catalog->refs > 0 || (catalog->catalog != NULL && catalog->catalog->under_way > 0))
			continue;
		pass->retired = foreach_delete_current(pass->retired, cell);
		MemoryContextDelete(catalog->context);
	}
}

FloePassCatalog *
floe_pass_catalog(FloePass *pass, const char *server_name)
{
	FloePassCatalog *catalog = find(pass, server_name);
	int32 catalog_id;
	FloeStatus st;
	bool known;

	if (!pass->endless || (catalog != NULL && catalog->state != FLOE_CATALOG_FAILED))
		return catalog;
	if (catalog != NULL)
		retire(catalog);
	floe_db_begin();
	known = floe_inbox_catalog_id(server_name, &catalog_id, &st);
	floe_db_end();
	if (!known)
		return NULL;
	catalog = add_catalog(pass, catalog_id, server_name, false);
	start(catalog);
	return catalog;
}

void
floe_pass_tell_failure(FloePassCatalog *catalog, const char *table, const FloeStatus *failure)
{
	if (++catalog->assess_failures > TOLD_FAILURES)
	{
		catalog->unsaid_failures++;
		return;
	}
	floe_pass_progress(catalog->pass, "%s: %s%s%s", table, failure->message, failure->detail[0] != '\0' ? ": " : "",
					   failure->detail);
}

/* Nobody answered, or nobody lets us in: of the next table it will be the same. */
static bool
is_unreachable(const FloeStatus *outcome)
{
	switch (outcome->code)
	{
		case FLOE_ERR_DNS:
		case FLOE_ERR_CONNECT:
		case FLOE_ERR_TLS:
		case FLOE_ERR_TIMEOUT:
		case FLOE_ERR_NETWORK:
		case FLOE_ERR_AUTH:
		case FLOE_ERR_THROTTLED:
			return true;
		default:
			return false;
	}
}

static void
tables_answer(FloePassCatalog *catalog)
{
	FloeStatus st;

	floe_db_begin();
	/* or when the next of them answers */
	catalog->probing = !floe_inbox_catalog_well(catalog->catalog_id, &st);
	if (catalog->probing)
		floe_pass_log(&st, "catalog state");
	floe_db_end();
}

void
floe_pass_watch_catalog(FloePassCatalog *catalog, const FloeStatus *outcome)
{
	int most = catalog->probing ? 1 : catalog->pass->endless ? UNREACHABLE_FOR_EVER : UNREACHABLE_IN_A_ROW;
	FloeStatus st;

	catalog->unreachable = is_unreachable(outcome) ? catalog->unreachable + 1 : 0;
	floe_pass_adjust_window(catalog, catalog->unreachable == 0);
	if (catalog->probing && catalog->unreachable == 0)
		tables_answer(catalog);
	if (catalog->unreachable < most || catalog->state != FLOE_CATALOG_READY)
		return;
	if (catalog->probing)
		floe_fail_detail(&st, outcome->code, outcome->message, "its tables still cannot be reached");
	else
		floe_fail_detail(&st, outcome->code, outcome->message,
						 "%d tables in a row could not be reached; the others are left for later",
						 catalog->unreachable);
	st.retry_after_ms = outcome->retry_after_ms;
	failed(catalog, &st, true);
}

void
floe_pass_sum_up_failures(FloePass *pass)
{
	ListCell *cell;

	foreach (cell, pass->catalogs)
	{
		FloePassCatalog *catalog = lfirst(cell);

		if (catalog->unsaid_failures == 0)
			continue;
		floe_pass_progress(
			pass, "catalog \"%s\": %d tables could not be assessed, %d of them not named here; see floe.tables",
			catalog->server_name, catalog->assess_failures, catalog->unsaid_failures);
		catalog->unsaid_failures = 0;
	}
}
