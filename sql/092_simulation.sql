--
-- Simulation: a fleet lives for some days; what is in force reproduces its log, another policy predicts what then happens.
--
\set ECHO none
\i test/regress/lab.sql
\i test/regress/fleet.sql
\set ECHO all
SELECT lab.catalog(), lab.engine(options => ', max_operations ''4''');
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_manifests": {}, "expire_snapshots": {"options": {"max_snapshot_age": "1 day"}}}') AS policy;
SELECT lab.fleet(12, floe_internal.clock());
SELECT lab.live('2026-03-03 12:00+00', '1 hour');
SELECT count(*), min(queued_at) FROM floe.operations;
\timing on
SELECT lab.live('2026-03-06 12:00+00', '1 hour');
SELECT operation, state, count(*) FROM floe.operations GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM lab.compare('2026-03-03 12:00+00', '1 hour');
SELECT * FROM floe.simulate(NULL, '2026-03-03 12:00+00', step => '1 hour');
