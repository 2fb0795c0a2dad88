--
-- What people do: pause, resume, cancel, refresh.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

\pset format unaligned
\pset fieldsep ' | '
SELECT lab.catalog(), lab.catalog('prod'), lab.engine();
SELECT floe.create_policy('p', '**', '{"engine": "spark", "rewrite_data_files": {}}') AS policy;
SELECT lab.assess('demo.a.t', files => 500, file_bytes => 1000000), lab.assess('demo.b.t', files => 500, file_bytes => 1000000), lab.assess('prod.a.t', files => 500, file_bytes => 1000000);

-- ---- pause ----

SELECT floe.pause('demo.a.*', '2026-03-02 18:00+00', 'backfill');
SELECT floe.pause('prod.**');
SELECT floe.pause(' demo.none.* , !demo.none.x ', NULL, 'nothing matches yet');
SELECT * FROM floe.pauses ORDER BY pattern;
SELECT name, verdict, reason FROM floe.status();
-- the same pattern again replaces it
SELECT floe.pause('demo.a.*', '2026-03-02 20:00+00', 'it takes longer');
SELECT pattern, until, reason FROM floe.pauses ORDER BY pattern;
SELECT floe_internal.plan_and_queue(NULL);
SELECT table_name, operation, state FROM floe.operations;
-- it ends by itself
SELECT lab.at('2026-03-02 20:00+00');
SELECT pattern FROM floe.pauses ORDER BY pattern;
SELECT floe_internal.plan_and_queue(NULL);
-- what is queued waits, what runs is left to finish
SELECT lab.claim();
SELECT floe.pause('**');
SELECT lab.claim();
SELECT table_name, state FROM floe.operations ORDER BY id;

-- refused
SELECT lab.says(format('SELECT floe.pause(%s)', args)) FROM (VALUES (1, $$'demo..x'$$), (2, $$''$$), (3, 'NULL'), (4, $$'**', '2026-03-02 20:00+00'$$), (5, $$'**', '-infinity'$$)) AS v (n, args) ORDER BY n;

-- ---- resume: exactly that pattern, or all ----

SELECT floe.resume('demo.*.t');
SELECT floe.resume('prod.**');
SELECT pattern FROM floe.pauses ORDER BY pattern;
SELECT floe.resume('**');
SELECT count(*) FROM floe.pauses;
SELECT floe.resume('**');
SELECT lab.says($$SELECT floe.resume('demo..x')$$);
SELECT lab.claim();
SELECT kind, message FROM floe.events WHERE kind IN ('paused', 'resumed') ORDER BY id;

-- ---- cancel ----

SELECT id, table_name, state FROM floe.operations ORDER BY id;
SELECT floe.cancel(1);
SELECT floe.cancel(1);
SELECT state, cancel_requested_by FROM floe.operations WHERE id = 1;
SELECT lab.assess('prod.a.u', files => 500, file_bytes => 1000000);
SELECT operation_id FROM floe.trigger('prod.a.u') WHERE verdict = 'queued';
SELECT floe.cancel(operation_id) FROM floe_internal.operation_queue WHERE table_name = 'prod.a.u';
SELECT state, error, cancel_requested_by, started_at, attempt FROM floe.operations WHERE table_name = 'prod.a.u';
-- a cancelled one is no failure: the next plan has it again
SELECT verdict FROM floe.why('prod.a.u') WHERE operation = 'rewrite_data_files';
SELECT lab.says(format('SELECT floe.cancel(%s)', id)) FROM floe.operations WHERE table_name = 'prod.a.u';
SELECT lab.says('SELECT floe.cancel(4711)');
SELECT lab.says('SELECT floe.cancel(NULL)');
SELECT count(*) FROM floe.operations WHERE state = 'cancelled';

-- ---- refresh: due at once, quarantine lifted; no network ----

SELECT name, status, next_poll_at FROM floe.tables ORDER BY name;
SELECT name, next_list_at FROM floe.catalogs ORDER BY name;
UPDATE floe_internal.table_poll SET crashes = 2, claim_pass = 99 WHERE table_id = lab.id('demo.a.t');
SELECT lab.dead_pass(99), floe_internal.void_claims();
SELECT name, status, error, error_detail, next_poll_at FROM floe.tables WHERE name = 'demo.a.t';
SELECT lab.later('1 minute');
SELECT lab.claim_tables(1, 10, 'demo.a.*');
SELECT floe.refresh('demo.**');
SELECT name, status, next_poll_at FROM floe.tables ORDER BY name;
SELECT name, next_list_at FROM floe.catalogs ORDER BY name;
SELECT lab.claim_tables(1);
SELECT floe.refresh('other.**');
SELECT lab.says($$SELECT floe.refresh('demo..x')$$);
SELECT floe.refresh();
