-- =================================================================================================
-- 85 steps of the pass that are SQL alone, and housekeeping
-- =================================================================================================

-- Decides for all assessed tables of a pattern and queues what runs; returns how many.
CREATE FUNCTION floe_internal.plan_and_queue(pattern pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	ids int8[];
	queued int4;
BEGIN
	-- two passes that plan at once would both count on the same budgets
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 2);
	PERFORM floe_internal.recompute_health(plan_and_queue.pattern);
	-- Only tables that a policy configures at all.
	SELECT array_agg(t.table_id) INTO ids
		FROM floe_internal.iceberg_table AS t
		JOIN floe_internal.policy_set AS s ON s.policy_set_id = t.policy_set_id AND s.policy_ids <> '{}'
		WHERE t.status = 'ok' AND (plan_and_queue.pattern IS NULL OR floe_internal.match_pattern(plan_and_queue.pattern, t.levels) IS NOT NULL);
	PERFORM floe_internal.sync_schedules(ids, at);
	ids := ARRAY(SELECT floe_internal.tables_to_decide(ids, at));
	IF ids = '{}' THEN
		RETURN 0;
	END IF;
	SELECT count(e.operation_id) INTO queued FROM floe_internal.enqueue(ids, false, NULL, '{}', 'floe') AS e;
	-- an operation whose time has come and that is not needed waits for its next time
	PERFORM floe_internal.advance_schedules(ids, at);
	RETURN queued;
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_and_queue(pg_catalog.text) IS 'Steps 5 to 9 of a pass: issues, plan, gates, debt, selection';

-- Retention, in small batches; true while there may be more.
CREATE FUNCTION floe_internal.purge(most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	n int8;
	more bool := false;
BEGIN
	DELETE FROM floe_internal.health_history AS h WHERE h.ctid = ANY (ARRAY(
		SELECT x.ctid FROM floe_internal.health_history AS x WHERE x.assessed_at < at - current_setting('floe.health_history_retention')::interval LIMIT most));
	GET DIAGNOSTICS n = ROW_COUNT;
	more := more OR n = most;
	DELETE FROM floe_internal.event AS e WHERE e.ctid = ANY (ARRAY(
		SELECT x.ctid FROM floe_internal.event AS x WHERE x.happened_at < at - current_setting('floe.event_retention')::interval LIMIT most));
	GET DIAGNOSTICS n = ROW_COUNT;
	more := more OR n = most;
	DELETE FROM floe_internal.operation_log AS l WHERE l.ctid = ANY (ARRAY(
		SELECT x.ctid FROM floe_internal.operation_log AS x WHERE x.finished_at < at - current_setting('floe.operation_log_retention')::interval LIMIT most));
	GET DIAGNOSTICS n = ROW_COUNT;
	more := more OR n = most;
	DELETE FROM floe_internal.pause AS p WHERE p.until <= at;
	DELETE FROM floe_internal.trigger_request AS r WHERE r.requested_at < at - interval '1 day';
	DELETE FROM floe_internal.policy_set AS s WHERE s.policy_set_id = ANY (ARRAY(
		SELECT x.policy_set_id FROM floe_internal.policy_set AS x
		WHERE NOT EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS t WHERE t.policy_set_id = x.policy_set_id) LIMIT most));
	-- A table that was dropped keeps its history; its manifests are of no use any more.
	DELETE FROM floe_internal.manifest AS m WHERE m.ctid = ANY (ARRAY(
		SELECT x.ctid FROM floe_internal.manifest AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
		WHERE t.status = 'dropped' AND t.dropped_at < at - interval '1 day' LIMIT most));
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN more OR n = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge(pg_catalog.int4) IS 'Removes what is beyond its retention, at most so many rows of each kind';

