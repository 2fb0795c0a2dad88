-- Gates and conditions as a table: a world, and what is decided of one operation in it by the planning step (by_plan), by a trigger (by_hand) and by a trigger that names the
-- operation (by_name). Everything but what the world says is well: the operation is configured by policy p for demo.**, called for by 500 excess files, never ran, and it is
-- Monday, 2 March 2026, noon. Expectations are verdict | gate | value | limit | set by | next time, written by hand; * is "it runs, as if nothing were the matter".
-- sql/065_gates.sql has each gate by itself.
\set ECHO none
\i test/regress/lab.sql
\set ON_ERROR_STOP on
SET client_min_messages = warning;

SELECT lab.catalog(), lab.engine(), lab.engine('big') \g /dev/null

-- A world: set: of the operation; policy: of the policy beside it; more: another policy, of this table; others are said where they are used.
CREATE FUNCTION lab.make(op text, w jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	hash text;
	q jsonb := w -> 'queue';
BEGIN
	PERFORM floe.create_policy('p', COALESCE(w ->> 'pattern', 'demo.**'), '{"engine": "spark"}' || COALESCE(w -> 'policy', '{}') || CASE WHEN w ? 'only' THEN jsonb_build_object(w ->> 'only', '{}'::jsonb) ELSE jsonb_build_object(op, COALESCE(w -> 'set', '{}')) END);
	IF w ? 'more' THEN PERFORM floe.create_policy('q', 'demo.db.t', w -> 'more'); END IF;
	PERFORM lab.assess('demo.db.t', files => 500, file_bytes => 1000000, snapshots => COALESCE((w ->> 'snapshots')::int, 1), snapshot_gap => COALESCE((w ->> 'gap')::interval, '1 day'),
		properties => COALESCE(w -> 'properties', '{}'), operations => CASE WHEN w ? 'writes' THEN array_fill(w ->> 'writes', ARRAY[3]) END);
	PERFORM lab.assess('demo.db.other', location => COALESCE(w ->> 'other_location', 's3://lake/demo/db/other'));
	id := lab.id('demo.db.t');
	PERFORM lab.measure('demo.db.t', '{"excess_file_count": 500, "data_file_count": 500}' || COALESCE(w -> 'metrics', '{}'));
	IF w ? 'new_table' THEN PERFORM lab.list_tables('demo', 'demo.db.t', 'demo.db.other', w ->> 'new_table'); END IF;
	UPDATE floe_internal.table_poll SET next_poll_at = '2026-03-02 12:30+00' WHERE table_id = id;
	IF w ? 'status' THEN UPDATE floe_internal.iceberg_table SET status = w ->> 'status', error_message = w ->> 'error' WHERE table_id = id; END IF;
	IF w ? 'tag' THEN UPDATE floe_internal.catalog SET config = jsonb_build_object('read_only', w ->> 'tag'); END IF;
	IF w ? 'pause' THEN PERFORM floe.pause('demo.**', (w ->> 'pause')::timestamptz, w ->> 'reason'); END IF;
	IF w ? 'drain' THEN PERFORM floe.drain(w ->> 'drain'); END IF;
	IF w ? 'down' THEN UPDATE floe_internal.engine SET status = 'error', error_message = 'connection refused', retry_at = (w ->> 'down')::timestamptz WHERE server_name = 'spark'; END IF;
	IF w ? 'drain_engine' THEN PERFORM floe.drain_engine('spark', w ->> 'drain_engine'); END IF;
	IF w ? 'approved' THEN PERFORM floe.approve_engines('demo.**', ARRAY[w ->> 'approved']); END IF;
	IF w ? 'gone' THEN DROP SERVER spark; END IF;
	IF w ? 'off' THEN PERFORM floe.alter_policy('p', '{"enabled": false}'); END IF;
	-- what the last run left; as with the settings and the table of now
	IF w ? 'ran' THEN
		hash := (SELECT d.settings_hash FROM floe_internal.decide(ARRAY[id], floe_internal.clock(), false, NULL) AS d WHERE d.operation = op);
		DELETE FROM floe_internal.table_operation WHERE table_id = id AND operation = op;
		INSERT INTO floe_internal.table_operation SELECT (jsonb_populate_record(NULL::floe_internal.table_operation,
			jsonb_build_object('table_id', id, 'operation', op, 'failures', 0, 'zero_changes', 0, 'unpaid_runs', 0, 'slices_left', 0, 'slice_halvings', 0, 'slice_tried', '[]'::jsonb, 'failure_settings_hash', hash, 'failure_message', 'it broke',
				'failure_metadata', t.metadata_location, 'zero_change_metadata', t.metadata_location) || (w -> 'ran'))).* FROM floe_internal.iceberg_table AS t WHERE t.table_id = id;
	END IF;
	IF w ? 'circuit' THEN
		INSERT INTO floe_internal.table_circuit (table_id, opened_at, open_until, failures, operations, error_class, error_message)
			VALUES (id, floe_internal.clock(), (w ->> 'circuit')::timestamptz, 3, '{rewrite_data_files,expire_snapshots}', 'transient', 'it broke');
	END IF;
	IF w ? 'queue' THEN
		INSERT INTO floe_internal.operation_queue (operation_id, table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, position)
			VALUES (7, lab.id(COALESCE(q ->> 'table', 'demo.db.t')), 'demo.db.t', q ->> 'operation', q ->> 'state', false, 'floe', 'spark', '{}', '', '{}', '[]', floe_internal.clock(), 1);
	END IF;
	IF w ? 'given_up' THEN
		INSERT INTO floe_internal.operation_log (operation_id, table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, dispatched_at, finished_at, outcome)
			VALUES (7, id, 'demo.db.t', 'rewrite_data_files', 'cancelled', false, 'floe', 'spark', '{"timeout": "4 hours"}', '', '{}', '[]', floe_internal.clock() - interval '1 day', floe_internal.clock() - interval '1 day', (w ->> 'given_up')::timestamptz, 'lost');
	END IF;
	IF w ? 'changed' THEN PERFORM floe.alter_policy('p', jsonb_build_object(op, w -> 'changed')); END IF;
	IF w ? 'at' THEN PERFORM lab.at((w ->> 'at')::timestamptz); END IF;
END $$;

CREATE FUNCTION lab.decided(op text, w jsonb, OUT by_plan text, OUT by_hand text, OUT by_name text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	told text[];
BEGIN
	BEGIN
		SET CONSTRAINTS ALL IMMEDIATE;
		PERFORM lab.make(op, w);
		told := ARRAY(SELECT (SELECT concat_ws(' | ', d.verdict, d.gate, d.value, COALESCE(d.limit_value, '-'), COALESCE(d.set_by, '-'), COALESCE(to_char(d.next_at, 'MM-DD HH24:MI'), '-'))
				FROM floe_internal.decide((SELECT array_agg(t.table_id) FROM floe_internal.iceberg_table AS t WHERE t.name = 'demo.db.t'), floe_internal.clock(), h.n > 1, CASE WHEN h.n = 3 THEN ARRAY[op] END) AS d WHERE d.operation = op)
			FROM generate_series(1, 3) AS h (n) ORDER BY h.n);
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
	by_plan := told[1]; by_hand := told[2]; by_name := told[3];
END $$;

CREATE TABLE lab.case (n int GENERATED ALWAYS AS IDENTITY, told text, op text, world jsonb, by_plan text, by_hand text DEFAULT '=', by_name text DEFAULT '=');
-- by_hand and by_name: = as the one before
\set data rewrite_data_files
\set old expire_snapshots
\set orphans remove_orphan_files
INSERT INTO lab.case (told, op, world, by_plan, by_hand, by_name) VALUES
	('nothing is the matter', :'data', '{}', '*', '*', '*'),
	-- policy
	('the policy has another operation only', :'data', '{"only": "rewrite_manifests"}', 'off | policy | no matching policy has it | - | - | -', '=', '*'),
	('the policy matches other tables', :'data', '{"pattern": "demo.raw.*"}', 'off | policy | no policy matches | - | - | -', '=', '='),
	('the policy''s pattern excludes it', :'data', '{"pattern": "demo.**, !demo.db.t"}', 'off | policy | no policy matches | - | - | -', '=', '='),
	('the policy is switched off', :'data', '{"off": true}', 'off | policy | no policy matches | - | - | -', '=', '='),
	('another policy has it for this table', :'data', '{"only": "rewrite_manifests", "more": {"rewrite_data_files": {}}}', '*', '*', '*'),
	-- enabled
	('it is disabled', :'data', '{"set": {"enabled": false}}', 'off | enabled | false | - | policy "p" (demo.**) | -', '=', '='),
	('a narrower policy enables it', :'data', '{"set": {"enabled": false}, "more": {"rewrite_data_files": {"enabled": true}}}', '*', '*', '*'),
	('a narrower policy disables it', :'data', '{"more": {"rewrite_data_files": {"enabled": false}}}', 'off | enabled | false | - | policy "q" (demo.db.t) | -', '=', '='),
	('a policy of higher priority disables it', :'data', '{"policy": {"priority": 5}, "set": {"enabled": false}, "more": {"rewrite_data_files": {"enabled": true}}}', 'off | enabled | false | - | policy "p" (demo.**) | -', '=', '='),
	-- options
	('options of two policies fit', :'data', '{"set": {"options": {"target_file_size": "128 MB"}}, "more": {"rewrite_data_files": {"options": {"max_file_size": "200 MB"}}}}', '*', '*', '*'),
	('options of two policies contradict each other', :'data', '{"set": {"options": {"target_file_size": "128 MB"}}, "more": {"rewrite_data_files": {"options": {"max_file_size": "100 MB"}}}}',
		'blocked | options | max_file_size of rewrite_data_files is not above target_file_size | - | policies together | -', '=', '='),
	('a snapshot that the branch points to is to expire', :'old', '{"snapshots": 3, "set": {"options": {"snapshot_ids": [3]}}}', 'blocked | options | snapshot 3 of snapshot_ids is what branch "main" points to | - | the table''s metadata | -', '=', '='),
	-- assessed
	('not looked at yet', :'data', '{"status": "unseen"}', 'wait | assessed | not assessed yet | - | - | 03-02 12:30', '=', '='),
	('cannot be read', :'data', '{"status": "error", "error": "cut off"}', 'wait | assessed | cut off | - | last assessment (error) | 03-02 12:30', '=', '='),
	('cannot be judged', :'data', '{"status": "unsupported", "error": "format version 4 is not supported"}', 'blocked | assessed | format version 4 is not supported | - | last assessment (unsupported) | 03-02 12:30', '=', '='),
	('took two servers down', :'data', '{"status": "quarantined", "error": "down twice"}', 'blocked | assessed | down twice | - | last assessment (quarantined) | -', '=', '='),
	('dropped', :'data', '{"status": "dropped"}', 'blocked | assessed | dropped from the catalog | - | - | -', '=', '='),
	('cannot be read, and is paused: what comes first', :'data', '{"status": "error", "error": "cut off", "pause": "infinity"}', 'wait | assessed | cut off | - | last assessment (error) | 03-02 12:30', '=', '='),
	-- writable
	('through a tag', :'data', '{"tag": "server option ref: a tag"}', 'blocked | writable | no | - | server option ref: a tag | -', '=', '='),
	-- gc_enabled
	('snapshots of a table without garbage collection', :'old', '{"properties": {"gc.enabled": "false"}}', 'blocked | gc_enabled | false | - | table property gc.enabled | -', '=', '='),
	('its orphans', :'orphans', '{"properties": {"gc.enabled": "FALSE"}}', 'blocked | gc_enabled | FALSE | - | table property gc.enabled | -', '=', '='),
	('its data files', :'data', '{"properties": {"gc.enabled": "false"}}', '*', '*', '*'),
	('Nessie collects', :'old', '{"properties": {"gc.enabled": "false", "nessie.commit.id": "abc"}}',
		'blocked | gc_enabled | false | - | table property gc.enabled, by Nessie: other branches and commits may need the files; nessie-gc removes them | -', '=', '='),
	-- location
	('orphans where another table lies', :'orphans', '{"other_location": "s3a://lake/demo/db/t/inner"}', 'blocked | location | shared with or nested in demo.db.other | - | location s3://lake/demo/db/t | -', '=', '='),
	('orphans beside a table that was never read', :'orphans', '{"new_table": "demo.db.new"}', 'wait | location | unknown of demo.db.new (unseen) | - | tables of catalog "demo" | -', '=', '='),
	('data files where another table lies', :'data', '{"other_location": "s3a://lake/demo/db/t/inner"}', '*', '*', '*'),
	-- paused
	('paused until six', :'data', '{"pause": "2026-03-02 18:00+00", "reason": "freeze"}', 'blocked | paused | freeze | - | pause of demo.** by regress_boss | 03-02 18:00', '=', '='),
	('paused for good', :'data', '{"pause": "infinity"}', 'blocked | paused | paused | - | pause of demo.** by regress_boss | -', '=', '='),
	('the pause is over', :'data', '{"pause": "2026-03-02 18:00+00", "at": "2026-03-02 18:00+00"}', '*', '*', '*'),
	('drained', :'data', '{"drain": "upgrade"}', 'blocked | paused | upgrade | - | drain by regress_boss | -', '=', '='),
	('paused, and not called for: what comes first', :'data', '{"pause": "infinity", "metrics": {"excess_file_count": 0}}', 'blocked | paused | paused | - | pause of demo.** by regress_boss | -', '=', '='),
	-- need: thresholds
	('one below the threshold', :'data', '{"metrics": {"excess_file_count": 99}}', 'not needed | excess_file_count | 99 | 100 | built in | 03-02 12:30', '=', '*'),
	('at it', :'data', '{"metrics": {"excess_file_count": 100}}', 'run | excess_file_count | 100 | 100 | built in | -', '=', '*'),
	('unknown', :'data', '{"metrics": {"excess_file_count": null, "data_file_count": null, "small_file_count": null, "delete_ratio": null, "equality_delete_file_count": null, "deletion_vector_count": null}}',
		'not needed | need | unknown | - | - | 03-02 12:30', '=', '*'),
	('a policy''s threshold', :'data', '{"policy": {"thresholds": {"excess_file_count": {"warning": 501, "critical": 1000}}}}', 'not needed | excess_file_count | 500 | 501 | policy "p" (demo.**) | 03-02 12:30', '=', '*'),
	('a narrower policy''s threshold', :'data', '{"policy": {"thresholds": {"excess_file_count": {"warning": 501, "critical": 1000}}}, "more": {"thresholds": {"excess_file_count": {"warning": 500}}}}',
		'run | excess_file_count | 500 | 500 | policy "q" (demo.db.t) | -', '=', '*'),
	('another metric is worse', :'data', '{"metrics": {"delete_ratio": 0.5}}', 'run | delete_ratio | 0.5 | 0.2 | built in | -', '=', '*'),
	-- need: conditions
	('its condition is not met, though beyond a threshold', :'data', '{"set": {"when": [{"metric": "data_file_count", "value": 501}]}}', 'not needed | conditions | data_file_count >= 501 (is 500) | - | policy "p" (demo.**) | 03-02 12:30', '*', '*'),
	('its condition is met, though below all thresholds', :'data', '{"set": {"when": [{"metric": "excess_file_count", "value": 5}]}, "metrics": {"excess_file_count": 10}}', 'run | conditions | excess_file_count >= 5 (is 10) | - | policy "p" (demo.**) | -', '=', '*'),
	('neither', :'data', '{"set": {"when": [{"metric": "excess_file_count", "value": 50}]}, "metrics": {"excess_file_count": 10}}', 'not needed | conditions | excess_file_count >= 50 (is 10) | - | policy "p" (demo.**) | 03-02 12:30', '=', '*'),
	('a condition of another operation', :'data', '{"more": {"expire_snapshots": {"when": [{"metric": "data_file_count", "value": 100000}]}}}', '*', '*', '*'),
	-- need: deadlines
	('the deadline is over and there is work', :'data', '{"set": {"deadline": "3 days"}, "metrics": {"excess_file_count": 2}, "ran": {"last_success_at": "2026-02-27 12:00+00", "last_run_at": "2026-02-27 12:00+00", "last_state": "succeeded"}}',
		'run | deadline | last success 3d ago | 3 days | policy "p" (demo.**) | -', '=', '*'),
	('... but no work', :'data', '{"set": {"deadline": "3 days"}, "metrics": {"excess_file_count": 0, "small_file_count": 0, "data_file_count": 0}, "ran": {"last_success_at": "2026-02-27 12:00+00", "last_run_at": "2026-02-27 12:00+00", "last_state": "succeeded"}}',
		'not needed | excess_file_count | 0 | 100 | built in | 03-02 12:30', '=', '*'),
	('... a minute before it', :'data', '{"set": {"deadline": "3 days"}, "metrics": {"excess_file_count": 2}, "ran": {"last_success_at": "2026-02-27 12:01+00", "last_run_at": "2026-02-27 12:01+00", "last_state": "succeeded"}}',
		'not needed | excess_file_count | 2 | 100 | built in | 03-02 12:30', '=', '*'),
	('... over, but paused', :'data', '{"set": {"deadline": "3 days"}, "pause": "infinity", "ran": {"last_success_at": "2026-02-27 12:00+00"}}', 'blocked | paused | paused | - | pause of demo.** by regress_boss | -', '=', '='),
	-- need: the rest of a large table, and the calendar
	('a run left partitions', :'data', '{"metrics": {"excess_file_count": 10}, "ran": {"slices_left": 7, "last_state": "succeeded", "last_run_at": "2026-03-02 11:59+00", "last_success_at": "2026-03-02 11:59+00"}}',
		'run | slice | 7 partitions left by the last run | - | last run | -', '=', '*'),
	('... and was cancelled', :'data', '{"metrics": {"excess_file_count": 10}, "ran": {"slices_left": 7, "last_state": "cancelled", "last_run_at": "2026-03-02 09:59+00"}}', 'not needed | excess_file_count | 10 | 100 | built in | 03-02 12:30', '=', '*'),
	('orphans were never removed', :'orphans', '{"set": {"jitter": "0"}}', 'run | cadence | never run | 7 days | built in | -', '=', '*'),
	('orphans were removed a day ago', :'orphans', '{"set": {"jitter": "0", "min_interval": "0"}, "ran": {"last_run_at": "2026-03-01 12:00+00", "last_success_at": "2026-03-01 12:00+00", "last_state": "succeeded"}}',
		'wait | schedule | every 7 days | - | built in | 03-09 12:00', 'not needed | cadence | last success 24h ago | 7 days | built in | 03-09 12:00', '*'),
	-- interlock
	('it waits in the queue', :'data', '{"queue": {"operation": "rewrite_data_files", "state": "queued"}}', 'wait | interlock | operation 7 (rewrite_data_files) is queued | - | - | -', '=', '='),
	('another one waits in the queue', :'data', '{"queue": {"operation": "rewrite_manifests", "state": "queued"}}', '*', '*', '*'),
	('another one is at the engine', :'data', '{"queue": {"operation": "expire_snapshots", "state": "running"}}', 'wait | interlock | operation 7 (expire_snapshots) is running | - | - | -', '=', '='),
	('another one is being verified', :'old', '{"queue": {"operation": "rewrite_data_files", "state": "verifying"}, "snapshots": 60}', 'wait | interlock | operation 7 (rewrite_data_files) is verifying | - | - | -', '=', '='),
	('a rewrite was lost: what expires snapshots waits', :'old', '{"queue": {"operation": "rewrite_data_files", "state": "lost"}, "snapshots": 60}', 'wait | interlock | operation 7 (rewrite_data_files) is lost | - | - | -', '=', '='),
	('on another table', :'data', '{"queue": {"operation": "rewrite_data_files", "state": "running", "table": "demo.db.other"}}', '*', '*', '*'),
	('orphans while a rewrite that was given up may still write', :'orphans', '{"set": {"jitter": "0"}, "given_up": "2026-03-02 10:00+00"}', 'wait | interlock | operation 7 (rewrite_data_files) was given up and may still write | - | - | 03-02 14:00', '=', '='),
	('... as long again as it was allowed', :'orphans', '{"set": {"jitter": "0"}, "given_up": "2026-03-02 08:00+00"}', 'run | cadence | never run | 7 days | built in | -', '=', '*'),
	('... is nothing to a rewrite', :'data', '{"given_up": "2026-03-02 10:00+00"}', '*', '*', '*'),
	-- engine
	('no engine is named', :'data', '{"policy": {"engine": null}}', 'blocked | engine | no policy names an engine | - | - | -', '=', '='),
	('the engine is gone', :'data', '{"gone": true}', 'blocked | engine | there is no engine "spark" | - | policy "p" (demo.**) | -', '=', '='),
	('the engine is down', :'data', '{"down": "2026-03-02 12:05+00"}', 'wait | engine | connection refused | - | policy "p" (demo.**) | 03-02 12:05', '=', '='),
	('... until it is tried again', :'data', '{"down": "2026-03-02 12:05+00", "at": "2026-03-02 12:05+00"}', '*', '*', '*'),
	('... and there is another', :'data', '{"down": "2026-03-02 12:05+00", "policy": {"fallback_engines": ["big"]}}', '*', '*', '*'),
	('the engine is drained', :'data', '{"drain_engine": "upgrade"}', 'wait | engine | drained by regress_boss: upgrade | - | policy "p" (demo.**) | -', '=', '='),
	('the engine is not approved', :'data', '{"approved": "big"}', 'blocked | engine | engine "spark" is not approved here; approved: big | - | approval of demo.** | -', '=', '='),
	('... and another is', :'data', '{"approved": "big", "policy": {"fallback_engines": ["big"]}}', '*', '*', '*'),
	-- backoff
	('it failed', :'data', '{"ran": {"failures": 2, "failure_class": "transient", "backoff_until": "2026-03-02 12:10+00", "last_state": "failed"}}', 'wait | backoff | 2 failure(s), last: it broke | - | error class transient | 03-02 12:10', '*', '*'),
	('... long enough ago', :'data', '{"ran": {"failures": 2, "failure_class": "transient", "backoff_until": "2026-03-02 12:00+00", "last_state": "failed"}}', '*', '*', '*'),
	('... and the policy was changed since', :'data', '{"ran": {"failures": 2, "failure_class": "transient", "backoff_until": "2026-03-02 12:10+00", "last_state": "failed"}, "changed": {"timeout": "3 hours"}}', '*', '*', '*'),
	('a setting is wrong', :'data', '{"ran": {"failures": 1, "failure_class": "config", "last_state": "failed"}, "at": "2026-04-02 12:00+00"}',
		'wait | backoff | 1 failure(s), last: it broke | - | error class config: waits for a change of policy, server or table, or floe.retry() | -', '*', '*'),
	('... and was changed', :'data', '{"ran": {"failures": 1, "failure_class": "config", "last_state": "failed"}, "changed": {"timeout": "3 hours"}}', '*', '*', '*'),
	('it cannot succeed', :'data', '{"ran": {"failures": 1, "failure_class": "permanent", "last_state": "failed"}}', 'wait | backoff | 1 failure(s), last: it broke | - | error class permanent: waits for a change of policy, server or table, or floe.retry() | -', '*', '*'),
	('... until the table changes', :'data', '{"ran": {"failures": 1, "failure_class": "permanent", "last_state": "failed", "failure_metadata": "s3://lake/older.json"}}', '*', '*', '*'),
	('five of five attempts', :'data', '{"ran": {"failures": 5, "failure_class": "conflict", "backoff_until": "2026-03-02 11:00+00", "last_state": "failed"}}',
		'wait | backoff | 5 failure(s), last: it broke | 5 | error class conflict: waits for a change of policy, server or table, or a week | 03-09 12:00', '*', '*'),
	('it failed, and is down: what comes first', :'data', '{"down": "2026-03-02 12:05+00", "ran": {"failures": 1, "failure_class": "config", "last_state": "failed"}}', 'wait | engine | connection refused | - | policy "p" (demo.**) | 03-02 12:05', '=', '='),
	-- circuit
	('several operations failed', :'data', '{"circuit": "2026-03-02 14:00+00"}',
		'wait | circuit | open: 3 failures (rewrite_data_files, expire_snapshots), last: it broke | - | operations that failed on this table; a success or floe.retry() closes it | 03-02 14:00', '*', '*'),
	('... and it is time to try one', :'data', '{"circuit": "2026-03-02 12:00+00"}', '*', '*', '*'),
	-- zero_change
	('it changed nothing', :'data', '{"ran": {"zero_changes": 2, "zero_change_metric": "excess_file_count", "zero_change_value": 500, "zero_change_until": "2026-03-02 14:00+00"}}',
		'wait | zero_change | 2 run(s) without effect | - | last run; ends when excess_file_count moves | 03-02 14:00', '=', '*'),
	('... and it is worse now', :'data', '{"ran": {"zero_changes": 2, "zero_change_metric": "excess_file_count", "zero_change_value": 499, "zero_change_until": "2026-03-02 14:00+00"}}', '*', '*', '*'),
	('... long enough ago', :'data', '{"ran": {"zero_changes": 2, "zero_change_metric": "excess_file_count", "zero_change_value": 500, "zero_change_until": "2026-03-02 12:00+00"}}', '*', '*', '*'),
	('... without a metric, and the table is as it was', :'orphans', '{"set": {"jitter": "0", "when": [{"metric": "data_file_count", "value": 1}]}, "ran": {"zero_changes": 1, "zero_change_until": "2026-03-02 14:00+00"}}',
		'wait | zero_change | 1 run(s) without effect | - | last run; ends when the table changes | 03-02 14:00', '=', '*'),
	-- schedule
	('a new schedule waits for its first time', :'data', '{"set": {"schedule": "0 14 * * *", "jitter": "0"}}', 'wait | schedule | 0 14 * * * | - | policy "p" (demo.**) | 03-02 14:00', '*', '*'),
	('... in its time zone', :'data', '{"set": {"schedule": "0 14 * * *", "jitter": "0", "timezone": "Europe/Amsterdam"}}', 'wait | schedule | 0 14 * * * | - | policy "p" (demo.**) | 03-02 13:00', '*', '*'),
	('... and runs then', :'data', '{"set": {"schedule": "0 14 * * *", "jitter": "0"}, "at": "2026-03-02 14:00+00"}', '*', '*', '*'),
	('... but not for nothing', :'data', '{"set": {"schedule": "0 14 * * *", "jitter": "0"}, "at": "2026-03-02 14:00+00", "metrics": {"excess_file_count": 99}}', 'not needed | excess_file_count | 99 | 100 | built in | 03-02 12:30', '=', '*'),
	('an interval is not over', :'data', '{"set": {"every": "6 hours", "jitter": "0"}, "ran": {"last_run_at": "2026-03-02 11:00+00", "last_success_at": "2026-03-02 11:00+00", "last_state": "succeeded"}}',
		'wait | schedule | every 06:00:00 | - | policy "p" (demo.**) | 03-02 18:00', '*', '*'),
	('not needed, and not its time: what comes first', :'data', '{"set": {"schedule": "0 14 * * *", "jitter": "0"}, "metrics": {"excess_file_count": 99}}', 'not needed | excess_file_count | 99 | 100 | built in | 03-02 14:00', '=', '*'),
	-- window
	('outside its window', :'data', '{"set": {"windows": ["22:00-04:00"]}}', 'wait | window | ["22:00-04:00"] | - | policy "p" (demo.**) | 03-02 22:00', '*', '*'),
	('inside it', :'data', '{"set": {"windows": ["22:00-04:00"]}, "at": "2026-03-03 03:59+00"}', '*', '*', '*'),
	('on another day', :'data', '{"set": {"days": ["sat", "sun"]}}', 'wait | window | ["sat", "sun"] | - | policy "p" (demo.**) | 03-07 00:00', '*', '*'),
	('on its day', :'data', '{"set": {"days": ["mon"]}}', '*', '*', '*'),
	-- min_interval
	('it ran 59 minutes ago', :'data', '{"ran": {"last_run_at": "2026-03-02 11:01+00", "last_success_at": "2026-03-02 11:01+00", "last_state": "succeeded"}}', 'wait | min_interval | 59min | 60min | built in | 03-02 12:01', '*', '*'),
	('it ran an hour ago', :'data', '{"ran": {"last_run_at": "2026-03-02 11:00+00", "last_success_at": "2026-03-02 11:00+00", "last_state": "succeeded"}}', '*', '*', '*'),
	('it only failed so far', :'data', '{"ran": {"last_run_at": "2026-03-02 11:59+00", "last_state": "failed"}}', '*', '*', '*'),
	('the policy says a day', :'data', '{"set": {"min_interval": "1 day"}, "ran": {"last_run_at": "2026-03-02 11:00+00", "last_success_at": "2026-03-02 11:00+00", "last_state": "succeeded"}}', 'wait | min_interval | 60min | 24h | policy "p" (demo.**) | 03-03 11:00', '*', '*'),
	-- writers
	('somebody writes and deletes', :'data', '{"set": {"quiet_period": "2 hours"}, "snapshots": 3, "gap": "10 minutes", "writes": "overwrite"}', 'wait | writers | 1 of 1 partitions are hot | quiet for 2h | policy "p" (demo.**) | 03-02 13:30', '=', '*'),
	('somebody only appends', :'data', '{"set": {"quiet_period": "2 hours"}, "snapshots": 3, "gap": "10 minutes", "writes": "append"}', '*', '*', '*'),
	('it is more urgent than that', :'data', '{"set": {"quiet_period": "2 hours"}, "snapshots": 3, "gap": "10 minutes", "writes": "overwrite", "metrics": {"excess_file_count": 900}}', 'run | excess_file_count | 900 | 100 | built in | -', '=', '*'),
	('its deadline is over', :'data', '{"set": {"quiet_period": "2 hours", "deadline": "1 day"}, "snapshots": 3, "gap": "10 minutes", "writes": "overwrite", "ran": {"last_success_at": "2026-02-27 12:00+00"}}', '*', '*', '*'),
	-- several at once: the first by position
	('paused, down, failed, out of its window', :'data', '{"pause": "infinity", "down": "2026-03-02 12:05+00", "set": {"windows": ["22:00-04:00"]}, "ran": {"failures": 1, "failure_class": "config", "last_state": "failed"}}', 'blocked | paused | paused | - | pause of demo.** by regress_boss | -', '=', '='),
	('failed, changed nothing, out of its window', :'data', '{"set": {"windows": ["22:00-04:00"]}, "ran": {"failures": 2, "failure_class": "transient", "backoff_until": "2026-03-02 12:10+00", "zero_changes": 1, "zero_change_metric": "excess_file_count", "zero_change_value": 500, "zero_change_until": "2026-03-02 14:00+00"}}',
		'wait | backoff | 2 failure(s), last: it broke | - | error class transient | 03-02 12:10', 'wait | zero_change | 1 run(s) without effect | - | last run; ends when excess_file_count moves | 03-02 14:00', '*'),
	('its schedule, its window and its rest', :'data', '{"set": {"schedule": "0 14 * * *", "jitter": "0", "windows": ["22:00-04:00"]}, "ran": {"last_run_at": "2026-03-02 11:59+00", "last_success_at": "2026-03-02 11:59+00", "last_state": "succeeded"}}',
		'wait | schedule | 0 14 * * * | - | policy "p" (demo.**) | 03-02 14:00', '*', '*');

CREATE TABLE lab.outcome AS
	SELECT c.n, c.told, c.op, h.how, CASE h.how WHEN 'by plan' THEN d.by_plan WHEN 'by hand' THEN d.by_hand ELSE d.by_name END AS have,
		CASE WHEN e.text <> '*' THEN e.text WHEN h.how = 'by name' THEN 'run | requested | by name | - | trigger | -' ELSE 'run | excess_file_count | 500 | 100 | built in | -' END AS want
	FROM (SELECT * FROM lab.case ORDER BY n) AS c CROSS JOIN LATERAL lab.decided(c.op, c.world) AS d
	CROSS JOIN (VALUES (1, 'by plan'), (2, 'by hand'), (3, 'by name')) AS h (place, how)
	CROSS JOIN LATERAL (SELECT CASE h.place WHEN 1 THEN c.by_plan
		WHEN 2 THEN CASE c.by_hand WHEN '=' THEN c.by_plan ELSE c.by_hand END
		ELSE CASE WHEN c.by_name <> '=' THEN c.by_name WHEN c.by_hand = '=' THEN c.by_plan ELSE c.by_hand END END AS text) AS e;
SELECT plan(6 + count(*)::int) FROM lab.outcome;
SELECT cmp_ok((SELECT count(*) FROM lab.outcome), '>=', 150::bigint, 'at least 150 cases');
SELECT is(o.have, o.want, concat_ws(': ', o.told, o.op, o.how)) FROM lab.outcome AS o ORDER BY o.n, o.how;
-- each gate stops something, and lets something through
SELECT is_empty($$SELECT g.gate FROM floe_internal.gate AS g WHERE g.gate <> 'need' AND NOT EXISTS (SELECT FROM lab.outcome AS o WHERE split_part(o.want, ' | ', 2) = g.gate AND o.want NOT LIKE 'run%')$$, 'every gate stops something');
SELECT is(floe_internal.clock(), '2026-03-02 12:00+00', 'and the clock is where it was');
-- The reasons as they are kept, by C, against the same in SQL.
CREATE FUNCTION lab.lines(lines floe_internal.gate_line[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('gate', l.label, 'status', l.status, 'value', l.value, 'limit', l.limit_value, 'set_by', l.set_by, 'next_at', l.next_at)) ORDER BY l.position) FROM unnest(lines) AS l
$$;
SELECT is(floe_internal.gate_reasons(ARRAY[ROW('b', 2, 'wait', 'b', E'a"\\\n\u00e9', NULL, '', '2026-03-02 12:00:00.5+00'), ROW('a', 1, 'pass', 'x', NULL, '5', repeat('s', 5000), 'infinity')]::floe_internal.gate_line[]),
	lab.lines(ARRAY[ROW('b', 2, 'wait', 'b', E'a"\\\n\u00e9', NULL, '', '2026-03-02 12:00:00.5+00'), ROW('a', 1, 'pass', 'x', NULL, '5', repeat('s', 5000), 'infinity')]::floe_internal.gate_line[]), 'reasons: in the order of the gates, without nulls');
SELECT is(floe_internal.gate_reasons('{}'), '[]', 'reasons: of no gate');
SELECT is(floe_internal.gate_reasons(ARRAY[NULL, ROW('a', NULL, 'pass', 'x', NULL, NULL, NULL, NULL)::floe_internal.gate_line]), '[]', 'reasons: a line that is none is left out');
SELECT * FROM finish();
