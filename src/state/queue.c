/*
 * queue.c: calls of floe_internal for operations.
 */
#include "floe.h"

#include "state/queue.h"

#include "utils/palloc.h"

#define OPERATION_COLUMNS                                                                                              \
	"q.operation_id, q.operation_key, q.table_id, q.table_name, q.operation, q.state, q.engine, "                      \
	"(floe_internal.parse_name(q.table_name))[1], q.statement, q.saved, "                                              \
	"q.cancel_requested_by IS NOT NULL OR COALESCE(q.timeout_at <= floe_internal.clock(), false), "                    \
	"floe_internal.resource_conf(q.settings)::text"

static void
read_operation(const FloeRows *rows, int row, FloeOperation *op)
{
	op->operation_id = floe_row_int8(rows, row, 0, 0);
	op->operation_key = floe_row_any(rows, row, 1);
	op->table_id = floe_row_int8(rows, row, 2, 0);
	op->table_name = floe_row_text(rows, row, 3);
	op->operation = floe_row_text(rows, row, 4);
	op->state = floe_row_text(rows, row, 5);
	op->engine = floe_row_text(rows, row, 6);
	op->catalog = floe_row_text(rows, row, 7);
	op->statement = floe_row_text(rows, row, 8);
	op->saved = floe_row_bytea(rows, row, 9, &op->saved_len);
	op->cancel_requested = floe_row_bool(rows, row, 10, false);
	op->resources = floe_row_text(rows, row, 11);
}

bool
floe_queue_claim(int32 pass_id, const char *pattern, FloeOperation *op, bool *found, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(pass_id), floe_arg_text(pattern)};

	*found = false;
	if (!floe_db_call("SELECT " OPERATION_COLUMNS " FROM floe_internal.claim_operation($1, $2) AS q", args, 2, &rows,
					  st))
		return false;
	*found = rows.count > 0;
	if (*found)
		read_operation(&rows, 0, op);
	return true;
}

bool
floe_queue_adopt(int32 pass_id, const char *pattern, FloeOperation **ops, int *n, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(pass_id), floe_arg_text(pattern)};

	if (!floe_db_call("SELECT " OPERATION_COLUMNS " FROM floe_internal.adopt_operations($1, $2) AS q", args, 2, &rows,
					  st))
		return false;
	*n = rows.count;
	*ops = palloc0(sizeof(FloeOperation) * Max(rows.count, 1));
	for (int i = 0; i < rows.count; i++)
		read_operation(&rows, i, &(*ops)[i]);
	return true;
}

bool
floe_queue_preflight(int64 operation_id, const char *engine_type, const char *engine_catalog, char **statement,
					 char **reason, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int8(operation_id), floe_arg_text(engine_type), floe_arg_text(engine_catalog)};

	if (!floe_db_call("SELECT p.go, p.reason, p.statement FROM floe_internal.preflight($1, $2, $3) AS p", args, 3,
					  &rows, st))
		return false;
	*reason = floe_row_text(&rows, 0, 1);
	*statement = floe_row_bool(&rows, 0, 0, false) ? floe_row_text(&rows, 0, 2) : NULL;
	return true;
}

bool
floe_queue_postpone(int64 operation_id, const FloeStatus *failure, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int8(operation_id), floe_arg_text(floe_code_name(failure->code)),
					  floe_arg_text(failure->message)};

	return floe_db_call("SELECT floe_internal.postpone_operation($1, $2, $3)", args, 3, NULL, st);
}

bool
floe_queue_session(int64 operation_id, const char *digest, char **name, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int8(operation_id), floe_arg_text(digest)};

	if (!floe_db_call("SELECT floe_internal.claim_session($1, $2)", args, 2, &rows, st))
		return false;
	*name = floe_row_text(&rows, 0, 0);
	return true;
}

bool
floe_queue_saved(int64 operation_id, FloeBytes saved, const char *external_id, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int8(operation_id), floe_arg_bytea(saved.data, saved.len), floe_arg_text(external_id)};

	return floe_db_call("SELECT floe_internal.operation_saved($1, $2, $3)", args, 3, NULL, st);
}

bool
floe_queue_engine_reached(const char *engine, int64 operation_id, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_text(engine), floe_arg_int8(operation_id)};

	return floe_db_call("SELECT floe_internal.engine_reached($1, $2)", args, 2, NULL, st);
}

bool
floe_queue_engine_unreachable(const char *engine, int64 operation_id, bool unsent, const FloeStatus *failure,
							  FloeStatus *st)
{
	FloeArg args[] = {floe_arg_text(engine),           floe_arg_int8(operation_id),
					  floe_arg_bool(unsent),           floe_arg_text(floe_code_name(failure->code)),
					  floe_arg_text(failure->message), floe_arg_text(failure->detail)};

	return floe_db_call("SELECT floe_internal.engine_unreachable($1, $2, $3, $4, $5, $6)", args, 6, NULL, st);
}

bool
floe_queue_engine_ended(int64 operation_id, const char *outcome, const char *error_class, const char *error,
						const char *result_json, int64 row_count, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int8(operation_id), floe_arg_text(outcome),      floe_arg_text(error_class),
					  floe_arg_text(error),        floe_arg_jsonb(result_json), floe_arg_int8(row_count)};

	args[5].isnull = row_count < 0;
	return floe_db_call("SELECT floe_internal.engine_ended($1, $2, $3, $4, $5::pg_catalog.jsonb, $6)", args, 6, NULL,
						st);
}

bool
floe_queue_verified(int64 operation_id, char **state, char **message, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int8(operation_id)};

	if (!floe_db_call("SELECT v.state, v.message FROM floe_internal.operation_verified($1) AS v", args, 1, &rows, st))
		return false;
	*state = floe_row_text(&rows, 0, 0);
	*message = floe_row_text(&rows, 0, 1);
	return true;
}

bool
floe_queue_abandon(int64 operation_id, const FloeStatus *failure, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int8(operation_id), floe_arg_text(failure->message)};

	return floe_db_call("SELECT floe_internal.abandon_operation($1, $2)", args, 2, NULL, st);
}

bool
floe_queue_to_stop(int32 pass_id, FloeStop **stops, int *n, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(pass_id)};

	if (!floe_db_call(
			"SELECT s.operation_id, s.reason, s.give_up, s.leave FROM floe_internal.operations_to_stop($1) AS s", args,
			1, &rows, st))
		return false;
	*n = rows.count;
	*stops = palloc0(sizeof(FloeStop) * Max(rows.count, 1));
	for (int i = 0; i < rows.count; i++)
	{
		(*stops)[i].operation_id = floe_row_int8(&rows, i, 0, 0);
		(*stops)[i].reason = floe_row_text(&rows, i, 1);
		(*stops)[i].give_up = floe_row_bool(&rows, i, 2, false);
		(*stops)[i].leave = floe_row_bool(&rows, i, 3, false);
	}
	return true;
}

bool
floe_queue_pending(int32 pass_id, const char *pattern, int32 *queued, int32 *live, int64 *next_ms, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(pass_id), floe_arg_text(pattern)};

	if (!floe_db_call("SELECT p.queued, p.live, p.next_ms FROM floe_internal.pending_operations($1, $2) AS p", args, 2,
					  &rows, st))
		return false;
	*queued = floe_row_int4(&rows, 0, 0, 0);
	*live = floe_row_int4(&rows, 0, 1, 0);
	*next_ms = floe_row_int8(&rows, 0, 2, -1);
	return true;
}

bool
floe_queue_release(int64 operation_id, int seconds, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int8(operation_id), floe_arg_int4(seconds)};

	return floe_db_call("SELECT floe_internal.release_operation($1, $2)", args, 2, NULL, st);
}

bool
floe_queue_next_ms(int64 *next_ms, FloeStatus *st)
{
	FloeRows rows;

	if (!floe_db_call("SELECT floe_internal.next_executor_ms()", NULL, 0, &rows, st))
		return false;
	*next_ms = floe_row_int8(&rows, 0, 0, -1);
	return true;
}
