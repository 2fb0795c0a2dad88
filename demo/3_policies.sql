-- What every table of the lake gets. A metric at or above its threshold calls for its remedy.
SELECT floe.create_policy('defaults', 'lake.**', '{
  "engine": "spark",
  "rewrite_data_files": {}, "rewrite_position_delete_files": {}, "rewrite_manifests": {},
  "expire_snapshots": {"options": {"max_snapshot_age": "1 day", "retain_last": 5}},
  "thresholds": {"excess_file_count":        {"warning": 20, "critical": 100},
                 "excess_delete_file_count": {"warning": 10, "critical": 100},
                 "excess_manifest_count":    {"warning": 20, "critical": 100}}}');

-- One table more: its jobs leave files behind. A narrow policy adds to a broad one, field by field. Without "jitter" the tables of a schedule
-- would start spread over its first minutes, and here somebody is waiting.
SELECT floe.create_policy('cleanup', 'lake.shop.exports', '{
  "remove_orphan_files": {"every": "1 day", "jitter": "0", "options": {"older_than": "3 days"}}}');

-- And one setting for the streams.
SELECT floe.create_policy('streams', 'lake.shop.events, lake.shop.checkpoints', '{
  "priority": 10, "expire_snapshots": {"options": {"max_snapshot_age": "6 hours"}}}');

-- What floe would do now, worst table first.
SELECT name, verdict, next_operation, reason, round(debt::numeric, 2) AS debt FROM floe.status();

-- Why: a sick table, a healthy one, and one whose owner forbids deleting files.
SELECT operation, verdict, gate, value, limit_value, set_by FROM floe.why('lake.shop.orders');
SELECT operation, verdict, gate, value, limit_value, set_by FROM floe.why('lake.shop.countries');
SELECT operation, verdict, gate, value, limit_value, set_by FROM floe.why('lake.shop.audit');

-- All of it, in the order of what is worth most.
SELECT rank, table_name, operation, gate AS because, value, objects, minutes FROM floe.plan('lake.**');
