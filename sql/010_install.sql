--
-- Installing and removing the extension.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

-- what CREATE EXTENSION makes
SELECT extname, extversion, n.nspname AS schema, extrelocatable FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace WHERE extname = 'floe';
SELECT floe_internal.api_version();
SELECT count(*) FROM pg_available_extension_versions WHERE name = 'floe' AND superuser AND NOT relocatable AND schema = 'floe';
SELECT c.relkind, n.nspname, c.relname
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'floe' AND c.relkind IN ('r', 'v') ORDER BY 1, 3;
SELECT p.prokind, p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'floe'::regnamespace ORDER BY p.prokind, p.oid::regprocedure::text COLLATE "C";
SELECT rolname, rolcanlogin, rolsuper, rolinherit FROM pg_roles WHERE rolname LIKE 'floe%' ORDER BY 1;
SELECT r.rolname AS role, m.rolname AS member FROM pg_auth_members AS a JOIN pg_roles AS r ON r.oid = a.roleid JOIN pg_roles AS m ON m.oid = a.member
WHERE r.rolname LIKE 'floe%' ORDER BY 1, 2;

-- twice, moved, or put somewhere else
CREATE EXTENSION floe;
CREATE EXTENSION IF NOT EXISTS floe;
ALTER EXTENSION floe SET SCHEMA public;
DROP EXTENSION floe;
CREATE SCHEMA elsewhere;
CREATE EXTENSION floe SCHEMA elsewhere;
CREATE EXTENSION floe VERSION '0.9';
DROP SCHEMA elsewhere;

-- everything goes with it, but the roles, which other databases share, and the empty schema, which PostgreSQL does not count as a part of an extension
SELECT nspname, (SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = n.oid) AS relations, (SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = n.oid) AS functions
FROM pg_namespace AS n WHERE nspname LIKE 'floe%';
SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'floe%';
SELECT fdwname FROM pg_foreign_data_wrapper WHERE fdwname LIKE 'floe%';
SELECT count(*) FROM pg_roles WHERE rolname IN ('floe_viewer', 'floe_operator', 'floe_admin');

-- and comes back beside roles that are there already, whatever the session's search_path holds
SET search_path = pg_temp, public;
CREATE EXTENSION floe;
RESET search_path;
SELECT count(*) FROM floe.metric;

-- servers depend on it
SELECT lab.catalog();
CREATE USER MAPPING FOR CURRENT_USER SERVER demo OPTIONS (client_id 'me', client_secret 'secret');
DROP EXTENSION floe;
DROP EXTENSION floe CASCADE;
SELECT count(*) FROM pg_foreign_server;

-- a schema that somebody prepared is not used: its owner could put look-alikes beside floe's functions
CREATE ROLE regress_nobody;
DROP SCHEMA floe;
CREATE SCHEMA floe AUTHORIZATION regress_nobody;
CREATE EXTENSION floe;
ALTER SCHEMA floe OWNER TO CURRENT_USER;
CREATE FUNCTION floe.why(name) RETURNS text LANGUAGE sql AS 'SELECT ''gotcha''::text';
CREATE EXTENSION floe;
DROP FUNCTION floe.why(name);
CREATE VIEW floe.something AS SELECT 1;
CREATE EXTENSION floe;
DROP VIEW floe.something;
CREATE SCHEMA floe_internal;
CREATE EXTENSION floe;
DROP SCHEMA floe_internal;
CREATE EXTENSION floe;
DROP EXTENSION floe;

-- only a superuser may install it: it makes roles, wrappers and an event trigger
SET ROLE regress_nobody;
CREATE EXTENSION floe;
RESET ROLE;
DROP ROLE regress_nobody;
