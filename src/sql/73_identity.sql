-- =================================================================================================
-- 73 identity
-- Which database this is, so that a copy knows that it is one. Apart from the passes, because it is about
-- what they would take over: in a copy the passes of the original look dead, and its operations theirs.
-- =================================================================================================

CREATE TABLE floe_internal.identity (
	one					pg_catalog.bool PRIMARY KEY DEFAULT true CHECK (one),
	system_identifier	pg_catalog.int8 NOT NULL,
	database_oid		pg_catalog.oid NOT NULL
);
COMMENT ON TABLE floe_internal.identity IS 'The database whose operations, claims and passes are stored here: one row, which CREATE DATABASE ... TEMPLATE copies and pg_dump does not';

CREATE FUNCTION floe_internal.this_database(OUT system_identifier pg_catalog.int8, OUT database_oid pg_catalog.oid) RETURNS pg_catalog.record
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT c.system_identifier, d.oid FROM pg_catalog.pg_control_system() AS c, pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database();
END;
COMMENT ON FUNCTION floe_internal.this_database() IS 'The cluster and the database in it';

INSERT INTO floe_internal.identity (system_identifier, database_oid) SELECT t.system_identifier, t.database_oid FROM floe_internal.this_database() AS t;

-- The same cluster and another database: a copy, and the original drives what was copied. Another cluster: pg_upgrade or pg_resetwal, after which
-- there is no original any more, and what it had under way is taken over like after a restart.
CREATE FUNCTION floe_internal.settle_identity() RETURNS pg_catalog.text
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	here record;
	known floe_internal.identity;
	told text;
	ended int8;
BEGIN
	SELECT * INTO here FROM floe_internal.this_database();
	IF EXISTS (SELECT 1 FROM floe_internal.identity AS i WHERE i.system_identifier = here.system_identifier AND i.database_oid = here.database_oid) THEN
		RETURN NULL;
	END IF;
	-- One process at a time; who waited finds it settled.
	SELECT * INTO known FROM floe_internal.identity AS i FOR UPDATE;
	IF known.system_identifier = here.system_identifier AND known.database_oid = here.database_oid THEN
		RETURN NULL;
	END IF;
	INSERT INTO floe_internal.identity AS i (system_identifier, database_oid) VALUES (here.system_identifier, here.database_oid)
		ON CONFLICT (one) DO UPDATE SET system_identifier = EXCLUDED.system_identifier, database_oid = EXCLUDED.database_oid;
	IF known.system_identifier IS DISTINCT FROM here.system_identifier THEN
		RETURN NULL;
	END IF;
	told := 'this database is a copy of ' || COALESCE((SELECT format('database "%s"', d.datname) FROM pg_database AS d WHERE d.oid = known.database_oid), 'another one');
	-- Not as void_claims() does it: who claimed these is well, so there is no evidence against any table.
	UPDATE floe_internal.catalog AS c SET claim_pass = NULL WHERE c.claim_pass IS NOT NULL;
	UPDATE floe_internal.table_poll AS p SET claim_pass = NULL WHERE p.claim_pass IS NOT NULL;
	UPDATE floe_internal.pass AS p SET ended_at = floe_internal.clock() WHERE p.ended_at IS NULL;
	-- Without their handles nothing can reach an engine, whatever happens next.
	UPDATE floe_internal.operation_queue AS q
		SET state = CASE WHEN q.state IN ('running', 'lost') THEN 'verifying' ELSE q.state END, saved = NULL, driver_pass = NULL
		WHERE q.state <> 'queued';
	SELECT count(floe_internal.end_operation(x.operation_id, 'cancelled', format('%s, where the operation goes on', told))) INTO ended
		FROM (SELECT q.operation_id FROM floe_internal.operation_queue AS q ORDER BY q.operation_id) AS x;
	DELETE FROM floe_internal.trigger_request;
	IF EXISTS (SELECT 1 FROM floe_internal.server) THEN
		INSERT INTO floe_internal.drain AS d (reason, drained_by, drained_at)
			VALUES (format('%s; two would maintain the same tables. SELECT floe.undrain() lets this one act', told), 'floe', floe_internal.clock())
			ON CONFLICT (one) DO UPDATE SET reason = EXCLUDED.reason, drained_by = EXCLUDED.drained_by, drained_at = EXCLUDED.drained_at;
	END IF;
	told := concat_ws('; ', told, format('%s operations of the original were struck off here', ended),
		CASE WHEN EXISTS (SELECT 1 FROM floe_internal.drain) THEN 'nothing is dispatched before floe.undrain()' END);
	PERFORM floe_internal.write_event('database copied', NULL, NULL, NULL, NULL, told, jsonb_build_object('original_oid', known.database_oid::text, 'operations', ended));
	RETURN told;
END
$body$;
COMMENT ON FUNCTION floe_internal.settle_identity()
	IS 'First thing of each pass. In a copy of a database: strikes off the operations and claims that were copied, without touching an engine, and drains; policies, health and history stay. Returns what to tell, NULL: nothing changed hands';
