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

#include "base/buf.h"
#include "base/status.h"

typedef struct FloeHttp FloeHttp;

typedef struct FloeHttpHeader
{
	const char *name;
	const char *value;
} FloeHttpHeader;

#define FLOE_HTTP_MAX_HEADERS 24

/*
 * Takes the body of a 200 answer as it arrives.  data == NULL: the request
 * (re)starts, forget what came before.  Runs inside libcurl's callback: must
 * not throw or call the server; returns false to stop the transfer, and the
 * owner of arg knows why.
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

	/* Limits; 0 takes the engine's default. */
	int connect_timeout_ms;
	int total_timeout_ms;
	size_t max_body; /* bytes after content decoding; beyond it FLOE_ERR_TOO_LARGE */

	/*
	 * How often the request may be sent in all (0: engine's default; 1: no
	 * retry).  A POST is never repeated unless the caller says that repeating
	 * it does no harm.
	 */
	int max_attempts;
	bool post_is_repeatable;

	bool no_redirect;    /* answer a 3xx as it is; otherwise only the same origin is followed */
	bool accept_gzip;    /* send Accept-Encoding and decode */
	const char *ca_file; /* PEM file of authorities; NULL: the system's */

	FloeHttpSink sink; /* NULL: the body is collected in response->body */
	void *sink_arg;
} FloeHttpRequest;

typedef struct FloeHttpTiming
{
	int dns_ms;
	int connect_ms; /* TCP */
	int tls_ms;
	int first_byte_ms;
	int total_ms; /* of the last attempt */
} FloeHttpTiming;

typedef struct FloeHttpResponse
{
	/*
	 * status.code is FLOE_OK whenever an HTTP answer was read whole, whatever
	 * its status code; else it says which step failed and message names the
	 * host.  http_status is 0 when no answer came.
	 */
	FloeStatus status;
	int http_status;
	FloeBuf body; /* empty when a sink took it; error bodies are always collected */
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
} FloeHttpOptions;

extern void floe_http_default_options(FloeHttpOptions *options);

/*
 * The engine lives in the current memory context and is torn down with it,
 * also on error.  Reports errors by ereport (out of memory at start).
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

/* Drops a request without calling `done`; unknown ids are ignored. */
extern void floe_http_abort(FloeHttp *http, uint64_t id);

/* Calls `done` once after at least delay_ms. */
extern void floe_http_after(FloeHttp *http, int delay_ms, FloeTimerDone done, void *arg);

/*
 * Waits for progress, the process latch or timeout_ms (-1: no limit), runs the
 * callbacks that are due, and returns.  Calls CHECK_FOR_INTERRUPTS().
 */
extern void floe_http_wait(FloeHttp *http, int timeout_ms);

/* Requests and timers not done yet. */
extern int floe_http_pending(const FloeHttp *http);
extern int floe_http_timers(const FloeHttp *http);

/* Submit one request and wait for it; the response's memory is the caller's. */
extern bool floe_http_fetch(FloeHttp *http, const FloeHttpRequest *request, FloeHttpResponse *response, FloeStatus *st);
extern void floe_http_response_free(FloeHttpResponse *response);

/* The last header of that name (case-insensitive), trimmed, in a static-free copy of at most size-1 bytes; false if absent. */
extern bool floe_http_header(const FloeHttpResponse *response, const char *name, char *value, size_t size);

/* For requests: refuses CR, LF and NUL in name or value, and more than FLOE_HTTP_MAX_HEADERS. The strings must outlive the submit. */
extern bool floe_http_add_header(FloeHttpRequest *request, const char *name, const char *value, FloeStatus *st);

#endif /* FLOE_NET_HTTP_H */
