--
-- Budgets: whom each is about, what counts in it and until when, and when the turn of what it holds back comes. Every case says what must come out; only what comes out otherwise is shown.
--
\set ECHO none
\i test/regress/lab.sql
CREATE ROLE regress_owner;
\set ECHO all

SELECT lab.catalog(), lab.catalog('prod'), lab.engine(), lab.engine('big');
SELECT floe.create_policy('p', '**', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}}') AS policy;
-- from the highest score to the lowest; a MB for each file
SELECT lab.assess('demo.a.t1', files => 900, file_bytes => 1000000), lab.assess('demo.a.t2', files => 800, file_bytes => 1000000), lab.assess('demo.a.t3', files => 700, file_bytes => 1000000),
	lab.assess('demo.b.u1', files => 600, file_bytes => 1000000), lab.assess('prod.a.v1', files => 500, file_bytes => 1000000), lab.assess('demo.a.x.w1', files => 400, file_bytes => 1000000);

-- An operation of the past.
CREATE FUNCTION lab.used(of_table text, ago interval, megabytes float8 DEFAULT 0, of_operation text DEFAULT 'rewrite_data_files', of_engine text DEFAULT 'spark', of_state text DEFAULT 'succeeded',
		hand bool DEFAULT false, took interval DEFAULT NULL, gb_hours float8 DEFAULT 0, result jsonb DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, estimate, engine_result, queued_at, dispatched_at, started_at, engine_ended_at, finished_at)
	SELECT lab.id(of_table), of_table, of_operation, of_state, hand, 'floe', of_engine, '{}', '', '{}', '[]', jsonb_build_object('bytes', megabytes * 1000000, 'gb_hours', gb_hours, 'minutes', 1), result, x.at, x.at,
		CASE WHEN of_state <> 'cancelled' THEN x.at END, CASE WHEN of_state <> 'cancelled' THEN x.at + took END, x.at + COALESCE(took, '0')
	FROM (SELECT floe_internal.clock() - ago AS at) AS x
$$;
-- What a plan would queue, and behind the bar what budgets hold back and for how long (!: for good); e: expire_snapshots.
CREATE FUNCTION lab.line(setup text) RETURNS text LANGUAGE sql AS $$
	SELECT lab.rows(setup, $q$
		SELECT concat_ws(' | ', COALESCE(string_agg(p.name, ' ' ORDER BY p.n) FILTER (WHERE p.verdict = 'run'), ''),
			COALESCE(string_agg(p.name || CASE WHEN p.next_at IS NULL THEN '!' ELSE '+' || regexp_replace(replace((p.next_at - floe_internal.clock())::text, ' days', 'd'), ' day', 'd') END, ' ' ORDER BY p.n) FILTER (WHERE p.verdict <> 'run'), ''))
		FROM (SELECT *, table_name_end || CASE operation WHEN 'expire_snapshots' THEN 'e' ELSE '' END AS name FROM (SELECT *, (floe_internal.parse_name(table_name))[cardinality(floe_internal.parse_name(table_name))] AS table_name_end
			FROM floe.plan() WITH ORDINALITY AS x (rank, table_name, operation, verdict, gate, value, limit_value, set_by, next_at, score, objects, bytes, minutes, gb_hours, n)) AS y) AS p $q$)
$$;
CREATE FUNCTION lab.budget(fields text, VARIADIC "values" text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO floe.budget (name, %s) VALUES (''b'', %s)', fields, array_to_string("values", ', '));
END $$;

CREATE TABLE lab.case (n int, told text, setup text, expected text);
INSERT INTO lab.case VALUES
	-- limits
	(1, 'none', '', 't1 t2 t3 u1 v1 w1 | '),
	(2, 'three operations', $$SELECT lab.budget('operations', '3')$$, 't1 t2 t3 | u1+1d v1+1d w1+1d'),
	(3, 'one: who comes after another waits longer', $$SELECT lab.budget('operations', '1')$$, 't1 | t2+1d t3+2d u1+3d v1+4d w1+5d'),
	(4, 'none at all: never', $$SELECT lab.budget('operations', '0')$$, ' | t1! t2! t3! u1! v1! w1!'),
	(5, 'two tables', $$SELECT lab.budget('tables', '2')$$, 't1 t2 | t3+1d u1+1d v1+2d w1+2d'),
	(6, 'bytes: what does not fit is passed over', $$SELECT lab.budget('bytes', '1500000000')$$, 't1 u1 | t2+1d t3+1d v1+2d w1+2d'),
	(7, 'bytes: larger than all of it is never', $$SELECT lab.budget('bytes', '600000000')$$, 'u1 | t1! t2! t3! v1+1d w1+2d'),
	(8, '... unless the first may overshoot', $$SELECT lab.budget('bytes, overshoot', '600000000', 'true')$$, 't1 | t2+1d t3+2d u1+3d v1+4d w1+5d'),
	(9, '... which is not the first any more', $$SELECT lab.used('demo.b.u1', '2 hours', 1), lab.budget('bytes, overshoot', '600000000', 'true')$$, 'v1 | t1+22:00:00 t2+1d t3+2d u1+3d w1+5d'),
	(10, 'bytes: one below', $$SELECT lab.budget('bytes', '899999999')$$, 't2 | t1! t3+1d u1+2d v1+2d w1+3d'),
	(11, 'bytes: exactly', $$SELECT lab.budget('bytes', '900000000')$$, 't1 | t2+1d t3+2d u1+3d v1+3d w1+4d'),
	(12, 'no bytes', $$SELECT lab.budget('bytes', '0')$$, ' | t1! t2! t3! u1! v1! w1!'),
	(13, 'no bytes: what rewrites nothing needs none', $$SELECT lab.assess('demo.a.t1', files => 900, file_bytes => 1000000, snapshots => 60, snapshot_gap => '1 day'), lab.budget('bytes', '0')$$, 't1e | t1! t2! t3! u1! v1! w1!'),
	(14, 'GB-hours', $$SELECT lab.budget('gb_hours', '0.05')$$, 't1 w1 | t2+1d t3+1d u1+2d v1+2d'),
	(15, 'GB-hours: larger than all of it', $$SELECT lab.budget('gb_hours', '0.025')$$, 'u1 | t1! t2! t3! v1+1d w1+2d'),
	(16, '... overshoot', $$SELECT lab.budget('gb_hours, overshoot', '0.025', 'true')$$, 't1 | t2+1d t3+2d u1+3d v1+4d w1+5d'),
	(17, 'unknown bytes go while anything is left', $$SELECT lab.measure('demo.a.t1', '{"small_file_bytes": null}'), lab.budget('bytes', '700000000')$$, 't1 t3 | t2! u1+1d v1+2d w1+3d'),
	(18, '... and not when nothing is', $$SELECT lab.measure('demo.a.t1', '{"small_file_bytes": null}'), lab.used('demo.b.u1', '2 hours', 700), lab.budget('bytes', '700000000')$$, ' | t1+22:00:00 t2! t3+1d u1+1d v1+2d w1+3d'),
	(19, 'switched off', $$SELECT lab.budget('operations, is_enabled', '0', 'false')$$, 't1 t2 t3 u1 v1 w1 | '),
	(20, 'no limit of a period', $$SELECT lab.budget('concurrency', '0')$$, 't1 t2 t3 u1 v1 w1 | '),
	-- whom it is about
	(21, 'a namespace', $$SELECT lab.budget('pattern, operations', '''demo.a.*''', '1')$$, 't1 u1 v1 w1 | t2+1d t3+2d'),
	(22, '... and those below it', $$SELECT lab.budget('pattern, operations', '''demo.a.**''', '1')$$, 't1 u1 v1 | t2+1d t3+2d w1+3d'),
	(23, 'a catalog', $$SELECT lab.budget('pattern, operations', '''prod.**''', '0')$$, 't1 t2 t3 u1 w1 | v1!'),
	(24, 'all but some', $$SELECT lab.budget('pattern, operations', '''**, !demo.a.*''', '1')$$, 't1 t2 t3 u1 | v1+1d w1+2d'),
	(25, 'each catalog for itself', $$SELECT lab.budget('per, operations', '''catalog''', '1')$$, 't1 v1 | t2+1d t3+2d u1+3d w1+4d'),
	(26, 'each namespace: one does not eat what is another''s', $$SELECT lab.budget('per, operations', '''namespace''', '1')$$, 't1 u1 v1 w1 | t2+1d t3+2d'),
	(27, 'each first level', $$SELECT lab.budget('per, operations', '''top_namespace''', '1')$$, 't1 u1 v1 | t2+1d t3+2d w1+3d'),
	(28, 'each table', $$SELECT lab.budget('per, operations', '''table''', '1')$$, 't1 t2 t3 u1 v1 w1 | '),
	(29, '... one of which has had its own', $$SELECT lab.used('demo.a.t1', '2 hours'), lab.budget('per, operations', '''table''', '1')$$, 't2 t3 u1 v1 w1 | t1+22:00:00'),
	(30, 'each engine', $$SELECT lab.budget('per, operations', '''engine''', '2')$$, 't1 t2 | t3+1d u1+1d v1+2d w1+2d'),
	(31, '... of two', $$SELECT floe.create_policy('q', 'prod.**', '{"engine": "big"}'), lab.budget('per, operations', '''engine''', '2')$$, 'v1 t1 t2 | t3+1d u1+1d w1+2d'),
	(32, 'each policy', $$SELECT floe.create_policy('q', 'prod.**', '{"rewrite_data_files": {}}'), lab.budget('per, operations', '''policy''', '1')$$, 't1 v1 | t2+1d t3+2d u1+3d w1+4d'),
	(33, '... that configures the operation, not one that only adds to it', $$SELECT floe.create_policy('q', 'prod.**', '{"engine": "big"}'), lab.budget('per, operations', '''policy''', '1')$$, 't1 | t2+1d t3+2d u1+3d v1+4d w1+5d'),
	(34, 'each owner', $$SELECT floe.create_policy('q', 'prod.**', '{"rewrite_data_files": {}}'), floe.create_policy('r', 'demo.b.*', '{"rewrite_data_files": {}}'); UPDATE floe.policy SET owner = 'regress_owner' WHERE name IN ('q', 'r'); SELECT lab.budget('per, operations', '''owner''', '1')$$, 't1 u1 | t2+1d t3+2d v1+1d w1+3d'),
	(35, 'one owner', $$SELECT floe.create_policy('q', 'prod.**', '{"rewrite_data_files": {}}'); UPDATE floe.policy SET owner = 'regress_owner' WHERE name = 'q'; SELECT lab.budget('owner, operations', '''regress_owner''', '0')$$, 't1 t2 t3 u1 w1 | v1!'),
	(36, 'nobody''s owner', $$SELECT lab.budget('owner, operations', '''nobody''', '0')$$, 't1 t2 t3 u1 v1 w1 | '),
	(37, 'another engine', $$SELECT lab.budget('engine, operations', '''big''', '0')$$, 't1 t2 t3 u1 v1 w1 | '),
	(38, 'bytes for each namespace', $$SELECT lab.budget('per, bytes', '''namespace''', '800000000')$$, 't2 u1 v1 w1 | t1! t3+1d'),
	(39, 'tables for each catalog', $$SELECT lab.budget('per, tables', '''catalog''', '2')$$, 't1 t2 v1 | t3+1d u1+1d w1+2d'),
	(40, 'another kind of operation', $$SELECT lab.budget('operation_kinds, operations', '''{expire_snapshots,rewrite_manifests}''', '0')$$, 't1 t2 t3 u1 v1 w1 | '),
	(41, 'this kind of operation', $$SELECT lab.assess('demo.a.t1', files => 900, file_bytes => 1000000, snapshots => 60, snapshot_gap => '1 day'), lab.budget('operation_kinds, operations', '''{rewrite_data_files}''', '1')$$, 't1 t1e | t2+1d t3+2d u1+3d v1+4d w1+5d'),
	(42, 'tables: two operations on one are one', $$SELECT lab.assess('demo.a.t1', files => 900, file_bytes => 1000000, snapshots => 60, snapshot_gap => '1 day'), lab.budget('tables', '1')$$, 't1 t1e | t2+1d t3+2d u1+3d v1+4d w1+5d'),
	(43, 'operations: they are two', $$SELECT lab.assess('demo.a.t1', files => 900, file_bytes => 1000000, snapshots => 60, snapshot_gap => '1 day'), lab.budget('operations', '1')$$, 't1 | t2+1d t3+2d u1+3d v1+4d w1+5d t1e+6d'),
	(44, 'two budgets: the one that lets it go last', $$SELECT lab.budget('operations', '5'); INSERT INTO floe.budget (name, pattern, operations, period) VALUES ('c', 'demo.**', 4, '3 days')$$, 't1 t2 t3 u1 v1 | w1+3d'),
	(45, 'two budgets: never, whatever the other one says', $$SELECT lab.budget('operations', '1'); INSERT INTO floe.budget (name, pattern, operations) VALUES ('c', 'prod.**', 0)$$, 't1 | t2+1d t3+2d u1+3d v1! w1+5d'),
	-- what counts
	(46, 'one of two hours ago', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.budget('operations', '2')$$, 't1 | t2+22:00:00 t3+1d u1+1d v1+2d w1+2d'),
	(47, 'two: the oldest makes room first', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.used('demo.b.u1', '5 hours'), lab.budget('operations', '2')$$, ' | t1+19:00:00 t2+22:00:00 t3+1d u1+1d v1+2d w1+2d'),
	(48, 'bytes: several have to go', $$SELECT lab.used('demo.b.u1', '2 hours', 300), lab.used('demo.b.u1', '5 hours', 300), lab.used('demo.b.u1', '6 hours', 400), lab.budget('bytes, pattern', '1000000000', '''demo.a.t2, demo.b.u1''')$$, 't1 t3 v1 w1 | t2+22:00:00 u1+1d'),
	(49, 'a day ago', $$SELECT lab.used('demo.b.u1', '1 day'), lab.budget('operations', '1')$$, 't1 | t2+1d t3+2d u1+3d v1+4d w1+5d'),
	(50, 'a second less', $$SELECT lab.used('demo.b.u1', '23:59:59'), lab.budget('operations', '1')$$, ' | t1+00:00:01 t2+1d t3+2d u1+3d v1+4d w1+5d'),
	(51, 'an hour is enough', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.budget('operations, period', '6', '''1 hour''')$$, 't1 t2 t3 u1 v1 w1 | '),
	(52, 'one that failed', $$SELECT lab.used('demo.b.u1', '2 hours', of_state => 'failed'), lab.budget('operations', '6')$$, 't1 t2 t3 u1 v1 | w1+22:00:00'),
	(53, 'one that changed nothing', $$SELECT lab.used('demo.b.u1', '2 hours', of_state => 'no_change'), lab.budget('operations', '6')$$, 't1 t2 t3 u1 v1 | w1+22:00:00'),
	(54, 'one that was cancelled before it was sent', $$SELECT lab.used('demo.b.u1', '2 hours', of_state => 'cancelled'), lab.budget('operations', '6')$$, 't1 t2 t3 u1 v1 w1 | '),
	(55, 'one of a table that it is not about', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.budget('operations, pattern', '1', '''prod.**''')$$, 't1 t2 t3 u1 v1 w1 | '),
	(56, 'one of another engine', $$SELECT lab.used('demo.b.u1', '2 hours', of_engine => 'big'), lab.budget('operations, engine', '6', '''spark''')$$, 't1 t2 t3 u1 v1 w1 | '),
	(57, 'one of another kind', $$SELECT lab.used('demo.b.u1', '2 hours', of_operation => 'expire_snapshots'), lab.budget('operations, operation_kinds', '6', '''{rewrite_data_files}''')$$, 't1 t2 t3 u1 v1 w1 | '),
	(58, 'one of another namespace', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.budget('operations, per', '1', '''namespace''')$$, 't1 v1 w1 | t2+1d t3+2d u1+22:00:00'),
	(59, 'tables: one that counts already needs nothing', $$SELECT lab.used('demo.a.t3', '2 hours'), lab.budget('tables', '1')$$, 't3 | t1+22:00:00 t2+1d u1+2d v1+3d w1+4d'),
	(60, 'tables: several operations on one go together', $$SELECT lab.used('demo.a.t3', '2 hours'), lab.used('demo.a.t3', '5 hours'), lab.budget('tables, pattern', '1', '''demo.a.t1, demo.a.t3''')$$, 't2 t3 u1 v1 w1 | t1+22:00:00'),
	(61, 'GB-hours as measured: half an hour of what was said to take a minute', $$SELECT lab.used('demo.b.u1', '2 hours', gb_hours => 0.04, took => '30 minutes', of_engine => 'big'), lab.budget('gb_hours', '1.2')$$, ' | t1+22:00:00 t2+22:00:00 t3+22:00:00 u1+22:00:00 v1+22:00:00 w1+22:00:00'),
	(62, 'bytes as the engine says', $$SELECT lab.used('demo.b.u1', '2 hours', 600, result => '[{"rewritten_bytes_count": 0}]'), lab.budget('bytes, pattern', '600000000', '''demo.b.*''')$$, 't1 t2 t3 u1 v1 w1 | '),
	(63, '... which may be more', $$SELECT lab.used('demo.b.u1', '2 hours', 0, result => '[{"rewritten_bytes_count": 1}]'), lab.budget('bytes, pattern', '600000000', '''demo.b.*''')$$, 't1 t2 t3 v1 w1 | u1+22:00:00'),
	(64, '... and nonsense is not believed', $$SELECT lab.used('demo.b.u1', '2 hours', 1, result => '[{"rewritten_bytes_count": "many"}]'), lab.budget('bytes, pattern', '600000000', '''demo.b.*''')$$, 't1 t2 t3 v1 w1 | u1+22:00:00'),
	(65, 'one in the queue', $$SELECT FROM floe_internal.enqueue(ARRAY[lab.id('prod.a.v1')], false, NULL, '{}', 'floe'); SELECT lab.budget('operations', '2')$$, 't1 | t2+1d t3+1d u1+1d w1+2d'),
	(66, '... for as long as it waits there', $$SELECT FROM floe_internal.enqueue(ARRAY[lab.id('prod.a.v1')], false, NULL, '{}', 'floe'); SELECT lab.later('2 days'), lab.budget('operations', '2')$$, 't1 | t2+1d t3+1d u1+1d w1+2d'),
	-- periods of a calendar
	(67, 'today, in UTC: from its first moment', $$SELECT lab.used('demo.b.u1', '12 hours'), lab.budget('operations, calendar', '1', '''day''')$$, ' | t1+12:00:00 t2+1d 12:00:00 t3+2d 12:00:00 u1+3d 12:00:00 v1+4d 12:00:00 w1+5d 12:00:00'),
	(68, '... not the moment before', $$SELECT lab.used('demo.b.u1', '12:00:00.000001'), lab.budget('operations, calendar', '1', '''day''')$$, 't1 | t2+12:00:00 t3+1d 12:00:00 u1+2d 12:00:00 v1+3d 12:00:00 w1+4d 12:00:00'),
	(69, 'this week: from Monday', $$SELECT lab.used('demo.b.u1', '12:00:01'), lab.budget('operations, calendar', '4', '''week''')$$, 't1 t2 t3 u1 | v1+6d 12:00:00 w1+6d 12:00:00'),
	(70, '... on Sunday', $$SELECT lab.at('2026-03-08 12:00+00'), lab.used('demo.b.u1', '6 days 12:00:00'), lab.budget('operations, calendar', '4', '''week''')$$, 't1 t2 t3 | u1+12:00:00 v1+12:00:00 w1+12:00:00'),
	(71, 'this month', $$SELECT lab.used('demo.b.u1', '1 day 12:00:00'), lab.used('demo.b.u1', '1 day 12:00:01'), lab.budget('operations, calendar', '5', '''month''')$$, 't1 t2 t3 u1 | v1+29d 12:00:00 w1+29d 12:00:00'),
	(72, '... February is short', $$SELECT lab.at('2026-02-28 12:00+00'), lab.budget('operations, calendar', '5', '''month''')$$, 't1 t2 t3 u1 v1 | w1+12:00:00'),
	(73, 'today in New York begins at 5', $$SELECT lab.used('demo.b.u1', '7:00:01'), lab.budget('operations, calendar, timezone', '5', '''day''', '''America/New_York''')$$, 't1 t2 t3 u1 v1 | w1+17:00:00'),
	(74, '... and counts from then on', $$SELECT lab.used('demo.b.u1', '7 hours'), lab.budget('operations, calendar, timezone', '5', '''day''', '''America/New_York''')$$, 't1 t2 t3 u1 | v1+17:00:00 w1+17:00:00'),
	(75, 'a day of 23 hours', $$SELECT lab.at('2026-03-29 10:00+00'), lab.used('demo.b.u1', '11:00:01'), lab.budget('operations, calendar, timezone', '5', '''day''', '''Europe/Berlin''')$$, 't1 t2 t3 u1 v1 | w1+12:00:00'),
	(76, 'a day of 25 hours', $$SELECT lab.at('2026-10-25 12:00+00'), lab.used('demo.b.u1', '14 hours'), lab.budget('operations, calendar, timezone', '5', '''day''', '''Europe/Berlin''')$$, 't1 t2 t3 u1 | v1+11:00:00 w1+11:00:00'),
	(77, 'a midnight that does not exist', $$SELECT lab.at('2026-04-24 12:00+00'), lab.used('demo.b.u1', '14:00:01'), lab.budget('operations, calendar, timezone', '5', '''day''', '''Africa/Cairo''')$$, 't1 t2 t3 u1 v1 | w1+09:00:00'),
	(78, 'a midnight that comes twice: before the second it is still yesterday', $$SELECT lab.at('2026-11-01 04:30+00'), lab.used('demo.b.u1', '24 hours'), lab.budget('operations, calendar, timezone', '5', '''day''', '''America/Havana''')$$, 't1 t2 t3 u1 | v1+00:30:00 w1+00:30:00'),
	(79, '... and then it is not', $$SELECT lab.at('2026-11-01 05:00+00'), lab.used('demo.b.u1', '00:00:01'), lab.budget('operations, calendar, timezone', '5', '''day''', '''America/Havana''')$$, 't1 t2 t3 u1 v1 | w1+1d'),
	(80, 'the last 24 hours know no summer time', $$SET LOCAL timezone = 'Europe/Berlin'; SELECT lab.at('2026-03-29 12:00+00'), lab.used('demo.b.u1', '23:30:00'), lab.budget('operations', '5')$$, 't1 t2 t3 u1 | v1+00:30:00 w1+1d'),
	-- by hand
	(81, 'by hand counts', $$SELECT lab.used('demo.b.u1', '2 hours', hand => true), lab.budget('operations', '5')$$, 't1 t2 t3 u1 | v1+22:00:00 w1+1d'),
	(82, '... exempt, too', $$SELECT lab.used('demo.b.u1', '2 hours', hand => true), lab.budget('operations, by_hand', '5', '''exempt''')$$, 't1 t2 t3 u1 | v1+22:00:00 w1+1d'),
	(83, '... ignored does not', $$SELECT lab.used('demo.b.u1', '2 hours', hand => true), lab.budget('operations, by_hand', '5', '''ignored''')$$, 't1 t2 t3 u1 v1 | w1+1d'),
	(84, 'a budget of people is not about what floe does', $$SELECT lab.budget('operations, by_hand', '0', '''only''')$$, 't1 t2 t3 u1 v1 w1 | '),
	-- W: named after the weaknesses of the original
	(85, 'bytes are not counted after the fact: the run that would pass the limit is not sent', $$SELECT lab.used('demo.b.u1', '2 hours', 1), lab.budget('bytes, pattern', '600000000', '''demo.b.*''')$$, 't1 t2 t3 v1 w1 | u1+22:00:00'),
	(86, 'W19: an engine that says nothing is not one that did nothing', $$SELECT lab.used('demo.b.u1', '2 hours', 1, result => NULL), lab.budget('bytes, pattern', '600000000', '''demo.b.*''')$$, 't1 t2 t3 v1 w1 | u1+22:00:00'),
	(87, 'W6: what waits for a budget is not forgotten when its time has come', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.budget('operations, pattern', '1', '''demo.b.*'''), lab.later('22 hours')$$, 't1 t2 t3 u1 v1 w1 | ');
SELECT count(*), min(n), max(n) FROM lab.case;
SELECT n, told, expected, lab.line(setup) AS found FROM lab.case WHERE lab.line(setup) IS DISTINCT FROM format('(%s)', expected) ORDER BY n;

-- ---- by hand ----

CREATE FUNCTION lab.hand(setup text, of_table text DEFAULT 'demo.a.t1') RETURNS text LANGUAGE sql AS $$
	SELECT lab.rows(setup, format('SELECT t.verdict || COALESCE('' '' || t.set_by, '''') FROM floe.trigger(%L, ''{rewrite_data_files}'') AS t', of_table))
$$;
SELECT n, told, expected, lab.hand(setup) AS found FROM (VALUES
	(1, 'nothing holds it', '', '(queued trigger)'),
	(2, 'counts', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.budget('operations', '1')$$, '(wait budget b (operations))'),
	(3, 'exempt', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.budget('operations, by_hand', '1', '''exempt''')$$, '(queued trigger)'),
	(4, 'ignored', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.budget('operations, by_hand', '1', '''ignored''')$$, '(queued trigger)'),
	(5, 'people only, and it was floe', $$SELECT lab.used('demo.b.u1', '2 hours'), lab.budget('operations, by_hand', '1', '''only''')$$, '(queued trigger)'),
	(6, 'people only, and it was one', $$SELECT lab.used('demo.b.u1', '2 hours', hand => true), lab.budget('operations, by_hand', '1', '''only''')$$, '(wait budget b (operations))'),
	(7, 'nothing by hand', $$SELECT lab.budget('operations, by_hand', '0', '''only''')$$, '(blocked budget b (operations))'),
	(8, 'of another table', $$SELECT lab.budget('operations, pattern', '0', '''prod.**''')$$, '(queued trigger)'),
	(9, 'too large', $$SELECT lab.budget('bytes', '1000')$$, '(blocked budget b (bytes))'),
	(10, 'all that hold it are named', $$SELECT lab.used('demo.a.t2', '2 hours', 900); SELECT lab.budget('operations, bytes, per', '1', '1000000000', '''namespace'''); INSERT INTO floe.budget (name, tables, period) VALUES ('c', 1, '1 hour'), ('d', 1, '2 days')$$,
		'(wait budget d (tables), budget b (operations of demo.a), budget b (bytes of demo.a))')
	) AS v (n, told, setup, expected) WHERE lab.hand(setup) IS DISTINCT FROM expected ORDER BY n;

-- ---- what it says ----

\pset format unaligned
\pset fieldsep ' | '
BEGIN;
SELECT lab.used('demo.a.t3', '2 hours', 300), lab.budget('per, operations, bytes', '''top_namespace''', '2', '850000000');
INSERT INTO floe.budget (name, gb_hours, calendar, timezone) VALUES ('c', 0.02, 'week', 'Europe/Berlin');
SELECT floe_internal.plan_and_queue(NULL);
SELECT table_name FROM floe_internal.operation_queue ORDER BY 1;
SELECT name, share, period, operations, operations_used, operations_left, bytes_used, bytes_left, round(gb_hours_used::numeric, 4) AS gb_hours_used, frees_at, deferred, too_large, next_table, next_operation, next_at, deferred_since FROM floe.budgets;
-- in every detail, for every budget that holds it
SELECT r ->> 'status' AS status, r ->> 'value' AS value, r ->> 'limit' AS "limit", r ->> 'set_by' AS set_by, r ->> 'next_at' AS next_at, r ->> 'left' AS "left", r ->> 'needs' AS needs
FROM floe_internal.select_candidates(ARRAY[lab.id('demo.a.t2')], floe_internal.clock(), false, NULL) AS s CROSS JOIN jsonb_array_elements(s.reasons) AS r WHERE r ->> 'gate' = 'budget';
SELECT verdict, gate, value, limit_value, set_by FROM floe.why('demo.a.t1') WHERE operation = 'rewrite_data_files';
-- for how long, which a budget that changes does not forget; and nothing of it is left when nothing holds any more
SELECT lab.later('1 hour');
UPDATE floe.budget SET operations = 1 WHERE name = 'b';
SELECT floe_internal.plan_and_queue(NULL);
SELECT name, share, deferred, deferred_since FROM floe.budgets WHERE deferred > 0;
DELETE FROM floe.budget;
SELECT floe_internal.plan_and_queue(NULL);
SELECT count(*) FROM floe_internal.budget_deferral;
ROLLBACK;
-- a table for which nothing calls any more
BEGIN;
SELECT lab.budget('operations', '0');
SELECT floe_internal.plan_and_queue(NULL);
SELECT count(*) FROM floe_internal.budget_deferral;
SELECT lab.assess('demo.a.t1'), floe_internal.plan_and_queue(NULL);
SELECT count(*) FROM floe_internal.budget_deferral WHERE table_id = lab.id('demo.a.t1');
ROLLBACK;

-- ---- at one time ----

-- What is claimed, one after the other, when all is queued and the engines have room.
CREATE FUNCTION lab.claims(setup text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text[];
BEGIN
	BEGIN
		PERFORM floe_internal.plan_and_queue(NULL);
		EXECUTE setup;
		FOR i IN 1 .. 8 LOOP
			found := found || ARRAY(SELECT regexp_replace(c.table_name, '.*\.', '') || CASE WHEN c.engine = 'big' THEN '@big' ELSE '' END FROM floe_internal.claim_operation(1, NULL) AS c);
		END LOOP;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
	RETURN array_to_string(ARRAY(SELECT unnest(found) ORDER BY 1), ' ');
END $$;
ALTER SERVER spark OPTIONS (ADD max_operations '20');
SELECT n, told, expected, lab.claims(setup) AS found FROM (VALUES
	(1, 'no budget', 'SELECT', 't1 t2 t3 u1 v1 w1'),
	(2, 'two', $$SELECT lab.budget('concurrency', '2')$$, 't1 v1'),
	(3, 'none', $$SELECT lab.budget('concurrency', '0')$$, ''),
	(4, 'none of a namespace', $$SELECT lab.budget('concurrency, pattern', '0', '''demo.a.*''')$$, 'u1 v1 w1'),
	(5, 'one for each catalog', $$SELECT lab.budget('concurrency, per', '1', '''catalog''')$$, 't1 v1'),
	(6, 'one for each namespace', $$SELECT lab.budget('concurrency, per', '1', '''namespace''')$$, 't1 u1 v1 w1'),
	(7, 'one for each first level', $$SELECT lab.budget('concurrency, per', '1', '''top_namespace''')$$, 't1 u1 v1'),
	(8, 'one for each policy', $$SELECT lab.budget('concurrency, per', '1', '''policy''')$$, 't1'),
	(9, 'one of another kind', $$SELECT lab.budget('concurrency, operation_kinds', '0', '''{expire_snapshots}''')$$, 't1 t2 t3 u1 v1 w1'),
	(10, 'of the other engine', $$SELECT lab.budget('concurrency, engine', '0', '''big''')$$, 't1 t2 t3 u1 v1 w1'),
	(11, 'people exempt: their own goes', $$SELECT lab.budget('concurrency, by_hand', '0', '''exempt'''); UPDATE floe_internal.operation_queue SET by_hand = true WHERE table_name = 'demo.a.t3'$$, 't3'),
	(12, 'people only', $$SELECT lab.budget('concurrency, by_hand', '1', '''only'''); UPDATE floe_internal.operation_queue SET by_hand = true WHERE table_name IN ('demo.a.t3', 'demo.a.t2')$$, 't1 t2 u1 v1 w1'),
	(13, 'each engine, and one has a list', $$UPDATE floe_internal.operation_queue SET engines = '{spark,big}' WHERE table_name IN ('demo.a.t3', 'demo.a.t2'); SELECT floe.drain_engine('spark'), lab.budget('concurrency, per', '1', '''engine''')$$, 't2@big'),
	(14, 'each engine''s operations of a day, at the second of a list', $$UPDATE floe_internal.operation_queue SET engines = '{spark,big}' WHERE table_name IN ('demo.a.t3', 'demo.a.t2'); SELECT floe.drain_engine('spark'), lab.budget('operations, per', '1', '''engine''')$$, 't2@big'),
	(15, '... which is spent', $$UPDATE floe_internal.operation_queue SET engines = '{spark,big}' WHERE table_name IN ('demo.a.t3', 'demo.a.t2'); SELECT floe.drain_engine('spark'), lab.used('demo.b.u1', '2 hours', of_engine => 'big'), lab.budget('operations, per', '1', '''engine''')$$, ''),
	(16, 'what counts for the first engine does not for the second', $$UPDATE floe_internal.operation_queue SET engines = '{spark,big}' WHERE table_name = 'demo.a.t3'; SELECT floe.drain_engine('spark'), lab.used('demo.b.u1', '2 hours'), lab.budget('operations, per', '1', '''engine''')$$, 't3@big')
	) AS v (n, told, setup, expected) WHERE lab.claims(setup) IS DISTINCT FROM expected ORDER BY n;

-- ---- refused ----

\pset tuples_only on
SELECT lab.says($$INSERT INTO floe.budget (name, per) VALUES ('x', 'tenant')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, by_hand) VALUES ('x', 'no')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, calendar) VALUES ('x', 'year')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, calendar, period) VALUES ('x', 'day', '2 days')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, timezone) VALUES ('x', 'UTC')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, calendar, timezone) VALUES ('x', 'day', 'Mars')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, operation_kinds) VALUES ('x', '{vacuum}')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, operation_kinds) VALUES ('x', '{}')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, gb_hours) VALUES ('x', 'NaN')$$);
SELECT lab.says($$INSERT INTO floe.budget (name) VALUES ('')$$);
SELECT lab.says($$INSERT INTO floe.budget (name, calendar) VALUES ('x', 'day'); UPDATE floe.budget SET period = '2 days'$$);
SELECT lab.says($$INSERT INTO floe.budget (name, calendar) VALUES ('x', 'day'); UPDATE floe.budget SET calendar = NULL$$);
SELECT lab.rows($$INSERT INTO floe.budget (name, calendar) VALUES ('x', 'day'), ('y', NULL); UPDATE floe.budget SET calendar = NULL WHERE name = 'x'; UPDATE floe.budget SET calendar = 'week' WHERE name = 'y'$$, 'SELECT name, period, calendar FROM floe.budget ORDER BY name');
DROP ROLE regress_owner;
