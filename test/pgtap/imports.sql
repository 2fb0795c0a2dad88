-- What the Java service accepted and did not do, or did otherwise than it says: what an import makes of it. By the numbers of these weaknesses.
SELECT no_plan();
CREATE SERVER demo TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/x');
CREATE SERVER trino TYPE 'trino' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1');
SELECT floe_internal.apply_listing(catalog_id, '{shop,shop}', '{orders,items}') AS listed FROM floe_internal.catalog \gset

-- the policy that a document becomes, or the refusal; undone again
CREATE FUNCTION pg_temp.made(fields jsonb, settings jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
BEGIN
	BEGIN
		PERFORM count(*) FROM floe.import_policies(jsonb '{"name": "p", "tablePattern": "demo.*.*"}' || fields, settings);
		result := floe.export_policy('p');
		RAISE EXCEPTION USING ERRCODE = 'UNDO0';
	EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
		NULL;
	END;
	RETURN result;
END $$;
CREATE FUNCTION pg_temp.said(fields jsonb, of_field text, settings jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(': ', c.status, c.detail), ' / ') FROM floe.check_import(jsonb '{"name": "p", "tablePattern": "demo.*.*"}' || fields, settings) AS c WHERE c.field IS NOT DISTINCT FROM of_field
$$;

-- W2, W3, W4, W5: which policy
SELECT count(*) AS rows FROM floe.import_policies('[{"name": "compact", "tablePattern": "demo.shop.orders", "rewriteDataFiles": {}, "rewriteDataFilesSchedule": {"interval": 1}},
	{"name": "retain", "tablePattern": "demo.*.*", "priority": 5, "expireSnapshots": {"retainLast": 9}, "expireSnapshotsSchedule": {"interval": 1}}]') \gset
SELECT is((SELECT array_agg(DISTINCT operation ORDER BY operation) FROM floe.effective_policy('demo.shop.orders') WHERE set_by LIKE 'policy %'), '{expire_snapshots,rewrite_data_files}', 'W3: a narrow policy for compaction does not hide a broad one for retention');
SELECT is((SELECT value FROM floe.effective_policy('demo.shop.orders') WHERE operation = 'expire_snapshots' AND setting = 'options.retain_last'), '9', 'W3: whose values hold');
SELECT is((SELECT array_agg(DISTINCT operation ORDER BY operation) FROM floe.effective_policy('demo.shop.items') WHERE set_by LIKE 'policy %'), '{expire_snapshots}', 'W4: nor does it reach tables that are not its own');
SELECT matches((SELECT detail FROM floe.check_import('[{"name": "compact", "tablePattern": "demo.shop.orders", "rewriteManifests": {}}, {"name": "retain", "tablePattern": "demo.*.*", "priority": 5, "rewriteManifests": {}}]')
	WHERE policy = 'retain' AND field = 'tablePattern' AND value IS NULL), 'Here its priority puts it before the more specific "compact"', 'W2: priority counts, and the report says where that turns the order around');
SELECT floe.drop_policy('compact') AS gone, floe.drop_policy('retain') AS gone_too \gset
SELECT is(pg_temp.made('{"rewriteDataFiles": {}, "rewriteDataFilesSchedule": {"interval": 1}, "rewriteManifests": {}, "rewriteManifestsSchedule": {"interval": 1, "enabled": false}}') #> '{rewrite_manifests,enabled}', 'false', 'W5: an operation whose schedule is off does not run along with others');
SELECT is(pg_temp.made('{"orphanCleanup": {}, "expireSnapshots": {}}') #> '{remove_orphan_files,enabled}', 'false', 'W5: what deletes and has no schedule does not begin to');
SELECT is(pg_temp.made('{"rewriteDataFiles": {}}') #> '{rewrite_data_files,enabled}', NULL, 'W5: what rewrites and has no schedule runs when the table needs it');

-- W7, W10, W11: conditions and thresholds
SELECT is(pg_temp.made('{"expireSnapshots": {}, "triggerConditions": {"snapshotCountAbove": 5}}') #> '{expire_snapshots,when}', '{"any": [{"op": ">=", "value": 5, "metric": "snapshot_count"}]}', 'W7: a condition below the threshold is the reason to run');
SELECT is(pg_temp.made('{"expireSnapshots": {}, "rewriteDataFiles": {}, "triggerConditions": {"snapshotCountAbove": 5}}') #> '{rewrite_data_files,when}', NULL, 'W11: a condition starts the operation whose metric it is, and no other');
SELECT is(pg_temp.made('{"expireSnapshots": {}, "rewriteDataFiles": {}, "triggerConditions": {"triggerLogic": "AND", "snapshotCountAbove": 5, "totalFileSizeAboveBytes": 7}}') #> '{rewrite_data_files,when,all,0,metric}', '"snapshot_count"', 'W11: but all of them are asked for where all of them must hold');
SELECT is(pg_temp.made('{"rewriteDataFiles": {}, "healthThresholds": {"deleteFileCountWarning": 7}}') -> 'thresholds', '{"position_delete_file_count": {"warning": 7}, "equality_delete_file_count": {"warning": 7}}', 'W10: many delete files call for rewrites');
SELECT is((SELECT array_agg(DISTINCT remedy ORDER BY remedy) FROM floe.metric WHERE name IN ('position_delete_file_count', 'equality_delete_file_count')), '{rewrite_data_files,rewrite_position_delete_files}', 'W10: which remove them');
SELECT is(pg_temp.made('{"rewriteDataFiles": {}, "triggerConditions": {"criticalPipeline": true, "criticalPipelineMaxDelayMinutes": 360, "minIntervalMinutes": 60}}') #>> '{rewrite_data_files,deadline}', '06:00:00', 'W7: a deadline is one');

-- W17, W18: times
SELECT is(pg_temp.made('{"rewriteDataFiles": {}, "rewriteDataFilesSchedule": {"cronExpression": "0 0 2 * * ?"}}', '{"timezone": "Europe/Amsterdam"}') #>> '{rewrite_data_files,timezone}', 'Europe/Amsterdam', 'W17: schedules have a time zone');
SELECT matches(pg_temp.said('{"rewriteDataFiles": {}, "rewriteDataFilesSchedule": {"cronExpression": "0 0 2 * * ?"}}', 'rewriteDataFilesSchedule'), 'approximated: Times are of UTC', 'W17: and where nobody said which, the report does');
SELECT is(pg_temp.made('{"rewriteDataFiles": {}, "rewriteDataFilesSchedule": {"timeout": 4}}') #>> '{rewrite_data_files,timeout}', '04:00:00', 'W18: a timeout of its own is kept');
SELECT matches(pg_temp.said('{"rewriteDataFiles": {}, "rewriteDataFilesSchedule": {"priority": 4}}', 'rewriteDataFilesSchedule.priority'), '^without meaning: ', 'W18: a priority of schedules there is not, and the report says so');

-- W20, W21: filters and namespaces
SELECT is(pg_temp.made('{"rewriteDataFiles": {"filter": "{\"type\": \"gt-eq\", \"term\": \"day\", \"value\": \"2024-01-01\"}"}}', '{"engine": "trino"}') #>> '{rewrite_data_files,options,where}', '"day" >= ''2024-01-01''', 'W20: a filter is one for every engine');
SELECT is(pg_temp.made('{"tablePattern": "demo.a.b.t"}') ->> 'pattern', 'demo.a.b.t', 'W21: a namespace has as many levels as it has');
SELECT is(floe_internal.match_pattern((floe_internal.java_pattern('demo.prod_*.*', '{}')).pattern, '{demo,prod_1,deep,t}') IS NOT NULL, true, 'W21: and what ran across dots still does');
SELECT is(floe_internal.match_pattern((floe_internal.java_pattern('demo.prod_*.*', '{}')).pattern, '{demo,prod_1,t}') IS NOT NULL, true, 'W21: as well as where there are none');
SELECT is(floe_internal.match_pattern((floe_internal.java_pattern('demo.prod_*.*', '{}')).pattern, '{demo,dev,prod_1,t}') IS NULL, true, 'W21: and nowhere else');

-- W24: what is wrong is refused when it is saved
SELECT throws_like(format('SELECT pg_temp.made(%L)', d), wanted, 'W24: ' || d) FROM (VALUES
	('{"rewriteDataFiles": {"strategy": "FAST"}}', '%rewriteDataFiles.strategy%'), ('{"rewriteDataFiles": {"rewriteJobOrder": "RANDOM"}}', '%refused%'), ('{"rewriteDataFiles": {"maxConcurrentFileGroupRewrites": 0}}', '%refused%'),
	('{"rewriteDataFiles": {"filter": "a = (SELECT 1)"}}', '%refused%'), ('{"expireSnapshots": {"retainLast": 0}}', '%refused%'), ('{"expireSnapshots": {"retainLast": -1}}', '%refused%'), ('{"expireSnapshots": {"maxSnapshotAge": "a week"}}', '%expireSnapshots.maxSnapshotAge%'),
	('{"orphanCleanup": {"retentionPeriodInDays": 0}}', '%refused%'), ('{"orphanCleanup": {"prefixMismatchMode": "DELETE"}}', '%orphanCleanup.prefixMismatchMode%'), ('{"orphanCleanup": {"location": "s3://elsewhere"}}', '%orphanCleanup.location%'),
	('{"rewriteDataFiles": {}, "rewriteDataFilesSchedule": {"cronExpression": "0 0 2 L * ?"}}', '%rewriteDataFilesSchedule.cronExpression%'), ('{"healthThresholds": {"fileCountWarning": 10, "fileCountCritical": 5}}', '%refused%')) AS v (d, wanted);
SELECT is((SELECT count(*) FROM floe.policy), 0::bigint, 'W24: and nothing of it is there');

-- W25: what its documentation says and its API refuses, and what the API cannot do
SELECT is(pg_temp.made('{"rewriteDataFiles": {}, "rewriteDataFilesSchedule": {"cronExpression": "0 2 * * *"}}') #>> '{rewrite_data_files,schedule}', '0 2 * * *', 'W25: a cron expression of five fields');
SELECT is(pg_temp.made('{"rewriteDataFiles": {}, "rewriteDataFilesSchedule": {"interval": "PT6H"}}') #>> '{rewrite_data_files,every}', '06:00:00', 'W25: an interval that is not of days');
SELECT is(pg_temp.made('{"rewriteDataFiles": {"filter": "day >= ''2024-01-01''"}}') #>> '{rewrite_data_files,options,where}', 'day >= ''2024-01-01''', 'W25: a filter in SQL');
SELECT is(pg_temp.made('{"enabled": false}') -> 'enabled', 'false', 'W25: a policy that is made switched off');
SELECT floe.import_policy('{"name": "p", "tablePattern": "demo.*.*", "expireSnapshots": {"retainLast": 9}, "triggerConditions": {"snapshotCountAbove": 5}}') AS first, floe.import_policy('{"name": "p", "tablePattern": "demo.*.*", "expireSnapshots": {"retainLast": 9}}') AS second \gset
SELECT is(floe.export_policy('p') #> '{expire_snapshots,when}', NULL, 'W25: what a document says no more is set no more');
SELECT floe.drop_policy('p') AS gone \gset
SELECT matches(pg_temp.said('{"rewriteDataFiles": {"enabled": true, "schedule": "P1D"}}', 'rewriteDataFiles'), '^refused: .*maintenance_policies', 'W25: an answer of the API, which does not say what a policy does, is not taken for one that says so');

-- W35, W36, W38: accepted and dropped
SELECT is((pg_temp.made('{"orphanCleanup": {"equalSchemes": {"s3a": "s3"}, "equalAuthorities": {"a": "b"}}}') #> '{remove_orphan_files,options}') - 'older_than'::text, '{"equal_schemes": {"s3a": "s3"}, "equal_authorities": {"a": "b"}}', 'W35: schemes and authorities count');
SELECT is(pg_temp.made('{"rewriteDataFiles": {"strategy": "SORT", "sortOrder": ["day DESC", "region"]}}') #> '{rewrite_data_files,options}', '{"strategy": "sort", "sort_order": "day DESC, region"}', 'W35: the sort order of a policy counts');
SELECT matches(pg_temp.said('{"expireSnapshots": {"expireSnapshotId": 5}}', 'expireSnapshots.expireSnapshotId'), '^without meaning: ', 'W35: a single snapshot is not for a policy, and the report says so');
SELECT matches(pg_temp.said('{"rewriteManifests": {"rewriteIf": {"content": "DATA"}}}', 'rewriteManifests.rewriteIf.content'), '^without meaning: ', 'W35: nor has the procedure a filter of manifests');
SELECT is(pg_temp.made('{"rewriteDataFiles": {}}') #> '{rewrite_data_files,options}', NULL, 'W36: no target file size overrides the table''s');
SELECT matches(pg_temp.said('{"rewriteDataFiles": {}}', 'rewriteDataFiles.targetFileSizeBytes'), '512 MiB', 'W36: and the report says that it was so');
SELECT is((SELECT array_agg(DISTINCT status) FROM floe.check_import('{"policies": [{"name": "y", "pattern": "demo.*.*", "expire-snapshots": {"retain-last": 9}, "expire-snapshots-schedule": {"interval-hours": 6}}]}')), '{translated}', 'W38: its YAML files are of use');

-- what is translated is said of every field, for every field there is
SELECT is_empty($$SELECT i.source, i.part, i.field FROM floe_internal.import_field AS i WHERE i.target IS NOT NULL AND i.status IS NULL$$, 'a field with a target has a status');
SELECT is_empty($$SELECT i.field FROM floe_internal.import_field AS i WHERE i.status IN ('without meaning', 'refused') AND i.detail IS NULL$$, 'what is not translated has a reason');
SELECT is_empty($$SELECT i.field, t.path FROM floe_internal.import_field AS i CROSS JOIN LATERAL unnest(i.target) AS t (path) WHERE t.path LIKE 'options.%' AND NOT EXISTS (SELECT FROM floe_internal.engine_options() AS o WHERE 'options.' || o.option = t.path)$$, 'every option is one');
SELECT is_empty($$SELECT i.field, t.path FROM floe_internal.import_field AS i CROSS JOIN LATERAL unnest(i.target) AS t (path) WHERE i.part IN ('healthThresholds', 'triggerConditions') AND NOT EXISTS (SELECT FROM floe.metric AS m WHERE m.name = split_part(t.path, '.', 2))$$, 'every metric is one');
SELECT is_empty($$SELECT p.property FROM floe_internal.import_property AS p WHERE (p.target IS NULL) <> (p.detail IS NOT NULL) OR (p.target IS NULL) <> (p.unit IS NULL)$$, 'a property becomes something or has a reason');
SELECT is_empty($$SELECT p.property FROM floe_internal.import_property AS p WHERE split_part(p.target, '.', 2) = 'options' AND NOT EXISTS (SELECT FROM floe_internal.engine_options() AS o WHERE o.operation = split_part(p.target, '.', 1) AND o.option = split_part(p.target, '.', 3))$$, 'into options that there are');
SELECT is_empty($$SELECT p.property FROM floe_internal.import_property AS p WHERE split_part(p.target, '.', 2) <> 'options' AND NOT EXISTS (SELECT FROM floe_internal.policy_key AS k WHERE k.scope = 'operation' AND k.key = split_part(p.target, '.', 2))$$, 'or keys that there are');
SELECT * FROM finish();
