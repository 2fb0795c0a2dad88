-- =================================================================================================
-- 05 schemas and roles
-- Two rooms: floe is what people use, floe_internal is what floe's own code uses. The schema floe is
-- made by CREATE EXTENSION (floe.control names it).
-- =================================================================================================

CREATE SCHEMA floe_internal;
COMMENT ON SCHEMA floe_internal IS 'floe: private tables and functions; not an interface, may change with every version';

-- Roles are shared by all databases of a cluster, so they are made only where they are missing and are
-- not dropped with the extension.
DO $do$
DECLARE
	wanted pg_catalog.text;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['floe_viewer', 'floe_operator', 'floe_admin']
	LOOP
		IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) wanted) THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
		END IF;
	END LOOP;
	GRANT floe_viewer TO floe_operator;
	GRANT floe_operator TO floe_admin;
END
$do$;

