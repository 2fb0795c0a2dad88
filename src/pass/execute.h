/*
 * execute.h: inside of one operation's way through an engine (execute*.c only).
 */
#ifndef FLOE_PASS_EXECUTE_H
#define FLOE_PASS_EXECUTE_H

#include "pass/pass.h"

typedef enum FloeRunPhase
{
	FLOE_RUN_PREFLIGHT, /* the table is looked at once more */
	FLOE_RUN_ENGINE,    /* the engine adapter is in charge */
	FLOE_RUN_VERIFY,    /* the table is looked at to see what happened */
	FLOE_RUN_STORE,     /* nothing happens to it until a step of the database is done */
	FLOE_RUN_OVER       /* out of the pass's hands; freed when no callback is due any more */
} FloeRunPhase;

/* The store is in a transaction of its own, and done again until it returns true; then comes what needs it. */
typedef struct FloeRunStep
{
	const char *what; /* could not be done */
	bool (*store)(FloeOpRun *run, FloeStatus *st);
	void (*then)(FloeOpRun *run);
} FloeRunStep;

struct FloeOpRun
{
	FloePass *pass;
	MemoryContext context;
	FloeOperation op; /* copied */
	FloePassCatalog *catalog;
	FloeRunPhase phase;

	const FloeConn *engine_conn;
	const FloeEngineOps *engine;
	FloeEngineTarget target;
	FloeEngineRun run;
	bool begun;          /* run.result must be freed */
	int callbacks;       /* timers, requests and assessments that will still call back */
	bool waiting;        /* a timer will call the adapter again */
	uint32 turn;         /* counts calls of the adapter: a timer of an earlier one is void */
	uint64_t request_id; /* under way; 0: none */
	bool sent_anything;  /* the adapter's state was saved once: the engine may hold something of it */
	bool told_running;   /* people know that the engine has it */
	bool reached;        /* the engine answered since the last silence */
	int64 told_silence_us;
	int look_attempts;

	/* while a step is stored */
	const FloeRunStep *step;
	FloeRunPhase resumes;
	int step_failures;
	/* what the steps store, or have read */
	FloeStatus failure;
	int leave_s;
	const char *outcome;
	const char *error_class;
	const char *error;
	int other_failures; /* of storing them, that no waiting explains */
	FloeTableClaim claim;
	FloeAssessDone looked;
	char *state; /* until then() returns, as is what follows */
	char *message;
};

/* execute.c */
extern void floe_run_over(FloeOpRun *run);
#define FLOE_LEAVE_S 15 /* what cannot be followed now is tried again */
extern void floe_run_leave(FloeOpRun *run, int seconds);
extern void floe_run_verify(FloeOpRun *run);

/* execute_store.c */
extern void floe_run_store(FloeOpRun *run, const FloeRunStep *step);
extern bool floe_run_after(FloeOpRun *run, int attempts, void (*again)(void *run));

/* execute_engine.c */
extern void floe_run_engine(FloeOpRun *run);
extern void floe_run_engine_cancel(FloeOpRun *run);
extern void floe_run_engine_give_up(FloeOpRun *run, const char *reason);
extern void floe_run_engine_leave(FloeOpRun *run, const char *reason);

/* execute_target.c: where and as whom; outside of a transaction, the connections are resolved */
extern bool floe_run_target(FloeOpRun *run, FloeStatus *st);
/* Name of the catalog in the engine's session; is_there: the engine has it, and the session does not define it. */
extern const char *floe_run_engine_catalog(const FloeOpRun *run, bool *is_there);

#endif /* FLOE_PASS_EXECUTE_H */
