/*
 * http.h: HTTP as the rest of floe sees it: requests in, responses out, no curl types.
 *
 * Catalog, store and engine adapters only build FloeHttpRequest values and
 * read FloeHttpResponse values; they never do I/O.  One FloeHttp engine in a
 * process moves the bytes of all of them: libcurl's multi interface driven by
 * a PostgreSQL WaitEventSet (http_multi.c), so that the process latch, query
 * cancel and postmaster death are seen while requests hang.
 *
 * Contract of callbacks: FloeHttpDone and FloeTimerDone run from floe_http_wait(),
 * never from inside libcurl.  They may submit further requests and timers, and
 * may throw; the engine is then cleaned up by its memory context.
 */
#ifndef FLOE_NET_HTTP_H
#define FLOE_NET_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

#include "utils/palloc.h"

typedef struct FloeHttp FloeHttp;

typedef struct FloeHttpHeader
{
	const char *name;
	const char *value;
} FloeHttpHeader;

#define FLOE_HTTP_MAX_HEADERS 24

/*
 * Takes the body of a 2xx answer as it arrives (bodies of other answers are
 * collected).  data == NULL: the request (re)starts, forget what came before.
 * Runs inside libcurl's callback: must not throw, call the server or the
 * engine, floe_http_abort() excepted; returns false to stop the transfer,
 * which then ends as FLOE_ERR_CANCELLED, and the owner of arg knows why.
 */
typedef bool (*FloeHttpSink)(void *arg, const char *data, size_t len);

typedef struct FloeHttpRequest
{
	const char *method; /* GET, HEAD, POST, DELETE, PUT; NULL is GET */
	const char *url;    /* absolute, http or https, already percent-encoded */
	FloeHttpHeader headers[FLOE_HTTP_MAX_HEADERS];
	int nheaders;
	const void *body; /* NULL: none */
	size_t body_len;

	/* Limits of one attempt; 0 takes the engine's default. */
	int connect_timeout_ms; /* name resolution, TCP and TLS together */
	int total_timeout_ms;
	size_t max_body; /* bytes after content decoding; beyond it FLOE_ERR_TOO_LARGE */

	/*
	 * How often the request may be sent in all (0: engine's default; 1: no
	 * retry).  A POST is never repeated unless the connection was not
	 * established or the caller says that repeating it does no harm (also
	 * not by libcurl: it gets a connection of its own).  http_policy.h has
	 * the rules.
	 */
	int max_attempts;
	bool post_is_repeatable;

	/*
	 * Only a TCP connection to the URL's host and port, with its rules and
	 * limits, for a protocol that is not HTTP: response->socket has it.
	 */
	bool connect_only;

	/*
	 * HTTP/2, and nothing else: over TLS as negotiated, else with prior
	 * knowledge.  Trailers are part of the answer: header_block holds them
	 * behind the header, so floe_http_header() finds what they replace.
	 */
	bool http2;

	/*
	 * For answers that have no end of their own: what came of a body before the
	 * time was up stays in response->body beside FLOE_ERR_TIMEOUT.
	 */
	bool keep_partial;

	bool no_redirect;    /* answer a 3xx as it is; otherwise only the same origin is followed */
	bool accept_gzip;    /* send Accept-Encoding and decode */
	const char *ca_file; /* PEM file of authorities; NULL: the system's */

	FloeHttpSink sink; /* NULL: the body is collected in response->body */
	void *sink_arg;
} FloeHttpRequest;

typedef struct FloeHttpTiming
{
	/* Of the last attempt.  The first three are 0 when a connection was reused. */
	int dns_ms;
	int connect_ms;    /* TCP alone */
	int tls_ms;        /* the handshake alone */
	int first_byte_ms; /* from the start to the first byte of the answer */
	int total_ms;
} FloeHttpTiming;

typedef struct FloeHttpResponse
{
	/*
	 * status.code is FLOE_OK whenever an HTTP answer was read whole, whatever
	 * its status code (floe_http_code() in http_policy.h translates that);
	 * else it says which step failed, and message names host and port, never
	 * a path, query or header.  http_status is 0 when no answer came.
	 * status.retry_after_ms: what the last answer asked for, or -1.
	 */
	FloeStatus status;
	int http_status;

	/*
	 * Empty when a sink took it.  Bodies of answers other than 2xx are always
	 * collected here and cut at 64 KiB.  A callback may keep the memory by
	 * copying the struct and calling floe_buf_init() on this one.
	 */
	FloeBuf body;
	/* Of connect_only; whoever takes it sets has_socket to false and closes it some day. */
	int socket;
	bool has_socket;
	FloeHttpTiming timing;
	int attempts;
	FloeBuf header_block; /* raw header lines of the last answer; read with floe_http_header() */
} FloeHttpResponse;

typedef void (*FloeHttpDone)(void *arg, FloeHttpResponse *response);
typedef void (*FloeTimerDone)(void *arg);

typedef struct FloeHttpOptions
{
	int connect_timeout_ms;
	int total_timeout_ms;
	int low_speed_bytes; /* per second, for low_speed_s: FLOE_ERR_TIMEOUT */
	int low_speed_s;
	size_t max_body;
	size_t max_header_bytes;
	int max_redirects;
	int max_attempts;
	int max_connections; /* in all */
	int max_connections_per_host;
	int max_in_flight;         /* further requests wait inside the engine */
	const char *allowed_hosts; /* floe.allowed_hosts as it is set; "" allows all but link-local addresses */
	const char *proxy;         /* "" none, never the environment's */
	const char *user_agent;
	bool portable_wait; /* wait as on systems without epoll; for tests */
} FloeHttpOptions;

extern void floe_http_default_options(FloeHttpOptions *options);

/*
 * The engine lives in the current memory context and is torn down with it,
 * also on error; requests not done are dropped without calling `done`.
 * Reports errors by ereport (out of memory at start, malformed allowed_hosts).
 * Needs no transaction.  Not to be destroyed from a callback.
 */
extern FloeHttp *floe_http_create(const FloeHttpOptions *options);
extern void floe_http_destroy(FloeHttp *http);

/*
 * Queues a request; everything in it is copied.  False (and *st) when floe's
 * own rules refuse it: malformed URL or header, host not allowed.  Otherwise
 * `done` runs exactly once, with a response that is freed after it returns;
 * `id` (if not NULL) can be given to floe_http_abort().
 */
extern bool floe_http_submit(FloeHttp *http, const FloeHttpRequest *request, FloeHttpDone done, void *arg, uint64_t *id,
							 FloeStatus *st);

/* Drops a request without calling `done`; unknown ids are ignored.  May be called from every callback. */
extern void floe_http_abort(FloeHttp *http, uint64_t id);

/* Drops all requests and timers, for an owner that gives up; connections stay open for reuse. */
extern void floe_http_abort_all(FloeHttp *http);

/*
 * For adapters whose protocol is not HTTP: `ready` runs from floe_http_wait()
 * whenever the socket is ready for one of the events (FLOE_POLL_* of
 * pollset.h), as long as it is.  Again with the same socket to change them;
 * events 0 ends it, which must happen before the socket is closed.  False with
 * FLOE_ERR_NOMEM.  The socket stays the caller's, also when the engine ends.
 */
typedef void (*FloeWatchReady)(void *arg, int events);
extern bool floe_http_watch(FloeHttp *http, int fd, int events, FloeWatchReady ready, void *arg, FloeStatus *st);

/*
 * Whoever watches sockets and may outlive the engine: http becomes NULL when
 * the engine ends.  Zero-initialised is nobody's.
 */
typedef struct FloeHttpGuest
{
	FloeHttp *http;
	struct FloeHttpGuest *next;
} FloeHttpGuest;

/* In which the engine was created, and with which it ends. */
extern MemoryContext floe_http_context(const FloeHttp *http);

extern void floe_http_guest_join(FloeHttp *http, FloeHttpGuest *guest);
extern void floe_http_guest_leave(FloeHttpGuest *guest);

/* Calls `done` once after at least delay_ms.  Throws when out of memory. */
extern void floe_http_after(FloeHttp *http, int delay_ms, FloeTimerDone done, void *arg);

/*
 * Waits until a callback was due and ran, the process latch was set, or
 * timeout_ms passed (-1: no limit).  Resets the latch, so the caller looks at
 * its own conditions after every return.  Calls CHECK_FOR_INTERRUPTS().
 * Throws what callbacks throw; the engine stays usable.  Not to be called
 * from a callback, nor is floe_http_fetch().
 */
extern void floe_http_wait(FloeHttp *http, int timeout_ms);

/* Requests and timers not done yet. */
extern int floe_http_pending(const FloeHttp *http);
extern int floe_http_timers(const FloeHttp *http);

/*
 * Submits one request and waits for it; other requests move on meanwhile and
 * their callbacks run.  True when an answer was read whole, whatever its
 * status code; false with *st otherwise.  Either way *response is filled and
 * its memory is the caller's (floe_http_response_free).
 */
extern bool floe_http_fetch(FloeHttp *http, const FloeHttpRequest *request, FloeHttpResponse *response, FloeStatus *st);
extern void floe_http_response_free(FloeHttpResponse *response);

/* Copies the last header of that name (case-insensitive), trimmed and cut at size-1 bytes; false if absent. */
extern bool floe_http_header(const FloeHttpResponse *response, const char *name, char *value, size_t size);

/* For requests: refuses CR, LF and NUL in name or value, and more than FLOE_HTTP_MAX_HEADERS. The strings must outlive the submit. */
extern bool floe_http_add_header(FloeHttpRequest *request, const char *name, const char *value, FloeStatus *st);

/* Value of the header Authorization (RFC 7617); NULL when the arena refuses. The user must hold no colon. */
extern char *floe_http_basic(FloeArena *arena, const char *user, const char *password);

#endif /* FLOE_NET_HTTP_H */
