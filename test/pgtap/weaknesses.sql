-- What the original got wrong in its decisions, by the numbers of ../shared/reference/upstream.md §16, and what floe does instead. Each number has its tests here under its name,
-- though most have more elsewhere.
\set ECHO none
\i test/regress/lab.sql
\set ON_ERROR_STOP on
SET client_min_messages = warning;

SELECT lab.catalog(), lab.engine() \g /dev/null
-- A value after some statements, which are undone again.
CREATE FUNCTION lab.after(setup text, query text) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(r, '; ') FROM lab.rows('SET CONSTRAINTS ALL IMMEDIATE; ' || setup, query) AS r $$;
CREATE FUNCTION lab.live() RETURNS bigint LANGUAGE sql AS $$ SELECT q.operation_id FROM floe_internal.operation_queue AS q WHERE q.state <> 'queued' $$;
CREATE FUNCTION lab.queue() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(q.table_name || ' ' || q.operation, ', ' ORDER BY q.operation_id) FROM floe_internal.operation_queue AS q $$;
CREATE FUNCTION lab.verdict(name text, op text) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', w.verdict, w.gate, w.value, w.limit_value, w.set_by) FROM floe.why(name) AS w WHERE w.operation = op $$;
CREATE FUNCTION lab.sick(name text, files int DEFAULT 500) RETURNS void LANGUAGE sql AS $$ SELECT lab.assess(name, files => files, file_bytes => 1000000) $$;
-- To the end of the only operation of a table, as the library does it.
CREATE FUNCTION lab.run(name text, outcome text DEFAULT 'succeeded', after_files int DEFAULT 1, rows_returned bigint DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
BEGIN
	PERFORM lab.claim(1, name);
	SELECT q.operation_id INTO id FROM floe_internal.operation_queue AS q WHERE q.table_name = name AND q.state = 'dispatching';
	PERFORM floe_internal.preflight(id, 'spark-thrift', 'lake'), floe_internal.operation_saved(id, '\x01', 's');
	IF outcome = 'succeeded' THEN PERFORM lab.assess(name, files => after_files, file_bytes => 500000000, snapshots => 2, operations => '{append,replace}'); END IF;
	PERFORM floe_internal.engine_ended(id, CASE WHEN outcome = 'no_change' THEN 'succeeded' ELSE outcome END, CASE WHEN outcome = 'failed' THEN 'transient' END, CASE WHEN outcome = 'failed' THEN 'it broke' ELSE '' END, NULL, rows_returned);
	RETURN (floe_internal.operation_verified(id)).state;
END $$;
\set all '{"engine": "spark", "rewrite_data_files": {}, "rewrite_position_delete_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {"jitter": "0"}, "compute_table_stats": {}}'
CREATE FUNCTION lab.policy(said jsonb DEFAULT '{"engine": "spark", "rewrite_data_files": {}}', name text DEFAULT 'p', pattern text DEFAULT 'demo.**') RETURNS int LANGUAGE sql AS $$ SELECT floe.create_policy(name, pattern, said) $$;

SELECT plan(68);

-- W1
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10)$$, $$SELECT lab.queue()$$), '(demo.db.t rewrite_data_files)', 'W1: what an assessment found is decided upon without anybody having asked for a report');
SELECT is(lab.after($$SELECT lab.policy(), lab.list_tables('demo', 'demo.db.t'), floe_internal.plan_due(10), floe_internal.plan_and_queue(NULL)$$, $$SELECT lab.queue()$$), '()', 'W1: without health nothing runs');
SELECT is(lab.after($$SELECT lab.policy(), lab.list_tables('demo', 'demo.db.t')$$, $$SELECT lab.verdict('demo.db.t', 'rewrite_data_files')$$), '(wait assessed not assessed yet)', 'W1: and says so');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.run('demo.db.t'), lab.later('1 day'), floe_internal.plan_due(10)$$, $$SELECT lab.queue()$$), '()', 'W1: after a run that helped the table is measured, not the old report planned again');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t')$$, $$SELECT count(*) FROM floe_internal.table_poll AS p WHERE p.next_poll_at <= floe_internal.clock() + interval '1 hour 6 minutes'$$), '(1)', 'W1: the next look at a table is never further away than its poll interval');
-- W2
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "priority": 9, "rewrite_data_files": {"min_interval": "3 hours"}}'), lab.policy('{"rewrite_data_files": {"min_interval": "2 hours"}}', 'narrow', 'demo.db.t'), lab.sick('demo.db.t')$$,
	$$SELECT set_by FROM floe.effective_policy('demo.db.t') WHERE setting = 'min_interval' AND operation = 'rewrite_data_files'$$), '(policy p (demo.**))', 'W2: a higher priority wins over a narrower pattern');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"min_interval": "3 hours"}}'), lab.policy('{"rewrite_data_files": {"min_interval": "2 hours"}}', 'narrow', 'demo.db.t'), lab.sick('demo.db.t')$$,
	$$SELECT set_by FROM floe.effective_policy('demo.db.t') WHERE setting = 'min_interval' AND operation = 'rewrite_data_files'$$), '(policy narrow (demo.db.t))', 'W2: with the same priority the narrower pattern does');
-- W3
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "expire_snapshots": {"options": {"max_snapshot_age": "1 day"}}}'), lab.policy('{"rewrite_data_files": {}}', 'narrow', 'demo.db.t'), lab.assess('demo.db.t', files => 500, file_bytes => 1000000, snapshots => 40, snapshot_gap => '1 day'), floe_internal.plan_due(10)$$,
	$$SELECT lab.queue()$$), '(demo.db.t rewrite_data_files, demo.db.t expire_snapshots)', 'W3: a narrow compaction policy leaves the broad retention policy in force');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"min_interval": "3 hours", "options": {"target_file_size": "128 MB"}}}'), lab.policy('{"rewrite_data_files": {"timeout": "9 hours"}}', 'narrow', 'demo.db.t'), lab.sick('demo.db.t')$$,
	$$SELECT setting, set_by FROM floe.effective_policy('demo.db.t') WHERE setting IN ('timeout', 'options.target_file_size') ORDER BY 1$$), '(options.target_file_size,policy p (demo.**)); (timeout,policy narrow (demo.db.t))', 'W3: field by field, within one operation too');
-- W4
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"schedule": "0 13 * * *", "jitter": "0"}}'), lab.policy('{"rewrite_data_files": {"schedule": "0 15 * * *", "jitter": "0"}}', 'narrow', 'demo.db.t'), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.at('2026-03-02 13:00+00'), floe_internal.plan_and_queue(NULL)$$,
	$$SELECT lab.queue()$$), '()', 'W4: the schedule of a policy that is not in force starts nothing');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"schedule": "0 13 * * *", "jitter": "0"}}'), lab.policy('{"rewrite_data_files": {"schedule": "0 15 * * *", "jitter": "0"}}', 'narrow', 'demo.db.t'), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.at('2026-03-02 15:00+00'), floe_internal.plan_due(10)$$,
	$$SELECT lab.queue()$$), '(demo.db.t rewrite_data_files)', 'W4: the one in force does, once');
-- W5
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {"windows": ["22:00-04:00"]}, "rewrite_manifests": {"enabled": false}}'), lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 100, snapshots => 60, snapshot_gap => '1 day'), floe_internal.plan_due(10)$$,
	$$SELECT lab.queue()$$), '(demo.db.t rewrite_data_files)', 'W5: what is due runs alone, without what is disabled or outside its window');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {"windows": ["22:00-04:00"]}}'), lab.assess('demo.db.t', files => 500, file_bytes => 1000000, snapshots => 60, snapshot_gap => '1 day'), floe_internal.plan_due(10), floe_internal.plan_and_queue(NULL), floe_internal.plan_and_queue(NULL)$$,
	$$SELECT count(*) FROM floe_internal.operation_queue$$), '(1)', 'W5: and once, however often one looks');
-- W6
CREATE FUNCTION lab.in_vain(times int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. times LOOP
		PERFORM floe.trigger('demo.db.t', '{rewrite_data_files}'), lab.run('demo.db.t', 'no_change');
	END LOOP;
END $$;
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), lab.in_vain(20)$$, $$SELECT zero_changes, zero_change_until <= floe_internal.clock() + interval '7 days' FROM floe_internal.table_operation WHERE operation = 'rewrite_data_files'$$), '(20,t)', 'W6: twenty runs in vain put the next one off by a week at most');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), lab.in_vain(20), lab.later('7 days 1 second')$$, $$SELECT lab.verdict('demo.db.t', 'rewrite_data_files')$$), '(run excess_file_count 499 100 built in)', 'W6: and then it runs');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), lab.in_vain(20), lab.sick('demo.db.t', 501), lab.later('2 hours')$$, $$SELECT lab.verdict('demo.db.t', 'rewrite_data_files')$$), '(run excess_file_count 500 100 built in)', 'W6: or as soon as it is worse than it was');
SELECT is(lab.after($$SELECT lab.policy(), lab.assess('demo.db.t'), floe_internal.plan_and_queue(NULL), floe_internal.plan_and_queue(NULL), floe_internal.plan_and_queue(NULL)$$, $$SELECT count(*) FROM floe_internal.table_operation WHERE zero_changes > 0$$), '(0)', 'W6: a healthy table that needs nothing is not throttled for that');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.run('demo.db.t', 'failed')$$, $$SELECT zero_changes FROM floe_internal.table_operation WHERE operation = 'rewrite_data_files'$$), '(0)', 'W6: a failure is not a run without effect');
-- W7
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"when": [{"metric": "excess_file_count", "value": 5}]}}'), lab.sick('demo.db.t', 12), floe_internal.plan_due(10)$$, $$SELECT lab.queue()$$), '(demo.db.t rewrite_data_files)', 'W7: a condition below the threshold of health calls for the operation, and it runs');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"deadline": "2 days"}}'), lab.sick('demo.db.t', 12), lab.later('2 days'), floe_internal.plan_and_queue(NULL)$$, $$SELECT lab.queue()$$), '(demo.db.t rewrite_data_files)', 'W7: what a deadline forces is done, below all thresholds');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"deadline": "2 days"}}'), lab.sick('demo.db.t', 12), lab.later('2 days'), floe_internal.plan_and_queue(NULL), lab.run('demo.db.t', after_files => 3), lab.later('1 day')$$,
	$$SELECT lab.verdict('demo.db.t', 'rewrite_data_files')$$), '(not needed excess_file_count 0 100 built in)', 'W7: and then it is over');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"deadline": "2 days"}}'), lab.sick('demo.db.t', 12), lab.later('2 days')$$, $$SELECT lab.verdict('demo.db.t', 'rewrite_data_files')$$), '(run deadline never run 2 days policy p (demo.**))', 'W7: a table that was never done has a deadline, too');
-- W8
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.claim(77), lab.dead_pass(77), (SELECT count(*) FROM floe_internal.adopt_operations(1, NULL))$$, $$SELECT state, attempt FROM floe_internal.operation_queue$$), '(queued,0)', 'W8: what a dead process was about to send waits in the queue again');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.claim(77), floe_internal.operation_saved(lab.live(), '\x01', 's'), lab.dead_pass(77), (SELECT count(*) FROM floe_internal.adopt_operations(1, NULL))$$, $$SELECT state, driver_pass FROM floe_internal.operation_queue$$), '(running,1)', 'W8: what it had sent is taken over, and not sent again');
-- W9
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10)$$, $$SELECT decided FROM floe_internal.plan_due(10)$$), '(0)', 'W9: where nothing is due nothing is looked at');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), lab.sick('demo.db.u'), floe_internal.plan_due(10), lab.claim(1, 'demo.db.t')$$, $$SELECT lab.claim(1) LIKE '%demo.db.u%'$$), '(t)', 'W9: one operation that takes hours does not keep the next from its engine');
-- W10
SELECT results_eq($$SELECT m.name, m.remedy FROM floe.metric AS m WHERE m.name IN ('delete_ratio', 'equality_delete_file_count', 'excess_delete_file_count', 'dangling_delete_count', 'table_stats_lag', 'partition_stats_lag', 'excess_manifest_count', 'partition_count', 'partition_skew') ORDER BY 1$$,
	$$VALUES ('dangling_delete_count', 'rewrite_position_delete_files'), ('delete_ratio', 'rewrite_data_files'), ('equality_delete_file_count', 'rewrite_data_files'), ('excess_delete_file_count', 'rewrite_position_delete_files'), ('excess_manifest_count', 'rewrite_manifests'),
	('partition_count', NULL), ('partition_skew', NULL), ('partition_stats_lag', 'compute_partition_stats'), ('table_stats_lag', 'compute_table_stats')$$, 'W10: each metric has the remedy that mends it, and none where none does');
SELECT is(lab.after(format($$SELECT lab.policy(%L), lab.assess('demo.db.t'), lab.measure('demo.db.t', '{"delete_ratio": 0.6}'), floe_internal.plan_and_queue(NULL)$$, :'all'), $$SELECT operation, settings -> 'options' FROM floe_internal.operation_queue WHERE operation <> 'remove_orphan_files'$$),
	'(rewrite_data_files,{delete_file_threshold: 1, remove_dangling_deletes: true})', 'W10: delete pressure calls for compaction, with the option without which it would do nothing');
SELECT is(lab.after(format($$SELECT lab.policy(%L), lab.assess('demo.db.t'), lab.measure('demo.db.t', '{"excess_delete_file_count": 60, "position_delete_file_count": 80}'), floe_internal.plan_and_queue(NULL)$$, :'all'), $$SELECT operation FROM floe_internal.operation_queue WHERE operation <> 'remove_orphan_files'$$),
	'(rewrite_position_delete_files)', 'W10: position deletes call for their own rewrite, not for the removal of orphans');
-- W11
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {"when": [{"metric": "snapshot_count", "value": 5}]}}'), lab.assess('demo.db.t', snapshots => 8), floe_internal.plan_due(10)$$, $$SELECT lab.queue()$$), '(demo.db.t expire_snapshots)', 'W11: many snapshots call for their expiry, not for compaction');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {"when": [{"metric": "snapshot_count", "value": 500}]}}'), lab.sick('demo.db.t'), floe_internal.plan_due(10)$$, $$SELECT lab.queue()$$), '(demo.db.t rewrite_data_files)', 'W11: a condition that is not met holds its own operation back, and no other');
-- W12
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t', 300), lab.later('1 hour'), lab.sick('demo.db.t', 310)$$, $$SELECT lab.verdict('demo.db.t', 'rewrite_data_files')$$), '(run excess_file_count 309 100 built in)', 'W12: the same severity is not the same number: the last one counts');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t', 300), lab.later('1 hour'), lab.sick('demo.db.t', 310)$$, $$SELECT string_agg(excess_file_count::text, ' ' ORDER BY assessed_at) FROM floe.health_history$$), '(299 309)', 'W12: and both are kept');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t', 300), lab.later('400 days'), floe_internal.purge(100)$$, $$SELECT (SELECT count(*) FROM floe_internal.health), (SELECT count(*) FROM floe_internal.health_history)$$), '(1,0)', 'W12: the health that decides does not age out with its history');
-- W13
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'); SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'protocol', 'a manifest is cut short', NULL)$$, $$SELECT lab.verdict('demo.db.t', 'rewrite_data_files')$$),
	'(wait assessed a manifest is cut short last assessment (error))', 'W13: half of a table is no table: nothing is decided upon it, and the reason is there');
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'); SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'protocol', 'a manifest is cut short', NULL)$$, $$SELECT h.excess_file_count FROM floe_internal.health AS h$$), '(499)', 'W13: the last whole look stays');
-- W14
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.claim(1)$$, $$SELECT t.verdict, t.gate FROM floe.trigger('demo.db.t', '{expire_snapshots,remove_orphan_files,rewrite_manifests}') AS t$$), '(wait,interlock); (wait,interlock); (wait,interlock)', 'W14: by hand nothing starts beside what the planning step has sent');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {}, "remove_orphan_files": {}}'), lab.sick('demo.db.t'), (SELECT count(*) FROM floe.trigger('demo.db.t', '{rewrite_data_files,remove_orphan_files}')), lab.claim(1)$$, $$SELECT lab.claim(2)$$), '()', 'W14: orphans are not removed beside a rewrite, whichever process asks');
SELECT throws_ok($$SELECT lab.after($x$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {}}'), lab.sick('demo.db.t'), (SELECT count(*) FROM floe.trigger('demo.db.t', '{rewrite_data_files,rewrite_manifests}')); UPDATE floe_internal.operation_queue SET state = 'dispatching'$x$, 'SELECT 1')$$, '23505', NULL,
	'W14: two at a time are against a constraint');
-- W15
CREATE FUNCTION lab.silent(minutes int) RETURNS void LANGUAGE sql AS $$
	SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.claim(1), floe_internal.operation_saved(lab.live(), '\x01', 's'), floe_internal.engine_unreachable('spark', lab.live(), false, 'network', 'connection reset', NULL),
		lab.later(make_interval(mins => minutes)), floe_internal.engine_unreachable('spark', lab.live(), false, 'network', 'connection reset', NULL);
$$;
SELECT is(lab.after($$SELECT lab.silent(0)$$, $$SELECT state FROM floe_internal.operation_queue$$), '(running)', 'W15: an engine that cannot be asked has not failed');
SELECT is(lab.after($$SELECT lab.silent(600)$$, $$SELECT state FROM floe_internal.operation_queue$$), '(lost)', 'W15: what it runs is lost, not over');
SELECT is(lab.after($$SELECT lab.silent(600), floe_internal.plan_and_queue(NULL)$$, $$SELECT count(*), (SELECT lab.claim(2)) FROM floe_internal.operation_queue$$), '(1,)', 'W15: and nothing overlaps it');
-- W16
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"schedule": "*/5 * * * *"}}'), (SELECT count(lab.sick('demo.db.t' || n)) FROM generate_series(1, 10) AS n), floe_internal.plan_due(100)$$, $$SELECT lab.queue()$$), '()', 'W16: a new schedule waits for its first time');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"schedule": "0 14 * * *"}}'), (SELECT count(lab.sick('demo.db.t' || n)) FROM generate_series(1, 10) AS n), floe_internal.plan_due(100)$$,
	$$SELECT count(DISTINCT next_due_at) >= 9, min(next_due_at) >= '2026-03-02 14:00+00', max(next_due_at) < '2026-03-02 14:05+00' FROM floe_internal.table_operation$$), '(t,t,t)', 'W16: and then its tables start one after the other');
-- W17
CREATE FUNCTION lab.due(schedule text, zone text, at timestamptz) RETURNS text LANGUAGE sql AS $$ SELECT to_char(floe_internal.cron_next(schedule, zone, at) AT TIME ZONE 'UTC', 'MM-DD HH24:MI') $$;
SELECT is(lab.due('0 2 * * *', 'Europe/Amsterdam', '2026-03-02 12:00+00'), '03-03 01:00', 'W17: a schedule has a time zone of its own');
SELECT is(lab.due('0 2 * * *', 'Europe/Amsterdam', '2026-07-02 12:00+00'), '07-03 00:00', 'W17: in which summer is an hour earlier');
SELECT is(lab.due('30 2 * * *', 'Europe/Amsterdam', '2026-03-28 12:00+00') ~ '^03-29', true, 'W17: the day without half past two has a run all the same');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"schedule": "0 14 * * *", "jitter": "0"}}'), lab.sick('demo.db.t'), floe_internal.plan_due(10), set_config('timezone', 'Asia/Tokyo', false)$$, $$SELECT next_due_at AT TIME ZONE 'UTC' FROM floe_internal.table_operation$$), '(2026-03-02 14:00:00)', 'W17: whose session plans does not matter');
-- W18
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "rewrite_data_files": {"timeout": "30 minutes"}}'), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.claim(1), floe_internal.operation_saved(lab.live(), '\x01', 's'), lab.later('31 minutes')$$, $$SELECT reason FROM floe_internal.operations_to_stop(1)$$), '(timeout of 30min)', 'W18: a timeout ends the operation');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "priority": 7, "rewrite_data_files": {"timeout": "30 minutes"}}'), lab.policy('{"rewrite_data_files": {"timeout": "9 hours"}}', 'narrow', 'demo.db.t'), lab.sick('demo.db.t')$$, $$SELECT value FROM floe.effective_policy('demo.db.t') WHERE setting = 'timeout'$$), '(00:30:00)', 'W18: and a priority is obeyed');
-- W19
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "remove_orphan_files": {"jitter": "0"}}'), lab.assess('demo.db.t'), floe_internal.plan_due(10), lab.run('demo.db.t', 'no_change')$$, $$SELECT last_state, zero_changes FROM floe_internal.table_operation$$), '(succeeded,0)', 'W19: what the engine does not count is not taken for nothing');
SELECT is(lab.after($$SELECT lab.policy('{"engine": "spark", "remove_orphan_files": {"jitter": "0"}}'), lab.assess('demo.db.t'), floe_internal.plan_due(10), lab.run('demo.db.t', 'no_change', rows_returned => 0)$$, $$SELECT last_state, zero_changes FROM floe_internal.table_operation$$), '(no_change,0)', 'W19: and none is told from unknown');
-- W22
SELECT matches(floe_internal.render_statement('trino', 'lake', '{select}', 'a"b; --', 'rewrite_manifests', '{}', now()), 'ALTER TABLE "lake"\."select"\."a""b; --" EXECUTE', 'W22: Trino gets identifiers, not text');
SELECT matches(floe_internal.render_statement('spark-thrift', 'lake', '{Db,select}', 'a`b''; --', 'rewrite_manifests', '{}', now()), '`Db`\.`select`\.`a``b''; --`', 'W22: and so does Spark');
-- W23
SELECT throws_ok($$SELECT * FROM lab.after($x$SELECT lab.policy(pattern => 'demo.raw.*'), lab.sick('demo.db.t')$x$, $x$SELECT * FROM floe.trigger('demo.db.t', '{rewrite_data_files}')$x$)$$, '55000', NULL, 'W23: naming an operation does not reach tables that no policy has');
SELECT throws_ok($$SELECT * FROM floe.trigger('nowhere.db.t', '{rewrite_data_files}')$$, '42704', NULL, 'W23: a catalog is one that there is');
-- W24
SELECT throws_ok($$SELECT lab.policy('{"remove_orphan_files": {"options": {"older_than": "1 hour"}}}')$$, '22023', NULL, 'W24: a retention of an hour for orphans is refused when it is saved');
SELECT throws_ok($$SELECT lab.policy('{"rewrite_data_files": {"every": "soon"}}')$$, '22023', NULL, 'W24: and what is no interval');
-- W28
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'); SELECT floe_internal.catalog_failed(floe_internal.catalog_id('demo'), 'connect', 'connection refused', NULL)$$,
	$$SELECT c.status, c.error, c.next_list_at > floe_internal.clock(), c.tables FROM floe.catalogs AS c$$), '(error,connection refused,t,1)', 'W28: a catalog that is down has no fewer tables, and is tried again');
-- W31
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.run('demo.db.t', 'no_change')$$, $$SELECT w.verdict, w.gate, w.value, w.next_at > floe_internal.clock() FROM floe.why('demo.db.t') AS w WHERE w.operation = 'rewrite_data_files'$$),
	'(wait,zero_change,1 run(s) without effect,t)', 'W31: what throttles is told by the numbers that throttle');
-- W32
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.run('demo.db.t')$$, $$SELECT string_agg(e.kind, ', ' ORDER BY e.id) FROM floe.events AS e WHERE e.table_name = 'demo.db.t' AND e.kind LIKE 'operation %'$$),
	'(operation queued, operation running, operation succeeded)', 'W32: events are written');
-- W33
SELECT matches(lab.after($$SELECT lab.policy(), floe.alter_policy('p', '{"priority": 4}'), floe.drop_policy('p')$$, $$SELECT h.version, h.action, h.changed_by = session_user FROM floe.policy_history AS h WHERE h.name = 'p' ORDER BY h.version$$), '^\(1,create,t\); .*\(2,alter,t\); .*,drop,t\)$', 'W33: who changed a policy, and to what, is known');
-- W36
SELECT is(lab.after($$SELECT lab.policy(), lab.assess('demo.db.t', files => 500, file_bytes => 1000000, properties => '{"write.target-file-size-bytes": "67108864"}'), floe_internal.plan_due(10)$$, $$SELECT settings -> 'options' FROM floe_internal.operation_queue$$), '({})', 'W36: no target size is sent that no policy sets: the table''s own holds');
SELECT is(lab.after($$SELECT lab.policy(), lab.assess('demo.db.t', files => 500, file_bytes => 60000000, properties => '{"write.target-file-size-bytes": "67108864"}')$$, $$SELECT lab.verdict('demo.db.t', 'rewrite_data_files') LIKE '(not needed%' OR lab.verdict('demo.db.t', 'rewrite_data_files') LIKE 'not needed%'$$), '(t)', 'W36: and is what the table is judged by');
-- W37
SELECT is(lab.after($$SELECT lab.policy(), lab.sick('demo.db.t'), floe_internal.plan_due(10), lab.run('demo.db.t', 'failed')$$, $$SELECT lab.verdict('demo.db.t', 'rewrite_data_files')$$), '(wait backoff 1 failure(s), last: it broke error class transient)', 'W37: why it waits has the engine''s own words');
-- W40
SELECT is(lab.after(format($$SELECT lab.policy(%L), lab.assess('demo.db.t', files => 4, newest => '2024-01-01 00:00+00')$$, :'all'), $$SELECT count(*) FROM floe.why('demo.db.t') AS w WHERE w.verdict = 'run' AND w.operation NOT IN ('remove_orphan_files', 'compute_table_stats')$$), '(0)', 'W40: a table that nobody has written for two years calls for nothing');
SELECT is(lab.after(format($$SELECT lab.policy(%L), lab.assess('demo.db.t', files => 4, newest => '2024-01-01 00:00+00')$$, :'all'), $$SELECT count(*) FROM floe.health('demo.db.t') AS h WHERE h.level <> 'ok'$$), '(0)', 'W40: nor is anything of it a warning');
SELECT is(lab.after(format($$SELECT lab.policy(%L), lab.assess('demo.db.t', files => 4, newest => '2024-01-01 00:00+00')$$, :'all'), $$SELECT max(d.contribution) FROM floe.debt('demo.db.t') AS d WHERE d.term IN ('severity', 'gain') AND d.operation = 'rewrite_data_files'$$), '(0)', 'W40: and age alone is no debt of it');
SELECT * FROM finish();
