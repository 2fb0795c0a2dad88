-- =================================================================================================
-- 83 what people ask: why, and what next
-- why() of now is the gates; why() of a time is the history of verdicts (66) with what else is kept of
-- that time; plan() is the planning step (85) without its writes.
-- =================================================================================================

CREATE FUNCTION floe.why(table_name pg_catalog.text, detail pg_catalog.bool DEFAULT false,
		OUT operation pg_catalog.text, OUT verdict pg_catalog.text, OUT gate pg_catalog.text, OUT value pg_catalog.text, OUT limit_value pg_catalog.text,
		OUT set_by pg_catalog.text, OUT next_at pg_catalog.timestamptz, OUT score pg_catalog.float8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	t floe_internal.iceberg_table := floe_internal.require_table(why.table_name);
BEGIN
	RETURN QUERY
		SELECT s.operation, CASE WHEN why.detail THEN r.item ->> 'status' ELSE s.verdict END, CASE WHEN why.detail THEN r.item ->> 'gate' ELSE s.gate END,
			   CASE WHEN why.detail THEN r.item ->> 'value' ELSE s.value END, CASE WHEN why.detail THEN r.item ->> 'limit' ELSE s.limit_value END,
			   CASE WHEN why.detail THEN r.item ->> 'set_by' ELSE s.set_by END, CASE WHEN why.detail THEN (r.item ->> 'next_at')::timestamptz ELSE s.next_at END, s.score
		FROM floe_internal.select_candidates(ARRAY[t.table_id], floe_internal.clock(), false, NULL, why.detail) AS s
		JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
		LEFT JOIN LATERAL jsonb_array_elements(s.reasons) WITH ORDINALITY AS r (item, place) ON why.detail
		ORDER BY k.position, r.place;
END
$body$;
COMMENT ON FUNCTION floe.why(pg_catalog.text, pg_catalog.bool)
	IS 'What floe would do with a table now and why: one row per operation with the gate that decides; with detail one row per gate. verdict: run, not needed, wait, blocked, off';

-- Why at a time ---------------------------------------------------------------------------------------

-- As floe.policy_history has them, so changes and drops since then do not matter.
CREATE FUNCTION floe_internal.policies_at(of_levels pg_catalog.text[], at pg_catalog.timestamptz)
	RETURNS TABLE (name pg_catalog.text, document pg_catalog.jsonb, place pg_catalog.int8)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT p.name, p.document, pg_catalog.row_number() OVER (ORDER BY COALESCE((p.document ->> 'priority')::pg_catalog.int4, 0) DESC, p.specificity DESC, p.name)
	FROM (SELECT v.name, v.document, floe_internal.match_pattern(v.document ->> 'pattern', of_levels) AS specificity
		  FROM (SELECT DISTINCT ON (x.policy_id) x.name, x.action, x.document FROM floe_internal.policy_version AS x WHERE x.changed_at <= at ORDER BY x.policy_id, x.version DESC) AS v
		  WHERE v.action <> 'drop' AND (v.document ->> 'enabled') IS DISTINCT FROM 'false') AS p
	WHERE p.specificity IS NOT NULL;
END;
COMMENT ON FUNCTION floe_internal.policies_at(pg_catalog.text[], pg_catalog.timestamptz) IS 'Policies that matched a table at a time, as they were then, the one that wins first';

-- A pause that a later one of the same pattern replaced is over, like one that was resumed.
CREATE FUNCTION floe_internal.hold_at(of_levels pg_catalog.text[], at pg_catalog.timestamptz,
		OUT since pg_catalog.timestamptz, OUT until pg_catalog.timestamptz, OUT reason pg_catalog.text, OUT set_by pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT h.since, h.until, h.reason, h.set_by FROM (
		SELECT e.happened_at AS since, (e.data ->> 'until')::pg_catalog.timestamptz AS until, COALESCE(e.data ->> 'reason', 'paused') AS reason,
			   pg_catalog.format('pause of %s by %s', e.data ->> 'pattern', e.data ->> 'by') AS set_by
		FROM floe_internal.event AS e
		WHERE e.kind = 'paused' AND e.happened_at <= at AND (e.data ->> 'until')::pg_catalog.timestamptz > at AND floe_internal.match_pattern(e.data ->> 'pattern', of_levels) IS NOT NULL
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.event AS r WHERE r.kind IN ('paused', 'resumed') AND r.event_id > e.event_id AND r.happened_at <= at
				AND (r.data ->> 'pattern' = e.data ->> 'pattern' OR r.kind = 'resumed' AND r.data ->> 'pattern' = '**'))
		UNION ALL
		-- one whose event is beyond its retention
		SELECT p.paused_at, p.until, COALESCE(p.reason, 'paused'), pg_catalog.format('pause of %s by %s', p.pattern, p.paused_by)
		FROM floe_internal.pause AS p WHERE p.paused_at <= at AND p.until > at AND floe_internal.match_pattern(p.pattern, of_levels) IS NOT NULL
		UNION ALL
		(SELECT e.happened_at, 'infinity', COALESCE(e.data ->> 'reason', 'drained'), 'drain by ' || (e.data ->> 'by')
		 FROM (SELECT x.* FROM floe_internal.event AS x WHERE x.kind IN ('drained', 'undrained') AND x.happened_at <= at ORDER BY x.happened_at DESC, x.event_id DESC LIMIT 1) AS e
		 WHERE e.kind = 'drained')) AS h
	ORDER BY h.until DESC, h.since LIMIT 1;
END;
COMMENT ON FUNCTION floe_internal.hold_at(pg_catalog.text[], pg_catalog.timestamptz) IS 'The pause or drain that held a table back at a time; NULLs: none did';

-- For what nothing called for: the metric that came closest, as the table's last health before that time had it.
CREATE FUNCTION floe_internal.metric_at(of_table_id pg_catalog.int8, of_operation pg_catalog.text, documents pg_catalog.jsonb[], at pg_catalog.timestamptz,
		OUT metric pg_catalog.text, OUT value pg_catalog.text, OUT limit_value pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT m.name, floe_internal.format_metric(v.value, m.unit), floe_internal.format_metric(l.warning, m.unit)
	FROM (SELECT pg_catalog.to_jsonb(x) AS health FROM floe_internal.health_history AS x WHERE x.table_id = of_table_id AND x.assessed_at <= at ORDER BY x.assessed_at DESC LIMIT 1) AS h
	JOIN floe.metric AS m ON m.remedy = of_operation
	CROSS JOIN LATERAL (SELECT (h.health ->> m.name)::pg_catalog.float8 AS value) AS v
	CROSS JOIN LATERAL (SELECT COALESCE((SELECT (d.document #>> ARRAY['thresholds', m.name, 'warning'])::pg_catalog.float8 FROM pg_catalog.unnest(documents) WITH ORDINALITY AS d (document, place)
		WHERE d.document #>> ARRAY['thresholds', m.name, 'warning'] IS NOT NULL ORDER BY d.place LIMIT 1), m.warning) AS warning) AS l
	WHERE v.value IS NOT NULL
	ORDER BY v.value / NULLIF(l.warning, 0) DESC NULLS LAST, m.position LIMIT 1;
END;
COMMENT ON FUNCTION floe_internal.metric_at(pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb[], pg_catalog.timestamptz)
	IS 'Of the metrics that an operation mends the one nearest to its threshold at a time; documents: the policies of then, the one that wins first; NULLs: no health is kept of that time';

CREATE FUNCTION floe.why(table_name pg_catalog.text, at pg_catalog.timestamptz,
		OUT operation pg_catalog.text, OUT verdict pg_catalog.text, OUT gate pg_catalog.text, OUT value pg_catalog.text, OUT limit_value pg_catalog.text,
		OUT set_by pg_catalog.text, OUT next_at pg_catalog.timestamptz, OUT since pg_catalog.timestamptz, OUT until pg_catalog.timestamptz, OUT operation_id pg_catalog.int8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	t CONSTANT floe_internal.iceberg_table := floe_internal.require_table(why.table_name);
	clock CONSTANT timestamptz := floe_internal.clock();
	asked CONSTANT timestamptz := why.at;
	kept CONSTANT interval := current_setting('floe.why_history_retention')::interval;
	names text[];
	documents jsonb[];
	hold record;
	trouble record;
BEGIN
	IF asked IS NULL OR asked > clock THEN
		PERFORM floe_internal.refuse(format('%s is not a time of the past', COALESCE(asked::text, 'NULL')), NULL, 'floe.why(table) says what holds now and when it is looked at again, floe.plan() what comes next.');
	ELSIF asked < clock - kept THEN
		PERFORM floe_internal.refuse(format('what was decided before %s is not kept any more', clock - kept), NULL, 'floe.why_history_retention says how long it is; floe.operations goes back further.');
	ELSIF asked < t.first_seen_at THEN
		PERFORM floe_internal.refuse(format('floe did not know table "%s" then', t.name), format('It was seen first at %s.', t.first_seen_at), NULL);
	END IF;
	SELECT COALESCE(array_agg(format('policy "%s" (%s)', p.name, p.document ->> 'pattern') ORDER BY p.place), '{}'), COALESCE(array_agg(p.document ORDER BY p.place), '{}')
		INTO names, documents FROM floe_internal.policies_at(t.levels, asked) AS p;
	SELECT * INTO hold FROM floe_internal.hold_at(t.levels, asked);
	SELECT e.kind, e.happened_at, e.message INTO trouble FROM floe_internal.event AS e
		WHERE e.table_id = t.table_id AND e.kind IN ('table assessed', 'table error', 'table unsupported', 'table quarantined', 'table dropped') AND e.happened_at <= asked
		ORDER BY e.event_id DESC LIMIT 1;
	RETURN QUERY
		SELECT k.operation, x.verdict, x.gate, x.value, x.limit_value, x.set_by, x.next_at, x.since, NULLIF(x.until, 'infinity'), x.operation_id
		FROM floe_internal.operation_kind AS k
		-- of the policies of then the first that has the operation, and the first that says whether it is on
		LEFT JOIN LATERAL (SELECT d.place FROM unnest(documents) WITH ORDINALITY AS d (document, place) WHERE d.document ? k.operation ORDER BY d.place LIMIT 1) AS has ON true
		LEFT JOIN LATERAL (SELECT d.place, d.document #>> ARRAY[k.operation, 'enabled'] AS enabled FROM unnest(documents) WITH ORDINALITY AS d (document, place)
			WHERE d.document #>> ARRAY[k.operation, 'enabled'] IS NOT NULL ORDER BY d.place LIMIT 1) AS said ON true
		LEFT JOIN floe_internal.verdict AS v ON v.table_id = t.table_id AND v.operation = k.operation AND v.since <= asked AND v.until > asked
		LEFT JOIN LATERAL (
			SELECT o.operation_id, o.queued_at, o.finished_at, r.item FROM (
				SELECT l.operation_id, l.queued_at, l.finished_at, l.reason FROM floe_internal.operation_log AS l
				WHERE l.table_id = t.table_id AND l.operation = k.operation AND l.queued_at <= asked AND l.finished_at > asked
				UNION ALL
				SELECT q.operation_id, q.queued_at, NULL, q.reason FROM floe_internal.operation_queue AS q WHERE q.table_id = t.table_id AND q.operation = k.operation AND q.queued_at <= asked) AS o
			LEFT JOIN LATERAL (SELECT j.item FROM jsonb_array_elements(o.reason) WITH ORDINALITY AS j (item, place)
				WHERE NOT EXISTS (SELECT 1 FROM floe_internal.gate AS g WHERE g.gate = j.item ->> 'gate') ORDER BY j.place LIMIT 1) AS r ON true
			ORDER BY o.operation_id DESC LIMIT 1) AS run ON true
		LEFT JOIN LATERAL (SELECT max(o.until) AS since FROM floe_internal.verdict AS o WHERE o.table_id = t.table_id AND o.operation = k.operation AND o.until <= asked) AS before ON true
		LEFT JOIN LATERAL (SELECT min(o.since) AS until FROM floe_internal.verdict AS o WHERE o.table_id = t.table_id AND o.operation = k.operation AND o.since > asked) AS after ON true
		LEFT JOIN LATERAL floe_internal.metric_at(t.table_id, k.operation, documents, asked) AS m ON v.table_id IS NULL
		-- in the order of the gates; the first that holds
		CROSS JOIN LATERAL (SELECT c.* FROM (VALUES
			(1, run.operation_id IS NOT NULL, 'run', COALESCE(run.item ->> 'gate', v.gate), COALESCE(run.item ->> 'value', v.value), COALESCE(run.item ->> 'limit', v.limit_value),
				COALESCE(run.item ->> 'set_by', v.set_by), NULL::timestamptz, run.queued_at, run.finished_at, run.operation_id),
			(2, has.place IS NULL, 'off', 'policy', CASE WHEN documents = '{}' THEN 'no policy matched' ELSE 'no matching policy had it' END, NULL, NULL, NULL, NULL, NULL, NULL),
			(3, said.enabled = 'false', 'off', 'enabled', 'false', NULL, names[said.place], NULL, NULL, NULL, NULL),
			(4, trouble.kind <> 'table assessed', CASE trouble.kind WHEN 'table error' THEN 'wait' ELSE 'blocked' END, 'assessed', trouble.message, NULL,
				format('last assessment (%s)', substr(trouble.kind, 7)), NULL, trouble.happened_at, NULL, NULL),
			(5, v.gate IN (SELECT g.gate FROM floe_internal.gate AS g WHERE g.position < (SELECT p.position FROM floe_internal.gate AS p WHERE p.gate = 'paused')),
				v.verdict, v.gate, v.value, v.limit_value, v.set_by, v.next_at, v.since, v.until, v.operation_id),
			(6, hold.since IS NOT NULL, 'blocked', 'paused', hold.reason, NULL, hold.set_by, NULLIF(hold.until, 'infinity'), hold.since, NULL, NULL),
			(7, v.table_id IS NOT NULL AND v.verdict <> 'run', v.verdict, v.gate, v.value, v.limit_value, v.set_by, v.next_at, v.since, v.until, v.operation_id),
			(8, k.is_cadence, 'wait', 'schedule', NULL, NULL, NULL, NULL, COALESCE(before.since, t.first_seen_at), after.until, NULL),
			(9, true, 'not needed', COALESCE(m.metric, 'need'), COALESCE(m.value, 'nothing called for it'), m.limit_value, NULL, NULL, COALESCE(before.since, t.first_seen_at), after.until, NULL)
			) AS c (place, holds, verdict, gate, value, limit_value, set_by, next_at, since, until, operation_id)
			WHERE c.holds ORDER BY c.place LIMIT 1) AS x
		ORDER BY k.position;
END
$body$;
COMMENT ON FUNCTION floe.why(pg_catalog.text, pg_catalog.timestamptz)
	IS 'What was decided of a table at a time of the past, and why: one row per operation; since and until: how long that held (until NULL: it still does, or until the next change of which nothing is kept); value and limit_value as they were at the beginning, where nothing called for it as the health of then had them. Goes back as far as floe.why_history_retention';

CREATE VIEW floe.why_history AS
	SELECT t.name AS table_name, v.operation, v.verdict, v.gate, v.value, v.limit_value, v.set_by, v.next_at, v.score, v.since, NULLIF(v.until, 'infinity') AS until, v.operation_id
	FROM floe_internal.verdict AS v
	JOIN floe_internal.iceberg_table AS t ON t.table_id = v.table_id;
COMMENT ON VIEW floe.why_history IS 'Times during which operations were to run (operation_id: as what), waited or were blocked, with the gate that decided and its value at the beginning; until NULL: it holds. Where there is no row nothing called for the operation';

-- Plan ------------------------------------------------------------------------------------------------

CREATE TYPE floe_internal.plan_line AS (
	rank pg_catalog.int4, table_name pg_catalog.text, operation pg_catalog.text, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text,
	limit_value pg_catalog.text, set_by pg_catalog.text, next_at pg_catalog.timestamptz, score pg_catalog.float8,
	objects pg_catalog.float8, bytes pg_catalog.float8, minutes pg_catalog.float8, gb_hours pg_catalog.float8, engine pg_catalog.text
);
COMMENT ON TYPE floe_internal.plan_line IS 'A row of floe.plan()';

-- The planning step brings schedules in line with the policies first; here one that is not yet, and whose first time has come, is among what calls.
CREATE FUNCTION floe_internal.plan_lines(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS SETOF floe_internal.plan_line
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	calls CONSTANT floe_internal.call[] := ARRAY(SELECT c FROM floe_internal.calls(of_table_ids, at) AS c
		UNION SELECT ROW(s.table_id, s.operation)::floe_internal.call FROM floe_internal.schedules_to_sync(of_table_ids) AS s WHERE s.next_due_at <= at);
BEGIN
	IF calls = '{}' THEN
		RETURN;
	END IF;
	RETURN QUERY
		SELECT CASE WHEN s.verdict = 'run' THEN s.rank END, t.name, s.operation, s.verdict, s.gate, s.value, s.limit_value, s.set_by, s.next_at, s.score,
			   (s.estimate ->> 'objects')::float8, (s.estimate ->> 'bytes')::float8, (s.estimate ->> 'minutes')::float8, (s.estimate ->> 'gb_hours')::float8,
			   CASE WHEN s.verdict = 'run' THEN s.usable[1] END
		FROM floe_internal.select_candidates(ARRAY(SELECT DISTINCT c.table_id FROM unnest(calls) AS c), at, false, NULL, all_scores => false, of_calls => calls) AS s
		JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
		JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
		WHERE s.verdict = 'run' OR s.gate = 'budget'
		-- below the line in the order in which they would have come
		ORDER BY s.verdict <> 'run', CASE WHEN s.verdict = 'run' THEN s.rank END, s.score DESC NULLS LAST, t.name, k.position;
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_lines(pg_catalog.int8[], pg_catalog.timestamptz) IS 'What the planning step would make of these tables';

CREATE FUNCTION floe.plan(pattern pg_catalog.text DEFAULT '**',
		OUT rank pg_catalog.int4, OUT table_name pg_catalog.text, OUT operation pg_catalog.text, OUT verdict pg_catalog.text, OUT gate pg_catalog.text, OUT value pg_catalog.text,
		OUT limit_value pg_catalog.text, OUT set_by pg_catalog.text, OUT next_at pg_catalog.timestamptz, OUT score pg_catalog.float8,
		OUT objects pg_catalog.float8, OUT bytes pg_catalog.float8, OUT minutes pg_catalog.float8, OUT gb_hours pg_catalog.float8, OUT engine pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	at CONSTANT timestamptz := floe_internal.clock();
	checked CONSTANT text := floe_internal.check_pattern(plan.pattern);
	ids int8[];
	stale int8[];
	lines floe_internal.plan_line[];
BEGIN
	-- as floe_internal.plan_due()
	ids := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
		JOIN floe_internal.policy_set AS s ON s.policy_set_id = t.policy_set_id AND s.policy_ids <> '{}'
		WHERE t.status = 'ok' AND floe_internal.match_pattern(checked, t.levels) IS NOT NULL);
	stale := ARRAY(SELECT floe_internal.stale_health(ids));
	IF stale = '{}' OR current_setting('transaction_read_only')::bool THEN
		RETURN QUERY SELECT l.* FROM floe_internal.plan_lines(ids, at) AS l;
		RETURN;
	END IF;
	-- other file sizes are in force than health was computed with: it is computed anew as the planning step does it, and that is undone
	BEGIN
		PERFORM floe_internal.recompute_health(stale);
		lines := ARRAY(SELECT l FROM floe_internal.plan_lines(ids, at) AS l);
		RAISE EXCEPTION USING ERRCODE = 'FLPLN';
	EXCEPTION WHEN SQLSTATE 'FLPLN' THEN
		NULL;
	END;
	RETURN QUERY SELECT l.* FROM unnest(lines) AS l;
END
$body$;
COMMENT ON FUNCTION floe.plan(pg_catalog.text) IS 'What the planning step would queue if it came to all matching tables now, in order, for which engine, with estimates; below the line (rank NULL) what a budget holds back. Writes nothing. In a read-only transaction file sizes that were changed since a table was judged are not yet taken into account';
