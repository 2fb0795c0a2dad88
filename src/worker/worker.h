/*
 * worker.h: floe's background processes (for the files of worker/, and floe.c which installs them).
 *
 * launcher.c     one for the cluster: which workers there should be, starting them again
 * process.c      what every worker does first and last: slot, connection, extension, lock
 * keep_away.c    commands that need a database without connections
 */
#ifndef FLOE_WORKER_WORKER_H
#define FLOE_WORKER_WORKER_H

#include "compat.h"
#include "proc/registry.h"

/* In _PG_init, while shared_preload_libraries is processed. */
extern void floe_launcher_register(void);
extern void floe_keep_away_install(void);

/* Ends a worker at a border of a step, quietly: the launcher knows what to do from the reason. */
FLOE_NORETURN extern void floe_worker_exit(FloeSlotReason reason);

#endif /* FLOE_WORKER_WORKER_H */
