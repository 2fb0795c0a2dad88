/*
 * snapshots.c: ancestry of snapshots, and what history tells.
 *
 * Everything is linear or n log n in the number of snapshots, whatever ids and
 * parents a catalog sends: ids are sorted with a sort that cannot be made
 * slow, parents are resolved once, and a parent that closes a circle is cut.
 */
#include "floe.h"

#include "iceberg/snapshots.h"
#include "base/sort.h"

#include <string.h>

typedef struct FloeLineageId
{
	int64 id;
	int index;
} FloeLineageId;

static const char *const op_names[] = {
	[FLOE_SNAPSHOT_UNKNOWN] = "unknown",     [FLOE_SNAPSHOT_APPEND] = "append", [FLOE_SNAPSHOT_REPLACE] = "replace",
	[FLOE_SNAPSHOT_OVERWRITE] = "overwrite", [FLOE_SNAPSHOT_DELETE] = "delete",
};

#define COUNTER_NAME(name, text) [FLOE_COUNTER_##name] = text,
static const char *const counter_names[] = {FLOE_COUNTERS(COUNTER_NAME)};

StaticAssertDecl(FLOE_COUNTER_COUNT <= 32, "FloeSnapshot.known has one bit per counter");

const char *
floe_snapshot_op_name(FloeSnapshotOp op)
{
	return op_names[op];
}

FloeSnapshotOp
floe_snapshot_op_parse(const char *text, size_t len)
{
	for (int op = FLOE_SNAPSHOT_APPEND; op <= FLOE_SNAPSHOT_DELETE; op++)
	{
		if (strlen(op_names[op]) == len && memcmp(op_names[op], text, len) == 0)
			return op;
	}
	return FLOE_SNAPSHOT_UNKNOWN;
}

/* Those whose commits are maintenance; the name is what people read. */
static const char *const engine_names[] = {NULL, "spark", "trino", "flink", "hive", "presto", "dremio", "impala"};

uint8
floe_snapshot_engine_parse(const char *text, size_t len)
{
	for (uint8 i = 1; i < lengthof(engine_names); i++)
	{
		if (strlen(engine_names[i]) == len && pg_strncasecmp(engine_names[i], text, len) == 0)
			return i;
	}
	return 0;
}

const char *
floe_snapshot_engine_name(uint8 engine)
{
	return engine_names[engine];
}

const char *
floe_counter_name(FloeCounter counter)
{
	return counter_names[counter];
}

/* A table may have hundreds of thousands of snapshots, and most counters are small: two bytes instead of eight. */
bool
floe_snapshot_set_counters(FloeSnapshot *snapshot, uint32 known, const int64 *values, FloeArena *arena)
{
	uint8 packed[FLOE_COUNTER_COUNT * 10];
	uint8 *end = packed;
	uint8 *copy;

	for (int i = 0; i < FLOE_COUNTER_COUNT; i++)
	{
		uint64 value = (uint64) values[i];

		if ((known >> i & 1) == 0)
			continue;
		for (; value >= 0x80; value >>= 7)
			*end++ = (uint8) (value | 0x80);
		*end++ = (uint8) value;
	}
	copy = floe_arena_alloc(arena, (size_t) (end - packed));
	if (copy == NULL)
		return false;
	memcpy(copy, packed, (size_t) (end - packed));
	snapshot->counters = copy;
	snapshot->known = known;
	return true;
}

bool
floe_snapshot_counter(const FloeSnapshot *snapshot, FloeCounter counter, int64 *value)
{
	const uint8 *p = snapshot->counters;
	uint64 result = 0;
	int shift = 0;

	if ((snapshot->known >> counter & 1) == 0)
		return false;
	for (int before = __builtin_popcount(snapshot->known & (((uint32) 1 << counter) - 1)); before > 0; before--)
	{
		while ((*p++ & 0x80) != 0)
			;
	}
	do
	{
		result |= (uint64) (*p & 0x7F) << shift;
		shift += 7;
	} while ((*p++ & 0x80) != 0);
	*value = (int64) result;
	return true;
}

static bool
no_memory(FloeStatus *st, int count)
{
	return floe_fail(st, FLOE_ERR_TOO_LARGE, "no memory left for the ancestry of %d snapshots", count);
}

static int
compare_ids(const void *a, const void *b)
{
	int64 x = ((const FloeLineageId *) a)->id;
	int64 y = ((const FloeLineageId *) b)->id;

	return (x > y) - (x < y);
}

int
floe_lineage_find(const FloeLineage *lineage, int64 snapshot_id)
{
	int low = 0;
	int high = lineage->count;

	while (low < high)
	{
		int middle = low + (high - low) / 2;

		if (lineage->ids[middle].id < snapshot_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < lineage->count && lineage->ids[low].id == snapshot_id ? lineage->ids[low].index : -1;
}

static void
resolve_parents(FloeLineage *lineage)
{
	for (int i = 0; i < lineage->count; i++)
	{
		const FloeSnapshot *snapshot = &lineage->snapshots[i];

		if (!snapshot->has_parent)
			lineage->parent[i] = -1;
		else if (i > 0 && lineage->snapshots[i - 1].id == snapshot->parent_id && lineage->duplicate < 0)
			lineage->parent[i] = i - 1; /* lists are in the order of commits nearly always */
		else
			lineage->parent[i] = floe_lineage_find(lineage, snapshot->parent_id);
	}
}

/*
 * Puts parents before children: from each snapshot up to the first that is
 * placed already, then down again.  Meeting the present walk closes a circle.
 */
static void
place_in_order(FloeLineage *lineage, int *walk, uint8 *state)
{
	enum
	{
		NEW,
		ON_WALK,
		PLACED
	};
	int placed = 0;

	for (int i = 0; i < lineage->count; i++)
	{
		int steps = 0;
		int at = i;

		while (at >= 0 && state[at] == NEW)
		{
			state[at] = ON_WALK;
			walk[steps++] = at;
			at = lineage->parent[at];
		}
		if (at >= 0 && state[at] == ON_WALK)
		{
			lineage->cycle = at;
			lineage->parent[walk[steps - 1]] = -1;
		}
		while (steps > 0)
		{
			at = walk[--steps];
			state[at] = PLACED;
			lineage->order[placed++] = at;
		}
	}
}

bool
floe_lineage_init(FloeLineage *lineage, FloeArena *arena, const FloeSnapshot *snapshots, int count, FloeStatus *st)
{
	size_t n = (size_t) count;
	FloeLineageId *scratch;
	uint8 *state;

	memset(lineage, 0, sizeof(*lineage));
	lineage->snapshots = snapshots;
	lineage->count = count;
	lineage->duplicate = -1;
	lineage->cycle = -1;
	lineage->ids = floe_arena_alloc(arena, n * sizeof(FloeLineageId));
	lineage->parent = floe_arena_alloc(arena, n * sizeof(int));
	lineage->order = floe_arena_alloc(arena, n * sizeof(int));
	scratch = floe_arena_alloc(arena, n * sizeof(FloeLineageId));
	state = floe_arena_alloc0(arena, n);
	if (lineage->ids == NULL || lineage->parent == NULL || lineage->order == NULL || scratch == NULL || state == NULL)
		return no_memory(st, count);

	for (int i = 0; i < count; i++)
		lineage->ids[i] = (FloeLineageId){snapshots[i].id, i};
	floe_sort(lineage->ids, scratch, n, sizeof(FloeLineageId), compare_ids);
	for (int i = 1; i < count; i++)
	{
		if (lineage->ids[i].id == lineage->ids[i - 1].id)
			lineage->duplicate = lineage->ids[i].index;
	}
	resolve_parents(lineage);
	place_in_order(lineage, (int *) scratch, state);
	return true;
}

static int
compare_gaps(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* Milliseconds from one commit to the next; a clock that went back counts as none. */
static int64
gap_ms(int64 from_ms, int64 to_ms)
{
	int64 gap;

	if (to_ms <= from_ms)
		return 0;
	return __builtin_sub_overflow(to_ms, from_ms, &gap) ? PG_INT64_MAX : gap;
}

bool
floe_history_measure(const FloeLineage *lineage, int head, FloeArena *arena, FloeHistory *history, FloeStatus *st)
{
	int64 *gaps = floe_arena_alloc(arena, (size_t) lineage->count * 2 * sizeof(int64));
	int64 newer_ms = 0;
	int count = 0;

	memset(history, 0, sizeof(*history));
	if (gaps == NULL)
		return no_memory(st, lineage->count);
	for (int at = head; at >= 0; at = lineage->parent[at])
	{
		const FloeSnapshot *snapshot = &lineage->snapshots[at];

		history->ancestors++;
		if (snapshot->op == FLOE_SNAPSHOT_REPLACE)
			continue;
		if (history->has_last_write)
			gaps[count++] = gap_ms(snapshot->timestamp_ms, newer_ms);
		else
		{
			history->has_last_write = true;
			history->last_write_ms = snapshot->timestamp_ms;
		}
		newer_ms = snapshot->timestamp_ms;
	}
	if (count > 0)
	{
		int64 low;
		int64 high;

		floe_sort(gaps, gaps + lineage->count, (size_t) count, sizeof(int64), compare_gaps);
		low = gaps[(count - 1) / 2];
		high = gaps[count / 2];
		history->has_commit_interval = true;
		history->commit_interval_ms = low + (high - low) / 2;
	}
	return true;
}

bool
floe_lag_measure(const FloeLineage *lineage, int head, int count, int64 (*next_id)(const void *arg, int i),
				 const void *arg, FloeArena *arena, FloeLag *lag, FloeStatus *st)
{
	bool *has_it = floe_arena_alloc0(arena, (size_t) lineage->count * sizeof(bool));

	memset(lag, 0, sizeof(*lag));
	if (has_it == NULL)
		return no_memory(st, lineage->count);
	for (int i = 0; i < count; i++)
	{
		int found = floe_lineage_find(lineage, next_id(arg, i));

		if (found >= 0)
			has_it[found] = true;
	}
	for (int at = head; at >= 0 && !lag->has_newest; at = lineage->parent[at])
	{
		lag->has_newest = has_it[at];
		if (has_it[at])
			lag->newest_ms = lineage->snapshots[at].timestamp_ms;
		else
			lag->snapshots++;
	}
	return true;
}

bool
floe_changes_find(const FloeLineage *after, int head, const int64 *before, int before_count, FloeArena *arena,
				  FloeChanges *changes, FloeStatus *st)
{
	bool *known = floe_arena_alloc0(arena, (size_t) after->count * sizeof(bool));
	int at = head;

	memset(changes, 0, sizeof(*changes));
	changes->added = floe_arena_alloc(arena, (size_t) after->count * sizeof(int));
	if (known == NULL || changes->added == NULL)
		return no_memory(st, after->count);
	for (int i = 0; i < before_count; i++)
	{
		int found = floe_lineage_find(after, before[i]);

		if (found >= 0)
			known[found] = true;
		else
			changes->removed_count++;
	}
	changes->complete = head < 0;
	while (at >= 0 && !known[at])
	{
		changes->added[changes->added_count++] = at;
		changes->complete = !after->snapshots[at].has_parent;
		at = after->parent[at];
	}
	if (at >= 0)
		changes->complete = true;
	for (int i = 0, j = changes->added_count - 1; i < j; i++, j--)
	{
		int swap = changes->added[i];

		changes->added[i] = changes->added[j];
		changes->added[j] = swap;
	}
	return true;
}
