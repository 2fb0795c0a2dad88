/*
 * avro_cache.h: a bounded cache from texts to what was compiled from them.
 *
 * The manifests of a table share a handful of schemas, and compiling one costs
 * as much as reading hundreds of entries.  Internal to the reader (avro.c),
 * which owns one; separate because it knows nothing about Avro.
 */
#ifndef FLOE_ICEBERG_AVRO_CACHE_H
#define FLOE_ICEBERG_AVRO_CACHE_H

#include "iceberg/avro.h"

#define FLOE_AVRO_CACHE_ENTRIES 32

typedef struct FloeAvroCacheEntry
{
	FloeAvroCacheKey key; /* parts point into the arena */
	FloeArena *arena;
	const void *value;
} FloeAvroCacheEntry;

/* Zero-initialised with a limit is an empty cache.  The most recently used entry comes first. */
typedef struct FloeAvroCache
{
	size_t limit; /* bytes of all arenas */
	int nentries;
	FloeAvroCacheEntry entries[FLOE_AVRO_CACHE_ENTRIES];
} FloeAvroCache;

extern const void *floe_avro_cache_lookup(FloeAvroCache *cache, const FloeAvroCacheKey *key);
extern bool floe_avro_cache_insert(FloeAvroCache *cache, const FloeAvroCacheKey *key, FloeArena *arena,
								   const void *value);
extern void floe_avro_cache_clear(FloeAvroCache *cache);

#endif /* FLOE_ICEBERG_AVRO_CACHE_H */
