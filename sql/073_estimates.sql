--
-- Estimates: what an operation would touch, gain and cost; what a run really was; and what the next estimate takes from it.
--
\set ECHO none
\i test/regress/lab.sql
-- Snapshots of one branch, each of which removed so many files of so many bytes.
CREATE FUNCTION lab.counted(at timestamptz[], files bigint[], bytes bigint[]) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	result bytea := '\x01'::bytea || lab.number(cardinality(at));
	ms bigint;
	last bigint := 0;
BEGIN
	FOR i IN 1 .. cardinality(at) LOOP
		ms := (extract(epoch FROM at[i]) * 1000)::bigint;
		result := result || set_byte('\x00', 0, 3 + CASE WHEN i > 1 THEN 24 ELSE 0 END) || CASE WHEN files[i] IS NULL THEN '\x00'::bytea ELSE '\x22' END
			|| int8send(i::bigint) || lab.zigzag(ms - last) || lab.zigzag(1) || CASE WHEN files[i] IS NULL THEN '' ELSE lab.number(files[i]) || lab.number(bytes[i]) END;
		last := ms;
	END LOOP;
	RETURN result;
END $$;
\set ECHO all
\pset null -

-- ---- the arithmetic ----

SELECT numbers, weights, floe_internal.weighted_median(numbers, weights) FROM (VALUES ('{}'::float8[], '{}'::float8[]), ('{3}', '{1}'), ('{1,2,9}', '{1,1,1}'), ('{1,2,9,10}', '{1,1,1,1}'), ('{1,2,9}', '{1,1,5}'), ('{1,NULL,9}', '{1,9,1}'), ('{5,1}', '{0,1}'), ('{NULL}', '{1}')) AS v (numbers, weights);
SELECT e AS estimated, m AS measured, floe_internal.relative_error(e, m) AS error FROM (VALUES (100::float8, 100::float8), (130, 100), (70, 100), (0, 0), (5, 0), (0, 5), (NULL, 5), (5, NULL), (1, -2)) AS v (e, m);
SELECT w, floe_internal.size_class(w) FROM unnest('{1,9999999,10000000,99999999,5e12,1e15,1e18}'::float8[]) AS w;
-- what runs took: of 2 seconds and 50 MB a second, exactly; with wild ones; all alike; few; slow; nothing but start-up
SELECT v.told, round(f.fixed_seconds::numeric, 3) AS fixed, round((1e-6 / f.seconds_per_byte)::numeric, 2) AS mb_per_second, round(f.scale::numeric, 3) AS scale, round(f.weight::numeric, 3) AS weight, round(f.spread::numeric, 3) AS spread
FROM (VALUES
	(1, 'a line', ARRAY(SELECT 1e8 * i FROM generate_series(1, 10) AS i), ARRAY(SELECT 2 + 2.0 * i FROM generate_series(1, 10) AS i)),
	(2, 'a queue at the engine, twice', ARRAY(SELECT 1e8 * i FROM generate_series(1, 10) AS i), ARRAY(SELECT 2 + 2.0 * i + CASE WHEN i IN (3, 8) THEN 3600 ELSE 0 END FROM generate_series(1, 10) AS i)),
	(3, 'all of one size', ARRAY(SELECT 1e8 + i FROM generate_series(1, 10) AS i), ARRAY(SELECT 4.0 FROM generate_series(1, 10) AS i)),
	(4, 'three', ARRAY[1e8, 2e8, 4e8], ARRAY[4.0, 6, 10]),
	(5, 'no start-up', ARRAY(SELECT 1e8 * i FROM generate_series(1, 10) AS i), ARRAY(SELECT 2.0 * i FROM generate_series(1, 10) AS i)),
	(6, 'nothing but start-up', ARRAY(SELECT 1e8 * i FROM generate_series(1, 10) AS i), ARRAY(SELECT 3.0 FROM generate_series(1, 10) AS i)),
	(7, 'one', ARRAY[1e8], ARRAY[4.0]), (8, 'faster now', ARRAY(SELECT 1e8 * (1 + i % 5) FROM generate_series(1, 16) AS i), ARRAY(SELECT (2 + 2.0 * (1 + i % 5)) * CASE WHEN i > 6 THEN 4 ELSE 1 END FROM generate_series(1, 16) AS i))
	) AS v (n, told, work, seconds), floe_internal.fit_speed(v.work::float8[], ARRAY(SELECT 12 + w / 20e6 FROM unnest(v.work) AS w)::float8[], v.seconds::float8[]) AS f ORDER BY v.n;

-- ---- of a table: by hand ----

SELECT lab.catalog(), lab.engine(), lab.engine('big', $$, memory_gb '64'$$);
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_position_delete_files": {}, "rewrite_manifests": {}, "expire_snapshots": {"options": {"max_snapshot_age": "5 days"}}, "remove_orphan_files": {}, "compute_table_stats": {}}') AS policy;
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000000, manifests => 20, position_deletes => 10, snapshots => 5, snapshot_gap => '2 days');
CREATE FUNCTION lab.estimate(of_operation text DEFAULT 'rewrite_data_files', name text DEFAULT 'demo.db.t') RETURNS TABLE (operation text, objects float8, bytes float8, files_touched float8, files_before float8, files_after float8, bytes_freed float8,
		minutes numeric, low numeric, high numeric, gb_hours numeric, runs bigint, error float8) LANGUAGE sql AS $$
	SELECT e.operation, e.objects, e.bytes, e.files_touched, e.files_before, e.files_after, e.bytes_freed, round(e.minutes::numeric, 3), round(e.minutes_low::numeric, 3), round(e.minutes_high::numeric, 3), round(e.gb_hours::numeric, 5), e.runs, e.error
	FROM floe_internal.estimates(ARRAY(SELECT floe_internal.candidate(c.table_id, c.operation, c.settings, c.remedy_options, c.severity) FROM floe_internal.decision_context(ARRAY[lab.id(name)], floe_internal.clock()) AS c), floe_internal.clock()) AS e
	WHERE e.operation = of_operation OR of_operation = 'all'
$$;
\x
SELECT e.* FROM lab.estimate('all') AS e JOIN floe_internal.operation_kind AS k USING (operation) ORDER BY k.position;
\x
-- partitions in which bin-packing does nothing are not touched: 4 files of 1 MB in each of 30 are fewer than five
SELECT lab.assess('demo.db.few', files => 4, file_bytes => 1000000, partitions => ARRAY(SELECT format('{"k": %s}', n) FROM generate_series(10, 39) AS n));
SELECT h.small_file_count, h.rewrite_file_count, h.rewrite_bytes, e.bytes, e.objects FROM floe_internal.health AS h, lab.estimate('rewrite_data_files', 'demo.db.few') AS e WHERE h.table_id = lab.id('demo.db.few');
-- too large ones are split whatever else there is
SELECT lab.assess('demo.db.large', files => 3, file_bytes => 2000000000);
SELECT h.small_file_count, h.rewrite_file_count, h.rewrite_bytes, e.bytes, e.objects FROM floe_internal.health AS h, lab.estimate('rewrite_data_files', 'demo.db.large') AS e WHERE h.table_id = lab.id('demo.db.large');
-- deletes make it the whole table; so does rewrite_all
SELECT lab.rows($$SELECT lab.measure('demo.db.t', '{"delete_ratio": 0.3}')$$, 'SELECT e.objects, e.bytes FROM lab.estimate() AS e');
SELECT lab.rows($$SELECT lab.measure('demo.db.t', '{"data_bytes": 9000000000}'), floe.alter_policy('p', '{"rewrite_data_files": {"options": {"rewrite_all": true}}}')$$, 'SELECT e.objects, e.bytes FROM lab.estimate() AS e');
-- what only expirable snapshots hold: what the ones after them took out. Of five, two days apart, the first three are older than 5 days
UPDATE floe_internal.iceberg_table SET snapshots = lab.counted(ARRAY(SELECT floe_internal.clock() - interval '2 days' * (6 - i) FROM generate_series(1, 5) AS i), '{7,1,2,4,8}', '{700,10,20,40,80}') WHERE table_id = lab.id('demo.db.t');
SELECT objects, files_touched, bytes_freed FROM lab.estimate('expire_snapshots');
UPDATE floe_internal.iceberg_table SET snapshots = lab.counted(ARRAY(SELECT floe_internal.clock() - interval '2 days' * (6 - i) FROM generate_series(1, 5) AS i), '{7,1,NULL,4,8}', '{700,10,NULL,40,80}') WHERE table_id = lab.id('demo.db.t');
SELECT objects, files_touched, bytes_freed FROM lab.estimate('expire_snapshots');

-- ---- what a run really was, in the same quantities ----

CREATE TABLE lab.runs (n int GENERATED ALWAYS AS IDENTITY, told text, operation text, before jsonb, effect jsonb, snapshots jsonb, result jsonb, gone float8, files float8, bytes float8);
INSERT INTO lab.runs (told, operation, before, effect, snapshots, result, gone, files, bytes) VALUES
	('summaries and the engine', 'rewrite_data_files', '{"data_file_count": 100}', '{"data_file_count": -90}', '[{"operation": "replace", "added_data_files": 10, "deleted_data_files": 100, "added_bytes": 90, "removed_bytes": 120}]', '[{"rewritten_data_files_count": 100, "added_data_files_count": 10, "rewritten_bytes_count": 110}]', 0, NULL, NULL),
	('an engine that says nothing', 'rewrite_data_files', '{"data_file_count": 100}', '{"data_file_count": -90}', '[{"operation": "replace", "added_data_files": 10, "deleted_data_files": 100, "added_bytes": 90, "removed_bytes": 120}]', NULL, 0, NULL, NULL),
	('in three commits, and a writer''s', 'rewrite_data_files', '{"data_file_count": 100}', '{"data_file_count": -40}', '[{"operation": "replace", "added_data_files": 1, "deleted_data_files": 30}, {"operation": "append", "added_data_files": 50}, {"operation": "replace", "added_data_files": 1, "deleted_data_files": 60}]', NULL, 0, NULL, NULL),
	('summaries that say nothing', 'rewrite_data_files', '{"data_file_count": 100}', '{"data_file_count": -90}', '[{"operation": "replace"}]', '[{"rewritten_data_files_count": 100, "added_data_files_count": 12}]', 0, NULL, NULL),
	('neither', 'rewrite_data_files', '{"data_file_count": 100}', '{"data_file_count": -90}', '[{"operation": "replace"}]', '[{"rewritten_data_files_count": "many"}]', 0, NULL, NULL),
	('deletes, too', 'rewrite_data_files', '{"data_file_count": 100, "position_delete_file_count": 20, "equality_delete_file_count": 5}', '{"data_file_count": -90, "position_delete_file_count": -20}', '[{"operation": "replace", "added_data_files": 10, "deleted_data_files": 100}]', NULL, 0, NULL, NULL),
	('deletes came meanwhile', 'rewrite_data_files', '{"data_file_count": 100}', '{"data_file_count": -90, "position_delete_file_count": 3}', '[{"operation": "replace", "added_data_files": 10, "deleted_data_files": 100}]', NULL, 0, NULL, NULL),
	('position deletes', 'rewrite_position_delete_files', '{"position_delete_file_count": 20, "delete_bytes": 2000}', '{"position_delete_file_count": -15}', '[{"operation": "replace"}]', '[{"rewritten_delete_files_count": 20, "added_delete_files_count": 5, "rewritten_bytes_count": 1900}]', 0, NULL, NULL),
	('... by metadata alone', 'rewrite_position_delete_files', '{"position_delete_file_count": 20, "delete_bytes": 2000}', '{"position_delete_file_count": -15}', '[{"operation": "replace"}]', NULL, 0, NULL, NULL),
	('manifests', 'rewrite_manifests', '{"manifest_count": 60, "manifest_bytes": 600}', '{"manifest_count": -59}', '[{"operation": "replace"}]', NULL, 0, NULL, NULL),
	('snapshots', 'expire_snapshots', '{"snapshot_count": 30}', '{"snapshot_count": -25}', NULL, '[{"deleted_data_files_count": 40, "deleted_manifest_files_count": 3}]', 25, 40, 4000),
	('... of which not all files went', 'expire_snapshots', '{"snapshot_count": 30}', '{"snapshot_count": -25}', NULL, '[{"deleted_data_files_count": 10}]', 25, 40, 4000),
	('... of which nobody says', 'expire_snapshots', '{"snapshot_count": 30}', '{"snapshot_count": -25}', NULL, NULL, 25, NULL, NULL),
	('Trino', 'rewrite_data_files', '{"data_file_count": 100}', '{"data_file_count": -90}', '[{"operation": "replace"}]', '[{"metric_name": "rewritten_data_files_count", "metric_value": "100"}, {"metric_name": "added_data_files_count", "metric_value": "9"}]', 0, NULL, NULL),
	('orphans', 'remove_orphan_files', '{"data_file_count": 100, "manifest_count": 5}', '{"orphan_files_removed": 17}', NULL, NULL, 0, NULL, NULL),
	('statistics', 'compute_table_stats', '{"data_file_count": 100, "data_bytes": 1000}', '{}', NULL, NULL, 0, NULL, NULL),
	('nothing known', 'rewrite_data_files', NULL, NULL, NULL, NULL, NULL, NULL, NULL), ('an odd result', 'rewrite_data_files', '{}', '{}', '{"a": 1}', '{"b": 2}', NULL, NULL, NULL);
\pset format unaligned
\pset fieldsep ' | '
SELECT told, operation, floe_internal.measured(operation, before, effect, snapshots, result, gone, files, bytes, 90, 4) AS measured FROM lab.runs ORDER BY n;
SELECT e AS estimate, m AS measured, floe_internal.estimate_error(e, m) AS error FROM (VALUES ('{"objects": 110, "bytes": 90, "minutes": 3}'::jsonb, '{"objects": 100, "bytes": 100, "minutes": 2, "gb_hours": 1}'::jsonb), ('{}', '{"objects": 1}'), (NULL, '{"objects": 1}')) AS v (e, m);
\pset format aligned

-- ---- learning ----

-- What this engine takes in truth: 2 seconds, and 5 ns for each byte of work.
CREATE FUNCTION lab.ran(engine text, of_operation text, files int, bytes float8, factor float8 DEFAULT 1) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	w float8 := floe_internal.work(bytes, files);
	s float8 := (2 + w * 5e-9) * factor;
BEGIN
	PERFORM floe_internal.add_run('', of_operation, -1::int2, w, bytes, s, 0.8, '{}'), floe_internal.add_run(engine, of_operation, -1::int2, w, bytes, s, 0.8, '{}'),
		floe_internal.add_run(engine, of_operation, floe_internal.size_class(w), w, bytes, s, 0.8, '{}');
END $$;
-- what is estimated for the table of 500 files (499 would go, 501 are touched), against the truth, after so many runs of other sizes
CREATE FUNCTION lab.after(setup text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT lab.rows(setup, 'SELECT e.minutes, e.low, e.high, e.runs, round(((2 + floe_internal.work(e.bytes, e.files_touched) * 5e-9) / 60)::numeric, 3) AS truth FROM lab.estimate() AS e') $$;
\pset tuples_only on
SELECT lab.after('');
SELECT n, lab.after(format($$SELECT lab.ran('spark', 'rewrite_data_files', 50 * i, 1e8 * i) FROM generate_series(1, %s) AS i$$, n)) FROM unnest('{1,2,5,10,16}'::int[]) AS n;
-- small ones only, as of a lake that is looked after well: less is made of them
SELECT lab.after($$SELECT lab.ran('spark', 'rewrite_data_files', 5 + i, 1e5 * i) FROM generate_series(1, 16) AS i$$);
-- one in five waited an hour at the engine
SELECT lab.after($$SELECT lab.ran('spark', 'rewrite_data_files', 50 * i, 1e8 * i, CASE WHEN i % 5 = 0 THEN 300 ELSE 1 END) FROM generate_series(1, 16) AS i$$);
-- of another engine: better than nothing
SELECT lab.after($$SELECT lab.ran('big', 'rewrite_data_files', 50 * i, 1e8 * i) FROM generate_series(1, 16) AS i$$);
-- of another operation: nothing
SELECT lab.after($$SELECT lab.ran('spark', 'rewrite_manifests', 50 * i, 1e8 * i) FROM generate_series(1, 16) AS i$$);
-- it was three times as slow until ten runs ago
SELECT lab.after($$SELECT lab.ran('spark', 'rewrite_data_files', 50 * (1 + i % 8), 1e8 * (1 + i % 8), CASE WHEN i <= 20 THEN 3 ELSE 1 END) FROM generate_series(1, 30) AS i$$);
\pset tuples_only off
SELECT lab.rows($$SELECT lab.ran('spark', 'rewrite_data_files', 50 * i, 1e8 * i) FROM generate_series(1, 40) AS i$$, 'SELECT s.engine, s.size_class, s.runs, cardinality(s.work) FROM floe_internal.engine_speed AS s ORDER BY 1, 2');
SELECT * FROM floe_internal.throughput('spark', 'rewrite_data_files');
SELECT lab.rows($$SELECT lab.ran('spark', 'rewrite_data_files', 0, 1e9)$$, $$SELECT round(t.bytes_per_second), t.runs FROM floe_internal.throughput('spark', 'rewrite_data_files') AS t$$);
-- half the way each time, and never beyond 20 times
SELECT old, e AS estimated, m AS measured, round(floe_internal.learn_ratio(old, e, m)::numeric, 4) AS ratio FROM (VALUES (NULL::float8, 100::float8, 50::float8), (0.5, 100, 100), (NULL, 100, 0), (NULL, 1, 1e9), (15, 1, 100), (0.5, NULL, 5), (0.5, 0, 5), (NULL, 100, NULL)) AS v (old, e, m);

-- ---- from the queue to the log ----

CREATE FUNCTION lab.whole(of_operation text, after text, result jsonb, took interval, outcome text DEFAULT 'succeeded', attempt int DEFAULT 1) RETURNS TABLE (state text, estimate jsonb, measured jsonb, estimate_error jsonb) LANGUAGE plpgsql AS $$
DECLARE
	this bigint;
BEGIN
	SELECT e.operation_id INTO this FROM floe_internal.enqueue(ARRAY[lab.id('demo.db.w')], true, ARRAY[of_operation], '{}', 'floe') AS e WHERE e.operation_id IS NOT NULL;
	PERFORM lab.claim(), floe_internal.preflight(this, 'spark-thrift', 'lake');
	UPDATE floe_internal.operation_queue AS q SET attempt = whole.attempt WHERE q.operation_id = this;
	PERFORM floe_internal.operation_saved(this, '\x00', 'handle'), lab.later(took);
	PERFORM floe_internal.engine_ended(this, outcome, NULL, NULL, result, NULL);
	EXECUTE 'SELECT lab.assess(''demo.db.w'', ' || after || ')';
	PERFORM floe_internal.operation_verified(this);
	RETURN QUERY SELECT o.state, o.estimate - '{minutes_low,minutes_high,fixed_minutes}'::text[], o.measured, o.estimate_error FROM floe.operations AS o WHERE o.id = this;
END $$;
SELECT lab.assess('demo.db.w', files => 300, file_bytes => 1000000);
\x
-- fewer went than bin-packing promised: a "where" that nobody told floe about
SELECT * FROM lab.whole('rewrite_data_files', $$files => 151, file_bytes => 1000000, snapshots => 2, operations => '{append,replace}'$$, '[{"rewritten_data_files_count": 150, "added_data_files_count": 1, "rewritten_bytes_count": 150000000}]', '6 seconds');
SELECT lab.assess('demo.db.w', files => 300, file_bytes => 1000000, snapshots => 3);
-- the next estimate of this table knows
SELECT * FROM lab.estimate('rewrite_data_files', 'demo.db.w');
\x
SELECT object_ratio, bytes_ratio, output_ratio, past_objects FROM floe_internal.table_operation WHERE table_id = lab.id('demo.db.w') ORDER BY operation;
SELECT * FROM floe.estimate_errors;
-- what failed, was lost, or was sent twice tells no time
SELECT state, measured ->> 'minutes' AS minutes FROM lab.whole('rewrite_data_files', $$files => 300, file_bytes => 1000000, snapshots => 3$$, NULL, '1 hour', 'failed');
SELECT state, measured ->> 'minutes' AS minutes FROM lab.whole('rewrite_data_files', $$files => 1, file_bytes => 300000000, snapshots => 4, operations => '{append,replace,append,replace}'$$, NULL, '1 hour', 'lost');
SELECT lab.assess('demo.db.w', files => 300, file_bytes => 1000000, snapshots => 5);
SELECT state, measured ->> 'minutes' AS minutes FROM lab.whole('rewrite_data_files', $$files => 1, file_bytes => 300000000, snapshots => 6, operations => '{append,replace,append,replace,append,replace}'$$, NULL, '1 hour', 'succeeded', 2);
SELECT runs, minutes FROM floe.estimate_errors WHERE engine IS NULL;
-- orphans: nothing shows them beforehand but the last runs
SELECT state, measured -> 'objects' AS objects FROM lab.whole('remove_orphan_files', $$files => 1, file_bytes => 300000000, snapshots => 6$$, '[{"metric_name": "deleted_files_count", "metric_value": "40"}]', '1 minute');
SELECT state, measured -> 'objects' AS objects FROM lab.whole('remove_orphan_files', $$files => 1, file_bytes => 300000000, snapshots => 6$$, '[{"metric_name": "deleted_files_count", "metric_value": "10"}]', '1 minute');
SELECT objects, bytes_freed, runs FROM lab.estimate('remove_orphan_files', 'demo.db.w');
-- an engine that is gone takes what was learned of it along
SELECT lab.rows($$DROP SERVER spark CASCADE; SELECT floe_internal.sync_servers(), lab.later('60 days'); SELECT floe_internal.purge(1000)$$, 'SELECT s.engine, s.operation FROM floe_internal.engine_speed AS s ORDER BY 1, 2');
