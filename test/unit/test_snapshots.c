/*
 * test_snapshots.c: counters, ancestry, history, changes, and the stored form of a snapshot list.
 */
#include "floe.h"

#include "base/sort.h"
#include "iceberg/snapshot_codec.h"

#include "tap.h"

#include <stdlib.h>

/* letter, parent ('-': none), time in seconds, operation */
typedef struct Row
{
	char id;
	char parent;
	int time;
	FloeSnapshotOp op;
} Row;

#define A FLOE_SNAPSHOT_APPEND
#define R FLOE_SNAPSHOT_REPLACE
#define D FLOE_SNAPSHOT_DELETE
#define U FLOE_SNAPSHOT_UNKNOWN

static int
fill(FloeSnapshot *snapshots, const Row *rows)
{
	int count = 0;

	for (; rows[count].id != '\0'; count++)
	{
		memset(&snapshots[count], 0, sizeof(FloeSnapshot));
		snapshots[count].id = rows[count].id;
		snapshots[count].has_parent = rows[count].parent != '-';
		snapshots[count].parent_id = rows[count].parent;
		snapshots[count].timestamp_ms = rows[count].time * INT64CONST(1000);
		snapshots[count].op = rows[count].op;
	}
	return count;
}

static int
compare_ints(const void *a, const void *b)
{
	/* by the tens only, to see that equal ones keep their order */
	return *(const int *) a / 10 - *(const int *) b / 10;
}

static void
test_sort(void)
{
	int wrong = 0;
	uint32 seed = 1;

	for (int n = 0; n < 70; n++)
	{
		int items[70];
		int scratch[70];
		int expected[70];

		for (int i = 0; i < n; i++)
		{
			seed = seed * 1664525 + 1013904223;
			items[i] = expected[i] = (int) (seed >> 24);
		}
		for (int i = 1; i < n; i++)
		{
			for (int k = i; k > 0 && expected[k - 1] / 10 > expected[k] / 10; k--)
			{
				int swap = expected[k];

				expected[k] = expected[k - 1];
				expected[k - 1] = swap;
			}
		}
		floe_sort(items, scratch, (size_t) n, sizeof(int), compare_ints);
		wrong += memcmp(items, expected, (size_t) n * sizeof(int)) != 0;
	}
	is_int(wrong, 0, "sorts 0 to 69 items as insertion does");
}

static void
test_names(FloeArena *arena)
{
	int64 values[FLOE_COUNTER_COUNT] = {0};
	FloeSnapshot snapshot = {0};
	int64 value;
	int wrong = 0;

	ok(floe_snapshot_op_parse("replace", 7) == FLOE_SNAPSHOT_REPLACE, "operation");
	ok(floe_snapshot_op_parse("replaced", 8) == FLOE_SNAPSHOT_UNKNOWN, "no operation");
	ok(floe_snapshot_op_parse("", 0) == FLOE_SNAPSHOT_UNKNOWN, "empty operation");
	is_str(floe_snapshot_op_name(FLOE_SNAPSHOT_OVERWRITE), "overwrite", "its name");
	is_str(floe_snapshot_engine_name(floe_snapshot_engine_parse("Trino", 5)), "trino", "an engine");
	ok(floe_snapshot_engine_parse("sparkling", 9) == 0 && floe_snapshot_engine_name(0) == NULL, "no engine");
	is_str(floe_counter_name(FLOE_COUNTER_TOTAL_DATA_FILES), "total-data-files", "first counter");
	is_str(floe_counter_name(FLOE_COUNTER_ENTRIES_PROCESSED), "entries-processed", "last counter");
	values[FLOE_COUNTER_TOTAL_RECORDS] = 7;
	values[FLOE_COUNTER_ENTRIES_PROCESSED] = 8;
	ok(floe_snapshot_set_counters(&snapshot, 1u << FLOE_COUNTER_TOTAL_RECORDS | 1u << FLOE_COUNTER_ENTRIES_PROCESSED,
								  values, arena),
	   "set two counters");
	ok(floe_snapshot_counter(&snapshot, FLOE_COUNTER_TOTAL_RECORDS, &value) && value == 7, "first known counter");
	ok(floe_snapshot_counter(&snapshot, FLOE_COUNTER_ENTRIES_PROCESSED, &value) && value == 8, "second known counter");
	ok(!floe_snapshot_counter(&snapshot, FLOE_COUNTER_TOTAL_DATA_FILES, &value), "an unknown one");
	for (int i = 0; i < FLOE_COUNTER_COUNT; i++)
		values[i] = i % 3 == 0 ? PG_INT64_MAX >> i : i * 100;
	ok(floe_snapshot_set_counters(&snapshot, (1u << FLOE_COUNTER_COUNT) - 1, values, arena), "set all counters");
	for (int i = 0; i < FLOE_COUNTER_COUNT; i++)
		wrong += !floe_snapshot_counter(&snapshot, i, &value) || value != values[i];
	is_int(wrong, 0, "all are what they were");
}

/* Parents come before their children in order[], every snapshot once. */
static bool
in_order(const FloeLineage *lineage)
{
	bool placed[64] = {false};

	for (int i = 0; i < lineage->count; i++)
	{
		int at = lineage->order[i];

		if (placed[at] || (lineage->parent[at] >= 0 && !placed[lineage->parent[at]]))
			return false;
		placed[at] = true;
	}
	return true;
}

static void
test_lineage(FloeArena *arena)
{
	static const struct
	{
		const char *what;
		Row rows[8];
		const char *parents; /* index of each parent, '-' none */
		int duplicate;
		bool cycle;
	} table[] = {
		{"empty", {{0}}, "", -1, false},
		{"a chain", {{'a', '-'}, {'b', 'a'}, {'c', 'b'}}, "-01", -1, false},
		{"backwards", {{'c', 'b'}, {'b', 'a'}, {'a', '-'}}, "12-", -1, false},
		{"a fork", {{'a', '-'}, {'b', 'a'}, {'c', 'a'}}, "-00", -1, false},
		{"an expired parent", {{'b', 'a'}, {'c', 'b'}}, "-0", -1, false},
		{"the same id twice", {{'a', '-'}, {'b', 'a'}, {'a', 'b'}}, "-01", 2, false},
		{"its own parent", {{'a', 'a'}}, "-", -1, true},
		{"a circle of three", {{'a', 'c'}, {'b', 'a'}, {'c', 'b'}, {'d', 'c'}}, "2-12", -1, true},
	};

	for (size_t i = 0; i < lengthof(table); i++)
	{
		FloeSnapshot snapshots[8];
		int count = fill(snapshots, table[i].rows);
		FloeLineage lineage;
		FloeStatus st;
		char parents[9] = "";

		ok(floe_lineage_init(&lineage, arena, snapshots, count, &st), "lineage of %s", table[i].what);
		for (int k = 0; k < count; k++)
			parents[k] = lineage.parent[k] < 0 ? '-' : (char) ('0' + lineage.parent[k]);
		is_str(parents, table[i].parents, "parents");
		is_int(lineage.duplicate, table[i].duplicate, "duplicate");
		ok((lineage.cycle >= 0) == table[i].cycle, "circle");
		ok(in_order(&lineage), "parents before children");
		for (int k = 0; k < count; k++)
			ok(snapshots[floe_lineage_find(&lineage, snapshots[k].id)].id == snapshots[k].id, "found by id");
		ok(floe_lineage_find(&lineage, 'z') < 0 && floe_lineage_find(&lineage, PG_INT64_MIN) < 0, "no such id");
	}
}

static void
test_history(FloeArena *arena)
{
	static const struct
	{
		const char *what;
		Row rows[8];
		char head;
		int ancestors;
		int last_write; /* seconds; -1: none */
		int interval;   /* milliseconds; -1: none */
	} table[] = {
		{"an empty table", {{0}}, '-', 0, -1, -1},
		{"one write", {{'a', '-', 100, A}}, 'a', 1, 100, -1},
		{"two writes", {{'a', '-', 100, A}, {'b', 'a', 160, D}}, 'b', 2, 160, 60000},
		{"an odd number of gaps",
		 {{'a', '-', 100, A}, {'b', 'a', 110, A}, {'c', 'b', 140, A}, {'d', 'c', 1000, A}},
		 'd',
		 4,
		 1000,
		 30000},
		{"an even number of gaps: the mean of the middle two",
		 {{'a', '-', 100, A}, {'b', 'a', 110, A}, {'c', 'b', 131, A}},
		 'c',
		 3,
		 131,
		 15500},
		{"compaction is no write", {{'a', '-', 100, A}, {'b', 'a', 150, R}, {'c', 'b', 200, A}}, 'c', 3, 200, 100000},
		{"compaction last", {{'a', '-', 100, A}, {'b', 'a', 150, R}}, 'b', 2, 100, -1},
		{"only compaction retained", {{'b', 'a', 150, R}, {'c', 'b', 160, R}}, 'c', 2, -1, -1},
		{"an unknown operation is a write", {{'a', '-', 100, U}, {'b', 'a', 107, U}}, 'b', 2, 107, 7000},
		{"other branches do not count",
		 {{'a', '-', 100, A}, {'x', 'a', 101, A}, {'b', 'a', 120, A}},
		 'b',
		 2,
		 120,
		 20000},
		{"a clock that went back", {{'a', '-', 100, A}, {'b', 'a', 90, A}, {'c', 'b', 190, A}}, 'c', 3, 190, 50000},
		{"newest by ancestry, not by time", {{'a', '-', 100, A}, {'b', 'a', 90, A}}, 'b', 2, 90, 0},
		{"ends at an expired parent", {{'b', 'a', 100, A}, {'c', 'b', 130, A}}, 'c', 2, 130, 30000},
		{"a circle ends", {{'a', 'b', 100, A}, {'b', 'a', 130, A}}, 'b', 1, 130, -1},
	};

	for (size_t i = 0; i < lengthof(table); i++)
	{
		FloeSnapshot snapshots[8];
		int count = fill(snapshots, table[i].rows);
		FloeLineage lineage;
		FloeHistory history;
		FloeStatus st;

		ok(floe_lineage_init(&lineage, arena, snapshots, count, &st) &&
			   floe_history_measure(&lineage, floe_lineage_find(&lineage, table[i].head), arena, &history, &st),
		   "history: %s", table[i].what);
		is_int(history.ancestors, table[i].ancestors, "ancestors");
		is_int(history.has_last_write ? history.last_write_ms : -1,
			   table[i].last_write < 0 ? -1 : table[i].last_write * 1000, "last write");
		is_int(history.has_commit_interval ? history.commit_interval_ms : -1, table[i].interval, "commit interval");
	}
}

static void
test_changes(FloeArena *arena)
{
	static const struct
	{
		const char *what;
		const char *before;
		Row rows[8];
		char head;
		const char *added;
		int removed;
		bool complete;
	} table[] = {
		{"nothing", "ab", {{'a', '-'}, {'b', 'a'}}, 'b', "", 0, true},
		{"one commit", "ab", {{'a', '-'}, {'b', 'a'}, {'c', 'b'}}, 'c', "c", 0, true},
		{"ours and a writer's", "ba", {{'a', '-'}, {'b', 'a'}, {'c', 'b', 0, A}, {'d', 'c', 0, R}}, 'd', "cd", 0, true},
		{"the first ones", "", {{'a', '-'}, {'b', 'a'}}, 'b', "ab", 0, true},
		{"still empty", "", {{0}}, '-', "", 0, true},
		{"expired", "abc", {{'c', 'b'}}, 'c', "", 2, true},
		{"expired and one more", "abc", {{'c', 'b'}, {'d', 'c'}}, 'd', "d", 2, true},
		{"everything known has gone", "abc", {{'e', 'd'}, {'f', 'e'}}, 'f', "ef", 3, false},
		{"another branch does not count", "a", {{'a', '-'}, {'x', 'a'}}, 'a', "", 0, true},
		{"rolled back", "abc", {{'a', '-'}, {'b', 'a'}, {'c', 'b'}}, 'a', "", 0, true},
		{"rolled back, then written", "abc", {{'a', '-'}, {'b', 'a'}, {'c', 'b'}, {'d', 'a'}}, 'd', "d", 0, true},
		{"ancestors of a known one are old", "bx", {{'a', '-'}, {'b', 'a'}, {'c', 'b'}}, 'c', "c", 1, true},
		{"the table was emptied", "ab", {{'a', '-'}, {'b', 'a'}}, '-', "", 0, true},
	};

	for (size_t i = 0; i < lengthof(table); i++)
	{
		FloeSnapshot snapshots[8];
		int count = fill(snapshots, table[i].rows);
		int64 before[8];
		FloeLineage lineage;
		FloeChanges changes;
		FloeStatus st;
		char added[9] = "";

		for (size_t k = 0; k < strlen(table[i].before); k++)
			before[k] = table[i].before[k];
		ok(floe_lineage_init(&lineage, arena, snapshots, count, &st) &&
			   floe_changes_find(&lineage, floe_lineage_find(&lineage, table[i].head), before,
								 (int) strlen(table[i].before), arena, &changes, &st),
		   "changes: %s", table[i].what);
		for (int k = 0; k < changes.added_count; k++)
			added[k] = (char) snapshots[changes.added[k]].id;
		is_str(added, table[i].added, "added");
		is_int(changes.removed_count, table[i].removed, "removed");
		is_int(changes.complete, table[i].complete, "complete");
	}
}

static int64
id_of(const void *ids, int i)
{
	return ((const char *) ids)[i];
}

static void
test_lag(FloeArena *arena)
{
	static const struct
	{
		const char *what;
		const char *of; /* snapshots with a file */
		Row rows[8];
		char head;
		int snapshots;
		int64 newest; /* seconds; -1: none */
	} table[] = {
		{"no snapshot", "a", {{0}}, '-', 0, -1},
		{"no file", "", {{'a', '-', 1}, {'b', 'a', 2}}, 'b', 2, -1},
		{"of the current one", "b", {{'a', '-', 1}, {'b', 'a', 2}}, 'b', 0, 2},
		{"of one before, and an older one", "ab", {{'a', '-', 1}, {'b', 'a', 2}, {'c', 'b', 3, R}}, 'c', 1, 2},
		{"of one that is gone", "x", {{'b', 'a', 2}, {'c', 'b', 3}}, 'c', 2, -1},
		{"of another branch", "x", {{'a', '-', 1}, {'x', 'a', 2}, {'b', 'a', 3}}, 'b', 2, -1},
		{"of a later one, before a rollback", "c", {{'a', '-', 1}, {'b', 'a', 2}, {'c', 'b', 3}}, 'b', 2, -1},
		{"the same one twice", "aa", {{'a', '-', 1}, {'b', 'a', 2}}, 'b', 1, 1},
	};

	for (size_t i = 0; i < lengthof(table); i++)
	{
		FloeSnapshot snapshots[8];
		int count = fill(snapshots, table[i].rows);
		FloeLineage lineage;
		FloeStatus st;
		FloeLag lag;

		ok(floe_lineage_init(&lineage, arena, snapshots, count, &st) &&
			   floe_lag_measure(&lineage, floe_lineage_find(&lineage, table[i].head), (int) strlen(table[i].of), id_of,
								table[i].of, arena, &lag, &st),
		   "lag: %s", table[i].what);
		is_int(lag.snapshots, table[i].snapshots, "snapshots since");
		is_int(lag.has_newest ? lag.newest_ms : -1, table[i].newest < 0 ? -1 : table[i].newest * 1000, "its time");
	}
}

static bool
same(const FloeSnapshot *a, const FloeSnapshot *b)
{
	static const FloeCounter counters[] = {FLOE_COUNTER_ADDED_DATA_FILES, FLOE_COUNTER_DELETED_DATA_FILES,
										   FLOE_COUNTER_ADDED_RECORDS,    FLOE_COUNTER_DELETED_RECORDS,
										   FLOE_COUNTER_ADDED_FILES_SIZE, FLOE_COUNTER_REMOVED_FILES_SIZE};

	for (size_t i = 0; i < lengthof(counters); i++)
	{
		int64 x = -1;
		int64 y = -1;

		if (floe_snapshot_counter(a, counters[i], &x) != floe_snapshot_counter(b, counters[i], &y) || x != y)
			return false;
	}
	return a->id == b->id && a->has_parent == b->has_parent && a->parent_id == b->parent_id &&
		   a->timestamp_ms == b->timestamp_ms && a->sequence_number == b->sequence_number && a->op == b->op;
}

static void
test_codec(FloeArena *arena)
{
	FloeArena *keep = floe_arena_new(10000);
	static const int64 values[FLOE_COUNTER_COUNT] = {
		[FLOE_COUNTER_TOTAL_RECORDS] = 100,  [FLOE_COUNTER_ADDED_DATA_FILES] = 5,
		[FLOE_COUNTER_DELETED_RECORDS] = 0,  [FLOE_COUNTER_ADDED_FILES_SIZE] = PG_INT64_MAX,
		[FLOE_COUNTER_ADDED_RECORDS] = 1000, [FLOE_COUNTER_REMOVED_FILES_SIZE] = 1,
	};
	static const uint32 with_total = 1u << FLOE_COUNTER_TOTAL_RECORDS;
	FloeSnapshot list[] = {
		{.id = 1, .timestamp_ms = INT64CONST(1700000000000), .op = A},
		{.id = INT64CONST(3051729675574597004), .has_parent = true, .parent_id = 1, .sequence_number = 1, .op = R},
		{.id = -5, .has_parent = true, .parent_id = 1, .timestamp_ms = PG_INT64_MAX, .op = U},
		{.id = PG_INT64_MIN, .timestamp_ms = PG_INT64_MIN, .sequence_number = PG_INT64_MAX, .op = D},
		{.id = 9, .has_parent = true, .parent_id = PG_INT64_MIN, .op = FLOE_SNAPSHOT_OVERWRITE},
	};
	FloeSnapshot *decoded;
	FloeBuf buf;
	FloeStatus st;
	int count;
	int accepted = 0;
	int wrong = 0;

	floe_snapshot_set_counters(&list[1],
							   with_total | 1u << FLOE_COUNTER_ADDED_DATA_FILES | 1u << FLOE_COUNTER_DELETED_RECORDS |
								   1u << FLOE_COUNTER_ADDED_FILES_SIZE,
							   values, keep);
	floe_snapshot_set_counters(&list[4], 1u << FLOE_COUNTER_REMOVED_FILES_SIZE | 1u << FLOE_COUNTER_ADDED_RECORDS,
							   values, keep);

	floe_buf_init(&buf, 10000);
	ok(floe_snapshots_encode(list, lengthof(list), &buf, &st), "encode");
	ok(floe_snapshots_decode(buf.data, buf.len, arena, &decoded, &count, &st), "decode");
	is_int(count, lengthof(list), "as many");
	for (int i = 0; i < count; i++)
		ok(same(&list[i], &decoded[i]), "snapshot %d is the same", i);
	is_int(decoded[1].known & with_total, 0, "a counter that is not stored is unknown");

	for (size_t len = 0; len < buf.len; len++)
		accepted += floe_snapshots_decode(buf.data, len, arena, &decoded, &count, &st);
	is_int(accepted, 0, "no shorter prefix is accepted");
	(void) floe_buf_char(&buf, 0);
	ok(!floe_snapshots_decode(buf.data, buf.len, arena, &decoded, &count, &st), "nor a longer one");
	is_str(st.message, "stored snapshot list has bytes behind its end", "and says why");
	for (size_t i = 0; i + 1 < buf.len; i++)
	{
		/* whatever one byte becomes, the answer is a list that encodes again, or a refusal */
		for (int value = 0; value < 256; value++)
		{
			char kept = buf.data[i];
			FloeBuf again;

			buf.data[i] = (char) value;
			floe_arena_reset(arena);
			if (floe_snapshots_decode(buf.data, buf.len - 1, arena, &decoded, &count, &st))
			{
				floe_buf_init(&again, 10000);
				wrong += !floe_snapshots_encode(decoded, count, &again, &st);
				floe_buf_free(&again);
			}
			else
				wrong += st.code != FLOE_ERR_CORRUPT;
			buf.data[i] = kept;
		}
	}
	is_int(wrong, 0, "one changed byte");

	floe_buf_reset(&buf);
	ok(floe_snapshots_encode(NULL, 0, &buf, &st) && buf.len == 2, "an empty list");
	ok(floe_snapshots_decode(buf.data, buf.len, arena, &decoded, &count, &st) && count == 0, "and back");
	buf.cap = 20;
	floe_buf_reset(&buf);
	ok(!floe_snapshots_encode(list, lengthof(list), &buf, &st) && st.code == FLOE_ERR_TOO_LARGE, "beyond the cap");
	floe_buf_free(&buf);
	ok(!floe_snapshots_decode("\x01\xFF\xFF\xFF\xFF\x7F", 6, arena, &decoded, &count, &st), "a huge number of nothing");
	floe_arena_free(keep);
	ok(!floe_snapshots_decode("\x02\x00", 2, arena, &decoded, &count, &st), "another version");
	is_str(st.message, "stored snapshot list is not of version 1", "and says so");
}

int
main(void)
{
	FloeArena *arena = floe_arena_new(10000000);

	test_sort();
	test_names(arena);
	test_lineage(arena);
	test_history(arena);
	test_changes(arena);
	test_lag(arena);
	test_codec(arena);
	floe_arena_free(arena);
	return tap_done();
}
