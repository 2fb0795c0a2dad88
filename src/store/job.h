/*
 * job.h: one read under way (store/ only).
 *
 * A job may be started more than once: signed for another region, or with
 * credentials that were renewed meanwhile.  Each time its scheme's function
 * finds everything anew and sends one request.
 */
#ifndef FLOE_STORE_JOB_H
#define FLOE_STORE_JOB_H

#include "base/arena.h"
#include "conn/redact.h"
#include "store/store.h"

#define FLOE_STORE_SHOWN_MAX 128
#define FLOE_STORE_REASON_MAX 64

typedef struct FloeStoreJob FloeStoreJob;

/* What the store said when it refused; both are people's text, redacted, perhaps empty. */
typedef struct FloeStoreRefusal
{
	FloeCode code;
	int http_status;
	char reason[FLOE_STORE_REASON_MAX]; /* "NoSuchKey", "AuthenticationFailed" */
	char detail[FLOE_STATUS_DETAIL_SIZE];
} FloeStoreRefusal;

typedef struct FloeStoreScheme
{
	const char *name; /* "s3://" */
	/* Sends a request by floe_store_object_get(), or fills st and returns false. */
	bool (*start)(FloeStoreJob *job);
	/* True: the job goes on otherwise. May change the code and the detail. NULL: a refusal is a refusal. */
	bool (*refused)(FloeStoreJob *job, const FloeHttpResponse *response, FloeStoreRefusal *refusal);
	/* How a size comes that was not asked for by HEAD; NULL: by HEAD. */
	int64_t (*read_size)(const FloeHttpResponse *response);
} FloeStoreScheme;

extern const FloeStoreScheme floe_store_s3;
extern const FloeStoreScheme floe_store_gcs;
extern const FloeStoreScheme floe_store_adls;
extern const FloeStoreScheme floe_store_https;

struct FloeStoreJob
{
	MemoryContext context; /* of this job alone */
	FloeStore *store;
	FloeStoreRead read;
	char *location;
	char shown[FLOE_STORE_SHOWN_MAX]; /* the location for messages */
	FloeStatus st;
	FloeBuf data;
	int64_t size;

	/* of schemes over HTTP */
	const FloeStoreScheme *scheme;
	const char *name; /* the location after its scheme */
	FloeArena *arena;
	FloeRedaction secrets; /* what this job's requests had */
	bool vended;           /* its credentials came with the table, and not from the user mapping */
	int64 vended_end_ms;   /* when they run out, since 1970; -1: unknown */
	uint64 generation;     /* of the grants they are of */
	bool renewed;          /* the catalog was asked for new ones */
	bool moved;            /* sent again for another region */
	const char *region;    /* it was signed for */
};

extern void floe_store_finish(FloeStoreJob *job);

/* file.c */
extern void floe_store_file_start(FloeStoreJob *job, const char *path);

/* object.c */
extern void floe_store_object_start(FloeStoreJob *job);
/* Fills what is the same for all in the request, and sends it. */
extern bool floe_store_object_get(FloeStoreJob *job, FloeHttpRequest *request);
/* An XML element's text, without entities: for people. */
extern void floe_store_element(const FloeBuf *body, const char *name, char *out, size_t size);

/* grant.c */

/* The grant with the longest prefix of the location that has this key; NULL: none. */
extern const FloeStoreGrant *floe_store_grant_with(const FloeStoreJob *job, const char *key);
/* NULL: it has none of that key, or there is no grant. */
extern const char *floe_store_granted(const FloeStoreGrant *grant, const char *key);
/* The server's option, what came with the table, what the catalog says for all tables. */
extern const char *floe_store_setting(const FloeStoreJob *job, const char *option, const char *key);
/* These credentials are used, and expire by this key of the grant; both are secrets from here on. */
extern void floe_store_use_grant(FloeStoreJob *job, const FloeStoreGrant *grant, const char *expiry_key);
/* They run out soon, or have been refused because they did: true when the job waits for others and is started again. */
extern bool floe_store_renew_early(FloeStoreJob *job);
extern bool floe_store_renew_late(FloeStoreJob *job, const FloeStoreRefusal *refusal);

#endif /* FLOE_STORE_JOB_H */
