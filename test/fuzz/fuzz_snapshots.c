/*
 * fuzz_snapshots.c: the stored form of a snapshot list.
 *
 * What decodes must encode to bytes that decode to the same list, and carry
 * every computation over a lineage, whatever ids and parents it has.
 */
#include "floe.h"

#include "iceberg/retention.h"
#include "iceberg/snapshot_codec.h"

#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool held)
{
	if (!held)
		abort();
}

/* Refs to the last snapshot, to the first, and to nothing. */
static void
compute(const FloeSnapshot *snapshots, int count, FloeArena *arena)
{
	FloeRef refs[] = {
		{.name = "main", .is_branch = true, .snapshot_id = count > 0 ? snapshots[count - 1].id : 0},
		{.name = "b",
		 .is_branch = true,
		 .snapshot_id = count > 0 ? snapshots[0].id : 0,
		 .min_snapshots_to_keep = 3,
		 .max_snapshot_age_ms = 1000},
		{.name = "t", .snapshot_id = 1},
	};
	FloeLineage lineage;
	FloeExpiry expiry;
	FloeHistory history;
	FloeChanges changes;
	FloeStatus st;
	int head;

	require(floe_lineage_init(&lineage, arena, snapshots, count, &st));
	head = floe_lineage_find(&lineage, refs[0].snapshot_id);
	require((head >= 0) == (count > 0));
	require(
		floe_retention_apply(&lineage, refs, lengthof(refs), &floe_retention_default, 1000000, arena, &expiry, &st));
	for (int i = 0; i < expiry.snapshot_count; i++)
		require(expiry.snapshot_ids[i] != refs[0].snapshot_id || lineage.duplicate >= 0);
	require(floe_history_measure(&lineage, head, arena, &history, &st));
	require(history.ancestors <= count && (!history.has_commit_interval || history.commit_interval_ms >= 0));
	require(floe_changes_find(&lineage, head, NULL, 0, arena, &changes, &st));
	require(changes.added_count == history.ancestors);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FloeArena *arena = floe_arena_new((size_t) 256 * 1024 * 1024);
	FloeSnapshot *snapshots;
	FloeSnapshot *again;
	FloeStatus st;
	FloeBuf first;
	FloeBuf second;
	int count;
	int again_count;

	require(arena != NULL);
	if (!floe_snapshots_decode(data, size, arena, &snapshots, &count, &st))
	{
		require(st.code == FLOE_ERR_CORRUPT);
		floe_arena_free(arena);
		return 0;
	}
	floe_buf_init(&first, SIZE_MAX / 4);
	floe_buf_init(&second, SIZE_MAX / 4);
	require(floe_snapshots_encode(snapshots, count, &first, &st));
	require(floe_snapshots_decode(first.data, first.len, arena, &again, &again_count, &st) && again_count == count);
	require(floe_snapshots_encode(again, again_count, &second, &st));
	require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	compute(snapshots, count, arena);
	floe_buf_free(&first);
	floe_buf_free(&second);
	floe_arena_free(arena);
	return 0;
}
