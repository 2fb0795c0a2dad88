-- =================================================================================================
-- 76 health
-- From stored manifests and facts to one row of health; no network, so a changed policy or target size
-- is judged at once.
-- =================================================================================================

CREATE FUNCTION floe_internal.compute_health(of_table_id pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	t floe_internal.iceberg_table;
	z record;
	m floe_internal.manifest_totals;
	new_row floe_internal.health;
	old_row floe_internal.health;
	list jsonb;
BEGIN
	SELECT * INTO t FROM floe_internal.iceberg_table AS x WHERE x.table_id = of_table_id;
	SELECT * INTO z FROM floe_internal.size_limits(of_table_id, t.properties);
	list := t.details -> 'manifest_list';
	IF t.manifest_ids IS NOT NULL THEN
		SELECT (floe_internal.merge_manifests(x.content, x.spec_id, x.aggregate, z.target_bytes, z.small_below, z.oversized_above, z.min_input_files, z.deletes_per_file ORDER BY x.content DESC, l.place)).* INTO m
			FROM unnest(t.manifest_ids) WITH ORDINALITY AS l (id, place) JOIN floe_internal.manifest AS x ON x.manifest_id = l.id;
	END IF;
	SELECT * INTO old_row FROM floe_internal.health AS h WHERE h.table_id = of_table_id;
	new_row.table_id := of_table_id;
	new_row.assessed_at := at;
	new_row.snapshot_id := t.current_snapshot_id;
	new_row.metadata_location := t.metadata_location;
	new_row.target_file_bytes := z.target_bytes;
	new_row.small_below_bytes := z.small_below;
	new_row.oversized_above_bytes := z.oversized_above;
	new_row.min_input_files := z.min_input_files;
	new_row.is_complete := t.manifest_ids IS NOT NULL;
	new_row.is_inexact := COALESCE(m.is_inexact, false);
	new_row.excess_file_count := m.excess_file_count;
	new_row.rewrite_file_count := m.rewrite_file_count;
	new_row.rewrite_bytes := m.rewrite_bytes;
	new_row.small_file_count := m.small_file_count;
	new_row.small_file_bytes := m.small_file_bytes;
	new_row.data_file_count := m.data_file_count;
	new_row.data_bytes := m.data_bytes;
	new_row.record_count := m.record_count;
	new_row.average_file_bytes := m.data_bytes / NULLIF(m.data_file_count, 0)::float8;
	new_row.oversized_file_count := m.oversized_file_count;
	new_row.oversized_file_bytes := m.oversized_file_bytes;
	new_row.delete_ratio := (m.position_delete_row_count + m.equality_delete_row_count + m.deletion_vector_row_count) / NULLIF(m.record_count, 0)::float8;
	new_row.equality_delete_file_count := m.equality_delete_file_count;
	new_row.equality_delete_row_count := m.equality_delete_row_count;
	new_row.position_delete_file_count := m.position_delete_file_count;
	new_row.position_delete_row_count := m.position_delete_row_count;
	new_row.excess_delete_file_count := m.excess_delete_file_count;
	new_row.deletion_vector_count := m.deletion_vector_count;
	new_row.deletion_vector_row_count := m.deletion_vector_row_count;
	new_row.delete_bytes := m.delete_bytes;
	new_row.dangling_delete_count := m.dangling_delete_count;
	new_row.partition_count := m.partition_count;
	new_row.partition_skew := m.partition_skew;
	new_row.manifest_spread := m.manifest_spread;
	new_row.deleted_entry_count := m.deleted_entry_count;
	new_row.stat_column_count := m.stat_column_count;
	new_row.manifest_count := (list ->> 'manifest_count')::int8;
	new_row.data_manifest_count := (list ->> 'data_manifest_count')::int8;
	new_row.delete_manifest_count := (list ->> 'delete_manifest_count')::int8;
	new_row.manifest_bytes := (list ->> 'manifest_bytes')::int8;
	new_row.excess_manifest_count := (list ->> 'excess_manifest_count')::int8;
	new_row.snapshot_count := (t.details ->> 'snapshot_count')::int8;
	new_row.oldest_snapshot_at := to_timestamp((t.details ->> 'oldest_snapshot_ms')::float8 / 1000);
	new_row.newest_snapshot_at := to_timestamp((t.details ->> 'newest_snapshot_ms')::float8 / 1000);
	new_row.last_write_at := to_timestamp((t.details ->> 'last_write_ms')::float8 / 1000);
	new_row.commit_interval := (t.details ->> 'commit_interval_ms')::float8 / 1000;
	new_row.ref_count := (t.details ->> 'ref_count')::int8;
	new_row.metadata_json_bytes := (t.details ->> 'metadata_json_bytes')::int8;
	new_row.metadata_log_count := (t.details ->> 'metadata_log_count')::int8;
	new_row.table_stats_lag := (t.details #>> '{table_stats,lag}')::int8;
	new_row.table_stats_at := to_timestamp((t.details #>> '{table_stats,newest_ms}')::float8 / 1000);
	new_row.partition_stats_lag := (t.details #>> '{partition_stats,lag}')::int8;
	new_row.partition_stats_at := to_timestamp((t.details #>> '{partition_stats,newest_ms}')::float8 / 1000);
	new_row.expirable_snapshot_count := (SELECT x.snapshot_count FROM floe_internal.table_setting AS s
		CROSS JOIN LATERAL floe_internal.expirable(t.snapshots, t.refs, t.current_snapshot_id, (s.settings ->> 'options.max_snapshot_age')::interval,
			(s.settings ->> 'options.retain_last')::int4, (floe_internal.property_value(t.properties, 'history.expire.max-ref-age-ms', 'ms') #>> '{}')::interval, at) AS x
		WHERE s.table_id = of_table_id AND s.operation = 'expire_snapshots');
	DELETE FROM floe_internal.health AS h WHERE h.table_id = of_table_id;
	INSERT INTO floe_internal.health SELECT (new_row).*;
	-- History holds changes: the same state measured again is not one.
	IF old_row.table_id IS NULL OR (to_jsonb(old_row) - 'assessed_at') <> (to_jsonb(new_row) - 'assessed_at') THEN
		INSERT INTO floe_internal.health_history SELECT (new_row).*;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.compute_health(pg_catalog.int8) IS 'Computes floe_internal.health of a table from what is stored, and keeps it in the history if it changed';

-- facts: uuid, location, format_version, metadata_location, current_snapshot_id, properties, refs, specs, details.
CREATE FUNCTION floe_internal.apply_assessment(of_table_id pg_catalog.int8, facts pg_catalog.jsonb, new_snapshots pg_catalog.bytea, new_etag pg_catalog.text,
		paths pg_catalog.text[], lengths pg_catalog.int8[], contents pg_catalog.int4[], spec_ids pg_catalog.int4[], is_complete pg_catalog.bool, this_look pg_catalog.int8 DEFAULT NULL) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	old_row floe_internal.iceberg_table;
	ids int8[];
	list jsonb;
	changes jsonb;
	manifest_target float8 := COALESCE((floe_internal.property_value(facts -> 'properties', 'commit.manifest.target-size-bytes', 'bytes'))::text::float8, 8388608);
BEGIN
	-- rows that refer to it may be added meanwhile: a plan does so, while this waits for it below
	SELECT * INTO old_row FROM floe_internal.iceberg_table AS t WHERE t.table_id = of_table_id FOR NO KEY UPDATE;
	IF old_row.status = 'dropped' THEN
		-- while it was read: whether it is there again, and what it is then, is for the next listing to say
		PERFORM floe_internal.poll_done(of_table_id, NULL, false);
		RETURN false;
	END IF;
	IF this_look < old_row.look THEN
		-- Somebody who began later was quicker: he may know better, and this one may have been asked for the newer state. So it is looked at again.
		PERFORM floe_internal.poll_done(of_table_id, NULL, false);
		UPDATE floe_internal.table_poll AS p SET next_poll_at = at WHERE p.table_id = of_table_id AND p.next_poll_at < 'infinity';
		RETURN true;
	END IF;
	IF is_complete THEN
		SELECT COALESCE(array_agg(m.manifest_id ORDER BY l.place), '{}') INTO ids
			FROM unnest(paths) WITH ORDINALITY AS l (path, place) JOIN floe_internal.manifest AS m ON m.table_id = of_table_id AND m.path = l.path;
		IF COALESCE(array_length(ids, 1), 0) <> COALESCE(array_length(paths, 1), 0) THEN
			RAISE EXCEPTION 'manifests of table "%" are missing in the store', old_row.name USING ERRCODE = 'internal_error';
		END IF;
		UPDATE floe_internal.manifest AS m SET left_list_at = CASE WHEN m.manifest_id = ANY (ids) THEN NULL ELSE at END
			WHERE m.table_id = of_table_id AND (m.left_list_at IS NULL) <> (m.manifest_id = ANY (ids));
	END IF;
	SELECT jsonb_build_object('manifest_count', COALESCE(sum(g.manifests), 0), 'data_manifest_count', COALESCE(sum(g.manifests) FILTER (WHERE g.content = 0), 0),
			'delete_manifest_count', COALESCE(sum(g.manifests) FILTER (WHERE g.content = 1), 0), 'manifest_bytes', COALESCE(sum(g.bytes), 0),
			'excess_manifest_count', COALESCE(sum(GREATEST(0, g.manifests - ceil(g.bytes / manifest_target))), 0)) INTO list
		FROM (SELECT l.content, l.spec_id, count(*) AS manifests, sum(l.length) AS bytes
			  FROM unnest(lengths, contents, spec_ids) AS l (length, content, spec_id) GROUP BY l.content, l.spec_id) AS g;
	UPDATE floe_internal.iceberg_table AS t
		SET status = 'ok', error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL,
			table_uuid = facts ->> 'uuid', location = facts ->> 'location', location_key = floe_internal.location_key(facts ->> 'location'),
			format_version = (facts ->> 'format_version')::int4, metadata_location = facts ->> 'metadata_location',
			current_snapshot_id = (facts ->> 'current_snapshot_id')::int8, properties = facts -> 'properties', refs = facts -> 'refs', specs = facts -> 'specs',
			details = (facts -> 'details') || jsonb_build_object('manifest_list', list), snapshots = new_snapshots,
			manifest_ids = ids, assessed_at = at, look = COALESCE(this_look, t.look)
		WHERE t.table_id = of_table_id;
	IF old_row.table_uuid IS DISTINCT FROM facts ->> 'uuid' AND old_row.table_uuid IS NOT NULL THEN
		PERFORM floe_internal.write_event('table recreated', old_row.levels[1], of_table_id, old_row.name, NULL, format('%s was dropped and made anew', old_row.name),
			jsonb_build_object('old_uuid', old_row.table_uuid, 'new_uuid', facts ->> 'uuid'));
		DELETE FROM floe_internal.table_operation AS x WHERE x.table_id = of_table_id;
	END IF;
	IF old_row.status <> 'ok' THEN
		PERFORM floe_internal.write_event('table assessed', old_row.levels[1], of_table_id, old_row.name, NULL, format('%s assessed', old_row.name), NULL);
	END IF;
	changes := floe_internal.external_changes(old_row, facts ->> 'uuid', new_snapshots);
	-- first, as in a plan: who decides upon the table may compute its health
	PERFORM floe_internal.decide_soon(ARRAY[of_table_id]);
	PERFORM floe_internal.compute_health(of_table_id);
	IF changes IS NOT NULL THEN
		PERFORM floe_internal.note_external(of_table_id, changes);
	END IF;
	PERFORM floe_internal.poll_done(of_table_id, new_etag, false);
	PERFORM floe_internal.answer_requests(of_table_id);
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_assessment(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.bytea, pg_catalog.text, pg_catalog.text[], pg_catalog.int8[], pg_catalog.int4[], pg_catalog.int4[], pg_catalog.bool, pg_catalog.int8)
	IS 'Stores what was read of a table and judges it; is_complete: all manifests of the list are stored; this_look: from the claim. What a look that began later has found stays. False: it was dropped while it was read, and is as it was';

-- Tables whose sizes in force changed since their health was computed. What retention lets go is counted where it is used.
CREATE FUNCTION floe_internal.stale_health(of_table_ids pg_catalog.int8[]) RETURNS SETOF pg_catalog.int8
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_custom_plan
AS $body$
DECLARE
	own_sizes text[] := ARRAY(SELECT p.property FROM floe_internal.property_setting AS p WHERE p.operation = 'rewrite_data_files');
	set_ids int4[] := floe_internal.sets_of(of_table_ids);
BEGIN
	PERFORM floe_internal.plan_for(of_table_ids);
	RETURN QUERY
		-- the same sizes for all tables of a policy list, but for those with properties of their own, and those without a list
		WITH common AS MATERIALIZED (
			SELECT s.set_id, z.* FROM unnest(set_ids) AS s (set_id)
			LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = s.set_id AND e.operation = 'rewrite_data_files'
			CROSS JOIN LATERAL floe_internal.sizes(floe_internal.builtin_settings('rewrite_data_files') || COALESCE(e.settings, '{}')) AS z
		)
		SELECT h.table_id FROM floe_internal.health AS h
			JOIN floe_internal.iceberg_table AS i ON i.table_id = h.table_id
			JOIN common AS z ON z.set_id = i.policy_set_id
			WHERE h.table_id = ANY (of_table_ids) AND (h.target_file_bytes, h.small_below_bytes, h.oversized_above_bytes, h.min_input_files) IS DISTINCT FROM (z.target_bytes, z.small_below, z.oversized_above, z.min_input_files)
			  AND NOT COALESCE(i.properties ?| own_sizes, false)
		UNION ALL
		SELECT h.table_id FROM floe_internal.health AS h
			JOIN (SELECT s.table_id, s.settings FROM floe_internal.table_setting AS s WHERE s.operation = 'rewrite_data_files'
				  AND s.table_id = ANY (ARRAY(SELECT i.table_id FROM floe_internal.iceberg_table AS i WHERE i.table_id = ANY (of_table_ids) AND (i.policy_set_id IS NULL OR i.properties ?| own_sizes))) OFFSET 0) AS s
				ON s.table_id = h.table_id
			CROSS JOIN LATERAL floe_internal.sizes(s.settings) AS z
			WHERE (h.target_file_bytes, h.small_below_bytes, h.oversized_above_bytes, h.min_input_files) IS DISTINCT FROM (z.target_bytes, z.small_below, z.oversized_above, z.min_input_files);
END
$body$;
COMMENT ON FUNCTION floe_internal.stale_health(pg_catalog.int8[]) IS 'Those of some tables whose health was computed with other file sizes than are in force';

CREATE FUNCTION floe_internal.recompute_health(of_table_ids pg_catalog.int8[]) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	t record;
	n int4 := 0;
BEGIN
	FOR t IN SELECT x.table_id FROM floe_internal.stale_health(of_table_ids) AS x (table_id)
	LOOP
		PERFORM floe_internal.compute_health(t.table_id);
		n := n + 1;
	END LOOP;
	RETURN n;
END
$body$;
COMMENT ON FUNCTION floe_internal.recompute_health(pg_catalog.int8[]) IS 'Computes health anew for those of some tables where other file sizes are in force than it was computed with';

-- What people read ----------------------------------------------------------------------------------

CREATE FUNCTION floe.health(table_name pg_catalog.text,
		OUT metric pg_catalog.text, OUT value pg_catalog.float8, OUT unit pg_catalog.text, OUT shown pg_catalog.text, OUT level pg_catalog.text,
		OUT warning pg_catalog.float8, OUT critical pg_catalog.float8, OUT remedy pg_catalog.text, OUT set_by pg_catalog.text, OUT assessed_at pg_catalog.timestamptz)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT j.metric, j.value, j.unit, floe_internal.format_metric(j.value, j.unit), j.level, j.warning, NULLIF(j.critical, 'Infinity'), j.remedy,
		   CASE WHEN j.warning IS NOT NULL THEN COALESCE((SELECT format('policy "%s" (%s)', p.name, p.pattern) FROM floe.policy AS p WHERE p.policy_id = j.set_by_policy), 'built in') END,
		   h.assessed_at
	FROM (SELECT (floe_internal.require_table(table_name)).table_id) AS t
	JOIN floe_internal.health AS h ON h.table_id = t.table_id
	CROSS JOIN LATERAL floe_internal.judged_metrics(ARRAY[t.table_id], floe_internal.clock()) AS j
	ORDER BY j.position
$body$;
COMMENT ON FUNCTION floe.health(pg_catalog.text) IS 'Every metric of a table now, with the thresholds in force; value NULL: unknown; level: ok, warning, critical; no rows: not assessed yet';

CREATE FUNCTION floe.partition_health(table_name pg_catalog.text,
		OUT spec_id pg_catalog.int4, OUT partition pg_catalog.json, OUT data_file_count pg_catalog.int8, OUT data_bytes pg_catalog.int8, OUT record_count pg_catalog.int8,
		OUT average_file_bytes pg_catalog.float8, OUT small_file_count pg_catalog.int8, OUT small_file_bytes pg_catalog.int8, OUT excess_file_count pg_catalog.int8,
		OUT oversized_file_count pg_catalog.int8, OUT position_delete_file_count pg_catalog.int8, OUT excess_delete_file_count pg_catalog.int8, OUT equality_delete_file_count pg_catalog.int8,
		OUT deletion_vector_count pg_catalog.int8, OUT delete_row_count pg_catalog.int8, OUT delete_ratio pg_catalog.float8, OUT dangling_delete_count pg_catalog.int8,
		OUT manifest_count pg_catalog.int8, OUT last_write_at pg_catalog.timestamptz, OUT commit_interval pg_catalog.float8)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	WITH t AS MATERIALIZED (
		SELECT (floe_internal.require_table(table_name)).*
	), known AS MATERIALIZED (
		SELECT s.snapshot_id, s.committed_at FROM t CROSS JOIN LATERAL floe_internal.snapshot_list(t.snapshots) AS s WHERE s.operation IS DISTINCT FROM 'replace'
	), merged AS (
		SELECT floe_internal.merge_partitions(m.content, m.spec_id, m.aggregate, z.target_bytes, z.small_below, z.oversized_above, z.min_input_files, z.deletes_per_file ORDER BY m.content DESC, l.place) AS parts
		FROM t CROSS JOIN LATERAL floe_internal.size_limits(t.table_id, t.properties) AS z
		CROSS JOIN LATERAL unnest(t.manifest_ids) WITH ORDINALITY AS l (id, place)
		JOIN floe_internal.manifest AS m ON m.manifest_id = l.id
	)
	SELECT p.spec_id, p.partition::json, p.data_file_count, p.data_bytes, p.record_count, p.data_bytes / NULLIF(p.data_file_count, 0)::float8,
		   p.small_file_count, p.small_file_bytes, p.excess_file_count, p.oversized_file_count, p.position_delete_file_count, p.excess_delete_file_count, p.equality_delete_file_count,
		   p.deletion_vector_count, p.delete_row_count, p.delete_row_count / NULLIF(p.record_count, 0)::float8, p.dangling_delete_count, p.manifest_count,
		   w.last_at, w.gap
	FROM merged CROSS JOIN LATERAL unnest(merged.parts) AS p
	LEFT JOIN LATERAL (
		-- snapshot times are whole milliseconds, and so is their median
		SELECT max(g.committed_at) AS last_at, floor(percentile_cont(0.5) WITHIN GROUP (ORDER BY g.gap)) / 1000 AS gap
		FROM (SELECT k.committed_at, round(extract(epoch FROM k.committed_at - lag(k.committed_at) OVER (ORDER BY k.committed_at)) * 1000)::float8 AS gap
			  FROM known AS k WHERE k.snapshot_id = ANY (p.snapshot_ids)) AS g) AS w ON true
	ORDER BY p.excess_file_count DESC, p.data_bytes DESC, p.spec_id, p.partition
$body$;
COMMENT ON FUNCTION floe.partition_health(pg_catalog.text) IS 'The same per partition, the one with most to gain first; a merge over the stored manifests, no network';

CREATE VIEW floe.health_history AS
	SELECT t.name AS table_name, h.*
	FROM floe_internal.health_history AS h
	JOIN floe_internal.iceberg_table AS t ON t.table_id = h.table_id;
COMMENT ON VIEW floe.health_history IS 'Every change of every table''s health; ages as times; NULL is unknown';

