-- =================================================================================================
-- 59 pins
-- What an operation that is under way needs, and others must not take from it: the snapshot it began with,
-- without which it cannot commit, and the files it has written and not committed yet. floe never has two
-- operations of one table at an engine; but an operation that floe had to give up may still be running there.
-- =================================================================================================

-- An engine that could not be asked when somebody cancelled, or that was removed, was not told to stop. It is given as long again as the operation was
-- allowed to take.
CREATE FUNCTION floe_internal.may_still_write(of_table_id pg_catalog.int8, at pg_catalog.timestamptz)
	RETURNS TABLE (operation_id pg_catalog.int8, operation pg_catalog.text, engine pg_catalog.text, began_at pg_catalog.timestamptz, snapshot_id pg_catalog.int8, is_given_up pg_catalog.bool, until pg_catalog.timestamptz)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT l.operation_id, l.operation, l.engine, COALESCE(l.dispatched_at, l.queued_at), l.before_snapshot_id, true,
		   l.finished_at + GREATEST((l.settings ->> 'timeout')::pg_catalog.interval, '10 minutes')
	FROM floe_internal.operation_log AS l
	WHERE l.table_id = of_table_id AND l.outcome = 'lost' AND l.state IN ('failed', 'cancelled') AND l.finished_at > at - interval '7 days'
	UNION ALL
	SELECT q.operation_id, q.operation, q.engine, COALESCE(q.dispatched_at, q.queued_at), q.before_snapshot_id, false, 'infinity'
	FROM floe_internal.operation_queue AS q WHERE q.table_id = of_table_id AND q.state <> 'queued';
END;
COMMENT ON FUNCTION floe_internal.may_still_write(pg_catalog.int8, pg_catalog.timestamptz) IS 'Operations of a table that are at an engine, or (is_given_up) may still be though floe could not ask; until: when that is no longer to be expected. Those given up more than seven days ago are left out';

-- Ages are raised, never lowered. An hour more for files, because a store's clock is not the engine's.
CREATE FUNCTION floe_internal.pinned_options(of_operation_id pg_catalog.int8, of_table_id pg_catalog.int8, of_operation pg_catalog.text, options pg_catalog.jsonb, settings pg_catalog.jsonb,
		snapshots pg_catalog.bytea, at pg_catalog.timestamptz) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	pinned timestamptz;
BEGIN
	IF of_operation = 'expire_snapshots' THEN
		pinned := (SELECT min(COALESCE(s.committed_at, w.began_at)) FROM floe_internal.may_still_write(of_table_id, at) AS w
			LEFT JOIN floe_internal.snapshot_list(snapshots) AS s ON s.snapshot_id = w.snapshot_id
			WHERE w.operation_id <> of_operation_id AND w.until > at);
		-- without an age the engine takes the table's own, which stands in the settings
		IF at - COALESCE((options ->> 'max_snapshot_age')::interval, (settings ->> 'options.max_snapshot_age')::interval) > pinned THEN
			RETURN options || jsonb_build_object('max_snapshot_age', ceil(extract(epoch FROM at - pinned))::int8 + 1 || ' seconds');
		END IF;
	ELSIF of_operation = 'remove_orphan_files' THEN
		pinned := (SELECT min(w.began_at) - interval '1 hour' FROM floe_internal.may_still_write(of_table_id, at) AS w WHERE w.operation_id <> of_operation_id);
		IF at - (options ->> 'older_than')::interval > pinned THEN
			RETURN options || jsonb_build_object('older_than', ceil(extract(epoch FROM at - pinned))::int8 || ' seconds');
		END IF;
	END IF;
	RETURN options;
END
$body$;
COMMENT ON FUNCTION floe_internal.pinned_options(pg_catalog.int8, pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.bytea, pg_catalog.timestamptz)
	IS 'Options of an operation that deletes files, with which it leaves what an operation that may still write needs: no snapshot goes that is as new as the one it began with, no file that is as new as its beginning';

-- Snapshots that are named are not found by age.
CREATE FUNCTION floe_internal.pinned_snapshot_problem(of_table_id pg_catalog.int8, options pg_catalog.jsonb, snapshots pg_catalog.bytea, at pg_catalog.timestamptz) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.format('snapshot %s of snapshot_ids is needed by operation %s (%s), which may still write until %s', s.snapshot_id, w.operation_id, w.operation, w.until)
	FROM floe_internal.may_still_write(of_table_id, at) AS w
	JOIN floe_internal.snapshot_list(snapshots) AS n ON n.snapshot_id = w.snapshot_id
	JOIN floe_internal.snapshot_list(snapshots) AS s ON s.committed_at >= n.committed_at
	WHERE options ? 'snapshot_ids' AND w.is_given_up AND w.until > at
	  AND s.snapshot_id::pg_catalog.text IN (SELECT x.id FROM pg_catalog.jsonb_array_elements_text(options -> 'snapshot_ids') AS x (id))
	ORDER BY s.committed_at LIMIT 1;
END;
COMMENT ON FUNCTION floe_internal.pinned_snapshot_problem(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.bytea, pg_catalog.timestamptz) IS 'Why snapshots that are to expire by their ids cannot; NULL: nothing needs them';
