-- =================================================================================================
-- 72 passes
-- Who is at work. A pass is alive exactly as long as its process holds its advisory lock, so a claim never
-- outlives the process that made it, whatever ended that process.
-- =================================================================================================

-- Recovery throws the statistics away, an orderly start reads them back. (pg_stat_reset_shared('bgwriter') looks like a crash, too: at worst a table
-- that was being looked at in that moment by a process that ended meanwhile is looked at alone once.)
CREATE FUNCTION floe_internal.server_generation() RETURNS pg_catalog.timestamptz
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT pg_catalog.pg_stat_get_bgwriter_stat_reset_time();
END;
COMMENT ON FUNCTION floe_internal.server_generation() IS 'Changes whenever the server went down without being asked in an orderly way: by a crash of one of its processes, of all, or an immediate shutdown';

-- The first key of the two-key advisory locks: 'floe' in ASCII.
CREATE FUNCTION floe_internal.pass_class() RETURNS pg_catalog.int4
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 1718382437;
END;
COMMENT ON FUNCTION floe_internal.pass_class() IS 'Class of floe''s advisory locks; the second key is a pass id';

CREATE FUNCTION floe_internal.step_class() RETURNS pg_catalog.int4
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 1718382438;
END;
COMMENT ON FUNCTION floe_internal.step_class() IS 'Class of the locks that keep a step to one pass at a time until its commit; the second key is 1 for claiming under budgets, 2 for planning, 3 for approvals of engines, of people';

CREATE FUNCTION floe_internal.live_passes() RETURNS SETOF pg_catalog.int4
	LANGUAGE sql VOLATILE ROWS 5
BEGIN ATOMIC
	SELECT l.objid::pg_catalog.int8::pg_catalog.int4 FROM pg_catalog.pg_lock_status() AS l
	WHERE l.locktype = 'advisory' AND l.classid::pg_catalog.int8 = floe_internal.pass_class() AND l.objsubid = 2 AND l.granted
	  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database());
END;
COMMENT ON FUNCTION floe_internal.live_passes() IS 'Ids of the passes whose processes are at work in this database';

CREATE FUNCTION floe_internal.begin_pass(kind pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	new_id int4;
	told text := floe_internal.settle_identity();
BEGIN
	IF told IS NOT NULL AND begin_pass.kind = 'procedure' THEN
		RAISE WARNING 'floe: %', told;
	END IF;
	INSERT INTO floe_internal.pass (kind, pid, role_name, generation, started_at)
		VALUES (begin_pass.kind, pg_backend_pid(), SESSION_USER, floe_internal.server_generation(), floe_internal.clock())
		RETURNING pass.pass_id INTO new_id;
	PERFORM pg_advisory_lock(floe_internal.pass_class(), new_id);
	RETURN new_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.begin_pass(pg_catalog.text) IS 'Registers this process as a pass and takes its lock';

CREATE FUNCTION floe_internal.end_pass(of_pass_id pg_catalog.int4) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	UPDATE floe_internal.pass AS p SET ended_at = floe_internal.clock() WHERE p.pass_id = of_pass_id;
	UPDATE floe_internal.table_poll AS p SET claim_pass = NULL WHERE p.claim_pass = of_pass_id;
	UPDATE floe_internal.catalog AS c SET claim_pass = NULL WHERE c.claim_pass = of_pass_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.end_pass(pg_catalog.int4) IS 'Gives back what a pass still claims; the caller releases the lock after the commit';

-- Void claims of tables: those of passes that are gone. A claim left by a crash is evidence against the table.
CREATE FUNCTION floe_internal.void_claims() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	-- In this order: a pass that can be seen here has its lock already.
	open_passes int4[] := ARRAY(SELECT p.pass_id FROM floe_internal.pass AS p WHERE p.ended_at IS NULL);
	gone int4[] := ARRAY(SELECT x.id FROM unnest(open_passes) AS x (id) WHERE x.id NOT IN (SELECT floe_internal.live_passes()));
	now_generation timestamptz := floe_internal.server_generation();
	t record;
BEGIN
	IF gone = '{}' THEN
		RETURN;
	END IF;
	-- One process at a time; who waited finds nothing left to do.
	gone := ARRAY(SELECT p.pass_id FROM floe_internal.pass AS p WHERE p.pass_id = ANY (gone) AND p.ended_at IS NULL ORDER BY p.pass_id FOR UPDATE);
	UPDATE floe_internal.catalog AS c SET claim_pass = NULL WHERE c.claim_pass = ANY (gone);
	UPDATE floe_internal.table_poll AS p
		SET claim_pass = NULL, crashes = p.crashes + CASE WHEN s.generation IS DISTINCT FROM now_generation THEN 1 ELSE 0 END
		FROM floe_internal.pass AS s
		WHERE s.pass_id = p.claim_pass AND p.claim_pass = ANY (gone);
	UPDATE floe_internal.pass AS p SET ended_at = floe_internal.clock() WHERE p.pass_id = ANY (gone);
	FOR t IN
		UPDATE floe_internal.iceberg_table AS i
			SET status = 'quarantined', error_code = 'internal', error_message = 'the server went down twice while this table was being assessed',
				error_detail = 'floe leaves it alone until floe.refresh() is called for it.', error_since = floe_internal.clock()
			FROM floe_internal.table_poll AS p
			WHERE p.table_id = i.table_id AND p.crashes >= 2 AND i.status NOT IN ('quarantined', 'dropped')
			RETURNING i.table_id, i.name, i.error_message, i.levels
	LOOP
		UPDATE floe_internal.table_poll AS p SET next_poll_at = 'infinity' WHERE p.table_id = t.table_id;
		PERFORM floe_internal.write_event('table quarantined', t.levels[1], t.table_id, t.name, NULL, t.error_message, NULL);
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.void_claims() IS 'Frees claims of passes that are gone; a table whose claim was left behind by a crash twice is quarantined';

