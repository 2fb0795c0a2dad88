--
-- Debt: the score that orders candidates, term by term, against numbers worked out by hand; estimates, and what they learn.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT term, weight, is_penalty, description FROM floe.debt_term ORDER BY position;
SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_position_delete_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {}}') AS policy;
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 20, position_deletes => 10, snapshots => 15, snapshot_gap => '1 day');
SELECT lab.later('3 days');

SELECT * FROM floe.debt('demo.db.t');
-- by hand: severity 0.5 at the warning and 1 at critical, straight in between; gain and benefit on a logarithmic scale to 100000; age against 30 days, or the deadline of 7
SELECT round((0.5 + 0.5 * (499 - 100) / 900.0)::numeric, 4) AS severity, round((ln(1 + 499) / ln(100001))::numeric, 4) AS gain, round((3 / 30.0)::numeric, 4) AS age, round((3 / 7.0)::numeric, 4) AS age_of_snapshots,
	round((0.2 + 500e6 / 20e6 / 60)::numeric, 4) AS minutes, round((ln(1 + 499 / ((0.2 + 500e6 / 20e6 / 60) / 60 * 2)) / ln(100001))::numeric, 4) AS benefit;
SELECT operation, round(objects::numeric, 1) AS objects, bytes, round(minutes::numeric, 4) AS minutes, round(gb_hours::numeric, 5) AS gb_hours, runs FROM floe_internal.estimates(ARRAY[lab.id('demo.db.t')], floe_internal.clock()) ORDER BY operation;
-- the score that selection uses is their sum
SELECT w.operation, w.score, abs(w.score - (SELECT sum(d.contribution) FROM floe.debt('demo.db.t') AS d WHERE d.operation = w.operation)) < 0.0003 AS is_sum FROM floe.why('demo.db.t') AS w;

-- no term leaves 0 to 1, whatever is measured
SELECT count(*) AS terms, count(*) FILTER (WHERE d.value NOT BETWEEN 0 AND 1) AS outside
FROM (VALUES ('{}'::jsonb), ('{"excess_file_count": 1000000000, "small_file_bytes": 9000000000000000, "delete_ratio": 12, "excess_manifest_count": 1000000000}'), ('{"excess_file_count": null, "small_file_bytes": null, "record_count": null}'),
	('{"excess_file_count": 0, "small_file_bytes": 0}')) AS v (m),
	LATERAL (SELECT (translate(x, '()', ''))::float8 AS value FROM lab.rows(format('SELECT lab.measure(%L, %L), lab.later(%L)', 'demo.db.t', m, '400 days'), 'SELECT t.value FROM floe.debt(''demo.db.t'') AS t') AS x) AS d;

-- weights: a policy's over the defaults, one by one
SELECT floe.alter_policy('p', '{"weights": {"severity": 10, "failures": 0}}');
SELECT operation, term, value, weight, contribution FROM floe.debt('demo.db.t') WHERE operation = 'rewrite_data_files';
SELECT floe.alter_policy('p', '{"weights": null}');
UPDATE floe.debt_term SET weight = 0 WHERE term = 'gain';
SELECT operation, term, value, weight, contribution FROM floe.debt('demo.db.t') WHERE operation = 'rewrite_data_files';
UPDATE floe.debt_term SET weight = 2 WHERE term = 'gain';

-- a table that keeps failing never climbs; one that waited longer does
SELECT lab.assess('demo.db.u', files => 500, file_bytes => 1000000);
SELECT n AS failures, s AS score FROM generate_series(0, 7) AS n,
	LATERAL lab.rows(format($$INSERT INTO floe_internal.table_operation (table_id, operation, failures) VALUES (lab.id('demo.db.t'), 'rewrite_data_files', %s)$$, n), $$SELECT w.score FROM floe.why('demo.db.t') AS w WHERE w.operation = 'rewrite_data_files'$$) AS s;
SELECT days, s AS score FROM unnest(ARRAY[0, 1, 10, 30, 100]) AS days,
	LATERAL lab.rows(format('SELECT lab.later(%L)', days || ' days'), $$SELECT w.score FROM floe.why('demo.db.u') AS w WHERE w.operation = 'rewrite_data_files'$$) AS s;
-- worse is higher: each step of each metric adds
SELECT bool_and(score > before) AS rises FROM (
	SELECT n, score, lag(score, 1, 0) OVER (ORDER BY n) AS before FROM generate_series(50, 1050, 100) AS n,
		LATERAL (SELECT translate(x, '()', '')::float8 AS score FROM lab.rows(format($$SELECT lab.measure('demo.db.t', '{"excess_file_count": %s}')$$, n), $$SELECT w.score FROM floe.why('demo.db.t') AS w WHERE w.operation = 'rewrite_data_files'$$) AS x) AS s) AS y;

-- ---- estimates learn from runs that succeeded, of this engine and operation, the last twenty ----

SELECT * FROM floe_internal.throughput('spark', 'rewrite_data_files');
CREATE FUNCTION lab.past(n int, engine text, operation text, state text, bytes bigint, seconds int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, estimate, queued_at, started_at, engine_ended_at)
	SELECT 1, 'demo.db.t', operation, state, false, 'floe', engine, '{}', '', '{}', '[]', CASE WHEN bytes IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('bytes', bytes) END, floe_internal.clock(), floe_internal.clock(), floe_internal.clock() + make_interval(secs => seconds) FROM generate_series(1, n)
$$;
SELECT lab.past(5, 'other', 'rewrite_data_files', 'succeeded', 1000000000, 1), lab.past(5, 'spark', 'rewrite_manifests', 'succeeded', 1000000000, 1), lab.past(5, 'spark', 'rewrite_data_files', 'failed', 1000000000, 1),
	lab.past(1, 'spark', 'rewrite_data_files', 'succeeded', NULL, 1), lab.past(1, 'spark', 'rewrite_data_files', 'succeeded', 1000000000, 0);
SELECT * FROM floe_internal.throughput('spark', 'rewrite_data_files');
SELECT lab.past(30, 'spark', 'rewrite_data_files', 'succeeded', 1000000, 1);
SELECT * FROM floe_internal.throughput('spark', 'rewrite_data_files');
SELECT lab.past(10, 'spark', 'rewrite_data_files', 'succeeded', 1000000000, 10);
SELECT * FROM floe_internal.throughput('spark', 'rewrite_data_files');
SELECT operation, minutes, gb_hours FROM floe.plan('demo.db.t') WHERE operation = 'rewrite_data_files';
SELECT lab.says($$SELECT * FROM floe.debt('demo.db.nobody')$$);
