/*
 * predicate_trino.c: predicates that Trino's optimize takes.
 *
 * It rewrites whole partitions, and refuses a predicate that does not consist
 * of them.  So each comparison must be of a column that every partition spec
 * has a field of, and a bound inside a partition is moved to its edge,
 * outwards: what is rewritten is never less than what was asked for, as with
 * Spark, which rewrites every file that may hold a row.  What cannot be moved
 * (bucket, texts that are cut) is refused.
 */
#include "floe.h"

#include "engine/predicate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The grain of a column's partitions; the coarsest of all specs. */
typedef struct Grain
{
	enum
	{
		EXACT, /* one value, one partition */
		TIME,
		WIDTH
	} kind;
	FloeTimeUnit unit;
	int64_t width;
} Grain;

typedef struct Writer
{
	const FloeTableSchema *schema;
	int64_t now_ms;
	FloeBuf *out;
	FloeStatus *st;
} Writer;

static bool
fail_grain(Writer *w, const FloePredicate *p, const char *why)
{
	return floe_fail(w->st, FLOE_ERR_CONFIG, "Trino optimizes whole partitions, and column \"%s\" of the predicate %s",
					 p->full_name, why);
}

static bool
grain_of_field(const FloePredicate *p, const char *transform, Grain *grain)
{
	static const struct
	{
		const char *name;
		FloeTimeUnit unit;
	} units[] = {
		{"hour", FLOE_TIME_HOUR}, {"day", FLOE_TIME_DAY}, {"month", FLOE_TIME_MONTH}, {"year", FLOE_TIME_YEAR}};
	long width = 0;
	char rest;

	*grain = (Grain){.kind = EXACT};
	if (strcmp(transform, "identity") == 0 || (p->type == FLOE_COLUMN_DATE && strcmp(transform, "day") == 0))
		return true;
	for (size_t i = 0; i < lengthof(units); i++)
	{
		if (strcmp(transform, units[i].name) == 0)
		{
			*grain = (Grain){.kind = TIME, .unit = units[i].unit};
			return true;
		}
	}
	if ((p->type == FLOE_COLUMN_INT || p->type == FLOE_COLUMN_LONG) &&
		sscanf(transform, "truncate[%ld%c", &width, &rest) == 2 && rest == ']' && width > 0 && width <= INT32_MAX)
	{
		*grain = (Grain){.kind = WIDTH, .width = width};
		return true;
	}
	return false;
}

/* Of two grains the one whose edges are edges of both. */
static bool
join_grains(Grain *grain, const Grain *other)
{
	if (other->kind == EXACT)
		return true;
	if (grain->kind == EXACT)
		*grain = *other;
	else if (grain->kind == TIME && other->kind == TIME)
		grain->unit = Max(grain->unit, other->unit);
	else
		return grain->kind == WIDTH && other->kind == WIDTH && grain->width == other->width;
	return true;
}

static bool
grain_of_column(Writer *w, const FloePredicate *p, Grain *grain)
{
	bool is_ambiguous;
	const FloeSchemaColumn *column = floe_schema_column(w->schema, p->full_name, &is_ambiguous);

	*grain = (Grain){.kind = EXACT};
	if (column == NULL || w->schema->nspecs == 0)
		return fail_grain(w, p, "is not known to be a partition column");
	for (int i = 0; i < w->schema->nspecs; i++)
	{
		bool found = false;

		for (int j = 0; j < w->schema->nfields; j++)
		{
			const FloePartitionField *field = &w->schema->fields[j];
			Grain one;

			if (field->spec_id != w->schema->specs[i] || field->source_id != column->id ||
				!grain_of_field(p, field->transform, &one))
				continue;
			if (!join_grains(grain, &one))
				return fail_grain(w, p, "is partitioned in ways whose edges differ");
			found = true;
		}
		if (!found)
			return fail_grain(w, p, "is not a partition column of all its partition specs, or is cut or hashed there");
	}
	return true;
}

/* -------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------- */

static void
append_quoted(FloeBuf *out, const char *text, char quote)
{
	floe_buf_char(out, quote);
	for (; *text != '\0'; text++)
	{
		if (*text == quote)
			floe_buf_char(out, quote);
		floe_buf_char(out, *text);
	}
	floe_buf_char(out, quote);
}

static void
append_column(Writer *w, const FloePredicate *p)
{
	for (int i = 0; i < p->nparts; i++)
	{
		if (i > 0)
			floe_buf_char(w->out, '.');
		append_quoted(w->out, p->parts[i], '"');
	}
}

/* A number, days or microseconds, as the column's type counts. */
static void
append_scalar(Writer *w, const FloePredicate *p, int64_t value)
{
	if (p->type == FLOE_COLUMN_DATE)
	{
		floe_buf_text(w->out, "DATE '");
		floe_append_date(w->out, value / FLOE_MICROS_PER_DAY - (value % FLOE_MICROS_PER_DAY < 0 ? 1 : 0));
		floe_buf_char(w->out, '\'');
	}
	else if (p->type == FLOE_COLUMN_TIMESTAMP || p->type == FLOE_COLUMN_TIMESTAMPTZ)
	{
		floe_buf_text(w->out, "TIMESTAMP '");
		floe_append_timestamp(w->out, value);
		floe_buf_text(w->out, p->type == FLOE_COLUMN_TIMESTAMPTZ ? " UTC'" : "'");
	}
	else
		floe_buf_printf(w->out, "%lld", (long long) value);
}

/* Days and microseconds as microseconds; whole numbers as they are. */
static int64_t
scalar_of(Writer *w, const FloeLiteral *literal)
{
	FloeLiteral value = floe_literal_at(literal, w->now_ms);

	if (value.kind == FLOE_LITERAL_NUMBER)
		return strtoll(value.text, NULL, 10);
	return value.kind == FLOE_LITERAL_DATE ? value.number * FLOE_MICROS_PER_DAY : value.number;
}

static void
append_value(Writer *w, const FloePredicate *p, const FloeLiteral *literal)
{
	switch (p->type)
	{
		case FLOE_COLUMN_BOOLEAN:
			floe_buf_text(w->out, literal->number != 0 ? "true" : "false");
			break;
		case FLOE_COLUMN_FLOAT:
			floe_buf_printf(w->out, "REAL '%s'", literal->text);
			break;
		case FLOE_COLUMN_DOUBLE:
			floe_buf_printf(w->out, "DOUBLE '%s'", literal->text);
			break;
		case FLOE_COLUMN_DECIMAL:
			floe_buf_printf(w->out, "DECIMAL '%s'", literal->text);
			break;
		case FLOE_COLUMN_STRING:
			append_quoted(w->out, literal->text, '\'');
			break;
		case FLOE_COLUMN_UUID:
			floe_buf_text(w->out, "UUID ");
			append_quoted(w->out, literal->text, '\'');
			break;
		default:
			append_scalar(w, p, scalar_of(w, literal));
			break;
	}
}

/* -------------------------------------------------------------------------
 * Comparisons
 * ------------------------------------------------------------------------- */

/* The edge at or before the value, or (steps 1) the next one. */
static int64_t
edge(const Grain *grain, int64_t value, int steps)
{
	int64_t rest, at;

	if (grain->kind == TIME)
		return floe_time_floor(value, grain->unit, steps);
	rest = value % grain->width;
	if (__builtin_sub_overflow(value, rest < 0 ? rest + grain->width : rest, &at))
		return INT64_MIN;
	return steps > 0 && __builtin_add_overflow(at, grain->width, &at) ? INT64_MAX : at;
}

static void
append_bound(Writer *w, const FloePredicate *p, const char *sign, int64_t value)
{
	append_column(w, p);
	floe_buf_printf(w->out, " %s ", sign);
	append_scalar(w, p, value);
}

/* One comparison with edges; NE is not among them, as it leaves no partition out. */
static void
append_widened(Writer *w, const FloePredicate *p, const Grain *grain, FloeCompare compare, const FloeLiteral *literal)
{
	int64_t value = scalar_of(w, literal);
	int64_t low = edge(grain, value, 0);

	switch (compare)
	{
		case FLOE_COMPARE_LT:
			append_bound(w, p, "<", low == value ? value : edge(grain, value, 1));
			break;
		case FLOE_COMPARE_LE:
			append_bound(w, p, "<", edge(grain, value, 1));
			break;
		case FLOE_COMPARE_GT:
		case FLOE_COMPARE_GE:
			append_bound(w, p, ">=", low);
			break;
		default:
			floe_buf_char(w->out, '(');
			append_bound(w, p, ">=", low);
			floe_buf_text(w->out, " AND ");
			append_bound(w, p, "<", edge(grain, value, 1));
			floe_buf_char(w->out, ')');
			break;
	}
}

/* Texts that begin with it are a range: up to the next text of that length. */
static bool
append_begins(Writer *w, const FloePredicate *p)
{
	const char *text = p->values[0].text;
	size_t len = strlen(text);
	char *next;

	if (len == 0 || (unsigned char) text[len - 1] >= 0x7E)
		return fail_grain(w, p, "begins with a text whose end has no successor that floe knows");
	next = strdup(text);
	if (next == NULL)
		return floe_fail(w->st, FLOE_ERR_NOMEM, "no memory for the predicate");
	next[len - 1]++;
	floe_buf_char(w->out, '(');
	append_column(w, p);
	floe_buf_text(w->out, p->negated ? " < " : " >= ");
	append_quoted(w->out, text, '\'');
	floe_buf_text(w->out, p->negated ? " OR " : " AND ");
	append_column(w, p);
	floe_buf_text(w->out, p->negated ? " >= " : " < ");
	append_quoted(w->out, next, '\'');
	floe_buf_char(w->out, ')');
	free(next);
	return true;
}

static bool
append_leaf(Writer *w, const FloePredicate *p, const Grain *grain)
{
	static const char *const compares[] = {"=", "<>", "<", "<=", ">", ">="};

	if (p->kind == FLOE_PREDICATE_NULL)
	{
		append_column(w, p);
		floe_buf_text(w->out, p->negated ? " IS NOT NULL" : " IS NULL");
		return true;
	}
	if (p->kind == FLOE_PREDICATE_BEGINS)
		return append_begins(w, p);
	if (p->kind == FLOE_PREDICATE_COMPARE && grain->kind == EXACT)
	{
		append_column(w, p);
		floe_buf_printf(w->out, " %s ", compares[p->compare]);
		append_value(w, p, &p->values[0]);
		return true;
	}
	if (p->kind == FLOE_PREDICATE_COMPARE)
	{
		append_widened(w, p, grain, p->compare, &p->values[0]);
		return true;
	}
	if (grain->kind == EXACT)
	{
		append_column(w, p);
		floe_buf_text(w->out, p->negated ? " NOT IN " : " IN ");
	}
	floe_buf_char(w->out, '(');
	for (int i = 0; i < p->nvalues; i++)
	{
		if (i > 0)
			floe_buf_text(w->out, grain->kind == EXACT ? ", " : " OR ");
		if (grain->kind == EXACT)
			append_value(w, p, &p->values[i]);
		else
			append_widened(w, p, grain, FLOE_COMPARE_EQ, &p->values[i]);
	}
	floe_buf_char(w->out, ')');
	return true;
}

/* all: by partitions it leaves nothing out, and nothing was written. */
static bool
append_node(Writer *w, const FloePredicate *p, bool *all)
{
	size_t start = w->out->len;
	bool left, right;
	Grain grain;

	*all = false;
	if (p->kind == FLOE_PREDICATE_TRUE || p->kind == FLOE_PREDICATE_FALSE)
	{
		*all = p->kind == FLOE_PREDICATE_TRUE;
		floe_buf_text(w->out, *all ? "" : "false");
		return true;
	}
	if (p->kind != FLOE_PREDICATE_AND && p->kind != FLOE_PREDICATE_OR)
	{
		if (p->type == FLOE_COLUMN_UNKNOWN || !grain_of_column(w, p, &grain))
			return p->type != FLOE_COLUMN_UNKNOWN ? false : fail_grain(w, p, "is of a type that floe does not know");
		*all = grain.kind != EXACT && ((p->kind == FLOE_PREDICATE_COMPARE && p->compare == FLOE_COMPARE_NE) ||
									   (p->kind == FLOE_PREDICATE_IN && p->negated));
		return *all || append_leaf(w, p, &grain);
	}
	floe_buf_char(w->out, '(');
	if (!append_node(w, p->left, &left))
		return false;
	if (!left)
		floe_buf_text(w->out, p->kind == FLOE_PREDICATE_AND ? " AND " : " OR ");
	if (!append_node(w, p->right, &right))
		return false;
	*all = p->kind == FLOE_PREDICATE_AND ? left && right : left || right;
	if (*all)
		w->out->len = start;
	else
	{
		/* the right side of an AND that leaves nothing out takes the word before it along */
		if (right)
			w->out->len -= strlen(" AND ");
		floe_buf_char(w->out, ')');
	}
	if (w->out->data != NULL)
		w->out->data[w->out->len] = '\0';
	return true;
}

bool
floe_predicate_render_trino(const FloePredicate *predicate, const FloeTableSchema *schema, int64_t now_ms, FloeBuf *out,
							FloeStatus *st)
{
	Writer w = {.schema = schema, .now_ms = now_ms, .out = out, .st = st};
	bool all;

	floe_status_ok(st);
	if (!append_node(&w, predicate, &all))
		return false;
	if (all && predicate->kind != FLOE_PREDICATE_TRUE)
		return floe_fail(st, FLOE_ERR_CONFIG, "Trino optimizes whole partitions, and the predicate leaves none out");
	if (all)
		floe_buf_text(out, "true");
	return true;
}
