-- =================================================================================================
-- 45 which engine
-- A policy names an engine and, in order, others to fall back on. Which of them may have an operation is
-- decided by what their TYPE can do (engine/dialect.h is the only source of that) and by what people
-- approved for a part of the catalogs. Which of these gets it is decided when it is dispatched (78).
-- =================================================================================================

CREATE FUNCTION floe_internal.engine_list(settings pg_catalog.jsonb) RETURNS pg_catalog.text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.array_agg(n.name ORDER BY n.place), '{}')
	FROM (SELECT x.name, pg_catalog.min(x.place) AS place
		  FROM (SELECT settings ->> 'engine', 0
				UNION ALL
				SELECT f.name, f.place FROM pg_catalog.jsonb_array_elements_text(settings -> 'fallback_engines') WITH ORDINALITY AS f (name, place)) AS x (name, place)
		  WHERE x.name IS NOT NULL GROUP BY x.name) AS n;
END;
COMMENT ON FUNCTION floe_internal.engine_list(pg_catalog.jsonb) IS 'The engines that settings name, the preferred one first; each once';

CREATE FUNCTION floe_internal.fallback_after(settings pg_catalog.jsonb) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE((settings ->> 'fallback_after')::pg_catalog.interval, '5 minutes');
END;
COMMENT ON FUNCTION floe_internal.fallback_after(pg_catalog.jsonb) IS 'How long an engine must have failed, or an operation have waited for a place at it, before the next engine of the list takes the operation';

-- Capability ----------------------------------------------------------------------------------------

CREATE FUNCTION floe_internal.able_engines(of_operation pg_catalog.text, options pg_catalog.jsonb) RETURNS pg_catalog.text[]
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.array_agg(s.server_name ORDER BY s.server_name) FROM floe_internal.server AS s
	WHERE s.wrapper = 'floe_engine' AND floe_internal.engine_refusal(s.server_type, of_operation, able_engines.options) IS NULL;
END;
COMMENT ON FUNCTION floe_internal.able_engines(pg_catalog.text, pg_catalog.jsonb) IS 'Engines whose TYPE can do an operation with these options; NULL: none';

-- Engines that do not exist are told by their name's own check, where they are new, and by floe.why(): they may come back.
CREATE FUNCTION floe_internal.check_capability(engines pg_catalog.text[], of_operation pg_catalog.text, options pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	bad record;
BEGIN
	SELECT bool_or(x.refusal IS NULL) AS is_able, (array_agg(x.server_name ORDER BY x.place))[1] AS engine, (array_agg(x.server_type ORDER BY x.place))[1] AS type,
		   (array_agg(x.refusal ORDER BY x.place))[1] AS refusal, string_agg(format('engine "%s": %s', x.server_name, x.refusal), '; ' ORDER BY x.place) FILTER (WHERE x.n > 1) AS others
	INTO bad
	FROM (SELECT l.place, s.server_name, s.server_type, floe_internal.engine_refusal(s.server_type, of_operation, check_capability.options) AS refusal, count(*) OVER () AS n
		  FROM unnest(engines) WITH ORDINALITY AS l (name, place) JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = l.name) AS x;
	IF NOT bad.is_able THEN
		PERFORM floe_internal.refuse(format('%s: engine "%s" of TYPE %s cannot honour it: %s', place, bad.engine, bad.type, bad.refusal),
			'No engine that the policy names can: ' || bad.others || '.',
			COALESCE('Engines that can: ' || array_to_string(floe_internal.able_engines(of_operation, check_capability.options), ', ') || '; name one in "engine", or in "fallback_engines".',
				'No engine that floe knows can. TYPEs that can: ' || (SELECT string_agg(DISTINCT t.type, ', ' ORDER BY t.type) FROM floe_internal.connection_types() AS t
					WHERE t.wrapper = 'floe_engine' AND floe_internal.engine_refusal(t.type, of_operation, check_capability.options) IS NULL) || '.',
				'floe.engine_option says what each engine has.'));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_capability(pg_catalog.text[], pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'Refuses an operation and options that no engine of a list can honour, with the engines that can';

CREATE FUNCTION floe_internal.check_fallback(engines pg_catalog.text[], place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF cardinality(engines) > 16 OR array_ndims(engines) > 1 THEN
		PERFORM floe_internal.refuse(format('%s: a list of at most 16 engines', place), NULL, NULL);
	END IF;
	IF array_position(engines, NULL) IS NOT NULL OR (SELECT count(DISTINCT e) FROM unnest(engines) AS e) <> cardinality(engines) THEN
		PERFORM floe_internal.refuse(format('%s: an engine stands there twice, or has no name', place), NULL, NULL);
	END IF;
	PERFORM floe_internal.check_engine_name(e, place) FROM unnest(engines) AS e;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_fallback(pg_catalog.text[], pg_catalog.text) IS 'Refuses a list of engines with one that does not exist, or twice the same';

-- What a policy says about one operation: the engines that it names itself, with the options that it sets itself. What comes of several
-- policies is known only once they are resolved.
CREATE FUNCTION floe_internal.check_operation_engines(p floe.policy, o floe.policy_operation) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('policy "%s": %s', p.name, o.operation);
	engines text[] := floe_internal.engine_list(jsonb_build_object('engine', COALESCE(o.engine, p.engine), 'fallback_engines', COALESCE(to_jsonb(COALESCE(o.fallback_engines, p.fallback_engines)), '[]')));
BEGIN
	IF COALESCE(o.engine, p.engine) IS NOT NULL AND o.is_enabled IS DISTINCT FROM false THEN
		PERFORM floe_internal.check_capability(engines, o.operation, o.options, place);
	END IF;
	PERFORM floe_internal.check_approved(engines, p.pattern, place);
END
$body$;
COMMENT ON FUNCTION floe_internal.check_operation_engines(floe.policy, floe.policy_operation) IS 'Refuses an operation of a policy that none of its engines can honour, or with an engine that is not approved for all the tables of the policy';

-- While floe.alter_policy() changes several rows, what is between them is not judged.
CREATE TABLE floe_internal.policy_change (
	policy_id	pg_catalog.int4 PRIMARY KEY
);
COMMENT ON TABLE floe_internal.policy_change IS 'Policies that this transaction is changing in several steps, 0 for one that it is making, -1 while it applies those of a catalog; always empty for others';

CREATE FUNCTION floe_internal.check_policy_engines(changed_policy_id pg_catalog.int4, changes pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	p floe.policy;
	everything bool := changes ?| '{engine,fallback_engines,pattern,exclude}';
BEGIN
	SELECT * INTO p FROM floe.policy AS x WHERE x.policy_id = changed_policy_id;
	IF everything THEN
		PERFORM floe_internal.check_approved(array_remove(p.engine || p.fallback_engines, NULL), p.pattern, format('policy "%s"', p.name));
	END IF;
	PERFORM floe_internal.check_operation_engines(p, o)
		FROM floe.policy_operation AS o JOIN floe_internal.operation_kind AS k ON k.operation = o.operation
		WHERE o.policy_id = changed_policy_id AND (everything OR changes -> o.operation ?| '{engine,fallback_engines,options,enabled}')
		ORDER BY k.position;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_engines(pg_catalog.int4, pg_catalog.jsonb) IS 'The engines of a policy after a change, as far as the change is about them';

CREATE FUNCTION floe_internal.resources_refusal(engine_type pg_catalog.text, settings pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT CASE WHEN settings ? 'resources' AND engine_type NOT IN ('livy', 'kyuubi') THEN pg_catalog.format('resources: TYPE %s has them fixed when its server starts', engine_type) END);
END
$body$;
COMMENT ON FUNCTION floe_internal.resources_refusal(pg_catalog.text, pg_catalog.jsonb) IS 'Why an engine of this TYPE cannot have a session of the size that the settings ask for; NULL: it can, or none is asked for';

-- Why engines that settings of several policies name cannot honour what these set together. Approval is the table's, health the moment's.
CREATE FUNCTION floe_internal.resolve_engines(of_operation pg_catalog.text, settings pg_catalog.jsonb, origins pg_catalog.jsonb, is_valid pg_catalog.bool,
		OUT names pg_catalog.text[], OUT refusals pg_catalog.jsonb, OUT problem pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	with_options jsonb;
BEGIN
	names := floe_internal.engine_list(settings);
	IF names = '{}' OR NOT is_valid THEN
		RETURN;
	END IF;
	with_options := floe_internal.check_options(of_operation, floe_internal.operation_options(floe_internal.builtin_settings(of_operation) || settings, origins, '{}'));
	SELECT jsonb_object_agg(x.name, x.refusal) FILTER (WHERE x.refusal IS NOT NULL),
		   CASE WHEN bool_and(x.refusal IS NOT NULL) AND bool_or(x.knows) THEN string_agg(format('engine "%s": %s', x.name, x.refusal), '; ' ORDER BY x.place) END
	INTO refusals, problem
	FROM (SELECT l.name, l.place, COALESCE(floe_internal.engine_refusal(s.server_type, of_operation, with_options), floe_internal.resources_refusal(s.server_type, settings)) AS refusal,
				 EXISTS (SELECT 1 FROM floe_internal.engine_operations() AS k WHERE k.engine_type = s.server_type AND k.operation = of_operation) AS knows
		  FROM unnest(names) WITH ORDINALITY AS l (name, place) JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = l.name) AS x;
END
$body$;
COMMENT ON FUNCTION floe_internal.resolve_engines(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.bool)
	IS 'The engines that a resolved policy list names, why some of them cannot honour it (refusals: engine -> reason), and, where all that exist could do it but for an option, the problem; is_valid: the options do not contradict each other';

-- For one operation with the options that its statement will have.
CREATE FUNCTION floe_internal.usable_engines(of_table_id pg_catalog.int8, of_operation pg_catalog.text, options pg_catalog.jsonb) RETURNS pg_catalog.text[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT array_agg(l.name ORDER BY l.place)
		FROM floe_internal.iceberg_table AS t
		JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id AND e.operation = of_operation
		CROSS JOIN LATERAL unnest(e.engine_names) WITH ORDINALITY AS l (name, place)
		JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = l.name
		WHERE t.table_id = of_table_id AND floe_internal.engine_refusal(s.server_type, of_operation, usable_engines.options) IS NULL
		  AND floe_internal.resources_refusal(s.server_type, e.settings) IS NULL
		  AND NOT EXISTS (SELECT 1 FROM floe.engine_approval AS a WHERE l.name <> ALL (a.engines) AND floe_internal.match_pattern(a.pattern, t.levels) IS NOT NULL));
END
$body$;
COMMENT ON FUNCTION floe_internal.usable_engines(pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb) IS 'Engines that the table''s policies name, that can honour the operation and are approved for the table, in order; NULL: none';

-- Approval ------------------------------------------------------------------------------------------

CREATE TABLE floe.engine_approval (
	pattern		pg_catalog.text PRIMARY KEY,
	engines		pg_catalog.text[] NOT NULL,
	description	pg_catalog.text CHECK (pg_catalog.length(description) OPERATOR(pg_catalog.<=) 10000),
	set_by		pg_catalog.text NOT NULL DEFAULT SESSION_USER,
	set_at		pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE floe.engine_approval IS 'Engines that are approved for the tables of a pattern (enterprise, domain, product …); every approval that matches a table must have the engine, so a lower level can only narrow. A table that none matches may use all';
COMMENT ON COLUMN floe.engine_approval.pattern IS 'As in floe.policy';
COMMENT ON COLUMN floe.engine_approval.engines IS 'SERVERs of wrapper floe_engine';

-- Of two approvals the lower one is the one whose pattern the other contains; where the texts do not show it, the one that names more literal
-- levels of a table that both match now. What meets only in tables to come, each table's gate sees.
CREATE FUNCTION floe_internal.approval_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('approval of %s', NEW.pattern);
	is_new bool := TG_OP = 'UPDATE' OR NEW.set_at = now();	-- otherwise it comes from a dump
	other record;
BEGIN
	IF NEW.pattern IS NULL THEN
		PERFORM floe_internal.refuse('an approval needs a pattern', NULL, 'For example floe.approve_engines(''demo.**'', ''{spark}'').');
	END IF;
	NEW.pattern := floe_internal.check_pattern(NEW.pattern);
	place := format('approval of %s', NEW.pattern);
	IF COALESCE(NEW.engines, '{}') = '{}' THEN
		PERFORM floe_internal.refuse(place || ': an approval names at least one engine', NULL, 'To stop everything there, use floe.pause().');
	END IF;
	IF NOT is_new THEN
		RETURN NEW;
	END IF;
	PERFORM floe_internal.check_fallback(NEW.engines, place);
	IF TG_OP = 'UPDATE' THEN
		NEW.set_by := SESSION_USER;
	END IF;
	NEW.set_at := floe_internal.clock();
	-- two that are saved at once see each other; the table itself each has locked already, and to ask for more of that would be a deadlock
	PERFORM pg_advisory_xact_lock(floe_internal.step_class(), 3);
	SELECT a.pattern, a.engines, l.is_lower, l.example, e.engine INTO other
	FROM floe.engine_approval AS a
	CROSS JOIN LATERAL (
		SELECT true AS is_lower, NULL::text AS example WHERE floe_internal.pattern_covers(a.pattern, NEW.pattern)
		UNION ALL
		SELECT false, NULL WHERE floe_internal.pattern_covers(NEW.pattern, a.pattern)
		UNION ALL
		(SELECT m.mine > m.other, t.name
		 FROM floe_internal.iceberg_table AS t
		 CROSS JOIN LATERAL (SELECT floe_internal.match_pattern(NEW.pattern, t.levels) AS mine, floe_internal.match_pattern(a.pattern, t.levels) AS other) AS m
		 WHERE NOT floe_internal.pattern_covers(a.pattern, NEW.pattern) AND NOT floe_internal.pattern_covers(NEW.pattern, a.pattern)
		   AND t.status <> 'dropped' AND m.mine <> m.other
		 ORDER BY t.name LIMIT 1)) AS l
	CROSS JOIN LATERAL (SELECT x.engine FROM unnest(CASE WHEN l.is_lower THEN NEW.engines ELSE a.engines END) AS x (engine)
						WHERE x.engine <> ALL (CASE WHEN l.is_lower THEN a.engines ELSE NEW.engines END) LIMIT 1) AS e
	WHERE a.pattern <> NEW.pattern AND (TG_OP = 'INSERT' OR a.pattern <> OLD.pattern)
	ORDER BY a.pattern LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(
			CASE WHEN other.is_lower THEN format('%s: engine "%s" is not approved by the level above, %s', place, other.engine, other.pattern)
				ELSE format('%s: engine "%s" is approved by a level below, %s', place, other.engine, other.pattern) END,
			format('%s approves: %s.', other.pattern, array_to_string(other.engines, ', ')) || COALESCE(' Both match table ' || other.example || '.', ''),
			CASE WHEN other.is_lower THEN 'A lower level can only narrow what the levels above it approve.' ELSE 'A lower level can only narrow: change that one first.' END);
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.approval_before() IS 'Checks a row of floe.engine_approval: a lower level can only narrow';

CREATE TRIGGER approval_before BEFORE INSERT OR UPDATE ON floe.engine_approval
	FOR EACH ROW EXECUTE FUNCTION floe_internal.approval_before();

CREATE FUNCTION floe_internal.check_approved(engines pg_catalog.text[], policy_pattern pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	bad record;
BEGIN
	SELECT e.engine, a.pattern, a.engines INTO bad
	FROM unnest(engines) WITH ORDINALITY AS e (engine, place)
	JOIN floe.engine_approval AS a ON e.engine <> ALL (a.engines) AND floe_internal.pattern_covers(a.pattern, policy_pattern)
	ORDER BY e.place, a.pattern LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('%s: engine "%s" is not approved for %s', place, bad.engine, bad.pattern),
			format('%s approves: %s.', bad.pattern, array_to_string(bad.engines, ', ')), 'Name an approved engine; floe.engine_approval has the approvals.');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_approved(pg_catalog.text[], pg_catalog.text, pg_catalog.text) IS 'Refuses engines that an approval over all tables of a policy does not have; where only some of them are concerned, their gate says so';

CREATE FUNCTION floe.approve_engines(pattern pg_catalog.text, engines pg_catalog.text[], description pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	checked text := floe_internal.check_pattern(approve_engines.pattern);
	p record;
BEGIN
	UPDATE floe.engine_approval AS a SET engines = approve_engines.engines, description = COALESCE(approve_engines.description, a.description), set_by = SESSION_USER WHERE a.pattern = checked;
	IF NOT FOUND THEN
		INSERT INTO floe.engine_approval (pattern, engines, description) VALUES (checked, approve_engines.engines, approve_engines.description);
	END IF;
	FOR p IN
		SELECT x.name, string_agg(DISTINCT e.engine, ', ') AS engines
		FROM floe.policy AS x
		LEFT JOIN floe.policy_operation AS o ON o.policy_id = x.policy_id
		CROSS JOIN LATERAL unnest(x.engine || x.fallback_engines || o.engine || o.fallback_engines) AS e (engine)
		WHERE e.engine <> ALL (approve_engines.engines) AND floe_internal.pattern_covers(checked, x.pattern)
		GROUP BY x.name ORDER BY x.name
	LOOP
		RAISE NOTICE 'policy "%" names what is not approved for its tables any more: %', p.name, p.engines;
	END LOOP;
	RETURN (SELECT count(*) FROM floe_internal.iceberg_table AS t WHERE t.status <> 'dropped' AND floe_internal.match_pattern(checked, t.levels) IS NOT NULL);
END
$body$;
COMMENT ON FUNCTION floe.approve_engines(pg_catalog.text, pg_catalog.text[], pg_catalog.text)
	IS 'Only these engines may work on the tables of a pattern. A lower level can only narrow what a higher one approves. Returns the number of tables; policies that name others are told, and their operations are blocked';

CREATE FUNCTION floe.drop_engine_approval(pattern pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	DELETE FROM floe.engine_approval AS a WHERE a.pattern = floe_internal.check_pattern(drop_engine_approval.pattern);
	RETURN FOUND;
END
$body$;
COMMENT ON FUNCTION floe.drop_engine_approval(pg_catalog.text) IS 'Takes back the approval of exactly this pattern; false: there was none. What other levels approve holds';
