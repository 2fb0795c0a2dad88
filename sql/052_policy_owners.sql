--
-- Who may change which policy: its owner, members of that role, and floe_admin; by the functions and by the tables alike.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine();
CREATE ROLE regress_team;
CREATE ROLE regress_lead;
CREATE ROLE regress_stranger IN ROLE floe_viewer;
CREATE ROLE regress_ann IN ROLE floe_viewer, regress_team;
CREATE ROLE regress_cut NOINHERIT IN ROLE regress_team;
GRANT floe_viewer TO regress_team;
GRANT USAGE ON SCHEMA floe TO regress_cut;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA floe TO regress_cut;
GRANT SELECT ON floe.policy TO regress_cut;
CREATE ROLE regress_admin LOGIN IN ROLE floe_admin;
\pset format unaligned
\pset tuples_only on
-- What a statement says to somebody. It is undone.
CREATE FUNCTION lab.told(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	PERFORM set_config('role', role, true);
	said := lab.says(statement);
	RESET ROLE;
	RETURN said;
END $$;
GRANT USAGE ON SCHEMA lab TO PUBLIC;

SELECT floe.create_policy('mine', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}}') > 0;
SELECT owner FROM floe.policy;
SELECT floe.own_policy('mine', 'regress_team') > 0;
SELECT floe.create_policy('theirs', 'demo.hr.**', '{"owner": "regress_lead"}') > 0;
SELECT name, owner, floe.export_policy(name) ->> 'owner' FROM floe.policy ORDER BY 1;
-- whoever sets his role makes policies as that role
SET ROLE regress_admin;
SELECT floe.create_policy('made', 'demo.made.*') > 0;
INSERT INTO floe.policy (name, pattern) VALUES ('made directly', 'demo.made.t');
RESET ROLE;
SELECT name, owner FROM floe.policy WHERE name LIKE 'made%' ORDER BY 1;
SELECT name, version, action, document ->> 'owner' AS owner, changed_by FROM floe.policy_history WHERE name IN ('mine', 'theirs', 'made') ORDER BY policy_id, version;

-- ---- who may ----

GRANT INSERT (name, pattern, priority, owner), UPDATE (name, pattern, priority, owner), DELETE ON floe.policy TO regress_ann, regress_stranger;
GRANT INSERT (policy_id, operation), UPDATE (operation, timeout), DELETE ON floe.policy_operation TO regress_ann, regress_stranger;
SELECT s || E'\n  team: ' || lab.told('regress_team', s) || E'\n  ann, of the team: ' || lab.told('regress_ann', s) || E'\n  a member without its privileges: ' || lab.told('regress_cut', s) || E'\n  stranger: ' || lab.told('regress_stranger', s) || E'\n  admin: ' || lab.told('regress_admin', s) FROM (VALUES
	(1, $$SELECT floe.alter_policy('mine', '{"priority": 3}')$$), (2, $$SELECT floe.drop_policy('mine')$$), (3, $$SELECT floe.import_policy('{"name": "mine", "pattern": "demo.**"}')$$), (4, $$SELECT floe.own_policy('mine', 'regress_stranger')$$), (5, $$SELECT floe.own_policy('mine', 'regress_team')$$),
	(6, $$SELECT floe.alter_policy('mine', '{"owner": "regress_lead"}')$$), (7, $$SELECT floe.alter_policy('mine', '{"pattern": "demo.db.*"}')$$), (8, $$SELECT floe.alter_policy('mine', '{"pattern": "**"}')$$),
	(9, $$SELECT floe.create_policy('new', 'demo.db.*')$$), (10, $$SELECT floe.create_policy('new', '*.db.*')$$), (11, $$SELECT floe.create_policy('new', 'demo.db.*', '{"owner": "regress_admin"}')$$), (12, $$SELECT floe.import_policy('{"name": "new", "pattern": "other.**"}')$$), (13, $$SELECT floe.create_policy('new', 'demo.db')$$),
	(14, $$SELECT floe.drop_policy('theirs')$$), (15, $$SELECT floe.drop_policy('nothing', true)$$), (16, $$SELECT floe.export_policy('theirs') IS NOT NULL$$)) AS v (n, s) ORDER BY n;
-- directly, for those whom somebody let write the tables
SELECT s || E'\n  ann, of the team: ' || lab.told('regress_ann', s) || E'\n  stranger: ' || lab.told('regress_stranger', s) || E'\n  admin: ' || lab.told('regress_admin', s) FROM (VALUES
	(1, $$UPDATE floe.policy SET priority = 3 WHERE name = 'mine'$$), (2, $$DELETE FROM floe.policy WHERE name = 'mine'$$), (3, $$UPDATE floe.policy SET pattern = '**' WHERE name = 'mine'$$), (4, $$UPDATE floe.policy SET owner = 'regress_stranger' WHERE name = 'mine'$$),
	(5, $$UPDATE floe.policy SET owner = 'nobody there' WHERE name = 'mine'$$), (6, $$INSERT INTO floe.policy (name, pattern) VALUES ('new', 'demo.db.*')$$), (7, $$UPDATE floe.policy SET priority = 4$$),
	(10, $$UPDATE floe.policy_operation SET timeout = '1 hour' WHERE policy_id = (SELECT policy_id FROM floe.policy WHERE name = 'mine')$$), (11, $$DELETE FROM floe.policy_operation$$),
	(12, $$INSERT INTO floe.policy_operation (policy_id, operation) SELECT policy_id, 'expire_snapshots' FROM floe.policy WHERE name = 'mine'$$), (13, $$INSERT INTO floe.policy_operation (policy_id, operation) SELECT policy_id, 'expire_snapshots' FROM floe.policy WHERE name = 'theirs'$$)) AS v (n, s) ORDER BY n;
SELECT lab.says(s) FROM (VALUES ($$SELECT floe.own_policy('mine', 'nobody there')$$), ($$SELECT floe.own_policy('nothing', 'regress_team')$$), ($$SELECT floe.alter_policy('mine', '{"owner": 5}')$$), ($$SELECT floe.create_policy('x', 'demo.**', '{"owner": "nobody there"}')$$)) AS v (s);

-- an owner that is gone keeps nobody from anything but himself
DROP OWNED BY regress_lead;
DROP ROLE regress_lead;
SELECT lab.told('regress_ann', $$SELECT floe.drop_policy('theirs')$$);
SELECT lab.told('regress_admin', $$SELECT floe.alter_policy('theirs', '{"priority": 1}'), floe.own_policy('theirs', 'regress_team')$$);
SELECT lab.says($$SELECT floe.import_policy(floe.export_policy('theirs'))$$);
SELECT lab.says($$SELECT floe.import_policy(floe.export_policy('theirs') || '{"name": "another"}')$$);

-- ---- a policy as it was ----

SELECT floe.alter_policy('theirs', '{"priority": 7, "thresholds": {"delete_ratio": {"warning": 0.1, "critical": 0.2}}, "rewrite_manifests": {"every": "1 day"}}') > 0;
SELECT floe.alter_policy('theirs', '{"name": "renamed", "thresholds": {"delete_ratio": {"warning": 0.15}}, "rewrite_manifests": {"every": null, "schedule": "@daily"}, "expire_snapshots": {}}') > 0;
SELECT key || ': ' || COALESCE(before::text, '-') || ' -> ' || COALESCE(after::text, '-') FROM floe.policy_diff('renamed');
SELECT key || ': ' || COALESCE(before::text, '-') || ' -> ' || COALESCE(after::text, '-') FROM floe.policy_diff('renamed', 1, 2);
SELECT floe.restore_policy('renamed', 2) > 0;
SELECT floe.export_policy('theirs');
SELECT lab.says(s) FROM (VALUES ($$SELECT floe.restore_policy('theirs', 9)$$), ($$SELECT floe.restore_policy('nothing', 1)$$), ($$SELECT * FROM floe.policy_diff('nothing')$$), ($$SELECT * FROM floe.policy_diff('theirs', 1, 9)$$)) AS v (s);
SELECT lab.told('regress_stranger', $$SELECT floe.restore_policy('theirs', 1)$$);
SELECT floe.drop_policy('theirs');
SELECT floe.restore_policy('theirs', 2) > 0;
SELECT floe.export_policy('theirs');
RESET ROLE;
DROP OWNED BY regress_team, regress_stranger, regress_ann, regress_cut, regress_admin;
DROP ROLE regress_team, regress_stranger, regress_ann, regress_cut, regress_admin;
