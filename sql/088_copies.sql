--
-- A copy of a database (CREATE DATABASE ... TEMPLATE) does not drive the operations of the original. With two databases: test/t/020_workers.pl.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
\pset format unaligned
\pset fieldsep ' | '

SELECT i.system_identifier = c.system_identifier AS same_cluster, i.database_oid = d.oid AS same_database
FROM floe_internal.identity AS i, pg_control_system() AS c, pg_database AS d WHERE d.datname = current_database();
SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}}') AS policy;
SELECT lab.assess('demo.db.' || t, files => 500, file_bytes => 1000000) FROM unnest('{waits,starts,sent,runs,lost,ends,asked}'::text[]) AS t;
SELECT floe_internal.plan_and_queue(NULL) AS queued;
SELECT lab.list_tables('demo', VARIADIC ARRAY(SELECT name FROM floe.tables) || '{demo.db.new}');
SELECT DISTINCT verdict, gate FROM floe.trigger('demo.db.new');
-- what a pass of the original does: an operation in each state, claims of a catalog and of a table
SELECT lab.dead_pass(97, crashed => true);
UPDATE floe_internal.operation_queue SET state = 'dispatching', driver_pass = 97, attempt = 1 WHERE table_name <> 'demo.db.waits';
UPDATE floe_internal.operation_queue SET saved = '\x01', lost_sent = true WHERE table_name NOT IN ('demo.db.waits', 'demo.db.starts');
UPDATE floe_internal.operation_queue SET state = 'running' WHERE table_name IN ('demo.db.runs', 'demo.db.asked');
UPDATE floe_internal.operation_queue SET state = 'lost' WHERE table_name = 'demo.db.lost';
UPDATE floe_internal.operation_queue SET state = 'verifying' WHERE table_name = 'demo.db.ends';
SELECT floe.cancel(id) FROM floe.queue WHERE table_name = 'demo.db.asked';
UPDATE floe_internal.catalog SET claim_pass = 97;
UPDATE floe_internal.table_poll SET claim_pass = 97 WHERE table_id = lab.id('demo.db.runs');
SELECT table_name, state FROM floe.queue ORDER BY 1;
CREATE TABLE lab.before AS SELECT (SELECT count(*) FROM floe.events) AS events, (SELECT jsonb_agg(to_jsonb(h)) FROM floe_internal.health AS h) AS health;

-- ---- what a database does that is the same, or the same in another cluster ----

-- What a first pass does then; undone again.
CREATE FUNCTION lab.first_pass(system_identifier text, database_oid text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT lab.rows(format('UPDATE floe_internal.identity SET system_identifier = %s, database_oid = %s; SELECT floe_internal.begin_pass(%L)', system_identifier, database_oid, 'executor'),
		'SELECT q.state, count(*), count(q.saved) AS handles FROM floe_internal.operation_queue AS q GROUP BY q.state UNION ALL SELECT ''drained'', count(*), 0 FROM floe_internal.drain
		 UNION ALL SELECT ''at home'', count(*), 0 FROM floe_internal.identity AS i JOIN floe_internal.this_database() AS t ON t.system_identifier = i.system_identifier AND t.database_oid = i.database_oid ORDER BY 1')
$$;
SELECT lab.first_pass('system_identifier', 'database_oid') AS same;
-- pg_upgrade (from 15 on with the same oids), pg_resetwal: the original is gone, and what it had under way is taken over
SELECT lab.first_pass('system_identifier + 1', 'database_oid') AS other_cluster;
SELECT lab.first_pass('system_identifier + 1', '1') AS other_cluster_and_oid;
SELECT lab.first_pass('system_identifier', '1') AS copy;

-- ---- a copy ----

UPDATE floe_internal.identity SET database_oid = 1;
-- by hand: who calls is told
SELECT floe_internal.begin_pass('procedure') AS pass \gset
SELECT count(*) FROM floe.queue;
SELECT table_name, state, cancel_requested_by, error FROM floe.operations ORDER BY 1;
SELECT count(*) FROM floe_internal.trigger_request;
SELECT count(*) FROM floe_internal.catalog WHERE claim_pass IS NOT NULL;
SELECT count(*) FILTER (WHERE claim_pass IS NOT NULL) AS claimed, sum(crashes) AS crashes FROM floe_internal.table_poll;
SELECT count(*) FROM floe_internal.pass WHERE ended_at IS NULL AND pass_id <> :pass;
SELECT reason, drained_by FROM floe_internal.drain;
SELECT kind, message FROM floe.events WHERE kind = 'database copied';
SELECT floe_internal.claim_operation(:pass, NULL), floe_internal.adopt_operations(:pass, NULL);
-- policies, health and what was learned of the tables stay
SELECT count(*) AS policies FROM floe.policy;
SELECT (SELECT jsonb_agg(to_jsonb(h)) FROM floe_internal.health AS h) = b.health AS same_health FROM lab.before AS b;
SELECT status, count(*) FROM floe.tables GROUP BY status ORDER BY status;
-- it decides and queues, and says why nothing comes of it
SELECT verdict, gate, value, set_by FROM floe.why('demo.db.runs') WHERE operation = 'rewrite_data_files';
-- once: the next pass finds nothing to settle
SELECT floe_internal.end_pass(:pass), pg_advisory_unlock(floe_internal.pass_class(), :pass);
SELECT floe.undrain();
SELECT floe_internal.plan_and_queue(NULL) AS queued;
SELECT floe_internal.begin_pass('procedure') AS pass \gset
SELECT count(*) AS drained FROM floe_internal.drain;
SELECT state, count(*) FROM floe.queue GROUP BY state;
SELECT lab.claim(:pass) IS NOT NULL AS claims;
SELECT floe_internal.end_pass(:pass), pg_advisory_unlock(floe_internal.pass_class(), :pass);

-- ---- a template without servers is no original: nothing is there to be maintained twice ----

DELETE FROM floe_internal.operation_queue;
DROP SERVER demo, spark;
-- as people say it in a physical backup that runs beside the original
UPDATE floe_internal.identity SET (system_identifier, database_oid) = (SELECT system_identifier, 0 FROM pg_control_system());
SELECT floe_internal.begin_pass('assessor') AS pass \gset
SELECT count(*) AS drained FROM floe_internal.drain;
SELECT kind, message FROM floe.events WHERE kind = 'database copied' ORDER BY id DESC LIMIT 1;
SELECT floe_internal.end_pass(:pass), pg_advisory_unlock(floe_internal.pass_class(), :pass);
-- a row that somebody removed is made anew
DELETE FROM floe_internal.identity;
SELECT floe_internal.settle_identity(), count(*) FROM floe_internal.identity;
SELECT floe_internal.settle_identity(), count(*) FROM floe_internal.identity;
