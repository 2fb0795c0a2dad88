/*
 * cleanup.h: foreign resources that end with a memory context.
 *
 * Any palloc() may longjmp away, so the order is fixed: register first, then
 * acquire, then hand the resource over.
 *
 *     FloeCleanup *cleanup = floe_cleanup_register(release_arena);
 *     FloeArena *arena = floe_cleanup_hold(cleanup, floe_arena_new(limit));
 *
 * The resource is released when the memory context that was current at
 * registration is reset or deleted (also on ERROR, cancel and FATAL inside a
 * transaction), or earlier by floe_cleanup_run(); never twice.
 */
#ifndef FLOE_BASE_CLEANUP_H
#define FLOE_BASE_CLEANUP_H

typedef struct FloeCleanup FloeCleanup;

/* Must not throw: it runs while a context is being reset. Not called for NULL. */
typedef void (*FloeCleanupFn)(void *resource);

/* Registers with CurrentMemoryContext; throws when out of memory. */
extern FloeCleanup *floe_cleanup_register(FloeCleanupFn release);

/* Makes the resource (which may be NULL) the one to be released; returns it. */
extern void *floe_cleanup_hold(FloeCleanup *cleanup, void *resource);

/* Releases now.  Calling it again does nothing; NULL is allowed. */
extern void floe_cleanup_run(FloeCleanup *cleanup);

/* Gives the resource back to the caller, who releases it; NULL when there was none. */
extern void *floe_cleanup_forget(FloeCleanup *cleanup);

#endif /* FLOE_BASE_CLEANUP_H */
