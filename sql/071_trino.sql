--
-- Trino: what the catalogue has of it, what floe adds to its statements by itself, and what is refused.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

SELECT lab.catalog(), lab.engine();
CREATE SERVER trino TYPE 'trino' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:3', "session.demo.target_max_file_size" '512MB');
SELECT floe.create_policy('p', 'demo.**', '{"engine": "trino", "rewrite_data_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {"jitter": "0"}}') AS policy;
SELECT lab.assess('demo.db.t', files => 1, snapshots => 2);

-- the catalogue
SELECT operation FROM floe_internal.engine_operations() WHERE engine_type = 'trino';
SELECT operation, option, aliases, engine_name, placement, value_type, minimum, default_value FROM floe_internal.engine_options() WHERE engine_type = 'trino';
SELECT o.operation, o.option, floe_internal.engine_refusal('trino', o.operation, floe_internal.check_options(o.operation, jsonb_build_object(o.option, v.value))) AS refusal
FROM floe_internal.engine_options() AS o
JOIN (VALUES ('bytes', '"1 MB"'::jsonb), ('count', '7'), ('ratio', '0.5'), ('boolean', 'true'), ('duration', '"30 days"'), ('list of ids', '[1]'), ('text', '"b"'), ('map of texts', '{"a": "b"}'),
	('predicate', '"d = 1"')) AS v (value_type, value) ON v.value_type = o.value_type
WHERE o.engine_type = 'spark-thrift' AND o.option NOT IN ('compression_factor', 'shuffle_partitions_per_file', 'max_output_size', 'var_length_contribution') ORDER BY 1, 2;

-- statements: remedies that Trino has no options for go without them; an age that Spark would read from the table is in the statement
CREATE FUNCTION lab.statement(setup text, operation text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT lab.rows(setup, format('SELECT concat_ws(%L, t.verdict, t.gate, t.value, p.statement) FROM floe.trigger(%L, %L) AS t LEFT JOIN LATERAL (SELECT c.operation_id FROM floe_internal.claim_operation(1, NULL) AS c WHERE t.operation_id > 0) AS c ON true LEFT JOIN LATERAL floe_internal.preflight(c.operation_id, %L, %L) AS p ON true',
		' ', 'demo.db.t', ARRAY[operation], 'trino', 'lake'))
$$;
SELECT lab.statement($$SELECT lab.measure('demo.db.t', '{"excess_file_count": 200}')$$, 'rewrite_data_files');
SELECT lab.statement($$SELECT lab.measure('demo.db.t', '{"delete_ratio": 0.3}')$$, 'rewrite_data_files');
SELECT lab.statement($$SELECT floe.alter_policy('p', '{"rewrite_data_files": {"options": {"min_file_size": "10 MB"}}}')$$, 'rewrite_data_files');
SELECT lab.statement($$SELECT lab.assess('demo.db.t', properties => '{"write.target-file-size-bytes": "1000000"}')$$, 'rewrite_data_files');
SELECT lab.statement('', 'rewrite_position_delete_files');
SELECT lab.statement('', 'rewrite_manifests');
SELECT lab.statement('', 'expire_snapshots');
SELECT lab.statement($$SELECT lab.assess('demo.db.t', snapshots => 25, snapshot_gap => '1 day', properties => '{"history.expire.max-snapshot-age-ms": "86400001"}')$$, 'expire_snapshots');
SELECT lab.statement($$SELECT lab.assess('demo.db.t', snapshots => 25, snapshot_gap => '1 day', properties => '{"history.expire.max-snapshot-age-ms": "9223372036854775807"}')$$, 'expire_snapshots');
SELECT lab.statement($$SELECT floe.alter_policy('p', '{"expire_snapshots": {"options": {"max_snapshot_age": "3 days"}}}')$$, 'expire_snapshots');
SELECT lab.statement('', 'remove_orphan_files');
SELECT lab.statement($$SELECT floe.alter_policy('p', '{"remove_orphan_files": {"options": {"older_than": "24 hours"}}}')$$, 'remove_orphan_files');
-- Trino removes files whatever gc.enabled says
SELECT lab.statement($$SELECT lab.assess('demo.db.t', properties => '{"gc.enabled": "false"}')$$, operation) FROM unnest('{expire_snapshots,remove_orphan_files}'::text[]) AS operation;
