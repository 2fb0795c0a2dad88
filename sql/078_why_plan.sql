--
-- What people ask: why(), plan() and status() of tables that are healthy, sick, paused, without a policy, not allowed to lose files, unreadable, new.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '
SELECT lab.catalog(), lab.engine();
-- before there is anything
SELECT * FROM floe.plan();
SELECT * FROM floe.status();
SELECT floe.create_policy('defaults', 'demo.db.**', '{"engine": "spark", "rewrite_data_files": {"schedule": "0 2 * * *", "timezone": "Europe/Amsterdam", "jitter": "0"}, "rewrite_manifests": {}, "expire_snapshots": {"every": "6 hours", "jitter": "0"}, "remove_orphan_files": {"every": "7 days", "jitter": "0"}}') AS policy;
SELECT lab.assess('demo.db.healthy', files => 3, snapshots => 2), lab.assess('demo.db.sick', files => 3000, file_bytes => 1000000, manifests => 80, snapshots => 60, snapshot_gap => '1 day'),
	lab.assess('demo.db.paused', files => 500, file_bytes => 1000000), lab.assess('demo.raw.free', files => 500, file_bytes => 1000000),
	lab.assess('demo.db.kept', files => 2, snapshots => 60, snapshot_gap => '1 day', properties => '{"gc.enabled": "false"}'), lab.assess('demo.db.broken', files => 500, file_bytes => 1000000),
	lab.assess('demo.db.partly', files => 500, file_bytes => 1000000, complete => false);
SELECT floe_internal.table_failed(lab.id('demo.db.broken'), 'protocol', 'metadata.json ends in the middle of an object', 's3://lake/demo/db/broken/metadata/3.json');
SELECT floe.pause('demo.db.paused', '2026-03-09 00:00+00', 'backfill until Monday');
SELECT lab.list_tables('demo', 'demo.db.healthy', 'demo.db.sick', 'demo.db.paused', 'demo.raw.free', 'demo.db.kept', 'demo.db.broken', 'demo.db.partly');
-- in a catalog of its own: beside a table of which nothing is known nobody's orphans are removed
SELECT lab.catalog('late'), lab.list_tables('late', 'late.db.new'), floe.create_policy('later', 'late.db.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {}}') AS policy;
-- two in the afternoon of the next day: every schedule is due
SELECT lab.at('2026-03-03 13:00+00');

-- ---- why ----

SELECT * FROM floe.why('demo.db.healthy');
SELECT * FROM floe.why('demo.db.sick');
SELECT * FROM floe.why('demo.db.paused');
SELECT * FROM floe.why('demo.raw.free');
SELECT * FROM floe.why('demo.db.kept');
SELECT * FROM floe.why('demo.db.broken');
SELECT * FROM floe.why('demo.db.partly');
SELECT * FROM floe.why('late.db.new');
-- every gate of one operation
SELECT gate, verdict, value, limit_value, set_by, next_at FROM floe.why('demo.db.sick', true) WHERE operation = 'rewrite_data_files';
SELECT gate, verdict, value, limit_value, set_by, next_at FROM floe.why('demo.db.kept', true) WHERE operation = 'expire_snapshots' AND verdict <> 'pass';
-- the first gate that stops is the verdict, for every operation of every table; and if none does, it runs
SELECT count(*) AS verdicts, count(*) FILTER (WHERE w.verdict IS DISTINCT FROM COALESCE(d.verdict, 'run')) AS differ
FROM floe.tables AS t CROSS JOIN LATERAL floe.why(t.name) AS w
LEFT JOIN LATERAL (SELECT x.verdict FROM floe.why(t.name, true) WITH ORDINALITY AS x (operation, verdict, gate, value, limit_value, set_by, next_at, score, place)
				   WHERE x.operation = w.operation AND x.verdict <> 'pass' ORDER BY x.place LIMIT 1) AS d ON true;
SELECT lab.says($$SELECT * FROM floe.why('demo.db.nobody')$$);
SELECT lab.says($$SELECT * FROM floe.why('nobody.db.t')$$);
SELECT lab.says($$SELECT * FROM floe.why('demo.db.SICK')$$);
SELECT count(*) FROM floe.why(NULL);

-- ---- plan ----

SELECT * FROM floe.plan();
SELECT rank, table_name, operation FROM floe.plan('demo.db.k*');
INSERT INTO floe.budget (name, tables) VALUES ('careful', 1);
SELECT rank, table_name, operation, verdict, gate, value, limit_value, set_by FROM floe.plan();
SELECT operation, verdict, gate, value, set_by FROM floe.why('demo.db.healthy');
DELETE FROM floe.budget;
SELECT lab.says($$SELECT * FROM floe.plan('demo..x')$$);
-- what the plan says is what is queued, in that order
CREATE TABLE lab.planned AS SELECT rank, table_name, operation, score FROM floe.plan();
SELECT floe_internal.plan_and_queue(NULL);
SELECT count(*) AS planned, count(q.id) AS queued, count(*) FILTER (WHERE q.score = p.score) AS same_score FROM lab.planned AS p LEFT JOIN floe.operations AS q ON q.table_name = p.table_name AND q.operation = p.operation;
SELECT count(*) FROM floe.plan();
SELECT operation, verdict, gate, value FROM floe.why('demo.db.sick');
-- asking changed nothing
SELECT count(*) FROM floe.events WHERE kind NOT IN ('table assessed', 'table error', 'paused', 'operation queued', 'catalog ok');

-- ---- status ----

SELECT * FROM floe.status();
SELECT name, verdict FROM floe.status('demo.raw.*');
SELECT lab.says($$SELECT * FROM floe.status('')$$);
SELECT count(*) FROM floe.status(NULL);
SELECT name, status, error, error_detail, error_since, policies, current_operation, current_state, last_state FROM floe.tables ORDER BY name;
SELECT * FROM floe.effective_policy('demo.db.sick') WHERE operation IS NULL OR operation = 'expire_snapshots';

-- ---- a new schedule waits for its first time; one that was due and found nothing waits for its next ----

SELECT operation, schedule_key IS NOT NULL AS scheduled, next_due_at FROM floe_internal.table_operation WHERE table_id = lab.id('demo.db.healthy') ORDER BY operation;
SELECT operation, verdict, gate, next_at FROM floe.why('demo.db.healthy');
SELECT lab.at('2026-03-04 01:00:00+00'), floe_internal.plan_and_queue(NULL);
SELECT operation, next_due_at FROM floe_internal.table_operation WHERE table_id = lab.id('demo.db.healthy') ORDER BY operation;
-- no stampede: floe's own cadence and a policy's jitter spread over their width, the same for each table every time
SELECT floe.create_policy('many', 'demo.many.*', '{"engine": "spark", "remove_orphan_files": {}, "expire_snapshots": {"schedule": "0 5 * * *", "jitter": "1 hour"}}') AS policy;
SELECT count(lab.assess('demo.many.t' || n)) FROM generate_series(1, 40) AS n;
SELECT floe_internal.plan_and_queue('demo.many.*');
SELECT x.operation, count(*) AS tables, count(DISTINCT x.next_due_at) AS times, min(x.next_due_at) >= '2026-03-04 01:00+00' AND max(x.next_due_at) < '2026-03-11 01:00+00' AS within_a_week,
	max(x.next_due_at) - min(x.next_due_at) > CASE x.operation WHEN 'expire_snapshots' THEN interval '40 minutes' ELSE interval '5 days' END AS spread
FROM floe_internal.table_operation AS x JOIN floe_internal.iceberg_table AS t USING (table_id) WHERE t.name LIKE 'demo.many.%' GROUP BY x.operation ORDER BY x.operation;
