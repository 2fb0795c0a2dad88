-- =================================================================================================
-- 94 fleet
-- What is held for nothing and what it costs; how each table stands against its deadlines; when it crosses a threshold if it goes
-- on like this; totals over time. What takes milliseconds for each table is computed by the way and kept, so that the worst of
-- 100,000 tables are one look into an index.
-- =================================================================================================

CREATE TABLE floe_internal.table_outlook (
	table_id			pg_catalog.int8 PRIMARY KEY REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	due_at				pg_catalog.timestamptz NOT NULL DEFAULT '-infinity',
	computed_at			pg_catalog.timestamptz NOT NULL DEFAULT '-infinity',
	severity			pg_catalog.float8,
	level				pg_catalog.text,
	metric				pg_catalog.text,
	value				pg_catalog.float8,
	warning				pg_catalog.float8,
	operation			pg_catalog.text,
	deadline_at			pg_catalog.timestamptz,
	deadline_operation	pg_catalog.text,
	forecast_at			pg_catalog.timestamptz,
	forecast_metric		pg_catalog.text,
	forecast_level		pg_catalog.text,
	forecast_confidence	pg_catalog.float8,
	expirable_bytes		pg_catalog.int8,
	delete_bytes		pg_catalog.int8,
	orphan_bytes		pg_catalog.int8,
	overhead_bytes		pg_catalog.int8,
	waste_bytes			pg_catalog.int8
) WITH (fillfactor = 80);
CREATE INDEX table_outlook_due ON floe_internal.table_outlook (due_at);
CREATE INDEX table_outlook_severity ON floe_internal.table_outlook (severity DESC NULLS LAST);
CREATE INDEX table_outlook_waste ON floe_internal.table_outlook (waste_bytes DESC NULLS LAST);
CREATE INDEX table_outlook_deadline ON floe_internal.table_outlook (deadline_at);
CREATE INDEX table_outlook_forecast ON floe_internal.table_outlook (forecast_at);
COMMENT ON TABLE floe_internal.table_outlook IS 'What the fleet''s views show of each table; computed anew within the hour after its health changed, and every six hours';
COMMENT ON COLUMN floe_internal.table_outlook.due_at IS 'When it is to be computed next';
COMMENT ON COLUMN floe_internal.table_outlook.severity IS 'Of the worst metric: 0.5 at its warning, 1 at critical';
COMMENT ON COLUMN floe_internal.table_outlook.deadline_at IS 'The first deadline of an operation that has something to do; in the past: missed';
COMMENT ON COLUMN floe_internal.table_outlook.forecast_at IS 'The first crossing of a threshold by a metric that is not beyond it yet; NULL: none within a year, or not known';

CREATE TABLE floe_internal.fleet_day (
	day						pg_catalog.timestamptz PRIMARY KEY,
	measured_at				pg_catalog.timestamptz NOT NULL,
	tables					pg_catalog.int8 NOT NULL,
	tables_warning			pg_catalog.int8 NOT NULL,
	tables_critical			pg_catalog.int8 NOT NULL,
	tables_overdue			pg_catalog.int8 NOT NULL,
	data_file_count			pg_catalog.numeric,
	data_bytes				pg_catalog.numeric,
	excess_file_count		pg_catalog.numeric,
	snapshot_count			pg_catalog.numeric,
	manifest_count			pg_catalog.numeric,
	expirable_bytes			pg_catalog.numeric,
	delete_bytes			pg_catalog.numeric,
	orphan_bytes			pg_catalog.numeric,
	overhead_bytes			pg_catalog.numeric
);
COMMENT ON TABLE floe_internal.fleet_day IS 'Totals of all tables, a row for each day, as last measured on it';
COMMENT ON COLUMN floe_internal.fleet_day.day IS '00:00 UTC';

INSERT INTO floe_internal.retention (relation, rule, time_column, setting, keep, description) VALUES
	('floe_internal.table_outlook', 'owner', NULL, NULL, NULL, 'A row for each assessed table'),
	('floe_internal.fleet_day', 'time', 'day', NULL, '5 years', 'A row for each day: totals of the fleet');

CREATE FUNCTION floe_internal.outlook_due() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	INSERT INTO floe_internal.table_outlook AS o (table_id) VALUES (NEW.table_id)
		ON CONFLICT (table_id) DO UPDATE SET due_at = o.computed_at + interval '1 hour' WHERE o.due_at > o.computed_at + interval '1 hour';
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.outlook_due() IS 'Trigger: what changed is computed anew, but no more than once an hour';

CREATE TRIGGER health_history_outlook AFTER INSERT ON floe_internal.health_history
	FOR EACH ROW EXECUTE FUNCTION floe_internal.outlook_due();

-- Waste ---------------------------------------------------------------------------------------------

CREATE FUNCTION floe_internal.waste_of(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, expirable_bytes pg_catalog.int8, delete_bytes pg_catalog.int8, orphan_bytes pg_catalog.int8, overhead_bytes pg_catalog.int8)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT h.table_id,
		   floe_internal.expirable_bytes(t.snapshots, t.refs, t.current_snapshot_id, (s.settings ->> 'options.max_snapshot_age')::pg_catalog.interval, (s.settings ->> 'options.retain_last')::pg_catalog.int4,
				(floe_internal.property_value(t.properties, 'history.expire.max-ref-age-ms', 'ms') #>> '{}')::pg_catalog.interval, at),
		   h.delete_bytes, CASE WHEN o.bytes IS NOT NULL THEN LEAST(o.bytes, 9e18)::pg_catalog.int8 END,
		   -- what manifests hold of each entry, for those files that bin-packing would remove
		   (h.manifest_bytes::pg_catalog.float8 * h.excess_file_count / NULLIF(h.data_file_count, 0))::pg_catalog.int8
	FROM floe_internal.health AS h
	JOIN floe_internal.iceberg_table AS t ON t.table_id = h.table_id
	JOIN floe_internal.table_setting AS s ON s.table_id = h.table_id AND s.operation = 'expire_snapshots'
	-- as many a day as between the last two runs, of the average size of the table's files
	LEFT JOIN LATERAL (
		SELECT CASE WHEN pg_catalog.count(*) = 2 AND pg_catalog.max(r.finished_at) > pg_catalog.min(r.finished_at) THEN
					(pg_catalog.array_agg(r.removed ORDER BY r.finished_at DESC))[1] / EXTRACT(epoch FROM pg_catalog.max(r.finished_at) - pg_catalog.min(r.finished_at))::pg_catalog.float8
					* GREATEST(EXTRACT(epoch FROM at - pg_catalog.max(r.finished_at))::pg_catalog.float8, 0) * h.average_file_bytes END AS bytes
		FROM (SELECT l.finished_at, (l.worth ->> 'files_removed')::pg_catalog.float8 AS removed
			  FROM floe_internal.operation_log AS l
			  WHERE l.table_id = h.table_id AND l.operation = 'remove_orphan_files' AND l.worth ? 'files_removed' AND l.state <> 'failed'
			  ORDER BY l.operation_id DESC LIMIT 2) AS r
		WHERE EXISTS (SELECT 1 FROM floe_internal.table_operation AS x WHERE x.table_id = h.table_id AND x.operation = 'remove_orphan_files' AND x.last_success_at IS NOT NULL)) AS o ON true
	WHERE h.table_id = ANY (of_table_ids);
END;
COMMENT ON FUNCTION floe_internal.waste_of(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Bytes that some tables hold for nothing; NULL: not known';

-- Forecast ------------------------------------------------------------------------------------------

CREATE FUNCTION floe_internal.trend(x pg_catalog.float8[], y pg_catalog.float8[], OUT slope pg_catalog.float8, OUT confidence pg_catalog.float8)
	RETURNS pg_catalog.record
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY p.slope),
		   (pg_catalog.count(*) FILTER (WHERE p.slope > 0) - pg_catalog.count(*) FILTER (WHERE p.slope < 0))::pg_catalog.float8 / NULLIF(pg_catalog.count(*), 0)
	FROM (SELECT (y[j.n] - y[i.n]) / (x[j.n] - x[i.n]) AS slope
		  FROM pg_catalog.generate_series(1, pg_catalog.cardinality(x)) AS i (n) JOIN pg_catalog.generate_series(1, pg_catalog.cardinality(x)) AS j (n) ON j.n > i.n
		  WHERE x[j.n] > x[i.n]) AS p;
END;
COMMENT ON FUNCTION floe_internal.trend(pg_catalog.float8[], pg_catalog.float8[]) IS 'Theil-Sen: the median slope of all pairs, which a few outliers do not move; confidence: Kendall''s tau, 1 where it only rises, 0 where it rises as often as it falls, -1 where it only falls. x ascending';

-- What maintenance does in a few minutes is no trend: the time from the look before it to the look after it is cut out, with the change in it.
CREATE FUNCTION floe_internal.forecasts(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, since pg_catalog.interval, most_samples pg_catalog.int4)
	RETURNS TABLE (table_id pg_catalog.int8, metric pg_catalog.text, value pg_catalog.float8, unit pg_catalog.text, level pg_catalog.text, severity pg_catalog.float8, warning pg_catalog.float8, critical pg_catalog.float8,
				   remedy pg_catalog.text, requires pg_catalog.text, per_day pg_catalog.float8, confidence pg_catalog.float8, samples pg_catalog.int4, warning_at pg_catalog.timestamptz, critical_at pg_catalog.timestamptz)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH judged AS MATERIALIZED (
		SELECT j.* FROM floe_internal.judged_metrics(of_table_ids, at) AS j WHERE j.warning IS NOT NULL AND j.value IS NOT NULL
	), ranked AS (
		SELECT h.*, pg_catalog.row_number() OVER (PARTITION BY h.table_id ORDER BY h.assessed_at DESC) - 1 AS place, pg_catalog.count(*) OVER (PARTITION BY h.table_id) AS number
		FROM pg_catalog.unnest(of_table_ids) AS i (id)
		-- by the index, and no more of a table that changes every minute
		CROSS JOIN LATERAL (SELECT x.* FROM floe_internal.health_history AS x WHERE x.table_id = i.id AND x.assessed_at > at - since AND x.assessed_at <= at ORDER BY x.assessed_at DESC LIMIT 500) AS h
	), sample AS MATERIALIZED (
		-- evenly thinned, the newest kept; as it is now, because history holds changes only
		SELECT r.table_id, r.assessed_at, pg_catalog.to_jsonb(r) AS metrics FROM ranked AS r
		WHERE r.place * most_samples / GREATEST(r.number, 1) <> (r.place - 1) * most_samples / GREATEST(r.number, 1) OR r.number <= most_samples OR r.place = 0
		UNION ALL
		SELECT h.table_id, at, pg_catalog.to_jsonb(h) FROM floe_internal.health AS h WHERE h.table_id = ANY (of_table_ids) AND h.assessed_at < at
	), step AS MATERIALIZED (
		SELECT s.table_id, s.assessed_at, s.metrics, pg_catalog.lag(s.assessed_at) OVER (PARTITION BY s.table_id ORDER BY s.assessed_at) AS before_at FROM sample AS s
	), cut AS MATERIALIZED (
		SELECT s.table_id, s.assessed_at, s.metrics, pg_catalog.count(*) FILTER (WHERE
				EXISTS (SELECT 1 FROM floe_internal.operation_log AS l WHERE l.table_id = s.table_id AND l.started_at <= s.assessed_at AND l.engine_ended_at > s.before_at)
				OR EXISTS (SELECT 1 FROM floe_internal.external_operation AS x WHERE x.table_id = s.table_id AND x.done_at <= s.assessed_at AND x.done_at > s.before_at))
			OVER (PARTITION BY s.table_id ORDER BY s.assessed_at) AS cuts
		FROM step AS s
	), moved AS (
		SELECT c.table_id, j.metric, c.assessed_at, v.y, c.cuts = pg_catalog.lag(c.cuts) OVER w AS is_trend,
			   EXTRACT(epoch FROM c.assessed_at - pg_catalog.lag(c.assessed_at) OVER w)::pg_catalog.float8 / 86400 AS dx, v.y - pg_catalog.lag(v.y) OVER w AS dy
		FROM cut AS c JOIN judged AS j ON j.table_id = c.table_id
		CROSS JOIN LATERAL (SELECT (c.metrics ->> j.metric)::pg_catalog.float8 AS y) AS v
		WHERE v.y IS NOT NULL
		WINDOW w AS (PARTITION BY c.table_id, j.metric ORDER BY c.assessed_at)
	), glued AS (
		SELECT m.table_id, m.metric, m.assessed_at, pg_catalog.sum(CASE WHEN m.is_trend THEN m.dx ELSE 0 END) OVER w AS x, pg_catalog.sum(CASE WHEN m.is_trend THEN m.dy ELSE 0 END) OVER w AS y
		FROM moved AS m WINDOW w AS (PARTITION BY m.table_id, m.metric ORDER BY m.assessed_at)
	), fit AS (
		SELECT a.table_id, a.metric, a.samples, t.slope, t.confidence
		FROM (SELECT k.table_id, k.metric, pg_catalog.count(DISTINCT k.x)::pg_catalog.int4 AS samples, pg_catalog.array_agg(k.x ORDER BY k.assessed_at) AS xs, pg_catalog.array_agg(k.y ORDER BY k.assessed_at) AS ys
			  FROM glued AS k GROUP BY k.table_id, k.metric) AS a
		CROSS JOIN LATERAL floe_internal.trend(a.xs, a.ys) AS t
	)
	SELECT j.table_id, j.metric, j.value, j.unit, j.level, j.severity, j.warning, j.critical, j.remedy, j.requires,
		   CASE WHEN f.samples >= 4 THEN f.slope END, CASE WHEN f.samples >= 4 THEN f.confidence END, COALESCE(f.samples, 0),
		   CASE WHEN f.samples >= 4 AND f.slope > 0 AND f.confidence >= 0.5 AND j.value < j.warning AND (j.warning - j.value) / f.slope <= 365
				THEN at + pg_catalog.make_interval(secs => (j.warning - j.value) / f.slope * 86400) END,
		   CASE WHEN f.samples >= 4 AND f.slope > 0 AND f.confidence >= 0.5 AND j.value < j.critical AND j.critical < 'Infinity' AND (j.critical - j.value) / f.slope <= 365
				THEN at + pg_catalog.make_interval(secs => (j.critical - j.value) / f.slope * 86400) END
	FROM judged AS j
	LEFT JOIN fit AS f ON f.table_id = j.table_id AND f.metric = j.metric;
END;
COMMENT ON FUNCTION floe_internal.forecasts(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.interval, pg_catalog.int4)
	IS 'Metrics with thresholds, how they went in the time since, without what maintenance did, and when they cross; per_day and confidence NULL: fewer than four samples; a crossing is never in the past, and NULL where there is none within a year or the confidence is below 0.5';

CREATE FUNCTION floe.forecast(pattern pg_catalog.text, since pg_catalog.interval DEFAULT '30 days',
		OUT table_name pg_catalog.text, OUT metric pg_catalog.text, OUT value pg_catalog.float8, OUT level pg_catalog.text, OUT warning pg_catalog.float8, OUT critical pg_catalog.float8,
		OUT per_day pg_catalog.float8, OUT confidence pg_catalog.float8, OUT samples pg_catalog.int4, OUT warning_at pg_catalog.timestamptz, OUT critical_at pg_catalog.timestamptz)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT t.name, f.metric, f.value, f.level, f.warning, NULLIF(f.critical, 'Infinity'), f.per_day, round(f.confidence::numeric, 3)::float8, f.samples, f.warning_at, f.critical_at
	FROM floe_internal.forecasts(ARRAY(SELECT x.table_id FROM floe_internal.iceberg_table AS x WHERE x.status <> 'dropped' AND floe_internal.match_pattern(floe_internal.check_pattern(pattern), x.levels) IS NOT NULL),
		floe_internal.clock(), since, 32) AS f
	JOIN floe_internal.iceberg_table AS t ON t.table_id = f.table_id
	JOIN floe.metric AS m ON m.name = f.metric
	ORDER BY LEAST(f.warning_at, f.critical_at), f.severity DESC, t.name, m.position
$body$;
COMMENT ON FUNCTION floe.forecast(pg_catalog.text, pg_catalog.interval)
	IS 'When metrics of these tables cross their thresholds if they go on as they did: a linear trend (Theil-Sen) over the stored history, from which the jumps of maintenance are taken out; confidence: Kendall''s tau, below 0.5 it is no trend. Takes milliseconds a table; floe.fleet has the first crossing of every table at hand';

-- Keeping it ----------------------------------------------------------------------------------------

CREATE FUNCTION floe_internal.compute_outlook(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	WITH f AS MATERIALIZED (
		SELECT * FROM floe_internal.forecasts(of_table_ids, at, interval '30 days', 16)
	), worst AS (
		SELECT DISTINCT ON (f.table_id) f.* FROM f ORDER BY f.table_id, f.severity DESC, f.metric
	), crossing AS (
		SELECT DISTINCT ON (f.table_id) f.table_id, f.metric, f.confidence, LEAST(f.warning_at, f.critical_at) AS at, CASE WHEN f.warning_at <= f.critical_at OR f.critical_at IS NULL THEN 'warning' ELSE 'critical' END AS level
		FROM f WHERE f.warning_at IS NOT NULL OR f.critical_at IS NOT NULL ORDER BY f.table_id, LEAST(f.warning_at, f.critical_at), f.metric
	), todo AS MATERIALIZED (
		SELECT DISTINCT v.table_id, m.remedy FROM floe_internal.metrics_at(of_table_ids, at) AS v JOIN floe.metric AS m ON m.name = v.metric WHERE m.requires IS NULL AND m.remedy IS NOT NULL AND v.value > 0
	), deadline AS (
		SELECT DISTINCT ON (s.table_id) s.table_id, s.operation, COALESCE(x.last_success_at, t.first_seen_at) + (s.settings ->> 'deadline')::interval AS at
		FROM floe_internal.table_setting AS s
		JOIN floe_internal.iceberg_table AS t ON t.table_id = s.table_id
		LEFT JOIN floe_internal.table_operation AS x ON x.table_id = s.table_id AND x.operation = s.operation
		WHERE s.table_id = ANY (of_table_ids) AND s.settings ?& '{configured,deadline}' AND COALESCE(s.settings ->> 'enabled', 'true') <> 'false'
		  AND EXISTS (SELECT 1 FROM todo AS d WHERE d.table_id = s.table_id AND d.remedy = s.operation)
		ORDER BY s.table_id, 3
	)
	UPDATE floe_internal.table_outlook AS o
		SET due_at = compute_outlook.at + interval '6 hours', computed_at = compute_outlook.at, severity = w.severity, level = w.level, metric = w.metric, value = w.value, warning = w.warning, operation = w.remedy,
			deadline_at = d.at, deadline_operation = d.operation, forecast_at = c.at, forecast_metric = c.metric, forecast_level = c.level, forecast_confidence = c.confidence,
			expirable_bytes = z.expirable_bytes, delete_bytes = z.delete_bytes, orphan_bytes = z.orphan_bytes, overhead_bytes = z.overhead_bytes,
			waste_bytes = CASE WHEN num_nonnulls(z.expirable_bytes, z.delete_bytes, z.orphan_bytes, z.overhead_bytes) > 0
				THEN LEAST(COALESCE(z.expirable_bytes, 0)::numeric + COALESCE(z.delete_bytes, 0) + COALESCE(z.orphan_bytes, 0) + COALESCE(z.overhead_bytes, 0), 9e18)::int8 END
		FROM unnest(of_table_ids) AS i (id)
		LEFT JOIN worst AS w ON w.table_id = i.id
		LEFT JOIN crossing AS c ON c.table_id = i.id
		LEFT JOIN deadline AS d ON d.table_id = i.id
		LEFT JOIN floe_internal.waste_of(of_table_ids, compute_outlook.at) AS z ON z.table_id = i.id
		WHERE o.table_id = i.id;
END
$body$;
COMMENT ON FUNCTION floe_internal.compute_outlook(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Computes floe_internal.table_outlook of some tables';

CREATE FUNCTION floe_internal.refresh_outlook(most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	ids int8[] := ARRAY(SELECT o.table_id FROM floe_internal.table_outlook AS o WHERE o.due_at <= at ORDER BY o.due_at LIMIT most FOR UPDATE SKIP LOCKED);
BEGIN
	IF ids <> '{}' THEN
		PERFORM floe_internal.compute_outlook(ids, at);
	END IF;
	IF cardinality(ids) < most AND EXISTS (SELECT 1 FROM floe_internal.table_outlook) AND NOT EXISTS (SELECT 1 FROM floe_internal.fleet_day AS d WHERE d.measured_at > at - interval '1 hour') THEN
		INSERT INTO floe_internal.fleet_day AS d
			SELECT date_trunc('day', at, 'UTC'), at, count(*), count(*) FILTER (WHERE o.level = 'warning'), count(*) FILTER (WHERE o.level = 'critical'), count(*) FILTER (WHERE o.deadline_at < at),
				   sum(h.data_file_count), sum(h.data_bytes), sum(h.excess_file_count), sum(h.snapshot_count), sum(h.manifest_count),
				   sum(o.expirable_bytes), sum(o.delete_bytes), sum(o.orphan_bytes), sum(o.overhead_bytes)
			FROM floe_internal.table_outlook AS o
			JOIN floe_internal.iceberg_table AS t ON t.table_id = o.table_id AND t.status <> 'dropped'
			LEFT JOIN floe_internal.health AS h ON h.table_id = o.table_id
			ON CONFLICT (day) DO UPDATE SET (measured_at, tables, tables_warning, tables_critical, tables_overdue, data_file_count, data_bytes, excess_file_count, snapshot_count, manifest_count,
					expirable_bytes, delete_bytes, orphan_bytes, overhead_bytes) =
				(EXCLUDED.measured_at, EXCLUDED.tables, EXCLUDED.tables_warning, EXCLUDED.tables_critical, EXCLUDED.tables_overdue, EXCLUDED.data_file_count, EXCLUDED.data_bytes,
				 EXCLUDED.excess_file_count, EXCLUDED.snapshot_count, EXCLUDED.manifest_count, EXCLUDED.expirable_bytes, EXCLUDED.delete_bytes, EXCLUDED.orphan_bytes, EXCLUDED.overhead_bytes);
	END IF;
	RETURN cardinality(ids) = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.refresh_outlook(pg_catalog.int4) IS 'Computes the outlook of tables for which it is due, at most so many, and once an hour the totals of the day; true: there may be more';

-- What people read ----------------------------------------------------------------------------------

CREATE VIEW floe.waste AS
	SELECT t.name AS table_name, o.expirable_bytes, o.delete_bytes, o.orphan_bytes AS orphan_bytes_estimated, o.overhead_bytes AS small_file_overhead_bytes, o.waste_bytes, h.data_bytes,
		   pg_catalog.round(o.waste_bytes / 1073741824::pg_catalog.numeric * r.price, 4) AS price_per_month, r.currency, o.computed_at
	FROM floe_internal.table_outlook AS o
	JOIN floe_internal.iceberg_table AS t ON t.table_id = o.table_id AND t.status <> 'dropped'
	LEFT JOIN floe_internal.health AS h ON h.table_id = o.table_id
	LEFT JOIN floe.rate AS r ON r.name = 'storage'
	WHERE o.computed_at > '-infinity';
COMMENT ON VIEW floe.waste IS 'Bytes that each table holds for nothing, and what they cost a month. expirable_bytes: files that only snapshots need which expire_snapshots would remove, at least; delete_bytes: delete files; orphan_bytes_estimated: as many as between the last two runs that removed orphans, for the time since; small_file_overhead_bytes: what manifests hold of files that bin-packing would remove. NULL: not known, and not in waste_bytes. As of computed_at';

CREATE VIEW floe.fleet AS
	SELECT t.name AS table_name, o.severity, o.level, o.metric, o.value, o.warning, o.operation, o.deadline_operation,
		   CASE WHEN o.deadline_at < c.now THEN c.now - o.deadline_at END AS deadline_lag, o.deadline_at,
		   (SELECT pg_catalog.jsonb_object_agg(x.operation, x.last_success_at) FROM floe_internal.table_operation AS x WHERE x.table_id = o.table_id AND x.last_success_at IS NOT NULL) AS last_success,
		   o.forecast_at, o.forecast_metric, o.forecast_level, o.forecast_confidence, o.waste_bytes, o.computed_at
	FROM floe_internal.table_outlook AS o
	JOIN floe_internal.iceberg_table AS t ON t.table_id = o.table_id AND t.status <> 'dropped'
	-- a function of no fixed value would keep an ORDER BY from the index, were it in a column
	CROSS JOIN (SELECT floe_internal.clock() AS now) AS c
	WHERE o.computed_at > '-infinity';
COMMENT ON VIEW floe.fleet IS 'How each table stands: its worst metric (severity 0.5 at warning, 1 at critical) and what mends it, the first deadline and by how much it is missed, the last success of each operation, and the next threshold that it crosses if it goes on like this. As of computed_at, which is at most an hour after a change of its health; ORDER BY severity DESC NULLS LAST LIMIT n is one look into an index';

CREATE VIEW floe.fleet_history AS
	SELECT d.day, d.measured_at, d.tables, d.tables_warning, d.tables_critical, d.tables_overdue, d.data_file_count, d.data_bytes, d.excess_file_count, d.snapshot_count, d.manifest_count,
		   d.expirable_bytes, d.delete_bytes, d.orphan_bytes AS orphan_bytes_estimated, d.overhead_bytes AS small_file_overhead_bytes,
		   pg_catalog.round((COALESCE(d.expirable_bytes, 0) + COALESCE(d.delete_bytes, 0) + COALESCE(d.orphan_bytes, 0) + COALESCE(d.overhead_bytes, 0)) / 1073741824 * r.price, 2) AS waste_per_month, r.currency
	FROM floe_internal.fleet_day AS d LEFT JOIN floe.rate AS r ON r.name = 'storage';
COMMENT ON VIEW floe.fleet_history IS 'Totals of all tables, a row for each day (UTC) as last measured on it, kept for five years; sums are over the tables of which the number is known; waste_per_month: at the price of today';
