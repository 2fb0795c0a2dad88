--
-- Options that are valid and yet cannot be used with a table, how they are written for it, and statistics as needs and effects.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
\pset format unaligned
\pset tuples_only on
CREATE TEMP TABLE t AS SELECT
	'{"columns": [{"id": 1, "name": "id", "type": "long"}, {"id": 2, "name": "day", "type": "date"}, {"id": 3, "name": "s", "type": "struct"}, {"id": 4, "name": "s.a", "type": "int"}, {"id": 5, "name": "it''s \"x\"", "type": "string"}], "column_count": 5}'::jsonb AS details,
	'[{"spec_id": 0, "fields": [{"transform": "day", "source_id": 2}]}]'::jsonb AS specs,
	'[{"name": "main", "type": "branch", "snapshot_id": 7121959538477444050}, {"name": "audit", "type": "tag", "snapshot_id": 5}]'::jsonb AS refs;
SELECT v.operation, v.options, COALESCE(floe_internal.options_problem(v.operation, floe_internal.check_options(v.operation, v.options), t.details, t.specs, t.refs, 7121959538477444050), 'fits')
FROM t CROSS JOIN (VALUES
	(1, 'rewrite_data_files', '{}'::jsonb), (2, 'rewrite_data_files', '{"where": "id > 5 AND \"it''s \"\"x\"\"\" LIKE ''a%''"}'), (3, 'rewrite_data_files', '{"where": "nope = 1"}'),
	(4, 'rewrite_data_files', '{"where": "day > 5"}'), (5, 'rewrite_position_delete_files', '{"where": "s.b IS NULL"}'), (6, 'rewrite_data_files', '{"sort_order": "s.a DESC, nope"}'),
	(7, 'rewrite_data_files', '{"sort_order": "zorder(id, s)"}'), (8, 'compute_table_stats', '{"columns": ["id", "s.a"]}'), (9, 'compute_table_stats', '{"columns": ["s"]}'), (10, 'compute_table_stats', '{"columns": ["ID"]}'),
	(11, 'expire_snapshots', '{"snapshot_ids": [1, 2]}'), (12, 'expire_snapshots', '{"snapshot_ids": [1, "7121959538477444050"]}'), (13, 'expire_snapshots', '{"snapshot_ids": [5]}')) AS v (n, operation, options)
ORDER BY v.n;
-- the current snapshot of a table without refs (format version 1)
SELECT floe_internal.options_problem('expire_snapshots', '{"snapshot_ids": [7]}', '{}', '[]', '[]', 7);
-- of a table whose columns are not all known nothing is refused that may be there
SELECT COALESCE(floe_internal.schema_problem('rewrite_data_files', '{"where": "nope = 1"}', v.schema), 'fits')
	FROM (VALUES (1, '{}'::jsonb), (2, '{"columns": [{"id": 1, "name": "id", "type": "long"}], "column_count": 2001, "specs": []}'), (3, '{"columns": [{"id": 1, "name": "id", "type": "long"}], "column_count": 1, "specs": []}')) AS v (n, schema) ORDER BY n;
-- written with the columns' types, and with the clock that is given
SELECT floe_internal.render_statement('spark-thrift', 'c', '{db}', 't', v.operation, v.options, '2026-03-02 12:00:00+00', floe_internal.table_schema(t.details, t.specs))
FROM t CROSS JOIN (VALUES
	(1, 'rewrite_data_files', '{"where": "id > 5 AND day >= current_date - 3 days"}'::jsonb), (2, 'rewrite_data_files', '{"sort_order": "\"it''s \"\"x\"\"\" DESC, days(day)"}'),
	(3, 'compute_table_stats', '{"columns": ["id", "it''s \"x\""]}'), (4, 'compute_table_stats', '{"snapshot_id": "7121959538477444050"}'), (5, 'compute_partition_stats', '{}')) AS v (n, operation, options)
ORDER BY v.n;
SELECT floe_internal.render_statement('spark-thrift', 'c', '{db}', 't', 'rewrite_data_files', '{"where": "nope = 1"}', '2026-03-02 12:00:00+00', floe_internal.table_schema(t.details, t.specs)) FROM t;
-- which statistics files there are, by kind
SELECT floe_internal.statistics_files(v.operation, '{"table_stats": {"files": ["1/a", "2/b"]}, "partition_stats": {"files": ["1/c"]}}')
	FROM (VALUES (1, 'compute_table_stats'), (2, 'compute_partition_stats'), (3, 'rewrite_data_files')) AS v (n, operation) ORDER BY n;

-- ---- statistics are called for by how far they lag ----
SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "compute_table_stats": {}, "compute_partition_stats": {}, "rewrite_data_files": {"options": {"where": "id > 5", "sort_order": "day DESC"}}, "expire_snapshots": {"options": {"snapshot_ids": [2]}}}') AS policy;
SELECT lab.assess('demo.db.t', snapshots => 2);
CREATE TABLE lab.case (n int GENERATED ALWAYS AS IDENTITY, told text, operation text, gate text DEFAULT 'need', setup text, by_hand bool DEFAULT false, named bool DEFAULT false);
INSERT INTO lab.case (told, operation, setup, by_hand, named) VALUES
	('nothing is known', 'compute_table_stats', '', false, false),
	('they lag, but not for long', 'compute_table_stats', $$SELECT lab.measure('demo.db.t', '{"table_stats_lag": 3}')$$, false, false),
	('a day later', 'compute_table_stats', $$SELECT lab.measure('demo.db.t', '{"table_stats_lag": 3}'), lab.later('1 day')$$, false, false),
	('a day later, and they do not lag', 'compute_table_stats', $$SELECT lab.measure('demo.db.t', '{"table_stats_lag": 0}'), lab.later('1 day')$$, false, false),
	('a threshold, one below', 'compute_table_stats', $$SELECT lab.measure('demo.db.t', '{"table_stats_lag": 9}'), floe.alter_policy('p', '{"thresholds": {"table_stats_lag": {"warning": 10}}}')$$, false, false),
	('... and at it', 'compute_table_stats', $$SELECT lab.measure('demo.db.t', '{"table_stats_lag": 10}'), floe.alter_policy('p', '{"thresholds": {"table_stats_lag": {"warning": 10}}}')$$, false, false),
	('an age', 'compute_table_stats', $$SELECT lab.measure('demo.db.t', '{"table_stats_lag": 1, "table_stats_at": "2026-02-20 12:00:00+00"}'), floe.alter_policy('p', '{"thresholds": {"table_stats_age": {"warning": "7 days"}}}')$$, false, false),
	('... without a later snapshot', 'compute_table_stats', $$SELECT lab.measure('demo.db.t', '{"table_stats_lag": 0, "table_stats_at": "2026-02-20 12:00:00+00"}'), floe.alter_policy('p', '{"thresholds": {"table_stats_age": {"warning": "7 days"}}}')$$, false, false),
	('a condition', 'compute_partition_stats', $$SELECT lab.measure('demo.db.t', '{"partition_stats_lag": 5}'), floe.alter_policy('p', '{"compute_partition_stats": {"when": [{"metric": "partition_stats_lag", "op": ">=", "value": 5}]}}')$$, false, false),
	('by name', 'compute_partition_stats', '', true, true),
	('by name, and no partitions', 'compute_partition_stats', $$UPDATE floe_internal.iceberg_table SET details = details || '{"is_partitioned": false}'$$, true, true);
INSERT INTO lab.case (told, operation, gate, setup) VALUES
	('a schema that nobody knows', 'rewrite_data_files', 'options', ''),
	('the columns are there', 'rewrite_data_files', 'options', $$UPDATE floe_internal.iceberg_table SET details = details || '{"columns": [{"id": 1, "name": "id", "type": "long"}, {"id": 2, "name": "day", "type": "date"}], "column_count": 2}'$$),
	('one is not', 'rewrite_data_files', 'options', $$UPDATE floe_internal.iceberg_table SET details = details || '{"columns": [{"id": 1, "name": "id", "type": "long"}], "column_count": 1}'$$),
	('of another type', 'rewrite_data_files', 'options', $$UPDATE floe_internal.iceberg_table SET details = details || '{"columns": [{"id": 1, "name": "id", "type": "date"}, {"id": 2, "name": "day", "type": "date"}], "column_count": 2}'$$),
	('the current snapshot', 'expire_snapshots', 'options', ''),
	('another one', 'expire_snapshots', 'options', $$SELECT floe.alter_policy('p', '{"expire_snapshots": {"options": {"snapshot_ids": [1]}}}')$$);
SELECT c.n, c.told, g.* FROM lab.case AS c CROSS JOIN LATERAL lab.gate(c.setup, 'demo.db.t', c.operation, c.gate, c.by_hand, c.named) AS g ORDER BY c.n;
-- by hand it is told at once
SELECT verdict, gate, value FROM floe.trigger('demo.db.t', '{expire_snapshots}', '{"expire_snapshots": {"snapshot_ids": ["2"]}}');
SELECT floe.alter_policy('p', '{"expire_snapshots": {"options": null}}');
SELECT verdict, gate, value, operation_id FROM floe.trigger('demo.db.t', '{expire_snapshots}', '{"expire_snapshots": {"snapshot_ids": [1, "2"]}}');
SELECT verdict, gate FROM floe.trigger('demo.db.t', '{expire_snapshots}', '{"expire_snapshots": {"snapshot_ids": [1]}}');
-- what became impossible while it waited is not sent, and its class says that waiting does not help
UPDATE floe_internal.iceberg_table SET current_snapshot_id = 1, refs = '[{"name": "main", "type": "branch", "snapshot_id": 1}]' WHERE name = 'demo.db.t';
SELECT lab.claim();
SELECT p.go, p.reason, p.statement FROM floe_internal.operation_queue AS q CROSS JOIN LATERAL floe_internal.preflight(q.operation_id, 'spark-thrift', 'demo') AS p;
SELECT operation, state, error_class, error FROM floe.operations;
