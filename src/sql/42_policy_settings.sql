-- =================================================================================================
-- 42 policies: what each sets
-- The rows of 40 as one row per field: what resolution (43) chooses among and locks (43) hold against.
-- =================================================================================================

-- What one policy sets, one row per field. operation '' is the policy as a whole. A policy's own engine
-- stands for each operation, so that it competes with other policies' operation engines.
CREATE VIEW floe_internal.policy_setting AS
	SELECT p.policy_id, o.operation, v.setting, v.value
	FROM floe.policy AS p
	JOIN floe.policy_operation AS o USING (policy_id)
	CROSS JOIN LATERAL (VALUES
		('configured', pg_catalog.to_jsonb(true)),
		('enabled', pg_catalog.to_jsonb(o.is_enabled)),
		('schedule', CASE WHEN o.schedule IS NOT NULL THEN pg_catalog.jsonb_build_object('cron', o.schedule)
						  WHEN o.every IS NOT NULL THEN pg_catalog.jsonb_build_object('every', o.every) END),
		('timezone', pg_catalog.to_jsonb(o.timezone)),
		('jitter', pg_catalog.to_jsonb(o.jitter)),
		('windows', pg_catalog.to_jsonb(o.windows)),
		('days', pg_catalog.to_jsonb(o.days)),
		('min_interval', pg_catalog.to_jsonb(o.min_interval)),
		('conditions', o.conditions),
		('deadline', pg_catalog.to_jsonb(o.deadline)),
		('timeout', pg_catalog.to_jsonb(o.timeout)),
		('max_attempts', pg_catalog.to_jsonb(o.max_attempts)),
		('slice_bytes', pg_catalog.to_jsonb(o.slice_bytes)),
		('slice_time', pg_catalog.to_jsonb(o.slice_time)),
		('quiet_period', pg_catalog.to_jsonb(o.quiet_period)),
		('auto_tune', pg_catalog.to_jsonb(o.auto_tune)),
		('resources', o.resources)) AS v (setting, value)
	WHERE v.value IS NOT NULL
	UNION ALL
	SELECT p.policy_id, k.operation, 'engine', pg_catalog.to_jsonb(COALESCE(o.engine, p.engine))
	FROM floe.policy AS p
	CROSS JOIN floe_internal.operation_kind AS k
	LEFT JOIN floe.policy_operation AS o ON o.policy_id = p.policy_id AND o.operation = k.operation
	WHERE COALESCE(o.engine, p.engine) IS NOT NULL
	UNION ALL
	SELECT p.policy_id, k.operation, v.setting, v.value
	FROM floe.policy AS p
	CROSS JOIN floe_internal.operation_kind AS k
	LEFT JOIN floe.policy_operation AS o ON o.policy_id = p.policy_id AND o.operation = k.operation
	CROSS JOIN LATERAL (VALUES ('fallback_engines', pg_catalog.to_jsonb(COALESCE(o.fallback_engines, p.fallback_engines))),
		('fallback_after', pg_catalog.to_jsonb(COALESCE(o.fallback_after, p.fallback_after)))) AS v (setting, value)
	WHERE v.value IS NOT NULL
	UNION ALL
	SELECT o.policy_id, o.operation, 'options.' || e.key, e.value
	FROM floe.policy_operation AS o
	CROSS JOIN LATERAL pg_catalog.jsonb_each(o.options) AS e
	UNION ALL
	SELECT p.policy_id, '', 'poll_interval', pg_catalog.to_jsonb(p.poll_interval)
	FROM floe.policy AS p WHERE p.poll_interval IS NOT NULL
	UNION ALL
	SELECT p.policy_id, '', 'min_poll_interval', pg_catalog.to_jsonb(p.min_poll_interval)
	FROM floe.policy AS p WHERE p.min_poll_interval IS NOT NULL
	UNION ALL
	SELECT p.policy_id, '', 'score', pg_catalog.to_jsonb(p.score)
	FROM floe.policy AS p WHERE p.score IS NOT NULL
	UNION ALL
	SELECT p.policy_id, '', 'thresholds.' || m.key || '.' || l.key, l.value
	FROM floe.policy AS p
	CROSS JOIN LATERAL pg_catalog.jsonb_each(p.thresholds) AS m
	CROSS JOIN LATERAL pg_catalog.jsonb_each(m.value) AS l
	UNION ALL
	SELECT p.policy_id, '', 'weights.' || w.key, w.value
	FROM floe.policy AS p
	CROSS JOIN LATERAL pg_catalog.jsonb_each(p.weights) AS w;
COMMENT ON VIEW floe_internal.policy_setting IS 'Fields that each policy sets, one row a field';
