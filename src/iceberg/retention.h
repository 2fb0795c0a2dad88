/*
 * retention.h: which snapshots expire_snapshots would remove now.
 *
 * The same answer as Iceberg's RemoveSnapshots (1.11; spec, "Snapshot
 * Retention Policy"; docs/metrics.md, "Expirable"), computed without an
 * engine.  Whether the table may be expired at all (gc.enabled) is the
 * caller's question.
 */
#ifndef FLOE_ICEBERG_RETENTION_H
#define FLOE_ICEBERG_RETENTION_H

#include "iceberg/snapshots.h"

/* What is in force where a ref says nothing itself. */
typedef struct FloeRetention
{
	int64 max_snapshot_age_ms;
	int64 max_ref_age_ms; /* PG_INT64_MAX: never */
	int32 min_snapshots_to_keep;
} FloeRetention;

/* Iceberg's own: 5 days, never, 1. */
extern const FloeRetention floe_retention_default;

typedef struct FloeExpiry
{
	int64 *snapshot_ids; /* to be removed, in the order of the list */
	int snapshot_count;
	int64 oldest_ms; /* smallest and largest timestamp among them; 0 without any */
	int64 newest_ms;
	int *refs; /* indexes of refs to be dropped */
	int ref_count;
	/*
	 * Data files and bytes that children of snapshots to be removed took out of
	 * the table: what only those snapshots hold.  As far as summaries tell;
	 * too much where another snapshot that stays is older than they are.
	 */
	int64 freed_files;
	int64 freed_bytes;
} FloeExpiry;

/*
 * The result lives in the arena.  A ref whose snapshot is not in the list is
 * dropped, unless it is main.  Without snapshots nothing is done at all.
 */
extern bool floe_retention_apply(const FloeLineage *lineage, const FloeRef *refs, int ref_count,
								 const FloeRetention *defaults, int64 now_ms, FloeArena *arena, FloeExpiry *expiry,
								 FloeStatus *st);

#endif /* FLOE_ICEBERG_RETENTION_H */
