/*
 * livy.h: the inside of the livy adapter; only its own files include it.
 *
 * livy.c            the state machine: which request follows which answer, and the ends
 * livy_session.c    making a session, finding it again, waiting for it
 * livy_statement.c  the statement, its states and its output
 * livy_request.c    requests, options, and the bytes that make a run durable
 */
#ifndef FLOE_ENGINE_LIVY_H
#define FLOE_ENGINE_LIVY_H

#include "engine/talk.h"

/* Every step but the last sends one request; the order of a run without trouble is CREATE, IDLE, SUBMIT, POLL, DELETE. */
typedef enum FloeLivyStep
{
	LIVY_CREATE,
	LIVY_FIND,    /* the session of our name: it was made, and the answer was lost */
	LIVY_REPLACE, /* a session of our name that cannot be used is deleted */
	LIVY_IDLE,
	LIVY_LOG, /* why it died before it was idle */
	LIVY_SUBMIT,
	LIVY_LOOK, /* is the statement there, whose answer was lost? */
	LIVY_POLL,
	LIVY_CHECK, /* does the session live, whose statement does not answer? */
	LIVY_CANCEL,
	LIVY_DELETE, /* what ended is given back: one that fails changes nothing */
	LIVY_PROVE,  /* DELETE whose answer is needed: it proves that nothing runs any more */
	LIVY_PROBE_SESSIONS,
	LIVY_PROBE_VERSION,
	LIVY_DONE
} FloeLivyStep;

typedef struct FloeLivyRun
{
	FloeTalk talk;
	FloeLivyStep step;
	const char *name; /* of the session */
	bool is_pooled;   /* the session outlives the run, if it ends well */
	bool is_plain;    /* an old server: it refuses ttl */
	bool may_exist;   /* the answer to CREATE was lost */

	bool has_session;
	bool was_found; /* not made by this run: has it statements? */
	bool is_submitting;
	bool has_statement;
	bool is_finished; /* the end is known and saved: success */
	bool cancel_sent;
	int64_t session;
	int64_t statement;

	char *declined; /* what the server said to the statement; in the arena */
	bool not_there; /* it says that it does not know the statement */
	int from;       /* of a listing */
	int pages;
	int looks;
	int creates;
	int polls;
	int poll_ms;
} FloeLivyRun;

/* livy.c */
extern FloeEngineVerb floe_livy_enter(FloeLivyRun *m, FloeLivyStep step);
extern FloeEngineVerb floe_livy_finish(FloeLivyRun *m, FloeOutcome outcome);
extern FloeEngineVerb floe_livy_fail(FloeLivyRun *m, const FloeStatus *why);
extern FloeEngineVerb floe_livy_fail_text(FloeLivyRun *m, const char *text, const char *otherwise,
										  FloeErrorClass otherwise_class);
extern FloeEngineVerb floe_livy_lost(FloeLivyRun *m, const char *why, const char *text);
extern FloeEngineVerb floe_livy_session_lost(FloeLivyRun *m);
extern FloeEngineVerb floe_livy_save_and(FloeLivyRun *m, FloeLivyStep step);
extern FloeEngineVerb floe_livy_wait_and(FloeLivyRun *m, FloeLivyStep step, int ms);
extern FloeEngineVerb floe_livy_unanswered(FloeLivyRun *m, const FloeStatus *why);

/* livy_session.c */
extern const char *floe_livy_state_of(const FloeLivyRun *m);
extern bool floe_livy_is_one_of(const char *word, const char *const *words);
extern bool floe_livy_take_id(FloeJson object, int64_t *id);
extern FloeEngineVerb floe_livy_create_answered(FloeLivyRun *m);
extern FloeEngineVerb floe_livy_create_declined(FloeLivyRun *m);
extern FloeEngineVerb floe_livy_find_answered(FloeLivyRun *m);
extern FloeEngineVerb floe_livy_idle_answered(FloeLivyRun *m);
extern FloeEngineVerb floe_livy_log_answered(FloeLivyRun *m);

/* livy_statement.c */
extern FloeEngineVerb floe_livy_submit_answered(FloeLivyRun *m);
extern FloeEngineVerb floe_livy_submit_declined(FloeLivyRun *m, const FloeStatus *why);
extern FloeEngineVerb floe_livy_look_answered(FloeLivyRun *m);
extern FloeEngineVerb floe_livy_poll_answered(FloeLivyRun *m);
extern FloeEngineVerb floe_livy_check_answered(FloeLivyRun *m);
extern FloeEngineVerb floe_livy_probe_answered(FloeLivyRun *m);

/* livy_request.c */
extern FloeEngineVerb floe_livy_send(FloeLivyRun *m);
extern bool floe_livy_prepare(FloeLivyRun *m, FloeEngineRun *run, bool is_probe, FloeStatus *st);
extern void floe_livy_save(FloeLivyRun *m);
extern bool floe_livy_restore(FloeLivyRun *m, const char *saved, size_t len, FloeStatus *st);

/* Listings, and how long after a lost answer the statement is looked for. */
#define FLOE_LIVY_PAGE 20
#define FLOE_LIVY_PAGES 500
#define FLOE_LIVY_LOOK_MS 1000

#endif /* FLOE_ENGINE_LIVY_H */
