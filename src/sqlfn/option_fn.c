/*
 * option_fn.c: the catalogue of engine options, their checks, and rendered statements, as SQL functions.
 */
#include "floe.h"

#include "base/cleanup.h"
#include "engine/dialect.h"
#include "engine/option_schema.h"
#include "sqlfn/report.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#define OPTIONS_MAX_BYTES ((size_t) 1024 * 1024)
#define SCHEMA_MAX_BYTES ((size_t) 64 * 1024 * 1024)
#define STATEMENT_MAX_BYTES ((size_t) 4 * 1024 * 1024)

PG_FUNCTION_INFO_V1(floe_sql_engine_options);
PG_FUNCTION_INFO_V1(floe_sql_engine_operations);
PG_FUNCTION_INFO_V1(floe_sql_engine_refusal);
PG_FUNCTION_INFO_V1(floe_sql_check_options);
PG_FUNCTION_INFO_V1(floe_sql_schema_problem);
PG_FUNCTION_INFO_V1(floe_sql_render_statement);

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
}

static Datum
text_array(const char *const *texts, bool *isnull)
{
	ArrayBuildState *state = initArrayResult(TEXTOID, CurrentMemoryContext, false);

	*isnull = texts == NULL;
	for (int i = 0; texts != NULL && texts[i] != NULL; i++)
		state = accumArrayResult(state, CStringGetTextDatum(texts[i]), false, TEXTOID, CurrentMemoryContext);
	return makeArrayResult(state, CurrentMemoryContext);
}

static Datum
limit_text(const FloeSparkOption *o, int64 value, bool *isnull)
{
	*isnull =
		value == 0 || (o->type != FLOE_OPTION_BYTES && o->type != FLOE_OPTION_COUNT && o->type != FLOE_OPTION_AGE);
	if (*isnull)
		return (Datum) 0;
	if (o->type == FLOE_OPTION_AGE)
		return CStringGetTextDatum(psprintf("%lld hours", (long long) (value / 3600000)));
	return CStringGetTextDatum(psprintf("%lld", (long long) value));
}

/* given: as policies name it, by one of two names; o: as the engine has it. */
static void
put_option(ReturnSetInfo *rsinfo, const char *engine_type, const FloeSparkOption *given, const FloeSparkOption *o)
{
	const char *alias[2] = {given->engine_name, NULL};
	Datum values[12];
	bool nulls[12] = {0};

	values[0] = CStringGetTextDatum(engine_type);
	values[1] = CStringGetTextDatum(o->operation);
	values[2] = CStringGetTextDatum(o->name);
	values[3] = text_array(alias, &nulls[3]);
	values[4] = CStringGetTextDatum(o->engine_name);
	values[5] = CStringGetTextDatum(o->place == FLOE_OPTION_ARGUMENT ? "argument" : "options map");
	values[6] = CStringGetTextDatum(floe_option_type_name(o->type));
	values[7] = limit_text(o, o->min, &nulls[7]);
	values[8] = limit_text(o, o->max, &nulls[8]);
	values[9] = text_array(o->values, &nulls[9]);
	values[10] = text_or_null(o->default_text, &nulls[10]);
	values[11] = CStringGetTextDatum(o->description);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
floe_sql_engine_options(PG_FUNCTION_ARGS)
{
	const char *type;

	InitMaterializedSRF(fcinfo, 0);
	for (int t = 0; (type = floe_engine_type(t)) != NULL; t++)
	{
		const FloeDialectOps *dialect = floe_dialect_of(type);
		const FloeSparkOption *o;

		for (size_t i = 0; (o = floe_spark_option_at(i)) != NULL; i++)
		{
			const FloeSparkOption *own = o->refusal == NULL ? dialect->option(o) : NULL;

			if (own != NULL)
				put_option((ReturnSetInfo *) fcinfo->resultinfo, type, o, own);
		}
	}
	return (Datum) 0;
}

/* Every operation of an engine has a row in the table of options, be it one that only other engines have. */
Datum
floe_sql_engine_operations(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *type;

	InitMaterializedSRF(fcinfo, 0);
	for (int t = 0; (type = floe_engine_type(t)) != NULL; t++)
	{
		const FloeSparkOption *o;
		const char *last = "";

		for (size_t i = 0; (o = floe_spark_option_at(i)) != NULL; i++)
		{
			Datum values[2] = {CStringGetTextDatum(type), CStringGetTextDatum(o->operation)};
			bool nulls[2] = {0};

			if (strcmp(last, o->operation) != 0 && floe_dialect_of(type)->knows(o->operation))
				tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
			last = o->operation;
		}
	}
	return (Datum) 0;
}

static void
release_doc(void *doc)
{
	floe_json_free(doc);
}

static void
release_buf(void *buf)
{
	floe_buf_free(buf);
}

static FloeJson
parse_json(Jsonb *json, const char *what, size_t max_bytes)
{
	char *text = JsonbToCString(NULL, &json->root, VARSIZE(json));
	FloeCleanup *cleanup = floe_cleanup_register(release_doc);
	FloeStatus st;
	FloeJsonDoc *doc = floe_cleanup_hold(cleanup, floe_json_parse(text, strlen(text), what, max_bytes, &st));

	if (doc == NULL)
		floe_report_as(&st, ERRCODE_INVALID_PARAMETER_VALUE, NULL);
	return floe_json_root(doc);
}

static FloeJson
parse_options(Jsonb *options)
{
	FloeJson root = parse_json(options, "options", OPTIONS_MAX_BYTES);

	if (floe_json_kind(root) != FLOE_JSON_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("options must be an object"),
						errhint("For example {\"target_file_size\": \"128 MB\"}.")));
	return root;
}

static void
release_arena(void *arena)
{
	floe_arena_free(arena);
}

/* {}: nothing is known of the table. */
static const FloeTableSchema *
read_schema(Jsonb *json)
{
	FloeCleanup *cleanup = floe_cleanup_register(release_arena);
	FloeArena *arena = floe_cleanup_hold(cleanup, floe_arena_new(SCHEMA_MAX_BYTES));
	const FloeTableSchema *schema;
	FloeStatus st;

	if (arena == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	schema = floe_table_schema_read(parse_json(json, "schema", SCHEMA_MAX_BYTES), arena, &st);
	if (schema == NULL)
		floe_report_as(&st, ERRCODE_INVALID_PARAMETER_VALUE, NULL);
	return schema;
}

static FloeBuf *
new_buf(size_t cap)
{
	FloeBuf *buf = palloc(sizeof(FloeBuf));
	FloeCleanup *cleanup = floe_cleanup_register(release_buf);

	floe_buf_init(buf, cap);
	floe_cleanup_hold(cleanup, buf);
	return buf;
}

Datum
floe_sql_check_options(PG_FUNCTION_ARGS)
{
	char *operation = text_to_cstring(PG_GETARG_TEXT_PP(0));
	FloeJson options = parse_options(PG_GETARG_JSONB_P(1));
	FloeBuf *canonical = new_buf(OPTIONS_MAX_BYTES);
	FloeStatus st;

	if (!floe_spark_operation_known(operation))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown operation \"%s\"", operation)));
	if (!floe_spark_options_check(operation, options, false, canonical, &st))
		floe_report_as(&st, ERRCODE_INVALID_PARAMETER_VALUE, NULL);
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(canonical->data)));
}

/* engine_type, operation, options */
Datum
floe_sql_engine_refusal(PG_FUNCTION_ARGS)
{
	char *engine_type = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *operation = text_to_cstring(PG_GETARG_TEXT_PP(1));
	FloeJson options = parse_options(PG_GETARG_JSONB_P(2));
	const FloeDialectOps *dialect = floe_dialect_of(engine_type);
	FloeStatus st;

	if (dialect == NULL)
		PG_RETURN_TEXT_P(cstring_to_text(psprintf("floe does not speak %s", engine_type)));
	if (!dialect->knows(operation))
		PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s cannot do it", engine_type)));
	if (!dialect->check(operation, options, &st))
		PG_RETURN_TEXT_P(cstring_to_text(st.message));
	PG_RETURN_NULL();
}

/* operation, options, table_schema */
Datum
floe_sql_schema_problem(PG_FUNCTION_ARGS)
{
	char *operation = text_to_cstring(PG_GETARG_TEXT_PP(0));
	FloeJson options = parse_options(PG_GETARG_JSONB_P(1));
	const FloeTableSchema *schema = read_schema(PG_GETARG_JSONB_P(2));
	FloeStatus st;

	if (floe_options_fit(operation, options, schema, &st))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(st.message));
}

/* engine_type, engine_catalog, namespace, table_name, operation, options, at, table_schema */
Datum
floe_sql_render_statement(PG_FUNCTION_ARGS)
{
	char *engine_type = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *operation = text_to_cstring(PG_GETARG_TEXT_PP(4));
	FloeJson options = parse_options(PG_GETARG_JSONB_P(5));
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(6);
	int64 at_ms = at / 1000 + ((int64) POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * INT64CONST(1000);
	const FloeDialectOps *dialect = floe_dialect_of(engine_type);
	FloeEngineTable table;
	Datum *elements;
	bool *nulls;
	const char **levels;
	int n;
	FloeBuf *statement = new_buf(STATEMENT_MAX_BYTES);
	FloeStatus st;

	if (dialect == NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("statements for engines of type \"%s\" are not known", engine_type)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	levels = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a namespace level is null")));
		levels[i] = TextDatumGetCString(elements[i]);
	}
	table.catalog = text_to_cstring(PG_GETARG_TEXT_PP(1));
	table.levels = levels;
	table.nlevels = n;
	table.table = text_to_cstring(PG_GETARG_TEXT_PP(3));
	table.schema = read_schema(PG_GETARG_JSONB_P(7));
	if (!dialect->render(&table, operation, options, at_ms, statement, &st))
		floe_report_as(&st, ERRCODE_INVALID_PARAMETER_VALUE, operation);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(statement->data, (int) statement->len));
}
