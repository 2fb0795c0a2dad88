-- =================================================================================================
-- 43 policies: what locks hold
-- Which locks reach which policy, what they make of a resolved list, and who is refused when he saves.
-- What a lock can say: 43_locks.
-- =================================================================================================

-- {"fixed": true} is the value that the policy itself sets; without one the lock holds nothing.
CREATE VIEW floe_internal.policy_lock AS
	SELECT x.policy_id, x.key, x.operation, x.setting, x.kind, x.rule
	FROM (SELECT p.policy_id, e.key, k.operation, t.setting, t.kind,
				 CASE WHEN e.value ? 'fixed' THEN (SELECT pg_catalog.jsonb_build_object('is', s.value) FROM floe_internal.policy_setting AS s
						WHERE s.policy_id = p.policy_id AND s.operation = k.operation AND s.setting = t.setting)
					  -- as the setting has it
					  WHEN t.kind = 'schedule' AND e.value ? 'is' THEN pg_catalog.jsonb_build_object('is', pg_catalog.jsonb_build_object(CASE WHEN e.key LIKE '%.schedule' THEN 'cron' ELSE 'every' END, e.value -> 'is'))
					  ELSE e.value END AS rule
		  FROM floe.policy AS p
		  CROSS JOIN LATERAL pg_catalog.jsonb_each(p.locks) AS e
		  CROSS JOIN LATERAL floe_internal.lock_target(e.key, e.key) AS t
		  JOIN (SELECT o.operation FROM floe_internal.operation_kind AS o UNION ALL SELECT '') AS k ON k.operation = t.operation OR t.operation = '*' AND k.operation <> ''
		  WHERE p.locks <> '{}') AS x
	WHERE x.rule IS NOT NULL;
COMMENT ON VIEW floe_internal.policy_lock IS 'Locks of each policy, one row a setting';

-- Whether a policy is above another, which may hold locks that then do not reach it.
CREATE FUNCTION floe_internal.is_above(upper_pattern pg_catalog.text, upper_priority pg_catalog.int4, lower_pattern pg_catalog.text, lower_priority pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT floe_internal.pattern_covers(upper_pattern, lower_pattern)
		AND (upper_priority > lower_priority OR NOT floe_internal.pattern_covers(lower_pattern, upper_pattern));
END;
COMMENT ON FUNCTION floe_internal.is_above(pg_catalog.text, pg_catalog.int4, pg_catalog.text, pg_catalog.int4) IS 'The first policy''s pattern covers the second''s, and is broader or has more priority';

-- rules: the lowest first, so that the highest has the last word. source: the policy that the value is from; NULL: property or default.
CREATE FUNCTION floe_internal.apply_locks(asked pg_catalog.jsonb, asked_by pg_catalog.int4, rules pg_catalog.jsonb, OUT value pg_catalog.jsonb, OUT source pg_catalog.int4, OUT locked pg_catalog.jsonb)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
DECLARE
	r jsonb;
	held jsonb;
BEGIN
	value := asked;
	source := asked_by;
	FOR r IN SELECT * FROM jsonb_array_elements(rules)
	LOOP
		CONTINUE WHEN source = (r ->> 'holder')::int4 OR r -> 'above' @> to_jsonb(source);
		held := floe_internal.lock_clamp(r ->> 'kind', r -> 'rule', value);
		CONTINUE WHEN held IS NOT DISTINCT FROM value;
		value := held;
		source := (r ->> 'holder')::int4;
		locked := jsonb_build_object('asked', asked, 'by', asked_by, 'holder', source, 'allows', floe_internal.lock_text(r ->> 'kind', r -> 'rule'));
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_locks(pg_catalog.jsonb, pg_catalog.int4, pg_catalog.jsonb) IS 'A value as the locks of a list leave it, the policy that it is then from, and what was overruled';

-- Rows only for settings about which a policy of the list has a lock: they stand instead of what the first policy says.
CREATE FUNCTION floe_internal.locked_settings(set_ids pg_catalog.int4[])
	RETURNS TABLE (policy_set_id pg_catalog.int4, operation pg_catalog.text, setting pg_catalog.text, value pg_catalog.jsonb, policy_id pg_catalog.int4, locked pg_catalog.jsonb, bounds pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
#variable_conflict use_column
BEGIN
	IF set_ids = '{}' OR NOT EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.locks <> '{}') THEN
		RETURN;
	END IF;
	RETURN QUERY
	WITH member AS MATERIALIZED (
		SELECT s.policy_set_id, m.policy_id, m.place FROM floe_internal.policy_set AS s CROSS JOIN LATERAL unnest(s.policy_ids) WITH ORDINALITY AS m (policy_id, place)
		WHERE s.policy_set_id = ANY (set_ids)
	), held AS MATERIALIZED (
		SELECT m.policy_set_id, l.operation, l.setting, l.kind, l.rule, l.policy_id FROM member AS m JOIN floe_internal.policy_lock AS l ON l.policy_id = m.policy_id
	), field AS MATERIALIZED (
		SELECT DISTINCT h.policy_set_id, h.operation, h.setting FROM held AS h
	), asked AS MATERIALIZED (
		SELECT v.policy_id, v.operation, v.setting, v.value FROM floe_internal.policy_setting AS v
		WHERE v.policy_id IN (SELECT m.policy_id FROM member AS m WHERE m.policy_set_id IN (SELECT f.policy_set_id FROM field AS f))
		  AND (v.operation, v.setting) IN (SELECT f.operation, f.setting FROM field AS f)
	), winner AS MATERIALIZED (
		SELECT DISTINCT ON (f.policy_set_id, f.operation, f.setting) f.policy_set_id, f.operation, f.setting, a.value, a.policy_id
		FROM field AS f
		LEFT JOIN (member AS m JOIN asked AS a ON a.policy_id = m.policy_id) ON m.policy_set_id = f.policy_set_id AND a.operation = f.operation AND a.setting = f.setting
		ORDER BY f.policy_set_id, f.operation, f.setting, m.place
	), pair AS MATERIALIZED (
		SELECT x.holder, x.other
		FROM (SELECT h.policy_id AS holder, w.policy_id AS other FROM held AS h JOIN winner AS w ON (w.policy_set_id, w.operation, w.setting) = (h.policy_set_id, h.operation, h.setting) AND w.policy_id IS NOT NULL
			  UNION
			  SELECT h.policy_id, o.policy_id FROM held AS h JOIN held AS o ON (o.policy_set_id, o.operation, o.setting) = (h.policy_set_id, h.operation, h.setting)) AS x
		JOIN floe.policy AS h ON h.policy_id = x.holder JOIN floe.policy AS o ON o.policy_id = x.other
		WHERE x.holder <> x.other AND floe_internal.is_above(o.pattern, o.priority, h.pattern, h.priority)
	), above AS MATERIALIZED (
		SELECT pair.holder, jsonb_agg(pair.other) AS others, array_agg(pair.other) AS ids FROM pair GROUP BY pair.holder
	), rules AS MATERIALIZED (
		SELECT h.policy_set_id, h.operation, h.setting,
			   jsonb_agg(jsonb_build_object('holder', h.policy_id, 'kind', h.kind, 'rule', h.rule, 'above', COALESCE(a.others, '[]')) ORDER BY n.n DESC, p.priority, p.name DESC, h.rule) AS rules
		FROM held AS h
		JOIN floe.policy AS p ON p.policy_id = h.policy_id
		LEFT JOIN above AS a ON a.holder = h.policy_id
		CROSS JOIN LATERAL (SELECT count(*) AS n FROM held AS o WHERE (o.policy_set_id, o.operation, o.setting) = (h.policy_set_id, h.operation, h.setting) AND o.policy_id = ANY (a.ids)) AS n
		GROUP BY h.policy_set_id, h.operation, h.setting
	), question AS MATERIALIZED (
		-- most lists ask the same
		SELECT DISTINCT w.operation, w.setting, w.value, w.policy_id, r.rules FROM winner AS w JOIN rules AS r USING (policy_set_id, operation, setting)
	), answer AS MATERIALIZED (
		SELECT q.*, x.*
		FROM question AS q
		LEFT JOIN floe_internal.builtin_setting AS b ON b.operation = q.operation AND b.setting = q.setting
		CROSS JOIN LATERAL (SELECT q.value IS NULL AND EXISTS (SELECT 1 FROM floe_internal.property_setting AS s WHERE s.operation = q.operation AND s.setting = q.setting) AS of_table) AS t
		CROSS JOIN LATERAL (
			SELECT a.value AS held, a.source, a.locked, CASE WHEN t.of_table AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(q.rules) AS e WHERE e #> '{rule}' ? 'is') THEN q.rules END AS bounds
			FROM floe_internal.apply_locks(COALESCE(q.value, b.value), q.policy_id, q.rules) AS a) AS x
	)
	SELECT w.policy_set_id, w.operation, w.setting, CASE WHEN a.bounds IS NULL AND (w.value IS NOT NULL OR a.locked IS NOT NULL) THEN a.held END, a.source,
		   CASE WHEN a.bounds IS NULL THEN a.locked END, a.bounds
	FROM winner AS w
	JOIN rules AS r USING (policy_set_id, operation, setting)
	JOIN answer AS a ON a.operation = w.operation AND a.setting = w.setting AND a.value IS NOT DISTINCT FROM w.value AND a.policy_id IS NOT DISTINCT FROM w.policy_id AND a.rules = r.rules;
END
$body$;
COMMENT ON FUNCTION floe_internal.locked_settings(pg_catalog.int4[]) IS 'Settings of policy lists about which a policy of theirs has a lock; value NULL: as without it, or, with bounds, as the table''s properties say within these';

-- What a table says of itself, where locks hold that: settings, origins and locked as in floe_internal.effective, or NULL.
CREATE FUNCTION floe_internal.held_properties(of_operation pg_catalog.text, properties pg_catalog.jsonb, bounds pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT jsonb_build_object('settings', jsonb_object_agg(x.setting, x.value), 'origins', jsonb_object_agg(x.setting, x.source), 'locked', jsonb_object_agg(x.setting, x.locked))
		FROM (SELECT s.setting, a.value, a.source, a.locked || CASE WHEN v.value IS NOT NULL THEN jsonb_build_object('property', 'table property ' || s.property) ELSE '{}' END AS locked
			  FROM floe_internal.property_setting AS s
			  CROSS JOIN LATERAL (SELECT floe_internal.property_value(COALESCE(properties, '{}'), s.property, s.unit) AS value) AS v
			  CROSS JOIN LATERAL floe_internal.apply_locks(COALESCE(v.value, s.fallback), NULL, bounds -> s.setting) AS a
			  WHERE s.operation = of_operation AND bounds ? s.setting AND a.locked IS NOT NULL) AS x
		HAVING count(*) > 0);
END
$body$;
COMMENT ON FUNCTION floe_internal.held_properties(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS 'What locks make of a table''s properties for one operation; NULL: they leave them alone';

-- Where the texts show that a lock reaches a policy, and the policy says otherwise. A lock that asks for what a higher one does not allow is one, too.
CREATE FUNCTION floe_internal.lock_violations(of_policy_ids pg_catalog.int4[])
	RETURNS TABLE (holder pg_catalog.int4, violator pg_catalog.int4, place pg_catalog.int2, field pg_catalog.text, asked pg_catalog.text, allows pg_catalog.text)
	-- to plan it takes longer than to run it
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres' SET plan_cache_mode = 'force_generic_plan'
AS $body$
#variable_conflict use_column
DECLARE
	concerned int4[];
BEGIN
	concerned := ARRAY(SELECT p.policy_id FROM floe.policy AS p WHERE p.policy_id = ANY (of_policy_ids)
		UNION
		SELECT p.policy_id FROM floe.policy AS h JOIN floe.policy AS p ON floe_internal.pattern_covers(h.pattern, p.pattern) WHERE h.policy_id = ANY (of_policy_ids) AND h.locks <> '{}');
	RETURN QUERY
	WITH lock AS MATERIALIZED (
		SELECT l.* FROM floe_internal.policy_lock AS l
	), said AS MATERIALIZED (
		SELECT v.policy_id, v.operation, v.setting, v.value, NULL::jsonb AS rule FROM floe_internal.policy_setting AS v
		WHERE v.policy_id = ANY (concerned) AND (v.operation, v.setting) IN (SELECT l.operation, l.setting FROM lock AS l)
		UNION ALL
		SELECT l.policy_id, l.operation, l.setting, COALESCE(l.rule -> 'is', l.rule -> 'min', l.rule -> 'max'), l.rule FROM lock AS l WHERE l.policy_id = ANY (concerned) AND NOT l.rule ? 'in'
	)
	SELECT DISTINCT h.policy_id, p.policy_id, COALESCE(k.position, 0::int2), concat_ws('.', NULLIF(l.operation, ''), CASE l.setting WHEN 'conditions' THEN 'when' ELSE l.setting END),
		   CASE WHEN s.rule IS NULL THEN floe_internal.setting_text(s.setting, s.value) ELSE 'the lock ' || floe_internal.lock_text(l.kind, s.rule) END, floe_internal.lock_text(l.kind, l.rule)
	FROM said AS s
	JOIN lock AS l ON l.operation = s.operation AND l.setting = s.setting AND (s.rule IS NULL OR l.policy_id <> s.policy_id)
	JOIN floe.policy AS h ON h.policy_id = l.policy_id
	JOIN floe.policy AS p ON p.policy_id = s.policy_id
	LEFT JOIN floe_internal.operation_kind AS k ON k.operation = l.operation
	WHERE (h.policy_id = ANY (of_policy_ids) OR p.policy_id = ANY (of_policy_ids)) AND h.is_enabled AND p.is_enabled AND COALESCE(h.valid_during && p.valid_during, true)
	  AND (h.policy_id = p.policy_id OR floe_internal.pattern_covers(h.pattern, p.pattern) AND NOT (floe_internal.pattern_covers(p.pattern, h.pattern) AND p.priority > h.priority))
	  AND CASE WHEN s.rule IS NULL OR s.rule ? 'is' THEN floe_internal.lock_clamp(l.kind, l.rule, s.value) IS DISTINCT FROM s.value
			WHEN l.rule ? 'is' OR l.rule ? 'in' THEN false	-- a bound within a fixed value: the fixed one wins, nothing is lost
			ELSE floe_internal.lock_number(l.kind, s.rule -> 'min') > floe_internal.lock_number(l.kind, l.rule -> 'max')
				OR floe_internal.lock_number(l.kind, s.rule -> 'max') < floe_internal.lock_number(l.kind, l.rule -> 'min') END;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_violations(pg_catalog.int4[]) IS 'Violations of locks in which one of these policies holds the lock or is the one that violates it';

CREATE FUNCTION floe_internal.check_policy_locks(saved pg_catalog.int4[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = 'force_generic_plan'
AS $body$
DECLARE
	v record;
	others text;
BEGIN
	IF saved = '{}' OR EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id IN (0, -1) OR c.policy_id = ANY (saved)) OR NOT EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.locks <> '{}') THEN
		RETURN;
	END IF;
	SELECT p.name, e.key INTO v FROM floe.policy AS p CROSS JOIN LATERAL jsonb_each(p.locks) AS e
		WHERE p.policy_id = ANY (saved) AND e.value ? 'fixed' AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_lock AS l WHERE l.policy_id = p.policy_id AND l.key = e.key)
		ORDER BY p.name, e.key LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('policy "%s": locks.%s: the policy does not set what it fixes', v.name, v.key), NULL, 'Set the field, or write {"is": value}.');
	END IF;
	PERFORM floe_internal.note_catalog_locks();
	-- what a catalog says cannot be refused
	SELECT x.*, h.name AS holder_name, h.pattern AS holder_pattern, h.owner, p.name, p.pattern, count(*) OVER () AS n INTO v
	FROM floe_internal.lock_violations(saved) AS x
	JOIN floe.policy AS h ON h.policy_id = x.holder JOIN floe.policy AS p ON p.policy_id = x.violator
	WHERE NOT EXISTS (SELECT 1 FROM floe_internal.catalog_policy AS c WHERE c.policy_id = x.violator)
	ORDER BY x.violator = ANY (saved) DESC, p.name, x.place, x.field LIMIT 1;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF v.violator = ANY (saved) THEN
		PERFORM floe_internal.refuse(format('policy "%s": %s: %s is not allowed by ', v.name, v.field, v.asked) || CASE WHEN v.holder = v.violator THEN 'its own lock' ELSE format('policy "%s"', v.holder_name) END,
			format('Policy "%s" (%s), which belongs to %s, locks the field: %s.', v.holder_name, v.holder_pattern, v.owner, v.allows),
			CASE WHEN v.holder = v.violator THEN 'Change the value or the lock.' ELSE format('Keep to that, or ask %s to change the lock.', v.owner) END, '23514');
	END IF;
	SELECT string_agg(format('policy "%s" (%s), which belongs to %s, has %s for %s', x.name, x.pattern, x.owner, x.asked, x.field), '; ' ORDER BY x.name, x.place, x.field) INTO others
	FROM (SELECT p.name, p.pattern, p.owner, y.asked, y.place, y.field FROM floe_internal.lock_violations(saved) AS y JOIN floe.policy AS p ON p.policy_id = y.violator
		  WHERE NOT EXISTS (SELECT 1 FROM floe_internal.catalog_policy AS c WHERE c.policy_id = y.violator) ORDER BY p.name, y.place, y.field LIMIT 5) AS x;
	PERFORM floe_internal.refuse(format('policy "%s": its lock of %s is violated by policy "%s"', v.holder_name, v.field, v.name) || CASE WHEN v.n > 1 THEN format(' and %s more', v.n - 1) ELSE '' END,
		format('Allowed would be %s; %s.', v.allows, others), 'Change these first, or lock what they keep to.', '23514');
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_locks(pg_catalog.int4[]) IS 'Refuses policies that violate a lock of one above, and locks that policies below violate';

-- What a catalog says and a lock overrules is shown beside it.
CREATE FUNCTION floe_internal.note_catalog_locks() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	x record;
BEGIN
	IF NOT EXISTS (SELECT 1 FROM floe_internal.catalog_policy AS c) THEN
		RETURN;
	END IF;
	FOR x IN
		WITH now AS (
			SELECT y.violator, array_agg(format('%s: %s, where policy "%s" allows %s', y.field, y.asked, h.name, y.allows) ORDER BY h.name, y.field) AS told
			FROM floe_internal.lock_violations(ARRAY(SELECT c.policy_id FROM floe_internal.catalog_policy AS c WHERE c.policy_id IS NOT NULL)) AS y
			JOIN floe.policy AS h ON h.policy_id = y.holder
			WHERE y.violator IN (SELECT c.policy_id FROM floe_internal.catalog_policy AS c)
			GROUP BY y.violator
		)
		UPDATE floe_internal.catalog_policy AS c SET locked = COALESCE(n.told, '{}')
			FROM floe_internal.catalog_policy AS old
			JOIN floe_internal.catalog AS k ON k.catalog_id = old.catalog_id
			LEFT JOIN floe.policy AS p ON p.policy_id = old.policy_id
			LEFT JOIN now AS n ON n.violator = old.policy_id
			WHERE (c.catalog_id, c.target, c.is_table, c.policy_type) = (old.catalog_id, old.target, old.is_table, old.policy_type) AND c.locked <> COALESCE(n.told, '{}')
			RETURNING k.server_name, p.name, c.locked
	LOOP
		IF x.locked <> '{}' THEN
			PERFORM floe_internal.write_event('catalog policy', x.server_name, NULL, NULL, NULL, format('policy "%s": a lock overrules %s', x.name, array_to_string(x.locked, '; ')), NULL);
		END IF;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.note_catalog_locks() IS 'Brings floe_internal.catalog_policy.locked up to date; writes an event where a lock begins to overrule a catalog';
