--
-- Who takes an operation: the preferred engine, or the next of the list while those before it are gone, drained, failing or full for long; what people see of it; and
-- what others did to a table, which floe does not do again.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
\pset format unaligned
\pset fieldsep ' | '
\pset footer off

SELECT lab.catalog(), lab.engine('one', ', max_operations ''2'''), lab.engine('two', ', max_operations ''2'''), lab.engine('three', ', max_operations ''1''');
SELECT floe.create_policy('p', 'demo.**', '{"engine": "one", "fallback_engines": ["two", "three"], "fallback_after": "5 minutes", "rewrite_data_files": {}, "rewrite_manifests": {"fallback_engines": []}, "expire_snapshots": {"engine": "two", "fallback_engines": ["one"], "fallback_after": "0 seconds"}}') > 0 AS made;
SELECT count(lab.assess('demo.db.t' || n, files => 500 - n, file_bytes => 1000000, manifests => 100, snapshots => 40, snapshot_gap => '1 day')) FROM generate_series(1, 8) AS n;
CREATE FUNCTION lab.put(tables int[], operation text DEFAULT 'rewrite_data_files') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM * FROM unnest(tables) AS n, floe_internal.enqueue(ARRAY[lab.id('demo.db.t' || n)], true, ARRAY[operation], '{}', 'somebody') AS e;
END $$;
-- an engine that cannot be reached since then, and is asked again then
CREATE FUNCTION lab.fails(name text, since interval DEFAULT '10 minutes', again interval DEFAULT '1 minute') RETURNS void LANGUAGE sql AS $$
	UPDATE floe_internal.engine SET status = 'error', error_message = 'refused', error_since = floe_internal.clock() - since, retry_at = floe_internal.clock() + again WHERE server_name = name
$$;
-- All that can be claimed, one after the other, while all of it runs: table > engine.
CREATE FUNCTION lab.order() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
	all_told text[] := '{}';
BEGIN
	LOOP
		SELECT replace(c.table_name, 'demo.db.', '') || '>' || c.engine INTO told FROM floe_internal.claim_operation(1, NULL) AS c;
		EXIT WHEN told IS NULL OR cardinality(all_told) > 20;
		all_told := all_told || told;
	END LOOP;
	RETURN array_to_string(all_told, ' ');
END $$;
CREATE FUNCTION lab.goes(setup text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
	clock text := current_setting('floe.virtual_clock');
BEGIN
	BEGIN
		EXECUTE setup;
		told := lab.order();
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		PERFORM set_config('floe.virtual_clock', clock, false);
		RETURN told;
	END;
END $$;

-- ---- who takes it ----

SELECT n, told, lab.goes(setup) AS goes FROM (VALUES
	(1, 'all are well: the preferred one, as many as it has places', $$SELECT lab.put('{1,2,3}')$$),
	(2, '... and after a while the others take what has no place', $$SELECT lab.put('{1,2,3,4,5,6}'), lab.later('5 minutes')$$),
	(3, '... not before', $$SELECT lab.put('{1,2,3,4,5,6}'), lab.later('4 minutes 59 seconds')$$),
	(4, '... what was queued later does not', $$SELECT lab.put('{1,2}'), lab.order(), lab.put('{3}'), lab.later('4 minutes'), lab.put('{4}'), lab.later('1 minute')$$),
	(5, 'failing for long', $$SELECT lab.put('{1,2,3}'), lab.fails('one')$$),
	(6, '... for less than that', $$SELECT lab.put('{1,2,3}'), lab.fails('one', '4 minutes')$$),
	(7, '... exactly as long', $$SELECT lab.put('{1}'), lab.fails('one', '5 minutes')$$),
	(8, '... and its next try is due: somebody finds out whether it is well', $$SELECT lab.put('{1,2,3}'), lab.fails('one', '10 minutes', '0')$$),
	(9, 'two of three fail', $$SELECT lab.put('{1,2}'), lab.fails('one'), lab.fails('two')$$),
	(10, 'the second only for short', $$SELECT lab.put('{1,2}'), lab.fails('one'), lab.fails('two', '1 minute')$$),
	(11, 'all fail', $$SELECT lab.put('{1,2}'), lab.fails('one'), lab.fails('two'), lab.fails('three')$$),
	(12, 'drained: at once', $$SELECT lab.put('{1,2,3}'), floe.drain_engine('one')$$),
	(13, 'all drained', $$SELECT lab.put('{1,2,3}'), floe.drain_engine('one'), floe.drain_engine('two'), floe.drain_engine('three')$$),
	(14, '... and one is not any more', $$SELECT lab.put('{1,2,3}'), floe.drain_engine('one'), floe.drain_engine('two'), floe.drain_engine('three'), floe.undrain_engine('three')$$),
	(15, 'everything is drained', $$SELECT lab.put('{1,2,3}'), floe.drain_engine('one'), floe.drain()$$),
	(16, 'removed', $$SELECT lab.put('{1,2,3}'); DROP SERVER one; SELECT floe_internal.sync_servers()$$),
	(17, '... before anybody looked at the servers', $$SELECT lab.put('{1,2,3}'); DROP SERVER one$$),
	(18, 'two are removed', $$SELECT lab.put('{1,2,3}'); DROP SERVER one; DROP SERVER two; SELECT floe_internal.sync_servers()$$),
	(19, 'all are', $$SELECT lab.put('{1,2,3}'); DROP SERVER one; DROP SERVER two; DROP SERVER three; SELECT floe_internal.sync_servers()$$),
	(20, 'an operation without a fallback', $$SELECT lab.put('{1}', 'rewrite_manifests'), lab.put('{2}'), floe.drain_engine('one')$$),
	(21, 'no wait at all: the first place', $$SELECT lab.put('{1,2,3,4,5}', 'expire_snapshots')$$),
	(22, '... an engine that fails only now', $$SELECT lab.put('{1,2,3}', 'expire_snapshots'), lab.fails('two', '0')$$),
	(23, 'two lists that cross: the places hold', $$SELECT lab.put('{1,2,3,4}'), lab.put('{5,6,7,8}', 'expire_snapshots'), lab.later('5 minutes')$$),
	(24, 'a budget of one at a time at the second', $$INSERT INTO floe.budget (name, engine, concurrency) VALUES ('b', 'two', 1); SELECT lab.put('{1,2,3}'), floe.drain_engine('one')$$),
	(25, 'a budget of the second that is spent', $$INSERT INTO floe.budget (name, engine, operations) VALUES ('b', 'two', 0); SELECT lab.put('{1,2}'), floe.drain_engine('one')$$),
	(26, 'a budget of the first does not count for the second', $$INSERT INTO floe.budget (name, engine, concurrency) VALUES ('b', 'one', 1); SELECT lab.put('{1,2,3}'), floe.drain_engine('one')$$),
	(27, 'it must wait for its next attempt', $$SELECT lab.put('{1}'), floe.drain_engine('one'); UPDATE floe_internal.operation_queue SET not_before = floe_internal.clock() + interval '1 second'$$),
	(28, 'a table at a time, on whatever engine', $$SELECT lab.put('{1}'), lab.put('{1}', 'expire_snapshots')$$),
	(29, 'paused', $$SELECT lab.put('{1,2}'), floe.drain_engine('one'), floe.pause('demo.db.t1')$$)) AS v (n, told, setup) ORDER BY n;

-- ---- what is told, and that nothing is lost or doubled ----

SELECT lab.put('{1,2,3}'), lab.fails('one', '2 minutes', '30 seconds');
SELECT table_name, engine, engines, waits_for, not_before FROM floe.queue ORDER BY id;
SELECT * FROM floe_internal.pending_operations(1, NULL);
SELECT lab.order() AS "nobody yet";
SELECT lab.later('3 minutes'), lab.fails('one', '5 minutes', '30 seconds');
SELECT table_name, engine, engine_reason FROM floe_internal.claim_operation(1, 'demo.db.t1') AS c;
SELECT kind, message, data FROM floe.events WHERE kind = 'operation rerouted';
-- before it is sent the second engine fails as well: back in the queue, and the first one's again
SELECT floe_internal.engine_unreachable('two', operation_id, true, 'connect', 'no route', NULL) FROM floe_internal.operation_queue WHERE state = 'dispatching';
SELECT table_name, state, attempt, engine, engine_reason, not_before FROM floe_internal.operation_queue WHERE table_name = 'demo.db.t1';
SELECT lab.later('30 seconds');
-- the first may be tried again: it finds out
SELECT table_name, engine, engine_reason FROM floe_internal.claim_operation(1, 'demo.db.t1') AS c;
SELECT floe_internal.engine_unreachable('one', operation_id, true, 'connect', 'refused', NULL) FROM floe_internal.operation_queue WHERE state = 'dispatching';
SELECT status, failures, error_since, retry_at > floe_internal.clock() AS waits FROM floe_internal.engine WHERE server_name IN ('one', 'two') ORDER BY server_name;
SELECT lab.fails('two', '10 minutes');
SELECT table_name, engine, engine_reason FROM floe_internal.claim_operation(1, 'demo.db.t1') AS c;
-- it is sent there, ends there, and the log says so
CREATE FUNCTION lab.op() RETURNS bigint LANGUAGE sql AS $$ SELECT operation_id FROM floe_internal.operation_queue WHERE table_name = 'demo.db.t1' $$;
SELECT p.go, p.statement LIKE 'CALL%rewrite_data_files%' AS statement FROM floe_internal.preflight(lab.op(), 'spark-thrift', 'demo') AS p;
SELECT floe_internal.operation_saved(lab.op(), '\x01', 'session 7');
SELECT name, running, queued, max_operations, operations, last_success_at FROM floe.engines ORDER BY 1;
-- once it was sent, whatever happens to the engine, it stays there
SELECT floe_internal.engine_unreachable('three', lab.op(), false, 'connect', 'gone', NULL), floe.drain_engine('three'), lab.order();
SELECT state, engine FROM floe_internal.operation_queue WHERE operation_id = lab.op();
SELECT lab.assess('demo.db.t1', files => 5, snapshots => 41, snapshot_gap => '1 day', operations => array_fill('append'::text, ARRAY[40]) || 'replace'::text);
SELECT floe_internal.engine_ended(lab.op(), 'succeeded', NULL, '', NULL, NULL);
SELECT (floe_internal.operation_verified(lab.op())).state;
SELECT table_name, state, engine, engine_reason, attempt FROM floe.operations WHERE table_name = 'demo.db.t1';
SELECT count(*) AS external FROM floe.external_operations;
SELECT name, running, queued, operations, last_success_at FROM floe.engines ORDER BY 1;
SELECT floe_internal.end_operation(operation_id, 'cancelled', 'x') FROM floe_internal.operation_queue;
UPDATE floe_internal.engine SET status = 'ok', error_message = NULL, error_since = NULL, retry_at = NULL, failures = 0;
SELECT floe.undrain_engine('three');

-- between the claim and the statement: drained, not approved any more, not able any more
CREATE FUNCTION lab.preflight(setup text, OUT go bool, OUT reason text, OUT state text, OUT engine text, OUT engines text[]) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		PERFORM lab.put('{2}'), lab.order();
		EXECUTE setup;
		SELECT p.go, p.reason INTO go, reason FROM floe_internal.operation_queue AS q, floe_internal.preflight(q.operation_id, 'spark-thrift', 'demo') AS p;
		SELECT o.state, o.engine INTO state, engine FROM floe.operations AS o WHERE o.table_name = 'demo.db.t2' ORDER BY o.id DESC LIMIT 1;
		SELECT q.engines INTO engines FROM floe_internal.operation_queue AS q;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
END $$;
SELECT n, p.* FROM (VALUES (1, 'SELECT'), (2, $$SELECT floe.drain_engine('one')$$), (3, $$SELECT floe.approve_engines('demo.**', '{two,three}')$$), (4, $$SELECT floe.approve_engines('demo.**', '{three}')$$),
	(5, $$CREATE SERVER other TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/x'); SELECT floe.approve_engines('demo.**', '{other}')$$),
	-- what the gates do not see: the one that is approved now could do it, but not with the options that were given by hand
	(6, $$CREATE SERVER t TYPE 'trino' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1'); SELECT floe.alter_policy('p', '{"fallback_engines": ["two", "three", "t"]}'), floe.approve_engines('demo.**', '{t}');
		UPDATE floe_internal.operation_queue SET settings = settings || '{"options": {"rewrite_all": true}}'$$)) AS v (n, setup), lab.preflight(setup) AS p ORDER BY n;

-- drain: who, why and since when; told once
SELECT floe.drain_engine('one', 'new disks') AS under_way, floe.drain_engine('one') AS again, floe.drain_engine('one', 'new racks') AS other_reason;
SELECT name, drained_at, drained_by, drain_reason FROM floe.engines WHERE drained_at IS NOT NULL;
SELECT lab.rows($$SELECT floe.undrain_engine('one'), lab.put('{3}', 'rewrite_manifests'), lab.put('{4}'), floe.drain_engine('one', 'new disks')$$, 'SELECT table_name, waits_for, not_before FROM floe.queue ORDER BY id');
SELECT floe.undrain_engine('one'), floe.undrain_engine('one') AS again;
SELECT lab.says($$SELECT floe.drain_engine('nowhere')$$), lab.says($$SELECT floe.undrain_engine('nowhere')$$);
SELECT message FROM floe.events WHERE kind IN ('engine drained', 'engine undrained') ORDER BY id DESC LIMIT 3;
-- an engine that is made again is not drained
SELECT lab.rows($$SELECT floe.drain_engine('one'); DROP SERVER one; SELECT floe_internal.sync_servers(), lab.engine('one')$$, $$SELECT name, drained_at FROM floe.engines WHERE name = 'one'$$);

-- ---- what others did ----

SELECT floe_internal.end_operation(operation_id, 'cancelled', 'x') FROM floe_internal.operation_queue;
CREATE FUNCTION lab.ops(n int, last text[]) RETURNS text[] LANGUAGE sql AS $$ SELECT array_fill('append'::text, ARRAY[n - cardinality(last)]) || last $$;
CREATE FUNCTION lab.seen(setup text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT * FROM lab.rows($x$SELECT lab.assess('demo.db.e', files => 500, file_bytes => 1000000, manifests => 100, snapshots => 30, snapshot_gap => '1 hour', newest => '2026-03-02 11:00+00'), lab.later('10 minutes'); $x$ || setup,
		$q$SELECT x.operation, x.snapshots, x.snapshot_ids, x.files_before, x.files_after, x.is_run, o.last_run_at, o.last_success_at FROM floe.external_operations AS x
			LEFT JOIN floe_internal.table_operation AS o ON o.table_id = lab.id('demo.db.e') AND o.operation = x.operation WHERE x.table_name = 'demo.db.e' ORDER BY x.id$q$)
$$;
CREATE FUNCTION lab.look(files int DEFAULT 500, snapshots int DEFAULT 31, last text[] DEFAULT '{replace}', manifests int DEFAULT 100) RETURNS void LANGUAGE sql AS $$
	SELECT lab.assess('demo.db.e', files => files, file_bytes => 1000000, manifests => manifests, snapshots => snapshots, snapshot_gap => '1 hour', newest => '2026-03-02 12:05+00', operations => lab.ops(snapshots, last))
$$;
SELECT n, told, s AS seen FROM (VALUES
	(1, 'nothing new', 'SELECT lab.look(500, 30, $${}$$)'),
	(2, 'an append', 'SELECT lab.look(501, 31, $${append}$$)'),
	(3, 'a rewrite of manifests', 'SELECT lab.look(manifests => 3)'),
	(4, '... that left much', 'SELECT lab.look(manifests => 90)'),
	(5, 'two at once', 'SELECT lab.look(snapshots => 32, last => $${replace,replace}$$, manifests => 3)'),
	(6, 'a rewrite between appends', 'SELECT lab.look(snapshots => 33, last => $${append,replace,append}$$, manifests => 3)'),
	(7, 'while floe rewrites: its own', $$SELECT floe_internal.enqueue(ARRAY[lab.id('demo.db.e')], true, '{rewrite_manifests}', '{}', 'x'); SELECT floe_internal.claim_operation(1, NULL); SELECT floe_internal.operation_saved(operation_id, '\x01', 's') FROM floe_internal.operation_queue; SELECT lab.look(manifests => 3)$$),
	(8, 'while floe expires: not its own', $$SELECT floe_internal.enqueue(ARRAY[lab.id('demo.db.e')], true, '{expire_snapshots}', '{}', 'x'); SELECT floe_internal.claim_operation(1, NULL); SELECT floe_internal.operation_saved(operation_id, '\x01', 's') FROM floe_internal.operation_queue; SELECT lab.look(manifests => 3)$$),
	(9, 'snapshots are gone', 'SELECT lab.look(500, 20, $${}$$)'),
	(10, '... while floe expires', $$SELECT floe_internal.enqueue(ARRAY[lab.id('demo.db.e')], true, '{expire_snapshots}', '{}', 'x'); SELECT floe_internal.claim_operation(1, NULL); SELECT floe_internal.operation_saved(operation_id, '\x01', 's') FROM floe_internal.operation_queue; SELECT lab.look(500, 20, '{}')$$),
	(11, 'dropped and made anew', $$SELECT lab.assess('demo.db.e', files => 5, snapshots => 3, operations => '{append,replace,replace}', uuid => 'another')$$)) AS v (n, told, setup)
	LEFT JOIN LATERAL lab.seen(setup) AS s ON true ORDER BY n, s;
-- before the first look nobody can tell
SELECT lab.assess('demo.db.first', files => 5, snapshots => 3, operations => '{append,replace,replace}');
SELECT count(*) FROM floe.external_operations WHERE table_name = 'demo.db.first';
-- so floe does not do it again: what waits is not sent, and says why; what would come next waits as after a run of floe's own
SELECT lab.at('2026-03-02 12:20:00+00');
SELECT lab.assess('demo.db.e', files => 5, manifests => 100, snapshots => 30, snapshot_gap => '1 hour', newest => '2026-03-02 11:00+00');
SELECT floe_internal.plan_tables(ARRAY[lab.id('demo.db.e')], floe_internal.clock()) AS queued;
SELECT lab.later('10 minutes');
SELECT lab.look(files => 5, manifests => 3);
SELECT kind, message FROM floe.events WHERE kind = 'external maintenance' ORDER BY id DESC LIMIT 1;
SELECT lab.order();
SELECT p.go, p.reason FROM floe_internal.operation_queue AS q, floe_internal.preflight(q.operation_id, 'spark-thrift', 'demo') AS p;
SELECT state, error FROM floe.operations WHERE table_name = 'demo.db.e';
SELECT lab.look(files => 5, manifests => 100, snapshots => 32, last => '{replace,append}');
SELECT verdict, gate, value, limit_value, next_at FROM floe.why('demo.db.e') WHERE operation = 'rewrite_manifests';
SELECT table_name, operation, engine, done_at, seen_at, manifests_before, manifests_after, is_run FROM floe.external_operations ORDER BY id;
