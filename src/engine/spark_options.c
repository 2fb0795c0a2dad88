/*
 * spark_options.c: the table of options and looking them up.
 *
 * Only data: what is done with a value stands in spark_options_read.c and
 * render.c.  max-file-group-input-files is missing because Iceberg 1.11.0 has
 * the constant but its procedures refuse it.
 */
#include "floe.h"

#include "engine/spark_options.h"

#include <string.h>

#define DATA "rewrite_data_files"
#define DELETES "rewrite_position_delete_files"
#define MANIFESTS "rewrite_manifests"
#define EXPIRE "expire_snapshots"
#define ORPHANS "remove_orphan_files"
#define STATS "compute_table_stats"
#define PARTITION_STATS "compute_partition_stats"

/* The procedure refuses less, because younger files may belong to a commit that is under way. */
#define ORPHAN_FLOOR (INT64CONST(24) * 3600 * 1000)

static const char *const strategies[] = {"binpack", "sort", NULL};
static const char *const job_orders[] = {"none", "bytes-asc", "bytes-desc", "files-asc", "files-desc", NULL};
static const char *const mismatch_modes[] = {"error", "ignore", NULL};

#define OPTION(operation, name, place, engine_name, type, need, values, min, max, default_text, description, refusal)  \
	{                                                                                                                  \
		operation, name, FLOE_OPTION_##place, engine_name, FLOE_OPTION_##type, FLOE_OPTION_NEEDS_##need, values, min,  \
			max, default_text, description, refusal                                                                    \
	}

static const FloeSparkOption options[] = {
	OPTION(DATA, "strategy", ARGUMENT, "strategy", ENUM, NOTHING, strategies, 0, 0, "binpack",
		   "How files are combined: by size, or sorted", NULL),
	OPTION(DATA, "sort_order", ARGUMENT, "sort_order", SORT, NOTHING, NULL, 0, 0, "the table's sort order",
		   "Columns and transforms to sort by, or zorder(a, b); sorts without a strategy, too", NULL),
	OPTION(DATA, "where", ARGUMENT, "where", WHERE, NOTHING, NULL, 0, 0, "all files",
		   "Rewrites only files that may hold rows for which this is true", NULL),
	OPTION(DATA, "branch", ARGUMENT, "branch", TEXT, NOTHING, NULL, 0, 0, "main",
		   "The branch whose files are rewritten", NULL),
	OPTION(DATA, "target_file_size", MAP, "target-file-size-bytes", BYTES, NOTHING, NULL, 1, 0,
		   "write.target-file-size-bytes (512 MB)", "Size of the files that are written", NULL),
	OPTION(DATA, "min_file_size", MAP, "min-file-size-bytes", BYTES, NOTHING, NULL, 0, 0, "0.75 of target_file_size",
		   "Smaller files are rewritten", NULL),
	OPTION(DATA, "max_file_size", MAP, "max-file-size-bytes", BYTES, NOTHING, NULL, 1, 0, "1.8 of target_file_size",
		   "Larger files are rewritten", NULL),
	OPTION(DATA, "min_input_files", MAP, "min-input-files", COUNT, NOTHING, NULL, 1, INT32_MAX, "5",
		   "A group of so many files is rewritten even if it does not fill a file", NULL),
	OPTION(DATA, "rewrite_all", MAP, "rewrite-all", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Rewrites every file, whatever its size", NULL),
	OPTION(DATA, "delete_file_threshold", MAP, "delete-file-threshold", COUNT, NOTHING, NULL, 0, INT32_MAX,
		   "2147483647", "Files with at least so many delete files are rewritten", NULL),
	OPTION(DATA, "delete_ratio_threshold", MAP, "delete-ratio-threshold", RATIO, NOTHING, NULL, 0, 1, "0.3",
		   "Files of which at least this part of the rows is deleted are rewritten", NULL),
	OPTION(DATA, "max_file_group_size", MAP, "max-file-group-size-bytes", BYTES, NOTHING, NULL, 1, 0, "100 GB",
		   "Most data that is rewritten as one unit of work", NULL),
	OPTION(DATA, "max_files_to_rewrite", MAP, "max-files-to-rewrite", COUNT, NOTHING, NULL, 1, INT32_MAX, "no limit",
		   "Most files that one run rewrites", NULL),
	OPTION(DATA, "max_concurrent_file_group_rewrites", MAP, "max-concurrent-file-group-rewrites", COUNT, NOTHING, NULL,
		   1, INT32_MAX, "5", "File groups that are rewritten at the same time", NULL),
	OPTION(DATA, "partial_progress_enabled", MAP, "partial-progress.enabled", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Commits finished file groups before all are done, in several snapshots", NULL),
	OPTION(DATA, "partial_progress_max_commits", MAP, "partial-progress.max-commits", COUNT, NOTHING, NULL, 1,
		   INT32_MAX, "10", "Most commits of a run with partial progress", NULL),
	OPTION(DATA, "partial_progress_max_failed_commits", MAP, "partial-progress.max-failed-commits", COUNT, NOTHING,
		   NULL, 0, INT32_MAX, "partial_progress_max_commits",
		   "Commits that may fail before a run with partial progress counts as failed", NULL),
	OPTION(
		DATA, "use_starting_sequence_number", MAP, "use-starting-sequence-number", BOOLEAN, NOTHING, NULL, 0, 0, "true",
		"Gives new files the sequence number of the run's start, so that later equality deletes apply to them", NULL),
	OPTION(DATA, "remove_dangling_deletes", MAP, "remove-dangling-deletes", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Also removes delete files that apply to no data file any more", NULL),
	OPTION(DATA, "rewrite_job_order", MAP, "rewrite-job-order", ENUM, NOTHING, job_orders, 0, 0, "none",
		   "Which file groups come first", NULL),
	OPTION(DATA, "output_spec_id", MAP, "output-spec-id", COUNT, NOTHING, NULL, 0, INT32_MAX, "the current spec",
		   "Partition spec of the files that are written", NULL),
	OPTION(DATA, "compression_factor", MAP, "compression-factor", RATIO, SORT, NULL, 0, 0, "1.0",
		   "Size of shuffled data per size of the files it becomes", NULL),
	OPTION(DATA, "shuffle_partitions_per_file", MAP, "shuffle-partitions-per-file", COUNT, SORT, NULL, 1, INT32_MAX,
		   "1", "Shuffle partitions that one written file is made of", NULL),
	OPTION(DATA, "max_output_size", MAP, "max-output-size", BYTES, ZORDER, NULL, 1, INT32_MAX, "2147483647",
		   "Bytes of the interleaved value that rows are z-ordered by", NULL),
	OPTION(DATA, "var_length_contribution", MAP, "var-length-contribution", BYTES, ZORDER, NULL, 1, INT32_MAX, "8",
		   "Bytes of a text or binary column that count in z-ordering", NULL),

	OPTION(DELETES, "where", ARGUMENT, "where", WHERE, NOTHING, NULL, 0, 0, "all files",
		   "Rewrites only delete files of partitions that may hold rows for which this is true", NULL),
	OPTION(DELETES, "target_file_size", MAP, "target-file-size-bytes", BYTES, NOTHING, NULL, 1, 0,
		   "write.delete.target-file-size-bytes (64 MB)", "Size of the delete files that are written", NULL),
	OPTION(DELETES, "min_file_size", MAP, "min-file-size-bytes", BYTES, NOTHING, NULL, 0, 0, "0.75 of target_file_size",
		   "Smaller delete files are rewritten", NULL),
	OPTION(DELETES, "max_file_size", MAP, "max-file-size-bytes", BYTES, NOTHING, NULL, 1, 0, "1.8 of target_file_size",
		   "Larger delete files are rewritten", NULL),
	OPTION(DELETES, "min_input_files", MAP, "min-input-files", COUNT, NOTHING, NULL, 1, INT32_MAX, "5",
		   "A group of so many delete files is rewritten even if it does not fill a file", NULL),
	OPTION(DELETES, "rewrite_all", MAP, "rewrite-all", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Rewrites every position delete file, whatever its size", NULL),
	OPTION(DELETES, "max_file_group_size", MAP, "max-file-group-size-bytes", BYTES, NOTHING, NULL, 1, 0, "100 GB",
		   "Most data that is rewritten as one unit of work", NULL),
	OPTION(DELETES, "max_concurrent_file_group_rewrites", MAP, "max-concurrent-file-group-rewrites", COUNT, NOTHING,
		   NULL, 1, INT32_MAX, "5", "File groups that are rewritten at the same time", NULL),
	OPTION(DELETES, "partial_progress_enabled", MAP, "partial-progress.enabled", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Commits finished file groups before all are done, in several snapshots", NULL),
	OPTION(DELETES, "partial_progress_max_commits", MAP, "partial-progress.max-commits", COUNT, NOTHING, NULL, 1,
		   INT32_MAX, "10", "Most commits of a run with partial progress", NULL),
	OPTION(DELETES, "rewrite_job_order", MAP, "rewrite-job-order", ENUM, NOTHING, job_orders, 0, 0, "none",
		   "Which file groups come first", NULL),

	OPTION(MANIFESTS, "use_caching", ARGUMENT, "use_caching", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Caches the manifest entries in the engine while they are sorted", NULL),
	OPTION(MANIFESTS, "spec_id", ARGUMENT, "spec_id", COUNT, NOTHING, NULL, 0, INT32_MAX, "the current spec",
		   "Rewrites the manifests of this partition spec", NULL),

	OPTION(EXPIRE, "max_snapshot_age", ARGUMENT, "older_than", AGE, NOTHING, NULL, 0, 0,
		   "history.expire.max-snapshot-age-ms (5 days)", "Snapshots older than this expire", NULL),
	OPTION(EXPIRE, "retain_last", ARGUMENT, "retain_last", COUNT, NOTHING, NULL, 1, INT32_MAX,
		   "history.expire.min-snapshots-to-keep (1)",
		   "So many of each branch's newest snapshots stay, however old they are", NULL),
	OPTION(EXPIRE, "snapshot_ids", ARGUMENT, "snapshot_ids", IDS, NOTHING, NULL, 0, 0, "none",
		   "These snapshots expire, whatever their age", NULL),
	OPTION(EXPIRE, "max_concurrent_deletes", ARGUMENT, "max_concurrent_deletes", COUNT, NOTHING, NULL, 1, INT32_MAX,
		   "one at a time", "Threads that delete files, where the store has no bulk delete", NULL),
	OPTION(EXPIRE, "stream_results", ARGUMENT, "stream_results", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Lists the files to delete part by part, for less memory on the driver", NULL),
	OPTION(EXPIRE, "clean_expired_metadata", ARGUMENT, "clean_expired_metadata", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Also drops schemas and partition specs that no snapshot uses any more", NULL),

	OPTION(ORPHANS, "older_than", ARGUMENT, "older_than", AGE, NOTHING, NULL, ORPHAN_FLOOR, 0, "3 days",
		   "Only files older than this count as orphans", NULL),
	OPTION(ORPHANS, "dry_run", ARGUMENT, "dry_run", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Lists the orphans and deletes nothing", NULL),
	OPTION(ORPHANS, "max_concurrent_deletes", ARGUMENT, "max_concurrent_deletes", COUNT, NOTHING, NULL, 1, INT32_MAX,
		   "one at a time", "Threads that delete files, where the store has no bulk delete", NULL),
	OPTION(ORPHANS, "stream_results", ARGUMENT, "stream_results", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Deletes part by part and returns a sample, for less memory on the driver", NULL),
	OPTION(ORPHANS, "equal_schemes", ARGUMENT, "equal_schemes", TEXT_MAP, NOTHING, NULL, 0, 0, "s3n and s3a are s3",
		   "URL schemes that mean the same, such as {\"s3a,s3n\": \"s3\"}", NULL),
	OPTION(ORPHANS, "equal_authorities", ARGUMENT, "equal_authorities", TEXT_MAP, NOTHING, NULL, 0, 0, "none",
		   "URL authorities (buckets, hosts) that mean the same", NULL),
	OPTION(ORPHANS, "prefix_mismatch_mode", ARGUMENT, "prefix_mismatch_mode", ENUM, NOTHING, mismatch_modes, 0, 0,
		   "error", "What happens when listed and known files differ in scheme or authority only; delete is never sent",
		   NULL),
	OPTION(ORPHANS, "prefix_listing", ARGUMENT, "prefix_listing", BOOLEAN, NOTHING, NULL, 0, 0, "false",
		   "Lists files with the table's FileIO and not with Hadoop's file system", NULL),
	OPTION(ORPHANS, "location", ARGUMENT, "location", TEXT, NOTHING, NULL, 0, 0, "the table's location",
		   "Another place to look for orphans", "floe looks for orphans in the table's own location only"),
	OPTION(ORPHANS, "file_list_view", ARGUMENT, "file_list_view", TEXT, NOTHING, NULL, 0, 0, "none",
		   "A view that lists the files, instead of the store",
		   "a view lives in a session, and every operation has a session of its own"),

	OPTION(STATS, "snapshot_id", ARGUMENT, "snapshot_id", COUNT, NOTHING, NULL, 0, 0, "the current snapshot",
		   "The snapshot whose rows are counted", NULL),
	OPTION(STATS, "columns", ARGUMENT, "columns", COLUMNS, NOTHING, NULL, 0, 0, "all of a primitive type",
		   "Columns whose distinct values are counted", NULL),

	OPTION(PARTITION_STATS, "snapshot_id", ARGUMENT, "snapshot_id", COUNT, NOTHING, NULL, 0, 0, "the current snapshot",
		   "The snapshot whose files are added up", NULL),
};

StaticAssertDecl(lengthof(options) <= FLOE_SPARK_MAX_OPTIONS, "an array of all options is long enough");

static const char *const type_names[] = {
	[FLOE_OPTION_BYTES] = "bytes",
	[FLOE_OPTION_COUNT] = "count",
	[FLOE_OPTION_RATIO] = "ratio",
	[FLOE_OPTION_BOOLEAN] = "boolean",
	[FLOE_OPTION_ENUM] = "choice",
	[FLOE_OPTION_AGE] = "duration",
	[FLOE_OPTION_COLUMNS] = "list of columns",
	[FLOE_OPTION_IDS] = "list of ids",
	[FLOE_OPTION_TEXT] = "text",
	[FLOE_OPTION_TEXT_MAP] = "map of texts",
	[FLOE_OPTION_SORT] = "sort order",
	[FLOE_OPTION_WHERE] = "predicate",
};

const FloeSparkOption *
floe_spark_option_at(size_t index)
{
	return index < lengthof(options) ? &options[index] : NULL;
}

/* '-', '.' and '_' are one, so that Iceberg's spelling of a name is understood, too. */
static bool
is_name(const char *name, const char *given)
{
	for (; *name != '\0' && *given != '\0'; name++, given++)
	{
		bool separates = strchr("-._", *name) != NULL && strchr("-._", *given) != NULL;

		if (!separates && *name != *given)
			return false;
	}
	return *name == *given;
}

const FloeSparkOption *
floe_spark_option_find(const char *operation, const char *name)
{
	for (size_t i = 0; i < lengthof(options); i++)
	{
		if (strcmp(options[i].operation, operation) == 0 &&
			(is_name(options[i].name, name) || is_name(options[i].engine_name, name)))
			return &options[i];
	}
	return NULL;
}

bool
floe_spark_operation_known(const char *operation)
{
	for (size_t i = 0; i < lengthof(options); i++)
	{
		if (strcmp(options[i].operation, operation) == 0)
			return true;
	}
	return false;
}

const char *
floe_option_type_name(FloeOptionType type)
{
	return type_names[type];
}
