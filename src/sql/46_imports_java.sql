-- =================================================================================================
-- 46 imports: the fields of the Java service
-- Policies of the Java service of the same name (nssalian/floe), as its API takes them, as its store
-- keeps them (rows of maintenance_policies) and as its YAML files have them. Field by field; the policy
-- as a whole: 46_imports_java_policy.
-- =================================================================================================

INSERT INTO floe_internal.import_field (source, part, field, json_type, target, unit, status, detail) VALUES
	('java', 'policy', 'id', 'any', NULL, NULL, 'without meaning', 'floe gives ids of its own.'),
	('java', 'policy', 'name', 'text', '{name}', NULL, 'translated', NULL),
	('java', 'policy', 'description', 'text', '{description}', NULL, 'translated', NULL),
	('java', 'policy', 'tablePattern', 'text', NULL, NULL, NULL, NULL),
	('java', 'policy', 'enabled', 'boolean', '{enabled}', NULL, 'translated', NULL),
	('java', 'policy', 'priority', 'whole number', '{priority}', NULL, 'translated', 'In the Java service it decides only between equally specific patterns; in floe it comes first.'),
	('java', 'policy', 'tags', 'map of texts', NULL, NULL, NULL, NULL),
	('java', 'policy', 'createdAt', 'any', NULL, NULL, 'without meaning', 'floe.policy_history has the times of floe''s versions.'),
	('java', 'policy', 'updatedAt', 'any', NULL, NULL, 'without meaning', 'floe.policy_history has the times of floe''s versions.'),
	('java', 'rewriteDataFiles', 'strategy', 'text', NULL, NULL, NULL, NULL),
	('java', 'rewriteDataFiles', 'sortOrder', 'list of texts', NULL, NULL, NULL, NULL),
	('java', 'rewriteDataFiles', 'zOrderColumns', 'list of texts', NULL, NULL, NULL, NULL),
	('java', 'rewriteDataFiles', 'targetFileSizeBytes', 'whole number', '{options.target_file_size}', NULL, 'translated', NULL),
	('java', 'rewriteDataFiles', 'maxFileGroupSizeBytes', 'whole number', '{options.max_file_group_size}', NULL, 'translated', NULL),
	('java', 'rewriteDataFiles', 'maxConcurrentFileGroupRewrites', 'whole number', '{options.max_concurrent_file_group_rewrites}', NULL, 'translated', NULL),
	('java', 'rewriteDataFiles', 'partialProgressEnabled', 'boolean', '{options.partial_progress_enabled}', NULL, 'translated', NULL),
	('java', 'rewriteDataFiles', 'partialProgressMaxCommits', 'whole number', '{options.partial_progress_max_commits}', NULL, 'translated', NULL),
	('java', 'rewriteDataFiles', 'partialProgressMaxFailedCommits', 'whole number', '{options.partial_progress_max_failed_commits}', NULL, 'translated', NULL),
	('java', 'rewriteDataFiles', 'filter', 'text', NULL, NULL, NULL, NULL),
	('java', 'rewriteDataFiles', 'rewriteJobOrder', 'text', '{options.rewrite_job_order}', 'name', 'translated', NULL),
	('java', 'rewriteDataFiles', 'useStartingSequenceNumber', 'boolean', '{options.use_starting_sequence_number}', NULL, 'translated', NULL),
	('java', 'rewriteDataFiles', 'removeDanglingDeletes', 'boolean', '{options.remove_dangling_deletes}', NULL, 'translated', NULL),
	('java', 'rewriteDataFiles', 'outputSpecId', 'whole number', '{options.output_spec_id}', NULL, 'translated', NULL),
	('java', 'expireSnapshots', 'retainLast', 'whole number', '{options.retain_last}', NULL, 'translated', NULL),
	('java', 'expireSnapshots', 'maxSnapshotAge', 'any', NULL, NULL, NULL, NULL),
	('java', 'expireSnapshots', 'maxSnapshotAgeDays', 'whole number', '{options.max_snapshot_age}', 'days', 'translated', NULL),
	('java', 'expireSnapshots', 'cleanExpiredMetadata', 'boolean', '{options.clean_expired_metadata}', NULL, 'translated', NULL),
	('java', 'expireSnapshots', 'expireSnapshotId', 'whole number', NULL, NULL, 'without meaning', 'The Java service keeps it and never hands it to an engine; a single snapshot is expired by floe.trigger() with the option snapshot_ids.'),
	('java', 'orphanCleanup', 'retentionPeriodInDays', 'number', NULL, NULL, NULL, NULL),
	('java', 'orphanCleanup', 'retentionPeriodDays', 'whole number', '{options.older_than}', 'days', 'translated', NULL),
	('java', 'orphanCleanup', 'location', 'text', NULL, NULL, 'refused', 'Orphans are removed below a table''s own location only: elsewhere lie files of tables that floe does not know of.'),
	('java', 'orphanCleanup', 'prefixMismatchMode', 'text', NULL, NULL, NULL, NULL),
	('java', 'orphanCleanup', 'equalSchemes', 'map of texts', '{options.equal_schemes}', NULL, 'translated', 'The Java service dropped it.'),
	('java', 'orphanCleanup', 'equalAuthorities', 'map of texts', '{options.equal_authorities}', NULL, 'translated', 'The Java service dropped it.'),
	('java', 'rewriteManifests', 'specId', 'whole number', '{options.spec_id}', NULL, 'translated', NULL),
	('java', 'rewriteManifests', 'stagingLocation', 'text', NULL, NULL, 'without meaning', 'The engines'' procedure writes manifests to the table''s metadata directory.'),
	('java', 'rewriteManifests', 'sortBy', 'list of texts', NULL, NULL, 'without meaning', 'The engines'' procedure sorts by the partition spec.'),
	('java', 'rewriteManifests', 'rewriteIf', 'object', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'interval', 'any', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'intervalInDays', 'any', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'intervalDays', 'whole number', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'intervalHours', 'whole number', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'intervalMinutes', 'whole number', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'cronExpression', 'text', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'windowStart', 'any', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'windowEnd', 'any', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'allowedDays', 'any', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'timeout', 'whole number', '{timeout}', 'hours', 'translated', 'The Java service kept it and gave every run an hour.'),
	('java', 'schedule', 'timeoutHours', 'whole number', '{timeout}', 'hours', 'translated', 'The Java service kept it and gave every run an hour.'),
	('java', 'schedule', 'timeoutInHours', 'any', NULL, NULL, NULL, NULL),
	('java', 'schedule', 'priority', 'whole number', NULL, NULL, 'without meaning', 'The Java service never used it; floe orders by debt (floe.debt(), weights).'),
	('java', 'schedule', 'enabled', 'boolean', NULL, NULL, NULL, NULL);

INSERT INTO floe_internal.import_field (source, part, field, json_type, status, detail)
	SELECT 'java', 'rewriteIf', f, 'any', 'without meaning', 'The Java service dropped it; the engines'' procedure has no filter of manifests but spec_id.'
	FROM pg_catalog.unnest(ARRAY['path', 'length', 'specId', 'content', 'sequenceNumber', 'minSequenceNumber', 'snapshotId', 'addedFilesCount', 'existingFilesCount', 'deletedFilesCount',
		'addedRowsCount', 'existingRowsCount', 'deletedRowsCount', 'firstRowId', 'keyMetadata', 'partitionSummaries']) AS f;

INSERT INTO floe_internal.import_field (source, part, field, json_type, target, unit, status, detail)
	SELECT 'java', 'healthThresholds', pg_catalog.format(v.field, pg_catalog.initcap(l.level)), 'number',
		   (SELECT pg_catalog.array_agg('thresholds.' || m || '.' || l.level) FROM pg_catalog.unnest(v.metrics) AS m), v.unit, v.status, v.detail
	FROM (VALUES
		('smallFilePercent%s', NULL::pg_catalog.text[], NULL, 'without meaning', 'floe counts what a rewrite would remove, not parts of files: thresholds of excess_file_count.'),
		('largeFilePercent%s', NULL, NULL, 'without meaning', 'Bin-packing does not split large files by itself: oversized_file_count is shown and calls for nothing.'),
		('fileCount%s', '{data_file_count}', NULL, 'translated', NULL),
		('snapshotCount%s', '{snapshot_count}', NULL, 'translated', NULL),
		('snapshotAge%sDays', '{oldest_snapshot_age}', 'days as seconds', 'translated', NULL),
		('deleteFileCount%s', '{position_delete_file_count,equality_delete_file_count}', NULL, 'approximated', 'Of each kind by itself, not of their sum; they call for rewrites, which remove them, and not for removing orphans.'),
		('deleteFileRatio%s', NULL, NULL, 'without meaning', 'It is of files; floe''s delete_ratio is of rows, and has thresholds of its own.'),
		('manifestCount%s', '{manifest_count}', NULL, 'translated', NULL),
		('manifestSize%sBytes', '{manifest_bytes}', NULL, 'approximated', 'An issue that is shown; rewrite_manifests goes by the number of manifests.'),
		('partitionCount%s', '{partition_count}', NULL, 'translated', 'As in the Java service it is shown and calls for nothing.'),
		('partitionSkew%s', '{partition_skew}', NULL, 'translated', 'As in the Java service it is shown and calls for nothing.'),
		('staleMetadata%sDays', '{newest_snapshot_age}', 'days as seconds', 'translated', 'As in the Java service it is shown and calls for nothing.')) AS v (field, metrics, unit, status, detail)
	CROSS JOIN (VALUES ('warning'), ('critical')) AS l (level);
INSERT INTO floe_internal.import_field (source, part, field, json_type, status, detail) VALUES
	('java', 'healthThresholds', 'smallFileSizeBytes', 'number', 'without meaning', 'Small is what is below 0.75 of the table''s target file size.'),
	('java', 'healthThresholds', 'largeFileSizeBytes', 'number', 'without meaning', 'Oversized is what is above 1.8 of the table''s target file size.');

-- target: operation and metric of the condition
INSERT INTO floe_internal.import_field (source, part, field, json_type, target, unit, status, detail) VALUES
	('java', 'triggerConditions', 'smallFilePercentageAbove', 'number', NULL, NULL, 'without meaning', 'floe counts what a rewrite would remove, not parts of files: write a condition on excess_file_count.'),
	('java', 'triggerConditions', 'smallFileCountAbove', 'number', '{rewrite_data_files.small_file_count}', NULL, 'approximated', 'Small is what is below 0.75 of the table''s target file size.'),
	('java', 'triggerConditions', 'totalFileSizeAboveBytes', 'number', '{rewrite_data_files.data_bytes}', NULL, 'translated', NULL),
	('java', 'triggerConditions', 'deleteFileCountAbove', 'number', '{rewrite_data_files.position_delete_file_count,rewrite_data_files.equality_delete_file_count}', NULL, 'approximated', 'Of each kind by itself, not of their sum.'),
	('java', 'triggerConditions', 'deleteFileRatioAbove', 'number', NULL, NULL, 'without meaning', 'It is of files; floe''s delete_ratio is of rows: write a condition on it.'),
	('java', 'triggerConditions', 'snapshotCountAbove', 'number', '{expire_snapshots.snapshot_count}', NULL, 'translated', NULL),
	('java', 'triggerConditions', 'snapshotAgeAboveDays', 'number', '{expire_snapshots.oldest_snapshot_age}', 'days as seconds', 'translated', NULL),
	('java', 'triggerConditions', 'partitionCountAbove', 'number', '{rewrite_data_files.partition_count}', NULL, 'translated', NULL),
	('java', 'triggerConditions', 'partitionSkewAbove', 'number', '{rewrite_data_files.partition_skew}', NULL, 'translated', NULL),
	('java', 'triggerConditions', 'manifestSizeAboveBytes', 'number', '{rewrite_manifests.manifest_bytes}', NULL, 'translated', NULL),
	('java', 'triggerConditions', 'minIntervalMinutes', 'whole number', NULL, NULL, NULL, NULL),
	('java', 'triggerConditions', 'perOperationMinIntervalMinutes', 'object', NULL, NULL, NULL, NULL),
	('java', 'triggerConditions', 'criticalPipeline', 'boolean', NULL, NULL, NULL, NULL),
	('java', 'triggerConditions', 'criticalPipelineMaxDelayMinutes', 'whole number', NULL, NULL, NULL, NULL),
	('java', 'triggerConditions', 'triggerLogic', 'text', NULL, NULL, NULL, NULL);

-- ---- values ----

-- Java's Duration, as text (P7D, PT6H) or, as its store has it, in seconds. Only what PostgreSQL takes exactly: days are of 24 hours.
CREATE FUNCTION floe_internal.java_duration(value pg_catalog.jsonb, number_unit pg_catalog.int4) RETURNS pg_catalog.text
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	part text[];
	seconds numeric;
BEGIN
	IF jsonb_typeof(value) = 'number' THEN
		seconds := (value #>> '{}')::numeric * number_unit;
	ELSIF jsonb_typeof(value) = 'string' THEN
		part := regexp_match(upper(value #>> '{}'), '^P(?:([0-9]{1,9})D)?(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)S)?)?$');
		IF num_nonnulls(VARIADIC part) > 0 THEN
			seconds := COALESCE(part[1]::numeric, 0) * 86400 + COALESCE(part[2]::numeric, 0) * 3600 + COALESCE(part[3]::numeric, 0) * 60 + COALESCE(part[4]::numeric, 0);
		END IF;
	END IF;
	IF seconds NOT BETWEEN -1e12 AND 1e12 THEN
		RETURN NULL;
	END IF;
	RETURN CASE WHEN seconds % 86400 = 0 THEN trim_scale(seconds / 86400) || ' days' WHEN seconds % 3600 = 0 THEN trim_scale(seconds / 3600) || ' hours'
		WHEN seconds % 60 = 0 THEN trim_scale(seconds / 60) || ' minutes' ELSE trim_scale(seconds) || ' seconds' END;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_duration(pg_catalog.jsonb, pg_catalog.int4) IS 'A duration of the Java service as an interval with one unit; numbers are of number_unit seconds; NULL: it is none';

-- LocalTime as text (HH:mm, with seconds if need be) or, as its store has it, as numbers.
CREATE FUNCTION floe_internal.java_time(value pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	part text[] := CASE
		WHEN jsonb_typeof(value) = 'string' THEN regexp_match(value #>> '{}', '^([01][0-9]|2[0-3]):([0-5][0-9])(?::[0-5][0-9](?:\.[0-9]{1,9})?)?$')
		WHEN jsonb_typeof(value) = 'array' AND jsonb_array_length(value) BETWEEN 2 AND 4 THEN
			regexp_match(format('%s:%s', value ->> 0, value ->> 1), '^([0-9]|1[0-9]|2[0-3]):([0-9]|[1-5][0-9])$') END;
BEGIN
	RETURN lpad(part[1], 2, '0') || ':' || lpad(part[2], 2, '0');
END
$body$;
COMMENT ON FUNCTION floe_internal.java_time(pg_catalog.jsonb) IS 'A time of day of the Java service as HH:MM; seconds are cut off; NULL: it is none';

-- One field of a Quartz expression; weekdays count from Sunday = 1 there.
CREATE FUNCTION floe_internal.quartz_field(field pg_catalog.text, maximum pg_catalog.int4, is_weekday pg_catalog.bool) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT string_agg(CASE WHEN b.base IN ('*', '?', '') THEN '*'
			WHEN b.step IS NOT NULL AND b.shifted NOT LIKE '%-%' THEN b.shifted || '-' || maximum ELSE b.shifted END || COALESCE('/' || b.step, ''), ',' ORDER BY b.n)
	FROM (SELECT i.n, split_part(i.item, '/', 1) AS base, NULLIF(split_part(i.item, '/', 2), '') AS step,
			CASE WHEN is_weekday THEN (SELECT string_agg(CASE WHEN v.v ~ '^[1-7]$' THEN (v.v::int4 - 1)::text ELSE v.v END, '-' ORDER BY v.o)
				FROM regexp_split_to_table(split_part(i.item, '/', 1), '-') WITH ORDINALITY AS v (v, o)) ELSE split_part(i.item, '/', 1) END AS shifted
		  FROM regexp_split_to_table(field, ',') WITH ORDINALITY AS i (item, n)) AS b
$body$;
COMMENT ON FUNCTION floe_internal.quartz_field(pg_catalog.text, pg_catalog.int4, pg_catalog.bool) IS 'One field of a Quartz cron expression as cron has it: ? is *, a/n runs from a to the end, weekdays count from 0';

CREATE FUNCTION floe_internal.java_cron(expression pg_catalog.text, OUT cron pg_catalog.text, OUT status pg_catalog.text, OUT detail pg_catalog.text)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	f text[] := regexp_split_to_array(btrim(expression), '\s+');
	plain_days text;
	why text;
BEGIN
	status := 'translated';
	IF length(expression) > 500 OR cardinality(f) NOT BETWEEN 5 AND 7 THEN
		SELECT 'refused', 'A cron expression has five fields, one of Quartz six or seven.' INTO status, detail;
		RETURN;
	END IF;
	IF cardinality(f) = 5 THEN
		status := 'approximated';
		detail := 'The Java service takes six or seven fields only, refuses this one or runs every 24 hours instead.';
		f := '0'::text || f;
	ELSE
		f[6] := floe_internal.quartz_field(f[6], 6, true);
	END IF;
	-- names of months and days have these letters, too
	plain_days := f[4] || ' ' || regexp_replace(f[6], '(SUN|MON|TUE|WED|THU|FRI|SAT)', '', 'gi');
	IF plain_days ~* '[lwc#]' THEN
		SELECT 'refused', 'L, W and # (last day, nearest weekday, n-th weekday of the month) are Quartz''s own: cron has nothing of the kind.' INTO status, detail;
	ELSIF f[1] !~ '^[0-5]?[0-9]$' THEN
		SELECT 'refused', 'floe starts operations on the minute; the seconds must be one number.' INTO status, detail;
	ELSIF cardinality(f) = 7 AND f[7] <> '*' THEN
		SELECT 'refused', 'cron has no years.' INTO status, detail;
	ELSE
		cron := concat_ws(' ', floe_internal.quartz_field(f[2], 59, false), floe_internal.quartz_field(f[3], 23, false), floe_internal.quartz_field(f[4], 31, false),
			floe_internal.quartz_field(f[5], 12, false), CASE WHEN f[6] = '?' THEN '*' ELSE f[6] END);
		IF f[1]::int4 <> 0 THEN
			status := 'approximated';
			detail := 'On the minute: cron has no seconds.';
		END IF;
		BEGIN
			IF floe_internal.cron_next(cron, 'UTC', floe_internal.clock()) IS NULL THEN
				SELECT 'refused', 'It never happens.' INTO status, detail;
			END IF;
		EXCEPTION WHEN invalid_parameter_value THEN
			GET STACKED DIAGNOSTICS why = MESSAGE_TEXT;
			SELECT 'refused', format('As cron it is "%s": %s.', cron, why) INTO status, detail;
		END;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_cron(pg_catalog.text) IS 'A cron expression of the Java service (Quartz, six or seven fields; its documentation has five) as cron';

-- ---- schedules ----

CREATE FUNCTION floe_internal.java_windows(place pg_catalog.text, given pg_catalog.jsonb, OUT taken pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	of_field text;
	ends text[] := ARRAY[floe_internal.java_time(given -> 'windowStart'), floe_internal.java_time(given -> 'windowEnd')];
	day_names text[];
BEGIN
	taken := '{}';
	report := '[]';
	FOREACH of_field IN ARRAY ARRAY['windowStart', 'windowEnd'] LOOP
		IF given ? of_field THEN
			report := report || CASE
				WHEN floe_internal.java_time(given -> of_field) IS NULL THEN floe_internal.told(place || of_field, given -> of_field, 'refused', 'It is no time of day: HH:mm.')
				WHEN given ->> of_field ~ ':[0-9]+:.*[1-9]' OR COALESCE(given -> of_field -> 2, '0') <> '0' THEN floe_internal.told(place || of_field, given -> of_field, 'approximated', 'windows. To the minute.')
				ELSE floe_internal.told(place || of_field, given -> of_field, 'translated', CASE WHEN ends[1] = ends[2] THEN 'Equal ends leave the whole day.' ELSE 'windows.' END) END;
		END IF;
	END LOOP;
	IF num_nonnulls(ends[1], ends[2]) > 0 AND ends[1] IS DISTINCT FROM ends[2] THEN
		taken := jsonb_build_object('windows', jsonb_build_array(format('%s-%s', COALESCE(ends[1], '00:00'), COALESCE(ends[2], '24:00'))));
	END IF;
	IF given ? 'allowedDays' THEN
		day_names := CASE WHEN jsonb_typeof(given -> 'allowedDays') = 'string' THEN regexp_split_to_array(given ->> 'allowedDays', ',')
			WHEN floe_internal.has_type(given -> 'allowedDays', 'list of texts') THEN ARRAY(SELECT d.v FROM jsonb_array_elements_text(given -> 'allowedDays') WITH ORDINALITY AS d (v, n) ORDER BY d.n) END;
		IF day_names IS NULL OR EXISTS (SELECT 1 FROM unnest(day_names) AS d WHERE upper(btrim(d)) NOT IN ('MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY')) THEN
			report := report || floe_internal.told(place || 'allowedDays', given -> 'allowedDays', 'refused', 'Days are MONDAY to SUNDAY, with commas between them.');
		ELSE
			taken := taken || jsonb_build_object('days', (SELECT jsonb_agg(DISTINCT lower(left(btrim(d), 3))) FROM unnest(day_names) AS d));
			report := report || CASE WHEN ends[1] > ends[2]
				THEN floe_internal.told(place || 'allowedDays', given -> 'allowedDays', 'approximated', 'days. The part of the window after midnight belongs to the day on which the window opened; in the Java service to the day after.')
				ELSE floe_internal.told(place || 'allowedDays', given -> 'allowedDays', 'translated', 'days.') END;
		END IF;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_windows(pg_catalog.text, pg_catalog.jsonb) IS 'windowStart, windowEnd and allowedDays of a schedule as windows and days';

CREATE FUNCTION floe_internal.java_schedule(place pg_catalog.text, part_values pg_catalog.jsonb, is_stored pg_catalog.bool, timezone pg_catalog.text, OUT taken pg_catalog.jsonb, OUT report pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	f record;
	w record;
	cron record;
	of_field text;
	every text;
	interval_fields text[];
BEGIN
	SELECT * INTO f FROM floe_internal.import_fields('java', 'schedule', place, part_values);
	taken := f.taken;
	report := f.report;
	interval_fields := ARRAY(SELECT k FROM jsonb_object_keys(f.given) AS k WHERE k LIKE 'interval%' ORDER BY k);
	IF interval_fields <> '{}' THEN
		-- the YAML's three are added together
		every := CASE WHEN f.given ? 'interval' THEN floe_internal.java_duration(f.given -> 'interval', 86400)
			WHEN f.given ? 'intervalInDays' THEN floe_internal.java_duration(f.given -> 'intervalInDays', CASE WHEN is_stored THEN 1 ELSE 86400 END)
			ELSE floe_internal.java_duration(to_jsonb(COALESCE((f.given ->> 'intervalDays')::numeric, 0) * 86400 + COALESCE((f.given ->> 'intervalHours')::numeric, 0) * 3600 + COALESCE((f.given ->> 'intervalMinutes')::numeric, 0) * 60), 1) END;
		FOREACH of_field IN ARRAY interval_fields LOOP
			report := report || CASE
				WHEN every IS NULL THEN floe_internal.told(place || of_field, f.given -> of_field, 'refused', 'It is no interval: whole days, or a duration such as PT6H.')
				WHEN every::interval <= '0' THEN floe_internal.told(place || of_field, f.given -> of_field, 'approximated', 'No schedule: it runs whenever the table needs it.')
				WHEN jsonb_typeof(f.given -> of_field) = 'string' THEN floe_internal.told(place || of_field, f.given -> of_field, 'translated', 'every. The Java service documents such intervals and refuses them.')
				ELSE floe_internal.told(place || of_field, f.given -> of_field, 'translated', 'every.') END;
		END LOOP;
		IF every::interval > '0' THEN
			taken := taken || jsonb_build_object('every', every);
		END IF;
	END IF;
	IF btrim(f.given ->> 'cronExpression') <> '' THEN
		IF interval_fields <> '{}' THEN
			report := report || floe_internal.told(place || 'cronExpression', f.given -> 'cronExpression', 'without meaning', 'The interval takes its place, as in the Java service.');
		ELSE
			SELECT * INTO cron FROM floe_internal.java_cron(f.given ->> 'cronExpression');
			report := report || floe_internal.told(place || 'cronExpression', f.given -> 'cronExpression', cron.status, concat_ws(' ', CASE WHEN cron.status <> 'refused' THEN format('schedule "%s".', cron.cron) END, cron.detail));
			taken := taken || jsonb_build_object('schedule', cron.cron);
		END IF;
	END IF;
	SELECT * INTO w FROM floe_internal.java_windows(place, f.given);
	taken := taken || w.taken;
	report := report || w.report;
	IF f.given ? 'timeoutInHours' THEN
		every := floe_internal.java_duration(f.given -> 'timeoutInHours', CASE WHEN is_stored THEN 1 ELSE 3600 END);
		taken := taken || jsonb_build_object('timeout', every);
		report := report || floe_internal.told(place || 'timeoutInHours', f.given -> 'timeoutInHours', CASE WHEN every IS NULL THEN 'refused' ELSE 'translated' END,
			CASE WHEN every IS NULL THEN 'It is no number of hours.' ELSE 'timeout. The Java service kept it and gave every run an hour.' END);
	END IF;
	IF f.given ? 'enabled' THEN
		report := report || CASE WHEN f.given -> 'enabled' = 'true' THEN floe_internal.told(place || 'enabled', 'true', 'translated', NULL)
			ELSE floe_internal.told(place || 'enabled', 'false', 'approximated', 'enabled. The Java service still ran the operation along with others of the policy.') END;
	END IF;
	IF taken ?| ARRAY['schedule', 'windows', 'days'] THEN
		IF timezone IS NOT NULL THEN
			taken := taken || jsonb_build_object('timezone', timezone);
		ELSE
			report := report || floe_internal.told(rtrim(place, '.'), NULL, 'approximated', 'Times are of UTC; the Java service''s are of the zone of its process. Say which with {"timezone": "Europe/Amsterdam"}.');
		END IF;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.java_schedule(pg_catalog.text, pg_catalog.jsonb, pg_catalog.bool, pg_catalog.text) IS 'A schedule of the Java service as keys of an operation; is_stored: numbers are seconds';
