-- =================================================================================================
-- 92 planner
-- Settings for the statements inside floe's functions. Decisions are wide queries over few rows: PostgreSQL
-- overestimates them and would spend seconds to compile (JIT) what runs in milliseconds.
-- =================================================================================================

DO $do$
DECLARE
	entry pg_catalog.regprocedure;
BEGIN
	-- Those that pin their search_path are the ones that are planned by themselves; the others are part of a caller's plan.
	FOR entry IN
		SELECT p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_proc AS p
		WHERE p.pronamespace OPERATOR(pg_catalog.=) ANY (ARRAY['floe', 'floe_internal']::pg_catalog.regnamespace[]) AND p.proconfig IS NOT NULL
	LOOP
		EXECUTE pg_catalog.format('ALTER FUNCTION %s SET jit = off', entry);
	END LOOP;
END
$do$;
