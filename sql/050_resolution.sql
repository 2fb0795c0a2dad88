--
-- Which policy decides: one setting in force for each table, operation and field, and where it comes from.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.catalog('other'), lab.engine(), lab.engine('big');
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.u', 'demo.db.T', 'demo.sales.orders', 'demo.sales.eu.orders', 'demo.sales.eu.north.orders', 'demo.tmp.t', 'demo."a.b"."x, ""y"""', 'demo.db."*"'),
	lab.list_tables('other', 'other.db.t');

-- Policies of a case, each as [name, pattern, document]; what a question then says of a table. All is undone again.
CREATE FUNCTION lab.policies(policies jsonb) RETURNS void LANGUAGE sql AS $$
	SELECT floe.create_policy(p ->> 0, p ->> 1, COALESCE(p -> 2, '{}')) FROM jsonb_array_elements(policies) AS p
$$;
CREATE FUNCTION lab.in_force(policies text, name text, settings text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	BEGIN
		PERFORM lab.policies(policies::jsonb);
		SELECT string_agg(format('%s = %s from %s', s, COALESCE(e.value, '-'), COALESCE(e.set_by, '-')), E'\n  ' ORDER BY n) INTO said
			FROM unnest(settings) WITH ORDINALITY AS w (s, n) LEFT JOIN floe.effective_policy(name) AS e ON concat_ws('.', e.operation, e.setting) = w.s;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
	RETURN said;
END $$;
\set force 'SELECT what || E''\\n  '' || lab.in_force(policies, name, settings) FROM (VALUES '
\pset format unaligned
\pset tuples_only on

-- ---- which of several ----

:force
('without a policy only what concerns the table as a whole', '[]', 'demo.db.t', '{poll_interval,min_poll_interval,rewrite_data_files.engine,rewrite_data_files.timeout}'::text[]),
('one policy, and floe''s defaults below it', '[["p", "demo.**", {"engine": "spark", "rewrite_data_files": {"timeout": "1 hour"}}]]', 'demo.db.t', '{rewrite_data_files.engine,rewrite_data_files.timeout,rewrite_data_files.min_interval,rewrite_data_files.timezone,expire_snapshots.engine,poll_interval}'),
('a policy that does not match', '[["p", "demo.db.u", {"engine": "spark", "rewrite_data_files": {}}]]', 'demo.db.t', '{rewrite_data_files.engine}'),
('higher priority wins over more literal levels', '[["narrow", "demo.db.t", {"rewrite_data_files": {"timeout": "1 hour"}}], ["broad", "**", {"priority": 1, "rewrite_data_files": {"timeout": "2 hours"}}]]', 'demo.db.t', '{rewrite_data_files.timeout}'),
('negative priority loses to none', '[["narrow", "demo.db.t", {"priority": -1, "rewrite_data_files": {"timeout": "1 hour"}}], ["broad", "**", {"rewrite_data_files": {"timeout": "2 hours"}}]]', 'demo.db.t', '{rewrite_data_files.timeout}'),
('more literal levels win', '[["a", "demo.*.*", {"rewrite_data_files": {"timeout": "1 hour"}}], ["b", "demo.db.*", {"rewrite_data_files": {"timeout": "2 hours"}}], ["c", "**", {"rewrite_data_files": {"timeout": "3 hours"}}]]', 'demo.db.t', '{rewrite_data_files.timeout}'),
('a part of a level is less than a level', '[["a", "demo.d?.?", {"rewrite_data_files": {"timeout": "1 hour"}}], ["b", "demo.db.**", {"rewrite_data_files": {"timeout": "2 hours"}}]]', 'demo.db.t', '{rewrite_data_files.timeout}'),
('a regular expression is no literal level', '[["a", "demo.db./t/", {"rewrite_data_files": {"timeout": "1 hour"}}], ["b", "demo.db.t", {"rewrite_data_files": {"timeout": "2 hours"}}]]', 'demo.db.t', '{rewrite_data_files.timeout}'),
('the best of several patterns of one policy counts', '[["a", "demo.**, demo.db.t", {"rewrite_data_files": {"timeout": "1 hour"}}], ["b", "demo.db.*", {"rewrite_data_files": {"timeout": "2 hours"}}]]', 'demo.db.t', '{rewrite_data_files.timeout}'),
('and only of those that match', '[["a", "demo.**, demo.db.u", {"rewrite_data_files": {"timeout": "1 hour"}}], ["b", "demo.db.*", {"rewrite_data_files": {"timeout": "2 hours"}}]]', 'demo.db.t', '{rewrite_data_files.timeout}'),
('last the name', '[["b", "demo.db.*", {"rewrite_data_files": {"timeout": "1 hour"}}], ["a", "demo.*.t", {"rewrite_data_files": {"timeout": "2 hours"}}]]', 'demo.db.t', '{rewrite_data_files.timeout}'),
('a policy that is switched off is not there', '[["a", "demo.db.t", {"enabled": false, "rewrite_data_files": {"timeout": "1 hour"}}], ["b", "demo.**", {"rewrite_data_files": {"timeout": "2 hours"}}]]', 'demo.db.t', '{rewrite_data_files.timeout}')) AS v (what, policies, name, settings);

-- ---- which tables ----

SELECT p || E'\n  ' || COALESCE((SELECT string_agg(m, ' ' ORDER BY m COLLATE "C") FROM floe.matching_tables(p) AS m), '-') FROM (VALUES
	('**'), ('demo.**'), ('demo.db.*'), ('demo.*.t'), ('demo.db.?'), ('demo.db.t'), ('demo.db.T'), ('DEMO.db.t'), ('*.db.t'), ('demo.sales.**'), ('demo.sales.*'), ('demo.sales.**.orders'), ('demo.**.orders'), ('demo.**.eu.**'), ('**.orders'),
	('demo.*.*.*'), ('demo."a.b".*'), ('demo.a.b.*'), ('demo."a.b"."x, ""y"""'), ('demo.db."*"'), ('demo.db./[a-z]/'), ('demo.db./(?i)t/'), ('demo./s.*/.**'), ('demo.**, !demo.tmp.**'), ('demo.**, !demo.sales.**, demo.sales.eu.orders'),
	('!demo.tmp.*, **'), ('demo.db.t, other.**'), ('nowhere.**')) AS v (p);
-- a policy for one of them is a policy for the same ones
SELECT count(*) FILTER (WHERE s.tables IS DISTINCT FROM s.matching) AS different FROM (
	SELECT lab.rows(format('SELECT floe.create_policy(%L, %L)', 'p', p), 'SELECT array_agg(name ORDER BY name) FROM floe.tables WHERE policies = ''{p}''') AS tables,
		   lab.rows('', format('SELECT array_agg(m ORDER BY m) FROM floe.matching_tables(%L) AS m', p)) AS matching
	FROM (VALUES ('**'), ('demo.*.t'), ('demo.**.orders'), ('demo.db./(?i)t/'), ('demo.**, !demo.tmp.**'), ('nowhere.**')) AS v (p)) AS s;
SELECT lab.says($$SELECT floe.matching_tables('demo')$$);

-- ---- field by field ----

:force
('a narrow policy for compaction does not hide a broad one for retention', '[["broad", "demo.**", {"engine": "spark", "rewrite_data_files": {"options": {"target_file_size": "1GB"}}, "expire_snapshots": {"every": "1 day", "options": {"retain_last": 10}}}], ["narrow", "demo.db.t", {"rewrite_data_files": {"options": {"target_file_size": "128MB"}}}]]', 'demo.db.t',
	'{rewrite_data_files.options.target_file_size,rewrite_data_files.engine,expire_snapshots.schedule,expire_snapshots.options.retain_last,expire_snapshots.engine}'::text[]),
('options one by one', '[["broad", "demo.**", {"rewrite_data_files": {"options": {"target_file_size": "1GB", "min_input_files": 3}}}], ["narrow", "demo.db.t", {"rewrite_data_files": {"options": {"target-file-size-bytes": 1000000}}}]]', 'demo.db.t',
	'{rewrite_data_files.options.target_file_size,rewrite_data_files.options.min_input_files}'),
('warning and critical apart', '[["broad", "demo.**", {"thresholds": {"excess_file_count": {"warning": 1, "critical": 100}}}], ["narrow", "demo.db.t", {"thresholds": {"excess_file_count": {"warning": 50}, "delete_ratio": {"warning": 0.1}}}]]', 'demo.db.t',
	'{thresholds.excess_file_count.warning,thresholds.excess_file_count.critical,thresholds.delete_ratio.warning,thresholds.delete_ratio.critical}'),
('weights apart', '[["broad", "demo.**", {"weights": {"gain": 1, "age": 2}}], ["narrow", "demo.db.t", {"weights": {"gain": 0}}]]', 'demo.db.t', '{weights.gain,weights.age,weights.failures}'),
('a policy''s engine stands for each operation', '[["broad", "demo.**", {"rewrite_data_files": {"engine": "big"}, "expire_snapshots": {}}], ["narrow", "demo.db.t", {"engine": "spark"}]]', 'demo.db.t', '{rewrite_data_files.engine,expire_snapshots.engine}'),
('and gives way to that of the operation in the same policy', '[["p", "demo.**", {"engine": "spark", "rewrite_data_files": {"engine": "big"}, "expire_snapshots": {}}]]', 'demo.db.t', '{rewrite_data_files.engine,expire_snapshots.engine}'),
('an engine alone switches nothing on', '[["p", "demo.**", {"engine": "spark"}]]', 'demo.db.t', '{rewrite_data_files.engine,rewrite_data_files.timeout}'),
('an operation that one policy names is switched on, whoever sets its fields', '[["on", "demo.**", {"rewrite_data_files": {}}], ["fields", "demo.db.t", {"engine": "spark"}]]', 'demo.db.t', '{rewrite_data_files.engine,rewrite_data_files.enabled}'),
('switched off for one table', '[["broad", "demo.**", {"rewrite_data_files": {"enabled": true}, "expire_snapshots": {}}], ["narrow", "demo.db.t", {"rewrite_data_files": {"enabled": false}}]]', 'demo.db.t', '{rewrite_data_files.enabled,expire_snapshots.enabled}'),
('and not for the next', '[["broad", "demo.**", {"rewrite_data_files": {"enabled": true}, "expire_snapshots": {}}], ["narrow", "demo.db.t", {"rewrite_data_files": {"enabled": false}}]]', 'demo.db.u', '{rewrite_data_files.enabled}'),
('schedule and every are one field, its time zone another', '[["broad", "demo.**", {"rewrite_data_files": {"schedule": "0 2 * * *", "timezone": "Europe/Amsterdam"}}], ["narrow", "demo.db.t", {"rewrite_data_files": {"every": "6 hours"}}]]', 'demo.db.t', '{rewrite_data_files.schedule,rewrite_data_files.every,rewrite_data_files.timezone}'),
('a default schedule gives way as well', '[["p", "demo.**", {"remove_orphan_files": {"schedule": "@weekly"}}]]', 'demo.db.t', '{remove_orphan_files.schedule,remove_orphan_files.options.older_than}'),
('windows, days and conditions are taken whole', '[["broad", "demo.**", {"rewrite_data_files": {"windows": ["01:00-02:00", "03:00-04:00"], "days": ["mon", "tue"], "when": [{"metric": "data_bytes", "value": 1}]}}], ["narrow", "demo.db.t", {"rewrite_data_files": {"windows": "05:00-06:00", "days": [], "when": {"all": [{"metric": "record_count", "op": "<", "value": 2}]}}}]]', 'demo.db.t',
	'{rewrite_data_files.windows,rewrite_data_files.days,rewrite_data_files.when}'),
('poll_interval', '[["broad", "demo.**", {"poll_interval": "1 hour"}], ["narrow", "demo.db.t", {"poll_interval": "1 minute"}]]', 'demo.db.t', '{poll_interval,min_poll_interval}'),
('its shortest is a field of its own', '[["broad", "demo.**", {"poll_interval": "2 hours", "min_poll_interval": "10 minutes"}], ["narrow", "demo.db.t", {"min_poll_interval": "3 hours"}]]', 'demo.db.t', '{poll_interval,min_poll_interval}'),
('and not of the next', '[["broad", "demo.**", {"poll_interval": "2 hours", "min_poll_interval": "10 minutes"}], ["narrow", "demo.db.t", {"min_poll_interval": "3 hours"}]]', 'demo.db.u', '{poll_interval,min_poll_interval}'),
('three deep', '[["1", "**", {"engine": "spark", "poll_interval": "1 hour", "rewrite_data_files": {"timeout": "1 hour", "max_attempts": 1, "jitter": "1 minute"}}], ["2", "demo.sales.**", {"rewrite_data_files": {"timeout": "2 hours", "max_attempts": 2}}], ["3", "demo.sales.eu.**", {"rewrite_data_files": {"timeout": "3 hours"}}]]', 'demo.sales.eu.north.orders',
	'{rewrite_data_files.timeout,rewrite_data_files.max_attempts,rewrite_data_files.jitter,rewrite_data_files.deadline,poll_interval}')) AS v (what, policies, name, settings);

-- ---- the table's own properties ----

SELECT lab.assess('demo.db.t', properties => '{"write.target-file-size-bytes": "1048576", "write.delete.target-file-size-bytes": "2097152", "history.expire.max-snapshot-age-ms": "86400000", "history.expire.min-snapshots-to-keep": "7"}'),
	lab.assess('demo.db.u', properties => '{"write.target-file-size-bytes": "a lot", "history.expire.max-snapshot-age-ms": "-1", "history.expire.min-snapshots-to-keep": "1.5", "write.delete.target-file-size-bytes": "0"}'),
	lab.assess('demo.db.T', properties => '{"write.target-file-size-bytes": "9223372036854775807", "history.expire.max-snapshot-age-ms": "9223372036854775807", "history.expire.min-snapshots-to-keep": "2147483647", "write.delete.target-file-size-bytes": "99999999999999999999999"}');
\set four '{rewrite_data_files.options.target_file_size,rewrite_position_delete_files.options.target_file_size,expire_snapshots.options.max_snapshot_age,expire_snapshots.options.retain_last}'
:force
('above floe''s defaults', '[["p", "demo.**", {"rewrite_data_files": {}, "rewrite_position_delete_files": {}, "expire_snapshots": {}}]]', 'demo.db.t', :'four'::text[]),
('below any policy', '[["p", "demo.**", {"priority": -9, "rewrite_data_files": {"options": {"target_file_size": "1GB"}}, "rewrite_position_delete_files": {"options": {"min_input_files": 2}}, "expire_snapshots": {"options": {"retain_last": 2}}}]]', 'demo.db.t', :'four'),
('what makes no sense is as if it were not there', '[["p", "demo.**", {"rewrite_data_files": {}, "rewrite_position_delete_files": {}, "expire_snapshots": {}}]]', 'demo.db.u', :'four'),
('never, and no limit', '[["p", "demo.**", {"rewrite_data_files": {}, "rewrite_position_delete_files": {}, "expire_snapshots": {}}]]', 'demo.db.T', :'four'),
('a table not assessed yet has none', '[["p", "demo.**", {"rewrite_data_files": {}, "rewrite_position_delete_files": {}, "expire_snapshots": {}}]]', 'demo.tmp.t', :'four')) AS v (what, policies, name, settings);

-- ---- options that do not go together ----

SELECT lab.rows($$SELECT lab.policies('[["a", "demo.**", {"rewrite_data_files": {"options": {"max_file_size": "200MB"}}}], ["b", "demo.db.t", {"rewrite_data_files": {"options": {"target_file_size": "300MB"}}}]]')$$,
	$$SELECT problem FROM floe_internal.effective WHERE operation = 'rewrite_data_files' ORDER BY 1 NULLS LAST$$);

-- ---- changes ----

\pset tuples_only off
\pset format aligned
CREATE VIEW lab.timeouts AS
	SELECT t.name, t.policies, (SELECT value FROM floe.effective_policy(t.name) WHERE operation = 'rewrite_data_files' AND setting = 'timeout') AS timeout,
		(SELECT set_by FROM floe.effective_policy(t.name) WHERE operation = 'rewrite_data_files' AND setting = 'timeout') AS set_by
	FROM floe.tables AS t WHERE t.name IN ('demo.db.t', 'demo.db.u', 'demo.tmp.t') AND t.status <> 'dropped' ORDER BY 1;
SELECT lab.policies('[["a", "demo.db.*", {"rewrite_data_files": {"timeout": "1 hour"}}], ["b", "demo.**", {"rewrite_data_files": {"timeout": "2 hours"}}]]');
TABLE lab.timeouts;
-- tables with the same policies share one resolution
SELECT count(DISTINCT policy_set_id) AS lists, count(*) AS tables FROM floe_internal.iceberg_table WHERE name LIKE 'demo.%';
SELECT floe.alter_policy('b', '{"priority": 1}') > 0;
TABLE lab.timeouts;
SELECT floe.alter_policy('b', '{"rewrite_data_files": {"timeout": null}}') > 0;
TABLE lab.timeouts;
SELECT floe.alter_policy('a', '{"enabled": false}') > 0;
TABLE lab.timeouts;
SELECT floe.alter_policy('a', '{"enabled": true, "pattern": "demo.tmp.t, demo.db.u"}') > 0;
TABLE lab.timeouts;
SELECT floe.create_policy('c', 'demo.*.t', '{"priority": 2, "rewrite_data_files": {"timeout": "3 hours"}}') > 0;
TABLE lab.timeouts;
SELECT floe.alter_policy('c', '{"rewrite_data_files": null}') > 0;
TABLE lab.timeouts;
SELECT floe.drop_policy('b');
TABLE lab.timeouts;
-- several in one statement
UPDATE floe.policy SET priority = priority + 1, pattern = 'demo.db.**';
TABLE lab.timeouts;
UPDATE floe.policy_operation SET timeout = '9 hours';
TABLE lab.timeouts;
DELETE FROM floe.policy_operation;
TABLE lab.timeouts;
DELETE FROM floe.policy;
TABLE lab.timeouts;
-- names break ties, so a new name can turn the order
SELECT lab.policies('[["a", "demo.db.*", {"rewrite_data_files": {"timeout": "1 hour"}}], ["b", "demo.*.t", {"rewrite_data_files": {"timeout": "2 hours"}}]]');
SELECT set_by FROM lab.timeouts WHERE name = 'demo.db.t';
SELECT floe.alter_policy('a', '{"name": "z"}') > 0;
SELECT set_by FROM lab.timeouts WHERE name = 'demo.db.t';
-- in a transaction that does not happen
BEGIN;
SELECT floe.drop_policy('b');
SELECT set_by FROM lab.timeouts WHERE name = 'demo.db.t';
ROLLBACK;
SELECT set_by FROM lab.timeouts WHERE name = 'demo.db.t';
-- tables that come and go
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.new');
SELECT name, status, policies FROM floe.tables WHERE name LIKE 'demo.db.%' ORDER BY 1;
SELECT floe.alter_policy('z', '{"pattern": "demo.db.u"}') > 0;
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.new', 'demo.db.u');
SELECT name, status, policies FROM floe.tables WHERE name LIKE 'demo.db.%' ORDER BY 1, 2;
SELECT floe.matching_tables('demo.db.*');
-- lists that no table has are cleared away, those in use stay
SELECT floe_internal.purge(1000);
SELECT count(*) AS unused FROM floe_internal.policy_set AS s WHERE NOT EXISTS (SELECT FROM floe_internal.iceberg_table AS t WHERE t.policy_set_id = s.policy_set_id);
SELECT count(*) AS unresolved FROM floe_internal.iceberg_table AS t WHERE t.status <> 'dropped' AND NOT EXISTS (SELECT FROM floe_internal.policy_set AS s WHERE t.policy_set_id = s.policy_set_id);

-- ---- names that are none ----

SELECT * FROM floe.effective_policy('demo.db.nothing');
SELECT * FROM floe.effective_policy('nowhere.db.t');
SELECT * FROM floe.effective_policy('demo');
SELECT * FROM floe.effective_policy('');
SELECT * FROM floe.effective_policy(NULL);
SELECT * FROM floe.matching_tables(NULL);
SELECT * FROM floe.matching_tables('');
