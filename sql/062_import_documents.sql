--
-- Documents of floe made from the catalogue itself, out and in again; and documents made to hurt.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine();
CREATE SERVER big TYPE 'kyuubi' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1');
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.x.v');

-- ---- out and in again ----

-- The same dice in every release of PostgreSQL, which random() is not.
CREATE FUNCTION lab.dice(seed text, faces int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || substr(md5(seed), 1, 7))::bit(28)::int % faces $$;
CREATE FUNCTION lab.pick(seed text, choices anyarray) RETURNS anyelement LANGUAGE sql IMMUTABLE AS $$ SELECT choices[1 + lab.dice(seed, cardinality(choices))] $$;
-- Values as an export writes them, by the key's type; what only some texts can be is named.
CREATE FUNCTION lab.key_value(seed text, of_key text, value_type text) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT CASE
		WHEN of_key = 'description' THEN to_jsonb(lab.pick(seed, ARRAY['x', '', 'it''s "this" \ ', E'two\nlines\t.', 'ä — 表 🧊', '%s {{}} $1', '-- /* ''; DROP']))
		WHEN of_key = 'engine' THEN to_jsonb(lab.pick(seed, ARRAY['spark', 'big'])) WHEN of_key = 'fallback_engines' THEN lab.pick(seed, ARRAY['[]', '["spark"]', '["big", "spark"]'])::jsonb
		WHEN of_key = 'score' THEN to_jsonb(lab.pick(seed, ARRAY['severity', 'benefit']))
		WHEN of_key = 'poll_interval' THEN lab.pick(seed, ARRAY['"02:00:00"', '"1 day"', '"1 mon 2 days 03:00:00"'])::jsonb WHEN of_key = 'min_poll_interval' THEN lab.pick(seed, ARRAY['"00:00:01"', '"01:00:00"'])::jsonb
		WHEN of_key = 'thresholds' THEN (SELECT jsonb_object_agg(m.name, jsonb_build_object('warning', lab.dice(seed || m.name, 1000), 'critical', 1000 + lab.dice(seed || m.name || 'c', 1000000))) FROM floe.metric AS m WHERE lab.dice(seed || m.name || '?', 8) = 0)
		WHEN of_key = 'weights' THEN (SELECT jsonb_object_agg(t.term, lab.dice(seed || t.term, 2001) / 2.0) FROM floe.debt_term AS t WHERE lab.dice(seed || t.term || '?', 2) = 0)
		WHEN of_key = 'schedule' THEN to_jsonb(lab.pick(seed, ARRAY['0 2 * * *', '*/15 8-18 1,15 jan-mar mon', '@daily'])) WHEN of_key = 'timezone' THEN to_jsonb(lab.pick(seed, ARRAY['UTC', 'Europe/Amsterdam', 'Asia/Kathmandu']))
		WHEN of_key = 'windows' THEN lab.pick(seed, ARRAY['["22:00-06:00"]', '["00:00-24:00", "01:00-02:00"]'])::jsonb WHEN of_key = 'days' THEN lab.pick(seed, ARRAY['["mon"]', '["sun", "tue", "wed"]'])::jsonb
		WHEN of_key = 'every' THEN lab.pick(seed, ARRAY['"00:01:00"', '"36:00:00"', '"1 mon"'])::jsonb WHEN of_key = 'min_interval' THEN lab.pick(seed, ARRAY['"00:00:00"', '"01:00:00"'])::jsonb
		WHEN of_key = 'deadline' THEN lab.pick(seed, ARRAY['"7 days"', '"1 mon"'])::jsonb WHEN of_key = 'max_attempts' THEN to_jsonb(1 + lab.dice(seed, 100))
		WHEN of_key = 'when' THEN jsonb_build_object(lab.pick(seed, ARRAY['any', 'all']), (SELECT jsonb_agg(jsonb_build_object('op', lab.pick(seed || m.name || 'op', ARRAY['>=', '>', '<=', '<', '=', '<>']), 'value', lab.dice(seed || m.name, 100000) / 8.0, 'metric', m.name) ORDER BY m.name)
			FROM floe.metric AS m WHERE m.position = 1 + lab.dice(seed, 40) OR lab.dice(seed || m.name || '?', 20) = 0))
		WHEN of_key = 'valid_during' THEN to_jsonb(lab.pick(seed, ARRAY['["2026-01-01 00:00:00+00","2030-06-30 12:00:00+00")', '["2026-01-01 00:00:00+00",)'])) WHEN of_key = 'locks' THEN '{"poll_interval": {"max": "1 day"}}'
		WHEN of_key = 'resources' THEN lab.pick(seed, ARRAY['"small"', '{"spark.executor.memory": "4g"}'])::jsonb
		WHEN value_type = 'boolean' THEN to_jsonb(lab.dice(seed, 2) = 1) WHEN value_type = 'integer' THEN to_jsonb(lab.dice(seed, 2001) - 1000) WHEN value_type = 'bytes' THEN to_jsonb(1 + lab.dice(seed, 200000000))
		WHEN value_type = 'interval' THEN lab.pick(seed, ARRAY['"00:05:00"', '"04:00:00"', '"1 day"'])::jsonb END
$$;
CREATE FUNCTION lab.option_value(seed text, of_option text, value_type text, minimum text, maximum text, allowed text[]) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT CASE
		WHEN of_option = 'where' THEN to_jsonb(lab.pick(seed, ARRAY['a = ''it''''s''', 'day >= current_date - 3 days AND "b c" IN (1, 2)', '`x` IS NOT NULL OR NOT y LIKE ''ä%'''])) WHEN of_option = 'sort_order' THEN to_jsonb(lab.pick(seed, ARRAY['a DESC NULLS LAST', 'days(day), "b c"', 'zorder(a, b)']))
		WHEN of_option = 'columns' THEN '["a", "b c"]' WHEN of_option = 'snapshot_ids' THEN '[1, 9223372036854775807]' WHEN of_option = 'snapshot_id' THEN '9223372036854775807'
		WHEN of_option IN ('min_file_size') THEN to_jsonb(lab.dice(seed, 1000)) WHEN of_option = 'max_file_size' THEN to_jsonb(2000000000 + lab.dice(seed, 1000)::bigint) WHEN of_option = 'target_file_size' THEN to_jsonb(1000000 + lab.dice(seed, 1000))
		WHEN value_type = 'boolean' THEN to_jsonb(lab.dice(seed, 2) = 1) WHEN value_type = 'count' THEN to_jsonb(1 + lab.dice(seed, 1000)) WHEN value_type = 'bytes' THEN to_jsonb(1 + lab.dice(seed, 200000000)) WHEN value_type = 'ratio' THEN to_jsonb(lab.dice(seed, 101) / 100.0)
		WHEN value_type = 'choice' THEN to_jsonb(lab.pick(seed, allowed)) WHEN value_type = 'duration' THEN to_jsonb(lab.pick(seed, ARRAY['1 day', '3 days', '90 days'])) WHEN value_type = 'map of texts' THEN '{"s3a": "s3", "ä\"b": "c"}' ELSE to_jsonb(lab.pick(seed, ARRAY['audit', 'it''s']))
	END
$$;
CREATE TABLE lab.option AS SELECT DISTINCT ON (o.operation, o.option) o.* FROM floe_internal.engine_options() AS o WHERE o.engine_type = 'spark-thrift' ORDER BY o.operation, o.option;
CREATE FUNCTION lab.document(seed text) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object('name', lab.pick(seed || 'name', ARRAY['p', 'it''s "quoted"', 'ä — 表 🧊', '%s $1 \', ' two  blanks ', 'a.b.**', E'new\nline', repeat('x', 200)]), 'pattern', lab.pick(seed || 'pattern', ARRAY['demo.**', 'demo.db.*, !demo.db.t', 'demo."a.b"."it''s, ""q"""', 'demo./[a-c]\d+/.**', '*.**.t?', 'demo.表.🧊']), 'enabled', true, 'priority', 0)
		|| COALESCE((SELECT jsonb_object_agg(k.key, lab.key_value(seed || k.key, k.key, k.value_type)) FILTER (WHERE lab.key_value(seed || k.key, k.key, k.value_type) NOT IN ('null', '{}')) FROM floe_internal.policy_key AS k WHERE k.scope = 'policy' AND lab.dice(seed || k.key || '?', 3) = 0), '{}')
		|| COALESCE((SELECT jsonb_object_agg(o.operation, (SELECT COALESCE(jsonb_object_agg(k.key, lab.key_value(seed || o.operation || k.key, k.key, k.value_type)), '{}') FROM floe_internal.policy_key AS k
				WHERE k.scope = 'operation' AND k.key <> 'options' AND lab.dice(seed || o.operation || k.key || '?', 4) = 0
				  AND (k.key <> ALL (ARRAY['slice_bytes', 'slice_time', 'quiet_period']) OR o.operation = 'rewrite_data_files') AND NOT (k.key = 'every' AND lab.dice(seed || o.operation || 'schedule?', 4) = 0)
				  AND (k.key <> 'resources' OR lab.dice(seed || o.operation || 'engine?', 4) = 0 AND lab.key_value(seed || o.operation || 'engine', 'engine', 'text') = '"big"'))
			|| COALESCE((SELECT jsonb_build_object('options', jsonb_object_agg(x.option, lab.option_value(seed || o.operation || x.option, x.option, x.value_type, x.minimum, x.maximum, x.allowed))) FROM lab.option AS x
				WHERE x.operation = o.operation AND lab.dice(seed || o.operation || x.option || '?', 9) = 0 HAVING count(*) > 0), '{}'))
			FROM floe_internal.operation_kind AS o WHERE lab.dice(seed || o.operation || '?', 2) = 0), '{}')
$$;
CREATE FUNCTION lab.versions() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	SET CONSTRAINTS ALL IMMEDIATE;
	SET CONSTRAINTS ALL DEFERRED;
	RETURN (SELECT count(*) FROM floe_internal.policy_version);
END $$;
CREATE TABLE lab.made (seed int, document jsonb, refused text);
CREATE TABLE lab.wrong (seed int, what text, wanted jsonb, got jsonb);
DO $do$
DECLARE
	d jsonb;
	got jsonb;
	before bigint;
	named text;
	told text;
BEGIN
	FOR i IN 1 .. 330 LOOP
		d := lab.document('r' || i);
		named := d ->> 'name';
		told := NULL;
		BEGIN
			PERFORM floe.import_policy(d);
		EXCEPTION WHEN OTHERS THEN
			told := SQLSTATE || ': ' || SQLERRM;
		END;
		INSERT INTO lab.made VALUES (i, d, told);
		CONTINUE WHEN told IS NOT NULL;
		got := floe.export_policy(named);
		INSERT INTO lab.wrong SELECT i, 'the export is not the document', d, got - 'owner' WHERE got - 'owner' <> d;
		before := lab.versions();
		-- whatever the session's settings are
		SET LOCAL intervalstyle = 'iso_8601';
		SET LOCAL datestyle = 'German';
		SET LOCAL timezone = 'Asia/Kathmandu';
		SET LOCAL extra_float_digits = 0;
		INSERT INTO lab.wrong SELECT i, 'another session exports something else', got, floe.export_policy(named) WHERE floe.export_policy(named) <> got;
		PERFORM count(*) FROM floe.import_policies(jsonb_build_array(got));
		INSERT INTO lab.wrong SELECT i, 'an import of the export made a version', d, to_jsonb(lab.versions()) WHERE lab.versions() <> before;
		IF i % 4 = 0 THEN
			PERFORM floe.drop_policy(named), floe.import_policy(got);
			INSERT INTO lab.wrong SELECT i, 'an import of the export is not the same policy', got, floe.export_policy(named) WHERE floe.export_policy(named) <> got;
		END IF;
		PERFORM floe.drop_policy(named);
		SET LOCAL intervalstyle = 'postgres';
		SET LOCAL datestyle = 'ISO, MDY';
		SET LOCAL timezone = 'UTC';
	END LOOP;
END
$do$;
SELECT seed, what, (SELECT string_agg(format('%s: %s, not %s', COALESCE(w.key, g.key), g.value, w.value), E'\n') FROM jsonb_each(wanted) AS w FULL JOIN jsonb_each(got) AS g USING (key) WHERE w.value IS DISTINCT FROM g.value) FROM lab.wrong ORDER BY seed LIMIT 5;
-- dice make contradictions, too; they are refused, and for that alone
SELECT count(*) FILTER (WHERE refused IS NULL) >= 250 AS enough FROM lab.made;
SELECT DISTINCT regexp_replace(left(refused, 100), '"[^"]*"', '""', 'g') AS otherwise FROM lab.made WHERE refused !~ '^(22023|0A000|23514)' ORDER BY 1;
-- every key and every option was in one that was saved, but for those that no policy can have
SELECT k.scope, k.key FROM floe_internal.policy_key AS k WHERE NOT EXISTS (SELECT FROM lab.made AS m WHERE m.refused IS NULL AND (CASE k.scope WHEN 'policy' THEN m.document ? k.key
	ELSE EXISTS (SELECT FROM floe_internal.operation_kind AS o WHERE m.document -> o.operation ? k.key) END)) ORDER BY 1, 2;
SELECT o.operation, o.option FROM lab.option AS o WHERE NOT EXISTS (SELECT FROM lab.made AS m WHERE m.refused IS NULL AND m.document #> ARRAY[o.operation, 'options'] ? o.option) ORDER BY 1, 2;
SELECT count(*) FROM floe.policy;

-- ---- made to hurt: refused or reported with the place, never an internal error ----

\pset format unaligned
\pset tuples_only on
CREATE FUNCTION lab.hurt(document text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	rows text;
	detail text;
	hint text;
BEGIN
	SELECT string_agg(format('%s %s: %s', c.status, COALESCE(c.field, '-'), COALESCE(c.detail, '-')), E'\n  ' ORDER BY c.n) INTO rows
		FROM (SELECT x.*, row_number() OVER () AS n FROM floe.check_import(document::jsonb) AS x) AS c WHERE c.status = 'refused' OR c.detail LIKE 'There is no%';
	RETURN left(document, 150) || E'\n  ' || COALESCE(left(rows, 700), 'taken');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN left(document, 150) || format(E'\n  %s: %s | %s | %s', SQLSTATE, left(SQLERRM, 300), detail, hint);
END $$;
CREATE FUNCTION lab.java(fields text) RETURNS text LANGUAGE sql AS $$ SELECT format('{"name": "h", "tablePattern": "demo.*.*", %s}', fields) $$;
SELECT lab.hurt(d) FROM unnest(ARRAY['null', '1', '"x"', '[]', '{}', '[[]]', '[null]', '[1]', '{"policies": {}}', '{"policies": [1]}', '{"policy": 1}', '{"policy": {"policyType": 1}}', '{"policyType": null}', '{"tablePattern": null}', '{"tablePattern": "*"}',
	'{"name": "", "tablePattern": "*", "rewriteManifests": {}}', '{"name": 5, "tablePattern": "*"}', '{"name": "h", "tablePattern": 5}', '{"name": "h", "tablePattern": ["*"]}', '{"name": "h", "tablePattern": "*", "table_pattern": "x"}',
	'{"name": "h", "tablePattern": "*", "pattern": "demo.**"}', '{"name": "h", "tablePattern": "*", "rewrite_data_files": {}}', '{"name": "h", "tablePattern": "*", "policyType": "custom"}', '{"name": "h", "tablePattern": "*", "policy-type": "system.snapshot-expiry", "content": {}}',
	'{"name": "h", "pattern": "demo.**", "thresholds": {}, "rewriteDataFiles": {}}', '{"name": "h", "tablePattern": "demo.*.*", "nonsense": 1, "rewriteDataFile": {}}',
	'[{"name": "h", "tablePattern": "demo.*.*"}, {"name": "h", "tablePattern": "lake.*.*"}]', '[{"name": "a", "tablePattern": "demo.*.*", "rewriteManifests": {}}, {"name": "b", "tablePattern": "demo.*.*", "rewriteManifests": {"specId": 1}}, {"name": "c", "tablePattern": "demo.*.*", "rewriteManifests": {"specId": 2}}]']) AS d;
SELECT lab.hurt(lab.java(f)) FROM unnest(ARRAY['"priority": 99999999999', '"priority": 1.5', '"priority": "1"', '"priority": 1e400', '"priority": -2147483648', '"enabled": "yes"', '"tags": ["x"]', '"tags": {"a": 1}', '"description": {"x": 1}',
	'"rewriteDataFiles": true', '"rewriteDataFiles": []', '"rewriteDataFiles": "x"', '"rewriteDataFilesSchedule": 5, "rewriteDataFiles": {}', '"healthThresholds": 5', '"triggerConditions": []',
	'"rewriteDataFiles": {"strategy": "FAST"}', '"rewriteDataFiles": {"strategy": 5}', '"rewriteDataFiles": {"strategy": "ZORDER"}', '"rewriteDataFiles": {"strategy": "SORT", "sortOrder": ["a;b"]}', '"rewriteDataFiles": {"strategy": "SORT", "sortOrder": [1]}',
	'"rewriteDataFiles": {"targetFileSizeBytes": "128MB"}', '"rewriteDataFiles": {"targetFileSizeBytes": -1}', '"rewriteDataFiles": {"targetFileSizeBytes": 99999999999999999999}', '"rewriteDataFiles": {"maxConcurrentFileGroupRewrites": 0}', '"rewriteDataFiles": {"outputSpecId": -1}',
	'"rewriteDataFiles": {"rewriteJobOrder": "RANDOM"}', '"rewriteDataFiles": {"filter": "a = (SELECT 1)"}', '"rewriteDataFiles": {"filter": "{\"type\": \"eq\"}"}', '"rewriteDataFiles": {"filter": "[]"}', '"rewriteDataFiles": {"filter": "{\"type\""}', '"rewriteDataFiles": {"unknown": 1}',
	'"expireSnapshots": {"retainLast": 0}', '"expireSnapshots": {"retainLast": -5}', '"expireSnapshots": {"maxSnapshotAge": "7 days"}', '"expireSnapshots": {"maxSnapshotAge": "P1M"}', '"expireSnapshots": {"maxSnapshotAge": "P"}', '"expireSnapshots": {"maxSnapshotAge": "PT"}', '"expireSnapshots": {"maxSnapshotAge": "P-7D"}',
	'"expireSnapshots": {"maxSnapshotAge": "P999999999D"}', '"expireSnapshots": {"maxSnapshotAge": -1}', '"expireSnapshots": {"maxSnapshotAge": 1e300}', '"expireSnapshots": {"maxSnapshotAge": true}', '"expireSnapshots": {"maxSnapshotAgeDays": 1.5}',
	'"orphanCleanup": {"retentionPeriodInDays": 0}', '"orphanCleanup": {"retentionPeriodInDays": 0.5}', '"orphanCleanup": {"retentionPeriodInDays": -3}', '"orphanCleanup": {"retentionPeriodInDays": 999999999}', '"orphanCleanup": {"location": "s3://x"}', '"orphanCleanup": {"prefixMismatchMode": "DELETE"}', '"orphanCleanup": {"prefixMismatchMode": 1}', '"orphanCleanup": {"equalSchemes": {"a": 1}}',
	'"rewriteManifests": {"specId": "x"}', '"rewriteManifests": {"rewriteIf": []}', '"rewriteManifests": {"rewriteIf": {"colour": "red"}}']) AS f;
SELECT lab.hurt(lab.java('"rewriteDataFiles": {}, "rewriteDataFilesSchedule": ' || f)) FROM unnest(ARRAY['{"interval": 0}', '{"interval": -1}', '{"interval": "PT6H"}', '{"interval": "6h"}', '{"interval": 1.5}', '{"interval": 99999999}', '{"interval": true}', '{"interval": "PT30S"}', '{"intervalInDays": 7}', '{"intervalMinutes": "x"}',
	'{"cronExpression": "0 0 2 L * ?"}', '{"cronExpression": "0 0 2 ? * 6#3"}', '{"cronExpression": "0 0 2 15W * ?"}', '{"cronExpression": "0/5 * * * * ?"}', '{"cronExpression": "0 0 2 * * ? 2030"}', '{"cronExpression": "x"}', '{"cronExpression": 5}', '{"cronExpression": " "}',
	'{"windowStart": "25:00"}', '{"windowStart": "9:00"}', '{"windowStart": [9]}', '{"windowStart": [9, 60]}', '{"windowStart": ["x", 1]}', '{"windowStart": "09:00", "windowEnd": "09:00"}', '{"windowEnd": "06:00"}', '{"windowStart": {"hour": 2}}', '{"windowStart": "00:00", "windowEnd": "00:00:30"}',
	'{"allowedDays": "MON"}', '{"allowedDays": ""}', '{"allowedDays": "MONDAY,,FRIDAY"}', '{"allowedDays": [1]}', '{"allowedDays": 1}', '{"timeout": 0}', '{"timeout": -1}', '{"timeout": 99999999}', '{"timeout": "4h"}', '{"timeoutInHours": 2}', '{"priority": "x"}', '{"enabled": "true"}', '{"zone": "UTC"}']) AS f;
SELECT lab.hurt(lab.java('"rewriteDataFiles": {}, "healthThresholds": ' || f)) FROM unnest(ARRAY['{"fileCountWarning": -1}', '{"fileCountWarning": 10, "fileCountCritical": 5}', '{"fileCountWarning": "x"}', '{"fileCountWarning": 1e30}', '{"fileCount": 1}', '{"snapshotAgeWarningDays": 99999999999999}', '{"deleteFileRatioWarning": null}', '{"snapshotCountWarning": 500, "snapshotCountCritical": 500}']) AS f;
SELECT lab.hurt(lab.java('"rewriteDataFiles": {}, "expireSnapshots": {}, "triggerConditions": ' || f)) FROM unnest(ARRAY['{"snapshotCountAbove": -1}', '{"snapshotCountAbove": "many"}', '{"minIntervalMinutes": -5}', '{"minIntervalMinutes": 999999999999}', '{"minIntervalMinutes": 1.5}', '{"perOperationMinIntervalMinutes": 5}', '{"perOperationMinIntervalMinutes": {"EXPIRE_SNAPSHOTS": "x"}}', '{"perOperationMinIntervalMinutes": {"NOTHING": 1}}',
	'{"criticalPipeline": true, "criticalPipelineMaxDelayMinutes": 0}', '{"criticalPipeline": true, "criticalPipelineMaxDelayMinutes": 30, "minIntervalMinutes": 60}', '{"criticalPipeline": "yes"}', '{"triggerLogic": "XOR", "snapshotCountAbove": 5}', '{"triggerLogic": 5}', '{"triggerLogic": "and", "snapshotCountAbove": 5, "deleteFileCountAbove": 5}', '{"volume": 11}']) AS f;
-- how conditions come out
SELECT d, (floe_internal.java_conditions(d::jsonb, '{rewrite_data_files,expire_snapshots}')).per_operation FROM unnest(ARRAY['{}', '{"snapshotCountAbove": 5}', '{"triggerLogic": "AND", "snapshotCountAbove": 5, "deleteFileCountAbove": 7}', '{"criticalPipeline": true, "criticalPipelineMaxDelayMinutes": 30, "minIntervalMinutes": 60}', '{"manifestSizeAboveBytes": 1}']) AS d;
-- as large and as deep as somebody likes to make it
SELECT left(lab.hurt(format('[%s]', (SELECT string_agg('{}', ',') FROM generate_series(1, 1001)))), 30), right(lab.hurt(format('[%s]', (SELECT string_agg('{}', ',') FROM generate_series(1, 1001)))), 120);
SELECT right(lab.hurt(lab.java(format('"description": "%s"', repeat('x', 300000)))), 150);
SELECT right(lab.hurt(lab.java(format('"description": "%s"', repeat('x', 17000000)))), 150);
SELECT right(lab.hurt(lab.java(format('"rewriteDataFiles": {"filter": %s}', repeat('[', 3000) || repeat(']', 3000)))), 200);
SELECT right(lab.hurt(lab.java(format('"rewriteDataFiles": {"filter": %s}', to_json(repeat('{"type": "not", "child": ', 200) || 'true' || repeat('}', 200))))), 200);
SELECT right(lab.hurt(lab.java(format('"rewriteDataFiles": {"filter": %s}', to_json(repeat('[', 200000))))), 200);
SELECT right(lab.hurt(format('{"floe": %s}', repeat('{"a": ', 3000) || '1' || repeat('}', 3000))), 200);
-- settings of an import
SELECT s || E'\n  ' || lab.says(format('SELECT floe.check_import(''[]'', %L)', s)) FROM unnest(ARRAY['[]', 'null', '{"zone": "x"}', '{"engine": "none"}', '{"engine": 1}', '{"timezone": "CEST+2"}', '{"catalogs": ["x"]}', '{"catalogs": {"a": 1}}', '{"pattern": "x"}', '{}']) AS s;
-- all or none
SELECT lab.says($$SELECT floe.import_policies('[{"name": "good", "tablePattern": "demo.*.*", "rewriteManifests": {}}, {"name": "bad", "tablePattern": "demo.*.*", "orphanCleanup": {"location": "s3://x"}, "priority": 1.5}]')$$);
SELECT count(*) FROM floe.policy;
-- one by floe.import_policy(), which says what it leaves out
SET client_min_messages = notice;
SELECT floe.import_policy('{"name": "one", "tablePattern": "demo.*.*", "rewriteManifests": {"sortBy": ["a"]}, "rewriteManifestsSchedule": {"interval": 7, "priority": 3}}') > 0;
SELECT floe.export_policy('one');
SELECT lab.says($$SELECT floe.import_policy('{"name": "two", "tablePattern": "demo.*.*", "orphanCleanup": {"location": "s3://x"}}')$$);
SELECT lab.says($$SELECT floe.import_policy('{"policies": []}')$$);
SELECT lab.says($$SELECT floe.import_policy('{"floe.scheduler.max-bytes-per-hour": 5}')$$);
