--
-- Debt: the score that orders candidates, term by term, against numbers worked out by hand; presets, weights, and functions of the user's own.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT term, half, is_log, is_penalty, weight FROM floe.debt_term ORDER BY position;
SELECT preset, string_agg(format('%s %s', p.weight, p.term), ', ' ORDER BY t.position) AS weights FROM floe.debt_preset AS p JOIN floe.debt_term AS t USING (term) GROUP BY preset ORDER BY preset;

-- each term by hand: raw / (raw + half), or with ln(1 + raw) and ln(1 + half)
CREATE TABLE lab.hand (term text, raw float8, wanted float8);
INSERT INTO lab.hand VALUES
	('severity', 0, 0.000000), ('severity', 0.1, 0.090909), ('severity', 0.25, 0.200000), ('severity', 0.5, 0.333333), ('severity', 0.75, 0.428571), ('severity', 1, 0.500000),
	('severity', 3, 0.750000), ('severity', 9, 0.900000), ('severity', 99, 0.990000), ('gain', 0, 0.000000), ('gain', 1, 0.091181), ('gain', 9, 0.249973),
	('gain', 99, 0.399965), ('gain', 499, 0.473553), ('gain', 1000, 0.500000), ('gain', 10000, 0.571396), ('gain', 1000000.0, 0.666635), ('benefit', 0, 0.000000),
	('benefit', 0.5, 0.042166), ('benefit', 1, 0.069990), ('benefit', 1350, 0.439039), ('benefit', 10000, 0.500000), ('benefit', 24275.675676, 0.522966), ('benefit', 1000000.0, 0.599997),
	('benefit', 1000000000.0, 0.692305), ('benefit', 1000000000000.0, 0.749998), ('age', 0, 0.000000), ('age', 0.1, 0.090909), ('age', 0.5, 0.333333), ('age', 1, 0.500000),
	('age', 2, 0.666667), ('age', 12, 0.923077), ('failures', 0, 0.000000), ('failures', 1, 0.333333), ('failures', 2, 0.500000), ('failures', 3, 0.600000),
	('failures', 5, 0.714286), ('failures', 50, 0.961538), ('freed', 0, 0.000000), ('freed', 1, 0.029223), ('freed', 1000000.0, 0.375000), ('freed', 1000000000.0, 0.473684),
	('freed', 10000000000.0, 0.500000), ('freed', 1000000000000.0, 0.545455), ('freed', 1e15, 0.600000), ('share', 0, 0.000000), ('share', 0.01, 0.009901), ('share', 0.51, 0.337748),
	('share', 0.6, 0.375000), ('share', 0.99, 0.497487), ('share', 1, 0.500000), ('overdue', 0, 0.000000), ('overdue', 0.5, 0.333333), ('overdue', 1, 0.500000),
	('overdue', 4, 0.800000), ('pressure', 0, 0.000000), ('pressure', 10, 0.172376), ('pressure', 1000, 0.375034), ('pressure', 100000, 0.500000), ('pressure', 10000000.0, 0.583333),
	('overwrite', 0, 0.000000), ('overwrite', 0.1, 0.090909), ('overwrite', 1, 0.500000), ('overwrite', 7, 0.875000), ('overwrite', 168, 0.994083);
SELECT count(*) AS cases, count(*) FILTER (WHERE abs(floe_internal.debt_value(h.raw, t.half, t.is_log) - h.wanted) < 1e-6) AS right FROM lab.hand AS h JOIN floe.debt_term AS t USING (term);
SELECT h.*, floe_internal.debt_value(h.raw, t.half, t.is_log) FROM lab.hand AS h JOIN floe.debt_term AS t USING (term) WHERE abs(floe_internal.debt_value(h.raw, t.half, t.is_log) - h.wanted) >= 1e-6;
SELECT t.is_log, raw, floe_internal.debt_value(raw, 1, t.is_log) AS value FROM (VALUES (false), (true)) AS t (is_log), unnest(ARRAY[NULL, -1, '-Infinity', 'NaN', 'Infinity', 1e308]::float8[]) AS raw;

SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_position_delete_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {}}') AS policy;
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 20, position_deletes => 10, snapshots => 15, snapshot_gap => '1 day');
SELECT lab.later('3 days');

SELECT operation, term, raw, value, weight, contribution FROM floe.debt('demo.db.t') WHERE raw > 0;
SELECT DISTINCT term, set_by FROM floe.debt('demo.db.t') ORDER BY 1;
-- by hand: severity between the warning of 100 and the critical 1000; benefit with the default of 12 seconds and 20 MB a second, 2 GB; age against 30 days
SELECT round((0.5 + 0.5 * (499 - 100) / 900.0)::numeric, 3) AS severity, round((499 / ((12 + 500e6 / 20e6) / 3600 * 2))::numeric, 3) AS benefit, round(3 / 30.0, 3) AS age, round(499 / 510.0, 3) AS share,
	round((7 / 4.0), 3) AS overwrite;
-- the score that selection uses is their sum
SELECT w.operation, w.score, abs(w.score - (SELECT sum(d.contribution) FROM floe.debt('demo.db.t') AS d WHERE d.operation = w.operation)) < 0.00001 AS is_sum FROM floe.why('demo.db.t') AS w;

-- no term leaves 0 to 1, whatever is measured
SELECT count(*) AS terms, count(*) FILTER (WHERE d.value NOT BETWEEN 0 AND 1) AS outside
FROM (VALUES ('{}'::jsonb), ('{"excess_file_count": 1000000000, "small_file_bytes": 9000000000000000, "delete_ratio": 12, "excess_manifest_count": 1000000000}'), ('{"excess_file_count": null, "small_file_bytes": null, "record_count": null}'),
	('{"excess_file_count": 0, "small_file_bytes": 0}')) AS v (m),
	LATERAL (SELECT (translate(x, '()', ''))::float8 AS value FROM lab.rows(format('SELECT lab.measure(%L, %L), lab.later(%L)', 'demo.db.t', m, '400 days'), 'SELECT t.value FROM floe.debt(''demo.db.t'') AS t') AS x) AS d;

-- ---- what was wrong with the original, and with others ----

CREATE FUNCTION lab.score(setup text, preset text DEFAULT 'severity', of_operation text DEFAULT 'rewrite_data_files') RETURNS float8 LANGUAGE sql AS $$
	SELECT translate(x, '()', '')::float8 FROM lab.rows(format('SELECT floe.alter_policy(''p'', %L); ', jsonb_build_object('score', preset)) || setup,
		format($q$SELECT w.score FROM floe.why('demo.db.t') AS w WHERE w.operation = %L$q$, of_operation)) AS x
$$;
CREATE FUNCTION lab.failed(n int) RETURNS text LANGUAGE sql AS $$ SELECT format($q$INSERT INTO floe_internal.table_operation (table_id, operation, failures) VALUES (lab.id('demo.db.t'), 'rewrite_data_files', %s)$q$, n) $$;
CREATE FUNCTION lab.sick(files int, of_files int) RETURNS text LANGUAGE sql AS $$ SELECT format($q$SELECT lab.measure('demo.db.t', '{"excess_file_count": %s, "small_file_count": %s, "data_file_count": %s, "position_delete_file_count": 0}')$q$, files, files, of_files) $$;
-- first and second: what the first must be of the second
SELECT c.fault, p.preset, lab.score(c.first, p.preset) AS first, c.must_be, lab.score(c.second, p.preset) AS second,
	CASE c.must_be WHEN '<' THEN lab.score(c.first, p.preset) < lab.score(c.second, p.preset) WHEN '=' THEN lab.score(c.first, p.preset) = lab.score(c.second, p.preset) END AS holds
FROM (VALUES
	(1, 'failures raise priority', lab.failed(1), '<', ''),
	(2, '... each of them', lab.failed(7), '<', lab.failed(3)),
	(3, '... and never stop', lab.failed(500), '<', lab.failed(7)),
	(4, '51 % of the files are as bad as 99 %', lab.sick(5100, 10000), '<', lab.sick(9900, 10000)),
	(5, 'beyond critical all are equal', lab.sick(2000, 10000), '<', lab.sick(9000, 10000)),
	(6, '... far beyond, too', lab.sick(100000000, 1000000000), '<', lab.sick(200000000, 1000000000)),
	(7, 'W40: a table that nobody writes gains debt', lab.sick(0, 10), '=', lab.sick(0, 10) || '; SELECT lab.later(''300 days'')'),
	(8, 'W40: ... because its last snapshot is old', $$SELECT lab.measure('demo.db.t', '{"newest_snapshot_at": "2026-03-01", "last_write_at": "2026-03-01"}')$$, '=', $$SELECT lab.measure('demo.db.t', '{"newest_snapshot_at": "2020-03-01", "last_write_at": "2020-03-01"}')$$)
	) AS c (n, fault, first, must_be, second), (VALUES ('severity'), ('benefit')) AS p (preset) ORDER BY c.n, p.preset;
-- one that waits, and has something to do, climbs with severity; by benefit once it is beyond its deadline
SELECT days, lab.score(format('SELECT lab.later(%L)', days || ' days')) AS severity, lab.score(format('SELECT lab.later(%L)', days || ' days'), 'benefit', 'expire_snapshots') AS benefit_of_snapshots FROM unnest(ARRAY[0, 1, 3, 4, 5, 30, 100]) AS days;
-- by benefit the order is that of what would go per GB-hour, and nothing else
CREATE FUNCTION lab.ratio(preset text, files int, bytes bigint, OUT score float8, OUT ratio float8) LANGUAGE sql AS $$
	SELECT split_part(r, ',', 1)::float8, split_part(r, ',', 2)::float8
	FROM lab.rows(format('SELECT floe.alter_policy(''p'', %L), lab.measure(''demo.db.t'', %L)', jsonb_build_object('score', preset), jsonb_build_object('excess_file_count', files, 'small_file_count', files + 2, 'small_file_bytes', bytes)),
		$q$SELECT s.score, (s.estimate ->> 'objects')::float8 / (s.estimate ->> 'gb_hours')::float8 FROM floe_internal.select_candidates(ARRAY[lab.id('demo.db.t')], floe_internal.clock(), false, NULL) AS s WHERE s.operation = 'rewrite_data_files'$q$) AS q,
		translate(q, '()', '') AS r
$$;
CREATE TABLE lab.scored AS SELECT p.preset, n, r.* FROM (VALUES ('benefit'), ('severity')) AS p (preset), generate_series(1, 40) AS n, lab.ratio(p.preset, n * 7919 % 1009 + 1, n * 104729 % 9973 * 1000000::bigint) AS r;
SELECT a.preset, count(*) AS pairs, count(*) FILTER (WHERE (a.score < b.score) <> (a.ratio < b.ratio)) > 0 AS any_other_order FROM lab.scored AS a JOIN lab.scored AS b ON b.preset = a.preset AND b.n > a.n GROUP BY a.preset ORDER BY 1;
-- worse is higher: each step of a metric adds
SELECT bool_and(score > before) AS rises FROM (
	SELECT n, score, lag(score, 1, 0) OVER (ORDER BY n) AS before FROM generate_series(50, 1050, 100) AS n, LATERAL (SELECT lab.score(format($$SELECT lab.measure('demo.db.t', '{"excess_file_count": %s}')$$, n)) AS score) AS s) AS y;

-- ---- weights: a policy's, one by one, over what holds for all, over the preset's ----

SELECT floe.alter_policy('p', '{"weights": {"severity": 10, "failures": 0}}');
SELECT term, weight, set_by FROM floe.debt('demo.db.t') WHERE operation = 'rewrite_data_files' AND weight > 0;
UPDATE floe.debt_term SET weight = 0.25 WHERE term IN ('gain', 'severity');
SELECT term, weight, set_by FROM floe.debt('demo.db.t') WHERE operation = 'rewrite_data_files' AND weight > 0;
SELECT floe.alter_policy('p', '{"weights": null, "score": "severity"}');
SELECT term, weight, set_by FROM floe.debt('demo.db.t') WHERE operation = 'rewrite_data_files' AND weight > 0;
UPDATE floe.debt_term SET weight = NULL;
-- a preset of one's own
INSERT INTO floe.debt_preset (preset, term, weight) VALUES ('bytes first', 'freed', 5), ('bytes first', 'failures', 1);
SELECT floe.alter_policy('p', '{"score": "bytes first"}');
SELECT term, weight, set_by FROM floe.debt('demo.db.t') WHERE operation = 'rewrite_data_files' AND weight > 0;
SELECT * FROM floe.effective_policy('demo.db.t') WHERE setting = 'score';
-- one that is gone is as none
DELETE FROM floe.debt_preset WHERE preset = 'bytes first';
SELECT term, weight, set_by FROM floe.debt('demo.db.t') WHERE operation = 'rewrite_data_files' AND weight > 0;
SELECT lab.says(s) FROM (VALUES ($$SELECT floe.alter_policy('p', '{"score": "bytes first"}')$$), ($$UPDATE floe.debt_preset SET weight = 2 WHERE preset = 'benefit'$$), ($$DELETE FROM floe.debt_preset WHERE preset = 'severity'$$),
	($$INSERT INTO floe.debt_preset VALUES ('benefit', 'gain', 1)$$), ($$INSERT INTO floe.debt_preset VALUES ('a.b', 'gain', 1)$$), ($$INSERT INTO floe.debt_preset VALUES ('mine', 'speed', 1)$$), ($$INSERT INTO floe.debt_preset VALUES ('mine', 'gain', -1)$$),
	($$INSERT INTO floe.debt_preset VALUES ('mine', 'gain', 'NaN')$$), ($$UPDATE floe.debt_term SET weight = 1001$$)) AS v (s);
-- all weights zero: no order, but still an estimate
SELECT floe.alter_policy('p', '{"score": "benefit", "weights": {"benefit": 0, "overdue": 0, "failures": 0}}');
SELECT operation, score, objects, minutes FROM floe.plan();
SELECT floe.alter_policy('p', '{"weights": null, "score": null}');

-- ---- a function of one's own ----

CREATE ROLE regress_scorer;
CREATE SCHEMA own AUTHORIZATION regress_scorer;
CREATE TABLE own.seen (n int);
ALTER TABLE own.seen OWNER TO regress_scorer;
CREATE FUNCTION own.files(c floe.debt_input) RETURNS float8 LANGUAGE sql IMMUTABLE SECURITY DEFINER AS $$ SELECT c.objects + (c.terms ->> 'benefit')::float8 / 10 $$;
-- takes it all: what is in there
CREATE FUNCTION own.all_of_it(c floe.debt_input) RETURNS float8 LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	RETURN (c.table_name = 'demo.db.t')::int + 10 * (c.operation = 'rewrite_data_files')::int + 100 * (c.severity > 0.7)::int + 1000 * (c.bytes = 500e6 AND c.files_before = 510 AND c.files_after = 11)::int
		+ 10000 * (c.minutes > 0.6 AND c.gb_hours > 0.02)::int + 100000 * (c.past_runs = 0 AND c.failures = 0)::int + 1000000 * (c.score BETWEEN 0.5 AND 0.6)::int;
END $$;
CREATE FUNCTION own.fails(c floe.debt_input) RETURNS float8 LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN 1 / (c.operation <> 'expire_snapshots')::int; END $$;
CREATE FUNCTION own.odd(c floe.debt_input) RETURNS float8 LANGUAGE sql IMMUTABLE SECURITY DEFINER AS $$ SELECT CASE c.operation WHEN 'rewrite_data_files' THEN 'NaN'::float8 WHEN 'expire_snapshots' THEN 'Infinity' WHEN 'rewrite_manifests' THEN -7 END $$;
-- writes, sets, and leaves a trigger for the end of the transaction
CREATE FUNCTION own.acts(c floe.debt_input) RETURNS float8 LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO own.seen VALUES (1); RETURN 1; END $$;
CREATE FUNCTION own.unlocks(c floe.debt_input) RETURNS float8 LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); INSERT INTO own.seen VALUES (1); RETURN 1; END $$;
CREATE FUNCTION own.sets(c floe.debt_input) RETURNS float8 LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM set_config('search_path', 'own', false), set_config('own.mine', 'yes', false); RETURN 1; END $$;
CREATE FUNCTION own.becomes(c floe.debt_input) RETURNS float8 LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN SET ROLE regress_boss; RETURN 1; END $$;
CREATE FUNCTION own.who(c floe.debt_input) RETURNS float8 LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN IF current_user <> 'regress_scorer' THEN RAISE 'it is %', current_user; END IF; RETURN 1; END $$;
CREATE FUNCTION own.bare(c floe.debt_input) RETURNS float8 LANGUAGE sql AS $$ SELECT 1::float8 $$;
CREATE FUNCTION own.text(c floe.debt_input) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT 'x' $$;
CREATE FUNCTION own.many(c floe.debt_input) RETURNS SETOF float8 LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1::float8 $$;
CREATE FUNCTION own.nothing() RETURNS float8 LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1::float8 $$;
DO $$ DECLARE f regprocedure; BEGIN FOR f IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'own'::regnamespace LOOP EXECUTE format('ALTER FUNCTION %s OWNER TO regress_scorer', f); END LOOP; END $$;

CREATE FUNCTION lab.own(name text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT lab.rows(format('UPDATE floe.policy SET score = %L', name), $q$SELECT d.operation, d.contribution, d.set_by FROM floe.debt('demo.db.t') AS d WHERE d.term LIKE 'own.%' AND d.operation IN ('rewrite_data_files', 'rewrite_manifests', 'expire_snapshots')$q$)
$$;
\pset tuples_only on
SELECT lab.own('own.files');
SELECT lab.own('own.all_of_it');
-- for which it fails the default preset holds, for the others its word
SELECT lab.own('own.fails');
SELECT lab.own('own.odd');
SELECT lab.own('own.acts');
SELECT lab.own('own.unlocks');
SELECT lab.own('own.sets');
SELECT lab.own('own.becomes');
SELECT lab.own('own.who');
\pset tuples_only off
SELECT count(*) AS rows_left, current_setting('search_path') AS path, current_setting('own.mine', true) AS mine, current_setting('transaction_read_only') AS read_only FROM own.seen;
-- it orders what is queued, and is told there
SELECT lab.rows($$UPDATE floe.policy SET score = 'own.files'$$, 'SELECT p.rank, p.operation, p.score FROM floe.plan() AS p');
SELECT lab.rows($$UPDATE floe.policy SET score = 'own.fails'$$, $$SELECT w.gate, w.value, w.set_by FROM floe.why('demo.db.t', true) AS w WHERE w.gate = 'score'$$);
SELECT lab.rows($$UPDATE floe.policy SET score = 'own.files'; SELECT floe_internal.plan_and_queue(NULL)$$, 'SELECT o.operation, o.score, o.score_parts FROM floe.operations AS o ORDER BY o.id');
-- when it is saved
SELECT s.score, lab.says(format('UPDATE floe.policy SET score = %L', s.score)) FROM unnest('{own.files,own.bare,own.text,own.many,own.nothing,own.absent,nowhere.files,own.files(),"own.files; SELECT 1",own..files,pg_catalog.random,speed,""}'::text[]) AS s (score);
CREATE ROLE regress_nobody IN ROLE floe_admin;
GRANT USAGE ON SCHEMA own TO regress_nobody;
REVOKE EXECUTE ON FUNCTION own.files(floe.debt_input) FROM PUBLIC;
SET SESSION AUTHORIZATION regress_nobody;
DO $$ BEGIN PERFORM floe.alter_policy('p', '{"score": "own.files"}'); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM; END $$;
SET SESSION AUTHORIZATION regress_boss;
-- and at each call: what it was then it need not be now
UPDATE floe.policy SET score = 'own.files';
SELECT lab.rows('ALTER FUNCTION own.files(floe.debt_input) SECURITY INVOKER', $$SELECT d.contribution, d.set_by FROM floe.debt('demo.db.t') AS d WHERE d.term LIKE 'own.%' LIMIT 1$$);
SELECT lab.rows('DROP FUNCTION own.files(floe.debt_input)', $$SELECT d.contribution, d.set_by FROM floe.debt('demo.db.t') AS d WHERE d.term LIKE 'own.%' LIMIT 1$$);
SELECT lab.rows('DROP FUNCTION own.files(floe.debt_input)', 'SELECT p.operation, p.score FROM floe.plan() AS p');
SELECT lab.says($$SELECT * FROM floe.debt('demo.db.nobody')$$);
SET client_min_messages = error;
DROP SCHEMA own CASCADE;
DROP ROLE regress_scorer;
DROP ROLE regress_nobody;
