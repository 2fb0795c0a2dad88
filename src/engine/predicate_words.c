/*
 * predicate_words.c: from text to words and values: names, texts, numbers, dates, what is relative to now.
 *
 * Separate from the tree (predicate.c), which knows what the words mean together.
 */
#include "floe.h"

#include "engine/predicate_words.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -------------------------------------------------------------------------
 * Words
 * ------------------------------------------------------------------------- */

static bool
refuse_at(FloeWords *r, size_t place, const char *why)
{
	return floe_fail(r->st, FLOE_ERR_CONFIG, "%s at character %zu", why, place + 1);
}

bool
floe_words_refuse(FloeWords *r, const char *why)
{
	return refuse_at(r, r->start, why);
}

bool
floe_words_no_memory(FloeWords *r)
{
	return floe_fail(r->st, FLOE_ERR_TOO_LARGE, "the predicate is too long");
}

static bool
keep(FloeWords *r, const char *from, size_t len)
{
	r->value = floe_arena_text(r->arena, from, len);
	return r->value != NULL || floe_words_no_memory(r);
}

/* Up to the same quote; two of them are one. */
static bool
read_quoted(FloeWords *r, char quote, FloeTokenKind kind)
{
	const char *from = r->text + r->at + 1;
	size_t most = 0;
	size_t n = 0;
	char *to;

	while (from[most] != '\0' && (from[most] != quote || from[most + 1] == quote))
		most += from[most] == quote ? 2 : 1;
	to = floe_arena_alloc(r->arena, most + 1);
	if (to == NULL)
		return floe_words_no_memory(r);
	for (r->at++;; r->at++)
	{
		if (r->text[r->at] == '\0')
			return floe_words_refuse(r, "a quote is not closed");
		if (r->text[r->at] == quote)
		{
			if (r->text[r->at + 1] != quote)
				break;
			r->at++;
		}
		to[n++] = r->text[r->at];
	}
	r->at++;
	to[n] = '\0';
	r->value = to;
	r->kind = kind;
	return (kind == FLOE_TOKEN_TEXT || n > 0) || floe_words_refuse(r, "a name is empty");
}

static bool
is_name_char(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' || (unsigned char) c >= 0x80;
}

static bool
read_number(FloeWords *r)
{
	const char *t = r->text;
	size_t from = r->at;

	while (isdigit((unsigned char) t[r->at]))
		r->at++;
	if (t[r->at] == '.' && isdigit((unsigned char) t[r->at + 1]))
	{
		for (r->at++; isdigit((unsigned char) t[r->at]);)
			r->at++;
	}
	if (t[r->at] == 'e' || t[r->at] == 'E')
	{
		size_t digits = r->at + 1 + (t[r->at + 1] == '-' || t[r->at + 1] == '+' ? 1 : 0);

		if (!isdigit((unsigned char) t[digits]))
			return floe_words_refuse(r, "a number is not one");
		for (r->at = digits; isdigit((unsigned char) t[r->at]);)
			r->at++;
	}
	if (is_name_char(t[r->at]))
		return floe_words_refuse(r, "a number is not one");
	r->kind = FLOE_TOKEN_NUMBER;
	if (r->at - from > 100)
		return floe_words_refuse(r, "a number has more than 100 digits");
	return keep(r, t + from, r->at - from);
}

static bool
read_compare(FloeWords *r)
{
	static const struct
	{
		const char *text;
		FloeCompare compare;
	} signs[] = {
		{"<>", FLOE_COMPARE_NE}, {"!=", FLOE_COMPARE_NE}, {"<=", FLOE_COMPARE_LE}, {">=", FLOE_COMPARE_GE},
		{"==", FLOE_COMPARE_EQ}, {"=", FLOE_COMPARE_EQ},  {"<", FLOE_COMPARE_LT},  {">", FLOE_COMPARE_GT},
	};

	for (size_t i = 0; i < lengthof(signs); i++)
	{
		size_t len = strlen(signs[i].text);

		if (strncmp(r->text + r->at, signs[i].text, len) == 0)
		{
			r->kind = FLOE_TOKEN_COMPARE;
			r->compare = signs[i].compare;
			r->at += len;
			return true;
		}
	}
	return floe_words_refuse(r, "this is not understood");
}

/* Reads the next token. */
bool
floe_words_advance(FloeWords *r)
{
	const char *t = r->text;

	while (t[r->at] != '\0' && strchr(" \t\r\n", t[r->at]) != NULL)
		r->at++;
	r->start = r->at;
	r->kind = FLOE_TOKEN_END;
	if (t[r->at] == '\0')
		return true;
	if (t[r->at] == '\'')
		return read_quoted(r, '\'', FLOE_TOKEN_TEXT);
	if (t[r->at] == '"' || t[r->at] == '`')
		return read_quoted(r, t[r->at], FLOE_TOKEN_NAME);
	if (isdigit((unsigned char) t[r->at]))
		return read_number(r);
	if (is_name_char(t[r->at]))
	{
		while (is_name_char(t[r->at]))
			r->at++;
		r->kind = FLOE_TOKEN_WORD;
		return keep(r, t + r->start, r->at - r->start);
	}
	if ((t[r->at] == '-' && t[r->at + 1] == '-') || (t[r->at] == '/' && t[r->at + 1] == '*'))
		return floe_words_refuse(r, "a comment is not understood");
	if (strchr("(),.+-", t[r->at]) != NULL)
	{
		r->kind = FLOE_TOKEN_SIGN;
		r->sign = t[r->at++];
		return true;
	}
	return read_compare(r);
}

bool
floe_words_is_word(const FloeWords *r, const char *word)
{
	return r->kind == FLOE_TOKEN_WORD && strcasecmp(r->value, word) == 0;
}

bool
floe_words_is_sign(const FloeWords *r, char sign)
{
	return r->kind == FLOE_TOKEN_SIGN && r->sign == sign;
}

bool
floe_words_expect_sign(FloeWords *r, char sign, const char *why)
{
	return floe_words_is_sign(r, sign) ? floe_words_advance(r) : floe_words_refuse(r, why);
}

/* What comes next without taking it. */
static bool
peek(FloeWords *r, FloeWords *next)
{
	*next = *r;
	return floe_words_advance(next);
}

/* -------------------------------------------------------------------------
 * Literals
 * ------------------------------------------------------------------------- */

bool
floe_words_count_item(FloeWords *r)
{
	if (++r->items > FLOE_PREDICATE_MAX_ITEMS)
		return floe_fail(r->st, FLOE_ERR_TOO_LARGE, "the predicate has more than %d parts", FLOE_PREDICATE_MAX_ITEMS);
	return true;
}

static int64_t
unit_ms(const char *unit)
{
	static const struct
	{
		const char *name;
		int64_t ms;
	} units[] = {
		{"second", 1000}, {"minute", 60000}, {"hour", 3600000}, {"day", 86400000}, {"week", 604800000},
	};

	for (size_t i = 0; i < lengthof(units); i++)
	{
		size_t len = strlen(units[i].name);

		if (strncasecmp(unit, units[i].name, len) == 0 &&
			(unit[len] == '\0' || ((unit[len] == 's' || unit[len] == 'S') && unit[len + 1] == '\0')))
			return units[i].ms;
	}
	return 0;
}

/* "3 days", "3", of at most 100 years; also what stands in the text of an interval. */
static bool
shift_of(FloeWords *r, const char *count, const char *unit, int64_t *ms)
{
	char *end;
	int64_t each = unit_ms(unit);
	long n;

	errno = 0;
	n = strtol(count, &end, 10);
	if (errno != 0 || end == count || *end != '\0' || n < 0 || each == 0 || n > INT64CONST(3162240000000) / each)
		return floe_words_refuse(
			r, "an interval is a whole number of seconds, minutes, hours, days or weeks, of 100 years at most");
	*ms = n * each;
	return true;
}

/* Digits, and a unit behind them or not; nothing else. */
static bool
split_shift(const char *text, char *count, char *unit, bool *has_unit)
{
	int at = 0;
	int end = 0;

	if (sscanf(text, " %23[0-9]%n %15[a-zA-Z]%n", count, &at, unit, &end) < 1)
		return false;
	*has_unit = end > 0;
	at = Max(at, end);
	return text[at + (int) strspn(text + at, " ")] == '\0';
}

/* Behind "+" or "-": 3 days, interval '3 days', interval '3' day, interval 3 day; of a date also the days alone. */
static bool
read_shift(FloeWords *r, bool is_date, int64_t *ms)
{
	char unit[16] = "day";
	char count[24];
	bool has_unit;

	if (floe_words_is_word(r, "interval") && !floe_words_advance(r))
		return false;
	if ((r->kind != FLOE_TOKEN_NUMBER && r->kind != FLOE_TOKEN_TEXT) || !split_shift(r->value, count, unit, &has_unit))
		return floe_words_refuse(r, "an interval such as 3 days is missing");
	if (!floe_words_advance(r))
		return false;
	if (!has_unit && r->kind == FLOE_TOKEN_WORD && unit_ms(r->value) > 0)
	{
		snprintf(unit, sizeof(unit), "%s", r->value);
		if (!floe_words_advance(r))
			return false;
	}
	else if (!has_unit && !is_date)
		return floe_words_refuse(r, "the unit of an interval is missing");
	if (!shift_of(r, count, unit, ms))
		return false;
	return !is_date || *ms % 86400000 == 0 || floe_words_refuse(r, "a date moves by whole days; use current_timestamp");
}

/* Behind current_date, current_timestamp or now. */
static bool
read_relative(FloeWords *r, bool is_date, FloeLiteral *to)
{
	int64_t total = 0;

	if (floe_words_is_sign(r, '(') &&
		(!floe_words_advance(r) || !floe_words_expect_sign(r, ')', "a parenthesis is not closed")))
		return false;
	while (floe_words_is_sign(r, '+') || floe_words_is_sign(r, '-'))
	{
		int64_t sign = r->sign == '-' ? -1 : 1;
		int64_t ms = 0;

		if (!floe_words_count_item(r) || !floe_words_advance(r) || !read_shift(r, is_date, &ms))
			return false;
		total += sign * ms;
		if (llabs(total) > INT64CONST(3162240000000))
			return floe_words_refuse(r, "an interval is longer than 100 years");
	}
	*to = (FloeLiteral){is_date ? FLOE_LITERAL_TODAY : FLOE_LITERAL_NOW, NULL, is_date ? total / 86400000 : total};
	return true;
}

static bool
read_number_literal(FloeWords *r, FloeLiteral *to)
{
	bool is_negative = floe_words_is_sign(r, '-');
	char *text;

	if (r->kind == FLOE_TOKEN_SIGN && !floe_words_advance(r))
		return false;
	if (r->kind != FLOE_TOKEN_NUMBER)
		return floe_words_refuse(r, "a number is missing");
	text = floe_arena_alloc(r->arena, strlen(r->value) + 2);
	if (text == NULL)
		return floe_words_no_memory(r);
	snprintf(text, strlen(r->value) + 2, "%s%s", is_negative ? "-" : "", r->value);
	*to = (FloeLiteral){FLOE_LITERAL_NUMBER, text, 0};
	return floe_words_advance(r);
}

/* DATE '…' or TIMESTAMP '…'; the word was seen, and a text behind it. */
static bool
read_time_literal(FloeWords *r, FloeLiteral *to)
{
	bool is_date = floe_words_is_word(r, "date");
	bool done;

	if (!floe_words_advance(r))
		return false;
	to->kind = is_date ? FLOE_LITERAL_DATE : FLOE_LITERAL_TIMESTAMP;
	to->text = NULL;
	done = is_date ? floe_parse_date(r->value, &to->number) : floe_parse_timestamp(r->value, &to->number);
	if (!done)
		return floe_words_refuse(r, is_date ? "a date is written as '2026-01-31'"
											: "a time is written as '2026-01-31 08:00:00'");
	return floe_words_advance(r);
}

/* found false: what stands here is no literal. */
bool
floe_words_read_literal(FloeWords *r, FloeLiteral *to, bool *found)
{
	FloeWords next;
	bool is_time = floe_words_is_word(r, "date") || floe_words_is_word(r, "timestamp");

	*found = true;
	if (r->kind == FLOE_TOKEN_NUMBER || floe_words_is_sign(r, '-') || floe_words_is_sign(r, '+'))
		return floe_words_count_item(r) && read_number_literal(r, to);
	if (r->kind == FLOE_TOKEN_TEXT)
	{
		*to = (FloeLiteral){FLOE_LITERAL_TEXT, r->value, 0};
		return floe_words_count_item(r) && floe_words_advance(r);
	}
	if (r->kind == FLOE_TOKEN_WORD && (is_time || floe_words_is_word(r, "now")) && !peek(r, &next))
		return false;
	if (is_time && next.kind == FLOE_TOKEN_TEXT)
		return floe_words_count_item(r) && read_time_literal(r, to);
	if (floe_words_is_word(r, "true") || floe_words_is_word(r, "false"))
	{
		*to = (FloeLiteral){FLOE_LITERAL_BOOLEAN, NULL, floe_words_is_word(r, "true") ? 1 : 0};
		return floe_words_count_item(r) && floe_words_advance(r);
	}
	if (floe_words_is_word(r, "current_date"))
		return floe_words_count_item(r) && floe_words_advance(r) && read_relative(r, true, to);
	if (floe_words_is_word(r, "current_timestamp") || (floe_words_is_word(r, "now") && floe_words_is_sign(&next, '(')))
		return floe_words_count_item(r) && floe_words_advance(r) && read_relative(r, false, to);
	if (floe_words_is_word(r, "null"))
		return floe_words_refuse(r, "NULL compares with nothing: write IS NULL");
	*found = false;
	return true;
}

bool
floe_words_need_literal(FloeWords *r, FloeLiteral *to)
{
	bool found;

	return floe_words_read_literal(r, to, &found) &&
		   (found || floe_words_refuse(r, "a value is missing: columns are compared with values only"));
}

/* -------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------- */

static bool
is_keyword(const FloeWords *r)
{
	static const char *const words[] = {"and", "or", "not", "in", "between", "like", "is", "null", "interval"};

	for (size_t i = 0; r->kind == FLOE_TOKEN_WORD && i < lengthof(words); i++)
	{
		if (strcasecmp(r->value, words[i]) == 0)
			return true;
	}
	return false;
}

/* a.b.c into parts and full_name of the given node. */
bool
floe_words_read_column(FloeWords *r, FloePredicate *column)
{
	const char *parts[FLOE_PREDICATE_MAX_PARTS];
	size_t size = 0;
	const char **copy;
	char *name;
	int n = 0;

	for (;;)
	{
		if ((r->kind != FLOE_TOKEN_WORD && r->kind != FLOE_TOKEN_NAME) || is_keyword(r))
			return floe_words_refuse(r, "a column is missing");
		if (n == FLOE_PREDICATE_MAX_PARTS)
			return floe_words_refuse(r, "a column lies too deep");
		size += strlen(r->value) + 1;
		parts[n++] = r->value;
		if (!floe_words_advance(r))
			return false;
		if (floe_words_is_sign(r, '('))
			return floe_words_refuse(r, "functions are not understood: compare the column itself");
		if (!floe_words_is_sign(r, '.'))
			break;
		if (!floe_words_advance(r))
			return false;
	}
	copy = floe_arena_alloc(r->arena, (size_t) n * sizeof(char *));
	name = floe_arena_alloc0(r->arena, size);
	if (copy == NULL || name == NULL)
		return floe_words_no_memory(r);
	memcpy(copy, parts, (size_t) n * sizeof(char *));
	for (int i = 0, at = 0; i < n; i++)
		at += snprintf(name + at, size - (size_t) at, "%s%s", i > 0 ? "." : "", parts[i]);
	memset(column, 0, sizeof(*column));
	column->parts = copy;
	column->nparts = n;
	column->full_name = name;
	return true;
}
