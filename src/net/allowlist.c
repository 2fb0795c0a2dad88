/*
 * allowlist.c: parsing and matching of floe.allowed_hosts.
 *
 * Pure: no libcurl, no server, so that the unit tests and the check hook of
 * the setting use the code that guards the connections.
 */
#include "floe.h"

#include "net/allowlist.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* An address in one form for both families: IPv4 as ::ffff:a.b.c.d. */
typedef struct Address
{
	unsigned char bytes[16];
} Address;

typedef struct Network
{
	Address address;
	int prefix; /* bits of the 128 that count */
} Network;

typedef enum EntryKind
{
	ENTRY_ANY,
	ENTRY_HOST,
	ENTRY_SUFFIX,
	ENTRY_NETWORK
} EntryKind;

typedef struct Entry
{
	EntryKind kind;
	int port;                     /* 0: any */
	char host[FLOE_HOST_MAX + 2]; /* for a suffix with its leading dot */
	Network network;
} Entry;

struct FloeAllowList
{
	int nentries;
	Entry entries[FLEXIBLE_ARRAY_MEMBER];
};

static const Network never_by_name[] = {
	{{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 169, 254, 0, 0}}, 112},      /* IPv4 link-local, instance metadata */
	{{{0xFE, 0x80}}, 10},                                                     /* IPv6 link-local */
	{{{0xFD, 0, 0x0E, 0xC2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}}, 128}, /* metadata of AWS */
	{{{0xFD, 0x20, 0, 0xCE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}}, 128}, /* metadata of Google Cloud */
};

static void
from_v4(Address *address, const void *v4)
{
	memset(address->bytes, 0, 10);
	memset(address->bytes + 10, 0xFF, 2);
	memcpy(address->bytes + 12, v4, 4);
}

/* IPv6 forms that carry an IPv4 address become that address: mapped, compatible, NAT64 (RFC 6052). */
static void
from_v6(Address *address, const void *v6)
{
	static const unsigned char compatible[12] = {0};
	static const unsigned char nat64[12] = {0, 0x64, 0xFF, 0x9B};
	const unsigned char *bytes = v6;

	if ((memcmp(bytes, compatible, 12) == 0 && (bytes[12] != 0 || bytes[13] != 0)) || memcmp(bytes, nat64, 12) == 0)
		from_v4(address, bytes + 12);
	else
		memcpy(address->bytes, bytes, 16);
}

/* For networks the bits stay as written: a prefix of 64:ff9b::/96 must not turn into all of IPv4. */
static bool
from_text(Address *address, const char *text, bool is_network, int *bits)
{
	unsigned char raw[16];

	if (inet_pton(AF_INET, text, raw) == 1)
	{
		from_v4(address, raw);
		*bits = 32;
		return true;
	}
	if (inet_pton(AF_INET6, text, raw) == 1)
	{
		if (is_network)
			memcpy(address->bytes, raw, 16);
		else
			from_v6(address, raw);
		*bits = 128;
		return true;
	}
	return false;
}

static bool
contains(const Network *network, const Address *address)
{
	int whole = network->prefix / 8;
	int rest = network->prefix % 8;

	if (memcmp(network->address.bytes, address->bytes, (size_t) whole) != 0)
		return false;
	return rest == 0 || ((network->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

static bool
bad_entry(FloeStatus *st, const char *text, const char *why)
{
	return floe_fail(st, FLOE_ERR_CONFIG, "allowed hosts: entry \"%.100s\" %s", text, why);
}

/* "address/bits" */
static bool
parse_network(const char *text, const char *slash, Entry *entry, FloeStatus *st)
{
	char host[FLOE_HOST_MAX + 1];
	int bits;
	char *end;
	long prefix;

	floe_copy_text(host, sizeof(host), text, (size_t) (slash - text));
	if (!from_text(&entry->network.address, host, true, &bits))
		return bad_entry(st, text, "is not a network");
	prefix = strtol(slash + 1, &end, 10);
	if (end == slash + 1 || *end != '\0' || prefix < 0 || prefix > bits)
		return bad_entry(st, text, "has no valid prefix length");
	entry->kind = ENTRY_NETWORK;
	entry->network.prefix = (int) prefix + (bits == 32 ? 96 : 0);
	return true;
}

/*
 * Splits "host", "host:port", "[v6]" and "[v6]:port" in place; *port is NULL
 * without one.  More than one colon without brackets is an IPv6 address.
 */
static char *
split_port(char *text, char **port)
{
	char *colon = strchr(text, ':');

	*port = NULL;
	if (text[0] == '[')
	{
		char *close = strchr(text, ']');

		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return NULL;
		if (close[1] == ':')
			*port = close + 2;
		*close = '\0';
		return text + 1;
	}
	if (colon != NULL && strchr(colon + 1, ':') == NULL)
	{
		*port = colon + 1;
		*colon = '\0';
	}
	return text;
}

/* One entry, trimmed and terminated. */
static bool
parse_entry(const char *text, Entry *entry, FloeStatus *st)
{
	char buffer[FLOE_HOST_MAX + 32];
	const char *slash = strchr(text, '/');
	char *host;
	char *port;
	bool suffix;
	FloeUrl url;
	int bits;

	if (strlen(text) >= sizeof(buffer))
		return bad_entry(st, text, "is too long");
	if (slash != NULL)
		return parse_network(text, slash, entry, st);

	strcpy(buffer, text);
	host = split_port(buffer, &port);
	if (host == NULL)
		return bad_entry(st, text, "is not an IPv6 address in brackets");
	if (port != NULL)
	{
		char *end;
		long value = strtol(port, &end, 10);

		if (*port < '0' || *port > '9' || *end != '\0' || value < 1 || value > 65535)
			return bad_entry(st, text, "has no valid port");
		entry->port = (int) value;
	}
	if (strcmp(host, "*") == 0)
	{
		entry->kind = ENTRY_ANY;
		return true;
	}
	suffix = strncmp(host, "*.", 2) == 0;
	if (suffix)
		host += 2;
	if (!floe_url_parse_host(host, strlen(host), &url, st) || (suffix && url.is_literal))
		return bad_entry(st, text, "is not a host, an address or a network");
	if (url.is_literal && from_text(&entry->network.address, url.host, false, &bits))
	{
		entry->kind = ENTRY_NETWORK;
		entry->network.prefix = 128;
		return true;
	}
	entry->kind = suffix ? ENTRY_SUFFIX : ENTRY_HOST;
	entry->host[0] = '.';
	strcpy(entry->host + (suffix ? 1 : 0), url.host);
	return true;
}

FloeAllowList *
floe_allowlist_parse(const char *text, FloeStatus *st)
{
	FloeAllowList *list;
	size_t count = 1;

	if (text == NULL)
		text = "";
	for (const char *p = text; *p != '\0'; p++)
		count += *p == ',';
	list = calloc(1, offsetof(FloeAllowList, entries) + count * sizeof(Entry));
	if (list == NULL)
	{
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory while reading the list of allowed hosts");
		return NULL;
	}
	while (*text != '\0')
	{
		char entry[FLOE_HOST_MAX + 64];
		size_t len = strcspn(text, ",");
		const char *next = text + len + (text[len] == ',' ? 1 : 0);

		while (len > 0 && (*text == ' ' || *text == '\t' || *text == '\n'))
			text++, len--;
		while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\n'))
			len--;
		floe_copy_text(entry, sizeof(entry), text, len);
		if (len > 0 && !parse_entry(entry, &list->entries[list->nentries++], st))
		{
			free(list);
			return NULL;
		}
		text = next;
	}
	return list;
}

void
floe_allowlist_free(FloeAllowList *list)
{
	free(list);
}

static bool
entry_allows(const Entry *entry, const FloeUrl *url, const Address *literal)
{
	size_t host_len = strlen(url->host);
	size_t len = strlen(entry->host);

	if (entry->port != 0 && entry->port != url->port)
		return false;
	switch (entry->kind)
	{
		case ENTRY_ANY:
			return true;
		case ENTRY_HOST:
			return strcmp(entry->host, url->host) == 0;
		case ENTRY_SUFFIX:
			return !url->is_literal && host_len > len && strcmp(url->host + host_len - len, entry->host) == 0;
		case ENTRY_NETWORK:
			return literal != NULL && contains(&entry->network, literal);
	}
	return false;
}

/* Link-local and metadata addresses need an entry that is an address. */
static bool
address_allowed(const FloeAllowList *list, const Address *address, int port)
{
	bool special = false;

	for (size_t i = 0; i < lengthof(never_by_name); i++)
		special |= contains(&never_by_name[i], address);
	if (!special)
		return true;
	for (int i = 0; i < list->nentries; i++)
	{
		const Entry *entry = &list->entries[i];

		if (entry->kind == ENTRY_NETWORK && (entry->port == 0 || entry->port == port) &&
			contains(&entry->network, address))
			return true;
	}
	return false;
}

bool
floe_allowlist_check_url(const FloeAllowList *list, const FloeUrl *url, FloeStatus *st)
{
	Address address;
	Address *literal = NULL;
	bool allowed = list->nentries == 0;
	int bits;

	if (url->is_literal && from_text(&address, url->host, false, &bits))
		literal = &address;
	for (int i = 0; i < list->nentries && !allowed; i++)
		allowed = entry_allows(&list->entries[i], url, literal);
	if (!allowed)
		return floe_fail(st, FLOE_ERR_DENIED, "host \"%s\" (port %d) is not in floe.allowed_hosts", url->host,
						 url->port);
	if (literal != NULL && !address_allowed(list, literal, url->port))
		return floe_fail(st, FLOE_ERR_DENIED,
						 "address %s is link-local or a metadata service and not listed in floe.allowed_hosts",
						 url->host);
	return true;
}

bool
floe_allowlist_check_address(const FloeAllowList *list, const struct sockaddr *address, const FloeUrl *url,
							 FloeStatus *st)
{
	Address binary;
	char text[INET6_ADDRSTRLEN] = "";

	if (address->sa_family == AF_INET)
	{
		const struct sockaddr_in *v4 = (const struct sockaddr_in *) address;

		from_v4(&binary, &v4->sin_addr);
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
	}
	else if (address->sa_family == AF_INET6)
	{
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) address;

		from_v6(&binary, &v6->sin6_addr);
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
	}
	else
		return floe_fail(st, FLOE_ERR_DENIED, "host \"%s\" resolves to something that is no internet address",
						 url->host);
	if (!address_allowed(list, &binary, url->port))
		return floe_fail(
			st, FLOE_ERR_DENIED,
			"host \"%s\" resolves to %s, a link-local or metadata address that is not listed in floe.allowed_hosts",
			url->host, text);
	return true;
}
