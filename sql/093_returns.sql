--
-- What maintenance was worth: arithmetic against numbers worked out by hand, the weekly sum, what never pays and how auto_tune takes it back, waste and forecasts.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '
SELECT name, price, currency, unit FROM floe.rate ORDER BY position;
SELECT operation, runs, objects_per_gb_hour, bytes_per_gb_hour, longest_interval FROM floe.return_threshold ORDER BY operation;
SELECT lab.catalog(), lab.engine('spark', $$, memory_gb '4'$$);
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {"jitter": "0"}}') AS policy;
SELECT floe.create_policy('narrow', 'demo.db.u', '{"priority": 1, "rewrite_manifests": {}}') AS policy;
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 20), lab.assess('demo.db.u', files => 500, file_bytes => 1000000, manifests => 20);

-- An operation that ended now, as end_operation() writes it; so many minutes at the engine, NULL: it never got there.
CREATE FUNCTION lab.ended(name text, operation text, state text, minutes numeric, effect jsonb DEFAULT '{}', before jsonb DEFAULT '{}', estimate jsonb DEFAULT NULL, new_snapshots jsonb DEFAULT NULL,
		result jsonb DEFAULT NULL, by_hand bool DEFAULT false, engine text DEFAULT 'spark', reason jsonb DEFAULT '[{"gate": "policy", "set_by": "policy \"p\" (demo.**)"}]', settings jsonb DEFAULT '{"min_interval": "1 hour"}') RETURNS jsonb LANGUAGE sql AS $$
	INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, estimate, queued_at, dispatched_at, started_at, engine_ended_at, finished_at,
			before, effect, new_snapshots, outcome, engine_result)
		VALUES (COALESCE(lab.id(name), 0), name, operation, state, by_hand, 'floe', engine, settings, '', '{p}', reason, estimate, floe_internal.clock(), floe_internal.clock(), floe_internal.clock() - minutes * interval '1 minute',
			CASE WHEN minutes IS NOT NULL THEN floe_internal.clock() END, floe_internal.clock(), before, effect, new_snapshots, CASE WHEN minutes IS NOT NULL THEN state END, result)
		RETURNING worth
$$;

-- ---- one run: what it gave and cost ----

-- 30 minutes of 4 GB are 2 GB-hours, and cost 0.04
SELECT lab.ended('demo.db.t', 'rewrite_data_files', 'succeeded', 30, '{"data_file_count": -90, "data_bytes": -1000, "position_delete_file_count": -10}', '{"data_file_count": 100, "data_bytes": 5000, "delete_bytes": 7, "position_delete_file_count": 10, "deletion_vector_count": 0}',
	'{"objects": 95, "bytes": 4000, "minutes": 15, "gb_hours": 1}');
SELECT id, table_name, operation, state, policy, objects_estimated, objects_removed, files_removed, bytes_estimated, bytes_touched, bytes_removed, minutes_estimated, minutes, gb_hours_estimated, gb_hours, objects_per_gb_hour, bytes_per_gb_hour, cost, currency, pays FROM floe.roi;
CREATE TABLE lab.case (n int GENERATED ALWAYS AS IDENTITY, told text, operation text, state text, minutes numeric, effect jsonb, before jsonb, new_snapshots jsonb, result jsonb, objects numeric, files numeric, bytes numeric, gb_hours numeric, pays bool);
INSERT INTO lab.case (told, operation, state, minutes, effect, before, new_snapshots, result, objects, files, bytes, gb_hours, pays) VALUES
	('nothing is known before or after', 'rewrite_data_files', 'succeeded', 30, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2, NULL),
	('what did not change is zero', 'rewrite_data_files', 'succeeded', 30, '{}', '{"data_file_count": 5, "data_bytes": 5, "delete_bytes": 0}', NULL, NULL, 0, 0, 0, 2, false),
	('its own snapshots count, not the writers'' that came meanwhile', 'rewrite_data_files', 'succeeded', 30, '{"data_file_count": 60, "data_bytes": 900}', '{"data_file_count": 100, "data_bytes": 1, "delete_bytes": 0}',
		'[{"operation": "append", "added_data_files": 100, "deleted_data_files": 0, "added_bytes": 1000, "removed_bytes": 0}, {"operation": "replace", "added_data_files": 2, "deleted_data_files": 42, "added_bytes": 400, "removed_bytes": 500}]', NULL, 40, 40, 100, 2, true),
	('... of two commits', 'rewrite_data_files', 'succeeded', 30, '{}', '{}', '[{"operation": "replace", "added_data_files": 1, "deleted_data_files": 11, "added_bytes": 4, "removed_bytes": 5}, {"operation": "replace", "added_data_files": 1, "deleted_data_files": 11, "added_bytes": 4, "removed_bytes": 5}]', NULL, 20, 20, 2, 2, true),
	('... of which one does not say', 'rewrite_data_files', 'succeeded', 30, '{"data_file_count": -7}', '{"data_file_count": 9}', '[{"operation": "replace", "added_data_files": 1, "deleted_data_files": 11}, {"operation": "replace"}]', NULL, 7, 7, NULL, 2, false),
	('more files than before', 'rewrite_data_files', 'succeeded', 30, '{"data_file_count": 3, "data_bytes": 5}', '{"data_file_count": 9, "data_bytes": 9, "delete_bytes": 0}', NULL, NULL, -3, -3, -5, 2, false),
	('equality deletes that were applied', 'rewrite_data_files', 'succeeded', 30, '{"equality_delete_file_count": -50}', '{"data_file_count": 9, "equality_delete_file_count": 50}', NULL, NULL, 50, 50, NULL, 2, true),
	('no time at all: whatever it removed pays', 'rewrite_data_files', 'succeeded', 0, '{"data_file_count": -1}', '{"data_file_count": 9}', NULL, NULL, 1, 1, NULL, 0, true),
	('... and nothing does not', 'rewrite_data_files', 'succeeded', 0, '{}', '{"data_file_count": 9}', NULL, NULL, 0, 0, NULL, 0, false),
	('just enough: 20 of 2 GB-hours', 'rewrite_data_files', 'succeeded', 30, '{"data_file_count": -20}', '{"data_file_count": 90}', NULL, NULL, 20, 20, NULL, 2, true),
	('one less', 'rewrite_data_files', 'succeeded', 30, '{"data_file_count": -19}', '{"data_file_count": 90}', NULL, NULL, 19, 19, NULL, 2, false),
	('few, but 2 GB', 'rewrite_data_files', 'succeeded', 30, '{"data_file_count": -1, "data_bytes": -2147483648}', '{"data_file_count": 90, "data_bytes": 1, "delete_bytes": 0}', NULL, NULL, 1, 1, 2147483648, 2, true),
	('few, and a byte less', 'rewrite_data_files', 'succeeded', 30, '{"data_file_count": -1, "data_bytes": -2147483647}', '{"data_file_count": 90, "data_bytes": 1, "delete_bytes": 0}', NULL, NULL, 1, 1, 2147483647, 2, false),
	('nothing changed: it still cost', 'rewrite_data_files', 'no_change', 15, '{}', '{"data_file_count": 90, "data_bytes": 5, "delete_bytes": 0}', NULL, NULL, 0, 0, 0, 1, false),
	('nothing changed, and nothing was known', 'rewrite_data_files', 'no_change', 15, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, false),
	('a failure cost', 'rewrite_data_files', 'failed', 60, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 4, false),
	('a failure that committed part of it', 'rewrite_data_files', 'failed', 30, '{"data_file_count": -50}', '{"data_file_count": 90}', NULL, NULL, 50, 50, NULL, 2, true),
	('cancelled at the engine: cost, no verdict', 'rewrite_data_files', 'cancelled', 30, '{}', '{"data_file_count": 90}', NULL, NULL, 0, 0, NULL, 2, NULL),
	('cancelled in the queue: no run', 'rewrite_data_files', 'cancelled', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('position deletes', 'rewrite_position_delete_files', 'succeeded', 15, '{"position_delete_file_count": -30, "delete_bytes": -300, "data_file_count": 500}', '{"position_delete_file_count": 31, "deletion_vector_count": 0, "data_bytes": 1, "delete_bytes": 400, "data_file_count": 1}', NULL, NULL, 30, 30, 300, 1, true),
	('position deletes that nobody counted', 'rewrite_position_delete_files', 'succeeded', 15, '{}', '{}', NULL, NULL, NULL, NULL, NULL, 1, NULL),
	('manifests', 'rewrite_manifests', 'succeeded', 15, '{"manifest_count": -19, "manifest_bytes": -100}', '{"manifest_count": 20, "manifest_bytes": 400}', NULL, NULL, 19, 19, 100, 1, true),
	('manifests, of which one went', 'rewrite_manifests', 'succeeded', 15, '{"manifest_count": -1}', '{"manifest_count": 20, "manifest_bytes": 400}', NULL, NULL, 1, 1, 0, 1, false),
	('snapshots, and two that writers made meanwhile', 'expire_snapshots', 'succeeded', 15, '{"snapshot_count": -38}', '{"snapshot_count": 50}', '[{"operation": "append"}, {"operation": "append"}]', '[{"deleted_data_files_count": "70", "deleted_manifest_files_count": "30", "deleted_manifest_lists_count": "40", "other": "9"}]', 40, 140, NULL, 1, true),
	('snapshots, and the engine says no files', 'expire_snapshots', 'succeeded', 15, '{"snapshot_count": -5}', '{"snapshot_count": 50}', NULL, '[{"deleted_data_files_count": null}, 7]', 5, NULL, NULL, 1, false),
	('orphans', 'remove_orphan_files', 'succeeded', 60, '{"orphan_files_removed": 40}', '{}', NULL, NULL, 40, 40, NULL, 4, true),
	('few orphans', 'remove_orphan_files', 'succeeded', 60, '{"orphan_files_removed": 39}', '{}', NULL, NULL, 39, 39, NULL, 4, false),
	('orphans that the engine does not count', 'remove_orphan_files', 'succeeded', 60, '{}', '{}', NULL, NULL, NULL, NULL, NULL, 4, NULL),
	('no orphans', 'remove_orphan_files', 'no_change', 60, '{"orphan_files_removed": 0}', '{}', NULL, NULL, 0, 0, NULL, 4, false),
	('statistics that were written', 'compute_table_stats', 'succeeded', 60, '{"statistics_files_written": 1}', '{}', NULL, NULL, NULL, NULL, NULL, 4, true),
	('statistics that were not', 'compute_table_stats', 'no_change', 60, '{"statistics_files_written": 0}', '{}', NULL, NULL, NULL, NULL, NULL, 4, false);
SELECT c.n, c.told, m ->> 'objects_removed' AS objects, m ->> 'bytes_removed' AS bytes, m ->> 'gb_hours' AS gb_hours, m ->> 'pays' AS pays,
	   ((m ->> 'objects_removed')::numeric, (m ->> 'files_removed')::numeric, (m ->> 'bytes_removed')::numeric, (m ->> 'gb_hours')::numeric, (m ->> 'pays')::bool) IS NOT DISTINCT FROM (c.objects, c.files, c.bytes, c.gb_hours, c.pays) AS as_by_hand
FROM lab.case AS c, LATERAL lab.ended('demo.x.n' || c.n, c.operation, c.state, c.minutes, c.effect, c.before, NULL, c.new_snapshots, c.result) AS m ORDER BY c.n;
-- a price of nothing, no price, and another engine
UPDATE floe.rate SET price = NULL WHERE name = 'engine';
SELECT gb_hours, cost FROM floe.roi WHERE id = 1;
UPDATE floe.rate SET price = 0.1, currency = 'EUR' WHERE name = 'engine';
SELECT gb_hours, cost, currency FROM floe.roi WHERE id = 1;
SELECT lab.says($$UPDATE floe.rate SET price = -1 WHERE name = 'engine'$$);
SELECT lab.ended('demo.db.t', 'rewrite_manifests', 'succeeded', 60, engine => 'gone') ->> 'gb_hours' AS two_by_default;

-- ---- the weekly sum ----

CREATE VIEW lab.live AS SELECT count(*) AS runs, count(*) FILTER (WHERE state = 'failed') AS failed, sum(objects_removed) AS objects, sum(files_removed) AS files, sum(bytes_removed) AS bytes, sum(minutes) AS minutes, sum(gb_hours) AS gb_hours,
	sum(gb_hours_estimated) AS estimated, count(*) FILTER (WHERE pays) AS paid, count(*) FILTER (WHERE NOT pays) AS unpaid FROM floe.roi;
-- whichever way, it adds up to the runs in the log
SELECT d, (SELECT ROW(sum(r.runs), sum(r.failed), sum(r.objects_removed), sum(r.files_removed), sum(r.bytes_removed), sum(r.minutes), sum(r.gb_hours), sum(r.gb_hours_estimated), sum(r.paid), sum(r.unpaid))::text FROM floe.roi_by(d) AS r)
	= (SELECT l::text FROM lab.live AS l) AS adds_up FROM unnest(ARRAY['table', 'policy', 'engine', 'operation', 'week', 'catalog']) AS d;
SELECT name, runs, succeeded, no_change, failed, cancelled, paid, unpaid, objects_removed, files_removed, bytes_removed, minutes, gb_hours, objects_per_gb_hour, cost, currency FROM floe.roi_by_operation;
-- three weeks: a Sunday and the Monday after it are two of them, in UTC whatever the session says
SELECT lab.at('2026-03-08 23:59+00'), lab.ended('demo.db.u', 'rewrite_manifests', 'succeeded', 15, '{"manifest_count": -19}', reason => '[{"gate": "policy", "set_by": "policy \"narrow\" (demo.db.u)"}]') IS NOT NULL AS ran;
SET timezone = 'America/New_York';
SELECT lab.at('2026-03-09 00:00+00') IS NOT NULL AS monday, lab.ended('demo.db.u', 'rewrite_manifests', 'failed', 15, reason => '[{"gate": "policy", "set_by": "policy \"narrow\" (demo.db.u)"}]') IS NOT NULL AS ran;
SET timezone = 'UTC';
SELECT lab.at('2026-03-16 00:00+00'), lab.ended('demo.db.u', 'rewrite_manifests', 'no_change', 15, reason => '[]') IS NOT NULL AS ran;
SELECT name, runs, succeeded, no_change, failed, gb_hours FROM floe.roi_by_week;
SELECT name, runs, gb_hours FROM floe.roi_by_policy;
-- the last week, and the one before
SELECT name, runs FROM floe.roi_by('week', '7 days');
SELECT lab.says($$SELECT * FROM floe.roi_by('month')$$);
SELECT lab.says($$SELECT * FROM floe.roi_by(NULL)$$);
-- an operation that is rolled back is in neither; one that is in both is counted once
SELECT lab.rows($$SELECT lab.ended('demo.db.u', 'rewrite_manifests', 'succeeded', 15)$$, 'SELECT runs FROM floe.roi_by_week ORDER BY name DESC LIMIT 1');
SELECT (SELECT sum(runs) FROM floe.roi_by_week) = (SELECT count(*) FROM floe.roi) AS once;
-- the log is trimmed, the sum stays; what comes then is added
CREATE TABLE lab.sum AS SELECT sum(runs) AS runs, sum(gb_hours) AS gb_hours, sum(objects_removed) AS objects FROM floe.roi_by_week;
SELECT lab.later('400 days') IS NOT NULL AS later, floe_internal.purge(100000);
SELECT count(*) AS live FROM floe.roi;
SELECT (SELECT (runs, gb_hours, objects) FROM lab.sum) = (SELECT (sum(runs), sum(gb_hours), sum(objects_removed)) FROM floe.roi_by_week) AS stays;
SELECT lab.ended('demo.db.u', 'rewrite_manifests', 'succeeded', 15, '{"manifest_count": -19}') IS NOT NULL AS ran;
SELECT (SELECT runs + 1 FROM lab.sum) = (SELECT sum(runs) FROM floe.roi_by_table) AS added, (SELECT count(*) FROM floe.roi) AS live;
SELECT lab.later('5 years') IS NOT NULL AS later, floe_internal.purge(100000);
SELECT count(*) AS tables FROM floe.roi_by_table;

-- ---- what never pays, and auto_tune ----

SELECT lab.at('2032-03-01 12:00+00');
DELETE FROM floe_internal.operation_log;
DELETE FROM floe_internal.table_operation;
SELECT floe.alter_policy('p', '{"remove_orphan_files": {"every": "7 days", "jitter": "0", "auto_tune": true}}');
CREATE FUNCTION lab.tune(removed int, OUT at timestamptz, OUT verdict text, OUT gate text, OUT value text, OUT limit_value text, OUT set_by text, OUT next_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	limit_at timestamptz := floe_internal.clock() + interval '200 days';
BEGIN
	LOOP
		-- as a plan does
		PERFORM floe_internal.plan_and_queue(NULL);
		SELECT q.operation_id INTO id FROM floe_internal.operation_queue AS q WHERE q.operation = 'remove_orphan_files';
		EXIT WHEN id IS NOT NULL OR floe_internal.clock() > limit_at;
		PERFORM lab.later('6 hours');
	END LOOP;
	at := floe_internal.clock();
	UPDATE floe_internal.operation_queue SET state = 'dispatching', driver_pass = 0, before_snapshots = '{}', before = '{}' WHERE operation_id = id;
	PERFORM floe_internal.operation_saved(id, '\x00', 'handle');
	PERFORM lab.later('1 hour');
	PERFORM floe_internal.engine_ended(id, 'succeeded', NULL, NULL, NULL, removed);
	PERFORM floe_internal.operation_verified(id);
	SELECT w.verdict, w.gate, w.value, w.limit_value, w.set_by, w.next_at INTO verdict, gate, value, limit_value, set_by, next_at FROM lab.gate('', 'demo.db.t', 'remove_orphan_files', 'min_interval') AS g,
		LATERAL (SELECT g.status AS verdict, g.label AS gate, g.value, g.limit_value, g.set_by, g.next_at) AS w;
END $$;
SELECT lab.assess('demo.db.t', files => 1), lab.list_tables('demo', 'demo.db.t');
-- weekly; the third in a row that finds nothing is followed by two weeks, then four, then thirty days, the longest
SELECT n, t.* FROM generate_series(1, 6) AS n, LATERAL lab.tune(0 * n) AS t;
SELECT operation, table_name, policy, unpaid_runs, gb_hours, cost, currency, objects_removed, last_state, objects_needed_per_gb_hour, stretched_until FROM floe.unprofitable;
-- it finds something: weekly again
SELECT n, t.* FROM generate_series(1, 2) AS n, LATERAL lab.tune(400 * n) AS t;
SELECT count(*) AS unprofitable FROM floe.unprofitable;
-- without auto_tune it is named, and comes as often as the policy says
SELECT floe.alter_policy('p', '{"remove_orphan_files": {"every": "7 days", "jitter": "0", "auto_tune": false}}');
SELECT n, t.* FROM generate_series(1, 5) AS n, LATERAL lab.tune(0 * n) AS t;
SELECT operation, table_name, policy, unpaid_runs FROM floe.unprofitable;
-- switched on, the interval that the runs so far are worth holds at once
SELECT floe.alter_policy('p', '{"remove_orphan_files": {"every": "7 days", "jitter": "0", "auto_tune": true}}');
SELECT status, limit_value, set_by, next_at FROM lab.gate('', 'demo.db.t', 'remove_orphan_files', 'min_interval');
-- by hand and by name it goes through
SELECT status FROM lab.gate('', 'demo.db.t', 'remove_orphan_files', 'min_interval', by_hand => true, named => true);

-- A run that did not pay, of an operation that a metric calls for. The gate now, or after something else happened.
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"auto_tune": true, "min_interval": "1 hour"}}');
SELECT lab.assess('demo.db.t', files => 300, file_bytes => 1000000);
INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at, last_state, unpaid_runs, stretched_until, stretched_metric, stretched_value)
	VALUES (lab.id('demo.db.t'), 'rewrite_data_files', floe_internal.clock() - interval '2 hours', floe_internal.clock() - interval '2 hours', 'succeeded', 4, floe_internal.clock() + interval '2 hours', 'excess_file_count', 200);
CREATE TABLE lab.tuned (n int GENERATED ALWAYS AS IDENTITY, told text, setup text);
INSERT INTO lab.tuned (told, setup) VALUES
	('held', ''),
	('auto_tune off', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"auto_tune": false}}')$$),
	('the time is over', $$SELECT lab.later('2 hours')$$),
	('the metric has nearly doubled', $$SELECT lab.measure('demo.db.t', '{"excess_file_count": 399}')$$),
	('the metric has doubled', $$SELECT lab.measure('demo.db.t', '{"excess_file_count": 400}')$$),
	('it is critical', $$SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 100, "critical": 299}}}')$$),
	('before its deadline', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"auto_tune": true, "deadline": "3 hours"}}')$$),
	('its deadline is over', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"auto_tune": true, "deadline": "2 hours"}}')$$),
	('the policy says longer', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"auto_tune": true, "min_interval": "1 day"}}')$$);
SELECT t.n, t.told, g.status, g.value, g.limit_value, g.set_by FROM lab.tuned AS t, LATERAL lab.gate(t.setup, 'demo.db.t', 'rewrite_data_files', 'min_interval') AS g ORDER BY t.n;
-- what a run leaves: doubled for each beyond the third, from the longest of what the settings say, up to the deadline and the longest there is
CREATE FUNCTION lab.stretch(unpaid int, state text, settings jsonb, by_hand bool DEFAULT false, removed int DEFAULT 0) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE floe_internal.table_operation SET unpaid_runs = unpaid, stretched_until = NULL WHERE operation = 'rewrite_data_files';
	PERFORM lab.ended('demo.db.t', 'rewrite_data_files', state, 60, jsonb_build_object('data_file_count', - removed), '{"data_file_count": 9, "excess_file_count": 150}', by_hand => stretch.by_hand, settings => stretch.settings, reason => '[{"gate": "excess_file_count"}]');
	RETURN (SELECT format('%s: %s', x.unpaid_runs, COALESCE((x.stretched_until - floe_internal.clock())::text, 'as often as before')) FROM floe_internal.table_operation AS x WHERE x.operation = 'rewrite_data_files');
END $$;
SELECT v.*, lab.stretch(v.unpaid, v.state, v.settings, v.by_hand, v.removed) FROM (VALUES
	(0, 'succeeded', '{"min_interval": "1 hour"}'::jsonb, false, 0), (1, 'succeeded', '{"min_interval": "1 hour"}', false, 0), (2, 'succeeded', '{"min_interval": "1 hour"}', false, 0), (3, 'succeeded', '{"min_interval": "1 hour"}', false, 0),
	(3, 'no_change', '{"min_interval": "1 hour"}', false, 0), (3, 'failed', '{"min_interval": "1 hour"}', false, 0), (3, 'cancelled', '{"min_interval": "1 hour"}', false, 0), (3, 'succeeded', '{"min_interval": "1 hour"}', true, 0),
	(3, 'succeeded', '{"min_interval": "1 hour"}', true, 100), (3, 'succeeded', '{"min_interval": "1 hour"}', false, 100), (20, 'succeeded', '{"min_interval": "1 hour"}', false, 0), (2000000000, 'succeeded', '{"min_interval": "1 hour"}', false, 0),
	(3, 'succeeded', '{}', false, 0), (3, 'succeeded', '{"min_interval": "1 hour", "schedule": {"every": "2 days"}}', false, 0), (3, 'succeeded', '{"schedule": {"cron": "0 2 * * *"}, "timezone": "UTC"}', false, 0),
	(3, 'succeeded', '{"schedule": {"cron": "0 2 30 2 *"}, "timezone": "UTC"}', false, 0), (3, 'succeeded', '{"min_interval": "1 hour", "deadline": "3 hours"}', false, 0), (3, 'succeeded', '{"min_interval": "60 days"}', false, 0)) AS v (unpaid, state, settings, by_hand, removed);
UPDATE floe.return_threshold SET runs = 1, longest_interval = '90 minutes' WHERE operation = 'rewrite_data_files';
SELECT lab.stretch(0, 'succeeded', '{"min_interval": "1 hour"}');
UPDATE floe.return_threshold SET objects_per_gb_hour = 1000, bytes_per_gb_hour = NULL WHERE operation = 'rewrite_data_files';
SELECT lab.stretch(0, 'succeeded', '{"min_interval": "1 hour"}', removed => 3999), lab.stretch(0, 'succeeded', '{"min_interval": "1 hour"}', removed => 4000);

-- ---- what is held for nothing ----

-- Snapshots 1, 2, 3 ..., each with the parent that is given (0: none), its operation, files and bytes put in and taken out; NULL: its summary does not say.
CREATE FUNCTION lab.history(parents int[], operations text[], files_out bigint[], bytes_in bigint[], bytes_out bigint[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	result bytea := '\x01'::bytea || lab.number(cardinality(parents));
BEGIN
	FOR i IN 1 .. cardinality(parents) LOOP
		result := result || set_byte('\x00', 0, array_position(ARRAY['append', 'replace', 'overwrite', 'delete'], operations[i]) + CASE WHEN parents[i] > 0 THEN 8 ELSE 0 END)
			|| set_byte('\x00', 0, (files_out[i] IS NOT NULL)::int * 2 + (bytes_in[i] IS NOT NULL)::int * 16 + (bytes_out[i] IS NOT NULL)::int * 32)
			|| int8send(i::bigint) || CASE WHEN parents[i] > 0 THEN int8send(parents[i]::bigint) ELSE '' END
			|| lab.zigzag(CASE WHEN i = 1 THEN (extract(epoch FROM floe_internal.clock() - interval '20 days') * 1000)::bigint ELSE 86400000 END) || lab.zigzag(1)
			|| COALESCE(lab.number(files_out[i]), '') || COALESCE(lab.number(bytes_in[i]), '') || COALESCE(lab.number(bytes_out[i]), '');
	END LOOP;
	RETURN result;
END $$;
-- those beyond five days but the newest go: of ten that is all of them but the head
CREATE FUNCTION lab.held(history bytea, refs text, head bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s of %s bytes', e.snapshot_count, COALESCE(floe_internal.expirable_bytes(history, r.refs, head, '5 days', 1, NULL, floe_internal.clock())::text, 'unknown'))
	FROM (SELECT jsonb_agg(jsonb_build_object('name', split_part(x, ':', 1), 'type', split_part(x, ':', 2), 'snapshot_id', split_part(x, ':', 3)::int)) AS refs FROM unnest(string_to_array(refs, ' ')) AS x) AS r,
		LATERAL floe_internal.expirable(history, r.refs, head, '5 days', 1, NULL, floe_internal.clock()) AS e
$$;
SELECT v.told, lab.held(lab.history(v.parents, v.operations, v.files_out, v.bytes_in, v.bytes_out), v.refs, v.head) FROM (VALUES
	('nothing was taken out', '{0,1,2}'::int[], '{append,append,append}'::text[], '{NULL,NULL,NULL}'::bigint[], '{10,10,10}'::bigint[], '{NULL,NULL,NULL}'::bigint[], 'main:branch:3', 3),
	('a rewrite of what two appends made', '{0,1,2}', '{append,append,replace}', '{NULL,NULL,2}', '{10,10,15}', '{NULL,NULL,20}', 'main:branch:3', 3),
	('two rewrites', '{0,1,2,3}', '{append,replace,append,replace}', '{NULL,1,NULL,2}', '{10,9,10,15}', '{NULL,10,NULL,19}', 'main:branch:4', 4),
	('the first one''s parent is gone, and its files with it', '{99,1,2}', '{replace,append,replace}', '{1,NULL,2}', '{10,10,15}', '{1000,NULL,20}', 'main:branch:3', 3),
	('a tag holds what was before the rewrite', '{0,1,2}', '{append,append,replace}', '{NULL,NULL,2}', '{10,10,15}', '{NULL,NULL,20}', 'main:branch:3 v1:tag:2', 3),
	('a tag holds the second of two rewrites'' files', '{0,1,2,3}', '{append,replace,append,replace}', '{NULL,1,NULL,2}', '{10,9,10,15}', '{NULL,10,NULL,19}', 'main:branch:4 v1:tag:3', 4),
	('a branch from before the rewrite', '{0,1,1}', '{append,replace,append}', '{NULL,1,NULL}', '{10,9,1}', '{NULL,10,NULL}', 'main:branch:2 b:branch:3', 2),
	('a branch from after it', '{0,1,2}', '{append,replace,append}', '{NULL,1,NULL}', '{10,9,1}', '{NULL,10,NULL}', 'main:branch:2 b:branch:3', 2),
	('a dead branch: its files may be elsewhere, they are not counted', '{0,1,1}', '{append,append,append}', '{NULL,NULL,NULL}', '{10,50,1}', '{NULL,NULL,NULL}', 'main:branch:3', 3),
	('a summary that does not say', '{0,1}', '{append,overwrite}', '{NULL,3}', '{10,9}', '{NULL,NULL}', 'main:branch:2', 2),
	('... of an operation that says nothing at all', '{0,1}', '{append,delete}', '{NULL,NULL}', '{10,NULL}', '{NULL,NULL}', 'main:branch:2', 2),
	('a rewrite of manifests takes nothing out', '{0,1,2}', '{append,replace,append}', '{NULL,NULL,NULL}', '{10,NULL,10}', '{NULL,NULL,NULL}', 'main:branch:3', 3),
	('delete files that were added', '{0,1}', '{append,overwrite}', '{NULL,NULL}', '{10,3}', '{NULL,NULL}', 'main:branch:2', 2),
	('more than a bigint', '{0,1,2,3}', '{append,replace,replace,replace}', '{NULL,1,1,1}', '{1,1,1,1}', '{NULL,9000000000000000000,9000000000000000000,1}', 'main:branch:4', 4)) AS v (told, parents, operations, files_out, bytes_in, bytes_out, refs, head);
SELECT floe_internal.expirable_bytes(NULL, '[]', 1, '5 days', 1, NULL, floe_internal.clock()) AS not_read;
