/*
 * adapter.h: what every adapter does alike to its run: beginning, credentials, statement, failures, the pace of retries, the end.
 *
 * No protocol is in it; only adapters include it.
 */
#ifndef FLOE_ENGINE_ADAPTER_H
#define FLOE_ENGINE_ADAPTER_H

#include "engine/ops.h"
#include "engine/secrets.h"

/* What an adapter sets of a run, as begin() finds it; state is the adapter's own. */
extern void floe_adapter_reset(FloeEngineRun *run, void *state);

/* FLOE_ERR_NOMEM */
extern bool floe_adapter_no_memory(FloeStatus *st);

/* A control character cannot be in a header. */
extern bool floe_adapter_has_control(const char *text);

/* "Bearer …" of the target's token, in the run's arena; FLOE_ERR_CONFIG when it cannot be sent. */
extern bool floe_adapter_bearer(FloeEngineRun *run, char **authorization, FloeStatus *st);

/* The statement behind a comment with the operation's id, for people who look at the engine's UI; at most so many bytes of it. */
extern bool floe_adapter_statement(FloeEngineRun *run, size_t max, char **statement, FloeStatus *st);

/* Keeps a failure, masked, as the reason that the executor may show. */
extern void floe_adapter_note(FloeEngineRun *run, const FloeSecrets *secrets, const FloeStatus *why);

/* What waiting can do about a failure that is not the statement's. */
extern FloeErrorClass floe_adapter_class(FloeCode code);

/* Spark's own words become run->error: masked, reduced to a line and classified; they may be 32 kB of stack trace. */
extern FloeErrorClass floe_adapter_spark_error(FloeEngineRun *run, const FloeSecrets *secrets, const char *text,
											   size_t len);

/*
 * WAIT, as the server asked (up to after_cap_ms) or longer after each of so
 * many failures in a row.  With different seeds, runs that lost the same server
 * do not come back to it together.
 */
extern FloeEngineVerb floe_adapter_retry(FloeEngineRun *run, int failures, uint64_t seed, int cap_ms, int after_cap_ms,
										 const FloeStatus *why);

/*
 * Milliseconds until the engine is asked again about a statement that runs;
 * last_ms: what it was before, 0 at first.  It grows with the time that has
 * gone by, by a quarter of it: how long a statement took is known that well,
 * and one that takes hours is not asked about all the time.
 */
extern int floe_adapter_poll_ms(int last_ms);

/* DONE: outcome becomes the run's. */
extern FloeEngineVerb floe_adapter_done(FloeEngineRun *run, FloeOutcome outcome);

#endif /* FLOE_ENGINE_ADAPTER_H */
