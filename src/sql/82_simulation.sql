-- =================================================================================================
-- 82 simulation: what it stands on
-- floe.simulate() replays stored health and commits under another policy. It decides by the functions that the scheduler decides
-- by, and these read floe's tables. So the tables themselves are put back to the time it begins with and led through the time since,
-- with floe.virtual_clock as the clock, in a subtransaction that always ends with a rollback; its results are in variables, which
-- survive that. A copy of the decision code over tables of its own would hold nobody up, but would be a second implementation from the
-- first change on that one of the two does not get. What this way costs: until it ends, the tables simulated are locked, so what
-- is measured or done with them meanwhile waits, and no plan is made. So it is bounded by a pattern, and by a time after which it gives up; it waits
-- for locks in the order in which passes take them, and not for long. Dead rows stay for autovacuum.
-- Here: the little history that nothing else keeps, and the tables it works with, which are empty for everybody else.
-- =================================================================================================

CREATE TABLE floe_internal.pause_past (
	pattern		pg_catalog.text NOT NULL,
	is_drain	pg_catalog.bool NOT NULL,
	reason		pg_catalog.text,
	paused_by	pg_catalog.text NOT NULL,
	paused_at	pg_catalog.timestamptz NOT NULL,
	ended_at	pg_catalog.timestamptz NOT NULL
);
CREATE INDEX pause_past_ended ON floe_internal.pause_past (ended_at);
COMMENT ON TABLE floe_internal.pause_past IS 'Pauses and drains that are over: a simulation must know when nothing could run; kept for floe.health_history_retention';
COMMENT ON COLUMN floe_internal.pause_past.is_drain IS 'floe.drain(): of everything';

CREATE FUNCTION floe_internal.pause_ended() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.pause_past (pattern, is_drain, reason, paused_by, paused_at, ended_at)
		SELECT o.pattern, false, o.reason, o.paused_by, o.paused_at, LEAST(o.until, floe_internal.clock()) FROM old_rows AS o;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.pause_ended() IS 'Trigger: keeps pauses that are over';

CREATE FUNCTION floe_internal.drain_ended() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.pause_past (pattern, is_drain, reason, paused_by, paused_at, ended_at)
		SELECT '**', true, o.reason, o.drained_by, o.drained_at, floe_internal.clock() FROM old_rows AS o;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.drain_ended() IS 'Trigger: keeps drains that are over';

CREATE TRIGGER pause_ended AFTER DELETE ON floe_internal.pause
	REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.pause_ended();
CREATE TRIGGER drain_ended AFTER DELETE ON floe_internal.drain
	REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.drain_ended();

CREATE TABLE floe_internal.operation_effect (
	operation	pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	metric		pg_catalog.text NOT NULL,
	basis		pg_catalog.text NOT NULL,
	ratio		pg_catalog.float8 NOT NULL,
	PRIMARY KEY (operation, metric)
);
COMMENT ON TABLE floe_internal.operation_effect IS 'What a simulated operation changes: basis times ratio; the ratio is the one here only as long as no past run has shown another';
COMMENT ON COLUMN floe_internal.operation_effect.basis IS 'The metric whose value before the operation the effect is proportional to';

INSERT INTO floe_internal.operation_effect VALUES
	('rewrite_data_files', 'excess_file_count', 'excess_file_count', -1),
	('rewrite_data_files', 'data_file_count', 'excess_file_count', -1),
	('rewrite_data_files', 'small_file_count', 'small_file_count', -1),
	('rewrite_data_files', 'small_file_bytes', 'small_file_bytes', -1),
	('rewrite_data_files', 'position_delete_file_count', 'position_delete_file_count', 0),
	('rewrite_data_files', 'position_delete_row_count', 'position_delete_row_count', 0),
	('rewrite_data_files', 'equality_delete_file_count', 'equality_delete_file_count', 0),
	('rewrite_data_files', 'equality_delete_row_count', 'equality_delete_row_count', 0),
	('rewrite_data_files', 'delete_bytes', 'delete_bytes', 0),
	('rewrite_position_delete_files', 'excess_delete_file_count', 'excess_delete_file_count', -1),
	('rewrite_position_delete_files', 'position_delete_file_count', 'excess_delete_file_count', -1),
	('rewrite_position_delete_files', 'dangling_delete_count', 'dangling_delete_count', -1),
	('rewrite_manifests', 'excess_manifest_count', 'excess_manifest_count', -1),
	('rewrite_manifests', 'manifest_count', 'excess_manifest_count', -1),
	('compute_table_stats', 'table_stats_lag', 'table_stats_lag', -1),
	('compute_partition_stats', 'partition_stats_lag', 'partition_stats_lag', -1);

CREATE TABLE floe_internal.simulated_table (
	table_id	pg_catalog.int8 PRIMARY KEY,
	known_at	pg_catalog.timestamptz NOT NULL,
	gone_at		pg_catalog.timestamptz NOT NULL,
	difference	pg_catalog.jsonb NOT NULL DEFAULT '{}',
	changed_at	pg_catalog.timestamptz,
	decide_at	pg_catalog.timestamptz NOT NULL DEFAULT 'infinity'
) WITH (fillfactor = 70);
COMMENT ON TABLE floe_internal.simulated_table IS 'Tables of a simulation; always empty for others';
COMMENT ON COLUMN floe_internal.simulated_table.known_at IS 'Its first stored health';
COMMENT ON COLUMN floe_internal.simulated_table.gone_at IS 'When it was dropped; infinity: it was not';
COMMENT ON COLUMN floe_internal.simulated_table.difference IS 'Metrics as simulated minus metrics as stored, where they are not the same';
COMMENT ON COLUMN floe_internal.simulated_table.changed_at IS 'When its metrics last changed, as simulated';
COMMENT ON COLUMN floe_internal.simulated_table.decide_at IS 'As in floe_internal.table_decision';

CREATE TABLE floe_internal.simulated_past (LIKE floe_internal.operation_log, is_own pg_catalog.bool NOT NULL);
CREATE INDEX simulated_past_finished ON floe_internal.simulated_past (finished_at);
CREATE INDEX simulated_past_table ON floe_internal.simulated_past (table_id, operation, queued_at);
COMMENT ON TABLE floe_internal.simulated_past IS 'Operations that really ended since, or are still under way, while a simulation has them out of the log; always empty for others';
COMMENT ON COLUMN floe_internal.simulated_past.is_own IS 'Of a table that is simulated';

CREATE TABLE floe_internal.simulated_run (
	operation_id	pg_catalog.int8 PRIMARY KEY,
	table_id		pg_catalog.int8 NOT NULL,
	real_id			pg_catalog.int8 UNIQUE,
	is_counted		pg_catalog.bool NOT NULL,
	starts_at		pg_catalog.timestamptz,
	ends_at			pg_catalog.timestamptz
);
COMMENT ON TABLE floe_internal.simulated_run IS 'Operations of a simulation; always empty for others';
COMMENT ON COLUMN floe_internal.simulated_run.real_id IS 'The operation that was really queued for the same table at about this time: it ends as that did; NULL: there was none';
COMMENT ON COLUMN floe_internal.simulated_run.is_counted IS 'False: it was queued before the time that is simulated';
COMMENT ON COLUMN floe_internal.simulated_run.starts_at IS 'NULL: as soon as its engine has a place';

CREATE TABLE floe_internal.simulated_commit (
	table_id		pg_catalog.int8 NOT NULL,
	snapshot_id		pg_catalog.int8 NOT NULL,
	committed_at	pg_catalog.timestamptz NOT NULL,
	operation		pg_catalog.text NOT NULL,
	real_id			pg_catalog.int8,
	PRIMARY KEY (table_id, snapshot_id)
);
CREATE INDEX simulated_commit_time ON floe_internal.simulated_commit (table_id, committed_at);
COMMENT ON TABLE floe_internal.simulated_commit IS 'Snapshots of the tables of a simulation, those to come as well; always empty for others';
COMMENT ON COLUMN floe_internal.simulated_commit.real_id IS 'The operation that really made it: it counts only when the simulation has that, too';

CREATE TABLE floe_internal.simulated_ratio (
	table_id	pg_catalog.int8 NOT NULL,
	operation	pg_catalog.text NOT NULL,
	metric		pg_catalog.text NOT NULL,
	ratio		pg_catalog.float8 NOT NULL,
	PRIMARY KEY (operation, metric, table_id)
);
COMMENT ON TABLE floe_internal.simulated_ratio IS 'Effects that past runs have shown, during a simulation; always empty for others';
COMMENT ON COLUMN floe_internal.simulated_ratio.table_id IS '0: median of all tables';

CREATE TYPE floe_internal.simulation_row AS (
	part pg_catalog.text, starts_at pg_catalog.timestamptz, table_name pg_catalog.text, operation pg_catalog.text,
	actual_operations pg_catalog.int8, simulated_operations pg_catalog.int8, actual_gb_hours pg_catalog.float8, simulated_gb_hours pg_catalog.float8,
	actual_bytes pg_catalog.float8, simulated_bytes pg_catalog.float8, actual_files pg_catalog.int8, simulated_files pg_catalog.int8,
	actual_excess_files pg_catalog.int8, simulated_excess_files pg_catalog.int8, actual_snapshots pg_catalog.int8, simulated_snapshots pg_catalog.int8, told pg_catalog.text
);
COMMENT ON TYPE floe_internal.simulation_row IS 'A row of floe.simulate()';

CREATE FUNCTION floe_internal.set_clock(at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM set_config('floe.virtual_clock', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00', true);
END
$body$;
COMMENT ON FUNCTION floe_internal.set_clock(pg_catalog.timestamptz) IS 'Time as simulated, until the subtransaction is rolled back';

-- Of what can be added up: counts and bytes that are measured.
CREATE FUNCTION floe_internal.add_metrics(a pg_catalog.jsonb, b pg_catalog.jsonb, factor pg_catalog.float8) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.jsonb_object_agg(x.name, x.total) FILTER (WHERE x.total <> 0), '{}')
	FROM (SELECT m.name, COALESCE((a ->> m.name)::pg_catalog.float8, 0) + factor * COALESCE((b ->> m.name)::pg_catalog.float8, 0) AS total
		  FROM floe.metric AS m WHERE m.unit IN ('count', 'bytes', 'rows') AND m.source <> 'clock' AND m.name NOT IN ('average_file_bytes', 'stat_column_count') AND (a ? m.name OR b ? m.name)) AS x;
END;
COMMENT ON FUNCTION floe_internal.add_metrics(pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.float8) IS 'a plus factor times b, metric by metric, without those that are zero';
