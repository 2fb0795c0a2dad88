-- =================================================================================================
-- 68 what can call
-- The cheap look before the decision proper, which takes about a millisecond for each table: most tables
-- of a fleet need nothing. What is set is the same for all tables of a policy list, so it is worked out
-- once for each list, and tables are compared with it as rows of numbers, many at a time.
-- =================================================================================================

-- One column for each metric that a remedy is for; Infinity: at no value. Of an operation that is off, or that conditions call for, thresholds call for nothing.
-- A hair below the threshold: the severity, which decides, is a quotient and rounded.
CREATE FUNCTION floe_internal.call_limits(of_set_ids pg_catalog.int4[])
	RETURNS TABLE (set_id pg_catalog.int4, excess_file_count pg_catalog.float8, small_file_count pg_catalog.float8, data_file_count pg_catalog.float8, delete_ratio pg_catalog.float8,
				   equality_delete_file_count pg_catalog.float8, excess_delete_file_count pg_catalog.float8, position_delete_file_count pg_catalog.float8, deletion_vector_count pg_catalog.float8,
				   dangling_delete_count pg_catalog.float8, manifest_count pg_catalog.float8, excess_manifest_count pg_catalog.float8, deleted_entry_count pg_catalog.float8,
				   manifest_spread pg_catalog.float8, expirable_snapshot_count pg_catalog.float8, snapshot_count pg_catalog.float8, oldest_snapshot_age pg_catalog.float8,
				   table_stats_lag pg_catalog.float8, table_stats_age pg_catalog.float8, partition_stats_lag pg_catalog.float8, partition_stats_age pg_catalog.float8)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY
		SELECT l.set_id, COALESCE(min(l.warning) FILTER (WHERE l.name = 'excess_file_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'small_file_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'data_file_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'delete_ratio'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'equality_delete_file_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'excess_delete_file_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'position_delete_file_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'deletion_vector_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'dangling_delete_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'manifest_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'excess_manifest_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'deleted_entry_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'manifest_spread'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'expirable_snapshot_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'snapshot_count'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'oldest_snapshot_age'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'table_stats_lag'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'table_stats_age'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'partition_stats_lag'), 'Infinity'),
			COALESCE(min(l.warning) FILTER (WHERE l.name = 'partition_stats_age'), 'Infinity')
		FROM (SELECT s.set_id, m.name, floe_internal.warning_in_force(e.settings, m.name, m.warning) * (1 - 1e-12) AS warning
			  FROM unnest(of_set_ids) AS s (set_id)
			  CROSS JOIN floe.metric AS m
			  JOIN floe_internal.effective AS o ON o.policy_set_id = s.set_id AND o.operation = m.remedy
				AND o.settings ? 'configured' AND COALESCE(o.settings -> 'enabled' <> 'false', true) AND NOT o.settings ? 'conditions'
			  LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = s.set_id AND e.operation = '') AS l
		GROUP BY l.set_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.call_limits(pg_catalog.int4[]) IS 'From where on each metric calls for its remedy, by policy list; Infinity: never';

-- When each operation that a policy list has is overdue: by its policies, else by floe's own deadline.
CREATE FUNCTION floe_internal.set_deadlines(of_set_ids pg_catalog.int4[]) RETURNS TABLE (set_id pg_catalog.int4, operation pg_catalog.text, deadline pg_catalog.interval)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT e.policy_set_id, e.operation, d.deadline
	FROM floe_internal.effective AS e
	LEFT JOIN floe_internal.builtin_setting AS b ON b.operation = e.operation AND b.setting = 'deadline'
	CROSS JOIN LATERAL (SELECT COALESCE(e.settings ->> 'deadline', b.value #>> '{}')::pg_catalog.interval AS deadline) AS d
	WHERE e.policy_set_id = ANY (of_set_ids) AND e.operation <> '' AND e.settings ? 'configured' AND COALESCE(e.settings -> 'enabled' <> 'false', true) AND d.deadline IS NOT NULL;
END;
COMMENT ON FUNCTION floe_internal.set_deadlines(pg_catalog.int4[]) IS 'Deadlines in force of the operations that are switched on, by policy list';

CREATE FUNCTION floe_internal.calls_by_conditions(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS SETOF floe_internal.call
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF of_table_ids = '{}' THEN
		RETURN;
	END IF;
	RETURN QUERY
		WITH condition AS MATERIALIZED (
			SELECT e.policy_set_id, e.operation, e.settings -> 'conditions' ? 'all' AS needs_all, q.item ->> 'metric' AS metric, q.item ->> 'op' AS op, (q.item ->> 'value')::float8 AS value,
				   count(*) OVER (PARTITION BY e.policy_set_id, e.operation) AS items
			FROM floe_internal.effective AS e
			CROSS JOIN LATERAL jsonb_array_elements(COALESCE(e.settings #> '{conditions,all}', e.settings #> '{conditions,any}')) AS q (item)
			WHERE e.policy_set_id IN (SELECT t.policy_set_id FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (of_table_ids)) AND e.settings ? 'conditions'
		)
		SELECT v.table_id, c.operation
		FROM floe_internal.metrics_at(of_table_ids, at) AS v
		JOIN floe_internal.iceberg_table AS t ON t.table_id = v.table_id
		JOIN condition AS c ON c.policy_set_id = t.policy_set_id AND c.metric = v.metric
		WHERE CASE c.op WHEN '>=' THEN v.value >= c.value WHEN '>' THEN v.value > c.value WHEN '<=' THEN v.value <= c.value WHEN '<' THEN v.value < c.value
			WHEN '=' THEN v.value = c.value WHEN '<>' THEN v.value <> c.value END
		GROUP BY v.table_id, c.operation, c.needs_all, c.items
		HAVING NOT c.needs_all OR count(*) = c.items;
END
$body$;
COMMENT ON FUNCTION floe_internal.calls_by_conditions(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Operations whose conditions some tables meet';

CREATE FUNCTION floe_internal.calls(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS SETOF floe_internal.call
	-- how many tables there are makes another plan: a plan for all numbers would be wrong for most
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_custom_plan
AS $body$
DECLARE
	set_ids int4[] := floe_internal.sets_of(of_table_ids);
	with_conditions int4[] := ARRAY(SELECT DISTINCT e.policy_set_id FROM floe_internal.effective AS e WHERE e.policy_set_id = ANY (set_ids) AND e.settings ? 'conditions');
BEGIN
	PERFORM floe_internal.plan_for(of_table_ids);
	RETURN QUERY
		WITH seen AS MATERIALIZED (
			-- a metric is beyond its threshold, or at least there is something to do; one way through all these tables
			SELECT z.* FROM (
				SELECT t.table_id, t.policy_set_id, t.first_seen_at,
					h.excess_file_count >= l.excess_file_count OR h.small_file_count >= l.small_file_count OR h.data_file_count >= l.data_file_count OR h.delete_ratio >= l.delete_ratio
					OR h.equality_delete_file_count >= l.equality_delete_file_count OR h.deletion_vector_count >= l.deletion_vector_count AS data_files,
					h.excess_delete_file_count >= l.excess_delete_file_count OR h.position_delete_file_count >= l.position_delete_file_count
					OR h.dangling_delete_count >= l.dangling_delete_count AS delete_files,
					h.manifest_count >= l.manifest_count OR h.excess_manifest_count >= l.excess_manifest_count OR h.deleted_entry_count >= l.deleted_entry_count
					OR h.manifest_spread >= l.manifest_spread AS manifests,
					h.table_stats_lag >= l.table_stats_lag OR (extract(epoch FROM at - h.table_stats_at) >= l.table_stats_age AND h.table_stats_lag > 0) AS table_stats,
					h.partition_stats_lag >= l.partition_stats_lag OR (extract(epoch FROM at - h.partition_stats_at) >= l.partition_stats_age AND h.partition_stats_lag > 0) AS partition_stats,
					-- so many snapshots that those that may go can be beyond theirs: counting these means to go through all
					CASE WHEN h.snapshot_count >= l.snapshot_count OR extract(epoch FROM at - h.oldest_snapshot_at) >= l.oldest_snapshot_age THEN 1
						WHEN l.expirable_snapshot_count < 'Infinity' AND COALESCE(h.snapshot_count >= l.expirable_snapshot_count, true) THEN l.expirable_snapshot_count END AS expirable,
					GREATEST(h.excess_file_count, h.delete_ratio, h.equality_delete_file_count, h.deletion_vector_count) > 0 AS has_data_files,
					GREATEST(h.excess_delete_file_count, h.dangling_delete_count) > 0 AS has_delete_files,
					h.excess_manifest_count > 0 AS has_manifests, COALESCE(h.snapshot_count > 1, true) AS has_snapshots, h.table_stats_lag > 0 AS has_table_stats, h.partition_stats_lag > 0 AS has_partition_stats
				-- of very many constants each is looked up in the statistics: joined, none is
				FROM unnest(of_table_ids) AS i (id)
				JOIN floe_internal.iceberg_table AS t ON t.table_id = i.id
				JOIN floe_internal.health AS h ON h.table_id = i.id
				LEFT JOIN floe_internal.call_limits(set_ids) AS l ON l.set_id = t.policy_set_id OFFSET 0) AS z
			WHERE z.data_files OR z.delete_files OR z.manifests OR z.table_stats OR z.partition_stats OR z.expirable IS NOT NULL
			   OR z.has_data_files OR z.has_delete_files OR z.has_manifests OR z.has_snapshots OR z.has_table_stats OR z.has_partition_stats
		), overdue AS MATERIALIZED (
			-- a deadline is over
			SELECT j.table_id, d.operation
			FROM seen AS j
			CROSS JOIN LATERAL (VALUES ('rewrite_data_files', j.has_data_files), ('rewrite_position_delete_files', j.has_delete_files), ('rewrite_manifests', j.has_manifests),
				('expire_snapshots', j.has_snapshots), ('compute_table_stats', j.has_table_stats), ('compute_partition_stats', j.has_partition_stats)) AS v (operation, has)
			JOIN floe_internal.set_deadlines(set_ids) AS d ON d.set_id = j.policy_set_id AND d.operation = v.operation
			LEFT JOIN floe_internal.table_operation AS x ON x.table_id = j.table_id AND x.operation = d.operation
			WHERE v.has AND COALESCE(x.last_success_at, j.first_seen_at) + d.deadline <= at
		), expiring AS MATERIALIZED (
			SELECT z.table_id, min(z.expirable) AS expirable
			FROM (SELECT j.table_id, j.expirable FROM seen AS j WHERE j.expirable IS NOT NULL
				  UNION ALL SELECT o.table_id, 1 FROM overdue AS o WHERE o.operation = 'expire_snapshots') AS z
			GROUP BY z.table_id
		)
		SELECT j.table_id, c.operation
			FROM (SELECT * FROM seen AS x WHERE x.data_files OR x.delete_files OR x.manifests OR x.table_stats OR x.partition_stats) AS j
			CROSS JOIN LATERAL (VALUES ('rewrite_data_files', j.data_files), ('rewrite_position_delete_files', j.delete_files), ('rewrite_manifests', j.manifests),
				('compute_table_stats', j.table_stats), ('compute_partition_stats', j.partition_stats)) AS c (operation, calls)
			WHERE c.calls
		UNION
		SELECT o.table_id, o.operation FROM overdue AS o WHERE o.operation <> 'expire_snapshots'
		UNION
		SELECT z.table_id, 'expire_snapshots' FROM expiring AS z
			JOIN floe_internal.iceberg_table AS t ON t.table_id = z.table_id
			JOIN floe_internal.table_setting AS s ON s.table_id = t.table_id AND s.operation = 'expire_snapshots'
			CROSS JOIN LATERAL floe_internal.expirable(t.snapshots, t.refs, t.current_snapshot_id, (s.settings ->> 'options.max_snapshot_age')::interval, (s.settings ->> 'options.retain_last')::int4,
				(floe_internal.property_value(t.properties, 'history.expire.max-ref-age-ms', 'ms') #>> '{}')::interval, at) AS x
			WHERE x.snapshot_count >= z.expirable
		-- a policy calls by conditions
		UNION
		SELECT c.table_id, c.operation FROM floe_internal.calls_by_conditions(ARRAY(SELECT t.table_id FROM unnest(of_table_ids) AS i (id) JOIN floe_internal.iceberg_table AS t ON t.table_id = i.id
			WHERE with_conditions <> '{}' AND t.policy_set_id = ANY (with_conditions)), at) AS c
		-- a large table is not done with, or a schedule's time has come
		UNION
		SELECT x.table_id, x.operation FROM unnest(of_table_ids) AS i (id) JOIN floe_internal.table_operation AS x ON x.table_id = i.id WHERE x.slices_left > 0
		UNION
		SELECT x.table_id, x.operation FROM unnest(of_table_ids) AS i (id) JOIN floe_internal.table_operation AS x ON x.table_id = i.id WHERE x.next_due_at <= at;
END
$body$;
COMMENT ON FUNCTION floe_internal.calls(pg_catalog.int8[], pg_catalog.timestamptz) IS 'What can call at all for some tables, by threshold, condition, deadline or schedule (floe_internal.sync_schedules() comes before); of everything else the verdict would be "not needed", "off", or what holds back an operation that nothing calls for';

CREATE FUNCTION floe_internal.tables_to_decide(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS SETOF pg_catalog.int8
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT DISTINCT c.table_id FROM floe_internal.calls(of_table_ids, at) AS c;
END;
COMMENT ON FUNCTION floe_internal.tables_to_decide(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Those of some tables for which anything can call at all';

-- Rows for schedules in force: new or changed ones get their first time.
CREATE FUNCTION floe_internal.schedules_to_sync(of_table_ids pg_catalog.int8[]) RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, schedule_key pg_catalog.text, next_due_at pg_catalog.timestamptz)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_custom_plan
AS $body$
#variable_conflict use_column
DECLARE
	set_ids int4[] := floe_internal.sets_of(of_table_ids);
BEGIN
	PERFORM floe_internal.plan_for(of_table_ids);
	RETURN QUERY
	-- no table property is about time, so a schedule is the same for all tables of a policy list
		WITH scheduled AS MATERIALIZED (
			SELECT e.policy_set_id, e.operation, s.settings, e.origins, floe_internal.schedule_key(s.settings) AS key
			FROM floe_internal.effective AS e
			JOIN (SELECT k.operation, floe_internal.builtin_settings(k.operation) AS settings FROM floe_internal.operation_kind AS k OFFSET 0) AS b ON b.operation = e.operation
			CROSS JOIN LATERAL (SELECT b.settings || e.settings AS settings OFFSET 0) AS s
			WHERE e.operation <> '' AND e.settings ? 'configured'
			  AND e.policy_set_id = ANY (set_ids)
		), wanted AS (
			SELECT t.table_id, s.operation, s.key FROM scheduled AS s JOIN floe_internal.iceberg_table AS t ON t.policy_set_id = s.policy_set_id
			WHERE s.key IS NOT NULL AND t.table_id = ANY (of_table_ids)
		), known AS (
			SELECT o.table_id, o.operation, o.schedule_key, o.tuned_every FROM floe_internal.table_operation AS o
			WHERE o.table_id = ANY (of_table_ids) AND (o.schedule_key IS NOT NULL OR o.tuned_every IS NOT NULL)
		), other AS MATERIALIZED (
			-- few: what is scheduled otherwise than known, or no more, or has learned a cadence of its own
			SELECT COALESCE(w.table_id, k.table_id) AS table_id, COALESCE(w.operation, k.operation) AS operation
			FROM wanted AS w FULL JOIN known AS k ON k.table_id = w.table_id AND k.operation = w.operation
			WHERE w.key IS DISTINCT FROM k.schedule_key OR k.tuned_every IS NOT NULL
		), changed AS (
			SELECT t.table_id, t.first_seen_at, s.operation, s.settings, s.origins, floe_internal.tuned_key(s.settings, u.every) AS key, o.schedule_key, o.last_run_at, u.every
			FROM other AS x
			JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
			JOIN scheduled AS s ON s.policy_set_id = t.policy_set_id AND s.operation = x.operation
			LEFT JOIN floe_internal.table_operation AS o ON o.table_id = x.table_id AND o.operation = x.operation
			CROSS JOIN LATERAL (SELECT CASE WHEN o.tuned_every IS NOT NULL AND s.key IS NOT NULL THEN floe_internal.tuned_cadence(s.settings, s.origins, o.tuned_every) END AS every OFFSET 0) AS u
		)
		SELECT c.table_id, c.operation, c.key, floe_internal.tuned_next(c.settings, c.every, c.table_id || '/' || c.operation, c.first_seen_at, c.last_run_at, NOT c.origins ? 'schedule')
		FROM changed AS c WHERE c.key IS DISTINCT FROM c.schedule_key;
END
$body$;
COMMENT ON FUNCTION floe_internal.schedules_to_sync(pg_catalog.int8[]) IS 'Schedules in force that next_due_at does not stand for yet, with their first time';

CREATE FUNCTION floe_internal.sync_schedules(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO floe_internal.table_operation AS x (table_id, operation, schedule_key, next_due_at)
		SELECT s.table_id, s.operation, s.schedule_key, s.next_due_at FROM floe_internal.schedules_to_sync(of_table_ids) AS s
		ON CONFLICT (table_id, operation) DO UPDATE SET schedule_key = EXCLUDED.schedule_key, next_due_at = EXCLUDED.next_due_at;
END;
COMMENT ON FUNCTION floe_internal.sync_schedules(pg_catalog.int8[], pg_catalog.timestamptz) IS 'Brings next_due_at in line with the schedules in force';
