/*
 * keep_away.c: commands that need a database without connections do not fail because floe is in it.
 *
 * DROP DATABASE, CREATE DATABASE … TEMPLATE, and ALTER DATABASE RENAME and SET
 * TABLESPACE are refused while others are connected.  For their time floe's
 * workers leave the database: a hold in shared memory keeps the launcher from
 * starting new ones, and is void as soon as its process is gone.  DROP EXTENSION
 * does not need that; workers are only told when it has happened.
 */
#include "floe.h"

#include "worker/worker.h"

#include "base/clock.h"
#include "compat.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/wait_event.h"

#include <signal.h>

#define PATIENCE_US INT64CONST(4000000) /* then the command tells who is still there */
#define ASK_US INT64CONST(200000)

static ProcessUtility_hook_type previous_hook = NULL;
static object_access_hook_type previous_access_hook = NULL;

static const char *
option_text(List *options, const char *name)
{
	ListCell *cell;

	foreach (cell, options)
	{
		DefElem *def = lfirst(cell);

		if (strcmp(def->defname, name) == 0 && def->arg != NULL)
			return defGetString(def);
	}
	return NULL;
}

/* The database that must be empty for the command; NULL: none. */
static const char *
needed_database(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			return castNode(DropdbStmt, statement)->dbname;
		case T_CreatedbStmt:
			return option_text(castNode(CreatedbStmt, statement)->options, "template");
		case T_RenameStmt:
			return castNode(RenameStmt, statement)->renameType == OBJECT_DATABASE
					   ? castNode(RenameStmt, statement)->subname
					   : NULL;
		case T_AlterDatabaseStmt:
			return option_text(castNode(AlterDatabaseStmt, statement)->options, "tablespace") != NULL
					   ? castNode(AlterDatabaseStmt, statement)->dbname
					   : NULL;
		default:
			return NULL;
	}
}

/* Who may not do it must not be able to disturb the workers by trying. */
static bool
may_need(Oid database)
{
	return floe_owns_database(database, GetUserId()) || (superuser() || have_createdb_privilege());
}

static bool
take_hold(Oid database)
{
	FloeRegistry *registry = floe_registry();
	bool taken = false;

	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < FLOE_MAX_HOLDS && !taken; i++)
	{
		FloeHold *hold = &registry->holds[i];

		if (hold->database_oid != InvalidOid && hold->holder != MyProcPid && BackendPidGetProc(hold->holder) != NULL)
			continue;
		hold->database_oid = database;
		hold->holder = MyProcPid;
		taken = true;
	}
	LWLockRelease(floe_registry_lock());
	return taken;
}

static void
release_hold(void)
{
	FloeRegistry *registry = floe_registry();

	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < FLOE_MAX_HOLDS; i++)
	{
		if (registry->holds[i].holder == MyProcPid)
			registry->holds[i].database_oid = InvalidOid;
	}
	LWLockRelease(floe_registry_lock());
	floe_registry_wake(InvalidOid, FLOE_WAKE_LAUNCHER);
}

/* Also when the session is ended: its process id may be somebody else's soon. */
static void
release_hold_at_end(int code, Datum arg)
{
	release_hold();
}

/* Asks workers in the database to leave; true: there are none. */
static bool
ask_to_leave(Oid database, const char *name, bool insist)
{
	FloeRegistry *registry = floe_registry();
	bool empty = true;

	LWLockAcquire(floe_registry_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < FLOE_MAX_WORKERS; i++)
	{
		FloeWorkerSlot *slot = &registry->slots[i];

		if (slot->state != FLOE_SLOT_RUNNING || (slot->database_oid != database && strcmp(slot->database, name) != 0))
			continue;
		empty = false;
		slot->stop = true;
		SetLatch(&slot->proc->procLatch);
		if (insist)
			kill(slot->pid, SIGTERM);
	}
	LWLockRelease(floe_registry_lock());
	return empty;
}

static void
empty_database(Oid database, const char *name)
{
	int64 begun = floe_clock_steady_us();
	bool insisted = false;

	for (;;)
	{
		int64 waited = floe_clock_steady_us() - begun;
		bool insist = !insisted && waited > ASK_US;

		if (ask_to_leave(database, name, insist) || waited > PATIENCE_US)
			return;
		insisted = insisted || insist;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
run_next(PlannedStmt *statement, const char *query, bool read_only, ProcessUtilityContext context, ParamListInfo params,
		 QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	if (previous_hook != NULL)
		previous_hook(statement, query, read_only, context, params, environment, dest, completion);
	else
		standard_ProcessUtility(statement, query, read_only, context, params, environment, dest, completion);
}

static void
on_utility(PlannedStmt *statement, const char *query, bool read_only, ProcessUtilityContext context,
		   ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	const char *name =
		context == PROCESS_UTILITY_TOPLEVEL && floe_registry() != NULL ? needed_database(statement->utilityStmt) : NULL;
	Oid database = name != NULL ? get_database_oid(name, true) : InvalidOid;

	if (!OidIsValid(database) || !may_need(database) || !take_hold(database))
	{
		run_next(statement, query, read_only, context, params, environment, dest, completion);
		return;
	}
	PG_ENSURE_ERROR_CLEANUP(release_hold_at_end, (Datum) 0);
	{
		empty_database(database, name);
		run_next(statement, query, read_only, context, params, environment, dest, completion);
	}
	PG_END_ENSURE_ERROR_CLEANUP(release_hold_at_end, (Datum) 0);
	release_hold();
}

/* Whatever drops it. */
static void
on_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (previous_access_hook != NULL)
		previous_access_hook(access, class, object, sub, arg);
	if (access == OAT_DROP && class == ExtensionRelationId)
	{
		char *name = get_extension_name(object);

		if (name != NULL && strcmp(name, "floe") == 0)
			floe_wake_at_commit(FLOE_WAKE_ASSESSOR | FLOE_WAKE_EXECUTOR);
	}
}

void
floe_keep_away_install(void)
{
	previous_access_hook = object_access_hook;
	object_access_hook = on_access;
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
}
