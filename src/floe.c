/*
 * floe.c: the library's entry point and nothing else.
 *
 * Loading defines the configuration parameters.  By shared_preload_libraries
 * it also asks for shared memory and for the launcher, which starts the
 * workers.  No foreign library is initialised here: that happens in the
 * processes that use it.
 */
#include "floe.h"

#include "compat.h"
#include "guc.h"
#include "proc/registry.h"
#include "worker/worker.h"

#include "miscadmin.h"

FLOE_MODULE_MAGIC("floe", FLOE_VERSION_STRING);

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	floe_guc_define();
	/* without preload: configuration and SQL functions only; pg_upgrade's servers do nothing by themselves */
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	floe_registry_install();
	floe_keep_away_install();
	floe_launcher_register();
}
