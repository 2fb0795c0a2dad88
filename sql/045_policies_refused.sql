--
-- Policies that are refused: the message names policy, operation and field, DETAIL says what is wrong with it, HINT what is valid.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine(), lab.engine('big');
SELECT floe.create_policy('first', 'demo.**', '{"priority": 1, "engine": "spark", "rewrite_data_files": {}}');

\pset format unaligned
\pset tuples_only on
CREATE FUNCTION lab.refused(document text, pattern text DEFAULT 'demo.**', name text DEFAULT 'p') RETURNS text LANGUAGE sql AS $$
	SELECT left(document, 160) || E'\n  ' || lab.says(format('SELECT floe.create_policy(%L, %L, %L)', name, pattern, document))
$$;
CREATE FUNCTION lab.refused_in(operation text, field text) RETURNS text LANGUAGE sql AS $$
	SELECT field || E'\n  ' || lab.says(format('SELECT floe.create_policy(%L, %L, %L)', 'p', 'demo.**', format('{"%s": {%s}}', operation, field)))
$$;

-- ---- the document ----

SELECT lab.refused(d) FROM (VALUES
	('[]'), ('"x"'), ('null'), ('1'),
	('{"prioritty": 1}'), ('{"Priority": 1}'), ('{"when": []}'), ('{"compact": {}}'), ('{"rewrite_datafiles": {}}'), ('{"": 1}'), ('{"zz": 1, "aa": 1}'),
	('{"name": "other"}'), ('{"pattern": "other.**"}'), ('{"name": "p", "pattern": "demo.**"}'),
	('{"rewrite_data_files": true}'), ('{"rewrite_data_files": []}'), ('{"rewrite_data_files": "on"}'), ('{"rewrite_data_files": null}'),
	('{"rewrite_data_files": {"interval": "1 day"}}'), ('{"rewrite_data_files": {"priority": 1}}'), ('{"rewrite_data_files": {"target_file_size": "1GB"}}'), ('{"expire_snapshots": {"retain_last": 1}}')) AS v (d);
-- as large and as deep as somebody likes to make it
SELECT lab.refused(format('{"description": "%s"}', repeat('x', 10001)));
SELECT lab.refused(format('{"description": "%s"}', repeat('ä', 10000)));
SELECT lab.refused(format('{"description": "%s"}', repeat('x', 300000)));
SELECT lab.refused(format('{"thresholds": %s}', repeat('[', 5000) || repeat(']', 5000)));
SELECT lab.refused(format('{"rewrite_data_files": {"options": {"where": %s}}}', repeat('[', 5000) || repeat(']', 5000)));
SELECT lab.refused(format('{"rewrite_data_files": {"when": {"any": [{"metric": "data_bytes", "value": %s}]}}}', repeat('[', 100) || repeat(']', 100)));
SELECT lab.refused(format('{"rewrite_data_files": {"when": {"any": %s}}}', (SELECT jsonb_agg('{"metric": "data_bytes", "value": 1}'::jsonb) FROM generate_series(1, 10000))));

-- ---- name and pattern ----

SELECT lab.refused('{}', name => '');
SELECT lab.refused('{}', name => '   ');
SELECT lab.refused('{}', name => repeat('x', 201));
SELECT left(lab.refused('{}', name => repeat('x', 200)), 10);
SELECT lab.refused('{}', name => 'first');
SELECT p || E'\n  ' || lab.says(format('SELECT floe.create_policy(%L, %L)', 'p', p)) FROM (VALUES
	(''), ('  '), ('demo'), ('demo.x'), ('demo..x'), ('demo.x.'), ('.demo.x'), ('demo.x.y,'), ('demo.x.y,,demo.x.z'), ('!demo.x.y'), ('demo.**, !'), ('demo.***'), ('demo.x.**y'), ('demo.x."y'), ('demo.x.y"z"'), ('demo.x.""'),
	('demo.x./(/'), ('demo.x./a'), ('demo.x.//'), (E'demo.x.y\n'), (E'demo.x.a\tb'), ('demo.**, !!demo.x.y')) AS v (p);
SELECT lab.refused('{}', pattern => repeat('demo.x.y,', 20000) || 'demo.x.z');
SELECT lab.refused(d) FROM (VALUES ('{"exclude": 1}'), ('{"exclude": [1]}'), ('{"exclude": {}}'), ('{"exclude": [["demo.x.y"]]}'), ('{"exclude": "demo.x.y, demo.z.**"}'), ('{"exclude": ["demo.x"]}'), ('{"exclude": [""]}'),
	('{"exclude": ["demo.x.\"a,b\""]}'), ('{"exclude": ["demo.x./a,b/"]}'), ('{"exclude": []}'), ('{"exclude": null}')) AS v (d);

-- ---- fields of the policy ----

SELECT lab.refused(d) FROM (VALUES
	('{"priority": "1"}'), ('{"priority": 1.5}'), ('{"priority": true}'), ('{"priority": 1000000001}'), ('{"priority": 1e400}'), ('{"priority": -1000000000}'), ('{"priority": 1.0}'), ('{"priority": null}'),
	('{"enabled": "true"}'), ('{"enabled": 1}'), ('{"enabled": null}'),
	('{"description": 1}'), ('{"description": ["x"]}'),
	('{"engine": "Spark"}'), ('{"engine": ""}'), ('{"engine": "demo"}'), ('{"engine": 1}'), ('{"engine": null}'),
	('{"poll_interval": 300}'), ('{"poll_interval": "300"}'), ('{"poll_interval": "soon"}'), ('{"poll_interval": ""}'), ('{"poll_interval": "0"}'), ('{"poll_interval": "-5 minutes"}'), ('{"poll_interval": "0.5 seconds"}'),
	('{"poll_interval": "200 years"}'), ('{"poll_interval": "infinity"}'), ('{"poll_interval": "999999999999 days"}'), ('{"poll_interval": "1 second"}'), ('{"poll_interval": "PT5M"}'), ('{"poll_interval": "5m"}'), ('{"poll_interval": "1 d 2 h"}'),
	('{"min_poll_interval": 60}'), ('{"min_poll_interval": "60"}'), ('{"min_poll_interval": "often"}'), ('{"min_poll_interval": "0"}'), ('{"min_poll_interval": "-1 minute"}'), ('{"min_poll_interval": "0.5 seconds"}'), ('{"min_poll_interval": "infinity"}'),
	('{"min_poll_interval": "200 years"}'), ('{"min_poll_interval": null}'), ('{"min_poll_interval": "1 second"}'),
	('{"poll_interval": "1 minute", "min_poll_interval": "61 seconds"}'), ('{"poll_interval": "1 month", "min_poll_interval": "31 days"}'), ('{"poll_interval": "1 minute", "min_poll_interval": "60 seconds"}'),
	-- beyond the other's default
	('{"poll_interval": "30 seconds"}'), ('{"min_poll_interval": "2 hours"}')) AS v (d);
-- a change of one that does not fit the other
SELECT c || E'\n  ' || lab.says(format($$SELECT floe.create_policy('q', 'demo.x.*', '{"poll_interval": "10 minutes", "min_poll_interval": "5 minutes"}'); %s$$, c)) FROM (VALUES
	($$SELECT floe.alter_policy('q', '{"poll_interval": "4 minutes"}')$$), ($$SELECT floe.alter_policy('q', '{"min_poll_interval": "11 minutes"}')$$), ($$UPDATE floe.policy SET min_poll_interval = '1 hour' WHERE name = 'q'$$),
	($$SELECT floe.alter_policy('q', '{"min_poll_interval": "20 minutes", "poll_interval": "20 minutes"}')$$), ($$SELECT floe.alter_policy('q', '{"poll_interval": "4 minutes", "min_poll_interval": null}')$$)) AS v (c);
-- an engine where there is none
SELECT lab.says($$DROP SERVER big; ALTER SERVER spark RENAME TO x; DROP SERVER x; SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark"}')$$);

-- thresholds and weights
SELECT lab.refused(format('{"thresholds": %s}', d)) FROM (VALUES
	('1'), ('[]'), ('{"file_count": {"warning": 1}}'), ('{"Snapshot_Count": {"warning": 1}}'), ('{"excess_file_count": 5}'), ('{"excess_file_count": [5]}'), ('{"excess_file_count": {"warn": 5}}'), ('{"excess_file_count": {"warning": "5"}}'),
	('{"excess_file_count": {"warning": true}}'), ('{"excess_file_count": {"warning": null}}'), ('{"excess_file_count": {"warning": -1}}'), ('{"excess_file_count": {"warning": 1e18}}'), ('{"excess_file_count": {"warning": 1e400}}'),
	('{"excess_file_count": {"warning": 20, "critical": 10}}'), ('{"excess_file_count": {"warning": 1001}}'), ('{"excess_file_count": {"critical": 99}}'), ('{"excess_file_count": {"critical": 100}}'), ('{"excess_file_count": {"warning": 10, "critical": 10}}'),
	('{"excess_file_count": {}}'), ('{"excess_file_count": null}'), ('{"small_file_count": {"warning": 5000}}'),
	('{"data_bytes": {"warning": "1 XB"}}'), ('{"data_bytes": {"warning": "lots"}}'), ('{"data_bytes": {"warning": "-1 MB"}}'), ('{"data_bytes": {"warning": "9999999 PB"}}'), ('{"data_bytes": {"warning": ""}}'), ('{"data_bytes": {"warning": "1 TB"}}'),
	('{"oldest_snapshot_age": {"warning": "1"}}'), ('{"oldest_snapshot_age": {"warning": "old"}}'), ('{"oldest_snapshot_age": {"warning": "-1 day"}}'), ('{"oldest_snapshot_age": {"warning": "1 day"}}'),
	('{"delete_ratio": {"warning": "10%"}}'), ('{"delete_ratio": {"warning": 0.6}}')) AS v (d);
SELECT lab.refused(format('{"weights": %s}', d)) FROM (VALUES ('1'), ('[1]'), ('{"speed": 1}'), ('{"gain": "1"}'), ('{"gain": -1}'), ('{"gain": 1001}'), ('{"gain": 1e400}'), ('{"gain": null}'), ('{"gain": {"x": 1}}'), ('{"gain": 0, "age": 1000}')) AS v (d);

-- ---- fields of an operation ----

SELECT lab.refused_in('rewrite_data_files', f) FROM (VALUES
	('"enabled": "yes"'), ('"enabled": 0'), ('"engine": "none"'), ('"engine": false'),
	-- schedule
	('"schedule": 5'), ('"schedule": ""'), ('"schedule": "daily"'), ('"schedule": "@daily"'), ('"schedule": "0 2 * *"'), ('"schedule": "0 2 * * * *"'), ('"schedule": "60 * * * *"'), ('"schedule": "* 24 * * *"'), ('"schedule": "* * 0 * *"'),
	('"schedule": "* * 32 * *"'), ('"schedule": "* * * 13 *"'), ('"schedule": "* * * * 8"'), ('"schedule": "* * * * monday"'), ('"schedule": "*/0 * * * *"'), ('"schedule": "5-1 * * * *"'), ('"schedule": "1,,2 * * * *"'), ('"schedule": "0 0 30 2 *"'), ('"schedule": "0 0 31 4,6,9,11 *"'),
	('"schedule": "0 0 29 2 *"'), ('"schedule": "-1 * * * *"'), ('"schedule": "1.5 * * * *"'), ('"schedule": "0 2 * * *", "every": "1 day"'),
	-- every and the other intervals
	('"every": "59 seconds"'), ('"every": 3600'), ('"every": "3600"'), ('"every": "-1 day"'), ('"every": "0"'), ('"every": "101 years"'), ('"every": "daily"'), ('"every": "1 month"'),
	('"jitter": "-1 minute"'), ('"jitter": "5"'), ('"jitter": "0"'), ('"min_interval": "-1 minute"'), ('"min_interval": "0"'), ('"deadline": "0"'), ('"deadline": "30 seconds"'), ('"deadline": "1 hour", "min_interval": "2 hours"'),
	('"timeout": "59 seconds"'), ('"timeout": "forever"'),
	('"max_attempts": 0'), ('"max_attempts": 101'), ('"max_attempts": -1'), ('"max_attempts": "3"'), ('"max_attempts": 2.5'), ('"max_attempts": 100'),
	-- time zones by their names only
	('"timezone": "Mars/Olympus"'), ('"timezone": ""'), ('"timezone": "UTC+3"'), ('"timezone": "+03:00"'), ('"timezone": "CEST"'), ('"timezone": "<X>-3"'), ('"timezone": 1'), ('"timezone": "europe/amsterdam"'),
	-- windows and days
	('"windows": "2-4"'), ('"windows": "02:00"'), ('"windows": "02:00-25:00"'), ('"windows": "02:60-03:00"'), ('"windows": "2:00-4:00"'), ('"windows": "02:00-02:00"'), ('"windows": "02:00 - 04:00"'), ('"windows": [1]'), ('"windows": {}'), ('"windows": []'),
	('"windows": ["02:00-04:00", "x"]'), ('"windows": "00:00-24:00"'), ('"windows": "24:00-01:00"'),
	('"days": "montag"'), ('"days": []'), ('"days": ["mon", "1"]'), ('"days": 1'), ('"days": ["sat", "sat", "Sunday"]'), ('"days": ""')) AS v (f);
SELECT lab.refused_in('rewrite_data_files', format('"windows": %s', (SELECT jsonb_agg(format('%s:00-%s:01', lpad((i % 24)::text, 2, '0'), lpad((i % 24)::text, 2, '0'))) FROM generate_series(1, 100) AS i)));

-- conditions
SELECT lab.refused_in('rewrite_data_files', format('"when": %s', f)) FROM (VALUES
	('1'), ('"small_file_count > 5"'), ('{}'), ('[]'), ('{"any": []}'), ('{"none": []}'), ('{"any": [], "all": []}'), ('{"any": {"metric": "small_file_count", "value": 1}}'), ('[1]'), ('[null]'), ('[[]]'),
	('[{"metric": "small_file_count"}]'), ('[{"value": 1}]'), ('[{"metric": 1, "value": 1}]'), ('[{"metric": "small_file_count", "value": 1, "operator": ">"}]'), ('[{"metric": "small_file_count", "value": 1, "op": "=="}]'),
	('[{"metric": "small_file_count", "value": 1, "op": "~"}]'), ('[{"metric": "small_file_count", "value": 1, "op": 5}]'), ('[{"metric": "files", "value": 1}]'), ('[{"metric": "small_file_count", "value": "many"}]'),
	('[{"metric": "small_file_count", "value": null}]'), ('[{"metric": "small_file_count", "value": -1}]'), ('[{"metric": "data_bytes", "value": "1 parsec"}]'), ('[{"metric": "last_write_age", "value": "yesterday"}]'),
	('[{"metric": "small_file_count", "value": 1}, {"metric": "small_file_count", "value": {}}]'), ('[{"metric": "last_write_age", "op": "<", "value": "1 hour"}]'), ('[{"metric": "small_file_count", "op": null, "value": 1}]')) AS v (f);

-- ---- options ----

SELECT lab.refused_in(o, format('"options": %s', f)) FROM (VALUES
	('rewrite_data_files', '1'), ('rewrite_data_files', '[]'), ('rewrite_data_files', '"x"'), ('rewrite_data_files', 'null'), ('rewrite_data_files', '{"target_size": 1}'), ('rewrite_data_files', '{"retain_last": 1}'), ('rewrite_data_files', '{"Target_File_Size": 1}'),
	('rewrite_data_files', '{"target_file_size": 0}'), ('rewrite_data_files', '{"target_file_size": -1}'), ('rewrite_data_files', '{"target_file_size": "128 parrots"}'), ('rewrite_data_files', '{"target_file_size": "128MB", "target-file-size-bytes": 1}'),
	('rewrite_data_files', '{"target_file_size": true}'), ('rewrite_data_files', '{"target_file_size": {}}'), ('rewrite_data_files', '{"target_file_size": 1.5}'), ('rewrite_data_files', '{"target_file_size": 1e30}'), ('rewrite_data_files', '{"target_file_size": "1e3"}'),
	('rewrite_data_files', '{"min_input_files": 0}'), ('rewrite_data_files', '{"min_input_files": 2147483648}'), ('rewrite_data_files', '{"min_input_files": "a"}'),
	('rewrite_data_files', '{"target_file_size": "100MB", "max_file_size": "50MB"}'), ('rewrite_data_files', '{"target_file_size": "100MB", "min_file_size": "200MB"}'), ('rewrite_data_files', '{"min_file_size": "10MB", "max_file_size": "5MB"}'),
	('rewrite_data_files', '{"rewrite_all": "perhaps"}'), ('rewrite_data_files', '{"rewrite_all": 1}'), ('rewrite_data_files', '{"delete_ratio_threshold": 1.5}'), ('rewrite_data_files', '{"delete_ratio_threshold": -0.1}'), ('rewrite_data_files', '{"compression_factor": 0}'),
	('rewrite_data_files', '{"strategy": "zorder"}'), ('rewrite_data_files', '{"strategy": "sort"}'), ('rewrite_data_files', '{"strategy": "binpack", "sort_order": "a"}'), ('rewrite_data_files', '{"sort_order": "a; DROP TABLE t"}'), ('rewrite_data_files', '{"rewrite_job_order": "random"}'),
	('rewrite_data_files', '{"partial_progress_max_commits": 5}'), ('rewrite_data_files', '{"where": ""}'), ('rewrite_data_files', '{"where": "a = 1; DROP TABLE t"}'), ('rewrite_data_files', '{"where": "a = ''x"}'), ('rewrite_data_files', '{"branch": ""}'), ('rewrite_data_files', '{"table": "x"}'), ('rewrite_data_files', '{"options": {}}'),
	('rewrite_position_delete_files', '{"strategy": "sort"}'), ('rewrite_position_delete_files', '{"rewrite-all": "no"}'), ('rewrite_manifests', '{"spec_id": -1}'), ('rewrite_manifests', '{"use_caching": "x"}'), ('rewrite_manifests', '{"target_file_size": 1}'),
	('expire_snapshots', '{"retain_last": 0}'), ('expire_snapshots', '{"max_snapshot_age": "yesterday"}'), ('expire_snapshots', '{"max_snapshot_age": 5}'), ('expire_snapshots', '{"max_snapshot_age": "-1 day"}'), ('expire_snapshots', '{"older_than": "2026-01-01 00:00:00"}'),
	('expire_snapshots', '{"snapshot_ids": []}'), ('expire_snapshots', '{"snapshot_ids": "1"}'), ('expire_snapshots', '{"snapshot_ids": ["a"]}'), ('expire_snapshots', '{"snapshot_ids": [9223372036854775808]}'),
	('remove_orphan_files', '{"older_than": "1 hour"}'), ('remove_orphan_files', '{"older_than": "23:59:59"}'), ('remove_orphan_files', '{"older_than": "0"}'), ('remove_orphan_files', '{"older_than": "24 hours"}'), ('remove_orphan_files', '{"location": "s3://other"}'), ('remove_orphan_files', '{"file_list_view": "v"}'),
	('remove_orphan_files', '{"prefix_mismatch_mode": "delete"}'), ('remove_orphan_files', '{"prefix_mismatch_mode": "DELETE"}'), ('remove_orphan_files', '{"equal_schemes": "s3a"}'), ('remove_orphan_files', '{"equal_schemes": {"s3a": 1}}'), ('remove_orphan_files', '{"equal_schemes": {"s3a": "s3"}}')) AS v (o, f);

-- ---- two policies that only their names would tell apart ----

SELECT lab.refused('{"priority": 1, "rewrite_data_files": {"enabled": true}}');
SELECT lab.refused('{"priority": 1, "engine": "big"}');
SELECT lab.refused('{"priority": 1, "rewrite_data_files": {"engine": "big"}}');
SELECT lab.refused('{"priority": 1, "engine": "big", "enabled": false}');
SELECT lab.refused('{"priority": 2, "engine": "big"}');
SELECT lab.refused('{"priority": 1, "engine": "big"}', pattern => ' demo.** ');
SELECT lab.refused('{"priority": 1, "engine": "big"}', pattern => 'demo.*.*');
-- each setting counts by itself, and it does not matter which way it is made to clash
SELECT 'saved' FROM floe.create_policy('second', 'demo.**', '{"priority": 1, "thresholds": {"excess_file_count": {"warning": 5}}, "weights": {"gain": 1}, "poll_interval": "1 hour", "min_poll_interval": "10 minutes", "expire_snapshots": {"every": "1 day", "options": {"retain_last": 5}}}');
SELECT 'saved' FROM floe.create_policy('third', 'demo.**', '{"priority": 1, "thresholds": {"excess_file_count": {"critical": 500}}, "weights": {"age": 1}, "expire_snapshots": {"timezone": "UTC", "options": {"max_snapshot_age": "1 day"}}}');
SELECT s || E'\n  ' || lab.says(s) FROM (VALUES
	($$SELECT floe.alter_policy('third', '{"thresholds": {"excess_file_count": {"warning": 7}}}')$$), ($$SELECT floe.alter_policy('third', '{"weights": {"gain": 1}}')$$), ($$SELECT floe.alter_policy('third', '{"poll_interval": "1 hour"}')$$), ($$SELECT floe.alter_policy('third', '{"min_poll_interval": "5 minutes"}')$$),
	($$SELECT floe.alter_policy('third', '{"expire_snapshots": {"schedule": "0 0 * * *"}}')$$), ($$SELECT floe.alter_policy('third', '{"expire_snapshots": {"options": {"retain-last": 6}}}')$$), ($$SELECT floe.alter_policy('third', '{"expire_snapshots": {"engine": "big"}}')$$),
	($$SELECT floe.alter_policy('second', '{"priority": 2}')$$), ($$SELECT floe.alter_policy('second', '{"priority": 2, "poll_interval": "2 hours"}'); SELECT floe.alter_policy('second', '{"priority": 1}')$$),
	($$UPDATE floe.policy SET poll_interval = '1 hour' WHERE priority = 1$$), ($$INSERT INTO floe.policy_operation (policy_id, operation, every) SELECT policy_id, 'expire_snapshots', '1 hour' FROM floe.policy WHERE name = 'first'$$),
	($$SELECT floe.import_policy('{"name": "fourth", "pattern": "demo.**", "priority": 1, "weights": {"gain": 1}}')$$)) AS v (s);
-- a policy that is switched off does not clash until it is switched on
SELECT 'saved' FROM floe.create_policy('asleep', 'demo.**', '{"priority": 1, "poll_interval": "3 hours", "enabled": false}');
SELECT lab.says($$SELECT floe.alter_policy('asleep', '{"enabled": true}')$$);

-- ---- direct INSERT and UPDATE are refused alike ----

SELECT s || E'\n  ' || regexp_replace(lab.says(s), E'\n  DETAIL: Failing row.*', '') FROM (VALUES
	($$INSERT INTO floe.policy (name, pattern) VALUES ('', 'demo.**')$$), ($$INSERT INTO floe.policy (name, pattern) VALUES (NULL, 'demo.**')$$), ($$INSERT INTO floe.policy (name, pattern) VALUES ('p', NULL)$$), ($$INSERT INTO floe.policy (name, pattern) VALUES ('p', 'demo')$$),
	($$INSERT INTO floe.policy (name, pattern) VALUES ('first', 'demo.**')$$), ($$INSERT INTO floe.policy (name, pattern, engine) VALUES ('p', 'demo.**', 'x')$$), ($$INSERT INTO floe.policy (name, pattern, poll_interval) VALUES ('p', 'demo.**', '0')$$),
	($$INSERT INTO floe.policy (name, pattern, min_poll_interval) VALUES ('p', 'demo.**', '0')$$), ($$INSERT INTO floe.policy (name, pattern, poll_interval, min_poll_interval) VALUES ('p', 'demo.**', '1 minute', '2 minutes')$$),
	($$INSERT INTO floe.policy (name, pattern, thresholds) VALUES ('p', 'demo.**', '{"x": 1}')$$), ($$INSERT INTO floe.policy (name, pattern, weights) VALUES ('p', 'demo.**', '[]')$$), ($$INSERT INTO floe.policy (name, pattern, priority) VALUES ('p', 'demo.**', NULL)$$),
	($$UPDATE floe.policy SET pattern = '!' WHERE name = 'first'$$), ($$UPDATE floe.policy SET thresholds = '{"data_bytes": {"warning": "x"}}' WHERE name = 'first'$$),
	($$INSERT INTO floe.policy_operation (policy_id, operation) VALUES (1, 'compact')$$), ($$INSERT INTO floe.policy_operation (policy_id, operation) VALUES (1, NULL)$$), ($$INSERT INTO floe.policy_operation (policy_id, operation) VALUES (99, 'expire_snapshots')$$),
	($$INSERT INTO floe.policy_operation (policy_id, operation) VALUES (NULL, 'expire_snapshots')$$), ($$INSERT INTO floe.policy_operation (policy_id, operation, schedule, every) VALUES (1, 'expire_snapshots', '* * * * *', '1 hour')$$),
	($$INSERT INTO floe.policy_operation (policy_id, operation, windows) VALUES (1, 'expire_snapshots', '{NULL}')$$), ($$INSERT INTO floe.policy_operation (policy_id, operation, days) VALUES (1, 'expire_snapshots', '{mon,NULL}')$$),
	($$INSERT INTO floe.policy_operation (policy_id, operation, windows) VALUES (1, 'expire_snapshots', '{{00:00-01:00},{02:00-03:00}}')$$), ($$INSERT INTO floe.policy_operation (policy_id, operation, options) VALUES (1, 'expire_snapshots', '{"x": 1}')$$),
	($$INSERT INTO floe.policy_operation (policy_id, operation, options) VALUES (1, 'expire_snapshots', 'null')$$), ($$INSERT INTO floe.policy_operation (policy_id, operation, conditions) VALUES (1, 'expire_snapshots', '{}')$$),
	($$INSERT INTO floe.policy_operation (policy_id, operation, max_attempts) VALUES (1, 'expire_snapshots', 1000)$$), ($$UPDATE floe.policy_operation SET timeout = '1 second'$$), ($$UPDATE floe.policy_operation SET operation = 'vacuum'$$),
	($$UPDATE floe.policy_operation SET timezone = 'Nowhere' WHERE policy_id = 1$$)) AS v (s);

-- ---- changes ----

SELECT c || E'\n  ' || lab.says(format('SELECT floe.alter_policy(''first'', %L)', c)) FROM (VALUES
	('{"name": "second"}'), ('{"name": "first"}'), ('{"name": null}'), ('{"name": ""}'), ('{"name": 5}'), ('{"pattern": null}'), ('{"pattern": 5}'), ('{"pattern": "demo"}'), ('{"exclude": "demo"}'), ('[]'), ('{"priorities": 1}'),
	('{"thresholds": {"excess_file_count": {"warning": 2000}}}'), ('{"rewrite_data_files": {"every": "1 day", "schedule": "0 2 * * *"}}'), ('{"rewrite_data_files": {"options": {"nothing": null}}}'), ('{"rewrite_data_files": {"options": {"nothing": 1}}}'),
	('{"rewrite_data_files": {"options": 5}}'), ('{"rewrite_data_files": {"options": {"target-file-size-bytes": 1000, "target_file_size": 1000}}}'), ('{"rewrite_data_files": {"options": {"target-file-size-bytes": null}}}'), ('{"rewrite_data_files": {"options": []}}'),
	('{"thresholds": {"nothing": null}}'), ('{"thresholds": {"excess_file_count": {"wrning": null}}}'), ('{"thresholds": 5}'), ('{"weights": {"nothing": null}}'), ('{"weights": {"gain": null}}'), ('{"weights": []}'), ('{"expire_snapshots": {"windows": null, "days": null, "when": null}}')) AS v (c);
SELECT s || E'\n  ' || regexp_replace(lab.says(s), E'\n  DETAIL: Failing row.*', '') FROM (VALUES
	($$UPDATE floe.metric SET warning = 5, critical = 4 WHERE name = 'delete_ratio'$$), ($$UPDATE floe.metric SET warning = -1 WHERE name = 'delete_ratio'$$), ($$UPDATE floe.metric SET warning = 'NaN', critical = 'NaN' WHERE name = 'delete_ratio'$$),
	($$UPDATE floe.metric SET critical = 'infinity' WHERE name = 'delete_ratio'$$), ($$UPDATE floe.metric SET warning = NULL WHERE name = 'delete_ratio'$$), ($$UPDATE floe.metric SET weight = 'NaN' WHERE name = 'delete_ratio'$$),
	($$UPDATE floe.metric SET warning = NULL, critical = NULL WHERE name = 'delete_ratio'$$), ($$UPDATE floe.debt_term SET weight = 'NaN'$$)) AS v (s);

-- nothing of all that was saved
SELECT name, priority, is_enabled FROM floe.policy ORDER BY name;
SELECT count(*) FROM floe.policy_history;
