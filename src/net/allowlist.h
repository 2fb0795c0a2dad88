/*
 * allowlist.h: where floe may connect to: the rules of floe.allowed_hosts.
 *
 * A comma-separated list of
 *
 *     catalog.example.com          a host, any port
 *     catalog.example.com:8181     a host, one port
 *     *.example.com                every host below a domain, not the domain itself
 *     10.0.0.0/8, fd00::/8         addresses, for URLs that name an address
 *     192.0.2.7, [2001:db8::1]:80  one address
 *     *                            every host
 *
 * An empty list allows every host.  Link-local and cloud metadata addresses
 * (169.254.0.0/16, fe80::/10, fd00:ec2::254, fd20:ce::254) are different: only
 * an entry that is an address or a network, and contains them, allows them.
 * They are refused in URLs and again when a name has been resolved, so that a
 * DNS entry cannot lead there.
 */
#ifndef FLOE_NET_ALLOWLIST_H
#define FLOE_NET_ALLOWLIST_H

#include "base/status.h"
#include "base/url.h"

struct sockaddr;

typedef struct FloeAllowList FloeAllowList;

/* malloc'ed, to be freed by the caller; NULL: FLOE_ERR_CONFIG naming the entry, or FLOE_ERR_NOMEM. NULL text is "". */
extern FloeAllowList *floe_allowlist_parse(const char *text, FloeStatus *st);
extern void floe_allowlist_free(FloeAllowList *list); /* NULL is allowed */

/* Before a request is sent; FLOE_ERR_DENIED. */
extern bool floe_allowlist_check_url(const FloeAllowList *list, const FloeUrl *url, FloeStatus *st);

/*
 * Before a socket connects, for the address that url's host was resolved to;
 * FLOE_ERR_DENIED.  Does not allocate: called inside libcurl's callback.
 */
extern bool floe_allowlist_check_address(const FloeAllowList *list, const struct sockaddr *address, const FloeUrl *url,
										 FloeStatus *st);

#endif /* FLOE_NET_ALLOWLIST_H */
