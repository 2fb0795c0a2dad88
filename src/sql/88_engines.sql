-- =================================================================================================
-- 88 engines: approval and drain
-- What people say about engines, and what follows for the tables.
-- =================================================================================================

-- decisions of all tables depend on it, as on budgets
CREATE TRIGGER approval_after AFTER INSERT OR UPDATE OR DELETE ON floe.engine_approval
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.decide_all_soon();

CREATE FUNCTION floe.approved_engines(table_name pg_catalog.text, OUT engine pg_catalog.text, OUT approved pg_catalog.bool, OUT set_by pg_catalog.text) RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT s.server_name, a.pattern IS NULL, a.pattern
	FROM (SELECT (floe_internal.require_table(table_name)).levels) AS t
	JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine'
	LEFT JOIN LATERAL (SELECT x.pattern FROM floe.engine_approval AS x WHERE s.server_name <> ALL (x.engines) AND floe_internal.match_pattern(x.pattern, t.levels) IS NOT NULL
					   ORDER BY floe_internal.match_pattern(x.pattern, t.levels), x.pattern LIMIT 1) AS a ON true
	ORDER BY s.server_name
$body$;
COMMENT ON FUNCTION floe.approved_engines(pg_catalog.text) IS 'Which engines may work on a table; set_by: the highest approval that does not have one';

CREATE FUNCTION floe.drain_engine(engine pg_catalog.text, reason pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old_row floe_internal.engine;
BEGIN
	PERFORM floe_internal.check_engine_name(drain_engine.engine, 'drain');
	PERFORM floe_internal.sync_servers();
	-- whoever is giving it something holds its row: that is finished, and nothing comes after it
	SELECT * INTO old_row FROM floe_internal.engine AS e WHERE e.server_name = drain_engine.engine FOR UPDATE;
	UPDATE floe_internal.engine AS e
		SET drained_at = COALESCE(e.drained_at, floe_internal.clock()), drained_by = COALESCE(e.drained_by, SESSION_USER), drain_reason = COALESCE(drain_engine.reason, e.drain_reason)
		WHERE e.engine_id = old_row.engine_id;
	IF old_row.drained_at IS NULL THEN
		PERFORM floe_internal.decide_soon(floe_internal.tables_of_engine(drain_engine.engine));
		PERFORM floe_internal.wake('executor');
	END IF;
	IF old_row.drained_at IS NULL OR old_row.drain_reason IS DISTINCT FROM COALESCE(drain_engine.reason, old_row.drain_reason) THEN
		PERFORM floe_internal.write_event('engine drained', NULL, NULL, NULL, NULL, concat_ws(': ', format('nothing is dispatched to engine "%s" until floe.undrain_engine() is called', drain_engine.engine), drain_engine.reason), NULL);
	END IF;
	RETURN (SELECT count(*) FROM floe_internal.operation_queue AS q WHERE q.engine = drain_engine.engine AND q.state IN ('dispatching', 'running', 'lost'));
END
$body$;
COMMENT ON FUNCTION floe.drain_engine(pg_catalog.text, pg_catalog.text)
	IS 'What runs at this engine is finished, nothing new is dispatched to it; what waits for it goes to the next engine of its policy, or waits. Returns how many operations are under way there: call it until it says 0. floe.undrain_engine() ends it';

CREATE FUNCTION floe.undrain_engine(engine pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.check_engine_name(undrain_engine.engine, 'undrain');
	UPDATE floe_internal.engine AS e SET drained_at = NULL, drained_by = NULL, drain_reason = NULL WHERE e.server_name = undrain_engine.engine AND e.drained_at IS NOT NULL;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM floe_internal.decide_soon(floe_internal.tables_of_engine(undrain_engine.engine));
	PERFORM floe_internal.wake('executor');
	PERFORM floe_internal.write_event('engine undrained', NULL, NULL, NULL, NULL, format('operations are dispatched to engine "%s" again', undrain_engine.engine), NULL);
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe.undrain_engine(pg_catalog.text) IS 'Ends floe.drain_engine(); false: it was not drained';
