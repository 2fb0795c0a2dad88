/*
 * pq_error.c: what an error of another PostgreSQL, or of libpq, means to floe.
 */
#include "floe.h"

#include "net/pq.h"

#include <string.h>

void
floe_pq_find_sqlstate(const char *message, char state[6])
{
	state[0] = '\0';
	for (const char *p = strstr(message, ":  "); p != NULL; p = strstr(p + 1, ":  "))
	{
		if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && p[8] == ':')
		{
			floe_copy_text(state, 6, p + 3, 5);
			return;
		}
	}
}

FloeCode
floe_pq_code(const char *state, const char *message, bool connecting)
{
	static const struct
	{
		const char *prefix;
		FloeCode code;
	} codes[] = {
		{"28", FLOE_ERR_AUTH},         {"3D", FLOE_ERR_NOT_FOUND},    {"42501", FLOE_ERR_FORBIDDEN},
		{"42P01", FLOE_ERR_NOT_FOUND}, {"3F", FLOE_ERR_NOT_FOUND},    {"42", FLOE_ERR_PROTOCOL},
		{"57014", FLOE_ERR_TIMEOUT},   {"53300", FLOE_ERR_THROTTLED},
	};

	for (size_t i = 0; i < lengthof(codes); i++)
	{
		if (strncmp(state, codes[i].prefix, strlen(codes[i].prefix)) == 0)
			return codes[i].code;
	}
	if (state[0] != '\0')
		return FLOE_ERR_SERVER;
	if (!connecting)
		return FLOE_ERR_NETWORK;
	return strstr(message, "SSL") != NULL ? FLOE_ERR_TLS : FLOE_ERR_CONNECT;
}
