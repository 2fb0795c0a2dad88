/*
 * predicate_spark.c: predicates in Spark SQL.
 *
 * Iceberg has Spark resolve the text and then makes an expression of its own
 * of what comes out.  It takes no conversions of a column, so each literal is
 * written in the column's own type where that is known.
 */
#include "floe.h"

#include "engine/predicate.h"

#include "engine/spark_literal.h"

static const char *const compares[] = {"=", "<>", "<", "<=", ">", ">="};

static void
append_column(FloeBuf *out, const FloePredicate *p)
{
	for (int i = 0; i < p->nparts; i++)
	{
		if (i > 0)
			floe_buf_char(out, '.');
		floe_spark_quote_name(out, p->parts[i]);
	}
}

static void
append_number(FloeBuf *out, const FloePredicate *p, const char *text)
{
	if (p->type == FLOE_COLUMN_LONG)
		floe_buf_printf(out, "%sL", text);
	else if (p->type == FLOE_COLUMN_FLOAT)
		floe_buf_printf(out, "CAST('%s' AS FLOAT)", text);
	else if (p->type == FLOE_COLUMN_DOUBLE)
		floe_buf_printf(out, "CAST('%s' AS DOUBLE)", text);
	else if (p->type == FLOE_COLUMN_DECIMAL)
		floe_buf_printf(out, "CAST('%s' AS DECIMAL(%d, %d))", text, p->precision, p->scale);
	else
		floe_buf_text(out, text);
}

/* A column without a zone is TIMESTAMP_NTZ to Spark; everything else is of a zone, which is written along. */
static void
append_time(FloeBuf *out, const FloePredicate *p, int64_t micros)
{
	floe_buf_text(out, p->type == FLOE_COLUMN_TIMESTAMP ? "TIMESTAMP_NTZ '" : "TIMESTAMP '");
	floe_append_timestamp(out, micros);
	floe_buf_text(out, p->type == FLOE_COLUMN_TIMESTAMP ? "'" : "Z'");
}

static bool
append_value(FloeBuf *out, const FloePredicate *p, const FloeLiteral *literal, int64_t now_ms, FloeStatus *st)
{
	FloeLiteral value = floe_literal_at(literal, now_ms);
	bool is_time = p->type == FLOE_COLUMN_TIMESTAMP || p->type == FLOE_COLUMN_TIMESTAMPTZ;

	switch (value.kind)
	{
		case FLOE_LITERAL_NUMBER:
			append_number(out, p, value.text);
			break;
		case FLOE_LITERAL_TEXT:
			if (!floe_spark_text_check(value.text, "a text of the predicate", st))
				return false;
			floe_spark_quote_text(out, value.text);
			break;
		case FLOE_LITERAL_BOOLEAN:
			floe_buf_text(out, value.number != 0 ? "true" : "false");
			break;
		case FLOE_LITERAL_TIMESTAMP:
			append_time(out, p, value.number);
			break;
		default:
			if (is_time)
				append_time(out, p, value.number * FLOE_MICROS_PER_DAY);
			else
			{
				floe_buf_text(out, "DATE '");
				floe_append_date(out, value.number);
				floe_buf_char(out, '\'');
			}
			break;
	}
	return true;
}

static bool
append_leaf(FloeBuf *out, const FloePredicate *p, int64_t now_ms, FloeStatus *st)
{
	for (int i = 0; i < p->nparts; i++)
	{
		if (!floe_spark_text_check(p->parts[i], "a column of the predicate", st))
			return false;
	}
	if (p->kind == FLOE_PREDICATE_NULL)
	{
		append_column(out, p);
		floe_buf_text(out, p->negated ? " IS NOT NULL" : " IS NULL");
		return true;
	}
	if (p->kind == FLOE_PREDICATE_COMPARE)
	{
		append_column(out, p);
		floe_buf_printf(out, " %s ", compares[p->compare]);
		return append_value(out, p, &p->values[0], now_ms, st);
	}
	/* of a function, and not LIKE: in the text of a LIKE some characters mean something */
	if (p->kind == FLOE_PREDICATE_BEGINS)
		floe_buf_text(out, p->negated ? "NOT startswith(" : "startswith(");
	append_column(out, p);
	floe_buf_text(out, p->kind == FLOE_PREDICATE_BEGINS ? ", " : p->negated ? " NOT IN (" : " IN (");
	for (int i = 0; i < p->nvalues; i++)
	{
		if (i > 0)
			floe_buf_text(out, ", ");
		if (!append_value(out, p, &p->values[i], now_ms, st))
			return false;
	}
	floe_buf_char(out, ')');
	return true;
}

bool
floe_predicate_render_spark(const FloePredicate *p, int64_t now_ms, FloeBuf *out, FloeStatus *st)
{
	switch (p->kind)
	{
		case FLOE_PREDICATE_TRUE:
		case FLOE_PREDICATE_FALSE:
			floe_buf_text(out, p->kind == FLOE_PREDICATE_TRUE ? "true" : "false");
			return true;
		case FLOE_PREDICATE_AND:
		case FLOE_PREDICATE_OR:
			/* sides of the same kind need no parentheses; what is left is as deep as what was written */
			for (int side = 0; side < 2; side++)
			{
				const FloePredicate *child = side == 0 ? p->left : p->right;
				bool encloses = (child->kind == FLOE_PREDICATE_AND || child->kind == FLOE_PREDICATE_OR) &&
								(child->kind != p->kind || side == 1);

				if (side == 1)
					floe_buf_text(out, p->kind == FLOE_PREDICATE_AND ? " AND " : " OR ");
				if (encloses)
					floe_buf_char(out, '(');
				if (!floe_predicate_render_spark(child, now_ms, out, st))
					return false;
				if (encloses)
					floe_buf_char(out, ')');
			}
			return true;
		default:
			return append_leaf(out, p, now_ms, st);
	}
}
