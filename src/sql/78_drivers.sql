-- =================================================================================================
-- 78 drivers
-- Which process drives an operation: taking over what a dead one left, what has to be stopped, what waits and
-- for how long. Nothing here changes what an operation is; that is 78_lifecycle.
-- =================================================================================================

CREATE FUNCTION floe_internal.patience(settings pg_catalog.jsonb) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT GREATEST((settings ->> 'timeout')::pg_catalog.interval, '10 minutes');
END;
COMMENT ON FUNCTION floe_internal.patience(pg_catalog.jsonb) IS 'How long a pass waits for an engine that cannot be asked, and how long an operation is kept that was cancelled or whose engine was removed meanwhile';

-- Operations whose driver is gone, now driven by this pass.
CREATE FUNCTION floe_internal.adopt_operations(of_pass_id pg_catalog.int4, pattern pg_catalog.text) RETURNS SETOF floe_internal.operation_queue
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	-- Before any of their tables is looked at: a claim of the dead is evidence, and stands in the way of the living.
	PERFORM floe_internal.void_claims();
	PERFORM floe_internal.lock_decisions(ARRAY(SELECT q.operation_id FROM floe_internal.operation_queue AS q
		WHERE q.state <> 'queued' AND q.driver_pass NOT IN (SELECT floe_internal.live_passes())));
	-- Nothing was sent for these: they wait in the queue again.
	UPDATE floe_internal.operation_queue AS q SET state = 'queued', driver_pass = NULL, attempt = q.attempt - 1
		WHERE q.state = 'dispatching' AND NOT q.lost_sent AND q.driver_pass NOT IN (SELECT floe_internal.live_passes());
	-- What ran at an engine whose server is gone cannot be asked for any more; when it must have ended, the table decides.
	UPDATE floe_internal.operation_queue AS q
		SET state = 'verifying', outcome = 'lost', error_class = 'transient', error_message = format('engine "%s" was removed while it ran', q.engine),
			engine_ended_at = floe_internal.clock(), saved = NULL
		WHERE q.state IN ('dispatching', 'running', 'lost') AND q.unreachable_since < floe_internal.clock() - floe_internal.patience(q.settings)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = q.engine)
		  AND q.driver_pass NOT IN (SELECT floe_internal.live_passes());
	-- Without its catalog nothing can be measured.
	UPDATE floe_internal.operation_queue AS q SET state = 'verifying', outcome = 'lost', engine_ended_at = floe_internal.clock(), saved = NULL
		FROM floe_internal.iceberg_table AS t JOIN floe_internal.catalog AS c ON c.catalog_id = t.catalog_id
		WHERE t.table_id = q.table_id AND c.status = 'removed' AND c.removed_at < floe_internal.clock() - floe_internal.patience(q.settings)
		  AND q.state IN ('dispatching', 'running', 'lost') AND q.driver_pass NOT IN (SELECT floe_internal.live_passes());
	PERFORM floe_internal.abandon_operation(q.operation_id, format('its catalog "%s" was removed', c.server_name))
		FROM floe_internal.operation_queue AS q
		JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
		JOIN floe_internal.catalog AS c ON c.catalog_id = t.catalog_id
		WHERE c.status = 'removed' AND q.state = 'verifying' AND q.driver_pass NOT IN (SELECT floe_internal.live_passes());
	RETURN QUERY
		UPDATE floe_internal.operation_queue AS q SET driver_pass = of_pass_id
		FROM floe_internal.iceberg_table AS t
		WHERE t.table_id = q.table_id AND q.state <> 'queued'
		  AND q.driver_pass NOT IN (SELECT floe_internal.live_passes())
		  AND (q.driver_pass <> 0 OR q.not_before <= floe_internal.clock())
		  AND (adopt_operations.pattern IS NULL OR floe_internal.match_pattern(adopt_operations.pattern, t.levels) IS NOT NULL)
		RETURNING q.*;
END
$body$;
COMMENT ON FUNCTION floe_internal.adopt_operations(pg_catalog.int4, pg_catalog.text) IS 'Reconciliation: what a dead process left behind is taken over before any new work';

-- What the driver must know while it waits: requests to cancel, time that is up, and silence that lasted too long. What a silent
-- engine may still be running is kept, so that nothing else is sent to the table; only who cancelled it takes that upon himself.
CREATE FUNCTION floe_internal.operations_to_stop(of_pass_id pg_catalog.int4, OUT operation_id pg_catalog.int8, OUT reason pg_catalog.text, OUT give_up pg_catalog.bool, OUT leave pg_catalog.bool)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT q.operation_id, CASE WHEN silence.is_long THEN 'the engine was silent for ' || floe_internal.format_interval(floe_internal.clock() - q.unreachable_since)
								WHEN q.cancel_requested_by IS NOT NULL THEN 'cancelled by ' || q.cancel_requested_by
								ELSE 'timeout of ' || floe_internal.format_interval((q.settings ->> 'timeout')::pg_catalog.interval) END,
		   silence.is_long AND q.cancel_requested_by IS NOT NULL, silence.is_long AND q.cancel_requested_by IS NULL
	FROM floe_internal.operation_queue AS q
	CROSS JOIN LATERAL (SELECT COALESCE(q.unreachable_since < floe_internal.clock() - floe_internal.patience(q.settings), false) AS is_long) AS silence
	WHERE q.driver_pass = of_pass_id AND q.state IN ('dispatching', 'running', 'lost')
	  AND (q.cancel_requested_by IS NOT NULL OR q.timeout_at <= floe_internal.clock() OR silence.is_long);
END;
COMMENT ON FUNCTION floe_internal.operations_to_stop(pg_catalog.int4) IS 'Operations of a pass that are to be cancelled at the engine; give_up: it cannot be asked, so the table decides; leave: it cannot be asked, a later pass tries again';

-- Without those that this pass drives, which it knows better, and those of an engine that is gone, which nobody can start.
CREATE FUNCTION floe_internal.pending_operations(of_pass_id pg_catalog.int4, pattern pg_catalog.text, OUT queued pg_catalog.int4, OUT live pg_catalog.int4, OUT next_ms pg_catalog.int8)
	RETURNS pg_catalog.record
	-- of its filters the planner expects too much: a nested loop over a long queue takes seconds
	LANGUAGE sql VOLATILE SET jit = off SET enable_nestloop = off
BEGIN ATOMIC
	SELECT pg_catalog.count(*) FILTER (WHERE q.state = 'queued'), pg_catalog.count(*) FILTER (WHERE q.state <> 'queued'),
		   pg_catalog.ceil(EXTRACT(epoch FROM pg_catalog.min(GREATEST(q.not_before, o.opens_at, floe_internal.clock())) FILTER (WHERE q.state = 'queued') - floe_internal.clock()) * 1000)
	FROM floe_internal.operation_queue AS q
	JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
	LEFT JOIN floe_internal.queue_opens(floe_internal.clock()) AS o ON o.operation_id = q.operation_id
	WHERE (pending_operations.pattern IS NULL OR floe_internal.match_pattern(pending_operations.pattern, t.levels) IS NOT NULL)
	  AND q.driver_pass IS DISTINCT FROM of_pass_id
	  AND (q.state = 'queued' OR EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = q.engine))
	  -- all its engines are gone or drained
	  AND o.opens_at IS DISTINCT FROM 'infinity'
	  AND NOT EXISTS (SELECT 1 FROM floe_internal.pause AS p WHERE q.state = 'queued' AND p.until > floe_internal.clock()
						AND floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL)
	  AND NOT EXISTS (SELECT 1 FROM floe_internal.drain AS d WHERE q.state = 'queued');
END;
COMMENT ON FUNCTION floe_internal.pending_operations(pg_catalog.int4, pg_catalog.text) IS 'How much is queued (and not paused) and live, and in how many milliseconds the next queued one may start; NULL: nothing is queued';

-- By a driver that goes on living.
CREATE FUNCTION floe_internal.release_operation(of_operation_id pg_catalog.int8, seconds pg_catalog.int4) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE floe_internal.operation_queue AS q SET driver_pass = 0, not_before = floe_internal.clock() + pg_catalog.make_interval(secs => release_operation.seconds)
		WHERE q.operation_id = of_operation_id AND q.state <> 'queued';
	SELECT floe_internal.wake('executor');
END;
COMMENT ON FUNCTION floe_internal.release_operation(pg_catalog.int8, pg_catalog.int4) IS 'Nobody drives the operation any more: after so many seconds whoever looks takes it over';

-- What may go on now and does not waits for something that wakes the executor: a free place, a resume, an end. What others do is not told.
CREATE FUNCTION floe_internal.next_executor_ms() RETURNS pg_catalog.int8
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT CASE WHEN pg_catalog.count(*) > 0 THEN GREATEST(1, LEAST(5000, pg_catalog.ceil(EXTRACT(epoch FROM
			pg_catalog.min(d.due_at) FILTER (WHERE d.due_at > floe_internal.clock()) - floe_internal.clock()) * 1000)))::pg_catalog.int8 END
	FROM floe_internal.operation_queue AS q
	LEFT JOIN floe_internal.queue_opens(floe_internal.clock()) AS o ON o.operation_id = q.operation_id
	CROSS JOIN LATERAL (SELECT CASE WHEN q.state = 'queued' THEN NULLIF(GREATEST(q.not_before, o.opens_at), 'infinity') WHEN q.driver_pass = 0 THEN q.not_before END AS due_at) AS d;
END;
COMMENT ON FUNCTION floe_internal.next_executor_ms() IS 'Milliseconds until a queued or released operation may go on, at most five seconds; NULL: there is none at all';
