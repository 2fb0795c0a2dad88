-- =================================================================================================
-- 46 imports: table properties
-- Maintenance that tables carry in their properties, Iceberg's own and Amoro's, as policies for tables
-- with the same values. floe obeys Iceberg's retention and target size anyway, below all policies.
-- =================================================================================================

CREATE TABLE floe_internal.import_property (
	property	pg_catalog.text PRIMARY KEY,
	target		pg_catalog.text,
	unit		pg_catalog.text CHECK (unit IN ('bytes', 'count', 'boolean', 'milliseconds', 'minutes', 'duration', 'predicate', 'file count', 'attempts')),
	detail		pg_catalog.text
);
COMMENT ON TABLE floe_internal.import_property IS 'Table properties about maintenance, and the path in a policy that each becomes';
COMMENT ON COLUMN floe_internal.import_property.target IS 'Path in floe''s document; NULL: none, and detail says why';
COMMENT ON COLUMN floe_internal.import_property.unit IS 'What the property''s text means; a value that is no such thing is left out';

INSERT INTO floe_internal.import_property VALUES
	('write.target-file-size-bytes', 'rewrite_data_files.options.target_file_size', 'bytes', NULL),
	('write.delete.target-file-size-bytes', 'rewrite_position_delete_files.options.target_file_size', 'bytes', NULL),
	('history.expire.max-snapshot-age-ms', 'expire_snapshots.options.max_snapshot_age', 'milliseconds', NULL),
	('history.expire.min-snapshots-to-keep', 'expire_snapshots.options.retain_last', 'count', NULL),
	('history.expire.max-ref-age-ms', NULL, NULL, 'the age of references stays a property of the table'),
	('gc.enabled', NULL, NULL, 'floe obeys it, whatever policies say'),
	('write.metadata.delete-after-commit.enabled', NULL, NULL, 'writers do it with each commit'),
	('write.metadata.previous-versions-max', NULL, NULL, 'writers do it with each commit'),
	('commit.manifest.target-size-bytes', NULL, NULL, 'rewrite_manifests and its metrics obey it'),
	('commit.manifest.min-count-to-merge', NULL, NULL, 'writers do it with each commit'),
	('commit.manifest-merge.enabled', NULL, NULL, 'writers do it with each commit'),
	('self-optimizing.enabled', 'rewrite_data_files.enabled', 'boolean', NULL),
	('self-optimizing.target-size', 'rewrite_data_files.options.target_file_size', 'bytes', NULL),
	('self-optimizing.max-file-count', 'rewrite_data_files.options.max_files_to_rewrite', 'count', NULL),
	('self-optimizing.allow-partial-commit', 'rewrite_data_files.options.partial_progress_enabled', 'boolean', NULL),
	('self-optimizing.filter', 'rewrite_data_files.options.where', 'predicate', NULL),
	('self-optimizing.execute.num-retries', 'rewrite_data_files.max_attempts', 'attempts', NULL),
	('self-optimizing.minor.trigger.file-count', 'rewrite_data_files.when', 'file count', NULL),
	('self-optimizing.minor.trigger.interval', 'rewrite_data_files.deadline', 'milliseconds', NULL),
	('self-optimizing.full.trigger.interval', NULL, NULL, 'floe rewrites what has something to gain; a deadline makes it run'),
	('self-optimizing.full.rewrite-all-files', NULL, NULL, 'floe rewrites what has something to gain; the option rewrite_all does all'),
	('self-optimizing.major.trigger.duplicate-ratio', NULL, NULL, 'floe goes by deleted rows: thresholds of delete_ratio'),
	('self-optimizing.group', NULL, NULL, 'which engine: the key engine of a policy'),
	('self-optimizing.quota', NULL, NULL, 'rows of floe.budget'),
	('self-optimizing.max-task-size-bytes', NULL, NULL, 'the engine cuts its tasks'),
	('self-optimizing.fragment-ratio', NULL, NULL, 'small is what is below 0.75 of the target file size'),
	('self-optimizing.min-target-size-ratio', NULL, NULL, 'small is what is below 0.75 of the target file size; the option min_file_size changes what is rewritten'),
	('self-optimizing.min-plan-interval', NULL, NULL, 'min_poll_interval is floe''s'),
	('self-optimizing.evaluation.fallback-interval', NULL, NULL, 'poll_interval is floe''s'),
	('self-optimizing.evaluation.file-size.mse-tolerance', NULL, NULL, 'floe counts what a rewrite would remove'),
	('self-optimizing.refresh-table.adaptive.max-interval-ms', NULL, NULL, 'floe looks at a table about as often as it is written'),
	('self-optimizing.refresh-table.adaptive.increase-step-ms', NULL, NULL, 'floe looks at a table about as often as it is written'),
	('table-expire.enabled', 'expire_snapshots.enabled', 'boolean', NULL),
	('snapshot.keep.duration', 'expire_snapshots.options.max_snapshot_age', 'duration', NULL),
	('snapshot.keep.min-count', 'expire_snapshots.options.retain_last', 'count', NULL),
	('snapshot.keep.flink.checkpoint-retention', NULL, NULL, 'floe keeps what references keep'),
	('clean-orphan-file.enabled', 'remove_orphan_files.enabled', 'boolean', NULL),
	('clean-orphan-file.min-existing-time-minutes', 'remove_orphan_files.options.older_than', 'minutes', NULL),
	('clean-dangling-delete-files.enabled', 'rewrite_data_files.options.remove_dangling_deletes', 'boolean', NULL),
	('data-expire.enabled', NULL, NULL, 'floe deletes no rows'),
	('data-expire.level', NULL, NULL, 'floe deletes no rows'),
	('data-expire.field', NULL, NULL, 'floe deletes no rows'),
	('data-expire.datetime-string-pattern', NULL, NULL, 'floe deletes no rows'),
	('data-expire.datetime-number-format', NULL, NULL, 'floe deletes no rows'),
	('data-expire.retention-time', NULL, NULL, 'floe deletes no rows'),
	('data-expire.base-on-rule', NULL, NULL, 'floe deletes no rows'),
	('tag.auto-create.enabled', NULL, NULL, 'floe makes no tags'),
	('tag.auto-create.trigger.period', NULL, NULL, 'floe makes no tags'),
	('tag.auto-create.max-age-ms', NULL, NULL, 'floe makes no tags'),
	('openhouse.tableType', NULL, NULL, 'floe maintains tables of every type'),
	('policies', NULL, NULL, 'OpenHouse''s policies are of rows and replicas; floe deletes no rows');

CREATE FUNCTION floe_internal.property_number(given pg_catalog.text, most pg_catalog.numeric) RETURNS pg_catalog.numeric
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN CASE WHEN given ~ '^[0-9]{1,18}$' THEN CASE WHEN given::numeric BETWEEN 1 AND most THEN given::numeric END END;
END
$body$;
COMMENT ON FUNCTION floe_internal.property_number(pg_catalog.text, pg_catalog.numeric) IS 'A whole number from 1 to most, or NULL';

-- NULL: the text is no such value, or none that floe would do.
CREATE FUNCTION floe_internal.property_value(given pg_catalog.text, unit pg_catalog.text, target pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	n numeric := floe_internal.property_number(given, 1e18);
	part text[];
	minutes numeric;
BEGIN
	CASE unit
		WHEN 'bytes' THEN RETURN to_jsonb(n);
		WHEN 'count' THEN RETURN to_jsonb(floe_internal.property_number(given, 2147483647));
		WHEN 'attempts' THEN RETURN to_jsonb(floe_internal.property_number(given, 99) + 1);
		WHEN 'boolean' THEN RETURN CASE WHEN lower(given) IN ('true', 'false') THEN lower(given)::jsonb END;
		WHEN 'milliseconds' THEN RETURN CASE WHEN n BETWEEN 60000 AND 3e12 THEN to_jsonb(floe_internal.java_duration(to_jsonb(n / 1000), 1)) END;
		WHEN 'predicate' THEN RETURN to_jsonb(NULLIF(btrim(given), ''));
		WHEN 'file count' THEN RETURN jsonb_build_object('any', jsonb_build_array(jsonb_build_object('metric', 'small_file_count', 'op', '>=', 'value', n), jsonb_build_object('metric', 'equality_delete_file_count', 'op', '>=', 'value', n)))
			|| CASE WHEN n IS NULL THEN NULL ELSE jsonb '{}' END;
		ELSE
			part := CASE unit WHEN 'minutes' THEN ARRAY[n::text, 'min'] ELSE regexp_match(lower(given), '^\s*([0-9]{1,9})\s*(ms|s|min|m|h|d|day|days|hour|hours)?\s*$') END;
			minutes := part[1]::numeric * CASE COALESCE(part[2], 'ms') WHEN 'ms' THEN 1.0 / 60000 WHEN 's' THEN 1.0 / 60 WHEN 'min' THEN 1 WHEN 'm' THEN 1 WHEN 'h' THEN 60 WHEN 'hour' THEN 60 WHEN 'hours' THEN 60 ELSE 1440 END;
			-- younger files may belong to a commit that is under way
			IF minutes < 1440 AND target = 'remove_orphan_files.options.older_than' OR minutes > 5e7 THEN
				RETURN NULL;
			END IF;
			RETURN to_jsonb(floe_internal.java_duration(to_jsonb(round(minutes * 60)), 1));
	END CASE;
END
$body$;
COMMENT ON FUNCTION floe_internal.property_value(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'The text of a table property as a value of a policy';

CREATE FUNCTION floe_internal.nested_object(flat pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	e record;
	result jsonb := '{}'::jsonb;
BEGIN
	FOR e IN SELECT x.key, x.value FROM jsonb_each(flat) AS x ORDER BY x.key LOOP
		result := floe_internal.with_value(result, string_to_array(e.key, '.'), e.value);
	END LOOP;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.nested_object(pg_catalog.jsonb) IS 'Nested objects of paths with dots';

-- One row a group of tables with the same values. A namespace all of whose tables are in one group is one pattern.
CREATE FUNCTION floe_internal.property_groups(of_pattern pg_catalog.text, OUT catalog pg_catalog.text, OUT flat pg_catalog.jsonb, OUT patterns pg_catalog.text[], OUT tables pg_catalog.text[], OUT left_out pg_catalog.jsonb)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	WITH t AS MATERIALIZED (
		SELECT t.table_id, t.name, t.levels, t.properties FROM floe_internal.iceberg_table AS t
		WHERE t.status <> 'dropped' AND floe_internal.match_pattern(of_pattern, t.levels) IS NOT NULL),
	given AS (
		SELECT t.table_id, p.key, p.value, r.target, r.detail, CASE WHEN r.target IS NOT NULL THEN floe_internal.property_value(p.value, r.unit, r.target) END AS meant
		FROM t CROSS JOIN LATERAL jsonb_each_text(CASE jsonb_typeof(t.properties) WHEN 'object' THEN t.properties ELSE '{}' END) AS p
		JOIN floe_internal.import_property AS r ON r.property = p.key),
	said AS (
		-- two properties for one thing: Amoro's own comes after Iceberg's
		SELECT g.table_id, jsonb_object_agg(g.target, g.meant ORDER BY g.key LIKE 'self-optimizing.%' OR g.key LIKE 'snapshot.keep.%', g.key) FILTER (WHERE g.meant IS NOT NULL) AS flat,
			   COALESCE(jsonb_object_agg(g.key, COALESCE(g.detail, format('"%s" is not a value that floe takes', left(g.value, 100)))) FILTER (WHERE g.meant IS NULL), '{}') AS left_out
		FROM given AS g GROUP BY g.table_id),
	grouped AS (
		SELECT t.levels[1] AS catalog, t.levels[1:cardinality(t.levels) - 1] AS namespace, s.flat, array_agg(t.name ORDER BY t.name) AS names, jsonb_agg(DISTINCT s.left_out) AS left_outs, count(*) AS n
		FROM said AS s JOIN t USING (table_id) GROUP BY t.levels[1], t.levels[1:cardinality(t.levels) - 1], s.flat),
	sizes AS (
		SELECT x.levels[1:cardinality(x.levels) - 1] AS namespace, count(*) AS n FROM floe_internal.iceberg_table AS x WHERE x.status <> 'dropped' GROUP BY 1),
	named AS (
		SELECT g.*, CASE WHEN g.n > 1 AND g.n = z.n THEN ARRAY[floe_internal.format_name(g.namespace) || '.*'] ELSE g.names END AS items
		FROM grouped AS g JOIN sizes AS z USING (namespace))
	SELECT n.catalog, n.flat, (SELECT array_agg(i ORDER BY i) FROM unnest(string_to_array(string_agg(array_to_string(n.items, chr(31)), chr(31)), chr(31))) AS i),
		   (SELECT array_agg(i ORDER BY i) FROM unnest(string_to_array(string_agg(array_to_string(n.names, chr(31)), chr(31)), chr(31))) AS i),
		   (SELECT COALESCE(jsonb_object_agg(o.key, o.value), '{}') FROM jsonb_array_elements(jsonb_agg(n.left_outs)) AS a CROSS JOIN LATERAL jsonb_array_elements(a) AS l CROSS JOIN LATERAL jsonb_each(l) AS o)
	FROM named AS n GROUP BY n.catalog, n.flat
$body$;
COMMENT ON FUNCTION floe_internal.property_groups(pg_catalog.text) IS 'Tables by what their properties say of maintenance; flat NULL: only what has no place in a policy';

CREATE FUNCTION floe.import_table_properties(pattern pg_catalog.text, settings pg_catalog.jsonb DEFAULT '{}', save pg_catalog.bool DEFAULT false,
		OUT policy pg_catalog.text, OUT document pg_catalog.jsonb, OUT tables pg_catalog.text[], OUT left_out pg_catalog.jsonb)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	most CONSTANT int4 := 60;	-- parts of one pattern
	g record;
	parts int4;
BEGIN
	PERFORM floe_internal.check_pattern(import_table_properties.pattern), floe_internal.check_import_settings(settings);
	FOR g IN SELECT x.* FROM floe_internal.property_groups(import_table_properties.pattern) AS x ORDER BY x.catalog, cardinality(x.tables) DESC, x.flat::text LOOP
		tables := g.tables;
		left_out := g.left_out;
		IF g.flat IS NULL THEN
			policy := NULL;
			document := NULL;
			RETURN NEXT;
			CONTINUE;
		END IF;
		parts := (cardinality(g.patterns) + most - 1) / most;
		FOR part IN 1 .. parts LOOP
			policy := format('properties of %s: %s%s', left(g.catalog, 150), left(md5(g.flat::text), 8), CASE WHEN parts > 1 THEN format(' (%s)', part) ELSE '' END);
			document := floe_internal.nested_object(g.flat) || jsonb_build_object('name', policy, 'pattern', array_to_string(g.patterns[(part - 1) * most + 1:part * most], ', '),
				'description', 'From table properties.') || CASE WHEN settings ? 'engine' THEN jsonb_build_object('engine', settings -> 'engine') ELSE '{}' END;
			tables := CASE WHEN parts = 1 THEN g.tables ELSE ARRAY(SELECT n FROM unnest(g.tables) AS n
				WHERE floe_internal.match_pattern(document ->> 'pattern', floe_internal.parse_name(n)) IS NOT NULL ORDER BY n) END;
			IF save THEN
				PERFORM floe.import_policy(document);
			END IF;
			RETURN NEXT;
		END LOOP;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe.import_table_properties(pg_catalog.text, pg_catalog.jsonb, pg_catalog.bool) IS 'Policies that say what the properties of matching tables say (Iceberg''s and Amoro''s), one for tables with the same values; save: makes them. left_out: properties without a place in a policy, and why';
