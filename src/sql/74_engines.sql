-- =================================================================================================
-- 74 engines at dispatch
-- What of an engine may take something now, what must wait for it, and what goes to the next engine of its
-- list. Separate from 45, which is about what can never go to an engine.
-- =================================================================================================

CREATE FUNCTION floe_internal.tables_of_engine(engine_name pg_catalog.text) RETURNS pg_catalog.int8[]
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT ARRAY(SELECT DISTINCT t.table_id FROM floe_internal.effective AS e JOIN floe_internal.iceberg_table AS t ON t.policy_set_id = e.policy_set_id
		WHERE tables_of_engine.engine_name = ANY (e.engine_names));
END;
COMMENT ON FUNCTION floe_internal.tables_of_engine(pg_catalog.text) IS 'Tables whose policies name an engine';

CREATE FUNCTION floe_internal.resolve_engine(engine_name pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF EXISTS (SELECT 1 FROM floe_internal.effective AS e WHERE resolve_engine.engine_name = ANY (e.engine_names)) THEN
		PERFORM floe_internal.lock_matches(true);
		PERFORM floe_internal.resolve_sets(ARRAY(SELECT DISTINCT e.policy_set_id FROM floe_internal.effective AS e WHERE resolve_engine.engine_name = ANY (e.engine_names)));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.resolve_engine(pg_catalog.text) IS 'Resolves the policy lists anew that name an engine, which may have another TYPE now';

-- Without an engine that is gone, what waits for it and may go elsewhere stays in the queue; what it was decided upon is as it was.
CREATE FUNCTION floe_internal.forget_engines() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	ids int8[] := ARRAY(SELECT x.operation_id FROM floe_internal.operation_queue AS x
		WHERE x.state = 'queued' AND x.engines IS NOT NULL
		  AND EXISTS (SELECT 1 FROM unnest(x.engines) AS n WHERE NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = n))
		  AND EXISTS (SELECT 1 FROM unnest(x.engines) AS n JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = n));
BEGIN
	IF ids = '{}' THEN
		RETURN;
	END IF;
	PERFORM floe_internal.lock_decisions(ids);
	WITH mine AS (
		SELECT x.operation_id, x.table_id, x.operation, l.engines
		FROM floe_internal.operation_queue AS x
		CROSS JOIN LATERAL (SELECT array_agg(n.name ORDER BY n.place) AS engines FROM unnest(x.engines) WITH ORDINALITY AS n (name, place)
							JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = n.name) AS l
		WHERE x.operation_id = ANY (ids) AND x.state = 'queued' ORDER BY x.operation_id FOR UPDATE OF x
	)
	UPDATE floe_internal.operation_queue AS x
		SET engine = m.engines[1], engines = CASE WHEN cardinality(m.engines) > 1 THEN m.engines END, settings_hash = c.settings_hash
		FROM mine AS m
		JOIN floe_internal.decision_context(ARRAY(SELECT DISTINCT o.table_id FROM floe_internal.operation_queue AS o WHERE o.operation_id = ANY (ids)), floe_internal.clock()) AS c
			ON c.table_id = m.table_id AND c.operation = m.operation
		WHERE x.operation_id = m.operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.forget_engines() IS 'Takes engines that were removed out of the lists of what is queued';

CREATE FUNCTION floe_internal.engine_places(at pg_catalog.timestamptz,
		OUT server_name pg_catalog.text, OUT most pg_catalog.int4, OUT busy pg_catalog.int4, OUT is_full pg_catalog.bool, OUT is_drained pg_catalog.bool,
		OUT failing_since pg_catalog.timestamptz, OUT retry_at pg_catalog.timestamptz)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY
		SELECT s.server_name, m.most, COALESCE(b.busy, 0), COALESCE(b.busy, 0) >= m.most, COALESCE(e.drained_at IS NOT NULL, false),
			   -- while it may be tried it is not passed over: somebody must find out that it is well again
			   CASE WHEN e.retry_at > at THEN COALESCE(e.error_since, at) END, CASE WHEN e.retry_at > at THEN e.retry_at END
		FROM floe_internal.server AS s
		LEFT JOIN floe_internal.engine AS e ON e.server_name = s.server_name AND e.status <> 'removed'
		LEFT JOIN (SELECT q.engine, count(*)::int4 AS busy FROM floe_internal.operation_queue AS q WHERE q.state IN ('dispatching', 'running', 'lost') GROUP BY q.engine) AS b ON b.engine = s.server_name
		CROSS JOIN LATERAL (SELECT COALESCE((s.options ->> 'max_operations')::int4, 2) AS most) AS m
		WHERE s.wrapper = 'floe_engine';
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_places(pg_catalog.timestamptz) IS 'Engines that exist, their places, and what keeps operations from them now';

-- People read it: in the log, and with the event.
CREATE FUNCTION floe_internal.passed_over(of_table_id pg_catalog.int8, of_operation pg_catalog.text, settings pg_catalog.jsonb, chosen pg_catalog.text,
		queued_at pg_catalog.timestamptz, at pg_catalog.timestamptz) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	names text[] := floe_internal.engine_list(passed_over.settings);
BEGIN
	RETURN (SELECT string_agg(CASE
			WHEN s.server_name IS NULL THEN format('engine "%s" was removed', l.name)
			WHEN r.refusal IS NOT NULL THEN format('engine "%s": %s', l.name, r.refusal)
			WHEN a.pattern IS NOT NULL THEN format('engine "%s" is not approved for %s', l.name, a.pattern)
			WHEN e.drained_at IS NOT NULL THEN concat_ws(': ', format('engine "%s" is drained by %s', l.name, e.drained_by), e.drain_reason)
			WHEN e.retry_at > at THEN format('engine "%s" fails since %s: %s', l.name, to_char(e.error_since, 'HH24:MI:SS'), e.error_message)
			WHEN p.is_full THEN format('engine "%s" is full: %s of %s, and it waited %s', l.name, p.busy, p.most, floe_internal.format_interval(at - passed_over.queued_at))
			ELSE format('engine "%s" is free again', l.name) END, '; ' ORDER BY l.place)
		FROM unnest(names) WITH ORDINALITY AS l (name, place)
		JOIN floe_internal.iceberg_table AS t ON t.table_id = of_table_id
		LEFT JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = l.name
		LEFT JOIN floe_internal.engine AS e ON e.server_name = l.name AND e.status <> 'removed'
		LEFT JOIN floe_internal.engine_places(at) AS p ON p.server_name = l.name
		LEFT JOIN LATERAL (SELECT COALESCE(floe_internal.engine_refusal(s.server_type, of_operation, passed_over.settings -> 'options'), floe_internal.resources_refusal(s.server_type, passed_over.settings)) AS refusal
						   WHERE s.server_name IS NOT NULL) AS r ON true
		LEFT JOIN LATERAL (SELECT x.pattern FROM floe.engine_approval AS x WHERE l.name <> ALL (x.engines) AND floe_internal.match_pattern(x.pattern, t.levels) IS NOT NULL
						   ORDER BY floe_internal.match_pattern(x.pattern, t.levels), x.pattern LIMIT 1) AS a ON true
		WHERE l.place < COALESCE(array_position(names, chosen), cardinality(names) + 1));
END
$body$;
COMMENT ON FUNCTION floe_internal.passed_over(pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text, pg_catalog.timestamptz, pg_catalog.timestamptz)
	IS 'Why the engines that the settings name before the chosen one (NULL: all of them) did not get an operation';

-- The earliest time at which some engine may take it, as far as clocks tell: a place that comes free wakes the executor.
CREATE FUNCTION floe_internal.queue_opens(at pg_catalog.timestamptz, OUT operation_id pg_catalog.int8, OUT opens_at pg_catalog.timestamptz) RETURNS SETOF pg_catalog.record
	-- a view reads it, as whoever reads that
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		WITH place AS MATERIALIZED (
			SELECT p.server_name, p.is_full, p.failing_since, CASE WHEN p.is_drained THEN 'infinity' ELSE COALESCE(p.retry_at, '-infinity') END AS own_at, p.is_drained
			FROM floe_internal.engine_places(at) AS p
		)
		SELECT q.operation_id, COALESCE(p.own_at, 'infinity')
		FROM floe_internal.operation_queue AS q LEFT JOIN place AS p ON p.server_name = q.engine
		WHERE q.state = 'queued' AND q.engines IS NULL
		UNION ALL
		SELECT x.operation_id, min(GREATEST(x.own_at, x.passed_at))
		FROM (SELECT q.operation_id, COALESCE(p.own_at, 'infinity') AS own_at,
					 -- when all that stand before it are passed over
					 max(CASE WHEN p.server_name IS NULL OR p.is_drained THEN '-infinity'
							WHEN p.failing_since IS NOT NULL THEN p.failing_since + floe_internal.fallback_after(q.settings)
							WHEN p.is_full THEN q.queued_at + floe_internal.fallback_after(q.settings) ELSE 'infinity' END)
						OVER (PARTITION BY q.operation_id ORDER BY l.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS passed_at
			  FROM floe_internal.operation_queue AS q
			  CROSS JOIN LATERAL unnest(q.engines) WITH ORDINALITY AS l (name, place)
			  LEFT JOIN place AS p ON p.server_name = l.name
			  WHERE q.state = 'queued' AND q.engines IS NOT NULL) AS x
		GROUP BY x.operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.queue_opens(pg_catalog.timestamptz) IS 'For each queued operation the time from which an engine of its list may take it: -infinity now, infinity: not before somebody acts';
