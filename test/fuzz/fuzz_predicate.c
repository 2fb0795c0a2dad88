/*
 * fuzz_predicate.c: predicates and sort orders of any bytes; the first byte chooses which.
 *
 * Nothing that is written for Spark holds what Spark could read in two ways, and
 * a sort order that was written is read again and written the same.
 */
#include "floe.h"

#include "engine/predicate.h"
#include "engine/sort_order.h"

#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const FloeSchemaColumn columns[] = {{"id", "long", 1},  {"d", "date", 2},         {"t", "timestamptz", 3},
										   {"s", "string", 4}, {"p", "decimal(9,2)", 5}, {"b", "boolean", 6},
										   {"x.y", "int", 7}};
static const FloePartitionField fields[] = {{0, 1, "truncate[7]"}, {0, 2, "month"},    {0, 3, "hour"},
											{0, 4, "identity"},    {0, 5, "identity"}, {0, 6, "identity"},
											{0, 7, "identity"}};
static const int64_t specs[] = {0};

static void
require(bool held)
{
	if (!held)
		abort();
}

static void
try_predicate(const char *text, FloeArena *arena)
{
	FloeTableSchema schema = {columns, lengthof(columns), true, fields, lengthof(fields), specs, 1};
	FloeStatus st;
	FloePredicate *p = floe_predicate_parse(text, arena, &st);
	FloeBuf out;

	require(p != NULL || st.code == FLOE_ERR_CONFIG || st.code == FLOE_ERR_TOO_LARGE);
	if (p == NULL)
		return;
	floe_buf_init(&out, 1024 * 1024);
	if (floe_predicate_render_spark(p, 0, &out, &st) && !out.failed)
		require(strchr(out.data, '\\') == NULL && strstr(out.data, "${") == NULL);
	floe_buf_reset(&out);
	if (floe_predicate_bind(p, &schema, arena, &st))
	{
		(void) floe_predicate_render_spark(p, INT64CONST(1767323096789), &out, &st);
		floe_buf_reset(&out);
		(void) floe_predicate_render_trino(p, &schema, INT64CONST(1767323096789), &out, &st);
		require(out.data == NULL || out.failed || strlen(out.data) == out.len);
	}
	floe_buf_free(&out);
}

static void
try_sort_order(const char *text, FloeArena *arena)
{
	FloeStatus st;
	FloeSortOrder *order = floe_sort_order_parse(text, arena, &st);
	FloeBuf once, twice;

	if (order == NULL)
		return;
	floe_buf_init(&once, 1024 * 1024);
	floe_buf_init(&twice, 1024 * 1024);
	if (floe_sort_order_render_spark(order, &once, &st))
	{
		order = floe_sort_order_parse(once.data, arena, &st);
		require(order != NULL && floe_sort_order_render_spark(order, &twice, &st) &&
				strcmp(once.data, twice.data) == 0);
	}
	floe_buf_free(&once);
	floe_buf_free(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FloeArena *arena = floe_arena_new(FLOE_PREDICATE_ARENA * 2);
	char *text = malloc(size + 1);

	require(arena != NULL && text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (size > 0 && data[0] == 'S')
		try_sort_order(text + 1, arena);
	else if (size > 0)
		try_predicate(text + 1, arena);
	free(text);
	floe_arena_free(arena);
	return 0;
}
