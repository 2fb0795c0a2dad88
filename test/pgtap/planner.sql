-- Statements inside floe's functions are never compiled (JIT): with it one decision over eight tables took twenty seconds.
SELECT plan(2);
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc AS p
	WHERE p.pronamespace IN ('floe'::regnamespace, 'floe_internal'::regnamespace) AND p.proconfig IS NOT NULL AND NOT 'jit=off' = ANY (p.proconfig)$$,
	'every function that is planned by itself switches JIT off');
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
	WHERE p.pronamespace IN ('floe'::regnamespace, 'floe_internal'::regnamespace) AND l.lanname = 'plpgsql' AND p.proconfig IS NULL$$,
	'and so does every function in PL/pgSQL');
SELECT * FROM finish();
