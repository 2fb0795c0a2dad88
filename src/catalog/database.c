/*
 * database.c: asks the PostgreSQL that holds a catalog, by libpq or, where it is this very database, by SPI (FloeLocalQuery).
 */
#include "floe.h"

#include "catalog/database.h"

#include "base/json.h"
#include "guc.h"

#define HERE "postgresql:///"
#define ANSWER_MAX_BYTES ((size_t) 256 * 1024 * 1024)

FloeLocalQuery floe_catalog_local_query = NULL;

bool
floe_database_is_uri(const char *uri)
{
	return strncmp(uri, "postgresql://", 13) == 0 || strncmp(uri, "postgres://", 11) == 0;
}

bool
floe_database_is_here(const FloeConn *conn)
{
	return strcmp(floe_conn_option(conn, "uri"), HERE) == 0;
}

bool
floe_database_open(FloeDatabase *database, FloeHttp *http, const FloeConn *conn, int *under_way, FloeStatus *st)
{
	FloePqOptions options = {
		.uri = floe_conn_option(conn, "uri"),
		.username = floe_conn_option(conn, "username"),
		.password = floe_conn_option(conn, "password"),
		.need_password = !conn->owner_is_superuser,
		.connect_timeout_ms = floe_connect_timeout_ms,
		.query_timeout_ms = floe_request_timeout_ms,
		.max_bytes = ANSWER_MAX_BYTES,
		.under_way = under_way,
	};

	database->conn = conn;
	database->pq = NULL;
	if (options.uri == NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "server \"%s\" has no option \"uri\"", conn->server_name);
	if (floe_database_is_here(conn))
		return floe_catalog_local_query != NULL ||
			   floe_fail(st, FLOE_ERR_INTERNAL, "this process cannot query its own database");
	if (!floe_pq_check_uri(options.uri, st))
		return floe_status_prefix(st, "server \"%s\"", conn->server_name);
	if (options.need_password && options.password == NULL)
		return floe_fail_detail(
			st, FLOE_ERR_CONFIG,
			"Without it the database might believe the operating system's user, who is PostgreSQL.",
			"the user mapping of server \"%s\" needs a password, because its owner is not a superuser",
			conn->server_name);
	database->pq = floe_pq_open(http, &options);
	return true;
}

void
floe_database_query(FloeDatabase *database, const char *what, const char *sql, const char *const *params, int nparams,
					FloePqDone done, void *arg)
{
	FloePqRows rows;
	FloeStatus st;
	bool ok;

	if (database->pq != NULL)
	{
		floe_pq_query(database->pq, what, sql, params, nparams, done, arg);
		return;
	}
	ok = floe_catalog_local_query(database->conn, what, sql, params, nparams, &rows, &st);
	done(arg, &st, ok ? &rows : NULL);
}

const char *
floe_database_text(const FloePqRows *rows, int row, int column)
{
	const char *text = floe_pq_value(rows, row, column);

	return text != NULL ? text : "";
}

void
floe_database_quote(StringInfo out, const char *identifier)
{
	appendStringInfoChar(out, '"');
	for (; *identifier != '\0'; identifier++)
	{
		if (*identifier == '"')
			appendStringInfoChar(out, '"');
		appendStringInfoChar(out, *identifier);
	}
	appendStringInfoChar(out, '"');
}

void
floe_database_add(StringInfo out, const char *text)
{
	appendStringInfoString(out, out->len > 0 ? ",\"" : "{\"");
	for (; *text != '\0'; text++)
	{
		if (*text == '"' || *text == '\\')
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, *text);
	}
	appendStringInfoChar(out, '"');
}

const char *
floe_database_array(StringInfo out)
{
	appendStringInfoString(out, out->len > 0 ? "}" : "{}");
	return out->data;
}

void
floe_database_describe(const FloeDatabase *database, FloeBuf *out)
{
	if (database->pq != NULL)
	{
		floe_buf_text(out, ", \"server_version\": ");
		floe_json_quote(out, floe_pq_server_version(database->pq), strlen(floe_pq_server_version(database->pq)));
	}
	floe_buf_printf(out, ", \"database\": \"%s\"", database->pq != NULL ? "another" : "this");
}
