-- =================================================================================================
-- 60 gates
-- Everything that can hold an operation back, as rows. floe.why() shows them, the planner obeys them:
-- there is one implementation. A gate's status is pass, off, blocked, not needed or wait; the first that
-- does not pass, by position, is the verdict.
-- =================================================================================================

CREATE TABLE floe_internal.gate (
	gate		pg_catalog.text PRIMARY KEY,
	position	pg_catalog.int2 NOT NULL UNIQUE,
	is_timing	pg_catalog.bool NOT NULL,
	description	pg_catalog.text NOT NULL
);
COMMENT ON TABLE floe_internal.gate IS 'Gates in the order in which they are asked';
COMMENT ON COLUMN floe_internal.gate.is_timing IS 'A trigger by hand goes through it; through zero_change only when it names the operation';

INSERT INTO floe_internal.gate VALUES
	('policy', 1, false, 'A matching policy configures the operation'),
	('enabled', 2, false, 'No policy disables it'),
	('options', 3, false, 'The options that the policies set together do not contradict each other, fit the table, and can be honoured by an engine that they name'),
	('assessed', 4, false, 'The table was read and can be judged'),
	('writable', 5, false, 'The catalog takes commits: floe does not look at it through a tag'),
	('gc_enabled', 6, false, 'The table property gc.enabled allows deleting files'),
	('location', 7, false, 'No other table shares the location or lies inside it, and of all tables of the catalog it is known'),
	('paused', 8, false, 'Nobody paused it'),
	('need', 9, false, 'A metric, condition, deadline or cadence calls for it'),
	('interlock', 10, false, 'No other operation works on the table; for the removal of orphans, nor one that floe had to give up and that may still write'),
	('engine', 11, false, 'An engine that the policies name exists, can do it, is approved for the table, and is neither drained nor known to be down'),
	('circuit', 12, true, 'Not several different operations failed on the table, or it is time to try one'),
	('backoff', 13, true, 'The last failure is long enough ago, or what it waits for has changed'),
	('zero_change', 14, true, 'The last run helped, or the metric that called for it has moved since'),
	('schedule', 15, true, 'The schedule''s time has come'),
	('window', 16, true, 'Inside a window of an allowed day'),
	('min_interval', 17, true, 'Long enough after the last run that did not fail'),
	('writers', 18, false, 'Not all partitions that need it are being written, by somebody who also deletes');

CREATE FUNCTION floe_internal.schedule_key(settings pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN settings ? 'schedule' THEN
		pg_catalog.md5(pg_catalog.concat_ws('|', settings -> 'schedule', settings -> 'timezone', settings -> 'jitter')) END;
END;
COMMENT ON FUNCTION floe_internal.schedule_key(pg_catalog.jsonb) IS 'Identity of a schedule in force; NULL: none';

-- considered_at: when the schedule was last honoured or found unnecessary, else when the operation last ran; NULL: never.
-- The times do not depend on when a plan happened to come by, so starts neither drift nor bunch together. Where nothing is known of the
-- last week (another policy set the schedule before), what is past is not made up for.
CREATE FUNCTION floe_internal.schedule_next(settings pg_catalog.jsonb, seed pg_catalog.text, first_seen_at pg_catalog.timestamptz,
		considered_at pg_catalog.timestamptz, is_builtin pg_catalog.bool) RETURNS pg_catalog.timestamptz
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE
		WHEN settings #> '{schedule,cron}' IS NOT NULL THEN (
			SELECT n.named_at + floe_internal.jitter(seed, LEAST(COALESCE(g.jitter, '5 minutes'),
				floe_internal.cron_next(settings #>> '{schedule,cron}', settings ->> 'timezone', n.named_at) - n.named_at))
			FROM (SELECT GREATEST(considered_at, g.began_at) AS at) AS l
			CROSS JOIN LATERAL floe_internal.cron_next(settings #>> '{schedule,cron}', settings ->> 'timezone',
				CASE WHEN l.at < g.clock - interval '7 days' THEN g.clock ELSE l.at END) AS n (named_at))
		WHEN settings #> '{schedule,every}' IS NOT NULL THEN (
			SELECT CASE WHEN n.named_at < g.clock - interval '7 days' THEN g.clock + f.put_off ELSE n.named_at END
			-- in seconds: a day in the time zone of the session may have 23 hours
			FROM (SELECT pg_catalog.make_interval(secs => pg_catalog.date_part('epoch', (settings #>> '{schedule,every}')::pg_catalog.interval)) AS every OFFSET 0) AS i
			CROSS JOIN LATERAL (SELECT floe_internal.jitter(seed,
				LEAST(i.every, COALESCE(g.jitter, CASE WHEN is_builtin THEN i.every ELSE LEAST(i.every / 10, '5 minutes') END))) AS put_off OFFSET 0) AS f
			CROSS JOIN LATERAL (SELECT g.began_at + f.put_off AS at) AS a
			-- whole intervals from the first time: the next after what has just run late, and no earlier than an interval after a run from before
			CROSS JOIN LATERAL (SELECT a.at + i.every * CASE
				WHEN considered_at >= a.at THEN 1 + pg_catalog.round(pg_catalog.date_part('epoch', considered_at - a.at) / pg_catalog.date_part('epoch', i.every))
				WHEN considered_at > a.at - i.every THEN 1 ELSE 0 END AS named_at OFFSET 0) AS n)
		END
	FROM (SELECT floe_internal.clock() AS clock, (settings ->> 'jitter')::pg_catalog.interval AS jitter,
		GREATEST((settings #>> '{schedule,since}')::pg_catalog.timestamptz, first_seen_at) AS began_at OFFSET 0) AS g;
END;
COMMENT ON FUNCTION floe_internal.schedule_next(pg_catalog.jsonb, pg_catalog.text, pg_catalog.timestamptz, pg_catalog.timestamptz, pg_catalog.bool)
	IS 'Next time a schedule names, put off by the table''s jitter. A new cron schedule waits for its first time; a new interval starts within its jitter and then keeps to whole intervals; floe''s own cadence is spread over its whole period';

CREATE FUNCTION floe_internal.engine_state(engine_name pg_catalog.text,
		OUT server_type pg_catalog.text, OUT status pg_catalog.text, OUT retry_at pg_catalog.timestamptz, OUT error_message pg_catalog.text, OUT stamp pg_catalog.text, OUT drain pg_catalog.text)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	SELECT s.server_type, COALESCE(e.status, 'new'), e.retry_at, e.error_message,
		   pg_catalog.md5(pg_catalog.concat_ws('|', s.server_oid, s.options,
			   (SELECT pg_catalog.string_agg(u.xmin::pg_catalog.text, ',' ORDER BY u.oid) FROM pg_catalog.pg_user_mapping AS u WHERE u.umserver = s.server_oid))),
		   CASE WHEN e.drained_at IS NOT NULL THEN pg_catalog.concat_ws(': ', 'drained by ' || e.drained_by, e.drain_reason) END
	INTO server_type, status, retry_at, error_message, stamp, drain
	FROM floe_internal.server AS s
	LEFT JOIN floe_internal.engine AS e ON e.server_name = s.server_name AND e.status <> 'removed'
	WHERE s.wrapper = 'floe_engine' AND s.server_name = engine_name;
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_state(pg_catalog.text) IS 'An engine as a gate sees it; stamp changes with its definition or credentials (of which it holds nothing); drain: by whom and why nothing new is sent to it; NULLs: no such engine';

-- The statement's options: what policies set, plus what the metric's remedy needs to have an effect.
CREATE FUNCTION floe_internal.operation_options(settings pg_catalog.jsonb, origins pg_catalog.jsonb, remedy_options pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN (SELECT COALESCE(remedy_options, '{}') || COALESCE((
		SELECT pg_catalog.jsonb_object_agg(pg_catalog.substr(e.key, 9), e.value)
		FROM pg_catalog.jsonb_each(settings) AS e
		-- table properties are the engine's business: it reads them itself
		WHERE e.key LIKE 'options.%' AND (origins ? e.key OR e.key = 'options.older_than')), '{}'));
END
$body$;
COMMENT ON FUNCTION floe_internal.operation_options(pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb) IS 'Options that go into the statement';

CREATE FUNCTION floe_internal.table_schema(details pg_catalog.jsonb, specs pg_catalog.jsonb) RETURNS pg_catalog.jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN details ? 'columns' THEN pg_catalog.jsonb_build_object('columns', details -> 'columns', 'column_count', details -> 'column_count', 'specs', COALESCE(specs, '[]')) ELSE '{}' END;
END;
COMMENT ON FUNCTION floe_internal.table_schema(pg_catalog.jsonb, pg_catalog.jsonb) IS 'What is known of a table''s columns and partitions, for schema_problem() and render_statement()';

-- Only where something can be wrong with it: most tables have no such options. A snapshot that is to expire must not be one that the table lives on.
CREATE FUNCTION floe_internal.options_problem(operation pg_catalog.text, options pg_catalog.jsonb, details pg_catalog.jsonb, specs pg_catalog.jsonb,
		refs pg_catalog.jsonb, current_snapshot_id pg_catalog.int8) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN options ?| '{where,sort_order,columns}' THEN floe_internal.schema_problem(operation, options, floe_internal.table_schema(details, specs))
		WHEN options ? 'snapshot_ids' THEN (
			SELECT pg_catalog.format('snapshot %s of snapshot_ids is %s', x.id, COALESCE('what ' || (r.ref ->> 'type') || ' "' || (r.ref ->> 'name') || '" points to', 'the current one'))
			FROM pg_catalog.jsonb_array_elements_text(options -> 'snapshot_ids') AS x (id)
			LEFT JOIN pg_catalog.jsonb_array_elements(COALESCE(refs, '[]')) AS r (ref) ON r.ref ->> 'snapshot_id' = x.id
			WHERE r.ref IS NOT NULL OR x.id = current_snapshot_id::pg_catalog.text
			ORDER BY r.ref ->> 'name' LIMIT 1) END;
END;
COMMENT ON FUNCTION floe_internal.options_problem(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.int8)
	IS 'Why options that are valid cannot be used with this table: a column that it has not, a snapshot that it needs; NULL: nothing. Options as they are stored';

CREATE TYPE floe_internal.call AS (table_id pg_catalog.int8, operation pg_catalog.text);
COMMENT ON TYPE floe_internal.call IS 'Something can call for this operation of this table (68)';

-- What decides for one table and operation, before any gate.
CREATE FUNCTION floe_internal.decision_context(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, of_calls floe_internal.call[] DEFAULT NULL)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, "position" pg_catalog.int2, deletes_files pg_catalog.bool, is_cadence pg_catalog.bool,
				   settings pg_catalog.jsonb, origins pg_catalog.jsonb, settings_hash pg_catalog.text,
				   metric pg_catalog.text, value pg_catalog.float8, unit pg_catalog.text, warning pg_catalog.float8, severity pg_catalog.float8, threshold_policy pg_catalog.int4,
				   remedy_options pg_catalog.jsonb, potential pg_catalog.bool, conditions_met pg_catalog.bool, conditions_text pg_catalog.text)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH setting AS MATERIALIZED (
		SELECT x.table_id, x.operation, x.settings, x.origins, x.settings ->> 'engine' AS engine
		FROM floe_internal.table_setting AS x WHERE x.table_id = ANY (of_table_ids) AND x.operation <> ''
		  AND (of_calls IS NULL OR (x.table_id, x.operation) IN (SELECT o.table_id, o.operation FROM pg_catalog.unnest(of_calls) AS o))
	), engine AS MATERIALIZED (
		SELECT x.server_name, e.stamp FROM floe_internal.server AS x CROSS JOIN LATERAL floe_internal.engine_state(x.server_name) AS e WHERE x.wrapper = 'floe_engine'
	), wanted AS MATERIALIZED (
		-- metrics that can call for one of these operations, those that they require, and those that a condition names: fewer than half of all
		SELECT pg_catalog.array_agg(w.name) AS metrics
		FROM (SELECT pg_catalog.unnest(ARRAY[m.name, m.requires]) AS name FROM floe.metric AS m
			  WHERE m.remedy IS NOT NULL AND (of_calls IS NULL OR m.remedy IN (SELECT o.operation FROM pg_catalog.unnest(of_calls) AS o))
			  UNION
			  SELECT q.item ->> 'metric' FROM setting AS s
			  CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(COALESCE(s.settings #> '{conditions,all}', s.settings #> '{conditions,any}')) AS q (item)
			  WHERE s.settings ? 'conditions') AS w
	), measured AS MATERIALIZED (
		-- what a metric requires is one of the same table's: at hand in each row, without a join
		SELECT x.*, pg_catalog.jsonb_object_agg(x.metric, x.value) OVER (PARTITION BY x.table_id) AS known
		FROM wanted AS w CROSS JOIN LATERAL floe_internal.judged_metrics(of_table_ids, at, w.metrics) AS x
	), judged AS MATERIALIZED (
		SELECT j.table_id, j.metric, j.value, j.unit, j.warning, j.severity, j.level, j.remedy, j.remedy_options, j.weight, j.set_by_policy, j.position,
			   (CASE WHEN j.requires IS NULL THEN j.value ELSE (j.known ->> j.requires)::pg_catalog.float8 END) > 0 AS has_effect
		FROM measured AS j
	), best AS (
		SELECT DISTINCT ON (j.table_id, j.remedy) j.*
		FROM judged AS j
		WHERE j.remedy IS NOT NULL AND j.severity IS NOT NULL
		ORDER BY j.table_id, j.remedy, (j.severity >= 0.5 AND j.has_effect) DESC, j.severity * j.weight DESC, j.position
	), potential AS (
		SELECT j.table_id, j.remedy, pg_catalog.bool_or(j.has_effect) AS any_effect
		FROM judged AS j WHERE j.remedy IS NOT NULL
		GROUP BY j.table_id, j.remedy
	), needed AS (
		-- what every remedy beyond its threshold needs to have an effect
		SELECT j.table_id, j.remedy, pg_catalog.jsonb_object_agg(o.key, o.value) AS options
		FROM judged AS j CROSS JOIN LATERAL pg_catalog.jsonb_each(j.remedy_options) AS o
		WHERE j.severity >= 0.5 AND j.has_effect
		GROUP BY j.table_id, j.remedy
	)
	SELECT s.table_id, k.operation, k.position, k.deletes_files, k.is_cadence, s.settings, s.origins,
		   pg_catalog.md5(pg_catalog.concat_ws('|', s.settings #- '{schedule,since}', e.stamp, (SELECT pg_catalog.string_agg(f.stamp, '|' ORDER BY l.place)
				FROM pg_catalog.jsonb_array_elements_text(s.settings -> 'fallback_engines') WITH ORDINALITY AS l (name, place) JOIN engine AS f ON f.server_name = l.name))),
		   b.metric, b.value, b.unit, b.warning, CASE WHEN b.has_effect THEN b.severity ELSE 0 END, b.set_by_policy,
		   COALESCE(n.options, '{}'), COALESCE(p.any_effect, false),
		   c.met, c.told
	FROM setting AS s
	JOIN floe_internal.operation_kind AS k ON k.operation = s.operation
	LEFT JOIN engine AS e ON e.server_name = s.engine
	LEFT JOIN best AS b ON b.table_id = s.table_id AND b.remedy = k.operation
	LEFT JOIN potential AS p ON p.table_id = s.table_id AND p.remedy = k.operation
	LEFT JOIN needed AS n ON n.table_id = s.table_id AND n.remedy = k.operation
	LEFT JOIN LATERAL (
		SELECT CASE WHEN s.settings -> 'conditions' ? 'all' THEN pg_catalog.bool_and(x.met) ELSE pg_catalog.bool_or(x.met) END AS met,
			   pg_catalog.string_agg(x.told, CASE WHEN s.settings -> 'conditions' ? 'all' THEN ' and ' ELSE ' or ' END) AS told
		FROM (SELECT COALESCE(CASE q.item ->> 'op'
						WHEN '>=' THEN j.value >= (q.item ->> 'value')::pg_catalog.float8
						WHEN '>' THEN j.value > (q.item ->> 'value')::pg_catalog.float8
						WHEN '<=' THEN j.value <= (q.item ->> 'value')::pg_catalog.float8
						WHEN '<' THEN j.value < (q.item ->> 'value')::pg_catalog.float8
						WHEN '=' THEN j.value = (q.item ->> 'value')::pg_catalog.float8
						WHEN '<>' THEN j.value <> (q.item ->> 'value')::pg_catalog.float8 END, false) AS met,
					 pg_catalog.format('%s %s %s (is %s)', q.item ->> 'metric', q.item ->> 'op',
						floe_internal.format_metric((q.item ->> 'value')::pg_catalog.float8, j.unit), floe_internal.format_metric(j.value, j.unit)) AS told
			  FROM pg_catalog.jsonb_array_elements(COALESCE(s.settings #> '{conditions,all}', s.settings #> '{conditions,any}')) AS q (item)
			  LEFT JOIN judged AS j ON j.table_id = s.table_id AND j.metric = q.item ->> 'metric') AS x
		WHERE s.settings ? 'conditions') AS c ON true;
END;
COMMENT ON FUNCTION floe_internal.decision_context(pg_catalog.int8[], pg_catalog.timestamptz, floe_internal.call[]) IS 'Settings, worst metric, conditions and potential effect per table and operation; of_calls: of these, NULL: of all';

CREATE FUNCTION floe_internal.gates(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, by_hand pg_catalog.bool, named pg_catalog.text[], of_calls floe_internal.call[] DEFAULT NULL)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, operation_position pg_catalog.int2, gate pg_catalog.text, gate_position pg_catalog.int2,
				   status pg_catalog.text, label pg_catalog.text, value pg_catalog.text, limit_value pg_catalog.text, set_by pg_catalog.text, next_at pg_catalog.timestamptz,
				   settings pg_catalog.jsonb, settings_hash pg_catalog.text, origins pg_catalog.jsonb, severity pg_catalog.float8, remedy_options pg_catalog.jsonb)
	-- plpgsql, because its plan lives as long as the session: making it takes many times as long as using it for one table
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
AS $body$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH policy AS MATERIALIZED (
		SELECT pg_catalog.jsonb_object_agg(p.policy_id, pg_catalog.format('policy "%s" (%s)', p.name, p.pattern) || COALESCE(' until ' || pg_catalog.upper(p.valid_during), '')) AS names FROM floe.policy AS p
	), engine AS MATERIALIZED (
		SELECT s.server_name, e.retry_at, e.error_message, e.drain
		FROM floe_internal.server AS s CROSS JOIN LATERAL floe_internal.engine_state(s.server_name) AS e WHERE s.wrapper = 'floe_engine'
	), approval AS MATERIALIZED (
		SELECT a.pattern, a.engines FROM floe.engine_approval AS a
	), unlocated AS MATERIALIZED (
		-- whose files may be anywhere: to who removes orphans they would be some
		SELECT k.catalog_id, CASE
				WHEN k.listed_at IS NULL THEN pg_catalog.format('catalog "%s" was not listed yet', k.server_name)
				WHEN u.n > 0 THEN pg_catalog.format('unknown of %s (%s)', u.name, u.status)
					|| CASE WHEN u.n >= 1000 THEN ' and at least 999 more' WHEN u.n > 1 THEN pg_catalog.format(' and %s more', u.n - 1) ELSE '' END
				WHEN k.left_out > 0 THEN pg_catalog.format('unknown of %s tables or namespaces with names that floe cannot keep', k.left_out)
				WHEN k.refused_count > 0 THEN pg_catalog.format('unknown of what is in %s namespaces that floe may not list', k.refused_count) END AS told,
			   pg_catalog.format('tables of catalog "%s"', k.server_name) AS set_by
		FROM floe_internal.catalog AS k
		CROSS JOIN LATERAL (
			SELECT pg_catalog.count(*) AS n, (pg_catalog.array_agg(y.name ORDER BY y.status = 'unseen', y.table_id))[1] AS name, (pg_catalog.array_agg(y.status ORDER BY y.status = 'unseen', y.table_id))[1] AS status
			FROM (SELECT i.table_id, i.name, i.status FROM floe_internal.iceberg_table AS i
				  WHERE i.catalog_id = k.catalog_id AND i.location_key IS NULL AND i.status <> 'dropped' ORDER BY i.catalog_id, i.table_id LIMIT 1000) AS y) AS u
		WHERE k.catalog_id IN (SELECT i.catalog_id FROM floe_internal.iceberg_table AS i WHERE i.table_id = ANY (of_table_ids))
	)
	SELECT c.table_id, c.operation, c.position, g.gate, k.position,
		   CASE WHEN by_hand AND k.is_timing AND g.status = 'wait' AND (g.gate <> 'zero_change' OR d.is_named) THEN 'pass' ELSE g.status END,
		   g.label, g.value, g.limit_value, g.set_by, CASE WHEN g.status <> 'pass' THEN g.next_at END,
		   -- large, and the same for all gates of an operation
		   CASE k.position WHEN 1 THEN c.settings END, c.settings_hash, CASE k.position WHEN 1 THEN c.origins END, c.severity, CASE k.position WHEN 1 THEN c.remedy_options END
	FROM floe_internal.decision_context(of_table_ids, at, of_calls) AS c
	JOIN floe_internal.iceberg_table AS t ON t.table_id = c.table_id AND t.table_id = ANY (of_table_ids)	-- the same, said so that the index is used for a few
	JOIN floe_internal.catalog AS home ON home.catalog_id = t.catalog_id
	LEFT JOIN floe_internal.effective AS eff ON eff.policy_set_id = t.policy_set_id AND eff.operation = c.operation
	LEFT JOIN floe_internal.table_poll AS poll ON poll.table_id = c.table_id
	LEFT JOIN floe_internal.table_operation AS x ON x.table_id = c.table_id AND x.operation = c.operation
	LEFT JOIN floe_internal.table_circuit AS circuit ON circuit.table_id = c.table_id
	LEFT JOIN LATERAL (
		SELECT x.reason, x.until, x.told FROM (
			SELECT p.reason, p.until, pg_catalog.format('pause of %s by %s', p.pattern, p.paused_by) AS told
			FROM floe_internal.pause AS p WHERE p.until > at AND floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL
			UNION ALL
			SELECT COALESCE(d.reason, 'drained'), 'infinity', 'drain by ' || d.drained_by FROM floe_internal.drain AS d) AS x
		ORDER BY x.until DESC LIMIT 1) AS paused ON true
	LEFT JOIN LATERAL (
		SELECT q.operation_id, q.operation, q.state FROM floe_internal.operation_queue AS q
		WHERE q.table_id = c.table_id AND (q.operation = c.operation OR q.state <> 'queued')
		ORDER BY q.state = 'queued', q.operation_id LIMIT 1) AS busy ON true
	LEFT JOIN LATERAL (
		-- whose files would be orphans to it
		SELECT w.operation_id, w.operation, w.until FROM floe_internal.may_still_write(c.table_id, at) AS w
		WHERE c.operation = 'remove_orphan_files' AND w.is_given_up AND w.until > at
		ORDER BY w.until DESC LIMIT 1) AS ghost ON true
	LEFT JOIN LATERAL (
		-- three look-ups, each by the index on locations: the same, inside, above
		SELECT o.name FROM (
			SELECT i.table_id, i.name FROM floe_internal.iceberg_table AS i WHERE (i.status <> 'dropped' OR i.is_left_behind) AND i.location_key = t.location_key
			UNION ALL
			SELECT i.table_id, i.name FROM floe_internal.iceberg_table AS i WHERE (i.status <> 'dropped' OR i.is_left_behind) AND i.location_key > t.location_key || '/' AND i.location_key < t.location_key || '0'
			UNION ALL
			SELECT i.table_id, i.name FROM floe_internal.iceberg_table AS i WHERE (i.status <> 'dropped' OR i.is_left_behind) AND i.location_key = ANY (floe_internal.location_prefixes(t.location_key))) AS o
		WHERE c.operation = 'remove_orphan_files' AND o.table_id <> t.table_id
		ORDER BY o.name LIMIT 1) AS shared ON true
	LEFT JOIN unlocated ON unlocated.catalog_id = t.catalog_id AND c.operation = 'remove_orphan_files'
	-- of the engines named, in order: those that may never have it, those that may not now, and the first that may
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) AS listed, pg_catalog.count(*) FILTER (WHERE l.never IS NULL) AS able,
			   (pg_catalog.array_agg(l.name ORDER BY l.place) FILTER (WHERE l.never IS NULL AND l.not_now IS NULL))[1] AS ready,
			   pg_catalog.min(l.retry_at) FILTER (WHERE l.never IS NULL) AS retry_at,
			   (pg_catalog.array_agg(l.pattern ORDER BY l.place) FILTER (WHERE l.pattern IS NOT NULL))[1] AS approval,
			   pg_catalog.string_agg(CASE WHEN l.others THEN l.name || ': ' ELSE '' END || COALESCE(l.never, l.not_now), '; ' ORDER BY l.place) AS why_not
		FROM (SELECT n.name, n.place, pg_catalog.count(*) OVER () > 1 AS others, a.pattern, CASE WHEN e.drain IS NULL THEN e.retry_at END AS retry_at,
					 CASE WHEN e.server_name IS NULL THEN pg_catalog.format('there is no engine "%s"', n.name)
						WHEN eff.engine_refusals ? n.name THEN eff.engine_refusals ->> n.name
						WHEN a.pattern IS NOT NULL THEN pg_catalog.format('engine "%s" is not approved here; approved: %s', n.name, a.told) END AS never,
					 COALESCE(e.drain, CASE WHEN e.retry_at > at THEN COALESCE(e.error_message, 'it failed') END) AS not_now
			  FROM pg_catalog.unnest(eff.engine_names) WITH ORDINALITY AS n (name, place)
			  LEFT JOIN engine AS e ON e.server_name = n.name
			  LEFT JOIN LATERAL (SELECT p.pattern, pg_catalog.array_to_string(p.engines, ', ') AS told FROM approval AS p
								 WHERE n.name <> ALL (p.engines) AND floe_internal.match_pattern(p.pattern, t.levels) IS NOT NULL
								 ORDER BY floe_internal.match_pattern(p.pattern, t.levels), p.pattern LIMIT 1) AS a ON true) AS l) AS e
	LEFT JOIN floe_internal.health AS h ON h.table_id = c.table_id AND c.operation = 'rewrite_data_files' AND c.potential
		AND h.last_write_at > at - COALESCE((c.settings ->> 'quiet_period')::pg_catalog.interval, '20 minutes')
	LEFT JOIN LATERAL (SELECT x.* FROM floe_internal.hot_partitions(c.table_id, c.settings, floe_internal.applies_deletes(c.remedy_options) OR c.settings ?| '{options.delete_file_threshold,options.delete_ratio_threshold}',
		c.severity, at) AS x WHERE h.table_id IS NOT NULL) AS hot ON true
	CROSS JOIN policy
	CROSS JOIN LATERAL (SELECT CASE WHEN x.tuned_every IS NOT NULL THEN floe_internal.tuned_cadence(c.settings, c.origins, x.tuned_every) END AS every OFFSET 0) AS tuned
	CROSS JOIN LATERAL (SELECT
		tuned.every AS tuned_every,
		CASE WHEN NOT c.settings ? 'schedule' THEN NULL
			WHEN x.schedule_key = floe_internal.tuned_key(c.settings, tuned.every) THEN x.next_due_at
			ELSE floe_internal.tuned_next(c.settings, tuned.every, t.table_id || '/' || c.operation, t.first_seen_at, x.last_run_at, NOT c.origins ? 'schedule') END AS due_at,
		CASE WHEN c.settings ?| '{windows,days}' THEN floe_internal.window_next(
			ARRAY(SELECT pg_catalog.jsonb_array_elements_text(c.settings -> 'windows')), ARRAY(SELECT pg_catalog.jsonb_array_elements_text(c.settings -> 'days')),
			c.settings ->> 'timezone', at) ELSE at END AS window_at,
		-- after a failure the backoff says how long
		CASE WHEN x.last_state = 'failed' THEN x.last_success_at ELSE x.last_run_at END + (c.settings ->> 'min_interval')::pg_catalog.interval AS rested_at,
		COALESCE(x.last_success_at, t.first_seen_at) + (c.settings ->> 'deadline')::pg_catalog.interval AS overdue_at,
		x.failures > 0 AND x.failure_settings_hash = c.settings_hash AND x.failure_metadata IS NOT DISTINCT FROM t.metadata_location AS unchanged,
		-- what time does not mend, and what it has not mended so often
		COALESCE(x.failure_class IN ('config', 'permanent'), false) AS never_by_time,
		COALESCE(x.failures >= (c.settings ->> 'max_attempts')::pg_catalog.int4, false) AS tried_enough,
		c.operation = ANY (named) AS is_named,
		-- what the last run left of a large table
		COALESCE(x.slices_left > 0 AND x.last_state <> 'cancelled', false) AND c.potential AS goes_on,
		EXISTS (SELECT 1 FROM floe_internal.policy_set AS m WHERE m.policy_set_id = t.policy_set_id AND m.policy_ids <> '{}') AS has_policy,
		-- functions of SQL are made ready anew for each row of VALUES, so they are called here
		floe_internal.format_interval((c.settings ->> 'min_interval')::pg_catalog.interval) AS rest_told,
		floe_internal.format_interval(at - CASE WHEN x.last_state = 'failed' THEN x.last_success_at ELSE x.last_run_at END) AS run_told,
		CASE WHEN x.last_success_at IS NOT NULL THEN floe_internal.format_interval(at - x.last_success_at) END AS success_told,
		CASE WHEN t.status = 'ok' AND eff.problem IS NULL AND c.settings ?| '{options.where,options.sort_order,options.columns,options.snapshot_ids}' THEN
			floe_internal.options_problem(c.operation, floe_internal.operation_options(c.settings, c.origins, c.remedy_options), t.details, t.specs, t.refs, t.current_snapshot_id) END AS misfit
		OFFSET 0) AS d0
	-- what calls for the operation, or comes closest to it
	CROSS JOIN LATERAL (SELECT d0.*, CASE
		WHEN c.operation = 'compute_partition_stats' AND t.details ->> 'is_partitioned' = 'false' THEN 'partitions'
		WHEN d0.is_named THEN 'requested'
		WHEN c.is_cadence THEN CASE WHEN by_hand OR c.conditions_met IS NULL THEN 'cadence' ELSE 'conditions' END
		WHEN c.conditions_met THEN 'conditions'
		WHEN (c.conditions_met IS NULL OR by_hand) AND c.severity >= 0.5 THEN 'metric'
		WHEN d0.overdue_at <= at AND c.potential THEN 'deadline'
		WHEN d0.goes_on THEN 'slice'
		WHEN NOT c.conditions_met THEN 'conditions'
		WHEN c.metric IS NULL AND c.settings ? 'deadline' THEN 'later'
		ELSE 'metric' END AS called_by,
		-- auto_tune: what never pays comes less often, but never past a deadline, and no more once the need is another
		CASE WHEN x.stretched_until > at AND c.settings ->> 'auto_tune' = 'true' AND COALESCE(d0.overdue_at > at, true) AND COALESCE(c.severity < 1, true)
			AND NOT COALESCE(c.metric = x.stretched_metric AND c.value >= 2 * x.stretched_value, false) THEN x.stretched_until END AS stretched_until
		OFFSET 0) AS d
	CROSS JOIN LATERAL (VALUES
		('policy',
			CASE WHEN c.settings ? 'configured' OR (d.is_named AND d.has_policy) THEN 'pass' ELSE 'off' END, 'policy',
			CASE WHEN NOT d.has_policy THEN 'no policy matches'
				WHEN NOT c.settings ? 'configured' THEN 'no matching policy has it' ELSE 'configured' END, NULL,
			CASE WHEN c.settings ? 'configured' THEN COALESCE(policy.names ->> (c.origins ->> 'configured'), 'built in') END, NULL::pg_catalog.timestamptz),
		('enabled', CASE WHEN (c.settings ->> 'enabled') = 'false' THEN 'off' ELSE 'pass' END, 'enabled',
			COALESCE(c.settings ->> 'enabled', 'true'), NULL, COALESCE(policy.names ->> (c.origins ->> 'enabled'), 'built in'), NULL),
		('options', CASE WHEN eff.problem IS NOT NULL OR d.misfit IS NOT NULL THEN 'blocked' ELSE 'pass' END, 'options', COALESCE(eff.problem, d.misfit, 'valid'), NULL,
			CASE WHEN eff.problem IS NOT NULL THEN 'policies together' WHEN d.misfit IS NOT NULL THEN 'the table''s metadata' END, NULL),
		('assessed',
			CASE t.status WHEN 'ok' THEN 'pass' WHEN 'unseen' THEN 'wait' WHEN 'error' THEN 'wait' ELSE 'blocked' END, 'assessed',
			CASE t.status WHEN 'ok' THEN 'ok' WHEN 'unseen' THEN 'not assessed yet' WHEN 'dropped' THEN 'dropped from the catalog' ELSE t.error_message END, NULL,
			CASE WHEN t.status IN ('error', 'unsupported', 'quarantined') THEN 'last assessment (' || t.status || ')' END,
			CASE WHEN t.status NOT IN ('quarantined', 'dropped') THEN poll.next_poll_at END),
		('writable', CASE WHEN home.config ? 'read_only' THEN 'blocked' ELSE 'pass' END, 'writable', CASE WHEN home.config ? 'read_only' THEN 'no' ELSE 'yes' END, NULL,
			home.config ->> 'read_only', NULL),
		('gc_enabled', CASE WHEN c.deletes_files AND pg_catalog.lower(t.properties ->> 'gc.enabled') = 'false' THEN 'blocked' ELSE 'pass' END, 'gc_enabled',
			COALESCE(t.properties ->> 'gc.enabled', 'true'), NULL, CASE WHEN c.deletes_files AND (t.properties ? 'nessie.commit.id' OR t.details ->> 'gc_owner' = 'Nessie') THEN 'table property gc.enabled, by Nessie: other branches and commits may need the files; nessie-gc removes them'
				WHEN t.properties ? 'gc.enabled' THEN 'table property gc.enabled' END, NULL),
		('location', CASE WHEN shared.name IS NOT NULL OR (c.operation = 'remove_orphan_files' AND t.location_key IS NULL AND t.status = 'ok') THEN 'blocked'
				WHEN unlocated.told IS NOT NULL THEN 'wait' ELSE 'pass' END, 'location',
			COALESCE('shared with or nested in ' || shared.name, unlocated.told, t.location), NULL,
			CASE WHEN shared.name IS NOT NULL THEN 'location ' || t.location WHEN unlocated.told IS NOT NULL THEN unlocated.set_by END, NULL),
		('paused', CASE WHEN paused.until IS NOT NULL THEN 'blocked' ELSE 'pass' END, 'paused',
			CASE WHEN paused.until IS NOT NULL THEN COALESCE(paused.reason, 'paused') ELSE 'no' END, NULL,
			paused.told, NULLIF(paused.until, 'infinity')),
		('need',
			CASE d.called_by
				WHEN 'cadence' THEN CASE WHEN by_hand AND d.due_at > at AND x.last_success_at IS NOT NULL THEN 'not needed' ELSE 'pass' END
				WHEN 'conditions' THEN CASE WHEN c.conditions_met THEN 'pass' ELSE 'not needed' END
				WHEN 'metric' THEN CASE WHEN c.severity >= 0.5 THEN 'pass' ELSE 'not needed' END
				WHEN 'partitions' THEN 'not needed'
				WHEN 'later' THEN 'not needed'
				ELSE 'pass' END,
			CASE d.called_by WHEN 'metric' THEN COALESCE(c.metric, 'need') WHEN 'later' THEN 'deadline' ELSE d.called_by END,
			CASE d.called_by
				WHEN 'requested' THEN 'by name'
				WHEN 'partitions' THEN 'not partitioned'
				WHEN 'later' THEN CASE WHEN NOT c.potential THEN 'nothing to do' ELSE COALESCE('last success ' || d.success_told || ' ago', 'never run') END
				WHEN 'conditions' THEN c.conditions_text
				WHEN 'slice' THEN pg_catalog.format('%s partitions left by the last run', x.slices_left)
				WHEN 'metric' THEN floe_internal.format_metric(c.value, c.unit)
				ELSE COALESCE('last success ' || d.success_told || ' ago', 'never run') END,
			CASE d.called_by
				WHEN 'cadence' THEN COALESCE(floe_internal.format_interval(d.tuned_every), c.settings #>> '{schedule,every}')
				WHEN 'deadline' THEN c.settings ->> 'deadline'
				WHEN 'later' THEN c.settings ->> 'deadline'
				WHEN 'metric' THEN CASE WHEN c.metric IS NOT NULL THEN floe_internal.format_metric(c.warning, c.unit) END END,
			CASE d.called_by
				WHEN 'requested' THEN 'trigger'
				WHEN 'partitions' THEN 'partition specs of the table'
				WHEN 'slice' THEN 'last run'
				WHEN 'metric' THEN CASE WHEN c.metric IS NOT NULL THEN COALESCE(policy.names ->> c.threshold_policy::pg_catalog.text, 'built in') END
				ELSE COALESCE(policy.names ->> (c.origins ->> CASE d.called_by WHEN 'cadence' THEN 'schedule' WHEN 'later' THEN 'deadline' ELSE d.called_by END), 'built in') END,
			CASE WHEN d.called_by = 'later' AND c.potential THEN d.overdue_at WHEN d.due_at > at THEN d.due_at ELSE poll.next_poll_at END),
		('interlock', CASE WHEN busy.operation_id IS NOT NULL OR ghost.operation_id IS NOT NULL THEN 'wait' ELSE 'pass' END, 'interlock',
			CASE WHEN busy.operation_id IS NOT NULL THEN pg_catalog.format('operation %s (%s) is %s', busy.operation_id, busy.operation, busy.state)
				WHEN ghost.operation_id IS NOT NULL THEN pg_catalog.format('operation %s (%s) was given up and may still write', ghost.operation_id, ghost.operation) ELSE 'free' END, NULL, NULL,
			CASE WHEN busy.operation_id IS NULL THEN ghost.until END),
		('engine',
			CASE WHEN e.able = 0 THEN 'blocked' WHEN e.ready IS NULL THEN 'wait' ELSE 'pass' END, 'engine',
			CASE WHEN e.listed = 0 THEN 'no policy names an engine' WHEN e.ready IS NULL THEN e.why_not
				WHEN e.ready = eff.engine_names[1] THEN e.ready ELSE pg_catalog.format('%s (%s)', e.ready, e.why_not) END, NULL,
			CASE WHEN e.able = 0 AND e.approval IS NOT NULL THEN 'approval of ' || e.approval
				WHEN e.listed > 0 THEN COALESCE(policy.names ->> (c.origins ->> CASE WHEN c.origins ? 'engine' THEN 'engine' ELSE 'fallback_engines' END), 'built in') END, e.retry_at),
		('circuit', CASE WHEN circuit.open_until > at THEN 'wait' ELSE 'pass' END, 'circuit',
			CASE WHEN circuit.table_id IS NULL THEN 'closed'
				ELSE pg_catalog.format('%s: %s failures (%s), last: %s', CASE WHEN circuit.open_until > at THEN 'open' ELSE 'half-open' END, circuit.failures, pg_catalog.array_to_string(circuit.operations, ', '), circuit.error_message) END, NULL,
			CASE WHEN circuit.table_id IS NOT NULL THEN 'operations that failed on this table; a success or floe.retry() closes it' END, circuit.open_until),
		('backoff',
			CASE WHEN d.unchanged AND d.never_by_time THEN 'wait'
				WHEN d.unchanged AND d.tried_enough AND COALESCE(x.last_run_at, at) + interval '7 days' > at THEN 'wait'
				WHEN x.backoff_until > at AND x.failure_settings_hash = c.settings_hash THEN 'wait' ELSE 'pass' END, 'backoff',
			CASE WHEN x.failures > 0 THEN pg_catalog.format('%s failure(s), last: %s', x.failures, x.failure_message) ELSE 'no failure' END,
			CASE WHEN d.unchanged AND d.tried_enough THEN c.settings ->> 'max_attempts' END,
			CASE WHEN x.failures > 0 THEN CASE WHEN d.unchanged AND d.never_by_time
					THEN 'error class ' || x.failure_class || ': waits for a change of policy, server or table, or floe.retry()'
				WHEN d.unchanged AND d.tried_enough THEN 'error class ' || x.failure_class || ': waits for a change of policy, server or table, or a week'
				ELSE 'error class ' || x.failure_class END END,
			CASE WHEN NOT d.unchanged OR NOT d.never_by_time THEN CASE WHEN d.unchanged AND d.tried_enough THEN GREATEST(x.backoff_until, COALESCE(x.last_run_at, at) + interval '7 days') ELSE x.backoff_until END END),
		('zero_change', CASE WHEN x.zero_change_until > at AND CASE WHEN x.zero_change_metric IS NULL THEN t.metadata_location IS NOT DISTINCT FROM x.zero_change_metadata
				ELSE NOT COALESCE(c.metric IS DISTINCT FROM x.zero_change_metric OR c.value > x.zero_change_value OR c.value < 0.9 * x.zero_change_value, false) END THEN 'wait' ELSE 'pass' END, 'zero_change',
			COALESCE(x.zero_changes, 0) || ' run(s) without effect', NULL,
			CASE WHEN x.zero_changes > 0 THEN pg_catalog.format('last run; ends when %s', COALESCE(x.zero_change_metric || ' moves', 'the table changes')) END, x.zero_change_until),
		('schedule', CASE WHEN d.due_at > at AND NOT d.goes_on THEN 'wait' ELSE 'pass' END, 'schedule',
			COALESCE('every ' || floe_internal.format_interval(d.tuned_every), c.settings #>> '{schedule,cron}', 'every ' || (c.settings #>> '{schedule,every}'), 'none'), NULL,
			CASE WHEN d.tuned_every IS NOT NULL THEN x.tuned_by ELSE COALESCE(policy.names ->> (c.origins ->> 'schedule'), 'built in') END, d.due_at),
		('window', CASE WHEN d.window_at > at THEN 'wait' WHEN d.window_at IS NULL THEN 'wait' ELSE 'pass' END, 'window',
			COALESCE(NULLIF(pg_catalog.concat_ws(' on ', c.settings ->> 'windows', c.settings ->> 'days'), ''), 'none'), NULL,
			COALESCE(policy.names ->> (c.origins ->> CASE WHEN c.origins ? 'windows' THEN 'windows' ELSE 'days' END), 'built in'), d.window_at),
		('min_interval', CASE WHEN GREATEST(d.rested_at, d.stretched_until) > at AND NOT d.goes_on THEN 'wait' ELSE 'pass' END, 'min_interval',
			COALESCE(d.run_told, CASE WHEN x.last_state = 'failed' THEN 'only failed so far' ELSE 'never run' END),
			CASE WHEN d.stretched_until > COALESCE(d.rested_at, '-infinity') THEN floe_internal.format_interval(d.stretched_until - x.last_run_at) ELSE d.rest_told END,
			CASE WHEN d.stretched_until > COALESCE(d.rested_at, '-infinity') THEN pg_catalog.format('auto_tune: the last %s runs did not pay', x.unpaid_runs)
				ELSE COALESCE(policy.names ->> (c.origins ->> 'min_interval'), 'built in') END, GREATEST(d.rested_at, d.stretched_until)),
		('writers', CASE WHEN hot.stops AND d.is_named IS NOT TRUE AND COALESCE(d.overdue_at > at, true) THEN 'wait' ELSE 'pass' END, 'writers',
			COALESCE(hot.told, 'none in the way'), hot.limit_told,
			CASE WHEN hot.told IS NOT NULL THEN COALESCE(policy.names ->> (c.origins ->> 'quiet_period'), 'commit interval ' || floe_internal.format_metric(h.commit_interval, 'seconds')) END, hot.hot_until)
		) AS g (gate, status, label, value, limit_value, set_by, next_at)
	JOIN floe_internal.gate AS k ON k.gate = g.gate;
END
$body$;
COMMENT ON FUNCTION floe_internal.gates(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.bool, pg_catalog.text[], floe_internal.call[])
	IS 'All gates of all operations of some tables at a time. by_hand: timing does not hold it back; named: operations asked for by name, which need no reason. settings, origins and remedy_options stand in the row of the first gate only';

CREATE TYPE floe_internal.gate_line AS (
	gate pg_catalog.text, "position" pg_catalog.int2, status pg_catalog.text, label pg_catalog.text, value pg_catalog.text, limit_value pg_catalog.text, set_by pg_catalog.text,
	next_at pg_catalog.timestamptz
);
COMMENT ON TYPE floe_internal.gate_line IS 'What one gate says';

CREATE FUNCTION floe_internal.gate_reasons(lines floe_internal.gate_line[]) RETURNS pg_catalog.jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'floe_sql_gate_reasons';
COMMENT ON FUNCTION floe_internal.gate_reasons(floe_internal.gate_line[]) IS 'What gates say as it is kept: an array of objects in the order of the gates, without what is NULL; gate is the label, limit the limit_value';

-- The verdict: the first gate that does not pass, or run. The whole list goes along as the reason where it is asked for.
CREATE FUNCTION floe_internal.decide(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, by_hand pg_catalog.bool, named pg_catalog.text[], all_reasons pg_catalog.bool DEFAULT true,
		of_calls floe_internal.call[] DEFAULT NULL)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, operation_position pg_catalog.int2, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text,
				   limit_value pg_catalog.text, set_by pg_catalog.text, next_at pg_catalog.timestamptz, settings pg_catalog.jsonb, settings_hash pg_catalog.text,
				   origins pg_catalog.jsonb, severity pg_catalog.float8, remedy_options pg_catalog.jsonb, reasons pg_catalog.jsonb)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT g.table_id, g.operation, g.operation_position, CASE WHEN f.status = 'pass' THEN 'run' ELSE f.status END, f.label, f.value, f.limit_value, f.set_by, f.next_at,
		   g.settings, g.settings_hash, g.origins, g.severity, g.remedy_options,
		   CASE WHEN all_reasons OR f.status = 'pass' THEN floe_internal.gate_reasons(g.lines) END
	-- the lines of an operation as one value: no join finds them again
	FROM (SELECT x.table_id, x.operation, pg_catalog.min(x.operation_position) AS operation_position, pg_catalog.min(x.settings_hash) AS settings_hash, pg_catalog.min(x.severity) AS severity,
				 (pg_catalog.array_agg(x.settings) FILTER (WHERE x.gate_position = 1))[1] AS settings, (pg_catalog.array_agg(x.origins) FILTER (WHERE x.gate_position = 1))[1] AS origins,
				 (pg_catalog.array_agg(x.remedy_options) FILTER (WHERE x.gate_position = 1))[1] AS remedy_options,
				 pg_catalog.array_agg(ROW(x.gate, x.gate_position, x.status, x.label, x.value, x.limit_value, x.set_by, x.next_at)::floe_internal.gate_line) AS lines
		  FROM floe_internal.gates(of_table_ids, at, by_hand, named, of_calls) AS x
		  GROUP BY x.table_id, x.operation) AS g
	CROSS JOIN LATERAL (
		SELECT l.* FROM pg_catalog.unnest(g.lines) AS l
		-- the first that stops; if none does, the need, which is why it runs
		ORDER BY l.status = 'pass', CASE WHEN l.status = 'pass' THEN l.gate <> 'need' END, l."position" LIMIT 1) AS f;
END;
COMMENT ON FUNCTION floe_internal.decide(pg_catalog.int8[], pg_catalog.timestamptz, pg_catalog.bool, pg_catalog.text[], pg_catalog.bool, floe_internal.call[])
	IS 'One verdict per table and operation, with the gate that decided and all gates as reasons; without all_reasons only for what is to run';

