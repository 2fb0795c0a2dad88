/*
 * arena.h: memory for parsers: many small pieces, freed at once, with a limit.
 *
 * Built on malloc so that it cannot throw: an allocation beyond the limit or
 * beyond the machine returns NULL and the parser reports FLOE_ERR_NOMEM or
 * FLOE_ERR_TOO_LARGE.  Inside the server the owner registers
 * floe_cleanup_register(floe_arena_free, …) before it creates one.
 */
#ifndef FLOE_BASE_ARENA_H
#define FLOE_BASE_ARENA_H

#include <stddef.h>

typedef struct FloeArena FloeArena;

/* limit: bytes the arena may hold in all; NULL when malloc fails. */
extern FloeArena *floe_arena_new(size_t limit);
extern void floe_arena_free(FloeArena *arena); /* NULL is allowed */
extern void floe_arena_reset(FloeArena *arena);

/* Aligned to 16 bytes, not zeroed; NULL when refused.  Size 0 gives a valid pointer. */
extern void *floe_arena_alloc(FloeArena *arena, size_t size);
extern void *floe_arena_alloc0(FloeArena *arena, size_t size);

/* A terminated copy of len bytes (which may hold NULs); NULL when refused. */
extern char *floe_arena_text(FloeArena *arena, const char *src, size_t len);

/* Bytes handed out and still held. */
extern size_t floe_arena_used(const FloeArena *arena);

#endif /* FLOE_BASE_ARENA_H */
