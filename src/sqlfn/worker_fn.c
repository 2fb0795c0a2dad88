/*
 * worker_fn.c: what SQL knows of floe's processes: waking them, seeing them, and their lines in the log.
 */
#include "floe.h"

#include "guc.h"
#include "proc/registry.h"

#include "commands/dbcommands.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(floe_sql_wake);
PG_FUNCTION_INFO_V1(floe_sql_wake_after);
PG_FUNCTION_INFO_V1(floe_sql_log_event);
PG_FUNCTION_INFO_V1(floe_sql_workers);
PG_FUNCTION_INFO_V1(floe_sql_announce);

static void
wake(const char *who)
{
	if (strcmp(who, "assessor") == 0)
		floe_wake_at_commit(FLOE_WAKE_ASSESSOR);
	else if (strcmp(who, "executor") == 0)
		floe_wake_at_commit(FLOE_WAKE_EXECUTOR);
	else
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there is no worker \"%s\"", who),
						errhint("It is assessor or executor.")));
}

Datum
floe_sql_wake(PG_FUNCTION_ARGS)
{
	wake(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}

Datum
floe_sql_wake_after(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("floe_internal.wake_after() is a trigger")));
	for (int i = 0; i < ((TriggerData *) fcinfo->context)->tg_trigger->tgnargs; i++)
		wake(((TriggerData *) fcinfo->context)->tg_trigger->tgargs[i]);
	PG_RETURN_POINTER(NULL);
}

/* What an operator wants to read without being asked; the rest is for whoever debugs. */
static bool
is_chatter(const char *kind)
{
	return strcmp(kind, "operation queued") == 0 || strcmp(kind, "operation running") == 0 ||
		   strcmp(kind, "table assessed") == 0;
}

Datum
floe_sql_log_event(PG_FUNCTION_ARGS)
{
	char *kind;

	if (floe_my_slot == NULL || PG_ARGISNULL(0) || PG_ARGISNULL(3))
		PG_RETURN_VOID();
	kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ereport(is_chatter(kind) ? DEBUG1 : LOG,
			(errmsg("floe: database \"%s\"%s%s%s%s%s%s: %s: %s", floe_my_slot->database,
					PG_ARGISNULL(1) ? "" : ", catalog \"", PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1)),
					PG_ARGISNULL(1) ? "" : "\"", PG_ARGISNULL(2) ? "" : ", table \"",
					PG_ARGISNULL(2) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(2)), PG_ARGISNULL(2) ? "" : "\"", kind,
					text_to_cstring(PG_GETARG_TEXT_PP(3))),
			 errhidestmt(true), errhidecontext(true)));
	PG_RETURN_VOID();
}

/* Is the current database among floe.databases? */
static bool
is_served(void)
{
	char *copy = pstrdup(floe_databases);
	char *name = get_database_name(MyDatabaseId);
	List *names = NIL;
	ListCell *cell;

	if (name == NULL || !SplitIdentifierString(copy, ',', &names))
		return false;
	foreach (cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/* When the extension is made or updated: workers that found it missing or of another version look again. */
Datum
floe_sql_announce(PG_FUNCTION_ARGS)
{
	if (floe_registry() == NULL)
		PG_RETURN_VOID();
	floe_wake_at_commit(FLOE_WAKE_LAUNCHER | FLOE_WAKE_RESTART);
	/* CREATE EXTENSION shows no notices */
	if (floe_enabled && floe_scheduler && !is_served())
		ereport(WARNING,
				(errmsg("floe's workers are not told to work in database \"%s\"", get_database_name(MyDatabaseId)),
				 errhint("Add it to floe.databases and reload the configuration, or drive floe with "
						 "floe.run_maintenance().")));
	PG_RETURN_VOID();
}

static Datum
time_or_null(TimestampTz time, bool *null)
{
	*null = time == 0;
	return TimestampTzGetDatum(time);
}

static void
put_slot(ReturnSetInfo *result, const FloeWorkerSlot *slot)
{
	Datum values[13];
	bool nulls[13] = {false};
	const char *why = slot->state == FLOE_SLOT_RUNNING ? NULL : floe_slot_reason_text(slot->reason);

	if (slot->state == FLOE_SLOT_IDLE && why == NULL)
		why = "it failed; the server log says why";
	values[0] = CStringGetTextDatum(slot->database);
	values[1] = CStringGetTextDatum(floe_worker_kind_name(slot->kind));
	values[2] = Int32GetDatum(slot->number);
	values[3] = CStringGetTextDatum(floe_slot_state_name(slot->state));
	values[4] = why != NULL ? CStringGetTextDatum(why) : (Datum) 0;
	nulls[4] = why == NULL;
	values[5] = Int32GetDatum(slot->pid);
	nulls[5] = slot->pid == 0;
	values[6] = time_or_null(slot->since, &nulls[6]);
	values[7] = time_or_null(slot->state == FLOE_SLOT_IDLE ? slot->next_start_at : 0, &nulls[7]);
	values[8] = Int32GetDatum(slot->failures);
	values[9] = Int32GetDatum(slot->in_flight);
	values[10] = Int32GetDatum(slot->requests);
	values[11] = Int64GetDatum(slot->done);
	values[12] = time_or_null(slot->active_at, &nulls[12]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
floe_sql_workers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	FloeRegistry *registry = floe_registry();
	FloeWorkerSlot *slots;

	InitMaterializedSRF(fcinfo, 0);
	if (registry == NULL)
		return (Datum) 0;
	slots = palloc(sizeof(registry->slots));
	LWLockAcquire(floe_registry_lock(), LW_SHARED);
	memcpy(slots, registry->slots, sizeof(registry->slots));
	LWLockRelease(floe_registry_lock());
	for (int i = 0; i < FLOE_MAX_WORKERS; i++)
	{
		if (slots[i].state != FLOE_SLOT_FREE)
			put_slot(result, &slots[i]);
	}
	return (Datum) 0;
}
