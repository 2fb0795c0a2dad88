-- =================================================================================================
-- 64 estimates
-- What an operation would touch, gain and cost, and how that is learned: when a run ends, what it took
-- goes into a few rows of floe_internal.engine_speed. Nothing here reads the log.
-- =================================================================================================

-- The last 16 runs are kept as they were, newest first, and fitted anew when one is added: medians of so few cost less than a decision, and what
-- queued for an hour at the engine does not move them.
CREATE TABLE floe_internal.engine_speed (
	engine				pg_catalog.text NOT NULL,
	operation			pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	size_class			pg_catalog.int2 NOT NULL,
	runs				pg_catalog.int8 NOT NULL DEFAULT 0,
	work				pg_catalog.float8[] NOT NULL DEFAULT '{}',
	default_seconds		pg_catalog.float8[] NOT NULL DEFAULT '{}',
	seconds				pg_catalog.float8[] NOT NULL DEFAULT '{}',
	bytes				pg_catalog.float8[] NOT NULL DEFAULT '{}',
	output_ratios		pg_catalog.float8[] NOT NULL DEFAULT '{}',
	objects_errors		pg_catalog.float8[] NOT NULL DEFAULT '{}',
	bytes_errors		pg_catalog.float8[] NOT NULL DEFAULT '{}',
	minutes_errors		pg_catalog.float8[] NOT NULL DEFAULT '{}',
	fixed_seconds		pg_catalog.float8,
	seconds_per_byte	pg_catalog.float8,
	scale				pg_catalog.float8,
	weight				pg_catalog.float8 NOT NULL DEFAULT 0,
	spread				pg_catalog.float8,
	least_work			pg_catalog.float8,
	most_work			pg_catalog.float8,
	bytes_per_second	pg_catalog.float8,
	output_ratio		pg_catalog.float8,
	objects_error		pg_catalog.float8,
	bytes_error			pg_catalog.float8,
	minutes_error		pg_catalog.float8,
	updated_at			pg_catalog.timestamptz,
	PRIMARY KEY (engine, operation, size_class)
) WITH (fillfactor = 50);
COMMENT ON TABLE floe_internal.engine_speed IS 'What runs of an operation took: a row for each size class on each engine, one for the engine as a whole (size_class -1), one for all engines (engine empty). Arrays: the last 16 runs, newest first';
COMMENT ON COLUMN floe_internal.engine_speed.size_class IS 'Powers of ten of work, from 6 (less than 10 MB) to 15; -1: all';
COMMENT ON COLUMN floe_internal.engine_speed.runs IS 'Ever learned from';
COMMENT ON COLUMN floe_internal.engine_speed.work IS 'Bytes read, and 4 MiB for each file read or written (Iceberg''s read.split.open-file-cost): what the time is a function of';
COMMENT ON COLUMN floe_internal.engine_speed.default_seconds IS 'What would have been estimated without any history';
COMMENT ON COLUMN floe_internal.engine_speed.output_ratios IS 'Bytes written per byte read; NULL: not a rewrite, or not known';
COMMENT ON COLUMN floe_internal.engine_speed.minutes_errors IS '|estimated - measured| / measured, of the estimates as they stood when the operations were queued; NULL: there was none';
COMMENT ON COLUMN floe_internal.engine_speed.seconds_per_byte IS 'Of work, above fixed_seconds; NULL: the runs are too few or too much alike for two numbers, and scale times the default is the one';
COMMENT ON COLUMN floe_internal.engine_speed.weight IS 'Of how many recent runs it speaks: each older one counts a tenth less';
COMMENT ON COLUMN floe_internal.engine_speed.spread IS 'Median of |ln(measured / fitted)| of the runs themselves';

-- Two numbers for each table and operation that no bin-packing arithmetic knows: what a "where", a limit or files of an old spec make of it.
ALTER TABLE floe_internal.table_operation
	ADD COLUMN object_ratio pg_catalog.float8,
	ADD COLUMN bytes_ratio pg_catalog.float8,
	ADD COLUMN output_ratio pg_catalog.float8,
	ADD COLUMN past_objects pg_catalog.float8;
COMMENT ON COLUMN floe_internal.table_operation.object_ratio IS 'Objects that went per object that the metrics promised, the last runs first; NULL: no run measured it. So bytes_ratio of bytes touched, output_ratio of bytes written per byte read';
COMMENT ON COLUMN floe_internal.table_operation.past_objects IS 'What past runs removed, where nothing shows it beforehand (orphan files); the last run is half of it';

CREATE TYPE floe_internal.candidate AS (
	table_id			pg_catalog.int8,
	operation			pg_catalog.text,
	engine				pg_catalog.text,
	applies_deletes		pg_catalog.bool,
	rewrites_all		pg_catalog.bool,
	max_snapshot_age	pg_catalog.interval,
	retain_last			pg_catalog.int4,
	deadline			pg_catalog.interval,
	severity			pg_catalog.float8
);
COMMENT ON TYPE floe_internal.candidate IS 'What estimates and scores need to know of a decision';

CREATE FUNCTION floe_internal.candidate(of_table_id pg_catalog.int8, of_operation pg_catalog.text, settings pg_catalog.jsonb, remedy_options pg_catalog.jsonb, severity pg_catalog.float8)
	RETURNS floe_internal.candidate
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(of_table_id, of_operation, settings ->> 'engine',
		of_operation = 'rewrite_data_files' AND (floe_internal.applies_deletes(remedy_options) OR settings ?| '{options.delete_file_threshold,options.delete_ratio_threshold}'),
		COALESCE((settings ->> 'options.rewrite_all')::pg_catalog.bool, false), (settings ->> 'options.max_snapshot_age')::pg_catalog.interval,
		(settings ->> 'options.retain_last')::pg_catalog.int4, (settings ->> 'deadline')::pg_catalog.interval, severity)::floe_internal.candidate;
END;
COMMENT ON FUNCTION floe_internal.candidate(pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.float8) IS 'A candidate from its settings in force';

CREATE FUNCTION floe_internal.work(bytes pg_catalog.float8, files pg_catalog.float8) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT GREATEST(COALESCE(bytes, 0) + 4194304 * COALESCE(files, 0), 1);
END;
COMMENT ON FUNCTION floe_internal.work(pg_catalog.float8, pg_catalog.float8) IS 'What the time of an operation is a function of: bytes, and 4 MiB for each file';

CREATE FUNCTION floe_internal.default_seconds(bytes pg_catalog.float8) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 12 + COALESCE(bytes, 0) / 20e6;
END;
COMMENT ON FUNCTION floe_internal.default_seconds(pg_catalog.float8) IS 'Without any history: 12 seconds, and 20 MB a second';

CREATE FUNCTION floe_internal.size_class(work pg_catalog.float8) RETURNS pg_catalog.int2
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT LEAST(15, GREATEST(6, pg_catalog.floor(pg_catalog.log(work))))::pg_catalog.int2;
END;
COMMENT ON FUNCTION floe_internal.size_class(pg_catalog.float8) IS 'Powers of ten, 6 to 15';

CREATE FUNCTION floe_internal.weighted_median(numbers pg_catalog.float8[], weights pg_catalog.float8[]) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	-- the middle of the two where the halves weigh the same
	SELECT pg_catalog.avg(m.number) FROM (
		SELECT x.number, pg_catalog.sum(x.weight) OVER (ORDER BY x.number, x.place) AS up_to, x.weight, pg_catalog.sum(x.weight) OVER () AS total
		FROM ROWS FROM (pg_catalog.unnest(numbers), pg_catalog.unnest(weights)) WITH ORDINALITY AS x (number, weight, place)
		WHERE x.number IS NOT NULL AND x.weight > 0) AS m
	WHERE m.up_to >= m.total * 0.4999999999 AND m.up_to - m.weight <= m.total * 0.5000000001;
END;
COMMENT ON FUNCTION floe_internal.weighted_median(pg_catalog.float8[], pg_catalog.float8[]) IS 'NULL numbers do not count; NULL: there are none';

CREATE FUNCTION floe_internal.recent_median(numbers pg_catalog.float8[]) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT floe_internal.weighted_median(numbers, ARRAY(SELECT pg_catalog.pow(0.9::pg_catalog.float8, i - 1) FROM pg_catalog.generate_series(1, pg_catalog.cardinality(numbers)) AS i ORDER BY i));
END;
COMMENT ON FUNCTION floe_internal.recent_median(pg_catalog.float8[]) IS 'Median of numbers of which the first is the newest, each further one counting a tenth less';

-- Theil and Sen's line: the median of the slopes between all pairs, then the median of what is left. Up to a quarter of the runs may be anything.
CREATE FUNCTION floe_internal.fit_speed(work pg_catalog.float8[], default_seconds pg_catalog.float8[], seconds pg_catalog.float8[],
		OUT fixed_seconds pg_catalog.float8, OUT seconds_per_byte pg_catalog.float8, OUT scale pg_catalog.float8, OUT weight pg_catalog.float8, OUT spread pg_catalog.float8)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	n CONSTANT int := cardinality(work);
	weights CONSTANT float8[] := ARRAY(SELECT pow(0.9::float8, i - 1) FROM generate_series(1, n) AS i ORDER BY i);
	slope float8;
BEGIN
	weight := (SELECT sum(w) FROM unnest(weights) AS w);
	scale := floe_internal.weighted_median(ARRAY(SELECT seconds[i] / default_seconds[i] FROM generate_series(1, n) AS i ORDER BY i), weights);
	-- a slope between two runs of nearly the same size is noise
	IF n >= 4 AND (SELECT max(w) >= 2 * min(w) FROM unnest(work) AS w) THEN
		SELECT floe_internal.weighted_median(array_agg((seconds[j] - seconds[i]) / (work[j] - work[i])), array_agg(weights[i] * weights[j] * abs(ln(work[j] / work[i])))) INTO slope
			FROM generate_series(1, n) AS i CROSS JOIN generate_series(1, n) AS j WHERE i < j AND abs(ln(work[j] / work[i])) > 0.1;
	END IF;
	IF slope > 0 THEN
		seconds_per_byte := slope;
		fixed_seconds := floe_internal.weighted_median(ARRAY(SELECT seconds[i] - slope * work[i] FROM generate_series(1, n) AS i ORDER BY i), weights);
		IF fixed_seconds <= 0 THEN
			fixed_seconds := 0;
			seconds_per_byte := floe_internal.weighted_median(ARRAY(SELECT seconds[i] / work[i] FROM generate_series(1, n) AS i ORDER BY i), weights);
		END IF;
	END IF;
	spread := floe_internal.weighted_median(ARRAY(
		SELECT abs(ln(seconds[i] / COALESCE(fixed_seconds + seconds_per_byte * work[i], scale * default_seconds[i]))) FROM generate_series(1, n) AS i ORDER BY i), weights);
END
$body$;
COMMENT ON FUNCTION floe_internal.fit_speed(pg_catalog.float8[], pg_catalog.float8[], pg_catalog.float8[]) IS 'A fixed part and a part by work of what some runs took, newest first; where they do not tell the two apart, a factor on the default';

CREATE FUNCTION floe_internal.relative_error(estimated pg_catalog.float8, measured pg_catalog.float8) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN estimated = measured THEN 0 WHEN measured = 0 THEN 1 ELSE pg_catalog.abs(estimated - measured) / pg_catalog.abs(measured) END;
END;
COMMENT ON FUNCTION floe_internal.relative_error(pg_catalog.float8, pg_catalog.float8) IS '|estimated - measured| / measured; of nothing measured: 1; NULL: either is not known';

CREATE FUNCTION floe_internal.estimate_error(estimate pg_catalog.jsonb, measured pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_object_agg(x.quantity, pg_catalog.round(x.error::pg_catalog.numeric, 4) ORDER BY x.quantity)
	FROM (SELECT q.quantity, floe_internal.relative_error((estimate ->> q.quantity)::pg_catalog.float8, (measured ->> q.quantity)::pg_catalog.float8) AS error
		  FROM pg_catalog.unnest('{objects,bytes,files_after,bytes_freed,minutes,gb_hours}'::pg_catalog.text[]) AS q (quantity)) AS x
	WHERE x.error IS NOT NULL;
END;
COMMENT ON FUNCTION floe_internal.estimate_error(pg_catalog.jsonb, pg_catalog.jsonb) IS 'Relative error of each quantity that was both estimated and measured; NULL: none was';

CREATE FUNCTION floe_internal.engine_memory(engine_name pg_catalog.text) RETURNS pg_catalog.float8
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE((SELECT (s.options ->> 'memory_gb')::pg_catalog.float8 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = engine_name), 2);
END;
COMMENT ON FUNCTION floe_internal.engine_memory(pg_catalog.text) IS 'GB of an engine, for GB-hours: its option memory_gb, else 2';

-- What bin-packing and the other procedures would do, from the stored sums, corrected by what they did to this table before; then the time.
-- From the default over all engines and this engine to the size class each level counts as the runs it knows, fewer the further these were from this size,
-- against one run's worth of the level before.
CREATE FUNCTION floe_internal.estimates(candidates floe_internal.candidate[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, objects pg_catalog.float8, bytes pg_catalog.float8, files_touched pg_catalog.float8,
				   files_before pg_catalog.float8, files_after pg_catalog.float8, bytes_freed pg_catalog.float8,
				   minutes pg_catalog.float8, minutes_low pg_catalog.float8, minutes_high pg_catalog.float8, fixed_minutes pg_catalog.float8, gb_hours pg_catalog.float8,
				   runs pg_catalog.int8, error pg_catalog.float8)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		WITH c AS MATERIALIZED (
			SELECT x.* FROM unnest(candidates) AS x
		), place AS MATERIALIZED (
			-- by engine and operation, not by table
			SELECT d.engine, d.operation, d.memory, s.runs AS s_runs, s.weight AS s_weight, s.fixed_seconds AS s_fixed, s.seconds_per_byte AS s_rate, s.scale AS s_scale, s.least_work AS s_least, s.most_work AS s_most,
				e.runs AS e_runs, e.weight AS e_weight, e.fixed_seconds AS e_fixed, e.seconds_per_byte AS e_rate, e.scale AS e_scale, e.least_work AS e_least, e.most_work AS e_most,
				COALESCE(e.spread, s.spread) AS spread, COALESCE(e.output_ratio, s.output_ratio) AS output_ratio, e.minutes_error
			FROM (SELECT k.engine, k.operation, floe_internal.engine_memory(k.engine) AS memory FROM (SELECT DISTINCT c.engine, c.operation FROM c) AS k) AS d
			LEFT JOIN floe_internal.engine_speed AS s ON s.engine = '' AND s.operation = d.operation AND s.size_class = -1
			LEFT JOIN floe_internal.engine_speed AS e ON e.engine = d.engine AND e.operation = d.operation AND e.size_class = -1
		)
		SELECT c.table_id, c.operation, g.objects, g.bytes, g.files, raw.files_before, raw.files_before - g.objects,
			   CASE c.operation WHEN 'rewrite_data_files' THEN g.bytes * (1 - COALESCE(o.output_ratio, p.output_ratio)) ELSE raw.freed END,
			   t.seconds / 60, t.seconds / 60 * exp(- z.width), t.seconds / 60 * exp(z.width),
			   -- the part that a smaller share of the same table would cost, too
			   LEAST(COALESCE(p.e_fixed, p.s_fixed, 12 * COALESCE(p.e_scale, p.s_scale, 1)), t.seconds) / 60,
			   t.seconds / 3600 * p.memory, LEAST(16, COALESCE(p.e_runs, p.s_runs, 0)), p.minutes_error
		FROM c
		JOIN floe_internal.health AS h ON h.table_id = c.table_id
		JOIN place AS p ON p.operation = c.operation AND p.engine IS NOT DISTINCT FROM c.engine
		LEFT JOIN floe_internal.table_operation AS o ON o.table_id = c.table_id AND o.operation = c.operation
		LEFT JOIN LATERAL (
			SELECT x.snapshot_count, x.freed_files, x.freed_bytes
			FROM floe_internal.iceberg_table AS t
			CROSS JOIN LATERAL floe_internal.expirable(t.snapshots, t.refs, t.current_snapshot_id, c.max_snapshot_age, c.retain_last,
				(floe_internal.property_value(t.properties, 'history.expire.max-ref-age-ms', 'ms') #>> '{}')::interval, at) AS x
			WHERE t.table_id = c.table_id AND c.operation = 'expire_snapshots') AS old ON true
		CROSS JOIN LATERAL (SELECT COALESCE(h.position_delete_file_count, 0) + COALESCE(h.equality_delete_file_count, 0) + COALESCE(h.deletion_vector_count, 0) AS deletes) AS l
		CROSS JOIN LATERAL (SELECT
			CASE c.operation
				WHEN 'rewrite_data_files' THEN COALESCE(h.excess_file_count, 0) + CASE WHEN c.applies_deletes THEN l.deletes ELSE 0 END
				WHEN 'rewrite_position_delete_files' THEN GREATEST(h.excess_delete_file_count, LEAST(h.dangling_delete_count, h.position_delete_file_count), 0)
				WHEN 'rewrite_manifests' THEN COALESCE(h.excess_manifest_count, 0)
				WHEN 'expire_snapshots' THEN COALESCE(old.snapshot_count, 0) END::float8 AS objects,
			CASE c.operation
				WHEN 'rewrite_data_files' THEN CASE WHEN c.applies_deletes OR c.rewrites_all THEN h.data_bytes ELSE COALESCE(h.rewrite_bytes, h.small_file_bytes) END
				WHEN 'rewrite_position_delete_files' THEN h.delete_bytes
				WHEN 'rewrite_manifests' THEN h.manifest_bytes
				WHEN 'compute_table_stats' THEN h.data_bytes
				WHEN 'compute_partition_stats' THEN h.manifest_bytes END::float8 AS bytes,
			CASE c.operation
				WHEN 'rewrite_data_files' THEN CASE WHEN c.applies_deletes OR c.rewrites_all THEN h.data_file_count ELSE COALESCE(h.rewrite_file_count, h.small_file_count) END
				WHEN 'rewrite_position_delete_files' THEN h.position_delete_file_count
				WHEN 'rewrite_manifests' THEN h.manifest_count
				WHEN 'expire_snapshots' THEN old.snapshot_count + old.freed_files
				WHEN 'remove_orphan_files' THEN h.data_file_count + h.manifest_count
				WHEN 'compute_table_stats' THEN h.data_file_count
				WHEN 'compute_partition_stats' THEN h.manifest_count END::float8 AS files,
			-- files that are written: what is read and does not go
			CASE c.operation
				WHEN 'rewrite_data_files' THEN h.excess_file_count
				WHEN 'rewrite_position_delete_files' THEN h.excess_delete_file_count
				WHEN 'rewrite_manifests' THEN h.excess_manifest_count END::float8 AS merged,
			CASE c.operation
				WHEN 'rewrite_data_files' THEN h.data_file_count + l.deletes
				WHEN 'rewrite_position_delete_files' THEN h.position_delete_file_count
				WHEN 'rewrite_manifests' THEN h.manifest_count
				WHEN 'expire_snapshots' THEN h.snapshot_count END::float8 AS files_before,
			CASE c.operation WHEN 'expire_snapshots' THEN old.freed_bytes WHEN 'remove_orphan_files' THEN o.past_objects * h.average_file_bytes END::float8 AS freed) AS raw
		CROSS JOIN LATERAL (SELECT
			CASE WHEN c.operation = 'remove_orphan_files' THEN o.past_objects ELSE LEAST(round(raw.objects * COALESCE(o.object_ratio, 1)), raw.files_before) END AS objects,
			round(raw.bytes * COALESCE(o.bytes_ratio, 1)) AS bytes,
			round((raw.files + GREATEST(COALESCE(raw.files - raw.merged, 0), 0)) * COALESCE(o.bytes_ratio, 1)) AS files) AS g
		CROSS JOIN LATERAL (SELECT floe_internal.work(g.bytes, g.files) AS work, floe_internal.default_seconds(g.bytes) AS seconds) AS w
		LEFT JOIN floe_internal.engine_speed AS k ON k.engine = c.engine AND k.operation = c.operation AND k.size_class = floe_internal.size_class(w.work)
		CROSS JOIN LATERAL (SELECT
			COALESCE(p.s_weight * LEAST(1, p.s_most / w.work, w.work / p.s_least), 0) AS s_weight, ln(COALESCE(p.s_fixed + p.s_rate * w.work, p.s_scale * w.seconds, 1)) AS s_seconds,
			COALESCE(p.e_weight * LEAST(1, p.e_most / w.work, w.work / p.e_least), 0) AS e_weight, ln(COALESCE(p.e_fixed + p.e_rate * w.work, p.e_scale * w.seconds, 1)) AS e_seconds,
			-- a factor on the default says less than a line of all sizes
			CASE WHEN k.seconds_per_byte IS NOT NULL OR p.e_rate IS NULL THEN COALESCE(k.weight, 0) ELSE 0 END AS k_weight, ln(COALESCE(k.fixed_seconds + k.seconds_per_byte * w.work, k.scale * w.seconds, 1)) AS k_seconds) AS n
		CROSS JOIN LATERAL (SELECT (n.s_weight * n.s_seconds + ln(w.seconds)) / (n.s_weight + 1) AS seconds) AS t0
		CROSS JOIN LATERAL (SELECT (n.e_weight * n.e_seconds + t0.seconds) / (n.e_weight + 1) AS seconds) AS t1
		CROSS JOIN LATERAL (SELECT exp((n.k_weight * n.k_seconds + t1.seconds) / (n.k_weight + 1)) AS seconds) AS t
		-- four times as much or as little while nothing is known; then two and a half times what the runs themselves differ by
		CROSS JOIN LATERAL (SELECT (GREATEST(n.e_weight, n.s_weight) * 2.5 * GREATEST(COALESCE(p.spread, 0), 0.05) + ln(4::float8)) / (GREATEST(n.e_weight, n.s_weight) + 1) AS width) AS z;
END
$body$;
COMMENT ON FUNCTION floe_internal.estimates(floe_internal.candidate[], pg_catalog.timestamptz) IS 'Gain (objects that would go, bytes_freed) and cost (bytes and files to touch, minutes, GB-hours) of candidates; runs: how many past runs the time rests on, 0: a default; error: median relative error of past estimates of minutes';

-- ---- what a run really was ----

CREATE FUNCTION floe_internal.engine_number(engine_result pg_catalog.jsonb, key pg_catalog.text) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN pg_catalog.jsonb_typeof(engine_result) = 'array' THEN COALESCE(
		-- Spark: one row; Trino: a row for each number, as text
		CASE WHEN pg_catalog.jsonb_typeof(engine_result #> ARRAY['0', key]) = 'number' THEN (engine_result #>> ARRAY['0', key])::pg_catalog.float8 END,
		(SELECT (r ->> 'metric_value')::pg_catalog.float8 FROM pg_catalog.jsonb_array_elements(engine_result) AS r
		 WHERE r ->> 'metric_name' = key AND r ->> 'metric_value' ~ '^[0-9]{1,18}$' LIMIT 1)) END;
END;
COMMENT ON FUNCTION floe_internal.engine_number(pg_catalog.jsonb, pg_catalog.text) IS 'A number that the engine returned under this name; NULL: it did not, or something else';

-- The table's metadata first, as everywhere: of a rewrite the summaries of its own snapshots; the engine's words where these are silent.
CREATE FUNCTION floe_internal.measured(of_operation pg_catalog.text, before pg_catalog.jsonb, effect pg_catalog.jsonb, new_snapshots pg_catalog.jsonb, engine_result pg_catalog.jsonb,
		snapshots_gone pg_catalog.float8, files_gone pg_catalog.float8, bytes_gone pg_catalog.float8, seconds pg_catalog.float8, memory_gb pg_catalog.float8) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('objects', m.objects, 'bytes', m.bytes, 'files_touched', m.files, 'files_before', m.files_before,
		'files_after', m.files_before - m.objects, 'bytes_freed', m.freed, 'bytes_written', CASE of_operation WHEN 'rewrite_data_files' THEN own.added_bytes END,
		'minutes', pg_catalog.round((seconds / 60)::pg_catalog.numeric, 4), 'gb_hours', pg_catalog.round((seconds / 3600 * memory_gb)::pg_catalog.numeric, 6)))
	FROM (SELECT pg_catalog.sum((s ->> 'added_data_files')::pg_catalog.float8) AS added, pg_catalog.sum((s ->> 'deleted_data_files')::pg_catalog.float8) AS deleted,
			  pg_catalog.sum((s ->> 'added_bytes')::pg_catalog.float8) AS added_bytes, pg_catalog.sum((s ->> 'removed_bytes')::pg_catalog.float8) AS removed_bytes
		  FROM pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(new_snapshots) = 'array' THEN new_snapshots ELSE '[]' END) AS s WHERE s ->> 'operation' = 'replace') AS own
	CROSS JOIN LATERAL (SELECT COALESCE((before ->> 'position_delete_file_count')::pg_catalog.float8, 0) + COALESCE((before ->> 'equality_delete_file_count')::pg_catalog.float8, 0)
			+ COALESCE((before ->> 'deletion_vector_count')::pg_catalog.float8, 0) AS deletes,
		- COALESCE((effect ->> 'position_delete_file_count')::pg_catalog.float8, 0) - COALESCE((effect ->> 'equality_delete_file_count')::pg_catalog.float8, 0)
			- COALESCE((effect ->> 'deletion_vector_count')::pg_catalog.float8, 0) AS deletes_gone,
		COALESCE(own.deleted, floe_internal.engine_number(engine_result, 'rewritten_data_files_count')) AS files_read,
		COALESCE(own.added, floe_internal.engine_number(engine_result, 'added_data_files_count')) AS files_written,
		floe_internal.engine_number(engine_result, 'rewritten_delete_files_count') AS deletes_read, floe_internal.engine_number(engine_result, 'added_delete_files_count') AS deletes_written) AS d
	CROSS JOIN LATERAL (SELECT
		CASE of_operation
			WHEN 'rewrite_data_files' THEN COALESCE(d.files_read - d.files_written, - (effect ->> 'data_file_count')::pg_catalog.float8) + GREATEST(d.deletes_gone, 0)
			WHEN 'rewrite_position_delete_files' THEN COALESCE(d.deletes_read - d.deletes_written, - (effect ->> 'position_delete_file_count')::pg_catalog.float8, 0)
			WHEN 'rewrite_manifests' THEN - COALESCE((effect ->> 'manifest_count')::pg_catalog.float8, 0)
			WHEN 'expire_snapshots' THEN snapshots_gone
			WHEN 'remove_orphan_files' THEN (effect ->> 'orphan_files_removed')::pg_catalog.float8 END AS objects,
		CASE of_operation
			-- a summary's removed bytes are those of delete files, too
			WHEN 'rewrite_data_files' THEN COALESCE(floe_internal.engine_number(engine_result, 'rewritten_bytes_count'), own.removed_bytes)
			WHEN 'rewrite_position_delete_files' THEN COALESCE(floe_internal.engine_number(engine_result, 'rewritten_bytes_count'), (before ->> 'delete_bytes')::pg_catalog.float8)
			WHEN 'rewrite_manifests' THEN (before ->> 'manifest_bytes')::pg_catalog.float8
			WHEN 'compute_table_stats' THEN (before ->> 'data_bytes')::pg_catalog.float8
			WHEN 'compute_partition_stats' THEN (before ->> 'manifest_bytes')::pg_catalog.float8 END AS bytes,
		CASE of_operation
			WHEN 'rewrite_data_files' THEN d.files_read + d.files_written
			WHEN 'rewrite_position_delete_files' THEN d.deletes_read + d.deletes_written
			WHEN 'rewrite_manifests' THEN 2 * (before ->> 'manifest_count')::pg_catalog.float8 + COALESCE((effect ->> 'manifest_count')::pg_catalog.float8, 0)
			WHEN 'expire_snapshots' THEN snapshots_gone + COALESCE(floe_internal.engine_number(engine_result, 'deleted_data_files_count'), files_gone)
			WHEN 'remove_orphan_files' THEN (before ->> 'data_file_count')::pg_catalog.float8 + (before ->> 'manifest_count')::pg_catalog.float8
			WHEN 'compute_table_stats' THEN (before ->> 'data_file_count')::pg_catalog.float8
			WHEN 'compute_partition_stats' THEN (before ->> 'manifest_count')::pg_catalog.float8 END AS files,
		CASE of_operation
			WHEN 'rewrite_data_files' THEN (before ->> 'data_file_count')::pg_catalog.float8 + d.deletes
			WHEN 'rewrite_position_delete_files' THEN (before ->> 'position_delete_file_count')::pg_catalog.float8
			WHEN 'rewrite_manifests' THEN (before ->> 'manifest_count')::pg_catalog.float8
			WHEN 'expire_snapshots' THEN (before ->> 'snapshot_count')::pg_catalog.float8 END AS files_before,
		CASE of_operation
			WHEN 'rewrite_data_files' THEN own.removed_bytes - own.added_bytes
			-- of what nobody refers to any more the engine may have left some
			WHEN 'expire_snapshots' THEN pg_catalog.round(bytes_gone * LEAST(1, COALESCE(floe_internal.engine_number(engine_result, 'deleted_data_files_count') / NULLIF(files_gone, 0), 1))) END AS freed) AS m;
END;
COMMENT ON FUNCTION floe_internal.measured(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.float8, pg_catalog.float8, pg_catalog.float8, pg_catalog.float8)
	IS 'A run in the quantities of its estimate; a quantity that nothing tells is not there. files_gone, bytes_gone: what only the removed snapshots held';

-- ---- learning ----

CREATE FUNCTION floe_internal.learn_ratio(old pg_catalog.float8, estimated pg_catalog.float8, measured pg_catalog.float8) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	-- estimated is already corrected by old; half the way each time
	SELECT CASE WHEN estimated > 0 AND measured IS NOT NULL
		THEN LEAST(20, GREATEST(0.05, COALESCE(old, 1) * pg_catalog.sqrt(LEAST(400, GREATEST(measured, 0) / estimated)))) ELSE old END;
END;
COMMENT ON FUNCTION floe_internal.learn_ratio(pg_catalog.float8, pg_catalog.float8, pg_catalog.float8) IS 'What to correct the next estimate by, from 0.05 to 20; NULL: nothing was ever measured';

CREATE FUNCTION floe_internal.add_run(of_engine pg_catalog.text, of_operation pg_catalog.text, of_size_class pg_catalog.int2, work pg_catalog.float8, bytes pg_catalog.float8, seconds pg_catalog.float8,
		output_ratio pg_catalog.float8, errors pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	most CONSTANT int := 16;
	s floe_internal.engine_speed;
	f record;
BEGIN
	INSERT INTO floe_internal.engine_speed (engine, operation, size_class) VALUES (of_engine, of_operation, of_size_class) ON CONFLICT DO NOTHING;
	SELECT * INTO s FROM floe_internal.engine_speed AS x WHERE x.engine = of_engine AND x.operation = of_operation AND x.size_class = of_size_class FOR UPDATE;
	s.work := (ARRAY[work] || s.work)[1:most];
	s.default_seconds := (ARRAY[floe_internal.default_seconds(bytes)] || s.default_seconds)[1:most];
	s.seconds := (ARRAY[seconds] || s.seconds)[1:most];
	s.bytes := (ARRAY[COALESCE(bytes, 0)] || s.bytes)[1:most];
	s.output_ratios := (ARRAY[output_ratio] || s.output_ratios)[1:most];
	s.objects_errors := (ARRAY[(errors ->> 'objects')::float8] || s.objects_errors)[1:most];
	s.bytes_errors := (ARRAY[(errors ->> 'bytes')::float8] || s.bytes_errors)[1:most];
	s.minutes_errors := (ARRAY[(errors ->> 'minutes')::float8] || s.minutes_errors)[1:most];
	SELECT * INTO f FROM floe_internal.fit_speed(s.work, s.default_seconds, s.seconds);
	UPDATE floe_internal.engine_speed AS x
		SET runs = x.runs + 1, work = s.work, default_seconds = s.default_seconds, seconds = s.seconds, bytes = s.bytes, output_ratios = s.output_ratios,
			objects_errors = s.objects_errors, bytes_errors = s.bytes_errors, minutes_errors = s.minutes_errors,
			fixed_seconds = f.fixed_seconds, seconds_per_byte = f.seconds_per_byte, scale = f.scale, weight = f.weight, spread = f.spread,
			least_work = (SELECT min(w) FROM unnest(s.work) AS w), most_work = (SELECT max(w) FROM unnest(s.work) AS w),
			bytes_per_second = (SELECT sum(b) FROM unnest(s.bytes) AS b) / (SELECT sum(z) FROM unnest(s.seconds) AS z),
			output_ratio = floe_internal.recent_median(s.output_ratios), objects_error = floe_internal.recent_median(s.objects_errors),
			bytes_error = floe_internal.recent_median(s.bytes_errors), minutes_error = floe_internal.recent_median(s.minutes_errors), updated_at = floe_internal.clock()
		WHERE x.engine = of_engine AND x.operation = of_operation AND x.size_class = of_size_class;
END
$body$;
COMMENT ON FUNCTION floe_internal.add_run(pg_catalog.text, pg_catalog.text, pg_catalog.int2, pg_catalog.float8, pg_catalog.float8, pg_catalog.float8, pg_catalog.float8, pg_catalog.jsonb) IS 'Adds a run to one row of floe_internal.engine_speed and fits it anew';

-- The last thing in the transaction that ends an operation: its rows are those of many others. Only what the engine itself saw to its end, at the first
-- attempt, tells how long it takes.
CREATE FUNCTION floe_internal.learn(of_operation_id pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	l floe_internal.operation_log;
	seconds float8;
	bytes float8;
	ratio float8;
	total float8;
	errors jsonb;
BEGIN
	SELECT * INTO l FROM floe_internal.operation_log AS x WHERE x.operation_id = of_operation_id AND x.state = 'succeeded' AND x.outcome = 'succeeded' AND x.measured IS NOT NULL;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	seconds := (l.measured ->> 'minutes')::float8 * 60;
	bytes := COALESCE(l.measured ->> 'bytes', l.estimate ->> 'bytes')::float8;
	ratio := (l.measured ->> 'bytes_written')::float8 / NULLIF((l.measured ->> 'bytes')::float8, 0);
	-- of a slice it is the arithmetic of its partitions that was estimated, not this table's own
	UPDATE floe_internal.table_operation AS x
		SET object_ratio = CASE WHEN l.estimate ? 'slice' OR l.operation = 'remove_orphan_files' THEN x.object_ratio
				ELSE floe_internal.learn_ratio(x.object_ratio, (l.estimate ->> 'objects')::float8, (l.measured ->> 'objects')::float8) END,
			bytes_ratio = CASE WHEN l.estimate ? 'slice' THEN x.bytes_ratio
				ELSE floe_internal.learn_ratio(x.bytes_ratio, (l.estimate ->> 'bytes')::float8, (l.measured ->> 'bytes')::float8) END,
			output_ratio = CASE WHEN ratio IS NOT NULL THEN (ratio + COALESCE(x.output_ratio, ratio)) / 2 ELSE x.output_ratio END,
			past_objects = CASE WHEN l.operation = 'remove_orphan_files' AND l.measured ? 'objects' THEN round(((l.measured ->> 'objects')::float8 + COALESCE(x.past_objects, (l.measured ->> 'objects')::float8)) / 2)
				ELSE x.past_objects END
		WHERE x.table_id = l.table_id AND x.operation = l.operation;
	IF seconds > 0 AND l.attempt <= 1 THEN
		errors := l.measured -> 'error';
		total := floe_internal.work(bytes, COALESCE(l.measured ->> 'files_touched', l.estimate ->> 'files_touched')::float8);
		-- from the widest row to the narrowest, so that two that learn at once never wait for each other
		PERFORM floe_internal.add_run('', l.operation, -1::int2, total, bytes, seconds, ratio, errors);
		PERFORM floe_internal.add_run(l.engine, l.operation, -1::int2, total, bytes, seconds, ratio, errors);
		PERFORM floe_internal.add_run(l.engine, l.operation, floe_internal.size_class(total), total, bytes, seconds, ratio, errors);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.learn(pg_catalog.int8) IS 'What the next estimates take from an operation that has just ended';

CREATE FUNCTION floe_internal.throughput(of_engine pg_catalog.text, of_operation pg_catalog.text, OUT bytes_per_second pg_catalog.float8, OUT runs pg_catalog.int8)
	RETURNS pg_catalog.record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(NULLIF(s.bytes_per_second, 0), 20e6), LEAST(COALESCE(s.runs, 0), 16)
	FROM (SELECT 1) AS one LEFT JOIN floe_internal.engine_speed AS s ON s.engine = of_engine AND s.operation = of_operation AND s.size_class = -1;
END;
COMMENT ON FUNCTION floe_internal.throughput(pg_catalog.text, pg_catalog.text) IS 'Bytes per second of the last 16 runs, start-up included; 20 MB/s while there are none (runs = 0)';

CREATE VIEW floe.estimate_errors AS
	SELECT NULLIF(s.engine, '') AS engine, s.operation, s.runs, s.objects_error AS objects, s.bytes_error AS bytes, s.minutes_error AS minutes,
		   s.fixed_seconds, 1 / s.seconds_per_byte AS work_per_second, s.bytes_per_second, s.output_ratio, s.updated_at
	FROM floe_internal.engine_speed AS s WHERE s.size_class = -1;
COMMENT ON VIEW floe.estimate_errors IS 'What estimates were worth: median of |estimated - measured| / measured of the last 16 runs, the newest counting most, by engine and operation (engine NULL: all engines), and what the speed is taken to be';
