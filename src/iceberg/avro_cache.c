/*
 * avro_cache.c: least recently used, compared byte by byte.
 *
 * No hash: the texts are compared in full anyway, and texts of other schemas
 * nearly always differ in length.
 */
#include "floe.h"

#include "iceberg/avro_cache.h"

#include <string.h>

static bool
same_key(const FloeAvroCacheKey *a, const FloeAvroCacheKey *b)
{
	for (int i = 0; i < FLOE_AVRO_CACHE_KEYS; i++)
		if (a->part[i].len != b->part[i].len || (a->part[i].data == NULL) != (b->part[i].data == NULL))
			return false;
	for (int i = 0; i < FLOE_AVRO_CACHE_KEYS; i++)
		if (a->part[i].len > 0 && memcmp(a->part[i].data, b->part[i].data, a->part[i].len) != 0)
			return false;
	return true;
}

static void
put_first(FloeAvroCache *cache, int at, FloeAvroCacheEntry entry)
{
	memmove(&cache->entries[1], &cache->entries[0], (size_t) at * sizeof(entry));
	cache->entries[0] = entry;
}

const void *
floe_avro_cache_lookup(FloeAvroCache *cache, const FloeAvroCacheKey *key)
{
	for (int i = 0; i < cache->nentries; i++)
	{
		if (same_key(&cache->entries[i].key, key))
		{
			put_first(cache, i, cache->entries[i]);
			return cache->entries[0].value;
		}
	}
	return NULL;
}

static void
drop_last(FloeAvroCache *cache)
{
	cache->nentries--;
	floe_arena_free(cache->entries[cache->nentries].arena);
}

bool
floe_avro_cache_insert(FloeAvroCache *cache, const FloeAvroCacheKey *key, FloeArena *arena, const void *value)
{
	FloeAvroCacheEntry entry = {.arena = arena, .value = value};
	size_t used;

	for (int i = 0; i < FLOE_AVRO_CACHE_KEYS; i++)
	{
		entry.key.part[i].len = key->part[i].len;
		if (key->part[i].data == NULL)
			continue;
		entry.key.part[i].data =
			(const uint8_t *) floe_arena_text(arena, (const char *) key->part[i].data, key->part[i].len);
		if (entry.key.part[i].data == NULL)
		{
			floe_arena_free(arena);
			return false;
		}
	}
	used = floe_arena_used(arena);
	for (int i = 0; i < cache->nentries; i++)
		used += floe_arena_used(cache->entries[i].arena);
	while (cache->nentries > 0 && (cache->nentries == FLOE_AVRO_CACHE_ENTRIES || used > cache->limit))
	{
		used -= floe_arena_used(cache->entries[cache->nentries - 1].arena);
		drop_last(cache);
	}
	put_first(cache, cache->nentries, entry);
	cache->nentries++;
	return true;
}

void
floe_avro_cache_clear(FloeAvroCache *cache)
{
	while (cache->nentries > 0)
		drop_last(cache);
}
