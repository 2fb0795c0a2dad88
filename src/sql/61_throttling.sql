-- =================================================================================================
-- 61 throttling
-- What holds operations of a table back because of how past ones ended, beyond the waits of each operation
-- (note_run() in 78): the circuit of the table, and how often a cadence pays. Every wait has an end; floe.retry() ends all.
-- =================================================================================================

-- An operation that keeps failing waits by itself, and the others of the table may be fine. When different ones fail, it is the table. A conflict says
-- that somebody writes, and a wrong setting waits for a change: both say nothing about the table.
CREATE FUNCTION floe_internal.note_circuit(q floe_internal.operation_queue, final_state pg_catalog.text, class pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	at timestamptz := floe_internal.clock();
	span CONSTANT interval := '6 hours'::interval;
	enough_failures CONSTANT int := 3;
	enough_operations CONSTANT int := 2;
	classes CONSTANT text[] := '{transient,resource,permanent}'::text[];
	old_row floe_internal.table_circuit;
	new_row floe_internal.table_circuit;
BEGIN
	SELECT * INTO old_row FROM floe_internal.table_circuit AS c WHERE c.table_id = q.table_id FOR UPDATE;
	IF final_state IN ('succeeded', 'no_change') THEN
		IF old_row.table_id IS NOT NULL THEN
			DELETE FROM floe_internal.table_circuit AS c WHERE c.table_id = q.table_id;
			PERFORM floe_internal.write_event('circuit closed', (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id, format('%s ended well: operations are sent to the table again', q.operation), NULL);
		END IF;
		RETURN;
	END IF;
	IF final_state <> 'failed' OR class <> ALL (classes) THEN
		RETURN;
	END IF;
	new_row.error_class := class;
	new_row.error_message := COALESCE(q.error_message, 'lost by the engine');
	IF old_row.table_id IS NULL THEN
		-- the one that ends now is not in the log yet
		SELECT count(*) + 1, array_agg(DISTINCT x.operation) || CASE WHEN bool_or(x.operation = q.operation) THEN '{}' ELSE ARRAY[q.operation] END INTO new_row.failures, new_row.operations
			FROM floe_internal.operation_log AS x
			WHERE x.table_id = q.table_id AND x.state = 'failed' AND x.error_class = ANY (classes) AND x.finished_at > at - span
			  AND x.operation_id > COALESCE((SELECT max(y.operation_id) FROM floe_internal.operation_log AS y WHERE y.table_id = q.table_id AND y.state IN ('succeeded', 'no_change')), 0)
			  AND x.finished_at > COALESCE((SELECT max(e.happened_at) FROM floe_internal.event AS e WHERE e.table_id = q.table_id AND e.kind = 'retry' AND e.happened_at > at - span), '-infinity');
		IF new_row.failures < enough_failures OR cardinality(new_row.operations) < enough_operations THEN
			RETURN;
		END IF;
	ELSE
		new_row.failures := old_row.failures + 1;
		new_row.operations := old_row.operations || CASE WHEN q.operation = ANY (old_row.operations) THEN '{}' ELSE ARRAY[q.operation] END;
	END IF;
	new_row.openings := COALESCE(old_row.openings, 0) + 1;
	new_row.open_until := at + floe_internal.backoff_delay(new_row.openings, interval '30 minutes', interval '24 hours', q.table_id::text);
	INSERT INTO floe_internal.table_circuit AS c (table_id, opened_at, open_until, openings, failures, operations, error_class, error_message)
		VALUES (q.table_id, at, new_row.open_until, new_row.openings, new_row.failures, new_row.operations, new_row.error_class, new_row.error_message)
		ON CONFLICT (table_id) DO UPDATE SET open_until = EXCLUDED.open_until, openings = EXCLUDED.openings, failures = EXCLUDED.failures,
			operations = EXCLUDED.operations, error_class = EXCLUDED.error_class, error_message = EXCLUDED.error_message;
	-- what was planned for the table while it was well; people know what they do
	PERFORM floe_internal.end_operation(x.operation_id, 'cancelled', format('the circuit of the table is open until %s', to_char(new_row.open_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')))
		FROM (SELECT z.operation_id FROM floe_internal.operation_queue AS z WHERE z.table_id = q.table_id AND z.state = 'queued' AND NOT z.by_hand ORDER BY z.operation_id FOR UPDATE) AS x;
	PERFORM floe_internal.write_event('circuit open', (floe_internal.parse_name(q.table_name))[1], q.table_id, q.table_name, q.operation_id,
		format('%s failures (%s), last: %s; nothing is sent to the table until %s', new_row.failures, array_to_string(new_row.operations, ', '), new_row.error_message,
			to_char(new_row.open_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')), NULL);
END
$body$;
COMMENT ON FUNCTION floe_internal.note_circuit(floe_internal.operation_queue, pg_catalog.text, pg_catalog.text)
	IS 'The circuit of a table after an operation on it has ended: opens after three failures of at least two different operations within six hours and without a success, for 30 minutes, and twice as long each time that the one that is tried then fails';

-- Where a cadence may be learned it stands for the interval of the settings: where that is floe's own, or the policy says auto_tune.
CREATE FUNCTION floe_internal.tuned_cadence(settings pg_catalog.jsonb, origins pg_catalog.jsonb, tuned_every pg_catalog.interval) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN settings #> '{schedule,every}' IS NOT NULL AND (NOT origins ? 'schedule' OR COALESCE((settings ->> 'auto_tune')::pg_catalog.bool, false))
		AND COALESCE((settings ->> 'auto_tune')::pg_catalog.bool, true)
		THEN GREATEST(tuned_every, (settings ->> 'min_interval')::pg_catalog.interval, '24 hours') END;
END;
COMMENT ON FUNCTION floe_internal.tuned_cadence(pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.interval) IS 'The learned interval, if it counts: never below 24 hours and min_interval; NULL: the schedule holds as it is set';

CREATE FUNCTION floe_internal.tuned_key(settings pg_catalog.jsonb, every pg_catalog.interval) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT floe_internal.schedule_key(settings) || COALESCE('/' || EXTRACT(epoch FROM every)::pg_catalog.text, '');
END;
COMMENT ON FUNCTION floe_internal.tuned_key(pg_catalog.jsonb, pg_catalog.interval) IS 'floe_internal.schedule_key(), and the learned interval';

CREATE FUNCTION floe_internal.tuned_next(settings pg_catalog.jsonb, every pg_catalog.interval, seed pg_catalog.text, first_seen_at pg_catalog.timestamptz,
		considered_at pg_catalog.timestamptz, is_builtin pg_catalog.bool) RETURNS pg_catalog.timestamptz
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE WHEN every IS NULL OR considered_at IS NULL THEN floe_internal.schedule_next(settings, seed, first_seen_at, considered_at, is_builtin)
		-- the runs that it was learned from are spread already
		ELSE considered_at + pg_catalog.make_interval(secs => EXTRACT(epoch FROM every)::pg_catalog.float8) END;
END;
COMMENT ON FUNCTION floe_internal.tuned_next(pg_catalog.jsonb, pg_catalog.interval, pg_catalog.text, pg_catalog.timestamptz, pg_catalog.timestamptz, pg_catalog.bool) IS 'floe_internal.schedule_next(), with the learned interval instead of the one of the settings';

-- The interval in which so many bytes become orphans that a run is worth while. The first run removed what had gathered since nobody knows when, so
-- the rate is that of those after it. What an engine removed it says in files; of what size is estimated by the files of the table.
CREATE FUNCTION floe_internal.tune_cadence(q floe_internal.operation_queue) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	worth_while CONSTANT float8 := 1073741824;
	shortest CONSTANT float8 := 86400;
	longest CONSTANT float8 := 90 * 86400;
	sum_bytes float8;
	sum_seconds float8;
	last_seconds float8;
	runs int;
	seconds float8;
BEGIN
	WITH run AS (
		-- this one, which is not in the log yet, and those before it
		SELECT at AS finished_at, q.effect, q.before
		UNION ALL
		(SELECT l.finished_at, l.effect, l.before FROM floe_internal.operation_log AS l
		 WHERE l.table_id = q.table_id AND l.operation = q.operation AND l.state IN ('succeeded', 'no_change') ORDER BY l.operation_id DESC LIMIT 5)
	), spaced AS (
		SELECT extract(epoch FROM r.finished_at - lag(r.finished_at) OVER (ORDER BY r.finished_at))::float8 AS seconds, r.finished_at,
			   (r.effect ->> 'orphan_files_removed')::float8 * COALESCE((r.before ->> 'average_file_bytes')::float8, 0) AS bytes
		FROM run AS r
	)
	SELECT count(*), sum(s.bytes), sum(s.seconds), max(s.seconds) FILTER (WHERE s.finished_at = at) INTO runs, sum_bytes, sum_seconds, last_seconds
		FROM spaced AS s WHERE s.seconds > 0 AND s.bytes IS NOT NULL;
	IF runs = 0 OR last_seconds IS NULL THEN
		-- one run, or an engine that does not count: nothing is known
		RETURN;
	END IF;
	-- less often only step by step: one quiet week is no proof of a quiet quarter
	seconds := LEAST(longest, GREATEST(shortest, extract(epoch FROM (q.settings ->> 'min_interval')::interval), LEAST(COALESCE(worth_while / NULLIF(sum_bytes / sum_seconds, 0), longest), GREATEST(2 * last_seconds, shortest))));
	UPDATE floe_internal.table_operation AS x
		SET tuned_every = make_interval(secs => round(seconds / 3600) * 3600),
			tuned_by = format('learned: about %s in %s', floe_internal.format_metric(sum_bytes, 'bytes'), floe_internal.format_interval(make_interval(secs => sum_seconds)))
		WHERE x.table_id = q.table_id AND x.operation = q.operation;
END
$body$;
COMMENT ON FUNCTION floe_internal.tune_cadence(floe_internal.operation_queue)
	IS 'After a removal of orphan files: how often such a run reclaims about 1 GiB, from 1 to 90 days and not more often than min_interval; at most twice as long as it was';

CREATE FUNCTION floe.retry(pattern pg_catalog.text) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	checked text := floe_internal.check_pattern(retry.pattern);
	ids int8[];
BEGIN
	IF checked IS NULL THEN
		PERFORM floe_internal.refuse('a retry needs a pattern', NULL, 'floe.retry(''**'') is about all tables.');
	END IF;
	ids := ARRAY(
		SELECT t.table_id FROM floe_internal.iceberg_table AS t
		WHERE t.status <> 'dropped' AND (checked = '**' OR floe_internal.match_pattern(checked, t.levels) IS NOT NULL)
		  AND (EXISTS (SELECT 1 FROM floe_internal.table_circuit AS c WHERE c.table_id = t.table_id)
			   OR EXISTS (SELECT 1 FROM floe_internal.table_operation AS x WHERE x.table_id = t.table_id AND (x.failures > 0 OR x.zero_change_until IS NOT NULL)))
		ORDER BY t.table_id);
	PERFORM 1 FROM floe_internal.table_decision AS d WHERE d.table_id = ANY (ids) ORDER BY d.table_id FOR UPDATE;
	DELETE FROM floe_internal.table_circuit AS c WHERE c.table_id = ANY (ids);
	UPDATE floe_internal.table_operation AS x
		SET failures = 0, failure_class = NULL, failure_message = NULL, failure_settings_hash = NULL, failure_metadata = NULL, backoff_until = NULL,
			zero_changes = 0, zero_change_until = NULL, zero_change_metric = NULL, zero_change_value = NULL, zero_change_metadata = NULL
		WHERE x.table_id = ANY (ids) AND (x.failures > 0 OR x.zero_change_until IS NOT NULL);
	PERFORM floe_internal.write_event('retry', t.levels[1], t.table_id, t.name, NULL, format('failures and waits are forgotten, as %s asked for', SESSION_USER), NULL)
		FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (ids);
	PERFORM floe_internal.decide_soon(ids);
	RETURN cardinality(ids);
END
$body$;
COMMENT ON FUNCTION floe.retry(pg_catalog.text)
	IS 'Forgets failures, backoffs, runs without effect and open circuits of matching tables, so that they are decided upon anew, for example after something was mended that floe does not see; returns the number of tables that had any';
