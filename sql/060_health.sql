--
-- Health: from stored manifests and facts to numbers, levels, partitions and history.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT lab.catalog(), lab.engine();
\pset format unaligned
\pset fieldsep ' | '

-- ---- one table, every metric ----

SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 100, position_deletes => 60, equality_deletes => 5, snapshots => 50, snapshot_gap => '1 day', newest => '2026-03-02 10:00+00',
	refs => '[{"name": "v1", "type": "tag", "snapshot_id": 10}]') IS NULL AS assessed;
SELECT * FROM floe.health('demo.db.t');
-- ages move with the clock, and so do the snapshots that may go; the rest stands still
SELECT lab.later('3 days');
SELECT metric, value, shown, level, assessed_at FROM floe.health('demo.db.t') WHERE metric IN ('oldest_snapshot_age', 'newest_snapshot_age', 'last_write_age', 'expirable_snapshot_count', 'commit_interval', 'data_file_count');
SELECT lab.at('2026-03-02 12:00+00');

-- ---- levels: below, at and beyond the thresholds; those of a policy; none ----

CREATE FUNCTION lab.level(metrics jsonb, metric text, setup text DEFAULT '') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT lab.rows(setup || format('; SELECT lab.measure(%L, %L)', 'demo.db.t', metrics), format('SELECT h.value, h.shown, h.level, h.warning, h.critical, h.set_by FROM floe.health(%L) AS h WHERE h.metric = %L', 'demo.db.t', metric))
$$;
SELECT n, lab.level(m, k) FROM (VALUES (1, '{"excess_file_count": 99}'::jsonb, 'excess_file_count'), (2, '{"excess_file_count": 100}', 'excess_file_count'), (3, '{"excess_file_count": 999}', 'excess_file_count'),
	(4, '{"excess_file_count": 1000}', 'excess_file_count'), (5, '{"excess_file_count": null}', 'excess_file_count'), (6, '{"delete_ratio": 0.2}', 'delete_ratio'), (7, '{"delete_ratio": 0.50001}', 'delete_ratio'),
	(8, '{"small_file_count": 1000000}', 'small_file_count'), (9, '{"commit_interval": 90}', 'commit_interval'), (10, '{"commit_interval": 200000}', 'commit_interval'), (11, '{"average_file_bytes": 1234567.8}', 'average_file_bytes'),
	(12, '{"partition_skew": 1.5}', 'partition_skew'), (13, '{"data_bytes": 5000000000000000}', 'data_bytes')) AS v (n, m, k) ORDER BY n;
SELECT lab.level('{"excess_file_count": 10}', 'excess_file_count', $$SELECT floe.create_policy('p', 'demo.**', '{"thresholds": {"excess_file_count": {"warning": 10}}}')$$);
SELECT lab.level('{"excess_file_count": 10}', 'excess_file_count', $$SELECT floe.create_policy('p', 'demo.**', '{"thresholds": {"excess_file_count": {"critical": 10, "warning": 1}}}')$$);
SELECT lab.level('{"small_file_count": 10}', 'small_file_count', $$SELECT floe.create_policy('p', 'demo.**', '{"thresholds": {"small_file_count": {"warning": 10}}}')$$);
SELECT lab.level('{"small_file_count": 10}', 'small_file_count', $$SELECT floe.create_policy('p', 'prod.**', '{"thresholds": {"small_file_count": {"warning": 10}}}')$$);

-- ---- what is unknown is not zero; what is empty is ----

SELECT lab.assess('demo.db.partly', files => 500, file_bytes => 1000000, manifests => 3, complete => false) IS NULL AS assessed;
SELECT string_agg(metric, ' ') FILTER (WHERE value IS NULL) AS unknown, string_agg(metric, ' ') FILTER (WHERE value IS NOT NULL) AS known FROM floe.health('demo.db.partly');
SELECT metric, shown, level FROM floe.health('demo.db.partly') WHERE metric IN ('data_file_count', 'excess_file_count', 'manifest_count');
SELECT lab.assess('demo.db.empty', files => 0, manifests => 0, snapshots => 0) IS NULL AS assessed;
SELECT string_agg(metric, ' ') FILTER (WHERE value IS NULL) AS unknown, string_agg(metric || '=' || value, ' ') FILTER (WHERE value IS NOT NULL) AS known FROM floe.health('demo.db.empty');
-- listed, not read yet: nothing is known; and what is not a table
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.partly', 'demo.db.empty', 'demo.db.new');
SELECT count(*) FROM floe.health('demo.db.new');
SELECT count(*) FROM floe.partition_health('demo.db.new');
SELECT lab.says($$SELECT * FROM floe.health('demo.db.nobody')$$);
SELECT lab.says($$SELECT * FROM floe.health('other.db.t')$$);
SELECT lab.says($$SELECT * FROM floe.partition_health('demo.db')$$);

-- ---- partitions ----

SELECT lab.assess('demo.db.parts', files => 12, file_bytes => 1000000, manifests => 2, snapshots => 3, partitions => '{"{\"day\": \"2026-03-01\"}","{\"day\": \"2026-03-02\"}"}') IS NULL AS assessed;
SELECT * FROM floe.partition_health('demo.db.parts');
SELECT metric, value FROM floe.health('demo.db.parts') WHERE metric IN ('data_file_count', 'excess_file_count', 'partition_count', 'partition_skew', 'manifest_spread') ;
SELECT * FROM floe.partition_health('demo.db.t');

-- ---- a setting changes: judged anew from what is stored, without reading the table again ----

CREATE FUNCTION lab.files() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(metric || '=' || COALESCE(value::text, '?'), ' ') FROM floe.health('demo.db.t') WHERE metric ~ '^(excess|small|oversized)_file_count' $$;
CREATE FUNCTION lab.anew(VARIADIC names text[]) RETURNS int LANGUAGE sql AS $$ SELECT floe_internal.recompute_health(ARRAY(SELECT lab.id(n) FROM unnest(names) AS n)) $$;
SELECT lab.files();
SELECT floe.create_policy('p', 'demo.db.t', '{"engine": "spark", "rewrite_data_files": {"options": {"target_file_size": "1MB"}}}') > 0 AS made;
SELECT lab.anew('demo.db.t'), lab.files();
SELECT lab.anew('demo.db.t'), lab.files();
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"target_file_size": "512 MB", "min_input_files": 1000}}}') > 0 AS altered;
SELECT lab.anew('demo.db.parts'), lab.anew('demo.db.parts', 'demo.db.t'), lab.files();
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"min_input_files": null, "min_file_size": "900 kB", "max_file_size": "1000 MB"}}}') > 0 AS altered;
SELECT lab.anew('demo.db.t'), lab.files();
SELECT floe.drop_policy('p');
SELECT lab.anew('demo.db.t'), lab.files();
-- a table property does the same, when the table is read
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, properties => '{"write.target-file-size-bytes": "1000000"}') IS NULL AS assessed;
SELECT lab.files();

-- ---- history: changes, not measurements ----

SELECT lab.assess('demo.db.h', files => 5) IS NULL AS assessed;
SELECT lab.later('5 minutes'), lab.assess('demo.db.h', files => 5, newest => '2026-03-02 11:00+00') IS NULL AS assessed;
SELECT lab.later('5 minutes'), lab.assess('demo.db.h', files => 6, newest => '2026-03-02 11:00+00') IS NULL AS assessed;
SELECT lab.later('5 minutes'), lab.assess('demo.db.h', files => 6, snapshots => 2, newest => '2026-03-02 12:14+00') IS NULL AS assessed;
SELECT table_name, assessed_at, data_file_count, snapshot_count, newest_snapshot_at FROM floe.health_history WHERE table_name = 'demo.db.h' ORDER BY assessed_at;
-- it stays when the table goes
SELECT lab.list_tables('demo', 'demo.db.t');
SELECT count(*) FROM floe.health_history WHERE table_name = 'demo.db.h';
SELECT count(*) > 0 AS known FROM floe.health('demo.db.h');

-- ---- made anew under the same name: another table, whose past is not its own ----

SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000) IS NULL AS assessed;
INSERT INTO floe_internal.table_operation (table_id, operation, failures, failure_class) VALUES (lab.id('demo.db.t'), 'rewrite_data_files', 3, 'permanent');
SELECT lab.assess('demo.db.t', files => 400, file_bytes => 1000000) IS NULL AS assessed;
SELECT count(*) AS remembered FROM floe_internal.table_operation;
SELECT lab.assess('demo.db.t', files => 400, file_bytes => 1000000, uuid => 'another') IS NULL AS assessed;
SELECT count(*) AS remembered FROM floe_internal.table_operation;
SELECT kind, message FROM floe.events WHERE kind = 'table recreated';

-- ---- manifests that left the list are kept for a day, so that a rollback costs nothing ----

SELECT lab.assess('demo.db.m', files => 10, manifests => 2, snapshots => 1) IS NULL AS assessed, lab.assess('demo.db.m', files => 10, manifests => 2, snapshots => 2) IS NULL AS assessed;
SELECT path, left_list_at FROM floe_internal.manifest WHERE table_id = lab.id('demo.db.m') ORDER BY path;
SELECT unread FROM floe_internal.unread_manifests(lab.id('demo.db.m'), '{m1-1.avro,m2-1.avro,m3-1.avro}', '{10000,9999,10000}', '{0,0,0}', '{0,0,0}', '{1,1,1}', '{1,1,1}', false, '{}');
SELECT lab.later('25 hours'), floe_internal.purge(1000) AS more;
SELECT path, left_list_at FROM floe_internal.manifest WHERE table_id = lab.id('demo.db.m') ORDER BY path;
SELECT lab.says($$SELECT floe_internal.apply_assessment(lab.id('demo.db.m'), '{"details": {}}', NULL, NULL, '{m1-1.avro}', '{10000}', '{0}', '{0}', true)$$);
