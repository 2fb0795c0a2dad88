/*
 * snapshots.h: snapshots and refs of a table, their ancestry, and what follows from it.
 *
 * Times are milliseconds since 1970 as in the metadata.  Nothing here sorts
 * by time: clocks of writers differ, so order is ancestry (spec, "Snapshots":
 * parent-snapshot-id).  Structs point into the arena they were made in.
 */
#ifndef FLOE_ICEBERG_SNAPSHOTS_H
#define FLOE_ICEBERG_SNAPSHOTS_H

#include "base/arena.h"
#include "base/status.h"

typedef enum FloeSnapshotOp
{
	FLOE_SNAPSHOT_UNKNOWN, /* no summary (v1), or a word the spec does not have */
	FLOE_SNAPSHOT_APPEND,
	FLOE_SNAPSHOT_REPLACE, /* rewritten without changing data: compaction, rewritten manifests */
	FLOE_SNAPSHOT_OVERWRITE,
	FLOE_SNAPSHOT_DELETE
} FloeSnapshotOp;

extern const char *floe_snapshot_op_name(FloeSnapshotOp op); /* "append"; "unknown" */
extern FloeSnapshotOp floe_snapshot_op_parse(const char *text, size_t len);

/* Of the engines that write their name into summaries, the number; 0: another one, or none. */
extern uint8 floe_snapshot_engine_parse(const char *text, size_t len);
extern const char *floe_snapshot_engine_name(uint8 engine); /* "spark"; NULL for 0 */

/* Counters of a snapshot's summary (spec, Appendix F, "Metrics") that floe keeps; all are optional there. */
#define FLOE_COUNTERS(X)                                                                                               \
	X(TOTAL_DATA_FILES, "total-data-files")                                                                            \
	X(TOTAL_DELETE_FILES, "total-delete-files")                                                                        \
	X(TOTAL_RECORDS, "total-records")                                                                                  \
	X(TOTAL_FILES_SIZE, "total-files-size")                                                                            \
	X(TOTAL_POSITION_DELETES, "total-position-deletes")                                                                \
	X(TOTAL_EQUALITY_DELETES, "total-equality-deletes")                                                                \
	X(ADDED_DATA_FILES, "added-data-files")                                                                            \
	X(DELETED_DATA_FILES, "deleted-data-files")                                                                        \
	X(ADDED_RECORDS, "added-records")                                                                                  \
	X(DELETED_RECORDS, "deleted-records")                                                                              \
	X(ADDED_FILES_SIZE, "added-files-size")                                                                            \
	X(REMOVED_FILES_SIZE, "removed-files-size")                                                                        \
	X(ADDED_DELETE_FILES, "added-delete-files")                                                                        \
	X(REMOVED_DELETE_FILES, "removed-delete-files")                                                                    \
	X(ADDED_POSITION_DELETES, "added-position-deletes")                                                                \
	X(REMOVED_POSITION_DELETES, "removed-position-deletes")                                                            \
	X(ADDED_POSITION_DELETE_FILES, "added-position-delete-files")                                                      \
	X(REMOVED_POSITION_DELETE_FILES, "removed-position-delete-files")                                                  \
	X(ADDED_EQUALITY_DELETES, "added-equality-deletes")                                                                \
	X(REMOVED_EQUALITY_DELETES, "removed-equality-deletes")                                                            \
	X(ADDED_EQUALITY_DELETE_FILES, "added-equality-delete-files")                                                      \
	X(REMOVED_EQUALITY_DELETE_FILES, "removed-equality-delete-files")                                                  \
	X(ADDED_DVS, "added-dvs")                                                                                          \
	X(REMOVED_DVS, "removed-dvs")                                                                                      \
	X(CHANGED_PARTITION_COUNT, "changed-partition-count")                                                              \
	X(MANIFESTS_CREATED, "manifests-created")                                                                          \
	X(MANIFESTS_KEPT, "manifests-kept")                                                                                \
	X(MANIFESTS_REPLACED, "manifests-replaced")                                                                        \
	X(ENTRIES_PROCESSED, "entries-processed")

#define FLOE_COUNTER_ENUM(name, text) FLOE_COUNTER_##name,
typedef enum FloeCounter
{
	FLOE_COUNTERS(FLOE_COUNTER_ENUM) FLOE_COUNTER_COUNT
} FloeCounter;
#undef FLOE_COUNTER_ENUM

extern const char *floe_counter_name(FloeCounter counter); /* the key of the summary */

typedef struct FloeSnapshot
{
	int64 id;
	int64 parent_id;       /* when has_parent */
	int64 sequence_number; /* 0 in format version 1, and for snapshots from then */
	int64 timestamp_ms;
	int64 first_row_id;           /* v3, when has_first_row_id */
	int64 added_rows;             /* v3, when has_added_rows */
	const char *manifest_list;    /* NULL: format version 1 with the manifests inline */
	const char *const *manifests; /* their paths */
	const uint8 *counters;        /* private to floe_snapshot_counter(): varints of the known ones */
	uint32 known;                 /* bit n: counter n is known */
	int32 manifest_count;
	int32 schema_id; /* when has_schema_id */
	uint8 op;        /* FloeSnapshotOp */
	uint8 engine;    /* who says in the summary that it made it; for floe_snapshot_engine_name() */
	bool has_parent;
	bool has_first_row_id;
	bool has_added_rows;
	bool has_schema_id;
	bool has_key_id; /* v3: the manifest list is encrypted */
} FloeSnapshot;

/* False when the summary does not have the counter or has something else than a non-negative integer there. */
extern bool floe_snapshot_counter(const FloeSnapshot *snapshot, FloeCounter counter, int64 *value);

/*
 * Stores the counters whose bits are set; values has one for each FloeCounter,
 * none negative.  False when the arena is full.
 */
extern bool floe_snapshot_set_counters(FloeSnapshot *snapshot, uint32 known, const int64 *values, FloeArena *arena);

#define FLOE_MAIN_BRANCH "main"

typedef struct FloeRef
{
	const char *name;
	int64 snapshot_id;
	int64 max_snapshot_age_ms;   /* 0: not set; branches only */
	int64 max_ref_age_ms;        /* 0: not set */
	int32 min_snapshots_to_keep; /* 0: not set; branches only */
	bool is_branch;              /* else a tag */
} FloeRef;

/* A snapshot list with its ancestry resolved, once for all questions. */
typedef struct FloeLineage
{
	const FloeSnapshot *snapshots;
	int count;
	int *parent;               /* index of the parent; -1: none, or not in the list (expired, snapshots=refs) */
	int *order;                /* indexes, parents before children */
	struct FloeLineageId *ids; /* sorted by id */
	int duplicate;             /* index of a snapshot whose id stands there twice; -1 */
	int cycle;                 /* index of a snapshot that is its own ancestor (the link is cut); -1 */
} FloeLineage;

/* The snapshots must outlive the lineage.  Fails with FLOE_ERR_TOO_LARGE when the arena is full. */
extern bool floe_lineage_init(FloeLineage *lineage, FloeArena *arena, const FloeSnapshot *snapshots, int count,
							  FloeStatus *st);

/* Index of a snapshot; -1 when it is not in the list. */
extern int floe_lineage_find(const FloeLineage *lineage, int64 snapshot_id);

/* docs/metrics.md: last_write_age and commit_interval. */
typedef struct FloeHistory
{
	int ancestors; /* snapshots from the head to the oldest retained ancestor, head included */
	bool has_last_write;
	int64 last_write_ms; /* of the ancestor nearest to the head that is not a replace */
	bool has_commit_interval;
	int64 commit_interval_ms;
} FloeHistory;

/* head: index of the branch's snapshot; -1 gives an empty history. */
extern bool floe_history_measure(const FloeLineage *lineage, int head, FloeArena *arena, FloeHistory *history,
								 FloeStatus *st);

/*
 * docs/metrics.md: table_stats_lag and partition_stats_lag.  ids: snapshots
 * that something was made of, in any order, also some that are gone.
 */
typedef struct FloeLag
{
	int snapshots; /* of the branch's ancestry that are newer than the newest of these; all of them without any */
	bool has_newest;
	int64 newest_ms; /* time of the newest of these in the ancestry */
} FloeLag;

/* Calls next_id(arg, i) for i from 0 to count - 1; head as above. */
extern bool floe_lag_measure(const FloeLineage *lineage, int head, int count, int64 (*next_id)(const void *arg, int i),
							 const void *arg, FloeArena *arena, FloeLag *lag, FloeStatus *st);

/*
 * What happened between two looks at a table: the ids of all its snapshots at
 * the first look against its lineage at the second.
 */
typedef struct FloeChanges
{
	int *added; /* indexes of new snapshots of the branch's ancestry, oldest first */
	int added_count;
	int removed_count; /* snapshots of the first look that are not there any more */
	/*
	 * The walk from the head met a snapshot of the first look, or the first
	 * snapshot of the table.  When it did not, snapshots were expired in
	 * between, and some that were added may have come and gone.
	 */
	bool complete;
} FloeChanges;

/* head as above; before is not changed and may hold the ids in any order. */
extern bool floe_changes_find(const FloeLineage *after, int head, const int64 *before, int before_count,
							  FloeArena *arena, FloeChanges *changes, FloeStatus *st);

#endif /* FLOE_ICEBERG_SNAPSHOTS_H */
