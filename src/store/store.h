/*
 * store.h: reading objects: manifests, manifest lists and metadata files, wherever a location says they are.
 *
 * A FloeStore is the stores of one table as one assessment sees them: the
 * catalog connection's own keys, or what the catalog vended with the table.
 * Reading is asynchronous on the process's FloeHttp; a callback never runs
 * before the function that started the read has returned.
 *
 *   store.c         from a location to the scheme that reads it
 *   grant.c         what the catalog vended, and that it runs out
 *   object.c        what all schemes over HTTP have in common
 *   s3.c gcs.c adls.c https.c file.c     one scheme each
 *   place.c         URLs
 */
#ifndef FLOE_STORE_STORE_H
#define FLOE_STORE_STORE_H

#include "conn/conn.h"
#include "net/http.h"

#include "nodes/pg_list.h"
#include "utils/palloc.h"

typedef struct FloeStoreSetting
{
	const char *key;
	const char *value;
} FloeStoreSetting;

/* Credentials and settings for locations that begin with prefix; the longest prefix that fits wins. */
typedef struct FloeStoreGrant
{
	const char *prefix; /* "": for all locations */
	const FloeStoreSetting *settings;
	int nsettings;
} FloeStoreGrant;

/* A setting that holds for the whole catalog ("s3.endpoint"); NULL: none. */
typedef const char *(*FloeStoreDefault)(void *arg, const char *key);

/* Asks the catalog for new grants, then calls floe_store_renewed(), once, perhaps before it returns. */
typedef void (*FloeStoreRenew)(void *arg);

/* Of buckets, where their stores said so. Shared by the stores of a connection, so that each bucket is asked once. */
typedef struct FloeStoreRegions
{
	MemoryContext context;
	List *known;
} FloeStoreRegions;

typedef struct FloeStore
{
	FloeHttp *http;
	MemoryContext context;  /* outlives every read */
	const FloeConn *conn;   /* server options and own keys; they go before grants */
	const char *file_roots; /* floe.allowed_file_roots */
	FloeStoreRegions *regions;
	FloeStoreDefault catalog_default;
	void *catalog_default_arg;
	FloeStoreRenew renew; /* NULL: what was vended cannot be renewed */
	void *renew_arg;

	/* set by floe_store_grant() and floe_store_renewed(); they live until that returns the next time, or as long as the store */
	const FloeStoreGrant *grants;
	int ngrants;
	int64 granted_at_ms;
	uint64 generation; /* of the grants */

	/* the store's own */
	bool renewing;
	List *waiting; /* jobs that wait for it */
} FloeStore;

/* What came with the table; before the first read. */
extern void floe_store_grant(FloeStore *store, const FloeStoreGrant *grants, int ngrants);
/* The answer to renew: new grants, or a failure and the old ones stay. */
extern void floe_store_renewed(FloeStore *store, const FloeStatus *st, const FloeStoreGrant *grants, int ngrants);

/* st: FLOE_OK and the object's bytes, or its size alone. data is empty when a sink took it. */
typedef void (*FloeStoreDone)(void *arg, const FloeStatus *st, FloeBuf *data, int64_t size);

typedef struct FloeStoreRead
{
	const char *location; /* as it stands in the metadata */
	bool size_only;       /* ask for the size, read nothing */
	size_t max_bytes;     /* beyond it FLOE_ERR_TOO_LARGE */
	FloeHttpSink sink;    /* NULL: collected in data */
	void *sink_arg;
	FloeStoreDone done;
	void *arg;
} FloeStoreRead;

/* Never throws what the location or the store is to blame for; `done` gets it. The read is copied. */
extern void floe_store_read(FloeStore *store, const FloeStoreRead *read);

/* For messages: a location's end, where names differ, without the query of a URL, which may be a key to it. Returns out. */
extern char *floe_store_show(const char *location, char *out, size_t size);

#endif /* FLOE_STORE_STORE_H */
