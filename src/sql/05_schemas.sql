-- =================================================================================================
-- 05 schemas and roles
-- Two rooms: floe is what people use, floe_internal is what floe's own code uses. The schema floe is
-- made by CREATE EXTENSION (floe.control names it).
-- =================================================================================================

-- CREATE EXTENSION takes a schema floe that is there already. One that another role owns or has filled is refused:
-- its owner could put functions beside floe's that a call reaches first.
DO $do$
DECLARE
	room record;
BEGIN
	SELECT n.oid, r.rolname, r.rolsuper INTO room FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
		WHERE n.nspname OPERATOR(pg_catalog.=) 'floe';
	IF NOT room.rolsuper THEN
		RAISE EXCEPTION 'schema "floe" belongs to role "%", which is no superuser', room.rolname USING ERRCODE = 'insufficient_privilege', HINT = 'Drop the schema, or give it to a superuser.';
	END IF;
	IF EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS d WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid OPERATOR(pg_catalog.=) room.oid
			   AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass) THEN
		RAISE EXCEPTION 'schema "floe" is not empty' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'The extension needs the schema for itself; drop it, or what is in it.';
	END IF;
END
$do$;

COMMENT ON SCHEMA floe IS 'floe: what people use to keep Apache Iceberg tables healthy';

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

