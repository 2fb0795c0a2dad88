/*
 * sigv4.h: AWS Signature Version 4 in headers, for object stores and for catalogs behind AWS APIs.
 *
 * Own code, although libcurl can sign: libcurl signs the path as it is
 * written, while the server signs its own encoding of it, so every key with
 * "=", "+" or ":" is refused (partition folders of Iceberg tables have "=" in
 * nearly every path); it does not sort the query; and what it encodes differs
 * from version to version.  Here one function makes both, the URL that is sent
 * and the string that is signed, so that they cannot disagree.
 *
 * Source: AWS, "Create a signed AWS API request" (IAM User Guide) and
 * "Signature Calculations for the Authorization Header" (Amazon S3 API
 * Reference).
 */
#ifndef FLOE_NET_SIGV4_H
#define FLOE_NET_SIGV4_H

#include "base/arena.h"
#include "base/status.h"
#include "base/url.h"
#include "net/http.h"

/* Values of payload_hash besides 64 hex digits. */
#define FLOE_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD" /* S3 only; over TLS, or where the body does not matter */
#define FLOE_SIGV4_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define FLOE_SIGV4_MAX_SECRET 200
#define FLOE_SIGV4_MAX_HEADERS (FLOE_HTTP_MAX_HEADERS + 4)

typedef struct FloeSigV4Param
{
	const char *name;
	const char *value; /* both raw; "" for a parameter without value, NULL is "" */
} FloeSigV4Param;

/*
 * A derived signing key, kept between calls: it changes once a day, and
 * deriving it is most of the work.  Zero-initialised is empty.  Holds a
 * secret: it lives and is wiped with the credentials.
 */
typedef struct FloeSigV4Key
{
	char scope[256]; /* "20130524/us-east-1/s3/aws4_request" */
	char secret[FLOE_SIGV4_MAX_SECRET + 1];
	uint8_t key[32];
} FloeSigV4Key;

typedef struct FloeSigV4Input
{
	const char *method;
	const FloeUrl *endpoint; /* scheme, host and port; its target is not used */

	/*
	 * The path, with or without its leading slash.  Raw: an object key as it
	 * is, "/bucket/a b=c".  Encoded: as it shall be sent (REST catalogs, where
	 * a level may hold an encoded slash).
	 */
	const char *path;
	bool path_is_encoded;

	const FloeSigV4Param *params; /* any order */
	int nparams;
	const FloeHttpHeader *headers; /* further headers to sign; the caller sends them */
	int nheaders;

	/*
	 * Which encoding of the path the server signs.  S3: each byte but
	 * A-Za-z0-9-._~/ percent-encoded once, nothing normalised, since "a//b"
	 * and "a/../b" are keys.  Other services: dot segments and double slashes
	 * removed, then the encoded path encoded again.
	 */
	bool s3;
	bool send_payload_hash;   /* as header x-amz-content-sha256; S3 demands it */
	const char *payload_hash; /* NULL: FLOE_SIGV4_EMPTY */

	const char *access_key;
	const char *secret_key;
	const char *session_token; /* NULL: none */
	const char *region;
	const char *service; /* "s3", "glue", … */
	int64_t time_ms;     /* wall clock */
	FloeSigV4Key *key;   /* NULL: derive it each time */
} FloeSigV4Input;

typedef struct FloeSigV4Output
{
	const char *url;           /* whole, to be requested as it is */
	FloeHttpHeader headers[4]; /* to be added: date, payload hash, token, authorization */
	int nheaders;
} FloeSigV4Output;

/*
 * Fills *out with memory of the arena.  FLOE_ERR_CONFIG for missing or
 * unusable credentials, FLOE_ERR_TOO_LARGE, FLOE_ERR_NOMEM.  No message ever
 * holds a key.
 */
extern bool floe_sigv4_sign(const FloeSigV4Input *in, FloeArena *arena, FloeSigV4Output *out, FloeStatus *st);

#endif /* FLOE_NET_SIGV4_H */
