/*
 * health.h: the health of a table, merged from the aggregates of its manifests.
 *
 * A pure function of the blobs (agg.h) of the manifests in one manifest list:
 * nothing is carried over from an earlier snapshot, so nothing can drift.
 * Every number is defined in docs/metrics.md under the same name.
 *
 *	h = floe_health_new(arena, &options, &st);
 *	for each delete manifest, then for each data manifest, both in list order:
 *		floe_health_add(h, content, spec_id, manifest_length, blob, len, &st);
 *	floe_health_finish(h, &totals, &st);
 *	for (i = 0; i < totals.partition_rows; i++)
 *		floe_health_partition(h, i) ...
 *
 * Delete manifests come first, because the files of data manifests are looked
 * up among what the deletes refer to and need not be remembered then.  Memory
 * is proportional to the distinct partitions and to the delete files.
 */
#ifndef FLOE_ICEBERG_HEALTH_H
#define FLOE_ICEBERG_HEALTH_H

#include "iceberg/agg.h"

typedef struct FloeHealthOptions
{
	int64_t target_file_bytes;     /* in force; > 0 */
	FloeSizeBounds bounds;         /* in force */
	int64_t min_input_files;       /* in force: what bin-packing takes up at least */
	int64_t target_manifest_bytes; /* commit.manifest.target-size-bytes or its default; > 0 */
	/* write.delete.granularity: rewritten position deletes are one file for each data file, not for each partition */
	bool deletes_per_file;
} FloeHealthOptions;

typedef struct FloeHealthDeletes
{
	int64_t files, rows;
} FloeHealthDeletes;

/* Ratios and averages that are not defined are NaN: NULL in SQL, never zero. */
typedef struct FloeHealthTotals
{
	int64_t manifest_count, data_manifest_count, delete_manifest_count;
	int64_t manifest_bytes;
	int64_t excess_manifest_count;
	int64_t data_file_count, data_bytes, record_count;
	double average_file_bytes;
	int64_t small_file_count, small_file_bytes;
	int64_t excess_file_count;
	/* what bin-packing would read: files outside the limits, of partitions it touches */
	int64_t rewrite_file_count, rewrite_bytes;
	int64_t oversized_file_count, oversized_file_bytes;
	FloeHealthDeletes position_deletes, equality_deletes, deletion_vectors;
	int64_t excess_delete_file_count;
	int64_t delete_bytes;
	double delete_ratio;
	int64_t dangling_delete_count;
	int64_t partition_count;
	double partition_skew;
	double manifest_spread;
	int64_t deleted_entry_count;
	double stat_column_count;

	/*
	 * A threshold fell inside a bucket of some histogram: the counts of small,
	 * excess and oversized files are interpolated.  Reading the manifests
	 * again under the thresholds in force makes them exact.
	 */
	bool inexact;
	/*
	 * There are deletes that are limited to a file, and data manifests whose
	 * blobs have no paths: dangling_delete_count is unknown here and in every
	 * partition.  The manifests have to be read again with keep_paths.
	 */
	bool needs_paths;
	uint32_t partition_rows; /* partitions with live files or deletes */
} FloeHealthTotals;

typedef struct FloeHealthPartition
{
	int32_t spec_id;
	const char *partition; /* JSON text (partition_value.h), terminated */
	size_t partition_len;
	int64_t data_file_count, data_bytes, record_count;
	double average_file_bytes; /* NaN: no data files */
	int64_t small_file_count, small_file_bytes;
	int64_t excess_file_count;
	int64_t rewrite_file_count, rewrite_bytes;
	int64_t oversized_file_count, oversized_file_bytes;
	FloeHealthDeletes position_deletes, equality_deletes, deletion_vectors;
	int64_t excess_delete_file_count;
	int64_t delete_row_count, delete_bytes;
	double delete_ratio; /* NaN: no records */
	int64_t dangling_delete_count;
	int64_t manifest_count; /* data manifests with live files of it */
	/* of the live data files; meaningless without any */
	int64_t min_sequence_number, max_sequence_number;
	int64_t last_delete_sequence_number; /* of the newest delete file; 0: there is none, or format version 1 */
	/* newest first; the snapshots that added the live data files */
	FloeSnapshotSet snapshots;
	bool inexact;
} FloeHealthPartition;

typedef struct FloeHealth FloeHealth;

/* Everything lives in the arena.  NULL and a status on failure. */
extern FloeHealth *floe_health_new(FloeArena *arena, const FloeHealthOptions *options, FloeStatus *st);

/*
 * content, spec_id and manifest_length are those of the manifest list; a blob
 * of another content or spec is CORRUPT.  The blob is not needed afterwards.
 * After a failure the object is of no use.  INTERNAL when a delete manifest
 * comes after a data manifest.
 */
extern bool floe_health_add(FloeHealth *health, FloeManifestContent content, int32_t spec_id, int64_t manifest_length,
							const void *blob, size_t len, FloeStatus *st);

/* Once, after the last manifest. */
extern bool floe_health_finish(FloeHealth *health, FloeHealthTotals *totals, FloeStatus *st);

/* After finish: partition i of totals.partition_rows, in order of first appearance. */
extern const FloeHealthPartition *floe_health_partition(const FloeHealth *health, uint32_t i);

#endif /* FLOE_ICEBERG_HEALTH_H */
