--
-- Which partitions a rewrite is about, and the predicates that say so.
--
\i test/regress/lab.sql

-- One field of a partition: column, its type, transform, value as floe.partition_health() shows it.
SELECT n, type, transform, left(value, 20) AS value, floe_internal.partition_term('`c`', type, transform, value) AS predicate FROM (VALUES
	(1, 'string', 'identity', 'a'), (2, 'string', 'identity', ''), (3, 'string', 'identity', 'it''s'), (4, 'string', 'identity', ''''), (5, 'string', 'identity', 'a"b'),
	(6, 'string', 'identity', 'back\slash'), (7, 'string', 'identity', '${env:HOME}'), (8, 'string', 'identity', '$ {x}'), (9, 'string', 'identity', U&'\FFFD'), (10, 'string', 'identity', 'naïve ☃'),
	(11, 'string', 'identity', NULL), (12, 'string', 'identity', 'null'), (13, 'string', 'identity', '; DROP TABLE t; --'), (14, 'string', 'identity', '%_*'), (15, 'string', 'identity', repeat('x', 1001)),
	(16, 'boolean', 'identity', 'true'), (17, 'boolean', 'identity', 'false'), (18, 'boolean', 'identity', 'maybe'),
	(19, 'int', 'identity', '-7'), (20, 'long', 'identity', '9223372036854775807'), (21, 'long', 'identity', '1 OR 1=1'), (22, 'int', 'identity', NULL),
	(23, 'float', 'identity', '1.5'), (24, 'double', 'identity', 'NaN'), (25, 'double', 'identity', '-Infinity'), (26, 'double', 'identity', '1.0e300'), (27, 'double', 'identity', 'x'),
	(28, 'decimal(9,2)', 'identity', '-10.25'), (29, 'decimal(9, 2)', 'identity', '1E+5'),
	(30, 'date', 'identity', '2026-02-28'), (31, 'date', 'identity', '-0044-03-15'), (32, 'date', 'identity', '12026-01-01'), (33, 'timestamp', 'identity', '2026-01-01T01:02:03.123456'),
	(34, 'timestamptz', 'identity', '2026-01-01T01:02:03.123456+00:00'), (35, 'timestamp_ns', 'identity', '2026-01-01T01:02:03.123456789'), (36, 'time', 'identity', '01:02:03.000000'),
	(37, 'binary', 'identity', '00ff'), (38, 'binary', 'identity', ''), (39, 'binary', 'identity', 'zz'), (40, 'uuid', 'identity', '00000000-0000-0000-0000-000000000001'), (41, NULL, 'identity', '1'),
	(42, 'date', 'day', '2026-02-28'), (43, 'timestamp', 'day', '2024-02-28'), (44, 'timestamptz', 'day', '1969-12-31'), (45, 'timestamp_ns', 'day', '2026-01-01'), (46, 'timestamp', 'day', NULL),
	(47, 'date', 'month', '2025-12'), (48, 'timestamptz', 'month', '2026-02'), (49, 'date', 'year', '2026'), (50, 'date', 'year', '9999'), (51, 'date', 'year', '-0001'), (52, 'timestamp', 'year', '0000'),
	(53, 'timestamp', 'hour', '2026-12-31-23'), (54, 'timestamptz', 'hour', '2026-01-01-00'), (55, 'date', 'hour', '2026-01-01-00'), (56, 'date', 'month', '2026-13x'),
	(57, 'int', 'truncate[10]', '-10'), (58, 'int', 'truncate[10]', '2147483640'), (59, 'long', 'truncate[100]', '9223372036854775800'), (60, 'long', 'truncate[3]', '0'), (61, 'int', 'truncate[10]', NULL),
	(62, 'decimal(9,2)', 'truncate[50]', '10.50'), (63, 'decimal(9,2)', 'truncate[50]', '-0.50'), (64, 'string', 'truncate[3]', 'abc'), (65, 'string', 'truncate[3]', 'ab'), (66, 'string', 'truncate[1]', ''''),
	(67, 'string', 'truncate[2]', 'a%'), (68, 'string', 'truncate[1]', '['), (69, 'string', 'truncate[1]', U&'\D7FF'), (70, 'string', 'truncate[1]', U&'\+10FFFF'), (71, 'string', 'truncate[2]', U&'a\+10FFFF'),
	(72, 'string', 'truncate[1]', '\'), (73, 'binary', 'truncate[2]', '0001'), (74, 'int', 'truncate[0]', '1'),
	(75, 'int', 'bucket[16]', '3'), (76, 'string', 'bucket[16]', NULL), (77, 'int', 'void', NULL), (78, 'int', 'zorder', '5'), (79, 'int', 'zorder', NULL),
	-- what no engine writes
	(80, 'date', 'identity', '2026-02-31'), (81, 'date', 'day', '2026-99-99'), (82, 'date', 'month', '2026-13'), (83, 'timestamp', 'hour', '2026-01-01-24'), (84, 'timestamp', 'hour', '2026-02-30-23'),
	(85, 'timestamp', 'identity', '2026-01-01T99:99:99.999999'), (86, 'timestamp', 'identity', '2026-02-29T01:02:03.123456'), (87, 'date', 'year', '0000'), (88, 'decimal(9,99999)', 'truncate[10]', '1'),
	(89, 'date', 'identity', '2024-02-29'), (90, 'timestamp', 'identity', '2024-02-29T23:59:59.999999'), (91, 'timestamp', 'identity', '2026-01-01T00:00:00.000000000')) AS v (n, type, transform, value) ORDER BY n;

-- what the server says of a time does not depend on the session
SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Tokyo';
SELECT floe_internal.partition_term('`c`', 'timestamptz', 'day', '2026-02-03'), floe_internal.partition_term('`c`', 'date', 'identity', '2026-02-03');
SET datestyle = 'ISO, MDY'; SET timezone = 'UTC';

-- columns by id
SELECT id, floe_internal.predicate_column('[{"id": 1, "name": "a", "type": "int"}, {"id": 2, "name": "b`c", "type": "int"}, {"id": 3, "name": "s", "type": "struct"}, {"id": 4, "name": "s.t", "type": "int"},
	{"id": 5, "name": "x.y", "type": "int"}, {"id": 6, "name": "back\\slash", "type": "int"}, {"id": 7, "name": "s.u", "type": "struct"}, {"id": 8, "name": "s.u.v", "type": "int"}, {"id": 9, "name": "select", "type": "int"},
	{"id": 10, "name": "${x}", "type": "int"}]', id) FROM generate_series(1, 11) AS id;

-- partitions of several fields
CREATE FUNCTION lab.specs() RETURNS jsonb LANGUAGE sql AS $$ SELECT '[{"spec_id": 0, "fields": [{"name": "k", "transform": "identity", "source_id": 1, "source_type": "string"}]},
	{"spec_id": 1, "fields": [{"name": "k", "transform": "identity", "source_id": 1, "source_type": "string"}, {"name": "d", "transform": "day", "source_id": 2, "source_type": "date"}]},
	{"spec_id": 2, "fields": [{"name": "b", "transform": "bucket[4]", "source_id": 1, "source_type": "string"}, {"name": "d", "transform": "day", "source_id": 2, "source_type": "date"}]},
	{"spec_id": 3, "fields": [{"name": "b", "transform": "bucket[4]", "source_id": 1, "source_type": "string"}]}, {"spec_id": 4, "fields": []},
	{"spec_id": 5, "fields": [{"name": "g", "transform": "identity", "source_id": 9, "source_type": "string"}]}]'::jsonb $$;
SELECT spec, partition, floe_internal.partition_predicate(lab.specs(), '[{"id": 1, "name": "k", "type": "string"}, {"id": 2, "name": "d", "type": "date"}]', spec, partition) FROM (VALUES
	(0, '{"k": "a"}'), (0, '{"k": null}'), (1, '{"k": "a", "d": "2026-01-01"}'), (1, '{"k": null, "d": null}'), (2, '{"b": 3, "d": "2026-01-01"}'), (2, '{"b": null, "d": "2026-01-01"}'),
	(3, '{"b": 3}'), (3, '{"b": null}'), (4, '{}'), (5, '{"g": "dropped"}'), (9, '{"k": "a"}')) AS v (spec, partition);

-- ---- choosing ----

SELECT lab.catalog(), lab.engine();
-- partitions p1 … p6 of k, files of 1 MB: as many excess files as its number says
CREATE FUNCTION lab.parts(name text, parts text[], files int[], spec int DEFAULT 0, writes text[] DEFAULT '{append}', gap interval DEFAULT '1 day', deletes_in text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	n int := cardinality(parts);
BEGIN
	PERFORM lab.assess(name, files => 0, partitions => parts, snapshots => cardinality(writes), operations => writes, snapshot_gap => gap);
	id := lab.id(name);
	UPDATE floe_internal.iceberg_table SET specs = lab.specs(), details = details || '{"columns": [{"id": 1, "name": "k", "type": "string"}, {"id": 2, "name": "d", "type": "date"}]}' WHERE table_id = id;
	DELETE FROM floe_internal.manifest WHERE table_id = id;
	PERFORM floe_internal.store_manifests(id, ARRAY(SELECT 'p' || i FROM generate_series(1, n) AS i), array_fill(1000::bigint, ARRAY[n]), array_fill(0, ARRAY[n]), array_fill(spec, ARRAY[n]),
		array_fill(1::bigint, ARRAY[n]), array_fill(1::bigint, ARRAY[n]), array_fill(false, ARRAY[n]),
		-- the spec id stands behind the header
		ARRAY(SELECT set_byte(lab.data_manifest(ARRAY[parts[i]], files[i], 1000000), 3, spec) FROM generate_series(1, n) AS i));
	IF deletes_in IS NOT NULL THEN
		PERFORM floe_internal.store_manifests(id, '{d}', '{1000}', '{1}', ARRAY[spec], '{1}', '{1}', '{f}', ARRAY[set_byte(lab.delete_manifest(deletes_in, 3, 0, cardinality(writes)), 3, spec)]);
	END IF;
	UPDATE floe_internal.iceberg_table SET manifest_ids = ARRAY(SELECT m.manifest_id FROM floe_internal.manifest AS m WHERE m.table_id = id ORDER BY m.content DESC, m.manifest_id) WHERE table_id = id;
	PERFORM floe_internal.compute_health(id);
END $$;
CREATE FUNCTION lab.slice(name text, settings jsonb DEFAULT '{}', options jsonb DEFAULT '{}', with_hot bool DEFAULT false, OUT said text, OUT predicate text, OUT more jsonb, OUT left_over text) LANGUAGE sql AS $$
	SELECT floe_internal.slice_text(s.detail), s.predicate, s.more_options, s.detail ->> 'left'
	FROM floe_internal.slice(lab.id(name), '{"slice_bytes": 53687091200, "engine": "spark"}'::jsonb || settings, options, floe_internal.clock(), with_hot) AS s
$$;
CREATE FUNCTION lab.key(VARIADIC keys text[]) RETURNS text[] LANGUAGE sql AS $$ SELECT array_agg(jsonb_build_object('k', k)::text) FROM unnest(keys) AS k $$;
SELECT lab.parts('demo.db.t', lab.key('a', 'b', 'it''s', 'd', 'e', 'f'), '{10,20,30,40,8,1}');
SELECT spec_id, partition, excess_file_count, small_file_bytes FROM floe.partition_health('demo.db.t');
SELECT n, s.* FROM (VALUES (1, '{}'::jsonb, '{}'::jsonb), (2, '{"slice_bytes": 108000000}', '{}'), (3, '{"slice_bytes": 107999999}', '{}'), (4, '{"slice_bytes": 60000000}', '{}'), (5, '{"slice_bytes": 40000000}', '{}'),
	(6, '{"slice_bytes": 20000000}', '{}'), (7, '{"slice_bytes": 1}', '{}'), (8, '{"slice_bytes": 20000000}', '{"max_files_to_rewrite": 4}'), (9, '{"slice_bytes": 1000}', '{"rewrite_all": true}'),
	(10, '{"slice_time": "3 seconds"}', '{}'), (11, '{"slice_time": "1 hour"}', '{}'), (12, '{"slice_bytes": 60000000, "slice_time": "2 seconds"}', '{}')) AS v (n, settings, options)
	CROSS JOIN LATERAL lab.slice('demo.db.t', settings, options) AS s ORDER BY n;
-- conflicts in a row
INSERT INTO floe_internal.table_operation (table_id, operation) VALUES (lab.id('demo.db.t'), 'rewrite_data_files');
CREATE FUNCTION lab.halved(halvings int) RETURNS TABLE (said text, predicate text, more jsonb, left_over text) LANGUAGE plpgsql AS $$
BEGIN
	UPDATE floe_internal.table_operation SET slice_halvings = halvings;
	RETURN QUERY SELECT * FROM lab.slice('demo.db.t');
	UPDATE floe_internal.table_operation SET slice_halvings = 0;
END $$;
SELECT n, h.* FROM generate_series(0, 6) AS n CROSS JOIN LATERAL lab.halved(n) AS h;
-- what was tried in vain comes last, as long as it is as it was
UPDATE floe_internal.table_operation SET slice_tried = ARRAY(SELECT jsonb_array_elements_text(s.detail -> 'units') FROM floe_internal.slice(lab.id('demo.db.t'), '{"slice_bytes": 40000000}', '{}', floe_internal.clock(), false) AS s);
SELECT * FROM lab.slice('demo.db.t', '{"slice_bytes": 40000000}');
SELECT lab.parts('demo.db.t', lab.key('a', 'b', 'it''s', 'd', 'e', 'f'), '{10,20,30,41,8,1}');
SELECT * FROM lab.slice('demo.db.t', '{"slice_bytes": 41000000}');
UPDATE floe_internal.table_operation SET slice_tried = '{}';

-- what cannot be said
SELECT lab.parts('demo.db.buckets', '{"{\"b\": 0}","{\"b\": 1}"}', '{20,20}', 3);
SELECT s.* FROM (VALUES ('{}'::jsonb), ('{"slice_bytes": 20000000}'), ('{"slice_bytes": 1}')) AS v (settings) CROSS JOIN LATERAL lab.slice('demo.db.buckets', settings) AS s;
SELECT lab.parts('demo.db.both', '{"{\"b\": 0, \"d\": \"2026-01-01\"}","{\"b\": 1, \"d\": \"2026-01-01\"}","{\"b\": 1, \"d\": \"2026-01-02\"}"}', '{20,20,10}', 2);
SELECT s.* FROM (VALUES ('{}'::jsonb), ('{"slice_bytes": 40000000}'), ('{"slice_bytes": 10000000}')) AS v (settings) CROSS JOIN LATERAL lab.slice('demo.db.both', settings) AS s;
SELECT lab.parts('demo.db.plain', '{"{}"}', '{100}', 4);
SELECT * FROM lab.slice('demo.db.plain', '{"slice_bytes": 10000000}');
-- very many
SELECT lab.parts('demo.db.many', ARRAY(SELECT jsonb_build_object('k', format('p%s', lpad(i::text, 3, '0')))::text FROM generate_series(1, 300) AS i), array_fill(10, ARRAY[300]));
SELECT said, left(predicate, 40) AS predicate, length(predicate), left_over FROM lab.slice('demo.db.many', '{"slice_bytes": 2900000000}');
-- large
SELECT lab.measure('demo.db.plain', '{"small_file_bytes": 20000000000, "data_bytes": 20000000000}');
SELECT s.* FROM (VALUES ('{}'::jsonb), ('{"partial_progress_enabled": false}'), ('{"rewrite_all": true}')) AS v (options) CROSS JOIN LATERAL lab.slice('demo.db.plain', '{}', options) AS s;

-- ---- streams ----

-- snapshots 1 … n, the newest one gap ago; the files are of snapshot 1
CREATE FUNCTION lab.stream(writes text[], gap interval, settings jsonb DEFAULT '{}', OUT quiet interval, OUT conflicts bool, OUT stops bool, OUT told text, OUT until timestamptz) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lab.parts('demo.db.stream', lab.key('a', 'b'), '{10,20}', writes => writes, gap => gap);
	SELECT w.quiet_period, w.may_conflict INTO quiet, conflicts FROM floe_internal.writers(lab.id('demo.db.stream'), settings, floe_internal.clock()) AS w;
	SELECT h.stops, h.told, h.hot_until INTO stops, told, until FROM floe_internal.hot_partitions(lab.id('demo.db.stream'), settings, false, 0.6, floe_internal.clock()) AS h;
END $$;
SELECT n, s.* FROM (VALUES (1, '{append,append,append}'::text[], interval '2 seconds', '{}'::jsonb), (2, '{append,delete,append}', '2 seconds', '{}'), (3, '{append,overwrite}', '2 seconds', '{}'),
	(4, '{append,delete,append,append}', '5 minutes', '{}'), (5, '{append,delete,append,append}', '11 minutes', '{}'), (6, '{append,delete,append,append}', '11 minutes', '{"quiet_period": "1 hour"}'),
	(7, '{append,delete,append,append}', '2 seconds', '{"quiet_period": "0"}'), (8, '{append,replace,append,append}', '2 seconds', '{}'), (9, '{append,delete,append,append}', '50 seconds', '{}'),
	(10, '{append,overwrite}', '2 seconds', '{"quiet_period": "10 seconds"}')) AS v (n, writes, gap, settings) CROSS JOIN LATERAL lab.stream(writes, gap, settings) AS s ORDER BY n;
-- a delete in one partition makes that one hot
SELECT lab.parts('demo.db.stream', lab.key('a', 'b'), '{10,20}', writes => '{append,append,append,delete}', gap => '1 minute', deletes_in => '{"k": "b"}');
SELECT u.predicate, u.hot_until FROM floe_internal.slice_units(lab.id('demo.db.stream'), false, '2 minutes', floe_internal.clock()) AS u;
SELECT * FROM lab.slice('demo.db.stream');
SELECT * FROM lab.slice('demo.db.stream', with_hot => true);

-- deletes that apply to nothing do not go with a rewrite: a quiet partition that has only these does not keep one that is always hot from it
CREATE FUNCTION lab.old_deletes(sequence_number int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	id bigint := lab.id('demo.db.stream');
BEGIN
	PERFORM lab.parts('demo.db.stream', lab.key('a', 'b'), '{1,20}', writes => '{append,append,append,delete}', gap => '1 minute', deletes_in => '{"k": "b"}');
	PERFORM floe_internal.store_manifests(id, '{old}', '{1000}', '{1}', '{0}', '{1}', '{1}', '{f}', ARRAY[lab.delete_manifest('{"k": "a"}', 3, 0, sequence_number)]);
	UPDATE floe_internal.iceberg_table SET manifest_ids = ARRAY(SELECT m.manifest_id FROM floe_internal.manifest AS m WHERE m.table_id = id ORDER BY m.content DESC, m.manifest_id) WHERE table_id = id;
	PERFORM floe_internal.compute_health(id);
END $$;
SELECT lab.old_deletes(1);
SELECT u.predicate, u.objects, u.hot_until FROM floe_internal.slice_units(lab.id('demo.db.stream'), true, '2 minutes', floe_internal.clock()) AS u;
SELECT * FROM lab.slice('demo.db.stream', '{}', '{"delete_file_threshold": 1}');
SELECT lab.old_deletes(0);
SELECT u.predicate, u.objects, u.hot_until FROM floe_internal.slice_units(lab.id('demo.db.stream'), true, '2 minutes', floe_internal.clock()) AS u;
SELECT * FROM lab.slice('demo.db.stream', '{}', '{"delete_file_threshold": 1}');

-- a partition that is being written, and needs nothing yet, is left alone, too
SELECT lab.parts('demo.db.stream', lab.key('a', 'b'), '{10,1}', writes => '{append,append,append,append}', gap => '1 minute', deletes_in => '{"k": "b"}');
SELECT u.predicate, u.hot_until FROM floe_internal.slice_units(lab.id('demo.db.stream'), false, '2 minutes', floe_internal.clock()) AS u;
SELECT * FROM lab.slice('demo.db.stream');
SELECT lab.parts('demo.db.stream', lab.key('a', 'b'), '{10,20}', writes => '{append,append,append,delete}', gap => '1 minute', deletes_in => '{"k": "b"}');

-- ---- the gate, and going on ----

SELECT floe.create_policy('p', 'demo.db.stream', '{"engine": "spark", "rewrite_data_files": {}, "thresholds": {"excess_file_count": {"warning": 5, "critical": 100}}}');
SELECT verdict, gate, value FROM floe.why('demo.db.stream') WHERE operation = 'rewrite_data_files';
SELECT gate, verdict, value FROM floe.why('demo.db.stream', true) WHERE operation = 'rewrite_data_files' AND gate IN ('writers', 'slice');
SELECT (lab.stream('{append,delete,append,append}', '2 seconds')).told;
SELECT verdict, gate, value, limit_value, set_by, next_at FROM floe.why('demo.db.stream') WHERE operation = 'rewrite_data_files';
SELECT operation, verdict, gate FROM floe.trigger('demo.db.stream') WHERE operation = 'rewrite_data_files';
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"quiet_period": "30 seconds"}}');
SELECT verdict, gate, value, limit_value, set_by, next_at FROM floe.why('demo.db.stream') WHERE operation = 'rewrite_data_files';
-- a deadline has passed, whatever else calls for it
SELECT lab.rows($$INSERT INTO floe_internal.table_operation (table_id, operation, last_success_at) VALUES (lab.id('demo.db.stream'), 'rewrite_data_files', floe_internal.clock() - interval '1 day')
	ON CONFLICT (table_id, operation) DO UPDATE SET last_success_at = EXCLUDED.last_success_at; SELECT floe.alter_policy('p', '{"rewrite_data_files": {"deadline": "2 hours"}}')$$,
	$$SELECT w.verdict, w.gate, w.value FROM floe.why('demo.db.stream') AS w WHERE w.operation = 'rewrite_data_files'$$);
-- more urgent than that
SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 5, "critical": 30}}}');
SELECT gate, verdict, value FROM floe.why('demo.db.stream', true) WHERE operation = 'rewrite_data_files' AND gate IN ('writers', 'slice');
SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 5, "critical": 100}}}');
-- by name
SELECT operation, verdict, gate FROM floe.trigger('demo.db.stream', '{rewrite_data_files}');
SELECT slice FROM floe.operations;
DELETE FROM floe_internal.operation_queue;
-- quiet
SELECT lab.later('30 seconds');
SELECT verdict, gate, value FROM floe.why('demo.db.stream') WHERE operation = 'rewrite_data_files';

-- a run that a budget cut is followed by the next, whatever the interval says
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"slice_bytes": "20 MB", "schedule": "0 2 * * *", "min_interval": "5 days"}}');
INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at, last_state) VALUES (lab.id('demo.db.stream'), 'rewrite_data_files', floe_internal.clock(), floe_internal.clock(), 'succeeded')
	ON CONFLICT (table_id, operation) DO UPDATE SET last_run_at = EXCLUDED.last_run_at, last_success_at = EXCLUDED.last_success_at, last_state = 'succeeded';
SELECT verdict, gate FROM floe.why('demo.db.stream') WHERE operation = 'rewrite_data_files';
UPDATE floe_internal.table_operation SET slices_left = 1;
SELECT verdict, gate, value FROM floe.why('demo.db.stream') WHERE operation = 'rewrite_data_files';
SELECT gate, verdict, value FROM floe.why('demo.db.stream', true) WHERE operation = 'rewrite_data_files' AND gate IN ('writers', 'slice', 'schedule', 'min_interval');
-- even if what is left is below the threshold
SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 100, "critical": 1000}}}');
SELECT verdict, gate, value, set_by FROM floe.why('demo.db.stream') WHERE operation = 'rewrite_data_files';
SELECT floe_internal.tables_to_decide(ARRAY[lab.id('demo.db.stream')], floe_internal.clock()) = lab.id('demo.db.stream') AS is_decided_upon;
UPDATE floe_internal.table_operation SET last_state = 'cancelled';
SELECT verdict, gate FROM floe.why('demo.db.stream') WHERE operation = 'rewrite_data_files';
UPDATE floe_internal.table_operation SET last_state = 'succeeded';
SELECT floe_internal.plan_and_queue(NULL);
SELECT operation, estimate ->> 'bytes' AS bytes, slice FROM floe.operations;

-- ---- what a policy may say ----

SELECT n, lab.says(format('SELECT floe.create_policy(''q'', ''demo.db.q'', %L)', document)) FROM (VALUES
	(1, '{"rewrite_data_files": {"slice_bytes": "50 GB", "slice_time": "30 minutes", "quiet_period": "0"}}'), (2, '{"rewrite_data_files": {"slice_bytes": 1000}}'), (3, '{"rewrite_data_files": {"slice_bytes": "lots"}}'),
	(4, '{"rewrite_data_files": {"slice_bytes": true}}'), (5, '{"rewrite_data_files": {"slice_bytes": 0}}'), (6, '{"rewrite_data_files": {"slice_bytes": "-1 GB"}}'), (7, '{"rewrite_data_files": {"slice_time": "1 second"}}'),
	(8, '{"rewrite_data_files": {"quiet_period": "-1 minute"}}'), (9, '{"expire_snapshots": {"slice_bytes": "1 GB"}}'), (10, '{"rewrite_manifests": {"quiet_period": "1 minute"}}'), (11, '{"rewrite_data_files": {"slice_bytes": 1e300}}')) AS v (n, document) ORDER BY n;
SELECT floe.create_policy('r', 'demo.db.r', '{"rewrite_data_files": {"slice_bytes": "50 GB", "slice_time": "30 minutes", "quiet_period": "10 minutes"}}');
SELECT floe.export_policy('r');
