--
-- Selection: candidates in order of debt, under budgets that are tested before each is added; and how many run at one time.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT lab.catalog(), lab.catalog('prod'), lab.engine(), lab.engine('big', $$, memory_gb '64'$$);
SELECT floe.create_policy('p', '**', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}}') AS policy;
SELECT lab.assess('demo.db.a', files => 2000, file_bytes => 1000000, snapshots => 60, snapshot_gap => '1 day'), lab.assess('demo.db.b', files => 1000, file_bytes => 2000000),
	lab.assess('demo.db.c', files => 500, file_bytes => 1000000), lab.assess('prod.db.d', files => 200, file_bytes => 1000000);
\pset format unaligned
\pset fieldsep ' | '

-- no budget: all of them, by score
SELECT rank, table_name, operation, verdict, gate, score, objects, pg_size_pretty(bytes::bigint) AS bytes, minutes, gb_hours FROM floe.plan();

CREATE FUNCTION lab.plan(setup text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT lab.rows(setup, 'SELECT p.rank, p.table_name, p.operation, p.verdict, p.value, p.limit_value, p.set_by, p.next_at FROM floe.plan() AS p')
$$;
-- each limit; what does not fit is passed over, and what fits below it goes
SELECT lab.plan($$INSERT INTO floe.budget (name, operations) VALUES ('day', 2)$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, operations) VALUES ('day', 5)$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, operations) VALUES ('none', 0)$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, tables) VALUES ('day', 1)$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, bytes) VALUES ('day', 700000000)$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, bytes) VALUES ('day', 2000000000)$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, bytes) VALUES ('day', 1999999999)$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, gb_hours) VALUES ('day', 0.05)$$);
-- whom it covers
SELECT lab.plan($$INSERT INTO floe.budget (name, pattern, operations) VALUES ('prod', 'prod.**', 0)$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, engine, operations) VALUES ('big', 'big', 0)$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, engine, operations) VALUES ('big', 'big', 0); SELECT floe.alter_policy('p', '{"expire_snapshots": {"engine": "big"}}')$$);
-- of the engine that gets it, which is not the first one named
SELECT lab.plan($$INSERT INTO floe.budget (name, engine, operations) VALUES ('big', 'big', 0); SELECT floe.alter_policy('p', '{"fallback_engines": ["big"]}'); SELECT floe.approve_engines('**', '{big}')$$);
SELECT lab.plan($$INSERT INTO floe.budget (name, operations, is_enabled) VALUES ('off', 0, false)$$);
-- several: all that stop it are named; all it passes pay
SELECT lab.plan($$INSERT INTO floe.budget (name, pattern, operations) VALUES ('all', '**', 3), ('demo', 'demo.**', 2)$$);
-- a dear engine costs more of the same time
SELECT operation, gb_hours FROM floe.plan('demo.db.c');
SELECT floe.alter_policy('p', '{"engine": "big"}');
SELECT operation, gb_hours FROM floe.plan('demo.db.c');
SELECT floe.alter_policy('p', '{"engine": "spark"}');

-- ---- what counts: queued, running, and what ended within the period ----

INSERT INTO floe.budget (name, operations) VALUES ('day', 2);
SELECT table_name, operation, verdict FROM floe.plan() WHERE verdict = 'run';
SELECT floe_internal.plan_and_queue(NULL);
SELECT operation_id, table_name, operation FROM floe_internal.operation_queue ORDER BY 1;
SELECT floe_internal.plan_and_queue(NULL);
SELECT name, operations_left, tables_used, frees_at FROM floe.budgets;
-- queued ones count for as long as they wait
SELECT lab.rows($$SELECT lab.later('3 days')$$, 'SELECT floe_internal.plan_and_queue(NULL)');
-- one is cancelled before it was sent: it never counted
SELECT lab.rows($$SELECT floe.cancel(2)$$, 'SELECT name, operations_left FROM floe.budgets');
-- one ran and ended at 12:30: it counts until 12:00 tomorrow, when its dispatch is a day ago
SELECT lab.claim(1, 'demo.db.a'), floe_internal.operation_saved(1, '\x01', 's') IS NULL AS saved;
SELECT lab.later('30 minutes'), floe_internal.engine_ended(1, 'succeeded', NULL, '', NULL, NULL) IS NULL AS ended, lab.assess('demo.db.a', files => 4, file_bytes => 500000000, snapshots => 60, snapshot_gap => '1 day') IS NULL AS assessed;
UPDATE floe_internal.operation_queue SET before_snapshots = '{}' WHERE operation_id = 1;
SELECT state FROM floe_internal.operation_verified(1);
SELECT floe.cancel(2);
SELECT name, operations_left, tables_used, frees_at FROM floe.budgets;
SELECT lab.rows($$SELECT lab.at('2026-03-03 11:59:59+00')$$, 'SELECT operations_left FROM floe.budgets');
SELECT lab.rows($$SELECT lab.at('2026-03-03 12:00+00')$$, 'SELECT operations_left FROM floe.budgets');
SELECT lab.rows($$UPDATE floe.budget SET period = '10 minutes'$$, 'SELECT operations_left FROM floe.budgets');
-- by estimate until the engine is done, then by the time it took: 30 minutes of 2 GB
UPDATE floe.budget SET gb_hours = 1.5, operations = 10;
SELECT l.estimate ->> 'gb_hours' AS estimated, round(b.gb_hours_used::numeric, 2) AS used FROM floe.operations AS l, floe.budgets AS b WHERE l.id = 1;
-- overdrawn: the limit was lowered; nothing more goes, and nothing breaks
UPDATE floe.budget SET gb_hours = 0.5, operations = 0;
SELECT name, operations_left, round(gb_hours_left::numeric, 2) AS gb_hours_left FROM floe.budgets;
SELECT lab.plan('');

-- ---- a trigger is held by budgets too, but pays only for what it names ----

UPDATE floe.budget SET gb_hours = NULL, operations = 2;
SELECT lab.rows('', $$SELECT t.operation, t.verdict, t.gate, t.value, t.limit_value, t.set_by, t.next_at FROM floe.trigger('demo.db.b') AS t$$);
SELECT lab.assess('demo.db.c', files => 5000, file_bytes => 1000000, snapshots => 40, snapshot_gap => '1 day');
SELECT lab.rows('', $$SELECT t.operation, t.verdict, t.gate FROM floe.trigger('demo.db.c') AS t$$);
SELECT lab.rows('', $$SELECT t.operation, t.verdict, t.gate FROM floe.trigger('demo.db.c', '{expire_snapshots}') AS t$$);
SELECT operation, verdict, gate, value, limit_value, set_by, next_at FROM floe.why('demo.db.b');
SELECT operation, verdict, gate, value FROM floe.why('demo.db.b', true) WHERE gate IN ('budget', 'min_interval') AND operation = 'rewrite_data_files';

-- ---- concurrency: how many are at an engine at one time ----

TRUNCATE floe.budget, floe_internal.operation_queue, floe_internal.operation_log;
ALTER SERVER spark OPTIONS (ADD max_operations '10');
SELECT floe_internal.plan_and_queue(NULL);
INSERT INTO floe.budget (name, pattern, concurrency) VALUES ('demo', 'demo.**', 2);
SELECT lab.claim() FROM generate_series(1, 5);
-- one of them is done at the engine: the next may go; whether its effect is measured yet does not matter
SELECT floe_internal.operation_saved(operation_id, '\x01', 's'), floe_internal.engine_ended(operation_id, 'succeeded', NULL, '', NULL, NULL) FROM floe_internal.operation_queue WHERE table_name = 'demo.db.c' AND state = 'dispatching';
SELECT lab.claim();
SELECT lab.claim();
DELETE FROM floe_internal.operation_queue WHERE state = 'verifying';
SELECT lab.rows('', 'SELECT lab.claim()');
-- on one engine
UPDATE floe.budget SET engine = 'big', concurrency = 0;
SELECT lab.rows('', 'SELECT lab.claim()');
UPDATE floe.budget SET engine = 'spark';
SELECT lab.rows('', 'SELECT lab.claim()');
UPDATE floe.budget SET is_enabled = false;
SELECT lab.rows('', 'SELECT lab.claim()');
SELECT table_name, operation, state FROM floe_internal.operation_queue ORDER BY operation_id;

-- ---- refused ----

\pset tuples_only on
SELECT lab.says($$INSERT INTO floe.budget (name, pattern) VALUES ('x', 'demo..t')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, engine) VALUES ('x', 'flink')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, operations) VALUES ('x', -1)$$);
SELECT lab.says($$INSERT INTO floe.budget (name, period) VALUES ('x', '0')$$);
SELECT lab.says($$INSERT INTO floe.budget (name) VALUES (NULL)$$);
SELECT lab.says($$INSERT INTO floe.budget (name) VALUES ('demo')$$);
