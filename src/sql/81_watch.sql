-- =================================================================================================
-- 81 catalogs in this database
-- A JDBC catalog whose table is here tells of each commit by a trigger: no poll has to find it.
-- =================================================================================================

-- Runs in the transaction of whoever commits to an Iceberg table: it must not fail, nor keep him waiting.
CREATE FUNCTION floe.notify_jdbc_commit() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET lock_timeout = '100ms'
AS $body$
DECLARE
	row_of jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
	at timestamptz;
BEGIN
	IF TG_NARGS > 1 AND row_of ->> 'catalog_name' IS DISTINCT FROM TG_ARGV[1] THEN
		RETURN NULL;
	END IF;
	BEGIN
		at := floe_internal.clock();
		IF TG_OP = 'UPDATE' AND to_jsonb(OLD) ->> 'table_namespace' = row_of ->> 'table_namespace' AND to_jsonb(OLD) ->> 'table_name' = row_of ->> 'table_name' THEN
			PERFORM floe.notify_commit(floe_internal.format_name(ARRAY[TG_ARGV[0]] || string_to_array(row_of ->> 'table_namespace', '.') || (row_of ->> 'table_name')));
		ELSE
			-- made, dropped or renamed: the list of tables is another one; one that is under way may have come too early
			UPDATE floe_internal.catalog AS c SET next_list_at = CASE WHEN c.claim_pass IS NOT NULL THEN '-infinity' ELSE LEAST(c.next_list_at, at) END
				WHERE c.server_name = TG_ARGV[0] AND c.status = 'ok';
			PERFORM floe_internal.wake('assessor');
		END IF;
	EXCEPTION
		WHEN query_canceled THEN
			RAISE;
		WHEN OTHERS THEN
			-- the next poll finds it
			NULL;
	END;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe.notify_jdbc_commit() IS 'Trigger on the table iceberg_tables of a JDBC catalog, made by floe.watch_catalog(): what is committed is looked at now. Arguments: the catalog''s server and, if the table holds several catalogs, the value of catalog_name. Never fails, and waits at most a tenth of a second';

-- The table of a catalog in this database, and the names that the trigger needs. As the caller: he must be allowed to put a trigger there.
CREATE FUNCTION floe_internal.jdbc_relation(of_server pg_catalog.text, OUT relation pg_catalog.regclass, OUT catalog_name pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	s record;
BEGIN
	SELECT x.server_name, x.server_type, x.options INTO s FROM floe_internal.server AS x WHERE x.wrapper = 'floe_catalog' AND x.server_name = of_server;
	IF s.server_name IS NULL THEN
		PERFORM floe_internal.refuse(format('there is no catalog "%s"', of_server), NULL, 'Catalogs are servers of the wrapper floe_catalog.', '42704');
	END IF;
	IF s.server_type <> 'jdbc' OR s.options ->> 'uri' <> 'postgresql:///' THEN
		PERFORM floe_internal.refuse(format('catalog "%s" is not in this database', of_server), 'A trigger can tell of commits only where the catalog''s table is.',
			'It is a server of TYPE ''jdbc'' with the option uri ''postgresql:///''. For others there is floe.notify_commit().');
	END IF;
	catalog_name := s.options ->> 'catalog_name';
	relation := to_regclass(format('%I.iceberg_tables', COALESCE(s.options ->> 'schema', 'public')));
	IF relation IS NULL THEN
		PERFORM floe_internal.refuse(format('there is no table %I.iceberg_tables', COALESCE(s.options ->> 'schema', 'public')), NULL, 'The first client of the JDBC catalog makes it.', '42P01');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.jdbc_relation(pg_catalog.text) IS 'Where a JDBC catalog of this database has its table; an error for all others';

CREATE FUNCTION floe_internal.drop_watch(relation pg_catalog.regclass, of_server pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_trigger AS t WHERE t.tgrelid = drop_watch.relation AND t.tgname = ('floe_watch_' || of_server)::name) THEN
		RETURN false;
	END IF;
	EXECUTE format('DROP TRIGGER %I ON %s', 'floe_watch_' || of_server, drop_watch.relation);
	RETURN true;
END
$body$;
COMMENT ON FUNCTION floe_internal.drop_watch(pg_catalog.regclass, pg_catalog.text) IS 'As the caller: takes the trigger away that tells of a catalog''s commits; false: there was none';

CREATE FUNCTION floe_internal.put_watch(relation pg_catalog.regclass, of_server pg_catalog.text, catalog_name pg_catalog.text) RETURNS pg_catalog.regclass
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	trigger_name text := 'floe_watch_' || of_server;
BEGIN
	EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION floe.notify_jdbc_commit(%L%s)',
		trigger_name, put_watch.relation, of_server, ', ' || quote_literal(put_watch.catalog_name));
	-- it goes with the extension instead of being in its way
	EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION floe', trigger_name, put_watch.relation);
	RETURN put_watch.relation;
END
$body$;
COMMENT ON FUNCTION floe_internal.put_watch(pg_catalog.regclass, pg_catalog.text, pg_catalog.text) IS 'As the caller, who must own the table: makes the trigger of floe.watch_catalog(), which is not there';

CREATE FUNCTION floe.watch_catalog(server_name pg_catalog.text) RETURNS pg_catalog.regclass
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.drop_watch(p.relation, watch_catalog.server_name) FROM floe_internal.jdbc_relation(watch_catalog.server_name) AS p;
	SELECT floe_internal.put_watch(p.relation, watch_catalog.server_name, p.catalog_name) FROM floe_internal.jdbc_relation(watch_catalog.server_name) AS p;
END;
COMMENT ON FUNCTION floe.watch_catalog(pg_catalog.text) IS 'Puts a trigger on the table of a JDBC catalog in this database, so that floe looks at a table as soon as somebody commits to it. The caller must own that table; returns it';

CREATE FUNCTION floe.unwatch_catalog(server_name pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT floe_internal.drop_watch(p.relation, unwatch_catalog.server_name) FROM floe_internal.jdbc_relation(unwatch_catalog.server_name) AS p;
END;
COMMENT ON FUNCTION floe.unwatch_catalog(pg_catalog.text) IS 'Takes the trigger of floe.watch_catalog() away; false: there was none';
