--
-- Triggers: what a person asks for, from a table nobody has seen to a second trigger that is not needed.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on

-- ---- refused, each with the next step ----

SELECT lab.says($$SELECT * FROM floe.trigger('demo.db.t')$$);
SELECT lab.catalog(), lab.engine();
SELECT lab.says($$SELECT * FROM floe.trigger('prod.db.t')$$);
SELECT lab.says($$SELECT * FROM floe.trigger('demo.db.t')$$);
SELECT lab.says($$SELECT * FROM floe.trigger('demo.db."It''s a ""table"""')$$);
SELECT lab.says($$SELECT * FROM floe.trigger('demo.db.*')$$);
SELECT lab.says($$SELECT * FROM floe.trigger('demo')$$);
SELECT lab.says($$SELECT * FROM floe.trigger('')$$);
SELECT floe.create_policy('p', 'demo.**, !demo.tmp.*', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {"schedule": "0 3 * * *"}, "expire_snapshots": {"windows": ["22:00-23:00"]}}') > 0;
SELECT lab.says($$SELECT * FROM floe.trigger('demo.tmp.t')$$);
SELECT lab.rows($$SELECT floe.alter_policy('p', '{"enabled": false}')$$, $$SELECT lab.says('SELECT * FROM floe.trigger(''demo.db.t'')')$$);
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 60, snapshots => 40, snapshot_gap => '1 day') IS NULL;
SELECT lab.says(format('SELECT * FROM floe.trigger(%s)', args)) FROM (VALUES
	(1, $$'demo.db.t', '{compact}'$$), (2, $$'demo.db.t', '{rewrite_data_files,NULL}'$$), (3, $$'demo.db.t', '{REWRITE_DATA_FILES}'$$),
	(4, $$'demo.db.t', NULL, '[]'$$), (5, $$'demo.db.t', NULL, '3'$$), (6, $$'demo.db.t', NULL, '{"compact": {}}'$$), (7, $$'demo.db.t', NULL, '{"rewrite_data_files": {"target": 1}}'$$),
	(8, $$'demo.db.t', NULL, '{"rewrite_data_files": {"target_file_size": "huge"}}'$$), (9, $$'demo.db.t', NULL, '{"rewrite_data_files": 3}'$$), (10, $$'demo.db.t', NULL, '{"rewrite_data_files": null}'$$),
	(11, $$'demo.db.t', '{expire_snapshots}', '{"rewrite_data_files": {"target_file_size": "128 MB"}}'$$),
	(12, $$'demo.db.t', '{remove_orphan_files}', '{"remove_orphan_files": {"older_than": "1 hour"}}'$$), (13, $$'demo.db.t', '{rewrite_data_files}', '{"rewrite_data_files": {"where": "1=1"}}'$$)) AS v (n, args) ORDER BY n;
-- options that contradict what the policy says
SELECT lab.rows($$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"target_file_size": "128 MB"}}}')$$,
	$$SELECT lab.says('SELECT * FROM floe.trigger(''demo.db.t'', NULL, ''{"rewrite_data_files": {"max_file_size": "64 MB"}}'')')$$);
-- nothing of all that was queued
SELECT count(*) FROM floe.operations;
\pset tuples_only off

-- ---- a sick table: what is called for, whatever the schedule and the window say ----

SELECT operation, verdict, gate, next_at FROM floe.why('demo.db.t');
SELECT * FROM floe.trigger('demo.db.t');
SELECT id, operation, state, origin, requested_by, policies, engine FROM floe.operations ORDER BY id;
SELECT jsonb_path_query_first(reason, '$[*] ? (@.gate == "window")') AS window FROM floe.operations WHERE operation = 'expire_snapshots';
-- again: it waits already
SELECT operation, verdict, gate, value FROM floe.trigger('demo.db.t');
-- once they have ended
SELECT floe.cancel(operation_id) FROM floe_internal.operation_queue ORDER BY operation_id;
SELECT lab.later('1 hour'), lab.assess('demo.db.t', files => 1, snapshots => 2);
SELECT operation, verdict, gate, value, limit_value, set_by, next_at FROM floe.trigger('demo.db.t');
SELECT operation, verdict, gate, value, limit_value FROM floe.trigger('demo.db.t', '{rewrite_data_files,rewrite_position_delete_files}');
SELECT id, operation, state, reason #>> '{8,gate}' AS reason FROM floe.operations WHERE finished_at IS NULL ORDER BY id;
TRUNCATE floe_internal.operation_queue;

-- ---- options of this run ----

SELECT operation, verdict FROM floe.trigger('demo.db.t', '{rewrite_data_files,expire_snapshots}', '{"rewrite_data_files": {"target_file_size": "64 MB", "rewrite_all": true}}');
SELECT operation, settings -> 'options' AS options FROM floe.operations WHERE finished_at IS NULL ORDER BY operation DESC;
TRUNCATE floe_internal.operation_queue;
-- over the policy's, by whatever name
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"target_file_size": "128 MB", "rewrite_all": false}}}') > 0 AS altered;
SELECT operation, verdict FROM floe.trigger('demo.db.t', '{rewrite_data_files}', '{"rewrite_data_files": {"target-file-size-bytes": 67108864}}');
SELECT operation, settings -> 'options' AS options FROM floe.operations WHERE finished_at IS NULL;
TRUNCATE floe_internal.operation_queue;
SELECT lab.says($$SELECT * FROM floe.trigger('demo.db.t', '{}')$$);
SELECT operation, verdict FROM floe.trigger('demo.db.t', NULL, NULL);

-- ---- a table nobody has seen: read first ----

SELECT * FROM floe.trigger('demo.new.t');
SELECT name, status, policies, next_poll_at FROM floe.tables WHERE name = 'demo.new.t';
-- asked twice is asked once; asked for something else is asked as well
SELECT operation, verdict FROM floe.trigger('demo.new.t') LIMIT 1;
SELECT operation, verdict FROM floe.trigger('demo.new.t', '{rewrite_manifests}', '{"rewrite_manifests": {"use_caching": false}}');
SELECT operations, options, requested_by FROM floe_internal.trigger_request ORDER BY request_id;
-- it is read: what is called for is queued, what is not is told
SELECT lab.assess('demo.new.t', files => 300, file_bytes => 1000000);
SELECT id, table_name, operation, state, origin, settings -> 'options' AS options FROM floe.operations WHERE table_name = 'demo.new.t' ORDER BY id;
SELECT kind, message FROM floe.events WHERE table_name = 'demo.new.t' ORDER BY id;
SELECT count(*) FROM floe_internal.trigger_request;
-- it cannot be read: the trigger is refused, not forgotten
SELECT operation, verdict FROM floe.trigger('demo.new.u') LIMIT 1;
SELECT floe_internal.table_failed(lab.id('demo.new.u'), 'not_found', 'the catalog has no such table', NULL);
SELECT kind, message FROM floe.events WHERE table_name = 'demo.new.u' ORDER BY id;
SELECT count(*) FROM floe_internal.trigger_request;
SELECT operation, verdict, gate, value, set_by FROM floe.trigger('demo.new.u', '{rewrite_data_files}');

-- ---- a table that is gone, and comes back ----

SELECT lab.list_tables('demo', 'demo.db.t');
SELECT lab.says($$SELECT * FROM floe.trigger('demo.new.t')$$);
SELECT id, state, error FROM floe.operations WHERE table_name = 'demo.new.t' ORDER BY id;
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.new.t');
SELECT status, metadata_location FROM floe_internal.iceberg_table WHERE name = 'demo.new.t';
SELECT operation, verdict, gate FROM floe.trigger('demo.new.t', '{rewrite_data_files}');
SELECT lab.assess('demo.new.t', files => 300, file_bytes => 1000000);
SELECT operation, state FROM floe.operations WHERE table_name = 'demo.new.t' AND finished_at IS NULL;

-- ---- held back ----

SELECT operation, verdict, gate, value, set_by FROM floe.trigger('demo.new.t', '{rewrite_data_files}');
SELECT floe.pause('demo.db.**', '2026-03-03 08:00+00', 'migration');
SELECT operation, verdict, gate, value, set_by, next_at FROM floe.trigger('demo.db.t', '{rewrite_data_files}');
SELECT floe.resume('**');
SELECT lab.assess('demo.db.t', properties => '{"gc.enabled": "false"}');
SELECT operation, verdict, gate, value, set_by FROM floe.trigger('demo.db.t', '{expire_snapshots,remove_orphan_files}');
DROP SERVER spark;
SELECT operation, verdict, gate, value, set_by FROM floe.trigger('demo.db.t', '{rewrite_data_files}');

-- ---- names are told apart by case, and whoever is no operator may not ----

SELECT lab.says($$SELECT * FROM floe.trigger('demo.DB.t')$$);
CREATE ROLE regress_guest;
SET ROLE regress_guest;
SELECT * FROM floe.trigger('demo.db.t');
RESET ROLE;
DROP ROLE regress_guest;
