/*
 * agg.h: what floe keeps of a manifest: its live files, added up per partition.
 *
 * A manifest never changes, so its aggregate is made once, stored as a blob of
 * bytes, and merged into the health of every snapshot that lists the manifest
 * (health.h).  All that the metrics of docs/metrics.md need is in it, and none
 * of it depends on what else the table holds: sums, minima, and lists that can
 * be joined later.
 *
 * Sizes are kept as a histogram whose buckets say their true smallest and
 * largest file.  Up to FLOE_AGG_EXACT_SIZES distinct sizes in a partition each
 * size is a bucket of its own and every later threshold counts exactly.
 * Beyond that, sizes are grouped by a fixed grid of eight steps per power of
 * two, split at the two thresholds in force when the manifest was read: those
 * count exactly, others do unless they fall inside a bucket.
 *
 * Reading and writing of blobs is separate from what is put into them
 * (agg_build.c) and from what is made of them (health.c).
 */
#ifndef FLOE_ICEBERG_AGG_H
#define FLOE_ICEBERG_AGG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/status.h"

#define FLOE_AGG_VERSION 1
#define FLOE_AGG_EXACT_SIZES 64
#define FLOE_AGG_SNAPSHOTS 16
#define FLOE_AGG_MAX_ENTRIES 2000000
#define FLOE_AGG_MAX_PARTITIONS 200000

/* Values of the manifest list's "content". */
typedef enum FloeManifestContent
{
	FLOE_MANIFEST_DATA = 0,
	FLOE_MANIFEST_DELETES = 1
} FloeManifestContent;

typedef enum FloeFileKind
{
	FLOE_FILE_DATA,
	FLOE_FILE_POSITION_DELETES,
	FLOE_FILE_EQUALITY_DELETES,
	FLOE_FILE_DELETION_VECTOR
} FloeFileKind;

/* Thresholds of file size in bytes; a file is small when size < below, oversized when size > above. */
typedef struct FloeSizeBounds
{
	int64_t small_file_below;
	int64_t oversized_above;
} FloeSizeBounds;

/*
 * The newest snapshots that added a live data file, newest first: by the
 * sequence number of the file, then by order of appearance (format version 1 has no
 * sequence numbers, and manifests and manifest lists put new things first).
 */
typedef struct FloeSnapshotRef
{
	int64_t sequence_number;
	int64_t snapshot_id;
} FloeSnapshotRef;

typedef struct FloeSnapshotSet
{
	uint32_t count;
	uint32_t size; /* allocated */
	FloeSnapshotRef *refs;
} FloeSnapshotSet;

/* False when the arena refuses. */
extern bool floe_snapshot_set_add(FloeSnapshotSet *set, FloeArena *arena, int64_t sequence_number, int64_t snapshot_id);

/* ---- making one ---- */

typedef struct FloeAggOptions
{
	FloeSizeBounds bounds; /* in force; 0: none */
	/*
	 * Keep the hash and the sequence number of each live data file.  Wanted
	 * for tables with file-scoped deletes only: it is most of the blob.
	 */
	bool keep_paths;
} FloeAggOptions;

/* A live entry, with everything inherited. */
typedef struct FloeAggEntry
{
	uint32_t partition; /* from floe_agg_partition() */
	FloeFileKind kind;
	int64_t bytes; /* a deletion vector's content_size_in_bytes */
	int64_t rows;
	int64_t sequence_number; /* of the data */
	int64_t file_sequence_number;
	int64_t snapshot_id;
	int64_t stat_columns; /* entries of value_counts; data files only */
	/* file_path of a data file; of a delete the data file it is limited to; data NULL: none */
	const void *path;
	size_t path_len;
} FloeAggEntry;

typedef struct FloeAggBuilder FloeAggBuilder;

/* Lives in the arena; floe_agg_builder_free() releases what it has outside.  NULL: no memory. */
extern FloeAggBuilder *floe_agg_builder_new(FloeArena *arena, const FloeAggOptions *options,
											FloeManifestContent content, int32_t spec_id, bool unpartitioned);
extern void floe_agg_builder_free(FloeAggBuilder *builder); /* NULL is allowed */

/* The number of the partition with that text, which is copied. */
extern bool floe_agg_partition(FloeAggBuilder *builder, const char *text, size_t len, uint32_t *partition,
							   FloeStatus *st);
extern bool floe_agg_add(FloeAggBuilder *builder, const FloeAggEntry *entry, FloeStatus *st);

/* Replaces the content of blob. */
extern bool floe_agg_finish(FloeAggBuilder *builder, int64_t added, int64_t existing, int64_t deleted, FloeBuf *blob,
							FloeStatus *st);

/* ---- reading one ---- */

typedef struct FloeAggHeader
{
	FloeManifestContent content;
	int32_t spec_id;
	bool unpartitioned;               /* the spec has no field but void ones */
	bool has_paths;                   /* keep_paths was set */
	FloeSizeBounds bounds;            /* that were in force */
	int64_t added, existing, deleted; /* entries by status */
	uint32_t npartitions;
} FloeAggHeader;

typedef struct FloeAggCount
{
	int64_t files, rows, bytes;
} FloeAggCount;

typedef struct FloeAggBucket
{
	int64_t min, max; /* size of the smallest and of the largest file */
	int64_t count, bytes;
} FloeAggBucket;

/* How many deletes of one kind that are not limited to a file have one sequence number. */
typedef struct FloeAggSequence
{
	int64_t sequence_number;
	int64_t count;
} FloeAggSequence;

/* A delete that is limited to one data file. */
typedef struct FloeAggScoped
{
	uint64_t path_hash;
	int64_t sequence_number;
	int64_t rows;
} FloeAggScoped;

typedef struct FloeAggPath
{
	uint64_t path_hash;
	int64_t sequence_number;
} FloeAggPath;

/*
 * A list inside a blob.  The functions that read it return false at its end
 * and where it is damaged; floe_agg_list_done() tells which of the two it was.
 */
typedef struct FloeAggList
{
	FloeCursor at;
	int64_t last; /* what the next number is relative to */
} FloeAggList;

typedef struct FloeAggPartition
{
	const char *text; /* terminated; the reader's, good until the next partition */
	size_t text_len;
	int64_t min_sequence_number, max_sequence_number;
	/* data manifests */
	int64_t files, bytes, records, stat_columns;
	FloeAggList snapshots;
	FloeAggList sizes;
	/* delete manifests */
	FloeAggCount position, equality, vectors;
	FloeAggList position_sequences, equality_sequences; /* of those that are not scoped */
	FloeAggList scoped;
} FloeAggPartition;

typedef struct FloeAggReader
{
	FloeAggHeader header;
	FloeCursor cursor;
	uint32_t next; /* partition */
	FloeBuf text;
} FloeAggReader;

/*
 * Opens a blob, which must stay where it is.  CORRUPT when it is damaged,
 * UNSUPPORTED for another version; in both cases the manifest is read again.
 */
extern bool floe_agg_open(FloeAggReader *reader, const void *blob, size_t len, FloeStatus *st);
extern void floe_agg_close(FloeAggReader *reader);

/* The next of header.npartitions partitions, ordered by text. */
extern bool floe_agg_next(FloeAggReader *reader, FloeAggPartition *partition, FloeStatus *st);

/* After the last partition: the live data files, ordered by hash; empty without has_paths. */
extern bool floe_agg_paths(FloeAggReader *reader, FloeAggList *paths, FloeStatus *st);

extern bool floe_agg_next_snapshot(FloeAggList *list, FloeSnapshotRef *ref);
extern bool floe_agg_next_size(FloeAggList *list, FloeAggBucket *bucket);
extern bool floe_agg_next_sequence(FloeAggList *list, FloeAggSequence *sequence);
extern bool floe_agg_next_scoped(FloeAggList *list, FloeAggScoped *scoped);
extern bool floe_agg_next_path(FloeAggList *list, FloeAggPath *path);

/* True when the list was read to its end and nothing was wrong with it. */
extern bool floe_agg_list_done(const FloeAggList *list);

#endif /* FLOE_ICEBERG_AGG_H */
