-- =================================================================================================
-- 43 policies: resolution
-- Each field takes the first policy that sets it, in the order priority, specificity, name. Tables that
-- the same policies match in the same order share one row set in floe_internal.effective.
-- =================================================================================================

CREATE FUNCTION floe_internal.check_policy_conflict(saved_policy_id pg_catalog.int4) RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = 'force_generic_plan'
AS $body$
DECLARE
	clash record;
BEGIN
	SELECT a.name AS saved, b.name AS other, s.operation, s.setting INTO clash
	FROM floe.policy AS a
	JOIN floe.policy AS b ON b.policy_id <> a.policy_id AND b.pattern = a.pattern AND b.priority = a.priority AND b.is_enabled AND a.is_enabled AND COALESCE(a.valid_during && b.valid_during, true)
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
COMMENT ON FUNCTION floe_internal.check_policy_conflict(pg_catalog.int4) IS 'Refuses two enabled policies of one pattern and priority that set the same field, because only their names would decide; they may follow each other in time';

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
	IF set_ids = '{}' THEN
		RETURN;
	END IF;
	DELETE FROM floe_internal.effective AS e WHERE e.policy_set_id = ANY (set_ids);
	INSERT INTO floe_internal.effective (policy_set_id, operation, settings, origins, problem, engine_names, engine_refusals, locked, bounds)
		WITH locked AS MATERIALIZED (
			SELECT * FROM floe_internal.locked_settings(set_ids)
		), first AS (
			SELECT DISTINCT ON (s.policy_set_id, v.operation, v.setting) s.policy_set_id, v.operation, v.setting, v.value, v.policy_id
			FROM floe_internal.policy_set AS s
			CROSS JOIN LATERAL unnest(s.policy_ids) WITH ORDINALITY AS m (policy_id, place)
			JOIN floe_internal.policy_setting AS v ON v.policy_id = m.policy_id
			WHERE s.policy_set_id = ANY (set_ids)
			ORDER BY s.policy_set_id, v.operation, v.setting, m.place
		), winner AS (
			SELECT f.policy_set_id, f.operation, f.setting, f.value, f.policy_id, NULL::jsonb AS locked, NULL::jsonb AS bounds FROM first AS f
			WHERE NOT EXISTS (SELECT 1 FROM locked AS l WHERE (l.policy_set_id, l.operation, l.setting) = (f.policy_set_id, f.operation, f.setting))
			UNION ALL
			SELECT l.policy_set_id, l.operation, l.setting, l.value, l.policy_id, l.locked, l.bounds FROM locked AS l
		), resolved AS (
			SELECT w.policy_set_id, w.operation, COALESCE(jsonb_object_agg(w.setting, w.value) FILTER (WHERE w.value IS NOT NULL), '{}') AS settings,
				   COALESCE(jsonb_object_agg(w.setting, w.policy_id) FILTER (WHERE w.value IS NOT NULL), '{}') AS origins,
				   jsonb_object_agg(w.setting, w.locked) FILTER (WHERE w.locked IS NOT NULL) AS locked, jsonb_object_agg(w.setting, w.bounds) FILTER (WHERE w.bounds IS NOT NULL) AS bounds,
				   -- three fields make a schedule, and each may be another policy's
				   jsonb_build_object('since', max(o.schedule_set_at) FILTER (WHERE w.setting IN ('schedule', 'timezone', 'jitter'))) AS since
			FROM winner AS w LEFT JOIN floe.policy_operation AS o ON o.policy_id = w.policy_id AND o.operation = w.operation
			GROUP BY w.policy_set_id, w.operation
		), whole AS MATERIALIZED (
			SELECT r.policy_set_id, r.operation, r.origins, r.locked, r.bounds,
				   CASE WHEN r.settings ? 'schedule' THEN jsonb_set(r.settings, '{schedule}', (r.settings -> 'schedule') || r.since) ELSE r.settings END AS settings,
				   -- what engines and options depend on: the same in most lists
				   r.settings - '{configured,enabled,schedule,timezone,jitter,windows,days,min_interval,conditions,deadline,timeout,max_attempts,slice_bytes,slice_time,quiet_period,auto_tune,fallback_after}'::text[] AS core
			FROM resolved AS r
		), answer AS MATERIALIZED (
			SELECT d.operation, d.core, o.problem AS options_problem, n.problem, n.names, n.refusals
			FROM (SELECT DISTINCT w.operation, w.core FROM whole AS w WHERE w.operation <> '') AS d
			CROSS JOIN LATERAL (SELECT floe_internal.options_problem(d.operation, d.core) AS problem OFFSET 0) AS o
			CROSS JOIN LATERAL floe_internal.resolve_engines(d.operation, d.core, d.core, o.problem IS NULL) AS n
		)
		SELECT w.policy_set_id, w.operation, w.settings, w.origins, COALESCE(a.options_problem, a.problem), a.names, a.refusals, w.locked, w.bounds
		FROM whole AS w LEFT JOIN answer AS a ON a.operation = w.operation AND a.core = w.core;
	INSERT INTO floe_internal.settings_change (decide_ids, poll_ids)
		SELECT array_agg(t.table_id), COALESCE(array_agg(t.table_id) FILTER (WHERE e.settings IS DISTINCT FROM polls -> s.set_id::text), '{}')
		FROM unnest(set_ids) AS s (set_id)
		LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = s.set_id AND e.operation = ''
		JOIN floe_internal.iceberg_table AS t ON t.policy_set_id = s.set_id
		HAVING count(*) > 0;
END
$body$;
COMMENT ON FUNCTION floe_internal.resolve_sets(pg_catalog.int4[]) IS 'Computes floe_internal.effective for these policy lists';

-- Validity. Whether a policy counts now is stored, so that all tables follow at once, by the next boundary and not by being looked at.

CREATE TABLE floe_internal.policy_validity (
	policy_id	pg_catalog.int4 PRIMARY KEY REFERENCES floe.policy ON DELETE CASCADE,
	is_valid	pg_catalog.bool NOT NULL,
	next_at		pg_catalog.timestamptz NOT NULL
);
CREATE INDEX policy_validity_next ON floe_internal.policy_validity (next_at);
COMMENT ON TABLE floe_internal.policy_validity IS 'Policies with valid_during: whether they count, as of the last boundary that was noticed';
COMMENT ON COLUMN floe_internal.policy_validity.next_at IS 'When that changes; infinity: never again';

-- Returns those for which it changed.
CREATE FUNCTION floe_internal.set_validity(of_policy_ids pg_catalog.int4[], at pg_catalog.timestamptz) RETURNS pg_catalog.int4[]
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	changed int4[];
BEGIN
	WITH new AS (
		SELECT p.policy_id, p.valid_during @> at AS is_valid,
			   CASE WHEN lower(p.valid_during) > at THEN lower(p.valid_during) WHEN upper(p.valid_during) > at THEN upper(p.valid_during) ELSE 'infinity' END AS next_at
		FROM floe.policy AS p WHERE p.policy_id = ANY (of_policy_ids) AND p.valid_during IS NOT NULL
	), gone AS (
		DELETE FROM floe_internal.policy_validity AS v USING floe.policy AS p
			WHERE v.policy_id = ANY (of_policy_ids) AND p.policy_id = v.policy_id AND p.valid_during IS NULL RETURNING v.policy_id, v.is_valid
	), put AS (
		INSERT INTO floe_internal.policy_validity AS v (policy_id, is_valid, next_at) SELECT n.policy_id, n.is_valid, n.next_at FROM new AS n
			ON CONFLICT (policy_id) DO UPDATE SET (is_valid, next_at) = (EXCLUDED.is_valid, EXCLUDED.next_at)
	)
	-- the statement sees the table as it was
	SELECT array_agg(x.policy_id) INTO changed FROM (
		SELECT n.policy_id FROM new AS n LEFT JOIN floe_internal.policy_validity AS v ON v.policy_id = n.policy_id WHERE n.is_valid IS DISTINCT FROM COALESCE(v.is_valid, true)
		UNION ALL
		SELECT g.policy_id FROM gone AS g WHERE NOT g.is_valid) AS x;
	RETURN COALESCE(changed, '{}');
END
$body$;
COMMENT ON FUNCTION floe_internal.set_validity(pg_catalog.int4[], pg_catalog.timestamptz) IS 'Computes floe_internal.policy_validity for these policies; returns those that begin or cease to count';

-- Whoever plans calls this first. It does not wait for who is changing policies: the next plan follows soon.
CREATE FUNCTION floe_internal.pass_boundaries() RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	due int4[];
	changed int4[];
BEGIN
	IF NOT EXISTS (SELECT 1 FROM floe_internal.policy_validity AS v WHERE v.next_at <= at) OR NOT floe_internal.lock_matches_at_once() THEN
		RETURN false;
	END IF;
	due := ARRAY(SELECT v.policy_id FROM floe_internal.policy_validity AS v WHERE v.next_at <= at);
	changed := floe_internal.set_validity(due, at);
	IF changed <> '{}' THEN
		-- a schedule begins with the policy: what would have been due before is not made up for
		INSERT INTO floe_internal.policy_change (policy_id) VALUES (0) ON CONFLICT DO NOTHING;
		UPDATE floe.policy_operation AS o SET schedule_set_at = at FROM floe_internal.policy_validity AS v WHERE v.policy_id = o.policy_id AND v.policy_id = ANY (changed) AND v.is_valid;
		DELETE FROM floe_internal.policy_change AS c WHERE c.policy_id = 0;
		PERFORM floe_internal.resolve_policies(changed);
		PERFORM floe_internal.assign_sets(ARRAY(SELECT DISTINCT m.table_id FROM floe_internal.policy_match AS m WHERE m.policy_id = ANY (changed)));
		PERFORM floe_internal.write_event(CASE WHEN v.is_valid THEN 'policy began' ELSE 'policy ended' END, NULL, NULL, NULL, NULL,
				format('policy "%s" (%s) %s', p.name, p.pattern, CASE WHEN v.is_valid THEN 'counts from now on' ELSE 'does not count any more' END), NULL)
			FROM floe.policy AS p JOIN floe_internal.policy_validity AS v ON v.policy_id = p.policy_id
			WHERE p.policy_id = ANY (changed) AND p.is_enabled;
	END IF;
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe_internal.pass_boundaries() IS 'Policies that began or ended by themselves since the last time come into or go out of the policy lists; true: there was one';

-- The policy list of each table, from the matches as they stand.
CREATE FUNCTION floe_internal.policy_list(of_table_ids pg_catalog.int8[]) RETURNS TABLE (table_id pg_catalog.int8, policy_ids pg_catalog.int4[])
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.table_id, COALESCE(pg_catalog.array_agg(m.policy_id ORDER BY p.priority DESC, m.specificity DESC, p.name) FILTER (WHERE m.policy_id IS NOT NULL), '{}')
	FROM pg_catalog.unnest(of_table_ids) AS t (table_id)
	LEFT JOIN (floe_internal.policy_match AS m JOIN floe.policy AS p ON p.policy_id = m.policy_id
		AND NOT EXISTS (SELECT 1 FROM floe_internal.policy_validity AS v WHERE v.policy_id = p.policy_id AND NOT v.is_valid)) ON m.table_id = t.table_id
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
		WITH p AS MATERIALIZED (SELECT array_agg(x.policy_id ORDER BY x.policy_id) AS ids, array_agg(x.pattern ORDER BY x.policy_id) AS patterns FROM floe.policy AS x WHERE x.is_enabled)
		SELECT t.table_id, p.ids[m.place], m.specificity
		FROM p CROSS JOIN unnest(new_table_ids) AS n (id) JOIN floe_internal.iceberg_table AS t ON t.table_id = n.id
		CROSS JOIN LATERAL floe_internal.match_patterns(p.patterns, t.levels) AS m
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

-- A list that no table has is made again, should one get it: to keep it right would cost as much as one that is in use.
CREATE FUNCTION floe_internal.resolve_policies(changed_policy_ids pg_catalog.int4[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	DELETE FROM floe_internal.policy_set AS s WHERE s.policy_ids && changed_policy_ids AND NOT EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS t WHERE t.policy_set_id = s.policy_set_id);
	PERFORM floe_internal.resolve_sets(ARRAY(SELECT s.policy_set_id FROM floe_internal.policy_set AS s WHERE s.policy_ids && changed_policy_ids));
END
$body$;
COMMENT ON FUNCTION floe_internal.resolve_policies(pg_catalog.int4[]) IS 'Computes floe_internal.effective for the lists in which a changed policy is';

-- Which of these policies are being saved in several steps, whose end follows up all of them.
CREATE FUNCTION floe_internal.is_being_saved(of_policy_ids pg_catalog.int4[]) RETURNS pg_catalog.bool
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN EXISTS (SELECT 1 FROM floe_internal.policy_change AS c WHERE c.policy_id = 0 OR c.policy_id = ANY (of_policy_ids));
END
$body$;
COMMENT ON FUNCTION floe_internal.is_being_saved(pg_catalog.int4[]) IS 'Whether floe.create_policy() or floe.alter_policy() is between two of its statements';

-- The end of floe.alter_policy().
CREATE FUNCTION floe_internal.policy_altered(old_row floe.policy, changes pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	new_row floe.policy;
	ids int4[] := ARRAY[old_row.policy_id];
	moves bool;
BEGIN
	SELECT * INTO new_row FROM floe.policy AS p WHERE p.policy_id = old_row.policy_id;
	moves := (new_row.pattern, new_row.priority, new_row.is_enabled, new_row.name, new_row.valid_during) IS DISTINCT FROM (old_row.pattern, old_row.priority, old_row.is_enabled, old_row.name, old_row.valid_during);
	-- what only gives it another place in the lists changes nothing within a list that stays, unless locks depend on the place
	IF changes - ARRAY['priority', 'name', 'valid_during', 'description', 'owner'] <> '{}' OR EXISTS (SELECT 1 FROM floe.policy AS p WHERE p.locks <> '{}') THEN
		PERFORM floe_internal.resolve_policies(ids);
	END IF;
	IF moves THEN
		PERFORM floe_internal.match_policies(ids);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.policy_altered(floe.policy, pg_catalog.jsonb) IS 'Matches and resolves once for all that floe.alter_policy() changed';

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
		changed := NULLIF(COALESCE(changed, '{}') || floe_internal.set_validity(resolve_only, floe_internal.clock()), '{}');
		-- what was due before, while it was off or for tables it did not match, is not made up for
		UPDATE floe.policy_operation AS x SET schedule_set_at = floe_internal.clock()
			FROM new_rows AS n JOIN old_rows AS o USING (policy_id)
			WHERE x.policy_id = n.policy_id AND n.is_enabled AND (NOT o.is_enabled OR n.pattern <> o.pattern);
		IF floe_internal.is_being_saved(resolve_only) THEN
			RETURN NULL;
		END IF;
		PERFORM floe_internal.resolve_policies(resolve_only);
		PERFORM floe_internal.check_policy_conflict(id) FROM unnest(resolve_only) AS id;
	ELSE
		SELECT array_agg(n.policy_id) INTO changed FROM new_rows AS n;
		PERFORM floe_internal.set_validity(changed, floe_internal.clock());
		IF floe_internal.is_being_saved(changed) THEN
			RETURN NULL;
		END IF;
		PERFORM floe_internal.check_policy_conflict(id) FROM unnest(changed) AS id;
	END IF;
	PERFORM floe_internal.check_policy_locks(ARRAY(SELECT n.policy_id FROM new_rows AS n WHERE TG_OP = 'UPDATE' OR n.created_at = now()));
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
	END IF;
	IF floe_internal.is_being_saved(changed) THEN
		RETURN NULL;
	END IF;
	IF TG_OP = 'DELETE' THEN
		PERFORM floe_internal.check_policy_locks(changed);	-- what is fixed must be set
	ELSE
		PERFORM floe_internal.check_policy_conflict(id) FROM unnest(changed) AS id;
		PERFORM floe_internal.check_policy_locks(ARRAY(SELECT DISTINCT n.policy_id FROM new_rows AS n WHERE TG_OP = 'UPDATE' OR n.schedule_set_at = floe_internal.clock()));
	END IF;
	PERFORM floe_internal.resolve_policies(changed);
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

