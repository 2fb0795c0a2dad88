/*
 * sort_order.c: reading, checking and writing sort orders.
 *
 * It reads words with the reader of predicates, so names are written alike in both.
 */
#include "floe.h"

#include "engine/sort_order.h"

#include "engine/predicate_words.h"
#include "engine/spark_literal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* As Iceberg's Spark extensions have them, and the singular that people write. */
static const struct
{
	const char *name;
	FloeSortTransform transform;
} transforms[] = {
	{"identity", FLOE_SORT_IDENTITY}, {"bucket", FLOE_SORT_BUCKET}, {"truncate", FLOE_SORT_TRUNCATE},
	{"years", FLOE_SORT_YEARS},       {"months", FLOE_SORT_MONTHS}, {"days", FLOE_SORT_DAYS},
	{"hours", FLOE_SORT_HOURS},       {"year", FLOE_SORT_YEARS},    {"month", FLOE_SORT_MONTHS},
	{"day", FLOE_SORT_DAYS},          {"hour", FLOE_SORT_HOURS},
};

static bool
has_width(FloeSortTransform transform)
{
	return transform == FLOE_SORT_BUCKET || transform == FLOE_SORT_TRUNCATE;
}

static bool
read_name(FloeWords *r, FloeSortTerm *term)
{
	FloePredicate column;

	if (!floe_words_read_column(r, &column))
		return false;
	term->parts = column.parts;
	term->nparts = column.nparts;
	term->full_name = column.full_name;
	return true;
}

static bool
read_width(FloeWords *r, FloeSortTerm *term)
{
	if (r->kind != FLOE_TOKEN_NUMBER || strspn(r->value, "0123456789") != strlen(r->value) || strlen(r->value) > 9 ||
		atoi(r->value) < 1)
		return floe_words_refuse(r, "a whole number above 0 is missing");
	term->width = atoi(r->value);
	return floe_words_advance(r);
}

/* Behind the name of a transform; its width may come first or last, as in Iceberg. */
static bool
read_arguments(FloeWords *r, FloeSortTerm *term)
{
	bool width_first = has_width(term->transform) && r->kind == FLOE_TOKEN_NUMBER;

	if (width_first && (!read_width(r, term) || !floe_words_expect_sign(r, ',', "a comma is missing")))
		return false;
	if (!read_name(r, term))
		return false;
	if (has_width(term->transform) && !width_first &&
		(!floe_words_expect_sign(r, ',', "a comma is missing") || !read_width(r, term)))
		return false;
	return floe_words_expect_sign(r, ')', "a parenthesis is not closed");
}

static bool
read_term(FloeWords *r, FloeSortTerm *term)
{
	FloeWords next;

	if (r->kind != FLOE_TOKEN_WORD)
		return read_name(r, term);
	next = *r;
	if (!floe_words_advance(&next))
		return false;
	if (!floe_words_is_sign(&next, '('))
		return read_name(r, term);
	for (size_t i = 0; i < lengthof(transforms); i++)
	{
		if (floe_words_is_word(r, transforms[i].name))
		{
			term->transform = transforms[i].transform;
			return floe_words_advance(r) && floe_words_advance(r) && read_arguments(r, term);
		}
	}
	if (floe_words_is_word(r, "zorder"))
		return floe_words_refuse(r, "zorder stands alone");
	return floe_words_refuse(r,
							 "transforms are identity, bucket, truncate, years, months, days and hours: not this one");
}

static bool
read_ending(FloeWords *r, FloeSortTerm *term)
{
	if (floe_words_is_word(r, "asc") || floe_words_is_word(r, "desc"))
	{
		term->direction = floe_words_is_word(r, "asc") ? 1 : 2;
		if (!floe_words_advance(r))
			return false;
	}
	if (!floe_words_is_word(r, "nulls"))
		return true;
	if (!floe_words_advance(r))
		return false;
	if (!floe_words_is_word(r, "first") && !floe_words_is_word(r, "last"))
		return floe_words_refuse(r, "FIRST or LAST is missing");
	term->nulls = floe_words_is_word(r, "first") ? 1 : 2;
	return floe_words_advance(r);
}

static bool
read_terms(FloeWords *r, FloeSortOrder *order)
{
	do
	{
		FloeSortTerm *term = &order->terms[order->count];

		if (order->count == FLOE_SORT_MAX_TERMS)
			return floe_words_refuse(r, "more than 64 columns");
		if ((order->count > 0 && !floe_words_advance(r)) || !read_term(r, term) ||
			(!order->is_zorder && !read_ending(r, term)))
			return false;
		if (order->is_zorder && term->transform != FLOE_SORT_IDENTITY)
			return floe_words_refuse(r, "zorder takes columns only");
		/* Iceberg looks for these among the columns of the table itself */
		if (order->is_zorder && term->nparts > 1)
			return floe_words_refuse(r, "zorder takes no field of a struct");
		order->count++;
	} while (floe_words_is_sign(r, ','));
	return true;
}

static bool
read_order(FloeWords *r, FloeSortOrder *order)
{
	FloeWords next;

	if (!floe_words_advance(r))
		return false;
	if (floe_words_is_word(r, "zorder"))
	{
		next = *r;
		if (!floe_words_advance(&next))
			return false;
		order->is_zorder = floe_words_is_sign(&next, '(');
	}
	if (order->is_zorder && (!floe_words_advance(r) || !floe_words_advance(r)))
		return false;
	if (!read_terms(r, order))
		return false;
	if (order->is_zorder && !floe_words_expect_sign(r, ')', "a parenthesis is not closed"))
		return false;
	return r->kind == FLOE_TOKEN_END || floe_words_refuse(r, "nothing may stand here any more");
}

FloeSortOrder *
floe_sort_order_parse(const char *text, FloeArena *arena, FloeStatus *st)
{
	FloeWords r = {.text = text, .arena = arena, .st = st};
	FloeSortOrder *order = floe_arena_alloc0(arena, sizeof(FloeSortOrder));

	floe_status_ok(st);
	if (order == NULL || strlen(text) > FLOE_PREDICATE_MAX_BYTES)
	{
		floe_fail(st, FLOE_ERR_TOO_LARGE, "the sort order is too long");
		return NULL;
	}
	return read_order(&r, order) ? order : NULL;
}

/* Spec, "Partition Transforms": which types a transform takes; z-ordering takes those that Iceberg has bytes for. */
static bool
takes(const FloeSortOrder *order, const FloeSortTerm *term, FloeColumnType type, const char *name)
{
	bool is_time = type == FLOE_COLUMN_TIMESTAMP || type == FLOE_COLUMN_TIMESTAMPTZ;
	bool is_whole = type == FLOE_COLUMN_INT || type == FLOE_COLUMN_LONG || type == FLOE_COLUMN_DECIMAL;

	if (type == FLOE_COLUMN_NESTED || strcmp(name, "variant") == 0)
		return false;
	if (order->is_zorder)
		return type != FLOE_COLUMN_DECIMAL && strncmp(name, "fixed", 5) != 0;
	switch (term->transform)
	{
		case FLOE_SORT_BUCKET:
			return type != FLOE_COLUMN_BOOLEAN && type != FLOE_COLUMN_FLOAT && type != FLOE_COLUMN_DOUBLE;
		case FLOE_SORT_TRUNCATE:
			return is_whole || type == FLOE_COLUMN_STRING || strcmp(name, "binary") == 0;
		case FLOE_SORT_HOURS:
			return is_time || strncmp(name, "timestamp", 9) == 0;
		case FLOE_SORT_IDENTITY:
			return true;
		default:
			return is_time || type == FLOE_COLUMN_DATE || strncmp(name, "timestamp", 9) == 0;
	}
}

bool
floe_sort_order_bind(const FloeSortOrder *order, const FloeTableSchema *schema, FloeStatus *st)
{
	for (int i = 0; i < order->count; i++)
	{
		const FloeSortTerm *term = &order->terms[i];
		bool is_ambiguous;
		const FloeSchemaColumn *column = floe_schema_column(schema, term->full_name, &is_ambiguous);
		int precision, scale;

		if (column == NULL && (schema->is_complete || is_ambiguous))
			return floe_schema_fail_column(schema, term->full_name, is_ambiguous, "sort_order", st);
		if (column == NULL)
			continue;
		if (floe_schema_is_repeated(schema, column->name))
			return floe_fail(st, FLOE_ERR_CONFIG, "column \"%s\" of sort_order lies in a list or map", term->full_name);
		if (!takes(order, term, floe_column_type(column->type, &precision, &scale), column->type))
			return floe_fail(st, FLOE_ERR_CONFIG, "column \"%s\" of sort_order is of type %s, which %s does not take",
							 term->full_name, column->type,
							 order->is_zorder ? "zorder" : transforms[term->transform].name);
	}
	return true;
}

bool
floe_sort_order_render_spark(const FloeSortOrder *order, FloeBuf *out, FloeStatus *st)
{
	floe_buf_text(out, order->is_zorder ? "zorder(" : "");
	for (int i = 0; i < order->count; i++)
	{
		const FloeSortTerm *term = &order->terms[i];
		bool is_plain = term->transform == FLOE_SORT_IDENTITY;

		floe_buf_text(out, i > 0 ? ", " : "");
		if (!is_plain)
			floe_buf_printf(out, "%s(", transforms[term->transform].name);
		if (has_width(term->transform))
			floe_buf_printf(out, "%d, ", term->width);
		for (int j = 0; j < term->nparts; j++)
		{
			if (!floe_spark_text_check(term->parts[j], "a column of sort_order", st))
				return false;
			floe_buf_text(out, j > 0 ? "." : "");
			floe_spark_quote_name(out, term->parts[j]);
		}
		floe_buf_text(out, is_plain ? "" : ")");
		floe_buf_text(out, term->direction == 1 ? " ASC" : term->direction == 2 ? " DESC" : "");
		floe_buf_text(out, term->nulls == 1 ? " NULLS FIRST" : term->nulls == 2 ? " NULLS LAST" : "");
	}
	floe_buf_text(out, order->is_zorder ? ")" : "");
	return true;
}
