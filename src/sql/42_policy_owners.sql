-- =================================================================================================
-- 42 policies: owners
-- Who made a policy owns it. Its owner, the members of that role and floe_admin may change it, drop it
-- and give it away. Who owns a policy may make others for parts of its tables. Everybody else is
-- refused, by the functions and by the tables alike.
-- =================================================================================================

-- Of a role that is gone nobody is a member: only floe_admin is left.
CREATE FUNCTION floe_internal.has_role(acting pg_catalog.text, role_name pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles AS a JOIN pg_catalog.pg_roles AS r ON r.rolname IN (role_name, 'floe_admin')
		WHERE a.rolname = acting AND pg_catalog.pg_has_role(a.oid, r.oid, 'USAGE'));
END;
COMMENT ON FUNCTION floe_internal.has_role(pg_catalog.text, pg_catalog.text) IS 'Whether a role has what the other role or floe_admin has';

-- What a catalog says is applied by whoever runs the pass, whatever he may do otherwise.
CREATE FUNCTION floe_internal.is_catalog_sync() RETURNS pg_catalog.bool
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id = -1);
END
$body$;
COMMENT ON FUNCTION floe_internal.is_catalog_sync() IS 'This transaction is applying the policies of a catalog (77): a row that only it can write and see';

CREATE FUNCTION floe_internal.check_policy_owner(of_policy floe.policy) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF floe_internal.has_role(floe_internal.acting_role(), of_policy.owner) OR floe_internal.is_catalog_sync() THEN
		RETURN;
	END IF;
	RAISE EXCEPTION 'must be owner of policy "%"', of_policy.name
		USING ERRCODE = 'insufficient_privilege', DETAIL = format('It belongs to %s.', of_policy.owner),
			HINT = 'Its owner, members of that role and of floe_admin may change it.';
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_owner(floe.policy) IS 'Refuses whoever may not change a policy';

CREATE FUNCTION floe_internal.check_policy_scope(new_pattern pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	acting text := floe_internal.acting_role();
	checked text;
BEGIN
	IF floe_internal.has_role(acting, 'floe_admin') OR floe_internal.is_catalog_sync() THEN
		RETURN;
	END IF;
	BEGIN
		checked := floe_internal.check_pattern(new_pattern);
	EXCEPTION WHEN invalid_parameter_value THEN
		RETURN;	-- refused where it is saved, with the place
	END;
	IF EXISTS (SELECT 1 FROM floe.policy AS p WHERE floe_internal.has_role(acting, p.owner) AND floe_internal.pattern_covers(p.pattern, checked)) THEN
		RETURN;
	END IF;
	RAISE EXCEPTION '%: role "%" may not make policies for %', place, acting, checked
		USING ERRCODE = 'insufficient_privilege', DETAIL = COALESCE('Policies of its own are for ' || (SELECT string_agg(p.pattern, '; ' ORDER BY p.pattern) FROM floe.policy AS p WHERE floe_internal.has_role(acting, p.owner)) || '.', 'It owns no policy.'),
			HINT = 'Members of floe_admin may for all tables, others within what policies that they own are for.';
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_scope(pg_catalog.text, pg_catalog.text) IS 'Refuses a pattern beyond those of the policies that the role owns, but for floe_admin';

CREATE FUNCTION floe_internal.check_new_owner(new_owner pg_catalog.text, place pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = new_owner) THEN
		RAISE EXCEPTION '%: role "%" does not exist', place, new_owner USING ERRCODE = 'undefined_object';
	END IF;
	IF NOT floe_internal.has_role(floe_internal.acting_role(), new_owner) AND NOT floe_internal.is_catalog_sync() THEN
		RAISE EXCEPTION '%: must be able to SET ROLE "%"', place, new_owner
			USING ERRCODE = 'insufficient_privilege', HINT = 'A policy is given to a role that one is a member of; members of floe_admin may give it to any.';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_new_owner(pg_catalog.text, pg_catalog.text) IS 'Refuses an owner that does not exist, or that the role may not act for';

CREATE FUNCTION floe.own_policy(name pg_catalog.text, owner pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old_row floe.policy;
BEGIN
	PERFORM floe_internal.lock_matches(true);
	old_row := floe_internal.policy_by_name(own_policy.name);
	PERFORM floe_internal.check_policy_owner(old_row);
	PERFORM floe_internal.check_new_owner(own_policy.owner, format('policy "%s"', old_row.name));
	UPDATE floe.policy AS p SET owner = own_policy.owner WHERE p.policy_id = old_row.policy_id;
	RETURN old_row.policy_id;
END
$body$;
COMMENT ON FUNCTION floe.own_policy(pg_catalog.text, pg_catalog.text) IS 'Gives a policy to another role, as ALTER … OWNER TO does; returns its id';

-- Rows that people write themselves: these run as whoever does, for whom the schema floe_internal is closed. Within floe's own functions,
-- which have asked before, that is the owner of the extension.

CREATE FUNCTION floe_internal.policy_allowed() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	is_admin bool := pg_has_role(current_user, 'floe_admin', 'USAGE');
	of_owner text := CASE TG_OP WHEN 'INSERT' THEN COALESCE(NEW.owner, current_user) ELSE OLD.owner END;
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF NOT is_admin THEN
			RAISE EXCEPTION 'policy "%": only members of floe_admin insert policies', NEW.name
				USING ERRCODE = 'insufficient_privilege', HINT = 'floe.create_policy() makes policies within what policies of one''s own are for.';
		END IF;
	ELSIF NOT is_admin AND NOT EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = of_owner AND pg_has_role(r.oid, 'USAGE')) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', OLD.name
			USING ERRCODE = 'insufficient_privilege', DETAIL = format('It belongs to %s.', of_owner), HINT = 'Its owner, members of that role and of floe_admin may change it.';
	ELSIF TG_OP = 'UPDATE' AND NOT is_admin AND (NEW.pattern, NEW.owner) IS DISTINCT FROM (OLD.pattern, OLD.owner) THEN
		RAISE EXCEPTION 'policy "%": only members of floe_admin update pattern and owner', OLD.name
			USING ERRCODE = 'insufficient_privilege', HINT = 'Use floe.alter_policy() or floe.own_policy().';
	END IF;
	-- one that is gone comes with a dump, or is the owner still
	IF TG_OP = 'UPDATE' AND NEW.owner IS DISTINCT FROM OLD.owner AND NOT EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = NEW.owner) THEN
		RAISE EXCEPTION 'policy "%": role "%" does not exist', OLD.name, NEW.owner USING ERRCODE = 'undefined_object';
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_allowed() IS 'Trigger: who may write a row of floe.policy';

CREATE TRIGGER policy_allowed BEFORE INSERT OR UPDATE OR DELETE ON floe.policy
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_allowed();

CREATE FUNCTION floe_internal.policy_operation_allowed() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	p record;
BEGIN
	IF NOT pg_has_role(current_user, 'floe_admin', 'USAGE') THEN
		SELECT x.name, x.owner INTO p FROM floe.policy AS x WHERE x.policy_id = CASE TG_OP WHEN 'INSERT' THEN NEW.policy_id ELSE OLD.policy_id END;
		IF NOT EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = p.owner AND pg_has_role(r.oid, 'USAGE')) THEN
			RAISE EXCEPTION 'must be owner of policy "%"', p.name
				USING ERRCODE = 'insufficient_privilege', DETAIL = format('It belongs to %s.', p.owner), HINT = 'Its owner, members of that role and of floe_admin may change it.';
		END IF;
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_operation_allowed() IS 'Trigger: who may write a row of floe.policy_operation';

CREATE TRIGGER policy_operation_allowed BEFORE INSERT OR UPDATE OR DELETE ON floe.policy_operation
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_operation_allowed();
