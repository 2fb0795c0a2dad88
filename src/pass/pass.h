/*
 * pass.h: one run of the maintenance pass, whoever drives it.
 *
 * docs/architecture.md, "One pass", as code: take over what a dead process
 * left, list catalogs, assess what is due, decide, dispatch, follow, verify.
 * A procedure runs it once from the beginning to the end (run.c); an assessor
 * does the first half of it for ever and an executor the second (serve.c).
 * They call the same functions, and differ in how transactions end
 * (state/db.h) and in how progress is told.
 *
 * Everything of a pass lives in its memory context.  All waiting is in
 * floe_http_wait(), between transactions; everything else happens in callbacks
 * from there.
 */
#ifndef FLOE_PASS_PASS_H
#define FLOE_PASS_PASS_H

#include "catalog/ops.h"
#include "compat.h"
#include "engine/ops.h"
#include "iceberg/avro.h"
#include "net/http.h"
#include "state/inbox.h"
#include "state/queue.h"
#include "store/store.h"

#include "nodes/pg_list.h"

typedef struct FloePass FloePass;

typedef void (*FloePassProgress)(const char *text);

/* What an endless pass is doing, for whoever watches it. */
typedef struct FloePassActivity
{
	int in_flight; /* tables being looked at, or operations being followed */
	int requests;
	int64 done;
	int64 failed;
} FloePassActivity;

typedef struct FloePassOptions
{
	const char *kind;          /* of the pass row: "procedure", "assessor", "executor" */
	const char *pattern;       /* NULL: whatever is due */
	bool wait;                 /* until nothing is queued or live */
	FloePassProgress progress; /* NULL: silent */

	/* endless passes */
	int number; /* among those of the kind in this database, from 0: the first also decides and cleans up */
	bool (*on_turn)(
		const FloePassActivity *activity); /* on every turn; true: look for work now.  May end the process */
	bool (*is_woken)(void);                /* on_turn() has a reason to be called now */
} FloePassOptions;

/* Runs a whole pass; throws only what ends the process or the caller's statement. */
extern void floe_pass_run(const FloePassOptions *options);

/* Never return. */
FLOE_NORETURN extern void floe_pass_assess_forever(const FloePassOptions *options);
FLOE_NORETURN extern void floe_pass_execute_forever(const FloePassOptions *options);

/* Lets catalogs that live in this database be read, between floe_db_begin() and floe_db_end() of whoever set that. */
extern void floe_pass_use_local_query(void);

/* ---- inside pass/ ---- */

/* Most tables in one question to a catalog that is asked for many at once: its answer stands in memory as a whole. */
#define FLOE_LOCATE_MOST 1000

/* Assessments of every catalog, whatever the others hold. */
#define FLOE_GUARANTEED 4

typedef struct FloePassCatalog
{
	int32 catalog_id;
	const char *server_name;
	FloePass *pass;
	MemoryContext context;    /* its own: an endless pass connects anew now and then, and forgets the old connection */
	bool list;                /* claimed for listing, until that is stored */
	bool retired;             /* a newer one took its place; freed when nobody uses it any more */
	int refs;                 /* assessments, operations and the connecting itself */
	int in_flight;            /* assessments */
	List *to_locate;          /* FloeAssess: their metadata files are asked for at once, soon */
	int asking;               /* of in_flight: where their metadata is, or waiting for their turn to be read */
	List *to_read;            /* FloeAssess: those that wait */
	bool reading_next;        /* some of them are being begun */
	int window;               /* most of them at a time: grows with every answer, halves with every silence */
	int most;                 /* that the window grows to */
	bool probing;             /* its tables could not be reached before: the first one that is looked at tells */
	bool more_due;            /* the last claim took as many as it was allowed */
	FloeStoreRegions regions; /* of its tables' buckets */
	double rate;              /* of assessments, a second, where the server sets one */
	double tokens;            /* assessments that may begin; -1: no rate */
	int64 tokens_at_us;
	const FloeConn *conn;
	FloeCatalog *catalog;
	enum
	{
		FLOE_CATALOG_CONNECTING,
		FLOE_CATALOG_READY,
		FLOE_CATALOG_FAILED
	} state;
	FloeStatus failure;
	bool failed_by_tables;
	int assess_failures; /* of its tables, in this pass */
	int unsaid_failures; /* those that were not told, since the last summary */
	int unreachable;     /* of its tables, in a row */
	/* the listing, as far as it got */
	MemoryContext listing;
	const char **namespaces;
	const char **names;
	int nlisted;
	int listed_size;
	int listing_failures; /* to store it */
} FloePassCatalog;

typedef struct FloeGivenBack
{
	int64 table_id;
	int32 due_s; /* it is due again after so many seconds */
} FloeGivenBack;

typedef struct FloeUnchanged
{
	int64 table_id;
	char *etag; /* new; NULL: it keeps the one it has */
} FloeUnchanged;

struct FloePass
{
	FloePassOptions options;
	MemoryContext context; /* the whole pass */
	MemoryContext scratch; /* reset on every turn of the loop */
	FloeHttp *http;
	FloeAvroReader *avro;
	int32 pass_id;
	bool endless;
	bool look;              /* an endless pass has a reason to look for work now: a catalog is ready */
	List *catalogs;         /* FloePassCatalog */
	List *retired;          /* those that are still used */
	uint32 conn_generation; /* of servers and mappings, when the catalogs were opened */
	int connecting;         /* catalogs that are being connected or listed */
	int assessing;          /* assessments under way */
	int asking;             /* of these: those of catalogs that are asked for many at once, until they are read */
	List *runs;             /* FloeOpRun under way */
	List *over;             /* FloeOpRun to be freed */
	size_t manifest_bytes;  /* of manifests in memory, all tables together */
	int64 last_stop_check_us;
	FloeUnchanged *unchanged; /* tables that are as they were, not stored yet */
	int nunchanged;
	int64 unchanged_since_us;
	FloeGivenBack *given_back; /* looks that could not be stored, and whose claims are still held */
	int ngiven_back;
	int given_back_size;
	int64 give_back_at_us;
	FloePassActivity activity;
};

/* How a step of the database or of the network is waited for, in memory that is forgotten afterwards (run.c). */
extern FloePass *floe_pass_create(const FloePassOptions *options);
extern void floe_pass_begin(FloePass *pass);
extern void floe_pass_turn(FloePass *pass, int timeout_ms);
extern int floe_pass_plan_due(FloePass *pass, bool *more); /* -1: it failed */
extern bool floe_pass_purge(FloePass *pass);               /* true: there may be more */

/* claims.c: which tables are looked at now, and giving back in batches those that were as before, or could not be stored */
extern bool floe_pass_claim_tables(FloePass *pass);
extern int floe_pass_room(FloePassCatalog *catalog); /* how many may begin now */
extern void floe_pass_unchanged(FloePass *pass, int64 table_id, const char *etag);
extern void floe_pass_flush_unchanged(FloePass *pass);
extern void floe_pass_store_unchanged(FloePass *pass); /* all of them now: something is decided upon one */
/* What was seen of a table cannot be stored: it is looked at again, soon when nothing is wrong with it. */
extern void floe_pass_give_back(FloePass *pass, int64 table_id, const FloeStatus *why);
extern void floe_pass_adjust_window(FloePassCatalog *catalog, bool answered);

/* catalogs.c */
extern void floe_pass_start_catalogs(FloePass *pass);
/* The connecting, and what is part of it (listing, policies), are over. */
extern void floe_pass_catalog_arrived(FloePassCatalog *catalog);

/* policies.c: after a listing; ends with floe_pass_catalog_arrived() */
extern void floe_pass_read_policies(FloePassCatalog *catalog);

/* NULL: the pass has no such catalog.  An endless pass connects to it when it must. */
extern FloePassCatalog *floe_pass_catalog(FloePass *pass, const char *server_name);
/* Forgets connections that nobody uses any more, and those whose server or user mapping changed. */
extern void floe_pass_sweep_catalogs(FloePass *pass);
/* Tells that a table could not be assessed; of many, only the first ones. */
extern void floe_pass_tell_failure(FloePassCatalog *catalog, const char *table, const FloeStatus *failure);
/* After each assessment: too many in a row that nobody answered end the catalog's part in the pass. */
extern void floe_pass_watch_catalog(FloePassCatalog *catalog, const FloeStatus *outcome);
/* How many were not told. */
extern void floe_pass_sum_up_failures(FloePass *pass);

/* assess.c: looks at one table and stores what it finds; done gets the failure, if any. */
typedef void (*FloeAssessDone)(void *arg, const FloeStatus *st);

/* in_turn: together with others, within the catalog's window; otherwise (an operation waits for it) at once. */
extern void floe_assess_start(FloePass *pass, FloePassCatalog *catalog, const FloeTableClaim *claim, bool in_turn,
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
