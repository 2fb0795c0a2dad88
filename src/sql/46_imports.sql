-- =================================================================================================
-- 46 imports
-- Policies of other systems: which kind of document it is, what each of its fields becomes, and the
-- report that says so. The systems themselves: 46_imports_java, 46_imports_gravitino, 44 (Polaris);
-- table properties: 46_imports_properties. Nothing is silently dropped: each field gets a row.
-- =================================================================================================

CREATE TABLE floe_internal.import_field (
	source		pg_catalog.text NOT NULL,
	part		pg_catalog.text NOT NULL,
	field		pg_catalog.text NOT NULL,
	json_type	pg_catalog.text NOT NULL CHECK (json_type IN ('text', 'whole number', 'number', 'boolean', 'list of texts', 'map of texts', 'object', 'any')),
	target		pg_catalog.text[],
	unit		pg_catalog.text,
	status		pg_catalog.text CHECK (status IN ('translated', 'approximated', 'without meaning', 'refused')),
	detail		pg_catalog.text,
	PRIMARY KEY (source, part, field)
);
COMMENT ON TABLE floe_internal.import_field IS 'Fields of the policies of other systems, and what they become';
COMMENT ON COLUMN floe_internal.import_field.source IS 'java: the Java service of the same name; properties: its application.properties and floe-config.yaml; gravitino: Apache Gravitino';
COMMENT ON COLUMN floe_internal.import_field.part IS 'Object of the document the field stands in; policy: the document itself; schedule: each of the schedules';
COMMENT ON COLUMN floe_internal.import_field.target IS 'Paths in the part of floe''s document that it becomes, levels joined with dots; NULL: none, or code works it out';
COMMENT ON COLUMN floe_internal.import_field.unit IS 'A number means so many of these; name: the value is a name that floe writes in lower case with hyphens';
COMMENT ON COLUMN floe_internal.import_field.status IS 'NULL: code says it, as it depends on other fields';

CREATE FUNCTION floe_internal.told(field pg_catalog.text, value pg_catalog.jsonb, status pg_catalog.text, detail pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('field', field, 'value', value, 'status', status, 'detail', detail));
END;
COMMENT ON FUNCTION floe_internal.told(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'One row of the report of an import, as a list to append';

-- A document with a value at a path; objects on the way are made.
CREATE FUNCTION floe_internal.with_value(document pg_catalog.jsonb, path pg_catalog.text[], value pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF cardinality(path) = 1 THEN
		RETURN document || jsonb_build_object(path[1], value);
	END IF;
	RETURN document || jsonb_build_object(path[1], floe_internal.with_value(COALESCE(document -> path[1], '{}'), path[2:], value));
END
$body$;
COMMENT ON FUNCTION floe_internal.with_value(pg_catalog.jsonb, pg_catalog.text[], pg_catalog.jsonb) IS 'jsonb_set() that also makes the objects on the way';

CREATE FUNCTION floe_internal.has_type(value pg_catalog.jsonb, json_type pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN CASE json_type
		WHEN 'any' THEN true
		WHEN 'text' THEN jsonb_typeof(value) = 'string'
		-- of Java's long
		WHEN 'whole number' THEN CASE WHEN jsonb_typeof(value) = 'number' THEN (value #>> '{}')::numeric BETWEEN -9223372036854775808 AND 9223372036854775807
			AND trunc((value #>> '{}')::numeric) = (value #>> '{}')::numeric ELSE false END
		WHEN 'number' THEN CASE WHEN jsonb_typeof(value) = 'number' THEN abs((value #>> '{}')::numeric) < 1e18 ELSE false END
		WHEN 'list of texts' THEN CASE WHEN jsonb_typeof(value) = 'array' THEN NOT EXISTS (SELECT FROM jsonb_array_elements(value) AS e WHERE jsonb_typeof(e) <> 'string') ELSE false END
		WHEN 'map of texts' THEN CASE WHEN jsonb_typeof(value) = 'object' THEN NOT EXISTS (SELECT FROM jsonb_each(value) AS e WHERE jsonb_typeof(e.value) <> 'string') ELSE false END
		ELSE jsonb_typeof(value) = json_type END;
END
$body$;
COMMENT ON FUNCTION floe_internal.has_type(pg_catalog.jsonb, pg_catalog.text) IS 'Whether a value is what import_field.json_type says';

CREATE FUNCTION floe_internal.in_unit(value pg_catalog.jsonb, unit pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN CASE
		WHEN unit IS NULL THEN value
		WHEN unit = 'name' THEN to_jsonb(replace(lower(value #>> '{}'), '_', '-'))
		-- a metric's unit
		WHEN unit = 'days as seconds' THEN to_jsonb(trim_scale((value #>> '{}')::numeric * 86400))
		ELSE to_jsonb(format('%s %s', trim_scale((value #>> '{}')::numeric), unit)) END;
END
$body$;
COMMENT ON FUNCTION floe_internal.in_unit(pg_catalog.jsonb, pg_catalog.text) IS 'A value of another system as floe writes it (import_field.unit)';

-- The fields of one part: their types, and those that need no thought. taken: what they become; given: values of all that have the right type;
-- what has neither target nor status is for the caller.
CREATE FUNCTION floe_internal.import_fields(of_source pg_catalog.text, of_part pg_catalog.text, place pg_catalog.text, part_values pg_catalog.jsonb,
		OUT taken pg_catalog.jsonb, OUT given pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	f record;
	path text;
BEGIN
	taken := '{}';
	given := '{}';
	report := '[]';
	FOR f IN
		SELECT e.key, e.value, i.* FROM jsonb_each(part_values) AS e
		LEFT JOIN floe_internal.import_field AS i ON i.source = of_source AND i.part = of_part AND i.field = e.key
		WHERE e.value NOT IN ('null', '{}', '[]')
		ORDER BY e.key
	LOOP
		IF f.field IS NULL THEN
			report := report || floe_internal.told(place || f.key, f.value, 'without meaning', 'There is no field of this name there.');
		ELSIF NOT floe_internal.has_type(f.value, f.json_type) THEN
			report := report || floe_internal.told(place || f.key, f.value, 'refused', format('It must be %s %s.', CASE f.json_type WHEN 'object' THEN 'an' ELSE 'a' END, f.json_type));
		ELSE
			given := given || jsonb_build_object(f.key, f.value);
			FOREACH path IN ARRAY COALESCE(f.target, '{}') LOOP
				taken := floe_internal.with_value(taken, string_to_array(path, '.'), floe_internal.in_unit(f.value, f.unit));
			END LOOP;
			IF f.status IS NOT NULL THEN
				report := report || floe_internal.told(place || f.key, f.value, f.status, concat_ws(' ', CASE WHEN f.target IS NOT NULL THEN array_to_string(f.target, ', ') || '.' END, f.detail));
			END IF;
		END IF;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.import_fields(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb) IS 'Translates the fields of one object of another system''s policy by floe_internal.import_field';

CREATE FUNCTION floe_internal.has_java_key(document pg_catalog.jsonb) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM pg_catalog.jsonb_object_keys(document) AS k
		WHERE k OPERATOR(pg_catalog.~) '^(tablePattern|table_pattern|table-pattern|health[-_]?[tT]hresholds|trigger[-_]?[cC]onditions|rewriteDataFiles(Schedule)?|expireSnapshots(Schedule)?|orphanCleanup(Schedule)?|rewriteManifests(Schedule)?|(rewrite-data-files|expire-snapshots|orphan-cleanup|rewrite-manifests)(-schedule)?|(rewrite_data_files|expire_snapshots|orphan_cleanup|rewrite_manifests)_(config|schedule))$');
END;
COMMENT ON FUNCTION floe_internal.has_java_key(pg_catalog.jsonb) IS 'Whether an object has a field that only policies of the Java service have';

-- What nobody else claims is floe's own, and is refused as such if it is not. place: for the refusal.
CREATE FUNCTION floe_internal.document_kind(document pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	kinds text[] := '{}'::text[];
	floes text;
BEGIN
	IF jsonb_typeof(document) IS DISTINCT FROM 'object' THEN
		RETURN 'floe';
	END IF;
	IF floe_internal.has_java_key(document) THEN
		kinds := kinds || 'java'::text;
	END IF;
	IF document ? 'policyType' OR jsonb_typeof(document -> 'policy') = 'object' AND document -> 'policy' ? 'policyType' THEN
		kinds := kinds || 'gravitino'::text;
	ELSIF floe_internal.is_polaris_policy(document) THEN
		kinds := kinds || 'polaris'::text;
	END IF;
	IF document ?| ARRAY['scheduler', 'floe'] AND NOT document ? 'name' OR EXISTS (SELECT FROM jsonb_object_keys(document) AS k WHERE k LIKE 'floe.%') THEN
		kinds := kinds || 'properties'::text;
	END IF;
	SELECT k INTO floes FROM jsonb_object_keys(document) AS k
		WHERE k IN (SELECT o.operation FROM floe_internal.operation_kind AS o) OR k IN ('exclude', 'thresholds', 'weights', 'poll_interval', 'min_poll_interval')
		ORDER BY k LIMIT 1;
	-- keys of floe may stand beside a policy of Polaris or Gravitino
	IF cardinality(kinds) > 1 OR kinds = '{java}' AND floes IS NOT NULL THEN
		PERFORM floe_internal.refuse(format('%s: it is not clear what kind of policy this is', place),
			format('It has fields of: %s.', array_to_string(kinds || CASE WHEN floes IS NOT NULL THEN format('floe (%s)', floes) END, ', ')),
			'Keep those of one kind: of floe ("pattern", "rewrite_data_files"), the Java service ("tablePattern", "rewriteDataFiles"), Polaris ("policy-type") or Gravitino ("policyType").');
	END IF;
	RETURN COALESCE(kinds[1], 'floe');
END
$body$;
COMMENT ON FUNCTION floe_internal.document_kind(pg_catalog.jsonb, pg_catalog.text) IS 'Whose policy a document is: floe, java, properties, polaris or gravitino; refused where two could be meant';

-- Lists, pages ({"policies": [...], "total": …}) and single ones, in order.
CREATE FUNCTION floe_internal.import_parts(document pg_catalog.jsonb, OUT place pg_catalog.text, OUT part pg_catalog.jsonb) RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	list jsonb := CASE WHEN jsonb_typeof(document) = 'array' THEN document
		WHEN jsonb_typeof(document -> 'policies') = 'array' THEN document -> 'policies'
		WHEN jsonb_typeof(document -> 'applicable-policies') = 'array' THEN document -> 'applicable-policies' ELSE jsonb_build_array(document) END;
BEGIN
	IF document IS NULL OR jsonb_typeof(document) NOT IN ('array', 'object') THEN
		PERFORM floe_internal.refuse('a policy, a list of policies or {"policies": [...]} is needed', NULL, 'docs/imports.md has examples of each system.');
	END IF;
	IF length(document::text) > 16777216 OR jsonb_array_length(list) > 1000 THEN
		PERFORM floe_internal.refuse('the document has more than 16 MB or 1000 policies', NULL, 'Import it in parts.', '54000');
	END IF;
	IF EXISTS (SELECT FROM jsonb_array_elements(list) AS e WHERE jsonb_typeof(e) = 'string') THEN
		PERFORM floe_internal.refuse('the list has names of policies instead of policies', NULL, 'Ask for the policies themselves: of Gravitino with details=true.');
	END IF;
	RETURN QUERY SELECT COALESCE(e.value ->> 'name', e.value #>> '{policy,name}', format('[%s]', e.n - 1)), e.value
		FROM jsonb_array_elements(list) WITH ORDINALITY AS e (value, n) ORDER BY e.n;
END
$body$;
COMMENT ON FUNCTION floe_internal.import_parts(pg_catalog.jsonb) IS 'The single policies of what was given to an import, with the name of each or its place in the list';

CREATE FUNCTION floe_internal.check_import_settings(settings pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	stray text;
BEGIN
	IF jsonb_typeof(settings) IS DISTINCT FROM 'object' THEN
		PERFORM floe_internal.refuse('the settings of an import must be an object', NULL, 'For example {"engine": "spark", "timezone": "Europe/Amsterdam", "catalogs": {"demo": "lake"}}.');
	END IF;
	SELECT k INTO stray FROM jsonb_object_keys(settings) AS k WHERE k NOT IN ('engine', 'timezone', 'catalogs', 'pattern') ORDER BY k LIMIT 1;
	IF stray IS NOT NULL THEN
		PERFORM floe_internal.refuse(format('unknown setting of an import "%s"', stray), NULL, 'Valid settings are: engine, timezone, catalogs, pattern.');
	END IF;
	IF NOT floe_internal.has_type(COALESCE(settings -> 'catalogs', '{}'), 'map of texts') THEN
		PERFORM floe_internal.refuse('catalogs must be a map of texts', NULL, 'The catalog''s name there, and the name of its SERVER here: {"demo": "lake"}.');
	END IF;
	SELECT k INTO stray FROM unnest(ARRAY['engine', 'timezone', 'pattern']) AS k WHERE settings ? k AND jsonb_typeof(settings -> k) <> 'string' LIMIT 1;
	IF stray IS NOT NULL THEN
		PERFORM floe_internal.refuse(format('%s must be a text', stray), NULL, NULL);
	END IF;
	IF settings ? 'engine' THEN
		PERFORM floe_internal.check_engine_name(settings ->> 'engine', 'engine');
	END IF;
	IF settings ? 'timezone' THEN
		PERFORM floe_internal.check_timezone(settings ->> 'timezone', 'timezone');
	END IF;
	IF settings ? 'pattern' THEN
		PERFORM floe_internal.check_pattern(settings ->> 'pattern');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_import_settings(pg_catalog.jsonb) IS 'Refuses settings of an import that there are not';

-- One policy of whatever kind as a document of floe. translated NULL: there is nothing in it that floe could save.
CREATE FUNCTION floe_internal.foreign_document(document pg_catalog.jsonb, settings pg_catalog.jsonb, place pg_catalog.text,
		OUT kind pg_catalog.text, OUT translated pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	left_out text[];
BEGIN
	kind := floe_internal.document_kind(document, place);
	CASE kind
		WHEN 'java' THEN
			SELECT j.translated, j.report INTO translated, report FROM floe_internal.java_document(document, settings) AS j;
		WHEN 'gravitino' THEN
			SELECT g.translated, g.report INTO translated, report FROM floe_internal.gravitino_document(document, settings) AS g;
		WHEN 'polaris' THEN
			SELECT p.translated, p.left_out INTO translated, left_out FROM floe_internal.polaris_document(
				CASE WHEN settings ? 'pattern' AND NOT document ? 'pattern' THEN document || jsonb_build_object('pattern', settings -> 'pattern') ELSE document END) AS p;
			report := COALESCE((SELECT jsonb_agg(jsonb_build_object('field', format('%s.%s', e.key, o.key), 'value', o.value, 'status', 'translated', 'detail', NULL) ORDER BY e.key, o.key)
					FROM jsonb_each(translated) AS e CROSS JOIN LATERAL jsonb_each(e.value -> 'options') AS o WHERE jsonb_typeof(e.value) = 'object'), '[]')
				|| COALESCE((SELECT jsonb_agg(jsonb_build_object('field', format('content.config.%s', l), 'value', NULL, 'status', 'without meaning', 'detail', 'No option of the operation.') ORDER BY l)
					FROM unnest(left_out) AS l), '[]');
		WHEN 'properties' THEN
			SELECT p.budgets, p.report INTO translated, report FROM floe_internal.java_properties(document) AS p;
		ELSE
			translated := document;
			report := COALESCE((SELECT jsonb_agg(jsonb_build_object('field', e.key, 'value', e.value, 'status', 'translated', 'detail', NULL) ORDER BY e.key)
				FROM jsonb_each(CASE WHEN jsonb_typeof(document) = 'object' THEN document ELSE '{}' END) AS e), '[]');
	END CASE;
	IF settings ? 'engine' AND kind <> 'properties' AND jsonb_typeof(translated) = 'object' AND NOT translated ? 'engine' THEN
		translated := translated || jsonb_build_object('engine', settings -> 'engine');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.foreign_document(pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.text) IS 'A policy of any kind as a document of floe, with a report of what became of its fields';

-- Saves a translated document; the row of the report that says why not, or none.
CREATE FUNCTION floe_internal.save_imported(kind pg_catalog.text, document pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	told text;
	detail text;
	hint text;
BEGIN
	IF kind = 'properties' THEN
		INSERT INTO floe.budget (name, period, operations, tables, bytes, description)
			SELECT b.key, (b.value ->> 'period')::interval, (b.value ->> 'operations')::int8, (b.value ->> 'tables')::int8, (b.value ->> 'bytes')::int8, b.value ->> 'description'
			FROM jsonb_each(document) AS b
			ON CONFLICT (name) DO UPDATE SET (period, operations, tables, bytes, description) = (EXCLUDED.period, EXCLUDED.operations, EXCLUDED.tables, EXCLUDED.bytes, EXCLUDED.description);
	ELSE
		PERFORM floe.import_policy(document);
	END IF;
	RETURN '[]'::jsonb;
EXCEPTION WHEN invalid_parameter_value OR feature_not_supported OR exclusion_violation OR integrity_constraint_violation OR program_limit_exceeded THEN
	GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN floe_internal.told(NULL, NULL, 'refused', concat_ws(' ', told || '.', NULLIF(detail, ''), NULLIF(hint, '')));
END
$body$;
COMMENT ON FUNCTION floe_internal.save_imported(pg_catalog.text, pg_catalog.jsonb) IS 'Saves what an import made; returns the refusal as a row of the report';

-- Translates and saves all of it; policies after one that is refused are still looked at, so that the report is whole.
CREATE FUNCTION floe_internal.import_all(document pg_catalog.jsonb, settings pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	p record;
	kind text;
	translated jsonb;
	rows jsonb;
	javas jsonb := '[]'::jsonb;
	names text[] := '{}'::text[];
	result jsonb[] := '{}'::jsonb[];
	told text;
	detail text;
	hint text;
BEGIN
	PERFORM floe_internal.check_import_settings(settings);
	IF document -> 'hasMore' = 'true' THEN
		result := result || floe_internal.told('hasMore', 'true', 'approximated', 'This is one page: there are more policies than are in the document.');
	END IF;
	FOR p IN SELECT * FROM floe_internal.import_parts(document) LOOP
		kind := NULL;
		translated := NULL;
		BEGIN
			SELECT t.kind, t.translated, t.report INTO kind, translated, rows FROM floe_internal.foreign_document(p.part, settings, p.place) AS t;
		EXCEPTION WHEN invalid_parameter_value OR feature_not_supported OR invalid_regular_expression THEN
			GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			rows := floe_internal.told(NULL, NULL, 'refused', concat_ws(' ', told || '.', NULLIF(detail, ''), NULLIF(hint, '')));
		END;
		IF kind <> 'properties' AND translated ->> 'name' = ANY (names) THEN
			rows := rows || floe_internal.told('name', translated -> 'name', 'refused', 'Another policy of the document has this name.');
		END IF;
		names := names || (translated ->> 'name');
		IF translated IS NOT NULL AND NOT rows @> '[{"status": "refused"}]' THEN
			rows := rows || floe_internal.save_imported(kind, translated);
		END IF;
		IF kind = 'java' THEN
			javas := javas || jsonb_build_array(jsonb_build_object('name', p.part ->> 'name', 'pattern', COALESCE(p.part -> 'tablePattern', p.part -> 'table_pattern', p.part -> 'pattern'), 'priority', p.part -> 'priority', 'enabled', p.part -> 'enabled'));
		END IF;
		result := result || COALESCE((SELECT jsonb_agg(jsonb_build_object('policy', p.place) || r.value ORDER BY r.n) FROM jsonb_array_elements(rows) WITH ORDINALITY AS r (value, n)), '[]');
	END LOOP;
	RETURN (SELECT COALESCE(jsonb_agg(r.value ORDER BY l.n, r.n), '[]') FROM unnest(result || floe_internal.java_overlaps(javas)) WITH ORDINALITY AS l (list, n) CROSS JOIN LATERAL jsonb_array_elements(l.list) WITH ORDINALITY AS r (value, n));
END
$body$;
COMMENT ON FUNCTION floe_internal.import_all(pg_catalog.jsonb, pg_catalog.jsonb) IS 'Imports all policies of a document that are not refused; returns the report. The caller undoes it where it is to be all or nothing';

CREATE FUNCTION floe_internal.import_rows(report pg_catalog.jsonb, OUT policy pg_catalog.text, OUT field pg_catalog.text, OUT value pg_catalog.jsonb, OUT status pg_catalog.text, OUT detail pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT r.value ->> 'policy', r.value ->> 'field', NULLIF(r.value -> 'value', 'null'), r.value ->> 'status', NULLIF(r.value ->> 'detail', '')
	FROM pg_catalog.jsonb_array_elements(report) WITH ORDINALITY AS r (value, n) ORDER BY r.n;
END;
COMMENT ON FUNCTION floe_internal.import_rows(pg_catalog.jsonb) IS 'The report of an import as rows';

CREATE FUNCTION floe.check_import(document pg_catalog.jsonb, settings pg_catalog.jsonb DEFAULT '{}',
		OUT policy pg_catalog.text, OUT field pg_catalog.text, OUT value pg_catalog.jsonb, OUT status pg_catalog.text, OUT detail pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	report jsonb;
BEGIN
	BEGIN
		report := floe_internal.import_all(document, settings);
		RAISE EXCEPTION USING ERRCODE = 'FLO46';	-- undoes what was saved
	EXCEPTION WHEN SQLSTATE 'FLO46' THEN
		NULL;
	END;
	RETURN QUERY SELECT * FROM floe_internal.import_rows(report);
END
$body$;
COMMENT ON FUNCTION floe.check_import(pg_catalog.jsonb, pg_catalog.jsonb) IS 'What floe.import_policies() would make of the policies, field by field, and what it would refuse; saves nothing. status: translated, approximated, without meaning or refused';

CREATE FUNCTION floe.import_policies(document pg_catalog.jsonb, settings pg_catalog.jsonb DEFAULT '{}',
		OUT policy pg_catalog.text, OUT field pg_catalog.text, OUT value pg_catalog.jsonb, OUT status pg_catalog.text, OUT detail pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	report jsonb := floe_internal.import_all(document, settings);
	first record;
BEGIN
	SELECT r.*, count(*) OVER () AS n INTO first FROM floe_internal.import_rows(report) AS r WHERE r.status = 'refused' LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('%s: %s', CASE WHEN first.n = 1 THEN 'the document is refused' ELSE format('the document is refused for %s reasons', first.n) END, concat_ws(': ', format('policy "%s"', first.policy), first.field)),
			first.detail, 'Nothing was imported. floe.check_import() shows what becomes of each field.');
	END IF;
	RETURN QUERY SELECT * FROM floe_internal.import_rows(report);
END
$body$;
COMMENT ON FUNCTION floe.import_policies(pg_catalog.jsonb, pg_catalog.jsonb) IS 'Makes policies of floe from one or many of floe, the Java service, Polaris or Gravitino, or turns those of their names into them: all or none. Returns what became of each field. settings: engine, timezone, catalogs ({"there": "here"}), pattern';

-- For floe.import_policy(): one policy of any kind as floe's own. What has no meaning is told in a NOTICE.
CREATE FUNCTION floe_internal.own_document(document pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	t record;
	bad record;
	left_out text[];
	place text := COALESCE(document ->> 'name', document #>> '{policy,name}');
BEGIN
	IF jsonb_typeof(document -> 'policies') = 'array' THEN
		PERFORM floe_internal.refuse('floe.import_policy() takes one policy', NULL, 'floe.import_policies() takes many.');
	END IF;
	SELECT * INTO t FROM floe_internal.foreign_document(document, '{}', format('policy "%s"', place));
	IF t.kind = 'floe' THEN
		RETURN document;
	ELSIF t.kind = 'properties' THEN
		PERFORM floe_internal.refuse('these are settings of the Java service, and no policy', NULL, 'floe.import_policies() makes budgets of them.');
	END IF;
	SELECT r.* INTO bad FROM floe_internal.import_rows(t.report) AS r WHERE r.status = 'refused' LIMIT 1;
	IF FOUND OR t.translated IS NULL THEN
		PERFORM floe_internal.refuse(format('policy "%s"%s is not imported', place, ': ' || bad.field), COALESCE(bad.detail, 'There is no policy in it.'),
			'floe.check_import() shows what becomes of each field.', '0A000');
	END IF;
	left_out := (SELECT array_agg(regexp_replace(r.field, '^content\.config\.', '')) FROM floe_internal.import_rows(t.report) AS r WHERE r.status = 'without meaning');
	IF left_out IS NOT NULL THEN
		RAISE NOTICE 'policy "%": left out, as floe has nothing of the kind: %', t.translated ->> 'name', array_to_string(left_out, ', ');
	END IF;
	RETURN t.translated;
END
$body$;
COMMENT ON FUNCTION floe_internal.own_document(pg_catalog.jsonb) IS 'A document for floe.import_policy() as one of floe';
