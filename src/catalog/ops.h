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
#include "net/pq.h"

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

/* A table whose metadata file is to be found. */
typedef struct FloeLocateItem
{
	FloeTableId id;
	const char *etag; /* as the adapter gave it the last time; NULL: none */
} FloeLocateItem;

typedef struct FloeLocated
{
	bool unchanged; /* the table is as it was when etag was given; metadata_location is not set then */
	const char *metadata_location;
	bool has_snapshot;    /* the catalog, and not the file, says which snapshot is current */
	int64 snapshot_id;    /* -1: none */
	const char *etag;     /* stands for this state of the table; NULL: there is nothing of the kind */
	const char *location; /* also after a failure: the table's own, where the catalog tells it; else NULL */
} FloeLocated;

/* Of item i; once for each item, in any order. */
typedef void (*FloeLocateDone)(void *arg, int i, const FloeStatus *st, const FloeLocated *located);

/*
 * Maintenance policies that apply to a target, as pages of what the catalog
 * answered with: JSON objects whose "applicable-policies" are objects.
 */
typedef void (*FloeCatalogPolicies)(void *arg, const FloeStatus *st, const char *const *pages, int npages);

/* One Iceberg catalog property for an engine. */
typedef void (*FloeCatalogProperty)(void *arg, const char *key, const char *value);

typedef struct FloeCatalogOps
{
	const char *type;        /* SERVER TYPE */
	const char *engine_type; /* as what engines know it: Iceberg's catalog property "type" */

	/* Allocates in CurrentMemoryContext; conn must live as long. No request yet. */
	FloeCatalog *(*open)(FloeHttp *http, const FloeConn *conn, FloeStatus *st);

	/* Configuration and credentials; the other questions only after it succeeded. */
	void (*connect)(FloeCatalog *catalog, FloeCatalogDone done, void *arg);

	/* The cheapest question that needs a privilege: does it let us in? */
	void (*probe)(FloeCatalog *catalog, FloeCatalogDone done, void *arg);

	/*
	 * All tables of all namespaces, page by page, each once, then done once.
	 * left_out counts what has no usable name, refused has what may not be
	 * listed; where not even the first level may be, the listing fails.
	 */
	void (*list_tables)(FloeCatalog *catalog, FloeCatalogPage page, FloeCatalogDone done, void *arg);

	/*
	 * One of the two.  load_table: the catalog answers with the metadata itself.
	 * locate_tables: it knows where the metadata file is, and of many tables at
	 * once; the items live until all of them are answered.
	 */
	void (*load_table)(FloeCatalog *catalog, const FloeLoadRequest *request, FloeLoadDone done, void *arg);
	void (*locate_tables)(FloeCatalog *catalog, const FloeLocateItem *items, int count, FloeLocateDone done, void *arg);

	/*
	 * Of the catalog (no levels), a namespace, or a table (target->name is not
	 * NULL).  FLOE_ERR_NOT_FOUND: there is no such target, or nothing of the
	 * kind at all.  NULL: the protocol has no policies.
	 */
	void (*list_policies)(FloeCatalog *catalog, const FloeTableId *target, FloeCatalogPolicies done, void *arg);

	/* A property the catalog gave for all its tables ("s3.endpoint"); NULL: none. Valid as long as the catalog. */
	const char *(*property)(const FloeCatalog *catalog, const char *key);

	/* What it said about itself, as JSON without secrets; "read_only": why nothing can be committed, where that is so. */
	void (*describe)(const FloeCatalog *catalog, FloeBuf *out);

	/* What engines must call it; NULL, or a function that returns NULL: what floe likes. Once connected. */
	const char *(*engine_name)(const FloeCatalog *catalog);

	/*
	 * Appends what an engine needs to define this catalog, as pairs of Iceberg
	 * catalog properties (uri, warehouse, credential …), secrets included.
	 * Once connected: among them may be a token that floe was given.
	 */
	void (*engine_properties)(const FloeCatalog *catalog, FloeCatalogProperty add, void *arg);
} FloeCatalogOps;

/* What a catalog that lists other namespaces does not let these credentials list: nobody knows what is in them and below them. */
typedef struct FloeRefusedNamespaces
{
	char **names; /* levels joined with U+001F; perhaps twice */
	int n;
	int size;
	FloeStatus why; /* of the first */
} FloeRefusedNamespaces;

struct FloeCatalog
{
	const FloeCatalogOps *ops;
	const FloeConn *conn;
	FloeHttp *http;
	int64 left_out;                /* namespaces and tables of the last listing whose names floe cannot keep */
	FloeRefusedNamespaces refused; /* of the last listing */
	const char *keeps_gc; /* its name, where it alone may delete files: tables count as gc.enabled=false; else NULL */

	/*
	 * Requests that will still call the adapter back.  One question makes
	 * several, and has its answer when the first of them fails: whoever frees
	 * the catalog waits until this is 0.
	 */
	int under_way;
};

extern const FloeCatalogOps floe_catalog_rest;
extern const FloeCatalogOps floe_catalog_nessie;
extern const FloeCatalogOps floe_catalog_jdbc;
extern const FloeCatalogOps floe_catalog_hive;

/* What engines need to read and write the files of tables, as far as options say it; and engine.* options, which come last. */
extern void floe_catalog_store_properties(const FloeConn *conn, FloeCatalogProperty add, void *arg);

/*
 * A query in this very database, as the server's owner and read only, for
 * catalogs that live in it.  Set by whoever has a database; NULL: there is none.
 */
typedef bool (*FloeLocalQuery)(const FloeConn *conn, const char *what, const char *sql, const char *const *params,
							   int nparams, FloePqRows *rows, FloeStatus *st);
extern FloeLocalQuery floe_catalog_local_query;

/* NULL for an unknown type. */
extern const FloeCatalogOps *floe_catalog_lookup(const char *type);
/* Type number i, NULL after the last. */
extern const char *floe_catalog_type(int i);

#endif /* FLOE_CATALOG_OPS_H */
