SELECT success, message, latency_ms FROM floe.check_catalog('lake');
SELECT success, message, latency_ms FROM floe.check_engine('spark');

-- Lists the catalog and reads every table's metadata. There is no policy yet, so nothing else happens.
CALL floe.run_maintenance('lake.**');
SELECT name, data_file_count AS files, excess_file_count AS excess, pg_size_pretty(data_bytes) AS data, delete_ratio::numeric(4,3), snapshot_count AS snapshots,
       expirable_snapshot_count AS expirable, manifest_count AS manifests
  FROM floe.tables ORDER BY name;
