-- =================================================================================================
-- 51 budgets
-- What may be dispatched for some tables within a period: the limits, whom they are about, what counts, and
-- what they hold back. Who gets what is left is chosen in 70.
-- =================================================================================================

CREATE TABLE floe.budget (
	name			pg_catalog.text PRIMARY KEY,
	pattern			pg_catalog.text NOT NULL DEFAULT '**',
	engine			pg_catalog.text,
	period			pg_catalog.interval DEFAULT '1 day' CHECK (period OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND period OPERATOR(pg_catalog.<=) '10 years'::pg_catalog.interval),
	operations		pg_catalog.int8 CHECK (operations >= 0),
	tables			pg_catalog.int8 CHECK (tables >= 0),
	bytes			pg_catalog.int8 CHECK (bytes >= 0),
	gb_hours		pg_catalog.float8 CHECK (gb_hours >= 0),
	concurrency		pg_catalog.int4 CHECK (concurrency >= 0),
	is_enabled		pg_catalog.bool NOT NULL DEFAULT true,
	description		pg_catalog.text,
	per				pg_catalog.text,
	operation_kinds	pg_catalog.text[],
	by_hand			pg_catalog.text NOT NULL DEFAULT 'counts',
	calendar		pg_catalog.text,
	timezone		pg_catalog.text,
	overshoot		pg_catalog.bool NOT NULL DEFAULT false,
	owner			pg_catalog.text CHECK (owner <> ''),
	CONSTRAINT budget_one_period CHECK ((period IS NULL) = (calendar IS NOT NULL))
);
COMMENT ON TABLE floe.budget IS 'Limits on what is dispatched for matching tables within a period; NULL: no limit of that kind. Tested before an operation is added, by its estimate. docs/budgets.md';
COMMENT ON COLUMN floe.budget.pattern IS 'Tables it covers';
COMMENT ON COLUMN floe.budget.engine IS 'Only operations on this engine; NULL: on any';
COMMENT ON COLUMN floe.budget.period IS 'Operations dispatched within this long count; at most ten years. A day of it is 24 hours, a month 30 days. NULL: calendar says it';
COMMENT ON COLUMN floe.budget.operations IS 'Operations dispatched in the period';
COMMENT ON COLUMN floe.budget.tables IS 'Different tables that something is dispatched for in the period';
COMMENT ON COLUMN floe.budget.bytes IS 'Bytes to be rewritten: by estimate, and as the engine says once it does. Operations that rewrite nothing need none; where the estimate is unknown the operation goes while anything is left, and counts as 0';
COMMENT ON COLUMN floe.budget.gb_hours IS 'Engine memory times time: by estimate until the engine is done, then as measured';
COMMENT ON COLUMN floe.budget.concurrency IS 'Operations at the engine at one time';
COMMENT ON COLUMN floe.budget.per IS 'Each of these has the limits for itself: catalog, namespace (all its levels), top_namespace (its first level), table, engine, policy (the one that configures the operation), owner (of that policy); NULL: all share them';
COMMENT ON COLUMN floe.budget.operation_kinds IS 'Only these operations; NULL: all';
COMMENT ON COLUMN floe.budget.by_hand IS 'What is triggered by hand: counts (and is held back like all else), only (the budget is about nothing else), exempt (counts, but is not held back), ignored (neither)';
COMMENT ON COLUMN floe.budget.calendar IS 'Instead of the last so many hours the day, week (from Monday) or month that it is in timezone; NULL: period says it';
COMMENT ON COLUMN floe.budget.timezone IS 'Of calendar; IANA name; NULL: UTC';
COMMENT ON COLUMN floe.budget.owner IS 'Only operations whose policy (the one that configures the operation) belongs to this owner; NULL: of any';
COMMENT ON COLUMN floe.budget.overshoot IS 'The first operation of a period may need more bytes or GB-hours than there are, so that one that is larger than the budget can run at all';

CREATE FUNCTION floe_internal.budget_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	place text := format('budget "%s"', NEW.name);
	stray text;
BEGIN
	NEW.pattern := floe_internal.check_pattern(NEW.pattern);
	-- pg_dump switches check_function_bodies off: what a dump names may be gone
	IF NEW.engine IS NOT NULL AND (TG_OP = 'UPDATE' AND NEW.engine IS DISTINCT FROM OLD.engine OR TG_OP = 'INSERT' AND current_setting('check_function_bodies')::bool) THEN
		PERFORM floe_internal.check_engine_name(NEW.engine, place);
	END IF;
	IF NEW.name = '' THEN
		PERFORM floe_internal.refuse('a budget needs a name', NULL, NULL);
	ELSIF NEW.per NOT IN ('catalog', 'namespace', 'top_namespace', 'table', 'engine', 'policy', 'owner') THEN
		PERFORM floe_internal.refuse(format('%s.per: "%s" is not one of them', place, NEW.per), NULL, 'One of catalog, namespace, top_namespace, table, engine, policy, owner; NULL: all share the limits.');
	ELSIF NEW.by_hand NOT IN ('counts', 'only', 'exempt', 'ignored') THEN
		PERFORM floe_internal.refuse(format('%s.by_hand: "%s" is not one of them', place, NEW.by_hand), NULL, 'One of counts, only, exempt, ignored.');
	ELSIF NEW.calendar NOT IN ('day', 'week', 'month') THEN
		PERFORM floe_internal.refuse(format('%s.calendar: "%s" is not one of them', place, NEW.calendar), NULL, 'One of day, week, month; NULL: the last so many hours, as period says.');
	ELSIF NEW.gb_hours IN ('NaN', 'Infinity') THEN
		PERFORM floe_internal.refuse(format('%s.gb_hours: %s is not a limit', place, NEW.gb_hours), NULL, 'NULL: no limit.');
	ELSIF NEW.operation_kinds = '{}' THEN
		PERFORM floe_internal.refuse(format('%s.operation_kinds is empty', place), NULL, 'NULL: all operations.');
	ELSIF NEW.timezone IS NOT NULL AND NEW.calendar IS NULL THEN
		PERFORM floe_internal.refuse(format('%s.timezone: only the day, week or month of a calendar has one', place), NULL, 'Set calendar, too.');
	ELSIF NEW.calendar IS NOT NULL AND NEW.period <> '1 day' AND (TG_OP = 'INSERT' OR NEW.period IS DISTINCT FROM OLD.period) THEN
		PERFORM floe_internal.refuse(format('%s.period: calendar says when it begins and ends', place), NULL, 'Leave one of the two out.');
	END IF;
	SELECT o INTO stray FROM unnest(NEW.operation_kinds) AS o WHERE o IS NULL OR NOT EXISTS (SELECT 1 FROM floe_internal.operation_kind AS k WHERE k.operation = o) LIMIT 1;
	IF FOUND THEN
		PERFORM floe_internal.refuse(format('%s.operation_kinds: unknown operation "%s"', place, stray), NULL,
			'Operations are: ' || (SELECT string_agg(k.operation, ', ' ORDER BY k.position) FROM floe_internal.operation_kind AS k) || '.');
	END IF;
	IF NEW.timezone IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.timezone IS DISTINCT FROM OLD.timezone) THEN
		PERFORM floe_internal.check_timezone(NEW.timezone, place || '.timezone');
	END IF;
	NEW.period := CASE WHEN NEW.calendar IS NULL THEN COALESCE(NEW.period, '1 day') END;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.budget_before() IS 'Checks a row of floe.budget';

CREATE TRIGGER budget_before BEFORE INSERT OR UPDATE ON floe.budget
	FOR EACH ROW EXECUTE FUNCTION floe_internal.budget_before();

CREATE TABLE floe_internal.budget_deferral (
	table_id		pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	operation		pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	holds			pg_catalog.jsonb NOT NULL,
	score			pg_catalog.float8 NOT NULL,
	deferred_since	pg_catalog.timestamptz NOT NULL,
	next_at			pg_catalog.timestamptz,
	PRIMARY KEY (table_id, operation)
) WITH (fillfactor = 85);
COMMENT ON TABLE floe_internal.budget_deferral IS 'What the last decision about each table left to a budget';
COMMENT ON COLUMN floe_internal.budget_deferral.holds IS 'The budgets that held it back, as in the reasons of a verdict: each with share, kind of limit, how much was left and how much it needs';
COMMENT ON COLUMN floe_internal.budget_deferral.deferred_since IS 'Since when each decision has left it to a budget';
COMMENT ON COLUMN floe_internal.budget_deferral.next_at IS 'When its turn comes; NULL: never, it needs more than the whole budget';

-- The local beginnings of days divide the time without gaps, whatever the clocks do: one that comes twice is the second,
-- one that does not exist is the moment in which the clocks jump over it.
CREATE FUNCTION floe_internal.budget_period(calendar pg_catalog.text, timezone pg_catalog.text, period pg_catalog.interval, at pg_catalog.timestamptz,
		OUT began_at pg_catalog.timestamptz, OUT ends_at pg_catalog.timestamptz)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	zone CONSTANT text := COALESCE(timezone, 'UTC');
	step CONSTANT interval := CASE calendar WHEN 'day' THEN '1 day' WHEN 'week' THEN '7 days' WHEN 'month' THEN '1 month' END::interval;
	first_day timestamp := date_trunc(calendar, at AT TIME ZONE zone);
BEGIN
	IF calendar IS NULL THEN
		-- in seconds: a day in the time zone of the session may have 23 hours
		began_at := at - make_interval(secs => extract(epoch FROM period)::float8);
		RETURN;
	END IF;
	IF first_day AT TIME ZONE zone > at THEN
		first_day := first_day - step;
	END IF;
	began_at := first_day AT TIME ZONE zone;
	ends_at := (first_day + step) AT TIME ZONE zone;
END
$body$;
COMMENT ON FUNCTION floe_internal.budget_period(pg_catalog.text, pg_catalog.text, pg_catalog.interval, pg_catalog.timestamptz)
	IS 'Since when use counts; ends_at: when a period of the calendar is over and all is free again, NULL: sliding';

CREATE FUNCTION floe_internal.budget_covers(pattern pg_catalog.text, engine pg_catalog.text, operation_kinds pg_catalog.text[], by_hand pg_catalog.text, owner pg_catalog.text,
		levels pg_catalog.text[], of_engine pg_catalog.text, of_operation pg_catalog.text, is_by_hand pg_catalog.bool, of_owner pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT (engine IS NULL OR COALESCE(engine = of_engine, false)) AND (operation_kinds IS NULL OR of_operation = ANY (operation_kinds))
		AND (owner IS NULL OR COALESCE(owner = of_owner, false))
		AND CASE by_hand WHEN 'only' THEN is_by_hand WHEN 'ignored' THEN NOT is_by_hand ELSE true END
		AND (pattern = '**' OR floe_internal.match_pattern(pattern, levels) IS NOT NULL);
END;
COMMENT ON FUNCTION floe_internal.budget_covers(pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.text)
	IS 'Whether an operation counts in a budget; the first five are the budget''s';

CREATE VIEW floe_internal.policy_in_charge AS
	SELECT e.policy_set_id, e.operation, p.name, p.owner
	FROM floe_internal.effective AS e JOIN floe.policy AS p ON p.policy_id = (e.origins ->> 'configured')::pg_catalog.int4
	WHERE e.operation <> '';
COMMENT ON VIEW floe_internal.policy_in_charge IS 'Of the policies that configure an operation the one that wins';

CREATE FUNCTION floe_internal.budget_share(per pg_catalog.text, levels pg_catalog.text[], engine pg_catalog.text, policy pg_catalog.text, owner pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE per
		WHEN 'catalog' THEN floe_internal.format_name(levels[1:1])
		WHEN 'namespace' THEN floe_internal.format_name(levels[1:pg_catalog.cardinality(levels) - 1])
		WHEN 'top_namespace' THEN floe_internal.format_name(levels[1:LEAST(2, pg_catalog.cardinality(levels) - 1)])
		WHEN 'table' THEN floe_internal.format_name(levels)
		WHEN 'engine' THEN COALESCE(engine, '')
		WHEN 'policy' THEN COALESCE(policy, '')
		WHEN 'owner' THEN COALESCE(owner, '')
		ELSE '' END;
END;
COMMENT ON FUNCTION floe_internal.budget_share(pg_catalog.text, pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'Whose share of a budget an operation takes; empty: all have one, or it belongs to nobody';

-- What counts now, one row for each operation and budget. A share is judged by the engine that got it, and by the policy that is in charge now.
-- What waits in the queue counts for as long as it waits; what was sent, from then on.
CREATE FUNCTION floe_internal.budget_use(at pg_catalog.timestamptz, of_budgets pg_catalog.text[])
	RETURNS TABLE (budget pg_catalog.text, share pg_catalog.text, operation_id pg_catalog.int8, table_id pg_catalog.int8, counted_at pg_catalog.timestamptz,
				   bytes pg_catalog.float8, gb_hours pg_catalog.float8)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	since timestamptz := (SELECT min(p.began_at) FROM floe.budget AS b CROSS JOIN LATERAL floe_internal.budget_period(b.calendar, b.timezone, b.period, at) AS p WHERE b.name = ANY (of_budgets));
BEGIN
	RETURN QUERY
	WITH b AS MATERIALIZED (
		SELECT x.name, x.pattern, x.engine, x.operation_kinds, x.by_hand, x.owner, x.per, x.calendar, p.began_at
		FROM floe.budget AS x CROSS JOIN LATERAL floe_internal.budget_period(x.calendar, x.timezone, x.period, at) AS p
		WHERE x.name = ANY (of_budgets)
	), o AS MATERIALIZED (
		SELECT l.operation_id, l.table_id, l.operation, l.by_hand, l.engine, l.estimate, l.engine_result #>> '{0,rewritten_bytes_count}' AS rewritten, l.dispatched_at, l.queued_at, l.engine_ended_at - l.started_at AS took
		FROM floe_internal.operation_log AS l WHERE l.finished_at >= since AND l.dispatched_at >= since AND l.started_at IS NOT NULL
		UNION ALL
		SELECT q.operation_id, q.table_id, q.operation, q.by_hand, q.engine, q.estimate, q.engine_result #>> '{0,rewritten_bytes_count}', CASE WHEN q.state <> 'queued' THEN q.dispatched_at END, q.queued_at, q.engine_ended_at - q.started_at
		FROM floe_internal.operation_queue AS q
	), in_charge AS MATERIALIZED (
		SELECT c.* FROM floe_internal.policy_in_charge AS c WHERE EXISTS (SELECT 1 FROM b WHERE b.per IN ('policy', 'owner') OR b.owner IS NOT NULL)
	)
	SELECT b.name, floe_internal.budget_share(b.per, t.levels, o.engine, c.name, c.owner), o.operation_id, o.table_id,
		   COALESCE(o.dispatched_at, CASE WHEN o.queued_at > b.began_at THEN o.queued_at ELSE at END),
		   CASE WHEN o.rewritten ~ '^[0-9]{1,18}$' THEN o.rewritten::float8 ELSE COALESCE((o.estimate ->> 'bytes')::float8, 0) END,
		   COALESCE((o.estimate ->> 'gb_hours')::float8 * COALESCE(extract(epoch FROM o.took)::float8 / 60 / NULLIF((o.estimate ->> 'minutes')::float8, 0), 1), 0)
	FROM o
	JOIN floe_internal.iceberg_table AS t ON t.table_id = o.table_id
	LEFT JOIN in_charge AS c ON c.policy_set_id = t.policy_set_id AND c.operation = o.operation
	JOIN b ON floe_internal.budget_covers(b.pattern, b.engine, b.operation_kinds, b.by_hand, b.owner, t.levels, o.engine, o.operation, o.by_hand, c.owner)
		AND (o.dispatched_at IS NULL OR o.dispatched_at > b.began_at OR o.dispatched_at = b.began_at AND b.calendar IS NOT NULL);
END
$body$;
COMMENT ON FUNCTION floe_internal.budget_use(pg_catalog.timestamptz, pg_catalog.text[]) IS 'Operations that count in these budgets now, with what they take: by estimate, and as measured once that is known';

CREATE FUNCTION floe_internal.budget_state(at pg_catalog.timestamptz)
	RETURNS TABLE (name pg_catalog.text, share pg_catalog.text, began_at pg_catalog.timestamptz, ends_at pg_catalog.timestamptz,
				   operations_used pg_catalog.int8, tables_used pg_catalog.int8, bytes_used pg_catalog.float8, gb_hours_used pg_catalog.float8, running pg_catalog.int8,
				   free_at pg_catalog.timestamptz, deferred pg_catalog.int8, too_large pg_catalog.int8, next_table pg_catalog.text, next_operation pg_catalog.text,
				   next_at pg_catalog.timestamptz, deferred_since pg_catalog.timestamptz)
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH b AS MATERIALIZED (
		SELECT x.name, x.pattern, x.engine, x.operation_kinds, x.by_hand, x.owner, x.per, x.period, p.began_at, p.ends_at
		FROM floe.budget AS x CROSS JOIN LATERAL floe_internal.budget_period(x.calendar, x.timezone, x.period, at) AS p WHERE x.is_enabled
	), used AS (
		SELECT u.budget, u.share, count(*) AS operations, count(DISTINCT u.table_id) AS tables, sum(u.bytes) AS bytes, sum(u.gb_hours) AS gb_hours, min(u.counted_at) AS first_at
		FROM floe_internal.budget_use(at, ARRAY(SELECT b.name FROM b)) AS u GROUP BY u.budget, u.share
	), live AS (
		SELECT b.name AS budget, floe_internal.budget_share(b.per, t.levels, q.engine, c.name, c.owner) AS share, count(*) AS running
		FROM floe_internal.operation_queue AS q
		JOIN floe_internal.iceberg_table AS t ON t.table_id = q.table_id
		LEFT JOIN floe_internal.policy_in_charge AS c ON c.policy_set_id = t.policy_set_id AND c.operation = q.operation
		JOIN b ON floe_internal.budget_covers(b.pattern, b.engine, b.operation_kinds, b.by_hand, b.owner, t.levels, q.engine, q.operation, q.by_hand, c.owner)
		WHERE q.state IN ('dispatching', 'running', 'lost') GROUP BY 1, 2
	), hold AS MATERIALIZED (
		-- of what can still be decided upon; a budget holds by several limits, or counts for one
		SELECT DISTINCT h.item ->> 'budget' AS budget, COALESCE(h.item ->> 'share', '') AS share, d.table_id, t.name AS table_name, d.operation, d.score, d.deferred_since, d.next_at
		FROM floe_internal.budget_deferral AS d
		JOIN floe_internal.iceberg_table AS t ON t.table_id = d.table_id
		JOIN floe_internal.policy_set AS s ON s.policy_set_id = t.policy_set_id AND s.policy_ids <> '{}'
		CROSS JOIN LATERAL jsonb_array_elements(d.holds) AS h (item)
		WHERE t.status = 'ok'
	), held AS (
		SELECT h.budget, h.share, count(*) AS deferred, count(*) FILTER (WHERE h.next_at IS NULL) AS too_large, min(h.deferred_since) AS since FROM hold AS h GROUP BY h.budget, h.share
	), first AS (
		SELECT DISTINCT ON (h.budget, h.share) h.* FROM hold AS h ORDER BY h.budget, h.share, h.next_at IS NULL, h.score DESC, h.table_name, h.operation
	), shares AS (
		SELECT b.name AS budget, '' AS share FROM b WHERE b.per IS NULL
		UNION SELECT u.budget, u.share FROM used AS u UNION SELECT l.budget, l.share FROM live AS l UNION SELECT h.budget, h.share FROM held AS h
	)
	SELECT b.name, s.share, b.began_at, b.ends_at, COALESCE(u.operations, 0), COALESCE(u.tables, 0), COALESCE(u.bytes, 0), COALESCE(u.gb_hours, 0), COALESCE(l.running, 0),
		   CASE WHEN u.operations > 0 THEN COALESCE(b.ends_at, u.first_at + make_interval(secs => extract(epoch FROM at - b.began_at)::float8)) END, COALESCE(h.deferred, 0), COALESCE(h.too_large, 0),
		   f.table_name, f.operation, f.next_at, h.since
	FROM b JOIN shares AS s ON s.budget = b.name
	LEFT JOIN used AS u ON u.budget = b.name AND u.share = s.share
	LEFT JOIN live AS l ON l.budget = b.name AND l.share = s.share
	LEFT JOIN held AS h ON h.budget = b.name AND h.share = s.share
	LEFT JOIN first AS f ON f.budget = b.name AND f.share = s.share
	ORDER BY b.name, s.share;
END
$body$;
COMMENT ON FUNCTION floe_internal.budget_state(pg_catalog.timestamptz) IS 'Each enabled budget, and each share of it that is in use: what counts, what runs, and what the last decisions left to it. free_at: when the oldest use leaves the period, or the calendar''s period ends';

CREATE VIEW floe.budgets AS
	SELECT b.name, NULLIF(s.share, '') AS share, b.per, b.pattern, b.engine, b.owner, b.operation_kinds, b.by_hand, COALESCE(b.calendar || ' in ' || COALESCE(b.timezone, 'UTC'), b.period::pg_catalog.text) AS period, s.began_at, s.ends_at,
		   b.operations, s.operations_used, b.operations - s.operations_used AS operations_left,
		   b.tables, s.tables_used, b.tables - s.tables_used AS tables_left,
		   b.bytes, s.bytes_used::pg_catalog.int8 AS bytes_used, b.bytes - s.bytes_used::pg_catalog.int8 AS bytes_left,
		   b.gb_hours, s.gb_hours_used, b.gb_hours - s.gb_hours_used AS gb_hours_left,
		   b.concurrency, s.running, s.free_at AS frees_at, s.deferred, s.too_large, s.next_table, s.next_operation, s.next_at, s.deferred_since, b.description
	FROM floe.budget AS b JOIN floe_internal.budget_state(floe_internal.clock()) AS s ON s.name = b.name;
COMMENT ON VIEW floe.budgets IS 'What is left of each enabled budget, a row for each share of it in use; negative when its limit was lowered, a person was exempt from it, or an operation took more than estimated. frees_at: when the oldest use stops counting; deferred: operations that the last decisions left to it, too_large: of these those that need more than all of it; next_table, next_operation: the one that comes next, at next_at; deferred_since: for how long the one that has waited longest has';
