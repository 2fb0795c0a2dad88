-- Which value of a field is in force for a table, and which policy, lock, property or default it is from: one test for each case of the table below.
-- A policy of a case is [name, pattern, document], or [name, pattern, n] or [name, pattern, n, priority] for {"rewrite_data_files": {"timeout": "n hours"}}.
SET floe.virtual_clock = '2026-03-02 12:00+00';
SET timezone = 'UTC';
CREATE SCHEMA lab;
CREATE SERVER demo TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
CREATE SERVER other TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice');
CREATE SERVER big TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice');
CREATE SERVER slow TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice');
DO $do$
BEGIN
	PERFORM floe_internal.apply_listing(c.catalog_id, x.namespaces, x.tables)
	FROM floe_internal.catalog AS c
	CROSS JOIN LATERAL (SELECT array_agg(array_to_string(l[2:cardinality(l) - 1], chr(31))) AS namespaces, array_agg(l[cardinality(l)]) AS tables
		FROM (SELECT floe_internal.parse_name(n) AS l FROM unnest(ARRAY['demo.db.t', 'demo.db.u', 'demo.db.T', 'demo.db.t1', 'demo.db.t_2', 'demo.db."*"', 'demo.db."!x"', 'demo.db."/re/"', 'demo.db."a?b"', 'demo.db.été', 'demo."a.b"."x, ""y"""', 'demo.tmp.t',
			'demo.sales.orders', 'demo.sales.eu.orders', 'demo.sales.eu.north.orders', 'demo.db.prop', 'other.db.t']) AS n) AS p WHERE l[1] = c.server_name) AS x;
	UPDATE floe_internal.iceberg_table SET properties = '{"write.target-file-size-bytes": "1048576", "write.delete.target-file-size-bytes": "2097152", "history.expire.max-snapshot-age-ms": "86400000", "history.expire.min-snapshots-to-keep": "7"}' WHERE name = 'demo.db.prop';
END $do$;

-- "value from where", of policies as they are at a time; "-" where there is no such setting. It is undone.
CREATE FUNCTION lab.in_force(policies jsonb, at text, table_name text, field text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	BEGIN
		PERFORM floe.create_policy(p ->> 0, p ->> 1, CASE jsonb_typeof(p -> 2) WHEN 'object' THEN p -> 2
			ELSE jsonb_build_object('priority', COALESCE(p -> 3, '0'), 'rewrite_data_files', jsonb_build_object('timeout', (p ->> 2) || ' hours')) END) FROM jsonb_array_elements(policies) AS p;
		IF at IS NOT NULL THEN
			PERFORM set_config('floe.virtual_clock', at, true), floe_internal.pass_boundaries();
		END IF;
		SELECT e.value || ' from ' || COALESCE((regexp_match(e.set_by, '^(lock of )?policy "([^"]*)"'))[1], '') || COALESCE((regexp_match(e.set_by, '^(lock of )?policy "([^"]*)"'))[2], e.set_by)
			INTO said FROM floe.effective_policy(table_name) AS e WHERE concat_ws('.', e.operation, e.setting) = field;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
	RETURN COALESCE(said, '-');
END $$;
CREATE TABLE lab.question (n int GENERATED ALWAYS AS IDENTITY, what text, policies jsonb, at text, table_name text, field text DEFAULT 'rewrite_data_files.timeout', expected text);

-- ---- which tables a pattern is for ----
INSERT INTO lab.question (what, policies, table_name, expected) SELECT 'pattern ' || pattern || ' and ' || name, jsonb_build_array(jsonb_build_array('p', pattern, 1)), name, CASE WHEN matches THEN '01:00:00 from p' ELSE '-' END FROM (VALUES
	('**', 'demo.db.t', true), ('**', 'demo.sales.eu.north.orders', true), ('demo.**', 'demo.db.t', true), ('demo.**', 'other.db.t', false), ('demo.*.*', 'demo.db.t', true), ('demo.*.*', 'demo.sales.eu.orders', false), ('demo.*.**', 'demo.sales.eu.orders', true),
	('demo.**.orders', 'demo.sales.orders', true), ('demo.**.orders', 'demo.sales.eu.north.orders', true), ('**.eu.**', 'demo.sales.eu.north.orders', true), ('**.eu.**', 'demo.sales.orders', false), ('**.eu.**.orders', 'demo.sales.eu.orders', true), ('**.**', 'demo.db.t', true),
	('demo.sales.**', 'demo.sales.orders', true), ('demo.sales.*', 'demo.sales.eu.orders', false), ('demo.sales.*.orders', 'demo.sales.eu.orders', true), ('demo.sales.*.orders', 'demo.sales.eu.north.orders', false),
	('demo.db.t', 'demo.db.t', true), ('demo.db.t', 'demo.db.T', false), ('DEMO.db.t', 'demo.db.t', false), ('demo.db.t?', 'demo.db.t1', true), ('demo.db.t?', 'demo.db.t', false), ('demo.db.t?', 'demo.db.t_2', false), ('demo.db.t*', 'demo.db.t', true), ('demo.db.t*', 'demo.db.t_2', true),
	('demo.db.*t*', 'demo.db.été', true), ('demo.db.?t?', 'demo.db.été', true), ('demo.d*.*', 'demo.db.u', true), ('*.db.t', 'other.db.t', true),
	('demo.db./t/', 'demo.db.t', true), ('demo.db./t/', 'demo.db.t1', false), ('demo.db./t[0-9]*/', 'demo.db.t1', true), ('demo.db./t[0-9]+/', 'demo.db.t', false), ('demo./db|tmp/.t', 'demo.tmp.t', true), ('demo./db|tmp/.t', 'demo.sales.orders', false), ('demo.db./(?i)t/', 'demo.db.T', true), ('/.*/.db.t', 'other.db.t', true),
	('demo.db."*"', 'demo.db."*"', true), ('demo.db."*"', 'demo.db.t', false), ('demo.db.*', 'demo.db."*"', true), ('demo."a.b".*', 'demo."a.b"."x, ""y"""', true), ('demo.a.b.*', 'demo."a.b"."x, ""y"""', false), ('demo."a.b"."x, ""y"""', 'demo."a.b"."x, ""y"""', true), ('demo.*.*', 'demo."a.b"."x, ""y"""', true),
	('demo.db."!x"', 'demo.db."!x"', true), ('demo.db."/re/"', 'demo.db."/re/"', true), ('demo.db./re/', 'demo.db."/re/"', false), ('demo.db."a?b"', 'demo.db."a?b"', true), ('"demo".db."t"', 'demo.db.t', true),
	('demo.db.t, demo.tmp.t', 'demo.tmp.t', true), ('demo.db.t, demo.tmp.t', 'demo.db.u', false), ('demo.**, !demo.tmp.**', 'demo.tmp.t', false), ('demo.**, !demo.tmp.**', 'demo.db.t', true), ('!demo.tmp.**, demo.**', 'demo.tmp.t', false), ('demo.tmp.t, !demo.tmp.*', 'demo.tmp.t', false),
	('demo.**, !demo.db./t.*/', 'demo.db.t_2', false), ('demo.**, !demo.db./t.*/', 'demo.db.u', true), ('demo.**, !**.orders', 'demo.sales.eu.orders', false), ('demo.**, !demo.db."*"', 'demo.db.t', true), ('demo.**, !demo.db."*"', 'demo.db."*"', false)) AS v (pattern, name, matches);

-- ---- which of several policies ----
INSERT INTO lab.question (what, policies, table_name, expected) VALUES
	('priority before literal levels', '[["narrow", "demo.db.t", 1], ["broad", "**", 2, 1]]', 'demo.db.t', '02:00:00 from broad'),
	('negative priority is below none', '[["narrow", "demo.db.t", 1, -1], ["broad", "**", 2]]', 'demo.db.t', '02:00:00 from broad'),
	('the higher of two negative ones', '[["a", "demo.db.t", 1, -2], ["b", "**", 2, -1]]', 'demo.db.t', '02:00:00 from b'),
	('the greatest priority there is', '[["a", "demo.db.t", 1, 999999999], ["b", "**", 2, 1000000000]]', 'demo.db.t', '02:00:00 from b'),
	('then the more literal levels', '[["a", "demo.*.*", 1], ["b", "demo.db.*", 2], ["c", "**", 3]]', 'demo.db.t', '02:00:00 from b'),
	('all levels literal', '[["a", "demo.db.t", 1], ["b", "demo.db.*", 2]]', 'demo.db.t', '01:00:00 from a'),
	('two literal levels before any number of globs', '[["a", "d*.d?.?", 1], ["b", "demo.db.**", 2]]', 'demo.db.t', '02:00:00 from b'),
	('a glob before two stars', '[["a", "demo.**", 1], ["b", "demo.*.**", 2]]', 'demo.db.t', '02:00:00 from b'),
	('a regular expression is as much as a glob', '[["a", "demo.*./t/", 1], ["b", "demo.*.t", 2]]', 'demo.db.t', '02:00:00 from b'),
	('... and then the name decides', '[["b", "demo.db./t/", 1], ["a", "demo.db.?", 2]]', 'demo.db.t', '02:00:00 from a'),
	('a quoted level is literal', '[["a", "demo.db.*", 1], ["b", "demo.db.\"*\"", 2]]', 'demo.db."*"', '02:00:00 from b'),
	('three literal levels of a deep name', '[["a", "demo.sales.**", 1], ["b", "demo.**.north.orders", 2], ["c", "demo.sales.eu.**", 3]]', 'demo.sales.eu.north.orders', '02:00:00 from b'),
	('the best item of a list', '[["a", "demo.**, demo.db.t", 1], ["b", "demo.db.*", 2]]', 'demo.db.t', '01:00:00 from a'),
	('... only of those that match', '[["a", "demo.**, demo.db.u", 1], ["b", "demo.db.*", 2]]', 'demo.db.t', '02:00:00 from b'),
	('an exclusion makes nothing more specific', '[["a", "demo.**, !demo.db.u", 1], ["b", "demo.*.*", 2]]', 'demo.db.t', '02:00:00 from b'),
	('an excluded policy leaves the field to the next', '[["a", "demo.**, !demo.db.t", 1, 9], ["b", "demo.**", 2]]', 'demo.db.t', '02:00:00 from b'),
	('names break ties', '[["b", "demo.db.*", 1], ["a", "demo.*.t", 2]]', 'demo.db.t', '02:00:00 from a'),
	('... by their bytes in the C locale: capitals first', '[["a", "demo.db.*", 1], ["B", "demo.*.t", 2]]', 'demo.db.t', '02:00:00 from B'),
	('... 10 is before 9', '[["9", "demo.db.*", 1], ["10", "demo.*.t", 2]]', 'demo.db.t', '02:00:00 from 10'),
	('... and the order of creation does not', '[["a", "demo.*.t", 2], ["b", "demo.db.*", 1]]', 'demo.db.t', '02:00:00 from a'),
	('a disabled policy is as if it were not there', '[["a", "demo.db.t", {"enabled": false, "priority": 9, "rewrite_data_files": {"timeout": "1 hour"}}], ["b", "**", 2]]', 'demo.db.t', '02:00:00 from b'),
	('a policy of another catalog', '[["a", "other.**", 1, 9], ["b", "**", 2]]', 'demo.db.t', '02:00:00 from b'),
	('catalog, namespace, table', '[["catalog", "demo.**", 1], ["namespace", "demo.db.**", 2], ["table", "demo.db.t", 3]]', 'demo.db.t', '03:00:00 from table'),
	('... the table next to it', '[["catalog", "demo.**", 1], ["namespace", "demo.db.**", 2], ["table", "demo.db.t", 3]]', 'demo.db.u', '02:00:00 from namespace'),
	('... and in another namespace', '[["catalog", "demo.**", 1], ["namespace", "demo.db.**", 2], ["table", "demo.db.t", 3]]', 'demo.tmp.t', '01:00:00 from catalog');

-- ---- each field for itself ----
INSERT INTO lab.question (what, policies, table_name, field, expected)
SELECT 'what the narrow one leaves open: ' || field, $$[["broad", "demo.**", {"engine": "spark", "poll_interval": "2 hours", "score": "benefit", "thresholds": {"delete_ratio": {"warning": 0.1, "critical": 0.9}}, "weights": {"age": 2, "gain": 3}, "rewrite_data_files": {"timeout": "1 hour", "max_attempts": 3, "schedule": "0 2 * * *",
		"timezone": "Europe/Amsterdam", "windows": ["01:00-02:00", "03:00-04:00"], "days": ["mon"], "when": [{"metric": "data_bytes", "value": 1}], "options": {"target_file_size": "1GB", "min_input_files": 3}, "auto_tune": true, "slice_bytes": "1 GB", "enabled": true}, "expire_snapshots": {"enabled": false}}],
	["narrow", "demo.db.t", {"thresholds": {"delete_ratio": {"warning": 0.2}}, "weights": {"age": 5}, "min_poll_interval": "5 minutes", "rewrite_data_files": {"max_attempts": 4, "every": "6 hours", "windows": "05:00-06:00", "days": [], "options": {"target_file_size": "2GB"}, "engine": "big", "enabled": false}, "rewrite_manifests": {"auto_tune": false}}]]$$,
	'demo.db.t', field, expected
FROM (VALUES ('rewrite_data_files.timeout', '01:00:00 from broad'), ('rewrite_data_files.max_attempts', '4 from narrow'), ('rewrite_data_files.schedule', 'every 06:00:00 from narrow'), ('rewrite_data_files.timezone', 'Europe/Amsterdam from broad'),
	('rewrite_data_files.windows', '["05:00-06:00"] from narrow'), ('rewrite_data_files.days', '[] from narrow'), ('rewrite_data_files.when', '{"any": [{"op": ">=", "value": 1, "metric": "data_bytes"}]} from broad'),
	('rewrite_data_files.options.target_file_size', '2147483648 from narrow'), ('rewrite_data_files.options.min_input_files', '3 from broad'), ('rewrite_data_files.engine', 'big from narrow'), ('rewrite_data_files.auto_tune', 'true from broad'),
	('rewrite_data_files.slice_bytes', '1073741824 from broad'), ('rewrite_data_files.enabled', 'false from narrow'), ('rewrite_data_files.min_interval', '1 hour from built in'), ('rewrite_manifests.engine', 'spark from broad'), ('rewrite_manifests.auto_tune', 'false from narrow'),
	('expire_snapshots.enabled', 'false from broad'), ('expire_snapshots.deadline', '7 days from built in'), ('rewrite_position_delete_files.engine', '-'), ('poll_interval', '02:00:00 from broad'), ('min_poll_interval', '00:05:00 from narrow'), ('score', 'benefit from broad'),
	('thresholds.delete_ratio.warning', '0.2 from narrow'), ('thresholds.delete_ratio.critical', '0.9 from broad'), ('weights.age', '5 from narrow'), ('weights.gain', '3 from broad'), ('weights.severity', '-')) AS v (field, expected);
INSERT INTO lab.question (what, policies, table_name, field, expected) VALUES
	('a policy''s engine is no weaker than an operation''s: the higher policy', '[["low", "demo.**", {"rewrite_data_files": {"engine": "big"}}], ["high", "demo.db.*", {"engine": "spark"}]]', 'demo.db.t', 'rewrite_data_files.engine', 'spark from high'),
	('within one policy the operation''s own', '[["p", "demo.**", {"engine": "spark", "rewrite_data_files": {"engine": "big"}}]]', 'demo.db.t', 'rewrite_data_files.engine', 'big from p'),
	('a policy for the engine alone switches nothing on', '[["p", "demo.**", {"engine": "spark"}]]', 'demo.db.t', 'rewrite_data_files.engine', '-'),
	('an empty operation switches it on with defaults', '[["p", "demo.**", {"rewrite_data_files": {}}]]', 'demo.db.t', 'rewrite_data_files.timeout', '4 hours from built in'),
	('fallbacks of the policy', '[["p", "demo.**", {"engine": "spark", "fallback_engines": ["big"], "rewrite_data_files": {}}]]', 'demo.db.t', 'rewrite_data_files.fallback_engines', '["big"] from p'),
	('a default schedule', '[["p", "demo.**", {"remove_orphan_files": {}}]]', 'demo.db.t', 'remove_orphan_files.schedule', 'every 7 days from built in'),
	('a default option', '[["p", "demo.**", {"remove_orphan_files": {}}]]', 'demo.db.t', 'remove_orphan_files.options.older_than', '3 days from built in'),
	('a score of the table''s own', '[["a", "**", {"score": "severity"}], ["b", "demo.db.t", {"score": "benefit"}]]', 'demo.db.t', 'score', 'benefit from b'),
	-- the table's own properties: above defaults, below any policy
	('a property', '[["p", "demo.**", {"rewrite_data_files": {}}]]', 'demo.db.prop', 'rewrite_data_files.options.target_file_size', '1048576 from table property write.target-file-size-bytes'),
	('a property of another operation', '[["p", "demo.**", {"rewrite_position_delete_files": {}}]]', 'demo.db.prop', 'rewrite_position_delete_files.options.target_file_size', '2097152 from table property write.delete.target-file-size-bytes'),
	('a property in milliseconds', '[["p", "demo.**", {"expire_snapshots": {}}]]', 'demo.db.prop', 'expire_snapshots.options.max_snapshot_age', '24:00:00 from table property history.expire.max-snapshot-age-ms'),
	('a property below the lowest policy', '[["p", "**", {"priority": -9, "expire_snapshots": {"options": {"retain_last": 2}}}]]', 'demo.db.prop', 'expire_snapshots.options.retain_last', '2 from p'),
	('... and beside it', '[["p", "**", {"expire_snapshots": {"options": {"max_snapshot_age": "2 days"}}}]]', 'demo.db.prop', 'expire_snapshots.options.retain_last', '7 from table property history.expire.min-snapshots-to-keep'),
	('a table without it', '[["p", "demo.**", {"expire_snapshots": {}}]]', 'demo.db.t', 'expire_snapshots.options.max_snapshot_age', '5 days from built in');

-- ---- in time ----
INSERT INTO lab.question (what, policies, at, table_name, expected)
SELECT 'valid_during ' || during || ' at ' || at, jsonb_build_array('["always", "demo.**", 1]'::jsonb, jsonb_build_array('sometimes', 'demo.db.*', format('{"valid_during": %s, "rewrite_data_files": {"timeout": "2 hours"}}', during)::jsonb)), at, 'demo.db.t',
	CASE WHEN counts THEN '02:00:00 from sometimes' ELSE '01:00:00 from always' END
FROM (VALUES ('["2026-03-10", "2026-03-20"]', '2026-03-09 23:59:59.999999+00', false), ('["2026-03-10", "2026-03-20"]', '2026-03-10 00:00+00', true), ('["2026-03-10", "2026-03-20"]', '2026-03-19 23:59:59.999999+00', true), ('["2026-03-10", "2026-03-20"]', '2026-03-20 00:00+00', false),
	('["2026-03-10", "2026-03-20"]', '2026-04-01 00:00+00', false), ('[null, "2026-03-20"]', '2026-03-19 00:00+00', true), ('[null, "2026-03-20"]', '2026-03-20 00:00+00', false), ('["2026-03-10", null]', '2026-03-09 00:00+00', false), ('["2026-03-10", null]', '2036-03-09 00:00+00', true),
	('["2026-03-10 00:00 Europe/Amsterdam", null]', '2026-03-09 23:00+00', true), ('["2026-03-10 00:00 Europe/Amsterdam", null]', '2026-03-09 22:59+00', false), ('["2020-01-01", "2020-01-02"]', '2026-03-02 12:00+00', false)) AS v (during, at, counts);
INSERT INTO lab.question (what, policies, at, table_name, expected) VALUES
	('one follows the other', '[["may", "demo.**", {"valid_during": ["2026-05-01", "2026-06-01"], "rewrite_data_files": {"timeout": "5 hours"}}], ["june", "demo.**", {"valid_during": ["2026-06-01", "2026-07-01"], "rewrite_data_files": {"timeout": "6 hours"}}]]', '2026-05-31 23:59+00', 'demo.db.t', '05:00:00 from may'),
	('... at once', '[["may", "demo.**", {"valid_during": ["2026-05-01", "2026-06-01"], "rewrite_data_files": {"timeout": "5 hours"}}], ["june", "demo.**", {"valid_during": ["2026-06-01", "2026-07-01"], "rewrite_data_files": {"timeout": "6 hours"}}]]', '2026-06-01 00:00+00', 'demo.db.t', '06:00:00 from june'),
	('... and nobody after it', '[["may", "demo.**", {"valid_during": ["2026-05-01", "2026-06-01"], "rewrite_data_files": {"timeout": "5 hours"}}], ["june", "demo.**", {"valid_during": ["2026-06-01", "2026-07-01"], "rewrite_data_files": {"timeout": "6 hours"}}]]', '2026-07-01 00:00+00', 'demo.db.t', '-'),
	('off, though its time has come', '[["a", "demo.**", 1], ["b", "demo.db.t", {"enabled": false, "valid_during": ["2026-03-10", null], "rewrite_data_files": {"timeout": "2 hours"}}]]', '2026-03-10 00:00+00', 'demo.db.t', '01:00:00 from a');

-- ---- under locks ----
INSERT INTO lab.question (what, policies, table_name, field, expected)
-- the policy below reaches across catalogs, so that nobody can say whether the one is above the other
SELECT format('lock %s of %s and %s', rule, field, asked), jsonb_build_array(jsonb_build_array('top', 'demo.**', jsonb_build_object('locks', jsonb_build_object(field, rule::jsonb))),
		jsonb_build_array('across', '*.db.**', jsonb_build_object('priority', 9) || asked::jsonb)), 'demo.db.t', shown, expected
FROM (VALUES
	('rewrite_data_files.timeout', '{"min": "2 hours", "max": "5 hours"}', '{"rewrite_data_files": {"timeout": "1 hour"}}', 'rewrite_data_files.timeout', '02:00:00 from lock of top'),
	('rewrite_data_files.timeout', '{"min": "2 hours", "max": "5 hours"}', '{"rewrite_data_files": {"timeout": "2 hours"}}', 'rewrite_data_files.timeout', '02:00:00 from across'),
	('rewrite_data_files.timeout', '{"min": "2 hours", "max": "5 hours"}', '{"rewrite_data_files": {"timeout": "5 hours"}}', 'rewrite_data_files.timeout', '05:00:00 from across'),
	('rewrite_data_files.timeout', '{"min": "2 hours", "max": "5 hours"}', '{"rewrite_data_files": {"timeout": "6 hours"}}', 'rewrite_data_files.timeout', '05:00:00 from lock of top'),
	('rewrite_data_files.timeout', '{"max": "3 hours"}', '{"rewrite_data_files": {}}', 'rewrite_data_files.timeout', '03:00:00 from lock of top'),
	('rewrite_data_files.timeout', '{"max": "5 hours"}', '{"rewrite_data_files": {}}', 'rewrite_data_files.timeout', '4 hours from built in'),
	('*.timeout', '{"is": "3 hours"}', '{"rewrite_data_files": {"timeout": "180 minutes"}}', 'rewrite_data_files.timeout', '03:00:00 from across'),
	('*.timeout', '{"is": "3 hours"}', '{"rewrite_data_files": {}}', 'rewrite_data_files.timeout', '03:00:00 from lock of top'),
	('*.max_attempts', '{"max": 3}', '{"rewrite_manifests": {"max_attempts": 7}}', 'rewrite_manifests.max_attempts', '3 from lock of top'),
	('rewrite_data_files.slice_bytes', '{"max": "10 GB"}', '{"rewrite_data_files": {"slice_bytes": "20 GB"}}', 'rewrite_data_files.slice_bytes', '10737418240 from lock of top'),
	('rewrite_data_files.slice_bytes', '{"max": "10 GB"}', '{"rewrite_data_files": {}}', 'rewrite_data_files.slice_bytes', '10737418240 from lock of top'),
	('rewrite_data_files.jitter', '{"min": "10 minutes"}', '{"rewrite_data_files": {}}', 'rewrite_data_files.jitter', '-'),
	('rewrite_data_files.jitter', '{"min": "10 minutes"}', '{"rewrite_data_files": {"jitter": "0"}}', 'rewrite_data_files.jitter', '00:10:00 from lock of top'),
	('remove_orphan_files.enabled', '{"is": false}', '{"remove_orphan_files": {"enabled": true}}', 'remove_orphan_files.enabled', 'false from lock of top'),
	('remove_orphan_files.enabled', '{"is": false}', '{"remove_orphan_files": {}}', 'remove_orphan_files.enabled', 'false from lock of top'),
	('engine', '{"is": "spark"}', '{"engine": "big", "rewrite_data_files": {}}', 'rewrite_data_files.engine', 'spark from lock of top'),
	('engine', '{"in": ["spark", "slow"]}', '{"engine": "big", "rewrite_data_files": {}}', 'rewrite_data_files.engine', 'spark from lock of top'),
	('engine', '{"in": ["spark", "slow"]}', '{"engine": "slow", "rewrite_data_files": {}}', 'rewrite_data_files.engine', 'slow from across'),
	('fallback_engines', '{"in": ["spark", "slow"]}', '{"engine": "spark", "fallback_engines": ["big", "slow"], "rewrite_data_files": {}}', 'rewrite_data_files.fallback_engines', '["slow"] from lock of top'),
	('rewrite_data_files.days', '{"in": ["sat", "sun"]}', '{"rewrite_data_files": {"days": ["mon", "sun"]}}', 'rewrite_data_files.days', '["sun"] from lock of top'),
	('rewrite_data_files.days', '{"in": ["sat", "sun"]}', '{"rewrite_data_files": {"days": ["mon"]}}', 'rewrite_data_files.days', '["sat", "sun"] from lock of top'),
	('*.timezone', '{"in": ["Europe/Amsterdam"]}', '{"rewrite_data_files": {}}', 'rewrite_data_files.timezone', 'Europe/Amsterdam from lock of top'),
	('*.every', '{"min": "1 hour"}', '{"rewrite_data_files": {"every": "10 minutes"}}', 'rewrite_data_files.schedule', 'every 01:00:00 from lock of top'),
	('*.every', '{"min": "1 hour"}', '{"rewrite_data_files": {"schedule": "*/15 * * * *"}}', 'rewrite_data_files.schedule', 'every 01:00:00 from lock of top'),
	('*.every', '{"min": "1 hour"}', '{"rewrite_data_files": {"schedule": "0,30 2 * * *"}}', 'rewrite_data_files.schedule', 'every 01:00:00 from lock of top'),
	('*.every', '{"min": "1 hour"}', '{"rewrite_data_files": {"schedule": "0 2 * * *"}}', 'rewrite_data_files.schedule', '0 2 * * * from across'),
	('*.every', '{"max": "1 day"}', '{"remove_orphan_files": {}}', 'remove_orphan_files.schedule', 'every 1 day from lock of top'),
	('*.every', '{"max": "1 day"}', '{"rewrite_data_files": {"schedule": "0 2 * * mon"}}', 'rewrite_data_files.schedule', 'every 1 day from lock of top'),
	('rewrite_data_files.schedule', '{"is": "0 3 * * *"}', '{"rewrite_data_files": {"every": "1 day"}}', 'rewrite_data_files.schedule', '0 3 * * * from lock of top'),
	('expire_snapshots.options.max_snapshot_age', '{"min": "3 days"}', '{"expire_snapshots": {"options": {"max_snapshot_age": "1 day"}}}', 'expire_snapshots.options.max_snapshot_age', '3 days from lock of top'),
	('expire_snapshots.options.max_snapshot_age', '{"min": "3 days"}', '{"expire_snapshots": {}}', 'expire_snapshots.options.max_snapshot_age', '5 days from built in'),
	('expire_snapshots.options.max_snapshot_age', '{"min": "9 days"}', '{"expire_snapshots": {}}', 'expire_snapshots.options.max_snapshot_age', '9 days from lock of top'),
	('rewrite_data_files.options.strategy', '{"in": ["binpack"]}', '{"rewrite_data_files": {"options": {"strategy": "sort"}}}', 'rewrite_data_files.options.strategy', 'binpack from lock of top'),
	('thresholds.delete_ratio.warning', '{"max": 0.3}', '{"thresholds": {"delete_ratio": {"warning": 0.4, "critical": 0.5}}}', 'thresholds.delete_ratio.warning', '0.3 from lock of top'),
	('weights.age', '{"is": 0}', '{"weights": {"age": 3}}', 'weights.age', '0 from lock of top'),
	('poll_interval', '{"max": "30 minutes"}', '{"poll_interval": "1 hour"}', 'poll_interval', '00:30:00 from lock of top'),
	('poll_interval', '{"max": "30 minutes"}', '{}', 'poll_interval', '00:30:00 from lock of top'),
	('score', '{"in": ["benefit"]}', '{"score": "severity"}', 'score', 'benefit from lock of top')) AS v (field, rule, asked, shown, expected);
INSERT INTO lab.question (what, policies, at, table_name, field, expected) VALUES
	('fixed is what the policy itself sets', '[["top", "demo.**", {"locks": {"rewrite_data_files.timeout": {"fixed": true}}, "rewrite_data_files": {"timeout": "2 hours"}}], ["across", "*.db.**", 1, 9]]', NULL, 'demo.db.t', 'rewrite_data_files.timeout', '02:00:00 from lock of top'),
	('a lock holds nobody above it', '[["top", "demo.**", {"locks": {"rewrite_data_files.timeout": {"max": "1 hour"}}}], ["world", "**", 3, 1]]', NULL, 'demo.db.t', 'rewrite_data_files.timeout', '03:00:00 from world'),
	('... nor its own policy, which keeps to it', '[["top", "demo.**", {"locks": {"rewrite_data_files.timeout": {"max": "1 hour"}}, "rewrite_data_files": {"timeout": "30 minutes"}}]]', NULL, 'demo.db.t', 'rewrite_data_files.timeout', '00:30:00 from top'),
	('a lock for tables that the policy is not for', '[["top", "demo.tmp.**", {"locks": {"rewrite_data_files.timeout": {"max": "1 hour"}}}], ["across", "*.db.**", 2]]', NULL, 'demo.db.t', 'rewrite_data_files.timeout', '02:00:00 from across'),
	('... or excludes', '[["top", "demo.**, !demo.db.t", {"locks": {"rewrite_data_files.timeout": {"max": "1 hour"}}}], ["across", "*.db.**", 2]]', NULL, 'demo.db.t', 'rewrite_data_files.timeout', '02:00:00 from across'),
	('two levels of locks: the narrower bound of the lower one', '[["top", "demo.**", {"locks": {"rewrite_data_files.timeout": {"max": "6 hours"}}}], ["mid", "demo.db.**", {"locks": {"rewrite_data_files.timeout": {"max": "4 hours"}}}], ["across", "*.*.t", 9, 9]]', NULL, 'demo.db.t', 'rewrite_data_files.timeout', '04:00:00 from lock of mid'),
	('... which does not hold who is above it', '[["top", "demo.**", {"locks": {"rewrite_data_files.timeout": {"max": "6 hours"}}}], ["mid", "demo.db.**", {"locks": {"rewrite_data_files.timeout": {"max": "4 hours"}}}], ["across", "*.db.**", 9, 9]]', NULL, 'demo.db.t', 'rewrite_data_files.timeout', '06:00:00 from lock of top'),
	('of two locks of which neither is above, the one with priority has the last word', '[["top", "demo.**", {"priority": 1, "locks": {"rewrite_data_files.timeout": {"max": "2 hours"}}}], ["mid", "*.db.**", {"locks": {"rewrite_data_files.timeout": {"min": "3 hours"}}}], ["across", "*.*.t", 9, 9]]', NULL, 'demo.db.t', 'rewrite_data_files.timeout', '02:00:00 from lock of top'),
	('... else the name', '[["top", "demo.**", {"locks": {"rewrite_data_files.timeout": {"max": "2 hours"}}}], ["mid", "*.db.**", {"locks": {"rewrite_data_files.timeout": {"min": "3 hours"}}}], ["across", "*.*.t", 9, 9]]', NULL, 'demo.db.t', 'rewrite_data_files.timeout', '03:00:00 from lock of mid'),
	('a lock holds while its policy counts', '[["top", "demo.**", {"valid_during": [null, "2026-03-10"], "locks": {"rewrite_data_files.timeout": {"max": "1 hour"}}}], ["across", "*.db.**", 2]]', '2026-03-09 00:00+00', 'demo.db.t', 'rewrite_data_files.timeout', '01:00:00 from lock of top'),
	('... and not when that is over', '[["top", "demo.**", {"valid_during": [null, "2026-03-10"], "locks": {"rewrite_data_files.timeout": {"max": "1 hour"}}}], ["across", "*.db.**", 2]]', '2026-03-10 00:00+00', 'demo.db.t', 'rewrite_data_files.timeout', '02:00:00 from across'),
	('a property below a bound', '[["top", "demo.**", {"expire_snapshots": {}, "locks": {"expire_snapshots.options.max_snapshot_age": {"min": "3 days"}}}]]', NULL, 'demo.db.prop', 'expire_snapshots.options.max_snapshot_age', '3 days from lock of top'),
	('a property within bounds', '[["top", "demo.**", {"expire_snapshots": {}, "locks": {"expire_snapshots.options.retain_last": {"min": 3, "max": 10}}}]]', NULL, 'demo.db.prop', 'expire_snapshots.options.retain_last', '7 from table property history.expire.min-snapshots-to-keep'),
	('a property above a bound', '[["top", "demo.**", {"expire_snapshots": {}, "locks": {"expire_snapshots.options.retain_last": {"max": 5}}}]]', NULL, 'demo.db.prop', 'expire_snapshots.options.retain_last', '5 from lock of top'),
	('Iceberg''s default below a bound', '[["top", "demo.**", {"expire_snapshots": {}, "locks": {"expire_snapshots.options.retain_last": {"min": 3}}}]]', NULL, 'demo.db.t', 'expire_snapshots.options.retain_last', '3 from lock of top'),
	('a fixed value over a property', '[["top", "demo.**", {"rewrite_data_files": {}, "locks": {"rewrite_data_files.options.target_file_size": {"is": "256MB"}}}]]', NULL, 'demo.db.prop', 'rewrite_data_files.options.target_file_size', '268435456 from lock of top'),
	('enterprise, domain, product: within the bounds', '[["enterprise", "**", {"locks": {"expire_snapshots.options.max_snapshot_age": {"min": "3 days"}}, "expire_snapshots": {"options": {"max_snapshot_age": "7 days"}}}], ["domain", "demo.sales.**", {"expire_snapshots": {"options": {"max_snapshot_age": "5 days"}}}], ["product", "demo.sales.eu.**", {"expire_snapshots": {"options": {"max_snapshot_age": "3 days"}}}]]', NULL, 'demo.sales.eu.orders', 'expire_snapshots.options.max_snapshot_age', '3 days from product'),
	('... the domain where the product says nothing', '[["enterprise", "**", {"locks": {"expire_snapshots.options.max_snapshot_age": {"min": "3 days"}}, "expire_snapshots": {"options": {"max_snapshot_age": "7 days"}}}], ["domain", "demo.sales.**", {"expire_snapshots": {"options": {"max_snapshot_age": "5 days"}}}], ["product", "demo.sales.eu.**", {"expire_snapshots": {"options": {"max_snapshot_age": "3 days"}}}]]', NULL, 'demo.sales.orders', 'expire_snapshots.options.max_snapshot_age', '5 days from domain'),
	('... the enterprise elsewhere', '[["enterprise", "**", {"locks": {"expire_snapshots.options.max_snapshot_age": {"min": "3 days"}}, "expire_snapshots": {"options": {"max_snapshot_age": "7 days"}}}], ["domain", "demo.sales.**", {"expire_snapshots": {"options": {"max_snapshot_age": "5 days"}}}], ["product", "demo.sales.eu.**", {"expire_snapshots": {"options": {"max_snapshot_age": "3 days"}}}]]', NULL, 'demo.db.prop', 'expire_snapshots.options.max_snapshot_age', '7 days from enterprise');

SELECT plan((SELECT count(*) FROM lab.question)::int + 1);
SELECT cmp_ok(count(*), '>=', 150::bigint, 'so many cases') FROM lab.question;
SELECT is(lab.in_force(q.policies, q.at, q.table_name, COALESCE(q.field, 'rewrite_data_files.timeout')), q.expected, q.what) FROM lab.question AS q ORDER BY q.n;
SELECT * FROM finish();
