--
-- JDBC catalogs in this database: a trigger tells of each commit, and never stands in its way. With real tables: test/e2e/test_jdbc_here.py.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
\pset format unaligned
\pset fieldsep ' | '

CREATE SCHEMA lake;
CREATE TABLE lake.iceberg_tables (catalog_name varchar(255) NOT NULL, table_namespace varchar(255) NOT NULL, table_name varchar(255) NOT NULL, metadata_location varchar(1000),
	previous_metadata_location varchar(1000), iceberg_type varchar(5), PRIMARY KEY (catalog_name, table_namespace, table_name));
CREATE SERVER here TYPE 'jdbc' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'postgresql:///', schema 'lake', catalog_name 'lab');
CREATE SERVER there TYPE 'jdbc' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'postgresql://db.example.com/lake');
SELECT floe_internal.sync_servers();
SELECT lab.catalog();
-- what cannot be watched
SELECT lab.says($$SELECT floe.watch_catalog('nowhere')$$);
SELECT lab.says($$SELECT floe.watch_catalog('demo')$$);
SELECT lab.says($$SELECT floe.watch_catalog('there')$$);
SELECT lab.says($$ALTER SERVER here OPTIONS (SET schema 'missing'); SELECT floe.watch_catalog('here')$$);
SELECT floe.watch_catalog('here');
SELECT floe.watch_catalog('here') AS again, (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'floe_watch%') AS triggers;

-- what is due after a statement, given that nothing was before
CREATE FUNCTION lab.due(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE floe_internal.table_poll SET next_poll_at = '2030-01-01';
	UPDATE floe_internal.catalog SET next_list_at = '2030-01-01', status = 'ok';
	EXECUTE statement;
	SET CONSTRAINTS ALL IMMEDIATE;
	SET CONSTRAINTS ALL DEFERRED;
	RETURN concat_ws(', ', (SELECT string_agg(t.name, ' ' ORDER BY t.name) FROM floe_internal.table_poll AS p JOIN floe_internal.iceberg_table AS t USING (table_id) WHERE p.next_poll_at < '2030-01-01'),
		(SELECT 'list ' || string_agg(c.server_name, ' ') FROM floe_internal.catalog AS c WHERE c.next_list_at < '2030-01-01'));
END $$;
INSERT INTO lake.iceberg_tables VALUES ('lab', 'a', 't', 'file:///1'), ('lab', 'a.b', 't', 'file:///1'), ('lab', 'a', 'od"d.name', 'file:///1'), ('other', 'a', 't', 'file:///1');
SELECT lab.list_tables('here', 'here.a.t', 'here.a.b.t', 'here.a."od""d.name"');
SELECT lab.assess(name) FROM floe.tables WHERE name LIKE 'here.%';
SELECT lab.due($$UPDATE lake.iceberg_tables SET metadata_location = 'file:///2' WHERE catalog_name = 'lab' AND table_namespace = 'a' AND table_name = 't'$$) AS committed;
SELECT lab.due($$UPDATE lake.iceberg_tables SET metadata_location = 'file:///2' WHERE table_namespace = 'a.b'$$) AS nested;
SELECT lab.due($$UPDATE lake.iceberg_tables SET metadata_location = 'file:///2' WHERE table_name LIKE 'od%'$$) AS odd;
SELECT lab.due($$UPDATE lake.iceberg_tables SET metadata_location = 'file:///2' WHERE catalog_name = 'other'$$) AS of_another_catalog;
SELECT lab.due($$INSERT INTO lake.iceberg_tables VALUES ('lab', 'a', 'new', 'file:///1')$$) AS made;
SELECT lab.due($$UPDATE lake.iceberg_tables SET table_name = 'newer' WHERE table_name = 'new'$$) AS renamed;
SELECT lab.due($$DELETE FROM lake.iceberg_tables WHERE table_name = 'newer'$$) AS dropped;
SELECT lab.due($$INSERT INTO lake.iceberg_tables VALUES ('lab', 'a', 'new', 'file:///1'); DELETE FROM lake.iceberg_tables WHERE table_name = 'new'$$) AS both;

-- whoever commits needs no privilege of floe's, and nothing of floe's can keep him from it
CREATE ROLE regress_writer;
GRANT USAGE ON SCHEMA lake TO regress_writer;
GRANT SELECT, INSERT, UPDATE ON lake.iceberg_tables TO regress_writer;
BEGIN;
SET LOCAL ROLE regress_writer;
UPDATE lake.iceberg_tables SET metadata_location = 'file:///3' WHERE table_name = 't';
COMMIT;
ALTER TABLE floe_internal.table_poll RENAME TO elsewhere;
UPDATE lake.iceberg_tables SET metadata_location = 'file:///4' WHERE table_name = 't';
ALTER TABLE floe_internal.elsewhere RENAME TO table_poll;
SELECT DISTINCT metadata_location FROM lake.iceberg_tables WHERE table_name = 't';
-- nor does he need to be alone: a trigger is made by who owns the table and may act in floe
SELECT lab.says($$SET LOCAL ROLE regress_writer; SELECT floe.watch_catalog('here')$$);
GRANT floe_operator TO regress_writer;
SELECT lab.says($$SET LOCAL ROLE regress_writer; SELECT floe.watch_catalog('here')$$);
ALTER TABLE lake.iceberg_tables OWNER TO regress_writer;
GRANT ALL ON SCHEMA lake TO regress_writer;
SELECT lab.says($$SET LOCAL ROLE regress_writer; SELECT floe.watch_catalog('here')$$);

SELECT floe.unwatch_catalog('here') AS first, floe.unwatch_catalog('here') AS second;
SELECT floe.watch_catalog('here');
-- it is not in the way of DROP EXTENSION
BEGIN;
DROP EXTENSION floe CASCADE;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgname LIKE 'floe_watch%';
ROLLBACK;
DROP OWNED BY regress_writer CASCADE;
DROP ROLE regress_writer;
DROP SCHEMA lake CASCADE;
