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

-- For many tables: each pattern is parsed once, and each name taken apart once.
CREATE FUNCTION floe_internal.match_patterns(patterns pg_catalog.text[], levels pg_catalog.text[], OUT place pg_catalog.int4, OUT specificity pg_catalog.int4) RETURNS SETOF pg_catalog.record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 5
	AS 'MODULE_PATHNAME', 'floe_sql_match_patterns';
COMMENT ON FUNCTION floe_internal.match_patterns(pg_catalog.text[], pg_catalog.text[]) IS 'Those of some patterns that match these levels, by their place in the array (from 1), as floe_internal.match_pattern() says it; NULL matches nothing';

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
	needs_paths					pg_catalog.bool,
	rewrite_file_count			pg_catalog.int8,
	rewrite_bytes				pg_catalog.int8
);
COMMENT ON TYPE floe_internal.manifest_totals IS 'Metrics that a merge over manifest aggregates yields; NULL: unknown. is_inexact: a size threshold fell inside a histogram bucket. needs_paths: dangling deletes need data manifests read again with file paths. rewrite_file_count, rewrite_bytes: what bin-packing would read';

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

CREATE FUNCTION floe_internal.encode_snapshots(ids pg_catalog.int8[], committed_at pg_catalog.timestamptz[], operations pg_catalog.text[]) RETURNS pg_catalog.bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_encode_snapshots';
COMMENT ON FUNCTION floe_internal.encode_snapshots(pg_catalog.int8[], pg_catalog.timestamptz[], pg_catalog.text[]) IS 'The reverse of snapshot_list() for one branch without counters, oldest first: for floe.simulate()';

CREATE FUNCTION floe_internal.expirable(encoded pg_catalog.bytea, refs pg_catalog.jsonb, current_snapshot_id pg_catalog.int8,
		max_snapshot_age pg_catalog.interval, min_snapshots_to_keep pg_catalog.int4, max_ref_age pg_catalog.interval, at pg_catalog.timestamptz,
		OUT snapshot_count pg_catalog.int4, OUT ref_count pg_catalog.int4,
		OUT oldest_at pg_catalog.timestamptz, OUT next_at pg_catalog.timestamptz, OUT freed_files pg_catalog.int8, OUT freed_bytes pg_catalog.int8)
	RETURNS pg_catalog.record
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_expirable';
COMMENT ON FUNCTION floe_internal.expirable(pg_catalog.bytea, pg_catalog.jsonb, pg_catalog.int8, pg_catalog.interval, pg_catalog.int4, pg_catalog.interval, pg_catalog.timestamptz)
	IS 'What expire_snapshots would remove with this retention at this time (Iceberg RemoveSnapshots); oldest_at: oldest of those; next_at: when the answer grows next without a new commit; freed_files, freed_bytes: what the children of those took out of the table, as far as their summaries say it, and what so nobody refers to any more (too much where a tag or branch keeps an older snapshot)';

CREATE FUNCTION floe_internal.expirable_bytes(encoded pg_catalog.bytea, refs pg_catalog.jsonb, current_snapshot_id pg_catalog.int8,
		max_snapshot_age pg_catalog.interval, min_snapshots_to_keep pg_catalog.int4, max_ref_age pg_catalog.interval, at pg_catalog.timestamptz)
	RETURNS pg_catalog.int8
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_expirable_bytes';
COMMENT ON FUNCTION floe_internal.expirable_bytes(pg_catalog.bytea, pg_catalog.jsonb, pg_catalog.int8, pg_catalog.interval, pg_catalog.int4, pg_catalog.interval, pg_catalog.timestamptz)
	IS 'Bytes that only snapshots hold which expire_snapshots would remove, at least, by the summaries of the snapshots that took the files out; NULL: a summary does not say';

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

