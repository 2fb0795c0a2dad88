-- =================================================================================================
-- 42 policies: documents
-- {"name": …, "pattern": …, <policy keys>, "<operation>": {<operation keys>}} in and out. null in a
-- change means "no longer set by this policy".
-- =================================================================================================

CREATE FUNCTION floe_internal.check_policy_keys(document pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	stray text;
	operation text;
BEGIN
	IF jsonb_typeof(document) IS DISTINCT FROM 'object' THEN
		PERFORM floe_internal.refuse(place || ': the document must be a JSON object', NULL, NULL);
	END IF;
	IF length(document::text) > 262144 THEN
		PERFORM floe_internal.refuse(place || ': the document is larger than 256 kB', NULL, NULL);
	END IF;
	SELECT k INTO stray FROM jsonb_object_keys(document) AS k
		WHERE k NOT IN ('name', 'pattern', 'exclude', 'owner')
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_key AS p WHERE p.scope = 'policy' AND p.key = k)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_kind AS o WHERE o.operation = k)
		ORDER BY k LIMIT 1;
	IF stray IS NOT NULL THEN
		PERFORM floe_internal.refuse(format('%s: unknown key "%s"', place, stray), NULL,
			'Valid keys are: name, pattern, exclude, ' ||
			(SELECT string_agg(p.key, ', ' ORDER BY p.position) FROM floe_internal.policy_key AS p WHERE p.scope = 'policy') ||
			', and the operations ' || (SELECT string_agg(o.operation, ', ' ORDER BY o.position) FROM floe_internal.operation_kind AS o) || '.');
	END IF;
	FOR operation IN SELECT o.operation FROM floe_internal.operation_kind AS o WHERE document ? o.operation ORDER BY o.position
	LOOP
		IF jsonb_typeof(document -> operation) NOT IN ('object', 'null') THEN
			PERFORM floe_internal.refuse(format('%s: "%s" must be an object', place, operation), NULL, 'An empty object {} switches the operation on with defaults.');
		END IF;
		CONTINUE WHEN jsonb_typeof(document -> operation) = 'null';
		SELECT k INTO stray FROM jsonb_object_keys(document -> operation) AS k
			WHERE NOT EXISTS (SELECT 1 FROM floe_internal.policy_key AS p WHERE p.scope = 'operation' AND p.key = k)
			ORDER BY k LIMIT 1;
		IF stray IS NOT NULL THEN
			PERFORM floe_internal.refuse(format('%s: unknown key "%s" in "%s"', place, stray, operation), NULL,
				'Valid keys are: ' || (SELECT string_agg(p.key, ', ' ORDER BY p.position) FROM floe_internal.policy_key AS p WHERE p.scope = 'operation') || '.');
		END IF;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_keys(pg_catalog.jsonb, pg_catalog.text) IS 'Refuses keys that a policy document does not have, listing those it has';

-- A time that does not say its zone is one of UTC, whoever saves it.
CREATE FUNCTION floe_internal.time_range_from(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
AS $body$
BEGIN
	IF jsonb_typeof(value) = 'string' THEN
		RETURN (value #>> '{}')::tstzrange::text;
	ELSIF jsonb_typeof(value) = 'array' AND jsonb_array_length(value) = 2 AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(value) AS e WHERE jsonb_typeof(e) NOT IN ('string', 'null')) THEN
		RETURN tstzrange((value ->> 0)::timestamptz, (value ->> 1)::timestamptz, '[)')::text;
	END IF;
	RAISE EXCEPTION 'no range' USING ERRCODE = 'invalid_text_representation';
EXCEPTION WHEN data_exception THEN
	PERFORM floe_internal.refuse(format('%s must be the beginning and the end of a time, not %s', place, left(value::text, 100)), NULL,
		'Write ["2026-11-24 00:00 Europe/Amsterdam", "2026-12-02 00:00 Europe/Amsterdam"]; null for an end that is open. Without a zone it is UTC.');
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.time_range_from(pg_catalog.jsonb, pg_catalog.text) IS 'Text of a tstzrange from one, or from a list of its beginning and end';

-- One value of a document as jsonb in the form jsonb_populate_record() turns into the column.
CREATE FUNCTION floe_internal.policy_value(value pg_catalog.jsonb, value_type pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	kind text := jsonb_typeof(value);
	shown text := left(value::text, 100);
BEGIN
	IF kind = 'null' THEN
		RETURN value;
	END IF;
	CASE value_type
		WHEN 'boolean' THEN
			IF kind <> 'boolean' THEN
				PERFORM floe_internal.refuse(format('%s must be true or false, not %s', place, shown), NULL, NULL);
			END IF;
		WHEN 'integer' THEN
			IF kind <> 'number' OR (value #>> '{}')::numeric <> trunc((value #>> '{}')::numeric) OR abs((value #>> '{}')::numeric) > 1000000000 THEN
				PERFORM floe_internal.refuse(format('%s must be a whole number, not %s', place, shown), NULL, NULL);
			END IF;
			RETURN to_jsonb((value #>> '{}')::numeric::int4);	-- 1.0 is 1
		WHEN 'interval' THEN
			IF kind <> 'string' THEN
				PERFORM floe_internal.refuse(format('%s must be an interval, not %s', place, shown), NULL, 'Write a text such as "6 hours" or "PT6H".');
			END IF;
			RETURN to_jsonb(floe_internal.interval_from(value #>> '{}', place));
		WHEN 'text' THEN
			IF kind <> 'string' THEN
				PERFORM floe_internal.refuse(format('%s must be a text, not %s', place, shown), NULL, NULL);
			END IF;
		WHEN 'text list' THEN
			IF kind = 'string' THEN
				RETURN jsonb_build_array(value);
			END IF;
			IF kind <> 'array' OR EXISTS (SELECT 1 FROM jsonb_array_elements(value) AS e WHERE jsonb_typeof(e) <> 'string') THEN
				PERFORM floe_internal.refuse(format('%s must be a list of texts, not %s', place, shown), NULL, NULL);
			END IF;
		WHEN 'bytes' THEN
			IF kind = 'number' AND (value #>> '{}')::numeric BETWEEN -1e15 AND 1e15 THEN
				RETURN to_jsonb(trunc((value #>> '{}')::numeric)::int8);
			END IF;
			BEGIN
				IF kind = 'string' THEN
					RETURN to_jsonb(pg_size_bytes(value #>> '{}'));
				END IF;
			EXCEPTION WHEN invalid_parameter_value OR numeric_value_out_of_range THEN
				NULL;
			END;
			PERFORM floe_internal.refuse(format('%s must be a size, not %s', place, shown), NULL, 'Write a number of bytes or a text such as "50 GB".');
		WHEN 'time range' THEN
			RETURN to_jsonb(floe_internal.time_range_from(value, place));
		WHEN 'object', 'preset' THEN
			NULL;	-- checked where it is saved, with messages that know the content
	END CASE;
	RETURN value;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_value(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'Checks the JSON type of one value of a policy document';

-- The part of a document that belongs to one row, by column name.
CREATE FUNCTION floe_internal.policy_columns(part pg_catalog.jsonb, part_scope pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.jsonb_object_agg(k.column_name, floe_internal.policy_value(part -> k.key, k.value_type, place || CASE part_scope WHEN 'policy' THEN ': ' ELSE '.' END || k.key)), '{}')
	FROM floe_internal.policy_key AS k
	WHERE k.scope = part_scope AND part ? k.key;
END;
COMMENT ON FUNCTION floe_internal.policy_columns(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'Document keys to column names, values checked';

CREATE FUNCTION floe_internal.option_name(of_operation pg_catalog.text, given pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT COALESCE((SELECT o.option FROM floe_internal.engine_options() AS o
					 WHERE o.operation = of_operation AND (o.option = given OR given = ANY (o.aliases)) LIMIT 1), given);
END;
COMMENT ON FUNCTION floe_internal.option_name(pg_catalog.text, pg_catalog.text) IS 'Canonical name of an option given by name or alias';

CREATE FUNCTION floe_internal.save_operations(saved_policy_id pg_catalog.int4, document pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	kind floe_internal.operation_kind;
	old_row floe.policy_operation;
	new_row floe.policy_operation;
	columns jsonb;
	stray text;
BEGIN
	FOR kind IN SELECT * FROM floe_internal.operation_kind AS o WHERE document ? o.operation ORDER BY o.position
	LOOP
		IF jsonb_typeof(document -> kind.operation) = 'null' THEN
			DELETE FROM floe.policy_operation AS o WHERE o.policy_id = saved_policy_id AND o.operation = kind.operation;
			CONTINUE;
		END IF;
		columns := floe_internal.policy_columns(document -> kind.operation, 'operation', place || ': ' || kind.operation);
		SELECT * INTO old_row FROM floe.policy_operation AS o WHERE o.policy_id = saved_policy_id AND o.operation = kind.operation;
		IF FOUND THEN
			-- "schedule" and "every" replace each other
			IF columns ->> 'schedule' IS NOT NULL AND NOT columns ? 'every' THEN
				columns := columns || '{"every": null}';
			ELSIF columns ->> 'every' IS NOT NULL AND NOT columns ? 'schedule' THEN
				columns := columns || '{"schedule": null}';
			END IF;
			IF jsonb_typeof(columns -> 'options') = 'object' THEN
				-- options merge one by one, an alias replaces its canonical name, null takes one away; the row's trigger checks what comes of it
				SELECT e.key INTO stray FROM jsonb_each(columns -> 'options') AS e
					WHERE e.value = 'null' AND NOT EXISTS (SELECT 1 FROM floe_internal.engine_options() AS o WHERE o.operation = kind.operation AND (o.option = e.key OR e.key = ANY (o.aliases)));
				IF FOUND THEN
					PERFORM floe_internal.refuse(format('%s: %s.options: %s has no option "%s"', place, kind.operation, kind.operation, stray), NULL,
						'Valid options are: ' || (SELECT string_agg(v.option, ', ' ORDER BY v.place)
							FROM (SELECT o.option, min(o.place) AS place FROM floe_internal.engine_options() WITH ORDINALITY AS o (engine_type, operation, option, aliases, engine_name, placement,
								value_type, minimum, maximum, allowed, default_value, description, place) WHERE o.operation = kind.operation GROUP BY o.option) AS v) || '.');
				END IF;
				columns := columns || jsonb_build_object('options',
					old_row.options - ARRAY(SELECT floe_internal.option_name(kind.operation, e.key) FROM jsonb_each(columns -> 'options') AS e)
					|| COALESCE((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(columns -> 'options') AS e WHERE e.value <> 'null'), '{}'));
			ELSIF columns -> 'options' = 'null' THEN
				columns := columns || '{"options": {}}';
			END IF;
			new_row := jsonb_populate_record(old_row, columns);
			UPDATE floe.policy_operation AS o
				SET (is_enabled, engine, schedule, every, timezone, jitter, windows, days, min_interval, conditions, deadline, timeout, max_attempts, options, slice_bytes, slice_time, quiet_period, resources, fallback_engines, fallback_after, auto_tune) =
					(new_row.is_enabled, new_row.engine, new_row.schedule, new_row.every, new_row.timezone, new_row.jitter, new_row.windows, new_row.days,
					 new_row.min_interval, new_row.conditions, new_row.deadline, new_row.timeout, new_row.max_attempts, new_row.options,
					 new_row.slice_bytes, new_row.slice_time, new_row.quiet_period, new_row.resources, new_row.fallback_engines, new_row.fallback_after, new_row.auto_tune)
				WHERE o.policy_id = saved_policy_id AND o.operation = kind.operation;
		ELSE
			columns := columns || jsonb_build_object('options', COALESCE(NULLIF(columns -> 'options', 'null'), '{}'));
			new_row := jsonb_populate_record(NULL::floe.policy_operation, columns);
			INSERT INTO floe.policy_operation (policy_id, operation, is_enabled, engine, schedule, every, timezone, jitter, windows, days,
					min_interval, conditions, deadline, timeout, max_attempts, options, slice_bytes, slice_time, quiet_period, resources, fallback_engines, fallback_after, auto_tune)
				VALUES (saved_policy_id, kind.operation, new_row.is_enabled, new_row.engine, new_row.schedule, new_row.every, new_row.timezone,
					new_row.jitter, new_row.windows, new_row.days, new_row.min_interval, new_row.conditions, new_row.deadline, new_row.timeout,
					new_row.max_attempts, new_row.options, new_row.slice_bytes, new_row.slice_time, new_row.quiet_period, new_row.resources, new_row.fallback_engines, new_row.fallback_after, new_row.auto_tune);
		END IF;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.save_operations(pg_catalog.int4, pg_catalog.jsonb, pg_catalog.text) IS 'Writes the operations of a policy document; what it does not name stays';

CREATE FUNCTION floe_internal.pattern_with_exclusions(pattern pg_catalog.text, exclude pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	item text;
BEGIN
	IF exclude IS NULL OR jsonb_typeof(exclude) = 'null' THEN
		RETURN pattern;
	END IF;
	FOR item IN SELECT * FROM jsonb_array_elements_text(floe_internal.policy_value(exclude, 'text list', place || ': exclude'))
	LOOP
		-- a comma outside of quotes and regular expressions would begin a pattern that includes
		IF regexp_replace(item, '"([^"]|"")*"|/([^/\\]|\\.)*/', '', 'g') LIKE '%,%' THEN
			PERFORM floe_internal.refuse(format('%s: exclude: "%s" is more than one pattern', place, item), NULL, 'Write one text for each pattern: ["demo.tmp.**", "demo.db.scratch"].');
		END IF;
		pattern := pattern || ', !' || ltrim(item, '! ');
	END LOOP;
	RETURN pattern;
END
$body$;
COMMENT ON FUNCTION floe_internal.pattern_with_exclusions(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'Adds the document''s exclude list to a pattern';

-- New tables and changed policies meet in policy_match. Otherwise a table listed and a policy saved at the same time would not see
-- each other, and of two policies saved at the same time one would be missing in the lists. The lock comes before any row is locked,
-- and before the statements that read; those must then see what was committed while they waited.
CREATE FUNCTION floe_internal.lock_matches(changes_policies pg_catalog.bool) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	isolation text := current_setting('transaction_isolation');
BEGIN
	IF isolation NOT IN ('read committed', 'read uncommitted') THEN
		PERFORM floe_internal.refuse(format('policies and tables are not registered in a transaction of isolation level %s', isolation),
			'It would not see what others have registered since it began.', 'Use BEGIN ISOLATION LEVEL READ COMMITTED.', '0A000');
	END IF;
	IF changes_policies THEN
		LOCK TABLE floe_internal.policy_match IN SHARE ROW EXCLUSIVE MODE;
	ELSE
		LOCK TABLE floe_internal.policy_match IN ROW EXCLUSIVE MODE;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_matches(pg_catalog.bool) IS 'Until the commit: one change of policies at a time, and none while tables are registered';

CREATE FUNCTION floe.create_policy(name pg_catalog.text, pattern pg_catalog.text, document pg_catalog.jsonb DEFAULT '{}') RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s"', create_policy.name);
	new_row floe.policy;
	new_id int4;
	new_owner text := floe_internal.acting_role();
BEGIN
	IF create_policy.name IS NULL OR create_policy.pattern IS NULL OR document IS NULL THEN
		PERFORM floe_internal.refuse('a policy needs a name, a pattern and a document', NULL, 'For example floe.create_policy(''defaults'', ''demo.**'', ''{"engine": "spark", "rewrite_data_files": {}}'').');
	END IF;
	PERFORM floe_internal.check_policy_keys(document, place);
	PERFORM floe_internal.lock_matches(true);
	PERFORM floe_internal.check_policy_scope(create_policy.pattern, place);
	IF jsonb_typeof(document -> 'owner') <> 'null' THEN
		new_owner := floe_internal.policy_value(document -> 'owner', 'text', place || ': owner') #>> '{}';
		PERFORM floe_internal.check_new_owner(new_owner, place || ': owner');
	END IF;
	IF document ->> 'name' <> create_policy.name OR document ->> 'pattern' <> create_policy.pattern THEN
		PERFORM floe_internal.refuse(place || ': the document says another name or pattern', NULL, 'Leave "name" and "pattern" out of the document, or use floe.import_policy().');
	END IF;
	IF EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.name = create_policy.name) THEN
		RAISE EXCEPTION 'policy "%" exists already', create_policy.name
			USING ERRCODE = 'duplicate_object', HINT = 'Use floe.alter_policy() to change it.';
	END IF;
	new_row := jsonb_populate_record(NULL::floe.policy, floe_internal.policy_columns(document, 'policy', place));
	-- what is between these statements is not what anybody asked for
	INSERT INTO floe_internal.policy_change (policy_id) VALUES (0);
	INSERT INTO floe.policy (name, pattern, priority, is_enabled, description, engine, poll_interval, min_poll_interval, thresholds, weights, fallback_engines, fallback_after, valid_during, score, locks, owner)
		VALUES (create_policy.name, floe_internal.pattern_with_exclusions(create_policy.pattern, document -> 'exclude', place),
			COALESCE(new_row.priority, 0), COALESCE(new_row.is_enabled, true), new_row.description, new_row.engine, new_row.poll_interval, new_row.min_poll_interval,
			COALESCE(new_row.thresholds, '{}'), COALESCE(new_row.weights, '{}'), new_row.fallback_engines, new_row.fallback_after,
			new_row.valid_during, new_row.score, COALESCE(new_row.locks, '{}'), new_owner)
		RETURNING policy.policy_id INTO new_id;
	PERFORM floe_internal.save_operations(new_id, document, place);
	DELETE FROM floe_internal.policy_change AS c WHERE c.policy_id = 0;
	PERFORM floe_internal.check_policy_conflict(new_id);
	PERFORM floe_internal.check_policy_locks(ARRAY[new_id]);
	PERFORM floe_internal.match_policies(ARRAY[new_id]);
	RETURN new_id;
END
$body$;
COMMENT ON FUNCTION floe.create_policy(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) IS 'Makes a policy for the tables the pattern matches; returns its id. floe.export_policy() shows what was saved';

CREATE FUNCTION floe_internal.policy_by_name(wanted pg_catalog.text) RETURNS floe.policy
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result floe.policy;
BEGIN
	SELECT * INTO result FROM floe.policy AS p WHERE p.name = wanted;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', wanted
			USING ERRCODE = 'undefined_object',
				HINT = COALESCE('Policies are: ' || (SELECT string_agg(p.name, ', ' ORDER BY p.name) FROM floe.policy AS p) || '.', 'There are no policies; make one with floe.create_policy().');
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_by_name(pg_catalog.text) IS 'The policy, or error 42704 that lists those there are';

-- What a change says over what was set; null takes away.
CREATE FUNCTION floe_internal.merge_values(old_value pg_catalog.jsonb, change pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.jsonb_object_agg(m.key, m.value), '{}')
	FROM (SELECT k.key,
				 CASE WHEN NOT change ? k.key THEN old_value -> k.key
					  WHEN pg_catalog.jsonb_typeof(change -> k.key) = 'object' THEN pg_catalog.jsonb_strip_nulls(COALESCE(old_value -> k.key, '{}') || (change -> k.key))
					  ELSE change -> k.key END AS value
		  FROM pg_catalog.jsonb_object_keys(old_value || change) AS k (key)) AS m
	WHERE m.value NOT IN ('null', '{}');
END;
COMMENT ON FUNCTION floe_internal.merge_values(pg_catalog.jsonb, pg_catalog.jsonb) IS 'Thresholds or weights of a policy after a change that names some of them';

CREATE FUNCTION floe.alter_policy(name pg_catalog.text, changes pg_catalog.jsonb) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s"', alter_policy.name);
	old_row floe.policy;
	new_row floe.policy;
BEGIN
	PERFORM floe_internal.lock_matches(true);
	old_row := floe_internal.policy_by_name(alter_policy.name);
	PERFORM floe_internal.check_policy_owner(old_row);
	PERFORM floe_internal.check_policy_keys(changes, place);
	new_row := jsonb_populate_record(old_row, floe_internal.policy_columns(changes, 'policy', place));
	IF jsonb_typeof(changes -> 'thresholds') = 'object' THEN
		-- a name must be one, also to be unset
		PERFORM floe_internal.check_thresholds((SELECT COALESCE(jsonb_object_agg(t.key,
				CASE jsonb_typeof(t.value) WHEN 'object' THEN (SELECT COALESCE(jsonb_object_agg(l, 0), '{}') FROM jsonb_object_keys(t.value) AS l) ELSE '{}' END), '{}')
			FROM jsonb_each(changes -> 'thresholds') AS t), place || ': thresholds', false);
		new_row.thresholds := floe_internal.merge_values(old_row.thresholds, changes -> 'thresholds');
	END IF;
	IF jsonb_typeof(changes -> 'weights') = 'object' THEN
		PERFORM floe_internal.check_weights((SELECT COALESCE(jsonb_object_agg(k, 0), '{}') FROM jsonb_object_keys(changes -> 'weights') AS k), place || ': weights');
		new_row.weights := floe_internal.merge_values(old_row.weights, changes -> 'weights');
	END IF;
	IF jsonb_typeof(changes -> 'locks') = 'object' THEN
		-- each lock is one thing
		new_row.locks := COALESCE((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(old_row.locks || (changes -> 'locks')) AS e WHERE e.value <> 'null'), '{}');
	END IF;
	IF changes ? 'name' THEN
		new_row.name := floe_internal.policy_value(changes -> 'name', 'text', place || ': name') #>> '{}';
		IF EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.name = new_row.name AND p.policy_id <> old_row.policy_id) THEN
			RAISE EXCEPTION 'policy "%" exists already', new_row.name USING ERRCODE = 'duplicate_object';
		END IF;
	END IF;
	IF changes ? 'pattern' THEN
		new_row.pattern := floe_internal.policy_value(changes -> 'pattern', 'text', place || ': pattern') #>> '{}';
		PERFORM floe_internal.check_policy_scope(new_row.pattern, place);
	END IF;
	IF jsonb_typeof(changes -> 'owner') <> 'null' THEN
		new_row.owner := floe_internal.policy_value(changes -> 'owner', 'text', place || ': owner') #>> '{}';
		IF new_row.owner <> old_row.owner THEN
			PERFORM floe_internal.check_new_owner(new_row.owner, place || ': owner');
		END IF;
	END IF;
	-- what is between these statements is not what anybody asked for
	INSERT INTO floe_internal.policy_change (policy_id) VALUES (old_row.policy_id);
	UPDATE floe.policy AS p
		SET (name, pattern, priority, is_enabled, description, engine, poll_interval, min_poll_interval, thresholds, weights, fallback_engines, fallback_after, valid_during, score, locks, owner) =
			(new_row.name, floe_internal.pattern_with_exclusions(new_row.pattern, changes -> 'exclude', place), COALESCE(new_row.priority, 0),
			 COALESCE(new_row.is_enabled, true), new_row.description, new_row.engine, new_row.poll_interval, new_row.min_poll_interval,
			 COALESCE(new_row.thresholds, '{}'), COALESCE(new_row.weights, '{}'), new_row.fallback_engines, new_row.fallback_after,
			 new_row.valid_during, new_row.score, COALESCE(new_row.locks, '{}'), new_row.owner)
		WHERE p.policy_id = old_row.policy_id;
	PERFORM floe_internal.save_operations(old_row.policy_id, changes, place);
	DELETE FROM floe_internal.policy_change AS c WHERE c.policy_id = old_row.policy_id;
	PERFORM floe_internal.check_policy_conflict(old_row.policy_id);
	PERFORM floe_internal.check_policy_locks(ARRAY[old_row.policy_id]);
	PERFORM floe_internal.check_policy_engines(old_row.policy_id, changes);
	PERFORM floe_internal.policy_altered(old_row, changes);
	RETURN old_row.policy_id;
END
$body$;
COMMENT ON FUNCTION floe.alter_policy(pg_catalog.text, pg_catalog.jsonb) IS 'Changes the fields the document names; null unsets a field, a threshold, a weight, an option or a whole operation; name and pattern can be changed too, exclude adds to the pattern';

CREATE FUNCTION floe.drop_policy(name pg_catalog.text, missing_ok pg_catalog.bool DEFAULT false) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_matches(true);
	IF NOT missing_ok THEN
		PERFORM floe_internal.policy_by_name(drop_policy.name);
	END IF;
	PERFORM floe_internal.check_policy_owner(p) FROM floe.policy AS p WHERE p.name = drop_policy.name;
	DELETE FROM floe.policy AS p WHERE p.name = drop_policy.name;
	RETURN FOUND;
END
$body$;
COMMENT ON FUNCTION floe.drop_policy(pg_catalog.text, pg_catalog.bool) IS 'Removes a policy; its history and the operations it caused stay. Returns whether there was one';

-- Intervals as PostgreSQL writes them by default, whatever IntervalStyle the session has.
CREATE FUNCTION floe_internal.policy_document(exported_policy_id pg_catalog.int4) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres' SET timezone = 'UTC' SET datestyle = 'ISO, MDY'
AS $body$
	SELECT pg_catalog.jsonb_build_object('name', p.name, 'pattern', p.pattern, 'owner', p.owner)
		|| COALESCE((SELECT pg_catalog.jsonb_object_agg(k.key, pg_catalog.to_jsonb(p) -> k.column_name)
					 FROM floe_internal.policy_key AS k
					 WHERE k.scope = 'policy' AND pg_catalog.to_jsonb(p) -> k.column_name NOT IN ('null', '{}')), '{}')
		|| COALESCE((SELECT pg_catalog.jsonb_object_agg(o.operation,
							COALESCE((SELECT pg_catalog.jsonb_object_agg(k.key, pg_catalog.to_jsonb(o) -> k.column_name)
									  FROM floe_internal.policy_key AS k
									  WHERE k.scope = 'operation' AND pg_catalog.to_jsonb(o) -> k.column_name NOT IN ('null', '{}')), '{}'))
					 FROM floe.policy_operation AS o WHERE o.policy_id = p.policy_id), '{}')
	FROM floe.policy AS p
	WHERE p.policy_id = exported_policy_id
$body$;
COMMENT ON FUNCTION floe_internal.policy_document(pg_catalog.int4) IS 'A policy as a document; NULL if there is none';

CREATE FUNCTION floe.export_policy(name pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
	SELECT floe_internal.policy_document((floe_internal.policy_by_name(export_policy.name)).policy_id);
END;
COMMENT ON FUNCTION floe.export_policy(pg_catalog.text) IS 'A policy as a document that floe.import_policy() takes';

-- The change that turns a policy into what a document says: what the document does not say is not set any more.
CREATE FUNCTION floe_internal.replacing_change(old_row floe.policy, document pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result jsonb;
	given text;
	part jsonb;
	old_options jsonb;
BEGIN
	result := (SELECT jsonb_object_agg(k, NULL) FROM (
			SELECT x.key FROM floe_internal.policy_key AS x WHERE x.scope = 'policy'
			UNION ALL SELECT o.operation FROM floe.policy_operation AS o WHERE o.policy_id = old_row.policy_id) AS keys (k)) || document;
	IF jsonb_typeof(document -> 'thresholds') = 'object' THEN
		result := result || jsonb_build_object('thresholds', (SELECT COALESCE(jsonb_object_agg(k, NULL), '{}') FROM jsonb_object_keys(old_row.thresholds) AS k)
			|| (SELECT COALESCE(jsonb_object_agg(t.key, CASE WHEN jsonb_typeof(t.value) = 'object' THEN '{"warning": null, "critical": null}'::jsonb || t.value ELSE t.value END), '{}')
				FROM jsonb_each(document -> 'thresholds') AS t));
	END IF;
	IF jsonb_typeof(document -> 'weights') = 'object' THEN
		result := result || jsonb_build_object('weights', (SELECT COALESCE(jsonb_object_agg(k, NULL), '{}') FROM jsonb_object_keys(old_row.weights) AS k) || (document -> 'weights'));
	END IF;
	IF jsonb_typeof(document -> 'locks') = 'object' THEN
		result := result || jsonb_build_object('locks', (SELECT COALESCE(jsonb_object_agg(k, NULL), '{}') FROM jsonb_object_keys(old_row.locks) AS k) || (document -> 'locks'));
	END IF;
	FOR given, part, old_options IN
		SELECT o.operation, document -> o.operation, o.options FROM floe.policy_operation AS o
		WHERE o.policy_id = old_row.policy_id AND jsonb_typeof(document -> o.operation) = 'object'
	LOOP
		result := result || jsonb_build_object(given, (SELECT jsonb_object_agg(x.key, NULL) FROM floe_internal.policy_key AS x WHERE x.scope = 'operation') || part
			|| CASE WHEN jsonb_typeof(part -> 'options') = 'object'
				THEN jsonb_build_object('options', (SELECT COALESCE(jsonb_object_agg(k, NULL), '{}') FROM jsonb_object_keys(old_options) AS k) || (part -> 'options')) ELSE '{}' END);
	END LOOP;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.replacing_change(floe.policy, pg_catalog.jsonb) IS 'A document for floe.alter_policy() that leaves nothing of the old policy';

CREATE FUNCTION floe.import_policy(document pg_catalog.jsonb) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	policy_name text;
	old_row floe.policy;
BEGIN
	document := floe_internal.own_document(document);
	IF jsonb_typeof(document) IS DISTINCT FROM 'object' OR jsonb_typeof(document -> 'name') IS DISTINCT FROM 'string'
		OR jsonb_typeof(document -> 'pattern') IS DISTINCT FROM 'string' THEN
		PERFORM floe_internal.refuse('a policy document needs the texts "name" and "pattern"', NULL, 'floe.export_policy() shows the form.');
	END IF;
	policy_name := document ->> 'name';
	PERFORM floe_internal.lock_matches(true);
	SELECT * INTO old_row FROM floe.policy AS p WHERE p.name = policy_name;
	IF NOT FOUND THEN
		RETURN floe.create_policy(policy_name, document ->> 'pattern', document - 'name' - 'pattern');
	END IF;
	RETURN floe.alter_policy(policy_name, floe_internal.replacing_change(old_row, document));
END
$body$;
COMMENT ON FUNCTION floe.import_policy(pg_catalog.jsonb) IS 'Makes the policy of the document, or turns the one of that name into it; returns its id. One policy of the Java service, Polaris or Gravitino is taken, too (docs/imports.md)';

