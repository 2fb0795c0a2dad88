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

#define MASK "***"
/* Shorter values would blot out innocent text; also the length of the mask at least, so that texts never grow. */
#define SECRET_MIN 4

static void
add_form(FloeRedaction *redaction, const char *form)
{
	if (redaction->count == redaction->size)
	{
		redaction->size = Max(16, redaction->size * 2);
		redaction->items = redaction->items == NULL ? palloc(sizeof(char *) * redaction->size)
													: repalloc(redaction->items, sizeof(char *) * redaction->size);
	}
	redaction->items[redaction->count++] = form;
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

void
floe_redaction_add_conn(FloeRedaction *redaction, const FloeConn *conn)
{
	for (int i = 0; i < conn->noptions; i++)
	{
		if (conn->options[i].secret)
			floe_redaction_add(redaction, conn->options[i].value);
	}
}

/* Length of the longest secret that stands at text, or 0. */
static size_t
secret_at(const FloeRedaction *redaction, const char *text)
{
	size_t longest = 0;

	for (int i = 0; i < redaction->count; i++)
	{
		size_t len = strlen(redaction->items[i]);

		if (len > longest && strncmp(text, redaction->items[i], len) == 0)
			longest = len;
	}
	return longest;
}

/* Is the text from here to its end the beginning of a secret? */
static bool
is_beginning(const FloeRedaction *redaction, const char *text)
{
	for (int i = 0; i < redaction->count; i++)
	{
		if (strncmp(text, redaction->items[i], strlen(text)) == 0)
			return true;
	}
	return false;
}

void
floe_redact(const FloeRedaction *redaction, char *text, size_t size)
{
	size_t n = strlen(text);
	/* a character of up to four bytes may have been left out together with what did not fit */
	bool was_cut = n + 4 >= size;
	char *to = text;

	for (const char *from = text; *from != '\0';)
	{
		size_t len = secret_at(redaction, from);

		if (len == 0 && was_cut && is_beginning(redaction, from))
			break;
		if (len == 0)
		{
			*to++ = *from++;
			continue;
		}
		memcpy(to, MASK, strlen(MASK));
		to += strlen(MASK);
		from += len;
	}
	*to = '\0';
}
