--
-- What can call: the cheap look leaves out nothing that the gates would let through, on random fleets; and a look at a few tables reads a few.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
CREATE FUNCTION lab.dice(seed text, faces int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || substr(md5(seed), 1, 6))::bit(24)::int % faces $$;
CREATE FUNCTION lab.one_of(seed text, VARIADIC choices text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT choices[1 + lab.dice(seed, cardinality(choices))] $$;
SELECT lab.catalog(), lab.engine();

-- Policies of every way to call: thresholds, conditions on what is stored and on what time changes, deadlines, schedules, and operations that are switched off.
SELECT floe.create_policy('all', '**', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}, "rewrite_manifests": {}, "remove_orphan_files": {}}') > 0 AS made;
SELECT count(floe.create_policy(name, pattern, document)) FROM (VALUES
	('low', 'demo.*.*1', '{"priority": 1, "thresholds": {"excess_file_count": {"warning": 5}, "snapshot_count": {"warning": 2, "critical": 4}, "delete_ratio": {"warning": 0}}}'::jsonb),
	('ages', 'demo.*.*2', '{"priority": 2, "thresholds": {"oldest_snapshot_age": {"warning": "2 days", "critical": "9 days"}, "table_stats_age": {"warning": "1 day", "critical": "9 days"}}, "compute_table_stats": {}}'),
	('lags', 'demo.*.*3', '{"priority": 3, "thresholds": {"table_stats_lag": {"warning": 3, "critical": 9}, "partition_stats_lag": {"warning": 3, "critical": 9}}, "compute_table_stats": {}, "compute_partition_stats": {"deadline": "2 days"}}'),
	('any', 'demo.a.*4', '{"priority": 4, "rewrite_data_files": {"when": {"any": [{"metric": "last_write_age", "op": ">", "value": "3 days"}, {"metric": "delete_ratio", "op": ">=", "value": 0.5}]}}}'),
	('every one', 'demo.*.*5', '{"priority": 5, "expire_snapshots": {"when": {"all": [{"metric": "snapshot_count", "op": ">", "value": 3}, {"metric": "expirable_snapshot_count", "op": "<>", "value": 0}]}}}'),
	('deadline', 'demo.b.*6', '{"priority": 6, "rewrite_data_files": {"deadline": "3 days"}, "rewrite_manifests": {"deadline": "3 days"}, "rewrite_position_delete_files": {"deadline": "1 day"}}'),
	('timetable', 'demo.*.*7', '{"priority": 7, "rewrite_data_files": {"every": "1 hour"}, "expire_snapshots": {"schedule": "0 3 * * *"}, "rewrite_position_delete_files": {"every": "2 days", "jitter": "0"}}'),
	('off', 'demo.*.*8', '{"priority": 8, "rewrite_data_files": {"enabled": false}, "remove_orphan_files": {"every": "1 day", "when": [{"metric": "data_file_count", "value": 500}]}}'),
	('only critical', 'demo.c.*', '{"priority": 9, "thresholds": {"small_file_count": {"critical": 700}, "manifest_count": {"critical": 40}, "dangling_delete_count": {"warning": 1, "critical": 1}}, "rewrite_position_delete_files": {}}'),
	('short', 'demo.b.*', '{"priority": 10, "expire_snapshots": {"options": {"max_snapshot_age": "1 day", "retain_last": 2}}}')) AS v (name, pattern, document);

-- A fleet of one seed: of each metric some unknown, some zero, some near a threshold, some far beyond.
CREATE FUNCTION lab.number(seed text, metric text, near int) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE lab.dice(seed || metric || 'kind', 8) WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN near WHEN 3 THEN near - 1 WHEN 4 THEN near * 20 ELSE lab.dice(seed || metric, GREATEST(1, near / 2)) END
$$;
CREATE FUNCTION lab.fleet(seed text, tables int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	now timestamptz := floe_internal.clock();
BEGIN
	PERFORM lab.list_tables('demo', VARIADIC ARRAY(SELECT format('demo.%s.%s%s', lab.one_of('s' || i, 'a', 'b', 'c'), seed, i) FROM generate_series(1, tables) AS i));
	UPDATE floe_internal.iceberg_table AS t SET status = 'ok', metadata_location = 'm', current_snapshot_id = n.snapshots, location = 's3://lake/' || t.name, location_key = 's3://lake/' || t.name, assessed_at = now,
			properties = CASE lab.dice(t.name || 'p', 6) WHEN 0 THEN '{"history.expire.max-snapshot-age-ms": "3600000"}' WHEN 1 THEN '{"gc.enabled": "false"}' ELSE '{}' END::jsonb,
			refs = jsonb_build_array(jsonb_build_object('name', 'main', 'type', 'branch', 'snapshot_id', n.snapshots)), specs = '[]', manifest_ids = '{}', first_seen_at = now - lab.dice(t.name || 'f', 20) * interval '1 day',
			details = jsonb_build_object('snapshot_count', n.snapshots), snapshots = lab.snapshots(ARRAY(SELECT now - (n.snapshots - i + 1) * n.gap FROM generate_series(1, n.snapshots) AS i))
		FROM (SELECT x.table_id, 1 + lab.dice(x.name || 'n', 12) AS snapshots, interval '1 hour' * (1 + lab.dice(x.name || 'g', 40)) AS gap FROM floe_internal.iceberg_table AS x WHERE x.table_name LIKE seed || '%') AS n
		WHERE t.table_id = n.table_id;
	INSERT INTO floe_internal.health (table_id, assessed_at, target_file_bytes, small_below_bytes, oversized_above_bytes, min_input_files, is_complete, is_inexact, excess_file_count, small_file_count, data_file_count, data_bytes,
			small_file_bytes, record_count, delete_ratio, equality_delete_file_count, position_delete_file_count, excess_delete_file_count, deletion_vector_count, dangling_delete_count, manifest_count, excess_manifest_count,
			deleted_entry_count, manifest_spread, snapshot_count, oldest_snapshot_at, newest_snapshot_at, last_write_at, commit_interval, table_stats_lag, table_stats_at, partition_stats_lag, partition_stats_at)
		SELECT t.table_id, now, z.target_bytes, z.small_below, z.oversized_above, z.min_input_files, true, false, lab.number(t.name, 'e', 100), lab.number(t.name, 's', 700), lab.number(t.name, 'd', 500), 1e9, 1e8, 1e6,
			(lab.number(t.name, 'r', 20) / 100.0), lab.number(t.name, 'q', 20), lab.number(t.name, 'o', 50), lab.number(t.name, 'x', 50), lab.number(t.name, 'v', 5), lab.number(t.name, 'l', 20), lab.number(t.name, 'm', 40),
			lab.number(t.name, 'c', 50), lab.number(t.name, 'k', 9), lab.number(t.name, 'w', 3), (t.details ->> 'snapshot_count')::bigint, h.oldest, h.newest, h.newest - lab.dice(t.name || 'a', 6) * interval '1 day', 3600,
			lab.number(t.name, 't', 3), now - lab.dice(t.name || 'ta', 12) * interval '1 day', lab.number(t.name, 'u', 3), now - lab.dice(t.name || 'ua', 12) * interval '1 day'
		FROM floe_internal.iceberg_table AS t CROSS JOIN LATERAL floe_internal.size_limits(t.table_id, t.properties) AS z
		CROSS JOIN LATERAL (SELECT min(s.committed_at) AS oldest, max(s.committed_at) AS newest FROM floe_internal.snapshot_list(t.snapshots) AS s) AS h
		WHERE t.table_name LIKE seed || '%';
	PERFORM floe_internal.sync_schedules(ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t), now);
	INSERT INTO floe_internal.table_operation AS x (table_id, operation, last_run_at, last_success_at, last_state, slices_left)
		SELECT t.table_id, k.operation, r.at, r.at, 'succeeded', CASE WHEN k.operation = 'rewrite_data_files' AND lab.dice(t.name || 'left', 30) = 0 THEN 3 ELSE 0 END
		FROM floe_internal.iceberg_table AS t CROSS JOIN floe_internal.operation_kind AS k CROSS JOIN LATERAL (SELECT now - lab.dice(t.name || k.operation, 300) * interval '1 hour' AS at) AS r
		WHERE t.table_name LIKE seed || '%' AND lab.dice(t.name || k.operation || 'ran', 3) > 0
		ON CONFLICT (table_id, operation) DO UPDATE SET last_run_at = EXCLUDED.last_run_at, last_success_at = EXCLUDED.last_success_at, last_state = EXCLUDED.last_state, slices_left = EXCLUDED.slices_left;
	RETURN (SELECT count(*) FROM floe_internal.health);
END $$;

-- What is called and what the gates say of everything, some time later. lost: nothing calls for it, and yet it would run, or only what holds it back kept it from that.
-- other: a verdict that is another one when only what is called is asked for.
CREATE FUNCTION lab.compare(seed text, later interval, OUT called bool, OUT more_is_not bool, OUT runs bool, OUT kinds text, OUT lost text, OUT other text) LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[] := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t WHERE t.table_name LIKE seed || '%' ORDER BY 1);
	at timestamptz := lab.later(compare.later);
	calls floe_internal.call[];
BEGIN
	PERFORM floe_internal.sync_schedules(ids, at);
	calls := ARRAY(SELECT c FROM floe_internal.calls(ids, at) AS c);
	CREATE TEMP TABLE everything ON COMMIT DROP AS SELECT * FROM floe_internal.decide(ids, at, false, NULL, true);
	SELECT count(*) > 50, count(*) * 2 < 7 * cardinality(ids), string_agg(DISTINCT c.operation, ' ') INTO called, more_is_not, kinds FROM unnest(calls) AS c;
	runs := (SELECT count(*) > 30 FROM everything AS e WHERE e.verdict = 'run');
	lost := (SELECT string_agg(format('%s %s %s', t.name, e.operation, e.reasons), E'\n') FROM everything AS e JOIN floe_internal.iceberg_table AS t ON t.table_id = e.table_id
		WHERE NOT EXISTS (SELECT 1 FROM unnest(calls) AS c WHERE c.table_id = e.table_id AND c.operation = e.operation)
		  AND (e.verdict = 'run' OR NOT EXISTS (SELECT 1 FROM jsonb_array_elements(e.reasons) AS r WHERE r ->> 'status' IN ('off', 'not needed') OR r ->> 'gate' = 'schedule' AND r ->> 'status' = 'wait')));
	other := (SELECT string_agg(format('%s %s: %s, alone %s', e.table_id, e.operation, e.verdict, f.verdict), E'\n') FROM unnest(calls) AS c
		JOIN everything AS e ON e.table_id = c.table_id AND e.operation = c.operation
		LEFT JOIN floe_internal.decide(ids, at, false, NULL, true, calls) AS f ON f.table_id = c.table_id AND f.operation = c.operation
		WHERE e IS DISTINCT FROM f);
	DROP TABLE everything;
	PERFORM lab.later(- compare.later);
END $$;
SELECT lab.fleet('x', 300);
SELECT later, c.* FROM (VALUES ('0'::interval), ('5 hours'), ('3 days'), ('20 days')) AS v (later) CROSS JOIN LATERAL lab.compare('x', v.later) AS c ORDER BY later;

-- ---- a look at a few tables reads a few ----

SELECT lab.fleet('y', 4000);
SELECT floe_internal.plan_and_queue('demo.*.y1*') > 0 AS queued;
ANALYZE;
-- Tables of which all rows were read, by a pass over five; the first one makes the plans.
CREATE FUNCTION lab.reads(statement text) RETURNS TABLE (what text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	CREATE TEMP TABLE before ON COMMIT DROP AS SELECT s.relname, s.seq_tup_read FROM pg_stat_xact_all_tables AS s WHERE s.schemaname = 'floe_internal';
	EXECUTE statement;
	RETURN QUERY SELECT format('%s: %s rows', s.relname, s.seq_tup_read - b.seq_tup_read) FROM pg_stat_xact_all_tables AS s JOIN before AS b USING (relname)
		WHERE s.relname IN ('iceberg_table', 'health', 'table_operation', 'table_poll', 'policy_match', 'manifest') AND s.seq_tup_read - b.seq_tup_read > 1000 ORDER BY 1;
	DROP TABLE before;
END $$;
SELECT n, lab.reads(statement) FROM (VALUES (1, $$SELECT count(*) FROM floe_internal.calls(ARRAY[lab.id('demo.a.y16'), 700, 900, 1100], floe_internal.clock())$$),
	(2, $$SELECT floe_internal.plan_tables('{500,700,900,1100,1300}', floe_internal.clock())$$), (3, $$SELECT count(*) FROM floe_internal.decide('{500,700}', floe_internal.clock(), false, NULL)$$),
	(4, $$SELECT floe_internal.decide_soon('{500,700,900}'), floe_internal.plan_due(100)$$), (5, $$SELECT count(*) FROM floe_internal.iceberg_table AS t, LATERAL floe.why(t.name) WHERE t.table_id = 900$$),
	-- so much for the means
	(6, $$SELECT count(*) FROM floe_internal.health AS h WHERE h.data_file_count = 3$$)) AS v (n, statement) ORDER BY n;
