--
-- Locks: what may be locked and how, who is refused when he saves, in whichever order, and what holds where nobody can be refused.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine(), lab.engine('big');
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.u', 'demo.hr.t');
CREATE ROLE regress_risk;
\pset format unaligned
\pset tuples_only on

-- ---- forms ----

SELECT locks || E'\n  ' || lab.says(format($$SELECT floe.create_policy('p', 'demo.**', jsonb_build_object('locks', %L::jsonb))$$, locks)) FROM (VALUES
	(1, '[]'), (2, '{"nothing": {"is": 1}}'), (3, '{"rewrite_data_files": {"is": 1}}'), (4, '{"rewrite_data_files.nothing": {"is": 1}}'), (5, '{"rewrite_data_files.options": {"is": {}}}'), (6, '{"rewrite_data_files.options.nothing": {"is": 1}}'),
	(7, '{"priority": {"is": 1}}'), (8, '{"thresholds.nothing.warning": {"max": 1}}'), (9, '{"thresholds.delete_ratio.high": {"max": 1}}'), (10, '{"weights.nothing": {"max": 1}}'), (11, '{"*.options.retain_last": {"min": 1}}'), (12, '{"optimize.enabled": {"is": false}}'),
	(20, '{"engine": true}'), (21, '{"engine": {}}'), (22, '{"engine": {"only": "spark"}}'), (23, '{"engine": {"is": "spark", "in": ["spark"]}}'), (24, '{"engine": {"fixed": false}}'), (25, '{"engine": {"in": []}}'), (26, '{"engine": {"in": "spark"}}'), (27, '{"engine": {"in": [1]}}'), (28, '{"engine": {"min": "a"}}'),
	(29, '{"engine": {"is": 5}}'), (30, '{"*.enabled": {"max": true}}'), (31, '{"*.enabled": {"in": ["true"]}}'), (32, '{"*.enabled": {"is": "no"}}'),
	(40, '{"*.timeout": {"max": "4"}}'), (41, '{"*.timeout": {"max": 4}}'), (42, '{"*.timeout": {"min": "2 hours", "max": "1 hour"}}'), (43, '{"*.max_attempts": {"max": "many"}}'), (44, '{"rewrite_data_files.slice_bytes": {"max": "much"}}'),
	(45, '{"expire_snapshots.options.retain_last": {"min": 0}}'), (46, '{"expire_snapshots.options.max_snapshot_age": {"min": "a while"}}'), (47, '{"*.every": {"min": "1"}}'), (48, '{"*.schedule": {"is": "0 0 30 2 *"}}'), (49, '{"*.schedule": {"in": ["@daily"]}}'),
	(60, '{"engine": {"fixed": true}}'), (61, '{"rewrite_data_files.timeout": {"fixed": true}}')) AS v (n, locks) ORDER BY n;

-- every kind, as it is kept
SELECT floe.create_policy('kinds', 'demo.**', '{"engine": "spark", "locks": {"engine": {"fixed": true}, "*.every": {"min": "PT1H", "max": "7 days"}, "remove_orphan_files.enabled": {"is": false}, "*.timeout": {"max": "240 minutes"}, "*.max_attempts": {"min": 2, "max": 5.0},
	"rewrite_data_files.slice_bytes": {"max": "100 GB"}, "expire_snapshots.options.retain-last": {"min": 2}, "expire_snapshots.options.max_snapshot_age": {"min": "72 hours"}, "*.timezone": {"in": ["UTC", "Europe/Amsterdam"]}, "*.days": {"in": ["mon", "tue"]},
	"*.when": {"is": [{"metric": "data_bytes", "value": "1 GB"}]}, "thresholds.data_bytes.warning": {"max": "1 TB"}, "weights.age": {"max": 2}, "poll_interval": {"max": "1 hour"}, "score": {"in": ["severity", "benefit"]}, "rewrite_manifests.schedule": {"is": "@daily"}}}') > 0;
SELECT key, value FROM floe.policy, jsonb_each(locks) ORDER BY key COLLATE "C";
-- one by one, and an export is an import
SELECT floe.alter_policy('kinds', '{"locks": {"engine": null, "*.timeout": {"max": "2 hours"}}}') > 0;
SELECT locks ? 'engine', locks -> '*.timeout', (SELECT count(*) FROM jsonb_object_keys(locks)) FROM floe.policy;
CREATE TEMP TABLE saved AS SELECT floe.export_policy('kinds') AS document;
SELECT floe.drop_policy('kinds');
SELECT floe.import_policy(document) > 0 FROM saved;
SELECT floe.export_policy('kinds') = document FROM saved;
SELECT floe.import_policy('{"name": "kinds", "pattern": "demo.**", "locks": {"score": {"is": "benefit"}}}') > 0;
SELECT locks FROM floe.policy;
SELECT floe.alter_policy('kinds', '{"locks": null}') > 0;
SELECT locks FROM floe.policy;
SELECT floe.drop_policy('kinds');

-- ---- refused when the one below is saved ----

SELECT floe.create_policy('enterprise', 'demo.**', '{"owner": "regress_risk", "engine": "spark", "locks": {"engine": {"fixed": true}, "expire_snapshots.options.max_snapshot_age": {"min": "3 days"}, "expire_snapshots.options.retain_last": {"min": 3, "max": 100},
	"remove_orphan_files.enabled": {"is": false}, "*.every": {"min": "1 hour", "max": "7 days"}, "*.timezone": {"in": ["UTC", "Europe/Amsterdam"]}, "thresholds.delete_ratio.warning": {"max": 0.3}, "*.timeout": {"max": "4 hours"}, "*.days": {"in": ["sat", "sun"]}}}') > 0;
SELECT document || E'\n  ' || lab.says(format($$SELECT floe.create_policy('team', 'demo.db.*', %L)$$, document)) FROM (VALUES
	(1, '{"expire_snapshots": {"options": {"max_snapshot_age": "1 day"}}}'), (2, '{"expire_snapshots": {"options": {"max_snapshot_age": "72 hours"}}}'), (3, '{"expire_snapshots": {"options": {"retain_last": 2}}}'), (4, '{"expire_snapshots": {"options": {"retain_last": 101}}}'), (5, '{"expire_snapshots": {"options": {"retain_last": 100}}}'),
	(6, '{"engine": "big"}'), (7, '{"engine": "spark"}'), (8, '{"rewrite_data_files": {"engine": "big"}}'), (9, '{"remove_orphan_files": {"enabled": true}}'), (10, '{"remove_orphan_files": {}}'), (11, '{"remove_orphan_files": {"enabled": false}}'),
	(12, '{"rewrite_data_files": {"every": "30 minutes"}}'), (13, '{"rewrite_data_files": {"schedule": "*/30 * * * *"}}'), (14, '{"rewrite_data_files": {"schedule": "0 * * * *"}}'), (15, '{"rewrite_data_files": {"schedule": "0 0 1 * *"}}'), (16, '{"rewrite_data_files": {"every": "8 days"}}'), (17, '{"rewrite_data_files": {"schedule": "0 2 * * mon,tue"}}'),
	(18, '{"rewrite_data_files": {"timezone": "Asia/Kathmandu"}}'), (19, '{"rewrite_data_files": {"days": ["fri", "sat"]}}'), (20, '{"rewrite_data_files": {"days": ["sun"]}}'), (21, '{"thresholds": {"delete_ratio": {"warning": 0.4}}}'), (22, '{"rewrite_manifests": {"timeout": "5 hours"}}'),
	-- off, or at another time: not yet
	(30, '{"enabled": false, "engine": "big"}'),
	-- a lock that leaves nothing of the one above
	(40, '{"locks": {"expire_snapshots.options.max_snapshot_age": {"max": "1 day"}}}'), (41, '{"locks": {"expire_snapshots.options.max_snapshot_age": {"min": "5 days"}}}'), (42, '{"locks": {"expire_snapshots.options.max_snapshot_age": {"is": "1 day"}}}'), (43, '{"locks": {"remove_orphan_files.enabled": {"is": true}}}'),
	-- its own lock
	(50, '{"rewrite_data_files": {"max_attempts": 9}, "locks": {"*.max_attempts": {"max": 5}}}')) AS v (n, document) ORDER BY n;
-- altered, switched on, moved below
SELECT floe.create_policy('team', 'demo.db.*', '{"expire_snapshots": {"options": {"max_snapshot_age": "5 days"}}}') > 0;
SELECT s || E'\n  ' || lab.says(s) FROM (VALUES (1, $$SELECT floe.alter_policy('team', '{"expire_snapshots": {"options": {"max_snapshot_age": "2 days"}}}')$$),
	(2, $$SELECT floe.import_policy('{"name": "team", "pattern": "demo.db.*", "engine": "big"}')$$),
	(3, $$UPDATE floe.policy_operation SET options = '{"max_snapshot_age": "2 days"}' WHERE policy_id = (SELECT policy_id FROM floe.policy WHERE name = 'team')$$),
	(4, $$INSERT INTO floe.policy_operation (policy_id, operation, timeout) SELECT policy_id, 'rewrite_manifests', '5 hours' FROM floe.policy WHERE name = 'team'$$),
	(5, $$INSERT INTO floe.policy (name, pattern, engine) VALUES ('direct', 'demo.db.t', 'big')$$),
	(6, $$INSERT INTO floe.policy (name, pattern, locks) VALUES ('direct', 'demo.db.t', '{"rewrite_data_files.timeout": {"fixed": true}}')$$),
	(7, $$SELECT floe.create_policy('else', 'other.**', '{"engine": "big"}'), floe.alter_policy('else', '{"pattern": "demo.db.x"}')$$),
	(8, $$SELECT floe.create_policy('off', 'demo.db.x', '{"engine": "big", "enabled": false}'), floe.alter_policy('off', '{"enabled": true}')$$),
	-- of equal width: the one with more priority is above
	(9, $$SELECT floe.create_policy('same', 'demo.**', '{"rewrite_data_files": {"engine": "big"}}')$$), (10, $$SELECT floe.create_policy('same', 'demo.**', '{"priority": 1, "rewrite_data_files": {"engine": "big"}}')$$),
	-- above: its own business
	(11, $$SELECT floe.create_policy('world', '**', '{"engine": "big"}')$$),
	-- patterns that only overlap: held by the resolution
	(12, $$SELECT floe.create_policy('across', '*.db.*', '{"engine": "big"}')$$)) AS v (n, s) ORDER BY n;

-- ---- refused when the lock is saved ----

SELECT floe.create_policy('other', 'demo.hr.*', '{"expire_snapshots": {"options": {"max_snapshot_age": "4 days"}}}') > 0;
SELECT s || E'\n  ' || lab.says(s) FROM (VALUES (1, $$SELECT floe.alter_policy('enterprise', '{"locks": {"expire_snapshots.options.max_snapshot_age": {"min": "1 week"}}}')$$),
	(2, $$SELECT floe.create_policy('late', 'demo.**', '{"priority": 9, "locks": {"expire_snapshots.options.max_snapshot_age": {"is": "5 days"}}}')$$),
	(3, $$UPDATE floe.policy SET locks = '{"expire_snapshots.options.max_snapshot_age": {"min": "1 week"}}' WHERE name = 'enterprise'$$),
	(4, $$SELECT floe.create_policy('late', 'demo.db.**', '{"locks": {"engine": {"is": "big"}}}')$$),
	(5, $$SELECT floe.create_policy('late', 'demo.db.t', '{"locks": {"expire_snapshots.options.max_snapshot_age": {"min": "1 week"}}}')$$),
	(6, $$SELECT floe.alter_policy('enterprise', '{"locks": {"expire_snapshots.options.max_snapshot_age": {"min": "1 week"}}, "enabled": false}'), floe.alter_policy('enterprise', '{"enabled": true}')$$),
	-- what it fixed it may change, and what it does not set any more it cannot fix
	(7, $$SELECT floe.alter_policy('enterprise', '{"engine": "big"}')$$), (8, $$SELECT floe.alter_policy('enterprise', '{"engine": null}')$$)) AS v (n, s) ORDER BY n;
-- two that never meet in time do not meet
SELECT lab.says($$SELECT floe.alter_policy('enterprise', '{"valid_during": [null, "2026-06-01"]}'), floe.create_policy('summer', 'demo.db.*', '{"priority": 1, "valid_during": ["2026-06-01", null], "engine": "big"}')$$);
SELECT lab.says($$SELECT floe.alter_policy('enterprise', '{"valid_during": [null, "2026-06-01"]}'), floe.create_policy('summer', 'demo.db.*', '{"priority": 1, "valid_during": ["2026-05-31", null], "engine": "big"}')$$);

-- ---- a catalog's policies and a table's own properties ----

SELECT lab.assess('demo.db.u', properties => '{"history.expire.max-snapshot-age-ms": "86400000", "history.expire.min-snapshots-to-keep": "1000"}');
SELECT floe.drop_policy('team'), floe.drop_policy('other');
SELECT floe.alter_policy('enterprise', '{"expire_snapshots": {}}') > 0;
SELECT setting, value, set_by FROM floe.effective_policy('demo.db.u') WHERE operation = 'expire_snapshots' AND setting LIKE 'options.%';
SELECT setting, value, set_by FROM floe.effective_policy('demo.db.t') WHERE operation = 'expire_snapshots' AND setting LIKE 'options.%';
ALTER SERVER demo OPTIONS (ADD policy_source 'polaris');
SELECT floe_internal.apply_catalog_policies(catalog_id, '{db}', '{NULL}', ARRAY['{"applicable-policies": [{"policy-type": "system.snapshot-expiry", "inheritable": true, "inherited": false, "namespace": ["db"], "name": "short", "version": 0,
	"content": "{\"enable\": true, \"config\": {\"max_snapshot_age_days\": \"1\"}}"}]}']) FROM floe_internal.catalog;
SELECT policy, problem, locked FROM floe.catalog_policies;
SELECT kind, message FROM floe.events WHERE kind = 'catalog policy';
SELECT setting, value, set_by FROM floe.effective_policy('demo.db.u') WHERE operation = 'expire_snapshots' AND setting LIKE 'options.%';
-- a lock that comes later is not refused for what a catalog says
SELECT floe.alter_policy('enterprise', '{"locks": {"expire_snapshots.options.max_snapshot_age": {"min": "6 days"}}}') > 0;
SELECT locked FROM floe.catalog_policies;
SELECT floe.alter_policy('enterprise', '{"locks": {"expire_snapshots.options.max_snapshot_age": null}}') > 0;
SELECT locked FROM floe.catalog_policies;
DROP ROLE regress_risk;
SELECT owner FROM floe.policy WHERE name = 'enterprise';
SELECT floe.alter_policy('enterprise', '{"priority": 1}') > 0;
