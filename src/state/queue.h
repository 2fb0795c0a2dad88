/*
 * queue.h: the database side of an operation's life, one function per SQL function of 78.
 *
 * Each must stand between floe_db_begin() and floe_db_end().  Results are
 * copied into CurrentMemoryContext.
 */
#ifndef FLOE_STATE_QUEUE_H
#define FLOE_STATE_QUEUE_H

#include "base/status.h"
#include "state/db.h"

typedef struct FloeOperation
{
	int64 operation_id;
	char *operation_key; /* uuid text */
	int64 table_id;
	char *table_name; /* text form */
	char *operation;
	char *state;
	char *engine;    /* server name */
	char *catalog;   /* server name */
	char *statement; /* NULL before the preflight */
	void *saved;     /* the adapter's durable state; NULL: none */
	size_t saved_len;
	bool cancel_requested;
	char *resources; /* JSON object of Spark settings of its session; NULL: the engine's own */
} FloeOperation;

/* At most one; *found tells. */
extern bool floe_queue_claim(int32 pass_id, const char *pattern, FloeOperation *op, bool *found, FloeStatus *st);
extern bool floe_queue_adopt(int32 pass_id, const char *pattern, FloeOperation **ops, int *n, FloeStatus *st);

/* statement is NULL when it must not go on; reason says why, and the operation has ended. */
extern bool floe_queue_preflight(int64 operation_id, const char *engine_type, const char *engine_catalog,
								 char **statement, char **reason, FloeStatus *st);

/* Back into the queue, or ended when the table is gone (failure code not_found). */
extern bool floe_queue_postpone(int64 operation_id, const FloeStatus *failure, FloeStatus *st);
/* Of the engine's sessions that are kept for several operations; NULL: it gets one of its own. */
extern bool floe_queue_session(int64 operation_id, const char *digest, char **name, FloeStatus *st);
extern bool floe_queue_saved(int64 operation_id, FloeBytes saved, const char *external_id, FloeStatus *st);
extern bool floe_queue_engine_reached(const char *engine, int64 operation_id, FloeStatus *st);
extern bool floe_queue_engine_unreachable(const char *engine, int64 operation_id, bool unsent,
										  const FloeStatus *failure, FloeStatus *st);
extern bool floe_queue_engine_ended(int64 operation_id, const char *outcome, const char *error_class, const char *error,
									const char *result_json, int64 row_count, FloeStatus *st);

/* The operation's state afterwards. */
extern bool floe_queue_verified(int64 operation_id, char **state, char **message, FloeStatus *st);
extern bool floe_queue_abandon(int64 operation_id, const FloeStatus *failure, FloeStatus *st);

typedef struct FloeStop
{
	int64 operation_id;
	char *reason;
	bool give_up; /* silent for longer than its timeout, and cancelled: do not ask the engine any more */
	bool leave;   /* silent for longer than its timeout: a later pass asks again */
} FloeStop;

extern bool floe_queue_to_stop(int32 pass_id, FloeStop **stops, int *n, FloeStatus *st);

/* Operations of the pattern that are queued and could run within wait_ms, and that are live. */
extern bool floe_queue_pending(int32 pass_id, const char *pattern, int32 *queued, int32 *live, int64 *next_ms,
							   FloeStatus *st);

/* Nobody drives it any more; after so many seconds the next adoption takes it, by whomever. */
extern bool floe_queue_release(int64 operation_id, int seconds, FloeStatus *st);

/* Milliseconds until something queued or released may go on, at most some seconds while there is anything; -1: nothing is there. */
extern bool floe_queue_next_ms(int64 *next_ms, FloeStatus *st);

#endif /* FLOE_STATE_QUEUE_H */
