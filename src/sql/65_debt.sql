-- =================================================================================================
-- 65 estimates and debt
-- What an operation would gain and cost, and the score that orders candidates. Every term is a number
-- from 0 to 1 before its weight.
-- =================================================================================================

-- Bytes per second that finished runs of this engine and operation achieved.
CREATE FUNCTION floe_internal.throughput(of_engine pg_catalog.text, of_operation pg_catalog.text, OUT bytes_per_second pg_catalog.float8, OUT runs pg_catalog.int8)
	RETURNS pg_catalog.record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT COALESCE(pg_catalog.sum(r.bytes) / NULLIF(pg_catalog.sum(r.seconds), 0), 20e6), pg_catalog.count(*)
	FROM (SELECT (l.estimate ->> 'bytes')::pg_catalog.float8 AS bytes, EXTRACT(epoch FROM l.engine_ended_at - l.started_at)::pg_catalog.float8 AS seconds
		  FROM floe_internal.operation_log AS l
		  WHERE l.engine = of_engine AND l.operation = of_operation AND l.state = 'succeeded' AND l.estimate ->> 'bytes' IS NOT NULL AND l.engine_ended_at > l.started_at
		  ORDER BY l.operation_id DESC LIMIT 20) AS r;
END;
COMMENT ON FUNCTION floe_internal.throughput(pg_catalog.text, pg_catalog.text) IS 'Learned from the last 20 successful runs; 20 MB/s while there are none (runs = 0)';

CREATE FUNCTION floe_internal.estimates(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, objects pg_catalog.float8, bytes pg_catalog.float8, minutes pg_catalog.float8, gb_hours pg_catalog.float8, runs pg_catalog.int8)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH setting AS MATERIALIZED (
		SELECT x.table_id, x.operation, COALESCE(x.settings ->> 'engine', '') AS engine FROM floe_internal.table_setting AS x WHERE x.table_id = ANY (of_table_ids) AND x.operation <> ''
	), m AS MATERIALIZED (
		SELECT v.table_id, pg_catalog.jsonb_object_agg(v.metric, v.value) AS metrics FROM floe_internal.metrics_at(of_table_ids, at) AS v GROUP BY v.table_id
	), speed AS MATERIALIZED (
		-- by engine and operation, not by table
		SELECT d.engine, d.operation, w.bytes_per_second, w.runs,
			   COALESCE((SELECT (s.options ->> 'memory_gb')::pg_catalog.float8 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = d.engine), 2) AS memory_gb
		FROM (SELECT DISTINCT x.engine, x.operation FROM setting AS x) AS d
		CROSS JOIN LATERAL floe_internal.throughput(d.engine, d.operation) AS w
	)
	SELECT s.table_id, s.operation, e.objects, e.bytes, t.minutes, t.minutes / 60 * speed.memory_gb, speed.runs
	FROM setting AS s
	JOIN m ON m.table_id = s.table_id
	JOIN speed ON speed.operation = s.operation AND speed.engine = s.engine
	CROSS JOIN LATERAL (SELECT
		CASE s.operation
			WHEN 'rewrite_data_files' THEN COALESCE((m.metrics ->> 'excess_file_count')::pg_catalog.float8, 0) + COALESCE(d.delete_files, 0)
			WHEN 'rewrite_position_delete_files' THEN GREATEST((m.metrics ->> 'excess_delete_file_count')::pg_catalog.float8,
				LEAST((m.metrics ->> 'dangling_delete_count')::pg_catalog.float8, (m.metrics ->> 'position_delete_file_count')::pg_catalog.float8), 0)
			WHEN 'rewrite_manifests' THEN COALESCE((m.metrics ->> 'excess_manifest_count')::pg_catalog.float8, 0)
			WHEN 'expire_snapshots' THEN COALESCE((m.metrics ->> 'expirable_snapshot_count')::pg_catalog.float8, 0) END AS objects,
		CASE s.operation
			WHEN 'rewrite_data_files' THEN CASE WHEN d.delete_files > 0 THEN (m.metrics ->> 'data_bytes')::pg_catalog.float8 ELSE (m.metrics ->> 'small_file_bytes')::pg_catalog.float8 END
			WHEN 'rewrite_position_delete_files' THEN (m.metrics ->> 'delete_bytes')::pg_catalog.float8
			WHEN 'rewrite_manifests' THEN (m.metrics ->> 'manifest_bytes')::pg_catalog.float8
			WHEN 'compute_table_stats' THEN (m.metrics ->> 'data_bytes')::pg_catalog.float8
			WHEN 'compute_partition_stats' THEN (m.metrics ->> 'manifest_bytes')::pg_catalog.float8 END AS bytes
		FROM (SELECT CASE WHEN (m.metrics ->> 'delete_ratio')::pg_catalog.float8 >= 0.2 OR (m.metrics ->> 'equality_delete_file_count')::pg_catalog.float8 >= 20
						THEN COALESCE((m.metrics ->> 'position_delete_file_count')::pg_catalog.float8, 0) + COALESCE((m.metrics ->> 'equality_delete_file_count')::pg_catalog.float8, 0) END AS delete_files) AS d) AS e
	CROSS JOIN LATERAL (SELECT 0.2 + COALESCE(e.bytes, 0) / speed.bytes_per_second / 60 AS minutes) AS t;
END;
COMMENT ON FUNCTION floe_internal.estimates(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Gain (objects that would go) and cost (bytes to touch, minutes, GB-hours) per table and operation; runs: how many past runs the speed rests on, 0: a default';

CREATE FUNCTION floe_internal.log_scale(value pg_catalog.float8, top pg_catalog.float8) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT LEAST(1, pg_catalog.ln(1 + GREATEST(COALESCE(value, 0), 0)) / pg_catalog.ln(1 + top));
END;
COMMENT ON FUNCTION floe_internal.log_scale(pg_catalog.float8, pg_catalog.float8) IS '0 to 1, logarithmic, 1 at top and beyond';

CREATE FUNCTION floe_internal.debt_terms(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, of_calls floe_internal.call[] DEFAULT NULL)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, term pg_catalog.text, "position" pg_catalog.int2, raw pg_catalog.float8, value pg_catalog.float8,
				   weight pg_catalog.float8, contribution pg_catalog.float8)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH setting AS MATERIALIZED (
		SELECT x.table_id, x.settings FROM floe_internal.table_setting AS x WHERE x.table_id = ANY (of_table_ids) AND x.operation = ''
	), context AS MATERIALIZED (
		SELECT x.table_id, x.operation, x.settings ->> 'deadline' AS deadline, x.severity FROM floe_internal.decision_context(of_table_ids, at, of_calls) AS x
	), estimate AS MATERIALIZED (
		SELECT * FROM floe_internal.estimates(of_table_ids, at)
	)
	SELECT c.table_id, c.operation, d.term, d.position, v.raw, v.value, w.weight, CASE WHEN d.is_penalty THEN - v.value ELSE v.value END * w.weight
	FROM context AS c
	JOIN floe_internal.iceberg_table AS t ON t.table_id = c.table_id
	JOIN setting AS s ON s.table_id = c.table_id
	LEFT JOIN estimate AS e ON e.table_id = c.table_id AND e.operation = c.operation
	LEFT JOIN floe_internal.table_operation AS x ON x.table_id = c.table_id AND x.operation = c.operation
	CROSS JOIN LATERAL (SELECT EXTRACT(epoch FROM at - COALESCE(x.last_success_at, t.first_seen_at))::pg_catalog.float8 AS idle,
		EXTRACT(epoch FROM COALESCE(c.deadline::pg_catalog.interval, '30 days'))::pg_catalog.float8 AS patience) AS i
	CROSS JOIN LATERAL (VALUES
		('severity', COALESCE(c.severity, 0), LEAST(1, COALESCE(c.severity, 0))),
		('gain', COALESCE(e.objects, 0), floe_internal.log_scale(e.objects, 100000)),
		('benefit', COALESCE(e.objects / NULLIF(e.gb_hours, 0), 0), floe_internal.log_scale(e.objects / NULLIF(e.gb_hours, 0), 100000)),
		('age', i.idle, LEAST(1, GREATEST(0, i.idle) / i.patience)),
		('failures', COALESCE(x.failures, 0)::pg_catalog.float8, LEAST(5, COALESCE(x.failures, 0)) / 5.0)) AS v (term, raw, value)
	JOIN floe.debt_term AS d ON d.term = v.term
	CROSS JOIN LATERAL (SELECT COALESCE((s.settings ->> ('weights.' || d.term))::pg_catalog.float8, d.weight) AS weight) AS w;
END;
COMMENT ON FUNCTION floe_internal.debt_terms(pg_catalog.int8[], pg_catalog.timestamptz, floe_internal.call[]) IS 'Each term of the debt score per table and operation: measured, from 0 to 1, weighted';

CREATE FUNCTION floe.debt(table_name pg_catalog.text,
		OUT operation pg_catalog.text, OUT term pg_catalog.text, OUT raw pg_catalog.float8, OUT value pg_catalog.float8, OUT weight pg_catalog.float8, OUT contribution pg_catalog.float8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT d.operation, d.term, round(d.raw::numeric, 3)::float8, round(d.value::numeric, 4)::float8, d.weight, round(d.contribution::numeric, 4)::float8
	FROM (SELECT (floe_internal.require_table(table_name)).table_id) AS t
	CROSS JOIN LATERAL floe_internal.debt_terms(ARRAY[t.table_id], floe_internal.clock()) AS d
	JOIN floe_internal.operation_kind AS k ON k.operation = d.operation
	ORDER BY k.position, d.position
$body$;
COMMENT ON FUNCTION floe.debt(pg_catalog.text) IS 'Breakdown of a table''s debt score: per operation and term, as measured (raw), from 0 to 1 (value), and weighted';

