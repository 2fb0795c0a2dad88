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

/* Nested transactions that are told apart. */
#define WAKE_LEVELS 16
static uint32 wanted[WAKE_LEVELS]; /* by the current transaction, and by each one nested in it */

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
		memset(wanted, 0, sizeof(wanted));
}

static int
wake_level(void)
{
	return Min(GetCurrentTransactionNestLevel(), WAKE_LEVELS) - 1;
}

/* What was rolled back to a savepoint wakes nobody. */
static void
on_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int level = wake_level();

	/* those deeper than the levels that are told apart share the last one: waking too many does no harm */
	if (level == 0 || GetCurrentTransactionNestLevel() > WAKE_LEVELS)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		wanted[level - 1] |= wanted[level];
	if (event == SUBXACT_EVENT_COMMIT_SUB || event == SUBXACT_EVENT_ABORT_SUB)
		wanted[level] = 0;
}

/*
 * Not when the transaction has committed, but when it has told so: others must
 * see what it changed of servers and user mappings, and not wait for its locks.
 */
static void
on_release(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	uint32 who = 0;

	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level)
		return;
	for (int i = 0; i < WAKE_LEVELS; i++)
		who |= wanted[i];
	if (who == 0)
		return;
	memset(wanted, 0, sizeof(wanted));
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
		RegisterSubXactCallback(on_subtransaction, NULL);
		RegisterResourceReleaseCallback(on_release, NULL);
	}
	registered = true;
	wanted[wake_level()] |= who;
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
