/*
 * utf8.c: checking and repairing UTF-8, over PostgreSQL's verifier.
 */
#include "floe.h"

#include "base/utf8.h"

#include "mb/pg_wchar.h"

#include <string.h>

#define PIECE ((size_t) 256)
#define REPLACEMENT "\xEF\xBF\xBD"

/*
 * Bytes at the start of text that are valid.  Asked in pieces, because the
 * verifier starts over from the beginning of what it was given when it meets
 * an invalid byte: on a long text full of them that would be quadratic.  A
 * piece that ends inside a character is taken up again by the next one.
 */
static size_t
valid_prefix(const char *text, size_t len)
{
	size_t done = 0;

	while (done < len)
	{
		int good = pg_encoding_verifymbstr(PG_UTF8, text + done, (int) Min(len - done, PIECE));

		if (good <= 0)
			break;
		done += (size_t) good;
	}
	return done;
}

bool
floe_utf8_is_valid(const char *text, size_t len)
{
	return valid_prefix(text, len) == len;
}

bool
floe_utf8_append(FloeBuf *buf, const char *text, size_t len)
{
	while (len > 0)
	{
		size_t good = valid_prefix(text, len);

		if (!floe_buf_append(buf, text, good))
			return false;
		text += good;
		len -= good;
		if (len > 0)
		{
			if (!floe_buf_text(buf, REPLACEMENT))
				return false;
			text++;
			len--;
		}
	}
	return true;
}

void
floe_utf8_repair(char *text)
{
	size_t len = strlen(text);

	while (len > 0)
	{
		size_t good = valid_prefix(text, len);

		text += good;
		len -= good;
		if (len > 0)
		{
			*text++ = '?';
			len--;
		}
	}
}

void
floe_utf8_one_line(char *text)
{
	floe_utf8_repair(text);
	for (char *p = text; *p != '\0'; p++)
	{
		if ((unsigned char) *p < 0x20 || *p == 0x7F)
			*p = '?';
	}
}
