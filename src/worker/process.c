/*
 * process.c: what every worker does first and last, and its transactions.
 *
 * A worker is connected to one database and does nothing unless the extension
 * is there, of this library's version, and nobody else does the same work.
 * Each step is one short transaction that holds the extension's lock, so that
 * DROP and ALTER EXTENSION never wait for more than a step; a worker that
 * finds the extension locked, gone or made anew ends without a word.
 */
#include "floe.h"

#include "worker/worker.h"

#include "compat.h"
#include "guc.h"
#include "pass/pass.h"
#include "state/db.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define WORKER_LOCK_CLASS 1718382439 /* beside those of src/sql/72_passes.sql */

#define LOCK_TIMEOUT "1s"

static Oid extension_oid = InvalidOid;

PGDLLEXPORT void floe_worker_main(Datum arg);

/* ---- slot ---- */

static void
detach(int code, Datum arg)
{
	FloeWorkerSlot *slot = floe_my_slot;

	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	slot->state = FLOE_SLOT_IDLE;
	slot->since = GetCurrentTimestamp();
	slot->pid = 0;
	slot->proc = NULL;
	slot->in_flight = 0;
	slot->requests = 0;
	LWLockRelease(floe_registry_lock());
	floe_my_slot = NULL;
}

/* False: this process was asked for by a launcher that has forgotten it. */
static bool
attach(int number)
{
	FloeWorkerSlot *slot = &floe_registry()->slots[number];
	uint32 generation;
	bool mine;

	memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	mine = slot->state == FLOE_SLOT_STARTING && slot->generation == generation;
	if (mine)
	{
		slot->state = FLOE_SLOT_RUNNING;
		slot->since = GetCurrentTimestamp();
		slot->pid = MyProcPid;
		slot->proc = MyProc;
		slot->database_oid = InvalidOid;
		slot->done = slot->failed = 0;
		slot->active_at = 0;
		pg_atomic_write_u32(&slot->woken, 1);
	}
	LWLockRelease(floe_registry_lock());
	if (mine)
	{
		floe_my_slot = slot;
		before_shmem_exit(detach, (Datum) 0);
	}
	return mine;
}

void
floe_worker_exit(FloeSlotReason reason)
{
	floe_my_slot->reason = reason;
	proc_exit(0);
}

/* ---- transactions ---- */

static void
check_extension(void)
{
	if (get_extension_oid("floe", true) != extension_oid)
		floe_worker_exit(FLOE_REASON_NO_EXTENSION);
	/* whoever drops it holds the lock and waits for nobody */
	if (!ConditionalLockDatabaseObject(ExtensionRelationId, extension_oid, 0, AccessShareLock))
		floe_worker_exit(FLOE_REASON_HELD);
}

static void
begin_transaction(void)
{
	MemoryContext old = CurrentMemoryContext;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(old);
}

static void
begin_step(void)
{
	if (floe_my_slot->stop)
		floe_worker_exit(FLOE_REASON_STOPPED);
	begin_transaction();
	check_extension();
}

static void
end_step(void)
{
	MemoryContext old = CurrentMemoryContext;

	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(false);
	MemoryContextSwitchTo(old);
}

static const FloeDbOps worker_ops = {begin_step, end_step};

/* ---- start ---- */

static void
set_session(void)
{
	/* what somebody may have set for the database or the role, and what a worker cannot live with */
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_deferrable", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	floe_no_transaction_timeout();
	/* somebody's open transaction must not stop all that this process does for others; the step is taken again */
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("application_name", floe_my_slot->kind == FLOE_ASSESSOR ? "floe assessor" : "floe executor",
					PGC_USERSET, PGC_S_SESSION);
}

static bool
same_version(void)
{
	FloeRows rows;
	FloeStatus st;

	return floe_db_call("SELECT floe_internal.api_version()", NULL, 0, &rows, &st) &&
		   floe_row_int4(&rows, 0, 0, -1) == FLOE_API_VERSION;
}

static bool
take_lock(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, WORKER_LOCK_CLASS,
						 (uint32) (floe_my_slot->kind * 1000 + floe_my_slot->number), 2);
	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* The first transaction: is there anything to do here, and is it for us? */
static void
settle_down(void)
{
	bool held;

	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	floe_my_slot->database_oid = MyDatabaseId;
	held = floe_registry_is_held(MyDatabaseId);
	LWLockRelease(floe_registry_lock());
	if (held)
		floe_worker_exit(FLOE_REASON_HELD);
	begin_transaction();
	extension_oid = get_extension_oid("floe", true);
	if (!OidIsValid(extension_oid))
		floe_worker_exit(FLOE_REASON_NO_EXTENSION);
	check_extension();
	if (!same_version())
	{
		ereport(LOG,
				(errmsg("floe: the extension in database \"%s\" is of another version than the library",
						floe_my_slot->database),
				 errhint("ALTER EXTENSION floe UPDATE, and restart the server after installing another library.")));
		floe_worker_exit(FLOE_REASON_VERSION);
	}
	if (!take_lock())
		floe_worker_exit(FLOE_REASON_TAKEN);
	end_step();
}

/* ---- between turns ---- */

/* Settings that were read when the pass began. */
static uint64
fixed_settings(void)
{
	uint64 sum = 17;
	int values[] = {floe_connect_timeout_ms, floe_request_timeout_ms, floe_max_connections,
					floe_max_connections_per_host, floe_assessors};

	for (size_t i = 0; i < lengthof(values); i++)
		sum = sum * 31 + (uint64) values[i];
	for (const char *c = floe_allowed_hosts; *c != '\0'; c++)
		sum = sum * 31 + (unsigned char) *c;
	for (const char *c = floe_role; *c != '\0'; c++)
		sum = sum * 37 + (unsigned char) *c;
	return sum;
}

/* Called by the pass on every turn; true: look for work now. */
static bool
on_turn(const FloePassActivity *activity)
{
	FloeWorkerSlot *slot = floe_my_slot;
	bool reloaded = false;

	if (ConfigReloadPending)
	{
		uint64 before = fixed_settings();

		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		reloaded = true;
		if (fixed_settings() != before)
			floe_worker_exit(FLOE_REASON_STOPPED);
	}
	if (slot->stop)
		floe_worker_exit(FLOE_REASON_STOPPED);
	slot->in_flight = activity->in_flight;
	slot->requests = activity->requests;
	slot->done = activity->done;
	slot->failed = activity->failed;
	if (activity->in_flight > 0)
		slot->active_at = GetCurrentTimestamp();
	return pg_atomic_exchange_u32(&slot->woken, 0) != 0 || reloaded;
}

/* A wait for a lock, or for a synchronous standby, may have taken the latch. */
static bool
is_woken(void)
{
	return pg_atomic_read_u32(&floe_my_slot->woken) != 0 || floe_my_slot->stop || ConfigReloadPending;
}

void
floe_worker_main(Datum arg)
{
	FloePassOptions options = {0};

	if (!attach(DatumGetInt32(arg)))
		proc_exit(0);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(floe_my_slot->database, floe_role[0] != '\0' ? floe_role : NULL, 0);
	set_session();
	pgstat_report_activity(STATE_IDLE, NULL);
	settle_down();
	floe_db_use(&worker_ops);
	floe_pass_use_local_query();
	options.on_turn = on_turn;
	options.is_woken = is_woken;
	options.number = floe_my_slot->number;
	options.wait = true;
	if (floe_my_slot->kind == FLOE_ASSESSOR)
	{
		options.kind = "assessor";
		floe_pass_assess_forever(&options);
	}
	else
	{
		options.kind = "executor";
		floe_pass_execute_forever(&options);
	}
}
