--
-- Who may do what: PUBLIC nothing, floe_viewer reads, floe_operator also acts, floe_admin also edits policies, budgets and weights.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine();
CREATE USER MAPPING FOR regress_boss SERVER demo OPTIONS (token 'a secret');
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}}') > 0;
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000), lab.assess('demo.db.u');
SELECT floe.pause('demo.db.u') > 0;
INSERT INTO floe.budget (name, operations) VALUES ('b', 100);
CREATE ROLE regress_nobody;
CREATE ROLE regress_viewer IN ROLE floe_viewer;
CREATE ROLE regress_operator IN ROLE floe_operator;
CREATE ROLE regress_admin IN ROLE floe_admin;

-- What a statement says to somebody: "ok", what is denied, or another SQLSTATE. It is undone.
CREATE FUNCTION lab.told(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		PERFORM set_config('role', role, true);
		EXECUTE statement;
		SET CONSTRAINTS ALL IMMEDIATE;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION
		WHEN SQLSTATE 'LAB00' THEN
			RETURN 'ok';
		WHEN insufficient_privilege THEN
			RETURN CASE WHEN SQLERRM LIKE 'permission denied for %' THEN '-' ELSE SQLERRM END;
		WHEN OTHERS THEN
			RETURN SQLSTATE;
	END;
END $$;
CREATE VIEW lab.roles AS SELECT * FROM (VALUES ('nobody', 'regress_nobody'), ('viewer', 'regress_viewer'), ('operator', 'regress_operator'), ('admin', 'regress_admin')) AS r (who, role);

-- ---- by name: every table, view, function and procedure of schema floe ----

SELECT c.relname, (SELECT string_agg(r.who || ' ' || p.can, ', ' ORDER BY r.role = 'regress_admin', r.role = 'regress_operator', r.role = 'regress_viewer') FROM lab.roles AS r, LATERAL (
		SELECT string_agg(lower(x), ' ') AS can FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS x
		WHERE CASE WHEN x IN ('INSERT', 'UPDATE', 'SELECT', 'REFERENCES') THEN has_any_column_privilege(r.role, c.oid, x) ELSE has_table_privilege(r.role, c.oid, x) END) AS p WHERE p.can IS NOT NULL) AS who_can
FROM pg_class AS c WHERE c.relnamespace = 'floe'::regnamespace AND c.relkind IN ('r', 'v') ORDER BY 1;
SELECT p.proname, (SELECT string_agg(r.who, ' ' ORDER BY r.role = 'regress_admin', r.role = 'regress_operator') FROM lab.roles AS r WHERE has_function_privilege(r.role, p.oid, 'EXECUTE')) AS who_can
FROM pg_proc AS p WHERE p.pronamespace = 'floe'::regnamespace ORDER BY 1;
SELECT count(*) AS functions_of_floe_internal FROM pg_proc AS p, lab.roles AS r WHERE p.pronamespace = 'floe_internal'::regnamespace AND has_function_privilege(r.role, p.oid, 'EXECUTE') AND p.proname NOT IN ('clock', 'connection_options', 'engine_options', 'workers', 'match_pattern', 'format_name',
	'engine_operations', 'connection_types', 'queue_opens', 'budget_state',	-- of floe.engine_option, floe.queue and floe.budgets
	'pg_cron_command', 'prepare_schedule', 'tell_pg_cron', 'prepare_unschedule', 'end_pg_cron_jobs',	-- parts of floe.schedule() and floe.unschedule(), which run as the caller
	'jdbc_relation', 'drop_watch', 'put_watch');	-- and of floe.watch_catalog() and floe.unwatch_catalog()
-- every column of every view, with the functions that it calls
CREATE FUNCTION lab.reads(role text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	view text;
BEGIN
	FOR view IN SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relnamespace = 'floe'::regnamespace AND c.relkind = 'v' ORDER BY c.relname LOOP
		BEGIN
			EXECUTE format('SET LOCAL ROLE %I', role);
			EXECUTE format('SELECT count(x::text) FROM %s AS x', view);
			RESET ROLE;
		EXCEPTION WHEN insufficient_privilege THEN
			RESET ROLE;
			RETURN NEXT view || ': ' || SQLERRM;
		END;
	END LOOP;
END $$;
SELECT r.who, x.refused FROM lab.roles AS r CROSS JOIN LATERAL lab.reads(r.role) AS x (refused) WHERE r.who <> 'nobody';
SELECT count(*) > 8 AS nobody_reads_none FROM lab.reads('regress_nobody');
SELECT count(*) AS tables_of_floe_internal FROM pg_class AS c, lab.roles AS r WHERE c.relnamespace = 'floe_internal'::regnamespace AND c.relkind IN ('r', 'v')
	AND (has_any_column_privilege(r.role, c.oid, 'SELECT') OR has_any_column_privilege(r.role, c.oid, 'INSERT') OR has_any_column_privilege(r.role, c.oid, 'UPDATE') OR has_table_privilege(r.role, c.oid, 'DELETE') OR has_table_privilege(r.role, c.oid, 'TRUNCATE'));
SELECT r.who, n.nspname, has_schema_privilege(r.role, n.oid, 'USAGE') AS usage, has_schema_privilege(r.role, n.oid, 'CREATE') AS create FROM lab.roles AS r, pg_namespace AS n WHERE n.nspname IN ('floe', 'floe_internal') ORDER BY 2, r.role = 'regress_admin', r.role = 'regress_operator', r.role = 'regress_viewer';
SELECT a.attrelid::regclass AS of, string_agg(a.attname, ', ' ORDER BY a.attnum) AS what_an_administrator_cannot_set FROM pg_attribute AS a
WHERE a.attrelid IN ('floe.policy'::regclass, 'floe.policy_operation'::regclass, 'floe.metric'::regclass, 'floe.debt_term'::regclass, 'floe.budget'::regclass) AND a.attnum > 0 AND NOT has_column_privilege('regress_admin', a.attrelid, a.attnum, 'UPDATE')
GROUP BY 1 ORDER BY 1;

-- ---- in deed ----

SELECT s AS statement, lab.told('regress_nobody', s) AS nobody, lab.told('regress_viewer', s) AS viewer, lab.told('regress_operator', s) AS operator, lab.told('regress_admin', s) AS admin FROM (VALUES
	(1, 'SELECT count(*) FROM floe.tables'), (2, 'SELECT * FROM floe.operations'), (3, 'SELECT * FROM floe.events'), (4, 'SELECT * FROM floe.pauses'), (5, 'SELECT * FROM floe.catalogs'), (6, 'SELECT * FROM floe.engines'),
	(7, 'SELECT * FROM floe.policy'), (8, 'SELECT * FROM floe.policy_operation'), (9, 'SELECT * FROM floe.policy_history'), (10, 'SELECT * FROM floe.metric'), (11, 'SELECT * FROM floe.debt_term'), (12, 'SELECT * FROM floe.budget'),
	(13, 'SELECT * FROM floe.connection_option'), (14, 'SELECT * FROM floe.operation_option'), (15, 'SELECT * FROM floe.health_history'),
	(20, $$SELECT * FROM floe.health('demo.db.t')$$), (21, $$SELECT * FROM floe.partition_health('demo.db.t')$$), (22, $$SELECT * FROM floe.why('demo.db.t')$$), (23, $$SELECT * FROM floe.plan()$$), (24, $$SELECT * FROM floe.debt('demo.db.t')$$),
	(25, $$SELECT * FROM floe.status()$$), (26, $$SELECT * FROM floe.stats()$$), (27, $$SELECT * FROM floe.effective_policy('demo.db.t')$$), (28, $$SELECT * FROM floe.matching_tables('**')$$), (29, $$SELECT floe.export_policy('p')$$),
	(30, $$SELECT * FROM floe.trigger('demo.db.t')$$), (31, $$SELECT floe.refresh('**')$$), (32, $$SELECT floe.pause('**')$$), (33, $$SELECT floe.resume('demo.db.u')$$), (34, $$SELECT floe.cancel(1)$$), (35, $$SELECT * FROM floe.check_catalog('demo')$$),
	(36, $$SELECT * FROM floe.check_engine('spark')$$), (37, $$SELECT floe.notify_commit('demo.db.t')$$), (38, $$SELECT floe.drain('x')$$), (39, $$SELECT floe.undrain()$$),
	(40, $$SELECT floe.create_policy('q', 'demo.**')$$), (41, $$SELECT floe.alter_policy('p', '{"priority": 3}')$$), (42, $$SELECT floe.drop_policy('p')$$), (43, $$SELECT floe.import_policy('{"name": "q", "pattern": "**"}')$$),
	(44, $$INSERT INTO floe.policy (name, pattern) VALUES ('q', 'demo.**')$$), (45, $$UPDATE floe.policy SET priority = 4$$), (46, $$DELETE FROM floe.policy$$), (47, $$INSERT INTO floe.policy_operation (policy_id, operation) SELECT policy_id, 'expire_snapshots' FROM floe.policy$$),
	(48, $$UPDATE floe.policy_operation SET every = '1 day'$$), (49, $$DELETE FROM floe.policy_operation$$), (50, $$INSERT INTO floe.budget (name) VALUES ('c')$$), (51, $$UPDATE floe.budget SET operations = 0$$), (52, $$DELETE FROM floe.budget$$),
	(53, $$UPDATE floe.metric SET warning = 1, critical = 2, weight = 3 WHERE name = 'delete_ratio'$$), (54, $$UPDATE floe.debt_term SET weight = 1$$),
	(60, $$INSERT INTO floe.policy (name, pattern, created_at) VALUES ('q', 'demo.**', '2020-01-01')$$), (61, $$UPDATE floe.policy SET created_at = '2020-01-01'$$), (62, $$UPDATE floe.policy_operation SET schedule_set_at = '2020-01-01'$$),
	(63, $$UPDATE floe.metric SET remedy = NULL$$), (64, $$UPDATE floe.metric SET is_changed = false$$), (65, $$INSERT INTO floe.metric (name, position, unit, source, per_partition, description) VALUES ('mine', 99, 'count', 'clock', false, 'x')$$), (66, $$DELETE FROM floe.debt_term$$),
	(67, $$TRUNCATE floe.policy_operation$$), (68, $$TRUNCATE floe.budget$$), (69, $$DELETE FROM floe.operations$$), (70, $$DELETE FROM floe.policy_history$$), (71, $$CREATE TABLE floe.mine ()$$), (72, $$CREATE FUNCTION floe.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'$$),
	(80, $$SELECT * FROM floe_internal.iceberg_table$$), (81, $$SELECT * FROM floe_internal.operation_queue$$), (82, $$DELETE FROM floe_internal.policy_version$$), (83, $$SELECT floe_internal.purge(1)$$), (84, $$SELECT floe_internal.plan_and_queue(NULL)$$),
	(85, $$SELECT floe_internal.claim_operation(1, NULL)$$), (86, $$SELECT floe_internal.sync_servers()$$), (861, $$SELECT floe_internal.plan_due(1)$$), (862, $$SELECT floe_internal.wake('assessor')$$), (863, $$SELECT * FROM floe_internal.drain$$), (87, $$SELECT floe_internal.clock()$$), (88, $$SELECT floe_internal.refuse('x', NULL, NULL)$$), (89, $$SELECT floe_internal.merge_manifests(0, 0, '\x', 0, 0, 0, 0)$$),
	(90, $$CREATE SERVER mine TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1')$$), (91, $$ALTER SERVER demo OPTIONS (SET uri 'http://127.0.0.1:2')$$), (92, $$DROP SERVER demo CASCADE$$),
	(93, $$CREATE USER MAPPING FOR CURRENT_USER SERVER demo OPTIONS (token 'mine')$$), (94, $$ALTER USER MAPPING FOR regress_boss SERVER demo OPTIONS (SET token 'mine')$$), (95, $$ALTER EXTENSION floe DROP VIEW floe.tables$$)) AS v (n, s) ORDER BY n;

-- secrets are not for them, in no place that can be read
SELECT r.who, lab.told(r.role, $$DO $do$ BEGIN IF EXISTS (SELECT FROM pg_user_mappings WHERE umoptions::text ~ 'secret') OR EXISTS (SELECT FROM floe.catalogs AS c WHERE c::text ~ 'secret') OR EXISTS (SELECT FROM floe.events AS e WHERE e::text ~ 'secret') THEN RAISE EXCEPTION 'seen'; END IF; END $do$ $$)
FROM lab.roles AS r WHERE r.who <> 'nobody';

-- who may ask a server is up to its owner
GRANT USAGE ON FOREIGN SERVER demo, spark TO regress_operator, regress_viewer;
SELECT r.who, lab.told(r.role, $$SELECT * FROM floe.check_catalog('demo')$$) AS catalog, lab.told(r.role, $$SELECT * FROM floe.check_engine('spark')$$) AS engine FROM lab.roles AS r ORDER BY r.role = 'regress_admin', r.role = 'regress_operator', r.role = 'regress_viewer';
REVOKE USAGE ON FOREIGN SERVER demo, spark FROM regress_operator, regress_viewer;

-- ---- the pass ----

-- runs for whoever may start it with what belongs to the servers' owners
SELECT floe.refresh('**') > 0;
SET client_min_messages = warning;
SET ROLE regress_nobody;
CALL floe.run_maintenance();
SET ROLE regress_viewer;
CALL floe.run_maintenance();
SET ROLE regress_operator;
CALL floe.run_maintenance();
RESET ROLE;
RESET client_min_messages;
SELECT status FROM floe.catalogs;

-- ---- settings ----

SELECT name, context FROM pg_settings WHERE name LIKE 'floe.%' ORDER BY 1;
SELECT name, lab.told('regress_admin', format('SET %s = %L', name, setting)) FROM pg_settings WHERE name LIKE 'floe.%' AND context IN ('user', 'superuser') ORDER BY 1;

-- ---- who did it is told by the session ----

CREATE ROLE regress_alice LOGIN IN ROLE floe_admin;
SET SESSION AUTHORIZATION regress_alice;
SELECT floe.alter_policy('p', '{"priority": 8}') > 0;
INSERT INTO floe.policy (name, pattern) VALUES ('hers', 'demo.**');
SELECT floe.pause('demo.x.*', 'infinity', 'mine') > 0;
SET SESSION AUTHORIZATION regress_boss;
SELECT name, action, changed_by FROM floe.policy_history WHERE changed_by = 'regress_alice' ORDER BY 1;
SELECT pattern, paused_by FROM floe.pauses WHERE reason = 'mine';
-- a role that is gone does not hold floe up
DROP ROLE regress_alice, regress_nobody, regress_viewer, regress_operator, regress_admin;
SELECT floe.alter_policy('p', '{"priority": 9}') > 0;
