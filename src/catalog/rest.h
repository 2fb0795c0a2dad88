/*
 * rest.h: inside of the Iceberg REST catalog adapter (rest*.c only).
 *
 * Every request is a FloeRestCall.  A call waits until the catalog's
 * configuration is known and a token is at hand, gets the headers, and when it
 * is refused for its token it is sent once more with a fresh one.
 */
#ifndef FLOE_CATALOG_REST_H
#define FLOE_CATALOG_REST_H

#include "catalog/ops.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/palloc.h"

typedef enum FloeRestPhase
{
	FLOE_REST_NEW,
	FLOE_REST_CONNECTING,
	FLOE_REST_READY,
	FLOE_REST_FAILED
} FloeRestPhase;

typedef struct FloeRest FloeRest;
typedef struct FloeRestCall FloeRestCall;

/* st: FLOE_OK for 2xx and 304; response is NULL when nothing was sent. The call is freed after it returns. */
typedef void (*FloeRestDone)(FloeRestCall *call, const FloeStatus *st, FloeHttpResponse *response);

struct FloeRestCall
{
	FloeRest *rest;
	const char *what;          /* "list tables of a.b", for messages */
	const char *path;          /* after /v1/ and the prefix, encoded, without leading slash; with its query */
	bool before_config;        /* the configuration itself: no prefix, does not wait for it */
	const char *if_none_match; /* NULL: unconditional */
	bool wants_credentials;    /* send the access delegation header */
	size_t max_body;
	FloeHttpSink sink;
	FloeRestDone done;
	void *arg;        /* of done and sink */
	int token_serial; /* of the token it was sent with */
	bool retried;     /* it was refused for its token once */
};

struct FloeRest
{
	FloeCatalog base;
	MemoryContext context;

	FloeRestPhase phase;
	FloeStatus failure; /* of the connection, when phase is FAILED */
	List *waiting;      /* calls that wait for the configuration or a token */
	FloeCatalogDone connect_done;
	void *connect_arg;

	/* endpoint */
	char *base_url;         /* no slash at the end */
	char *prefix;           /* "" or encoded, no slash at either end */
	char *separator;        /* between namespace levels, encoded: "%1F" */
	int endpoint_count;     /* that /v1/config listed; -1: it listed none */
	List *properties;       /* FloeRestProperty: s3.* and client.region of the configuration */
	bool ignored_uri;       /* the configuration named another origin, which is not followed */
	const char *delegation; /* header value; NULL: none */

	/* credentials */
	const char *static_token;
	bool has_client;
	char *token_url;
	char *token;            /* of client credentials, or from the configuration */
	int64 token_expires_us; /* steady clock; INT64_MAX: not known */
	bool fetching_token;
	int token_serial;       /* counts tokens */
	bool token_from_server; /* the configuration brought a token */
};

typedef struct FloeRestProperty
{
	const char *key;
	const char *value;
} FloeRestProperty;

/* rest.c */
extern FloeRestCall *floe_rest_call(FloeRest *rest, const char *what, const char *path, FloeRestDone done, void *arg);
extern void floe_rest_send(FloeRestCall *call);
extern void floe_rest_release_waiting(FloeRest *rest, const FloeStatus *st);
extern void floe_rest_encode(StringInfo out, const char *text);
extern void floe_rest_encode_namespace(FloeRest *rest, StringInfo out, const char *const *levels, int nlevels);

/* rest_auth.c */
extern bool floe_rest_auth_init(FloeRest *rest, FloeStatus *st);
extern bool floe_rest_token_usable(const FloeRest *rest);
extern void floe_rest_token_fetch(FloeRest *rest);
extern bool floe_rest_auth_header(FloeRest *rest, FloeHttpRequest *request, FloeStatus *st);
extern void floe_rest_redact(const FloeRest *rest, char *text, size_t size);

/* rest_error.c: the status of an answer; FLOE_OK for 2xx and 304 */
extern bool floe_rest_status(const FloeRest *rest, const char *what, const FloeHttpResponse *response, FloeStatus *st);
/* The catalog itself says that what was asked for does not exist, and not a proxy, a wrong URL or the token endpoint. */
extern bool floe_rest_says_missing(const FloeStatus *st, const FloeHttpResponse *response);

/* rest_list.c, rest_load.c */
extern void floe_rest_list_tables(FloeCatalog *catalog, FloeCatalogPage page, FloeCatalogDone done, void *arg);
extern void floe_rest_load_table(FloeCatalog *catalog, const FloeLoadRequest *request, FloeLoadDone done, void *arg);

#endif /* FLOE_CATALOG_REST_H */
