--
-- A large table from its first slice to its last: what each run leaves for the next decision.
--
\i test/regress/lab.sql
SELECT lab.catalog(), lab.engine();

-- One partition for each letter, files of 1 MB: as many as its number says.
CREATE FUNCTION lab.parts(name text, parts text, files int[], snapshots int DEFAULT 1, operations text[] DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	n int := cardinality(files);
BEGIN
	PERFORM lab.assess(name, files => 0, snapshots => snapshots, operations => operations, snapshot_gap => '1 day');
	id := lab.id(name);
	UPDATE floe_internal.iceberg_table SET specs = '[{"spec_id": 0, "fields": [{"name": "k", "transform": "identity", "source_id": 1, "source_type": "string"}]}]',
		details = details || '{"columns": [{"id": 1, "name": "k", "type": "string"}]}' WHERE table_id = id;
	DELETE FROM floe_internal.manifest WHERE table_id = id;
	PERFORM floe_internal.store_manifests(id, ARRAY(SELECT 'p' || i FROM generate_series(1, n) AS i), array_fill(1000::bigint, ARRAY[n]), array_fill(0, ARRAY[n]), array_fill(0, ARRAY[n]),
		array_fill(1::bigint, ARRAY[n]), array_fill(1::bigint, ARRAY[n]), array_fill(false, ARRAY[n]),
		ARRAY(SELECT lab.data_manifest(ARRAY[jsonb_build_object('k', substr(parts, i, 1))::text], files[i], 1000000) FROM generate_series(1, n) AS i));
	UPDATE floe_internal.iceberg_table SET manifest_ids = ARRAY(SELECT m.manifest_id FROM floe_internal.manifest AS m WHERE m.table_id = id ORDER BY m.manifest_id) WHERE table_id = id;
	PERFORM floe_internal.compute_health(id);
END $$;

-- The next run, to its end: the table is as given afterwards. What was decided, sent, and kept.
CREATE FUNCTION lab.run(files int[], snapshots int, operations text[], outcome text DEFAULT 'succeeded', class text DEFAULT NULL,
		OUT decided text, OUT said text, OUT state text, OUT undone bigint, OUT halvings int, OUT tried int, OUT zero_changes int) LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	p record;
BEGIN
	PERFORM floe_internal.plan_and_queue(NULL);
	SELECT q.operation_id INTO id FROM floe_internal.operation_queue AS q;
	decided := (SELECT concat_ws(' ', w.verdict, w.gate, w.value) FROM floe.why('demo.db.t') AS w WHERE w.operation = 'rewrite_data_files');
	IF id IS NULL THEN
		RETURN;
	END IF;
	decided := (SELECT r ->> 'gate' FROM floe_internal.operation_queue AS q, jsonb_array_elements(q.reason) AS r WHERE r ->> 'gate' IN ('excess_file_count', 'slice') LIMIT 1);
	PERFORM floe_internal.claim_operation(1, NULL);
	SELECT * INTO p FROM floe_internal.preflight(id, 'spark-thrift', 'lake');
	said := COALESCE(substring(p.statement FROM 'where => (.*)\)$'), p.reason, p.statement);
	IF NOT p.go THEN
		RETURN;
	END IF;
	PERFORM floe_internal.operation_saved(id, '\x00', 'handle');
	PERFORM lab.later('1 minute');
	PERFORM floe_internal.engine_ended(id, outcome, class, CASE WHEN class IS NOT NULL THEN 'told' END, NULL, NULL);
	PERFORM lab.parts('demo.db.t', 'abcdef', files, snapshots, operations);
	state := (floe_internal.operation_verified(id)).state;
	SELECT x.slices_left, x.slice_halvings, cardinality(x.slice_tried), x.zero_changes INTO undone, halvings, tried, zero_changes FROM floe_internal.table_operation AS x WHERE x.table_id = lab.id('demo.db.t') AND x.operation = 'rewrite_data_files';
END $$;

SELECT lab.parts('demo.db.t', 'abcdef', '{40,30,20,20,20,10}');
SELECT floe.create_policy('p', 'demo.db.t', '{"engine": "spark", "rewrite_data_files": {"slice_bytes": 50000000, "min_interval": "1 day", "max_attempts": 20}, "thresholds": {"excess_file_count": {"warning": 60, "critical": 1000}}}');
-- to the end, though below the threshold after the second
SELECT * FROM lab.run('{1,30,20,20,20,1}', 2, '{append,replace}');
SELECT * FROM lab.run('{1,1,1,20,20,1}', 3, '{append,replace,replace}');
SELECT * FROM lab.run('{1,1,1,1,1,1}', 4, '{append,replace,replace,replace}');
SELECT * FROM lab.run('{1,1,1,1,1,1}', 4, '{append,replace,replace,replace}');
SELECT id, state, slice, effect ->> 'data_file_count' AS data_files FROM floe.operations ORDER BY id;
-- a slice in vain is no reason to give up the others, and all of them are one
SELECT lab.later('2 days'), lab.parts('demo.db.t', 'abcdef', '{40,40,40,1,1,1}');
SELECT * FROM lab.run('{40,40,40,1,1,1}', 1, '{append}');
SELECT * FROM lab.run('{40,40,40,1,1,1}', 1, '{append}');
SELECT * FROM lab.run('{40,40,40,1,1,1}', 1, '{append}');
SELECT * FROM lab.run('{40,40,40,1,1,1}', 1, '{append}');
-- committed, and nothing became less
SELECT lab.later('8 days');
SELECT * FROM lab.run('{40,40,40,1,1,1}', 2, '{append,replace}');
SELECT * FROM lab.run('{40,1,40,1,1,1}', 3, '{append,replace,replace}');
SELECT * FROM lab.run('{40,1,1,1,1,1}', 4, '{append,replace,replace,replace}');
SELECT * FROM lab.run('{40,1,1,1,1,1}', 4, '{append,replace,replace,replace}');
-- when nothing is left but what was tried in vain, it is tried once more, and then it waits
SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 30, "critical": 1000}}, "rewrite_data_files": {"slice_bytes": 20000000}}');
SELECT lab.later('8 days');
SELECT * FROM lab.run('{40,1,1,1,1,1}', 4, '{append,replace,replace,replace}');
SELECT * FROM lab.run('{40,1,1,1,1,1}', 4, '{append,replace,replace,replace}');
SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 60, "critical": 1000}}, "rewrite_data_files": {"slice_bytes": 50000000}}');
-- conflicts, a lack of memory, and what is neither
SELECT lab.later('8 days'), lab.parts('demo.db.t', 'abcdef', '{40,40,40,10,10,10}');
UPDATE floe_internal.table_operation SET slice_tried = '{}', zero_change_until = NULL, zero_changes = 0, slices_left = 0;
SELECT * FROM lab.run('{40,40,40,10,10,10}', 1, '{append}', 'failed', 'conflict');
SELECT lab.later('1 hour');
SELECT * FROM lab.run('{40,40,40,10,10,10}', 1, '{append}', 'failed', 'conflict');
SELECT lab.later('1 hour');
SELECT * FROM lab.run('{40,40,40,10,10,10}', 1, '{append}', 'failed', 'resource');
SELECT lab.later('1 day');
SELECT * FROM lab.run('{40,40,40,10,10,10}', 1, '{append}', 'failed', 'transient');
SELECT lab.later('1 day');
SELECT * FROM lab.run('{30,40,40,10,10,10}', 2, '{append,replace}');
SELECT * FROM lab.run('{1,40,40,10,10,10}', 3, '{append,replace,replace}');
-- a predicate of the policy is kept; another branch is not looked at by partition
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"where": "x > 1 OR y < 2"}}}');
SELECT * FROM lab.run('{1,1,40,10,10,10}', 4, '{append,replace,replace,replace}');
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"where": null, "branch": "audit"}}}');
SELECT decided, said FROM lab.run('{1,1,40,10,10,10}', 4, '{append,replace,replace,replace}');
SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"branch": null}}}');
-- somebody begins to write after it was queued
SELECT lab.later('8 days'), lab.parts('demo.db.t', 'abcdef', '{40,40,40,40,40,40}');
UPDATE floe_internal.table_operation SET zero_change_until = NULL, zero_changes = 0;
SELECT floe_internal.plan_and_queue(NULL);
SELECT lab.claim();
UPDATE floe_internal.iceberg_table SET snapshots = lab.snapshots(ARRAY[floe_internal.clock() - interval '9 seconds', floe_internal.clock() - interval '6 seconds', floe_internal.clock() - interval '3 seconds'], '{append,delete,append}');
UPDATE floe_internal.health SET commit_interval = 3, last_write_at = floe_internal.clock() - interval '3 seconds';
SELECT go, reason FROM floe_internal.preflight((SELECT operation_id FROM floe_internal.operation_queue), 'spark-thrift', 'lake');
SELECT verdict, gate, value FROM floe.why('demo.db.t') WHERE operation = 'rewrite_data_files';
-- an engine that cannot be told which part it is, because of an old spec, gets the whole
CREATE SERVER trino TYPE 'trino' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1');
DELETE FROM floe_internal.operation_queue;
SELECT floe.alter_policy('p', '{"engine": "trino"}');
SELECT lab.later('8 days'), lab.parts('demo.db.t', 'abcdef', '{40,40,40,1,1,1}');
CREATE FUNCTION lab.on_trino(OUT go bool, OUT reason text, OUT statement text, OUT is_slice bool) LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
BEGIN
	PERFORM floe_internal.plan_and_queue(NULL);
	SELECT q.operation_id INTO id FROM floe_internal.claim_operation(1, NULL) AS q;
	SELECT p.go, p.reason, p.statement INTO go, reason, statement FROM floe_internal.preflight(id, 'trino', 'lake') AS p;
	is_slice := (SELECT q.estimate ? 'slice' FROM floe_internal.operation_queue AS q);
	DELETE FROM floe_internal.operation_queue;
END $$;
SELECT * FROM lab.on_trino();
UPDATE floe_internal.iceberg_table SET specs = specs || '[{"spec_id": 1, "fields": []}]';
SELECT * FROM lab.on_trino();
SELECT last_state, failure_class FROM floe_internal.table_operation WHERE table_id = lab.id('demo.db.t') AND operation = 'rewrite_data_files';
