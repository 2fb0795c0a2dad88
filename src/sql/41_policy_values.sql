-- =================================================================================================
-- 41 policies: checking values
-- Whatever way a policy is saved, its values pass through these. A refusal names the place in the
-- document, says what is wrong in DETAIL and what is valid in HINT.
-- =================================================================================================

CREATE TABLE floe_internal.policy_key (
	scope		pg_catalog.text NOT NULL CHECK (scope IN ('policy', 'operation')),
	key			pg_catalog.text NOT NULL,
	position	pg_catalog.int2 NOT NULL,
	column_name	pg_catalog.text NOT NULL,
	value_type	pg_catalog.text NOT NULL CHECK (value_type IN ('boolean', 'integer', 'interval', 'text', 'text list', 'object', 'bytes', 'preset', 'time range')),
	description	pg_catalog.text NOT NULL,
	PRIMARY KEY (scope, key)
);
COMMENT ON TABLE floe_internal.policy_key IS 'Keys of a policy document and the column each is kept in: validation, hints, parsing and export derive from it';

INSERT INTO floe_internal.policy_key VALUES
	('policy', 'priority', 1, 'priority', 'integer', 'higher wins'),
	('policy', 'enabled', 2, 'is_enabled', 'boolean', 'false: as if the policy were not there'),
	('policy', 'description', 3, 'description', 'text', 'for people'),
	('policy', 'engine', 4, 'engine', 'text', 'engine for all operations of this policy'),
	('policy', 'poll_interval', 5, 'poll_interval', 'interval', 'longest time between two looks at a table'),
	('policy', 'min_poll_interval', 6, 'min_poll_interval', 'interval', 'shortest time between two looks at a table'),
	('policy', 'thresholds', 7, 'thresholds', 'object', 'metric: {"warning": n, "critical": n}'),
	('policy', 'weights', 8, 'weights', 'object', 'debt term: weight'),
	('policy', 'valid_during', 9, 'valid_during', 'time range', 'counts only within this'),
	('policy', 'score', 10, 'score', 'text', 'debt preset or function that orders candidates'),
	('policy', 'locks', 11, 'locks', 'object', 'field: what policies below may set it to'),
	('policy', 'fallback_engines', 20, 'fallback_engines', 'text list', 'engines to take over, in order'),
	('policy', 'fallback_after', 21, 'fallback_after', 'interval', 'how long an engine must have failed or been full'),
	('operation', 'enabled', 1, 'is_enabled', 'boolean', 'false: never run'),
	('operation', 'engine', 2, 'engine', 'text', 'engine for this operation'),
	('operation', 'schedule', 3, 'schedule', 'text', '5-field cron expression'),
	('operation', 'every', 4, 'every', 'interval', 'interval between runs'),
	('operation', 'timezone', 5, 'timezone', 'text', 'of schedule, windows and days'),
	('operation', 'jitter', 6, 'jitter', 'interval', 'scheduled starts are spread over this'),
	('operation', 'windows', 7, 'windows', 'text list', '"HH:MM-HH:MM"'),
	('operation', 'days', 8, 'days', 'text list', 'mon … sun'),
	('operation', 'min_interval', 9, 'min_interval', 'interval', 'least time between runs'),
	('operation', 'when', 10, 'conditions', 'object', '{"any"|"all": [{"metric", "op", "value"}]}'),
	('operation', 'deadline', 11, 'deadline', 'interval', 'run at the latest after'),
	('operation', 'timeout', 12, 'timeout', 'interval', 'cancel a run after'),
	('operation', 'max_attempts', 13, 'max_attempts', 'integer', 'failures in a row before it waits for a change'),
	('operation', 'options', 14, 'options', 'object', 'options of the procedure'),
	('operation', 'slice_bytes', 15, 'slice_bytes', 'bytes', 'most bytes one run rewrites'),
	('operation', 'slice_time', 16, 'slice_time', 'interval', 'most time one run is to take'),
	('operation', 'quiet_period', 17, 'quiet_period', 'interval', 'partitions written within this are left alone'),
	('operation', 'resources', 18, 'resources', 'preset', 'preset or Spark settings of the session'),
	('operation', 'auto_tune', 19, 'auto_tune', 'boolean', 'runs that never pay become fewer'),
	('operation', 'fallback_engines', 20, 'fallback_engines', 'text list', 'engines to take over, in order'),
	('operation', 'fallback_after', 21, 'fallback_after', 'interval', 'how long an engine must have failed or been full');

CREATE FUNCTION floe_internal.interval_from(value pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.interval
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	example CONSTANT text := 'Write an interval such as "90 minutes", "6 hours", "3 days" or "PT6H".';
	result interval;
BEGIN
	IF value ~ '^[-+0-9.\s]*$' AND value !~ '^\s*0+\s*$' THEN
		PERFORM floe_internal.refuse(format('%s: "%s" has no unit', place, left(value, 100)), NULL, example);
	END IF;
	BEGIN
		result := value::interval;
	EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow OR interval_field_overflow THEN
		PERFORM floe_internal.refuse(format('%s: "%s" is not an interval', place, left(value, 100)), NULL, example);
	END;
	IF NOT isfinite(result) THEN
		PERFORM floe_internal.refuse(format('%s: "%s" is not an interval', place, left(value, 100)), NULL, example);	-- since PostgreSQL 17 it is one
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.interval_from(pg_catalog.text, pg_catalog.text) IS 'An interval with a unit, or a refusal that names the place';

-- 100 years: what is later than that is meant as "never", and must not make times overflow.
CREATE FUNCTION floe_internal.check_interval(value pg_catalog.interval, minimum pg_catalog.interval, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
BEGIN
	IF value < minimum OR value > interval '100 years' OR NOT isfinite(value) THEN
		PERFORM floe_internal.refuse(format('%s: %s is not from %s to 100 years', place, value, CASE WHEN minimum = '0' THEN '0' ELSE minimum::text END), NULL, NULL);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_interval(pg_catalog.interval, pg_catalog.interval, pg_catalog.text) IS 'Refuses an interval that is too short or absurdly long';

-- A refusal of a function in C again, with the place in front.
CREATE FUNCTION floe_internal.refuse_at(place pg_catalog.text, message pg_catalog.text, detail pg_catalog.text, hint pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.refuse(place || ': ' || message, NULLIF(detail, ''), NULLIF(hint, ''));
END;
COMMENT ON FUNCTION floe_internal.refuse_at(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'refuse() with the place in a policy document in front; empty detail and hint are left out';

CREATE FUNCTION floe_internal.metric_number(metric pg_catalog.text, value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.float8
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	m floe.metric;
	text_value text := value #>> '{}';
	result float8;
BEGIN
	SELECT * INTO m FROM floe.metric AS x WHERE x.name = metric;
	IF NOT FOUND THEN
		PERFORM floe_internal.refuse(format('%s: unknown metric "%s"', place, metric), NULL,
			'Valid metrics are: ' || (SELECT string_agg(x.name, ', ' ORDER BY x.position) FROM floe.metric AS x) || '.');
	END IF;
	IF jsonb_typeof(value) = 'number' AND text_value::numeric < 1e18 THEN
		result := text_value::float8;
	ELSIF jsonb_typeof(value) = 'string' AND m.unit = 'seconds' THEN
		result := extract(epoch FROM floe_internal.interval_from(text_value, place));
	ELSIF jsonb_typeof(value) = 'string' AND m.unit = 'bytes' THEN
		BEGIN
			result := pg_size_bytes(text_value);
		EXCEPTION WHEN invalid_parameter_value OR numeric_value_out_of_range THEN
			PERFORM floe_internal.refuse(format('%s: "%s" is not a size', place, left(text_value, 100)), NULL, 'Write a number of bytes or a size such as "128 MB".');
		END;
	END IF;
	IF result IS NULL OR result NOT BETWEEN 0 AND 1e18 THEN
		PERFORM floe_internal.refuse(format('%s: %s is not a value of metric "%s"', place, left(value::text, 100), metric),
			format('The metric''s unit is %s.', m.unit),
			CASE m.unit WHEN 'seconds' THEN 'Write seconds as a number, or an interval such as "3 days".'
						WHEN 'bytes' THEN 'Write bytes as a number, or a size such as "128 MB".'
						ELSE 'Write a number that is not negative, and below 1e18.' END);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.metric_number(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'A threshold or condition value in the metric''s unit; text with units is converted';

CREATE FUNCTION floe_internal.check_thresholds(value pg_catalog.jsonb, place pg_catalog.text, with_defaults pg_catalog.bool) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET extra_float_digits = 1
AS $body$
DECLARE
	metric text;
	limits jsonb;
	level text;
	number jsonb;
	canonical jsonb;
	result jsonb := jsonb '{}';
	builtin floe.metric;
	low float8;
	high float8;
BEGIN
	IF jsonb_typeof(value) <> 'object' THEN
		PERFORM floe_internal.refuse(format('%s must be an object', place), NULL, 'For example {"small_file_count": {"warning": 100, "critical": 1000}}.');
	END IF;
	FOR metric, limits IN SELECT * FROM jsonb_each(value)
	LOOP
		IF jsonb_typeof(limits) <> 'object' THEN
			PERFORM floe_internal.refuse(format('%s.%s must be an object', place, metric), NULL, 'For example {"warning": 100, "critical": 1000}.');
		END IF;
		PERFORM floe_internal.metric_number(metric, '0', place);	-- there is such a metric
		canonical := '{}';
		FOR level, number IN SELECT * FROM jsonb_each(limits)
		LOOP
			IF level NOT IN ('warning', 'critical') THEN
				PERFORM floe_internal.refuse(format('%s.%s: unknown key "%s"', place, metric, level), NULL, 'Valid keys are: warning, critical.');
			END IF;
			canonical := canonical || jsonb_build_object(level, floe_internal.metric_number(metric, number, format('%s.%s.%s', place, metric, level)));
		END LOOP;
		SELECT * INTO builtin FROM floe.metric AS m WHERE m.name = metric AND with_defaults;
		low := COALESCE((canonical ->> 'warning')::float8, builtin.warning);
		high := COALESCE((canonical ->> 'critical')::float8, builtin.critical);
		IF low > high THEN
			PERFORM floe_internal.refuse(format('%s.%s: warning %s is above critical %s', place, metric, low, high),
				CASE WHEN canonical ? 'warning' AND canonical ? 'critical' THEN NULL ELSE 'The other value is floe''s default.' END,
				'Set both, with warning not above critical.');
		END IF;
		result := result || jsonb_build_object(metric, canonical);
	END LOOP;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_thresholds(pg_catalog.jsonb, pg_catalog.text, pg_catalog.bool) IS 'Thresholds with values in the metrics'' units; with_defaults: a level set alone must fit floe''s default of the other';

CREATE FUNCTION floe_internal.check_conditions(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET extra_float_digits = 1
AS $body$
DECLARE
	example CONSTANT text := 'For example {"any": [{"metric": "small_file_count", "op": ">=", "value": 100}]}.';
	logic text;
	item jsonb;
	stray text;
	items jsonb := jsonb '[]';
BEGIN
	IF jsonb_typeof(value) = 'array' THEN
		value := jsonb_build_object('any', value);
	END IF;
	IF jsonb_typeof(value) <> 'object' OR (SELECT count(*) FROM jsonb_object_keys(value)) <> 1 OR NOT value ?| ARRAY['any', 'all'] THEN
		PERFORM floe_internal.refuse(format('%s must hold either "any" or "all"', place), NULL, example);
	END IF;
	logic := (SELECT k FROM jsonb_object_keys(value) AS k);
	IF jsonb_typeof(value -> logic) <> 'array' OR jsonb_array_length(value -> logic) = 0 THEN
		PERFORM floe_internal.refuse(format('%s.%s must be a list with at least one condition', place, logic), NULL, example);
	END IF;
	FOR item IN SELECT * FROM jsonb_array_elements(value -> logic)
	LOOP
		IF jsonb_typeof(item) <> 'object' THEN
			PERFORM floe_internal.refuse(format('%s.%s: %s is not a condition', place, logic, left(item::text, 100)), NULL, example);
		END IF;
		SELECT k INTO stray FROM jsonb_object_keys(item) AS k WHERE k NOT IN ('metric', 'op', 'value') LIMIT 1;
		IF stray IS NOT NULL THEN
			PERFORM floe_internal.refuse(format('%s.%s: unknown key "%s"', place, logic, stray), NULL, 'Valid keys are: metric, op, value.');
		END IF;
		IF jsonb_typeof(item -> 'metric') IS DISTINCT FROM 'string' OR NOT item ? 'value' THEN
			PERFORM floe_internal.refuse(format('%s.%s: a condition needs "metric" and "value"', place, logic), NULL, example);
		END IF;
		IF COALESCE(item ->> 'op', '>=') NOT IN ('>=', '>', '<=', '<', '=', '<>') THEN
			PERFORM floe_internal.refuse(format('%s.%s: unknown comparison "%s"', place, logic, item ->> 'op'), NULL, 'Valid comparisons are: >=, >, <=, <, =, <>.');
		END IF;
		items := items || jsonb_build_array(jsonb_build_object('metric', item ->> 'metric', 'op', COALESCE(item ->> 'op', '>='),
			'value', floe_internal.metric_number(item ->> 'metric', item -> 'value', format('%s.%s', place, logic))));
	END LOOP;
	RETURN jsonb_build_object(logic, items);
END
$body$;
COMMENT ON FUNCTION floe_internal.check_conditions(pg_catalog.jsonb, pg_catalog.text) IS 'Trigger conditions with values in the metrics'' units; a bare list means "any"';

CREATE FUNCTION floe_internal.check_weights(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	given text;
	weight jsonb;
BEGIN
	IF jsonb_typeof(value) <> 'object' THEN
		PERFORM floe_internal.refuse(format('%s must be an object', place), NULL, 'For example {"severity": 2}.');
	END IF;
	FOR given, weight IN SELECT * FROM jsonb_each(value)
	LOOP
		IF NOT EXISTS (SELECT 1 FROM floe.debt_term AS t WHERE t.term = given) THEN
			PERFORM floe_internal.refuse(format('%s: unknown debt term "%s"', place, given), NULL,
				'Valid terms are: ' || (SELECT string_agg(t.term, ', ' ORDER BY t.position) FROM floe.debt_term AS t) || '.');
		END IF;
		IF jsonb_typeof(weight) <> 'number' OR (weight #>> '{}')::numeric NOT BETWEEN 0 AND 1000 THEN
			PERFORM floe_internal.refuse(format('%s.%s must be a number from 0 to 1000', place, given), NULL, NULL);
		END IF;
	END LOOP;
	RETURN value;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_weights(pg_catalog.jsonb, pg_catalog.text) IS 'Weights of debt terms';

-- A preset by its name, which has no dot, or a function by its schema and name. Who names one must be allowed to call it: it will be called for him.
CREATE FUNCTION floe_internal.check_score(score pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	f record;
BEGIN
	IF strpos(score, '.') > 0 THEN
		SELECT * INTO f FROM floe_internal.score_function(score);
		IF f.problem IS NULL AND NOT has_function_privilege(SESSION_USER, f.function_oid, 'EXECUTE') THEN
			f.problem := format('you may not call %s', f.function_oid::regprocedure);
		END IF;
		IF f.problem IS NOT NULL THEN
			PERFORM floe_internal.refuse(format('%s: %s', place, f.problem), NULL, 'A score function takes one floe.debt_input, returns double precision, and is a security definer or owned by a superuser.');
		END IF;
	ELSIF NOT EXISTS (SELECT 1 FROM floe.debt_preset AS p WHERE p.preset = score) THEN
		PERFORM floe_internal.refuse(format('%s: there is no score "%s"', place, left(score, 100)), NULL,
			format('Valid are %s, and the name of a function with its schema, such as "ops.my_score".', (SELECT string_agg(DISTINCT p.preset, ', ') FROM floe.debt_preset AS p)));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_score(pg_catalog.text, pg_catalog.text) IS 'Refuses a score that is neither a debt preset nor a function there is';

CREATE FUNCTION floe_internal.check_valid_during(value pg_catalog.tstzrange, place pg_catalog.text) RETURNS pg_catalog.tstzrange
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result tstzrange := tstzrange(NULLIF(lower(value), '-infinity'), NULLIF(upper(value), 'infinity'), '[)');
BEGIN
	IF value IS NULL THEN
		RETURN NULL;
	END IF;
	IF isempty(value) OR isempty(result) OR lower(result) = 'infinity' OR upper(result) = '-infinity' THEN
		PERFORM floe_internal.refuse(place || ' is never', 'The beginning belongs to it, the end does not.', 'Write for example ["2026-11-24 00:00 Europe/Amsterdam", "2026-12-02 00:00 Europe/Amsterdam"]; null for an end that is open.');
	END IF;
	RETURN NULLIF(result, '(,)');
END
$body$;
COMMENT ON FUNCTION floe_internal.check_valid_during(pg_catalog.tstzrange, pg_catalog.text) IS 'A time range with its beginning and without its end; NULL for always';

CREATE FUNCTION floe_internal.check_engine_name(engine pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = engine) THEN
		PERFORM floe_internal.refuse(format('%s: there is no engine "%s"', place, engine), NULL,
			COALESCE('Engines are: ' || (SELECT string_agg(s.server_name, ', ' ORDER BY s.server_name) FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine') || '.',
				'Make one: CREATE SERVER spark TYPE ''spark-thrift'' FOREIGN DATA WRAPPER floe_engine OPTIONS (url ''…'').'));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_engine_name(pg_catalog.text, pg_catalog.text) IS 'Refuses an engine that does not exist';

-- Spark settings of a session, as texts. Everybody who sees policies sees them, so they are no place for secrets.
CREATE FUNCTION floe_internal.check_spark_conf(value pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	e record;
BEGIN
	IF jsonb_typeof(value) <> 'object' OR value = '{}' THEN
		PERFORM floe_internal.refuse(format('%s must be the name of a preset or an object of Spark settings, not %s', place, left(value::text, 100)), NULL, 'Write "small", or {"spark.executor.memory": "4g"}.');
	END IF;
	FOR e IN SELECT x.key, x.value FROM jsonb_each(value) AS x
	LOOP
		IF e.key !~ '^spark\.[A-Za-z0-9_.-]+$' OR length(e.key) > 200 THEN
			PERFORM floe_internal.refuse(format('%s: "%s" is no setting of Spark', place, left(e.key, 100)), NULL, 'Settings begin with "spark.".');
		END IF;
		IF e.key ~* '(secret|passw|token|credential|authorization|access[._-]?key|api[._-]?key|private[._-]?key)' THEN
			PERFORM floe_internal.refuse(format('%s: "%s" looks like a secret', place, e.key), 'Everybody who sees policies sees it.', 'The USER MAPPING of the engine takes it as an option.');
		END IF;
		-- Who writes policies may say how large a session is. What it loads, runs, and where it sends a catalog's credentials is for the owners of the servers.
		IF e.key !~ ('^spark\.((driver|executor)\.(memory|memoryOverhead|memoryOverheadFactor|cores|instances|maxResultSize)|cores\.max|task\.cpus|default\.parallelism|network\.timeout|speculation|yarn\.queue'
				|| '|kubernetes\.(driver|executor)\.(request|limit)\.cores|(dynamicAllocation|memory|sql\.shuffle|sql\.adaptive|sql\.files)\..+|sql\.autoBroadcastJoinThreshold)$') THEN
			PERFORM floe_internal.refuse(format('%s: "%s" does not say how large a session is', place, e.key),
				'Settings are those of memory, cores, instances, dynamic allocation, shuffles and parallelism.', 'Others are options of the engine''s SERVER.');
		END IF;
		IF jsonb_typeof(e.value) NOT IN ('string', 'number', 'boolean') OR length(e.value #>> '{}') NOT BETWEEN 1 AND 1000 OR e.value #>> '{}' ~ '[[:cntrl:]]|\$\{' THEN
			PERFORM floe_internal.refuse(format('%s: "%s" must be a text or number, not %s', place, e.key, left(e.value::text, 100)), NULL, NULL);
		END IF;
	END LOOP;
	RETURN (SELECT jsonb_object_agg(x.key, to_jsonb(x.value #>> '{}')) FROM jsonb_each(value) AS x);
END
$body$;
COMMENT ON FUNCTION floe_internal.check_spark_conf(pg_catalog.jsonb, pg_catalog.text) IS 'An object of Spark settings, values as texts';

CREATE FUNCTION floe_internal.check_resources(value pg_catalog.jsonb, engine pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	kind text := (SELECT s.server_type FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = engine);
BEGIN
	IF kind NOT IN ('livy', 'kyuubi') THEN
		PERFORM floe_internal.refuse(format('%s: engine "%s" has its resources fixed when its server starts', place, engine),
			format('It has TYPE ''%s''.', kind), 'Engines of TYPE ''livy'' or ''kyuubi'' start a session of the size that is asked for.');
	END IF;
	IF jsonb_typeof(value) <> 'string' THEN
		RETURN floe_internal.check_spark_conf(value, place);
	END IF;
	IF NOT EXISTS (SELECT 1 FROM floe.resource_preset AS p WHERE p.name = value #>> '{}') THEN
		PERFORM floe_internal.refuse(format('%s: there is no preset "%s"', place, left(value #>> '{}', 100)), NULL,
			COALESCE('Presets are: ' || (SELECT string_agg(p.name, ', ' ORDER BY p.name) FROM floe.resource_preset AS p) || '.', 'floe.resource_preset has none.'));
	END IF;
	RETURN value;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_resources(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'Resources of a policy: a preset, or Spark settings; refused for an engine that cannot change its own';

-- Row triggers: the same checks for functions and for direct DML.

CREATE FUNCTION floe_internal.resource_preset_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR NEW.name <> OLD.name)
	   AND EXISTS (SELECT 1 FROM floe.policy_operation AS o WHERE o.resources = to_jsonb(OLD.name)) THEN
		PERFORM floe_internal.refuse(format('preset "%s" is named by a policy', OLD.name), NULL, NULL);
	END IF;
	IF TG_OP = 'DELETE' THEN
		RETURN OLD;
	END IF;
	NEW.conf := floe_internal.check_spark_conf(NEW.conf, format('preset "%s"', NEW.name));
	IF TG_OP = 'INSERT' AND NEW.is_changed THEN
		-- from a dump: the installation brought one of that name
		UPDATE floe.resource_preset AS p SET (conf, description) = (NEW.conf, NEW.description) WHERE p.name = NEW.name;
		IF FOUND THEN
			RETURN NULL;
		END IF;
	END IF;
	NEW.is_changed := true;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.resource_preset_before() IS 'Trigger: checks presets, marks changed rows, and takes them back from a dump';

CREATE TRIGGER resource_preset_before BEFORE INSERT OR UPDATE OR DELETE ON floe.resource_preset
	FOR EACH ROW EXECUTE FUNCTION floe_internal.resource_preset_before();

CREATE FUNCTION floe_internal.resource_conf(settings pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE WHEN pg_catalog.jsonb_typeof(settings -> 'resources') = 'string' THEN (SELECT p.conf FROM floe.resource_preset AS p WHERE p.name = settings ->> 'resources')
				ELSE settings -> 'resources' END;
END;
COMMENT ON FUNCTION floe_internal.resource_conf(pg_catalog.jsonb) IS 'Spark settings of the session that an operation asks for; NULL: the engine''s own';

-- Inside a function that runs as its owner, current_user is not who called it. Only who may SET ROLE to a role can make this say so.
CREATE FUNCTION floe_internal.acting_role() RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(NULLIF(pg_catalog.current_setting('role'), 'none'), SESSION_USER::pg_catalog.text);
END;
COMMENT ON FUNCTION floe_internal.acting_role() IS 'The role of the session: the one of SET ROLE, else the one that logged in';

CREATE FUNCTION floe_internal.policy_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s"', NEW.name);
	-- A row that brings a time of its own comes from a dump: engines and defaults may have changed since it was saved.
	is_new bool := TG_OP = 'INSERT' AND NEW.created_at = now();
	told text;
	detail text;
	hint text;
BEGIN
	IF NEW.name IS NULL OR btrim(NEW.name) = '' OR length(NEW.name) > 200 THEN
		PERFORM floe_internal.refuse('the name of a policy must have 1 to 200 characters', NULL, NULL);
	END IF;
	IF NEW.pattern IS NULL THEN
		PERFORM floe_internal.refuse(place || ' has no pattern', NULL, 'Write which tables it is for, such as "demo.**".');
	END IF;
	BEGIN
		NEW.pattern := floe_internal.check_pattern(NEW.pattern);
	EXCEPTION WHEN invalid_parameter_value THEN
		GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		PERFORM floe_internal.refuse_at(place, told, detail, hint);
	END;
	IF length(NEW.description) > 10000 THEN
		PERFORM floe_internal.refuse(place || ': description has more than 10000 characters', NULL, NULL);
	END IF;
	PERFORM floe_internal.check_interval(NEW.poll_interval, '1 second', place || ': poll_interval');
	PERFORM floe_internal.check_interval(NEW.min_poll_interval, '1 second', place || ': min_poll_interval');
	IF NEW.min_poll_interval > NEW.poll_interval THEN
		PERFORM floe_internal.refuse(place || ': min_poll_interval is longer than poll_interval', NULL, 'poll_interval is the longest time between two looks at a table, min_poll_interval the shortest.');
	END IF;
	NEW.thresholds := floe_internal.check_thresholds(COALESCE(NEW.thresholds, '{}'), place || ': thresholds',
		is_new OR TG_OP = 'UPDATE' AND NEW.thresholds IS DISTINCT FROM OLD.thresholds);
	NEW.weights := floe_internal.check_weights(COALESCE(NEW.weights, '{}'), place || ': weights');
	NEW.valid_during := floe_internal.check_valid_during(NEW.valid_during, place || ': valid_during');
	IF NEW.score IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.score IS DISTINCT FROM OLD.score) THEN
		PERFORM floe_internal.check_score(NEW.score, place || ': score');
	END IF;
	NEW.locks := COALESCE(NEW.locks, '{}');
	IF is_new OR TG_OP = 'UPDATE' AND NEW.locks IS DISTINCT FROM OLD.locks THEN
		NEW.locks := floe_internal.check_locks(NEW.locks, place || ': locks');
	END IF;
	NEW.owner := COALESCE(NEW.owner, CASE WHEN TG_OP = 'UPDATE' THEN OLD.owner END, floe_internal.acting_role());
	IF NEW.engine IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.engine IS DISTINCT FROM OLD.engine) THEN
		PERFORM floe_internal.check_engine_name(NEW.engine, place || ': engine');
	END IF;
	IF NEW.fallback_engines IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.fallback_engines IS DISTINCT FROM OLD.fallback_engines) THEN
		PERFORM floe_internal.check_fallback(NEW.fallback_engines, place || ': fallback_engines');
	END IF;
	PERFORM floe_internal.check_interval(NEW.fallback_after, '0', place || ': fallback_after');
	IF is_new THEN
		PERFORM floe_internal.check_approved(array_remove(NEW.engine || NEW.fallback_engines, NULL), NEW.pattern, place);
	ELSIF TG_OP = 'UPDATE' AND (NEW.engine, NEW.fallback_engines, NEW.pattern) IS DISTINCT FROM (OLD.engine, OLD.fallback_engines, OLD.pattern)
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id = NEW.policy_id) THEN
		PERFORM floe_internal.check_approved(array_remove(NEW.engine || NEW.fallback_engines, NULL), NEW.pattern, place);
		PERFORM floe_internal.check_operation_engines(NEW, o) FROM floe.policy_operation AS o WHERE o.policy_id = NEW.policy_id ORDER BY o.operation;
	END IF;
	IF TG_OP = 'UPDATE' THEN
		IF NEW.policy_id <> OLD.policy_id THEN
			PERFORM floe_internal.refuse(place || ': policy_id cannot be changed', NULL, NULL);
		END IF;
		NEW.updated_at := floe_internal.clock();
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_before() IS 'Checks and canonicalises a row of floe.policy';

CREATE TRIGGER policy_before BEFORE INSERT OR UPDATE ON floe.policy
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_before();

-- A time zone by its name: the abbreviations and POSIX rules that PostgreSQL takes as well mean something else than people expect
-- ("UTC+3" lies west of Greenwich).
CREATE FUNCTION floe_internal.check_timezone(timezone pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_timezone_names AS z WHERE lower(z.name) = lower(timezone)) THEN
		PERFORM floe_internal.refuse(format('%s: "%s" is not a time zone', place, timezone), NULL, 'Use a name of pg_timezone_names, such as "Europe/Amsterdam".');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_timezone(pg_catalog.text, pg_catalog.text) IS 'Refuses what is not the name of a time zone';

CREATE FUNCTION floe_internal.policy_operation_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s": %s', (SELECT p.name FROM floe.policy AS p WHERE p.policy_id = CASE TG_OP WHEN 'UPDATE' THEN OLD.policy_id ELSE NEW.policy_id END), NEW.operation);
	is_new bool := TG_OP = 'INSERT' AND NEW.schedule_set_at = now();	-- otherwise it comes from a dump
	field text;
	told text;
	detail text;
	hint text;
BEGIN
	IF TG_OP = 'UPDATE' AND NEW.policy_id <> OLD.policy_id THEN
		PERFORM floe_internal.refuse(place || ': policy_id cannot be changed', NULL, NULL);
	END IF;
	IF NOT EXISTS (SELECT 1 FROM floe_internal.operation_kind AS k WHERE k.operation = NEW.operation) THEN
		PERFORM floe_internal.check_operations(ARRAY[NEW.operation]);
	END IF;
	PERFORM floe_internal.check_interval(NEW.every, '1 minute', place || '.every'), floe_internal.check_interval(NEW.jitter, '0', place || '.jitter'),
		floe_internal.check_interval(NEW.min_interval, '0', place || '.min_interval'), floe_internal.check_interval(NEW.deadline, '1 minute', place || '.deadline'),
		floe_internal.check_interval(NEW.timeout, '1 minute', place || '.timeout');
	PERFORM floe_internal.check_interval(NEW.slice_time, '1 minute', place || '.slice_time'), floe_internal.check_interval(NEW.quiet_period, '0', place || '.quiet_period');
	IF NEW.slice_bytes <= 0 THEN
		PERFORM floe_internal.refuse(format('%s.slice_bytes: %s is not above 0', place, NEW.slice_bytes), NULL, NULL);
	END IF;
	IF NEW.operation <> 'rewrite_data_files' AND num_nonnulls(NEW.slice_bytes, NEW.slice_time, NEW.quiet_period) > 0 THEN
		PERFORM floe_internal.refuse(place || ': slice_bytes, slice_time and quiet_period are for rewrite_data_files', NULL, NULL);
	END IF;
	IF NEW.max_attempts NOT BETWEEN 1 AND 100 THEN
		PERFORM floe_internal.refuse(format('%s.max_attempts: %s is not from 1 to 100', place, NEW.max_attempts), NULL, NULL);
	END IF;
	IF NEW.timezone IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.timezone IS DISTINCT FROM OLD.timezone) THEN
		PERFORM floe_internal.check_timezone(NEW.timezone, place || '.timezone');
	END IF;
	IF NEW.schedule IS NOT NULL AND NEW.every IS NOT NULL THEN
		PERFORM floe_internal.refuse(place || ' has both "schedule" and "every"', NULL, 'Keep one of them.');
	END IF;
	IF NEW.deadline < NEW.min_interval THEN
		PERFORM floe_internal.refuse(format('%s: deadline %s is shorter than min_interval %s', place, NEW.deadline, NEW.min_interval), NULL, NULL);
	END IF;
	IF NEW.conditions IS NOT NULL THEN
		NEW.conditions := floe_internal.check_conditions(NEW.conditions, place || '.when');
	END IF;
	IF NEW.engine IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.engine IS DISTINCT FROM OLD.engine) THEN
		PERFORM floe_internal.check_engine_name(NEW.engine, place || '.engine');
	END IF;
	IF NEW.resources IS NOT NULL AND (is_new OR TG_OP = 'UPDATE') THEN
		NEW.resources := floe_internal.check_resources(NEW.resources, COALESCE(NEW.engine, (SELECT p.engine FROM floe.policy AS p WHERE p.policy_id = NEW.policy_id)), place || '.resources');
	END IF;
	IF NEW.fallback_engines IS NOT NULL AND (is_new OR TG_OP = 'UPDATE' AND NEW.fallback_engines IS DISTINCT FROM OLD.fallback_engines) THEN
		PERFORM floe_internal.check_fallback(NEW.fallback_engines, place || '.fallback_engines');
	END IF;
	PERFORM floe_internal.check_interval(NEW.fallback_after, '0', place || '.fallback_after');
	BEGIN
		field := '.schedule';
		IF NEW.schedule IS NOT NULL AND floe_internal.cron_next(NEW.schedule, COALESCE(NEW.timezone, 'UTC'), floe_internal.clock()) IS NULL THEN
			PERFORM floe_internal.refuse(format('"%s" never happens', NEW.schedule), NULL, NULL);
		END IF;
		field := '.windows';
		PERFORM floe_internal.window_next(NEW.windows, NULL, 'UTC', floe_internal.clock());
		field := '.days';
		PERFORM floe_internal.window_next(NULL, NEW.days, 'UTC', floe_internal.clock());
		field := '';
		IF (NEW.windows IS NOT NULL OR NEW.days IS NOT NULL) AND
		   floe_internal.window_next(NEW.windows, NEW.days, COALESCE(NEW.timezone, 'UTC'), floe_internal.clock()) IS NULL THEN
			PERFORM floe_internal.refuse('windows and days leave no time to start', NULL, NULL);
		END IF;
		field := '.options';
		NEW.options := floe_internal.check_options(NEW.operation, COALESCE(NEW.options, '{}'));
	EXCEPTION WHEN invalid_parameter_value THEN
		GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		PERFORM floe_internal.refuse_at(place || field, told, detail, hint);
	END;
	IF (is_new OR TG_OP = 'UPDATE' AND (NEW.operation, NEW.engine, NEW.fallback_engines, NEW.options, NEW.is_enabled) IS DISTINCT FROM (OLD.operation, OLD.engine, OLD.fallback_engines, OLD.options, OLD.is_enabled))
	   AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id = NEW.policy_id) THEN
		PERFORM floe_internal.check_operation_engines(p, NEW) FROM floe.policy AS p WHERE p.policy_id = NEW.policy_id;
	END IF;
	IF is_new OR TG_OP = 'UPDATE' AND (NEW.schedule, NEW.every, NEW.timezone, NEW.jitter) IS DISTINCT FROM (OLD.schedule, OLD.every, OLD.timezone, OLD.jitter) THEN
		NEW.schedule_set_at := floe_internal.clock();
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_operation_before() IS 'Checks and canonicalises a row of floe.policy_operation';

CREATE TRIGGER policy_operation_before BEFORE INSERT OR UPDATE ON floe.policy_operation
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_operation_before();

-- TRUNCATE would pass by the triggers on rows, which keep history and the tables' settings.
CREATE FUNCTION floe_internal.refuse_truncate() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.refuse('policies are not truncated', NULL, 'Use DELETE, or floe.drop_policy().', '0A000');
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.refuse_truncate() IS 'Trigger: refuses TRUNCATE';

CREATE TRIGGER policy_truncate BEFORE TRUNCATE ON floe.policy
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.refuse_truncate();
CREATE TRIGGER policy_operation_truncate BEFORE TRUNCATE ON floe.policy_operation
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.refuse_truncate();

