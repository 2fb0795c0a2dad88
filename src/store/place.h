/*
 * place.h: where objects are: from a location to a URL, a host or a region's name.
 *
 * Pure functions over text, because most of what can go wrong between a
 * location and a request is a character: test/unit/test_place.c has them.
 * A name in a location of s3:, gs: or abfs: is the object's name as it is, byte
 * by byte, and not percent-encoded.
 */
#ifndef FLOE_STORE_PLACE_H
#define FLOE_STORE_PLACE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/url.h"

/* Schemes of one store count as one where the prefix of a vended credential is compared. */
extern bool floe_place_begins_with(const char *location, const char *prefix);

/* Percent-encodes all but the unreserved characters of RFC 3986, and perhaps the slash. */
extern void floe_place_encode(FloeBuf *out, const char *text, bool keep_slash);

/* "bucket/key" taken apart; false without one of them. *key points into the text. */
extern bool floe_place_bucket(const char *text, FloeArena *arena, const char **bucket, const char **key);

/*
 * Of Google Cloud Storage, by its JSON API: the object's bytes, or a document
 * that has its size.  NULL when the arena refuses or the URL is too long.
 */
extern const char *floe_place_gcs(FloeArena *arena, const char *endpoint, const char *bucket, const char *key,
								  bool size_only);

/* container@account.dfs.core.windows.net/path; everything is in the arena. */
typedef struct FloePlaceAdls
{
	const char *container;
	const char *account;   /* "account" */
	const char *host;      /* of the DFS endpoint: "account.dfs.core.windows.net" */
	const char *blob_host; /* the same account's as the Blob service calls it */
	const char *path;      /* without leading slash */
	bool is_microsoft;     /* the host is one of Microsoft's storage services */
} FloePlaceAdls;

extern bool floe_place_adls(const char *text, FloeArena *arena, FloePlaceAdls *place, FloeStatus *st);

/* endpoint: NULL is the account's own. sas: NULL or "sv=…", with or without its "?". NULL as above. */
extern const char *floe_place_adls_url(FloeArena *arena, const char *endpoint, const FloePlaceAdls *place,
									   const char *sas);

/* A location that is a URL already: what no URL may hold is encoded, the rest has its meaning. NULL as above. */
extern const char *floe_place_url(FloeArena *arena, const char *location);

/* Letters, digits and hyphens, as every region of Amazon's and of those who imitate it is called. */
extern bool floe_place_is_region(const char *text);

/* Amazon's endpoint of a region. */
extern void floe_place_amazon(FloeBuf *out, const char *region);

#endif /* FLOE_STORE_PLACE_H */
