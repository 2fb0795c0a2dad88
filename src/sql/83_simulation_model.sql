-- =================================================================================================
-- 83 simulation: the model
-- How tables were when it begins, how they are as simulated, and what an operation does that did not really run. The metrics of a table
-- are those stored, which show what writers did, plus a difference: an operation that really ended and is not simulated is taken out
-- by its measured effect, a simulated one is put in by the effect that it really had or, where it never ran, by what past runs had.
-- =================================================================================================

-- One at a time, and in the order in which passes lock: who plans, tables, decisions, the queue, what happened last.
CREATE FUNCTION floe_internal.simulation_lock(of_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 4);
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 2);
	PERFORM 1 FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (of_table_ids) ORDER BY t.table_id FOR NO KEY UPDATE;
	PERFORM 1 FROM floe_internal.table_decision AS d WHERE d.table_id = ANY (of_table_ids) ORDER BY d.table_id FOR UPDATE;
	PERFORM 1 FROM floe_internal.operation_queue AS q ORDER BY q.operation_id FOR UPDATE;
	PERFORM 1 FROM floe_internal.table_operation AS x WHERE x.table_id = ANY (of_table_ids) ORDER BY x.table_id, x.operation FOR UPDATE;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulation_lock(pg_catalog.int8[]) IS 'Keeps these tables for a simulation until it is rolled back';

-- What ended since is not known yet. Operations of other tables come back when their time has come: budgets count them.
CREATE FUNCTION floe_internal.simulation_hide(of_table_ids pg_catalog.int8[], begins_at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	WITH gone AS (
		DELETE FROM floe_internal.operation_log AS l WHERE l.finished_at > begins_at RETURNING l.*)
	INSERT INTO floe_internal.simulated_past SELECT g.*, g.table_id = ANY (of_table_ids) FROM gone AS g;
	INSERT INTO floe_internal.simulated_past
		SELECT y.*, y.table_id = ANY (of_table_ids) FROM floe_internal.operation_queue AS q
		CROSS JOIN LATERAL jsonb_populate_record(NULL::floe_internal.operation_log, to_jsonb(q)) AS y;
	DELETE FROM floe_internal.operation_queue;
	-- what was queued or under way then; what has not ended since does not
	INSERT INTO floe_internal.operation_queue
		SELECT y.* FROM floe_internal.simulated_past AS p JOIN floe_internal.operation_kind AS k ON k.operation = p.operation
		CROSS JOIN LATERAL jsonb_populate_record(NULL::floe_internal.operation_queue, to_jsonb(p) || jsonb_build_object('position', k.position, 'not_before', '-infinity', 'lost_sent', false,
			'state', CASE WHEN p.dispatched_at <= begins_at THEN 'dispatching' ELSE 'queued' END)) AS y
		WHERE p.is_own AND p.queued_at < begins_at
		ON CONFLICT DO NOTHING;
	INSERT INTO floe_internal.simulated_run (operation_id, table_id, real_id, is_counted, starts_at, ends_at)
		SELECT q.operation_id, q.table_id, q.operation_id, false, COALESCE(p.dispatched_at, p.finished_at),
			CASE WHEN COALESCE(p.dispatched_at, p.finished_at) IS NOT NULL THEN COALESCE(p.finished_at, 'infinity') END
		FROM floe_internal.operation_queue AS q JOIN floe_internal.simulated_past AS p ON p.operation_id = q.operation_id;
	-- an engine that is down now was not then, as far as anybody knows
	UPDATE floe_internal.engine AS e SET status = 'ok', retry_at = NULL, drained_at = NULL WHERE e.status <> 'removed' AND (e.retry_at IS NOT NULL OR e.drained_at IS NOT NULL);
	DELETE FROM floe_internal.drain;
	DELETE FROM floe_internal.pause;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulation_hide(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Log and queue as they were then; what came later is put aside';

-- Snapshots that are known: of the list as it is now, of the log, and the current one of each stored health. Between two of these as many as
-- the count says are missing, at even distances.
CREATE FUNCTION floe_internal.simulation_commits(begins_at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.simulated_commit (table_id, snapshot_id, committed_at, operation, real_id)
		SELECT x.table_id, (s.item ->> 'snapshot_id')::int8, (s.item ->> 'committed_at')::timestamptz, COALESCE(s.item ->> 'operation', 'unknown'),
			CASE WHEN s.item ->> 'operation' = 'replace' AND x.finished_at > begins_at THEN x.operation_id END
		FROM (SELECT p.table_id, p.operation_id, p.new_snapshots, p.finished_at FROM floe_internal.simulated_past AS p WHERE p.is_own
			  UNION ALL
			  SELECT l.table_id, l.operation_id, l.new_snapshots, l.finished_at FROM floe_internal.operation_log AS l WHERE l.table_id IN (SELECT t.table_id FROM floe_internal.simulated_table AS t)) AS x
		CROSS JOIN LATERAL jsonb_array_elements(x.new_snapshots) AS s (item)
		WHERE jsonb_typeof(x.new_snapshots) = 'array'
		ON CONFLICT DO NOTHING;
	INSERT INTO floe_internal.simulated_commit (table_id, snapshot_id, committed_at, operation)
		SELECT t.table_id, s.snapshot_id, s.committed_at, COALESCE(s.operation, 'unknown')
		FROM floe_internal.simulated_table AS t JOIN floe_internal.iceberg_table AS i ON i.table_id = t.table_id
		CROSS JOIN LATERAL floe_internal.snapshot_list(i.snapshots) AS s
		ON CONFLICT DO NOTHING;
	INSERT INTO floe_internal.simulated_commit (table_id, snapshot_id, committed_at, operation)
		SELECT DISTINCT ON (h.table_id, h.snapshot_id) h.table_id, h.snapshot_id, h.newest_snapshot_at, 'append'
		FROM floe_internal.health_history AS h JOIN floe_internal.simulated_table AS t ON t.table_id = h.table_id
		WHERE h.snapshot_id IS NOT NULL AND h.newest_snapshot_at IS NOT NULL
		ORDER BY h.table_id, h.snapshot_id, h.assessed_at
		ON CONFLICT DO NOTHING;
	INSERT INTO floe_internal.simulated_commit (table_id, snapshot_id, committed_at, operation)
		SELECT g.table_id, - row_number() OVER (PARTITION BY g.table_id ORDER BY g.to_at, f.n), g.from_at + (g.to_at - g.from_at) * (f.n / (g.missing + 1.0)), 'append'
		FROM (
			SELECT s.table_id, s.from_at, s.to_at, (LEAST(s.expected, 100000) - (
				SELECT count(*) FROM floe_internal.simulated_commit AS c
				WHERE c.table_id = s.table_id AND c.committed_at > s.from_at AND c.committed_at <= s.to_at))::int4 AS missing
			FROM (
				SELECT y.table_id, y.to_at, y.from_at, y.grown - COALESCE((
						SELECT sum((p.effect ->> 'snapshot_count')::float8) FROM floe_internal.simulated_past AS p
						WHERE p.table_id = y.table_id AND p.operation = 'expire_snapshots' AND p.state = 'succeeded'
						  AND p.engine_ended_at > y.before AND p.engine_ended_at <= y.assessed_at), 0) AS expected
				FROM (
					SELECT h.table_id, h.assessed_at, lag(h.assessed_at) OVER w AS before, h.newest_snapshot_at AS to_at,
						COALESCE(lag(h.newest_snapshot_at) OVER w, h.oldest_snapshot_at - interval '1 millisecond') AS from_at,
						h.snapshot_count - COALESCE(lag(h.snapshot_count) OVER w, 0) AS grown
					FROM floe_internal.health_history AS h JOIN floe_internal.simulated_table AS t ON t.table_id = h.table_id
					WHERE h.assessed_at >= t.known_at
					WINDOW w AS (PARTITION BY h.table_id ORDER BY h.assessed_at)) AS y) AS s
			WHERE s.to_at > s.from_at) AS g
		CROSS JOIN LATERAL generate_series(1, g.missing) AS f (n)
		ON CONFLICT DO NOTHING;
	-- what had been expired before
	DELETE FROM floe_internal.simulated_commit AS c USING floe_internal.simulated_table AS t
		CROSS JOIN LATERAL (SELECT h.oldest_snapshot_at FROM floe_internal.health_history AS h WHERE h.table_id = t.table_id AND h.assessed_at >= t.known_at ORDER BY h.assessed_at LIMIT 1) AS f
		WHERE c.table_id = t.table_id AND c.committed_at < f.oldest_snapshot_at;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulation_commits(pg_catalog.timestamptz) IS 'Fills floe_internal.simulated_commit';

CREATE FUNCTION floe_internal.simulation_ratios() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.simulated_ratio (table_id, operation, metric, ratio)
		SELECT COALESCE(x.table_id, 0), x.operation, x.metric, percentile_cont(0.5) WITHIN GROUP (ORDER BY x.ratio)
		FROM (
			SELECT l.table_id, l.operation, e.metric, LEAST(COALESCE((l.effect ->> e.metric)::float8, 0), 0) / (l.before ->> e.basis)::float8 AS ratio
			FROM (SELECT a.table_id, a.operation, a.before, a.effect FROM floe_internal.operation_log AS a WHERE a.state = 'succeeded'
				  UNION ALL SELECT b.table_id, b.operation, b.before, b.effect FROM floe_internal.simulated_past AS b WHERE b.state = 'succeeded') AS l
			JOIN floe_internal.operation_effect AS e ON e.operation = l.operation
			WHERE (l.before ->> e.basis)::float8 > 0) AS x
		GROUP BY GROUPING SETS ((x.table_id, x.operation, x.metric), (x.operation, x.metric));
END
$body$;
COMMENT ON FUNCTION floe_internal.simulation_ratios() IS 'Fills floe_internal.simulated_ratio: of each table, and of all';

-- What happened last, per table and operation, from the log. A schedule's time that was before was considered.
CREATE FUNCTION floe_internal.simulation_bookkeeping(of_table_ids pg_catalog.int8[], begins_at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	DELETE FROM floe_internal.table_operation AS x WHERE x.table_id = ANY (of_table_ids);
	INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at, last_state, failures, failure_class, failure_message, failure_settings_hash, failure_metadata,
			backoff_until, zero_changes, zero_change_until, zero_change_metadata, slices_left)
		SELECT r.table_id, r.operation, r.last_run_at, r.last_success_at, r.last_state, r.failures, f.error_class, f.error_message, f.settings_hash, m.metadata_location,
			CASE WHEN c.retries THEN f.finished_at + floe_internal.backoff_delay(r.failures::int4, c.base_delay, c.max_delay, r.table_id || r.operation) END,
			r.zero_changes, CASE WHEN r.zero_changes > 0 THEN r.last_run_at + LEAST(interval '7 days', GREATEST((r.last_settings ->> 'min_interval')::interval, interval '1 hour') * pow(2, LEAST(r.zero_changes - 1, 10))) END,
			CASE WHEN r.zero_changes > 0 THEN m.metadata_location END, COALESCE((r.last_estimate #>> '{slice,left}')::int8, 0)
		FROM (
			SELECT l.table_id, l.operation, max(l.finished_at) AS last_run_at, max(l.finished_at) FILTER (WHERE l.state IN ('succeeded', 'no_change')) AS last_success_at,
				(array_agg(l.state ORDER BY l.back))[1] AS last_state, (array_agg(l.settings ORDER BY l.back))[1] AS last_settings, (array_agg(l.estimate ORDER BY l.back))[1] AS last_estimate,
				count(*) FILTER (WHERE l.state = 'failed' AND NOT l.ended_failing) AS failures,
				max(l.operation_id) FILTER (WHERE l.state = 'failed' AND NOT l.ended_failing) AS failed_id,
				count(*) FILTER (WHERE l.state = 'no_change' AND NOT l.ended_idle)::int4 AS zero_changes
			FROM (
				SELECT p.table_id, p.operation, p.operation_id, p.state, p.finished_at, p.settings, p.estimate, row_number() OVER w AS back,
					bool_or(p.state NOT IN ('failed', 'cancelled')) OVER w AS ended_failing, bool_or(p.state <> 'no_change') OVER w AS ended_idle
				FROM floe_internal.operation_log AS p
				WHERE p.table_id = ANY (of_table_ids) AND (p.started_at IS NOT NULL OR p.state = 'failed')
				WINDOW w AS (PARTITION BY p.table_id, p.operation ORDER BY p.operation_id DESC)) AS l
			GROUP BY l.table_id, l.operation) AS r
		LEFT JOIN floe_internal.operation_log AS f ON f.operation_id = r.failed_id
		LEFT JOIN floe_internal.error_class AS c ON c.error_class = COALESCE(f.error_class, 'transient')
		LEFT JOIN LATERAL (SELECT h.metadata_location FROM floe_internal.health_history AS h
			WHERE h.table_id = r.table_id AND h.assessed_at <= r.last_run_at AND (r.failed_id IS NOT NULL OR r.zero_changes > 0) ORDER BY h.assessed_at DESC LIMIT 1) AS m ON true;
	PERFORM floe_internal.sync_schedules(of_table_ids, begins_at);
	UPDATE floe_internal.table_operation AS x SET next_due_at = floe_internal.schedule_next(s.settings, t.table_id || '/' || s.operation, t.first_seen_at, begins_at, NOT s.origins ? 'schedule')
		FROM floe_internal.table_setting AS s JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
		WHERE x.table_id = ANY (of_table_ids) AND s.table_id = x.table_id AND s.operation = x.operation AND x.next_due_at <= begins_at;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulation_bookkeeping(pg_catalog.int8[], pg_catalog.timestamptz) IS 'floe_internal.table_operation as it was then';

-- Of tables that are filled and emptied in one transaction there are no statistics: from here on nothing is read from end to end.

-- Those to come are in the list, too: no reference reaches them, and they are too young to expire.
CREATE FUNCTION floe_internal.simulate_snapshots(of_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $body$
BEGIN
	UPDATE floe_internal.iceberg_table AS i
		SET snapshots = floe_internal.encode_snapshots(l.ids, l.times, l.operations)
		FROM (SELECT x.id, COALESCE(array_agg(c.snapshot_id ORDER BY c.committed_at, c.snapshot_id) FILTER (WHERE c.table_id IS NOT NULL), '{}') AS ids,
				  COALESCE(array_agg(c.committed_at ORDER BY c.committed_at, c.snapshot_id) FILTER (WHERE c.table_id IS NOT NULL), '{}') AS times,
				  COALESCE(array_agg(c.operation ORDER BY c.committed_at, c.snapshot_id) FILTER (WHERE c.table_id IS NOT NULL), '{}') AS operations
			  FROM unnest(of_table_ids) AS x (id)
			  LEFT JOIN floe_internal.simulated_commit AS c ON c.table_id = x.id AND c.real_id IS NULL
			  GROUP BY x.id) AS l
		WHERE i.table_id = l.id;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulate_snapshots(pg_catalog.int8[]) IS 'Snapshots of these tables as simulated';

-- Partitions are not known of the past: nothing is sliced, and no partition is hot.
CREATE FUNCTION floe_internal.simulate_state(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $body$
BEGIN
	DELETE FROM floe_internal.health AS h WHERE h.table_id = ANY (of_table_ids);
	INSERT INTO floe_internal.health
		SELECT s.* FROM floe_internal.simulated_table AS t
		CROSS JOIN LATERAL (SELECT h.* FROM floe_internal.health_history AS h WHERE h.table_id = t.table_id AND h.assessed_at <= at ORDER BY h.assessed_at DESC LIMIT 1) AS s
		WHERE t.table_id = ANY (of_table_ids) AND t.difference = '{}';
	INSERT INTO floe_internal.health
		SELECT y.* FROM floe_internal.simulated_table AS t
		CROSS JOIN LATERAL (SELECT to_jsonb(h) AS found FROM floe_internal.health_history AS h WHERE h.table_id = t.table_id AND h.assessed_at <= at ORDER BY h.assessed_at DESC LIMIT 1) AS s
		CROSS JOIN LATERAL (SELECT COALESCE(jsonb_object_agg(d.key, GREATEST(0, round((s.found ->> d.key)::numeric + d.value::numeric))), '{}') AS changed
			FROM jsonb_each_text(t.difference) AS d WHERE s.found ->> d.key IS NOT NULL) AS c
		CROSS JOIN LATERAL (SELECT s.found || c.changed AS now) AS n
		CROSS JOIN LATERAL jsonb_populate_record(NULL::floe_internal.health, n.now || jsonb_build_object(
			'average_file_bytes', (n.now ->> 'data_bytes')::float8 / NULLIF((n.now ->> 'data_file_count')::float8, 0),
			'delete_ratio', ((n.now ->> 'position_delete_row_count')::float8 + (n.now ->> 'equality_delete_row_count')::float8 + (n.now ->> 'deletion_vector_row_count')::float8)
				/ NULLIF((n.now ->> 'record_count')::float8, 0),
			'oldest_snapshot_at', (SELECT min(k.committed_at) FROM floe_internal.simulated_commit AS k WHERE k.table_id = t.table_id AND k.real_id IS NULL AND k.committed_at <= at))) AS y
		WHERE t.table_id = ANY (of_table_ids) AND t.difference <> '{}';
	UPDATE floe_internal.iceberg_table AS i
		SET current_snapshot_id = x.snapshot_id, metadata_location = x.metadata_location,
			refs = CASE WHEN x.snapshot_id IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('name', 'main', 'type', 'branch', 'snapshot_id', x.snapshot_id)) END
		FROM (SELECT t.table_id, h.metadata_location || CASE WHEN t.difference = '{}' THEN '' ELSE '?simulated=' || md5(t.difference::text) END AS metadata_location,
				  (SELECT k.snapshot_id FROM floe_internal.simulated_commit AS k WHERE k.table_id = t.table_id AND k.real_id IS NULL AND k.committed_at <= at
				   ORDER BY k.committed_at DESC, k.snapshot_id DESC LIMIT 1) AS snapshot_id
			  FROM floe_internal.simulated_table AS t JOIN floe_internal.health AS h ON h.table_id = t.table_id WHERE t.table_id = ANY (of_table_ids)) AS x
		WHERE i.table_id = x.table_id AND (i.current_snapshot_id IS DISTINCT FROM x.snapshot_id OR i.metadata_location IS DISTINCT FROM x.metadata_location);
	UPDATE floe_internal.simulated_table AS t SET changed_at = at WHERE t.table_id = ANY (of_table_ids);
END
$body$;
COMMENT ON FUNCTION floe_internal.simulate_state(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Health of these tables as simulated at a time';

-- What others committed while it ran stays: their snapshots are known, and mostly how many files each added.
CREATE FUNCTION floe_internal.own_effect(effect pg_catalog.jsonb, new_snapshots pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN effect IS NULL THEN '{}' WHEN o.commits = 0 THEN effect
		ELSE effect || pg_catalog.jsonb_build_object('snapshot_count', COALESCE((effect ->> 'snapshot_count')::pg_catalog.float8, 0) - o.commits,
			'data_file_count', COALESCE((effect ->> 'data_file_count')::pg_catalog.float8, 0) - o.files) END
	FROM (SELECT pg_catalog.count(*) AS commits, COALESCE(pg_catalog.sum(COALESCE((s.item ->> 'added_data_files')::pg_catalog.float8, 0) - COALESCE((s.item ->> 'deleted_data_files')::pg_catalog.float8, 0)), 0) AS files
		  FROM pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(new_snapshots) = 'array' THEN new_snapshots ELSE '[]' END) AS s (item)
		  WHERE s.item ->> 'operation' IS DISTINCT FROM 'replace') AS o;
END;
COMMENT ON FUNCTION floe_internal.own_effect(pg_catalog.jsonb, pg_catalog.jsonb) IS 'The effect of an operation of the log without what writers committed meanwhile';

-- Operations that really ended until now, and worked: what they did is in what is stored, and is taken out. A simulated one that stands for them puts it in again.
CREATE FUNCTION floe_internal.simulate_real(prior pg_catalog.timestamptz, at pg_catalog.timestamptz) RETURNS pg_catalog.int8[]
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $body$
DECLARE
	p record;
	touched int8[] := '{}'::int8[];
BEGIN
	INSERT INTO floe_internal.operation_log
		SELECT y.* FROM floe_internal.simulated_past AS x CROSS JOIN LATERAL jsonb_populate_record(NULL::floe_internal.operation_log, to_jsonb(x)) AS y
		WHERE x.finished_at > prior AND x.finished_at <= at AND NOT x.is_own;
	FOR p IN
		SELECT x.table_id, floe_internal.own_effect(x.effect, x.new_snapshots) AS effect FROM floe_internal.simulated_past AS x
		WHERE x.finished_at > prior AND x.finished_at <= at AND x.is_own AND x.effect IS NOT NULL AND x.state = 'succeeded' ORDER BY x.finished_at, x.operation_id
	LOOP
		UPDATE floe_internal.simulated_table AS t SET difference = floe_internal.add_metrics(t.difference, p.effect, -1) WHERE t.table_id = p.table_id;
		touched := touched || p.table_id;
	END LOOP;
	RETURN touched;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulate_real(pg_catalog.timestamptz, pg_catalog.timestamptz) IS 'Takes out what really ended between two times; returns the tables';

-- Of one that did not really run. Snapshots: those that its retention lets go, and the one that a rewrite commits.
CREATE FUNCTION floe_internal.simulated_effect(q floe_internal.operation_queue, at pg_catalog.timestamptz) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	h jsonb := (SELECT to_jsonb(x) FROM floe_internal.health AS x WHERE x.table_id = q.table_id);
	effect jsonb;
BEGIN
	IF q.operation = 'expire_snapshots' THEN
		RETURN (SELECT jsonb_build_object('snapshot_count', - v.value) FROM floe_internal.metrics_at(ARRAY[q.table_id], at) AS v WHERE v.metric = 'expirable_snapshot_count');
	END IF;
	SELECT jsonb_object_agg(e.metric, round((h ->> e.basis)::numeric * COALESCE(own.ratio, every.ratio,
			-- what was to apply deletes does
			CASE WHEN e.ratio = 0 AND floe_internal.applies_deletes(q.settings -> 'options') THEN -1 ELSE e.ratio END)::numeric)) INTO effect
		FROM floe_internal.operation_effect AS e
		LEFT JOIN floe_internal.simulated_ratio AS own ON own.operation = e.operation AND own.metric = e.metric AND own.table_id = q.table_id
		LEFT JOIN floe_internal.simulated_ratio AS every ON every.operation = e.operation AND every.metric = e.metric AND every.table_id = 0
		WHERE e.operation = q.operation AND (h ->> e.basis)::float8 > 0;
	IF effect IS NULL OR NOT EXISTS (SELECT 1 FROM jsonb_each_text(effect) AS e WHERE e.value::float8 <> 0) THEN
		RETURN '{}'::jsonb;
	END IF;
	RETURN effect || CASE WHEN q.operation LIKE 'rewrite_%' THEN '{"snapshot_count": 1}' ELSE '{}'::jsonb END;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulated_effect(floe_internal.operation_queue, pg_catalog.timestamptz) IS 'What an operation that never ran would have changed, by past runs of this table, else of all, else by floe_internal.operation_effect';
