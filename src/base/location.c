/*
 * location.c: one spelling for object locations.
 */
#include "floe.h"

#include "base/location.h"

#include <string.h>

#define KEY_MAX 4096

static size_t
scheme_len(const char *location, size_t len)
{
	size_t i = 0;

	while (i < len && ((location[i] >= 'a' && location[i] <= 'z') || (location[i] >= 'A' && location[i] <= 'Z') ||
					   (i > 0 && ((location[i] >= '0' && location[i] <= '9') || strchr("+-.", location[i]) != NULL))))
		i++;
	return i > 1 && i < len && location[i] == ':' ? i : 0;
}

static bool
is_scheme(const char *location, size_t scheme, const char *name)
{
	return scheme == strlen(name) && pg_strncasecmp(location, name, scheme) == 0;
}

/* What several schemes name is one store; the first one of a line stands for all. */
static const char *
alias_of(const char *location, size_t scheme)
{
	static const char *const aliases[][2] = {
		{"s3:", "s3a"}, {"s3:", "s3n"}, {"gs:", "gcs"}, {"abfss:", "abfs"}, {"abfss:", "wasbs"}, {"abfss:", "wasb"},
	};

	for (size_t i = 0; i < lengthof(aliases); i++)
	{
		if (is_scheme(location, scheme, aliases[i][1]))
			return aliases[i][0];
	}
	return NULL;
}

/* Azure's Blob service and its Data Lake have a host each for the same account: container@account.blob.suffix */
static void
append_azure(FloeBuf *out, const char *rest, size_t len)
{
	size_t start = len > 2 && rest[0] == '/' && rest[1] == '/' ? 2 : 0;
	size_t end = start;
	size_t at = start;

	while (end < len && rest[end] != '/')
		end++;
	while (at < end && rest[at] != '@')
		at++;
	while (at < end && rest[at] != '.')
		at++;
	if (end - at >= 6 && memcmp(rest + at, ".blob.", 6) == 0)
	{
		floe_buf_append(out, rest, at);
		floe_buf_text(out, ".dfs.");
		floe_buf_append(out, rest + at + 6, len - at - 6);
	}
	else
		floe_buf_append(out, rest, len);
}

bool
floe_location_key(FloeBuf *out, const char *location, size_t len)
{
	size_t scheme = scheme_len(location, len);
	const char *rest = location + scheme + (scheme > 0);
	size_t rest_len = len - scheme - (scheme > 0);
	const char *alias = alias_of(location, scheme);
	bool is_file = scheme == 0 || is_scheme(location, scheme, "file");

	if (is_file)
	{
		static const char localhost[] = "//localhost/";

		if (rest_len >= sizeof(localhost) - 1 && memcmp(rest, localhost, sizeof(localhost) - 1) == 0)
		{
			rest += sizeof(localhost) - 2;
			rest_len -= sizeof(localhost) - 2;
		}
		while (rest_len > 1 && rest[0] == '/' && rest[1] == '/')
		{
			rest++;
			rest_len--;
		}
		floe_buf_text(out, "file://");
	}
	else if (alias != NULL)
		floe_buf_text(out, alias);
	else
	{
		for (size_t i = 0; i < scheme; i++)
			floe_buf_char(out, (char) pg_tolower((unsigned char) location[i]));
		floe_buf_char(out, ':');
	}
	while (rest_len > 1 && rest[rest_len - 1] == '/')
		rest_len--;
	if (!is_file && (is_scheme(location, scheme, "abfss") || (alias != NULL && strcmp(alias, "abfss:") == 0)))
		append_azure(out, rest, rest_len);
	else
		floe_buf_append(out, rest, rest_len);
	return !out->failed;
}

size_t
floe_location_parent(const char *key, size_t len)
{
	const char *authority = NULL;
	size_t floor;

	for (size_t i = 0; i + 2 < len; i++)
	{
		if (key[i] == ':' && key[i + 1] == '/' && key[i + 2] == '/')
		{
			authority = key + i + 3;
			break;
		}
	}
	if (authority == NULL)
		return 0;
	floor = (size_t) (authority - key);
	while (len > floor && key[len - 1] != '/')
		len--;
	return len > floor + 1 ? len - 1 : 0;
}

/* What a server might take for another place than it says: "..", and in a URL the same in other words. */
static bool
is_slippery(const char *location)
{
	static const char *const encoded[] = {"%2e", "%2f", "%5c", "\\"};
	bool is_url = pg_strncasecmp(location, "http", 4) == 0;

	for (const char *p = location; *p != '\0'; p++)
	{
		size_t dots = strspn(p, ".");
		bool is_first = p > location && p[-1] == '/';

		if (is_first && (dots == 1 || dots == 2) && (strchr(is_url ? "/?#;" : "/", p[dots]) != NULL))
			return true;
		for (size_t i = 0; is_url && i < lengthof(encoded); i++)
		{
			if (pg_strncasecmp(p, encoded[i], strlen(encoded[i])) == 0)
				return true;
		}
	}
	return false;
}

/* The next of a comma-separated list, without spaces around it; false at its end. */
static bool
next_item(const char **list, const char **item, size_t *len)
{
	*list += strspn(*list, ", ");
	*item = *list;
	*len = strcspn(*list, ",");
	*list += *len;
	while (*len > 0 && (*item)[*len - 1] == ' ')
		(*len)--;
	return *len > 0;
}

bool
floe_location_is_below(const char *location, const char *list)
{
	FloeBuf key;
	FloeBuf root;
	const char *item;
	size_t len;
	bool found = false;

	if (is_slippery(location))
		return false;
	floe_buf_init(&key, KEY_MAX);
	floe_buf_init(&root, KEY_MAX);
	floe_location_key(&key, location, strlen(location));
	while (!found && !key.failed && next_item(&list, &item, &len))
	{
		floe_buf_reset(&root);
		/* the key of "file:///" ends in its slash */
		found = floe_location_key(&root, item, len) && key.len > root.len &&
				memcmp(key.data, root.data, root.len) == 0 &&
				(key.data[root.len] == '/' || root.data[root.len - 1] == '/');
	}
	floe_buf_free(&key);
	floe_buf_free(&root);
	return found;
}

bool
floe_location_check_list(const char *list, FloeStatus *st)
{
	const char *item;
	size_t len;
	int count = 0;

	for (; next_item(&list, &item, &len); count++)
	{
		char text[KEY_MAX];
		const char *place;

		if (len >= sizeof(text))
			return floe_fail(st, FLOE_ERR_CONFIG, "a location is too long");
		memcpy(text, item, len);
		text[len] = '\0';
		place = strstr(text, "://");
		if (is_slippery(text) || strchr(text, '?') != NULL ||
			(text[0] != '/' &&
			 (place == NULL || place == text || scheme_len(text, len) != (size_t) (place - text) || place[3] == '\0')))
			return floe_fail(st, FLOE_ERR_CONFIG,
							 "\"%.100s\" is not a location such as s3://bucket/folder or file:///folder", text);
	}
	return count > 0 || floe_fail(st, FLOE_ERR_CONFIG, "there is no location in it");
}
