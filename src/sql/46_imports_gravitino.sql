-- =================================================================================================
-- 46 imports: Apache Gravitino
-- Policies as its REST API answers with them (main, 2026-08): the type system_iceberg_compaction, and
-- custom ones that carry the rules which that one generates. Where a policy is attached is another
-- answer of the API ("metadataObjects"), which stands beside it, or a pattern.
-- =================================================================================================

INSERT INTO floe_internal.import_field (source, part, field, json_type, target, status, detail) VALUES
	('gravitino', 'policy', 'name', 'text', '{name}', 'translated', NULL),
	('gravitino', 'policy', 'comment', 'text', '{description}', 'translated', NULL),
	('gravitino', 'policy', 'policyType', 'text', NULL, NULL, NULL),
	('gravitino', 'policy', 'enabled', 'boolean', '{enabled}', 'translated', 'Gravitino leaves it to who reads the policy.'),
	('gravitino', 'policy', 'audit', 'any', NULL, 'without meaning', 'floe.policy_history has the times of floe''s versions.'),
	('gravitino', 'policy', 'inherited', 'any', NULL, 'without meaning', 'The pattern says where it applies.'),
	('gravitino', 'policy', 'inheritable', 'any', NULL, 'without meaning', 'The pattern says where it applies.'),
	('gravitino', 'policy', 'exclusive', 'any', NULL, 'without meaning', 'floe takes each field from the first policy that sets it.'),
	('gravitino', 'policy', 'code', 'any', NULL, 'without meaning', 'Of the answer, not of the policy.'),
	('gravitino', 'policy', 'content', 'object', NULL, NULL, NULL),
	('gravitino', 'content', 'minDataFileMse', 'number', NULL, 'approximated', 'when: floe''s own limit of files that a rewrite would remove (excess_file_count). The mean square of how far sizes are from the target, in square bytes, grows with one large file as with a thousand small ones.'),
	('gravitino', 'content', 'minDeleteFileNumber', 'number', NULL, NULL, NULL),
	('gravitino', 'content', 'dataFileMseWeight', 'number', NULL, 'without meaning', 'Terms of floe''s debt are normalised before they are weighted: weights of a policy.'),
	('gravitino', 'content', 'deleteFileNumberWeight', 'number', NULL, 'without meaning', 'Terms of floe''s debt are normalised before they are weighted: weights of a policy.'),
	('gravitino', 'content', 'maxPartitionNum', 'number', NULL, 'without meaning', 'floe cuts large runs by bytes or time: slice_bytes, slice_time.'),
	('gravitino', 'content', 'max-partition-num', 'any', NULL, 'without meaning', 'floe cuts large runs by bytes or time: slice_bytes, slice_time.'),
	('gravitino', 'content', 'trigger-expr', 'text', NULL, 'without meaning', 'The conditions of an operation ("when") take its place.'),
	('gravitino', 'content', 'score-expr', 'text', NULL, 'without meaning', 'floe.debt() and weights take its place.'),
	('gravitino', 'content', 'rewriteOptions', 'object', NULL, NULL, NULL),
	('gravitino', 'content', 'customRules', 'object', NULL, NULL, NULL),
	('gravitino', 'content', 'properties', 'map of texts', NULL, NULL, NULL),
	('gravitino', 'content', 'supportedObjectTypes', 'any', NULL, 'without meaning', 'The pattern says where it applies.');

-- CATALOG a, SCHEMA a.b, TABLE a.b.c. A catalog's name may be another here.
CREATE FUNCTION floe_internal.gravitino_pattern(objects pg_catalog.jsonb, catalogs pg_catalog.jsonb, OUT pattern pg_catalog.text, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	o record;
	items text[] := '{}'::text[];
	kind text;
	levels text[];
BEGIN
	report := '[]';
	FOR o IN SELECT e.value, format('metadataObjects[%s]', e.n - 1) AS place FROM jsonb_array_elements(objects) WITH ORDINALITY AS e (value, n) ORDER BY e.n LOOP
		kind := upper(o.value ->> 'type');
		levels := string_to_array(o.value ->> 'fullName', '.');
		levels := COALESCE(catalogs ->> levels[1], levels[1]) || levels[2:];
		IF kind IS NULL OR levels IS NULL OR '' = ANY (levels) THEN
			report := report || floe_internal.told(o.place, o.value, 'refused', 'An object has a "type" and a "fullName".');
		ELSIF kind NOT IN ('CATALOG', 'SCHEMA', 'TABLE') THEN
			report := report || floe_internal.told(o.place, o.value, 'without meaning', 'floe maintains tables.');
		ELSIF cardinality(levels) < (CASE kind WHEN 'CATALOG' THEN 1 WHEN 'SCHEMA' THEN 2 ELSE 3 END) THEN
			report := report || floe_internal.told(o.place, o.value, 'refused', 'Its name has too few levels.');
		ELSE
			-- "a.b.**" is also the table b of a
			items := items || (floe_internal.format_name(levels) || CASE kind WHEN 'TABLE' THEN '' ELSE '.*.**' END);
			report := report || floe_internal.told(o.place, o.value, 'translated', format('pattern %s.', items[cardinality(items)]));
		END IF;
	END LOOP;
	pattern := NULLIF(array_to_string(items, ', '), '');
END
$body$;
COMMENT ON FUNCTION floe_internal.gravitino_pattern(pg_catalog.jsonb, pg_catalog.jsonb) IS 'Metadata objects that a policy of Gravitino is attached to as a pattern';

CREATE FUNCTION floe_internal.gravitino_options(place pg_catalog.text, given pg_catalog.jsonb, OUT options pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.jsonb_object_agg(o.option, floe_internal.polaris_value(e.value, o.value_type, NULL)) FILTER (WHERE o.option IS NOT NULL), '{}'),
		   COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('field', place || e.key, 'value', e.value, 'status', CASE WHEN o.option IS NULL THEN 'without meaning' ELSE 'translated' END,
				'detail', CASE WHEN o.option IS NULL THEN 'No option of rewrite_data_files.' ELSE 'options.' || o.option || '.' END) ORDER BY e.key), '[]')
	FROM pg_catalog.jsonb_each(COALESCE(given, '{}')) AS e
	LEFT JOIN LATERAL (SELECT x.option, x.value_type FROM floe_internal.engine_options() AS x
		WHERE x.operation = 'rewrite_data_files' AND (x.option = e.key OR e.key = ANY (x.aliases)) LIMIT 1) AS o ON true;
END;
COMMENT ON FUNCTION floe_internal.gravitino_options(pg_catalog.text, pg_catalog.jsonb) IS 'Rewrite options of Gravitino, texts by Iceberg''s names, as options of rewrite_data_files';

CREATE FUNCTION floe_internal.gravitino_content(policy_type pg_catalog.text, content pg_catalog.jsonb, OUT keys pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	rules jsonb;
	f record;
	o record;
	deletes jsonb;
BEGIN
	SELECT * INTO f FROM floe_internal.import_fields('gravitino', 'content', 'content.', content);
	report := f.report;
	IF policy_type = 'custom' THEN
		rules := COALESCE(f.given -> 'customRules', '{}');
		IF NOT rules ?| ARRAY['trigger-expr', 'score-expr', 'minDataFileMse'] AND COALESCE(f.given #>> '{properties,strategy.type}', '') <> 'iceberg-data-compaction' THEN
			report := report || COALESCE((SELECT jsonb_agg(jsonb_build_object('field', 'content.customRules.' || r.key, 'value', r.value, 'status', 'without meaning', 'detail', 'What a custom rule means only its reader knows.') ORDER BY r.key) FROM jsonb_each(rules) AS r), '[]');
			RETURN;	-- it is not about compaction
		END IF;
		SELECT * INTO f FROM floe_internal.import_fields('gravitino', 'content', 'content.customRules.', rules - ARRAY(SELECT k FROM jsonb_object_keys(rules) AS k WHERE k LIKE 'job.options.%'));
		report := report || f.report;
		f.given := f.given || jsonb_build_object('rewriteOptions', (SELECT COALESCE(jsonb_object_agg(substr(r.key, 13), r.value), '{}') FROM jsonb_each(rules) AS r WHERE r.key LIKE 'job.options.%'));
	END IF;
	SELECT * INTO o FROM floe_internal.gravitino_options('content.rewriteOptions.', f.given -> 'rewriteOptions');
	report := report || o.report;
	deletes := COALESCE(f.given -> 'minDeleteFileNumber', '1');
	report := report || floe_internal.told('content.minDeleteFileNumber', f.given -> 'minDeleteFileNumber', 'approximated',
		'when: of each kind of delete files by itself.' || CASE WHEN f.given ? 'minDeleteFileNumber' THEN '' ELSE ' Gravitino''s default is 1.' END);
	keys := jsonb_build_object('when', jsonb_build_object('any', jsonb_build_array(
			jsonb_build_object('metric', 'excess_file_count', 'op', '>=', 'value', (SELECT m.warning FROM floe.metric AS m WHERE m.name = 'excess_file_count')),
			jsonb_build_object('metric', 'position_delete_file_count', 'op', '>=', 'value', deletes), jsonb_build_object('metric', 'equality_delete_file_count', 'op', '>=', 'value', deletes))))
		|| CASE WHEN o.options = '{}' THEN '{}' ELSE jsonb_build_object('options', o.options) END;
END
$body$;
COMMENT ON FUNCTION floe_internal.gravitino_content(pg_catalog.text, pg_catalog.jsonb) IS 'Content of a policy of Gravitino as keys of rewrite_data_files; NULL: it is about something else';

CREATE FUNCTION floe_internal.gravitino_document(document pg_catalog.jsonb, settings pg_catalog.jsonb, OUT translated pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	policy jsonb := CASE jsonb_typeof(document -> 'policy') WHEN 'object' THEN (document -> 'policy') || (document - 'policy') ELSE document END;
	own jsonb;
	f record;
	p record;
	c record;
	kind text := lower(policy ->> 'policyType');
	objects jsonb := policy -> 'metadataObjects';
BEGIN
	IF length(policy::text) > 262144 THEN
		PERFORM floe_internal.refuse(format('policy "%s": the document is larger than 256 kB', left(policy ->> 'name', 200)), NULL, NULL);
	END IF;
	-- keys of floe stand beside
	own := (SELECT COALESCE(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(policy) AS e WHERE e.key IN ('pattern', 'exclude', 'owner')
		OR e.key <> 'enabled' AND e.key IN (SELECT k.key FROM floe_internal.policy_key AS k WHERE k.scope = 'policy'));
	SELECT * INTO f FROM floe_internal.import_fields('gravitino', 'policy', '', policy - 'metadataObjects' - ARRAY(SELECT jsonb_object_keys(own)));
	report := f.report || COALESCE((SELECT jsonb_agg(jsonb_build_object('field', e.key, 'value', e.value, 'status', 'translated', 'detail', NULL) ORDER BY e.key) FROM jsonb_each(own) AS e), '[]');
	IF kind IS NULL OR kind NOT IN ('system_iceberg_compaction', 'custom') THEN
		report := report || floe_internal.told('policyType', policy -> 'policyType', 'refused', 'Types that mean something here are system_iceberg_compaction and custom.');
		RETURN;
	END IF;
	SELECT * INTO c FROM floe_internal.gravitino_content(kind, COALESCE(f.given -> 'content', '{}'));
	report := report || c.report;
	IF c.keys IS NULL THEN
		report := report || floe_internal.told('policyType', policy -> 'policyType', 'without meaning', 'Nothing in it is about maintenance: no policy is made of it.');
		RETURN;
	END IF;
	report := report || floe_internal.told('policyType', policy -> 'policyType', 'translated', 'rewrite_data_files.');
	IF objects IS NOT NULL AND jsonb_typeof(objects) <> 'array' THEN
		report := report || floe_internal.told('metadataObjects', objects, 'refused', 'It must be a list.');
	ELSIF objects IS NOT NULL AND NOT own ? 'pattern' THEN
		SELECT * INTO p FROM floe_internal.gravitino_pattern(objects, COALESCE(settings -> 'catalogs', '{}'));
		own := own || CASE WHEN p.pattern IS NULL THEN '{}' ELSE jsonb_build_object('pattern', p.pattern) END;
		report := report || p.report;
	END IF;
	IF NOT own ? 'pattern' AND settings ? 'pattern' THEN
		own := own || jsonb_build_object('pattern', settings -> 'pattern');
	END IF;
	IF NOT own ? 'pattern' THEN
		report := report || floe_internal.told('metadataObjects', objects, 'refused', 'Where it applies is not in the policy: give it "pattern", or "metadataObjects" as …/policies/{name}/objects answers.');
	END IF;
	translated := f.taken || own || jsonb_build_object('rewrite_data_files', c.keys);
END
$body$;
COMMENT ON FUNCTION floe_internal.gravitino_document(pg_catalog.jsonb, pg_catalog.jsonb) IS 'A policy of Gravitino as a document of floe; translated NULL: there is nothing for floe in it';
