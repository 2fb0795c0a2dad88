/*
 * fuzz_agg.c: a stored aggregate, opened and merged into health, twice.
 *
 * What is accepted adds up: counts are not negative, parts are not larger than
 * the whole, and merging the same blob again doubles what is counted.
 */
#include "floe.h"

#include "iceberg/health.h"

#include <stdlib.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool held)
{
	if (!held)
		abort();
}

static bool
merge(const FloeAggHeader *header, const uint8_t *data, size_t size, int times, FloeHealthTotals *totals)
{
	FloeHealthOptions options = {
		.target_file_bytes = 1000, .bounds = {750, 1800}, .min_input_files = 5, .target_manifest_bytes = 1000};
	FloeArena *arena = floe_arena_new(64 * 1024 * 1024);
	FloeStatus st;
	FloeHealth *health = floe_health_new(arena, &options, &st);
	bool done = true;

	for (int i = 0; done && i < times; i++)
		done = floe_health_add(health, header->content, header->spec_id, 1, data, size, &st);
	done = done && floe_health_finish(health, totals, &st);
	for (uint32_t i = 0; done && i < totals->partition_rows; i++)
	{
		const FloeHealthPartition *p = floe_health_partition(health, i);

		require(p->small_file_count >= 0 && p->small_file_count <= p->data_file_count);
		require(p->small_file_bytes >= 0 && p->small_file_bytes <= p->data_bytes);
		require(p->oversized_file_count >= 0 && p->oversized_file_count <= p->data_file_count);
		require(p->oversized_file_bytes >= 0 && p->oversized_file_bytes <= p->data_bytes);
		require(p->excess_file_count >= 0 && p->excess_file_count <= p->small_file_count);
		require(p->snapshots.count <= FLOE_AGG_SNAPSHOTS);
		require(p->partition[p->partition_len] == '\0');
	}
	floe_arena_free(arena);
	return done;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FloeAggReader reader;
	FloeHealthTotals once, twice;
	FloeStatus st;

	if (floe_agg_open(&reader, data, size, &st) && merge(&reader.header, data, size, 1, &once) &&
		merge(&reader.header, data, size, 2, &twice))
	{
		require(twice.data_file_count == 2 * once.data_file_count && twice.data_bytes == 2 * once.data_bytes);
		require(twice.dangling_delete_count == 2 * once.dangling_delete_count);
		require(twice.partition_count == once.partition_count && twice.partition_rows == once.partition_rows);
	}
	floe_agg_close(&reader);
	return 0;
}
