--
-- Policies that begin and end by themselves: at the next boundary, in the next plan, for all their tables at once.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine();
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000), lab.assess('demo.db.u', files => 500, file_bytes => 1000), lab.assess('demo.hr.t');
\pset format unaligned
\pset tuples_only on

-- ---- what is a time ----

SELECT range || E'\n  ' || x.said FROM (VALUES
	(1, '["2026-03-03", "2026-03-04"]'), (2, '["2026-03-03 00:00 Europe/Amsterdam", "2026-03-04 12:00+05:45"]'), (3, '[null, "2026-03-04"]'), (4, '["2026-03-04", null]'), (5, '[null, null]'), (6, '"[2026-03-03,2026-03-04)"'), (7, '"(2026-03-03,2026-03-04]"'),
	(8, '["-infinity", "infinity"]'), (9, 'null')) AS v (n, range) CROSS JOIN LATERAL lab.rows(format($$SELECT floe.create_policy('p', 'demo.**', '{"valid_during": %s}')$$, range), $$SELECT COALESCE(floe.export_policy('p') ->> 'valid_during', 'always')$$) AS x (said) ORDER BY n;
SELECT range || E'\n  ' || lab.says(format($$SELECT floe.create_policy('p', 'demo.**', '{"valid_during": %s}')$$, range)) FROM (VALUES
	(1, '"soon"'), (2, '[]'), (3, '["2026-03-03"]'), (4, '["2026-03-03", 5]'), (5, '["2026-03-04", "2026-03-03"]'), (6, '["2026-03-04", "2026-03-04"]'), (7, '{"from": "2026-03-04"}'), (8, '7'), (9, '"empty"'), (10, '["infinity", null]'), (11, '["2026-02-30", null]')) AS v (n, range) ORDER BY n;

-- ---- a freeze ----

SELECT floe.create_policy('base', 'demo.**', '{"engine": "spark", "rewrite_data_files": {"min_interval": "0"}}') > 0;
SELECT floe.create_policy('freeze', 'demo.db.*', '{"priority": 100, "valid_during": ["2026-03-03 00:00+00", "2026-03-05 00:00+00"], "rewrite_data_files": {"enabled": false}}') > 0;
-- the same fields, pattern and priority at another time
SELECT floe.create_policy('freeze again', 'demo.db.*', '{"priority": 100, "valid_during": ["2026-03-05", "2026-03-06"], "rewrite_data_files": {"enabled": false}}') > 0;
SELECT floe.create_policy('and again', 'demo.db.*', '{"priority": 100, "valid_during": ["2026-03-04", null], "rewrite_data_files": {"enabled": false}}') > 0;
SELECT floe.alter_policy('freeze again', '{"valid_during": null}') > 0;
CREATE VIEW lab.now AS SELECT t.name, t.policies, (SELECT concat_ws(' from ', value, set_by) FROM floe.effective_policy(t.name) WHERE operation = 'rewrite_data_files' AND setting = 'enabled') AS enabled,
	(SELECT concat_ws(' ', w.verdict, w.gate, w.set_by) FROM floe.why(t.name) AS w WHERE w.operation = 'rewrite_data_files') AS verdict FROM floe.tables AS t ORDER BY 1;
TABLE lab.now;
SELECT p.name, v.is_valid, v.next_at FROM floe_internal.policy_validity AS v JOIN floe.policy AS p USING (policy_id) ORDER BY 1;
-- as the pass does: again at once, in a transaction of its own, when it was as many as asked for
\set plan 'SELECT * FROM floe_internal.plan_due(100); SELECT * FROM floe_internal.plan_due(100);'
-- everybody is decided upon, nothing is due any more
:plan
SELECT floe_internal.next_assessor_ms('{}', true) <= 12 * 3600 * 1000;
SELECT table_name, operation, state FROM floe.operations ORDER BY 1;
DELETE FROM floe_internal.operation_queue;
UPDATE floe_internal.table_decision SET decide_at = 'infinity';
UPDATE floe_internal.catalog SET next_list_at = 'infinity';
SELECT floe_internal.next_assessor_ms('{}', true) = 12 * 3600 * 1000 AS wakes_for_the_boundary;
-- a moment before, and just then
SELECT lab.at('2026-03-02 23:59:59.999+00');
:plan
SELECT lab.at('2026-03-03 00:00:00+00');
:plan
TABLE lab.now;
SELECT table_name, operation, state FROM floe.operations ORDER BY 1;
SELECT kind, message FROM floe.events WHERE kind LIKE 'policy %' ORDER BY id;
-- a table that comes meanwhile
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.u', 'demo.db.new', 'demo.hr.t');
SELECT policies FROM lab.now WHERE name = 'demo.db.new';
-- over, and the next one begins with the same boundary
SELECT lab.at('2026-03-05 00:00:00+00');
:plan
TABLE lab.now;
-- past both boundaries of one, without anybody having looked
SELECT lab.at('2026-03-08 00:00:00+00');
:plan
TABLE lab.now;
SELECT kind, message FROM floe.events WHERE kind LIKE 'policy %' ORDER BY id;
SELECT count(*) AS never_again FROM floe_internal.policy_validity WHERE next_at = 'infinity';
-- no version for what nobody changed
SELECT name, max(version) FROM floe.policy_history GROUP BY name ORDER BY 1;

-- ---- changes of it ----

SELECT floe.alter_policy('freeze', '{"valid_during": [null, "2026-03-09"]}') > 0;
SELECT enabled FROM lab.now WHERE name = 'demo.db.t';
SELECT floe.alter_policy('freeze', '{"valid_during": ["2026-03-09", null]}') > 0;
SELECT enabled FROM lab.now WHERE name = 'demo.db.t';
SELECT floe.alter_policy('freeze', '{"valid_during": null}') > 0;
SELECT enabled FROM lab.now WHERE name = 'demo.db.t';
SELECT count(*) FROM floe_internal.policy_validity AS v JOIN floe.policy AS p USING (policy_id) WHERE p.name = 'freeze';
UPDATE floe.policy SET valid_during = '[2026-03-09,2026-03-10)' WHERE name = 'freeze';
SELECT enabled FROM lab.now WHERE name = 'demo.db.t';
SELECT lab.says($$UPDATE floe.policy SET valid_during = 'empty' WHERE name = 'freeze'$$);
-- off is off, whatever the time
SELECT floe.alter_policy('freeze', '{"enabled": false}') > 0;
SELECT lab.at('2026-03-09 00:00:00+00');
:plan
SELECT enabled FROM lab.now WHERE name = 'demo.db.t';
SELECT floe.alter_policy('freeze', '{"enabled": true}') > 0;
SELECT enabled FROM lab.now WHERE name = 'demo.db.t';
-- a table of which all policies are over has none
SELECT floe.drop_policy('freeze'), floe.drop_policy('freeze again'), floe.alter_policy('base', '{"valid_during": [null, "2026-03-10"]}') > 0;
SELECT lab.says($$SELECT * FROM floe.trigger('demo.db.t')$$);
SELECT lab.at('2026-03-10 00:00:00+00');
SELECT floe_internal.plan_and_queue('demo.**');
TABLE lab.now;
SELECT lab.says($$SELECT * FROM floe.trigger('demo.db.t')$$);
-- what a lock holds it holds as long as its policy counts
SELECT floe.create_policy('short', 'demo.**', '{"valid_during": [null, "2026-03-11"], "locks": {"expire_snapshots.options.max_snapshot_age": {"min": "9 days"}}}') > 0;
SELECT floe.alter_policy('base', '{"valid_during": null, "expire_snapshots": {}}') > 0;
SELECT value, set_by FROM floe.effective_policy('demo.db.t') WHERE setting = 'options.max_snapshot_age';
SELECT lab.at('2026-03-11 00:00:00+00');
:plan
SELECT value, set_by FROM floe.effective_policy('demo.db.t') WHERE setting = 'options.max_snapshot_age';
