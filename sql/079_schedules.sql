--
-- Schedules while time goes by: what was missed runs once, a change of a schedule counts from the next plan on, nothing is done for the past,
-- and the tables of one schedule never start all at once.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '
SELECT lab.catalog(), lab.engine();

-- A plan, and everything it queued brought to its end.
CREATE FUNCTION lab.pass() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	ran bigint := 0;
BEGIN
	PERFORM floe_internal.plan_and_queue('**');
	WHILE lab.claim() IS NOT NULL LOOP
		SELECT operation_id INTO STRICT id FROM floe_internal.operation_queue WHERE state = 'dispatching';
		IF NOT (SELECT p.go FROM floe_internal.preflight(id, 'spark-thrift', 'lake') AS p) THEN
			RAISE EXCEPTION 'called off: %', (SELECT p.reason FROM floe_internal.preflight(id, 'spark-thrift', 'lake') AS p);
		END IF;
		PERFORM floe_internal.operation_saved(id, '\x01', 's'), floe_internal.engine_ended(id, 'succeeded', NULL, '', NULL, 3), floe_internal.operation_verified(id);
		ran := ran + 1;
	END LOOP;
	RETURN ran;
END $$;
-- Plans now and every so often until a time; when something ran, and how much if it was more than one.
CREATE FUNCTION lab.watch(until timestamptz, step interval) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text[] := '{}';
	ran bigint;
BEGIN
	LOOP
		ran := lab.pass();
		IF ran > 0 THEN
			told := array_append(told, to_char(floe_internal.clock(), 'DD HH24:MI') || CASE WHEN ran > 1 THEN format(' (%s)', ran) ELSE '' END);
		END IF;
		EXIT WHEN floe_internal.clock() + step > until;
		PERFORM lab.later(step);
	END LOOP;
	PERFORM lab.at(until);
	RETURN COALESCE(NULLIF(array_to_string(told, ', '), ''), 'nothing');
END $$;
-- A new policy at noon of the second, and nothing known of earlier ones. Orphan files are called for by the calendar alone.
CREATE FUNCTION lab.policy(schedule text, pattern text DEFAULT 'demo.db.t') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lab.at('2026-03-02 12:00+00'), floe.drop_policy(p.name) FROM floe.policy AS p;
	DELETE FROM floe_internal.table_operation;
	PERFORM floe.create_policy('p', pattern, format('{"engine": "spark", "remove_orphan_files": {"min_interval": "0", %s}}', schedule)::jsonb);
	RETURN schedule;
END $$;
-- Changes the schedule, or the policy.
CREATE FUNCTION lab.alter(schedule text, policy text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM floe.alter_policy('p', format(COALESCE('{' || policy || '}', '{"remove_orphan_files": {%s}}'), schedule)::jsonb);
	RETURN to_char(floe_internal.clock(), 'DD HH24:MI') || ': ' || COALESCE(policy, schedule);
END $$;
SELECT lab.assess('demo.db.t');

-- ---- missed times ----

-- three days without a plan: one run, then the next regular time
SELECT lab.policy('"schedule": "0 * * * *", "jitter": "0"') AS schedule, lab.watch('2026-03-02 14:30+00', '30 minutes') AS runs, lab.at('2026-03-05 17:25+00') AS back, lab.watch('2026-03-05 19:00+00', '5 minutes') AS runs;
SELECT lab.policy('"every": "1 hour", "jitter": "0"') AS schedule, lab.watch('2026-03-02 14:30+00', '30 minutes') AS runs, lab.at('2026-03-05 17:25+00') AS back, lab.watch('2026-03-05 19:00+00', '5 minutes') AS runs;
-- plans that come late, and not at all times: an interval does not drift, and is not made up for
SELECT lab.policy('"every": "1 hour", "jitter": "0"') AS schedule, lab.watch('2026-03-02 16:00+00', '7 minutes') AS every_7_minutes, lab.watch('2026-03-02 23:00+00', '25 minutes') AS every_25_minutes, lab.watch('2026-03-03 06:00+00', '90 minutes') AS every_90_minutes;
SELECT lab.policy('"schedule": "*/20 * * * *", "jitter": "0"') AS schedule, lab.watch('2026-03-02 15:00+00', '45 minutes') AS every_45_minutes;
-- across a change of the clock a day has 23 hours, an interval of a day has 24
SELECT lab.policy('"schedule": "30 2 * * *", "timezone": "Europe/Amsterdam", "jitter": "0"') AS schedule, lab.at('2026-03-28 00:30+00') AS back, lab.watch('2026-03-28 02:00+00', '30 minutes') AS runs, lab.at('2026-03-29 00:00+00') AS back, lab.watch('2026-03-30 02:00+00', '30 minutes') AS runs;
SET timezone = 'Europe/Amsterdam';
SELECT lab.policy('"every": "1 day", "jitter": "0"') AS schedule, lab.at('2026-03-28 12:00+00') AS back, lab.watch('2026-03-30 13:00+00', '2 hours') AS runs;
SET timezone = 'UTC';
-- a time that came while the table was paused is honoured when it is not any more; one that came outside the window, when that opens
SELECT lab.policy('"schedule": "0 14 * * *", "jitter": "0"') AS schedule, floe.pause('demo.db.t', '2026-03-02 16:30+00', 'loading') AS paused, lab.watch('2026-03-03 15:00+00', '30 minutes') AS runs, floe.resume('demo.db.t') AS resumed;
SELECT lab.policy('"schedule": "0 14 * * *", "windows": "20:00-22:00", "jitter": "0"') AS schedule, lab.watch('2026-03-03 23:00+00', '2 hours') AS runs;

-- ---- changes ----

SELECT lab.policy('"schedule": "0 2 * * *", "jitter": "0"') AS schedule, lab.watch('2026-03-03 15:00+00', '1 hour') AS runs;
SELECT lab.alter('"schedule": "30 15 * * *"') AS change, lab.watch('2026-03-03 16:00+00', '10 minutes') AS runs, lab.at('2026-03-04 15:20+00') AS back, lab.watch('2026-03-04 16:00+00', '10 minutes') AS runs;
SELECT lab.alter('"timezone": "Asia/Tokyo"') AS change, lab.watch('2026-03-05 16:00+00', '30 minutes') AS runs;
-- from any to any other: not before its time, and not forgotten
SELECT lab.alter('"every": "6 hours"') AS change, lab.watch('2026-03-06 01:00+00', '1 hour') AS runs;
SELECT lab.alter('"every": "1 hour"') AS change, lab.watch('2026-03-06 04:10+00', '15 minutes') AS runs;
SELECT lab.alter('"every": "3 hours"') AS change, lab.watch('2026-03-06 12:00+00', '20 minutes') AS runs;
SELECT lab.alter('"schedule": "@daily"') AS change, lab.watch('2026-03-07 16:00+00', '1 hour') AS runs;
-- floe's own cadence of seven days: when, depends on the table alone
SELECT lab.alter('"schedule": null') AS change, lab.watch('2026-03-14 12:00+00', '1 day') AS runs;
SELECT x.next_due_at BETWEEN '2026-03-14 16:00+00' AND '2026-03-21 12:00+00' AS within_a_week FROM floe_internal.table_operation AS x;
SELECT lab.alter('"every": "12 hours"') AS change, lab.watch('2026-03-15 13:00+00', '2 hours') AS runs;
-- a change of something else changes no time, and neither does another policy
SELECT x.next_due_at AS before FROM floe_internal.table_operation AS x WHERE x.schedule_key IS NOT NULL;
SELECT lab.alter('"options": {"older_than": "4 days"}') AS change, floe.create_policy('other', 'demo.**', '{"expire_snapshots": {}, "remove_orphan_files": {"timeout": "2 hours"}}') > 0 AS other, lab.pass() AS ran;
SELECT x.next_due_at AS after FROM floe_internal.table_operation AS x WHERE x.schedule_key IS NOT NULL;
-- the time zone may be another policy's
SELECT lab.policy('"schedule": "0 14 * * *", "jitter": "0"') AS schedule, lab.watch('2026-03-03 15:00+00', '1 hour') AS runs;
SELECT floe.create_policy('zone', '**', '{"remove_orphan_files": {"timezone": "America/New_York"}}') > 0 AS zone, lab.watch('2026-03-04 20:00+00', '1 hour') AS runs;
SELECT floe.alter_policy('zone', '{"remove_orphan_files": {"timezone": "Asia/Tokyo"}}') IS NOT NULL AS zone, lab.watch('2026-03-05 20:00+00', '1 hour') AS runs;
-- jitter: nothing for the past, and from the next time on
SELECT lab.policy('"schedule": "0 14 * * *", "jitter": "0"') AS schedule, lab.watch('2026-03-05 12:00+00', '1 day') AS runs, lab.alter('"jitter": "30 minutes"') AS change, lab.watch('2026-03-05 13:59+00', '10 minutes') AS nothing;
SELECT x.next_due_at >= '2026-03-05 14:00+00' AND x.next_due_at < '2026-03-05 14:30+00' AS put_off FROM floe_internal.table_operation AS x;

-- ---- off and on again ----

SELECT lab.policy('"schedule": "0 * * * *", "jitter": "0"') AS schedule, lab.watch('2026-03-02 14:30+00', '30 minutes') AS runs, lab.alter('', '"enabled": false') AS off, lab.watch('2026-03-02 16:10+00', '50 minutes') AS while_off;
SELECT lab.alter('', '"enabled": true') AS "on", lab.watch('2026-03-02 17:10+00', '10 minutes') AS runs;
-- ... while another policy has plans made for the table
SELECT lab.policy('"schedule": "0 * * * *", "jitter": "0"') AS schedule, floe.create_policy('other', 'demo.**', '{"rewrite_manifests": {}}') > 0 AS other, lab.watch('2026-03-02 14:30+00', '30 minutes') AS runs,
	lab.alter('', '"enabled": false') AS off, lab.watch('2026-03-02 16:10+00', '50 minutes') AS while_off;
SELECT lab.alter('', '"enabled": true') AS "on", lab.watch('2026-03-02 17:10+00', '10 minutes') AS runs;
-- ... the operation alone
SELECT lab.policy('"schedule": "0 * * * *", "jitter": "0"') AS schedule, lab.watch('2026-03-02 14:30+00', '30 minutes') AS runs, lab.alter('"enabled": false') AS off, lab.watch('2026-03-02 16:10+00', '50 minutes') AS while_off;
SELECT lab.alter('"enabled": true') AS "on", lab.watch('2026-03-02 17:10+00', '10 minutes') AS runs;
-- ... by the pattern
SELECT lab.policy('"schedule": "0 * * * *", "jitter": "0"') AS schedule, lab.watch('2026-03-02 14:30+00', '30 minutes') AS runs, lab.alter('', '"pattern": "demo.other.*"') AS off, lab.watch('2026-03-02 16:10+00', '50 minutes') AS while_off;
SELECT lab.alter('', '"pattern": "demo.db.t"') AS "on", lab.watch('2026-03-02 17:10+00', '10 minutes') AS runs;
-- ... an interval: not earlier than an interval after the last run, and at once if that is past
SELECT lab.policy('"every": "3 hours", "jitter": "0"') AS schedule, lab.watch('2026-03-02 16:00+00', '1 hour') AS runs, lab.alter('', '"enabled": false') AS off, lab.watch('2026-03-02 16:30+00', '10 minutes') AS while_off;
SELECT lab.alter('', '"enabled": true') AS "on", lab.watch('2026-03-02 22:00+00', '30 minutes') AS runs, lab.alter('', '"enabled": false') AS off, lab.watch('2026-03-03 04:10+00', '1 hour') AS while_off;
SELECT lab.alter('', '"enabled": true') AS "on", lab.watch('2026-03-03 11:00+00', '1 hour') AS runs;
-- a policy whose schedule was hidden by another's, for months: not in the middle of the day
SELECT lab.policy('"schedule": "0 2 * * *", "jitter": "0"') AS schedule, floe.create_policy('narrow', 'demo.db.t', '{"priority": 1, "remove_orphan_files": {"schedule": "0 0 1 1 *", "jitter": "0"}}') > 0 AS narrow, lab.watch('2026-06-02 12:00+00', '31 days') AS runs;
SELECT floe.drop_policy('narrow'), lab.watch('2026-06-03 12:00+00', '1 hour') AS runs;

-- ---- a table that appears later ----

SELECT lab.policy('"schedule": "0 * * * *", "jitter": "0"', 'demo.db.late*') AS schedule, lab.at('2026-03-02 14:20+00') AS at;
SELECT lab.assess('demo.db.late'), lab.watch('2026-03-02 16:30+00', '20 minutes') AS runs;
SELECT lab.policy('"every": "3 hours", "jitter": "0"', 'demo.db.later') AS schedule, lab.at('2026-03-02 14:20+00') AS at;
SELECT lab.assess('demo.db.later'), lab.watch('2026-03-02 21:00+00', '20 minutes') AS runs;

-- ---- never all at once ----

-- By default a start is put off by up to five minutes, and an interval's by no more than a tenth of it; by a policy as much as it says; but always by less
-- than the time to the next one. Later it is the same again.
SELECT lab.at('2026-03-02 12:00+00');
SELECT count(lab.assess('demo.many.t' || n)) FROM generate_series(1, 100) AS n;
CREATE FUNCTION lab.starts(schedule text, earliest interval, width interval, OUT seconds bigint, OUT inside bool, OUT fills_it bool) LANGUAGE plpgsql AS $$
DECLARE
	offsets interval[];
BEGIN
	PERFORM lab.policy(schedule, 'demo.many.*');
	PERFORM floe_internal.sync_schedules(array_agg(t.table_id), floe_internal.clock()) FROM floe_internal.iceberg_table AS t;
	SELECT array_agg(x.next_due_at - floe_internal.clock() - earliest ORDER BY x.next_due_at) INTO STRICT offsets FROM floe_internal.table_operation AS x WHERE x.next_due_at IS NOT NULL;
	SELECT count(DISTINCT date_trunc('second', o)), bool_and(o >= '0' AND o < width), max(o) - min(o) > width * 0.9 INTO seconds, inside, fills_it FROM unnest(offsets) AS o;
	-- of a hundred in so many seconds, these are different ones
	seconds := seconds * 100 / LEAST(100, extract(epoch FROM width));
END $$;
SELECT s.schedule, x.seconds > 45 AS apart, x.inside, x.fills_it
FROM (VALUES (1, '"every": "1 day"', '0:00'::interval, '0:05'::interval), (2, '"every": "10 minutes"', '0:00', '0:01'), (3, '"every": "1 day", "jitter": "10 hours"', '0:00', '10:00'), (4, '"every": "1 minute", "jitter": "1 hour"', '0:00', '0:01'),
	(5, '"schedule": "0 5 * * *"', '17:00', '0:05'), (6, '"schedule": "0 5 * * *", "jitter": "2 hours"', '17:00', '2:00'), (7, '"schedule": "* * * * *"', '0:01', '0:01'), (8, '"schedule": "*/15 * * * *", "jitter": "3 hours"', '0:15', '0:15'),
	(9, '"schedule": "0,1 14 * * *"', '2:00', '0:01'), (10, '"options": {}', '0:00', '168:00')) AS s (n, schedule, earliest, width)
CROSS JOIN LATERAL lab.starts(s.schedule, s.earliest, s.width) AS x ORDER BY s.n;
SELECT lab.policy('"every": "1 day", "jitter": "0"', 'demo.many.t1?') AS schedule, lab.watch('2026-03-02 13:00+00', '30 minutes') AS runs;
-- plans bring tables together, their next times are apart again: after plans that came by when they liked, each has the time it had
SELECT lab.policy('"every": "1 hour"', 'demo.many.t1?') AS schedule;
SELECT floe_internal.sync_schedules(array_agg(t.table_id), floe_internal.clock()) FROM floe_internal.iceberg_table AS t;
CREATE TABLE lab.first AS SELECT x.table_id, x.next_due_at FROM floe_internal.table_operation AS x;
SELECT lab.watch('2026-03-02 13:42+00', '17 minutes') AS runs, lab.at('2026-03-03 11:42+00'), lab.pass() AS ran;
SELECT x.next_due_at - f.next_due_at AS later, count(*) AS tables FROM floe_internal.table_operation AS x JOIN lab.first AS f USING (table_id) GROUP BY 1;
-- two operations of one table have times of their own
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"every": "1 hour"}, "remove_orphan_files": {"every": "1 hour"}}') IS NOT NULL AS both;
SELECT floe_internal.sync_schedules(array_agg(t.table_id), floe_internal.clock()) FROM floe_internal.iceberg_table AS t;
SELECT count(*) AS tables, count(*) FILTER (WHERE x.next_due_at = y.next_due_at) AS together FROM floe_internal.table_operation AS x JOIN floe_internal.table_operation AS y USING (table_id) WHERE x.operation = 'rewrite_data_files' AND y.operation = 'remove_orphan_files';
