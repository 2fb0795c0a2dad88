-- =================================================================================================
-- 80 acting: what people call
-- =================================================================================================

CREATE FUNCTION floe_internal.answer_requests(of_table_id pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	r floe_internal.trigger_request;
	t floe_internal.iceberg_table;
	v record;
BEGIN
	FOR r IN DELETE FROM floe_internal.trigger_request AS x WHERE x.table_id = of_table_id RETURNING *
	LOOP
		SELECT * INTO t FROM floe_internal.iceberg_table AS x WHERE x.table_id = of_table_id;
		FOR v IN SELECT * FROM floe_internal.enqueue(ARRAY[of_table_id], true, r.operations, r.options, r.requested_by)
		LOOP
			CONTINUE WHEN v.verdict IN ('run', 'off');
			PERFORM floe_internal.write_event('trigger refused', t.levels[1], of_table_id, t.name, NULL,
				format('%s %s: %s', v.operation, v.verdict, concat_ws(' ', v.gate, v.value, '(limit ' || v.limit_value || ')')), NULL);
		END LOOP;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.answer_requests(pg_catalog.int8) IS 'Plans triggers that waited for the first assessment of a table';

CREATE FUNCTION floe_internal.check_operations(operations pg_catalog.text[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	stray text;
BEGIN
	SELECT o INTO stray FROM unnest(operations) AS o WHERE o IS NULL OR NOT EXISTS (SELECT 1 FROM floe_internal.operation_kind AS k WHERE k.operation = o) LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('unknown operation "%s"', stray), NULL,
			'Operations are: ' || (SELECT string_agg(k.operation, ', ' ORDER BY k.position) FROM floe_internal.operation_kind AS k) || '.');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_operations(pg_catalog.text[]) IS 'Refuses names that are not operations';

CREATE FUNCTION floe.trigger(table_name pg_catalog.text, operations pg_catalog.text[] DEFAULT NULL, options pg_catalog.jsonb DEFAULT '{}',
		OUT operation pg_catalog.text, OUT verdict pg_catalog.text, OUT gate pg_catalog.text, OUT value pg_catalog.text, OUT limit_value pg_catalog.text,
		OUT set_by pg_catalog.text, OUT next_at pg_catalog.timestamptz, OUT operation_id pg_catalog.int8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	levels text[] := floe_internal.parse_name(trigger.table_name);
	t floe_internal.iceberg_table := floe_internal.find_table(trigger.table_name);
	given text;
	of_catalog_id int4;
BEGIN
	PERFORM floe_internal.sync_servers();
	PERFORM floe_internal.check_operations(operations);
	IF operations = '{}' THEN
		PERFORM floe_internal.refuse('the list of operations is empty', NULL, 'Leave it out for all that are called for.');
	END IF;
	IF jsonb_typeof(COALESCE(options, '{}')) <> 'object' THEN
		PERFORM floe_internal.refuse('options must be an object', NULL, 'For example {"rewrite_data_files": {"target_file_size": "128 MB"}}.');
	END IF;
	FOR given IN SELECT jsonb_object_keys(options)
	LOOP
		PERFORM floe_internal.check_operations(ARRAY[given]);
		IF NOT given = ANY (operations) THEN
			PERFORM floe_internal.refuse(format('options for %s, which is not among the operations', given), NULL, 'Name it too, or leave its options out.');
		END IF;
		PERFORM floe_internal.check_options(given, options -> given);
	END LOOP;
	SELECT c.catalog_id INTO of_catalog_id FROM floe_internal.catalog AS c WHERE c.server_name = levels[1] AND c.status <> 'removed';
	IF of_catalog_id IS NULL THEN
		RAISE EXCEPTION 'there is no catalog "%"', levels[1]
			USING ERRCODE = 'undefined_object', HINT = COALESCE('Catalogs are: ' || (SELECT string_agg(c.server_name, ', ' ORDER BY c.server_name) FROM floe_internal.catalog AS c WHERE c.status <> 'removed') || '.',
				'Make one: CREATE SERVER demo TYPE ''rest'' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri ''…'', warehouse ''…'').');
	END IF;
	IF NOT EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.is_enabled AND floe_internal.match_pattern(p.pattern, levels) IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_validity AS v WHERE v.policy_id = p.policy_id AND NOT v.is_valid)) THEN
		RAISE EXCEPTION 'no policy matches table "%"', trigger.table_name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = 'A trigger needs a matching, enabled policy: it says which operations may run, with which options and on which engine.',
				HINT = format('For example: SELECT floe.create_policy(%L, %L, %L).', levels[array_upper(levels, 1)],
					floe_internal.format_name(levels[1:array_upper(levels, 1) - 1]) || '.*', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}}');
	END IF;
	IF t.table_id IS NULL THEN
		-- never seen: registered, read first, then planned
		INSERT INTO floe_internal.iceberg_table (catalog_id, namespace, table_name, levels, name, first_seen_at)
			VALUES (of_catalog_id, levels[2:array_upper(levels, 1) - 1], levels[array_upper(levels, 1)], levels, floe_internal.format_name(levels), floe_internal.clock())
			ON CONFLICT DO NOTHING
			RETURNING * INTO t;
		IF FOUND THEN
			INSERT INTO floe_internal.table_poll (table_id, catalog_id, next_poll_at) VALUES (t.table_id, of_catalog_id, floe_internal.clock());
			PERFORM floe_internal.match_tables(ARRAY[t.table_id]);
		ELSE
			t := floe_internal.find_table(trigger.table_name);	-- a listing or another trigger registered it in this moment
		END IF;
	END IF;
	IF t.status = 'dropped' THEN
		RAISE EXCEPTION 'table "%" was dropped from the catalog', t.name
			USING ERRCODE = 'undefined_table', DETAIL = format('Noticed at %s.', t.dropped_at), HINT = 'If it is back, CALL floe.run_maintenance() lists the catalog anew.';
	END IF;
	IF t.status = 'unseen' THEN
		-- asked again: the last word counts
		DELETE FROM floe_internal.trigger_request AS r WHERE r.table_id = t.table_id AND r.operations IS NOT DISTINCT FROM trigger.operations;
		INSERT INTO floe_internal.trigger_request (table_id, operations, options, requested_by, requested_at)
			VALUES (t.table_id, trigger.operations, COALESCE(trigger.options, '{}'), SESSION_USER, floe_internal.clock());
		UPDATE floe_internal.table_poll AS p SET next_poll_at = floe_internal.clock() WHERE p.table_id = t.table_id;
		RETURN QUERY SELECT k.operation, 'wait'::text, 'assessed'::text, 'not assessed yet; planned as soon as it is'::text, NULL::text, NULL::text, NULL::timestamptz, NULL::int8
			FROM floe_internal.operation_kind AS k WHERE trigger.operations IS NULL OR k.operation = ANY (trigger.operations) ORDER BY k.position;
		RETURN;
	END IF;
	RETURN QUERY
		SELECT e.operation, CASE WHEN e.verdict = 'run' THEN 'queued' ELSE e.verdict END, e.gate, e.value, e.limit_value, e.set_by, e.next_at, e.operation_id
		FROM floe_internal.enqueue(ARRAY[t.table_id], true, trigger.operations, COALESCE(trigger.options, '{}'), SESSION_USER) AS e
		JOIN floe_internal.operation_kind AS k ON k.operation = e.operation
		ORDER BY k.position;
END
$body$;
COMMENT ON FUNCTION floe.trigger(pg_catalog.text, pg_catalog.text[], pg_catalog.jsonb)
	IS 'Plans a table from its stored health and queues what is called for, whatever the schedule says; operations named run even without need. Does no network: floe.run_maintenance() executes. One row per operation: queued, not needed, wait, blocked or off, and why';

CREATE FUNCTION floe.refresh(pattern pg_catalog.text DEFAULT '**') RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	n int8;
BEGIN
	PERFORM floe_internal.sync_servers();
	UPDATE floe_internal.catalog AS c SET next_list_at = '-infinity'
		WHERE c.status <> 'removed' AND floe_internal.match_catalog(floe_internal.check_pattern(refresh.pattern), c.server_name);
	UPDATE floe_internal.policy_source AS s SET tables_read_at = NULL
		FROM floe_internal.catalog AS c WHERE c.catalog_id = s.catalog_id AND s.tables_read_at IS NOT NULL AND floe_internal.match_catalog(refresh.pattern, c.server_name);
	UPDATE floe_internal.iceberg_table AS t SET status = CASE WHEN t.assessed_at IS NULL THEN 'unseen' ELSE 'error' END
		WHERE t.status = 'quarantined' AND floe_internal.match_pattern(refresh.pattern, t.levels) IS NOT NULL;
	UPDATE floe_internal.table_poll AS p SET next_poll_at = floe_internal.clock(), notified_at = floe_internal.clock(), crashes = 0
		FROM (SELECT x.table_id FROM floe_internal.table_poll AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
			  WHERE t.status <> 'dropped' AND floe_internal.match_pattern(refresh.pattern, t.levels) IS NOT NULL
			  ORDER BY x.table_id FOR NO KEY UPDATE OF x) AS known
		WHERE p.table_id = known.table_id;
	GET DIAGNOSTICS n = ROW_COUNT;
	PERFORM floe_internal.wake('assessor');
	RETURN n;
END
$body$;
COMMENT ON FUNCTION floe.refresh(pg_catalog.text) IS 'Makes matching catalogs and tables due for the next pass, and frees quarantined tables; returns the number of tables. No network';

CREATE FUNCTION floe.notify_commit(table_name pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	t floe_internal.iceberg_table := floe_internal.find_table(notify_commit.table_name);
	at timestamptz := floe_internal.clock();
BEGIN
	IF t.table_id IS NULL OR t.status IN ('dropped', 'quarantined') THEN
		-- a table that was just made: the next listing of its catalog finds it
		UPDATE floe_internal.catalog AS c SET next_list_at = CASE WHEN c.claim_pass IS NOT NULL THEN '-infinity'	-- the listing under way may have come too early
				ELSE LEAST(c.next_list_at, GREATEST(at, c.listed_at + interval '10 seconds')) END
			WHERE t.status IS DISTINCT FROM 'quarantined' AND c.status = 'ok' AND c.server_name = (floe_internal.parse_name(notify_commit.table_name))[1];
		IF FOUND THEN
			PERFORM floe_internal.wake('assessor');
		END IF;
		RETURN false;
	END IF;
	-- While the table is being looked at, that look may have come too early. A table in error keeps its backoff.
	UPDATE floe_internal.table_poll AS p SET notified_at = at, next_poll_at = CASE WHEN p.failures = 0 THEN LEAST(p.next_poll_at, at) ELSE p.next_poll_at END
		WHERE p.table_id = t.table_id;
	PERFORM floe_internal.wake('assessor');
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe.notify_commit(pg_catalog.text)
	IS 'Says that a table was written: it is looked at now instead of when its poll is due. For webhooks, triggers and writers; cheap, and safe to call often. False: floe does not know the table, and lists its catalog soon';

CREATE FUNCTION floe.pause(pattern pg_catalog.text, until pg_catalog.timestamptz DEFAULT 'infinity', reason pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	checked text := floe_internal.check_pattern(pause.pattern);
	ends timestamptz := COALESCE(pause.until, 'infinity');
BEGIN
	IF checked IS NULL THEN
		PERFORM floe_internal.refuse('a pause needs a pattern', NULL, 'floe.pause(''**'') pauses everything.');
	END IF;
	IF ends <= floe_internal.clock() THEN
		PERFORM floe_internal.refuse(format('a pause until %s is over already', ends), NULL, NULL);
	END IF;
	DELETE FROM floe_internal.pause AS p WHERE p.pattern = checked OR p.until <= floe_internal.clock();
	INSERT INTO floe_internal.pause (pattern, until, reason, paused_by, paused_at)
		VALUES (checked, ends, pause.reason, SESSION_USER, floe_internal.clock());
	PERFORM floe_internal.write_event('paused', NULL, NULL, NULL, NULL, concat_ws(': ', checked || ' paused' || COALESCE(' until ' || NULLIF(ends, 'infinity'), ''), pause.reason),
		jsonb_build_object('pattern', checked, 'until', ends, 'reason', pause.reason, 'by', SESSION_USER));
	RETURN (SELECT count(*) FROM floe_internal.iceberg_table AS t WHERE t.status <> 'dropped' AND floe_internal.match_pattern(checked, t.levels) IS NOT NULL);
END
$body$;
COMMENT ON FUNCTION floe.pause(pg_catalog.text, pg_catalog.timestamptz, pg_catalog.text) IS 'Nothing is dispatched for matching tables until then; what runs is left to finish. Returns the number of tables';

CREATE FUNCTION floe.resume(pattern pg_catalog.text) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	checked text := floe_internal.check_pattern(resume.pattern);
	n int8;
BEGIN
	DELETE FROM floe_internal.pause AS p WHERE p.pattern = checked OR checked = '**';
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n = 0 THEN
		RAISE WARNING 'nothing is paused under pattern "%"', checked
			USING HINT = COALESCE('Pauses are: ' || (SELECT string_agg(p.pattern, ', ' ORDER BY p.pattern) FROM floe_internal.pause AS p) || '.', 'There are no pauses.');
	ELSE
		PERFORM floe_internal.decide_soon(ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
			WHERE t.status = 'ok' AND (checked = '**' OR floe_internal.match_pattern(checked, t.levels) IS NOT NULL)));
		PERFORM floe_internal.wake('executor');
		PERFORM floe_internal.write_event('resumed', NULL, NULL, NULL, NULL, checked || ' resumed', jsonb_build_object('pattern', checked));
	END IF;
	RETURN n;
END
$body$;
COMMENT ON FUNCTION floe.resume(pg_catalog.text) IS 'Ends the pauses of exactly this pattern, or all of them with **; returns how many';

CREATE FUNCTION floe.drain(reason pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.drain (reason, drained_by, drained_at) VALUES (drain.reason, SESSION_USER, floe_internal.clock())
		ON CONFLICT (one) DO UPDATE SET reason = COALESCE(EXCLUDED.reason, floe_internal.drain.reason)
		WHERE floe_internal.drain.reason IS DISTINCT FROM COALESCE(EXCLUDED.reason, floe_internal.drain.reason);
	IF FOUND THEN
		PERFORM floe_internal.write_event('drained', NULL, NULL, NULL, NULL, concat_ws(': ', 'nothing is dispatched until floe.undrain() is called', drain.reason),
			jsonb_build_object('reason', drain.reason, 'by', SESSION_USER));
	END IF;
	RETURN (SELECT count(*) FROM floe_internal.operation_queue AS q WHERE q.state <> 'queued');
END
$body$;
COMMENT ON FUNCTION floe.drain(pg_catalog.text)
	IS 'What runs is finished, nothing new is dispatched; tables are still looked at and decided upon. For maintenance of engines and servers. Returns how many operations are under way: call it until it says 0. floe.undrain() ends it';

CREATE FUNCTION floe.undrain() RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	DELETE FROM floe_internal.drain;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM floe_internal.decide_soon(ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t WHERE t.status = 'ok'));
	PERFORM floe_internal.wake('executor');
	PERFORM floe_internal.write_event('undrained', NULL, NULL, NULL, NULL, 'operations are dispatched again', NULL);
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe.undrain() IS 'Ends floe.drain(); false: nothing was drained';

CREATE FUNCTION floe.cancel(operation_id pg_catalog.int8) RETURNS pg_catalog.text
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	q floe_internal.operation_queue;
BEGIN
	q := floe_internal.lock_operation(cancel.operation_id);
	IF q.operation_id IS NULL THEN
		PERFORM floe_internal.refuse(format('operation %s is not queued or running', cancel.operation_id),
			(SELECT format('It is %s since %s.', l.state, l.finished_at) FROM floe_internal.operation_log AS l WHERE l.operation_id = cancel.operation_id), NULL, '42704');
	END IF;
	UPDATE floe_internal.operation_queue AS x SET cancel_requested_by = SESSION_USER WHERE x.operation_id = cancel.operation_id;
	IF q.state = 'queued' THEN
		PERFORM floe_internal.end_operation(q.operation_id, 'cancelled', 'cancelled by ' || SESSION_USER);
		RETURN 'cancelled';
	END IF;
	PERFORM floe_internal.wake('executor');
	RETURN 'requested';
END
$body$;
COMMENT ON FUNCTION floe.cancel(pg_catalog.int8) IS 'Cancels an operation; one that runs is cancelled at the engine by the process that drives it. Returns cancelled or requested';

CREATE FUNCTION floe.check_catalog(name pg_catalog.text,
		OUT success pg_catalog.bool, OUT message pg_catalog.text, OUT latency_ms pg_catalog.int4, OUT detail pg_catalog.jsonb)
	RETURNS pg_catalog.record
	LANGUAGE c VOLATILE STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_check_catalog';
COMMENT ON FUNCTION floe.check_catalog(pg_catalog.text) IS 'Connects to a catalog now, from this session: whether it works, what to do if not, how long it took; detail.phase: configuration, DNS, TCP, TLS, auth or protocol. Needs USAGE on the server';

CREATE FUNCTION floe.check_engine(name pg_catalog.text,
		OUT success pg_catalog.bool, OUT message pg_catalog.text, OUT latency_ms pg_catalog.int4, OUT detail pg_catalog.jsonb)
	RETURNS pg_catalog.record
	LANGUAGE c VOLATILE STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_check_engine';
COMMENT ON FUNCTION floe.check_engine(pg_catalog.text) IS 'Connects to an engine now, from this session; as floe.check_catalog()';

CREATE PROCEDURE floe.run_maintenance(pattern pg_catalog.text DEFAULT NULL, wait pg_catalog.bool DEFAULT false)
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'floe_sql_run_maintenance';
COMMENT ON PROCEDURE floe.run_maintenance(pg_catalog.text, pg_catalog.bool)
	IS 'One whole pass: take over what a dead process left, list catalogs, assess tables, decide, dispatch, follow, verify. With a pattern only matching tables, and those at once. With wait until nothing is queued or running, with progress as NOTICEs. Commits between its steps';

