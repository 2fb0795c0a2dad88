/*
 * scoped.c: a sorted array of deletes under an index of the upper bits of their hashes.
 */
#include "floe.h"

#include "iceberg/scoped.h"

#include <string.h>

#define FIRST_SIZE 64
#define MAX_INDEX_BITS 20

static inline int
compare_deletes(const FloeScopedDelete *a, const FloeScopedDelete *b)
{
	if (a->path_hash != b->path_hash)
		return a->path_hash < b->path_hash ? -1 : 1;
	return (a->owner > b->owner) - (a->owner < b->owner);
}

#define ST_SORT sort_deletes
#define ST_ELEMENT_TYPE FloeScopedDelete
#define ST_COMPARE(a, b) compare_deletes(a, b)
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

bool
floe_scoped_add(FloeScopedDeletes *s, uint64_t path_hash, int64_t sequence_number, uint32_t owner)
{
	if (s->count == s->size)
	{
		uint32_t size = s->size > 0 ? s->size * 2 : FIRST_SIZE;
		FloeScopedDelete *deletes;

		if (s->size > UINT32_MAX / 4)
			return false;
		deletes = floe_arena_alloc(s->arena, size * sizeof(*deletes));
		if (deletes == NULL)
			return false;
		if (s->count > 0)
			memcpy(deletes, s->deletes, s->count * sizeof(*deletes));
		s->deletes = deletes;
		s->size = size;
	}
	s->deletes[s->count++] = (FloeScopedDelete){path_hash, sequence_number, INT64_MAX, owner};
	return true;
}

bool
floe_scoped_sort(FloeScopedDeletes *s)
{
	int bits = 1;
	uint32_t at = 0;

	if (s->count == 0)
		return true;
	sort_deletes(s->deletes, s->count);
	while (bits < MAX_INDEX_BITS && (UINT32_C(1) << bits) < s->count)
		bits++;
	s->shift = 64 - bits;
	s->begin = floe_arena_alloc(s->arena, ((size_t) 1 << bits) * sizeof(uint32_t) + sizeof(uint32_t));
	if (s->begin == NULL)
		return false;
	for (uint32_t upper = 0; upper < UINT32_C(1) << bits; upper++)
	{
		s->begin[upper] = at;
		while (at < s->count && s->deletes[at].path_hash >> s->shift == upper)
			at++;
	}
	s->begin[UINT32_C(1) << bits] = s->count;
	return true;
}

void
floe_scoped_offer(FloeScopedDeletes *s, uint64_t path_hash, int64_t sequence_number)
{
	uint32_t low, high, end;

	if (s->count == 0)
		return;
	low = s->begin[path_hash >> s->shift];
	high = end = s->begin[(path_hash >> s->shift) + 1];
	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;

		if (s->deletes[middle].path_hash < path_hash)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < end && s->deletes[low].path_hash == path_hash)
		s->deletes[low].data_sequence_number = Min(s->deletes[low].data_sequence_number, sequence_number);
}

void
floe_scoped_settle(FloeScopedDeletes *s)
{
	for (uint32_t i = 1; i < s->count; i++)
		if (s->deletes[i].path_hash == s->deletes[i - 1].path_hash)
			s->deletes[i].data_sequence_number = s->deletes[i - 1].data_sequence_number;
}

bool
floe_scoped_is_first(const FloeScopedDeletes *s, uint32_t i)
{
	return i == 0 || compare_deletes(&s->deletes[i - 1], &s->deletes[i]) != 0;
}
