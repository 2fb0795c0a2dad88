-- So far floe did what it was told, when it was told. From here on nobody calls anything: its workers look, decide, dispatch and verify.
-- Five tables are about to be written every second or two. A demo has no hours, so floe looks as often, and may mend the same thing again after seconds.
SELECT floe.create_policy('live', 'lake.shop.events, lake.shop.orders, lake.shop.customers, lake.shop.clicks, lake.shop.checkpoints', '{
  "priority": 20, "poll_interval": "5 seconds", "min_poll_interval": "1 second",
  "rewrite_data_files": {"min_interval": "5 seconds"}, "rewrite_position_delete_files": {"min_interval": "5 seconds"}, "rewrite_manifests": {"min_interval": "5 seconds"}}');

-- PostgreSQL was started with shared_preload_libraries = 'floe'. The workers were off until now, so that you could see each step.
ALTER SYSTEM SET floe.scheduler = on;
SELECT pg_reload_conf();
