/*
 * url.h: the URLs floe accepts, taken apart once and the same way everywhere.
 *
 * Used by the validator of server options, by the egress rules and before any
 * URL reaches libcurl.  It accepts less than RFC 3986 allows, so that no two
 * parsers can disagree about which host a URL means: http or https only,
 * visible ASCII only, no user:password@, no fragment, no percent-encoded or
 * half-numeric host ("127.1", "0x7f000001"), no backslash.
 */
#ifndef FLOE_BASE_URL_H
#define FLOE_BASE_URL_H

#include "base/status.h"

#define FLOE_URL_MAX 8192 /* bytes of a whole URL */
#define FLOE_HOST_MAX 253 /* bytes of a host name (RFC 1035) */
#define FLOE_ORIGIN_SIZE (FLOE_HOST_MAX + 20)

typedef struct FloeUrl
{
	bool https;
	bool is_literal;              /* host is an IPv4 or IPv6 address */
	int port;                     /* as written, or the scheme's own */
	char host[FLOE_HOST_MAX + 1]; /* lower case; IPv6 in its shortest form, without brackets */
	const char *target;           /* path and query, inside the parsed text; may be empty */
} FloeUrl;

/*
 * Fills *url, which points into text.  On failure FLOE_ERR_CONFIG; the message
 * never repeats the URL, because a refused one may hold a password.
 */
extern bool floe_url_parse(const char *text, FloeUrl *url, FloeStatus *st);

/* A host as it stands in a URL or an allow-list, IPv6 without brackets: checks it and fills host and is_literal. */
extern bool floe_url_parse_host(const char *text, size_t len, FloeUrl *url, FloeStatus *st);

/* Same scheme, host and port (RFC 6454). */
extern bool floe_url_same_origin(const FloeUrl *a, const FloeUrl *b);

/* "https://example.com:443", "example.com:443"; size FLOE_ORIGIN_SIZE is enough. */
extern void floe_url_origin(const FloeUrl *url, char *out, size_t size);
extern void floe_url_host_port(const FloeUrl *url, char *out, size_t size);

/* As the Host header has it (RFC 9110, 7.2): without the scheme's own port. */
extern void floe_url_host_header(const FloeUrl *url, char *out, size_t size);

/* Nothing in it but what a query may hold as it is; a "?" at its front is allowed. */
extern bool floe_url_is_query(const char *text);

#endif /* FLOE_BASE_URL_H */
