--
-- Times: cron expressions, windows of the day and days of the week in time zones, over changes of the clock, and the spread of starts.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

-- ---- cron ----

-- in UTC
SELECT e AS expression, a AS after, floe_internal.cron_next(e, 'UTC', a) AS next, to_char(floe_internal.cron_next(e, 'UTC', a), 'dy') AS day FROM (VALUES
	('* * * * *', '2026-03-02 12:00:00Z'::timestamptz), ('* * * * *', '2026-03-02 12:00:59.999Z'), ('0 2 * * *', '2026-03-02 01:59:59Z'), ('0 2 * * *', '2026-03-02 02:00:00Z'), ('*/20 * * * *', '2026-03-02 12:41Z'), ('5/20 * * * *', '2026-03-02 12:46Z'),
	('10-20/5,50 8-10 * * *', '2026-03-02 10:21Z'), ('0 0 31 * *', '2026-03-31 00:00Z'), ('0 0 29 feb *', '2026-03-02 12:00Z'), ('0 0 * * 7', '2026-03-02 12:00Z'), ('0 0 * * sun', '2026-03-02 12:00Z'), ('0 0 * * 0', '2026-03-02 12:00Z'),
	('0 0 * * Mon-Fri', '2026-03-06 12:00Z'), ('0 0 13 * fri', '2026-03-02 12:00Z'), ('0 0 13 * *', '2026-03-14 12:00Z'), ('0 0 */2 * mon', '2026-03-03 12:00Z'), ('59 23 31 12 *', '2026-12-31 23:59Z'), ('@hourly', '2026-03-02 12:00Z'), ('@weekly', '2026-03-02 12:00Z'),
	('@monthly', '2026-03-02 12:00Z'), ('@yearly', '2026-03-02 12:00Z'), ('0 0 30 2 *', '2026-03-02 12:00Z'), ('0 0 1 1 *', '1999-12-31 23:59Z'), ('* * * * *', '1969-12-31 23:59:30Z'), ('0 0 * * *', 'infinity'), ('0 0 * * *', '-infinity')) AS v (e, a);

-- A minute is named when its local time is: the first such minute, found by looking at every minute.
CREATE TABLE lab.expression (e text, minutes int[], hours int[], days int[], months int[], weekdays int[]);
INSERT INTO lab.expression VALUES
	('* * * * *', NULL, NULL, NULL, NULL, NULL), ('*/7 * * * *', '{0,7,14,21,28,35,42,49,56}', NULL, NULL, NULL, NULL), ('30 * * * *', '{30}', NULL, NULL, NULL, NULL), ('59 */3 * * *', '{59}', '{0,3,6,9,12,15,18,21}', NULL, NULL, NULL),
	('15 * 29 * *', '{15}', NULL, '{29}', NULL, NULL), ('0 * * 10,3 *', '{0}', NULL, NULL, '{10,3}', NULL), ('45 * * * sat,sun', '{45}', NULL, NULL, NULL, '{6,0}'), ('1-3 * * * 1-4', '{1,2,3}', NULL, NULL, NULL, '{1,2,3,4}');
CREATE FUNCTION lab.first_minute(x lab.expression, zone text, after timestamptz) RETURNS timestamptz LANGUAGE sql AS $$
	SELECT m.utc FROM (SELECT g AS utc, g AT TIME ZONE zone AS t FROM generate_series(date_trunc('minute', after) + interval '1 minute', after + interval '50 hours', interval '1 minute') AS g) AS m
	WHERE (x.minutes IS NULL OR extract(minute FROM t) = ANY (x.minutes)) AND (x.hours IS NULL OR extract(hour FROM t) = ANY (x.hours)) AND (x.days IS NULL OR extract(day FROM t) = ANY (x.days))
		AND (x.months IS NULL OR extract(month FROM t) = ANY (x.months)) AND (x.weekdays IS NULL OR extract(dow FROM t) = ANY (x.weekdays))
	ORDER BY 1 LIMIT 1
$$;
SELECT count(*) AS asked, count(o.first) AS found, count(*) FILTER (WHERE n.next IS DISTINCT FROM o.first AND (o.first IS NOT NULL OR n.next < after + interval '50 hours')) AS different,
	min(format('%s in %s after %s: %s instead of %s', x.e, zone, after, n.next, o.first)) FILTER (WHERE n.next IS DISTINCT FROM o.first AND (o.first IS NOT NULL OR n.next < after + interval '50 hours')) AS one
FROM lab.expression AS x
CROSS JOIN (VALUES ('UTC'), ('Europe/Amsterdam'), ('America/New_York'), ('Australia/Lord_Howe'), ('Asia/Kathmandu')) AS z (zone)
CROSS JOIN (VALUES ('2026-03-28 22:13:20Z'::timestamptz), ('2026-03-29 00:59:00Z'), ('2026-03-29 01:00:00Z'), ('2026-04-04 14:29:00Z'), ('2026-10-03 15:30:00Z'), ('2026-10-25 00:29:00Z'), ('2026-10-25 01:00:00Z'), ('2026-11-01 05:45:00Z'), ('2026-12-31 23:59:00Z')) AS a (after)
CROSS JOIN LATERAL floe_internal.cron_next(x.e, zone, after) AS n (next)
CROSS JOIN LATERAL lab.first_minute(x, zone, after) AS o (first);

-- Every hour and minute comes once a day, on the days too on which the clock is changed: all half hours of a year in three zones.
WITH RECURSIVE run AS (
	SELECT z.zone, e.hour, e.minute, floe_internal.cron_next(format('%s %s * * *', e.minute, e.hour), z.zone, '2026-01-01 00:00'::timestamp AT TIME ZONE z.zone - interval '1 second') AS at
	FROM (VALUES ('Europe/Amsterdam'), ('America/New_York'), ('Australia/Lord_Howe')) AS z (zone), (SELECT h, m FROM generate_series(0, 23) AS h, (VALUES (0), (30)) AS m (m)) AS e (hour, minute)
	UNION ALL
	SELECT r.zone, r.hour, r.minute, floe_internal.cron_next(format('%s %s * * *', r.minute, r.hour), r.zone, r.at) FROM run AS r WHERE r.at < '2027-01-01 00:00'::timestamp AT TIME ZONE r.zone
), day AS (
	SELECT r.zone, r.hour, r.minute, r.at, (r.at AT TIME ZONE r.zone)::date AS day, (r.at AT TIME ZONE r.zone)::time AS clock FROM run AS r WHERE r.at < '2027-01-01 00:00'::timestamp AT TIME ZONE r.zone
)
SELECT zone, count(*) AS runs, count(DISTINCT (hour, minute, day)) AS days, count(DISTINCT (hour, minute)) * 365 AS wanted,
	string_agg(format('%s:%s at %s %s', hour, minute, day, clock), ', ' ORDER BY day, hour, minute) FILTER (WHERE clock <> make_time(hour, minute, 0)) AS moved
FROM day GROUP BY zone ORDER BY 1;

-- Local times that are skipped happen when the clock jumps, those that come twice happen the first time; with * in the minute or the hour the clock as it is decides (cron(8)).
SELECT e AS expression, zone, a AS after, floe_internal.cron_next(e, zone, a) AS next, floe_internal.cron_next(e, zone, a) AT TIME ZONE zone AS local FROM (VALUES
	('30 2 * * *', 'Europe/Amsterdam', '2026-03-28 12:00Z'::timestamptz), ('30 2 * * *', 'Europe/Amsterdam', '2026-03-29 01:00Z'), ('30 2 * * *', 'Europe/Amsterdam', '2026-10-24 12:00Z'), ('30 2 * * *', 'Europe/Amsterdam', '2026-10-25 00:30Z'),
	('30 * * * *', 'Europe/Amsterdam', '2026-03-29 00:30Z'), ('30 * * * *', 'Europe/Amsterdam', '2026-10-25 00:30Z'), ('30 * * * *', 'Europe/Amsterdam', '2026-10-25 01:30Z'),
	('15 2 * * *', 'America/New_York', '2026-03-08 06:00Z'), ('15 1 * * *', 'America/New_York', '2026-11-01 05:15Z'), ('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03 15:00Z'), ('0 12 * * *', 'Asia/Kathmandu', '2026-03-02 12:00Z'),
	('0 2 * * *', 'europe/amsterdam', '2026-07-01 12:00Z'), ('0 0 30 12 *', 'Pacific/Apia', '2011-12-01 00:00Z')) AS v (e, zone, a);
SELECT lab.says($$SELECT floe_internal.cron_next('0 2 * * *', 'Nowhere', now())$$);
SELECT lab.says($$SELECT floe_internal.cron_next('0 2 * *', 'UTC', now())$$);
SELECT floe_internal.cron_next(NULL, 'UTC', now()), floe_internal.cron_next('* * * * *', NULL, now()), floe_internal.cron_next('* * * * *', 'UTC', NULL);

-- ---- windows and days ----

SELECT w AS windows, d AS days, zone, a AS at, floe_internal.window_next(w, d, zone, a) AS next, to_char(floe_internal.window_next(w, d, zone, a) AT TIME ZONE zone, 'dy HH24:MI') AS local FROM (VALUES
	(NULL::text[], NULL::text[], 'UTC', '2026-03-02 12:34:56.789Z'::timestamptz), ('{}', '{}', 'UTC', '2026-03-02 12:34:56.789Z'), ('{12:00-13:00}', NULL, 'UTC', '2026-03-02 12:34:56.789Z'), ('{12:00-13:00}', NULL, 'UTC', '2026-03-02 12:00Z'),
	('{12:00-13:00}', NULL, 'UTC', '2026-03-02 13:00Z'), ('{12:00-13:00}', NULL, 'UTC', '2026-03-02 11:59:59Z'), ('{22:00-06:00}', NULL, 'UTC', '2026-03-02 05:59:59Z'), ('{22:00-06:00}', NULL, 'UTC', '2026-03-02 06:00Z'), ('{22:00-06:00}', '{sun}', 'UTC', '2026-03-02 05:00Z'),
	('{22:00-06:00}', '{mon}', 'UTC', '2026-03-02 05:00Z'), ('{22:00-06:00}', '{mon}', 'UTC', '2026-03-03 05:00Z'), (NULL, '{wed,sat}', 'UTC', '2026-03-02 12:00Z'), (NULL, '{Wednesday}', 'Asia/Kathmandu', '2026-03-03 18:15Z'), (NULL, '{wed}', 'Asia/Kathmandu', '2026-03-03 18:14:59Z'),
	('{01:00-02:00,03:00-04:00}', NULL, 'UTC', '2026-03-02 02:30Z'), ('{03:00-04:00,01:00-02:00}', NULL, 'UTC', '2026-03-02 12:00Z'), ('{00:00-24:00}', '{mon}', 'UTC', '2026-03-02 23:59:59Z'), ('{00:00-00:00}', '{mon}', 'UTC', '2026-03-03 00:00Z'),
	('{09:00-17:00}', '{mon,tue,wed,thu,fri}', 'America/New_York', '2026-03-06 22:00Z'), ('{02:15-02:45}', NULL, 'Europe/Amsterdam', '2026-03-29 00:30Z'), ('{02:15-02:45}', NULL, 'Europe/Amsterdam', '2026-10-25 01:20Z'), ('{23:00-03:30}', NULL, 'Europe/Amsterdam', '2026-10-25 02:15Z')) AS v (w, d, zone, a);
SELECT floe_internal.window_next('{01:00-02:00}', '{mon}', NULL, '2026-03-02 12:00Z') AS utc_by_default, floe_internal.window_next('{01:00-02:00}', NULL, 'UTC', NULL) AS no_time;
SELECT lab.says($$SELECT floe_internal.window_next('{01:00-02:00}', NULL, 'Nowhere', now())$$);

-- What is said to be the next time lies inside, and none before it does.
SELECT count(*) AS asked, count(*) FILTER (WHERE floe_internal.window_next(w, NULL, 'Europe/Amsterdam', n) IS DISTINCT FROM n) AS not_inside,
	count(*) FILTER (WHERE EXISTS (SELECT FROM generate_series(at, n - interval '5 minutes', interval '5 minutes') AS g WHERE floe_internal.window_next(w, NULL, 'Europe/Amsterdam', g) = g)) AS one_before
FROM (VALUES ('{02:15-02:45}'::text[]), ('{02:30-03:10}'), ('{01:30-02:30}'), ('{23:00-02:10}'), ('{03:00-03:05}')) AS v (w), generate_series('2026-03-28 12:00Z'::timestamptz, '2026-03-29 12:00Z', interval '5 minutes') AS at,
	LATERAL floe_internal.window_next(w, NULL, 'Europe/Amsterdam', at) AS n;

-- A time is inside when its local time is, looked at every ten minutes of the days on which the clock changes and those around them.
SELECT w.name, z.zone, count(*) AS times, count(*) FILTER (WHERE is_open) AS inside, count(*) FILTER (WHERE is_open <> by_clock) AS different,
	min(at) FILTER (WHERE is_open <> by_clock) AS first, max(at) FILTER (WHERE is_open <> by_clock) AS last
FROM (VALUES ('night', '{22:00-06:00}'::text[], NULL::text[]), ('small hours', '{02:10-02:50}', NULL), ('work', '{09:00-17:00}', '{mon,tue,wed,thu,fri}'), ('weekend', NULL, '{sat,sun}'), ('two', '{00:00-01:00,12:00-14:00}', NULL)) AS w (name, windows, days)
CROSS JOIN (VALUES ('UTC'), ('Europe/Amsterdam'), ('America/New_York'), ('Australia/Lord_Howe')) AS z (zone)
CROSS JOIN LATERAL (
	SELECT g AS at, floe_internal.window_next(w.windows, w.days, z.zone, g) = g AS is_open,
		(w.days IS NULL OR to_char(g AT TIME ZONE z.zone, 'dy') = ANY (w.days)) AND (w.windows IS NULL OR EXISTS (
			SELECT FROM unnest(w.windows) AS u (t), LATERAL (SELECT split_part(t, '-', 1)::time AS s, split_part(t, '-', 2)::time AS e, (g AT TIME ZONE z.zone)::time AS c) AS x
			WHERE CASE WHEN s < e THEN c >= s AND c < e ELSE c >= s OR c < e END)) AS by_clock
	FROM (VALUES ('2026-03-06Z'::timestamptz), ('2026-03-27Z'), ('2026-04-03Z'), ('2026-10-02Z'), ('2026-10-23Z'), ('2026-10-30Z')) AS s (start), generate_series(s.start, s.start + interval '4 days', interval '10 minutes') AS g) AS t
GROUP BY 1, 2 ORDER BY 1, 2;

-- ---- the spread of starts ----

-- the same for the same seed, spread over the width, never as long as it
SELECT floe_internal.jitter('demo.db.t', '10 minutes') = floe_internal.jitter('demo.db.t', '10 minutes') AS same, floe_internal.jitter('demo.db.t', '10 minutes') <> floe_internal.jitter('demo.db.u', '10 minutes') AS other, floe_internal.jitter('x', '0') AS none, floe_internal.jitter('x', '-1 hour') AS negative;
SELECT count(*) FILTER (WHERE j < '0' OR j >= '1 hour') AS outside, count(DISTINCT j) > 9900 AS different, min(n) > 900 AND max(n) < 1100 AS even
FROM (SELECT floe_internal.jitter('table ' || i, '1 hour') AS j FROM generate_series(1, 10000) AS i) AS x, LATERAL (SELECT count(*) AS n FROM generate_series(1, 10000) AS i WHERE floe_internal.jitter('table ' || i, '10 minutes') < '1 minute') AS y;

-- ---- the clock ----

SELECT floe_internal.clock();
RESET floe.virtual_clock;
SELECT floe_internal.clock() BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp() AS real;
CREATE ROLE regress_nobody;
SET ROLE regress_nobody;
SET floe.virtual_clock = '2026-03-02 12:00:00+00';
RESET ROLE;
DROP ROLE regress_nobody;
SET floe.virtual_clock = '2026-03-02 12:00:00+00';

-- ---- what a table is told: schedules, windows and days of a policy ----

SELECT lab.catalog(), lab.engine();
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000);
CREATE FUNCTION lab.times(policy text, at timestamptz) RETURNS TABLE (schedule text, schedule_next timestamptz, "window" text, window_next timestamptz) LANGUAGE sql AS $$
	SELECT s.status, s.next_at, w.status, w.next_at
	FROM lab.gate(format('SELECT floe.create_policy(''p'', ''demo.**'', %L), lab.at(%L)', format('{"engine": "spark", "rewrite_data_files": {"jitter": "0", %s}}', policy), at), 'demo.db.t', 'rewrite_data_files', 'schedule') AS s,
		 lab.gate(format('SELECT floe.create_policy(''p'', ''demo.**'', %L), lab.at(%L)', format('{"engine": "spark", "rewrite_data_files": {"jitter": "0", %s}}', policy), at), 'demo.db.t', 'rewrite_data_files', 'window') AS w
$$;
SELECT p AS policy, to_char(a, 'dy MM-DD HH24:MI') AS at, t.* FROM (VALUES
	('"schedule": "0 13 * * *"', '2026-03-02 12:00Z'::timestamptz), ('"schedule": "0 13 * * *"', '2026-03-02 12:59:59Z'), ('"schedule": "0 13 * * *"', '2026-03-02 13:00Z'), ('"schedule": "0 13 * * *", "timezone": "Europe/Amsterdam"', '2026-03-02 12:00Z'),
	('"schedule": "30 2 * * *", "timezone": "Europe/Amsterdam"', '2026-03-02 12:00Z'), ('"every": "1 hour"', '2026-03-02 12:00Z'), ('"every": "1 day"', '2026-03-02 12:00Z'),
	('"windows": "22:00-06:00", "timezone": "Europe/Amsterdam"', '2026-03-02 12:00Z'), ('"windows": "22:00-06:00", "timezone": "Europe/Amsterdam"', '2026-03-02 21:00Z'), ('"days": ["sun"]', '2026-03-02 12:00Z'), ('"windows": "13:00-14:00", "days": ["mon"]', '2026-03-02 12:00Z'),
	('"windows": "13:00-14:00", "days": ["mon"]', '2026-03-02 13:30Z'), ('"windows": []', '2026-03-02 12:00Z')) AS v (p, a) CROSS JOIN LATERAL lab.times(p, a) AS t;
