/*
 * option_schema.c: checking options that name columns against a table.
 *
 * Separate from reading options: a policy is saved for tables that nobody has
 * seen yet, and a table's columns change while an operation is queued.
 */
#include "floe.h"

#include "engine/option_schema.h"

#include "engine/predicate.h"
#include "engine/sort_order.h"
#include "engine/spark_options.h"

#include <string.h>

/* Iceberg looks these up byte for byte, and counts values of primitive types only. */
static bool
fits_columns(FloeJson names, const FloeTableSchema *schema, FloeStatus *st)
{
	for (size_t i = 0; i < floe_json_length(names); i++)
	{
		const char *name = floe_json_string(floe_json_at(names, i));
		bool is_ambiguous;
		const FloeSchemaColumn *column = floe_schema_column(schema, name, &is_ambiguous);
		int precision, scale;

		if (column == NULL && !schema->is_complete && !is_ambiguous)
			continue;
		if (column == NULL || strcmp(column->name, name) != 0)
			return floe_schema_fail_column(schema, name, false, "columns", st);
		if (floe_schema_is_repeated(schema, name) ||
			floe_column_type(column->type, &precision, &scale) == FLOE_COLUMN_NESTED)
			return floe_fail(st, FLOE_ERR_CONFIG, "column \"%s\" of columns is not of a primitive type", name);
		/* Iceberg 1.11 has Spark parse the name as it is */
		if (strchr(name, '`') != NULL)
			return floe_fail(st, FLOE_ERR_CONFIG,
							 "column \"%s\" of columns has a back-tick, which Iceberg cannot count", name);
	}
	return true;
}

static bool
fits(const FloeOptionValue *v, const FloeTableSchema *schema, FloeArena *arena, FloeStatus *st)
{
	FloePredicate *predicate;
	FloeSortOrder *order;

	switch (v->option->type)
	{
		case FLOE_OPTION_COLUMNS:
			return fits_columns(v->json, schema, st);
		case FLOE_OPTION_WHERE:
			predicate = floe_predicate_parse(v->text, arena, st);
			return predicate != NULL && floe_predicate_bind(predicate, schema, arena, st);
		case FLOE_OPTION_SORT:
			order = floe_sort_order_parse(v->text, arena, st);
			return order != NULL && floe_sort_order_bind(order, schema, st);
		default:
			return true;
	}
}

bool
floe_options_fit(const char *operation, FloeJson options, const FloeTableSchema *schema, FloeStatus *st)
{
	FloeSparkOptions read;
	FloeArena *arena;
	bool done = true;

	if (!floe_spark_options_read(operation, options, false, &read, st))
		return false;
	arena = floe_arena_new(FLOE_PREDICATE_ARENA);
	if (arena == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "no memory for the options");
	for (int i = 0; i < read.count && done; i++)
		done = fits(&read.items[i], schema, arena, st);
	floe_arena_free(arena);
	return done;
}
