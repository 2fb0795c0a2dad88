/*
 * registry.c: the shared memory of floe's processes, and waking them when a transaction commits.
 */
#include "floe.h"

#include "proc/registry.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "utils/resowner.h"

#define TRANCHE "floe"

static FloeRegistry *registry = NULL;
static LWLock *registry_lock = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;
static uint32 wanted = 0; /* by the current transaction */

FloeWorkerSlot *floe_my_slot = NULL;

FloeRegistry *
floe_registry(void)
{
	return registry;
}

LWLock *
floe_registry_lock(void)
{
	return registry_lock;
}

static void
request(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(FloeRegistry)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
startup(void)
{
	bool found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	registry = ShmemInitStruct("floe", sizeof(FloeRegistry), &found);
	registry_lock = &(GetNamedLWLockTranche(TRANCHE))->lock;
	if (!found)
	{
		memset(registry, 0, sizeof(FloeRegistry));
		pg_atomic_init_u32(&registry->launcher_woken, 0);
		for (int i = 0; i < FLOE_MAX_WORKERS; i++)
			pg_atomic_init_u32(&registry->slots[i].woken, 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
floe_registry_install(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
}

static void
wake_launcher(void)
{
	pg_atomic_write_u32(&registry->launcher_woken, 1);
	if (registry->launcher != NULL)
		SetLatch(&registry->launcher->procLatch);
}

void
floe_registry_wake(Oid database, uint32 who)
{
	uint32 found = 0;

	if (registry == NULL)
		return;
	LWLockAcquire(registry_lock, LW_SHARED);
	for (int i = 0; i < FLOE_MAX_WORKERS; i++)
	{
		FloeWorkerSlot *slot = &registry->slots[i];
		uint32 kind = slot->kind == FLOE_ASSESSOR ? FLOE_WAKE_ASSESSOR : FLOE_WAKE_EXECUTOR;

		if (slot->state != FLOE_SLOT_RUNNING || slot->database_oid != database ||
			(who & (kind | FLOE_WAKE_RESTART)) == 0)
			continue;
		found |= kind;
		if ((who & FLOE_WAKE_RESTART) != 0)
			slot->stop = true;
		pg_atomic_write_u32(&slot->woken, 1);
		SetLatch(&slot->proc->procLatch);
	}
	if ((who & ~(found | FLOE_WAKE_RESTART)) != 0)
		wake_launcher();
	LWLockRelease(registry_lock);
}

static void
on_transaction(XactEvent event, void *arg)
{
	/* whoever commits a prepared one does not know; what it made is found when it is due */
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		wanted = 0;
}

/*
 * Not when the transaction has committed, but when it has told so: others must
 * see what it changed of servers and user mappings, and not wait for its locks.
 */
static void
on_release(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	uint32 who = wanted;

	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level || who == 0)
		return;
	wanted = 0;
	if (is_commit)
		floe_registry_wake(MyDatabaseId, who);
}

void
floe_wake_at_commit(uint32 who)
{
	static bool registered = false;

	if (registry == NULL)
		return;
	if (!registered)
	{
		RegisterXactCallback(on_transaction, NULL);
		RegisterResourceReleaseCallback(on_release, NULL);
	}
	registered = true;
	wanted |= who;
}

bool
floe_registry_is_held(Oid database)
{
	for (int i = 0; i < FLOE_MAX_HOLDS; i++)
	{
		FloeHold *hold = &registry->holds[i];

		if (hold->database_oid == database && BackendPidGetProc(hold->holder) != NULL)
			return true;
	}
	return false;
}

const char *
floe_worker_kind_name(FloeWorkerKind kind)
{
	return kind == FLOE_ASSESSOR ? "assessor" : "executor";
}

const char *
floe_slot_state_name(FloeSlotState state)
{
	switch (state)
	{
		case FLOE_SLOT_RUNNING:
			return "running";
		case FLOE_SLOT_STARTING:
			return "starting";
		case FLOE_SLOT_IDLE:
		case FLOE_SLOT_FREE:
			break;
	}
	return "not running";
}

const char *
floe_slot_reason_text(FloeSlotReason reason)
{
	switch (reason)
	{
		case FLOE_REASON_NONE:
			break;
		case FLOE_REASON_STOPPED:
			return "it was asked to end";
		case FLOE_REASON_NO_DATABASE:
			return "there is no such database, or it takes no connections";
		case FLOE_REASON_NO_EXTENSION:
			return "the database does not have the extension";
		case FLOE_REASON_VERSION:
			return "the extension in the database and the library are of different versions";
		case FLOE_REASON_TAKEN:
			return "another process does the work";
		case FLOE_REASON_HELD:
			return "a command on the database keeps workers away";
		case FLOE_REASON_NO_SLOT:
			return "no free background worker";
	}
	return NULL;
}
