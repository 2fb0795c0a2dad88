-- =================================================================================================
-- 79 maintenance by others
-- A rewrite by hand, another scheduler, a catalog that expires snapshots: seen in the table's own history at
-- the next look, kept with what it changed, and counted as a run, so that floe does not do it again.
-- =================================================================================================

CREATE TABLE floe_internal.external_operation (
	external_id		pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	table_id		pg_catalog.int8 NOT NULL,
	table_name		pg_catalog.text NOT NULL,
	operation		pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	snapshot_ids	pg_catalog.int8[] NOT NULL,
	done_at			pg_catalog.timestamptz NOT NULL,
	seen_at			pg_catalog.timestamptz NOT NULL,
	engine			pg_catalog.text,
	is_run			pg_catalog.bool NOT NULL,
	before			pg_catalog.jsonb NOT NULL,
	after			pg_catalog.jsonb NOT NULL
);
CREATE INDEX external_operation_seen ON floe_internal.external_operation (seen_at);
CREATE INDEX external_operation_table ON floe_internal.external_operation (table_id, external_id);
COMMENT ON TABLE floe_internal.external_operation IS 'Maintenance that floe did not do, as the tables'' snapshots show it; what one look found of one operation is one row';
COMMENT ON COLUMN floe_internal.external_operation.snapshot_ids IS 'Of a rewrite the snapshots of operation replace that it made; of expire_snapshots those that are gone';
COMMENT ON COLUMN floe_internal.external_operation.done_at IS 'When the last of these was committed; of expire_snapshots when it was seen';
COMMENT ON COLUMN floe_internal.external_operation.engine IS 'What the snapshot''s summary says; NULL: nothing';
COMMENT ON COLUMN floe_internal.external_operation.is_run IS 'Nothing called for the operation any more, so it counts as a run: min_interval and deadline begin with it. One that left work does not keep floe from doing it';

-- While an operation of floe runs, what it may have done itself is its own.
CREATE FUNCTION floe_internal.external_changes(old_row floe_internal.iceberg_table, new_uuid pg_catalog.text, new_snapshots pg_catalog.bytea) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	own text;
	fresh jsonb;
	gone jsonb;
BEGIN
	-- of what was before the first look nobody can tell
	IF old_row.snapshots IS NULL OR old_row.snapshots = new_snapshots OR old_row.table_uuid IS DISTINCT FROM new_uuid THEN
		RETURN NULL;
	END IF;
	SELECT q.operation INTO own FROM floe_internal.operation_queue AS q
		WHERE q.table_id = old_row.table_id AND (q.state IN ('running', 'verifying', 'lost') OR q.state = 'dispatching' AND q.lost_sent);
	WITH old_list AS MATERIALIZED (
		SELECT s.snapshot_id FROM floe_internal.snapshot_list(old_row.snapshots) AS s
	), new_list AS MATERIALIZED (
		SELECT * FROM floe_internal.snapshot_list(new_snapshots) AS s
	)
	SELECT (SELECT jsonb_agg(jsonb_build_object('id', n.snapshot_id, 'at', n.committed_at, 'files', COALESCE(n.added_data_files, 0) + COALESCE(n.deleted_data_files, 0) > 0) ORDER BY n.committed_at)
			FROM new_list AS n WHERE n.operation = 'replace' AND NOT COALESCE(own LIKE 'rewrite%', false) AND NOT EXISTS (SELECT 1 FROM old_list AS o WHERE o.snapshot_id = n.snapshot_id)
			  -- seen late: an operation of floe made it, whatever its end was told to be
			  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_log AS l WHERE l.table_id = old_row.table_id AND l.operation LIKE 'rewrite%' AND n.committed_at BETWEEN l.started_at AND l.finished_at)),
		   (SELECT jsonb_agg(o.snapshot_id ORDER BY o.snapshot_id) FROM old_list AS o
			WHERE own IS DISTINCT FROM 'expire_snapshots' AND NOT EXISTS (SELECT 1 FROM new_list AS n WHERE n.snapshot_id = o.snapshot_id))
	INTO fresh, gone;
	IF fresh IS NULL AND gone IS NULL THEN
		RETURN NULL;
	END IF;
	RETURN jsonb_build_object('fresh', COALESCE(fresh, '[]'), 'gone', COALESCE(gone, '[]'), 'before',
		(SELECT jsonb_strip_nulls(jsonb_build_object('data_file_count', h.data_file_count, 'delete_file_count', h.position_delete_file_count + h.deletion_vector_count, 'manifest_count', h.manifest_count,
			'snapshot_count', h.snapshot_count)) FROM floe_internal.health AS h WHERE h.table_id = old_row.table_id));
END
$body$;
COMMENT ON FUNCTION floe_internal.external_changes(floe_internal.iceberg_table, pg_catalog.text, pg_catalog.bytea)
	IS 'What others did to a table since the last look: snapshots of operation replace that floe did not make, and snapshots that are gone; with counts as they were. NULL: nothing';

-- After its health was computed anew.
CREATE FUNCTION floe_internal.note_external(of_table_id pg_catalog.int8, changes pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	t floe_internal.iceberg_table;
	x record;
	now_counts jsonb;
BEGIN
	SELECT * INTO t FROM floe_internal.iceberg_table AS i WHERE i.table_id = of_table_id;
	SELECT jsonb_strip_nulls(jsonb_build_object('data_file_count', h.data_file_count, 'delete_file_count', h.position_delete_file_count + h.deletion_vector_count, 'manifest_count', h.manifest_count,
		'snapshot_count', h.snapshot_count)) INTO now_counts FROM floe_internal.health AS h WHERE h.table_id = of_table_id;
	FOR x IN
		WITH found AS (
			SELECT CASE WHEN (f.item ->> 'files')::bool THEN 'rewrite_data_files'
						WHEN changes #> '{before,delete_file_count}' IS DISTINCT FROM now_counts -> 'delete_file_count' THEN 'rewrite_position_delete_files'
						ELSE 'rewrite_manifests' END AS operation,
				   (f.item ->> 'id')::int8 AS snapshot_id, (f.item ->> 'at')::timestamptz AS done_at
			FROM jsonb_array_elements(changes -> 'fresh') AS f (item)
			UNION ALL
			SELECT 'expire_snapshots', g.id::int8, at FROM jsonb_array_elements_text(changes -> 'gone') AS g (id)
		)
		SELECT f.operation, array_agg(f.snapshot_id ORDER BY f.done_at, f.snapshot_id) AS snapshot_ids, LEAST(max(f.done_at), at) AS done_at,
			   string_agg(DISTINCT t.details #>> ARRAY['replace_engines', f.snapshot_id::text], ', ') AS engine,
			   NOT EXISTS (SELECT 1 FROM floe_internal.judged_metrics(ARRAY[of_table_id], at) AS j WHERE j.remedy = f.operation AND j.severity >= 0.5)
				   AND NOT EXISTS (SELECT 1 FROM floe_internal.decision_context(ARRAY[of_table_id], at) AS d WHERE d.operation = f.operation AND d.conditions_met) AS is_run
		FROM found AS f JOIN floe_internal.operation_kind AS k ON k.operation = f.operation
		GROUP BY f.operation, k.position ORDER BY k.position
	LOOP
		INSERT INTO floe_internal.external_operation (table_id, table_name, operation, snapshot_ids, done_at, seen_at, engine, is_run, before, after)
			VALUES (of_table_id, t.name, x.operation, x.snapshot_ids, x.done_at, at, x.engine, x.is_run, changes -> 'before', now_counts);
		IF x.is_run THEN
			INSERT INTO floe_internal.table_operation AS o (table_id, operation, last_run_at, last_success_at) VALUES (of_table_id, x.operation, x.done_at, x.done_at)
				ON CONFLICT (table_id, operation) DO UPDATE SET last_run_at = GREATEST(o.last_run_at, EXCLUDED.last_run_at), last_success_at = GREATEST(o.last_success_at, EXCLUDED.last_success_at);
		END IF;
		PERFORM floe_internal.write_event('external maintenance', t.levels[1], of_table_id, t.name, NULL,
			format('%s by %s: %s; %s', x.operation, COALESCE(x.engine, 'others'),
				CASE WHEN x.operation = 'expire_snapshots' THEN format('%s snapshots are gone', cardinality(x.snapshot_ids))
					ELSE CASE WHEN cardinality(x.snapshot_ids) > 1 THEN format('%s snapshots, the last ', cardinality(x.snapshot_ids)) ELSE 'snapshot ' END || x.snapshot_ids[cardinality(x.snapshot_ids)] END,
				(SELECT string_agg(format('%s %s > %s', replace(c.name, '_', ' '), COALESCE(changes #>> ARRAY['before', c.name], 'unknown'), COALESCE(now_counts ->> c.name, 'unknown')), ', ' ORDER BY c.place)
				 FROM unnest('{data_file_count,delete_file_count,manifest_count,snapshot_count}'::text[]) WITH ORDINALITY AS c (name, place)
				 WHERE changes #> ARRAY['before', c.name] IS DISTINCT FROM now_counts -> c.name)),
			jsonb_build_object('operation', x.operation, 'snapshot_ids', to_jsonb(x.snapshot_ids[GREATEST(1, cardinality(x.snapshot_ids) - 99):]), 'engine', x.engine, 'before', changes -> 'before', 'after', now_counts));
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.note_external(pg_catalog.int8, pg_catalog.jsonb) IS 'Keeps what others did to a table, tells people, and counts it as a run where it left nothing to do';

CREATE FUNCTION floe_internal.done_by_others(of_table_id pg_catalog.int8, of_operation pg_catalog.text, since pg_catalog.timestamptz) RETURNS pg_catalog.text
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.format('%s did it at %s', COALESCE(x.engine, 'somebody else'), pg_catalog.to_char(x.done_at, 'HH24:MI:SS'))
	FROM floe_internal.external_operation AS x
	WHERE x.table_id = of_table_id AND x.operation = of_operation AND x.seen_at >= since
	ORDER BY x.external_id DESC LIMIT 1;
END;
COMMENT ON FUNCTION floe_internal.done_by_others(pg_catalog.int8, pg_catalog.text, pg_catalog.timestamptz) IS 'Who did it since then, if it was not floe; NULL: nobody that floe knows of';

CREATE VIEW floe.external_operations AS
	SELECT x.external_id AS id, x.table_name, x.operation, x.engine, x.done_at, x.seen_at, pg_catalog.cardinality(x.snapshot_ids) AS snapshots, x.snapshot_ids,
		   (x.before ->> 'data_file_count')::pg_catalog.int8 AS files_before, (x.after ->> 'data_file_count')::pg_catalog.int8 AS files_after,
		   (x.before ->> 'snapshot_count')::pg_catalog.int8 AS snapshots_before, (x.after ->> 'snapshot_count')::pg_catalog.int8 AS snapshots_after,
		   (x.before ->> 'manifest_count')::pg_catalog.int8 AS manifests_before, (x.after ->> 'manifest_count')::pg_catalog.int8 AS manifests_after, x.is_run
	FROM floe_internal.external_operation AS x;
COMMENT ON VIEW floe.external_operations IS 'Maintenance by others: rewrites by hand or by another scheduler, snapshots that were expired, seen in the tables'' own history. is_run: it left nothing to do, so floe counts it as a run';
