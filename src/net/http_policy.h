/*
 * http_policy.h: what floe makes of an HTTP answer: try again, follow, or hand it over.
 *
 * Pure functions over values, so that the rules can be tested by tables and
 * read in one place; http_transfer.c applies them.
 *
 * Rules of repeating a request (RFC 9110, 9.2.2 and 10.2.3):
 *
 * - GET, HEAD, PUT and DELETE are idempotent.  A POST is repeated only when
 *   the connection was never established, so that nothing can have been
 *   received, or when the caller says that repeating it does no harm.
 * - Worth repeating: name resolution, connecting, TLS handshake, timeouts,
 *   lost connections; 429, 500, 502, 503, 504.
 * - A Retry-After of at most FLOE_RETRY_AFTER_WAIT_MS is waited for; a longer
 *   one ends the request with that answer, because others wait for its outcome:
 *   the caller comes back later.  Without one: exponential backoff with jitter.
 */
#ifndef FLOE_NET_HTTP_POLICY_H
#define FLOE_NET_HTTP_POLICY_H

#include "base/status.h"
#include "base/url.h"

#define FLOE_RETRY_AFTER_MAX_MS (5 * 60 * 1000)
#define FLOE_RETRY_AFTER_WAIT_MS (15 * 1000)
#define FLOE_RETRY_BASE_MS 200
#define FLOE_RETRY_CAP_MS 10000

typedef struct FloeHttpAttempt
{
	const char *method;
	bool post_is_repeatable;
	FloeCode code;          /* FLOE_OK: an answer was read whole, see http_status */
	int http_status;        /* 0 when no answer came */
	int64_t retry_after_ms; /* what the server asked for; -1: nothing */
	int number;             /* of this attempt; the first is 1 */
	int max;                /* attempts allowed in all */
	bool hopeless;          /* repeating cannot help: a certificate that is not trusted */
	uint64_t jitter_seed;
} FloeHttpAttempt;

/* Milliseconds after which to send the request again; -1: hand the outcome to the caller. */
extern int64_t floe_http_retry_ms(const FloeHttpAttempt *attempt);

/*
 * Retry-After as seconds or HTTP-date, in milliseconds from now_ms (wall
 * clock), between 0 and FLOE_RETRY_AFTER_MAX_MS; -1 when absent (NULL) or malformed.
 */
extern int64_t floe_http_retry_after_ms(const char *value, int64_t now_ms);

/* An HTTP-date in any of the three forms of RFC 9110, 5.6.7, as milliseconds since 1970; -1 when it is none. */
extern int64_t floe_http_date_ms(const char *value);

/* 301, 302, 303, 307, 308 */
extern bool floe_http_is_redirect(int http_status);

/*
 * May a request to `from` be repeated at `to`, after `followed` redirects?
 * FLOE_ERR_DENIED, naming both origins, unless it is a GET or HEAD, stays at
 * scheme, host and port, and the cap is not reached.  Credentials and
 * signatures travel in headers, so they must not reach another origin.
 */
extern bool floe_http_check_redirect(const char *method, const FloeUrl *from, const FloeUrl *to, int followed,
									 int max_redirects, FloeStatus *st);

/*
 * The FloeCode of an HTTP status code: FLOE_OK for 2xx and 304, FLOE_ERR_AUTH
 * for 401 and 419 (which Iceberg REST catalogs answer when a token expired),
 * FLOE_ERR_THROTTLED for 429 and for 503 with Retry-After (retry_after_ms >= 0), …
 */
extern FloeCode floe_http_code(int http_status, int64_t retry_after_ms);

#endif /* FLOE_NET_HTTP_POLICY_H */
