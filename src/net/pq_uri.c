/*
 * pq_uri.c: which URIs of databases floe connects to.
 */
#include "floe.h"

#include "net/pq.h"

#include "libpq-fe.h"

#include <stdlib.h>
#include <string.h>

/* Of libpq's parameters those that neither read files nor run or impersonate anything on this machine. */
static bool
is_allowed(const char *keyword)
{
	static const char *const allowed[] = {"host",    "port",   "dbname",          "user",
										  "sslmode", "sslsni", "channel_binding", "target_session_attrs"};

	for (size_t i = 0; i < lengthof(allowed); i++)
	{
		if (strcmp(keyword, allowed[i]) == 0)
			return true;
	}
	return false;
}

static bool
check_parameters(const PQconninfoOption *options, FloeUrl *url, FloeStatus *st)
{
	const char *host = NULL;
	const char *port = NULL;

	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
	{
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "password") == 0)
			return floe_fail_detail(st, FLOE_ERR_CONFIG, "The user mapping has \"password\" and \"password_file\".",
									"the URI of the database holds a password");
		if (!is_allowed(o->keyword))
			return floe_fail(st, FLOE_ERR_CONFIG, "the URI of the database must not have the parameter \"%s\"",
							 o->keyword);
		if (strcmp(o->keyword, "host") == 0)
			host = o->val;
		if (strcmp(o->keyword, "port") == 0)
			port = o->val;
	}
	if (host == NULL || host[0] == '\0' || host[0] == '/' || host[0] == '@' || strchr(host, ',') != NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "the URI of the database must name one host, which is reached over TCP");
	url->port = port != NULL ? atoi(port) : 5432;
	return floe_url_parse_host(host, strlen(host), url, st);
}

bool
floe_pq_parse_uri(const char *uri, FloeUrl *url, FloeStatus *st)
{
	PQconninfoOption *options;
	bool ok;

	memset(url, 0, sizeof(*url));
	url->target = "";
	if (strncmp(uri, "postgresql://", 13) != 0 && strncmp(uri, "postgres://", 11) != 0)
		return floe_fail(st, FLOE_ERR_CONFIG, "the URI of the database does not begin with postgresql://");
	options = PQconninfoParse(uri, NULL);
	if (options == NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "the URI of the database is malformed");
	ok = check_parameters(options, url, st);
	PQconninfoFree(options);
	return ok;
}

bool
floe_pq_check_uri(const char *uri, FloeStatus *st)
{
	FloeUrl url;

	return floe_pq_parse_uri(uri, &url, st);
}
