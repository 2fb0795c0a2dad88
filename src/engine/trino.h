/*
 * trino.h: the inside of the trino adapter; only its own files include it.
 *
 * trino.c          the state machine: which request follows which answer
 * trino_http.c     requests, what an HTTP answer means, waiting
 * trino_answers.c  reading the JSON of answers, and rows into the result
 * trino_ends.c     how a run ends: outcome, error text
 * trino_saved.c    the bytes that make a run durable
 */
#ifndef FLOE_ENGINE_TRINO_H
#define FLOE_ENGINE_TRINO_H

#include "base/json.h"
#include "base/url.h"
#include "engine/adapter.h"
#include "engine/trino_errors.h"

#define FLOE_TRINO_ID_MAX 128
#define FLOE_TRINO_URI_MAX 4096
#define FLOE_TRINO_NONCE_LEN 16
#define FLOE_TRINO_COLUMNS_MAX 64

typedef enum FloeTrinoStep
{
	TRINO_INFO,   /* GET /v1/info: does it answer, and is it up? */
	TRINO_SUBMIT, /* POST /v1/statement */
	TRINO_PAGE,   /* GET nextUri */
	TRINO_PAUSE,  /* nextUri is saved; the next page comes after a wait */
	TRINO_LOOK,   /* GET /v1/query/{id}: the pages are lost, the query is not */
	TRINO_FIND,   /* GET /v1/query: is a statement there whose id is not known? */
	TRINO_CANCEL, /* DELETE /v1/query/{id} */
	TRINO_DONE
} FloeTrinoStep;

/* What an HTTP answer is worth, before its body is read. */
typedef enum FloeTrinoAnswer
{
	TRINO_BODY,    /* JSON, as far as HTTP can tell; or the empty answer to a DELETE */
	TRINO_GONE,    /* 404, 410: what was asked for is not there */
	TRINO_REFUSED, /* this request will not be served as things are: credentials, URL, floe's own rules */
	TRINO_UNSENT,  /* it did not reach the server, or was turned away before it was read */
	TRINO_NONE     /* no answer, or one that says nothing about the request */
} FloeTrinoAnswer;

/* The answer to POST and to each nextUri, and of GET /v1/query/{id} as much as is needed; texts are the document's. */
typedef struct FloeTrinoPage
{
	const char *id;
	const char *state;
	const char *next_uri; /* NULL: the last page */
	bool has_error;
	FloeTrinoError error;
	FloeJson columns;
	FloeJson data;
} FloeTrinoPage;

typedef struct FloeTrinoRun
{
	FloeEngineRun *run;
	FloeTrinoStep step;
	bool is_sent;     /* a request is out: the next call brings its answer */
	bool is_probe;    /* check_engine(): any trouble ends it */
	bool is_restored; /* an earlier process began it */

	/* what is known of the query */
	char nonce[FLOE_TRINO_NONCE_LEN + 1]; /* of this attempt: an earlier one of the operation has another */
	char query_id[FLOE_TRINO_ID_MAX];
	char next_uri[FLOE_TRINO_URI_MAX]; /* empty: lost */
	bool may_run;                      /* a page was asked for, and no end is known */
	bool cancel_sent;
	bool is_unstoppable; /* Trino forbids it: only its own end counts */
	bool gave_up;        /* floe itself ends it; outcome and error are set */

	/* the request */
	FloeUrl origin;
	char *base; /* the engine's url without a slash at its end */
	char *authorization;
	const char *user;
	char *session;
	char *statement; /* with its comment */
	char trace_token[96];
	char url[FLOE_TRINO_URI_MAX + 256];
	FloeSecrets secrets;

	/* waiting */
	int failures; /* in a row, for the pace of retries */
	int submits;
	int pages;
	int polls; /* since the cancel was sent */
	int poll_ms;

	/* the result */
	const char *columns[FLOE_TRINO_COLUMNS_MAX];
	int ncolumns;
	int room; /* rows that are still kept */
	char version[64];

	/* the end, once it is decided */
	FloeOutcome outcome;
	bool must_settle;
} FloeTrinoRun;

/* trino.c: goes to the step and does it. */
extern FloeEngineVerb floe_trino_enter(FloeTrinoRun *m, FloeTrinoStep step);

/* trino_http.c */
extern bool floe_trino_prepare(FloeTrinoRun *m, FloeStatus *st);
extern bool floe_trino_is_own(const FloeTrinoRun *m, const char *uri);
extern FloeEngineVerb floe_trino_send(FloeTrinoRun *m);
extern FloeTrinoAnswer floe_trino_classify(FloeTrinoRun *m, const FloeHttpResponse *response, FloeStatus *why);
extern FloeEngineVerb floe_trino_retry(FloeTrinoRun *m, const FloeStatus *why, FloeTrinoStep next);
extern FloeEngineVerb floe_trino_wait(FloeTrinoRun *m, int ms, FloeTrinoStep next);

/* trino_answers.c; what is read points into the document, which the caller frees. */
extern bool floe_trino_is_id(const char *text);
extern FloeJsonDoc *floe_trino_parse(const FloeBuf *body, FloeStatus *st);
extern bool floe_trino_read_info(FloeJson root, const char **version, bool *is_starting, FloeStatus *st);
extern bool floe_trino_read_page(FloeJson root, FloeTrinoPage *page, FloeStatus *st);
extern bool floe_trino_read_query(FloeJson root, FloeTrinoPage *page, FloeStatus *st);
extern bool floe_trino_find(FloeJson root, const char *trace_token, const char **id, FloeStatus *st);
extern void floe_trino_keep_rows(FloeTrinoRun *m, const FloeTrinoPage *page);
extern void floe_trino_close_result(FloeTrinoRun *m);

/* trino_ends.c */
extern void floe_trino_note(FloeTrinoRun *m, const FloeStatus *why);
extern FloeEngineVerb floe_trino_finish(FloeTrinoRun *m, FloeOutcome outcome);
extern FloeEngineVerb floe_trino_fail(FloeTrinoRun *m, const FloeStatus *why);
extern FloeEngineVerb floe_trino_fail_error(FloeTrinoRun *m, const FloeTrinoError *error);
extern FloeEngineVerb floe_trino_lost(FloeTrinoRun *m, const char *why);
extern FloeEngineVerb floe_trino_give_up(FloeTrinoRun *m, const FloeStatus *why);

/* trino_saved.c */
extern void floe_trino_save(FloeTrinoRun *m);
extern bool floe_trino_restore(FloeTrinoRun *m, const char *saved, size_t len, FloeStatus *st);

#endif /* FLOE_ENGINE_TRINO_H */
