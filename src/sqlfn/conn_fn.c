/*
 * conn_fn.c: validators of the two foreign data wrappers, and their option table as rows.
 *
 * An error of theirs keeps the statement out of the server's log: it may hold
 * secrets.
 */
#include "floe.h"

#include "base/cleanup.h"
#include "catalog/ops.h"
#include "conn/options.h"
#include "engine/ops.h"
#include "sqlfn/report.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(floe_sql_catalog_validator);
PG_FUNCTION_INFO_V1(floe_sql_engine_validator);
PG_FUNCTION_INFO_V1(floe_sql_check_option_types);
PG_FUNCTION_INFO_V1(floe_sql_connection_options);
PG_FUNCTION_INFO_V1(floe_sql_connection_types);

static char *
valid_options(FloeWrapper wrapper, FloeOptionContext context)
{
	FloeBuf buf;
	char *copy;

	floe_buf_init(&buf, 8192);
	floe_conn_options_list(&buf, wrapper, context);
	copy = pstrdup(buf.data != NULL ? buf.data : "");
	floe_buf_free(&buf);
	return copy;
}

static void
refuse_interval(const char *name, const char *value, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE), errhidestmt(true),
					errmsg("option \"%s\": \"%s\" %s", name, value, what),
					errhint("Write an interval such as \"90 seconds\" or \"10 minutes\".")));
}

static void
check_interval(const char *name, const char *value)
{
	Interval *volatile interval = NULL;

	if (strspn(value, "+-.0123456789 ") == strlen(value))
		refuse_interval(name, value, "has no unit");
	PG_TRY();
	{
		interval = DatumGetIntervalP(
			DirectFunctionCall3(interval_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	}
	PG_CATCH();
	{
		/* one error takes the place of another */
		FlushErrorState();
		refuse_interval(name, value, "is not an interval");
	}
	PG_END_TRY();
	if (interval->time + (interval->day + 30 * interval->month) * USECS_PER_DAY < USECS_PER_SEC)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE), errhidestmt(true),
						errmsg("option \"%s\" must be at least a second", name)));
}

static void
check_one(FloeWrapper wrapper, FloeOptionContext context, DefElem *def)
{
	const FloeConnOptionDef *option = floe_conn_option_find(wrapper, context, def->defname);
	FloeOptionContext other = context == FLOE_CONTEXT_SERVER ? FLOE_CONTEXT_MAPPING : FLOE_CONTEXT_SERVER;
	const FloeConnOptionDef *elsewhere = floe_conn_option_find(wrapper, other, def->defname);
	FloeStatus st;

	if (option == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errhidestmt(true),
						errmsg("invalid option \"%s\"", def->defname),
						elsewhere != NULL ? errdetail("It is an option of the %s%s.",
													  other == FLOE_CONTEXT_MAPPING ? "USER MAPPING" : "SERVER",
													  elsewhere->secret ? ", because it is a secret" : "")
										  : 0,
						errhint("Valid options in this context are: %s.", valid_options(wrapper, context))));
	if (option->superuser_only && !superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errhidestmt(true),
						errmsg("only a superuser may set option \"%s\"", def->defname),
						errdetail("It names a file that the server reads.")));
	if (!floe_conn_option_check(option, def->defname, defGetString(def), &st))
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE), errhidestmt(true), errmsg("%s", st.message),
						st.detail[0] != '\0' ? errdetail("%s", st.detail) : 0));
	if (option->type == FLOE_VALUE_INTERVAL)
		check_interval(def->defname, defGetString(def));
}

static void
check_required(FloeWrapper wrapper, FloeOptionContext context, List *defs)
{
	int count;
	const FloeConnOptionDef *options = floe_conn_options(&count);

	for (int i = 0; i < count; i++)
	{
		bool found = false;
		ListCell *cell;

		if (options[i].wrapper != wrapper || options[i].context != context || !options[i].required)
			continue;
		foreach (cell, defs)
			found |= strcmp(((DefElem *) lfirst(cell))->defname, options[i].name) == 0;
		if (!found)
			ereport(ERROR, (errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND), errhidestmt(true),
							errmsg("option \"%s\" is missing", options[i].name),
							errdetail("It is the %s.", options[i].description)));
	}
}

static Datum
validate(FunctionCallInfo fcinfo, FloeWrapper wrapper)
{
	List *defs = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid context = PG_GETARG_OID(1);
	ListCell *cell;

	if (context == ForeignServerRelationId || context == UserMappingRelationId)
	{
		FloeOptionContext kind = context == ForeignServerRelationId ? FLOE_CONTEXT_SERVER : FLOE_CONTEXT_MAPPING;

		foreach (cell, defs)
			check_one(wrapper, kind, (DefElem *) lfirst(cell));
		check_required(wrapper, kind, defs);
	}
	else if (defs != NIL)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errhidestmt(true),
						errmsg("wrapper %s and its foreign tables have no options", floe_wrapper_name(wrapper)),
						errhint("Options belong to SERVERs and USER MAPPINGs.")));
	PG_RETURN_VOID();
}

Datum
floe_sql_catalog_validator(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, FLOE_WRAPPER_CATALOG);
}

Datum
floe_sql_engine_validator(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, FLOE_WRAPPER_ENGINE);
}

/* "'rest' or 'nessie'" */
static char *
types_of(const FloeConnOptionDef *option)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '\'');
	for (const char *p = option->types; *p != '\0'; p++)
	{
		if (*p != '|')
			appendStringInfoChar(&out, *p);
		else
			appendStringInfoString(&out, strchr(p + 1, '|') != NULL ? "', '" : "' or '");
	}
	appendStringInfoChar(&out, '\'');
	return out.data;
}

/* (wrapper, type, is it a user mapping?, names): a validator sees no TYPE, so the event trigger asks. */
Datum
floe_sql_check_option_types(PG_FUNCTION_ARGS)
{
	char *wrapper_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *type = text_to_cstring(PG_GETARG_TEXT_PP(1));
	FloeOptionContext context = PG_GETARG_BOOL(2) ? FLOE_CONTEXT_MAPPING : FLOE_CONTEXT_SERVER;
	FloeWrapper wrapper =
		strcmp(wrapper_name, floe_wrapper_name(FLOE_WRAPPER_CATALOG)) == 0 ? FLOE_WRAPPER_CATALOG : FLOE_WRAPPER_ENGINE;
	Datum *names;
	bool *nulls;
	int count;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char *name = nulls[i] ? pstrdup("") : TextDatumGetCString(names[i]);
		const FloeConnOptionDef *option = floe_conn_option_find(wrapper, context, name);

		if (option != NULL && !floe_conn_option_is_for(option, type))
			ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errhidestmt(true),
							errmsg("option \"%s\" does nothing for a server of TYPE '%s'", name, type),
							errhint("It is for servers of TYPE %s.", types_of(option))));
	}
	PG_RETURN_VOID();
}

/* Of all the wrapper's types those that the option is for. */
static Datum
types_array(const FloeConnOptionDef *option)
{
	Datum types[16];
	int count = 0;

	for (int i = 0;; i++)
	{
		const char *type = option->wrapper == FLOE_WRAPPER_CATALOG ? floe_catalog_type(i) : floe_engine_type(i);

		if (type == NULL || count == lengthof(types))
			break;
		if (floe_conn_option_is_for(option, type))
			types[count++] = CStringGetTextDatum(type);
	}
	return PointerGetDatum(construct_array(types, count, TEXTOID, -1, false, TYPALIGN_INT));
}

Datum
floe_sql_connection_options(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int count;
	const FloeConnOptionDef *options = floe_conn_options(&count);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
	{
		const FloeConnOptionDef *o = &options[i];
		bool family = o->name[strlen(o->name) - 1] == '.';
		Datum values[9];
		bool nulls[9] = {0};

		values[0] = CStringGetTextDatum(floe_wrapper_name(o->wrapper));
		values[1] = CStringGetTextDatum(o->context == FLOE_CONTEXT_SERVER ? "SERVER" : "USER MAPPING");
		values[2] = CStringGetTextDatum(family ? psprintf("%s*", o->name) : o->name);
		values[3] = CStringGetTextDatum(o->choices != NULL ? o->choices : floe_conn_value_name(o->type));
		values[4] = BoolGetDatum(o->required);
		values[5] = BoolGetDatum(o->secret);
		values[6] = BoolGetDatum(o->superuser_only);
		values[7] = types_array(o);
		values[8] = CStringGetTextDatum(o->description);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
floe_sql_connection_types(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum values[2];
	bool nulls[2] = {0};

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; floe_catalog_type(i) != NULL; i++)
	{
		values[0] = CStringGetTextDatum(floe_wrapper_name(FLOE_WRAPPER_CATALOG));
		values[1] = CStringGetTextDatum(floe_catalog_type(i));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	for (int i = 0; floe_engine_type(i) != NULL; i++)
	{
		values[0] = CStringGetTextDatum(floe_wrapper_name(FLOE_WRAPPER_ENGINE));
		values[1] = CStringGetTextDatum(floe_engine_type(i));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
