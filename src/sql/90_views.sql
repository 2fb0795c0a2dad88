-- =================================================================================================
-- 90 views
-- =================================================================================================

CREATE VIEW floe.operations AS
	SELECT o.operation_id AS id, o.table_name, o.operation, o.state, o.engine,
		   CASE WHEN o.by_hand THEN 'trigger' ELSE 'policy' END AS origin, o.requested_by, o.policies, o.attempt,
		   o.queued_at, o.started_at, o.finished_at, COALESCE(o.engine_ended_at, floe_internal.clock()) - o.started_at AS duration,
		   (o.before ->> 'data_file_count')::pg_catalog.int8 AS files_before, (o.after ->> 'data_file_count')::pg_catalog.int8 AS files_after,
		   (o.before ->> 'snapshot_count')::pg_catalog.int8 AS snapshots_before, (o.after ->> 'snapshot_count')::pg_catalog.int8 AS snapshots_after,
		   (o.before ->> 'manifest_count')::pg_catalog.int8 AS manifests_before, (o.after ->> 'manifest_count')::pg_catalog.int8 AS manifests_after,
		   o.effect, o.new_snapshots, o.outcome AS engine_outcome, o.engine_result, o.engine_row_count,
		   o.error_class, o.error_message AS error, o.statement, o.external_id, o.operation_key AS key,
		   o.score, o.score_parts, o.estimate - 'slice' AS estimate, (o.estimate -> 'slice') - 'units' AS slice, o.reason, o.settings, o.before, o.after, o.cancel_requested_by, o.engine_reason,
		   o.measured - 'error' AS measured, o.measured -> 'error' AS estimate_error
	FROM (SELECT l.operation_id, l.table_name, l.operation, l.state, l.engine, l.by_hand, l.requested_by, l.policies, l.attempt, l.queued_at, l.started_at, l.finished_at,
				 l.engine_ended_at, l.before, l.after, l.effect, l.new_snapshots, l.outcome, l.engine_result, l.engine_row_count, l.error_class, l.error_message, l.statement,
				 l.external_id, l.operation_key, l.score, l.score_parts, l.estimate, l.reason, l.settings, l.cancel_requested_by, l.engine_reason, l.measured
		  FROM floe_internal.operation_log AS l
		  UNION ALL
		  SELECT q.operation_id, q.table_name, q.operation, q.state, q.engine, q.by_hand, q.requested_by, q.policies, q.attempt, q.queued_at, q.started_at, q.finished_at,
				 q.engine_ended_at, q.before, q.after, q.effect, q.new_snapshots, q.outcome, q.engine_result, q.engine_row_count, q.error_class, q.error_message, q.statement,
				 q.external_id, q.operation_key, q.score, q.score_parts, q.estimate, q.reason, q.settings, q.cancel_requested_by, q.engine_reason, q.measured
		  FROM floe_internal.operation_queue AS q) AS o;
COMMENT ON VIEW floe.operations IS 'The log of every operation, those under way included: what called for it, what was sent, and its effect measured from the table''s metadata (effect: after minus before); measured: the same in the quantities of estimate, estimate_error: how far off that was; slice: which part of the table it was about, NULL: the whole';

CREATE VIEW floe.events AS
	SELECT e.event_id AS id, e.happened_at, e.kind, e.catalog, e.table_name, e.operation_id, e.message, e.data
	FROM floe_internal.event AS e;
COMMENT ON VIEW floe.events IS 'Every change of state; also sent on channel floe (LISTEN floe)';

CREATE VIEW floe.pauses AS
	SELECT p.pattern, p.until, p.reason, p.paused_by, p.paused_at FROM floe_internal.pause AS p WHERE p.until > floe_internal.clock();
COMMENT ON VIEW floe.pauses IS 'What is paused now';

CREATE VIEW floe.catalogs AS
	SELECT s.server_name AS name, s.server_type AS type, s.options ->> 'uri' AS uri, s.options ->> 'warehouse' AS warehouse, COALESCE(c.status, 'new') AS status,
		   c.error_message AS error, c.error_detail AS error_detail, c.error_since, c.failures, c.listed_at, c.next_list_at,
		   (SELECT pg_catalog.count(*) FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = c.catalog_id AND t.status <> 'dropped') AS tables, c.left_out, c.refused_count AS refused_namespaces, c.refusal, c.config,
		   o.read_at AS policies_read_at, o.error_message AS policies_error
	FROM floe_internal.server AS s
	LEFT JOIN floe_internal.catalog AS c ON c.server_name = s.server_name AND c.status <> 'removed'
	LEFT JOIN floe_internal.policy_source AS o ON o.catalog_id = c.catalog_id
	WHERE s.wrapper = 'floe_catalog';
COMMENT ON VIEW floe.catalogs IS 'Catalogs and their state; left_out: listed names that floe cannot keep, so that those namespaces and tables are not among its tables; refused_namespaces: those that floe may not list, and refusal the catalog''s words for it';

CREATE VIEW floe.engines AS
	SELECT s.server_name AS name, s.server_type AS type, s.options ->> 'url' AS url, COALESCE(e.status, 'new') AS status, e.product,
		   e.error_message AS error, e.error_detail AS error_detail, e.error_since, e.failures, e.retry_at,
		   (SELECT pg_catalog.count(*) FROM floe_internal.operation_queue AS q WHERE q.engine = s.server_name AND q.state IN ('dispatching', 'running', 'lost')) AS running,
		   (SELECT pg_catalog.count(*) FROM floe_internal.operation_queue AS q WHERE q.engine = s.server_name AND q.state = 'queued') AS queued,
		   COALESCE((s.options ->> 'max_operations')::pg_catalog.int4, 2) AS max_operations, e.drained_at, e.drained_by, e.drain_reason,
		   (SELECT pg_catalog.max(l.finished_at) FROM floe_internal.operation_log AS l WHERE l.engine = s.server_name AND l.state = 'succeeded') AS last_success_at,
		   (SELECT pg_catalog.jsonb_object_agg(x.state, x.n) FROM (SELECT q.state, pg_catalog.count(*) AS n FROM floe_internal.operation_queue AS q
				WHERE q.engine = s.server_name GROUP BY q.state) AS x) AS operations
	FROM floe_internal.server AS s
	LEFT JOIN floe_internal.engine AS e ON e.server_name = s.server_name AND e.status <> 'removed'
	WHERE s.wrapper = 'floe_engine';
COMMENT ON VIEW floe.engines IS 'Engines and their state. running: of max_operations places; operations: what they have and what waits for them first, by state; drained_at: since when nothing new is dispatched to it';

CREATE VIEW floe.tables AS
	SELECT t.name, t.status, t.error_message AS error, t.error_detail, t.error_since, t.format_version, t.location,
		   h.assessed_at, h.data_file_count, h.data_bytes, h.record_count, h.small_file_count, h.excess_file_count, h.delete_ratio, h.snapshot_count,
		   h.expirable_snapshot_count, h.manifest_count, h.partition_count, h.last_write_at,
		   (SELECT pg_catalog.array_agg(p.name ORDER BY m.place) FROM floe_internal.policy_set AS s CROSS JOIN LATERAL pg_catalog.unnest(s.policy_ids) WITH ORDINALITY AS m (policy_id, place)
			JOIN floe.policy AS p ON p.policy_id = m.policy_id WHERE s.policy_set_id = t.policy_set_id) AS policies,
		   l.operation AS last_operation, l.state AS last_state, l.finished_at AS last_finished_at,
		   q.operation AS current_operation, q.state AS current_state, poll.polled_at, poll.next_poll_at, t.first_seen_at, t.dropped_at,
		   circuit.open_until AS circuit_open_until
	FROM floe_internal.iceberg_table AS t
	LEFT JOIN floe_internal.health AS h ON h.table_id = t.table_id
	LEFT JOIN floe_internal.table_poll AS poll ON poll.table_id = t.table_id
	LEFT JOIN floe_internal.table_circuit AS circuit ON circuit.table_id = t.table_id
	LEFT JOIN LATERAL (SELECT x.operation, x.state, x.finished_at FROM floe_internal.operation_log AS x WHERE x.table_id = t.table_id ORDER BY x.operation_id DESC LIMIT 1) AS l ON true
	LEFT JOIN LATERAL (SELECT x.operation, x.state FROM floe_internal.operation_queue AS x WHERE x.table_id = t.table_id ORDER BY x.state = 'queued', x.position LIMIT 1) AS q ON true;
COMMENT ON VIEW floe.tables IS 'One row per table floe has seen, dropped ones included; floe.status() adds debt and verdict. circuit_open_until: several different operations failed on it, and none is sent before; in the past: the next run tells';

CREATE FUNCTION floe.status(pattern pg_catalog.text DEFAULT '**',
		OUT name pg_catalog.text, OUT status pg_catalog.text, OUT verdict pg_catalog.text, OUT next_operation pg_catalog.text, OUT reason pg_catalog.text, OUT debt pg_catalog.float8,
		OUT excess_files pg_catalog.int8, OUT expirable_snapshots pg_catalog.int8, OUT last_operation pg_catalog.text, OUT last_state pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT v.name, v.status, c.verdict, c.operation, concat_ws(' ', c.gate, c.value, '(limit ' || c.limit_value || ')'), c.score,
		   v.excess_file_count, v.expirable_snapshot_count, v.last_operation, v.last_state
	FROM floe_internal.iceberg_table AS t
	JOIN floe.tables AS v ON v.name = t.name AND v.first_seen_at = t.first_seen_at
	LEFT JOIN (SELECT DISTINCT ON (s.table_id) s.* FROM floe_internal.select_candidates(ARRAY(SELECT x.table_id FROM floe_internal.iceberg_table AS x
			WHERE x.status <> 'dropped' AND floe_internal.match_pattern(floe_internal.check_pattern(pattern), x.levels) IS NOT NULL), floe_internal.clock(), false, NULL) AS s
		ORDER BY s.table_id, s.verdict <> 'run', s.verdict <> 'wait', s.verdict <> 'blocked', s.score DESC) AS c ON c.table_id = t.table_id
	WHERE t.status <> 'dropped' AND floe_internal.match_pattern(floe_internal.check_pattern(pattern), t.levels) IS NOT NULL
	ORDER BY c.verdict <> 'run', c.score DESC NULLS LAST, v.name
$body$;
COMMENT ON FUNCTION floe.status(pg_catalog.text) IS 'Tables with debt score and the most pressing verdict, worst first';

CREATE FUNCTION floe.stats(since pg_catalog.interval DEFAULT '24 hours',
		OUT operation pg_catalog.text, OUT engine pg_catalog.text, OUT succeeded pg_catalog.int8, OUT no_change pg_catalog.int8, OUT failed pg_catalog.int8, OUT cancelled pg_catalog.int8,
		OUT running pg_catalog.int8, OUT queued pg_catalog.int8, OUT files_removed pg_catalog.float8, OUT snapshots_removed pg_catalog.float8, OUT engine_time pg_catalog.interval)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
	SELECT o.operation, o.engine, count(*) FILTER (WHERE o.state = 'succeeded'), count(*) FILTER (WHERE o.state = 'no_change'), count(*) FILTER (WHERE o.state = 'failed'),
		   count(*) FILTER (WHERE o.state = 'cancelled'), count(*) FILTER (WHERE o.state IN ('dispatching', 'running', 'verifying', 'lost')), count(*) FILTER (WHERE o.state = 'queued'),
		   COALESCE(- sum((o.effect ->> 'data_file_count')::float8), 0), COALESCE(- sum((o.effect ->> 'snapshot_count')::float8) FILTER (WHERE o.operation = 'expire_snapshots'), 0),
		   sum(o.duration)
	FROM floe.operations AS o
	WHERE o.finished_at IS NULL OR o.finished_at >= floe_internal.clock() - since
	GROUP BY o.operation, o.engine
	ORDER BY o.operation, o.engine
$body$;
COMMENT ON FUNCTION floe.stats(pg_catalog.interval) IS 'Operations of the last while, by kind and engine, with what they removed as measured';

CREATE VIEW floe.operation_option AS
	SELECT o.operation, o.option, o.aliases, o.engine_type, o.engine_name, o.placement, o.value_type, o.minimum, o.maximum, o.allowed, o.default_value, o.description
	FROM floe_internal.engine_options() AS o;
COMMENT ON VIEW floe.operation_option IS 'Options of each operation that a policy can set, per engine type: what the engine calls them, type, range and default';


CREATE VIEW floe.engine_option AS
	SELECT d.operation, d.option, t.type AS engine_type, o.option IS NOT NULL OR d.option IS NULL AND can.operation IS NOT NULL AS is_supported,
		   CASE WHEN can.operation IS NULL THEN 'the engine cannot do this operation' WHEN d.option IS NOT NULL AND o.option IS NULL THEN 'the engine has no such option' END AS reason,
		   o.engine_name, o.placement, o.value_type, o.minimum, o.maximum, o.allowed, o.default_value, COALESCE(o.description, d.description) AS description
	FROM (SELECT x.operation, x.option, pg_catalog.min(x.description) AS description FROM floe_internal.engine_options() AS x GROUP BY x.operation, x.option
		  UNION ALL
		  SELECT k.operation, NULL, k.description FROM floe_internal.operation_kind AS k) AS d
	CROSS JOIN floe_internal.connection_types() AS t
	LEFT JOIN floe_internal.engine_operations() AS can ON can.engine_type = t.type AND can.operation = d.operation
	LEFT JOIN floe_internal.engine_options() AS o ON o.engine_type = t.type AND o.operation = d.operation AND o.option = d.option
	WHERE t.wrapper = 'floe_engine';
COMMENT ON VIEW floe.engine_option IS 'What every TYPE of engine can do: operation by option by type, whether it is honoured, and with which name, type, range and default; the row without an option is the operation as such';
