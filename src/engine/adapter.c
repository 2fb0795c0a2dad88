/*
 * adapter.c: what every adapter does alike to its run.
 *
 * Separate because five protocols need it and it belongs to none of them.
 */
#include "floe.h"

#include "engine/adapter.h"

#include "base/backoff.h"
#include "base/utf8.h"
#include "engine/spark_errors.h"

#include <string.h>

#define RETRY_BASE_MS 1000

#define POLL_MIN_MS 100
#define POLL_MAX_MS 5000

/* More than floe_spark_error_read() reads. */
#define MAX_TEXT ((size_t) 128 * 1024)

void
floe_adapter_reset(FloeEngineRun *run, void *state)
{
	run->state = state;
	run->outcome = FLOE_OUTCOME_NONE;
	run->error_class = FLOE_CLASS_NONE;
	run->in_doubt = false;
	run->error[0] = '\0';
	run->external_id[0] = '\0';
	run->saved_len = 0;
	run->result_rows = 0;
	run->unreachable = false;
	floe_status_ok(&run->last_failure);
	floe_buf_init(&run->result, FLOE_ENGINE_RESULT_MAX);
}

bool
floe_adapter_no_memory(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for a request to the engine");
}

bool
floe_adapter_has_control(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text < ' ' || *text == 0x7F)
			return true;
	}
	return false;
}

bool
floe_adapter_bearer(FloeEngineRun *run, char **authorization, FloeStatus *st)
{
	const char *token = run->target->token;
	size_t size = sizeof("Bearer ") + strlen(token);

	if (floe_adapter_has_control(token))
		return floe_fail(st, FLOE_ERR_CONFIG, "the token of the engine holds a control character");
	*authorization = floe_arena_alloc(run->arena, size);
	if (*authorization == NULL)
		return floe_adapter_no_memory(st);
	snprintf(*authorization, size, "Bearer %s", token);
	return true;
}

bool
floe_adapter_statement(FloeEngineRun *run, size_t max, char **statement, FloeStatus *st)
{
	size_t size;

	if (run->operation_id == NULL || strspn(run->operation_id, "0123456789abcdefABCDEF-") != strlen(run->operation_id))
		return floe_fail(st, FLOE_ERR_INTERNAL, "the id of the operation is not a uuid");
	if (run->statement == NULL || strlen(run->statement) > max)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "the statement is longer than %zu bytes", max);
	size = sizeof("/* floe: */ ") + strlen(run->operation_id) + strlen(run->statement);
	*statement = floe_arena_alloc(run->arena, size);
	if (*statement == NULL)
		return floe_adapter_no_memory(st);
	snprintf(*statement, size, "/* floe:%s */ %s", run->operation_id, run->statement);
	return true;
}

void
floe_adapter_note(FloeEngineRun *run, const FloeSecrets *secrets, const FloeStatus *why)
{
	FloeStatus *st = &run->last_failure;

	*st = *why;
	floe_utf8_repair(st->message);
	floe_utf8_repair(st->detail);
	floe_secrets_mask(secrets, st->message, sizeof(st->message));
	floe_secrets_mask(secrets, st->detail, sizeof(st->detail));
}

FloeErrorClass
floe_adapter_class(FloeCode code)
{
	if (code == FLOE_ERR_NOMEM)
		return FLOE_CLASS_RESOURCE;
	return floe_code_is_transient(code) ? FLOE_CLASS_TRANSIENT : FLOE_CLASS_CONFIG;
}

FloeErrorClass
floe_adapter_spark_error(FloeEngineRun *run, const FloeSecrets *secrets, const char *text, size_t len)
{
	FloeBuf masked;
	FloeErrorClass error_class;

	len = Min(len, MAX_TEXT);
	/* a secret of one byte becomes three */
	floe_buf_init(&masked, len * 3);
	if (!floe_secrets_append(secrets, &masked, text, len))
		floe_buf_reset(&masked);
	error_class = floe_spark_error_read(masked.data != NULL ? masked.data : "", masked.len, run->error,
										sizeof(run->error), &run->in_doubt);
	floe_buf_free(&masked);
	return error_class;
}

FloeEngineVerb
floe_adapter_retry(FloeEngineRun *run, int failures, uint64_t seed, int cap_ms, int after_cap_ms, const FloeStatus *why)
{
	run->unreachable = true;
	run->wait_ms = (int) floe_backoff_ms(failures, RETRY_BASE_MS, cap_ms, seed + (uint64_t) failures);
	if (why->retry_after_ms > run->wait_ms)
		run->wait_ms = (int) Min(why->retry_after_ms, after_cap_ms);
	return FLOE_ENGINE_WAIT;
}

int
floe_adapter_poll_ms(int last_ms)
{
	return last_ms == 0 ? POLL_MIN_MS : Min(last_ms + last_ms / 4, POLL_MAX_MS);
}

FloeEngineVerb
floe_adapter_done(FloeEngineRun *run, FloeOutcome outcome)
{
	/* the table's snapshots decide */
	if (outcome == FLOE_OUTCOME_FAILED && run->in_doubt)
		outcome = FLOE_OUTCOME_LOST;
	run->unreachable = false;
	run->outcome = outcome;
	/* not what closing the session met on its way */
	if (outcome == FLOE_OUTCOME_LOST)
		floe_fail(&run->last_failure, FLOE_ERR_LOST, "%s", run->error);
	return FLOE_ENGINE_DONE;
}
