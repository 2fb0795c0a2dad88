/*
 * guc.c: all configuration parameters of floe, and the virtual clock behind one of them.
 *
 * Separate so that every unit, limit and privilege of a setting stands in one
 * place.  What reaches outside (hosts, files) is for superusers only.
 */
#include "floe.h"

#include "guc.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include <limits.h>

char *floe_allowed_hosts = NULL;
char *floe_allowed_file_roots = NULL;
char *floe_virtual_clock = NULL;
char *floe_databases = NULL;
char *floe_role = NULL;
bool floe_enabled = true;
bool floe_scheduler = true;
int floe_assessors = 1;
int floe_connect_timeout_ms = 10000;
int floe_request_timeout_ms = 60000;
int floe_max_connections = 256;
int floe_max_connections_per_host = 64;
int floe_max_tables_in_flight = 256;
int floe_max_metadata_kb = 1024 * 1024;
int floe_max_manifest_kb = 256 * 1024;
int floe_max_assessment_mb = 64 * 1024;

/* Read by SQL through current_setting(), so nothing here uses the variables. */
static int decision_interval_min = 15;
static int health_history_retention_min;
static int event_retention_min;
static int why_history_retention_min;
static int operation_log_retention_min;
static int pass_retention_min;
static int dropped_table_retention_min;

/*
 * Parsed here and not in a check hook: a hook also runs in the postmaster,
 * where timestamptz_in() must not be called.  Throws when it is not a time.
 */
int64
floe_now(void)
{
	static char *parsed_text = NULL;
	static TimestampTz parsed = 0;

	if (floe_virtual_clock == NULL || *floe_virtual_clock == '\0')
		return GetCurrentTimestamp();
	if (parsed_text == NULL || strcmp(parsed_text, floe_virtual_clock) != 0)
	{
		TimestampTz value = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(floe_virtual_clock),
																	ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		char *text = MemoryContextStrdup(TopMemoryContext, floe_virtual_clock);

		if (parsed_text != NULL)
			pfree(parsed_text);
		parsed_text = text;
		parsed = value;
	}
	return parsed;
}

static void
define_limits(void)
{
	DefineCustomIntVariable("floe.connect_timeout", "Longest wait for a connection to a catalog, store or engine.",
							NULL, &floe_connect_timeout_ms, 10000, 10, 600000, PGC_USERSET, GUC_UNIT_MS, NULL, NULL,
							NULL);
	DefineCustomIntVariable("floe.request_timeout", "Longest time for one request to a catalog, store or engine.", NULL,
							&floe_request_timeout_ms, 60000, 10, 3600000, PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.max_connections", "Most HTTP connections of one process.", NULL,
							&floe_max_connections, 256, 1, 1000, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.max_connections_per_host", "Most HTTP connections of one process to one host.", NULL,
							&floe_max_connections_per_host, 64, 1, 1000, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.max_tables_in_flight", "Most tables that one process assesses at the same time.",
							NULL, &floe_max_tables_in_flight, 256, 1, 10000, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.max_metadata_size", "Largest table metadata, uncompressed, that is read.",
							"A table beyond it is an error with this reason.", &floe_max_metadata_kb, 1024 * 1024, 64,
							MAX_KILOBYTES, PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.max_manifest_size", "Largest manifest or manifest list, as stored, that is read.",
							"A table beyond it is an error with this reason.", &floe_max_manifest_kb, 256 * 1024, 64,
							1024 * 1024, PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.max_assessment_size", "Most manifest bytes read for one table in one assessment.",
							"Beyond it the manifests read so far are kept and the next assessment goes on.",
							&floe_max_assessment_mb, 64 * 1024, 1, 1024 * 1024, PGC_SUSET, GUC_UNIT_MB, NULL, NULL,
							NULL);
}

static void
define_retention(void)
{
	DefineCustomIntVariable("floe.health_history_retention", "How long the history of table health is kept.", NULL,
							&health_history_retention_min, 90 * 1440, 60, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL,
							NULL);
	DefineCustomIntVariable("floe.event_retention", "How long events are kept.", NULL, &event_retention_min, 30 * 1440,
							60, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.why_history_retention", "How long it is kept what was decided, and why.", NULL,
							&why_history_retention_min, 90 * 1440, 60, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL,
							NULL);
	DefineCustomIntVariable("floe.operation_log_retention", "How long operations that ended are kept.", NULL,
							&operation_log_retention_min, 365 * 1440, 1440, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL,
							NULL, NULL);
	DefineCustomIntVariable("floe.pass_retention", "How long it is kept which passes there were.", NULL,
							&pass_retention_min, 7 * 1440, 60, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.dropped_table_retention",
							"How long a table that its catalog no longer has, or a catalog or engine whose server was "
							"dropped, is kept with its history.",
							"One that comes back before that goes on where it was.", &dropped_table_retention_min,
							30 * 1440, 1440, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
}

static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char *copy = pstrdup(*newval);
	List *names = NIL;
	bool ok = SplitIdentifierString(copy, ',', &names);

	list_free(names);
	pfree(copy);
	if (!ok)
		GUC_check_errdetail("Names of databases are separated by commas; one with other characters than letters, "
							"digits and _ stands in double quotes.");
	return ok;
}

static void
define_workers(void)
{
	DefineCustomStringVariable("floe.databases", "Databases in which floe works by itself.",
							   "Comma-separated. In others its functions and procedures work when they are called.",
							   &floe_databases, "postgres", PGC_SIGHUP, 0, check_databases, NULL, NULL);
	DefineCustomBoolVariable("floe.enabled", "Whether floe does anything by itself or by floe.run_maintenance().",
							 "Off: nothing is looked at, decided or dispatched. What runs at engines goes on there.",
							 &floe_enabled, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("floe.scheduler", "Whether floe's own workers drive it.",
							 "Off: whoever calls floe.run_maintenance() does, such as pg_cron.", &floe_scheduler, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.assessors", "Processes that look at catalogs and tables, in each database.", NULL,
							&floe_assessors, 1, 1, 16, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("floe.role", "Role that the workers connect as.",
							   "Empty: the bootstrap superuser. It needs no privileges of its own.", &floe_role, "",
							   PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("floe.decision_interval",
							"Longest time until a table is decided upon again, though nothing happened to it.",
							"For those for which time alone can call; others are decided upon once a day.",
							&decision_interval_min, 15, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
}

void
floe_guc_define(void)
{
	DefineCustomStringVariable("floe.allowed_hosts", "Hosts that floe may connect to.",
							   "Comma-separated: host, *.suffix, host:port or network/bits. Empty: all but link-local "
							   "addresses, which must be named.",
							   &floe_allowed_hosts, "", PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("floe.allowed_file_roots", "Folders below which floe may read table metadata by file:.",
							   "Comma-separated absolute paths. Empty: no local file is read.",
							   &floe_allowed_file_roots, "", PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("floe.virtual_clock",
							   "Time floe acts by instead of the real one, for tests and simulation.", NULL,
							   &floe_virtual_clock, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
	define_workers();
	define_limits();
	define_retention();
	MarkGUCPrefixReserved("floe");
}
