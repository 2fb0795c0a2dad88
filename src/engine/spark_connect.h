/*
 * spark_connect.h: the inside of the spark-connect adapter; only its own files include it.
 *
 * spark_connect.c        the state machine: which call follows which answer
 * spark_connect_http.c   requests, what an answer is worth, waiting
 * spark_connect_ends.c   how a run ends: outcome, error text, giving back operation and session
 * spark_connect_saved.c  the ids that make a run durable
 */
#ifndef FLOE_ENGINE_SPARK_CONNECT_H
#define FLOE_ENGINE_SPARK_CONNECT_H

#include "base/url.h"
#include "engine/connect_wire.h"
#include "engine/grpc.h"
#include "engine/adapter.h"

/* Every step but the last sends one call.  Without trouble: CONFIG, EXECUTE, ATTACH…, RELEASE_EXECUTE, RELEASE_SESSION. */
typedef enum FloeConnectStep
{
	CONNECT_CONFIG,
	CONNECT_EXECUTE,
	CONNECT_CHECK, /* is the operation there?  ExecutePlan under its id, but with a plan that does nothing */
	CONNECT_ATTACH,
	CONNECT_INTERRUPT,
	CONNECT_ERROR_DETAILS,
	CONNECT_RELEASE_EXECUTE,
	CONNECT_RELEASE_SESSION, /* what ended is given back: one that fails changes nothing */
	CONNECT_VERSION,
	CONNECT_DONE
} FloeConnectStep;

/* What an answer is worth, before its messages are read. */
typedef enum FloeConnectAnswer
{
	ANSWER_OK,      /* the call ended well */
	ANSWER_CUT,     /* a stream that goes on: floe ended it */
	ANSWER_LARGE,   /* a stream with more than floe takes */
	ANSWER_FAILED,  /* Spark says that the statement or the call failed */
	ANSWER_GONE,    /* Spark does not know the session or the operation (any more) */
	ANSWER_EXISTS,  /* Spark has an operation of that id */
	ANSWER_REFUSED, /* this request will not be served as things are: credentials, URL, floe's own rules */
	ANSWER_NONE     /* no answer, or one that says nothing about the request */
} FloeConnectAnswer;

#define FLOE_CONNECT_USER_MAX 255
#define FLOE_CONNECT_SERVER_SESSION_SIZE 64

typedef struct FloeConnectRun
{
	FloeEngineRun *run;
	FloeConnectStep step;
	bool is_sent;  /* a request is out: the next call brings its answer */
	bool is_probe; /* check_engine(): any trouble ends it */

	/* what is durable */
	char user[FLOE_CONNECT_USER_MAX + 1];
	char session[FLOE_UUID_SIZE];
	char operation[FLOE_UUID_SIZE];
	char server_session[FLOE_CONNECT_SERVER_SESSION_SIZE];
	bool is_known;    /* the server has, or had, the operation */
	bool is_finished; /* the end is known and saved: success */

	/* what is held at the engine */
	bool has_session;
	bool may_run; /* its end is not known, and has to be proved by ReleaseExecute */
	bool cancel_sent;

	/* the request */
	char *authorization;
	char *statement; /* with its comment */
	void *config_body;
	size_t config_len;
	char body[1024]; /* all the small ones */
	char url[FLOE_URL_MAX + 64];
	FloeSecrets secrets;

	/* the stream */
	FloeGrpcEnd end;
	char last_response[64];
	bool is_complete;
	bool is_absent; /* the operation of that id is the one that does nothing */
	bool has_parts; /* the last answer held messages */

	/* waiting */
	int failures; /* in a row, for the pace of retries */
	int polls;    /* since the cancel was sent */
	int pause_ms; /* before the next step, after what was saved */

	/* the end, once it is decided */
	FloeOutcome outcome;
	bool must_settle;
} FloeConnectRun;

/* spark_connect.c: goes to the step and does it. */
extern FloeEngineVerb floe_connect_enter(FloeConnectRun *m, FloeConnectStep step);

/* spark_connect_http.c */
extern bool floe_connect_prepare(FloeConnectRun *m, FloeStatus *st);
extern FloeEngineVerb floe_connect_send(FloeConnectRun *m);
extern FloeConnectAnswer floe_connect_classify(FloeConnectRun *m, const FloeHttpResponse *response, FloeStatus *why);
extern bool floe_connect_is_cancelled(const FloeConnectRun *m);
extern FloeEngineVerb floe_connect_retry(FloeConnectRun *m, const FloeStatus *why);
extern FloeEngineVerb floe_connect_wait(FloeConnectRun *m, int ms, FloeConnectStep next);

/* The plan that does nothing.  Spark repeats the text of a query, so it is recognised in an answer. */
#define FLOE_CONNECT_NOTHING "SELECT 1 AS floe_nothing"

/* spark_connect_ends.c */
extern FloeEngineVerb floe_connect_finish(FloeConnectRun *m, FloeOutcome outcome);
extern FloeEngineVerb floe_connect_fail(FloeConnectRun *m, const FloeStatus *why);
extern FloeEngineVerb floe_connect_fail_text(FloeConnectRun *m, const char *text, size_t len, const char *otherwise);
extern void floe_connect_end_text(const FloeConnectRun *m, FloeBuf *text);
extern FloeEngineVerb floe_connect_lost(FloeConnectRun *m, const char *why);
extern FloeEngineVerb floe_connect_closed(FloeConnectRun *m);
extern void floe_connect_note(FloeConnectRun *m, const FloeStatus *why);

/* spark_connect_saved.c */
extern bool floe_connect_new_ids(FloeConnectRun *m, FloeStatus *st);
extern void floe_connect_save(FloeConnectRun *m);
extern bool floe_connect_restore(FloeConnectRun *m, const char *saved, size_t len, FloeStatus *st);

#endif /* FLOE_ENGINE_SPARK_CONNECT_H */
