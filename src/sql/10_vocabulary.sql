-- =================================================================================================
-- 10 vocabulary
-- The words of floe as rows: operations, states and their legal transitions, metrics, error classes.
-- Rows, not ENUMs: a new value must be usable in the script that adds it.
-- =================================================================================================

CREATE TABLE floe_internal.operation_kind (
	operation		pg_catalog.text PRIMARY KEY,
	position		pg_catalog.int2 NOT NULL UNIQUE,
	deletes_files	pg_catalog.bool NOT NULL,
	is_cadence		pg_catalog.bool NOT NULL,
	description		pg_catalog.text NOT NULL
);
COMMENT ON TABLE floe_internal.operation_kind IS 'Maintenance operations, by the names of Iceberg''s procedures';
COMMENT ON COLUMN floe_internal.operation_kind.position IS 'Order within one table: what frees the next one''s input comes first; statistics come last, because they are of the snapshot that the others leave';
COMMENT ON COLUMN floe_internal.operation_kind.deletes_files IS 'Removes files for good: gc.enabled=false and the other safety gates forbid it';
COMMENT ON COLUMN floe_internal.operation_kind.is_cadence IS 'Called for by the calendar alone, because metadata cannot show the need (orphan files)';

INSERT INTO floe_internal.operation_kind VALUES
	('rewrite_data_files', 1, false, false, 'Bin-packs small data files and applies deletes'),
	('rewrite_position_delete_files', 2, false, false, 'Compacts position delete files and drops dangling ones'),
	('rewrite_manifests', 3, false, false, 'Merges manifests and clusters them by partition'),
	('expire_snapshots', 4, true, false, 'Removes snapshots beyond retention and the files only they use'),
	('remove_orphan_files', 5, true, true, 'Deletes files below the table''s location that no snapshot uses'),
	('compute_table_stats', 6, false, false, 'Counts the distinct values of columns, into a statistics file of the current snapshot'),
	('compute_partition_stats', 7, false, false, 'Adds up files and rows by partition, into a partition statistics file of the current snapshot');

CREATE TABLE floe_internal.operation_state (
	state		pg_catalog.text PRIMARY KEY,
	is_live		pg_catalog.bool NOT NULL,
	is_terminal	pg_catalog.bool NOT NULL,
	description	pg_catalog.text NOT NULL
);
COMMENT ON TABLE floe_internal.operation_state IS 'States of an operation; live states count as "one live operation per table"';

INSERT INTO floe_internal.operation_state VALUES
	('queued', false, false, 'Waits for capacity, budget or the operation before it'),
	('dispatching', true, false, 'Chosen; the table is being checked once more, nothing was sent to the engine that counts'),
	('running', true, false, 'The engine has it'),
	('verifying', true, false, 'The engine is done; the table''s metadata decides what happened'),
	('lost', true, false, 'The engine cannot be asked; the table is left alone until that is settled'),
	('succeeded', false, true, 'Done, and the table''s metadata shows the effect'),
	('no_change', false, true, 'Done, and the table''s metadata is as before'),
	('failed', false, true, 'The engine failed or was lost and the table does not show the effect'),
	('cancelled', false, true, 'Ended on request, or no longer called for');

CREATE TABLE floe_internal.operation_transition (
	from_state	pg_catalog.text NOT NULL REFERENCES floe_internal.operation_state,
	to_state	pg_catalog.text NOT NULL REFERENCES floe_internal.operation_state,
	PRIMARY KEY (from_state, to_state)
);
COMMENT ON TABLE floe_internal.operation_transition IS 'Legal transitions of an operation''s state; a trigger refuses all others';

INSERT INTO floe_internal.operation_transition VALUES
	('queued', 'dispatching'), ('queued', 'cancelled'), ('queued', 'failed'),
	('dispatching', 'queued'), ('dispatching', 'running'), ('dispatching', 'verifying'), ('dispatching', 'cancelled'),
	('dispatching', 'failed'), ('dispatching', 'lost'),
	('running', 'verifying'), ('running', 'lost'),
	('lost', 'running'), ('lost', 'verifying'),
	('verifying', 'queued'), ('verifying', 'succeeded'), ('verifying', 'no_change'), ('verifying', 'failed'), ('verifying', 'cancelled');

CREATE TABLE floe_internal.error_class (
	error_class	pg_catalog.text PRIMARY KEY,
	retries		pg_catalog.bool NOT NULL,
	base_delay	pg_catalog.interval,
	max_delay	pg_catalog.interval,
	description	pg_catalog.text NOT NULL
);
COMMENT ON TABLE floe_internal.error_class IS 'What waiting can do about a failed operation, and how long floe waits (exponential, with jitter)';

INSERT INTO floe_internal.error_class VALUES
	('config', false, NULL, NULL, 'Wrong setting or missing privilege: waits for a change of policy, server or table'),
	('permanent', false, NULL, NULL, 'Cannot succeed on this table as it is: waits for a change of policy or table'),
	('conflict', true, '1 minute', '6 hours', 'A concurrent commit won'),
	('transient', true, '1 minute', '6 hours', 'Network, restart, overload'),
	('resource', true, '10 minutes', '24 hours', 'Memory, disk or quota of the engine');

CREATE TABLE floe.metric (
	name			pg_catalog.text PRIMARY KEY,
	position		pg_catalog.int2 NOT NULL UNIQUE,
	unit			pg_catalog.text NOT NULL CHECK (unit IN ('count', 'bytes', 'rows', 'seconds', 'ratio')),
	source			pg_catalog.text NOT NULL CHECK (source IN ('metadata', 'manifest list', 'manifests', 'clock')),
	per_partition	pg_catalog.bool NOT NULL,
	remedy			pg_catalog.text REFERENCES floe_internal.operation_kind,
	remedy_options	pg_catalog.jsonb,
	requires		pg_catalog.text,
	warning			pg_catalog.float8,
	critical		pg_catalog.float8,
	weight			pg_catalog.float8 NOT NULL DEFAULT 1 CHECK (weight BETWEEN 0 AND 1000),
	description		pg_catalog.text NOT NULL,
	is_changed		pg_catalog.bool NOT NULL DEFAULT false,
	CONSTRAINT metric_both_levels CHECK ((warning IS NULL) = (critical IS NULL)),
	CONSTRAINT metric_order_of_levels CHECK (0 <= warning AND warning <= critical AND critical <= 1e18)	-- which NaN is not
);
COMMENT ON TABLE floe.metric IS 'Everything floe measures of a table; the exact definitions are in docs/metrics.md';
COMMENT ON COLUMN floe.metric.name IS 'As in floe.health() and in the thresholds of a policy';
COMMENT ON COLUMN floe.metric.position IS 'Order of presentation';
COMMENT ON COLUMN floe.metric.unit IS 'count, bytes, rows, seconds or ratio';
COMMENT ON COLUMN floe.metric.source IS 'What must be read for it; "clock": derived from a stored time and now';
COMMENT ON COLUMN floe.metric.per_partition IS 'floe.partition_health() has it too';
COMMENT ON COLUMN floe.metric.remedy IS 'The operation that mends it; NULL: shown, but calls for nothing';
COMMENT ON COLUMN floe.metric.remedy_options IS 'Options that the remedy needs to have an effect on this metric, unless a policy sets them';
COMMENT ON COLUMN floe.metric.requires IS 'The remedy has an effect only while this metric is above zero; NULL: while the metric itself is';
COMMENT ON COLUMN floe.metric.warning IS 'Built-in threshold in the metric''s unit: at this value or above there is an issue; NULL: none unless a policy sets one';
COMMENT ON COLUMN floe.metric.critical IS 'Built-in threshold of a critical issue';
COMMENT ON COLUMN floe.metric.weight IS 'Weight of the metric''s severity in the debt score';
COMMENT ON COLUMN floe.metric.is_changed IS 'The row was changed after installation: pg_dump carries it';

INSERT INTO floe.metric (name, position, unit, source, per_partition, remedy, remedy_options, requires, warning, critical, weight, description) VALUES
	('excess_file_count', 1, 'count', 'manifests', true, 'rewrite_data_files', NULL, NULL, 100, 1000, 1, 'Files that bin-packing would remove'),
	('small_file_count', 2, 'count', 'manifests', true, 'rewrite_data_files', NULL, 'excess_file_count', NULL, NULL, 1, 'Data files below 0.75 of the target file size in force'),
	('small_file_bytes', 3, 'bytes', 'manifests', true, NULL, NULL, NULL, NULL, NULL, 1, 'Bytes of small data files'),
	('data_file_count', 4, 'count', 'manifests', true, 'rewrite_data_files', NULL, 'excess_file_count', NULL, NULL, 1, 'Live data files'),
	('data_bytes', 5, 'bytes', 'manifests', true, NULL, NULL, NULL, NULL, NULL, 1, 'Bytes of live data files'),
	('record_count', 6, 'rows', 'manifests', true, NULL, NULL, NULL, NULL, NULL, 1, 'Records in live data files, deleted ones included'),
	('average_file_bytes', 7, 'bytes', 'manifests', true, NULL, NULL, NULL, NULL, NULL, 1, 'Mean size of a live data file'),
	('oversized_file_count', 8, 'count', 'manifests', true, NULL, NULL, NULL, NULL, NULL, 1, 'Data files above 1.8 of the target file size in force'),
	('oversized_file_bytes', 9, 'bytes', 'manifests', false, NULL, NULL, NULL, NULL, NULL, 1, 'Bytes of oversized data files'),
	('delete_ratio', 10, 'ratio', 'manifests', true, 'rewrite_data_files', '{"delete_file_threshold": 1, "remove_dangling_deletes": true}', NULL, 0.2, 0.5, 1, 'Deleted rows per record'),
	('equality_delete_file_count', 11, 'count', 'manifests', true, 'rewrite_data_files', '{"delete_file_threshold": 1, "remove_dangling_deletes": true}', NULL, 20, 200, 1, 'Live equality delete files'),
	('equality_delete_row_count', 12, 'rows', 'manifests', false, NULL, NULL, NULL, NULL, NULL, 1, 'Rows of equality delete files'),
	('excess_delete_file_count', 13, 'count', 'manifests', true, 'rewrite_position_delete_files', '{"min_input_files": 2}', NULL, 50, 500, 1, 'Position delete files that rewriting them would remove'),
	('position_delete_file_count', 14, 'count', 'manifests', true, 'rewrite_position_delete_files', '{"min_input_files": 2}', 'excess_delete_file_count', NULL, NULL, 1, 'Live position delete files'),
	('position_delete_row_count', 15, 'rows', 'manifests', false, NULL, NULL, NULL, NULL, NULL, 1, 'Rows of position delete files'),
	('deletion_vector_count', 16, 'count', 'manifests', true, 'rewrite_data_files', '{"delete_file_threshold": 1}', NULL, NULL, NULL, 1, 'Live deletion vectors (format v3)'),
	('deletion_vector_row_count', 17, 'rows', 'manifests', false, NULL, NULL, NULL, NULL, NULL, 1, 'Rows deleted by deletion vectors'),
	('delete_bytes', 18, 'bytes', 'manifests', false, NULL, NULL, NULL, NULL, NULL, 1, 'Bytes of live delete files'),
	('dangling_delete_count', 19, 'count', 'manifests', true, 'rewrite_position_delete_files', '{"rewrite_all": true}', NULL, 20, 200, 1, 'Delete files that can apply to no live data file'),
	('manifest_count', 20, 'count', 'manifest list', true, 'rewrite_manifests', NULL, 'excess_manifest_count', NULL, NULL, 1, 'Manifests of the current snapshot'),
	('data_manifest_count', 21, 'count', 'manifest list', false, NULL, NULL, NULL, NULL, NULL, 1, 'Data manifests of the current snapshot'),
	('delete_manifest_count', 22, 'count', 'manifest list', false, NULL, NULL, NULL, NULL, NULL, 1, 'Delete manifests of the current snapshot'),
	('manifest_bytes', 23, 'bytes', 'manifest list', false, NULL, NULL, NULL, NULL, NULL, 1, 'Bytes of the manifests of the current snapshot'),
	('excess_manifest_count', 24, 'count', 'manifest list', false, 'rewrite_manifests', NULL, NULL, 50, 500, 1, 'Manifests that rewriting to the target size would remove'),
	('deleted_entry_count', 25, 'count', 'manifests', false, 'rewrite_manifests', NULL, 'excess_manifest_count', NULL, NULL, 1, 'DELETED entries that manifests still carry'),
	('manifest_spread', 26, 'ratio', 'manifests', false, 'rewrite_manifests', NULL, 'excess_manifest_count', NULL, NULL, 1, 'Mean number of data manifests that hold one partition''s files'),
	('partition_count', 27, 'count', 'manifests', false, NULL, NULL, NULL, NULL, NULL, 1, 'Partitions with live data files'),
	('partition_skew', 28, 'ratio', 'manifests', false, NULL, NULL, NULL, NULL, NULL, 1, 'Most files of one partition per mean'),
	('stat_column_count', 29, 'ratio', 'manifests', false, NULL, NULL, NULL, NULL, NULL, 1, 'Mean number of columns with statistics per data file'),
	('expirable_snapshot_count', 30, 'count', 'clock', false, 'expire_snapshots', NULL, NULL, 20, 200, 1, 'Snapshots that the retention in force lets go'),
	('snapshot_count', 31, 'count', 'metadata', false, 'expire_snapshots', NULL, 'expirable_snapshot_count', NULL, NULL, 1, 'Snapshots in the table metadata'),
	('oldest_snapshot_age', 32, 'seconds', 'clock', false, 'expire_snapshots', NULL, 'expirable_snapshot_count', NULL, NULL, 1, 'Age of the oldest snapshot'),
	('newest_snapshot_age', 33, 'seconds', 'clock', false, NULL, NULL, NULL, NULL, NULL, 1, 'Age of the current snapshot'),
	('last_write_age', 34, 'seconds', 'clock', false, NULL, NULL, NULL, NULL, NULL, 1, 'Time since the last snapshot that is not a rewrite'),
	('commit_interval', 35, 'seconds', 'metadata', true, NULL, NULL, NULL, NULL, NULL, 1, 'Median gap between writers'' commits'),
	('ref_count', 36, 'count', 'metadata', false, NULL, NULL, NULL, NULL, NULL, 1, 'Branches and tags'),
	('metadata_json_bytes', 37, 'bytes', 'metadata', false, NULL, NULL, NULL, NULL, NULL, 1, 'Size of the metadata file as stored'),
	('metadata_log_count', 38, 'count', 'metadata', false, NULL, NULL, NULL, NULL, NULL, 1, 'Earlier metadata files the table still names'),
	('table_stats_lag', 39, 'count', 'metadata', false, 'compute_table_stats', NULL, NULL, NULL, NULL, 1, 'Snapshots since the newest one with a statistics file'),
	('table_stats_age', 40, 'seconds', 'clock', false, 'compute_table_stats', NULL, 'table_stats_lag', NULL, NULL, 1, 'Age of the newest snapshot with a statistics file'),
	('partition_stats_lag', 41, 'count', 'metadata', false, 'compute_partition_stats', NULL, NULL, NULL, NULL, 1, 'Snapshots since the newest one with a partition statistics file'),
	('partition_stats_age', 42, 'seconds', 'clock', false, 'compute_partition_stats', NULL, 'partition_stats_lag', NULL, NULL, 1, 'Age of the newest snapshot with a partition statistics file');

-- Thresholds and weights are floe's until somebody changes them. What was changed comes back with a restore, as an INSERT of a row that is there.
CREATE FUNCTION floe_internal.metric_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		NEW.is_changed := true;
		RETURN NEW;
	END IF;
	UPDATE floe.metric AS m SET (warning, critical, weight) = (NEW.warning, NEW.critical, NEW.weight) WHERE m.name = NEW.name;
	RETURN CASE WHEN NOT FOUND THEN NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.metric_before() IS 'Trigger: marks changed rows of floe.metric, and takes them back from a dump';

CREATE TRIGGER metric_before BEFORE INSERT OR UPDATE ON floe.metric
	FOR EACH ROW EXECUTE FUNCTION floe_internal.metric_before();
