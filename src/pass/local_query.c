/*
 * local_query.c: catalogs that are tables of this very database (catalog/database.h).
 *
 * Adapters know nothing of the server they run in; this is what connects
 * them with it.
 */
#include "floe.h"

#include "guc.h"
#include "pass/pass.h"

#define MAX_ROWS 1000000 /* beyond what any adapter asks for */

static const char *
get_value(const void *result, int row, int column)
{
	const FloeTextRows *rows = result;

	return rows->values[row * rows->columns + column];
}

static FloeCode
code_of(const char *sqlstate, FloeCode code)
{
	if (strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "3F000") == 0)
		return FLOE_ERR_NOT_FOUND;
	if (strcmp(sqlstate, "42501") == 0)
		return FLOE_ERR_FORBIDDEN;
	if (strcmp(sqlstate, "57014") == 0)
		return FLOE_ERR_TIMEOUT;
	return code == FLOE_ERR_DATABASE ? FLOE_ERR_SERVER : code;
}

/* Parameters come as text, and the statement casts them. */
static bool
query(const FloeConn *conn, const char *what, const char *sql, const char *const *params, int nparams, FloePqRows *rows,
	  FloeStatus *st)
{
	FloeForeignQuery foreign = {
		.role = conn->owner,
		.sql = sql,
		.params = params,
		.nparams = nparams,
		.max_rows = MAX_ROWS,
		.timeout_ms = floe_request_timeout_ms,
	};
	FloeTextRows *result = palloc0(sizeof(FloeTextRows));
	char sqlstate[6] = "";
	bool ok;

	floe_db_begin();
	ok = floe_db_query_as(&foreign, result, sqlstate, st);
	floe_db_end();
	if (!ok)
	{
		char message[FLOE_STATUS_MESSAGE_SIZE];

		strlcpy(message, st->message, sizeof(message));
		return floe_fail_detail(st, code_of(sqlstate, st->code), message, "%s: the database answered with an error",
								what);
	}
	*rows = (FloePqRows){result, result->count, get_value};
	return true;
}

void
floe_pass_use_local_query(void)
{
	floe_catalog_local_query = query;
}
