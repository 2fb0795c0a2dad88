/*
 * status.h: the result of everything that can fail below worker/ and sqlfn/.
 *
 * Code in base, net, conn, store, iceberg, catalog, engine and state does not
 * throw: it fills a FloeStatus and returns false (or NULL).  Only the
 * outermost layer turns a status into ereport() (sqlfn/report.h).  A status
 * holds no pointers, so it can be copied freely and outlives every arena.
 *
 * message  lower case, no full stop, names the object; never NULL.
 * detail   what the other side said, redacted by the caller, cut at the
 *          buffer's size on a UTF-8 boundary; empty when there is none.
 */
#ifndef FLOE_BASE_STATUS_H
#define FLOE_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/* The order is that of the table in status.c. */
typedef enum FloeCode
{
	FLOE_OK = 0,
	FLOE_ERR_CONFIG,      /* an option is missing, wrong or contradictory */
	FLOE_ERR_DENIED,      /* floe's own rules forbid it: host, path, redirect, secret in clear */
	FLOE_ERR_DNS,         /* the host name does not resolve */
	FLOE_ERR_CONNECT,     /* TCP: refused, unreachable, timed out while connecting */
	FLOE_ERR_TLS,         /* handshake or certificate */
	FLOE_ERR_TIMEOUT,     /* connected, but no (complete) answer in time */
	FLOE_ERR_NETWORK,     /* connection lost in the middle of a request or answer */
	FLOE_ERR_AUTH,        /* 401, 419, token endpoint refused the credentials */
	FLOE_ERR_FORBIDDEN,   /* 403: known, but not allowed */
	FLOE_ERR_NOT_FOUND,   /* 404: missing, or hidden from this principal */
	FLOE_ERR_CONFLICT,    /* 409 */
	FLOE_ERR_THROTTLED,   /* 429, or 503 with Retry-After */
	FLOE_ERR_SERVER,      /* 5xx */
	FLOE_ERR_HTTP,        /* any other status code */
	FLOE_ERR_PROTOCOL,    /* the answer is not what the protocol says (HTML for JSON, missing field) */
	FLOE_ERR_CORRUPT,     /* a file's content contradicts its format */
	FLOE_ERR_TOO_LARGE,   /* beyond one of floe's caps (bytes, depth, count) */
	FLOE_ERR_UNSUPPORTED, /* valid, but outside what floe reads: format v4, encryption, codec */
	FLOE_ERR_IO,          /* reading a local file failed */
	FLOE_ERR_NOMEM,       /* out of memory, or the arena's limit */
	FLOE_ERR_CANCELLED,   /* given up on request */
	FLOE_ERR_ENGINE,      /* the engine ran the statement and it failed */
	FLOE_ERR_LOST,        /* the engine no longer knows the session or the operation */
	FLOE_ERR_BUSY, /* a call into floe's own SQL met a lock, a deadlock or a full disk: the same call may succeed later */
	FLOE_ERR_DATABASE, /* a call into floe's own SQL failed */
	FLOE_ERR_INTERNAL  /* a bug in floe */
} FloeCode;

#define FLOE_STATUS_MESSAGE_SIZE 256
#define FLOE_STATUS_DETAIL_SIZE 1024

typedef struct FloeStatus
{
	FloeCode code;
	int http_status;        /* 0: the failure did not come with one */
	int64_t retry_after_ms; /* what the server asked for; -1: nothing */
	char message[FLOE_STATUS_MESSAGE_SIZE];
	char detail[FLOE_STATUS_DETAIL_SIZE];
} FloeStatus;

/* Which step of reaching a server failed: the "detail" of check_catalog(). */
typedef enum FloePhase
{
	FLOE_PHASE_NONE,
	FLOE_PHASE_CONFIG,
	FLOE_PHASE_DNS,
	FLOE_PHASE_TCP,
	FLOE_PHASE_TLS,
	FLOE_PHASE_AUTH,
	FLOE_PHASE_PROTOCOL
} FloePhase;

extern void floe_status_ok(FloeStatus *st);

/* Both return false, so that a function can end with "return floe_fail(...)". */
extern bool floe_fail(FloeStatus *st, FloeCode code, const char *fmt, ...) __attribute__((format(gnu_printf, 3, 4)));
extern bool floe_fail_detail(FloeStatus *st, FloeCode code, const char *detail, const char *fmt, ...)
	__attribute__((format(gnu_printf, 4, 5)));

/* Puts "what: " before the message, keeping everything else; returns false. */
extern bool floe_status_prefix(FloeStatus *st, const char *fmt, ...) __attribute__((format(gnu_printf, 2, 3)));

/* Facts about a code; all of them come from one table. */
extern const char *floe_code_name(FloeCode code);     /* "connect": stored in rows and events */
extern const char *floe_code_sqlstate(FloeCode code); /* five characters */
extern const char *floe_code_hint(FloeCode code);     /* a sentence, or NULL */
extern bool floe_code_is_transient(FloeCode code);    /* trying again later may help without a change */
extern FloePhase floe_code_phase(FloeCode code);
extern const char *floe_phase_name(FloePhase phase); /* "DNS", "TCP", "TLS", "auth", "protocol", "configuration" */

/* Copies at most size-1 bytes and never cuts a UTF-8 sequence; always terminated. */
extern void floe_copy_text(char *dst, size_t size, const char *src, size_t len);

#endif /* FLOE_BASE_STATUS_H */
