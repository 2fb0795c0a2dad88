/*
 * store.h: reading objects: manifests, manifest lists and metadata files, from S3 and from local files.
 *
 * A FloeStore is the stores of one table as one assessment sees them: the
 * catalog connection's own keys, or what the catalog vended with the table.
 * Reading is asynchronous on the process's FloeHttp; a callback never runs
 * before the function that started the read has returned.
 */
#ifndef FLOE_STORE_STORE_H
#define FLOE_STORE_STORE_H

#include "base/arena.h"
#include "conn/conn.h"
#include "net/http.h"

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

typedef struct FloeStore
{
	FloeHttp *http;
	MemoryContext context;  /* outlives every read */
	const FloeConn *conn;   /* server options and own keys; they go before grants */
	const char *file_roots; /* floe.allowed_file_roots */
	FloeStoreDefault catalog_default;
	void *catalog_default_arg;
	const FloeStoreGrant *grants;
	int ngrants;
} FloeStore;

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

#define FLOE_STORE_SHOWN_MAX 128

/* Internal to store/: one file per scheme. */
typedef struct FloeStoreJob
{
	MemoryContext context; /* of this job alone */
	FloeStore *store;
	FloeStoreRead read;
	char *location;
	char shown[FLOE_STORE_SHOWN_MAX]; /* the location for messages: of a long one the end, where names differ */
	FloeStatus st;
	FloeBuf data;
	int64_t size;
	FloeArena *arena;
} FloeStoreJob;

extern void floe_store_finish(FloeStoreJob *job);
extern void floe_store_s3_start(FloeStoreJob *job, size_t scheme_len);
extern void floe_store_file_start(FloeStoreJob *job, const char *path);

#endif /* FLOE_STORE_STORE_H */
