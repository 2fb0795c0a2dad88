/*
 * arena.c: chunked bump allocation over malloc with a total limit.
 */
#include "floe.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CHUNK ((size_t) 8 * 1024)
#define MAX_CHUNK ((size_t) 1024 * 1024)
#define ALIGNMENT ((size_t) 16)

typedef struct Chunk
{
	struct Chunk *next;
	size_t size; /* usable bytes behind the header */
	size_t used;
	size_t pad; /* keeps the data 16-byte aligned */
} Chunk;

StaticAssertDecl(sizeof(Chunk) % ALIGNMENT == 0, "chunk data must be aligned");

struct FloeArena
{
	Chunk *head; /* the chunk being filled; older ones behind it */
	size_t limit;
	size_t held; /* sum of all chunk sizes */
	size_t used;
	size_t next_size;
};

FloeArena *
floe_arena_new(size_t limit)
{
	FloeArena *arena = calloc(1, sizeof(FloeArena));

	if (arena == NULL)
		return NULL;
	arena->limit = limit;
	arena->next_size = FIRST_CHUNK;
	return arena;
}

static void
free_chunks(Chunk *chunk)
{
	while (chunk != NULL)
	{
		Chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
}

void
floe_arena_free(FloeArena *arena)
{
	if (arena == NULL)
		return;
	free_chunks(arena->head);
	free(arena);
}

void
floe_arena_reset(FloeArena *arena)
{
	free_chunks(arena->head);
	arena->head = NULL;
	arena->held = 0;
	arena->used = 0;
	arena->next_size = FIRST_CHUNK;
}

static Chunk *
add_chunk(FloeArena *arena, size_t need)
{
	size_t size = Max(need, arena->next_size);
	Chunk *chunk;

	if (size > arena->limit - arena->held)
		size = need; /* the last chunk may be a small one */
	if (size > arena->limit - arena->held)
		return NULL;
	chunk = malloc(sizeof(Chunk) + size);
	if (chunk == NULL)
		return NULL;
	chunk->size = size;
	chunk->used = 0;
	arena->held += size;
	if (arena->next_size < MAX_CHUNK)
		arena->next_size *= 2;

	/* A big piece gets a chunk of its own, behind the one being filled. */
	if (arena->head != NULL && need > arena->next_size / 2 && arena->head->size - arena->head->used > size / 8)
	{
		chunk->next = arena->head->next;
		arena->head->next = chunk;
	}
	else
	{
		chunk->next = arena->head;
		arena->head = chunk;
	}
	return chunk;
}

void *
floe_arena_alloc(FloeArena *arena, size_t size)
{
	Chunk *chunk = arena->head;
	void *result;

	if (size > arena->limit || size > SIZE_MAX / 2)
		return NULL;
	size = (Max(size, 1) + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (chunk == NULL || chunk->size - chunk->used < size)
	{
		chunk = add_chunk(arena, size);
		if (chunk == NULL)
			return NULL;
	}
	result = (char *) (chunk + 1) + chunk->used;
	chunk->used += size;
	arena->used += size;
	return result;
}

void *
floe_arena_alloc0(FloeArena *arena, size_t size)
{
	void *result = floe_arena_alloc(arena, size);

	if (result != NULL)
		memset(result, 0, size);
	return result;
}

char *
floe_arena_text(FloeArena *arena, const char *src, size_t len)
{
	char *copy = floe_arena_alloc(arena, len + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, src, len);
	copy[len] = '\0';
	return copy;
}

size_t
floe_arena_used(const FloeArena *arena)
{
	return arena->used;
}
