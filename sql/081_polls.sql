--
-- When a table is looked at next: about as often as it is written, within what policies allow, and at once when somebody says that it was written.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

-- ---- the time until the next look, by the table's own pace ----

-- Of a thousand tables: none later than the time expected, none more than a fifth earlier, hardly two at the same moment, and each the same when asked again.
CREATE FUNCTION lab.delays(settings jsonb, commit_interval float8, idle interval, expected interval) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(', ', CASE WHEN max(d.delay) > expected THEN 'too late: ' || max(d.delay) END, CASE WHEN min(d.delay) < expected * 0.8 THEN 'too early: ' || min(d.delay) END,
		CASE WHEN max(d.delay) < expected * 0.99 OR min(d.delay) > expected * 0.81 THEN format('not spread: %s to %s', min(d.delay), max(d.delay)) END,
		CASE WHEN count(DISTINCT d.delay) < 990 THEN format('only %s different times', count(DISTINCT d.delay)) END,
		CASE WHEN bool_or(d.delay IS DISTINCT FROM floe_internal.poll_delay(d.id, settings, commit_interval, idle)) THEN 'not the same again' END, 'within ' || expected)
	FROM (SELECT i AS id, floe_internal.poll_delay(i, settings, commit_interval, idle) AS delay FROM generate_series(1, 1000) AS i) AS d
$$;
SELECT told, commits_every, last_commit, bounds, lab.delays(floe_internal.builtin_settings('') || COALESCE(bounds, '{}'), extract(epoch FROM commits_every)::float8, last_commit, expected) AS looked_at
FROM (VALUES
	('nothing known', NULL::interval, NULL::interval, NULL::jsonb, '1 hour'::interval),
	('one commit, an hour ago', NULL, '1 hour', NULL, '1 hour'),
	('never written since it was made', NULL, '30 days', NULL, '1 hour'),
	('commits every second', '1 second', '0', NULL, '1 minute'),
	('several in one millisecond', '0', '0', NULL, '1 minute'),
	('every ten minutes', '10 minutes', '3 minutes', NULL, '10 minutes'),
	('... one is late', '10 minutes', '36 minutes', NULL, '10 minutes'),
	('... nobody writes any more', '10 minutes', '40 minutes 4 seconds', NULL, '10 minutes 1 second'),
	('... for two hours', '10 minutes', '2 hours', NULL, '30 minutes'),
	('... for long', '10 minutes', '3 days', NULL, '1 hour'),
	('... for years', '10 minutes', '20 years', NULL, '1 hour'),
	('every second, until an hour ago', '1 second', '1 hour', NULL, '15 minutes'),
	('once a day', '1 day', '0', NULL, '1 hour'),
	('when it was written last is not known', '10 minutes', NULL, NULL, '10 minutes'),
	('the writer''s clock is ahead', '10 minutes', '-1 hour', NULL, '10 minutes'),
	('... and it writes all the time', '1 second', '-1 hour', NULL, '1 minute'),
	('a policy lets it be looked at more often', '1 second', '0', '{"min_poll_interval": "5 seconds"}', '5 seconds'),
	('... and not less often', '1 day', '3 days', '{"poll_interval": "2 minutes"}', '2 minutes'),
	('... or less often', '1 day', '3 days', '{"poll_interval": "12 hours"}', '12 hours'),
	('... never more often', '1 second', '0', '{"min_poll_interval": "45 minutes"}', '45 minutes'),
	('... always the same', '1 second', '3 days', '{"poll_interval": "7 minutes", "min_poll_interval": "7 minutes"}', '7 minutes'),
	('two policies that do not fit: the longest time counts', '1 second', '0', '{"poll_interval": "2 hours", "min_poll_interval": "3 hours"}', '2 hours'),
	('... for a table at rest, too', '1 second', '9 days', '{"poll_interval": "2 hours", "min_poll_interval": "3 hours"}', '2 hours'),
	('and a default that does not fit a policy', '1 second', '0', '{"poll_interval": "20 seconds"}', '20 seconds'),
	('a year', '1 day', '9 years', '{"poll_interval": "1 year"}', '1 year')) AS v (told, commits_every, last_commit, bounds, expected);
-- metadata can say anything
SELECT c AS commit_interval, lab.delays(floe_internal.builtin_settings(''), c, NULL, '1 hour') FROM (VALUES ('Infinity'::float8), (1e300), (9.3e18)) AS v (c);

-- ---- the same for tables, with what policies, metadata and the clock say ----

SELECT lab.catalog(), lab.catalog('prod'), lab.engine();
SELECT lab.assess('demo.db.hot', snapshots => 50, snapshot_gap => '10 seconds', newest => '2026-03-02 11:59:50+00'), lab.assess('demo.db.warm', snapshots => 20, snapshot_gap => '10 minutes', newest => '2026-03-02 11:58+00'),
	lab.assess('demo.db.cold', snapshots => 20, snapshot_gap => '10 minutes', newest => '2026-03-01 12:00+00'), lab.assess('demo.db.empty', snapshots => 0), lab.assess('demo.x.both', snapshots => 20, snapshot_gap => '10 seconds', newest => '2026-03-02 11:59+00'),
	lab.assess('prod.db.slow', snapshots => 20, snapshot_gap => '10 seconds', newest => '2026-03-02 11:59+00');
-- in parts of the time expected
CREATE FUNCTION lab.next_look(name text, expected interval) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN x.next - x.at BETWEEN expected * 0.8 AND expected THEN 'within ' || expected ELSE format('in %s instead of %s', x.next - x.at, expected) END
	FROM (SELECT p.next_poll_at AS next, floe_internal.clock() AS at FROM floe_internal.table_poll AS p WHERE p.table_id = lab.id(name)) AS x
$$;
SELECT lab.next_look('demo.db.hot', '1 minute') AS hot, lab.next_look('demo.db.warm', '10 minutes') AS warm, lab.next_look('demo.db.cold', '1 hour') AS cold, lab.next_look('demo.db.empty', '1 hour') AS empty;
SELECT floe.create_policy('broad', 'demo.**', '{"poll_interval": "30 minutes", "min_poll_interval": "20 seconds"}') > 0 AS made, floe.create_policy('narrow', 'demo.x.*, prod.db.slow', '{"min_poll_interval": "2 hours"}') > 0 AS made;
-- a policy that asks for more counts at once, one that asks for less from the next look on: a poll that is due is not taken away from anybody
SELECT lab.next_look('demo.db.hot', '20 seconds') AS hot, lab.next_look('demo.db.cold', '30 minutes') AS cold, lab.next_look('prod.db.slow', '1 minute') AS slow;
SELECT floe_internal.tables_unchanged(ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t));
SELECT lab.next_look('demo.db.hot', '20 seconds') AS hot, lab.next_look('demo.db.warm', '10 minutes') AS warm, lab.next_look('demo.db.cold', '30 minutes') AS cold, lab.next_look('demo.db.empty', '30 minutes') AS empty, lab.next_look('demo.x.both', '30 minutes') AS both;
-- a policy does not give way to a default
SELECT lab.next_look('prod.db.slow', '2 hours') AS slow;
-- while nobody writes, less and less often
SELECT i AS hours_later, lab.at('2026-03-02 12:00+00'::timestamptz + i * interval '1 hour') IS NOT NULL AS at, floe_internal.tables_unchanged(ARRAY[lab.id('demo.db.hot')]) AS unchanged, lab.next_look('demo.db.hot', LEAST(interval '30 minutes', i * interval '15 minutes' + interval '2.5 seconds')) AS hot
FROM unnest('{0,1,2,3}'::int[]) AS i WHERE i > 0;
-- and at the old pace when it is written again
SELECT lab.assess('demo.db.hot', snapshots => 51, snapshot_gap => '10 seconds', newest => '2026-03-02 15:00+00'), lab.next_look('demo.db.hot', '20 seconds') AS hot;
-- an error is looked at again by its own backoff, and the pace is not forgotten
SELECT floe_internal.table_failed(lab.id('demo.db.hot'), 'timeout', 'slow', NULL), lab.next_look('demo.db.hot', '33 seconds') AS hot;
SELECT floe_internal.tables_unchanged(ARRAY[lab.id('demo.db.hot')]), lab.next_look('demo.db.hot', '20 seconds') AS hot;

-- ---- somebody says that a table was written ----

SELECT lab.at('2026-03-03 12:00+00');
SELECT floe.drop_policy('broad'), floe.drop_policy('narrow');
SELECT lab.list_tables('prod', 'prod.db.a', 'prod.db.b', 'prod."d.b"."A, b"'), lab.assess('prod.db.a'), lab.assess('prod.db.b'), lab.assess('prod."d.b"."A, b"');
UPDATE floe_internal.catalog SET status = 'ok', listed_at = '2026-03-03 11:59:57+00', next_list_at = '2026-03-03 12:04+00';
-- What changed, beside the answer: of each table its next look, of each catalog its next listing, in seconds from now.
CREATE FUNCTION lab.times() RETURNS TABLE (name text, at timestamptz) LANGUAGE sql AS $$
	SELECT t.name || ' (' || t.table_id || ')', p.next_poll_at FROM floe_internal.iceberg_table AS t JOIN floe_internal.table_poll AS p ON p.table_id = t.table_id
	UNION ALL
	SELECT 'listing of ' || c.server_name, c.next_list_at FROM floe_internal.catalog AS c
$$;
CREATE FUNCTION lab.notify(setup text, table_name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said bool;
	changed text;
BEGIN
	BEGIN
		IF setup <> '' THEN
			EXECUTE setup;
		END IF;
		CREATE TEMP TABLE before ON COMMIT DROP AS SELECT * FROM lab.times();
		said := floe.notify_commit(table_name);
		SELECT string_agg(format('%s in %s', n.name, n.at - floe_internal.clock()), ', ' ORDER BY n.name) INTO changed FROM lab.times() AS n JOIN before AS b ON b.name = n.name WHERE n.at <> b.at;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION
		WHEN SQLSTATE 'LAB00' THEN
			RETURN format('%s: %s', COALESCE(said::text, 'NULL'), COALESCE(regexp_replace(changed, ' \(\d+\)', '', 'g'), 'nothing changes'));
		WHEN OTHERS THEN
			RETURN format('%s: %s', SQLSTATE, SQLERRM);
	END;
END $$;
\pset format unaligned
\pset fieldsep ' | '
SELECT told, name, lab.notify(setup, name) AS answer FROM (VALUES
	('known', '', 'prod.db.a'),
	('known, in quotes', '', 'prod."d.b"."A, b"'),
	('... all of them', '', '"prod"."db"."a"'),
	('said twice', $$SELECT floe.notify_commit('prod.db.a'), lab.later('1 second')$$, 'prod.db.a'),
	('due already', $$UPDATE floe_internal.table_poll SET next_poll_at = '2026-03-03 11:00+00'$$, 'prod.db.a'),
	('not assessed yet', $$UPDATE floe_internal.iceberg_table SET status = 'unseen' WHERE name = 'prod.db.a'$$, 'prod.db.a'),
	('in error: its backoff holds', $$SELECT floe_internal.table_failed(lab.id('prod.db.a'), 'timeout', 'slow', NULL)$$, 'prod.db.a'),
	('... which is over', $$SELECT floe_internal.table_failed(lab.id('prod.db.a'), 'timeout', 'slow', NULL), lab.later('1 minute')$$, 'prod.db.a'),
	('... and healed', $$SELECT floe_internal.table_failed(lab.id('prod.db.a'), 'timeout', 'slow', NULL), floe_internal.tables_unchanged(ARRAY[lab.id('prod.db.a')])$$, 'prod.db.a'),
	('not assessable', $$SELECT floe_internal.table_failed(lab.id('prod.db.a'), 'unsupported', 'format version 4', NULL)$$, 'prod.db.a'),
	('quarantined', $$UPDATE floe_internal.table_poll SET crashes = 2, claim_pass = 99 WHERE table_id = lab.id('prod.db.a'); SELECT lab.dead_pass(99), floe_internal.void_claims()$$, 'prod.db.a'),
	('crashed once', $$UPDATE floe_internal.table_poll SET claim_pass = 99 WHERE table_id = lab.id('prod.db.a'); SELECT lab.dead_pass(99), floe_internal.void_claims()$$, 'prod.db.a'),
	('dropped: its catalog is listed soon', $$UPDATE floe_internal.iceberg_table SET status = 'dropped' WHERE name = 'prod.db.a'; UPDATE floe_internal.table_poll SET next_poll_at = 'infinity' WHERE table_id = lab.id('prod.db.a')$$, 'prod.db.a'),
	('... and made anew under its name', $$UPDATE floe_internal.iceberg_table SET status = 'dropped' WHERE name = 'prod.db.a'; UPDATE floe_internal.table_poll SET next_poll_at = 'infinity' WHERE table_id = lab.id('prod.db.a');
		INSERT INTO floe_internal.iceberg_table (catalog_id, namespace, table_name, levels, name, first_seen_at) SELECT catalog_id, '{db}', 'a', '{prod,db,a}', 'prod.db.a', floe_internal.clock() FROM floe_internal.catalog WHERE server_name = 'prod';
		INSERT INTO floe_internal.table_poll (table_id, catalog_id, next_poll_at) SELECT table_id, catalog_id, '2026-03-03 13:00+00' FROM floe_internal.find_table('prod.db.a')$$, 'prod.db.a'),
	('unknown: its catalog is listed soon', '', 'prod.db.new'),
	('... said twice: not later', $$SELECT floe.notify_commit('prod.db.new'), lab.later('3 seconds')$$, 'prod.db.new'),
	('... ten seconds after a listing', $$SELECT lab.later('1 minute')$$, 'prod.db.new'),
	('... a listing is due', $$UPDATE floe_internal.catalog SET next_list_at = '2026-03-03 11:00+00'$$, 'prod.db.new'),
	('... which was never listed', $$UPDATE floe_internal.catalog SET listed_at = NULL$$, 'prod.db.new'),
	('... which does not answer: its backoff holds', $$SELECT floe_internal.catalog_failed(catalog_id, 'unreachable', 'refused', NULL) FROM floe_internal.catalog WHERE server_name = 'prod'$$, 'prod.db.new'),
	('names keep their case', '', 'prod.db.A'),
	('an unknown catalog', '', 'lake.db.a'),
	('a catalog that is gone', $$DROP SERVER prod; SELECT floe_internal.sync_servers()$$, 'prod.db.a'),
	('not a name', '', 'prod..a'),
	('a pattern is not a name', '', 'prod.db.*'),
	('nothing', '', NULL)) AS v (told, setup, name);

-- ---- ... while it is looked at: that look may have come too early ----

-- What is done between a claim and the end of the look, and when the next look is.
CREATE FUNCTION lab.look(before text, during text, ends text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	claimed text[];
	meanwhile text[];
	told text;
BEGIN
	BEGIN
		UPDATE floe_internal.table_poll SET next_poll_at = floe_internal.clock() WHERE table_id = lab.id('prod.db.a');
		IF before <> '' THEN
			EXECUTE before;
		END IF;
		claimed := lab.claim_tables(7, 10, 'prod.**');
		IF during <> '' THEN
			EXECUTE during;
		END IF;
		meanwhile := lab.claim_tables(8, 10, 'prod.**');
		PERFORM lab.later('10 milliseconds');
		EXECUTE ends;
		SELECT format('%s claimed, %s at the same time, next look %s', claimed, COALESCE(meanwhile::text, 'none'),
				CASE WHEN p.next_poll_at = floe_internal.clock() THEN 'at once' WHEN p.next_poll_at = 'infinity' THEN 'never' ELSE 'in ' || date_trunc('minute', p.next_poll_at - floe_internal.clock() + interval '59 seconds') END)
				|| CASE WHEN p.claim_pass IS NOT NULL THEN ', still claimed' ELSE '' END
			INTO told FROM floe_internal.table_poll AS p WHERE p.table_id = lab.id('prod.db.a');
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		RETURN told;
	END;
END $$;
SELECT told, ends, lab.look(before, during, CASE ends WHEN 'changed' THEN $$SELECT lab.assess('prod.db.a', files => 2)$$ WHEN 'unchanged' THEN $$SELECT floe_internal.tables_unchanged(ARRAY[lab.id('prod.db.a')])$$
	ELSE $$SELECT floe_internal.table_failed(lab.id('prod.db.a'), 'timeout', 'slow', NULL)$$ END) AS then
FROM (VALUES
	(1, 'nobody says anything', '', ''),
	(2, 'said before', $$SELECT floe.notify_commit('prod.db.a'), lab.later('1 millisecond')$$, ''),
	(3, 'said during the look', '', $$SELECT lab.later('1 millisecond'), floe.notify_commit('prod.db.a')$$),
	(4, 'said when it begins', '', $$SELECT floe.notify_commit('prod.db.a')$$),
	(5, 'said of another table', '', $$SELECT lab.later('1 millisecond'), floe.notify_commit('prod.db.b'), floe_internal.tables_unchanged(ARRAY[lab.id('prod.db.b')])$$),
	(8, 'in error already, said during the look', $$SELECT floe_internal.table_failed(lab.id('prod.db.a'), 'timeout', 'slow', NULL), lab.later('1 minute')$$, $$SELECT lab.later('1 millisecond'), floe.notify_commit('prod.db.a')$$),
	(6, 'dropped during the look', '', $$SELECT lab.list_tables('prod', 'prod.db.b')$$),
	(7, '... and said', '', $$SELECT lab.later('1 millisecond'), floe.notify_commit('prod.db.a'), lab.list_tables('prod', 'prod.db.b')$$)) AS v (n, told, before, during),
	unnest('{unchanged,changed,failed}'::text[]) WITH ORDINALITY AS e (ends, place)
WHERE n NOT IN (6, 7) OR ends <> 'changed' ORDER BY n, place;
-- once, not for ever: the look that follows ends it
SELECT floe.notify_commit('prod.db.a'), lab.claim_tables(7, 10, 'prod.db.a');
SELECT lab.later('1 second'), floe.notify_commit('prod.db.a'), floe_internal.tables_unchanged(ARRAY[lab.id('prod.db.a')]);
SELECT lab.later('1 second'), lab.claim_tables(7, 10, 'prod.db.a') AS again;
SELECT lab.later('1 second'), floe_internal.tables_unchanged(ARRAY[lab.id('prod.db.a')]);
SELECT lab.claim_tables(7, 10, 'prod.db.a') AS again;

-- ---- who is looked at: each catalog has its share, the longest due first; dropped and quarantined tables never ----

TRUNCATE floe_internal.pass;
SELECT lab.list_tables('demo', 'demo.t.1', 'demo.t.2', 'demo.t.3', 'demo.t.4'), lab.list_tables('prod', 'prod.t.1', 'prod.t.2', 'prod.t.3');
UPDATE floe_internal.table_poll AS p SET next_poll_at = floe_internal.clock() - t.table_name::int * interval '1 minute' FROM floe_internal.iceberg_table AS t WHERE t.table_id = p.table_id AND t.status = 'unseen';
CREATE FUNCTION lab.shares(catalogs text[], shares int[], pattern text DEFAULT NULL, alone bool DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	BEGIN
		SELECT string_agg(t.name, ' ' ORDER BY t.name) INTO told FROM floe_internal.claim_tables(7, ARRAY(SELECT c.catalog_id FROM unnest(catalogs) WITH ORDINALITY AS x (name, place) JOIN floe_internal.catalog AS c ON c.server_name = x.name ORDER BY x.place), pattern, shares, alone) AS t;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		RETURN told;
	END;
END $$;
SELECT shares, pattern, lab.shares(catalogs, shares, pattern) FROM (VALUES
	('{demo,prod}'::text[], '{10,10}'::int[], NULL), ('{demo,prod}', '{2,1}', NULL), ('{prod,demo}', '{2,1}', NULL), ('{demo,prod}', '{0,10}', NULL), ('{demo,prod}', '{10}', NULL), ('{prod}', '{10}', NULL), ('{demo,prod}', '{2,2}', '**.2'), ('{demo,prod}', '{2,2}', 'prod.**'),
	('{}', '{}', NULL)) AS v (catalogs, shares, pattern);
SELECT lab.list_tables('demo', 'demo.t.1', 'demo.t.2', 'demo.t.3'), lab.dead_pass(99);
UPDATE floe_internal.table_poll SET crashes = 2, claim_pass = 99 WHERE table_id = lab.id('prod.t.3');
SELECT floe_internal.void_claims();
SELECT name, status, next_poll_at FROM floe.tables WHERE status IN ('dropped', 'quarantined') AND name LIKE '%.t.%' ORDER BY 1;
SELECT lab.shares('{demo,prod}', '{10,10}');
SELECT lab.later('100 years'), lab.shares('{demo,prod}', '{10,10}', '**.t.*');
-- a suspect is looked at alone, and before that waits for what is in flight; but not for ever: after a minute nothing new begins
SELECT lab.at('2026-03-03 12:00+00');
UPDATE floe_internal.table_poll SET crashes = 1, next_poll_at = floe_internal.clock() WHERE table_id = lab.id('demo.t.2');
SELECT lab.shares('{demo,prod}', '{10,10}', '**.t.*');
SELECT lab.later('59 seconds'), lab.shares('{demo,prod}', '{10,10}', '**.t.*'), lab.shares('{demo,prod}', '{10,10}', '**.t.*', false);
SELECT lab.later('1 second'), lab.shares('{demo,prod}', '{10,10}', '**.t.*'), lab.shares('{demo,prod}', '{10,10}', '**.t.*', false) AS "while others are in flight";
