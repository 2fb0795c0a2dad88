-- =================================================================================================
-- 43 policies: resolution
-- Each field takes the first policy that sets it, in the order priority, specificity, name. Tables that
-- the same policies match in the same order share one row set in floe_internal.effective.
-- =================================================================================================

-- What one policy sets, one row per field. operation '' is the policy as a whole. A policy's own engine
-- stands for each operation, so that it competes with other policies' operation engines.
CREATE VIEW floe_internal.policy_setting AS
	SELECT p.policy_id, o.operation, v.setting, v.value
	FROM floe.policy AS p
	JOIN floe.policy_operation AS o USING (policy_id)
	CROSS JOIN LATERAL (VALUES
		('configured', pg_catalog.to_jsonb(true)),
		('enabled', pg_catalog.to_jsonb(o.is_enabled)),
		('schedule', CASE WHEN o.schedule IS NOT NULL THEN pg_catalog.jsonb_build_object('cron', o.schedule)
						  WHEN o.every IS NOT NULL THEN pg_catalog.jsonb_build_object('every', o.every) END),
		('timezone', pg_catalog.to_jsonb(o.timezone)),
		('jitter', pg_catalog.to_jsonb(o.jitter)),
		('windows', pg_catalog.to_jsonb(o.windows)),
		('days', pg_catalog.to_jsonb(o.days)),
		('min_interval', pg_catalog.to_jsonb(o.min_interval)),
		('conditions', o.conditions),
		('deadline', pg_catalog.to_jsonb(o.deadline)),
		('timeout', pg_catalog.to_jsonb(o.timeout)),
		('max_attempts', pg_catalog.to_jsonb(o.max_attempts)),
		('slice_bytes', pg_catalog.to_jsonb(o.slice_bytes)),
		('slice_time', pg_catalog.to_jsonb(o.slice_time)),
		('quiet_period', pg_catalog.to_jsonb(o.quiet_period)),
		('auto_tune', pg_catalog.to_jsonb(o.auto_tune)),
		('resources', o.resources)) AS v (setting, value)
	WHERE v.value IS NOT NULL
	UNION ALL
	SELECT p.policy_id, k.operation, 'engine', pg_catalog.to_jsonb(COALESCE(o.engine, p.engine))
	FROM floe.policy AS p
	CROSS JOIN floe_internal.operation_kind AS k
	LEFT JOIN floe.policy_operation AS o ON o.policy_id = p.policy_id AND o.operation = k.operation
	WHERE COALESCE(o.engine, p.engine) IS NOT NULL
	UNION ALL
	SELECT p.policy_id, k.operation, v.setting, v.value
	FROM floe.policy AS p
	CROSS JOIN floe_internal.operation_kind AS k
	LEFT JOIN floe.policy_operation AS o ON o.policy_id = p.policy_id AND o.operation = k.operation
	CROSS JOIN LATERAL (VALUES ('fallback_engines', pg_catalog.to_jsonb(COALESCE(o.fallback_engines, p.fallback_engines))),
		('fallback_after', pg_catalog.to_jsonb(COALESCE(o.fallback_after, p.fallback_after)))) AS v (setting, value)
	WHERE v.value IS NOT NULL
	UNION ALL
	SELECT o.policy_id, o.operation, 'options.' || e.key, e.value
	FROM floe.policy_operation AS o
	CROSS JOIN LATERAL pg_catalog.jsonb_each(o.options) AS e
	UNION ALL
	SELECT p.policy_id, '', 'poll_interval', pg_catalog.to_jsonb(p.poll_interval)
	FROM floe.policy AS p WHERE p.poll_interval IS NOT NULL
	UNION ALL
	SELECT p.policy_id, '', 'min_poll_interval', pg_catalog.to_jsonb(p.min_poll_interval)
	FROM floe.policy AS p WHERE p.min_poll_interval IS NOT NULL
	UNION ALL
	SELECT p.policy_id, '', 'score', pg_catalog.to_jsonb(p.score)
	FROM floe.policy AS p WHERE p.score IS NOT NULL
	UNION ALL
	SELECT p.policy_id, '', 'thresholds.' || m.key || '.' || l.key, l.value
	FROM floe.policy AS p
	CROSS JOIN LATERAL pg_catalog.jsonb_each(p.thresholds) AS m
	CROSS JOIN LATERAL pg_catalog.jsonb_each(m.value) AS l
	UNION ALL
	SELECT p.policy_id, '', 'weights.' || w.key, w.value
	FROM floe.policy AS p
	CROSS JOIN LATERAL pg_catalog.jsonb_each(p.weights) AS w;
COMMENT ON VIEW floe_internal.policy_setting IS 'Fields that each policy sets, one row a field';

CREATE FUNCTION floe_internal.check_policy_conflict(saved_policy_id pg_catalog.int4) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	clash record;
BEGIN
	SELECT a.name AS saved, b.name AS other, s.operation, s.setting INTO clash
	FROM floe.policy AS a
	JOIN floe.policy AS b ON b.policy_id <> a.policy_id AND b.pattern = a.pattern AND b.priority = a.priority AND b.is_enabled AND a.is_enabled
	JOIN floe_internal.policy_setting AS s ON s.policy_id = a.policy_id AND s.setting <> 'configured'
	JOIN floe_internal.policy_setting AS t ON t.policy_id = b.policy_id AND t.operation = s.operation AND t.setting = s.setting
	WHERE a.policy_id = saved_policy_id
	ORDER BY b.name, s.operation, s.setting
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'policy "%" and policy "%" set the same field with the same pattern and priority', clash.saved, clash.other
			USING ERRCODE = 'exclusion_violation', DETAIL = format('Both set %s.', concat_ws('.', NULLIF(clash.operation, ''), clash.setting)),
				HINT = 'Give one of them another priority, or drop the field from one.';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.check_policy_conflict(pg_catalog.int4) IS 'Refuses two enabled policies of one pattern and priority that set the same field, because only their names would decide';

-- Options that several policies set together, as one statement would have them.
CREATE FUNCTION floe_internal.options_problem(of_operation pg_catalog.text, settings pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	told text;
BEGIN
	PERFORM floe_internal.check_options(of_operation,
		(SELECT COALESCE(jsonb_object_agg(substr(e.key, 9), e.value), '{}') FROM jsonb_each(settings) AS e WHERE e.key LIKE 'options.%'));
	RETURN NULL;
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS told = MESSAGE_TEXT;
	RETURN told;
END
$body$;
COMMENT ON FUNCTION floe_internal.options_problem(pg_catalog.text, pg_catalog.jsonb) IS 'Why the options of a resolved policy list contradict each other; NULL: they do not. Each policy was checked alone';

-- Resolves lists of policies: for each field the first in the list that sets it. Values are written the same way in every session:
-- hashes of them tell whether something changed.
-- Whoever changes policies may leave his transaction open for long. Only when it commits are the rows locked that workers need all the time,
-- and in the order in which these lock them.
CREATE TABLE floe_internal.settings_change (
	change_id	pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	decide_ids	pg_catalog.int8[] NOT NULL DEFAULT '{}',
	poll_ids	pg_catalog.int8[] NOT NULL DEFAULT '{}',
	is_for_all	pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe_internal.settings_change IS 'Tables for which this transaction has changed settings, budgets, thresholds or weights: they become due when it commits. Always empty for others';
COMMENT ON COLUMN floe_internal.settings_change.decide_ids IS 'To be decided upon';
COMMENT ON COLUMN floe_internal.settings_change.poll_ids IS 'To be looked at sooner, if the settings say so';
COMMENT ON COLUMN floe_internal.settings_change.is_for_all IS 'All tables are to be decided upon';

CREATE FUNCTION floe_internal.settings_changed() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NEW.is_for_all THEN
		PERFORM floe_internal.decide_all();
	ELSE
		PERFORM floe_internal.decide_soon(NEW.decide_ids);
		PERFORM floe_internal.poll_sooner(NEW.poll_ids);
	END IF;
	DELETE FROM floe_internal.settings_change AS x WHERE x.change_id = NEW.change_id;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.settings_changed() IS 'Trigger at commit: what settings have changed for becomes due';

CREATE CONSTRAINT TRIGGER settings_changed AFTER INSERT ON floe_internal.settings_change
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION floe_internal.settings_changed();

CREATE FUNCTION floe_internal.resolve_sets(set_ids pg_catalog.int4[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres' SET timezone = 'UTC'
AS $body$
DECLARE
	polls jsonb := (SELECT jsonb_object_agg(e.policy_set_id, e.settings) FROM floe_internal.effective AS e WHERE e.policy_set_id = ANY (set_ids) AND e.operation = '');
BEGIN
	DELETE FROM floe_internal.effective AS e WHERE e.policy_set_id = ANY (set_ids);
	INSERT INTO floe_internal.effective (policy_set_id, operation, settings, origins, problem, engine_names, engine_refusals)
		WITH winner AS (
			SELECT DISTINCT ON (s.policy_set_id, v.operation, v.setting) s.policy_set_id, v.operation, v.setting, v.value, v.policy_id
			FROM floe_internal.policy_set AS s
			CROSS JOIN LATERAL unnest(s.policy_ids) WITH ORDINALITY AS m (policy_id, place)
			JOIN floe_internal.policy_setting AS v ON v.policy_id = m.policy_id
			WHERE s.policy_set_id = ANY (set_ids)
			ORDER BY s.policy_set_id, v.operation, v.setting, m.place
		), resolved AS (
			SELECT w.policy_set_id, w.operation, jsonb_object_agg(w.setting, w.value) AS settings, jsonb_object_agg(w.setting, w.policy_id) AS origins,
				   -- three fields make a schedule, and each may be another policy's
				   jsonb_build_object('since', max(o.schedule_set_at) FILTER (WHERE w.setting IN ('schedule', 'timezone', 'jitter'))) AS since
			FROM winner AS w LEFT JOIN floe.policy_operation AS o ON o.policy_id = w.policy_id AND o.operation = w.operation
			GROUP BY w.policy_set_id, w.operation
		)
		SELECT r.policy_set_id, r.operation, x.settings, r.origins, COALESCE(o.problem, n.problem), n.names, n.refusals
		FROM resolved AS r
		CROSS JOIN LATERAL (SELECT CASE WHEN r.settings ? 'schedule' THEN jsonb_set(r.settings, '{schedule}', (r.settings -> 'schedule') || r.since) ELSE r.settings END AS settings OFFSET 0) AS x
		CROSS JOIN LATERAL (SELECT CASE WHEN r.operation <> '' THEN floe_internal.options_problem(r.operation, x.settings) END AS problem OFFSET 0) AS o
		LEFT JOIN LATERAL floe_internal.resolve_engines(r.operation, x.settings, r.origins, o.problem IS NULL) AS n ON r.operation <> '';
	INSERT INTO floe_internal.settings_change (decide_ids, poll_ids)
		SELECT array_agg(t.table_id), COALESCE(array_agg(t.table_id) FILTER (WHERE e.settings IS DISTINCT FROM polls -> s.set_id::text), '{}')
		FROM unnest(set_ids) AS s (set_id)
		LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = s.set_id AND e.operation = ''
		JOIN floe_internal.iceberg_table AS t ON t.policy_set_id = s.set_id
		HAVING count(*) > 0;
END
$body$;
COMMENT ON FUNCTION floe_internal.resolve_sets(pg_catalog.int4[]) IS 'Computes floe_internal.effective for these policy lists';

-- The policy list of each table, from the matches as they stand.
CREATE FUNCTION floe_internal.policy_list(of_table_ids pg_catalog.int8[]) RETURNS TABLE (table_id pg_catalog.int8, policy_ids pg_catalog.int4[])
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.table_id, COALESCE(pg_catalog.array_agg(m.policy_id ORDER BY p.priority DESC, m.specificity DESC, p.name) FILTER (WHERE m.policy_id IS NOT NULL), '{}')
	FROM pg_catalog.unnest(of_table_ids) AS t (table_id)
	LEFT JOIN (floe_internal.policy_match AS m JOIN floe.policy AS p ON p.policy_id = m.policy_id) ON m.table_id = t.table_id
	GROUP BY t.table_id;
END;
COMMENT ON FUNCTION floe_internal.policy_list(pg_catalog.int8[]) IS 'Matching policies of each table, winner first';

CREATE FUNCTION floe_internal.assign_sets(changed_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	new_sets int4[];
	moved int8[];
BEGIN
	WITH made AS (
		INSERT INTO floe_internal.policy_set (policy_ids)
			SELECT DISTINCT l.policy_ids FROM floe_internal.policy_list(changed_table_ids) AS l
			WHERE NOT EXISTS (SELECT 1 FROM floe_internal.policy_set AS s WHERE s.policy_ids = l.policy_ids)
			ON CONFLICT DO NOTHING
			RETURNING policy_set_id)
	SELECT array_agg(made.policy_set_id) INTO new_sets FROM made;
	PERFORM floe_internal.resolve_sets(COALESCE(new_sets, '{}'));
	-- in one order, as whoever heals many does
	PERFORM 1 FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (changed_table_ids) ORDER BY t.table_id FOR NO KEY UPDATE;
	WITH moving AS (
		UPDATE floe_internal.iceberg_table AS t SET policy_set_id = s.policy_set_id
			FROM floe_internal.policy_list(changed_table_ids) AS l JOIN floe_internal.policy_set AS s ON s.policy_ids = l.policy_ids
			WHERE t.table_id = l.table_id AND t.policy_set_id IS DISTINCT FROM s.policy_set_id
			RETURNING t.table_id, t.assessed_at)
	SELECT array_agg(moving.table_id) INTO moved FROM moving WHERE moving.assessed_at IS NOT NULL;
	INSERT INTO floe_internal.settings_change (decide_ids, poll_ids) SELECT changed_table_ids, COALESCE(moved, '{}') WHERE changed_table_ids <> '{}';
END
$body$;
COMMENT ON FUNCTION floe_internal.assign_sets(pg_catalog.int8[]) IS 'Sets iceberg_table.policy_set_id of these tables, making and resolving new policy lists as needed';

-- Whoever changes policies keeps everybody else out of policy_match until the commit (floe_internal.lock_matches()).

CREATE FUNCTION floe_internal.lock_policies() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_matches(true);
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.lock_policies() IS 'Trigger: one change of policies at a time';

CREATE TRIGGER policy_lock BEFORE INSERT OR UPDATE OR DELETE ON floe.policy
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.lock_policies();
CREATE TRIGGER policy_operation_lock BEFORE INSERT OR UPDATE OR DELETE ON floe.policy_operation
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.lock_policies();

CREATE FUNCTION floe_internal.match_tables(new_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.lock_matches(false);
	INSERT INTO floe_internal.policy_match (table_id, policy_id, specificity)
		SELECT t.table_id, p.policy_id, m.specificity
		FROM floe_internal.iceberg_table AS t
		CROSS JOIN floe.policy AS p
		CROSS JOIN LATERAL floe_internal.match_pattern(p.pattern, t.levels) AS m (specificity)
		WHERE t.table_id = ANY (new_table_ids) AND p.is_enabled AND m.specificity IS NOT NULL
		ON CONFLICT DO NOTHING;
	PERFORM floe_internal.assign_sets(new_table_ids);
END
$body$;
COMMENT ON FUNCTION floe_internal.match_tables(pg_catalog.int8[]) IS 'Finds the policies of newly registered tables';

CREATE FUNCTION floe_internal.match_policies(changed_policy_ids pg_catalog.int4[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	touched int8[];
BEGIN
	WITH gone AS (
		DELETE FROM floe_internal.policy_match AS m WHERE m.policy_id = ANY (changed_policy_ids) RETURNING m.table_id)
	SELECT array_agg(DISTINCT gone.table_id) INTO touched FROM gone;
	WITH found AS (
		INSERT INTO floe_internal.policy_match (table_id, policy_id, specificity)
			SELECT t.table_id, p.policy_id, m.specificity
			FROM floe.policy AS p
			CROSS JOIN floe_internal.iceberg_table AS t
			CROSS JOIN LATERAL floe_internal.match_pattern(p.pattern, t.levels) AS m (specificity)
			WHERE p.policy_id = ANY (changed_policy_ids) AND p.is_enabled AND t.status <> 'dropped' AND m.specificity IS NOT NULL
			RETURNING table_id)
	SELECT array_agg(DISTINCT x.table_id) INTO touched
		FROM (SELECT unnest(touched) UNION ALL SELECT found.table_id FROM found) AS x (table_id);
	PERFORM floe_internal.assign_sets(COALESCE(touched, '{}'));
END
$body$;
COMMENT ON FUNCTION floe_internal.match_policies(pg_catalog.int4[]) IS 'Finds the tables of changed policies and gives every touched table its new policy list';

-- Statement triggers: resolution follows each statement, so a transaction sees the effect of its own changes.

CREATE FUNCTION floe_internal.policy_after() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	changed int4[];
	resolve_only int4[];
BEGIN
	IF TG_OP = 'UPDATE' THEN
		SELECT array_agg(n.policy_id) FILTER (WHERE (n.pattern, n.priority, n.is_enabled, n.name) IS DISTINCT FROM (o.pattern, o.priority, o.is_enabled, o.name)),
			   array_agg(n.policy_id)
		INTO changed, resolve_only
		FROM new_rows AS n JOIN old_rows AS o USING (policy_id);
		-- what was due before, while it was off or for tables it did not match, is not made up for
		UPDATE floe.policy_operation AS x SET schedule_set_at = floe_internal.clock()
			FROM new_rows AS n JOIN old_rows AS o USING (policy_id)
			WHERE x.policy_id = n.policy_id AND n.is_enabled AND (NOT o.is_enabled OR n.pattern <> o.pattern);
		PERFORM floe_internal.resolve_sets(ARRAY(SELECT s.policy_set_id FROM floe_internal.policy_set AS s WHERE s.policy_ids && resolve_only));
		PERFORM floe_internal.check_policy_conflict(id) FROM unnest(resolve_only) AS id;
	ELSE
		SELECT array_agg(n.policy_id) INTO changed FROM new_rows AS n;
		PERFORM floe_internal.check_policy_conflict(id) FROM unnest(changed) AS id;
	END IF;
	IF changed IS NOT NULL THEN
		PERFORM floe_internal.match_policies(changed);
	END IF;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_after() IS 'Re-matches and re-resolves after INSERT or UPDATE on floe.policy';

CREATE TRIGGER policy_after_insert AFTER INSERT ON floe.policy
	REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_after();
CREATE TRIGGER policy_after_update AFTER UPDATE ON floe.policy
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_after();

-- Before the rows (and by cascade their matches) go, so that the tables they matched are still known.
CREATE FUNCTION floe_internal.policy_before_delete() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	touched int8[];
BEGIN
	WITH gone AS (
		DELETE FROM floe_internal.policy_match AS m WHERE m.policy_id = OLD.policy_id RETURNING m.table_id)
	SELECT array_agg(gone.table_id) INTO touched FROM gone;
	PERFORM floe_internal.assign_sets(COALESCE(touched, '{}'));
	DELETE FROM floe_internal.policy_set AS s WHERE s.policy_ids && ARRAY[OLD.policy_id];
	RETURN OLD;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_before_delete() IS 'Takes a policy out of all policy lists before it is deleted';

CREATE TRIGGER policy_before_delete BEFORE DELETE ON floe.policy
	FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_before_delete();

CREATE FUNCTION floe_internal.policy_operation_after() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	changed int4[];
BEGIN
	IF TG_OP = 'DELETE' THEN
		SELECT array_agg(DISTINCT o.policy_id) INTO changed FROM old_rows AS o;
	ELSE
		SELECT array_agg(DISTINCT n.policy_id) INTO changed FROM new_rows AS n;
		PERFORM floe_internal.check_policy_conflict(id) FROM unnest(changed) AS id;
	END IF;
	PERFORM floe_internal.resolve_sets(ARRAY(SELECT s.policy_set_id FROM floe_internal.policy_set AS s WHERE s.policy_ids && changed));
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_operation_after() IS 'Re-resolves the policy lists that hold a changed policy';

CREATE TRIGGER policy_operation_after_insert AFTER INSERT ON floe.policy_operation
	REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_operation_after();
CREATE TRIGGER policy_operation_after_update AFTER UPDATE ON floe.policy_operation
	REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_operation_after();
CREATE TRIGGER policy_operation_after_delete AFTER DELETE ON floe.policy_operation
	REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.policy_operation_after();

-- History: one version for each transaction that changed a policy, written when it commits.

CREATE FUNCTION floe_internal.policy_history_write() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	changed_id int4 := CASE WHEN TG_OP = 'DELETE' THEN OLD.policy_id ELSE NEW.policy_id END;
	last floe_internal.policy_version;
	document jsonb := floe_internal.policy_document(changed_id);
BEGIN
	SELECT * INTO last FROM floe_internal.policy_version AS v WHERE v.policy_id = changed_id ORDER BY v.version DESC LIMIT 1;
	IF document IS NULL AND (last.action IS NULL OR last.action = 'drop') THEN
		RETURN NULL;	-- made and dropped in one transaction, or written already
	END IF;
	-- a policy that brings a time of its own comes from a dump, and so do its versions
	IF TG_OP = 'INSERT' AND (TG_TABLE_NAME = 'policy' OR last.version IS NULL) AND (SELECT p.created_at <> now() FROM floe.policy AS p WHERE p.policy_id = changed_id) THEN
		RETURN NULL;
	END IF;
	IF document = last.document AND last.action <> 'drop' THEN
		RETURN NULL;
	END IF;
	INSERT INTO floe_internal.policy_version (policy_id, version, name, action, document, changed_at, changed_by)
		VALUES (changed_id, COALESCE(last.version, 0) + 1, COALESCE(document ->> 'name', last.name),
			CASE WHEN document IS NULL THEN 'drop' WHEN last.version IS NULL THEN 'create' ELSE 'alter' END,
			COALESCE(document, last.document), floe_internal.clock(), SESSION_USER);
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_history_write() IS 'Writes a policy version at commit, unless nothing changed';

CREATE CONSTRAINT TRIGGER policy_history AFTER INSERT OR UPDATE OR DELETE ON floe.policy
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_history_write();
CREATE CONSTRAINT TRIGGER policy_operation_history AFTER INSERT OR UPDATE OR DELETE ON floe.policy_operation
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION floe_internal.policy_history_write();

CREATE FUNCTION floe_internal.refuse_change() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RAISE EXCEPTION '% is not changed after the fact', TG_ARGV[0] USING ERRCODE = 'object_not_in_prerequisite_state';
END
$body$;
COMMENT ON FUNCTION floe_internal.refuse_change() IS 'Trigger: refuses changes of immutable rows';

CREATE TRIGGER policy_version_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON floe_internal.policy_version
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.refuse_change('policy history');

CREATE VIEW floe.policy_history AS
	SELECT v.policy_id, v.name, v.version, v.action, v.document, v.changed_at, v.changed_by
	FROM floe_internal.policy_version AS v;
COMMENT ON VIEW floe.policy_history IS 'Every version of every policy: what it said, when, and who saved it';

