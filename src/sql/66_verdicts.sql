-- =================================================================================================
-- 66 history of verdicts
-- What was decided of each table and operation, and from when until when: written by the planning step
-- when a verdict becomes another one, never when only a number moved. Nothing is written for what nothing
-- calls for, so a healthy fleet has no rows; floe.why() of a time (83) says what that means.
-- =================================================================================================

CREATE TABLE floe_internal.verdict (
	table_id		pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	operation		pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	since			pg_catalog.timestamptz NOT NULL,
	until			pg_catalog.timestamptz NOT NULL DEFAULT 'infinity',
	verdict			pg_catalog.text NOT NULL CHECK (verdict IN ('run', 'wait', 'blocked', 'not needed', 'off')),
	gate			pg_catalog.text NOT NULL,
	value			pg_catalog.text,
	limit_value		pg_catalog.text,
	set_by			pg_catalog.text,
	next_at			pg_catalog.timestamptz,
	score			pg_catalog.float8,
	operation_id	pg_catalog.int8,
	PRIMARY KEY (table_id, operation, since)
) WITH (fillfactor = 90);
-- not unique: one statement ends the old row and begins the new one, in no order
CREATE INDEX verdict_now ON floe_internal.verdict (table_id, operation) WHERE until OPERATOR(pg_catalog.=) 'infinity'::pg_catalog.timestamptz;
CREATE INDEX verdict_until ON floe_internal.verdict (until);
COMMENT ON TABLE floe_internal.verdict IS 'Times during which an operation of a table was to run, waited or was blocked; none: nothing called for it, or no policy has it. Kept for floe.why_history_retention';
COMMENT ON COLUMN floe_internal.verdict.since IS 'The decision that found it first';
COMMENT ON COLUMN floe_internal.verdict.until IS 'The decision that found it no longer; infinity: it holds';
COMMENT ON COLUMN floe_internal.verdict.gate IS 'The gate that stopped it, or, of what runs, what called for it';
COMMENT ON COLUMN floe_internal.verdict.value IS 'As it was when the verdict began, like limit_value, next_at and score';
COMMENT ON COLUMN floe_internal.verdict.operation_id IS 'What was queued, in the queue or the log; NULL: nothing was';

CREATE TYPE floe_internal.verdict_line AS (
	table_id pg_catalog.int8, operation pg_catalog.text, verdict pg_catalog.text, gate pg_catalog.text, value pg_catalog.text, limit_value pg_catalog.text,
	set_by pg_catalog.text, next_at pg_catalog.timestamptz, score pg_catalog.float8, operation_id pg_catalog.int8
);
COMMENT ON TYPE floe_internal.verdict_line IS 'A verdict of this moment, on its way into the history';

-- What is called for by the calendar alone waits for it all the time.
CREATE FUNCTION floe_internal.is_worth_keeping(operation pg_catalog.text, verdict pg_catalog.text, gate pg_catalog.text) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT verdict NOT IN ('not needed', 'off') AND NOT (operation = 'remove_orphan_files' AND gate = 'schedule');
END;
COMMENT ON FUNCTION floe_internal.is_worth_keeping(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'Whether a verdict says more than that nothing calls for the operation';

-- Compares what holds by the history with what was just decided. What is queued stays "run" until it has ended.
CREATE FUNCTION floe_internal.note_verdicts(of_table_ids pg_catalog.int8[], lines floe_internal.verdict_line[], at pg_catalog.timestamptz) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	n int4;
BEGIN
	-- of a healthy fleet there is nothing to compare
	IF lines IS NULL AND NOT EXISTS (SELECT 1 FROM floe_internal.verdict AS v WHERE v.until = 'infinity' AND v.table_id = ANY (of_table_ids)) THEN
		RETURN 0;
	END IF;
	WITH fresh AS MATERIALIZED (
		SELECT l.* FROM unnest(lines) AS l
	), held AS MATERIALIZED (
		SELECT v.table_id, v.operation, v.since, v.verdict, v.gate, v.set_by,
			   v.verdict = 'run' AND EXISTS (SELECT 1 FROM floe_internal.operation_queue AS q WHERE q.operation_id = v.operation_id) AS is_under_way
		FROM floe_internal.verdict AS v WHERE v.until = 'infinity' AND v.table_id = ANY (of_table_ids)
	), other AS MATERIALIZED (
		SELECT h.table_id AS held_table_id, h.operation AS held_operation, h.since AS held_since, f.*
		FROM held AS h FULL JOIN fresh AS f ON f.table_id = h.table_id AND f.operation = h.operation
		WHERE (h.verdict, h.gate, h.set_by) IS DISTINCT FROM (f.verdict, f.gate, f.set_by)
		  AND NOT COALESCE(h.is_under_way AND (f.gate = 'interlock' OR f.table_id IS NULL), false)
	), over AS (
		UPDATE floe_internal.verdict AS v SET until = at
			FROM other AS o WHERE v.table_id = o.held_table_id AND v.operation = o.held_operation AND v.since = o.held_since AND (v.since < at OR o.table_id IS NULL)
	), moved AS (
		-- two decisions at the same time: what the first found was never so
		UPDATE floe_internal.verdict AS v
			SET verdict = o.verdict, gate = o.gate, value = o.value, limit_value = o.limit_value, set_by = o.set_by, next_at = o.next_at, score = o.score, operation_id = o.operation_id
			FROM other AS o WHERE v.table_id = o.held_table_id AND v.operation = o.held_operation AND v.since = o.held_since AND v.since >= at AND o.table_id IS NOT NULL
	)
	INSERT INTO floe_internal.verdict AS v (table_id, operation, since, verdict, gate, value, limit_value, set_by, next_at, score, operation_id)
		SELECT o.table_id, o.operation, at, o.verdict, o.gate, o.value, o.limit_value, o.set_by, o.next_at, o.score, o.operation_id
		FROM other AS o WHERE o.table_id IS NOT NULL AND COALESCE(o.held_since < at, true)
		ON CONFLICT (table_id, operation, since) DO UPDATE
			SET until = 'infinity', verdict = EXCLUDED.verdict, gate = EXCLUDED.gate, value = EXCLUDED.value, limit_value = EXCLUDED.limit_value, set_by = EXCLUDED.set_by,
				next_at = EXCLUDED.next_at, score = EXCLUDED.score, operation_id = EXCLUDED.operation_id;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$body$;
COMMENT ON FUNCTION floe_internal.note_verdicts(pg_catalog.int8[], floe_internal.verdict_line[], pg_catalog.timestamptz)
	IS 'Keeps what became of the verdicts of some tables: lines has all that is worth keeping of what was just decided, and what it has not holds no longer. Returns how many began';
