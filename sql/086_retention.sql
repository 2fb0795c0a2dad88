--
-- Retention: what goes when, in batches, and what stays.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '
SELECT name, setting, unit, context FROM pg_settings WHERE name LIKE 'floe.%retention' ORDER BY name;
SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}}') AS policy;
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 3), lab.assess('demo.db.gone', manifests => 2);
CREATE FUNCTION lab.kept() RETURNS text LANGUAGE sql AS $$
	SELECT format('history %s, events %s, log %s, pauses %s, requests %s, policy lists %s, manifests %s, tables %s, health %s', (SELECT count(*) FROM floe_internal.health_history), (SELECT count(*) FROM floe_internal.event),
		(SELECT count(*) FROM floe_internal.operation_log), (SELECT count(*) FROM floe_internal.pause), (SELECT count(*) FROM floe_internal.trigger_request), (SELECT count(*) FROM floe_internal.policy_set),
		(SELECT count(*) FROM floe_internal.manifest), (SELECT count(*) FROM floe_internal.iceberg_table), (SELECT count(*) FROM floe_internal.health))
$$;
DELETE FROM floe_internal.event;
DELETE FROM floe_internal.health_history;

-- ---- one row of each kind a day, for two years ----

DO $$
DECLARE
	day timestamptz;
BEGIN
	FOR day IN SELECT generate_series('2024-03-03 12:00+00'::timestamptz, '2026-03-02 12:00+00', '1 day') LOOP
		PERFORM lab.at(day), floe_internal.write_event('test', NULL, NULL, NULL, NULL, 'a day', NULL);
		INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, finished_at)
			VALUES (1, 'demo.db.t', 'rewrite_data_files', 'succeeded', false, 'floe', 'spark', '{}', '', '{}', '[]', day, day);
		INSERT INTO floe_internal.health_history SELECT (jsonb_populate_record(h, jsonb_build_object('assessed_at', day))).* FROM floe_internal.health AS h WHERE h.table_id = lab.id('demo.db.t');
	END LOOP;
END $$;
SELECT lab.kept();
-- what is settled by the settings, exactly
CREATE FUNCTION lab.oldest() RETURNS text LANGUAGE sql AS $$
	SELECT format('history %s, events %s, log %s', (SELECT min(assessed_at) FROM floe_internal.health_history), (SELECT min(happened_at) FROM floe_internal.event), (SELECT min(finished_at) FROM floe_internal.operation_log))
$$;
SELECT floe_internal.purge(100), lab.kept();
SELECT floe_internal.purge(10000), lab.kept();
SELECT lab.oldest();
SET floe.health_history_retention = '10d';
SET floe.event_retention = '20d';
SET floe.operation_log_retention = '30d';
SELECT floe_internal.purge(10000);
SELECT lab.oldest(), lab.kept();
RESET floe.health_history_retention;
RESET floe.event_retention;
RESET floe.operation_log_retention;

-- ---- the rest ----

-- operations that wait or run are no history, however old
SELECT operation_id > 0 AS queued FROM floe.trigger('demo.db.t') WHERE verdict = 'queued';
SELECT floe.pause('demo.x.*', '2026-03-03 12:00+00') + floe.pause('demo.y.*') AS paused;
SELECT count(*) FROM floe.trigger('demo.db.new');
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.new');
SELECT floe_internal.purge(10000), lab.kept();
SELECT lab.later('1 day'), floe_internal.purge(10000), lab.kept();
SELECT lab.later('1 second'), floe_internal.purge(10000), lab.kept();
-- one batch at a time
SELECT lab.list_tables('demo', 'demo.db.new');
SELECT lab.later('2 days'), floe_internal.purge(2), lab.kept();
SELECT floe_internal.purge(2), lab.kept();
-- what people still see of a table that is gone
SELECT name, status, dropped_at FROM floe.tables ORDER BY name;
SELECT count(*) > 0 AS history FROM floe.health_history WHERE table_name = 'demo.db.t';
SELECT count(*) > 0 AS log FROM floe.operations WHERE table_name = 'demo.db.t';
-- policy lists that no table has any more
SELECT floe.create_policy('q', 'demo.db.new', '{"priority": 3}') > 0 AS made, floe.drop_policy('q') AS dropped;
SELECT floe.create_policy('r', 'demo.db.new', '{"priority": 3}') > 0 AS made;
UPDATE floe.policy SET pattern = 'demo.nobody.t' WHERE name = 'r';
SELECT count(*) AS lists FROM floe_internal.policy_set;
SELECT floe_internal.purge(10000);
SELECT count(*) AS lists FROM floe_internal.policy_set;
SELECT count(*) FROM floe.effective_policy('demo.db.new') WHERE set_by LIKE 'policy%';

-- ---- what a dropped table leaves ----

SET floe.health_history_retention = '1000d';
SET floe.event_retention = '1000d';
CREATE FUNCTION lab.left_of(name text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	RETURN COALESCE((SELECT format('%s%s: %s%s%s%s manifests %s, history %s', t.name, CASE WHEN t.status = 'dropped' THEN ' (dropped)' END, CASE WHEN t.snapshots IS NOT NULL THEN 'snapshots, ' END,
			CASE WHEN EXISTS (SELECT FROM floe_internal.table_poll AS p WHERE p.table_id = t.table_id) THEN 'poll, ' END, CASE WHEN EXISTS (SELECT FROM floe_internal.health AS h WHERE h.table_id = t.table_id) THEN 'health, ' END,
			CASE WHEN EXISTS (SELECT FROM floe_internal.table_operation AS o WHERE o.table_id = t.table_id) THEN 'bookkeeping, ' END,
			(SELECT count(*) FROM floe_internal.manifest AS m WHERE m.table_id = t.table_id), (SELECT count(*) FROM floe_internal.health_history AS h WHERE h.table_id = t.table_id))
		FROM floe_internal.iceberg_table AS t WHERE t.name = left_of.name ORDER BY t.table_id DESC LIMIT 1), name || ': nothing');
END $$;
DO $$ BEGIN WHILE floe_internal.purge(10000) LOOP END LOOP; END $$;
SELECT lab.assess('demo.db.a', files => 500, manifests => 3), lab.assess('demo.db.b', manifests => 2);
-- two more changes of its health
SELECT lab.assess('demo.db.a', files => 600, manifests => 3), lab.assess('demo.db.a', files => 700, manifests => 3);
INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at) VALUES (lab.id('demo.db.a'), 'rewrite_data_files', floe_internal.clock());
SELECT lab.id('demo.db.a') AS a, lab.id('demo.db.b') AS b \gset
SELECT lab.left_of('demo.db.a'), lab.left_of('demo.db.b');
SELECT lab.list_tables('demo', 'demo.db.new');
-- for a day it could be a mistake
SELECT lab.later('1 day'), floe_internal.purge(10000), lab.left_of('demo.db.a'), lab.left_of('demo.db.b');
-- then what serves only to look after it goes, and what tells of it stays
SELECT lab.later('1 second'), floe_internal.purge(10000), lab.left_of('demo.db.a'), lab.left_of('demo.db.b');
SELECT name, status, data_file_count, dropped_at < floe_internal.clock() AS dropped FROM floe.tables WHERE name = 'demo.db.a';
SELECT count(*) FROM floe.health_history WHERE table_name = 'demo.db.a';
-- one that comes back is the same table: nothing is known of its files, its health is the last one, and it is read again
SELECT lab.later('10 days'), lab.list_tables('demo', 'demo.db.new', 'demo.db.b');
SELECT :b = lab.id('demo.db.b') AS same, lab.left_of('demo.db.b');
SELECT t.status, (SELECT h.value FROM floe.health('demo.db.b') AS h WHERE h.metric = 'data_file_count') AS files FROM floe.tables AS t WHERE t.name = 'demo.db.b';
SELECT count(*) AS gates FROM floe.why('demo.db.b');
SELECT name, metadata_location FROM floe_internal.claim_tables(0, ARRAY(SELECT catalog_id FROM floe_internal.catalog), NULL, ARRAY[100], true) WHERE name = 'demo.db.b';
SELECT lab.assess('demo.db.b', manifests => 2), lab.left_of('demo.db.b');
-- and is emptied again after it was dropped again
SELECT lab.list_tables('demo', 'demo.db.new');
SELECT lab.later('1 day 1 second'), floe_internal.purge(10000), lab.left_of('demo.db.b');
-- the whole of it goes after floe.dropped_table_retention, in batches; what was done is in the log for as long as the log is kept
SELECT count(*) > 0 AS events FROM floe.events WHERE table_name = 'demo.db.a';
SELECT lab.at(dropped_at + interval '30 days'), floe_internal.purge(10000), lab.left_of('demo.db.a') FROM floe.tables WHERE name = 'demo.db.a';
SELECT lab.later('1 second'), floe_internal.purge(2), lab.left_of('demo.db.a');
SELECT floe_internal.purge(2), lab.left_of('demo.db.a');
SELECT floe_internal.purge(10000), lab.left_of('demo.db.a');
SELECT floe_internal.purge(10000);
SELECT count(*) > 0 AS events FROM floe.events WHERE table_name = 'demo.db.a';
SELECT count(*) AS of_nothing FROM floe_internal.health_history AS h WHERE NOT EXISTS (SELECT FROM floe_internal.iceberg_table AS t WHERE t.table_id = h.table_id);
-- under its name there can be another
SELECT lab.assess('demo.db.a');
SELECT lab.id('demo.db.a') > :a AS another, lab.left_of('demo.db.a');
-- a shorter retention applies at once
SET floe.dropped_table_retention = '1d';
SELECT lab.list_tables('demo', 'demo.db.new');
SELECT lab.later('1 day 1 second'), floe_internal.purge(10000), lab.left_of('demo.db.a');
RESET floe.dropped_table_retention;
-- what an engine may still be doing to a dropped table is known for as long as it takes
SELECT lab.assess('demo.db.busy', files => 900, file_bytes => 1000000);
SELECT operation_id AS op FROM floe.trigger('demo.db.busy') WHERE verdict = 'queued' LIMIT 1 \gset
UPDATE floe_internal.operation_queue SET state = 'dispatching', driver_pass = 0 WHERE operation_id = :op;
UPDATE floe_internal.operation_queue SET state = 'running' WHERE operation_id = :op;
SELECT lab.list_tables('demo', 'demo.db.new');
SELECT lab.later('100 days'), floe_internal.purge(10000), lab.left_of('demo.db.busy');
SELECT floe_internal.engine_ended(:op, 'succeeded', NULL, NULL, NULL, NULL);
SELECT floe_internal.abandon_operation(:op, 'the table is gone');
SELECT floe_internal.purge(10000), lab.left_of('demo.db.busy');

-- ---- catalogs and engines whose servers were dropped ----

SELECT lab.catalog('second'), lab.engine('other');
SELECT lab.assess('second.db.t');
DROP SERVER second;
DROP SERVER other;
SELECT floe_internal.sync_servers();
SELECT lab.later('30 days'), floe_internal.purge(10000);
SELECT string_agg(server_name || ' ' || status, ', ' ORDER BY server_name) AS catalogs, (SELECT string_agg(server_name || ' ' || status, ', ' ORDER BY server_name) FROM floe_internal.engine) AS engines FROM floe_internal.catalog;
SELECT lab.later('1 second'), floe_internal.purge(10000);
SELECT string_agg(server_name || ' ' || status, ', ' ORDER BY server_name) AS catalogs, (SELECT string_agg(server_name || ' ' || status, ', ' ORDER BY server_name) FROM floe_internal.engine) AS engines FROM floe_internal.catalog;

-- ---- manifests ----

-- that left the list, also of a table that never changes again
SELECT lab.assess('demo.db.m', manifests => 5, snapshots => 1), lab.assess('demo.db.m', manifests => 2, snapshots => 2), lab.left_of('demo.db.m');
SELECT lab.later('1 day'), floe_internal.purge(10000), lab.left_of('demo.db.m');
-- one that comes back in time is not read again
SELECT lab.assess('demo.db.m', manifests => 1, snapshots => 1), lab.left_of('demo.db.m');
SELECT lab.later('1 second'), floe_internal.purge(3), lab.left_of('demo.db.m');
SELECT floe_internal.purge(3), lab.left_of('demo.db.m');
SELECT count(*) FILTER (WHERE left_list_at IS NULL) AS in_the_list, count(*) AS kept FROM floe_internal.manifest WHERE table_id = lab.id('demo.db.m');
-- that were read for a list which never became complete, of a table that cannot be read
SELECT floe_internal.store_manifests(lab.id('demo.db.m'), '{early.avro}', '{1}', '{0}', '{0}', '{1}', '{1}', '{f}', ARRAY[lab.data_manifest('{"{}"}', 1, 1)]);
SELECT floe_internal.table_failed(lab.id('demo.db.m'), 'corrupt', 'a manifest is broken', '');
SELECT lab.later('7 days'), floe_internal.table_failed(lab.id('demo.db.m'), 'corrupt', 'a manifest is broken', '');
SELECT floe_internal.store_manifests(lab.id('demo.db.m'), '{late.avro}', '{1}', '{0}', '{0}', '{1}', '{1}', '{f}', ARRAY[lab.data_manifest('{"{}"}', 1, 1)]);
SELECT string_agg(path, ', ' ORDER BY path) AS kept FROM floe_internal.manifest WHERE table_id = lab.id('demo.db.m') AND left_list_at IS NULL;
SELECT lab.later('1 second'), floe_internal.table_failed(lab.id('demo.db.m'), 'corrupt', 'a manifest is broken', '');
SELECT string_agg(path, ', ' ORDER BY path) AS kept FROM floe_internal.manifest WHERE table_id = lab.id('demo.db.m') AND left_list_at IS NULL;

-- ---- passes ----

DELETE FROM floe_internal.pass;
CREATE FUNCTION lab.passes() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) || COALESCE(', one of them ' || min(kind) FILTER (WHERE kind = 'at work'), '') FROM floe_internal.pass); END $$;
SELECT floe_internal.begin_pass('ended') AS ended, floe_internal.begin_pass('died') AS died, floe_internal.begin_pass('at work') AS at_work \gset
SELECT floe_internal.end_pass(:ended), pg_advisory_unlock(floe_internal.pass_class(), :ended), pg_advisory_unlock(floe_internal.pass_class(), :died);
SELECT lab.later('7 days'), floe_internal.purge(10000), lab.passes();
SELECT lab.later('1 second'), floe_internal.purge(1), lab.passes();
SELECT floe_internal.purge(1), lab.passes();
SELECT floe_internal.purge(1), lab.passes();
SELECT pg_advisory_unlock(floe_internal.pass_class(), :at_work);
SELECT floe_internal.purge(10), lab.passes();

-- ---- what people see ----

SET ROLE floe_viewer;
SELECT relation, rule, setting, kept, bytes > 0 AS has_bytes FROM floe.retention WHERE kept IS NOT NULL ORDER BY relation;
RESET ROLE;
