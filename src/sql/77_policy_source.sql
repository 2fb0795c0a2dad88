-- =================================================================================================
-- 77 policies of a catalog
-- A catalog may keep maintenance policies of its own (SERVER option policy_source). After a listing the
-- library asks which apply where; here they become policies of floe, one for each attachment. What they
-- mean: 44. Separate from 75, which is about tables.
-- =================================================================================================

CREATE TABLE floe_internal.policy_source (
	catalog_id		pg_catalog.int4 PRIMARY KEY REFERENCES floe_internal.catalog ON DELETE CASCADE,
	read_at			pg_catalog.timestamptz,
	tables_read_at	pg_catalog.timestamptz,
	new_since		pg_catalog.timestamptz,
	error_message	pg_catalog.text,
	error_detail	pg_catalog.text,
	error_since		pg_catalog.timestamptz
);
COMMENT ON TABLE floe_internal.policy_source IS 'Catalogs whose policies are read, and how that went the last time';
COMMENT ON COLUMN floe_internal.policy_source.tables_read_at IS 'When all tables were asked for policies of their own, the last time';
COMMENT ON COLUMN floe_internal.policy_source.new_since IS 'Tables first seen later than this have not been asked yet';

CREATE TABLE floe_internal.catalog_policy (
	catalog_id		pg_catalog.int4 NOT NULL REFERENCES floe_internal.catalog ON DELETE CASCADE,
	target			pg_catalog.text[] NOT NULL,
	is_table		pg_catalog.bool NOT NULL,
	policy_type		pg_catalog.text NOT NULL REFERENCES floe_internal.polaris_policy_type,
	document		pg_catalog.jsonb NOT NULL,
	policy_id		pg_catalog.int4 REFERENCES floe.policy ON DELETE SET NULL,
	applied			pg_catalog.jsonb,
	left_out		pg_catalog.text[] NOT NULL DEFAULT '{}',
	problem			pg_catalog.text,
	locked			pg_catalog.text[] NOT NULL DEFAULT '{}',
	changed_at		pg_catalog.timestamptz NOT NULL,
	PRIMARY KEY (catalog_id, target, is_table, policy_type)
);
CREATE INDEX catalog_policy_policy ON floe_internal.catalog_policy (policy_id);
COMMENT ON TABLE floe_internal.catalog_policy IS 'Attachments of policies in a catalog, as it told them, and the policy of floe that stands for each';
COMMENT ON COLUMN floe_internal.catalog_policy.target IS 'Levels below the catalog; {}: the catalog itself';
COMMENT ON COLUMN floe_internal.catalog_policy.applied IS 'What the policy of floe was made from: it is made again only when this changes';
COMMENT ON COLUMN floe_internal.catalog_policy.locked IS 'What of it locks of policies above overrule';
COMMENT ON COLUMN floe_internal.catalog_policy.problem IS 'Why floe does not do what it says; its operation is switched off there';

-- A policy that only stands for an attachment goes with it.
CREATE FUNCTION floe_internal.catalog_policy_after() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_matches(true);
	DELETE FROM floe.policy AS p WHERE p.policy_id = OLD.policy_id;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.catalog_policy_after() IS 'Trigger: drops the policy of floe that stood for an attachment';

CREATE TRIGGER catalog_policy_after AFTER DELETE ON floe_internal.catalog_policy
	FOR EACH ROW WHEN (OLD.policy_id IS NOT NULL) EXECUTE FUNCTION floe_internal.catalog_policy_after();

-- What is to be asked, namespaces as levels joined with U+001F; table_name NULL: of the catalog or a namespace.
CREATE FUNCTION floe_internal.policy_targets(of_catalog_id pg_catalog.int4, OUT namespace pg_catalog.text, OUT table_name pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	at timestamptz := floe_internal.clock();
	options jsonb := (SELECT s.options FROM floe_internal.server AS s JOIN floe_internal.catalog AS c ON c.server_name = s.server_name
		WHERE s.wrapper = 'floe_catalog' AND c.catalog_id = of_catalog_id);
	source floe_internal.policy_source;
BEGIN
	IF NOT options ? 'policy_source' OR options IS NULL THEN
		DELETE FROM floe_internal.catalog_policy AS p WHERE p.catalog_id = of_catalog_id;
		DELETE FROM floe_internal.policy_source AS s WHERE s.catalog_id = of_catalog_id;
		RETURN;
	END IF;
	INSERT INTO floe_internal.policy_source (catalog_id) VALUES (of_catalog_id) ON CONFLICT DO NOTHING;
	SELECT * INTO source FROM floe_internal.policy_source AS s WHERE s.catalog_id = of_catalog_id;
	IF source.tables_read_at + COALESCE((options ->> 'policy_interval')::interval, interval '1 day') <= at THEN
		source.tables_read_at := NULL;
	END IF;
	RETURN QUERY SELECT '', NULL::text;
	RETURN QUERY
		SELECT DISTINCT array_to_string(t.namespace[1:n.n], chr(31)), NULL::text
		FROM floe_internal.iceberg_table AS t CROSS JOIN LATERAL generate_series(1, cardinality(t.namespace)) AS n (n)
		WHERE t.catalog_id = of_catalog_id AND t.status <> 'dropped';
	RETURN QUERY
		SELECT array_to_string(t.namespace, chr(31)), t.table_name
		FROM floe_internal.iceberg_table AS t
		WHERE t.catalog_id = of_catalog_id AND t.status <> 'dropped' AND (source.tables_read_at IS NULL OR t.first_seen_at > source.new_since);
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_targets(pg_catalog.int4) IS 'Where a catalog is to be asked for policies: itself, its namespaces, and once in policy_interval all of its tables, new ones at once; nothing without policy_source, and then what was read before goes';

-- The policy of floe for each attachment: its target without what has a policy of that type of its own further down, which takes its place entirely.
CREATE FUNCTION floe_internal.catalog_policy_documents(of_catalog_id pg_catalog.int4, OUT target pg_catalog.text[], OUT is_table pg_catalog.bool, OUT policy_type pg_catalog.text, OUT applied pg_catalog.jsonb)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH attached AS (
		SELECT p.target, p.is_table, p.policy_type, p.document, c.server_name,
			   -- "x.**" is also the table x of the namespace above
			   floe_internal.format_name(ARRAY[c.server_name] || p.target) || CASE WHEN p.is_table THEN '' ELSE '.*.**' END AS pattern
		FROM floe_internal.catalog_policy AS p JOIN floe_internal.catalog AS c ON c.catalog_id = p.catalog_id
		WHERE p.catalog_id = of_catalog_id)
	SELECT a.target, a.is_table, a.policy_type, pg_catalog.jsonb_build_object(
			'name', CASE WHEN pg_catalog.length(n.name) <= 200 THEN n.name ELSE pg_catalog.left(n.name, 167) || ' ' || pg_catalog.md5(n.name) END,
			'pattern', a.pattern,
			'exclude', COALESCE((
				SELECT pg_catalog.jsonb_agg(d.pattern ORDER BY d.pattern)
				FROM attached AS d
				WHERE NOT a.is_table AND d.policy_type = a.policy_type AND (d.target, d.is_table) <> (a.target, a.is_table)
				  AND pg_catalog.cardinality(d.target) > pg_catalog.cardinality(a.target) AND d.target[1:pg_catalog.cardinality(a.target)] = a.target), '[]'),
			'description', pg_catalog.format('Read from catalog %s: policy %s of %s, version %s. What is changed here, its next version overwrites.', a.server_name, a.document ->> 'name',
				COALESCE((SELECT pg_catalog.string_agg(l.level, '.' ORDER BY l.place) FROM pg_catalog.jsonb_array_elements_text(a.document -> 'namespace') WITH ORDINALITY AS l (level, place)), '?'),
				COALESCE(a.document ->> 'version', '?')),
			'policy-type', a.policy_type,
			'content', a.document -> 'content')
	FROM attached AS a
	CROSS JOIN LATERAL (SELECT pg_catalog.format('%s: %s of %s', a.server_name, a.policy_type,
		CASE WHEN a.target = '{}' THEN 'the catalog' WHEN a.is_table THEN 'table ' || floe_internal.format_name(a.target) ELSE floe_internal.format_name(a.target) END) AS name) AS n;
END;
COMMENT ON FUNCTION floe_internal.catalog_policy_documents(pg_catalog.int4) IS 'For each attachment of a catalog the document that floe_internal.polaris_document() takes';

-- One attachment. What floe cannot do as it is said is not done at all: older or other settings could delete more.
CREATE FUNCTION floe_internal.apply_catalog_policy(of_catalog_id pg_catalog.int4, of_target pg_catalog.text[], of_is_table pg_catalog.bool, of_type pg_catalog.text, new_applied pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	of_operation text := (SELECT t.operation FROM floe_internal.polaris_policy_type AS t WHERE t.policy_type = of_type);
	old_row floe.policy;
	known_id int4;
	known_problem text;
	new_id int4;
	new_left_out text[] := ARRAY[]::text[];
	document jsonb;
	told text;
	detail text;
BEGIN
	SELECT p.policy_id, p.problem INTO known_id, known_problem FROM floe_internal.catalog_policy AS p
		WHERE (p.catalog_id, p.target, p.is_table, p.policy_type) = (of_catalog_id, of_target, of_is_table, of_type);
	SELECT * INTO old_row FROM floe.policy AS p WHERE p.name = new_applied ->> 'name';
	IF FOUND AND old_row.policy_id IS DISTINCT FROM known_id AND COALESCE(old_row.description, '') NOT LIKE 'Read from catalog %' THEN
		told := format('there is another policy of the name "%s"', new_applied ->> 'name');
	ELSE
		BEGIN
			SELECT d.translated, d.left_out INTO document, new_left_out FROM floe_internal.polaris_document(new_applied) AS d;
			new_id := floe.import_policy(document);
		EXCEPTION WHEN invalid_parameter_value OR feature_not_supported OR program_limit_exceeded THEN
			GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
			told := replace(concat_ws(': ', told, NULLIF(detail, '')), format('policy "%s": ', new_applied ->> 'name'), '');
			new_left_out := ARRAY[]::text[];
		END;
		IF new_id IS NULL THEN
			BEGIN
				-- without exceptions, of which there may be too many: each has a policy of its own, which is more specific
				new_id := floe.import_policy((new_applied - ARRAY['policy-type', 'content', 'exclude']) || jsonb_build_object(of_operation, '{"enabled": false}'::jsonb));
			EXCEPTION WHEN invalid_parameter_value OR program_limit_exceeded THEN
				DELETE FROM floe.policy AS p WHERE p.policy_id = known_id;
			END;
		END IF;
	END IF;
	UPDATE floe_internal.catalog_policy AS p SET policy_id = new_id, applied = new_applied, left_out = new_left_out, problem = told
		WHERE (p.catalog_id, p.target, p.is_table, p.policy_type) = (of_catalog_id, of_target, of_is_table, of_type);
	IF told IS DISTINCT FROM known_problem AND told IS NOT NULL THEN
		PERFORM floe_internal.write_event('catalog policy', (SELECT c.server_name FROM floe_internal.catalog AS c WHERE c.catalog_id = of_catalog_id), NULL, NULL, NULL,
			format('%s: floe does not do what it says: %s', new_applied ->> 'name', told), NULL);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_catalog_policy(pg_catalog.int4, pg_catalog.text[], pg_catalog.bool, pg_catalog.text, pg_catalog.jsonb) IS 'Makes or changes the policy of floe that stands for one attachment, or says why not';

-- Answers of the catalog, one for each page of a target. Whether they have this shape the library has looked at.
CREATE FUNCTION floe_internal.attached_policies(namespaces pg_catalog.text[], table_names pg_catalog.text[], answers pg_catalog.text[],
		OUT target pg_catalog.text[], OUT is_table pg_catalog.bool, OUT policy_type pg_catalog.text, OUT document pg_catalog.jsonb)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT DISTINCT ON (a.target, a.is_table, t.policy_type) a.target, a.is_table, t.policy_type, p.policy - 'inherited'
	FROM (SELECT COALESCE(pg_catalog.string_to_array(NULLIF(x.namespace, ''), pg_catalog.chr(31)), '{}') || CASE WHEN x.table_name IS NULL THEN '{}' ELSE ARRAY[x.table_name] END AS target,
				 x.table_name IS NOT NULL AS is_table, x.answer::pg_catalog.jsonb AS answer
		  FROM ROWS FROM (pg_catalog.unnest(namespaces), pg_catalog.unnest(table_names), pg_catalog.unnest(answers)) AS x (namespace, table_name, answer)) AS a
	CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(a.answer -> 'applicable-policies') AS p (policy)
	JOIN floe_internal.polaris_policy_type AS t ON t.policy_type = p.policy ->> 'policy-type'
	WHERE p.policy -> 'inherited' IS DISTINCT FROM 'true'
	ORDER BY a.target, a.is_table, t.policy_type, p.policy ->> 'name';
END;
COMMENT ON FUNCTION floe_internal.attached_policies(pg_catalog.text[], pg_catalog.text[], pg_catalog.text[]) IS 'Policies that are attached to just these targets, of the types floe knows';

-- Attachments of targets that were not asked stay as they are, as long as their tables are there.
CREATE FUNCTION floe_internal.store_catalog_policies(of_catalog_id pg_catalog.int4, namespaces pg_catalog.text[], table_names pg_catalog.text[], answers pg_catalog.text[]) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	has_changed bool := false;
BEGIN
	WITH told AS MATERIALIZED (
		SELECT * FROM floe_internal.attached_policies(namespaces, table_names, answers)
	), gone AS (
		DELETE FROM floe_internal.catalog_policy AS p
		WHERE p.catalog_id = of_catalog_id
		  AND NOT EXISTS (SELECT FROM told AS n WHERE (n.target, n.is_table, n.policy_type) = (p.target, p.is_table, p.policy_type))
		  AND (EXISTS (SELECT FROM unnest(namespaces, table_names) AS x (namespace, table_name)
					   WHERE p.is_table = (x.table_name IS NOT NULL)
						 AND p.target = COALESCE(string_to_array(NULLIF(x.namespace, ''), chr(31)), '{}') || CASE WHEN x.table_name IS NULL THEN '{}' ELSE ARRAY[x.table_name] END)
			   OR NOT EXISTS (SELECT FROM floe_internal.iceberg_table AS t
							  WHERE t.catalog_id = of_catalog_id AND t.status <> 'dropped'
								AND p.target = CASE WHEN p.is_table THEN t.namespace || t.table_name ELSE t.namespace[1:cardinality(p.target)] END)
				  AND p.target <> '{}')
		RETURNING 1
	), come AS (
		INSERT INTO floe_internal.catalog_policy AS p (catalog_id, target, is_table, policy_type, document, changed_at)
			SELECT of_catalog_id, n.target, n.is_table, n.policy_type, n.document, at FROM told AS n
			ON CONFLICT (catalog_id, target, is_table, policy_type) DO UPDATE SET document = EXCLUDED.document, changed_at = at WHERE p.document <> EXCLUDED.document
			RETURNING 1
	)
	SELECT EXISTS (SELECT FROM gone) OR EXISTS (SELECT FROM come) INTO has_changed;
	RETURN has_changed;
END
$body$;
COMMENT ON FUNCTION floe_internal.store_catalog_policies(pg_catalog.int4, pg_catalog.text[], pg_catalog.text[], pg_catalog.text[]) IS 'Keeps what a catalog told of its policies; true: something changed';

CREATE FUNCTION floe_internal.apply_catalog_policies(of_catalog_id pg_catalog.int4, namespaces pg_catalog.text[], table_names pg_catalog.text[], answers pg_catalog.text[]) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	most CONSTANT int4 := 1000;
	at timestamptz := floe_internal.clock();
	changed record;
	n int4 := 0;
BEGIN
	-- before any row is locked, as for every change of policies; a reading that brings nothing new does not wait for it
	IF EXISTS (SELECT FROM floe_internal.attached_policies(namespaces, table_names, answers)) OR EXISTS (SELECT FROM floe_internal.catalog_policy AS p WHERE p.catalog_id = of_catalog_id) THEN
		PERFORM floe_internal.lock_matches(true);
		INSERT INTO floe_internal.policy_change (policy_id) VALUES (-1);
		PERFORM floe_internal.store_catalog_policies(of_catalog_id, namespaces, table_names, answers);
		IF (SELECT count(*) FROM floe_internal.catalog_policy AS p WHERE p.catalog_id = of_catalog_id) > most THEN
			PERFORM floe_internal.refuse(format('the catalog has more than %s policies attached', most), NULL, NULL, '54000');
		END IF;
		FOR changed IN
			SELECT d.* FROM floe_internal.catalog_policy_documents(of_catalog_id) AS d
			JOIN floe_internal.catalog_policy AS p ON (p.catalog_id, p.target, p.is_table, p.policy_type) = (of_catalog_id, d.target, d.is_table, d.policy_type)
			-- somebody may have dropped the policy that stood for it, or the one that was in its way
			WHERE p.applied IS DISTINCT FROM d.applied OR p.policy_id IS NULL
			ORDER BY d.target, d.is_table, d.policy_type
		LOOP
			PERFORM floe_internal.apply_catalog_policy(of_catalog_id, changed.target, changed.is_table, changed.policy_type, changed.applied);
		END LOOP;
		DELETE FROM floe_internal.policy_change AS c WHERE c.policy_id = -1;
		PERFORM floe_internal.note_catalog_locks();
		n := (SELECT count(*) FROM floe_internal.catalog_policy AS p WHERE p.catalog_id = of_catalog_id);
	END IF;
	UPDATE floe_internal.policy_source AS s
		SET read_at = at, error_message = NULL, error_detail = NULL, error_since = NULL,
			new_since = GREATEST(s.new_since, (SELECT max(t.first_seen_at) FROM unnest(namespaces, table_names) AS x (namespace, table_name)
				JOIN floe_internal.iceberg_table AS t ON t.catalog_id = of_catalog_id AND t.namespace = string_to_array(x.namespace, chr(31)) AND t.table_name = x.table_name AND t.status <> 'dropped')),
			tables_read_at = CASE WHEN EXISTS (SELECT FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = of_catalog_id AND t.status <> 'dropped'
					AND NOT EXISTS (SELECT FROM unnest(namespaces, table_names) AS x (namespace, table_name) WHERE t.namespace = string_to_array(x.namespace, chr(31)) AND t.table_name = x.table_name))
				THEN s.tables_read_at ELSE at END
		WHERE s.catalog_id = of_catalog_id;
	RETURN n;
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_catalog_policies(pg_catalog.int4, pg_catalog.text[], pg_catalog.text[], pg_catalog.text[]) IS 'What a catalog answered to floe_internal.policy_targets() becomes policies of floe; returns how many it has. Never called with a reading that broke off';

CREATE FUNCTION floe_internal.policy_source_failed(of_catalog_id pg_catalog.int4, message pg_catalog.text, detail pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old_row floe_internal.policy_source;
BEGIN
	SELECT * INTO old_row FROM floe_internal.policy_source AS s WHERE s.catalog_id = of_catalog_id FOR UPDATE;
	IF NOT FOUND THEN
		RETURN;	-- nobody asks for them any more
	END IF;
	UPDATE floe_internal.policy_source AS s
		SET error_message = message, error_detail = NULLIF(detail, ''), error_since = COALESCE(s.error_since, floe_internal.clock())
		WHERE s.catalog_id = of_catalog_id;
	IF old_row.error_message IS DISTINCT FROM message THEN
		PERFORM floe_internal.write_event('catalog policies failed', c.server_name, NULL, NULL, NULL,
				format('policies of catalog "%s" cannot be read: %s', c.server_name, message), NULL)
			FROM floe_internal.catalog AS c WHERE c.catalog_id = of_catalog_id;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_source_failed(pg_catalog.int4, pg_catalog.text, pg_catalog.text) IS 'The policies of a catalog could not be read; those that were read before stay in force';

CREATE VIEW floe.catalog_policies AS
	SELECT c.server_name AS catalog, CASE WHEN p.target = '{}' THEN NULL ELSE floe_internal.format_name(p.target) END AS target,
		   CASE WHEN p.target = '{}' THEN 'catalog' WHEN p.is_table THEN 'table' ELSE 'namespace' END AS target_kind,
		   p.policy_type AS type, p.document ->> 'name' AS name, p.document ->> 'version' AS version, f.name AS policy, p.left_out, p.problem, p.changed_at, p.locked
	FROM floe_internal.catalog_policy AS p
	JOIN floe_internal.catalog AS c ON c.catalog_id = p.catalog_id
	LEFT JOIN floe.policy AS f ON f.policy_id = p.policy_id;
COMMENT ON VIEW floe.catalog_policies IS 'Policies that catalogs keep (SERVER option policy_source), where each is attached, and the policy of floe that stands for it. left_out: what of its config means nothing here; problem: why floe does not do what it says, so that its operation is off there; locked: what of it locks of policies above overrule';
