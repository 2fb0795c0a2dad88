/*
 * db.c: SPI behind a status, in a subtransaction, as the extension's owner.
 */
#include "floe.h"

#include "state/db.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#include <signal.h>

#define MAX_ARGS 16

static const FloeDbOps *db_ops = NULL;
static SPITupleTable *held = NULL; /* of the last call, for whoever reads its rows */

void
floe_db_use(const FloeDbOps *ops)
{
	db_ops = ops;
	held = NULL; /* what a statement that failed left went with it */
}

/* A pass makes very many calls under one SPI connection, which would keep all their results. */
static void
let_go(void)
{
	if (held != NULL)
		SPI_freetuptable(held);
	held = NULL;
}

void
floe_db_begin(void)
{
	db_ops->begin();
}

void
floe_db_end(void)
{
	let_go();
	db_ops->end();
}

static FloeArg
make_arg(Oid type, Datum value, bool isnull)
{
	FloeArg arg = {type, value, isnull};

	return arg;
}

FloeArg
floe_arg_int4(int32 value)
{
	return make_arg(INT4OID, Int32GetDatum(value), false);
}

FloeArg
floe_arg_int8(int64 value)
{
	return make_arg(INT8OID, Int64GetDatum(value), false);
}

FloeArg
floe_arg_bool(bool value)
{
	return make_arg(BOOLOID, BoolGetDatum(value), false);
}

FloeArg
floe_arg_text(const char *value)
{
	return make_arg(TEXTOID, value != NULL ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

FloeArg
floe_arg_text_len(const char *value, size_t len)
{
	return make_arg(TEXTOID, value != NULL ? PointerGetDatum(cstring_to_text_with_len(value, (int) len)) : (Datum) 0,
					value == NULL);
}

/* As text; the statement casts it, so that what is wrong with it fails inside the call. */
FloeArg
floe_arg_jsonb(const char *json)
{
	return floe_arg_text(json);
}

static bytea *
make_bytea(const void *data, size_t len)
{
	bytea *value = palloc(VARHDRSZ + len);

	SET_VARSIZE(value, VARHDRSZ + len);
	if (len > 0)
		memcpy(VARDATA(value), data, len);
	return value;
}

FloeArg
floe_arg_bytea(const void *data, size_t len)
{
	return make_arg(BYTEAOID, data != NULL ? PointerGetDatum(make_bytea(data, len)) : (Datum) 0, data == NULL);
}

static FloeArg
make_array(Oid array_type, Oid type, Datum *values, int n)
{
	int16 typlen;
	bool typbyval;
	char typalign;

	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	return make_arg(array_type, PointerGetDatum(construct_array(values, n, type, typlen, typbyval, typalign)), false);
}

FloeArg
floe_arg_text_array(const char *const *values, int n)
{
	Datum *datums = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		datums[i] = CStringGetTextDatum(values[i]);
	return make_array(TEXTARRAYOID, TEXTOID, datums, n);
}

FloeArg
floe_arg_int4_array(const int32 *values, int n)
{
	Datum *datums = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		datums[i] = Int32GetDatum(values[i]);
	return make_array(INT4ARRAYOID, INT4OID, datums, n);
}

FloeArg
floe_arg_int8_array(const int64 *values, int n)
{
	Datum *datums = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		datums[i] = Int64GetDatum(values[i]);
	return make_array(INT8ARRAYOID, INT8OID, datums, n);
}

FloeArg
floe_arg_bool_array(const bool *values, int n)
{
	Datum *datums = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		datums[i] = BoolGetDatum(values[i]);
	return make_array(BOOLARRAYOID, BOOLOID, datums, n);
}

FloeArg
floe_arg_bytea_array(const FloeBytes *values, int n)
{
	Datum *datums = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		datums[i] = PointerGetDatum(make_bytea(values[i].data, values[i].len));
	return make_array(BYTEAARRAYOID, BYTEAOID, datums, n);
}

/* Owner of schema floe_internal, which the extension made; InvalidOid when it is gone. */
static Oid
extension_owner(void)
{
	Oid oid = get_namespace_oid("floe_internal", true);
	HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(oid));
	Oid owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/* What must end the pass and not only this call. */
static bool
ends_everything(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_QUERY_CANCELED || sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
		   sqlerrcode == ERRCODE_CRASH_SHUTDOWN || sqlerrcode == ERRCODE_DATABASE_DROPPED;
}

/* It says nothing about what was to be stored. */
static bool
is_busy(int sqlerrcode)
{
	return ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK ||
		   sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || sqlerrcode == ERRCODE_DISK_FULL;
}

/*
 * For this call alone: the subtransaction's end takes them back.  Compiling
 * one of the planner's queries takes seconds, running it milliseconds.
 */
static void
pin_settings(void)
{
	set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
					  false);
	set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Runs inside the subtransaction, as that role; what it returns is read before that ends. */
typedef void (*ReadResult)(void *arg);

typedef struct Call
{
	const char *sql;
	const FloeArg *args;
	int nargs;
	Oid role; /* InvalidOid: the extension's owner */
	int security;
	ReadResult read;
	void *arg;
	long max_rows;    /* 0: all */
	int timeout_ms;   /* 0: none */
	char sqlstate[6]; /* of the error */
} Call;

/* Of what is not floe's a statement may take for ever: workers have no statement_timeout. */
static TimeoutId call_timeout = MAX_TIMEOUTS;
static volatile sig_atomic_t call_timed_out;

static void
on_call_timeout(void)
{
	call_timed_out = true;
	InterruptPending = true;
	QueryCancelPending = true;
}

static void
start_timeout(const Call *call)
{
	call_timed_out = false;
	if (call->timeout_ms == 0)
		return;
	if (call_timeout == MAX_TIMEOUTS)
		call_timeout = RegisterTimeout(USER_TIMEOUT, on_call_timeout);
	enable_timeout_after(call_timeout, call->timeout_ms);
}

static void
end_timeout(const Call *call)
{
	if (call->timeout_ms == 0)
		return;
	disable_timeout(call_timeout, false);
	/* it came when everything was done */
	if (call_timed_out)
		QueryCancelPending = false;
}

static Oid
role_of(const Call *call)
{
	Oid role = OidIsValid(call->role) ? call->role : extension_owner();

	if (!OidIsValid(role))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("extension \"floe\" is gone from this database")));
	return role;
}

static void
execute(const Call *call)
{
	Oid types[MAX_ARGS];
	Datum values[MAX_ARGS];
	char nulls[MAX_ARGS];
	int ret;

	Assert(call->nargs <= MAX_ARGS);
	for (int i = 0; i < call->nargs; i++)
	{
		types[i] = call->args[i].type;
		values[i] = call->args[i].value;
		nulls[i] = call->args[i].isnull ? 'n' : ' ';
	}
	pin_settings();
	ret = SPI_execute_with_args(call->sql, call->nargs, types, values, nulls, false, call->max_rows);
	if (ret != SPI_OK_SELECT)
		elog(ERROR, "unexpected result %d of an internal call", ret);
	let_go();
	held = SPI_tuptable;
	if (call->read != NULL)
		call->read(call->arg);
}

static bool
run(Call *call, FloeStatus *st)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Oid user;
	int sec_context;

	floe_status_ok(st);
	GetUserIdAndSecContext(&user, &sec_context);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		SetUserIdAndSecContext(role_of(call), sec_context | SECURITY_LOCAL_USERID_CHANGE | call->security);
		start_timeout(call);
		execute(call);
		end_timeout(call);
		SetUserIdAndSecContext(user, sec_context);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		end_timeout(call);
		held = NULL;
		RollbackAndReleaseCurrentSubTransaction();
		SetUserIdAndSecContext(user, sec_context);
		if (ends_everything(error->sqlerrcode) && !(call_timed_out && error->sqlerrcode == ERRCODE_QUERY_CANCELED))
			ReThrowError(error);
		strlcpy(call->sqlstate, unpack_sql_state(error->sqlerrcode), sizeof(call->sqlstate));
		floe_fail_detail(st, is_busy(error->sqlerrcode) ? FLOE_ERR_BUSY : FLOE_ERR_DATABASE, error->detail, "%s",
						 error->message);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return st->code == FLOE_OK;
}

static void
give_rows(void *arg)
{
	FloeRows *rows = arg;

	rows->table = SPI_tuptable;
	rows->count = (int) SPI_processed;
}

bool
floe_db_call(const char *sql, const FloeArg *args, int nargs, FloeRows *rows, FloeStatus *st)
{
	Call call = {.sql = sql, .args = args, .nargs = nargs, .read = rows != NULL ? give_rows : NULL, .arg = rows};

	return run(&call, st);
}

static void
copy_texts(void *arg)
{
	FloeTextRows *rows = arg;
	SPITupleTable *table = SPI_tuptable;

	rows->count = (int) SPI_processed;
	rows->columns = table->tupdesc->natts;
	rows->values = palloc0(sizeof(char *) * (size_t) Max(rows->count * rows->columns, 1));
	for (int i = 0; i < rows->count; i++)
	{
		for (int j = 0; j < rows->columns; j++)
			rows->values[i * rows->columns + j] = SPI_getvalue(table->vals[i], table->tupdesc, j + 1);
	}
}

bool
floe_db_query_as(const FloeForeignQuery *query, FloeTextRows *rows, char sqlstate[6], FloeStatus *st)
{
	FloeArg args[MAX_ARGS];
	Call call = {.sql = query->sql,
				 .args = args,
				 .nargs = query->nparams,
				 .role = query->role,
				 .security = SECURITY_RESTRICTED_OPERATION,
				 .max_rows = query->max_rows,
				 .timeout_ms = query->timeout_ms,
				 .read = copy_texts,
				 .arg = rows};
	bool ok;

	for (int i = 0; i < query->nparams; i++)
		args[i] = floe_arg_text(query->params[i]);
	ok = run(&call, st);
	strlcpy(sqlstate, call.sqlstate, 6);
	return ok;
}

static Datum
get_value(const FloeRows *rows, int row, int column, bool *isnull)
{
	SPITupleTable *table = rows->table;

	return SPI_getbinval(table->vals[row], table->tupdesc, column + 1, isnull);
}

int64
floe_row_int8(const FloeRows *rows, int row, int column, int64 if_null)
{
	bool isnull;
	Datum value = get_value(rows, row, column, &isnull);

	return isnull ? if_null : DatumGetInt64(value);
}

int32
floe_row_int4(const FloeRows *rows, int row, int column, int32 if_null)
{
	bool isnull;
	Datum value = get_value(rows, row, column, &isnull);

	return isnull ? if_null : DatumGetInt32(value);
}

bool
floe_row_bool(const FloeRows *rows, int row, int column, bool if_null)
{
	bool isnull;
	Datum value = get_value(rows, row, column, &isnull);

	return isnull ? if_null : DatumGetBool(value);
}

char *
floe_row_text(const FloeRows *rows, int row, int column)
{
	bool isnull;
	Datum value = get_value(rows, row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

char *
floe_row_any(const FloeRows *rows, int row, int column)
{
	SPITupleTable *table = rows->table;
	char *value = SPI_getvalue(table->vals[row], table->tupdesc, column + 1);

	/* SPI gives it in the caller's context already */
	return value;
}

void *
floe_row_bytea(const FloeRows *rows, int row, int column, size_t *len)
{
	bool isnull;
	Datum value = get_value(rows, row, column, &isnull);
	bytea *bytes;
	char *copy;

	*len = 0;
	if (isnull)
		return NULL;
	bytes = DatumGetByteaPP(value);
	*len = VARSIZE_ANY_EXHDR(bytes);
	copy = palloc(*len + 1);
	memcpy(copy, VARDATA_ANY(bytes), *len);
	copy[*len] = '\0';
	return copy;
}

char **
floe_row_text_array(const FloeRows *rows, int row, int column, int *n)
{
	bool isnull;
	Datum value = get_value(rows, row, column, &isnull);
	Datum *elements;
	char **texts;

	*n = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, n);
	texts = palloc(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		texts[i] = TextDatumGetCString(elements[i]);
	return texts;
}

int32 *
floe_row_int4_array(const FloeRows *rows, int row, int column, int *n)
{
	bool isnull;
	Datum value = get_value(rows, row, column, &isnull);
	Datum *elements;
	int32 *numbers;

	*n = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(value), INT4OID, sizeof(int32), true, TYPALIGN_INT, &elements, NULL, n);
	numbers = palloc(sizeof(int32) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		numbers[i] = DatumGetInt32(elements[i]);
	return numbers;
}
