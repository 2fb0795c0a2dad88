/*
 * render.c: rendering CALL statements for Spark.
 */
#include "floe.h"

#include "engine/render.h"

#include "engine/predicate.h"
#include "engine/sort_order.h"
#include "engine/spark_catalog.h"
#include "engine/spark_literal.h"
#include "engine/spark_options.h"
#include "engine/spark_values.h"

#include "common/shortest_dec.h"

#include <string.h>

#define MAX_LEVELS 64

/* The procedure measures the floor with the engine's clock, which may be behind ours. */
#define CLOCK_MARGIN_MS (10 * 60 * 1000)

/* -------------------------------------------------------------------------
 * The table
 * ------------------------------------------------------------------------- */

static bool
append_part(FloeBuf *name, const char *part, FloeStatus *st)
{
	if (part == NULL || part[0] == '\0')
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "the name of the table has an empty part");
	if (!floe_spark_text_check(part, "the name of the table", st))
		return false;
	floe_buf_char(name, '.');
	floe_spark_quote_name(name, part);
	return true;
}

/*
 * The name is a text that Spark parses again, so each part is quoted inside
 * it.  The catalog comes first even though the procedure belongs to it: a
 * namespace that has the name of some catalog would be taken for that one.
 */
static bool
append_table(FloeBuf *out, const FloeEngineTable *table, FloeStatus *st)
{
	FloeBuf name;
	bool done = true;

	if (table->nlevels < 1 || table->nlevels > MAX_LEVELS)
		return floe_fail(st, FLOE_ERR_UNSUPPORTED, "a table in a namespace of %d levels", table->nlevels);
	floe_buf_init(&name, out->cap);
	floe_spark_quote_name(&name, table->catalog);
	for (int i = 0; i < table->nlevels && done; i++)
		done = append_part(&name, table->levels[i], st);
	done = done && append_part(&name, table->table, st);
	if (done && name.failed)
		done = floe_fail(st, FLOE_ERR_TOO_LARGE, "the name of the table is too long");
	if (done)
	{
		floe_buf_text(out, "table => ");
		floe_spark_quote_text(out, name.data);
	}
	floe_buf_free(&name);
	return done;
}

/* -------------------------------------------------------------------------
 * Options
 * ------------------------------------------------------------------------- */

static void
append_ids(FloeBuf *out, FloeJson ids)
{
	int64_t id = 0;

	floe_buf_text(out, "array(");
	for (size_t i = 0; i < floe_json_length(ids); i++)
	{
		(void) floe_spark_option_id(floe_json_at(ids, i), &id);
		floe_buf_printf(out, "%s%lldL", i > 0 ? ", " : "", (long long) id);
	}
	floe_buf_char(out, ')');
}

static void
append_texts(FloeBuf *out, FloeJson texts)
{
	floe_buf_text(out, "array(");
	for (size_t i = 0; i < floe_json_length(texts); i++)
	{
		if (i > 0)
			floe_buf_text(out, ", ");
		floe_spark_quote_text(out, floe_json_string(floe_json_at(texts, i)));
	}
	floe_buf_char(out, ')');
}

static void
append_text_map(FloeBuf *out, FloeJson map)
{
	int n = 0;

	floe_buf_text(out, "map(");
	for (FloeJsonIter it = floe_json_iter(map); floe_json_next(&it);)
	{
		if (n++ > 0)
			floe_buf_text(out, ", ");
		floe_spark_quote_text(out, it.key);
		floe_buf_text(out, ", ");
		floe_spark_quote_text(out, floe_json_string(it.value));
	}
	floe_buf_char(out, ')');
}

/* The time that the age is back from now; one at the floor is rendered a little older. */
static void
append_age(FloeBuf *out, const FloeOptionValue *v, int64_t now_ms)
{
	int64_t age = v->number;

	if (v->option->min > 0)
		age = Max(age, v->option->min + CLOCK_MARGIN_MS);
	floe_buf_text(out, "TIMESTAMP '");
	floe_spark_append_timestamp(out, now_ms - age);
	floe_buf_char(out, '\'');
}

/* Options with a grammar of their own, in Spark's words; schema may be NULL. */
static bool
translate(FloeBuf *out, const FloeOptionValue *v, const FloeTableSchema *schema, int64_t now_ms, FloeArena *arena,
		  FloeStatus *st)
{
	FloePredicate *predicate;
	FloeSortOrder *order;

	if (v->option->type == FLOE_OPTION_SORT)
	{
		order = floe_sort_order_parse(v->text, arena, st);
		return order != NULL && (schema == NULL || floe_sort_order_bind(order, schema, st)) &&
			   floe_sort_order_render_spark(order, out, st);
	}
	predicate = floe_predicate_parse(v->text, arena, st);
	return predicate != NULL && (schema == NULL || floe_predicate_bind(predicate, schema, arena, st)) &&
		   floe_predicate_render_spark(predicate, now_ms, out, st);
}

/* A text that Spark parses once more. */
static bool
append_translated(FloeBuf *out, const FloeOptionValue *v, const FloeTableSchema *schema, int64_t now_ms, FloeStatus *st)
{
	FloeArena *arena = floe_arena_new(FLOE_PREDICATE_ARENA);
	FloeBuf text;
	bool done;

	if (arena == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "no memory for option \"%s\"", v->option->name);
	floe_buf_init(&text, out->cap);
	done = translate(&text, v, schema, now_ms, arena, st);
	if (done && text.failed)
		done = floe_fail(st, FLOE_ERR_TOO_LARGE, "option \"%s\" is too long", v->option->name);
	if (done)
		floe_spark_quote_text(out, text.data);
	floe_buf_free(&text);
	floe_arena_free(arena);
	return done;
}

/* The value as a literal of its own type, for an argument. */
static bool
append_argument(FloeBuf *out, const FloeOptionValue *v, const FloeTableSchema *schema, int64_t now_ms, FloeStatus *st)
{
	switch (v->option->type)
	{
		case FLOE_OPTION_BYTES:
		case FLOE_OPTION_COUNT:
			floe_buf_printf(out, "%lld", (long long) v->number);
			break;
		case FLOE_OPTION_BOOLEAN:
			floe_buf_text(out, v->number != 0 ? "true" : "false");
			break;
		case FLOE_OPTION_AGE:
			append_age(out, v, now_ms);
			break;
		case FLOE_OPTION_IDS:
			append_ids(out, v->json);
			break;
		case FLOE_OPTION_COLUMNS:
			append_texts(out, v->json);
			break;
		case FLOE_OPTION_TEXT_MAP:
			append_text_map(out, v->json);
			break;
		case FLOE_OPTION_SORT:
		case FLOE_OPTION_WHERE:
			return append_translated(out, v, schema, now_ms, st);
		default:
			floe_spark_quote_text(out, v->text);
			break;
	}
	return true;
}

/* The value as a text, for an entry of the options map. */
static void
append_map_value(FloeBuf *out, const FloeOptionValue *v)
{
	char ratio[DOUBLE_SHORTEST_DECIMAL_LEN];

	switch (v->option->type)
	{
		case FLOE_OPTION_RATIO:
			double_to_shortest_decimal_buf(v->ratio, ratio);
			floe_buf_printf(out, "'%s'", ratio);
			break;
		case FLOE_OPTION_BOOLEAN:
			floe_buf_text(out, v->number != 0 ? "'true'" : "'false'");
			break;
		case FLOE_OPTION_ENUM:
			floe_spark_quote_text(out, v->text);
			break;
		default:
			floe_buf_printf(out, "'%lld'", (long long) v->number);
			break;
	}
}

static bool
append_options(FloeBuf *out, const FloeSparkOptions *options, const FloeTableSchema *schema, int64_t now_ms,
			   FloeStatus *st)
{
	int entries = 0;

	for (int i = 0; i < options->count; i++)
	{
		const FloeOptionValue *v = &options->items[i];

		if (v->option->place != FLOE_OPTION_ARGUMENT)
			continue;
		floe_buf_printf(out, ", %s => ", v->option->engine_name);
		if (!append_argument(out, v, schema, now_ms, st))
			return false;
	}
	for (int i = 0; i < options->count; i++)
	{
		const FloeOptionValue *v = &options->items[i];

		if (v->option->place != FLOE_OPTION_MAP)
			continue;
		floe_buf_printf(out, "%s'%s', ", entries++ == 0 ? ", options => map(" : ", ", v->option->engine_name);
		append_map_value(out, v);
	}
	if (entries > 0)
		floe_buf_char(out, ')');
	return true;
}

bool
floe_spark_render(const FloeEngineTable *table, const char *operation, FloeJson options, int64_t now_ms, FloeBuf *out,
				  FloeStatus *st)
{
	FloeSparkOptions read;

	if (!floe_spark_catalog_name_check(table->catalog, st))
		return false;
	if (!floe_spark_options_read(operation, options, true, &read, st))
		return false;
	floe_buf_text(out, "CALL ");
	floe_spark_quote_name(out, table->catalog);
	floe_buf_printf(out, ".system.%s(", operation);
	if (!append_table(out, table, st))
		return false;
	if (!append_options(out, &read, table->schema, now_ms, st))
		return false;
	floe_buf_char(out, ')');
	if (out->failed)
		return floe_fail(st, out->over_cap ? FLOE_ERR_TOO_LARGE : FLOE_ERR_NOMEM,
						 "the statement of %s is longer than %zu bytes", operation, out->cap);
	return true;
}
