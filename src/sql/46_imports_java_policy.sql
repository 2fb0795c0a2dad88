-- =================================================================================================
-- 46 imports: policies of the Java service
-- A whole policy, from whichever form it comes in: pattern, operations, thresholds, conditions. What
-- the fields are: 46_imports_java; the service's own settings: 46_imports_java_service.
-- =================================================================================================

CREATE FUNCTION floe_internal.camel_case(name pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT string_agg(CASE WHEN w.n = 1 THEN w.w ELSE upper(left(w.w, 1)) || substr(w.w, 2) END, '' ORDER BY w.n) FROM regexp_split_to_table(name, '[-_]') WITH ORDINALITY AS w (w, n)
$body$;
COMMENT ON FUNCTION floe_internal.camel_case(pg_catalog.text) IS 'snake_case and kebab-case as camelCase';

-- The three forms as the first: the API's names. Rows of the store keep durations in seconds.
CREATE FUNCTION floe_internal.java_canonical(policy pg_catalog.jsonb, OUT canonical pg_catalog.jsonb, OUT is_stored pg_catalog.bool)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	parts CONSTANT text[] := '{rewriteDataFiles,expireSnapshots,orphanCleanup,rewriteManifests,healthThresholds,triggerConditions}'::text[];
	twice text;
BEGIN
	is_stored := EXISTS (SELECT FROM jsonb_object_keys(policy) AS k WHERE k ~ '^(table_pattern|.*_config)$');
	WITH named AS (
		SELECT e.key, e.value, CASE c.camel WHEN 'pattern' THEN 'tablePattern' ELSE regexp_replace(c.camel, 'Config$', '') END AS name
		FROM jsonb_each(policy) AS e CROSS JOIN LATERAL (SELECT floe_internal.camel_case(e.key) AS camel) AS c)
	SELECT jsonb_object_agg(n.name, CASE WHEN jsonb_typeof(n.value) = 'object' AND regexp_replace(n.name, 'Schedule$', '') = ANY (parts)
				THEN (SELECT COALESCE(jsonb_object_agg(floe_internal.camel_case(i.key), i.value), '{}') FROM jsonb_each(n.value) AS i) ELSE n.value END),
		   (SELECT min(x.name) FROM named AS x GROUP BY x.name HAVING count(*) > 1 LIMIT 1)
		INTO canonical, twice FROM named AS n;
	IF twice IS NOT NULL THEN
		PERFORM floe_internal.refuse(format('policy "%s": "%s" is given twice, in different spellings', policy ->> 'name', twice), NULL, NULL);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_canonical(pg_catalog.jsonb) IS 'A policy of the Java service with the names of its API, whether they were in camelCase (API), snake_case (store) or kebab-case (YAML)';

-- ---- patterns ----

CREATE FUNCTION floe_internal.java_pieces(pattern pg_catalog.text) RETURNS pg_catalog.text[]
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT CASE WHEN COALESCE(btrim(pattern), '') = '' THEN ARRAY[NULL, NULL, NULL]
		WHEN cardinality(p.p) = 1 THEN ARRAY[NULL, NULL, NULLIF(p.p[1], '*')]
		WHEN cardinality(p.p) = 2 THEN ARRAY[NULL, NULLIF(p.p[1], '*'), NULLIF(p.p[2], '*')]
		ELSE ARRAY[NULLIF(p.p[1], '*'), NULLIF(p.p[2], '*'), NULLIF(array_to_string(p.p[3:], '.'), '*')] END
	FROM (SELECT string_to_array(pattern, '.') AS p) AS p
$body$;
COMMENT ON FUNCTION floe_internal.java_pieces(pg_catalog.text) IS 'Catalog, namespace and table of a pattern as the Java service splits it, at the first two dots; NULL: any';

-- One level in floe's words. what floe cannot say is refused.
CREATE FUNCTION floe_internal.java_level(piece pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	body text := substr(piece, 2, GREATEST(length(piece) - 2, 0));
BEGIN
	IF piece = '' THEN
		PERFORM floe_internal.refuse('tablePattern: a level is empty', 'The Java service finds no table by it.', NULL);
	ELSIF piece LIKE '/%' AND piece LIKE '%/' AND length(piece) > 2 THEN
		IF body ~ '\\([^dDwWsS.\\/_\-\[\](){}+*?|^$]|$)' OR body ~ '[*+?}]\+' OR body ~ '\(\?[^:=!]' AND body !~ '^\(\?i\)' OR body ~ '\[[^]]*(\[|&&)' THEN
			PERFORM floe_internal.refuse(format('tablePattern: the regular expression %s is Java''s own', piece), 'It has escapes, groups or quantifiers that PostgreSQL''s expressions do not have.', 'Write it with groups, sets and \d, \w, \s.');
		END IF;
		RETURN '/' || regexp_replace(body, '(^|[^\\])/', '\1\\/', 'g') || '/';
	ELSIF piece LIKE '/%' OR piece LIKE '%/' THEN
		PERFORM floe_internal.refuse('tablePattern: a regular expression over the whole name', 'The Java service splits the pattern at its dots first, so that it finds no table.', 'Write one for each level: /prod_\d+/.sales.*');
	ELSIF piece !~ '[*?]' THEN
		RETURN floe_internal.format_name(ARRAY[piece]);
	ELSIF piece ~ '^[A-Za-z0-9_*?$@#:=-]+$' THEN
		RETURN regexp_replace(piece, '\*+', '*', 'g');
	END IF;
	RETURN '/' || replace(replace(regexp_replace(piece, '([^A-Za-z0-9_*?])', '\\\1', 'g'), '*', '.*'), '?', '.') || '/';
END
$body$;
COMMENT ON FUNCTION floe_internal.java_level(pg_catalog.text) IS 'One piece of a pattern of the Java service as a level of a pattern of floe';

-- In the Java service * runs across the dots of a namespace; in floe it stays inside a level and ** runs across.
CREATE FUNCTION floe_internal.java_pattern(given pg_catalog.text, catalogs pg_catalog.jsonb, OUT pattern pg_catalog.text, OUT status pg_catalog.text, OUT detail pg_catalog.text)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	pieces text[] := floe_internal.java_pieces(given);
	catalog text := COALESCE(catalogs ->> pieces[1], pieces[1]);
	namespace text;
	table_name text;
	notes text[] := '{}'::text[];
BEGIN
	IF length(given) > 1000 THEN
		PERFORM floe_internal.refuse('tablePattern: it has more than 1000 characters', 'The Java service takes 256.', NULL);
	END IF;
	IF given LIKE '/%.%/' AND (pieces[1] LIKE '/%' AND pieces[1] NOT LIKE '/%/' OR pieces[2] LIKE '/%' AND pieces[2] NOT LIKE '/%/') THEN
		PERFORM floe_internal.java_level(left(given, 1));	-- which says why not
	END IF;
	status := 'translated';
	IF pieces[2] IS NULL THEN
		namespace := CASE WHEN pieces[1] IS NULL AND pieces[3] IS NULL THEN NULL ELSE '**' END;
	ELSE
		namespace := floe_internal.java_level(pieces[2]);
		IF namespace LIKE '/%' AND pieces[2] LIKE '/%' OR pieces[2] ~ '\?' OR btrim(pieces[2], '*') LIKE '%*%' THEN
			notes := notes || 'Of a namespace one level; the Java service compares all of its levels with dots between them.'::text;
		ELSIF pieces[2] LIKE '%*%' THEN
			namespace := CASE WHEN pieces[2] LIKE '*%' THEN '**.' ELSE '' END || namespace || CASE WHEN pieces[2] LIKE '%*' THEN '.**' ELSE '' END;
		END IF;
	END IF;
	IF pieces[3] LIKE '%.%' AND pieces[3] NOT LIKE '/%' THEN
		table_name := (SELECT string_agg(floe_internal.java_level(l.l), '.' ORDER BY l.n) FROM regexp_split_to_table(pieces[3], '\.') WITH ORDINALITY AS l (l, n));
		notes := notes || 'A namespace of several levels; the Java service takes what follows the second dot for the table and finds none.'::text;
	ELSE
		table_name := CASE WHEN pieces[3] IS NULL THEN '*' ELSE floe_internal.java_level(pieces[3]) END;
	END IF;
	IF namespace = '**' AND table_name = '*' THEN
		pattern := CASE WHEN catalog IS NULL THEN '*' ELSE floe_internal.java_level(catalog) END || '.**';
	ELSE
		pattern := CASE WHEN catalog IS NULL THEN CASE WHEN namespace IS NULL THEN '' ELSE '*.' END ELSE floe_internal.java_level(catalog) || '.' END || COALESCE(namespace || '.' || table_name, '**');
	END IF;
	pattern := floe_internal.check_pattern(pattern);
	IF catalog !~ '[*?/]' AND NOT EXISTS (SELECT FROM floe_internal.server AS s WHERE s.wrapper = 'floe_catalog' AND s.server_name = catalog) THEN
		notes := notes || format('There is no catalog "%s" here yet; {"catalogs": {"%s": "…"}} gives it the name of its SERVER.', catalog, pieces[1]);
	END IF;
	IF notes <> '{}' THEN
		status := 'approximated';
	END IF;
	detail := array_to_string(format('pattern %s.', pattern) || notes, ' ');
END
$body$;
COMMENT ON FUNCTION floe_internal.java_pattern(pg_catalog.text, pg_catalog.jsonb) IS 'A pattern of the Java service as one of floe; catalogs: names there and here';

-- ---- operations ----

CREATE FUNCTION floe_internal.iceberg_where(expression pg_catalog.jsonb, depth pg_catalog.int4 DEFAULT 0) RETURNS pg_catalog.text
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	kind text := replace(lower(expression ->> 'type'), '_', '-');
	symbol text;
	term text;
	items text[];
BEGIN
	IF jsonb_typeof(expression) = 'boolean' THEN
		RETURN upper(expression #>> '{}');
	ELSIF depth > 50 THEN
		RETURN NULL;
	ELSIF kind IN ('and', 'or') THEN
		RETURN '(' || floe_internal.iceberg_where(expression -> 'left', depth + 1) || format(' %s ', upper(kind)) || floe_internal.iceberg_where(expression -> 'right', depth + 1) || ')';
	ELSIF kind = 'not' THEN
		RETURN 'NOT (' || floe_internal.iceberg_where(expression -> 'child', depth + 1) || ')';
	END IF;
	term := CASE jsonb_typeof(expression -> 'term') WHEN 'string' THEN expression ->> 'term' WHEN 'object' THEN CASE WHEN expression #>> '{term,type}' = 'reference' THEN expression #>> '{term,term}' END END;
	term := (SELECT string_agg('"' || replace(t.t, '"', '""') || '"', '.' ORDER BY t.n) FROM regexp_split_to_table(term, '\.') WITH ORDINALITY AS t (t, n));
	items := ARRAY(SELECT CASE jsonb_typeof(v.v) WHEN 'string' THEN '''' || replace(v.v #>> '{}', '''', '''''') || '''' WHEN 'boolean' THEN upper(v.v #>> '{}') WHEN 'number' THEN v.v #>> '{}' END
		FROM jsonb_array_elements(CASE WHEN jsonb_typeof(expression -> 'values') = 'array' THEN expression -> 'values' WHEN expression ? 'value' THEN jsonb_build_array(expression -> 'value') ELSE '[]' END) WITH ORDINALITY AS v (v, n) ORDER BY v.n);
	symbol := '{"lt": "<", "lt-eq": "<=", "gt": ">", "gt-eq": ">=", "eq": "=", "not-eq": "<>"}'::jsonb ->> kind;
	RETURN CASE
		WHEN array_position(items, NULL) IS NOT NULL THEN NULL
		WHEN symbol IS NOT NULL THEN term || ' ' || symbol || ' ' || items[1]
		WHEN kind IN ('in', 'not-in') AND items <> '{}' THEN term || CASE kind WHEN 'in' THEN ' IN (' ELSE ' NOT IN (' END || array_to_string(items, ', ') || ')'
		WHEN kind = 'is-null' THEN term || ' IS NULL'
		WHEN kind = 'not-null' THEN term || ' IS NOT NULL'
		WHEN kind IN ('starts-with', 'not-starts-with') AND items[1] LIKE '''%' AND items[1] !~ '[%_\\]' THEN term || CASE WHEN kind = 'not-starts-with' THEN ' NOT LIKE ' ELSE ' LIKE ' END || left(items[1], -1) || '%''' END;
END
$body$;
COMMENT ON FUNCTION floe_internal.iceberg_where(pg_catalog.jsonb, pg_catalog.int4) IS 'An expression in Iceberg''s JSON as a predicate of floe; NULL: there is none for it (transforms, NaN)';

CREATE FUNCTION floe_internal.java_filter(place pg_catalog.text, given pg_catalog.jsonb, OUT taken pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	predicate text := given #>> '{}';
	expression jsonb;
BEGIN
	BEGIN
		expression := predicate::jsonb;
	EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
		NULL;	-- SQL, as the documentation has it
	END;
	IF expression IS NOT NULL THEN
		predicate := floe_internal.iceberg_where(expression);
	END IF;
	IF predicate IS NULL THEN
		report := floe_internal.told(place, given, 'refused', 'This expression has no form as a predicate (docs/predicates.md).');
	ELSIF expression IS NULL THEN
		report := floe_internal.told(place, given, 'translated', 'options.where. Of the Java service''s engines neither could run it: Spark''s job takes Iceberg''s JSON, Trino''s statement was wrong.');
	ELSE
		report := floe_internal.told(place, given, 'translated', format('options.where: %s.', predicate));
	END IF;
	taken := CASE WHEN predicate IS NULL THEN '{}' ELSE jsonb_build_object('options', jsonb_build_object('where', predicate)) END;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_filter(pg_catalog.text, pg_catalog.jsonb) IS 'A filter of the Java service, in Iceberg''s JSON or in SQL, as the option where';

CREATE FUNCTION floe_internal.java_strategy(place pg_catalog.text, given pg_catalog.jsonb, OUT taken pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	strategy text := upper(COALESCE(given ->> 'strategy', 'BINPACK'));
	orders jsonb := '{}'::jsonb;
BEGIN
	taken := '{}';
	report := '[]';
	IF strategy NOT IN ('BINPACK', 'SORT', 'ZORDER') THEN
		report := floe_internal.told(place || 'strategy', given -> 'strategy', 'refused', 'Strategies are BINPACK, SORT and ZORDER.');
	ELSIF strategy = 'ZORDER' AND given ? 'zOrderColumns' THEN
		orders := jsonb_build_object('sort_order', format('zorder(%s)', (SELECT string_agg(CASE WHEN c ~ '^[A-Za-z_][A-Za-z0-9_.]*$' THEN c ELSE '"' || replace(c, '"', '""') || '"' END, ', ') FROM jsonb_array_elements_text(given -> 'zOrderColumns') AS c)));
		report := floe_internal.told(place || 'strategy', given -> 'strategy', 'translated', 'options.sort_order.') || floe_internal.told(place || 'zOrderColumns', given -> 'zOrderColumns', 'translated', 'options.sort_order.');
	ELSIF strategy = 'ZORDER' THEN
		orders := '{"strategy": "binpack"}';
		report := floe_internal.told(place || 'strategy', given -> 'strategy', 'approximated', 'options.strategy "binpack", as without zOrderColumns the Java service bin-packs.');
	ELSIF given ? 'strategy' THEN
		orders := jsonb_build_object('strategy', lower(strategy));
		report := floe_internal.told(place || 'strategy', given -> 'strategy', 'translated', 'options.strategy.');
	END IF;
	IF given ? 'zOrderColumns' AND strategy <> 'ZORDER' THEN
		report := report || floe_internal.told(place || 'zOrderColumns', given -> 'zOrderColumns', 'without meaning', format('The strategy is %s.', strategy));
	END IF;
	IF given ? 'sortOrder' AND strategy = 'SORT' THEN
		orders := orders || jsonb_build_object('sort_order', (SELECT string_agg(c, ', ') FROM jsonb_array_elements_text(given -> 'sortOrder') AS c));
		report := report || floe_internal.told(place || 'sortOrder', given -> 'sortOrder', 'translated', 'options.sort_order. The Java service dropped it and used the table''s own.');
	ELSIF given ? 'sortOrder' THEN
		report := report || floe_internal.told(place || 'sortOrder', given -> 'sortOrder', 'without meaning', format('The strategy is %s.', strategy));
	END IF;
	IF orders <> '{}' THEN
		taken := jsonb_build_object('options', orders);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_strategy(pg_catalog.text, pg_catalog.jsonb) IS 'strategy, sortOrder and zOrderColumns as options of rewrite_data_files';

CREATE FUNCTION floe_internal.java_options(part pg_catalog.text, part_values pg_catalog.jsonb, is_stored pg_catalog.bool, OUT options pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := part || '.';
	f record;
	x record;
	age text;
BEGIN
	SELECT * INTO f FROM floe_internal.import_fields('java', part, place, part_values);
	options := COALESCE(f.taken -> 'options', '{}');
	report := f.report;
	IF part = 'rewriteDataFiles' THEN
		SELECT * INTO x FROM floe_internal.java_strategy(place, f.given);
		options := options || COALESCE(x.taken -> 'options', '{}');
		report := report || x.report;
		IF btrim(f.given ->> 'filter') <> '' THEN
			SELECT * INTO x FROM floe_internal.java_filter(place || 'filter', f.given -> 'filter');
			options := options || COALESCE(x.taken -> 'options', '{}');
			report := report || x.report;
		END IF;
		IF NOT f.given ? 'targetFileSizeBytes' THEN
			report := report || floe_internal.told(place || 'targetFileSizeBytes', NULL, 'approximated', 'The table''s write.target-file-size-bytes counts; the Java service wrote files of 512 MiB whatever it says.');
		END IF;
	ELSIF part = 'expireSnapshots' THEN
		IF f.given ? 'maxSnapshotAge' THEN
			age := floe_internal.java_duration(f.given -> 'maxSnapshotAge', 1);
			report := report || floe_internal.told(place || 'maxSnapshotAge', f.given -> 'maxSnapshotAge', CASE WHEN age IS NULL THEN 'refused' ELSE 'translated' END,
				CASE WHEN age IS NULL THEN 'It is no duration: P7D, PT12H.' ELSE 'options.max_snapshot_age.' END);
			options := options || jsonb_build_object('max_snapshot_age', age);
		ELSIF NOT options ? 'max_snapshot_age' THEN
			options := options || '{"max_snapshot_age": "7 days"}';
			report := report || floe_internal.told(place || 'maxSnapshotAge', NULL, 'translated', 'options.max_snapshot_age: the Java service''s default, P7D.');
		END IF;
		IF NOT options ? 'retain_last' THEN
			options := options || '{"retain_last": 5}';
			report := report || floe_internal.told(place || 'retainLast', NULL, 'translated', 'options.retain_last: the Java service''s default, 5.');
		END IF;
	ELSIF part = 'orphanCleanup' THEN
		IF f.given ? 'retentionPeriodInDays' THEN
			age := floe_internal.java_duration(f.given -> 'retentionPeriodInDays', CASE WHEN is_stored THEN 1 ELSE 86400 END);
			options := options || jsonb_build_object('older_than', age);
			report := report || floe_internal.told(place || 'retentionPeriodInDays', f.given -> 'retentionPeriodInDays', CASE WHEN age IS NULL THEN 'refused' ELSE 'translated' END,
				CASE WHEN age IS NULL THEN 'It is no number of days.' ELSE 'options.older_than.' END);
		ELSIF NOT options ? 'older_than' THEN
			options := options || '{"older_than": "3 days"}';
			report := report || floe_internal.told(place || 'retentionPeriodInDays', NULL, 'translated', 'options.older_than: the Java service''s default, 3 days.');
		END IF;
		IF f.given ? 'prefixMismatchMode' THEN
			report := report || CASE WHEN upper(f.given ->> 'prefixMismatchMode') IN ('ERROR', 'IGNORE') THEN floe_internal.told(place || 'prefixMismatchMode', f.given -> 'prefixMismatchMode', 'translated', 'options.prefix_mismatch_mode.')
				ELSE floe_internal.told(place || 'prefixMismatchMode', f.given -> 'prefixMismatchMode', 'refused', 'Modes are ERROR and IGNORE: DELETE removes files in use whose location is only written in another way.') END;
			options := options || jsonb_build_object('prefix_mismatch_mode', lower(f.given ->> 'prefixMismatchMode'));
		END IF;
	ELSIF f.given ? 'rewriteIf' THEN
		report := report || (SELECT i.report FROM floe_internal.import_fields('java', 'rewriteIf', place || 'rewriteIf.', f.given -> 'rewriteIf') AS i);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_options(pg_catalog.text, pg_catalog.jsonb, pg_catalog.bool) IS 'One of the Java service''s operations as options; its defaults, which override the tables'' properties, are written out where they keep more';

-- ---- conditions ----

-- Any of several conditions: each operation has those of its own metrics. All of them: every operation has all.
CREATE FUNCTION floe_internal.java_conditions(part_values pg_catalog.jsonb, operations pg_catalog.text[], OUT per_operation pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place CONSTANT text := 'triggerConditions.';
	f record;
	logic text;
	all_of bool;
	conditions jsonb;
	unused text[];
BEGIN
	SELECT i.given, (SELECT COALESCE(jsonb_agg(r), '[]') FROM jsonb_array_elements(i.report) AS r WHERE NOT r ->> 'field' = ANY (
			SELECT place || c.field FROM floe_internal.import_field AS c WHERE c.source = 'java' AND c.part = 'triggerConditions' AND c.target IS NOT NULL)
			OR r ->> 'status' = 'refused') AS report INTO f
		FROM floe_internal.import_fields('java', 'triggerConditions', place, part_values) AS i;
	report := f.report;
	logic := upper(COALESCE(f.given ->> 'triggerLogic', 'OR'));
	all_of := logic = 'AND';
	IF f.given ? 'triggerLogic' THEN
		report := report || CASE WHEN logic IN ('AND', 'OR') THEN floe_internal.told(place || 'triggerLogic', f.given -> 'triggerLogic', 'translated', format('when.%s.', CASE WHEN all_of THEN 'all' ELSE 'any' END))
			ELSE floe_internal.told(place || 'triggerLogic', f.given -> 'triggerLogic', 'approximated', 'when.any, as in the Java service.') END;
	END IF;
	WITH met AS (
		SELECT c.field, split_part(x.path, '.', 1) AS operation, floe_internal.in_unit(f.given -> c.field, c.unit) AS value, split_part(x.path, '.', 2) AS metric, c.status, c.detail
		FROM floe_internal.import_field AS c CROSS JOIN LATERAL unnest(c.target) WITH ORDINALITY AS x (path, n)
		WHERE c.source = 'java' AND c.part = 'triggerConditions' AND f.given ? c.field
		  -- of a sum only one part can be asked for along with others
		  AND (NOT all_of OR x.n = 1)),
	used AS (
		SELECT o.operation, m.* FROM unnest(operations) AS o (operation) JOIN met AS m (field, of_operation, value, metric, status, detail) ON all_of OR m.of_operation = o.operation)
	SELECT COALESCE((SELECT jsonb_object_agg(u.operation, jsonb_build_object('when', jsonb_build_object(CASE WHEN all_of THEN 'all' ELSE 'any' END, u.conditions)))
				FROM (SELECT x.operation, jsonb_agg(jsonb_build_object('metric', x.metric, 'op', '>=', 'value', x.value) ORDER BY x.field, x.metric) AS conditions FROM used AS x GROUP BY x.operation) AS u), '{}'),
		   COALESCE((SELECT jsonb_agg(r.r ORDER BY r.field) FROM (
				SELECT DISTINCT m.field, floe_internal.told(place || m.field, f.given -> m.field,
					CASE WHEN NOT EXISTS (SELECT FROM used AS x WHERE x.field = m.field) THEN 'without meaning' WHEN NOT all_of AND cardinality(operations) > 1 THEN 'approximated' ELSE m.status END,
					CASE WHEN NOT EXISTS (SELECT FROM used AS x WHERE x.field = m.field) THEN format('The policy has no %s, whose reason it is.', m.operation)
						 ELSE concat_ws(' ', format('when of %s.', (SELECT string_agg(DISTINCT x.operation, ', ') FROM used AS x WHERE x.field = m.field)), m.detail,
							CASE WHEN NOT all_of AND cardinality(operations) > 1 THEN 'The Java service let it start all operations of the policy, and then went by their thresholds.' END) END) -> 0 AS r
				FROM met AS m) AS r), '[]')
		INTO per_operation, conditions;
	report := report || conditions;
	SELECT t.per_operation, t.report INTO per_operation, conditions FROM floe_internal.java_intervals(f.given, operations, per_operation) AS t;
	report := report || conditions;
	unused := ARRAY(SELECT o FROM unnest(operations) AS o WHERE NOT per_operation -> o ? 'when');
	IF unused <> '{}' AND cardinality(unused) < cardinality(operations) THEN
		report := report || floe_internal.told('triggerConditions', NULL, 'approximated', format('No condition is about %s: floe''s own reasons decide.', array_to_string(unused, ', ')));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_conditions(pg_catalog.jsonb, pg_catalog.text[]) IS 'Trigger conditions of the Java service as keys of the operations a policy has';

CREATE FUNCTION floe_internal.java_intervals(given pg_catalog.jsonb, operations pg_catalog.text[], so_far pg_catalog.jsonb, OUT per_operation pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	names CONSTANT jsonb := '{"REWRITE_DATA_FILES": "rewrite_data_files", "EXPIRE_SNAPSHOTS": "expire_snapshots", "ORPHAN_CLEANUP": "remove_orphan_files", "REWRITE_MANIFESTS": "rewrite_manifests"}'::jsonb;
	place CONSTANT text := 'triggerConditions.';
	of_operation text;
	e record;
	delay numeric := CASE WHEN given -> 'criticalPipeline' = 'true' THEN (given ->> 'criticalPipelineMaxDelayMinutes')::numeric END;
	minutes numeric;
	cut text[] := '{}'::text[];
BEGIN
	per_operation := so_far;
	report := '[]';
	IF given ? 'minIntervalMinutes' THEN
		report := report || floe_internal.told(place || 'minIntervalMinutes', given -> 'minIntervalMinutes', 'translated', 'min_interval of each operation.');
	END IF;
	FOR e IN SELECT m.key, m.value, names ->> upper(m.key) AS operation FROM jsonb_each(COALESCE(given -> 'perOperationMinIntervalMinutes', '{}')) AS m ORDER BY m.key LOOP
		report := report || floe_internal.told(place || 'perOperationMinIntervalMinutes.' || e.key, e.value,
			CASE WHEN NOT floe_internal.has_type(e.value, 'whole number') THEN 'refused' WHEN e.operation = ANY (operations) THEN 'translated' ELSE 'without meaning' END,
			CASE WHEN NOT floe_internal.has_type(e.value, 'whole number') THEN 'It must be a whole number of minutes.' WHEN e.operation IS NULL THEN 'There is no such operation.'
				 WHEN e.operation = ANY (operations) THEN format('min_interval of %s.', e.operation) ELSE format('The policy has no %s.', e.operation) END);
	END LOOP;
	FOREACH of_operation IN ARRAY operations LOOP
		minutes := COALESCE((SELECT CASE WHEN floe_internal.has_type(m.value, 'whole number') THEN (m.value #>> '{}')::numeric END FROM jsonb_each(COALESCE(given -> 'perOperationMinIntervalMinutes', '{}')) AS m
			WHERE names ->> upper(m.key) = of_operation LIMIT 1), (given ->> 'minIntervalMinutes')::numeric);
		IF minutes > delay THEN
			minutes := delay;
			cut := cut || of_operation;
		END IF;
		IF minutes IS NOT NULL THEN
			per_operation := floe_internal.with_value(per_operation, ARRAY[of_operation, 'min_interval'], to_jsonb(minutes || ' minutes'));
		END IF;
		IF delay IS NOT NULL THEN
			per_operation := floe_internal.with_value(per_operation, ARRAY[of_operation, 'deadline'], to_jsonb(delay || ' minutes'));
		END IF;
	END LOOP;
	IF given ? 'criticalPipeline' THEN
		report := report || floe_internal.told(place || 'criticalPipeline', given -> 'criticalPipeline', CASE WHEN given -> 'criticalPipeline' = 'true' AND delay IS NULL THEN 'without meaning' ELSE 'translated' END,
			CASE WHEN delay IS NOT NULL THEN 'deadline.' WHEN given -> 'criticalPipeline' = 'true' THEN 'There is no criticalPipelineMaxDelayMinutes.' END);
	END IF;
	IF given ? 'criticalPipelineMaxDelayMinutes' THEN
		report := report || floe_internal.told(place || 'criticalPipelineMaxDelayMinutes', given -> 'criticalPipelineMaxDelayMinutes', CASE WHEN delay IS NULL THEN 'without meaning' WHEN cut <> '{}' THEN 'approximated' ELSE 'translated' END,
			CASE WHEN delay IS NULL THEN 'criticalPipeline is not true.' WHEN cut <> '{}' THEN format('deadline. It is shorter than the minimum interval of %s, which is cut to it.', array_to_string(cut, ', ')) ELSE 'deadline of each operation.' END);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_intervals(pg_catalog.jsonb, pg_catalog.text[], pg_catalog.jsonb) IS 'Minimum intervals and the critical delay of the Java service as min_interval and deadline';

-- ---- the whole ----

CREATE FUNCTION floe_internal.java_operation(java_name pg_catalog.text, of_operation pg_catalog.text, policy pg_catalog.jsonb, is_stored pg_catalog.bool, timezone pg_catalog.text,
		OUT keys pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	config jsonb := NULLIF(policy -> java_name, 'null');
	schedule jsonb := NULLIF(policy -> (java_name || 'Schedule'), 'null');
	deletes bool := (SELECT k.deletes_files FROM floe_internal.operation_kind AS k WHERE k.operation = of_operation);
	o record;
	s record;
	stray record;
BEGIN
	report := '[]';
	FOR stray IN SELECT v.name, v.value FROM (VALUES (java_name, config), (java_name || 'Schedule', schedule)) AS v (name, value) WHERE jsonb_typeof(v.value) <> 'object' LOOP
		report := report || floe_internal.told(stray.name, stray.value, 'refused', 'It must be an object.');
	END LOOP;
	IF report <> '[]' THEN
		RETURN;
	END IF;
	IF config IS NULL AND schedule IS NOT NULL THEN
		report := floe_internal.told(java_name || 'Schedule', schedule, 'without meaning', format('There is no %s: the Java service does not run it either.', java_name));
	ELSIF config ?& ARRAY['enabled', 'schedule'] OR config = '{"enabled": true}' OR config = '{"enabled": false}' THEN
		report := floe_internal.told(java_name, config, 'refused',
			'An answer of the Java service''s API says that an operation is configured, and not how. Its store has it: SELECT jsonb_agg(to_jsonb(p)) FROM maintenance_policies AS p.');
	ELSIF config IS NOT NULL THEN
		SELECT * INTO o FROM floe_internal.java_options(java_name, config, is_stored);
		keys := CASE WHEN o.options = '{}' THEN '{}' ELSE jsonb_build_object('options', o.options) END;
		report := o.report;
		IF schedule IS NULL THEN
			IF deletes THEN
				keys := keys || '{"enabled": false}';
			END IF;
			report := report || floe_internal.told(java_name || 'Schedule', NULL, 'approximated', CASE WHEN deletes
				THEN 'enabled false. Without a schedule the Java service runs it only by hand or along with others, and it deletes: {"enabled": true} has floe run it when the table needs it.'
				ELSE 'It runs when the table needs it; without a schedule the Java service runs it only by hand or along with others.' END);
		ELSE
			SELECT * INTO s FROM floe_internal.java_schedule(java_name || 'Schedule.', schedule, is_stored, timezone);
			keys := keys || s.taken || CASE WHEN schedule -> 'enabled' = 'false' THEN jsonb '{"enabled": false}' ELSE '{}' END;
			report := report || s.report;
		END IF;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_operation(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.bool, pg_catalog.text) IS 'An operation of the Java service with its schedule as one of floe; keys NULL: the policy does not have it';

CREATE FUNCTION floe_internal.java_document(policy pg_catalog.jsonb, settings pg_catalog.jsonb, OUT translated pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	c record;
	f record;
	p record;
	o record;
	operations text[] := '{}'::text[];
BEGIN
	IF length(policy::text) > 262144 THEN
		PERFORM floe_internal.refuse(format('policy "%s": the document is larger than 256 kB', left(policy ->> 'name', 200)), NULL, NULL);
	END IF;
	SELECT * INTO c FROM floe_internal.java_canonical(policy);
	SELECT * INTO f FROM floe_internal.import_fields('java', 'policy', '', c.canonical - ARRAY['rewriteDataFiles', 'rewriteDataFilesSchedule', 'expireSnapshots', 'expireSnapshotsSchedule', 'orphanCleanup', 'orphanCleanupSchedule',
		'rewriteManifests', 'rewriteManifestsSchedule', 'healthThresholds', 'triggerConditions']);
	translated := f.taken;
	report := f.report;
	IF NOT f.given ? 'name' THEN
		report := report || floe_internal.told('name', c.canonical -> 'name', 'refused', 'A policy needs a name.');
	END IF;
	IF NOT f.given ? 'tablePattern' THEN
		report := report || floe_internal.told('tablePattern', c.canonical -> 'tablePattern', 'refused', 'A policy needs a pattern; all tables are "*".');
	ELSE
		SELECT * INTO p FROM floe_internal.java_pattern(f.given ->> 'tablePattern', COALESCE(settings -> 'catalogs', '{}'));
		translated := translated || jsonb_build_object('pattern', p.pattern);
		report := report || floe_internal.told('tablePattern', f.given -> 'tablePattern', p.status, p.detail);
	END IF;
	IF f.given ? 'tags' THEN
		translated := translated || jsonb_build_object('description', concat_ws(E'\n', NULLIF(translated ->> 'description', ''),
			'Tags: ' || (SELECT string_agg(format('%s=%s', t.key, t.value), ', ' ORDER BY t.key) FROM jsonb_each_text(f.given -> 'tags') AS t)));
		report := report || floe_internal.told('tags', f.given -> 'tags', 'approximated', 'They are written into the description.');
	END IF;
	FOR o IN SELECT x.java_name, x.operation, j.keys, j.report FROM (VALUES ('rewriteDataFiles', 'rewrite_data_files', 1), ('expireSnapshots', 'expire_snapshots', 2), ('orphanCleanup', 'remove_orphan_files', 3), ('rewriteManifests', 'rewrite_manifests', 4))
			AS x (java_name, operation, n) CROSS JOIN LATERAL floe_internal.java_operation(x.java_name, x.operation, c.canonical, c.is_stored, settings ->> 'timezone') AS j ORDER BY x.n LOOP
		report := report || o.report;
		IF o.keys IS NOT NULL THEN
			translated := translated || jsonb_build_object(o.operation, o.keys);
			operations := operations || o.operation;
		END IF;
	END LOOP;
	IF COALESCE(jsonb_typeof(c.canonical -> 'healthThresholds'), 'null') = 'object' THEN
		SELECT * INTO f FROM floe_internal.import_fields('java', 'healthThresholds', 'healthThresholds.', c.canonical -> 'healthThresholds');
		translated := translated || f.taken;
		report := report || f.report;
	ELSIF COALESCE(c.canonical -> 'healthThresholds', 'null') <> 'null' THEN
		report := report || floe_internal.told('healthThresholds', c.canonical -> 'healthThresholds', 'refused', 'It must be an object.');
	END IF;
	IF COALESCE(jsonb_typeof(c.canonical -> 'triggerConditions'), 'null') = 'object' THEN
		SELECT * INTO o FROM floe_internal.java_conditions(c.canonical -> 'triggerConditions', operations);
		translated := translated || COALESCE((SELECT jsonb_object_agg(k, (translated -> k) || (o.per_operation -> k)) FROM jsonb_object_keys(o.per_operation) AS k), '{}');
		report := report || o.report;
	ELSIF COALESCE(c.canonical -> 'triggerConditions', 'null') <> 'null' THEN
		report := report || floe_internal.told('triggerConditions', c.canonical -> 'triggerConditions', 'refused', 'It must be an object.');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_document(pg_catalog.jsonb, pg_catalog.jsonb) IS 'A policy of the Java service as a document of floe';
