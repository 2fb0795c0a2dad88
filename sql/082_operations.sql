--
-- The life of an operation: what the library calls, one transition after the other, with the clock in hand and no engine.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}}') AS policy;

-- ---- states: every pair is tried, only the legal ones go ----

SELECT state, is_live, is_terminal FROM floe_internal.operation_state ORDER BY state;
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000);
SELECT operation, verdict, operation_id FROM floe.trigger('demo.db.t', '{rewrite_data_files}');
CREATE FUNCTION lab.move(from_state text, to_state text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	ALTER TABLE floe_internal.operation_queue DISABLE TRIGGER operation_transition_check;
	UPDATE floe_internal.operation_queue SET state = from_state;
	ALTER TABLE floe_internal.operation_queue ENABLE TRIGGER operation_transition_check;
	UPDATE floe_internal.operation_queue SET state = to_state;
	RETURN true;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	RETURN false;
END $$;
SELECT a.state AS "from", string_agg(b.state, ', ' ORDER BY b.state) AS "to"
FROM floe_internal.operation_state AS a LEFT JOIN floe_internal.operation_state AS b ON b.state <> a.state AND lab.move(a.state, b.state)
GROUP BY a.state ORDER BY a.state;
-- and the table says what the trigger does
SELECT count(*) FILTER (WHERE lab.move(t.from_state, t.to_state)) AS go, count(*) AS listed FROM floe_internal.operation_transition AS t;
SELECT lab.move('running', 'verifying');
SELECT lab.says($$UPDATE floe_internal.operation_queue SET state = 'running'$$);
SELECT lab.says($$UPDATE floe_internal.operation_queue SET state = 'asleep'$$);
TRUNCATE floe_internal.operation_queue;

-- ---- one live operation per table, one entry per table and operation ----

SELECT operation, verdict, operation_id FROM floe.trigger('demo.db.t', '{rewrite_data_files,rewrite_manifests}');
SELECT lab.claim();
SELECT lab.says($$UPDATE floe_internal.operation_queue SET state = 'dispatching' WHERE operation = 'rewrite_manifests'$$);
SELECT lab.says($$UPDATE floe_internal.operation_queue SET operation = 'rewrite_manifests'$$);
SELECT lab.claim();
SELECT count(*) FROM (SELECT floe_internal.end_operation(operation_id, 'cancelled', 'tidied up') FROM floe_internal.operation_queue ORDER BY operation_id DESC) AS x;

-- ---- claiming: by score, in the order of operations within a table, as many as the engine takes ----

SELECT lab.assess('demo.db.small', files => 150, file_bytes => 1000000), lab.assess('demo.db.large', files => 3000, file_bytes => 1000000, manifests => 80, snapshots => 40, snapshot_gap => '1 day');
SELECT floe_internal.plan_and_queue('demo.db.*');
SELECT operation_id, table_name, operation, state, score, attempt FROM floe_internal.operation_queue ORDER BY score DESC, operation_id;
SELECT lab.claim();
-- the large table's next one waits for its first; t comes first of the rest
SELECT lab.claim();
-- the engine takes two at a time
SELECT lab.claim();
SELECT name, running, queued FROM floe.engines;
ALTER SERVER spark OPTIONS (ADD max_operations '3');
SELECT lab.claim(1, 'demo.other.*');
SELECT lab.claim(1, '**, !demo.db.small');
SELECT lab.claim(7);
SELECT lab.claim();
SELECT operation_id, table_name, operation, state, driver_pass, dispatched_at FROM floe_internal.operation_queue WHERE state <> 'queued' ORDER BY operation_id;
-- one that waits for a time, an engine that is down, a pause
ALTER SERVER spark OPTIONS (SET max_operations '9');
SELECT lab.rows($$UPDATE floe_internal.operation_queue SET state = 'queued', not_before = '2026-03-02 12:01+00' WHERE table_name = 'demo.db.small'$$, 'SELECT lab.claim()');
SELECT lab.rows($$UPDATE floe_internal.operation_queue SET state = 'queued', not_before = '2026-03-02 12:01+00' WHERE table_name = 'demo.db.small'; SELECT lab.later('1 minute')$$, 'SELECT lab.claim()');
SELECT lab.rows($$UPDATE floe_internal.operation_queue SET state = 'queued' WHERE table_name = 'demo.db.small'; UPDATE floe_internal.engine SET retry_at = '2026-03-02 12:01+00'$$, 'SELECT lab.claim()');
SELECT lab.rows($$UPDATE floe_internal.operation_queue SET state = 'queued' WHERE table_name = 'demo.db.small'; UPDATE floe_internal.engine SET retry_at = '2026-03-02 12:01+00'; SELECT lab.later('1 minute')$$, 'SELECT lab.claim()');
SELECT lab.rows($$UPDATE floe_internal.operation_queue SET state = 'queued' WHERE table_name = 'demo.db.small'; SELECT floe.pause('demo.db.small')$$, 'SELECT lab.claim()');
SELECT lab.rows($$UPDATE floe_internal.operation_queue SET state = 'queued' WHERE table_name = 'demo.db.small'; SELECT floe.pause('demo.db.large')$$, 'SELECT lab.claim()');
-- how much is to do, and when: what is paused does not count as waiting
SELECT * FROM floe_internal.pending_operations(1, NULL);
SELECT * FROM floe_internal.pending_operations(1, 'demo.db.large');
SELECT lab.rows($$UPDATE floe_internal.operation_queue SET not_before = '2026-03-02 12:01:30+00' WHERE state = 'queued'$$, 'SELECT * FROM floe_internal.pending_operations(1, NULL)');
SELECT lab.rows($$SELECT floe.pause('**')$$, 'SELECT * FROM floe_internal.pending_operations(1, NULL)');
SELECT lab.rows($$SELECT floe.drain()$$, 'SELECT * FROM floe_internal.pending_operations(1, NULL)');

CREATE FUNCTION lab.clear() RETURNS void LANGUAGE sql AS $$
	TRUNCATE floe_internal.operation_queue, floe_internal.operation_log, floe_internal.event RESTART IDENTITY;
	DELETE FROM floe_internal.table_operation;
	ALTER SEQUENCE floe_internal.operation_id_seq RESTART;
	UPDATE floe_internal.engine SET status = 'ok', failures = 0, retry_at = NULL, error_message = NULL, error_code = NULL, error_since = NULL;
$$;

-- ---- before it is sent ----

SELECT lab.clear();
CREATE FUNCTION lab.preflight(id bigint DEFAULT 1) RETURNS text LANGUAGE sql AS
	$$ SELECT concat_ws(' ', p.go, p.reason, p.statement) FROM floe_internal.preflight(id, 'spark-thrift', 'lake') AS p $$;
-- Queues one operation of demo.db.t and claims it, after some statements.
CREATE FUNCTION lab.start(operation text DEFAULT 'rewrite_data_files', options jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	PERFORM * FROM floe.trigger('demo.db.t', ARRAY[operation], options);
	told := lab.claim();
	RETURN told;
END $$;
SELECT lab.start();
SELECT lab.preflight();
-- nothing is sent that is not in the queue
SELECT lab.preflight(4711);
SELECT state, before_snapshot_id, before_snapshots, before ->> 'data_file_count' AS files, before ? 'last_write_age' AS has_ages FROM floe_internal.operation_queue;
-- what may have happened meanwhile
\pset format unaligned
\pset tuples_only on
SELECT told || ' -> ' || answer FROM (VALUES
	(1, 'policy gone', $$SELECT floe.drop_policy('p')$$),
	(2, 'operation disabled', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"enabled": false}}')$$),
	(3, 'engine gone', $$DROP SERVER spark$$),
	(4, 'cancelled', $$SELECT floe.cancel(1)$$),
	(5, 'cancelled and paused', $$SELECT floe.cancel(1), floe.pause('**')$$),
	(6, 'no need, but by name', $$SELECT lab.assess('demo.db.t')$$),
	(7, 'no need', $$UPDATE floe_internal.operation_queue SET reason = '[]'; SELECT lab.assess('demo.db.t')$$),
	(8, 'not assessable any more', $$SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'unsupported', 'format version 4 is not supported', NULL)$$)) AS v (n, told, setup),
	LATERAL lab.rows(setup, $$SELECT lab.preflight(), (SELECT string_agg(q.state, ' ') FROM floe.operations AS q)$$) AS answer ORDER BY n;
-- paused in between: it goes back and waits there, and goes on when the pause ends
SELECT floe.pause('demo.db.t', reason => 'migration');
SELECT lab.preflight();
SELECT state, attempt, driver_pass IS NULL AS free FROM floe_internal.operation_queue;
SELECT lab.claim();
SELECT floe.resume('demo.db.t');
SELECT lab.claim();
-- the engine stopped answering in between, for another operation: this one is not given up
SELECT floe_internal.engine_unreachable('spark', NULL, true, 'unreachable', 'connection refused', NULL);
SELECT lab.preflight();
-- and when sending it fails, it waits for the engine without having used up an attempt
SELECT floe_internal.engine_unreachable('spark', 1, true, 'unreachable', 'connection refused', NULL);
SELECT state, attempt, not_before, saved, lost_sent FROM floe_internal.operation_queue;
SELECT status, failures, retry_at, error FROM floe.engines;
SELECT lab.claim();
SELECT lab.later('12 seconds');
SELECT lab.claim();
SELECT floe_internal.engine_reached('spark', 1);
SELECT status, failures, retry_at, error FROM floe.engines;

-- the table could not be looked at once more: later; it is gone: the end
SELECT floe_internal.postpone_operation(1, 'unreachable', 'the catalog does not answer');
SELECT state, not_before, error_message FROM floe_internal.operation_queue;
SELECT lab.claim();
SELECT lab.later('1 minute'), lab.claim();
SELECT floe_internal.postpone_operation(1, 'not_found', 'the table is gone');
SELECT id, state, error, attempt FROM floe.operations;
SELECT kind, message FROM floe.events ORDER BY id;
\pset tuples_only off
\pset format aligned

-- ---- sent ----

SELECT lab.clear();
SELECT lab.start();
SELECT lab.preflight();
-- the adapter's state is kept before the request that needs it
SELECT floe_internal.operation_saved(1, '\x01', '');
SELECT state, saved, external_id, lost_sent, started_at FROM floe_internal.operation_queue;
SELECT floe_internal.operation_saved(1, '\x02', 'session-1');
SELECT state, saved, external_id, lost_sent, started_at, timeout_at FROM floe_internal.operation_queue;
SELECT lab.later('10 seconds');
SELECT floe_internal.operation_saved(1, '\x03', 'session-1');
SELECT state, saved, external_id, started_at, timeout_at FROM floe_internal.operation_queue;
SELECT lab.rows('', 'SELECT * FROM floe_internal.operations_to_stop(1)');
SELECT lab.rows($$SELECT floe.cancel(1)$$, 'SELECT * FROM floe_internal.operations_to_stop(1)');
SELECT lab.rows($$SELECT floe.cancel(1)$$, 'SELECT * FROM floe_internal.operations_to_stop(2)');
SELECT lab.rows($$SELECT lab.at('2026-03-02 16:02:11+00')$$, 'SELECT * FROM floe_internal.operations_to_stop(1)');
SELECT lab.rows($$SELECT lab.at('2026-03-02 16:02:12+00')$$, 'SELECT * FROM floe_internal.operations_to_stop(1)');
SELECT lab.says('SELECT floe_internal.operation_verified(1)');

-- it worked: 500 files are one, the catalog shows a rewrite
SELECT lab.later('50 seconds');
SELECT floe_internal.engine_ended(1, 'succeeded', NULL, '', '[{"rewritten_data_files_count": 500}]', 1);
SELECT state, saved, outcome, engine_ended_at FROM floe_internal.operation_queue;
SELECT lab.assess('demo.db.t', files => 1, file_bytes => 500000000, snapshots => 2, operations => '{append,replace}');
SELECT * FROM floe_internal.operation_verified(1);
SELECT state, duration, files_before, files_after, snapshots_before, snapshots_after, effect, error_class, error FROM floe.operations;
SELECT new_snapshots FROM floe.operations;
SELECT count(*) FROM floe_internal.operation_queue;
SELECT operation, last_state, last_run_at, last_success_at, failures, zero_changes, zero_change_until FROM floe_internal.table_operation;
SELECT kind, operation_id, message FROM floe.events WHERE kind LIKE 'operation%' ORDER BY id;

-- ---- what the table shows decides, not what the engine said ----

-- Runs one operation on demo.db.t from the queue to its end: the table before and after, what the engine said and how often it was tried.
CREATE FUNCTION lab.run(operation text, outcome text, before text, after text, attempt int DEFAULT 1, class text DEFAULT NULL, told text DEFAULT '', row_count bigint DEFAULT NULL, setup text DEFAULT '')
	RETURNS TABLE (state text, message text, effect jsonb, error_class text, error text) LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
BEGIN
	BEGIN
		PERFORM lab.clear();
		EXECUTE 'SELECT lab.assess(''demo.db.t'', ' || before || ')';
		PERFORM lab.start(operation);
		SELECT operation_id INTO STRICT id FROM floe_internal.operation_queue;
		PERFORM lab.preflight(id);
		UPDATE floe_internal.operation_queue AS q SET attempt = run.attempt;
		PERFORM floe_internal.operation_saved(id, '\x01', 'session');
		IF setup <> '' THEN
			EXECUTE setup;
		END IF;
		PERFORM floe_internal.engine_ended(id, outcome, class, run.told, NULL, row_count);
		EXECUTE 'SELECT lab.assess(''demo.db.t'', ' || after || ')';
		SELECT v.state, v.message INTO run.state, run.message FROM floe_internal.operation_verified(id) AS v;
		SELECT o.effect - 'metadata_json_bytes' - 'metadata_log_count', o.error_class, o.error INTO run.effect, run.error_class, run.error FROM floe.operations AS o ORDER BY o.id DESC LIMIT 1;
		RETURN NEXT;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
END $$;
CREATE TABLE lab.life (n int GENERATED ALWAYS AS IDENTITY, told text, operation text, outcome text, before text, after text, attempt int DEFAULT 1, class text, error text DEFAULT '', row_count bigint, setup text DEFAULT '');
INSERT INTO lab.life (told, operation, outcome, before, after) VALUES
	('as it should be', 'rewrite_data_files', 'succeeded', 'files => 500, file_bytes => 1000000', $$files => 1, file_bytes => 500000000, snapshots => 2, operations => '{append,replace}'$$),
	('nothing happened', 'rewrite_data_files', 'succeeded', 'files => 500, file_bytes => 1000000', 'files => 500, file_bytes => 1000000'),
	('only a writer wrote', 'rewrite_data_files', 'succeeded', 'files => 500, file_bytes => 1000000', $$files => 501, file_bytes => 1000000, snapshots => 2$$),
	('a writer wrote, too', 'rewrite_data_files', 'succeeded', 'files => 500, file_bytes => 1000000', $$files => 2, file_bytes => 250000000, snapshots => 3, operations => '{append,append,replace}'$$),
	('manifests', 'rewrite_manifests', 'succeeded', 'manifests => 60, files => 60', $$manifests => 1, files => 60, snapshots => 2, operations => '{append,replace}'$$),
	('snapshots', 'expire_snapshots', 'succeeded', $$snapshots => 30, snapshot_gap => '1 day'$$, $$snapshots => 5, snapshot_gap => '1 day'$$),
	('no snapshot', 'expire_snapshots', 'succeeded', $$snapshots => 3$$, $$snapshots => 3$$),
	('only a new snapshot', 'expire_snapshots', 'succeeded', $$snapshots => 3$$, $$snapshots => 4$$),
	('a tag', 'expire_snapshots', 'succeeded', $$snapshots => 3, refs => '[{"name": "v1", "type": "tag", "snapshot_id": 2}]'$$, $$snapshots => 3$$);
INSERT INTO lab.life (told, operation, outcome, before, after, row_count) VALUES
	('orphans', 'remove_orphan_files', 'succeeded', '', '', 17),
	('no orphans', 'remove_orphan_files', 'succeeded', '', '', 0),
	('orphans, not counted', 'remove_orphan_files', 'succeeded', '', '', NULL);
UPDATE lab.life SET before = 'files => 1', after = 'files => 1' WHERE before = '';
INSERT INTO lab.life (told, operation, outcome, before, after, attempt, class, error, setup) VALUES
	('failed', 'rewrite_data_files', 'failed', 'files => 500, file_bytes => 1000000', 'files => 500, file_bytes => 1000000', 1, 'resource', 'out of memory', ''),
	('failed half way', 'rewrite_data_files', 'failed', 'files => 500, file_bytes => 1000000', $$files => 250, file_bytes => 2000000, snapshots => 2, operations => '{append,replace}'$$, 1, 'resource', 'out of memory', ''),
	('failed, no class', 'rewrite_data_files', 'failed', 'files => 500, file_bytes => 1000000', 'files => 500, file_bytes => 1000000', 1, NULL, '', ''),
	('lost, and done', 'rewrite_data_files', 'lost', 'files => 500, file_bytes => 1000000', $$files => 1, file_bytes => 500000000, snapshots => 2, operations => '{append,replace}'$$, 1, NULL, '', ''),
	('lost, not done', 'rewrite_data_files', 'lost', 'files => 500, file_bytes => 1000000', 'files => 500, file_bytes => 1000000', 1, NULL, '', ''),
	('... twice', 'rewrite_data_files', 'lost', 'files => 500, file_bytes => 1000000', 'files => 500, file_bytes => 1000000', 2, NULL, '', ''),
	('... three times', 'rewrite_data_files', 'lost', 'files => 500, file_bytes => 1000000', 'files => 500, file_bytes => 1000000', 3, NULL, '', ''),
	('lost, a writer wrote', 'rewrite_data_files', 'lost', 'files => 500, file_bytes => 1000000', 'files => 501, file_bytes => 1000000, snapshots => 2', 3, NULL, '', ''),
	('lost after a cancel', 'rewrite_data_files', 'lost', 'files => 500, file_bytes => 1000000', 'files => 500, file_bytes => 1000000', 1, NULL, '', 'SELECT floe.cancel(1)'),
	('cancelled', 'rewrite_data_files', 'cancelled', 'files => 500, file_bytes => 1000000', 'files => 500, file_bytes => 1000000', 1, NULL, '', 'SELECT floe.cancel(1)'),
	('cancelled half way', 'rewrite_data_files', 'cancelled', 'files => 500, file_bytes => 1000000', $$files => 250, file_bytes => 2000000, snapshots => 2, operations => '{append,replace}'$$, 1, NULL, '', 'SELECT floe.cancel(1)'),
	('timed out', 'rewrite_data_files', 'cancelled', 'files => 500, file_bytes => 1000000', 'files => 500, file_bytes => 1000000', 1, NULL, '', '');
\pset format unaligned
\pset fieldsep ' | '
SELECT l.told AS "case", l.operation, l.outcome AS engine, r.*
FROM (SELECT * FROM lab.life ORDER BY n) AS l CROSS JOIN LATERAL lab.run(l.operation, l.outcome, l.before, l.after, l.attempt, l.class, l.error, l.row_count, l.setup) AS r ORDER BY l.n;
\pset format aligned

-- ---- after a failure: how long, by class ----

-- Runs the operation once more, now, and says what the decision is after it.
CREATE FUNCTION lab.again(outcome text, class text, told text, after text DEFAULT 'files => 500, file_bytes => 1000000') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	ended text;
	d record;
BEGIN
	PERFORM * FROM floe_internal.enqueue(ARRAY[lab.id('demo.db.t')], true, ARRAY['rewrite_data_files'], '{}', 'floe');
	PERFORM lab.claim();
	SELECT operation_id INTO STRICT id FROM floe_internal.operation_queue WHERE state = 'dispatching';
	PERFORM lab.preflight(id), floe_internal.operation_saved(id, '\x01', 'session'), floe_internal.engine_ended(id, outcome, class, told, NULL, NULL);
	EXECUTE 'SELECT lab.assess(''demo.db.t'', ' || after || ')';
	SELECT v.state INTO ended FROM floe_internal.operation_verified(id) AS v;
	SELECT * INTO d FROM floe_internal.decide(ARRAY[lab.id('demo.db.t')], floe_internal.clock(), false, NULL) AS x WHERE x.operation = 'rewrite_data_files';
	RETURN concat_ws(' ', ended || ':', d.verdict, d.gate, d.value, 'in ' || (d.next_at - floe_internal.clock()), d.set_by);
END $$;
SELECT lab.clear(), lab.assess('demo.db.t', files => 500, file_bytes => 1000000);
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"min_interval": "0", "max_attempts": 8}}');
-- doubles, give or take a tenth, from a minute for what may pass by itself, from ten for what needs room
SELECT n, lab.again('failed', 'transient', 'no answer') AS transient FROM generate_series(1, 8) AS n;
SELECT lab.clear();
SELECT n, lab.again('failed', 'resource', 'out of memory') AS resource FROM generate_series(1, 7) AS n;
SELECT lab.clear();
SELECT lab.again('failed', 'conflict', 'somebody else committed') AS conflict;
SELECT lab.again('failed', 'config', 'no such option') AS config;
SELECT lab.again('failed', 'permanent', 'a file is missing') AS permanent;
SELECT lab.again('failed', NULL, 'nobody knows') AS unknown;
-- a cancel is no failure, and does not undo one
SELECT lab.again('failed', 'config', 'no such option');
UPDATE floe_internal.table_operation SET failures = 3;
SELECT lab.start();
SELECT floe_internal.operation_saved(operation_id, '\x01', 'session'), floe.cancel(operation_id), floe_internal.engine_ended(operation_id, 'cancelled', NULL, '', NULL, NULL), (floe_internal.operation_verified(operation_id)).state FROM floe_internal.operation_queue;
SELECT failures, failure_class, failure_message, last_state FROM floe_internal.table_operation;
-- a success ends it
SELECT lab.again('succeeded', NULL, '', $$files => 1, file_bytes => 500000000, snapshots => 2, operations => '{append,replace}'$$);
SELECT failures, failure_class, failure_message, backoff_until FROM floe_internal.table_operation;
-- the settings at the failure count: a change of the policy ends the wait at once
SELECT lab.clear(), lab.assess('demo.db.t', files => 500, file_bytes => 1000000);
SELECT lab.again('failed', 'config', 'no such option');
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"max_concurrent_file_group_rewrites": 2}}}');
SELECT verdict, gate FROM floe.why('demo.db.t') WHERE operation = 'rewrite_data_files';

-- ---- runs that change nothing: the wait doubles up to a week, and never freezes a table ----

SELECT lab.clear();
SELECT n, lab.again('succeeded', NULL, '') AS zero_change FROM generate_series(1, 9) AS n;
-- by hand it is held back as well, by name it is not
SELECT operation, verdict, gate FROM floe.trigger('demo.db.t') WHERE operation = 'rewrite_data_files';
SELECT lab.rows('', $$SELECT operation, verdict, gate FROM floe.trigger('demo.db.t', '{rewrite_data_files}')$$);
-- one file more, and it is tried again
SELECT lab.assess('demo.db.t', files => 501, file_bytes => 1000000);
SELECT verdict, gate FROM floe.why('demo.db.t') WHERE operation = 'rewrite_data_files';
-- a rewrite that commits but leaves what called for it as it was is no better
UPDATE floe.policy SET pattern = 'demo.db.t';
SELECT lab.clear(), lab.assess('demo.db.t', files => 500, file_bytes => 1000000);
SELECT lab.rows('', $$SELECT operation, verdict FROM floe.trigger('demo.db.t') WHERE operation = 'rewrite_data_files'$$);
SELECT floe_internal.plan_and_queue(NULL);
SELECT lab.claim();
SELECT lab.preflight(operation_id) <> '', floe_internal.operation_saved(operation_id, '\x01', 's'), floe_internal.engine_ended(operation_id, 'succeeded', NULL, '', NULL, NULL) FROM floe_internal.operation_queue WHERE state = 'dispatching';
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, snapshots => 2, operations => '{append,replace}');
SELECT v.* FROM floe_internal.operation_queue AS q, floe_internal.operation_verified(q.operation_id) AS v WHERE q.state = 'verifying';
SELECT operation, verdict, gate, value, set_by, next_at FROM floe.why('demo.db.t') WHERE operation = 'rewrite_data_files';
-- called for by conditions: the wait ends when the table changes
SELECT lab.clear(), lab.assess('demo.db.t', files => 500, file_bytes => 1000000);
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 10}]}}');
SELECT floe_internal.plan_and_queue(NULL);
SELECT lab.claim();
SELECT lab.preflight(operation_id) <> '', floe_internal.operation_saved(operation_id, '\x01', 's'), floe_internal.engine_ended(operation_id, 'succeeded', NULL, '', NULL, NULL) FROM floe_internal.operation_queue WHERE state = 'dispatching';
SELECT v.* FROM floe_internal.operation_queue AS q, floe_internal.operation_verified(q.operation_id) AS v WHERE q.state = 'verifying';
SELECT operation, verdict, gate, value, set_by, next_at FROM floe.why('demo.db.t') WHERE operation = 'rewrite_data_files';
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, snapshots => 2);
SELECT operation, verdict, gate, value FROM floe.why('demo.db.t') WHERE operation = 'rewrite_data_files';

-- ---- what the calendar called for is not called off by the calendar having moved on ----

SELECT lab.clear();
SELECT floe.drop_policy('p');
SELECT floe.create_policy('p', 'demo.db.t', '{"engine": "spark", "remove_orphan_files": {"every": "7 days", "jitter": "0"}}') > 0 AS made;
CREATE FUNCTION lab.orphans() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	told text;
BEGIN
	PERFORM floe_internal.plan_and_queue(NULL);
	PERFORM lab.claim();
	SELECT operation_id INTO id FROM floe_internal.operation_queue WHERE state = 'dispatching';
	IF id IS NULL THEN
		RETURN (SELECT concat_ws(' ', w.verdict, w.gate, w.next_at) FROM floe.why('demo.db.t') AS w WHERE w.operation = 'remove_orphan_files');
	END IF;
	told := lab.preflight(id);
	IF told NOT LIKE 't %' THEN
		RETURN told;
	END IF;
	PERFORM floe_internal.operation_saved(id, '\x01', 's'), floe_internal.engine_ended(id, 'succeeded', NULL, '', NULL, 3);
	RETURN (SELECT v.state || ': ' || v.message FROM floe_internal.operation_verified(id) AS v);
END $$;
SELECT lab.orphans();
SELECT lab.later('6 days'), lab.orphans();
SELECT lab.later('1 day'), lab.orphans();
SELECT lab.later('6 days 23 hours'), lab.orphans();
SELECT lab.later('1 hour'), lab.orphans();

-- ---- processes that are gone ----

SELECT lab.clear();
SELECT floe_internal.begin_pass('test') AS pass \gset
SELECT :pass = ANY (ARRAY(SELECT floe_internal.live_passes())) AS alive;
SELECT lab.start('remove_orphan_files');
UPDATE floe_internal.operation_queue SET driver_pass = 98;
-- pass 98 was never alive: nothing was sent for its operation, so it waits again; once something was, it is taken over as it is
SELECT lab.rows(format('SELECT count(*) FROM floe_internal.adopt_operations(%s, NULL)', :pass), 'SELECT state, driver_pass, attempt FROM floe_internal.operation_queue');
SELECT lab.rows('SELECT floe_internal.operation_saved(1, ''\x01'', '''')', format('SELECT a.operation_id, a.state, a.driver_pass = %s FROM floe_internal.adopt_operations(%s, NULL) AS a', :pass, :pass));
SELECT lab.rows('SELECT floe_internal.operation_saved(1, ''\x01'', ''s'')', format('SELECT a.operation_id, a.state, a.driver_pass = %s FROM floe_internal.adopt_operations(%s, NULL) AS a', :pass, :pass));
SELECT lab.rows('SELECT floe_internal.operation_saved(1, ''\x01'', ''s'')', format('SELECT a.operation_id FROM floe_internal.adopt_operations(%s, %L) AS a', :pass, 'demo.other.*'));
SELECT lab.rows('SELECT floe_internal.operation_saved(1, ''\x01'', ''s''), floe_internal.engine_ended(1, ''succeeded'', NULL, '''', NULL, 0)', format('SELECT a.operation_id, a.state FROM floe_internal.adopt_operations(%s, NULL) AS a', :pass));
-- what a pass drives that is alive is left to it
SELECT lab.rows(format('UPDATE floe_internal.operation_queue SET driver_pass = %s', :pass), 'SELECT a.operation_id, a.state FROM floe_internal.adopt_operations(99, NULL) AS a');
SELECT lab.rows(format('UPDATE floe_internal.operation_queue SET driver_pass = %s', :pass), 'SELECT q.state, q.attempt, (SELECT count(*) FROM floe_internal.adopt_operations(99, NULL)) FROM floe_internal.operation_queue AS q');
SELECT floe_internal.end_pass(:pass), pg_advisory_unlock(floe_internal.pass_class(), :pass);
SELECT count(*) FROM floe_internal.live_passes();

-- ---- an engine that cannot be asked ----

SELECT floe_internal.operation_saved(1, '\x01', 's');
SELECT floe_internal.engine_unreachable('spark', 1, false, 'unreachable', 'connection refused', 'port 10001');
SELECT state, unreachable_since FROM floe_internal.operation_queue;
SELECT lab.later('60 seconds'), floe_internal.engine_unreachable('spark', 1, false, 'unreachable', 'connection refused', 'port 10001');
SELECT state, unreachable_since FROM floe_internal.operation_queue;
SELECT lab.later('1 second'), floe_internal.engine_unreachable('spark', 1, false, 'unreachable', 'connection refused', 'port 10001');
SELECT state, unreachable_since FROM floe_internal.operation_queue;
SELECT lab.later('20 seconds'), floe_internal.engine_unreachable('spark', 1, false, 'unreachable', 'connection refused', 'port 10001');
-- said once
SELECT kind, message FROM floe.events WHERE kind IN ('engine error', 'operation lost') ORDER BY id;
SELECT floe_internal.engine_reached('spark', 1);
SELECT state, unreachable_since FROM floe_internal.operation_queue;
SELECT status, error, retry_at FROM floe.engines;
-- the table is gone when the engine is done
SELECT floe_internal.engine_ended(1, 'succeeded', NULL, '', NULL, 0), floe_internal.abandon_operation(1, 'the table is gone');
SELECT state, engine_outcome, error_class, error FROM floe.operations;

-- ---- maintenance by others that left what a policy's conditions call for does not count as a run ----

TRUNCATE floe_internal.operation_queue;
SELECT lab.assess('demo.ext.t', files => 20, file_bytes => 1000000);
SELECT floe.create_policy('ext', 'demo.ext.*', '{"rewrite_data_files": {"min_interval": "1 hour", "when": {"any": [{"metric": "data_file_count", "op": ">", "value": 10}]}}}');
CREATE FUNCTION lab.by_others(OUT is_run bool, OUT verdict text, OUT gate text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM floe_internal.note_external(lab.id('demo.ext.t'), jsonb_build_object('fresh', jsonb_build_array(jsonb_build_object('id', 1, 'at', floe_internal.clock(), 'files', true)), 'gone', '[]'::jsonb, 'before', '{}'::jsonb));
	SELECT x.is_run INTO is_run FROM floe.external_operations AS x ORDER BY x.id DESC LIMIT 1;
	SELECT w.verdict, w.gate INTO verdict, gate FROM floe.why('demo.ext.t') AS w WHERE w.operation = 'rewrite_data_files';
END $$;
SELECT * FROM lab.by_others();
SELECT floe.alter_policy('ext', '{"rewrite_data_files": {"when": {"any": [{"metric": "data_file_count", "op": ">", "value": 100}]}}}');
SELECT * FROM lab.by_others();
