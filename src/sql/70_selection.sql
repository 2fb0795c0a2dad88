-- =================================================================================================
-- 70 selection
-- Which candidates go into the queue: by score, under budgets that are tested before each is added. What
-- does not fit is passed over, and the list goes on below it.
-- =================================================================================================

-- One line of the reasons.
CREATE FUNCTION floe_internal.budget_hold(budget pg_catalog.text, share pg_catalog.text, kind pg_catalog.text, used pg_catalog.float8, needs pg_catalog.float8, most pg_catalog.float8,
		overshoot pg_catalog.bool, next_at pg_catalog.timestamptz) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('gate', 'budget', 'status', CASE WHEN f.never THEN 'blocked' ELSE 'wait' END,
		'value', CASE WHEN most = 0 THEN 'nothing is allowed'
			WHEN f.never THEN pg_catalog.format('needs %s, more than the whole budget: %s', f.need, CASE kind WHEN 'bytes' THEN 'a smaller slice_bytes (of rewrite_data_files), overshoot or a higher limit lets it run' ELSE 'overshoot or a higher limit lets it run' END)
			ELSE pg_catalog.format('%s left, needs %s', CASE kind WHEN 'bytes' THEN floe_internal.format_metric(GREATEST(most - used, 0), kind)
				WHEN 'gb_hours' THEN pg_catalog.round(GREATEST(most - used, 0)::pg_catalog.numeric, 3)::pg_catalog.text ELSE GREATEST(most - used, 0)::pg_catalog.text END, f.need) END,
		'limit', CASE kind WHEN 'bytes' THEN floe_internal.format_metric(most, kind) ELSE most::pg_catalog.text END,
		'set_by', pg_catalog.format('budget "%s" (%s)', budget, kind || COALESCE(' of ' || NULLIF(share, ''), '')),
		'next_at', CASE WHEN NOT f.never THEN next_at END, 'budget', budget, 'share', NULLIF(share, ''), 'kind', kind, 'left', most - used, 'needs', needs))
	FROM (SELECT CASE kind WHEN 'bytes' THEN CASE WHEN needs IS NULL THEN 'an unknown number' ELSE floe_internal.format_metric(needs, kind) END WHEN 'gb_hours' THEN pg_catalog.round(needs::pg_catalog.numeric, 3)::pg_catalog.text ELSE needs::pg_catalog.text END AS need,
				 COALESCE(most = 0 AND NOT overshoot OR needs > most AND NOT overshoot, false) AS never) AS f;
END;
COMMENT ON FUNCTION floe_internal.budget_hold(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.float8, pg_catalog.float8, pg_catalog.float8, pg_catalog.bool, pg_catalog.timestamptz)
	IS 'What one limit of a budget says to what it holds back: how much was left, how much it needs, and when its turn comes; blocked: it needs more than there ever is. needs NULL: unknown';

CREATE FUNCTION floe_internal.budgets_of(of_table_ids pg_catalog.int8[], by_hand pg_catalog.bool) RETURNS pg_catalog.text[]
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.array_agg(b.name ORDER BY b.name) FROM floe.budget AS b
	WHERE b.is_enabled AND pg_catalog.num_nonnulls(b.operations, b.tables, b.bytes, b.gb_hours) > 0
	  AND CASE b.by_hand WHEN 'only' THEN budgets_of.by_hand WHEN 'ignored' THEN NOT budgets_of.by_hand ELSE true END
	  -- of a few tables it is worth while to know that a budget is about others
	  AND (b.pattern = '**' OR pg_catalog.cardinality(of_table_ids) > 100 OR EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS t
			WHERE t.table_id = ANY (of_table_ids) AND floe_internal.match_pattern(b.pattern, t.levels) IS NOT NULL));
END;
COMMENT ON FUNCTION floe_internal.budgets_of(pg_catalog.int8[], pg_catalog.bool) IS 'Enabled budgets with a limit for a period that may concern these tables; NULL: there are none';

CREATE FUNCTION floe_internal.policies_of(origins pg_catalog.jsonb) RETURNS pg_catalog.text[]
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT ARRAY(SELECT DISTINCT p.name FROM floe.policy AS p WHERE p.policy_id = ANY (ARRAY(SELECT o.value::pg_catalog.int4 FROM pg_catalog.jsonb_each_text(origins) AS o)) ORDER BY p.name);
END;
COMMENT ON FUNCTION floe_internal.policies_of(pg_catalog.jsonb) IS 'Names of the policies from which settings come';

-- Candidates that every gate lets through, in order of score, with what the budgets say to each. The loop is
-- over candidates, not tables: a greedy choice is sequential by nature. So all that it asks is made ready for it: which budgets cover a candidate, and its
-- share of each, are numbers (slots), and what is used is in arrays by these numbers.
CREATE FUNCTION floe_internal.select_candidates(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, by_hand pg_catalog.bool, named pg_catalog.text[], all_reasons pg_catalog.bool DEFAULT false, all_scores pg_catalog.bool DEFAULT true,
		of_calls floe_internal.call[] DEFAULT NULL)
	RETURNS TABLE (rank pg_catalog.int4, table_id pg_catalog.int8, operation pg_catalog.text, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text,
				   limit_value pg_catalog.text, set_by pg_catalog.text, next_at pg_catalog.timestamptz, score pg_catalog.float8, score_parts pg_catalog.jsonb, estimate pg_catalog.jsonb,
				   settings pg_catalog.jsonb, settings_hash pg_catalog.text, origins pg_catalog.jsonb, remedy_options pg_catalog.jsonb, reasons pg_catalog.jsonb,
				   sent_options pg_catalog.jsonb, usable pg_catalog.text[], policies pg_catalog.text[])
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
	c record;
	part record;
	-- budgets, by number
	names CONSTANT text[] := floe_internal.budgets_of(of_table_ids, by_hand);
	most_operations float8[]; most_tables float8[]; most_bytes float8[]; most_gb_hours float8[];
	is_tested bool[]; may_overshoot bool[];
	lasts interval[];
	ends timestamptz[];
	-- what counts now, in the order in which it stops counting
	use_budget int4[]; use_share text[]; use_table int8[]; use_at timestamptz[]; use_bytes float8[]; use_gb_hours float8[]; use_last bool[];
	-- of shares, by slot: used, and by what is put off asked for; freed when the use before "next" has left the period
	operations float8[] := ARRAY[NULL::float8]; tables float8[] := ARRAY[NULL::float8]; bytes float8[] := ARRAY[NULL::float8]; gb_hours float8[] := ARRAY[NULL::float8];
	asked_operations float8[] := ARRAY[NULL::float8]; asked_tables float8[] := ARRAY[NULL::float8]; asked_bytes float8[] := ARRAY[NULL::float8]; asked_gb_hours float8[] := ARRAY[NULL::float8];
	next_use int4[] := ARRAY[NULL::int4]; last_use int4[] := ARRAY[NULL::int4];
	table_state int2[] := ARRAY[NULL::int2];		-- of a table in a share: 1 it counts, 2 it is put off
	holds jsonb;
	need_bytes float8; need_gb_hours float8;
	is_unknown bool; is_new bool; is_first bool;
	lacks_operations bool; lacks_tables bool; lacks_bytes bool; lacks_gb_hours bool;
	s int4; n int4;
	turn timestamptz;
	rounds float8;
	tolerance CONSTANT float8 := 1e-9;	-- of sums
BEGIN
	IF names IS NOT NULL THEN
		SELECT array_agg(b.operations ORDER BY b.name), array_agg(b.tables ORDER BY b.name), array_agg(b.bytes ORDER BY b.name), array_agg(b.gb_hours ORDER BY b.name),
			   array_agg(NOT (select_candidates.by_hand AND b.by_hand = 'exempt') ORDER BY b.name), array_agg(b.overshoot ORDER BY b.name),
			   array_agg(make_interval(secs => extract(epoch FROM COALESCE(p.ends_at, at) - p.began_at)::float8) ORDER BY b.name), array_agg(p.ends_at ORDER BY b.name)
			INTO most_operations, most_tables, most_bytes, most_gb_hours, is_tested, may_overshoot, lasts, ends
			FROM floe.budget AS b CROSS JOIN LATERAL floe_internal.budget_period(b.calendar, b.timezone, b.period, at) AS p WHERE b.name = ANY (names);
		SELECT array_agg(u.n ORDER BY u.place), array_agg(u.share ORDER BY u.place), array_agg(u.table_id ORDER BY u.place), array_agg(u.counted_at ORDER BY u.place),
			   array_agg(u.bytes ORDER BY u.place), array_agg(u.gb_hours ORDER BY u.place), array_agg(u.is_last ORDER BY u.place)
			INTO use_budget, use_share, use_table, use_at, use_bytes, use_gb_hours, use_last
			FROM (SELECT z.*, array_position(names, z.budget) AS n, row_number() OVER (ORDER BY z.budget, z.share, z.counted_at, z.operation_id) AS place,
						 lead(z.operation_id) OVER (PARTITION BY z.budget, z.share, z.table_id ORDER BY z.counted_at, z.operation_id) IS NULL AS is_last
				  FROM floe_internal.budget_use(at, names) AS z) AS u;
	END IF;
	rank := 0;
	FOR c IN
		WITH found AS MATERIALIZED (
			SELECT * FROM floe_internal.rated_candidates(of_table_ids, at, by_hand, named, all_reasons, all_scores, of_calls) AS x
		), alike AS MATERIALIZED (
			-- most tables of a list of policies have the same said to the engine; by hand a person may give options of his own, with which enqueue() asks
			SELECT f.operation, f.settings, f.origins, f.remedy_options, min(f.table_id) AS one_of_them, array_agg(f.table_id) AS table_ids
			FROM found AS f CROSS JOIN LATERAL (SELECT CASE WHEN EXISTS (SELECT 1 FROM floe.engine_approval) THEN f.table_id END AS approved_for) AS x
			WHERE f.verdict = 'run' AND NOT select_candidates.by_hand
			GROUP BY f.policy_set_id, f.operation, f.settings_hash, f.settings, f.origins, f.remedy_options, x.approved_for
		), sent AS MATERIALIZED (
			SELECT t.id AS table_id, a.operation, o.options, o.usable, o.policies
			FROM (SELECT l.*, floe_internal.options_to_send(l.operation, l.settings, l.origins, l.remedy_options, NULL) AS options FROM alike AS l OFFSET 0) AS a
			CROSS JOIN LATERAL (SELECT a.options, floe_internal.usable_engines(a.one_of_them, a.operation, a.options) AS usable, floe_internal.policies_of(a.origins) AS policies OFFSET 0) AS o
			CROSS JOIN unnest(a.table_ids) AS t (id)
		), charge AS MATERIALIZED (
			SELECT x.* FROM floe_internal.budget_charges(CASE WHEN names IS NOT NULL THEN ARRAY(SELECT ROW(f.table_id, f.operation, f.levels, f.engine, f.policy_id)::floe_internal.chargeable
				FROM found AS f WHERE f.verdict = 'run') END, by_hand, names, use_budget, use_share, use_table, use_bytes, use_gb_hours, use_last) AS x
		)
		SELECT candidate.*, h.numbers, h.slots, h.table_slots, h.is_used, h.shares, h.operations, h.tables, h.all_bytes, h.all_gb_hours, h.first_places, h.last_places,
			   e.options AS sent_options, e.usable, e.policies
		FROM found AS candidate LEFT JOIN charge AS h ON h.table_id = candidate.table_id AND h.operation = candidate.operation
		LEFT JOIN sent AS e ON e.table_id = candidate.table_id AND e.operation = candidate.operation
		ORDER BY candidate.verdict = 'run' DESC, candidate.debt DESC NULLS LAST, candidate.name, candidate.operation_position
	LOOP
		table_id := c.table_id; operation := c.operation; verdict := c.verdict; gate := c.gate; value := c.value; limit_value := c.limit_value;
		set_by := c.set_by; next_at := c.next_at; score := round(c.debt::numeric, 6); score_parts := c.parts;
		estimate := c.estimate;
		settings := c.settings; settings_hash := c.settings_hash; origins := c.origins; remedy_options := c.remedy_options; reasons := c.reasons;
		-- With the options that the metric needs fewer of the engines may be left than with the policies' alone. What none takes must not hold a budget; a person may
		-- have given options of his own, with which enqueue() asks.
		sent_options := c.sent_options; usable := c.usable; policies := c.policies;
		IF verdict = 'run' AND NOT by_hand AND usable IS NULL THEN
			verdict := 'blocked'; gate := 'engine'; limit_value := NULL; set_by := NULL; next_at := NULL;
			value := floe_internal.passed_over(c.table_id, c.operation, c.settings || jsonb_build_object('options', sent_options), NULL, at, at);
			reasons := reasons || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('gate', gate, 'status', verdict, 'value', value)));
		END IF;
		IF c.score_problem IS NOT NULL AND reasons IS NOT NULL THEN
			reasons := reasons || jsonb_build_array(jsonb_build_object('gate', 'score', 'status', 'pass', 'value', c.score_problem, 'set_by', 'default preset'));
		END IF;
		IF verdict = 'run' AND operation = 'rewrite_data_files' THEN
			SELECT * INTO part FROM floe_internal.slice(c.table_id, c.settings, floe_internal.operation_options(c.settings, c.origins, c.remedy_options), at, COALESCE(operation = ANY (named), false));
			IF part.detail IS NOT NULL THEN
				estimate := floe_internal.sliced_estimate(estimate, part.detail);
				reasons := reasons || jsonb_build_array(jsonb_build_object('gate', 'slice', 'status', 'pass', 'value', floe_internal.slice_text(part.detail)));
			END IF;
		END IF;
		IF verdict = 'run' AND c.slots IS NOT NULL THEN
			holds := NULL;
			need_bytes := COALESCE((estimate ->> 'bytes')::float8, 0);
			need_gb_hours := COALESCE((estimate ->> 'gb_hours')::float8, 0);
			-- these two rewrite nothing
			is_unknown := estimate ->> 'bytes' IS NULL AND operation NOT IN ('expire_snapshots', 'remove_orphan_files');
			FOR i IN 1 .. array_length(c.slots, 1)
			LOOP
				s := c.slots[i];
				n := c.numbers[i];
				IF operations[s] IS NULL THEN
					operations[s] := c.operations[i]; tables[s] := c.tables[i]; bytes[s] := c.all_bytes[i]; gb_hours[s] := c.all_gb_hours[i];
					asked_operations[s] := 0; asked_tables[s] := 0; asked_bytes[s] := 0; asked_gb_hours[s] := 0;
					next_use[s] := c.first_places[i]; last_use[s] := c.last_places[i];
				END IF;
				is_new := most_tables[n] IS NOT NULL AND NOT c.is_used[i] AND table_state[c.table_slots[i]] IS DISTINCT FROM 1;
				is_first := may_overshoot[n] AND operations[s] = 0;
				lacks_operations := operations[s] >= most_operations[n];
				lacks_tables := is_new AND tables[s] >= most_tables[n];
				lacks_bytes := (need_bytes > 0 AND bytes[s] + need_bytes > most_bytes[n] OR is_unknown AND bytes[s] >= most_bytes[n]) AND NOT is_first;
				lacks_gb_hours := need_gb_hours > 0 AND gb_hours[s] + need_gb_hours > most_gb_hours[n] AND NOT is_first;
				CONTINUE WHEN (is_tested[n] AND (lacks_operations OR lacks_tables OR lacks_bytes OR lacks_gb_hours)) IS NOT TRUE;
				turn := NULL;
				IF NOT COALESCE(most_operations[n] < 1 OR is_new AND most_tables[n] < 1
						OR NOT may_overshoot[n] AND (need_bytes > most_bytes[n] OR is_unknown AND most_bytes[n] = 0 OR need_gb_hours > most_gb_hours[n]), false) THEN
					-- Its turn comes when enough has left the period for all that is put off before it, and for itself.
					asked_operations[s] := asked_operations[s] + 1;
					asked_bytes[s] := asked_bytes[s] + CASE WHEN is_unknown THEN 1 ELSE LEAST(need_bytes, most_bytes[n]) END;
					asked_gb_hours[s] := asked_gb_hours[s] + LEAST(need_gb_hours, most_gb_hours[n]);
					IF is_new AND table_state[c.table_slots[i]] IS DISTINCT FROM 2 THEN
						asked_tables[s] := asked_tables[s] + 1;
						table_state[c.table_slots[i]] := 2;
					END IF;
					LOOP
						-- of what counts by now nothing but this plan's is left in the end: then whole periods
						rounds := GREATEST(0, (operations[s] + asked_operations[s]) / NULLIF(most_operations[n], 0), (tables[s] + asked_tables[s]) / NULLIF(most_tables[n], 0),
							(bytes[s] + asked_bytes[s]) / NULLIF(most_bytes[n], 0), (gb_hours[s] + asked_gb_hours[s]) / NULLIF(most_gb_hours[n], 0));
						EXIT WHEN rounds <= 1 + tolerance OR ends[n] IS NOT NULL OR next_use[s] > last_use[s];
						asked_operations[s] := asked_operations[s] - 1;
						asked_tables[s] := asked_tables[s] - use_last[next_use[s]]::int4;
						asked_bytes[s] := asked_bytes[s] - use_bytes[next_use[s]];
						asked_gb_hours[s] := asked_gb_hours[s] - use_gb_hours[next_use[s]];
						next_use[s] := next_use[s] + 1;
					END LOOP;
					turn := CASE
						WHEN ends[n] IS NOT NULL THEN ends[n] + lasts[n] * (ceil(LEAST(1000, GREATEST(1, asked_operations[s] / NULLIF(most_operations[n], 0), asked_tables[s] / NULLIF(most_tables[n], 0),
							asked_bytes[s] / NULLIF(most_bytes[n], 0), asked_gb_hours[s] / NULLIF(most_gb_hours[n], 0))) - tolerance) - 1)
						WHEN rounds > 1 + tolerance THEN at + lasts[n] * (ceil(LEAST(1000, rounds) - tolerance) - 1)
						WHEN next_use[s] > c.first_places[i] THEN use_at[next_use[s] - 1] + lasts[n]
						ELSE at + lasts[n] END;
				END IF;
				holds := COALESCE(holds, '[]') || to_jsonb(array_remove(ARRAY[
					CASE WHEN lacks_operations THEN floe_internal.budget_hold(names[n], c.shares[i], 'operations', operations[s], 1, most_operations[n], false, turn) END,
					CASE WHEN lacks_tables THEN floe_internal.budget_hold(names[n], c.shares[i], 'tables', tables[s], 1, most_tables[n], false, turn) END,
					CASE WHEN lacks_bytes THEN floe_internal.budget_hold(names[n], c.shares[i], 'bytes', bytes[s], CASE WHEN NOT is_unknown THEN need_bytes END, most_bytes[n], may_overshoot[n], turn) END,
					CASE WHEN lacks_gb_hours THEN floe_internal.budget_hold(names[n], c.shares[i], 'gb_hours', gb_hours[s], need_gb_hours, most_gb_hours[n], may_overshoot[n], turn) END], NULL));
			END LOOP;
			IF holds IS NULL THEN
				FOR i IN 1 .. array_length(c.slots, 1)
				LOOP
					s := c.slots[i];
					n := c.numbers[i];
					operations[s] := operations[s] + 1;
					-- what is larger than the budget takes all of it
					bytes[s] := bytes[s] + LEAST(need_bytes, most_bytes[n]);
					gb_hours[s] := gb_hours[s] + LEAST(need_gb_hours, most_gb_hours[n]);
					IF most_tables[n] IS NOT NULL AND NOT c.is_used[i] AND table_state[c.table_slots[i]] IS DISTINCT FROM 1 THEN
						tables[s] := tables[s] + 1;
						table_state[c.table_slots[i]] := 1;
					END IF;
				END LOOP;
			ELSE
				-- the one that says never, else the one that says latest
				SELECT h.item ->> 'status', h.item ->> 'value', h.item ->> 'limit', (h.item ->> 'next_at')::timestamptz INTO verdict, value, limit_value, next_at
					FROM jsonb_array_elements(holds) AS h (item) ORDER BY h.item ->> 'status', (h.item ->> 'next_at')::timestamptz DESC, h.item ->> 'budget' LIMIT 1;
				gate := 'budget';
				set_by := (SELECT string_agg(h.item ->> 'set_by', ', ' ORDER BY h.item ->> 'status', (h.item ->> 'next_at')::timestamptz DESC, h.item ->> 'budget', h.place) FROM jsonb_array_elements(holds) WITH ORDINALITY AS h (item, place));
				reasons := reasons || holds;
			END IF;
		END IF;
		IF verdict = 'run' THEN
			rank := rank + 1;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.select_candidates(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.bool, pg_catalog.text[], pg_catalog.bool, pg_catalog.bool, floe_internal.call[])
	IS 'Verdicts of all operations, or of those named, of some tables with scores, estimates and budgets; those with verdict run are to be queued, in this order. sent_options, usable, policies: of those what goes into the statement, the engines that can do it, and whose settings it has; NULL by hand, when options may be given';

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

-- For floe.budgets: what the decisions about these tables left to budgets, and nothing else of them.
CREATE FUNCTION floe_internal.note_deferred(of_table_ids pg_catalog.int8[], deferred pg_catalog.jsonb[], at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	DELETE FROM floe_internal.budget_deferral AS d
		WHERE d.table_id = ANY (of_table_ids)
		  AND NOT EXISTS (SELECT 1 FROM unnest(deferred) AS x (item) WHERE (x.item ->> 'table_id')::int8 = d.table_id AND x.item ->> 'operation' = d.operation);
	INSERT INTO floe_internal.budget_deferral AS d (table_id, operation, holds, score, deferred_since, next_at)
		SELECT (x.item ->> 'table_id')::int8, x.item ->> 'operation', jsonb_path_query_array(x.item -> 'reasons', '$[*] ? (@.gate == "budget")'), (x.item ->> 'score')::float8, at, (x.item ->> 'next_at')::timestamptz
		FROM unnest(deferred) AS x (item)
		ON CONFLICT (table_id, operation) DO UPDATE SET holds = EXCLUDED.holds, score = EXCLUDED.score, next_at = EXCLUDED.next_at
		WHERE (d.holds, d.score, d.next_at) IS DISTINCT FROM (EXCLUDED.holds, EXCLUDED.score, EXCLUDED.next_at);
END
$body$;
COMMENT ON FUNCTION floe_internal.note_deferred(pg_catalog.int8[], pg_catalog.jsonb[], pg_catalog.timestamptz) IS 'Brings floe_internal.budget_deferral in line with what was just decided about these tables';

-- To the statement that could not queue it, it was not there yet.
CREATE FUNCTION floe_internal.queued_meanwhile(of_table_id pg_catalog.int8, of_operation pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT format('operation %s (%s) is %s', q.operation_id, q.operation, q.state) FROM floe_internal.operation_queue AS q
		WHERE q.table_id = of_table_id AND q.operation = of_operation);
END
$body$;
COMMENT ON FUNCTION floe_internal.queued_meanwhile(pg_catalog.int8, pg_catalog.text) IS 'What somebody else queued in this moment, by its number and state';

-- Queues what is called for, all of it by one statement.
CREATE FUNCTION floe_internal.enqueue(of_table_ids pg_catalog.int8[], by_hand pg_catalog.bool, named pg_catalog.text[], extra_options pg_catalog.jsonb, requester pg_catalog.text,
		of_calls floe_internal.call[] DEFAULT NULL) RETURNS SETOF floe_internal.verdict_line
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	lines floe_internal.verdict_line[];
	events floe_internal.event_line[];
	deferred jsonb[];
BEGIN
	IF by_hand THEN
		-- a plan has done so for many more
		PERFORM floe_internal.sync_schedules(of_table_ids, at);
	END IF;
	WITH candidate AS MATERIALIZED (
		SELECT s.*, t.name, t.details, t.specs, t.refs, t.current_snapshot_id, k.position, ci.server_name, COALESCE(extra_options ? s.operation, false) AS is_given
		FROM floe_internal.select_candidates(of_table_ids, at, by_hand, named, all_scores => false, of_calls => of_calls) AS s
		JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
		JOIN floe_internal.catalog AS ci ON ci.catalog_id = t.catalog_id
		JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
	), asked AS MATERIALIZED (
		-- with the options that the metric needs, or a person gave, others may be left of the engines than with the policies' alone; what the policies set has passed a gate
		SELECT c.*, c.settings || jsonb_build_object('options', o.options) AS new_settings, u.engines,
			   CASE WHEN u.engines IS NOT NULL AND c.is_given THEN floe_internal.options_problem(c.operation, o.options, c.details, c.specs, c.refs, c.current_snapshot_id) END AS problem
		FROM candidate AS c
		CROSS JOIN LATERAL (SELECT CASE WHEN c.verdict = 'run' AND (c.is_given OR c.usable IS NULL)
			THEN floe_internal.options_to_send(c.operation, c.settings, c.origins, c.remedy_options, extra_options -> c.operation) ELSE c.sent_options END AS options OFFSET 0) AS o
		CROSS JOIN LATERAL (SELECT CASE WHEN c.verdict = 'run' THEN CASE WHEN c.is_given OR c.usable IS NULL
			THEN floe_internal.usable_engines(c.table_id, c.operation, o.options) ELSE c.usable END END AS engines OFFSET 0) AS u
	), judged AS MATERIALIZED (
		SELECT a.table_id, a.operation, CASE WHEN v.hindrance IS NULL THEN a.verdict ELSE 'blocked' END AS verdict, COALESCE(v.hindrance, a.gate) AS gate,
			   CASE v.hindrance WHEN 'engine' THEN floe_internal.passed_over(a.table_id, a.operation, a.new_settings, NULL, at, at) WHEN 'options' THEN a.problem ELSE a.value END AS value,
			   CASE WHEN v.hindrance IS NULL THEN a.limit_value END AS limit_value, CASE WHEN v.hindrance IS NULL THEN a.set_by WHEN v.hindrance = 'options' THEN 'the table''s metadata' END AS set_by,
			   CASE WHEN v.hindrance IS NULL THEN a.next_at END AS next_at, a.score, a.rank, a.name, a.position, a.server_name, a.reasons, a.new_settings, a.settings_hash, a.origins,
			   a.score_parts, a.estimate, a.engines, a.policies
		FROM asked AS a
		CROSS JOIN LATERAL (SELECT CASE WHEN a.verdict = 'run' AND a.engines IS NULL THEN 'engine' WHEN a.problem IS NOT NULL THEN 'options' END AS hindrance) AS v
	), queued AS (
		INSERT INTO floe_internal.operation_queue AS q (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies,
				reason, score, score_parts, estimate, queued_at, position, engines)
			SELECT j.table_id, j.name, j.operation, 'queued', enqueue.by_hand, requester, j.engines[1], j.new_settings, j.settings_hash, COALESCE(j.policies, floe_internal.policies_of(j.origins)),
				j.reasons, COALESCE(j.score, 0), j.score_parts, j.estimate, at, j.position, CASE WHEN cardinality(j.engines) > 1 THEN j.engines END
			FROM judged AS j WHERE j.verdict = 'run' ORDER BY j.rank, j.name, j.position
			ON CONFLICT (table_id, operation) DO NOTHING
			RETURNING q.operation_id, q.table_id, q.operation
	), ended AS (
		SELECT j.*, q.operation_id, j.verdict = 'run' AND q.operation_id IS NULL AS is_taken
		FROM judged AS j LEFT JOIN queued AS q ON q.table_id = j.table_id AND q.operation = j.operation
	)
	SELECT array_agg(CASE WHEN e.is_taken THEN ROW(e.table_id, e.operation, 'wait', 'interlock', floe_internal.queued_meanwhile(e.table_id, e.operation), NULL, NULL, e.next_at, e.score, NULL)::floe_internal.verdict_line
				ELSE ROW(e.table_id, e.operation, e.verdict, e.gate, e.value, e.limit_value, e.set_by, e.next_at, e.score, e.operation_id)::floe_internal.verdict_line END
				ORDER BY e.verdict = 'run' DESC, e.rank, e.name, e.position),
		   array_agg(ROW('operation queued', e.server_name, e.table_id, e.name, e.operation_id, format('%s queued: %s', e.operation, concat_ws(' ', e.gate, e.value, '(limit ' || e.limit_value || ')')),
				e.reasons)::floe_internal.event_line ORDER BY e.operation_id) FILTER (WHERE e.operation_id IS NOT NULL),
		   array_agg(jsonb_build_object('table_id', e.table_id, 'operation', e.operation, 'score', COALESCE(e.score, 0), 'next_at', e.next_at, 'reasons', e.reasons)) FILTER (WHERE e.gate = 'budget')
		INTO lines, events, deferred
		FROM ended AS e;
	PERFORM floe_internal.write_events(events);
	IF NOT by_hand THEN
		PERFORM floe_internal.note_deferred(of_table_ids, deferred, at);
	END IF;
	RETURN QUERY SELECT * FROM unnest(lines);
END
$body$;
COMMENT ON FUNCTION floe_internal.enqueue(pg_catalog.int8[], pg_catalog.bool, pg_catalog.text[], pg_catalog.jsonb, pg_catalog.text, floe_internal.call[])
	IS 'Decides for some tables and queues what runs; returns every verdict, with the operation''s id where one was queued';

-- After a decision: what was due and is queued, or is not needed now, waits for the schedule's next time.
CREATE FUNCTION floe_internal.advance_schedules(of_table_ids pg_catalog.int8[], needless floe_internal.call[], at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	WITH due AS MATERIALIZED (
		SELECT x.table_id, x.operation, x.tuned_every FROM floe_internal.table_operation AS x
		WHERE x.next_due_at <= at AND x.table_id = ANY (of_table_ids)
		  AND ((x.table_id, x.operation) IN (SELECT n.table_id, n.operation FROM unnest(needless) AS n)
			   OR EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.table_id = x.table_id AND q.operation = x.operation))
	)
	UPDATE floe_internal.table_operation AS x
		SET next_due_at = floe_internal.tuned_next(s.settings, CASE WHEN d.tuned_every IS NOT NULL THEN floe_internal.tuned_cadence(s.settings, s.origins, d.tuned_every) END,
			t.table_id || '/' || s.operation, t.first_seen_at, at, NOT s.origins ? 'schedule')
		FROM due AS d
		JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id
		JOIN floe_internal.table_setting AS s ON s.table_id = d.table_id AND s.operation = d.operation
		WHERE x.table_id = d.table_id AND x.operation = d.operation;
END
$body$;
COMMENT ON FUNCTION floe_internal.advance_schedules(pg_catalog.int8[], floe_internal.call[], pg_catalog.timestamptz) IS 'Moves due schedules on; needless: what the decision found not needed, or off';
