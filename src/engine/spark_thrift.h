/*
 * spark_thrift.h: the inside of the spark-thrift adapter; only its own files include it.
 *
 * spark_thrift.c        the state machine: which call follows which answer
 * spark_thrift_http.c   requests, what an HTTP answer means, waiting
 * spark_thrift_ends.c   how a run ends: outcome, error text, giving back the session
 * spark_thrift_saved.c  the bytes that make a run durable
 */
#ifndef FLOE_ENGINE_SPARK_THRIFT_H
#define FLOE_ENGINE_SPARK_THRIFT_H

#include "engine/hs2.h"
#include "engine/adapter.h"

/*
 * Every step but the last sends one call.  The order of a run without
 * trouble is that of this list up to CLOSE_SESSION.
 */
typedef enum FloeThriftStep
{
	STEP_OPEN,
	STEP_EXECUTE,
	STEP_POLL,
	STEP_METADATA,
	STEP_FETCH,
	STEP_CLOSE_OPERATION,
	STEP_CLOSE_SESSION, /* what ended is given back: one that fails changes nothing */
	STEP_CANCEL,
	STEP_PROVE, /* CloseSession whose answer is needed: it proves that nothing runs any more */
	STEP_INFO_NAME,
	STEP_INFO_VERSION,
	STEP_DONE
} FloeThriftStep;

/* What an HTTP answer is worth, before its body is read. */
typedef enum FloeThriftAnswer
{
	ANSWER_BODY,    /* a Thrift message, as far as HTTP can tell */
	ANSWER_REFUSED, /* this request will not be served as things are: credentials, URL, floe's own rules */
	ANSWER_NONE     /* no answer, or one that says nothing about the request */
} FloeThriftAnswer;

typedef struct FloeThriftRun
{
	FloeEngineRun *run;
	FloeThriftStep step;
	bool is_sent;  /* a request is out: the next call brings its answer */
	bool is_probe; /* check_engine(): any trouble ends it */

	/* what is held at the engine */
	bool has_session;
	bool has_operation;
	bool may_run;     /* the statement was or may have been sent, and no end of it is known */
	bool is_finished; /* the end is known and saved: success */
	bool cancel_sent;
	FloeHs2Handle session;
	FloeHs2Operation operation;

	/* the request */
	int32_t sequence;
	char *authorization;
	char *statement; /* with its comment */
	void *open_body; /* OpenSession is built once: it may be sent many times */
	size_t open_len;
	char body[512]; /* all the small ones */
	FloeSecrets secrets;

	/* waiting */
	int failures;      /* in a row, for the pace of retries */
	int empty_answers; /* HTTP 500 without a body, in a row */
	int polls;         /* since the cancel was sent */
	int poll_ms;
	int silent_errors; /* state ERROR, message not there yet */

	/* the result */
	FloeHs2Schema schema;
	int64_t room; /* rows that are still kept */
	int fetches;
	bool from_start; /* the next fetch begins again */
	char product[64];

	/* the end, once it is decided */
	FloeOutcome outcome;
	bool must_settle;
} FloeThriftRun;

/* spark_thrift.c: goes to the step and does it. */
extern FloeEngineVerb floe_spark_enter(FloeThriftRun *m, FloeThriftStep step);

/* spark_thrift_http.c */
extern bool floe_spark_prepare(FloeThriftRun *m, FloeStatus *st);
extern FloeEngineVerb floe_spark_send(FloeThriftRun *m);
extern FloeThriftAnswer floe_spark_classify(FloeThriftRun *m, const FloeHttpResponse *response, FloeStatus *why);
extern FloeEngineVerb floe_spark_retry(FloeThriftRun *m, const FloeStatus *why);
extern FloeEngineVerb floe_spark_wait(FloeThriftRun *m, int ms, FloeThriftStep next);

/* spark_thrift_ends.c */
extern FloeEngineVerb floe_spark_finish(FloeThriftRun *m, FloeOutcome outcome);
extern FloeEngineVerb floe_spark_fail(FloeThriftRun *m, const FloeStatus *why);
extern FloeEngineVerb floe_spark_fail_text(FloeThriftRun *m, FloeThriftText text, const char *otherwise,
										   FloeErrorClass otherwise_class);
extern FloeEngineVerb floe_spark_lost(FloeThriftRun *m, const char *why, FloeThriftText text);
extern FloeEngineVerb floe_spark_close(FloeThriftRun *m);
extern FloeEngineVerb floe_spark_closed(FloeThriftRun *m);
extern void floe_spark_note(FloeThriftRun *m, const FloeStatus *why);

/* spark_thrift_saved.c */
extern void floe_spark_save(FloeThriftRun *m);
extern bool floe_spark_restore(FloeThriftRun *m, const char *saved, size_t len, FloeStatus *st);

#endif /* FLOE_ENGINE_SPARK_THRIFT_H */
