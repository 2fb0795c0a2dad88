/*
 * place.c: building the URLs of objects.
 *
 * Sources: Google, "Cloud Storage request endpoints" and "Objects: get"
 * (JSON API); Microsoft, "Path - Read" and "Path - Get Properties" (Azure Data
 * Lake Storage Gen2 REST API) and Hadoop's "ABFS" for the form of its
 * locations; Amazon, "Amazon S3 endpoints and quotas".
 */
#include "floe.h"

#include "store/place.h"

#include <string.h>

#define REGION_MAX 63 /* a label of a host name */

/* The first of a line is what the others are aliases of. */
static const char *const families[][4] = {
	{"s3", "s3a", "s3n"},
	{"gs", "gcs"},
	{"abfss", "abfs", "wasbs", "wasb"},
};

/* The family of a location, and where its scheme ends; -1: none of these. */
static int
family_of(const char *text, const char **rest)
{
	const char *colon = strstr(text, "://");
	size_t len = colon != NULL ? (size_t) (colon - text) : 0;

	for (size_t i = 0; i < lengthof(families) && colon != NULL; i++)
	{
		for (size_t j = 0; j < lengthof(families[i]) && families[i][j] != NULL; j++)
		{
			if (strlen(families[i][j]) == len && pg_strncasecmp(text, families[i][j], len) == 0)
			{
				*rest = colon + 3;
				return (int) i;
			}
		}
	}
	return -1;
}

/* A prefix that ends in the name of a bucket or an account means that one, and none whose name goes on. */
static bool
begins_with(const char *location, const char *prefix, const char *name)
{
	size_t len = strlen(prefix);

	if (strncmp(location, prefix, len) != 0)
		return false;
	return name == NULL || *name == '\0' || strchr(name, '/') != NULL || location[len] == '/' || location[len] == '\0';
}

bool
floe_place_begins_with(const char *location, const char *prefix)
{
	const char *of_location;
	const char *of_prefix;
	int family = family_of(prefix, &of_prefix);
	const char *name = strstr(prefix, "://");

	if (family >= 0 && family_of(location, &of_location) == family)
		return begins_with(of_location, of_prefix, of_prefix);
	return begins_with(location, prefix, name != NULL ? name + 3 : NULL);
}

static bool
is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		   c == '_' || c == '~';
}

void
floe_place_encode(FloeBuf *out, const char *text, bool keep_slash)
{
	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
	{
		if (is_unreserved(*p) || (keep_slash && *p == '/'))
			floe_buf_char(out, (char) *p);
		else
			floe_buf_printf(out, "%%%02X", *p);
	}
}

bool
floe_place_bucket(const char *text, FloeArena *arena, const char **bucket, const char **key)
{
	const char *slash = strchr(text, '/');

	if (slash == NULL || slash == text || slash[1] == '\0')
		return false;
	*bucket = floe_arena_text(arena, text, (size_t) (slash - text));
	*key = slash + 1;
	return *bucket != NULL;
}

/* Takes the URL over into the arena. */
static const char *
finish(FloeArena *arena, FloeBuf *url)
{
	const char *text = url->failed ? NULL : floe_arena_text(arena, url->data, url->len);

	floe_buf_free(url);
	return text;
}

/* "https://" where the endpoint has no scheme, and no slash at its end. */
static void
append_endpoint(FloeBuf *url, const char *endpoint)
{
	size_t len = strlen(endpoint);

	while (len > 0 && endpoint[len - 1] == '/')
		len--;
	if (strstr(endpoint, "://") == NULL)
		floe_buf_text(url, "https://");
	floe_buf_append(url, endpoint, len);
}

const char *
floe_place_gcs(FloeArena *arena, const char *endpoint, const char *bucket, const char *key, bool size_only)
{
	FloeBuf url;

	/* the name is one segment of the path, its slashes encoded like the rest: "a//b" and "../a" are names like any other */
	floe_buf_init(&url, FLOE_URL_MAX);
	append_endpoint(&url, endpoint);
	floe_buf_text(&url, "/storage/v1/b/");
	floe_place_encode(&url, bucket, false);
	floe_buf_text(&url, "/o/");
	floe_place_encode(&url, key, false);
	floe_buf_text(&url, size_only ? "?fields=size" : "?alt=media");
	return finish(arena, &url);
}

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);
	size_t n = strlen(end);

	return len > n && pg_strcasecmp(text + len - n, end) == 0;
}

/* "account.WHAT.suffix" with another WHAT; hosts of another form stay as they are. */
static const char *
with_service(FloeArena *arena, const char *host, const char *service)
{
	const char *dot = host != NULL ? strchr(host, '.') : NULL;
	size_t account = dot != NULL ? (size_t) (dot - host) : 0;
	char text[FLOE_HOST_MAX + 8];

	if (dot == NULL || (strncmp(dot, ".dfs.", 5) != 0 && strncmp(dot, ".blob.", 6) != 0))
		return host;
	snprintf(text, sizeof(text), "%.*s.%s%s", (int) account, host, service, strchr(dot + 1, '.'));
	return floe_arena_text(arena, text, strlen(text));
}

bool
floe_place_adls(const char *text, FloeArena *arena, FloePlaceAdls *place, FloeStatus *st)
{
	static const char *const microsoft[] = {".core.windows.net", ".core.chinacloudapi.cn", ".core.usgovcloudapi.net",
											".dfs.fabric.microsoft.com", ".blob.fabric.microsoft.com"};
	size_t authority = strcspn(text, "/");
	const char *at = memchr(text, '@', authority);
	size_t container = at != NULL ? (size_t) (at - text) : 0;
	size_t host_len = at != NULL ? authority - container - 1 : 0;
	char host[FLOE_HOST_MAX + 32];
	FloeUrl url;

	memset(place, 0, sizeof(*place));
	if (at == NULL || container == 0 || text[authority] != '/' || text[authority + 1] == '\0')
		return floe_fail(st, FLOE_ERR_CORRUPT, "it is not container@account.dfs.core.windows.net/path");
	if (host_len == 0 || host_len > FLOE_HOST_MAX)
		return floe_fail(st, FLOE_ERR_CORRUPT, "its account is not a host name");
	for (size_t i = 0; i < host_len; i++)
		host[i] = (char) pg_ascii_tolower((unsigned char) at[1 + i]);
	host[host_len] = '\0';
	if (strchr(host, '.') == NULL)
		strlcat(host, ".dfs.core.windows.net", sizeof(host));
	/* an account has a name: an address without one would not be a host in a URL either, if it is IPv6's */
	if (!floe_url_parse_host(host, strlen(host), &url, st) || strchr(url.host, ':') != NULL)
		return floe_fail(st, FLOE_ERR_CORRUPT, "its account is not a host name");
	place->container = floe_arena_text(arena, text, container);
	place->host = with_service(arena, floe_arena_text(arena, url.host, strlen(url.host)), "dfs");
	place->account = floe_arena_text(arena, url.host, strcspn(url.host, "."));
	place->path = text + authority + 1;
	if (place->container == NULL || place->host == NULL || place->account == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory");
	place->blob_host = with_service(arena, place->host, "blob");
	if (place->blob_host == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < lengthof(microsoft); i++)
		place->is_microsoft |= ends_with(place->host, microsoft[i]);
	return true;
}

const char *
floe_place_adls_url(FloeArena *arena, const char *endpoint, const FloePlaceAdls *place, const char *sas)
{
	FloeBuf url;

	floe_buf_init(&url, FLOE_URL_MAX);
	append_endpoint(&url, endpoint != NULL ? endpoint : place->host);
	floe_buf_char(&url, '/');
	floe_place_encode(&url, place->container, false);
	floe_buf_char(&url, '/');
	floe_place_encode(&url, place->path, true);
	if (sas != NULL)
		floe_buf_printf(&url, "?%s", *sas == '?' ? sas + 1 : sas);
	return finish(arena, &url);
}

const char *
floe_place_url(FloeArena *arena, const char *location)
{
	FloeBuf url;

	floe_buf_init(&url, FLOE_URL_MAX);
	for (const unsigned char *p = (const unsigned char *) location; *p != '\0'; p++)
	{
		/* "%" stands for itself only in names, and this is a URL */
		if (*p <= ' ' || *p >= 0x7F || strchr("\"<>\\^`{|}", *p) != NULL)
			floe_buf_printf(&url, "%%%02X", *p);
		else
			floe_buf_char(&url, (char) *p);
	}
	return finish(arena, &url);
}

bool
floe_place_is_region(const char *text)
{
	size_t len = strlen(text);

	for (const char *p = text; *p != '\0'; p++)
	{
		if (!is_unreserved((unsigned char) *p) || strchr("._~", *p) != NULL)
			return false;
	}
	return len > 0 && len <= REGION_MAX && text[0] != '-' && text[len - 1] != '-';
}

void
floe_place_amazon(FloeBuf *out, const char *region)
{
	floe_buf_printf(out, "https://s3.%s.amazonaws.com%s", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}
