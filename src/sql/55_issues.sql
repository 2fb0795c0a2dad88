-- =================================================================================================
-- 55 metrics and issues
-- From stored health to numbers now (ages move, snapshots become expirable) and to what is beyond a threshold.
-- =================================================================================================

CREATE FUNCTION floe_internal.metrics_at(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, metric pg_catalog.text, value pg_catalog.float8)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT h.table_id, v.metric, v.value
	FROM floe_internal.health AS h
	JOIN floe_internal.iceberg_table AS t ON t.table_id = h.table_id
	JOIN floe_internal.table_setting AS s ON s.table_id = t.table_id AND s.operation = 'expire_snapshots'
	CROSS JOIN LATERAL floe_internal.expirable(t.snapshots, t.refs, t.current_snapshot_id,
		(s.settings ->> 'options.max_snapshot_age')::pg_catalog.interval, (s.settings ->> 'options.retain_last')::pg_catalog.int4,
		CASE WHEN t.properties ? 'history.expire.max-ref-age-ms' THEN (floe_internal.property_value(t.properties, 'history.expire.max-ref-age-ms', 'ms') #>> '{}')::pg_catalog.interval END, at) AS x
	CROSS JOIN LATERAL (VALUES
		('excess_file_count', h.excess_file_count::pg_catalog.float8),
		('small_file_count', h.small_file_count),
		('small_file_bytes', h.small_file_bytes),
		('data_file_count', h.data_file_count),
		('data_bytes', h.data_bytes),
		('record_count', h.record_count),
		('average_file_bytes', h.average_file_bytes),
		('oversized_file_count', h.oversized_file_count),
		('oversized_file_bytes', h.oversized_file_bytes),
		('delete_ratio', h.delete_ratio),
		('equality_delete_file_count', h.equality_delete_file_count),
		('equality_delete_row_count', h.equality_delete_row_count),
		('position_delete_file_count', h.position_delete_file_count),
		('position_delete_row_count', h.position_delete_row_count),
		('excess_delete_file_count', h.excess_delete_file_count),
		('deletion_vector_count', h.deletion_vector_count),
		('deletion_vector_row_count', h.deletion_vector_row_count),
		('delete_bytes', h.delete_bytes),
		('dangling_delete_count', h.dangling_delete_count),
		('manifest_count', h.manifest_count),
		('data_manifest_count', h.data_manifest_count),
		('delete_manifest_count', h.delete_manifest_count),
		('manifest_bytes', h.manifest_bytes),
		('excess_manifest_count', h.excess_manifest_count),
		('deleted_entry_count', h.deleted_entry_count),
		('manifest_spread', h.manifest_spread),
		('partition_count', h.partition_count),
		('partition_skew', h.partition_skew),
		('stat_column_count', h.stat_column_count),
		('expirable_snapshot_count', x.snapshot_count),
		('snapshot_count', h.snapshot_count),
		('oldest_snapshot_age', EXTRACT(epoch FROM at - h.oldest_snapshot_at)),
		('newest_snapshot_age', EXTRACT(epoch FROM at - h.newest_snapshot_at)),
		('last_write_age', EXTRACT(epoch FROM at - h.last_write_at)),
		('commit_interval', h.commit_interval),
		('ref_count', h.ref_count),
		('metadata_json_bytes', h.metadata_json_bytes),
		('metadata_log_count', h.metadata_log_count),
		('table_stats_lag', h.table_stats_lag),
		('table_stats_age', EXTRACT(epoch FROM at - h.table_stats_at)),
		('partition_stats_lag', h.partition_stats_lag),
		('partition_stats_age', EXTRACT(epoch FROM at - h.partition_stats_at))) AS v (metric, value)
	WHERE h.table_id = ANY (of_table_ids);
END;
COMMENT ON FUNCTION floe_internal.metrics_at(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Every metric of assessed tables as of a time; NULL: unknown';

CREATE FUNCTION floe_internal.warning_in_force(settings pg_catalog.jsonb, metric pg_catalog.text, builtin pg_catalog.float8) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE((settings ->> ('thresholds.' || metric || '.warning'))::pg_catalog.float8, builtin, (settings ->> ('thresholds.' || metric || '.critical'))::pg_catalog.float8);
END;
COMMENT ON FUNCTION floe_internal.warning_in_force(pg_catalog.jsonb, pg_catalog.text, pg_catalog.float8) IS 'At what value there is an issue: as policies say, else floe.metric.warning, else from where policies call it critical; NULL: never';

-- Metrics with the thresholds that hold for the table. severity: 0 at zero, 0.5 at warning, 1 at critical, more beyond.
CREATE FUNCTION floe_internal.judged_metrics(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, of_metrics pg_catalog.text[] DEFAULT NULL)
	RETURNS TABLE (table_id pg_catalog.int8, metric pg_catalog.text, value pg_catalog.float8, unit pg_catalog.text, warning pg_catalog.float8, critical pg_catalog.float8,
				   remedy pg_catalog.text, remedy_options pg_catalog.jsonb, requires pg_catalog.text, weight pg_catalog.float8, severity pg_catalog.float8, level pg_catalog.text, set_by_policy pg_catalog.int4, "position" pg_catalog.int2)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH setting AS MATERIALIZED (
		SELECT s.table_id, s.settings, s.origins FROM floe_internal.table_setting AS s WHERE s.table_id = ANY (of_table_ids) AND s.operation = ''
	)
	SELECT v.table_id, m.name, v.value, m.unit, l.warning, l.critical, m.remedy, m.remedy_options, m.requires, m.weight,
		   CASE WHEN v.value IS NULL OR l.warning IS NULL THEN NULL
				WHEN l.warning <= 0 AND l.critical <= 0 THEN 1
				WHEN v.value < l.warning THEN 0.5 * v.value / l.warning
				WHEN v.value >= l.critical THEN CASE WHEN l.critical > 0 THEN v.value / l.critical ELSE 1 END
				ELSE 0.5 + 0.5 * (v.value - l.warning) / (l.critical - l.warning) END,
		   CASE WHEN v.value >= l.critical THEN 'critical' WHEN v.value >= l.warning THEN 'warning' WHEN v.value IS NOT NULL AND l.warning IS NOT NULL THEN 'ok' END,
		   COALESCE((s.origins ->> ('thresholds.' || m.name || '.warning')), (s.origins ->> ('thresholds.' || m.name || '.critical')))::pg_catalog.int4,
		   m.position
	FROM floe_internal.metrics_at(of_table_ids, at) AS v
	JOIN floe.metric AS m ON m.name = v.metric
	JOIN setting AS s ON s.table_id = v.table_id
	CROSS JOIN LATERAL (SELECT
		floe_internal.warning_in_force(s.settings, m.name, m.warning) AS warning,
		COALESCE((s.settings ->> ('thresholds.' || m.name || '.critical'))::pg_catalog.float8, m.critical, 'Infinity') AS critical0) AS l0
	CROSS JOIN LATERAL (SELECT l0.warning, CASE WHEN l0.warning IS NULL THEN NULL ELSE GREATEST(l0.critical0, l0.warning) END AS critical) AS l
	WHERE of_metrics IS NULL OR v.metric = ANY (of_metrics);
END;
COMMENT ON FUNCTION floe_internal.judged_metrics(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.text[]) IS 'Metrics, or some of them, against the thresholds in force; level: ok, warning, critical, NULL without thresholds or value';

CREATE FUNCTION floe_internal.format_interval(value pg_catalog.interval) RETURNS pg_catalog.text
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
-- without a query, of which the executor would have to be started for each value
DECLARE
	seconds int8 := floor(EXTRACT(epoch FROM value));
BEGIN
	RETURN CASE
		WHEN seconds < 0 THEN '0s'
		WHEN seconds < 120 THEN seconds || 's'
		WHEN seconds < 7200 THEN seconds / 60 || 'min'
		WHEN seconds < 172800 THEN seconds / 3600 || 'h'
		ELSE seconds / 86400 || 'd' END;
END
$body$;
COMMENT ON FUNCTION floe_internal.format_interval(pg_catalog.interval) IS 'A duration for people, in its largest sensible unit, rounded down';

CREATE FUNCTION floe_internal.format_metric(value pg_catalog.float8, unit pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN CASE
		WHEN value IS NULL THEN 'unknown'
		WHEN value = 'Infinity' THEN 'none'
		WHEN unit = 'bytes' THEN pg_catalog.pg_size_pretty(value::pg_catalog.int8)
		WHEN unit = 'seconds' THEN floe_internal.format_interval(pg_catalog.make_interval(secs => LEAST(value, 9e9)))
		WHEN unit = 'ratio' THEN pg_catalog.rtrim(pg_catalog.rtrim(pg_catalog.to_char(pg_catalog.trunc(value::pg_catalog.numeric, 3), 'FM999999990.000'), '0'), '.')
		ELSE value::pg_catalog.int8::pg_catalog.text END;
END
$body$;
COMMENT ON FUNCTION floe_internal.format_metric(pg_catalog.float8, pg_catalog.text) IS 'A metric''s value for people';

