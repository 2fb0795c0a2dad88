-- Every table has a rule that bounds it, and the rules can be kept without reading whole tables. What the rules do: sql/086_retention.sql, test/t/120_retention.pl.
SELECT plan(18);

CREATE VIEW relation AS
	SELECT c.* FROM pg_class AS c WHERE c.relnamespace IN ('floe'::regnamespace, 'floe_internal'::regnamespace) AND c.relkind IN ('r', 'p', 'm', 'f');
CREATE VIEW rule AS
	SELECT r.* FROM floe_internal.retention AS r;
-- foreign keys, and whether an index over all rows begins with their first column
CREATE VIEW foreign_key AS
	SELECT k.conrelid, k.confrelid, k.confdeltype, k.conname,
		EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1] AND i.indpred IS NULL AND i.indisvalid) AS is_indexed
	FROM pg_constraint AS k WHERE k.contype = 'f' AND k.connamespace IN ('floe'::regnamespace, 'floe_internal'::regnamespace);

-- ---- all tables, and nothing else ----

SELECT cmp_ok((SELECT count(*) FROM relation), '>', 30::bigint, 'there are tables to look at');
SELECT is_empty($$SELECT c.oid::regclass FROM relation AS c WHERE NOT EXISTS (SELECT FROM rule AS r WHERE r.relation = c.oid)$$, 'every table says what bounds it');
SELECT is_empty($$SELECT r.relation FROM rule AS r WHERE NOT EXISTS (SELECT FROM relation AS c WHERE c.oid = r.relation)$$, 'and every rule is of a table');
CREATE TABLE floe_internal.another (n int);
SELECT results_eq($$SELECT c.oid::regclass FROM relation AS c WHERE NOT EXISTS (SELECT FROM rule AS r WHERE r.relation = c.oid)$$, $$VALUES ('floe_internal.another'::regclass)$$, 'a new table would be noticed');
DROP TABLE floe_internal.another;
SELECT is((SELECT count(*) FROM floe.retention WHERE bytes >= 0), (SELECT count(*) FROM relation), 'floe.retention shows them all');

-- ---- what people can set ----

SELECT is_empty($$SELECT r.relation, r.setting FROM rule AS r WHERE r.setting IS NOT NULL AND NOT EXISTS (SELECT FROM pg_settings AS s WHERE s.name = r.setting AND s.unit = 'min' AND s.setting::bigint >= s.min_val::bigint AND s.min_val::bigint > 0)$$,
	'settings are parameters, and none keeps nothing');
SELECT is_empty($$SELECT s.name FROM pg_settings AS s WHERE s.name LIKE 'floe.%retention' AND NOT EXISTS (SELECT FROM rule AS r WHERE r.setting = s.name)$$, 'and each parameter is of a table');
SELECT is_empty($$SELECT s.name FROM pg_settings AS s WHERE s.name LIKE 'floe.%retention' AND s.context <> 'superuser'$$, 'no session keeps or drops what is others'' business');

-- ---- rules of time ----

SELECT cmp_ok((SELECT count(*) FROM rule WHERE rule = 'time'), '>=', 6::bigint, 'there are rules of time');
SELECT is_empty($$SELECT r.relation FROM rule AS r WHERE r.rule = 'time' AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = r.relation AND a.attname = r.time_column AND a.atttypid = 'timestamptz'::regtype)$$, 'over a column that is a time');
SELECT is_empty($$SELECT r.relation FROM rule AS r WHERE r.rule = 'time' AND NOT EXISTS (
	SELECT FROM pg_attribute AS a JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indkey[0] = a.attnum JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam
	WHERE a.attrelid = r.relation AND a.attname = r.time_column AND m.amname = 'btree' AND i.indpred IS NULL)$$, 'that leads a B-tree: a purge begins with the oldest row');

-- ---- rows that go with others ----

SELECT cmp_ok((SELECT count(*) FROM rule WHERE rule = 'owner'), '>=', 5::bigint, 'there are rows that go with their owner');
SELECT is_empty($$SELECT r.relation FROM rule AS r WHERE r.rule = 'owner' AND NOT EXISTS (SELECT FROM foreign_key AS k JOIN rule AS o ON o.relation = k.confrelid AND o.rule IN ('state', 'people') WHERE k.conrelid = r.relation AND k.confdeltype = 'c')$$, 'by a foreign key');
SELECT is_empty($$SELECT k.conrelid::regclass, k.conname FROM foreign_key AS k JOIN rule AS o ON o.relation = k.confrelid
	WHERE o.rule NOT IN ('fixed', 'people') AND NOT k.is_indexed AND k.confrelid <> 'floe_internal.catalog'::regclass$$, 'found by an index; but for the tables of a catalog, which goes once');
SELECT is_empty($$SELECT k.conrelid::regclass, k.conname FROM foreign_key AS k JOIN rule AS r ON r.relation = k.conrelid JOIN rule AS o ON o.relation = k.confrelid
	WHERE o.rule = 'state' AND r.rule = 'time' AND k.confdeltype <> 'c'$$, 'history keeps nothing alive');

-- ---- the scans of a purge ----

-- Every plan of it, when tables are large: no sequential scan but of what is small by its nature.
SET floe.virtual_clock = '2026-03-02 12:00+00';
CREATE SERVER demo TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
SELECT count(floe_internal.apply_listing(catalog_id, ARRAY(SELECT 'db'::text FROM generate_series(1, 8000)), ARRAY(SELECT 't' || n FROM generate_series(1, 8000) AS n))) AS listed FROM floe_internal.catalog \gset
SELECT floe.create_policy('p', 'demo.**', '{"rewrite_manifests": {}}') AS policy \gset
INSERT INTO floe_internal.manifest (table_id, path, length, content, spec_id, sequence_number, added_snapshot_id, has_paths, aggregate)
	SELECT table_id, 'm' || n, 1, 0, 0, 1, 1, false, '' FROM floe_internal.iceberg_table, generate_series(1, 2) AS n;
INSERT INTO floe_internal.health_history SELECT (jsonb_populate_record(NULL::floe_internal.health_history, jsonb_build_object('table_id', table_id, 'assessed_at', floe_internal.clock(), 'target_file_bytes', 1, 'small_below_bytes', 1,
	'oversized_above_bytes', 1, 'min_input_files', 5, 'is_complete', true, 'is_inexact', false))).* FROM floe_internal.iceberg_table;
INSERT INTO floe_internal.event (happened_at, kind, message) SELECT floe_internal.clock() - n * interval '1 second', 'k', 'm' FROM generate_series(1, 8000) AS n;
INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, finished_at)
	SELECT table_id, name, 'rewrite_data_files', 'succeeded', false, 'floe', 'spark', '{}', '', '{}', '[]', first_seen_at, first_seen_at FROM floe_internal.iceberg_table;
UPDATE floe_internal.iceberg_table SET status = 'dropped', dropped_at = floe_internal.clock() - interval '40 days' WHERE table_name IN ('t5', 't6', 't7');
UPDATE floe_internal.iceberg_table SET status = 'dropped', dropped_at = floe_internal.clock() - interval '4 days' WHERE table_name IN ('t8', 't9');
UPDATE floe_internal.manifest SET left_list_at = floe_internal.clock() - interval '2 days' WHERE manifest_id % 100 = 0;
SELECT count(*) AS kept FROM floe_internal.manifest AS m JOIN floe_internal.iceberg_table AS t ON t.table_id = m.table_id WHERE m.left_list_at IS NULL AND t.status <> 'dropped' \gset
ANALYZE;
CREATE VIEW scans AS
	SELECT s.relid::regclass AS relation, s.seq_scan, s.seq_tup_read FROM pg_stat_xact_user_tables AS s
	WHERE s.relid IN ('floe_internal.iceberg_table'::regclass, 'floe_internal.manifest'::regclass, 'floe_internal.health_history'::regclass, 'floe_internal.event'::regclass, 'floe_internal.operation_log'::regclass,
		'floe_internal.table_poll'::regclass, 'floe_internal.policy_match'::regclass);
-- Counters of what is not reported yet: the transaction before is among them.
BEGIN;
CREATE TABLE before AS SELECT * FROM scans;
SELECT floe_internal.purge(5000) \gset
SELECT is_empty('SELECT s.* FROM scans AS s LEFT JOIN before AS b USING (relation) WHERE s.seq_scan > COALESCE(b.seq_scan, 0)', 'a purge reads no table from its beginning to its end');
SELECT count(*) AS all_events FROM floe_internal.event WHERE message <> '' \gset
SELECT isnt_empty('SELECT s.* FROM scans AS s JOIN before AS b USING (relation) WHERE s.seq_scan > b.seq_scan', 'which would be seen');
SELECT is(format('%s dropped tables, %s manifests', (SELECT count(*) FROM floe_internal.iceberg_table WHERE status = 'dropped'), (SELECT count(*) FROM floe_internal.manifest)), format('2 dropped tables, %s manifests', :kept), 'and did find what there was to remove');
COMMIT;

SELECT * FROM finish();
