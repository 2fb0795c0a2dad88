-- =================================================================================================
-- 78 life of an operation
-- Each function is one transition, called by the library in a transaction of its own. The network lies
-- between them; what must survive a crash is committed by them before the request that needs it.
-- =================================================================================================

-- Who decides holds the decisions of his tables, and then waits for what is being changed in the queue. So whoever may end an operation, which makes
-- its table due, has the decision before the row of the queue.
CREATE FUNCTION floe_internal.lock_decisions(of_operation_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF of_operation_ids <> '{}' THEN
		PERFORM 1 FROM floe_internal.table_decision AS d
			WHERE d.table_id IN (SELECT q.table_id FROM floe_internal.operation_queue AS q WHERE q.operation_id = ANY (of_operation_ids))
			ORDER BY d.table_id FOR UPDATE;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_decisions(pg_catalog.int8[]) IS 'Locks the decisions of the tables of these operations, until the commit';

CREATE FUNCTION floe_internal.lock_operation(of_operation_id pg_catalog.int8) RETURNS floe_internal.operation_queue
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	q floe_internal.operation_queue;
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY[of_operation_id]);
	SELECT * INTO q FROM floe_internal.operation_queue AS x WHERE x.operation_id = of_operation_id FOR UPDATE;
	RETURN q;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_operation(pg_catalog.int8) IS 'An operation as it is now, locked until the commit together with its table''s decision; all NULL: it is not in the queue any more';

-- A queued or live operation leaves the queue for the log.
CREATE FUNCTION floe_internal.end_operation(of_operation_id pg_catalog.int8, final_state pg_catalog.text, message pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	q floe_internal.operation_queue;
BEGIN
	UPDATE floe_internal.operation_queue AS x
		SET state = final_state, finished_at = at, saved = NULL,
			error_message = CASE final_state WHEN 'cancelled' THEN COALESCE(message, x.error_message) WHEN 'failed' THEN COALESCE(x.error_message, message) ELSE x.error_message END
		WHERE x.operation_id = of_operation_id RETURNING * INTO q;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	INSERT INTO floe_internal.operation_log (operation_id, operation_key, table_id, table_name, operation, state, by_hand, requested_by, attempt, engine, settings, settings_hash,
			policies, reason, score, score_parts, estimate, queued_at, dispatched_at, started_at, engine_ended_at, finished_at, statement, external_id, before_snapshot_id,
			before, after, effect, new_snapshots, outcome, engine_result, engine_row_count, error_class, error_message, cancel_requested_by, engine_reason, measured)
		VALUES (q.operation_id, q.operation_key, q.table_id, q.table_name, q.operation, q.state, q.by_hand, q.requested_by, q.attempt, q.engine, q.settings, q.settings_hash,
			q.policies, q.reason, q.score, q.score_parts, q.estimate, q.queued_at, q.dispatched_at, q.started_at, q.engine_ended_at, q.finished_at, q.statement, q.external_id, q.before_snapshot_id,
			q.before, q.after, q.effect, q.new_snapshots, q.outcome, q.engine_result, q.engine_row_count, q.error_class, q.error_message, q.cancel_requested_by, q.engine_reason, q.measured);
	DELETE FROM floe_internal.operation_queue AS x WHERE x.operation_id = of_operation_id;
	PERFORM floe_internal.decide_soon(ARRAY[q.table_id]);
	PERFORM floe_internal.write_event('operation ' || final_state, (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id,
		concat_ws(': ', q.operation || ' ' || replace(final_state, '_', ' '), message), q.effect);
END
$body$;
COMMENT ON FUNCTION floe_internal.end_operation(pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS 'Moves an operation to the log in a terminal state';

-- Somebody asked for its end while it was on its way, and it came back.
CREATE FUNCTION floe_internal.end_cancelled() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.end_operation(NEW.operation_id, 'cancelled', 'cancelled by ' || NEW.cancel_requested_by);
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.end_cancelled() IS 'Trigger: an operation that is to be cancelled does not wait in the queue';

CREATE TRIGGER operation_queue_cancelled AFTER UPDATE OF state ON floe_internal.operation_queue
	FOR EACH ROW WHEN (NEW.state = 'queued' AND OLD.state <> 'queued' AND NEW.cancel_requested_by IS NOT NULL)
	EXECUTE FUNCTION floe_internal.end_cancelled();

CREATE FUNCTION floe_internal.drop_queued(of_table_id pg_catalog.int8, reason pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY(SELECT x.operation_id FROM floe_internal.operation_queue AS x WHERE x.table_id = of_table_id));
	PERFORM floe_internal.end_operation(q.operation_id, 'cancelled', drop_queued.reason)
		FROM (SELECT x.operation_id FROM floe_internal.operation_queue AS x WHERE x.table_id = of_table_id AND x.state = 'queued' ORDER BY x.operation_id FOR UPDATE) AS q;
	DELETE FROM floe_internal.trigger_request AS r WHERE r.table_id = of_table_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.drop_queued(pg_catalog.int8, pg_catalog.text) IS 'Cancels what waits for a table';

-- What the metrics were; ages left out, because they only show that time passed.
CREATE FUNCTION floe_internal.metrics_object(of_table_id pg_catalog.int8, at pg_catalog.timestamptz) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_object_agg(v.metric, v.value)
	FROM floe_internal.metrics_at(ARRAY[of_table_id], at) AS v JOIN floe.metric AS m ON m.name = v.metric
	WHERE v.value IS NOT NULL AND (m.source <> 'clock' OR m.unit <> 'seconds');
END;
COMMENT ON FUNCTION floe_internal.metrics_object(pg_catalog.int8, pg_catalog.timestamptz) IS 'Known metrics of a table without ages, as metric -> value';

-- A session is free when its last operation is not at the engine any more; one that nobody used for the engine's own ttl has ended there.
CREATE FUNCTION floe_internal.claim_session(of_operation_id pg_catalog.int8, digest pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	engine_name text := (SELECT q.engine FROM floe_internal.operation_queue AS q WHERE q.operation_id = of_operation_id);
	server jsonb := (SELECT s.options FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = engine_name);
	most int4 := COALESCE((server ->> 'pool_size')::int4, 0);
	-- not the digest itself, which would let somebody try passwords; and another database has other sessions
	own_key text := left(encode(sha256(convert_to((SELECT i.system_identifier || '/' || i.database_oid FROM floe_internal.identity AS i) || '/' || digest, 'UTF8')), 'hex'), 16);
	found_name text;
BEGIN
	IF most = 0 THEN
		RETURN NULL;
	END IF;
	-- one claimer at a time for each engine, so that its limit holds
	PERFORM FROM floe_internal.engine AS e WHERE e.server_name = engine_name FOR UPDATE;
	DELETE FROM floe_internal.engine_session AS s
		WHERE s.engine = engine_name AND s.last_used < at - COALESCE((server ->> 'ttl')::interval, '6 hours')
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.operation_id = s.operation_id AND q.state IN ('dispatching', 'running', 'lost'));
	UPDATE floe_internal.engine_session AS x
		SET operation_id = of_operation_id, last_used = at
		WHERE x.session_id = (SELECT s.session_id FROM floe_internal.engine_session AS s
							  WHERE s.engine = engine_name AND s.key = own_key
								AND (s.operation_id = of_operation_id
									 OR NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.operation_id = s.operation_id AND q.state IN ('dispatching', 'running', 'lost')))
							  ORDER BY s.operation_id = of_operation_id DESC, s.last_used DESC LIMIT 1)
		RETURNING x.name INTO found_name;
	IF found_name IS NOT NULL OR (SELECT count(*) FROM floe_internal.engine_session AS s WHERE s.engine = engine_name) >= most THEN
		RETURN found_name;
	END IF;
	INSERT INTO floe_internal.engine_session AS s (engine, key, name, operation_id, last_used)
		VALUES (engine_name, own_key, '', of_operation_id, at);
	UPDATE floe_internal.engine_session AS s
		SET name = format('floe-%s-%s-%s', left(COALESCE(server ->> 'pool_name', current_database()), 40), own_key, s.session_id)
		WHERE s.engine = engine_name AND s.name = ''
		RETURNING s.name INTO found_name;
	RETURN found_name;
END
$body$;
COMMENT ON FUNCTION floe_internal.claim_session(pg_catalog.int8, pg_catalog.text) IS 'Name of a session for an operation that is about to be sent, of those kept for several; NULL: it gets one of its own';

CREATE FUNCTION floe_internal.operation_saved(of_operation_id pg_catalog.int8, new_saved pg_catalog.bytea, new_external_id pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	q floe_internal.operation_queue;
BEGIN
	UPDATE floe_internal.operation_queue AS x
		SET saved = new_saved, external_id = COALESCE(NULLIF(new_external_id, ''), x.external_id), lost_sent = true,
			state = CASE WHEN x.state = 'dispatching' AND NULLIF(new_external_id, '') IS NOT NULL THEN 'running' ELSE x.state END,
			started_at = CASE WHEN x.state = 'dispatching' AND NULLIF(new_external_id, '') IS NOT NULL THEN at ELSE x.started_at END,
			timeout_at = CASE WHEN x.state = 'dispatching' AND NULLIF(new_external_id, '') IS NOT NULL THEN at + (x.settings ->> 'timeout')::interval ELSE x.timeout_at END
		WHERE x.operation_id = of_operation_id
		RETURNING x.* INTO q;
	IF q.started_at = at THEN
		PERFORM floe_internal.write_event('operation running', (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id,
			format('%s runs on engine "%s" as %s', q.operation, q.engine, q.external_id), NULL);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.operation_saved(pg_catalog.int8, pg_catalog.bytea, pg_catalog.text) IS 'Keeps the adapter''s state before the request that needs it; with an external id the operation runs';

CREATE FUNCTION floe_internal.engine_reached(engine_name pg_catalog.text, of_operation_id pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	UPDATE floe_internal.engine AS e
		SET status = 'ok', error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL, failures = 0, retry_at = NULL
		WHERE e.server_name = engine_name AND e.status NOT IN ('ok', 'removed');
	IF FOUND THEN
		PERFORM floe_internal.write_event('engine ok', NULL, NULL, NULL, NULL, format('engine "%s" answers', engine_name), NULL);
	END IF;
	UPDATE floe_internal.operation_queue AS q SET unreachable_since = NULL, state = CASE WHEN q.state = 'lost' THEN 'running' ELSE q.state END
		WHERE q.operation_id = of_operation_id AND (q.unreachable_since IS NOT NULL OR q.state = 'lost');
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_reached(pg_catalog.text, pg_catalog.int8) IS 'An engine answered';

-- unsent: nothing of the operation reached the engine that could run, so it simply waits in the queue again.
CREATE FUNCTION floe_internal.engine_unreachable(engine_name pg_catalog.text, of_operation_id pg_catalog.int8, unsent pg_catalog.bool,
		code pg_catalog.text, message pg_catalog.text, detail pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	old_status text;
	q floe_internal.operation_queue;
BEGIN
	SELECT e.status INTO old_status FROM floe_internal.engine AS e WHERE e.server_name = engine_name AND e.status <> 'removed' FOR UPDATE;
	UPDATE floe_internal.engine AS e
		SET status = 'error', error_code = code, error_message = message, error_detail = NULLIF(detail, ''), failures = e.failures + 1,
			error_since = COALESCE(e.error_since, at), retry_at = at + floe_internal.backoff_delay(e.failures + 1, interval '5 seconds', interval '5 minutes', e.server_name)
		WHERE e.server_name = engine_name AND e.status <> 'removed';
	-- one that was removed has no row: that was told already
	IF old_status <> 'error' THEN
		PERFORM floe_internal.write_event('engine error', NULL, NULL, NULL, NULL, format('engine "%s": %s', engine_name, message), jsonb_build_object('code', code, 'detail', detail));
	END IF;
	IF of_operation_id IS NULL THEN
		RETURN;
	END IF;
	PERFORM floe_internal.lock_decisions(ARRAY[of_operation_id]);
	IF unsent THEN
		UPDATE floe_internal.operation_queue AS x
			SET state = 'queued', driver_pass = NULL, saved = NULL, lost_sent = false, attempt = x.attempt - 1, unreachable_since = NULL,
				-- one that was removed meanwhile has none, and then the next look at the servers ends it
				not_before = COALESCE((SELECT CASE WHEN x.engines IS NULL THEN e.retry_at
						-- another engine may take it sooner
						ELSE LEAST(e.retry_at, GREATEST(at, e.error_since + floe_internal.fallback_after(x.settings))) END
					FROM floe_internal.engine AS e WHERE e.server_name = engine_name AND e.status <> 'removed'), at)
			WHERE x.operation_id = of_operation_id;
	ELSE
		UPDATE floe_internal.operation_queue AS x
			SET unreachable_since = COALESCE(x.unreachable_since, at),
				state = CASE WHEN x.state IN ('running', 'dispatching') AND COALESCE(x.unreachable_since, at) < at - interval '1 minute' THEN 'lost' ELSE x.state END
			WHERE x.operation_id = of_operation_id RETURNING x.* INTO q;
		IF q.state = 'lost' AND old_status = 'error' AND q.unreachable_since < at - interval '1 minute' THEN
			PERFORM floe_internal.write_event('operation lost', (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id,
				format('engine "%s" cannot be asked since %s', engine_name, to_char(q.unreachable_since, 'HH24:MI:SS')), NULL)
			WHERE NOT EXISTS (SELECT 1 FROM floe_internal.event AS v WHERE v.operation_id = q.operation_id AND v.kind = 'operation lost' AND v.happened_at > q.unreachable_since);
		END IF;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_unreachable(pg_catalog.text, pg_catalog.int8, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.text)
	IS 'An engine did not answer; dispatch to it backs off. An operation it may be running is kept, and is lost after a minute';

CREATE FUNCTION floe_internal.engine_ended(of_operation_id pg_catalog.int8, engine_outcome pg_catalog.text, class pg_catalog.text, error pg_catalog.text,
		result pg_catalog.jsonb, row_count pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	-- What nobody asked to cancel was cancelled because its time was up.
	UPDATE floe_internal.operation_queue AS q
		SET state = 'verifying', outcome = engine_outcome, engine_result = result, engine_row_count = row_count, engine_ended_at = floe_internal.clock(),
			error_class = CASE WHEN engine_outcome = 'cancelled' AND q.cancel_requested_by IS NULL THEN 'resource' ELSE class END,
			error_message = CASE WHEN engine_outcome = 'cancelled' AND q.cancel_requested_by IS NULL
				THEN format('cancelled at the engine after its timeout of %s', floe_internal.format_interval((q.settings ->> 'timeout')::interval)) ELSE NULLIF(error, '') END,
			saved = NULL, unreachable_since = NULL
		WHERE q.operation_id = of_operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_ended(pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.int8)
	IS 'The engine is done with an operation: succeeded, failed, cancelled or lost. What happened is decided by operation_verified()';

-- As texts of snapshot and file, so that a file that takes another's place counts as a new one.
CREATE FUNCTION floe_internal.statistics_files(of_operation pg_catalog.text, details pg_catalog.jsonb) RETURNS pg_catalog.text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY(SELECT pg_catalog.jsonb_array_elements_text(details #> ARRAY[CASE of_operation WHEN 'compute_table_stats' THEN 'table_stats' WHEN 'compute_partition_stats' THEN 'partition_stats' END, 'files']));
END;
COMMENT ON FUNCTION floe_internal.statistics_files(pg_catalog.text, pg_catalog.jsonb) IS 'Statistics files that a table''s metadata names, of the kind that the operation writes; none for other operations';

-- After the table was read again. The state is what its metadata shows, not what the engine said.
CREATE FUNCTION floe_internal.operation_verified(of_operation_id pg_catalog.int8, OUT state pg_catalog.text, OUT message pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	q floe_internal.operation_queue;
	t floe_internal.iceberg_table;
	now_metrics jsonb;
	difference jsonb;
	fresh jsonb;
	own int;
	gone int;
	removed int8;
	files int;
	lost_files float8;
	lost_bytes float8;
	has_effect bool;
	final_state text;
BEGIN
	q := floe_internal.lock_operation(of_operation_id);
	IF q.operation_id IS NULL THEN
		state := 'gone';
		message := 'it is not in the queue any more';
		RETURN;
	END IF;
	SELECT * INTO t FROM floe_internal.iceberg_table AS x WHERE x.table_id = q.table_id;
	now_metrics := floe_internal.metrics_object(q.table_id, at);
	SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(s)) ORDER BY s.committed_at), count(*) FILTER (WHERE s.operation = 'replace') INTO fresh, own
		FROM floe_internal.snapshot_list(t.snapshots) AS s WHERE s.snapshot_id <> ALL (q.before_snapshots);
	SELECT count(*) INTO gone FROM unnest(q.before_snapshots) AS b (id)
		WHERE NOT EXISTS (SELECT 1 FROM floe_internal.snapshot_list(t.snapshots) AS s WHERE s.snapshot_id = b.id);
	SELECT count(*) INTO files FROM unnest(floe_internal.statistics_files(q.operation, t.details)) AS f (file) WHERE f.file <> ALL (q.before_statistics);
	SELECT jsonb_object_agg(k.name, (now_metrics ->> k.name)::float8 - (q.before ->> k.name)::float8) INTO difference
		FROM floe.metric AS k WHERE (now_metrics ->> k.name)::float8 <> (q.before ->> k.name)::float8;
	-- Spark returns a row for each file it removed; Trino numbers by name from version 478 on, and before that nothing.
	removed := COALESCE((SELECT (r ->> 'metric_value')::int8 FROM jsonb_array_elements(CASE WHEN jsonb_typeof(q.engine_result) = 'array' THEN q.engine_result ELSE '[]' END) AS r
		WHERE r ->> 'metric_name' = 'deleted_files_count' AND r ->> 'metric_value' ~ '^[0-9]{1,18}$' LIMIT 1), q.engine_row_count);
	has_effect := CASE q.operation
		WHEN 'expire_snapshots' THEN gone > 0 OR COALESCE((difference ->> 'ref_count')::float8, 0) < 0
		-- what nobody counted was done if the engine says so
		WHEN 'remove_orphan_files' THEN removed > 0 OR removed IS NULL AND q.outcome = 'succeeded'
		WHEN 'compute_table_stats' THEN files > 0
		WHEN 'compute_partition_stats' THEN files > 0
		ELSE own > 0 END;
	IF q.operation = 'remove_orphan_files' AND removed IS NOT NULL THEN
		difference := COALESCE(difference, '{}') || jsonb_build_object('orphan_files_removed', removed);
	END IF;
	IF q.operation IN ('compute_table_stats', 'compute_partition_stats') THEN
		difference := COALESCE(difference, '{}') || jsonb_build_object('statistics_files_written', files);
	END IF;
	-- what only the snapshots held that went: their children had taken it out
	SELECT sum(s.deleted_data_files), sum(s.removed_bytes) INTO lost_files, lost_bytes
		FROM floe_internal.snapshot_list(q.snapshots_before) AS s
		WHERE s.parent_id IN (SELECT b.snapshot_id FROM floe_internal.snapshot_list(q.snapshots_before) AS b
			WHERE b.snapshot_id NOT IN (SELECT n.snapshot_id FROM floe_internal.snapshot_list(t.snapshots) AS n));
	UPDATE floe_internal.operation_queue AS x
		SET after = now_metrics, effect = COALESCE(difference, '{}'), new_snapshots = fresh,
			measured = m.measured || jsonb_strip_nulls(jsonb_build_object('error', floe_internal.estimate_error(q.estimate, m.measured)))
		FROM floe_internal.measured(q.operation, q.before, difference, fresh, q.engine_result, gone, lost_files, lost_bytes,
			extract(epoch FROM q.engine_ended_at - q.started_at)::float8, floe_internal.engine_memory(q.engine)) AS m (measured)
		WHERE x.operation_id = of_operation_id;
	final_state := CASE q.outcome
		WHEN 'succeeded' THEN CASE WHEN has_effect THEN 'succeeded' ELSE 'no_change' END
		WHEN 'lost' THEN CASE WHEN has_effect THEN 'succeeded' WHEN q.attempt < 3 AND q.cancel_requested_by IS NULL THEN 'queued' WHEN q.cancel_requested_by IS NOT NULL THEN 'cancelled' ELSE 'failed' END
		WHEN 'cancelled' THEN CASE WHEN q.cancel_requested_by IS NOT NULL THEN 'cancelled' ELSE 'failed' END
		ELSE 'failed' END;
	IF final_state = 'queued' THEN
		message := 'the engine lost it and the table is as it was; it will be sent again';
		UPDATE floe_internal.operation_queue AS x
			SET state = 'queued', driver_pass = NULL, not_before = at + floe_internal.backoff_delay(x.attempt, interval '2 seconds', interval '5 minutes', x.operation_id::text)
			WHERE x.operation_id = of_operation_id;
		PERFORM floe_internal.write_event('operation requeued', t.levels[1], q.table_id, q.table_name, q.operation_id,
			format('%s: %s', q.operation, concat_ws(': ', message, q.error_message)), NULL);
		state := 'queued';
		RETURN;
	END IF;
	message := CASE
		WHEN final_state = 'succeeded' THEN floe_internal.effect_text(q.operation, difference, gone)
		WHEN final_state = 'cancelled' THEN 'cancelled by ' || q.cancel_requested_by
		WHEN q.outcome = 'lost' THEN concat_ws(': ', 'the engine lost it and the table does not show the effect', q.error_message)
		ELSE q.error_message END;
	IF q.outcome = 'lost' AND final_state = 'failed' THEN
		UPDATE floe_internal.operation_queue AS x SET error_class = COALESCE(x.error_class, 'transient'), error_message = COALESCE(x.error_message, message) WHERE x.operation_id = of_operation_id;
	END IF;
	-- first, as in a plan, which moves schedules on
	PERFORM floe_internal.decide_soon(ARRAY[q.table_id]);
	PERFORM floe_internal.note_run(q, t, final_state, now_metrics);
	PERFORM floe_internal.end_operation(of_operation_id, final_state, message);
	PERFORM floe_internal.learn(of_operation_id);
	state := final_state;
END
$body$;
COMMENT ON FUNCTION floe_internal.operation_verified(pg_catalog.int8) IS 'Measures the effect and ends the operation; returns its state (queued: sent again, because the engine lost it without effect) and what to tell people';

-- Before anything was sent: the table could not be looked at once more.
CREATE FUNCTION floe_internal.postpone_operation(of_operation_id pg_catalog.int8, code pg_catalog.text, told pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY[of_operation_id]);
	IF code = 'not_found' THEN
		PERFORM floe_internal.end_operation(of_operation_id, 'cancelled', told);
		RETURN;
	END IF;
	UPDATE floe_internal.operation_queue AS x
		SET state = 'queued', driver_pass = NULL, saved = NULL, lost_sent = false, error_message = told,
			not_before = floe_internal.clock() + floe_internal.backoff_delay(x.attempt, interval '5 seconds', interval '10 minutes', x.operation_id::text)
		WHERE x.operation_id = of_operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.postpone_operation(pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS 'Puts an operation back into the queue for a while, or ends it when the table is gone';

-- After the engine ended: the table is gone, so nothing can be measured.
CREATE FUNCTION floe_internal.abandon_operation(of_operation_id pg_catalog.int8, told pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_decisions(ARRAY[of_operation_id]);
	UPDATE floe_internal.operation_queue AS x SET error_class = COALESCE(x.error_class, 'permanent'), error_message = COALESCE(x.error_message, told) WHERE x.operation_id = of_operation_id;
	PERFORM floe_internal.end_operation(of_operation_id, 'failed', told);
END
$body$;
COMMENT ON FUNCTION floe_internal.abandon_operation(pg_catalog.int8, pg_catalog.text) IS 'Ends an operation whose effect cannot be measured any more';

CREATE FUNCTION floe_internal.effect_text(of_operation pg_catalog.text, difference pg_catalog.jsonb, snapshots_gone pg_catalog.int4) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT CASE of_operation
		WHEN 'expire_snapshots' THEN snapshots_gone || ' snapshots removed'
		WHEN 'remove_orphan_files' THEN COALESCE((difference ->> 'orphan_files_removed') || ' orphan files removed', 'done, the engine does not say how many files it removed')
		WHEN 'rewrite_manifests' THEN COALESCE(difference ->> 'manifest_count', '0') || ' manifests'
		WHEN 'compute_table_stats' THEN (difference ->> 'statistics_files_written') || ' statistics file'
		WHEN 'compute_partition_stats' THEN (difference ->> 'statistics_files_written') || ' partition statistics file'
		ELSE pg_catalog.concat_ws(', ', COALESCE(difference ->> 'data_file_count', '0') || ' data files',
			(difference ->> 'position_delete_file_count') || ' position delete files', (difference ->> 'equality_delete_file_count') || ' equality delete files') END;
END;
COMMENT ON FUNCTION floe_internal.effect_text(pg_catalog.text, pg_catalog.jsonb, pg_catalog.int4) IS 'A measured effect in a few words';

-- What the next decision must know of this run.
CREATE FUNCTION floe_internal.note_run(q floe_internal.operation_queue, t floe_internal.iceberg_table, final_state pg_catalog.text, now_metrics pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	called_for text := (SELECT r ->> 'gate' FROM jsonb_array_elements(q.reason) AS r WHERE r ->> 'gate' IN (SELECT m.name FROM floe.metric AS m) LIMIT 1);
	class floe_internal.error_class;
	rest interval := GREATEST((q.settings ->> 'min_interval')::interval, interval '1 hour');
	no_gain bool;
	slice CONSTANT jsonb := q.estimate -> 'slice';
	undone CONSTANT int8 := COALESCE((slice ->> 'left')::int8, 0);
	goes_on bool;
BEGIN
	SELECT * INTO class FROM floe_internal.error_class AS c WHERE c.error_class = COALESCE(q.error_class, 'transient');
	-- A run may commit and yet not help (delete files that were rewritten one by one). While nobody else wrote, that is certain.
	no_gain := final_state = 'no_change' OR (final_state = 'succeeded' AND (now_metrics ->> called_for)::float8 >= (q.before ->> called_for)::float8
		AND NOT EXISTS (SELECT 1 FROM floe_internal.snapshot_list(t.snapshots) AS s WHERE s.snapshot_id <> ALL (q.before_snapshots) AND s.operation IS DISTINCT FROM 'replace'));
	no_gain := COALESCE(no_gain, false) AND q.operation <> 'remove_orphan_files';
	-- A slice helps if anything became less, however little of the whole. One that did not is no reason to give up the others.
	IF slice IS NOT NULL AND final_state = 'succeeded' THEN
		no_gain := NOT EXISTS (SELECT 1 FROM unnest(ARRAY['data_file_count', 'excess_file_count', 'position_delete_file_count', 'equality_delete_file_count', 'deletion_vector_count']) AS m (name)
			WHERE (now_metrics ->> m.name)::float8 < (q.before ->> m.name)::float8);
	END IF;
	goes_on := no_gain AND undone > 0 AND NOT COALESCE((SELECT x.slice_tried FROM floe_internal.table_operation AS x WHERE x.table_id = q.table_id AND x.operation = q.operation), '{}')
		@> ARRAY(SELECT jsonb_array_elements_text(slice -> 'units'));
	no_gain := no_gain AND NOT goes_on;
	INSERT INTO floe_internal.table_operation AS x (table_id, operation) VALUES (q.table_id, q.operation) ON CONFLICT DO NOTHING;
	UPDATE floe_internal.table_operation AS x
		SET last_run_at = at, last_state = final_state,
			last_success_at = CASE WHEN final_state IN ('succeeded', 'no_change') THEN at ELSE x.last_success_at END,
			failures = CASE WHEN final_state = 'failed' THEN x.failures + 1 WHEN final_state = 'cancelled' THEN x.failures ELSE 0 END,
			failure_class = CASE final_state WHEN 'failed' THEN class.error_class WHEN 'cancelled' THEN x.failure_class END,
			failure_message = CASE final_state WHEN 'failed' THEN COALESCE(q.error_message, 'lost by the engine') WHEN 'cancelled' THEN x.failure_message END,
			failure_settings_hash = CASE final_state WHEN 'failed' THEN q.settings_hash WHEN 'cancelled' THEN x.failure_settings_hash END,
			failure_metadata = CASE final_state WHEN 'failed' THEN t.metadata_location WHEN 'cancelled' THEN x.failure_metadata END,
			backoff_until = CASE WHEN final_state = 'cancelled' THEN x.backoff_until WHEN final_state = 'failed' AND class.retries
				THEN at + floe_internal.backoff_delay(x.failures + 1, class.base_delay, class.max_delay, q.table_id || q.operation) END,
			-- of a cadence that has moved on to its next time already
			next_due_at = CASE WHEN final_state = 'failed' AND class.retries AND q.operation = 'remove_orphan_files' AND q.settings #> '{schedule,every}' IS NOT NULL THEN LEAST(x.next_due_at, at) ELSE x.next_due_at END,
			zero_changes = CASE WHEN no_gain THEN x.zero_changes + 1 WHEN final_state = 'succeeded' THEN 0 ELSE x.zero_changes END,
			-- doubles up to a week, and ends as soon as the metric that called for the run grows, or, where no single one did, the table changes
			zero_change_until = CASE WHEN no_gain THEN at + LEAST(interval '7 days', rest * pow(2, LEAST(x.zero_changes, 10))) END,
			zero_change_metadata = CASE WHEN no_gain THEN t.metadata_location END,
			-- an age moves without anybody doing anything
			zero_change_metric = CASE WHEN no_gain AND now_metrics ? called_for THEN called_for END,
			zero_change_value = CASE WHEN no_gain THEN (now_metrics ->> called_for)::float8 END,
			slices_left = CASE WHEN final_state IN ('succeeded', 'no_change') THEN undone WHEN slice IS NOT NULL AND final_state = 'failed' THEN GREATEST(x.slices_left, 1) ELSE x.slices_left END,
			slice_halvings = CASE WHEN final_state = 'failed' AND class.error_class IN ('conflict', 'resource') AND q.operation = 'rewrite_data_files' THEN LEAST(x.slice_halvings + 1, 10)
				WHEN final_state = 'succeeded' THEN 0 ELSE x.slice_halvings END,
			slice_tried = CASE WHEN goes_on THEN (x.slice_tried || ARRAY(SELECT jsonb_array_elements_text(slice -> 'units')))[1:20000] WHEN no_gain THEN '{}' ELSE x.slice_tried END
		WHERE x.table_id = q.table_id AND x.operation = q.operation;
	PERFORM floe_internal.note_circuit(q, final_state, class.error_class);
	IF q.operation = 'remove_orphan_files' AND final_state IN ('succeeded', 'no_change') THEN
		PERFORM floe_internal.tune_cadence(q);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.note_run(floe_internal.operation_queue, floe_internal.iceberg_table, pg_catalog.text, pg_catalog.jsonb) IS 'Updates the bookkeeping of a table''s operation after a run';
