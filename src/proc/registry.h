/*
 * registry.h: floe's processes in shared memory: who there is, who must be woken, who must keep away from a database.
 *
 * Exists only when the library was loaded by shared_preload_libraries;
 * otherwise floe_registry() is NULL and waking does nothing.  It holds nothing
 * that must survive a restart: what floe knows is in tables.
 */
#ifndef FLOE_PROC_REGISTRY_H
#define FLOE_PROC_REGISTRY_H

#include "floe.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/proc.h"

#define FLOE_MAX_WORKERS 128 /* of all databases together */
#define FLOE_MAX_HOLDS 32

typedef enum FloeWorkerKind
{
	FLOE_ASSESSOR, /* looks at catalogs and tables, decides */
	FLOE_EXECUTOR  /* dispatches operations and follows them */
} FloeWorkerKind;

#define FLOE_WAKE_ASSESSOR 1
#define FLOE_WAKE_EXECUTOR 2
#define FLOE_WAKE_LAUNCHER 4
#define FLOE_WAKE_RESTART 8 /* workers of the database end, and begin anew with what the extension is then */

typedef enum FloeSlotState
{
	FLOE_SLOT_FREE,
	FLOE_SLOT_IDLE,     /* configured, no process; reason says why */
	FLOE_SLOT_STARTING, /* the postmaster was asked for one */
	FLOE_SLOT_RUNNING
} FloeSlotState;

typedef enum FloeSlotReason
{
	FLOE_REASON_NONE,         /* as it ended, it could not say why: a failure */
	FLOE_REASON_STOPPED,      /* somebody asked it to end */
	FLOE_REASON_NO_DATABASE,  /* there is no such database, or it takes no connections */
	FLOE_REASON_NO_EXTENSION, /* the database does not have the extension */
	FLOE_REASON_VERSION,      /* the extension's SQL is of another version than the library */
	FLOE_REASON_TAKEN,        /* another process holds the lock of this worker */
	FLOE_REASON_HELD,         /* a command on the database keeps workers away */
	FLOE_REASON_NO_SLOT       /* max_worker_processes is used up */
} FloeSlotReason;

typedef struct FloeWorkerSlot
{
	FloeSlotState state;
	FloeSlotReason reason; /* why it does not run, or why it ended last */
	FloeWorkerKind kind;
	int number; /* of its kind in the database, from 0 */
	char database[NAMEDATALEN];
	uint32 generation; /* of the request to start: a process of an older one must not attach */
	Oid database_oid;
	pid_t pid;
	PGPROC *proc;
	bool stop;              /* end at the next border of a step */
	pg_atomic_uint32 woken; /* look for work: something was committed */
	TimestampTz since;      /* of the state */
	TimestampTz next_start_at;
	int failures;

	/* written by the worker alone, read by views: a torn value does no harm */
	int32 in_flight; /* tables being looked at, or operations being followed */
	int32 requests;  /* HTTP requests under way */
	int64 done;      /* looks or operations since the start */
	int64 failed;
	TimestampTz active_at; /* last turn that found something to do */
} FloeWorkerSlot;

/* A command (DROP DATABASE …) for whose time no worker may be in a database. */
typedef struct FloeHold
{
	Oid database_oid; /* InvalidOid: free */
	pid_t holder;
} FloeHold;

typedef struct FloeRegistry
{
	pid_t launcher_pid;
	PGPROC *launcher;
	pg_atomic_uint32 launcher_woken;
	uint32 generation;
	FloeHold holds[FLOE_MAX_HOLDS];
	FloeWorkerSlot slots[FLOE_MAX_WORKERS];
} FloeRegistry;

/* In _PG_init, while shared_preload_libraries is processed: shared memory is asked for and made. */
extern void floe_registry_install(void);

extern FloeRegistry *floe_registry(void); /* NULL: not preloaded */
extern LWLock *floe_registry_lock(void);

/* Sets latches now; launcher included when nobody of that kind runs in the database. */
extern void floe_registry_wake(Oid database, uint32 who);
/* When the current transaction commits; nothing if it aborts. */
extern void floe_wake_at_commit(uint32 who);

/* Is a process alive that keeps workers out of the database? The lock is held by the caller, in any mode. */
extern bool floe_registry_is_held(Oid database);

extern const char *floe_worker_kind_name(FloeWorkerKind kind);
extern const char *floe_slot_state_name(FloeSlotState state);
/* For people; NULL for FLOE_REASON_NONE. */
extern const char *floe_slot_reason_text(FloeSlotReason reason);

/* The slot of this process; NULL in every other process. Set by worker/. */
extern FloeWorkerSlot *floe_my_slot;

#endif /* FLOE_PROC_REGISTRY_H */
