/*
 * compat.h: PostgreSQL 15 to 18 behind names that say what floe needs.
 *
 * The only file that looks at PG_VERSION_NUM.  It holds expressions and tiny
 * inline functions, never copied server code, so that dropping a version is a
 * change of this file alone.
 */
#ifndef FLOE_COMPAT_H
#define FLOE_COMPAT_H

#include "postgres.h"

#include "catalog/pg_database.h"
#include "catalog/pg_foreign_server.h"
#include "fmgr.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

/* PG_MODULE_MAGIC, with name and version where the server can show them. */
#if PG_VERSION_NUM >= 180000
#define FLOE_MODULE_MAGIC(module_name, module_version)                                                                 \
	PG_MODULE_MAGIC_EXT(.name = (module_name), .version = (module_version))
#else
#define FLOE_MODULE_MAGIC(module_name, module_version) PG_MODULE_MAGIC
#endif

/* Before a declaration: the function does not return. */
#if PG_VERSION_NUM >= 180000
#define FLOE_NORETURN pg_noreturn
#elif defined(__GNUC__)
#define FLOE_NORETURN __attribute__((noreturn))
#else
#define FLOE_NORETURN
#endif

/*
 * A wait event set that belongs to nobody: neither a transaction's end nor a
 * memory context frees it, only FreeWaitEventSet(), called by our own cleanup.
 */
static inline WaitEventSet *
floe_wes_create(int nevents)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, nevents);
#else
	return CreateWaitEventSet(TopMemoryContext, nevents);
#endif
}

/*
 * What pg_stat_activity.wait_event shows: the given name (registered once in
 * shared memory, later calls find it again), or "Extension" before version 17.
 * May throw, so ask for it before entering foreign code.
 */
static inline uint32
floe_wait_event_new(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	return PG_WAIT_EXTENSION;
#endif
}

/* For background processes: it would end them in the middle of a long step, again and again. */
static inline void
floe_no_transaction_timeout(void)
{
#if PG_VERSION_NUM >= 170000
	SetConfigOption("transaction_timeout", "0", PGC_USERSET, PGC_S_SESSION);
#endif
}

#define FLOE_WAIT_EVENT_HTTP "FloeHttp" /* requests are in flight */
#define FLOE_WAIT_EVENT_IDLE "FloeIdle" /* nothing to do until the latch or a timer */

/* May the role use the foreign server? */
static inline AclResult
floe_server_usage(Oid server, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, server, role, ACL_USAGE);
#else
	return pg_foreign_server_aclcheck(server, role, ACL_USAGE);
#endif
}

static inline bool
floe_owns_database(Oid database, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, database, role);
#else
	return pg_database_ownercheck(database, role);
#endif
}

#endif /* FLOE_COMPAT_H */
