-- =================================================================================================
-- 85 steps of the pass that are SQL alone
-- =================================================================================================

-- For tables for which nothing calls now. Whatever else a decision depends on makes them due; what nobody tells is that snapshots become
-- expirable and get older, and that a deadline of floe's own passes. Where neither can call, another look at them is a matter of caution.
CREATE FUNCTION floe_internal.quiet_until(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, every pg_catalog.interval,
		OUT table_id pg_catalog.int8, OUT decide_at pg_catalog.timestamptz) RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		WITH growing AS MATERIALIZED (
			SELECT s.policy_set_id, m.name, floe_internal.warning_in_force(e.settings, m.name, m.warning) AS warning
			FROM (SELECT DISTINCT t.policy_set_id FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (of_table_ids)) AS s
			JOIN floe.metric AS m ON m.source = 'clock' AND m.remedy IS NOT NULL
			LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = s.policy_set_id AND e.operation = ''
		), deadline AS MATERIALIZED (
			SELECT e.policy_set_id, b.operation, (b.value #>> '{}')::interval AS deadline
			FROM floe_internal.builtin_setting AS b JOIN floe_internal.effective AS e ON e.operation = b.operation AND e.settings ? 'configured'
			WHERE b.setting = 'deadline' AND e.policy_set_id IN (SELECT g.policy_set_id FROM growing AS g)
		)
		SELECT t.table_id, LEAST(
			at + floe_internal.spread(t.table_id::text, GREATEST(every, '1 day')),
			-- the current one is not expirable
			CASE WHEN EXISTS (SELECT 1 FROM growing AS g WHERE g.policy_set_id = t.policy_set_id AND g.warning IS NOT NULL
					AND (g.name <> 'expirable_snapshot_count' OR h.snapshot_count > g.warning)) THEN at + floe_internal.spread(t.table_id::text, every) END,
			(SELECT min(GREATEST(COALESCE(x.last_success_at, t.first_seen_at) + d.deadline + floe_internal.jitter(t.table_id::text, every), at + floe_internal.spread(t.table_id::text, every)))
			 FROM deadline AS d LEFT JOIN floe_internal.table_operation AS x ON x.table_id = t.table_id AND x.operation = d.operation
			 WHERE d.policy_set_id = t.policy_set_id
			   AND CASE d.operation WHEN 'compute_table_stats' THEN h.table_stats_lag > 0 WHEN 'compute_partition_stats' THEN h.partition_stats_lag > 0 ELSE h.snapshot_count > 1 END))
		FROM floe_internal.iceberg_table AS t JOIN floe_internal.health AS h ON h.table_id = t.table_id
		WHERE t.table_id = ANY (of_table_ids);
END
$body$;
COMMENT ON FUNCTION floe_internal.quiet_until(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.interval)
	IS 'When tables for which nothing calls are decided upon next: every so often where time alone can call, else after a day, or after that if it is longer';

-- Steps 5 to 9 for some tables, and when each of them is decided upon next.
CREATE FUNCTION floe_internal.plan_tables(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	every interval := current_setting('floe.decision_interval')::interval;
	called int8[];
	queued int4 := 0;
	wait_ids int8[];
	waits timestamptz[];
BEGIN
	-- two that plan at once would both count on the same budgets
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 2);
	-- before anything else of these tables; what changes from here on waits, and makes them due again
	PERFORM 1 FROM floe_internal.table_decision AS d WHERE d.table_id = ANY (of_table_ids) ORDER BY d.table_id FOR UPDATE;
	PERFORM floe_internal.recompute_health(of_table_ids);
	PERFORM floe_internal.sync_schedules(of_table_ids, at);
	called := ARRAY(SELECT floe_internal.tables_to_decide(of_table_ids, at));
	IF called <> '{}' THEN
		SELECT count(e.operation_id), array_agg(e.table_id) FILTER (WHERE e.next_at > at), array_agg(e.next_at) FILTER (WHERE e.next_at > at) INTO queued, wait_ids, waits
			FROM floe_internal.enqueue(called, false, NULL, '{}', 'floe') AS e;
		-- an operation whose time has come and that is not needed waits for its next time
		PERFORM floe_internal.advance_schedules(called, at);
	END IF;
	INSERT INTO floe_internal.table_decision AS d (table_id, decide_at, decided_at)
		SELECT x.table_id, LEAST(
				COALESCE(q.decide_at, at + floe_internal.spread(x.table_id::text, every)),
				(SELECT min(w.next_at) FROM unnest(wait_ids, waits) AS w (table_id, next_at) WHERE w.table_id = x.table_id),
				(SELECT min(o.next_due_at) FROM floe_internal.table_operation AS o WHERE o.table_id = x.table_id AND o.next_due_at > at)), at
		FROM unnest(of_table_ids) AS x (table_id)
		LEFT JOIN floe_internal.quiet_until(ARRAY(SELECT unnest(of_table_ids) EXCEPT SELECT unnest(called)), at, every) AS q ON q.table_id = x.table_id
		ON CONFLICT (table_id) DO UPDATE SET decide_at = EXCLUDED.decide_at, decided_at = EXCLUDED.decided_at;
	RETURN queued;
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_tables(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Steps 5 to 9 of a pass for these tables: issues, plan, gates, debt, selection; returns how many operations were queued';

-- Decides for all assessed tables of a pattern and queues what runs; returns how many.
CREATE FUNCTION floe_internal.plan_and_queue(pattern pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.pass_boundaries();
	-- Only tables that a policy configures at all.
	RETURN floe_internal.plan_tables(ARRAY(
		SELECT t.table_id
		FROM floe_internal.iceberg_table AS t
		JOIN floe_internal.policy_set AS s ON s.policy_set_id = t.policy_set_id AND s.policy_ids <> '{}'
		WHERE t.status = 'ok' AND (plan_and_queue.pattern IS NULL OR floe_internal.match_pattern(plan_and_queue.pattern, t.levels) IS NOT NULL)), floe_internal.clock());
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_and_queue(pg_catalog.text) IS 'Steps 5 to 9 of a pass for all tables of a pattern, due or not';

-- A table that cannot be decided upon must not keep all others from it: it is put off, and says why. If none can, that is not the tables' fault.
CREATE FUNCTION floe_internal.plan_portion(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	id int8;
	queued int4 := 0;
	failed int8[] := ARRAY[]::int8[];
	reasons text[] := ARRAY[]::text[];
BEGIN
	BEGIN
		RETURN floe_internal.plan_tables(of_table_ids, at);
	EXCEPTION
		WHEN lock_not_available OR deadlock_detected THEN
			RAISE;
		WHEN OTHERS THEN
			NULL;
	END;
	FOREACH id IN ARRAY of_table_ids LOOP
		BEGIN
			queued := queued + floe_internal.plan_tables(ARRAY[id], at);
		EXCEPTION
			WHEN lock_not_available OR deadlock_detected THEN
				RAISE;
			WHEN OTHERS THEN
				failed := failed || id;
				reasons := reasons || SQLERRM;
				IF cardinality(failed) = 10 AND cardinality(failed) = array_position(of_table_ids, id) THEN
					RAISE;
				END IF;
		END;
	END LOOP;
	UPDATE floe_internal.table_decision AS d SET decide_at = at + floe_internal.spread(d.table_id::text, GREATEST(current_setting('floe.decision_interval')::interval, '1 hour'))
		WHERE d.table_id = ANY (failed);
	PERFORM floe_internal.write_event('decision failed', t.levels[1], t.table_id, t.name, NULL, format('%s cannot be decided upon: %s', t.name, f.reason), NULL)
		FROM unnest(failed, reasons) AS f (table_id, reason) JOIN floe_internal.iceberg_table AS t ON t.table_id = f.table_id;
	RETURN queued;
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_portion(pg_catalog.int8[], pg_catalog.timestamptz) IS 'floe_internal.plan_tables(), and one by one what it fails for; throws if the first ten fail';

CREATE FUNCTION floe_internal.lock_due(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS SETOF pg_catalog.int8
	-- in a function of its own, because its settings hold for all that it calls
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off
AS $body$
BEGIN
	RETURN QUERY SELECT d.table_id FROM floe_internal.table_decision AS d WHERE d.decide_at <= at ORDER BY d.decide_at LIMIT most FOR UPDATE SKIP LOCKED;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_due(pg_catalog.timestamptz, pg_catalog.int4) IS 'Tables that are due for a decision, the longest first, locked until the commit; what others hold is left to them';

-- The same for tables that are due, at most so many: the cost is that of what is due. Budgets are given out in the order of the scores,
-- so while there are any the portion is larger.
CREATE FUNCTION floe_internal.plan_due(most pg_catalog.int4, OUT decided pg_catalog.int4, OUT queued pg_catalog.int4) RETURNS pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	due int8[];
	ids int8[];
BEGIN
	decided := 0;
	queued := 0;
	IF floe_internal.pass_boundaries() THEN
		decided := most;	-- more is due: with the commit of this
		RETURN;
	END IF;
	-- by the index, whatever the planner thinks of the times in the table
	IF COALESCE((SELECT d.decide_at FROM floe_internal.table_decision AS d ORDER BY d.decide_at LIMIT 1) > at, true) THEN
		RETURN;
	END IF;
	-- before any row is locked, as in plan_tables()
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 2);
	due := ARRAY(SELECT floe_internal.lock_due(at, most * CASE WHEN EXISTS (SELECT 1 FROM floe.budget AS b WHERE b.is_enabled) THEN 10 ELSE 1 END));
	decided := COALESCE(array_length(due, 1), 0);
	IF decided = 0 THEN
		RETURN;
	END IF;
	ids := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
		JOIN floe_internal.policy_set AS s ON s.policy_set_id = t.policy_set_id AND s.policy_ids <> '{}'
		WHERE t.table_id = ANY (due) AND t.status = 'ok');
	-- what cannot be decided upon waits until it can: an assessment or a policy makes it due
	UPDATE floe_internal.table_decision AS d SET decide_at = 'infinity' WHERE d.table_id = ANY (due) AND d.table_id <> ALL (ids);
	queued := floe_internal.plan_portion(ids, at);
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_due(pg_catalog.int4) IS 'Decides upon due tables; decided: how many were due (fewer than asked for: no more are), queued: operations';

-- Something changed that decisions depend on.
CREATE FUNCTION floe_internal.decide_soon(of_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.table_decision AS d (table_id, decide_at)
		SELECT t.table_id, floe_internal.clock()
		FROM floe_internal.iceberg_table AS t JOIN floe_internal.policy_set AS s ON s.policy_set_id = t.policy_set_id AND s.policy_ids <> '{}'
		WHERE t.table_id = ANY (of_table_ids) AND t.status = 'ok'
		ORDER BY t.table_id
		ON CONFLICT (table_id) DO UPDATE SET decide_at = EXCLUDED.decide_at WHERE d.decide_at > EXCLUDED.decide_at;
	PERFORM floe_internal.wake('assessor');
END
$body$;
COMMENT ON FUNCTION floe_internal.decide_soon(pg_catalog.int8[]) IS 'Makes these tables due for a decision, as far as policies configure them';

CREATE FUNCTION floe_internal.decide_all() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	-- Those that are due, too: somebody may be deciding upon them now, and then this waits for him. In the order of decide_soon().
	UPDATE floe_internal.table_decision AS d SET decide_at = LEAST(d.decide_at, floe_internal.clock())
		FROM (SELECT x.table_id FROM floe_internal.table_decision AS x WHERE x.decide_at < 'infinity' ORDER BY x.table_id FOR UPDATE) AS known
		WHERE d.table_id = known.table_id;
	PERFORM floe_internal.wake('assessor');
	PERFORM floe_internal.wake('executor');
END
$body$;
COMMENT ON FUNCTION floe_internal.decide_all() IS 'Makes all tables due for a decision';

-- When the transaction commits, and once for it.
CREATE FUNCTION floe_internal.decide_all_soon() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.settings_change (is_for_all) SELECT true WHERE NOT EXISTS (SELECT 1 FROM floe_internal.settings_change AS x WHERE x.is_for_all);
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.decide_all_soon() IS 'Trigger: after a change that concerns every decision';

CREATE TRIGGER budget_after AFTER INSERT OR UPDATE OR DELETE ON floe.budget
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.decide_all_soon();
CREATE TRIGGER metric_after AFTER UPDATE ON floe.metric
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.decide_all_soon();
CREATE TRIGGER debt_term_after AFTER UPDATE ON floe.debt_term
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.decide_all_soon();

