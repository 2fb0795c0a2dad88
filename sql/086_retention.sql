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
