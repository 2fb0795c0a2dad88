-- =================================================================================================
-- 86 retention
-- What bounds each table, as rows, and the housekeeping that sees to it. Separate from the steps of a pass, because nothing
-- here decides anything: purge() removes in small batches what no decision reads any more.
-- =================================================================================================

CREATE TABLE floe_internal.retention (
	relation		pg_catalog.regclass PRIMARY KEY,
	rule			pg_catalog.text NOT NULL CHECK (rule IN ('fixed', 'people', 'time', 'state', 'owner')),
	time_column		pg_catalog.name CHECK ((time_column IS NOT NULL) = (rule = 'time')),
	setting			pg_catalog.text,
	keep			pg_catalog.interval CHECK (rule <> 'time' OR (setting IS NULL) <> (keep IS NULL)),
	reached			pg_catalog.timestamptz NOT NULL DEFAULT '-infinity',
	description		pg_catalog.text NOT NULL
);
COMMENT ON TABLE floe_internal.retention IS 'Every table of floe: what makes it grow and what bounds it';
COMMENT ON COLUMN floe_internal.retention.rule IS 'fixed: rows come with the extension; people: as many as people write; time: rows go when they are old; state: as many as there are things of this kind; owner: rows go with the row they belong to';
COMMENT ON COLUMN floe_internal.retention.time_column IS 'The age of a row';
COMMENT ON COLUMN floe_internal.retention.setting IS 'Parameter that says how long rows are kept; NULL: keep does, or nothing';
COMMENT ON COLUMN floe_internal.retention.reached IS 'Between the batches of one purge: up to here all is removed. A batch that began at the oldest row would read the dead rows of those before it, again and again while an old snapshot keeps them';

INSERT INTO floe_internal.retention (relation, rule, time_column, setting, keep, description) VALUES
	('floe_internal.operation_kind', 'fixed', NULL, NULL, NULL, 'Operations'),
	('floe_internal.operation_state', 'fixed', NULL, NULL, NULL, 'States of an operation'),
	('floe_internal.operation_transition', 'fixed', NULL, NULL, NULL, 'Legal transitions between them'),
	('floe_internal.error_class', 'fixed', NULL, NULL, NULL, 'Classes of errors'),
	('floe_internal.builtin_setting', 'fixed', NULL, NULL, NULL, 'Defaults below policies'),
	('floe_internal.property_setting', 'fixed', NULL, NULL, NULL, 'Table properties that are settings'),
	('floe_internal.policy_key', 'fixed', NULL, NULL, NULL, 'Keys of policy documents'),
	('floe_internal.polaris_policy_type', 'fixed', NULL, NULL, NULL, 'Types of Polaris''s policies'),
	('floe_internal.polaris_config_key', 'fixed', NULL, NULL, NULL, 'Keys of their config that have another name in floe'),
	('floe_internal.import_field', 'fixed', NULL, NULL, NULL, 'Fields of other systems'' policies'),
	('floe_internal.import_property', 'fixed', NULL, NULL, NULL, 'Table properties about maintenance'),
	('floe_internal.gate', 'fixed', NULL, NULL, NULL, 'Gates'),
	('floe_internal.identity', 'fixed', NULL, NULL, NULL, 'Which database this is, one row'),
	('floe_internal.retention', 'fixed', NULL, NULL, NULL, 'This list'),
	('floe.metric', 'fixed', NULL, NULL, NULL, 'Metrics; people change their thresholds'),
	('floe.debt_term', 'fixed', NULL, NULL, NULL, 'Terms of the debt score; people change their weights'),
	('floe.debt_preset', 'people', NULL, NULL, NULL, 'Weights of terms by name; floe''s own, and what people add'),
	('floe_internal.engine_speed', 'state', NULL, NULL, NULL, 'At most twelve rows for each engine and operation; those of an engine go with it'),
	('floe_internal.engine_session', 'fixed', NULL, NULL, NULL, 'At most pool_size rows for each engine; one goes when the engine has ended the session'),
	('floe.resource_preset', 'people', NULL, NULL, NULL, 'Sizes of sessions that policies name'),
	('floe.policy', 'people', NULL, NULL, NULL, 'Policies'),
	('floe.policy_operation', 'people', NULL, NULL, NULL, 'What they say, at most a row for each operation'),
	('floe.budget', 'people', NULL, NULL, NULL, 'Budgets'),
	('floe_internal.policy_version', 'people', NULL, NULL, NULL, 'A row for each transaction that really changed a policy; kept for good, because it says who changed what'),
	('floe_internal.pause_past', 'time', 'ended_at', 'floe.health_history_retention', NULL, 'A row for each pause and drain that is over'),
	('floe_internal.operation_effect', 'fixed', NULL, NULL, NULL, 'What operations change, for simulations'),
	('floe_internal.simulated_table', 'state', NULL, NULL, NULL, 'Written by a simulation, which is rolled back; always empty for others'),
	('floe_internal.simulated_past', 'state', NULL, NULL, NULL, 'The same'),
	('floe_internal.simulated_run', 'state', NULL, NULL, NULL, 'The same'),
	('floe_internal.simulated_commit', 'state', NULL, NULL, NULL, 'The same'),
	('floe_internal.simulated_ratio', 'state', NULL, NULL, NULL, 'The same'),
	('floe_internal.drain', 'people', NULL, NULL, NULL, 'At most one row'),
	('floe_internal.pause', 'time', 'until', NULL, '0', 'Pauses; a row goes when its pause is over'),
	('floe_internal.trigger_request', 'time', 'requested_at', NULL, '1 day', 'Triggers of tables that are not assessed yet; a row goes with its answer, and at the latest after a day'),
	('floe_internal.event', 'time', 'happened_at', 'floe.event_retention', NULL, 'A few rows for each operation, one for each change of state of a table, catalog or engine'),
	('floe_internal.health_history', 'time', 'assessed_at', 'floe.health_history_retention', NULL, 'A row for each change of a table''s health; those of a dropped table go with it'),
	('floe_internal.verdict', 'time', 'until', 'floe.why_history_retention', NULL, 'A row for each time during which an operation of a table was to run, waited or was blocked; those of a forgotten table go with it'),
	('floe_internal.operation_log', 'time', 'finished_at', 'floe.operation_log_retention', NULL, 'A row for each operation that ended'),
	('floe_internal.pass', 'time', 'started_at', 'floe.pass_retention', NULL, 'A row for each pass; one that is at work stays however old it is'),
	('floe_internal.iceberg_table', 'state', NULL, 'floe.dropped_table_retention', NULL, 'A row for each table of a catalog. A dropped one is emptied after a day, and goes with its history after its retention'),
	('floe_internal.catalog', 'state', NULL, 'floe.dropped_table_retention', NULL, 'A row for each SERVER; one of a server that was dropped goes after its last table'),
	('floe_internal.engine', 'state', NULL, 'floe.dropped_table_retention', NULL, 'A row for each SERVER; one of a server that was dropped goes when no operation names it'),
	('floe_internal.operation_queue', 'state', NULL, NULL, NULL, 'At most a row for each table and operation; it leaves in the transaction that ends the operation'),
	('floe_internal.manifest', 'state', NULL, NULL, NULL, 'A row for each manifest of the current list of a table; goes a day after it left the list, or after its table was dropped, and after a week in no list of a table that cannot be read'),
	('floe_internal.dispatch_turn', 'state', NULL, NULL, NULL, 'A row for each catalog and for each policy in it; one of a catalog or policy that is gone goes with the next purge'),
	('floe.engine_approval', 'people', NULL, NULL, NULL, 'Engines approved for the tables of a pattern'),
	('floe_internal.policy_change', 'state', NULL, NULL, NULL, 'Written and removed by each transaction that changes a policy; always empty for others'),
	('floe_internal.external_operation', 'time', 'seen_at', 'floe.operation_log_retention', NULL, 'A row for each maintenance of a table that others did'),
	('floe_internal.settings_change', 'state', NULL, NULL, NULL, 'Written and removed by each transaction that changes policies; always empty for others'),
	('floe_internal.policy_validity', 'owner', NULL, NULL, NULL, 'A row for each policy with valid_during'),
	('floe_internal.policy_set', 'state', NULL, NULL, NULL, 'Lists of policies that tables have; one that no table has goes with the next purge'),
	('floe_internal.policy_source', 'owner', NULL, NULL, NULL, 'A row for each catalog whose policies are read'),
	('floe_internal.catalog_policy', 'owner', NULL, NULL, NULL, 'A row for each policy attached in such a catalog, 1000 at most'),
	('floe_internal.table_poll', 'owner', NULL, NULL, NULL, 'A row for each table; goes when a dropped one is emptied'),
	('floe_internal.table_decision', 'owner', NULL, NULL, NULL, 'A row for each table that a policy configures; goes when a dropped one is emptied'),
	('floe_internal.health', 'owner', NULL, NULL, NULL, 'A row for each assessed table'),
	('floe_internal.budget_deferral', 'owner', NULL, NULL, NULL, 'At most a row for each table and operation that a budget holds back'),
	('floe_internal.table_circuit', 'owner', NULL, NULL, NULL, 'A row for each table whose circuit is open'),
	('floe_internal.table_operation', 'owner', NULL, NULL, NULL, 'At most a row for each table and operation'),
	('floe_internal.policy_match', 'owner', NULL, NULL, NULL, 'A row for each table and policy that matches it'),
	('floe_internal.effective', 'owner', NULL, NULL, NULL, 'At most a row for each policy list and operation');

CREATE VIEW floe.retention AS
	SELECT r.relation::pg_catalog.text AS relation, r.rule, r.setting, COALESCE(pg_catalog.current_setting(r.setting)::pg_catalog.interval, r.keep) AS kept,
		   pg_catalog.pg_total_relation_size(r.relation) AS bytes, r.description
	-- a call of the library, so that it is loaded and has its parameters
	FROM (SELECT floe_internal.clock()) AS loaded CROSS JOIN floe_internal.retention AS r;
COMMENT ON VIEW floe.retention IS 'Every table of floe: its size, what bounds it, and how long rows are kept; docs/retention.md says more';

-- Storage. A dead row costs most where a scan in the order of an index begins with it, and by default a fifth of a table may be dead.

-- The best score is claimed first, so what is claimed leaves dead entries exactly where the next claim begins; rows are wide, and rewritten some ten times.
ALTER TABLE floe_internal.operation_queue SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
	toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 500);
-- Each poll moves a row from the front of table_poll_due to its end.
ALTER TABLE floe_internal.table_poll SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
ALTER TABLE floe_internal.table_decision SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
-- Replaced with each change of the table, as wide rows: a fifth of them dead is a fifth more to read for each plan.
ALTER TABLE floe_internal.health SET (autovacuum_vacuum_scale_factor = 0.05);
-- Room for the next version in the same page: most changes leave every indexed column as it was.
ALTER TABLE floe_internal.iceberg_table SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE floe_internal.table_operation SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
-- Emptied from their old end, where each purge begins.
ALTER TABLE floe_internal.event SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE floe_internal.health_history SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE floe_internal.verdict SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE floe_internal.operation_log SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE floe_internal.manifest SET (autovacuum_vacuum_scale_factor = 0.05);

-- Rules of time, one batch, from the oldest row on: by the index, whatever the statistics of a table that grew in the last minute say.
CREATE FUNCTION floe_internal.purge_old(r floe_internal.retention, at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $body$
DECLARE
	old timestamptz := at - COALESCE(current_setting(r.setting)::interval, r.keep);
	n int8;
	newest timestamptz;
BEGIN
	EXECUTE format('WITH gone AS (
			DELETE FROM %1$s AS d
				WHERE d.ctid = ANY (ARRAY(SELECT x.ctid FROM %1$s AS x WHERE x.%2$I >= $1 AND x.%2$I < $2 ORDER BY x.%2$I LIMIT $3)) AND d.%2$I < $2
				RETURNING d.%2$I AS t)
		SELECT count(*), max(gone.t) FROM gone', r.relation, r.time_column) INTO n, newest USING r.reached, old, most;
	newest := CASE WHEN n < most THEN '-infinity' ELSE newest END;
	UPDATE floe_internal.retention AS x SET reached = newest WHERE x.relation = r.relation AND x.reached <> newest;
	RETURN n = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_old(floe_internal.retention, pg_catalog.timestamptz, pg_catalog.int4) IS 'Removes the oldest rows beyond a rule of time; true: there may be more';

CREATE FUNCTION floe_internal.purge_passes(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old timestamptz := at - current_setting('floe.pass_retention')::interval;
	n int8;
BEGIN
	-- without its row, what a pass that is at work has claimed would look as if the server had gone down
	DELETE FROM floe_internal.pass AS p WHERE p.pass_id = ANY (ARRAY(
		SELECT x.pass_id FROM floe_internal.pass AS x
		WHERE x.started_at < old AND COALESCE(x.ended_at, x.started_at) < old AND x.pass_id NOT IN (SELECT floe_internal.live_passes())
		ORDER BY x.started_at LIMIT most));
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_passes(pg_catalog.timestamptz, pg_catalog.int4) IS 'Removes rows of passes that ended long ago; true: there may be more';

-- The table's row is locked, because an assessment may take a manifest back into the list.
CREATE FUNCTION floe_internal.purge_manifests(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	due int8[];
	tables int8[];
	n int8;
BEGIN
	SELECT array_agg(x.manifest_id), array_agg(DISTINCT x.table_id) INTO due, tables
		FROM (SELECT m.manifest_id, m.table_id FROM floe_internal.manifest AS m WHERE m.left_list_at < at - interval '1 day' ORDER BY m.left_list_at LIMIT most) AS x;
	IF due IS NULL THEN
		RETURN false;
	END IF;
	tables := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (tables) FOR NO KEY UPDATE SKIP LOCKED);
	DELETE FROM floe_internal.manifest AS m WHERE m.manifest_id = ANY (due) AND m.table_id = ANY (tables) AND m.left_list_at < at - interval '1 day';
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n > 0 AND cardinality(due) = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_manifests(pg_catalog.timestamptz, pg_catalog.int4) IS 'Removes manifests that left their table''s list a day ago; true: there may be more';

-- An assessment that fails keeps what it has read. While a writer goes on and one manifest cannot be read, that would never end.
CREATE FUNCTION floe_internal.purge_unlisted(of_table_id pg_catalog.int8) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old timestamptz := floe_internal.clock() - interval '7 days';
	listed int8[];
BEGIN
	SELECT t.manifest_ids INTO listed FROM floe_internal.iceberg_table AS t WHERE t.table_id = of_table_id AND t.error_since < old;
	IF FOUND THEN
		DELETE FROM floe_internal.manifest AS m
			WHERE m.table_id = of_table_id AND m.left_list_at IS NULL AND m.stored_at < old
			  AND NOT EXISTS (SELECT 1 FROM unnest(listed) AS l (id) WHERE l.id = m.manifest_id);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_unlisted(pg_catalog.int8) IS 'Of a table that could not be assessed for a week: removes manifests that are as old and are in no list';

-- A dropped table keeps its name, its health and its history; what floe needs to look after a table goes after a day.
CREATE FUNCTION floe_internal.purge_dropped(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	ids int8[] := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
		WHERE t.status = 'dropped' AND (t.emptied_at IS NULL OR t.emptied_at < t.dropped_at) AND t.dropped_at < at - interval '1 day'
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.table_id = t.table_id)
		ORDER BY t.dropped_at LIMIT most FOR NO KEY UPDATE SKIP LOCKED);
	n int8;
BEGIN
	IF ids = '{}' THEN
		RETURN false;
	END IF;
	DELETE FROM floe_internal.manifest AS m WHERE m.manifest_id = ANY (ARRAY(SELECT x.manifest_id FROM floe_internal.manifest AS x WHERE x.table_id = ANY (ids) LIMIT most));
	GET DIAGNOSTICS n = ROW_COUNT;
	WITH emptied AS (
		UPDATE floe_internal.iceberg_table AS t
			SET emptied_at = at, manifest_ids = NULL, snapshots = NULL, details = NULL, properties = NULL, refs = NULL, specs = NULL, metadata_location = NULL, current_snapshot_id = NULL
			WHERE t.table_id = ANY (ids) AND NOT EXISTS (SELECT 1 FROM floe_internal.manifest AS m WHERE m.table_id = t.table_id)
			RETURNING t.table_id
	), undecided AS (
		DELETE FROM floe_internal.table_decision AS d USING emptied AS e WHERE d.table_id = e.table_id
	)
	DELETE FROM floe_internal.table_poll AS p USING emptied AS e WHERE p.table_id = e.table_id;
	RETURN n = most OR cardinality(ids) = most;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_dropped(pg_catalog.timestamptz, pg_catalog.int4) IS 'Empties tables that were dropped a day ago; true: there may be more';

CREATE FUNCTION floe_internal.purge_forgotten(at pg_catalog.timestamptz, most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old timestamptz := at - current_setting('floe.dropped_table_retention')::interval;
	-- with each go a few rows of the tables that refer to it
	most_tables int4 := GREATEST(most / 20, 1);
	ids int8[] := ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t
		WHERE t.status = 'dropped' AND t.dropped_at < old AND t.emptied_at >= t.dropped_at
		  AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.table_id = t.table_id)
		ORDER BY t.dropped_at LIMIT most_tables FOR UPDATE SKIP LOCKED);
	n int8;
BEGIN
	DELETE FROM floe_internal.health_history AS h WHERE h.ctid = ANY (ARRAY(SELECT x.ctid FROM floe_internal.health_history AS x WHERE x.table_id = ANY (ids) LIMIT most)) AND h.table_id = ANY (ids);
	GET DIAGNOSTICS n = ROW_COUNT;
	DELETE FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (ids) AND NOT EXISTS (SELECT 1 FROM floe_internal.health_history AS h WHERE h.table_id = t.table_id);
	IF n < most AND cardinality(ids) < most_tables THEN
		DELETE FROM floe_internal.catalog AS c WHERE c.status = 'removed' AND c.removed_at < old AND NOT EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = c.catalog_id);
	END IF;
	DELETE FROM floe_internal.engine AS e WHERE e.status = 'removed' AND e.removed_at < old AND NOT EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.engine = e.server_name);
	DELETE FROM floe_internal.engine_speed AS s WHERE s.engine <> '' AND NOT EXISTS (SELECT 1 FROM floe_internal.engine AS e WHERE e.server_name = s.engine);
	RETURN n = most OR cardinality(ids) = most_tables;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge_forgotten(pg_catalog.timestamptz, pg_catalog.int4) IS 'Removes tables, catalogs and engines that went long ago, with their history; true: there may be more';

-- Who gives a table its policy list may be giving it one that no table has yet; and a policy that changes locks first and rows later.
-- So this begins with the lock, and does not wait for it.
CREATE FUNCTION floe_internal.lock_matches_at_once() RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RETURN false;
	END IF;
	LOCK TABLE floe_internal.policy_match IN SHARE ROW EXCLUSIVE MODE NOWAIT;
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RETURN false;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_matches_at_once() IS 'Until the commit: no table gets another policy list and no policy changes; false: somebody is at it';

-- One look into the index for each list, of which there are few: asked for the next from there on, so that the answer is not sought in the table.
CREATE FUNCTION floe_internal.unused_policy_sets() RETURNS TABLE (policy_set_id pg_catalog.int4)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.policy_set_id FROM floe_internal.policy_set AS s
	WHERE (SELECT t.policy_set_id FROM floe_internal.iceberg_table AS t WHERE t.policy_set_id >= s.policy_set_id ORDER BY t.policy_set_id LIMIT 1) IS DISTINCT FROM s.policy_set_id;
END;
COMMENT ON FUNCTION floe_internal.unused_policy_sets() IS 'Policy lists that no table has';

CREATE FUNCTION floe_internal.purge(most pg_catalog.int4) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	old timestamptz := at - current_setting('floe.dropped_table_retention')::interval;
	r floe_internal.retention;
	n int8;
	more bool;
	is_locked bool := false;
BEGIN
	-- who comes second has nothing to do
	IF NOT pg_try_advisory_xact_lock(floe_internal.step_class(), 'floe_internal.retention'::regclass::oid::int4) THEN
		RETURN false;
	END IF;
	IF EXISTS (SELECT 1 FROM floe_internal.unused_policy_sets())
			OR EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS t WHERE t.status = 'dropped' AND t.dropped_at < old)
			OR EXISTS (SELECT 1 FROM floe_internal.catalog AS c WHERE c.removed_at < old)
			OR EXISTS (SELECT 1 FROM floe_internal.engine AS e WHERE e.removed_at < old) THEN
		is_locked := floe_internal.lock_matches_at_once();
	END IF;
	more := floe_internal.purge_dropped(at, most);
	DELETE FROM floe_internal.dispatch_turn AS d
		WHERE NOT EXISTS (SELECT 1 FROM floe_internal.catalog AS c WHERE c.server_name = d.catalog AND c.status <> 'removed')
		   OR d.policy NOT IN ('', '-') AND NOT EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.name = d.policy);
	IF is_locked THEN
		more := floe_internal.purge_forgotten(at, most) OR more;
		DELETE FROM floe_internal.policy_set AS s WHERE s.policy_set_id = ANY (ARRAY(SELECT u.policy_set_id FROM floe_internal.unused_policy_sets() AS u LIMIT most));
		GET DIAGNOSTICS n = ROW_COUNT;
		more := more OR n = most;
	END IF;
	FOR r IN SELECT * FROM floe_internal.retention AS x WHERE x.rule = 'time' AND x.relation <> 'floe_internal.pass'::regclass
	LOOP
		more := floe_internal.purge_old(r, at, most) OR more;
	END LOOP;
	more := floe_internal.purge_passes(at, most) OR more;
	-- it changes as time passes and decides nothing, so it is done here, some tables at a time
	more := floe_internal.refresh_outlook(200) OR more;
	RETURN floe_internal.purge_manifests(at, most) OR more;
END
$body$;
COMMENT ON FUNCTION floe_internal.purge(pg_catalog.int4) IS 'Removes what is beyond its retention, at most so many rows of each kind; true: there may be more. One at a time: false while another does it';
