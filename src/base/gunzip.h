/*
 * gunzip.h: gzip (RFC 1952) inflated as a stream.
 *
 * For table metadata stored compressed.  libdeflate, which floe uses for
 * manifests, wants the whole input and the whole output in memory; this is
 * zlib, with a fixed 64 kB and concatenated members.
 */
#ifndef FLOE_BASE_GUNZIP_H
#define FLOE_BASE_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

typedef struct FloeGunzip FloeGunzip;

/* Takes the inflated bytes, in pieces of at most 32 kB; it has to end a bomb by returning false. */
typedef bool (*FloeGunzipSink)(void *ctx, const void *data, size_t len, FloeStatus *st);

/* Lives in the arena, zlib's memory included; NULL when that is full. */
extern FloeGunzip *floe_gunzip_new(FloeArena *arena, FloeGunzipSink sink, void *ctx);

/* FLOE_ERR_CORRUPT when the bytes are not gzip or end too early, FLOE_ERR_TOO_LARGE when the arena is full. */
extern bool floe_gunzip_feed(FloeGunzip *gunzip, const void *data, size_t len, FloeStatus *st);
extern bool floe_gunzip_finish(FloeGunzip *gunzip, FloeStatus *st);

#endif /* FLOE_BASE_GUNZIP_H */
