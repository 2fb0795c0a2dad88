/*
 * maintenance_fn.c: CALL floe.run_maintenance(): a pass driven by a session.
 *
 * The procedure ends its transactions itself, so it cannot run inside a
 * transaction block; while it waits for the network it holds no snapshot.
 */
#include "floe.h"

#include "guc.h"
#include "pass/pass.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(floe_sql_run_maintenance);

/* A procedure always has a transaction; one that did nothing holds nothing. */
static void
begin_step(void)
{
}

/* Each step must see what others have committed since the last, whatever isolation level the session prefers. */
static void
end_step(void)
{
	SPI_commit();
	/* otherwise nobody knows of what it wrote, autovacuum included, until the CALL is over */
	pgstat_report_stat(false);
	XactIsoLevel = XACT_READ_COMMITTED;
}

extern Datum floe_sql_check_pattern(PG_FUNCTION_ARGS);

static const FloeDbOps procedure_ops = {begin_step, end_step};

static void
tell(const char *text)
{
	ereport(NOTICE, (errmsg("%s", text)));
}

Datum
floe_sql_run_maintenance(PG_FUNCTION_ARGS)
{
	FloePassOptions options = {0};
	bool atomic =
		fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) || castNode(CallContext, fcinfo->context)->atomic;
	/* arguments live in memory that the first commit frees */
	MemoryContext old = MemoryContextSwitchTo(PortalContext != NULL ? PortalContext : TopMemoryContext);

	if (atomic)
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("floe.run_maintenance() cannot run inside a transaction block"),
						errhint("CALL it on its own: it commits between its steps.")));
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("floe.run_maintenance() cannot run on a standby")));
	if (!floe_enabled)
	{
		ereport(WARNING, (errmsg("floe does nothing: floe.enabled is off")));
		MemoryContextSwitchTo(old);
		PG_RETURN_VOID();
	}
	options.kind = "procedure";
	if (!PG_ARGISNULL(0))
		options.pattern = TextDatumGetCString(DirectFunctionCall1(floe_sql_check_pattern, PG_GETARG_DATUM(0)));
	options.wait = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	options.progress = tell;
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	end_step(); /* a transaction of our own */
	floe_db_use(&procedure_ops);
	floe_pass_use_local_query();
	floe_pass_run(&options);
	SPI_finish();
	MemoryContextSwitchTo(old);
	PG_RETURN_VOID();
}
