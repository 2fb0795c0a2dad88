-- =================================================================================================
-- 46 imports: the Java service as a whole
-- Its settings (application.properties, floe-config.yaml), of which the limits are floe's budgets; and
-- what follows from its choice of one policy for a table, where floe chooses for each field.
-- =================================================================================================

INSERT INTO floe_internal.import_field (source, part, field, json_type, status, detail) VALUES
	('properties', 'policy', 'scheduler.enabled', 'any', 'without meaning', 'floe.drain(''**'') stops new operations, the setting floe.enabled all of it.'),
	('properties', 'policy', 'scheduler.distributed-lock-enabled', 'any', 'without meaning', 'floe claims each operation in the database.'),
	('properties', 'policy', 'scheduler.distributedLock', 'any', 'without meaning', 'floe claims each operation in the database.'),
	('properties', 'policy', 'scheduler.max-tables-per-poll', 'any', NULL, 'As a budget of one minute, which is how often the Java service polls.'),
	('properties', 'policy', 'scheduler.max-operations-per-poll', 'any', NULL, 'As a budget of one minute, which is how often the Java service polls.'),
	('properties', 'policy', 'scheduler.max-bytes-per-hour', 'any', NULL, 'As a budget of any hour, tested before an operation is added; operations by hand count.'),
	('properties', 'policy', 'scheduler.failure-backoff-threshold', 'any', 'without meaning', 'floe waits after every failure, by its class: floe_internal.error_class; a policy''s max_attempts ends it.'),
	('properties', 'policy', 'scheduler.failure-backoff-hours', 'any', 'without meaning', 'floe waits longer after each failure, by its class; a policy''s max_attempts ends it.'),
	('properties', 'policy', 'scheduler.zero-change-threshold', 'any', 'without meaning', 'After a run that changed nothing floe waits for the table to change; it never freezes one.'),
	('properties', 'policy', 'scheduler.zero-change-frequency-reduction-percent', 'any', 'without meaning', 'After a run that changed nothing floe waits for the table to change; it never freezes one.'),
	('properties', 'policy', 'scheduler.zero-change-min-interval-hours', 'any', 'without meaning', 'After a run that changed nothing floe waits for the table to change; it never freezes one.'),
	('properties', 'policy', 'scheduler.condition-based-triggering-enabled', 'any', 'without meaning', 'Where it was false, leave triggerConditions out of the policies.'),
	('properties', 'policy', 'health.scan-mode', 'any', 'without meaning', 'floe reads each manifest once and keeps what it needs.'),
	('properties', 'policy', 'health.sample-limit', 'any', 'without meaning', 'floe reads each manifest once and keeps what it needs.'),
	('properties', 'policy', 'health.persistence-enabled', 'any', 'without meaning', 'floe always keeps health; docs/retention.md says for how long.'),
	('properties', 'policy', 'health.max-reports-per-table', 'any', 'without meaning', 'docs/retention.md says how long health is kept.'),
	('properties', 'policy', 'health.max-report-age-days', 'any', 'without meaning', 'docs/retention.md says how long health is kept.'),
	('properties', 'policy', 'catalog', 'any', 'without meaning', 'A catalog is a SERVER of wrapper floe_catalog, its credentials a USER MAPPING (docs/catalogs.md).'),
	('properties', 'policy', 'engine', 'any', 'without meaning', 'An engine is a SERVER of wrapper floe_engine, its credentials a USER MAPPING (docs/engines.md).'),
	('properties', 'policy', 'engine-type', 'any', 'without meaning', 'An engine is a SERVER of wrapper floe_engine (docs/engines.md).'),
	('properties', 'policy', 'livy', 'any', 'without meaning', 'An engine is a SERVER of wrapper floe_engine, its credentials a USER MAPPING (docs/engines.md).'),
	('properties', 'policy', 'trino', 'any', 'without meaning', 'An engine is a SERVER of wrapper floe_engine, its credentials a USER MAPPING (docs/engines.md).'),
	('properties', 'policy', 'store', 'any', 'without meaning', 'floe''s store is the database it is in.'),
	('properties', 'policy', 'auth', 'any', 'without meaning', 'Who may do what are roles of PostgreSQL: floe_viewer, floe_operator, floe_admin.'),
	('properties', 'policy', 'security', 'any', 'without meaning', 'floe.policy_history and floe.events say who did what.'),
	('properties', 'policy', 'events', 'any', 'without meaning', 'floe.events has them, and LISTEN floe.'),
	('properties', 'policy', 'server', 'any', 'without meaning', 'PostgreSQL''s own settings.'),
	('properties', 'policy', 'logging', 'any', 'without meaning', 'PostgreSQL''s own settings.');

-- Leaves of nested objects, with dots between the levels.
CREATE FUNCTION floe_internal.flat_object(document pg_catalog.jsonb, OUT key pg_catalog.text, OUT value pg_catalog.jsonb) RETURNS SETOF pg_catalog.record
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off ROWS 20
AS $body$
	WITH RECURSIVE leaf AS (
		SELECT e.key, e.value, 1 AS depth FROM jsonb_each(document) AS e
		UNION ALL
		SELECT l.key || '.' || e.key, e.value, l.depth + 1 FROM leaf AS l CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(l.value) WHEN 'object' THEN l.value ELSE '{}' END) AS e WHERE l.depth < 20)
	SELECT l.key, l.value FROM leaf AS l WHERE jsonb_typeof(l.value) <> 'object' OR l.depth = 20
$body$;
COMMENT ON FUNCTION floe_internal.flat_object(pg_catalog.jsonb) IS 'The values of nested objects, keys joined with dots';

CREATE FUNCTION floe_internal.java_properties(document pg_catalog.jsonb, OUT budgets pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	e record;
	number numeric;
BEGIN
	budgets := '{}';
	report := '[]';
	FOR e IN
		SELECT p.key, p.name, f.field, f.status, f.detail,
			   -- what may be a secret is not repeated
			   CASE WHEN p.key ~* '(secret|passw|token|credential|key)' THEN NULL ELSE p.value END AS value
		FROM (SELECT x.key, x.value, regexp_replace(x.key, '^(%[a-z]+\.)?floe\.', '') AS name FROM floe_internal.flat_object(document) AS x) AS p
		LEFT JOIN LATERAL (SELECT i.field, i.status, i.detail FROM floe_internal.import_field AS i
			WHERE i.source = 'properties' AND (p.name = i.field OR starts_with(p.name, i.field || '.')) LIMIT 1) AS f ON true
		ORDER BY p.key
	LOOP
		IF e.field IS NULL THEN
			report := report || floe_internal.told(e.key, e.value, 'without meaning', 'It is no setting of the Java service that floe knows of.');
			CONTINUE;
		ELSIF e.status IS NOT NULL THEN
			report := report || floe_internal.told(e.key, e.value, e.status, e.detail);
			CONTINUE;
		END IF;
		number := CASE WHEN e.value #>> '{}' ~ '^[0-9]{1,18}$' THEN (e.value #>> '{}')::numeric END;
		IF number IS NULL THEN
			report := report || floe_internal.told(e.key, e.value, 'refused', 'It must be a whole number that is not negative.');
		ELSIF number = 0 THEN
			report := report || floe_internal.told(e.key, e.value, 'translated', 'No budget: there is no limit.');
		ELSE
			report := report || floe_internal.told(e.key, e.value, CASE WHEN e.field LIKE '%per-hour' THEN 'translated' ELSE 'approximated' END, e.detail);
			budgets := CASE e.field
				WHEN 'scheduler.max-bytes-per-hour' THEN floe_internal.with_value(budgets, ARRAY['Java service: hour'], jsonb_build_object('period', '1 hour', 'bytes', number))
				ELSE floe_internal.with_value(budgets, ARRAY['Java service: poll'], COALESCE(budgets -> 'Java service: poll', '{"period": "1 minute"}')
					|| jsonb_build_object(CASE e.field WHEN 'scheduler.max-tables-per-poll' THEN 'tables' ELSE 'operations' END, number)) END;
		END IF;
	END LOOP;
	budgets := COALESCE((SELECT jsonb_object_agg(b.key, b.value || '{"description": "Limit of the Java service, imported"}') FROM jsonb_each(budgets) AS b), '{}');
END
$body$;
COMMENT ON FUNCTION floe_internal.java_properties(pg_catalog.jsonb) IS 'Settings of the Java service as budgets, and what became of each';

-- Pairs of imported policies that can match the same table. In the Java service the more specific one has the table, priority
-- only breaks ties; in floe each field comes from the first that sets it, by priority and then specificity.
CREATE FUNCTION floe_internal.java_overlaps(policies pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (
		WITH p AS MATERIALIZED (
			SELECT x.value ->> 'name' AS name, j.pieces, CASE WHEN jsonb_typeof(x.value -> 'priority') = 'number' THEN (x.value ->> 'priority')::numeric ELSE 0 END AS priority,
				   CASE WHEN j.pieces[1] IS NULL THEN 0 WHEN j.pieces[1] LIKE '%*%' THEN 50 ELSE 100 END + CASE WHEN j.pieces[2] IS NULL THEN 0 WHEN j.pieces[2] LIKE '%*%' THEN 5 ELSE 10 END
				   + CASE WHEN j.pieces[3] IS NULL OR j.pieces[3] LIKE '%*%' THEN 0 ELSE 1 END AS specificity,
				   ARRAY(SELECT COALESCE(i.piece !~ '[*?/]', false) FROM unnest(j.pieces) WITH ORDINALITY AS i (piece, n) ORDER BY i.n) AS is_literal,
				   -- a regular expression may match anything
				   ARRAY(SELECT CASE WHEN i.piece ~ '/' THEN '%' ELSE COALESCE(replace(replace(regexp_replace(i.piece, '([%_\\])', '\\\1', 'g'), '*', '%'), '?', '_'), '%') END FROM unnest(j.pieces) WITH ORDINALITY AS i (piece, n) ORDER BY i.n) AS likes
			FROM jsonb_array_elements(policies) AS x CROSS JOIN LATERAL (SELECT floe_internal.java_pieces(x.value ->> 'pattern') AS pieces OFFSET 0) AS j
			WHERE COALESCE(x.value -> 'enabled', 'true') <> 'false' AND x.value ->> 'name' IS NOT NULL),
		pair AS (
			SELECT a.name, b.name AS other, (a.specificity, a.priority) < (b.specificity, b.priority) AND (a.priority, a.specificity) > (b.priority, b.specificity) AS turned
			FROM p AS a JOIN p AS b ON a.name <> b.name
			WHERE NOT EXISTS (SELECT FROM generate_series(1, 3) AS i WHERE CASE WHEN a.is_literal[i] AND b.is_literal[i] THEN a.pieces[i] <> b.pieces[i]
				WHEN a.is_literal[i] THEN a.pieces[i] NOT LIKE b.likes[i] WHEN b.is_literal[i] THEN b.pieces[i] NOT LIKE a.likes[i] ELSE false END))
		SELECT COALESCE(jsonb_agg(jsonb_build_object('policy', o.name, 'field', 'tablePattern', 'value', NULL, 'status', 'approximated', 'detail',
			format('It can match the same tables as %s%s. The Java service gives a table to the most specific policy alone; floe takes each field from the first that sets it, by priority, then specificity.',
				array_to_string(o.others[1:5], ', '), CASE WHEN cardinality(o.others) > 5 THEN format(' and %s more', cardinality(o.others) - 5) ELSE '' END)
			|| CASE WHEN o.turned IS NOT NULL THEN format(' Here its priority puts it before the more specific %s.', array_to_string(o.turned[1:5], ', ')) ELSE '' END) ORDER BY o.name), '[]')
		FROM (SELECT x.name, array_agg(format('"%s"', x.other) ORDER BY x.other) AS others, array_agg(format('"%s"', x.other) ORDER BY x.other) FILTER (WHERE x.turned) AS turned FROM pair AS x GROUP BY x.name) AS o);
END
$body$;
COMMENT ON FUNCTION floe_internal.java_overlaps(pg_catalog.jsonb) IS 'Rows of the report for policies whose patterns meet, because they mean something else together than in the Java service';
