-- =================================================================================================
-- 94 recommendations
-- Properties of a table that are worth changing, because stored health shows what they cost: with the evidence, the statement, and
-- what to expect. A property that somebody set is left alone; floe changes none of them itself.
-- =================================================================================================

CREATE TABLE floe.recommendation_rule (
	name		pg_catalog.text PRIMARY KEY,
	position	pg_catalog.int2 NOT NULL UNIQUE,
	is_enabled	pg_catalog.bool NOT NULL DEFAULT true,
	threshold	pg_catalog.float8 NOT NULL CHECK (threshold >= 0 AND threshold <= 1e18),
	unit		pg_catalog.text NOT NULL,
	description	pg_catalog.text NOT NULL,
	is_changed	pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe.recommendation_rule IS 'Rules of floe.recommendations(); each can be switched off, and its threshold changed';
COMMENT ON COLUMN floe.recommendation_rule.threshold IS 'From where on it applies, in its unit; partition_bytes, rewritten_file_size and partition_spec apply below it';
COMMENT ON COLUMN floe.recommendation_rule.is_changed IS 'The row was changed after installation: pg_dump carries it';

INSERT INTO floe.recommendation_rule (name, position, threshold, unit, description) VALUES
	('stat_columns', 1, 50, 'columns', 'Many columns with statistics in each file, and manifests of more than 2 kB for each: limit them to the columns that queries filter by'),
	('partition_bytes', 2, 0.25, 'of the target file size', 'Partitions far below the target file size: their one file stays small, and is rewritten with each new one'),
	('rewritten_file_size', 3, 0.6, 'of the target file size', 'Files that rewrites wrote came out far below the target, because it is compared with sizes in memory'),
	('metadata_retention', 4, 50, 'metadata files', 'Many earlier metadata files, and nobody deletes those that are dropped from the list'),
	('write_distribution', 5, 10, 'files per commit', 'Commits of many small files to a partitioned table: rows are not brought together by partition before they are written'),
	('delete_mode', 6, 1, 'times the table''s bytes', 'Deletes and updates that rewrote whole files for a few rows, again and again'),
	('deletion_vectors', 7, 100, 'position delete files', 'Many position delete files: deletion vectors of format version 3 are at most one for each data file'),
	('manifest_merge', 8, 50, 'manifests', 'Many small manifests that commits do not merge'),
	('snapshot_retention', 9, 1, 'snapshots', 'The table property says another age of snapshots than the policy in force: whoever else expires snapshots keeps to it'),
	('gc_enabled', 10, 20, 'snapshots', 'gc.enabled=false keeps a policy from expiring snapshots'),
	('partition_spec', 11, 0.0625, 'of the target file size', 'A hundred partitions or more of tiny size: the partition spec is too fine');

CREATE FUNCTION floe_internal.recommendation_rule_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		NEW.is_changed := true;
		RETURN NEW;
	END IF;
	UPDATE floe.recommendation_rule AS r SET (is_enabled, threshold) = (NEW.is_enabled, NEW.threshold) WHERE r.name = NEW.name;
	RETURN CASE WHEN NOT FOUND THEN NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.recommendation_rule_before() IS 'Trigger: marks changed rows of floe.recommendation_rule, and takes them back from a dump';

CREATE TRIGGER recommendation_rule_before BEFORE INSERT OR UPDATE ON floe.recommendation_rule
	FOR EACH ROW EXECUTE FUNCTION floe_internal.recommendation_rule_before();

CREATE TABLE floe_internal.dismissal (
	pattern			pg_catalog.text NOT NULL,
	rule			pg_catalog.text NOT NULL REFERENCES floe.recommendation_rule,
	reason			pg_catalog.text,
	dismissed_by	pg_catalog.text NOT NULL,
	dismissed_at	pg_catalog.timestamptz NOT NULL,
	PRIMARY KEY (pattern, rule)
);
COMMENT ON TABLE floe_internal.dismissal IS 'Recommendations that somebody does not want to see again, by pattern of tables';

INSERT INTO floe_internal.retention (relation, rule, time_column, setting, keep, description) VALUES
	('floe.recommendation_rule', 'fixed', NULL, NULL, NULL, 'Rules of recommendations; people switch them off'),
	('floe_internal.dismissal', 'people', NULL, NULL, NULL, 'Recommendations that somebody dismissed');

-- Statements ----------------------------------------------------------------------------------------

CREATE FUNCTION floe_internal.spark_table(levels pg_catalog.text[]) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.string_agg('`' || pg_catalog.replace(l.level, '`', '``') || '`', '.' ORDER BY l.place) FROM pg_catalog.unnest(levels) WITH ORDINALITY AS l (level, place);
END;
COMMENT ON FUNCTION floe_internal.spark_table(pg_catalog.text[]) IS 'A table''s name for Spark, quoted';

-- By what renders floe's own statements, which knows what Trino cannot address.
CREATE FUNCTION floe_internal.trino_table(levels pg_catalog.text[]) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN substring(floe_internal.render_statement('trino', levels[1], levels[2:cardinality(levels) - 1], levels[cardinality(levels)], 'rewrite_manifests', '{}', floe_internal.clock()) FROM '^ALTER TABLE (.*) EXECUTE ');
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value OR external_routine_exception THEN
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.trino_table(pg_catalog.text[]) IS 'A table''s name for Trino, quoted; NULL: Trino cannot address it';

CREATE FUNCTION floe_internal.spark_properties(levels pg_catalog.text[], properties pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format('ALTER TABLE %s SET TBLPROPERTIES (%s)', floe_internal.spark_table(levels), pg_catalog.string_agg(pg_catalog.format('''%s'' = ''%s''', q.key, q.value), ', ' ORDER BY q.key))
	FROM (SELECT pg_catalog.replace(pg_catalog.replace(p.key, '\', '\\'), '''', '\''') AS key, pg_catalog.replace(pg_catalog.replace(p.value, '\', '\\'), '''', '\''') AS value FROM pg_catalog.jsonb_each_text(properties) AS p) AS q;
END;
COMMENT ON FUNCTION floe_internal.spark_properties(pg_catalog.text[], pg_catalog.jsonb) IS 'The statement that sets table properties in Spark';

-- format_version is a property of Trino's own; others it sets only where iceberg.allowed-extra-properties names them.
CREATE FUNCTION floe_internal.trino_properties(name pg_catalog.text, properties pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN properties ? 'format-version' THEN pg_catalog.format('ALTER TABLE %s SET PROPERTIES format_version = %s', name, properties ->> 'format-version')
		ELSE pg_catalog.format('ALTER TABLE %s SET PROPERTIES extra_properties = MAP(ARRAY[%s], ARRAY[%s])', name, pg_catalog.string_agg(pg_catalog.format('''%s''', pg_catalog.replace(p.key, '''', '''''')), ', ' ORDER BY p.key),
			pg_catalog.string_agg(pg_catalog.format('''%s''', pg_catalog.replace(p.value, '''', '''''')), ', ' ORDER BY p.key)) END
	FROM pg_catalog.jsonb_each_text(properties) AS p WHERE name IS NOT NULL HAVING pg_catalog.count(*) > 0;
END;
COMMENT ON FUNCTION floe_internal.trino_properties(pg_catalog.text, pg_catalog.jsonb) IS 'The statement that sets table properties in Trino 465 or later; NULL without a name';

-- Evidence ------------------------------------------------------------------------------------------

CREATE FUNCTION floe_internal.power_of_two(bytes pg_catalog.float8, lowest pg_catalog.float8, highest pg_catalog.float8) RETURNS pg_catalog.int8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.pow(2, pg_catalog.ceil(pg_catalog.ln(LEAST(GREATEST(bytes, lowest), highest)) / pg_catalog.ln(2) - 1e-9))::pg_catalog.int8;
END;
COMMENT ON FUNCTION floe_internal.power_of_two(pg_catalog.float8, pg_catalog.float8, pg_catalog.float8) IS 'The next power of two, between two limits';

-- How writers commit, by the retained snapshots that are no rewrites.
CREATE FUNCTION floe_internal.write_pattern(snapshots pg_catalog.bytea,
		OUT commits pg_catalog.int8, OUT files_per_commit pg_catalog.float8, OUT bytes_per_file pg_catalog.float8, OUT overwrites pg_catalog.int8, OUT overwritten_bytes pg_catalog.numeric, OUT kept_share pg_catalog.float8)
	RETURNS pg_catalog.record
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.count(*) FILTER (WHERE s.added_data_files > 0 AND s.added_bytes IS NOT NULL),
		   pg_catalog.avg(s.added_data_files) FILTER (WHERE s.added_data_files > 0 AND s.added_bytes IS NOT NULL),
		   pg_catalog.sum(s.added_bytes) FILTER (WHERE s.added_data_files > 0 AND s.added_bytes IS NOT NULL)::pg_catalog.float8 / NULLIF(pg_catalog.sum(s.added_data_files) FILTER (WHERE s.added_bytes IS NOT NULL), 0)::pg_catalog.float8,
		   pg_catalog.count(*) FILTER (WHERE s.operation = 'overwrite' AND s.deleted_data_files > 0 AND s.removed_bytes > 0 AND s.added_bytes >= 0.8 * s.removed_bytes),
		   pg_catalog.sum(s.removed_bytes) FILTER (WHERE s.operation = 'overwrite' AND s.deleted_data_files > 0 AND s.removed_bytes > 0 AND s.added_bytes >= 0.8 * s.removed_bytes),
		   (pg_catalog.sum(s.added_bytes) FILTER (WHERE s.operation = 'overwrite' AND s.deleted_data_files > 0 AND s.removed_bytes > 0 AND s.added_bytes >= 0.8 * s.removed_bytes))::pg_catalog.float8
				/ NULLIF(pg_catalog.sum(s.removed_bytes) FILTER (WHERE s.operation = 'overwrite' AND s.deleted_data_files > 0 AND s.removed_bytes > 0 AND s.added_bytes >= 0.8 * s.removed_bytes), 0)::pg_catalog.float8
	FROM floe_internal.snapshot_list(snapshots) AS s WHERE s.operation IS DISTINCT FROM 'replace';
END;
COMMENT ON FUNCTION floe_internal.write_pattern(pg_catalog.bytea) IS 'Commits of writers that say what they added, with files and bytes; overwrites: those that wrote at least four fifths of what they took out again, which is how a few rows are changed by copying files';

CREATE FUNCTION floe_internal.rule_matches(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, rule pg_catalog.text, properties pg_catalog.jsonb, evidence pg_catalog.text, effect pg_catalog.text, caution pg_catalog.text)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH limits AS MATERIALIZED (
		SELECT pg_catalog.jsonb_object_agg(r.name, r.threshold) AS from_value FROM floe.recommendation_rule AS r
	), fact AS MATERIALIZED (
		SELECT h.*, COALESCE(t.properties, '{}') AS p, t.format_version, t.details, t.snapshots, h.data_bytes / NULLIF(h.partition_count, 0)::pg_catalog.float8 AS partition_bytes,
			   h.manifest_bytes / NULLIF(h.data_file_count, 0)::pg_catalog.float8 AS entry_bytes, s.settings, s.origins, l.from_value
		FROM floe_internal.health AS h
		JOIN floe_internal.iceberg_table AS t ON t.table_id = h.table_id
		LEFT JOIN floe_internal.table_setting AS s ON s.table_id = h.table_id AND s.operation = 'expire_snapshots'
		CROSS JOIN limits AS l
		WHERE h.table_id = ANY (of_table_ids)
	)
	SELECT f.table_id, v.rule, v.properties, v.evidence, v.effect, v.caution
	FROM fact AS f
	LEFT JOIN LATERAL floe_internal.write_pattern(f.snapshots) AS w ON true
	LEFT JOIN LATERAL (
		SELECT pg_catalog.sum(x.bytes)::pg_catalog.float8 / NULLIF(pg_catalog.sum(x.files), 0)::pg_catalog.float8 AS bytes_per_file, pg_catalog.sum(x.files) AS files
		FROM (SELECT (i.item ->> 'added_bytes')::pg_catalog.numeric AS bytes, (i.item ->> 'added_data_files')::pg_catalog.numeric AS files
			  FROM (SELECT l.new_snapshots FROM floe_internal.operation_log AS l
					WHERE l.table_id = f.table_id AND l.operation = 'rewrite_data_files' AND l.state = 'succeeded' ORDER BY l.operation_id DESC LIMIT 5) AS o
			  CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(o.new_snapshots) = 'array' THEN o.new_snapshots ELSE '[]' END) AS i (item)
			  WHERE i.item ->> 'operation' = 'replace' AND i.item ?& '{added_bytes,added_data_files}') AS x) AS r ON true
	CROSS JOIN LATERAL (SELECT (floe_internal.property_value(f.p, 'history.expire.max-snapshot-age-ms', 'ms') #>> '{}')::pg_catalog.interval AS property_age,
		CASE WHEN f.origins ? 'options.max_snapshot_age' THEN (f.settings ->> 'options.max_snapshot_age')::pg_catalog.interval END AS policy_age) AS e
	CROSS JOIN LATERAL (VALUES
		('stat_columns',
			f.stat_column_count >= (f.from_value ->> 'stat_columns')::pg_catalog.float8 AND f.entry_bytes >= 2048
				AND NOT EXISTS (SELECT 1 FROM pg_catalog.jsonb_object_keys(f.p) AS k (key) WHERE k.key LIKE 'write.metadata.metrics.%'),
			'{"write.metadata.metrics.max-inferred-column-defaults": "32"}'::pg_catalog.jsonb,
			pg_catalog.format('%s columns with statistics in the mean data file, %s of manifest for each of %s files', pg_catalog.round(f.stat_column_count::pg_catalog.numeric, 1), floe_internal.format_metric(f.entry_bytes, 'bytes'), f.data_file_count),
			pg_catalog.format('manifests shrink to about %s %% as files are written anew, and planning reads that much less', pg_catalog.round((100 * 32 / GREATEST(f.stat_column_count, 32))::pg_catalog.numeric)),
			'the first 32 columns keep statistics; columns that queries filter by need write.metadata.metrics.column.NAME'),
		('partition_bytes',
			f.partition_count > 1 AND f.data_bytes >= 1073741824 AND f.partition_bytes < (f.from_value ->> 'partition_bytes')::pg_catalog.float8 * f.target_file_bytes
				AND f.partition_bytes >= (f.from_value ->> 'partition_spec')::pg_catalog.float8 * f.target_file_bytes AND NOT f.p ? 'write.target-file-size-bytes',
			pg_catalog.jsonb_build_object('write.target-file-size-bytes', floe_internal.power_of_two(f.partition_bytes, 16777216, 536870912)::pg_catalog.text),
			pg_catalog.format('%s partitions of %s on average, target file size %s', f.partition_count, floe_internal.format_metric(f.partition_bytes, 'bytes'), floe_internal.format_metric(f.target_file_bytes, 'bytes')),
			'the one file of a partition is no small file any more, and is not rewritten with each new one', NULL),
		('rewritten_file_size',
			r.files >= 4 AND r.bytes_per_file < (f.from_value ->> 'rewritten_file_size')::pg_catalog.float8 * f.target_file_bytes AND f.partition_bytes >= 2 * f.target_file_bytes AND NOT f.p ? 'write.target-file-size-bytes',
			pg_catalog.jsonb_build_object('write.target-file-size-bytes', (pg_catalog.round(f.target_file_bytes * LEAST(4, f.target_file_bytes / r.bytes_per_file) / 16777216) * 16777216)::pg_catalog.int8::pg_catalog.text),
			pg_catalog.format('the last rewrites wrote %s files of %s on average, target file size %s', r.files, floe_internal.format_metric(r.bytes_per_file, 'bytes'), floe_internal.format_metric(f.target_file_bytes, 'bytes')),
			pg_catalog.format('files of about %s', floe_internal.format_metric(f.target_file_bytes, 'bytes')), 'a target_file_size of a policy goes before the property in floe''s rewrites'),
		('metadata_retention',
			f.metadata_log_count >= (f.from_value ->> 'metadata_retention')::pg_catalog.float8 AND NOT f.p ? 'write.metadata.delete-after-commit.enabled',
			pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('write.metadata.delete-after-commit.enabled', 'true',
				'write.metadata.previous-versions-max', CASE WHEN NOT f.p ? 'write.metadata.previous-versions-max' THEN '20' END)),
			pg_catalog.format('%s earlier metadata files, the current one is %s', f.metadata_log_count, floe_internal.format_metric(f.metadata_json_bytes, 'bytes')),
			pg_catalog.format('each commit deletes the oldest beyond %s; now about %s are kept in the list, and more in the store', COALESCE(f.p ->> 'write.metadata.previous-versions-max', '20'), floe_internal.format_metric(f.metadata_log_count * f.metadata_json_bytes::pg_catalog.float8, 'bytes')),
			'metadata files that have left the list already are for remove_orphan_files'),
		('write_distribution',
			f.details ->> 'is_partitioned' = 'true' AND w.commits >= 3 AND w.files_per_commit >= (f.from_value ->> 'write_distribution')::pg_catalog.float8 AND w.bytes_per_file < 0.25 * f.target_file_bytes
				AND NOT f.p ? 'write.distribution-mode',
			'{"write.distribution-mode": "hash"}',
			pg_catalog.format('the last %s commits added %s files of %s each on average', w.commits, pg_catalog.round(w.files_per_commit::pg_catalog.numeric, 1), floe_internal.format_metric(w.bytes_per_file, 'bytes')),
			'one writer for each partition, so about one file for each partition and commit', 'writers shuffle their rows; Spark does so by itself from Iceberg 1.2 on, Flink and older Spark do not'),
		('delete_mode',
			f.format_version >= 2 AND w.overwrites >= 3 AND w.overwritten_bytes >= (f.from_value ->> 'delete_mode')::pg_catalog.float8 * f.data_bytes AND f.data_bytes > 0
				AND NOT f.p ?| '{write.delete.mode,write.update.mode,write.merge.mode}',
			'{"write.delete.mode": "merge-on-read", "write.update.mode": "merge-on-read", "write.merge.mode": "merge-on-read"}',
			pg_catalog.format('%s commits rewrote %s of files to keep %s %% of them; the table has %s', w.overwrites, floe_internal.format_metric(w.overwritten_bytes::pg_catalog.float8, 'bytes'),
				pg_catalog.round((100 * w.kept_share)::pg_catalog.numeric, 1), floe_internal.format_metric(f.data_bytes, 'bytes')),
			'a change of a few rows writes a delete file instead of the data file', 'readers apply the deletes until they are compacted: let a policy have rewrite_position_delete_files and rewrite_data_files'),
		('deletion_vectors',
			f.format_version = 2 AND f.position_delete_file_count >= (f.from_value ->> 'deletion_vectors')::pg_catalog.float8 AND f.p ->> 'write.delete.mode' = 'merge-on-read',
			'{"format-version": "3"}',
			pg_catalog.format('%s position delete files for %s data files', f.position_delete_file_count, f.data_file_count),
			pg_catalog.format('at most %s deletion vectors', f.data_file_count), 'cannot be undone, and every reader and writer must know format version 3: Spark with Iceberg 1.8 or later'),
		('manifest_merge',
			f.excess_manifest_count >= (f.from_value ->> 'manifest_merge')::pg_catalog.float8 AND COALESCE(pg_catalog.lower(f.p ->> 'commit.manifest-merge.enabled'), 'true') <> 'false' AND NOT f.p ? 'commit.manifest.min-count-to-merge',
			'{"commit.manifest.min-count-to-merge": "20"}',
			pg_catalog.format('%s manifests of %s on average, %s more than their bytes need', f.manifest_count, floe_internal.format_metric(f.manifest_bytes / NULLIF(f.manifest_count, 0)::pg_catalog.float8, 'bytes'), f.excess_manifest_count),
			'commits merge small manifests from 20 on, instead of 100', 'fast appends, which Flink and others can use, never merge'),
		('snapshot_retention',
			e.property_age <> e.policy_age AND f.snapshot_count >= (f.from_value ->> 'snapshot_retention')::pg_catalog.float8,
			pg_catalog.jsonb_build_object('history.expire.max-snapshot-age-ms', (EXTRACT(epoch FROM e.policy_age) * 1000)::pg_catalog.int8::pg_catalog.text),
			pg_catalog.format('the policy keeps snapshots for %s, the table property says %s', floe_internal.format_interval(e.policy_age), floe_internal.format_interval(e.property_age)),
			'whoever else expires snapshots keeps them as long as the policy does', NULL),
		('gc_enabled',
			pg_catalog.lower(f.p ->> 'gc.enabled') = 'false' AND f.settings ? 'configured' AND f.expirable_snapshot_count >= (f.from_value ->> 'gc_enabled')::pg_catalog.float8
				AND NOT f.p ? 'nessie.commit.id' AND f.details ->> 'gc_owner' IS NULL,
			'{"gc.enabled": "true"}',
			pg_catalog.format('%s of %s snapshots could be expired, and a policy asks for it', f.expirable_snapshot_count, f.snapshot_count),
			'expire_snapshots and remove_orphan_files may delete files', 'only if nobody else uses the files: a table that was made by the snapshot procedure, or shares its location, needs gc.enabled=false'),
		('partition_spec',
			f.partition_count >= 100 AND f.data_bytes >= 1073741824 AND f.partition_bytes < (f.from_value ->> 'partition_spec')::pg_catalog.float8 * f.target_file_bytes,
			NULL,
			pg_catalog.format('%s partitions of %s on average, target file size %s', f.partition_count, floe_internal.format_metric(f.partition_bytes, 'bytes'), floe_internal.format_metric(f.target_file_bytes, 'bytes')),
			'fewer files and manifest entries for what is written from then on', 'what is written stays as it is until it is rewritten with output_spec_id')
		) AS v (rule, applies, properties, evidence, effect, caution)
	JOIN floe.recommendation_rule AS k ON k.name = v.rule AND k.is_enabled
	WHERE v.applies AND f.is_complete;
END;
COMMENT ON FUNCTION floe_internal.rule_matches(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Which rules apply to some tables by their stored health, with what to set; properties NULL: not a matter of a property. Dismissals aside';

-- One field by the hour or the day: the next coarser transform. For all others it takes somebody who knows the queries.
CREATE FUNCTION floe_internal.coarser_spec(specs pg_catalog.jsonb, details pg_catalog.jsonb, OUT field pg_catalog.text, OUT "column" pg_catalog.text, OUT spark pg_catalog.text, OUT trino pg_catalog.text)
	RETURNS pg_catalog.record
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT s.item #>> '{fields,0,name}', c.item ->> 'name', CASE s.item #>> '{fields,0,transform}' WHEN 'hour' THEN 'days' ELSE 'months' END, CASE s.item #>> '{fields,0,transform}' WHEN 'hour' THEN 'day' ELSE 'month' END
	FROM pg_catalog.jsonb_array_elements(COALESCE(specs, '[]')) AS s (item)
	JOIN pg_catalog.jsonb_array_elements(COALESCE(details -> 'columns', '[]')) AS c (item) ON c.item -> 'id' = s.item #> '{fields,0,source_id}'
	WHERE s.item -> 'is_default' = 'true' AND pg_catalog.jsonb_array_length(s.item -> 'fields') = 1 AND s.item #>> '{fields,0,transform}' IN ('hour', 'day') AND pg_catalog.strpos(c.item ->> 'name', '.') = 0;
END;
COMMENT ON FUNCTION floe_internal.coarser_spec(pg_catalog.jsonb, pg_catalog.jsonb) IS 'The coarser transform of a partition spec of one field by hour or day; NULLs: another spec';

CREATE FUNCTION floe.recommendations(pattern pg_catalog.text DEFAULT '**',
		OUT table_name pg_catalog.text, OUT rule pg_catalog.text, OUT properties pg_catalog.jsonb, OUT evidence pg_catalog.text, OUT effect pg_catalog.text, OUT caution pg_catalog.text,
		OUT spark_sql pg_catalog.text, OUT trino_sql pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT t.name, m.rule, m.properties, m.evidence, m.effect, m.caution,
		   CASE WHEN m.properties IS NOT NULL THEN floe_internal.spark_properties(t.levels, m.properties)
				WHEN c.field IS NOT NULL THEN format('ALTER TABLE %s REPLACE PARTITION FIELD %s WITH %s(%s)', floe_internal.spark_table(t.levels), floe_internal.spark_table(ARRAY[c.field]), c.spark, floe_internal.spark_table(ARRAY[c."column"])) END,
		   CASE WHEN m.properties IS NOT NULL THEN floe_internal.trino_properties(floe_internal.trino_table(t.levels), m.properties)
				WHEN c."column" ~ '^[a-z_][a-z0-9_]*$' THEN format('ALTER TABLE %s SET PROPERTIES partitioning = ARRAY[''%s(%s)'']', floe_internal.trino_table(t.levels), c.trino, c."column") END
	FROM floe_internal.rule_matches(ARRAY(SELECT x.table_id FROM floe_internal.iceberg_table AS x
			WHERE x.status = 'ok' AND floe_internal.match_pattern(floe_internal.check_pattern(pattern), x.levels) IS NOT NULL), floe_internal.clock()) AS m
	JOIN floe_internal.iceberg_table AS t ON t.table_id = m.table_id
	JOIN floe.recommendation_rule AS k ON k.name = m.rule
	LEFT JOIN LATERAL floe_internal.coarser_spec(t.specs, t.details) AS c ON m.properties IS NULL
	WHERE NOT EXISTS (SELECT 1 FROM floe_internal.dismissal AS d WHERE d.rule = m.rule AND floe_internal.match_pattern(d.pattern, t.levels) IS NOT NULL)
	ORDER BY t.name, k.position
$body$;
COMMENT ON FUNCTION floe.recommendations(pg_catalog.text)
	IS 'Table properties worth changing, by rules of floe.recommendation_rule over stored health: the evidence, what to expect, what to mind, and the statement for Spark and for Trino (465 or later; NULL where Trino cannot), in a catalog that is named as the SERVER is. Properties that are set are left alone, but for those that contradict a policy';

CREATE FUNCTION floe.dismiss(pattern pg_catalog.text, rule pg_catalog.text, reason pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	n int;
BEGIN
	IF NOT EXISTS (SELECT 1 FROM floe.recommendation_rule AS r WHERE r.name = dismiss.rule) THEN
		PERFORM floe_internal.refuse(format('there is no rule "%s"', dismiss.rule), NULL, 'Rules are ' || (SELECT string_agg(r.name, ', ' ORDER BY r.position) FROM floe.recommendation_rule AS r) || '.');
	END IF;
	INSERT INTO floe_internal.dismissal AS d (pattern, rule, reason, dismissed_by, dismissed_at)
		VALUES (floe_internal.check_pattern(dismiss.pattern), dismiss.rule, dismiss.reason, SESSION_USER, floe_internal.clock()) ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n > 0;
END
$body$;
COMMENT ON FUNCTION floe.dismiss(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'No more of this rule''s recommendations for these tables; false: they were dismissed already. floe.undismiss() takes it back';

CREATE FUNCTION floe.undismiss(pattern pg_catalog.text, rule pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	n int;
BEGIN
	DELETE FROM floe_internal.dismissal AS d WHERE d.pattern = floe_internal.check_pattern(undismiss.pattern) AND d.rule = undismiss.rule;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n > 0;
END
$body$;
COMMENT ON FUNCTION floe.undismiss(pg_catalog.text, pg_catalog.text) IS 'Takes back floe.dismiss() with the same pattern and rule; false: there is no such';

CREATE VIEW floe.dismissals AS
	SELECT d.pattern, d.rule, d.reason, d.dismissed_by, d.dismissed_at FROM floe_internal.dismissal AS d;
COMMENT ON VIEW floe.dismissals IS 'Recommendations that somebody dismissed';
