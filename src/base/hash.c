/*
 * hash.c: SipHash-2-4 and the index over it.
 */
#include "floe.h"

#include "base/hash.h"

#include <string.h>

#define FIRST_SLOTS 64
#define MAX_SLOTS ((uint32_t) 1 << 31)

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))

#define ROUND(v)                                                                                                       \
	do                                                                                                                 \
	{                                                                                                                  \
		(v)[0] += (v)[1], (v)[1] = ROTL((v)[1], 13) ^ (v)[0], (v)[0] = ROTL((v)[0], 32);                               \
		(v)[2] += (v)[3], (v)[3] = ROTL((v)[3], 16) ^ (v)[2];                                                          \
		(v)[0] += (v)[3], (v)[3] = ROTL((v)[3], 21) ^ (v)[0];                                                          \
		(v)[2] += (v)[1], (v)[1] = ROTL((v)[1], 17) ^ (v)[2], (v)[2] = ROTL((v)[2], 32);                               \
	} while (0)

/* Written out, because compilers make one load of it. */
static inline uint64_t
load_word(const uint8_t *p)
{
	return (uint64_t) p[0] | (uint64_t) p[1] << 8 | (uint64_t) p[2] << 16 | (uint64_t) p[3] << 24 |
		   (uint64_t) p[4] << 32 | (uint64_t) p[5] << 40 | (uint64_t) p[6] << 48 | (uint64_t) p[7] << 56;
}

uint64_t
floe_hash_bytes(const FloeHashKey *key, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t left = len;
	uint64_t word;
	uint64_t v[4] = {
		key->k0 ^ UINT64_C(0x736f6d6570736575),
		key->k1 ^ UINT64_C(0x646f72616e646f6d),
		key->k0 ^ UINT64_C(0x6c7967656e657261),
		key->k1 ^ UINT64_C(0x7465646279746573),
	};

	for (; left >= 8; p += 8, left -= 8)
	{
		word = load_word(p);
		v[3] ^= word;
		ROUND(v);
		ROUND(v);
		v[0] ^= word;
	}
	word = (uint64_t) len << 56;
	for (size_t i = 0; i < left; i++)
		word |= (uint64_t) p[i] << (8 * i);
	v[3] ^= word;
	ROUND(v);
	ROUND(v);
	v[0] ^= word;
	v[2] ^= 0xFF;
	for (int i = 0; i < 4; i++)
		ROUND(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
floe_hash_path(const void *path, size_t len)
{
	/* "floe path hash 1": it is part of the stored format and never changes. */
	static const FloeHashKey path_key = {UINT64_C(0x74617020656f6c66), UINT64_C(0x3120687361682068)};

	return floe_hash_bytes(&path_key, path, len);
}

bool
floe_hash_random_key(FloeHashKey *key)
{
	return pg_strong_random(key, sizeof(*key));
}

void
floe_index_init(FloeIndex *index, FloeArena *arena)
{
	memset(index, 0, sizeof(*index));
	index->arena = arena;
}

bool
floe_index_next(const FloeIndex *index, uint64_t hash, uint32_t *probe, uint32_t *pos)
{
	/* At least a quarter of the slots is empty, so the walk ends. */
	while (index->size > 0)
	{
		const FloeIndexSlot *slot = &index->slots[(hash + *probe) & (index->size - 1)];

		if (slot->pos == 0)
			return false;
		(*probe)++;
		if (slot->hash == hash)
		{
			*pos = slot->pos - 1;
			return true;
		}
	}
	return false;
}

static void
place(FloeIndexSlot *slots, uint32_t size, uint64_t hash, uint32_t pos)
{
	uint32_t at = (uint32_t) hash & (size - 1);

	while (slots[at].pos != 0)
		at = (at + 1) & (size - 1);
	slots[at].hash = hash;
	slots[at].pos = pos;
}

bool
floe_index_add(FloeIndex *index, uint64_t hash, uint32_t pos)
{
	if (pos >= MAX_SLOTS / 2)
		return false;
	if (index->used >= index->size / 4 * 3)
	{
		uint32_t size = index->size > 0 ? index->size * 2 : FIRST_SLOTS;
		FloeIndexSlot *slots;

		if (index->size >= MAX_SLOTS)
			return false;
		slots = floe_arena_alloc0(index->arena, size * sizeof(FloeIndexSlot));
		if (slots == NULL)
			return false;
		for (uint32_t i = 0; i < index->size; i++)
			if (index->slots[i].pos != 0)
				place(slots, size, index->slots[i].hash, index->slots[i].pos);
		index->slots = slots;
		index->size = size;
	}
	place(index->slots, index->size, hash, pos + 1);
	index->used++;
	return true;
}
