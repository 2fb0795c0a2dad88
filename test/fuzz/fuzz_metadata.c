/*
 * fuzz_metadata.c: table metadata and loadTable answers.
 *
 * The lowest bit of the first byte chooses between the two, the others the
 * size of the pieces.  The result must not depend on the pieces, and what is
 * accepted must hold together: everything that follows from the snapshots can
 * be computed, and their stored form comes back the same.
 */
#include "floe.h"

#include "../unit/metadata_dump.h"
#include "iceberg/retention.h"
#include "iceberg/snapshot_codec.h"

#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64CONST(1760000000000)

static void
require(bool held)
{
	if (!held)
		abort();
}

static const FloeTableMeta *
parse(FloeArena *arena, FloeMetaRoot root, const uint8_t *data, size_t size, size_t step, FloeStatus *st)
{
	FloeMetaLimits limits = floe_meta_default_limits;
	FloeMetaParser *parser;
	const FloeTableMeta *meta;

	limits.json_bytes = 4 * 1024 * 1024; /* a bomb of gzip would only cost time */
	parser = floe_meta_parser_new(arena, root, &limits);
	require(parser != NULL);
	for (size_t at = 0; at < size; at += step)
	{
		if (!floe_meta_parser_feed(parser, data + at, Min(step, size - at), st))
			return NULL;
	}
	return floe_meta_parser_finish(parser, &meta, st) ? meta : NULL;
}

static void
check_snapshots(const FloeTableMeta *meta, FloeArena *arena)
{
	FloeSnapshot *again;
	FloeExpiry expiry;
	FloeHistory history;
	FloeChanges changes;
	FloeStatus st;
	FloeBuf stored;
	int count;

	require(!meta->has_current_snapshot || meta->snapshots[meta->current].id == meta->current_snapshot_id);
	for (int i = 0; i < meta->ref_count; i++)
		require(floe_lineage_find(&meta->lineage, meta->refs[i].snapshot_id) >= 0);
	require(floe_retention_apply(&meta->lineage, meta->refs, meta->ref_count, &floe_retention_default, NOW, arena,
								 &expiry, &st));
	require(expiry.snapshot_count <= meta->snapshot_count && expiry.ref_count <= meta->ref_count);
	require(floe_history_measure(&meta->lineage, meta->current, arena, &history, &st));
	require(history.ancestors <= meta->snapshot_count);
	require(floe_changes_find(&meta->lineage, meta->current, expiry.snapshot_ids, expiry.snapshot_count, arena,
							  &changes, &st));
	require(changes.removed_count == 0 && changes.added_count <= history.ancestors);

	floe_buf_init(&stored, SIZE_MAX / 4);
	require(floe_snapshots_encode(meta->snapshots, meta->snapshot_count, &stored, &st));
	require(floe_snapshots_decode(stored.data, stored.len, arena, &again, &count, &st));
	require(count == meta->snapshot_count);
	for (int i = 0; i < count; i++)
		require(again[i].id == meta->snapshots[i].id && again[i].timestamp_ms == meta->snapshots[i].timestamp_ms);
	floe_buf_free(&stored);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FloeMetaRoot root;
	FloeArena *arena;
	FloeArena *other;
	const FloeTableMeta *whole;
	const FloeTableMeta *pieces;
	FloeStatus st;
	FloeStatus other_st;
	FloeBuf a;
	FloeBuf b;
	size_t step;

	if (size == 0)
		return 0;
	root = (data[0] & 1) != 0 ? FLOE_META_LOAD_RESULT : FLOE_META_FILE;
	step = (size_t) (data[0] >> 1) + 1;
	arena = floe_arena_new((size_t) 256 * 1024 * 1024);
	other = floe_arena_new((size_t) 256 * 1024 * 1024);
	require(arena != NULL && other != NULL);
	whole = parse(arena, root, data + 1, size - 1, size, &st);
	pieces = parse(other, root, data + 1, size - 1, step, &other_st);
	require((whole != NULL) == (pieces != NULL));
	require(whole != NULL || st.code == other_st.code);
	if (whole != NULL)
	{
		floe_buf_init(&a, SIZE_MAX / 4);
		floe_buf_init(&b, SIZE_MAX / 4);
		dump_meta(&a, whole);
		dump_meta(&b, pieces);
		require(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
		floe_buf_free(&a);
		floe_buf_free(&b);
		check_snapshots(whole, arena);
	}
	floe_arena_free(arena);
	floe_arena_free(other);
	return 0;
}
