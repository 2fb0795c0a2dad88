/*
 * pq.c: libpq's asynchronous side, driven by the loop.
 */
#include "floe.h"

#include "net/pq.h"

#include "base/cleanup.h"
#include "base/url.h"
#include "compat.h"
#include "net/allowlist.h"
#include "net/http_engine.h"
#include "net/pollset.h"

#include "libpq-fe.h"
#include "nodes/pg_list.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_PARAMS 8

typedef struct PqQuery
{
	char *what;
	char *sql;
	char *params[MAX_PARAMS];
	int nparams;
	FloePqDone done;
	void *arg;
} PqQuery;

struct FloePq
{
	FloeHttp *http;
	FloeHttpGuest guest; /* the loop may go before us */
	MemoryContext context;
	FloePqOptions options;
	FloeUrl host; /* for the list of allowed hosts */
	PGconn *conn;
	bool has_fd;     /* counted by fd.c */
	int fd;          /* that is watched; -1: none */
	bool is_looking; /* for the host's address */
	bool is_open;    /* the handshake is over */
	bool flushing;
	List *queue;            /* PqQuery; the first one is under way when is_open */
	bool sent;              /* it is */
	PGresult *result;       /* of it, as far as it has come */
	struct Alarm *deadline; /* of what is waited for; NULL: nothing */
	struct Alarm *start;    /* a query is to be looked at */
	char version[32];
};

/* What a timer leads to; lives as long as the loop, because a timer cannot be taken back. */
typedef struct Alarm
{
	FloePq *pq; /* NULL: it means nothing any more */
} Alarm;

static void advance(FloePq *pq);

/* ---- the connection ---- */

static void
disarm(Alarm **alarm)
{
	if (*alarm != NULL)
		(*alarm)->pq = NULL;
	*alarm = NULL;
}

static void
close_connection(FloePq *pq)
{
	FloeStatus ignored;

	/* the loop may have gone before */
	if (pq->guest.http != NULL)
	{
		disarm(&pq->deadline);
		if (pq->fd >= 0)
			floe_http_watch(pq->http, pq->fd, 0, NULL, NULL, &ignored);
	}
	pq->fd = -1;
	PQclear(pq->result);
	pq->result = NULL;
	PQfinish(pq->conn);
	pq->conn = NULL;
	if (pq->has_fd)
		ReleaseExternalFD();
	pq->has_fd = pq->is_open = pq->sent = pq->flushing = false;
}

/* The context goes. */
static void
release(void *arg)
{
	FloePq *pq = arg;

	close_connection(pq);
	if (pq->guest.http != NULL)
		disarm(&pq->start);
	floe_http_guest_leave(&pq->guest);
}

static void
end_query(FloePq *pq, const FloeStatus *st, const FloePqRows *rows)
{
	PqQuery *query = linitial(pq->queue);

	pq->queue = list_delete_first(pq->queue);
	pq->sent = false;
	disarm(&pq->deadline);
	query->done(query->arg, st, rows);
	pfree(query->what);
	pfree(query->sql);
	for (int i = 0; i < query->nparams; i++)
		pfree(query->params[i]);
	pfree(query);
}

/* What the connection is for now. */
static const char *
task(const FloePq *pq)
{
	return pq->queue != NIL ? ((PqQuery *) linitial(pq->queue))->what : "connect";
}

static void
set_no_connection(const FloePq *pq, FloeCode code, const char *detail, FloeStatus *st)
{
	floe_fail_detail(st, code, detail, "%s: no connection to the database at %s:%d", task(pq), pq->host.host,
					 pq->host.port);
}

/* The first line of what libpq or the server says. */
static void
set_error(const FloePq *pq, const char *message, const char *state, bool connecting, FloeStatus *st)
{
	char detail[FLOE_STATUS_DETAIL_SIZE];
	FloeCode code = floe_pq_code(state, message, connecting);

	floe_copy_text(detail, sizeof(detail), message, strcspn(message, "\n"));
	if (connecting)
		set_no_connection(pq, code, detail, st);
	else
		floe_fail_detail(st, code, detail, "%s: the database answered with an error", task(pq));
}

/* Everything that waits ends; the next query connects anew. */
static void
fail_all(FloePq *pq, const FloeStatus *failure)
{
	List *queue = pq->queue;

	close_connection(pq);
	/* what a callback asks next waits for its own connection */
	pq->queue = NIL;
	while (queue != NIL)
	{
		List *rest = list_delete_first(list_copy(queue));
		List *fresh = pq->queue;

		pq->queue = list_make1(linitial(queue));
		end_query(pq, failure, NULL);
		pq->queue = fresh;
		queue = rest;
	}
}

static void
fail_connection(FloePq *pq)
{
	const char *message = pq->conn != NULL ? PQerrorMessage(pq->conn) : "out of memory";
	char state[6];
	FloeStatus st;

	floe_pq_find_sqlstate(message, state);
	set_error(pq, message, state, !pq->is_open, &st);
	fail_all(pq, &st);
}

/* Whose alarm it is; NULL: nobody's any more. */
static FloePq *
answer_alarm(Alarm *alarm)
{
	FloePq *pq = alarm->pq;

	pfree(alarm);
	return pq;
}

static Alarm *
set_alarm(FloePq *pq, int ms, FloeTimerDone done)
{
	Alarm *alarm = MemoryContextAlloc(floe_http_context(pq->http), sizeof(Alarm));

	alarm->pq = pq;
	floe_http_after(pq->http, ms, done, alarm);
	return alarm;
}

static void
on_deadline(void *arg)
{
	FloePq *pq = answer_alarm(arg);
	FloeStatus st;

	if (pq == NULL)
		return;
	pq->deadline = NULL;
	floe_fail(&st, pq->is_open ? FLOE_ERR_TIMEOUT : FLOE_ERR_CONNECT, "%s: no answer of the database at %s:%d in time",
			  task(pq), pq->host.host, pq->host.port);
	fail_all(pq, &st);
}

static void
set_deadline(FloePq *pq, int ms)
{
	disarm(&pq->deadline);
	pq->deadline = set_alarm(pq, ms, on_deadline);
}

static void
on_ready(void *arg, int events)
{
	advance(arg);
}

/* false: the connection is over. */
static bool
watch(FloePq *pq, int events)
{
	int fd = PQsocket(pq->conn);
	FloeStatus st;

	/* libpq goes from one address to the next with another socket */
	if (pq->fd >= 0 && pq->fd != fd)
		floe_http_watch(pq->http, pq->fd, 0, NULL, NULL, &st);
	pq->fd = fd;
	if (floe_http_watch(pq->http, fd, events, on_ready, pq, &st))
		return true;
	fail_all(pq, &st);
	return false;
}

static void
connect_to(FloePq *pq, const char *address)
{
	const char *keywords[] = {"dbname",          "user",    "password", "fallback_application_name",
							  "client_encoding", "options", "hostaddr", NULL};
	char options[160];
	const char *values[] = {
		pq->options.uri, pq->options.username, pq->options.password, "floe", "UTF8", options, address, NULL};
	FloeStatus st;

	/* a query that is not waited for any more must not go on there, with its locks */
	snprintf(options, sizeof(options),
			 "-c default_transaction_read_only=on -c search_path=pg_catalog,public "
			 "-c statement_timeout=%d",
			 pq->options.query_timeout_ms);
	pq->has_fd = AcquireExternalFD();
	if (!pq->has_fd)
	{
		floe_fail(&st, FLOE_ERR_NOMEM, "too many open files for a connection to the database at %s:%d", pq->host.host,
				  pq->host.port);
		fail_all(pq, &st);
		return;
	}
	pq->conn = PQconnectStartParams(keywords, values, 1);
	if (pq->conn == NULL || PQstatus(pq->conn) == CONNECTION_BAD)
	{
		fail_connection(pq);
		return;
	}
	PQsetErrorVerbosity(pq->conn, PQERRORS_VERBOSE);
	set_deadline(pq, pq->options.connect_timeout_ms);
	watch(pq, FLOE_POLL_WRITE);
}

/* The engine's connection, which has found an address that answers. */
static void
on_address(void *arg, FloeHttpResponse *response)
{
	FloePq *pq = arg;
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	char text[64];
	FloeStatus st = response->status;

	pq->is_looking = false;
	--*pq->options.under_way;
	if (response->has_socket && getpeername(response->socket, (struct sockaddr *) &address, &size) == 0 &&
		getnameinfo((struct sockaddr *) &address, size, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
	{
		connect_to(pq, text);
		return;
	}
	if (st.code == FLOE_OK)
		floe_fail(&st, FLOE_ERR_CONNECT, "the connection is gone");
	set_no_connection(pq, st.code, pstrdup(st.message), &st);
	fail_all(pq, &st);
}

static void
look_up(FloePq *pq)
{
	char *url = psprintf("http://%s:%d", pq->host.host, pq->host.port);
	FloeHttpRequest request = {
		.url = url, .connect_only = true, .max_attempts = 1, .connect_timeout_ms = pq->options.connect_timeout_ms};
	FloeStatus st;

	if (floe_http_submit(pq->http, &request, on_address, pq, NULL, &st))
	{
		pq->is_looking = true;
		++*pq->options.under_way;
	}
	else
		fail_all(pq, &st);
	pfree(url);
}

static void
start_connecting(FloePq *pq)
{
	FloeStatus st;

	if (!floe_allowlist_check_url(pq->http->allowed, &pq->host, &st))
		fail_all(pq, &st);
	else if (pq->host.is_literal)
		connect_to(pq, pq->host.host);
	else
		look_up(pq);
}

/* Nothing was sent yet: the address that the name led to is one that may be talked to. */
static bool
check_address(FloePq *pq)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	FloeStatus st;

	if (getpeername(PQsocket(pq->conn), (struct sockaddr *) &address, &size) != 0)
		return true; /* not connected yet */
	if (floe_allowlist_check_address(pq->http->allowed, (struct sockaddr *) &address, &pq->host, &st))
		return true;
	fail_all(pq, &st);
	return false;
}

static void
connected(FloePq *pq)
{
	FloeStatus st;

	if (pq->options.need_password && !PQconnectionUsedPassword(pq->conn))
	{
		floe_fail_detail(&st, FLOE_ERR_DENIED,
						 "The owner of the server is not a superuser, and the database let floe in without a password.",
						 "the database at %s:%d must ask for a password", pq->host.host, pq->host.port);
		fail_all(pq, &st);
		return;
	}
	PQsetErrorVerbosity(pq->conn, PQERRORS_DEFAULT);
	PQsetnonblocking(pq->conn, 1);
	strlcpy(pq->version,
			PQparameterStatus(pq->conn, "server_version") != NULL ? PQparameterStatus(pq->conn, "server_version") : "",
			sizeof(pq->version));
	pq->is_open = true;
	disarm(&pq->deadline);
	advance(pq);
}

static void
go_on_connecting(FloePq *pq)
{
	if (!check_address(pq))
		return;
	switch (PQconnectPoll(pq->conn))
	{
		case PGRES_POLLING_READING:
			watch(pq, FLOE_POLL_READ);
			break;
		case PGRES_POLLING_WRITING:
			watch(pq, FLOE_POLL_WRITE);
			break;
		case PGRES_POLLING_OK:
			connected(pq);
			break;
		default:
			fail_connection(pq);
	}
}

/* ---- queries ---- */

static const char *
get_value(const void *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static void
deliver(FloePq *pq)
{
	PGresult *result = pq->result;
	FloePqRows rows = {result, result != NULL ? PQntuples(result) : 0, get_value};
	ExecStatusType status = result != NULL ? PQresultStatus(result) : PGRES_FATAL_ERROR;
	const char *state;
	FloeStatus st;

	pq->result = NULL;
	floe_status_ok(&st);
	if (status != PGRES_TUPLES_OK)
	{
		state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
		set_error(pq, result != NULL ? PQresultErrorMessage(result) : "no answer", state != NULL ? state : "", false,
				  &st);
	}
	end_query(pq, &st, st.code == FLOE_OK ? &rows : NULL);
	PQclear(result);
}

/* Adds the row that has come to those before it; false: out of memory. */
static bool
keep_row(FloePq *pq, const PGresult *row)
{
	int n;

	if (pq->result == NULL)
		pq->result = PQcopyResult(row, PG_COPYRES_ATTRS);
	if (pq->result == NULL)
		return false;
	n = PQntuples(pq->result);
	for (int i = 0; i < PQnfields(row); i++)
	{
		if (!PQsetvalue(pq->result, n, i, PQgetvalue(row, 0, i), PQgetisnull(row, 0, i) ? -1 : PQgetlength(row, 0, i)))
			return false;
	}
	return true;
}

/* Rows come one by one, so that a database that sends without end fills no memory; false: the connection is over. */
static bool
take_result(FloePq *pq, PGresult *result)
{
	FloeStatus st;
	bool kept;

	if (PQresultStatus(result) != PGRES_SINGLE_TUPLE)
	{
		/* after the last row, or instead of the first, or an error */
		if (pq->result != NULL && PQresultStatus(result) == PGRES_TUPLES_OK)
			PQclear(result);
		else
		{
			PQclear(pq->result);
			pq->result = result;
		}
		return true;
	}
	kept = keep_row(pq, result);
	PQclear(result);
	if (kept && PQresultMemorySize(pq->result) <= pq->options.max_bytes)
		return true;
	floe_fail(&st, FLOE_ERR_TOO_LARGE, "%s: the answer of the database is larger than %zu bytes", task(pq),
			  pq->options.max_bytes);
	fail_all(pq, &st);
	return false;
}

static void
send_next(FloePq *pq)
{
	PqQuery *query = linitial(pq->queue);

	if (!PQsendQueryParams(pq->conn, query->sql, query->nparams, NULL, (const char *const *) query->params, NULL, NULL,
						   0))
	{
		fail_connection(pq);
		return;
	}
	PQsetSingleRowMode(pq->conn);
	pq->sent = pq->flushing = true;
	set_deadline(pq, pq->options.query_timeout_ms);
}

/* As far as it goes without waiting. */
static void
advance(FloePq *pq)
{
	if (pq->conn == NULL)
		return;
	if (!pq->is_open)
	{
		go_on_connecting(pq);
		return;
	}
	while (pq->conn != NULL)
	{
		int left;

		if (!pq->sent && pq->queue != NIL)
			send_next(pq);
		if (pq->conn == NULL)
			return;
		left = pq->flushing ? PQflush(pq->conn) : 0;
		if (left < 0 || !PQconsumeInput(pq->conn))
		{
			fail_connection(pq);
			return;
		}
		pq->flushing = left > 0;
		if (!pq->sent || PQisBusy(pq->conn))
		{
			watch(pq, FLOE_POLL_READ | (pq->flushing ? FLOE_POLL_WRITE : 0));
			return;
		}
		for (PGresult *result; !PQisBusy(pq->conn) && (result = PQgetResult(pq->conn)) != NULL;)
		{
			if (!take_result(pq, result))
				return;
			if (PQisBusy(pq->conn))
			{
				watch(pq, FLOE_POLL_READ);
				return;
			}
		}
		deliver(pq);
	}
}

static void
begin(void *arg)
{
	FloePq *pq = answer_alarm(arg);

	if (pq == NULL)
		return;
	pq->start = NULL;
	if (pq->queue == NIL || pq->is_looking)
		return;
	if (pq->conn == NULL)
		start_connecting(pq);
	else if (pq->is_open && !pq->sent)
		advance(pq);
}

void
floe_pq_query(FloePq *pq, const char *what, const char *sql, const char *const *params, int nparams, FloePqDone done,
			  void *arg)
{
	MemoryContext old = MemoryContextSwitchTo(pq->context);
	PqQuery *query = palloc0(sizeof(PqQuery));

	Assert(nparams <= MAX_PARAMS);
	query->what = pstrdup(what);
	query->sql = pstrdup(sql);
	for (int i = 0; i < nparams; i++)
		query->params[i] = pstrdup(params[i]);
	query->nparams = nparams;
	query->done = done;
	query->arg = arg;
	pq->queue = lappend(pq->queue, query);
	MemoryContextSwitchTo(old);
	if (pq->start == NULL)
		pq->start = set_alarm(pq, 0, begin);
}

FloePq *
floe_pq_open(FloeHttp *http, const FloePqOptions *options)
{
	FloePq *pq = palloc0(sizeof(FloePq));
	FloeStatus st;

	pq->http = http;
	pq->context = CurrentMemoryContext;
	pq->options = *options;
	pq->options.uri = pstrdup(options->uri);
	pq->options.username = options->username != NULL ? pstrdup(options->username) : NULL;
	pq->options.password = options->password != NULL ? pstrdup(options->password) : NULL;
	pq->fd = -1;
	/* floe_pq_check_uri() took it */
	if (!floe_pq_parse_uri(options->uri, &pq->host, &st))
		elog(ERROR, "%s", st.message);
	floe_cleanup_hold(floe_cleanup_register(release), pq);
	floe_http_guest_join(http, &pq->guest);
	return pq;
}

const char *
floe_pq_server_version(const FloePq *pq)
{
	return pq->version;
}
