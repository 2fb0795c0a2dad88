-- =================================================================================================
-- 69 candidates
-- What selection chooses from: the verdicts of the gates with scores and estimates, what is said to the
-- engine, and the shares of budgets that each would take. Made for all of them at once; the choice (70) goes
-- through them one by one and asks nothing any more.
-- =================================================================================================

CREATE TYPE floe_internal.rated AS (
	table_id pg_catalog.int8, operation pg_catalog.text, operation_position pg_catalog.int2, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text,
	limit_value pg_catalog.text, set_by pg_catalog.text, next_at pg_catalog.timestamptz, settings pg_catalog.jsonb, settings_hash pg_catalog.text, origins pg_catalog.jsonb,
	severity pg_catalog.float8, remedy_options pg_catalog.jsonb, reasons pg_catalog.jsonb,
	debt pg_catalog.float8, parts pg_catalog.jsonb, score_problem pg_catalog.text, estimate pg_catalog.jsonb, name pg_catalog.text, levels pg_catalog.text[],
	policy_set_id pg_catalog.int4, policy_id pg_catalog.int4, engine pg_catalog.text
);
COMMENT ON TYPE floe_internal.rated IS 'A verdict with the score of the candidate, its estimate, and, of what runs, the engine whose budgets count';

CREATE FUNCTION floe_internal.rated_candidates(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, by_hand pg_catalog.bool, named pg_catalog.text[], all_reasons pg_catalog.bool, all_scores pg_catalog.bool,
		of_calls floe_internal.call[]) RETURNS SETOF floe_internal.rated
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
AS $body$
BEGIN
	RETURN QUERY
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
			SELECT d.*, p.score, p.parts, p.problem, p.estimate, t.name, t.levels, t.policy_set_id, (f.origins ->> 'configured')::int4,
				   -- of those named, the first that exists, can, and is approved: the one that it is queued for, and whose budgets count
				   CASE WHEN d.verdict = 'run' THEN (
						SELECT n.name FROM unnest(f.engine_names) WITH ORDINALITY AS n (name, place)
						JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = n.name
						WHERE NOT COALESCE(f.engine_refusals ? n.name, false)
						  AND NOT EXISTS (SELECT 1 FROM floe.engine_approval AS a WHERE n.name <> ALL (a.engines) AND floe_internal.match_pattern(a.pattern, t.levels) IS NOT NULL)
						ORDER BY n.place LIMIT 1) END
			FROM d
			JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id
			LEFT JOIN floe_internal.effective AS f ON f.policy_set_id = t.policy_set_id AND f.operation = d.operation
			LEFT JOIN p ON p.table_id = d.table_id AND p.operation = d.operation) AS candidate;
END
$body$;
COMMENT ON FUNCTION floe_internal.rated_candidates(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.bool, pg_catalog.text[], pg_catalog.bool, pg_catalog.bool, floe_internal.call[])
	IS 'Verdicts of all operations, or of those named, of some tables; scores and estimates of what runs, with all_scores of the rest, too';

CREATE TYPE floe_internal.chargeable AS (
	table_id pg_catalog.int8, operation pg_catalog.text, levels pg_catalog.text[], engine pg_catalog.text, policy_id pg_catalog.int4
);
COMMENT ON TYPE floe_internal.chargeable IS 'What would run, as budgets see it';

CREATE FUNCTION floe_internal.budget_charges(candidates floe_internal.chargeable[], by_hand pg_catalog.bool, names pg_catalog.text[], use_budget pg_catalog.int4[], use_share pg_catalog.text[],
		use_table pg_catalog.int8[], use_bytes pg_catalog.float8[], use_gb_hours pg_catalog.float8[], use_last pg_catalog.bool[])
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, numbers pg_catalog.int4[], slots pg_catalog.int4[], table_slots pg_catalog.int4[], is_used pg_catalog.bool[], shares pg_catalog.text[],
				   operations pg_catalog.float8[], tables pg_catalog.float8[], all_bytes pg_catalog.float8[], all_gb_hours pg_catalog.float8[], first_places pg_catalog.int4[], last_places pg_catalog.int4[])
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
AS $body$
#variable_conflict use_column
BEGIN
	IF names IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY
		WITH budget AS MATERIALIZED (
			SELECT x.n, b.* FROM unnest(names) WITH ORDINALITY AS x (name, n) JOIN floe.budget AS b ON b.name = x.name
		), covered AS (
			SELECT f.table_id, f.operation, b.n, floe_internal.budget_share(b.per, f.levels, f.engine, i.name, i.owner) AS share
			FROM unnest(candidates) AS f
			LEFT JOIN floe.policy AS i ON i.policy_id = f.policy_id
			JOIN budget AS b ON floe_internal.budget_covers(b.pattern, b.engine, b.operation_kinds, b.by_hand, b.owner, f.levels, f.engine, f.operation, budget_charges.by_hand, i.owner)
		), numbered AS (
			-- sorted together instead of joined: the planner knows nothing of how many there are
			SELECT z.*, dense_rank() OVER share AS slot, dense_rank() OVER (ORDER BY z.n, z.share, z.table_id) AS table_slot
			FROM (SELECT v.table_id, v.operation, v.n, v.share, NULL::int8 AS place, NULL::float8 AS bytes, NULL::float8 AS gb_hours, false AS is_last FROM covered AS v
				  UNION ALL
				  SELECT u.table_id, NULL, u.n, u.share, u.place, u.bytes, u.gb_hours, u.is_last
				  FROM unnest(use_budget, use_share, use_table, use_bytes, use_gb_hours, use_last) WITH ORDINALITY AS u (n, share, table_id, bytes, gb_hours, is_last, place)) AS z
			WINDOW share AS (ORDER BY z.n, z.share)
		), summed AS (
			SELECT z.*, count(z.place) OVER share AS operations, count(*) FILTER (WHERE z.is_last) OVER share AS tables, sum(z.bytes) OVER share AS all_bytes, sum(z.gb_hours) OVER share AS all_gb_hours,
				   min(z.place) OVER share AS first_place, max(z.place) OVER share AS last_place, bool_or(z.place IS NOT NULL) OVER (PARTITION BY z.table_slot) AS is_used
			FROM numbered AS z WINDOW share AS (PARTITION BY z.slot)
		)
		SELECT v.table_id, v.operation, array_agg(v.n::int4) AS numbers, array_agg(v.slot::int4) AS slots, array_agg(v.table_slot::int4) AS table_slots, array_agg(v.is_used) AS is_used, array_agg(v.share) AS shares,
			   array_agg(v.operations::float8) AS operations, array_agg(v.tables::float8) AS tables, array_agg(COALESCE(v.all_bytes, 0)) AS bytes, array_agg(COALESCE(v.all_gb_hours, 0)) AS gb_hours,
			   array_agg(COALESCE(v.first_place, 1)::int4) AS first_places, array_agg(COALESCE(v.last_place, 0)::int4) AS last_places
		FROM summed AS v WHERE v.operation IS NOT NULL GROUP BY v.table_id, v.operation;
END
$body$;
COMMENT ON FUNCTION floe_internal.budget_charges(floe_internal.chargeable[], pg_catalog.bool, pg_catalog.text[], pg_catalog.int4[], pg_catalog.text[], pg_catalog.int8[], pg_catalog.float8[], pg_catalog.float8[], pg_catalog.bool[])
	IS 'Which budgets cover each candidate (numbers: of names), and its share of each: a slot, with what is used there and from which place to which of the uses; table_slots: of its table in that share, is_used: it counts there already';

CREATE FUNCTION floe_internal.sliced_estimate(estimate pg_catalog.jsonb, slice pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	share CONSTANT float8 := COALESCE(LEAST(1, (slice ->> 'bytes')::float8 / NULLIF((estimate ->> 'bytes')::float8, 0)), 1);
	fixed CONSTANT float8 := (estimate ->> 'fixed_minutes')::float8;
	-- what starting costs, the part costs as well
	minutes CONSTANT float8 := fixed + ((estimate ->> 'minutes')::float8 - fixed) * share;
BEGIN
	RETURN estimate - '{files_touched,bytes_freed,minutes_low,minutes_high}'::text[] || jsonb_strip_nulls(jsonb_build_object('objects', slice -> 'objects', 'bytes', (slice ->> 'bytes')::float8,
		'files_after', (estimate ->> 'files_before')::float8 - (slice ->> 'objects')::float8, 'minutes', round(minutes::numeric, 4),
		'gb_hours', round(((estimate ->> 'gb_hours')::float8 / NULLIF((estimate ->> 'minutes')::float8, 0) * minutes)::numeric, 6), 'slice', slice));
END
$body$;
COMMENT ON FUNCTION floe_internal.sliced_estimate(pg_catalog.jsonb, pg_catalog.jsonb) IS 'An estimate of the whole table, as one of a slice of it';
