-- What says which engine may have an operation, and the plans of what asks it all day.
SELECT plan(9);
SELECT is_empty($$
	SELECT o.engine_type, o.operation, o.option FROM floe_internal.engine_options() AS o
	WHERE NOT EXISTS (SELECT FROM floe_internal.engine_operations() AS k WHERE k.engine_type = o.engine_type AND k.operation = o.operation)$$, 'no TYPE has options of an operation that it cannot do');
SELECT is_empty($$SELECT t.type FROM floe_internal.connection_types() AS t WHERE t.wrapper = 'floe_engine' AND NOT EXISTS (SELECT FROM floe_internal.engine_operations() AS k WHERE k.engine_type = t.type)$$, 'every TYPE can do something');
SELECT is_empty($$SELECT k.operation FROM floe_internal.operation_kind AS k WHERE NOT EXISTS (SELECT FROM floe_internal.engine_operations() AS o WHERE o.operation = k.operation)$$, 'every operation can be done by some TYPE');
SELECT is_empty($$
	SELECT t.type, k.operation FROM floe_internal.connection_types() AS t CROSS JOIN floe_internal.operation_kind AS k
	WHERE t.wrapper = 'floe_engine' AND (floe_internal.engine_refusal(t.type, k.operation, '{}') IS NULL) <> EXISTS (SELECT FROM floe_internal.engine_operations() AS o WHERE o.engine_type = t.type AND o.operation = k.operation)$$,
	'what is asked of one operation is what the catalogue says');
SELECT is((SELECT count(*) FROM floe.engine_option WHERE option IS NOT NULL AND is_supported), (SELECT count(*) FROM floe_internal.engine_options()), 'the catalogue has every option of every TYPE');
SELECT is_empty($$SELECT * FROM floe.engine_option WHERE is_supported = (reason IS NOT NULL)$$, 'and where one is missing it says why');

-- many tables, a long queue with fallbacks
CREATE SERVER demo TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
CREATE SERVER one TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/x');
CREATE SERVER two TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/x');
CREATE SERVER idle TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/x');
SELECT count(floe_internal.apply_listing(catalog_id, ARRAY(SELECT 'db'::text FROM generate_series(1, 5000)), ARRAY(SELECT 't' || n FROM generate_series(1, 5000) AS n))) AS listed FROM floe_internal.catalog \gset
INSERT INTO floe_internal.operation_queue (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, position, score, engines)
	SELECT table_id, name, 'rewrite_data_files', 'queued', false, 'floe', 'one', '{"engine": "one", "fallback_engines": ["two"]}', 'h', '{}', '[]', floe_internal.clock(), 1, table_id, CASE WHEN table_id % 2 = 0 THEN '{one,two}'::text[] END
	FROM floe_internal.iceberg_table;
ANALYZE;
SELECT is((SELECT count(*) FROM floe_internal.queue_opens(floe_internal.clock()) WHERE opens_at = '-infinity'), 5000::bigint, 'all may go now');
SELECT floe.drain_engine('one') AS drained \gset
SELECT is((SELECT array_agg(DISTINCT o.opens_at::text ORDER BY o.opens_at::text) FROM floe_internal.queue_opens(floe_internal.clock()) AS o), '{-infinity,infinity}', 'those that may go to another engine, when theirs is drained');
SELECT is((SELECT array_agg(c.engine || c.engine_reason IS NOT NULL) FROM floe_internal.claim_operation(1, NULL) AS c), '{t}', 'and one does');
SELECT * FROM finish();
