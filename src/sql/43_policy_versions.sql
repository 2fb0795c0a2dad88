-- =================================================================================================
-- 43 policies: versions
-- What changed between two versions of a policy, and back to one of them. The versions are written in 43_policy_resolution.
-- =================================================================================================

-- Every value of a document by its path; lists are values.
CREATE FUNCTION floe_internal.document_values(document pg_catalog.jsonb, OUT key pg_catalog.text, OUT value pg_catalog.jsonb) RETURNS SETOF pg_catalog.record
	LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	WITH RECURSIVE part (key, value) AS (
		SELECT e.key, e.value FROM pg_catalog.jsonb_each(document) AS e
		UNION ALL
		SELECT p.key || '.' || e.key, e.value FROM part AS p CROSS JOIN LATERAL pg_catalog.jsonb_each(CASE pg_catalog.jsonb_typeof(p.value) WHEN 'object' THEN p.value END) AS e
	)
	SELECT p.key, p.value FROM part AS p WHERE pg_catalog.jsonb_typeof(p.value) <> 'object' OR p.value = '{}';
END;
COMMENT ON FUNCTION floe_internal.document_values(pg_catalog.jsonb) IS 'Values of a policy document, each with its path';

-- A policy that was dropped is found by the last name it had.
CREATE FUNCTION floe_internal.versions_of(name pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result int4 := (SELECT p.policy_id FROM floe.policy AS p WHERE p.name = versions_of.name);
BEGIN
	IF result IS NULL THEN
		SELECT v.policy_id INTO result FROM floe_internal.policy_version AS v WHERE v.name = versions_of.name AND v.action = 'drop' ORDER BY v.changed_at DESC, v.policy_id DESC LIMIT 1;
	END IF;
	IF result IS NULL THEN
		PERFORM floe_internal.policy_by_name(versions_of.name);
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.versions_of(pg_catalog.text) IS 'Id of a policy of that name, or of the last one that was dropped; else error 42704';

CREATE FUNCTION floe_internal.version_document(of_policy_id pg_catalog.int4, of_version pg_catalog.int4) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	result jsonb := (SELECT v.document FROM floe_internal.policy_version AS v WHERE v.policy_id = of_policy_id AND v.version = of_version);
BEGIN
	IF result IS NULL THEN
		PERFORM floe_internal.refuse(format('the policy has no version %s', of_version), NULL,
			format('Versions are 1 to %s; floe.policy_history shows them.', (SELECT max(v.version) FROM floe_internal.policy_version AS v WHERE v.policy_id = of_policy_id)), '42704');
	END IF;
	RETURN result;
END
$body$;
COMMENT ON FUNCTION floe_internal.version_document(pg_catalog.int4, pg_catalog.int4) IS 'A policy as it was in one version, or error 42704';

CREATE FUNCTION floe.policy_diff(name pg_catalog.text, from_version pg_catalog.int4 DEFAULT NULL, to_version pg_catalog.int4 DEFAULT NULL,
		OUT key pg_catalog.text, OUT before pg_catalog.jsonb, OUT after pg_catalog.jsonb)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	id int4 := floe_internal.versions_of(policy_diff.name);
	newer int4 := COALESCE(policy_diff.to_version, (SELECT max(v.version) FROM floe_internal.policy_version AS v WHERE v.policy_id = id));
	older int4 := COALESCE(policy_diff.from_version, newer - 1);
	new_document jsonb := floe_internal.version_document(id, newer);
	old_document jsonb := CASE WHEN older = 0 THEN '{}' ELSE floe_internal.version_document(id, older) END;
BEGIN
	RETURN QUERY
		SELECT COALESCE(o.key, n.key), o.value, n.value
		FROM floe_internal.document_values(old_document) AS o FULL JOIN floe_internal.document_values(new_document) AS n ON n.key = o.key
		WHERE o.value IS DISTINCT FROM n.value
		ORDER BY 1;
END
$body$;
COMMENT ON FUNCTION floe.policy_diff(pg_catalog.text, pg_catalog.int4, pg_catalog.int4) IS 'What changed between two versions of a policy, by default the last two: one row a value, NULL where there was or is none. Version 0: before there was any';

CREATE FUNCTION floe.restore_policy(name pg_catalog.text, version pg_catalog.int4) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	id int4;
	document jsonb;
	old_row floe.policy;
BEGIN
	PERFORM floe_internal.lock_matches(true);
	id := floe_internal.versions_of(restore_policy.name);
	-- whom it belongs to is not brought back
	document := floe_internal.version_document(id, restore_policy.version) - 'owner';
	SELECT * INTO old_row FROM floe.policy AS p WHERE p.policy_id = id;
	IF NOT FOUND THEN
		RETURN floe.create_policy(document ->> 'name', document ->> 'pattern', document - 'name' - 'pattern');
	END IF;
	RETURN floe.alter_policy(old_row.name, floe_internal.replacing_change(old_row, document));
END
$body$;
COMMENT ON FUNCTION floe.restore_policy(pg_catalog.text, pg_catalog.int4) IS 'Makes a policy what it was in one of its versions, name and pattern included, as a new version; one that was dropped is made anew. The owner stays. Returns its id';
