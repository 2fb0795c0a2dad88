-- floe 1.0: generated from src/sql/*.sql by "make floe--1.0.sql"; do not edit the generated file.
\echo Use "CREATE EXTENSION floe" to load this file. \quit

-- =================================================================================================
-- 05 schemas and roles
-- Two rooms: floe is what people use, floe_internal is what floe's own code uses. The schema floe is
-- made by CREATE EXTENSION (floe.control names it).
-- =================================================================================================

-- CREATE EXTENSION takes a schema floe that is there already. One that another role owns or has filled is refused:
-- its owner could put functions beside floe's that a call reaches first.
DO $do$
DECLARE
	room record;
BEGIN
	SELECT n.oid, r.rolname, r.rolsuper INTO room FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
		WHERE n.nspname OPERATOR(pg_catalog.=) 'floe';
	IF NOT room.rolsuper THEN
		RAISE EXCEPTION 'schema "floe" belongs to role "%", which is no superuser', room.rolname USING ERRCODE = 'insufficient_privilege', HINT = 'Drop the schema, or give it to a superuser.';
	END IF;
	IF EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS d WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid OPERATOR(pg_catalog.=) room.oid
			   AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass) THEN
		RAISE EXCEPTION 'schema "floe" is not empty' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'The extension needs the schema for itself; drop it, or what is in it.';
	END IF;
END
$do$;

COMMENT ON SCHEMA floe IS 'floe: what people use to keep Apache Iceberg tables healthy';

CREATE SCHEMA floe_internal;
COMMENT ON SCHEMA floe_internal IS 'floe: private tables and functions; not an interface, may change with every version';

-- Roles are shared by all databases of a cluster, so they are made only where they are missing and are
-- not dropped with the extension.
DO $do$
DECLARE
	wanted pg_catalog.text;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['floe_viewer', 'floe_operator', 'floe_admin']
	LOOP
		IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) wanted) THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
		END IF;
	END LOOP;
	GRANT floe_viewer TO floe_operator;
	GRANT floe_operator TO floe_admin;
END
$do$;

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
-- =================================================================================================
-- 15 functions in C
-- What SQL cannot do well: names and patterns, time rules, health aggregates, statement rendering.
-- All are pure (no network, no tables) except where the comment says otherwise.
-- =================================================================================================

CREATE FUNCTION floe_internal.api_version() RETURNS pg_catalog.int4
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_api_version';
COMMENT ON FUNCTION floe_internal.api_version() IS 'Version of the contract between the library and the SQL of this extension; they idle on a mismatch';

CREATE FUNCTION floe_internal.clock() RETURNS pg_catalog.timestamptz
	LANGUAGE c VOLATILE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_clock';
COMMENT ON FUNCTION floe_internal.clock() IS 'The time floe acts by: clock_timestamp(), or floe.virtual_clock where a superuser set it (tests, simulation)';

CREATE FUNCTION floe_internal.refuse(message pg_catalog.text, detail pg_catalog.text, hint pg_catalog.text, code pg_catalog.text DEFAULT '22023') RETURNS pg_catalog.void
	LANGUAGE c VOLATILE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_refuse';
COMMENT ON FUNCTION floe_internal.refuse(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'Raises an error with SQLSTATE code; detail and hint may be NULL, which RAISE does not allow';

CREATE FUNCTION floe_internal.wake(worker pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE c VOLATILE STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_wake';
COMMENT ON FUNCTION floe_internal.wake(pg_catalog.text) IS 'When the transaction commits, floe''s workers of this kind (assessor, executor) in this database look for work at once, and the launcher looks whether there are any';

CREATE FUNCTION floe_internal.log_event(kind pg_catalog.text, catalog pg_catalog.text, table_name pg_catalog.text, message pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE c VOLATILE
	AS 'MODULE_PATHNAME', 'floe_sql_log_event';
COMMENT ON FUNCTION floe_internal.log_event(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'In a worker of floe: one line in the server log, with database, catalog and table; elsewhere nothing';

CREATE FUNCTION floe_internal.wake_after() RETURNS pg_catalog.trigger
	LANGUAGE c VOLATILE
	AS 'MODULE_PATHNAME', 'floe_sql_wake_after';
COMMENT ON FUNCTION floe_internal.wake_after() IS 'Trigger: floe_internal.wake() with the trigger''s argument';

CREATE FUNCTION floe_internal.announce() RETURNS pg_catalog.void
	LANGUAGE c VOLATILE
	AS 'MODULE_PATHNAME', 'floe_sql_announce';
COMMENT ON FUNCTION floe_internal.announce() IS 'The extension was made or changed in this database: when that commits, the launcher looks; a WARNING where floe.databases does not name the database';

CREATE FUNCTION floe_internal.workers(OUT database pg_catalog.text, OUT worker pg_catalog.text, OUT number pg_catalog.int4, OUT state pg_catalog.text, OUT reason pg_catalog.text,
		OUT pid pg_catalog.int4, OUT since pg_catalog.timestamptz, OUT next_start_at pg_catalog.timestamptz, OUT failures pg_catalog.int4,
		OUT in_flight pg_catalog.int4, OUT requests pg_catalog.int4, OUT done pg_catalog.int8, OUT active_at pg_catalog.timestamptz)
	RETURNS SETOF pg_catalog.record
	LANGUAGE c VOLATILE ROWS 5
	AS 'MODULE_PATHNAME', 'floe_sql_workers';
COMMENT ON FUNCTION floe_internal.workers() IS 'floe''s workers of the whole cluster, from shared memory; no rows where the library is not preloaded';

-- names and patterns ------------------------------------------------------------------------------

CREATE FUNCTION floe_internal.parse_name(name pg_catalog.text) RETURNS pg_catalog.text[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_parse_name';
COMMENT ON FUNCTION floe_internal.parse_name(pg_catalog.text) IS 'catalog.ns1.ns2.table to its levels; levels with a dot or a quote stand in double quotes; error 42602 if it is not a table name';

CREATE FUNCTION floe_internal.format_name(levels pg_catalog.text[]) RETURNS pg_catalog.text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_format_name';
COMMENT ON FUNCTION floe_internal.format_name(pg_catalog.text[]) IS 'Levels to text form; parse_name(format_name(x)) = x, and the text is also a pattern that matches just x';

CREATE FUNCTION floe_internal.check_pattern(pattern pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_check_pattern';
COMMENT ON FUNCTION floe_internal.check_pattern(pg_catalog.text) IS 'The pattern, trimmed; error 22023 with the reason if it is not valid';

CREATE FUNCTION floe_internal.match_pattern(pattern pg_catalog.text, levels pg_catalog.text[]) RETURNS pg_catalog.int4
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'floe_sql_match_pattern';
COMMENT ON FUNCTION floe_internal.match_pattern(pg_catalog.text, pg_catalog.text[]) IS 'Specificity (more literal levels: greater) of the pattern''s best match with these levels; NULL if it does not match or excludes them';

CREATE FUNCTION floe_internal.pattern_covers("outer" pg_catalog.text, "inner" pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'floe_sql_pattern_covers';
COMMENT ON FUNCTION floe_internal.pattern_covers(pg_catalog.text, pg_catalog.text) IS 'Whether the first pattern matches every table that the second can match; true only where the texts show it';

CREATE FUNCTION floe_internal.match_catalog(pattern pg_catalog.text, catalog pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_match_catalog';
COMMENT ON FUNCTION floe_internal.match_catalog(pg_catalog.text, pg_catalog.text) IS 'Whether the pattern can match any table of that catalog';

CREATE FUNCTION floe_internal.location_key(location pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_location_key';
COMMENT ON FUNCTION floe_internal.location_key(pg_catalog.text) IS 'A table location in one spelling, so that equal and nested locations can be told by comparing texts';

CREATE FUNCTION floe_internal.location_prefixes(key pg_catalog.text) RETURNS pg_catalog.text[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_location_prefixes';
COMMENT ON FUNCTION floe_internal.location_prefixes(pg_catalog.text) IS 'All folders above a location key, the authority last';

-- time rules --------------------------------------------------------------------------------------

CREATE FUNCTION floe_internal.cron_next(expression pg_catalog.text, timezone pg_catalog.text, after pg_catalog.timestamptz) RETURNS pg_catalog.timestamptz
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_cron_next';
COMMENT ON FUNCTION floe_internal.cron_next(pg_catalog.text, pg_catalog.text, pg_catalog.timestamptz) IS 'First time after "after" that a 5-field cron expression names in a time zone; NULL if there is none; error 22023 if it is not valid';

CREATE FUNCTION floe_internal.window_next(windows pg_catalog.text[], days pg_catalog.text[], timezone pg_catalog.text, at pg_catalog.timestamptz) RETURNS pg_catalog.timestamptz
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_window_next';
COMMENT ON FUNCTION floe_internal.window_next(pg_catalog.text[], pg_catalog.text[], pg_catalog.text, pg_catalog.timestamptz) IS '"at" itself if it lies in one of the windows (HH:MM-HH:MM, may cross midnight) of an allowed day (of the window''s start), else the next start; NULL windows or days allow all; NULL result: never within two weeks';

CREATE FUNCTION floe_internal.jitter(seed pg_catalog.text, width pg_catalog.interval) RETURNS pg_catalog.interval
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_jitter';
COMMENT ON FUNCTION floe_internal.jitter(pg_catalog.text, pg_catalog.interval) IS 'A delay in [0, width) that is the same for the same seed, so that many tables do not start at once';

-- health ------------------------------------------------------------------------------------------

CREATE TYPE floe_internal.manifest_totals AS (
	data_file_count				pg_catalog.int8,
	data_bytes					pg_catalog.int8,
	record_count				pg_catalog.int8,
	small_file_count			pg_catalog.int8,
	small_file_bytes			pg_catalog.int8,
	excess_file_count			pg_catalog.int8,
	oversized_file_count		pg_catalog.int8,
	oversized_file_bytes		pg_catalog.int8,
	position_delete_file_count	pg_catalog.int8,
	position_delete_row_count	pg_catalog.int8,
	excess_delete_file_count	pg_catalog.int8,
	equality_delete_file_count	pg_catalog.int8,
	equality_delete_row_count	pg_catalog.int8,
	deletion_vector_count		pg_catalog.int8,
	deletion_vector_row_count	pg_catalog.int8,
	delete_bytes				pg_catalog.int8,
	dangling_delete_count		pg_catalog.int8,
	partition_count				pg_catalog.int8,
	partition_skew				pg_catalog.float8,
	manifest_spread				pg_catalog.float8,
	deleted_entry_count			pg_catalog.int8,
	stat_column_count			pg_catalog.float8,
	is_inexact					pg_catalog.bool,
	needs_paths					pg_catalog.bool
);
COMMENT ON TYPE floe_internal.manifest_totals IS 'Metrics that a merge over manifest aggregates yields; NULL: unknown. is_inexact: a size threshold fell inside a histogram bucket. needs_paths: dangling deletes need data manifests read again with file paths';

CREATE TYPE floe_internal.partition_totals AS (
	spec_id						pg_catalog.int4,
	partition					pg_catalog.text,
	data_file_count				pg_catalog.int8,
	data_bytes					pg_catalog.int8,
	record_count				pg_catalog.int8,
	small_file_count			pg_catalog.int8,
	small_file_bytes			pg_catalog.int8,
	excess_file_count			pg_catalog.int8,
	oversized_file_count		pg_catalog.int8,
	position_delete_file_count	pg_catalog.int8,
	excess_delete_file_count	pg_catalog.int8,
	equality_delete_file_count	pg_catalog.int8,
	deletion_vector_count		pg_catalog.int8,
	delete_row_count			pg_catalog.int8,
	dangling_delete_count		pg_catalog.int8,
	manifest_count				pg_catalog.int8,
	snapshot_ids				pg_catalog.int8[],
	last_delete_sequence		pg_catalog.int8
);
COMMENT ON TYPE floe_internal.partition_totals IS 'One partition''s part of the merge; partition is JSON text in the order of its spec; snapshot_ids: up to 16 newest that added live files; last_delete_sequence: sequence number of the newest delete file';

CREATE FUNCTION floe_internal.merge_step(state pg_catalog.internal, content pg_catalog.int4, spec_id pg_catalog.int4, aggregate pg_catalog.bytea,
		target_bytes pg_catalog.int8, small_below pg_catalog.int8, oversized_above pg_catalog.int8, min_input_files pg_catalog.int4, deletes_per_file pg_catalog.bool)
	RETURNS pg_catalog.internal
	LANGUAGE c IMMUTABLE
	AS 'MODULE_PATHNAME', 'floe_sql_merge_step';
COMMENT ON FUNCTION floe_internal.merge_step(pg_catalog.internal, pg_catalog.int4, pg_catalog.int4, pg_catalog.bytea, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.int4, pg_catalog.bool) IS 'Transition of merge_manifests() and merge_partitions()';

CREATE FUNCTION floe_internal.merge_totals(state pg_catalog.internal) RETURNS floe_internal.manifest_totals
	LANGUAGE c IMMUTABLE
	AS 'MODULE_PATHNAME', 'floe_sql_merge_totals';
COMMENT ON FUNCTION floe_internal.merge_totals(pg_catalog.internal) IS 'Result of merge_manifests()';

CREATE FUNCTION floe_internal.merge_partition_rows(state pg_catalog.internal) RETURNS floe_internal.partition_totals[]
	LANGUAGE c IMMUTABLE
	AS 'MODULE_PATHNAME', 'floe_sql_merge_partition_rows';
COMMENT ON FUNCTION floe_internal.merge_partition_rows(pg_catalog.internal) IS 'Result of merge_partitions()';

CREATE AGGREGATE floe_internal.merge_manifests(content pg_catalog.int4, spec_id pg_catalog.int4, aggregate pg_catalog.bytea,
		target_bytes pg_catalog.int8, small_below pg_catalog.int8, oversized_above pg_catalog.int8, min_input_files pg_catalog.int4, deletes_per_file pg_catalog.bool) (
	SFUNC = floe_internal.merge_step, STYPE = pg_catalog.internal, FINALFUNC = floe_internal.merge_totals
);
COMMENT ON AGGREGATE floe_internal.merge_manifests(pg_catalog.int4, pg_catalog.int4, pg_catalog.bytea, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.int4, pg_catalog.bool) IS 'Table totals from the aggregates of the manifests of one manifest list';

CREATE AGGREGATE floe_internal.merge_partitions(content pg_catalog.int4, spec_id pg_catalog.int4, aggregate pg_catalog.bytea,
		target_bytes pg_catalog.int8, small_below pg_catalog.int8, oversized_above pg_catalog.int8, min_input_files pg_catalog.int4, deletes_per_file pg_catalog.bool) (
	SFUNC = floe_internal.merge_step, STYPE = pg_catalog.internal, FINALFUNC = floe_internal.merge_partition_rows
);
COMMENT ON AGGREGATE floe_internal.merge_partitions(pg_catalog.int4, pg_catalog.int4, pg_catalog.bytea, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.int4, pg_catalog.bool) IS 'Partition totals from the aggregates of the manifests of one manifest list';

CREATE FUNCTION floe_internal.snapshot_list(encoded pg_catalog.bytea,
		OUT snapshot_id pg_catalog.int8, OUT parent_id pg_catalog.int8, OUT sequence_number pg_catalog.int8,
		OUT committed_at pg_catalog.timestamptz, OUT operation pg_catalog.text,
		OUT added_data_files pg_catalog.int8, OUT deleted_data_files pg_catalog.int8,
		OUT added_bytes pg_catalog.int8, OUT removed_bytes pg_catalog.int8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 100
	AS 'MODULE_PATHNAME', 'floe_sql_snapshot_list';
COMMENT ON FUNCTION floe_internal.snapshot_list(pg_catalog.bytea) IS 'The snapshots of a table as stored by the assessor; NULL counters are unknown';

CREATE FUNCTION floe_internal.expirable(encoded pg_catalog.bytea, refs pg_catalog.jsonb, current_snapshot_id pg_catalog.int8,
		max_snapshot_age pg_catalog.interval, min_snapshots_to_keep pg_catalog.int4, max_ref_age pg_catalog.interval, at pg_catalog.timestamptz,
		OUT snapshot_count pg_catalog.int4, OUT ref_count pg_catalog.int4,
		OUT oldest_at pg_catalog.timestamptz, OUT next_at pg_catalog.timestamptz)
	RETURNS pg_catalog.record
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_expirable';
COMMENT ON FUNCTION floe_internal.expirable(pg_catalog.bytea, pg_catalog.jsonb, pg_catalog.int8, pg_catalog.interval, pg_catalog.int4, pg_catalog.interval, pg_catalog.timestamptz)
	IS 'What expire_snapshots would remove with this retention at this time (Iceberg RemoveSnapshots); oldest_at: oldest of those; next_at: when the answer grows next without a new commit';

-- options and statements --------------------------------------------------------------------------

CREATE FUNCTION floe_internal.engine_options(
		OUT engine_type pg_catalog.text, OUT operation pg_catalog.text, OUT option pg_catalog.text, OUT aliases pg_catalog.text[],
		OUT engine_name pg_catalog.text, OUT placement pg_catalog.text, OUT value_type pg_catalog.text,
		OUT minimum pg_catalog.text, OUT maximum pg_catalog.text, OUT allowed pg_catalog.text[], OUT default_value pg_catalog.text,
		OUT description pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 60
	AS 'MODULE_PATHNAME', 'floe_sql_engine_options';
COMMENT ON FUNCTION floe_internal.engine_options() IS 'The catalogue of options, from the table that also validates and renders them';

CREATE FUNCTION floe_internal.engine_operations(OUT engine_type pg_catalog.text, OUT operation pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 30
	AS 'MODULE_PATHNAME', 'floe_sql_engine_operations';
COMMENT ON FUNCTION floe_internal.engine_operations() IS 'Which engines can do which operations';

CREATE FUNCTION floe_internal.engine_refusal(engine_type pg_catalog.text, operation pg_catalog.text, options pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_engine_refusal';
COMMENT ON FUNCTION floe_internal.engine_refusal(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) IS 'Why engines of this TYPE cannot do the operation with these options (as check_options() returns them); NULL: they can';

CREATE FUNCTION floe_internal.check_options(operation pg_catalog.text, options pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_check_options';
COMMENT ON FUNCTION floe_internal.check_options(pg_catalog.text, pg_catalog.jsonb) IS 'Canonical names and values (bytes as numbers, durations as text PostgreSQL reads); error 22023 that lists what is valid';

CREATE FUNCTION floe_internal.schema_problem(operation pg_catalog.text, options pg_catalog.jsonb, table_schema pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_schema_problem';
COMMENT ON FUNCTION floe_internal.schema_problem(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb)
	IS 'Which column that where, sort_order or columns name is not in the table, or not of a type that they take; NULL: none. table_schema: columns, column_count, specs; {}: not known';

CREATE FUNCTION floe_internal.render_statement(engine_type pg_catalog.text, engine_catalog pg_catalog.text, namespace pg_catalog.text[], table_name pg_catalog.text,
		operation pg_catalog.text, options pg_catalog.jsonb, at pg_catalog.timestamptz, table_schema pg_catalog.jsonb DEFAULT '{}') RETURNS pg_catalog.text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_render_statement';
COMMENT ON FUNCTION floe_internal.render_statement(pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.timestamptz, pg_catalog.jsonb)
	IS 'The statement an engine gets; identifiers quoted, values escaped, safety floors enforced once more';

-- =================================================================================================
-- 20 tables: catalogs, Iceberg tables, manifests, health
-- What is written at every poll is apart from what is written when a table changed.
-- =================================================================================================

CREATE TABLE floe_internal.pass (
	pass_id		pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind		pg_catalog.text NOT NULL,
	pid			pg_catalog.int4 NOT NULL,
	role_name	pg_catalog.text NOT NULL,
	generation	pg_catalog.timestamptz,
	started_at	pg_catalog.timestamptz NOT NULL,
	ended_at	pg_catalog.timestamptz
);
CREATE INDEX pass_open ON floe_internal.pass (pass_id) WHERE ended_at IS NULL;
CREATE INDEX pass_started ON floe_internal.pass (started_at);
COMMENT ON TABLE floe_internal.pass IS 'Every run of the maintenance pass. While it runs its process holds the advisory lock (pass_class, pass_id): claims of a pass without that lock are void';
COMMENT ON COLUMN floe_internal.pass.generation IS 'It differs after a crash, which tells a process that died from one that was cancelled, or ended by an orderly restart';

CREATE TABLE floe_internal.catalog (
	catalog_id		pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	server_name		pg_catalog.text NOT NULL UNIQUE,
	status			pg_catalog.text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'ok', 'error', 'removed')),
	config			pg_catalog.jsonb,
	error_code		pg_catalog.text,
	error_message	pg_catalog.text,
	error_detail	pg_catalog.text,
	error_since		pg_catalog.timestamptz,
	failures		pg_catalog.int4 NOT NULL DEFAULT 0,
	tripped_by		pg_catalog.text CHECK (tripped_by IN ('tables', 'probe')),
	listed_at		pg_catalog.timestamptz,
	left_out		pg_catalog.int8 NOT NULL DEFAULT 0,
	refused_count	pg_catalog.int8 NOT NULL DEFAULT 0,
	refusal			pg_catalog.text,
	next_list_at	pg_catalog.timestamptz NOT NULL DEFAULT '-infinity',
	claim_pass		pg_catalog.int4,
	created_at		pg_catalog.timestamptz NOT NULL,
	removed_at		pg_catalog.timestamptz
);
COMMENT ON TABLE floe_internal.catalog IS 'State of each SERVER of wrapper floe_catalog; found by name, because oids change on restore';
COMMENT ON COLUMN floe_internal.catalog.config IS 'What the catalog said about itself at the last connection (prefix, separator, capabilities); no secrets';
COMMENT ON COLUMN floe_internal.catalog.left_out IS 'Namespaces and tables of the last listing whose names floe cannot keep: longer than 1024 bytes with all their levels, more than 30 levels, an empty level, or the character U+001F in a namespace';
COMMENT ON COLUMN floe_internal.catalog.refused_count IS 'Namespaces that the last listing was not allowed to look into, or whose tables the catalog''s server refuses to list because of a character in the path; refusal has the catalog''s words for the first one. What floe knows of them is not regarded as dropped';
COMMENT ON COLUMN floe_internal.catalog.tripped_by IS 'tables: not the catalog itself failed, but too many of its tables in a row, so a listing does not show that all is well; probe: it was listed since then, and the next table that is looked at tells';
COMMENT ON COLUMN floe_internal.catalog.next_list_at IS '-infinity: somebody asked for it, if need be while the catalog is being listed, which then does not count as the answer';
COMMENT ON COLUMN floe_internal.catalog.failures IS 'Consecutive failures to connect or list; sets the backoff';

CREATE TABLE floe_internal.engine (
	engine_id		pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	server_name		pg_catalog.text NOT NULL UNIQUE,
	status			pg_catalog.text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'ok', 'error', 'removed')),
	product			pg_catalog.text,
	error_code		pg_catalog.text,
	error_message	pg_catalog.text,
	error_detail	pg_catalog.text,
	error_since		pg_catalog.timestamptz,
	failures		pg_catalog.int4 NOT NULL DEFAULT 0,
	retry_at		pg_catalog.timestamptz,
	checked_at		pg_catalog.timestamptz,
	created_at		pg_catalog.timestamptz NOT NULL,
	removed_at		pg_catalog.timestamptz,
	drained_at		pg_catalog.timestamptz,
	drained_by		pg_catalog.text,
	drain_reason	pg_catalog.text
);
COMMENT ON TABLE floe_internal.engine IS 'State of each SERVER of wrapper floe_engine';
COMMENT ON COLUMN floe_internal.engine.retry_at IS 'No dispatch before this time after a failure to reach it';
COMMENT ON COLUMN floe_internal.engine.drained_at IS 'Since when nothing new is dispatched to it (floe.drain_engine()); what runs there is finished';

CREATE TABLE floe_internal.iceberg_table (
	table_id			pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	catalog_id			pg_catalog.int4 NOT NULL REFERENCES floe_internal.catalog,
	namespace			pg_catalog.text[] NOT NULL,
	table_name			pg_catalog.text NOT NULL,
	levels				pg_catalog.text[] NOT NULL,
	name				pg_catalog.text NOT NULL,
	status				pg_catalog.text NOT NULL DEFAULT 'unseen' CHECK (status IN ('unseen', 'ok', 'error', 'unsupported', 'quarantined', 'dropped')),
	error_code			pg_catalog.text,
	error_message		pg_catalog.text,
	error_detail		pg_catalog.text,
	error_since			pg_catalog.timestamptz,
	table_uuid			pg_catalog.text,
	location			pg_catalog.text,
	location_key		pg_catalog.text COLLATE pg_catalog."C",
	format_version		pg_catalog.int4,
	metadata_location	pg_catalog.text,
	current_snapshot_id	pg_catalog.int8,
	properties			pg_catalog.jsonb,
	refs				pg_catalog.jsonb,
	specs				pg_catalog.jsonb,
	details				pg_catalog.jsonb,
	snapshots			pg_catalog.bytea,
	manifest_ids		pg_catalog.int8[],
	assessed_at			pg_catalog.timestamptz,
	look				pg_catalog.int8,
	policy_set_id		pg_catalog.int4,
	first_seen_at		pg_catalog.timestamptz NOT NULL,
	dropped_at			pg_catalog.timestamptz,
	is_left_behind		pg_catalog.bool NOT NULL DEFAULT false,
	emptied_at			pg_catalog.timestamptz
);
CREATE UNIQUE INDEX iceberg_table_key ON floe_internal.iceberg_table (catalog_id, namespace, table_name) WHERE status OPERATOR(pg_catalog.<>) 'dropped';
CREATE UNIQUE INDEX iceberg_table_name ON floe_internal.iceberg_table (name) WHERE status OPERATOR(pg_catalog.<>) 'dropped';
CREATE INDEX iceberg_table_policy_set ON floe_internal.iceberg_table (policy_set_id);
CREATE INDEX iceberg_table_location ON floe_internal.iceberg_table (location_key) WHERE status OPERATOR(pg_catalog.<>) 'dropped' OR is_left_behind;
CREATE INDEX iceberg_table_unlocated ON floe_internal.iceberg_table (catalog_id, table_id) WHERE location_key IS NULL AND status OPERATOR(pg_catalog.<>) 'dropped';
CREATE INDEX iceberg_table_dropped ON floe_internal.iceberg_table (dropped_at) WHERE status OPERATOR(pg_catalog.=) 'dropped';
CREATE INDEX iceberg_table_to_empty ON floe_internal.iceberg_table (dropped_at)
	WHERE status OPERATOR(pg_catalog.=) 'dropped' AND (emptied_at IS NULL OR emptied_at OPERATOR(pg_catalog.<) dropped_at);
COMMENT ON TABLE floe_internal.iceberg_table IS 'Every Iceberg table floe has seen, with its state as of the last change; written when the table changed, not when it was polled';
COMMENT ON COLUMN floe_internal.iceberg_table.levels IS 'Catalog, namespace levels, table name';
COMMENT ON COLUMN floe_internal.iceberg_table.name IS 'Text form of levels';
COMMENT ON COLUMN floe_internal.iceberg_table.status IS 'unseen: registered, not assessed yet; error: last assessment failed, older health is kept; unsupported: not assessable (format v4, encryption); quarantined: twice the process died while assessing it; dropped: the catalog says it is gone, history stays';
COMMENT ON COLUMN floe_internal.iceberg_table.location IS 'As of the last look that got to see it, even if the table could not be assessed then; NULL: nobody knows where its files are';
COMMENT ON COLUMN floe_internal.iceberg_table.is_left_behind IS 'Dropped only because the SERVER of its catalog was: the table and its files may well be there, so its location counts until it is forgotten';
COMMENT ON COLUMN floe_internal.iceberg_table.location_key IS 'Location in one spelling (s3a and s3n as s3, file:/x as file:///x, no slash at the end), to find tables that share or contain it';
COMMENT ON COLUMN floe_internal.iceberg_table.details IS 'Schema columns, sort order, statistics and other facts that only people and statement rendering read';
COMMENT ON COLUMN floe_internal.iceberg_table.snapshots IS 'Snapshot list, encoded; read with floe_internal.snapshot_list()';
COMMENT ON COLUMN floe_internal.iceberg_table.manifest_ids IS 'Manifests of the current snapshot; NULL while they are not all read';
COMMENT ON COLUMN floe_internal.iceberg_table.emptied_at IS 'When what no longer serves anybody of a dropped table was removed: manifests, snapshots, poll; before dropped_at: of an earlier drop';
COMMENT ON COLUMN floe_internal.iceberg_table.look IS 'The look at the table that found this state; an older one that ends later does not replace it';
COMMENT ON COLUMN floe_internal.iceberg_table.policy_set_id IS 'Which enabled policies match, in order; NULL: not resolved yet';

CREATE SEQUENCE floe_internal.look_seq;
COMMENT ON SEQUENCE floe_internal.look_seq IS 'Looks at tables, in the order in which they begin: an assessor and an executor may look at one table at the same time';

CREATE TABLE floe_internal.table_poll (
	table_id		pg_catalog.int8 PRIMARY KEY REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	catalog_id		pg_catalog.int4 NOT NULL,
	next_poll_at	pg_catalog.timestamptz NOT NULL,
	polled_at		pg_catalog.timestamptz,
	notified_at		pg_catalog.timestamptz,
	etag			pg_catalog.text,
	failures		pg_catalog.int4 NOT NULL DEFAULT 0,
	claim_pass		pg_catalog.int4,
	claimed_at		pg_catalog.timestamptz,
	crashes			pg_catalog.int4 NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX table_poll_due ON floe_internal.table_poll (catalog_id, next_poll_at);
CREATE INDEX table_poll_suspect ON floe_internal.table_poll (next_poll_at) WHERE crashes OPERATOR(pg_catalog.>) 0;
COMMENT ON TABLE floe_internal.table_poll IS 'When each table is looked at next, and who is looking; the row is narrow because it is written at every poll';
COMMENT ON COLUMN floe_internal.table_poll.next_poll_at IS 'infinity: never (dropped, quarantined); -infinity and the past: due';
COMMENT ON COLUMN floe_internal.table_poll.notified_at IS 'Last time somebody said that the table changed, or its server was changed: a look that began before does not count as the answer';
COMMENT ON COLUMN floe_internal.table_poll.etag IS 'ETag of the last full answer, to be sent back as it came';
COMMENT ON COLUMN floe_internal.table_poll.claim_pass IS 'The pass that started to assess the table; committed before it does, so that a crash leaves evidence';
COMMENT ON COLUMN floe_internal.table_poll.crashes IS 'How often a claim was left behind by a dead process since the last good assessment; at two the table is quarantined';

CREATE TABLE floe_internal.table_decision (
	table_id		pg_catalog.int8 PRIMARY KEY REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	decide_at		pg_catalog.timestamptz NOT NULL,
	decided_at		pg_catalog.timestamptz
) WITH (fillfactor = 70);
CREATE INDEX table_decision_due ON floe_internal.table_decision (decide_at);
COMMENT ON TABLE floe_internal.table_decision IS 'When each table that a policy configures is decided upon next: at once when anything changed that a decision depends on, else when the first of its waits is over';

CREATE TABLE floe_internal.manifest (
	manifest_id			pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	table_id			pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	path				pg_catalog.text NOT NULL,
	length				pg_catalog.int8 NOT NULL,
	content				pg_catalog.int4 NOT NULL CHECK (content IN (0, 1)),
	spec_id				pg_catalog.int4 NOT NULL,
	sequence_number		pg_catalog.int8 NOT NULL,
	added_snapshot_id	pg_catalog.int8 NOT NULL,
	has_paths			pg_catalog.bool NOT NULL,
	aggregate			pg_catalog.bytea NOT NULL,
	stored_at			pg_catalog.timestamptz NOT NULL DEFAULT floe_internal.clock(),
	left_list_at		pg_catalog.timestamptz
);
ALTER TABLE floe_internal.manifest ALTER COLUMN aggregate SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX manifest_path ON floe_internal.manifest (table_id, path);
CREATE INDEX manifest_left_list ON floe_internal.manifest (left_list_at) WHERE left_list_at IS NOT NULL;
COMMENT ON TABLE floe_internal.manifest IS 'One row per manifest ever read and still of use. A manifest is immutable, so its aggregate is computed once; health is a merge over the current manifest list, never a running delta';
COMMENT ON COLUMN floe_internal.manifest.content IS '0 data, 1 deletes (spec, manifest_file.content)';
COMMENT ON COLUMN floe_internal.manifest.has_paths IS 'The aggregate holds hashes of the data files'' paths, needed to find dangling file-scoped deletes';
COMMENT ON COLUMN floe_internal.manifest.left_list_at IS 'When it left the current manifest list; removed some time later, so that a rollback costs nothing';

CREATE TABLE floe_internal.health (
	table_id					pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	assessed_at					pg_catalog.timestamptz NOT NULL,
	snapshot_id					pg_catalog.int8,
	metadata_location			pg_catalog.text,
	target_file_bytes			pg_catalog.int8 NOT NULL,
	small_below_bytes			pg_catalog.int8 NOT NULL,
	oversized_above_bytes		pg_catalog.int8 NOT NULL,
	min_input_files				pg_catalog.int4 NOT NULL,
	is_complete					pg_catalog.bool NOT NULL,
	is_inexact					pg_catalog.bool NOT NULL,
	excess_file_count			pg_catalog.int8,
	small_file_count			pg_catalog.int8,
	small_file_bytes			pg_catalog.int8,
	data_file_count				pg_catalog.int8,
	data_bytes					pg_catalog.int8,
	record_count				pg_catalog.int8,
	average_file_bytes			pg_catalog.float8,
	oversized_file_count		pg_catalog.int8,
	oversized_file_bytes		pg_catalog.int8,
	delete_ratio				pg_catalog.float8,
	equality_delete_file_count	pg_catalog.int8,
	equality_delete_row_count	pg_catalog.int8,
	position_delete_file_count	pg_catalog.int8,
	position_delete_row_count	pg_catalog.int8,
	excess_delete_file_count	pg_catalog.int8,
	deletion_vector_count		pg_catalog.int8,
	deletion_vector_row_count	pg_catalog.int8,
	delete_bytes				pg_catalog.int8,
	dangling_delete_count		pg_catalog.int8,
	manifest_count				pg_catalog.int8,
	data_manifest_count			pg_catalog.int8,
	delete_manifest_count		pg_catalog.int8,
	manifest_bytes				pg_catalog.int8,
	excess_manifest_count		pg_catalog.int8,
	deleted_entry_count			pg_catalog.int8,
	manifest_spread				pg_catalog.float8,
	partition_count				pg_catalog.int8,
	partition_skew				pg_catalog.float8,
	stat_column_count			pg_catalog.float8,
	expirable_snapshot_count	pg_catalog.int8,
	snapshot_count				pg_catalog.int8,
	oldest_snapshot_at			pg_catalog.timestamptz,
	newest_snapshot_at			pg_catalog.timestamptz,
	last_write_at				pg_catalog.timestamptz,
	commit_interval				pg_catalog.float8,
	ref_count					pg_catalog.int8,
	metadata_json_bytes			pg_catalog.int8,
	metadata_log_count			pg_catalog.int8,
	table_stats_lag				pg_catalog.int8,
	table_stats_at				pg_catalog.timestamptz,
	partition_stats_lag			pg_catalog.int8,
	partition_stats_at			pg_catalog.timestamptz
);
COMMENT ON TABLE floe_internal.health IS 'Measured state of each table at its last change; NULL is unknown, never zero. Ages are kept as times and computed when read';
COMMENT ON COLUMN floe_internal.health.is_complete IS 'All manifests were read; otherwise only what the manifest list and the metadata tell is known';
COMMENT ON COLUMN floe_internal.health.expirable_snapshot_count IS 'At assessed_at, by the retention then in force; computed anew where it is used';

CREATE TABLE floe_internal.health_history (LIKE floe_internal.health);
COMMENT ON TABLE floe_internal.health_history IS 'Every change of a table''s health; kept for floe.health_history_retention';
CREATE INDEX health_history_table ON floe_internal.health_history (table_id, assessed_at);
CREATE INDEX health_history_time ON floe_internal.health_history (assessed_at);
ALTER TABLE floe_internal.health ADD PRIMARY KEY (table_id);

CREATE TABLE floe_internal.drain (
	one			pg_catalog.bool PRIMARY KEY DEFAULT true CHECK (one),
	reason		pg_catalog.text,
	drained_by	pg_catalog.text NOT NULL,
	drained_at	pg_catalog.timestamptz NOT NULL
);
COMMENT ON TABLE floe_internal.drain IS 'At most one row: nothing is dispatched while it is there';

CREATE TABLE floe_internal.pause (
	pause_id	pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	pattern		pg_catalog.text NOT NULL,
	until		pg_catalog.timestamptz NOT NULL DEFAULT 'infinity',
	reason		pg_catalog.text,
	paused_by	pg_catalog.text NOT NULL,
	paused_at	pg_catalog.timestamptz NOT NULL
);
CREATE INDEX pause_until ON floe_internal.pause (until);
COMMENT ON TABLE floe_internal.pause IS 'Patterns under which nothing is dispatched until a time';

-- =================================================================================================
-- 30 connections: the two foreign data wrappers and what floe knows about their servers
-- Identity and secrets of catalogs and engines are SERVERs and USER MAPPINGs: familiar DDL, native
-- privileges, pg_dump, dependency tracking. The wrappers only validate options; nothing is a foreign table.
-- =================================================================================================

CREATE FUNCTION floe_internal.catalog_validator(options pg_catalog.text[], context pg_catalog.oid) RETURNS pg_catalog.void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_catalog_validator';
COMMENT ON FUNCTION floe_internal.catalog_validator(pg_catalog.text[], pg_catalog.oid) IS 'Checks the options of SERVERs and USER MAPPINGs of wrapper floe_catalog when they are saved';

CREATE FUNCTION floe_internal.engine_validator(options pg_catalog.text[], context pg_catalog.oid) RETURNS pg_catalog.void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_engine_validator';
COMMENT ON FUNCTION floe_internal.engine_validator(pg_catalog.text[], pg_catalog.oid) IS 'Checks the options of SERVERs and USER MAPPINGs of wrapper floe_engine when they are saved';

CREATE FOREIGN DATA WRAPPER floe_catalog NO HANDLER VALIDATOR floe_internal.catalog_validator;
COMMENT ON FOREIGN DATA WRAPPER floe_catalog IS 'Iceberg catalogs floe polls; SERVER TYPE ''rest''';

CREATE FOREIGN DATA WRAPPER floe_engine NO HANDLER VALIDATOR floe_internal.engine_validator;
COMMENT ON FOREIGN DATA WRAPPER floe_engine IS 'Engines that execute maintenance; SERVER TYPE ''spark-thrift'', ''spark-connect'', ''livy'', ''kyuubi'', ''trino''';

CREATE FUNCTION floe_internal.connection_options(
		OUT wrapper pg_catalog.text, OUT context pg_catalog.text, OUT option pg_catalog.text, OUT value_type pg_catalog.text,
		OUT is_required pg_catalog.bool, OUT is_secret pg_catalog.bool, OUT superuser_only pg_catalog.bool, OUT types pg_catalog.text[],
		OUT description pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 50
	AS 'MODULE_PATHNAME', 'floe_sql_connection_options';
COMMENT ON FUNCTION floe_internal.connection_options() IS 'The table that validates the options of both wrappers';

CREATE FUNCTION floe_internal.check_option_types(wrapper pg_catalog.text, type pg_catalog.text, is_mapping pg_catalog.bool, names pg_catalog.text[]) RETURNS pg_catalog.void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_check_option_types';
COMMENT ON FUNCTION floe_internal.check_option_types(pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.text[]) IS 'Refuses options that mean nothing to a server of that TYPE, and keeps the statement that had them out of the log';

CREATE VIEW floe.connection_option AS
	SELECT o.wrapper, o.context, o.option, o.value_type, o.is_required, o.is_secret, o.superuser_only, o.types, o.description
	FROM floe_internal.connection_options() AS o;
COMMENT ON VIEW floe.connection_option IS 'Options of SERVER and USER MAPPING for both wrappers, and the server TYPEs they are for; a name ending in * is a family';

CREATE FUNCTION floe_internal.connection_types(OUT wrapper pg_catalog.text, OUT type pg_catalog.text) RETURNS SETOF pg_catalog.record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 5
	AS 'MODULE_PATHNAME', 'floe_sql_connection_types';
COMMENT ON FUNCTION floe_internal.connection_types() IS 'SERVER TYPEs that this version speaks, from the registries of adapters';

-- Servers of a wrapper, with the options that are not secret (server options never are).
CREATE VIEW floe_internal.server AS
	SELECT s.oid AS server_oid, w.fdwname::pg_catalog.text AS wrapper, s.srvname::pg_catalog.text AS server_name, s.srvtype AS server_type,
		   s.srvowner AS owner,
		   COALESCE((SELECT pg_catalog.jsonb_object_agg(o.option_name, o.option_value) FROM pg_catalog.pg_options_to_table(s.srvoptions) AS o),
					'{}'::pg_catalog.jsonb) AS options
	FROM pg_catalog.pg_foreign_server AS s
	JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
	WHERE w.fdwname OPERATOR(pg_catalog.=) ANY (ARRAY['floe_catalog', 'floe_engine']::pg_catalog.name[]);
COMMENT ON VIEW floe_internal.server IS 'Foreign servers of floe''s wrappers as they are defined now';

-- Brings catalog and engine rows in line with the servers that exist. A server that comes back under its old name gets its
-- old row: its tables keep their ids and history.
CREATE FUNCTION floe_internal.sync_servers() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	gone record;
	homeless int8[];
BEGIN
	FOR gone IN
		UPDATE floe_internal.catalog AS c SET status = 'removed', removed_at = at
			WHERE c.status <> 'removed' AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_catalog' AND s.server_name = c.server_name)
			RETURNING c.catalog_id, c.server_name
	LOOP
		UPDATE floe_internal.iceberg_table AS t SET status = 'dropped', dropped_at = at, is_left_behind = true WHERE t.catalog_id = gone.catalog_id AND t.status <> 'dropped';
		UPDATE floe_internal.table_poll AS p SET next_poll_at = 'infinity' WHERE p.catalog_id = gone.catalog_id;
		PERFORM floe_internal.drop_queued(w.table_id, 'its catalog was removed')
			FROM (SELECT DISTINCT q.table_id FROM floe_internal.operation_queue AS q JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
				  WHERE t.catalog_id = gone.catalog_id ORDER BY q.table_id) AS w;
		DELETE FROM floe_internal.trigger_request AS r USING floe_internal.iceberg_table AS t WHERE t.table_id = r.table_id AND t.catalog_id = gone.catalog_id;
		PERFORM floe_internal.write_event('catalog removed', gone.server_name, NULL, NULL, NULL, format('catalog "%s" was dropped; floe leaves its tables alone', gone.server_name), NULL);
	END LOOP;
	FOR gone IN
		UPDATE floe_internal.engine AS e SET status = 'removed', removed_at = at
			WHERE e.status <> 'removed' AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = e.server_name)
			RETURNING e.server_name
	LOOP
		PERFORM floe_internal.write_event('engine removed', NULL, NULL, NULL, NULL, format('engine "%s" was dropped; nothing is sent to it any more', gone.server_name), NULL);
		PERFORM floe_internal.decide_soon(floe_internal.tables_of_engine(gone.server_name));
	END LOOP;
	-- also what came back to the queue after its engine was gone; this is asked all day, and hardly ever true
	PERFORM floe_internal.forget_engines();
	homeless := ARRAY(SELECT x.operation_id FROM floe_internal.operation_queue AS x
		WHERE x.state = 'queued' AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = x.engine));
	IF homeless <> '{}' THEN
		PERFORM floe_internal.lock_decisions(homeless);
		PERFORM floe_internal.end_operation(q.operation_id, 'cancelled', format('its engine "%s" was removed', q.engine))
			FROM (SELECT x.operation_id, x.engine FROM floe_internal.operation_queue AS x WHERE x.operation_id = ANY (homeless) AND x.state = 'queued'
				  ORDER BY x.operation_id FOR UPDATE) AS q;
	END IF;
	UPDATE floe_internal.catalog AS c
		SET status = 'new', removed_at = NULL, error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL, failures = 0, tripped_by = NULL,
			listed_at = NULL, left_out = 0, refused_count = 0, refusal = NULL, next_list_at = '-infinity'
		FROM floe_internal.server AS s
		WHERE s.wrapper = 'floe_catalog' AND s.server_name = c.server_name AND c.status = 'removed';
	UPDATE floe_internal.engine AS e
		SET status = 'new', removed_at = NULL, error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL, failures = 0, retry_at = NULL,
			drained_at = NULL, drained_by = NULL, drain_reason = NULL
		FROM floe_internal.server AS s
		WHERE s.wrapper = 'floe_engine' AND s.server_name = e.server_name AND e.status = 'removed';
	INSERT INTO floe_internal.catalog (server_name, created_at)
		-- a number is taken also for what is there already, and this is called all day
		SELECT s.server_name, at FROM floe_internal.server AS s
		WHERE s.wrapper = 'floe_catalog' AND NOT EXISTS (SELECT 1 FROM floe_internal.catalog AS c WHERE c.server_name = s.server_name)
		ON CONFLICT (server_name) DO NOTHING;
	INSERT INTO floe_internal.engine (server_name, created_at)
		SELECT s.server_name, at FROM floe_internal.server AS s
		WHERE s.wrapper = 'floe_engine' AND NOT EXISTS (SELECT 1 FROM floe_internal.engine AS e WHERE e.server_name = s.server_name)
		ON CONFLICT (server_name) DO NOTHING;
END
$body$;
COMMENT ON FUNCTION floe_internal.sync_servers() IS 'Registers new servers and marks those that were dropped, with their tables; called at the start of each pass and by the event trigger';

CREATE FUNCTION floe_internal.ddl_servers() RETURNS SETOF floe_internal.server
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY
		SELECT DISTINCT s.*
		FROM pg_event_trigger_ddl_commands() AS d
		LEFT JOIN pg_user_mapping AS u ON d.classid = 'pg_user_mapping'::regclass AND u.oid = d.objid
		JOIN floe_internal.server AS s ON s.server_oid = CASE WHEN d.classid = 'pg_foreign_server'::regclass THEN d.objid ELSE u.umserver END;
END
$body$;
COMMENT ON FUNCTION floe_internal.ddl_servers() IS 'In an event trigger: servers of floe''s wrappers that the command made or changed, itself or a user mapping';

-- Keeps the rows current and refuses a TYPE that no adapter speaks, and options of another one, which a validator cannot see. SECURITY
-- DEFINER: whoever may create servers of the wrapper may not write floe_internal.
CREATE FUNCTION floe_internal.on_server_ddl() RETURNS pg_catalog.event_trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	bad record;
BEGIN
	SELECT s.server_name, s.server_type, s.wrapper,
		   (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(t.type), ', ' ORDER BY t.type) FROM floe_internal.connection_types() AS t WHERE t.wrapper = s.wrapper) AS valid
	INTO bad
	FROM pg_catalog.pg_event_trigger_ddl_commands() AS d
	JOIN floe_internal.server AS s ON s.server_oid = d.objid AND d.classid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass
	WHERE NOT EXISTS (SELECT 1 FROM floe_internal.connection_types() AS t WHERE t.wrapper = s.wrapper AND t.type = s.server_type)
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'server "%" has % of wrapper %', bad.server_name,
				CASE WHEN bad.server_type IS NULL THEN 'no TYPE, which is needed for a server'
					 ELSE pg_catalog.format('TYPE %L, which is not one', bad.server_type) END, bad.wrapper
			USING ERRCODE = 'invalid_parameter_value', HINT = pg_catalog.format('Valid types are: %s.', bad.valid);
	END IF;
	IF NOT EXISTS (SELECT 1 FROM floe_internal.ddl_servers()) THEN
		RETURN;
	END IF;
	-- in C, which can keep a statement that holds secrets out of the log; the values are not looked at
	PERFORM floe_internal.check_option_types(s.wrapper, s.server_type, false, ARRAY(SELECT pg_catalog.jsonb_object_keys(s.options)))
		FROM floe_internal.ddl_servers() AS s;
	PERFORM floe_internal.check_option_types(s.wrapper, s.server_type, true, ARRAY(SELECT o.option_name FROM pg_catalog.pg_options_to_table(u.umoptions) AS o))
		FROM floe_internal.ddl_servers() AS s JOIN pg_catalog.pg_user_mapping AS u ON u.umserver = s.server_oid;
	PERFORM floe_internal.sync_servers();
	-- What failed for its options is tried anew; what waited for another engine or other credentials is decided upon again.
	UPDATE floe_internal.catalog AS c SET next_list_at = '-infinity'
		FROM floe_internal.ddl_servers() AS s WHERE c.server_name = s.server_name AND s.wrapper = 'floe_catalog';
	UPDATE floe_internal.table_poll AS p SET next_poll_at = LEAST(p.next_poll_at, floe_internal.clock()), notified_at = floe_internal.clock()
		FROM (SELECT x.table_id FROM floe_internal.table_poll AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
			  WHERE t.status NOT IN ('dropped', 'quarantined') AND (t.status = 'error' OR x.claim_pass IS NOT NULL)
				AND t.catalog_id IN (SELECT c.catalog_id FROM floe_internal.ddl_servers() AS s JOIN floe_internal.catalog AS c ON c.server_name = s.server_name WHERE s.wrapper = 'floe_catalog')
			  ORDER BY x.table_id FOR NO KEY UPDATE OF x) AS known
		WHERE p.table_id = known.table_id;
	UPDATE floe_internal.engine AS e SET retry_at = NULL
		FROM floe_internal.ddl_servers() AS s WHERE e.server_name = s.server_name AND s.wrapper = 'floe_engine';
	-- what the engine cannot honour depends on its TYPE, which is another one only after DROP and CREATE
	IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() AS d WHERE d.command_tag = 'CREATE SERVER') THEN
		PERFORM floe_internal.resolve_engine(s.server_name) FROM floe_internal.ddl_servers() AS s WHERE s.wrapper = 'floe_engine';
	END IF;
	PERFORM floe_internal.decide_soon(floe_internal.tables_of_engine(s.server_name)) FROM floe_internal.ddl_servers() AS s WHERE s.wrapper = 'floe_engine';
	PERFORM floe_internal.wake('assessor'), floe_internal.wake('executor');
END
$body$;
COMMENT ON FUNCTION floe_internal.on_server_ddl() IS 'Event trigger: validates SERVER TYPE and which options it may have, registers servers of floe''s wrappers, and makes due what waits for them or for their credentials';

CREATE EVENT TRIGGER floe_server_ddl ON ddl_command_end
	WHEN TAG IN ('CREATE SERVER', 'ALTER SERVER', 'CREATE USER MAPPING', 'ALTER USER MAPPING')
	EXECUTE FUNCTION floe_internal.on_server_ddl();
COMMENT ON EVENT TRIGGER floe_server_ddl IS 'floe: validates and registers catalog and engine servers';

-- =================================================================================================
-- 40 policies: tables
-- Typed columns are the truth, NULL means "not set by this policy". JSON documents (41) are how people
-- exchange them. Direct INSERT, UPDATE and DELETE on these two tables is validated like the functions are.
-- =================================================================================================

CREATE TABLE floe.policy (
	policy_id		pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name			pg_catalog.text NOT NULL UNIQUE CHECK (name OPERATOR(pg_catalog.<>) '' AND pg_catalog.length(name) OPERATOR(pg_catalog.<=) 200),
	pattern			pg_catalog.text NOT NULL,
	priority		pg_catalog.int4 NOT NULL DEFAULT 0,
	is_enabled		pg_catalog.bool NOT NULL DEFAULT true,
	description		pg_catalog.text,
	engine			pg_catalog.text,
	poll_interval	pg_catalog.interval CHECK (poll_interval OPERATOR(pg_catalog.>=) '1 second'::pg_catalog.interval),
	min_poll_interval	pg_catalog.interval CHECK (min_poll_interval OPERATOR(pg_catalog.>=) '1 second'::pg_catalog.interval),
	thresholds		pg_catalog.jsonb NOT NULL DEFAULT '{}',
	weights			pg_catalog.jsonb NOT NULL DEFAULT '{}',
	fallback_engines	pg_catalog.text[],
	fallback_after	pg_catalog.interval CHECK (fallback_after OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	valid_during	pg_catalog.tstzrange,
	score			pg_catalog.text,
	locks			pg_catalog.jsonb NOT NULL DEFAULT '{}',
	owner			pg_catalog.text NOT NULL,
	created_at		pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated_at		pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE floe.policy IS 'Maintenance policies; a NULL column is not set and leaves the value to other policies, the table''s properties or floe''s defaults';
COMMENT ON COLUMN floe.policy.pattern IS 'Comma-separated patterns over catalog.namespace.table: * and ? inside one level, ** any levels, /regex/ for one level, !pattern excludes';
COMMENT ON COLUMN floe.policy.priority IS 'Higher wins; then more literal levels in the pattern; then the name';
COMMENT ON COLUMN floe.policy.engine IS 'SERVER of wrapper floe_engine for all operations of this policy that do not name their own';
COMMENT ON COLUMN floe.policy.fallback_engines IS 'Engines that take an operation, in this order, when the ones before them cannot: not able or approved, drained, removed, failing or full for fallback_after. Of all tables: set it in a policy for **';
COMMENT ON COLUMN floe.policy.fallback_after IS 'How long an engine must have failed, or an operation have waited for a place at it, before the next engine takes it; 5 minutes where no policy says otherwise';
COMMENT ON COLUMN floe.policy.poll_interval IS 'Longest time between two looks at a table; one that is written more often is looked at about as often as it is written';
COMMENT ON COLUMN floe.policy.min_poll_interval IS 'Shortest time between two looks at a table that nobody asked for';
COMMENT ON COLUMN floe.policy.thresholds IS 'metric -> {"warning": n, "critical": n} in the metric''s unit';
COMMENT ON COLUMN floe.policy.weights IS 'debt term -> weight';
COMMENT ON COLUMN floe.policy.valid_during IS 'The policy counts only within this; the beginning belongs to it, the end does not; NULL: always';
COMMENT ON COLUMN floe.policy.score IS 'What orders candidates: a debt preset (severity, benefit), or a function of the user''s own, schema-qualified';
COMMENT ON COLUMN floe.policy.locks IS 'field -> what every policy and table property below this one may set it to; docs/policies.md has the forms';
COMMENT ON COLUMN floe.policy.owner IS 'Role that may change and drop the policy, as may its members and floe_admin; by name, so that a restore does not need the role';

CREATE TABLE floe.resource_preset (
	name		pg_catalog.text PRIMARY KEY,
	conf		pg_catalog.jsonb NOT NULL,
	description	pg_catalog.text NOT NULL DEFAULT '',
	is_changed	pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe.resource_preset IS 'Sizes of sessions that policies name in "resources": Spark settings, which an engine is given when it starts a session';
COMMENT ON COLUMN floe.resource_preset.conf IS 'Spark setting -> value; for Livy the sizes of driver and executors become its own fields';
COMMENT ON COLUMN floe.resource_preset.is_changed IS 'The row was made or changed after installation: pg_dump carries it';

INSERT INTO floe.resource_preset VALUES
	('small', '{"spark.driver.memory": "1g", "spark.executor.instances": "2", "spark.executor.cores": "2", "spark.executor.memory": "2g"}', 'expiring snapshots, manifests, small tables'),
	('medium', '{"spark.driver.memory": "2g", "spark.executor.instances": "4", "spark.executor.cores": "2", "spark.executor.memory": "4g"}', 'tables of some hundred GB'),
	('large', '{"spark.driver.memory": "4g", "spark.executor.instances": "8", "spark.executor.cores": "4", "spark.executor.memory": "8g"}', 'first runs on large tables, orphans of large tables');

CREATE TABLE floe.policy_operation (
	policy_id		pg_catalog.int4 NOT NULL REFERENCES floe.policy ON DELETE CASCADE,
	operation		pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	is_enabled		pg_catalog.bool,
	engine			pg_catalog.text,
	schedule		pg_catalog.text,
	every			pg_catalog.interval CHECK (every OPERATOR(pg_catalog.>=) '1 minute'::pg_catalog.interval),
	timezone		pg_catalog.text,
	jitter			pg_catalog.interval CHECK (jitter OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	windows			pg_catalog.text[],
	days			pg_catalog.text[],
	min_interval	pg_catalog.interval CHECK (min_interval OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	conditions		pg_catalog.jsonb,
	deadline		pg_catalog.interval CHECK (deadline OPERATOR(pg_catalog.>) '0'::pg_catalog.interval),
	timeout			pg_catalog.interval CHECK (timeout OPERATOR(pg_catalog.>=) '1 minute'::pg_catalog.interval),
	max_attempts	pg_catalog.int4 CHECK (max_attempts OPERATOR(pg_catalog.>=) 1 AND max_attempts OPERATOR(pg_catalog.<=) 100),
	slice_bytes		pg_catalog.int8 CHECK (slice_bytes OPERATOR(pg_catalog.>) 0),
	slice_time		pg_catalog.interval CHECK (slice_time OPERATOR(pg_catalog.>=) '1 minute'::pg_catalog.interval),
	quiet_period	pg_catalog.interval CHECK (quiet_period OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	options			pg_catalog.jsonb NOT NULL DEFAULT '{}',
	resources		pg_catalog.jsonb,
	fallback_engines	pg_catalog.text[],
	fallback_after	pg_catalog.interval CHECK (fallback_after OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	auto_tune		pg_catalog.bool,
	schedule_set_at	pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (policy_id, operation),
	CONSTRAINT policy_operation_one_schedule CHECK (schedule IS NULL OR every IS NULL)
);
COMMENT ON TABLE floe.policy_operation IS 'What a policy says about one operation; a row, even an empty one, switches the operation on for matching tables unless a policy disables it';
COMMENT ON COLUMN floe.policy_operation.schedule IS '5-field cron expression in timezone; excludes every';
COMMENT ON COLUMN floe.policy_operation.every IS 'Interval between runs, in whole intervals from when it was set; excludes schedule';
COMMENT ON COLUMN floe.policy_operation.timezone IS 'Of schedule, windows and days; IANA name; default UTC';
COMMENT ON COLUMN floe.policy_operation.jitter IS 'A scheduled run starts up to this much later, by a fixed amount for each table and operation, always before the next one; default 5 minutes, for every a tenth of it if that is less; 0: all tables at once';
COMMENT ON COLUMN floe.policy_operation.windows IS 'HH:MM-HH:MM in timezone, may cross midnight: runs may start only inside one';
COMMENT ON COLUMN floe.policy_operation.days IS 'mon … sun: windows may start only on these days';
COMMENT ON COLUMN floe.policy_operation.min_interval IS 'Least time between the end of a run that did not fail and the start of the next; after a failure the backoff of its error class counts';
COMMENT ON COLUMN floe.policy_operation.conditions IS '{"any": [{"metric": …, "op": ">=", "value": …}]} or {"all": […]}: replaces the thresholds as the reason to run';
COMMENT ON COLUMN floe.policy_operation.deadline IS 'After this long without a run, any work at all (not only beyond a threshold) is a reason to run; never overrides safety';
COMMENT ON COLUMN floe.policy_operation.timeout IS 'A run longer than this is cancelled at the engine';
COMMENT ON COLUMN floe.policy_operation.max_attempts IS 'Consecutive failures after which the operation waits for a change';
COMMENT ON COLUMN floe.policy_operation.resources IS 'Size of the engine''s session: name of a row of floe.resource_preset, or Spark settings as an object; for engines that start a session for it (livy, kyuubi)';
COMMENT ON COLUMN floe.policy_operation.slice_bytes IS 'rewrite_data_files: most bytes that one run rewrites; a table with more is done partition by partition, in runs one after the other. Default 50 GB';
COMMENT ON COLUMN floe.policy_operation.slice_time IS 'rewrite_data_files: the same as a time, by the speed learned from the log';
COMMENT ON COLUMN floe.policy_operation.quiet_period IS 'rewrite_data_files: a partition that was written within this is left alone while others have something to gain; default: twice the median gap between commits, at least 2 minutes, for tables that are written every 10 minutes or more often; 0: none is';
COMMENT ON COLUMN floe.policy_operation.schedule_set_at IS 'When schedule, every, timezone, jitter or the policy''s pattern were last changed, or the policy was last switched on: the schedule begins with this';
COMMENT ON COLUMN floe.policy_operation.auto_tune IS 'Runs that never pay are called for less often; NULL: as another policy says, else not';
COMMENT ON COLUMN floe.policy_operation.options IS 'Options of the procedure, canonical; floe.operation_option lists them';

CREATE TABLE floe_internal.policy_version (
	policy_id	pg_catalog.int4 NOT NULL,
	version		pg_catalog.int4 NOT NULL,
	name		pg_catalog.text NOT NULL,
	action		pg_catalog.text NOT NULL CHECK (action IN ('create', 'alter', 'drop')),
	document	pg_catalog.jsonb NOT NULL,
	changed_at	pg_catalog.timestamptz NOT NULL,
	changed_by	pg_catalog.text NOT NULL,
	PRIMARY KEY (policy_id, version)
);
COMMENT ON TABLE floe_internal.policy_version IS 'Every version every policy ever had; rows are never changed';

CREATE TABLE floe_internal.policy_match (
	table_id	pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	policy_id	pg_catalog.int4 NOT NULL REFERENCES floe.policy ON DELETE CASCADE,
	specificity	pg_catalog.int4 NOT NULL,
	PRIMARY KEY (table_id, policy_id)
);
CREATE INDEX policy_match_policy ON floe_internal.policy_match (policy_id);
COMMENT ON TABLE floe_internal.policy_match IS 'Which enabled policies match which table; kept up to date when either changes';

CREATE TABLE floe_internal.policy_set (
	policy_set_id	pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	policy_ids		pg_catalog.int4[] NOT NULL UNIQUE
);
COMMENT ON TABLE floe_internal.policy_set IS 'Ordered lists of policies, winner first. Tables with the same list share one resolution: settings are resolved per list, not per table';

CREATE TABLE floe_internal.effective (
	policy_set_id	pg_catalog.int4 NOT NULL REFERENCES floe_internal.policy_set ON DELETE CASCADE,
	operation		pg_catalog.text NOT NULL,
	settings		pg_catalog.jsonb NOT NULL,
	origins			pg_catalog.jsonb NOT NULL,
	problem			pg_catalog.text,
	engine_names	pg_catalog.text[],
	engine_refusals	pg_catalog.jsonb,
	locked			pg_catalog.jsonb,
	bounds			pg_catalog.jsonb,
	PRIMARY KEY (policy_set_id, operation)
);
COMMENT ON TABLE floe_internal.effective IS 'Resolved settings of each policy list, by operation; operation "" holds what is not of one operation. origins: setting -> policy_id';
COMMENT ON COLUMN floe_internal.effective.problem IS 'Why the options, taken together from several policies, are not valid, or no engine that they name can honour them: the operation is blocked';
COMMENT ON COLUMN floe_internal.effective.locked IS 'setting -> what a lock overruled: {"asked": value, "by": policy_id or null, "holder": policy_id, "allows": text}; NULL: nothing';
COMMENT ON COLUMN floe_internal.effective.bounds IS 'setting -> locks that hold what a table property says, the lowest first; NULL: none';
COMMENT ON COLUMN floe_internal.effective.engine_names IS 'Engines named, the preferred one first';
COMMENT ON COLUMN floe_internal.effective.engine_refusals IS 'Of these, which cannot honour it, and why; one that does not exist is not among them, and is asked when it does';

-- Settings that hold when no policy and no table property says otherwise.
CREATE TABLE floe_internal.builtin_setting (
	operation	pg_catalog.text NOT NULL,
	setting		pg_catalog.text NOT NULL,
	value		pg_catalog.jsonb NOT NULL,
	PRIMARY KEY (operation, setting)
);
COMMENT ON TABLE floe_internal.builtin_setting IS 'floe''s defaults, below policies and table properties';

INSERT INTO floe_internal.builtin_setting VALUES
	('', 'poll_interval', '"1 hour"'),
	('', 'min_poll_interval', '"1 minute"'),
	('', 'score', '"severity"'),
	('rewrite_data_files', 'min_interval', '"1 hour"'),
	('rewrite_data_files', 'timeout', '"4 hours"'),
	('rewrite_data_files', 'max_attempts', '5'),
	('rewrite_data_files', 'slice_bytes', '53687091200'),
	('rewrite_position_delete_files', 'min_interval', '"1 hour"'),
	('rewrite_position_delete_files', 'timeout', '"2 hours"'),
	('rewrite_position_delete_files', 'max_attempts', '5'),
	('rewrite_manifests', 'min_interval', '"1 hour"'),
	('rewrite_manifests', 'timeout', '"1 hour"'),
	('rewrite_manifests', 'max_attempts', '5'),
	('expire_snapshots', 'min_interval', '"1 hour"'),
	('expire_snapshots', 'deadline', '"7 days"'),
	('expire_snapshots', 'timeout', '"2 hours"'),
	('expire_snapshots', 'max_attempts', '5'),
	('remove_orphan_files', 'schedule', '{"every": "7 days"}'),
	('remove_orphan_files', 'min_interval', '"1 day"'),
	('remove_orphan_files', 'timeout', '"4 hours"'),
	('remove_orphan_files', 'max_attempts', '5'),
	('remove_orphan_files', 'options.older_than', '"3 days"'),
	('compute_table_stats', 'min_interval', '"1 hour"'),
	('compute_table_stats', 'deadline', '"1 day"'),
	('compute_table_stats', 'timeout', '"4 hours"'),
	('compute_table_stats', 'max_attempts', '5'),
	('compute_partition_stats', 'min_interval', '"1 hour"'),
	('compute_partition_stats', 'deadline', '"1 day"'),
	('compute_partition_stats', 'timeout', '"1 hour"'),
	('compute_partition_stats', 'max_attempts', '5'),
	('rewrite_data_files', 'timezone', '"UTC"'),
	('rewrite_position_delete_files', 'timezone', '"UTC"'),
	('rewrite_manifests', 'timezone', '"UTC"'),
	('expire_snapshots', 'timezone', '"UTC"'),
	('remove_orphan_files', 'timezone', '"UTC"'),
	('compute_table_stats', 'timezone', '"UTC"'),
	('compute_partition_stats', 'timezone', '"UTC"');

-- =================================================================================================
-- 41 policies: checking values
-- Whatever way a policy is saved, its values pass through these. A refusal names the place in the
-- document, says what is wrong in DETAIL and what is valid in HINT.
-- =================================================================================================

CREATE TABLE floe_internal.policy_key (
	scope		pg_catalog.text NOT NULL CHECK (scope IN ('policy', 'operation')),
	key			pg_catalog.text NOT NULL,
	position	pg_catalog.int2 NOT NULL,
	column_name	pg_catalog.text NOT NULL,
	value_type	pg_catalog.text NOT NULL CHECK (value_type IN ('boolean', 'integer', 'interval', 'text', 'text list', 'object', 'bytes', 'preset', 'time range')),
	description	pg_catalog.text NOT NULL,
	PRIMARY KEY (scope, key)
);
COMMENT ON TABLE floe_internal.policy_key IS 'Keys of a policy document and the column each is kept in: validation, hints, parsing and export derive from it';

INSERT INTO floe_internal.policy_key VALUES
	('policy', 'priority', 1, 'priority', 'integer', 'higher wins'),
	('policy', 'enabled', 2, 'is_enabled', 'boolean', 'false: as if the policy were not there'),
	('policy', 'description', 3, 'description', 'text', 'for people'),
	('policy', 'engine', 4, 'engine', 'text', 'engine for all operations of this policy'),
	('policy', 'poll_interval', 5, 'poll_interval', 'interval', 'longest time between two looks at a table'),
	('policy', 'min_poll_interval', 6, 'min_poll_interval', 'interval', 'shortest time between two looks at a table'),
	('policy', 'thresholds', 7, 'thresholds', 'object', 'metric: {"warning": n, "critical": n}'),
	('policy', 'weights', 8, 'weights', 'object', 'debt term: weight'),
	('policy', 'valid_during', 9, 'valid_during', 'time range', 'counts only within this'),
	('policy', 'score', 10, 'score', 'text', 'debt preset or function that orders candidates'),
	('policy', 'locks', 11, 'locks', 'object', 'field: what policies below may set it to'),
	('policy', 'fallback_engines', 20, 'fallback_engines', 'text list', 'engines to take over, in order'),
	('policy', 'fallback_after', 21, 'fallback_after', 'interval', 'how long an engine must have failed or been full'),
	('operation', 'enabled', 1, 'is_enabled', 'boolean', 'false: never run'),
	('operation', 'engine', 2, 'engine', 'text', 'engine for this operation'),
	('operation', 'schedule', 3, 'schedule', 'text', '5-field cron expression'),
	('operation', 'every', 4, 'every', 'interval', 'interval between runs'),
	('operation', 'timezone', 5, 'timezone', 'text', 'of schedule, windows and days'),
	('operation', 'jitter', 6, 'jitter', 'interval', 'scheduled starts are spread over this'),
	('operation', 'windows', 7, 'windows', 'text list', '"HH:MM-HH:MM"'),
	('operation', 'days', 8, 'days', 'text list', 'mon … sun'),
	('operation', 'min_interval', 9, 'min_interval', 'interval', 'least time between runs'),
	('operation', 'when', 10, 'conditions', 'object', '{"any"|"all": [{"metric", "op", "value"}]}'),
	('operation', 'deadline', 11, 'deadline', 'interval', 'run at the latest after'),
	('operation', 'timeout', 12, 'timeout', 'interval', 'cancel a run after'),
	('operation', 'max_attempts', 13, 'max_attempts', 'integer', 'failures in a row before it waits for a change'),
	('operation', 'options', 14, 'options', 'object', 'options of the procedure'),
	('operation', 'slice_bytes', 15, 'slice_bytes', 'bytes', 'most bytes one run rewrites'),
	('operation', 'slice_time', 16, 'slice_time', 'interval', 'most time one run is to take'),
	('operation', 'quiet_period', 17, 'quiet_period', 'interval', 'partitions written within this are left alone'),
	('operation', 'resources', 18, 'resources', 'preset', 'preset or Spark settings of the session'),
	('operation', 'auto_tune', 19, 'auto_tune', 'boolean', 'runs that never pay become fewer'),
	('operation', 'fallback_engines', 20, 'fallback_engines', 'text list', 'engines to take over, in order'),
	('operation', 'fallback_after', 21, 'fallback_after', 'interval', 'how long an engine must have failed or been full');

CREATE FUNCTION floe_internal.interval_from(value pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.interval
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	example CONSTANT text := 'Write an interval such as "90 minutes", "6 hours", "3 days" or "PT6H".';
	result interval;
BEGIN
	IF value ~ '^[-+0-9.\s]*$' AND value !~ '^\s*0+\s*$' THEN
		PERFORM floe_internal.refuse(format('%s: "%s" has no unit', place, left(value, 100)), NULL, example);
	END IF;
	BEGIN
		result := value::interval;
	EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow OR interval_field_overflow THEN
		PERFORM floe_internal.refuse(format('%s: "%s" is not an interval', place, left(value, 100)), NULL, example);
	END;
	IF NOT isfinite(result) THEN
		PERFORM floe_internal.refuse(format('%s: "%s" is not an interval', place, left(value, 100)), NULL, example);	-- since PostgreSQL 17 it is one
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.interval_from(pg_catalog.text, pg_catalog.text) IS 'An interval with a unit, or a refusal that names the place';

-- 100 years: what is later than that is meant as "never", and must not make times overflow.
CREATE FUNCTION floe_internal.check_interval(value pg_catalog.interval, minimum pg_catalog.interval, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
BEGIN
	IF value < minimum OR value > interval '100 years' OR NOT isfinite(value) THEN
		PERFORM floe_internal.refuse(format('%s: %s is not from %s to 100 years', place, value, CASE WHEN minimum = '0' THEN '0' ELSE minimum::text END), NULL, NULL);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_interval(pg_catalog.interval, pg_catalog.interval, pg_catalog.text) IS 'Refuses an interval that is too short or absurdly long';

-- A refusal of a function in C again, with the place in front.
CREATE FUNCTION floe_internal.refuse_at(place pg_catalog.text, message pg_catalog.text, detail pg_catalog.text, hint pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.refuse(place || ': ' || message, NULLIF(detail, ''), NULLIF(hint, ''));
END;
COMMENT ON FUNCTION floe_internal.refuse_at(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'refuse() with the place in a policy document in front; empty detail and hint are left out';

CREATE FUNCTION floe_internal.metric_number(metric pg_catalog.text, value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.float8
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	m floe.metric;
	text_value text := value #>> '{}';
	result float8;
BEGIN
	SELECT * INTO m FROM floe.metric AS x WHERE x.name = metric;
	IF NOT FOUND THEN
		PERFORM floe_internal.refuse(format('%s: unknown metric "%s"', place, metric), NULL,
			'Valid metrics are: ' || (SELECT string_agg(x.name, ', ' ORDER BY x.position) FROM floe.metric AS x) || '.');
	END IF;
	IF jsonb_typeof(value) = 'number' AND text_value::numeric < 1e18 THEN
		result := text_value::float8;
	ELSIF jsonb_typeof(value) = 'string' AND m.unit = 'seconds' THEN
		result := extract(epoch FROM floe_internal.interval_from(text_value, place));
	ELSIF jsonb_typeof(value) = 'string' AND m.unit = 'bytes' THEN
		BEGIN
			result := pg_size_bytes(text_value);
		EXCEPTION WHEN invalid_parameter_value OR numeric_value_out_of_range THEN
			PERFORM floe_internal.refuse(format('%s: "%s" is not a size', place, left(text_value, 100)), NULL, 'Write a number of bytes or a size such as "128 MB".');
		END;
	END IF;
	IF result IS NULL OR result NOT BETWEEN 0 AND 1e18 THEN
		PERFORM floe_internal.refuse(format('%s: %s is not a value of metric "%s"', place, left(value::text, 100), metric),
			format('The metric''s unit is %s.', m.unit),
			CASE m.unit WHEN 'seconds' THEN 'Write seconds as a number, or an interval such as "3 days".'
						WHEN 'bytes' THEN 'Write bytes as a number, or a size such as "128 MB".'
						ELSE 'Write a number that is not negative, and below 1e18.' END);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.metric_number(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'A threshold or condition value in the metric''s unit; text with units is converted';

CREATE FUNCTION floe_internal.check_thresholds(value pg_catalog.jsonb, place pg_catalog.text, with_defaults pg_catalog.bool) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET extra_float_digits = 1
AS $body$
DECLARE
	metric text;
	limits jsonb;
	level text;
	number jsonb;
	canonical jsonb;
	result jsonb := jsonb '{}';
	builtin floe.metric;
	low float8;
	high float8;
BEGIN
	IF jsonb_typeof(value) <> 'object' THEN
		PERFORM floe_internal.refuse(format('%s must be an object', place), NULL, 'For example {"small_file_count": {"warning": 100, "critical": 1000}}.');
	END IF;
	FOR metric, limits IN SELECT * FROM jsonb_each(value)
	LOOP
		IF jsonb_typeof(limits) <> 'object' THEN
			PERFORM floe_internal.refuse(format('%s.%s must be an object', place, metric), NULL, 'For example {"warning": 100, "critical": 1000}.');
		END IF;
		PERFORM floe_internal.metric_number(metric, '0', place);	-- there is such a metric
		canonical := '{}';
		FOR level, number IN SELECT * FROM jsonb_each(limits)
		LOOP
			IF level NOT IN ('warning', 'critical') THEN
				PERFORM floe_internal.refuse(format('%s.%s: unknown key "%s"', place, metric, level), NULL, 'Valid keys are: warning, critical.');
			END IF;
			canonical := canonical || jsonb_build_object(level, floe_internal.metric_number(metric, number, format('%s.%s.%s', place, metric, level)));
		END LOOP;
		SELECT * INTO builtin FROM floe.metric AS m WHERE m.name = metric AND with_defaults;
		low := COALESCE((canonical ->> 'warning')::float8, builtin.warning);
		high := COALESCE((canonical ->> 'critical')::float8, builtin.critical);
		IF low > high THEN
			PERFORM floe_internal.refuse(format('%s.%s: warning %s is above critical %s', place, metric, low, high),
				CASE WHEN canonical ? 'warning' AND canonical ? 'critical' THEN NULL ELSE 'The other value is floe''s default.' END,
				'Set both, with warning not above critical.');
		END IF;
		result := result || jsonb_build_object(metric, canonical);
	END LOOP;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_thresholds(pg_catalog.jsonb, pg_catalog.text, pg_catalog.bool) IS 'Thresholds with values in the metrics'' units; with_defaults: a level set alone must fit floe''s default of the other';

CREATE FUNCTION floe_internal.check_conditions(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET extra_float_digits = 1
AS $body$
DECLARE
	example CONSTANT text := 'For example {"any": [{"metric": "small_file_count", "op": ">=", "value": 100}]}.';
	logic text;
	item jsonb;
	stray text;
	items jsonb := jsonb '[]';
BEGIN
	IF jsonb_typeof(value) = 'array' THEN
		value := jsonb_build_object('any', value);
	END IF;
	IF jsonb_typeof(value) <> 'object' OR (SELECT count(*) FROM jsonb_object_keys(value)) <> 1 OR NOT value ?| ARRAY['any', 'all'] THEN
		PERFORM floe_internal.refuse(format('%s must hold either "any" or "all"', place), NULL, example);
	END IF;
	logic := (SELECT k FROM jsonb_object_keys(value) AS k);
	IF jsonb_typeof(value -> logic) <> 'array' OR jsonb_array_length(value -> logic) = 0 THEN
		PERFORM floe_internal.refuse(format('%s.%s must be a list with at least one condition', place, logic), NULL, example);
	END IF;
	FOR item IN SELECT * FROM jsonb_array_elements(value -> logic)
	LOOP
		IF jsonb_typeof(item) <> 'object' THEN
			PERFORM floe_internal.refuse(format('%s.%s: %s is not a condition', place, logic, left(item::text, 100)), NULL, example);
		END IF;
		SELECT k INTO stray FROM jsonb_object_keys(item) AS k WHERE k NOT IN ('metric', 'op', 'value') LIMIT 1;
		IF stray IS NOT NULL THEN
			PERFORM floe_internal.refuse(format('%s.%s: unknown key "%s"', place, logic, stray), NULL, 'Valid keys are: metric, op, value.');
		END IF;
		IF jsonb_typeof(item -> 'metric') IS DISTINCT FROM 'string' OR NOT item ? 'value' THEN
			PERFORM floe_internal.refuse(format('%s.%s: a condition needs "metric" and "value"', place, logic), NULL, example);
		END IF;
		IF COALESCE(item ->> 'op', '>=') NOT IN ('>=', '>', '<=', '<', '=', '<>') THEN
			PERFORM floe_internal.refuse(format('%s.%s: unknown comparison "%s"', place, logic, item ->> 'op'), NULL, 'Valid comparisons are: >=, >, <=, <, =, <>.');
		END IF;
		items := items || jsonb_build_array(jsonb_build_object('metric', item ->> 'metric', 'op', COALESCE(item ->> 'op', '>='),
			'value', floe_internal.metric_number(item ->> 'metric', item -> 'value', format('%s.%s', place, logic))));
	END LOOP;
	RETURN jsonb_build_object(logic, items);
END
$body$;
COMMENT ON FUNCTION floe_internal.check_conditions(pg_catalog.jsonb, pg_catalog.text) IS 'Trigger conditions with values in the metrics'' units; a bare list means "any"';

CREATE FUNCTION floe_internal.check_weights(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	given text;
	weight jsonb;
BEGIN
	IF jsonb_typeof(value) <> 'object' THEN
		PERFORM floe_internal.refuse(format('%s must be an object', place), NULL, 'For example {"severity": 2}.');
	END IF;
	FOR given, weight IN SELECT * FROM jsonb_each(value)
	LOOP
		IF NOT EXISTS (SELECT 1 FROM floe.debt_term AS t WHERE t.term = given) THEN
			PERFORM floe_internal.refuse(format('%s: unknown debt term "%s"', place, given), NULL,
				'Valid terms are: ' || (SELECT string_agg(t.term, ', ' ORDER BY t.position) FROM floe.debt_term AS t) || '.');
		END IF;
		IF jsonb_typeof(weight) <> 'number' OR (weight #>> '{}')::numeric NOT BETWEEN 0 AND 1000 THEN
			PERFORM floe_internal.refuse(format('%s.%s must be a number from 0 to 1000', place, given), NULL, NULL);
		END IF;
	END LOOP;
	RETURN value;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_weights(pg_catalog.jsonb, pg_catalog.text) IS 'Weights of debt terms';

-- A preset by its name, which has no dot, or a function by its schema and name. What arguments it takes is looked at where it is called.
CREATE FUNCTION floe_internal.check_score(score pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF strpos(score, '.') > 0 THEN
		BEGIN
			IF to_regproc(score) IS NOT NULL THEN
				RETURN;
			END IF;
		EXCEPTION WHEN syntax_error OR invalid_name OR invalid_parameter_value THEN
			NULL;	-- not even the form of a name
		END;
	ELSIF EXISTS (SELECT 1 FROM unnest(ARRAY['severity', 'benefit']) AS p (name) WHERE p.name = score) THEN
		RETURN;
	END IF;
	PERFORM floe_internal.refuse(format('%s: there is no score "%s"', place, left(score, 100)), NULL, 'Valid are severity, benefit, and the name of a function with its schema, such as "ops.my_score".');
END
$body$;
COMMENT ON FUNCTION floe_internal.check_score(pg_catalog.text, pg_catalog.text) IS 'Refuses a score that is neither a debt preset nor a function there is';

CREATE FUNCTION floe_internal.check_valid_during(value pg_catalog.tstzrange, place pg_catalog.text) RETURNS pg_catalog.tstzrange
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result tstzrange := tstzrange(NULLIF(lower(value), '-infinity'), NULLIF(upper(value), 'infinity'), '[)');
BEGIN
	IF value IS NULL THEN
		RETURN NULL;
	END IF;
	IF isempty(value) OR isempty(result) OR lower(result) = 'infinity' OR upper(result) = '-infinity' THEN
		PERFORM floe_internal.refuse(place || ' is never', 'The beginning belongs to it, the end does not.', 'Write for example ["2026-11-24 00:00 Europe/Amsterdam", "2026-12-02 00:00 Europe/Amsterdam"]; null for an end that is open.');
	END IF;
	RETURN NULLIF(result, '(,)');
END
$body$;
COMMENT ON FUNCTION floe_internal.check_valid_during(pg_catalog.tstzrange, pg_catalog.text) IS 'A time range with its beginning and without its end; NULL for always';

CREATE FUNCTION floe_internal.check_engine_name(engine pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = engine) THEN
		PERFORM floe_internal.refuse(format('%s: there is no engine "%s"', place, engine), NULL,
			COALESCE('Engines are: ' || (SELECT string_agg(s.server_name, ', ' ORDER BY s.server_name) FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine') || '.',
				'Make one: CREATE SERVER spark TYPE ''spark-thrift'' FOREIGN DATA WRAPPER floe_engine OPTIONS (url ''…'').'));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_engine_name(pg_catalog.text, pg_catalog.text) IS 'Refuses an engine that does not exist';

-- Spark settings of a session, as texts. Everybody who sees policies sees them, so they are no place for secrets.
CREATE FUNCTION floe_internal.check_spark_conf(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	e record;
BEGIN
	IF jsonb_typeof(value) <> 'object' OR value = '{}' THEN
		PERFORM floe_internal.refuse(format('%s must be the name of a preset or an object of Spark settings, not %s', place, left(value::text, 100)), NULL, 'Write "small", or {"spark.executor.memory": "4g"}.');
	END IF;
	FOR e IN SELECT x.key, x.value FROM jsonb_each(value) AS x
	LOOP
		IF e.key !~ '^spark\.[A-Za-z0-9_.-]+$' OR length(e.key) > 200 THEN
			PERFORM floe_internal.refuse(format('%s: "%s" is no setting of Spark', place, left(e.key, 100)), NULL, 'Settings begin with "spark.".');
		END IF;
		IF e.key ~* '(secret|passw|token|credential|authorization|access[._-]?key|api[._-]?key|private[._-]?key)' THEN
			PERFORM floe_internal.refuse(format('%s: "%s" looks like a secret', place, e.key), 'Everybody who sees policies sees it.', 'The USER MAPPING of the engine takes it as an option.');
		END IF;
		-- Who writes policies may say how large a session is. What it loads, runs, and where it sends a catalog's credentials is for the owners of the servers.
		IF e.key !~ ('^spark\.((driver|executor)\.(memory|memoryOverhead|memoryOverheadFactor|cores|instances|maxResultSize)|cores\.max|task\.cpus|default\.parallelism|network\.timeout|speculation|yarn\.queue'
				|| '|kubernetes\.(driver|executor)\.(request|limit)\.cores|(dynamicAllocation|memory|sql\.shuffle|sql\.adaptive|sql\.files)\..+|sql\.autoBroadcastJoinThreshold)$') THEN
			PERFORM floe_internal.refuse(format('%s: "%s" does not say how large a session is', place, e.key),
				'Settings are those of memory, cores, instances, dynamic allocation, shuffles and parallelism.', 'Others are options of the engine''s SERVER.');
		END IF;
		IF jsonb_typeof(e.value) NOT IN ('string', 'number', 'boolean') OR length(e.value #>> '{}') NOT BETWEEN 1 AND 1000 OR e.value #>> '{}' ~ '[[:cntrl:]]|\$\{' THEN
			PERFORM floe_internal.refuse(format('%s: "%s" must be a text or number, not %s', place, e.key, left(e.value::text, 100)), NULL, NULL);
		END IF;
	END LOOP;
	RETURN (SELECT jsonb_object_agg(x.key, to_jsonb(x.value #>> '{}')) FROM jsonb_each(value) AS x);
END
$body$;
COMMENT ON FUNCTION floe_internal.check_spark_conf(pg_catalog.jsonb, pg_catalog.text) IS 'An object of Spark settings, values as texts';

CREATE FUNCTION floe_internal.check_resources(value pg_catalog.jsonb, engine pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	kind text := (SELECT s.server_type FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = engine);
BEGIN
	IF kind NOT IN ('livy', 'kyuubi') THEN
		PERFORM floe_internal.refuse(format('%s: engine "%s" has its resources fixed when its server starts', place, engine),
			format('It has TYPE ''%s''.', kind), 'Engines of TYPE ''livy'' or ''kyuubi'' start a session of the size that is asked for.');
	END IF;
	IF jsonb_typeof(value) <> 'string' THEN
		RETURN floe_internal.check_spark_conf(value, place);
	END IF;
	IF NOT EXISTS (SELECT 1 FROM floe.resource_preset AS p WHERE p.name = value #>> '{}') THEN
		PERFORM floe_internal.refuse(format('%s: there is no preset "%s"', place, left(value #>> '{}', 100)), NULL,
			COALESCE('Presets are: ' || (SELECT string_agg(p.name, ', ' ORDER BY p.name) FROM floe.resource_preset AS p) || '.', 'floe.resource_preset has none.'));
	END IF;
	RETURN value;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_resources(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'Resources of a policy: a preset, or Spark settings; refused for an engine that cannot change its own';

-- Row triggers: the same checks for functions and for direct DML.

CREATE FUNCTION floe_internal.resource_preset_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR NEW.name <> OLD.name)
	   AND EXISTS (SELECT 1 FROM floe.policy_operation AS o WHERE o.resources = to_jsonb(OLD.name)) THEN
		PERFORM floe_internal.refuse(format('preset "%s" is named by a policy', OLD.name), NULL, NULL);
	END IF;
	IF TG_OP = 'DELETE' THEN
		RETURN OLD;
	END IF;
	NEW.conf := floe_internal.check_spark_conf(NEW.conf, format('preset "%s"', NEW.name));
	IF TG_OP = 'INSERT' AND NEW.is_changed THEN
		-- from a dump: the installation brought one of that name
		UPDATE floe.resource_preset AS p SET (conf, description) = (NEW.conf, NEW.description) WHERE p.name = NEW.name;
		IF FOUND THEN
			RETURN NULL;
		END IF;
	END IF;
	NEW.is_changed := true;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.resource_preset_before() IS 'Trigger: checks presets, marks changed rows, and takes them back from a dump';

CREATE TRIGGER resource_preset_before BEFORE INSERT OR UPDATE OR DELETE ON floe.resource_preset
	FOR EACH ROW EXECUTE FUNCTION floe_internal.resource_preset_before();

CREATE FUNCTION floe_internal.resource_conf(settings pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE WHEN pg_catalog.jsonb_typeof(settings -> 'resources') = 'string' THEN (SELECT p.conf FROM floe.resource_preset AS p WHERE p.name = settings ->> 'resources')
				ELSE settings -> 'resources' END;
END;
COMMENT ON FUNCTION floe_internal.resource_conf(pg_catalog.jsonb) IS 'Spark settings of the session that an operation asks for; NULL: the engine''s own';

-- Inside a function that runs as its owner, current_user is not who called it. Only who may SET ROLE to a role can make this say so.
CREATE FUNCTION floe_internal.acting_role() RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(NULLIF(pg_catalog.current_setting('role'), 'none'), SESSION_USER::pg_catalog.text);
END;
COMMENT ON FUNCTION floe_internal.acting_role() IS 'The role of the session: the one of SET ROLE, else the one that logged in';

CREATE FUNCTION floe_internal.policy_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s"', NEW.name);
	-- A row that brings a time of its own comes from a dump: engines and defaults may have changed since it was saved.
	is_new bool := TG_OP = 'INSERT' AND NEW.created_at = now();
	told text;
	detail text;
	hint text;
BEGIN
	IF NEW.name IS NULL OR btrim(NEW.name) = '' OR length(NEW.name) > 200 THEN
		PERFORM floe_internal.refuse('the name of a policy must have 1 to 200 characters', NULL, NULL);
	END IF;
	IF NEW.pattern IS NULL THEN
		PERFORM floe_internal.refuse(place || ' has no pattern', NULL, 'Write which tables it is for, such as "demo.**".');
	END IF;
	BEGIN
		NEW.pattern := floe_internal.check_pattern(NEW.pattern);
	EXCEPTION WHEN invalid_parameter_value THEN
		GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		PERFORM floe_internal.refuse_at(place, told, detail, hint);
	END;
	IF length(NEW.description) > 10000 THEN
		PERFORM floe_internal.refuse(place || ': description has more than 10000 characters', NULL, NULL);
	END IF;
	PERFORM floe_internal.check_interval(NEW.poll_interval, '1 second', place || ': poll_interval');
	PERFORM floe_internal.check_interval(NEW.min_poll_interval, '1 second', place || ': min_poll_interval');
	IF NEW.min_poll_interval > NEW.poll_interval THEN
		PERFORM floe_internal.refuse(place || ': min_poll_interval is longer than poll_interval', NULL, 'poll_interval is the longest time between two looks at a table, min_poll_interval the shortest.');
	END IF;
	NEW.thresholds := floe_internal.check_thresholds(COALESCE(NEW.thresholds, '{}'), place || ': thresholds',
		is_new OR TG_OP = 'UPDATE' AND NEW.thresholds IS DISTINCT FROM OLD.thresholds);
	NEW.weights := floe_internal.check_weights(COALESCE(NEW.weights, '{}'), place || ': weights');
	NEW.valid_during := floe_internal.check_valid_during(NEW.valid_during, place || ': valid_during');
	IF NEW.score IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.score IS DISTINCT FROM OLD.score) THEN
		PERFORM floe_internal.check_score(NEW.score, place || ': score');
	END IF;
	NEW.locks := COALESCE(NEW.locks, '{}');
	IF is_new OR TG_OP = 'UPDATE' AND NEW.locks IS DISTINCT FROM OLD.locks THEN
		NEW.locks := floe_internal.check_locks(NEW.locks, place || ': locks');
	END IF;
	NEW.owner := COALESCE(NEW.owner, CASE WHEN TG_OP = 'UPDATE' THEN OLD.owner END, floe_internal.acting_role());
	IF NEW.engine IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.engine IS DISTINCT FROM OLD.engine) THEN
		PERFORM floe_internal.check_engine_name(NEW.engine, place || ': engine');
	END IF;
	IF NEW.fallback_engines IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.fallback_engines IS DISTINCT FROM OLD.fallback_engines) THEN
		PERFORM floe_internal.check_fallback(NEW.fallback_engines, place || ': fallback_engines');
	END IF;
	PERFORM floe_internal.check_interval(NEW.fallback_after, '0', place || ': fallback_after');
	IF is_new THEN
		PERFORM floe_internal.check_approved(array_remove(NEW.engine || NEW.fallback_engines, NULL), NEW.pattern, place);
	ELSIF TG_OP = 'UPDATE' AND (NEW.engine, NEW.fallback_engines, NEW.pattern) IS DISTINCT FROM (OLD.engine, OLD.fallback_engines, OLD.pattern)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id = NEW.policy_id) THEN
		PERFORM floe_internal.check_approved(array_remove(NEW.engine || NEW.fallback_engines, NULL), NEW.pattern, place);
		PERFORM floe_internal.check_operation_engines(NEW, o) FROM floe.policy_operation AS o WHERE o.policy_id = NEW.policy_id ORDER BY o.operation;
	END IF;
	IF TG_OP = 'UPDATE' THEN
		IF NEW.policy_id <> OLD.policy_id THEN
			PERFORM floe_internal.refuse(place || ': policy_id cannot be changed', NULL, NULL);
		END IF;
		NEW.updated_at := floe_internal.clock();
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_before() IS 'Checks and canonicalises a row of floe.policy';

CREATE TRIGGER policy_before BEFORE INSERT OR UPDATE ON floe.policy
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_before();

-- A time zone by its name: the abbreviations and POSIX rules that PostgreSQL takes as well mean something else than people expect
-- ("UTC+3" lies west of Greenwich).
CREATE FUNCTION floe_internal.check_timezone(timezone pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_timezone_names AS z WHERE lower(z.name) = lower(timezone)) THEN
		PERFORM floe_internal.refuse(format('%s: "%s" is not a time zone', place, timezone), NULL, 'Use a name of pg_timezone_names, such as "Europe/Amsterdam".');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_timezone(pg_catalog.text, pg_catalog.text) IS 'Refuses what is not the name of a time zone';

CREATE FUNCTION floe_internal.policy_operation_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s": %s', (SELECT p.name FROM floe.policy AS p WHERE p.policy_id = CASE TG_OP WHEN 'UPDATE' THEN OLD.policy_id ELSE NEW.policy_id END), NEW.operation);
	is_new bool := TG_OP = 'INSERT' AND NEW.schedule_set_at = now();	-- otherwise it comes from a dump
	field text;
	told text;
	detail text;
	hint text;
BEGIN
	IF TG_OP = 'UPDATE' AND NEW.policy_id <> OLD.policy_id THEN
		PERFORM floe_internal.refuse(place || ': policy_id cannot be changed', NULL, NULL);
	END IF;
	IF NOT EXISTS (SELECT 1 FROM floe_internal.operation_kind AS k WHERE k.operation = NEW.operation) THEN
		PERFORM floe_internal.check_operations(ARRAY[NEW.operation]);
	END IF;
	PERFORM floe_internal.check_interval(NEW.every, '1 minute', place || '.every'), floe_internal.check_interval(NEW.jitter, '0', place || '.jitter'),
		floe_internal.check_interval(NEW.min_interval, '0', place || '.min_interval'), floe_internal.check_interval(NEW.deadline, '1 minute', place || '.deadline'),
		floe_internal.check_interval(NEW.timeout, '1 minute', place || '.timeout');
	PERFORM floe_internal.check_interval(NEW.slice_time, '1 minute', place || '.slice_time'), floe_internal.check_interval(NEW.quiet_period, '0', place || '.quiet_period');
	IF NEW.slice_bytes <= 0 THEN
		PERFORM floe_internal.refuse(format('%s.slice_bytes: %s is not above 0', place, NEW.slice_bytes), NULL, NULL);
	END IF;
	IF NEW.operation <> 'rewrite_data_files' AND num_nonnulls(NEW.slice_bytes, NEW.slice_time, NEW.quiet_period) > 0 THEN
		PERFORM floe_internal.refuse(place || ': slice_bytes, slice_time and quiet_period are for rewrite_data_files', NULL, NULL);
	END IF;
	IF NEW.max_attempts NOT BETWEEN 1 AND 100 THEN
		PERFORM floe_internal.refuse(format('%s.max_attempts: %s is not from 1 to 100', place, NEW.max_attempts), NULL, NULL);
	END IF;
	IF NEW.timezone IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.timezone IS DISTINCT FROM OLD.timezone) THEN
		PERFORM floe_internal.check_timezone(NEW.timezone, place || '.timezone');
	END IF;
	IF NEW.schedule IS NOT NULL AND NEW.every IS NOT NULL THEN
		PERFORM floe_internal.refuse(place || ' has both "schedule" and "every"', NULL, 'Keep one of them.');
	END IF;
	IF NEW.deadline < NEW.min_interval THEN
		PERFORM floe_internal.refuse(format('%s: deadline %s is shorter than min_interval %s', place, NEW.deadline, NEW.min_interval), NULL, NULL);
	END IF;
	IF NEW.conditions IS NOT NULL THEN
		NEW.conditions := floe_internal.check_conditions(NEW.conditions, place || '.when');
	END IF;
	IF NEW.engine IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.engine IS DISTINCT FROM OLD.engine) THEN
		PERFORM floe_internal.check_engine_name(NEW.engine, place || '.engine');
	END IF;
	IF NEW.resources IS NOT NULL AND (is_new OR TG_OP = 'UPDATE') THEN
		NEW.resources := floe_internal.check_resources(NEW.resources, COALESCE(NEW.engine, (SELECT p.engine FROM floe.policy AS p WHERE p.policy_id = NEW.policy_id)), place || '.resources');
	END IF;
	IF NEW.fallback_engines IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.fallback_engines IS DISTINCT FROM OLD.fallback_engines) THEN
		PERFORM floe_internal.check_fallback(NEW.fallback_engines, place || '.fallback_engines');
	END IF;
	PERFORM floe_internal.check_interval(NEW.fallback_after, '0', place || '.fallback_after');
	BEGIN
		field := '.schedule';
		IF NEW.schedule IS NOT NULL AND floe_internal.cron_next(NEW.schedule, COALESCE(NEW.timezone, 'UTC'), floe_internal.clock()) IS NULL THEN
			PERFORM floe_internal.refuse(format('"%s" never happens', NEW.schedule), NULL, NULL);
		END IF;
		field := '.windows';
		PERFORM floe_internal.window_next(NEW.windows, NULL, 'UTC', floe_internal.clock());
		field := '.days';
		PERFORM floe_internal.window_next(NULL, NEW.days, 'UTC', floe_internal.clock());
		field := '';
		IF (NEW.windows IS NOT NULL OR NEW.days IS NOT NULL) AND
		   floe_internal.window_next(NEW.windows, NEW.days, COALESCE(NEW.timezone, 'UTC'), floe_internal.clock()) IS NULL THEN
			PERFORM floe_internal.refuse('windows and days leave no time to start', NULL, NULL);
		END IF;
		field := '.options';
		NEW.options := floe_internal.check_options(NEW.operation, COALESCE(NEW.options, '{}'));
	EXCEPTION WHEN invalid_parameter_value THEN
		GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		PERFORM floe_internal.refuse_at(place || field, told, detail, hint);
	END;
	IF (is_new OR TG_OP = 'UPDATE' AND (NEW.operation, NEW.engine, NEW.fallback_engines, NEW.options, NEW.is_enabled) IS DISTINCT FROM (OLD.operation, OLD.engine, OLD.fallback_engines, OLD.options, OLD.is_enabled))
	   AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id = NEW.policy_id) THEN
		PERFORM floe_internal.check_operation_engines(p, NEW) FROM floe.policy AS p WHERE p.policy_id = NEW.policy_id;
	END IF;
	IF is_new OR TG_OP = 'UPDATE' AND (NEW.schedule, NEW.every, NEW.timezone, NEW.jitter) IS DISTINCT FROM (OLD.schedule, OLD.every, OLD.timezone, OLD.jitter) THEN
		NEW.schedule_set_at := floe_internal.clock();
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_operation_before() IS 'Checks and canonicalises a row of floe.policy_operation';

CREATE TRIGGER policy_operation_before BEFORE INSERT OR UPDATE ON floe.policy_operation
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_operation_before();

-- TRUNCATE would pass by the triggers on rows, which keep history and the tables' settings.
CREATE FUNCTION floe_internal.refuse_truncate() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.refuse('policies are not truncated', NULL, 'Use DELETE, or floe.drop_policy().', '0A000');
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.refuse_truncate() IS 'Trigger: refuses TRUNCATE';

CREATE TRIGGER policy_truncate BEFORE TRUNCATE ON floe.policy
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.refuse_truncate();
CREATE TRIGGER policy_operation_truncate BEFORE TRUNCATE ON floe.policy_operation
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.refuse_truncate();

-- =================================================================================================
-- 42 policies: documents
-- {"name": …, "pattern": …, <policy keys>, "<operation>": {<operation keys>}} in and out. null in a
-- change means "no longer set by this policy".
-- =================================================================================================

CREATE FUNCTION floe_internal.check_policy_keys(document pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	stray text;
	operation text;
BEGIN
	IF jsonb_typeof(document) IS DISTINCT FROM 'object' THEN
		PERFORM floe_internal.refuse(place || ': the document must be a JSON object', NULL, NULL);
	END IF;
	IF length(document::text) > 262144 THEN
		PERFORM floe_internal.refuse(place || ': the document is larger than 256 kB', NULL, NULL);
	END IF;
	SELECT k INTO stray FROM jsonb_object_keys(document) AS k
		WHERE k NOT IN ('name', 'pattern', 'exclude', 'owner')
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_key AS p WHERE p.scope = 'policy' AND p.key = k)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_kind AS o WHERE o.operation = k)
		ORDER BY k LIMIT 1;
	IF stray IS NOT NULL THEN
		PERFORM floe_internal.refuse(format('%s: unknown key "%s"', place, stray), NULL,
			'Valid keys are: name, pattern, exclude, ' ||
			(SELECT string_agg(p.key, ', ' ORDER BY p.position) FROM floe_internal.policy_key AS p WHERE p.scope = 'policy') ||
			', and the operations ' || (SELECT string_agg(o.operation, ', ' ORDER BY o.position) FROM floe_internal.operation_kind AS o) || '.');
	END IF;
	FOR operation IN SELECT o.operation FROM floe_internal.operation_kind AS o WHERE document ? o.operation ORDER BY o.position
	LOOP
		IF jsonb_typeof(document -> operation) NOT IN ('object', 'null') THEN
			PERFORM floe_internal.refuse(format('%s: "%s" must be an object', place, operation), NULL, 'An empty object {} switches the operation on with defaults.');
		END IF;
		CONTINUE WHEN jsonb_typeof(document -> operation) = 'null';
		SELECT k INTO stray FROM jsonb_object_keys(document -> operation) AS k
			WHERE NOT EXISTS (SELECT 1 FROM floe_internal.policy_key AS p WHERE p.scope = 'operation' AND p.key = k)
			ORDER BY k LIMIT 1;
		IF stray IS NOT NULL THEN
			PERFORM floe_internal.refuse(format('%s: unknown key "%s" in "%s"', place, stray, operation), NULL,
				'Valid keys are: ' || (SELECT string_agg(p.key, ', ' ORDER BY p.position) FROM floe_internal.policy_key AS p WHERE p.scope = 'operation') || '.');
		END IF;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_keys(pg_catalog.jsonb, pg_catalog.text) IS 'Refuses keys that a policy document does not have, listing those it has';

-- A time that does not say its zone is one of UTC, whoever saves it.
CREATE FUNCTION floe_internal.time_range_from(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
AS $body$
BEGIN
	IF jsonb_typeof(value) = 'string' THEN
		RETURN (value #>> '{}')::tstzrange::text;
	ELSIF jsonb_typeof(value) = 'array' AND jsonb_array_length(value) = 2 AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(value) AS e WHERE jsonb_typeof(e) NOT IN ('string', 'null')) THEN
		RETURN tstzrange((value ->> 0)::timestamptz, (value ->> 1)::timestamptz, '[)')::text;
	END IF;
	RAISE EXCEPTION 'no range' USING ERRCODE = 'invalid_text_representation';
EXCEPTION WHEN data_exception THEN
	PERFORM floe_internal.refuse(format('%s must be the beginning and the end of a time, not %s', place, left(value::text, 100)), NULL,
		'Write ["2026-11-24 00:00 Europe/Amsterdam", "2026-12-02 00:00 Europe/Amsterdam"]; null for an end that is open. Without a zone it is UTC.');
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.time_range_from(pg_catalog.jsonb, pg_catalog.text) IS 'Text of a tstzrange from one, or from a list of its beginning and end';

-- One value of a document as jsonb in the form jsonb_populate_record() turns into the column.
CREATE FUNCTION floe_internal.policy_value(value pg_catalog.jsonb, value_type pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	kind text := jsonb_typeof(value);
	shown text := left(value::text, 100);
BEGIN
	IF kind = 'null' THEN
		RETURN value;
	END IF;
	CASE value_type
		WHEN 'boolean' THEN
			IF kind <> 'boolean' THEN
				PERFORM floe_internal.refuse(format('%s must be true or false, not %s', place, shown), NULL, NULL);
			END IF;
		WHEN 'integer' THEN
			IF kind <> 'number' OR (value #>> '{}')::numeric <> trunc((value #>> '{}')::numeric) OR abs((value #>> '{}')::numeric) > 1000000000 THEN
				PERFORM floe_internal.refuse(format('%s must be a whole number, not %s', place, shown), NULL, NULL);
			END IF;
			RETURN to_jsonb((value #>> '{}')::numeric::int4);	-- 1.0 is 1
		WHEN 'interval' THEN
			IF kind <> 'string' THEN
				PERFORM floe_internal.refuse(format('%s must be an interval, not %s', place, shown), NULL, 'Write a text such as "6 hours" or "PT6H".');
			END IF;
			RETURN to_jsonb(floe_internal.interval_from(value #>> '{}', place));
		WHEN 'text' THEN
			IF kind <> 'string' THEN
				PERFORM floe_internal.refuse(format('%s must be a text, not %s', place, shown), NULL, NULL);
			END IF;
		WHEN 'text list' THEN
			IF kind = 'string' THEN
				RETURN jsonb_build_array(value);
			END IF;
			IF kind <> 'array' OR EXISTS (SELECT 1 FROM jsonb_array_elements(value) AS e WHERE jsonb_typeof(e) <> 'string') THEN
				PERFORM floe_internal.refuse(format('%s must be a list of texts, not %s', place, shown), NULL, NULL);
			END IF;
		WHEN 'bytes' THEN
			IF kind = 'number' AND (value #>> '{}')::numeric BETWEEN -1e15 AND 1e15 THEN
				RETURN to_jsonb(trunc((value #>> '{}')::numeric)::int8);
			END IF;
			BEGIN
				IF kind = 'string' THEN
					RETURN to_jsonb(pg_size_bytes(value #>> '{}'));
				END IF;
			EXCEPTION WHEN invalid_parameter_value OR numeric_value_out_of_range THEN
				NULL;
			END;
			PERFORM floe_internal.refuse(format('%s must be a size, not %s', place, shown), NULL, 'Write a number of bytes or a text such as "50 GB".');
		WHEN 'time range' THEN
			RETURN to_jsonb(floe_internal.time_range_from(value, place));
		WHEN 'object', 'preset' THEN
			NULL;	-- checked where it is saved, with messages that know the content
	END CASE;
	RETURN value;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_value(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'Checks the JSON type of one value of a policy document';

-- The part of a document that belongs to one row, by column name.
CREATE FUNCTION floe_internal.policy_columns(part pg_catalog.jsonb, part_scope pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.jsonb_object_agg(k.column_name, floe_internal.policy_value(part -> k.key, k.value_type, place || CASE part_scope WHEN 'policy' THEN ': ' ELSE '.' END || k.key)), '{}')
	FROM floe_internal.policy_key AS k
	WHERE k.scope = part_scope AND part ? k.key;
END;
COMMENT ON FUNCTION floe_internal.policy_columns(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'Document keys to column names, values checked';

CREATE FUNCTION floe_internal.option_name(of_operation pg_catalog.text, given pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT COALESCE((SELECT o.option FROM floe_internal.engine_options() AS o
					 WHERE o.operation = of_operation AND (o.option = given OR given = ANY (o.aliases)) LIMIT 1), given);
END;
COMMENT ON FUNCTION floe_internal.option_name(pg_catalog.text, pg_catalog.text) IS 'Canonical name of an option given by name or alias';

CREATE FUNCTION floe_internal.save_operations(saved_policy_id pg_catalog.int4, document pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	kind floe_internal.operation_kind;
	old_row floe.policy_operation;
	new_row floe.policy_operation;
	columns jsonb;
	stray text;
BEGIN
	FOR kind IN SELECT * FROM floe_internal.operation_kind AS o WHERE document ? o.operation ORDER BY o.position
	LOOP
		IF jsonb_typeof(document -> kind.operation) = 'null' THEN
			DELETE FROM floe.policy_operation AS o WHERE o.policy_id = saved_policy_id AND o.operation = kind.operation;
			CONTINUE;
		END IF;
		columns := floe_internal.policy_columns(document -> kind.operation, 'operation', place || ': ' || kind.operation);
		SELECT * INTO old_row FROM floe.policy_operation AS o WHERE o.policy_id = saved_policy_id AND o.operation = kind.operation;
		IF FOUND THEN
			-- "schedule" and "every" replace each other
			IF columns ->> 'schedule' IS NOT NULL AND NOT columns ? 'every' THEN
				columns := columns || '{"every": null}';
			ELSIF columns ->> 'every' IS NOT NULL AND NOT columns ? 'schedule' THEN
				columns := columns || '{"schedule": null}';
			END IF;
			IF jsonb_typeof(columns -> 'options') = 'object' THEN
				-- options merge one by one, an alias replaces its canonical name, null takes one away; the row's trigger checks what comes of it
				SELECT e.key INTO stray FROM jsonb_each(columns -> 'options') AS e
					WHERE e.value = 'null' AND NOT EXISTS (SELECT 1 FROM floe_internal.engine_options() AS o WHERE o.operation = kind.operation AND (o.option = e.key OR e.key = ANY (o.aliases)));
				IF FOUND THEN
					PERFORM floe_internal.refuse(format('%s: %s.options: %s has no option "%s"', place, kind.operation, kind.operation, stray), NULL,
						'Valid options are: ' || (SELECT string_agg(v.option, ', ' ORDER BY v.place)
							FROM (SELECT o.option, min(o.place) AS place FROM floe_internal.engine_options() WITH ORDINALITY AS o (engine_type, operation, option, aliases, engine_name, placement,
								value_type, minimum, maximum, allowed, default_value, description, place) WHERE o.operation = kind.operation GROUP BY o.option) AS v) || '.');
				END IF;
				columns := columns || jsonb_build_object('options',
					old_row.options - ARRAY(SELECT floe_internal.option_name(kind.operation, e.key) FROM jsonb_each(columns -> 'options') AS e)
					|| COALESCE((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(columns -> 'options') AS e WHERE e.value <> 'null'), '{}'));
			ELSIF columns -> 'options' = 'null' THEN
				columns := columns || '{"options": {}}';
			END IF;
			new_row := jsonb_populate_record(old_row, columns);
			UPDATE floe.policy_operation AS o
				SET (is_enabled, engine, schedule, every, timezone, jitter, windows, days, min_interval, conditions, deadline, timeout, max_attempts, options, slice_bytes, slice_time, quiet_period, resources, fallback_engines, fallback_after, auto_tune) =
					(new_row.is_enabled, new_row.engine, new_row.schedule, new_row.every, new_row.timezone, new_row.jitter, new_row.windows, new_row.days,
					 new_row.min_interval, new_row.conditions, new_row.deadline, new_row.timeout, new_row.max_attempts, new_row.options,
					 new_row.slice_bytes, new_row.slice_time, new_row.quiet_period, new_row.resources, new_row.fallback_engines, new_row.fallback_after, new_row.auto_tune)
				WHERE o.policy_id = saved_policy_id AND o.operation = kind.operation;
		ELSE
			columns := columns || jsonb_build_object('options', COALESCE(NULLIF(columns -> 'options', 'null'), '{}'));
			new_row := jsonb_populate_record(NULL::floe.policy_operation, columns);
			INSERT INTO floe.policy_operation (policy_id, operation, is_enabled, engine, schedule, every, timezone, jitter, windows, days,
					min_interval, conditions, deadline, timeout, max_attempts, options, slice_bytes, slice_time, quiet_period, resources, fallback_engines, fallback_after, auto_tune)
				VALUES (saved_policy_id, kind.operation, new_row.is_enabled, new_row.engine, new_row.schedule, new_row.every, new_row.timezone,
					new_row.jitter, new_row.windows, new_row.days, new_row.min_interval, new_row.conditions, new_row.deadline, new_row.timeout,
					new_row.max_attempts, new_row.options, new_row.slice_bytes, new_row.slice_time, new_row.quiet_period, new_row.resources, new_row.fallback_engines, new_row.fallback_after, new_row.auto_tune);
		END IF;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.save_operations(pg_catalog.int4, pg_catalog.jsonb, pg_catalog.text) IS 'Writes the operations of a policy document; what it does not name stays';

CREATE FUNCTION floe_internal.pattern_with_exclusions(pattern pg_catalog.text, exclude pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	item text;
BEGIN
	IF exclude IS NULL OR jsonb_typeof(exclude) = 'null' THEN
		RETURN pattern;
	END IF;
	FOR item IN SELECT * FROM jsonb_array_elements_text(floe_internal.policy_value(exclude, 'text list', place || ': exclude'))
	LOOP
		-- a comma outside of quotes and regular expressions would begin a pattern that includes
		IF regexp_replace(item, '"([^"]|"")*"|/([^/\\]|\\.)*/', '', 'g') LIKE '%,%' THEN
			PERFORM floe_internal.refuse(format('%s: exclude: "%s" is more than one pattern', place, item), NULL, 'Write one text for each pattern: ["demo.tmp.**", "demo.db.scratch"].');
		END IF;
		pattern := pattern || ', !' || ltrim(item, '! ');
	END LOOP;
	RETURN pattern;
END
$body$;
COMMENT ON FUNCTION floe_internal.pattern_with_exclusions(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'Adds the document''s exclude list to a pattern';

-- New tables and changed policies meet in policy_match. Otherwise a table listed and a policy saved at the same time would not see
-- each other, and of two policies saved at the same time one would be missing in the lists. The lock comes before any row is locked,
-- and before the statements that read; those must then see what was committed while they waited.
CREATE FUNCTION floe_internal.lock_matches(changes_policies pg_catalog.bool) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	isolation text := current_setting('transaction_isolation');
BEGIN
	IF isolation NOT IN ('read committed', 'read uncommitted') THEN
		PERFORM floe_internal.refuse(format('policies and tables are not registered in a transaction of isolation level %s', isolation),
			'It would not see what others have registered since it began.', 'Use BEGIN ISOLATION LEVEL READ COMMITTED.', '0A000');
	END IF;
	IF changes_policies THEN
		LOCK TABLE floe_internal.policy_match IN SHARE ROW EXCLUSIVE MODE;
	ELSE
		LOCK TABLE floe_internal.policy_match IN ROW EXCLUSIVE MODE;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_matches(pg_catalog.bool) IS 'Until the commit: one change of policies at a time, and none while tables are registered';

CREATE FUNCTION floe.create_policy(name pg_catalog.text, pattern pg_catalog.text, document pg_catalog.jsonb DEFAULT '{}') RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s"', create_policy.name);
	new_row floe.policy;
	new_id int4;
	new_owner text := floe_internal.acting_role();
BEGIN
	IF create_policy.name IS NULL OR create_policy.pattern IS NULL OR document IS NULL THEN
		PERFORM floe_internal.refuse('a policy needs a name, a pattern and a document', NULL, 'For example floe.create_policy(''defaults'', ''demo.**'', ''{"engine": "spark", "rewrite_data_files": {}}'').');
	END IF;
	PERFORM floe_internal.check_policy_keys(document, place);
	PERFORM floe_internal.lock_matches(true);
	PERFORM floe_internal.check_policy_scope(create_policy.pattern, place);
	IF jsonb_typeof(document -> 'owner') <> 'null' THEN
		new_owner := floe_internal.policy_value(document -> 'owner', 'text', place || ': owner') #>> '{}';
		PERFORM floe_internal.check_new_owner(new_owner, place || ': owner');
	END IF;
	IF document ->> 'name' <> create_policy.name OR document ->> 'pattern' <> create_policy.pattern THEN
		PERFORM floe_internal.refuse(place || ': the document says another name or pattern', NULL, 'Leave "name" and "pattern" out of the document, or use floe.import_policy().');
	END IF;
	IF EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.name = create_policy.name) THEN
		RAISE EXCEPTION 'policy "%" exists already', create_policy.name
			USING ERRCODE = 'duplicate_object', HINT = 'Use floe.alter_policy() to change it.';
	END IF;
	new_row := jsonb_populate_record(NULL::floe.policy, floe_internal.policy_columns(document, 'policy', place));
	-- what is between these statements is not what anybody asked for
	INSERT INTO floe_internal.policy_change (policy_id) VALUES (0);
	INSERT INTO floe.policy (name, pattern, priority, is_enabled, description, engine, poll_interval, min_poll_interval, thresholds, weights, fallback_engines, fallback_after, valid_during, score, locks, owner)
		VALUES (create_policy.name, floe_internal.pattern_with_exclusions(create_policy.pattern, document -> 'exclude', place),
			COALESCE(new_row.priority, 0), COALESCE(new_row.is_enabled, true), new_row.description, new_row.engine, new_row.poll_interval, new_row.min_poll_interval,
			COALESCE(new_row.thresholds, '{}'), COALESCE(new_row.weights, '{}'), new_row.fallback_engines, new_row.fallback_after,
			new_row.valid_during, new_row.score, COALESCE(new_row.locks, '{}'), new_owner)
		RETURNING policy.policy_id INTO new_id;
	PERFORM floe_internal.save_operations(new_id, document, place);
	DELETE FROM floe_internal.policy_change AS c WHERE c.policy_id = 0;
	PERFORM floe_internal.check_policy_conflict(new_id);
	PERFORM floe_internal.check_policy_locks(ARRAY[new_id]);
	PERFORM floe_internal.match_policies(ARRAY[new_id]);
	RETURN new_id;
END
$body$;
COMMENT ON FUNCTION floe.create_policy(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) IS 'Makes a policy for the tables the pattern matches; returns its id. floe.export_policy() shows what was saved';

CREATE FUNCTION floe_internal.policy_by_name(wanted pg_catalog.text) RETURNS floe.policy
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result floe.policy;
BEGIN
	SELECT * INTO result FROM floe.policy AS p WHERE p.name = wanted;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', wanted
			USING ERRCODE = 'undefined_object',
				HINT = COALESCE('Policies are: ' || (SELECT string_agg(p.name, ', ' ORDER BY p.name) FROM floe.policy AS p) || '.', 'There are no policies; make one with floe.create_policy().');
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_by_name(pg_catalog.text) IS 'The policy, or error 42704 that lists those there are';

-- What a change says over what was set; null takes away.
CREATE FUNCTION floe_internal.merge_values(old_value pg_catalog.jsonb, change pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.jsonb_object_agg(m.key, m.value), '{}')
	FROM (SELECT k.key,
				 CASE WHEN NOT change ? k.key THEN old_value -> k.key
					  WHEN pg_catalog.jsonb_typeof(change -> k.key) = 'object' THEN pg_catalog.jsonb_strip_nulls(COALESCE(old_value -> k.key, '{}') || (change -> k.key))
					  ELSE change -> k.key END AS value
		  FROM pg_catalog.jsonb_object_keys(old_value || change) AS k (key)) AS m
	WHERE m.value NOT IN ('null', '{}');
END;
COMMENT ON FUNCTION floe_internal.merge_values(pg_catalog.jsonb, pg_catalog.jsonb) IS 'Thresholds or weights of a policy after a change that names some of them';

CREATE FUNCTION floe.alter_policy(name pg_catalog.text, changes pg_catalog.jsonb) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s"', alter_policy.name);
	old_row floe.policy;
	new_row floe.policy;
BEGIN
	PERFORM floe_internal.lock_matches(true);
	old_row := floe_internal.policy_by_name(alter_policy.name);
	PERFORM floe_internal.check_policy_owner(old_row);
	PERFORM floe_internal.check_policy_keys(changes, place);
	new_row := jsonb_populate_record(old_row, floe_internal.policy_columns(changes, 'policy', place));
	IF jsonb_typeof(changes -> 'thresholds') = 'object' THEN
		-- a name must be one, also to be unset
		PERFORM floe_internal.check_thresholds((SELECT COALESCE(jsonb_object_agg(t.key,
				CASE jsonb_typeof(t.value) WHEN 'object' THEN (SELECT COALESCE(jsonb_object_agg(l, 0), '{}') FROM jsonb_object_keys(t.value) AS l) ELSE '{}' END), '{}')
			FROM jsonb_each(changes -> 'thresholds') AS t), place || ': thresholds', false);
		new_row.thresholds := floe_internal.merge_values(old_row.thresholds, changes -> 'thresholds');
	END IF;
	IF jsonb_typeof(changes -> 'weights') = 'object' THEN
		PERFORM floe_internal.check_weights((SELECT COALESCE(jsonb_object_agg(k, 0), '{}') FROM jsonb_object_keys(changes -> 'weights') AS k), place || ': weights');
		new_row.weights := floe_internal.merge_values(old_row.weights, changes -> 'weights');
	END IF;
	IF jsonb_typeof(changes -> 'locks') = 'object' THEN
		-- each lock is one thing
		new_row.locks := COALESCE((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(old_row.locks || (changes -> 'locks')) AS e WHERE e.value <> 'null'), '{}');
	END IF;
	IF changes ? 'name' THEN
		new_row.name := floe_internal.policy_value(changes -> 'name', 'text', place || ': name') #>> '{}';
		IF EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.name = new_row.name AND p.policy_id <> old_row.policy_id) THEN
			RAISE EXCEPTION 'policy "%" exists already', new_row.name USING ERRCODE = 'duplicate_object';
		END IF;
	END IF;
	IF changes ? 'pattern' THEN
		new_row.pattern := floe_internal.policy_value(changes -> 'pattern', 'text', place || ': pattern') #>> '{}';
		PERFORM floe_internal.check_policy_scope(new_row.pattern, place);
	END IF;
	IF jsonb_typeof(changes -> 'owner') <> 'null' THEN
		new_row.owner := floe_internal.policy_value(changes -> 'owner', 'text', place || ': owner') #>> '{}';
		IF new_row.owner <> old_row.owner THEN
			PERFORM floe_internal.check_new_owner(new_row.owner, place || ': owner');
		END IF;
	END IF;
	-- what is between these statements is not what anybody asked for
	INSERT INTO floe_internal.policy_change (policy_id) VALUES (old_row.policy_id);
	UPDATE floe.policy AS p
		SET (name, pattern, priority, is_enabled, description, engine, poll_interval, min_poll_interval, thresholds, weights, fallback_engines, fallback_after, valid_during, score, locks, owner) =
			(new_row.name, floe_internal.pattern_with_exclusions(new_row.pattern, changes -> 'exclude', place), COALESCE(new_row.priority, 0),
			 COALESCE(new_row.is_enabled, true), new_row.description, new_row.engine, new_row.poll_interval, new_row.min_poll_interval,
			 COALESCE(new_row.thresholds, '{}'), COALESCE(new_row.weights, '{}'), new_row.fallback_engines, new_row.fallback_after,
			 new_row.valid_during, new_row.score, COALESCE(new_row.locks, '{}'), new_row.owner)
		WHERE p.policy_id = old_row.policy_id;
	PERFORM floe_internal.save_operations(old_row.policy_id, changes, place);
	DELETE FROM floe_internal.policy_change AS c WHERE c.policy_id = old_row.policy_id;
	PERFORM floe_internal.check_policy_conflict(old_row.policy_id);
	PERFORM floe_internal.check_policy_locks(ARRAY[old_row.policy_id]);
	PERFORM floe_internal.check_policy_engines(old_row.policy_id, changes);
	PERFORM floe_internal.policy_altered(old_row, changes);
	RETURN old_row.policy_id;
END
$body$;
COMMENT ON FUNCTION floe.alter_policy(pg_catalog.text, pg_catalog.jsonb) IS 'Changes the fields the document names; null unsets a field, a threshold, a weight, an option or a whole operation; name and pattern can be changed too, exclude adds to the pattern';

CREATE FUNCTION floe.drop_policy(name pg_catalog.text, missing_ok pg_catalog.bool DEFAULT false) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_matches(true);
	IF NOT missing_ok THEN
		PERFORM floe_internal.policy_by_name(drop_policy.name);
	END IF;
	PERFORM floe_internal.check_policy_owner(p) FROM floe.policy AS p WHERE p.name = drop_policy.name;
	DELETE FROM floe.policy AS p WHERE p.name = drop_policy.name;
	RETURN FOUND;
END
$body$;
COMMENT ON FUNCTION floe.drop_policy(pg_catalog.text, pg_catalog.bool) IS 'Removes a policy; its history and the operations it caused stay. Returns whether there was one';

-- Intervals as PostgreSQL writes them by default, whatever IntervalStyle the session has.
CREATE FUNCTION floe_internal.policy_document(exported_policy_id pg_catalog.int4) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres' SET timezone = 'UTC' SET datestyle = 'ISO, MDY'
AS $body$
	SELECT pg_catalog.jsonb_build_object('name', p.name, 'pattern', p.pattern, 'owner', p.owner)
		|| COALESCE((SELECT pg_catalog.jsonb_object_agg(k.key, pg_catalog.to_jsonb(p) -> k.column_name)
					 FROM floe_internal.policy_key AS k
					 WHERE k.scope = 'policy' AND pg_catalog.to_jsonb(p) -> k.column_name NOT IN ('null', '{}')), '{}')
		|| COALESCE((SELECT pg_catalog.jsonb_object_agg(o.operation,
							COALESCE((SELECT pg_catalog.jsonb_object_agg(k.key, pg_catalog.to_jsonb(o) -> k.column_name)
									  FROM floe_internal.policy_key AS k
									  WHERE k.scope = 'operation' AND pg_catalog.to_jsonb(o) -> k.column_name NOT IN ('null', '{}')), '{}'))
					 FROM floe.policy_operation AS o WHERE o.policy_id = p.policy_id), '{}')
	FROM floe.policy AS p
	WHERE p.policy_id = exported_policy_id
$body$;
COMMENT ON FUNCTION floe_internal.policy_document(pg_catalog.int4) IS 'A policy as a document; NULL if there is none';

CREATE FUNCTION floe.export_policy(name pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
	SELECT floe_internal.policy_document((floe_internal.policy_by_name(export_policy.name)).policy_id);
END;
COMMENT ON FUNCTION floe.export_policy(pg_catalog.text) IS 'A policy as a document that floe.import_policy() takes';

-- The change that turns a policy into what a document says: what the document does not say is not set any more.
CREATE FUNCTION floe_internal.replacing_change(old_row floe.policy, document pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result jsonb;
	given text;
	part jsonb;
	old_options jsonb;
BEGIN
	result := (SELECT jsonb_object_agg(k, NULL) FROM (
			SELECT x.key FROM floe_internal.policy_key AS x WHERE x.scope = 'policy'
			UNION ALL SELECT o.operation FROM floe.policy_operation AS o WHERE o.policy_id = old_row.policy_id) AS keys (k)) || document;
	IF jsonb_typeof(document -> 'thresholds') = 'object' THEN
		result := result || jsonb_build_object('thresholds', (SELECT COALESCE(jsonb_object_agg(k, NULL), '{}') FROM jsonb_object_keys(old_row.thresholds) AS k)
			|| (SELECT COALESCE(jsonb_object_agg(t.key, CASE WHEN jsonb_typeof(t.value) = 'object' THEN '{"warning": null, "critical": null}'::jsonb || t.value ELSE t.value END), '{}')
				FROM jsonb_each(document -> 'thresholds') AS t));
	END IF;
	IF jsonb_typeof(document -> 'weights') = 'object' THEN
		result := result || jsonb_build_object('weights', (SELECT COALESCE(jsonb_object_agg(k, NULL), '{}') FROM jsonb_object_keys(old_row.weights) AS k) || (document -> 'weights'));
	END IF;
	IF jsonb_typeof(document -> 'locks') = 'object' THEN
		result := result || jsonb_build_object('locks', (SELECT COALESCE(jsonb_object_agg(k, NULL), '{}') FROM jsonb_object_keys(old_row.locks) AS k) || (document -> 'locks'));
	END IF;
	FOR given, part, old_options IN
		SELECT o.operation, document -> o.operation, o.options FROM floe.policy_operation AS o
		WHERE o.policy_id = old_row.policy_id AND jsonb_typeof(document -> o.operation) = 'object'
	LOOP
		result := result || jsonb_build_object(given, (SELECT jsonb_object_agg(x.key, NULL) FROM floe_internal.policy_key AS x WHERE x.scope = 'operation') || part
			|| CASE WHEN jsonb_typeof(part -> 'options') = 'object'
				THEN jsonb_build_object('options', (SELECT COALESCE(jsonb_object_agg(k, NULL), '{}') FROM jsonb_object_keys(old_options) AS k) || (part -> 'options')) ELSE '{}' END);
	END LOOP;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.replacing_change(floe.policy, pg_catalog.jsonb) IS 'A document for floe.alter_policy() that leaves nothing of the old policy';

CREATE FUNCTION floe.import_policy(document pg_catalog.jsonb) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	policy_name text;
	old_row floe.policy;
	left_out text[];
BEGIN
	IF floe_internal.is_polaris_policy(document) THEN
		SELECT p.translated, p.left_out INTO document, left_out FROM floe_internal.polaris_document(document) AS p;
		IF left_out <> '{}' THEN
			RAISE NOTICE 'policy "%": left out, as floe has nothing of the kind: %', document ->> 'name', array_to_string(left_out, ', ');
		END IF;
	END IF;
	IF jsonb_typeof(document) IS DISTINCT FROM 'object' OR jsonb_typeof(document -> 'name') IS DISTINCT FROM 'string'
		OR jsonb_typeof(document -> 'pattern') IS DISTINCT FROM 'string' THEN
		PERFORM floe_internal.refuse('a policy document needs the texts "name" and "pattern"', NULL, 'floe.export_policy() shows the form.');
	END IF;
	policy_name := document ->> 'name';
	PERFORM floe_internal.lock_matches(true);
	SELECT * INTO old_row FROM floe.policy AS p WHERE p.name = policy_name;
	IF NOT FOUND THEN
		RETURN floe.create_policy(policy_name, document ->> 'pattern', document - 'name' - 'pattern');
	END IF;
	RETURN floe.alter_policy(policy_name, floe_internal.replacing_change(old_row, document));
END
$body$;
COMMENT ON FUNCTION floe.import_policy(pg_catalog.jsonb) IS 'Makes the policy of the document, or turns the one of that name into it; returns its id. A maintenance policy as Polaris answers with it is taken, too, once it has a "pattern"';

-- =================================================================================================
-- 42 policies: owners
-- Who made a policy owns it. Its owner, the members of that role and floe_admin may change it, drop it
-- and give it away. Who owns a policy may make others for parts of its tables. Everybody else is
-- refused, by the functions and by the tables alike.
-- =================================================================================================

-- Of a role that is gone nobody is a member: only floe_admin is left.
CREATE FUNCTION floe_internal.has_role(acting pg_catalog.text, role_name pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles AS a JOIN pg_catalog.pg_roles AS r ON r.rolname IN (role_name, 'floe_admin')
		WHERE a.rolname = acting AND pg_catalog.pg_has_role(a.oid, r.oid, 'USAGE'));
END;
COMMENT ON FUNCTION floe_internal.has_role(pg_catalog.text, pg_catalog.text) IS 'Whether a role has what the other role or floe_admin has';

-- What a catalog says is applied by whoever runs the pass, whatever he may do otherwise.
CREATE FUNCTION floe_internal.is_catalog_sync() RETURNS pg_catalog.bool
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id = -1);
END
$body$;
COMMENT ON FUNCTION floe_internal.is_catalog_sync() IS 'This transaction is applying the policies of a catalog (77): a row that only it can write and see';

CREATE FUNCTION floe_internal.check_policy_owner(of_policy floe.policy) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF floe_internal.has_role(floe_internal.acting_role(), of_policy.owner) OR floe_internal.is_catalog_sync() THEN
		RETURN;
	END IF;
	RAISE EXCEPTION 'must be owner of policy "%"', of_policy.name
		USING ERRCODE = 'insufficient_privilege', DETAIL = format('It belongs to %s.', of_policy.owner),
			HINT = 'Its owner, members of that role and of floe_admin may change it.';
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_owner(floe.policy) IS 'Refuses whoever may not change a policy';

CREATE FUNCTION floe_internal.check_policy_scope(new_pattern pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	acting text := floe_internal.acting_role();
	checked text;
BEGIN
	IF floe_internal.has_role(acting, 'floe_admin') OR floe_internal.is_catalog_sync() THEN
		RETURN;
	END IF;
	BEGIN
		checked := floe_internal.check_pattern(new_pattern);
	EXCEPTION WHEN invalid_parameter_value THEN
		RETURN;	-- refused where it is saved, with the place
	END;
	IF EXISTS (SELECT 1 FROM floe.policy AS p WHERE floe_internal.has_role(acting, p.owner) AND floe_internal.pattern_covers(p.pattern, checked)) THEN
		RETURN;
	END IF;
	RAISE EXCEPTION '%: role "%" may not make policies for %', place, acting, checked
		USING ERRCODE = 'insufficient_privilege', DETAIL = COALESCE('Policies of its own are for ' || (SELECT string_agg(p.pattern, '; ' ORDER BY p.pattern) FROM floe.policy AS p WHERE floe_internal.has_role(acting, p.owner)) || '.', 'It owns no policy.'),
			HINT = 'Members of floe_admin may for all tables, others within what policies that they own are for.';
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_scope(pg_catalog.text, pg_catalog.text) IS 'Refuses a pattern beyond those of the policies that the role owns, but for floe_admin';

CREATE FUNCTION floe_internal.check_new_owner(new_owner pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = new_owner) THEN
		RAISE EXCEPTION '%: role "%" does not exist', place, new_owner USING ERRCODE = 'undefined_object';
	END IF;
	IF NOT floe_internal.has_role(floe_internal.acting_role(), new_owner) AND NOT floe_internal.is_catalog_sync() THEN
		RAISE EXCEPTION '%: must be able to SET ROLE "%"', place, new_owner
			USING ERRCODE = 'insufficient_privilege', HINT = 'A policy is given to a role that one is a member of; members of floe_admin may give it to any.';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_new_owner(pg_catalog.text, pg_catalog.text) IS 'Refuses an owner that does not exist, or that the role may not act for';

CREATE FUNCTION floe.own_policy(name pg_catalog.text, owner pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old_row floe.policy;
BEGIN
	PERFORM floe_internal.lock_matches(true);
	old_row := floe_internal.policy_by_name(own_policy.name);
	PERFORM floe_internal.check_policy_owner(old_row);
	PERFORM floe_internal.check_new_owner(own_policy.owner, format('policy "%s"', old_row.name));
	UPDATE floe.policy AS p SET owner = own_policy.owner WHERE p.policy_id = old_row.policy_id;
	RETURN old_row.policy_id;
END
$body$;
COMMENT ON FUNCTION floe.own_policy(pg_catalog.text, pg_catalog.text) IS 'Gives a policy to another role, as ALTER … OWNER TO does; returns its id';

-- Rows that people write themselves: these run as whoever does, for whom the schema floe_internal is closed. Within floe's own functions,
-- which have asked before, that is the owner of the extension.

CREATE FUNCTION floe_internal.policy_allowed() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	is_admin bool := pg_has_role(current_user, 'floe_admin', 'USAGE');
	of_owner text := CASE TG_OP WHEN 'INSERT' THEN COALESCE(NEW.owner, current_user) ELSE OLD.owner END;
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF NOT is_admin THEN
			RAISE EXCEPTION 'policy "%": only members of floe_admin insert policies', NEW.name
				USING ERRCODE = 'insufficient_privilege', HINT = 'floe.create_policy() makes policies within what policies of one''s own are for.';
		END IF;
	ELSIF NOT is_admin AND NOT EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = of_owner AND pg_has_role(r.oid, 'USAGE')) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', OLD.name
			USING ERRCODE = 'insufficient_privilege', DETAIL = format('It belongs to %s.', of_owner), HINT = 'Its owner, members of that role and of floe_admin may change it.';
	ELSIF TG_OP = 'UPDATE' AND NOT is_admin AND (NEW.pattern, NEW.owner) IS DISTINCT FROM (OLD.pattern, OLD.owner) THEN
		RAISE EXCEPTION 'policy "%": only members of floe_admin update pattern and owner', OLD.name
			USING ERRCODE = 'insufficient_privilege', HINT = 'Use floe.alter_policy() or floe.own_policy().';
	END IF;
	-- one that is gone comes with a dump, or is the owner still
	IF TG_OP = 'UPDATE' AND NEW.owner IS DISTINCT FROM OLD.owner AND NOT EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = NEW.owner) THEN
		RAISE EXCEPTION 'policy "%": role "%" does not exist', OLD.name, NEW.owner USING ERRCODE = 'undefined_object';
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_allowed() IS 'Trigger: who may write a row of floe.policy';

CREATE TRIGGER policy_allowed BEFORE INSERT OR UPDATE OR DELETE ON floe.policy
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_allowed();

CREATE FUNCTION floe_internal.policy_operation_allowed() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	p record;
BEGIN
	IF NOT pg_has_role(current_user, 'floe_admin', 'USAGE') THEN
		SELECT x.name, x.owner INTO p FROM floe.policy AS x WHERE x.policy_id = CASE TG_OP WHEN 'INSERT' THEN NEW.policy_id ELSE OLD.policy_id END;
		IF NOT EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = p.owner AND pg_has_role(r.oid, 'USAGE')) THEN
			RAISE EXCEPTION 'must be owner of policy "%"', p.name
				USING ERRCODE = 'insufficient_privilege', DETAIL = format('It belongs to %s.', p.owner), HINT = 'Its owner, members of that role and of floe_admin may change it.';
		END IF;
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_operation_allowed() IS 'Trigger: who may write a row of floe.policy_operation';

CREATE TRIGGER policy_operation_allowed BEFORE INSERT OR UPDATE OR DELETE ON floe.policy_operation
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_operation_allowed();
-- =================================================================================================
-- 42 policies: what each sets
-- The rows of 40 as one row per field: what resolution (43) chooses among and locks (43) hold against.
-- =================================================================================================

-- What one policy sets, one row per field. operation '' is the policy as a whole. A policy's own engine
-- stands for each operation, so that it competes with other policies' operation engines.
CREATE VIEW floe_internal.policy_setting AS
	SELECT p.policy_id, o.operation, v.setting, v.value
	FROM floe.policy AS p
	JOIN floe.policy_operation AS o USING (policy_id)
	CROSS JOIN LATERAL (VALUES
		('configured', pg_catalog.to_jsonb(true)),
		('enabled', pg_catalog.to_jsonb(o.is_enabled)),
		('schedule', CASE WHEN o.schedule IS NOT NULL THEN pg_catalog.jsonb_build_object('cron', o.schedule)
						  WHEN o.every IS NOT NULL THEN pg_catalog.jsonb_build_object('every', o.every) END),
		('timezone', pg_catalog.to_jsonb(o.timezone)),
		('jitter', pg_catalog.to_jsonb(o.jitter)),
		('windows', pg_catalog.to_jsonb(o.windows)),
		('days', pg_catalog.to_jsonb(o.days)),
		('min_interval', pg_catalog.to_jsonb(o.min_interval)),
		('conditions', o.conditions),
		('deadline', pg_catalog.to_jsonb(o.deadline)),
		('timeout', pg_catalog.to_jsonb(o.timeout)),
		('max_attempts', pg_catalog.to_jsonb(o.max_attempts)),
		('slice_bytes', pg_catalog.to_jsonb(o.slice_bytes)),
		('slice_time', pg_catalog.to_jsonb(o.slice_time)),
		('quiet_period', pg_catalog.to_jsonb(o.quiet_period)),
		('auto_tune', pg_catalog.to_jsonb(o.auto_tune)),
		('resources', o.resources)) AS v (setting, value)
	WHERE v.value IS NOT NULL
	UNION ALL
	SELECT p.policy_id, k.operation, 'engine', pg_catalog.to_jsonb(COALESCE(o.engine, p.engine))
	FROM floe.policy AS p
	CROSS JOIN floe_internal.operation_kind AS k
	LEFT JOIN floe.policy_operation AS o ON o.policy_id = p.policy_id AND o.operation = k.operation
	WHERE COALESCE(o.engine, p.engine) IS NOT NULL
	UNION ALL
	SELECT p.policy_id, k.operation, v.setting, v.value
	FROM floe.policy AS p
	CROSS JOIN floe_internal.operation_kind AS k
	LEFT JOIN floe.policy_operation AS o ON o.policy_id = p.policy_id AND o.operation = k.operation
	CROSS JOIN LATERAL (VALUES ('fallback_engines', pg_catalog.to_jsonb(COALESCE(o.fallback_engines, p.fallback_engines))),
		('fallback_after', pg_catalog.to_jsonb(COALESCE(o.fallback_after, p.fallback_after)))) AS v (setting, value)
	WHERE v.value IS NOT NULL
	UNION ALL
	SELECT o.policy_id, o.operation, 'options.' || e.key, e.value
	FROM floe.policy_operation AS o
	CROSS JOIN LATERAL pg_catalog.jsonb_each(o.options) AS e
	UNION ALL
	SELECT p.policy_id, '', 'poll_interval', pg_catalog.to_jsonb(p.poll_interval)
	FROM floe.policy AS p WHERE p.poll_interval IS NOT NULL
	UNION ALL
	SELECT p.policy_id, '', 'min_poll_interval', pg_catalog.to_jsonb(p.min_poll_interval)
	FROM floe.policy AS p WHERE p.min_poll_interval IS NOT NULL
	UNION ALL
	SELECT p.policy_id, '', 'score', pg_catalog.to_jsonb(p.score)
	FROM floe.policy AS p WHERE p.score IS NOT NULL
	UNION ALL
	SELECT p.policy_id, '', 'thresholds.' || m.key || '.' || l.key, l.value
	FROM floe.policy AS p
	CROSS JOIN LATERAL pg_catalog.jsonb_each(p.thresholds) AS m
	CROSS JOIN LATERAL pg_catalog.jsonb_each(m.value) AS l
	UNION ALL
	SELECT p.policy_id, '', 'weights.' || w.key, w.value
	FROM floe.policy AS p
	CROSS JOIN LATERAL pg_catalog.jsonb_each(p.weights) AS w;
COMMENT ON VIEW floe_internal.policy_setting IS 'Fields that each policy sets, one row a field';
-- =================================================================================================
-- 43 policies: locks
-- A policy can lock fields for all that is below it: {"expire_snapshots.options.max_snapshot_age":
-- {"min": "3 days"}}. Below are table properties, floe's defaults and every policy that is not above it;
-- above is a policy whose pattern covers the other's and is broader, or is as broad with more priority.
-- A policy that its lock reaches as the texts show is refused when either is saved. Where patterns only
-- overlap, and for what catalogs and tables say themselves, the resolution holds the value.
-- =================================================================================================

-- Which setting a lock is about, and what its values are like.
CREATE FUNCTION floe_internal.lock_target(key pg_catalog.text, place pg_catalog.text,
		OUT operation pg_catalog.text, OUT setting pg_catalog.text, OUT kind pg_catalog.text)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	field text := substr(key, strpos(key, '.') + 1);
	wanted text;
BEGIN
	operation := CASE WHEN strpos(key, '.') > 0 THEN split_part(key, '.', 1) ELSE '' END;
	IF key IN ('engine', 'fallback_engines', 'fallback_after') THEN
		operation := '*';
	END IF;
	IF operation = 'thresholds' AND field ~ '^[a-z_]+\.(warning|critical)$' THEN
		PERFORM floe_internal.metric_number(split_part(field, '.', 1), '0', place);
		operation := ''; setting := key; kind := 'number';
	ELSIF operation = 'weights' THEN
		PERFORM floe_internal.check_weights(jsonb_build_object(field, 0), place);
		operation := ''; setting := key; kind := 'number';
	ELSIF operation = '' AND field IN ('poll_interval', 'min_poll_interval', 'score') THEN
		setting := field; kind := CASE field WHEN 'score' THEN 'text' ELSE 'interval' END;
	ELSIF operation = '*' OR EXISTS (SELECT 1 FROM floe_internal.operation_kind AS k WHERE k.operation = lock_target.operation) THEN
		IF field LIKE 'options.%' AND operation <> '*' THEN
			wanted := translate(floe_internal.option_name(operation, substr(field, 9)), '-.', '__');
			setting := 'options.' || wanted;
			kind := (SELECT CASE WHEN o.value_type IN ('count', 'bytes', 'ratio') THEN 'number' WHEN o.value_type = 'boolean' THEN 'boolean' WHEN o.value_type IN ('age', 'duration') THEN 'interval' ELSE 'text' END
				FROM floe_internal.engine_options() AS o WHERE o.operation = lock_target.operation AND o.option = wanted LIMIT 1);
			IF kind IS NULL THEN
				PERFORM floe_internal.refuse(format('%s: %s has no option "%s"', place, operation, substr(field, 9)), NULL,
					'Valid options are: ' || (SELECT string_agg(DISTINCT o.option, ', ' ORDER BY o.option) FROM floe_internal.engine_options() AS o WHERE o.operation = lock_target.operation) || '.');
			END IF;
		ELSE
			SELECT CASE k.key WHEN 'every' THEN 'schedule' WHEN 'when' THEN 'conditions' ELSE k.key END,
				   CASE WHEN k.key IN ('every', 'schedule') THEN 'schedule' WHEN k.value_type = 'text list' THEN 'list' WHEN k.value_type IN ('integer', 'bytes') THEN 'number'
						WHEN k.value_type IN ('boolean', 'interval', 'text') THEN k.value_type ELSE 'object' END
			INTO setting, kind FROM floe_internal.policy_key AS k WHERE k.scope = 'operation' AND k.key = field AND field <> 'options';
		END IF;
	END IF;
	IF kind IS NULL THEN
		PERFORM floe_internal.refuse(format('%s: there is nothing to lock', place), NULL,
			'Name a field as "<operation>.<key>", "<operation>.options.<option>", "*.<key>" for all operations, "engine", "poll_interval", "min_poll_interval", "score", "thresholds.<metric>.<level>" or "weights.<term>".');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_target(pg_catalog.text, pg_catalog.text) IS 'Operation ("*": all, "": none) and setting that a lock names, and the kind of its values';

-- A value as the setting has it, from how a document would have it.
CREATE FUNCTION floe_internal.lock_value(key pg_catalog.text, operation pg_catalog.text, setting pg_catalog.text, value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $body$
DECLARE
	result jsonb;
	told text;
	detail text;
	hint text;
BEGIN
	IF setting LIKE 'options.%' THEN
		BEGIN
			-- an option may need another beside it, which is not the lock's business
			result := floe_internal.check_options(operation, jsonb_build_object(substr(setting, 9), value)) -> substr(setting, 9);
		EXCEPTION WHEN invalid_parameter_value THEN
			GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			PERFORM floe_internal.refuse_at(place, told, detail, hint);
		END;
	ELSIF setting LIKE 'thresholds.%' THEN
		result := to_jsonb(floe_internal.metric_number(split_part(setting, '.', 2), value, place));
	ELSIF setting LIKE 'weights.%' THEN
		result := floe_internal.check_weights(jsonb_build_object(substr(setting, 9), value), place) -> substr(setting, 9);
	ELSIF setting = 'conditions' THEN
		result := floe_internal.check_conditions(value, place);
	ELSIF key LIKE '%.schedule' THEN
		IF jsonb_typeof(value) <> 'string' OR floe_internal.cron_next(value #>> '{}', 'UTC', '2024-01-01 00:00+00') IS NULL THEN
			PERFORM floe_internal.refuse(format('%s: %s never happens', place, left(value::text, 100)), NULL, NULL);
		END IF;
		result := value;
	ELSE
		result := floe_internal.policy_value(value, (SELECT CASE k.value_type WHEN 'preset' THEN 'text' ELSE k.value_type END FROM floe_internal.policy_key AS k
			WHERE k.key = CASE WHEN setting = 'schedule' THEN 'every' ELSE setting END ORDER BY k.scope LIMIT 1), place);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_value(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'A value in a lock as the setting would have it, checked';

CREATE FUNCTION floe_internal.check_lock(key pg_catalog.text, rule pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
DECLARE
	forms CONSTANT text := 'Write {"fixed": true}, {"is": value}, {"min": value, "max": value} or {"in": [values]}.';
	target record;
	stray text;
	bound text;
	given jsonb;
	result jsonb := jsonb '{}';
BEGIN
	SELECT * INTO target FROM floe_internal.lock_target(key, place);
	IF jsonb_typeof(rule) <> 'object' THEN
		PERFORM floe_internal.refuse(format('%s must be an object, not %s', place, left(rule::text, 100)), NULL, forms);
	END IF;
	SELECT k INTO stray FROM jsonb_object_keys(rule) AS k WHERE k NOT IN ('fixed', 'is', 'min', 'max', 'in') LIMIT 1;
	IF stray IS NOT NULL OR rule = '{}' OR (SELECT count(DISTINCT CASE k WHEN 'max' THEN 'min' ELSE k END) FROM jsonb_object_keys(rule) AS k) > 1 THEN
		PERFORM floe_internal.refuse(CASE WHEN stray IS NOT NULL THEN format('%s: unknown key "%s"', place, stray) ELSE format('%s must say one thing, not %s', place, left(rule::text, 100)) END, NULL, forms);
	END IF;
	IF rule ? 'fixed' THEN
		IF rule -> 'fixed' <> 'true' THEN
			PERFORM floe_internal.refuse(place || ': fixed can only be true', NULL, 'null instead of the lock takes it away.');
		END IF;
		RETURN rule;
	END IF;
	IF rule ? 'is' THEN
		RETURN jsonb_build_object('is', floe_internal.lock_value(key, target.operation, target.setting, rule -> 'is', place || '.is'));
	END IF;
	IF rule ? 'in' THEN
		IF target.kind NOT IN ('text', 'list') OR jsonb_typeof(rule -> 'in') <> 'array' OR rule -> 'in' = '[]'
		   OR EXISTS (SELECT 1 FROM jsonb_array_elements(rule -> 'in') AS e WHERE jsonb_typeof(e) <> 'string') THEN
			PERFORM floe_internal.refuse(format('%s.in: a list of at least one text, for a field that holds texts', place), NULL, NULL);
		END IF;
		RETURN rule;
	END IF;
	IF target.kind NOT IN ('number', 'interval', 'schedule') THEN
		PERFORM floe_internal.refuse(format('%s: %s has no least or greatest value', place, key), NULL, 'Write {"fixed": true}, {"is": value} or {"in": [values]}.');
	END IF;
	FOR bound, given IN SELECT * FROM jsonb_each(rule)
	LOOP
		result := result || jsonb_build_object(bound, CASE WHEN target.kind = 'schedule'
			THEN to_jsonb(floe_internal.interval_from(CASE jsonb_typeof(given) WHEN 'string' THEN given #>> '{}' ELSE given::text END, place || '.' || bound))
			ELSE floe_internal.lock_value(key, target.operation, target.setting, given, place || '.' || bound) END);
	END LOOP;
	IF floe_internal.lock_number(target.kind, result -> 'min') > floe_internal.lock_number(target.kind, result -> 'max') THEN
		PERFORM floe_internal.refuse(format('%s: min %s is above max %s', place, result ->> 'min', result ->> 'max'), NULL, NULL);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_lock(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'One lock in its canonical form';

CREATE FUNCTION floe_internal.check_locks(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF jsonb_typeof(value) <> 'object' THEN
		PERFORM floe_internal.refuse(format('%s must be an object', place), NULL, 'For example {"expire_snapshots.options.max_snapshot_age": {"min": "3 days"}}.');
	END IF;
	RETURN (SELECT COALESCE(jsonb_object_agg(CASE WHEN t.setting LIKE 'options.%' THEN t.operation || '.' || t.setting ELSE e.key END, floe_internal.check_lock(e.key, e.value, format('%s.%s', place, e.key))), '{}')
		FROM jsonb_each(value) AS e CROSS JOIN LATERAL floe_internal.lock_target(e.key, format('%s.%s', place, e.key)) AS t);
END
$body$;
COMMENT ON FUNCTION floe_internal.check_locks(pg_catalog.jsonb, pg_catalog.text) IS 'Locks of a policy, values checked as those of the fields are';

CREATE FUNCTION floe_internal.lock_number(kind pg_catalog.text, value pg_catalog.jsonb) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN kind IN ('interval', 'schedule') THEN EXTRACT(epoch FROM (value #>> '{}')::pg_catalog.interval)::pg_catalog.float8 ELSE (value #>> '{}')::pg_catalog.float8 END;
END;
COMMENT ON FUNCTION floe_internal.lock_number(pg_catalog.text, pg_catalog.jsonb) IS 'A number or an interval, for comparing';

-- Of a cron expression 64 times are looked at, in UTC: an hour more or less when clocks change does not count.
CREATE FUNCTION floe_internal.schedule_gap(schedule pg_catalog.jsonb, OUT shortest pg_catalog.float8, OUT longest pg_catalog.float8) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	last timestamptz;
	next timestamptz;
	gap float8;
BEGIN
	IF schedule ? 'every' THEN
		shortest := extract(epoch FROM (schedule ->> 'every')::interval);
		longest := shortest;
		RETURN;
	END IF;
	last := floe_internal.cron_next(schedule ->> 'cron', 'UTC', '2024-01-01 00:00+00');
	FOR i IN 1 .. 64 LOOP
		next := floe_internal.cron_next(schedule ->> 'cron', 'UTC', last);
		EXIT WHEN next IS NULL;
		gap := extract(epoch FROM next - last);
		shortest := LEAST(shortest, gap);
		longest := GREATEST(longest, gap);
		last := next;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.schedule_gap(pg_catalog.jsonb) IS 'Shortest and longest time between two runs that a schedule names, in seconds';

-- The value that the lock leaves: the same if it allows it.
CREATE FUNCTION floe_internal.lock_clamp(kind pg_catalog.text, rule pg_catalog.jsonb, value pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	gap record;
	n float8;
BEGIN
	IF rule ? 'is' THEN
		RETURN CASE WHEN kind = 'schedule' AND (value - 'since') = rule -> 'is' OR kind = 'interval' AND floe_internal.lock_number(kind, value) = floe_internal.lock_number(kind, rule -> 'is') THEN value
			ELSE rule -> 'is' END;
	ELSIF value IS NULL THEN
		RETURN NULL;
	ELSIF rule ? 'in' AND kind = 'list' THEN
		IF rule -> 'in' @> value THEN
			RETURN value;
		END IF;
		-- what is left of it; an empty list would mean something else
		RETURN COALESCE((SELECT jsonb_agg(e.item ORDER BY e.place) FROM jsonb_array_elements(value) WITH ORDINALITY AS e (item, place) WHERE rule -> 'in' @> e.item), rule -> 'in');
	ELSIF rule ? 'in' THEN
		RETURN CASE WHEN rule -> 'in' @> value THEN value ELSE rule #> '{in,0}' END;
	ELSIF kind = 'schedule' THEN
		gap := floe_internal.schedule_gap(value);
		RETURN CASE WHEN gap.shortest < floe_internal.lock_number(kind, rule -> 'min') THEN jsonb_build_object('every', rule -> 'min')
			WHEN gap.longest > floe_internal.lock_number(kind, rule -> 'max') THEN jsonb_build_object('every', rule -> 'max') ELSE value END;
	END IF;
	n := floe_internal.lock_number(kind, value);
	RETURN CASE WHEN n < floe_internal.lock_number(kind, rule -> 'min') THEN rule -> 'min' WHEN n > floe_internal.lock_number(kind, rule -> 'max') THEN rule -> 'max' ELSE value END;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_clamp(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS 'A value as a lock leaves it';

CREATE FUNCTION floe_internal.lock_text(kind pg_catalog.text, rule pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN rule ? 'is' THEN 'only ' || CASE WHEN kind = 'schedule' THEN COALESCE(rule #>> '{is,cron}', 'every ' || (rule #>> '{is,every}')) ELSE rule ->> 'is' END
		WHEN rule ? 'in' THEN 'one of ' || (SELECT pg_catalog.string_agg(e.item, ', ' ORDER BY e.place) FROM pg_catalog.jsonb_array_elements_text(rule -> 'in') WITH ORDINALITY AS e (item, place))
		ELSE pg_catalog.concat_ws(' and ', CASE kind WHEN 'schedule' THEN 'not more often than every ' ELSE 'at least ' END || (rule ->> 'min'),
			CASE kind WHEN 'schedule' THEN 'not less often than every ' ELSE 'at most ' END || (rule ->> 'max')) END;
END;
COMMENT ON FUNCTION floe_internal.lock_text(pg_catalog.text, pg_catalog.jsonb) IS 'What a lock allows, for people';

CREATE FUNCTION floe_internal.setting_text(setting pg_catalog.text, value pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN setting = 'schedule' THEN COALESCE(value ->> 'cron', 'every ' || (value ->> 'every')) ELSE value #>> '{}' END;
END;
COMMENT ON FUNCTION floe_internal.setting_text(pg_catalog.text, pg_catalog.jsonb) IS 'The value of a setting, for people';
-- =================================================================================================
-- 43 policies: what locks hold
-- Which locks reach which policy, what they make of a resolved list, and who is refused when he saves.
-- What a lock can say: 43_locks.
-- =================================================================================================

-- {"fixed": true} is the value that the policy itself sets; without one the lock holds nothing.
CREATE VIEW floe_internal.policy_lock AS
	SELECT x.policy_id, x.key, x.operation, x.setting, x.kind, x.rule
	FROM (SELECT p.policy_id, e.key, k.operation, t.setting, t.kind,
				 CASE WHEN e.value ? 'fixed' THEN (SELECT pg_catalog.jsonb_build_object('is', s.value) FROM floe_internal.policy_setting AS s
						WHERE s.policy_id = p.policy_id AND s.operation = k.operation AND s.setting = t.setting)
					  -- as the setting has it
					  WHEN t.kind = 'schedule' AND e.value ? 'is' THEN pg_catalog.jsonb_build_object('is', pg_catalog.jsonb_build_object(CASE WHEN e.key LIKE '%.schedule' THEN 'cron' ELSE 'every' END, e.value -> 'is'))
					  ELSE e.value END AS rule
		  FROM floe.policy AS p
		  CROSS JOIN LATERAL pg_catalog.jsonb_each(p.locks) AS e
		  CROSS JOIN LATERAL floe_internal.lock_target(e.key, e.key) AS t
		  JOIN (SELECT o.operation FROM floe_internal.operation_kind AS o UNION ALL SELECT '') AS k ON k.operation = t.operation OR t.operation = '*' AND k.operation <> ''
		  WHERE p.locks <> '{}') AS x
	WHERE x.rule IS NOT NULL;
COMMENT ON VIEW floe_internal.policy_lock IS 'Locks of each policy, one row a setting';

-- Whether a policy is above another, which may hold locks that then do not reach it.
CREATE FUNCTION floe_internal.is_above(upper_pattern pg_catalog.text, upper_priority pg_catalog.int4, lower_pattern pg_catalog.text, lower_priority pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT floe_internal.pattern_covers(upper_pattern, lower_pattern)
		AND (upper_priority > lower_priority OR NOT floe_internal.pattern_covers(lower_pattern, upper_pattern));
END;
COMMENT ON FUNCTION floe_internal.is_above(pg_catalog.text, pg_catalog.int4, pg_catalog.text, pg_catalog.int4) IS 'The first policy''s pattern covers the second''s, and is broader or has more priority';

-- rules: the lowest first, so that the highest has the last word. source: the policy that the value is from; NULL: property or default.
CREATE FUNCTION floe_internal.apply_locks(asked pg_catalog.jsonb, asked_by pg_catalog.int4, rules pg_catalog.jsonb, OUT value pg_catalog.jsonb, OUT source pg_catalog.int4, OUT locked pg_catalog.jsonb)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
DECLARE
	r jsonb;
	held jsonb;
BEGIN
	value := asked;
	source := asked_by;
	FOR r IN SELECT * FROM jsonb_array_elements(rules)
	LOOP
		CONTINUE WHEN source = (r ->> 'holder')::int4 OR r -> 'above' @> to_jsonb(source);
		held := floe_internal.lock_clamp(r ->> 'kind', r -> 'rule', value);
		CONTINUE WHEN held IS NOT DISTINCT FROM value;
		value := held;
		source := (r ->> 'holder')::int4;
		locked := jsonb_build_object('asked', asked, 'by', asked_by, 'holder', source, 'allows', floe_internal.lock_text(r ->> 'kind', r -> 'rule'));
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_locks(pg_catalog.jsonb, pg_catalog.int4, pg_catalog.jsonb) IS 'A value as the locks of a list leave it, the policy that it is then from, and what was overruled';

-- Rows only for settings about which a policy of the list has a lock: they stand instead of what the first policy says.
CREATE FUNCTION floe_internal.locked_settings(set_ids pg_catalog.int4[])
	RETURNS TABLE (policy_set_id pg_catalog.int4, operation pg_catalog.text, setting pg_catalog.text, value pg_catalog.jsonb, policy_id pg_catalog.int4, locked pg_catalog.jsonb, bounds pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
#variable_conflict use_column
BEGIN
	IF set_ids = '{}' OR NOT EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.locks <> '{}') THEN
		RETURN;
	END IF;
	RETURN QUERY
	WITH member AS MATERIALIZED (
		SELECT s.policy_set_id, m.policy_id, m.place FROM floe_internal.policy_set AS s CROSS JOIN LATERAL unnest(s.policy_ids) WITH ORDINALITY AS m (policy_id, place)
		WHERE s.policy_set_id = ANY (set_ids)
	), held AS MATERIALIZED (
		SELECT m.policy_set_id, l.operation, l.setting, l.kind, l.rule, l.policy_id FROM member AS m JOIN floe_internal.policy_lock AS l ON l.policy_id = m.policy_id
	), field AS MATERIALIZED (
		SELECT DISTINCT h.policy_set_id, h.operation, h.setting FROM held AS h
	), asked AS MATERIALIZED (
		SELECT v.policy_id, v.operation, v.setting, v.value FROM floe_internal.policy_setting AS v
		WHERE v.policy_id IN (SELECT m.policy_id FROM member AS m WHERE m.policy_set_id IN (SELECT f.policy_set_id FROM field AS f))
		  AND (v.operation, v.setting) IN (SELECT f.operation, f.setting FROM field AS f)
	), winner AS MATERIALIZED (
		SELECT DISTINCT ON (f.policy_set_id, f.operation, f.setting) f.policy_set_id, f.operation, f.setting, a.value, a.policy_id
		FROM field AS f
		LEFT JOIN (member AS m JOIN asked AS a ON a.policy_id = m.policy_id) ON m.policy_set_id = f.policy_set_id AND a.operation = f.operation AND a.setting = f.setting
		ORDER BY f.policy_set_id, f.operation, f.setting, m.place
	), pair AS MATERIALIZED (
		SELECT x.holder, x.other
		FROM (SELECT h.policy_id AS holder, w.policy_id AS other FROM held AS h JOIN winner AS w ON (w.policy_set_id, w.operation, w.setting) = (h.policy_set_id, h.operation, h.setting) AND w.policy_id IS NOT NULL
			  UNION
			  SELECT h.policy_id, o.policy_id FROM held AS h JOIN held AS o ON (o.policy_set_id, o.operation, o.setting) = (h.policy_set_id, h.operation, h.setting)) AS x
		JOIN floe.policy AS h ON h.policy_id = x.holder JOIN floe.policy AS o ON o.policy_id = x.other
		WHERE x.holder <> x.other AND floe_internal.is_above(o.pattern, o.priority, h.pattern, h.priority)
	), above AS MATERIALIZED (
		SELECT pair.holder, jsonb_agg(pair.other) AS others, array_agg(pair.other) AS ids FROM pair GROUP BY pair.holder
	), rules AS MATERIALIZED (
		SELECT h.policy_set_id, h.operation, h.setting,
			   jsonb_agg(jsonb_build_object('holder', h.policy_id, 'kind', h.kind, 'rule', h.rule, 'above', COALESCE(a.others, '[]')) ORDER BY n.n DESC, p.priority, p.name DESC, h.rule) AS rules
		FROM held AS h
		JOIN floe.policy AS p ON p.policy_id = h.policy_id
		LEFT JOIN above AS a ON a.holder = h.policy_id
		CROSS JOIN LATERAL (SELECT count(*) AS n FROM held AS o WHERE (o.policy_set_id, o.operation, o.setting) = (h.policy_set_id, h.operation, h.setting) AND o.policy_id = ANY (a.ids)) AS n
		GROUP BY h.policy_set_id, h.operation, h.setting
	), question AS MATERIALIZED (
		-- most lists ask the same
		SELECT DISTINCT w.operation, w.setting, w.value, w.policy_id, r.rules FROM winner AS w JOIN rules AS r USING (policy_set_id, operation, setting)
	), answer AS MATERIALIZED (
		SELECT q.*, x.*
		FROM question AS q
		LEFT JOIN floe_internal.builtin_setting AS b ON b.operation = q.operation AND b.setting = q.setting
		CROSS JOIN LATERAL (SELECT q.value IS NULL AND EXISTS (SELECT 1 FROM floe_internal.property_setting AS s WHERE s.operation = q.operation AND s.setting = q.setting) AS of_table) AS t
		CROSS JOIN LATERAL (
			SELECT a.value AS held, a.source, a.locked, CASE WHEN t.of_table AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(q.rules) AS e WHERE e #> '{rule}' ? 'is') THEN q.rules END AS bounds
			FROM floe_internal.apply_locks(COALESCE(q.value, b.value), q.policy_id, q.rules) AS a) AS x
	)
	SELECT w.policy_set_id, w.operation, w.setting, CASE WHEN a.bounds IS NULL AND (w.value IS NOT NULL OR a.locked IS NOT NULL) THEN a.held END, a.source,
		   CASE WHEN a.bounds IS NULL THEN a.locked END, a.bounds
	FROM winner AS w
	JOIN rules AS r USING (policy_set_id, operation, setting)
	JOIN answer AS a ON a.operation = w.operation AND a.setting = w.setting AND a.value IS NOT DISTINCT FROM w.value AND a.policy_id IS NOT DISTINCT FROM w.policy_id AND a.rules = r.rules;
END
$body$;
COMMENT ON FUNCTION floe_internal.locked_settings(pg_catalog.int4[]) IS 'Settings of policy lists about which a policy of theirs has a lock; value NULL: as without it, or, with bounds, as the table''s properties say within these';

-- What a table says of itself, where locks hold that: settings, origins and locked as in floe_internal.effective, or NULL.
CREATE FUNCTION floe_internal.held_properties(of_operation pg_catalog.text, properties pg_catalog.jsonb, bounds pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT jsonb_build_object('settings', jsonb_object_agg(x.setting, x.value), 'origins', jsonb_object_agg(x.setting, x.source), 'locked', jsonb_object_agg(x.setting, x.locked))
		FROM (SELECT s.setting, a.value, a.source, a.locked || CASE WHEN v.value IS NOT NULL THEN jsonb_build_object('property', 'table property ' || s.property) ELSE '{}' END AS locked
			  FROM floe_internal.property_setting AS s
			  CROSS JOIN LATERAL (SELECT floe_internal.property_value(COALESCE(properties, '{}'), s.property, s.unit) AS value) AS v
			  CROSS JOIN LATERAL floe_internal.apply_locks(COALESCE(v.value, s.fallback), NULL, bounds -> s.setting) AS a
			  WHERE s.operation = of_operation AND bounds ? s.setting AND a.locked IS NOT NULL) AS x
		HAVING count(*) > 0);
END
$body$;
COMMENT ON FUNCTION floe_internal.held_properties(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS 'What locks make of a table''s properties for one operation; NULL: they leave them alone';

-- Where the texts show that a lock reaches a policy, and the policy says otherwise. A lock that asks for what a higher one does not allow is one, too.
CREATE FUNCTION floe_internal.lock_violations(of_policy_ids pg_catalog.int4[])
	RETURNS TABLE (holder pg_catalog.int4, violator pg_catalog.int4, place pg_catalog.int2, field pg_catalog.text, asked pg_catalog.text, allows pg_catalog.text)
	-- to plan it takes longer than to run it
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres' SET plan_cache_mode = 'force_generic_plan'
AS $body$
#variable_conflict use_column
DECLARE
	concerned int4[];
BEGIN
	concerned := ARRAY(SELECT p.policy_id FROM floe.policy AS p WHERE p.policy_id = ANY (of_policy_ids)
		UNION
		SELECT p.policy_id FROM floe.policy AS h JOIN floe.policy AS p ON floe_internal.pattern_covers(h.pattern, p.pattern) WHERE h.policy_id = ANY (of_policy_ids) AND h.locks <> '{}');
	RETURN QUERY
	WITH lock AS MATERIALIZED (
		SELECT l.* FROM floe_internal.policy_lock AS l
	), said AS MATERIALIZED (
		SELECT v.policy_id, v.operation, v.setting, v.value, NULL::jsonb AS rule FROM floe_internal.policy_setting AS v
		WHERE v.policy_id = ANY (concerned) AND (v.operation, v.setting) IN (SELECT l.operation, l.setting FROM lock AS l)
		UNION ALL
		SELECT l.policy_id, l.operation, l.setting, COALESCE(l.rule -> 'is', l.rule -> 'min', l.rule -> 'max'), l.rule FROM lock AS l WHERE l.policy_id = ANY (concerned) AND NOT l.rule ? 'in'
	)
	SELECT DISTINCT h.policy_id, p.policy_id, COALESCE(k.position, 0::int2), concat_ws('.', NULLIF(l.operation, ''), CASE l.setting WHEN 'conditions' THEN 'when' ELSE l.setting END),
		   CASE WHEN s.rule IS NULL THEN floe_internal.setting_text(s.setting, s.value) ELSE 'the lock ' || floe_internal.lock_text(l.kind, s.rule) END, floe_internal.lock_text(l.kind, l.rule)
	FROM said AS s
	JOIN lock AS l ON l.operation = s.operation AND l.setting = s.setting AND (s.rule IS NULL OR l.policy_id <> s.policy_id)
	JOIN floe.policy AS h ON h.policy_id = l.policy_id
	JOIN floe.policy AS p ON p.policy_id = s.policy_id
	LEFT JOIN floe_internal.operation_kind AS k ON k.operation = l.operation
	WHERE (h.policy_id = ANY (of_policy_ids) OR p.policy_id = ANY (of_policy_ids)) AND h.is_enabled AND p.is_enabled AND COALESCE(h.valid_during && p.valid_during, true)
	  AND (h.policy_id = p.policy_id OR floe_internal.pattern_covers(h.pattern, p.pattern) AND NOT (floe_internal.pattern_covers(p.pattern, h.pattern) AND p.priority > h.priority))
	  AND CASE WHEN s.rule IS NULL OR s.rule ? 'is' THEN floe_internal.lock_clamp(l.kind, l.rule, s.value) IS DISTINCT FROM s.value
			WHEN l.rule ? 'is' OR l.rule ? 'in' THEN false	-- a bound within a fixed value: the fixed one wins, nothing is lost
			ELSE floe_internal.lock_number(l.kind, s.rule -> 'min') > floe_internal.lock_number(l.kind, l.rule -> 'max')
				OR floe_internal.lock_number(l.kind, s.rule -> 'max') < floe_internal.lock_number(l.kind, l.rule -> 'min') END;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_violations(pg_catalog.int4[]) IS 'Violations of locks in which one of these policies holds the lock or is the one that violates it';

CREATE FUNCTION floe_internal.check_policy_locks(saved pg_catalog.int4[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = 'force_generic_plan'
AS $body$
DECLARE
	v record;
	others text;
BEGIN
	IF saved = '{}' OR EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id IN (0, -1) OR c.policy_id = ANY (saved)) OR NOT EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.locks <> '{}') THEN
		RETURN;
	END IF;
	SELECT p.name, e.key INTO v FROM floe.policy AS p CROSS JOIN LATERAL jsonb_each(p.locks) AS e
		WHERE p.policy_id = ANY (saved) AND e.value ? 'fixed' AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_lock AS l WHERE l.policy_id = p.policy_id AND l.key = e.key)
		ORDER BY p.name, e.key LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('policy "%s": locks.%s: the policy does not set what it fixes', v.name, v.key), NULL, 'Set the field, or write {"is": value}.');
	END IF;
	PERFORM floe_internal.note_catalog_locks();
	-- what a catalog says cannot be refused
	SELECT x.*, h.name AS holder_name, h.pattern AS holder_pattern, h.owner, p.name, p.pattern, count(*) OVER () AS n INTO v
	FROM floe_internal.lock_violations(saved) AS x
	JOIN floe.policy AS h ON h.policy_id = x.holder JOIN floe.policy AS p ON p.policy_id = x.violator
	WHERE NOT EXISTS (SELECT 1 FROM floe_internal.catalog_policy AS c WHERE c.policy_id = x.violator)
	ORDER BY x.violator = ANY (saved) DESC, p.name, x.place, x.field LIMIT 1;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF v.violator = ANY (saved) THEN
		PERFORM floe_internal.refuse(format('policy "%s": %s: %s is not allowed by ', v.name, v.field, v.asked) || CASE WHEN v.holder = v.violator THEN 'its own lock' ELSE format('policy "%s"', v.holder_name) END,
			format('Policy "%s" (%s), which belongs to %s, locks the field: %s.', v.holder_name, v.holder_pattern, v.owner, v.allows),
			CASE WHEN v.holder = v.violator THEN 'Change the value or the lock.' ELSE format('Keep to that, or ask %s to change the lock.', v.owner) END, '23514');
	END IF;
	SELECT string_agg(format('policy "%s" (%s), which belongs to %s, has %s for %s', x.name, x.pattern, x.owner, x.asked, x.field), '; ' ORDER BY x.name, x.place, x.field) INTO others
	FROM (SELECT p.name, p.pattern, p.owner, y.asked, y.place, y.field FROM floe_internal.lock_violations(saved) AS y JOIN floe.policy AS p ON p.policy_id = y.violator
		  WHERE NOT EXISTS (SELECT 1 FROM floe_internal.catalog_policy AS c WHERE c.policy_id = y.violator) ORDER BY p.name, y.place, y.field LIMIT 5) AS x;
	PERFORM floe_internal.refuse(format('policy "%s": its lock of %s is violated by policy "%s"', v.holder_name, v.field, v.name) || CASE WHEN v.n > 1 THEN format(' and %s more', v.n - 1) ELSE '' END,
		format('Allowed would be %s; %s.', v.allows, others), 'Change these first, or lock what they keep to.', '23514');
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_locks(pg_catalog.int4[]) IS 'Refuses policies that violate a lock of one above, and locks that policies below violate';

-- What a catalog says and a lock overrules is shown beside it.
CREATE FUNCTION floe_internal.note_catalog_locks() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	x record;
BEGIN
	IF NOT EXISTS (SELECT 1 FROM floe_internal.catalog_policy AS c) THEN
		RETURN;
	END IF;
	FOR x IN
		WITH now AS (
			SELECT y.violator, array_agg(format('%s: %s, where policy "%s" allows %s', y.field, y.asked, h.name, y.allows) ORDER BY h.name, y.field) AS told
			FROM floe_internal.lock_violations(ARRAY(SELECT c.policy_id FROM floe_internal.catalog_policy AS c WHERE c.policy_id IS NOT NULL)) AS y
			JOIN floe.policy AS h ON h.policy_id = y.holder
			WHERE y.violator IN (SELECT c.policy_id FROM floe_internal.catalog_policy AS c)
			GROUP BY y.violator
		)
		UPDATE floe_internal.catalog_policy AS c SET locked = COALESCE(n.told, '{}')
			FROM floe_internal.catalog_policy AS old
			JOIN floe_internal.catalog AS k ON k.catalog_id = old.catalog_id
			LEFT JOIN floe.policy AS p ON p.policy_id = old.policy_id
			LEFT JOIN now AS n ON n.violator = old.policy_id
			WHERE (c.catalog_id, c.target, c.is_table, c.policy_type) = (old.catalog_id, old.target, old.is_table, old.policy_type) AND c.locked <> COALESCE(n.told, '{}')
			RETURNING k.server_name, p.name, c.locked
	LOOP
		IF x.locked <> '{}' THEN
			PERFORM floe_internal.write_event('catalog policy', x.server_name, NULL, NULL, NULL, format('policy "%s": a lock overrules %s', x.name, array_to_string(x.locked, '; ')), NULL);
		END IF;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.note_catalog_locks() IS 'Brings floe_internal.catalog_policy.locked up to date; writes an event where a lock begins to overrule a catalog';
-- =================================================================================================
-- 43 policies: resolution
-- Each field takes the first policy that sets it, in the order priority, specificity, name. Tables that
-- the same policies match in the same order share one row set in floe_internal.effective.
-- =================================================================================================

CREATE FUNCTION floe_internal.check_policy_conflict(saved_policy_id pg_catalog.int4) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = 'force_generic_plan'
AS $body$
DECLARE
	clash record;
BEGIN
	SELECT a.name AS saved, b.name AS other, s.operation, s.setting INTO clash
	FROM floe.policy AS a
	JOIN floe.policy AS b ON b.policy_id <> a.policy_id AND b.pattern = a.pattern AND b.priority = a.priority AND b.is_enabled AND a.is_enabled AND COALESCE(a.valid_during && b.valid_during, true)
	JOIN floe_internal.policy_setting AS s ON s.policy_id = a.policy_id AND s.setting <> 'configured'
	JOIN floe_internal.policy_setting AS t ON t.policy_id = b.policy_id AND t.operation = s.operation AND t.setting = s.setting
	WHERE a.policy_id = saved_policy_id
	ORDER BY b.name, s.operation, s.setting
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'policy "%" and policy "%" set the same field with the same pattern and priority', clash.saved, clash.other
			USING ERRCODE = 'exclusion_violation', DETAIL = format('Both set %s.', concat_ws('.', NULLIF(clash.operation, ''), clash.setting)),
				HINT = 'Give one of them another priority, or drop the field from one.';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_conflict(pg_catalog.int4) IS 'Refuses two enabled policies of one pattern and priority that set the same field, because only their names would decide; they may follow each other in time';

-- Options that several policies set together, as one statement would have them.
CREATE FUNCTION floe_internal.options_problem(of_operation pg_catalog.text, settings pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	told text;
BEGIN
	PERFORM floe_internal.check_options(of_operation,
		(SELECT COALESCE(jsonb_object_agg(substr(e.key, 9), e.value), '{}') FROM jsonb_each(settings) AS e WHERE e.key LIKE 'options.%'));
	RETURN NULL;
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS told = MESSAGE_TEXT;
	RETURN told;
END
$body$;
COMMENT ON FUNCTION floe_internal.options_problem(pg_catalog.text, pg_catalog.jsonb) IS 'Why the options of a resolved policy list contradict each other; NULL: they do not. Each policy was checked alone';

-- Resolves lists of policies: for each field the first in the list that sets it. Values are written the same way in every session:
-- hashes of them tell whether something changed.
-- Whoever changes policies may leave his transaction open for long. Only when it commits are the rows locked that workers need all the time,
-- and in the order in which these lock them.
CREATE TABLE floe_internal.settings_change (
	change_id	pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	decide_ids	pg_catalog.int8[] NOT NULL DEFAULT '{}',
	poll_ids	pg_catalog.int8[] NOT NULL DEFAULT '{}',
	is_for_all	pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe_internal.settings_change IS 'Tables for which this transaction has changed settings, budgets, thresholds or weights: they become due when it commits. Always empty for others';
COMMENT ON COLUMN floe_internal.settings_change.decide_ids IS 'To be decided upon';
COMMENT ON COLUMN floe_internal.settings_change.poll_ids IS 'To be looked at sooner, if the settings say so';
COMMENT ON COLUMN floe_internal.settings_change.is_for_all IS 'All tables are to be decided upon';

CREATE FUNCTION floe_internal.settings_changed() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NEW.is_for_all THEN
		PERFORM floe_internal.decide_all();
	ELSE
		PERFORM floe_internal.decide_soon(NEW.decide_ids);
		PERFORM floe_internal.poll_sooner(NEW.poll_ids);
	END IF;
	DELETE FROM floe_internal.settings_change AS x WHERE x.change_id = NEW.change_id;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.settings_changed() IS 'Trigger at commit: what settings have changed for becomes due';

CREATE CONSTRAINT TRIGGER settings_changed AFTER INSERT ON floe_internal.settings_change
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION floe_internal.settings_changed();

CREATE FUNCTION floe_internal.resolve_sets(set_ids pg_catalog.int4[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres' SET timezone = 'UTC'
AS $body$
DECLARE
	polls jsonb := (SELECT jsonb_object_agg(e.policy_set_id, e.settings) FROM floe_internal.effective AS e WHERE e.policy_set_id = ANY (set_ids) AND e.operation = '');
BEGIN
	IF set_ids = '{}' THEN
		RETURN;
	END IF;
	DELETE FROM floe_internal.effective AS e WHERE e.policy_set_id = ANY (set_ids);
	INSERT INTO floe_internal.effective (policy_set_id, operation, settings, origins, problem, engine_names, engine_refusals, locked, bounds)
		WITH locked AS MATERIALIZED (
			SELECT * FROM floe_internal.locked_settings(set_ids)
		), first AS (
			SELECT DISTINCT ON (s.policy_set_id, v.operation, v.setting) s.policy_set_id, v.operation, v.setting, v.value, v.policy_id
			FROM floe_internal.policy_set AS s
			CROSS JOIN LATERAL unnest(s.policy_ids) WITH ORDINALITY AS m (policy_id, place)
			JOIN floe_internal.policy_setting AS v ON v.policy_id = m.policy_id
			WHERE s.policy_set_id = ANY (set_ids)
			ORDER BY s.policy_set_id, v.operation, v.setting, m.place
		), winner AS (
			SELECT f.policy_set_id, f.operation, f.setting, f.value, f.policy_id, NULL::jsonb AS locked, NULL::jsonb AS bounds FROM first AS f
			WHERE NOT EXISTS (SELECT 1 FROM locked AS l WHERE (l.policy_set_id, l.operation, l.setting) = (f.policy_set_id, f.operation, f.setting))
			UNION ALL
			SELECT l.policy_set_id, l.operation, l.setting, l.value, l.policy_id, l.locked, l.bounds FROM locked AS l
		), resolved AS (
			SELECT w.policy_set_id, w.operation, COALESCE(jsonb_object_agg(w.setting, w.value) FILTER (WHERE w.value IS NOT NULL), '{}') AS settings,
				   COALESCE(jsonb_object_agg(w.setting, w.policy_id) FILTER (WHERE w.value IS NOT NULL), '{}') AS origins,
				   jsonb_object_agg(w.setting, w.locked) FILTER (WHERE w.locked IS NOT NULL) AS locked, jsonb_object_agg(w.setting, w.bounds) FILTER (WHERE w.bounds IS NOT NULL) AS bounds,
				   -- three fields make a schedule, and each may be another policy's
				   jsonb_build_object('since', max(o.schedule_set_at) FILTER (WHERE w.setting IN ('schedule', 'timezone', 'jitter'))) AS since
			FROM winner AS w LEFT JOIN floe.policy_operation AS o ON o.policy_id = w.policy_id AND o.operation = w.operation
			GROUP BY w.policy_set_id, w.operation
		), whole AS MATERIALIZED (
			SELECT r.policy_set_id, r.operation, r.origins, r.locked, r.bounds,
				   CASE WHEN r.settings ? 'schedule' THEN jsonb_set(r.settings, '{schedule}', (r.settings -> 'schedule') || r.since) ELSE r.settings END AS settings,
				   -- what engines and options depend on: the same in most lists
				   r.settings - '{configured,enabled,schedule,timezone,jitter,windows,days,min_interval,conditions,deadline,timeout,max_attempts,slice_bytes,slice_time,quiet_period,auto_tune,fallback_after}'::text[] AS core
			FROM resolved AS r
		), answer AS MATERIALIZED (
			SELECT d.operation, d.core, o.problem AS options_problem, n.problem, n.names, n.refusals
			FROM (SELECT DISTINCT w.operation, w.core FROM whole AS w WHERE w.operation <> '') AS d
			CROSS JOIN LATERAL (SELECT floe_internal.options_problem(d.operation, d.core) AS problem OFFSET 0) AS o
			CROSS JOIN LATERAL floe_internal.resolve_engines(d.operation, d.core, d.core, o.problem IS NULL) AS n
		)
		SELECT w.policy_set_id, w.operation, w.settings, w.origins, COALESCE(a.options_problem, a.problem), a.names, a.refusals, w.locked, w.bounds
		FROM whole AS w LEFT JOIN answer AS a ON a.operation = w.operation AND a.core = w.core;
	INSERT INTO floe_internal.settings_change (decide_ids, poll_ids)
		SELECT array_agg(t.table_id), COALESCE(array_agg(t.table_id) FILTER (WHERE e.settings IS DISTINCT FROM polls -> s.set_id::text), '{}')
		FROM unnest(set_ids) AS s (set_id)
		LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = s.set_id AND e.operation = ''
		JOIN floe_internal.iceberg_table AS t ON t.policy_set_id = s.set_id
		HAVING count(*) > 0;
END
$body$;
COMMENT ON FUNCTION floe_internal.resolve_sets(pg_catalog.int4[]) IS 'Computes floe_internal.effective for these policy lists';

-- Validity. Whether a policy counts now is stored, so that all tables follow at once, by the next boundary and not by being looked at.

CREATE TABLE floe_internal.policy_validity (
	policy_id	pg_catalog.int4 PRIMARY KEY REFERENCES floe.policy ON DELETE CASCADE,
	is_valid	pg_catalog.bool NOT NULL,
	next_at		pg_catalog.timestamptz NOT NULL
);
CREATE INDEX policy_validity_next ON floe_internal.policy_validity (next_at);
COMMENT ON TABLE floe_internal.policy_validity IS 'Policies with valid_during: whether they count, as of the last boundary that was noticed';
COMMENT ON COLUMN floe_internal.policy_validity.next_at IS 'When that changes; infinity: never again';

-- Returns those for which it changed.
CREATE FUNCTION floe_internal.set_validity(of_policy_ids pg_catalog.int4[], at pg_catalog.timestamptz) RETURNS pg_catalog.int4[]
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	changed int4[];
BEGIN
	WITH new AS (
		SELECT p.policy_id, p.valid_during @> at AS is_valid,
			   CASE WHEN lower(p.valid_during) > at THEN lower(p.valid_during) WHEN upper(p.valid_during) > at THEN upper(p.valid_during) ELSE 'infinity' END AS next_at
		FROM floe.policy AS p WHERE p.policy_id = ANY (of_policy_ids) AND p.valid_during IS NOT NULL
	), gone AS (
		DELETE FROM floe_internal.policy_validity AS v USING floe.policy AS p
			WHERE v.policy_id = ANY (of_policy_ids) AND p.policy_id = v.policy_id AND p.valid_during IS NULL RETURNING v.policy_id, v.is_valid
	), put AS (
		INSERT INTO floe_internal.policy_validity AS v (policy_id, is_valid, next_at) SELECT n.policy_id, n.is_valid, n.next_at FROM new AS n
			ON CONFLICT (policy_id) DO UPDATE SET (is_valid, next_at) = (EXCLUDED.is_valid, EXCLUDED.next_at)
	)
	-- the statement sees the table as it was
	SELECT array_agg(x.policy_id) INTO changed FROM (
		SELECT n.policy_id FROM new AS n LEFT JOIN floe_internal.policy_validity AS v ON v.policy_id = n.policy_id WHERE n.is_valid IS DISTINCT FROM COALESCE(v.is_valid, true)
		UNION ALL
		SELECT g.policy_id FROM gone AS g WHERE NOT g.is_valid) AS x;
	RETURN COALESCE(changed, '{}');
END
$body$;
COMMENT ON FUNCTION floe_internal.set_validity(pg_catalog.int4[], pg_catalog.timestamptz) IS 'Computes floe_internal.policy_validity for these policies; returns those that begin or cease to count';

-- Whoever plans calls this first. It does not wait for who is changing policies: the next plan follows soon.
CREATE FUNCTION floe_internal.pass_boundaries() RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	due int4[];
	changed int4[];
BEGIN
	IF NOT EXISTS (SELECT 1 FROM floe_internal.policy_validity AS v WHERE v.next_at <= at) OR NOT floe_internal.lock_matches_at_once() THEN
		RETURN false;
	END IF;
	due := ARRAY(SELECT v.policy_id FROM floe_internal.policy_validity AS v WHERE v.next_at <= at);
	changed := floe_internal.set_validity(due, at);
	IF changed <> '{}' THEN
		-- a schedule begins with the policy: what would have been due before is not made up for
		INSERT INTO floe_internal.policy_change (policy_id) VALUES (0) ON CONFLICT DO NOTHING;
		UPDATE floe.policy_operation AS o SET schedule_set_at = at FROM floe_internal.policy_validity AS v WHERE v.policy_id = o.policy_id AND v.policy_id = ANY (changed) AND v.is_valid;
		DELETE FROM floe_internal.policy_change AS c WHERE c.policy_id = 0;
		PERFORM floe_internal.resolve_policies(changed);
		PERFORM floe_internal.assign_sets(ARRAY(SELECT DISTINCT m.table_id FROM floe_internal.policy_match AS m WHERE m.policy_id = ANY (changed)));
		PERFORM floe_internal.write_event(CASE WHEN v.is_valid THEN 'policy began' ELSE 'policy ended' END, NULL, NULL, NULL, NULL,
				format('policy "%s" (%s) %s', p.name, p.pattern, CASE WHEN v.is_valid THEN 'counts from now on' ELSE 'does not count any more' END), NULL)
			FROM floe.policy AS p JOIN floe_internal.policy_validity AS v ON v.policy_id = p.policy_id
			WHERE p.policy_id = ANY (changed) AND p.is_enabled;
	END IF;
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe_internal.pass_boundaries() IS 'Policies that began or ended by themselves since the last time come into or go out of the policy lists; true: there was one';

-- The policy list of each table, from the matches as they stand.
CREATE FUNCTION floe_internal.policy_list(of_table_ids pg_catalog.int8[]) RETURNS TABLE (table_id pg_catalog.int8, policy_ids pg_catalog.int4[])
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.table_id, COALESCE(pg_catalog.array_agg(m.policy_id ORDER BY p.priority DESC, m.specificity DESC, p.name) FILTER (WHERE m.policy_id IS NOT NULL), '{}')
	FROM pg_catalog.unnest(of_table_ids) AS t (table_id)
	LEFT JOIN (floe_internal.policy_match AS m JOIN floe.policy AS p ON p.policy_id = m.policy_id
		AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_validity AS v WHERE v.policy_id = p.policy_id AND NOT v.is_valid)) ON m.table_id = t.table_id
	GROUP BY t.table_id;
END;
COMMENT ON FUNCTION floe_internal.policy_list(pg_catalog.int8[]) IS 'Matching policies of each table, winner first';

CREATE FUNCTION floe_internal.assign_sets(changed_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	new_sets int4[];
	moved int8[];
BEGIN
	WITH made AS (
		INSERT INTO floe_internal.policy_set (policy_ids)
			SELECT DISTINCT l.policy_ids FROM floe_internal.policy_list(changed_table_ids) AS l
			WHERE NOT EXISTS (SELECT 1 FROM floe_internal.policy_set AS s WHERE s.policy_ids = l.policy_ids)
			ON CONFLICT DO NOTHING
			RETURNING policy_set_id)
	SELECT array_agg(made.policy_set_id) INTO new_sets FROM made;
	PERFORM floe_internal.resolve_sets(COALESCE(new_sets, '{}'));
	-- in one order, as whoever heals many does
	PERFORM 1 FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (changed_table_ids) ORDER BY t.table_id FOR NO KEY UPDATE;
	WITH moving AS (
		UPDATE floe_internal.iceberg_table AS t SET policy_set_id = s.policy_set_id
			FROM floe_internal.policy_list(changed_table_ids) AS l JOIN floe_internal.policy_set AS s ON s.policy_ids = l.policy_ids
			WHERE t.table_id = l.table_id AND t.policy_set_id IS DISTINCT FROM s.policy_set_id
			RETURNING t.table_id, t.assessed_at)
	SELECT array_agg(moving.table_id) INTO moved FROM moving WHERE moving.assessed_at IS NOT NULL;
	INSERT INTO floe_internal.settings_change (decide_ids, poll_ids) SELECT changed_table_ids, COALESCE(moved, '{}') WHERE changed_table_ids <> '{}';
END
$body$;
COMMENT ON FUNCTION floe_internal.assign_sets(pg_catalog.int8[]) IS 'Sets iceberg_table.policy_set_id of these tables, making and resolving new policy lists as needed';

-- Whoever changes policies keeps everybody else out of policy_match until the commit (floe_internal.lock_matches()).

CREATE FUNCTION floe_internal.lock_policies() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_matches(true);
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_policies() IS 'Trigger: one change of policies at a time';

CREATE TRIGGER policy_lock BEFORE INSERT OR UPDATE OR DELETE ON floe.policy
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.lock_policies();
CREATE TRIGGER policy_operation_lock BEFORE INSERT OR UPDATE OR DELETE ON floe.policy_operation
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.lock_policies();

CREATE FUNCTION floe_internal.match_tables(new_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_matches(false);
	INSERT INTO floe_internal.policy_match (table_id, policy_id, specificity)
		-- policy by policy: a pattern is read once, and then asked about each table
		WITH t AS MATERIALIZED (SELECT x.table_id, x.levels FROM floe_internal.iceberg_table AS x WHERE x.table_id = ANY (new_table_ids))
		SELECT m.table_id, p.policy_id, m.specificity
		FROM floe.policy AS p
		CROSS JOIN LATERAL (SELECT t.table_id, floe_internal.match_pattern(p.pattern, t.levels) AS specificity FROM t OFFSET 0) AS m
		WHERE p.is_enabled AND m.specificity IS NOT NULL
		ON CONFLICT DO NOTHING;
	PERFORM floe_internal.assign_sets(new_table_ids);
END
$body$;
COMMENT ON FUNCTION floe_internal.match_tables(pg_catalog.int8[]) IS 'Finds the policies of newly registered tables';

CREATE FUNCTION floe_internal.match_policies(changed_policy_ids pg_catalog.int4[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	touched int8[];
BEGIN
	WITH gone AS (
		DELETE FROM floe_internal.policy_match AS m WHERE m.policy_id = ANY (changed_policy_ids) RETURNING m.table_id)
	SELECT array_agg(DISTINCT gone.table_id) INTO touched FROM gone;
	WITH found AS (
		INSERT INTO floe_internal.policy_match (table_id, policy_id, specificity)
			SELECT t.table_id, p.policy_id, m.specificity
			FROM floe.policy AS p
			CROSS JOIN floe_internal.iceberg_table AS t
			CROSS JOIN LATERAL floe_internal.match_pattern(p.pattern, t.levels) AS m (specificity)
			WHERE p.policy_id = ANY (changed_policy_ids) AND p.is_enabled AND t.status <> 'dropped' AND m.specificity IS NOT NULL
			RETURNING table_id)
	SELECT array_agg(DISTINCT x.table_id) INTO touched
		FROM (SELECT unnest(touched) UNION ALL SELECT found.table_id FROM found) AS x (table_id);
	PERFORM floe_internal.assign_sets(COALESCE(touched, '{}'));
END
$body$;
COMMENT ON FUNCTION floe_internal.match_policies(pg_catalog.int4[]) IS 'Finds the tables of changed policies and gives every touched table its new policy list';

-- A list that no table has is made again, should one get it: to keep it right would cost as much as one that is in use.
CREATE FUNCTION floe_internal.resolve_policies(changed_policy_ids pg_catalog.int4[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	DELETE FROM floe_internal.policy_set AS s WHERE s.policy_ids && changed_policy_ids AND NOT EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS t WHERE t.policy_set_id = s.policy_set_id);
	PERFORM floe_internal.resolve_sets(ARRAY(SELECT s.policy_set_id FROM floe_internal.policy_set AS s WHERE s.policy_ids && changed_policy_ids));
END
$body$;
COMMENT ON FUNCTION floe_internal.resolve_policies(pg_catalog.int4[]) IS 'Computes floe_internal.effective for the lists in which a changed policy is';

-- Which of these policies are being saved in several steps, whose end follows up all of them.
CREATE FUNCTION floe_internal.is_being_saved(of_policy_ids pg_catalog.int4[]) RETURNS pg_catalog.bool
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id = 0 OR c.policy_id = ANY (of_policy_ids));
END
$body$;
COMMENT ON FUNCTION floe_internal.is_being_saved(pg_catalog.int4[]) IS 'Whether floe.create_policy() or floe.alter_policy() is between two of its statements';

-- The end of floe.alter_policy().
CREATE FUNCTION floe_internal.policy_altered(old_row floe.policy, changes pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	new_row floe.policy;
	ids int4[] := ARRAY[old_row.policy_id];
	moves bool;
BEGIN
	SELECT * INTO new_row FROM floe.policy AS p WHERE p.policy_id = old_row.policy_id;
	moves := (new_row.pattern, new_row.priority, new_row.is_enabled, new_row.name, new_row.valid_during) IS DISTINCT FROM (old_row.pattern, old_row.priority, old_row.is_enabled, old_row.name, old_row.valid_during);
	-- what only gives it another place in the lists changes nothing within a list that stays, unless locks depend on the place
	IF changes - ARRAY['priority', 'name', 'valid_during', 'description', 'owner'] <> '{}' OR EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.locks <> '{}') THEN
		PERFORM floe_internal.resolve_policies(ids);
	END IF;
	IF moves THEN
		PERFORM floe_internal.match_policies(ids);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_altered(floe.policy, pg_catalog.jsonb) IS 'Matches and resolves once for all that floe.alter_policy() changed';

-- Statement triggers: resolution follows each statement, so a transaction sees the effect of its own changes.

CREATE FUNCTION floe_internal.policy_after() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	changed int4[];
	resolve_only int4[];
BEGIN
	IF TG_OP = 'UPDATE' THEN
		SELECT array_agg(n.policy_id) FILTER (WHERE (n.pattern, n.priority, n.is_enabled, n.name) IS DISTINCT FROM (o.pattern, o.priority, o.is_enabled, o.name)),
			   array_agg(n.policy_id)
		INTO changed, resolve_only
		FROM new_rows AS n JOIN old_rows AS o USING (policy_id);
		changed := NULLIF(COALESCE(changed, '{}') || floe_internal.set_validity(resolve_only, floe_internal.clock()), '{}');
		-- what was due before, while it was off or for tables it did not match, is not made up for
		UPDATE floe.policy_operation AS x SET schedule_set_at = floe_internal.clock()
			FROM new_rows AS n JOIN old_rows AS o USING (policy_id)
			WHERE x.policy_id = n.policy_id AND n.is_enabled AND (NOT o.is_enabled OR n.pattern <> o.pattern);
		IF floe_internal.is_being_saved(resolve_only) THEN
			RETURN NULL;
		END IF;
		PERFORM floe_internal.resolve_policies(resolve_only);
		PERFORM floe_internal.check_policy_conflict(id) FROM unnest(resolve_only) AS id;
	ELSE
		SELECT array_agg(n.policy_id) INTO changed FROM new_rows AS n;
		PERFORM floe_internal.set_validity(changed, floe_internal.clock());
		IF floe_internal.is_being_saved(changed) THEN
			RETURN NULL;
		END IF;
		PERFORM floe_internal.check_policy_conflict(id) FROM unnest(changed) AS id;
	END IF;
	PERFORM floe_internal.check_policy_locks(ARRAY(SELECT n.policy_id FROM new_rows AS n WHERE TG_OP = 'UPDATE' OR n.created_at = now()));
	IF changed IS NOT NULL THEN
		PERFORM floe_internal.match_policies(changed);
	END IF;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_after() IS 'Re-matches and re-resolves after INSERT or UPDATE on floe.policy';

CREATE TRIGGER policy_after_insert AFTER INSERT ON floe.policy
	REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_after();
CREATE TRIGGER policy_after_update AFTER UPDATE ON floe.policy
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_after();

-- Before the rows (and by cascade their matches) go, so that the tables they matched are still known.
CREATE FUNCTION floe_internal.policy_before_delete() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	touched int8[];
BEGIN
	WITH gone AS (
		DELETE FROM floe_internal.policy_match AS m WHERE m.policy_id = OLD.policy_id RETURNING m.table_id)
	SELECT array_agg(gone.table_id) INTO touched FROM gone;
	PERFORM floe_internal.assign_sets(COALESCE(touched, '{}'));
	DELETE FROM floe_internal.policy_set AS s WHERE s.policy_ids && ARRAY[OLD.policy_id];
	RETURN OLD;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_before_delete() IS 'Takes a policy out of all policy lists before it is deleted';

CREATE TRIGGER policy_before_delete BEFORE DELETE ON floe.policy
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_before_delete();

CREATE FUNCTION floe_internal.policy_operation_after() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	changed int4[];
BEGIN
	IF TG_OP = 'DELETE' THEN
		SELECT array_agg(DISTINCT o.policy_id) INTO changed FROM old_rows AS o;
	ELSE
		SELECT array_agg(DISTINCT n.policy_id) INTO changed FROM new_rows AS n;
	END IF;
	IF floe_internal.is_being_saved(changed) THEN
		RETURN NULL;
	END IF;
	IF TG_OP = 'DELETE' THEN
		PERFORM floe_internal.check_policy_locks(changed);	-- what is fixed must be set
	ELSE
		PERFORM floe_internal.check_policy_conflict(id) FROM unnest(changed) AS id;
		PERFORM floe_internal.check_policy_locks(ARRAY(SELECT DISTINCT n.policy_id FROM new_rows AS n WHERE TG_OP = 'UPDATE' OR n.schedule_set_at = floe_internal.clock()));
	END IF;
	PERFORM floe_internal.resolve_policies(changed);
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_operation_after() IS 'Re-resolves the policy lists that hold a changed policy';

CREATE TRIGGER policy_operation_after_insert AFTER INSERT ON floe.policy_operation
	REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_operation_after();
CREATE TRIGGER policy_operation_after_update AFTER UPDATE ON floe.policy_operation
	REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_operation_after();
CREATE TRIGGER policy_operation_after_delete AFTER DELETE ON floe.policy_operation
	REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_operation_after();

-- History: one version for each transaction that changed a policy, written when it commits.

CREATE FUNCTION floe_internal.policy_history_write() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	changed_id int4 := CASE WHEN TG_OP = 'DELETE' THEN OLD.policy_id ELSE NEW.policy_id END;
	last floe_internal.policy_version;
	document jsonb := floe_internal.policy_document(changed_id);
BEGIN
	SELECT * INTO last FROM floe_internal.policy_version AS v WHERE v.policy_id = changed_id ORDER BY v.version DESC LIMIT 1;
	IF document IS NULL AND (last.action IS NULL OR last.action = 'drop') THEN
		RETURN NULL;	-- made and dropped in one transaction, or written already
	END IF;
	-- a policy that brings a time of its own comes from a dump, and so do its versions
	IF TG_OP = 'INSERT' AND (TG_TABLE_NAME = 'policy' OR last.version IS NULL) AND (SELECT p.created_at <> now() FROM floe.policy AS p WHERE p.policy_id = changed_id) THEN
		RETURN NULL;
	END IF;
	IF document = last.document AND last.action <> 'drop' THEN
		RETURN NULL;
	END IF;
	INSERT INTO floe_internal.policy_version (policy_id, version, name, action, document, changed_at, changed_by)
		VALUES (changed_id, COALESCE(last.version, 0) + 1, COALESCE(document ->> 'name', last.name),
			CASE WHEN document IS NULL THEN 'drop' WHEN last.version IS NULL THEN 'create' ELSE 'alter' END,
			COALESCE(document, last.document), floe_internal.clock(), SESSION_USER);
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_history_write() IS 'Writes a policy version at commit, unless nothing changed';

CREATE CONSTRAINT TRIGGER policy_history AFTER INSERT OR UPDATE OR DELETE ON floe.policy
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_history_write();
CREATE CONSTRAINT TRIGGER policy_operation_history AFTER INSERT OR UPDATE OR DELETE ON floe.policy_operation
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_history_write();

CREATE FUNCTION floe_internal.refuse_change() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RAISE EXCEPTION '% is not changed after the fact', TG_ARGV[0] USING ERRCODE = 'object_not_in_prerequisite_state';
END
$body$;
COMMENT ON FUNCTION floe_internal.refuse_change() IS 'Trigger: refuses changes of immutable rows';

CREATE TRIGGER policy_version_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON floe_internal.policy_version
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.refuse_change('policy history');

CREATE VIEW floe.policy_history AS
	SELECT v.policy_id, v.name, v.version, v.action, v.document, v.changed_at, v.changed_by
	FROM floe_internal.policy_version AS v;
COMMENT ON VIEW floe.policy_history IS 'Every version of every policy: what it said, when, and who saved it';

-- =================================================================================================
-- 43 policies: versions
-- What changed between two versions of a policy, and back to one of them. The versions are written in 43_policy_resolution.
-- =================================================================================================

-- Every value of a document by its path; lists are values.
CREATE FUNCTION floe_internal.document_values(document pg_catalog.jsonb, OUT key pg_catalog.text, OUT value pg_catalog.jsonb) RETURNS SETOF pg_catalog.record
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	WITH RECURSIVE part (key, value) AS (
		SELECT e.key, e.value FROM pg_catalog.jsonb_each(document) AS e
		UNION ALL
		SELECT p.key || '.' || e.key, e.value FROM part AS p CROSS JOIN LATERAL pg_catalog.jsonb_each(CASE pg_catalog.jsonb_typeof(p.value) WHEN 'object' THEN p.value END) AS e
	)
	SELECT p.key, p.value FROM part AS p WHERE pg_catalog.jsonb_typeof(p.value) <> 'object' OR p.value = '{}';
END;
COMMENT ON FUNCTION floe_internal.document_values(pg_catalog.jsonb) IS 'Values of a policy document, each with its path';

-- A policy that was dropped is found by the last name it had.
CREATE FUNCTION floe_internal.versions_of(name pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result int4 := (SELECT p.policy_id FROM floe.policy AS p WHERE p.name = versions_of.name);
BEGIN
	IF result IS NULL THEN
		SELECT v.policy_id INTO result FROM floe_internal.policy_version AS v WHERE v.name = versions_of.name AND v.action = 'drop' ORDER BY v.changed_at DESC, v.policy_id DESC LIMIT 1;
	END IF;
	IF result IS NULL THEN
		PERFORM floe_internal.policy_by_name(versions_of.name);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.versions_of(pg_catalog.text) IS 'Id of a policy of that name, or of the last one that was dropped; else error 42704';

CREATE FUNCTION floe_internal.version_document(of_policy_id pg_catalog.int4, of_version pg_catalog.int4) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result jsonb := (SELECT v.document FROM floe_internal.policy_version AS v WHERE v.policy_id = of_policy_id AND v.version = of_version);
BEGIN
	IF result IS NULL THEN
		PERFORM floe_internal.refuse(format('the policy has no version %s', of_version), NULL,
			format('Versions are 1 to %s; floe.policy_history shows them.', (SELECT max(v.version) FROM floe_internal.policy_version AS v WHERE v.policy_id = of_policy_id)), '42704');
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.version_document(pg_catalog.int4, pg_catalog.int4) IS 'A policy as it was in one version, or error 42704';

CREATE FUNCTION floe.policy_diff(name pg_catalog.text, from_version pg_catalog.int4 DEFAULT NULL, to_version pg_catalog.int4 DEFAULT NULL,
		OUT key pg_catalog.text, OUT before pg_catalog.jsonb, OUT after pg_catalog.jsonb)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	id int4 := floe_internal.versions_of(policy_diff.name);
	newer int4 := COALESCE(policy_diff.to_version, (SELECT max(v.version) FROM floe_internal.policy_version AS v WHERE v.policy_id = id));
	older int4 := COALESCE(policy_diff.from_version, newer - 1);
	new_document jsonb := floe_internal.version_document(id, newer);
	old_document jsonb := CASE WHEN older = 0 THEN '{}' ELSE floe_internal.version_document(id, older) END;
BEGIN
	RETURN QUERY
		SELECT COALESCE(o.key, n.key), o.value, n.value
		FROM floe_internal.document_values(old_document) AS o FULL JOIN floe_internal.document_values(new_document) AS n ON n.key = o.key
		WHERE o.value IS DISTINCT FROM n.value
		ORDER BY 1;
END
$body$;
COMMENT ON FUNCTION floe.policy_diff(pg_catalog.text, pg_catalog.int4, pg_catalog.int4) IS 'What changed between two versions of a policy, by default the last two: one row a value, NULL where there was or is none. Version 0: before there was any';

CREATE FUNCTION floe.restore_policy(name pg_catalog.text, version pg_catalog.int4) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	id int4;
	document jsonb;
	old_row floe.policy;
BEGIN
	PERFORM floe_internal.lock_matches(true);
	id := floe_internal.versions_of(restore_policy.name);
	-- whom it belongs to is not brought back
	document := floe_internal.version_document(id, restore_policy.version) - 'owner';
	SELECT * INTO old_row FROM floe.policy AS p WHERE p.policy_id = id;
	IF NOT FOUND THEN
		RETURN floe.create_policy(document ->> 'name', document ->> 'pattern', document - 'name' - 'pattern');
	END IF;
	RETURN floe.alter_policy(old_row.name, floe_internal.replacing_change(old_row, document));
END
$body$;
COMMENT ON FUNCTION floe.restore_policy(pg_catalog.text, pg_catalog.int4) IS 'Makes a policy what it was in one of its versions, name and pattern included, as a new version; one that was dropped is made anew. The owner stays. Returns its id';
-- =================================================================================================
-- 44 policies: Polaris
-- What Polaris's maintenance policies mean here. Separate from the documents of 42, because the form
-- is Polaris's (spec/polaris-catalog-apis/policy-apis.yaml, JSON schemas of version 2025-02-03).
-- =================================================================================================

CREATE TABLE floe_internal.polaris_policy_type (
	policy_type	pg_catalog.text PRIMARY KEY,
	operation	pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind
);
COMMENT ON TABLE floe_internal.polaris_policy_type IS 'Polaris''s types of policies and the operation each is about';

INSERT INTO floe_internal.polaris_policy_type VALUES
	('system.data-compaction', 'rewrite_data_files'),
	('system.metadata-compaction', 'rewrite_manifests'),
	('system.snapshot-expiry', 'expire_snapshots'),
	('system.orphan-file-removal', 'remove_orphan_files');

CREATE TABLE floe_internal.polaris_config_key (
	policy_type	pg_catalog.text NOT NULL REFERENCES floe_internal.polaris_policy_type,
	key			pg_catalog.text NOT NULL,
	option		pg_catalog.text NOT NULL,
	unit		pg_catalog.text,
	PRIMARY KEY (policy_type, key)
);
COMMENT ON TABLE floe_internal.polaris_config_key IS 'Keys of a Polaris policy''s config that are options by another name; all options are keys by their own names, too';
COMMENT ON COLUMN floe_internal.polaris_config_key.unit IS 'A number means so many of these; NULL: as the option has it';

-- The examples of Polaris's schemas, and Iceberg's table properties.
INSERT INTO floe_internal.polaris_config_key VALUES
	('system.data-compaction', 'compaction_strategy', 'strategy', NULL),
	('system.data-compaction', 'write_target_file_size_bytes', 'target_file_size', NULL),
	('system.snapshot-expiry', 'min_snapshot_to_keep', 'retain_last', NULL),
	('system.snapshot-expiry', 'min_snapshots_to_keep', 'retain_last', NULL),
	('system.snapshot-expiry', 'max_snapshot_age_days', 'max_snapshot_age', 'days'),
	('system.snapshot-expiry', 'max_snapshot_age_ms', 'max_snapshot_age', 'milliseconds'),
	('system.snapshot-expiry', 'history_expire_min_snapshots_to_keep', 'retain_last', NULL),
	('system.snapshot-expiry', 'history_expire_max_snapshot_age_ms', 'max_snapshot_age', 'milliseconds'),
	('system.orphan-file-removal', 'max_orphan_file_age_in_days', 'older_than', 'days');

-- The model keeps config as a map of texts, so a number may come as one.
CREATE FUNCTION floe_internal.polaris_value(value pg_catalog.jsonb, value_type pg_catalog.text, unit pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT CASE
		WHEN unit IS NOT NULL AND value OPERATOR(pg_catalog.#>>) '{}' OPERATOR(pg_catalog.~) '^[0-9]{1,15}$'
			THEN pg_catalog.to_jsonb((value OPERATOR(pg_catalog.#>>) '{}') OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) unit)
		-- durations have no fractions
		WHEN unit OPERATOR(pg_catalog.=) 'days' AND value OPERATOR(pg_catalog.#>>) '{}' OPERATOR(pg_catalog.~) '^[0-9]{1,6}\.[0-9]{1,9}$'
			THEN pg_catalog.to_jsonb(pg_catalog.round((value OPERATOR(pg_catalog.#>>) '{}')::pg_catalog.numeric OPERATOR(pg_catalog.*) 86400) OPERATOR(pg_catalog.||) ' seconds')
		WHEN value_type IN ('count', 'bytes', 'ratio') AND value OPERATOR(pg_catalog.#>>) '{}' OPERATOR(pg_catalog.~) '^[0-9]{1,18}(\.[0-9]{1,9})?$'
			THEN (value OPERATOR(pg_catalog.#>>) '{}')::pg_catalog.jsonb
		WHEN value_type OPERATOR(pg_catalog.=) 'boolean' AND pg_catalog.lower(value OPERATOR(pg_catalog.#>>) '{}') IN ('true', 'false')
			THEN pg_catalog.lower(value OPERATOR(pg_catalog.#>>) '{}')::pg_catalog.jsonb
		WHEN value_type OPERATOR(pg_catalog.=) 'choice' AND value OPERATOR(pg_catalog.#>>) '{}' IN ('bin-pack', 'bin_pack')
			THEN '"binpack"'
		ELSE value END;
END;
COMMENT ON FUNCTION floe_internal.polaris_value(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'A value of a Polaris policy''s config as the option has it; what it cannot be stays as it is, for the option''s own check';

CREATE FUNCTION floe_internal.polaris_content(policy_type pg_catalog.text, content pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM floe_internal.polaris_policy_type AS t WHERE t.policy_type = polaris_content.policy_type) THEN
		PERFORM floe_internal.refuse(format('%s: Polaris policies of type %s have no meaning in floe', place, COALESCE(to_json(left(policy_type, 100))::text, 'none')), NULL,
			'Types that have are: ' || (SELECT string_agg(t.policy_type, ', ' ORDER BY t.policy_type) FROM floe_internal.polaris_policy_type AS t) || '.', '0A000');
	END IF;
	IF jsonb_typeof(content) = 'string' THEN
		BEGIN
			content := (content #>> '{}')::jsonb;
		EXCEPTION WHEN data_exception THEN
			PERFORM floe_internal.refuse(place || ': content is not JSON', NULL, NULL);
		END;
	END IF;
	IF jsonb_typeof(content) IS DISTINCT FROM 'object' OR jsonb_typeof(content -> 'enable') IS DISTINCT FROM 'boolean'
		OR COALESCE(jsonb_typeof(content -> 'config'), 'null') NOT IN ('object', 'null') THEN
		PERFORM floe_internal.refuse(place || ': content must be an object with "enable": true or false', 'Its "config", if there is one, is an object.', NULL);
	END IF;
	IF COALESCE(NULLIF(content ->> 'version', ''), '2025-02-03') <> '2025-02-03' THEN
		PERFORM floe_internal.refuse(format('%s: content is of version %s', place, left(content -> 'version' #>> '{}', 100)), 'floe knows version 2025-02-03.', NULL, '0A000');
	END IF;
	IF COALESCE(content -> 'locations', 'null') NOT IN ('null', '[]') THEN
		PERFORM floe_internal.refuse(place || ': orphan files are removed below a table''s own location only', format('The policy has "locations": %s.', left(content ->> 'locations', 1000)),
			'Files of other tables, which floe cannot know of, may lie there.', '0A000');
	END IF;
	RETURN content;
END
$body$;
COMMENT ON FUNCTION floe_internal.polaris_content(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'The content of a Polaris policy as an object, which it also is as text; refuses what floe would do otherwise than it says';

-- Options of a policy's config; left_out: keys that mean nothing here.
CREATE FUNCTION floe_internal.polaris_options(policy_type pg_catalog.text, content pg_catalog.jsonb, OUT options pg_catalog.jsonb, OUT left_out pg_catalog.text[])
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH given AS (
		SELECT e.key, e.value, pg_catalog.translate(pg_catalog.lower(e.key), '-.', '__') AS plain
		FROM pg_catalog.jsonb_each(COALESCE(NULLIF(content -> 'config', 'null'), '{}')) AS e
		UNION ALL
		SELECT e.key, e.value, e.key
		FROM pg_catalog.jsonb_each(content - ARRAY['enable', 'version', 'config', 'locations']) AS e
		-- Polaris's own default, which says nothing
		WHERE NOT (e.key OPERATOR(pg_catalog.=) 'max_orphan_file_age_in_days' AND e.value IN ('0', 'null'))),
	known AS (
		SELECT g.key, g.value, n.unit, o.option, o.value_type
		FROM given AS g
		JOIN floe_internal.polaris_policy_type AS t ON t.policy_type OPERATOR(pg_catalog.=) polaris_options.policy_type
		LEFT JOIN floe_internal.polaris_config_key AS n ON n.policy_type OPERATOR(pg_catalog.=) t.policy_type AND n.key OPERATOR(pg_catalog.=) g.plain
		LEFT JOIN LATERAL (SELECT x.option, x.value_type FROM floe_internal.engine_options() AS x
			WHERE x.operation OPERATOR(pg_catalog.=) t.operation
			  AND (x.option OPERATOR(pg_catalog.=) COALESCE(n.option, g.plain)
				   OR n.option IS NULL AND EXISTS (SELECT 1 FROM pg_catalog.unnest(x.aliases) AS a WHERE pg_catalog.translate(a, '-.', '__') OPERATOR(pg_catalog.=) g.plain))
			LIMIT 1) AS o ON true)
	SELECT COALESCE(pg_catalog.jsonb_object_agg(k.option, floe_internal.polaris_value(k.value, k.value_type, k.unit)) FILTER (WHERE k.option IS NOT NULL), '{}'),
		   COALESCE(pg_catalog.array_agg(k.key ORDER BY k.key) FILTER (WHERE k.option IS NULL), '{}')
	FROM known AS k;
END;
COMMENT ON FUNCTION floe_internal.polaris_options(pg_catalog.text, pg_catalog.jsonb) IS 'Options of an operation from the content of a Polaris policy, and the keys that mean nothing here';

CREATE FUNCTION floe_internal.is_polaris_policy(document pg_catalog.jsonb) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_typeof(document) OPERATOR(pg_catalog.=) 'object'
		AND (document ? 'content' AND document ?| ARRAY['policy-type', 'type'] OR pg_catalog.jsonb_typeof(document -> 'policy') IS NOT DISTINCT FROM 'object');
END;
COMMENT ON FUNCTION floe_internal.is_polaris_policy(pg_catalog.jsonb) IS 'Whether a document is a policy as Polaris''s API answers with it, and not one of floe';

-- What Polaris answers with, the target as "pattern", and any key of a floe policy that is not of one operation.
CREATE FUNCTION floe_internal.polaris_document(document pg_catalog.jsonb, OUT translated pg_catalog.jsonb, OUT left_out pg_catalog.text[])
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	policy jsonb := CASE jsonb_typeof(document -> 'policy') WHEN 'object' THEN (document -> 'policy') || (document - 'policy') ELSE document END;
	place text := format('policy "%s"', policy ->> 'name');
	given_type text := COALESCE(policy ->> 'policy-type', policy ->> 'type');
	content jsonb := floe_internal.polaris_content(given_type, policy -> 'content', place);
	options jsonb;
BEGIN
	SELECT o.options, o.left_out INTO options, left_out FROM floe_internal.polaris_options(given_type, content) AS o;
	translated := (policy - ARRAY['policy-type', 'type', 'content', 'version', 'inheritable', 'inherited', 'namespace', 'appliedAt'])
		|| jsonb_build_object((SELECT t.operation FROM floe_internal.polaris_policy_type AS t WHERE t.policy_type = given_type),
			jsonb_build_object('enabled', content -> 'enable', 'options', options));
END
$body$;
COMMENT ON FUNCTION floe_internal.polaris_document(pg_catalog.jsonb) IS 'A Polaris policy as a document of floe; left_out: keys of its config that mean nothing here';
-- =================================================================================================
-- 45 which engine
-- A policy names an engine and, in order, others to fall back on. Which of them may have an operation is
-- decided by what their TYPE can do (engine/dialect.h is the only source of that) and by what people
-- approved for a part of the catalogs. Which of these gets it is decided when it is dispatched (78).
-- =================================================================================================

CREATE FUNCTION floe_internal.engine_list(settings pg_catalog.jsonb) RETURNS pg_catalog.text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.array_agg(n.name ORDER BY n.place), '{}')
	FROM (SELECT x.name, pg_catalog.min(x.place) AS place
		  FROM (SELECT settings ->> 'engine', 0
				UNION ALL
				SELECT f.name, f.place FROM pg_catalog.jsonb_array_elements_text(settings -> 'fallback_engines') WITH ORDINALITY AS f (name, place)) AS x (name, place)
		  WHERE x.name IS NOT NULL GROUP BY x.name) AS n;
END;
COMMENT ON FUNCTION floe_internal.engine_list(pg_catalog.jsonb) IS 'The engines that settings name, the preferred one first; each once';

CREATE FUNCTION floe_internal.fallback_after(settings pg_catalog.jsonb) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE((settings ->> 'fallback_after')::pg_catalog.interval, '5 minutes');
END;
COMMENT ON FUNCTION floe_internal.fallback_after(pg_catalog.jsonb) IS 'How long an engine must have failed, or an operation have waited for a place at it, before the next engine of the list takes the operation';

-- Capability ----------------------------------------------------------------------------------------

CREATE FUNCTION floe_internal.able_engines(of_operation pg_catalog.text, options pg_catalog.jsonb) RETURNS pg_catalog.text[]
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.array_agg(s.server_name ORDER BY s.server_name) FROM floe_internal.server AS s
	WHERE s.wrapper = 'floe_engine' AND floe_internal.engine_refusal(s.server_type, of_operation, able_engines.options) IS NULL;
END;
COMMENT ON FUNCTION floe_internal.able_engines(pg_catalog.text, pg_catalog.jsonb) IS 'Engines whose TYPE can do an operation with these options; NULL: none';

-- Engines that do not exist are told by their name's own check, where they are new, and by floe.why(): they may come back.
CREATE FUNCTION floe_internal.check_capability(engines pg_catalog.text[], of_operation pg_catalog.text, options pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	bad record;
BEGIN
	SELECT bool_or(x.refusal IS NULL) AS is_able, (array_agg(x.server_name ORDER BY x.place))[1] AS engine, (array_agg(x.server_type ORDER BY x.place))[1] AS type,
		   (array_agg(x.refusal ORDER BY x.place))[1] AS refusal, string_agg(format('engine "%s": %s', x.server_name, x.refusal), '; ' ORDER BY x.place) FILTER (WHERE x.n > 1) AS others
	INTO bad
	FROM (SELECT l.place, s.server_name, s.server_type, floe_internal.engine_refusal(s.server_type, of_operation, check_capability.options) AS refusal, count(*) OVER () AS n
		  FROM unnest(engines) WITH ORDINALITY AS l (name, place) JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = l.name) AS x;
	IF NOT bad.is_able THEN
		PERFORM floe_internal.refuse(format('%s: engine "%s" of TYPE %s cannot honour it: %s', place, bad.engine, bad.type, bad.refusal),
			'No engine that the policy names can: ' || bad.others || '.',
			COALESCE('Engines that can: ' || array_to_string(floe_internal.able_engines(of_operation, check_capability.options), ', ') || '; name one in "engine", or in "fallback_engines".',
				'No engine that floe knows can. TYPEs that can: ' || (SELECT string_agg(DISTINCT t.type, ', ' ORDER BY t.type) FROM floe_internal.connection_types() AS t
					WHERE t.wrapper = 'floe_engine' AND floe_internal.engine_refusal(t.type, of_operation, check_capability.options) IS NULL) || '.',
				'floe.engine_option says what each engine has.'));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_capability(pg_catalog.text[], pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'Refuses an operation and options that no engine of a list can honour, with the engines that can';

CREATE FUNCTION floe_internal.check_fallback(engines pg_catalog.text[], place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF cardinality(engines) > 16 OR array_ndims(engines) > 1 THEN
		PERFORM floe_internal.refuse(format('%s: a list of at most 16 engines', place), NULL, NULL);
	END IF;
	IF array_position(engines, NULL) IS NOT NULL OR (SELECT count(DISTINCT e) FROM unnest(engines) AS e) <> cardinality(engines) THEN
		PERFORM floe_internal.refuse(format('%s: an engine stands there twice, or has no name', place), NULL, NULL);
	END IF;
	PERFORM floe_internal.check_engine_name(e, place) FROM unnest(engines) AS e;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_fallback(pg_catalog.text[], pg_catalog.text) IS 'Refuses a list of engines with one that does not exist, or twice the same';

-- What a policy says about one operation: the engines that it names itself, with the options that it sets itself. What comes of several
-- policies is known only once they are resolved.
CREATE FUNCTION floe_internal.check_operation_engines(p floe.policy, o floe.policy_operation) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s": %s', p.name, o.operation);
	engines text[] := floe_internal.engine_list(jsonb_build_object('engine', COALESCE(o.engine, p.engine), 'fallback_engines', COALESCE(to_jsonb(COALESCE(o.fallback_engines, p.fallback_engines)), '[]')));
BEGIN
	IF COALESCE(o.engine, p.engine) IS NOT NULL AND o.is_enabled IS DISTINCT FROM false THEN
		PERFORM floe_internal.check_capability(engines, o.operation, o.options, place);
	END IF;
	PERFORM floe_internal.check_approved(engines, p.pattern, place);
END
$body$;
COMMENT ON FUNCTION floe_internal.check_operation_engines(floe.policy, floe.policy_operation) IS 'Refuses an operation of a policy that none of its engines can honour, or with an engine that is not approved for all the tables of the policy';

-- While floe.alter_policy() changes several rows, what is between them is not judged.
CREATE TABLE floe_internal.policy_change (
	policy_id	pg_catalog.int4 PRIMARY KEY
);
COMMENT ON TABLE floe_internal.policy_change IS 'Policies that this transaction is changing in several steps, 0 for one that it is making, -1 while it applies those of a catalog; always empty for others';

CREATE FUNCTION floe_internal.check_policy_engines(changed_policy_id pg_catalog.int4, changes pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	p floe.policy;
	everything bool := changes ?| '{engine,fallback_engines,pattern,exclude}';
BEGIN
	SELECT * INTO p FROM floe.policy AS x WHERE x.policy_id = changed_policy_id;
	IF everything THEN
		PERFORM floe_internal.check_approved(array_remove(p.engine || p.fallback_engines, NULL), p.pattern, format('policy "%s"', p.name));
	END IF;
	PERFORM floe_internal.check_operation_engines(p, o)
		FROM floe.policy_operation AS o JOIN floe_internal.operation_kind AS k ON k.operation = o.operation
		WHERE o.policy_id = changed_policy_id AND (everything OR changes -> o.operation ?| '{engine,fallback_engines,options,enabled}')
		ORDER BY k.position;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_engines(pg_catalog.int4, pg_catalog.jsonb) IS 'The engines of a policy after a change, as far as the change is about them';

CREATE FUNCTION floe_internal.resources_refusal(engine_type pg_catalog.text, settings pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN settings ? 'resources' AND engine_type NOT IN ('livy', 'kyuubi') THEN pg_catalog.format('resources: TYPE %s has them fixed when its server starts', engine_type) END;
END;
COMMENT ON FUNCTION floe_internal.resources_refusal(pg_catalog.text, pg_catalog.jsonb) IS 'Why an engine of this TYPE cannot have a session of the size that the settings ask for; NULL: it can, or none is asked for';

-- Why engines that settings of several policies name cannot honour what these set together. Approval is the table's, health the moment's.
CREATE FUNCTION floe_internal.resolve_engines(of_operation pg_catalog.text, settings pg_catalog.jsonb, origins pg_catalog.jsonb, is_valid pg_catalog.bool,
		OUT names pg_catalog.text[], OUT refusals pg_catalog.jsonb, OUT problem pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	with_options jsonb;
BEGIN
	names := floe_internal.engine_list(settings);
	IF names = '{}' OR NOT is_valid THEN
		RETURN;
	END IF;
	with_options := floe_internal.check_options(of_operation, floe_internal.operation_options(floe_internal.builtin_settings(of_operation) || settings, origins, '{}'));
	SELECT jsonb_object_agg(x.name, x.refusal) FILTER (WHERE x.refusal IS NOT NULL),
		   CASE WHEN bool_and(x.refusal IS NOT NULL) AND bool_or(x.knows) THEN string_agg(format('engine "%s": %s', x.name, x.refusal), '; ' ORDER BY x.place) END
	INTO refusals, problem
	FROM (SELECT l.name, l.place, COALESCE(floe_internal.engine_refusal(s.server_type, of_operation, with_options), floe_internal.resources_refusal(s.server_type, settings)) AS refusal,
				 EXISTS (SELECT 1 FROM floe_internal.engine_operations() AS k WHERE k.engine_type = s.server_type AND k.operation = of_operation) AS knows
		  FROM unnest(names) WITH ORDINALITY AS l (name, place) JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = l.name) AS x;
END
$body$;
COMMENT ON FUNCTION floe_internal.resolve_engines(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.bool)
	IS 'The engines that a resolved policy list names, why some of them cannot honour it (refusals: engine -> reason), and, where all that exist could do it but for an option, the problem; is_valid: the options do not contradict each other';

-- For one operation with the options that its statement will have.
CREATE FUNCTION floe_internal.usable_engines(of_table_id pg_catalog.int8, of_operation pg_catalog.text, options pg_catalog.jsonb) RETURNS pg_catalog.text[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT array_agg(l.name ORDER BY l.place)
		FROM floe_internal.iceberg_table AS t
		JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id AND e.operation = of_operation
		CROSS JOIN LATERAL unnest(e.engine_names) WITH ORDINALITY AS l (name, place)
		JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = l.name
		WHERE t.table_id = of_table_id AND floe_internal.engine_refusal(s.server_type, of_operation, usable_engines.options) IS NULL
		  AND floe_internal.resources_refusal(s.server_type, e.settings) IS NULL
		  AND NOT EXISTS (SELECT 1 FROM floe.engine_approval AS a WHERE l.name <> ALL (a.engines) AND floe_internal.match_pattern(a.pattern, t.levels) IS NOT NULL));
END
$body$;
COMMENT ON FUNCTION floe_internal.usable_engines(pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb) IS 'Engines that the table''s policies name, that can honour the operation and are approved for the table, in order; NULL: none';

-- Approval ------------------------------------------------------------------------------------------

CREATE TABLE floe.engine_approval (
	pattern		pg_catalog.text PRIMARY KEY,
	engines		pg_catalog.text[] NOT NULL,
	description	pg_catalog.text CHECK (pg_catalog.length(description) OPERATOR(pg_catalog.<=) 10000),
	set_by		pg_catalog.text NOT NULL DEFAULT SESSION_USER,
	set_at		pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE floe.engine_approval IS 'Engines that are approved for the tables of a pattern (enterprise, domain, product …); every approval that matches a table must have the engine, so a lower level can only narrow. A table that none matches may use all';
COMMENT ON COLUMN floe.engine_approval.pattern IS 'As in floe.policy';
COMMENT ON COLUMN floe.engine_approval.engines IS 'SERVERs of wrapper floe_engine';

-- Of two approvals the lower one is the one whose pattern the other contains; where the texts do not show it, the one that names more literal
-- levels of a table that both match now. What meets only in tables to come, each table's gate sees.
CREATE FUNCTION floe_internal.approval_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('approval of %s', NEW.pattern);
	is_new bool := TG_OP = 'UPDATE' OR NEW.set_at = now();	-- otherwise it comes from a dump
	other record;
BEGIN
	IF NEW.pattern IS NULL THEN
		PERFORM floe_internal.refuse('an approval needs a pattern', NULL, 'For example floe.approve_engines(''demo.**'', ''{spark}'').');
	END IF;
	NEW.pattern := floe_internal.check_pattern(NEW.pattern);
	place := format('approval of %s', NEW.pattern);
	IF COALESCE(NEW.engines, '{}') = '{}' THEN
		PERFORM floe_internal.refuse(place || ': an approval names at least one engine', NULL, 'To stop everything there, use floe.pause().');
	END IF;
	IF NOT is_new THEN
		RETURN NEW;
	END IF;
	PERFORM floe_internal.check_fallback(NEW.engines, place);
	IF TG_OP = 'UPDATE' THEN
		NEW.set_by := SESSION_USER;
	END IF;
	NEW.set_at := floe_internal.clock();
	-- two that are saved at once see each other; the table itself each has locked already, and to ask for more of that would be a deadlock
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 3);
	SELECT a.pattern, a.engines, l.is_lower, l.example, e.engine INTO other
	FROM floe.engine_approval AS a
	CROSS JOIN LATERAL (
		SELECT true AS is_lower, NULL::text AS example WHERE floe_internal.pattern_covers(a.pattern, NEW.pattern)
		UNION ALL
		SELECT false, NULL WHERE floe_internal.pattern_covers(NEW.pattern, a.pattern)
		UNION ALL
		(SELECT m.mine > m.other, t.name
		 FROM floe_internal.iceberg_table AS t
		 CROSS JOIN LATERAL (SELECT floe_internal.match_pattern(NEW.pattern, t.levels) AS mine, floe_internal.match_pattern(a.pattern, t.levels) AS other) AS m
		 WHERE NOT floe_internal.pattern_covers(a.pattern, NEW.pattern) AND NOT floe_internal.pattern_covers(NEW.pattern, a.pattern)
		   AND t.status <> 'dropped' AND m.mine <> m.other
		 ORDER BY t.name LIMIT 1)) AS l
	CROSS JOIN LATERAL (SELECT x.engine FROM unnest(CASE WHEN l.is_lower THEN NEW.engines ELSE a.engines END) AS x (engine)
						WHERE x.engine <> ALL (CASE WHEN l.is_lower THEN a.engines ELSE NEW.engines END) LIMIT 1) AS e
	WHERE a.pattern <> NEW.pattern AND (TG_OP = 'INSERT' OR a.pattern <> OLD.pattern)
	ORDER BY a.pattern LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(
			CASE WHEN other.is_lower THEN format('%s: engine "%s" is not approved by the level above, %s', place, other.engine, other.pattern)
				ELSE format('%s: engine "%s" is approved by a level below, %s', place, other.engine, other.pattern) END,
			format('%s approves: %s.', other.pattern, array_to_string(other.engines, ', ')) || COALESCE(' Both match table ' || other.example || '.', ''),
			CASE WHEN other.is_lower THEN 'A lower level can only narrow what the levels above it approve.' ELSE 'A lower level can only narrow: change that one first.' END);
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.approval_before() IS 'Checks a row of floe.engine_approval: a lower level can only narrow';

CREATE TRIGGER approval_before BEFORE INSERT OR UPDATE ON floe.engine_approval
	FOR EACH ROW EXECUTE FUNCTION floe_internal.approval_before();

CREATE FUNCTION floe_internal.check_approved(engines pg_catalog.text[], policy_pattern pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	bad record;
BEGIN
	SELECT e.engine, a.pattern, a.engines INTO bad
	FROM unnest(engines) WITH ORDINALITY AS e (engine, place)
	JOIN floe.engine_approval AS a ON e.engine <> ALL (a.engines) AND floe_internal.pattern_covers(a.pattern, policy_pattern)
	ORDER BY e.place, a.pattern LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('%s: engine "%s" is not approved for %s', place, bad.engine, bad.pattern),
			format('%s approves: %s.', bad.pattern, array_to_string(bad.engines, ', ')), 'Name an approved engine; floe.engine_approval has the approvals.');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_approved(pg_catalog.text[], pg_catalog.text, pg_catalog.text) IS 'Refuses engines that an approval over all tables of a policy does not have; where only some of them are concerned, their gate says so';

CREATE FUNCTION floe.approve_engines(pattern pg_catalog.text, engines pg_catalog.text[], description pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	checked text := floe_internal.check_pattern(approve_engines.pattern);
	p record;
BEGIN
	UPDATE floe.engine_approval AS a SET engines = approve_engines.engines, description = COALESCE(approve_engines.description, a.description), set_by = SESSION_USER WHERE a.pattern = checked;
	IF NOT FOUND THEN
		INSERT INTO floe.engine_approval (pattern, engines, description) VALUES (checked, approve_engines.engines, approve_engines.description);
	END IF;
	FOR p IN
		SELECT x.name, string_agg(DISTINCT e.engine, ', ') AS engines
		FROM floe.policy AS x
		LEFT JOIN floe.policy_operation AS o ON o.policy_id = x.policy_id
		CROSS JOIN LATERAL unnest(x.engine || x.fallback_engines || o.engine || o.fallback_engines) AS e (engine)
		WHERE e.engine <> ALL (approve_engines.engines) AND floe_internal.pattern_covers(checked, x.pattern)
		GROUP BY x.name ORDER BY x.name
	LOOP
		RAISE NOTICE 'policy "%" names what is not approved for its tables any more: %', p.name, p.engines;
	END LOOP;
	RETURN (SELECT count(*) FROM floe_internal.iceberg_table AS t WHERE t.status <> 'dropped' AND floe_internal.match_pattern(checked, t.levels) IS NOT NULL);
END
$body$;
COMMENT ON FUNCTION floe.approve_engines(pg_catalog.text, pg_catalog.text[], pg_catalog.text)
	IS 'Only these engines may work on the tables of a pattern. A lower level can only narrow what a higher one approves. Returns the number of tables; policies that name others are told, and their operations are blocked';

CREATE FUNCTION floe.drop_engine_approval(pattern pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	DELETE FROM floe.engine_approval AS a WHERE a.pattern = floe_internal.check_pattern(drop_engine_approval.pattern);
	RETURN FOUND;
END
$body$;
COMMENT ON FUNCTION floe.drop_engine_approval(pg_catalog.text) IS 'Takes back the approval of exactly this pattern; false: there was none. What other levels approve holds';
-- =================================================================================================
-- 50 operations: queue, log, bookkeeping, events, budgets
-- The queue is hot and small: a row leaves it for the log in the transaction that ends the operation.
-- =================================================================================================

CREATE SEQUENCE floe_internal.operation_id_seq;
COMMENT ON SEQUENCE floe_internal.operation_id_seq IS 'Ids of operations, in the queue and in the log';

CREATE TABLE floe_internal.operation_log (
	operation_id		pg_catalog.int8 NOT NULL DEFAULT pg_catalog.nextval('floe_internal.operation_id_seq'),
	operation_key		pg_catalog.uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
	table_id			pg_catalog.int8 NOT NULL,
	table_name			pg_catalog.text NOT NULL,
	operation			pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	state				pg_catalog.text NOT NULL REFERENCES floe_internal.operation_state,
	by_hand				pg_catalog.bool NOT NULL,
	requested_by		pg_catalog.text NOT NULL,
	attempt				pg_catalog.int4 NOT NULL DEFAULT 0,
	engine				pg_catalog.text NOT NULL,
	settings			pg_catalog.jsonb NOT NULL,
	settings_hash		pg_catalog.text NOT NULL,
	policies			pg_catalog.text[] NOT NULL,
	reason				pg_catalog.jsonb NOT NULL,
	score				pg_catalog.float8 NOT NULL DEFAULT 0,
	score_parts			pg_catalog.jsonb,
	estimate			pg_catalog.jsonb,
	queued_at			pg_catalog.timestamptz NOT NULL,
	dispatched_at		pg_catalog.timestamptz,
	started_at			pg_catalog.timestamptz,
	engine_ended_at		pg_catalog.timestamptz,
	finished_at			pg_catalog.timestamptz,
	statement			pg_catalog.text,
	external_id			pg_catalog.text,
	before_snapshot_id	pg_catalog.int8,
	before				pg_catalog.jsonb,
	after				pg_catalog.jsonb,
	effect				pg_catalog.jsonb,
	new_snapshots		pg_catalog.jsonb,
	outcome				pg_catalog.text,
	engine_result		pg_catalog.jsonb,
	engine_row_count	pg_catalog.int8,
	error_class			pg_catalog.text REFERENCES floe_internal.error_class,
	error_message		pg_catalog.text,
	cancel_requested_by	pg_catalog.text,
	engine_reason		pg_catalog.text,
	PRIMARY KEY (operation_id)
);
CREATE INDEX operation_log_table ON floe_internal.operation_log (table_id, operation_id);
-- what floe_internal.throughput() learns from
CREATE INDEX operation_log_speed ON floe_internal.operation_log (engine, operation, operation_id) WHERE state = 'succeeded' AND estimate ->> 'bytes' IS NOT NULL AND engine_ended_at > started_at;
CREATE INDEX operation_log_finished ON floe_internal.operation_log (finished_at);
-- when an engine last did what it was asked for
CREATE INDEX operation_log_engine ON floe_internal.operation_log (engine, finished_at) WHERE state = 'succeeded';
COMMENT ON TABLE floe_internal.operation_log IS 'Operations that ended; kept for floe.operation_log_retention';
COMMENT ON COLUMN floe_internal.operation_log.operation_key IS 'Idempotency key; also the marker in the statement''s comment';
COMMENT ON COLUMN floe_internal.operation_log.engine_reason IS 'Why it is not the engine that the policy names first; NULL: it is';
COMMENT ON COLUMN floe_internal.operation_log.settings IS 'Effective settings when it was queued';
COMMENT ON COLUMN floe_internal.operation_log.reason IS 'The gates that let it through, as floe.why() showed them';
COMMENT ON COLUMN floe_internal.operation_log.before IS 'Metrics right before the statement was sent';
COMMENT ON COLUMN floe_internal.operation_log.after IS 'Metrics after the engine ended';
COMMENT ON COLUMN floe_internal.operation_log.effect IS 'after minus before, for every metric that changed';
COMMENT ON COLUMN floe_internal.operation_log.new_snapshots IS 'Snapshots that appeared in between, with their operation: replace is a rewrite, anything else is a writer''s commit';
COMMENT ON COLUMN floe_internal.operation_log.outcome IS 'What the engine said: succeeded, failed, cancelled, lost';
COMMENT ON COLUMN floe_internal.operation_log.engine_result IS 'Rows the engine returned, by column name, capped';

CREATE TABLE floe_internal.operation_queue (
	LIKE floe_internal.operation_log INCLUDING DEFAULTS,
	position			pg_catalog.int2 NOT NULL,
	not_before			pg_catalog.timestamptz NOT NULL DEFAULT '-infinity',
	driver_pass			pg_catalog.int4,
	saved				pg_catalog.bytea,
	before_snapshots	pg_catalog.int8[],
	unreachable_since	pg_catalog.timestamptz,
	timeout_at			pg_catalog.timestamptz,
	lost_sent			pg_catalog.bool NOT NULL DEFAULT false,
	engines				pg_catalog.text[],
	before_statistics	pg_catalog.text[],
	PRIMARY KEY (operation_id),
	FOREIGN KEY (table_id) REFERENCES floe_internal.iceberg_table,
	FOREIGN KEY (state) REFERENCES floe_internal.operation_state
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX operation_queue_one_live ON floe_internal.operation_queue (table_id)
	WHERE state IN ('dispatching', 'running', 'verifying', 'lost');
CREATE UNIQUE INDEX operation_queue_once ON floe_internal.operation_queue (table_id, operation);
CREATE INDEX operation_queue_next ON floe_internal.operation_queue (score DESC, operation_id) WHERE state = 'queued';
CREATE INDEX operation_queue_fallback ON floe_internal.operation_queue (operation_id) WHERE state = 'queued' AND engines IS NOT NULL;
COMMENT ON TABLE floe_internal.operation_queue IS 'Operations that have not ended. The two unique indexes are the rule: one live operation per table, one entry per table and operation';
COMMENT ON COLUMN floe_internal.operation_queue.driver_pass IS 'The pass that drives it; when that pass is gone, the next one takes over';
COMMENT ON COLUMN floe_internal.operation_queue.engines IS 'Engines that may have it, the preferred one first; NULL: only the one in engine. In the queue engine is the first of them, from the dispatch on the one that was chosen';
COMMENT ON COLUMN floe_internal.operation_queue.saved IS 'The engine adapter''s durable state, committed before the request that needs it; holds handles, so it is a secret';
COMMENT ON COLUMN floe_internal.operation_queue.before_snapshots IS 'Snapshot ids right before the statement was sent';
COMMENT ON COLUMN floe_internal.operation_queue.before_statistics IS 'Statistics files of the table right before the statement was sent: a commit of statistics makes no snapshot';
COMMENT ON COLUMN floe_internal.operation_queue.lost_sent IS 'The statement may have reached the engine before it was lost';

CREATE FUNCTION floe_internal.operation_transition_check() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF OLD.state <> NEW.state AND NOT EXISTS (
			SELECT 1 FROM floe_internal.operation_transition AS t WHERE t.from_state = OLD.state AND t.to_state = NEW.state) THEN
		RAISE EXCEPTION 'operation % cannot go from % to %', OLD.operation_id, OLD.state, NEW.state
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = 'Legal next states: ' || COALESCE((SELECT string_agg(t.to_state, ', ' ORDER BY t.to_state)
					FROM floe_internal.operation_transition AS t WHERE t.from_state = OLD.state), 'none') || '.';
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.operation_transition_check() IS 'Refuses transitions that floe_internal.operation_transition does not list';

CREATE TRIGGER operation_transition_check BEFORE UPDATE OF state ON floe_internal.operation_queue
	FOR EACH ROW EXECUTE FUNCTION floe_internal.operation_transition_check();

-- Whatever brings it back to the queue: which engine takes it is decided anew.
CREATE FUNCTION floe_internal.engine_anew() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	NEW.engine := COALESCE(NEW.engines[1], NEW.engine);
	NEW.engine_reason := NULL;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_anew() IS 'Trigger: an operation that is back in the queue has no engine yet';

CREATE TRIGGER operation_queue_engine BEFORE UPDATE OF state ON floe_internal.operation_queue
	FOR EACH ROW WHEN (NEW.state = 'queued' AND OLD.state <> 'queued') EXECUTE FUNCTION floe_internal.engine_anew();

CREATE TRIGGER operation_queue_wake AFTER INSERT ON floe_internal.operation_queue
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.wake_after('executor');

CREATE TABLE floe_internal.table_operation (
	table_id				pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	operation				pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	last_run_at				pg_catalog.timestamptz,
	last_success_at			pg_catalog.timestamptz,
	last_state				pg_catalog.text,
	failures				pg_catalog.int4 NOT NULL DEFAULT 0,
	failure_class			pg_catalog.text,
	failure_message			pg_catalog.text,
	failure_settings_hash	pg_catalog.text,
	failure_metadata		pg_catalog.text,
	backoff_until			pg_catalog.timestamptz,
	zero_changes			pg_catalog.int4 NOT NULL DEFAULT 0,
	zero_change_until		pg_catalog.timestamptz,
	zero_change_metric		pg_catalog.text,
	zero_change_value		pg_catalog.float8,
	zero_change_metadata	pg_catalog.text,
	schedule_key			pg_catalog.text,
	next_due_at				pg_catalog.timestamptz,
	slices_left				pg_catalog.int8 NOT NULL DEFAULT 0,
	slice_halvings			pg_catalog.int4 NOT NULL DEFAULT 0,
	slice_tried				pg_catalog.text[] NOT NULL DEFAULT '{}',
	PRIMARY KEY (table_id, operation)
);
CREATE INDEX table_operation_due ON floe_internal.table_operation (next_due_at) WHERE next_due_at IS NOT NULL;
COMMENT ON TABLE floe_internal.table_operation IS 'What happened last and what is due next, per table and operation';
COMMENT ON COLUMN floe_internal.table_operation.last_run_at IS 'End of the last run that reached the engine, however it ended';
COMMENT ON COLUMN floe_internal.table_operation.failure_settings_hash IS 'Settings at the last failure: classes config and permanent wait until these or the table change';
COMMENT ON COLUMN floe_internal.table_operation.zero_changes IS 'Runs in a row that changed nothing, or left the metric that called for them as it was';
COMMENT ON COLUMN floe_internal.table_operation.zero_change_metric IS 'The metric that called for the last of them; another one ends the wait; NULL: it was called for by conditions, a deadline or a person';
COMMENT ON COLUMN floe_internal.table_operation.zero_change_value IS 'Its value after that run; when it grows, the wait ends';
COMMENT ON COLUMN floe_internal.table_operation.zero_change_metadata IS 'The table''s metadata after that run; without a metric, another one ends the wait';
COMMENT ON COLUMN floe_internal.table_operation.schedule_key IS 'The schedule next_due_at was computed from';
COMMENT ON COLUMN floe_internal.table_operation.next_due_at IS 'Next time the schedule names, jitter included; NULL: not scheduled';

CREATE INDEX table_operation_slices ON floe_internal.table_operation (table_id) WHERE slices_left OPERATOR(pg_catalog.>) 0;
COMMENT ON COLUMN floe_internal.table_operation.slices_left IS 'Partitions that the budget of the last run did not reach: the next run follows at once';
COMMENT ON COLUMN floe_internal.table_operation.slice_halvings IS 'Conflicts, or ends of a resource, in a row: each halves the next slice';
COMMENT ON COLUMN floe_internal.table_operation.slice_tried IS 'Parts of the table, in the state in which they are, in which a run changed nothing: others come first';

CREATE SEQUENCE floe_internal.dispatch_turn_seq;
COMMENT ON SEQUENCE floe_internal.dispatch_turn_seq IS 'Order of dispatches';

CREATE TABLE floe_internal.dispatch_turn (
	catalog		pg_catalog.text NOT NULL,
	policy		pg_catalog.text NOT NULL,
	turn		pg_catalog.int8 NOT NULL,
	PRIMARY KEY (catalog, policy)
) WITH (fillfactor = 50);
COMMENT ON TABLE floe_internal.dispatch_turn IS 'When each catalog, and each policy in it, had its last turn at an engine: who waited longest goes first. policy: of those that configure the operation the one that wins, empty for the catalog as a whole';

CREATE TABLE floe_internal.trigger_request (
	request_id		pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	table_id		pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	operations		pg_catalog.text[],
	options			pg_catalog.jsonb NOT NULL,
	requested_by	pg_catalog.text NOT NULL,
	requested_at	pg_catalog.timestamptz NOT NULL
);
CREATE INDEX trigger_request_table ON floe_internal.trigger_request (table_id);
CREATE TRIGGER trigger_request_wake AFTER INSERT ON floe_internal.trigger_request
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.wake_after('assessor');
CREATE INDEX trigger_request_time ON floe_internal.trigger_request (requested_at);
COMMENT ON TABLE floe_internal.trigger_request IS 'Triggers of tables that must be assessed before anything can be planned';

CREATE TABLE floe_internal.event (
	event_id		pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	happened_at		pg_catalog.timestamptz NOT NULL,
	kind			pg_catalog.text NOT NULL,
	catalog			pg_catalog.text,
	table_id		pg_catalog.int8,
	table_name		pg_catalog.text,
	operation_id	pg_catalog.int8,
	message			pg_catalog.text NOT NULL,
	data			pg_catalog.jsonb
);
CREATE INDEX event_time ON floe_internal.event (happened_at);
CREATE INDEX event_table ON floe_internal.event (table_id, event_id);
COMMENT ON TABLE floe_internal.event IS 'Every change of state, written in the transaction of the change; kept for floe.event_retention';

CREATE FUNCTION floe_internal.write_event(kind pg_catalog.text, catalog pg_catalog.text, of_table_id pg_catalog.int8, of_table_name pg_catalog.text,
		of_operation_id pg_catalog.int8, message pg_catalog.text, data pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO floe_internal.event (happened_at, kind, catalog, table_id, table_name, operation_id, message, data)
		VALUES (floe_internal.clock(), write_event.kind, write_event.catalog, of_table_id, of_table_name, of_operation_id, write_event.message, write_event.data);
	-- a notification holds less than 8000 bytes, and a character in JSON takes up to six
	SELECT pg_catalog.pg_notify('floe', pg_catalog.json_build_object('kind', write_event.kind, 'catalog', write_event.catalog,
		'table', pg_catalog.left(of_table_name, 600), 'operation_id', of_operation_id, 'message', pg_catalog.left(write_event.message, 600))::pg_catalog.text);
	SELECT floe_internal.log_event(write_event.kind, write_event.catalog, of_table_name, write_event.message);
END;
COMMENT ON FUNCTION floe_internal.write_event(pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb) IS 'An event row, when the transaction commits a notification on channel floe, and in a worker a line in the server log';

CREATE TABLE floe.budget (
	name			pg_catalog.text PRIMARY KEY,
	pattern			pg_catalog.text NOT NULL DEFAULT '**',
	engine			pg_catalog.text,
	period			pg_catalog.interval NOT NULL DEFAULT '1 day' CHECK (period OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND period OPERATOR(pg_catalog.<=) '10 years'::pg_catalog.interval),
	operations		pg_catalog.int8 CHECK (operations >= 0),
	tables			pg_catalog.int8 CHECK (tables >= 0),
	bytes			pg_catalog.int8 CHECK (bytes >= 0),
	gb_hours		pg_catalog.float8 CHECK (gb_hours >= 0),
	concurrency		pg_catalog.int4 CHECK (concurrency >= 0),
	is_enabled		pg_catalog.bool NOT NULL DEFAULT true,
	description		pg_catalog.text
);
COMMENT ON TABLE floe.budget IS 'Limits on what is dispatched for matching tables within a sliding period; NULL: no limit of that kind. Tested before an operation is added, by its estimate';
COMMENT ON COLUMN floe.budget.pattern IS 'Tables it covers';
COMMENT ON COLUMN floe.budget.engine IS 'Only operations on this engine; NULL: on any';
COMMENT ON COLUMN floe.budget.period IS 'Operations dispatched within this long count; at most ten years';
COMMENT ON COLUMN floe.budget.bytes IS 'Bytes to be rewritten, by estimate';
COMMENT ON COLUMN floe.budget.gb_hours IS 'Engine memory times time: by estimate until the engine is done, then as measured';
COMMENT ON COLUMN floe.budget.concurrency IS 'Operations at the engine at one time';

CREATE FUNCTION floe_internal.budget_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	NEW.pattern := floe_internal.check_pattern(NEW.pattern);
	-- pg_dump switches check_function_bodies off: what a dump names may be gone
	IF NEW.engine IS NOT NULL AND (TG_OP = 'UPDATE' AND NEW.engine IS DISTINCT FROM OLD.engine OR TG_OP = 'INSERT' AND current_setting('check_function_bodies')::bool) THEN
		PERFORM floe_internal.check_engine_name(NEW.engine, format('budget "%s"', NEW.name));
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.budget_before() IS 'Checks a row of floe.budget';

CREATE TRIGGER budget_before BEFORE INSERT OR UPDATE ON floe.budget
	FOR EACH ROW EXECUTE FUNCTION floe_internal.budget_before();

CREATE TABLE floe_internal.engine_session (
	session_id		pg_catalog.int4 PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	engine			pg_catalog.text NOT NULL,
	key				pg_catalog.text NOT NULL,
	name			pg_catalog.text NOT NULL,
	operation_id	pg_catalog.int8 NOT NULL,
	last_used		pg_catalog.timestamptz NOT NULL
);
COMMENT ON TABLE floe_internal.engine_session IS 'Sessions at engines that are kept for several operations, one after another. One is in use while its operation is at the engine';
COMMENT ON COLUMN floe_internal.engine_session.key IS 'Digest of the settings it was started with, resources included: only operations with the same can use it';
COMMENT ON COLUMN floe_internal.engine_session.name IS 'At the engine, which keeps it unique: whoever finds none of that name there makes it anew';

CREATE TABLE floe.debt_term (
	term		pg_catalog.text PRIMARY KEY,
	position	pg_catalog.int2 NOT NULL UNIQUE,
	weight		pg_catalog.float8 NOT NULL CHECK (weight BETWEEN 0 AND 1000),
	is_penalty	pg_catalog.bool NOT NULL DEFAULT false,
	description	pg_catalog.text NOT NULL,
	is_changed	pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe.debt_term IS 'Terms of the debt score. Each is a number from 0 to 1 before its weight, so that no term drowns another by its unit';
COMMENT ON COLUMN floe.debt_term.weight IS 'floe''s default; a policy can set its own in "weights"';
COMMENT ON COLUMN floe.debt_term.is_penalty IS 'Subtracted: a table that keeps failing must not climb';
COMMENT ON COLUMN floe.debt_term.is_changed IS 'The weight was changed after installation: pg_dump carries it';

INSERT INTO floe.debt_term VALUES
	('severity', 1, 3, false, 'How far the worst metric with this remedy is beyond its thresholds: 0 at zero, 0.5 at warning, 1 at critical'),
	('gain', 2, 2, false, 'Objects (files, manifests, snapshots) that would go, on a logarithmic scale up to 100000'),
	('benefit', 3, 2, false, 'Objects that would go per GB-hour of the engine, on a logarithmic scale up to 100000'),
	('age', 4, 1, false, 'Time since the last success against the deadline, or against 30 days without one'),
	('failures', 5, 1, true, 'Consecutive failures, up to 5');

CREATE FUNCTION floe_internal.debt_term_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		NEW.is_changed := true;
		RETURN NEW;
	END IF;
	UPDATE floe.debt_term AS t SET weight = NEW.weight WHERE t.term = NEW.term;
	RETURN CASE WHEN NOT FOUND THEN NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.debt_term_before() IS 'Trigger: marks changed rows of floe.debt_term, and takes them back from a dump';

CREATE TRIGGER debt_term_before BEFORE INSERT OR UPDATE ON floe.debt_term
	FOR EACH ROW EXECUTE FUNCTION floe_internal.debt_term_before();
-- =================================================================================================
-- 52 settings in force
-- For one table and operation: the policies' values over the table's own properties over floe's defaults.
-- =================================================================================================

CREATE TABLE floe_internal.property_setting (
	property	pg_catalog.text NOT NULL,
	operation	pg_catalog.text NOT NULL,
	setting		pg_catalog.text NOT NULL,
	unit		pg_catalog.text NOT NULL CHECK (unit IN ('bytes', 'count', 'ms')),
	fallback	pg_catalog.jsonb NOT NULL,
	PRIMARY KEY (property, operation)
);
COMMENT ON TABLE floe_internal.property_setting IS 'Iceberg table properties that stand for a setting where no policy says otherwise; fallback: Iceberg''s own default. They guide decisions only: floe sends an option to an engine only if a policy sets it';

INSERT INTO floe_internal.property_setting VALUES
	('write.target-file-size-bytes', 'rewrite_data_files', 'options.target_file_size', 'bytes', '536870912'),
	('write.delete.target-file-size-bytes', 'rewrite_position_delete_files', 'options.target_file_size', 'bytes', '67108864'),
	('history.expire.max-snapshot-age-ms', 'expire_snapshots', 'options.max_snapshot_age', 'ms', '"5 days"'),
	('history.expire.min-snapshots-to-keep', 'expire_snapshots', 'options.retain_last', 'count', '1');

CREATE FUNCTION floe_internal.property_value(properties pg_catalog.jsonb, property pg_catalog.text, unit pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	-- Iceberg's way to say "never" and "no limit" is its largest number: 1000 years, a petabyte and the largest integer are as good.
	SELECT CASE
		WHEN NOT properties ? property OR (properties ->> property) !~ '^[0-9]{1,19}$' OR pg_catalog.ltrim(properties ->> property, '0') = '' AND unit = 'bytes' THEN NULL
		WHEN unit = 'ms' THEN pg_catalog.to_jsonb(pg_catalog.make_interval(secs => LEAST((properties ->> property)::pg_catalog.numeric, 31557600000000) / 1000))
		ELSE pg_catalog.to_jsonb(LEAST((properties ->> property)::pg_catalog.numeric, CASE unit WHEN 'bytes' THEN 1125899906842624 ELSE 2147483647 END)::pg_catalog.int8) END;
END;
COMMENT ON FUNCTION floe_internal.property_value(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'A table property as a setting; NULL if it is absent or not a number that can be meant';

CREATE FUNCTION floe_internal.builtin_settings(of_operation pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT COALESCE(jsonb_object_agg(x.setting, x.value), '{}')
		FROM (SELECT b.setting, b.value FROM floe_internal.builtin_setting AS b WHERE b.operation = of_operation
			  UNION ALL
			  SELECT p.setting, p.fallback FROM floe_internal.property_setting AS p WHERE p.operation = of_operation) AS x);
END
$body$;
COMMENT ON FUNCTION floe_internal.builtin_settings(pg_catalog.text) IS 'Defaults of one operation as setting -> value';

CREATE FUNCTION floe_internal.property_settings(of_operation pg_catalog.text, properties pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT COALESCE(jsonb_object_agg(p.setting, p.value), '{}')
		FROM (SELECT x.setting, floe_internal.property_value(properties, x.property, x.unit) AS value
			  FROM floe_internal.property_setting AS x WHERE x.operation = of_operation AND properties ? x.property OFFSET 0) AS p
		WHERE p.value IS NOT NULL);
END
$body$;
COMMENT ON FUNCTION floe_internal.property_settings(pg_catalog.text, pg_catalog.jsonb) IS 'What a table''s properties set for one operation';

-- One row per table and operation (and one for operation ''), with everything decisions need of settings.
CREATE VIEW floe_internal.table_setting AS
	SELECT t.table_id, k.operation,
		   -- few tables have one of these properties
		   COALESCE(b.settings, '{}') || CASE WHEN t.properties ?| (SELECT pg_catalog.array_agg(p.property) FROM floe_internal.property_setting AS p)
				THEN floe_internal.property_settings(k.operation, t.properties) ELSE '{}' END || COALESCE(l.held -> 'settings', '{}') || COALESCE(e.settings, '{}') AS settings,
		   COALESCE(e.settings, '{}') AS policy_settings,
		   COALESCE(e.origins, '{}') || COALESCE(l.held -> 'origins', '{}') AS origins,
		   COALESCE(e.locked, '{}') || COALESCE(l.held -> 'locked', '{}') AS locked
	FROM floe_internal.iceberg_table AS t
	CROSS JOIN (SELECT o.operation FROM floe_internal.operation_kind AS o UNION ALL SELECT '') AS k
	LEFT JOIN (SELECT o.operation, floe_internal.builtin_settings(o.operation) AS settings
			   FROM (SELECT x.operation FROM floe_internal.operation_kind AS x UNION ALL SELECT '') AS o OFFSET 0) AS b ON b.operation = k.operation
	LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id AND e.operation = k.operation
	-- few policies lock what a table property can say
	LEFT JOIN LATERAL (SELECT floe_internal.held_properties(k.operation, t.properties, e.bounds) AS held OFFSET 0) AS l ON e.bounds IS NOT NULL;
COMMENT ON VIEW floe_internal.table_setting IS 'Settings in force per table and operation; policy_settings and origins: the part that comes from policies; locked: what locks overruled';

CREATE FUNCTION floe_internal.lock_origin(locked pg_catalog.jsonb, setting pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.format('lock of policy "%s" (%s): %s; ', h.name, h.pattern, locked ->> 'allows')
		|| COALESCE((SELECT pg_catalog.format('policy "%s" (%s) asks for ', p.name, p.pattern) FROM floe.policy AS p WHERE p.policy_id = (locked ->> 'by')::pg_catalog.int4),
			locked ->> 'property' || ' asks for ', 'built in is ')
		|| COALESCE(floe_internal.setting_text(setting, locked -> 'asked'), 'nothing')
	FROM floe.policy AS h WHERE h.policy_id = (locked ->> 'holder')::pg_catalog.int4;
END;
COMMENT ON FUNCTION floe_internal.lock_origin(pg_catalog.jsonb, pg_catalog.text) IS 'Which lock a setting in force comes from, and what it overruled, for people';

-- Who set it: for floe.why() and floe.effective_policy().
CREATE FUNCTION floe_internal.origin_text(setting pg_catalog.text, of_operation pg_catalog.text, origins pg_catalog.jsonb, properties pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(
		(SELECT pg_catalog.format('policy "%s" (%s)', p.name, p.pattern) || COALESCE(' until ' || pg_catalog.upper(p.valid_during), '') FROM floe.policy AS p WHERE p.policy_id = (origins ->> setting)::pg_catalog.int4),
		(SELECT 'table property ' || s.property FROM floe_internal.property_setting AS s
		 WHERE s.operation = of_operation AND s.setting = origin_text.setting AND floe_internal.property_value(properties, s.property, s.unit) IS NOT NULL),
		'built in');
END;
COMMENT ON FUNCTION floe_internal.origin_text(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS 'Where a setting in force comes from, for people';

-- A table by its text form. Tables floe has not seen are told apart from names that are not names.
CREATE FUNCTION floe_internal.find_table(name pg_catalog.text) RETURNS floe_internal.iceberg_table
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	wanted text := floe_internal.format_name(floe_internal.parse_name(find_table.name));
	result floe_internal.iceberg_table;
BEGIN
	SELECT * INTO result FROM floe_internal.iceberg_table AS t WHERE t.name = wanted ORDER BY t.status = 'dropped', t.table_id DESC LIMIT 1;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.find_table(pg_catalog.text) IS 'The table of that name, NULL if floe has not seen it; a live one goes before a dropped one';

CREATE FUNCTION floe_internal.require_table(name pg_catalog.text) RETURNS floe_internal.iceberg_table
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result floe_internal.iceberg_table := floe_internal.find_table(require_table.name);
	catalog_name text := (floe_internal.parse_name(require_table.name))[1];
BEGIN
	IF result.table_id IS NULL THEN
		RAISE EXCEPTION 'table "%" is not known to floe', require_table.name
			USING ERRCODE = 'undefined_table',
				HINT = CASE WHEN EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_catalog' AND s.server_name = catalog_name)
					THEN 'CALL floe.run_maintenance() lists the catalog; SELECT name FROM floe.tables shows what it found. Names keep their case.'
					ELSE format('There is no catalog "%s": the first part of the name is a SERVER of wrapper floe_catalog.', catalog_name) END;
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.require_table(pg_catalog.text) IS 'The table of that name, or error 42P01 with the next step';

CREATE FUNCTION floe.effective_policy(table_name pg_catalog.text,
		OUT operation pg_catalog.text, OUT setting pg_catalog.text, OUT value pg_catalog.text, OUT set_by pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
	SELECT NULLIF(s.operation, ''), CASE e.key WHEN 'conditions' THEN 'when' ELSE e.key END,
		   floe_internal.setting_text(e.key, e.value),
		   COALESCE(floe_internal.lock_origin(s.locked -> e.key, e.key), floe_internal.origin_text(e.key, s.operation, s.origins, COALESCE(t.properties, '{}')))
	FROM (SELECT (floe_internal.require_table(table_name)).*) AS t
	JOIN floe_internal.table_setting AS s ON s.table_id = t.table_id
	LEFT JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
	CROSS JOIN LATERAL jsonb_each(s.settings) AS e
	WHERE (s.operation = '' OR s.settings ? 'configured') AND e.key <> 'configured'
	ORDER BY k.position NULLS FIRST, e.key
$body$;
COMMENT ON FUNCTION floe.effective_policy(pg_catalog.text) IS 'Every setting in force for a table and which policy, table property or default it comes from; operation NULL: of the table as a whole';

CREATE FUNCTION floe.matching_tables(pattern pg_catalog.text, OUT name pg_catalog.text) RETURNS SETOF pg_catalog.text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT t.name FROM floe_internal.iceberg_table AS t
	WHERE t.status <> 'dropped' AND floe_internal.match_pattern(floe_internal.check_pattern(pattern), t.levels) IS NOT NULL
	ORDER BY t.name
$body$;
COMMENT ON FUNCTION floe.matching_tables(pg_catalog.text) IS 'Tables floe knows that a pattern matches';

-- =================================================================================================
-- 55 metrics and issues
-- From stored health to numbers now (ages move, snapshots become expirable) and to what is beyond a threshold.
-- =================================================================================================

CREATE FUNCTION floe_internal.metrics_at(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, metric pg_catalog.text, value pg_catalog.float8)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT h.table_id, v.metric, v.value
	FROM floe_internal.health AS h
	JOIN floe_internal.iceberg_table AS t ON t.table_id = h.table_id
	JOIN floe_internal.table_setting AS s ON s.table_id = t.table_id AND s.operation = 'expire_snapshots'
	CROSS JOIN LATERAL floe_internal.expirable(t.snapshots, t.refs, t.current_snapshot_id,
		(s.settings ->> 'options.max_snapshot_age')::pg_catalog.interval, (s.settings ->> 'options.retain_last')::pg_catalog.int4,
		(floe_internal.property_value(t.properties, 'history.expire.max-ref-age-ms', 'ms') #>> '{}')::pg_catalog.interval, at) AS x
	CROSS JOIN LATERAL (VALUES
		('excess_file_count', h.excess_file_count::pg_catalog.float8),
		('small_file_count', h.small_file_count),
		('small_file_bytes', h.small_file_bytes),
		('data_file_count', h.data_file_count),
		('data_bytes', h.data_bytes),
		('record_count', h.record_count),
		('average_file_bytes', h.average_file_bytes),
		('oversized_file_count', h.oversized_file_count),
		('oversized_file_bytes', h.oversized_file_bytes),
		('delete_ratio', h.delete_ratio),
		('equality_delete_file_count', h.equality_delete_file_count),
		('equality_delete_row_count', h.equality_delete_row_count),
		('position_delete_file_count', h.position_delete_file_count),
		('position_delete_row_count', h.position_delete_row_count),
		('excess_delete_file_count', h.excess_delete_file_count),
		('deletion_vector_count', h.deletion_vector_count),
		('deletion_vector_row_count', h.deletion_vector_row_count),
		('delete_bytes', h.delete_bytes),
		('dangling_delete_count', h.dangling_delete_count),
		('manifest_count', h.manifest_count),
		('data_manifest_count', h.data_manifest_count),
		('delete_manifest_count', h.delete_manifest_count),
		('manifest_bytes', h.manifest_bytes),
		('excess_manifest_count', h.excess_manifest_count),
		('deleted_entry_count', h.deleted_entry_count),
		('manifest_spread', h.manifest_spread),
		('partition_count', h.partition_count),
		('partition_skew', h.partition_skew),
		('stat_column_count', h.stat_column_count),
		('expirable_snapshot_count', x.snapshot_count),
		('snapshot_count', h.snapshot_count),
		('oldest_snapshot_age', EXTRACT(epoch FROM at - h.oldest_snapshot_at)),
		('newest_snapshot_age', EXTRACT(epoch FROM at - h.newest_snapshot_at)),
		('last_write_age', EXTRACT(epoch FROM at - h.last_write_at)),
		('commit_interval', h.commit_interval),
		('ref_count', h.ref_count),
		('metadata_json_bytes', h.metadata_json_bytes),
		('metadata_log_count', h.metadata_log_count),
		('table_stats_lag', h.table_stats_lag),
		('table_stats_age', EXTRACT(epoch FROM at - h.table_stats_at)),
		('partition_stats_lag', h.partition_stats_lag),
		('partition_stats_age', EXTRACT(epoch FROM at - h.partition_stats_at))) AS v (metric, value)
	WHERE h.table_id = ANY (of_table_ids);
END;
COMMENT ON FUNCTION floe_internal.metrics_at(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Every metric of assessed tables as of a time; NULL: unknown';

CREATE FUNCTION floe_internal.warning_in_force(settings pg_catalog.jsonb, metric pg_catalog.text, builtin pg_catalog.float8) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE((settings ->> ('thresholds.' || metric || '.warning'))::pg_catalog.float8, builtin, (settings ->> ('thresholds.' || metric || '.critical'))::pg_catalog.float8);
END;
COMMENT ON FUNCTION floe_internal.warning_in_force(pg_catalog.jsonb, pg_catalog.text, pg_catalog.float8) IS 'At what value there is an issue: as policies say, else floe.metric.warning, else from where policies call it critical; NULL: never';

-- Metrics with the thresholds that hold for the table. severity: 0 at zero, 0.5 at warning, 1 at critical, more beyond.
CREATE FUNCTION floe_internal.judged_metrics(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, metric pg_catalog.text, value pg_catalog.float8, unit pg_catalog.text, warning pg_catalog.float8, critical pg_catalog.float8,
				   remedy pg_catalog.text, remedy_options pg_catalog.jsonb, requires pg_catalog.text, weight pg_catalog.float8, severity pg_catalog.float8, level pg_catalog.text, set_by_policy pg_catalog.int4, "position" pg_catalog.int2)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH setting AS MATERIALIZED (
		SELECT s.table_id, s.settings, s.origins FROM floe_internal.table_setting AS s WHERE s.table_id = ANY (of_table_ids) AND s.operation = ''
	)
	SELECT v.table_id, m.name, v.value, m.unit, l.warning, l.critical, m.remedy, m.remedy_options, m.requires, m.weight,
		   CASE WHEN v.value IS NULL OR l.warning IS NULL THEN NULL
				WHEN l.warning <= 0 AND l.critical <= 0 THEN 1
				WHEN v.value < l.warning THEN 0.5 * v.value / l.warning
				WHEN v.value >= l.critical THEN CASE WHEN l.critical > 0 THEN v.value / l.critical ELSE 1 END
				ELSE 0.5 + 0.5 * (v.value - l.warning) / (l.critical - l.warning) END,
		   CASE WHEN v.value >= l.critical THEN 'critical' WHEN v.value >= l.warning THEN 'warning' WHEN v.value IS NOT NULL AND l.warning IS NOT NULL THEN 'ok' END,
		   COALESCE((s.origins ->> ('thresholds.' || m.name || '.warning')), (s.origins ->> ('thresholds.' || m.name || '.critical')))::pg_catalog.int4,
		   m.position
	FROM floe_internal.metrics_at(of_table_ids, at) AS v
	JOIN floe.metric AS m ON m.name = v.metric
	JOIN setting AS s ON s.table_id = v.table_id
	CROSS JOIN LATERAL (SELECT
		floe_internal.warning_in_force(s.settings, m.name, m.warning) AS warning,
		COALESCE((s.settings ->> ('thresholds.' || m.name || '.critical'))::pg_catalog.float8, m.critical, 'Infinity') AS critical0) AS l0
	CROSS JOIN LATERAL (SELECT l0.warning, CASE WHEN l0.warning IS NULL THEN NULL ELSE GREATEST(l0.critical0, l0.warning) END AS critical) AS l;
END;
COMMENT ON FUNCTION floe_internal.judged_metrics(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Metrics against the thresholds in force; level: ok, warning, critical, NULL without thresholds or value';

CREATE FUNCTION floe_internal.format_interval(value pg_catalog.interval) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN e.seconds < 0 THEN '0s'
		WHEN e.seconds < 120 THEN e.seconds || 's'
		WHEN e.seconds < 7200 THEN e.seconds / 60 || 'min'
		WHEN e.seconds < 172800 THEN e.seconds / 3600 || 'h'
		ELSE e.seconds / 86400 || 'd' END
	FROM (SELECT pg_catalog.floor(EXTRACT(epoch FROM value))::pg_catalog.int8 AS seconds) AS e;
END;
COMMENT ON FUNCTION floe_internal.format_interval(pg_catalog.interval) IS 'A duration for people, in its largest sensible unit, rounded down';

CREATE FUNCTION floe_internal.format_metric(value pg_catalog.float8, unit pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN value IS NULL THEN 'unknown'
		WHEN value = 'Infinity' THEN 'none'
		WHEN unit = 'bytes' THEN pg_catalog.pg_size_pretty(value::pg_catalog.int8)
		WHEN unit = 'seconds' THEN floe_internal.format_interval(pg_catalog.make_interval(secs => LEAST(value, 9e9)))
		WHEN unit = 'ratio' THEN pg_catalog.rtrim(pg_catalog.rtrim(pg_catalog.to_char(pg_catalog.trunc(value::pg_catalog.numeric, 3), 'FM999999990.000'), '0'), '.')
		ELSE value::pg_catalog.int8::pg_catalog.text END;
END;
COMMENT ON FUNCTION floe_internal.format_metric(pg_catalog.float8, pg_catalog.text) IS 'A metric''s value for people';

-- =================================================================================================
-- 58 slices
-- Which partitions of a table a rewrite is about: the part of a large table that fits the budget of one
-- operation, and never the partitions that are being written. Separate from gates and selection, which ask.
-- =================================================================================================

-- The statement's text is made by the functions up to partition_term() alone. What has no form that every setting of Spark reads alike
-- (backslash, "${") is not said: NULL. It is the language of the option "where" (docs/predicates.md).
CREATE FUNCTION floe_internal.predicate_text(value pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN pg_catalog.strpos(value, '\') = 0 AND pg_catalog.strpos(value, '${') = 0 AND pg_catalog.strpos(value, '�') = 0 AND pg_catalog.length(value) <= 1000
		THEN '''' || pg_catalog.replace(value, '''', '''''') || '''' END;
END;
COMMENT ON FUNCTION floe_internal.predicate_text(pg_catalog.text) IS 'A text literal of a predicate; NULL where it has none that is safe, and for what was shown with U+FFFD, which stands for other bytes';

CREATE FUNCTION floe_internal.predicate_column(columns pg_catalog.jsonb, column_id pg_catalog.int4) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN floe_internal.predicate_text(c.item ->> 'name') IS NULL OR c.item ->> 'name' = '' THEN NULL
		WHEN pg_catalog.strpos(c.item ->> 'name', '.') = 0 THEN '`' || pg_catalog.replace(c.item ->> 'name', '`', '``') || '`'
		-- a dot is one of a path, or one of a name: only where each part is a struct it is the first for certain
		WHEN (SELECT pg_catalog.bool_and(EXISTS (SELECT 1 FROM pg_catalog.jsonb_array_elements(columns) AS s (item)
					WHERE s.item ->> 'type' = 'struct' AND s.item ->> 'name' = pg_catalog.array_to_string(p.parts[1:i], '.')))
			FROM pg_catalog.generate_series(1, pg_catalog.cardinality(p.parts) - 1) AS i)
			THEN (SELECT pg_catalog.string_agg('`' || pg_catalog.replace(x.part, '`', '``') || '`', '.' ORDER BY x.place) FROM pg_catalog.unnest(p.parts) WITH ORDINALITY AS x (part, place)) END
	FROM pg_catalog.jsonb_array_elements(columns) AS c (item)
	CROSS JOIN LATERAL (SELECT pg_catalog.string_to_array(c.item ->> 'name', '.') AS parts) AS p
	WHERE (c.item ->> 'id')::pg_catalog.int4 = column_id
	LIMIT 1;
END;
COMMENT ON FUNCTION floe_internal.predicate_column(pg_catalog.jsonb, pg_catalog.int4) IS 'A column of the current schema, quoted, by its id; NULL: it was dropped, or its name cannot be said safely';

-- What was read of a manifest is whatever somebody wrote: 31 February is a text like others, and must not be an error of all tables decided upon with this one.
CREATE FUNCTION floe_internal.predicate_day(value pg_catalog.text) RETURNS pg_catalog.timestamp
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN value ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' AND value > '0000z' THEN (
		SELECT CASE WHEN pg_catalog.to_char(d.at, 'YYYY-MM-DD') = value THEN d.at END
		FROM (SELECT (pg_catalog."left"(value, 4) || '-01-01')::pg_catalog.timestamp
			+ pg_catalog.make_interval(months => pg_catalog.substr(value, 6, 2)::pg_catalog.int4 - 1, days => pg_catalog."right"(value, 2)::pg_catalog.int4 - 1) AS at) AS d) END;
END;
COMMENT ON FUNCTION floe_internal.predicate_day(pg_catalog.text) IS 'The beginning of a day of the years 1 to 9999; NULL: there is no such day';

-- Years that every SQL can write with four digits.
CREATE FUNCTION floe_internal.predicate_time(at pg_catalog.timestamp, column_type pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN at < '0001-01-01' OR at >= '10000-01-01' THEN NULL
		WHEN column_type = 'date' THEN pg_catalog.to_char(at, '"DATE ''"YYYY-MM-DD"''"')
		WHEN column_type IN ('timestamp', 'timestamptz') THEN pg_catalog.to_char(at, '"TIMESTAMP ''"YYYY-MM-DD HH24:MI:SS.US"''"') END;
END;
COMMENT ON FUNCTION floe_internal.predicate_time(pg_catalog.timestamp, pg_catalog.text) IS 'A date or time literal for a column of that Iceberg type; at is in UTC';

CREATE FUNCTION floe_internal.predicate_literal(value pg_catalog.text, column_type pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN column_type = 'boolean' AND value IN ('true', 'false') THEN value
		WHEN column_type IN ('int', 'long') AND value ~ '^-?[0-9]{1,19}$' THEN value
		WHEN column_type LIKE 'decimal(%' AND value ~ '^-?[0-9]{1,38}(\.[0-9]{1,38})?$' THEN value
		WHEN column_type IN ('float', 'double') AND value ~ '^-?[0-9]{1,20}([.][0-9]{1,20})?(e[-+]?[0-9]{1,3})?$' THEN value
		WHEN column_type IN ('date', 'timestamp', 'timestamptz') AND value ~ '^.{10}(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(\+00:00)?)?$'
			THEN floe_internal.predicate_time(floe_internal.predicate_day(pg_catalog."left"(value, 10)) + COALESCE(NULLIF(pg_catalog.substr(value, 12, 15), ''), '0')::pg_catalog.interval, column_type)
		WHEN column_type = 'string' THEN floe_internal.predicate_text(value) END;
END;
COMMENT ON FUNCTION floe_internal.predicate_literal(pg_catalog.text, pg_catalog.text) IS 'A partition value, as floe.partition_health() shows it, as a literal of the source column''s Iceberg type; NULL: it has none';

-- The least text that is greater than every text that begins with this.
CREATE FUNCTION floe_internal.next_prefix(prefix pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog."left"(p.kept, -1) || pg_catalog.chr(CASE pg_catalog.ascii(pg_catalog."right"(p.kept, 1)) WHEN 55295 THEN 57344 ELSE pg_catalog.ascii(pg_catalog."right"(p.kept, 1)) + 1 END)
	FROM (SELECT pg_catalog.rtrim(prefix, '􏿿') AS kept) AS p WHERE p.kept <> '';
END;
COMMENT ON FUNCTION floe_internal.next_prefix(pg_catalog.text) IS 'By code points, without surrogates; NULL: there is none';

CREATE FUNCTION floe_internal.predicate_range(column_name pg_catalog.text, low pg_catalog.text, high pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN low IS NOT NULL THEN pg_catalog.concat_ws(' AND ', column_name || ' >= ' || low, column_name || ' < ' || high) END;
END;
COMMENT ON FUNCTION floe_internal.predicate_range(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'From low to below high; high NULL: to the end';

-- Iceberg finds the files of a predicate by projecting it on the partition, and these project on exactly one value.
CREATE FUNCTION floe_internal.partition_term(column_name pg_catalog.text, column_type pg_catalog.text, transform pg_catalog.text, value pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN column_name IS NULL OR transform = 'void' THEN NULL
		WHEN value IS NULL THEN CASE WHEN transform ~ '^(identity|bucket\[[0-9]+\]|truncate\[[0-9]+\]|year|month|day|hour)$' THEN column_name || ' IS NULL' END
		WHEN transform = 'identity' THEN column_name || ' = ' || floe_internal.predicate_literal(value, column_type)
		WHEN transform IN ('year', 'month', 'day', 'hour') THEN (
			SELECT floe_internal.predicate_range(column_name, floe_internal.predicate_time(b.at, column_type),
				floe_internal.predicate_time(b.at + ('1 ' || transform)::pg_catalog.interval, column_type))
			FROM (SELECT CASE transform WHEN 'year' THEN floe_internal.predicate_day(value || '-01-01')
				WHEN 'month' THEN floe_internal.predicate_day(value || '-01')
				WHEN 'day' THEN floe_internal.predicate_day(value)
				ELSE CASE WHEN value ~ '^.{10}-([01][0-9]|2[0-3])$'
					THEN floe_internal.predicate_day(pg_catalog."left"(value, 10)) + pg_catalog.make_interval(hours => pg_catalog."right"(value, 2)::pg_catalog.int4) END END AS at) AS b
			WHERE column_type <> 'date' OR transform <> 'hour')
		WHEN transform ~ '^truncate\[[1-9][0-9]{0,8}\]$' THEN (
			SELECT CASE
				WHEN column_type IN ('int', 'long') AND value ~ '^-?[0-9]{1,19}$' THEN floe_internal.predicate_range(column_name, value,
					CASE WHEN value::pg_catalog.numeric + w.width <= CASE column_type WHEN 'int' THEN 2147483647 ELSE 9223372036854775807 END THEN (value::pg_catalog.numeric + w.width)::pg_catalog.text END)
				WHEN column_type ~ '^decimal\([0-9]{1,2}, ?[0-9]{1,2}\)$' AND value ~ '^-?[0-9]{1,38}(\.[0-9]{1,38})?$' THEN floe_internal.predicate_range(column_name, value,
					(value::pg_catalog.numeric + w.width * ('1e-' || (pg_catalog.regexp_match(column_type, ', ?([0-9]+)'))[1])::pg_catalog.numeric)::pg_catalog.text)
				WHEN column_type = 'string' AND pg_catalog.length(value) < w.width THEN column_name || ' = ' || floe_internal.predicate_text(value)
				WHEN column_type = 'string' AND pg_catalog.length(value) = w.width THEN floe_internal.predicate_range(column_name, floe_internal.predicate_text(value),
					-- what comes after "[" is a backslash, which cannot be said; what is after that can
					floe_internal.predicate_text(pg_catalog.replace(floe_internal.next_prefix(value), '\', ']'))) END
			FROM (SELECT (pg_catalog.regexp_match(transform, '[0-9]+'))[1]::pg_catalog.int8 AS width) AS w) END;
END;
COMMENT ON FUNCTION floe_internal.partition_term(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text)
	IS 'The rows whose partition field has that value, as a predicate on its source column; NULL: it cannot be said (bucket, and what has no literal), and the field is left out';

CREATE FUNCTION floe_internal.partition_predicate(specs pg_catalog.jsonb, columns pg_catalog.jsonb, of_spec_id pg_catalog.int4, partition pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.string_agg(floe_internal.partition_term(floe_internal.predicate_column(columns, (f.item ->> 'source_id')::pg_catalog.int4), f.item ->> 'source_type',
			f.item ->> 'transform', partition::pg_catalog.json ->> (f.item ->> 'name')), ' AND ' ORDER BY f.place)
	FROM pg_catalog.jsonb_array_elements(specs) AS s (item)
	CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(s.item -> 'fields') WITH ORDINALITY AS f (item, place)
	WHERE (s.item ->> 'spec_id')::pg_catalog.int4 = of_spec_id;
END;
COMMENT ON FUNCTION floe_internal.partition_predicate(pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.int4, pg_catalog.text)
	IS 'The rows of a partition, and where a field cannot be said those of its neighbours; NULL: of no field can it be said';

-- Who writes the table, and how ------------------------------------------------------------------

CREATE FUNCTION floe_internal.writers(of_table_id pg_catalog.int8, settings pg_catalog.jsonb, at pg_catalog.timestamptz,
		OUT quiet_period pg_catalog.interval, OUT may_conflict pg_catalog.bool, OUT commit_interval pg_catalog.float8)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	commits int;
BEGIN
	SELECT h.commit_interval, COALESCE((settings ->> 'quiet_period')::interval,
			CASE WHEN h.commit_interval <= 600 THEN GREATEST(interval '2 minutes', make_interval(secs => 2 * h.commit_interval)) ELSE '0' END)
		INTO commit_interval, quiet_period
		FROM floe_internal.health AS h WHERE h.table_id = of_table_id AND h.last_write_at IS NOT NULL;
	may_conflict := false;
	IF NOT FOUND OR quiet_period = '0' THEN
		quiet_period := '0';
		RETURN;
	END IF;
	-- adding files conflicts with nothing; whoever removes rows, or replaces files, wants the files that he has read to be there
	SELECT count(*), COALESCE(bool_or(s.operation IS DISTINCT FROM 'append'), false) INTO commits, may_conflict
		FROM floe_internal.iceberg_table AS t CROSS JOIN LATERAL floe_internal.snapshot_list(t.snapshots) AS s
		WHERE t.table_id = of_table_id AND s.operation IS DISTINCT FROM 'replace' AND s.committed_at > at - GREATEST(interval '1 hour', 10 * quiet_period);
	IF commits < 3 AND NOT settings ? 'quiet_period' THEN
		quiet_period := '0';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.writers(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.timestamptz)
	IS 'quiet_period: so long after its last commit a partition counts as being written; 0: nobody writes often. As a policy says; else twice the median gap between commits, at least 2 minutes, for tables that are written every 10 minutes or more often. may_conflict: not all of the last commits only added files';

-- Partitions with something to gain. Those that one predicate cannot tell apart are one row.
CREATE FUNCTION floe_internal.slice_units(of_table_id pg_catalog.int8, with_deletes pg_catalog.bool, quiet_period pg_catalog.interval, at pg_catalog.timestamptz)
	RETURNS TABLE (predicate pg_catalog.text, partitions pg_catalog.int8, files pg_catalog.int8, objects pg_catalog.int8, bytes pg_catalog.float8, hot_until pg_catalog.timestamptz)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY
		WITH t AS MATERIALIZED (
			SELECT x.* FROM floe_internal.iceberg_table AS x WHERE x.table_id = of_table_id
		), recent AS MATERIALIZED (
			SELECT s.snapshot_id, s.sequence_number, s.committed_at FROM t CROSS JOIN LATERAL floe_internal.snapshot_list(t.snapshots) AS s
			WHERE s.operation IS DISTINCT FROM 'replace' AND s.committed_at > at - slice_units.quiet_period
		), merged AS (
			SELECT floe_internal.merge_partitions(m.content, m.spec_id, m.aggregate, z.target_bytes, z.small_below, z.oversized_above, z.min_input_files, z.deletes_per_file ORDER BY m.content DESC, l.place) AS parts
			FROM t CROSS JOIN LATERAL floe_internal.size_limits(t.table_id, t.properties) AS z
			CROSS JOIN LATERAL unnest(t.manifest_ids) WITH ORDINALITY AS l (id, place)
			JOIN floe_internal.manifest AS m ON m.manifest_id = l.id
		), part AS MATERIALIZED (
			SELECT p.spec_id, p.partition, p.excess_file_count + d.deletes AS objects, CASE WHEN d.deletes > 0 THEN p.data_file_count ELSE p.small_file_count END AS files,
				CASE WHEN d.deletes > 0 THEN p.data_bytes ELSE p.small_file_bytes END AS bytes,
				(SELECT max(r.committed_at) FROM recent AS r WHERE r.snapshot_id = ANY (p.snapshot_ids) OR r.sequence_number = p.last_delete_sequence) + slice_units.quiet_period AS hot_until
			FROM merged CROSS JOIN LATERAL unnest(merged.parts) AS p
			-- those that apply to nothing stay behind, whatever is rewritten
			CROSS JOIN LATERAL (SELECT CASE WHEN with_deletes
				THEN GREATEST(p.position_delete_file_count + p.equality_delete_file_count + p.deletion_vector_count - COALESCE(p.dangling_delete_count, 0), 0) ELSE 0 END AS deletes) AS d
			WHERE p.data_file_count > 0 AND p.excess_file_count + d.deletes > 0
		), field AS MATERIALIZED (
			SELECT (s.item ->> 'spec_id')::int4 AS spec_id, f.place, f.item ->> 'name' AS name, f.item ->> 'source_type' AS source_type, f.item ->> 'transform' AS transform,
				floe_internal.predicate_column(t.details -> 'columns', (f.item ->> 'source_id')::int4) AS column_name
			FROM t CROSS JOIN LATERAL jsonb_array_elements(t.specs) AS s (item) CROSS JOIN LATERAL jsonb_array_elements(s.item -> 'fields') WITH ORDINALITY AS f (item, place)
		), told AS (
			-- of very many those with most to gain are enough; all count in the sums
			SELECT x.*, CASE WHEN x.place <= 2000 THEN (
				SELECT string_agg(floe_internal.partition_term(f.column_name, f.source_type, f.transform, x.partition::json ->> f.name), ' AND ' ORDER BY f.place)
				FROM field AS f WHERE f.spec_id = x.spec_id) END AS predicate
			FROM (SELECT p.*, row_number() OVER (ORDER BY p.hot_until IS NOT NULL, p.objects DESC, p.bytes, p.spec_id, p.partition) AS place FROM part AS p) AS x
		)
		SELECT w.predicate, count(*), sum(w.files)::int8, sum(w.objects)::int8, sum(w.bytes)::float8, max(w.hot_until)
		FROM told AS w
		-- what cannot be said is not mixed up with what is being written
		GROUP BY w.predicate, CASE WHEN w.predicate IS NULL THEN w.hot_until IS NULL END
		ORDER BY 4 DESC, 5, 1;
END
$body$;
COMMENT ON FUNCTION floe_internal.slice_units(pg_catalog.int8, pg_catalog.bool, pg_catalog.interval, pg_catalog.timestamptz)
	IS 'Partitions in which rewriting data files would have an effect, most first: how to say them, what would go (objects: excess and delete files), what it costs, and until when they count as being written; predicate NULL: those that cannot be said';

CREATE FUNCTION floe_internal.applies_deletes(options pg_catalog.jsonb) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE(options ?| '{delete_file_threshold,delete_ratio_threshold}', false);
END;
COMMENT ON FUNCTION floe_internal.applies_deletes(pg_catalog.jsonb) IS 'Whether files are rewritten for the sake of their deletes, too';

-- For the gate "writers". severity: how far the worst metric is; beyond the middle between warning and critical waiting costs more than a conflict.
CREATE FUNCTION floe_internal.hot_partitions(of_table_id pg_catalog.int8, settings pg_catalog.jsonb, with_deletes pg_catalog.bool, severity pg_catalog.float8, at pg_catalog.timestamptz,
		OUT stops pg_catalog.bool, OUT told pg_catalog.text, OUT limit_told pg_catalog.text, OUT hot_until pg_catalog.timestamptz)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	w record;
	n record;
BEGIN
	SELECT * INTO w FROM floe_internal.writers(of_table_id, settings, at);
	IF w.quiet_period = '0' THEN
		RETURN;
	END IF;
	SELECT COALESCE(sum(u.partitions), 0) AS partitions, COALESCE(sum(u.partitions) FILTER (WHERE u.hot_until > at), 0) AS hot, min(u.hot_until) AS hot_until INTO n
		FROM floe_internal.slice_units(of_table_id, with_deletes, w.quiet_period, at) AS u;
	IF n.hot = 0 THEN
		RETURN;
	END IF;
	hot_until := n.hot_until;
	limit_told := 'quiet for ' || floe_internal.format_interval(w.quiet_period);
	stops := n.hot = n.partitions AND w.may_conflict AND COALESCE(severity, 0) < 0.75;
	told := concat_ws(', ', format('%s of %s partitions are hot', n.hot, n.partitions),
		CASE WHEN n.hot < n.partitions THEN NULL WHEN NOT w.may_conflict THEN 'but files are only added' WHEN NOT stops THEN 'and it is more urgent than that' END);
END
$body$;
COMMENT ON FUNCTION floe_internal.hot_partitions(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.bool, pg_catalog.float8, pg_catalog.timestamptz)
	IS 'Whether all partitions that need rewriting are being written, by somebody whom that would disturb; NULLs: none is';

-- The part of a table that the next rewrite_data_files is about. All NULL: the whole of it, as its options say.
CREATE FUNCTION floe_internal.slice(of_table_id pg_catalog.int8, settings pg_catalog.jsonb, options pg_catalog.jsonb, at pg_catalog.timestamptz, with_hot pg_catalog.bool,
		OUT predicate pg_catalog.text, OUT more_options pg_catalog.jsonb, OUT detail pg_catalog.jsonb)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	most_partitions CONSTANT int := 200;	-- a predicate of so many, or so long, is one that every engine takes
	most_text CONSTANT int := 12000;
	large_bytes CONSTANT float8 := 10e9;
	deletes CONSTANT bool := floe_internal.applies_deletes(options);
	rewrites_all CONSTANT bool := COALESCE((options ->> 'rewrite_all')::bool, false);
	h floe_internal.health;
	x floe_internal.table_operation;
	w record;
	u record;
	budget float8 := COALESCE((settings ->> 'slice_bytes')::float8, 'Infinity');
	most int;
	taken text[] := ARRAY[]::text[];
	marks text[] := ARRAY[]::text[];
	partitions int8 := 0;
	objects int8 := 0;
	bytes float8 := 0;
	rest int8 := 0;
	max_files int8;
BEGIN
	SELECT * INTO h FROM floe_internal.health AS z WHERE z.table_id = of_table_id;
	SELECT * INTO x FROM floe_internal.table_operation AS z WHERE z.table_id = of_table_id AND z.operation = 'rewrite_data_files';
	SELECT * INTO w FROM floe_internal.writers(of_table_id, settings, at);
	x.slice_halvings := COALESCE(x.slice_halvings, 0);
	IF settings ? 'slice_time' THEN
		budget := LEAST(budget, extract(epoch FROM (settings ->> 'slice_time')::interval)
			* (SELECT t.bytes_per_second FROM floe_internal.throughput(settings ->> 'engine', 'rewrite_data_files') AS t));
	END IF;
	with_hot := with_hot OR w.quiet_period = '0' OR h.last_write_at <= at - w.quiet_period;
	bytes := CASE WHEN deletes OR rewrites_all THEN h.data_bytes ELSE h.small_file_bytes END;
	-- after rewrite_all nothing shows what is left to do, so it could not go on where it stopped; of another branch the partitions are not known
	IF h.is_complete AND NOT rewrites_all AND COALESCE(options ->> 'branch', 'main') = 'main' AND (bytes > budget OR NOT with_hot OR x.slice_halvings > 0 OR x.slice_tried <> '{}') THEN
		bytes := 0;
		FOR u IN
			WITH a AS MATERIALIZED (
				SELECT z.*, md5(concat_ws('|', z.predicate, z.objects)) AS mark, COALESCE(z.hot_until > at, false) AND NOT with_hot AS is_hot
				FROM floe_internal.slice_units(of_table_id, deletes, w.quiet_period, at) AS z
			), n AS MATERIALIZED (
				SELECT sum(a.partitions) AS all_partitions, sum(a.bytes) AS all_bytes, COALESCE(sum(a.partitions) FILTER (WHERE a.is_hot), 0) AS hot_partitions, min(a.hot_until) FILTER (WHERE a.is_hot) AS hot_end,
					-- nothing is lost where files are only added, unless they will be rewritten once more soon
					COALESCE(sum(a.objects) FILTER (WHERE NOT a.is_hot) * CASE WHEN w.may_conflict THEN 1e9 ELSE 2 END >= sum(a.objects), false) AS cold_only
				FROM a
			), wanted AS (
				SELECT a.*, n.*, z.is_tried, bool_and(z.is_tried) OVER () AS all_tried
				FROM a CROSS JOIN n CROSS JOIN LATERAL (SELECT a.mark = ANY (COALESCE(x.slice_tried, '{}')) AS is_tried) AS z WHERE NOT (a.is_hot AND n.cold_only)
			), pool AS (
				SELECT z.*, sum(z.bytes) OVER () AS pool_bytes, sum(z.partitions) OVER () AS pool_partitions, count(z.predicate) OVER () AS units
				FROM wanted AS z WHERE z.all_tried OR NOT z.is_tried
			)
			SELECT * FROM pool ORDER BY pool.predicate IS NULL, pool.objects DESC, pool.bytes, pool.predicate
		LOOP
			IF detail IS NULL THEN
				-- while somebody writes, a partition that needs nothing yet may do so before the engine plans: then it is said which are meant
				EXIT WHEN x.slice_halvings = 0 AND u.pool_bytes <= budget AND u.pool_partitions = u.all_partitions AND (with_hot OR NOT u.cold_only);
				budget := LEAST(budget, u.pool_bytes) / pow(2, x.slice_halvings);
				most := ceil(LEAST(most_partitions, u.units) / pow(2, x.slice_halvings));
				detail := jsonb_build_object('of_partitions', u.all_partitions, 'of_bytes', u.all_bytes::int8)
					|| CASE WHEN u.hot_partitions > 0 AND u.cold_only THEN jsonb_build_object('hot_partitions', u.hot_partitions, 'hot_until', u.hot_end) ELSE '{}' END
					|| CASE WHEN x.slice_halvings > 0 THEN jsonb_build_object('halvings', x.slice_halvings) ELSE '{}' END;
			ELSIF u.predicate IS NULL OR cardinality(taken) >= most OR bytes + u.bytes > budget OR length(u.predicate) + (SELECT sum(length(z) + 6) FROM unnest(taken) AS z) > most_text OR max_files IS NOT NULL THEN
				rest := rest + u.partitions;
				CONTINUE;
			END IF;
			marks := marks || u.mark;
			taken := taken || u.predicate;
			partitions := partitions + u.partitions;
			objects := objects + u.objects;
			IF u.bytes > budget THEN
				-- one partition is more than that, or it cannot be said which: so many of its files, and it is not done with these
				max_files := GREATEST(2, floor(u.files * budget / u.bytes));
				rest := rest + 1;
			END IF;
			bytes := bytes + LEAST(u.bytes, budget);
		END LOOP;
	END IF;
	IF detail IS NOT NULL THEN
		detail := jsonb_build_object('partitions', partitions, 'bytes', bytes::int8, 'objects', objects, 'left', rest, 'units', marks) || detail;
		predicate := (SELECT string_agg(CASE WHEN cardinality(taken) > 1 AND strpos(z.term, ' AND ') > 0 THEN '(' || z.term || ')' ELSE z.term END, ' OR ' ORDER BY z.place)
			FROM unnest(taken) WITH ORDINALITY AS z (term, place) WHERE z.term IS NOT NULL);
		IF max_files IS NOT NULL THEN
			max_files := LEAST(max_files, (options ->> 'max_files_to_rewrite')::int8);
			detail := detail || jsonb_build_object('max_files', max_files);
			more_options := jsonb_build_object('max_files_to_rewrite', max_files);
		END IF;
	END IF;
	IF bytes > large_bytes AND NOT options ? 'partial_progress_enabled' THEN
		more_options := COALESCE(more_options, '{}') || '{"partial_progress_enabled": true}';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.slice(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.timestamptz, pg_catalog.bool)
	IS 'predicate: of its partitions, most to gain first, as many as fit slice_bytes and slice_time, halved after each conflict, none that are being written (unless with_hot); more_options: partial progress beyond 10 GB, and a limit on files where a predicate does not divide; detail: partitions and bytes of how many, left: partitions for the next slices. NULLs: the whole table';

CREATE FUNCTION floe_internal.slice_text(slice pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.concat_ws(', ', pg_catalog.format('%s of %s partitions', slice ->> 'partitions', slice ->> 'of_partitions'),
		pg_catalog.format('%s of %s', floe_internal.format_metric((slice ->> 'bytes')::pg_catalog.float8, 'bytes'), floe_internal.format_metric((slice ->> 'of_bytes')::pg_catalog.float8, 'bytes')),
		'at most ' || (slice ->> 'max_files') || ' files',
		CASE WHEN slice ? 'hot_partitions' THEN pg_catalog.format('%s hot until %s or later', slice ->> 'hot_partitions',
			pg_catalog.to_char((slice ->> 'hot_until')::pg_catalog.timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')) END)
	WHERE slice IS NOT NULL;
END;
COMMENT ON FUNCTION floe_internal.slice_text(pg_catalog.jsonb) IS 'A slice in a few words';
-- =================================================================================================
-- 60 gates
-- Everything that can hold an operation back, as rows. floe.why() shows them, the planner obeys them:
-- there is one implementation. A gate's status is pass, off, blocked, not needed or wait; the first that
-- does not pass, by position, is the verdict.
-- =================================================================================================

CREATE TABLE floe_internal.gate (
	gate		pg_catalog.text PRIMARY KEY,
	position	pg_catalog.int2 NOT NULL UNIQUE,
	is_timing	pg_catalog.bool NOT NULL,
	description	pg_catalog.text NOT NULL
);
COMMENT ON TABLE floe_internal.gate IS 'Gates in the order in which they are asked';
COMMENT ON COLUMN floe_internal.gate.is_timing IS 'A trigger by hand goes through it; through zero_change only when it names the operation';

INSERT INTO floe_internal.gate VALUES
	('policy', 1, false, 'A matching policy configures the operation'),
	('enabled', 2, false, 'No policy disables it'),
	('options', 3, false, 'The options that the policies set together do not contradict each other, fit the table, and can be honoured by an engine that they name'),
	('assessed', 4, false, 'The table was read and can be judged'),
	('writable', 5, false, 'The catalog takes commits: floe does not look at it through a tag'),
	('gc_enabled', 6, false, 'The table property gc.enabled allows deleting files'),
	('location', 7, false, 'No other table shares the location or lies inside it, and of all tables of the catalog it is known'),
	('paused', 8, false, 'Nobody paused it'),
	('need', 9, false, 'A metric, condition, deadline or cadence calls for it'),
	('interlock', 10, false, 'No other operation works on the table'),
	('engine', 11, false, 'An engine that the policies name exists, can do it, is approved for the table, and is neither drained nor known to be down'),
	('backoff', 12, true, 'The last failure is long enough ago, or what it waits for has changed'),
	('zero_change', 13, true, 'The last run helped, or the metric that called for it has grown since'),
	('schedule', 14, true, 'The schedule''s time has come'),
	('window', 15, true, 'Inside a window of an allowed day'),
	('min_interval', 16, true, 'Long enough after the last run that did not fail'),
	('writers', 17, false, 'Not all partitions that need it are being written, by somebody who also deletes');

CREATE FUNCTION floe_internal.schedule_key(settings pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN settings ? 'schedule' THEN
		pg_catalog.md5(pg_catalog.concat_ws('|', settings -> 'schedule', settings -> 'timezone', settings -> 'jitter')) END;
END;
COMMENT ON FUNCTION floe_internal.schedule_key(pg_catalog.jsonb) IS 'Identity of a schedule in force; NULL: none';

-- considered_at: when the schedule was last honoured or found unnecessary, else when the operation last ran; NULL: never.
-- The times do not depend on when a plan happened to come by, so starts neither drift nor bunch together. Where nothing is known of the
-- last week (another policy set the schedule before), what is past is not made up for.
CREATE FUNCTION floe_internal.schedule_next(settings pg_catalog.jsonb, seed pg_catalog.text, first_seen_at pg_catalog.timestamptz,
		considered_at pg_catalog.timestamptz, is_builtin pg_catalog.bool) RETURNS pg_catalog.timestamptz
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE
		WHEN settings #> '{schedule,cron}' IS NOT NULL THEN (
			SELECT n.named_at + floe_internal.jitter(seed, LEAST(COALESCE(g.jitter, '5 minutes'),
				floe_internal.cron_next(settings #>> '{schedule,cron}', settings ->> 'timezone', n.named_at) - n.named_at))
			FROM (SELECT GREATEST(considered_at, g.began_at) AS at) AS l
			CROSS JOIN LATERAL floe_internal.cron_next(settings #>> '{schedule,cron}', settings ->> 'timezone',
				CASE WHEN l.at < g.clock - interval '7 days' THEN g.clock ELSE l.at END) AS n (named_at))
		WHEN settings #> '{schedule,every}' IS NOT NULL THEN (
			SELECT CASE WHEN n.named_at < g.clock - interval '7 days' THEN g.clock + f.put_off ELSE n.named_at END
			-- in seconds: a day in the time zone of the session may have 23 hours
			FROM (SELECT pg_catalog.make_interval(secs => pg_catalog.date_part('epoch', (settings #>> '{schedule,every}')::pg_catalog.interval)) AS every OFFSET 0) AS i
			CROSS JOIN LATERAL (SELECT floe_internal.jitter(seed,
				LEAST(i.every, COALESCE(g.jitter, CASE WHEN is_builtin THEN i.every ELSE LEAST(i.every / 10, '5 minutes') END))) AS put_off OFFSET 0) AS f
			CROSS JOIN LATERAL (SELECT g.began_at + f.put_off AS at) AS a
			-- whole intervals from the first time: the next after what has just run late, and no earlier than an interval after a run from before
			CROSS JOIN LATERAL (SELECT a.at + i.every * CASE
				WHEN considered_at >= a.at THEN 1 + pg_catalog.round(pg_catalog.date_part('epoch', considered_at - a.at) / pg_catalog.date_part('epoch', i.every))
				WHEN considered_at > a.at - i.every THEN 1 ELSE 0 END AS named_at OFFSET 0) AS n)
		END
	FROM (SELECT floe_internal.clock() AS clock, (settings ->> 'jitter')::pg_catalog.interval AS jitter,
		GREATEST((settings #>> '{schedule,since}')::pg_catalog.timestamptz, first_seen_at) AS began_at OFFSET 0) AS g;
END;
COMMENT ON FUNCTION floe_internal.schedule_next(pg_catalog.jsonb, pg_catalog.text, pg_catalog.timestamptz, pg_catalog.timestamptz, pg_catalog.bool)
	IS 'Next time a schedule names, put off by the table''s jitter. A new cron schedule waits for its first time; a new interval starts within its jitter and then keeps to whole intervals; floe''s own cadence is spread over its whole period';

CREATE FUNCTION floe_internal.engine_state(engine_name pg_catalog.text,
		OUT server_type pg_catalog.text, OUT status pg_catalog.text, OUT retry_at pg_catalog.timestamptz, OUT error_message pg_catalog.text, OUT stamp pg_catalog.text, OUT drain pg_catalog.text)
	RETURNS pg_catalog.record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.server_type, COALESCE(e.status, 'new'), e.retry_at, e.error_message,
		   pg_catalog.md5(pg_catalog.concat_ws('|', s.server_oid, s.options,
			   (SELECT pg_catalog.string_agg(u.xmin::pg_catalog.text, ',' ORDER BY u.oid) FROM pg_catalog.pg_user_mapping AS u WHERE u.umserver = s.server_oid))),
		   CASE WHEN e.drained_at IS NOT NULL THEN pg_catalog.concat_ws(': ', 'drained by ' || e.drained_by, e.drain_reason) END
	FROM floe_internal.server AS s
	LEFT JOIN floe_internal.engine AS e ON e.server_name = s.server_name AND e.status <> 'removed'
	WHERE s.wrapper = 'floe_engine' AND s.server_name = engine_name;
END;
COMMENT ON FUNCTION floe_internal.engine_state(pg_catalog.text) IS 'An engine as a gate sees it; stamp changes with its definition or credentials (of which it holds nothing); drain: by whom and why nothing new is sent to it; NULLs: no such engine';

-- The statement's options: what policies set, plus what the metric's remedy needs to have an effect.
CREATE FUNCTION floe_internal.operation_options(settings pg_catalog.jsonb, origins pg_catalog.jsonb, remedy_options pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE(remedy_options, '{}') || COALESCE((
		SELECT pg_catalog.jsonb_object_agg(pg_catalog.substr(e.key, 9), e.value)
		FROM pg_catalog.jsonb_each(settings) AS e
		-- table properties are the engine's business: it reads them itself
		WHERE e.key LIKE 'options.%' AND (origins ? e.key OR e.key = 'options.older_than')), '{}');
END;
COMMENT ON FUNCTION floe_internal.operation_options(pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb) IS 'Options that go into the statement';

CREATE FUNCTION floe_internal.table_schema(details pg_catalog.jsonb, specs pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN details ? 'columns' THEN pg_catalog.jsonb_build_object('columns', details -> 'columns', 'column_count', details -> 'column_count', 'specs', COALESCE(specs, '[]')) ELSE '{}' END;
END;
COMMENT ON FUNCTION floe_internal.table_schema(pg_catalog.jsonb, pg_catalog.jsonb) IS 'What is known of a table''s columns and partitions, for schema_problem() and render_statement()';

-- Only where something can be wrong with it: most tables have no such options. A snapshot that is to expire must not be one that the table lives on.
CREATE FUNCTION floe_internal.options_problem(operation pg_catalog.text, options pg_catalog.jsonb, details pg_catalog.jsonb, specs pg_catalog.jsonb,
		refs pg_catalog.jsonb, current_snapshot_id pg_catalog.int8) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN options ?| '{where,sort_order,columns}' THEN floe_internal.schema_problem(operation, options, floe_internal.table_schema(details, specs))
		WHEN options ? 'snapshot_ids' THEN (
			SELECT pg_catalog.format('snapshot %s of snapshot_ids is %s', x.id, COALESCE('what ' || (r.ref ->> 'type') || ' "' || (r.ref ->> 'name') || '" points to', 'the current one'))
			FROM pg_catalog.jsonb_array_elements_text(options -> 'snapshot_ids') AS x (id)
			LEFT JOIN pg_catalog.jsonb_array_elements(COALESCE(refs, '[]')) AS r (ref) ON r.ref ->> 'snapshot_id' = x.id
			WHERE r.ref IS NOT NULL OR x.id = current_snapshot_id::pg_catalog.text
			ORDER BY r.ref ->> 'name' LIMIT 1) END;
END;
COMMENT ON FUNCTION floe_internal.options_problem(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.int8)
	IS 'Why options that are valid cannot be used with this table: a column that it has not, a snapshot that it needs; NULL: nothing. Options as they are stored';

-- What decides for one table and operation, before any gate.
CREATE FUNCTION floe_internal.decision_context(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, "position" pg_catalog.int2, deletes_files pg_catalog.bool, is_cadence pg_catalog.bool,
				   settings pg_catalog.jsonb, origins pg_catalog.jsonb, settings_hash pg_catalog.text,
				   metric pg_catalog.text, value pg_catalog.float8, unit pg_catalog.text, warning pg_catalog.float8, severity pg_catalog.float8, threshold_policy pg_catalog.int4,
				   remedy_options pg_catalog.jsonb, potential pg_catalog.bool, conditions_met pg_catalog.bool, conditions_text pg_catalog.text)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH setting AS MATERIALIZED (
		SELECT x.table_id, x.operation, x.settings, x.origins, x.settings ->> 'engine' AS engine
		FROM floe_internal.table_setting AS x WHERE x.table_id = ANY (of_table_ids) AND x.operation <> ''
	), engine AS MATERIALIZED (
		SELECT x.server_name, e.stamp FROM floe_internal.server AS x CROSS JOIN LATERAL floe_internal.engine_state(x.server_name) AS e WHERE x.wrapper = 'floe_engine'
	), measured AS MATERIALIZED (
		-- what a metric requires is one of the same table's: at hand in each row, without a join
		SELECT x.*, pg_catalog.jsonb_object_agg(x.metric, x.value) OVER (PARTITION BY x.table_id) AS known FROM floe_internal.judged_metrics(of_table_ids, at) AS x
	), judged AS MATERIALIZED (
		SELECT j.table_id, j.metric, j.value, j.unit, j.warning, j.severity, j.level, j.remedy, j.remedy_options, j.weight, j.set_by_policy, j.position,
			   (CASE WHEN j.requires IS NULL THEN j.value ELSE (j.known ->> j.requires)::pg_catalog.float8 END) > 0 AS has_effect
		FROM measured AS j
	), best AS (
		SELECT DISTINCT ON (j.table_id, j.remedy) j.*
		FROM judged AS j
		WHERE j.remedy IS NOT NULL AND j.severity IS NOT NULL
		ORDER BY j.table_id, j.remedy, (j.severity >= 0.5 AND j.has_effect) DESC, j.severity * j.weight DESC, j.position
	), potential AS (
		SELECT j.table_id, j.remedy, pg_catalog.bool_or(j.has_effect) AS any_effect
		FROM judged AS j WHERE j.remedy IS NOT NULL
		GROUP BY j.table_id, j.remedy
	), needed AS (
		-- what every remedy beyond its threshold needs to have an effect
		SELECT j.table_id, j.remedy, pg_catalog.jsonb_object_agg(o.key, o.value) AS options
		FROM judged AS j CROSS JOIN LATERAL pg_catalog.jsonb_each(j.remedy_options) AS o
		WHERE j.severity >= 0.5 AND j.has_effect
		GROUP BY j.table_id, j.remedy
	)
	SELECT s.table_id, k.operation, k.position, k.deletes_files, k.is_cadence, s.settings, s.origins,
		   pg_catalog.md5(pg_catalog.concat_ws('|', s.settings #- '{schedule,since}', e.stamp, (SELECT pg_catalog.string_agg(f.stamp, '|' ORDER BY l.place)
				FROM pg_catalog.jsonb_array_elements_text(s.settings -> 'fallback_engines') WITH ORDINALITY AS l (name, place) JOIN engine AS f ON f.server_name = l.name))),
		   b.metric, b.value, b.unit, b.warning, CASE WHEN b.has_effect THEN b.severity ELSE 0 END, b.set_by_policy,
		   COALESCE(n.options, '{}'), COALESCE(p.any_effect, false),
		   c.met, c.told
	FROM setting AS s
	JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
	LEFT JOIN engine AS e ON e.server_name = s.engine
	LEFT JOIN best AS b ON b.table_id = s.table_id AND b.remedy = k.operation
	LEFT JOIN potential AS p ON p.table_id = s.table_id AND p.remedy = k.operation
	LEFT JOIN needed AS n ON n.table_id = s.table_id AND n.remedy = k.operation
	LEFT JOIN LATERAL (
		SELECT CASE WHEN s.settings -> 'conditions' ? 'all' THEN pg_catalog.bool_and(x.met) ELSE pg_catalog.bool_or(x.met) END AS met,
			   pg_catalog.string_agg(x.told, CASE WHEN s.settings -> 'conditions' ? 'all' THEN ' and ' ELSE ' or ' END) AS told
		FROM (SELECT COALESCE(CASE q.item ->> 'op'
						WHEN '>=' THEN j.value >= (q.item ->> 'value')::pg_catalog.float8
						WHEN '>' THEN j.value > (q.item ->> 'value')::pg_catalog.float8
						WHEN '<=' THEN j.value <= (q.item ->> 'value')::pg_catalog.float8
						WHEN '<' THEN j.value < (q.item ->> 'value')::pg_catalog.float8
						WHEN '=' THEN j.value = (q.item ->> 'value')::pg_catalog.float8
						WHEN '<>' THEN j.value <> (q.item ->> 'value')::pg_catalog.float8 END, false) AS met,
					 pg_catalog.format('%s %s %s (is %s)', q.item ->> 'metric', q.item ->> 'op',
						floe_internal.format_metric((q.item ->> 'value')::pg_catalog.float8, j.unit), floe_internal.format_metric(j.value, j.unit)) AS told
			  FROM pg_catalog.jsonb_array_elements(COALESCE(s.settings #> '{conditions,all}', s.settings #> '{conditions,any}')) AS q (item)
			  LEFT JOIN judged AS j ON j.table_id = s.table_id AND j.metric = q.item ->> 'metric') AS x
		WHERE s.settings ? 'conditions') AS c ON true;
END;
COMMENT ON FUNCTION floe_internal.decision_context(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Settings, worst metric, conditions and potential effect per table and operation';

CREATE FUNCTION floe_internal.gates(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, by_hand pg_catalog.bool, named pg_catalog.text[])
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, operation_position pg_catalog.int2, gate pg_catalog.text, gate_position pg_catalog.int2,
				   status pg_catalog.text, label pg_catalog.text, value pg_catalog.text, limit_value pg_catalog.text, set_by pg_catalog.text, next_at pg_catalog.timestamptz,
				   settings pg_catalog.jsonb, settings_hash pg_catalog.text, origins pg_catalog.jsonb, severity pg_catalog.float8, remedy_options pg_catalog.jsonb)
	-- plpgsql, because its plan lives as long as the session: making it takes many times as long as using it for one table
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH policy AS MATERIALIZED (
		SELECT pg_catalog.jsonb_object_agg(p.policy_id, pg_catalog.format('policy "%s" (%s)', p.name, p.pattern) || COALESCE(' until ' || pg_catalog.upper(p.valid_during), '')) AS names FROM floe.policy AS p
	), engine AS MATERIALIZED (
		SELECT s.server_name, e.retry_at, e.error_message, e.drain
		FROM floe_internal.server AS s CROSS JOIN LATERAL floe_internal.engine_state(s.server_name) AS e WHERE s.wrapper = 'floe_engine'
	), approval AS MATERIALIZED (
		SELECT a.pattern, a.engines FROM floe.engine_approval AS a
	), unlocated AS MATERIALIZED (
		-- whose files may be anywhere: to who removes orphans they would be some
		SELECT k.catalog_id, CASE
				WHEN k.listed_at IS NULL THEN pg_catalog.format('catalog "%s" was not listed yet', k.server_name)
				WHEN u.n > 0 THEN pg_catalog.format('unknown of %s (%s)', u.name, u.status)
					|| CASE WHEN u.n >= 1000 THEN ' and at least 999 more' WHEN u.n > 1 THEN pg_catalog.format(' and %s more', u.n - 1) ELSE '' END
				WHEN k.left_out > 0 THEN pg_catalog.format('unknown of %s tables or namespaces with names that floe cannot keep', k.left_out)
				WHEN k.refused_count > 0 THEN pg_catalog.format('unknown of what is in %s namespaces that floe may not list', k.refused_count) END AS told,
			   pg_catalog.format('tables of catalog "%s"', k.server_name) AS set_by
		FROM floe_internal.catalog AS k
		CROSS JOIN LATERAL (
			SELECT pg_catalog.count(*) AS n, (pg_catalog.array_agg(y.name ORDER BY y.status = 'unseen', y.table_id))[1] AS name, (pg_catalog.array_agg(y.status ORDER BY y.status = 'unseen', y.table_id))[1] AS status
			FROM (SELECT i.table_id, i.name, i.status FROM floe_internal.iceberg_table AS i
				  WHERE i.catalog_id = k.catalog_id AND i.location_key IS NULL AND i.status <> 'dropped' ORDER BY i.catalog_id, i.table_id LIMIT 1000) AS y) AS u
		WHERE k.catalog_id IN (SELECT i.catalog_id FROM floe_internal.iceberg_table AS i WHERE i.table_id = ANY (of_table_ids))
	)
	SELECT c.table_id, c.operation, c.position, g.gate, k.position,
		   CASE WHEN by_hand AND k.is_timing AND g.status = 'wait' AND (g.gate <> 'zero_change' OR d.is_named) THEN 'pass' ELSE g.status END,
		   g.label, g.value, g.limit_value, g.set_by, CASE WHEN g.status <> 'pass' THEN g.next_at END,
		   c.settings, c.settings_hash, c.origins, c.severity, c.remedy_options
	FROM floe_internal.decision_context(of_table_ids, at) AS c
	JOIN floe_internal.iceberg_table AS t ON t.table_id = c.table_id
	JOIN floe_internal.catalog AS home ON home.catalog_id = t.catalog_id
	LEFT JOIN floe_internal.effective AS eff ON eff.policy_set_id = t.policy_set_id AND eff.operation = c.operation
	LEFT JOIN floe_internal.table_poll AS poll ON poll.table_id = c.table_id
	LEFT JOIN floe_internal.table_operation AS x ON x.table_id = c.table_id AND x.operation = c.operation
	LEFT JOIN LATERAL (
		SELECT x.reason, x.until, x.told FROM (
			SELECT p.reason, p.until, pg_catalog.format('pause of %s by %s', p.pattern, p.paused_by) AS told
			FROM floe_internal.pause AS p WHERE p.until > at AND floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL
			UNION ALL
			SELECT COALESCE(d.reason, 'drained'), 'infinity', 'drain by ' || d.drained_by FROM floe_internal.drain AS d) AS x
		ORDER BY x.until DESC LIMIT 1) AS paused ON true
	LEFT JOIN LATERAL (
		SELECT q.operation_id, q.operation, q.state FROM floe_internal.operation_queue AS q
		WHERE q.table_id = c.table_id AND (q.operation = c.operation OR q.state <> 'queued')
		ORDER BY q.state = 'queued', q.operation_id LIMIT 1) AS busy ON true
	LEFT JOIN LATERAL (
		-- three look-ups, each by the index on locations: the same, inside, above
		SELECT o.name FROM (
			SELECT i.table_id, i.name FROM floe_internal.iceberg_table AS i WHERE (i.status <> 'dropped' OR i.is_left_behind) AND i.location_key = t.location_key
			UNION ALL
			SELECT i.table_id, i.name FROM floe_internal.iceberg_table AS i WHERE (i.status <> 'dropped' OR i.is_left_behind) AND i.location_key > t.location_key || '/' AND i.location_key < t.location_key || '0'
			UNION ALL
			SELECT i.table_id, i.name FROM floe_internal.iceberg_table AS i WHERE (i.status <> 'dropped' OR i.is_left_behind) AND i.location_key = ANY (floe_internal.location_prefixes(t.location_key))) AS o
		WHERE c.operation = 'remove_orphan_files' AND o.table_id <> t.table_id
		ORDER BY o.name LIMIT 1) AS shared ON true
	LEFT JOIN unlocated ON unlocated.catalog_id = t.catalog_id AND c.operation = 'remove_orphan_files'
	-- of the engines named, in order: those that may never have it, those that may not now, and the first that may
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) AS listed, pg_catalog.count(*) FILTER (WHERE l.never IS NULL) AS able,
			   (pg_catalog.array_agg(l.name ORDER BY l.place) FILTER (WHERE l.never IS NULL AND l.not_now IS NULL))[1] AS ready,
			   pg_catalog.min(l.retry_at) FILTER (WHERE l.never IS NULL) AS retry_at,
			   (pg_catalog.array_agg(l.pattern ORDER BY l.place) FILTER (WHERE l.pattern IS NOT NULL))[1] AS approval,
			   pg_catalog.string_agg(CASE WHEN l.others THEN l.name || ': ' ELSE '' END || COALESCE(l.never, l.not_now), '; ' ORDER BY l.place) AS why_not
		FROM (SELECT n.name, n.place, pg_catalog.count(*) OVER () > 1 AS others, a.pattern, CASE WHEN e.drain IS NULL THEN e.retry_at END AS retry_at,
					 CASE WHEN e.server_name IS NULL THEN pg_catalog.format('there is no engine "%s"', n.name)
						WHEN eff.engine_refusals ? n.name THEN eff.engine_refusals ->> n.name
						WHEN a.pattern IS NOT NULL THEN pg_catalog.format('engine "%s" is not approved here; approved: %s', n.name, a.told) END AS never,
					 COALESCE(e.drain, CASE WHEN e.retry_at > at THEN COALESCE(e.error_message, 'it failed') END) AS not_now
			  FROM pg_catalog.unnest(eff.engine_names) WITH ORDINALITY AS n (name, place)
			  LEFT JOIN engine AS e ON e.server_name = n.name
			  LEFT JOIN LATERAL (SELECT p.pattern, pg_catalog.array_to_string(p.engines, ', ') AS told FROM approval AS p
								 WHERE n.name <> ALL (p.engines) AND floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL
								 ORDER BY floe_internal.match_pattern(p.pattern, t.levels), p.pattern LIMIT 1) AS a ON true) AS l) AS e
	LEFT JOIN floe_internal.health AS h ON h.table_id = c.table_id AND c.operation = 'rewrite_data_files' AND c.potential
		AND h.last_write_at > at - COALESCE((c.settings ->> 'quiet_period')::pg_catalog.interval, '20 minutes')
	LEFT JOIN LATERAL (SELECT x.* FROM floe_internal.hot_partitions(c.table_id, c.settings, floe_internal.applies_deletes(c.remedy_options) OR c.settings ?| '{options.delete_file_threshold,options.delete_ratio_threshold}',
		c.severity, at) AS x WHERE h.table_id IS NOT NULL) AS hot ON true
	CROSS JOIN policy
	CROSS JOIN LATERAL (SELECT
		CASE WHEN x.schedule_key = floe_internal.schedule_key(c.settings) THEN x.next_due_at
			ELSE floe_internal.schedule_next(c.settings, t.table_id || '/' || c.operation, t.first_seen_at, x.last_run_at, NOT c.origins ? 'schedule') END AS due_at,
		floe_internal.window_next(
			ARRAY(SELECT pg_catalog.jsonb_array_elements_text(c.settings -> 'windows')), ARRAY(SELECT pg_catalog.jsonb_array_elements_text(c.settings -> 'days')),
			c.settings ->> 'timezone', at) AS window_at,
		-- after a failure the backoff says how long
		CASE WHEN x.last_state = 'failed' THEN x.last_success_at ELSE x.last_run_at END + (c.settings ->> 'min_interval')::pg_catalog.interval AS rested_at,
		COALESCE(x.last_success_at, t.first_seen_at) + (c.settings ->> 'deadline')::pg_catalog.interval AS overdue_at,
		x.failures > 0 AND x.failure_settings_hash = c.settings_hash AND x.failure_metadata IS NOT DISTINCT FROM t.metadata_location AS unchanged,
		c.operation = ANY (named) AS is_named,
		-- what the last run left of a large table
		COALESCE(x.slices_left > 0 AND x.last_state <> 'cancelled', false) AND c.potential AS goes_on,
		EXISTS (SELECT 1 FROM floe_internal.policy_set AS m WHERE m.policy_set_id = t.policy_set_id AND m.policy_ids <> '{}') AS has_policy,
		-- functions of SQL are made ready anew for each row of VALUES, so they are called here
		floe_internal.format_interval((c.settings ->> 'min_interval')::pg_catalog.interval) AS rest_told,
		floe_internal.format_interval(at - CASE WHEN x.last_state = 'failed' THEN x.last_success_at ELSE x.last_run_at END) AS run_told,
		CASE WHEN x.last_success_at IS NOT NULL THEN floe_internal.format_interval(at - x.last_success_at) END AS success_told,
		CASE WHEN t.status = 'ok' AND eff.problem IS NULL AND c.settings ?| '{options.where,options.sort_order,options.columns,options.snapshot_ids}' THEN
			floe_internal.options_problem(c.operation, floe_internal.operation_options(c.settings, c.origins, c.remedy_options), t.details, t.specs, t.refs, t.current_snapshot_id) END AS misfit
		OFFSET 0) AS d0
	-- what calls for the operation, or comes closest to it
	CROSS JOIN LATERAL (SELECT d0.*, CASE
		WHEN c.operation = 'compute_partition_stats' AND t.details ->> 'is_partitioned' = 'false' THEN 'partitions'
		WHEN d0.is_named THEN 'requested'
		WHEN c.is_cadence THEN CASE WHEN by_hand OR c.conditions_met IS NULL THEN 'cadence' ELSE 'conditions' END
		WHEN c.conditions_met THEN 'conditions'
		WHEN (c.conditions_met IS NULL OR by_hand) AND c.severity >= 0.5 THEN 'metric'
		WHEN d0.overdue_at <= at AND c.potential THEN 'deadline'
		WHEN d0.goes_on THEN 'slice'
		WHEN NOT c.conditions_met THEN 'conditions'
		WHEN c.metric IS NULL AND c.settings ? 'deadline' THEN 'later'
		ELSE 'metric' END AS called_by
		OFFSET 0) AS d
	CROSS JOIN LATERAL (VALUES
		('policy',
			CASE WHEN c.settings ? 'configured' OR (d.is_named AND d.has_policy) THEN 'pass' ELSE 'off' END, 'policy',
			CASE WHEN NOT d.has_policy THEN 'no policy matches'
				WHEN NOT c.settings ? 'configured' THEN 'no matching policy has it' ELSE 'configured' END, NULL,
			CASE WHEN c.settings ? 'configured' THEN COALESCE(policy.names ->> (c.origins ->> 'configured'), 'built in') END, NULL::pg_catalog.timestamptz),
		('enabled', CASE WHEN (c.settings ->> 'enabled') = 'false' THEN 'off' ELSE 'pass' END, 'enabled',
			COALESCE(c.settings ->> 'enabled', 'true'), NULL, COALESCE(policy.names ->> (c.origins ->> 'enabled'), 'built in'), NULL),
		('options', CASE WHEN eff.problem IS NOT NULL OR d.misfit IS NOT NULL THEN 'blocked' ELSE 'pass' END, 'options', COALESCE(eff.problem, d.misfit, 'valid'), NULL,
			CASE WHEN eff.problem IS NOT NULL THEN 'policies together' WHEN d.misfit IS NOT NULL THEN 'the table''s metadata' END, NULL),
		('assessed',
			CASE t.status WHEN 'ok' THEN 'pass' WHEN 'unseen' THEN 'wait' WHEN 'error' THEN 'wait' ELSE 'blocked' END, 'assessed',
			CASE t.status WHEN 'ok' THEN 'ok' WHEN 'unseen' THEN 'not assessed yet' WHEN 'dropped' THEN 'dropped from the catalog' ELSE t.error_message END, NULL,
			CASE WHEN t.status IN ('error', 'unsupported', 'quarantined') THEN 'last assessment (' || t.status || ')' END,
			CASE WHEN t.status NOT IN ('quarantined', 'dropped') THEN poll.next_poll_at END),
		('writable', CASE WHEN home.config ? 'read_only' THEN 'blocked' ELSE 'pass' END, 'writable', CASE WHEN home.config ? 'read_only' THEN 'no' ELSE 'yes' END, NULL,
			home.config ->> 'read_only', NULL),
		('gc_enabled', CASE WHEN c.deletes_files AND pg_catalog.lower(t.properties ->> 'gc.enabled') = 'false' THEN 'blocked' ELSE 'pass' END, 'gc_enabled',
			COALESCE(t.properties ->> 'gc.enabled', 'true'), NULL, CASE WHEN c.deletes_files AND (t.properties ? 'nessie.commit.id' OR t.details ->> 'gc_owner' = 'Nessie') THEN 'table property gc.enabled, by Nessie: other branches and commits may need the files; nessie-gc removes them'
				WHEN t.properties ? 'gc.enabled' THEN 'table property gc.enabled' END, NULL),
		('location', CASE WHEN shared.name IS NOT NULL OR (c.operation = 'remove_orphan_files' AND t.location_key IS NULL AND t.status = 'ok') THEN 'blocked'
				WHEN unlocated.told IS NOT NULL THEN 'wait' ELSE 'pass' END, 'location',
			COALESCE('shared with or nested in ' || shared.name, unlocated.told, t.location), NULL,
			CASE WHEN shared.name IS NOT NULL THEN 'location ' || t.location WHEN unlocated.told IS NOT NULL THEN unlocated.set_by END, NULL),
		('paused', CASE WHEN paused.until IS NOT NULL THEN 'blocked' ELSE 'pass' END, 'paused',
			CASE WHEN paused.until IS NOT NULL THEN COALESCE(paused.reason, 'paused') ELSE 'no' END, NULL,
			paused.told, NULLIF(paused.until, 'infinity')),
		('need',
			CASE d.called_by
				WHEN 'cadence' THEN CASE WHEN by_hand AND d.due_at > at AND x.last_success_at IS NOT NULL THEN 'not needed' ELSE 'pass' END
				WHEN 'conditions' THEN CASE WHEN c.conditions_met THEN 'pass' ELSE 'not needed' END
				WHEN 'metric' THEN CASE WHEN c.severity >= 0.5 THEN 'pass' ELSE 'not needed' END
				WHEN 'partitions' THEN 'not needed'
				WHEN 'later' THEN 'not needed'
				ELSE 'pass' END,
			CASE d.called_by WHEN 'metric' THEN COALESCE(c.metric, 'need') WHEN 'later' THEN 'deadline' ELSE d.called_by END,
			CASE d.called_by
				WHEN 'requested' THEN 'by name'
				WHEN 'partitions' THEN 'not partitioned'
				WHEN 'later' THEN CASE WHEN NOT c.potential THEN 'nothing to do' ELSE COALESCE('last success ' || d.success_told || ' ago', 'never run') END
				WHEN 'conditions' THEN c.conditions_text
				WHEN 'slice' THEN pg_catalog.format('%s partitions left by the last run', x.slices_left)
				WHEN 'metric' THEN floe_internal.format_metric(c.value, c.unit)
				ELSE COALESCE('last success ' || d.success_told || ' ago', 'never run') END,
			CASE d.called_by
				WHEN 'cadence' THEN c.settings #>> '{schedule,every}'
				WHEN 'deadline' THEN c.settings ->> 'deadline'
				WHEN 'later' THEN c.settings ->> 'deadline'
				WHEN 'metric' THEN CASE WHEN c.metric IS NOT NULL THEN floe_internal.format_metric(c.warning, c.unit) END END,
			CASE d.called_by
				WHEN 'requested' THEN 'trigger'
				WHEN 'partitions' THEN 'partition specs of the table'
				WHEN 'slice' THEN 'last run'
				WHEN 'metric' THEN CASE WHEN c.metric IS NOT NULL THEN COALESCE(policy.names ->> c.threshold_policy::pg_catalog.text, 'built in') END
				ELSE COALESCE(policy.names ->> (c.origins ->> CASE d.called_by WHEN 'cadence' THEN 'schedule' WHEN 'later' THEN 'deadline' ELSE d.called_by END), 'built in') END,
			CASE WHEN d.called_by = 'later' AND c.potential THEN d.overdue_at WHEN d.due_at > at THEN d.due_at ELSE poll.next_poll_at END),
		('interlock', CASE WHEN busy.operation_id IS NOT NULL THEN 'wait' ELSE 'pass' END, 'interlock',
			CASE WHEN busy.operation_id IS NOT NULL THEN pg_catalog.format('operation %s (%s) is %s', busy.operation_id, busy.operation, busy.state) ELSE 'free' END, NULL, NULL, NULL),
		('engine',
			CASE WHEN e.able = 0 THEN 'blocked' WHEN e.ready IS NULL THEN 'wait' ELSE 'pass' END, 'engine',
			CASE WHEN e.listed = 0 THEN 'no policy names an engine' WHEN e.ready IS NULL THEN e.why_not
				WHEN e.ready = eff.engine_names[1] THEN e.ready ELSE pg_catalog.format('%s (%s)', e.ready, e.why_not) END, NULL,
			CASE WHEN e.able = 0 AND e.approval IS NOT NULL THEN 'approval of ' || e.approval
				WHEN e.listed > 0 THEN COALESCE(policy.names ->> (c.origins ->> CASE WHEN c.origins ? 'engine' THEN 'engine' ELSE 'fallback_engines' END), 'built in') END, e.retry_at),
		('backoff',
			CASE WHEN d.unchanged AND (x.failure_class IN ('config', 'permanent') OR x.failures >= (c.settings ->> 'max_attempts')::pg_catalog.int4) THEN 'wait'
				WHEN x.backoff_until > at AND x.failure_settings_hash = c.settings_hash THEN 'wait' ELSE 'pass' END, 'backoff',
			CASE WHEN x.failures > 0 THEN pg_catalog.format('%s failure(s), last: %s', x.failures, x.failure_message) ELSE 'no failure' END,
			CASE WHEN d.unchanged AND x.failures >= (c.settings ->> 'max_attempts')::pg_catalog.int4 THEN c.settings ->> 'max_attempts' END,
			CASE WHEN x.failures > 0 THEN CASE WHEN d.unchanged AND (x.failure_class IN ('config', 'permanent') OR x.failures >= (c.settings ->> 'max_attempts')::pg_catalog.int4)
					THEN 'error class ' || x.failure_class || ': waits for a change of policy, server or table'
				ELSE 'error class ' || x.failure_class END END,
			CASE WHEN NOT d.unchanged OR (x.failure_class NOT IN ('config', 'permanent') AND x.failures < (c.settings ->> 'max_attempts')::pg_catalog.int4) THEN x.backoff_until END),
		('zero_change', CASE WHEN x.zero_change_until > at AND CASE WHEN x.zero_change_metric IS NULL THEN t.metadata_location IS NOT DISTINCT FROM x.zero_change_metadata
				ELSE NOT COALESCE(c.metric IS DISTINCT FROM x.zero_change_metric OR c.value > x.zero_change_value, false) END THEN 'wait' ELSE 'pass' END, 'zero_change',
			COALESCE(x.zero_changes, 0) || ' run(s) without effect', NULL,
			CASE WHEN x.zero_changes > 0 THEN pg_catalog.format('last run; ends when %s', COALESCE(x.zero_change_metric || ' grows', 'the table changes')) END, x.zero_change_until),
		('schedule', CASE WHEN d.due_at > at AND NOT d.goes_on THEN 'wait' ELSE 'pass' END, 'schedule',
			COALESCE(c.settings #>> '{schedule,cron}', 'every ' || (c.settings #>> '{schedule,every}'), 'none'), NULL, COALESCE(policy.names ->> (c.origins ->> 'schedule'), 'built in'), d.due_at),
		('window', CASE WHEN d.window_at > at THEN 'wait' WHEN d.window_at IS NULL THEN 'wait' ELSE 'pass' END, 'window',
			COALESCE(NULLIF(pg_catalog.concat_ws(' on ', c.settings ->> 'windows', c.settings ->> 'days'), ''), 'none'), NULL,
			COALESCE(policy.names ->> (c.origins ->> CASE WHEN c.origins ? 'windows' THEN 'windows' ELSE 'days' END), 'built in'), d.window_at),
		('min_interval', CASE WHEN d.rested_at > at AND NOT d.goes_on THEN 'wait' ELSE 'pass' END, 'min_interval',
			COALESCE(d.run_told, CASE WHEN x.last_state = 'failed' THEN 'only failed so far' ELSE 'never run' END), d.rest_told,
			COALESCE(policy.names ->> (c.origins ->> 'min_interval'), 'built in'), d.rested_at),
		('writers', CASE WHEN hot.stops AND d.is_named IS NOT TRUE AND COALESCE(d.overdue_at > at, true) THEN 'wait' ELSE 'pass' END, 'writers',
			COALESCE(hot.told, 'none in the way'), hot.limit_told,
			CASE WHEN hot.told IS NOT NULL THEN COALESCE(policy.names ->> (c.origins ->> 'quiet_period'), 'commit interval ' || floe_internal.format_metric(h.commit_interval, 'seconds')) END, hot.hot_until)
		) AS g (gate, status, label, value, limit_value, set_by, next_at)
	JOIN floe_internal.gate AS k ON k.gate = g.gate;
END
$body$;
COMMENT ON FUNCTION floe_internal.gates(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.bool, pg_catalog.text[])
	IS 'All gates of all operations of some tables at a time. by_hand: timing does not hold it back; named: operations asked for by name, which need no reason';

-- The verdict: the first gate that does not pass, or run. The whole list goes along as the reason where it is asked for.
CREATE FUNCTION floe_internal.decide(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, by_hand pg_catalog.bool, named pg_catalog.text[], all_reasons pg_catalog.bool DEFAULT true)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, operation_position pg_catalog.int2, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text,
				   limit_value pg_catalog.text, set_by pg_catalog.text, next_at pg_catalog.timestamptz, settings pg_catalog.jsonb, settings_hash pg_catalog.text,
				   origins pg_catalog.jsonb, severity pg_catalog.float8, remedy_options pg_catalog.jsonb, reasons pg_catalog.jsonb)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH all_gates AS MATERIALIZED (
		SELECT * FROM floe_internal.gates(of_table_ids, at, by_hand, named)
	), first_stop AS (
		SELECT DISTINCT ON (g.table_id, g.operation) g.*
		FROM all_gates AS g
		-- the first that stops; if none does, the need, which is why it runs
		ORDER BY g.table_id, g.operation, g.status = 'pass', CASE WHEN g.status = 'pass' THEN g.gate <> 'need' END, g.gate_position
	), told AS (
		SELECT a.table_id, a.operation, pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('gate', a.label, 'status', a.status, 'value', a.value,
			'limit', a.limit_value, 'set_by', a.set_by, 'next_at', a.next_at)) ORDER BY a.gate_position) AS reasons
		FROM first_stop AS f JOIN all_gates AS a ON a.table_id = f.table_id AND a.operation = f.operation
		WHERE all_reasons OR f.status = 'pass'
		GROUP BY a.table_id, a.operation
	)
	SELECT f.table_id, f.operation, f.operation_position, CASE WHEN f.status = 'pass' THEN 'run' ELSE f.status END, f.label, f.value, f.limit_value, f.set_by, f.next_at,
		   f.settings, f.settings_hash, f.origins, f.severity, f.remedy_options,
		   r.reasons
	FROM first_stop AS f LEFT JOIN told AS r ON r.table_id = f.table_id AND r.operation = f.operation;
END;
COMMENT ON FUNCTION floe_internal.decide(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.bool, pg_catalog.text[], pg_catalog.bool)
	IS 'One verdict per table and operation, with the gate that decided and all gates as reasons; without all_reasons only for what is to run';

-- =================================================================================================
-- 65 estimates and debt
-- What an operation would gain and cost, and the score that orders candidates. Every term is a number
-- from 0 to 1 before its weight.
-- =================================================================================================

-- Bytes per second that finished runs of this engine and operation achieved.
CREATE FUNCTION floe_internal.throughput(of_engine pg_catalog.text, of_operation pg_catalog.text, OUT bytes_per_second pg_catalog.float8, OUT runs pg_catalog.int8)
	RETURNS pg_catalog.record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.sum(r.bytes) / NULLIF(pg_catalog.sum(r.seconds), 0), 20e6), pg_catalog.count(*)
	FROM (SELECT (l.estimate ->> 'bytes')::pg_catalog.float8 AS bytes, EXTRACT(epoch FROM l.engine_ended_at - l.started_at)::pg_catalog.float8 AS seconds
		  FROM floe_internal.operation_log AS l
		  WHERE l.engine = of_engine AND l.operation = of_operation AND l.state = 'succeeded' AND l.estimate ->> 'bytes' IS NOT NULL AND l.engine_ended_at > l.started_at
		  ORDER BY l.operation_id DESC LIMIT 20) AS r;
END;
COMMENT ON FUNCTION floe_internal.throughput(pg_catalog.text, pg_catalog.text) IS 'Learned from the last 20 successful runs; 20 MB/s while there are none (runs = 0)';

CREATE FUNCTION floe_internal.estimates(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, objects pg_catalog.float8, bytes pg_catalog.float8, minutes pg_catalog.float8, gb_hours pg_catalog.float8, runs pg_catalog.int8)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH setting AS MATERIALIZED (
		SELECT x.table_id, x.operation, COALESCE(x.settings ->> 'engine', '') AS engine FROM floe_internal.table_setting AS x WHERE x.table_id = ANY (of_table_ids) AND x.operation <> ''
	), m AS MATERIALIZED (
		SELECT v.table_id, pg_catalog.jsonb_object_agg(v.metric, v.value) AS metrics FROM floe_internal.metrics_at(of_table_ids, at) AS v GROUP BY v.table_id
	), speed AS MATERIALIZED (
		-- by engine and operation, not by table
		SELECT d.engine, d.operation, w.bytes_per_second, w.runs,
			   COALESCE((SELECT (s.options ->> 'memory_gb')::pg_catalog.float8 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = d.engine), 2) AS memory_gb
		FROM (SELECT DISTINCT x.engine, x.operation FROM setting AS x) AS d
		CROSS JOIN LATERAL floe_internal.throughput(d.engine, d.operation) AS w
	)
	SELECT s.table_id, s.operation, e.objects, e.bytes, t.minutes, t.minutes / 60 * speed.memory_gb, speed.runs
	FROM setting AS s
	JOIN m ON m.table_id = s.table_id
	JOIN speed ON speed.operation = s.operation AND speed.engine = s.engine
	CROSS JOIN LATERAL (SELECT
		CASE s.operation
			WHEN 'rewrite_data_files' THEN COALESCE((m.metrics ->> 'excess_file_count')::pg_catalog.float8, 0) + COALESCE(d.delete_files, 0)
			WHEN 'rewrite_position_delete_files' THEN GREATEST((m.metrics ->> 'excess_delete_file_count')::pg_catalog.float8,
				LEAST((m.metrics ->> 'dangling_delete_count')::pg_catalog.float8, (m.metrics ->> 'position_delete_file_count')::pg_catalog.float8), 0)
			WHEN 'rewrite_manifests' THEN COALESCE((m.metrics ->> 'excess_manifest_count')::pg_catalog.float8, 0)
			WHEN 'expire_snapshots' THEN COALESCE((m.metrics ->> 'expirable_snapshot_count')::pg_catalog.float8, 0) END AS objects,
		CASE s.operation
			WHEN 'rewrite_data_files' THEN CASE WHEN d.delete_files > 0 THEN (m.metrics ->> 'data_bytes')::pg_catalog.float8 ELSE (m.metrics ->> 'small_file_bytes')::pg_catalog.float8 END
			WHEN 'rewrite_position_delete_files' THEN (m.metrics ->> 'delete_bytes')::pg_catalog.float8
			WHEN 'rewrite_manifests' THEN (m.metrics ->> 'manifest_bytes')::pg_catalog.float8
			WHEN 'compute_table_stats' THEN (m.metrics ->> 'data_bytes')::pg_catalog.float8
			WHEN 'compute_partition_stats' THEN (m.metrics ->> 'manifest_bytes')::pg_catalog.float8 END AS bytes
		FROM (SELECT CASE WHEN (m.metrics ->> 'delete_ratio')::pg_catalog.float8 >= 0.2 OR (m.metrics ->> 'equality_delete_file_count')::pg_catalog.float8 >= 20
						THEN COALESCE((m.metrics ->> 'position_delete_file_count')::pg_catalog.float8, 0) + COALESCE((m.metrics ->> 'equality_delete_file_count')::pg_catalog.float8, 0) END AS delete_files) AS d) AS e
	CROSS JOIN LATERAL (SELECT 0.2 + COALESCE(e.bytes, 0) / speed.bytes_per_second / 60 AS minutes) AS t;
END;
COMMENT ON FUNCTION floe_internal.estimates(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Gain (objects that would go) and cost (bytes to touch, minutes, GB-hours) per table and operation; runs: how many past runs the speed rests on, 0: a default';

CREATE FUNCTION floe_internal.log_scale(value pg_catalog.float8, top pg_catalog.float8) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT LEAST(1, pg_catalog.ln(1 + GREATEST(COALESCE(value, 0), 0)) / pg_catalog.ln(1 + top));
END;
COMMENT ON FUNCTION floe_internal.log_scale(pg_catalog.float8, pg_catalog.float8) IS '0 to 1, logarithmic, 1 at top and beyond';

CREATE FUNCTION floe_internal.debt_terms(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, term pg_catalog.text, "position" pg_catalog.int2, raw pg_catalog.float8, value pg_catalog.float8,
				   weight pg_catalog.float8, contribution pg_catalog.float8)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH setting AS MATERIALIZED (
		SELECT x.table_id, x.settings FROM floe_internal.table_setting AS x WHERE x.table_id = ANY (of_table_ids) AND x.operation = ''
	), context AS MATERIALIZED (
		SELECT x.table_id, x.operation, x.settings ->> 'deadline' AS deadline, x.severity FROM floe_internal.decision_context(of_table_ids, at) AS x
	), estimate AS MATERIALIZED (
		SELECT * FROM floe_internal.estimates(of_table_ids, at)
	)
	SELECT c.table_id, c.operation, d.term, d.position, v.raw, v.value, w.weight, CASE WHEN d.is_penalty THEN - v.value ELSE v.value END * w.weight
	FROM context AS c
	JOIN floe_internal.iceberg_table AS t ON t.table_id = c.table_id
	JOIN setting AS s ON s.table_id = c.table_id
	LEFT JOIN estimate AS e ON e.table_id = c.table_id AND e.operation = c.operation
	LEFT JOIN floe_internal.table_operation AS x ON x.table_id = c.table_id AND x.operation = c.operation
	CROSS JOIN LATERAL (SELECT EXTRACT(epoch FROM at - COALESCE(x.last_success_at, t.first_seen_at))::pg_catalog.float8 AS idle,
		EXTRACT(epoch FROM COALESCE(c.deadline::pg_catalog.interval, '30 days'))::pg_catalog.float8 AS patience) AS i
	CROSS JOIN LATERAL (VALUES
		('severity', COALESCE(c.severity, 0), LEAST(1, COALESCE(c.severity, 0))),
		('gain', COALESCE(e.objects, 0), floe_internal.log_scale(e.objects, 100000)),
		('benefit', COALESCE(e.objects / NULLIF(e.gb_hours, 0), 0), floe_internal.log_scale(e.objects / NULLIF(e.gb_hours, 0), 100000)),
		('age', i.idle, LEAST(1, GREATEST(0, i.idle) / i.patience)),
		('failures', COALESCE(x.failures, 0)::pg_catalog.float8, LEAST(5, COALESCE(x.failures, 0)) / 5.0)) AS v (term, raw, value)
	JOIN floe.debt_term AS d ON d.term = v.term
	CROSS JOIN LATERAL (SELECT COALESCE((s.settings ->> ('weights.' || d.term))::pg_catalog.float8, d.weight) AS weight) AS w;
END;
COMMENT ON FUNCTION floe_internal.debt_terms(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Each term of the debt score per table and operation: measured, from 0 to 1, weighted';

CREATE FUNCTION floe.debt(table_name pg_catalog.text,
		OUT operation pg_catalog.text, OUT term pg_catalog.text, OUT raw pg_catalog.float8, OUT value pg_catalog.float8, OUT weight pg_catalog.float8, OUT contribution pg_catalog.float8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT d.operation, d.term, round(d.raw::numeric, 3)::float8, round(d.value::numeric, 4)::float8, d.weight, round(d.contribution::numeric, 4)::float8
	FROM (SELECT (floe_internal.require_table(table_name)).table_id) AS t
	CROSS JOIN LATERAL floe_internal.debt_terms(ARRAY[t.table_id], floe_internal.clock()) AS d
	JOIN floe_internal.operation_kind AS k ON k.operation = d.operation
	ORDER BY k.position, d.position
$body$;
COMMENT ON FUNCTION floe.debt(pg_catalog.text) IS 'Breakdown of a table''s debt score: per operation and term, as measured (raw), from 0 to 1 (value), and weighted';

-- =================================================================================================
-- 70 selection
-- Which candidates go into the queue: by score, under budgets that are tested before each is added. What
-- does not fit is passed over, and the list goes on below it.
-- =================================================================================================

-- What a budget has left: dispatched or queued within its period counts, by estimate, and its time as measured once it is known.
CREATE FUNCTION floe_internal.budget_state(at pg_catalog.timestamptz)
	RETURNS TABLE (name pg_catalog.text, pattern pg_catalog.text, engine pg_catalog.text,
				   operations_left pg_catalog.float8, tables_left pg_catalog.float8, bytes_left pg_catalog.float8, gb_hours_left pg_catalog.float8, used_tables pg_catalog.int8[],
				   operations_limit pg_catalog.float8, tables_limit pg_catalog.float8, bytes_limit pg_catalog.float8, gb_hours_limit pg_catalog.float8, free_at pg_catalog.timestamptz)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT b.name, b.pattern, b.engine,
		   b.operations - pg_catalog.count(u.operation_id), b.tables - pg_catalog.count(DISTINCT u.table_id),
		   b.bytes - COALESCE(pg_catalog.sum(u.bytes), 0), b.gb_hours - COALESCE(pg_catalog.sum(u.gb_hours), 0),
		   COALESCE(pg_catalog.array_agg(DISTINCT u.table_id) FILTER (WHERE u.table_id IS NOT NULL), '{}'),
		   b.operations, b.tables, b.bytes, b.gb_hours,
		   pg_catalog.min(u.counted_at) + b.period
	FROM floe.budget AS b
	LEFT JOIN LATERAL (
		SELECT o.operation_id, o.table_id, (o.estimate ->> 'bytes')::pg_catalog.float8 AS bytes,
			   (o.estimate ->> 'gb_hours')::pg_catalog.float8 * COALESCE(EXTRACT(epoch FROM o.took)::pg_catalog.float8 / 60 / NULLIF((o.estimate ->> 'minutes')::pg_catalog.float8, 0), 1) AS gb_hours, o.counted_at
		FROM (SELECT l.operation_id, l.table_id, l.estimate, l.engine, l.dispatched_at AS counted_at, l.engine_ended_at - l.started_at AS took FROM floe_internal.operation_log AS l
			  WHERE l.dispatched_at > at - b.period AND l.finished_at > at - b.period AND l.started_at IS NOT NULL
			  UNION ALL
			  SELECT q.operation_id, q.table_id, q.estimate, q.engine, COALESCE(q.dispatched_at, q.queued_at), q.engine_ended_at - q.started_at FROM floe_internal.operation_queue AS q) AS o
		JOIN floe_internal.iceberg_table AS t ON t.table_id = o.table_id
		WHERE (b.engine IS NULL OR b.engine = o.engine) AND floe_internal.match_pattern(b.pattern, t.levels) IS NOT NULL) AS u ON true
	WHERE b.is_enabled
	GROUP BY b.name;
END;
COMMENT ON FUNCTION floe_internal.budget_state(pg_catalog.timestamptz) IS 'What is left of each enabled budget; negative when its limit was lowered or an operation took longer than estimated. free_at: when the oldest use leaves the period';

CREATE TYPE floe_internal.budget_line AS (
	name pg_catalog.text, pattern pg_catalog.text, engine pg_catalog.text,
	operations_left pg_catalog.float8, tables_left pg_catalog.float8, bytes_left pg_catalog.float8, gb_hours_left pg_catalog.float8, used_tables pg_catalog.int8[],
	operations_limit pg_catalog.float8, tables_limit pg_catalog.float8, bytes_limit pg_catalog.float8, gb_hours_limit pg_catalog.float8, free_at pg_catalog.timestamptz
);
COMMENT ON TYPE floe_internal.budget_line IS 'One budget while candidates are chosen';

-- Candidates that every gate lets through, in order of score, with what the budgets say to each. The loop is
-- over candidates, not tables: a greedy choice is sequential by nature.
CREATE FUNCTION floe_internal.select_candidates(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, by_hand pg_catalog.bool, named pg_catalog.text[], all_reasons pg_catalog.bool DEFAULT false)
	RETURNS TABLE (rank pg_catalog.int4, table_id pg_catalog.int8, operation pg_catalog.text, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text,
				   limit_value pg_catalog.text, set_by pg_catalog.text, next_at pg_catalog.timestamptz, score pg_catalog.float8, score_parts pg_catalog.jsonb, estimate pg_catalog.jsonb,
				   settings pg_catalog.jsonb, settings_hash pg_catalog.text, origins pg_catalog.jsonb, remedy_options pg_catalog.jsonb, reasons pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	c record;
	b record;
	budgets floe_internal.budget_line[];
	stopped text;
	part record;
	share float8;
BEGIN
	SELECT array_agg(ROW(s.name, s.pattern, s.engine, s.operations_left, s.tables_left, s.bytes_left, s.gb_hours_left, s.used_tables,
			s.operations_limit, s.tables_limit, s.bytes_limit, s.gb_hours_limit, s.free_at)::floe_internal.budget_line ORDER BY s.name)
		INTO budgets FROM floe_internal.budget_state(at) AS s;
	rank := 0;
	FOR c IN
		-- so many tables at a time that the cost grows with their number, whatever joins the planner chooses
		WITH portion AS (
			SELECT array_agg(x.id) AS ids FROM unnest(of_table_ids) WITH ORDINALITY AS x (id, place) GROUP BY (x.place - 1) / 100
		)
		SELECT candidate.* FROM portion
		CROSS JOIN LATERAL (
			WITH d AS MATERIALIZED (
				SELECT * FROM floe_internal.decide(portion.ids, at, by_hand, named, all_reasons) AS x
				-- what nobody asked for takes nothing out of a budget
				WHERE named IS NULL OR x.operation = ANY (named)
			), p AS MATERIALIZED (
				SELECT x.table_id, x.operation, sum(x.contribution) AS score, jsonb_object_agg(x.term, round(x.contribution::numeric, 4)) AS parts
				FROM floe_internal.debt_terms(portion.ids, at) AS x GROUP BY x.table_id, x.operation
			), e AS MATERIALIZED (
				SELECT * FROM floe_internal.estimates(portion.ids, at)
			)
			SELECT d.*, p.score AS debt, p.parts, e.objects, e.bytes, e.minutes, e.gb_hours, e.runs, t.name, t.levels,
				   -- of those named, the first that exists, can, and is approved: the one that it is queued for, and whose budgets count
				   CASE WHEN d.verdict = 'run' THEN (
						SELECT n.name FROM unnest(f.engine_names) WITH ORDINALITY AS n (name, place)
						JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = n.name
						WHERE NOT COALESCE(f.engine_refusals ? n.name, false)
						  AND NOT EXISTS (SELECT 1 FROM floe.engine_approval AS a WHERE n.name <> ALL (a.engines) AND floe_internal.match_pattern(a.pattern, t.levels) IS NOT NULL)
						ORDER BY n.place LIMIT 1) END AS engine
			FROM d
			JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id
			LEFT JOIN floe_internal.effective AS f ON f.policy_set_id = t.policy_set_id AND f.operation = d.operation
			LEFT JOIN p ON p.table_id = d.table_id AND p.operation = d.operation
			LEFT JOIN e ON e.table_id = d.table_id AND e.operation = d.operation) AS candidate
		ORDER BY candidate.verdict = 'run' DESC, candidate.debt DESC NULLS LAST, candidate.name, candidate.operation_position
	LOOP
		table_id := c.table_id; operation := c.operation; verdict := c.verdict; gate := c.gate; value := c.value; limit_value := c.limit_value;
		set_by := c.set_by; next_at := c.next_at; score := round(c.debt::numeric, 4); score_parts := c.parts;
		estimate := jsonb_strip_nulls(jsonb_build_object('objects', c.objects, 'bytes', c.bytes, 'minutes', round(c.minutes::numeric, 2),
			'gb_hours', round(c.gb_hours::numeric, 4), 'past_runs', c.runs));
		settings := c.settings; settings_hash := c.settings_hash; origins := c.origins; remedy_options := c.remedy_options; reasons := c.reasons;
		IF verdict = 'run' AND operation = 'rewrite_data_files' THEN
			SELECT * INTO part FROM floe_internal.slice(c.table_id, c.settings, floe_internal.operation_options(c.settings, c.origins, c.remedy_options), at, COALESCE(operation = ANY (named), false));
			IF part.detail IS NOT NULL THEN
				share := LEAST(1, (part.detail ->> 'bytes')::float8 / NULLIF(c.bytes, 0));
				c.bytes := (part.detail ->> 'bytes')::float8;
				c.minutes := 0.2 + (c.minutes - 0.2) * COALESCE(share, 1);
				c.gb_hours := c.gb_hours * COALESCE(share, 1);
				estimate := estimate || jsonb_strip_nulls(jsonb_build_object('objects', part.detail -> 'objects', 'bytes', c.bytes, 'minutes', round(c.minutes::numeric, 2),
					'gb_hours', round(c.gb_hours::numeric, 4), 'slice', part.detail));
				reasons := reasons || jsonb_build_array(jsonb_build_object('gate', 'slice', 'status', 'pass', 'value', floe_internal.slice_text(part.detail)));
			END IF;
		END IF;
		IF verdict = 'run' THEN
			stopped := NULL;
			FOR i IN 1 .. COALESCE(array_length(budgets, 1), 0)
			LOOP
				b := budgets[i];
				CONTINUE WHEN (b.engine IS NOT NULL AND b.engine IS DISTINCT FROM c.engine) OR floe_internal.match_pattern(b.pattern, c.levels) IS NULL;
				IF b.operations_left < 1 THEN
					stopped := 'operations'; value := (b.operations_limit - b.operations_left)::text; limit_value := b.operations_limit::text;
				ELSIF b.tables_left < 1 AND NOT c.table_id = ANY (b.used_tables) THEN
					stopped := 'tables'; value := (b.tables_limit - b.tables_left)::text; limit_value := b.tables_limit::text;
				ELSIF b.bytes_left < COALESCE(c.bytes, 0) THEN
					stopped := 'bytes'; value := floe_internal.format_metric(b.bytes_limit - b.bytes_left, 'bytes') || ' + ' || floe_internal.format_metric(c.bytes, 'bytes');
					limit_value := floe_internal.format_metric(b.bytes_limit, 'bytes');
				ELSIF b.gb_hours_left < COALESCE(c.gb_hours, 0) THEN
					stopped := 'gb_hours'; value := round((b.gb_hours_limit - b.gb_hours_left)::numeric, 3) || ' + ' || round(c.gb_hours::numeric, 3); limit_value := b.gb_hours_limit::text;
				END IF;
				IF stopped IS NOT NULL THEN
					verdict := 'wait'; gate := 'budget'; set_by := format('budget "%s" (%s)', b.name, stopped); next_at := b.free_at;
					reasons := reasons || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('gate', 'budget', 'status', 'wait', 'value', value, 'limit', limit_value, 'set_by', set_by, 'next_at', next_at)));
					EXIT;
				END IF;
			END LOOP;
			IF stopped IS NULL THEN
				FOR i IN 1 .. COALESCE(array_length(budgets, 1), 0)
				LOOP
					b := budgets[i];
					CONTINUE WHEN (b.engine IS NOT NULL AND b.engine IS DISTINCT FROM c.engine) OR floe_internal.match_pattern(b.pattern, c.levels) IS NULL;
					b.operations_left := b.operations_left - 1;
					IF NOT c.table_id = ANY (b.used_tables) THEN
						b.tables_left := b.tables_left - 1;
						b.used_tables := b.used_tables || c.table_id;
					END IF;
					b.bytes_left := b.bytes_left - COALESCE(c.bytes, 0);
					b.gb_hours_left := b.gb_hours_left - COALESCE(c.gb_hours, 0);
					budgets[i] := b;
				END LOOP;
				rank := rank + 1;
			END IF;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.select_candidates(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.bool, pg_catalog.text[], pg_catalog.bool)
	IS 'Verdicts of all operations, or of those named, of some tables with scores, estimates and budgets; those with verdict run are to be queued, in this order';

-- What floe itself adds, for the engine that gets it. An option that the engine does not have is left out: what it would do the engine does
-- without it, or not at all, and then the metric stays and the throttle against runs without effect holds. Trino reads no table properties,
-- and its own defaults (7 days, 100 MB) are neither the table's nor what floe judged by; Iceberg's library keeps min-snapshots-to-keep in it, too.
CREATE FUNCTION floe_internal.options_of_floe(of_operation pg_catalog.text, settings pg_catalog.jsonb, remedy_options pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE WHEN e.server_type IS NULL THEN COALESCE(remedy_options, '{}') ELSE COALESCE((
			SELECT pg_catalog.jsonb_object_agg(r.key, r.value) FROM pg_catalog.jsonb_each(remedy_options) AS r
			JOIN floe_internal.engine_options() AS o ON o.engine_type = e.server_type AND o.operation = of_operation AND o.option = r.key), '{}') END
		|| CASE WHEN e.server_type IS DISTINCT FROM 'trino' THEN '{}'
			WHEN of_operation = 'rewrite_data_files' AND settings ? 'options.target_file_size'
				THEN pg_catalog.jsonb_build_object('min_file_size', (0.75 * (settings ->> 'options.target_file_size')::pg_catalog.numeric)::pg_catalog.int8)
			WHEN of_operation = 'expire_snapshots' AND settings ? 'options.max_snapshot_age'
				-- 100 years are the most that floe reads
				THEN pg_catalog.jsonb_build_object('max_snapshot_age', LEAST(pg_catalog.ceil(EXTRACT(epoch FROM (settings ->> 'options.max_snapshot_age')::pg_catalog.interval)), 3153600000)::pg_catalog.int8 || ' seconds')
			ELSE '{}' END
	FROM (SELECT 1) AS one
	LEFT JOIN floe_internal.server AS e ON e.wrapper = 'floe_engine' AND e.server_name = settings ->> 'engine';
END;
COMMENT ON FUNCTION floe_internal.options_of_floe(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS 'The metric''s remedy options that the engine has, and what the engine has to be told because it does not know it';

-- A cheap look before the decision proper, which takes milliseconds for each table: most tables of a fleet need nothing.
-- What a person asked for by name does not come this way.
CREATE FUNCTION floe_internal.tables_to_decide(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS SETOF pg_catalog.int8
	LANGUAGE sql STABLE
BEGIN ATOMIC
	-- a metric is beyond a threshold; so many tables at a time, that the cost grows with their number
	WITH portion AS (
		SELECT pg_catalog.array_agg(x.id) AS ids FROM pg_catalog.unnest(of_table_ids) WITH ORDINALITY AS x (id, place) GROUP BY (x.place - 1) / 1000
	), judged AS MATERIALIZED (
		SELECT j.table_id, j.remedy, j.severity, j.value, j.requires FROM portion CROSS JOIN LATERAL floe_internal.judged_metrics(portion.ids, at) AS j WHERE j.remedy IS NOT NULL
	)
	SELECT j.table_id FROM judged AS j WHERE j.severity >= 0.5
	-- floe's own deadline is over, and there is something to do
	UNION
	SELECT j.table_id FROM judged AS j
		JOIN floe_internal.builtin_setting AS b ON b.operation = j.remedy AND b.setting = 'deadline'
		JOIN floe_internal.iceberg_table AS t ON t.table_id = j.table_id
		JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id AND e.operation = b.operation AND e.settings ? 'configured'
		LEFT JOIN floe_internal.table_operation AS x ON x.table_id = j.table_id AND x.operation = b.operation
		WHERE j.value > 0 AND j.requires IS NULL AND COALESCE(x.last_success_at, t.first_seen_at) + (b.value #>> '{}')::pg_catalog.interval <= at
	-- a policy calls by conditions or a deadline
	UNION
	SELECT t.table_id FROM floe_internal.iceberg_table AS t JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id
		WHERE t.table_id = ANY (of_table_ids) AND e.settings ?| '{conditions,deadline}'
	-- a large table is not done with
	UNION
	SELECT x.table_id FROM floe_internal.table_operation AS x WHERE x.table_id = ANY (of_table_ids) AND x.slices_left > 0
	-- a schedule's time has come
	UNION
	SELECT x.table_id FROM floe_internal.table_operation AS x WHERE x.table_id = ANY (of_table_ids) AND x.next_due_at <= at;
END;
COMMENT ON FUNCTION floe_internal.tables_to_decide(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Those of some tables for which anything can call at all, by threshold, condition, deadline or schedule (floe_internal.sync_schedules() comes before); for all others every verdict would be "not needed" or "off"';

-- Queues what is called for.
CREATE FUNCTION floe_internal.enqueue(of_table_ids pg_catalog.int8[], by_hand pg_catalog.bool, named pg_catalog.text[], extra_options pg_catalog.jsonb, requester pg_catalog.text)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text, limit_value pg_catalog.text,
				   set_by pg_catalog.text, next_at pg_catalog.timestamptz, score pg_catalog.float8, operation_id pg_catalog.int8)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	at timestamptz := floe_internal.clock();
	c record;
	new_settings jsonb;
	usable text[];
	problem text;
BEGIN
	IF by_hand THEN
		-- a plan has done so for many more
		PERFORM floe_internal.sync_schedules(of_table_ids, at);
	END IF;
	FOR c IN
		SELECT s.*, t.name, k.position, ci.server_name,
			   ARRAY(SELECT DISTINCT p.name FROM floe.policy AS p WHERE p.policy_id IN (SELECT o.value::int4 FROM jsonb_each_text(s.origins) AS o) ORDER BY p.name) AS policies
		FROM floe_internal.select_candidates(of_table_ids, at, by_hand, named) AS s
		JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
		JOIN floe_internal.catalog AS ci ON ci.catalog_id = t.catalog_id
		JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
		ORDER BY s.verdict = 'run' DESC, s.rank, t.name, k.position
	LOOP
		operation_id := NULL;
		problem := NULL;
		IF c.verdict = 'run' THEN
			-- checked alone first, so that an option given by an alias replaces the policy's
			new_settings := c.settings || jsonb_build_object('options', floe_internal.check_options(c.operation,
				floe_internal.operation_options(c.settings, c.origins, floe_internal.options_of_floe(c.operation, c.settings, c.remedy_options))
				|| floe_internal.check_options(c.operation, COALESCE(extra_options -> c.operation, '{}'))));
			-- with the options that the metric needs, or a person gave, others may be left of the engines than with the policies' alone
			usable := floe_internal.usable_engines(c.table_id, c.operation, new_settings -> 'options');
			-- what the policies set has passed a gate
			problem := CASE WHEN extra_options ? c.operation THEN (
				SELECT floe_internal.options_problem(c.operation, new_settings -> 'options', t.details, t.specs, t.refs, t.current_snapshot_id)
				FROM floe_internal.iceberg_table AS t WHERE t.table_id = c.table_id) END;
			IF usable IS NULL THEN
				c.verdict := 'blocked'; c.gate := 'engine'; c.limit_value := NULL; c.set_by := NULL; c.next_at := NULL;
				c.value := floe_internal.passed_over(c.table_id, c.operation, new_settings, NULL, at, at);
			ELSIF problem IS NOT NULL THEN
				c.verdict := 'blocked'; c.gate := 'options'; c.value := problem; c.limit_value := NULL; c.set_by := 'the table''s metadata'; c.next_at := NULL;
			END IF;
		END IF;
		IF c.verdict = 'run' THEN
			INSERT INTO floe_internal.operation_queue AS q (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies,
					reason, score, score_parts, estimate, queued_at, position, engines)
				VALUES (c.table_id, c.name, c.operation, 'queued', enqueue.by_hand, requester, usable[1], new_settings, c.settings_hash, c.policies,
					c.reasons, COALESCE(c.score, 0), c.score_parts, c.estimate, at, c.position, CASE WHEN cardinality(usable) > 1 THEN usable END)
				ON CONFLICT (table_id, operation) DO NOTHING
				RETURNING q.operation_id INTO operation_id;
			IF operation_id IS NULL THEN
				-- somebody queued it in this moment
				c.verdict := 'wait'; c.gate := 'interlock'; c.limit_value := NULL; c.set_by := NULL;
				SELECT format('operation %s (%s) is %s', q.operation_id, q.operation, q.state) INTO c.value
					FROM floe_internal.operation_queue AS q WHERE q.table_id = c.table_id AND q.operation = c.operation;
			ELSE
				PERFORM floe_internal.write_event('operation queued', c.server_name, c.table_id, c.name, operation_id,
					format('%s queued: %s', c.operation, concat_ws(' ', c.gate, c.value, '(limit ' || c.limit_value || ')')), c.reasons);
			END IF;
		END IF;
		table_id := c.table_id; operation := c.operation; verdict := c.verdict; gate := c.gate; value := c.value; limit_value := c.limit_value;
		set_by := c.set_by; next_at := c.next_at; score := c.score;
		RETURN NEXT;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.enqueue(pg_catalog.int8[], pg_catalog.bool, pg_catalog.text[], pg_catalog.jsonb, pg_catalog.text)
	IS 'Decides for some tables and queues what runs; returns every verdict, with the operation''s id where one was queued';

-- Rows for schedules in force: new or changed ones get their first time.
CREATE FUNCTION floe_internal.sync_schedules(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO floe_internal.table_operation AS x (table_id, operation, schedule_key, next_due_at)
		SELECT s.table_id, s.operation, floe_internal.schedule_key(s.settings),
			   floe_internal.schedule_next(s.settings, t.table_id || '/' || s.operation, t.first_seen_at, o.last_run_at, NOT s.origins ? 'schedule')
		FROM floe_internal.table_setting AS s
		JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
		LEFT JOIN floe_internal.table_operation AS o ON o.table_id = s.table_id AND o.operation = s.operation
		WHERE s.table_id = ANY (of_table_ids) AND s.operation <> '' AND s.settings ? 'configured'
		  AND floe_internal.schedule_key(s.settings) IS DISTINCT FROM o.schedule_key
		ON CONFLICT (table_id, operation) DO UPDATE SET schedule_key = EXCLUDED.schedule_key, next_due_at = EXCLUDED.next_due_at;
END;
COMMENT ON FUNCTION floe_internal.sync_schedules(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Brings next_due_at in line with the schedules in force';

-- After a decision: what was due and is queued, or is not needed now, waits for the schedule's next time.
CREATE FUNCTION floe_internal.advance_schedules(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE floe_internal.table_operation AS x
		SET next_due_at = floe_internal.schedule_next(s.settings, t.table_id || '/' || s.operation, t.first_seen_at, at, NOT s.origins ? 'schedule')
		FROM floe_internal.table_setting AS s
		JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
		JOIN floe_internal.decide(ARRAY(SELECT DISTINCT y.table_id FROM floe_internal.table_operation AS y WHERE y.next_due_at <= at AND y.table_id = ANY (of_table_ids)), at, false, NULL, false) AS d
			ON d.table_id = s.table_id AND d.operation = s.operation
		WHERE x.table_id = s.table_id AND x.operation = s.operation AND s.table_id = ANY (of_table_ids)
		  AND x.next_due_at <= at
		  AND (d.verdict IN ('not needed', 'off')
			   OR EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.table_id = x.table_id AND q.operation = x.operation));
END;
COMMENT ON FUNCTION floe_internal.advance_schedules(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Moves due schedules on';

-- =================================================================================================
-- 72 passes
-- Who is at work. A pass is alive exactly as long as its process holds its advisory lock, so a claim never
-- outlives the process that made it, whatever ended that process.
-- =================================================================================================

-- Recovery throws the statistics away, an orderly start reads them back. (pg_stat_reset_shared('bgwriter') looks like a crash, too: at worst a table
-- that was being looked at in that moment by a process that ended meanwhile is looked at alone once.)
CREATE FUNCTION floe_internal.server_generation() RETURNS pg_catalog.timestamptz
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT pg_catalog.pg_stat_get_bgwriter_stat_reset_time();
END;
COMMENT ON FUNCTION floe_internal.server_generation() IS 'Changes whenever the server went down without being asked in an orderly way: by a crash of one of its processes, of all, or an immediate shutdown';

-- The first key of the two-key advisory locks: 'floe' in ASCII.
CREATE FUNCTION floe_internal.pass_class() RETURNS pg_catalog.int4
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 1718382437;
END;
COMMENT ON FUNCTION floe_internal.pass_class() IS 'Class of floe''s advisory locks; the second key is a pass id';

CREATE FUNCTION floe_internal.step_class() RETURNS pg_catalog.int4
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 1718382438;
END;
COMMENT ON FUNCTION floe_internal.step_class() IS 'Class of the locks that keep a step to one pass at a time until its commit; the second key is 1 for claiming under budgets, 2 for planning, 3 for approvals of engines, of people';

CREATE FUNCTION floe_internal.live_passes() RETURNS SETOF pg_catalog.int4
	LANGUAGE sql VOLATILE ROWS 5
BEGIN ATOMIC
	SELECT l.objid::pg_catalog.int8::pg_catalog.int4 FROM pg_catalog.pg_lock_status() AS l
	WHERE l.locktype = 'advisory' AND l.classid::pg_catalog.int8 = floe_internal.pass_class() AND l.objsubid = 2 AND l.granted
	  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database());
END;
COMMENT ON FUNCTION floe_internal.live_passes() IS 'Ids of the passes whose processes are at work in this database';

CREATE FUNCTION floe_internal.begin_pass(kind pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	new_id int4;
	told text := floe_internal.settle_identity();
BEGIN
	IF told IS NOT NULL AND begin_pass.kind = 'procedure' THEN
		RAISE WARNING 'floe: %', told;
	END IF;
	INSERT INTO floe_internal.pass (kind, pid, role_name, generation, started_at)
		VALUES (begin_pass.kind, pg_backend_pid(), SESSION_USER, floe_internal.server_generation(), floe_internal.clock())
		RETURNING pass.pass_id INTO new_id;
	PERFORM pg_advisory_lock(floe_internal.pass_class(), new_id);
	RETURN new_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.begin_pass(pg_catalog.text) IS 'Registers this process as a pass and takes its lock';

CREATE FUNCTION floe_internal.end_pass(of_pass_id pg_catalog.int4) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	UPDATE floe_internal.pass AS p SET ended_at = floe_internal.clock() WHERE p.pass_id = of_pass_id;
	UPDATE floe_internal.table_poll AS p SET claim_pass = NULL WHERE p.claim_pass = of_pass_id;
	UPDATE floe_internal.catalog AS c SET claim_pass = NULL WHERE c.claim_pass = of_pass_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.end_pass(pg_catalog.int4) IS 'Gives back what a pass still claims; the caller releases the lock after the commit';

-- Void claims of tables: those of passes that are gone. A claim left by a crash is evidence against the table.
CREATE FUNCTION floe_internal.void_claims() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	-- In this order: a pass that can be seen here has its lock already.
	open_passes int4[] := ARRAY(SELECT p.pass_id FROM floe_internal.pass AS p WHERE p.ended_at IS NULL);
	gone int4[] := ARRAY(SELECT x.id FROM unnest(open_passes) AS x (id) WHERE x.id NOT IN (SELECT floe_internal.live_passes()));
	now_generation timestamptz := floe_internal.server_generation();
	t record;
BEGIN
	IF gone = '{}' THEN
		RETURN;
	END IF;
	-- One process at a time; who waited finds nothing left to do.
	gone := ARRAY(SELECT p.pass_id FROM floe_internal.pass AS p WHERE p.pass_id = ANY (gone) AND p.ended_at IS NULL ORDER BY p.pass_id FOR UPDATE);
	UPDATE floe_internal.catalog AS c SET claim_pass = NULL WHERE c.claim_pass = ANY (gone);
	UPDATE floe_internal.table_poll AS p
		SET claim_pass = NULL, crashes = p.crashes + CASE WHEN s.generation IS DISTINCT FROM now_generation THEN 1 ELSE 0 END
		FROM floe_internal.pass AS s
		WHERE s.pass_id = p.claim_pass AND p.claim_pass = ANY (gone);
	UPDATE floe_internal.pass AS p SET ended_at = floe_internal.clock() WHERE p.pass_id = ANY (gone);
	FOR t IN
		UPDATE floe_internal.iceberg_table AS i
			SET status = 'quarantined', error_code = 'internal', error_message = 'the server went down twice while this table was being assessed',
				error_detail = 'floe leaves it alone until floe.refresh() is called for it.', error_since = floe_internal.clock()
			FROM floe_internal.table_poll AS p
			WHERE p.table_id = i.table_id AND p.crashes >= 2 AND i.status NOT IN ('quarantined', 'dropped')
			RETURNING i.table_id, i.name, i.error_message, i.levels
	LOOP
		UPDATE floe_internal.table_poll AS p SET next_poll_at = 'infinity' WHERE p.table_id = t.table_id;
		PERFORM floe_internal.write_event('table quarantined', t.levels[1], t.table_id, t.name, NULL, t.error_message, NULL);
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.void_claims() IS 'Frees claims of passes that are gone; a table whose claim was left behind by a crash twice is quarantined';

-- =================================================================================================
-- 73 identity
-- Which database this is, so that a copy knows that it is one. Apart from the passes, because it is about
-- what they would take over: in a copy the passes of the original look dead, and its operations theirs.
-- =================================================================================================

CREATE TABLE floe_internal.identity (
	one					pg_catalog.bool PRIMARY KEY DEFAULT true CHECK (one),
	system_identifier	pg_catalog.int8 NOT NULL,
	database_oid		pg_catalog.oid NOT NULL
);
COMMENT ON TABLE floe_internal.identity IS 'The database whose operations, claims and passes are stored here: one row, which CREATE DATABASE ... TEMPLATE copies and pg_dump does not';

CREATE FUNCTION floe_internal.this_database(OUT system_identifier pg_catalog.int8, OUT database_oid pg_catalog.oid) RETURNS pg_catalog.record
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT c.system_identifier, d.oid FROM pg_catalog.pg_control_system() AS c, pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database();
END;
COMMENT ON FUNCTION floe_internal.this_database() IS 'The cluster and the database in it';

INSERT INTO floe_internal.identity (system_identifier, database_oid) SELECT t.system_identifier, t.database_oid FROM floe_internal.this_database() AS t;

-- The same cluster and another database: a copy, and the original drives what was copied. Another cluster: pg_upgrade or pg_resetwal, after which
-- there is no original any more, and what it had under way is taken over like after a restart.
CREATE FUNCTION floe_internal.settle_identity() RETURNS pg_catalog.text
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	here record;
	known floe_internal.identity;
	told text;
	ended int8;
BEGIN
	SELECT * INTO here FROM floe_internal.this_database();
	IF EXISTS (SELECT 1 FROM floe_internal.identity AS i WHERE i.system_identifier = here.system_identifier AND i.database_oid = here.database_oid) THEN
		RETURN NULL;
	END IF;
	-- One process at a time; who waited finds it settled.
	SELECT * INTO known FROM floe_internal.identity AS i FOR UPDATE;
	IF known.system_identifier = here.system_identifier AND known.database_oid = here.database_oid THEN
		RETURN NULL;
	END IF;
	INSERT INTO floe_internal.identity AS i (system_identifier, database_oid) VALUES (here.system_identifier, here.database_oid)
		ON CONFLICT (one) DO UPDATE SET system_identifier = EXCLUDED.system_identifier, database_oid = EXCLUDED.database_oid;
	IF known.system_identifier IS DISTINCT FROM here.system_identifier THEN
		RETURN NULL;
	END IF;
	told := 'this database is a copy of ' || COALESCE((SELECT format('database "%s"', d.datname) FROM pg_database AS d WHERE d.oid = known.database_oid), 'another one');
	-- Not as void_claims() does it: who claimed these is well, so there is no evidence against any table.
	UPDATE floe_internal.catalog AS c SET claim_pass = NULL WHERE c.claim_pass IS NOT NULL;
	UPDATE floe_internal.table_poll AS p SET claim_pass = NULL WHERE p.claim_pass IS NOT NULL;
	UPDATE floe_internal.pass AS p SET ended_at = floe_internal.clock() WHERE p.ended_at IS NULL;
	-- Without their handles nothing can reach an engine, whatever happens next.
	UPDATE floe_internal.operation_queue AS q
		SET state = CASE WHEN q.state IN ('running', 'lost') THEN 'verifying' ELSE q.state END, saved = NULL, driver_pass = NULL
		WHERE q.state <> 'queued';
	SELECT count(floe_internal.end_operation(x.operation_id, 'cancelled', format('%s, where the operation goes on', told))) INTO ended
		FROM (SELECT q.operation_id FROM floe_internal.operation_queue AS q ORDER BY q.operation_id) AS x;
	DELETE FROM floe_internal.trigger_request;
	IF EXISTS (SELECT 1 FROM floe_internal.server) THEN
		INSERT INTO floe_internal.drain AS d (reason, drained_by, drained_at)
			VALUES (format('%s; two would maintain the same tables. SELECT floe.undrain() lets this one act', told), 'floe', floe_internal.clock())
			ON CONFLICT (one) DO UPDATE SET reason = EXCLUDED.reason, drained_by = EXCLUDED.drained_by, drained_at = EXCLUDED.drained_at;
	END IF;
	told := concat_ws('; ', told, format('%s operations of the original were struck off here', ended),
		CASE WHEN EXISTS (SELECT 1 FROM floe_internal.drain) THEN 'nothing is dispatched before floe.undrain()' END);
	PERFORM floe_internal.write_event('database copied', NULL, NULL, NULL, NULL, told, jsonb_build_object('original_oid', known.database_oid::text, 'operations', ended));
	RETURN told;
END
$body$;
COMMENT ON FUNCTION floe_internal.settle_identity()
	IS 'First thing of each pass. In a copy of a database: strikes off the operations and claims that were copied, without touching an engine, and drains; policies, health and history stay. Returns what to tell, NULL: nothing changed hands';
-- =================================================================================================
-- 74 engines at dispatch
-- What of an engine may take something now, what must wait for it, and what goes to the next engine of its
-- list. Separate from 45, which is about what can never go to an engine.
-- =================================================================================================

CREATE FUNCTION floe_internal.tables_of_engine(engine_name pg_catalog.text) RETURNS pg_catalog.int8[]
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT ARRAY(SELECT DISTINCT t.table_id FROM floe_internal.effective AS e JOIN floe_internal.iceberg_table AS t ON t.policy_set_id = e.policy_set_id
		WHERE tables_of_engine.engine_name = ANY (e.engine_names));
END;
COMMENT ON FUNCTION floe_internal.tables_of_engine(pg_catalog.text) IS 'Tables whose policies name an engine';

CREATE FUNCTION floe_internal.resolve_engine(engine_name pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF EXISTS (SELECT 1 FROM floe_internal.effective AS e WHERE resolve_engine.engine_name = ANY (e.engine_names)) THEN
		PERFORM floe_internal.lock_matches(true);
		PERFORM floe_internal.resolve_sets(ARRAY(SELECT DISTINCT e.policy_set_id FROM floe_internal.effective AS e WHERE resolve_engine.engine_name = ANY (e.engine_names)));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.resolve_engine(pg_catalog.text) IS 'Resolves the policy lists anew that name an engine, which may have another TYPE now';

-- Without an engine that is gone, what waits for it and may go elsewhere stays in the queue; what it was decided upon is as it was.
CREATE FUNCTION floe_internal.forget_engines() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	ids int8[] := ARRAY(SELECT x.operation_id FROM floe_internal.operation_queue AS x
		WHERE x.state = 'queued' AND x.engines IS NOT NULL
		  AND EXISTS (SELECT 1 FROM unnest(x.engines) AS n WHERE NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = n))
		  AND EXISTS (SELECT 1 FROM unnest(x.engines) AS n JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = n));
BEGIN
	IF ids = '{}' THEN
		RETURN;
	END IF;
	PERFORM floe_internal.lock_decisions(ids);
	WITH mine AS (
		SELECT x.operation_id, x.table_id, x.operation, l.engines
		FROM floe_internal.operation_queue AS x
		CROSS JOIN LATERAL (SELECT array_agg(n.name ORDER BY n.place) AS engines FROM unnest(x.engines) WITH ORDINALITY AS n (name, place)
							JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = n.name) AS l
		WHERE x.operation_id = ANY (ids) AND x.state = 'queued' ORDER BY x.operation_id FOR UPDATE OF x
	)
	UPDATE floe_internal.operation_queue AS x
		SET engine = m.engines[1], engines = CASE WHEN cardinality(m.engines) > 1 THEN m.engines END, settings_hash = c.settings_hash
		FROM mine AS m
		JOIN floe_internal.decision_context(ARRAY(SELECT DISTINCT o.table_id FROM floe_internal.operation_queue AS o WHERE o.operation_id = ANY (ids)), floe_internal.clock()) AS c
			ON c.table_id = m.table_id AND c.operation = m.operation
		WHERE x.operation_id = m.operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.forget_engines() IS 'Takes engines that were removed out of the lists of what is queued';

CREATE FUNCTION floe_internal.engine_places(at pg_catalog.timestamptz,
		OUT server_name pg_catalog.text, OUT most pg_catalog.int4, OUT busy pg_catalog.int4, OUT is_full pg_catalog.bool, OUT is_drained pg_catalog.bool,
		OUT failing_since pg_catalog.timestamptz, OUT retry_at pg_catalog.timestamptz)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY
		SELECT s.server_name, m.most, COALESCE(b.busy, 0), COALESCE(b.busy, 0) >= m.most, COALESCE(e.drained_at IS NOT NULL, false),
			   -- while it may be tried it is not passed over: somebody must find out that it is well again
			   CASE WHEN e.retry_at > at THEN COALESCE(e.error_since, at) END, CASE WHEN e.retry_at > at THEN e.retry_at END
		FROM floe_internal.server AS s
		LEFT JOIN floe_internal.engine AS e ON e.server_name = s.server_name AND e.status <> 'removed'
		LEFT JOIN (SELECT q.engine, count(*)::int4 AS busy FROM floe_internal.operation_queue AS q WHERE q.state IN ('dispatching', 'running', 'lost') GROUP BY q.engine) AS b ON b.engine = s.server_name
		CROSS JOIN LATERAL (SELECT COALESCE((s.options ->> 'max_operations')::int4, 2) AS most) AS m
		WHERE s.wrapper = 'floe_engine';
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_places(pg_catalog.timestamptz) IS 'Engines that exist, their places, and what keeps operations from them now';

-- People read it: in the log, and with the event.
CREATE FUNCTION floe_internal.passed_over(of_table_id pg_catalog.int8, of_operation pg_catalog.text, settings pg_catalog.jsonb, chosen pg_catalog.text,
		queued_at pg_catalog.timestamptz, at pg_catalog.timestamptz) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	names text[] := floe_internal.engine_list(passed_over.settings);
BEGIN
	RETURN (SELECT string_agg(CASE
			WHEN s.server_name IS NULL THEN format('engine "%s" was removed', l.name)
			WHEN r.refusal IS NOT NULL THEN format('engine "%s": %s', l.name, r.refusal)
			WHEN a.pattern IS NOT NULL THEN format('engine "%s" is not approved for %s', l.name, a.pattern)
			WHEN e.drained_at IS NOT NULL THEN concat_ws(': ', format('engine "%s" is drained by %s', l.name, e.drained_by), e.drain_reason)
			WHEN e.retry_at > at THEN format('engine "%s" fails since %s: %s', l.name, to_char(e.error_since, 'HH24:MI:SS'), e.error_message)
			WHEN p.is_full THEN format('engine "%s" is full: %s of %s, and it waited %s', l.name, p.busy, p.most, floe_internal.format_interval(at - passed_over.queued_at))
			ELSE format('engine "%s" is free again', l.name) END, '; ' ORDER BY l.place)
		FROM unnest(names) WITH ORDINALITY AS l (name, place)
		JOIN floe_internal.iceberg_table AS t ON t.table_id = of_table_id
		LEFT JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = l.name
		LEFT JOIN floe_internal.engine AS e ON e.server_name = l.name AND e.status <> 'removed'
		LEFT JOIN floe_internal.engine_places(at) AS p ON p.server_name = l.name
		LEFT JOIN LATERAL (SELECT COALESCE(floe_internal.engine_refusal(s.server_type, of_operation, passed_over.settings -> 'options'), floe_internal.resources_refusal(s.server_type, passed_over.settings)) AS refusal
						   WHERE s.server_name IS NOT NULL) AS r ON true
		LEFT JOIN LATERAL (SELECT x.pattern FROM floe.engine_approval AS x WHERE l.name <> ALL (x.engines) AND floe_internal.match_pattern(x.pattern, t.levels) IS NOT NULL
						   ORDER BY floe_internal.match_pattern(x.pattern, t.levels), x.pattern LIMIT 1) AS a ON true
		WHERE l.place < COALESCE(array_position(names, chosen), cardinality(names) + 1));
END
$body$;
COMMENT ON FUNCTION floe_internal.passed_over(pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text, pg_catalog.timestamptz, pg_catalog.timestamptz)
	IS 'Why the engines that the settings name before the chosen one (NULL: all of them) did not get an operation';

-- The earliest time at which some engine may take it, as far as clocks tell: a place that comes free wakes the executor.
CREATE FUNCTION floe_internal.queue_opens(at pg_catalog.timestamptz, OUT operation_id pg_catalog.int8, OUT opens_at pg_catalog.timestamptz) RETURNS SETOF pg_catalog.record
	-- a view reads it, as whoever reads that
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		WITH place AS MATERIALIZED (
			SELECT p.server_name, p.is_full, p.failing_since, CASE WHEN p.is_drained THEN 'infinity' ELSE COALESCE(p.retry_at, '-infinity') END AS own_at, p.is_drained
			FROM floe_internal.engine_places(at) AS p
		)
		SELECT q.operation_id, COALESCE(p.own_at, 'infinity')
		FROM floe_internal.operation_queue AS q LEFT JOIN place AS p ON p.server_name = q.engine
		WHERE q.state = 'queued' AND q.engines IS NULL
		UNION ALL
		SELECT x.operation_id, min(GREATEST(x.own_at, x.passed_at))
		FROM (SELECT q.operation_id, COALESCE(p.own_at, 'infinity') AS own_at,
					 -- when all that stand before it are passed over
					 max(CASE WHEN p.server_name IS NULL OR p.is_drained THEN '-infinity'
							WHEN p.failing_since IS NOT NULL THEN p.failing_since + floe_internal.fallback_after(q.settings)
							WHEN p.is_full THEN q.queued_at + floe_internal.fallback_after(q.settings) ELSE 'infinity' END)
						OVER (PARTITION BY q.operation_id ORDER BY l.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS passed_at
			  FROM floe_internal.operation_queue AS q
			  CROSS JOIN LATERAL unnest(q.engines) WITH ORDINALITY AS l (name, place)
			  LEFT JOIN place AS p ON p.server_name = l.name
			  WHERE q.state = 'queued' AND q.engines IS NOT NULL) AS x
		GROUP BY x.operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.queue_opens(pg_catalog.timestamptz) IS 'For each queued operation the time from which an engine of its list may take it: -infinity now, infinity: not before somebody acts';
-- =================================================================================================
-- 75 assessment
-- The database side of steps 1 to 4 of a pass: claim what is due, keep what was read. Called by the
-- library, each in a transaction of its own; the network lies between them.
-- =================================================================================================

CREATE FUNCTION floe_internal.spread(seed pg_catalog.text, delay pg_catalog.interval) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT delay * 0.9 + floe_internal.jitter(seed, delay * 0.2);
END;
COMMENT ON FUNCTION floe_internal.spread(pg_catalog.text, pg_catalog.interval) IS 'A tenth more or less, the same for the same seed';

CREATE FUNCTION floe_internal.backoff_delay(attempt pg_catalog.int4, base pg_catalog.interval, most pg_catalog.interval, seed pg_catalog.text) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT floe_internal.spread(seed || attempt, d.delay)
	FROM (SELECT LEAST(most, base * pg_catalog.pow(2, LEAST(attempt - 1, 20))) AS delay) AS d;
END;
COMMENT ON FUNCTION floe_internal.backoff_delay(pg_catalog.int4, pg_catalog.interval, pg_catalog.interval, pg_catalog.text) IS 'Exponential from base to most, plus or minus a tenth, the same for the same seed and attempt';

CREATE FUNCTION floe_internal.claim_catalogs(of_pass_id pg_catalog.int4, pattern pg_catalog.text,
		OUT catalog_id pg_catalog.int4, OUT server_name pg_catalog.text, OUT is_due pg_catalog.bool)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	at timestamptz := floe_internal.clock();
	-- A person who calls wants to know whether it works now; a worker comes back when it is time.
	by_person bool := EXISTS (SELECT 1 FROM floe_internal.pass AS s WHERE s.pass_id = of_pass_id AND s.kind = 'procedure');
BEGIN
	PERFORM floe_internal.sync_servers();
	PERFORM floe_internal.void_claims();
	-- A pattern given by a person makes its catalogs and tables due.
	IF pattern IS NOT NULL THEN
		UPDATE floe_internal.table_poll AS p SET next_poll_at = at
			FROM (SELECT x.table_id FROM floe_internal.table_poll AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
				  WHERE t.status NOT IN ('dropped', 'quarantined') AND x.next_poll_at > at AND floe_internal.match_pattern(claim_catalogs.pattern, t.levels) IS NOT NULL
				  ORDER BY x.table_id FOR NO KEY UPDATE OF x) AS known
			WHERE p.table_id = known.table_id;
	END IF;
	RETURN QUERY
		UPDATE floe_internal.catalog AS c SET claim_pass = of_pass_id, next_list_at = at
		FROM (SELECT x.catalog_id FROM floe_internal.catalog AS x
			  WHERE x.status <> 'removed' AND x.claim_pass IS NULL
				-- what was wrong is found out by listing; who asked for fewer requests is left alone
				AND (x.next_list_at <= at OR (by_person AND x.status = 'error' AND x.error_code <> 'throttled') OR (claim_catalogs.pattern IS NOT NULL AND floe_internal.match_catalog(claim_catalogs.pattern, x.server_name)))
			  ORDER BY x.catalog_id FOR UPDATE SKIP LOCKED) AS d
		WHERE c.catalog_id = d.catalog_id
		  AND (claim_catalogs.pattern IS NULL OR floe_internal.match_catalog(claim_catalogs.pattern, c.server_name))
		RETURNING c.catalog_id, c.server_name, true;
	RETURN QUERY
		SELECT c.catalog_id, c.server_name, false FROM floe_internal.catalog AS c
		WHERE c.status NOT IN ('removed', 'new') AND (by_person OR c.status = 'ok' OR c.tripped_by = 'probe') AND c.claim_pass IS DISTINCT FROM of_pass_id
		  AND (claim_catalogs.pattern IS NULL OR floe_internal.match_catalog(claim_catalogs.pattern, c.server_name));
END
$body$;
COMMENT ON FUNCTION floe_internal.claim_catalogs(pg_catalog.int4, pg_catalog.text) IS 'Catalogs to list now (claimed), and the others whose tables may be due';

CREATE FUNCTION floe_internal.catalog_id(of_server_name pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT c.catalog_id FROM floe_internal.catalog AS c WHERE c.server_name = of_server_name AND c.status <> 'removed';
END;
COMMENT ON FUNCTION floe_internal.catalog_id(pg_catalog.text) IS 'A catalog by the name of its server; NULL: there is none';

CREATE FUNCTION floe_internal.catalog_failed(of_catalog_id pg_catalog.int4, code pg_catalog.text, message pg_catalog.text, detail pg_catalog.text,
		retry_after_ms pg_catalog.int8 DEFAULT -1, by_tables pg_catalog.bool DEFAULT false, of_pass_id pg_catalog.int4 DEFAULT NULL) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	c floe_internal.catalog;
	at timestamptz := floe_internal.clock();
BEGIN
	SELECT * INTO c FROM floe_internal.catalog AS x WHERE x.catalog_id = of_catalog_id FOR NO KEY UPDATE;
	-- its server is gone; one that is made under that name again must not find it claimed by a pass that has nothing to do with it any more
	IF c.status = 'removed' THEN
		UPDATE floe_internal.catalog AS x SET claim_pass = NULL WHERE x.catalog_id = of_catalog_id AND x.claim_pass = of_pass_id AND NOT by_tables;
		RETURN;
	END IF;
	UPDATE floe_internal.catalog AS x
		SET status = 'error', error_code = code, error_message = message, error_detail = NULLIF(detail, ''), failures = x.failures + 1,
			-- a listing that goes on, or that somebody else is at, ends by itself
			claim_pass = CASE WHEN by_tables OR x.claim_pass <> of_pass_id THEN x.claim_pass END,
			tripped_by = CASE WHEN by_tables THEN 'tables' END, error_since = CASE WHEN c.status = 'error' THEN c.error_since ELSE at END,
			next_list_at = CASE WHEN c.claim_pass IS NOT NULL AND c.next_list_at = '-infinity' THEN at
				ELSE at + GREATEST(floe_internal.backoff_delay(x.failures + 1, interval '10 seconds', interval '10 minutes', x.server_name),
					make_interval(secs => retry_after_ms / 1000.0)) END
		WHERE x.catalog_id = of_catalog_id;
	IF FOUND AND (c.status IS DISTINCT FROM 'error' OR c.error_code IS DISTINCT FROM code) THEN
		PERFORM floe_internal.write_event('catalog error', c.server_name, NULL, NULL, NULL, message, jsonb_build_object('code', code, 'detail', detail));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.catalog_failed(pg_catalog.int4, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.bool, pg_catalog.int4)
	IS 'A catalog could not be reached or listed, or (by_tables) its tables in a row could not be loaded: a state with a reason and a time, not before what the catalog asked for (-1: nothing); its tables keep their health. of_pass_id: whose claim of it ends with that';

CREATE FUNCTION floe_internal.catalog_well(of_catalog_id pg_catalog.int4) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	c floe_internal.catalog;
	at timestamptz := floe_internal.clock();
BEGIN
	SELECT * INTO c FROM floe_internal.catalog AS x WHERE x.catalog_id = of_catalog_id FOR NO KEY UPDATE;
	UPDATE floe_internal.catalog AS x
		SET status = 'ok', error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL, failures = 0, tripped_by = NULL
		WHERE x.catalog_id = of_catalog_id AND x.status <> 'removed' AND (x.status <> 'ok' OR x.failures <> 0);
	IF c.status = 'removed' THEN
		RETURN;
	END IF;
	-- What could not be looked at for the same reason does not wait out a backoff of up to an hour.
	IF c.status = 'error' THEN
		UPDATE floe_internal.table_poll AS p SET next_poll_at = at
			-- who holds one may wait for the catalog's row
			FROM (SELECT x.table_id FROM floe_internal.table_poll AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
				  WHERE x.catalog_id = of_catalog_id AND x.failures > 0 AND x.next_poll_at > at
					AND t.status = 'error' AND (t.error_code = c.error_code OR t.error_code IN ('dns', 'connect', 'tls', 'timeout', 'network', 'auth', 'throttled', 'server'))
				  FOR UPDATE OF x SKIP LOCKED) AS failed
			WHERE p.table_id = failed.table_id;
		PERFORM floe_internal.wake('assessor');
	END IF;
	IF c.status <> 'ok' THEN
		PERFORM floe_internal.write_event('catalog ok', c.server_name, NULL, NULL, NULL, format('catalog "%s" answers', c.server_name), c.config);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.catalog_well(pg_catalog.int4) IS 'Nothing is wrong with the catalog, or no longer';

CREATE FUNCTION floe_internal.catalog_connected(of_catalog_id pg_catalog.int4, config pg_catalog.jsonb) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	c floe_internal.catalog;
BEGIN
	SELECT * INTO c FROM floe_internal.catalog AS x WHERE x.catalog_id = of_catalog_id FOR NO KEY UPDATE;
	UPDATE floe_internal.catalog AS x SET config = catalog_connected.config WHERE x.catalog_id = of_catalog_id;
	IF c.config ->> 'read_only' IS DISTINCT FROM catalog_connected.config ->> 'read_only' THEN
		PERFORM floe_internal.decide_soon(ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = of_catalog_id));
	END IF;
	-- An error lasts until a listing succeeded, or a table was loaded: it may have been these that failed.
	IF c.status <> 'error' THEN
		PERFORM floe_internal.catalog_well(of_catalog_id);
	END IF;
	RETURN c.status = 'error' AND c.tripped_by IS NOT NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.catalog_connected(pg_catalog.int4, pg_catalog.jsonb) IS 'A catalog was reached; true: its tables could not be, and the first one that is looked at tells whether they can now';

-- Namespaces as levels joined with U+001F, one entry per table.
CREATE FUNCTION floe_internal.apply_listing(of_catalog_id pg_catalog.int4, namespaces pg_catalog.text[], table_names pg_catalog.text[],
		left_out pg_catalog.int8 DEFAULT 0, of_pass_id pg_catalog.int4 DEFAULT NULL, refused pg_catalog.text[] DEFAULT '{}', refusal pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	server text;
	fresh int8[];
	t record;
	old_row floe_internal.catalog;
	-- of many thousands one is found as fast as of few
	hidden jsonb := (SELECT jsonb_object_agg(r, 1) FROM unnest(refused) AS r);
BEGIN
	-- triggers of its tables, which refer to it, do not wait for this
	SELECT * INTO old_row FROM floe_internal.catalog AS c WHERE c.catalog_id = of_catalog_id FOR NO KEY UPDATE;
	server := old_row.server_name;
	-- older than what somebody else has listed, or is at
	IF old_row.claim_pass IS DISTINCT FROM of_pass_id AND of_pass_id IS NOT NULL THEN
		RETURN 0;
	END IF;
	IF old_row.status = 'removed' THEN
		UPDATE floe_internal.catalog AS c SET claim_pass = NULL WHERE c.catalog_id = of_catalog_id;
		RETURN 0;
	END IF;
	-- A table that comes back keeps its row and its history.
	WITH listed AS (
		SELECT DISTINCT string_to_array(l.namespace, chr(31)) AS namespace, l.table_name
		FROM unnest(namespaces, table_names) AS l (namespace, table_name)
	), back AS (
		-- without a metadata location to compare, all of it is read again; it may have been made anew somewhere else
		UPDATE floe_internal.iceberg_table AS i SET status = 'unseen', metadata_location = NULL, location = NULL, location_key = NULL, dropped_at = NULL, is_left_behind = false, error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL
		WHERE i.table_id IN (
			SELECT max(x.table_id) FROM floe_internal.iceberg_table AS x JOIN listed AS l ON l.namespace = x.namespace AND l.table_name = x.table_name
			WHERE x.catalog_id = of_catalog_id
			GROUP BY x.namespace, x.table_name
			HAVING bool_and(x.status = 'dropped'))
		RETURNING i.table_id
	), made AS (
		INSERT INTO floe_internal.iceberg_table (catalog_id, namespace, table_name, levels, name, first_seen_at)
			SELECT of_catalog_id, l.namespace, l.table_name, ARRAY[server] || l.namespace || l.table_name, floe_internal.format_name(ARRAY[server] || l.namespace || l.table_name), at
			FROM listed AS l
			WHERE NOT EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS x WHERE x.catalog_id = of_catalog_id AND x.namespace = l.namespace AND x.table_name = l.table_name)
			ON CONFLICT DO NOTHING
			RETURNING table_id
	)
	SELECT array_agg(n.table_id) INTO fresh FROM (SELECT back.table_id FROM back UNION ALL SELECT made.table_id FROM made) AS n;
	IF fresh IS NOT NULL THEN
		INSERT INTO floe_internal.table_poll AS p (table_id, catalog_id, next_poll_at) SELECT unnest(fresh), of_catalog_id, at
			ON CONFLICT (table_id) DO UPDATE SET next_poll_at = EXCLUDED.next_poll_at, etag = NULL, crashes = 0;
		PERFORM floe_internal.match_tables(fresh);
	END IF;
	FOR t IN
		UPDATE floe_internal.iceberg_table AS i SET status = 'dropped', dropped_at = at
		WHERE i.catalog_id = of_catalog_id AND i.status <> 'dropped'
		  AND NOT EXISTS (SELECT 1 FROM unnest(namespaces, table_names) AS l (namespace, table_name)
						  WHERE string_to_array(l.namespace, chr(31)) = i.namespace AND l.table_name = i.table_name)
		  AND (hidden IS NULL OR NOT EXISTS (SELECT 1 FROM generate_series(1, cardinality(i.namespace)) AS d (depth) WHERE hidden ? array_to_string(i.namespace[1:d.depth], chr(31))))
		RETURNING i.table_id, i.name
	LOOP
		UPDATE floe_internal.table_poll AS p SET next_poll_at = 'infinity' WHERE p.table_id = t.table_id;
		PERFORM floe_internal.drop_queued(t.table_id, 'the catalog no longer lists the table');
		PERFORM floe_internal.write_event('table dropped', server, t.table_id, t.name, NULL, format('%s is no longer in the catalog, or not shown to floe any more', t.name), NULL);
	END LOOP;
	-- A pass with an end that finds no table due would leave it in error.
	UPDATE floe_internal.catalog AS c SET tripped_by = 'probe'
		WHERE c.catalog_id = of_catalog_id AND c.tripped_by IS NOT NULL AND EXISTS (SELECT 1 FROM floe_internal.pass AS s WHERE s.pass_id = c.claim_pass AND s.kind <> 'procedure');
	IF NOT FOUND AND EXISTS (SELECT 1 FROM floe_internal.catalog AS c WHERE c.catalog_id = of_catalog_id AND c.status <> 'ok') THEN
		PERFORM floe_internal.catalog_well(of_catalog_id);
	END IF;
	UPDATE floe_internal.catalog AS c
		SET listed_at = at, left_out = apply_listing.left_out, refused_count = (SELECT count(DISTINCT r) FROM unnest(refused) AS r), refusal = apply_listing.refusal, claim_pass = NULL,
			next_list_at = CASE WHEN c.next_list_at = '-infinity' THEN at
				ELSE at + COALESCE((SELECT (s.options ->> 'list_interval')::interval FROM floe_internal.server AS s WHERE s.wrapper = 'floe_catalog' AND s.server_name = server), interval '5 minutes') END
		WHERE c.catalog_id = of_catalog_id;
	RETURN COALESCE(array_length(fresh, 1), 0);
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_listing(pg_catalog.int4, pg_catalog.text[], pg_catalog.text[], pg_catalog.int8, pg_catalog.int4, pg_catalog.text[], pg_catalog.text)
	IS 'A complete listing: registers new tables and marks those that are gone as dropped; returns the number of new ones. Never called with a listing that broke off. of_pass_id: who claimed the catalog for it; by anybody else it counts for nothing. refused: namespaces that could not be listed, and why';

-- Each catalog has its own share: one that is slow or has much to look at takes nothing from the others.
CREATE FUNCTION floe_internal.claim_tables(of_pass_id pg_catalog.int4, catalog_ids pg_catalog.int4[], pattern pg_catalog.text, shares pg_catalog.int4[], nothing_in_flight pg_catalog.bool,
		OUT table_id pg_catalog.int8, OUT catalog_id pg_catalog.int4, OUT namespace pg_catalog.text[], OUT table_name pg_catalog.text, OUT name pg_catalog.text,
		OUT metadata_location pg_catalog.text, OUT etag pg_catalog.text, OUT current_snapshot_id pg_catalog.int8, OUT look pg_catalog.int8)
	RETURNS SETOF pg_catalog.record
	-- always by the index in its order: right after a first listing there are no statistics that would say so
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off
AS $body$
#variable_conflict use_column
DECLARE
	at timestamptz := floe_internal.clock();
	-- What a pass with an end has polled is not polled again by it, however long it takes: with slow catalogs it would never end.
	pass_start timestamptz := COALESCE((SELECT s.started_at FROM floe_internal.pass AS s WHERE s.pass_id = of_pass_id AND s.kind = 'procedure'), 'infinity');
	suspect_since timestamptz := (SELECT min(x.next_poll_at) FROM floe_internal.table_poll AS x
		WHERE x.crashes > 0 AND x.next_poll_at <= at AND x.claim_pass IS NULL AND x.catalog_id = ANY (catalog_ids));
	picked int8[];
	n int8;
	this_look int8;
BEGIN
	-- What waits for all others to be done must not wait for ever.
	IF COALESCE(suspect_since > at - interval '1 minute', true) THEN
		picked := ARRAY(
			SELECT due.table_id FROM unnest(catalog_ids, shares) AS c (catalog_id, share)
			CROSS JOIN LATERAL (
				SELECT x.table_id FROM floe_internal.table_poll AS x
				WHERE x.catalog_id = c.catalog_id AND x.next_poll_at <= at AND x.claim_pass IS NULL AND x.crashes = 0 AND (x.polled_at IS NULL OR x.polled_at <= pass_start)
				  AND (claim_tables.pattern IS NULL
					   OR (SELECT floe_internal.match_pattern(claim_tables.pattern, i.levels) IS NOT NULL FROM floe_internal.iceberg_table AS i WHERE i.table_id = x.table_id))
				ORDER BY x.next_poll_at LIMIT COALESCE(c.share, 0) FOR UPDATE OF x SKIP LOCKED) AS due);
	END IF;
	-- A suspect, whose last claim was left by a crash, is assessed alone: if it happens again, it was this one.
	IF COALESCE(picked, '{}') = '{}' AND suspect_since IS NOT NULL AND nothing_in_flight THEN
		picked := ARRAY(
			SELECT x.table_id FROM floe_internal.table_poll AS x
			WHERE x.crashes > 0 AND x.next_poll_at <= at AND x.claim_pass IS NULL AND x.catalog_id = ANY (catalog_ids) AND (x.polled_at IS NULL OR x.polled_at <= pass_start)
			  AND (claim_tables.pattern IS NULL
				   OR (SELECT floe_internal.match_pattern(claim_tables.pattern, i.levels) IS NOT NULL FROM floe_internal.iceberg_table AS i WHERE i.table_id = x.table_id))
			ORDER BY x.next_poll_at LIMIT 1 FOR UPDATE OF x SKIP LOCKED);
	END IF;
	IF picked <> '{}' THEN
		this_look := nextval('floe_internal.look_seq');
	END IF;
	RETURN QUERY
		UPDATE floe_internal.table_poll AS p SET claim_pass = of_pass_id, claimed_at = at
		FROM floe_internal.iceberg_table AS t
		WHERE p.table_id = ANY (picked) AND t.table_id = p.table_id AND t.status NOT IN ('dropped', 'quarantined')
		RETURNING t.table_id, t.catalog_id, t.namespace, t.table_name, t.name, t.metadata_location, p.etag, t.current_snapshot_id, this_look;
	GET DIAGNOSTICS n = ROW_COUNT;
	-- Dropped, and in the same moment made due by somebody who could not see that yet.
	IF n < cardinality(picked) THEN
		UPDATE floe_internal.table_poll AS p SET next_poll_at = 'infinity'
			FROM floe_internal.iceberg_table AS t
			WHERE p.table_id = ANY (picked) AND t.table_id = p.table_id AND t.status IN ('dropped', 'quarantined');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.claim_tables(pg_catalog.int4, pg_catalog.int4[], pg_catalog.text, pg_catalog.int4[], pg_catalog.bool)
	IS 'Tables due for assessment, at most so many of each catalog, claimed for the pass before anything of them is read';

-- For an operation: whether or not the table is due. A claim that somebody else holds is left to him; either is evidence, should it end in a crash.
CREATE FUNCTION floe_internal.claim_table(of_pass_id pg_catalog.int4, of_table_id pg_catalog.int8,
		OUT table_id pg_catalog.int8, OUT catalog_id pg_catalog.int4, OUT namespace pg_catalog.text[], OUT table_name pg_catalog.text, OUT name pg_catalog.text,
		OUT metadata_location pg_catalog.text, OUT etag pg_catalog.text, OUT look pg_catalog.int8, OUT is_quarantined pg_catalog.bool)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	-- One statement: dropped between two, the table would stay claimed by somebody who was told that it is not there.
	WITH claimed AS (
		UPDATE floe_internal.table_poll AS p SET claim_pass = of_pass_id, claimed_at = floe_internal.clock()
			FROM floe_internal.iceberg_table AS t
			WHERE p.table_id = of_table_id AND p.claim_pass IS NULL AND t.table_id = p.table_id AND t.status NOT IN ('dropped', 'quarantined'))
	SELECT t.table_id, t.catalog_id, t.namespace, t.table_name, t.name, t.metadata_location, p.etag, pg_catalog.nextval('floe_internal.look_seq'), t.status = 'quarantined'
	FROM floe_internal.iceberg_table AS t LEFT JOIN floe_internal.table_poll AS p ON p.table_id = t.table_id
	WHERE t.table_id = of_table_id AND t.status <> 'dropped';
END;
COMMENT ON FUNCTION floe_internal.claim_table(pg_catalog.int4, pg_catalog.int8) IS 'What is needed to look at one table, now claimed; no row if it was dropped';

-- About as often as it is written, and ever less often while nobody writes; within the bounds that policies set.
CREATE FUNCTION floe_internal.poll_delay(of_table_id pg_catalog.int8, settings pg_catalog.jsonb, commit_interval pg_catalog.float8, idle pg_catalog.interval) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT d.delay * 0.8 + floe_internal.jitter(of_table_id::pg_catalog.text, d.delay * 0.2)
	FROM (SELECT GREATEST(LEAST((settings ->> 'min_poll_interval')::pg_catalog.interval, (settings ->> 'poll_interval')::pg_catalog.interval),
						  LEAST((settings ->> 'poll_interval')::pg_catalog.interval,
								GREATEST(pg_catalog.make_interval(secs => LEAST(commit_interval, 1e9)), idle / 4))) AS delay) AS d;
END;
COMMENT ON FUNCTION floe_internal.poll_delay(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.interval)
	IS 'Time until the next look at a table: its median commit interval, or a quarter of the time since its last commit if that is longer; unknown: the longest. Up to a fifth less, differently for each table';

-- plpgsql, like all that is called for every table: its plans live as long as the session, those of an SQL function as long as the call.
CREATE FUNCTION floe_internal.next_polls(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, OUT table_id pg_catalog.int8, OUT next_poll_at pg_catalog.timestamptz)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY
		SELECT t.table_id, at + floe_internal.poll_delay(t.table_id, COALESCE(b.settings || e.settings, b.settings)
				-- what somebody set does not give way to what nobody set
				|| CASE WHEN e.settings ? 'min_poll_interval' AND NOT e.settings ? 'poll_interval'
					AND (e.settings ->> 'min_poll_interval')::interval > (b.settings ->> 'poll_interval')::interval
					THEN jsonb_build_object('poll_interval', e.settings -> 'min_poll_interval') ELSE '{}' END, h.commit_interval, at - h.last_write_at)
		FROM floe_internal.iceberg_table AS t
		CROSS JOIN (SELECT floe_internal.builtin_settings('') AS settings OFFSET 0) AS b
		LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id AND e.operation = ''
		LEFT JOIN floe_internal.health AS h ON h.table_id = t.table_id
		WHERE t.table_id = ANY (of_table_ids);
END
$body$;
COMMENT ON FUNCTION floe_internal.next_polls(pg_catalog.int8[], pg_catalog.timestamptz) IS 'When tables that were just looked at are looked at again';

-- After decide_soon(), as where a look is stored. A table in error keeps its backoff. What is being looked at now is given back by the old settings.
CREATE FUNCTION floe_internal.poll_sooner(of_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
BEGIN
	PERFORM 1 FROM floe_internal.table_poll AS p WHERE p.table_id = ANY (of_table_ids) ORDER BY p.table_id FOR NO KEY UPDATE;
	UPDATE floe_internal.table_poll AS p SET next_poll_at = LEAST(p.next_poll_at, n.next_poll_at), notified_at = CASE WHEN p.claim_pass IS NOT NULL THEN at ELSE p.notified_at END
		FROM floe_internal.next_polls(of_table_ids, at) AS n
		WHERE p.table_id = n.table_id AND p.failures = 0 AND (p.next_poll_at > n.next_poll_at OR p.claim_pass IS NOT NULL) AND p.next_poll_at < 'infinity';
	IF FOUND THEN
		PERFORM floe_internal.wake('assessor');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.poll_sooner(pg_catalog.int8[]) IS 'The settings of these tables changed: who is to be looked at more often does not wait for the time that was set before';

CREATE FUNCTION floe_internal.poll_done(of_table_id pg_catalog.int8, new_etag pg_catalog.text, failed pg_catalog.bool) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
BEGIN
	UPDATE floe_internal.table_poll AS p
		SET polled_at = at, claim_pass = NULL, crashes = CASE WHEN failed THEN p.crashes ELSE 0 END,
			etag = CASE WHEN failed THEN p.etag ELSE COALESCE(new_etag, p.etag) END,
			failures = CASE WHEN failed THEN p.failures + 1 ELSE 0 END,
			next_poll_at = CASE WHEN p.next_poll_at = 'infinity' THEN 'infinity'	-- dropped or quarantined meanwhile
				-- a first failure, too: it may be of what was changed
				WHEN p.notified_at >= p.claimed_at AND (NOT failed OR p.failures = 0) THEN at
				WHEN failed THEN at + floe_internal.backoff_delay(p.failures + 1, '30 seconds', '1 hour', of_table_id::text)
				ELSE n.next_poll_at END
		FROM floe_internal.next_polls(ARRAY[of_table_id], at) AS n
		WHERE p.table_id = of_table_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.poll_done(pg_catalog.int8, pg_catalog.text, pg_catalog.bool) IS 'Gives the claim back and sets the next poll: now, if the table or its server was reported as changed since it was claimed';

CREATE FUNCTION floe_internal.tables_unchanged(of_table_ids pg_catalog.int8[], etags pg_catalog.text[] DEFAULT NULL) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	healed int8[];
BEGIN
	-- tables, decisions, polls, each in the order of their ids: so does everybody who has several
	PERFORM 1 FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (of_table_ids) AND t.status = 'error' ORDER BY t.table_id FOR NO KEY UPDATE;
	IF FOUND THEN
		WITH changed AS (
			UPDATE floe_internal.iceberg_table AS t SET status = 'ok', error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL
				WHERE t.table_id = ANY (of_table_ids) AND t.status = 'error' RETURNING t.table_id)
		SELECT array_agg(c.table_id) INTO healed FROM changed AS c;
		PERFORM floe_internal.decide_soon(healed);
	END IF;
	PERFORM 1 FROM floe_internal.table_poll AS p WHERE p.table_id = ANY (of_table_ids) ORDER BY p.table_id FOR NO KEY UPDATE;
	UPDATE floe_internal.table_poll AS p
		SET polled_at = at, claim_pass = NULL, crashes = 0, failures = 0,
			next_poll_at = CASE WHEN p.next_poll_at = 'infinity' THEN 'infinity' WHEN p.notified_at >= p.claimed_at THEN at ELSE n.next_poll_at END
		FROM floe_internal.next_polls(of_table_ids, at) AS n
		WHERE p.table_id = n.table_id;
	IF etags IS NOT NULL THEN
		UPDATE floe_internal.table_poll AS p SET etag = l.etag
			FROM unnest(of_table_ids, etags) AS l (table_id, etag)
			WHERE p.table_id = l.table_id AND l.etag <> '' AND p.etag IS DISTINCT FROM l.etag;
	END IF;
	IF EXISTS (SELECT 1 FROM floe_internal.trigger_request AS x WHERE x.table_id = ANY (of_table_ids)) THEN
		PERFORM floe_internal.answer_requests(r.table_id) FROM (SELECT DISTINCT x.table_id FROM floe_internal.trigger_request AS x WHERE x.table_id = ANY (of_table_ids)) AS r;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.tables_unchanged(pg_catalog.int8[], pg_catalog.text[]) IS 'The catalog says these tables are as they were; etags: what stands for their state from now on, empty for what keeps its own';

CREATE FUNCTION floe_internal.table_failed(of_table_id pg_catalog.int8, code pg_catalog.text, message pg_catalog.text, detail pg_catalog.text,
		retry_after_ms pg_catalog.int8 DEFAULT -1, found_location pg_catalog.text DEFAULT NULL, this_look pg_catalog.int8 DEFAULT NULL) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old_row floe_internal.iceberg_table;
	new_status text := CASE WHEN code = 'unsupported' THEN 'unsupported' ELSE 'error' END;
BEGIN
	SELECT * INTO old_row FROM floe_internal.iceberg_table AS t WHERE t.table_id = of_table_id FOR NO KEY UPDATE;
	PERFORM floe_internal.poll_done(of_table_id, NULL, true);
	UPDATE floe_internal.table_poll AS p SET next_poll_at = GREATEST(p.next_poll_at, floe_internal.clock() + make_interval(secs => retry_after_ms / 1000.0))
		WHERE p.table_id = of_table_id AND retry_after_ms > 0;
	UPDATE floe_internal.iceberg_table AS t
		SET status = new_status, error_code = code, error_message = message, error_detail = NULLIF(detail, ''),
			error_since = CASE WHEN t.error_since IS NULL OR t.error_code <> code THEN floe_internal.clock() ELSE t.error_since END
		WHERE t.table_id = of_table_id AND t.status <> 'dropped';
	-- As of this look even though it failed: an older one that ends later must not bring back where the table was before.
	UPDATE floe_internal.iceberg_table AS t
		SET location = found_location, location_key = floe_internal.location_key(found_location), look = COALESCE(this_look, t.look)
		WHERE t.table_id = of_table_id AND t.status <> 'dropped' AND t.location IS DISTINCT FROM found_location AND found_location IS NOT NULL
		  AND COALESCE(this_look >= t.look, true);
	IF old_row.status IS DISTINCT FROM new_status OR old_row.error_code IS DISTINCT FROM code THEN
		PERFORM floe_internal.write_event('table ' || new_status, old_row.levels[1], of_table_id, old_row.name, NULL, message, jsonb_build_object('code', code, 'detail', detail));
	END IF;
	PERFORM floe_internal.purge_unlisted(of_table_id);
	-- A request by hand does not wait for ever on a table that cannot be read.
	DELETE FROM floe_internal.trigger_request AS r WHERE r.table_id = of_table_id;
	IF FOUND THEN
		PERFORM floe_internal.write_event('trigger refused', old_row.levels[1], of_table_id, old_row.name, NULL, 'not triggered: ' || message, NULL);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.table_failed(pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.int8)
	IS 'A table could not be assessed: a row with the reason; the last health stays. The next look is not before what the catalog or store asked for (-1: nothing). found_location: where it is, if that much was read; this_look: from the claim';

CREATE FUNCTION floe_internal.give_back_tables(of_pass_id pg_catalog.int4, of_table_ids pg_catalog.int8[], due_s pg_catalog.int4[]) RETURNS pg_catalog.int4[]
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	back int8[];
BEGIN
	WITH free AS (
		SELECT p.table_id FROM floe_internal.table_poll AS p
		WHERE p.table_id = ANY (of_table_ids) AND p.claim_pass = of_pass_id FOR UPDATE SKIP LOCKED
	), done AS (
		UPDATE floe_internal.table_poll AS p
			SET claim_pass = NULL, next_poll_at = CASE WHEN p.next_poll_at = 'infinity' THEN 'infinity'
				ELSE at + make_interval(secs => l.seconds) + floe_internal.jitter(p.table_id::text, interval '1 second') END
			FROM (SELECT x.table_id, min(x.seconds) AS seconds FROM unnest(of_table_ids, due_s) AS x (table_id, seconds) GROUP BY x.table_id) AS l
			WHERE l.table_id = p.table_id AND p.table_id IN (SELECT f.table_id FROM free AS f)
			RETURNING p.table_id
	)
	SELECT array_agg(d.table_id) INTO back FROM done AS d;
	IF back IS NOT NULL THEN
		PERFORM floe_internal.wake('assessor');
	END IF;
	RETURN ARRAY(SELECT l.place::int4 FROM unnest(of_table_ids) WITH ORDINALITY AS l (table_id, place)
		JOIN floe_internal.table_poll AS p ON p.table_id = l.table_id AND p.claim_pass = of_pass_id
		ORDER BY l.place);
END
$body$;
COMMENT ON FUNCTION floe_internal.give_back_tables(pg_catalog.int4, pg_catalog.int8[], pg_catalog.int4[])
	IS 'What was seen of these tables could not be stored: they are as they were, and due again after so many seconds each. Returns the places of those that stay claimed, because somebody else holds their rows';

CREATE FUNCTION floe_internal.sizes(settings pg_catalog.jsonb, OUT target_bytes pg_catalog.int8, OUT small_below pg_catalog.int8, OUT oversized_above pg_catalog.int8, OUT min_input_files pg_catalog.int4)
	RETURNS pg_catalog.record
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT x.target, COALESCE((settings ->> 'options.min_file_size')::pg_catalog.int8, pg_catalog.floor(x.target * 0.75)::pg_catalog.int8),
		   COALESCE((settings ->> 'options.max_file_size')::pg_catalog.int8, pg_catalog.floor(x.target * 1.8)::pg_catalog.int8),
		   COALESCE((settings ->> 'options.min_input_files')::pg_catalog.int4, 5)
	FROM (SELECT (settings ->> 'options.target_file_size')::pg_catalog.int8 AS target) AS x;
END;
COMMENT ON FUNCTION floe_internal.sizes(pg_catalog.jsonb) IS 'Target file size in force and what follows from it (Iceberg''s bin-packing: 0.75 and 1.8 of the target, at least 5 files), unless a policy sets the options';

-- Sizes that decide what is small and what is oversized, by the settings and the properties in force.
CREATE FUNCTION floe_internal.size_limits(of_table_id pg_catalog.int8, properties pg_catalog.jsonb,
		OUT target_bytes pg_catalog.int8, OUT small_below pg_catalog.int8, OUT oversized_above pg_catalog.int8, OUT min_input_files pg_catalog.int4,
		OUT deletes_per_file pg_catalog.bool)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	of_policies jsonb;
BEGIN
	SELECT e.settings INTO of_policies
		FROM floe_internal.iceberg_table AS t JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id AND e.operation = 'rewrite_data_files'
		WHERE t.table_id = of_table_id;
	SELECT z.target_bytes, z.small_below, z.oversized_above, z.min_input_files INTO target_bytes, small_below, oversized_above, min_input_files
		FROM floe_internal.sizes(floe_internal.builtin_settings('rewrite_data_files') || floe_internal.property_settings('rewrite_data_files', COALESCE(properties, '{}'))
			|| COALESCE(of_policies, '{}')) AS z;
	-- as Spark since Iceberg 1.8; DeleteGranularity knows no third, and any case
	deletes_per_file := lower(COALESCE(properties ->> 'write.delete.granularity', 'file')) <> 'partition';
END
$body$;
COMMENT ON FUNCTION floe_internal.size_limits(pg_catalog.int8, pg_catalog.jsonb) IS 'What the merge of manifests must know of a table with these properties, which are not stored yet while it is read: sizes in force; deletes_per_file: rewritten position deletes are one file for each data file';

-- Which manifests of a list still have to be read: positions (from 1) in the arrays.
CREATE FUNCTION floe_internal.unread_manifests(of_table_id pg_catalog.int8, paths pg_catalog.text[], lengths pg_catalog.int8[], contents pg_catalog.int4[], spec_ids pg_catalog.int4[],
		sequence_numbers pg_catalog.int8[], added_snapshot_ids pg_catalog.int8[], need_paths pg_catalog.bool, properties pg_catalog.jsonb,
		OUT unread pg_catalog.int4[], OUT has_scoped_deletes pg_catalog.bool, OUT small_below pg_catalog.int8, OUT oversized_above pg_catalog.int8)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	SELECT x.unread, x.has_scoped_deletes, z.small_below, z.oversized_above INTO unread, has_scoped_deletes, small_below, oversized_above
	FROM floe_internal.size_limits(of_table_id, properties) AS z
	CROSS JOIN (
		SELECT array_agg(l.place::int4 ORDER BY l.place) FILTER (WHERE m.manifest_id IS NULL) AS unread,
			   COALESCE(bool_or(m.content = 1 AND m.has_paths), false) AS has_scoped_deletes
		FROM ROWS FROM (unnest(paths), unnest(lengths), unnest(contents), unnest(spec_ids), unnest(sequence_numbers),
						unnest(added_snapshot_ids)) WITH ORDINALITY AS l (path, length, content, spec_id, sequence_number, added_snapshot_id, place)
		LEFT JOIN floe_internal.manifest AS m ON m.table_id = of_table_id AND m.path = l.path AND m.length = l.length AND m.content = l.content AND m.spec_id = l.spec_id
			AND m.sequence_number = l.sequence_number AND m.added_snapshot_id = l.added_snapshot_id AND (m.has_paths OR m.content = 1 OR NOT need_paths)) AS x;
END
$body$;
COMMENT ON FUNCTION floe_internal.unread_manifests(pg_catalog.int8, pg_catalog.text[], pg_catalog.int8[], pg_catalog.int4[], pg_catalog.int4[], pg_catalog.int8[], pg_catalog.int8[], pg_catalog.bool, pg_catalog.jsonb)
	IS 'Manifests without a stored aggregate of exactly this identity, and the sizes at which aggregates must be exact; has_scoped_deletes: a known delete manifest names data files, so data manifests are needed with paths';

CREATE FUNCTION floe_internal.store_manifests(of_table_id pg_catalog.int8, paths pg_catalog.text[], lengths pg_catalog.int8[], contents pg_catalog.int4[], spec_ids pg_catalog.int4[],
		sequence_numbers pg_catalog.int8[], added_snapshot_ids pg_catalog.int8[], have_paths pg_catalog.bool[], aggregates pg_catalog.bytea[]) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO floe_internal.manifest AS m (table_id, path, length, content, spec_id, sequence_number, added_snapshot_id, has_paths, aggregate)
		SELECT of_table_id, l.path, l.length, l.content, l.spec_id, l.sequence_number, l.added_snapshot_id, l.has_paths, l.aggregate
		FROM ROWS FROM (pg_catalog.unnest(paths), pg_catalog.unnest(lengths), pg_catalog.unnest(contents), pg_catalog.unnest(spec_ids), pg_catalog.unnest(sequence_numbers),
						pg_catalog.unnest(added_snapshot_ids), pg_catalog.unnest(have_paths), pg_catalog.unnest(aggregates))
			AS l (path, length, content, spec_id, sequence_number, added_snapshot_id, has_paths, aggregate)
		ON CONFLICT (table_id, path) DO UPDATE
			SET length = EXCLUDED.length, content = EXCLUDED.content, spec_id = EXCLUDED.spec_id, sequence_number = EXCLUDED.sequence_number,
				added_snapshot_id = EXCLUDED.added_snapshot_id, has_paths = EXCLUDED.has_paths, aggregate = EXCLUDED.aggregate, stored_at = EXCLUDED.stored_at, left_list_at = NULL;
END;
COMMENT ON FUNCTION floe_internal.store_manifests(pg_catalog.int8, pg_catalog.text[], pg_catalog.int8[], pg_catalog.int4[], pg_catalog.int4[], pg_catalog.int8[], pg_catalog.int8[], pg_catalog.bool[], pg_catalog.bytea[])
	IS 'Aggregates of manifests that were read whole; stored in batches, so that an interrupted first read of a big table goes on where it stopped';

CREATE FUNCTION floe_internal.next_assessor_ms(catalog_ids pg_catalog.int4[], decisions pg_catalog.bool) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	-- PostgreSQL 15 and 16 do not subtract infinite times
	RETURN (SELECT CASE WHEN min(d.due_at) <= floe_internal.clock() THEN 0
		ELSE ceil(EXTRACT(epoch FROM NULLIF(min(d.due_at), 'infinity') - floe_internal.clock()) * 1000) END::int8
	FROM (SELECT min(c.next_list_at) AS due_at FROM floe_internal.catalog AS c WHERE c.status <> 'removed' AND c.claim_pass IS NULL
		  UNION ALL
		  SELECT (SELECT p.next_poll_at FROM floe_internal.table_poll AS p WHERE p.catalog_id = k.id AND p.claim_pass IS NULL ORDER BY p.next_poll_at LIMIT 1)
		  FROM unnest(catalog_ids) AS k (id)
		  UNION ALL
		  SELECT (SELECT x.decide_at FROM floe_internal.table_decision AS x WHERE decisions ORDER BY x.decide_at LIMIT 1)
		  UNION ALL
		  SELECT (SELECT v.next_at FROM floe_internal.policy_validity AS v WHERE decisions ORDER BY v.next_at LIMIT 1)) AS d);
END
$body$;
COMMENT ON FUNCTION floe_internal.next_assessor_ms(pg_catalog.int4[], pg_catalog.bool) IS 'Milliseconds until a catalog must be listed, a table of these catalogs looked at, a table decided upon, or a policy begins or ends; NULL: never. Each is one look into an index';
-- =================================================================================================
-- 76 health
-- From stored manifests and facts to one row of health; no network, so a changed policy or target size
-- is judged at once.
-- =================================================================================================

CREATE FUNCTION floe_internal.compute_health(of_table_id pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	t floe_internal.iceberg_table;
	z record;
	m floe_internal.manifest_totals;
	new_row floe_internal.health;
	old_row floe_internal.health;
	list jsonb;
BEGIN
	SELECT * INTO t FROM floe_internal.iceberg_table AS x WHERE x.table_id = of_table_id;
	SELECT * INTO z FROM floe_internal.size_limits(of_table_id, t.properties);
	list := t.details -> 'manifest_list';
	IF t.manifest_ids IS NOT NULL THEN
		SELECT (floe_internal.merge_manifests(x.content, x.spec_id, x.aggregate, z.target_bytes, z.small_below, z.oversized_above, z.min_input_files, z.deletes_per_file ORDER BY x.content DESC, l.place)).* INTO m
			FROM unnest(t.manifest_ids) WITH ORDINALITY AS l (id, place) JOIN floe_internal.manifest AS x ON x.manifest_id = l.id;
	END IF;
	SELECT * INTO old_row FROM floe_internal.health AS h WHERE h.table_id = of_table_id;
	new_row.table_id := of_table_id;
	new_row.assessed_at := at;
	new_row.snapshot_id := t.current_snapshot_id;
	new_row.metadata_location := t.metadata_location;
	new_row.target_file_bytes := z.target_bytes;
	new_row.small_below_bytes := z.small_below;
	new_row.oversized_above_bytes := z.oversized_above;
	new_row.min_input_files := z.min_input_files;
	new_row.is_complete := t.manifest_ids IS NOT NULL;
	new_row.is_inexact := COALESCE(m.is_inexact, false);
	new_row.excess_file_count := m.excess_file_count;
	new_row.small_file_count := m.small_file_count;
	new_row.small_file_bytes := m.small_file_bytes;
	new_row.data_file_count := m.data_file_count;
	new_row.data_bytes := m.data_bytes;
	new_row.record_count := m.record_count;
	new_row.average_file_bytes := m.data_bytes / NULLIF(m.data_file_count, 0)::float8;
	new_row.oversized_file_count := m.oversized_file_count;
	new_row.oversized_file_bytes := m.oversized_file_bytes;
	new_row.delete_ratio := (m.position_delete_row_count + m.equality_delete_row_count + m.deletion_vector_row_count) / NULLIF(m.record_count, 0)::float8;
	new_row.equality_delete_file_count := m.equality_delete_file_count;
	new_row.equality_delete_row_count := m.equality_delete_row_count;
	new_row.position_delete_file_count := m.position_delete_file_count;
	new_row.position_delete_row_count := m.position_delete_row_count;
	new_row.excess_delete_file_count := m.excess_delete_file_count;
	new_row.deletion_vector_count := m.deletion_vector_count;
	new_row.deletion_vector_row_count := m.deletion_vector_row_count;
	new_row.delete_bytes := m.delete_bytes;
	new_row.dangling_delete_count := m.dangling_delete_count;
	new_row.partition_count := m.partition_count;
	new_row.partition_skew := m.partition_skew;
	new_row.manifest_spread := m.manifest_spread;
	new_row.deleted_entry_count := m.deleted_entry_count;
	new_row.stat_column_count := m.stat_column_count;
	new_row.manifest_count := (list ->> 'manifest_count')::int8;
	new_row.data_manifest_count := (list ->> 'data_manifest_count')::int8;
	new_row.delete_manifest_count := (list ->> 'delete_manifest_count')::int8;
	new_row.manifest_bytes := (list ->> 'manifest_bytes')::int8;
	new_row.excess_manifest_count := (list ->> 'excess_manifest_count')::int8;
	new_row.snapshot_count := (t.details ->> 'snapshot_count')::int8;
	new_row.oldest_snapshot_at := to_timestamp((t.details ->> 'oldest_snapshot_ms')::float8 / 1000);
	new_row.newest_snapshot_at := to_timestamp((t.details ->> 'newest_snapshot_ms')::float8 / 1000);
	new_row.last_write_at := to_timestamp((t.details ->> 'last_write_ms')::float8 / 1000);
	new_row.commit_interval := (t.details ->> 'commit_interval_ms')::float8 / 1000;
	new_row.ref_count := (t.details ->> 'ref_count')::int8;
	new_row.metadata_json_bytes := (t.details ->> 'metadata_json_bytes')::int8;
	new_row.metadata_log_count := (t.details ->> 'metadata_log_count')::int8;
	new_row.table_stats_lag := (t.details #>> '{table_stats,lag}')::int8;
	new_row.table_stats_at := to_timestamp((t.details #>> '{table_stats,newest_ms}')::float8 / 1000);
	new_row.partition_stats_lag := (t.details #>> '{partition_stats,lag}')::int8;
	new_row.partition_stats_at := to_timestamp((t.details #>> '{partition_stats,newest_ms}')::float8 / 1000);
	new_row.expirable_snapshot_count := (SELECT x.snapshot_count FROM floe_internal.table_setting AS s
		CROSS JOIN LATERAL floe_internal.expirable(t.snapshots, t.refs, t.current_snapshot_id, (s.settings ->> 'options.max_snapshot_age')::interval,
			(s.settings ->> 'options.retain_last')::int4, (floe_internal.property_value(t.properties, 'history.expire.max-ref-age-ms', 'ms') #>> '{}')::interval, at) AS x
		WHERE s.table_id = of_table_id AND s.operation = 'expire_snapshots');
	DELETE FROM floe_internal.health AS h WHERE h.table_id = of_table_id;
	INSERT INTO floe_internal.health SELECT (new_row).*;
	-- History holds changes: the same state measured again is not one.
	IF old_row.table_id IS NULL OR (to_jsonb(old_row) - 'assessed_at') <> (to_jsonb(new_row) - 'assessed_at') THEN
		INSERT INTO floe_internal.health_history SELECT (new_row).*;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.compute_health(pg_catalog.int8) IS 'Computes floe_internal.health of a table from what is stored, and keeps it in the history if it changed';

-- facts: uuid, location, format_version, metadata_location, current_snapshot_id, properties, refs, specs, details.
CREATE FUNCTION floe_internal.apply_assessment(of_table_id pg_catalog.int8, facts pg_catalog.jsonb, new_snapshots pg_catalog.bytea, new_etag pg_catalog.text,
		paths pg_catalog.text[], lengths pg_catalog.int8[], contents pg_catalog.int4[], spec_ids pg_catalog.int4[], is_complete pg_catalog.bool, this_look pg_catalog.int8 DEFAULT NULL) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	old_row floe_internal.iceberg_table;
	ids int8[];
	list jsonb;
	changes jsonb;
	manifest_target float8 := COALESCE((floe_internal.property_value(facts -> 'properties', 'commit.manifest.target-size-bytes', 'bytes'))::text::float8, 8388608);
BEGIN
	-- rows that refer to it may be added meanwhile: a plan does so, while this waits for it below
	SELECT * INTO old_row FROM floe_internal.iceberg_table AS t WHERE t.table_id = of_table_id FOR NO KEY UPDATE;
	IF old_row.status = 'dropped' THEN
		-- while it was read: whether it is there again, and what it is then, is for the next listing to say
		PERFORM floe_internal.poll_done(of_table_id, NULL, false);
		RETURN false;
	END IF;
	IF this_look < old_row.look THEN
		-- Somebody who began later was quicker: he may know better, and this one may have been asked for the newer state. So it is looked at again.
		PERFORM floe_internal.poll_done(of_table_id, NULL, false);
		UPDATE floe_internal.table_poll AS p SET next_poll_at = at WHERE p.table_id = of_table_id AND p.next_poll_at < 'infinity';
		RETURN true;
	END IF;
	IF is_complete THEN
		SELECT COALESCE(array_agg(m.manifest_id ORDER BY l.place), '{}') INTO ids
			FROM unnest(paths) WITH ORDINALITY AS l (path, place) JOIN floe_internal.manifest AS m ON m.table_id = of_table_id AND m.path = l.path;
		IF COALESCE(array_length(ids, 1), 0) <> COALESCE(array_length(paths, 1), 0) THEN
			RAISE EXCEPTION 'manifests of table "%" are missing in the store', old_row.name USING ERRCODE = 'internal_error';
		END IF;
		UPDATE floe_internal.manifest AS m SET left_list_at = CASE WHEN m.manifest_id = ANY (ids) THEN NULL ELSE at END
			WHERE m.table_id = of_table_id AND (m.left_list_at IS NULL) <> (m.manifest_id = ANY (ids));
	END IF;
	SELECT jsonb_build_object('manifest_count', COALESCE(sum(g.manifests), 0), 'data_manifest_count', COALESCE(sum(g.manifests) FILTER (WHERE g.content = 0), 0),
			'delete_manifest_count', COALESCE(sum(g.manifests) FILTER (WHERE g.content = 1), 0), 'manifest_bytes', COALESCE(sum(g.bytes), 0),
			'excess_manifest_count', COALESCE(sum(GREATEST(0, g.manifests - ceil(g.bytes / manifest_target))), 0)) INTO list
		FROM (SELECT l.content, l.spec_id, count(*) AS manifests, sum(l.length) AS bytes
			  FROM unnest(lengths, contents, spec_ids) AS l (length, content, spec_id) GROUP BY l.content, l.spec_id) AS g;
	UPDATE floe_internal.iceberg_table AS t
		SET status = 'ok', error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL,
			table_uuid = facts ->> 'uuid', location = facts ->> 'location', location_key = floe_internal.location_key(facts ->> 'location'),
			format_version = (facts ->> 'format_version')::int4, metadata_location = facts ->> 'metadata_location',
			current_snapshot_id = (facts ->> 'current_snapshot_id')::int8, properties = facts -> 'properties', refs = facts -> 'refs', specs = facts -> 'specs',
			details = (facts -> 'details') || jsonb_build_object('manifest_list', list), snapshots = new_snapshots,
			manifest_ids = ids, assessed_at = at, look = COALESCE(this_look, t.look)
		WHERE t.table_id = of_table_id;
	IF old_row.table_uuid IS DISTINCT FROM facts ->> 'uuid' AND old_row.table_uuid IS NOT NULL THEN
		PERFORM floe_internal.write_event('table recreated', old_row.levels[1], of_table_id, old_row.name, NULL, format('%s was dropped and made anew', old_row.name),
			jsonb_build_object('old_uuid', old_row.table_uuid, 'new_uuid', facts ->> 'uuid'));
		DELETE FROM floe_internal.table_operation AS x WHERE x.table_id = of_table_id;
	END IF;
	IF old_row.status <> 'ok' THEN
		PERFORM floe_internal.write_event('table assessed', old_row.levels[1], of_table_id, old_row.name, NULL, format('%s assessed', old_row.name), NULL);
	END IF;
	changes := floe_internal.external_changes(old_row, facts ->> 'uuid', new_snapshots);
	-- first, as in a plan: who decides upon the table may compute its health
	PERFORM floe_internal.decide_soon(ARRAY[of_table_id]);
	PERFORM floe_internal.compute_health(of_table_id);
	IF changes IS NOT NULL THEN
		PERFORM floe_internal.note_external(of_table_id, changes);
	END IF;
	PERFORM floe_internal.poll_done(of_table_id, new_etag, false);
	PERFORM floe_internal.answer_requests(of_table_id);
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_assessment(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.bytea, pg_catalog.text, pg_catalog.text[], pg_catalog.int8[], pg_catalog.int4[], pg_catalog.int4[], pg_catalog.bool, pg_catalog.int8)
	IS 'Stores what was read of a table and judges it; is_complete: all manifests of the list are stored; this_look: from the claim. What a look that began later has found stays. False: it was dropped while it was read, and is as it was';

-- Tables whose sizes in force changed since their health was computed. What retention lets go is counted where it is used.
CREATE FUNCTION floe_internal.recompute_health(of_table_ids pg_catalog.int8[]) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	t record;
	n int4 := 0;
BEGIN
	FOR t IN
		SELECT h.table_id FROM floe_internal.health AS h JOIN floe_internal.iceberg_table AS i ON i.table_id = h.table_id
		JOIN (SELECT s.table_id, s.settings FROM floe_internal.table_setting AS s WHERE s.operation = 'rewrite_data_files' AND s.table_id = ANY (of_table_ids) OFFSET 0) AS s ON s.table_id = h.table_id
		CROSS JOIN LATERAL floe_internal.sizes(s.settings) AS z
		WHERE h.table_id = ANY (of_table_ids) AND (h.target_file_bytes, h.small_below_bytes, h.oversized_above_bytes, h.min_input_files) IS DISTINCT FROM (z.target_bytes, z.small_below, z.oversized_above, z.min_input_files)
	LOOP
		PERFORM floe_internal.compute_health(t.table_id);
		n := n + 1;
	END LOOP;
	RETURN n;
END
$body$;
COMMENT ON FUNCTION floe_internal.recompute_health(pg_catalog.int8[]) IS 'Computes health anew for those of some tables where other file sizes are in force than it was computed with';

-- What people read ----------------------------------------------------------------------------------

CREATE FUNCTION floe.health(table_name pg_catalog.text,
		OUT metric pg_catalog.text, OUT value pg_catalog.float8, OUT unit pg_catalog.text, OUT shown pg_catalog.text, OUT level pg_catalog.text,
		OUT warning pg_catalog.float8, OUT critical pg_catalog.float8, OUT remedy pg_catalog.text, OUT set_by pg_catalog.text, OUT assessed_at pg_catalog.timestamptz)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT j.metric, j.value, j.unit, floe_internal.format_metric(j.value, j.unit), j.level, j.warning, NULLIF(j.critical, 'Infinity'), j.remedy,
		   CASE WHEN j.warning IS NOT NULL THEN COALESCE((SELECT format('policy "%s" (%s)', p.name, p.pattern) FROM floe.policy AS p WHERE p.policy_id = j.set_by_policy), 'built in') END,
		   h.assessed_at
	FROM (SELECT (floe_internal.require_table(table_name)).table_id) AS t
	JOIN floe_internal.health AS h ON h.table_id = t.table_id
	CROSS JOIN LATERAL floe_internal.judged_metrics(ARRAY[t.table_id], floe_internal.clock()) AS j
	ORDER BY j.position
$body$;
COMMENT ON FUNCTION floe.health(pg_catalog.text) IS 'Every metric of a table now, with the thresholds in force; value NULL: unknown; level: ok, warning, critical; no rows: not assessed yet';

CREATE FUNCTION floe.partition_health(table_name pg_catalog.text,
		OUT spec_id pg_catalog.int4, OUT partition pg_catalog.json, OUT data_file_count pg_catalog.int8, OUT data_bytes pg_catalog.int8, OUT record_count pg_catalog.int8,
		OUT average_file_bytes pg_catalog.float8, OUT small_file_count pg_catalog.int8, OUT small_file_bytes pg_catalog.int8, OUT excess_file_count pg_catalog.int8,
		OUT oversized_file_count pg_catalog.int8, OUT position_delete_file_count pg_catalog.int8, OUT excess_delete_file_count pg_catalog.int8, OUT equality_delete_file_count pg_catalog.int8,
		OUT deletion_vector_count pg_catalog.int8, OUT delete_row_count pg_catalog.int8, OUT delete_ratio pg_catalog.float8, OUT dangling_delete_count pg_catalog.int8,
		OUT manifest_count pg_catalog.int8, OUT last_write_at pg_catalog.timestamptz, OUT commit_interval pg_catalog.float8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	WITH t AS MATERIALIZED (
		SELECT (floe_internal.require_table(table_name)).*
	), known AS MATERIALIZED (
		SELECT s.snapshot_id, s.committed_at FROM t CROSS JOIN LATERAL floe_internal.snapshot_list(t.snapshots) AS s WHERE s.operation IS DISTINCT FROM 'replace'
	), merged AS (
		SELECT floe_internal.merge_partitions(m.content, m.spec_id, m.aggregate, z.target_bytes, z.small_below, z.oversized_above, z.min_input_files, z.deletes_per_file ORDER BY m.content DESC, l.place) AS parts
		FROM t CROSS JOIN LATERAL floe_internal.size_limits(t.table_id, t.properties) AS z
		CROSS JOIN LATERAL unnest(t.manifest_ids) WITH ORDINALITY AS l (id, place)
		JOIN floe_internal.manifest AS m ON m.manifest_id = l.id
	)
	SELECT p.spec_id, p.partition::json, p.data_file_count, p.data_bytes, p.record_count, p.data_bytes / NULLIF(p.data_file_count, 0)::float8,
		   p.small_file_count, p.small_file_bytes, p.excess_file_count, p.oversized_file_count, p.position_delete_file_count, p.excess_delete_file_count, p.equality_delete_file_count,
		   p.deletion_vector_count, p.delete_row_count, p.delete_row_count / NULLIF(p.record_count, 0)::float8, p.dangling_delete_count, p.manifest_count,
		   w.last_at, w.gap
	FROM merged CROSS JOIN LATERAL unnest(merged.parts) AS p
	LEFT JOIN LATERAL (
		-- snapshot times are whole milliseconds, and so is their median
		SELECT max(g.committed_at) AS last_at, floor(percentile_cont(0.5) WITHIN GROUP (ORDER BY g.gap)) / 1000 AS gap
		FROM (SELECT k.committed_at, round(extract(epoch FROM k.committed_at - lag(k.committed_at) OVER (ORDER BY k.committed_at)) * 1000)::float8 AS gap
			  FROM known AS k WHERE k.snapshot_id = ANY (p.snapshot_ids)) AS g) AS w ON true
	ORDER BY p.excess_file_count DESC, p.data_bytes DESC, p.spec_id, p.partition
$body$;
COMMENT ON FUNCTION floe.partition_health(pg_catalog.text) IS 'The same per partition, the one with most to gain first; a merge over the stored manifests, no network';

CREATE VIEW floe.health_history AS
	SELECT t.name AS table_name, h.*
	FROM floe_internal.health_history AS h
	JOIN floe_internal.iceberg_table AS t ON t.table_id = h.table_id;
COMMENT ON VIEW floe.health_history IS 'Every change of every table''s health; ages as times; NULL is unknown';

-- =================================================================================================
-- 77 policies of a catalog
-- A catalog may keep maintenance policies of its own (SERVER option policy_source). After a listing the
-- library asks which apply where; here they become policies of floe, one for each attachment. What they
-- mean: 44. Separate from 75, which is about tables.
-- =================================================================================================

CREATE TABLE floe_internal.policy_source (
	catalog_id		pg_catalog.int4 PRIMARY KEY REFERENCES floe_internal.catalog ON DELETE CASCADE,
	read_at			pg_catalog.timestamptz,
	tables_read_at	pg_catalog.timestamptz,
	new_since		pg_catalog.timestamptz,
	error_message	pg_catalog.text,
	error_detail	pg_catalog.text,
	error_since		pg_catalog.timestamptz
);
COMMENT ON TABLE floe_internal.policy_source IS 'Catalogs whose policies are read, and how that went the last time';
COMMENT ON COLUMN floe_internal.policy_source.tables_read_at IS 'When all tables were asked for policies of their own, the last time';
COMMENT ON COLUMN floe_internal.policy_source.new_since IS 'Tables first seen later than this have not been asked yet';

CREATE TABLE floe_internal.catalog_policy (
	catalog_id		pg_catalog.int4 NOT NULL REFERENCES floe_internal.catalog ON DELETE CASCADE,
	target			pg_catalog.text[] NOT NULL,
	is_table		pg_catalog.bool NOT NULL,
	policy_type		pg_catalog.text NOT NULL REFERENCES floe_internal.polaris_policy_type,
	document		pg_catalog.jsonb NOT NULL,
	policy_id		pg_catalog.int4 REFERENCES floe.policy ON DELETE SET NULL,
	applied			pg_catalog.jsonb,
	left_out		pg_catalog.text[] NOT NULL DEFAULT '{}',
	problem			pg_catalog.text,
	locked			pg_catalog.text[] NOT NULL DEFAULT '{}',
	changed_at		pg_catalog.timestamptz NOT NULL,
	PRIMARY KEY (catalog_id, target, is_table, policy_type)
);
CREATE INDEX catalog_policy_policy ON floe_internal.catalog_policy (policy_id);
COMMENT ON TABLE floe_internal.catalog_policy IS 'Attachments of policies in a catalog, as it told them, and the policy of floe that stands for each';
COMMENT ON COLUMN floe_internal.catalog_policy.target IS 'Levels below the catalog; {}: the catalog itself';
COMMENT ON COLUMN floe_internal.catalog_policy.applied IS 'What the policy of floe was made from: it is made again only when this changes';
COMMENT ON COLUMN floe_internal.catalog_policy.locked IS 'What of it locks of policies above overrule';
COMMENT ON COLUMN floe_internal.catalog_policy.problem IS 'Why floe does not do what it says; its operation is switched off there';

-- A policy that only stands for an attachment goes with it.
CREATE FUNCTION floe_internal.catalog_policy_after() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_matches(true);
	DELETE FROM floe.policy AS p WHERE p.policy_id = OLD.policy_id;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.catalog_policy_after() IS 'Trigger: drops the policy of floe that stood for an attachment';

CREATE TRIGGER catalog_policy_after AFTER DELETE ON floe_internal.catalog_policy
	FOR EACH ROW WHEN (OLD.policy_id IS NOT NULL) EXECUTE FUNCTION floe_internal.catalog_policy_after();

-- What is to be asked, namespaces as levels joined with U+001F; table_name NULL: of the catalog or a namespace.
CREATE FUNCTION floe_internal.policy_targets(of_catalog_id pg_catalog.int4, OUT namespace pg_catalog.text, OUT table_name pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	at timestamptz := floe_internal.clock();
	options jsonb := (SELECT s.options FROM floe_internal.server AS s JOIN floe_internal.catalog AS c ON c.server_name = s.server_name
		WHERE s.wrapper = 'floe_catalog' AND c.catalog_id = of_catalog_id);
	source floe_internal.policy_source;
BEGIN
	IF NOT options ? 'policy_source' OR options IS NULL THEN
		DELETE FROM floe_internal.catalog_policy AS p WHERE p.catalog_id = of_catalog_id;
		DELETE FROM floe_internal.policy_source AS s WHERE s.catalog_id = of_catalog_id;
		RETURN;
	END IF;
	INSERT INTO floe_internal.policy_source (catalog_id) VALUES (of_catalog_id) ON CONFLICT DO NOTHING;
	SELECT * INTO source FROM floe_internal.policy_source AS s WHERE s.catalog_id = of_catalog_id;
	IF source.tables_read_at + COALESCE((options ->> 'policy_interval')::interval, interval '1 day') <= at THEN
		source.tables_read_at := NULL;
	END IF;
	RETURN QUERY SELECT '', NULL::text;
	RETURN QUERY
		SELECT DISTINCT array_to_string(t.namespace[1:n.n], chr(31)), NULL::text
		FROM floe_internal.iceberg_table AS t CROSS JOIN LATERAL generate_series(1, cardinality(t.namespace)) AS n (n)
		WHERE t.catalog_id = of_catalog_id AND t.status <> 'dropped';
	RETURN QUERY
		SELECT array_to_string(t.namespace, chr(31)), t.table_name
		FROM floe_internal.iceberg_table AS t
		WHERE t.catalog_id = of_catalog_id AND t.status <> 'dropped' AND (source.tables_read_at IS NULL OR t.first_seen_at > source.new_since);
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_targets(pg_catalog.int4) IS 'Where a catalog is to be asked for policies: itself, its namespaces, and once in policy_interval all of its tables, new ones at once; nothing without policy_source, and then what was read before goes';

-- The policy of floe for each attachment: its target without what has a policy of that type of its own further down, which takes its place entirely.
CREATE FUNCTION floe_internal.catalog_policy_documents(of_catalog_id pg_catalog.int4, OUT target pg_catalog.text[], OUT is_table pg_catalog.bool, OUT policy_type pg_catalog.text, OUT applied pg_catalog.jsonb)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH attached AS (
		SELECT p.target, p.is_table, p.policy_type, p.document, c.server_name,
			   -- "x.**" is also the table x of the namespace above
			   floe_internal.format_name(ARRAY[c.server_name] || p.target) || CASE WHEN p.is_table THEN '' ELSE '.*.**' END AS pattern
		FROM floe_internal.catalog_policy AS p JOIN floe_internal.catalog AS c ON c.catalog_id = p.catalog_id
		WHERE p.catalog_id = of_catalog_id)
	SELECT a.target, a.is_table, a.policy_type, pg_catalog.jsonb_build_object(
			'name', CASE WHEN pg_catalog.length(n.name) <= 200 THEN n.name ELSE pg_catalog.left(n.name, 167) || ' ' || pg_catalog.md5(n.name) END,
			'pattern', a.pattern,
			'exclude', COALESCE((
				SELECT pg_catalog.jsonb_agg(d.pattern ORDER BY d.pattern)
				FROM attached AS d
				WHERE NOT a.is_table AND d.policy_type = a.policy_type AND (d.target, d.is_table) <> (a.target, a.is_table)
				  AND pg_catalog.cardinality(d.target) > pg_catalog.cardinality(a.target) AND d.target[1:pg_catalog.cardinality(a.target)] = a.target), '[]'),
			'description', pg_catalog.format('Read from catalog %s: policy %s of %s, version %s. What is changed here, its next version overwrites.', a.server_name, a.document ->> 'name',
				COALESCE((SELECT pg_catalog.string_agg(l.level, '.' ORDER BY l.place) FROM pg_catalog.jsonb_array_elements_text(a.document -> 'namespace') WITH ORDINALITY AS l (level, place)), '?'),
				COALESCE(a.document ->> 'version', '?')),
			'policy-type', a.policy_type,
			'content', a.document -> 'content')
	FROM attached AS a
	CROSS JOIN LATERAL (SELECT pg_catalog.format('%s: %s of %s', a.server_name, a.policy_type,
		CASE WHEN a.target = '{}' THEN 'the catalog' WHEN a.is_table THEN 'table ' || floe_internal.format_name(a.target) ELSE floe_internal.format_name(a.target) END) AS name) AS n;
END;
COMMENT ON FUNCTION floe_internal.catalog_policy_documents(pg_catalog.int4) IS 'For each attachment of a catalog the document that floe_internal.polaris_document() takes';

-- One attachment. What floe cannot do as it is said is not done at all: older or other settings could delete more.
CREATE FUNCTION floe_internal.apply_catalog_policy(of_catalog_id pg_catalog.int4, of_target pg_catalog.text[], of_is_table pg_catalog.bool, of_type pg_catalog.text, new_applied pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	of_operation text := (SELECT t.operation FROM floe_internal.polaris_policy_type AS t WHERE t.policy_type = of_type);
	old_row floe.policy;
	known_id int4;
	known_problem text;
	new_id int4;
	new_left_out text[] := ARRAY[]::text[];
	document jsonb;
	told text;
	detail text;
BEGIN
	SELECT p.policy_id, p.problem INTO known_id, known_problem FROM floe_internal.catalog_policy AS p
		WHERE (p.catalog_id, p.target, p.is_table, p.policy_type) = (of_catalog_id, of_target, of_is_table, of_type);
	SELECT * INTO old_row FROM floe.policy AS p WHERE p.name = new_applied ->> 'name';
	IF FOUND AND old_row.policy_id IS DISTINCT FROM known_id AND COALESCE(old_row.description, '') NOT LIKE 'Read from catalog %' THEN
		told := format('there is another policy of the name "%s"', new_applied ->> 'name');
	ELSE
		BEGIN
			SELECT d.translated, d.left_out INTO document, new_left_out FROM floe_internal.polaris_document(new_applied) AS d;
			new_id := floe.import_policy(document);
		EXCEPTION WHEN invalid_parameter_value OR feature_not_supported OR program_limit_exceeded THEN
			GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
			told := replace(concat_ws(': ', told, NULLIF(detail, '')), format('policy "%s": ', new_applied ->> 'name'), '');
			new_left_out := ARRAY[]::text[];
		END;
		IF new_id IS NULL THEN
			BEGIN
				-- without exceptions, of which there may be too many: each has a policy of its own, which is more specific
				new_id := floe.import_policy((new_applied - ARRAY['policy-type', 'content', 'exclude']) || jsonb_build_object(of_operation, '{"enabled": false}'::jsonb));
			EXCEPTION WHEN invalid_parameter_value OR program_limit_exceeded THEN
				DELETE FROM floe.policy AS p WHERE p.policy_id = known_id;
			END;
		END IF;
	END IF;
	UPDATE floe_internal.catalog_policy AS p SET policy_id = new_id, applied = new_applied, left_out = new_left_out, problem = told
		WHERE (p.catalog_id, p.target, p.is_table, p.policy_type) = (of_catalog_id, of_target, of_is_table, of_type);
	IF told IS DISTINCT FROM known_problem AND told IS NOT NULL THEN
		PERFORM floe_internal.write_event('catalog policy', (SELECT c.server_name FROM floe_internal.catalog AS c WHERE c.catalog_id = of_catalog_id), NULL, NULL, NULL,
			format('%s: floe does not do what it says: %s', new_applied ->> 'name', told), NULL);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_catalog_policy(pg_catalog.int4, pg_catalog.text[], pg_catalog.bool, pg_catalog.text, pg_catalog.jsonb) IS 'Makes or changes the policy of floe that stands for one attachment, or says why not';

-- Answers of the catalog, one for each page of a target. Whether they have this shape the library has looked at.
CREATE FUNCTION floe_internal.attached_policies(namespaces pg_catalog.text[], table_names pg_catalog.text[], answers pg_catalog.text[],
		OUT target pg_catalog.text[], OUT is_table pg_catalog.bool, OUT policy_type pg_catalog.text, OUT document pg_catalog.jsonb)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT DISTINCT ON (a.target, a.is_table, t.policy_type) a.target, a.is_table, t.policy_type, p.policy - 'inherited'
	FROM (SELECT COALESCE(pg_catalog.string_to_array(NULLIF(x.namespace, ''), pg_catalog.chr(31)), '{}') || CASE WHEN x.table_name IS NULL THEN '{}' ELSE ARRAY[x.table_name] END AS target,
				 x.table_name IS NOT NULL AS is_table, x.answer::pg_catalog.jsonb AS answer
		  FROM ROWS FROM (pg_catalog.unnest(namespaces), pg_catalog.unnest(table_names), pg_catalog.unnest(answers)) AS x (namespace, table_name, answer)) AS a
	CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(a.answer -> 'applicable-policies') AS p (policy)
	JOIN floe_internal.polaris_policy_type AS t ON t.policy_type = p.policy ->> 'policy-type'
	WHERE p.policy -> 'inherited' IS DISTINCT FROM 'true'
	ORDER BY a.target, a.is_table, t.policy_type, p.policy ->> 'name';
END;
COMMENT ON FUNCTION floe_internal.attached_policies(pg_catalog.text[], pg_catalog.text[], pg_catalog.text[]) IS 'Policies that are attached to just these targets, of the types floe knows';

-- Attachments of targets that were not asked stay as they are, as long as their tables are there.
CREATE FUNCTION floe_internal.store_catalog_policies(of_catalog_id pg_catalog.int4, namespaces pg_catalog.text[], table_names pg_catalog.text[], answers pg_catalog.text[]) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	has_changed bool := false;
BEGIN
	WITH told AS MATERIALIZED (
		SELECT * FROM floe_internal.attached_policies(namespaces, table_names, answers)
	), gone AS (
		DELETE FROM floe_internal.catalog_policy AS p
		WHERE p.catalog_id = of_catalog_id
		  AND NOT EXISTS (SELECT FROM told AS n WHERE (n.target, n.is_table, n.policy_type) = (p.target, p.is_table, p.policy_type))
		  AND (EXISTS (SELECT FROM unnest(namespaces, table_names) AS x (namespace, table_name)
					   WHERE p.is_table = (x.table_name IS NOT NULL)
						 AND p.target = COALESCE(string_to_array(NULLIF(x.namespace, ''), chr(31)), '{}') || CASE WHEN x.table_name IS NULL THEN '{}' ELSE ARRAY[x.table_name] END)
			   OR NOT EXISTS (SELECT FROM floe_internal.iceberg_table AS t
							  WHERE t.catalog_id = of_catalog_id AND t.status <> 'dropped'
								AND p.target = CASE WHEN p.is_table THEN t.namespace || t.table_name ELSE t.namespace[1:cardinality(p.target)] END)
				  AND p.target <> '{}')
		RETURNING 1
	), come AS (
		INSERT INTO floe_internal.catalog_policy AS p (catalog_id, target, is_table, policy_type, document, changed_at)
			SELECT of_catalog_id, n.target, n.is_table, n.policy_type, n.document, at FROM told AS n
			ON CONFLICT (catalog_id, target, is_table, policy_type) DO UPDATE SET document = EXCLUDED.document, changed_at = at WHERE p.document <> EXCLUDED.document
			RETURNING 1
	)
	SELECT EXISTS (SELECT FROM gone) OR EXISTS (SELECT FROM come) INTO has_changed;
	RETURN has_changed;
END
$body$;
COMMENT ON FUNCTION floe_internal.store_catalog_policies(pg_catalog.int4, pg_catalog.text[], pg_catalog.text[], pg_catalog.text[]) IS 'Keeps what a catalog told of its policies; true: something changed';

CREATE FUNCTION floe_internal.apply_catalog_policies(of_catalog_id pg_catalog.int4, namespaces pg_catalog.text[], table_names pg_catalog.text[], answers pg_catalog.text[]) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	most CONSTANT int4 := 1000;
	at timestamptz := floe_internal.clock();
	changed record;
	n int4 := 0;
BEGIN
	-- before any row is locked, as for every change of policies; a reading that brings nothing new does not wait for it
	IF EXISTS (SELECT FROM floe_internal.attached_policies(namespaces, table_names, answers)) OR EXISTS (SELECT FROM floe_internal.catalog_policy AS p WHERE p.catalog_id = of_catalog_id) THEN
		PERFORM floe_internal.lock_matches(true);
		INSERT INTO floe_internal.policy_change (policy_id) VALUES (-1);
		PERFORM floe_internal.store_catalog_policies(of_catalog_id, namespaces, table_names, answers);
		IF (SELECT count(*) FROM floe_internal.catalog_policy AS p WHERE p.catalog_id = of_catalog_id) > most THEN
			PERFORM floe_internal.refuse(format('the catalog has more than %s policies attached', most), NULL, NULL, '54000');
		END IF;
		FOR changed IN
			SELECT d.* FROM floe_internal.catalog_policy_documents(of_catalog_id) AS d
			JOIN floe_internal.catalog_policy AS p ON (p.catalog_id, p.target, p.is_table, p.policy_type) = (of_catalog_id, d.target, d.is_table, d.policy_type)
			-- somebody may have dropped the policy that stood for it, or the one that was in its way
			WHERE p.applied IS DISTINCT FROM d.applied OR p.policy_id IS NULL
			ORDER BY d.target, d.is_table, d.policy_type
		LOOP
			PERFORM floe_internal.apply_catalog_policy(of_catalog_id, changed.target, changed.is_table, changed.policy_type, changed.applied);
		END LOOP;
		DELETE FROM floe_internal.policy_change AS c WHERE c.policy_id = -1;
		PERFORM floe_internal.note_catalog_locks();
		n := (SELECT count(*) FROM floe_internal.catalog_policy AS p WHERE p.catalog_id = of_catalog_id);
	END IF;
	UPDATE floe_internal.policy_source AS s
		SET read_at = at, error_message = NULL, error_detail = NULL, error_since = NULL,
			new_since = GREATEST(s.new_since, (SELECT max(t.first_seen_at) FROM unnest(namespaces, table_names) AS x (namespace, table_name)
				JOIN floe_internal.iceberg_table AS t ON t.catalog_id = of_catalog_id AND t.namespace = string_to_array(x.namespace, chr(31)) AND t.table_name = x.table_name AND t.status <> 'dropped')),
			tables_read_at = CASE WHEN EXISTS (SELECT FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = of_catalog_id AND t.status <> 'dropped'
					AND NOT EXISTS (SELECT FROM unnest(namespaces, table_names) AS x (namespace, table_name) WHERE t.namespace = string_to_array(x.namespace, chr(31)) AND t.table_name = x.table_name))
				THEN s.tables_read_at ELSE at END
		WHERE s.catalog_id = of_catalog_id;
	RETURN n;
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_catalog_policies(pg_catalog.int4, pg_catalog.text[], pg_catalog.text[], pg_catalog.text[]) IS 'What a catalog answered to floe_internal.policy_targets() becomes policies of floe; returns how many it has. Never called with a reading that broke off';

CREATE FUNCTION floe_internal.policy_source_failed(of_catalog_id pg_catalog.int4, message pg_catalog.text, detail pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old_row floe_internal.policy_source;
BEGIN
	SELECT * INTO old_row FROM floe_internal.policy_source AS s WHERE s.catalog_id = of_catalog_id FOR UPDATE;
	IF NOT FOUND THEN
		RETURN;	-- nobody asks for them any more
	END IF;
	UPDATE floe_internal.policy_source AS s
		SET error_message = message, error_detail = NULLIF(detail, ''), error_since = COALESCE(s.error_since, floe_internal.clock())
		WHERE s.catalog_id = of_catalog_id;
	IF old_row.error_message IS DISTINCT FROM message THEN
		PERFORM floe_internal.write_event('catalog policies failed', c.server_name, NULL, NULL, NULL,
				format('policies of catalog "%s" cannot be read: %s', c.server_name, message), NULL)
			FROM floe_internal.catalog AS c WHERE c.catalog_id = of_catalog_id;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_source_failed(pg_catalog.int4, pg_catalog.text, pg_catalog.text) IS 'The policies of a catalog could not be read; those that were read before stay in force';

CREATE VIEW floe.catalog_policies AS
	SELECT c.server_name AS catalog, CASE WHEN p.target = '{}' THEN NULL ELSE floe_internal.format_name(p.target) END AS target,
		   CASE WHEN p.target = '{}' THEN 'catalog' WHEN p.is_table THEN 'table' ELSE 'namespace' END AS target_kind,
		   p.policy_type AS type, p.document ->> 'name' AS name, p.document ->> 'version' AS version, f.name AS policy, p.left_out, p.problem, p.changed_at, p.locked
	FROM floe_internal.catalog_policy AS p
	JOIN floe_internal.catalog AS c ON c.catalog_id = p.catalog_id
	LEFT JOIN floe.policy AS f ON f.policy_id = p.policy_id;
COMMENT ON VIEW floe.catalog_policies IS 'Policies that catalogs keep (SERVER option policy_source), where each is attached, and the policy of floe that stands for it. left_out: what of its config means nothing here; problem: why floe does not do what it says, so that its operation is off there; locked: what of it locks of policies above overrule';
-- =================================================================================================
-- 78 life of an operation
-- Each function is one transition, called by the library in a transaction of its own. The network lies
-- between them; what must survive a crash is committed by them before the request that needs it.
-- =================================================================================================

-- Who decides holds the decisions of his tables, and then waits for what is being changed in the queue. So whoever may end an operation, which makes
-- its table due, has the decision before the row of the queue.
CREATE FUNCTION floe_internal.lock_decisions(of_operation_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF of_operation_ids <> '{}' THEN
		PERFORM 1 FROM floe_internal.table_decision AS d
			WHERE d.table_id IN (SELECT q.table_id FROM floe_internal.operation_queue AS q WHERE q.operation_id = ANY (of_operation_ids))
			ORDER BY d.table_id FOR UPDATE;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_decisions(pg_catalog.int8[]) IS 'Locks the decisions of the tables of these operations, until the commit';

-- A queued or live operation leaves the queue for the log.
CREATE FUNCTION floe_internal.end_operation(of_operation_id pg_catalog.int8, final_state pg_catalog.text, message pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	q floe_internal.operation_queue;
BEGIN
	UPDATE floe_internal.operation_queue AS x
		SET state = final_state, finished_at = at, saved = NULL,
			error_message = CASE final_state WHEN 'cancelled' THEN COALESCE(message, x.error_message) WHEN 'failed' THEN COALESCE(x.error_message, message) ELSE x.error_message END
		WHERE x.operation_id = of_operation_id RETURNING * INTO q;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	INSERT INTO floe_internal.operation_log (operation_id, operation_key, table_id, table_name, operation, state, by_hand, requested_by, attempt, engine, settings, settings_hash,
			policies, reason, score, score_parts, estimate, queued_at, dispatched_at, started_at, engine_ended_at, finished_at, statement, external_id, before_snapshot_id,
			before, after, effect, new_snapshots, outcome, engine_result, engine_row_count, error_class, error_message, cancel_requested_by, engine_reason)
		VALUES (q.operation_id, q.operation_key, q.table_id, q.table_name, q.operation, q.state, q.by_hand, q.requested_by, q.attempt, q.engine, q.settings, q.settings_hash,
			q.policies, q.reason, q.score, q.score_parts, q.estimate, q.queued_at, q.dispatched_at, q.started_at, q.engine_ended_at, q.finished_at, q.statement, q.external_id, q.before_snapshot_id,
			q.before, q.after, q.effect, q.new_snapshots, q.outcome, q.engine_result, q.engine_row_count, q.error_class, q.error_message, q.cancel_requested_by, q.engine_reason);
	DELETE FROM floe_internal.operation_queue AS x WHERE x.operation_id = of_operation_id;
	PERFORM floe_internal.decide_soon(ARRAY[q.table_id]);
	PERFORM floe_internal.write_event('operation ' || final_state, (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id,
		concat_ws(': ', q.operation || ' ' || replace(final_state, '_', ' '), message), q.effect);
END
$body$;
COMMENT ON FUNCTION floe_internal.end_operation(pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS 'Moves an operation to the log in a terminal state';

-- Somebody asked for its end while it was on its way, and it came back.
CREATE FUNCTION floe_internal.end_cancelled() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.end_operation(NEW.operation_id, 'cancelled', 'cancelled by ' || NEW.cancel_requested_by);
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.end_cancelled() IS 'Trigger: an operation that is to be cancelled does not wait in the queue';

CREATE TRIGGER operation_queue_cancelled AFTER UPDATE OF state ON floe_internal.operation_queue
	FOR EACH ROW WHEN (NEW.state = 'queued' AND OLD.state <> 'queued' AND NEW.cancel_requested_by IS NOT NULL)
	EXECUTE FUNCTION floe_internal.end_cancelled();

CREATE FUNCTION floe_internal.drop_queued(of_table_id pg_catalog.int8, reason pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY(SELECT x.operation_id FROM floe_internal.operation_queue AS x WHERE x.table_id = of_table_id));
	PERFORM floe_internal.end_operation(q.operation_id, 'cancelled', drop_queued.reason)
		FROM (SELECT x.operation_id FROM floe_internal.operation_queue AS x WHERE x.table_id = of_table_id AND x.state = 'queued' ORDER BY x.operation_id FOR UPDATE) AS q;
	DELETE FROM floe_internal.trigger_request AS r WHERE r.table_id = of_table_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.drop_queued(pg_catalog.int8, pg_catalog.text) IS 'Cancels what waits for a table';

CREATE FUNCTION floe_internal.policy_turn(of_policy_set_id pg_catalog.int4, of_operation pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE((SELECT p.name FROM floe_internal.effective AS e JOIN floe.policy AS p ON p.policy_id = (e.origins ->> 'configured')::pg_catalog.int4
		WHERE e.policy_set_id = of_policy_set_id AND e.operation = of_operation), '-');
END;
COMMENT ON FUNCTION floe_internal.policy_turn(pg_catalog.int4, pg_catalog.text) IS 'The policy whose turn an operation takes: of those that configure it, the one that wins; - where there is none';

-- The next operation for a free engine, never two on one table, in the order of operations within a table. People go first. Then catalogs take turns, and
-- within a catalog its policies; a score decides only within these: nobody with many bad tables keeps the engine for himself.
-- An engine also takes what others stand before it for, while each of those is gone, drained, or has failed or been full for long: decided here and only
-- here, of what is queued, of which nothing was sent.
CREATE FUNCTION floe_internal.claim_operation(of_pass_id pg_catalog.int4, pattern pg_catalog.text) RETURNS SETOF floe_internal.operation_queue
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	e record;
	q floe_internal.operation_queue;
	-- of engines that may take something: a list before them is looked through without a join
	here text[];
	full_ones text[];
	failing text[];
	failing_since timestamptz[];
	tight floe_internal.budget_line[];
BEGIN
	IF EXISTS (SELECT 1 FROM floe_internal.drain) THEN
		RETURN;
	END IF;
	IF EXISTS (SELECT 1 FROM floe_internal.operation_queue AS x WHERE x.state = 'queued' AND x.engines IS NOT NULL) THEN
		SELECT array_agg(p.server_name) FILTER (WHERE NOT p.is_drained), array_agg(p.server_name) FILTER (WHERE p.is_full),
			   array_agg(p.server_name) FILTER (WHERE p.failing_since IS NOT NULL), array_agg(p.failing_since) FILTER (WHERE p.failing_since IS NOT NULL)
			INTO here, full_ones, failing, failing_since FROM floe_internal.engine_places(at) AS p;
		-- the plan has tested the budgets of the engine that stands first
		IF EXISTS (SELECT 1 FROM floe.budget AS b WHERE b.is_enabled AND b.engine IS NOT NULL) THEN
			tight := ARRAY(SELECT ROW(s.name, s.pattern, s.engine, s.operations_left, s.tables_left, s.bytes_left, s.gb_hours_left, s.used_tables,
				s.operations_limit, s.tables_limit, s.bytes_limit, s.gb_hours_limit, s.free_at)::floe_internal.budget_line FROM floe_internal.budget_state(at) AS s WHERE s.engine IS NOT NULL);
		END IF;
	END IF;
	-- a budget can be about several engines, a catalog's limit always is: who counts what runs under it does so alone
	IF EXISTS (SELECT 1 FROM floe.budget AS b WHERE b.is_enabled AND b.concurrency IS NOT NULL)
	   OR EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_catalog' AND s.options ? 'max_operations') THEN
		PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 1);
	END IF;
	FOR e IN
		-- one claimer at a time for each engine, so that its limit holds
		SELECT n.server_name, COALESCE((s.options ->> 'max_operations')::int4, 2) AS most
		FROM floe_internal.engine AS n
		JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = n.server_name
		WHERE n.status <> 'removed' AND COALESCE(n.retry_at, '-infinity') <= at AND n.drained_at IS NULL
		  AND (EXISTS (SELECT 1 FROM floe_internal.operation_queue AS x WHERE x.engine = n.server_name AND x.state = 'queued' AND x.not_before <= at)
			   OR here IS NOT NULL AND EXISTS (SELECT 1 FROM floe_internal.operation_queue AS x
					WHERE x.state = 'queued' AND x.engines IS NOT NULL AND n.server_name = ANY (x.engines) AND x.not_before <= at))
		ORDER BY n.engine_id FOR UPDATE OF n SKIP LOCKED
	LOOP
		CONTINUE WHEN (SELECT count(*) FROM floe_internal.operation_queue AS x WHERE x.engine = e.server_name AND x.state IN ('dispatching', 'running', 'lost')) >= e.most;
		SELECT x.* INTO q
		FROM floe_internal.operation_queue AS x
		JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
		LEFT JOIN floe_internal.dispatch_turn AS ct ON ct.catalog = t.levels[1] AND ct.policy = ''
		LEFT JOIN floe_internal.dispatch_turn AS pt ON pt.catalog = t.levels[1] AND pt.policy = floe_internal.policy_turn(t.policy_set_id, x.operation)
		WHERE x.state = 'queued' AND x.not_before <= at
		  AND (x.engine = e.server_name
			   OR e.server_name = ANY (x.engines) AND NOT EXISTS (
					SELECT 1 FROM unnest(x.engines) WITH ORDINALITY AS l (name, place)
					WHERE l.place < array_position(x.engines, e.server_name) AND l.name = ANY (here)
					  AND NOT COALESCE(failing_since[array_position(failing, l.name)] + floe_internal.fallback_after(x.settings) <= at, false)
					  AND NOT (l.name = ANY (COALESCE(full_ones, '{}')) AND x.queued_at + floe_internal.fallback_after(x.settings) <= at))
				AND NOT EXISTS (
					SELECT 1 FROM unnest(tight) AS b
					WHERE b.engine = e.server_name AND floe_internal.match_pattern(b.pattern, t.levels) IS NOT NULL
					  AND (b.operations_left < 1 OR b.tables_left < 1 AND NOT x.table_id = ANY (b.used_tables) OR b.bytes_left < COALESCE((x.estimate ->> 'bytes')::float8, 0)
						   OR b.gb_hours_left < COALESCE((x.estimate ->> 'gb_hours')::float8, 0))))
		  AND (claim_operation.pattern IS NULL OR floe_internal.match_pattern(claim_operation.pattern, t.levels) IS NOT NULL)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS o WHERE o.table_id = x.table_id AND (o.state <> 'queued' OR o.position < x.position))
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.pause AS p WHERE p.until > at AND floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s
						  WHERE s.wrapper = 'floe_catalog' AND s.server_name = t.levels[1] AND s.options ? 'max_operations'
							AND (SELECT count(*) FROM floe_internal.operation_queue AS o JOIN floe_internal.iceberg_table AS u ON u.table_id = o.table_id
								 WHERE o.state IN ('dispatching', 'running', 'lost') AND u.catalog_id = t.catalog_id) >= (s.options ->> 'max_operations')::int4)
		  AND NOT EXISTS (SELECT 1 FROM floe.budget AS b
						  WHERE b.is_enabled AND b.concurrency IS NOT NULL AND (b.engine IS NULL OR b.engine = e.server_name) AND floe_internal.match_pattern(b.pattern, t.levels) IS NOT NULL
							AND (SELECT count(*) FROM floe_internal.operation_queue AS o JOIN floe_internal.iceberg_table AS u ON u.table_id = o.table_id
								 WHERE o.state IN ('dispatching', 'running', 'lost') AND (b.engine IS NULL OR b.engine = o.engine)
								   AND floe_internal.match_pattern(b.pattern, u.levels) IS NOT NULL) >= b.concurrency)
		ORDER BY x.by_hand DESC, ct.turn NULLS FIRST, pt.turn NULLS FIRST, x.score DESC, x.operation_id
		LIMIT 1 FOR UPDATE OF x SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		UPDATE floe_internal.operation_queue AS x
			SET state = 'dispatching', driver_pass = of_pass_id, dispatched_at = at, attempt = x.attempt + 1, outcome = NULL, error_class = NULL, error_message = NULL, lost_sent = false,
				engine = e.server_name,
				engine_reason = CASE WHEN e.server_name IS DISTINCT FROM (floe_internal.engine_list(q.settings))[1]
					THEN floe_internal.passed_over(q.table_id, q.operation, q.settings, e.server_name, q.queued_at, at) END
			WHERE x.operation_id = q.operation_id
			RETURNING x.* INTO q;
		IF q.engine_reason IS NOT NULL THEN
			PERFORM floe_internal.write_event('operation rerouted', (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id,
				format('%s goes to engine "%s": %s', q.operation, q.engine, q.engine_reason), jsonb_build_object('engine', q.engine, 'engines', floe_internal.engine_list(q.settings)));
		END IF;
		INSERT INTO floe_internal.dispatch_turn AS d (catalog, policy, turn)
			SELECT t.levels[1], p.policy, nextval('floe_internal.dispatch_turn_seq')
			FROM floe_internal.iceberg_table AS t CROSS JOIN LATERAL (VALUES (''), (floe_internal.policy_turn(t.policy_set_id, q.operation))) AS p (policy)
			WHERE t.table_id = q.table_id
			ON CONFLICT (catalog, policy) DO UPDATE SET turn = EXCLUDED.turn;
		RETURN NEXT q;
		RETURN;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.claim_operation(pg_catalog.int4, pg_catalog.text) IS 'At most one operation, now dispatching and driven by the pass';

-- What the metrics were; ages left out, because they only show that time passed.
CREATE FUNCTION floe_internal.metrics_object(of_table_id pg_catalog.int8, at pg_catalog.timestamptz) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_object_agg(v.metric, v.value)
	FROM floe_internal.metrics_at(ARRAY[of_table_id], at) AS v JOIN floe.metric AS m ON m.name = v.metric
	WHERE v.value IS NOT NULL AND (m.source <> 'clock' OR m.unit <> 'seconds');
END;
COMMENT ON FUNCTION floe_internal.metrics_object(pg_catalog.int8, pg_catalog.timestamptz) IS 'Known metrics of a table without ages, as metric -> value';

-- After the table was read once more: does everything still hold? Then what was is recorded and the statement rendered.
CREATE FUNCTION floe_internal.preflight(of_operation_id pg_catalog.int8, engine_type pg_catalog.text, engine_catalog pg_catalog.text, OUT go pg_catalog.bool, OUT reason pg_catalog.text, OUT statement pg_catalog.text)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	q floe_internal.operation_queue;
	t floe_internal.iceberg_table;
	g record;
	is_named bool;
	options jsonb;
	usable text[];
	problem text;
	of_slice text;
	sliced jsonb;
	more_options jsonb;
	slice jsonb;
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY[of_operation_id]);
	SELECT * INTO q FROM floe_internal.operation_queue AS x WHERE x.operation_id = of_operation_id FOR UPDATE;
	IF NOT FOUND THEN
		go := false;
		reason := 'it is not in the queue any more';
		RETURN;
	END IF;
	SELECT * INTO t FROM floe_internal.iceberg_table AS x WHERE x.table_id = q.table_id;
	is_named := EXISTS (SELECT 1 FROM jsonb_array_elements(q.reason) AS r WHERE r ->> 'gate' = 'requested');
	IF q.cancel_requested_by IS NOT NULL THEN
		go := false;
		reason := 'cancelled by ' || q.cancel_requested_by;
		PERFORM floe_internal.end_operation(of_operation_id, 'cancelled', reason);
		RETURN;
	END IF;
	-- Not asked again: the calendar, which has moved on since it called for the operation; and an engine that does not answer, because
	-- sending tells, and what was not sent waits in the queue.
	SELECT x.*, x.status <> 'pass' AND x.gate <> 'interlock' AND NOT k.is_timing AND x.label <> 'cadence' AND NOT (x.gate = 'engine' AND x.status = 'wait') AS stops INTO g
		FROM floe_internal.gates(ARRAY[q.table_id], at, true, CASE WHEN is_named THEN ARRAY[q.operation] END) AS x
		JOIN floe_internal.gate AS k ON k.gate = x.gate
		WHERE x.operation = q.operation
		ORDER BY stops DESC, x.gate_position LIMIT 1;
	IF g.stops AND g.gate = 'paused' THEN
		go := false;
		reason := 'back in the queue: ' || g.value;
		UPDATE floe_internal.operation_queue AS x SET state = 'queued', driver_pass = NULL, attempt = x.attempt - 1 WHERE x.operation_id = of_operation_id;
		RETURN;
	ELSIF g.stops THEN
		go := false;
		reason := concat_ws(': ', 'no longer called for', g.label, concat_ws(', limit ', g.value, g.limit_value)) || COALESCE('; ' || floe_internal.done_by_others(q.table_id, q.operation, q.queued_at), '');
		PERFORM floe_internal.end_operation(of_operation_id, 'cancelled', reason);
		RETURN;
	ELSIF g.settings_hash <> q.settings_hash AND NOT q.by_hand THEN
		-- it may have waited for days; what was asked for by hand was asked for as it was then
		go := false;
		reason := 'its policy or engine was changed since it was queued; decided upon anew';
		PERFORM floe_internal.end_operation(of_operation_id, 'cancelled', reason);
		RETURN;
	END IF;
	options := COALESCE(q.settings -> 'options', '{}');
	-- what floe adds by itself it added for the engine that stands first; another one may have to be told more, such as the table's own retention
	IF q.engine IS DISTINCT FROM q.settings ->> 'engine' THEN
		options := floe_internal.options_of_floe(q.operation, q.settings || jsonb_build_object('engine', q.engine), g.remedy_options) || options;
	END IF;
	-- Who asked by hand asked for the retention of that moment. Spark reads the table's as it is; Trino is told, and then the table may ask for more by now.
	IF q.operation = 'expire_snapshots' AND preflight.engine_type = 'trino'
	   AND (options ->> 'max_snapshot_age')::interval = (floe_internal.options_of_floe(q.operation, q.settings || jsonb_build_object('engine', q.engine), '{}') ->> 'max_snapshot_age')::interval THEN
		options := options || COALESCE((SELECT x.now_options FROM floe_internal.table_setting AS s
			CROSS JOIN LATERAL floe_internal.options_of_floe(q.operation, s.settings || jsonb_build_object('engine', q.engine), '{}') AS x (now_options)
			WHERE s.table_id = q.table_id AND s.operation = q.operation AND (x.now_options ->> 'max_snapshot_age')::interval > (options ->> 'max_snapshot_age')::interval), '{}');
	END IF;
	usable := floe_internal.usable_engines(q.table_id, q.operation, options);
	IF usable IS NULL OR q.engine <> ALL (usable) OR EXISTS (SELECT 1 FROM floe_internal.engine AS n WHERE n.server_name = q.engine AND n.drained_at IS NOT NULL) THEN
		go := false;
		IF usable IS NULL THEN
			reason := format('no engine may do it any more: %s', floe_internal.passed_over(q.table_id, q.operation, q.settings, NULL, at, at));
			PERFORM floe_internal.end_operation(of_operation_id, 'cancelled', reason);
		ELSE
			-- drained, not approved any more or not able since it was claimed; what may be sent to another is sent there
			reason := format('back in the queue: engine "%s" does not take it any more', q.engine);
			UPDATE floe_internal.operation_queue AS x
				SET state = 'queued', driver_pass = NULL, attempt = x.attempt - 1, engine = usable[1], engines = CASE WHEN cardinality(usable) > 1 THEN usable END
				WHERE x.operation_id = of_operation_id;
		END IF;
		RETURN;
	END IF;
	-- An object store has no folders: without this the procedure lists by Hadoop's file system, which Spark does not have for s3.
	IF q.operation = 'remove_orphan_files' AND t.location_key LIKE 's3://%' AND NOT options ? 'prefix_listing'
	   AND floe_internal.engine_refusal(engine_type, q.operation, options || '{"prefix_listing": true}') IS NULL THEN
		options := options || '{"prefix_listing": true}';
	END IF;
	IF q.operation = 'rewrite_data_files' THEN
		-- of the table as it is now: others may have written, and other partitions
		SELECT s.predicate, s.more_options, s.detail INTO of_slice, more_options, slice FROM floe_internal.slice(q.table_id, q.settings, options, at, is_named) AS s;
		options := options
			|| COALESCE((SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each(more_options) AS m
				WHERE EXISTS (SELECT 1 FROM floe_internal.engine_options() AS o WHERE o.engine_type = preflight.engine_type AND o.operation = q.operation AND o.option = m.key)), '{}');
		IF of_slice IS NOT NULL THEN
			sliced := options || jsonb_build_object('where', CASE WHEN options ? 'where' THEN format('(%s) AND (%s)', options ->> 'where', of_slice) ELSE of_slice END);
			-- Trino takes only predicates that are about whole partitions of all specs that the table ever had: where it cannot be told which part it is, it is the whole
			BEGIN
				IF floe_internal.options_problem(q.operation, sliced, t.details, t.specs, t.refs, t.current_snapshot_id) IS NULL THEN
					PERFORM floe_internal.render_statement(engine_type, engine_catalog, t.namespace, t.table_name, q.operation, sliced, at, floe_internal.table_schema(t.details, t.specs));
					options := sliced;
				ELSE
					slice := NULL;
				END IF;
			EXCEPTION WHEN invalid_parameter_value THEN
				slice := NULL;
			END;
		END IF;
	END IF;
	-- Iceberg has Spark parse the names of all columns as they are; one with a back-tick would be the end of it, so the others are named.
	IF q.operation = 'compute_table_stats' AND NOT options ? 'columns' THEN
		options := options || COALESCE((SELECT jsonb_build_object('columns', jsonb_agg(c ->> 'name') FILTER (WHERE c ->> 'name' NOT LIKE '%`%'))
			FROM jsonb_array_elements(t.details -> 'columns') AS c
			WHERE c ->> 'type' NOT IN ('struct', 'list', 'map', 'variant') AND c ->> 'name' NOT LIKE '%.%'
			HAVING bool_or(c ->> 'name' LIKE '%`%') AND count(*) FILTER (WHERE c ->> 'name' NOT LIKE '%`%') BETWEEN 1 AND 1000), '{}');
	END IF;
	-- what was asked for by hand did not pass the gate, and a table's columns change
	problem := floe_internal.options_problem(q.operation, options, t.details, t.specs, t.refs, t.current_snapshot_id);
	IF problem IS NULL THEN
		BEGIN
			statement := floe_internal.render_statement(engine_type, engine_catalog, t.namespace, t.table_name, q.operation, options, at,
				floe_internal.table_schema(t.details, t.specs));
		EXCEPTION WHEN invalid_parameter_value THEN
			GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT;
		END;
	END IF;
	IF problem IS NOT NULL THEN
		go := false;
		reason := problem;
		UPDATE floe_internal.operation_queue AS x SET error_class = 'config', error_message = problem WHERE x.operation_id = of_operation_id RETURNING x.* INTO q;
		IF NOT q.by_hand THEN
			PERFORM floe_internal.note_run(q, t, 'failed', NULL);
		END IF;
		PERFORM floe_internal.end_operation(of_operation_id, 'failed', problem);
		RETURN;
	END IF;
	UPDATE floe_internal.operation_queue AS x
		SET before = floe_internal.metrics_object(q.table_id, at), before_snapshot_id = t.current_snapshot_id,
			before_snapshots = ARRAY(SELECT s.snapshot_id FROM floe_internal.snapshot_list(t.snapshots) AS s),
			before_statistics = floe_internal.statistics_files(q.operation, t.details),
			statement = preflight.statement,
			estimate = CASE WHEN slice IS NULL THEN x.estimate - 'slice' ELSE x.estimate || jsonb_build_object('slice', slice) END
		WHERE x.operation_id = of_operation_id;
	go := true;
END
$body$;
COMMENT ON FUNCTION floe_internal.preflight(pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS 'Last look before an operation is sent: gates but timing, state before, statement';

-- A session is free when its last operation is not at the engine any more; one that nobody used for the engine's own ttl has ended there.
CREATE FUNCTION floe_internal.claim_session(of_operation_id pg_catalog.int8, digest pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	engine_name text := (SELECT q.engine FROM floe_internal.operation_queue AS q WHERE q.operation_id = of_operation_id);
	server jsonb := (SELECT s.options FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = engine_name);
	most int4 := COALESCE((server ->> 'pool_size')::int4, 0);
	-- not the digest itself, which would let somebody try passwords; and another database has other sessions
	own_key text := left(encode(sha256(convert_to((SELECT i.system_identifier || '/' || i.database_oid FROM floe_internal.identity AS i) || '/' || digest, 'UTF8')), 'hex'), 16);
	found_name text;
BEGIN
	IF most = 0 THEN
		RETURN NULL;
	END IF;
	-- one claimer at a time for each engine, so that its limit holds
	PERFORM FROM floe_internal.engine AS e WHERE e.server_name = engine_name FOR UPDATE;
	DELETE FROM floe_internal.engine_session AS s
		WHERE s.engine = engine_name AND s.last_used < at - COALESCE((server ->> 'ttl')::interval, '6 hours')
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.operation_id = s.operation_id AND q.state IN ('dispatching', 'running', 'lost'));
	UPDATE floe_internal.engine_session AS x
		SET operation_id = of_operation_id, last_used = at
		WHERE x.session_id = (SELECT s.session_id FROM floe_internal.engine_session AS s
							  WHERE s.engine = engine_name AND s.key = own_key
								AND (s.operation_id = of_operation_id
									 OR NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.operation_id = s.operation_id AND q.state IN ('dispatching', 'running', 'lost')))
							  ORDER BY s.operation_id = of_operation_id DESC, s.last_used DESC LIMIT 1)
		RETURNING x.name INTO found_name;
	IF found_name IS NOT NULL OR (SELECT count(*) FROM floe_internal.engine_session AS s WHERE s.engine = engine_name) >= most THEN
		RETURN found_name;
	END IF;
	INSERT INTO floe_internal.engine_session AS s (engine, key, name, operation_id, last_used)
		VALUES (engine_name, own_key, '', of_operation_id, at);
	UPDATE floe_internal.engine_session AS s
		SET name = format('floe-%s-%s-%s', left(COALESCE(server ->> 'pool_name', current_database()), 40), own_key, s.session_id)
		WHERE s.engine = engine_name AND s.name = ''
		RETURNING s.name INTO found_name;
	RETURN found_name;
END
$body$;
COMMENT ON FUNCTION floe_internal.claim_session(pg_catalog.int8, pg_catalog.text) IS 'Name of a session for an operation that is about to be sent, of those kept for several; NULL: it gets one of its own';

CREATE FUNCTION floe_internal.operation_saved(of_operation_id pg_catalog.int8, new_saved pg_catalog.bytea, new_external_id pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	q floe_internal.operation_queue;
BEGIN
	UPDATE floe_internal.operation_queue AS x
		SET saved = new_saved, external_id = COALESCE(NULLIF(new_external_id, ''), x.external_id), lost_sent = true,
			state = CASE WHEN x.state = 'dispatching' AND NULLIF(new_external_id, '') IS NOT NULL THEN 'running' ELSE x.state END,
			started_at = CASE WHEN x.state = 'dispatching' AND NULLIF(new_external_id, '') IS NOT NULL THEN at ELSE x.started_at END,
			timeout_at = CASE WHEN x.state = 'dispatching' AND NULLIF(new_external_id, '') IS NOT NULL THEN at + (x.settings ->> 'timeout')::interval ELSE x.timeout_at END
		WHERE x.operation_id = of_operation_id
		RETURNING x.* INTO q;
	IF q.started_at = at THEN
		PERFORM floe_internal.write_event('operation running', (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id,
			format('%s runs on engine "%s" as %s', q.operation, q.engine, q.external_id), NULL);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.operation_saved(pg_catalog.int8, pg_catalog.bytea, pg_catalog.text) IS 'Keeps the adapter''s state before the request that needs it; with an external id the operation runs';

CREATE FUNCTION floe_internal.engine_reached(engine_name pg_catalog.text, of_operation_id pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	UPDATE floe_internal.engine AS e
		SET status = 'ok', error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL, failures = 0, retry_at = NULL
		WHERE e.server_name = engine_name AND e.status NOT IN ('ok', 'removed');
	IF FOUND THEN
		PERFORM floe_internal.write_event('engine ok', NULL, NULL, NULL, NULL, format('engine "%s" answers', engine_name), NULL);
	END IF;
	UPDATE floe_internal.operation_queue AS q SET unreachable_since = NULL, state = CASE WHEN q.state = 'lost' THEN 'running' ELSE q.state END
		WHERE q.operation_id = of_operation_id AND (q.unreachable_since IS NOT NULL OR q.state = 'lost');
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_reached(pg_catalog.text, pg_catalog.int8) IS 'An engine answered';

-- unsent: nothing of the operation reached the engine that could run, so it simply waits in the queue again.
CREATE FUNCTION floe_internal.engine_unreachable(engine_name pg_catalog.text, of_operation_id pg_catalog.int8, unsent pg_catalog.bool,
		code pg_catalog.text, message pg_catalog.text, detail pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	old_status text;
	q floe_internal.operation_queue;
BEGIN
	SELECT e.status INTO old_status FROM floe_internal.engine AS e WHERE e.server_name = engine_name AND e.status <> 'removed' FOR UPDATE;
	UPDATE floe_internal.engine AS e
		SET status = 'error', error_code = code, error_message = message, error_detail = NULLIF(detail, ''), failures = e.failures + 1,
			error_since = COALESCE(e.error_since, at), retry_at = at + floe_internal.backoff_delay(e.failures + 1, interval '5 seconds', interval '5 minutes', e.server_name)
		WHERE e.server_name = engine_name AND e.status <> 'removed';
	-- one that was removed has no row: that was told already
	IF old_status <> 'error' THEN
		PERFORM floe_internal.write_event('engine error', NULL, NULL, NULL, NULL, format('engine "%s": %s', engine_name, message), jsonb_build_object('code', code, 'detail', detail));
	END IF;
	IF of_operation_id IS NULL THEN
		RETURN;
	END IF;
	PERFORM floe_internal.lock_decisions(ARRAY[of_operation_id]);
	IF unsent THEN
		UPDATE floe_internal.operation_queue AS x
			SET state = 'queued', driver_pass = NULL, saved = NULL, lost_sent = false, attempt = x.attempt - 1, unreachable_since = NULL,
				-- one that was removed meanwhile has none, and then the next look at the servers ends it
				not_before = COALESCE((SELECT CASE WHEN x.engines IS NULL THEN e.retry_at
						-- another engine may take it sooner
						ELSE LEAST(e.retry_at, GREATEST(at, e.error_since + floe_internal.fallback_after(x.settings))) END
					FROM floe_internal.engine AS e WHERE e.server_name = engine_name AND e.status <> 'removed'), at)
			WHERE x.operation_id = of_operation_id;
	ELSE
		UPDATE floe_internal.operation_queue AS x
			SET unreachable_since = COALESCE(x.unreachable_since, at),
				state = CASE WHEN x.state IN ('running', 'dispatching') AND COALESCE(x.unreachable_since, at) < at - interval '1 minute' THEN 'lost' ELSE x.state END
			WHERE x.operation_id = of_operation_id RETURNING x.* INTO q;
		IF q.state = 'lost' AND old_status = 'error' AND q.unreachable_since < at - interval '1 minute' THEN
			PERFORM floe_internal.write_event('operation lost', (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id,
				format('engine "%s" cannot be asked since %s', engine_name, to_char(q.unreachable_since, 'HH24:MI:SS')), NULL)
			WHERE NOT EXISTS (SELECT 1 FROM floe_internal.event AS v WHERE v.operation_id = q.operation_id AND v.kind = 'operation lost' AND v.happened_at > q.unreachable_since);
		END IF;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_unreachable(pg_catalog.text, pg_catalog.int8, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.text)
	IS 'An engine did not answer; dispatch to it backs off. An operation it may be running is kept, and is lost after a minute';

CREATE FUNCTION floe_internal.engine_ended(of_operation_id pg_catalog.int8, engine_outcome pg_catalog.text, class pg_catalog.text, error pg_catalog.text,
		result pg_catalog.jsonb, row_count pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	-- What nobody asked to cancel was cancelled because its time was up.
	UPDATE floe_internal.operation_queue AS q
		SET state = 'verifying', outcome = engine_outcome, engine_result = result, engine_row_count = row_count, engine_ended_at = floe_internal.clock(),
			error_class = CASE WHEN engine_outcome = 'cancelled' AND q.cancel_requested_by IS NULL THEN 'resource' ELSE class END,
			error_message = CASE WHEN engine_outcome = 'cancelled' AND q.cancel_requested_by IS NULL
				THEN format('cancelled at the engine after its timeout of %s', floe_internal.format_interval((q.settings ->> 'timeout')::interval)) ELSE NULLIF(error, '') END,
			saved = NULL, unreachable_since = NULL
		WHERE q.operation_id = of_operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_ended(pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.int8)
	IS 'The engine is done with an operation: succeeded, failed, cancelled or lost. What happened is decided by operation_verified()';

-- As texts of snapshot and file, so that a file that takes another's place counts as a new one.
CREATE FUNCTION floe_internal.statistics_files(of_operation pg_catalog.text, details pg_catalog.jsonb) RETURNS pg_catalog.text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY(SELECT pg_catalog.jsonb_array_elements_text(details #> ARRAY[CASE of_operation WHEN 'compute_table_stats' THEN 'table_stats' WHEN 'compute_partition_stats' THEN 'partition_stats' END, 'files']));
END;
COMMENT ON FUNCTION floe_internal.statistics_files(pg_catalog.text, pg_catalog.jsonb) IS 'Statistics files that a table''s metadata names, of the kind that the operation writes; none for other operations';

-- After the table was read again. The state is what its metadata shows, not what the engine said.
CREATE FUNCTION floe_internal.operation_verified(of_operation_id pg_catalog.int8, OUT state pg_catalog.text, OUT message pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	q floe_internal.operation_queue;
	t floe_internal.iceberg_table;
	now_metrics jsonb;
	difference jsonb;
	fresh jsonb;
	own int;
	gone int;
	removed int8;
	files int;
	has_effect bool;
	final_state text;
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY[of_operation_id]);
	SELECT * INTO q FROM floe_internal.operation_queue AS x WHERE x.operation_id = of_operation_id FOR UPDATE;
	IF NOT FOUND THEN
		state := 'gone';
		message := 'it is not in the queue any more';
		RETURN;
	END IF;
	SELECT * INTO t FROM floe_internal.iceberg_table AS x WHERE x.table_id = q.table_id;
	now_metrics := floe_internal.metrics_object(q.table_id, at);
	SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(s)) ORDER BY s.committed_at), count(*) FILTER (WHERE s.operation = 'replace') INTO fresh, own
		FROM floe_internal.snapshot_list(t.snapshots) AS s WHERE s.snapshot_id <> ALL (q.before_snapshots);
	SELECT count(*) INTO gone FROM unnest(q.before_snapshots) AS b (id)
		WHERE NOT EXISTS (SELECT 1 FROM floe_internal.snapshot_list(t.snapshots) AS s WHERE s.snapshot_id = b.id);
	SELECT count(*) INTO files FROM unnest(floe_internal.statistics_files(q.operation, t.details)) AS f (file) WHERE f.file <> ALL (q.before_statistics);
	SELECT jsonb_object_agg(k.name, (now_metrics ->> k.name)::float8 - (q.before ->> k.name)::float8) INTO difference
		FROM floe.metric AS k WHERE (now_metrics ->> k.name)::float8 <> (q.before ->> k.name)::float8;
	-- Spark returns a row for each file it removed; Trino numbers by name from version 478 on, and before that nothing.
	removed := COALESCE((SELECT (r ->> 'metric_value')::int8 FROM jsonb_array_elements(CASE WHEN jsonb_typeof(q.engine_result) = 'array' THEN q.engine_result ELSE '[]' END) AS r
		WHERE r ->> 'metric_name' = 'deleted_files_count' AND r ->> 'metric_value' ~ '^[0-9]{1,18}$' LIMIT 1), q.engine_row_count);
	has_effect := CASE q.operation
		WHEN 'expire_snapshots' THEN gone > 0 OR COALESCE((difference ->> 'ref_count')::float8, 0) < 0
		-- what nobody counted was done if the engine says so
		WHEN 'remove_orphan_files' THEN removed > 0 OR removed IS NULL AND q.outcome = 'succeeded'
		WHEN 'compute_table_stats' THEN files > 0
		WHEN 'compute_partition_stats' THEN files > 0
		ELSE own > 0 END;
	IF q.operation = 'remove_orphan_files' AND removed IS NOT NULL THEN
		difference := COALESCE(difference, '{}') || jsonb_build_object('orphan_files_removed', removed);
	END IF;
	IF q.operation IN ('compute_table_stats', 'compute_partition_stats') THEN
		difference := COALESCE(difference, '{}') || jsonb_build_object('statistics_files_written', files);
	END IF;
	UPDATE floe_internal.operation_queue AS x SET after = now_metrics, effect = COALESCE(difference, '{}'), new_snapshots = fresh WHERE x.operation_id = of_operation_id;
	final_state := CASE q.outcome
		WHEN 'succeeded' THEN CASE WHEN has_effect THEN 'succeeded' ELSE 'no_change' END
		WHEN 'lost' THEN CASE WHEN has_effect THEN 'succeeded' WHEN q.attempt < 3 AND q.cancel_requested_by IS NULL THEN 'queued' WHEN q.cancel_requested_by IS NOT NULL THEN 'cancelled' ELSE 'failed' END
		WHEN 'cancelled' THEN CASE WHEN q.cancel_requested_by IS NOT NULL THEN 'cancelled' ELSE 'failed' END
		ELSE 'failed' END;
	IF final_state = 'queued' THEN
		message := 'the engine lost it and the table is as it was; it will be sent again';
		UPDATE floe_internal.operation_queue AS x
			SET state = 'queued', driver_pass = NULL, not_before = at + floe_internal.backoff_delay(x.attempt, interval '2 seconds', interval '5 minutes', x.operation_id::text)
			WHERE x.operation_id = of_operation_id;
		PERFORM floe_internal.write_event('operation requeued', t.levels[1], q.table_id, q.table_name, q.operation_id,
			format('%s: %s', q.operation, concat_ws(': ', message, q.error_message)), NULL);
		state := 'queued';
		RETURN;
	END IF;
	message := CASE
		WHEN final_state = 'succeeded' THEN floe_internal.effect_text(q.operation, difference, gone)
		WHEN final_state = 'cancelled' THEN 'cancelled by ' || q.cancel_requested_by
		WHEN q.outcome = 'lost' THEN concat_ws(': ', 'the engine lost it and the table does not show the effect', q.error_message)
		ELSE q.error_message END;
	IF q.outcome = 'lost' AND final_state = 'failed' THEN
		UPDATE floe_internal.operation_queue AS x SET error_class = COALESCE(x.error_class, 'transient'), error_message = COALESCE(x.error_message, message) WHERE x.operation_id = of_operation_id;
	END IF;
	-- first, as in a plan, which moves schedules on
	PERFORM floe_internal.decide_soon(ARRAY[q.table_id]);
	PERFORM floe_internal.note_run(q, t, final_state, now_metrics);
	PERFORM floe_internal.end_operation(of_operation_id, final_state, message);
	state := final_state;
END
$body$;
COMMENT ON FUNCTION floe_internal.operation_verified(pg_catalog.int8) IS 'Measures the effect and ends the operation; returns its state (queued: sent again, because the engine lost it without effect) and what to tell people';

-- Before anything was sent: the table could not be looked at once more.
CREATE FUNCTION floe_internal.postpone_operation(of_operation_id pg_catalog.int8, code pg_catalog.text, told pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY[of_operation_id]);
	IF code = 'not_found' THEN
		PERFORM floe_internal.end_operation(of_operation_id, 'cancelled', told);
		RETURN;
	END IF;
	UPDATE floe_internal.operation_queue AS x
		SET state = 'queued', driver_pass = NULL, saved = NULL, lost_sent = false, error_message = told,
			not_before = floe_internal.clock() + floe_internal.backoff_delay(x.attempt, interval '5 seconds', interval '10 minutes', x.operation_id::text)
		WHERE x.operation_id = of_operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.postpone_operation(pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS 'Puts an operation back into the queue for a while, or ends it when the table is gone';

-- After the engine ended: the table is gone, so nothing can be measured.
CREATE FUNCTION floe_internal.abandon_operation(of_operation_id pg_catalog.int8, told pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY[of_operation_id]);
	UPDATE floe_internal.operation_queue AS x SET error_class = COALESCE(x.error_class, 'permanent'), error_message = COALESCE(x.error_message, told) WHERE x.operation_id = of_operation_id;
	PERFORM floe_internal.end_operation(of_operation_id, 'failed', told);
END
$body$;
COMMENT ON FUNCTION floe_internal.abandon_operation(pg_catalog.int8, pg_catalog.text) IS 'Ends an operation whose effect cannot be measured any more';

CREATE FUNCTION floe_internal.effect_text(of_operation pg_catalog.text, difference pg_catalog.jsonb, snapshots_gone pg_catalog.int4) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT CASE of_operation
		WHEN 'expire_snapshots' THEN snapshots_gone || ' snapshots removed'
		WHEN 'remove_orphan_files' THEN COALESCE((difference ->> 'orphan_files_removed') || ' orphan files removed', 'done, the engine does not say how many files it removed')
		WHEN 'rewrite_manifests' THEN COALESCE(difference ->> 'manifest_count', '0') || ' manifests'
		WHEN 'compute_table_stats' THEN (difference ->> 'statistics_files_written') || ' statistics file'
		WHEN 'compute_partition_stats' THEN (difference ->> 'statistics_files_written') || ' partition statistics file'
		ELSE pg_catalog.concat_ws(', ', COALESCE(difference ->> 'data_file_count', '0') || ' data files',
			(difference ->> 'position_delete_file_count') || ' position delete files', (difference ->> 'equality_delete_file_count') || ' equality delete files') END;
END;
COMMENT ON FUNCTION floe_internal.effect_text(pg_catalog.text, pg_catalog.jsonb, pg_catalog.int4) IS 'A measured effect in a few words';

-- What the next decision must know of this run.
CREATE FUNCTION floe_internal.note_run(q floe_internal.operation_queue, t floe_internal.iceberg_table, final_state pg_catalog.text, now_metrics pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	called_for text := (SELECT r ->> 'gate' FROM jsonb_array_elements(q.reason) AS r WHERE r ->> 'gate' IN (SELECT m.name FROM floe.metric AS m) LIMIT 1);
	class floe_internal.error_class;
	rest interval := GREATEST((q.settings ->> 'min_interval')::interval, interval '1 hour');
	no_gain bool;
	slice CONSTANT jsonb := q.estimate -> 'slice';
	undone CONSTANT int8 := COALESCE((slice ->> 'left')::int8, 0);
	goes_on bool;
BEGIN
	SELECT * INTO class FROM floe_internal.error_class AS c WHERE c.error_class = COALESCE(q.error_class, 'transient');
	-- A run may commit and yet not help (delete files that were rewritten one by one). While nobody else wrote, that is certain.
	no_gain := final_state = 'no_change' OR (final_state = 'succeeded' AND (now_metrics ->> called_for)::float8 >= (q.before ->> called_for)::float8
		AND NOT EXISTS (SELECT 1 FROM floe_internal.snapshot_list(t.snapshots) AS s WHERE s.snapshot_id <> ALL (q.before_snapshots) AND s.operation IS DISTINCT FROM 'replace'));
	no_gain := COALESCE(no_gain, false) AND q.operation <> 'remove_orphan_files';
	-- A slice helps if anything became less, however little of the whole. One that did not is no reason to give up the others.
	IF slice IS NOT NULL AND final_state = 'succeeded' THEN
		no_gain := NOT EXISTS (SELECT 1 FROM unnest(ARRAY['data_file_count', 'excess_file_count', 'position_delete_file_count', 'equality_delete_file_count', 'deletion_vector_count']) AS m (name)
			WHERE (now_metrics ->> m.name)::float8 < (q.before ->> m.name)::float8);
	END IF;
	goes_on := no_gain AND undone > 0 AND NOT COALESCE((SELECT x.slice_tried FROM floe_internal.table_operation AS x WHERE x.table_id = q.table_id AND x.operation = q.operation), '{}')
		@> ARRAY(SELECT jsonb_array_elements_text(slice -> 'units'));
	no_gain := no_gain AND NOT goes_on;
	INSERT INTO floe_internal.table_operation AS x (table_id, operation) VALUES (q.table_id, q.operation) ON CONFLICT DO NOTHING;
	UPDATE floe_internal.table_operation AS x
		SET last_run_at = at, last_state = final_state,
			last_success_at = CASE WHEN final_state IN ('succeeded', 'no_change') THEN at ELSE x.last_success_at END,
			failures = CASE WHEN final_state = 'failed' THEN x.failures + 1 WHEN final_state = 'cancelled' THEN x.failures ELSE 0 END,
			failure_class = CASE final_state WHEN 'failed' THEN class.error_class WHEN 'cancelled' THEN x.failure_class END,
			failure_message = CASE final_state WHEN 'failed' THEN COALESCE(q.error_message, 'lost by the engine') WHEN 'cancelled' THEN x.failure_message END,
			failure_settings_hash = CASE final_state WHEN 'failed' THEN q.settings_hash WHEN 'cancelled' THEN x.failure_settings_hash END,
			failure_metadata = CASE final_state WHEN 'failed' THEN t.metadata_location WHEN 'cancelled' THEN x.failure_metadata END,
			backoff_until = CASE WHEN final_state = 'cancelled' THEN x.backoff_until WHEN final_state = 'failed' AND class.retries
				THEN at + floe_internal.backoff_delay(x.failures + 1, class.base_delay, class.max_delay, q.table_id || q.operation) END,
			zero_changes = CASE WHEN no_gain THEN x.zero_changes + 1 WHEN final_state = 'succeeded' THEN 0 ELSE x.zero_changes END,
			-- doubles up to a week, and ends as soon as the metric that called for the run grows, or, where no single one did, the table changes
			zero_change_until = CASE WHEN no_gain THEN at + LEAST(interval '7 days', rest * pow(2, LEAST(x.zero_changes, 10))) END,
			zero_change_metadata = CASE WHEN no_gain THEN t.metadata_location END,
			zero_change_metric = CASE WHEN no_gain THEN called_for END,
			zero_change_value = CASE WHEN no_gain THEN (now_metrics ->> called_for)::float8 END,
			slices_left = CASE WHEN final_state IN ('succeeded', 'no_change') THEN undone WHEN slice IS NOT NULL AND final_state = 'failed' THEN GREATEST(x.slices_left, 1) ELSE x.slices_left END,
			slice_halvings = CASE WHEN final_state = 'failed' AND class.error_class IN ('conflict', 'resource') AND q.operation = 'rewrite_data_files' THEN LEAST(x.slice_halvings + 1, 10)
				WHEN final_state = 'succeeded' THEN 0 ELSE x.slice_halvings END,
			slice_tried = CASE WHEN goes_on THEN (x.slice_tried || ARRAY(SELECT jsonb_array_elements_text(slice -> 'units')))[1:20000] WHEN no_gain THEN '{}' ELSE x.slice_tried END
		WHERE x.table_id = q.table_id AND x.operation = q.operation;
END
$body$;
COMMENT ON FUNCTION floe_internal.note_run(floe_internal.operation_queue, floe_internal.iceberg_table, pg_catalog.text, pg_catalog.jsonb) IS 'Updates the bookkeeping of a table''s operation after a run';

CREATE FUNCTION floe_internal.patience(settings pg_catalog.jsonb) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT GREATEST((settings ->> 'timeout')::pg_catalog.interval, '10 minutes');
END;
COMMENT ON FUNCTION floe_internal.patience(pg_catalog.jsonb) IS 'How long a pass waits for an engine that cannot be asked, and how long an operation is kept that was cancelled or whose engine was removed meanwhile';

-- Operations whose driver is gone, now driven by this pass.
CREATE FUNCTION floe_internal.adopt_operations(of_pass_id pg_catalog.int4, pattern pg_catalog.text) RETURNS SETOF floe_internal.operation_queue
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	-- Before any of their tables is looked at: a claim of the dead is evidence, and stands in the way of the living.
	PERFORM floe_internal.void_claims();
	PERFORM floe_internal.lock_decisions(ARRAY(SELECT q.operation_id FROM floe_internal.operation_queue AS q
		WHERE q.state <> 'queued' AND q.driver_pass NOT IN (SELECT floe_internal.live_passes())));
	-- Nothing was sent for these: they wait in the queue again.
	UPDATE floe_internal.operation_queue AS q SET state = 'queued', driver_pass = NULL, attempt = q.attempt - 1
		WHERE q.state = 'dispatching' AND NOT q.lost_sent AND q.driver_pass NOT IN (SELECT floe_internal.live_passes());
	-- What ran at an engine whose server is gone cannot be asked for any more; when it must have ended, the table decides.
	UPDATE floe_internal.operation_queue AS q
		SET state = 'verifying', outcome = 'lost', error_class = 'transient', error_message = format('engine "%s" was removed while it ran', q.engine),
			engine_ended_at = floe_internal.clock(), saved = NULL
		WHERE q.state IN ('dispatching', 'running', 'lost') AND q.unreachable_since < floe_internal.clock() - floe_internal.patience(q.settings)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = q.engine)
		  AND q.driver_pass NOT IN (SELECT floe_internal.live_passes());
	-- Without its catalog nothing can be measured.
	UPDATE floe_internal.operation_queue AS q SET state = 'verifying', outcome = 'lost', engine_ended_at = floe_internal.clock(), saved = NULL
		FROM floe_internal.iceberg_table AS t JOIN floe_internal.catalog AS c ON c.catalog_id = t.catalog_id
		WHERE t.table_id = q.table_id AND c.status = 'removed' AND c.removed_at < floe_internal.clock() - floe_internal.patience(q.settings)
		  AND q.state IN ('dispatching', 'running', 'lost') AND q.driver_pass NOT IN (SELECT floe_internal.live_passes());
	PERFORM floe_internal.abandon_operation(q.operation_id, format('its catalog "%s" was removed', c.server_name))
		FROM floe_internal.operation_queue AS q
		JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
		JOIN floe_internal.catalog AS c ON c.catalog_id = t.catalog_id
		WHERE c.status = 'removed' AND q.state = 'verifying' AND q.driver_pass NOT IN (SELECT floe_internal.live_passes());
	RETURN QUERY
		UPDATE floe_internal.operation_queue AS q SET driver_pass = of_pass_id
		FROM floe_internal.iceberg_table AS t
		WHERE t.table_id = q.table_id AND q.state <> 'queued'
		  AND q.driver_pass NOT IN (SELECT floe_internal.live_passes())
		  AND (q.driver_pass <> 0 OR q.not_before <= floe_internal.clock())
		  AND (adopt_operations.pattern IS NULL OR floe_internal.match_pattern(adopt_operations.pattern, t.levels) IS NOT NULL)
		RETURNING q.*;
END
$body$;
COMMENT ON FUNCTION floe_internal.adopt_operations(pg_catalog.int4, pg_catalog.text) IS 'Reconciliation: what a dead process left behind is taken over before any new work';

-- What the driver must know while it waits: requests to cancel, time that is up, and silence that lasted too long. What a silent
-- engine may still be running is kept, so that nothing else is sent to the table; only who cancelled it takes that upon himself.
CREATE FUNCTION floe_internal.operations_to_stop(of_pass_id pg_catalog.int4, OUT operation_id pg_catalog.int8, OUT reason pg_catalog.text, OUT give_up pg_catalog.bool, OUT leave pg_catalog.bool)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT q.operation_id, CASE WHEN silence.is_long THEN 'the engine was silent for ' || floe_internal.format_interval(floe_internal.clock() - q.unreachable_since)
								WHEN q.cancel_requested_by IS NOT NULL THEN 'cancelled by ' || q.cancel_requested_by
								ELSE 'timeout of ' || floe_internal.format_interval((q.settings ->> 'timeout')::pg_catalog.interval) END,
		   silence.is_long AND q.cancel_requested_by IS NOT NULL, silence.is_long AND q.cancel_requested_by IS NULL
	FROM floe_internal.operation_queue AS q
	CROSS JOIN LATERAL (SELECT COALESCE(q.unreachable_since < floe_internal.clock() - floe_internal.patience(q.settings), false) AS is_long) AS silence
	WHERE q.driver_pass = of_pass_id AND q.state IN ('dispatching', 'running', 'lost')
	  AND (q.cancel_requested_by IS NOT NULL OR q.timeout_at <= floe_internal.clock() OR silence.is_long);
END;
COMMENT ON FUNCTION floe_internal.operations_to_stop(pg_catalog.int4) IS 'Operations of a pass that are to be cancelled at the engine; give_up: it cannot be asked, so the table decides; leave: it cannot be asked, a later pass tries again';

-- Without those that this pass drives, which it knows better, and those of an engine that is gone, which nobody can start.
CREATE FUNCTION floe_internal.pending_operations(of_pass_id pg_catalog.int4, pattern pg_catalog.text, OUT queued pg_catalog.int4, OUT live pg_catalog.int4, OUT next_ms pg_catalog.int8)
	RETURNS pg_catalog.record
	-- of its filters the planner expects too much: a nested loop over a long queue takes seconds
	LANGUAGE sql VOLATILE SET jit = off SET enable_nestloop = off
BEGIN ATOMIC
	SELECT pg_catalog.count(*) FILTER (WHERE q.state = 'queued'), pg_catalog.count(*) FILTER (WHERE q.state <> 'queued'),
		   pg_catalog.ceil(EXTRACT(epoch FROM pg_catalog.min(GREATEST(q.not_before, o.opens_at, floe_internal.clock())) FILTER (WHERE q.state = 'queued') - floe_internal.clock()) * 1000)
	FROM floe_internal.operation_queue AS q
	JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
	LEFT JOIN floe_internal.queue_opens(floe_internal.clock()) AS o ON o.operation_id = q.operation_id
	WHERE (pending_operations.pattern IS NULL OR floe_internal.match_pattern(pending_operations.pattern, t.levels) IS NOT NULL)
	  AND q.driver_pass IS DISTINCT FROM of_pass_id
	  AND (q.state = 'queued' OR EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = q.engine))
	  -- all its engines are gone or drained
	  AND o.opens_at IS DISTINCT FROM 'infinity'
	  AND NOT EXISTS (SELECT 1 FROM floe_internal.pause AS p WHERE q.state = 'queued' AND p.until > floe_internal.clock()
						AND floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL)
	  AND NOT EXISTS (SELECT 1 FROM floe_internal.drain AS d WHERE q.state = 'queued');
END;
COMMENT ON FUNCTION floe_internal.pending_operations(pg_catalog.int4, pg_catalog.text) IS 'How much is queued (and not paused) and live, and in how many milliseconds the next queued one may start; NULL: nothing is queued';

-- By a driver that goes on living.
CREATE FUNCTION floe_internal.release_operation(of_operation_id pg_catalog.int8, seconds pg_catalog.int4) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE floe_internal.operation_queue AS q SET driver_pass = 0, not_before = floe_internal.clock() + pg_catalog.make_interval(secs => release_operation.seconds)
		WHERE q.operation_id = of_operation_id AND q.state <> 'queued';
	SELECT floe_internal.wake('executor');
END;
COMMENT ON FUNCTION floe_internal.release_operation(pg_catalog.int8, pg_catalog.int4) IS 'Nobody drives the operation any more: after so many seconds whoever looks takes it over';

-- What may go on now and does not waits for something that wakes the executor: a free place, a resume, an end. What others do is not told.
CREATE FUNCTION floe_internal.next_executor_ms() RETURNS pg_catalog.int8
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT CASE WHEN pg_catalog.count(*) > 0 THEN GREATEST(1, LEAST(5000, pg_catalog.ceil(EXTRACT(epoch FROM
			pg_catalog.min(d.due_at) FILTER (WHERE d.due_at > floe_internal.clock()) - floe_internal.clock()) * 1000)))::pg_catalog.int8 END
	FROM floe_internal.operation_queue AS q
	LEFT JOIN floe_internal.queue_opens(floe_internal.clock()) AS o ON o.operation_id = q.operation_id
	CROSS JOIN LATERAL (SELECT CASE WHEN q.state = 'queued' THEN NULLIF(GREATEST(q.not_before, o.opens_at), 'infinity') WHEN q.driver_pass = 0 THEN q.not_before END AS due_at) AS d;
END;
COMMENT ON FUNCTION floe_internal.next_executor_ms() IS 'Milliseconds until a queued or released operation may go on, at most five seconds; NULL: there is none at all';
-- =================================================================================================
-- 79 maintenance by others
-- A rewrite by hand, another scheduler, a catalog that expires snapshots: seen in the table's own history at
-- the next look, kept with what it changed, and counted as a run, so that floe does not do it again.
-- =================================================================================================

CREATE TABLE floe_internal.external_operation (
	external_id		pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	table_id		pg_catalog.int8 NOT NULL,
	table_name		pg_catalog.text NOT NULL,
	operation		pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	snapshot_ids	pg_catalog.int8[] NOT NULL,
	done_at			pg_catalog.timestamptz NOT NULL,
	seen_at			pg_catalog.timestamptz NOT NULL,
	engine			pg_catalog.text,
	is_run			pg_catalog.bool NOT NULL,
	before			pg_catalog.jsonb NOT NULL,
	after			pg_catalog.jsonb NOT NULL
);
CREATE INDEX external_operation_seen ON floe_internal.external_operation (seen_at);
CREATE INDEX external_operation_table ON floe_internal.external_operation (table_id, external_id);
COMMENT ON TABLE floe_internal.external_operation IS 'Maintenance that floe did not do, as the tables'' snapshots show it; what one look found of one operation is one row';
COMMENT ON COLUMN floe_internal.external_operation.snapshot_ids IS 'Of a rewrite the snapshots of operation replace that it made; of expire_snapshots those that are gone';
COMMENT ON COLUMN floe_internal.external_operation.done_at IS 'When the last of these was committed; of expire_snapshots when it was seen';
COMMENT ON COLUMN floe_internal.external_operation.engine IS 'What the snapshot''s summary says; NULL: nothing';
COMMENT ON COLUMN floe_internal.external_operation.is_run IS 'Nothing called for the operation any more, so it counts as a run: min_interval and deadline begin with it. One that left work does not keep floe from doing it';

-- While an operation of floe runs, what it may have done itself is its own.
CREATE FUNCTION floe_internal.external_changes(old_row floe_internal.iceberg_table, new_uuid pg_catalog.text, new_snapshots pg_catalog.bytea) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	own text;
	fresh jsonb;
	gone jsonb;
BEGIN
	-- of what was before the first look nobody can tell
	IF old_row.snapshots IS NULL OR old_row.snapshots = new_snapshots OR old_row.table_uuid IS DISTINCT FROM new_uuid THEN
		RETURN NULL;
	END IF;
	SELECT q.operation INTO own FROM floe_internal.operation_queue AS q
		WHERE q.table_id = old_row.table_id AND (q.state IN ('running', 'verifying', 'lost') OR q.state = 'dispatching' AND q.lost_sent);
	WITH old_list AS MATERIALIZED (
		SELECT s.snapshot_id FROM floe_internal.snapshot_list(old_row.snapshots) AS s
	), new_list AS MATERIALIZED (
		SELECT * FROM floe_internal.snapshot_list(new_snapshots) AS s
	)
	SELECT (SELECT jsonb_agg(jsonb_build_object('id', n.snapshot_id, 'at', n.committed_at, 'files', COALESCE(n.added_data_files, 0) + COALESCE(n.deleted_data_files, 0) > 0) ORDER BY n.committed_at)
			FROM new_list AS n WHERE n.operation = 'replace' AND NOT COALESCE(own LIKE 'rewrite%', false) AND NOT EXISTS (SELECT 1 FROM old_list AS o WHERE o.snapshot_id = n.snapshot_id)
			  -- seen late: an operation of floe made it, whatever its end was told to be
			  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_log AS l WHERE l.table_id = old_row.table_id AND l.operation LIKE 'rewrite%' AND n.committed_at BETWEEN l.started_at AND l.finished_at)),
		   (SELECT jsonb_agg(o.snapshot_id ORDER BY o.snapshot_id) FROM old_list AS o
			WHERE own IS DISTINCT FROM 'expire_snapshots' AND NOT EXISTS (SELECT 1 FROM new_list AS n WHERE n.snapshot_id = o.snapshot_id))
	INTO fresh, gone;
	IF fresh IS NULL AND gone IS NULL THEN
		RETURN NULL;
	END IF;
	RETURN jsonb_build_object('fresh', COALESCE(fresh, '[]'), 'gone', COALESCE(gone, '[]'), 'before',
		(SELECT jsonb_strip_nulls(jsonb_build_object('data_file_count', h.data_file_count, 'delete_file_count', h.position_delete_file_count + h.deletion_vector_count, 'manifest_count', h.manifest_count,
			'snapshot_count', h.snapshot_count)) FROM floe_internal.health AS h WHERE h.table_id = old_row.table_id));
END
$body$;
COMMENT ON FUNCTION floe_internal.external_changes(floe_internal.iceberg_table, pg_catalog.text, pg_catalog.bytea)
	IS 'What others did to a table since the last look: snapshots of operation replace that floe did not make, and snapshots that are gone; with counts as they were. NULL: nothing';

-- After its health was computed anew.
CREATE FUNCTION floe_internal.note_external(of_table_id pg_catalog.int8, changes pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	t floe_internal.iceberg_table;
	x record;
	now_counts jsonb;
BEGIN
	SELECT * INTO t FROM floe_internal.iceberg_table AS i WHERE i.table_id = of_table_id;
	SELECT jsonb_strip_nulls(jsonb_build_object('data_file_count', h.data_file_count, 'delete_file_count', h.position_delete_file_count + h.deletion_vector_count, 'manifest_count', h.manifest_count,
		'snapshot_count', h.snapshot_count)) INTO now_counts FROM floe_internal.health AS h WHERE h.table_id = of_table_id;
	FOR x IN
		WITH found AS (
			SELECT CASE WHEN (f.item ->> 'files')::bool THEN 'rewrite_data_files'
						WHEN changes #> '{before,delete_file_count}' IS DISTINCT FROM now_counts -> 'delete_file_count' THEN 'rewrite_position_delete_files'
						ELSE 'rewrite_manifests' END AS operation,
				   (f.item ->> 'id')::int8 AS snapshot_id, (f.item ->> 'at')::timestamptz AS done_at
			FROM jsonb_array_elements(changes -> 'fresh') AS f (item)
			UNION ALL
			SELECT 'expire_snapshots', g.id::int8, at FROM jsonb_array_elements_text(changes -> 'gone') AS g (id)
		)
		SELECT f.operation, array_agg(f.snapshot_id ORDER BY f.done_at, f.snapshot_id) AS snapshot_ids, LEAST(max(f.done_at), at) AS done_at,
			   string_agg(DISTINCT t.details #>> ARRAY['replace_engines', f.snapshot_id::text], ', ') AS engine,
			   NOT EXISTS (SELECT 1 FROM floe_internal.judged_metrics(ARRAY[of_table_id], at) AS j WHERE j.remedy = f.operation AND j.severity >= 0.5)
				   AND NOT EXISTS (SELECT 1 FROM floe_internal.decision_context(ARRAY[of_table_id], at) AS d WHERE d.operation = f.operation AND d.conditions_met) AS is_run
		FROM found AS f JOIN floe_internal.operation_kind AS k ON k.operation = f.operation
		GROUP BY f.operation, k.position ORDER BY k.position
	LOOP
		INSERT INTO floe_internal.external_operation (table_id, table_name, operation, snapshot_ids, done_at, seen_at, engine, is_run, before, after)
			VALUES (of_table_id, t.name, x.operation, x.snapshot_ids, x.done_at, at, x.engine, x.is_run, changes -> 'before', now_counts);
		IF x.is_run THEN
			INSERT INTO floe_internal.table_operation AS o (table_id, operation, last_run_at, last_success_at) VALUES (of_table_id, x.operation, x.done_at, x.done_at)
				ON CONFLICT (table_id, operation) DO UPDATE SET last_run_at = GREATEST(o.last_run_at, EXCLUDED.last_run_at), last_success_at = GREATEST(o.last_success_at, EXCLUDED.last_success_at);
		END IF;
		PERFORM floe_internal.write_event('external maintenance', t.levels[1], of_table_id, t.name, NULL,
			format('%s by %s: %s; %s', x.operation, COALESCE(x.engine, 'others'),
				CASE WHEN x.operation = 'expire_snapshots' THEN format('%s snapshots are gone', cardinality(x.snapshot_ids))
					ELSE CASE WHEN cardinality(x.snapshot_ids) > 1 THEN format('%s snapshots, the last ', cardinality(x.snapshot_ids)) ELSE 'snapshot ' END || x.snapshot_ids[cardinality(x.snapshot_ids)] END,
				(SELECT string_agg(format('%s %s > %s', replace(c.name, '_', ' '), COALESCE(changes #>> ARRAY['before', c.name], 'unknown'), COALESCE(now_counts ->> c.name, 'unknown')), ', ' ORDER BY c.place)
				 FROM unnest('{data_file_count,delete_file_count,manifest_count,snapshot_count}'::text[]) WITH ORDINALITY AS c (name, place)
				 WHERE changes #> ARRAY['before', c.name] IS DISTINCT FROM now_counts -> c.name)),
			jsonb_build_object('operation', x.operation, 'snapshot_ids', to_jsonb(x.snapshot_ids[GREATEST(1, cardinality(x.snapshot_ids) - 99):]), 'engine', x.engine, 'before', changes -> 'before', 'after', now_counts));
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.note_external(pg_catalog.int8, pg_catalog.jsonb) IS 'Keeps what others did to a table, tells people, and counts it as a run where it left nothing to do';

CREATE FUNCTION floe_internal.done_by_others(of_table_id pg_catalog.int8, of_operation pg_catalog.text, since pg_catalog.timestamptz) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.format('%s did it at %s', COALESCE(x.engine, 'somebody else'), pg_catalog.to_char(x.done_at, 'HH24:MI:SS'))
	FROM floe_internal.external_operation AS x
	WHERE x.table_id = of_table_id AND x.operation = of_operation AND x.seen_at >= since
	ORDER BY x.external_id DESC LIMIT 1;
END;
COMMENT ON FUNCTION floe_internal.done_by_others(pg_catalog.int8, pg_catalog.text, pg_catalog.timestamptz) IS 'Who did it since then, if it was not floe; NULL: nobody that floe knows of';

CREATE VIEW floe.external_operations AS
	SELECT x.external_id AS id, x.table_name, x.operation, x.engine, x.done_at, x.seen_at, pg_catalog.cardinality(x.snapshot_ids) AS snapshots, x.snapshot_ids,
		   (x.before ->> 'data_file_count')::pg_catalog.int8 AS files_before, (x.after ->> 'data_file_count')::pg_catalog.int8 AS files_after,
		   (x.before ->> 'snapshot_count')::pg_catalog.int8 AS snapshots_before, (x.after ->> 'snapshot_count')::pg_catalog.int8 AS snapshots_after,
		   (x.before ->> 'manifest_count')::pg_catalog.int8 AS manifests_before, (x.after ->> 'manifest_count')::pg_catalog.int8 AS manifests_after, x.is_run
	FROM floe_internal.external_operation AS x;
COMMENT ON VIEW floe.external_operations IS 'Maintenance by others: rewrites by hand or by another scheduler, snapshots that were expired, seen in the tables'' own history. is_run: it left nothing to do, so floe counts it as a run';
-- =================================================================================================
-- 80 acting: what people call
-- =================================================================================================

CREATE FUNCTION floe_internal.answer_requests(of_table_id pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	r floe_internal.trigger_request;
	t floe_internal.iceberg_table;
	v record;
BEGIN
	FOR r IN DELETE FROM floe_internal.trigger_request AS x WHERE x.table_id = of_table_id RETURNING *
	LOOP
		SELECT * INTO t FROM floe_internal.iceberg_table AS x WHERE x.table_id = of_table_id;
		FOR v IN SELECT * FROM floe_internal.enqueue(ARRAY[of_table_id], true, r.operations, r.options, r.requested_by)
		LOOP
			CONTINUE WHEN v.verdict IN ('run', 'off');
			PERFORM floe_internal.write_event('trigger refused', t.levels[1], of_table_id, t.name, NULL,
				format('%s %s: %s', v.operation, v.verdict, concat_ws(' ', v.gate, v.value, '(limit ' || v.limit_value || ')')), NULL);
		END LOOP;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.answer_requests(pg_catalog.int8) IS 'Plans triggers that waited for the first assessment of a table';

CREATE FUNCTION floe_internal.check_operations(operations pg_catalog.text[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	stray text;
BEGIN
	SELECT o INTO stray FROM unnest(operations) AS o WHERE o IS NULL OR NOT EXISTS (SELECT 1 FROM floe_internal.operation_kind AS k WHERE k.operation = o) LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('unknown operation "%s"', stray), NULL,
			'Operations are: ' || (SELECT string_agg(k.operation, ', ' ORDER BY k.position) FROM floe_internal.operation_kind AS k) || '.');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_operations(pg_catalog.text[]) IS 'Refuses names that are not operations';

CREATE FUNCTION floe.trigger(table_name pg_catalog.text, operations pg_catalog.text[] DEFAULT NULL, options pg_catalog.jsonb DEFAULT '{}',
		OUT operation pg_catalog.text, OUT verdict pg_catalog.text, OUT gate pg_catalog.text, OUT value pg_catalog.text, OUT limit_value pg_catalog.text,
		OUT set_by pg_catalog.text, OUT next_at pg_catalog.timestamptz, OUT operation_id pg_catalog.int8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	levels text[] := floe_internal.parse_name(trigger.table_name);
	t floe_internal.iceberg_table := floe_internal.find_table(trigger.table_name);
	given text;
	of_catalog_id int4;
BEGIN
	PERFORM floe_internal.sync_servers();
	PERFORM floe_internal.check_operations(operations);
	IF operations = '{}' THEN
		PERFORM floe_internal.refuse('the list of operations is empty', NULL, 'Leave it out for all that are called for.');
	END IF;
	IF jsonb_typeof(COALESCE(options, '{}')) <> 'object' THEN
		PERFORM floe_internal.refuse('options must be an object', NULL, 'For example {"rewrite_data_files": {"target_file_size": "128 MB"}}.');
	END IF;
	FOR given IN SELECT jsonb_object_keys(options)
	LOOP
		PERFORM floe_internal.check_operations(ARRAY[given]);
		IF NOT given = ANY (operations) THEN
			PERFORM floe_internal.refuse(format('options for %s, which is not among the operations', given), NULL, 'Name it too, or leave its options out.');
		END IF;
		PERFORM floe_internal.check_options(given, options -> given);
	END LOOP;
	SELECT c.catalog_id INTO of_catalog_id FROM floe_internal.catalog AS c WHERE c.server_name = levels[1] AND c.status <> 'removed';
	IF of_catalog_id IS NULL THEN
		RAISE EXCEPTION 'there is no catalog "%"', levels[1]
			USING ERRCODE = 'undefined_object', HINT = COALESCE('Catalogs are: ' || (SELECT string_agg(c.server_name, ', ' ORDER BY c.server_name) FROM floe_internal.catalog AS c WHERE c.status <> 'removed') || '.',
				'Make one: CREATE SERVER demo TYPE ''rest'' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri ''…'', warehouse ''…'').');
	END IF;
	IF NOT EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.is_enabled AND floe_internal.match_pattern(p.pattern, levels) IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_validity AS v WHERE v.policy_id = p.policy_id AND NOT v.is_valid)) THEN
		RAISE EXCEPTION 'no policy matches table "%"', trigger.table_name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = 'A trigger needs a matching, enabled policy: it says which operations may run, with which options and on which engine.',
				HINT = format('For example: SELECT floe.create_policy(%L, %L, %L).', levels[array_upper(levels, 1)],
					floe_internal.format_name(levels[1:array_upper(levels, 1) - 1]) || '.*', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}}');
	END IF;
	IF t.table_id IS NULL THEN
		-- never seen: registered, read first, then planned
		INSERT INTO floe_internal.iceberg_table (catalog_id, namespace, table_name, levels, name, first_seen_at)
			VALUES (of_catalog_id, levels[2:array_upper(levels, 1) - 1], levels[array_upper(levels, 1)], levels, floe_internal.format_name(levels), floe_internal.clock())
			ON CONFLICT DO NOTHING
			RETURNING * INTO t;
		IF FOUND THEN
			INSERT INTO floe_internal.table_poll (table_id, catalog_id, next_poll_at) VALUES (t.table_id, of_catalog_id, floe_internal.clock());
			PERFORM floe_internal.match_tables(ARRAY[t.table_id]);
		ELSE
			t := floe_internal.find_table(trigger.table_name);	-- a listing or another trigger registered it in this moment
		END IF;
	END IF;
	IF t.status = 'dropped' THEN
		RAISE EXCEPTION 'table "%" was dropped from the catalog', t.name
			USING ERRCODE = 'undefined_table', DETAIL = format('Noticed at %s.', t.dropped_at), HINT = 'If it is back, CALL floe.run_maintenance() lists the catalog anew.';
	END IF;
	IF t.status = 'unseen' THEN
		-- asked again: the last word counts
		DELETE FROM floe_internal.trigger_request AS r WHERE r.table_id = t.table_id AND r.operations IS NOT DISTINCT FROM trigger.operations;
		INSERT INTO floe_internal.trigger_request (table_id, operations, options, requested_by, requested_at)
			VALUES (t.table_id, trigger.operations, COALESCE(trigger.options, '{}'), SESSION_USER, floe_internal.clock());
		UPDATE floe_internal.table_poll AS p SET next_poll_at = floe_internal.clock() WHERE p.table_id = t.table_id;
		RETURN QUERY SELECT k.operation, 'wait'::text, 'assessed'::text, 'not assessed yet; planned as soon as it is'::text, NULL::text, NULL::text, NULL::timestamptz, NULL::int8
			FROM floe_internal.operation_kind AS k WHERE trigger.operations IS NULL OR k.operation = ANY (trigger.operations) ORDER BY k.position;
		RETURN;
	END IF;
	RETURN QUERY
		SELECT e.operation, CASE WHEN e.verdict = 'run' THEN 'queued' ELSE e.verdict END, e.gate, e.value, e.limit_value, e.set_by, e.next_at, e.operation_id
		FROM floe_internal.enqueue(ARRAY[t.table_id], true, trigger.operations, COALESCE(trigger.options, '{}'), SESSION_USER) AS e
		JOIN floe_internal.operation_kind AS k ON k.operation = e.operation
		ORDER BY k.position;
END
$body$;
COMMENT ON FUNCTION floe.trigger(pg_catalog.text, pg_catalog.text[], pg_catalog.jsonb)
	IS 'Plans a table from its stored health and queues what is called for, whatever the schedule says; operations named run even without need. Does no network: floe.run_maintenance() executes. One row per operation: queued, not needed, wait, blocked or off, and why';

CREATE FUNCTION floe.why(table_name pg_catalog.text, detail pg_catalog.bool DEFAULT false,
		OUT operation pg_catalog.text, OUT verdict pg_catalog.text, OUT gate pg_catalog.text, OUT value pg_catalog.text, OUT limit_value pg_catalog.text,
		OUT set_by pg_catalog.text, OUT next_at pg_catalog.timestamptz, OUT score pg_catalog.float8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	t floe_internal.iceberg_table := floe_internal.require_table(why.table_name);
BEGIN
	RETURN QUERY
		SELECT s.operation, CASE WHEN why.detail THEN r.item ->> 'status' ELSE s.verdict END, CASE WHEN why.detail THEN r.item ->> 'gate' ELSE s.gate END,
			   CASE WHEN why.detail THEN r.item ->> 'value' ELSE s.value END, CASE WHEN why.detail THEN r.item ->> 'limit' ELSE s.limit_value END,
			   CASE WHEN why.detail THEN r.item ->> 'set_by' ELSE s.set_by END, CASE WHEN why.detail THEN (r.item ->> 'next_at')::timestamptz ELSE s.next_at END, s.score
		FROM floe_internal.select_candidates(ARRAY[t.table_id], floe_internal.clock(), false, NULL, why.detail) AS s
		JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
		LEFT JOIN LATERAL jsonb_array_elements(s.reasons) WITH ORDINALITY AS r (item, place) ON why.detail
		ORDER BY k.position, r.place;
END
$body$;
COMMENT ON FUNCTION floe.why(pg_catalog.text, pg_catalog.bool)
	IS 'What floe would do with a table now and why: one row per operation with the gate that decides; with detail one row per gate. verdict: run, not needed, wait, blocked, off';

CREATE FUNCTION floe.plan(pattern pg_catalog.text DEFAULT '**',
		OUT rank pg_catalog.int4, OUT table_name pg_catalog.text, OUT operation pg_catalog.text, OUT verdict pg_catalog.text, OUT gate pg_catalog.text, OUT value pg_catalog.text,
		OUT limit_value pg_catalog.text, OUT set_by pg_catalog.text, OUT next_at pg_catalog.timestamptz, OUT score pg_catalog.float8,
		OUT objects pg_catalog.float8, OUT bytes pg_catalog.float8, OUT minutes pg_catalog.float8, OUT gb_hours pg_catalog.float8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT CASE WHEN s.verdict = 'run' THEN s.rank END, t.name, s.operation, s.verdict, s.gate, s.value, s.limit_value, s.set_by, s.next_at, s.score,
		   (s.estimate ->> 'objects')::float8, (s.estimate ->> 'bytes')::float8, (s.estimate ->> 'minutes')::float8, (s.estimate ->> 'gb_hours')::float8
	FROM floe_internal.select_candidates(ARRAY(SELECT x.table_id FROM floe_internal.iceberg_table AS x
			WHERE x.status <> 'dropped' AND floe_internal.match_pattern(floe_internal.check_pattern(pattern), x.levels) IS NOT NULL), floe_internal.clock(), false, NULL) AS s
	JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
	JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
	WHERE s.verdict = 'run' OR s.gate = 'budget'
	ORDER BY s.verdict <> 'run', s.rank, t.name, k.position
$body$;
COMMENT ON FUNCTION floe.plan(pg_catalog.text) IS 'What floe.run_maintenance() would queue next, in order, with estimates; below the line (rank NULL) what a budget holds back';

CREATE FUNCTION floe.refresh(pattern pg_catalog.text DEFAULT '**') RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	n int8;
BEGIN
	PERFORM floe_internal.sync_servers();
	UPDATE floe_internal.catalog AS c SET next_list_at = '-infinity'
		WHERE c.status <> 'removed' AND floe_internal.match_catalog(floe_internal.check_pattern(refresh.pattern), c.server_name);
	UPDATE floe_internal.policy_source AS s SET tables_read_at = NULL
		FROM floe_internal.catalog AS c WHERE c.catalog_id = s.catalog_id AND s.tables_read_at IS NOT NULL AND floe_internal.match_catalog(refresh.pattern, c.server_name);
	UPDATE floe_internal.iceberg_table AS t SET status = CASE WHEN t.assessed_at IS NULL THEN 'unseen' ELSE 'error' END
		WHERE t.status = 'quarantined' AND floe_internal.match_pattern(refresh.pattern, t.levels) IS NOT NULL;
	UPDATE floe_internal.table_poll AS p SET next_poll_at = floe_internal.clock(), notified_at = floe_internal.clock(), crashes = 0
		FROM (SELECT x.table_id FROM floe_internal.table_poll AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
			  WHERE t.status <> 'dropped' AND floe_internal.match_pattern(refresh.pattern, t.levels) IS NOT NULL
			  ORDER BY x.table_id FOR NO KEY UPDATE OF x) AS known
		WHERE p.table_id = known.table_id;
	GET DIAGNOSTICS n = ROW_COUNT;
	PERFORM floe_internal.wake('assessor');
	RETURN n;
END
$body$;
COMMENT ON FUNCTION floe.refresh(pg_catalog.text) IS 'Makes matching catalogs and tables due for the next pass, and frees quarantined tables; returns the number of tables. No network';

CREATE FUNCTION floe.notify_commit(table_name pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	t floe_internal.iceberg_table := floe_internal.find_table(notify_commit.table_name);
	at timestamptz := floe_internal.clock();
BEGIN
	IF t.table_id IS NULL OR t.status IN ('dropped', 'quarantined') THEN
		-- a table that was just made: the next listing of its catalog finds it
		UPDATE floe_internal.catalog AS c SET next_list_at = CASE WHEN c.claim_pass IS NOT NULL THEN '-infinity'	-- the listing under way may have come too early
				ELSE LEAST(c.next_list_at, GREATEST(at, c.listed_at + interval '10 seconds')) END
			WHERE t.status IS DISTINCT FROM 'quarantined' AND c.status = 'ok' AND c.server_name = (floe_internal.parse_name(notify_commit.table_name))[1];
		IF FOUND THEN
			PERFORM floe_internal.wake('assessor');
		END IF;
		RETURN false;
	END IF;
	-- While the table is being looked at, that look may have come too early. A table in error keeps its backoff.
	UPDATE floe_internal.table_poll AS p SET notified_at = at, next_poll_at = CASE WHEN p.failures = 0 THEN LEAST(p.next_poll_at, at) ELSE p.next_poll_at END
		WHERE p.table_id = t.table_id;
	PERFORM floe_internal.wake('assessor');
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe.notify_commit(pg_catalog.text)
	IS 'Says that a table was written: it is looked at now instead of when its poll is due. For webhooks, triggers and writers; cheap, and safe to call often. False: floe does not know the table, and lists its catalog soon';

CREATE FUNCTION floe.pause(pattern pg_catalog.text, until pg_catalog.timestamptz DEFAULT 'infinity', reason pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	checked text := floe_internal.check_pattern(pause.pattern);
	ends timestamptz := COALESCE(pause.until, 'infinity');
BEGIN
	IF checked IS NULL THEN
		PERFORM floe_internal.refuse('a pause needs a pattern', NULL, 'floe.pause(''**'') pauses everything.');
	END IF;
	IF ends <= floe_internal.clock() THEN
		PERFORM floe_internal.refuse(format('a pause until %s is over already', ends), NULL, NULL);
	END IF;
	DELETE FROM floe_internal.pause AS p WHERE p.pattern = checked OR p.until <= floe_internal.clock();
	INSERT INTO floe_internal.pause (pattern, until, reason, paused_by, paused_at)
		VALUES (checked, ends, pause.reason, SESSION_USER, floe_internal.clock());
	PERFORM floe_internal.write_event('paused', NULL, NULL, NULL, NULL, concat_ws(': ', checked || ' paused' || COALESCE(' until ' || NULLIF(ends, 'infinity'), ''), pause.reason), NULL);
	RETURN (SELECT count(*) FROM floe_internal.iceberg_table AS t WHERE t.status <> 'dropped' AND floe_internal.match_pattern(checked, t.levels) IS NOT NULL);
END
$body$;
COMMENT ON FUNCTION floe.pause(pg_catalog.text, pg_catalog.timestamptz, pg_catalog.text) IS 'Nothing is dispatched for matching tables until then; what runs is left to finish. Returns the number of tables';

CREATE FUNCTION floe.resume(pattern pg_catalog.text) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	checked text := floe_internal.check_pattern(resume.pattern);
	n int8;
BEGIN
	DELETE FROM floe_internal.pause AS p WHERE p.pattern = checked OR checked = '**';
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n = 0 THEN
		RAISE WARNING 'nothing is paused under pattern "%"', checked
			USING HINT = COALESCE('Pauses are: ' || (SELECT string_agg(p.pattern, ', ' ORDER BY p.pattern) FROM floe_internal.pause AS p) || '.', 'There are no pauses.');
	ELSE
		PERFORM floe_internal.decide_soon(ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
			WHERE t.status = 'ok' AND (checked = '**' OR floe_internal.match_pattern(checked, t.levels) IS NOT NULL)));
		PERFORM floe_internal.wake('executor');
		PERFORM floe_internal.write_event('resumed', NULL, NULL, NULL, NULL, checked || ' resumed', NULL);
	END IF;
	RETURN n;
END
$body$;
COMMENT ON FUNCTION floe.resume(pg_catalog.text) IS 'Ends the pauses of exactly this pattern, or all of them with **; returns how many';

CREATE FUNCTION floe.drain(reason pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.drain (reason, drained_by, drained_at) VALUES (drain.reason, SESSION_USER, floe_internal.clock())
		ON CONFLICT (one) DO UPDATE SET reason = COALESCE(EXCLUDED.reason, floe_internal.drain.reason)
		WHERE floe_internal.drain.reason IS DISTINCT FROM COALESCE(EXCLUDED.reason, floe_internal.drain.reason);
	IF FOUND THEN
		PERFORM floe_internal.write_event('drained', NULL, NULL, NULL, NULL, concat_ws(': ', 'nothing is dispatched until floe.undrain() is called', drain.reason), NULL);
	END IF;
	RETURN (SELECT count(*) FROM floe_internal.operation_queue AS q WHERE q.state <> 'queued');
END
$body$;
COMMENT ON FUNCTION floe.drain(pg_catalog.text)
	IS 'What runs is finished, nothing new is dispatched; tables are still looked at and decided upon. For maintenance of engines and servers. Returns how many operations are under way: call it until it says 0. floe.undrain() ends it';

CREATE FUNCTION floe.undrain() RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	DELETE FROM floe_internal.drain;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM floe_internal.decide_soon(ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t WHERE t.status = 'ok'));
	PERFORM floe_internal.wake('executor');
	PERFORM floe_internal.write_event('undrained', NULL, NULL, NULL, NULL, 'operations are dispatched again', NULL);
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe.undrain() IS 'Ends floe.drain(); false: nothing was drained';

CREATE FUNCTION floe.cancel(operation_id pg_catalog.int8) RETURNS pg_catalog.text
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	q floe_internal.operation_queue;
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY[cancel.operation_id]);
	SELECT * INTO q FROM floe_internal.operation_queue AS x WHERE x.operation_id = cancel.operation_id FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM floe_internal.refuse(format('operation %s is not queued or running', cancel.operation_id),
			(SELECT format('It is %s since %s.', l.state, l.finished_at) FROM floe_internal.operation_log AS l WHERE l.operation_id = cancel.operation_id), NULL, '42704');
	END IF;
	UPDATE floe_internal.operation_queue AS x SET cancel_requested_by = SESSION_USER WHERE x.operation_id = cancel.operation_id;
	IF q.state = 'queued' THEN
		PERFORM floe_internal.end_operation(q.operation_id, 'cancelled', 'cancelled by ' || SESSION_USER);
		RETURN 'cancelled';
	END IF;
	PERFORM floe_internal.wake('executor');
	RETURN 'requested';
END
$body$;
COMMENT ON FUNCTION floe.cancel(pg_catalog.int8) IS 'Cancels an operation; one that runs is cancelled at the engine by the process that drives it. Returns cancelled or requested';

CREATE FUNCTION floe.check_catalog(name pg_catalog.text,
		OUT success pg_catalog.bool, OUT message pg_catalog.text, OUT latency_ms pg_catalog.int4, OUT detail pg_catalog.jsonb)
	RETURNS pg_catalog.record
	LANGUAGE c VOLATILE STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_check_catalog';
COMMENT ON FUNCTION floe.check_catalog(pg_catalog.text) IS 'Connects to a catalog now, from this session: whether it works, what to do if not, how long it took; detail.phase: configuration, DNS, TCP, TLS, auth or protocol. Needs USAGE on the server';

CREATE FUNCTION floe.check_engine(name pg_catalog.text,
		OUT success pg_catalog.bool, OUT message pg_catalog.text, OUT latency_ms pg_catalog.int4, OUT detail pg_catalog.jsonb)
	RETURNS pg_catalog.record
	LANGUAGE c VOLATILE STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_check_engine';
COMMENT ON FUNCTION floe.check_engine(pg_catalog.text) IS 'Connects to an engine now, from this session; as floe.check_catalog()';

CREATE PROCEDURE floe.run_maintenance(pattern pg_catalog.text DEFAULT NULL, wait pg_catalog.bool DEFAULT false)
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'floe_sql_run_maintenance';
COMMENT ON PROCEDURE floe.run_maintenance(pg_catalog.text, pg_catalog.bool)
	IS 'One whole pass: take over what a dead process left, list catalogs, assess tables, decide, dispatch, follow, verify. With a pattern only matching tables, and those at once. With wait until nothing is queued or running, with progress as NOTICEs. Commits between its steps';

-- =================================================================================================
-- 81 catalogs in this database
-- A JDBC catalog whose table is here tells of each commit by a trigger: no poll has to find it.
-- =================================================================================================

-- Runs in the transaction of whoever commits to an Iceberg table: it must not fail, nor keep him waiting.
CREATE FUNCTION floe.notify_jdbc_commit() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET lock_timeout = '100ms'
AS $body$
DECLARE
	row_of jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
	at timestamptz;
BEGIN
	IF TG_NARGS > 1 AND row_of ->> 'catalog_name' IS DISTINCT FROM TG_ARGV[1] THEN
		RETURN NULL;
	END IF;
	BEGIN
		at := floe_internal.clock();
		IF TG_OP = 'UPDATE' AND to_jsonb(OLD) ->> 'table_namespace' = row_of ->> 'table_namespace' AND to_jsonb(OLD) ->> 'table_name' = row_of ->> 'table_name' THEN
			PERFORM floe.notify_commit(floe_internal.format_name(ARRAY[TG_ARGV[0]] || string_to_array(row_of ->> 'table_namespace', '.') || (row_of ->> 'table_name')));
		ELSE
			-- made, dropped or renamed: the list of tables is another one; one that is under way may have come too early
			UPDATE floe_internal.catalog AS c SET next_list_at = CASE WHEN c.claim_pass IS NOT NULL THEN '-infinity' ELSE LEAST(c.next_list_at, at) END
				WHERE c.server_name = TG_ARGV[0] AND c.status = 'ok';
			PERFORM floe_internal.wake('assessor');
		END IF;
	EXCEPTION
		WHEN query_canceled THEN
			RAISE;
		WHEN OTHERS THEN
			-- the next poll finds it
			NULL;
	END;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe.notify_jdbc_commit() IS 'Trigger on the table iceberg_tables of a JDBC catalog, made by floe.watch_catalog(): what is committed is looked at now. Arguments: the catalog''s server and, if the table holds several catalogs, the value of catalog_name. Never fails, and waits at most a tenth of a second';

-- The table of a catalog in this database, and the names that the trigger needs. As the caller: he must be allowed to put a trigger there.
CREATE FUNCTION floe_internal.jdbc_relation(of_server pg_catalog.text, OUT relation pg_catalog.regclass, OUT catalog_name pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	s record;
BEGIN
	SELECT x.server_name, x.server_type, x.options INTO s FROM floe_internal.server AS x WHERE x.wrapper = 'floe_catalog' AND x.server_name = of_server;
	IF s.server_name IS NULL THEN
		PERFORM floe_internal.refuse(format('there is no catalog "%s"', of_server), NULL, 'Catalogs are servers of the wrapper floe_catalog.', '42704');
	END IF;
	IF s.server_type <> 'jdbc' OR s.options ->> 'uri' <> 'postgresql:///' THEN
		PERFORM floe_internal.refuse(format('catalog "%s" is not in this database', of_server), 'A trigger can tell of commits only where the catalog''s table is.',
			'It is a server of TYPE ''jdbc'' with the option uri ''postgresql:///''. For others there is floe.notify_commit().');
	END IF;
	catalog_name := s.options ->> 'catalog_name';
	relation := to_regclass(format('%I.iceberg_tables', COALESCE(s.options ->> 'schema', 'public')));
	IF relation IS NULL THEN
		PERFORM floe_internal.refuse(format('there is no table %I.iceberg_tables', COALESCE(s.options ->> 'schema', 'public')), NULL, 'The first client of the JDBC catalog makes it.', '42P01');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.jdbc_relation(pg_catalog.text) IS 'Where a JDBC catalog of this database has its table; an error for all others';

CREATE FUNCTION floe_internal.drop_watch(relation pg_catalog.regclass, of_server pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_trigger AS t WHERE t.tgrelid = drop_watch.relation AND t.tgname = ('floe_watch_' || of_server)::name) THEN
		RETURN false;
	END IF;
	EXECUTE format('DROP TRIGGER %I ON %s', 'floe_watch_' || of_server, drop_watch.relation);
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe_internal.drop_watch(pg_catalog.regclass, pg_catalog.text) IS 'As the caller: takes the trigger away that tells of a catalog''s commits; false: there was none';

CREATE FUNCTION floe_internal.put_watch(relation pg_catalog.regclass, of_server pg_catalog.text, catalog_name pg_catalog.text) RETURNS pg_catalog.regclass
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	trigger_name text := 'floe_watch_' || of_server;
BEGIN
	EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION floe.notify_jdbc_commit(%L%s)',
		trigger_name, put_watch.relation, of_server, ', ' || quote_literal(put_watch.catalog_name));
	-- it goes with the extension instead of being in its way
	EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION floe', trigger_name, put_watch.relation);
	RETURN put_watch.relation;
END
$body$;
COMMENT ON FUNCTION floe_internal.put_watch(pg_catalog.regclass, pg_catalog.text, pg_catalog.text) IS 'As the caller, who must own the table: makes the trigger of floe.watch_catalog(), which is not there';

CREATE FUNCTION floe.watch_catalog(server_name pg_catalog.text) RETURNS pg_catalog.regclass
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.drop_watch(p.relation, watch_catalog.server_name) FROM floe_internal.jdbc_relation(watch_catalog.server_name) AS p;
	SELECT floe_internal.put_watch(p.relation, watch_catalog.server_name, p.catalog_name) FROM floe_internal.jdbc_relation(watch_catalog.server_name) AS p;
END;
COMMENT ON FUNCTION floe.watch_catalog(pg_catalog.text) IS 'Puts a trigger on the table of a JDBC catalog in this database, so that floe looks at a table as soon as somebody commits to it. The caller must own that table; returns it';

CREATE FUNCTION floe.unwatch_catalog(server_name pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.drop_watch(p.relation, unwatch_catalog.server_name) FROM floe_internal.jdbc_relation(unwatch_catalog.server_name) AS p;
END;
COMMENT ON FUNCTION floe.unwatch_catalog(pg_catalog.text) IS 'Takes the trigger of floe.watch_catalog() away; false: there was none';
-- =================================================================================================
-- 85 steps of the pass that are SQL alone
-- =================================================================================================

-- For tables for which nothing calls now. Whatever else a decision depends on makes them due; what nobody tells is that snapshots become
-- expirable and get older, and that a deadline of floe's own passes. Where neither can call, another look at them is a matter of caution.
CREATE FUNCTION floe_internal.quiet_until(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, every pg_catalog.interval,
		OUT table_id pg_catalog.int8, OUT decide_at pg_catalog.timestamptz) RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		WITH growing AS MATERIALIZED (
			SELECT s.policy_set_id, m.name, floe_internal.warning_in_force(e.settings, m.name, m.warning) AS warning
			FROM (SELECT DISTINCT t.policy_set_id FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (of_table_ids)) AS s
			JOIN floe.metric AS m ON m.source = 'clock' AND m.remedy IS NOT NULL
			LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = s.policy_set_id AND e.operation = ''
		), deadline AS MATERIALIZED (
			SELECT e.policy_set_id, b.operation, (b.value #>> '{}')::interval AS deadline
			FROM floe_internal.builtin_setting AS b JOIN floe_internal.effective AS e ON e.operation = b.operation AND e.settings ? 'configured'
			WHERE b.setting = 'deadline' AND e.policy_set_id IN (SELECT g.policy_set_id FROM growing AS g)
		)
		SELECT t.table_id, LEAST(
			at + floe_internal.spread(t.table_id::text, GREATEST(every, '1 day')),
			-- the current one is not expirable
			CASE WHEN EXISTS (SELECT 1 FROM growing AS g WHERE g.policy_set_id = t.policy_set_id AND g.warning IS NOT NULL
					AND (g.name <> 'expirable_snapshot_count' OR h.snapshot_count > g.warning)) THEN at + floe_internal.spread(t.table_id::text, every) END,
			(SELECT min(GREATEST(COALESCE(x.last_success_at, t.first_seen_at) + d.deadline + floe_internal.jitter(t.table_id::text, every), at + floe_internal.spread(t.table_id::text, every)))
			 FROM deadline AS d LEFT JOIN floe_internal.table_operation AS x ON x.table_id = t.table_id AND x.operation = d.operation
			 WHERE d.policy_set_id = t.policy_set_id
			   AND CASE d.operation WHEN 'compute_table_stats' THEN h.table_stats_lag > 0 WHEN 'compute_partition_stats' THEN h.partition_stats_lag > 0 ELSE h.snapshot_count > 1 END))
		FROM floe_internal.iceberg_table AS t JOIN floe_internal.health AS h ON h.table_id = t.table_id
		WHERE t.table_id = ANY (of_table_ids);
END
$body$;
COMMENT ON FUNCTION floe_internal.quiet_until(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.interval)
	IS 'When tables for which nothing calls are decided upon next: every so often where time alone can call, else after a day, or after that if it is longer';

-- Steps 5 to 9 for some tables, and when each of them is decided upon next.
CREATE FUNCTION floe_internal.plan_tables(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	every interval := current_setting('floe.decision_interval')::interval;
	called int8[];
	queued int4 := 0;
	wait_ids int8[];
	waits timestamptz[];
BEGIN
	-- two that plan at once would both count on the same budgets
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 2);
	-- before anything else of these tables; what changes from here on waits, and makes them due again
	PERFORM 1 FROM floe_internal.table_decision AS d WHERE d.table_id = ANY (of_table_ids) ORDER BY d.table_id FOR UPDATE;
	PERFORM floe_internal.recompute_health(of_table_ids);
	PERFORM floe_internal.sync_schedules(of_table_ids, at);
	called := ARRAY(SELECT floe_internal.tables_to_decide(of_table_ids, at));
	IF called <> '{}' THEN
		SELECT count(e.operation_id), array_agg(e.table_id) FILTER (WHERE e.next_at > at), array_agg(e.next_at) FILTER (WHERE e.next_at > at) INTO queued, wait_ids, waits
			FROM floe_internal.enqueue(called, false, NULL, '{}', 'floe') AS e;
		-- an operation whose time has come and that is not needed waits for its next time
		PERFORM floe_internal.advance_schedules(called, at);
	END IF;
	INSERT INTO floe_internal.table_decision AS d (table_id, decide_at, decided_at)
		SELECT x.table_id, LEAST(
				COALESCE(q.decide_at, at + floe_internal.spread(x.table_id::text, every)),
				(SELECT min(w.next_at) FROM unnest(wait_ids, waits) AS w (table_id, next_at) WHERE w.table_id = x.table_id),
				(SELECT min(o.next_due_at) FROM floe_internal.table_operation AS o WHERE o.table_id = x.table_id AND o.next_due_at > at)), at
		FROM unnest(of_table_ids) AS x (table_id)
		LEFT JOIN floe_internal.quiet_until(ARRAY(SELECT unnest(of_table_ids) EXCEPT SELECT unnest(called)), at, every) AS q ON q.table_id = x.table_id
		ON CONFLICT (table_id) DO UPDATE SET decide_at = EXCLUDED.decide_at, decided_at = EXCLUDED.decided_at;
	RETURN queued;
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_tables(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Steps 5 to 9 of a pass for these tables: issues, plan, gates, debt, selection; returns how many operations were queued';

-- Decides for all assessed tables of a pattern and queues what runs; returns how many.
CREATE FUNCTION floe_internal.plan_and_queue(pattern pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.pass_boundaries();
	-- Only tables that a policy configures at all.
	RETURN floe_internal.plan_tables(ARRAY(
		SELECT t.table_id
		FROM floe_internal.iceberg_table AS t
		JOIN floe_internal.policy_set AS s ON s.policy_set_id = t.policy_set_id AND s.policy_ids <> '{}'
		WHERE t.status = 'ok' AND (plan_and_queue.pattern IS NULL OR floe_internal.match_pattern(plan_and_queue.pattern, t.levels) IS NOT NULL)), floe_internal.clock());
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_and_queue(pg_catalog.text) IS 'Steps 5 to 9 of a pass for all tables of a pattern, due or not';

-- A table that cannot be decided upon must not keep all others from it: it is put off, and says why. If none can, that is not the tables' fault.
CREATE FUNCTION floe_internal.plan_portion(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	id int8;
	queued int4 := 0;
	failed int8[] := ARRAY[]::int8[];
	reasons text[] := ARRAY[]::text[];
BEGIN
	BEGIN
		RETURN floe_internal.plan_tables(of_table_ids, at);
	EXCEPTION
		WHEN lock_not_available OR deadlock_detected THEN
			RAISE;
		WHEN OTHERS THEN
			NULL;
	END;
	FOREACH id IN ARRAY of_table_ids LOOP
		BEGIN
			queued := queued + floe_internal.plan_tables(ARRAY[id], at);
		EXCEPTION
			WHEN lock_not_available OR deadlock_detected THEN
				RAISE;
			WHEN OTHERS THEN
				failed := failed || id;
				reasons := reasons || SQLERRM;
				IF cardinality(failed) = 10 AND cardinality(failed) = array_position(of_table_ids, id) THEN
					RAISE;
				END IF;
		END;
	END LOOP;
	UPDATE floe_internal.table_decision AS d SET decide_at = at + floe_internal.spread(d.table_id::text, GREATEST(current_setting('floe.decision_interval')::interval, '1 hour'))
		WHERE d.table_id = ANY (failed);
	PERFORM floe_internal.write_event('decision failed', t.levels[1], t.table_id, t.name, NULL, format('%s cannot be decided upon: %s', t.name, f.reason), NULL)
		FROM unnest(failed, reasons) AS f (table_id, reason) JOIN floe_internal.iceberg_table AS t ON t.table_id = f.table_id;
	RETURN queued;
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_portion(pg_catalog.int8[], pg_catalog.timestamptz) IS 'floe_internal.plan_tables(), and one by one what it fails for; throws if the first ten fail';

CREATE FUNCTION floe_internal.lock_due(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS SETOF pg_catalog.int8
	-- in a function of its own, because its settings hold for all that it calls
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off
AS $body$
BEGIN
	RETURN QUERY SELECT d.table_id FROM floe_internal.table_decision AS d WHERE d.decide_at <= at ORDER BY d.decide_at LIMIT most FOR UPDATE SKIP LOCKED;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_due(pg_catalog.timestamptz, pg_catalog.int4) IS 'Tables that are due for a decision, the longest first, locked until the commit; what others hold is left to them';

-- The same for tables that are due, at most so many: the cost is that of what is due. Budgets are given out in the order of the scores,
-- so while there are any the portion is larger.
CREATE FUNCTION floe_internal.plan_due(most pg_catalog.int4, OUT decided pg_catalog.int4, OUT queued pg_catalog.int4) RETURNS pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	due int8[];
	ids int8[];
BEGIN
	decided := 0;
	queued := 0;
	IF floe_internal.pass_boundaries() THEN
		decided := most;	-- more is due: with the commit of this
		RETURN;
	END IF;
	-- by the index, whatever the planner thinks of the times in the table
	IF COALESCE((SELECT d.decide_at FROM floe_internal.table_decision AS d ORDER BY d.decide_at LIMIT 1) > at, true) THEN
		RETURN;
	END IF;
	-- before any row is locked, as in plan_tables()
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 2);
	due := ARRAY(SELECT floe_internal.lock_due(at, most * CASE WHEN EXISTS (SELECT 1 FROM floe.budget AS b WHERE b.is_enabled) THEN 10 ELSE 1 END));
	decided := COALESCE(array_length(due, 1), 0);
	IF decided = 0 THEN
		RETURN;
	END IF;
	ids := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
		JOIN floe_internal.policy_set AS s ON s.policy_set_id = t.policy_set_id AND s.policy_ids <> '{}'
		WHERE t.table_id = ANY (due) AND t.status = 'ok');
	-- what cannot be decided upon waits until it can: an assessment or a policy makes it due
	UPDATE floe_internal.table_decision AS d SET decide_at = 'infinity' WHERE d.table_id = ANY (due) AND d.table_id <> ALL (ids);
	queued := floe_internal.plan_portion(ids, at);
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_due(pg_catalog.int4) IS 'Decides upon due tables; decided: how many were due (fewer than asked for: no more are), queued: operations';

-- Something changed that decisions depend on.
CREATE FUNCTION floe_internal.decide_soon(of_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.table_decision AS d (table_id, decide_at)
		SELECT t.table_id, floe_internal.clock()
		FROM floe_internal.iceberg_table AS t JOIN floe_internal.policy_set AS s ON s.policy_set_id = t.policy_set_id AND s.policy_ids <> '{}'
		WHERE t.table_id = ANY (of_table_ids) AND t.status = 'ok'
		ORDER BY t.table_id
		ON CONFLICT (table_id) DO UPDATE SET decide_at = EXCLUDED.decide_at WHERE d.decide_at > EXCLUDED.decide_at;
	PERFORM floe_internal.wake('assessor');
END
$body$;
COMMENT ON FUNCTION floe_internal.decide_soon(pg_catalog.int8[]) IS 'Makes these tables due for a decision, as far as policies configure them';

CREATE FUNCTION floe_internal.decide_all() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	-- Those that are due, too: somebody may be deciding upon them now, and then this waits for him. In the order of decide_soon().
	UPDATE floe_internal.table_decision AS d SET decide_at = LEAST(d.decide_at, floe_internal.clock())
		FROM (SELECT x.table_id FROM floe_internal.table_decision AS x WHERE x.decide_at < 'infinity' ORDER BY x.table_id FOR UPDATE) AS known
		WHERE d.table_id = known.table_id;
	PERFORM floe_internal.wake('assessor');
	PERFORM floe_internal.wake('executor');
END
$body$;
COMMENT ON FUNCTION floe_internal.decide_all() IS 'Makes all tables due for a decision';

-- When the transaction commits, and once for it.
CREATE FUNCTION floe_internal.decide_all_soon() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.settings_change (is_for_all) SELECT true WHERE NOT EXISTS (SELECT 1 FROM floe_internal.settings_change AS x WHERE x.is_for_all);
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.decide_all_soon() IS 'Trigger: after a change that concerns every decision';

CREATE TRIGGER budget_after AFTER INSERT OR UPDATE OR DELETE ON floe.budget
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.decide_all_soon();
CREATE TRIGGER metric_after AFTER UPDATE ON floe.metric
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.decide_all_soon();
CREATE TRIGGER debt_term_after AFTER UPDATE ON floe.debt_term
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.decide_all_soon();

-- =================================================================================================
-- 86 retention
-- What bounds each table, as rows, and the housekeeping that sees to it. Separate from the steps of a pass, because nothing
-- here decides anything: purge() removes in small batches what no decision reads any more.
-- =================================================================================================

CREATE TABLE floe_internal.retention (
	relation		pg_catalog.regclass PRIMARY KEY,
	rule			pg_catalog.text NOT NULL CHECK (rule IN ('fixed', 'people', 'time', 'state', 'owner')),
	time_column		pg_catalog.name CHECK ((time_column IS NOT NULL) = (rule = 'time')),
	setting			pg_catalog.text,
	keep			pg_catalog.interval CHECK (rule <> 'time' OR (setting IS NULL) <> (keep IS NULL)),
	reached			pg_catalog.timestamptz NOT NULL DEFAULT '-infinity',
	description		pg_catalog.text NOT NULL
);
COMMENT ON TABLE floe_internal.retention IS 'Every table of floe: what makes it grow and what bounds it';
COMMENT ON COLUMN floe_internal.retention.rule IS 'fixed: rows come with the extension; people: as many as people write; time: rows go when they are old; state: as many as there are things of this kind; owner: rows go with the row they belong to';
COMMENT ON COLUMN floe_internal.retention.time_column IS 'The age of a row';
COMMENT ON COLUMN floe_internal.retention.setting IS 'Parameter that says how long rows are kept; NULL: keep does, or nothing';
COMMENT ON COLUMN floe_internal.retention.reached IS 'Between the batches of one purge: up to here all is removed. A batch that began at the oldest row would read the dead rows of those before it, again and again while an old snapshot keeps them';

INSERT INTO floe_internal.retention (relation, rule, time_column, setting, keep, description) VALUES
	('floe_internal.operation_kind', 'fixed', NULL, NULL, NULL, 'Operations'),
	('floe_internal.operation_state', 'fixed', NULL, NULL, NULL, 'States of an operation'),
	('floe_internal.operation_transition', 'fixed', NULL, NULL, NULL, 'Legal transitions between them'),
	('floe_internal.error_class', 'fixed', NULL, NULL, NULL, 'Classes of errors'),
	('floe_internal.builtin_setting', 'fixed', NULL, NULL, NULL, 'Defaults below policies'),
	('floe_internal.property_setting', 'fixed', NULL, NULL, NULL, 'Table properties that are settings'),
	('floe_internal.policy_key', 'fixed', NULL, NULL, NULL, 'Keys of policy documents'),
	('floe_internal.polaris_policy_type', 'fixed', NULL, NULL, NULL, 'Types of Polaris''s policies'),
	('floe_internal.polaris_config_key', 'fixed', NULL, NULL, NULL, 'Keys of their config that have another name in floe'),
	('floe_internal.gate', 'fixed', NULL, NULL, NULL, 'Gates'),
	('floe_internal.identity', 'fixed', NULL, NULL, NULL, 'Which database this is, one row'),
	('floe_internal.retention', 'fixed', NULL, NULL, NULL, 'This list'),
	('floe.metric', 'fixed', NULL, NULL, NULL, 'Metrics; people change their thresholds'),
	('floe.debt_term', 'fixed', NULL, NULL, NULL, 'Terms of the debt score; people change their weights'),
	('floe_internal.engine_session', 'fixed', NULL, NULL, NULL, 'At most pool_size rows for each engine; one goes when the engine has ended the session'),
	('floe.resource_preset', 'people', NULL, NULL, NULL, 'Sizes of sessions that policies name'),
	('floe.policy', 'people', NULL, NULL, NULL, 'Policies'),
	('floe.policy_operation', 'people', NULL, NULL, NULL, 'What they say, at most a row for each operation'),
	('floe.budget', 'people', NULL, NULL, NULL, 'Budgets'),
	('floe_internal.policy_version', 'people', NULL, NULL, NULL, 'A row for each transaction that really changed a policy; kept for good, because it says who changed what'),
	('floe_internal.drain', 'people', NULL, NULL, NULL, 'At most one row'),
	('floe_internal.pause', 'time', 'until', NULL, '0', 'Pauses; a row goes when its pause is over'),
	('floe_internal.trigger_request', 'time', 'requested_at', NULL, '1 day', 'Triggers of tables that are not assessed yet; a row goes with its answer, and at the latest after a day'),
	('floe_internal.event', 'time', 'happened_at', 'floe.event_retention', NULL, 'A few rows for each operation, one for each change of state of a table, catalog or engine'),
	('floe_internal.health_history', 'time', 'assessed_at', 'floe.health_history_retention', NULL, 'A row for each change of a table''s health; those of a dropped table go with it'),
	('floe_internal.operation_log', 'time', 'finished_at', 'floe.operation_log_retention', NULL, 'A row for each operation that ended'),
	('floe_internal.pass', 'time', 'started_at', 'floe.pass_retention', NULL, 'A row for each pass; one that is at work stays however old it is'),
	('floe_internal.iceberg_table', 'state', NULL, 'floe.dropped_table_retention', NULL, 'A row for each table of a catalog. A dropped one is emptied after a day, and goes with its history after its retention'),
	('floe_internal.catalog', 'state', NULL, 'floe.dropped_table_retention', NULL, 'A row for each SERVER; one of a server that was dropped goes after its last table'),
	('floe_internal.engine', 'state', NULL, 'floe.dropped_table_retention', NULL, 'A row for each SERVER; one of a server that was dropped goes when no operation names it'),
	('floe_internal.operation_queue', 'state', NULL, NULL, NULL, 'At most a row for each table and operation; it leaves in the transaction that ends the operation'),
	('floe_internal.manifest', 'state', NULL, NULL, NULL, 'A row for each manifest of the current list of a table; goes a day after it left the list, or after its table was dropped, and after a week in no list of a table that cannot be read'),
	('floe_internal.dispatch_turn', 'state', NULL, NULL, NULL, 'A row for each catalog and for each policy in it; one of a catalog or policy that is gone goes with the next purge'),
	('floe.engine_approval', 'people', NULL, NULL, NULL, 'Engines approved for the tables of a pattern'),
	('floe_internal.policy_change', 'state', NULL, NULL, NULL, 'Written and removed by each transaction that changes a policy; always empty for others'),
	('floe_internal.external_operation', 'time', 'seen_at', 'floe.operation_log_retention', NULL, 'A row for each maintenance of a table that others did'),
	('floe_internal.settings_change', 'state', NULL, NULL, NULL, 'Written and removed by each transaction that changes policies; always empty for others'),
	('floe_internal.policy_validity', 'owner', NULL, NULL, NULL, 'A row for each policy with valid_during'),
	('floe_internal.policy_set', 'state', NULL, NULL, NULL, 'Lists of policies that tables have; one that no table has goes with the next purge'),
	('floe_internal.policy_source', 'owner', NULL, NULL, NULL, 'A row for each catalog whose policies are read'),
	('floe_internal.catalog_policy', 'owner', NULL, NULL, NULL, 'A row for each policy attached in such a catalog, 1000 at most'),
	('floe_internal.table_poll', 'owner', NULL, NULL, NULL, 'A row for each table; goes when a dropped one is emptied'),
	('floe_internal.table_decision', 'owner', NULL, NULL, NULL, 'A row for each table that a policy configures; goes when a dropped one is emptied'),
	('floe_internal.health', 'owner', NULL, NULL, NULL, 'A row for each assessed table'),
	('floe_internal.table_operation', 'owner', NULL, NULL, NULL, 'At most a row for each table and operation'),
	('floe_internal.policy_match', 'owner', NULL, NULL, NULL, 'A row for each table and policy that matches it'),
	('floe_internal.effective', 'owner', NULL, NULL, NULL, 'At most a row for each policy list and operation');

CREATE VIEW floe.retention AS
	SELECT r.relation::pg_catalog.text AS relation, r.rule, r.setting, COALESCE(pg_catalog.current_setting(r.setting)::pg_catalog.interval, r.keep) AS kept,
		   pg_catalog.pg_total_relation_size(r.relation) AS bytes, r.description
	-- a call of the library, so that it is loaded and has its parameters
	FROM (SELECT floe_internal.clock()) AS loaded CROSS JOIN floe_internal.retention AS r;
COMMENT ON VIEW floe.retention IS 'Every table of floe: its size, what bounds it, and how long rows are kept; docs/retention.md says more';

-- Storage. A dead row costs most where a scan in the order of an index begins with it, and by default a fifth of a table may be dead.

-- The best score is claimed first, so what is claimed leaves dead entries exactly where the next claim begins; rows are wide, and rewritten some ten times.
ALTER TABLE floe_internal.operation_queue SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
	toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 500);
-- Each poll moves a row from the front of table_poll_due to its end.
ALTER TABLE floe_internal.table_poll SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
ALTER TABLE floe_internal.table_decision SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
-- Replaced with each change of the table, as wide rows: a fifth of them dead is a fifth more to read for each plan.
ALTER TABLE floe_internal.health SET (autovacuum_vacuum_scale_factor = 0.05);
-- Room for the next version in the same page: most changes leave every indexed column as it was.
ALTER TABLE floe_internal.iceberg_table SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE floe_internal.table_operation SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
-- Emptied from their old end, where each purge begins.
ALTER TABLE floe_internal.event SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE floe_internal.health_history SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE floe_internal.operation_log SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE floe_internal.manifest SET (autovacuum_vacuum_scale_factor = 0.05);

-- Rules of time, one batch, from the oldest row on: by the index, whatever the statistics of a table that grew in the last minute say.
CREATE FUNCTION floe_internal.purge_old(r floe_internal.retention, at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $body$
DECLARE
	old timestamptz := at - COALESCE(current_setting(r.setting)::interval, r.keep);
	n int8;
	newest timestamptz;
BEGIN
	EXECUTE format('WITH gone AS (
			DELETE FROM %1$s AS d
				WHERE d.ctid = ANY (ARRAY(SELECT x.ctid FROM %1$s AS x WHERE x.%2$I >= $1 AND x.%2$I < $2 ORDER BY x.%2$I LIMIT $3)) AND d.%2$I < $2
				RETURNING d.%2$I AS t)
		SELECT count(*), max(gone.t) FROM gone', r.relation, r.time_column) INTO n, newest USING r.reached, old, most;
	newest := CASE WHEN n < most THEN '-infinity' ELSE newest END;
	UPDATE floe_internal.retention AS x SET reached = newest WHERE x.relation = r.relation AND x.reached <> newest;
	RETURN n = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_old(floe_internal.retention, pg_catalog.timestamptz, pg_catalog.int4) IS 'Removes the oldest rows beyond a rule of time; true: there may be more';

CREATE FUNCTION floe_internal.purge_passes(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old timestamptz := at - current_setting('floe.pass_retention')::interval;
	n int8;
BEGIN
	-- without its row, what a pass that is at work has claimed would look as if the server had gone down
	DELETE FROM floe_internal.pass AS p WHERE p.pass_id = ANY (ARRAY(
		SELECT x.pass_id FROM floe_internal.pass AS x
		WHERE x.started_at < old AND COALESCE(x.ended_at, x.started_at) < old AND x.pass_id NOT IN (SELECT floe_internal.live_passes())
		ORDER BY x.started_at LIMIT most));
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_passes(pg_catalog.timestamptz, pg_catalog.int4) IS 'Removes rows of passes that ended long ago; true: there may be more';

-- The table's row is locked, because an assessment may take a manifest back into the list.
CREATE FUNCTION floe_internal.purge_manifests(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	due int8[];
	tables int8[];
	n int8;
BEGIN
	SELECT array_agg(x.manifest_id), array_agg(DISTINCT x.table_id) INTO due, tables
		FROM (SELECT m.manifest_id, m.table_id FROM floe_internal.manifest AS m WHERE m.left_list_at < at - interval '1 day' ORDER BY m.left_list_at LIMIT most) AS x;
	IF due IS NULL THEN
		RETURN false;
	END IF;
	tables := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (tables) FOR NO KEY UPDATE SKIP LOCKED);
	DELETE FROM floe_internal.manifest AS m WHERE m.manifest_id = ANY (due) AND m.table_id = ANY (tables) AND m.left_list_at < at - interval '1 day';
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n > 0 AND cardinality(due) = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_manifests(pg_catalog.timestamptz, pg_catalog.int4) IS 'Removes manifests that left their table''s list a day ago; true: there may be more';

-- An assessment that fails keeps what it has read. While a writer goes on and one manifest cannot be read, that would never end.
CREATE FUNCTION floe_internal.purge_unlisted(of_table_id pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old timestamptz := floe_internal.clock() - interval '7 days';
	listed int8[];
BEGIN
	SELECT t.manifest_ids INTO listed FROM floe_internal.iceberg_table AS t WHERE t.table_id = of_table_id AND t.error_since < old;
	IF FOUND THEN
		DELETE FROM floe_internal.manifest AS m
			WHERE m.table_id = of_table_id AND m.left_list_at IS NULL AND m.stored_at < old
			  AND NOT EXISTS (SELECT 1 FROM unnest(listed) AS l (id) WHERE l.id = m.manifest_id);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_unlisted(pg_catalog.int8) IS 'Of a table that could not be assessed for a week: removes manifests that are as old and are in no list';

-- A dropped table keeps its name, its health and its history; what floe needs to look after a table goes after a day.
CREATE FUNCTION floe_internal.purge_dropped(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	ids int8[] := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
		WHERE t.status = 'dropped' AND (t.emptied_at IS NULL OR t.emptied_at < t.dropped_at) AND t.dropped_at < at - interval '1 day'
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.table_id = t.table_id)
		ORDER BY t.dropped_at LIMIT most FOR NO KEY UPDATE SKIP LOCKED);
	n int8;
BEGIN
	IF ids = '{}' THEN
		RETURN false;
	END IF;
	DELETE FROM floe_internal.manifest AS m WHERE m.manifest_id = ANY (ARRAY(SELECT x.manifest_id FROM floe_internal.manifest AS x WHERE x.table_id = ANY (ids) LIMIT most));
	GET DIAGNOSTICS n = ROW_COUNT;
	WITH emptied AS (
		UPDATE floe_internal.iceberg_table AS t
			SET emptied_at = at, manifest_ids = NULL, snapshots = NULL, details = NULL, properties = NULL, refs = NULL, specs = NULL, metadata_location = NULL, current_snapshot_id = NULL
			WHERE t.table_id = ANY (ids) AND NOT EXISTS (SELECT 1 FROM floe_internal.manifest AS m WHERE m.table_id = t.table_id)
			RETURNING t.table_id
	), undecided AS (
		DELETE FROM floe_internal.table_decision AS d USING emptied AS e WHERE d.table_id = e.table_id
	)
	DELETE FROM floe_internal.table_poll AS p USING emptied AS e WHERE p.table_id = e.table_id;
	RETURN n = most OR cardinality(ids) = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_dropped(pg_catalog.timestamptz, pg_catalog.int4) IS 'Empties tables that were dropped a day ago; true: there may be more';

CREATE FUNCTION floe_internal.purge_forgotten(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old timestamptz := at - current_setting('floe.dropped_table_retention')::interval;
	-- with each go a few rows of the tables that refer to it
	most_tables int4 := GREATEST(most / 20, 1);
	ids int8[] := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
		WHERE t.status = 'dropped' AND t.dropped_at < old AND t.emptied_at >= t.dropped_at
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.table_id = t.table_id)
		ORDER BY t.dropped_at LIMIT most_tables FOR UPDATE SKIP LOCKED);
	n int8;
BEGIN
	DELETE FROM floe_internal.health_history AS h WHERE h.ctid = ANY (ARRAY(SELECT x.ctid FROM floe_internal.health_history AS x WHERE x.table_id = ANY (ids) LIMIT most)) AND h.table_id = ANY (ids);
	GET DIAGNOSTICS n = ROW_COUNT;
	DELETE FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (ids) AND NOT EXISTS (SELECT 1 FROM floe_internal.health_history AS h WHERE h.table_id = t.table_id);
	IF n < most AND cardinality(ids) < most_tables THEN
		DELETE FROM floe_internal.catalog AS c WHERE c.status = 'removed' AND c.removed_at < old AND NOT EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = c.catalog_id);
	END IF;
	DELETE FROM floe_internal.engine AS e WHERE e.status = 'removed' AND e.removed_at < old AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.engine = e.server_name);
	RETURN n = most OR cardinality(ids) = most_tables;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_forgotten(pg_catalog.timestamptz, pg_catalog.int4) IS 'Removes tables, catalogs and engines that went long ago, with their history; true: there may be more';

-- Who gives a table its policy list may be giving it one that no table has yet; and a policy that changes locks first and rows later.
-- So this begins with the lock, and does not wait for it.
CREATE FUNCTION floe_internal.lock_matches_at_once() RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RETURN false;
	END IF;
	LOCK TABLE floe_internal.policy_match IN SHARE ROW EXCLUSIVE MODE NOWAIT;
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RETURN false;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_matches_at_once() IS 'Until the commit: no table gets another policy list and no policy changes; false: somebody is at it';

-- One look into the index for each list, of which there are few: asked for the next from there on, so that the answer is not sought in the table.
CREATE FUNCTION floe_internal.unused_policy_sets() RETURNS TABLE (policy_set_id pg_catalog.int4)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.policy_set_id FROM floe_internal.policy_set AS s
	WHERE (SELECT t.policy_set_id FROM floe_internal.iceberg_table AS t WHERE t.policy_set_id >= s.policy_set_id ORDER BY t.policy_set_id LIMIT 1) IS DISTINCT FROM s.policy_set_id;
END;
COMMENT ON FUNCTION floe_internal.unused_policy_sets() IS 'Policy lists that no table has';

CREATE FUNCTION floe_internal.purge(most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	old timestamptz := at - current_setting('floe.dropped_table_retention')::interval;
	r floe_internal.retention;
	n int8;
	more bool;
	is_locked bool := false;
BEGIN
	-- who comes second has nothing to do
	IF NOT pg_try_advisory_xact_lock(floe_internal.step_class(), 'floe_internal.retention'::regclass::oid::int4) THEN
		RETURN false;
	END IF;
	IF EXISTS (SELECT 1 FROM floe_internal.unused_policy_sets())
			OR EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS t WHERE t.status = 'dropped' AND t.dropped_at < old)
			OR EXISTS (SELECT 1 FROM floe_internal.catalog AS c WHERE c.removed_at < old)
			OR EXISTS (SELECT 1 FROM floe_internal.engine AS e WHERE e.removed_at < old) THEN
		is_locked := floe_internal.lock_matches_at_once();
	END IF;
	more := floe_internal.purge_dropped(at, most);
	DELETE FROM floe_internal.dispatch_turn AS d
		WHERE NOT EXISTS (SELECT 1 FROM floe_internal.catalog AS c WHERE c.server_name = d.catalog AND c.status <> 'removed')
		   OR d.policy NOT IN ('', '-') AND NOT EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.name = d.policy);
	IF is_locked THEN
		more := floe_internal.purge_forgotten(at, most) OR more;
		DELETE FROM floe_internal.policy_set AS s WHERE s.policy_set_id = ANY (ARRAY(SELECT u.policy_set_id FROM floe_internal.unused_policy_sets() AS u LIMIT most));
		GET DIAGNOSTICS n = ROW_COUNT;
		more := more OR n = most;
	END IF;
	FOR r IN SELECT * FROM floe_internal.retention AS x WHERE x.rule = 'time' AND x.relation <> 'floe_internal.pass'::regclass
	LOOP
		more := floe_internal.purge_old(r, at, most) OR more;
	END LOOP;
	more := floe_internal.purge_passes(at, most) OR more;
	RETURN floe_internal.purge_manifests(at, most) OR more;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge(pg_catalog.int4) IS 'Removes what is beyond its retention, at most so many rows of each kind; true: there may be more. One at a time: false while another does it';
-- =================================================================================================
-- 87 pg_cron
-- floe.schedule() and floe.unschedule(): a job of pg_cron that calls floe.run_maintenance(). Separate because it is the only
-- part that knows another extension, which may be absent, in another database, or older or newer than the one it was tried
-- with: nothing of it is named but in strings.
--
-- Whoever calls is who pg_cron is told by and whom the job runs as: so pg_cron's own privileges decide who may use it, the
-- job is seen and ended by who made it, and it can do no more than he. What must be known of others' jobs is looked up as
-- the owner of the extension.
-- =================================================================================================

CREATE FUNCTION floe_internal.pg_cron_job_name() RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	-- pg_cron keeps 63 bytes
	SELECT 'floe: ' || CASE WHEN pg_catalog.octet_length(d.datname::pg_catalog.text) <= 57 THEN d.datname::pg_catalog.text ELSE 'database ' || d.oid::pg_catalog.text END
	FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database();
END;
COMMENT ON FUNCTION floe_internal.pg_cron_job_name() IS 'Name of this database''s job among the jobs of all databases';

CREATE FUNCTION floe_internal.pg_cron_command() RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT 'CALL floe.run_maintenance()';
END;
COMMENT ON FUNCTION floe_internal.pg_cron_command() IS 'What the job does';

-- A setting that postgresql.conf names is not one of pg_settings before its library is loaded.
CREATE FUNCTION floe_internal.pg_cron_setting(suffix pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.setting FROM pg_catalog.pg_settings AS s WHERE s.name = 'cron.' || suffix;
END;
COMMENT ON FUNCTION floe_internal.pg_cron_setting(pg_catalog.text) IS 'A parameter of pg_cron; NULL: it is not loaded, or has none of that name. For superusers';

CREATE FUNCTION floe_internal.require_pg_cron(elsewhere pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	home text := floe_internal.pg_cron_setting('database_name');
	without text := 'floe does without pg_cron, too: its own background workers need none, and any scheduler that can open a connection can CALL floe.run_maintenance().';
BEGIN
	IF home IS NULL THEN
		PERFORM floe_internal.refuse('pg_cron is not loaded',
			CASE WHEN EXISTS (SELECT 1 FROM pg_available_extensions AS x WHERE x.name = 'pg_cron') THEN 'It is installed, but is not among shared_preload_libraries.'
				ELSE format('It is not installed on this server; Debian''s package of it is postgresql-%s-cron.', current_setting('server_version_num')::int4 / 10000) END,
			format('Add pg_cron to shared_preload_libraries, set cron.database_name = %L, restart the server, and say CREATE EXTENSION pg_cron in this database. %s', current_database(), without), '55000');
	ELSIF home <> current_database() THEN
		PERFORM floe_internal.refuse(format('pg_cron is not in this database, but in database "%s"', home),
			'It can be in one database of a server only, which cron.database_name says; from there it runs jobs in others.',
			format('As superuser in database "%s": %s;', home, elsewhere), '55000');
	ELSIF NOT EXISTS (SELECT 1 FROM pg_extension AS x WHERE x.extname = 'pg_cron') THEN
		PERFORM floe_internal.refuse('extension pg_cron is not in this database', 'Its library is loaded, and cron.database_name says that this is its database.',
			'As superuser: CREATE EXTENSION pg_cron.', '55000');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.require_pg_cron(pg_catalog.text) IS 'Refuses, with what to do, where pg_cron is not; elsewhere: what to say in the database where it is';

CREATE FUNCTION floe_internal.pg_cron_jobs(OUT job_id pg_catalog.int8, OUT role_name pg_catalog.text, OUT schedule pg_catalog.text, OUT is_active pg_catalog.bool) RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY EXECUTE 'SELECT j.jobid, j.username::text, j.schedule::text, j.active FROM cron.job AS j WHERE j.jobname::text = $1 AND j.database = current_database() ORDER BY j.jobid'
		USING floe_internal.pg_cron_job_name();
END
$body$;
COMMENT ON FUNCTION floe_internal.pg_cron_jobs() IS 'Jobs of this database that floe.schedule() made, whoever called it';

CREATE FUNCTION floe_internal.prepare_schedule(expression pg_catalog.text, as_role pg_catalog.name,
		OUT old_job_id pg_catalog.int8, OUT is_active pg_catalog.bool, OUT job_name pg_catalog.text, OUT schedule pg_catalog.text, OUT timezone pg_catalog.text, OUT runs_as pg_catalog.text,
		OUT next_at pg_catalog.timestamptz)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	job record;
BEGIN
	IF expression IS NULL THEN
		PERFORM floe_internal.refuse('a schedule needs a cron expression', NULL, 'Leave it out for every minute; floe.unschedule() ends the schedule.');
	END IF;
	job_name := floe_internal.pg_cron_job_name();
	-- as pg_cron writes the names of months, days and macros
	schedule := lower(btrim(expression));
	runs_as := as_role;
	-- since 1.5 it has a zone
	timezone := COALESCE(floe_internal.pg_cron_setting('timezone'), 'GMT');
	next_at := floe_internal.cron_next(schedule, timezone, floe_internal.clock());
	IF next_at IS NULL THEN
		PERFORM floe_internal.refuse(format('"%s" names no time within five years', expression), NULL, NULL);
	END IF;
	PERFORM floe_internal.require_pg_cron(format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L)', job_name, schedule, floe_internal.pg_cron_command(), current_database(), as_role));
	IF NOT (SELECT r.rolcanlogin FROM pg_roles AS r WHERE r.rolname = as_role) THEN
		PERFORM floe_internal.refuse(format('role "%s" cannot log in, so pg_cron cannot run a job as it', as_role), 'A job runs as the role that schedules it.', 'Schedule it as a member of that role that can log in.', '55000');
	END IF;
	IF NOT has_schema_privilege(as_role, 'cron', 'USAGE') THEN
		PERFORM floe_internal.refuse(format('role "%s" may not use pg_cron', as_role), NULL, format('As superuser: GRANT USAGE ON SCHEMA cron TO %I.', as_role), '42501');
	END IF;
	IF NOT has_function_privilege(as_role, 'floe.run_maintenance(text, bool)', 'EXECUTE') THEN
		PERFORM floe_internal.refuse(format('role "%s" may not call floe.run_maintenance()', as_role), 'The job runs as this role.', format('As superuser: GRANT floe_operator TO %I.', as_role), '42501');
	END IF;
	SELECT j.* INTO job FROM floe_internal.pg_cron_jobs() AS j ORDER BY j.role_name = as_role DESC, j.job_id LIMIT 1;
	IF FOUND THEN
		IF job.role_name <> as_role AND NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = as_role) THEN
			PERFORM floe_internal.refuse(format('floe is scheduled in this database by role "%s" already', job.role_name), format('Job %s, "%s".', job.job_id, job.schedule),
				'That role, or a superuser, can change it with floe.schedule() and end it with floe.unschedule().', '42710');
		END IF;
		old_job_id := job.job_id;
		is_active := job.is_active;
		runs_as := job.role_name;
	END IF;
	IF EXISTS (SELECT 1 FROM floe_internal.workers() AS w WHERE w.database = current_database() AND w.state = 'running') THEN
		RAISE NOTICE 'background workers drive floe in this database already'
			USING DETAIL = 'Passes beside them do no harm, and find little to do.', HINT = 'To leave it to pg_cron: ALTER SYSTEM SET floe.scheduler = off; SELECT pg_reload_conf().';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.prepare_schedule(pg_catalog.text, pg_catalog.name) IS 'Checks all that floe.schedule() needs, for the role that calls it; the job there is, and what the new one will be';

-- As the caller.
CREATE FUNCTION floe_internal.tell_pg_cron(old_job_id pg_catalog.int8, is_active pg_catalog.bool, is_own pg_catalog.bool, job_name pg_catalog.text, schedule pg_catalog.text, command pg_catalog.text)
	RETURNS pg_catalog.int8
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	job_id int8 := old_job_id;
BEGIN
	IF old_job_id IS NOT NULL AND NOT is_own THEN
		EXECUTE 'SELECT cron.alter_job(job_id => $1, schedule => $2, command => $3, active => true)' USING old_job_id, schedule, command;
		RETURN job_id;
	END IF;
	IF NOT is_active THEN
		-- only those to whom a superuser granted alter_job() could switch it on
		EXECUTE 'SELECT cron.unschedule($1)' USING old_job_id;
	END IF;
	EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job_id USING job_name, schedule, command;
	RETURN job_id;
EXCEPTION WHEN invalid_parameter_value THEN
	-- floe's own parser had nothing against it
	RAISE EXCEPTION 'pg_cron does not take the expression "%"', schedule
		USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It says: %s.', SQLERRM), HINT = 'Before a step it wants * or a range: "5-59/20" instead of "5/20".';
END
$body$;
COMMENT ON FUNCTION floe_internal.tell_pg_cron(pg_catalog.int8, pg_catalog.bool, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'Makes or changes the job of pg_cron; returns its id';

-- Bound to what it calls when it was made, so that a caller needs no privilege on floe_internal.
CREATE FUNCTION floe.schedule(cron pg_catalog.text DEFAULT '* * * * *',
		OUT job_id pg_catalog.int8, OUT job_name pg_catalog.text, OUT schedule pg_catalog.text, OUT timezone pg_catalog.text, OUT runs_as pg_catalog.text, OUT next_at pg_catalog.timestamptz)
	RETURNS pg_catalog.record
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.tell_pg_cron(p.old_job_id, p.is_active, p.runs_as = CURRENT_USER, p.job_name, p.schedule, floe_internal.pg_cron_command()), p.job_name, p.schedule, p.timezone, p.runs_as, p.next_at
	FROM floe_internal.prepare_schedule(schedule.cron, CURRENT_USER) AS p;
END;
COMMENT ON FUNCTION floe.schedule(pg_catalog.text)
	IS 'Has pg_cron CALL floe.run_maintenance() in this database, as the role that calls this and at the times of a cron expression, which is in timezone; again: changes the expression. One job a database. Needs USAGE on schema cron';

CREATE FUNCTION floe_internal.prepare_unschedule(as_role pg_catalog.name) RETURNS pg_catalog.int8[]
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	is_superuser bool := (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = as_role);
	ids int8[];
	others text;
BEGIN
	IF floe_internal.pg_cron_setting('database_name') IS NOT NULL THEN
		PERFORM floe_internal.require_pg_cron(format('SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = %L AND database = %L', floe_internal.pg_cron_job_name(), current_database()));
		SELECT array_agg(j.job_id) FILTER (WHERE is_superuser OR j.role_name = as_role), string_agg(DISTINCT format('"%s"', j.role_name), ', ') INTO ids, others FROM floe_internal.pg_cron_jobs() AS j;
	END IF;
	IF ids IS NULL AND others IS NOT NULL THEN
		PERFORM floe_internal.refuse(format('floe was scheduled in this database by role %s', others), NULL, 'That role, or a superuser, can end it.', '42501');
	ELSIF ids IS NULL THEN
		RAISE WARNING 'floe is not scheduled in this database' USING HINT = 'floe.schedule() does that, through pg_cron.';
	END IF;
	RETURN COALESCE(ids, '{}');
END
$body$;
COMMENT ON FUNCTION floe_internal.prepare_unschedule(pg_catalog.name) IS 'Jobs that floe.unschedule() is to end for this role';

CREATE FUNCTION floe_internal.end_pg_cron_jobs(job_ids pg_catalog.int8[]) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	job_id int8;
BEGIN
	FOREACH job_id IN ARRAY job_ids
	LOOP
		EXECUTE 'SELECT cron.unschedule($1)' USING job_id;
	END LOOP;
	RETURN job_ids <> '{}';
END
$body$;
COMMENT ON FUNCTION floe_internal.end_pg_cron_jobs(pg_catalog.int8[]) IS 'Ends jobs of pg_cron, as the caller; false: there were none';

CREATE FUNCTION floe.unschedule() RETURNS pg_catalog.bool
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.end_pg_cron_jobs(floe_internal.prepare_unschedule(CURRENT_USER));
END;
COMMENT ON FUNCTION floe.unschedule() IS 'Ends what floe.schedule() began; a pass that is at work goes on to its end. Returns whether there was a job';

-- =================================================================================================
-- 88 engines: approval and drain
-- What people say about engines, and what follows for the tables.
-- =================================================================================================

-- decisions of all tables depend on it, as on budgets
CREATE TRIGGER approval_after AFTER INSERT OR UPDATE OR DELETE ON floe.engine_approval
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.decide_all_soon();

CREATE FUNCTION floe.approved_engines(table_name pg_catalog.text, OUT engine pg_catalog.text, OUT approved pg_catalog.bool, OUT set_by pg_catalog.text) RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT s.server_name, a.pattern IS NULL, a.pattern
	FROM (SELECT (floe_internal.require_table(table_name)).levels) AS t
	JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine'
	LEFT JOIN LATERAL (SELECT x.pattern FROM floe.engine_approval AS x WHERE s.server_name <> ALL (x.engines) AND floe_internal.match_pattern(x.pattern, t.levels) IS NOT NULL
					   ORDER BY floe_internal.match_pattern(x.pattern, t.levels), x.pattern LIMIT 1) AS a ON true
	ORDER BY s.server_name
$body$;
COMMENT ON FUNCTION floe.approved_engines(pg_catalog.text) IS 'Which engines may work on a table; set_by: the highest approval that does not have one';

CREATE FUNCTION floe.drain_engine(engine pg_catalog.text, reason pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old_row floe_internal.engine;
BEGIN
	PERFORM floe_internal.check_engine_name(drain_engine.engine, 'drain');
	PERFORM floe_internal.sync_servers();
	-- whoever is giving it something holds its row: that is finished, and nothing comes after it
	SELECT * INTO old_row FROM floe_internal.engine AS e WHERE e.server_name = drain_engine.engine FOR UPDATE;
	UPDATE floe_internal.engine AS e
		SET drained_at = COALESCE(e.drained_at, floe_internal.clock()), drained_by = COALESCE(e.drained_by, SESSION_USER), drain_reason = COALESCE(drain_engine.reason, e.drain_reason)
		WHERE e.engine_id = old_row.engine_id;
	IF old_row.drained_at IS NULL THEN
		PERFORM floe_internal.decide_soon(floe_internal.tables_of_engine(drain_engine.engine));
		PERFORM floe_internal.wake('executor');
	END IF;
	IF old_row.drained_at IS NULL OR old_row.drain_reason IS DISTINCT FROM COALESCE(drain_engine.reason, old_row.drain_reason) THEN
		PERFORM floe_internal.write_event('engine drained', NULL, NULL, NULL, NULL, concat_ws(': ', format('nothing is dispatched to engine "%s" until floe.undrain_engine() is called', drain_engine.engine), drain_engine.reason), NULL);
	END IF;
	RETURN (SELECT count(*) FROM floe_internal.operation_queue AS q WHERE q.engine = drain_engine.engine AND q.state IN ('dispatching', 'running', 'lost'));
END
$body$;
COMMENT ON FUNCTION floe.drain_engine(pg_catalog.text, pg_catalog.text)
	IS 'What runs at this engine is finished, nothing new is dispatched to it; what waits for it goes to the next engine of its policy, or waits. Returns how many operations are under way there: call it until it says 0. floe.undrain_engine() ends it';

CREATE FUNCTION floe.undrain_engine(engine pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.check_engine_name(undrain_engine.engine, 'undrain');
	UPDATE floe_internal.engine AS e SET drained_at = NULL, drained_by = NULL, drain_reason = NULL WHERE e.server_name = undrain_engine.engine AND e.drained_at IS NOT NULL;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM floe_internal.decide_soon(floe_internal.tables_of_engine(undrain_engine.engine));
	PERFORM floe_internal.wake('executor');
	PERFORM floe_internal.write_event('engine undrained', NULL, NULL, NULL, NULL, format('operations are dispatched to engine "%s" again', undrain_engine.engine), NULL);
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe.undrain_engine(pg_catalog.text) IS 'Ends floe.drain_engine(); false: it was not drained';
-- =================================================================================================
-- 90 views
-- =================================================================================================

CREATE VIEW floe.operations AS
	SELECT o.operation_id AS id, o.table_name, o.operation, o.state, o.engine,
		   CASE WHEN o.by_hand THEN 'trigger' ELSE 'policy' END AS origin, o.requested_by, o.policies, o.attempt,
		   o.queued_at, o.started_at, o.finished_at, COALESCE(o.engine_ended_at, floe_internal.clock()) - o.started_at AS duration,
		   (o.before ->> 'data_file_count')::pg_catalog.int8 AS files_before, (o.after ->> 'data_file_count')::pg_catalog.int8 AS files_after,
		   (o.before ->> 'snapshot_count')::pg_catalog.int8 AS snapshots_before, (o.after ->> 'snapshot_count')::pg_catalog.int8 AS snapshots_after,
		   (o.before ->> 'manifest_count')::pg_catalog.int8 AS manifests_before, (o.after ->> 'manifest_count')::pg_catalog.int8 AS manifests_after,
		   o.effect, o.new_snapshots, o.outcome AS engine_outcome, o.engine_result, o.engine_row_count,
		   o.error_class, o.error_message AS error, o.statement, o.external_id, o.operation_key AS key,
		   o.score, o.score_parts, o.estimate - 'slice' AS estimate, (o.estimate -> 'slice') - 'units' AS slice, o.reason, o.settings, o.before, o.after, o.cancel_requested_by, o.engine_reason
	FROM (SELECT l.operation_id, l.table_name, l.operation, l.state, l.engine, l.by_hand, l.requested_by, l.policies, l.attempt, l.queued_at, l.started_at, l.finished_at,
				 l.engine_ended_at, l.before, l.after, l.effect, l.new_snapshots, l.outcome, l.engine_result, l.engine_row_count, l.error_class, l.error_message, l.statement,
				 l.external_id, l.operation_key, l.score, l.score_parts, l.estimate, l.reason, l.settings, l.cancel_requested_by, l.engine_reason
		  FROM floe_internal.operation_log AS l
		  UNION ALL
		  SELECT q.operation_id, q.table_name, q.operation, q.state, q.engine, q.by_hand, q.requested_by, q.policies, q.attempt, q.queued_at, q.started_at, q.finished_at,
				 q.engine_ended_at, q.before, q.after, q.effect, q.new_snapshots, q.outcome, q.engine_result, q.engine_row_count, q.error_class, q.error_message, q.statement,
				 q.external_id, q.operation_key, q.score, q.score_parts, q.estimate, q.reason, q.settings, q.cancel_requested_by, q.engine_reason
		  FROM floe_internal.operation_queue AS q) AS o;
COMMENT ON VIEW floe.operations IS 'The log of every operation, those under way included: what called for it, what was sent, and its effect measured from the table''s metadata (effect: after minus before); slice: which part of the table it was about, NULL: the whole';

CREATE VIEW floe.events AS
	SELECT e.event_id AS id, e.happened_at, e.kind, e.catalog, e.table_name, e.operation_id, e.message, e.data
	FROM floe_internal.event AS e;
COMMENT ON VIEW floe.events IS 'Every change of state; also sent on channel floe (LISTEN floe)';

CREATE VIEW floe.pauses AS
	SELECT p.pattern, p.until, p.reason, p.paused_by, p.paused_at FROM floe_internal.pause AS p WHERE p.until > floe_internal.clock();
COMMENT ON VIEW floe.pauses IS 'What is paused now';

CREATE VIEW floe.catalogs AS
	SELECT s.server_name AS name, s.server_type AS type, s.options ->> 'uri' AS uri, s.options ->> 'warehouse' AS warehouse, COALESCE(c.status, 'new') AS status,
		   c.error_message AS error, c.error_detail AS error_detail, c.error_since, c.failures, c.listed_at, c.next_list_at,
		   (SELECT pg_catalog.count(*) FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = c.catalog_id AND t.status <> 'dropped') AS tables, c.left_out, c.refused_count AS refused_namespaces, c.refusal, c.config,
		   o.read_at AS policies_read_at, o.error_message AS policies_error
	FROM floe_internal.server AS s
	LEFT JOIN floe_internal.catalog AS c ON c.server_name = s.server_name AND c.status <> 'removed'
	LEFT JOIN floe_internal.policy_source AS o ON o.catalog_id = c.catalog_id
	WHERE s.wrapper = 'floe_catalog';
COMMENT ON VIEW floe.catalogs IS 'Catalogs and their state; left_out: listed names that floe cannot keep, so that those namespaces and tables are not among its tables; refused_namespaces: those that floe may not list, and refusal the catalog''s words for it';

CREATE VIEW floe.engines AS
	SELECT s.server_name AS name, s.server_type AS type, s.options ->> 'url' AS url, COALESCE(e.status, 'new') AS status, e.product,
		   e.error_message AS error, e.error_detail AS error_detail, e.error_since, e.failures, e.retry_at,
		   (SELECT pg_catalog.count(*) FROM floe_internal.operation_queue AS q WHERE q.engine = s.server_name AND q.state IN ('dispatching', 'running', 'lost')) AS running,
		   (SELECT pg_catalog.count(*) FROM floe_internal.operation_queue AS q WHERE q.engine = s.server_name AND q.state = 'queued') AS queued,
		   COALESCE((s.options ->> 'max_operations')::pg_catalog.int4, 2) AS max_operations, e.drained_at, e.drained_by, e.drain_reason,
		   (SELECT pg_catalog.max(l.finished_at) FROM floe_internal.operation_log AS l WHERE l.engine = s.server_name AND l.state = 'succeeded') AS last_success_at,
		   (SELECT pg_catalog.jsonb_object_agg(x.state, x.n) FROM (SELECT q.state, pg_catalog.count(*) AS n FROM floe_internal.operation_queue AS q
				WHERE q.engine = s.server_name GROUP BY q.state) AS x) AS operations
	FROM floe_internal.server AS s
	LEFT JOIN floe_internal.engine AS e ON e.server_name = s.server_name AND e.status <> 'removed'
	WHERE s.wrapper = 'floe_engine';
COMMENT ON VIEW floe.engines IS 'Engines and their state. running: of max_operations places; operations: what they have and what waits for them first, by state; drained_at: since when nothing new is dispatched to it';

CREATE VIEW floe.tables AS
	SELECT t.name, t.status, t.error_message AS error, t.error_detail, t.error_since, t.format_version, t.location,
		   h.assessed_at, h.data_file_count, h.data_bytes, h.record_count, h.small_file_count, h.excess_file_count, h.delete_ratio, h.snapshot_count,
		   h.expirable_snapshot_count, h.manifest_count, h.partition_count, h.last_write_at,
		   (SELECT pg_catalog.array_agg(p.name ORDER BY m.place) FROM floe_internal.policy_set AS s CROSS JOIN LATERAL pg_catalog.unnest(s.policy_ids) WITH ORDINALITY AS m (policy_id, place)
			JOIN floe.policy AS p ON p.policy_id = m.policy_id WHERE s.policy_set_id = t.policy_set_id) AS policies,
		   l.operation AS last_operation, l.state AS last_state, l.finished_at AS last_finished_at,
		   q.operation AS current_operation, q.state AS current_state, poll.polled_at, poll.next_poll_at, t.first_seen_at, t.dropped_at
	FROM floe_internal.iceberg_table AS t
	LEFT JOIN floe_internal.health AS h ON h.table_id = t.table_id
	LEFT JOIN floe_internal.table_poll AS poll ON poll.table_id = t.table_id
	LEFT JOIN LATERAL (SELECT x.operation, x.state, x.finished_at FROM floe_internal.operation_log AS x WHERE x.table_id = t.table_id ORDER BY x.operation_id DESC LIMIT 1) AS l ON true
	LEFT JOIN LATERAL (SELECT x.operation, x.state FROM floe_internal.operation_queue AS x WHERE x.table_id = t.table_id ORDER BY x.state = 'queued', x.position LIMIT 1) AS q ON true;
COMMENT ON VIEW floe.tables IS 'One row per table floe has seen, dropped ones included; floe.status() adds debt and verdict';

CREATE FUNCTION floe.status(pattern pg_catalog.text DEFAULT '**',
		OUT name pg_catalog.text, OUT status pg_catalog.text, OUT verdict pg_catalog.text, OUT next_operation pg_catalog.text, OUT reason pg_catalog.text, OUT debt pg_catalog.float8,
		OUT excess_files pg_catalog.int8, OUT expirable_snapshots pg_catalog.int8, OUT last_operation pg_catalog.text, OUT last_state pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT v.name, v.status, c.verdict, c.operation, concat_ws(' ', c.gate, c.value, '(limit ' || c.limit_value || ')'), c.score,
		   v.excess_file_count, v.expirable_snapshot_count, v.last_operation, v.last_state
	FROM floe_internal.iceberg_table AS t
	JOIN floe.tables AS v ON v.name = t.name AND v.first_seen_at = t.first_seen_at
	LEFT JOIN (SELECT DISTINCT ON (s.table_id) s.* FROM floe_internal.select_candidates(ARRAY(SELECT x.table_id FROM floe_internal.iceberg_table AS x
			WHERE x.status <> 'dropped' AND floe_internal.match_pattern(floe_internal.check_pattern(pattern), x.levels) IS NOT NULL), floe_internal.clock(), false, NULL) AS s
		ORDER BY s.table_id, s.verdict <> 'run', s.verdict <> 'wait', s.verdict <> 'blocked', s.score DESC) AS c ON c.table_id = t.table_id
	WHERE t.status <> 'dropped' AND floe_internal.match_pattern(floe_internal.check_pattern(pattern), t.levels) IS NOT NULL
	ORDER BY c.verdict <> 'run', c.score DESC NULLS LAST, v.name
$body$;
COMMENT ON FUNCTION floe.status(pg_catalog.text) IS 'Tables with debt score and the most pressing verdict, worst first';

CREATE FUNCTION floe.stats(since pg_catalog.interval DEFAULT '24 hours',
		OUT operation pg_catalog.text, OUT engine pg_catalog.text, OUT succeeded pg_catalog.int8, OUT no_change pg_catalog.int8, OUT failed pg_catalog.int8, OUT cancelled pg_catalog.int8,
		OUT running pg_catalog.int8, OUT queued pg_catalog.int8, OUT files_removed pg_catalog.float8, OUT snapshots_removed pg_catalog.float8, OUT engine_time pg_catalog.interval)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT o.operation, o.engine, count(*) FILTER (WHERE o.state = 'succeeded'), count(*) FILTER (WHERE o.state = 'no_change'), count(*) FILTER (WHERE o.state = 'failed'),
		   count(*) FILTER (WHERE o.state = 'cancelled'), count(*) FILTER (WHERE o.state IN ('dispatching', 'running', 'verifying', 'lost')), count(*) FILTER (WHERE o.state = 'queued'),
		   COALESCE(- sum((o.effect ->> 'data_file_count')::float8), 0), COALESCE(- sum((o.effect ->> 'snapshot_count')::float8) FILTER (WHERE o.operation = 'expire_snapshots'), 0),
		   sum(o.duration)
	FROM floe.operations AS o
	WHERE o.finished_at IS NULL OR o.finished_at >= floe_internal.clock() - since
	GROUP BY o.operation, o.engine
	ORDER BY o.operation, o.engine
$body$;
COMMENT ON FUNCTION floe.stats(pg_catalog.interval) IS 'Operations of the last while, by kind and engine, with what they removed as measured';

CREATE VIEW floe.operation_option AS
	SELECT o.operation, o.option, o.aliases, o.engine_type, o.engine_name, o.placement, o.value_type, o.minimum, o.maximum, o.allowed, o.default_value, o.description
	FROM floe_internal.engine_options() AS o;
COMMENT ON VIEW floe.operation_option IS 'Options of each operation that a policy can set, per engine type: what the engine calls them, type, range and default';


CREATE VIEW floe.engine_option AS
	SELECT d.operation, d.option, t.type AS engine_type, o.option IS NOT NULL OR d.option IS NULL AND can.operation IS NOT NULL AS is_supported,
		   CASE WHEN can.operation IS NULL THEN 'the engine cannot do this operation' WHEN d.option IS NOT NULL AND o.option IS NULL THEN 'the engine has no such option' END AS reason,
		   o.engine_name, o.placement, o.value_type, o.minimum, o.maximum, o.allowed, o.default_value, COALESCE(o.description, d.description) AS description
	FROM (SELECT x.operation, x.option, pg_catalog.min(x.description) AS description FROM floe_internal.engine_options() AS x GROUP BY x.operation, x.option
		  UNION ALL
		  SELECT k.operation, NULL, k.description FROM floe_internal.operation_kind AS k) AS d
	CROSS JOIN floe_internal.connection_types() AS t
	LEFT JOIN floe_internal.engine_operations() AS can ON can.engine_type = t.type AND can.operation = d.operation
	LEFT JOIN floe_internal.engine_options() AS o ON o.engine_type = t.type AND o.operation = d.operation AND o.option = d.option
	WHERE t.wrapper = 'floe_engine';
COMMENT ON VIEW floe.engine_option IS 'What every TYPE of engine can do: operation by option by type, whether it is honoured, and with which name, type, range and default; the row without an option is the operation as such';
-- =================================================================================================
-- 92 operating
-- What an operator looks at when floe works by itself: its processes, what waits and for what, what is
-- under way, what is cut off, and how far behind it is.
-- =================================================================================================

CREATE VIEW floe.workers AS
	SELECT w.database, w.worker, w.number, w.state, w.reason, w.pid, w.since, w.next_start_at, w.failures, w.in_flight, w.requests, w.done, w.active_at
	FROM floe_internal.workers() AS w;
COMMENT ON VIEW floe.workers IS 'floe''s background workers in all databases of floe.databases, running or not, and why not. in_flight: tables an assessor looks at, operations an executor follows; requests: HTTP requests under way; done: since the start';

CREATE VIEW floe.queue AS
	SELECT q.operation_id AS id, q.table_name, q.operation, q.state, q.engine, q.by_hand, q.score, q.queued_at,
		   CASE WHEN q.state <> 'queued' THEN NULL
				WHEN d.drained_by IS NOT NULL THEN pg_catalog.concat_ws(': ', 'drained by ' || d.drained_by, d.reason)
				WHEN p.pattern IS NOT NULL THEN pg_catalog.concat_ws(': ', pg_catalog.format('pause of %s by %s', p.pattern, p.paused_by), p.reason)
				WHEN o.operation_id IS NOT NULL THEN pg_catalog.format('operation %s (%s) on the same table', o.operation_id, o.operation)
				WHEN e.drained_at IS NOT NULL THEN pg_catalog.concat_ws(': ', pg_catalog.format('engine "%s" is drained by %s', q.engine, e.drained_by), e.drain_reason)
				WHEN e.retry_at > floe_internal.clock() THEN 'engine cannot be reached: ' || e.error_message
				WHEN q.not_before > floe_internal.clock() THEN 'next attempt' || COALESCE(': ' || q.error_message, '')
				WHEN b.busy >= COALESCE((s.options ->> 'max_operations')::pg_catalog.int4, 2)
					THEN pg_catalog.format('engine is full: %s of %s', b.busy, COALESCE(s.options ->> 'max_operations', '2'))
				ELSE 'its turn' END
			|| CASE WHEN q.state = 'queued' AND q.engines IS NOT NULL THEN pg_catalog.format('; or %s', pg_catalog.array_to_string(q.engines[2:], ', ')) ELSE '' END AS waits_for,
		   CASE WHEN q.state <> 'queued' THEN NULL
				WHEN p.until < 'infinity' THEN p.until
				ELSE NULLIF(NULLIF(GREATEST(q.not_before, u.opens_at, '-infinity'), '-infinity'), 'infinity') END AS not_before,
		   q.dispatched_at, q.started_at, q.timeout_at, q.unreachable_since, q.cancel_requested_by, w.pid AS driver_pid, q.engines, q.engine_reason
	FROM floe_internal.operation_queue AS q
	LEFT JOIN floe_internal.queue_opens(floe_internal.clock()) AS u ON u.operation_id = q.operation_id
	JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
	LEFT JOIN floe_internal.engine AS e ON e.server_name = q.engine AND e.status <> 'removed'
	LEFT JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = q.engine
	LEFT JOIN floe_internal.drain AS d ON true
	LEFT JOIN LATERAL (SELECT x.pattern, x.paused_by, x.reason, x.until FROM floe_internal.pause AS x
					   WHERE x.until > floe_internal.clock() AND floe_internal.match_pattern(x.pattern, t.levels) IS NOT NULL
					   ORDER BY x.until DESC LIMIT 1) AS p ON true
	LEFT JOIN LATERAL (SELECT x.operation_id, x.operation FROM floe_internal.operation_queue AS x
					   WHERE x.table_id = q.table_id AND x.operation_id <> q.operation_id AND (x.state <> 'queued' OR x.position < q.position)
					   ORDER BY x.state = 'queued', x.position LIMIT 1) AS o ON true
	CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS busy FROM floe_internal.operation_queue AS x
						WHERE x.engine = q.engine AND x.state IN ('dispatching', 'running', 'lost')) AS b
	LEFT JOIN floe_internal.pass AS w ON w.pass_id = q.driver_pass AND w.ended_at IS NULL;
COMMENT ON VIEW floe.queue IS 'Operations that have not ended, and what those that are queued wait for; driver_pid: the process that follows it';

CREATE VIEW floe.in_flight AS
	SELECT t.name AS table_name, p.claimed_at AS since, floe_internal.clock() - p.claimed_at AS age, s.kind AS worker, s.pid
	FROM floe_internal.table_poll AS p
	JOIN floe_internal.iceberg_table AS t ON t.table_id = p.table_id
	LEFT JOIN floe_internal.pass AS s ON s.pass_id = p.claim_pass
	WHERE p.claim_pass IS NOT NULL;
COMMENT ON VIEW floe.in_flight IS 'Tables that are being looked at now, since when and by which process';

CREATE VIEW floe.breakers AS
	SELECT 'catalog' AS kind, c.server_name AS name,
		   CASE WHEN c.status <> 'error' THEN 'closed' WHEN c.claim_pass IS NOT NULL OR c.tripped_by = 'probe' OR c.next_list_at <= floe_internal.clock() THEN 'half-open' ELSE 'open' END AS state,
		   c.failures, c.error_since AS since, CASE WHEN c.status = 'error' AND c.tripped_by IS DISTINCT FROM 'probe' THEN c.next_list_at END AS retry_at, c.error_message AS error
	FROM floe_internal.catalog AS c WHERE c.status <> 'removed'
	UNION ALL
	SELECT 'engine', e.server_name,
		   CASE WHEN e.status <> 'error' THEN 'closed' WHEN COALESCE(e.retry_at, '-infinity') <= floe_internal.clock() THEN 'half-open' ELSE 'open' END,
		   e.failures, e.error_since, CASE WHEN e.status = 'error' THEN e.retry_at END, e.error_message
	FROM floe_internal.engine AS e WHERE e.status <> 'removed';
COMMENT ON VIEW floe.breakers IS 'Circuit breakers. closed: it works; open: nothing is sent before retry_at; half-open: the next request tells';

CREATE VIEW floe.lag AS
	SELECT c.server_name AS catalog,
		   (SELECT pg_catalog.count(*) FROM floe_internal.table_poll AS p WHERE p.catalog_id = c.catalog_id AND p.next_poll_at <= floe_internal.clock()) AS tables_due,
		   floe_internal.clock() - (SELECT p.next_poll_at FROM floe_internal.table_poll AS p
			WHERE p.catalog_id = c.catalog_id AND p.next_poll_at <= floe_internal.clock() ORDER BY p.next_poll_at LIMIT 1) AS table_lag,
		   (SELECT pg_catalog.count(*) FROM floe_internal.table_decision AS d JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id
			WHERE t.catalog_id = c.catalog_id AND d.decide_at <= floe_internal.clock()) AS decisions_due,
		   floe_internal.clock() - (SELECT pg_catalog.min(d.decide_at) FROM floe_internal.table_decision AS d JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id
			WHERE t.catalog_id = c.catalog_id AND d.decide_at <= floe_internal.clock()) AS decision_lag,
		   (SELECT pg_catalog.count(*) FROM floe_internal.operation_queue AS q JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
			WHERE t.catalog_id = c.catalog_id AND q.state = 'queued') AS operations_queued,
		   floe_internal.clock() - (SELECT pg_catalog.min(q.queued_at) FROM floe_internal.operation_queue AS q JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
			WHERE t.catalog_id = c.catalog_id AND q.state = 'queued') AS operation_lag
	FROM floe_internal.catalog AS c
	WHERE c.status <> 'removed';
COMMENT ON VIEW floe.lag IS 'How far behind floe is with each catalog: what is due and since when (tables to look at, decisions), and what is queued. NULL: nothing is due';
-- =================================================================================================
-- 95 privileges
-- Nothing is for PUBLIC. floe_viewer reads; floe_operator also acts; floe_admin also edits policies and
-- budgets. floe_internal is for nobody: the functions of floe run as their owner where they need it.
-- =================================================================================================

REVOKE ALL ON ALL TABLES IN SCHEMA floe, floe_internal FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA floe, floe_internal FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA floe, floe_internal FROM PUBLIC;
REVOKE ALL ON SCHEMA floe, floe_internal FROM PUBLIC;

GRANT USAGE ON SCHEMA floe TO floe_viewer;
GRANT SELECT ON ALL TABLES IN SCHEMA floe TO floe_viewer;
GRANT EXECUTE ON FUNCTION floe.effective_policy(pg_catalog.text), floe.matching_tables(pg_catalog.text), floe.health(pg_catalog.text), floe.partition_health(pg_catalog.text),
	floe.why(pg_catalog.text, pg_catalog.bool), floe.plan(pg_catalog.text), floe.debt(pg_catalog.text), floe.status(pg_catalog.text), floe.stats(pg_catalog.interval),
	floe.export_policy(pg_catalog.text), floe.approved_engines(pg_catalog.text) TO floe_viewer;

-- For the owners of policies, whom these look for.
GRANT EXECUTE ON FUNCTION floe.create_policy(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb), floe.alter_policy(pg_catalog.text, pg_catalog.jsonb), floe.drop_policy(pg_catalog.text, pg_catalog.bool),
	floe.import_policy(pg_catalog.jsonb), floe.own_policy(pg_catalog.text, pg_catalog.text), floe.restore_policy(pg_catalog.text, pg_catalog.int4),
	floe.policy_diff(pg_catalog.text, pg_catalog.int4, pg_catalog.int4) TO floe_viewer;

-- Functions inside views are run as whoever reads the view.
GRANT EXECUTE ON FUNCTION floe_internal.clock(), floe_internal.connection_options(), floe_internal.engine_options(), floe_internal.engine_operations(), floe_internal.connection_types(), floe_internal.queue_opens(pg_catalog.timestamptz), floe_internal.workers(), floe_internal.format_name(pg_catalog.text[]),
	floe_internal.match_pattern(pg_catalog.text, pg_catalog.text[]) TO floe_viewer;

GRANT EXECUTE ON FUNCTION floe.trigger(pg_catalog.text, pg_catalog.text[], pg_catalog.jsonb), floe.refresh(pg_catalog.text), floe.notify_commit(pg_catalog.text),
	floe.pause(pg_catalog.text, pg_catalog.timestamptz, pg_catalog.text), floe.resume(pg_catalog.text), floe.drain(pg_catalog.text), floe.undrain(), floe.drain_engine(pg_catalog.text, pg_catalog.text), floe.undrain_engine(pg_catalog.text), floe.cancel(pg_catalog.int8),
	floe.check_catalog(pg_catalog.text), floe.check_engine(pg_catalog.text), floe.watch_catalog(pg_catalog.text), floe.unwatch_catalog(pg_catalog.text), floe.notify_jdbc_commit(),
	floe_internal.jdbc_relation(pg_catalog.text), floe_internal.drop_watch(pg_catalog.regclass, pg_catalog.text),
	floe_internal.put_watch(pg_catalog.regclass, pg_catalog.text, pg_catalog.text) TO floe_operator;
GRANT EXECUTE ON PROCEDURE floe.run_maintenance(pg_catalog.text, pg_catalog.bool) TO floe_operator;
-- Who may CALL it may have pg_cron CALL it as him; whether he may use pg_cron at all, pg_cron decides. What they call runs partly as the caller.
GRANT EXECUTE ON FUNCTION floe.schedule(pg_catalog.text), floe.unschedule(), floe_internal.prepare_schedule(pg_catalog.text, pg_catalog.name), floe_internal.prepare_unschedule(pg_catalog.name),
	floe_internal.tell_pg_cron(pg_catalog.int8, pg_catalog.bool, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.text), floe_internal.end_pg_cron_jobs(pg_catalog.int8[]),
	floe_internal.pg_cron_command() TO floe_operator;

-- All but ids and times: rows that bring those come from a dump.
GRANT DELETE, INSERT (name, pattern, priority, is_enabled, description, engine, poll_interval, min_poll_interval, thresholds, weights, fallback_engines, fallback_after, valid_during, score, locks, owner),
	UPDATE (name, pattern, priority, is_enabled, description, engine, poll_interval, min_poll_interval, thresholds, weights, fallback_engines, fallback_after, valid_during, score, locks, owner) ON floe.policy TO floe_admin;
GRANT DELETE, INSERT (policy_id, operation, is_enabled, engine, schedule, every, timezone, jitter, windows, days, min_interval, conditions, deadline, timeout, max_attempts, slice_bytes, slice_time, quiet_period, resources, options, fallback_engines, fallback_after, auto_tune),
	UPDATE (operation, is_enabled, engine, schedule, every, timezone, jitter, windows, days, min_interval, conditions, deadline, timeout, max_attempts, slice_bytes, slice_time, quiet_period, resources, options, fallback_engines, fallback_after, auto_tune) ON floe.policy_operation TO floe_admin;
GRANT INSERT, UPDATE, DELETE ON floe.budget TO floe_admin;
GRANT DELETE, INSERT (pattern, engines, description), UPDATE (pattern, engines, description) ON floe.engine_approval TO floe_admin;
GRANT UPDATE (warning, critical, weight) ON floe.metric TO floe_admin;
GRANT UPDATE (weight) ON floe.debt_term TO floe_admin;
GRANT DELETE, INSERT (name, conf, description), UPDATE (name, conf, description) ON floe.resource_preset TO floe_admin;
GRANT EXECUTE ON FUNCTION floe.approve_engines(pg_catalog.text, pg_catalog.text[], pg_catalog.text),
	floe.drop_engine_approval(pg_catalog.text) TO floe_admin;

-- What pg_dump carries: what people wrote. What was measured and done stays behind: it belongs to the tables of this database's catalogs.
SELECT pg_catalog.pg_extension_config_dump('floe.policy', '');
SELECT pg_catalog.pg_extension_config_dump('floe.policy_policy_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('floe.policy_operation', '');
SELECT pg_catalog.pg_extension_config_dump('floe.budget', '');
SELECT pg_catalog.pg_extension_config_dump('floe.engine_approval', '');
SELECT pg_catalog.pg_extension_config_dump('floe.metric', 'WHERE is_changed');
SELECT pg_catalog.pg_extension_config_dump('floe.debt_term', 'WHERE is_changed');
SELECT pg_catalog.pg_extension_config_dump('floe.resource_preset', 'WHERE is_changed');
SELECT pg_catalog.pg_extension_config_dump('floe_internal.policy_version', '');
SELECT pg_catalog.pg_extension_config_dump('floe_internal.pause', '');
SELECT pg_catalog.pg_extension_config_dump('floe_internal.pause_pause_id_seq', '');
-- =================================================================================================
-- 99 start
-- The extension is complete: workers that wait for it may begin.
-- =================================================================================================

SELECT floe_internal.announce();
