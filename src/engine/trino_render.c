/*
 * trino_render.c: rendering ALTER TABLE … EXECUTE for Trino.
 *
 * Trino folds every name to lower case, quoted or not, and reads "$" in the
 * name of a table as one of its metadata tables: such a name may lead to
 * another table that is there, which would then be changed instead (seen with
 * 476: "UP2" optimized up2).  So what cannot be addressed is refused.
 */
#include "floe.h"

#include "engine/trino_render.h"

#include "base/utf8.h"
#include "engine/trino_options.h"

#include <locale.h>
#include <string.h>
#include <wctype.h>

#define MAX_LEVELS 64

/* The procedure measures the floor with the engine's clock, which may be behind ours. */
#define CLOCK_MARGIN_MS (INT64CONST(10) * 60 * 1000)

/* -------------------------------------------------------------------------
 * Names
 * ------------------------------------------------------------------------- */

/* The character at *text, valid UTF-8; *text moves behind it. */
static wint_t
next_character(const char **text)
{
	const unsigned char *at = (const unsigned char *) *text;
	int more = *at < 0x80 ? 0 : *at < 0xE0 ? 1 : *at < 0xF0 ? 2 : 3;
	wint_t c = more == 0 ? *at : *at & (0x3F >> more);

	for (int i = 1; i <= more; i++)
		c = c << 6 | (at[i] & 0x3F);
	*text += more + 1;
	return c;
}

/* Is lower case of it something else?  Without tables for it, whatever is not ASCII might be. */
static bool
folds(const char *text)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
	bool found = false;

	while (*text != '\0' && !found)
	{
		wint_t c = next_character(&text);

		if (c < 0x80)
			found = c >= 'A' && c <= 'Z';
		else
			found = locale == (locale_t) 0 || towlower_l(c, locale) != c;
	}
	if (locale != (locale_t) 0)
		freelocale(locale);
	return found;
}

static void
append_quoted(FloeBuf *out, const char *text, char quote)
{
	for (; *text != '\0'; text++)
	{
		if (*text == quote)
			floe_buf_char(out, quote);
		floe_buf_char(out, *text);
	}
}

static bool
check_part(const char *part, const char *forbidden, const char *why, FloeStatus *st)
{
	const char *at;

	if (part == NULL || part[0] == '\0')
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "the name of the table has an empty part");
	if (!floe_utf8_is_valid(part, strlen(part)))
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "the name of the table is not valid UTF-8");
	if (folds(part))
		return floe_fail(st, FLOE_ERR_UNSUPPORTED,
						 "the name of the table has upper case, which Trino folds to lower: it would take another "
						 "table, if there is one");
	at = strpbrk(part, forbidden);
	if (at != NULL)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "the name of the table has \"%c\", %s", *at, why);
	return true;
}

/* "catalog"."level.level"."table": Trino has one level, and joins those of a nested namespace. */
static bool
append_table(FloeBuf *out, const FloeEngineTable *table, FloeStatus *st)
{
	if (table->catalog == NULL || table->catalog[0] == '\0' ||
		!floe_utf8_is_valid(table->catalog, strlen(table->catalog)))
		return floe_fail(st, FLOE_ERR_CONFIG, "the engine's catalog has no name");
	if (table->nlevels < 1 || table->nlevels > MAX_LEVELS)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "a table in a namespace of %d levels", table->nlevels);
	floe_buf_char(out, '"');
	append_quoted(out, table->catalog, '"');
	floe_buf_text(out, "\".\"");
	for (int i = 0; i < table->nlevels; i++)
	{
		if (!check_part(table->levels[i], ".", "which Trino takes for the border of two levels", st))
			return false;
		if (i > 0)
			floe_buf_char(out, '.');
		append_quoted(out, table->levels[i], '"');
	}
	if (!check_part(table->table, "$@", "which leads Trino to a metadata table", st))
		return false;
	floe_buf_text(out, "\".\"");
	append_quoted(out, table->table, '"');
	floe_buf_char(out, '"');
	return true;
}

/* -------------------------------------------------------------------------
 * Options
 * ------------------------------------------------------------------------- */

/* In the largest unit that is exact; what is left of a second is rounded up, so that nothing younger counts as old. */
static void
append_age(FloeBuf *out, const FloeOptionValue *v)
{
	static const struct
	{
		int64_t seconds;
		const char *unit;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
	int64_t age = v->number;
	int64_t seconds;

	/* one at the floor is rendered a little older */
	if (v->option->min > 0)
		age = Max(age, v->option->min + CLOCK_MARGIN_MS);
	seconds = age / 1000 + (age % 1000 != 0);
	for (size_t i = 0; i < lengthof(units); i++)
	{
		if (seconds % units[i].seconds == 0)
		{
			floe_buf_printf(out, "'%lld%s'", (long long) (seconds / units[i].seconds), units[i].unit);
			return;
		}
	}
}

/* Bytes are exact where "MB" would be rounded. */
static void
append_size(FloeBuf *out, const FloeOptionValue *v)
{
	if (v->number > 0 && v->number % (1024 * 1024) == 0)
		floe_buf_printf(out, "'%lldMB'", (long long) (v->number / (1024 * 1024)));
	else
		floe_buf_printf(out, "'%lldB'", (long long) v->number);
}

bool
floe_trino_where(FloeBuf *out, const char *text, FloeStatus *st)
{
	int depth = 0;

	for (const char *at = text; *at != '\0'; at++)
	{
		if (*at == '\'')
		{
			at = strchr(at + 1, '\'');
			if (at == NULL)
				return floe_fail(st, FLOE_ERR_CONFIG, "option \"where\": a text without its closing quote");
			continue;
		}
		if (*at == '"' || *at == '`')
			return floe_fail(st, FLOE_ERR_CONFIG,
							 "option \"where\" holds %c, which Trino does not read as Spark does: write texts in "
							 "single quotes, and names plain",
							 *at);
		if (*at == ';' || strncmp(at, "--", 2) == 0 || strncmp(at, "/*", 2) == 0)
			return floe_fail(st, FLOE_ERR_CONFIG, "option \"where\" holds a comment or \";\"");
		if (*at == '(')
			depth++;
		if (*at == ')' && --depth < 0)
			break;
	}
	if (depth != 0)
		return floe_fail(st, FLOE_ERR_CONFIG, "option \"where\": parentheses that do not match");
	floe_buf_text(out, text);
	return true;
}

/* "(name => value)" with the one argument that each procedure has. */
static bool
append_argument(FloeBuf *out, const FloeSparkOptions *read, FloeStatus *st)
{
	const FloeOptionValue *where = NULL;

	for (int i = 0; i < read->count; i++)
	{
		const FloeOptionValue *v = &read->items[i];

		if (v->option->type == FLOE_OPTION_WHERE)
		{
			where = v;
			continue;
		}
		floe_buf_printf(out, "(%s => ", floe_trino_option(v->option)->engine_name);
		if (v->option->type == FLOE_OPTION_AGE)
			append_age(out, v);
		else
			append_size(out, v);
		floe_buf_char(out, ')');
	}
	if (where == NULL)
		return true;
	floe_buf_text(out, " WHERE ");
	return floe_trino_where(out, where->text, st);
}

bool
floe_trino_render(const FloeEngineTable *table, const char *operation, FloeJson options, int64_t now_ms, FloeBuf *out,
				  FloeStatus *st)
{
	const char *procedure = floe_trino_procedure(operation);
	FloeSparkOptions read;
	const char *age = NULL;

	if (procedure == NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "Trino has no operation like %s", operation);
	if (!floe_spark_options_read(operation, options, true, &read, st) || !floe_trino_options_check(&read, st))
		return false;
	if (strcmp(operation, "expire_snapshots") == 0)
		age = "max_snapshot_age";
	else if (strcmp(operation, "remove_orphan_files") == 0)
		age = "older_than";
	if (age != NULL && floe_spark_options_get(&read, age) == NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "%s needs option \"%s\" on Trino, whose own default may be another",
						 operation, age);
	floe_buf_text(out, "ALTER TABLE ");
	if (!append_table(out, table, st))
		return false;
	floe_buf_printf(out, " EXECUTE %s", procedure);
	if (!append_argument(out, &read, st))
		return false;
	if (out->failed)
		return floe_fail(st, out->over_cap ? FLOE_ERR_TOO_LARGE : FLOE_ERR_NOMEM,
						 "the statement of %s is longer than %zu bytes", operation, out->cap);
	return true;
}
