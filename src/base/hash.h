/*
 * hash.h: a keyed 64-bit hash, and an index from hashes to positions in an array.
 *
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF").  It is
 * used with two kinds of keys:
 *
 * - a fixed one for hashes that are stored (floe_hash_path): equal on every
 *   machine and in every version;
 * - a random one for tables in memory that are filled from remote text, so
 *   that nobody can prepare keys that all fall into one slot.
 *
 * Own code: PostgreSQL has no keyed hash, and that of libcrypto wants a context
 * to be allocated for every call.
 */
#ifndef FLOE_BASE_HASH_H
#define FLOE_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct FloeHashKey
{
	uint64_t k0;
	uint64_t k1;
} FloeHashKey;

extern uint64_t floe_hash_bytes(const FloeHashKey *key, const void *data, size_t len);

/*
 * The hash of a file path as it is stored in aggregates.  Two paths of one
 * table may collide; among a million paths the chance that any two do is
 * below one in thirty million, and the damage is a count that is off by one.
 */
extern uint64_t floe_hash_path(const void *path, size_t len);

/* A key that nobody can guess; false when the system has no randomness to give. */
extern bool floe_hash_random_key(FloeHashKey *key);

/*
 * FloeIndex: hash -> position.  The caller keeps the items in an array of its
 * own and compares them itself; the index only narrows the search.  Memory
 * comes from the arena and is never given back.
 *
 *	uint32_t probe = 0, pos;
 *	while (floe_index_next(&index, hash, &probe, &pos))
 *		if (items[pos] is it)
 *			found;
 *	floe_index_add(&index, hash, new position);
 */
typedef struct FloeIndexSlot
{
	uint64_t hash;
	uint32_t pos; /* position + 1; 0: empty */
} FloeIndexSlot;

typedef struct FloeIndex
{
	FloeArena *arena;
	FloeIndexSlot *slots; /* NULL while empty */
	uint32_t size;        /* a power of two */
	uint32_t used;
} FloeIndex;

extern void floe_index_init(FloeIndex *index, FloeArena *arena);

/* The next position stored under the hash; *probe is 0 at first and belongs to the index. */
extern bool floe_index_next(const FloeIndex *index, uint64_t hash, uint32_t *probe, uint32_t *pos);

/* False when the arena refuses, or beyond 2^30 positions. */
extern bool floe_index_add(FloeIndex *index, uint64_t hash, uint32_t pos);

#endif /* FLOE_BASE_HASH_H */
