/*
 * rest.h: inside of the Iceberg REST catalog adapter (rest*.c only).
 *
 * Every request is a FloeRestCall, sent by the session (session.h).  A call
 * waits until the catalog's configuration is known, which has the prefix of
 * its path.
 */
#ifndef FLOE_CATALOG_REST_H
#define FLOE_CATALOG_REST_H

#include "catalog/ops.h"
#include "catalog/session.h"

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
	const char *root;          /* of the path; NULL: /v1/ */
	const char *path;          /* after root and the prefix, encoded, without leading slash; with its query */
	bool before_config;        /* the configuration itself: no prefix, does not wait for it */
	const char *if_none_match; /* NULL: unconditional */
	bool wants_credentials;    /* send the access delegation header */
	size_t max_body;
	FloeHttpSink sink;
	FloeRestDone done;
	void *arg; /* of done and sink */
};

struct FloeRest
{
	FloeCatalog base;
	MemoryContext context;
	FloeSession session;

	FloeRestPhase phase;
	FloeStatus failure; /* of the connection, when phase is FAILED */
	List *waiting;      /* calls that wait for the configuration */
	FloeCatalogDone connect_done;
	void *connect_arg;

	/* endpoint */
	char *prefix;           /* "" or encoded, no slash at either end */
	char *separator;        /* between namespace levels, encoded: "%1F" */
	int endpoint_count;     /* that /v1/config listed; -1: it listed none */
	List *properties;       /* FloeRestProperty: s3.* and client.region of the configuration */
	bool ignored_uri;       /* the configuration named another origin, which is not followed */
	const char *delegation; /* header value; NULL: none */
};

typedef struct FloeRestProperty
{
	const char *key;
	const char *value;
} FloeRestProperty;

/* rest.c */
extern FloeRestCall *floe_rest_call(FloeRest *rest, const char *what, const char *path, FloeRestDone done, void *arg);
extern void floe_rest_send(FloeRestCall *call);
extern void floe_rest_encode_namespace(FloeRest *rest, StringInfo out, const char *const *levels, int nlevels);

/* rest_list.c, rest_load.c */
extern void floe_rest_list_tables(FloeCatalog *catalog, FloeCatalogPage page, FloeCatalogDone done, void *arg);
extern void floe_rest_load_table(FloeCatalog *catalog, const FloeLoadRequest *request, FloeLoadDone done, void *arg);

/* rest_policies.c */
extern void floe_rest_list_policies(FloeCatalog *catalog, const FloeTableId *target, FloeCatalogPolicies done,
									void *arg);

/*
 * rest_engine.c: how engines reach a catalog with this session's credentials by the REST protocol, at this URI.
 * own_delegation: what they say of delegation when floe gives them keys of the store and access_delegation is not set;
 * NULL for nothing.
 */
extern void floe_rest_engine_properties(const FloeSession *session, const char *uri, const char *own_delegation,
										FloeCatalogProperty add, void *arg);
/* Value of header X-Iceberg-Access-Delegation; NULL: none. own: the one when there are keys of our own. */
extern const char *floe_rest_delegation(const FloeConn *conn, const char *own);

#endif /* FLOE_CATALOG_REST_H */
