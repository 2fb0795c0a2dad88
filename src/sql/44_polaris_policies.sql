-- =================================================================================================
-- 44 policies: Polaris
-- What Polaris's maintenance policies mean here. Separate from the documents of 42, because the form
-- is Polaris's (spec/polaris-catalog-apis/policy-apis.yaml, JSON schemas of version 2025-02-03).
-- =================================================================================================

CREATE TABLE floe_internal.polaris_policy_type (
	policy_type	pg_catalog.text PRIMARY KEY,
	operation	pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind
);
COMMENT ON TABLE floe_internal.polaris_policy_type IS 'Polaris''s types of policies and the operation each is about';

INSERT INTO floe_internal.polaris_policy_type VALUES
	('system.data-compaction', 'rewrite_data_files'),
	('system.metadata-compaction', 'rewrite_manifests'),
	('system.snapshot-expiry', 'expire_snapshots'),
	('system.orphan-file-removal', 'remove_orphan_files');

CREATE TABLE floe_internal.polaris_config_key (
	policy_type	pg_catalog.text NOT NULL REFERENCES floe_internal.polaris_policy_type,
	key			pg_catalog.text NOT NULL,
	option		pg_catalog.text NOT NULL,
	unit		pg_catalog.text,
	PRIMARY KEY (policy_type, key)
);
COMMENT ON TABLE floe_internal.polaris_config_key IS 'Keys of a Polaris policy''s config that are options by another name; all options are keys by their own names, too';
COMMENT ON COLUMN floe_internal.polaris_config_key.unit IS 'A number means so many of these; NULL: as the option has it';

-- The examples of Polaris's schemas, and Iceberg's table properties.
INSERT INTO floe_internal.polaris_config_key VALUES
	('system.data-compaction', 'compaction_strategy', 'strategy', NULL),
	('system.data-compaction', 'write_target_file_size_bytes', 'target_file_size', NULL),
	('system.snapshot-expiry', 'min_snapshot_to_keep', 'retain_last', NULL),
	('system.snapshot-expiry', 'min_snapshots_to_keep', 'retain_last', NULL),
	('system.snapshot-expiry', 'max_snapshot_age_days', 'max_snapshot_age', 'days'),
	('system.snapshot-expiry', 'max_snapshot_age_ms', 'max_snapshot_age', 'milliseconds'),
	('system.snapshot-expiry', 'history_expire_min_snapshots_to_keep', 'retain_last', NULL),
	('system.snapshot-expiry', 'history_expire_max_snapshot_age_ms', 'max_snapshot_age', 'milliseconds'),
	('system.orphan-file-removal', 'max_orphan_file_age_in_days', 'older_than', 'days');

-- The model keeps config as a map of texts, so a number may come as one.
CREATE FUNCTION floe_internal.polaris_value(value pg_catalog.jsonb, value_type pg_catalog.text, unit pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT CASE
		WHEN unit IS NOT NULL AND value OPERATOR(pg_catalog.#>>) '{}' OPERATOR(pg_catalog.~) '^[0-9]{1,15}$'
			THEN pg_catalog.to_jsonb((value OPERATOR(pg_catalog.#>>) '{}') OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) unit)
		-- durations have no fractions
		WHEN unit OPERATOR(pg_catalog.=) 'days' AND value OPERATOR(pg_catalog.#>>) '{}' OPERATOR(pg_catalog.~) '^[0-9]{1,6}\.[0-9]{1,9}$'
			THEN pg_catalog.to_jsonb(pg_catalog.round((value OPERATOR(pg_catalog.#>>) '{}')::pg_catalog.numeric OPERATOR(pg_catalog.*) 86400) OPERATOR(pg_catalog.||) ' seconds')
		WHEN value_type IN ('count', 'bytes', 'ratio') AND value OPERATOR(pg_catalog.#>>) '{}' OPERATOR(pg_catalog.~) '^[0-9]{1,18}(\.[0-9]{1,9})?$'
			THEN (value OPERATOR(pg_catalog.#>>) '{}')::pg_catalog.jsonb
		WHEN value_type OPERATOR(pg_catalog.=) 'boolean' AND pg_catalog.lower(value OPERATOR(pg_catalog.#>>) '{}') IN ('true', 'false')
			THEN pg_catalog.lower(value OPERATOR(pg_catalog.#>>) '{}')::pg_catalog.jsonb
		WHEN value_type OPERATOR(pg_catalog.=) 'choice' AND value OPERATOR(pg_catalog.#>>) '{}' IN ('bin-pack', 'bin_pack')
			THEN '"binpack"'
		ELSE value END;
END;
COMMENT ON FUNCTION floe_internal.polaris_value(pg_catalog.jsonb, pg_catalog.text, pg_catalog.text) IS 'A value of a Polaris policy''s config as the option has it; what it cannot be stays as it is, for the option''s own check';

CREATE FUNCTION floe_internal.polaris_content(policy_type pg_catalog.text, content pg_catalog.jsonb, place pg_catalog.text) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM floe_internal.polaris_policy_type AS t WHERE t.policy_type = polaris_content.policy_type) THEN
		PERFORM floe_internal.refuse(format('%s: Polaris policies of type %s have no meaning in floe', place, COALESCE(to_json(left(policy_type, 100))::text, 'none')), NULL,
			'Types that have are: ' || (SELECT string_agg(t.policy_type, ', ' ORDER BY t.policy_type) FROM floe_internal.polaris_policy_type AS t) || '.', '0A000');
	END IF;
	IF jsonb_typeof(content) = 'string' THEN
		BEGIN
			content := (content #>> '{}')::jsonb;
		EXCEPTION WHEN data_exception THEN
			PERFORM floe_internal.refuse(place || ': content is not JSON', NULL, NULL);
		END;
	END IF;
	IF jsonb_typeof(content) IS DISTINCT FROM 'object' OR jsonb_typeof(content -> 'enable') IS DISTINCT FROM 'boolean'
		OR COALESCE(jsonb_typeof(content -> 'config'), 'null') NOT IN ('object', 'null') THEN
		PERFORM floe_internal.refuse(place || ': content must be an object with "enable": true or false', 'Its "config", if there is one, is an object.', NULL);
	END IF;
	IF COALESCE(NULLIF(content ->> 'version', ''), '2025-02-03') <> '2025-02-03' THEN
		PERFORM floe_internal.refuse(format('%s: content is of version %s', place, left(content -> 'version' #>> '{}', 100)), 'floe knows version 2025-02-03.', NULL, '0A000');
	END IF;
	IF COALESCE(content -> 'locations', 'null') NOT IN ('null', '[]') THEN
		PERFORM floe_internal.refuse(place || ': orphan files are removed below a table''s own location only', format('The policy has "locations": %s.', left(content ->> 'locations', 1000)),
			'Files of other tables, which floe cannot know of, may lie there.', '0A000');
	END IF;
	RETURN content;
END
$body$;
COMMENT ON FUNCTION floe_internal.polaris_content(pg_catalog.text, pg_catalog.jsonb, pg_catalog.text) IS 'The content of a Polaris policy as an object, which it also is as text; refuses what floe would do otherwise than it says';

-- Options of a policy's config; left_out: keys that mean nothing here.
CREATE FUNCTION floe_internal.polaris_options(policy_type pg_catalog.text, content pg_catalog.jsonb, OUT options pg_catalog.jsonb, OUT left_out pg_catalog.text[])
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH given AS (
		SELECT e.key, e.value, pg_catalog.translate(pg_catalog.lower(e.key), '-.', '__') AS plain
		FROM pg_catalog.jsonb_each(COALESCE(NULLIF(content -> 'config', 'null'), '{}')) AS e
		UNION ALL
		SELECT e.key, e.value, e.key
		FROM pg_catalog.jsonb_each(content - ARRAY['enable', 'version', 'config', 'locations']) AS e
		-- Polaris's own default, which says nothing
		WHERE NOT (e.key OPERATOR(pg_catalog.=) 'max_orphan_file_age_in_days' AND e.value IN ('0', 'null'))),
	known AS (
		SELECT g.key, g.value, n.unit, o.option, o.value_type
		FROM given AS g
		JOIN floe_internal.polaris_policy_type AS t ON t.policy_type OPERATOR(pg_catalog.=) polaris_options.policy_type
		LEFT JOIN floe_internal.polaris_config_key AS n ON n.policy_type OPERATOR(pg_catalog.=) t.policy_type AND n.key OPERATOR(pg_catalog.=) g.plain
		LEFT JOIN LATERAL (SELECT x.option, x.value_type FROM floe_internal.engine_options() AS x
			WHERE x.operation OPERATOR(pg_catalog.=) t.operation
			  AND (x.option OPERATOR(pg_catalog.=) COALESCE(n.option, g.plain)
				   OR n.option IS NULL AND EXISTS (SELECT 1 FROM pg_catalog.unnest(x.aliases) AS a WHERE pg_catalog.translate(a, '-.', '__') OPERATOR(pg_catalog.=) g.plain))
			LIMIT 1) AS o ON true)
	SELECT COALESCE(pg_catalog.jsonb_object_agg(k.option, floe_internal.polaris_value(k.value, k.value_type, k.unit)) FILTER (WHERE k.option IS NOT NULL), '{}'),
		   COALESCE(pg_catalog.array_agg(k.key ORDER BY k.key) FILTER (WHERE k.option IS NULL), '{}')
	FROM known AS k;
END;
COMMENT ON FUNCTION floe_internal.polaris_options(pg_catalog.text, pg_catalog.jsonb) IS 'Options of an operation from the content of a Polaris policy, and the keys that mean nothing here';

CREATE FUNCTION floe_internal.is_polaris_policy(document pg_catalog.jsonb) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_typeof(document) OPERATOR(pg_catalog.=) 'object'
		AND (document ? 'content' AND document ?| ARRAY['policy-type', 'type'] OR pg_catalog.jsonb_typeof(document -> 'policy') IS NOT DISTINCT FROM 'object');
END;
COMMENT ON FUNCTION floe_internal.is_polaris_policy(pg_catalog.jsonb) IS 'Whether a document is a policy as Polaris''s API answers with it, and not one of floe';

-- What Polaris answers with, the target as "pattern", and any key of a floe policy that is not of one operation.
CREATE FUNCTION floe_internal.polaris_document(document pg_catalog.jsonb, OUT translated pg_catalog.jsonb, OUT left_out pg_catalog.text[])
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	policy jsonb := CASE jsonb_typeof(document -> 'policy') WHEN 'object' THEN (document -> 'policy') || (document - 'policy') ELSE document END;
	place text := format('policy "%s"', policy ->> 'name');
	given_type text := COALESCE(policy ->> 'policy-type', policy ->> 'type');
	content jsonb := floe_internal.polaris_content(given_type, policy -> 'content', place);
	options jsonb;
BEGIN
	SELECT o.options, o.left_out INTO options, left_out FROM floe_internal.polaris_options(given_type, content) AS o;
	translated := (policy - ARRAY['policy-type', 'type', 'content', 'version', 'inheritable', 'inherited', 'namespace', 'appliedAt'])
		|| jsonb_build_object((SELECT t.operation FROM floe_internal.polaris_policy_type AS t WHERE t.policy_type = given_type),
			jsonb_build_object('enabled', content -> 'enable', 'options', options));
END
$body$;
COMMENT ON FUNCTION floe_internal.polaris_document(pg_catalog.jsonb) IS 'A Polaris policy as a document of floe; left_out: keys of its config that mean nothing here';
