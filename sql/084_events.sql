--
-- Events: one row for each change of state, in the transaction of the change; who listens is in the isolation tests.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '
CREATE FUNCTION lab.news() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT concat_ws(' | ', e.kind, e.catalog, e.table_name, e.operation_id, e.message, e.data) FROM floe.events AS e ORDER BY e.id;
	DELETE FROM floe_internal.event;
END $$;
SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}}') AS policy;
\pset tuples_only on

-- catalogs: a change of state is told, the same state again is not
SELECT floe_internal.catalog_failed(1, 'unreachable', 'connection refused', 'port 8181');
SELECT floe_internal.catalog_failed(1, 'unreachable', 'connection refused', 'port 8181');
SELECT floe_internal.catalog_failed(1, 'auth', 'wrong client secret', NULL);
SELECT floe_internal.catalog_connected(1, '{"prefix": "demo"}');
SELECT floe_internal.catalog_connected(1, '{"prefix": "demo"}');
SELECT lab.news();
-- tables
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000), lab.assess('demo.db.t', files => 501, file_bytes => 1000000);
SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'protocol', 'no metadata', 'in the answer');
SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'protocol', 'no metadata', 'in the answer');
SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'not_found', 'no such table', NULL);
SELECT floe_internal.tables_unchanged(ARRAY[lab.id('demo.db.t')]);
SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'unsupported', 'format version 4', NULL);
SELECT lab.assess('demo.db.t', files => 501, file_bytes => 1000000), lab.assess('demo.db.t', uuid => 'another'), lab.list_tables('demo', VARIADIC '{}');
SELECT lab.news();
-- an operation
SELECT lab.list_tables('demo', 'demo.db.t'), lab.assess('demo.db.t', files => 500, file_bytes => 1000000);
SELECT operation_id FROM floe.trigger('demo.db.t') WHERE verdict = 'queued';
SELECT lab.claim();
SELECT floe_internal.engine_unreachable('spark', 1, true, 'unreachable', 'connection refused', NULL), floe_internal.engine_unreachable('spark', NULL, true, 'unreachable', 'connection refused', NULL);
SELECT lab.later('1 minute'), lab.claim();
SELECT floe_internal.engine_reached('spark', 1), floe_internal.operation_saved(1, '\x01', 'session 7');
SELECT lab.later('1 second'), floe_internal.operation_saved(1, '\x02', 'session 7');
SELECT (SELECT go FROM floe_internal.preflight(1, 'spark-thrift', 'lake')), floe_internal.engine_ended(1, 'lost', NULL, '', NULL, NULL);
SELECT state FROM floe_internal.operation_verified(1);
SELECT floe.cancel(1);
SELECT kind, catalog, table_name, operation_id, message FROM floe.events ORDER BY id;
-- an event of what did not happen is none
DELETE FROM floe_internal.event;
BEGIN;
SELECT floe.pause('demo.**');
ROLLBACK;
SELECT lab.news();
-- what a notification cannot hold is in the event
SELECT floe_internal.write_event('test', 'demo', 1, repeat('😀', 3000), NULL, repeat(E'\x01', 3000), NULL);
SELECT length(table_name), length(message) FROM floe.events;
-- servers that go
DELETE FROM floe_internal.event;
DROP SERVER demo;
SELECT floe.refresh();
SELECT lab.news();
