--
-- When tables are decided upon: at once after whatever a decision depends on, else when the first of its waits is over; and no table that is not due.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

-- Two catalogs, two engines; healthy, sick and one that no policy has, of each; one that was never read.
SELECT lab.catalog(), lab.catalog('prod'), lab.engine(), lab.engine('big');
SELECT floe.create_policy('demo', 'demo.db.*', '{"engine": "spark", "rewrite_data_files": {}}') > 0 AS made, floe.create_policy('prod', 'prod.db.*', '{"engine": "big", "rewrite_data_files": {}}') > 0 AS made;
SELECT lab.assess('demo.db.fine'), lab.assess('demo.db.sick', files => 500, file_bytes => 1000000), lab.assess('demo.x.free', files => 500, file_bytes => 1000000), lab.assess('prod.db.fine'), lab.assess('prod.db.sick', files => 500, file_bytes => 1000000);
SELECT lab.list_tables('prod', 'prod.db.fine', 'prod.db.sick', 'prod.db.new');
CREATE USER MAPPING FOR regress_boss SERVER spark OPTIONS (token 'x');

-- What is decided at a time, or a second later than before: how many were due, which tables were decided upon, how many operations were queued. Nothing else was decided at that time.
CREATE FUNCTION lab.plan_due(most int DEFAULT 100, at timestamptz DEFAULT floe_internal.clock() + interval '1 second', OUT due int, OUT decided text, OUT queued int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lab.at(plan_due.at);
	SELECT p.decided, p.queued INTO due, queued FROM floe_internal.plan_due(most) AS p;
	SELECT string_agg(t.name, ' ' ORDER BY t.name) INTO decided FROM floe_internal.table_decision AS d JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id WHERE d.decided_at = floe_internal.clock();
END $$;
SELECT t.name, d.decide_at, d.decided_at FROM floe_internal.iceberg_table AS t LEFT JOIN floe_internal.table_decision AS d ON d.table_id = t.table_id ORDER BY 1;
SELECT * FROM lab.plan_due();
SELECT * FROM lab.plan_due();
SELECT table_name, operation, state FROM floe_internal.operation_queue ORDER BY 1;
SELECT t.name, d.decided_at, d.decide_at > d.decided_at AS later FROM floe_internal.iceberg_table AS t LEFT JOIN floe_internal.table_decision AS d ON d.table_id = t.table_id ORDER BY 1;

-- ---- what makes tables due, and which ----

-- After an event: who is decided upon; and then nobody, until something happens again. All is undone.
CREATE FUNCTION lab.after(event text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	first record;
	second record;
BEGIN
	BEGIN
		SET CONSTRAINTS ALL IMMEDIATE;	-- as if each statement were committed
		EXECUTE event;
		SELECT * INTO first FROM lab.plan_due();
		SELECT * INTO second FROM lab.plan_due();
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		RETURN COALESCE(first.decided, 'none') || CASE WHEN first.due <> COALESCE(array_length(string_to_array(first.decided, ' '), 1), 0) THEN format(' (%s due)', first.due) ELSE '' END
			|| CASE WHEN second.due <> 0 THEN ', and again ' || COALESCE(second.decided, second.due || ' due') ELSE '' END;
	END;
END $$;
CREATE FUNCTION lab.queued(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT q.operation_id FROM floe_internal.operation_queue AS q WHERE q.table_name = name $$;
-- to the end of an operation, as the library does it
CREATE FUNCTION lab.run(name text, files int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	id bigint := lab.queued(name);
BEGIN
	PERFORM lab.claim(1, name), floe_internal.preflight(id, 'spark-thrift', 'lake'), floe_internal.operation_saved(id, '\x01', 's'), floe_internal.engine_ended(id, 'succeeded', NULL, '', NULL, NULL);
	PERFORM lab.assess(name, files => files, file_bytes => 500000000, snapshots => 2, operations => '{append,replace}');
	-- as if that had been decided upon
	UPDATE floe_internal.table_decision SET decide_at = '2027-01-01' WHERE table_id = lab.id(name);
	RETURN (floe_internal.operation_verified(id)).state;
END $$;
\pset format unaligned
\pset fieldsep ' | '
CREATE TABLE lab.event (n int GENERATED ALWAYS AS IDENTITY, what text, did text);
INSERT INTO lab.event (what, did) VALUES
	('nothing', $$SELECT$$),
	('nothing, ten minutes later', $$SELECT lab.later('10 minutes')$$),
	('nothing, and the interval is over: for those for which time alone can call', $$SELECT lab.later('20 minutes')$$),
	('nothing, and a day is over', $$SELECT lab.later('27 hours')$$),
	-- looks at tables
	('a table was assessed', $$SELECT lab.assess('demo.db.fine')$$),
	('... that no policy has', $$SELECT lab.assess('demo.x.free')$$),
	('... for the first time', $$SELECT lab.assess('prod.db.new')$$),
	('is as it was', $$SELECT floe_internal.tables_unchanged(ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t WHERE t.status = 'ok'))$$),
	('could not be read', $$SELECT floe_internal.table_failed(lab.id('demo.db.fine'), 'timeout', 'slow', NULL)$$),
	('... and then is as it was', $$SELECT floe_internal.table_failed(lab.id('demo.db.fine'), 'timeout', 'slow', NULL), floe_internal.tables_unchanged(ARRAY[lab.id('demo.db.fine'), lab.id('prod.db.fine')])$$),
	('... all day, when it would have been decided upon', $$SELECT floe_internal.table_failed(lab.id('demo.db.fine'), 'timeout', 'slow', NULL); UPDATE floe_internal.table_decision SET decide_at = '2027-01-01' WHERE table_id <> lab.id('demo.db.fine'); SELECT lab.later('1 day')$$),
	('listed anew', $$SELECT lab.list_tables('demo', 'demo.db.fine', 'demo.db.sick', 'demo.x.free', 'demo.db.young')$$),
	('no longer listed', $$SELECT lab.list_tables('demo', 'demo.db.fine')$$),
	('said to be written', $$SELECT floe.notify_commit('demo.db.fine')$$),
	('refreshed', $$SELECT floe.refresh()$$),
	('quarantined', $$UPDATE floe_internal.table_poll SET crashes = 2, claim_pass = 99 WHERE table_id = lab.id('demo.db.fine'); SELECT lab.dead_pass(99), floe_internal.void_claims()$$),
	-- operations
	('an operation was claimed', $$SELECT lab.claim(1, 'demo.**')$$),
	('... and was not called for any more', $$SELECT lab.claim(1, 'demo.**'), lab.assess('demo.db.sick'); UPDATE floe_internal.table_decision SET decide_at = '2027-01-01'; SELECT floe_internal.preflight(lab.queued('demo.db.sick'), 'spark-thrift', 'lake')$$),
	('... and went back to the queue', $$SELECT lab.claim(1, 'demo.**'), floe_internal.postpone_operation(lab.queued('demo.db.sick'), 'timeout', 'slow')$$),
	('was cancelled in the queue', $$SELECT floe.cancel(lab.queued('demo.db.sick'))$$),
	('succeeded', $$SELECT lab.run('demo.db.sick', 1)$$),
	('changed nothing', $$SELECT lab.claim(1, 'demo.db.sick'), floe_internal.preflight(lab.queued('demo.db.sick'), 'spark-thrift', 'lake'), floe_internal.operation_saved(lab.queued('demo.db.sick'), '\x01', 's'), floe_internal.engine_ended(lab.queued('demo.db.sick'), 'succeeded', NULL, '', NULL, NULL); SELECT floe_internal.operation_verified(lab.queued('demo.db.sick'))$$),
	('failed', $$SELECT lab.claim(1, 'demo.db.sick'), floe_internal.preflight(lab.queued('demo.db.sick'), 'spark-thrift', 'lake'), floe_internal.operation_saved(lab.queued('demo.db.sick'), '\x01', 's'), floe_internal.engine_ended(lab.queued('demo.db.sick'), 'failed', 'transient', 'x', NULL, NULL); SELECT floe_internal.operation_verified(lab.queued('demo.db.sick'))$$),
	('triggered', $$SELECT floe.trigger('demo.db.fine', '{rewrite_data_files}')$$),
	-- policies
	('a policy was created', $$SELECT floe.create_policy('q', 'demo.db.fine, prod.db.new', '{"expire_snapshots": {}}')$$),
	('... of a table that had none', $$SELECT floe.create_policy('q', 'demo.x.*', '{"engine": "spark", "rewrite_data_files": {}}')$$),
	('... of none', $$SELECT floe.create_policy('q', 'lake.**', '{"expire_snapshots": {}}')$$),
	('... that is switched off', $$SELECT floe.create_policy('q', 'demo.**', '{"enabled": false, "expire_snapshots": {}}')$$),
	('... and then on', $$SELECT floe.create_policy('q', 'demo.db.sick', '{"enabled": false, "expire_snapshots": {}}'), floe.alter_policy('q', '{"enabled": true}')$$),
	('was altered', $$SELECT floe.alter_policy('demo', '{"thresholds": {"excess_file_count": {"warning": 5}}}')$$),
	('... while a table cannot be read', $$SELECT floe_internal.table_failed(lab.id('demo.db.fine'), 'timeout', 'slow', NULL), floe.alter_policy('demo', '{"thresholds": {"excess_file_count": {"warning": 5}}}')$$),
	('... in an operation', $$SELECT floe.alter_policy('prod', '{"rewrite_data_files": {"min_interval": "1 day"}}')$$),
	('... by UPDATE', $$UPDATE floe.policy_operation SET min_interval = '1 day' FROM floe.policy AS p WHERE p.policy_id = policy_operation.policy_id AND p.name = 'demo'$$),
	('... by DELETE', $$DELETE FROM floe.policy_operation USING floe.policy AS p WHERE p.policy_id = policy_operation.policy_id AND p.name = 'demo'$$),
	('... to more tables', $$SELECT floe.alter_policy('demo', '{"pattern": "demo.**"}')$$),
	('... to fewer', $$SELECT floe.alter_policy('demo', '{"pattern": "demo.db.fine"}')$$),
	('was dropped', $$SELECT floe.drop_policy('demo')$$),
	('... but not the only one', $$SELECT floe.create_policy('q', 'demo.db.sick', '{"expire_snapshots": {}}'); UPDATE floe_internal.table_decision SET decide_at = '2027-01-01'; SELECT floe.drop_policy('demo')$$),
	-- people
	('paused', $$SELECT floe.pause('demo.**')$$),
	('resumed', $$SELECT floe.pause('demo.db.fine'), floe.resume('demo.db.fine')$$),
	('... all', $$SELECT floe.pause('demo.db.fine'), floe.resume('**')$$),
	('... what was not paused', $$SET client_min_messages = error; SELECT floe.resume('demo.db.fine')$$),
	('drained', $$SELECT floe.drain('x')$$),
	('undrained', $$SELECT floe.drain('x'), floe.undrain()$$),
	('... without a drain', $$SELECT floe.undrain()$$),
	('a budget was made', $$INSERT INTO floe.budget (name, operations) VALUES ('b', 5)$$),
	('... changed', $$INSERT INTO floe.budget (name, operations) VALUES ('b', 5); UPDATE floe_internal.table_decision SET decide_at = '2027-01-01'; UPDATE floe.budget SET operations = 6$$),
	('... taken away', $$INSERT INTO floe.budget (name, operations) VALUES ('b', 5); UPDATE floe_internal.table_decision SET decide_at = '2027-01-01'; DELETE FROM floe.budget$$),
	('a threshold was changed', $$UPDATE floe.metric SET warning = 5 WHERE name = 'excess_file_count'$$),
	('a weight was changed', $$UPDATE floe.debt_term SET weight = 5 WHERE term = 'gain'$$),
	('a budget, but a table cannot be decided upon', $$SELECT floe_internal.table_failed(lab.id('demo.db.fine'), 'timeout', 'slow', NULL); UPDATE floe_internal.table_decision SET decide_at = 'infinity' WHERE table_id = lab.id('demo.db.fine'); INSERT INTO floe.budget (name, operations) VALUES ('b', 5)$$),
	-- servers
	('the engine was changed', $$ALTER SERVER spark OPTIONS (ADD max_operations '3')$$),
	('... another engine', $$ALTER SERVER big OPTIONS (ADD max_operations '3')$$),
	('... renamed', $$ALTER SERVER spark RENAME TO flame$$),
	('... of one operation', $$SELECT floe.create_policy('q', 'prod.db.fine', '{"expire_snapshots": {"engine": "spark"}}'); UPDATE floe_internal.table_decision SET decide_at = '2027-01-01'; ALTER SERVER spark OPTIONS (ADD max_operations '3')$$),
	('it got credentials', $$CREATE USER MAPPING FOR PUBLIC SERVER big OPTIONS (token 'y')$$),
	('... others', $$ALTER USER MAPPING FOR regress_boss SERVER spark OPTIONS (SET token 'y')$$),
	('... and lost them', $$DROP USER MAPPING FOR regress_boss SERVER spark$$),
	('an engine was made', $$SELECT lab.engine('flame')$$),
	('... that policies wait for', $$DROP SERVER big; SELECT floe_internal.sync_servers(); UPDATE floe_internal.table_decision SET decide_at = '2027-01-01'; SELECT lab.engine('big')$$),
	('a catalog was changed', $$ALTER SERVER demo OPTIONS (ADD warehouse 'w')$$),
	('... got credentials', $$CREATE USER MAPPING FOR PUBLIC SERVER demo OPTIONS (token 'y')$$),
	('... was made', $$SELECT lab.catalog('lake')$$),
	('... is gone', $$DROP SERVER demo; SELECT floe_internal.sync_servers()$$),
	('... in error', $$SELECT floe_internal.catalog_failed(1, 'unreachable', 'refused', NULL)$$);
SELECT e.what, lab.after(e.did) AS decided_upon FROM (SELECT * FROM lab.event ORDER BY n) AS e;

-- a catalog is listed, and an engine tried, when its server or its credentials are changed
CREATE FUNCTION lab.tried(setup text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	BEGIN
		UPDATE floe_internal.catalog SET next_list_at = '2026-03-02 13:00+00';
		UPDATE floe_internal.engine SET retry_at = '2026-03-02 13:00+00', status = 'error';
		EXECUTE setup;
		SELECT string_agg(x.told, ', ' ORDER BY x.told) INTO told FROM (SELECT server_name || ' is listed' AS told FROM floe_internal.catalog WHERE next_list_at <= floe_internal.clock() UNION ALL SELECT server_name || ' is tried' FROM floe_internal.engine WHERE retry_at IS NULL) AS x;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		RETURN COALESCE(told, 'nothing');
	END;
END $$;
SELECT s AS statement, lab.tried(s) FROM (VALUES (1, $$ALTER SERVER demo OPTIONS (ADD warehouse 'w')$$), (2, $$ALTER SERVER prod VERSION '2'$$), (3, $$CREATE USER MAPPING FOR PUBLIC SERVER demo OPTIONS (token 'y')$$), (4, $$ALTER SERVER spark OPTIONS (ADD memory_gb '4')$$),
	(5, $$ALTER USER MAPPING FOR regress_boss SERVER spark OPTIONS (SET token 'y')$$), (6, $$CREATE FOREIGN DATA WRAPPER regress_wrapper; CREATE SERVER theirs FOREIGN DATA WRAPPER regress_wrapper; CREATE USER MAPPING FOR PUBLIC SERVER theirs$$), (7, $$SELECT lab.catalog('lake')$$)) AS v (n, s) ORDER BY n;

-- ---- when next: the first of what it waits for ----

-- What a table waits for at noon, and when it is decided upon then. Beside that only the interval counts, within a tenth.
CREATE FUNCTION lab.next(setup text, every text DEFAULT '1d') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	BEGIN
		PERFORM lab.at('2026-03-02 12:00+00');
		PERFORM floe.create_policy('q', 'demo.one.*', '{"engine": "spark", "poll_interval": "30 days", "min_poll_interval": "30 days", "rewrite_data_files": {"min_interval": "1 hour"}, "expire_snapshots": {}}');
		PERFORM lab.assess('demo.one.t', files => 500, file_bytes => 1000000);
		PERFORM set_config('floe.decision_interval', every, true);
		UPDATE floe_internal.table_decision SET decide_at = '2027-01-01' WHERE table_id <> lab.id('demo.one.t');
		SET CONSTRAINTS ALL IMMEDIATE;
		IF setup <> '' THEN
			EXECUTE setup;
		END IF;
		PERFORM floe_internal.plan_due(10);
		SELECT CASE WHEN w.wait BETWEEN every::interval * 0.9 AND every::interval * 1.1 THEN 'in about ' || every WHEN w.wait BETWEEN interval '21.6 hours' AND interval '26.4 hours' THEN 'in about 1d' ELSE d.decide_at::text END
			|| CASE WHEN EXISTS (SELECT FROM floe_internal.operation_queue AS q WHERE q.table_id = d.table_id) THEN ', queued' ELSE '' END
			INTO told FROM floe_internal.table_decision AS d, LATERAL (SELECT d.decide_at - d.decided_at AS wait) AS w WHERE d.table_id = lab.id('demo.one.t');
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		RETURN told;
	END;
END $$;
CREATE FUNCTION lab.ran(last_run_at timestamptz, state text DEFAULT 'succeeded', backoff_until timestamptz DEFAULT NULL, class text DEFAULT 'transient') RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at, last_state, failures, failure_class, failure_settings_hash, failure_metadata, backoff_until)
	SELECT t.table_id, d.operation, ran.last_run_at, CASE WHEN state = 'succeeded' THEN ran.last_run_at END, state, (state = 'failed')::int, class, d.settings_hash, t.metadata_location, ran.backoff_until
	FROM floe_internal.find_table('demo.one.t') AS t, floe_internal.decide(ARRAY[t.table_id], floe_internal.clock(), false, NULL) AS d WHERE d.operation = 'rewrite_data_files'
$$;
SELECT told, every, lab.next(setup, every) AS decided_upon FROM (VALUES
	(1, 'it runs', '', '1d'),
	(2, 'nothing to do', $$SELECT lab.assess('demo.one.t')$$, '1d'),
	(3, '... time cannot change that', $$SELECT lab.assess('demo.one.t')$$, '10min'),
	(3.1, '... snapshots become expirable, but are too few, and the deadline is a week from now', $$SELECT lab.assess('demo.one.t', snapshots => 20)$$, '10min'),
	(3.2, '... enough of them', $$SELECT lab.assess('demo.one.t', snapshots => 21)$$, '10min'),
	(3.3, '... by the threshold of a policy', $$SELECT lab.assess('demo.one.t', snapshots => 20); SELECT floe.alter_policy('q', '{"thresholds": {"expirable_snapshot_count": {"warning": 10}}}')$$, '10min'),
	(3.4, '... of another metric', $$SELECT lab.assess('demo.one.t'); SELECT floe.alter_policy('q', '{"thresholds": {"oldest_snapshot_age": {"warning": "10 days"}}}')$$, '10min'),
	(3.5, '... of a metric that nothing mends', $$SELECT lab.assess('demo.one.t'); SELECT floe.alter_policy('q', '{"thresholds": {"last_write_age": {"warning": "10 days"}}}')$$, '10min'),
	(3.6, '... for all tables', $$SELECT lab.assess('demo.one.t', snapshots => 20); UPDATE floe.metric SET warning = 10 WHERE name = 'expirable_snapshot_count'$$, '10min'),
	(3.7, '... the deadline is over', $$SELECT lab.assess('demo.one.t', snapshots => 2); UPDATE floe_internal.iceberg_table SET first_seen_at = '2026-02-20' WHERE name = 'demo.one.t'$$, '10min'),
	(3.8, '... but there is but one snapshot', $$SELECT lab.assess('demo.one.t'); UPDATE floe_internal.iceberg_table SET first_seen_at = '2026-02-20' WHERE name = 'demo.one.t'$$, '10min'),
	(3.9, '... and it is over in twelve hours', $$SELECT lab.assess('demo.one.t', snapshots => 2); UPDATE floe_internal.iceberg_table SET first_seen_at = '2026-02-24' WHERE name = 'demo.one.t'$$, '10min'),
	(3.91, '... or would be, had it not run yesterday', $$SELECT lab.assess('demo.one.t', snapshots => 2); UPDATE floe_internal.iceberg_table SET first_seen_at = '2026-02-24' WHERE name = 'demo.one.t'; INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at, last_state) VALUES (lab.id('demo.one.t'), 'expire_snapshots', '2026-03-01', '2026-03-01', 'succeeded')$$, '10min'),
	(3.92, '... and nobody asked for expire_snapshots', $$SELECT lab.assess('demo.one.t', snapshots => 2); UPDATE floe_internal.iceberg_table SET first_seen_at = '2026-02-20' WHERE name = 'demo.one.t'; SELECT floe.alter_policy('q', '{"expire_snapshots": null}')$$, '10min'),
	(3.93, '... a policy''s own deadline', $$SELECT lab.assess('demo.one.t'); SELECT floe.alter_policy('q', '{"rewrite_data_files": {"deadline": "30 days"}}')$$, '10min'),
	(4, 'ran at half past eleven', $$SELECT lab.ran('2026-03-02 11:30+00')$$, '1d'),
	(5, '... the interval is shorter', $$SELECT lab.ran('2026-03-02 11:30+00')$$, '10min'),
	(6, 'failed: backoff until ten past', $$SELECT lab.ran('2026-03-02 11:59+00', 'failed', '2026-03-02 12:10+00')$$, '1d'),
	(7, '... and nothing changes that', $$SELECT lab.ran('2026-03-02 11:59+00', 'failed', NULL, 'config')$$, '1d'),
	(8, 'paused until one', $$SELECT floe.pause('demo.one.**', '2026-03-02 13:00+00')$$, '1d'),
	(9, '... for good', $$SELECT floe.pause('demo.one.**')$$, '1d'),
	(10, 'drained', $$SELECT floe.drain()$$, '1d'),
	(11, 'the engine is tried at five past', $$UPDATE floe_internal.engine SET retry_at = '2026-03-02 12:05+00', status = 'error' WHERE server_name = 'spark'$$, '1d'),
	(12, 'opens at ten', $$SELECT floe.alter_policy('q', '{"rewrite_data_files": {"windows": "22:00-23:00"}}')$$, '1d'),
	(13, 'scheduled for two', $$SELECT floe.alter_policy('q', '{"rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}')$$, '1d'),
	(14, '... nothing to do', $$SELECT floe.alter_policy('q', '{"rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}'), lab.assess('demo.one.t')$$, '1d'),
	(15, '... another operation for one', $$SELECT floe.alter_policy('q', '{"rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}, "expire_snapshots": {"schedule": "0 13 * * *", "jitter": "0"}}')$$, '1d'),
	(16, '... the interval is shorter', $$SELECT floe.alter_policy('q', '{"rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}')$$, '30min'),
	(17, 'an operation at six and a backoff until two', $$SELECT floe.alter_policy('q', '{"expire_snapshots": {"schedule": "0 18 * * *", "jitter": "0"}}'), lab.ran('2026-03-02 11:59+00', 'failed', '2026-03-02 14:00+00')$$, '1d'),
	(18, 'no budget until half past', $$INSERT INTO floe.budget (name, pattern, operations, period) VALUES ('b', 'demo.one.*', 1, '1 hour'); INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, dispatched_at, started_at, finished_at)
		VALUES (lab.id('demo.one.t'), 'demo.one.t', 'expire_snapshots', 'succeeded', false, 'floe', 'spark', '{}', '', '{}', '[]', '2026-03-02 11:30+00', '2026-03-02 11:30+00', '2026-03-02 11:30+00', '2026-03-02 11:31+00')$$, '1d'),
	(19, 'no run helped, until four', $$INSERT INTO floe_internal.table_operation (table_id, operation, zero_changes, zero_change_metric, zero_change_value, zero_change_until) SELECT table_id, 'rewrite_data_files', 1, 'excess_file_count', excess_file_count, '2026-03-02 16:00+00' FROM floe_internal.health WHERE table_id = lab.id('demo.one.t')$$, '1d'),
	(20, 'not needed, looked at again at one', $$SELECT floe.alter_policy('q', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 1000}]}}'); UPDATE floe_internal.table_poll SET next_poll_at = '2026-03-02 13:00+00'$$, '1d'),
	(21, 'blocked by the table', $$SELECT floe.alter_policy('q', '{"rewrite_data_files": {"enabled": false}, "expire_snapshots": {"when": [{"metric": "data_file_count", "value": 1}]}}'), lab.assess('demo.one.t', properties => '{"gc.enabled": "false"}')$$, '1d')) AS v (n, told, setup, every) ORDER BY n;
-- not all at the same second
SET floe.decision_interval = '1h';
SELECT lab.rows($$SELECT lab.assess('demo.db.m' || i, snapshots => 30) FROM generate_series(1, 200) AS i; SELECT lab.plan_due(1000)$$, $$SELECT count(*) AS decided, count(DISTINCT d.decide_at) > 190 AS spread, bool_and(d.decide_at - d.decided_at BETWEEN interval '54 minutes' AND interval '66 minutes') AS within_a_tenth
	FROM floe_internal.table_decision AS d WHERE d.decided_at = floe_internal.clock()$$);

-- what is left alone until a time is not called for before: tables of all ages with 1 to 60 snapshots a few hours apart, every hour from now on
SELECT lab.rows($$SELECT floe.create_policy('still', 'prod.still.*', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}}');
SELECT count(lab.assess('prod.still.t' || i, snapshots => 1 + i % 60, snapshot_gap => (1 + i % 7) * interval '1 hour', newest => floe_internal.clock() - (i % 5) * interval '1 day')) FROM generate_series(1, 300) AS i;
UPDATE floe_internal.iceberg_table AS t SET first_seen_at = floe_internal.clock() - (t.table_id % 11) * interval '1 day' WHERE t.name LIKE 'prod.still.%'$$, $$
WITH still AS MATERIALIZED (
	SELECT array_agg(t.table_id) AS ids FROM floe_internal.iceberg_table AS t WHERE t.name LIKE 'prod.still.%'
), quiet AS MATERIALIZED (
	SELECT q.table_id, q.decide_at FROM still, floe_internal.quiet_until(ARRAY(SELECT unnest(still.ids) EXCEPT SELECT floe_internal.tables_to_decide(still.ids, floe_internal.clock())), floe_internal.clock(), '15 minutes') AS q
), called AS (
	SELECT h AS at, c.table_id FROM still, generate_series(floe_internal.clock() + interval '1 hour', floe_internal.clock() + interval '2 days', '1 hour') AS h, floe_internal.tables_to_decide(still.ids, h) AS c (table_id)
)
SELECT count(*) > 50 AS quiet, count(*) FILTER (WHERE q.decide_at > floe_internal.clock() + interval '20 hours') > 20 AS for_a_day, count(*) FILTER (WHERE EXISTS (SELECT FROM called AS c WHERE c.table_id = q.table_id)) > 20 AS called_within_two_days,
	count(*) FILTER (WHERE EXISTS (SELECT FROM called AS c WHERE c.table_id = q.table_id AND c.at < q.decide_at - interval '15 minutes')) AS too_late
FROM quiet AS q$$);

-- ---- at the time of a schedule, to the second ----

SELECT floe.create_policy('noon', 'prod.s.*', '{"engine": "spark", "rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}') > 0 AS made;
SELECT lab.assess('prod.s.sick', files => 500, file_bytes => 1000000), lab.assess('prod.s.fine');
SELECT lab.at('2026-03-02 12:30+00');
SET floe.decision_interval = '10d';
SELECT * FROM lab.plan_due();
SELECT * FROM lab.plan_due(at => '2026-03-02 13:59:59+00');
SELECT * FROM lab.plan_due(at => '2026-03-02 14:00:00+00');
SELECT table_name, operation FROM floe_internal.operation_queue WHERE table_name LIKE 'prod.s.%';
SELECT * FROM lab.plan_due(at => '2026-03-02 15:00+00');
-- a table that comes after the time waits for the next one; another schedule counts at once
SELECT lab.assess('prod.s.late', files => 500, file_bytes => 1000000);
SELECT * FROM lab.plan_due();
SELECT t.name, d.decide_at FROM floe_internal.table_decision AS d JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id WHERE t.name LIKE 'prod.s.%' ORDER BY 1;
SELECT floe.alter_policy('noon', '{"rewrite_data_files": {"schedule": "30 15 * * *"}}') > 0 AS altered;
SELECT * FROM lab.plan_due();
SELECT * FROM lab.plan_due(at => '2026-03-02 15:29:59+00');
SELECT * FROM lab.plan_due(at => '2026-03-02 15:30:00+00');
SELECT table_name FROM floe_internal.operation_queue WHERE table_name LIKE 'prod.s.%' ORDER BY 1;
-- missed times are one
SELECT * FROM lab.plan_due(at => '2026-03-09 09:00+00');
SELECT x.next_due_at FROM floe_internal.table_operation AS x WHERE x.table_id = lab.id('prod.s.fine') AND x.operation = 'rewrite_data_files';

-- ---- no more than asked for, the longest due first ----

SELECT lab.list_tables('prod', VARIADIC '{}');
SELECT floe.create_policy('last', 'demo.last.*', '{"engine": "spark", "rewrite_data_files": {}}') > 0 AS made;
SELECT count(lab.assess('demo.last.t' || i)) FROM generate_series(1, 5) AS i;
UPDATE floe_internal.table_decision SET decide_at = '2027-01-01';
UPDATE floe_internal.table_decision AS d SET decide_at = floe_internal.clock() - (9 - right(t.name, 1)::int) * interval '1 minute' FROM floe_internal.iceberg_table AS t WHERE t.table_id = d.table_id AND t.name LIKE 'demo.last.%';
SELECT * FROM lab.plan_due(2);
SELECT * FROM lab.plan_due(2);
-- a budget is given out in the order of the scores, so more are weighed at a time
INSERT INTO floe.budget (name, operations) VALUES ('b', 1);
UPDATE floe_internal.table_decision AS d SET decide_at = CASE WHEN t.name LIKE 'demo.last.%' THEN floe_internal.clock() ELSE '2027-01-01' END FROM floe_internal.iceberg_table AS t WHERE t.table_id = d.table_id;
SELECT * FROM lab.plan_due(1);
-- who waits that something else changes is not looked at again and again
SELECT floe_internal.table_failed(lab.id('demo.last.t1'), 'timeout', 'slow', NULL), lab.list_tables('demo', 'demo.last.t1', 'demo.last.t3');
UPDATE floe_internal.table_decision AS d SET decide_at = floe_internal.clock() FROM floe_internal.iceberg_table AS t WHERE t.table_id = d.table_id AND t.name LIKE 'demo.last.%';
SELECT * FROM lab.plan_due();
SELECT t.name, t.status, d.decide_at FROM floe_internal.table_decision AS d JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id WHERE t.name LIKE 'demo.last.%' AND d.decide_at = 'infinity' ORDER BY 1;
SELECT * FROM lab.plan_due(at => floe_internal.clock() + interval '1 year');

-- ---- a table that cannot be decided upon does not keep the others from it ----

DELETE FROM floe.budget;
SELECT lab.list_tables('demo', 'demo.last.t1', 'demo.last.t3', 'demo.odd.t1', 'demo.strange.t1');
SELECT floe.create_policy('strange', 'demo.strange.*', '{"engine": "spark", "rewrite_data_files": {}}') > 0 AS made;
SELECT floe.create_policy('odd', 'demo.odd.*', '{"engine": "spark", "rewrite_data_files": {}}') > 0 AS made;
SELECT lab.assess('demo.last.t1'), lab.assess('demo.last.t3', files => 500, file_bytes => 1000000), lab.assess('demo.odd.t1', files => 500, file_bytes => 1000000), lab.assess('demo.strange.t1', files => 500, file_bytes => 1000000);
SELECT set_config('lab.set', t.policy_set_id::text, false) IS NOT NULL AS known FROM floe_internal.iceberg_table AS t WHERE t.name = 'demo.odd.t1';
UPDATE floe_internal.effective SET settings = settings || '{"min_interval": "not an interval"}' WHERE policy_set_id = current_setting('lab.set')::int AND operation = 'rewrite_data_files';
UPDATE floe_internal.effective AS e SET settings = e.settings || '{"min_interval": "nor this"}' FROM floe_internal.iceberg_table AS t WHERE t.name = 'demo.strange.t1' AND e.policy_set_id = t.policy_set_id AND e.operation = 'rewrite_data_files';
UPDATE floe_internal.table_decision AS d SET decide_at = CASE WHEN t.name IN ('demo.last.t1', 'demo.last.t3', 'demo.odd.t1', 'demo.strange.t1') THEN floe_internal.clock() ELSE '2030-01-01' END FROM floe_internal.iceberg_table AS t WHERE t.table_id = d.table_id;
SELECT * FROM lab.plan_due();
SELECT kind, table_name, message FROM floe.events WHERE kind = 'decision failed' ORDER BY 2;
SELECT d.decide_at > floe_internal.clock() AS put_off FROM floe_internal.table_decision AS d WHERE d.table_id = lab.id('demo.odd.t1');
-- if none can be decided upon, that is an error
SELECT lab.list_tables('demo', VARIADIC ARRAY(SELECT 'demo.odd.t' || i FROM generate_series(1, 12) AS i));
SELECT count(lab.assess('demo.odd.t' || i, files => 500, file_bytes => 1000000)) FROM generate_series(1, 12) AS i;
SELECT * FROM lab.plan_due();
SELECT count(*) AS events FROM floe.events WHERE kind = 'decision failed';
