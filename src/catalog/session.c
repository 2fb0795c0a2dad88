/*
 * session.c: how a request to a catalog is sent: now, after a token, or once more with another one.
 */
#include "floe.h"

#include "catalog/session.h"

#include "conn/redact.h"

#include "utils/memutils.h"

#define ARENA_BYTES (256 * 1024)

typedef struct Call
{
	FloeSession *session;
	FloeSessionRequest request; /* strings are copies */
	FloeSessionDone done;
	void *arg;
	int token_serial; /* of the token it was sent with */
	bool retried;     /* it was refused for its credentials once */
} Call;

static void send_call(Call *call);

void
floe_session_set_base(FloeSession *session, const char *base_url)
{
	char *url = MemoryContextStrdup(session->context, base_url);
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		url[--len] = '\0';
	session->base_url = url;
}

bool
floe_session_init(FloeSession *session, FloeHttp *http, const FloeConn *conn, const char *base_url,
				  const char *default_token_path, int *under_way, FloeStatus *st)
{
	session->conn = conn;
	session->under_way = under_way;
	session->http = http;
	session->context = CurrentMemoryContext;
	floe_session_set_base(session, base_url);
	return floe_auth_init(session, default_token_path, st);
}

void
floe_session_encode(StringInfo out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
	{
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			strchr("-._~", *p) != NULL)
			appendStringInfoCharMacro(out, *p);
		else
			appendStringInfo(out, "%%%02X", *p);
	}
}

void
floe_session_redact(const FloeSession *session, char *text, size_t size)
{
	FloeRedaction redaction = {0};

	floe_redaction_add_conn(&redaction, session->conn);
	floe_redaction_add(&redaction, session->token);
	if (session->basic != NULL)
		floe_redaction_add(&redaction, session->basic + strlen("Basic "));
	floe_redact(&redaction, text, size);
}

/* ---- one call ---- */

static void
give_up(const char *text)
{
	if (text != NULL)
		pfree(unconstify(char *, text));
}

static Call *
new_call(FloeSession *session, const FloeSessionRequest *request, FloeSessionDone done, void *arg)
{
	MemoryContext old = MemoryContextSwitchTo(session->context);
	Call *call = palloc0(sizeof(Call));

	Assert(request->nheaders <= (int) lengthof(request->headers));
	call->session = session;
	call->request = *request;
	call->request.what = pstrdup(request->what);
	call->request.path = pstrdup(request->path);
	if (request->body != NULL)
	{
		char *body = palloc(request->body_len + 1);

		memcpy(body, request->body, request->body_len);
		body[request->body_len] = '\0';
		call->request.body = body;
	}
	for (int i = 0; i < request->nheaders; i++)
	{
		call->request.headers[i].name = pstrdup(request->headers[i].name);
		call->request.headers[i].value = pstrdup(request->headers[i].value);
	}
	call->done = done;
	call->arg = arg;
	++*session->under_way;
	MemoryContextSwitchTo(old);
	return call;
}

static void
end_call(Call *call, const FloeStatus *st, FloeHttpResponse *response)
{
	call->done(call->arg, st, response);
	--*call->session->under_way;
	give_up(call->request.what);
	give_up(call->request.path);
	give_up(call->request.body);
	for (int i = 0; i < call->request.nheaders; i++)
	{
		give_up(call->request.headers[i].name);
		give_up(call->request.headers[i].value);
	}
	pfree(call);
}

static void
on_response(void *arg, FloeHttpResponse *response)
{
	Call *call = arg;
	FloeStatus st;

	floe_session_status(call->session, call->request.what, response, &st);
	if (st.code == FLOE_ERR_AUTH && !call->retried && floe_auth_renew(call->session, call->token_serial))
	{
		call->retried = true;
		send_call(call);
		return;
	}
	end_call(call, &st, response);
}

bool
floe_session_add_option_headers(const FloeSession *session, FloeHttpRequest *request, FloeStatus *st)
{
	const FloeConn *conn = session->conn;

	for (int i = 0; i < conn->noptions; i++)
	{
		const char *name = conn->options[i].name;

		if (strncmp(name, "header.", 7) == 0 && !floe_http_add_header(request, name + 7, conn->options[i].value, st))
			return false;
	}
	return true;
}

static bool
add_headers(const Call *call, FloeHttpRequest *request, FloeStatus *st)
{
	const char *content_type = call->request.content_type;

	if (!floe_http_add_header(request, "Accept", "application/json", st) ||
		(content_type != NULL && !floe_http_add_header(request, "Content-Type", content_type, st)) ||
		!floe_session_add_option_headers(call->session, request, st))
		return false;
	for (int i = 0; i < call->request.nheaders; i++)
	{
		if (!floe_http_add_header(request, call->request.headers[i].name, call->request.headers[i].value, st))
			return false;
	}
	return true;
}

static void
send_now(Call *call)
{
	FloeSession *session = call->session;
	FloeArena *arena = floe_arena_new(ARENA_BYTES);
	char *url = psprintf("%s%s", session->base_url, call->request.path);
	FloeHttpRequest request = {
		.method = call->request.method,
		.url = url,
		.body = call->request.body,
		.body_len = call->request.body_len,
		.max_body = call->request.max_body,
		.post_is_repeatable = call->request.is_repeatable,
		.accept_gzip = true,
		.ca_file = floe_conn_option(session->conn, "ca_file"),
		.sink = call->request.sink,
		.sink_arg = call->request.sink_arg,
	};
	FloeStatus st;
	bool ok;

	call->token_serial = session->token_serial;
	ok = (arena != NULL || floe_fail(&st, FLOE_ERR_NOMEM, "out of memory")) && add_headers(call, &request, &st) &&
		 floe_auth_apply(session, &request, arena, &st) &&
		 floe_http_submit(session->http, &request, on_response, call, NULL, &st);
	floe_arena_free(arena);
	pfree(url);
	if (!ok)
	{
		floe_status_prefix(&st, "%s", call->request.what);
		end_call(call, &st, NULL);
	}
}

/* Sends, or keeps until a token is there. */
static void
send_call(Call *call)
{
	FloeSession *session = call->session;
	MemoryContext old;

	if (floe_auth_is_ready(session))
	{
		send_now(call);
		return;
	}
	old = MemoryContextSwitchTo(session->context);
	session->waiting = lappend(session->waiting, call);
	MemoryContextSwitchTo(old);
	floe_auth_fetch(session);
}

void
floe_session_send(FloeSession *session, const FloeSessionRequest *request, FloeSessionDone done, void *arg)
{
	send_call(new_call(session, request, done, arg));
}

void
floe_session_release_waiting(FloeSession *session, const FloeStatus *st)
{
	List *calls = session->waiting;
	ListCell *cell;

	session->waiting = NIL;
	foreach (cell, calls)
	{
		Call *call = lfirst(cell);

		if (st->code != FLOE_OK)
			end_call(call, st, NULL);
		else
			send_call(call);
	}
	list_free(calls);
}
