/*
 * cleanup.c: memory-context reset callbacks as owners of foreign resources.
 *
 * With clock.c one of the two files of base/ that live in the server.
 */
#include "floe.h"

#include "base/cleanup.h"

#include "utils/memutils.h"

struct FloeCleanup
{
	MemoryContextCallback callback;
	FloeCleanupFn release;
	void *resource;
};

static void
on_reset(void *arg)
{
	floe_cleanup_run(arg);
}

FloeCleanup *
floe_cleanup_register(FloeCleanupFn release)
{
	FloeCleanup *cleanup = palloc0(sizeof(FloeCleanup));

	cleanup->release = release;
	cleanup->callback.func = on_reset;
	cleanup->callback.arg = cleanup;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &cleanup->callback);
	return cleanup;
}

void *
floe_cleanup_hold(FloeCleanup *cleanup, void *resource)
{
	Assert(cleanup->resource == NULL);
	cleanup->resource = resource;
	return resource;
}

void
floe_cleanup_run(FloeCleanup *cleanup)
{
	void *resource = cleanup ? floe_cleanup_forget(cleanup) : NULL;

	if (resource != NULL)
		cleanup->release(resource);
}

void *
floe_cleanup_forget(FloeCleanup *cleanup)
{
	void *resource = cleanup->resource;

	cleanup->resource = NULL;
	return resource;
}
