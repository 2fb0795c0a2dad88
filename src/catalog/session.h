/*
 * session.h: requests to a catalog that speaks HTTP, with its credentials.
 *
 * What every HTTP catalog has in common, whatever its protocol: a base URL,
 * headers from the server's options, and credentials, which may have to be
 * fetched first and run out.  A request waits until they are at hand, and when
 * it is refused for them it is sent once more with fresh ones.
 *
 *   session.c       how a request is sent
 *   auth.c          which credentials, and tokens of OAuth2
 *   answer.c        what an answer means: its status and the catalog's own words
 */
#ifndef FLOE_CATALOG_SESSION_H
#define FLOE_CATALOG_SESSION_H

#include "base/arena.h"
#include "conn/conn.h"
#include "net/http.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/palloc.h"

/* The whole of a request body is signed, so it stands in memory. */
typedef struct FloeSessionRequest
{
	const char *what;   /* "list tables of a.b", for messages */
	const char *method; /* NULL: GET */
	const char *path;   /* after the base URL, encoded, with its query; begins with a slash */
	const char *body;   /* NULL: none */
	size_t body_len;
	const char *content_type;
	bool is_repeatable; /* a POST that only asks */
	FloeHttpHeader headers[4];
	int nheaders;
	size_t max_body;
	FloeHttpSink sink;
	void *sink_arg;
} FloeSessionRequest;

/* st: FLOE_OK for 2xx and 304; response is NULL when nothing was sent. */
typedef void (*FloeSessionDone)(void *arg, const FloeStatus *st, FloeHttpResponse *response);

typedef enum FloeAuthKind
{
	FLOE_AUTH_NONE,
	FLOE_AUTH_BEARER,   /* a token that was given */
	FLOE_AUTH_OAUTH2,   /* a token of client credentials (RFC 6749, 4.4) */
	FLOE_AUTH_EXCHANGE, /* a token for another one (RFC 8693) */
	FLOE_AUTH_BASIC,    /* RFC 7617 */
	FLOE_AUTH_SIGV4
} FloeAuthKind;

typedef struct FloeSession
{
	const FloeConn *conn;
	FloeHttp *http;
	MemoryContext context;
	char *base_url; /* no slash at the end */
	List *waiting;  /* requests that wait for a token */
	int *under_way; /* FloeCatalog.under_way */

	FloeAuthKind auth;
	const char *given_token; /* the user mapping's */
	char *basic;             /* of BASIC: the header's value */
	char *token_url;         /* of OAUTH2 and EXCHANGE */
	char *token;             /* fetched, or from the catalog's configuration */
	int64 token_expires_us;  /* steady clock; INT64_MAX: not known */
	bool fetching_token;
	int token_serial; /* counts tokens */
} FloeSession;

/*
 * Checks the credentials; false with FLOE_ERR_CONFIG.  default_token_path: after the base URL.  under_way counts the
 * requests that were sent, or wait, and are not done.
 */
extern bool floe_session_init(FloeSession *session, FloeHttp *http, const FloeConn *conn, const char *base_url,
							  const char *default_token_path, int *under_way, FloeStatus *st);

/* The catalog says that it is elsewhere. */
extern void floe_session_set_base(FloeSession *session, const char *base_url);

/* Copies the request; done runs exactly once, from the loop or, when nothing can be sent, before this returns. */
extern void floe_session_send(FloeSession *session, const FloeSessionRequest *request, FloeSessionDone done, void *arg);

/* A token that the catalog gave with its configuration; counts only where no credentials were given. */
extern void floe_session_take_token(FloeSession *session, const char *token);

/* "none", "bearer", "oauth2", "token-exchange", "basic", "sigv4" */
extern const char *floe_session_auth_name(const FloeSession *session);

/* Percent-encodes everything but the unreserved characters of RFC 3986. */
extern void floe_session_encode(StringInfo out, const char *text);

/* Takes what is secret out of a text of the other side. */
extern void floe_session_redact(const FloeSession *session, char *text, size_t size);

/* answer.c: the status of an answer; FLOE_OK for 2xx and 304 */
extern bool floe_session_status(const FloeSession *session, const char *what, const FloeHttpResponse *response,
								FloeStatus *st);
/* The catalog itself says that what was asked for does not exist, and not a proxy, a wrong URL or the token endpoint. */
extern bool floe_session_says_missing(const FloeStatus *st, const FloeHttpResponse *response);

/* The same of the right to it. */
extern bool floe_session_says_forbidden(const FloeStatus *st, const FloeHttpResponse *response);

/* What signs requests with SigV4; the keys are NULL when there are none. */
typedef struct FloeSigV4Keys
{
	const char *access_key;
	const char *secret_key;
	const char *session_token;
	const char *region;
} FloeSigV4Keys;

extern void floe_auth_sigv4_keys(const FloeConn *conn, FloeSigV4Keys *keys);

/* ---- inside session.c and auth.c ---- */

extern bool floe_auth_init(FloeSession *session, const char *default_token_path, FloeStatus *st);
extern bool floe_auth_is_ready(const FloeSession *session);
/* Once, for all that wait; floe_session_release_waiting() when it is there or cannot be had. */
extern void floe_auth_fetch(FloeSession *session);
/* The request was refused for its credentials: true when other ones may be had. */
extern bool floe_auth_renew(FloeSession *session, int token_serial);
/* Adds what the credentials demand; may replace the URL. Memory of the arena. */
extern bool floe_auth_apply(FloeSession *session, FloeHttpRequest *request, FloeArena *arena, FloeStatus *st);
extern void floe_session_release_waiting(FloeSession *session, const FloeStatus *st);
/* Those of the options "header.NAME". */
extern bool floe_session_add_option_headers(const FloeSession *session, FloeHttpRequest *request, FloeStatus *st);

#endif /* FLOE_CATALOG_SESSION_H */
