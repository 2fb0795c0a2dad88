--
-- Policies: created, altered, dropped, exported and imported, and their history. What is refused: 045.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine(), lab.engine('big');

-- ---- every field a document can have ----

SELECT scope, key, value_type, description FROM floe_internal.policy_key ORDER BY scope DESC, position;

SELECT floe.create_policy('all', 'demo.**', '{
	"priority": 10, "enabled": true, "description": "everything", "engine": "spark", "poll_interval": "10 minutes", "min_poll_interval": "PT30S", "exclude": ["demo.tmp.**", "!demo.db.\"a,b\""],
	"thresholds": {"excess_file_count": {"warning": 10, "critical": 20}, "data_bytes": {"warning": "1 GB", "critical": "1 TB"}, "oldest_snapshot_age": {"warning": "7 days", "critical": 1209600}, "delete_ratio": {"warning": 0.05}},
	"weights": {"severity": 2, "failures": 0.5},
	"rewrite_data_files": {
		"enabled": true, "engine": "big", "schedule": "0 2 * * mon-fri", "timezone": "Europe/Amsterdam", "jitter": "10 minutes", "windows": ["22:00-06:00", "12:00-13:00"], "days": ["mon", "Tuesday"],
		"min_interval": "PT2H", "deadline": "7 days", "timeout": "90 minutes", "max_attempts": 3,
		"when": {"all": [{"metric": "small_file_count", "op": ">", "value": 100}, {"metric": "small_file_bytes", "value": "10 MB"}]},
		"options": {"target_file_size": "256MB", "min-input-files": 3, "partial-progress.enabled": true}},
	"rewrite_position_delete_files": {"every": "1 day"},
	"rewrite_manifests": {"enabled": false},
	"expire_snapshots": {"when": [{"metric": "snapshot_count", "value": 10}], "options": {"max_snapshot_age": "3 days", "retain_last": 10}, "windows": "00:00-06:00"},
	"remove_orphan_files": {}}');
SELECT jsonb_pretty(floe.export_policy('all'));
SELECT name, pattern, priority, is_enabled, engine, poll_interval, min_poll_interval, thresholds, weights FROM floe.policy;
\x
SELECT * FROM floe.policy_operation ORDER BY operation;
\x

-- an export is an import
SELECT floe.drop_policy('all');
SELECT count(*) FROM floe.policy_operation;
CREATE TEMP TABLE saved AS SELECT document FROM floe.policy_history WHERE action = 'drop';
SELECT floe.import_policy(document) FROM saved;
SELECT floe.export_policy('all') = document AS same FROM saved;
-- twice is once: nothing changes, no version is written, no schedule begins anew
SELECT lab.later('1 hour');
SELECT floe.import_policy(document) FROM saved;
SELECT operation, schedule_set_at FROM floe.policy_operation WHERE schedule IS NOT NULL OR every IS NOT NULL ORDER BY 1;
SELECT policy_id, name, version, action, changed_at, changed_by FROM floe.policy_history ORDER BY policy_id, version;

-- the same in a session that writes intervals and times another way
SELECT lab.list_tables('demo', 'demo.db.t');
SELECT settings FROM floe_internal.effective WHERE operation = 'rewrite_position_delete_files';
SET intervalstyle = 'sql_standard';
SET timezone = 'Asia/Kathmandu';
SELECT floe.export_policy('all') = document AS same FROM saved;
SELECT floe.import_policy(document) FROM saved;
SELECT floe.alter_policy('all', '{"priority": 11}');
SELECT floe.alter_policy('all', '{"priority": 10}');
SELECT settings FROM floe_internal.effective WHERE operation = 'rewrite_position_delete_files';
SET intervalstyle = 'postgres';
SET timezone = 'UTC';
SELECT floe.export_policy('all') = document AS same FROM saved;

-- what a new document does not say is gone
SELECT floe.import_policy('{"name": "all", "pattern": "demo.**", "thresholds": {"excess_file_count": {"warning": 5}, "delete_bytes": {"warning": 1}}, "weights": {"gain": 1},
	"rewrite_data_files": {"options": {"max_concurrent_file_group_rewrites": 2}}}');
SELECT jsonb_pretty(floe.export_policy('all'));
SELECT floe.drop_policy('all');

-- ---- altering ----

SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "priority": 5, "thresholds": {"excess_file_count": {"warning": 1, "critical": 2}}, "weights": {"age": 2}, "rewrite_data_files": {"schedule": "0 2 * * *", "options": {"target_file_size": "1GB"}}, "expire_snapshots": {}}');
CREATE FUNCTION lab.alter(changes jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM floe.alter_policy('p', changes);
	RETURN floe.export_policy('p');
END $$;
\pset format unaligned
\pset tuples_only on
SELECT lab.alter('{}');
-- fields come and go
SELECT lab.alter('{"priority": 7, "description": "x", "poll_interval": "1 hour", "min_poll_interval": "1 hour"}');
SELECT lab.alter('{"priority": null, "description": null, "poll_interval": null, "min_poll_interval": null, "engine": null}');
SELECT lab.alter('{"enabled": false}');
SELECT lab.alter('{"enabled": null}');
-- thresholds and weights one by one
SELECT lab.alter('{"thresholds": {"delete_ratio": {"warning": 0.1}, "excess_file_count": {"critical": 9}}, "weights": {"gain": 3}}');
SELECT lab.alter('{"thresholds": {"delete_ratio": null, "excess_file_count": {"critical": null}}, "weights": {"age": null}}');
SELECT lab.alter('{"thresholds": null, "weights": null}');
-- options one by one, an alias for the same option
SELECT lab.alter('{"rewrite_data_files": {"options": {"min_input_files": 2}}}');
SELECT lab.alter('{"rewrite_data_files": {"options": {"min-input-files": 4, "target-file-size-bytes": null}}}');
SELECT lab.alter('{"rewrite_data_files": {"options": null}}');
-- schedule and every take each other's place
SELECT lab.alter('{"rewrite_data_files": {"every": "2 hours"}}');
SELECT lab.alter('{"rewrite_data_files": {"schedule": "0 3 * * *", "timezone": "Europe/Amsterdam"}}');
SELECT lab.alter('{"rewrite_data_files": {"schedule": null}}');
-- operations come and go
SELECT lab.alter('{"rewrite_manifests": {}, "expire_snapshots": null}');
SELECT lab.alter('{"expire_snapshots": null}');
SELECT lab.alter('{"rewrite_data_files": null, "rewrite_manifests": null}');
-- name and pattern
SELECT lab.alter('{"pattern": "demo.db.*", "exclude": "demo.db.x"}');
SELECT lab.alter('{"pattern": "  demo.**  "}');
SELECT floe.alter_policy('p', '{"name": "q", "engine": "big"}');
SELECT floe.export_policy('q');
\pset tuples_only off
\pset format aligned
-- a policy keeps its history under a new name
SELECT name, action, document FROM floe.policy_history WHERE policy_id = (SELECT policy_id FROM floe.policy) ORDER BY version DESC LIMIT 2;

-- updated_at follows
SELECT lab.later('1 day');
SELECT floe.alter_policy('q', '{"description": "later"}');
SELECT updated_at FROM floe.policy;

-- a schedule waits anew only when the schedule itself changes
SELECT floe.alter_policy('q', '{"rewrite_data_files": {"every": "1 day"}}');
SELECT schedule_set_at FROM floe.policy_operation;
SELECT lab.later('1 day');
SELECT floe.alter_policy('q', '{"rewrite_data_files": {"every": "24 hours", "min_interval": "1 hour"}}');
SELECT schedule_set_at FROM floe.policy_operation;
SELECT floe.alter_policy('q', '{"rewrite_data_files": {"timezone": "Asia/Kathmandu"}}');
SELECT schedule_set_at FROM floe.policy_operation;

-- ---- dropping ----

SELECT floe.drop_policy('nobody');
SELECT floe.drop_policy('nobody', true);
SELECT floe.drop_policy('q');
SELECT floe.alter_policy('q', '{}');
SELECT floe.export_policy('q');

-- ---- one transaction is one version, and one that is rolled back none ----

BEGIN;
SELECT floe.create_policy('t', 'demo.**', '{"rewrite_data_files": {}}');
SELECT floe.alter_policy('t', '{"priority": 1}');
SELECT floe.alter_policy('t', '{"expire_snapshots": {}}');
COMMIT;
BEGIN;
SELECT floe.alter_policy('t', '{"priority": 2}');
ROLLBACK;
BEGIN;
SELECT floe.alter_policy('t', '{"priority": 3}');
SELECT floe.alter_policy('t', '{"priority": 1}');
COMMIT;
BEGIN;
SELECT floe.create_policy('short', 'demo.**', '{"priority": 9}');
SELECT floe.drop_policy('short');
COMMIT;
SELECT name, version, action, document FROM floe.policy_history WHERE name IN ('t', 'short') ORDER BY policy_id, version;
-- history is not rewritten
UPDATE floe_internal.policy_version SET changed_by = 'somebody';
DELETE FROM floe_internal.policy_version;
TRUNCATE floe_internal.policy_version;

-- ---- direct DML is the same thing ----

INSERT INTO floe.policy (name, pattern, thresholds) VALUES ('d', ' demo.db.* ', '{"data_bytes": {"warning": "1 kB"}}') RETURNING name, pattern, thresholds;
INSERT INTO floe.policy_operation (policy_id, operation, every, options) SELECT policy_id, 'expire_snapshots', '6 hours', '{"retain-last": 3}' FROM floe.policy WHERE name = 'd' RETURNING operation, options, schedule_set_at;
UPDATE floe.policy SET priority = 4 WHERE name = 'd';
UPDATE floe.policy_operation SET engine = 'spark' WHERE operation = 'expire_snapshots' AND policy_id = (SELECT policy_id FROM floe.policy WHERE name = 'd');
DELETE FROM floe.policy_operation WHERE policy_id = (SELECT policy_id FROM floe.policy WHERE name = 'd');
DELETE FROM floe.policy WHERE name = 'd';
SELECT version, action, document FROM floe.policy_history WHERE name = 'd' ORDER BY version;
UPDATE floe.policy SET policy_id = DEFAULT;
-- in every form that SQL has for it
INSERT INTO floe.policy (name, pattern, priority) VALUES ('t', 'demo.**', 2), ('u', 'demo.db.*', 3) ON CONFLICT (name) DO UPDATE SET priority = EXCLUDED.priority;
INSERT INTO floe.policy (name, pattern, priority) VALUES ('u', 'demo.**', 7) ON CONFLICT DO NOTHING;
MERGE INTO floe.policy AS p USING (VALUES ('u', 5), ('v', 6)) AS s (name, priority) ON p.name = s.name
	WHEN MATCHED THEN UPDATE SET priority = s.priority WHEN NOT MATCHED THEN INSERT (name, pattern, priority) VALUES (s.name, 'demo.*.t', s.priority);
MERGE INTO floe.policy AS p USING (VALUES ('u')) AS s (name) ON p.name = s.name WHEN MATCHED THEN DELETE;
WITH p AS (INSERT INTO floe.policy (name, pattern) VALUES ('both', 'demo.**') RETURNING policy_id)
	INSERT INTO floe.policy_operation (policy_id, operation, timeout) SELECT policy_id, 'rewrite_manifests', '1 hour' FROM p;
COPY floe.policy (name, pattern, engine) FROM stdin;
copied	demo.db.t	spark
\.
COPY floe.policy (name, pattern, engine) FROM stdin;
bad	demo.db	spark
\.
SELECT name, policies FROM floe.tables;
SELECT name, version, action, document ->> 'priority' AS priority, document -> 'rewrite_manifests' AS rewrite_manifests FROM floe.policy_history WHERE policy_id > (SELECT policy_id FROM floe.policy WHERE name = 't') AND name <> 'd' OR name = 't' ORDER BY policy_id, version;
SELECT operation, value, set_by FROM floe.effective_policy('demo.db.t') WHERE operation = 'rewrite_manifests' AND setting = 'timeout';
DELETE FROM floe.policy WHERE name IN ('v', 'both', 'copied');
UPDATE floe.policy_operation SET policy_id = policy_id + 1;
TRUNCATE floe.policy_operation;
TRUNCATE floe.policy CASCADE;

-- no arguments are refused in words
SELECT floe.create_policy(NULL, 'demo.**');
SELECT floe.create_policy('x', NULL);
SELECT floe.create_policy('x', 'demo.**', NULL);
SELECT floe.alter_policy('t', NULL);
SELECT floe.alter_policy(NULL, '{}');
SELECT floe.import_policy(NULL);
SELECT floe.import_policy('{"name": "x"}');
SELECT floe.import_policy('{"name": 1, "pattern": "demo.**"}');
SELECT floe.drop_policy(NULL);
