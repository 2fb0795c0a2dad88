--
-- Policies of the Java service: what becomes of each field, in each of the forms in which they come.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.catalog('lake'), lab.engine();
CREATE FUNCTION lab.report(document jsonb, settings jsonb DEFAULT '{"engine": "spark"}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s | %s | %s | %s | %s', COALESCE(c.policy, '-'), COALESCE(c.field, '-'), COALESCE(left(c.value::text, 70), '-'), c.status, COALESCE(c.detail, '-')) FROM floe.check_import(document, settings) AS c
$$;
\pset format unaligned
\pset tuples_only on

-- ---- all fields, as the API takes them (W24, W25, W35, W36) ----

CREATE TABLE lab.doc (name text PRIMARY KEY, document jsonb);
INSERT INTO lab.doc VALUES ('all', '{
	"name": "everything", "description": "all fields", "tablePattern": "demo.shop.*", "priority": 100, "tags": {"env": "production", "team": "data"},
	"rewriteDataFiles": {"strategy": "BINPACK", "sortOrder": ["day", "region"], "zOrderColumns": ["user_id"], "targetFileSizeBytes": 134217728, "maxFileGroupSizeBytes": 107374182400,
		"maxConcurrentFileGroupRewrites": 5, "partialProgressEnabled": true, "partialProgressMaxCommits": 10, "partialProgressMaxFailedCommits": 3, "filter": "day >= ''2024-01-01''",
		"rewriteJobOrder": "BYTES_DESC", "useStartingSequenceNumber": true, "removeDanglingDeletes": false, "outputSpecId": 0},
	"rewriteDataFilesSchedule": {"cronExpression": "0 2 * * *", "interval": 1, "windowStart": "02:00", "windowEnd": "06:00", "allowedDays": "MONDAY,WEDNESDAY, friday", "timeout": 4, "priority": 10, "enabled": true},
	"expireSnapshots": {"retainLast": 5, "maxSnapshotAge": "P7D", "cleanExpiredMetadata": true, "expireSnapshotId": 1234567890},
	"expireSnapshotsSchedule": {"cronExpression": "0 3 * * *", "enabled": true},
	"orphanCleanup": {"retentionPeriodInDays": 3, "prefixMismatchMode": "IGNORE", "equalSchemes": {"s3a": "s3", "s3n": "s3"}, "equalAuthorities": {"bucket.s3.amazonaws.com": "bucket"}},
	"orphanCleanupSchedule": {"cronExpression": "0 0 4 ? * SUN", "enabled": true},
	"rewriteManifests": {"specId": 0, "stagingLocation": "s3://bucket/staging", "sortBy": ["day"],
		"rewriteIf": {"path": "/m.avro", "length": 1, "specId": 0, "content": "DATA", "sequenceNumber": 100, "minSequenceNumber": 50, "snapshotId": 9876543210, "addedFilesCount": 10, "existingFilesCount": 100,
			"deletedFilesCount": 5, "addedRowsCount": 1, "existingRowsCount": 5, "deletedRowsCount": 5, "firstRowId": 0, "keyMetadata": "0a1b", "partitionSummaries": [{"containsNull": false}]}},
	"rewriteManifestsSchedule": {"cronExpression": "0 5 * * *", "enabled": true},
	"healthThresholds": {"smallFileSizeBytes": 104857600, "smallFilePercentWarning": 20.0, "smallFilePercentCritical": 50.0, "largeFileSizeBytes": 1073741824, "largeFilePercentWarning": 20, "largeFilePercentCritical": 50,
		"fileCountWarning": 10000, "fileCountCritical": 50000, "snapshotCountWarning": 100, "snapshotCountCritical": 500, "snapshotAgeWarningDays": 7, "snapshotAgeCriticalDays": 30, "deleteFileCountWarning": 100,
		"deleteFileCountCritical": 500, "deleteFileRatioWarning": 0.1, "deleteFileRatioCritical": 0.25, "manifestCountWarning": 100, "manifestCountCritical": 500, "manifestSizeWarningBytes": 104857600,
		"manifestSizeCriticalBytes": 524288000, "partitionCountWarning": 5000, "partitionCountCritical": 10000, "partitionSkewWarning": 3.0, "partitionSkewCritical": 10.0, "staleMetadataWarningDays": 7, "staleMetadataCriticalDays": 30},
	"triggerConditions": {"smallFilePercentageAbove": 20.0, "smallFileCountAbove": 100, "totalFileSizeAboveBytes": 1099511627776, "deleteFileCountAbove": 50, "deleteFileRatioAbove": 0.1, "snapshotCountAbove": 50,
		"snapshotAgeAboveDays": 7, "partitionCountAbove": 1000, "partitionSkewAbove": 3.5, "manifestSizeAboveBytes": 104857600, "minIntervalMinutes": 60,
		"perOperationMinIntervalMinutes": {"rewrite_data_files": 30, "ORPHAN_CLEANUP": 1440, "VACUUM": 5}, "criticalPipeline": true, "criticalPipelineMaxDelayMinutes": 1440, "triggerLogic": "OR"}}');
SELECT lab.report(document) FROM lab.doc WHERE name = 'all';
-- no field is without a row
SELECT f.key FROM lab.doc AS d CROSS JOIN LATERAL floe_internal.flat_object(d.document) AS f
	WHERE d.name = 'all' AND NOT EXISTS (SELECT FROM floe.check_import(d.document) AS c WHERE f.key = c.field OR starts_with(f.key, c.field || '.'));
-- a dry run saves nothing
SELECT count(*) FROM floe.policy;
SELECT count(*), string_agg(DISTINCT status, ', ' ORDER BY status) FROM lab.doc AS d CROSS JOIN LATERAL floe.import_policies(d.document, '{"engine": "spark", "timezone": "Europe/Amsterdam"}') AS i WHERE d.name = 'all';
SELECT jsonb_pretty(floe.export_policy('everything') - 'thresholds');
SELECT floe.export_policy('everything') -> 'thresholds';
-- once more it makes no version
SELECT count(*) FROM floe.policy_history;
SELECT count(*) > 0 FROM lab.doc AS d CROSS JOIN LATERAL floe.import_policies(d.document, '{"engine": "spark", "timezone": "Europe/Amsterdam"}') AS i WHERE d.name = 'all';
SELECT count(*) FROM floe.policy_history;
SELECT floe.drop_policy('everything');

-- ---- as the store of the service has it: durations in seconds, times as lists ----

INSERT INTO lab.doc VALUES ('stored', '[{"id": "5c7f1a9e-8d53-4c3c-9f51-4c9f2a9c1e11", "name": "stored", "description": null, "enabled": false, "table_pattern": "demo.*.*", "priority": 5,
	"rewrite_data_files_config": {"strategy": "ZORDER", "zOrderColumns": ["a", "b c"], "sortOrder": null, "targetFileSizeBytes": null, "filter": "{\"type\": \"and\", \"left\": {\"type\": \"gt-eq\", \"term\": \"day\", \"value\": \"2024-01-01\"}, \"right\": {\"type\": \"in\", \"term\": \"r\", \"values\": [1, 2]}}"},
	"rewrite_data_files_schedule": {"intervalInDays": 21600.000000000, "cronExpression": null, "windowStart": [22, 0], "windowEnd": [6, 30, 15], "allowedDays": ["MONDAY", "SUNDAY"], "timeoutInHours": 7200.000000000, "priority": null, "enabled": true},
	"expire_snapshots_config": {"retainLast": 5, "maxSnapshotAge": 604800.000000000, "cleanExpiredMetadata": false, "expireSnapshotId": null}, "expire_snapshots_schedule": null,
	"orphan_cleanup_config": {"retentionPeriodInDays": 259200.000000000, "location": null, "prefixMismatchMode": "ERROR", "equalSchemes": {}, "equalAuthorities": {}}, "orphan_cleanup_schedule": {"intervalInDays": 604800.000000000, "enabled": false},
	"rewrite_manifests_config": null, "rewrite_manifests_schedule": {"enabled": true}, "health_thresholds": null, "trigger_conditions": null, "tags": {}, "created_at": "2026-01-01T00:00:00+00:00", "updated_at": "2026-01-01T00:00:00+00:00"}]');
SELECT lab.report(document) FROM lab.doc WHERE name = 'stored';
SELECT count(*) > 0 FROM floe.import_policies('[{"name": "stored", "table_pattern": "demo.*.*", "expire_snapshots_config": {"retainLast": 5, "maxSnapshotAge": 604800.000000000}, "expire_snapshots_schedule": {"intervalInDays": 21600.0, "enabled": true},
	"orphan_cleanup_config": {"retentionPeriodInDays": 259200.0}, "orphan_cleanup_schedule": {"intervalInDays": 604800.0, "timeoutInHours": 7200.0, "enabled": false}}]');
SELECT floe.export_policy('stored');

-- ---- as its YAML files have it ----

INSERT INTO lab.doc VALUES ('yaml', '{"policies": [{"name": "from-file", "pattern": "sales.*", "rewrite-data-files": {"strategy": "sort", "sort-order": ["day DESC"], "target-file-size-bytes": 268435456},
	"rewrite-data-files-schedule": {"interval-days": 1, "interval-hours": 6, "interval-minutes": 30, "window-start": "09:00", "window-end": "17:00", "timeout-hours": 2}, "expire-snapshots": {"max-snapshot-age-days": 14},
	"expire-snapshots-schedule": {"cron-expression": "0 0 2 * * ?"}, "orphan-cleanup": {"retention-period-days": 7}, "orphan-cleanup-schedule": {"interval-days": 7}, "created-at": "2026-01-01T00:00:00Z"}]}');
SELECT lab.report(document) FROM lab.doc WHERE name = 'yaml';
INSERT INTO lab.doc VALUES ('elsewhere', '{"name": "elsewhere", "tablePattern": "demo.*.*", "orphanCleanup": {"location": "s3://bucket/other", "prefixMismatchMode": "DELETE"}}');
SELECT lab.report(document) FROM lab.doc WHERE name = 'elsewhere';
-- the documents had every field that floe knows of
SELECT i.part, i.field FROM floe_internal.import_field AS i WHERE i.source = 'java' AND NOT EXISTS (SELECT FROM lab.doc AS d CROSS JOIN LATERAL floe.check_import(d.document) AS c
	WHERE c.value IS NOT NULL AND c.field ~ (CASE i.part WHEN 'policy' THEN '^' WHEN 'schedule' THEN 'Schedule[.]' ELSE i.part || '[.]' END || i.field || '([.]|$)')) ORDER BY i.part, i.field;

-- ---- what the API answers with does not say what a policy does (W25) ----

SELECT lab.report('{"policies": [{"id": "1", "name": "answer", "tablePattern": "demo.*.*", "enabled": true, "priority": 0, "tags": {}, "rewriteDataFiles": {"enabled": true, "schedule": "P1D"}, "expireSnapshots": null}], "total": 1, "limit": 20, "offset": 0, "hasMore": true}');

-- ---- patterns (W21): split at the first two dots there ----

SELECT format('%s -> %s | %s | %s', p, j.pattern, j.status, j.detail) FROM unnest(ARRAY['*', 'demo.*.*', 'demo.shop.*', 'demo.shop.orders', '*.shop.*', '*.*.orders', 'orders', 'shop.orders', 'demo.*.orders', 'demo.prod_*.*', 'demo.*_prod.t', 'demo.*x*.t', 'demo.a*b.t', 'demo.a?b.t',
	'demo.a.b.t', 'demo.shop./ord_\d+/', '/demo|lake/.shop.*', 'demo./s\w+p/.*', 'lake.shop.tbl_?', 'de mo.sh,op.t*x y', '*.sh o*p.t', 'nowhere.a.b', 'demo.shop.**', 'old.shop.*']) AS p CROSS JOIN LATERAL floe_internal.java_pattern(p, '{"old": "lake"}') AS j;
SELECT p || E'\n  ' || lab.says(format($$SELECT floe_internal.java_pattern(%L, '{}')$$, p)) FROM unnest(ARRAY['/catalog\.prod_\d+\..*/', 'demo./s.*p/.*', 'demo..t', 'demo.shop.', '/(?<=a)b/', 'demo.x./a\bc/', 'demo.x./a*+/', 'demo.x./(/', 'demo.x./[a&&b]/', 'demo.x.//', 'demo./x', repeat('x', 1001)]) AS p;

-- ---- cron (W25: five fields, as its documentation has them) ----

SELECT format('%s -> %s | %s | %s', c, j.cron, j.status, j.detail) FROM unnest(ARRAY['0 2 * * *', '*/15 * * * *', '0 2 * * SUN', '0 2 ? * 1', '0 0 2 * * ?', '0 0 */6 * * ?', '0 0 4 ? * SUN', '0 0 4 ? * 1', '0 0 4 ? * 2-6', '0 0 4 ? * MON-FRI', '0 0 4 ? * 1,7', '0 0/5 14,18 * * ?', '0 10 8-18/2 1/2 JAN,jul ? *', '0 0 12 1/5 * ?', '0 0 4 ? * 2/2',
	'30 0 2 * * ?', '0/10 0 2 * * ?', '* * * * * ?', '0 0 2 L * ?', '0 0 2 LW * ?', '0 0 2 15W * ?', '0 0 2 ? * 6L', '0 0 2 ? * 6#3', '0 0 2 ? * WED', '0 0 2 ? JUL WED', '0 0 2 * * ? 2027', '0 0 2 * * ? *', '0 0 2 30 2 ?', '0 99 2 * * ?', '0 0 2', '', 'x', '0 0 2 * * ? * *', '0 0 2 C * ?', '0 0 4 ? * 8', '0 0 2 ? * FRI-MON']) AS c
	CROSS JOIN LATERAL floe_internal.java_cron(c) AS j;

-- ---- filters: Iceberg's JSON, which is what its Spark job takes ----

SELECT format('%s -> %s', left(e, 90), COALESCE(floe_internal.iceberg_where(e::jsonb), 'refused')) FROM unnest(ARRAY['true', '{"type": "eq", "term": "a", "value": 1}', '{"type": "not-eq", "term": "a.b", "value": "it''s"}', '{"type": "not", "child": {"type": "is-null", "term": "a"}}',
	'{"type": "or", "left": {"type": "lt", "term": "a", "value": 1.5}, "right": {"type": "not-null", "term": {"type": "reference", "term": "b"}}}', '{"type": "starts-with", "term": "a", "value": "x"}', '{"type": "starts-with", "term": "a", "value": "x%"}', '{"type": "not-in", "term": "a\"", "values": [true]}',
	'{"type": "is-nan", "term": "a"}', '{"type": "eq", "term": {"type": "transform", "transform": "bucket[4]", "term": "a"}, "value": 1}', '{"type": "eq", "term": "a", "value": null}', '{"type": "eq", "term": "a", "value": [1]}', '{"type": "eq"}', '{}', '[]', '1', '{"type": "in", "term": "a", "values": []}', '{"type": "and", "left": true}']) AS e;

-- ---- one wins the table there, field by field here (W2, W3) ----

SELECT lab.report('[{"name": "narrow", "tablePattern": "demo.shop.orders", "rewriteManifests": {}}, {"name": "broad", "tablePattern": "demo.*.*", "priority": 9, "rewriteManifests": {}}, {"name": "elsewhere", "tablePattern": "lake.x?.*", "rewriteManifests": {}}, {"name": "off", "tablePattern": "*", "enabled": false, "rewriteManifests": {}}]');

-- ---- the service's own settings ----

SELECT lab.report('{"floe.scheduler.max-bytes-per-hour": "1099511627776", "floe.scheduler.max-tables-per-poll": 10, "floe.scheduler.max-operations-per-poll": 0, "floe.scheduler.zero-change-threshold": 5, "floe.catalog.polaris.client-secret": "hunter2", "%dev.floe.livy.url": "http://x", "quarkus.http.port": 9091}');
SELECT lab.report('{"catalog": {"type": "REST", "s3": {"endpoint": "x"}}, "scheduler": {"enabled": true, "distributedLock": false}}');
SELECT lab.report('{"floe.scheduler.max-bytes-per-hour": -1}');
SELECT count(*) > 0 FROM floe.import_policies('{"floe": {"scheduler": {"max-bytes-per-hour": 1000, "max-tables-per-poll": 5, "max-operations-per-poll": 7}}}');
SELECT name, pattern, period, operations, tables, bytes FROM floe.budget ORDER BY name;
SELECT field, value, status FROM floe.check_import((SELECT jsonb_object_agg('floe.' || i.field, 1) FROM floe_internal.import_field AS i WHERE i.source = 'properties')) WHERE status = 'refused' OR detail IS NULL;

-- ---- Gravitino ----

SELECT lab.report('{"code": 0, "policy": {"name": "iceberg_compaction_default", "comment": "Built-in", "policyType": "system_iceberg_compaction", "enabled": true, "content": {"minDataFileMse": 405323966463344, "minDeleteFileNumber": 10, "dataFileMseWeight": 1, "deleteFileNumberWeight": 100, "maxPartitionNum": 50,
	"rewriteOptions": {"target-file-size-bytes": "134217728", "min-input-files": "5", "delete-file-threshold": "1", "nonsense": "1"}}, "inherited": false, "audit": {"creator": "x"}},
	"metadataObjects": [{"type": "catalog", "fullName": "demo"}, {"type": "SCHEMA", "fullName": "old.shop"}, {"type": "table", "fullName": "demo.a.b"}, {"type": "topic", "fullName": "k.x.y"}]}', '{"catalogs": {"old": "lake"}, "engine": "spark"}');
SELECT floe.import_policy('{"name": "g", "policyType": "system_iceberg_compaction", "content": {}, "pattern": "demo.**", "priority": 4}') > 0;
SELECT floe.export_policy('g');
SELECT lab.report('{"code": 0, "policies": [{"name": "retention_30d", "policyType": "custom", "enabled": true, "content": {"customRules": {"retentionDays": 30}, "supportedObjectTypes": ["CATALOG"], "properties": {"owner": "platform"}}},
	{"name": "mine", "policyType": "custom", "enabled": false, "content": {"customRules": {"trigger-expr": "custom-data-file-mse >= 1", "score-expr": "1", "max-partition-num": 50, "minDeleteFileNumber": 3, "job.options.min-input-files": "3", "other": 1}, "properties": {"strategy.type": "iceberg-data-compaction"}}, "pattern": "demo.m.*"},
	{"name": "unknown", "policyType": "system_x", "content": {}}, {"name": "nowhere", "policyType": "system_iceberg_compaction", "content": {"minDeleteFileNumber": "x"}}]}');
SELECT lab.says($$SELECT floe.import_policy('{"name": "r", "policyType": "custom", "content": {"customRules": {"retentionDays": 30}}, "pattern": "demo.**"}')$$);
SELECT lab.says($$SELECT floe.import_policies('["a", "b"]')$$);

-- ---- Polaris and floe's own in a list ----

SELECT lab.report('[{"name": "keep a week", "policy-type": "system.snapshot-expiry", "content": "{\"enable\": true, \"config\": {\"max_snapshot_age_days\": 7, \"max_ref_age_days\": 3}}"}, {"name": "own", "pattern": "demo.**", "rewrite_manifests": {"every": "1 day"}}]', '{"pattern": "lake.**"}');

-- ---- table properties ----

SELECT lab.list_tables('demo', 'demo.a.t1', 'demo.a.t2', 'demo.b.t1', 'demo.b.t2', 'demo.c.t'), lab.list_tables('lake', 'lake.x.y');
UPDATE floe_internal.iceberg_table SET properties = '{"write.target-file-size-bytes": "134217728", "history.expire.max-snapshot-age-ms": "259200000", "history.expire.max-ref-age-ms": "1", "owner": "me"}' WHERE name IN ('demo.a.t1', 'demo.a.t2', 'demo.b.t1');
UPDATE floe_internal.iceberg_table SET properties = '{"gc.enabled": "false", "write.target-file-size-bytes": "lots"}' WHERE name = 'demo.b.t2';
UPDATE floe_internal.iceberg_table SET properties = (SELECT jsonb_object_agg(p.property, CASE p.unit WHEN 'boolean' THEN 'true' WHEN 'bytes' THEN '268435456' WHEN 'milliseconds' THEN '86400000' WHEN 'duration' THEN '720min' WHEN 'predicate' THEN 'day > ''2024-01-01''' WHEN 'minutes' THEN '2880' ELSE '12' END) FROM floe_internal.import_property AS p) WHERE name = 'lake.x.y';
SELECT policy, document - 'name', tables FROM floe.import_table_properties('**');
SELECT left_out FROM floe.import_table_properties('demo.**');
SELECT count(*) FROM floe.policy WHERE name LIKE 'properties%';
SELECT policy FROM floe.import_table_properties('**', '{"engine": "spark"}', true) WHERE policy IS NOT NULL;
SELECT floe.export_policy(policy) - 'name' - 'owner' FROM floe.import_table_properties('lake.**', '{"engine": "spark"}');
SELECT operation, setting, value FROM floe.effective_policy('demo.b.t1') WHERE set_by LIKE '%properties of%' AND setting LIKE 'options.%' ORDER BY 1, 2;
SELECT v.unit, v.given, floe_internal.property_value(v.given, v.unit, v.target) FROM (VALUES ('bytes', '0', ''), ('bytes', '1e3', ''), ('bytes', '-1', ''), ('bytes', '99999999999999999999', ''), ('count', '2147483648', ''), ('boolean', 'TRUE', ''), ('boolean', '1', ''), ('milliseconds', '-1', ''), ('milliseconds', '90000', ''),
	('milliseconds', '99999999999999999', ''), ('duration', '7d', ''), ('duration', '90 min', ''), ('duration', '5y', ''), ('minutes', '60', 'remove_orphan_files.options.older_than'), ('minutes', '1440', 'remove_orphan_files.options.older_than'), ('predicate', ' ', ''), ('file count', 'x', ''), ('file count', '3', ''), ('attempts', '5', '')) AS v (unit, given, target);
