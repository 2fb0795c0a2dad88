--
-- Why at a time: what was decided is kept as long as it holds, and answers "why was this table not compacted last Tuesday?". What protects the work of an operation that was given up.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '
SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('house', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {"enabled": false}, "remove_orphan_files": {}}') AS policy;
-- the planning step at some time, and what it began to keep
CREATE FUNCTION lab.plan_at(at timestamptz) RETURNS TABLE (told text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lab.at(plan_at.at), floe_internal.plan_due(100);
	RETURN QUERY SELECT concat_ws(' ', h.table_name, h.operation, h.verdict, h.gate, h.value, h.set_by) FROM floe.why_history AS h WHERE h.since = floe_internal.clock()
		UNION ALL SELECT concat_ws(' ', h.table_name, h.operation, h.verdict, h.gate, 'is over') FROM floe.why_history AS h WHERE h.until = floe_internal.clock() ORDER BY 1;
END $$;

-- ---- a week of a table ----

-- Monday: healthy, and there is nothing to keep
SELECT lab.assess('demo.db.events', files => 3), lab.assess('demo.db.calm', files => 3);
SELECT lab.plan_at('2026-03-02 12:00+00');
-- it is written all day: queued at six, and that holds until it has ended
SELECT lab.at('2026-03-02 18:00+00'), lab.assess('demo.db.events', files => 300, file_bytes => 1000000);
SELECT lab.plan_at('2026-03-02 18:00+00');
SELECT lab.plan_at('2026-03-02 18:20+00');
SELECT lab.claim(1) IS NOT NULL AS claimed, (floe_internal.preflight(1, 'spark-thrift', 'lake')).go, floe_internal.operation_saved(1, '\x01', 's') IS NULL AS saved;
SELECT lab.plan_at('2026-03-02 18:30+00');
SELECT lab.at('2026-03-02 18:40+00'), floe_internal.engine_ended(1, 'succeeded', NULL, '', NULL, NULL), lab.assess('demo.db.events', files => 1, file_bytes => 300000000, snapshots => 2, operations => '{append,replace}'), (floe_internal.operation_verified(1)).state;
SELECT lab.plan_at('2026-03-02 18:41+00');
-- Tuesday: a freeze from eight to eight, written in it
SELECT lab.at('2026-03-03 08:00+00'), floe.pause('demo.**', '2026-03-03 20:00+00', 'freeze for the audit');
SELECT lab.at('2026-03-03 09:00+00'), lab.assess('demo.db.events', files => 400, file_bytes => 1000000, snapshots => 3);
SELECT lab.plan_at('2026-03-03 09:00+00');
SELECT lab.plan_at('2026-03-03 12:00+00');
-- only a number moves: nothing is written
SELECT lab.at('2026-03-03 13:00+00'), lab.assess('demo.db.events', files => 500, file_bytes => 1000000, snapshots => 4);
SELECT lab.plan_at('2026-03-03 13:00+00');
-- the evening: the freeze is over, a budget is not
INSERT INTO floe.budget (name, operations) VALUES ('nothing', 0);
SELECT lab.plan_at('2026-03-03 20:00+00');
-- Wednesday: the policy is dropped at noon
SELECT lab.at('2026-03-04 12:00+00'), floe.drop_policy('house');
SELECT lab.plan_at('2026-03-04 14:00+00');
-- Thursday: another one, and the table cannot be read
SELECT lab.at('2026-03-05 08:00+00'), floe.create_policy('other', 'demo.db.*', '{"engine": "spark", "rewrite_data_files": {}, "thresholds": {"excess_file_count": {"warning": 1000, "critical": 2000}}}') > 0 AS made;
SELECT lab.plan_at('2026-03-05 08:00+00');
SELECT lab.at('2026-03-05 10:00+00'), floe_internal.table_failed(lab.id('demo.db.events'), 'corrupt', 'manifest m7.avro ends in the middle of a record', NULL);
SELECT lab.plan_at('2026-03-05 10:00+00');
SELECT lab.at('2026-03-05 16:00+00'), floe_internal.tables_unchanged(ARRAY[lab.id('demo.db.events')]);
SELECT lab.plan_at('2026-03-05 16:00+00');
-- Friday: everything is drained
SELECT lab.at('2026-03-06 12:00+00'), floe.drain('new rack');
SELECT lab.at('2026-03-06 14:00+00'), floe.undrain();

-- ---- and next Tuesday somebody asks ----

SELECT lab.at('2026-03-10 09:00+00');
-- "why was this table not compacted last Tuesday?"
SELECT verdict, gate, value, set_by, next_at, since, until FROM floe.why('demo.db.events', '2026-03-03 15:00+00'::timestamptz) WHERE operation = 'rewrite_data_files';
SELECT h.verdict, h.gate, h.value, h.limit_value, h.set_by, h.since, h.until, h.operation_id FROM floe.why_history AS h
	WHERE h.table_name = 'demo.db.events' AND h.operation = 'rewrite_data_files' AND (h.since, COALESCE(h.until, 'infinity')) OVERLAPS ('2026-03-03'::timestamptz, '2026-03-04'::timestamptz) ORDER BY h.since;
-- every hour of the week, as far as the answer is another one
SELECT min(w.at) AS first, max(w.at) AS last, w.told FROM (
	SELECT g.at, x.told, sum((x.told IS DISTINCT FROM x.before)::int) OVER (ORDER BY g.at) AS run
	FROM generate_series('2026-03-02 12:00+00'::timestamptz, '2026-03-07', interval '1 hour') AS g (at)
	CROSS JOIN LATERAL (SELECT concat_ws(' ', y.verdict, y.gate, y.value, y.limit_value, y.set_by, 'since', to_char(y.since, 'Dy HH24:MI'), 'until ' || to_char(y.until, 'Dy HH24:MI'), '#' || y.operation_id) AS told, NULL::text AS before
		FROM floe.why('demo.db.events', g.at) AS y WHERE y.operation = 'rewrite_data_files') AS x) AS w
GROUP BY w.told ORDER BY 1;
-- all operations, of a table for which nothing ever called
SELECT operation, verdict, gate, value, limit_value, set_by, since, until FROM floe.why('demo.db.calm', at => '2026-03-03 07:00+00');
SELECT operation, verdict, gate, value, set_by FROM floe.why('demo.db.calm', at => '2026-03-03 15:00+00');
SELECT count(*) FROM floe.why_history WHERE table_name = 'demo.db.calm';
-- what is not to be had, says why
SELECT lab.says(s) FROM (VALUES (1, $$SELECT * FROM floe.why('demo.db.events', '2026-03-11 00:00+00'::timestamptz)$$), (2, $$SELECT * FROM floe.why('demo.db.events', NULL::timestamptz)$$),
	(3, $$SELECT * FROM floe.why('demo.db.events', '2026-03-01 00:00+00'::timestamptz)$$), (4, $$SELECT * FROM floe.why('demo.db.events', '2025-03-01 00:00+00'::timestamptz)$$), (5, $$SELECT * FROM floe.why('demo.**', '2026-03-05 00:00+00'::timestamptz)$$),
	(6, $$SELECT * FROM floe.why('demo.**')$$), (7, $$SELECT * FROM floe.why('db.events')$$), (8, $$SELECT * FROM floe.why('DEMO.DB.EVENTS')$$), (9, $$SELECT * FROM floe.why('lake.db.events')$$), (10, $$SELECT * FROM floe.why('demo.db.nobody')$$),
	(11, $$SELECT * FROM floe.why('demo..t')$$), (12, $$SELECT * FROM floe.why(NULL)$$), (13, $$SELECT * FROM floe.why('demo.db.*')$$), (14, $$SELECT * FROM floe.why('demo.db.ev?nts', '2026-03-05 00:00+00'::timestamptz)$$)) AS v (n, s) ORDER BY n;

-- ---- what it costs ----

-- a pass over a fleet in which nothing changes writes no row
CREATE TABLE lab.rows_before AS SELECT v.xmin::text AS written_by, v.* FROM floe_internal.verdict AS v;
SELECT lab.later('1 day'), floe_internal.plan_and_queue(NULL) AS queued;
SELECT count(*) AS kept, count(*) FILTER (WHERE b.written_by IS DISTINCT FROM v.xmin::text) AS written FROM floe_internal.verdict AS v FULL JOIN lab.rows_before AS b USING (table_id, operation, since);
-- and each is forgotten so long after it was over
SELECT count(*) FROM floe_internal.verdict;
SET floe.why_history_retention = '6d';
SELECT floe_internal.purge(1000) AS more, count(*) FROM floe_internal.verdict;
SELECT since, until, gate FROM floe.why_history ORDER BY since;
RESET floe.why_history_retention;

-- ---- what an operation that may still run needs ----

DELETE FROM floe.budget;
SELECT floe.drop_policy('other');
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {"options": {"max_snapshot_age": "1 hour"}}, "remove_orphan_files": {"jitter": "0", "options": {"older_than": "1 day"}}}') > 0 AS made;
SELECT lab.at('2026-03-20 12:00+00'), lab.assess('demo.db.events', files => 400, file_bytes => 1000000, snapshots => 60, snapshot_gap => '1 day');
SELECT operation, operation_id IS NOT NULL AS queued FROM floe.trigger('demo.db.events', '{rewrite_data_files,expire_snapshots,remove_orphan_files}');
-- the rewrite is at the engine and then lost: nothing else of the table is claimed, however long it takes and however short the retention
SELECT left(lab.claim(1), 60) AS claimed;
CREATE FUNCTION lab.id_of(of_operation text) RETURNS bigint LANGUAGE sql AS $$ SELECT operation_id FROM floe_internal.operation_queue WHERE operation = of_operation $$;
SELECT (floe_internal.preflight(lab.id_of('rewrite_data_files'), 'spark-thrift', 'lake')).go, floe_internal.operation_saved(lab.id_of('rewrite_data_files'), '\x01', 's') IS NULL AS saved;
UPDATE floe_internal.operation_queue SET state = 'lost' WHERE state = 'running';
SELECT lab.later('3 days'), lab.claim(1) IS NULL AS nothing_claimed;
-- somebody cancels it while the engine cannot be asked
SELECT floe.cancel(lab.id_of('rewrite_data_files')), floe_internal.engine_ended(lab.id_of('rewrite_data_files'), 'lost', 'transient', 'the engine was silent', NULL, NULL) IS NULL AS ended;
SELECT (floe_internal.operation_verified(lab.id_of('rewrite_data_files'))).*;
-- writers went on meanwhile; the snapshot that it began with is the last but three
SELECT lab.assess('demo.db.events', files => 400, file_bytes => 1000000, snapshots => 63, snapshot_gap => '1 day');
SELECT left(lab.claim(1), 60) AS claimed, max(s.committed_at) FILTER (WHERE s.snapshot_id = 60) AS began_with FROM floe_internal.iceberg_table AS t, floe_internal.snapshot_list(t.snapshots) AS s WHERE t.name = 'demo.db.events';
-- the policy lets go what is older than an hour; what is sent leaves that snapshot and all after it
SELECT go, reason, substring(statement FROM 'older_than => [^,)]*') AS cut_off FROM floe_internal.preflight(lab.id_of('expire_snapshots'), 'spark-thrift', 'lake');
-- and so it is by name: snapshots that it may need are not removed
SELECT floe_internal.pinned_snapshot_problem(lab.id('demo.db.events'), '{"snapshot_ids": [59]}', t.snapshots, floe_internal.clock()) AS older, floe_internal.pinned_snapshot_problem(lab.id('demo.db.events'), '{"snapshot_ids": [59, 61]}', t.snapshots, floe_internal.clock()) AS newer
	FROM floe_internal.iceberg_table AS t WHERE t.name = 'demo.db.events';
SELECT floe.cancel(lab.id_of('expire_snapshots')), floe_internal.engine_ended(lab.id_of('expire_snapshots'), 'cancelled', NULL, '', NULL, NULL) IS NULL AS ended, (floe_internal.operation_verified(lab.id_of('expire_snapshots'))).state;
-- orphans wait as long again as it was allowed to take, whoever asked for them
SELECT left(lab.claim(1), 60) AS claimed;
SELECT go, reason FROM floe_internal.preflight(lab.id_of('remove_orphan_files'), 'spark-thrift', 'lake');
SELECT state, not_before FROM floe_internal.operation_queue;
SELECT operation, verdict, gate, value, next_at FROM floe.trigger('demo.db.events', '{remove_orphan_files}');
-- then no file goes that is as new as its beginning, though the policy says a day
SELECT lab.later('4 hours 1 second'), left(lab.claim(1), 60) AS claimed;
SELECT go, substring(statement FROM 'older_than => [^,)]*') AS cut_off, (SELECT l.dispatched_at FROM floe_internal.operation_log AS l WHERE l.outcome = 'lost') AS began FROM floe_internal.preflight(lab.id_of('remove_orphan_files'), 'spark-thrift', 'lake');
