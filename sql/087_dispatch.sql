--
-- Which operation goes next: people first, then catalogs take turns, in a catalog its policies, and only then the score; the limits of engines and catalogs; and a drain.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT lab.catalog('a'), lab.catalog('b'), lab.catalog('c'), lab.engine('spark', ', max_operations ''100'''), lab.engine('big', ', max_operations ''100''');
SELECT floe.create_policy('strong', 'a.strong.*, b.**, c.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {"engine": "big"}}') > 0 AS made, floe.create_policy('weak', 'a.weak.*', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {"engine": "big"}}') > 0 AS made;
SELECT count(lab.assess(n, files => 500, file_bytes => 1000000)) FROM unnest('{a.strong.1,a.strong.2,a.strong.3,a.weak.1,a.weak.2,b.db.1,b.db.2,c.db.1}'::text[]) AS n;
-- so that nothing but the order of the claims decides, operations are put into the queue with a score
CREATE FUNCTION lab.queue(name text, score float8, by_hand bool DEFAULT false, operation text DEFAULT 'rewrite_data_files') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM * FROM floe_internal.enqueue(ARRAY[lab.id(name)], true, ARRAY[operation], '{}', 'somebody');
	UPDATE floe_internal.operation_queue AS q SET score = queue.score, by_hand = queue.by_hand WHERE q.table_name = name AND q.operation = queue.operation;
	IF NOT FOUND THEN
		RAISE EXCEPTION '% is not queued', name;
	END IF;
END $$;
-- All that can be claimed, one after the other, while all of it runs.
CREATE FUNCTION lab.order(pattern text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text;
	names text[] := '{}';
BEGIN
	LOOP
		SELECT c.table_name || CASE c.operation WHEN 'rewrite_manifests' THEN ' (manifests)' ELSE '' END INTO name FROM floe_internal.claim_operation(1, pattern) AS c;
		EXIT WHEN name IS NULL OR cardinality(names) > 50;
		names := names || name;
	END LOOP;
	RETURN array_to_string(names, ', ');
END $$;
-- The same after some statements, with the turns as they were; all is undone.
CREATE FUNCTION lab.goes(setup text, pattern text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	BEGIN
		EXECUTE setup;
		told := lab.order(pattern);
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		RETURN told;
	END;
END $$;
CREATE FUNCTION lab.queue_all() RETURNS void LANGUAGE sql AS $$
	SELECT lab.queue('a.strong.1', 9), lab.queue('a.strong.2', 8), lab.queue('a.strong.3', 7), lab.queue('a.weak.1', 6), lab.queue('a.weak.2', 5), lab.queue('b.db.1', 4), lab.queue('b.db.2', 3), lab.queue('c.db.1', 2)
$$;
CREATE FUNCTION lab.few() RETURNS void LANGUAGE sql AS $$ SELECT lab.queue('a.strong.1', 9), lab.queue('a.strong.2', 8), lab.queue('a.strong.3', 7), lab.queue('a.weak.1', 1) $$;
\pset format unaligned
\pset fieldsep ' | '

-- ---- the order ----

SELECT told, lab.goes(setup, pattern) AS order FROM (VALUES
	(1, 'nothing', 'SELECT', NULL),
	(2, 'catalogs take turns, and so do policies', 'SELECT lab.queue_all()', NULL),
	(3, '... one catalog with much, at any score', $$SELECT lab.queue('a.strong.1', 9), lab.queue('a.strong.2', 8), lab.queue('a.strong.3', 7), lab.queue('c.db.1', 0)$$, NULL),
	(4, 'of one policy by score', $$SELECT lab.queue('a.strong.1', 1), lab.queue('a.strong.2', 3), lab.queue('a.strong.3', 2)$$, NULL),
	(5, '... the same: the one that was queued first', $$SELECT lab.queue('a.strong.2', 1), lab.queue('a.strong.3', 1), lab.queue('a.strong.1', 1)$$, NULL),
	(6, 'two policies of a catalog', $$SELECT lab.queue('a.strong.1', 9), lab.queue('a.strong.2', 8), lab.queue('a.strong.3', 7), lab.queue('a.weak.1', 1), lab.queue('a.weak.2', 2)$$, NULL),
	(7, 'what a person asked for goes first', $$SELECT lab.queue_all(), lab.queue('c.db.1', 0, true)$$, NULL),
	(8, '... and of several in turn, too', $$SELECT lab.queue_all(), lab.queue('a.strong.1', 9, true), lab.queue('a.strong.2', 8, true), lab.queue('b.db.2', 0, true)$$, NULL),
	(9, '... which counts as a turn', $$SELECT lab.queue('a.weak.1', 0, true), lab.queue('a.weak.2', 9), lab.queue('a.strong.1', 5), lab.queue('b.db.1', 1)$$, NULL),
	(10, 'who had a turn waits for the others', $$SELECT lab.queue('a.strong.1', 9), lab.queue('b.db.1', 8); SELECT lab.order(); SELECT lab.queue('a.strong.2', 9), lab.queue('b.db.2', 8), lab.queue('c.db.1', 1)$$, NULL),
	(11, '... the one who had the last, the longest', $$SELECT lab.queue('b.db.1', 1); SELECT lab.order(); SELECT lab.queue('a.weak.1', 1); SELECT lab.order(); SELECT lab.queue('a.weak.2', 9), lab.queue('a.strong.1', 1), lab.queue('b.db.2', 1)$$, NULL),
	(12, 'a pattern', 'SELECT lab.queue_all()', 'a.weak.*, b.**'),
	(13, 'a catalog that is paused takes no turn', $$SELECT lab.queue_all(), floe.pause('a.**')$$, NULL),
	(14, '... nor one that must wait', $$SELECT lab.queue_all(); UPDATE floe_internal.operation_queue SET not_before = '2026-03-02 12:00:01+00' WHERE table_name LIKE 'a.%'$$, NULL),
	(15, '... nor a paused policy''s table', $$SELECT lab.queue_all(), floe.pause('a.strong.1'), floe.pause('a.strong.2')$$, NULL),
	(16, 'within a table in the order of operations, on whatever engine', $$SELECT lab.queue('a.strong.1', 1), lab.queue('a.strong.1', 9, false, 'rewrite_manifests'), lab.queue('b.db.1', 5, false, 'rewrite_manifests')$$, NULL),
	(17, 'an engine that does not answer keeps nobody from the other', $$SELECT lab.queue('a.strong.1', 1), lab.queue('b.db.1', 5, false, 'rewrite_manifests'); UPDATE floe_internal.engine SET retry_at = '2026-03-02 12:00:01+00' WHERE server_name = 'spark'$$, NULL),
	(18, 'a narrow policy over one for all: the narrow one has a turn of its own', $$SELECT floe.drop_policy('weak'), floe.alter_policy('strong', '{"pattern": "**"}'), floe.create_policy('zeta', 'a.weak.*', '{"rewrite_data_files": {"timeout": "2 hours"}}'); SELECT lab.few()$$, NULL),
	(19, '... whatever its name', $$SELECT floe.drop_policy('weak'), floe.alter_policy('strong', '{"pattern": "**"}'), floe.create_policy('alpha', 'a.weak.*', '{"rewrite_data_files": {"timeout": "2 hours"}}'); SELECT lab.few()$$, NULL),
	(20, '... unless it says nothing of the operation', $$SELECT floe.drop_policy('weak'), floe.alter_policy('strong', '{"pattern": "**"}'), floe.create_policy('alpha', 'a.weak.*', '{"expire_snapshots": {}, "weights": {"gain": 0}}'); SELECT lab.few()$$, NULL)) AS v (n, told, setup, pattern) ORDER BY n;
-- a turn that was not taken was none
BEGIN;
SELECT lab.queue_all();
SAVEPOINT s;
SELECT table_name FROM floe_internal.claim_operation(1, 'a.**');
ROLLBACK TO s;
SELECT lab.order();
ROLLBACK;

-- ---- limits ----

CREATE FUNCTION lab.done(name text) RETURNS void LANGUAGE sql AS $$
	SELECT floe_internal.operation_saved(q.operation_id, '\x01', 's') FROM floe_internal.operation_queue AS q WHERE q.table_name = name AND q.state = 'dispatching';
	SELECT floe_internal.engine_ended(q.operation_id, 'succeeded', NULL, '', NULL, NULL) FROM floe_internal.operation_queue AS q WHERE q.table_name = name AND q.state = 'running'
$$;
SELECT told, lab.goes(setup, NULL) AS order FROM (VALUES
	(1, 'two of a catalog', $$ALTER SERVER a OPTIONS (ADD max_operations '2'); SELECT lab.queue_all()$$),
	(2, 'one of each', $$ALTER SERVER a OPTIONS (ADD max_operations '1'); ALTER SERVER b OPTIONS (ADD max_operations '1'); SELECT lab.queue_all()$$),
	(3, '... people are held by it, too', $$ALTER SERVER a OPTIONS (ADD max_operations '1'); SELECT lab.queue_all(), lab.queue('a.weak.1', 0, true), lab.queue('a.weak.2', 0, true)$$),
	(4, '... on all engines together', $$ALTER SERVER a OPTIONS (ADD max_operations '1'); SELECT lab.queue('a.strong.1', 1), lab.queue('a.strong.2', 9, false, 'rewrite_manifests'), lab.queue('b.db.1', 1, false, 'rewrite_manifests')$$),
	(5, '... until one is done at the engine, measured or not', $$ALTER SERVER a OPTIONS (ADD max_operations '1'); SELECT lab.queue_all(); SELECT lab.order(); SELECT lab.done('a.strong.1')$$),
	(6, '... and one of another catalog is no reason', $$ALTER SERVER a OPTIONS (ADD max_operations '1'); SELECT lab.queue_all(); SELECT lab.order(); SELECT lab.done('b.db.1')$$),
	(7, '... what is lost may still run', $$ALTER SERVER a OPTIONS (ADD max_operations '1'); SELECT lab.queue_all(); SELECT lab.order(); SELECT floe_internal.operation_saved(operation_id, '\x01', 's') FROM floe_internal.operation_queue WHERE table_name = 'a.strong.1'; UPDATE floe_internal.operation_queue SET state = 'lost' WHERE table_name = 'a.strong.1'$$),
	(8, 'the limit is lowered while more run', $$SELECT lab.queue('a.strong.1', 1), lab.queue('a.strong.2', 1); SELECT lab.order(); ALTER SERVER a OPTIONS (ADD max_operations '1'); SELECT lab.done('a.strong.1'), lab.queue('a.strong.3', 9)$$),
	(9, 'three on an engine: one of each catalog', $$ALTER SERVER spark OPTIONS (SET max_operations '3'); SELECT lab.queue_all()$$),
	(10, '... and none is left over for the fourth', $$ALTER SERVER spark OPTIONS (SET max_operations '3'); SELECT lab.queue_all(); SELECT lab.order()$$),
	(11, '... the other engine has places of its own', $$ALTER SERVER spark OPTIONS (SET max_operations '1'); ALTER SERVER big OPTIONS (SET max_operations '1'); SELECT lab.queue_all(); SELECT lab.queue('a.weak.1', 1, false, 'rewrite_manifests'), lab.queue('b.db.1', 1, false, 'rewrite_manifests'); DELETE FROM floe_internal.operation_queue WHERE table_name IN ('a.weak.1', 'b.db.1') AND operation = 'rewrite_data_files'$$),
	(12, 'a budget, a catalog and an engine: the narrowest', $$INSERT INTO floe.budget (name, pattern, concurrency) VALUES ('x', 'a.strong.*, b.**', 2); ALTER SERVER a OPTIONS (ADD max_operations '2'); ALTER SERVER spark OPTIONS (SET max_operations '5'); SELECT lab.queue_all()$$)) AS v (n, told, setup) ORDER BY n;

-- ---- drain: what runs is finished, nothing new is dispatched, tables are decided upon as ever ----

SELECT lab.queue_all();
SELECT c.table_name, c.state FROM unnest('{a.strong.1,b.db.1,c.db.1}'::text[]) AS n (name), floe_internal.claim_operation(1, n.name) AS c;
SELECT floe_internal.operation_saved(operation_id, '\x01', 's') FROM floe_internal.operation_queue WHERE table_name = 'b.db.1';
DELETE FROM floe_internal.event;
SELECT floe.drain('new disks') AS under_way;
-- nothing new, for nobody
SELECT lab.order();
SELECT verdict, gate, value, set_by, next_at FROM floe.why('b.db.2') WHERE operation = 'rewrite_data_files';
SELECT verdict, gate, value, set_by, next_at FROM floe.trigger('b.db.2', '{rewrite_manifests}');
SELECT gate, value, set_by FROM floe.why('a.weak.1', true) WHERE operation = 'rewrite_manifests' AND verdict = 'blocked';
SELECT * FROM floe_internal.pending_operations(1, NULL);
SELECT floe_internal.plan_and_queue(NULL) AS queued;
SELECT count(*) AS decided FROM floe_internal.table_decision WHERE decided_at = floe_internal.clock();
-- what was claimed and not sent goes back; what runs goes on to its end
SELECT p.go, p.reason FROM floe_internal.operation_queue AS q, floe_internal.preflight(q.operation_id, 'spark-thrift', 'lake') AS p WHERE q.table_name = 'a.strong.1';
SELECT table_name, state, attempt FROM floe_internal.operation_queue WHERE table_name IN ('a.strong.1', 'b.db.1', 'c.db.1') ORDER BY 1;
SELECT floe.drain() AS under_way;
SELECT floe_internal.operation_saved(operation_id, '\x02', 's'), floe_internal.engine_ended(operation_id, 'failed', 'transient', 'broke', NULL, NULL) FROM floe_internal.operation_queue WHERE table_name = 'b.db.1';
SELECT (floe_internal.operation_verified(operation_id)).state FROM floe_internal.operation_queue WHERE table_name = 'b.db.1';
-- who cancels is heard
SELECT floe.cancel(operation_id) FROM floe_internal.operation_queue WHERE table_name IN ('a.weak.1', 'c.db.1') ORDER BY table_name;
SELECT p.go, p.reason FROM floe_internal.operation_queue AS q, floe_internal.preflight(q.operation_id, 'spark-thrift', 'lake') AS p WHERE q.table_name = 'c.db.1';
SELECT floe.drain() AS under_way;
-- the reason stays unless another is given; told once
SELECT reason, drained_by, drained_at FROM floe_internal.drain;
SELECT floe.drain('new disks') IS NOT NULL AS again, floe.drain('new racks') IS NOT NULL AS "and again";
SELECT reason FROM floe_internal.drain;
SELECT value FROM floe.why('a.weak.1') WHERE gate = 'paused' AND operation = 'rewrite_manifests';
-- a pause beside it: the drain has no end, so it is told; after it the pause
SELECT floe.pause('b.**', '2026-03-02 13:00+00');
SELECT value, set_by, next_at FROM floe.why('b.db.1') WHERE operation = 'rewrite_data_files';
SELECT floe.undrain(), floe.undrain() AS again;
SELECT value, set_by, next_at FROM floe.why('b.db.1') WHERE operation = 'rewrite_data_files';
SELECT lab.order();
SELECT kind, message FROM floe.events WHERE kind IN ('drained', 'undrained') ORDER BY id;
-- a drain that is undone was none
BEGIN;
SELECT floe.drain('x') > 0 AS drained;
ROLLBACK;
SELECT floe.undrain();
