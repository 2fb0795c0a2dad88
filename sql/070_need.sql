--
-- Need: what calls for an operation. Thresholds, conditions, deadlines and the cadence of orphan files, one below the limit and one at it.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT lab.catalog(), lab.engine();
SELECT floe.create_policy('p', 'demo.**', '{"engine": "spark", "rewrite_data_files": {}, "rewrite_position_delete_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {"jitter": "0"}}') AS policy;
SELECT lab.assess('demo.db.t', files => 1, snapshots => 2);

-- what each metric says by itself: its thresholds, what mends it, and what must be above zero for that
SELECT name, unit, warning, critical, remedy, requires, remedy_options FROM floe.metric WHERE remedy IS NOT NULL OR warning IS NOT NULL ORDER BY position;

-- The need of one operation after some statements.
CREATE TABLE lab.case (n int GENERATED ALWAYS AS IDENTITY, told text, operation text, setup text, by_hand bool DEFAULT false, named bool DEFAULT false);

-- ---- thresholds ----

INSERT INTO lab.case (told, operation, setup) VALUES
	('nothing', 'rewrite_data_files', ''),
	('one below', 'rewrite_data_files', $$SELECT lab.measure('demo.db.t', '{"excess_file_count": 99}')$$),
	('at the limit', 'rewrite_data_files', $$SELECT lab.measure('demo.db.t', '{"excess_file_count": 100}')$$),
	('beyond critical', 'rewrite_data_files', $$SELECT lab.measure('demo.db.t', '{"excess_file_count": 5000}')$$),
	('unknown is not zero, and no reason', 'rewrite_data_files', $$SELECT lab.measure('demo.db.t', '{"excess_file_count": null}')$$),
	('deletes', 'rewrite_data_files', $$SELECT lab.measure('demo.db.t', '{"delete_ratio": 0.2}')$$),
	('deletes, not enough', 'rewrite_data_files', $$SELECT lab.measure('demo.db.t', '{"delete_ratio": 0.1999}')$$),
	('the worst of two', 'rewrite_data_files', $$SELECT lab.measure('demo.db.t', '{"excess_file_count": 150, "equality_delete_file_count": 150}')$$),
	('equally bad: the first', 'rewrite_data_files', $$SELECT lab.measure('demo.db.t', '{"excess_file_count": 1000, "equality_delete_file_count": 200}')$$),
	('no threshold by itself', 'rewrite_data_files', $$SELECT lab.measure('demo.db.t', '{"small_file_count": 100000, "data_file_count": 100000}')$$),
	('dangling deletes', 'rewrite_position_delete_files', $$SELECT lab.measure('demo.db.t', '{"dangling_delete_count": 20}')$$),
	('delete files', 'rewrite_position_delete_files', $$SELECT lab.measure('demo.db.t', '{"excess_delete_file_count": 50, "position_delete_file_count": 60}')$$),
	('one for each data file', 'rewrite_position_delete_files', $$SELECT lab.measure('demo.db.t', '{"excess_delete_file_count": 0, "position_delete_file_count": 6000}')$$),
	('manifests', 'rewrite_manifests', $$SELECT lab.measure('demo.db.t', '{"excess_manifest_count": 50}')$$),
	('snapshots that may go', 'expire_snapshots', $$SELECT lab.assess('demo.db.t', snapshots => 25, snapshot_gap => '1 day')$$),
	('... a day before', 'expire_snapshots', $$SELECT lab.assess('demo.db.t', snapshots => 24, snapshot_gap => '1 day')$$),
	('... and a day later', 'expire_snapshots', $$SELECT lab.assess('demo.db.t', snapshots => 24, snapshot_gap => '1 day'), lab.later('1 day')$$),
	('the table keeps more', 'expire_snapshots', $$SELECT lab.assess('demo.db.t', snapshots => 25, snapshot_gap => '1 day', properties => '{"history.expire.min-snapshots-to-keep": "20"}')$$),
	('the policy lets more go', 'expire_snapshots', $$SELECT lab.assess('demo.db.t', snapshots => 24, snapshot_gap => '1 day'), floe.alter_policy('p', '{"expire_snapshots": {"options": {"max_snapshot_age": "3 days"}}}')$$),
	-- thresholds of a policy
	('the policy''s warning', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 5}}}'), lab.measure('demo.db.t', '{"excess_file_count": 5}')$$),
	('... one below', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 5}}}'), lab.measure('demo.db.t', '{"excess_file_count": 4}')$$),
	('a metric without one gets one', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"small_file_count": {"warning": 5}}}'), lab.measure('demo.db.t', '{"small_file_count": 6, "excess_file_count": 5}')$$),
	('... only critical', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"small_file_count": {"critical": 7}}}'), lab.measure('demo.db.t', '{"small_file_count": 7, "excess_file_count": 5}')$$),
	('... but running would not help', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"small_file_count": {"warning": 5}}}'), lab.measure('demo.db.t', '{"small_file_count": 6, "excess_file_count": 0}')$$),
	('... nor is there a point in delete files of one data file each', 'rewrite_position_delete_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"position_delete_file_count": {"warning": 5}}}'), lab.measure('demo.db.t', '{"position_delete_file_count": 6, "excess_delete_file_count": 0}')$$),
	('... unless some have two', 'rewrite_position_delete_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"position_delete_file_count": {"warning": 5}}}'), lab.measure('demo.db.t', '{"position_delete_file_count": 6, "excess_delete_file_count": 1}')$$),
	('zero: always', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 0, "critical": 0}}}'), lab.measure('demo.db.t', '{"excess_file_count": 1}')$$),
	('... but not for nothing', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"excess_file_count": {"warning": 0, "critical": 0}}}'), lab.measure('demo.db.t', '{"excess_file_count": 0}')$$),
	('seconds', 'expire_snapshots', $$SELECT floe.alter_policy('p', '{"thresholds": {"oldest_snapshot_age": {"warning": "7 days"}}}'), lab.assess('demo.db.t', snapshots => 8, snapshot_gap => '1 day')$$),
	('no remedy: shown, but calls for nothing', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"thresholds": {"partition_count": {"warning": 1}}}')$$);

-- ---- conditions: instead of the thresholds ----

INSERT INTO lab.case (told, operation, setup) VALUES
	('met', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 12}]}}'), lab.measure('demo.db.t', '{"data_file_count": 12}')$$),
	('not met', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 12}]}}'), lab.measure('demo.db.t', '{"data_file_count": 11}')$$),
	('not met, beyond a threshold', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 12}]}}'), lab.measure('demo.db.t', '{"excess_file_count": 5000}')$$),
	('unknown', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "op": "<>", "value": 12}]}}'), lab.measure('demo.db.t', '{"data_file_count": null}')$$),
	('any, the second', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": {"any": [{"metric": "data_file_count", "op": ">", "value": 12}, {"metric": "average_file_bytes", "op": "<", "value": "10 MB"}]}}}'), lab.measure('demo.db.t', '{"average_file_bytes": 1000}')$$),
	('any, none', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": {"any": [{"metric": "data_file_count", "op": ">", "value": 12}, {"metric": "average_file_bytes", "op": "<", "value": "10 MB"}]}}}'), lab.measure('demo.db.t', '{"data_file_count": 12, "average_file_bytes": 10485760}')$$),
	('all', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": {"all": [{"metric": "data_file_count", "value": 12}, {"metric": "newest_snapshot_age", "op": ">=", "value": "1 hour"}]}}}'), lab.measure('demo.db.t', '{"data_file_count": 12}')$$),
	('all, one is missing', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": {"all": [{"metric": "data_file_count", "value": 12}, {"metric": "newest_snapshot_age", "op": ">", "value": "1 hour"}]}}}'), lab.measure('demo.db.t', '{"data_file_count": 12}')$$),
	('... a second later', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": {"all": [{"metric": "data_file_count", "value": 12}, {"metric": "newest_snapshot_age", "op": ">", "value": "1 hour"}]}}}'), lab.measure('demo.db.t', '{"data_file_count": 12}'), lab.later('1 second')$$),
	('equal', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "op": "=", "value": 1}]}}')$$),
	('at most', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "op": "<=", "value": 1}]}}')$$),
	('of another operation only', 'rewrite_manifests', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 1}]}}')$$),
	('orphan files, met', 'remove_orphan_files', $$SELECT floe.alter_policy('p', '{"remove_orphan_files": {"when": [{"metric": "data_file_count", "value": 1}]}}')$$),
	('orphan files, not met', 'remove_orphan_files', $$SELECT floe.alter_policy('p', '{"remove_orphan_files": {"when": [{"metric": "data_file_count", "value": 2}]}}')$$);

-- ---- deadline: any work at all is a reason after it; no work is none ----

CREATE FUNCTION lab.ran(operation text, at timestamptz) RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at, last_state) VALUES (lab.id('demo.db.t'), operation, at, at, 'succeeded')
$$;
INSERT INTO lab.case (told, operation, setup) VALUES
	('a second before', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"deadline": "3 days"}}'), lab.ran('rewrite_data_files', '2026-02-27 12:00:01+00'), lab.measure('demo.db.t', '{"excess_file_count": 2}')$$),
	('over', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"deadline": "3 days"}}'), lab.ran('rewrite_data_files', '2026-02-27 12:00+00'), lab.measure('demo.db.t', '{"excess_file_count": 2}')$$),
	('over, no work', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"deadline": "3 days"}}'), lab.ran('rewrite_data_files', '2026-02-27 12:00+00')$$),
	('over, work unknown', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"deadline": "3 days"}}'), lab.ran('rewrite_data_files', '2026-02-27 12:00+00'), lab.measure('demo.db.t', '{"excess_file_count": null}')$$),
	('over, never run: counted from when it was first seen', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"deadline": "3 days"}}'), lab.measure('demo.db.t', '{"excess_file_count": 2}'), lab.later('3 days')$$),
	('over, conditions not met', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"deadline": "3 days", "when": [{"metric": "data_file_count", "value": 12}]}}'), lab.ran('rewrite_data_files', '2026-02-27 12:00+00'), lab.measure('demo.db.t', '{"excess_file_count": 2}')$$),
	('over, and beyond a threshold', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"deadline": "3 days"}}'), lab.ran('rewrite_data_files', '2026-02-27 12:00+00'), lab.measure('demo.db.t', '{"excess_file_count": 200}')$$),
	('snapshots have one built in', 'expire_snapshots', $$SELECT lab.ran('expire_snapshots', '2026-02-23 12:00+00'), lab.assess('demo.db.t', snapshots => 6, snapshot_gap => '1 day')$$),
	('... a minute before', 'expire_snapshots', $$SELECT lab.ran('expire_snapshots', '2026-02-23 12:01+00'), lab.assess('demo.db.t', snapshots => 6, snapshot_gap => '1 day')$$);

-- ---- cadence: nothing in the metadata shows orphan files ----

INSERT INTO lab.case (told, operation, setup, by_hand) VALUES
	('never run', 'remove_orphan_files', '', false),
	('never run', 'remove_orphan_files', '', true),
	('ran yesterday', 'remove_orphan_files', $$SELECT lab.ran('remove_orphan_files', '2026-03-01 12:00+00')$$, false),
	('ran yesterday', 'remove_orphan_files', $$SELECT lab.ran('remove_orphan_files', '2026-03-01 12:00+00')$$, true),
	('ran eight days ago', 'remove_orphan_files', $$SELECT lab.ran('remove_orphan_files', '2026-02-22 12:00+00')$$, true);

-- ---- by hand and by name ----

INSERT INTO lab.case (told, operation, setup, by_hand, named) VALUES
	('nothing', 'rewrite_data_files', '', true, false),
	('nothing', 'rewrite_data_files', '', true, true),
	('conditions not met, beyond a threshold', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 12}]}}'), lab.measure('demo.db.t', '{"excess_file_count": 5000}')$$, true, false),
	('conditions not met, below', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 12}]}}'), lab.measure('demo.db.t', '{"excess_file_count": 99}')$$, true, false),
	('conditions met, below', 'rewrite_data_files', $$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 1}]}}')$$, true, false),
	('ran yesterday', 'remove_orphan_files', $$SELECT lab.ran('remove_orphan_files', '2026-03-01 12:00+00')$$, true, true);

\pset format unaligned
\pset fieldsep ' | '
SELECT c.told AS "case", c.operation, concat_ws(' ', CASE WHEN c.by_hand THEN 'by hand' END, CASE WHEN c.named THEN 'named' END) AS how, g.status, g.label, g.value, g.limit_value AS "limit", g.set_by, g.next_at
FROM (SELECT * FROM lab.case ORDER BY n) AS c CROSS JOIN LATERAL lab.gate(c.setup, 'demo.db.t', c.operation, 'need', c.by_hand, c.named) AS g ORDER BY c.n;

-- ---- what the remedy needs to have an effect goes into the statement, unless a policy says otherwise ----

CREATE FUNCTION lab.statement(setup text, operation text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT lab.rows(setup, format('SELECT p.statement FROM floe.trigger(%L, %L) AS t, LATERAL (SELECT c.operation_id FROM floe_internal.claim_operation(1, NULL) AS c WHERE t.operation_id > 0) AS c, floe_internal.preflight(c.operation_id, %L, %L) AS p',
		'demo.db.t', ARRAY[operation], 'spark-thrift', 'lake'))
$$;
SELECT lab.statement($$SELECT lab.measure('demo.db.t', '{"excess_file_count": 200}')$$, 'rewrite_data_files');
SELECT lab.statement($$SELECT lab.measure('demo.db.t', '{"delete_ratio": 0.3}')$$, 'rewrite_data_files');
SELECT lab.statement($$SELECT lab.measure('demo.db.t', '{"delete_ratio": 0.3}'), floe.alter_policy('p', '{"rewrite_data_files": {"options": {"delete_file_threshold": 5}}}')$$, 'rewrite_data_files');
SELECT lab.statement($$SELECT lab.measure('demo.db.t', '{"excess_delete_file_count": 60}')$$, 'rewrite_position_delete_files');
SELECT lab.statement($$SELECT lab.measure('demo.db.t', '{"dangling_delete_count": 30}')$$, 'rewrite_position_delete_files');
SELECT lab.statement($$SELECT lab.measure('demo.db.t', '{"dangling_delete_count": 30, "excess_delete_file_count": 60}')$$, 'rewrite_position_delete_files');
SELECT lab.statement($$SELECT lab.assess('demo.db.t', snapshots => 25, snapshot_gap => '1 day', properties => '{"history.expire.max-snapshot-age-ms": "86400000", "write.target-file-size-bytes": "1000000"}')$$, 'expire_snapshots');
SELECT lab.statement($$SELECT floe.alter_policy('p', '{"expire_snapshots": {"options": {"max_snapshot_age": "3 days", "retain_last": 7}}}')$$, 'expire_snapshots');
SELECT lab.statement('', 'remove_orphan_files');
SELECT lab.statement($$SELECT lab.assess('demo.db.t', location => 'file:///w/t')$$, 'remove_orphan_files');
SELECT lab.statement($$SELECT floe.alter_policy('p', '{"remove_orphan_files": {"options": {"older_than": "10 days", "prefix_listing": false}}}')$$, 'remove_orphan_files');
