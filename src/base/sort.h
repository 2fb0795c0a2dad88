/*
 * sort.h: a sort whose cost does not depend on who chose the values.
 *
 * PostgreSQL's qsort() is quadratic on inputs made for it, and snapshot ids
 * and property names come from outside; hence this merge sort.
 */
#ifndef FLOE_BASE_SORT_H
#define FLOE_BASE_SORT_H

#include <stddef.h>

/* Sorts count items of size bytes; equal ones keep their order.  scratch has room for as many items. */
extern void floe_sort(void *items, void *scratch, size_t count, size_t size,
					  int (*compare)(const void *, const void *));

#endif /* FLOE_BASE_SORT_H */
