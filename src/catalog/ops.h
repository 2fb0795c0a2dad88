/*
 * ops.h: what a catalog adapter is: asynchronous questions to one catalog.
 *
 * A FloeCatalog is a connection to one catalog for the length of a pass.  All
 * its questions run on the process's FloeHttp loop and answer through
 * callbacks from floe_http_wait(); hundreds may be under way at once.  The
 * adapter owns authentication, retries that need a new token, paging and the
 * mapping of the catalog's errors; the caller owns time and order.
 */
#ifndef FLOE_CATALOG_OPS_H
#define FLOE_CATALOG_OPS_H

#include "conn/conn.h"
#include "iceberg/metadata.h"
#include "net/http.h"

typedef struct FloeCatalog FloeCatalog;

typedef struct FloeTableId
{
	const char *const *namespace; /* levels */
	int nlevels;
	const char *name;
} FloeTableId;

/* Status of the whole question; the rest of the arguments is valid only while the callback runs. */
typedef void (*FloeCatalogDone)(void *arg, const FloeStatus *st);

/* One page of a listing; returns nothing because a listing is only used when it is complete. */
typedef void (*FloeCatalogPage)(void *arg, const FloeTableId *tables, int count);

typedef enum FloeLoadMode
{
	FLOE_LOAD_ALL, /* all snapshots; conditional when an etag is given */
	FLOE_LOAD_REFS /* only what refs need: cheap, to see whether anything changed */
} FloeLoadMode;

typedef struct FloeLoadRequest
{
	FloeTableId id;
	FloeLoadMode mode;
	const char *etag; /* as the catalog sent it; NULL: none */
	FloeArena *arena; /* metadata is parsed into it; outlives the question */
	FloeMetaLimits limits;
} FloeLoadRequest;

typedef struct FloeLoadAnswer
{
	bool unchanged;            /* 304: nothing else is set */
	const FloeTableMeta *meta; /* in the arena */
	const char *etag;          /* in the arena; NULL: the catalog gives none */
	const char *location; /* after a failure: the table's, if it was read, in the arena; nothing else is set then */
} FloeLoadAnswer;

typedef void (*FloeLoadDone)(void *arg, const FloeStatus *st, const FloeLoadAnswer *answer);

/* One Iceberg catalog property for an engine. */
typedef void (*FloeCatalogProperty)(void *arg, const char *key, const char *value);

typedef struct FloeCatalogOps
{
	const char *type; /* SERVER TYPE */

	/* Allocates in CurrentMemoryContext; conn must live as long. No request yet. */
	FloeCatalog *(*open)(FloeHttp *http, const FloeConn *conn, FloeStatus *st);

	/* Configuration and credentials; the other questions only after it succeeded. */
	void (*connect)(FloeCatalog *catalog, FloeCatalogDone done, void *arg);

	/* The cheapest question that needs a privilege: does it let us in? */
	void (*probe)(FloeCatalog *catalog, FloeCatalogDone done, void *arg);

	/* All tables of all namespaces, page by page, each once, then done once; left_out counts what has no usable name. */
	void (*list_tables)(FloeCatalog *catalog, FloeCatalogPage page, FloeCatalogDone done, void *arg);

	void (*load_table)(FloeCatalog *catalog, const FloeLoadRequest *request, FloeLoadDone done, void *arg);

	/* A property the catalog gave for all its tables ("s3.endpoint"); NULL: none. Valid as long as the catalog. */
	const char *(*property)(const FloeCatalog *catalog, const char *key);

	/* What it said about itself, as JSON without secrets. */
	void (*describe)(const FloeCatalog *catalog, FloeBuf *out);

	/*
	 * Appends what an engine needs to define this catalog, as pairs of Iceberg
	 * catalog properties (uri, warehouse, credential …), secrets included.
	 */
	void (*engine_properties)(const FloeConn *conn, FloeCatalogProperty add, void *arg);
} FloeCatalogOps;

struct FloeCatalog
{
	const FloeCatalogOps *ops;
	const FloeConn *conn;
	FloeHttp *http;
	int64 left_out; /* namespaces and tables of the last listing whose names floe cannot keep */

	/*
	 * Requests that will still call the adapter back.  One question makes
	 * several, and has its answer when the first of them fails: whoever frees
	 * the catalog waits until this is 0.
	 */
	int under_way;
};

extern const FloeCatalogOps floe_catalog_rest;

/* NULL for an unknown type. */
extern const FloeCatalogOps *floe_catalog_lookup(const char *type);
/* Type number i, NULL after the last. */
extern const char *floe_catalog_type(int i);

#endif /* FLOE_CATALOG_OPS_H */
