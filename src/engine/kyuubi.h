/*
 * kyuubi.h: the inside of the kyuubi adapter; only its own files include it.
 *
 * kyuubi.c          the state machine: which request follows which answer, and the ends
 * kyuubi_session.c  opening a session, finding it again, waiting for the engine behind it
 * kyuubi_request.c  requests, and the bytes that make a run durable
 */
#ifndef FLOE_ENGINE_KYUUBI_H
#define FLOE_ENGINE_KYUUBI_H

#include "engine/talk.h"

/* Every step but the last sends one request. */
typedef enum FloeKyuubiStep
{
	KYUUBI_FIND, /* a session of our name: it was made, and the answer was lost */
	KYUUBI_REPLACE,
	KYUUBI_OPEN,
	KYUUBI_OPENING, /* until the engine behind the session is up */
	KYUUBI_EXECUTE,
	KYUUBI_POLL,
	KYUUBI_LOG,
	KYUUBI_METADATA,
	KYUUBI_FETCH,
	KYUUBI_CLOSE_OPERATION,
	KYUUBI_CLOSE_SESSION, /* what ended is given back: one that fails changes nothing */
	KYUUBI_CANCEL,
	KYUUBI_PROVE, /* closing the session, whose answer is needed: it proves that nothing of it runs any more */
	KYUUBI_PROBE_VERSION,
	KYUUBI_PROBE_SESSIONS,
	KYUUBI_DONE
} FloeKyuubiStep;

#define FLOE_KYUUBI_ID 64

typedef struct FloeKyuubiRun
{
	FloeTalk talk;
	FloeKyuubiStep step;

	bool has_session;
	bool was_found; /* not made by this run: has it operations? */
	bool is_submitting;
	bool has_operation;
	bool is_finished; /* the end is known and saved: success */
	bool cancel_sent;
	char session[FLOE_KYUUBI_ID]; /* checked: letters of a uuid */
	char operation[FLOE_KYUUBI_ID];

	const char *names[FLOE_TALK_COLUMNS];
	int ncolumns;
	int fetches;
	int finds;
	int polls;
	int poll_ms;
	char version[64];
} FloeKyuubiRun;

/* kyuubi.c */
extern FloeEngineVerb floe_kyuubi_enter(FloeKyuubiRun *m, FloeKyuubiStep step);
extern FloeEngineVerb floe_kyuubi_finish(FloeKyuubiRun *m, FloeOutcome outcome);
extern FloeEngineVerb floe_kyuubi_fail(FloeKyuubiRun *m, const FloeStatus *why);
extern FloeEngineVerb floe_kyuubi_fail_text(FloeKyuubiRun *m, const char *text, const char *otherwise,
											FloeErrorClass otherwise_class);
extern FloeEngineVerb floe_kyuubi_save_and(FloeKyuubiRun *m, FloeKyuubiStep step);
extern FloeEngineVerb floe_kyuubi_wait_and(FloeKyuubiRun *m, FloeKyuubiStep step, int ms);

/* kyuubi_session.c */
extern bool floe_kyuubi_take_identifier(FloeJson object, char *id);
extern FloeEngineVerb floe_kyuubi_find_answered(FloeKyuubiRun *m);
extern FloeEngineVerb floe_kyuubi_open_answered(FloeKyuubiRun *m);
extern FloeEngineVerb floe_kyuubi_opening_answered(FloeKyuubiRun *m);

/* kyuubi_request.c */
extern FloeEngineVerb floe_kyuubi_send(FloeKyuubiRun *m);
extern bool floe_kyuubi_prepare(FloeKyuubiRun *m, FloeEngineRun *run, bool is_probe, FloeStatus *st);
extern bool floe_kyuubi_is_id(const char *text);
extern void floe_kyuubi_save(FloeKyuubiRun *m);
extern bool floe_kyuubi_restore(FloeKyuubiRun *m, const char *saved, size_t len, FloeStatus *st);

/* Has the session that name?  conf: its settings. */
extern bool floe_kyuubi_is_ours(const FloeKyuubiRun *m, FloeJson conf);

#endif /* FLOE_ENGINE_KYUUBI_H */
