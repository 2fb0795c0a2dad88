--
-- scale.sql: how long the decisions take with many tables. Not a test: it fills a database of its own and says times.
--
--   createdb scale && psql -X -d scale -v tables=100000 -f test/tools/scale.sql
--
-- 50 policies in four layers (all, one for each schema, hot tables, one team); one table in ten is sick. Needs no network: health is stored as
-- the library would store it, without manifests, because decisions read only the sums.
--
\set ON_ERROR_STOP 1
\if :{?tables} \else \set tables 100000 \endif
\set schemas 40
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS floe CASCADE;
DROP SCHEMA IF EXISTS floe;
CREATE EXTENSION floe;
SET jit = off;	-- as the public functions and the library do for themselves
CREATE SERVER lake TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice', max_operations '10');

\echo '-- filling'
SELECT count(floe.create_policy(format('schema %s', n), format('lake.s%s.**', n), '{"expire_snapshots": {"options": {"retain_last": 5}}, "rewrite_manifests": {}}')) AS policies FROM generate_series(0, :schemas - 1) AS n;
SELECT count(floe.create_policy(format('hot %s', n), format('lake.*.hot%s_*', n), '{"priority": 10, "rewrite_data_files": {"every": "1 hour"}}')) AS policies FROM generate_series(1, 8) AS n;
SELECT floe.create_policy('team', 'lake.s1.*, !lake.s1.hot*', '{"priority": 5, "thresholds": {"excess_file_count": {"warning": 50}}}') AS policy;
SELECT floe.create_policy('all', '**', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}, "remove_orphan_files": {}}') AS policy;
INSERT INTO floe.budget (name, operations, bytes) VALUES ('day', 5000, 1e15);
INSERT INTO floe.budget (name, pattern, concurrency) VALUES ('quiet', 'lake.s2.**', 1);
\timing on
\echo '-- apply_listing: all tables are new'
SELECT floe_internal.apply_listing(c.catalog_id, array_agg('s' || n % :schemas), array_agg(CASE WHEN n % 11 = 0 THEN format('hot%s_%s', n % 8 + 1, n) ELSE 't' || n END)) AS new
FROM floe_internal.catalog AS c, generate_series(1, :tables) AS n GROUP BY c.catalog_id;
\timing off
UPDATE floe_internal.iceberg_table SET status = 'ok', metadata_location = 'm', properties = '{}', refs = '[{"name": "main", "type": "branch", "snapshot_id": 1}]', current_snapshot_id = 1,
	location = 's3://lake/' || array_to_string(levels, '/'), location_key = 's3://lake/' || array_to_string(levels, '/'), assessed_at = now(), details = '{"snapshot_count": 1}', manifest_ids = '{}',
	-- one snapshot, a minute old: version, count, operation and flags, id, time as zigzag varint, sequence number
	snapshots = '\x0101'::bytea || '\x0100'::bytea || int8send(1) || '\x80e0f1ffbf6402'::bytea;
INSERT INTO floe_internal.health
	SELECT (jsonb_populate_record(NULL::floe_internal.health, jsonb_build_object('table_id', t.table_id, 'assessed_at', now(), 'target_file_bytes', 536870912, 'small_below_bytes', 402653184, 'oversized_above_bytes', 966367641, 'min_input_files', 5,
		'is_complete', true, 'is_inexact', false, 'excess_file_count', CASE WHEN t.table_id % 10 = 0 THEN t.table_id % 2000 ELSE t.table_id % 40 END, 'small_file_count', t.table_id % 2000, 'small_file_bytes', t.table_id * 1000,
		'data_file_count', t.table_id % 5000, 'data_bytes', t.table_id * 10000, 'record_count', t.table_id * 100, 'delete_ratio', 0, 'excess_manifest_count', t.table_id % 60, 'manifest_count', 70,
		'position_delete_file_count', 0, 'equality_delete_file_count', 0, 'dangling_delete_count', 0, 'snapshot_count', 1))).*
	FROM floe_internal.iceberg_table AS t;
VACUUM ANALYZE;

\timing on
\echo '-- claim_tables, 100 of them'
SELECT count(*) FROM floe_internal.claim_tables(1, ARRAY(SELECT catalog_id FROM floe_internal.catalog), NULL, 100, true);
\echo '-- recompute_health, nothing changed'
SELECT floe_internal.recompute_health(NULL);
\echo '-- why, first and again'
SELECT count(*) FROM floe.why('lake.s1.t1');
SELECT count(*) FROM floe.why('lake.s1.t1');
\echo '-- plan of one schema'
SELECT verdict, count(*) FROM floe.plan('lake.s3.**') GROUP BY verdict;
\echo '-- plan_and_queue, all'
SELECT floe_internal.plan_and_queue(NULL);
\echo '-- plan, all'
SELECT verdict, count(*) FROM floe.plan() GROUP BY verdict;
\echo '-- status, all'
SELECT verdict, count(*) FROM floe.status() GROUP BY verdict ORDER BY verdict;
\echo '-- trigger'
SELECT count(*) FROM floe.trigger('lake.s1.t41', '{rewrite_data_files}');
\echo '-- claim_operation'
SELECT count(*) FROM floe_internal.claim_operation(1, NULL);
\echo '-- a policy that matches everything is changed'
SELECT floe.alter_policy('all', '{"priority": 1}');
\echo '-- ... and only one of its settings'
SELECT floe.alter_policy('all', '{"expire_snapshots": {"options": {"retain_last": 3}}}');
\echo '-- a new policy'
SELECT floe.create_policy('new', '**.t1*', '{"priority": 3, "rewrite_data_files": {"options": {"target_file_size": "256 MB"}}}');
\echo '-- recompute_health of the tables it matches'
SELECT floe_internal.recompute_health('lake.s1.**');
\echo '-- tables, engines, stats, purge'
SELECT count(*) FROM (SELECT * FROM floe.tables OFFSET 0) AS t;
SELECT name, queued FROM floe.engines;
SELECT operation, queued FROM floe.stats();
SELECT floe_internal.purge(10000);
\timing off
