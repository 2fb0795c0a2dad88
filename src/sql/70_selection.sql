-- =================================================================================================
-- 70 selection
-- Which candidates go into the queue: by score, under budgets that are tested before each is added. What
-- does not fit is passed over, and the list goes on below it.
-- =================================================================================================

-- What a budget has left: dispatched or queued within its period counts, by estimate, and its time as measured once it is known.
CREATE FUNCTION floe_internal.budget_state(at pg_catalog.timestamptz)
	RETURNS TABLE (name pg_catalog.text, pattern pg_catalog.text, engine pg_catalog.text,
				   operations_left pg_catalog.float8, tables_left pg_catalog.float8, bytes_left pg_catalog.float8, gb_hours_left pg_catalog.float8, used_tables pg_catalog.int8[],
				   operations_limit pg_catalog.float8, tables_limit pg_catalog.float8, bytes_limit pg_catalog.float8, gb_hours_limit pg_catalog.float8, free_at pg_catalog.timestamptz)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT b.name, b.pattern, b.engine,
		   b.operations - pg_catalog.count(u.operation_id), b.tables - pg_catalog.count(DISTINCT u.table_id),
		   b.bytes - COALESCE(pg_catalog.sum(u.bytes), 0), b.gb_hours - COALESCE(pg_catalog.sum(u.gb_hours), 0),
		   COALESCE(pg_catalog.array_agg(DISTINCT u.table_id) FILTER (WHERE u.table_id IS NOT NULL), '{}'),
		   b.operations, b.tables, b.bytes, b.gb_hours,
		   pg_catalog.min(u.counted_at) + b.period
	FROM floe.budget AS b
	LEFT JOIN LATERAL (
		SELECT o.operation_id, o.table_id, (o.estimate ->> 'bytes')::pg_catalog.float8 AS bytes,
			   (o.estimate ->> 'gb_hours')::pg_catalog.float8 * COALESCE(EXTRACT(epoch FROM o.took)::pg_catalog.float8 / 60 / NULLIF((o.estimate ->> 'minutes')::pg_catalog.float8, 0), 1) AS gb_hours, o.counted_at
		FROM (SELECT l.operation_id, l.table_id, l.estimate, l.engine, l.dispatched_at AS counted_at, l.engine_ended_at - l.started_at AS took FROM floe_internal.operation_log AS l
			  WHERE l.dispatched_at > at - b.period AND l.finished_at > at - b.period AND l.started_at IS NOT NULL
			  UNION ALL
			  SELECT q.operation_id, q.table_id, q.estimate, q.engine, COALESCE(q.dispatched_at, q.queued_at), q.engine_ended_at - q.started_at FROM floe_internal.operation_queue AS q) AS o
		JOIN floe_internal.iceberg_table AS t ON t.table_id = o.table_id
		WHERE (b.engine IS NULL OR b.engine = o.engine) AND floe_internal.match_pattern(b.pattern, t.levels) IS NOT NULL) AS u ON true
	WHERE b.is_enabled
	GROUP BY b.name;
END;
COMMENT ON FUNCTION floe_internal.budget_state(pg_catalog.timestamptz) IS 'What is left of each enabled budget; negative when its limit was lowered or an operation took longer than estimated. free_at: when the oldest use leaves the period';

CREATE TYPE floe_internal.budget_line AS (
	name pg_catalog.text, pattern pg_catalog.text, engine pg_catalog.text,
	operations_left pg_catalog.float8, tables_left pg_catalog.float8, bytes_left pg_catalog.float8, gb_hours_left pg_catalog.float8, used_tables pg_catalog.int8[],
	operations_limit pg_catalog.float8, tables_limit pg_catalog.float8, bytes_limit pg_catalog.float8, gb_hours_limit pg_catalog.float8, free_at pg_catalog.timestamptz
);
COMMENT ON TYPE floe_internal.budget_line IS 'One budget while candidates are chosen';

-- Candidates that every gate lets through, in order of score, with what the budgets say to each. The loop is
-- over candidates, not tables: a greedy choice is sequential by nature.
CREATE FUNCTION floe_internal.select_candidates(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, by_hand pg_catalog.bool, named pg_catalog.text[], all_reasons pg_catalog.bool DEFAULT false, all_scores pg_catalog.bool DEFAULT true,
		of_calls floe_internal.call[] DEFAULT NULL)
	RETURNS TABLE (rank pg_catalog.int4, table_id pg_catalog.int8, operation pg_catalog.text, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text,
				   limit_value pg_catalog.text, set_by pg_catalog.text, next_at pg_catalog.timestamptz, score pg_catalog.float8, score_parts pg_catalog.jsonb, estimate pg_catalog.jsonb,
				   settings pg_catalog.jsonb, settings_hash pg_catalog.text, origins pg_catalog.jsonb, remedy_options pg_catalog.jsonb, reasons pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
	c record;
	b record;
	budgets floe_internal.budget_line[];
	stopped text;
	part record;
	share float8;
BEGIN
	SELECT array_agg(ROW(s.name, s.pattern, s.engine, s.operations_left, s.tables_left, s.bytes_left, s.gb_hours_left, s.used_tables,
			s.operations_limit, s.tables_limit, s.bytes_limit, s.gb_hours_limit, s.free_at)::floe_internal.budget_line ORDER BY s.name)
		INTO budgets FROM floe_internal.budget_state(at) AS s;
	rank := 0;
	FOR c IN
		-- so many tables at a time that the cost grows with their number, whatever joins the planner chooses
		WITH portion AS (
			SELECT array_agg(x.id) AS ids FROM unnest(of_table_ids) WITH ORDINALITY AS x (id, place) GROUP BY (x.place - 1) / 100
		)
		SELECT candidate.* FROM portion
		CROSS JOIN LATERAL (
			WITH d AS MATERIALIZED (
				SELECT * FROM floe_internal.decide(portion.ids, at, by_hand, named, all_reasons, of_calls) AS x
				-- what nobody asked for takes nothing out of a budget
				WHERE named IS NULL OR x.operation = ANY (named)
			), p AS MATERIALIZED (
				-- what does not run needs no score, unless somebody looks at it
				SELECT x.* FROM floe_internal.scores(ARRAY(SELECT floe_internal.candidate(d.table_id, d.operation, d.settings, d.remedy_options, d.severity)
					FROM d WHERE d.verdict = 'run' OR all_scores), at) AS x
			)
			SELECT d.*, p.score AS debt, p.parts, p.problem AS score_problem, p.estimate, (p.estimate ->> 'objects')::float8 AS objects, (p.estimate ->> 'bytes')::float8 AS bytes,
				   (p.estimate ->> 'minutes')::float8 AS minutes, (p.estimate ->> 'gb_hours')::float8 AS gb_hours, t.name, t.levels,
				   -- of those named, the first that exists, can, and is approved: the one that it is queued for, and whose budgets count
				   CASE WHEN d.verdict = 'run' THEN (
						SELECT n.name FROM unnest(f.engine_names) WITH ORDINALITY AS n (name, place)
						JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = n.name
						WHERE NOT COALESCE(f.engine_refusals ? n.name, false)
						  AND NOT EXISTS (SELECT 1 FROM floe.engine_approval AS a WHERE n.name <> ALL (a.engines) AND floe_internal.match_pattern(a.pattern, t.levels) IS NOT NULL)
						ORDER BY n.place LIMIT 1) END AS engine
			FROM d
			JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id
			LEFT JOIN floe_internal.effective AS f ON f.policy_set_id = t.policy_set_id AND f.operation = d.operation
			LEFT JOIN p ON p.table_id = d.table_id AND p.operation = d.operation) AS candidate
		ORDER BY candidate.verdict = 'run' DESC, candidate.debt DESC NULLS LAST, candidate.name, candidate.operation_position
	LOOP
		table_id := c.table_id; operation := c.operation; verdict := c.verdict; gate := c.gate; value := c.value; limit_value := c.limit_value;
		set_by := c.set_by; next_at := c.next_at; score := round(c.debt::numeric, 6); score_parts := c.parts;
		estimate := c.estimate;
		settings := c.settings; settings_hash := c.settings_hash; origins := c.origins; remedy_options := c.remedy_options; reasons := c.reasons;
		-- With the options that the metric needs fewer of the engines may be left than with the policies' alone. What none takes must not hold a budget; a person may
		-- have given options of his own, with which enqueue() asks.
		IF verdict = 'run' AND NOT by_hand
		   AND floe_internal.usable_engines(c.table_id, c.operation, floe_internal.options_to_send(c.operation, c.settings, c.origins, c.remedy_options, NULL)) IS NULL THEN
			verdict := 'blocked'; gate := 'engine'; limit_value := NULL; set_by := NULL; next_at := NULL;
			value := floe_internal.passed_over(c.table_id, c.operation,
				c.settings || jsonb_build_object('options', floe_internal.options_to_send(c.operation, c.settings, c.origins, c.remedy_options, NULL)), NULL, at, at);
			reasons := reasons || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('gate', gate, 'status', verdict, 'value', value)));
		END IF;
		IF c.score_problem IS NOT NULL AND reasons IS NOT NULL THEN
			reasons := reasons || jsonb_build_array(jsonb_build_object('gate', 'score', 'status', 'pass', 'value', c.score_problem, 'set_by', 'default preset'));
		END IF;
		IF verdict = 'run' AND operation = 'rewrite_data_files' THEN
			SELECT * INTO part FROM floe_internal.slice(c.table_id, c.settings, floe_internal.operation_options(c.settings, c.origins, c.remedy_options), at, COALESCE(operation = ANY (named), false));
			IF part.detail IS NOT NULL THEN
				share := LEAST(1, (part.detail ->> 'bytes')::float8 / NULLIF(c.bytes, 0));
				c.bytes := (part.detail ->> 'bytes')::float8;
				-- what starting costs, the part costs as well
				c.gb_hours := c.gb_hours / c.minutes;
				c.minutes := (c.estimate ->> 'fixed_minutes')::float8 + (c.minutes - (c.estimate ->> 'fixed_minutes')::float8) * COALESCE(share, 1);
				c.gb_hours := c.gb_hours * c.minutes;
				estimate := estimate - '{files_touched,bytes_freed,minutes_low,minutes_high}'::text[] || jsonb_strip_nulls(jsonb_build_object('objects', part.detail -> 'objects', 'bytes', c.bytes,
					'files_after', (c.estimate ->> 'files_before')::float8 - (part.detail ->> 'objects')::float8, 'minutes', round(c.minutes::numeric, 4),
					'gb_hours', round(c.gb_hours::numeric, 6), 'slice', part.detail));
				reasons := reasons || jsonb_build_array(jsonb_build_object('gate', 'slice', 'status', 'pass', 'value', floe_internal.slice_text(part.detail)));
			END IF;
		END IF;
		IF verdict = 'run' THEN
			stopped := NULL;
			FOR i IN 1 .. COALESCE(array_length(budgets, 1), 0)
			LOOP
				b := budgets[i];
				CONTINUE WHEN (b.engine IS NOT NULL AND b.engine IS DISTINCT FROM c.engine) OR floe_internal.match_pattern(b.pattern, c.levels) IS NULL;
				IF b.operations_left < 1 THEN
					stopped := 'operations'; value := (b.operations_limit - b.operations_left)::text; limit_value := b.operations_limit::text;
				ELSIF b.tables_left < 1 AND NOT c.table_id = ANY (b.used_tables) THEN
					stopped := 'tables'; value := (b.tables_limit - b.tables_left)::text; limit_value := b.tables_limit::text;
				ELSIF b.bytes_left < COALESCE(c.bytes, 0) THEN
					stopped := 'bytes'; value := floe_internal.format_metric(b.bytes_limit - b.bytes_left, 'bytes') || ' + ' || floe_internal.format_metric(c.bytes, 'bytes');
					limit_value := floe_internal.format_metric(b.bytes_limit, 'bytes');
				ELSIF b.gb_hours_left < COALESCE(c.gb_hours, 0) THEN
					stopped := 'gb_hours'; value := round((b.gb_hours_limit - b.gb_hours_left)::numeric, 3) || ' + ' || round(c.gb_hours::numeric, 3); limit_value := b.gb_hours_limit::text;
				END IF;
				IF stopped IS NOT NULL THEN
					verdict := 'wait'; gate := 'budget'; set_by := format('budget "%s" (%s)', b.name, stopped); next_at := b.free_at;
					reasons := reasons || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('gate', 'budget', 'status', 'wait', 'value', value, 'limit', limit_value, 'set_by', set_by, 'next_at', next_at)));
					EXIT;
				END IF;
			END LOOP;
			IF stopped IS NULL THEN
				FOR i IN 1 .. COALESCE(array_length(budgets, 1), 0)
				LOOP
					b := budgets[i];
					CONTINUE WHEN (b.engine IS NOT NULL AND b.engine IS DISTINCT FROM c.engine) OR floe_internal.match_pattern(b.pattern, c.levels) IS NULL;
					b.operations_left := b.operations_left - 1;
					IF NOT c.table_id = ANY (b.used_tables) THEN
						b.tables_left := b.tables_left - 1;
						b.used_tables := b.used_tables || c.table_id;
					END IF;
					b.bytes_left := b.bytes_left - COALESCE(c.bytes, 0);
					b.gb_hours_left := b.gb_hours_left - COALESCE(c.gb_hours, 0);
					budgets[i] := b;
				END LOOP;
				rank := rank + 1;
			END IF;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.select_candidates(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.bool, pg_catalog.text[], pg_catalog.bool, pg_catalog.bool, floe_internal.call[])
	IS 'Verdicts of all operations, or of those named, of some tables with scores, estimates and budgets; those with verdict run are to be queued, in this order';

-- What floe itself adds, for the engine that gets it. An option that the engine does not have is left out: what it would do the engine does
-- without it, or not at all, and then the metric stays and the throttle against runs without effect holds. Trino reads no table properties,
-- and its own defaults (7 days, 100 MB) are neither the table's nor what floe judged by; Iceberg's library keeps min-snapshots-to-keep in it, too.
CREATE FUNCTION floe_internal.options_of_floe(of_operation pg_catalog.text, settings pg_catalog.jsonb, remedy_options pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT CASE WHEN e.server_type IS NULL THEN COALESCE(remedy_options, '{}') ELSE COALESCE((
			SELECT pg_catalog.jsonb_object_agg(r.key, r.value) FROM pg_catalog.jsonb_each(remedy_options) AS r
			JOIN floe_internal.engine_options() AS o ON o.engine_type = e.server_type AND o.operation = of_operation AND o.option = r.key), '{}') END
		|| CASE WHEN e.server_type IS DISTINCT FROM 'trino' THEN '{}'
			WHEN of_operation = 'rewrite_data_files' AND settings ? 'options.target_file_size'
				THEN pg_catalog.jsonb_build_object('min_file_size', (0.75 * (settings ->> 'options.target_file_size')::pg_catalog.numeric)::pg_catalog.int8)
			WHEN of_operation = 'expire_snapshots' AND settings ? 'options.max_snapshot_age'
				-- 100 years are the most that floe reads
				THEN pg_catalog.jsonb_build_object('max_snapshot_age', LEAST(pg_catalog.ceil(EXTRACT(epoch FROM (settings ->> 'options.max_snapshot_age')::pg_catalog.interval)), 3153600000)::pg_catalog.int8 || ' seconds')
			ELSE '{}' END
	FROM (SELECT 1) AS one
	LEFT JOIN floe_internal.server AS e ON e.wrapper = 'floe_engine' AND e.server_name = settings ->> 'engine');
END
$body$;
COMMENT ON FUNCTION floe_internal.options_of_floe(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS 'The metric''s remedy options that the engine has, and what the engine has to be told because it does not know it';

-- What goes into the statement: what floe adds, what policies set, and what a person gave, which is checked alone first, so that an option given by an
-- alias replaces the policy's.
CREATE FUNCTION floe_internal.options_to_send(of_operation pg_catalog.text, settings pg_catalog.jsonb, origins pg_catalog.jsonb, remedy_options pg_catalog.jsonb, given pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN floe_internal.check_options(of_operation, floe_internal.operation_options(settings, origins, floe_internal.options_of_floe(of_operation, settings, remedy_options))
		|| floe_internal.check_options(of_operation, COALESCE(given, '{}')));
END
$body$;
COMMENT ON FUNCTION floe_internal.options_to_send(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb) IS 'Options of an operation that is to be queued, canonical';

-- Queues what is called for.
CREATE FUNCTION floe_internal.enqueue(of_table_ids pg_catalog.int8[], by_hand pg_catalog.bool, named pg_catalog.text[], extra_options pg_catalog.jsonb, requester pg_catalog.text,
		of_calls floe_internal.call[] DEFAULT NULL)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text, limit_value pg_catalog.text,
				   set_by pg_catalog.text, next_at pg_catalog.timestamptz, score pg_catalog.float8, operation_id pg_catalog.int8)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	at timestamptz := floe_internal.clock();
	c record;
	new_settings jsonb;
	usable text[];
	problem text;
BEGIN
	IF by_hand THEN
		-- a plan has done so for many more
		PERFORM floe_internal.sync_schedules(of_table_ids, at);
	END IF;
	FOR c IN
		SELECT s.*, t.name, k.position, ci.server_name,
			   ARRAY(SELECT DISTINCT p.name FROM floe.policy AS p WHERE p.policy_id IN (SELECT o.value::int4 FROM jsonb_each_text(s.origins) AS o) ORDER BY p.name) AS policies
		FROM floe_internal.select_candidates(of_table_ids, at, by_hand, named, all_scores => false, of_calls => of_calls) AS s
		JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
		JOIN floe_internal.catalog AS ci ON ci.catalog_id = t.catalog_id
		JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
		ORDER BY s.verdict = 'run' DESC, s.rank, t.name, k.position
	LOOP
		operation_id := NULL;
		problem := NULL;
		IF c.verdict = 'run' THEN
			new_settings := c.settings || jsonb_build_object('options', floe_internal.options_to_send(c.operation, c.settings, c.origins, c.remedy_options, extra_options -> c.operation));
			-- with the options that the metric needs, or a person gave, others may be left of the engines than with the policies' alone
			usable := floe_internal.usable_engines(c.table_id, c.operation, new_settings -> 'options');
			-- what the policies set has passed a gate
			problem := CASE WHEN extra_options ? c.operation THEN (
				SELECT floe_internal.options_problem(c.operation, new_settings -> 'options', t.details, t.specs, t.refs, t.current_snapshot_id)
				FROM floe_internal.iceberg_table AS t WHERE t.table_id = c.table_id) END;
			IF usable IS NULL THEN
				c.verdict := 'blocked'; c.gate := 'engine'; c.limit_value := NULL; c.set_by := NULL; c.next_at := NULL;
				c.value := floe_internal.passed_over(c.table_id, c.operation, new_settings, NULL, at, at);
			ELSIF problem IS NOT NULL THEN
				c.verdict := 'blocked'; c.gate := 'options'; c.value := problem; c.limit_value := NULL; c.set_by := 'the table''s metadata'; c.next_at := NULL;
			END IF;
		END IF;
		IF c.verdict = 'run' THEN
			INSERT INTO floe_internal.operation_queue AS q (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies,
					reason, score, score_parts, estimate, queued_at, position, engines)
				VALUES (c.table_id, c.name, c.operation, 'queued', enqueue.by_hand, requester, usable[1], new_settings, c.settings_hash, c.policies,
					c.reasons, COALESCE(c.score, 0), c.score_parts, c.estimate, at, c.position, CASE WHEN cardinality(usable) > 1 THEN usable END)
				ON CONFLICT (table_id, operation) DO NOTHING
				RETURNING q.operation_id INTO operation_id;
			IF operation_id IS NULL THEN
				-- somebody queued it in this moment
				c.verdict := 'wait'; c.gate := 'interlock'; c.limit_value := NULL; c.set_by := NULL;
				SELECT format('operation %s (%s) is %s', q.operation_id, q.operation, q.state) INTO c.value
					FROM floe_internal.operation_queue AS q WHERE q.table_id = c.table_id AND q.operation = c.operation;
			ELSE
				PERFORM floe_internal.write_event('operation queued', c.server_name, c.table_id, c.name, operation_id,
					format('%s queued: %s', c.operation, concat_ws(' ', c.gate, c.value, '(limit ' || c.limit_value || ')')), c.reasons);
			END IF;
		END IF;
		table_id := c.table_id; operation := c.operation; verdict := c.verdict; gate := c.gate; value := c.value; limit_value := c.limit_value;
		set_by := c.set_by; next_at := c.next_at; score := c.score;
		RETURN NEXT;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.enqueue(pg_catalog.int8[], pg_catalog.bool, pg_catalog.text[], pg_catalog.jsonb, pg_catalog.text, floe_internal.call[])
	IS 'Decides for some tables and queues what runs; returns every verdict, with the operation''s id where one was queued';

-- After a decision: what was due and is queued, or is not needed now, waits for the schedule's next time.
CREATE FUNCTION floe_internal.advance_schedules(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	due floe_internal.call[] := ARRAY(SELECT ROW(x.table_id, x.operation)::floe_internal.call FROM floe_internal.table_operation AS x WHERE x.next_due_at <= at AND x.table_id = ANY (of_table_ids));
BEGIN
	IF due = '{}' THEN
		RETURN;
	END IF;
	UPDATE floe_internal.table_operation AS x
		SET next_due_at = floe_internal.schedule_next(s.settings, t.table_id || '/' || s.operation, t.first_seen_at, at, NOT s.origins ? 'schedule')
		FROM floe_internal.table_setting AS s
		JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
		JOIN floe_internal.decide(ARRAY(SELECT DISTINCT y.table_id FROM unnest(due) AS y), at, false, NULL, false, due) AS d
			ON d.table_id = s.table_id AND d.operation = s.operation
		WHERE x.table_id = s.table_id AND x.operation = s.operation
		  AND x.next_due_at <= at
		  AND (d.verdict IN ('not needed', 'off')
			   OR EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.table_id = x.table_id AND q.operation = x.operation));
END
$body$;
COMMENT ON FUNCTION floe_internal.advance_schedules(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Moves due schedules on';
