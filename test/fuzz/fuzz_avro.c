/*
 * fuzz_avro.c: one Avro file read as a manifest list, as a data manifest and as a delete manifest.
 *
 * A refused file leaves nothing behind; the aggregate of an accepted manifest
 * can be read, and is the same when the compiled schema comes from the cache.
 */
#include "floe.h"

#include "iceberg/health.h"
#include "iceberg/manifest.h"

#include <stdlib.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FloeAvroReader *reader;

static void
require(bool held)
{
	if (!held)
		abort();
}

static void
read_list(const uint8_t *data, size_t size)
{
	FloeArena *arena = floe_arena_new(4 * 1024 * 1024);
	FloeManifestList list;
	FloeStatus st;

	if (floe_manifest_list_read(reader, data, size, arena, &list, &st))
	{
		for (uint32_t i = 0; i < list.count; i++)
			require(list.manifests[i].path[0] != '\0' && list.manifests[i].length > 0);
	}
	else
		require(list.count == 0 && st.code != FLOE_ERR_INTERNAL);
	floe_arena_free(arena);
}

static void
merge(const FloeManifest *row, const FloeBuf *blob)
{
	FloeHealthOptions options = {
		.target_file_bytes = 1000, .bounds = {750, 1800}, .min_input_files = 5, .target_manifest_bytes = 1000};
	FloeArena *arena = floe_arena_new(64 * 1024 * 1024);
	FloeHealthTotals totals;
	FloeStatus st;
	FloeHealth *health = floe_health_new(arena, &options, &st);

	require(floe_health_add(health, row->content, row->spec_id, row->length, blob->data, blob->len, &st));
	require(floe_health_finish(health, &totals, &st));
	require(!totals.inexact);
	floe_arena_free(arena);
}

static void
read_manifest(const uint8_t *data, size_t size, FloeManifestContent content)
{
	FloeManifest row = {.path = "fuzz", .length = (int64_t) size, .content = content, .sequence_number = 7};
	FloeAggOptions options = {.bounds = {750, 1800}, .keep_paths = true};
	FloeBuf first, second;
	FloeStatus st;
	bool done;

	floe_buf_init(&first, 4 * 1024 * 1024);
	floe_buf_init(&second, 4 * 1024 * 1024);
	done = floe_manifest_read(reader, data, size, &row, &options, &first, &st);
	require(done || (first.len == 0 && st.code != FLOE_ERR_INTERNAL));
	if (done)
	{
		require(floe_manifest_read(reader, data, size, &row, &options, &second, &st));
		require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
		merge(&row, &first);
	}
	floe_buf_free(&first);
	floe_buf_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const FloeAvroLimits limits = {.block_bytes = 1 << 20, .total_bytes = 4 << 20, .cache_bytes = 1 << 20};

	if (reader == NULL)
		reader = floe_avro_reader_new(&limits);
	read_list(data, size);
	read_manifest(data, size, FLOE_MANIFEST_DATA);
	read_manifest(data, size, FLOE_MANIFEST_DELETES);
	return 0;
}
