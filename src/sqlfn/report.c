/*
 * report.c: the one place that turns a FloeStatus into ereport().
 */
#include "floe.h"

#include "sqlfn/report.h"

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
