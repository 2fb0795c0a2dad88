-- =================================================================================================
-- 52 settings in force
-- For one table and operation: the policies' values over the table's own properties over floe's defaults.
-- =================================================================================================

CREATE TABLE floe_internal.property_setting (
	property	pg_catalog.text NOT NULL,
	operation	pg_catalog.text NOT NULL,
	setting		pg_catalog.text NOT NULL,
	unit		pg_catalog.text NOT NULL CHECK (unit IN ('bytes', 'count', 'ms')),
	fallback	pg_catalog.jsonb NOT NULL,
	PRIMARY KEY (property, operation)
);
COMMENT ON TABLE floe_internal.property_setting IS 'Iceberg table properties that stand for a setting where no policy says otherwise; fallback: Iceberg''s own default. They guide decisions only: floe sends an option to an engine only if a policy sets it';

INSERT INTO floe_internal.property_setting VALUES
	('write.target-file-size-bytes', 'rewrite_data_files', 'options.target_file_size', 'bytes', '536870912'),
	('write.delete.target-file-size-bytes', 'rewrite_position_delete_files', 'options.target_file_size', 'bytes', '67108864'),
	('history.expire.max-snapshot-age-ms', 'expire_snapshots', 'options.max_snapshot_age', 'ms', '"5 days"'),
	('history.expire.min-snapshots-to-keep', 'expire_snapshots', 'options.retain_last', 'count', '1');

-- For functions that set plan_cache_mode, which thereby ends with them. A plan is made for many tables as they are; for a few it would take longer than using one that is there.
CREATE FUNCTION floe_internal.plan_for(table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM set_config('plan_cache_mode', CASE WHEN cardinality(table_ids) > 1000 THEN 'force_custom_plan' ELSE 'force_generic_plan' END, true);
END
$body$;
COMMENT ON FUNCTION floe_internal.plan_for(pg_catalog.int8[]) IS 'How statements of the calling function that go through some tables are planned: anew for many, once for few';

CREATE FUNCTION floe_internal.sets_of(of_table_ids pg_catalog.int8[]) RETURNS pg_catalog.int4[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF cardinality(of_table_ids) > 1000 THEN
		-- going through so many tables takes longer than working out a few lists for nobody
		RETURN ARRAY(SELECT s.policy_set_id FROM floe_internal.policy_set AS s);
	END IF;
	RETURN ARRAY(SELECT DISTINCT t.policy_set_id FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (of_table_ids) AND t.policy_set_id IS NOT NULL);
END
$body$;
COMMENT ON FUNCTION floe_internal.sets_of(pg_catalog.int8[]) IS 'Lists of policies of some tables, of very many perhaps others as well';

CREATE FUNCTION floe_internal.property_value(properties pg_catalog.jsonb, property pg_catalog.text, unit pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	-- Iceberg's way to say "never" and "no limit" is its largest number: 1000 years, a petabyte and the largest integer are as good.
	RETURN CASE
		WHEN NOT properties ? property OR (properties ->> property) !~ '^[0-9]{1,19}$' OR pg_catalog.ltrim(properties ->> property, '0') = '' AND unit = 'bytes' THEN NULL
		WHEN unit = 'ms' THEN pg_catalog.to_jsonb(pg_catalog.make_interval(secs => LEAST((properties ->> property)::pg_catalog.numeric, 31557600000000) / 1000))
		ELSE pg_catalog.to_jsonb(LEAST((properties ->> property)::pg_catalog.numeric, CASE unit WHEN 'bytes' THEN 1125899906842624 ELSE 2147483647 END)::pg_catalog.int8) END;
END
$body$;
COMMENT ON FUNCTION floe_internal.property_value(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'A table property as a setting; NULL if it is absent or not a number that can be meant';

CREATE FUNCTION floe_internal.builtin_settings(of_operation pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT COALESCE(jsonb_object_agg(x.setting, x.value), '{}')
		FROM (SELECT b.setting, b.value FROM floe_internal.builtin_setting AS b WHERE b.operation = of_operation
			  UNION ALL
			  SELECT p.setting, p.fallback FROM floe_internal.property_setting AS p WHERE p.operation = of_operation) AS x);
END
$body$;
COMMENT ON FUNCTION floe_internal.builtin_settings(pg_catalog.text) IS 'Defaults of one operation as setting -> value';

CREATE FUNCTION floe_internal.property_settings(of_operation pg_catalog.text, properties pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT COALESCE(jsonb_object_agg(p.setting, p.value), '{}')
		FROM (SELECT x.setting, floe_internal.property_value(properties, x.property, x.unit) AS value
			  FROM floe_internal.property_setting AS x WHERE x.operation = of_operation AND properties ? x.property OFFSET 0) AS p
		WHERE p.value IS NOT NULL);
END
$body$;
COMMENT ON FUNCTION floe_internal.property_settings(pg_catalog.text, pg_catalog.jsonb) IS 'What a table''s properties set for one operation';

-- One row per table and operation (and one for operation ''), with everything decisions need of settings.
CREATE VIEW floe_internal.table_setting AS
	SELECT t.table_id, k.operation,
		   -- few tables have one of these properties
		   COALESCE(b.settings, '{}') || CASE WHEN t.properties ?| (SELECT pg_catalog.array_agg(p.property) FROM floe_internal.property_setting AS p)
				THEN floe_internal.property_settings(k.operation, t.properties) ELSE '{}' END || COALESCE(l.held -> 'settings', '{}') || COALESCE(e.settings, '{}') AS settings,
		   COALESCE(e.settings, '{}') AS policy_settings,
		   COALESCE(e.origins, '{}') || COALESCE(l.held -> 'origins', '{}') AS origins,
		   COALESCE(e.locked, '{}') || COALESCE(l.held -> 'locked', '{}') AS locked
	FROM floe_internal.iceberg_table AS t
	CROSS JOIN (SELECT o.operation FROM floe_internal.operation_kind AS o UNION ALL SELECT '') AS k
	LEFT JOIN (SELECT o.operation, floe_internal.builtin_settings(o.operation) AS settings
			   FROM (SELECT x.operation FROM floe_internal.operation_kind AS x UNION ALL SELECT '') AS o OFFSET 0) AS b ON b.operation = k.operation
	LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id AND e.operation = k.operation
	-- few policies lock what a table property can say
	CROSS JOIN LATERAL (SELECT CASE WHEN e.bounds IS NOT NULL THEN floe_internal.held_properties(k.operation, t.properties, e.bounds) END AS held OFFSET 0) AS l;
COMMENT ON VIEW floe_internal.table_setting IS 'Settings in force per table and operation; policy_settings and origins: the part that comes from policies; locked: what locks overruled';

CREATE FUNCTION floe_internal.lock_origin(locked pg_catalog.jsonb, setting pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.format('lock of policy "%s" (%s): %s; ', h.name, h.pattern, locked ->> 'allows')
		|| COALESCE((SELECT pg_catalog.format('policy "%s" (%s) asks for ', p.name, p.pattern) FROM floe.policy AS p WHERE p.policy_id = (locked ->> 'by')::pg_catalog.int4),
			locked ->> 'property' || ' asks for ', 'built in is ')
		|| COALESCE(floe_internal.setting_text(setting, locked -> 'asked'), 'nothing')
	FROM floe.policy AS h WHERE h.policy_id = (locked ->> 'holder')::pg_catalog.int4;
END;
COMMENT ON FUNCTION floe_internal.lock_origin(pg_catalog.jsonb, pg_catalog.text) IS 'Which lock a setting in force comes from, and what it overruled, for people';

-- Who set it: for floe.why() and floe.effective_policy().
CREATE FUNCTION floe_internal.origin_text(setting pg_catalog.text, of_operation pg_catalog.text, origins pg_catalog.jsonb, properties pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(
		(SELECT pg_catalog.format('policy "%s" (%s)', p.name, p.pattern) || COALESCE(' until ' || pg_catalog.upper(p.valid_during), '') FROM floe.policy AS p WHERE p.policy_id = (origins ->> setting)::pg_catalog.int4),
		(SELECT 'table property ' || s.property FROM floe_internal.property_setting AS s
		 WHERE s.operation = of_operation AND s.setting = origin_text.setting AND floe_internal.property_value(properties, s.property, s.unit) IS NOT NULL),
		'built in');
END;
COMMENT ON FUNCTION floe_internal.origin_text(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS 'Where a setting in force comes from, for people';

-- A table by its text form. Tables floe has not seen are told apart from names that are not names.
CREATE FUNCTION floe_internal.find_table(name pg_catalog.text) RETURNS floe_internal.iceberg_table
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	wanted text := floe_internal.format_name(floe_internal.parse_name(find_table.name));
	result floe_internal.iceberg_table;
BEGIN
	-- each of the two has an index of its own
	SELECT * INTO result FROM floe_internal.iceberg_table AS t WHERE t.name = wanted AND t.status <> 'dropped';
	IF NOT FOUND THEN
		SELECT * INTO result FROM floe_internal.iceberg_table AS t WHERE t.name = wanted AND t.status = 'dropped' ORDER BY t.table_id DESC LIMIT 1;
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.find_table(pg_catalog.text) IS 'The table of that name, NULL if floe has not seen it; a live one goes before a dropped one';

-- Only when there is no such table, so it may look through all of them.
CREATE FUNCTION floe_internal.unknown_table_hint(name pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	levels CONSTANT text[] := floe_internal.parse_name(unknown_table_hint.name);
	wanted CONSTANT text := lower(array_to_string(levels, '.'));
	near text;
BEGIN
	IF levels IS NULL THEN
		RETURN 'The name is NULL.';
	END IF;
	IF unknown_table_hint.name ~ '[*?]' THEN
		RETURN format('As a pattern it stands for many; for each of them: SELECT t.name, w.* FROM floe.matching_tables(%L) AS t (name), floe.why(t.name) AS w.', unknown_table_hint.name);
	END IF;
	-- another case, or without its catalog or the beginning of its namespace
	near := (SELECT string_agg(format('"%s"', x.name), ', ' ORDER BY x.name) FROM (
		SELECT t.name FROM floe_internal.iceberg_table AS t CROSS JOIN LATERAL lower(array_to_string(t.levels, '.')) AS n
		WHERE t.status <> 'dropped' AND (n = wanted OR right(n, length(wanted) + 1) = '.' || wanted)
		ORDER BY t.name LIMIT 3) AS x);
	RETURN CASE
		WHEN near IS NOT NULL THEN format('There is %s. Names keep their case and begin with the catalog.', near)
		WHEN EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_catalog' AND s.server_name = levels[1])
			THEN 'CALL floe.run_maintenance() lists the catalog; SELECT name FROM floe.tables shows what it found. Names keep their case.'
		ELSE format('There is no catalog "%s": the first part of the name is a SERVER of wrapper floe_catalog.', levels[1]) END;
END
$body$;
COMMENT ON FUNCTION floe_internal.unknown_table_hint(pg_catalog.text) IS 'What whoever names a table that floe does not know may have meant, or can do';

CREATE FUNCTION floe_internal.require_table(name pg_catalog.text) RETURNS floe_internal.iceberg_table
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result floe_internal.iceberg_table := floe_internal.find_table(require_table.name);
BEGIN
	IF result.table_id IS NULL THEN
		RAISE EXCEPTION 'table "%" is not known to floe', require_table.name
			USING ERRCODE = 'undefined_table', HINT = floe_internal.unknown_table_hint(require_table.name);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.require_table(pg_catalog.text) IS 'The table of that name, or error 42P01 with the next step';

CREATE FUNCTION floe.effective_policy(table_name pg_catalog.text,
		OUT operation pg_catalog.text, OUT setting pg_catalog.text, OUT value pg_catalog.text, OUT set_by pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres'
AS $body$
	SELECT NULLIF(s.operation, ''), CASE e.key WHEN 'conditions' THEN 'when' ELSE e.key END,
		   floe_internal.setting_text(e.key, e.value),
		   COALESCE(floe_internal.lock_origin(s.locked -> e.key, e.key), floe_internal.origin_text(e.key, s.operation, s.origins, COALESCE(t.properties, '{}')))
	FROM (SELECT (floe_internal.require_table(table_name)).*) AS t
	JOIN floe_internal.table_setting AS s ON s.table_id = t.table_id
	LEFT JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
	CROSS JOIN LATERAL jsonb_each(s.settings) AS e
	WHERE (s.operation = '' OR s.settings ? 'configured') AND e.key <> 'configured'
	ORDER BY k.position NULLS FIRST, e.key
$body$;
COMMENT ON FUNCTION floe.effective_policy(pg_catalog.text) IS 'Every setting in force for a table and which policy, table property or default it comes from; operation NULL: of the table as a whole';

CREATE FUNCTION floe.matching_tables(pattern pg_catalog.text, OUT name pg_catalog.text) RETURNS SETOF pg_catalog.text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT t.name FROM floe_internal.iceberg_table AS t
	WHERE t.status <> 'dropped' AND floe_internal.match_pattern(floe_internal.check_pattern(pattern), t.levels) IS NOT NULL
	ORDER BY t.name
$body$;
COMMENT ON FUNCTION floe.matching_tables(pg_catalog.text) IS 'Tables floe knows that a pattern matches';

