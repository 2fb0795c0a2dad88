/*
 * launcher.c: the one process that decides which workers there should be.
 *
 * It reads floe.databases and keeps an assessor or more and one executor in
 * each, starting again what ended: after a failure with growing delays, after
 * "no extension" slowly, or at once when somebody wakes it.  It is connected
 * to no database, only to the shared catalogs.  It acts on what the postmaster
 * and the slots say about workers, never on what a worker does while it ends.
 */
#include "floe.h"

#include "worker/worker.h"

#include "base/clock.h"
#include "base/restart.h"
#include "compat.h"
#include "guc.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include <signal.h>

#define RECHECK_MS 60000 /* of a database without the extension, of another version, or that is not there */
#define TAKEN_MS 5000
#define HELD_MS 500
#define NO_SLOT_MS 10000
#define IDLE_MS 60000
#define HURRY_US INT64CONST(100000)
#define STOP_PATIENCE_US INT64CONST(2000000)

typedef struct Unit
{
	char database[NAMEDATALEN];
	FloeWorkerKind kind;
	int number;
	FloeWorkerSlot *slot;
	BackgroundWorkerHandle *handle; /* NULL: none of ours, or an earlier launcher's */
	FloeRestart restart;
	FloeSlotState seen; /* of the slot, at the last look */
	bool wanted;
	bool warned;  /* that it cannot be started */
	bool hurried; /* somebody has work for it, or removed what kept it away, while it was ending */
	int64 stop_since_us;
	struct Unit *next;
} Unit;

static Unit *units = NULL;

PGDLLEXPORT void floe_launcher_main(Datum arg);

void
floe_launcher_register(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	/* on a standby not before it is promoted */
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 5;
	strlcpy(worker.bgw_library_name, "floe", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "floe_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "floe launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "floe launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

static void
leave(int code, Datum arg)
{
	FloeRegistry *registry = floe_registry();

	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	registry->launcher_pid = 0;
	registry->launcher = NULL;
	LWLockRelease(floe_registry_lock());
}

/* ---- which workers there should be ---- */

static Unit *
find_unit(const char *database, FloeWorkerKind kind, int number)
{
	for (Unit *unit = units; unit != NULL; unit = unit->next)
	{
		if (unit->kind == kind && unit->number == number && strcmp(unit->database, database) == 0)
			return unit;
	}
	return NULL;
}

static void
want(const char *database, FloeWorkerKind kind, int number)
{
	Unit *unit = find_unit(database, kind, number);

	if (unit == NULL)
	{
		unit = MemoryContextAllocZero(TopMemoryContext, sizeof(Unit));
		strlcpy(unit->database, database, NAMEDATALEN);
		unit->kind = kind;
		unit->number = number;
		unit->next = units;
		units = unit;
	}
	unit->wanted = true;
}

static void
want_configured(void)
{
	char *copy = pstrdup(floe_databases);
	List *names = NIL;
	ListCell *cell;

	for (Unit *unit = units; unit != NULL; unit = unit->next)
		unit->wanted = false;
	if (floe_enabled && floe_scheduler && SplitIdentifierString(copy, ',', &names))
	{
		foreach (cell, names)
		{
			for (int i = 0; i < floe_assessors; i++)
				want(lfirst(cell), FLOE_ASSESSOR, i);
			want(lfirst(cell), FLOE_EXECUTOR, 0);
		}
	}
	list_free(names);
	pfree(copy);
}

/* A slot of an earlier launcher is taken over, with the process in it. */
static FloeWorkerSlot *
take_slot(Unit *unit)
{
	FloeRegistry *registry = floe_registry();
	FloeWorkerSlot *found = NULL;

	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < FLOE_MAX_WORKERS; i++)
	{
		FloeWorkerSlot *slot = &registry->slots[i];

		if (slot->state == FLOE_SLOT_FREE)
			found = found == NULL ? slot : found;
		else if (slot->kind == unit->kind && slot->number == unit->number &&
				 strcmp(slot->database, unit->database) == 0)
		{
			found = slot;
			break;
		}
	}
	if (found != NULL && found->state == FLOE_SLOT_FREE)
	{
		found->kind = unit->kind;
		found->number = unit->number;
		strlcpy(found->database, unit->database, NAMEDATALEN);
		found->database_oid = InvalidOid;
		found->pid = 0;
		found->proc = NULL;
		found->stop = false;
		found->reason = FLOE_REASON_STOPPED;
		found->state = FLOE_SLOT_IDLE;
		found->since = GetCurrentTimestamp();
	}
	else if (found != NULL && found->state == FLOE_SLOT_STARTING)
	{
		/* an earlier launcher asked for it; what comes of that must not attach */
		found->generation = ++registry->generation;
		found->state = FLOE_SLOT_IDLE;
	}
	LWLockRelease(floe_registry_lock());
	return found;
}

/* ---- one unit ---- */

static void
set_idle(Unit *unit, FloeSlotReason reason)
{
	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	if (unit->slot->state != FLOE_SLOT_RUNNING)
	{
		unit->slot->state = FLOE_SLOT_IDLE;
		unit->slot->reason = reason;
		unit->slot->since = GetCurrentTimestamp();
	}
	LWLockRelease(floe_registry_lock());
	unit->seen = FLOE_SLOT_IDLE;
}

static void
warn_once(Unit *unit, const char *message, const char *hint)
{
	if (!unit->warned)
		ereport(WARNING, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						  errmsg("floe %s of database \"%s\" cannot be started: %s", floe_worker_kind_name(unit->kind),
								 unit->database, message),
						  errhint("%s", hint)));
	unit->warned = true;
}

/*
 * The database's oid, if it takes connections.  By a scan: a process without a
 * database has no indexes of the catalogs.
 */
static Oid
find_database(const char *name)
{
	Relation relation = table_open(DatabaseRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(relation, 0, NULL);
	Oid oid = InvalidOid;
	HeapTuple tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (strcmp(NameStr(database->datname), name) == 0 && database->datallowconn)
			oid = database->oid;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	return oid;
}

/* May workers be in the database now? */
static FloeSlotReason
obstacle(const char *name)
{
	FloeSlotReason reason = FLOE_REASON_NONE;
	Oid database;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	database = find_database(name);
	CommitTransactionCommand();
	if (!OidIsValid(database))
		return FLOE_REASON_NO_DATABASE;
	LWLockAcquire(floe_registry_lock(), LW_SHARED);
	if (floe_registry_is_held(database))
		reason = FLOE_REASON_HELD;
	LWLockRelease(floe_registry_lock());
	return reason;
}

static uint64
seed_of(const Unit *unit)
{
	return ((uint64) (uintptr_t) unit->slot) ^ (uint64) MyProcPid;
}

static bool
register_worker(Unit *unit)
{
	BackgroundWorker worker = {0};
	FloeWorkerSlot *slot = unit->slot;
	uint32 generation;
	MemoryContext old;
	bool registered;

	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	generation = ++floe_registry()->generation;
	slot->generation = generation;
	slot->state = FLOE_SLOT_STARTING;
	slot->reason = FLOE_REASON_NONE;
	slot->stop = false;
	slot->since = GetCurrentTimestamp();
	LWLockRelease(floe_registry_lock());
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "floe", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "floe_worker_main", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "floe %s: %s", floe_worker_kind_name(unit->kind), unit->database);
	snprintf(worker.bgw_type, BGW_MAXLEN, "floe %s", floe_worker_kind_name(unit->kind));
	worker.bgw_main_arg = Int32GetDatum((int32) (slot - floe_registry()->slots));
	memcpy(worker.bgw_extra, &generation, sizeof(generation));
	worker.bgw_notify_pid = MyProcPid;
	/* the handle is allocated there, and outlives this turn */
	old = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, &unit->handle);
	MemoryContextSwitchTo(old);
	return registered;
}

static void
start(Unit *unit, int64 now)
{
	FloeSlotReason reason = obstacle(unit->database);

	if (reason == FLOE_REASON_NONE && !register_worker(unit))
		reason = FLOE_REASON_NO_SLOT;
	switch (reason)
	{
		case FLOE_REASON_NONE:
			unit->seen = FLOE_SLOT_STARTING;
			unit->warned = false;
			unit->hurried = false;
			floe_restart_started(&unit->restart, now);
			return;
		case FLOE_REASON_NO_SLOT:
			warn_once(unit, "no background worker is free",
					  "Raise max_worker_processes and restart the server; floe needs one for itself and two for each "
					  "database.");
			break;
		case FLOE_REASON_NO_DATABASE:
			warn_once(unit, "there is no such database, or it takes no connections",
					  "Correct floe.databases and reload the configuration.");
			break;
		default:
			break;
	}
	set_idle(unit, reason);
	floe_restart_after(&unit->restart, now,
					   reason == FLOE_REASON_NO_SLOT ? NO_SLOT_MS
					   : reason == FLOE_REASON_HELD  ? HELD_MS
													 : RECHECK_MS);
}

/* It is not there any more: when again? */
static void
ended(Unit *unit, int64 now)
{
	FloeSlotReason reason = unit->slot->reason;

	/* it may have been too busy to say that it was asked */
	if (reason == FLOE_REASON_NONE && unit->slot->stop)
		reason = FLOE_REASON_STOPPED;
	if (unit->handle != NULL)
		pfree(unit->handle);
	unit->handle = NULL;
	unit->stop_since_us = 0;
	set_idle(unit, reason);
	switch (reason)
	{
		case FLOE_REASON_NONE:
			floe_restart_failed(&unit->restart, now, seed_of(unit));
			break;
		case FLOE_REASON_STOPPED:
			floe_restart_after(&unit->restart, now, 0);
			break;
		case FLOE_REASON_HELD:
			floe_restart_after(&unit->restart, now, HELD_MS);
			break;
		case FLOE_REASON_TAKEN:
			floe_restart_after(&unit->restart, now, TAKEN_MS);
			break;
		default:
			floe_restart_after(&unit->restart, now, RECHECK_MS);
			break;
	}
	if (unit->hurried && reason != FLOE_REASON_NONE)
		unit->restart.next_us = Min(unit->restart.next_us, now + HURRY_US);
	unit->hurried = false;
}

static bool
is_over(Unit *unit)
{
	FloeSlotState state = unit->slot->state;
	pid_t pid;

	if (unit->handle != NULL)
		return GetBackgroundWorkerPid(unit->handle, &pid) == BGWH_STOPPED;
	return state != FLOE_SLOT_RUNNING;
}

/* Asked nicely first: between two steps nothing has to be told. */
static void
stop(Unit *unit, int64 now)
{
	FloeWorkerSlot *slot = unit->slot;
	pid_t pid = 0;

	if (unit->stop_since_us == 0)
		unit->stop_since_us = now;
	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	slot->stop = true;
	if (slot->state == FLOE_SLOT_RUNNING)
	{
		SetLatch(&slot->proc->procLatch);
		pid = slot->pid;
	}
	LWLockRelease(floe_registry_lock());
	if (pid != 0 && now - unit->stop_since_us > STOP_PATIENCE_US)
		kill(pid, SIGTERM);
}

/* Milliseconds until the unit must be looked at again. */
static int64
look_at(Unit *unit, int64 now)
{
	if (unit->slot == NULL)
	{
		unit->slot = take_slot(unit);
		if (unit->slot == NULL)
		{
			warn_once(unit, psprintf("floe runs at most %d workers", FLOE_MAX_WORKERS),
					  "Name fewer databases in floe.databases, or lower floe.assessors.");
			return IDLE_MS;
		}
		unit->seen = unit->slot->state;
		if (unit->seen == FLOE_SLOT_RUNNING)
			floe_restart_started(&unit->restart, now);
	}
	if (unit->seen == FLOE_SLOT_STARTING || unit->seen == FLOE_SLOT_RUNNING)
	{
		if (is_over(unit))
			ended(unit, now);
		else
		{
			unit->seen = unit->slot->state;
			if (!unit->wanted)
				stop(unit, now);
			return unit->wanted && unit->handle != NULL ? IDLE_MS : 500;
		}
	}
	if (!unit->wanted)
		return IDLE_MS;
	if (unit->restart.next_us <= now)
	{
		start(unit, now);
		if (unit->seen == FLOE_SLOT_STARTING)
			return IDLE_MS;
	}
	unit->slot->failures = unit->restart.failures;
	unit->slot->next_start_at = GetCurrentTimestamp() + (unit->restart.next_us - now);
	return Max(1, (unit->restart.next_us - now) / 1000);
}

/* Units that are neither wanted nor running are forgotten. */
static void
forget_unwanted(void)
{
	Unit **link = &units;

	while (*link != NULL)
	{
		Unit *unit = *link;

		if (unit->wanted || (unit->slot != NULL && unit->seen != FLOE_SLOT_IDLE))
		{
			link = &unit->next;
			continue;
		}
		if (unit->slot != NULL)
		{
			LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
			unit->slot->state = FLOE_SLOT_FREE;
			LWLockRelease(floe_registry_lock());
		}
		*link = unit->next;
		pfree(unit);
	}
}

/* Somebody has work for a worker that does not run, or made the extension: do not wait with those that ended for a reason. */
static void
hurry(int64 now)
{
	for (Unit *unit = units; unit != NULL; unit = unit->next)
	{
		if (unit->seen != FLOE_SLOT_IDLE)
			unit->hurried = true;
		else if (unit->slot != NULL && unit->slot->reason != FLOE_REASON_NONE)
			unit->restart.next_us = Min(unit->restart.next_us, now + HURRY_US);
	}
}

/* Workers of an earlier launcher that nobody wants any more are found by their slots. */
static void
adopt_leftovers(void)
{
	FloeRegistry *registry = floe_registry();

	for (int i = 0; i < FLOE_MAX_WORKERS; i++)
	{
		FloeWorkerSlot *slot = &registry->slots[i];

		if (slot->state != FLOE_SLOT_FREE)
			want(slot->database, slot->kind, slot->number);
	}
}

static void
begin_launcher(void)
{
	FloeRegistry *registry = floe_registry();

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	floe_no_transaction_timeout();
	pgstat_report_appname("floe launcher");
	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	registry->launcher_pid = MyProcPid;
	registry->launcher = MyProc;
	LWLockRelease(floe_registry_lock());
	before_shmem_exit(leave, (Datum) 0);
}

void
floe_launcher_main(Datum arg)
{
	MemoryContext loop;
	uint32 idle_event;

	begin_launcher();
	idle_event = floe_wait_event_new(FLOE_WAIT_EVENT_IDLE);
	loop = AllocSetContextCreate(TopMemoryContext, "floe launcher", ALLOCSET_DEFAULT_SIZES);
	adopt_leftovers();
	for (;;)
	{
		int64 wait_ms = IDLE_MS;
		int64 now = floe_clock_steady_us();

		MemoryContextSwitchTo(loop);
		MemoryContextReset(loop);
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			for (Unit *unit = units; unit != NULL; unit = unit->next)
				unit->warned = false;
			hurry(now);
		}
		if (pg_atomic_exchange_u32(&floe_registry()->launcher_woken, 0) != 0)
			hurry(now);
		want_configured();
		for (Unit *unit = units; unit != NULL; unit = unit->next)
		{
			wait_ms = Min(wait_ms, look_at(unit, now));
			MemoryContextSwitchTo(loop); /* a transaction's end leaves another one */
		}
		forget_unwanted();
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, (long) wait_ms, idle_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}
