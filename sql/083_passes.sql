--
-- What one pass takes: each due table once, however long it lasts. Several passes at once: test/isolation.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog();
SELECT lab.list_tables('demo', 'demo.db.a', 'demo.db.b', 'demo.db.c');
SELECT floe_internal.begin_pass('procedure') AS pass \gset
SELECT lab.claim_tables(:pass, 2) AS first_two, lab.claim_tables(:pass) AS the_rest, lab.claim_tables(:pass) AS none;
-- the catalog takes its time: what was read first is due again before the last one is read
SELECT lab.later('10 minutes');
SELECT floe_internal.table_failed(lab.id('demo.db.a'), 'timeout', 'slow', NULL, NULL);
SELECT lab.later('1 day');
SELECT name, next_poll_at <= floe_internal.clock() AS due FROM floe.tables WHERE name = 'demo.db.a';
SELECT lab.claim_tables(:pass) AS not_again;
-- a table that was listed meanwhile is taken, though
SELECT lab.list_tables('demo', 'demo.db.a', 'demo.db.b', 'demo.db.c', 'demo.db.late');
SELECT lab.claim_tables(:pass) AS late;
SELECT floe_internal.end_pass(:pass);
-- the next pass takes all of them: claims that were not used are given back
SELECT floe_internal.begin_pass('procedure') AS pass \gset
SELECT lab.claim_tables(:pass) AS next_pass;
SELECT floe_internal.end_pass(:pass);

-- ---- which tables a plan looks at closely: all those that anything calls for, and not those that need nothing ----

SELECT lab.engine();
-- those from above cannot be read, but it is known where they are
SELECT floe_internal.table_failed(lab.id(n), 'timeout', 'slow', NULL, -1, 's3://lake/' || n) FROM unnest('{demo.db.a, demo.db.b, demo.db.c, demo.db.late}'::text[]) AS n;
SELECT lab.assess('demo.db.healthy'), lab.assess('demo.db.metric', files => 500, file_bytes => 1000000), lab.assess('demo.db.condition'), lab.assess('demo.db.deadline', files => 8, file_bytes => 1000000),
	lab.assess('demo.db.cadence'), lab.assess('demo.db.nothing', files => 500, file_bytes => 1000000), lab.assess('demo.db.ripe', snapshots => 40, snapshot_gap => '6 hours'), lab.assess('demo.db.overdue', snapshots => 8, snapshot_gap => '1 day');
SELECT floe.create_policy('all', 'demo.db.*, !demo.db.nothing', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {}}');
SELECT floe.create_policy('condition', 'demo.db.condition', '{"rewrite_data_files": {"when": {"any": [{"metric": "data_file_count", "value": 1}]}}}');
SELECT floe.create_policy('deadline', 'demo.db.deadline', '{"rewrite_data_files": {"deadline": "7 days"}}');
SELECT floe.create_policy('cadence', 'demo.db.cadence', '{"remove_orphan_files": {"every": "3 days", "jitter": "0"}}');
CREATE FUNCTION lab.looks(OUT name text, OUT closely bool, OUT runs text) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT t.name, t.table_id = ANY (ARRAY(SELECT floe_internal.tables_to_decide(array_agg(x.table_id), floe_internal.clock()) FROM floe_internal.iceberg_table AS x)),
		   (SELECT string_agg(d.operation, ', ') FROM floe_internal.decide(ARRAY[t.table_id], floe_internal.clock(), false, NULL) AS d WHERE d.verdict = 'run')
	FROM floe_internal.iceberg_table AS t WHERE t.status = 'ok' ORDER BY t.name COLLATE "C"
$$;
SELECT floe_internal.sync_schedules(array_agg(t.table_id), floe_internal.clock()) FROM floe_internal.iceberg_table AS t;
SELECT * FROM lab.looks();
-- later all of them may be called
SELECT lab.later('8 days');
SELECT * FROM lab.looks();
SELECT floe_internal.plan_and_queue(NULL) AS queued;
SELECT q.table_name, q.operation FROM floe_internal.operation_queue AS q ORDER BY 1, 2;

-- ---- how long an assessor may sleep ----

SELECT floe.refresh('demo.**') > 0 AS refreshed;
-- a listing is due since ever
SELECT floe_internal.next_assessor_ms('{}', true) AS now, floe_internal.next_assessor_ms(ARRAY[c.catalog_id], true) AS now_too FROM floe_internal.catalog AS c;
UPDATE floe_internal.catalog AS c SET next_list_at = floe_internal.clock() + interval '90 seconds';
UPDATE floe_internal.table_poll AS p SET next_poll_at = 'infinity';
UPDATE floe_internal.table_decision AS d SET decide_at = floe_internal.clock() + interval '60 seconds';
SELECT floe_internal.next_assessor_ms(ARRAY[c.catalog_id], true) AS decision, floe_internal.next_assessor_ms(ARRAY[c.catalog_id], false) AS listing FROM floe_internal.catalog AS c;
UPDATE floe_internal.catalog AS c SET claim_pass = 1;
SELECT floe_internal.next_assessor_ms(ARRAY[c.catalog_id], false) AS never FROM floe_internal.catalog AS c;

-- ---- a server is changed, or gets its credentials: what failed without them does not wait for its next turn ----

UPDATE floe_internal.catalog AS c SET claim_pass = NULL;
SELECT lab.assess('demo.db.a'), lab.assess('demo.db.b');
SELECT floe_internal.table_failed(lab.id('demo.db.a'), 'auth', 'manifest list: no S3 credentials', NULL);
SELECT t.name, t.status, p.next_poll_at <= floe_internal.clock() AS due FROM floe_internal.iceberg_table AS t JOIN floe_internal.table_poll AS p USING (table_id) WHERE t.name IN ('demo.db.a', 'demo.db.b') ORDER BY 1;
CREATE USER MAPPING IF NOT EXISTS FOR CURRENT_USER SERVER demo OPTIONS (s3_access_key_id 'key', s3_secret_access_key 'secret');
SELECT t.name, t.status, p.next_poll_at <= floe_internal.clock() AS due FROM floe_internal.iceberg_table AS t JOIN floe_internal.table_poll AS p USING (table_id) WHERE t.name IN ('demo.db.a', 'demo.db.b') ORDER BY 1;
-- while it is looked at: that failure is not waited for either, but the next one is
SELECT lab.assess('demo.db.a');
SELECT lab.later('1 day');
SELECT floe_internal.begin_pass('assessor') AS pass \gset
SELECT lab.claim_tables(:pass, 1, 'demo.db.a') AS claimed;
ALTER SERVER demo OPTIONS (ADD s3_region 'eu-west-1');
SELECT floe_internal.table_failed(lab.id('demo.db.a'), 'auth', 'manifest list: no S3 credentials', NULL);
SELECT lab.claim_tables(:pass, 1, 'demo.db.a') AS claimed_again;
ALTER SERVER demo OPTIONS (SET s3_region 'eu-west-2');
SELECT floe_internal.table_failed(lab.id('demo.db.a'), 'auth', 'manifest list: no S3 credentials', NULL);
SELECT lab.claim_tables(:pass, 1, 'demo.db.a') AS not_yet;
SELECT floe_internal.end_pass(:pass);

-- ---- dropped, and made due in the same moment by somebody who could not see that yet: it is not looked at for ever ----

SELECT floe_internal.begin_pass('assessor') AS pass \gset
SELECT lab.list_tables('demo', 'demo.db.b');
UPDATE floe_internal.table_poll AS p SET next_poll_at = floe_internal.clock() WHERE p.table_id IN (lab.id('demo.db.a'), lab.id('demo.db.b'));
SELECT lab.claim_tables(:pass) AS claimed;
SELECT t.name, t.status, p.claim_pass IS NOT NULL AS claimed, p.next_poll_at = 'infinity' AS never FROM floe_internal.iceberg_table AS t JOIN floe_internal.table_poll AS p USING (table_id) WHERE t.name IN ('demo.db.a', 'demo.db.b') ORDER BY 1;
SELECT floe_internal.end_pass(:pass);

-- ---- two look at one table at the same time: what the later one found stays, and the older one is asked again ----

SELECT floe_internal.begin_pass('assessor') AS pass \gset
SELECT lab.later('1 day');
SELECT c.look AS older FROM floe_internal.claim_tables(:pass, ARRAY(SELECT catalog_id FROM floe_internal.catalog), 'demo.db.b', '{1}', true) AS c \gset
SELECT c.look AS newer FROM floe_internal.claim_table(:pass, lab.id('demo.db.b')) AS c \gset
SELECT lab.assess('demo.db.b', files => 3, snapshots => 2, look => :newer);
SELECT lab.assess('demo.db.b', files => 99, look => :older);
SELECT data_file_count, snapshot_count FROM floe.tables WHERE name = 'demo.db.b';
SELECT p.etag, p.claim_pass, p.next_poll_at <= floe_internal.clock() AS due FROM floe_internal.table_poll AS p WHERE p.table_id = lab.id('demo.db.b');
SELECT c.look > :newer AS in_order FROM floe_internal.claim_table(:pass, lab.id('demo.db.b')) AS c;
SELECT lab.assess('demo.db.b', files => 5, snapshots => 3, look => :newer + 1);
SELECT data_file_count, snapshot_count FROM floe.tables WHERE name = 'demo.db.b';
SELECT floe_internal.end_pass(:pass);
-- dropped while it was read: who read it for an operation must not measure by what was known before
SELECT t.table_id AS dropped FROM floe_internal.iceberg_table AS t WHERE t.name = 'demo.db.a' \gset
SELECT t.status, floe_internal.apply_assessment(t.table_id, '{}', NULL, NULL, '{}', '{}', '{}', '{}', true) AS stored FROM floe_internal.iceberg_table AS t WHERE t.table_id = :dropped;
SELECT t.status FROM floe_internal.iceberg_table AS t WHERE t.table_id = :dropped;

-- ---- a policy asks for more frequent looks: the time that was set before is not waited for ----

SELECT lab.list_tables('demo', 'demo.db.b', 'demo.db.c', 'demo.db.late');
SELECT lab.assess('demo.db.c', snapshots => 3, snapshot_gap => '1 minute'), lab.assess('demo.db.late');
CREATE FUNCTION lab.next_looks() RETURNS TABLE (name text, within_a_minute bool) LANGUAGE sql AS $$
	SELECT t.name, p.next_poll_at <= floe_internal.clock() + interval '1 minute' FROM floe_internal.iceberg_table AS t JOIN floe_internal.table_poll AS p USING (table_id)
	WHERE t.name IN ('demo.db.b', 'demo.db.c', 'demo.db.late') ORDER BY 1
$$;
UPDATE floe_internal.table_poll AS p SET next_poll_at = floe_internal.clock() + interval '50 minutes' WHERE p.next_poll_at < 'infinity';
SELECT floe_internal.table_failed(lab.id('demo.db.late'), 'timeout', 'slow', NULL, 3000000);
SELECT * FROM lab.next_looks();
SELECT floe.create_policy('often', 'demo.db.c, demo.db.late', '{"poll_interval": "1 minute", "min_poll_interval": "10 seconds"}');
SELECT * FROM lab.next_looks();
SELECT floe.alter_policy('often', '{"pattern": "demo.db.*"}');
SELECT * FROM lab.next_looks();
UPDATE floe_internal.table_poll AS p SET next_poll_at = floe_internal.clock() + interval '50 minutes' WHERE p.next_poll_at < 'infinity';
-- what says nothing of it changes nothing
SELECT floe.alter_policy('often', '{"description": "x"}');
SELECT * FROM lab.next_looks();
SELECT floe.alter_policy('often', '{"poll_interval": "50 seconds"}');
SELECT * FROM lab.next_looks();

-- ---- a catalog that was away is back: what failed for that reason is looked at at once, what has reasons of its own when it is time ----

SELECT floe_internal.tables_unchanged(ARRAY[lab.id('demo.db.b'), lab.id('demo.db.c'), lab.id('demo.db.late')]);
UPDATE floe_internal.table_poll AS p SET next_poll_at = floe_internal.clock() + interval '50 minutes' WHERE p.next_poll_at < 'infinity';
SELECT floe_internal.table_failed(lab.id('demo.db.b'), 'timeout', 'no answer', NULL, 3000000), floe_internal.table_failed(lab.id('demo.db.c'), 'corrupt', 'not a manifest', NULL, 3000000);
SELECT floe_internal.catalog_failed(c.catalog_id, 'connect', 'refused', NULL) FROM floe_internal.catalog AS c WHERE c.server_name = 'demo';
SELECT * FROM lab.next_looks();
SELECT lab.list_tables('demo', 'demo.db.b', 'demo.db.c', 'demo.db.late');
SELECT * FROM lab.next_looks();
-- it was never away: nothing changes
SELECT floe_internal.table_failed(lab.id('demo.db.b'), 'timeout', 'no answer', NULL, 3000000);
SELECT lab.list_tables('demo', 'demo.db.b', 'demo.db.c', 'demo.db.late');
SELECT * FROM lab.next_looks();

-- ---- namespaces that floe may not list: what is known of them stays, and what else is gone is dropped ----

SELECT lab.list_tables('demo', 'demo.a.t', 'demo.a.x.t', 'demo.ax.t', 'demo.b.t');
SELECT floe_internal.apply_listing(c.catalog_id, '{}', '{}', 0, NULL, '{a,a,c}', 'list tables of a: the catalog answered 403: ForbiddenException') FROM floe_internal.catalog AS c WHERE c.server_name = 'demo';
SELECT name, status FROM floe.tables WHERE name ~ '^demo\.(a|ax|b)\.' ORDER BY 1;
SELECT status, refused_namespaces, refusal FROM floe.catalogs WHERE name = 'demo';
SELECT floe_internal.apply_listing(c.catalog_id, '{}', '{}', 0, NULL, ARRAY['a' || chr(31) || 'x'], 'the same') FROM floe_internal.catalog AS c WHERE c.server_name = 'demo';
SELECT name, status FROM floe.tables WHERE name ~ '^demo\.(a|ax|b)\.' ORDER BY 1;
SELECT lab.list_tables('demo', 'demo.db.b', 'demo.db.c', 'demo.db.late');
SELECT refused_namespaces, refusal FROM floe.catalogs WHERE name = 'demo';

-- ---- a listing that takes its time, while other things happen to the catalog ----

CREATE FUNCTION lab.list_as(pass int, VARIADIC names text[]) RETURNS int LANGUAGE sql AS $$
	SELECT floe_internal.apply_listing(c.catalog_id, ARRAY(SELECT 'db' FROM unnest(names)), names, 0, pass) FROM floe_internal.catalog AS c WHERE c.server_name = 'demo'
$$;
CREATE FUNCTION lab.catalog_state(OUT status text, OUT tripped_by text, OUT failures int, OUT is_claimed bool, OUT tables bigint) LANGUAGE sql AS $$
	SELECT c.status, c.tripped_by, c.failures, c.claim_pass IS NOT NULL, (SELECT count(*) FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = c.catalog_id AND t.status <> 'dropped')
	FROM floe_internal.catalog AS c WHERE c.server_name = 'demo'
$$;
SELECT floe_internal.begin_pass('assessor') AS pass \gset
UPDATE floe_internal.catalog SET next_list_at = '-infinity' WHERE server_name = 'demo';
SELECT server_name, is_due FROM floe_internal.claim_catalogs(:pass, NULL) WHERE server_name = 'demo';
-- its tables cannot be reached: it stays claimed, and is not well because the listing then comes to an end
SELECT floe_internal.catalog_failed(c.catalog_id, 'throttled', 'too many', NULL, -1, true, :pass) FROM floe_internal.catalog AS c WHERE c.server_name = 'demo';
SELECT * FROM lab.catalog_state();
SELECT lab.list_as(:pass, 'b', 'c', 'late');
SELECT * FROM lab.catalog_state();
-- somebody else's failure does not end a claim, nor does his listing count
UPDATE floe_internal.catalog SET next_list_at = '-infinity' WHERE server_name = 'demo';
SELECT server_name, is_due FROM floe_internal.claim_catalogs(:pass, NULL) WHERE server_name = 'demo';
SELECT floe_internal.catalog_failed(c.catalog_id, 'connect', 'refused', NULL, -1, false, :pass + 1000) FROM floe_internal.catalog AS c WHERE c.server_name = 'demo';
SELECT lab.list_as(:pass + 1000, 'b');
SELECT * FROM lab.catalog_state();
SELECT lab.list_as(:pass, 'b', 'c', 'late', 'new');
SELECT * FROM lab.catalog_state();
-- a table that was made while it is listed is found by the next listing, at once
UPDATE floe_internal.catalog SET next_list_at = '-infinity', status = 'ok', tripped_by = NULL WHERE server_name = 'demo';
SELECT server_name, is_due FROM floe_internal.claim_catalogs(:pass, NULL) WHERE server_name = 'demo';
SELECT floe.notify_commit('demo.db.newer');
SELECT lab.list_as(:pass, 'b', 'c', 'late', 'new');
SELECT c.next_list_at <= floe_internal.clock() AS listed_again FROM floe_internal.catalog AS c WHERE c.server_name = 'demo';
-- the server is dropped while it is listed: nothing comes back to life
SELECT server_name, is_due FROM floe_internal.claim_catalogs(:pass, NULL) WHERE server_name = 'demo';
BEGIN;
DROP SERVER demo CASCADE;
SELECT floe_internal.sync_servers();
SELECT * FROM lab.catalog_state();
SELECT lab.list_as(:pass, 'b', 'c', 'late', 'new');
SELECT floe_internal.catalog_failed(c.catalog_id, 'connect', 'refused', NULL), floe_internal.catalog_well(c.catalog_id) FROM floe_internal.catalog AS c WHERE c.server_name = 'demo';
SELECT * FROM lab.catalog_state();
ROLLBACK;
-- ... and made again after the listing has failed: the pass that lives on lists it anew
BEGIN;
DROP SERVER demo CASCADE;
SELECT floe_internal.sync_servers();
SELECT floe_internal.catalog_failed(c.catalog_id, 'connect', 'refused', NULL, -1, false, :pass) FROM floe_internal.catalog AS c WHERE c.server_name = 'demo';
SELECT lab.catalog();
SELECT server_name, is_due FROM floe_internal.claim_catalogs(:pass, NULL) WHERE server_name = 'demo';
ROLLBACK;
SELECT floe_internal.end_pass(:pass);
-- looking at the servers takes no numbers
SELECT nextval(pg_get_serial_sequence('floe_internal.catalog', 'catalog_id')) AS before \gset
SELECT floe_internal.sync_servers(), floe_internal.sync_servers(), floe_internal.sync_servers();
SELECT nextval(pg_get_serial_sequence('floe_internal.catalog', 'catalog_id')) - :before AS taken;
