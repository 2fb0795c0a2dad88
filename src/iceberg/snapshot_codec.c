/*
 * snapshot_codec.c: the stored form of a snapshot list.
 *
 * Ids are random, so they stay eight bytes; what grows slowly is stored as the
 * difference to the snapshot before.  About 25 bytes a snapshot.
 */
#include "floe.h"

#include "iceberg/snapshot_codec.h"
#include "base/cursor.h"

#define VERSION 1
#define OP_MASK 7
#define HAS_PARENT 8
#define PARENT_IS_PREVIOUS 16
#define MIN_SNAPSHOT_BYTES 12

/* Their order is part of the format. */
static const FloeCounter stored[] = {
	FLOE_COUNTER_ADDED_DATA_FILES, FLOE_COUNTER_DELETED_DATA_FILES, FLOE_COUNTER_ADDED_RECORDS,
	FLOE_COUNTER_DELETED_RECORDS,  FLOE_COUNTER_ADDED_FILES_SIZE,   FLOE_COUNTER_REMOVED_FILES_SIZE,
};

static void
put_be64(FloeBuf *buf, int64 value)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		(void) floe_buf_char(buf, (char) ((uint64) value >> shift & 0xFF));
}

static void
put_varint(FloeBuf *buf, uint64 value)
{
	while (value >= 0x80)
	{
		(void) floe_buf_char(buf, (char) (value | 0x80));
		value >>= 7;
	}
	(void) floe_buf_char(buf, (char) value);
}

/* The difference may wrap around; adding it wraps back. */
static void
put_difference(FloeBuf *buf, int64 value, int64 previous)
{
	int64 difference = (int64) ((uint64) value - (uint64) previous);

	put_varint(buf, (uint64) difference << 1 ^ (uint64) (difference >> 63));
}

bool
floe_snapshots_encode(const FloeSnapshot *snapshots, int count, FloeBuf *buf, FloeStatus *st)
{
	static const FloeSnapshot none;

	(void) floe_buf_char(buf, VERSION);
	put_varint(buf, (uint64) count);
	for (int i = 0; i < count; i++)
	{
		const FloeSnapshot *snapshot = &snapshots[i];
		const FloeSnapshot *previous = i > 0 ? &snapshots[i - 1] : &none;
		bool follows = i > 0 && snapshot->has_parent && snapshot->parent_id == previous->id;
		int64 values[lengthof(stored)];
		unsigned int known = 0;

		for (size_t k = 0; k < lengthof(stored); k++)
		{
			if (floe_snapshot_counter(snapshot, stored[k], &values[k]))
				known |= 1u << k;
		}
		(void) floe_buf_char(
			buf, (char) (snapshot->op | (snapshot->has_parent ? HAS_PARENT : 0) | (follows ? PARENT_IS_PREVIOUS : 0)));
		(void) floe_buf_char(buf, (char) known);
		put_be64(buf, snapshot->id);
		if (snapshot->has_parent && !follows)
			put_be64(buf, snapshot->parent_id);
		put_difference(buf, snapshot->timestamp_ms, previous->timestamp_ms);
		put_difference(buf, snapshot->sequence_number, previous->sequence_number);
		for (size_t k = 0; k < lengthof(stored); k++)
		{
			if ((known & 1u << k) != 0)
				put_varint(buf, (uint64) values[k]);
		}
	}
	if (buf->failed)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "snapshot list of %d snapshots does not fit into %zu bytes", count,
						 buf->cap);
	return true;
}

static int64
take_difference(FloeCursor *c, int64 previous)
{
	return (int64) ((uint64) previous + (uint64) floe_cursor_zigzag(c));
}

/* False when the bytes are not of the format; *full when the arena is full. */
static bool
take_snapshot(FloeCursor *c, FloeSnapshot *snapshot, const FloeSnapshot *previous, FloeArena *arena, bool *full)
{
	static const FloeSnapshot none;
	uint8 head = floe_cursor_u8(c);
	uint8 known = floe_cursor_u8(c);
	const FloeSnapshot *base = previous != NULL ? previous : &none;
	int64 values[FLOE_COUNTER_COUNT];
	uint32 counters = 0;

	*snapshot = none;
	snapshot->op = head & OP_MASK;
	snapshot->has_parent = (head & HAS_PARENT) != 0;
	if (head >= 2 * PARENT_IS_PREVIOUS || known >= 1u << lengthof(stored) || snapshot->op > FLOE_SNAPSHOT_DELETE)
		return false;
	snapshot->id = (int64) floe_cursor_be64(c);
	if ((head & PARENT_IS_PREVIOUS) != 0)
	{
		if (previous == NULL || !snapshot->has_parent)
			return false;
		snapshot->parent_id = previous->id;
	}
	else if (snapshot->has_parent)
		snapshot->parent_id = (int64) floe_cursor_be64(c);
	snapshot->timestamp_ms = take_difference(c, base->timestamp_ms);
	snapshot->sequence_number = take_difference(c, base->sequence_number);
	if (known == 0)
		return !c->bad;

	for (size_t k = 0; k < lengthof(stored); k++)
	{
		if ((known & 1u << k) == 0)
			continue;
		counters |= (uint32) 1 << stored[k];
		values[stored[k]] = (int64) floe_cursor_varint(c);
		if (values[stored[k]] < 0)
			return false;
	}
	if (c->bad)
		return false;
	*full = !floe_snapshot_set_counters(snapshot, counters, values, arena);
	return !*full;
}

bool
floe_snapshots_decode(const void *data, size_t len, FloeArena *arena, FloeSnapshot **snapshots, int *count,
					  FloeStatus *st)
{
	FloeCursor c;
	FloeSnapshot *list;
	uint64 number;
	bool full = false;

	floe_cursor_init(&c, data, len);
	if (floe_cursor_u8(&c) != VERSION)
		return floe_fail(st, FLOE_ERR_CORRUPT, "stored snapshot list is not of version %d", VERSION);
	number = floe_cursor_varint(&c);
	if (c.bad || number > floe_cursor_left(&c) / MIN_SNAPSHOT_BYTES || number > PG_INT32_MAX)
		return floe_fail(st, FLOE_ERR_CORRUPT, "stored snapshot list is cut short");
	list = floe_arena_alloc(arena, number * sizeof(FloeSnapshot));
	full = list == NULL;
	for (uint64 i = 0; i < number && !full; i++)
	{
		if (!take_snapshot(&c, &list[i], i > 0 ? &list[i - 1] : NULL, arena, &full) && !full)
			return floe_fail(st, FLOE_ERR_CORRUPT, "stored snapshot list is damaged at snapshot %llu",
							 (unsigned long long) i);
	}
	if (full)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "no memory left for a list of %llu snapshots",
						 (unsigned long long) number);
	if (floe_cursor_left(&c) > 0)
		return floe_fail(st, FLOE_ERR_CORRUPT, "stored snapshot list has bytes behind its end");
	*snapshots = list;
	*count = (int) number;
	return true;
}
