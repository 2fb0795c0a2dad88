/*
 * url.c: splitting and checking of http and https URLs.
 *
 * Own code although libcurl has a parser: this is the security border (the
 * allow-list and the redirect rule decide on what it returns), it must run
 * where libcurl may not be included, and it must refuse what libcurl would
 * quietly repair.
 */
#include "floe.h"

#include "base/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LABEL_MAX 63

static bool
malformed(FloeStatus *st, const char *why)
{
	return floe_fail(st, FLOE_ERR_CONFIG, "malformed URL: %s", why);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

/*
 * Would some resolver read this label as a number?  A name whose last label
 * does is taken for an address by inet_aton() (WHATWG "ends in a number").
 */
static bool
label_is_number(const char *label, size_t len)
{
	if (len >= 2 && label[0] == '0' && label[1] == 'x')
		return strspn(label + 2, "0123456789abcdef") >= len - 2;
	return strspn(label, "0123456789") >= len;
}

static bool
parse_name(FloeUrl *url, FloeStatus *st)
{
	const char *label = url->host;

	for (;;)
	{
		size_t len = 0;

		while (is_host_char(label[len]))
			len++;
		if (len == 0 || len > LABEL_MAX || (label[len] != '.' && label[len] != '\0'))
			return malformed(st, "the host is not a valid name or address");
		if (label[len] == '\0')
		{
			if (label_is_number(label, len))
				return malformed(st, "the host is neither a name nor a complete address");
			return true;
		}
		label += len + 1;
	}
}

bool
floe_url_parse_host(const char *text, size_t len, FloeUrl *url, FloeStatus *st)
{
	unsigned char address[16];

	if (len > 1 && text[len - 1] == '.')
		len--; /* the root label: "example.com." is the same host */
	if (len == 0)
		return malformed(st, "the host is missing");
	if (len > FLOE_HOST_MAX)
		return malformed(st, "the host name is too long");
	for (size_t i = 0; i < len; i++)
		url->host[i] = lower(text[i]);
	url->host[len] = '\0';
	if (strlen(url->host) != len)
		return malformed(st, "the host is not a valid name or address");

	url->is_literal = true;
	if (inet_pton(AF_INET, url->host, address) == 1)
		return true;
	if (memchr(url->host, ':', len) != NULL)
	{
		if (inet_pton(AF_INET6, url->host, address) != 1)
			return malformed(st, "the host is not a valid IPv6 address");
		inet_ntop(AF_INET6, address, url->host, sizeof(url->host));
		return true;
	}
	url->is_literal = false;
	return parse_name(url, st);
}

/* ":8080" or nothing, up to the end of the authority. */
static bool
parse_port(const char *pos, const char *end, FloeUrl *url, FloeStatus *st)
{
	int port = 0;

	if (pos == end)
	{
		url->port = url->https ? 443 : 80;
		return true;
	}
	if (*pos != ':')
		return malformed(st, "the host is not a valid name or address");
	for (pos++; pos < end && is_digit(*pos) && port <= 65535; pos++)
		port = port * 10 + (*pos - '0');
	if (pos < end || port < 1 || port > 65535)
		return malformed(st, "the port is not a number from 1 to 65535");
	url->port = port;
	return true;
}

static bool
parse_authority(const char *pos, const char *end, FloeUrl *url, FloeStatus *st)
{
	const char *host_end;

	if (memchr(pos, '@', (size_t) (end - pos)) != NULL)
		return malformed(st, "user name and password do not belong into a URL");
	if (pos < end && *pos == '[')
	{
		pos++;
		host_end = memchr(pos, ']', (size_t) (end - pos));
		if (host_end == NULL || memchr(pos, ':', (size_t) (host_end - pos)) == NULL)
			return malformed(st, "the host is not a valid IPv6 address");
		if (!floe_url_parse_host(pos, (size_t) (host_end - pos), url, st))
			return false;
		return parse_port(host_end + 1, end, url, st);
	}
	host_end = memchr(pos, ':', (size_t) (end - pos));
	if (host_end == NULL)
		host_end = end;
	return floe_url_parse_host(pos, (size_t) (host_end - pos), url, st) && parse_port(host_end, end, url, st);
}

bool
floe_url_parse(const char *text, FloeUrl *url, FloeStatus *st)
{
	const char *pos;

	memset(url, 0, sizeof(*url));
	if (strnlen(text, FLOE_URL_MAX + 1) > FLOE_URL_MAX)
		return malformed(st, "it is longer than 8192 bytes");
	for (pos = text; *pos != '\0'; pos++)
	{
		if ((unsigned char) *pos <= ' ' || (unsigned char) *pos >= 0x7F || strchr("\"<>\\^`{|}", *pos) != NULL)
			return malformed(st, "it holds a character that must be percent-encoded");
		if (*pos == '#')
			return malformed(st, "a fragment (#...) cannot be sent to a server");
	}
	if (pg_strncasecmp(text, "http://", 7) == 0)
		pos = text + 7;
	else if (pg_strncasecmp(text, "https://", 8) == 0)
	{
		pos = text + 8;
		url->https = true;
	}
	else
		return malformed(st, "it must begin with http:// or https://");
	url->target = pos + strcspn(pos, "/?");
	return parse_authority(pos, url->target, url, st);
}

bool
floe_url_same_origin(const FloeUrl *a, const FloeUrl *b)
{
	return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

void
floe_url_host_port(const FloeUrl *url, char *out, size_t size)
{
	snprintf(out, size, strchr(url->host, ':') != NULL ? "[%s]:%d" : "%s:%d", url->host, url->port);
}

void
floe_url_host_header(const FloeUrl *url, char *out, size_t size)
{
	if (url->port == (url->https ? 443 : 80))
		snprintf(out, size, strchr(url->host, ':') != NULL ? "[%s]" : "%s", url->host);
	else
		floe_url_host_port(url, out, size);
}

void
floe_url_origin(const FloeUrl *url, char *out, size_t size)
{
	char host_port[FLOE_ORIGIN_SIZE];

	floe_url_host_port(url, host_port, sizeof(host_port));
	snprintf(out, size, "%s://%s", url->https ? "https" : "http", host_port);
}

bool
floe_url_is_query(const char *text)
{
	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
	{
		if (*p <= ' ' || *p >= 0x7F || strchr("\"<>\\^`{|}#", *p) != NULL)
			return false;
	}
	return text[0] != '\0' && strcmp(text, "?") != 0;
}
