-- =================================================================================================
-- 43 policies: locks
-- A policy can lock fields for all that is below it: {"expire_snapshots.options.max_snapshot_age":
-- {"min": "3 days"}}. Below are table properties, floe's defaults and every policy that is not above it;
-- above is a policy whose pattern covers the other's and is broader, or is as broad with more priority.
-- A policy that its lock reaches as the texts show is refused when either is saved. Where patterns only
-- overlap, and for what catalogs and tables say themselves, the resolution holds the value.
-- =================================================================================================

-- Which setting a lock is about, and what its values are like.
CREATE FUNCTION floe_internal.lock_target(key pg_catalog.text, place pg_catalog.text,
		OUT operation pg_catalog.text, OUT setting pg_catalog.text, OUT kind pg_catalog.text)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	field text := substr(key, strpos(key, '.') + 1);
	wanted text;
BEGIN
	operation := CASE WHEN strpos(key, '.') > 0 THEN split_part(key, '.', 1) ELSE '' END;
	IF key IN ('engine', 'fallback_engines', 'fallback_after') THEN
		operation := '*';
	END IF;
	IF operation = 'thresholds' AND field ~ '^[a-z_]+\.(warning|critical)$' THEN
		PERFORM floe_internal.metric_number(split_part(field, '.', 1), '0', place);
		operation := ''; setting := key; kind := 'number';
	ELSIF operation = 'weights' THEN
		PERFORM floe_internal.check_weights(jsonb_build_object(field, 0), place);
		operation := ''; setting := key; kind := 'number';
	ELSIF operation = '' AND field IN ('poll_interval', 'min_poll_interval', 'score') THEN
		setting := field; kind := CASE field WHEN 'score' THEN 'text' ELSE 'interval' END;
	ELSIF operation = '*' OR EXISTS (SELECT 1 FROM floe_internal.operation_kind AS k WHERE k.operation = lock_target.operation) THEN
		IF field LIKE 'options.%' AND operation <> '*' THEN
			wanted := translate(floe_internal.option_name(operation, substr(field, 9)), '-.', '__');
			setting := 'options.' || wanted;
			kind := (SELECT CASE WHEN o.value_type IN ('count', 'bytes', 'ratio') THEN 'number' WHEN o.value_type = 'boolean' THEN 'boolean' WHEN o.value_type IN ('age', 'duration') THEN 'interval' ELSE 'text' END
				FROM floe_internal.engine_options() AS o WHERE o.operation = lock_target.operation AND o.option = wanted LIMIT 1);
			IF kind IS NULL THEN
				PERFORM floe_internal.refuse(format('%s: %s has no option "%s"', place, operation, substr(field, 9)), NULL,
					'Valid options are: ' || (SELECT string_agg(DISTINCT o.option, ', ' ORDER BY o.option) FROM floe_internal.engine_options() AS o WHERE o.operation = lock_target.operation) || '.');
			END IF;
		ELSE
			SELECT CASE k.key WHEN 'every' THEN 'schedule' WHEN 'when' THEN 'conditions' ELSE k.key END,
				   CASE WHEN k.key IN ('every', 'schedule') THEN 'schedule' WHEN k.value_type = 'text list' THEN 'list' WHEN k.value_type IN ('integer', 'bytes') THEN 'number'
						WHEN k.value_type IN ('boolean', 'interval', 'text') THEN k.value_type ELSE 'object' END
			INTO setting, kind FROM floe_internal.policy_key AS k WHERE k.scope = 'operation' AND k.key = field AND field <> 'options';
		END IF;
	END IF;
	IF kind IS NULL THEN
		PERFORM floe_internal.refuse(format('%s: there is nothing to lock', place), NULL,
			'Name a field as "<operation>.<key>", "<operation>.options.<option>", "*.<key>" for all operations, "engine", "poll_interval", "min_poll_interval", "score", "thresholds.<metric>.<level>" or "weights.<term>".');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_target(pg_catalog.text, pg_catalog.text) IS 'Operation ("*": all, "": none) and setting that a lock names, and the kind of its values';

-- A value as the setting has it, from how a document would have it.
CREATE FUNCTION floe_internal.lock_value(key pg_catalog.text, operation pg_catalog.text, setting pg_catalog.text, value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $body$
DECLARE
	result jsonb;
	told text;
	detail text;
	hint text;
BEGIN
	IF setting LIKE 'options.%' THEN
		BEGIN
			-- an option may need another beside it, which is not the lock's business
			result := floe_internal.check_options(operation, jsonb_build_object(substr(setting, 9), value)) -> substr(setting, 9);
		EXCEPTION WHEN invalid_parameter_value THEN
			GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			PERFORM floe_internal.refuse_at(place, told, detail, hint);
		END;
	ELSIF setting LIKE 'thresholds.%' THEN
		result := to_jsonb(floe_internal.metric_number(split_part(setting, '.', 2), value, place));
	ELSIF setting LIKE 'weights.%' THEN
		result := floe_internal.check_weights(jsonb_build_object(substr(setting, 9), value), place) -> substr(setting, 9);
	ELSIF setting = 'conditions' THEN
		result := floe_internal.check_conditions(value, place);
	ELSIF key LIKE '%.schedule' THEN
		IF jsonb_typeof(value) <> 'string' OR floe_internal.cron_next(value #>> '{}', 'UTC', '2024-01-01 00:00+00') IS NULL THEN
			PERFORM floe_internal.refuse(format('%s: %s never happens', place, left(value::text, 100)), NULL, NULL);
		END IF;
		result := value;
	ELSE
		result := floe_internal.policy_value(value, (SELECT CASE k.value_type WHEN 'preset' THEN 'text' ELSE k.value_type END FROM floe_internal.policy_key AS k
			WHERE k.key = CASE WHEN setting = 'schedule' THEN 'every' ELSE setting END ORDER BY k.scope LIMIT 1), place);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_value(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'A value in a lock as the setting would have it, checked';

CREATE FUNCTION floe_internal.check_lock(key pg_catalog.text, rule pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
DECLARE
	forms CONSTANT text := 'Write {"fixed": true}, {"is": value}, {"min": value, "max": value} or {"in": [values]}.';
	target record;
	stray text;
	bound text;
	given jsonb;
	result jsonb := jsonb '{}';
BEGIN
	SELECT * INTO target FROM floe_internal.lock_target(key, place);
	IF jsonb_typeof(rule) <> 'object' THEN
		PERFORM floe_internal.refuse(format('%s must be an object, not %s', place, left(rule::text, 100)), NULL, forms);
	END IF;
	SELECT k INTO stray FROM jsonb_object_keys(rule) AS k WHERE k NOT IN ('fixed', 'is', 'min', 'max', 'in') LIMIT 1;
	IF stray IS NOT NULL OR rule = '{}' OR (SELECT count(DISTINCT CASE k WHEN 'max' THEN 'min' ELSE k END) FROM jsonb_object_keys(rule) AS k) > 1 THEN
		PERFORM floe_internal.refuse(CASE WHEN stray IS NOT NULL THEN format('%s: unknown key "%s"', place, stray) ELSE format('%s must say one thing, not %s', place, left(rule::text, 100)) END, NULL, forms);
	END IF;
	IF rule ? 'fixed' THEN
		IF rule -> 'fixed' <> 'true' THEN
			PERFORM floe_internal.refuse(place || ': fixed can only be true', NULL, 'null instead of the lock takes it away.');
		END IF;
		RETURN rule;
	END IF;
	IF rule ? 'is' THEN
		RETURN jsonb_build_object('is', floe_internal.lock_value(key, target.operation, target.setting, rule -> 'is', place || '.is'));
	END IF;
	IF rule ? 'in' THEN
		IF target.kind NOT IN ('text', 'list') OR jsonb_typeof(rule -> 'in') <> 'array' OR rule -> 'in' = '[]'
		   OR EXISTS (SELECT 1 FROM jsonb_array_elements(rule -> 'in') AS e WHERE jsonb_typeof(e) <> 'string') THEN
			PERFORM floe_internal.refuse(format('%s.in: a list of at least one text, for a field that holds texts', place), NULL, NULL);
		END IF;
		RETURN rule;
	END IF;
	IF target.kind NOT IN ('number', 'interval', 'schedule') THEN
		PERFORM floe_internal.refuse(format('%s: %s has no least or greatest value', place, key), NULL, 'Write {"fixed": true}, {"is": value} or {"in": [values]}.');
	END IF;
	FOR bound, given IN SELECT * FROM jsonb_each(rule)
	LOOP
		result := result || jsonb_build_object(bound, CASE WHEN target.kind = 'schedule'
			THEN to_jsonb(floe_internal.interval_from(CASE jsonb_typeof(given) WHEN 'string' THEN given #>> '{}' ELSE given::text END, place || '.' || bound))
			ELSE floe_internal.lock_value(key, target.operation, target.setting, given, place || '.' || bound) END);
	END LOOP;
	IF floe_internal.lock_number(target.kind, result -> 'min') > floe_internal.lock_number(target.kind, result -> 'max') THEN
		PERFORM floe_internal.refuse(format('%s: min %s is above max %s', place, result ->> 'min', result ->> 'max'), NULL, NULL);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_lock(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'One lock in its canonical form';

CREATE FUNCTION floe_internal.check_locks(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF jsonb_typeof(value) <> 'object' THEN
		PERFORM floe_internal.refuse(format('%s must be an object', place), NULL, 'For example {"expire_snapshots.options.max_snapshot_age": {"min": "3 days"}}.');
	END IF;
	RETURN (SELECT COALESCE(jsonb_object_agg(CASE WHEN t.setting LIKE 'options.%' THEN t.operation || '.' || t.setting ELSE e.key END, floe_internal.check_lock(e.key, e.value, format('%s.%s', place, e.key))), '{}')
		FROM jsonb_each(value) AS e CROSS JOIN LATERAL floe_internal.lock_target(e.key, format('%s.%s', place, e.key)) AS t);
END
$body$;
COMMENT ON FUNCTION floe_internal.check_locks(pg_catalog.jsonb, pg_catalog.text) IS 'Locks of a policy, values checked as those of the fields are';

CREATE FUNCTION floe_internal.lock_number(kind pg_catalog.text, value pg_catalog.jsonb) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN kind IN ('interval', 'schedule') THEN EXTRACT(epoch FROM (value #>> '{}')::pg_catalog.interval)::pg_catalog.float8 ELSE (value #>> '{}')::pg_catalog.float8 END;
END;
COMMENT ON FUNCTION floe_internal.lock_number(pg_catalog.text, pg_catalog.jsonb) IS 'A number or an interval, for comparing';

-- Of a cron expression 64 times are looked at, in UTC: an hour more or less when clocks change does not count.
CREATE FUNCTION floe_internal.schedule_gap(schedule pg_catalog.jsonb, OUT shortest pg_catalog.float8, OUT longest pg_catalog.float8) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	last timestamptz;
	next timestamptz;
	gap float8;
BEGIN
	IF schedule ? 'every' THEN
		shortest := extract(epoch FROM (schedule ->> 'every')::interval);
		longest := shortest;
		RETURN;
	END IF;
	last := floe_internal.cron_next(schedule ->> 'cron', 'UTC', '2024-01-01 00:00+00');
	FOR i IN 1 .. 64 LOOP
		next := floe_internal.cron_next(schedule ->> 'cron', 'UTC', last);
		EXIT WHEN next IS NULL;
		gap := extract(epoch FROM next - last);
		shortest := LEAST(shortest, gap);
		longest := GREATEST(longest, gap);
		last := next;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.schedule_gap(pg_catalog.jsonb) IS 'Shortest and longest time between two runs that a schedule names, in seconds';

-- The value that the lock leaves: the same if it allows it.
CREATE FUNCTION floe_internal.lock_clamp(kind pg_catalog.text, rule pg_catalog.jsonb, value pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	gap record;
	n float8;
BEGIN
	IF rule ? 'is' THEN
		RETURN CASE WHEN kind = 'schedule' AND (value - 'since') = rule -> 'is' OR kind = 'interval' AND floe_internal.lock_number(kind, value) = floe_internal.lock_number(kind, rule -> 'is') THEN value
			ELSE rule -> 'is' END;
	ELSIF value IS NULL THEN
		RETURN NULL;
	ELSIF rule ? 'in' AND kind = 'list' THEN
		IF rule -> 'in' @> value THEN
			RETURN value;
		END IF;
		-- what is left of it; an empty list would mean something else
		RETURN COALESCE((SELECT jsonb_agg(e.item ORDER BY e.place) FROM jsonb_array_elements(value) WITH ORDINALITY AS e (item, place) WHERE rule -> 'in' @> e.item), rule -> 'in');
	ELSIF rule ? 'in' THEN
		RETURN CASE WHEN rule -> 'in' @> value THEN value ELSE rule #> '{in,0}' END;
	ELSIF kind = 'schedule' THEN
		gap := floe_internal.schedule_gap(value);
		RETURN CASE WHEN gap.shortest < floe_internal.lock_number(kind, rule -> 'min') THEN jsonb_build_object('every', rule -> 'min')
			WHEN gap.longest > floe_internal.lock_number(kind, rule -> 'max') THEN jsonb_build_object('every', rule -> 'max') ELSE value END;
	END IF;
	n := floe_internal.lock_number(kind, value);
	RETURN CASE WHEN n < floe_internal.lock_number(kind, rule -> 'min') THEN rule -> 'min' WHEN n > floe_internal.lock_number(kind, rule -> 'max') THEN rule -> 'max' ELSE value END;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_clamp(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS 'A value as a lock leaves it';

CREATE FUNCTION floe_internal.lock_text(kind pg_catalog.text, rule pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN rule ? 'is' THEN 'only ' || CASE WHEN kind = 'schedule' THEN COALESCE(rule #>> '{is,cron}', 'every ' || (rule #>> '{is,every}')) ELSE rule ->> 'is' END
		WHEN rule ? 'in' THEN 'one of ' || (SELECT pg_catalog.string_agg(e.item, ', ' ORDER BY e.place) FROM pg_catalog.jsonb_array_elements_text(rule -> 'in') WITH ORDINALITY AS e (item, place))
		ELSE pg_catalog.concat_ws(' and ', CASE kind WHEN 'schedule' THEN 'not more often than every ' ELSE 'at least ' END || (rule ->> 'min'),
			CASE kind WHEN 'schedule' THEN 'not less often than every ' ELSE 'at most ' END || (rule ->> 'max')) END;
END;
COMMENT ON FUNCTION floe_internal.lock_text(pg_catalog.text, pg_catalog.jsonb) IS 'What a lock allows, for people';

CREATE FUNCTION floe_internal.setting_text(setting pg_catalog.text, value pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN setting = 'schedule' THEN COALESCE(value ->> 'cron', 'every ' || (value ->> 'every')) ELSE value #>> '{}' END;
END;
COMMENT ON FUNCTION floe_internal.setting_text(pg_catalog.text, pg_catalog.jsonb) IS 'The value of a setting, for people';
