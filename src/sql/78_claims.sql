-- =================================================================================================
-- 78 claims
-- Which queued operation a free engine gets next, and whose turn it is. Apart from the life of an operation
-- (78_lifecycle), because only this looks at all that is queued at once.
-- =================================================================================================

CREATE FUNCTION floe_internal.policy_turn(of_policy_set_id pg_catalog.int4, of_operation pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE((SELECT p.name FROM floe_internal.effective AS e JOIN floe.policy AS p ON p.policy_id = (e.origins ->> 'configured')::pg_catalog.int4
		WHERE e.policy_set_id = of_policy_set_id AND e.operation = of_operation), '-');
END;
COMMENT ON FUNCTION floe_internal.policy_turn(pg_catalog.int4, pg_catalog.text) IS 'The policy whose turn an operation takes: of those that configure it, the one that wins; - where there is none';

-- For who holds the lock of the claimers.
CREATE FUNCTION floe_internal.full_shares() RETURNS pg_catalog.text[]
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN ARRAY(
		SELECT b.name || chr(31) FROM floe.budget AS b WHERE b.is_enabled AND b.concurrency = 0
		UNION ALL
		SELECT b.name || chr(31) || x.share
		FROM floe_internal.operation_queue AS q
		JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
		LEFT JOIN floe_internal.policy_in_charge AS i ON i.policy_set_id = t.policy_set_id AND i.operation = q.operation
		JOIN floe.budget AS b ON b.is_enabled AND b.concurrency > 0
			AND floe_internal.budget_covers(b.pattern, b.engine, b.operation_kinds, b.by_hand, b.owner, t.levels, q.engine, q.operation, q.by_hand, i.owner)
		CROSS JOIN LATERAL (SELECT floe_internal.budget_share(b.per, t.levels, q.engine, i.name, i.owner) AS share) AS x
		WHERE q.state IN ('dispatching', 'running', 'lost') AND EXISTS (SELECT 1 FROM floe.budget AS y WHERE y.is_enabled AND y.concurrency > 0)
		GROUP BY b.name, x.share HAVING count(*) >= b.concurrency);
END
$body$;
COMMENT ON FUNCTION floe_internal.full_shares() IS 'Budgets of concurrency under which nothing more may be sent now, each with its share behind the character 31; those that allow nothing at all, without one';

CREATE FUNCTION floe_internal.engine_budgets_allow(q floe_internal.operation_queue, t floe_internal.iceberg_table, engine_name pg_catalog.text, of_budgets pg_catalog.text[], at pg_catalog.timestamptz) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
	RETURN NOT EXISTS (
		SELECT 1 FROM floe.budget AS b
		LEFT JOIN floe_internal.policy_in_charge AS i ON i.policy_set_id = t.policy_set_id AND i.operation = q.operation
		CROSS JOIN LATERAL (
			SELECT count(*) AS operations, count(DISTINCT u.table_id) AS tables, COALESCE(bool_or(u.table_id = t.table_id), false) AS has_table, COALESCE(sum(u.bytes), 0) AS bytes, COALESCE(sum(u.gb_hours), 0) AS gb_hours
			FROM floe_internal.budget_use(at, ARRAY[b.name]) AS u
			WHERE u.operation_id <> q.operation_id AND u.share = floe_internal.budget_share(b.per, t.levels, engine_name, i.name, i.owner)) AS u
		WHERE b.name = ANY (of_budgets) AND NOT (q.by_hand AND b.by_hand = 'exempt')
		  AND floe_internal.budget_covers(b.pattern, b.engine, b.operation_kinds, b.by_hand, b.owner, t.levels, engine_name, q.operation, q.by_hand, i.owner)
		  AND (u.operations >= b.operations OR u.tables >= b.tables AND NOT u.has_table
			   OR NOT (b.overshoot AND u.operations = 0) AND (
					(q.estimate ->> 'bytes')::float8 > 0 AND u.bytes + (q.estimate ->> 'bytes')::float8 > b.bytes
					OR (q.estimate ->> 'gb_hours')::float8 > 0 AND u.gb_hours + (q.estimate ->> 'gb_hours')::float8 > b.gb_hours)));
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_budgets_allow(floe_internal.operation_queue, floe_internal.iceberg_table, pg_catalog.text, pg_catalog.text[], pg_catalog.timestamptz)
	IS 'Whether the budgets of engines let an operation go to one that is not the first of its list; what it takes from a budget already is not counted twice';

-- The next operation for a free engine, never two on one table, in the order of operations within a table. People go first. Then catalogs take turns, and
-- within a catalog its policies; a score decides only within these: nobody with many bad tables keeps the engine for himself.
-- An engine also takes what others stand before it for, while each of those is gone, drained, or has failed or been full for long: decided here and only
-- here, of what is queued, of which nothing was sent.
CREATE FUNCTION floe_internal.claim_operation(of_pass_id pg_catalog.int4, pattern pg_catalog.text) RETURNS SETOF floe_internal.operation_queue
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	e record;
	q floe_internal.operation_queue;
	-- of engines that may take something: a list before them is looked through without a join
	here text[];
	full_ones text[];
	failing text[];
	failing_since timestamptz[];
	is_choice bool;
	tight text[];
	full_shares text[];
BEGIN
	IF EXISTS (SELECT 1 FROM floe_internal.drain) THEN
		RETURN;
	END IF;
	is_choice := EXISTS (SELECT 1 FROM floe_internal.operation_queue AS x WHERE x.state = 'queued' AND x.engines IS NOT NULL);
	-- the plan has tested the budgets of the engine that stands first
	tight := CASE WHEN is_choice THEN ARRAY(SELECT b.name FROM floe.budget AS b WHERE b.is_enabled AND (b.engine IS NOT NULL OR b.per = 'engine') AND num_nonnulls(b.operations, b.tables, b.bytes, b.gb_hours) > 0) ELSE '{}' END;
	-- a budget can be about several engines, a catalog's limit always is: who counts what runs under it does so alone
	IF tight <> '{}' OR EXISTS (SELECT 1 FROM floe.budget AS b WHERE b.is_enabled AND b.concurrency IS NOT NULL)
	   OR EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_catalog' AND s.options ? 'max_operations') THEN
		PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 1);
	END IF;
	full_shares := floe_internal.full_shares();
	IF is_choice THEN
		SELECT array_agg(p.server_name) FILTER (WHERE NOT p.is_drained), array_agg(p.server_name) FILTER (WHERE p.is_full),
			   array_agg(p.server_name) FILTER (WHERE p.failing_since IS NOT NULL), array_agg(p.failing_since) FILTER (WHERE p.failing_since IS NOT NULL)
			INTO here, full_ones, failing, failing_since FROM floe_internal.engine_places(at) AS p;
	END IF;
	FOR e IN
		-- one claimer at a time for each engine, so that its limit holds
		SELECT n.server_name, COALESCE((s.options ->> 'max_operations')::int4, 2) AS most
		FROM floe_internal.engine AS n
		JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = n.server_name
		WHERE n.status <> 'removed' AND COALESCE(n.retry_at, '-infinity') <= at AND n.drained_at IS NULL
		  AND (EXISTS (SELECT 1 FROM floe_internal.operation_queue AS x WHERE x.engine = n.server_name AND x.state = 'queued' AND x.not_before <= at)
			   OR here IS NOT NULL AND EXISTS (SELECT 1 FROM floe_internal.operation_queue AS x
					WHERE x.state = 'queued' AND x.engines IS NOT NULL AND n.server_name = ANY (x.engines) AND x.not_before <= at))
		ORDER BY n.engine_id FOR UPDATE OF n SKIP LOCKED
	LOOP
		CONTINUE WHEN (SELECT count(*) FROM floe_internal.operation_queue AS x WHERE x.engine = e.server_name AND x.state IN ('dispatching', 'running', 'lost')) >= e.most;
		SELECT x.* INTO q
		FROM floe_internal.operation_queue AS x
		JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
		LEFT JOIN floe_internal.dispatch_turn AS ct ON ct.catalog = t.levels[1] AND ct.policy = ''
		LEFT JOIN floe_internal.dispatch_turn AS pt ON pt.catalog = t.levels[1] AND pt.policy = floe_internal.policy_turn(t.policy_set_id, x.operation)
		WHERE x.state = 'queued' AND x.not_before <= at
		  AND (x.engine = e.server_name
			   OR e.server_name = ANY (x.engines) AND NOT EXISTS (
					SELECT 1 FROM unnest(x.engines) WITH ORDINALITY AS l (name, place)
					WHERE l.place < array_position(x.engines, e.server_name) AND l.name = ANY (here)
					  AND NOT COALESCE(failing_since[array_position(failing, l.name)] + floe_internal.fallback_after(x.settings) <= at, false)
					  AND NOT (l.name = ANY (COALESCE(full_ones, '{}')) AND x.queued_at + floe_internal.fallback_after(x.settings) <= at))
				AND (tight = '{}' OR floe_internal.engine_budgets_allow(x, t, e.server_name, tight, at)))
		  AND (claim_operation.pattern IS NULL OR floe_internal.match_pattern(claim_operation.pattern, t.levels) IS NOT NULL)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS o WHERE o.table_id = x.table_id AND (o.state <> 'queued' OR o.position < x.position))
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.pause AS p WHERE p.until > at AND floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s
						  WHERE s.wrapper = 'floe_catalog' AND s.server_name = t.levels[1] AND s.options ? 'max_operations'
							AND (SELECT count(*) FROM floe_internal.operation_queue AS o JOIN floe_internal.iceberg_table AS u ON u.table_id = o.table_id
								 WHERE o.state IN ('dispatching', 'running', 'lost') AND u.catalog_id = t.catalog_id) >= (s.options ->> 'max_operations')::int4)
		  AND (full_shares = '{}' OR NOT EXISTS (
				SELECT 1 FROM floe.budget AS b LEFT JOIN floe_internal.policy_in_charge AS i ON (b.per IN ('policy', 'owner') OR b.owner IS NOT NULL) AND i.policy_set_id = t.policy_set_id AND i.operation = x.operation
				WHERE b.is_enabled AND b.concurrency IS NOT NULL AND NOT (x.by_hand AND b.by_hand = 'exempt')
				  AND floe_internal.budget_covers(b.pattern, b.engine, b.operation_kinds, b.by_hand, b.owner, t.levels, e.server_name, x.operation, x.by_hand, i.owner)
				  AND (b.concurrency = 0 OR b.name || chr(31) || floe_internal.budget_share(b.per, t.levels, e.server_name, i.name, i.owner) = ANY (full_shares))))
		ORDER BY x.by_hand DESC, ct.turn NULLS FIRST, pt.turn NULLS FIRST, x.score DESC, x.operation_id
		LIMIT 1 FOR UPDATE OF x SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		UPDATE floe_internal.operation_queue AS x
			SET state = 'dispatching', driver_pass = of_pass_id, dispatched_at = at, attempt = x.attempt + 1, outcome = NULL, error_class = NULL, error_message = NULL, lost_sent = false,
				engine = e.server_name,
				engine_reason = CASE WHEN e.server_name IS DISTINCT FROM (floe_internal.engine_list(q.settings))[1]
					THEN floe_internal.passed_over(q.table_id, q.operation, q.settings, e.server_name, q.queued_at, at) END
			WHERE x.operation_id = q.operation_id
			RETURNING x.* INTO q;
		IF q.engine_reason IS NOT NULL THEN
			PERFORM floe_internal.write_event('operation rerouted', (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id,
				format('%s goes to engine "%s": %s', q.operation, q.engine, q.engine_reason), jsonb_build_object('engine', q.engine, 'engines', floe_internal.engine_list(q.settings)));
		END IF;
		INSERT INTO floe_internal.dispatch_turn AS d (catalog, policy, turn)
			SELECT t.levels[1], p.policy, nextval('floe_internal.dispatch_turn_seq')
			FROM floe_internal.iceberg_table AS t CROSS JOIN LATERAL (VALUES (''), (floe_internal.policy_turn(t.policy_set_id, q.operation))) AS p (policy)
			WHERE t.table_id = q.table_id
			ON CONFLICT (catalog, policy) DO UPDATE SET turn = EXCLUDED.turn;
		RETURN NEXT q;
		RETURN;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.claim_operation(pg_catalog.int4, pg_catalog.text) IS 'At most one operation, now dispatching and driven by the pass';
