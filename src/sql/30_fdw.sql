-- =================================================================================================
-- 30 connections: the two foreign data wrappers and what floe knows about their servers
-- Identity and secrets of catalogs and engines are SERVERs and USER MAPPINGs: familiar DDL, native
-- privileges, pg_dump, dependency tracking. The wrappers only validate options; nothing is a foreign table.
-- =================================================================================================

CREATE FUNCTION floe_internal.catalog_validator(options pg_catalog.text[], context pg_catalog.oid) RETURNS pg_catalog.void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_catalog_validator';
COMMENT ON FUNCTION floe_internal.catalog_validator(pg_catalog.text[], pg_catalog.oid) IS 'Checks the options of SERVERs and USER MAPPINGs of wrapper floe_catalog when they are saved';

CREATE FUNCTION floe_internal.engine_validator(options pg_catalog.text[], context pg_catalog.oid) RETURNS pg_catalog.void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_engine_validator';
COMMENT ON FUNCTION floe_internal.engine_validator(pg_catalog.text[], pg_catalog.oid) IS 'Checks the options of SERVERs and USER MAPPINGs of wrapper floe_engine when they are saved';

CREATE FOREIGN DATA WRAPPER floe_catalog NO HANDLER VALIDATOR floe_internal.catalog_validator;
COMMENT ON FOREIGN DATA WRAPPER floe_catalog IS 'Iceberg catalogs floe polls; SERVER TYPE ''rest''';

CREATE FOREIGN DATA WRAPPER floe_engine NO HANDLER VALIDATOR floe_internal.engine_validator;
COMMENT ON FOREIGN DATA WRAPPER floe_engine IS 'Engines that execute maintenance; SERVER TYPE ''spark-thrift'', ''spark-connect'', ''livy'', ''kyuubi'', ''trino''';

CREATE FUNCTION floe_internal.connection_options(
		OUT wrapper pg_catalog.text, OUT context pg_catalog.text, OUT option pg_catalog.text, OUT value_type pg_catalog.text,
		OUT is_required pg_catalog.bool, OUT is_secret pg_catalog.bool, OUT superuser_only pg_catalog.bool, OUT types pg_catalog.text[],
		OUT description pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 50
	AS 'MODULE_PATHNAME', 'floe_sql_connection_options';
COMMENT ON FUNCTION floe_internal.connection_options() IS 'The table that validates the options of both wrappers';

CREATE FUNCTION floe_internal.check_option_types(wrapper pg_catalog.text, type pg_catalog.text, is_mapping pg_catalog.bool, names pg_catalog.text[]) RETURNS pg_catalog.void
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'floe_sql_check_option_types';
COMMENT ON FUNCTION floe_internal.check_option_types(pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.text[]) IS 'Refuses options that mean nothing to a server of that TYPE, and keeps the statement that had them out of the log';

CREATE VIEW floe.connection_option AS
	SELECT o.wrapper, o.context, o.option, o.value_type, o.is_required, o.is_secret, o.superuser_only, o.types, o.description
	FROM floe_internal.connection_options() AS o;
COMMENT ON VIEW floe.connection_option IS 'Options of SERVER and USER MAPPING for both wrappers, and the server TYPEs they are for; a name ending in * is a family';

CREATE FUNCTION floe_internal.connection_types(OUT wrapper pg_catalog.text, OUT type pg_catalog.text) RETURNS SETOF pg_catalog.record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 5
	AS 'MODULE_PATHNAME', 'floe_sql_connection_types';
COMMENT ON FUNCTION floe_internal.connection_types() IS 'SERVER TYPEs that this version speaks, from the registries of adapters';

-- Servers of a wrapper, with the options that are not secret (server options never are).
CREATE VIEW floe_internal.server AS
	SELECT s.oid AS server_oid, w.fdwname::pg_catalog.text AS wrapper, s.srvname::pg_catalog.text AS server_name, s.srvtype AS server_type,
		   s.srvowner AS owner,
		   COALESCE((SELECT pg_catalog.jsonb_object_agg(o.option_name, o.option_value) FROM pg_catalog.pg_options_to_table(s.srvoptions) AS o),
					'{}'::pg_catalog.jsonb) AS options
	FROM pg_catalog.pg_foreign_server AS s
	JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
	WHERE w.fdwname OPERATOR(pg_catalog.=) ANY (ARRAY['floe_catalog', 'floe_engine']::pg_catalog.name[]);
COMMENT ON VIEW floe_internal.server IS 'Foreign servers of floe''s wrappers as they are defined now';

-- Brings catalog and engine rows in line with the servers that exist. A server that comes back under its old name gets its
-- old row: its tables keep their ids and history.
CREATE FUNCTION floe_internal.sync_servers() RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	gone record;
	homeless int8[];
BEGIN
	FOR gone IN
		UPDATE floe_internal.catalog AS c SET status = 'removed', removed_at = at
			WHERE c.status <> 'removed' AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_catalog' AND s.server_name = c.server_name)
			RETURNING c.catalog_id, c.server_name
	LOOP
		UPDATE floe_internal.iceberg_table AS t SET status = 'dropped', dropped_at = at, is_left_behind = true WHERE t.catalog_id = gone.catalog_id AND t.status <> 'dropped';
		UPDATE floe_internal.table_poll AS p SET next_poll_at = 'infinity' WHERE p.catalog_id = gone.catalog_id;
		PERFORM floe_internal.drop_queued(w.table_id, 'its catalog was removed')
			FROM (SELECT DISTINCT q.table_id FROM floe_internal.operation_queue AS q JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
				  WHERE t.catalog_id = gone.catalog_id ORDER BY q.table_id) AS w;
		DELETE FROM floe_internal.trigger_request AS r USING floe_internal.iceberg_table AS t WHERE t.table_id = r.table_id AND t.catalog_id = gone.catalog_id;
		PERFORM floe_internal.write_event('catalog removed', gone.server_name, NULL, NULL, NULL, format('catalog "%s" was dropped; floe leaves its tables alone', gone.server_name), NULL);
	END LOOP;
	FOR gone IN
		UPDATE floe_internal.engine AS e SET status = 'removed', removed_at = at
			WHERE e.status <> 'removed' AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = e.server_name)
			RETURNING e.server_name
	LOOP
		PERFORM floe_internal.write_event('engine removed', NULL, NULL, NULL, NULL, format('engine "%s" was dropped; nothing is sent to it any more', gone.server_name), NULL);
		PERFORM floe_internal.decide_soon(floe_internal.tables_of_engine(gone.server_name));
	END LOOP;
	-- also what came back to the queue after its engine was gone; this is asked all day, and hardly ever true
	PERFORM floe_internal.forget_engines();
	homeless := ARRAY(SELECT x.operation_id FROM floe_internal.operation_queue AS x
		WHERE x.state = 'queued' AND NOT EXISTS (SELECT 1 FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = x.engine));
	IF homeless <> '{}' THEN
		PERFORM floe_internal.lock_decisions(homeless);
		PERFORM floe_internal.end_operation(q.operation_id, 'cancelled', format('its engine "%s" was removed', q.engine))
			FROM (SELECT x.operation_id, x.engine FROM floe_internal.operation_queue AS x WHERE x.operation_id = ANY (homeless) AND x.state = 'queued'
				  ORDER BY x.operation_id FOR UPDATE) AS q;
	END IF;
	UPDATE floe_internal.catalog AS c
		SET status = 'new', removed_at = NULL, error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL, failures = 0, tripped_by = NULL,
			listed_at = NULL, left_out = 0, refused_count = 0, refusal = NULL, next_list_at = '-infinity'
		FROM floe_internal.server AS s
		WHERE s.wrapper = 'floe_catalog' AND s.server_name = c.server_name AND c.status = 'removed';
	UPDATE floe_internal.engine AS e
		SET status = 'new', removed_at = NULL, error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL, failures = 0, retry_at = NULL,
			drained_at = NULL, drained_by = NULL, drain_reason = NULL
		FROM floe_internal.server AS s
		WHERE s.wrapper = 'floe_engine' AND s.server_name = e.server_name AND e.status = 'removed';
	INSERT INTO floe_internal.catalog (server_name, created_at)
		-- a number is taken also for what is there already, and this is called all day
		SELECT s.server_name, at FROM floe_internal.server AS s
		WHERE s.wrapper = 'floe_catalog' AND NOT EXISTS (SELECT 1 FROM floe_internal.catalog AS c WHERE c.server_name = s.server_name)
		ON CONFLICT (server_name) DO NOTHING;
	INSERT INTO floe_internal.engine (server_name, created_at)
		SELECT s.server_name, at FROM floe_internal.server AS s
		WHERE s.wrapper = 'floe_engine' AND NOT EXISTS (SELECT 1 FROM floe_internal.engine AS e WHERE e.server_name = s.server_name)
		ON CONFLICT (server_name) DO NOTHING;
END
$body$;
COMMENT ON FUNCTION floe_internal.sync_servers() IS 'Registers new servers and marks those that were dropped, with their tables; called at the start of each pass and by the event trigger';

CREATE FUNCTION floe_internal.ddl_servers() RETURNS SETOF floe_internal.server
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY
		SELECT DISTINCT s.*
		FROM pg_event_trigger_ddl_commands() AS d
		LEFT JOIN pg_user_mapping AS u ON d.classid = 'pg_user_mapping'::regclass AND u.oid = d.objid
		JOIN floe_internal.server AS s ON s.server_oid = CASE WHEN d.classid = 'pg_foreign_server'::regclass THEN d.objid ELSE u.umserver END;
END
$body$;
COMMENT ON FUNCTION floe_internal.ddl_servers() IS 'In an event trigger: servers of floe''s wrappers that the command made or changed, itself or a user mapping';

-- Keeps the rows current and refuses a TYPE that no adapter speaks, and options of another one, which a validator cannot see. SECURITY
-- DEFINER: whoever may create servers of the wrapper may not write floe_internal.
CREATE FUNCTION floe_internal.on_server_ddl() RETURNS pg_catalog.event_trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	bad record;
BEGIN
	SELECT s.server_name, s.server_type, s.wrapper,
		   (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(t.type), ', ' ORDER BY t.type) FROM floe_internal.connection_types() AS t WHERE t.wrapper = s.wrapper) AS valid
	INTO bad
	FROM pg_catalog.pg_event_trigger_ddl_commands() AS d
	JOIN floe_internal.server AS s ON s.server_oid = d.objid AND d.classid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass
	WHERE NOT EXISTS (SELECT 1 FROM floe_internal.connection_types() AS t WHERE t.wrapper = s.wrapper AND t.type = s.server_type)
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'server "%" has % of wrapper %', bad.server_name,
				CASE WHEN bad.server_type IS NULL THEN 'no TYPE, which is needed for a server'
					 ELSE pg_catalog.format('TYPE %L, which is not one', bad.server_type) END, bad.wrapper
			USING ERRCODE = 'invalid_parameter_value', HINT = pg_catalog.format('Valid types are: %s.', bad.valid);
	END IF;
	IF NOT EXISTS (SELECT 1 FROM floe_internal.ddl_servers()) THEN
		RETURN;
	END IF;
	-- in C, which can keep a statement that holds secrets out of the log; the values are not looked at
	PERFORM floe_internal.check_option_types(s.wrapper, s.server_type, false, ARRAY(SELECT pg_catalog.jsonb_object_keys(s.options)))
		FROM floe_internal.ddl_servers() AS s;
	PERFORM floe_internal.check_option_types(s.wrapper, s.server_type, true, ARRAY(SELECT o.option_name FROM pg_catalog.pg_options_to_table(u.umoptions) AS o))
		FROM floe_internal.ddl_servers() AS s JOIN pg_catalog.pg_user_mapping AS u ON u.umserver = s.server_oid;
	PERFORM floe_internal.sync_servers();
	-- What failed for its options is tried anew; what waited for another engine or other credentials is decided upon again.
	UPDATE floe_internal.catalog AS c SET next_list_at = '-infinity'
		FROM floe_internal.ddl_servers() AS s WHERE c.server_name = s.server_name AND s.wrapper = 'floe_catalog';
	UPDATE floe_internal.table_poll AS p SET next_poll_at = LEAST(p.next_poll_at, floe_internal.clock()), notified_at = floe_internal.clock()
		FROM (SELECT x.table_id FROM floe_internal.table_poll AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
			  WHERE t.status NOT IN ('dropped', 'quarantined') AND (t.status = 'error' OR x.claim_pass IS NOT NULL)
				AND t.catalog_id IN (SELECT c.catalog_id FROM floe_internal.ddl_servers() AS s JOIN floe_internal.catalog AS c ON c.server_name = s.server_name WHERE s.wrapper = 'floe_catalog')
			  ORDER BY x.table_id FOR NO KEY UPDATE OF x) AS known
		WHERE p.table_id = known.table_id;
	UPDATE floe_internal.engine AS e SET retry_at = NULL
		FROM floe_internal.ddl_servers() AS s WHERE e.server_name = s.server_name AND s.wrapper = 'floe_engine';
	-- what the engine cannot honour depends on its TYPE, which is another one only after DROP and CREATE
	IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() AS d WHERE d.command_tag = 'CREATE SERVER') THEN
		PERFORM floe_internal.resolve_engine(s.server_name) FROM floe_internal.ddl_servers() AS s WHERE s.wrapper = 'floe_engine';
	END IF;
	PERFORM floe_internal.decide_soon(floe_internal.tables_of_engine(s.server_name)) FROM floe_internal.ddl_servers() AS s WHERE s.wrapper = 'floe_engine';
	PERFORM floe_internal.wake('assessor'), floe_internal.wake('executor');
END
$body$;
COMMENT ON FUNCTION floe_internal.on_server_ddl() IS 'Event trigger: validates SERVER TYPE and which options it may have, registers servers of floe''s wrappers, and makes due what waits for them or for their credentials';

CREATE EVENT TRIGGER floe_server_ddl ON ddl_command_end
	WHEN TAG IN ('CREATE SERVER', 'ALTER SERVER', 'CREATE USER MAPPING', 'ALTER USER MAPPING')
	EXECUTE FUNCTION floe_internal.on_server_ddl();
COMMENT ON EVENT TRIGGER floe_server_ddl IS 'floe: validates and registers catalog and engine servers';

