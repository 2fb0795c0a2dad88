/*
 * snapshot_codec.h: a snapshot list as a few bytes per snapshot, for keeping it in the database.
 *
 * Version 1, all integers as in cursor.h:
 *
 *   u8 version = 1
 *   varint number of snapshots
 *   for each
 *     u8 operation (FloeSnapshotOp) | 8: has a parent | 16: the parent is the snapshot before it in the list
 *     u8 bit n: counter n of FLOE_STORED_COUNTERS is known
 *     be64 snapshot id
 *     be64 parent id, when there is one and it is not the snapshot before
 *     zigzag timestamp in ms, minus that of the snapshot before
 *     zigzag sequence number, minus that of the snapshot before
 *     varint each known counter
 */
#ifndef FLOE_ICEBERG_SNAPSHOT_CODEC_H
#define FLOE_ICEBERG_SNAPSHOT_CODEC_H

#include "base/buf.h"
#include "iceberg/snapshots.h"

/* Only id, parent, timestamp, sequence number, operation and six counters are stored. */
extern bool floe_snapshots_encode(const FloeSnapshot *snapshots, int count, FloeBuf *buf, FloeStatus *st);

/* All or nothing; whatever the bytes are.  FLOE_ERR_CORRUPT, or FLOE_ERR_TOO_LARGE when the arena is full. */
extern bool floe_snapshots_decode(const void *data, size_t len, FloeArena *arena, FloeSnapshot **snapshots, int *count,
								  FloeStatus *st);

#endif /* FLOE_ICEBERG_SNAPSHOT_CODEC_H */
