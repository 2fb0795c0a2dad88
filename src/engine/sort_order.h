/*
 * sort_order.h: the option "sort_order": columns and transforms to sort by, or zorder(a, b).
 *
 *     order     = element, element …  |  zorder(column, column …)
 *     element   = term [ASC | DESC] [NULLS FIRST | NULLS LAST]
 *     term      = column | identity(column) | bucket(16, column) | truncate(4, column)
 *               | years(column) | months(column) | days(column) | hours(column)
 *     column    = name, "name", `name`, and a.b for a field of a struct
 *
 * Parsed when a policy is saved, checked against the table's columns before
 * anything is sent, and written anew with every name quoted.
 */
#ifndef FLOE_ENGINE_SORT_ORDER_H
#define FLOE_ENGINE_SORT_ORDER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "engine/table_schema.h"

#define FLOE_SORT_MAX_TERMS 64

typedef enum FloeSortTransform
{
	FLOE_SORT_IDENTITY,
	FLOE_SORT_BUCKET,
	FLOE_SORT_TRUNCATE,
	FLOE_SORT_YEARS,
	FLOE_SORT_MONTHS,
	FLOE_SORT_DAYS,
	FLOE_SORT_HOURS
} FloeSortTransform;

typedef struct FloeSortTerm
{
	FloeSortTransform transform;
	int width; /* of bucket and truncate */
	const char *const *parts;
	int nparts;
	const char *full_name;
	int direction; /* 0: not said, 1: ASC, 2: DESC */
	int nulls;     /* 0: not said, 1: FIRST, 2: LAST */
} FloeSortTerm;

typedef struct FloeSortOrder
{
	bool is_zorder;
	int count;
	FloeSortTerm terms[FLOE_SORT_MAX_TERMS];
} FloeSortOrder;

/* NULL with FLOE_ERR_CONFIG, whose message says where and what. */
extern FloeSortOrder *floe_sort_order_parse(const char *text, FloeArena *arena, FloeStatus *st);

/* Columns that are there, of types that the transforms take. */
extern bool floe_sort_order_bind(const FloeSortOrder *order, const FloeTableSchema *schema, FloeStatus *st);

/* In Spark SQL, as Iceberg's procedure reads it. */
extern bool floe_sort_order_render_spark(const FloeSortOrder *order, FloeBuf *out, FloeStatus *st);

#endif /* FLOE_ENGINE_SORT_ORDER_H */
