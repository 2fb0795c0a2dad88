/*
 * scoped.h: deletes that are limited to one data file, joined with the data files.
 *
 * Such a delete applies when a live data file has its path and a sequence
 * number that is not greater than its own (spec, "Scan Planning").  First all
 * deletes are added, then every live data file is offered once, then each
 * delete knows the smallest sequence number of its file, if there is one.
 * Only the deletes are held; a lookup costs the same whatever the hashes are.
 *
 * Internal to health.c.
 */
#ifndef FLOE_ICEBERG_SCOPED_H
#define FLOE_ICEBERG_SCOPED_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct FloeScopedDelete
{
	uint64_t path_hash;
	int64_t sequence_number;
	int64_t data_sequence_number; /* smallest of the live data files with that path; INT64_MAX: there is none */
	uint32_t owner;               /* the caller's */
} FloeScopedDelete;

/* Zero-initialised with an arena is empty. */
typedef struct FloeScopedDeletes
{
	FloeArena *arena;
	FloeScopedDelete *deletes;
	uint32_t count, size;
	/* after sorting: where the deletes begin whose hash has these upper bits */
	uint32_t *begin;
	int shift;
} FloeScopedDeletes;

/* False when the arena refuses. */
extern bool floe_scoped_add(FloeScopedDeletes *s, uint64_t path_hash, int64_t sequence_number, uint32_t owner);
extern bool floe_scoped_sort(FloeScopedDeletes *s);

/* After sorting: a live data file. */
extern void floe_scoped_offer(FloeScopedDeletes *s, uint64_t path_hash, int64_t sequence_number);

/* After all data files: makes data_sequence_number true of every delete (before, only of the first of a path). */
extern void floe_scoped_settle(FloeScopedDeletes *s);

/* After sorting: no delete before it has the same path and owner. */
extern bool floe_scoped_is_first(const FloeScopedDeletes *s, uint32_t i);

#endif /* FLOE_ICEBERG_SCOPED_H */
