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
	-- policies that were changed are decided by at once
	PERFORM floe_internal.plan_due(100000), lab.send();
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

SELECT lab.live('2026-03-03 10:00+00', '2 hours');
SELECT lab.live('2026-03-03 12:00+00', '2 hours', plans => false);
\set since '2026-03-03 12:00+00'
-- the same under another policy, and under a budget, which are then forgotten, and as they were. What never ran does not fail in a simulation
\set rarely '{"name": "p", "rewrite_data_files": {"min_interval": "12 hours"}, "expire_snapshots": {"options": {"max_snapshot_age": "6 hours"}}}'
\set budget '{"budgets": [{"name": "few", "operations": 10, "period": "1 day"}]}'
CREATE TABLE lab.outcome (what text PRIMARY KEY, change jsonb, story text);
INSERT INTO lab.outcome SELECT 'rarely', :'rarely', lab.rows($$UPDATE lab.fleet SET failing = 0; SELECT floe.alter_policy('p', '{"rewrite_data_files": {"min_interval": "12 hours"}, "expire_snapshots": {"options": {"max_snapshot_age": "6 hours"}}}'), lab.story()$$, format('SELECT * FROM lab.sums(%L)', :'since'));
INSERT INTO lab.outcome SELECT 'budget', :'budget', lab.rows($$UPDATE lab.fleet SET failing = 0; INSERT INTO floe.budget (name, operations) VALUES ('few', 10); SELECT lab.story()$$, format('SELECT * FROM lab.sums(%L)', :'since'));
SELECT lab.story();
SELECT operation, state, count(*) FROM floe_internal.operation_log WHERE queued_at >= :'since' GROUP BY 1, 2 ORDER BY 1, 2;

-- ---- what is in force reproduces the log: every operation, in the same plan ----

CREATE TABLE lab.same AS SELECT * FROM floe.simulate(since => :'since', step => '2 hours', detail => true);
WITH l AS (
	SELECT table_name, operation, queued_at AS starts_at FROM floe_internal.operation_log WHERE queued_at >= :'since' AND queued_at < floe_internal.clock() AND dispatched_at IS NOT NULL
	UNION ALL SELECT table_name, operation, queued_at FROM floe_internal.operation_queue WHERE queued_at < floe_internal.clock() AND dispatched_at IS NOT NULL
), r AS (
	SELECT table_name, operation, starts_at FROM lab.same WHERE part = 'run'
)
SELECT (SELECT count(*) FROM l) AS logged, (SELECT count(*) FROM r) AS simulated, (SELECT count(*) FROM (SELECT * FROM l INTERSECT ALL SELECT * FROM r) AS x) AS same;
SELECT part, starts_at, table_name, operation, actual_operations = simulated_operations AS operations, actual_gb_hours = simulated_gb_hours AS gb_hours,
	actual_files = simulated_files AS files, actual_excess_files = simulated_excess_files AS excess, actual_snapshots = simulated_snapshots AS snapshots, told
FROM lab.same WHERE part NOT IN ('bucket and operation', 'run');

-- ---- another policy, and a budget, predict what then happened, within a tenth; not GB-hours: a simulation knows what was learned since ----

SELECT o.what, t.actual_operations <> t.simulated_operations AS differs, abs(t.simulated_operations / (s.v ->> 0)::float8 - 1) < 0.1 AS operations,
	abs(t.simulated_files / (s.v ->> 2)::float8 - 1) < 0.1 AS files
FROM lab.outcome AS o, LATERAL (SELECT ('[' || trim(o.story, '()') || ']')::jsonb) AS s (v), LATERAL floe.simulate(o.change, :'since', step => '2 hours') AS t WHERE t.part = 'total' ORDER BY o.what;

-- ---- it changes nothing: whoever calls it, in a transaction of his own, and when it is cancelled ----

CREATE FUNCTION lab.contents() RETURNS TABLE (relation text, content text) LANGUAGE plpgsql AS $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT k.oid::regclass AS name, k.relkind FROM pg_class AS k WHERE k.relnamespace IN ('floe'::regnamespace, 'floe_internal'::regnamespace) AND k.relkind IN ('r', 'S') ORDER BY 1 LOOP
		relation := c.name;
		IF c.relkind = 'S' THEN
			EXECUTE format('SELECT last_value || '' '' || is_called FROM %s', c.name) INTO content;
		ELSE
			EXECUTE format('SELECT md5(string_agg(md5(x::text || x.xmin), '','' ORDER BY x.ctid)) FROM %s AS x', c.name) INTO content;
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
CREATE TABLE lab.before AS SELECT * FROM lab.contents();
CREATE VIEW lab.changed AS SELECT * FROM lab.before EXCEPT SELECT * FROM lab.contents();
LISTEN floe;
CREATE ROLE regress_simulator IN ROLE floe_operator;
SET lock_timeout = '3s';
BEGIN;
SET LOCAL ROLE regress_simulator;
SELECT part, actual_operations > 0 AS operations FROM floe.simulate(since => '2026-03-04 12:00+00', pattern => 'demo.db.t0001', step => '4 hours') WHERE part = 'total';
RESET ROLE;
-- nothing is held, and time is what it was
SELECT count(*) AS advisory_locks FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
SHOW lock_timeout;
SELECT floe_internal.clock();
COMMIT;
RESET lock_timeout;
-- cancelled
SET statement_timeout = '300ms';
SELECT * FROM floe.simulate(since => :'since', step => '1 minute');
RESET statement_timeout;
-- given up
SELECT * FROM floe.simulate(since => :'since', at_most => '1 microsecond');
SELECT * FROM lab.changed;
-- what is changed takes numbers from sequences, as whatever is rolled back does
SELECT part, actual_operations > 0 AS actual, simulated_operations FROM floe.simulate('{"budgets": [{"name": "none", "operations": 0}], "weights": {"age": 9}}', since => '2026-03-04 12:00+00', step => '4 hours') WHERE part = 'total';
SELECT part, operation, actual_operations > 0 AS actual, simulated_operations FROM floe.simulate('{"name": "off", "pattern": "demo.**", "priority": 99, "rewrite_data_files": {"enabled": false}}',
	since => '2026-03-04 12:00+00', pattern => 'demo.db.t0002', step => '4 hours') WHERE part = 'operation' AND operation = 'rewrite_data_files';
SELECT * FROM lab.changed WHERE relation NOT LIKE '%\_seq';
SELECT name FROM floe.policy ORDER BY name;
UNLISTEN floe;

-- ---- edges ----

\pset format unaligned
\pset tuples_only on
SELECT told || ' -> ' || lab.says(format('SELECT * FROM floe.simulate(%s)', arguments)) FROM (VALUES
	(1, 'since the future', $$since => '2030-01-01'$$),
	(2, 'since always', $$since => '-infinity'$$),
	(3, 'no such tables', $$pattern => 'demo.nothing.**'$$),
	(4, 'no pattern', $$pattern => 'demo..x'$$),
	(5, 'step of nothing', $$step => '0'$$),
	(6, 'not an object', $$'[]'$$),
	(7, 'unknown key', $$'{"budget": []}'$$),
	(8, 'no list', $$'{"policies": {}}'$$),
	(9, 'policy without a name', $$'{"policies": [{"pattern": "demo.**"}]}'$$),
	(10, 'no such policy', $$'{"name": "nobody"}'$$),
	(11, 'unknown engine', $$'{"name": "p", "engine": "flink"}'$$),
	(12, 'budget without a name', $$'{"budgets": [{"operations": 1}]}'$$),
	(13, 'unknown limit', $$'{"budgets": [{"name": "b", "operation": 1}]}'$$),
	(14, 'unknown term', $$'{"weights": {"luck": 1}}'$$)) AS v (n, told, arguments) ORDER BY n;
BEGIN READ ONLY;
SELECT floe.simulate(since => '2026-03-04');
ROLLBACK;
\pset tuples_only off
\pset format aligned
-- history that begins later
SELECT told FROM floe.simulate(since => '2026-02-01', pattern => 'demo.db.t0009', step => '4 hours') WHERE part = 'note' ORDER BY told;
-- a table that was dropped meanwhile
SELECT part, starts_at, actual_operations = simulated_operations AS operations, actual_files > 0 AS files FROM floe.simulate(since => :'since', pattern => 'demo.db.t0005', step => '4 hours', bucket => '18 hours') WHERE part = 'bucket';
SELECT pattern, is_drain, paused_at, ended_at FROM floe_internal.pause_past;

-- ---- the third way: change, look, forget ----

SELECT lab.live(floe_internal.clock() + interval '4 hours', '2 hours', plans => false);
BEGIN;
SELECT count(*) > 0 AS some FROM floe.plan();
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"enabled": false}, "rewrite_manifests": {"enabled": false}, "expire_snapshots": {"enabled": false}}');
SELECT count(*) FROM floe.plan();
-- nothing that passes work with is locked
SELECT (SELECT count(*) FROM floe_internal.table_decision WHERE xmax = pg_current_xact_id()::xid) AS decisions, (SELECT count(*) FROM floe_internal.operation_queue WHERE xmax = pg_current_xact_id()::xid) AS queue,
	(SELECT count(*) FROM floe_internal.iceberg_table WHERE xmax = pg_current_xact_id()::xid) AS tables,
	(SELECT count(*) FROM floe_internal.table_operation WHERE xmax = pg_current_xact_id()::xid) AS table_operations, (SELECT count(*) FROM floe_internal.health WHERE xmax = pg_current_xact_id()::xid) AS health;
SELECT relation::regclass, mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation IS NOT NULL AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock') ORDER BY 1, 2;
ROLLBACK;
SELECT count(*) > 0 AS some FROM floe.plan();
DROP ROLE regress_simulator;
