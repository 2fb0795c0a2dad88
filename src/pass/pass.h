/*
 * pass.h: one run of the maintenance pass, whoever drives it.
 *
 * docs/architecture.md, "One pass", as code: take over what a dead process
 * left, list catalogs, assess what is due, decide, dispatch, follow, verify.
 * A procedure and a background worker call the same functions; they differ in
 * how transactions end (state/db.h) and in how progress is told.
 *
 * Everything of a pass lives in its memory context.  All waiting is in
 * floe_http_wait(), between transactions; everything else happens in callbacks
 * from there.
 */
#ifndef FLOE_PASS_PASS_H
#define FLOE_PASS_PASS_H

#include "catalog/ops.h"
#include "engine/ops.h"
#include "iceberg/avro.h"
#include "net/http.h"
#include "state/inbox.h"
#include "state/queue.h"

#include "nodes/pg_list.h"

typedef struct FloePass FloePass;

typedef void (*FloePassProgress)(const char *text);

typedef struct FloePassOptions
{
	const char *kind;          /* of the pass row: "procedure", "worker" */
	const char *pattern;       /* NULL: whatever is due */
	bool wait;                 /* until nothing is queued or live */
	FloePassProgress progress; /* NULL: silent */
} FloePassOptions;

/* Runs a whole pass; throws only what ends the process or the caller's statement. */
extern void floe_pass_run(const FloePassOptions *options);

/* ---- inside pass/ ---- */

typedef struct FloePassCatalog
{
	int32 catalog_id;
	const char *server_name;
	FloePass *pass;
	bool list; /* claimed for listing */
	const FloeConn *conn;
	FloeCatalog *catalog;
	enum
	{
		FLOE_CATALOG_CONNECTING,
		FLOE_CATALOG_READY,
		FLOE_CATALOG_FAILED
	} state;
	FloeStatus failure;
	int assess_failures; /* of its tables, in this pass */
	int unsaid_failures; /* those that were not told, since the last summary */
	int unreachable;     /* of its tables, in a row */
	/* the listing, as far as it got */
	const char **namespaces;
	const char **names;
	int nlisted;
	int listed_size;
} FloePassCatalog;

struct FloePass
{
	FloePassOptions options;
	MemoryContext context; /* the whole pass */
	MemoryContext scratch; /* reset on every turn of the loop */
	FloeHttp *http;
	FloeAvroReader *avro;
	int32 pass_id;
	List *catalogs;        /* FloePassCatalog */
	int connecting;        /* catalogs that are being connected or listed */
	int assessing;         /* assessments under way */
	List *runs;            /* FloeOpRun under way */
	List *over;            /* FloeOpRun to be freed */
	size_t manifest_bytes; /* of manifests in memory, all tables together */
	int64 last_stop_check_us;
};

/* catalogs.c */
extern void floe_pass_start_catalogs(FloePass *pass);
/* NULL: the pass has no such catalog */
extern FloePassCatalog *floe_pass_catalog(FloePass *pass, const char *server_name);
/* Tells that a table could not be assessed; of many, only the first ones. */
extern void floe_pass_tell_failure(FloePassCatalog *catalog, const char *table, const FloeStatus *failure);
/* After each assessment: too many in a row that nobody answered end the catalog's part in the pass. */
extern void floe_pass_watch_catalog(FloePassCatalog *catalog, const FloeStatus *outcome);
/* How many were not told. */
extern void floe_pass_sum_up_failures(FloePass *pass);

/* assess.c: looks at one table and stores what it finds; done gets the failure, if any. */
typedef void (*FloeAssessDone)(void *arg, const FloeStatus *st);

extern void floe_assess_start(FloePass *pass, FloePassCatalog *catalog, const FloeTableClaim *claim,
							  FloeAssessDone done, void *arg);

/* execute.c */
typedef struct FloeOpRun FloeOpRun;

extern void floe_execute_adopt(FloePass *pass);
extern void floe_execute_claim(FloePass *pass); /* as many as engines take */
extern void floe_execute_check_stops(FloePass *pass);
/* Frees what is over; not from inside a callback. */
extern void floe_execute_bury(FloePass *pass);
/* Runs that do not merely wait for the engine. */
extern int floe_execute_busy(const FloePass *pass);

/* run.c */
extern void floe_pass_progress(FloePass *pass, const char *fmt, ...) pg_attribute_printf(2, 3);
/* A database call that failed: into the server log, once; the pass goes on. */
extern void floe_pass_log(const FloeStatus *st, const char *what);

#endif /* FLOE_PASS_PASS_H */
