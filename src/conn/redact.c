/*
 * redact.c: taking secrets out of what a catalog or a store says.
 *
 * Separate from conn.c because more is secret than a connection's options:
 * tokens that an endpoint gave, keys that a catalog vended.
 */
#include "floe.h"

#include "conn/redact.h"

#include "lib/stringinfo.h"

#include <ctype.h>
#include <string.h>

/* Shorter values would blot out innocent text. */
#define SECRET_MIN 4

static void
add_form(FloeRedaction *redaction, const char *form)
{
	if (redaction->count == redaction->size)
	{
		redaction->size = Max(16, redaction->size * 2);
		redaction->items = redaction->items == NULL
							   ? palloc(sizeof(FloeMaskItem) * redaction->size)
							   : repalloc(redaction->items, sizeof(FloeMaskItem) * redaction->size);
	}
	redaction->items[redaction->count++] = (FloeMaskItem){form, strlen(form)};
}

/* As in the body of a request for a token. */
static char *
percent_encoded(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
	{
		if (isalnum(*p) || strchr("-._~", *p) != NULL)
			appendStringInfoChar(&out, (char) *p);
		else
			appendStringInfo(&out, "%%%02X", *p);
	}
	return out.data;
}

/* As in a page or in XML. */
static char *
markup_escaped(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	for (const char *p = text; *p != '\0'; p++)
	{
		switch (*p)
		{
			case '&':
				appendStringInfoString(&out, "&amp;");
				break;
			case '<':
				appendStringInfoString(&out, "&lt;");
				break;
			case '>':
				appendStringInfoString(&out, "&gt;");
				break;
			case '"':
				appendStringInfoString(&out, "&quot;");
				break;
			default:
				appendStringInfoChar(&out, *p);
		}
	}
	return out.data;
}

void
floe_redaction_add(FloeRedaction *redaction, const char *secret)
{
	if (secret == NULL || strlen(secret) < SECRET_MIN)
		return;
	add_form(redaction, secret);
	add_form(redaction, percent_encoded(secret));
	add_form(redaction, markup_escaped(secret));
}

static int
digit_of(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, tolower((unsigned char) c)) : NULL;

	return at != NULL ? (int) (at - digits) : -1;
}

void
floe_redaction_add_query(FloeRedaction *redaction, const char *query)
{
	const char *sig = strstr(query, "sig=");
	char *text;
	size_t n = 0;

	floe_redaction_add(redaction, *query == '?' ? query + 1 : query);
	if (sig == NULL)
		return;
	text = pstrdup(sig + 4);
	text[strcspn(text, "&")] = '\0';
	floe_redaction_add(redaction, pstrdup(text));
	for (const char *p = text; *p != '\0'; p++)
	{
		if (*p == '%' && digit_of(p[1]) >= 0 && digit_of(p[2]) >= 0 && (digit_of(p[1]) > 0 || digit_of(p[2]) > 0))
		{
			text[n++] = (char) (digit_of(p[1]) * 16 + digit_of(p[2]));
			p += 2;
		}
		else
			text[n++] = *p;
	}
	text[n] = '\0';
	floe_redaction_add(redaction, text);
}

void
floe_redaction_add_conn(FloeRedaction *redaction, const FloeConn *conn)
{
	for (int i = 0; i < conn->noptions; i++)
	{
		if (conn->options[i].secret && strcmp(conn->options[i].name, "adls_sas_token") == 0)
			floe_redaction_add_query(redaction, conn->options[i].value);
		else if (conn->options[i].secret)
			floe_redaction_add(redaction, conn->options[i].value);
	}
}

void
floe_redact(const FloeRedaction *redaction, char *text, size_t size)
{
	floe_mask_text(redaction->items, redaction->count, text, size);
}
