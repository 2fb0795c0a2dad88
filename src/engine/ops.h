/*
 * ops.h: what an engine adapter is: a state machine between floe's operation and a server's protocol.
 *
 * An adapter never does I/O and never touches the database.  The executor
 * calls next() and does what it answers:
 *
 *   SEND  send run->request, then call next() with the response
 *   SAVE  commit run->saved and run->external_id to the operation's row, then
 *         call next() with NULL.  This is how a handle is durable before the
 *         request that needs it leaves the process.
 *   WAIT  the work runs; call next() with NULL after run->wait_ms.  When
 *         run->outcome is set already, the wait is one of seconds on the way
 *         to DONE and has to be waited out: what was given back at the engine
 *         cannot be found again by another begin()
 *   DONE  run->outcome is final and whatever was held at the engine is given
 *         back as far as it could be
 *
 * After a crash, begin() is called with the saved bytes of the row, in any
 * process: the adapter finds the operation again or proves that it does not
 * run any more and ends as LOST; then the table's snapshots decide.
 * A transport failure is not an end: next() gets it as a response and usually
 * answers WAIT, with run->unreachable set, and the executor decides how long
 * that may last.  A request that floe's own rules refuse (floe_http_submit()
 * false) is given to next() the same way, as a response with that status.
 * A run that is given up needs no other end than freeing its arena and result.
 */
#ifndef FLOE_ENGINE_OPS_H
#define FLOE_ENGINE_OPS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "conn/conn.h"
#include "net/http.h"

typedef enum FloeEngineVerb
{
	FLOE_ENGINE_SEND,
	FLOE_ENGINE_SAVE,
	FLOE_ENGINE_WAIT,
	FLOE_ENGINE_DONE
} FloeEngineVerb;

typedef enum FloeOutcome
{
	FLOE_OUTCOME_NONE,      /* not ended yet */
	FLOE_OUTCOME_SUCCEEDED, /* the engine says so; the metadata still has to confirm it */
	FLOE_OUTCOME_FAILED,    /* it may nevertheless have committed in part */
	FLOE_OUTCOME_CANCELLED, /* likewise */
	FLOE_OUTCOME_LOST       /* the engine does not know it (any more), and nothing of it runs */
} FloeOutcome;

/* What waiting or changing something can do about a failure. */
typedef enum FloeErrorClass
{
	FLOE_CLASS_NONE,
	FLOE_CLASS_CONFIG,    /* wait for a change of policy, server or table */
	FLOE_CLASS_CONFLICT,  /* a concurrent commit: retry, smaller */
	FLOE_CLASS_TRANSIENT, /* retry with backoff */
	FLOE_CLASS_RESOURCE,  /* memory, disk, quota: retry later and smaller */
	FLOE_CLASS_PERMANENT  /* never by itself */
} FloeErrorClass;

/* Whose SQL an engine speaks: its statements, and which options it honours (dialect.h). */
typedef enum FloeDialect
{
	FLOE_DIALECT_SPARK,
	FLOE_DIALECT_TRINO
} FloeDialect;

typedef struct FloeKeyValue
{
	const char *key;
	const char *value;
	bool is_secret; /* although its key does not say so */
} FloeKeyValue;

/* Where and as whom: resolved from the SERVER and USER MAPPING; strings live as long as the run. */
typedef struct FloeEngineTarget
{
	const char *url;
	const char *user;     /* NULL: the adapter's default */
	const char *password; /* NULL: none */
	const char *token;    /* bearer; NULL: none */
	const char *ca_file;
	const char *catalog;              /* its name in the engine; NULL in a probe */
	const FloeKeyValue *session_conf; /* non-secret and secret settings of the session, catalog included */
	int nsession_conf;
	const char *session_name; /* of a session that several operations use one after another; NULL: one of its own */
	const FloeConn *conn;     /* for options that only one adapter knows */
	int request_timeout_ms;
} FloeEngineTarget;

#define FLOE_ENGINE_SAVED_MAX 8192
#define FLOE_ENGINE_ERROR_MAX 4096
#define FLOE_ENGINE_RESULT_MAX (1024 * 1024)

typedef struct FloeEngineRun
{
	/* set by the executor */
	const FloeEngineTarget *target;
	const char *operation_id; /* uuid text, for the statement's comment and client-chosen ids */
	const char *statement;    /* rendered text */
	FloeArena *arena;         /* lives as long as the run */
	bool cancel_requested;

	/* set by the adapter */
	FloeHttpRequest request;           /* valid after SEND, until the next call */
	int wait_ms;                       /* valid after WAIT */
	bool unreachable;                  /* the last request got no usable answer; last_failure says why */
	FloeStatus last_failure;           /* masked; also the reason of LOST */
	char external_id[128];             /* what people look for in the engine's UI; never a secret */
	char saved[FLOE_ENGINE_SAVED_MAX]; /* durable state; may hold handles, so it is a secret */
	size_t saved_len;

	FloeOutcome outcome;
	FloeErrorClass error_class;
	bool in_doubt;                     /* it reports a failure, and may have committed before: FAILED becomes LOST */
	char error[FLOE_ENGINE_ERROR_MAX]; /* one line, masked; also why a run is LOST */
	FloeBuf result;      /* JSON array of row objects by column name, capped; empty when it could not be read.
	                      * Initialised by begin(), freed by the executor with floe_buf_free() */
	int64_t result_rows; /* rows the engine returned, also those not kept */

	void *state; /* the adapter's own, in arena */
} FloeEngineRun;

typedef struct FloeEngineOps
{
	const char *type; /* SERVER TYPE: "spark-thrift" */
	FloeDialect dialect;
	/* The session can be given a catalog (session_conf); otherwise the engine must have it: engine_catalog names it. */
	bool defines_catalog;
	/* A session is started with the resources that session_conf asks for; otherwise they are the server's. */
	bool sizes_sessions;

	/*
	 * saved_len 0: a new operation; otherwise one that an earlier process
	 * dispatched.  False when the target or the saved bytes cannot be used
	 * (nothing was sent, nothing is to be freed but the arena).
	 */
	bool (*begin)(FloeEngineRun *run, const char *saved, size_t saved_len, FloeStatus *st);
	FloeEngineVerb (*next)(FloeEngineRun *run, FloeHttpResponse *response);

	/*
	 * check_engine(): the same protocol with a probe instead of a statement:
	 * next() drives begin_probe() to DONE; error or server version in result.
	 */
	bool (*begin_probe)(FloeEngineRun *run, FloeStatus *st);
} FloeEngineOps;

extern const FloeEngineOps floe_engine_spark_thrift;
extern const FloeEngineOps floe_engine_trino;
extern const FloeEngineOps floe_engine_spark_connect;
extern const FloeEngineOps floe_engine_livy;
extern const FloeEngineOps floe_engine_kyuubi;

/* NULL for an unknown type. */
extern const FloeEngineOps *floe_engine_lookup(const char *type);
/* Type number i, NULL after the last. */
extern const char *floe_engine_type(int i);
extern const char *floe_error_class_name(FloeErrorClass error_class);

#endif /* FLOE_ENGINE_OPS_H */
