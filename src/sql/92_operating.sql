-- =================================================================================================
-- 92 operating
-- What an operator looks at when floe works by itself: its processes, what waits and for what, what is
-- under way, what is cut off, and how far behind it is.
-- =================================================================================================

CREATE VIEW floe.workers AS
	SELECT w.database, w.worker, w.number, w.state, w.reason, w.pid, w.since, w.next_start_at, w.failures, w.in_flight, w.requests, w.done, w.active_at
	FROM floe_internal.workers() AS w;
COMMENT ON VIEW floe.workers IS 'floe''s background workers in all databases of floe.databases, running or not, and why not. in_flight: tables an assessor looks at, operations an executor follows; requests: HTTP requests under way; done: since the start';

CREATE VIEW floe.queue AS
	SELECT q.operation_id AS id, q.table_name, q.operation, q.state, q.engine, q.by_hand, q.score, q.queued_at,
		   CASE WHEN q.state <> 'queued' THEN NULL
				WHEN d.drained_by IS NOT NULL THEN pg_catalog.concat_ws(': ', 'drained by ' || d.drained_by, d.reason)
				WHEN p.pattern IS NOT NULL THEN pg_catalog.concat_ws(': ', pg_catalog.format('pause of %s by %s', p.pattern, p.paused_by), p.reason)
				WHEN o.operation_id IS NOT NULL THEN pg_catalog.format('operation %s (%s) on the same table', o.operation_id, o.operation)
				WHEN e.drained_at IS NOT NULL THEN pg_catalog.concat_ws(': ', pg_catalog.format('engine "%s" is drained by %s', q.engine, e.drained_by), e.drain_reason)
				WHEN e.retry_at > floe_internal.clock() THEN 'engine cannot be reached: ' || e.error_message
				WHEN q.not_before > floe_internal.clock() THEN 'next attempt' || COALESCE(': ' || q.error_message, '')
				WHEN b.busy >= COALESCE((s.options ->> 'max_operations')::pg_catalog.int4, 2)
					THEN pg_catalog.format('engine is full: %s of %s', b.busy, COALESCE(s.options ->> 'max_operations', '2'))
				ELSE 'its turn' END
			|| CASE WHEN q.state = 'queued' AND q.engines IS NOT NULL THEN pg_catalog.format('; or %s', pg_catalog.array_to_string(q.engines[2:], ', ')) ELSE '' END AS waits_for,
		   CASE WHEN q.state <> 'queued' THEN NULL
				WHEN p.until < 'infinity' THEN p.until
				ELSE NULLIF(NULLIF(GREATEST(q.not_before, u.opens_at, '-infinity'), '-infinity'), 'infinity') END AS not_before,
		   q.dispatched_at, q.started_at, q.timeout_at, q.unreachable_since, q.cancel_requested_by, w.pid AS driver_pid, q.engines, q.engine_reason
	FROM floe_internal.operation_queue AS q
	LEFT JOIN floe_internal.queue_opens(floe_internal.clock()) AS u ON u.operation_id = q.operation_id
	JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
	LEFT JOIN floe_internal.engine AS e ON e.server_name = q.engine AND e.status <> 'removed'
	LEFT JOIN floe_internal.server AS s ON s.wrapper = 'floe_engine' AND s.server_name = q.engine
	LEFT JOIN floe_internal.drain AS d ON true
	LEFT JOIN LATERAL (SELECT x.pattern, x.paused_by, x.reason, x.until FROM floe_internal.pause AS x
					   WHERE x.until > floe_internal.clock() AND floe_internal.match_pattern(x.pattern, t.levels) IS NOT NULL
					   ORDER BY x.until DESC LIMIT 1) AS p ON true
	LEFT JOIN LATERAL (SELECT x.operation_id, x.operation FROM floe_internal.operation_queue AS x
					   WHERE x.table_id = q.table_id AND x.operation_id <> q.operation_id AND (x.state <> 'queued' OR x.position < q.position)
					   ORDER BY x.state = 'queued', x.position LIMIT 1) AS o ON true
	CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS busy FROM floe_internal.operation_queue AS x
						WHERE x.engine = q.engine AND x.state IN ('dispatching', 'running', 'lost')) AS b
	LEFT JOIN floe_internal.pass AS w ON w.pass_id = q.driver_pass AND w.ended_at IS NULL;
COMMENT ON VIEW floe.queue IS 'Operations that have not ended, and what those that are queued wait for; driver_pid: the process that follows it';

CREATE VIEW floe.in_flight AS
	SELECT t.name AS table_name, p.claimed_at AS since, floe_internal.clock() - p.claimed_at AS age, s.kind AS worker, s.pid
	FROM floe_internal.table_poll AS p
	JOIN floe_internal.iceberg_table AS t ON t.table_id = p.table_id
	LEFT JOIN floe_internal.pass AS s ON s.pass_id = p.claim_pass
	WHERE p.claim_pass IS NOT NULL;
COMMENT ON VIEW floe.in_flight IS 'Tables that are being looked at now, since when and by which process';

CREATE VIEW floe.breakers AS
	SELECT 'catalog' AS kind, c.server_name AS name,
		   CASE WHEN c.status <> 'error' THEN 'closed' WHEN c.claim_pass IS NOT NULL OR c.tripped_by = 'probe' OR c.next_list_at <= floe_internal.clock() THEN 'half-open' ELSE 'open' END AS state,
		   c.failures, c.error_since AS since, CASE WHEN c.status = 'error' AND c.tripped_by IS DISTINCT FROM 'probe' THEN c.next_list_at END AS retry_at, c.error_message AS error
	FROM floe_internal.catalog AS c WHERE c.status <> 'removed'
	UNION ALL
	SELECT 'engine', e.server_name,
		   CASE WHEN e.status <> 'error' THEN 'closed' WHEN COALESCE(e.retry_at, '-infinity') <= floe_internal.clock() THEN 'half-open' ELSE 'open' END,
		   e.failures, e.error_since, CASE WHEN e.status = 'error' THEN e.retry_at END, e.error_message
	FROM floe_internal.engine AS e WHERE e.status <> 'removed'
	UNION ALL
	SELECT 'table', t.name, CASE WHEN c.open_until > floe_internal.clock() THEN 'open' ELSE 'half-open' END, c.failures, c.opened_at, c.open_until, c.error_message
	FROM floe_internal.table_circuit AS c JOIN floe_internal.iceberg_table AS t ON t.table_id = c.table_id WHERE t.status <> 'dropped';
COMMENT ON VIEW floe.breakers IS 'Circuit breakers. closed: it works; open: nothing is sent before retry_at; half-open: the next request, or the next operation on the table, tells. Of tables only those that are not closed';

CREATE VIEW floe.lag AS
	SELECT c.server_name AS catalog,
		   (SELECT pg_catalog.count(*) FROM floe_internal.table_poll AS p WHERE p.catalog_id = c.catalog_id AND p.next_poll_at <= floe_internal.clock()) AS tables_due,
		   floe_internal.clock() - (SELECT p.next_poll_at FROM floe_internal.table_poll AS p
			WHERE p.catalog_id = c.catalog_id AND p.next_poll_at <= floe_internal.clock() ORDER BY p.next_poll_at LIMIT 1) AS table_lag,
		   (SELECT pg_catalog.count(*) FROM floe_internal.table_decision AS d JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id
			WHERE t.catalog_id = c.catalog_id AND d.decide_at <= floe_internal.clock()) AS decisions_due,
		   floe_internal.clock() - (SELECT pg_catalog.min(d.decide_at) FROM floe_internal.table_decision AS d JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id
			WHERE t.catalog_id = c.catalog_id AND d.decide_at <= floe_internal.clock()) AS decision_lag,
		   (SELECT pg_catalog.count(*) FROM floe_internal.operation_queue AS q JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
			WHERE t.catalog_id = c.catalog_id AND q.state = 'queued') AS operations_queued,
		   floe_internal.clock() - (SELECT pg_catalog.min(q.queued_at) FROM floe_internal.operation_queue AS q JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
			WHERE t.catalog_id = c.catalog_id AND q.state = 'queued') AS operation_lag
	FROM floe_internal.catalog AS c
	WHERE c.status <> 'removed';
COMMENT ON VIEW floe.lag IS 'How far behind floe is with each catalog: what is due and since when (tables to look at, decisions), and what is queued. NULL: nothing is due';
