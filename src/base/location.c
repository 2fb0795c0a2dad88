/*
 * location.c: one spelling for object locations.
 */
#include "floe.h"

#include "base/location.h"

#include <string.h>

static size_t
scheme_len(const char *location, size_t len)
{
	size_t i = 0;

	while (i < len && ((location[i] >= 'a' && location[i] <= 'z') || (location[i] >= 'A' && location[i] <= 'Z') ||
					   (i > 0 && ((location[i] >= '0' && location[i] <= '9') || strchr("+-.", location[i]) != NULL))))
		i++;
	return i > 1 && i < len && location[i] == ':' ? i : 0;
}

bool
floe_location_key(FloeBuf *out, const char *location, size_t len)
{
	size_t scheme = scheme_len(location, len);
	const char *rest = location + scheme + (scheme > 0);
	size_t rest_len = len - scheme - (scheme > 0);
	bool is_file = scheme == 0 || (scheme == 4 && pg_strncasecmp(location, "file", 4) == 0);

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
	else if ((scheme == 3 && (pg_strncasecmp(location, "s3a", 3) == 0 || pg_strncasecmp(location, "s3n", 3) == 0)))
		floe_buf_text(out, "s3:");
	else
	{
		for (size_t i = 0; i < scheme; i++)
			floe_buf_char(out, (char) pg_tolower((unsigned char) location[i]));
		floe_buf_char(out, ':');
	}
	while (rest_len > 1 && rest[rest_len - 1] == '/')
		rest_len--;
	return floe_buf_append(out, rest, rest_len);
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
