-- =================================================================================================
-- 78 preflight
-- The last look before an operation is sent, when the table was read once more: whether everything still
-- holds, what exactly is said to the engine, and how the table is before. Apart from the life of an
-- operation (78_lifecycle), because it decides and renders, where the others note what happened.
-- =================================================================================================

CREATE TYPE floe_internal.preflight_hold AS (ends pg_catalog.text, reason pg_catalog.text, not_before pg_catalog.timestamptz, engines pg_catalog.text[]);
COMMENT ON TYPE floe_internal.preflight_hold IS 'Why an operation is not sent now. ends: its state by that (queued: not before that time, or with these engines, if they are given)';

-- Not asked again: the calendar, which has moved on since it called for the operation; and an engine that does not answer, because
-- sending tells, and what was not sent waits in the queue.
CREATE FUNCTION floe_internal.preflight_gates(q floe_internal.operation_queue, at pg_catalog.timestamptz, is_named pg_catalog.bool, OUT ends pg_catalog.text, OUT reason pg_catalog.text,
		OUT not_before pg_catalog.timestamptz, OUT remedy_options pg_catalog.jsonb)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	g record;
	ghost record;
BEGIN
	SELECT x.*, x.status <> 'pass' AND x.gate <> 'interlock' AND NOT k.is_timing AND x.label <> 'cadence' AND NOT (x.gate = 'engine' AND x.status = 'wait') AS stops INTO g
		FROM floe_internal.gates(ARRAY[q.table_id], at, true, CASE WHEN is_named THEN ARRAY[q.operation] END, ARRAY[ROW(q.table_id, q.operation)::floe_internal.call]) AS x
		JOIN floe_internal.gate AS k ON k.gate = x.gate
		WHERE x.operation = q.operation
		ORDER BY stops DESC, x.gate_position LIMIT 1;
	remedy_options := g.remedy_options;
	IF q.cancel_requested_by IS NOT NULL THEN
		ends := 'cancelled';
		reason := 'cancelled by ' || q.cancel_requested_by;
	ELSIF g.stops AND g.gate = 'paused' THEN
		ends := 'queued';
		reason := 'back in the queue: ' || g.value;
	ELSIF g.stops THEN
		ends := 'cancelled';
		reason := concat_ws(': ', 'no longer called for', g.label, concat_ws(', limit ', g.value, g.limit_value)) || COALESCE('; ' || floe_internal.done_by_others(q.table_id, q.operation, q.queued_at), '');
	ELSIF g.settings_hash <> q.settings_hash AND NOT q.by_hand THEN
		-- it may have waited for days; what was asked for by hand was asked for as it was then
		ends := 'cancelled';
		reason := 'its policy or engine was changed since it was queued; decided upon anew';
	ELSIF q.operation = 'remove_orphan_files' THEN
		-- The gate "interlock", which knows no more than that the operation itself is there, is asked of those given up alone.
		SELECT w.* INTO ghost FROM floe_internal.may_still_write(q.table_id, at) AS w WHERE w.is_given_up AND w.until > at ORDER BY w.until DESC LIMIT 1;
		IF FOUND THEN
			ends := 'queued';
			reason := format('back in the queue until %s: operation %s (%s) was given up and may still write', ghost.until, ghost.operation_id, ghost.operation);
			not_before := ghost.until;
		END IF;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.preflight_gates(floe_internal.operation_queue, pg_catalog.timestamptz, pg_catalog.bool)
	IS 'Whether the gates, but timing, still let an operation through (ends and the others as in preflight_hold, NULL: they do), and the options that its metric''s remedy needs';

CREATE FUNCTION floe_internal.preflight_options(q floe_internal.operation_queue, snapshots pg_catalog.bytea, remedy_options pg_catalog.jsonb, engine_type pg_catalog.text, at pg_catalog.timestamptz)
	RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	by_engine CONSTANT jsonb := q.settings || jsonb_build_object('engine', q.engine);
	options jsonb := COALESCE(q.settings -> 'options', '{}');
BEGIN
	-- what floe adds by itself it added for the engine that stands first; another one may have to be told more, such as the table's own retention
	IF q.engine IS DISTINCT FROM q.settings ->> 'engine' THEN
		options := floe_internal.options_of_floe(q.operation, by_engine, remedy_options) || options;
	END IF;
	-- Who asked by hand asked for the retention of that moment. Spark reads the table's as it is; Trino is told, and then the table may ask for more by now.
	IF q.operation = 'expire_snapshots' AND engine_type = 'trino'
	   AND (options ->> 'max_snapshot_age')::interval = (floe_internal.options_of_floe(q.operation, by_engine, '{}') ->> 'max_snapshot_age')::interval THEN
		options := options || COALESCE((SELECT x.now_options FROM floe_internal.table_setting AS s
			CROSS JOIN LATERAL floe_internal.options_of_floe(q.operation, s.settings || jsonb_build_object('engine', q.engine), '{}') AS x (now_options)
			WHERE s.table_id = q.table_id AND s.operation = q.operation AND (x.now_options ->> 'max_snapshot_age')::interval > (options ->> 'max_snapshot_age')::interval), '{}');
	END IF;
	RETURN floe_internal.pinned_options(q.operation_id, q.table_id, q.operation, options, q.settings, snapshots, at);
END
$body$;
COMMENT ON FUNCTION floe_internal.preflight_options(floe_internal.operation_queue, pg_catalog.bytea, pg_catalog.jsonb, pg_catalog.text, pg_catalog.timestamptz)
	IS 'Options of an operation for the engine that it goes to, by what the table and the operations that may still run ask for now';

CREATE FUNCTION floe_internal.preflight_engine(q floe_internal.operation_queue, options pg_catalog.jsonb, at pg_catalog.timestamptz) RETURNS floe_internal.preflight_hold
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	usable CONSTANT text[] := floe_internal.usable_engines(q.table_id, q.operation, options);
BEGIN
	IF usable IS NULL THEN
		RETURN ROW('cancelled', format('no engine may do it any more: %s', floe_internal.passed_over(q.table_id, q.operation, q.settings, NULL, at, at)), NULL, NULL)::floe_internal.preflight_hold;
	ELSIF q.engine <> ALL (usable) OR EXISTS (SELECT 1 FROM floe_internal.engine AS n WHERE n.server_name = q.engine AND n.drained_at IS NOT NULL) THEN
		-- drained, not approved any more or not able since it was claimed; what may be sent to another is sent there
		RETURN ROW('queued', format('back in the queue: engine "%s" does not take it any more', q.engine), NULL, usable)::floe_internal.preflight_hold;
	END IF;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.preflight_engine(floe_internal.operation_queue, pg_catalog.jsonb, pg_catalog.timestamptz) IS 'Whether the engine that an operation was claimed for still may, and can, do it; NULL: it does';

-- Of the table as it is now: others may have written, and other partitions.
CREATE FUNCTION floe_internal.preflight_slice(q floe_internal.operation_queue, engine_type pg_catalog.text, is_named pg_catalog.bool, at pg_catalog.timestamptz,
		INOUT options pg_catalog.jsonb, OUT sliced pg_catalog.jsonb, OUT slice pg_catalog.jsonb) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	of_slice text;
	more_options jsonb;
BEGIN
	SELECT s.predicate, s.more_options, s.detail INTO of_slice, more_options, slice FROM floe_internal.slice(q.table_id, q.settings, options, at, is_named) AS s;
	options := options
		|| COALESCE((SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each(more_options) AS m
			WHERE EXISTS (SELECT 1 FROM floe_internal.engine_options() AS o WHERE o.engine_type = preflight_slice.engine_type AND o.operation = q.operation AND o.option = m.key)), '{}');
	IF of_slice IS NOT NULL THEN
		sliced := options || jsonb_build_object('where', CASE WHEN options ? 'where' THEN format('(%s) AND (%s)', options ->> 'where', of_slice) ELSE of_slice END);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.preflight_slice(floe_internal.operation_queue, pg_catalog.text, pg_catalog.bool, pg_catalog.timestamptz, pg_catalog.jsonb)
	IS 'Options of rewrite_data_files, and sliced: with the predicate of the slice that comes next, NULL: it has none; slice as in floe_internal.slice(), NULL: it is the whole';

-- What was asked for by hand did not pass the gate "options", and a table's columns change.
CREATE FUNCTION floe_internal.preflight_statement(q floe_internal.operation_queue, t floe_internal.iceberg_table, engine_type pg_catalog.text, engine_catalog pg_catalog.text, options pg_catalog.jsonb,
		at pg_catalog.timestamptz, OUT statement pg_catalog.text, OUT problem pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	problem := floe_internal.options_problem(q.operation, options, t.details, t.specs, t.refs, t.current_snapshot_id);
	IF problem IS NULL THEN
		statement := floe_internal.render_statement(engine_type, engine_catalog, t.namespace, t.table_name, q.operation, options, at, floe_internal.table_schema(t.details, t.specs));
	END IF;
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT;
END
$body$;
COMMENT ON FUNCTION floe_internal.preflight_statement(floe_internal.operation_queue, floe_internal.iceberg_table, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.timestamptz)
	IS 'The statement with these options, or the problem that keeps it from being one';

-- What the engine has to be told of this table that no policy says.
CREATE FUNCTION floe_internal.options_of_table(of_operation pg_catalog.text, t floe_internal.iceberg_table, engine_type pg_catalog.text, options pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN CASE
		-- An object store has no folders: without this the procedure lists by Hadoop's file system, which Spark does not have for s3.
		WHEN of_operation = 'remove_orphan_files' AND t.location_key LIKE 's3://%' AND NOT options ? 'prefix_listing'
			AND floe_internal.engine_refusal(engine_type, of_operation, options || '{"prefix_listing": true}') IS NULL THEN '{"prefix_listing": true}'::jsonb
		-- Iceberg has Spark parse the names of all columns as they are; one with a back-tick would be the end of it, so the others are named.
		WHEN of_operation = 'compute_table_stats' AND NOT options ? 'columns' THEN COALESCE((
			SELECT jsonb_build_object('columns', jsonb_agg(c ->> 'name') FILTER (WHERE c ->> 'name' NOT LIKE '%`%'))
			FROM jsonb_array_elements(t.details -> 'columns') AS c
			WHERE c ->> 'type' NOT IN ('struct', 'list', 'map', 'variant') AND c ->> 'name' NOT LIKE '%.%'
			HAVING bool_or(c ->> 'name' LIKE '%`%') AND count(*) FILTER (WHERE c ->> 'name' NOT LIKE '%`%') BETWEEN 1 AND 1000), '{}')
		ELSE '{}' END;
END
$body$;
COMMENT ON FUNCTION floe_internal.options_of_table(pg_catalog.text, floe_internal.iceberg_table, pg_catalog.text, pg_catalog.jsonb) IS 'Options beside those given without which the engine could not work on a table like this; {}: none';

CREATE FUNCTION floe_internal.hold_back(q floe_internal.operation_queue, t floe_internal.iceberg_table, hold floe_internal.preflight_hold) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF hold.ends = 'queued' THEN
		UPDATE floe_internal.operation_queue AS x
			SET state = 'queued', driver_pass = NULL, attempt = x.attempt - 1, not_before = COALESCE(hold.not_before, x.not_before),
				engine = COALESCE(hold.engines[1], x.engine), engines = CASE WHEN hold.engines IS NULL THEN x.engines WHEN cardinality(hold.engines) > 1 THEN hold.engines END
			WHERE x.operation_id = q.operation_id;
		RETURN;
	ELSIF hold.ends = 'failed' THEN
		UPDATE floe_internal.operation_queue AS x SET error_class = 'config', error_message = hold.reason WHERE x.operation_id = q.operation_id RETURNING x.* INTO q;
		IF NOT q.by_hand THEN
			PERFORM floe_internal.note_run(q, t, 'failed', NULL);
		END IF;
	END IF;
	PERFORM floe_internal.end_operation(q.operation_id, hold.ends, hold.reason);
END
$body$;
COMMENT ON FUNCTION floe_internal.hold_back(floe_internal.operation_queue, floe_internal.iceberg_table, floe_internal.preflight_hold) IS 'Ends an operation that is not sent, or puts it back into the queue, where this attempt does not count';

CREATE FUNCTION floe_internal.preflight(of_operation_id pg_catalog.int8, engine_type pg_catalog.text, engine_catalog pg_catalog.text, OUT go pg_catalog.bool, OUT reason pg_catalog.text, OUT statement pg_catalog.text)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	q floe_internal.operation_queue;
	t floe_internal.iceberg_table;
	hold floe_internal.preflight_hold;
	is_named bool;
	remedy_options jsonb;
	options jsonb;
	sliced jsonb;
	slice jsonb;
	problem text;
BEGIN
	q := floe_internal.lock_operation(of_operation_id);
	IF q.operation_id IS NULL THEN
		go := false;
		reason := 'it is not in the queue any more';
		RETURN;
	END IF;
	SELECT * INTO t FROM floe_internal.iceberg_table AS x WHERE x.table_id = q.table_id;
	is_named := EXISTS (SELECT 1 FROM jsonb_array_elements(q.reason) AS r WHERE r ->> 'gate' = 'requested');
	SELECT g.ends, g.reason, g.not_before, g.remedy_options INTO hold.ends, hold.reason, hold.not_before, remedy_options FROM floe_internal.preflight_gates(q, at, is_named) AS g;
	IF hold.ends IS NULL THEN
		options := floe_internal.preflight_options(q, t.snapshots, remedy_options, engine_type, at);
		hold := floe_internal.preflight_engine(q, options, at);
	END IF;
	IF hold.ends IS NULL THEN
		options := options || floe_internal.options_of_table(q.operation, t, engine_type, options);
		IF q.operation = 'rewrite_data_files' THEN
			SELECT x.options, x.sliced, x.slice INTO options, sliced, slice FROM floe_internal.preflight_slice(q, engine_type, is_named, at, options) AS x;
		END IF;
		SELECT x.statement, x.problem INTO statement, problem FROM floe_internal.preflight_statement(q, t, engine_type, engine_catalog, COALESCE(sliced, options), at) AS x;
		IF problem IS NOT NULL AND sliced IS NOT NULL THEN
			-- Trino takes only predicates that are about whole partitions of all specs that the table ever had: where it cannot be told which part it is, it is the whole
			slice := NULL;
			SELECT x.statement, x.problem INTO statement, problem FROM floe_internal.preflight_statement(q, t, engine_type, engine_catalog, options, at) AS x;
		END IF;
		problem := COALESCE(problem, floe_internal.pinned_snapshot_problem(q.table_id, options, t.snapshots, at));
		IF problem IS NOT NULL THEN
			hold := ROW('failed', problem, NULL, NULL)::floe_internal.preflight_hold;
		END IF;
	END IF;
	go := hold.ends IS NULL;
	IF NOT go THEN
		reason := hold.reason;
		statement := NULL;
		PERFORM floe_internal.hold_back(q, t, hold);
		RETURN;
	END IF;
	UPDATE floe_internal.operation_queue AS x
		SET before = floe_internal.metrics_object(q.table_id, at), before_snapshot_id = t.current_snapshot_id,
			before_snapshots = ARRAY(SELECT s.snapshot_id FROM floe_internal.snapshot_list(t.snapshots) AS s),
			before_statistics = floe_internal.statistics_files(q.operation, t.details),
			snapshots_before = CASE WHEN q.operation = 'expire_snapshots' THEN t.snapshots END,
			statement = preflight.statement,
			estimate = CASE WHEN slice IS NULL THEN x.estimate - 'slice' ELSE x.estimate || jsonb_build_object('slice', slice) END
		WHERE x.operation_id = of_operation_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.preflight(pg_catalog.int8, pg_catalog.text, pg_catalog.text) IS 'Last look before an operation is sent: gates but timing, state before, statement';
