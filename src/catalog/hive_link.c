/*
 * hive_link.c: the transports of a Hive Metastore.
 */
#include "floe.h"

#include "catalog/hive_link.h"

#include "base/cleanup.h"
#include "base/thrift_scan.h"
#include "base/url.h"
#include "guc.h"
#include "net/pollset.h"

#include "storage/fd.h"
#include "utils/memutils.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_MESSAGE ((size_t) 256 * 1024 * 1024)
#define MAX_SERVERS 8
#define PIECE 65536

typedef struct HiveCall
{
	char *method;
	char *arguments;
	size_t arguments_len;
	FloeHiveReply reply;
	void *arg;
} HiveCall;

/* What a timer leads to; lives as long as the loop, because a timer cannot be taken back. */
typedef struct Alarm
{
	FloeHiveLink *link; /* NULL: it means nothing any more */
} Alarm;

struct FloeHiveLink
{
	FloeHttpGuest guest; /* the loop may go before us */
	FloeHttp *http;
	MemoryContext context;
	const FloeConn *conn;
	bool framed;
	FloeSession *session;       /* of HTTP; NULL: a socket */
	char *servers[MAX_SERVERS]; /* "http://host:port" of each, for connecting */
	int nservers;
	int server;         /* the one that is tried, or connected to */
	int refused;        /* how many in a row could not be connected to */
	int fd;             /* -1: not connected */
	bool has_fd;        /* counted by fd.c */
	uint32 connections; /* so far */
	bool connecting;
	int *under_way; /* FloeCatalog.under_way */
	bool answered;  /* this connection has brought an answer: it does speak Thrift */
	List *queue;    /* HiveCall; the first one is under way when sent is set */
	bool sent;
	int32 sequence;
	FloeBuf out;
	size_t written;
	FloeBuf in;
	FloeThriftScan scan;
	Alarm *deadline;
};

static void advance(FloeHiveLink *link);
static void start(FloeHiveLink *link);

/* ---- servers ---- */

/* thrift://host[:port], one of a list */
static bool
add_server(FloeHiveLink *link, const char *text, size_t len, FloeStatus *st)
{
	static const char scheme[] = "thrift://";
	char *server;
	FloeUrl url;

	while (len > 0 && *text == ' ')
		text++, len--;
	if (len <= strlen(scheme) || strncmp(text, scheme, strlen(scheme)) != 0)
		return floe_fail(st, FLOE_ERR_CONFIG,
						 "the URI of a Hive Metastore is thrift://host:port, or http://host:port/path");
	if (link->nservers == MAX_SERVERS)
		return floe_fail(st, FLOE_ERR_CONFIG, "more than %d metastores in one URI", MAX_SERVERS);
	server = psprintf("http://%.*s", (int) (len - strlen(scheme)), text + strlen(scheme));
	if (!floe_url_parse(server, &url, st))
		return false;
	if (url.port == 80 && strstr(server + strlen("http://"), ":80") == NULL)
		server =
			psprintf("http://%.*s:9083", (int) strcspn(server + strlen("http://"), "/"), server + strlen("http://"));
	link->servers[link->nservers++] = server;
	return true;
}

static bool
parse_servers(FloeHiveLink *link, const char *uri, FloeStatus *st)
{
	for (const char *at = uri; at != NULL;)
	{
		size_t len = strcspn(at, ",");

		if (!add_server(link, at, len, st))
			return false;
		at = at[len] == ',' ? at + len + 1 : NULL;
	}
	return true;
}

/* ---- the connection ---- */

static void
disarm(FloeHiveLink *link)
{
	if (link->deadline != NULL)
		link->deadline->link = NULL;
	link->deadline = NULL;
}

static void
close_socket(FloeHiveLink *link)
{
	FloeStatus ignored;

	if (link->fd >= 0)
	{
		if (link->guest.http != NULL)
			floe_http_watch(link->http, link->fd, 0, NULL, NULL, &ignored);
		close(link->fd);
	}
	if (link->has_fd)
		ReleaseExternalFD();
	link->fd = -1;
	link->has_fd = link->sent = link->answered = false;
}

/* The context goes; the loop may have gone before. */
static void
release(void *arg)
{
	FloeHiveLink *link = arg;

	if (link->guest.http != NULL)
		disarm(link);
	close_socket(link);
	floe_http_guest_leave(&link->guest);
	floe_buf_free(&link->out);
	floe_buf_free(&link->in);
}

static void
finish(HiveCall *call, const FloeStatus *st, FloeCursor *c)
{
	call->reply(call->arg, st, c);
	pfree(call->method);
	pfree(call->arguments);
	pfree(call);
}

static void
end_call(FloeHiveLink *link, const FloeStatus *st, FloeCursor *c)
{
	HiveCall *call = linitial(link->queue);

	link->queue = list_delete_first(link->queue);
	link->sent = false;
	disarm(link);
	finish(call, st, c);
}

/* Everything that waits ends; what is asked from now on connects anew. */
static void
fail_all(FloeHiveLink *link, const FloeStatus *failure)
{
	List *calls = link->queue;
	ListCell *cell;

	close_socket(link);
	disarm(link);
	link->queue = NIL;
	foreach (cell, calls)
		finish(lfirst(cell), failure, NULL);
	list_free(calls);
}

static const char *
server_name(const FloeHiveLink *link)
{
	return link->session != NULL ? link->session->base_url : link->servers[link->server] + strlen("http://");
}

static void
on_deadline(void *arg)
{
	Alarm *alarm = arg;
	FloeHiveLink *link = alarm->link;
	FloeStatus st;

	pfree(alarm);
	if (link == NULL)
		return;
	link->deadline = NULL;
	floe_fail(&st, FLOE_ERR_TIMEOUT, "%s: no answer of the metastore at %s in time",
			  ((HiveCall *) linitial(link->queue))->method, server_name(link));
	fail_all(link, &st);
}

static void
set_deadline(FloeHiveLink *link)
{
	disarm(link);
	link->deadline = MemoryContextAlloc(floe_http_context(link->http), sizeof(Alarm));
	link->deadline->link = link;
	floe_http_after(link->http, floe_request_timeout_ms, on_deadline, link->deadline);
}

static void
on_connected(void *arg, FloeHttpResponse *response)
{
	FloeHiveLink *link = arg;

	link->connecting = false;
	--*link->under_way;
	if (response->has_socket)
	{
		link->fd = response->socket;
		response->has_socket = false;
		link->refused = 0;
		link->connections++;
		fcntl(link->fd, F_SETFL, fcntl(link->fd, F_GETFL) | O_NONBLOCK);
		advance(link);
		return;
	}
	/* the next of them; each once */
	if (++link->refused < link->nservers)
	{
		link->server = (link->server + 1) % link->nservers;
		start(link);
		return;
	}
	link->refused = 0;
	floe_status_prefix(&response->status, "connect to the metastore");
	fail_all(link, &response->status);
}

static void
connect_socket(FloeHiveLink *link)
{
	FloeHttpRequest request = {.url = link->servers[link->server], .connect_only = true, .max_attempts = 1};
	FloeStatus st;

	link->has_fd = link->has_fd || AcquireExternalFD();
	if (!link->has_fd)
		floe_fail(&st, FLOE_ERR_NOMEM, "too many open files for a connection to the metastore at %s",
				  server_name(link));
	else if (floe_http_submit(link->http, &request, on_connected, link, NULL, &st))
	{
		link->connecting = true;
		++*link->under_way;
		return;
	}
	fail_all(link, &st);
}

/* ---- messages ---- */

/* What is no Thrift, or ends before it began, is what SASL looks like from here. */
static void
fail_link(FloeHiveLink *link, FloeCode code, const char *what)
{
	FloeStatus st;

	floe_fail_detail(
		&st, code,
		link->answered ? ""
					   : "A metastore with hive.metastore.sasl.enabled (Kerberos) or use.SSL does that; floe "
						 "speaks neither to it.",
		"%s: the metastore at %s %s", ((HiveCall *) linitial(link->queue))->method, server_name(link), what);
	fail_all(link, &st);
}

static void
on_ready(void *arg, int events)
{
	advance(arg);
}

static void
build_message(FloeHiveLink *link, FloeBuf *out)
{
	const HiveCall *call = linitial(link->queue);
	size_t frame = link->framed ? floe_thrift_frame_begin(out) : 0;

	floe_thrift_write_message(out, call->method, FLOE_THRIFT_CALL, ++link->sequence);
	floe_buf_append(out, call->arguments, call->arguments_len);
	floe_thrift_write_stop(out);
	if (link->framed)
		floe_thrift_frame_end(out, frame);
}

static void
deliver(FloeHiveLink *link, const void *data, size_t len)
{
	HiveCall *call = linitial(link->queue);
	FloeCursor c;
	FloeStatus st;

	floe_cursor_init(&c, data, len);
	floe_status_ok(&st);
	if (floe_thrift_open_reply(&c, data, len, call->method, link->sequence, &st))
		end_call(link, &st, &c);
	else
		end_call(link, &st, NULL);
}

/* true: a whole message is there, from *from on. */
static bool
is_whole(FloeHiveLink *link, size_t fresh, size_t *from, size_t *len, bool *bad)
{
	size_t used = 0;
	uint32 frame;
	FloeStatus ignored;

	if (link->framed)
	{
		*bad = link->in.len >= 4 &&
			   !floe_thrift_frame_length((const uint8_t *) link->in.data, MAX_MESSAGE, &frame, &ignored);
		*from = 4;
		*len = !*bad && link->in.len >= 4 ? frame : 0;
		return !*bad && link->in.len >= 4 && link->in.len - 4 >= frame;
	}
	*from = 0;
	switch (floe_thrift_scan(&link->scan, link->in.data + link->in.len - fresh, fresh, &used))
	{
		case FLOE_THRIFT_SCAN_END:
			*len = link->in.len - fresh + used;
			return true;
		case FLOE_THRIFT_SCAN_BAD:
			*bad = true;
			break;
		case FLOE_THRIFT_SCAN_MORE:
			break;
	}
	return false;
}

static bool
write_some(FloeHiveLink *link)
{
	while (link->written < link->out.len)
	{
		ssize_t n = send(link->fd, link->out.data + link->written, link->out.len - link->written, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		link->written += (size_t) n;
	}
	return true;
}

/* 1: a message was delivered; 0: nothing more is there yet; -1: the connection is over, and whoever waited knows. */
static int
read_some(FloeHiveLink *link)
{
	char piece[PIECE];
	size_t from;
	size_t len;
	bool bad = false;
	ssize_t n = recv(link->fd, piece, sizeof(piece), 0);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (n <= 0)
	{
		fail_link(link, FLOE_ERR_NETWORK, "closed the connection");
		return -1;
	}
	if (!floe_buf_append(&link->in, piece, (size_t) n))
	{
		fail_link(link, FLOE_ERR_TOO_LARGE, "sends more than floe takes");
		return -1;
	}
	if (is_whole(link, (size_t) n, &from, &len, &bad))
	{
		FloeBuf message = link->in;

		link->answered = true;
		floe_buf_init(&link->in, MAX_MESSAGE);
		deliver(link, message.data + from, len);
		floe_buf_free(&message);
		return 1;
	}
	if (bad)
	{
		fail_link(link, FLOE_ERR_PROTOCOL, "answers with what is no Thrift message");
		return -1;
	}
	return 2;
}

/* As far as it goes without waiting. */
static void
advance(FloeHiveLink *link)
{
	FloeStatus st;
	int got;

	while (link->fd >= 0)
	{
		if (!link->sent && link->queue == NIL)
		{
			/* nobody waits: a connection that the server closes is noticed by the next call */
			floe_http_watch(link->http, link->fd, 0, NULL, NULL, &st);
			return;
		}
		if (!link->sent)
		{
			floe_buf_reset(&link->out);
			floe_buf_reset(&link->in);
			memset(&link->scan, 0, sizeof(link->scan));
			link->written = 0;
			build_message(link, &link->out);
			link->sent = true;
			set_deadline(link);
		}
		if (!write_some(link))
		{
			fail_link(link, FLOE_ERR_NETWORK, "closed the connection");
			return;
		}
		got = read_some(link);
		if (got != 0)
			continue;
		if (!floe_http_watch(link->http, link->fd,
							 FLOE_POLL_READ | (link->written < link->out.len ? FLOE_POLL_WRITE : 0), on_ready, link,
							 &st))
			fail_all(link, &st);
		return;
	}
}

static void
on_http_answer(void *arg, const FloeStatus *st, FloeHttpResponse *response)
{
	FloeHiveLink *link = arg;

	if (st->code == FLOE_OK)
		deliver(link, response->body.data, response->body.len);
	else
		end_call(link, st, NULL);
	if (link->queue != NIL && !link->sent)
		start(link);
}

static void
post(FloeHiveLink *link)
{
	const HiveCall *call = linitial(link->queue);
	FloeSessionRequest request = {
		.what = call->method,
		.method = "POST",
		.path = "",
		.content_type = "application/x-thrift",
		.is_repeatable = true,
		.max_body = MAX_MESSAGE,
	};

	floe_buf_reset(&link->out);
	build_message(link, &link->out);
	request.body = link->out.data;
	request.body_len = link->out.len;
	link->sent = true;
	floe_session_send(link->session, &request, on_http_answer, link);
}

static void
start(FloeHiveLink *link)
{
	if (link->session != NULL)
		post(link);
	else if (link->fd >= 0)
		advance(link);
	else if (!link->connecting)
		connect_socket(link);
}

static void
begin(void *arg)
{
	Alarm *alarm = arg;
	FloeHiveLink *link = alarm->link;

	pfree(alarm);
	if (link == NULL)
		return;
	link->deadline = NULL;
	if (link->queue != NIL && !link->sent)
		start(link);
}

void
floe_hive_call(FloeHiveLink *link, const char *method, const FloeBuf *arguments, FloeHiveReply reply, void *arg)
{
	MemoryContext old = MemoryContextSwitchTo(link->context);
	HiveCall *call = palloc0(sizeof(HiveCall));

	call->method = pstrdup(method);
	call->arguments = palloc(Max(arguments->len, 1));
	memcpy(call->arguments, arguments->data != NULL ? arguments->data : "", arguments->len);
	call->arguments_len = arguments->len;
	call->reply = reply;
	call->arg = arg;
	link->queue = lappend(link->queue, call);
	MemoryContextSwitchTo(old);
	/* the first of a turn; later ones follow by themselves */
	if (!link->sent && !link->connecting && link->deadline == NULL)
	{
		link->deadline = MemoryContextAlloc(floe_http_context(link->http), sizeof(Alarm));
		link->deadline->link = link;
		floe_http_after(link->http, 0, begin, link->deadline);
	}
}

FloeHiveLink *
floe_hive_link_open(FloeHttp *http, const FloeConn *conn, int *under_way, FloeStatus *st)
{
	FloeHiveLink *link = palloc0(sizeof(FloeHiveLink));
	const char *uri = floe_conn_option(conn, "uri");
	const char *transport = floe_conn_option(conn, "thrift_transport");

	link->http = http;
	link->context = CurrentMemoryContext;
	link->conn = conn;
	link->under_way = under_way;
	link->fd = -1;
	link->framed = transport != NULL && strcmp(transport, "framed") == 0;
	if (uri == NULL)
	{
		floe_fail(st, FLOE_ERR_CONFIG, "server \"%s\" has no option \"uri\"", conn->server_name);
		return NULL;
	}
	if (strncmp(uri, "http", 4) == 0)
	{
		link->session = palloc0(sizeof(FloeSession));
		link->framed = false;
		if (!floe_session_init(link->session, http, conn, uri, NULL, under_way, st))
			return NULL;
	}
	else if (!parse_servers(link, uri, st))
		return NULL;
	floe_buf_init(&link->out, MAX_MESSAGE);
	floe_buf_init(&link->in, MAX_MESSAGE);
	floe_cleanup_hold(floe_cleanup_register(release), link);
	floe_http_guest_join(http, &link->guest);
	return link;
}

uint32
floe_hive_link_connection(const FloeHiveLink *link)
{
	return link->fd >= 0 ? link->connections : 0;
}

const char *
floe_hive_link_transport(const FloeHiveLink *link)
{
	return link->session != NULL ? "http" : link->framed ? "framed" : "buffered";
}
