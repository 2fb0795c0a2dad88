--
-- Which engine: what an engine cannot honour is refused when a policy is saved, or goes to one that can; engines that are approved, level by level; who takes an
-- operation while the preferred engine is gone, drained, failing or full; and what others did to a table.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
\pset format unaligned
\pset fieldsep ' | '
\pset footer off

-- An engine that can do less: a TYPE of its own in the SQL functions that say what a TYPE can. It compacts, and knows no other option than the target size.
CREATE TABLE lab.plain (engine text);
CREATE FUNCTION lab.refusal(engine_type text, operation text, options jsonb) RETURNS text LANGUAGE c IMMUTABLE STRICT AS '$libdir/floe', 'floe_sql_engine_refusal';
CREATE OR REPLACE FUNCTION floe_internal.engine_refusal(engine_type text, operation text, options jsonb) RETURNS text LANGUAGE sql STABLE STRICT AS $$
	SELECT CASE WHEN engine_type <> 'plain' THEN lab.refusal(engine_type, operation, options)
		WHEN operation <> 'rewrite_data_files' THEN 'plain cannot do it'
		ELSE (SELECT format('plain has no option "%s"', k) FROM jsonb_object_keys(options) AS k WHERE k <> 'target_file_size' ORDER BY k LIMIT 1) END
$$;
CREATE FUNCTION lab.operations(OUT engine_type text, OUT operation text) RETURNS SETOF record LANGUAGE c IMMUTABLE STRICT AS '$libdir/floe', 'floe_sql_engine_operations';
CREATE OR REPLACE FUNCTION floe_internal.engine_operations(OUT engine_type text, OUT operation text) RETURNS SETOF record LANGUAGE sql STABLE STRICT AS $$
	SELECT o.engine_type, o.operation FROM lab.operations() AS o UNION ALL SELECT 'plain', 'rewrite_data_files'
$$;
CREATE FUNCTION lab.types(OUT wrapper text, OUT type text) RETURNS SETOF record LANGUAGE c IMMUTABLE STRICT AS '$libdir/floe', 'floe_sql_connection_types';
CREATE OR REPLACE FUNCTION floe_internal.connection_types(OUT wrapper text, OUT type text) RETURNS SETOF record LANGUAGE sql STABLE STRICT AS $$
	SELECT t.wrapper, t.type FROM lab.types() AS t UNION ALL SELECT 'floe_engine', 'plain'
$$;
CREATE FUNCTION lab.option_types(wrapper text, type text, is_mapping bool, names text[]) RETURNS void LANGUAGE c STRICT AS '$libdir/floe', 'floe_sql_check_option_types';
CREATE OR REPLACE FUNCTION floe_internal.check_option_types(wrapper text, type text, is_mapping bool, names text[]) RETURNS void LANGUAGE sql STRICT AS $$
	SELECT lab.option_types(wrapper, replace(type, 'plain', 'spark-thrift'), is_mapping, names)
$$;
CREATE FUNCTION lab.plain(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE SERVER %I TYPE ''plain'' FOREIGN DATA WRAPPER floe_engine OPTIONS (url ''http://127.0.0.1:1/cliservice'')', name);
END $$;

SELECT lab.catalog('demo'), lab.engine('spark', ', max_operations ''2'''), lab.engine('big', ', max_operations ''2'''), lab.plain('small');
SELECT name, type FROM floe.engines ORDER BY 1;
SELECT operation, engine_type, is_supported, reason FROM floe.engine_option WHERE option IS NULL AND engine_type IN ('plain', 'spark-thrift') AND operation IN ('rewrite_data_files', 'rewrite_manifests') ORDER BY 1, 2;
SELECT engine_type, is_supported, reason, value_type, minimum, maximum FROM floe.engine_option WHERE operation = 'expire_snapshots' AND option = 'retain_last' AND engine_type IN ('plain', 'spark-thrift') ORDER BY 1;

-- ---- what is refused when a policy is saved ----

SELECT floe.create_policy('base', 'demo.base.**', '{"engine": "spark", "rewrite_data_files": {"options": {"min_input_files": 3}}}') > 0 AS made;
SELECT n, told, lab.says(statement) AS says FROM (VALUES
	(1, 'an operation that the engine cannot do', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "expire_snapshots": {}}')$$),
	(2, 'an option that it does not have', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "rewrite_data_files": {"options": {"min_input_files": 3}}}')$$),
	(3, '... given by its alias', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "rewrite_data_files": {"options": {"min-input-files": 3}}}')$$),
	(4, 'what it can', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "rewrite_data_files": {"options": {"target_file_size": "1 MB"}}}')$$),
	(5, 'another engine for the operation', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "expire_snapshots": {"engine": "spark"}}')$$),
	(6, 'a fallback that can', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "fallback_engines": ["spark"], "expire_snapshots": {}}')$$),
	(7, '... of the operation', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "expire_snapshots": {"fallback_engines": "big"}}')$$),
	(8, '... an operation without one', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "fallback_engines": ["spark"], "expire_snapshots": {"fallback_engines": []}}')$$),
	(9, 'an operation that is off', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "expire_snapshots": {"enabled": false}}')$$),
	(10, '... and is switched on', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "small", "expire_snapshots": {"enabled": false}}'); SELECT floe.alter_policy('p', '{"expire_snapshots": {"enabled": null}}')$$),
	(11, 'a change of the engine', $$SELECT floe.alter_policy('base', '{"engine": "small"}')$$),
	(12, '... with what it cannot taken away', $$SELECT floe.alter_policy('base', '{"engine": "small", "rewrite_data_files": {"options": {"min_input_files": null}}}')$$),
	(13, '... with a fallback', $$SELECT floe.alter_policy('base', '{"engine": "small", "fallback_engines": ["spark"]}')$$),
	(14, 'the fallback is taken away', $$SELECT floe.alter_policy('base', '{"engine": "small", "fallback_engines": ["spark"]}'); SELECT floe.alter_policy('base', '{"fallback_engines": null}')$$),
	(15, 'by import', $$SELECT floe.import_policy('{"name": "base", "pattern": "demo.base.**", "engine": "small", "rewrite_data_files": {"options": {"min_input_files": 3}}}')$$),
	(16, '... and what it can', $$SELECT floe.import_policy('{"name": "base", "pattern": "demo.base.**", "engine": "small", "rewrite_data_files": {}}')$$),
	(17, 'directly: the engine', $$UPDATE floe.policy SET engine = 'small' WHERE name = 'base'$$),
	(18, 'directly: an operation', $$UPDATE floe.policy_operation SET engine = 'small'$$),
	(19, 'directly: a new operation', $$UPDATE floe.policy_operation SET engine = 'small', options = '{}'; INSERT INTO floe.policy_operation (policy_id, operation, engine) SELECT policy_id, 'rewrite_manifests', 'small' FROM floe.policy$$),
	(20, 'directly, and in order', $$UPDATE floe.policy_operation SET options = '{}'; UPDATE floe.policy SET engine = 'small' WHERE name = 'base'$$),
	(21, 'from a dump: whatever it is', $$INSERT INTO floe.policy (name, pattern, engine, created_at) VALUES ('old', 'demo.old.**', 'small', '2020-01-01'); INSERT INTO floe.policy_operation (policy_id, operation, schedule_set_at) SELECT policy_id, 'expire_snapshots', '2020-01-01' FROM floe.policy WHERE name = 'old'$$),
	(22, '... and something else of it is changed', $$INSERT INTO floe.policy (name, pattern, engine, created_at) VALUES ('old', 'demo.old.**', 'small', '2020-01-01'); INSERT INTO floe.policy_operation (policy_id, operation, schedule_set_at) SELECT policy_id, 'expire_snapshots', '2020-01-01' FROM floe.policy WHERE name = 'old'; SELECT floe.alter_policy('old', '{"description": "x", "expire_snapshots": {"every": "1 day"}}')$$),
	(23, 'no engine: another policy names it', $$SELECT floe.create_policy('p', 'demo.**', '{"expire_snapshots": {"options": {"retain_last": 3}}}')$$),
	(24, 'a fallback that does not exist', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "fallback_engines": ["nowhere"]}')$$),
	(25, 'twice the same', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "fallback_engines": ["big", "big"]}')$$),
	(26, 'too many', $$SELECT floe.create_policy('p', 'demo.**', jsonb_build_object('fallback_engines', array_fill('big'::text, ARRAY[17])))$$),
	(27, 'the preferred one again', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "fallback_engines": ["spark", "big"], "fallback_after": "0 seconds"}')$$),
	(28, 'a wait without a unit', $$SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "fallback_after": "5"}')$$),
	(29, 'a negative wait', $$SELECT floe.create_policy('p', 'demo.**', '{"rewrite_data_files": {"fallback_after": "-1 minute"}}')$$),
	(30, 'no list', $$SELECT floe.create_policy('p', 'demo.**', '{"fallback_engines": 3}')$$),
	(31, 'an operation moves to another', $$UPDATE floe.policy_operation SET options = '{}', engine = 'small'; UPDATE floe.policy_operation SET operation = 'rewrite_manifests'$$),
	(32, 'two of one pattern set it', $$SELECT floe.create_policy('p', 'demo.base.**', '{"fallback_engines": ["big"]}'), floe.create_policy('q', 'demo.base.**', '{"fallback_engines": ["spark"]}')$$)) AS v (n, told, statement) ORDER BY n;
-- in and out
SELECT floe.create_policy('doc', 'demo.doc.**', '{"engine": "small", "fallback_engines": ["spark", "big"], "fallback_after": "90 seconds", "rewrite_data_files": {"fallback_engines": ["big"], "fallback_after": "PT1H"}}') > 0 AS made;
SELECT floe.export_policy('doc');
SELECT floe.import_policy(floe.export_policy('doc') || '{"name": "doc2", "pattern": "demo.doc2.**"}') > 0 AS made;
SELECT floe.export_policy('doc2') - 'name' - 'pattern' = floe.export_policy('doc') - 'name' - 'pattern' AS same;
SELECT floe.drop_policy('doc'), floe.drop_policy('doc2'), floe.drop_policy('base');

-- ---- several policies: who takes it is known when they are resolved ----

SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, snapshots => 40, snapshot_gap => '1 day'), lab.assess('demo.db.u', files => 400, file_bytes => 1000000);
SELECT floe.create_policy('wide', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}}') > 0 AS made;
-- one gate of one operation
CREATE FUNCTION lab.engine_gate(setup text, name text DEFAULT 'demo.db.t', of_operation text DEFAULT 'rewrite_data_files') RETURNS text LANGUAGE sql AS $$
	SELECT * FROM lab.rows(setup, format('SELECT verdict, gate, value, set_by, next_at FROM floe.why(%L) WHERE operation = %L', name, of_operation))
$$;
SELECT n, told, lab.engine_gate(setup, 'demo.db.t', operation) AS why FROM (VALUES
	(1, 'it can', 'rewrite_data_files', ''),
	(2, 'a narrow policy names an engine that cannot do the operation', 'expire_snapshots', $$SELECT floe.create_policy('n', 'demo.db.*', '{"engine": "small"}')$$),
	(3, '... and one that it can', 'rewrite_data_files', $$SELECT floe.create_policy('n', 'demo.db.*', '{"engine": "small"}')$$),
	(4, '... with an option of the wide one that it cannot', 'rewrite_data_files', $$SELECT floe.alter_policy('wide', '{"rewrite_data_files": {"options": {"min_input_files": 3}}}'), floe.create_policy('n', 'demo.db.*', '{"engine": "small"}')$$),
	(5, '... and a default fallback', 'rewrite_data_files', $$SELECT floe.alter_policy('wide', '{"fallback_engines": ["spark"], "rewrite_data_files": {"options": {"min_input_files": 3}}}'), floe.create_policy('n', 'demo.db.*', '{"engine": "small"}')$$),
	(6, '... for what it cannot do', 'expire_snapshots', $$SELECT floe.alter_policy('wide', '{"fallback_engines": ["spark"]}'), floe.create_policy('n', 'demo.db.*', '{"engine": "small"}')$$),
	(7, 'only a fallback is named', 'rewrite_data_files', $$SELECT floe.alter_policy('wide', '{"engine": null, "fallback_engines": ["big"]}')$$),
	(8, 'none', 'rewrite_data_files', $$SELECT floe.alter_policy('wide', '{"engine": null}')$$),
	(9, 'dropped', 'rewrite_data_files', 'DROP SERVER spark'),
	(10, 'dropped, and a fallback', 'rewrite_data_files', $$SELECT floe.alter_policy('wide', '{"fallback_engines": ["big"]}'); DROP SERVER spark$$),
	(11, 'made anew with a TYPE that cannot', 'expire_snapshots', $$DROP SERVER spark; SELECT floe_internal.sync_servers(), lab.plain('spark')$$),
	(12, '... what it can', 'rewrite_data_files', $$DROP SERVER spark; SELECT floe_internal.sync_servers(), lab.plain('spark')$$),
	(13, '... and with the first one again', 'expire_snapshots', $$DROP SERVER spark; SELECT floe_internal.sync_servers(), lab.plain('spark'); DROP SERVER spark; SELECT floe_internal.sync_servers(), lab.engine('spark')$$),
	(14, 'a policy from before its engine', 'expire_snapshots', $$INSERT INTO floe.policy (name, pattern, engine, priority, created_at) VALUES ('old', 'demo.db.*', 'later', 5, '2020-01-01')$$),
	(15, '... which then can', 'expire_snapshots', $$INSERT INTO floe.policy (name, pattern, engine, priority, created_at) VALUES ('old', 'demo.db.*', 'later', 5, '2020-01-01'); SELECT lab.engine('later')$$),
	(16, '... or cannot', 'expire_snapshots', $$INSERT INTO floe.policy (name, pattern, engine, priority, created_at) VALUES ('old', 'demo.db.*', 'later', 5, '2020-01-01'); SELECT lab.plain('later')$$),
	(17, 'down', 'rewrite_data_files', $$UPDATE floe_internal.engine SET status = 'error', error_message = 'refused', error_since = '2026-03-02 11:50+00', retry_at = '2026-03-02 12:05+00' WHERE server_name = 'spark'$$),
	(18, 'down, and a fallback', 'rewrite_data_files', $$SELECT floe.alter_policy('wide', '{"fallback_engines": ["big"]}'); UPDATE floe_internal.engine SET status = 'error', error_message = 'refused', error_since = '2026-03-02 11:50+00', retry_at = '2026-03-02 12:05+00' WHERE server_name = 'spark'$$),
	(19, 'both down', 'rewrite_data_files', $$SELECT floe.alter_policy('wide', '{"fallback_engines": ["big"]}'); UPDATE floe_internal.engine SET status = 'error', error_message = server_name || ' refused', error_since = '2026-03-02 11:50+00', retry_at = '2026-03-02 12:05+00' WHERE server_name IN ('spark', 'big')$$),
	(20, 'drained', 'rewrite_data_files', $$SELECT floe.drain_engine('spark', 'new disks')$$),
	(21, 'drained, and a fallback', 'rewrite_data_files', $$SELECT floe.alter_policy('wide', '{"fallback_engines": ["big"]}'), floe.drain_engine('spark', 'new disks')$$)) AS v (n, told, operation, setup) ORDER BY n;
-- what a metric needs and the engine does not have is left out; what a person asks for is not
SELECT lab.measure('demo.db.u', '{"delete_ratio": 0.6, "excess_file_count": 0}');
SELECT lab.rows($$SELECT floe.alter_policy('wide', '{"engine": "small", "expire_snapshots": null}')$$, $$SELECT verdict, gate, value FROM floe.trigger('demo.db.u') WHERE operation = 'rewrite_data_files'$$);
SELECT lab.rows($$SELECT floe.alter_policy('wide', '{"engine": "small", "fallback_engines": ["big"]}'), floe.trigger('demo.db.u')$$, $$SELECT table_name, engine, engines FROM floe.queue$$);
SELECT lab.rows($$SELECT floe.alter_policy('wide', '{"engine": "small", "expire_snapshots": null}')$$, $$SELECT verdict, gate, value FROM floe.trigger('demo.db.t', '{rewrite_data_files}', '{"rewrite_data_files": {"min_input_files": 2}}')$$);

-- ---- engines that are approved ----

SELECT n, told, lab.says(statement) AS says FROM (VALUES
	(1, 'for all', $$SELECT floe.approve_engines('demo.**', '{spark,big}')$$),
	(2, 'narrower below', $$SELECT floe.approve_engines('demo.**', '{spark,big}'), floe.approve_engines('demo.db.**', '{spark}'), floe.approve_engines('demo.db.t', '{spark}')$$),
	(3, 'wider below', $$SELECT floe.approve_engines('demo.**', '{spark}'), floe.approve_engines('demo.db.**', '{spark,big}')$$),
	(4, 'wider two levels below', $$SELECT floe.approve_engines('demo.**', '{spark,big}'), floe.approve_engines('demo.db.**', '{spark}'), floe.approve_engines('demo.db.t', '{big}')$$),
	(5, 'the level above afterwards', $$SELECT floe.approve_engines('demo.db.**', '{spark,big}'), floe.approve_engines('demo.**', '{spark}')$$),
	(6, '... narrowed later', $$SELECT floe.approve_engines('demo.**', '{spark,big}'), floe.approve_engines('demo.db.**', '{spark,big}'), floe.approve_engines('demo.**', '{spark}')$$),
	(7, '... after the one below', $$SELECT floe.approve_engines('demo.**', '{spark,big}'), floe.approve_engines('demo.db.**', '{spark,big}'), floe.approve_engines('demo.db.**', '{spark}'), floe.approve_engines('demo.**', '{spark}')$$),
	(8, 'beside each other', $$SELECT floe.approve_engines('demo.a.**', '{spark}'), floe.approve_engines('demo.b.**', '{big}')$$),
	(9, 'patterns whose texts do not tell, and a table does', $$SELECT floe.approve_engines('demo.d*.**', '{spark}'), floe.approve_engines('*.db.t', '{big}')$$),
	(10, '... and none does', $$SELECT floe.approve_engines('demo.d*.**', '{spark}'), floe.approve_engines('*.db.nothing', '{big}')$$),
	(11, 'an exclusion', $$SELECT floe.approve_engines('demo.**, !demo.tmp.**', '{spark}'), floe.approve_engines('demo.tmp.**', '{big}')$$),
	(12, 'an exclusion beside it', $$SELECT floe.approve_engines('demo.**, !demo.tmp.**', '{spark}'), floe.approve_engines('demo.db.**', '{big}')$$),
	(13, 'a list', $$SELECT floe.approve_engines('demo.a.**, demo.b.**', '{spark}'), floe.approve_engines('demo.b.x', '{big}')$$),
	(14, 'a regular expression', $$SELECT floe.approve_engines('demo./d.*/.**', '{spark}'), floe.approve_engines('demo.db.*', '{big}')$$),
	(15, 'none', $$SELECT floe.approve_engines('demo.**', '{}')$$),
	(16, 'one that does not exist', $$SELECT floe.approve_engines('demo.**', '{spark,nowhere}')$$),
	(17, 'no pattern', $$SELECT floe.approve_engines('demo', '{spark}')$$),
	(18, 'directly', $$INSERT INTO floe.engine_approval (pattern, engines) VALUES ('demo.**', '{spark}'), ('demo.db.**', '{big}')$$),
	(19, '... changed', $$INSERT INTO floe.engine_approval (pattern, engines) VALUES ('demo.**', '{spark}'), ('demo.db.**', '{spark}'); UPDATE floe.engine_approval SET engines = '{spark,big}' WHERE pattern = 'demo.db.**'$$),
	(20, 'from a dump, in any order', $$INSERT INTO floe.engine_approval (pattern, engines, set_at) VALUES ('demo.db.**', '{gone,spark}', '2020-01-01'), ('demo.**', '{spark}', '2020-01-01')$$),
	(21, 'a policy with one that is not approved', $$SELECT floe.approve_engines('demo.**', '{big}'), floe.create_policy('n', 'demo.db.*', '{"engine": "spark"}')$$),
	(22, '... as a fallback', $$SELECT floe.approve_engines('demo.**', '{big}'), floe.create_policy('n', 'demo.db.*', '{"engine": "big", "fallback_engines": ["spark"]}')$$),
	(23, '... for an operation', $$SELECT floe.approve_engines('demo.**', '{big}'), floe.create_policy('n', 'demo.db.*', '{"engine": "big", "rewrite_manifests": {"engine": "spark"}}')$$),
	(24, '... named by the upper of two levels', $$SELECT floe.approve_engines('demo.**', '{big}'), floe.approve_engines('demo.db.**', '{big}'), floe.create_policy('n', 'demo.db.*', '{"engine": "spark"}')$$),
	(25, '... for some of its tables only: their gate says so', $$SELECT floe.approve_engines('demo.pii.**', '{big}'), floe.create_policy('n', 'demo.**.x', '{"engine": "spark"}')$$),
	(26, '... its pattern is changed', $$SELECT floe.approve_engines('demo.pii.**', '{big}'), floe.create_policy('n', 'demo.a.*', '{"engine": "spark"}'); SELECT floe.alter_policy('n', '{"pattern": "demo.pii.*"}')$$),
	(27, '... directly', $$SELECT floe.approve_engines('demo.pii.**', '{big}'), floe.create_policy('n', 'demo.a.*', '{"engine": "spark"}'); UPDATE floe.policy SET pattern = 'demo.pii.x' WHERE name = 'n'$$),
	(28, 'a policy that is there already', $$SELECT floe.create_policy('n', 'demo.a.*', '{"engine": "spark"}'), floe.approve_engines('demo.a.**', '{big}')$$)) AS v (n, told, statement) ORDER BY n;
SELECT "outer", "inner", floe_internal.pattern_covers("outer", "inner") FROM (VALUES ('**', 'a.b.c'), ('a.**', 'a.b.**'), ('a.b.**', 'a.**'), ('a.*.**', 'a.**'), ('a.**', 'a.*.**'), ('**.t', 'a.**.t'), ('a.**.t', '**.t'), ('a.s*.**', 'a.sales.*'),
	('a.s*.**', 'a.s*.t'), ('a.s*.**', 'a.sa*.t'), ('a.*.t', 'a./x+/.t'), ('a./x+/.t', 'a.xx.t'), ('a./x+/.t', 'a.y.t'), ('a./x+/.t', 'a./x+/.t'), ('a.?.t', 'a.xy.t'), ('a.b.c, a.b.d', 'a.b.d'), ('a.b.c', 'a.b.c, a.b.d'), ('a.**, !a.x.**', 'a.b.**'),
	('a.**, !a.x.**', 'a.x.t'), ('a.**, !a.x.**', 'a.**, !a.x.**'), ('a.**, !a.*.tmp', 'a.b.*'), ('a.**, !a.*.tmp', 'a.b.c'), ('a."*".c', 'a.b.c'), ('a.*.c', 'a."*".c'), ('**.**', '**'), ('a.**.b.**', 'a.b.b')) AS v ("outer", "inner");

SELECT floe.create_policy('narrow', 'demo.db.u', '{"engine": "big", "fallback_engines": ["spark"]}') > 0 AS made;
SELECT n, told, lab.engine_gate(setup, name) AS why FROM (VALUES
	(1, 'approved', 'demo.db.t', $$SELECT floe.approve_engines('demo.**', '{spark}')$$),
	(2, 'not approved', 'demo.db.t', $$SELECT floe.approve_engines('demo.**', '{big}')$$),
	(3, 'not by the level below', 'demo.db.t', $$SELECT floe.approve_engines('demo.**', '{spark,big}'), floe.approve_engines('demo.db.**', '{big}')$$),
	(4, 'of those named the one that is', 'demo.db.u', $$SELECT floe.approve_engines('demo.**', '{spark}')$$),
	(5, 'approvals that leave none', 'demo.db.t', $$SELECT floe.approve_engines('demo.*.t', '{spark}'), floe.approve_engines('*.db.t', '{big}')$$),
	(6, 'of another table', 'demo.db.t', $$SELECT floe.approve_engines('demo.db.u', '{big}')$$),
	(7, 'taken back', 'demo.db.t', $$SELECT floe.approve_engines('demo.**', '{big}'), floe.drop_engine_approval('demo.**')$$)) AS v (n, told, name, setup) ORDER BY n;
SELECT lab.rows($$SELECT floe.approve_engines('demo.**', '{spark,big}'), floe.approve_engines('demo.db.**', '{spark}')$$, $$SELECT * FROM floe.approved_engines('demo.db.t')$$);
SELECT floe.drop_engine_approval('demo.**') AS there_was_none;
SELECT floe.drop_policy('narrow');

-- ---- Trino, as its dialect says ----

CREATE SERVER trino TYPE 'trino' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1');
SELECT operation, is_supported FROM floe.engine_option WHERE option IS NULL AND engine_type = 'trino' AND operation IN ('rewrite_data_files', 'rewrite_position_delete_files', 'expire_snapshots') ORDER BY 1;
SELECT n, told, lab.says(statement) AS says FROM (VALUES
	(1, 'what it can', $$SELECT floe.create_policy('t', 'demo.t.**', '{"engine": "trino", "rewrite_data_files": {}, "expire_snapshots": {}, "remove_orphan_files": {}}')$$),
	(2, 'an operation that it does not have', $$SELECT floe.create_policy('t', 'demo.t.**', '{"engine": "trino", "rewrite_position_delete_files": {}}')$$),
	(3, '... with Spark to fall back on', $$SELECT floe.create_policy('t', 'demo.t.**', '{"engine": "trino", "fallback_engines": ["spark"], "rewrite_position_delete_files": {}}')$$),
	(4, 'an option that it does not have', $$SELECT floe.create_policy('t', 'demo.t.**', '{"engine": "trino", "rewrite_data_files": {"options": {"min_input_files": 3}}}')$$),
	(5, 'the engine is changed to it', $$SELECT floe.create_policy('t', 'demo.t.**', '{"engine": "spark", "rewrite_data_files": {"options": {"min_input_files": 3}}}'); SELECT floe.alter_policy('t', '{"engine": "trino"}')$$)) AS v (n, told, statement) ORDER BY n;
SELECT lab.engine_gate($$SELECT floe.alter_policy('wide', '{"engine": "trino", "rewrite_position_delete_files": {"engine": "spark"}}'); SELECT floe.create_policy('n', 'demo.db.*', '{"rewrite_data_files": {"options": {"min_input_files": 3}}}')$$) AS "options of one policy, the engine of another";
-- floe's own need of an option keeps nobody from it
SELECT lab.rows($$SELECT floe.alter_policy('wide', '{"engine": "trino", "fallback_engines": ["spark"]}'), floe.trigger('demo.db.u', '{rewrite_data_files}')$$, $$SELECT q.engine, q.engines FROM floe_internal.operation_queue AS q$$);
SELECT lab.rows($$SELECT floe.alter_policy('wide', '{"engine": "trino", "fallback_engines": ["spark"]}'), floe.trigger('demo.db.t', '{rewrite_data_files}')$$, $$SELECT q.engine, q.engines FROM floe_internal.operation_queue AS q$$);
-- another engine may have to be told what the first one reads by itself: the table's retention
SELECT lab.assess('demo.db.r', snapshots => 40, snapshot_gap => '1 day', properties => '{"history.expire.max-snapshot-age-ms": "2592000000"}');
CREATE FUNCTION lab.sent(setup text, OUT engine text, OUT statement text) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE setup;
		SELECT q.engine, p.statement INTO engine, statement FROM floe_internal.claim_operation(1, NULL) AS q, floe_internal.preflight(q.operation_id, (SELECT e.type FROM floe.engines AS e WHERE e.name = q.engine), 'lake') AS p;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
END $$;
SELECT n, s.engine, s.statement FROM (VALUES (1, 'SELECT'), (2, $$SELECT floe.drain_engine('spark')$$)) AS v (n, setup),
	lab.sent($$SELECT floe.alter_policy('wide', '{"fallback_engines": ["trino"]}'), floe.trigger('demo.db.r', '{expire_snapshots}'); $$ || setup) AS s ORDER BY n;
-- and while it waits the table may come to need more, or less than was asked for
SELECT days, s.engine, s.statement FROM (VALUES (40), (10)) AS v (days),
	lab.sent(format($$SELECT floe.alter_policy('wide', '{"engine": "trino"}'), floe.trigger('demo.db.r', '{expire_snapshots}');
		UPDATE floe_internal.iceberg_table SET properties = '{"history.expire.max-snapshot-age-ms": "%s"}' WHERE name = 'demo.db.r'$$, days::bigint * 86400000)) AS s ORDER BY days;
-- a session of a size is what only some can start
CREATE SERVER gateway TYPE 'livy' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1');
SELECT lab.rows($$SELECT floe.alter_policy('wide', '{"engine": "gateway", "fallback_engines": ["spark"], "rewrite_data_files": {"resources": "small"}}'), floe.trigger('demo.db.u', '{rewrite_data_files}')$$,
	$$SELECT q.engine, q.engines FROM floe_internal.operation_queue AS q$$);
SELECT lab.rows($$SELECT floe.alter_policy('wide', '{"engine": "gateway", "fallback_engines": ["spark"], "rewrite_data_files": {"resources": "small"}}'), floe.drain_engine('gateway')$$,
	$$SELECT w.verdict, w.gate, w.value FROM floe.why('demo.db.u') AS w WHERE w.operation = 'rewrite_data_files'$$);
SELECT lab.rows($$SELECT floe.create_policy('n', 'demo.db.*', '{"rewrite_data_files": {"resources": "small"}}')$$,
	$$SELECT w.verdict, w.gate, w.value FROM floe.why('demo.db.u') AS w WHERE w.operation = 'rewrite_data_files'$$) AS "resources of one policy, the engine of another";
SELECT n, lab.says(format($$SELECT floe.create_policy('n', 'demo.n.*', '{"engine": "gateway", "rewrite_data_files": {"resources": {%s: "1"}}}')$$, key)) AS says FROM (VALUES
	(1, '"spark.executor.memory"'), (2, '"spark.dynamicAllocation.maxExecutors"'), (3, '"spark.sql.catalog.demo.uri"'), (4, '"spark.jars"'), (5, '"spark.driver.extraJavaOptions"'), (6, '"spark.hadoop.fs.s3a.endpoint"'),
	(7, '"spark.kubernetes.executor.request.cores"'), (8, '"spark.executor.memory.x"')) AS v (n, key) ORDER BY n;
SELECT lab.says($$INSERT INTO floe.resource_preset (name, conf) VALUES ('mine', '{"spark.plugins": "x"}')$$);
