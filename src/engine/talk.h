/*
 * talk.h: what the adapters of engines with a JSON interface over HTTP (Livy, Kyuubi) share.
 *
 * One request at a time, the worth of its answer, the rows of a result, and
 * how a failure becomes one masked line with a class.  Which request follows
 * which answer is the adapters' own; only they include this.
 */
#ifndef FLOE_ENGINE_TALK_H
#define FLOE_ENGINE_TALK_H

#include "base/json.h"
#include "engine/adapter.h"

/* What an answer is worth. */
typedef enum FloeTalkAnswer
{
	FLOE_TALK_OK,       /* 2xx; doc has the JSON, or is NULL when the body is empty */
	FLOE_TALK_DECLINED, /* the server itself refuses: http_code, and text says why */
	FLOE_TALK_REFUSED,  /* not served as things are: credentials, URL, floe's own rules */
	FLOE_TALK_ODD,      /* 2xx, and not JSON */
	FLOE_TALK_NONE      /* no answer, or one that says nothing about the request */
} FloeTalkAnswer;

typedef struct FloeTalk
{
	FloeEngineRun *run;
	const char *product; /* "Livy" */
	char *base;          /* URL without a slash at its end */
	char *url;           /* of the request, FLOE_TALK_PATH bytes longer: a run may send many thousands */
	char *authorization; /* NULL: none is sent */
	char *statement;     /* with its comment */
	char *marker;        /* that comment */
	FloeSecrets secrets;
	bool is_probe;
	bool is_once; /* the next GET must not be repeated either */
	bool is_sent; /* a request is out: the next call brings its answer */
	bool may_run; /* the statement was or may have been sent, and no end of it is known */

	int failures; /* in a row, for the pace of retries */
	uint64_t seed;

	/* of the last answer, until floe_talk_release() */
	FloeJsonDoc *doc;
	int http_code;
	const char *text; /* DECLINED: the server's, may be any length; never NULL then */

	/* the result */
	int64_t room; /* rows that are still kept */

	/* the end, once it is decided */
	FloeOutcome outcome;
	bool must_settle;
} FloeTalk;

#define FLOE_TALK_COLUMNS 64
#define FLOE_TALK_PATH 512 /* and its end */

/* Zeroes what the adapter sets, and checks the target; path is put behind the URL unless that ends so. */
extern bool floe_talk_prepare(FloeTalk *t, FloeEngineRun *run, const char *product, const char *path, bool is_probe,
							  FloeStatus *st);

/* An option of the SERVER, NULL without it. */
extern const char *floe_talk_option(const FloeTalk *t, const char *name);

/* The settings that every session of floe has, then those of the target, one by one; false to stop. */
typedef bool (*FloeTalkSetting)(void *arg, const char *key, const char *value);
extern bool floe_talk_settings(FloeTalk *t, FloeTalkSetting setting, void *arg);

/* Makes the request; body NULL: none.  It is copied into the arena, the path is not.  Only GET is repeated by the HTTP engine itself. */
extern FloeEngineVerb floe_talk_send(FloeTalk *t, const char *method, const char *path, const FloeBuf *body);

/* Reads the answer; why is set unless it is OK. Then the adapter, then release. */
extern FloeTalkAnswer floe_talk_read(FloeTalk *t, const FloeHttpResponse *response, FloeStatus *why);
extern void floe_talk_release(FloeTalk *t);

/* What the last answer holds; nothing when it was empty. */
static inline FloeJson
floe_talk_root(const FloeTalk *t)
{
	return t->doc != NULL ? floe_json_root(t->doc) : (FloeJson){NULL, NULL};
}

/* The same again, later; the executor decides how long that may go on. */
extern FloeEngineVerb floe_talk_retry(FloeTalk *t, const FloeStatus *why);
extern FloeEngineVerb floe_talk_wait(FloeTalk *t, int ms);

/* How long an interrupted thread may take to leave a commit it had begun. */
#define FLOE_TALK_SETTLE_MS 1500

/* Failures: they set error, error_class and last_failure of the run; the outcome is the adapter's. */
extern void floe_talk_note(FloeTalk *t, const FloeStatus *why);
extern void floe_talk_error(FloeTalk *t, const FloeStatus *why);
extern void floe_talk_error_text(FloeTalk *t, const char *text, const char *otherwise, FloeErrorClass otherwise_class);
extern void floe_talk_lost(FloeTalk *t, const char *why, const char *text);

/* The run is over: the outcome becomes the run's. */
extern FloeEngineVerb floe_talk_done(FloeTalk *t);

/* Rows: a JSON array of objects in run->result, masked and capped. */
extern void floe_talk_reset_rows(FloeTalk *t);
extern void floe_talk_add_row(FloeTalk *t, const char *const *names, const FloeJson *values, int n);
extern void floe_talk_end_rows(FloeTalk *t);

#endif /* FLOE_ENGINE_TALK_H */
