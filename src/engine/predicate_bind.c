/*
 * predicate_bind.c: a predicate against the columns of a table.
 *
 * What Spark or Trino would only find out in the middle of a run, or answer
 * with an odd conversion, is found here: columns that are not there, and values
 * that are not of the column's type.
 */
#include "floe.h"

#include "engine/predicate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
fail_value(const FloePredicate *p, const char *wanted, FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_CONFIG, "column \"%s\" of the predicate is compared with %s", p->full_name, wanted);
}

/* A whole number of at most so many bits. */
static bool
fits_int(const char *text, int64_t least, int64_t most)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' && end != text && n >= least && n <= most;
}

static bool
looks_like_number(const char *text)
{
	char *end;

	if (text[0] == '\0' || strspn(text, "0123456789.eE+-") != strlen(text))
		return false;
	(void) strtod(text, &end);
	return *end == '\0';
}

/* Digits in front of and behind the point; an exponent has no place in it. */
static bool
fits_decimal(const char *text, int precision, int scale)
{
	const char *digits = text + (text[0] == '-' || text[0] == '+' ? 1 : 0);
	size_t whole = strspn(digits, "0123456789");
	const char *rest = digits + whole;
	size_t fraction = *rest == '.' ? strspn(rest + 1, "0123456789") : 0;

	while (whole > 1 && *digits == '0')
	{
		digits++;
		whole--;
	}
	return rest[fraction + (*rest == '.' ? 1 : 0)] == '\0' && (int) whole <= Max(precision - scale, 1) &&
		   (int) fraction <= scale;
}

static bool
bind_number(const FloePredicate *p, FloeLiteral *value, FloeStatus *st)
{
	bool is_text = value->kind == FLOE_LITERAL_TEXT;

	if ((value->kind != FLOE_LITERAL_NUMBER && !is_text) || !looks_like_number(value->text))
		return fail_value(p, "what is not a number", st);
	value->kind = FLOE_LITERAL_NUMBER;
	if (p->type == FLOE_COLUMN_INT && !fits_int(value->text, INT32_MIN, INT32_MAX))
		return fail_value(p, "what is not a whole number of 32 bits", st);
	if (p->type == FLOE_COLUMN_LONG && !fits_int(value->text, INT64_MIN, INT64_MAX))
		return fail_value(p, "what is not a whole number of 64 bits", st);
	if (p->type == FLOE_COLUMN_DECIMAL && !fits_decimal(value->text, p->precision, p->scale))
		return fail_value(p, "a number that its type cannot hold", st);
	return true;
}

/* Texts that are dates or times are taken for them, as Spark does. */
static bool
bind_time(const FloePredicate *p, FloeLiteral *value, FloeStatus *st)
{
	bool is_date = p->type == FLOE_COLUMN_DATE;

	if (value->kind == FLOE_LITERAL_TEXT)
	{
		int64_t number;

		if (is_date ? !floe_parse_date(value->text, &number) : !floe_parse_timestamp(value->text, &number))
			return fail_value(p,
							  is_date ? "what is not a date, such as DATE '2026-01-31'"
									  : "what is not a time, such as TIMESTAMP '2026-01-31 08:00:00'",
							  st);
		*value = (FloeLiteral){is_date ? FLOE_LITERAL_DATE : FLOE_LITERAL_TIMESTAMP, NULL, number};
		return true;
	}
	if (value->kind == FLOE_LITERAL_DATE || value->kind == FLOE_LITERAL_TODAY)
		return true;
	if (value->kind != FLOE_LITERAL_TIMESTAMP && value->kind != FLOE_LITERAL_NOW)
		return fail_value(p, is_date ? "what is not a date" : "what is not a time", st);
	/* a date is compared with a time of day in different ways by different engines */
	return !is_date || fail_value(p, "a time of day; compare it with a date", st);
}

static bool
bind_value(const FloePredicate *p, FloeLiteral *value, FloeStatus *st)
{
	switch (p->type)
	{
		case FLOE_COLUMN_BOOLEAN:
			return value->kind == FLOE_LITERAL_BOOLEAN || fail_value(p, "what is not true or false", st);
		case FLOE_COLUMN_INT:
		case FLOE_COLUMN_LONG:
		case FLOE_COLUMN_FLOAT:
		case FLOE_COLUMN_DOUBLE:
		case FLOE_COLUMN_DECIMAL:
			return bind_number(p, value, st);
		case FLOE_COLUMN_DATE:
		case FLOE_COLUMN_TIMESTAMP:
		case FLOE_COLUMN_TIMESTAMPTZ:
			return bind_time(p, value, st);
		case FLOE_COLUMN_STRING:
		case FLOE_COLUMN_UUID:
			return value->kind == FLOE_LITERAL_TEXT || fail_value(p, "what is not a text", st);
		default:
			return fail_value(p, "a value, which its type cannot be: only IS NULL is understood", st);
	}
}

static bool
bind_leaf(FloePredicate *p, const FloeTableSchema *schema, FloeArena *arena, FloeStatus *st)
{
	bool is_ambiguous;
	const FloeSchemaColumn *column = floe_schema_column(schema, p->full_name, &is_ambiguous);
	FloeLiteral *values;

	if (column == NULL && (schema->is_complete || is_ambiguous))
		return floe_schema_fail_column(schema, p->full_name, is_ambiguous, "the predicate", st);
	if (column == NULL)
		return true;
	if (floe_schema_is_repeated(schema, column->name))
		return floe_fail(st, FLOE_ERR_CONFIG, "column \"%s\" of the predicate lies in a list or map", p->full_name);
	p->type = floe_column_type(column->type, &p->precision, &p->scale);
	if (p->nvalues == 0)
		return true;
	if (p->kind == FLOE_PREDICATE_BEGINS && p->type != FLOE_COLUMN_STRING)
		return floe_fail(st, FLOE_ERR_CONFIG, "column \"%s\" of the predicate is not a text, which LIKE needs",
						 p->full_name);
	values = floe_arena_alloc(arena, (size_t) p->nvalues * sizeof(FloeLiteral));
	if (values == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "no memory for the predicate");
	memcpy(values, p->values, (size_t) p->nvalues * sizeof(FloeLiteral));
	p->values = values;
	for (int i = 0; i < p->nvalues; i++)
	{
		if (!bind_value(p, &values[i], st))
			return false;
	}
	return true;
}

bool
floe_predicate_bind(FloePredicate *p, const FloeTableSchema *schema, FloeArena *arena, FloeStatus *st)
{
	floe_status_ok(st);
	switch (p->kind)
	{
		case FLOE_PREDICATE_TRUE:
		case FLOE_PREDICATE_FALSE:
			return true;
		case FLOE_PREDICATE_AND:
		case FLOE_PREDICATE_OR:
			return floe_predicate_bind(p->left, schema, arena, st) && floe_predicate_bind(p->right, schema, arena, st);
		default:
			return bind_leaf(p, schema, arena, st);
	}
}
