--
-- Throttling: how long what a run left behind holds the next one back, and what ends it. Every case says what must come out; only what comes out otherwise is shown.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {"jitter": "0"}}') AS policy;
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 100, snapshots => 50, snapshot_gap => '1 day');
SELECT lab.assess('demo.db.other', files => 500, file_bytes => 1000000, manifests => 100, snapshots => 50, snapshot_gap => '1 day');

-- Ends a run, so often: what is kept of it is what operation_verified() keeps. gains: the metric that called for it is lower than before.
CREATE FUNCTION lab.ends(of_operation text, final text, class text DEFAULT NULL, times int DEFAULT 1, called_by text DEFAULT 'excess_file_count', gains bool DEFAULT false, orphans int DEFAULT NULL, of_table text DEFAULT 'demo.db.t') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	q floe_internal.operation_queue;
	t floe_internal.iceberg_table;
	now_metrics jsonb := floe_internal.metrics_object(lab.id(of_table), floe_internal.clock());
BEGIN
	SELECT * INTO t FROM floe_internal.iceberg_table WHERE table_id = lab.id(of_table);
	FOR i IN 1 .. times LOOP
		INSERT INTO floe_internal.operation_queue (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, dispatched_at, started_at, position, before, before_snapshots,
				error_class, error_message, effect)
			SELECT t.table_id, t.name, of_operation, 'verifying', false, 'floe', 'spark', d.settings, d.settings_hash, '{}', jsonb_build_array(jsonb_build_object('gate', called_by, 'status', 'pass')), floe_internal.clock(), floe_internal.clock(), floe_internal.clock(), 1,
				now_metrics || CASE WHEN gains THEN jsonb_build_object(called_by, (now_metrics ->> called_by)::float8 + 100) ELSE '{}' END, ARRAY(SELECT s.snapshot_id FROM floe_internal.snapshot_list(t.snapshots) AS s),
				class, CASE WHEN class IS NOT NULL THEN 'it broke' END, CASE WHEN orphans IS NOT NULL THEN jsonb_build_object('orphan_files_removed', orphans) ELSE '{}' END
			FROM floe_internal.decide(ARRAY[t.table_id], floe_internal.clock(), false, NULL) AS d WHERE d.operation = of_operation
			RETURNING * INTO q;
		PERFORM floe_internal.note_run(q, t, final, now_metrics);
		PERFORM floe_internal.end_operation(q.operation_id, final, q.error_message);
	END LOOP;
END $$;
-- The throttle that holds an operation back, and for how many minutes; NULL: not for a time.
CREATE FUNCTION lab.held(setup text, of_operation text, hand text DEFAULT '', OUT gate text, OUT minutes float8) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE setup;
		SELECT g.gate, extract(epoch FROM g.next_at - floe_internal.clock()) / 60 INTO gate, minutes
			FROM floe_internal.gates(ARRAY[lab.id('demo.db.t')], floe_internal.clock(), hand <> '', CASE hand WHEN 'named' THEN ARRAY[of_operation] END) AS g
			WHERE g.operation = of_operation AND g.gate IN ('circuit', 'backoff', 'zero_change') AND g.status <> 'pass' ORDER BY g.gate_position LIMIT 1;
		gate := COALESCE(gate, 'pass');
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
END $$;
-- short: r rewrite_data_files, m rewrite_manifests, e expire_snapshots
CREATE FUNCTION lab.r(class text, times int DEFAULT 1) RETURNS void LANGUAGE sql AS $$ SELECT lab.ends('rewrite_data_files', 'failed', class, times) $$;
CREATE FUNCTION lab.e(class text, times int DEFAULT 1) RETURNS void LANGUAGE sql AS $$ SELECT lab.ends('expire_snapshots', 'failed', class, times, 'expirable_snapshot_count') $$;
CREATE FUNCTION lab.m(class text, times int DEFAULT 1) RETURNS void LANGUAGE sql AS $$ SELECT lab.ends('rewrite_manifests', 'failed', class, times, 'excess_manifest_count') $$;
CREATE FUNCTION lab.idle(times int DEFAULT 1) RETURNS void LANGUAGE sql AS $$ SELECT lab.ends('rewrite_data_files', 'no_change', NULL, times) $$;
CREATE FUNCTION lab.attempts(most int) RETURNS text LANGUAGE sql AS $$ SELECT floe.alter_policy('p', jsonb_build_object('rewrite_data_files', jsonb_build_object('max_attempts', most))); SELECT ''::text $$;

CREATE TABLE lab.case (n int, told text, operation text, hand text, setup text, expected text, minutes float8);
INSERT INTO lab.case VALUES
	-- by class and number of failures
	(1, 'nothing ran yet', 'rewrite_data_files', '', 'SELECT', 'pass', NULL),
	(2, 'transient, once', 'rewrite_data_files', '', $$SELECT lab.r('transient')$$, 'backoff', 1),
	(3, 'transient, twice', 'rewrite_data_files', '', $$SELECT lab.r('transient', 2)$$, 'backoff', 2),
	(4, 'transient, three times', 'rewrite_data_files', '', $$SELECT lab.r('transient', 3)$$, 'backoff', 4),
	(5, 'transient, four times', 'rewrite_data_files', '', $$SELECT lab.r('transient', 4)$$, 'backoff', 8),
	(6, 'transient, as often as it is tried: a week', 'rewrite_data_files', '', $$SELECT lab.r('transient', 5)$$, 'backoff', 10080),
	(7, 'transient, nine times of a hundred', 'rewrite_data_files', '', $$SELECT lab.attempts(100), lab.r('transient', 9)$$, 'backoff', 256),
	(8, 'transient, ten times: at most 6 hours', 'rewrite_data_files', '', $$SELECT lab.attempts(100), lab.r('transient', 10)$$, 'backoff', 360),
	(9, 'transient, fifty times', 'rewrite_data_files', '', $$SELECT lab.attempts(100), lab.r('transient', 50)$$, 'backoff', 360),
	(10, 'conflict, once', 'rewrite_data_files', '', $$SELECT lab.r('conflict')$$, 'backoff', 1),
	(11, 'conflict, four times', 'rewrite_data_files', '', $$SELECT lab.r('conflict', 4)$$, 'backoff', 8),
	(12, 'conflict, as often as it is tried', 'rewrite_data_files', '', $$SELECT lab.r('conflict', 5)$$, 'backoff', 10080),
	(13, 'resource, once', 'rewrite_data_files', '', $$SELECT lab.r('resource')$$, 'backoff', 10),
	(14, 'resource, twice', 'rewrite_data_files', '', $$SELECT lab.r('resource', 2)$$, 'backoff', 20),
	(15, 'resource, four times', 'rewrite_data_files', '', $$SELECT lab.r('resource', 4)$$, 'backoff', 80),
	(16, 'resource, eight times of a hundred', 'rewrite_data_files', '', $$SELECT lab.attempts(100), lab.r('resource', 8)$$, 'backoff', 1280),
	(17, 'resource, nine times: at most a day', 'rewrite_data_files', '', $$SELECT lab.attempts(100), lab.r('resource', 9)$$, 'backoff', 1440),
	(18, 'config, once', 'rewrite_data_files', '', $$SELECT lab.r('config')$$, 'backoff', NULL),
	(19, 'permanent, once', 'rewrite_data_files', '', $$SELECT lab.r('permanent')$$, 'backoff', NULL),
	(20, 'the class of the last one counts', 'rewrite_data_files', '', $$SELECT lab.r('transient', 2), lab.r('resource')$$, 'backoff', 40),
	(21, '... config after others', 'rewrite_data_files', '', $$SELECT lab.r('transient'), lab.r('config')$$, 'backoff', NULL),
	(22, '... others after config', 'rewrite_data_files', '', $$SELECT lab.r('config'), lab.r('transient')$$, 'backoff', 2),
	-- by time
	(23, 'transient: later', 'rewrite_data_files', '', $$SELECT lab.r('transient'), lab.later('67 seconds')$$, 'pass', NULL),
	(24, 'transient, four times: half way', 'rewrite_data_files', '', $$SELECT lab.r('transient', 4), lab.later('4 minutes')$$, 'backoff', 3.5),
	(25, 'transient, four times: later', 'rewrite_data_files', '', $$SELECT lab.r('transient', 4), lab.later('9 minutes')$$, 'pass', NULL),
	(26, 'transient, five times: six days later', 'rewrite_data_files', '', $$SELECT lab.r('transient', 5), lab.later('6 days')$$, 'backoff', 1440),
	(27, 'W6: transient, five times: a week later it is tried again', 'rewrite_data_files', '', $$SELECT lab.r('transient', 5), lab.later('7 days')$$, 'pass', NULL),
	(28, 'config: a year later', 'rewrite_data_files', '', $$SELECT lab.r('config'), lab.later('1 year')$$, 'backoff', NULL),
	(29, 'permanent: a year later', 'rewrite_data_files', '', $$SELECT lab.r('permanent'), lab.later('1 year')$$, 'backoff', NULL),
	-- by a change of settings
	(30, 'transient: the policy was changed', 'rewrite_data_files', '', $$SELECT lab.r('transient'), floe.alter_policy('p', '{"rewrite_data_files": {"options": {"partial_progress_enabled": true}}}')$$, 'pass', NULL),
	(31, 'transient, five times: the policy was changed', 'rewrite_data_files', '', $$SELECT lab.r('transient', 5), floe.alter_policy('p', '{"rewrite_data_files": {"options": {"partial_progress_enabled": true}}}')$$, 'pass', NULL),
	(32, 'config: the policy was changed', 'rewrite_data_files', '', $$SELECT lab.r('config'), floe.alter_policy('p', '{"rewrite_data_files": {"options": {"partial_progress_enabled": true}}}')$$, 'pass', NULL),
	(33, 'permanent: the policy was changed', 'rewrite_data_files', '', $$SELECT lab.r('permanent'), floe.alter_policy('p', '{"rewrite_data_files": {"options": {"partial_progress_enabled": true}}}')$$, 'pass', NULL),
	(34, 'config: another operation''s policy was changed', 'rewrite_data_files', '', $$SELECT lab.r('config'), floe.alter_policy('p', '{"rewrite_manifests": {"min_interval": "2 hours"}}')$$, 'backoff', NULL),
	(35, 'config: another policy sets more', 'rewrite_data_files', '', $$SELECT lab.r('config'), floe.create_policy('q', 'demo.db.t', '{"rewrite_data_files": {"timeout": "1 hour"}}')$$, 'pass', NULL),
	(36, 'config: the server was changed', 'rewrite_data_files', '', $$SELECT lab.r('config'); ALTER SERVER spark OPTIONS (ADD memory_gb '8')$$, 'pass', NULL),
	(37, 'config: its user mapping was changed', 'rewrite_data_files', '', $$SELECT lab.r('config'); CREATE USER MAPPING FOR CURRENT_USER SERVER spark OPTIONS (username 'floe', password 'new')$$, 'pass', NULL),
	(38, 'config: another server was made', 'rewrite_data_files', '', $$SELECT lab.r('config'), lab.engine('big')$$, 'backoff', NULL),
	(39, 'config: changed, and changed back', 'rewrite_data_files', '', $$SELECT lab.r('config'), floe.alter_policy('p', '{"rewrite_data_files": {"timeout": "1 hour"}}'), floe.alter_policy('p', '{"rewrite_data_files": {"timeout": null}}')$$, 'backoff', NULL),
	-- by a change of the table
	(40, 'config: the table was changed', 'rewrite_data_files', '', $$SELECT lab.r('config'), lab.assess('demo.db.t', files => 501, file_bytes => 1000000)$$, 'pass', NULL),
	(41, 'permanent: the table was changed', 'rewrite_data_files', '', $$SELECT lab.r('permanent'), lab.assess('demo.db.t', files => 501, file_bytes => 1000000)$$, 'pass', NULL),
	(42, 'config: another table was changed', 'rewrite_data_files', '', $$SELECT lab.r('config'), lab.assess('demo.db.other', files => 501, file_bytes => 1000000)$$, 'backoff', NULL),
	(43, 'transient: the table was changed, which mends nothing', 'rewrite_data_files', '', $$SELECT lab.r('transient', 3), lab.assess('demo.db.t', files => 501, file_bytes => 1000000)$$, 'backoff', 4),
	(44, 'conflict, five times: the table was changed', 'rewrite_data_files', '', $$SELECT lab.r('conflict', 5), lab.assess('demo.db.t', files => 501, file_bytes => 1000000)$$, 'backoff', 16),
	(45, '... and later', 'rewrite_data_files', '', $$SELECT lab.r('conflict', 5), lab.assess('demo.db.t', files => 501, file_bytes => 1000000), lab.later('18 minutes')$$, 'pass', NULL),
	-- by hand
	(46, 'transient: by hand', 'rewrite_data_files', 'by hand', $$SELECT lab.r('transient', 4)$$, 'pass', NULL),
	(47, 'transient, five times: by hand', 'rewrite_data_files', 'by hand', $$SELECT lab.r('transient', 5)$$, 'pass', NULL),
	(48, 'config: by hand', 'rewrite_data_files', 'by hand', $$SELECT lab.r('config')$$, 'pass', NULL),
	(49, 'permanent: by name', 'rewrite_data_files', 'named', $$SELECT lab.r('permanent')$$, 'pass', NULL),
	(50, 'transient: forgotten', 'rewrite_data_files', '', $$SELECT lab.r('transient', 5), floe.retry('demo.db.t')$$, 'pass', NULL),
	(51, 'config: forgotten', 'rewrite_data_files', '', $$SELECT lab.r('config'), floe.retry('**')$$, 'pass', NULL),
	(52, 'config: of others forgotten', 'rewrite_data_files', '', $$SELECT lab.r('config'), floe.retry('demo.db.other')$$, 'backoff', NULL),
	-- by how others ended
	(53, 'then it succeeded', 'rewrite_data_files', '', $$SELECT lab.r('transient', 4), lab.ends('rewrite_data_files', 'succeeded', gains => true)$$, 'pass', NULL),
	(54, 'then it succeeded, and failed once more', 'rewrite_data_files', '', $$SELECT lab.r('transient', 4), lab.ends('rewrite_data_files', 'succeeded', gains => true), lab.r('transient')$$, 'backoff', 1),
	(55, 'then it was cancelled: nothing is known', 'rewrite_data_files', '', $$SELECT lab.r('transient', 4), lab.ends('rewrite_data_files', 'cancelled')$$, 'backoff', 8),
	(56, 'cancelled only', 'rewrite_data_files', '', $$SELECT lab.ends('rewrite_data_files', 'cancelled')$$, 'pass', NULL),
	(57, 'another operation failed', 'rewrite_data_files', '', $$SELECT lab.e('transient')$$, 'pass', NULL),
	(58, 'another table failed', 'rewrite_data_files', '', $$SELECT lab.ends('rewrite_data_files', 'failed', 'config', of_table => 'demo.db.other')$$, 'pass', NULL),
	-- runs without effect
	(59, 'nothing changed', 'rewrite_data_files', '', $$SELECT lab.idle()$$, 'zero_change', 60),
	(60, 'nothing changed, twice', 'rewrite_data_files', '', $$SELECT lab.idle(2)$$, 'zero_change', 120),
	(61, 'nothing changed, four times', 'rewrite_data_files', '', $$SELECT lab.idle(4)$$, 'zero_change', 480),
	(62, 'nothing changed, eight times', 'rewrite_data_files', '', $$SELECT lab.idle(8)$$, 'zero_change', 7680),
	(63, 'nothing changed, nine times: at most a week', 'rewrite_data_files', '', $$SELECT lab.idle(9)$$, 'zero_change', 10080),
	(64, 'nothing changed, thirty times', 'rewrite_data_files', '', $$SELECT lab.idle(30)$$, 'zero_change', 10080),
	(65, 'W6: ... a week later it is tried again', 'rewrite_data_files', '', $$SELECT lab.idle(30), lab.later('7 days')$$, 'pass', NULL),
	(66, 'from the interval between runs', 'rewrite_data_files', '', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"min_interval": "3 hours"}}'), lab.idle()$$, 'zero_change', 180),
	(67, 'later', 'rewrite_data_files', '', $$SELECT lab.idle(), lab.later('1 hour')$$, 'pass', NULL),
	(68, 'it changed something that did not help', 'rewrite_data_files', '', $$SELECT lab.ends('rewrite_data_files', 'succeeded')$$, 'zero_change', 60),
	(69, 'it helped', 'rewrite_data_files', '', $$SELECT lab.ends('rewrite_data_files', 'succeeded', gains => true)$$, 'pass', NULL),
	(70, 'it helped, after three that did not', 'rewrite_data_files', '', $$SELECT lab.idle(3), lab.ends('rewrite_data_files', 'succeeded', gains => true), lab.idle()$$, 'zero_change', 60),
	(71, 'the metric grew by one', 'rewrite_data_files', '', $$SELECT lab.idle(5), lab.measure('demo.db.t', '{"excess_file_count": 500}')$$, 'pass', NULL),
	(72, 'the metric fell a little', 'rewrite_data_files', '', $$SELECT lab.idle(), lab.measure('demo.db.t', '{"excess_file_count": 480}')$$, 'zero_change', 60),
	(73, 'the metric fell: somebody else did something', 'rewrite_data_files', '', $$SELECT lab.idle(), lab.measure('demo.db.t', '{"excess_file_count": 400}')$$, 'pass', NULL),
	(74, 'another metric is worse', 'rewrite_data_files', '', $$SELECT lab.idle(), lab.measure('demo.db.t', '{"delete_ratio": 0.9}')$$, 'pass', NULL),
	(75, 'by hand, without a name', 'rewrite_data_files', 'by hand', $$SELECT lab.idle()$$, 'zero_change', 60),
	(76, 'by name', 'rewrite_data_files', 'named', $$SELECT lab.idle()$$, 'pass', NULL),
	(77, 'forgotten', 'rewrite_data_files', '', $$SELECT lab.idle(9), floe.retry('demo.*.*')$$, 'pass', NULL),
	(78, 'called for by conditions: until the table changes', 'rewrite_data_files', '', $$SELECT lab.ends('rewrite_data_files', 'no_change', called_by => 'conditions')$$, 'zero_change', 60),
	(79, '... and it does', 'rewrite_data_files', '', $$SELECT lab.ends('rewrite_data_files', 'no_change', called_by => 'conditions'), lab.assess('demo.db.t', files => 501, file_bytes => 1000000)$$, 'pass', NULL),
	(80, 'called for by an age, which grows by itself', 'expire_snapshots', '', $$SELECT lab.ends('expire_snapshots', 'no_change', called_by => 'oldest_snapshot_age'), lab.later('15 minutes')$$, 'zero_change', 45),
	(81, '... and the table changes', 'expire_snapshots', '', $$SELECT lab.ends('expire_snapshots', 'no_change', called_by => 'oldest_snapshot_age'), lab.later('15 minutes'), lab.assess('demo.db.t', files => 501, file_bytes => 1000000, snapshots => 51, snapshot_gap => '1 day')$$, 'pass', NULL),
	(82, 'orphans that are not there are no reason', 'remove_orphan_files', '', $$SELECT lab.ends('remove_orphan_files', 'no_change', called_by => 'cadence', orphans => 0)$$, 'pass', NULL),
	-- the circuit of the table
	(83, 'one operation fails: the others may be fine', 'rewrite_manifests', '', $$SELECT lab.r('transient', 4)$$, 'pass', NULL),
	(84, 'two of them, three times', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.e('transient')$$, 'circuit', 30),
	(85, 'two of them, twice', 'rewrite_manifests', '', $$SELECT lab.r('transient'), lab.e('transient')$$, 'pass', NULL),
	(86, 'three of them, once', 'remove_orphan_files', '', $$SELECT lab.r('permanent'), lab.e('resource'), lab.m('transient')$$, 'circuit', 30),
	(87, '... which goes before what else holds them', 'rewrite_data_files', '', $$SELECT lab.r('permanent'), lab.e('resource'), lab.m('transient')$$, 'circuit', 30),
	(88, 'conflicts are of somebody who writes', 'rewrite_manifests', '', $$SELECT lab.r('conflict', 3), lab.e('conflict', 3)$$, 'pass', NULL),
	(89, 'wrong settings wait for a change', 'rewrite_manifests', '', $$SELECT lab.r('config'), lab.e('config'), lab.r('config')$$, 'pass', NULL),
	(90, 'one succeeded in between', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.ends('rewrite_manifests', 'succeeded', called_by => 'excess_manifest_count', gains => true), lab.e('transient')$$, 'pass', NULL),
	(91, 'one succeeded before', 'rewrite_manifests', '', $$SELECT lab.ends('rewrite_manifests', 'succeeded', called_by => 'excess_manifest_count', gains => true), lab.r('transient', 2), lab.e('transient')$$, 'circuit', 30),
	(92, 'over more than six hours', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.later('6 hours'), lab.e('transient')$$, 'pass', NULL),
	(93, 'of two tables', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.ends('expire_snapshots', 'failed', 'transient', of_table => 'demo.db.other')$$, 'pass', NULL),
	(94, 'of the other table', 'rewrite_manifests', '', $$SELECT lab.ends('rewrite_data_files', 'failed', 'transient', 2, of_table => 'demo.db.other'), lab.ends('expire_snapshots', 'failed', 'transient', of_table => 'demo.db.other')$$, 'pass', NULL),
	(95, 'half-open after a while', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.e('transient'), lab.later('33 minutes')$$, 'pass', NULL),
	(96, '... and the one that is tried fails', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.e('transient'), lab.later('33 minutes'), lab.r('transient')$$, 'circuit', 60),
	(97, '... twice', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.e('transient'), lab.later('33 minutes'), lab.r('transient'), lab.later('66 minutes'), lab.r('transient')$$, 'circuit', 120),
	(98, '... ten times: at most a day', 'rewrite_manifests', '', $$SELECT lab.attempts(100), lab.r('transient', 2), lab.e('transient'), lab.r('transient', 10)$$, 'circuit', 1440),
	(99, '... and then it is tried again', 'rewrite_manifests', '', $$SELECT lab.attempts(100), lab.r('transient', 2), lab.e('transient'), lab.r('transient', 10), lab.later('27 hours')$$, 'pass', NULL),
	(100, '... and succeeds', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.e('transient'), lab.later('33 minutes'), lab.ends('rewrite_data_files', 'succeeded', gains => true), lab.e('transient')$$, 'pass', NULL),
	(101, '... and changes nothing, which is well, too', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.e('transient'), lab.ends('remove_orphan_files', 'no_change', called_by => 'cadence')$$, 'pass', NULL),
	(102, '... and meets a writer: that says nothing', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.e('transient'), lab.later('33 minutes'), lab.r('conflict')$$, 'pass', NULL),
	(103, 'by hand', 'rewrite_manifests', 'by hand', $$SELECT lab.r('transient', 2), lab.e('transient')$$, 'pass', NULL),
	(104, 'forgotten', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.e('transient'), floe.retry('demo.db.t')$$, 'pass', NULL),
	(105, '... and what failed before does not count any more', 'rewrite_manifests', '', $$SELECT lab.r('transient', 2), lab.e('transient'), floe.retry('demo.db.t'), lab.later('1 second'), lab.r('transient'), lab.e('transient')$$, 'pass', NULL),
	-- W: named after the weaknesses of the original
	(106, 'W6: five runs that changed nothing, and the table is written', 'rewrite_data_files', '', $$SELECT lab.idle(5), lab.assess('demo.db.t', files => 600, file_bytes => 1000000, manifests => 100)$$, 'pass', NULL),
	(107, 'W6: a table that was never in need is not throttled', 'rewrite_data_files', '', $$SELECT lab.assess('demo.db.t'), floe_internal.plan_and_queue('demo.db.t'), lab.later('30 days'), lab.assess('demo.db.t', files => 500, file_bytes => 1000000)$$, 'pass', NULL),
	(108, 'W19: a run of which the engine tells nothing is judged by the table', 'rewrite_data_files', '', $$SELECT lab.ends('rewrite_data_files', 'succeeded', gains => true)$$, 'pass', NULL);
SELECT count(*), min(n), max(n) FROM lab.case;
SELECT c.n, c.told, c.expected, c.minutes, h.gate AS found, h.minutes AS found_minutes FROM lab.case AS c CROSS JOIN LATERAL lab.held(c.setup, c.operation, c.hand) AS h
WHERE h.gate IS DISTINCT FROM c.expected OR (h.minutes IS NULL) <> (c.minutes IS NULL) OR abs(h.minutes / c.minutes - 1) > 0.1001 ORDER BY c.n;
-- every throttle stops and lets go in some case, and whatever stops says until when or for what
SELECT expected, count(*) FROM lab.case GROUP BY 1 ORDER BY 1;

\pset format unaligned
\pset fieldsep ' | '

-- ---- the delays of many tables that fail at once are not one delay (W16) ----

SELECT count(DISTINCT d), min(d) >= interval '54 seconds' AS not_sooner, max(d) <= interval '66 seconds' AS not_later
FROM (SELECT floe_internal.backoff_delay(1, '1 minute', '6 hours', n || 'rewrite_data_files') AS d FROM generate_series(1, 1000) AS n) AS x;

-- ---- a circuit as people see it ----

BEGIN;
SELECT FROM floe_internal.enqueue(ARRAY[lab.id('demo.db.t')], false, '{rewrite_manifests}', '{}', 'floe');
SELECT FROM floe_internal.enqueue(ARRAY[lab.id('demo.db.t')], true, '{remove_orphan_files}', '{}', 'ann');
SELECT lab.r('transient', 2), lab.e('resource');
-- what floe had planned is off; what somebody asked for is not
SELECT operation, by_hand FROM floe_internal.operation_queue;
SELECT operation, state, error FROM floe.operations WHERE operation = 'rewrite_manifests';
SELECT kind, name, state, failures, since, error FROM floe.breakers WHERE kind = 'table';
SELECT name, circuit_open_until IS NOT NULL AS is_open FROM floe.tables ORDER BY name;
DELETE FROM floe_internal.operation_queue;
SELECT operation, verdict, gate, value, set_by, next_at = (SELECT open_until FROM floe_internal.table_circuit) AS until_then FROM floe.why('demo.db.t') WHERE gate = 'circuit' ORDER BY operation;
SELECT count(*) AS planned FROM floe.plan('demo.db.t');
SELECT kind, regexp_replace(message, 'until .*', 'until …') AS message FROM floe.events WHERE kind LIKE 'circuit%';
SELECT lab.later('40 minutes');
SELECT state FROM floe.breakers WHERE kind = 'table';
SELECT operation, verdict, gate FROM floe.why('demo.db.t') WHERE operation <> 'remove_orphan_files' AND verdict <> 'off';
SELECT lab.ends('rewrite_manifests', 'succeeded', called_by => 'excess_manifest_count', gains => true);
SELECT kind, message FROM floe.events WHERE kind LIKE 'circuit%' ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM floe.breakers WHERE kind = 'table';
-- one bad table is not the engine's fault
SELECT lab.r('resource', 20), lab.e('transient', 20);
SELECT name, status, failures FROM floe.engines;
SELECT floe.retry('demo.**'), floe.retry('demo.**');
SELECT kind, table_name FROM floe.events WHERE kind = 'retry';
ROLLBACK;
\pset tuples_only on
SELECT lab.says($$SELECT floe.retry('demo..x')$$);
SELECT lab.says($$SELECT floe.retry(NULL)$$);
\pset tuples_only off

-- ---- how often orphans are looked for ----

-- Runs, each so long after the one before as it says, that removed so many files of a MB; and the schedule that is in force then.
CREATE FUNCTION lab.cadence(setup text, runs text[], OUT schedule text, OUT set_by text, OUT next_in text) LANGUAGE plpgsql AS $$
DECLARE
	r text;
BEGIN
	BEGIN
		EXECUTE setup;
		FOREACH r IN ARRAY runs LOOP
			PERFORM lab.later(CASE split_part(r, ':', 1) WHEN 'due' THEN (SELECT x.next_due_at - floe_internal.clock() FROM floe_internal.table_operation AS x WHERE x.operation = 'remove_orphan_files' AND x.table_id = lab.id('demo.db.t')) ELSE split_part(r, ':', 1)::interval END);
			PERFORM lab.ends('remove_orphan_files', CASE split_part(r, ':', 2) WHEN '0' THEN 'no_change' WHEN 'failed' THEN 'failed' ELSE 'succeeded' END, CASE split_part(r, ':', 2) WHEN 'failed' THEN 'transient' END,
				called_by => 'cadence', orphans => CASE WHEN split_part(r, ':', 2) ~ '^[0-9]+$' THEN split_part(r, ':', 2)::int END);
			PERFORM floe_internal.sync_schedules(ARRAY[lab.id('demo.db.t')], floe_internal.clock());
		END LOOP;
		SELECT g.value, g.set_by, g.next_at - floe_internal.clock() INTO schedule, set_by, next_in FROM floe_internal.gates(ARRAY[lab.id('demo.db.t')], floe_internal.clock(), false, NULL) AS g
			WHERE g.operation = 'remove_orphan_files' AND g.gate = 'schedule';
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
END $$;
SELECT n, told, c.schedule, c.set_by, CASE WHEN n NOT IN (1, 2, 9) THEN c.next_in END AS next_in FROM (VALUES
	(1, 'before any run', '', '{}'::text[]),
	(2, 'one run: since when it gathered nobody knows', '', '{1 day:5000}'),
	(3, 'a GiB in a week', '', '{1 day:5000,7 days:1074}'),
	(4, 'two GiB in a week', '', '{1 day:5000,7 days:2148}'),
	(5, 'a hundred GiB in a week: never more often than every day', '', '{1 day:5000,7 days:107400}'),
	(6, '... nor than min_interval', $$SELECT floe.alter_policy('p', '{"remove_orphan_files": {"min_interval": "3 days"}}')$$, '{1 day:5000,7 days:107400}'),
	(7, 'nothing in a week: twice as long', '', '{1 day:5000,7 days:0}'),
	(8, '... and so on, up to 90 days', '', '{1 day:5000,7 days:0,due:0,due:0,due:0}'),
	(9, 'the engine does not say how many', '', '{1 day:x,7 days:x}'),
	(10, 'the rate is that of all runs that are known', '', '{1 day:5000,7 days:1074,7 days:3222}'),
	(11, 'after a long quiet time much', '', '{1 day:5000,7 days:0,due:0,due:0,due:200000}'),
	(12, 'one that failed taught nothing, and is tried again', '', '{1 day:5000,7 days:1074,7 days:failed}'),
	(13, 'a policy says how often', $$SELECT floe.alter_policy('p', '{"remove_orphan_files": {"every": "10 days", "jitter": "0"}}')$$, '{1 day:5000,7 days:0}'),
	(14, '... unless it lets it be tuned', $$SELECT floe.alter_policy('p', '{"remove_orphan_files": {"every": "10 days", "jitter": "0", "auto_tune": true}}')$$, '{1 day:5000,7 days:0}'),
	(15, '... or forbids it', $$SELECT floe.alter_policy('p', '{"remove_orphan_files": {"auto_tune": false}}')$$, '{1 day:5000,7 days:0}'),
	(16, 'a cron schedule is not tuned', $$SELECT floe.alter_policy('p', '{"remove_orphan_files": {"schedule": "0 3 * * 1", "jitter": "0", "auto_tune": true}}')$$, '{1 day:5000,7 days:0}')) AS v (n, told, setup, runs)
CROSS JOIN LATERAL lab.cadence(v.setup, v.runs) AS c ORDER BY n;
