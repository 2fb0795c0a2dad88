--
-- Forecasts against trends worked out by hand, without the jumps of maintenance; waste and its price; the fleet's views and totals.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '

-- ---- the trend ----

SELECT v.told, t.slope, round(t.confidence::numeric, 3) AS confidence FROM (VALUES
	('nothing', '{}'::float8[], '{}'::float8[]), ('one', '{1}', '{5}'), ('two', '{0,2}', '{5,9}'), ('a line', '{0,1,2,3}', '{1,3,5,7}'), ('falling', '{0,1,2,3}', '{7,5,3,1}'), ('flat', '{0,1,2,3}', '{4,4,4,4}'),
	('an outlier does not move it', '{0,1,2,3,4,5}', '{0,1,2,300,4,5}'), ('stairs', '{0,1,2,3,4,5}', '{0,0,2,2,4,4}'), ('up and down', '{0,1,2,3}', '{0,1,0,1}'), ('no time between', '{1,1,1}', '{1,2,3}'),
	('uneven', '{0,10,11,30}', '{0,20,22,60}'), ('late rise', '{0,1,2,3,4}', '{0,0,0,0,9}')) AS v (told, x, y), LATERAL floe_internal.trend(v.x, v.y) AS t;

-- ---- forecasts ----

SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}}') AS policy;
SELECT lab.assess('demo.db.t');
-- One metric in the past, a look every so often, the last one now; others are as they are.
CREATE FUNCTION lab.series(name text, metric text, looks float8[], step interval DEFAULT '1 day') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM floe_internal.health_history AS h WHERE h.table_id = lab.id(name);
	INSERT INTO floe_internal.health_history SELECT (jsonb_populate_record(h, jsonb_build_object('assessed_at', floe_internal.clock() - step * (cardinality(looks) - l.n)::int, metric, l.value))).*
		FROM floe_internal.health AS h, unnest(looks) WITH ORDINALITY AS l (value, n) WHERE h.table_id = lab.id(name);
	PERFORM lab.measure(name, jsonb_build_object(metric, looks[cardinality(looks)]));
END $$;
CREATE FUNCTION lab.ran(name text, operation text, started_at timestamptz, ended_at timestamptz) RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, started_at, engine_ended_at, finished_at, outcome)
	VALUES (lab.id(name), name, operation, 'succeeded', false, 'floe', 'spark', '{}', '', '{}', '[]', started_at, started_at, ended_at, ended_at, 'succeeded')
$$;
CREATE TABLE lab.case (n int GENERATED ALWAYS AS IDENTITY, told text, setup text, per_day float8, warning_in interval, critical_in interval);
-- excess_file_count: warning at 100, critical at 1000; it is noon
INSERT INTO lab.case (told, setup, per_day, warning_in, critical_in) VALUES
	('ten a day, sixty now', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,30,40,50,60}')$$, 10, '4 days', '94 days'),
	('... every hour', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,30,40,50,60}', '1 hour')$$, 240, '4 hours', '94 hours'),
	('beyond the warning already', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{110,120,130,140,150}')$$, 10, NULL, '85 days'),
	('just at it', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{60,70,80,90,100}')$$, 10, NULL, '90 days'),
	('beyond both', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{1100,1200,1300,1400,1500}')$$, 100, NULL, NULL),
	('flat', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{50,50,50,50,50}')$$, 0, NULL, NULL),
	('improving', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{90,80,70,60,50}')$$, -10, NULL, NULL),
	('three looks are too few', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{40,50,60}')$$, NULL, NULL, NULL),
	('four are enough', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{30,40,50,60}')$$, 10, '4 days', '94 days'),
	('no history at all', $$DELETE FROM floe_internal.health_history$$, NULL, NULL, NULL),
	('older than asked for', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,30,40,50,60}', '20 days')$$, NULL, NULL, NULL),
	('so slow that it takes years', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{0,0,0,0,1}')$$, 0, NULL, NULL),
	('slow: the warning within a year, critical not', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,21,22,23,24}')$$, 1, '76 days', NULL),
	('a look that failed to see is left out', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,30,NULL,50,60}')$$, 10, '4 days', '94 days'),
	('one wild look', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,30,940,50,60}')$$, 10, '4 days', '94 days'),
	('a sawtooth, of whom nobody knows: no trend', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{0,30,60,0,30,60,0,30,60}')$$, 15 / 7.0, NULL, NULL),
	('... whose teeth are floe''s: thirty a day', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{0,30,60,0,30,60,0,30,60}'), lab.ran('demo.db.t', 'rewrite_data_files', floe_internal.clock() - interval '5 days 2 hours', floe_internal.clock() - interval '5 days 1 hour'),
		lab.ran('demo.db.t', 'rewrite_data_files', floe_internal.clock() - interval '2 days 2 hours', floe_internal.clock() - interval '2 days 1 hour')$$, 30, '32 hours', '31 days 8 hours'),
	('... or somebody else''s', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{0,30,60,0,30,60,0,30,60}');
		INSERT INTO floe_internal.external_operation (table_id, table_name, operation, snapshot_ids, done_at, seen_at, is_run, before, after)
			SELECT lab.id('demo.db.t'), 'demo.db.t', 'rewrite_data_files', '{}', floe_internal.clock() - d, floe_internal.clock(), true, '{}', '{}' FROM unnest(ARRAY[interval '5 days 1 hour', interval '2 days 1 hour']) AS d$$, 30, '32 hours', '31 days 8 hours'),
	('an operation of another table', $$SELECT lab.assess('demo.db.other'), lab.series('demo.db.t', 'excess_file_count', '{0,30,60,0,30,60,0,30,60}'), lab.ran('demo.db.other', 'rewrite_data_files', floe_internal.clock() - interval '5 days 2 hours', floe_internal.clock() - interval '5 days 1 hour')$$, 15 / 7.0, NULL, NULL),
	('one that was over before the look', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,30,40,50,60}'), lab.ran('demo.db.t', 'expire_snapshots', floe_internal.clock() - interval '10 days', floe_internal.clock() - interval '9 days')$$, 10, '4 days', '94 days'),
	('nothing changed since the last look', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,30,40,50,60}'); UPDATE floe_internal.health_history SET assessed_at = assessed_at - interval '4 days'; UPDATE floe_internal.health SET assessed_at = assessed_at - interval '4 days'$$, 10, '4 days', '94 days'),
	('thresholds of a policy', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,30,40,50,60}'), floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 70, "critical": 80}}}')$$, 10, '1 day', '2 days'),
	('an unknown value now', $$SELECT lab.series('demo.db.t', 'excess_file_count', '{20,30,40,50,60}'), lab.measure('demo.db.t', '{"excess_file_count": null}')$$, NULL, NULL, NULL);
CREATE FUNCTION lab.forecast(setup text, OUT per_day text, OUT confidence text, OUT samples text, OUT warning_at timestamptz, OUT critical_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE setup;
		SELECT round(f.per_day::numeric, 2), f.confidence, f.samples, f.warning_at, f.critical_at INTO per_day, confidence, samples, warning_at, critical_at FROM floe.forecast('demo.db.t') AS f WHERE f.metric = 'excess_file_count';
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
END $$;
SELECT c.n, c.told, f.per_day, f.confidence, f.samples, f.warning_at, f.critical_at,
	   (f.warning_at, f.critical_at) IS NOT DISTINCT FROM (floe_internal.clock() + c.warning_in, floe_internal.clock() + c.critical_in) AND f.per_day::float8 IS NOT DISTINCT FROM round(c.per_day::numeric, 2)::float8 AS as_by_hand
FROM lab.case AS c, LATERAL lab.forecast(c.setup) AS f ORDER BY c.n;
-- never a time in the past
SELECT count(*) AS past FROM lab.case AS c, LATERAL lab.forecast(c.setup) AS f WHERE f.warning_at <= floe_internal.clock() OR f.critical_at <= floe_internal.clock();
-- many looks are thinned; of hundreds what remains has the same trend
SELECT samples, per_day, confidence FROM lab.forecast($$SELECT lab.series('demo.db.t', 'excess_file_count', ARRAY(SELECT (n / 5)::float8 FROM generate_series(1, 400) AS n), '1 hour')$$);

-- ---- waste ----

SELECT lab.assess('demo.db.t', files => 40, file_bytes => 1000000, manifests => 2, position_deletes => 10);
SELECT * FROM floe.waste;
SELECT floe_internal.refresh_outlook(100);
-- 39 of 40 files would go, and 30000 bytes of manifests are for 40; no orphans were looked for
SELECT table_name, expirable_bytes, delete_bytes, orphan_bytes_estimated, small_file_overhead_bytes, waste_bytes, price_per_month, currency FROM floe.waste;
SELECT lab.measure('demo.db.t', '{"delete_bytes": 1073741824, "manifest_bytes": null}'), floe_internal.compute_outlook(ARRAY[lab.id('demo.db.t')], floe_internal.clock());
SELECT expirable_bytes, delete_bytes, orphan_bytes_estimated, small_file_overhead_bytes, waste_bytes, price_per_month FROM floe.waste;
UPDATE floe.rate SET price = 0.5, currency = 'EUR' WHERE name = 'storage';
SELECT waste_bytes, price_per_month, currency FROM floe.waste;
UPDATE floe.rate SET price = NULL WHERE name = 'storage';
SELECT waste_bytes, price_per_month, currency FROM floe.waste;
UPDATE floe.rate SET price = 0.023, currency = 'USD' WHERE name = 'storage';
-- 70 orphans in the seven days between the last two runs; three days later that is 30 files of the table's average size
INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, started_at, engine_ended_at, finished_at, outcome, effect)
	SELECT lab.id('demo.db.t'), 'demo.db.t', 'remove_orphan_files', 'succeeded', false, 'floe', 'spark', '{}', '', '{}', '[]', at, at, at, at, 'succeeded', jsonb_build_object('orphan_files_removed', n)
	FROM (VALUES ('2026-02-13 12:00+00'::timestamptz, 9), ('2026-02-20 12:00+00', 5), ('2026-02-27 12:00+00', 70)) AS v (at, n);
INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at) VALUES (lab.id('demo.db.t'), 'remove_orphan_files', '2026-02-27 12:00+00', '2026-02-27 12:00+00');
SELECT floe_internal.compute_outlook(ARRAY[lab.id('demo.db.t')], floe_internal.clock());
SELECT orphan_bytes_estimated, waste_bytes FROM floe.waste;

-- ---- the fleet ----

SELECT lab.assess('demo.db.worst', files => 5000, file_bytes => 1000), lab.assess('demo.db.bad', files => 300, file_bytes => 1000), lab.assess('demo.db.good'), lab.assess('demo.db.gone', files => 9000, file_bytes => 1000);
SELECT lab.assess('demo.db.late', snapshots => 40, snapshot_gap => '1 day');
SELECT lab.series('demo.db.good', 'excess_file_count', '{20,30,40,50,60}');
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.worst', 'demo.db.bad', 'demo.db.good', 'demo.db.late') AS listed;
-- in portions; then there is nothing to do
SELECT floe_internal.refresh_outlook(2), floe_internal.refresh_outlook(2), floe_internal.refresh_outlook(100), floe_internal.refresh_outlook(100);
SELECT table_name, round(severity::numeric, 3) AS severity, level, metric, value, warning, operation, deadline_lag, deadline_operation, last_success, forecast_metric, forecast_level, forecast_at, forecast_confidence FROM floe.fleet ORDER BY severity DESC NULLS LAST, table_name;
-- a deadline that is missed, by how much; one that has been met since
SELECT lab.later('8 days');
SELECT table_name, deadline_operation, deadline_at, deadline_lag FROM floe.fleet WHERE deadline_lag IS NOT NULL;
INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at) VALUES (lab.id('demo.db.late'), 'expire_snapshots', floe_internal.clock(), floe_internal.clock());
SELECT floe_internal.refresh_outlook(100);
SELECT table_name, deadline_operation, deadline_at, deadline_lag, last_success FROM floe.fleet WHERE table_name = 'demo.db.late';
-- what changed is computed anew, an hour after the last time at the earliest
SELECT lab.assess('demo.db.bad', files => 2000, file_bytes => 1000), floe_internal.refresh_outlook(100);
SELECT level FROM floe.fleet WHERE table_name = 'demo.db.bad';
SELECT lab.later('1 hour'), floe_internal.refresh_outlook(100);
SELECT level, computed_at FROM floe.fleet WHERE table_name = 'demo.db.bad';
-- and everything after six hours, by the purge
SELECT count(*) AS due FROM floe_internal.table_outlook WHERE due_at <= floe_internal.clock() + interval '5 hours';
SELECT lab.later('6 hours'), floe_internal.purge(1000);
SELECT count(*) AS due FROM floe_internal.table_outlook WHERE due_at <= floe_internal.clock();
SELECT day, measured_at, tables, tables_warning, tables_critical, tables_overdue, data_file_count, excess_file_count, snapshot_count, delete_bytes, orphan_bytes_estimated, waste_per_month, currency FROM floe.fleet_history ORDER BY day;
-- the worst are one look into an index, whatever their number
CREATE FUNCTION lab.scans(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
		IF line ~ 'table_outlook|Sort' THEN
			RETURN NEXT trim(line);
		END IF;
	END LOOP;
END $$;
SET enable_sort = off;
SET enable_seqscan = off;
SELECT lab.scans('SELECT table_name FROM floe.fleet ORDER BY severity DESC NULLS LAST LIMIT 10');
SELECT lab.scans('SELECT table_name FROM floe.fleet ORDER BY forecast_at LIMIT 10');
SELECT lab.scans('SELECT table_name FROM floe.waste ORDER BY waste_bytes DESC NULLS LAST LIMIT 10');
RESET enable_sort;
RESET enable_seqscan;

-- ---- what people see ----

SET ROLE floe_viewer;
SELECT count(*) > 0 AS fleet, (SELECT count(*) > 0 FROM floe.waste) AS waste, (SELECT count(*) > 0 FROM floe.forecast('demo.**')) AS forecast, (SELECT count(*) > 0 FROM floe.fleet_history) AS history,
	(SELECT count(*) FROM floe.roi) AS roi, (SELECT count(*) FROM floe.roi_by_week) AS weeks, (SELECT count(*) FROM floe.unprofitable) AS unprofitable, (SELECT count(*) FROM floe.recommendations()) >= 0 AS recommendations FROM floe.fleet;
RESET ROLE;
SELECT lab.says($$SET ROLE floe_viewer; UPDATE floe.rate SET price = 1$$), lab.says($$SET ROLE floe_viewer; SELECT floe.dismiss('**', 'gc_enabled')$$), lab.says($$SET ROLE floe_admin; UPDATE floe.rate SET price = 1$$),
	lab.says($$SET ROLE floe_operator; SELECT floe.dismiss('**', 'gc_enabled')$$), lab.says($$SET ROLE floe_operator; UPDATE floe.return_threshold SET runs = 5$$), lab.says($$SET ROLE floe_admin; UPDATE floe.return_threshold SET runs = 5$$);
RESET ROLE;
