--
-- Gates: for each one the case that it stops and the case next to it that it lets through, what it says, and when it looks again.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT gate, is_timing, description FROM floe_internal.gate ORDER BY position;

-- One table for which every operation is called for, and a neighbour.
SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_position_delete_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {"jitter": "0"}}') AS policy;
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 100, position_deletes => 60, snapshots => 50, snapshot_gap => '1 day');
SELECT lab.assess('demo.db.other');
SELECT operation, verdict, gate, value, limit_value, set_by, next_at FROM floe.why('demo.db.t');

-- What the last run left behind: a failure of some class with the settings and the table as they are now.
CREATE FUNCTION lab.fail(name text, operation text, class text, failures int, backoff_until timestamptz DEFAULT NULL, last_run_at timestamptz DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.table_operation (table_id, operation, failures, failure_class, failure_message, failure_settings_hash, failure_metadata, backoff_until, last_run_at)
	SELECT t.table_id, d.operation, fail.failures, class, 'it broke', d.settings_hash, t.metadata_location, fail.backoff_until, fail.last_run_at
	FROM floe_internal.find_table(name) AS t, floe_internal.decide(ARRAY[t.table_id], floe_internal.clock(), false, NULL) AS d WHERE d.operation = fail.operation
$$;
CREATE FUNCTION lab.idle(name text, operation text, zero_changes int, metric text, value float8, until timestamptz) RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.table_operation (table_id, operation, zero_changes, zero_change_metric, zero_change_value, zero_change_until)
	VALUES (lab.id(name), operation, zero_changes, metric, value, until)
$$;
CREATE FUNCTION lab.ran(name text, operation text, at timestamptz) RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at, last_state) VALUES (lab.id(name), operation, at, at, 'succeeded')
$$;
CREATE FUNCTION lab.failed_at(at timestamptz) RETURNS void LANGUAGE sql AS $$ UPDATE floe_internal.table_operation SET last_run_at = at, last_state = 'failed' $$;
-- An operation of the table in the queue, in some state.
CREATE FUNCTION lab.queued(name text, operation text, state text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM * FROM floe_internal.enqueue(ARRAY[lab.id(name)], true, ARRAY[operation], '{}', 'somebody');
	UPDATE floe_internal.operation_queue AS q SET state = 'dispatching', driver_pass = 1 WHERE queued.state <> 'queued' AND q.operation = queued.operation;
	UPDATE floe_internal.operation_queue AS q SET state = queued.state WHERE q.operation = queued.operation;
END $$;

-- ---- the cases ----

CREATE TABLE lab.case (n int GENERATED ALWAYS AS IDENTITY, gate text, told text, operation text, by_hand bool, named bool, setup text);
INSERT INTO lab.case (gate, told, operation, by_hand, named, setup) VALUES
	('policy', 'configured', 'rewrite_data_files', false, false, ''),
	('policy', 'no policy at all', 'rewrite_data_files', false, false, $$SELECT floe.drop_policy('p')$$),
	('policy', 'the policy is disabled', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"enabled": false}')$$),
	('policy', 'the pattern excludes it', 'rewrite_data_files', false, false, $$UPDATE floe.policy SET pattern = 'demo.**, !demo.db.t'$$),
	('policy', 'another operation only', 'rewrite_manifests', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_manifests": null}')$$),
	('policy', '... by hand', 'rewrite_manifests', true, false, $$SELECT floe.alter_policy('p', '{"rewrite_manifests": null}')$$),
	('policy', '... by name', 'rewrite_manifests', true, true, $$SELECT floe.alter_policy('p', '{"rewrite_manifests": null}')$$),
	('policy', 'by name, no policy at all', 'rewrite_manifests', true, true, $$SELECT floe.drop_policy('p')$$),

	('enabled', 'not said', 'rewrite_data_files', false, false, ''),
	('enabled', 'false', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"enabled": false}}')$$),
	('enabled', '... by name', 'rewrite_data_files', true, true, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"enabled": false}}')$$),
	('enabled', '... of another operation', 'rewrite_manifests', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"enabled": false}}')$$),
	('enabled', 'true over false', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"enabled": false}}'), floe.create_policy('q', 'demo.db.t', '{"rewrite_data_files": {"enabled": true}}')$$),
	('enabled', 'false over true', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"priority": 1, "rewrite_data_files": {"enabled": false}}'), floe.create_policy('q', 'demo.db.t', '{"rewrite_data_files": {"enabled": true}}')$$),

	('options', 'they fit', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"target_file_size": "128 MB"}}}'), floe.create_policy('q', 'demo.db.t', '{"rewrite_data_files": {"options": {"max_file_size": "200 MB"}}}')$$),
	('options', 'they do not', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"target_file_size": "128 MB"}}}'), floe.create_policy('q', 'demo.db.t', '{"rewrite_data_files": {"options": {"max_file_size": "100 MB"}}}')$$),
	('options', '... by name', 'rewrite_data_files', true, true, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"target_file_size": "128 MB"}}}'), floe.create_policy('q', 'demo.db.t', '{"rewrite_data_files": {"options": {"max_file_size": "100 MB"}}}')$$),
	('options', '... of another operation', 'expire_snapshots', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"target_file_size": "128 MB"}}}'), floe.create_policy('q', 'demo.db.t', '{"rewrite_data_files": {"options": {"max_file_size": "100 MB"}}}')$$),

	('assessed', 'ok', 'rewrite_data_files', false, false, ''),
	('assessed', 'unseen', 'rewrite_data_files', false, false, $$UPDATE floe_internal.iceberg_table SET status = 'unseen'$$),
	('assessed', 'could not be read', 'rewrite_data_files', false, false, $$SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'protocol', 'no metadata in the answer', NULL)$$),
	('assessed', '... by name', 'rewrite_data_files', true, true, $$SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'protocol', 'no metadata in the answer', NULL)$$),
	('assessed', '... and then unchanged', 'rewrite_data_files', false, false, $$SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'protocol', 'no metadata in the answer', NULL), floe_internal.tables_unchanged(ARRAY[lab.id('demo.db.t')])$$),
	('assessed', 'not assessable', 'rewrite_data_files', false, false, $$SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'unsupported', 'format version 4 is not supported', NULL)$$),
	('assessed', 'quarantined', 'rewrite_data_files', false, false, $$UPDATE floe_internal.table_poll SET crashes = 2, claim_pass = 99; SELECT lab.dead_pass(99), floe_internal.void_claims()$$),
	('assessed', 'crashed once', 'rewrite_data_files', false, false, $$UPDATE floe_internal.table_poll SET claim_pass = 99; SELECT lab.dead_pass(99), floe_internal.void_claims()$$),
	('assessed', 'dropped', 'rewrite_data_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.other')$$),

	('writable', 'the catalog said nothing', 'rewrite_data_files', false, false, ''),
	('writable', 'a branch', 'rewrite_data_files', false, false, $$SELECT floe_internal.catalog_connected(catalog_id, '{"ref": "main"}') FROM floe_internal.catalog$$),
	('writable', 'a tag', 'rewrite_data_files', false, false, $$SELECT floe_internal.catalog_connected(catalog_id, '{"ref": "v1", "read_only": "server option ref: a tag"}') FROM floe_internal.catalog$$),
	('writable', '... by name', 'rewrite_manifests', true, true, $$SELECT floe_internal.catalog_connected(catalog_id, '{"ref": "v1", "read_only": "server option ref: a tag"}') FROM floe_internal.catalog$$),

	('gc_enabled', 'not said', 'expire_snapshots', false, false, ''),
	('gc_enabled', 'false', 'expire_snapshots', false, false, $$SELECT lab.assess('demo.db.t', properties => '{"gc.enabled": "false"}')$$),
	('gc_enabled', 'FALSE', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.t', properties => '{"gc.enabled": "FALSE"}')$$),
	('gc_enabled', '... by name', 'remove_orphan_files', true, true, $$SELECT lab.assess('demo.db.t', properties => '{"gc.enabled": "FALSE"}')$$),
	('gc_enabled', 'true', 'expire_snapshots', false, false, $$SELECT lab.assess('demo.db.t', properties => '{"gc.enabled": "true"}')$$),
	('gc_enabled', 'deletes no files', 'rewrite_data_files', false, false, $$SELECT lab.assess('demo.db.t', properties => '{"gc.enabled": "false"}')$$),
	('gc_enabled', 'deletes no files', 'rewrite_manifests', false, false, $$SELECT lab.assess('demo.db.t', properties => '{"gc.enabled": "false"}')$$),
	('gc_enabled', 'deletes no files', 'rewrite_position_delete_files', false, false, $$SELECT lab.assess('demo.db.t', properties => '{"gc.enabled": "false"}')$$),

	('location', 'its own', 'remove_orphan_files', false, false, ''),
	('location', 'shared', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake/demo/db/t')$$),
	('location', 'shared, other spelling', 'remove_orphan_files', true, true, $$SELECT lab.assess('demo.db.other', location => 's3a://lake/demo/db/t/')$$),
	('location', 'another lies inside', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake/demo/db/t/data/other')$$),
	('location', 'lies inside another', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake/demo')$$),
	('location', 'lies in another''s bucket', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake')$$),
	('location', 'same beginning only', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake/demo/db/t2')$$),
	('location', 'same beginning only', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake/demo/d')$$),
	('location', 'other bucket', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://pond/demo/db/t')$$),
	('location', 'other case', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake/demo/db/T')$$),
	('location', 'shared with a dropped one', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake/demo/db/t'), lab.list_tables('demo', 'demo.db.t')$$),
	('location', 'shared across catalogs', 'remove_orphan_files', false, false, $$SELECT lab.catalog('prod'); SELECT lab.assess('prod.db.t', location => 's3://lake/demo/db/t')$$),
	('location', 'shared with one that cannot be read', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake/demo/db/t'), floe_internal.table_failed(lab.id('demo.db.other'), 'corrupt', 'a manifest is broken', NULL)$$),
	('location', 'shared with one that was never read whole', 'remove_orphan_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.v4'); SELECT floe_internal.table_failed(lab.id('demo.db.v4'), 'unsupported', 'format version 4 is not supported', NULL, -1, 's3a://lake/demo/db/t/v4/')$$),
	('location', '... by name', 'remove_orphan_files', true, true, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.v4'); SELECT floe_internal.table_failed(lab.id('demo.db.v4'), 'unsupported', 'format version 4 is not supported', NULL, -1, 's3a://lake/demo/db/t/v4/')$$),
	('location', '... which lies elsewhere', 'remove_orphan_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.v4'); SELECT floe_internal.table_failed(lab.id('demo.db.v4'), 'unsupported', 'format version 4 is not supported', NULL, -1, 's3a://lake/demo/db/v4/')$$),
	('location', 'moved into it, and then could not be read', 'remove_orphan_files', false, false, $$SELECT floe_internal.table_failed(lab.id('demo.db.other'), 'corrupt', 'a manifest is broken', NULL, -1, 's3://lake/demo/db/t/other')$$),
	('location', '... as an older look does not take back', 'remove_orphan_files', false, false, $$SELECT floe_internal.table_failed(lab.id('demo.db.other'), 'corrupt', 'a manifest is broken', NULL, -1, 's3://lake/demo/db/t/other', 8), floe_internal.table_failed(lab.id('demo.db.other'), 'timeout', 'slow', NULL, -1, 's3://lake/demo/db/other', 7), lab.assess('demo.db.other', look => 7)$$),
	('location', '... but a newer one', 'remove_orphan_files', false, false, $$SELECT floe_internal.table_failed(lab.id('demo.db.other'), 'corrupt', 'a manifest is broken', NULL, -1, 's3://lake/demo/db/t/other', 8), lab.assess('demo.db.other', look => 9)$$),
	('location', 'shared with one of a removed catalog', 'remove_orphan_files', false, false, $$SELECT lab.catalog('prod'); SELECT lab.assess('prod.db.t', location => 's3://lake/demo/db'); DROP SERVER prod; SELECT floe_internal.sync_servers()$$),
	('location', '... by name, days later', 'remove_orphan_files', true, true, $$SELECT lab.catalog('prod'); SELECT lab.assess('prod.db.t', location => 's3://lake/demo/db'); DROP SERVER prod; SELECT floe_internal.sync_servers(); SELECT lab.later('29 days'), floe_internal.purge(1000), floe_internal.purge(1000)$$),
	('location', '... until it is forgotten', 'remove_orphan_files', false, false, $$SELECT lab.catalog('prod'); SELECT lab.assess('prod.db.t', location => 's3://lake/demo/db'); DROP SERVER prod; SELECT floe_internal.sync_servers(); SELECT lab.later('31 days'), floe_internal.purge(1000), floe_internal.purge(1000)$$),
	('location', '... which had dropped it before', 'remove_orphan_files', false, false, $$SELECT lab.catalog('prod'); SELECT lab.assess('prod.db.t', location => 's3://lake/demo/db'); SELECT lab.list_tables('prod', VARIADIC '{}'); DROP SERVER prod; SELECT floe_internal.sync_servers()$$),
	('location', '... which is back, but not listed', 'remove_orphan_files', false, false, $$SELECT lab.catalog('prod'); SELECT lab.assess('prod.db.t', location => 's3://lake/demo/db'); DROP SERVER prod; SELECT floe_internal.sync_servers(); SELECT lab.catalog('prod')$$),
	('location', '... which is another under the old name', 'remove_orphan_files', false, false, $$SELECT lab.catalog('prod'); SELECT lab.assess('prod.db.t', location => 's3://lake/demo/db'); DROP SERVER prod; SELECT floe_internal.sync_servers(); SELECT lab.catalog('prod'); SELECT lab.list_tables('prod', 'prod.db.u')$$),
	('location', '... which has it again, elsewhere, and drops it', 'remove_orphan_files', false, false, $$SELECT lab.catalog('prod'); SELECT lab.assess('prod.db.t', location => 's3://lake/demo/db'); DROP SERVER prod; SELECT floe_internal.sync_servers(); SELECT lab.catalog('prod'); SELECT lab.list_tables('prod', 'prod.db.t'); SELECT lab.assess('prod.db.t'), lab.list_tables('prod', VARIADIC '{}')$$),
	('location', 'one of the catalog is unseen', 'remove_orphan_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.new')$$),
	('location', '... by name', 'remove_orphan_files', true, true, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.new')$$),
	('location', '... and then read', 'remove_orphan_files', false, false, $$SELECT lab.assess('demo.db.new')$$),
	('location', '... and then dropped', 'remove_orphan_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.new'), lab.list_tables('demo', 'demo.db.t', 'demo.db.other')$$),
	('location', '... of another catalog', 'remove_orphan_files', false, false, $$SELECT lab.catalog('prod'); SELECT lab.list_tables('prod', 'prod.db.new')$$),
	('location', 'one is unseen and nested in it before', 'remove_orphan_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.new'), lab.assess('demo.db.other', location => 's3://lake/demo/db/t/other')$$),
	('location', 'one was never read, others are unseen', 'remove_orphan_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.a', 'demo.db.b', 'demo.db.c'); SELECT floe_internal.table_failed(lab.id('demo.db.b'), 'server', 'the catalog answered 500', NULL)$$),
	('location', 'quarantined before it was read', 'remove_orphan_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.new'); UPDATE floe_internal.table_poll SET crashes = 2, claim_pass = 99 WHERE table_id = lab.id('demo.db.new'); SELECT lab.dead_pass(99), floe_internal.void_claims()$$),
	('location', 'dropped and back: it may be elsewhere now', 'remove_orphan_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t'), lab.list_tables('demo', 'demo.db.t', 'demo.db.other')$$),
	('location', 'more than are counted', 'remove_orphan_files', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.t1'); SELECT lab.list_tables('demo', VARIADIC ARRAY['demo.db.t', 'demo.db.other'] || ARRAY(SELECT 'demo.db.t' || n FROM generate_series(1, 1001) AS n))$$),
	('location', 'some have names that floe cannot keep', 'remove_orphan_files', false, false, $$SELECT floe_internal.apply_listing(c.catalog_id, '{db,db}', '{t,other}', 2) FROM floe_internal.catalog AS c$$),
	('location', 'some namespaces may not be listed', 'remove_orphan_files', false, false, $$SELECT floe_internal.apply_listing(c.catalog_id, '{db}', '{t}', 0, NULL, '{db,db,secret}', 'list tables of db: the catalog answered 403') FROM floe_internal.catalog AS c$$),
	('location', 'the catalog was never listed', 'remove_orphan_files', true, true, $$UPDATE floe_internal.catalog SET listed_at = NULL$$),
	('location', 'the others delete no files of others', 'expire_snapshots', false, false, $$SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.other', 'demo.db.new')$$),
	('location', 'snapshots know their files', 'expire_snapshots', false, false, $$SELECT lab.assess('demo.db.other', location => 's3://lake/demo/db/t')$$),

	('paused', 'no', 'rewrite_data_files', false, false, ''),
	('paused', 'for good', 'rewrite_data_files', false, false, $$SELECT floe.pause('demo.db.*', reason => 'migration')$$),
	('paused', '... by name', 'rewrite_data_files', true, true, $$SELECT floe.pause('demo.db.*', reason => 'migration')$$),
	('paused', 'until one', 'rewrite_data_files', false, false, $$SELECT floe.pause('**', '2026-03-02 13:00+00')$$),
	('paused', 'until one, and it is', 'rewrite_data_files', false, false, $$SELECT floe.pause('**', '2026-03-02 13:00+00'), lab.at('2026-03-02 13:00+00')$$),
	('paused', 'two pauses', 'rewrite_data_files', false, false, $$SELECT floe.pause('**', '2026-03-02 13:00+00'), floe.pause('demo.**', '2026-03-03 13:00+00', 'the longer one')$$),
	('paused', 'other tables', 'rewrite_data_files', false, false, $$SELECT floe.pause('demo.db.other')$$),
	('paused', 'and resumed', 'rewrite_data_files', false, false, $$SELECT floe.pause('demo.**'), floe.resume('demo.**')$$),

	('interlock', 'free', 'rewrite_data_files', false, false, ''),
	('interlock', 'waits in the queue', 'rewrite_data_files', false, false, $$SELECT lab.queued('demo.db.t', 'rewrite_data_files', 'queued')$$),
	('interlock', '... by name', 'rewrite_data_files', true, true, $$SELECT lab.queued('demo.db.t', 'rewrite_data_files', 'queued')$$),
	('interlock', 'another one waits', 'expire_snapshots', false, false, $$SELECT lab.queued('demo.db.t', 'rewrite_data_files', 'queued')$$),
	('interlock', 'another one runs', 'expire_snapshots', false, false, $$SELECT lab.queued('demo.db.t', 'rewrite_data_files', 'running')$$),
	('interlock', '... by name', 'expire_snapshots', true, true, $$SELECT lab.queued('demo.db.t', 'rewrite_data_files', 'running')$$),
	('interlock', 'another one is lost', 'expire_snapshots', false, false, $$SELECT lab.queued('demo.db.t', 'rewrite_data_files', 'lost')$$),
	('interlock', 'on another table', 'rewrite_data_files', false, false, $$SELECT lab.queued('demo.db.other', 'rewrite_data_files', 'running')$$),

	('engine', 'there', 'rewrite_data_files', false, false, ''),
	('engine', 'none named', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"engine": null}')$$),
	('engine', '... by name', 'rewrite_data_files', true, true, $$SELECT floe.alter_policy('p', '{"engine": null}')$$),
	('engine', 'gone', 'rewrite_data_files', false, false, $$DROP SERVER spark$$),
	('engine', 'down until 12:05', 'rewrite_data_files', false, false, $$UPDATE floe_internal.engine SET status = 'error', error_message = 'connection refused', retry_at = '2026-03-02 12:05+00'$$),
	('engine', '... by name', 'rewrite_data_files', true, true, $$UPDATE floe_internal.engine SET status = 'error', error_message = 'connection refused', retry_at = '2026-03-02 12:05+00'$$),
	('engine', '... at 12:05', 'rewrite_data_files', false, false, $$UPDATE floe_internal.engine SET status = 'error', error_message = 'connection refused', retry_at = '2026-03-02 12:05+00'; SELECT lab.at('2026-03-02 12:05+00')$$),
	('engine', 'of the operation', 'rewrite_data_files', false, false, $$SELECT lab.engine('big'); SELECT floe.alter_policy('p', '{"rewrite_data_files": {"engine": "big"}}'); UPDATE floe_internal.engine SET retry_at = 'infinity', error_message = 'down' WHERE server_name = 'spark'$$),

	('circuit', 'closed', 'rewrite_data_files', false, false, ''),
	('circuit', 'open until 12:30', 'rewrite_data_files', false, false, $$INSERT INTO floe_internal.table_circuit VALUES (lab.id('demo.db.t'), '2026-03-02 12:00+00', '2026-03-02 12:30+00', 1, 3, '{rewrite_data_files,expire_snapshots}', 'transient', 'it broke')$$),
	('circuit', '... by hand', 'rewrite_data_files', true, false, $$INSERT INTO floe_internal.table_circuit VALUES (lab.id('demo.db.t'), '2026-03-02 12:00+00', '2026-03-02 12:30+00', 1, 3, '{rewrite_data_files,expire_snapshots}', 'transient', 'it broke')$$),
	('circuit', '... at 12:30', 'rewrite_data_files', false, false, $$INSERT INTO floe_internal.table_circuit VALUES (lab.id('demo.db.t'), '2026-03-02 12:00+00', '2026-03-02 12:30+00', 1, 3, '{rewrite_data_files,expire_snapshots}', 'transient', 'it broke'); SELECT lab.at('2026-03-02 12:30+00')$$),
	('circuit', '... of another table', 'rewrite_data_files', false, false, $$INSERT INTO floe_internal.table_circuit VALUES (lab.id('demo.db.other'), '2026-03-02 12:00+00', '2026-03-02 12:30+00', 1, 3, '{rewrite_data_files,expire_snapshots}', 'transient', 'it broke')$$),

	('backoff', 'no failure', 'rewrite_data_files', false, false, ''),
	('backoff', 'until 12:10', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'transient', 2, '2026-03-02 12:10+00')$$),
	('backoff', '... by hand', 'rewrite_data_files', true, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'transient', 2, '2026-03-02 12:10+00')$$),
	('backoff', '... at 12:10', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'transient', 2, '2026-03-02 12:10+00'), lab.at('2026-03-02 12:10+00')$$),
	('backoff', '... of another operation', 'expire_snapshots', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'transient', 2, '2026-03-02 12:10+00')$$),
	('backoff', 'the policy was changed', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'transient', 2, '2026-03-02 12:10+00'), floe.alter_policy('p', '{"rewrite_data_files": {"options": {"partial_progress_enabled": true}}}')$$),
	('backoff', 'a setting is wrong', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'config', 1)$$),
	('backoff', '... a year later', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'config', 1), lab.at('2027-03-02 12:00+00')$$),
	('backoff', '... by hand', 'rewrite_data_files', true, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'config', 1)$$),
	('backoff', '... the policy was changed', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'config', 1), floe.alter_policy('p', '{"rewrite_data_files": {"options": {"partial_progress_enabled": true}}}')$$),
	('backoff', '... another operation''s policy', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'config', 1), floe.alter_policy('p', '{"rewrite_manifests": {"min_interval": "2 hours"}}')$$),
	('backoff', '... the server was changed', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'config', 1); ALTER SERVER spark OPTIONS (ADD memory_gb '8')$$),
	('backoff', '... the mapping was changed', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'config', 1); CREATE USER MAPPING FOR CURRENT_USER SERVER spark OPTIONS (username 'floe', password 'new')$$),
	('backoff', '... the table was changed', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'config', 1), lab.assess('demo.db.t', files => 501, file_bytes => 1000000)$$),
	('backoff', 'it cannot succeed', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'permanent', 1)$$),
	('backoff', 'four of five attempts', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'conflict', 4, '2026-03-02 11:00+00')$$),
	('backoff', 'five of five attempts', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'conflict', 5, '2026-03-02 11:00+00')$$),
	('backoff', '... the table was changed', 'rewrite_data_files', false, false, $$SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'conflict', 5, '2026-03-02 11:00+00'), lab.assess('demo.db.t', files => 501, file_bytes => 1000000)$$),
	('backoff', 'five of six attempts', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"max_attempts": 6}}'); SELECT lab.fail('demo.db.t', 'rewrite_data_files', 'conflict', 5, '2026-03-02 11:00+00')$$),

	('zero_change', 'never', 'rewrite_data_files', false, false, ''),
	('zero_change', 'until 14:00', 'rewrite_data_files', false, false, $$SELECT lab.idle('demo.db.t', 'rewrite_data_files', 2, 'excess_file_count', 500, '2026-03-02 14:00+00')$$),
	('zero_change', '... by hand', 'rewrite_data_files', true, false, $$SELECT lab.idle('demo.db.t', 'rewrite_data_files', 2, 'excess_file_count', 500, '2026-03-02 14:00+00')$$),
	('zero_change', '... by name', 'rewrite_data_files', true, true, $$SELECT lab.idle('demo.db.t', 'rewrite_data_files', 2, 'excess_file_count', 500, '2026-03-02 14:00+00')$$),
	('zero_change', '... at 14:00', 'rewrite_data_files', false, false, $$SELECT lab.idle('demo.db.t', 'rewrite_data_files', 2, 'excess_file_count', 500, '2026-03-02 14:00+00'), lab.at('2026-03-02 14:00+00')$$),
	('zero_change', '... fewer', 'rewrite_data_files', false, false, $$SELECT lab.idle('demo.db.t', 'rewrite_data_files', 2, 'excess_file_count', 500, '2026-03-02 14:00+00'), lab.measure('demo.db.t', '{"excess_file_count": 300}')$$),
	('zero_change', '... one more', 'rewrite_data_files', false, false, $$SELECT lab.idle('demo.db.t', 'rewrite_data_files', 2, 'excess_file_count', 500, '2026-03-02 14:00+00'), lab.measure('demo.db.t', '{"excess_file_count": 501}')$$),
	('zero_change', '... another metric is worse', 'rewrite_data_files', false, false, $$SELECT lab.idle('demo.db.t', 'rewrite_data_files', 2, 'excess_file_count', 500, '2026-03-02 14:00+00'), lab.measure('demo.db.t', '{"delete_ratio": 0.9}')$$),

	('schedule', 'none', 'rewrite_data_files', false, false, ''),
	('schedule', 'new: waits for its first time', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}')$$),
	('schedule', '... in a time zone', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"schedule": "0 14 * * *", "timezone": "Europe/Amsterdam", "jitter": "0"}}')$$),
	('schedule', '... by hand', 'rewrite_data_files', true, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}')$$),
	('schedule', '... a second before', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}'), lab.at('2026-03-02 13:59:59+00')$$),
	('schedule', '... at its time', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}'), lab.at('2026-03-02 14:00+00')$$),
	('schedule', '... the day after', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}'), lab.at('2026-03-03 09:00+00')$$),
	('schedule', 'a new interval is due', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"every": "6 hours", "jitter": "0"}}')$$),
	('schedule', '... within its jitter', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"every": "6 hours"}}'), lab.at('2026-03-02 12:05+00')$$),
	('schedule', 'ran an hour ago', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"every": "6 hours", "jitter": "0"}}'), lab.ran('demo.db.t', 'rewrite_data_files', '2026-03-02 11:00+00')$$),
	('schedule', 'ran six hours ago', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"every": "6 hours", "jitter": "0"}}'), lab.ran('demo.db.t', 'rewrite_data_files', '2026-03-02 06:00+00')$$),

	('window', 'none', 'rewrite_data_files', false, false, ''),
	('window', 'opens at 22', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"windows": ["22:00-04:00"]}}')$$),
	('window', '... by hand', 'rewrite_data_files', true, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"windows": ["22:00-04:00"]}}')$$),
	('window', '... at 22', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"windows": ["22:00-04:00"]}}'), lab.at('2026-03-02 22:00+00')$$),
	('window', '... before four', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"windows": ["22:00-04:00"]}}'), lab.at('2026-03-03 03:59:59+00')$$),
	('window', '... at four', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"windows": ["22:00-04:00"]}}'), lab.at('2026-03-03 04:00+00')$$),
	('window', 'in a time zone', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"windows": ["13:00-14:00"], "timezone": "Europe/Amsterdam"}}')$$),
	('window', 'mondays', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"days": ["mon"]}}')$$),
	('window', 'weekends', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"days": ["sat", "sun"]}}')$$),
	('window', 'nights of weekends', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"windows": ["22:00-04:00"], "days": ["sat", "sun"]}}')$$),
	('window', '... monday''s small hours', 'rewrite_data_files', false, false, $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"windows": ["22:00-04:00"], "days": ["sat", "sun"]}}'), lab.at('2026-03-09 03:00+00')$$),

	('min_interval', 'never run', 'rewrite_data_files', false, false, ''),
	('min_interval', '59 minutes ago', 'rewrite_data_files', false, false, $$SELECT lab.ran('demo.db.t', 'rewrite_data_files', '2026-03-02 11:01+00')$$),
	('min_interval', '... by hand', 'rewrite_data_files', true, false, $$SELECT lab.ran('demo.db.t', 'rewrite_data_files', '2026-03-02 11:01+00')$$),
	('min_interval', 'an hour ago', 'rewrite_data_files', false, false, $$SELECT lab.ran('demo.db.t', 'rewrite_data_files', '2026-03-02 11:00+00')$$),
	('min_interval', 'failed a minute ago, done two hours ago', 'rewrite_data_files', false, false, $$SELECT lab.ran('demo.db.t', 'rewrite_data_files', '2026-03-02 10:00+00'), lab.failed_at('2026-03-02 11:59+00')$$),
	('min_interval', 'failed a minute ago, done half an hour ago', 'rewrite_data_files', false, false, $$SELECT lab.ran('demo.db.t', 'rewrite_data_files', '2026-03-02 11:30+00'), lab.failed_at('2026-03-02 11:59+00')$$),
	('min_interval', 'only failed so far', 'rewrite_data_files', false, false, $$SELECT lab.ran('demo.db.t', 'rewrite_data_files', NULL), lab.failed_at('2026-03-02 11:59+00')$$),
	('min_interval', 'the policy says a day', 'rewrite_data_files', false, false, $$SELECT lab.ran('demo.db.t', 'rewrite_data_files', '2026-03-02 11:00+00'), floe.alter_policy('p', '{"rewrite_data_files": {"min_interval": "1 day"}}')$$),
	('min_interval', 'the policy says none', 'rewrite_data_files', false, false, $$SELECT lab.ran('demo.db.t', 'rewrite_data_files', '2026-03-02 11:59:59+00'), floe.alter_policy('p', '{"rewrite_data_files": {"min_interval": "0"}}')$$);

CREATE TABLE lab.answer AS
	SELECT c.*, g.status, g.value, g.limit_value, g.set_by, g.next_at
	FROM (SELECT * FROM lab.case ORDER BY n) AS c CROSS JOIN LATERAL lab.gate(c.setup, 'demo.db.t', c.operation, c.gate, c.by_hand, c.named) AS g;
\pset format unaligned
\pset fieldsep ' | '
SELECT a.gate || ': ' || a.told AS "case", a.operation, concat_ws(' ', CASE WHEN a.by_hand THEN 'by hand' END, CASE WHEN a.named THEN 'named' END) AS how,
	a.status, regexp_replace(a.value, 'operation \d+', 'operation N') AS value, a.limit_value AS "limit", a.set_by, a.next_at
FROM lab.answer AS a ORDER BY a.n;

-- every gate but "need", which has a file of its own, was seen passing and stopping; and the clock is where it was
SELECT k.gate FROM floe_internal.gate AS k LEFT JOIN lab.answer AS a ON a.gate = k.gate
GROUP BY k.gate, k.position HAVING (bool_or(a.status = 'pass') AND bool_or(a.status <> 'pass')) IS NOT TRUE ORDER BY k.position;
SELECT floe_internal.clock();

-- ---- the order ----

-- Everything is wrong at once; one after the other is put right, and the next in order is the verdict.
CREATE FUNCTION lab.verdict() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	d record;
BEGIN
	-- the failure was with the settings as they are now
	UPDATE floe_internal.table_operation AS x SET failure_settings_hash = y.settings_hash
		FROM floe_internal.decide(ARRAY[lab.id('demo.db.t')], floe_internal.clock(), false, NULL) AS y WHERE y.operation = 'remove_orphan_files' AND x.operation = y.operation;
	SELECT * INTO d FROM floe_internal.decide(ARRAY[lab.id('demo.db.t')], floe_internal.clock(), false, NULL) AS y WHERE y.operation = 'remove_orphan_files';
	RETURN concat_ws(' ', d.verdict, d.gate, d.next_at, (SELECT string_agg(r ->> 'gate', ' ' ORDER BY n) FROM jsonb_array_elements(d.reasons) WITH ORDINALITY AS x (r, n) WHERE r ->> 'status' <> 'pass'));
END $$;
SELECT floe.drop_policy('p');
INSERT INTO floe_internal.table_operation (table_id, operation, failures, failure_class, failure_message, failure_metadata, backoff_until, last_run_at, zero_changes, zero_change_until, zero_change_metadata)
	SELECT table_id, 'remove_orphan_files', 1, 'transient', 'it broke', metadata_location, '2026-03-02 12:30+00', '2026-03-02 11:59+00', 1, '2026-03-02 13:00+00', metadata_location FROM floe_internal.iceberg_table WHERE name = 'demo.db.t';
INSERT INTO floe_internal.operation_queue (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, position)
	VALUES (lab.id('demo.db.t'), 'demo.db.t', 'rewrite_data_files', 'running', false, 'floe', 'spark', '{}', '', '{}', '[]', now(), 1);
UPDATE floe_internal.iceberg_table SET location = 's3://lake/t', location_key = 's3://lake/t', properties = '{"gc.enabled": "false"}', status = 'error', error_message = 'cannot be read' WHERE name = 'demo.db.t';
UPDATE floe_internal.iceberg_table SET location_key = 's3://lake/t' WHERE name = 'demo.db.other';
UPDATE floe_internal.catalog SET config = '{"read_only": "server option ref: a tag"}';
SELECT floe.pause('**', '2026-03-02 18:00+00');
SELECT lab.verdict();
SELECT floe.create_policy('o', '**', '{"remove_orphan_files": {"enabled": false, "schedule": "0 3 * * *", "jitter": "0", "windows": ["22:00-23:00"], "when": [{"metric": "data_file_count", "value": 1000000}]}}');
UPDATE floe_internal.effective SET problem = 'they contradict each other' WHERE operation = 'remove_orphan_files';
SELECT lab.verdict();
UPDATE floe_internal.effective SET settings = settings - 'enabled' WHERE operation = 'remove_orphan_files';
SELECT lab.verdict();
UPDATE floe_internal.effective SET problem = NULL WHERE operation = 'remove_orphan_files';
SELECT lab.verdict();
UPDATE floe_internal.iceberg_table SET status = 'ok', error_message = NULL WHERE name = 'demo.db.t';
SELECT lab.verdict();
UPDATE floe_internal.catalog SET config = '{}';
SELECT lab.verdict();
UPDATE floe_internal.iceberg_table SET properties = '{}' WHERE name = 'demo.db.t';
SELECT lab.verdict();
UPDATE floe_internal.iceberg_table SET location_key = 's3://lake/other' WHERE name = 'demo.db.other';
SELECT lab.verdict();
SELECT floe.resume('**');
SELECT lab.verdict();
SELECT floe.alter_policy('o', '{"remove_orphan_files": {"enabled": null, "when": null}}');
SELECT lab.verdict();
DELETE FROM floe_internal.operation_queue;
SELECT lab.verdict();
SELECT floe.alter_policy('o', '{"engine": "spark"}');
SELECT lab.verdict();
UPDATE floe_internal.table_operation SET failures = 0, backoff_until = NULL;
SELECT lab.verdict();
UPDATE floe_internal.table_operation SET zero_change_until = NULL;
SELECT lab.verdict();
SELECT floe.alter_policy('o', '{"remove_orphan_files": {"every": "1 minute"}}');
SELECT lab.verdict();
SELECT floe.alter_policy('o', '{"remove_orphan_files": {"windows": null}}');
SELECT lab.verdict();
SELECT floe.alter_policy('o', '{"remove_orphan_files": {"min_interval": "0"}}');
SELECT lab.verdict();
