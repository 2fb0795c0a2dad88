--
-- What one pass takes: each due table once, however long it lasts. Several passes at once: test/isolation.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog();
SELECT lab.list_tables('demo', 'demo.db.a', 'demo.db.b', 'demo.db.c');
CREATE FUNCTION lab.claims(pass int, most int DEFAULT 10) RETURNS text[] LANGUAGE sql AS
	$$ SELECT array_agg(t.name ORDER BY t.name) FROM floe_internal.claim_tables(pass, ARRAY(SELECT catalog_id FROM floe_internal.catalog), NULL, most, true) AS t $$;
SELECT floe_internal.begin_pass('procedure') AS pass \gset
SELECT lab.claims(:pass, 2) AS first_two, lab.claims(:pass) AS the_rest, lab.claims(:pass) AS none;
-- the catalog takes its time: what was read first is due again before the last one is read
SELECT lab.later('10 minutes');
SELECT floe_internal.table_failed(lab.id('demo.db.a'), 'timeout', 'slow', NULL, NULL);
SELECT lab.later('1 day');
SELECT name, next_poll_at <= floe_internal.clock() AS due FROM floe.tables WHERE name = 'demo.db.a';
SELECT lab.claims(:pass) AS not_again;
-- a table that was listed meanwhile is taken, though
SELECT lab.list_tables('demo', 'demo.db.a', 'demo.db.b', 'demo.db.c', 'demo.db.late');
SELECT lab.claims(:pass) AS late;
SELECT floe_internal.end_pass(:pass);
-- the next pass takes all of them: claims that were not used are given back
SELECT floe_internal.begin_pass('procedure') AS pass \gset
SELECT lab.claims(:pass) AS next_pass;
SELECT floe_internal.end_pass(:pass);
