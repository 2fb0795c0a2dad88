--
-- Recommendations: for each rule the case to which it applies and those next to it to which it does not; statements, dismissals.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '
SELECT name, is_enabled, threshold, unit FROM floe.recommendation_rule ORDER BY position;
SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}}') AS policy;
SELECT lab.assess('demo.db.t', files => 1000, file_bytes => 536870912);
-- Health, properties and details as given, over those of a table that is well.
CREATE FUNCTION lab.well(metrics jsonb DEFAULT '{}', properties jsonb DEFAULT '{}', more_details jsonb DEFAULT '{}', version int DEFAULT 2) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lab.measure('demo.db.t', '{"stat_column_count": 20, "manifest_bytes": 1000000, "metadata_log_count": 10, "partition_count": 1, "excess_manifest_count": 0}' || metrics);
	UPDATE floe_internal.iceberg_table SET properties = well.properties, details = details || more_details, format_version = version WHERE name = 'demo.db.t';
END $$;
-- Commits, oldest first: operation, files in and out, bytes in and out; NULL: the summary does not say.
CREATE FUNCTION lab.commits(operations text[], files_in bigint[], files_out bigint[], bytes_in bigint[], bytes_out bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	result bytea := '\x01'::bytea || lab.number(cardinality(operations));
BEGIN
	FOR i IN 1 .. cardinality(operations) LOOP
		result := result || set_byte('\x00', 0, array_position(ARRAY['append', 'replace', 'overwrite', 'delete'], operations[i]) + CASE WHEN i > 1 THEN 24 ELSE 0 END)
			|| set_byte('\x00', 0, (files_in[i] IS NOT NULL)::int + (files_out[i] IS NOT NULL)::int * 2 + (bytes_in[i] IS NOT NULL)::int * 16 + (bytes_out[i] IS NOT NULL)::int * 32)
			|| int8send(i::bigint) || lab.zigzag(CASE WHEN i = 1 THEN (extract(epoch FROM floe_internal.clock() - interval '1 day') * 1000)::bigint ELSE 1000 END) || lab.zigzag(1)
			|| COALESCE(lab.number(files_in[i]), '') || COALESCE(lab.number(files_out[i]), '') || COALESCE(lab.number(bytes_in[i]), '') || COALESCE(lab.number(bytes_out[i]), '');
	END LOOP;
	UPDATE floe_internal.iceberg_table SET snapshots = result WHERE name = 'demo.db.t';
END $$;
-- A rewrite in the log that wrote so many files of so many bytes together.
CREATE FUNCTION lab.rewrote(files bigint, bytes bigint) RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, finished_at, new_snapshots)
	VALUES (lab.id('demo.db.t'), 'demo.db.t', 'rewrite_data_files', 'succeeded', false, 'floe', 'spark', '{}', '', '{}', '[]', floe_internal.clock(), floe_internal.clock(), jsonb_build_array(jsonb_build_object('operation', 'replace', 'added_data_files', files, 'added_bytes', bytes)))
$$;
CREATE TABLE lab.case (n int GENERATED ALWAYS AS IDENTITY, rule text, told text, applies bool, setup text);
INSERT INTO lab.case (rule, told, applies, setup) VALUES
	('', 'a table that is well', false, $$SELECT lab.well()$$),
	('stat_columns', 'many columns, large entries', true, $$SELECT lab.well('{"stat_column_count": 80, "manifest_bytes": 5000000}')$$),
	('stat_columns', 'at the threshold', true, $$SELECT lab.well('{"stat_column_count": 50, "manifest_bytes": 2048000}')$$),
	('stat_columns', 'fewer columns', false, $$SELECT lab.well('{"stat_column_count": 49.9, "manifest_bytes": 5000000}')$$),
	('stat_columns', 'small entries', false, $$SELECT lab.well('{"stat_column_count": 80, "manifest_bytes": 2047000}')$$),
	('stat_columns', 'somebody has seen to it', false, $$SELECT lab.well('{"stat_column_count": 80, "manifest_bytes": 5000000}', '{"write.metadata.metrics.default": "full"}')$$),
	('stat_columns', 'not known', false, $$SELECT lab.well('{"stat_column_count": null, "manifest_bytes": 5000000}')$$),
	('stat_columns', 'no files', false, $$SELECT lab.well('{"stat_column_count": 80, "data_file_count": 0, "manifest_bytes": 5000000}')$$),
	('stat_columns', 'another threshold', false, $$SELECT lab.well('{"stat_column_count": 80, "manifest_bytes": 5000000}'); UPDATE floe.recommendation_rule SET threshold = 90 WHERE name = 'stat_columns'$$),
	('stat_columns', 'switched off', false, $$SELECT lab.well('{"stat_column_count": 80, "manifest_bytes": 5000000}'); UPDATE floe.recommendation_rule SET is_enabled = false WHERE name = 'stat_columns'$$),
	('stat_columns', 'not all manifests were read', false, $$SELECT lab.well('{"stat_column_count": 80, "manifest_bytes": 5000000, "is_complete": false}')$$),
	('partition_bytes', 'partitions of 100 MB', true, $$SELECT lab.well('{"partition_count": 20, "data_bytes": 2097152000}')$$),
	('partition_bytes', 'of 128 MB, a quarter', false, $$SELECT lab.well('{"partition_count": 20, "data_bytes": 2684354560}')$$),
	('partition_bytes', 'a small table', false, $$SELECT lab.well('{"partition_count": 10, "data_bytes": 1000000000}')$$),
	('partition_bytes', 'not partitioned', false, $$SELECT lab.well('{"partition_count": 1, "data_bytes": 2097152000}')$$),
	('partition_bytes', 'set', false, $$SELECT lab.well('{"partition_count": 20, "data_bytes": 2097152000}', '{"write.target-file-size-bytes": "536870912"}')$$),
	('rewritten_file_size', '200 MB of 512', true, $$SELECT lab.well('{"partition_count": 1, "data_bytes": 99999999999}'), lab.rewrote(10, 2097152000)$$),
	('rewritten_file_size', '60 %', false, $$SELECT lab.well('{"partition_count": 1, "data_bytes": 99999999999}'), lab.rewrote(10, 3221225480)$$),
	('rewritten_file_size', 'three files prove nothing', false, $$SELECT lab.well('{"partition_count": 1, "data_bytes": 99999999999}'), lab.rewrote(3, 300)$$),
	('rewritten_file_size', 'the partitions hold no more', false, $$SELECT lab.well('{"partition_count": 100, "data_bytes": 99999999999}'), lab.rewrote(10, 2097152000)$$),
	('rewritten_file_size', 'set', false, $$SELECT lab.well('{"partition_count": 1, "data_bytes": 99999999999}', '{"write.target-file-size-bytes": "536870912"}'), lab.rewrote(10, 2097152000)$$),
	('metadata_retention', 'fifty', true, $$SELECT lab.well('{"metadata_log_count": 50}')$$),
	('metadata_retention', 'with a number of its own', true, $$SELECT lab.well('{"metadata_log_count": 70}', '{"write.metadata.previous-versions-max": "70"}')$$),
	('metadata_retention', 'forty-nine', false, $$SELECT lab.well('{"metadata_log_count": 49}')$$),
	('metadata_retention', 'on', false, $$SELECT lab.well('{"metadata_log_count": 100}', '{"write.metadata.delete-after-commit.enabled": "true"}')$$),
	('metadata_retention', 'off, as somebody wants', false, $$SELECT lab.well('{"metadata_log_count": 100}', '{"write.metadata.delete-after-commit.enabled": "false"}')$$),
	('write_distribution', 'ten small files a commit', true, $$SELECT lab.well('{}', '{}', '{"is_partitioned": true}'), lab.commits('{append,append,append}', '{10,10,10}', '{NULL,NULL,NULL}', '{1000,1000,1000}', '{NULL,NULL,NULL}')$$),
	('write_distribution', 'nine', false, $$SELECT lab.well('{}', '{}', '{"is_partitioned": true}'), lab.commits('{append,append,append}', '{10,10,9}', '{NULL,NULL,NULL}', '{1000,1000,1000}', '{NULL,NULL,NULL}')$$),
	('write_distribution', 'rewrites do not count', false, $$SELECT lab.well('{}', '{}', '{"is_partitioned": true}'), lab.commits('{append,append,replace}', '{10,10,90}', '{NULL,NULL,5}', '{1000,1000,1000}', '{NULL,NULL,5}')$$),
	('write_distribution', 'large files', false, $$SELECT lab.well('{}', '{}', '{"is_partitioned": true}'), lab.commits('{append,append,append}', '{10,10,10}', '{NULL,NULL,NULL}', '{1500000000,1500000000,1500000000}', '{NULL,NULL,NULL}')$$),
	('write_distribution', 'not partitioned', false, $$SELECT lab.well('{}', '{}', '{"is_partitioned": false}'), lab.commits('{append,append,append}', '{10,10,10}', '{NULL,NULL,NULL}', '{1000,1000,1000}', '{NULL,NULL,NULL}')$$),
	('write_distribution', 'summaries do not say', false, $$SELECT lab.well('{}', '{}', '{"is_partitioned": true}'), lab.commits('{append,append,append}', '{10,10,10}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}')$$),
	('write_distribution', 'set', false, $$SELECT lab.well('{}', '{"write.distribution-mode": "none"}', '{"is_partitioned": true}'), lab.commits('{append,append,append}', '{10,10,10}', '{NULL,NULL,NULL}', '{1000,1000,1000}', '{NULL,NULL,NULL}')$$),
	('delete_mode', 'the table copied for a few rows', true, $$SELECT lab.well('{"data_bytes": 3000}'), lab.commits('{overwrite,overwrite,overwrite}', '{1,1,1}', '{1,1,1}', '{990,990,990}', '{1000,1000,1000}')$$),
	('delete_mode', 'less than the table', false, $$SELECT lab.well('{"data_bytes": 3001}'), lab.commits('{overwrite,overwrite,overwrite}', '{1,1,1}', '{1,1,1}', '{990,990,990}', '{1000,1000,1000}')$$),
	('delete_mode', 'most of it was really replaced', false, $$SELECT lab.well('{"data_bytes": 3000}'), lab.commits('{overwrite,overwrite,overwrite}', '{1,1,1}', '{1,1,1}', '{990,990,790}', '{1000,1000,1000}')$$),
	('delete_mode', 'format version 1', false, $$SELECT lab.well('{"data_bytes": 3000}', version => 1), lab.commits('{overwrite,overwrite,overwrite}', '{1,1,1}', '{1,1,1}', '{990,990,990}', '{1000,1000,1000}')$$),
	('delete_mode', 'set', false, $$SELECT lab.well('{"data_bytes": 3000}', '{"write.merge.mode": "copy-on-write"}'), lab.commits('{overwrite,overwrite,overwrite}', '{1,1,1}', '{1,1,1}', '{990,990,990}', '{1000,1000,1000}')$$),
	('deletion_vectors', 'a hundred delete files', true, $$SELECT lab.well('{"position_delete_file_count": 100}', '{"write.delete.mode": "merge-on-read"}')$$),
	('deletion_vectors', 'ninety-nine', false, $$SELECT lab.well('{"position_delete_file_count": 99}', '{"write.delete.mode": "merge-on-read"}')$$),
	('deletion_vectors', 'it has them', false, $$SELECT lab.well('{"position_delete_file_count": 100}', '{"write.delete.mode": "merge-on-read"}', version => 3)$$),
	('deletion_vectors', 'nobody writes deletes any more', false, $$SELECT lab.well('{"position_delete_file_count": 100}')$$),
	('manifest_merge', 'fifty too many', true, $$SELECT lab.well('{"excess_manifest_count": 50, "manifest_count": 51}')$$),
	('manifest_merge', 'forty-nine', false, $$SELECT lab.well('{"excess_manifest_count": 49}')$$),
	('manifest_merge', 'somebody does not want it', false, $$SELECT lab.well('{"excess_manifest_count": 50}', '{"commit.manifest-merge.enabled": "false"}')$$),
	('manifest_merge', 'set', false, $$SELECT lab.well('{"excess_manifest_count": 50}', '{"commit.manifest.min-count-to-merge": "50"}')$$),
	('snapshot_retention', 'three days against five', true, $$SELECT lab.well('{}', '{"history.expire.max-snapshot-age-ms": "432000000"}'), floe.alter_policy('p', '{"expire_snapshots": {"options": {"max_snapshot_age": "3 days"}}}')$$),
	('snapshot_retention', 'they agree', false, $$SELECT lab.well('{}', '{"history.expire.max-snapshot-age-ms": "259200000"}'), floe.alter_policy('p', '{"expire_snapshots": {"options": {"max_snapshot_age": "3 days"}}}')$$),
	('snapshot_retention', 'the property only', false, $$SELECT lab.well('{}', '{"history.expire.max-snapshot-age-ms": "432000000"}')$$),
	('snapshot_retention', 'the policy only', false, $$SELECT lab.well(), floe.alter_policy('p', '{"expire_snapshots": {"options": {"max_snapshot_age": "3 days"}}}')$$),
	('gc_enabled', 'twenty snapshots wait', true, $$SELECT lab.well('{"snapshot_count": 40, "expirable_snapshot_count": 20}', '{"gc.enabled": "false"}')$$),
	('gc_enabled', 'in other letters', true, $$SELECT lab.well('{"snapshot_count": 40, "expirable_snapshot_count": 20}', '{"gc.enabled": "FALSE"}')$$),
	('gc_enabled', 'nineteen', false, $$SELECT lab.well('{"expirable_snapshot_count": 19}', '{"gc.enabled": "false"}')$$),
	('gc_enabled', 'no policy wants it', false, $$SELECT lab.well('{"snapshot_count": 40, "expirable_snapshot_count": 20}', '{"gc.enabled": "false"}'), floe.alter_policy('p', '{"expire_snapshots": null}')$$),
	('gc_enabled', 'Nessie''s', false, $$SELECT lab.well('{"snapshot_count": 40, "expirable_snapshot_count": 20}', '{"gc.enabled": "false"}', '{"gc_owner": "Nessie"}')$$),
	('gc_enabled', 'on', false, $$SELECT lab.well('{"snapshot_count": 40, "expirable_snapshot_count": 20}', '{"gc.enabled": "true"}')$$),
	('partition_spec', 'a thousand of 10 MB', true, $$SELECT lab.well('{"partition_count": 1000, "data_bytes": 10000000000}')$$),
	('partition_spec', 'ninety-nine', false, $$SELECT lab.well('{"partition_count": 99, "data_bytes": 1100000000}')$$),
	('partition_spec', 'a sixteenth of the target', false, $$SELECT lab.well('{"partition_count": 100, "data_bytes": 3355443200}', '{"write.target-file-size-bytes": "536870912"}')$$);
CREATE FUNCTION lab.recommended(setup text, OUT rules text, OUT properties text, OUT evidence text, OUT effect text) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE setup;
		SELECT string_agg(r.rule, ','), string_agg(r.properties::text, ';'), string_agg(r.evidence, ';'), string_agg(r.effect, ';') INTO rules, properties, evidence, effect FROM floe.recommendations('demo.db.t') AS r;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
END $$;
SELECT c.n, c.rule, c.told, r.properties, r.evidence, r.effect, r.rules IS NOT DISTINCT FROM CASE WHEN c.applies THEN c.rule END AS as_expected FROM lab.case AS c, LATERAL lab.recommended(c.setup) AS r
	ORDER BY c.n;
SELECT count(DISTINCT rule) FILTER (WHERE applies) = (SELECT count(*) FROM floe.recommendation_rule) AS each_applies, count(DISTINCT rule) FILTER (WHERE NOT applies AND rule <> '') = (SELECT count(*) FROM floe.recommendation_rule) AS and_does_not FROM lab.case;

-- ---- statements ----

SELECT lab.assess('demo."it''s `a` ""b"" \ c"."x.y"', files => 10), lab.assess('demo.db.UP', files => 10), lab.assess('demo."n s".t', files => 10);
UPDATE floe_internal.health SET metadata_log_count = 99;
UPDATE floe_internal.iceberg_table SET details = details || '{"columns": [{"id": 1, "name": "at", "type": "timestamp"}]}', specs = '[{"spec_id": 0, "is_default": false, "fields": []}, {"spec_id": 1, "is_default": true, "fields": [{"name": "at_hour", "transform": "hour", "source_id": 1}]}]';
SELECT table_name, spark_sql, trino_sql FROM floe.recommendations() WHERE rule = 'metadata_retention' ORDER BY table_name COLLATE "C";
SELECT floe_internal.spark_properties('{a}', '{"it''s": "a\\b"}'), floe_internal.trino_properties('"a"."b"', '{"it''s": "a\\b"}'), floe_internal.trino_properties('"a"."b"', '{"format-version": "3"}'), floe_internal.trino_properties(NULL, '{"a": "b"}') AS no_name;
SELECT lab.well('{"partition_count": 1000, "data_bytes": 10000000000}');
SELECT spark_sql, trino_sql FROM floe.recommendations('demo.db.t');
-- by the day already; by a bucket; by two fields; by a column with an odd name
SELECT v.told, c.* FROM (VALUES ('day', '[{"name": "at_day", "transform": "day", "source_id": 1}]'), ('bucket', '[{"name": "at_b", "transform": "bucket[4]", "source_id": 1}]'), ('two', '[{"name": "at_day", "transform": "day", "source_id": 1}, {"name": "b", "transform": "identity", "source_id": 1}]'),
	('month', '[{"name": "at_m", "transform": "month", "source_id": 1}]'), ('none', '[]')) AS v (told, fields),
	LATERAL floe_internal.coarser_spec(jsonb_build_array(jsonb_build_object('is_default', true, 'fields', v.fields::jsonb)), '{"columns": [{"id": 1, "name": "a`t"}]}') AS c;

-- ---- dismissals ----

UPDATE floe_internal.health SET metadata_log_count = 99;
CREATE FUNCTION lab.left_of(rule text) RETURNS text LANGUAGE sql AS $$ SELECT COALESCE(string_agg(r.table_name, ', ' ORDER BY r.table_name COLLATE "C"), 'none') FROM floe.recommendations() AS r WHERE r.rule = left_of.rule $$;
SELECT lab.left_of('metadata_retention');
SELECT floe.dismiss('demo.db.*', 'metadata_retention', 'the catalog does it'), lab.left_of('metadata_retention'), lab.left_of('partition_spec');
SELECT lab.left_of('metadata_retention');
SELECT floe.dismiss('demo.db.*', 'metadata_retention') AS again, floe.dismiss('**, !demo.db.*', 'metadata_retention') AS the_rest;
SELECT lab.left_of('metadata_retention');
SELECT pattern, rule, reason, dismissed_by, dismissed_at FROM floe.dismissals ORDER BY pattern;
SELECT floe.undismiss('demo.db.*', 'metadata_retention') AS taken_back, floe.undismiss('demo.db.*', 'metadata_retention') AS again;
SELECT lab.left_of('metadata_retention');
SELECT lab.says($$SELECT floe.dismiss('**', 'nonsense')$$), lab.says($$SELECT floe.dismiss('**', NULL)$$), lab.says($$SELECT floe.dismiss('a..b', 'gc_enabled')$$);
-- tables that could not be read, or are gone, have none
SELECT floe_internal.table_failed(lab.id('demo.db.t'), 'protocol', 'no metadata in the answer', NULL);
SELECT lab.left_of('metadata_retention');
