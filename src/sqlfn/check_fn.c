/*
 * check_fn.c: floe.check_catalog() and floe.check_engine(): one connection, now, from the caller's session.
 *
 * The only functions that use the network from a user's query, because that
 * is what they are called for.  They try once, do not wait long, and never
 * raise an error for what the other side does: the answer says it.
 */
#include "floe.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "catalog/ops.h"
#include "compat.h"
#include "engine/ops.h"
#include "guc.h"
#include "pass/pass.h"
#include "sqlfn/report.h"
#include "state/db.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#define CHECK_TIMEOUT_MS 15000
#define ENGINE_ARENA_BYTES ((size_t) 4 * 1024 * 1024)

PG_FUNCTION_INFO_V1(floe_sql_check_catalog);
PG_FUNCTION_INFO_V1(floe_sql_check_engine);

typedef struct Check
{
	bool done;
	FloeStatus st;
	FloeBuf facts; /* members of the detail object, each with a leading comma */
	FloeCatalog *catalog;
} Check;

static void
release_buf(void *buf)
{
	floe_buf_free(buf);
}

static void
release_arena(void *arena)
{
	floe_arena_free(arena);
}

static FloeHttp *
create_http(void)
{
	FloeHttpOptions options;

	floe_http_default_options(&options);
	options.connect_timeout_ms = Min(floe_connect_timeout_ms, CHECK_TIMEOUT_MS);
	options.total_timeout_ms = Min(floe_request_timeout_ms, CHECK_TIMEOUT_MS);
	options.max_attempts = 1;
	options.allowed_hosts = floe_allowed_hosts;
	return floe_http_create(&options);
}

static Check *
new_check(void)
{
	Check *check = palloc0(sizeof(Check));

	floe_buf_init(&check->facts, 65536);
	floe_cleanup_hold(floe_cleanup_register(release_buf), &check->facts);
	floe_status_ok(&check->st);
	return check;
}

/* Results are wanted where the caller is, not in SPI's memory. */
static void
begin_query(void)
{
	MemoryContext context = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	MemoryContextSwitchTo(context);
}

static void
end_query(void)
{
	MemoryContext context = CurrentMemoryContext;

	SPI_finish();
	MemoryContextSwitchTo(context);
}

/* For catalogs that are tables of this database. */
static const FloeDbOps query_ops = {begin_query, end_query};

static void
require_usage(const FloeConn *conn)
{
	AclResult result = floe_server_usage(conn->server_oid, GetUserId());

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FOREIGN_SERVER, conn->server_name);
}

/* success, message, latency_ms, detail */
static Datum
answer(FunctionCallInfo fcinfo, Check *check, const char *success, int64 started_us)
{
	TupleDesc desc;
	Datum values[4];
	bool nulls[4] = {0};
	bool ok = check->st.code == FLOE_OK;
	const char *hint = floe_code_hint(check->st.code);
	FloeBuf *detail = palloc(sizeof(FloeBuf));

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "a check must return a row");
	floe_buf_init(detail, 65536);
	floe_cleanup_hold(floe_cleanup_register(release_buf), detail);
	if (ok)
		floe_buf_text(detail, "{\"phase\": null");
	else
	{
		floe_buf_printf(detail, "{\"phase\": \"%s\", \"code\": \"%s\"",
						floe_phase_name(floe_code_phase(check->st.code)), floe_code_name(check->st.code));
		if (check->st.http_status != 0)
			floe_buf_printf(detail, ", \"http_status\": %d", check->st.http_status);
		if (check->st.detail[0] != '\0')
		{
			floe_buf_text(detail, ", \"detail\": ");
			floe_json_quote(detail, check->st.detail, strlen(check->st.detail));
		}
		if (hint != NULL)
		{
			floe_buf_text(detail, ", \"hint\": ");
			floe_json_quote(detail, hint, strlen(hint));
		}
	}
	if (check->facts.len > 0)
		floe_buf_append(detail, check->facts.data, check->facts.len);
	floe_buf_char(detail, '}');
	values[0] = BoolGetDatum(ok);
	values[1] = CStringGetTextDatum(ok ? success : check->st.message);
	values[2] = Int32GetDatum((int32) ((floe_clock_steady_us() - started_us) / 1000));
	values[3] = DirectFunctionCall1(jsonb_in, CStringGetDatum(detail->data));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* ---- catalogs ---- */

static void
on_probed(void *arg, const FloeStatus *st)
{
	Check *check = arg;

	check->st = *st;
	check->done = true;
}

static void
on_connected(void *arg, const FloeStatus *st)
{
	Check *check = arg;

	if (st->code != FLOE_OK)
	{
		on_probed(arg, st);
		return;
	}
	floe_buf_text(&check->facts, ", \"catalog\": ");
	check->catalog->ops->describe(check->catalog, &check->facts);
	check->catalog->ops->probe(check->catalog, on_probed, check);
}

static void
wait_until_done(Check *check, FloeHttp *http, int64 started_us)
{
	while (!check->done)
	{
		int64 left_ms = CHECK_TIMEOUT_MS * 2 - (floe_clock_steady_us() - started_us) / 1000;

		if (left_ms <= 0)
		{
			floe_fail(&check->st, FLOE_ERR_TIMEOUT, "no answer within %d seconds", CHECK_TIMEOUT_MS * 2 / 1000);
			break;
		}
		floe_http_wait(http, (int) Min(left_ms, 1000));
	}
	floe_http_destroy(http);
}

Datum
floe_sql_check_catalog(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64 started_us = floe_clock_steady_us();
	Check *check = new_check();
	const FloeConn *conn = floe_conn_resolve(FLOE_WRAPPER_CATALOG, name, &check->st);
	const FloeCatalogOps *ops;
	FloeHttp *http;

	if (conn == NULL)
		return answer(fcinfo, check, "", started_us);
	require_usage(conn);
	ops = floe_catalog_lookup(conn->server_type);
	if (ops == NULL)
	{
		floe_fail(&check->st, FLOE_ERR_CONFIG, "server \"%s\" has TYPE \"%s\", which is not a catalog floe speaks",
				  name, conn->server_type);
		return answer(fcinfo, check, "", started_us);
	}
	floe_db_use(&query_ops);
	floe_pass_use_local_query();
	http = create_http();
	check->catalog = ops->open(http, conn, &check->st);
	if (check->catalog == NULL)
		return answer(fcinfo, check, "", started_us);
	check->catalog->ops->connect(check->catalog, on_connected, check);
	wait_until_done(check, http, started_us);
	return answer(fcinfo, check, psprintf("catalog \"%s\" answers", name), started_us);
}

/* ---- engines ---- */

typedef struct EngineCheck
{
	Check *check;
	FloeHttp *http;
	const FloeEngineOps *ops;
	FloeEngineRun run;
	FloeEngineTarget target;
} EngineCheck;

static void engine_step(EngineCheck *e, FloeHttpResponse *response);

static void
on_engine_response(void *arg, FloeHttpResponse *response)
{
	engine_step(arg, response);
}

static void
engine_done(EngineCheck *e)
{
	Check *check = e->check;

	check->done = true;
	if (e->run.outcome == FLOE_OUTCOME_SUCCEEDED)
	{
		if (e->run.result.len > 0)
		{
			floe_buf_text(&check->facts, ", \"engine\": ");
			floe_buf_append(&check->facts, e->run.result.data, e->run.result.len);
		}
		return;
	}
	if (e->run.last_failure.code != FLOE_OK)
		check->st = e->run.last_failure;
	else
		floe_fail(&check->st, FLOE_ERR_ENGINE, "%s", e->run.error);
}

static void
engine_step(EngineCheck *e, FloeHttpResponse *response)
{
	FloeHttpResponse refused; /* read in the round after the one that fills it */

	for (;;)
	{
		FloeEngineVerb verb = e->ops->next(&e->run, response);
		FloeStatus st;

		response = NULL;
		if (e->run.unreachable)
		{
			/* one try is what was asked for */
			e->check->st = e->run.last_failure;
			e->check->done = true;
			return;
		}
		switch (verb)
		{
			case FLOE_ENGINE_SEND:
				if (floe_http_submit(e->http, &e->run.request, on_engine_response, e, NULL, &st))
					return;
				memset(&refused, 0, sizeof(refused));
				refused.status = st;
				response = &refused;
				break;
			case FLOE_ENGINE_SAVE:
			case FLOE_ENGINE_WAIT:
				break;
			case FLOE_ENGINE_DONE:
				engine_done(e);
				return;
		}
	}
}

Datum
floe_sql_check_engine(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64 started_us = floe_clock_steady_us();
	EngineCheck *e = palloc0(sizeof(EngineCheck));
	const FloeConn *conn;

	e->check = new_check();
	conn = floe_conn_resolve(FLOE_WRAPPER_ENGINE, name, &e->check->st);
	if (conn == NULL)
		return answer(fcinfo, e->check, "", started_us);
	require_usage(conn);
	e->ops = floe_engine_lookup(conn->server_type);
	if (e->ops == NULL)
	{
		floe_fail(&e->check->st, FLOE_ERR_CONFIG, "server \"%s\" has TYPE \"%s\", which is not an engine floe speaks",
				  name, conn->server_type);
		return answer(fcinfo, e->check, "", started_us);
	}
	e->http = create_http();
	e->target.conn = conn;
	e->target.url = floe_conn_option(conn, "url");
	e->target.user = floe_conn_option(conn, "username");
	e->target.password = floe_conn_option(conn, "password");
	e->target.token = floe_conn_option(conn, "token");
	e->target.ca_file = floe_conn_option(conn, "ca_file");
	e->target.request_timeout_ms = CHECK_TIMEOUT_MS;
	e->run.target = &e->target;
	e->run.operation_id = "check";
	e->run.statement = "";
	e->run.arena = floe_cleanup_hold(floe_cleanup_register(release_arena), floe_arena_new(ENGINE_ARENA_BYTES));
	floe_cleanup_hold(floe_cleanup_register(release_buf), &e->run.result);
	if (e->run.arena == NULL || !e->ops->begin_probe(&e->run, &e->check->st))
		return answer(fcinfo, e->check, "", started_us);
	engine_step(e, NULL);
	wait_until_done(e->check, e->http, started_us);
	return answer(fcinfo, e->check, psprintf("engine \"%s\" answers", name), started_us);
}
