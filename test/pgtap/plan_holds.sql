-- floe.plan() is what then happens: 20 random fleets under the virtual clock, several passes each. Before each pass the rows of floe.plan() are saved, then the planning step of
-- the workers runs (floe_internal.plan_due(), until nothing is due), and what it queued is compared row by row; then operations are claimed, end one way or another, tables
-- are written, people change policies, and the clock goes on. Each fleet is a seed: what fails can be looked at again.
\set ECHO none
\i test/regress/lab.sql
\set ON_ERROR_STOP on
SET client_min_messages = warning;

CREATE FUNCTION lab.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT choices[1 + floor(random() * cardinality(choices))::int] $$;
CREATE FUNCTION lab.chance(p float8) RETURNS bool LANGUAGE sql VOLATILE AS $$ SELECT random() < p $$;
CREATE FUNCTION lab.up_to(n int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT floor(random() * (n + 1))::int $$;

-- A policy's word on one operation.
CREATE FUNCTION lab.random_operation(operation text) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	said jsonb := '{}';
BEGIN
	said := said || CASE lab.up_to(7)
		WHEN 0 THEN jsonb_build_object('schedule', lab.pick('0 2 * * *', '30 */4 * * *', '0 5 * * 1'), 'jitter', lab.pick('0', '5 minutes', '1 hour'), 'timezone', lab.pick('UTC', 'Europe/Amsterdam', 'America/New_York'))
		WHEN 1 THEN jsonb_build_object('every', lab.pick('3 hours', '1 day', '45 minutes'), 'jitter', lab.pick('0', '10 minutes'))
		WHEN 2 THEN '{"windows": ["20:00-06:00"]}'
		WHEN 3 THEN '{"enabled": false}'
		ELSE '{}' END;
	IF lab.chance(0.3) THEN said := said || jsonb_build_object('min_interval', lab.pick('0', '10 minutes', '1 day')); END IF;
	IF lab.chance(0.2) THEN said := said || jsonb_build_object('deadline', lab.pick('30 hours', '3 days')); END IF;
	IF lab.chance(0.2) THEN
		said := said || jsonb_build_object('when', jsonb_build_array(jsonb_build_object('metric', lab.pick('excess_file_count', 'snapshot_count', 'data_file_count', 'excess_manifest_count', 'last_write_age'), 'value', lab.up_to(300))));
	END IF;
	IF lab.chance(0.2) THEN said := said || jsonb_build_object('engine', lab.pick('spark', 'big')); END IF;
	IF operation = 'expire_snapshots' AND lab.chance(0.6) THEN said := said || jsonb_build_object('options', jsonb_build_object('max_snapshot_age', lab.pick('1 day', '3 days', '10 days'))); END IF;
	IF operation = 'rewrite_data_files' AND lab.chance(0.4) THEN said := said || jsonb_build_object('options', jsonb_build_object('target_file_size', lab.pick('64 MB', '128 MB', '512 MB'))); END IF;
	IF operation = 'rewrite_data_files' AND lab.chance(0.2) THEN said := said || '{"slice_bytes": "1 GB"}'; END IF;
	RETURN said;
END $$;

CREATE FUNCTION lab.random_policy(name text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	said jsonb := '{}';
	o text;
BEGIN
	FOREACH o IN ARRAY ARRAY['rewrite_data_files', 'rewrite_position_delete_files', 'rewrite_manifests', 'expire_snapshots', 'remove_orphan_files', 'compute_table_stats'] LOOP
		IF lab.chance(0.6) THEN said := said || jsonb_build_object(o, lab.random_operation(o)); END IF;
	END LOOP;
	IF lab.chance(0.8) THEN said := said || jsonb_build_object('engine', lab.pick('spark', 'spark', 'big')); END IF;
	IF lab.chance(0.3) THEN said := said || '{"fallback_engines": ["last"]}'; END IF;
	IF lab.chance(0.3) THEN said := said || jsonb_build_object('thresholds', jsonb_build_object('excess_file_count', jsonb_build_object('warning', 5 + lab.up_to(500), 'critical', 1000))); END IF;
	IF lab.chance(0.2) THEN said := said || jsonb_build_object('weights', jsonb_build_object('gain', lab.up_to(9), 'age', lab.up_to(9))); END IF;
	PERFORM floe.create_policy(name, lab.pick('**', 'demo.**', 'prod.**', 'demo.db.*', '*.db.t1*', 'demo.*.t?', '**, !prod.**'), said || jsonb_build_object('priority', lab.up_to(100000)));
END $$;

CREATE FUNCTION lab.write_table(name text) RETURNS void LANGUAGE sql VOLATILE AS $$
	SELECT lab.assess(name, files => (10 ^ (random() * 3.5))::int, file_bytes => (10 ^ (5 + random() * 3.5))::bigint, manifests => 1 + lab.up_to(CASE WHEN lab.chance(0.3) THEN 150 ELSE 3 END),
		position_deletes => CASE WHEN lab.chance(0.2) THEN lab.up_to(200) ELSE 0 END, equality_deletes => CASE WHEN lab.chance(0.1) THEN lab.up_to(60) ELSE 0 END,
		snapshots => 1 + lab.up_to(60), snapshot_gap => make_interval(mins => 1 + lab.up_to(2000)),
		partitions => CASE WHEN lab.chance(0.2) THEN '{"{\"p\":1}","{\"p\":2}"}'::text[] ELSE '{"{}"}' END,
		properties => CASE lab.up_to(9) WHEN 0 THEN '{"gc.enabled": "false"}' WHEN 1 THEN '{"write.target-file-size-bytes": "134217728"}' ELSE '{}' END::jsonb)
$$;

CREATE FUNCTION lab.random_fleet(tables int) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	name text;
BEGIN
	PERFORM lab.catalog('demo'), lab.catalog('prod'), lab.engine('spark'), lab.engine('big', $o$, memory_gb '16'$o$), lab.engine('last', $o$, max_operations '1'$o$);
	FOR i IN 1 .. 2 + lab.up_to(4) LOOP PERFORM lab.random_policy('p' || i); END LOOP;
	FOR i IN 1 .. tables LOOP PERFORM lab.write_table(format('%s.%s.t%s', lab.pick('demo', 'demo', 'prod'), lab.pick('db', 'db', 'raw'), i)); END LOOP;
	-- what happened before
	INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at, last_state, failures, failure_class, failure_message, failure_metadata, backoff_until, zero_changes, zero_change_until, zero_change_metadata)
		SELECT t.table_id, k.operation, floe_internal.clock() - make_interval(mins => lab.up_to(4000)), CASE WHEN lab.chance(0.7) THEN floe_internal.clock() - make_interval(mins => lab.up_to(9000)) END,
			lab.pick('succeeded', 'failed', 'no_change'), lab.up_to(2), 'transient', 'it broke', t.metadata_location,
			CASE WHEN lab.chance(0.3) THEN floe_internal.clock() + make_interval(mins => lab.up_to(600)) END, lab.up_to(2),
			CASE WHEN lab.chance(0.3) THEN floe_internal.clock() + make_interval(mins => lab.up_to(3000)) END, t.metadata_location
		FROM floe_internal.iceberg_table AS t CROSS JOIN floe_internal.operation_kind AS k WHERE lab.chance(0.3)
		ON CONFLICT DO NOTHING;
	FOR i IN 1 .. lab.up_to(3) LOOP
		INSERT INTO floe.budget (name, pattern, engine, period, operations, tables, bytes, gb_hours)
			SELECT 'b' || i, lab.pick('**', 'demo.**', 'prod.**'), CASE WHEN lab.chance(0.3) THEN lab.pick('spark', 'big') END, make_interval(hours => 1 + lab.up_to(40)),
				CASE WHEN lab.chance(0.5) THEN lab.up_to(20) END, CASE WHEN lab.chance(0.3) THEN lab.up_to(8) END, CASE WHEN lab.chance(0.3) THEN (10 ^ (8 + random() * 3))::bigint END, CASE WHEN lab.chance(0.3) THEN random() END;
	END LOOP;
	IF lab.chance(0.4) THEN PERFORM floe.pause(lab.pick('demo.raw.*', 'prod.**', '*.db.t2'), floe_internal.clock() + make_interval(hours => 1 + lab.up_to(50))); END IF;
	IF lab.chance(0.3) THEN PERFORM floe.drain_engine('big'); END IF;
	IF lab.chance(0.3) THEN UPDATE floe_internal.engine SET status = 'error', error_message = 'down', error_since = floe_internal.clock(), retry_at = floe_internal.clock() + interval '5 hours' WHERE server_name = 'spark'; END IF;
	IF lab.chance(0.3) THEN PERFORM floe.approve_engines('demo.raw.*', '{big}'); END IF;
	IF lab.chance(0.3) THEN PERFORM floe_internal.table_failed(t.table_id, 'protocol', 'cut off', NULL) FROM floe_internal.iceberg_table AS t WHERE lab.chance(0.2); END IF;
END $$;

-- What differs between a saved plan and what was queued since: nothing is expected.
CREATE TABLE lab.saved (LIKE floe_internal.plan_line);
CREATE TABLE lab.finding (fleet int, pass int, told text);
CREATE TABLE lab.seen (fleet int, pass int, planned int, deferred int, claimed int);

CREATE FUNCTION lab.one_pass(fleet int, pass int) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	done record;
	last_id bigint := (SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END FROM floe_internal.operation_id_seq AS s);
BEGIN
	DELETE FROM lab.saved;
	INSERT INTO lab.saved SELECT * FROM floe.plan();
	-- asking changes nothing: the same again
	INSERT INTO lab.finding SELECT fleet, pass, 'asked twice: ' || x::text FROM (SELECT p.* FROM floe.plan() AS p EXCEPT ALL SELECT s.* FROM lab.saved AS s) AS x LIMIT 3;
	LOOP
		SELECT * INTO done FROM floe_internal.plan_due(1000);
		EXIT WHEN done.decided = 0;
	END LOOP;
	INSERT INTO lab.finding
		SELECT fleet, pass, concat_ws(' / ', 'plan: ' || s::text, 'queue: ' || q::text)
		FROM (SELECT rank, table_name, operation, gate, score, objects, bytes, minutes, gb_hours, engine FROM lab.saved WHERE verdict = 'run') AS s
		FULL JOIN (SELECT row_number() OVER (ORDER BY x.operation_id)::int AS rank, x.table_name, x.operation, x.score, (x.estimate ->> 'objects')::float8 AS objects, (x.estimate ->> 'bytes')::float8 AS bytes,
						(x.estimate ->> 'minutes')::float8 AS minutes, (x.estimate ->> 'gb_hours')::float8 AS gb_hours, x.engine
				   FROM floe_internal.operation_queue AS x WHERE x.operation_id > last_id AND x.queued_at = floe_internal.clock() AND NOT x.by_hand) AS q ON q.rank = s.rank
		WHERE (q.table_name, q.operation, q.score, q.objects, q.bytes, q.minutes, q.gb_hours, q.engine) IS DISTINCT FROM (s.table_name, s.operation, s.score, s.objects, s.bytes, s.minutes, s.gb_hours, s.engine)
		LIMIT 5;
	-- below the line: what the planning step found waiting for the same budget
	INSERT INTO lab.finding
		SELECT fleet, pass, concat_ws(' / ', 'plan: ' || s::text, 'history: ' || v::text)
		FROM (SELECT x.table_name, x.operation, x.set_by, x.next_at FROM lab.saved AS x WHERE x.gate = 'budget') AS s
		FULL JOIN (SELECT h.table_name, h.operation, h.set_by, h.next_at FROM floe.why_history AS h WHERE h.until IS NULL AND h.gate = 'budget') AS v ON v.table_name = s.table_name AND v.operation = s.operation
		WHERE s.set_by IS DISTINCT FROM v.set_by LIMIT 5;
	-- what was planned and is not there: what the planning step says of it
	INSERT INTO lab.finding SELECT fleet, pass, 'not queued: ' || w::text FROM lab.saved AS s CROSS JOIN LATERAL floe.why(s.table_name) AS w
		WHERE s.verdict = 'run' AND w.operation = s.operation AND w.gate <> 'interlock' LIMIT 3;
	INSERT INTO lab.seen SELECT fleet, pass, count(*) FILTER (WHERE s.verdict = 'run'), count(*) FILTER (WHERE s.verdict <> 'run'), 0 FROM lab.saved AS s;
END $$;

-- As far as the engines have places. Of what the same catalog and policy have for the same engine, the highest score that may go goes first.
CREATE FUNCTION lab.claim_all(of_fleet int, of_pass int) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	c record;
	n int := 0;
BEGIN
	LOOP
		CREATE TEMP TABLE waiting AS SELECT q.*, t.levels[1] AS catalog, floe_internal.policy_turn(t.policy_set_id, q.operation) AS turn FROM floe_internal.operation_queue AS q JOIN floe_internal.iceberg_table AS t USING (table_id) WHERE q.state = 'queued';
		SELECT * INTO c FROM floe_internal.claim_operation(1, NULL);
		IF c.operation_id IS NOT NULL THEN
			n := n + 1;
			INSERT INTO lab.finding
				SELECT of_fleet, of_pass, format('claimed %s before %s', c.operation_id, o.operation_id)
				FROM waiting AS m JOIN waiting AS o ON o.catalog = m.catalog AND o.turn = m.turn AND o.engine = m.engine AND o.score > m.score AND o.by_hand >= m.by_hand
				WHERE m.operation_id = c.operation_id AND m.engine = c.engine AND o.not_before <= floe_internal.clock()
				  AND NOT EXISTS (SELECT FROM floe_internal.operation_queue AS x WHERE x.table_id = o.table_id AND (x.state <> 'queued' OR x.position < o.position))
				  AND NOT EXISTS (SELECT FROM floe.pauses AS p JOIN floe_internal.iceberg_table AS t ON t.table_id = o.table_id WHERE floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL);
		END IF;
		DROP TABLE waiting;
		EXIT WHEN c.operation_id IS NULL;
	END LOOP;
	UPDATE lab.seen SET claimed = n WHERE fleet = of_fleet AND pass = of_pass;
END $$;

-- What has been claimed ends one way or another; some of it stays at the engine.
CREATE FUNCTION lab.end_some() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	q record;
	go bool;
BEGIN
	FOR q IN SELECT x.operation_id, x.table_name FROM floe_internal.operation_queue AS x WHERE x.state = 'dispatching' ORDER BY x.operation_id LOOP
		CONTINUE WHEN lab.chance(0.2);
		go := (floe_internal.preflight(q.operation_id, 'spark-thrift', 'lake')).go;
		CONTINUE WHEN NOT go;
		PERFORM floe_internal.operation_saved(q.operation_id, '\x01', 's' || q.operation_id);
		CONTINUE WHEN lab.chance(0.2);
		IF lab.chance(0.7) THEN
			PERFORM lab.write_table(q.table_name);
			PERFORM floe_internal.engine_ended(q.operation_id, 'succeeded', NULL, '', NULL, NULL);
		ELSE
			PERFORM floe_internal.engine_ended(q.operation_id, 'failed', lab.pick('transient', 'conflict', 'config', 'resource'), 'it broke', NULL, NULL);
		END IF;
		PERFORM floe_internal.operation_verified(q.operation_id);
	END LOOP;
END $$;

CREATE FUNCTION lab.play(fleet int, passes int) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	found lab.finding[];
	told lab.seen[];
	planned text[];
BEGIN
	BEGIN
		PERFORM setseed(fleet / 100.0), lab.at('2026-03-02 12:00+00');
		SET CONSTRAINTS ALL IMMEDIATE;	-- as if each statement were committed
		PERFORM lab.random_fleet(8 + lab.up_to(16));
		FOR pass IN 1 .. passes LOOP
			PERFORM lab.one_pass(fleet, pass), lab.claim_all(fleet, pass), lab.end_some();
			PERFORM lab.later(make_interval(mins => 30 + lab.up_to(2000)));
			PERFORM lab.write_table(t.name) FROM floe_internal.iceberg_table AS t WHERE t.status = 'ok' AND lab.chance(0.3);
			-- what would be if ... is what is, once it is so
			IF lab.chance(0.5) THEN
				BEGIN
					PERFORM floe.alter_policy('p1', '{"rewrite_data_files": {"options": {"target_file_size": "256 MB"}, "min_interval": "0"}, "thresholds": {"excess_file_count": {"warning": 50, "critical": 1000}}}');
					planned := ARRAY(SELECT p::text FROM floe.plan() AS p);
					RAISE EXCEPTION USING ERRCODE = 'LAB01';
				EXCEPTION WHEN SQLSTATE 'LAB01' THEN
					NULL;
				END;
				PERFORM floe.alter_policy('p1', '{"rewrite_data_files": {"options": {"target_file_size": "256 MB"}, "min_interval": "0"}, "thresholds": {"excess_file_count": {"warning": 50, "critical": 1000}}}');
				INSERT INTO lab.finding SELECT fleet, pass, 'tried before: ' || concat_ws(' / ', a.told, b.told) FROM unnest(planned) WITH ORDINALITY AS a (told, n)
					FULL JOIN (SELECT p::text AS told, row_number() OVER () AS n FROM floe.plan() AS p) AS b USING (n) WHERE a.told IS DISTINCT FROM b.told LIMIT 3;
			END IF;
			IF lab.chance(0.3) THEN PERFORM floe.resume('**') FROM floe.pauses LIMIT 1; END IF;
		END LOOP;
		found := ARRAY(SELECT f FROM lab.finding AS f WHERE f.fleet = play.fleet);
		told := ARRAY(SELECT s FROM lab.seen AS s WHERE s.fleet = play.fleet);
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
	INSERT INTO lab.finding SELECT * FROM unnest(found);
	INSERT INTO lab.seen SELECT * FROM unnest(told);
END $$;

SELECT plan(24);
SELECT lab.play(n, 4) IS NULL FROM generate_series(1, 20) AS n \g /dev/null
SELECT is((SELECT string_agg(f.pass || ': ' || f.told, E'\n' ORDER BY f.pass) FROM lab.finding AS f WHERE f.fleet = n), NULL, 'fleet ' || n || ': what was planned is what was queued, in four passes') FROM generate_series(1, 20) AS n;
-- and it was no small matter
SELECT is((SELECT count(*) FROM lab.seen), 80::bigint, '80 passes');
SELECT cmp_ok((SELECT count(*) FROM lab.seen WHERE planned > 0), '>=', 50::bigint, 'in most of them something was planned');
SELECT cmp_ok((SELECT sum(deferred) FROM lab.seen), '>=', 50::bigint, 'budgets held things back');
SELECT cmp_ok((SELECT sum(claimed) FROM lab.seen), '>=', 100::bigint, 'and operations were claimed');
SELECT * FROM finish();
