-- =================================================================================================
-- 85 steps of the pass that are SQL alone
-- =================================================================================================

-- For tables for which nothing calls now. Whatever else a decision depends on makes them due; what nobody tells is that snapshots become
-- expirable and get older, that conditions may speak of such, and that a deadline passes. Where none of these can call, another look at them is a matter of caution.
CREATE FUNCTION floe_internal.quiet_until(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, every pg_catalog.interval,
		OUT table_id pg_catalog.int8, OUT decide_at pg_catalog.timestamptz) RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_custom_plan
AS $body$
#variable_conflict use_column
DECLARE
	set_ids int4[] := floe_internal.sets_of(of_table_ids);
BEGIN
	PERFORM floe_internal.plan_for(of_table_ids);
	RETURN QUERY
		WITH growing AS MATERIALIZED (
			-- the current snapshot is not expirable
			SELECT s.set_id, COALESCE(min(w.warning) FILTER (WHERE m.name = 'expirable_snapshot_count'), 'Infinity') AS snapshots,
				   bool_or(w.warning IS NOT NULL AND m.name <> 'expirable_snapshot_count')
				   OR EXISTS (SELECT 1 FROM floe_internal.effective AS c WHERE c.policy_set_id = s.set_id AND c.settings ?| '{conditions,deadline}') AS always,
				   EXISTS (SELECT 1 FROM floe_internal.effective AS c WHERE c.policy_set_id = s.set_id AND c.settings ? 'conditions') AS by_conditions
			FROM unnest(set_ids) AS s (set_id)
			JOIN floe.metric AS m ON m.source = 'clock' AND m.remedy IS NOT NULL
			LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = s.set_id AND e.operation = ''
			CROSS JOIN LATERAL (SELECT floe_internal.warning_in_force(e.settings, m.name, m.warning) AS warning OFFSET 0) AS w
			GROUP BY s.set_id
		), overdue AS MATERIALIZED (
			SELECT t.table_id, min(COALESCE(x.last_success_at, t.first_seen_at) + d.deadline) AS overdue_at
			FROM floe_internal.iceberg_table AS t
			JOIN floe_internal.set_deadlines(set_ids) AS d ON d.set_id = t.policy_set_id
			JOIN floe_internal.health AS h ON h.table_id = t.table_id
			LEFT JOIN floe_internal.table_operation AS x ON x.table_id = t.table_id AND x.operation = d.operation
			WHERE t.table_id = ANY (of_table_ids)
			  AND CASE d.operation WHEN 'compute_table_stats' THEN h.table_stats_lag > 0 WHEN 'compute_partition_stats' THEN h.partition_stats_lag > 0
				WHEN 'expire_snapshots' THEN h.snapshot_count > 1 ELSE NOT EXISTS (SELECT 1 FROM floe_internal.operation_kind AS k WHERE k.operation = d.operation AND k.is_cadence) END
			GROUP BY t.table_id
		)
		SELECT t.table_id, LEAST(
			at + floe_internal.spread(t.table_id::text, GREATEST(every, '1 day')),
			CASE WHEN g.always OR h.snapshot_count > g.snapshots THEN at + floe_internal.spread(t.table_id::text, every) END,
			GREATEST(o.overdue_at + floe_internal.jitter(t.table_id::text, every), CASE WHEN o.overdue_at IS NOT NULL THEN at + floe_internal.spread(t.table_id::text, every) END),
			(SELECT p.next_poll_at FROM floe_internal.table_poll AS p WHERE g.by_conditions AND p.table_id = t.table_id AND p.next_poll_at > at))
		FROM floe_internal.iceberg_table AS t
		JOIN floe_internal.health AS h ON h.table_id = t.table_id
		LEFT JOIN growing AS g ON g.set_id = t.policy_set_id
		LEFT JOIN overdue AS o ON o.table_id = t.table_id
		WHERE t.table_id = ANY (of_table_ids);
END
$body$;
COMMENT ON FUNCTION floe_internal.quiet_until(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.interval)
	IS 'When tables for which nothing calls are decided upon next: every so often where time alone can call, else after a day, or after that if it is longer';

-- Who has to be decided upon: what is due, and what something calls for. For all others an earlier decision holds, and their rows stay as they are.
CREATE FUNCTION floe_internal.tables_to_plan(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, OUT due pg_catalog.int8[], OUT calls floe_internal.call[]) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_custom_plan
AS $body$
DECLARE
	settled int8[];
BEGIN
	PERFORM floe_internal.plan_for(of_table_ids);
	SELECT array_agg(x.id) FILTER (WHERE d.table_id IS NOT NULL), array_agg(x.id) FILTER (WHERE d.table_id IS NULL) INTO settled, due
		FROM unnest(of_table_ids) AS x (id)
		LEFT JOIN floe_internal.table_decision AS d ON d.table_id = x.id AND d.decide_at > at AND d.decided_at IS NOT NULL;
	IF settled IS NULL THEN
		RETURN;
	END IF;
	IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
		-- what this transaction has changed makes nothing due before it commits
		due := ARRAY(SELECT unnest(due)
			UNION SELECT floe_internal.stale_health(settled)
			UNION SELECT s.table_id FROM floe_internal.schedules_to_sync(settled) AS s);
		settled := ARRAY(SELECT unnest(settled) EXCEPT SELECT unnest(due));
	END IF;
	calls := ARRAY(SELECT c FROM floe_internal.calls(settled, at) AS c);
END
$body$;
COMMENT ON FUNCTION floe_internal.tables_to_plan(pg_catalog.int8[], pg_catalog.timestamptz, OUT pg_catalog.int8[], OUT floe_internal.call[])
	IS 'due: those of some tables that are due for a decision, or whose sizes or schedules in force this transaction has changed; calls: what calls for the others';

-- Steps 5 to 9 for some tables, and when each of them is decided upon next.
CREATE FUNCTION floe_internal.plan_tables(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	every interval := current_setting('floe.decision_interval')::interval;
	due int8[];
	planned int8[];
	calls floe_internal.call[];
	called int8[];
	queued int4 := 0;
	wait_ids int8[];
	waits timestamptz[];
	lines floe_internal.verdict_line[];
	needless floe_internal.call[];
BEGIN
	-- two that plan at once would both count on the same budgets
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 2);
	SELECT p.due, p.calls INTO due, calls FROM floe_internal.tables_to_plan(of_table_ids, at) AS p;
	planned := ARRAY(SELECT unnest(due) UNION SELECT c.table_id FROM unnest(calls) AS c);
	-- before anything else of these tables; what changes from here on waits, and makes them due again
	PERFORM 1 FROM floe_internal.table_decision AS d WHERE d.table_id = ANY (planned) ORDER BY d.table_id FOR UPDATE;
	PERFORM floe_internal.recompute_health(due);
	PERFORM floe_internal.sync_schedules(due, at);
	calls := calls || ARRAY(SELECT c FROM floe_internal.calls(due, at) AS c);
	called := ARRAY(SELECT DISTINCT c.table_id FROM unnest(calls) AS c);
	-- no budget holds what nothing calls for
	PERFORM floe_internal.note_deferred(ARRAY(SELECT unnest(planned) EXCEPT SELECT unnest(called)), NULL, at) WHERE EXISTS (SELECT 1 FROM floe_internal.budget_deferral);
	IF called <> '{}' THEN
		SELECT count(e.operation_id), array_agg(e.table_id) FILTER (WHERE e.next_at > at), array_agg(e.next_at) FILTER (WHERE e.next_at > at),
			   array_agg(ROW(e.table_id, e.operation, e.verdict, e.gate, e.value, e.limit_value, e.set_by, e.next_at, e.score, e.operation_id)::floe_internal.verdict_line)
					FILTER (WHERE floe_internal.is_worth_keeping(e.operation, e.verdict, e.gate)),
			   array_agg(ROW(e.table_id, e.operation)::floe_internal.call) FILTER (WHERE e.verdict IN ('not needed', 'off'))
			INTO queued, wait_ids, waits, lines, needless
			FROM floe_internal.enqueue(called, false, NULL, '{}', 'floe', calls) AS e;
		-- an operation whose time has come and that is not needed waits for its next time
		PERFORM floe_internal.advance_schedules(called, needless, at);
	END IF;
	PERFORM floe_internal.note_verdicts(planned, lines, at);
	PERFORM floe_internal.decide_later(planned, called, wait_ids, waits, at, every);
	RETURN queued;
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_tables(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Steps 5 to 9 of a pass for these tables: issues, plan, gates, debt, selection; returns how many operations were queued';

CREATE FUNCTION floe_internal.decide_later(planned pg_catalog.int8[], called pg_catalog.int8[], wait_ids pg_catalog.int8[], waits pg_catalog.timestamptz[],
		at pg_catalog.timestamptz, every pg_catalog.interval) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_custom_plan
AS $body$
BEGIN
	PERFORM floe_internal.plan_for(planned);
	WITH next AS MATERIALIZED (
		SELECT x.table_id, LEAST(COALESCE(q.decide_at, at + floe_internal.spread(x.table_id::text, every)), w.next_at, o.next_due_at) AS decide_at
		FROM unnest(planned) AS x (table_id)
		LEFT JOIN floe_internal.quiet_until(ARRAY(SELECT unnest(planned) EXCEPT SELECT unnest(called)), at, every) AS q ON q.table_id = x.table_id
		LEFT JOIN (SELECT y.table_id, min(y.next_at) AS next_at FROM unnest(wait_ids, waits) AS y (table_id, next_at) GROUP BY y.table_id) AS w ON w.table_id = x.table_id
		LEFT JOIN (SELECT y.table_id, min(y.next_due_at) AS next_due_at FROM floe_internal.table_operation AS y
				   WHERE y.table_id = ANY (planned) AND y.next_due_at > at GROUP BY y.table_id) AS o ON o.table_id = x.table_id
	), known AS (
		-- nearly all of them: three times as fast as a conflict for each
		UPDATE floe_internal.table_decision AS d SET decide_at = n.decide_at, decided_at = at FROM next AS n WHERE d.table_id = n.table_id
			RETURNING d.table_id
	)
	INSERT INTO floe_internal.table_decision AS d (table_id, decide_at, decided_at)
		SELECT n.table_id, n.decide_at, at FROM next AS n WHERE NOT EXISTS (SELECT 1 FROM known AS k WHERE k.table_id = n.table_id)
		ON CONFLICT (table_id) DO UPDATE SET decide_at = EXCLUDED.decide_at, decided_at = EXCLUDED.decided_at;
END
$body$;
COMMENT ON FUNCTION floe_internal.decide_later(pg_catalog.int8[], pg_catalog.int8[], pg_catalog.int8[], pg_catalog.timestamptz[], pg_catalog.timestamptz, pg_catalog.interval)
	IS 'When each of the tables that were just decided upon is due again: the first of its waits, its schedules, or what time alone can do';

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
	PERFORM floe_internal.note_verdicts(ARRAY(SELECT unnest(due) EXCEPT SELECT unnest(ids)), NULL, at);
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
CREATE TRIGGER debt_preset_after AFTER INSERT OR UPDATE OR DELETE ON floe.debt_preset
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.decide_all_soon();

