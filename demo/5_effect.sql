-- What each operation achieved, measured by floe from the tables' metadata before and after.
SELECT id, table_name, operation, state, round(extract(epoch FROM duration)::numeric, 1) AS seconds,
       files_before || ' > ' || files_after AS files, snapshots_before || ' > ' || snapshots_after AS snapshots, manifests_before || ' > ' || manifests_after AS manifests
  FROM floe.operations ORDER BY id;
