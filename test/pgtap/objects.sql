-- What holds for every object of the extension: it says what it is, nobody may use it by default, it resolves names where its author meant to,
-- whatever stands first in the caller's search_path, and PL/pgSQL in it is sound.
CREATE EXTENSION plpgsql_check;
-- one for each view, at the end
SELECT plan(91 + (SELECT count(*)::int FROM pg_class WHERE relkind = 'v' AND relnamespace = 'floe'::regnamespace));

CREATE VIEW routine AS
	SELECT p.*, l.lanname FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
	WHERE p.pronamespace IN ('floe'::regnamespace, 'floe_internal'::regnamespace);
CREATE VIEW relation AS
	SELECT c.* FROM pg_class AS c WHERE c.relnamespace IN ('floe'::regnamespace, 'floe_internal'::regnamespace);
-- members of the extension, wherever they are
CREATE VIEW member AS
	SELECT d.classid, d.objid FROM pg_depend AS d WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'floe') AND d.deptype = 'e';

-- ---- described ----

SELECT cmp_ok((SELECT count(*) FROM routine), '>', 100::bigint, 'there are functions to look at');
SELECT cmp_ok((SELECT count(*) FROM relation WHERE relkind = 'r'), '>', 20::bigint, 'and tables');
SELECT is_empty($$SELECT oid::regprocedure FROM routine WHERE obj_description(oid, 'pg_proc') IS NULL$$, 'every function has a comment');
SELECT is_empty($$SELECT oid::regclass FROM relation WHERE relkind NOT IN ('i', 'I', 'S', 't') AND obj_description(oid, 'pg_class') IS NULL AND NOT (relkind = 'c' AND obj_description(reltype, 'pg_type') IS NOT NULL)$$,
	'and every table, view and type');
SELECT is_empty($$SELECT nspname FROM pg_namespace WHERE nspname IN ('floe', 'floe_internal') AND obj_description(oid, 'pg_namespace') IS NULL$$, 'and each schema');
SELECT is_empty($$SELECT fdwname FROM pg_foreign_data_wrapper WHERE fdwname LIKE 'floe%' AND obj_description(oid, 'pg_foreign_data_wrapper') IS NULL$$, 'and each wrapper');
SELECT is_empty($$SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'floe%' AND obj_description(oid, 'pg_event_trigger') IS NULL$$, 'and each event trigger');
SELECT is_empty($$SELECT c.oid::regclass, a.attname FROM relation AS c JOIN pg_attribute AS a ON a.attrelid = c.oid WHERE c.oid = 'floe.metric'::regclass AND a.attnum > 0 AND col_description(c.oid, a.attnum) IS NULL AND a.attname <> 'description'$$,
	'and each column of what people write to: metrics');
SELECT is_empty($$SELECT oid::regprocedure FROM routine WHERE obj_description(oid, 'pg_proc') ~ '(TODO|FIXME|XXX)'$$, 'no comment puts something off');

-- ---- whose they are, and who may ----

SELECT is_empty($$SELECT oid::regclass FROM relation WHERE relowner <> (SELECT extowner FROM pg_extension WHERE extname = 'floe')$$, 'all tables are the extension owner''s');
SELECT is_empty($$SELECT c.oid::regclass FROM relation AS c WHERE c.relkind IN ('r', 'v') AND NOT EXISTS (SELECT FROM member AS m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)$$, 'and belong to the extension');
SELECT is_empty($$SELECT p.oid::regprocedure FROM routine AS p WHERE NOT EXISTS (SELECT FROM member AS m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)$$, 'as do all functions');
SELECT is_empty($$SELECT m.classid::regclass, m.objid FROM member AS m WHERE m.classid = 'pg_proc'::regclass AND NOT EXISTS (SELECT FROM routine AS p WHERE p.oid = m.objid)$$, 'none is in another schema');
SELECT is_empty($$SELECT c.oid::regclass, x.privilege_type FROM relation AS c CROSS JOIN LATERAL aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) AS x WHERE x.grantee = 0 AND c.relkind NOT IN ('c', 'i')$$, 'PUBLIC has nothing of a table');
SELECT is_empty($$SELECT a.attrelid::regclass, a.attname FROM relation AS c JOIN pg_attribute AS a ON a.attrelid = c.oid CROSS JOIN LATERAL aclexplode(a.attacl) AS x WHERE x.grantee = 0$$, 'nor of a column');
SELECT is_empty($$SELECT p.oid::regprocedure FROM routine AS p CROSS JOIN LATERAL aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS x WHERE x.grantee = 0$$, 'nor a function');
SELECT is_empty($$SELECT n.nspname FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) AS x WHERE n.nspname IN ('floe', 'floe_internal') AND x.grantee = 0$$, 'nor a schema');
SELECT is_empty($$SELECT w.fdwname FROM pg_foreign_data_wrapper AS w CROSS JOIN LATERAL aclexplode(COALESCE(w.fdwacl, acldefault('F', w.fdwowner))) AS x WHERE w.fdwname LIKE 'floe%' AND x.grantee = 0$$, 'nor a wrapper');
SELECT is((SELECT string_agg(DISTINCT x.grantee::regrole::text, ' ') FROM relation AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS x WHERE x.grantee <> c.relowner), 'floe_admin floe_viewer', 'grants on tables are to floe''s own roles');
SELECT is_empty($$SELECT c.oid::regclass FROM relation AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS x WHERE c.relnamespace = 'floe_internal'::regnamespace AND x.grantee <> c.relowner$$, 'nothing of floe_internal''s tables is for anybody');
SELECT is((SELECT string_agg(p.proname::text, ' ' ORDER BY p.proname) FROM routine AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS x WHERE p.pronamespace = 'floe_internal'::regnamespace AND x.grantee <> p.proowner),
	'budget_state clock connection_options connection_types drop_watch end_pg_cron_jobs engine_operations engine_options format_name jdbc_relation match_pattern pg_cron_command prepare_schedule prepare_unschedule put_watch queue_opens tell_pg_cron workers', 'and of its functions only those that views call, and those that act as who calls floe.schedule() or floe.watch_catalog()');
SELECT is_empty($$SELECT c.oid::regclass FROM relation AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS x WHERE x.is_grantable AND x.grantee <> c.relowner$$, 'nobody may pass a privilege on');
SELECT is_empty($$SELECT p.oid::regprocedure FROM routine AS p WHERE p.pronamespace = 'floe'::regnamespace AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) AS x WHERE x.grantee <> p.proowner)$$, 'every function of schema floe is for some role');
SELECT is_empty($$SELECT rolname FROM pg_roles WHERE rolname IN ('floe_viewer', 'floe_operator', 'floe_admin') AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolreplication OR rolbypassrls)$$, 'floe''s roles have no power of their own');

-- ---- names are resolved where their author meant ----

SELECT is_empty($$SELECT oid::regprocedure FROM routine WHERE prosecdef AND NOT COALESCE('search_path=pg_catalog, pg_temp' = ANY (proconfig), false) AND prosqlbody IS NULL$$, 'SECURITY DEFINER pins search_path');
SELECT is_empty($$SELECT oid::regprocedure FROM routine WHERE lanname = 'plpgsql' AND NOT COALESCE('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)$$, 'as does every function in PL/pgSQL');
SELECT is_empty($$SELECT oid::regprocedure FROM routine WHERE lanname = 'sql' AND prosqlbody IS NULL AND NOT COALESCE('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)$$, 'and in SQL, unless its body was resolved when it was made');
SELECT is_empty($$SELECT oid::regprocedure, lanname FROM routine WHERE lanname NOT IN ('c', 'sql', 'plpgsql', 'internal')$$, 'other languages are not used');
SELECT is_empty($$SELECT oid::regprocedure FROM routine WHERE lanname = 'c' AND prosecdef$$, 'no function in C is SECURITY DEFINER');

-- ---- tables ----

SELECT is_empty($$SELECT c.oid::regclass FROM relation AS c WHERE c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
	-- written once and removed by its time: nothing refers to a row; the last is a copy of the log's columns, and always rolled back
	AND c.oid NOT IN ('floe_internal.health_history'::regclass, 'floe_internal.pause_past'::regclass, 'floe_internal.simulated_past'::regclass)
	$$, 'every table has a primary key, or a reason');
SELECT is_empty($$SELECT c.conrelid::regclass, c.conname FROM pg_constraint AS c JOIN relation AS r ON r.oid = c.conrelid
	WHERE c.contype = 'f' AND c.confdeltype = 'c' AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.conrelid AND i.indpred IS NULL AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)$$,
	'what goes with another row is found by an index');
SELECT is_empty($$SELECT oid::regclass FROM relation WHERE relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = relation.oid AND d.deptype = 'i')
	AND oid NOT IN ('floe_internal.operation_id_seq'::regclass,	-- an operation keeps its id when it moves from the queue to the log
		'floe_internal.dispatch_turn_seq'::regclass,	-- a turn is taken again and again
		'floe_internal.look_seq'::regclass)		-- a look that is overtaken leaves no row
	$$, 'sequences are those of identity columns');
SELECT is_empty($$SELECT c.oid::regclass FROM relation AS c WHERE c.relkind = 'r' AND c.relpersistence <> 'p'$$, 'all tables outlive a crash');
SELECT is_empty($$SELECT a.attrelid::regclass, a.attname FROM relation AS c JOIN pg_attribute AS a ON a.attrelid = c.oid WHERE c.relkind = 'r' AND a.attnum > 0 AND a.atttypid IN ('json'::regtype, 'timestamp'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'money'::regtype)$$,
	'no column has a type that one comes to regret');

-- ---- rows that refer to names elsewhere ----

SELECT is_empty($$SELECT m.name, m.requires FROM floe.metric AS m WHERE m.requires IS NOT NULL AND NOT EXISTS (SELECT FROM floe.metric AS r WHERE r.name = m.requires AND r.remedy = m.remedy)$$, 'what a metric requires is a metric with the same remedy');
SELECT is_empty($$SELECT m.name FROM floe.metric AS m WHERE m.remedy_options IS NOT NULL AND floe_internal.check_options(m.remedy, m.remedy_options) <> m.remedy_options$$, 'options of a remedy are valid and canonical');
SELECT is_empty($$SELECT b.operation FROM floe_internal.builtin_setting AS b WHERE b.operation <> '' AND NOT EXISTS (SELECT FROM floe_internal.operation_kind AS k WHERE k.operation = b.operation)$$, 'defaults are of operations there are');
SELECT is_empty($$SELECT s.operation, s.setting FROM (SELECT b.operation, b.setting FROM floe_internal.builtin_setting AS b UNION ALL SELECT p.operation, p.setting FROM floe_internal.property_setting AS p) AS s
	WHERE s.setting LIKE 'options.%' AND NOT EXISTS (SELECT FROM floe.operation_option AS o WHERE o.operation = s.operation AND 'options.' || o.option = s.setting)$$, 'and of options there are');
SELECT is_empty($$SELECT k.scope, k.key FROM floe_internal.policy_key AS k WHERE NOT EXISTS (SELECT FROM pg_attribute AS a
	WHERE a.attrelid = CASE k.scope WHEN 'policy' THEN 'floe.policy'::regclass ELSE 'floe.policy_operation'::regclass END AND a.attname = k.column_name)$$, 'every key of a policy document has its column');
SELECT is_empty($$SELECT a.attrelid::regclass, a.attname FROM pg_attribute AS a WHERE a.attrelid IN ('floe.policy'::regclass, 'floe.policy_operation'::regclass) AND a.attnum > 0 AND NOT a.attisdropped
	AND a.attname NOT IN ('policy_id', 'operation', 'name', 'pattern', 'owner', 'created_at', 'updated_at', 'schedule_set_at') AND NOT EXISTS (SELECT FROM floe_internal.policy_key AS k
	WHERE k.column_name = a.attname AND k.scope = CASE a.attrelid WHEN 'floe.policy'::regclass THEN 'policy' ELSE 'operation' END)$$, 'and every column its key');

-- ---- PL/pgSQL ----

-- pg_cron as far as floe.schedule() knows it, so that the statements for it are checked, too; test/t/140_pg_cron.pl has the real one
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid bigint, schedule text, command text, database text, username text, active bool, jobname name);
CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION cron.alter_job(job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL, database text DEFAULT NULL, username text DEFAULT NULL, active bool DEFAULT NULL) RETURNS void LANGUAGE sql AS 'SELECT';

-- and the table of a JDBC catalog, on which floe.watch_catalog() puts its trigger
CREATE TABLE iceberg_tables (catalog_name text, table_namespace text, table_name text, metadata_location text, previous_metadata_location text);
CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON iceberg_tables FOR EACH ROW EXECUTE FUNCTION floe.notify_jdbc_commit('demo');

SELECT is_empty($$
	SELECT p.oid::regprocedure, f.lineno, f.level, f.message, f.detail
	FROM routine AS p
	LEFT JOIN (SELECT DISTINCT g.tgfoid, g.tgrelid, g.tgnewtable, g.tgoldtable FROM pg_trigger AS g WHERE NOT g.tgisinternal) AS t ON t.tgfoid = p.oid
	CROSS JOIN LATERAL plpgsql_check_function_tb(p.oid::regprocedure, relid => COALESCE(t.tgrelid, 0), fatal_errors => false, extra_warnings => true, performance_warnings => false,
		oldtable => CASE WHEN t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL THEN 'old_rows' END, newtable => CASE WHEN t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL THEN 'new_rows' END) AS f
	WHERE p.lanname = 'plpgsql'$$, 'plpgsql_check finds nothing');
CREATE FUNCTION unsound() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT x FROM nowhere); END';
SELECT isnt_empty($$SELECT * FROM plpgsql_check_function_tb('unsound()'::regprocedure, fatal_errors => false)$$, 'and would find something');

-- ---- a hostile search_path ----

-- Schema hostile has a twin of every operator and function of pg_catalog over the types that floe uses; a call of any of them is an error that names it.
CREATE SCHEMA hostile;
SET client_min_messages = error;
DO $do$
DECLARE
	kinds CONSTANT oid[] := ARRAY['text', 'text[]', 'name', 'int2', 'int4', 'int4[]', 'int8', 'int8[]', 'float8', 'bool', 'jsonb', 'timestamptz', 'interval', 'numeric', 'oid', 'bytea', 'regclass', 'regprocedure']::regtype[]::oid[];
	f record;
BEGIN
	FOR f IN
		SELECT p.proname, p.proargtypes::oid[] AS args, p.prorettype, p.proretset FROM pg_proc AS p
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.proargtypes::oid[] <@ kinds AND p.prorettype = ANY (kinds) AND p.provariadic = 0 AND p.pronargs <= 4 AND p.proallargtypes IS NULL
			AND p.proname NOT IN ('set_config')
	LOOP
		EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', f.proname, (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY n) FROM unnest(f.args) WITH ORDINALITY AS a (t, n)),
			CASE WHEN f.proretset THEN 'SETOF' ELSE '' END, format_type(f.prorettype, NULL), format('BEGIN RAISE EXCEPTION %L; END', format('reached hostile.%s', f.proname)));
	END LOOP;
	-- those that take anything
	FOR f IN SELECT * FROM (VALUES ('format', 'text, text', 'text'), ('format', 'text, text, text', 'text'), ('concat_ws', 'text, text, text', 'text'), ('to_jsonb', 'text', 'jsonb'), ('to_jsonb', 'boolean', 'jsonb'), ('to_jsonb', 'interval', 'jsonb'),
		('jsonb_build_object', 'text, text', 'jsonb'), ('jsonb_build_object', 'text, jsonb', 'jsonb'), ('cardinality', 'text[]', 'integer'), ('array_to_string', 'text[], text', 'text'), ('unnest', 'bigint[]', 'bigint'), ('unnest', 'text[]', 'text')) AS v (proname, args, result)
	LOOP
		EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', f.proname, f.args, f.result, format('BEGIN RAISE EXCEPTION %L; END', format('reached hostile.%s', f.proname)));
	END LOOP;
	FOR f IN
		SELECT o.oprname, o.oprleft, o.oprright, o.oprresult FROM pg_operator AS o
		WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprleft = ANY (kinds) AND o.oprright = ANY (kinds) AND o.oprresult = ANY (kinds)
	LOOP
		EXECUTE format('CREATE FUNCTION hostile.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', 'operator ' || f.oprname, format_type(f.oprleft, NULL), format_type(f.oprright, NULL), format_type(f.oprresult, NULL),
			format('BEGIN RAISE EXCEPTION %L; END', format('reached hostile operator %s', replace(f.oprname, '%', '%%'))));
		EXECUTE format('CREATE OPERATOR hostile.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = hostile.%I)', f.oprname, format_type(f.oprleft, NULL), format_type(f.oprright, NULL), 'operator ' || f.oprname);
	END LOOP;
END
$do$;
CREATE AGGREGATE hostile.count(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '1000000');
CREATE AGGREGATE hostile.max(timestamptz) (SFUNC = timestamptz_smaller, STYPE = timestamptz);
CREATE DOMAIN hostile.text AS pg_catalog.text CHECK (false);
CREATE DOMAIN hostile.int4 AS pg_catalog.int4 CHECK (false);
CREATE DOMAIN hostile.jsonb AS pg_catalog.jsonb CHECK (false);
CREATE DOMAIN hostile.timestamptz AS pg_catalog.timestamptz CHECK (false);
CREATE TABLE hostile.policy (LIKE floe.policy);
CREATE TABLE hostile.pg_class (LIKE pg_class);
CREATE TABLE hostile.pg_foreign_server (LIKE pg_foreign_server);
CREATE TABLE hostile.pg_timezone_names (name pg_catalog.text);
CREATE TABLE hostile.iceberg_table (LIKE floe_internal.iceberg_table);
-- temporary ones come first, too, unless a path says otherwise
CREATE TEMP TABLE policy (LIKE floe.policy);
CREATE TEMP TABLE pg_timezone_names (name pg_catalog.text);
CREATE FUNCTION pg_temp.lower(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''reached pg_temp.lower''; END';

-- What a statement says with that path; NULL: nothing bad.
CREATE FUNCTION tried(statement text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
	PERFORM pg_catalog.set_config('search_path', 'hostile, pg_temp, floe, floe_internal, public, pg_catalog', true);
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END
$body$;
CREATE FUNCTION naive(x text) RETURNS bool LANGUAGE plpgsql AS $body$ BEGIN RETURN x = 'a' AND lower(x) = 'a'; END $body$;
RESET client_min_messages;
SELECT cmp_ok((SELECT count(*) FROM pg_proc WHERE pronamespace = 'hostile'::regnamespace), '>', 1000::bigint, 'the hostile schema is well stocked');
SELECT is(tried('SELECT lower(''A'')'), 'reached hostile.lower', 'a call without a schema is caught');
SELECT is(tried('SELECT public.naive(''a'')'), 'reached hostile operator =', 'and so is a function that pins nothing');

-- Statements over everything that people and the library call. CREATE SERVER runs the validators and the event trigger.
SELECT is(tried(s), NULL, left(s, 110)) FROM (VALUES
	(1, $$CREATE SERVER demo TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1', list_interval '10 minutes')$$),
	(2, $$CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice', memory_gb '2')$$),
	(3, $$CREATE USER MAPPING FOR CURRENT_USER SERVER demo OPTIONS (token 'x')$$),
	(4, $$SELECT floe.create_policy('p', 'demo.**, !demo.tmp.*', '{"priority": 1, "engine": "spark", "poll_interval": "1 hour", "exclude": ["demo.x.*"], "thresholds": {"excess_file_count": {"warning": 1}, "data_bytes": {"warning": "1 GB"}}, "weights": {"gain": 1},
		"rewrite_data_files": {"schedule": "0 2 * * *", "timezone": "Europe/Amsterdam", "windows": ["22:00-06:00"], "days": ["mon"], "when": [{"metric": "last_write_age", "value": "1 hour"}], "deadline": "7 days", "options": {"target-file-size-bytes": "1GB"}}, "expire_snapshots": {"every": "1 day"}}')$$),
	(5, $$SELECT floe_internal.apply_listing(1, '{db,db}', '{t,u}')$$),
	(6, $$SELECT floe.alter_policy('p', '{"priority": 2, "weights": {"gain": null, "age": 1}, "rewrite_data_files": {"options": {"min_input_files": 2}, "every": "1 hour"}, "expire_snapshots": null, "rewrite_manifests": {}}')$$),
	(7, $$SELECT floe.import_policy('{"name": "q", "pattern": "demo.db.t", "remove_orphan_files": {"options": {"older_than": "4 days"}}}')$$),
	(8, $$SELECT floe.import_policy('{"name": "q", "pattern": "demo.db.t", "thresholds": {"delete_ratio": {"warning": 0.1}}, "remove_orphan_files": {}}')$$),
	(9, $$SELECT floe.export_policy('p')$$),
	(10, $$INSERT INTO floe.policy (name, pattern) VALUES ('r', 'demo.db.*')$$),
	(11, $$INSERT INTO floe.budget (name, pattern, engine, operations) VALUES ('b', 'demo.**', 'spark', 5)$$),
	(12, $$UPDATE floe.metric SET warning = 5, critical = 6$$),
	(13, $$UPDATE floe.debt_term SET weight = 1$$),
	(14, $$SELECT floe_internal.store_manifests(1, '{m}', '{100}', '{0}', '{0}', '{1}', '{1}', '{f}', '{"\\x46010200000000000000"}')$$),
	(15, $$SELECT * FROM floe.effective_policy('demo.db.t')$$),
	(16, $$SELECT * FROM floe.matching_tables('demo.**')$$),
	(17, $$SELECT * FROM floe.health('demo.db.t')$$),
	(18, $$SELECT * FROM floe.partition_health('demo.db.t')$$),
	(19, $$SELECT * FROM floe.why('demo.db.t', true)$$),
	(20, $$SELECT * FROM floe.plan('**')$$),
	(21, $$SELECT * FROM floe.debt('demo.db.t')$$),
	(22, $$SELECT * FROM floe.status('**')$$),
	(23, $$SELECT * FROM floe.stats('1 day')$$),
	(24, $$SELECT * FROM floe.trigger('demo.db.t', NULL, '{}')$$),
	(25, $$SELECT * FROM floe.refresh('demo.**')$$),
	(25.1, $$SELECT floe.notify_commit('demo.db.t'), floe.notify_commit('demo.db.v')$$),
	(25.2, $$SELECT * FROM floe_internal.claim_tables(1, '{1}', 'demo.**', '{10}', true)$$),
	(25.3, $$SELECT floe_internal.tables_unchanged('{1,2}')$$),
	(25.4, $$SELECT floe_internal.next_assessor_ms('{1}', true), floe_internal.next_executor_ms()$$),
	(25.5, $$SELECT floe.drain('x'), floe.undrain()$$),
	(25.6, $$SELECT floe_internal.decide_soon('{1,2}'), floe_internal.plan_due(10)$$),
	(25.7, $$SELECT floe_internal.begin_pass('test'), floe_internal.void_claims(), floe_internal.end_pass(1)$$),
	(25.71, $$UPDATE floe_internal.identity SET database_oid = 1$$),
	(25.72, $$SELECT floe_internal.settle_identity(), floe.undrain()$$),
	(25.8, $$SELECT floe_internal.claim_operation(1, NULL)$$),
	(25.9, $$ALTER USER MAPPING FOR CURRENT_USER SERVER demo OPTIONS (SET token 'y')$$),
	(26, $$SELECT floe.pause('demo.db.u', 'infinity', 'why not')$$),
	(27, $$SELECT floe.resume('demo.db.u')$$),
	(28, $$SELECT * FROM floe.check_catalog('demo')$$),
	(29, $$SELECT * FROM floe.check_engine('spark')$$),
	(30, $$SELECT floe_internal.plan_and_queue(NULL)$$),
	(31, $$SELECT floe_internal.purge(100)$$),
	(32, $$SELECT floe.drop_policy('q')$$),
	(33, $$DELETE FROM floe.policy WHERE name OPERATOR(pg_catalog.=) 'r'$$)) AS v (n, s) ORDER BY n;
SELECT is(tried(format('SELECT * FROM %s', c.oid::regclass)), NULL, format('view %s', c.relname)) FROM relation AS c WHERE c.relkind = 'v' AND c.relnamespace = 'floe'::regnamespace ORDER BY c.relname;
SELECT is(floe.export_policy('p') #>> '{rewrite_data_files,options,min_input_files}', '2', 'and what was asked for was done');

-- The whole pass, by the library: it is a procedure with transactions of its own, so it runs by itself. An error would end this file before its plan.
SET search_path = hostile, pg_temp, floe, floe_internal, public, pg_catalog;
CALL floe.run_maintenance('demo.**', true);
RESET search_path;
SELECT is((SELECT status FROM floe.catalogs WHERE name = 'demo'), 'error', 'the pass found the catalog down, as it is');

SELECT * FROM finish();
