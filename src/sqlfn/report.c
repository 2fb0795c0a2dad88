/*
 * report.c: the one place that turns a FloeStatus, or what SQL refuses, into ereport().
 */
#include "floe.h"

#include "sqlfn/report.h"

#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(floe_sql_refuse);

void
floe_report_as(const FloeStatus *st, int sqlerrcode, const char *prefix)
{
	const char *state = floe_code_sqlstate(st->code);
	const char *hint = floe_code_hint(st->code);

	if (sqlerrcode == 0)
		sqlerrcode = MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4]);
	else
		hint = NULL; /* the code's hint speaks of servers, not of what was called */
	ereport(ERROR, (errcode(sqlerrcode),
					errmsg("%s%s%s", prefix != NULL ? prefix : "", prefix != NULL ? ": " : "", st->message),
					st->detail[0] != '\0' ? errdetail("%s", st->detail) : 0, hint != NULL ? errhint("%s", hint) : 0));
}

void
floe_report(const FloeStatus *st)
{
	floe_report_as(st, 0, NULL);
}

/* RAISE of PL/pgSQL refuses a DETAIL or HINT that is NULL. */
Datum
floe_sql_refuse(PG_FUNCTION_ARGS)
{
	const char *message = PG_ARGISNULL(0) ? "refused" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *detail = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *hint = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	const char *code = PG_ARGISNULL(3) ? "22023" : text_to_cstring(PG_GETARG_TEXT_PP(3));

	if (strlen(code) != 5)
		elog(ERROR, "\"%s\" is not an SQLSTATE", code);
	ereport(ERROR, (errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])), errmsg_internal("%s", message),
					detail != NULL ? errdetail_internal("%s", detail) : 0, hint != NULL ? errhint("%s", hint) : 0));
	PG_RETURN_VOID();
}
