--
-- Policies that a catalog keeps (policy_source): what is asked for, and what becomes of the answers.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine();
SELECT lab.list_tables('demo', 'demo.sales.orders', 'demo.sales.eu.orders', 'demo.sales.eu."odd.na""me"', 'demo.hr.people');
CREATE FUNCTION lab.id() RETURNS int LANGUAGE sql AS $$ SELECT catalog_id FROM floe_internal.catalog WHERE server_name = 'demo' $$;
CREATE FUNCTION lab.asked() RETURNS SETOF text LANGUAGE sql AS
	$$ SELECT concat_ws(' | ', replace(namespace, chr(31), '.'), table_name) FROM floe_internal.policy_targets(lab.id()) AS t ORDER BY namespace, table_name NULLS FIRST $$;

-- ---- a catalog as Polaris: what is attached where, and what it answers ----

CREATE TABLE lab.attached (namespace text DEFAULT '', table_name text, type text, name text, version int DEFAULT 0, content text);
CREATE FUNCTION lab.answer(of_namespace text, of_table text) RETURNS text LANGUAGE sql AS $$
	SELECT jsonb_build_object('applicable-policies', COALESCE(jsonb_agg(jsonb_build_object('policy-type', a.type, 'inheritable', true, 'name', a.name, 'version', a.version, 'content', a.content, 'namespace', '["pol"]'::jsonb,
			'inherited', (a.namespace, COALESCE(a.table_name, '-')) <> (of_namespace, COALESCE(of_table, '-')))), '[]'))::text
	FROM (SELECT DISTINCT ON (x.type) x.* FROM lab.attached AS x
		  WHERE x.namespace = of_namespace AND (x.table_name IS NULL OR x.table_name = of_table) OR x.table_name IS NULL AND (x.namespace = '' OR of_namespace LIKE x.namespace || chr(31) || '%')
		  ORDER BY x.type, x.table_name NULLS LAST, length(x.namespace) DESC) AS a
$$;
CREATE FUNCTION lab.read() RETURNS int LANGUAGE sql AS $$
	SELECT floe_internal.apply_catalog_policies(lab.id(), array_agg(t.namespace ORDER BY t.namespace, t.table_name), array_agg(t.table_name ORDER BY t.namespace, t.table_name),
		array_agg(lab.answer(t.namespace, t.table_name) ORDER BY t.namespace, t.table_name))
	FROM floe_internal.policy_targets(lab.id()) AS t
$$;
CREATE VIEW lab.effective AS
	SELECT t.name, p.policies, (SELECT jsonb_object_agg(e.operation, e.settings - ARRAY['timezone', 'min_interval', 'timeout', 'max_attempts', 'schedule', 'deadline', 'min_poll_interval', 'poll_interval'])
		FROM floe_internal.effective AS e WHERE e.policy_set_id = t.policy_set_id AND e.operation <> '') AS settings
	FROM floe_internal.iceberg_table AS t JOIN floe.tables AS p ON p.name = t.name;

-- nobody asked for them
SELECT lab.asked();
ALTER SERVER demo OPTIONS (ADD policy_source 'gravitino');
ALTER SERVER demo OPTIONS (ADD policy_source 'polaris');
SELECT lab.asked();
SELECT lab.read();
SELECT * FROM floe.catalog_policies;
SELECT policies_read_at, policies_error FROM floe.catalogs;
-- tables again tomorrow
SELECT lab.asked();

-- ---- one on the catalog, one on a namespace below, one on a table: the lower takes the place of the upper, all of it ----

INSERT INTO lab.attached VALUES
	('', NULL, 'system.snapshot-expiry', 'week', 3, '{"enable": true, "config": {"max_snapshot_age_days": 7, "min_snapshot_to_keep": 5, "max_ref_age_days": 9}}'),
	('sales' || chr(31) || 'eu', NULL, 'system.snapshot-expiry', 'day', 0, '{"enable": true, "config": {"max_snapshot_age_days": 1}}'),
	('', NULL, 'system.orphan-file-removal', 'orphans', 0, '{"enable": true, "max_orphan_file_age_in_days": 10}'),
	('sales', NULL, 'system.data-compaction', 'compact', 0, '{"enable": true, "config": {"target_file_size_bytes": 1048576}}');
SELECT lab.later('5 minutes');
SELECT lab.read();
INSERT INTO lab.attached VALUES
	('sales' || chr(31) || 'eu', 'odd.na"me', 'system.snapshot-expiry', 'off', 0, '{"enable": false}');
SELECT lab.read();
SELECT lab.later('1 day');
SELECT lab.asked();
SELECT lab.read();
\x
SELECT * FROM floe.catalog_policies ORDER BY target NULLS FIRST, type;
SELECT name, pattern, description FROM floe.policy ORDER BY name;
\x
SELECT * FROM lab.effective ORDER BY name;
-- once more is no change
SELECT count(*), max(version) FROM floe.policy_history;
SELECT lab.later('2 days'), lab.read();
SELECT count(*), max(version) FROM floe.policy_history;

-- a new table is asked with the next listing, and only it
SELECT lab.later('1 minute');
SELECT lab.list_tables('demo', 'demo.sales.orders', 'demo.sales.eu.orders', 'demo.sales.eu."odd.na""me"', 'demo.hr.people', 'demo.hr.more');
SELECT lab.asked();
SELECT lab.read();
SELECT lab.asked();

-- a policy of people comes in between: fields come together
SELECT floe.create_policy('mine', 'demo.hr.**', '{"expire_snapshots": {"schedule": "0 3 * * *"}}');
SELECT name, settings FROM (SELECT t.name, e.settings FROM floe_internal.iceberg_table AS t JOIN floe_internal.effective AS e USING (policy_set_id) WHERE t.name = 'demo.hr.people' AND e.operation = 'expire_snapshots') AS x;

-- ---- changed, detached, what floe does not do ----

UPDATE lab.attached SET version = 4, content = '{"enable": true, "config": {"min_snapshot_to_keep": 0}}' WHERE name = 'week';
DELETE FROM lab.attached WHERE name = 'day';
UPDATE lab.attached SET version = 1, content = '{"enable": true, "locations": ["s3://lake"]}' WHERE name = 'orphans';
SELECT lab.read();
SELECT target, type, name, version, policy, problem FROM floe.catalog_policies ORDER BY target NULLS FIRST, type;
SELECT * FROM lab.effective ORDER BY name;
SELECT kind, message FROM floe.events WHERE kind LIKE 'catalog pol%' ORDER BY id;
-- told once
SELECT lab.later('1 hour'), lab.read();
SELECT count(*) FROM floe.events WHERE kind LIKE 'catalog pol%';
UPDATE lab.attached SET version = 2, content = '{"enable": true}' WHERE name = 'orphans';
SELECT lab.read();
SELECT problem FROM floe.catalog_policies WHERE name = 'orphans';

-- people may not: what they dropped comes back, what has such a name is theirs
SELECT floe.drop_policy('demo: system.orphan-file-removal of the catalog');
SELECT lab.read();
SELECT name FROM floe.policy ORDER BY name;
SELECT floe.drop_policy('demo: system.orphan-file-removal of the catalog'), floe.create_policy('demo: system.orphan-file-removal of the catalog', 'demo.**', '{"remove_orphan_files": {"enabled": false}}');
SELECT lab.read();
SELECT policy, problem FROM floe.catalog_policies WHERE name = 'orphans';
SELECT floe.export_policy('demo: system.orphan-file-removal of the catalog') -> 'remove_orphan_files';
SELECT floe.drop_policy('demo: system.orphan-file-removal of the catalog'), lab.read();
SELECT policy, problem FROM floe.catalog_policies WHERE name = 'orphans';

-- it fails: what was read before stays
SELECT floe_internal.policy_source_failed(lab.id(), 'get policies: forbidden', 'ForbiddenException'), floe_internal.policy_source_failed(lab.id(), 'get policies: forbidden', 'ForbiddenException');
SELECT policies_error FROM floe.catalogs;
SELECT count(*) FROM floe.catalog_policies;
SELECT message FROM floe.events WHERE kind = 'catalog policies failed';
SELECT floe_internal.apply_catalog_policies(lab.id(), ARRAY[''], ARRAY[NULL], ARRAY['{"applicable-policies": 3}']);
SELECT count(*) FROM floe.catalog_policies;

-- a table that is gone takes its attachment along, a namespace without tables, too
SELECT lab.list_tables('demo', 'demo.sales.orders', 'demo.hr.people');
SELECT lab.read();
SELECT target, type FROM floe.catalog_policies ORDER BY target NULLS FIRST, type;
SELECT policies_error FROM floe.catalogs;

-- too many
INSERT INTO lab.attached SELECT 'hr', 't' || i, 'system.data-compaction', 'p' || i, 0, '{"enable": true}' FROM generate_series(1, 1001) AS i;
SELECT floe_internal.apply_catalog_policies(lab.id(), array_agg(text 'hr'), array_agg('t' || i), array_agg(lab.answer('hr', 't' || i))) FROM generate_series(1, 1001) AS i;
-- more exceptions than a pattern can have: off where there are none, rather than on in too many places
DELETE FROM lab.attached WHERE type = 'system.data-compaction';
SELECT lab.list_tables('demo', VARIADIC (SELECT array_agg('demo.hr.t' || i) FROM generate_series(1, 70) AS i));
INSERT INTO lab.attached SELECT 'hr', 't' || i, 'system.data-compaction', 'p' || i, 0, '{"enable": true}' FROM generate_series(1, 70) AS i;
INSERT INTO lab.attached VALUES ('', NULL, 'system.data-compaction', 'all', 0, '{"enable": true}');
SELECT lab.later('1 day'), lab.read();
SELECT problem FROM floe.catalog_policies WHERE name = 'all';
SELECT floe.export_policy('demo: system.data-compaction of the catalog') - 'description';
SELECT settings -> 'rewrite_data_files' ->> 'enabled', count(*) FROM lab.effective WHERE name LIKE 'demo.hr.t%' GROUP BY 1;

-- not any more
ALTER SERVER demo OPTIONS (DROP policy_source);
SELECT lab.asked();
SELECT count(*) FROM floe.catalog_policies;
SELECT name FROM floe.policy ORDER BY name;
