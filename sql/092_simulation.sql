--
-- Simulation: a fleet lives for some days; what is in force reproduces its log, and another policy predicts what then really happens.
--
\set ECHO none
\i test/regress/lab.sql
\i test/regress/fleet.sql
\set ECHO all
SELECT lab.catalog(), lab.engine(options => ', max_operations ''3''');
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {}, "expire_snapshots": {"options": {"max_snapshot_age": "18 hours"}}}') AS policy;
SELECT floe.create_policy('night', 'demo.db.t0001', '{"priority": 5, "rewrite_data_files": {"schedule": "0 2,10,18 * * *", "jitter": "0"}}') AS policy;
SELECT lab.fleet(6, floe_internal.clock());
UPDATE lab.fleet SET failing = 2 WHERE name = 'demo.db.t0004';

-- nothing is known yet
SELECT lab.says('SELECT * FROM floe.simulate()');

-- A day and a half, in which somebody pauses a table, asks for an operation by hand, and one table is dropped and another made.
CREATE FUNCTION lab.story() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := floe_internal.clock();
BEGIN
	PERFORM lab.live(start + interval '8 hours', '2 hours');
	PERFORM floe.pause('demo.db.t0003');
	PERFORM lab.live(start + interval '14 hours', '2 hours');
	PERFORM floe.resume('demo.db.t0003');
	PERFORM floe.trigger('demo.db.t0002', '{rewrite_manifests}');
	PERFORM lab.live(start + interval '20 hours', '2 hours');
	DELETE FROM lab.fleet WHERE name = 'demo.db.t0005';
	INSERT INTO lab.fleet (name, every, adds, next_at) VALUES ('demo.db.t0009', '40 minutes', 40, floe_internal.clock() + interval '1 minute');
	PERFORM lab.list_tables('demo', VARIADIC (SELECT array_agg(f.name ORDER BY f.name) FROM lab.fleet AS f));
	PERFORM lab.live(start + interval '36 hours', '2 hours');
END $$;
-- what ran since a time, as floe.simulate() adds it up
CREATE FUNCTION lab.sums(since timestamptz) RETURNS TABLE (operations bigint, gb_hours float8, files numeric, snapshots numeric) LANGUAGE sql AS $$
	SELECT count(*), sum((l.estimate ->> 'gb_hours')::float8 * COALESCE(extract(epoch FROM l.engine_ended_at - l.started_at)::float8 / 60 / NULLIF((l.estimate ->> 'minutes')::float8, 0), 1)),
		(SELECT sum(h.data_file_count) FROM floe_internal.health AS h JOIN floe_internal.iceberg_table AS t ON t.table_id = h.table_id AND t.status = 'ok'),
		(SELECT sum(h.snapshot_count) FROM floe_internal.health AS h JOIN floe_internal.iceberg_table AS t ON t.table_id = h.table_id AND t.status = 'ok')
	FROM floe_internal.operation_log AS l WHERE l.queued_at >= since AND l.dispatched_at IS NOT NULL
$$;

SELECT lab.live('2026-03-03 12:00+00', '2 hours');
\set since '2026-03-03 12:00+00'
-- the same under another policy, and under a budget, which are then forgotten, and as they were
\set rarely '{"name": "p", "rewrite_data_files": {"min_interval": "12 hours"}, "expire_snapshots": {"options": {"max_snapshot_age": "6 hours"}}}'
\set budget '{"budgets": [{"name": "few", "operations": 10, "period": "1 day"}]}'
CREATE TABLE lab.outcome (what text PRIMARY KEY, change jsonb, story text);
INSERT INTO lab.outcome SELECT 'rarely', :'rarely', lab.rows($$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"min_interval": "12 hours"}, "expire_snapshots": {"options": {"max_snapshot_age": "6 hours"}}}'), lab.story()$$, format('SELECT * FROM lab.sums(%L)', :'since'));
INSERT INTO lab.outcome SELECT 'budget', :'budget', lab.rows($$INSERT INTO floe.budget (name, operations) VALUES ('few', 10); SELECT lab.story()$$, format('SELECT * FROM lab.sums(%L)', :'since'));
SELECT lab.story();
SELECT operation, state, count(*) FROM floe_internal.operation_log WHERE queued_at >= :'since' GROUP BY 1, 2 ORDER BY 1, 2;

-- ---- what is in force reproduces the log: every operation, in the same plan ----

SELECT * FROM lab.compare(:'since', '2 hours');
SELECT part, starts_at, table_name, operation, actual_operations = simulated_operations AS operations, actual_gb_hours = simulated_gb_hours AS gb_hours,
	actual_files = simulated_files AS files, actual_excess_files = simulated_excess_files AS excess, actual_snapshots = simulated_snapshots AS snapshots, told
FROM floe.simulate(since => :'since', step => '2 hours') WHERE part <> 'bucket and operation';

-- ---- another policy, budget or threshold predicts what then happened ----

SELECT o.what, t.actual_operations <> t.simulated_operations AS differs, abs(t.simulated_operations / (s.v ->> 0)::float8 - 1) < 0.1 AS operations, abs(t.simulated_gb_hours / (s.v ->> 1)::float8 - 1) < 0.1 AS gb_hours,
	abs(t.simulated_files / (s.v ->> 2)::float8 - 1) < 0.1 AS files, abs(t.simulated_snapshots / (s.v ->> 3)::float8 - 1) < 0.1 AS snapshots
FROM lab.outcome AS o, LATERAL (SELECT ('[' || trim(o.story, '()') || ']')::jsonb) AS s (v), LATERAL floe.simulate(o.change, :'since', step => '2 hours') AS t WHERE t.part = 'total' ORDER BY o.what;
