-- =================================================================================================
-- 84 simulation: the run
-- From one decision to the next: what was measured until then, what engines did until then, and then the decision itself, by the functions
-- that a plan calls: sync_schedules(), tables_to_decide(), select_candidates(), advance_schedules(). What is not called is what would leave
-- something behind even when it is rolled back: ids of operations and events come from sequences.
-- =================================================================================================

CREATE FUNCTION floe_internal.end_simulated(q floe_internal.operation_queue, at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $body$
DECLARE
	r floe_internal.simulated_run;
	p floe_internal.simulated_past;
	t floe_internal.iceberg_table;
	did jsonb;
	gone int8;
	now_metrics jsonb;
BEGIN
	SELECT * INTO r FROM floe_internal.simulated_run AS x WHERE x.operation_id = q.operation_id;
	SELECT * INTO p FROM floe_internal.simulated_past AS x WHERE x.operation_id = r.real_id AND x.finished_at IS NOT NULL;
	IF p.operation_id IS NULL THEN
		r.real_id := NULL;
	END IF;
	did := CASE WHEN r.real_id IS NULL THEN floe_internal.simulated_effect(q, at) WHEN p.state = 'succeeded' THEN floe_internal.own_effect(p.effect, p.new_snapshots) ELSE '{}' END;
	q.state := CASE WHEN r.real_id IS NOT NULL THEN p.state WHEN did = '{}' AND q.operation <> 'remove_orphan_files' THEN 'no_change' ELSE 'succeeded' END;
	q.error_class := p.error_class;
	q.error_message := p.error_message;
	q.effect := did;
	q.finished_at := at;
	IF r.real_id IS NOT NULL AND p.started_at IS NULL THEN
		q.dispatched_at := p.dispatched_at;
		q.started_at := NULL;
	ELSE
		q.engine_ended_at := CASE WHEN p.engine_ended_at > p.started_at THEN q.started_at + (p.engine_ended_at - p.started_at) ELSE at END;
	END IF;
	UPDATE floe_internal.simulated_table AS x SET difference = floe_internal.add_metrics(x.difference, did, 1), decide_at = LEAST(x.decide_at, at) WHERE x.table_id = q.table_id;
	IF q.operation = 'expire_snapshots' AND (did ->> 'snapshot_count')::float8 < 0 THEN
		gone := - (did ->> 'snapshot_count')::float8;
		DELETE FROM floe_internal.simulated_commit AS c WHERE c.table_id = q.table_id AND c.snapshot_id = ANY (ARRAY(
			SELECT k.snapshot_id FROM floe_internal.simulated_commit AS k WHERE k.table_id = q.table_id AND k.real_id IS NULL AND k.committed_at <= at ORDER BY k.committed_at, k.snapshot_id LIMIT gone));
		PERFORM floe_internal.simulate_snapshots(ARRAY[q.table_id]);
	ELSIF q.operation LIKE 'rewrite_%' AND q.state = 'succeeded' THEN
		UPDATE floe_internal.simulated_commit AS c SET real_id = NULL WHERE c.table_id = q.table_id AND c.real_id = r.real_id;
		IF NOT FOUND THEN
			INSERT INTO floe_internal.simulated_commit (table_id, snapshot_id, committed_at, operation) VALUES (q.table_id, q.operation_id, at, 'replace') ON CONFLICT DO NOTHING;
		END IF;
		PERFORM floe_internal.simulate_snapshots(ARRAY[q.table_id]);
	END IF;
	PERFORM floe_internal.simulate_state(ARRAY[q.table_id], at);
	SELECT * INTO t FROM floe_internal.iceberg_table AS x WHERE x.table_id = q.table_id;
	now_metrics := floe_internal.metrics_object(q.table_id, at);
	q.after := now_metrics;
	IF r.real_id IS NULL OR p.started_at IS NOT NULL OR p.state = 'failed' THEN
		q.before_snapshots := ARRAY(SELECT s.snapshot_id FROM floe_internal.snapshot_list(t.snapshots) AS s WHERE s.committed_at <= q.started_at OR s.committed_at > at);
		PERFORM floe_internal.note_run(q, t, q.state, now_metrics);
	END IF;
	DELETE FROM floe_internal.operation_queue AS x WHERE x.operation_id = q.operation_id;
	INSERT INTO floe_internal.operation_log SELECT (jsonb_populate_record(NULL::floe_internal.operation_log, to_jsonb(q))).*;
END
$body$;
COMMENT ON FUNCTION floe_internal.end_simulated(floe_internal.operation_queue, pg_catalog.timestamptz) IS 'The end of an operation as simulated: what it did, what the next decision must know of it, and its row of the log';

-- As floe_internal.claim_operation() without turns of catalogs and policies, which are a matter of minutes: who was asked for by hand, then by score.
CREATE FUNCTION floe_internal.start_simulated(at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $body$
DECLARE
	q record;
	-- a budget for concurrency is counted anew after each
	most int8 := CASE WHEN EXISTS (SELECT 1 FROM floe.budget AS b WHERE b.is_enabled AND b.concurrency IS NOT NULL) THEN 1 ELSE 100 END;
	started int;
BEGIN
	LOOP
		started := 0;
		FOR q IN
			WITH place AS MATERIALIZED (
				SELECT e.server_name, e.most - e.busy AS free FROM floe_internal.engine_places(at) AS e WHERE e.busy < e.most
			), waiting AS MATERIALIZED (
				SELECT x.operation_id, x.queued_at, x.table_id, x.operation, x.estimate, x.by_hand, x.score, place.free, row_number() OVER (PARTITION BY x.engine ORDER BY x.by_hand DESC, x.score DESC, x.operation_id) AS turn
				FROM floe_internal.operation_queue AS x
				JOIN floe_internal.simulated_run AS r ON r.operation_id = x.operation_id AND r.starts_at IS NULL
				JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
				JOIN place ON place.server_name = x.engine
				WHERE x.state = 'queued'
				  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS o WHERE o.table_id = x.table_id AND (o.state <> 'queued' OR o.position < x.position))
				  AND NOT EXISTS (SELECT 1 FROM floe_internal.pause AS p WHERE floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL)
				  AND NOT EXISTS (SELECT 1 FROM floe.budget AS b
								  WHERE b.is_enabled AND b.concurrency IS NOT NULL AND (b.engine IS NULL OR b.engine = x.engine) AND floe_internal.match_pattern(b.pattern, t.levels) IS NOT NULL
									AND (SELECT count(*) FROM floe_internal.operation_queue AS o JOIN floe_internal.iceberg_table AS u ON u.table_id = o.table_id
										 WHERE o.state = 'dispatching' AND (b.engine IS NULL OR b.engine = o.engine) AND floe_internal.match_pattern(b.pattern, u.levels) IS NOT NULL) >= b.concurrency)
			)
			SELECT w.* FROM waiting AS w WHERE w.turn <= w.free ORDER BY w.by_hand DESC, w.score DESC, w.operation_id LIMIT most
		LOOP
			started := started + 1;
			-- what a preflight asks: whether it is still called for, where the table has changed since
			IF EXISTS (SELECT 1 FROM floe_internal.simulated_table AS t WHERE t.table_id = q.table_id AND t.changed_at > q.queued_at)
			   AND EXISTS (SELECT 1 FROM floe_internal.gates(ARRAY[q.table_id], at, true, NULL, ARRAY[ROW(q.table_id, q.operation)::floe_internal.call]) AS g JOIN floe_internal.gate AS k ON k.gate = g.gate
					WHERE g.operation = q.operation AND g.status <> 'pass' AND g.gate <> 'interlock' AND NOT k.is_timing AND g.label <> 'cadence') THEN
				DELETE FROM floe_internal.operation_queue AS x WHERE x.operation_id = q.operation_id;
				DELETE FROM floe_internal.simulated_run AS r WHERE r.operation_id = q.operation_id;
				UPDATE floe_internal.simulated_table AS t SET decide_at = LEAST(t.decide_at, at) WHERE t.table_id = q.table_id;
				CONTINUE;
			END IF;
			UPDATE floe_internal.simulated_run AS r SET starts_at = at, ends_at = at + make_interval(mins => 1) * GREATEST((q.estimate ->> 'minutes')::float8, 0.01) WHERE r.operation_id = q.operation_id;
			UPDATE floe_internal.operation_queue AS x SET state = 'dispatching', dispatched_at = at, started_at = at, before = floe_internal.metrics_object(x.table_id, at) WHERE x.operation_id = q.operation_id;
		END LOOP;
		EXIT WHEN started = 0;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.start_simulated(pg_catalog.timestamptz) IS 'Sends queued operations to engines that have a place, as simulated';

-- What engines do between two decisions, one event after the other. Returns the tables whose real operations were taken out meanwhile.
CREATE FUNCTION floe_internal.simulate_engines(prior pg_catalog.timestamptz, upto pg_catalog.timestamptz) RETURNS pg_catalog.int8[]
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := prior;
	next timestamptz;
	touched int8[] := '{}'::int8[];
	q floe_internal.operation_queue;
BEGIN
	LOOP
		PERFORM floe_internal.start_simulated(at);
		-- one that waits for another of its table starts when that ends
		SELECT min(x.next_at) INTO next FROM (
			SELECT GREATEST(at, LEAST(CASE WHEN y.state = 'queued' AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS o WHERE o.table_id = y.table_id AND o.state <> 'queued') THEN r.starts_at END,
				r.ends_at)) AS next_at
			FROM floe_internal.operation_queue AS y JOIN floe_internal.simulated_run AS r ON r.operation_id = y.operation_id WHERE r.starts_at IS NOT NULL) AS x;
		EXIT WHEN next IS NULL OR next > upto;
		touched := touched || floe_internal.simulate_real(at, next);
		at := next;
		PERFORM floe_internal.set_clock(at);
		FOR q IN
			SELECT x.* FROM floe_internal.operation_queue AS x JOIN floe_internal.simulated_run AS r ON r.operation_id = x.operation_id
			WHERE r.ends_at <= at ORDER BY r.ends_at, x.operation_id
		LOOP
			PERFORM floe_internal.end_simulated(q, at);
		END LOOP;
		UPDATE floe_internal.operation_queue AS x SET state = 'dispatching', dispatched_at = r.starts_at, started_at = r.starts_at, before = floe_internal.metrics_object(x.table_id, at)
			FROM floe_internal.simulated_run AS r
			WHERE r.operation_id = x.operation_id AND x.operation_id IN (
				SELECT DISTINCT ON (y.table_id) y.operation_id FROM floe_internal.operation_queue AS y JOIN floe_internal.simulated_run AS z ON z.operation_id = y.operation_id
				WHERE y.state = 'queued' AND z.starts_at <= at AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS o WHERE o.table_id = y.table_id AND o.state <> 'queued')
				ORDER BY y.table_id, z.starts_at, y.position);
	END LOOP;
	touched := touched || floe_internal.simulate_real(at, upto);
	PERFORM floe_internal.set_clock(upto);
	RETURN touched;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulate_engines(pg_catalog.timestamptz, pg_catalog.timestamptz) IS 'Starts and ends of operations between two times';

-- Queues one operation as simulated. near: one that was really queued for the same within this long is the same.
CREATE FUNCTION floe_internal.queue_simulated(c pg_catalog.jsonb, at pg_catalog.timestamptz, near pg_catalog.interval) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $body$
DECLARE
	options jsonb := floe_internal.operation_options(c -> 'settings', c -> 'origins', floe_internal.options_of_floe(c ->> 'operation', c -> 'settings', c -> 'remedy_options'));
	usable text[] := floe_internal.usable_engines((c ->> 'table_id')::int8, c ->> 'operation', options);
	p floe_internal.simulated_past;
	-- ids that no operation has, and later than those it has
	new_id int8 := 1 + COALESCE((SELECT max(r.operation_id) FROM floe_internal.simulated_run AS r WHERE r.operation_id > 4611686018427387904), 4611686018427387904);
	start timestamptz;
BEGIN
	IF usable IS NULL THEN
		RETURN;
	END IF;
	SELECT x.* INTO p FROM floe_internal.simulated_past AS x
		WHERE x.table_id = (c ->> 'table_id')::int8 AND x.operation = c ->> 'operation' AND x.finished_at IS NOT NULL AND NOT x.by_hand
		  AND x.queued_at > at - near AND x.queued_at < at + near
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.simulated_run AS r WHERE r.real_id = x.operation_id)
		  -- the table is as it was, but for the operation itself
		  AND (SELECT CASE WHEN x.finished_at <= at AND x.state = 'succeeded' THEN floe_internal.add_metrics(t.difference, floe_internal.own_effect(x.effect, x.new_snapshots), 1) ELSE t.difference END
			   FROM floe_internal.simulated_table AS t WHERE t.table_id = x.table_id) = '{}'
		ORDER BY abs(extract(epoch FROM x.queued_at - at)) LIMIT 1;
	INSERT INTO floe_internal.operation_queue (operation_id, table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies,
			reason, score, score_parts, estimate, queued_at, position)
		SELECT new_id, t.table_id, t.name, k.operation, 'queued', false, 'floe', usable[1], (c -> 'settings') || jsonb_build_object('options', options), c ->> 'settings_hash', '{}',
			COALESCE(c -> 'reasons', '[]'), COALESCE((c ->> 'score')::float8, 0), c -> 'score_parts', c -> 'estimate', at, k.position
		FROM floe_internal.iceberg_table AS t, floe_internal.operation_kind AS k
		WHERE t.table_id = (c ->> 'table_id')::int8 AND k.operation = c ->> 'operation'
		ON CONFLICT DO NOTHING;
	IF FOUND THEN
		start := CASE WHEN p.operation_id IS NOT NULL THEN GREATEST(at, COALESCE(p.dispatched_at, p.finished_at)) END;
		INSERT INTO floe_internal.simulated_run (operation_id, table_id, real_id, is_counted, starts_at, ends_at)
			VALUES (new_id, (c ->> 'table_id')::int8, p.operation_id, true, start, GREATEST(p.finished_at, start + (p.finished_at - COALESCE(p.dispatched_at, p.finished_at))));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.queue_simulated(pg_catalog.jsonb, pg_catalog.timestamptz, pg_catalog.interval) IS 'Queues a candidate of floe_internal.select_candidates()';

-- As floe_internal.plan_tables() for these tables.
CREATE FUNCTION floe_internal.plan_simulated(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, near pg_catalog.interval) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	every interval := current_setting('floe.decision_interval')::interval;
	called int8[];
	c record;
	wait_ids int8[];
	waits timestamptz[];
	needless floe_internal.call[];
BEGIN
	PERFORM floe_internal.sync_schedules(of_table_ids, at);
	called := ARRAY(SELECT floe_internal.tables_to_decide(of_table_ids, at));
	IF called <> '{}' THEN
		FOR c IN SELECT s.* FROM floe_internal.select_candidates(called, at, false, NULL) AS s
		LOOP
			IF c.verdict = 'run' THEN
				PERFORM floe_internal.queue_simulated(to_jsonb(c), at, near);
			ELSIF c.next_at > at THEN
				wait_ids := wait_ids || c.table_id;
				waits := waits || c.next_at;
			END IF;
			IF c.verdict IN ('not needed', 'off') THEN
				needless := needless || ROW(c.table_id, c.operation)::floe_internal.call;
			END IF;
		END LOOP;
		PERFORM floe_internal.advance_schedules(called, needless, at);
	END IF;
	UPDATE floe_internal.simulated_table AS t
		SET decide_at = LEAST(COALESCE(q.decide_at, at + floe_internal.spread(t.table_id::text, every)), w.next_at, o.next_due_at)
		FROM unnest(of_table_ids) AS x (table_id)
		LEFT JOIN floe_internal.quiet_until(ARRAY(SELECT unnest(of_table_ids) EXCEPT SELECT unnest(called)), at, every) AS q ON q.table_id = x.table_id
		LEFT JOIN (SELECT y.table_id, min(y.next_at) AS next_at FROM unnest(wait_ids, waits) AS y (table_id, next_at) GROUP BY y.table_id) AS w ON w.table_id = x.table_id
		LEFT JOIN (SELECT z.table_id, min(z.next_due_at) AS next_due_at FROM floe_internal.table_operation AS z WHERE z.table_id = ANY (of_table_ids) AND z.next_due_at > at GROUP BY z.table_id) AS o ON o.table_id = x.table_id
		WHERE t.table_id = x.table_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_simulated(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.interval) IS 'A decision upon these tables, as simulated, and when each is decided upon next';

-- What is in force at a time: pauses, tables that were dropped, what people asked for by hand.
CREATE FUNCTION floe_internal.simulate_people(prior pg_catalog.timestamptz, at pg_catalog.timestamptz, pauses floe_internal.pause_past[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $body$
BEGIN
	IF pauses IS NOT NULL THEN
		DELETE FROM floe_internal.pause;
		INSERT INTO floe_internal.pause (pause_id, pattern, until, reason, paused_by, paused_at) OVERRIDING SYSTEM VALUE
			SELECT - row_number() OVER (), p.pattern, p.ended_at, p.reason, p.paused_by, p.paused_at
			FROM unnest(pauses) AS p WHERE p.paused_at <= at AND p.ended_at > at;
		-- the end of a pause makes its tables due
		UPDATE floe_internal.simulated_table AS t SET decide_at = LEAST(t.decide_at, at)
			FROM floe_internal.iceberg_table AS i, unnest(pauses) AS p
			WHERE i.table_id = t.table_id AND t.decide_at > at AND p.ended_at > prior AND p.ended_at <= at AND floe_internal.match_pattern(p.pattern, i.levels) IS NOT NULL;
	END IF;
	UPDATE floe_internal.iceberg_table AS i SET status = 'dropped' FROM floe_internal.simulated_table AS t
		WHERE t.gone_at > prior AND t.gone_at <= at AND i.table_id = t.table_id;
	DELETE FROM floe_internal.operation_queue AS q USING floe_internal.simulated_table AS t WHERE t.gone_at > prior AND t.gone_at <= at AND q.table_id = t.table_id;
	WITH asked AS (
		INSERT INTO floe_internal.operation_queue
			SELECT y.* FROM floe_internal.simulated_past AS p JOIN floe_internal.operation_kind AS k ON k.operation = p.operation
			CROSS JOIN LATERAL jsonb_populate_record(NULL::floe_internal.operation_queue,
				to_jsonb(p) || jsonb_build_object('position', k.position, 'not_before', '-infinity', 'lost_sent', false, 'state', 'queued')) AS y
			WHERE p.is_own AND p.by_hand AND p.queued_at > prior AND p.queued_at <= at
			ON CONFLICT DO NOTHING
			RETURNING operation_id, table_id)
	INSERT INTO floe_internal.simulated_run (operation_id, table_id, real_id, is_counted, starts_at, ends_at)
		SELECT a.operation_id, a.table_id, a.operation_id, true, COALESCE(p.dispatched_at, p.finished_at),
			CASE WHEN COALESCE(p.dispatched_at, p.finished_at) IS NOT NULL THEN COALESCE(p.finished_at, 'infinity') END
		FROM asked AS a JOIN floe_internal.simulated_past AS p ON p.operation_id = a.operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.simulate_people(pg_catalog.timestamptz, pg_catalog.timestamptz, floe_internal.pause_past[]) IS 'Pauses, drops and triggers by hand between two times: they happen as they happened';
