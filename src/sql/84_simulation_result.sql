-- =================================================================================================
-- 84 simulation: what people call
-- =================================================================================================

CREATE FUNCTION floe_internal.simulated_budget(given pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	b floe.budget;
	stray text;
BEGIN
	IF jsonb_typeof(given) <> 'object' OR jsonb_typeof(given -> 'name') IS DISTINCT FROM 'string' THEN
		PERFORM floe_internal.refuse('each of "budgets" must be an object with a "name"', NULL, 'Its keys are the columns of floe.budget, for example {"name": "night", "operations": 20, "period": "1 day"}.');
	END IF;
	SELECT * INTO b FROM floe.budget AS x WHERE x.name = given ->> 'name';
	IF NOT FOUND THEN
		-- with the table's own defaults; like all of a simulation it is undone
		INSERT INTO floe.budget (name) VALUES (given ->> 'name') RETURNING * INTO b;
	END IF;
	SELECT k INTO stray FROM jsonb_object_keys(given) AS k WHERE NOT to_jsonb(b) ? k ORDER BY k LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('budget "%s": unknown key "%s"', b.name, stray), NULL, 'Keys are the columns of floe.budget.');
	END IF;
	b := jsonb_populate_record(b, given);
	DELETE FROM floe.budget AS x WHERE x.name = b.name;
	INSERT INTO floe.budget SELECT b.*;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulated_budget(pg_catalog.jsonb) IS 'A budget as a simulation has it: a new one, or one that is there with other limits';

CREATE FUNCTION floe_internal.simulated_policy(given pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF jsonb_typeof(given) IS DISTINCT FROM 'object' OR jsonb_typeof(given -> 'name') IS DISTINCT FROM 'string' THEN
		PERFORM floe_internal.refuse('a policy to simulate needs a "name"', NULL,
			'With a "pattern" it is a whole policy, as floe.export_policy() shows one; without, what changes in the policy of that name, as for floe.alter_policy().');
	END IF;
	IF given ? 'pattern' THEN
		PERFORM floe.import_policy(given);
	ELSE
		PERFORM floe.alter_policy(given ->> 'name', given - 'name');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulated_policy(pg_catalog.jsonb) IS 'A policy as a simulation has it';

CREATE FUNCTION floe_internal.simulation_changes(given pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	stray text;
	item jsonb;
BEGIN
	IF given IS NULL THEN
		RETURN;
	END IF;
	IF jsonb_typeof(given) <> 'object' THEN
		PERFORM floe_internal.refuse('what is to be simulated must be an object', NULL, 'A policy document with a "name", or {"policies": [...], "budgets": [...], "weights": {...}}.');
	END IF;
	IF given ? 'name' THEN
		PERFORM floe_internal.simulated_policy(given);
		RETURN;
	END IF;
	SELECT k INTO stray FROM jsonb_object_keys(given) AS k WHERE k NOT IN ('policies', 'budgets', 'weights') ORDER BY k LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('unknown key "%s" in what is to be simulated', stray), NULL, 'Keys are "policies", "budgets" and "weights"; a policy document alone needs a "name".');
	END IF;
	IF COALESCE(jsonb_typeof(given -> 'policies'), 'array') <> 'array' OR COALESCE(jsonb_typeof(given -> 'budgets'), 'array') <> 'array' THEN
		PERFORM floe_internal.refuse('"policies" and "budgets" must be lists', NULL, NULL);
	END IF;
	FOR item IN SELECT * FROM jsonb_array_elements(given -> 'policies')
	LOOP
		PERFORM floe_internal.simulated_policy(item);
	END LOOP;
	FOR item IN SELECT * FROM jsonb_array_elements(given -> 'budgets')
	LOOP
		PERFORM floe_internal.simulated_budget(item);
	END LOOP;
	IF given ? 'weights' THEN
		PERFORM floe_internal.check_weights(given -> 'weights', 'weights');
		UPDATE floe.debt_term AS t SET weight = (given -> 'weights' ->> t.term)::float8 WHERE given -> 'weights' ? t.term;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulation_changes(pg_catalog.jsonb) IS 'Policies, budgets and weights as a simulation has them';

CREATE FUNCTION floe_internal.simulation_files(starts_at pg_catalog.timestamptz, at pg_catalog.timestamptz) RETURNS floe_internal.simulation_row
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result floe_internal.simulation_row;
BEGIN
	result.part := 'bucket';
	result.starts_at := simulation_files.starts_at;
	SELECT sum(s.data_file_count), sum(h.data_file_count), sum(s.excess_file_count), sum(h.excess_file_count), sum(s.snapshot_count), sum(h.snapshot_count)
		INTO result.actual_files, result.simulated_files, result.actual_excess_files, result.simulated_excess_files, result.actual_snapshots, result.simulated_snapshots
		FROM floe_internal.simulated_table AS t
		JOIN floe_internal.health AS h ON h.table_id = t.table_id
		CROSS JOIN LATERAL (SELECT x.data_file_count, x.excess_file_count, x.snapshot_count FROM floe_internal.health_history AS x
							WHERE x.table_id = t.table_id AND x.assessed_at <= at ORDER BY x.assessed_at DESC LIMIT 1) AS s
		WHERE t.known_at <= at AND t.gone_at > at;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulation_files(pg_catalog.timestamptz, pg_catalog.timestamptz) IS 'Files and snapshots of all tables of a simulation at a time, as they were and as simulated';

-- What reached an engine counts, for the bucket in which it was queued.
CREATE FUNCTION floe_internal.simulation_operations(begins_at pg_catalog.timestamptz)
	RETURNS TABLE (is_real pg_catalog.bool, operation_id pg_catalog.int8, table_name pg_catalog.text, operation pg_catalog.text, queued_at pg_catalog.timestamptz, state pg_catalog.text,
				   gb_hours pg_catalog.float8, bytes pg_catalog.float8, real_id pg_catalog.int8)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT x.is_real, x.operation_id, x.table_name, x.operation, x.queued_at, x.state,
		   (x.estimate ->> 'gb_hours')::pg_catalog.float8 * COALESCE(EXTRACT(epoch FROM x.took)::pg_catalog.float8 / 60 / NULLIF((x.estimate ->> 'minutes')::pg_catalog.float8, 0), 1),
		   (x.estimate ->> 'bytes')::pg_catalog.float8, x.real_id
	FROM (
		SELECT true AS is_real, p.operation_id, p.table_name, p.operation, p.queued_at, p.state, p.estimate, p.engine_ended_at - p.started_at AS took, p.operation_id AS real_id
		FROM floe_internal.simulated_past AS p WHERE p.is_own AND p.queued_at >= begins_at AND p.queued_at < floe_internal.clock() AND p.dispatched_at IS NOT NULL
		UNION ALL
		SELECT false, l.operation_id, l.table_name, l.operation, l.queued_at, l.state, l.estimate, l.engine_ended_at - l.started_at, r.real_id
		FROM floe_internal.operation_log AS l JOIN floe_internal.simulated_run AS r ON r.operation_id = l.operation_id WHERE r.is_counted AND l.dispatched_at IS NOT NULL
		UNION ALL
		SELECT false, q.operation_id, q.table_name, q.operation, q.queued_at, 'running', q.estimate, NULL, r.real_id
		FROM floe_internal.operation_queue AS q JOIN floe_internal.simulated_run AS r ON r.operation_id = q.operation_id WHERE r.is_counted AND q.dispatched_at IS NOT NULL) AS x;
END;
COMMENT ON FUNCTION floe_internal.simulation_operations(pg_catalog.timestamptz) IS 'Operations since then, as they were and as simulated';

CREATE FUNCTION floe_internal.simulation_result(begins_at pg_catalog.timestamptz, files floe_internal.simulation_row[], notes pg_catalog.text[], detail pg_catalog.bool) RETURNS floe_internal.simulation_row[]
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (
		WITH o AS MATERIALIZED (
			SELECT x.*, COALESCE((SELECT max(f.starts_at) FROM unnest(files) AS f WHERE f.starts_at <= x.queued_at), begins_at) AS bucket FROM floe_internal.simulation_operations(begins_at) AS x
		), g AS (
			SELECT GROUPING(o.bucket, o.table_name, o.operation) AS kind, o.bucket, o.table_name, o.operation,
				count(*) FILTER (WHERE o.is_real) AS a_ops, count(*) FILTER (WHERE NOT o.is_real) AS s_ops,
				sum(o.gb_hours) FILTER (WHERE o.is_real) AS a_gb, sum(o.gb_hours) FILTER (WHERE NOT o.is_real) AS s_gb,
				sum(o.bytes) FILTER (WHERE o.is_real) AS a_bytes, sum(o.bytes) FILTER (WHERE NOT o.is_real) AS s_bytes
			FROM o GROUP BY GROUPING SETS ((), (o.operation), (o.bucket), (o.bucket, o.operation), (o.table_name, o.operation))
		), f AS (
			SELECT x.*, x.place = max(x.place) OVER () AS is_last FROM unnest(files) WITH ORDINALITY AS x
				(part, starts_at, table_name, operation, actual_operations, simulated_operations, actual_gb_hours, simulated_gb_hours, actual_bytes, simulated_bytes,
				 actual_files, simulated_files, actual_excess_files, simulated_excess_files, actual_snapshots, simulated_snapshots, told, place)
		), rows AS (
			SELECT 1 AS n, 'total' AS part, NULL::timestamptz AS starts_at, NULL::text AS table_name, NULL::text AS operation, g.a_ops, g.s_ops, g.a_gb, g.s_gb, g.a_bytes, g.s_bytes,
				f.actual_files, f.simulated_files, f.actual_excess_files, f.simulated_excess_files, f.actual_snapshots, f.simulated_snapshots, NULL::text AS told
				FROM f LEFT JOIN g ON g.kind = 7 WHERE f.is_last
			UNION ALL
			SELECT 2, 'operation', NULL, NULL, g.operation, g.a_ops, g.s_ops, g.a_gb, g.s_gb, g.a_bytes, g.s_bytes, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM g WHERE g.kind = 6
			UNION ALL
			SELECT 3, 'bucket', f.starts_at, NULL, NULL, COALESCE(g.a_ops, 0), COALESCE(g.s_ops, 0), g.a_gb, g.s_gb, g.a_bytes, g.s_bytes,
				f.actual_files, f.simulated_files, f.actual_excess_files, f.simulated_excess_files, f.actual_snapshots, f.simulated_snapshots, NULL
				FROM f LEFT JOIN g ON g.kind = 3 AND g.bucket = f.starts_at WHERE f.starts_at < floe_internal.clock()
			UNION ALL
			SELECT 4, 'bucket and operation', g.bucket, NULL, g.operation, g.a_ops, g.s_ops, g.a_gb, g.s_gb, g.a_bytes, g.s_bytes, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM g WHERE g.kind = 2
			UNION ALL
			SELECT 5, 'table', NULL, g.table_name, g.operation, g.a_ops, g.s_ops, g.a_gb, g.s_gb, g.a_bytes, g.s_bytes, NULL, NULL, NULL, NULL, NULL, NULL,
				format('%s would have had %s %s times instead of %s', g.table_name, g.operation, g.s_ops, g.a_ops) FROM g WHERE g.kind = 4 AND g.a_ops <> g.s_ops
			UNION ALL
			SELECT 6, 'run', o.queued_at, o.table_name, o.operation, NULL, 1, NULL, o.gb_hours, NULL, o.bytes, NULL, NULL, NULL, NULL, NULL, NULL,
				concat_ws(', ', o.state, 'as operation ' || o.real_id) FROM o WHERE detail AND NOT o.is_real
			UNION ALL
			SELECT 7, 'note', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
				format('%s of %s simulated operations are ones that really ran, and end as those did; the effect and time of the others are estimated', count(*) FILTER (WHERE o.real_id IS NOT NULL), count(*))
				FROM o WHERE NOT o.is_real
			UNION ALL
			SELECT 7, 'note', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, x FROM unnest(notes) AS x
		)
		SELECT array_agg(ROW(r.part, r.starts_at, r.table_name, r.operation, r.a_ops, r.s_ops, round(r.a_gb::numeric, 3)::float8, round(r.s_gb::numeric, 3)::float8, r.a_bytes, r.s_bytes,
				r.actual_files, r.simulated_files, r.actual_excess_files, r.simulated_excess_files, r.actual_snapshots, r.simulated_snapshots, r.told)::floe_internal.simulation_row
			ORDER BY r.n, CASE WHEN r.n = 5 THEN - abs(r.s_ops - r.a_ops) END, r.starts_at, r.table_name, r.operation, r.told) FROM rows AS r);
END
$body$;
COMMENT ON FUNCTION floe_internal.simulation_result(pg_catalog.timestamptz, floe_internal.simulation_row[], pg_catalog.text[], pg_catalog.bool) IS 'What floe.simulate() answers';

-- What is true but cannot be seen in the numbers.
CREATE FUNCTION floe_internal.simulation_notes(of_table_ids pg_catalog.int8[], since pg_catalog.timestamptz, begins_at pg_catalog.timestamptz) RETURNS pg_catalog.text[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result text[] := '{}'::text[];
	n int8;
BEGIN
	IF begins_at > since THEN
		result := result || format('history begins at %s, and so does the simulation', begins_at);
	END IF;
	n := cardinality(of_table_ids) - (SELECT count(*) FROM floe_internal.simulated_table);
	IF n > 0 THEN
		result := result || format('%s tables have no stored health and are left out', n);
	END IF;
	result := result || ARRAY(
		SELECT format('policy "%s" was changed at %s: as it is now it is simulated for the time before, too', v.name, max(v.changed_at)) FROM floe_internal.policy_version AS v
		WHERE v.changed_at > begins_at GROUP BY v.name ORDER BY v.name);
	SELECT count(*) INTO n FROM floe_internal.health AS h JOIN floe_internal.iceberg_table AS t ON t.table_id = h.table_id
		CROSS JOIN LATERAL floe_internal.size_limits(t.table_id, t.properties) AS z
		WHERE h.table_id = ANY (of_table_ids) AND (z.target_bytes, z.small_below, z.min_input_files) IS DISTINCT FROM (h.target_file_bytes, h.small_below_bytes, h.min_input_files);
	IF n > 0 THEN
		result := result || format('%s tables would have other file sizes: their files were counted by those that were in force', n);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulation_notes(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.timestamptz) IS 'What a simulation does not know';

-- Everything from here on is rolled back by whoever calls it.
CREATE FUNCTION floe_internal.run_simulation(of_table_ids pg_catalog.int8[], given pg_catalog.jsonb, since pg_catalog.timestamptz, begins_at pg_catalog.timestamptz, ends_at pg_catalog.timestamptz,
		step pg_catalog.interval, bucket pg_catalog.interval, at_most pg_catalog.interval, detail pg_catalog.bool) RETURNS floe_internal.simulation_row[]
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	gives_up_at CONSTANT timestamptz := clock_timestamp() + at_most;
	seconds CONSTANT float8 := extract(epoch FROM step);
	at timestamptz := begins_at;
	last timestamptz := '-infinity'::timestamptz;
	next timestamptz;
	boundary timestamptz := begins_at;
	touched int8[];
	unmatched int8[];
	pauses floe_internal.pause_past[];
	files floe_internal.simulation_row[];
	notes text[];
BEGIN
	-- before anything else, as whoever changes policies
	IF given ?| '{name,policies}' THEN
		PERFORM floe_internal.lock_matches(true);
	END IF;
	PERFORM floe_internal.simulation_lock(of_table_ids);
	SELECT array_agg(ROW(x.pattern, x.is_drain, x.reason, x.paused_by, x.paused_at, x.ended_at)::floe_internal.pause_past) INTO pauses FROM (
		SELECT p.* FROM floe_internal.pause_past AS p WHERE p.ended_at > begins_at
		UNION ALL SELECT p.pattern, false, p.reason, p.paused_by, p.paused_at, p.until FROM floe_internal.pause AS p
		UNION ALL SELECT '**', true, d.reason, d.drained_by, d.drained_at, 'infinity' FROM floe_internal.drain AS d) AS x;
	PERFORM floe_internal.set_clock(begins_at);
	INSERT INTO floe_internal.simulated_table (table_id, known_at, gone_at)
		SELECT t.table_id, k.known_at, CASE WHEN t.status = 'dropped' THEN t.dropped_at ELSE 'infinity' END
		FROM floe_internal.iceberg_table AS t
		CROSS JOIN LATERAL (SELECT COALESCE((SELECT max(h.assessed_at) FROM floe_internal.health_history AS h WHERE h.table_id = t.table_id AND h.assessed_at <= begins_at),
			(SELECT min(h.assessed_at) FROM floe_internal.health_history AS h WHERE h.table_id = t.table_id AND h.assessed_at > begins_at)) AS known_at) AS k
		WHERE t.table_id = ANY (of_table_ids) AND k.known_at IS NOT NULL;
	UPDATE floe_internal.iceberg_table AS i SET status = 'ok', dropped_at = NULL, manifest_ids = NULL FROM floe_internal.simulated_table AS t WHERE i.table_id = t.table_id;
	-- of those that were dropped the policies may never have been looked for
	unmatched := ARRAY(SELECT t.table_id FROM floe_internal.simulated_table AS t JOIN floe_internal.iceberg_table AS i ON i.table_id = t.table_id WHERE i.policy_set_id IS NULL);
	IF unmatched <> '{}' THEN
		PERFORM floe_internal.match_tables(unmatched);
	END IF;
	PERFORM floe_internal.simulation_changes(given);
	PERFORM floe_internal.simulation_hide(of_table_ids, begins_at);
	PERFORM floe_internal.simulation_bookkeeping(of_table_ids, begins_at);
	PERFORM floe_internal.simulation_commits(begins_at);
	PERFORM floe_internal.simulation_ratios();
	PERFORM floe_internal.simulate_snapshots(ARRAY(SELECT t.table_id FROM floe_internal.simulated_table AS t));
	UPDATE floe_internal.simulated_table AS t SET decide_at = begins_at WHERE t.known_at <= begins_at;
	PERFORM floe_internal.simulate_state(ARRAY(SELECT t.table_id FROM floe_internal.simulated_table AS t WHERE t.known_at <= begins_at), begins_at);
	UPDATE floe_internal.simulated_table AS t SET changed_at = NULL WHERE true;
	notes := floe_internal.simulation_notes(of_table_ids, since, begins_at);
	LOOP
		IF clock_timestamp() > gives_up_at THEN
			PERFORM floe_internal.refuse(format('the simulation has reached %s after %s and is given up', at, floe_internal.format_interval(at_most)), 'Passes wait while it runs.',
				'Fewer tables, a later start, a longer step, or at_most => a longer time.', '57014');
		END IF;
		PERFORM floe_internal.simulate_people(last, at, pauses);
		PERFORM floe_internal.plan_simulated(ARRAY(SELECT t.table_id FROM floe_internal.simulated_table AS t JOIN floe_internal.iceberg_table AS i ON i.table_id = t.table_id
			JOIN floe_internal.policy_set AS s ON s.policy_set_id = i.policy_set_id AND s.policy_ids <> '{}'
			WHERE t.decide_at <= at AND t.known_at <= at AND t.gone_at > at), at, step + interval '1 second');
		SELECT min(x.at) INTO next FROM (
			SELECT min(t.decide_at) AS at FROM floe_internal.simulated_table AS t JOIN floe_internal.iceberg_table AS i ON i.table_id = t.table_id
				JOIN floe_internal.policy_set AS s ON s.policy_set_id = i.policy_set_id AND s.policy_ids <> '{}' WHERE t.gone_at > at AND t.known_at <= at
			UNION ALL (SELECT h.assessed_at FROM floe_internal.health_history AS h WHERE h.assessed_at > at AND h.table_id = ANY (of_table_ids) ORDER BY h.assessed_at LIMIT 1)
			UNION ALL SELECT min(LEAST(r.starts_at, r.ends_at)) FROM floe_internal.simulated_run AS r JOIN floe_internal.operation_queue AS q ON q.operation_id = r.operation_id WHERE LEAST(r.starts_at, r.ends_at) > at
			UNION ALL SELECT min(r.ends_at) FROM floe_internal.simulated_run AS r JOIN floe_internal.operation_queue AS q ON q.operation_id = r.operation_id WHERE r.ends_at > at
			-- one that waits for a place starts when there is one
			UNION ALL SELECT at FROM floe_internal.simulated_run AS r JOIN floe_internal.operation_queue AS q ON q.operation_id = r.operation_id WHERE r.starts_at IS NULL
			UNION ALL SELECT min(p.queued_at) FROM floe_internal.simulated_past AS p WHERE p.is_own AND p.by_hand AND p.queued_at > at
			UNION ALL SELECT min(p.paused_at) FROM unnest(pauses) AS p WHERE p.paused_at > at
			UNION ALL SELECT min(p.ended_at) FROM unnest(pauses) AS p WHERE p.ended_at > at
			UNION ALL SELECT min(t.gone_at) FROM floe_internal.simulated_table AS t WHERE t.gone_at > at) AS x;
		last := at;
		at := LEAST(ends_at, begins_at + step * GREATEST(ceil(extract(epoch FROM LEAST(next, ends_at) - begins_at) / seconds), floor(extract(epoch FROM at - begins_at) / seconds) + 1));
		WHILE boundary + bucket <= at LOOP
			files := files || floe_internal.simulation_files(boundary, last);
			boundary := boundary + bucket;
		END LOOP;
		touched := floe_internal.simulate_engines(last, at);
		touched := touched || ARRAY(SELECT DISTINCT h.table_id FROM floe_internal.health_history AS h WHERE h.assessed_at > last AND h.assessed_at <= at AND h.table_id = ANY (of_table_ids));
		PERFORM floe_internal.simulate_state(touched, at);
		UPDATE floe_internal.simulated_table AS t SET decide_at = LEAST(t.decide_at, at) WHERE t.table_id = ANY (touched);
		EXIT WHEN at >= ends_at;
	END LOOP;
	files := files || floe_internal.simulation_files(boundary, at);
	RETURN floe_internal.simulation_result(begins_at, files, notes, detail);
END
$body$;
COMMENT ON FUNCTION floe_internal.run_simulation(pg_catalog.int8[], pg_catalog.jsonb, pg_catalog.timestamptz, pg_catalog.timestamptz, pg_catalog.timestamptz, pg_catalog.interval, pg_catalog.interval, pg_catalog.interval, pg_catalog.bool)
	IS 'A simulation, in a subtransaction that the caller rolls back';

CREATE FUNCTION floe.simulate(policy pg_catalog.jsonb DEFAULT NULL, since pg_catalog.timestamptz DEFAULT NULL, pattern pg_catalog.text DEFAULT '**', step pg_catalog.interval DEFAULT NULL,
		bucket pg_catalog.interval DEFAULT '1 day', detail pg_catalog.bool DEFAULT false, at_most pg_catalog.interval DEFAULT '2 minutes') RETURNS SETOF floe_internal.simulation_row
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	now CONSTANT timestamptz := floe_internal.clock();
	began CONSTANT timestamptz := COALESCE(simulate.since, now - interval '7 days');
	checked CONSTANT text := floe_internal.check_pattern(simulate.pattern);
	ids int8[];
	first timestamptz;
	result floe_internal.simulation_row[];
BEGIN
	IF began >= now OR began = '-infinity' THEN
		PERFORM floe_internal.refuse(format('there is nothing to simulate since %s', began), NULL, 'For example since => now() - interval ''7 days''.');
	END IF;
	IF simulate.step < interval '1 second' OR simulate.bucket < interval '1 minute' OR COALESCE(simulate.bucket, '-1') < '0' OR COALESCE(simulate.at_most, '-1') <= '0' THEN
		PERFORM floe_internal.refuse('a simulation needs a step of at least a second, a bucket of at least a minute and some time', NULL, NULL);
	END IF;
	ids := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
		WHERE (t.status <> 'dropped' OR t.dropped_at > began AND NOT EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS o WHERE o.name = t.name AND o.table_id <> t.table_id))
		  AND floe_internal.match_pattern(checked, t.levels) IS NOT NULL);
	first := (SELECT min(h.assessed_at) FROM floe_internal.health_history AS h WHERE h.table_id = ANY (ids));
	IF first IS NULL OR first >= now THEN
		PERFORM floe_internal.refuse(format('there is no stored health of tables that match %s', checked), NULL,
			'Every change of a table''s health is stored from its first assessment on, for floe.health_history_retention: SELECT * FROM floe.health_history.');
	END IF;
	first := GREATEST(first, began);
	BEGIN
		-- whoever set a shorter time means it
		PERFORM set_config('lock_timeout', '10s', true) WHERE (SELECT s.setting::int8 FROM pg_settings AS s WHERE s.name = 'lock_timeout') NOT BETWEEN 1 AND 10000;
		result := floe_internal.run_simulation(ids, simulate.policy, began, first, now,
			COALESCE(simulate.step, GREATEST((now - first) / 240, interval '1 minute')), simulate.bucket, simulate.at_most, simulate.detail);
		RAISE EXCEPTION USING ERRCODE = 'FLOE0';
	EXCEPTION
		WHEN SQLSTATE 'FLOE0' THEN
			NULL;
	END;
	RETURN QUERY SELECT * FROM unnest(result);
END
$body$;
COMMENT ON FUNCTION floe.simulate(pg_catalog.jsonb, pg_catalog.timestamptz, pg_catalog.text, pg_catalog.interval, pg_catalog.interval, pg_catalog.bool, pg_catalog.interval)
	IS 'What would have happened since a time (default: 7 days) under another policy, {"policies": [...], "budgets": [...], "weights": {...}} or, with NULL, what is in force, against what did. Changes nothing; while it runs, passes wait for the tables of the pattern. step: how long between decisions; part run: with detail';
