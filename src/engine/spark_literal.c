/*
 * spark_literal.c: quoting for Spark SQL.
 */
#include "floe.h"

#include "engine/spark_literal.h"

#include "base/utf8.h"

#include <string.h>

bool
floe_spark_text_check(const char *text, const char *what, FloeStatus *st)
{
	if (!floe_utf8_is_valid(text, strlen(text)))
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "%s is not valid UTF-8", what);
	if (strchr(text, '\\') != NULL)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED,
						 "%s holds a backslash, which Spark reads in two ways depending on its settings", what);
	if (strstr(text, "${") != NULL)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "%s holds \"${\", which Spark may replace by a setting of its own",
						 what);
	return true;
}

void
floe_spark_quote_text(FloeBuf *buf, const char *text)
{
	bool is_first = true;

	/* one literal when a single kind of quote serves, else one for each stretch without the other kind */
	do
	{
		char quote = *text == '\'' || (strchr(text, '\'') != NULL && strchr(text, '"') == NULL) ? '"' : '\'';
		const char *end = strchr(text, quote);
		size_t len = end != NULL ? (size_t) (end - text) : strlen(text);

		if (!is_first)
			floe_buf_char(buf, ' ');
		is_first = false;
		floe_buf_char(buf, quote);
		floe_buf_append(buf, text, len);
		floe_buf_char(buf, quote);
		text += len;
	} while (*text != '\0');
}

void
floe_spark_quote_name(FloeBuf *buf, const char *name)
{
	floe_buf_char(buf, '`');
	for (; *name != '\0'; name++)
	{
		if (*name == '`')
			floe_buf_char(buf, '`');
		floe_buf_char(buf, *name);
	}
	floe_buf_char(buf, '`');
}
