/*
 * floe.c: the library's entry point and nothing else.
 *
 * Loading defines the configuration parameters.  Nothing is started, no
 * foreign library is initialised: that happens in the processes that use it.
 */
#include "floe.h"

#include "compat.h"
#include "guc.h"

FLOE_MODULE_MAGIC("floe", FLOE_VERSION_STRING);

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	floe_guc_define();
}
