-- =================================================================================================
-- 50 operations: queue, log, bookkeeping, events, budgets
-- The queue is hot and small: a row leaves it for the log in the transaction that ends the operation.
-- =================================================================================================

CREATE SEQUENCE floe_internal.operation_id_seq;
COMMENT ON SEQUENCE floe_internal.operation_id_seq IS 'Ids of operations, in the queue and in the log';

CREATE TABLE floe_internal.operation_log (
	operation_id		pg_catalog.int8 NOT NULL DEFAULT pg_catalog.nextval('floe_internal.operation_id_seq'),
	operation_key		pg_catalog.uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
	table_id			pg_catalog.int8 NOT NULL,
	table_name			pg_catalog.text NOT NULL,
	operation			pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	state				pg_catalog.text NOT NULL REFERENCES floe_internal.operation_state,
	by_hand				pg_catalog.bool NOT NULL,
	requested_by		pg_catalog.text NOT NULL,
	attempt				pg_catalog.int4 NOT NULL DEFAULT 0,
	engine				pg_catalog.text NOT NULL,
	settings			pg_catalog.jsonb NOT NULL,
	settings_hash		pg_catalog.text NOT NULL,
	policies			pg_catalog.text[] NOT NULL,
	reason				pg_catalog.jsonb NOT NULL,
	score				pg_catalog.float8 NOT NULL DEFAULT 0,
	score_parts			pg_catalog.jsonb,
	estimate			pg_catalog.jsonb,
	queued_at			pg_catalog.timestamptz NOT NULL,
	dispatched_at		pg_catalog.timestamptz,
	started_at			pg_catalog.timestamptz,
	engine_ended_at		pg_catalog.timestamptz,
	finished_at			pg_catalog.timestamptz,
	statement			pg_catalog.text,
	external_id			pg_catalog.text,
	before_snapshot_id	pg_catalog.int8,
	before				pg_catalog.jsonb,
	after				pg_catalog.jsonb,
	effect				pg_catalog.jsonb,
	new_snapshots		pg_catalog.jsonb,
	outcome				pg_catalog.text,
	engine_result		pg_catalog.jsonb,
	engine_row_count	pg_catalog.int8,
	worth				pg_catalog.jsonb,
	error_class			pg_catalog.text REFERENCES floe_internal.error_class,
	error_message		pg_catalog.text,
	cancel_requested_by	pg_catalog.text,
	engine_reason		pg_catalog.text,
	PRIMARY KEY (operation_id)
);
CREATE INDEX operation_log_table ON floe_internal.operation_log (table_id, operation_id);
-- what floe_internal.throughput() learns from
CREATE INDEX operation_log_speed ON floe_internal.operation_log (engine, operation, operation_id) WHERE state = 'succeeded' AND estimate ->> 'bytes' IS NOT NULL AND engine_ended_at > started_at;
CREATE INDEX operation_log_finished ON floe_internal.operation_log (finished_at);
-- when an engine last did what it was asked for
CREATE INDEX operation_log_engine ON floe_internal.operation_log (engine, finished_at) WHERE state = 'succeeded';
COMMENT ON TABLE floe_internal.operation_log IS 'Operations that ended; kept for floe.operation_log_retention';
COMMENT ON COLUMN floe_internal.operation_log.operation_key IS 'Idempotency key; also the marker in the statement''s comment';
COMMENT ON COLUMN floe_internal.operation_log.engine_reason IS 'Why it is not the engine that the policy names first; NULL: it is';
COMMENT ON COLUMN floe_internal.operation_log.settings IS 'Effective settings when it was queued';
COMMENT ON COLUMN floe_internal.operation_log.reason IS 'The gates that let it through, as floe.why() showed them';
COMMENT ON COLUMN floe_internal.operation_log.before IS 'Metrics right before the statement was sent';
COMMENT ON COLUMN floe_internal.operation_log.after IS 'Metrics after the engine ended';
COMMENT ON COLUMN floe_internal.operation_log.effect IS 'after minus before, for every metric that changed';
COMMENT ON COLUMN floe_internal.operation_log.new_snapshots IS 'Snapshots that appeared in between, with their operation: replace is a rewrite, anything else is a writer''s commit';
COMMENT ON COLUMN floe_internal.operation_log.outcome IS 'What the engine said: succeeded, failed, cancelled, lost';
COMMENT ON COLUMN floe_internal.operation_log.engine_result IS 'Rows the engine returned, by column name, capped';
COMMENT ON COLUMN floe_internal.operation_log.worth IS 'What the run gave and cost, as floe_internal.measured_return() says; what is unknown is not in it. NULL: it never reached an engine';

CREATE TABLE floe_internal.operation_queue (
	LIKE floe_internal.operation_log INCLUDING DEFAULTS,
	position			pg_catalog.int2 NOT NULL,
	not_before			pg_catalog.timestamptz NOT NULL DEFAULT '-infinity',
	driver_pass			pg_catalog.int4,
	saved				pg_catalog.bytea,
	before_snapshots	pg_catalog.int8[],
	unreachable_since	pg_catalog.timestamptz,
	timeout_at			pg_catalog.timestamptz,
	lost_sent			pg_catalog.bool NOT NULL DEFAULT false,
	engines				pg_catalog.text[],
	before_statistics	pg_catalog.text[],
	PRIMARY KEY (operation_id),
	FOREIGN KEY (table_id) REFERENCES floe_internal.iceberg_table,
	FOREIGN KEY (state) REFERENCES floe_internal.operation_state
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX operation_queue_one_live ON floe_internal.operation_queue (table_id)
	WHERE state IN ('dispatching', 'running', 'verifying', 'lost');
CREATE UNIQUE INDEX operation_queue_once ON floe_internal.operation_queue (table_id, operation);
CREATE INDEX operation_queue_next ON floe_internal.operation_queue (score DESC, operation_id) WHERE state = 'queued';
CREATE INDEX operation_queue_fallback ON floe_internal.operation_queue (operation_id) WHERE state = 'queued' AND engines IS NOT NULL;
COMMENT ON TABLE floe_internal.operation_queue IS 'Operations that have not ended. The two unique indexes are the rule: one live operation per table, one entry per table and operation';
COMMENT ON COLUMN floe_internal.operation_queue.driver_pass IS 'The pass that drives it; when that pass is gone, the next one takes over';
COMMENT ON COLUMN floe_internal.operation_queue.engines IS 'Engines that may have it, the preferred one first; NULL: only the one in engine. In the queue engine is the first of them, from the dispatch on the one that was chosen';
COMMENT ON COLUMN floe_internal.operation_queue.saved IS 'The engine adapter''s durable state, committed before the request that needs it; holds handles, so it is a secret';
COMMENT ON COLUMN floe_internal.operation_queue.before_snapshots IS 'Snapshot ids right before the statement was sent';
COMMENT ON COLUMN floe_internal.operation_queue.before_statistics IS 'Statistics files of the table right before the statement was sent: a commit of statistics makes no snapshot';
COMMENT ON COLUMN floe_internal.operation_queue.lost_sent IS 'The statement may have reached the engine before it was lost';

CREATE FUNCTION floe_internal.operation_transition_check() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF OLD.state <> NEW.state AND NOT EXISTS (
			SELECT 1 FROM floe_internal.operation_transition AS t WHERE t.from_state = OLD.state AND t.to_state = NEW.state) THEN
		RAISE EXCEPTION 'operation % cannot go from % to %', OLD.operation_id, OLD.state, NEW.state
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = 'Legal next states: ' || COALESCE((SELECT string_agg(t.to_state, ', ' ORDER BY t.to_state)
					FROM floe_internal.operation_transition AS t WHERE t.from_state = OLD.state), 'none') || '.';
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.operation_transition_check() IS 'Refuses transitions that floe_internal.operation_transition does not list';

CREATE TRIGGER operation_transition_check BEFORE UPDATE OF state ON floe_internal.operation_queue
	FOR EACH ROW EXECUTE FUNCTION floe_internal.operation_transition_check();

-- Whatever brings it back to the queue: which engine takes it is decided anew.
CREATE FUNCTION floe_internal.engine_anew() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	NEW.engine := COALESCE(NEW.engines[1], NEW.engine);
	NEW.engine_reason := NULL;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.engine_anew() IS 'Trigger: an operation that is back in the queue has no engine yet';

CREATE TRIGGER operation_queue_engine BEFORE UPDATE OF state ON floe_internal.operation_queue
	FOR EACH ROW WHEN (NEW.state = 'queued' AND OLD.state <> 'queued') EXECUTE FUNCTION floe_internal.engine_anew();

CREATE TRIGGER operation_queue_wake AFTER INSERT ON floe_internal.operation_queue
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.wake_after('executor');

CREATE TABLE floe_internal.table_operation (
	table_id				pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	operation				pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	last_run_at				pg_catalog.timestamptz,
	last_success_at			pg_catalog.timestamptz,
	last_state				pg_catalog.text,
	failures				pg_catalog.int4 NOT NULL DEFAULT 0,
	failure_class			pg_catalog.text,
	failure_message			pg_catalog.text,
	failure_settings_hash	pg_catalog.text,
	failure_metadata		pg_catalog.text,
	backoff_until			pg_catalog.timestamptz,
	zero_changes			pg_catalog.int4 NOT NULL DEFAULT 0,
	zero_change_until		pg_catalog.timestamptz,
	zero_change_metric		pg_catalog.text,
	zero_change_value		pg_catalog.float8,
	zero_change_metadata	pg_catalog.text,
	schedule_key			pg_catalog.text,
	unpaid_runs				pg_catalog.int4 NOT NULL DEFAULT 0,
	stretched_until			pg_catalog.timestamptz,
	stretched_metric		pg_catalog.text,
	stretched_value			pg_catalog.float8,
	next_due_at				pg_catalog.timestamptz,
	slices_left				pg_catalog.int8 NOT NULL DEFAULT 0,
	slice_halvings			pg_catalog.int4 NOT NULL DEFAULT 0,
	slice_tried				pg_catalog.text[] NOT NULL DEFAULT '{}',
	PRIMARY KEY (table_id, operation)
);
CREATE INDEX table_operation_due ON floe_internal.table_operation (next_due_at) WHERE next_due_at IS NOT NULL;
COMMENT ON TABLE floe_internal.table_operation IS 'What happened last and what is due next, per table and operation';
COMMENT ON COLUMN floe_internal.table_operation.last_run_at IS 'End of the last run that reached the engine, however it ended';
COMMENT ON COLUMN floe_internal.table_operation.failure_settings_hash IS 'Settings at the last failure: classes config and permanent wait until these or the table change';
COMMENT ON COLUMN floe_internal.table_operation.zero_changes IS 'Runs in a row that changed nothing, or left the metric that called for them as it was';
COMMENT ON COLUMN floe_internal.table_operation.zero_change_metric IS 'The metric that called for the last of them; another one ends the wait; NULL: it was called for by conditions, a deadline or a person';
COMMENT ON COLUMN floe_internal.table_operation.zero_change_value IS 'Its value after that run; when it grows, the wait ends';
COMMENT ON COLUMN floe_internal.table_operation.zero_change_metadata IS 'The table''s metadata after that run; without a metric, another one ends the wait';
COMMENT ON COLUMN floe_internal.table_operation.unpaid_runs IS 'Runs in a row that did not pay by floe.return_threshold, failed ones included';
COMMENT ON COLUMN floe_internal.table_operation.stretched_until IS 'With auto_tune on, not before this time, unless the deadline is over or the metric that called for the last run is critical or has doubled; NULL: it pays';
COMMENT ON COLUMN floe_internal.table_operation.stretched_metric IS 'The metric that called for the last run; NULL: none did';
COMMENT ON COLUMN floe_internal.table_operation.stretched_value IS 'Its value before that run';
COMMENT ON COLUMN floe_internal.table_operation.schedule_key IS 'The schedule next_due_at was computed from';
COMMENT ON COLUMN floe_internal.table_operation.next_due_at IS 'Next time the schedule names, jitter included; NULL: not scheduled';

CREATE INDEX table_operation_slices ON floe_internal.table_operation (table_id) WHERE slices_left OPERATOR(pg_catalog.>) 0;
COMMENT ON COLUMN floe_internal.table_operation.slices_left IS 'Partitions that the budget of the last run did not reach: the next run follows at once';
COMMENT ON COLUMN floe_internal.table_operation.slice_halvings IS 'Conflicts, or ends of a resource, in a row: each halves the next slice';
COMMENT ON COLUMN floe_internal.table_operation.slice_tried IS 'Parts of the table, in the state in which they are, in which a run changed nothing: others come first';

CREATE SEQUENCE floe_internal.dispatch_turn_seq;
COMMENT ON SEQUENCE floe_internal.dispatch_turn_seq IS 'Order of dispatches';

CREATE TABLE floe_internal.dispatch_turn (
	catalog		pg_catalog.text NOT NULL,
	policy		pg_catalog.text NOT NULL,
	turn		pg_catalog.int8 NOT NULL,
	PRIMARY KEY (catalog, policy)
) WITH (fillfactor = 50);
COMMENT ON TABLE floe_internal.dispatch_turn IS 'When each catalog, and each policy in it, had its last turn at an engine: who waited longest goes first. policy: of those that configure the operation the one that wins, empty for the catalog as a whole';

CREATE TABLE floe_internal.trigger_request (
	request_id		pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	table_id		pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	operations		pg_catalog.text[],
	options			pg_catalog.jsonb NOT NULL,
	requested_by	pg_catalog.text NOT NULL,
	requested_at	pg_catalog.timestamptz NOT NULL
);
CREATE INDEX trigger_request_table ON floe_internal.trigger_request (table_id);
CREATE TRIGGER trigger_request_wake AFTER INSERT ON floe_internal.trigger_request
	FOR EACH STATEMENT EXECUTE FUNCTION floe_internal.wake_after('assessor');
CREATE INDEX trigger_request_time ON floe_internal.trigger_request (requested_at);
COMMENT ON TABLE floe_internal.trigger_request IS 'Triggers of tables that must be assessed before anything can be planned';

CREATE TABLE floe_internal.event (
	event_id		pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	happened_at		pg_catalog.timestamptz NOT NULL,
	kind			pg_catalog.text NOT NULL,
	catalog			pg_catalog.text,
	table_id		pg_catalog.int8,
	table_name		pg_catalog.text,
	operation_id	pg_catalog.int8,
	message			pg_catalog.text NOT NULL,
	data			pg_catalog.jsonb
);
CREATE INDEX event_time ON floe_internal.event (happened_at);
CREATE INDEX event_table ON floe_internal.event (table_id, event_id);
COMMENT ON TABLE floe_internal.event IS 'Every change of state, written in the transaction of the change; kept for floe.event_retention';

CREATE FUNCTION floe_internal.write_event(kind pg_catalog.text, catalog pg_catalog.text, of_table_id pg_catalog.int8, of_table_name pg_catalog.text,
		of_operation_id pg_catalog.int8, message pg_catalog.text, data pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO floe_internal.event (happened_at, kind, catalog, table_id, table_name, operation_id, message, data)
		VALUES (floe_internal.clock(), write_event.kind, write_event.catalog, of_table_id, of_table_name, of_operation_id, write_event.message, write_event.data);
	-- a notification holds less than 8000 bytes, and a character in JSON takes up to six
	SELECT pg_catalog.pg_notify('floe', pg_catalog.json_build_object('kind', write_event.kind, 'catalog', write_event.catalog,
		'table', pg_catalog.left(of_table_name, 600), 'operation_id', of_operation_id, 'message', pg_catalog.left(write_event.message, 600))::pg_catalog.text);
	SELECT floe_internal.log_event(write_event.kind, write_event.catalog, of_table_name, write_event.message);
END;
COMMENT ON FUNCTION floe_internal.write_event(pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb) IS 'An event row, when the transaction commits a notification on channel floe, and in a worker a line in the server log';

CREATE TABLE floe.budget (
	name			pg_catalog.text PRIMARY KEY,
	pattern			pg_catalog.text NOT NULL DEFAULT '**',
	engine			pg_catalog.text,
	period			pg_catalog.interval NOT NULL DEFAULT '1 day' CHECK (period OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND period OPERATOR(pg_catalog.<=) '10 years'::pg_catalog.interval),
	operations		pg_catalog.int8 CHECK (operations >= 0),
	tables			pg_catalog.int8 CHECK (tables >= 0),
	bytes			pg_catalog.int8 CHECK (bytes >= 0),
	gb_hours		pg_catalog.float8 CHECK (gb_hours >= 0),
	concurrency		pg_catalog.int4 CHECK (concurrency >= 0),
	is_enabled		pg_catalog.bool NOT NULL DEFAULT true,
	description		pg_catalog.text
);
COMMENT ON TABLE floe.budget IS 'Limits on what is dispatched for matching tables within a sliding period; NULL: no limit of that kind. Tested before an operation is added, by its estimate';
COMMENT ON COLUMN floe.budget.pattern IS 'Tables it covers';
COMMENT ON COLUMN floe.budget.engine IS 'Only operations on this engine; NULL: on any';
COMMENT ON COLUMN floe.budget.period IS 'Operations dispatched within this long count; at most ten years';
COMMENT ON COLUMN floe.budget.bytes IS 'Bytes to be rewritten, by estimate';
COMMENT ON COLUMN floe.budget.gb_hours IS 'Engine memory times time: by estimate until the engine is done, then as measured';
COMMENT ON COLUMN floe.budget.concurrency IS 'Operations at the engine at one time';

CREATE FUNCTION floe_internal.budget_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	NEW.pattern := floe_internal.check_pattern(NEW.pattern);
	-- pg_dump switches check_function_bodies off: what a dump names may be gone
	IF NEW.engine IS NOT NULL AND (TG_OP = 'UPDATE' AND NEW.engine IS DISTINCT FROM OLD.engine OR TG_OP = 'INSERT' AND current_setting('check_function_bodies')::bool) THEN
		PERFORM floe_internal.check_engine_name(NEW.engine, format('budget "%s"', NEW.name));
	END IF;
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.budget_before() IS 'Checks a row of floe.budget';

CREATE TRIGGER budget_before BEFORE INSERT OR UPDATE ON floe.budget
	FOR EACH ROW EXECUTE FUNCTION floe_internal.budget_before();

CREATE TABLE floe_internal.engine_session (
	session_id		pg_catalog.int4 PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	engine			pg_catalog.text NOT NULL,
	key				pg_catalog.text NOT NULL,
	name			pg_catalog.text NOT NULL,
	operation_id	pg_catalog.int8 NOT NULL,
	last_used		pg_catalog.timestamptz NOT NULL
);
COMMENT ON TABLE floe_internal.engine_session IS 'Sessions at engines that are kept for several operations, one after another. One is in use while its operation is at the engine';
COMMENT ON COLUMN floe_internal.engine_session.key IS 'Digest of the settings it was started with, resources included: only operations with the same can use it';
COMMENT ON COLUMN floe_internal.engine_session.name IS 'At the engine, which keeps it unique: whoever finds none of that name there makes it anew';

CREATE TABLE floe.debt_term (
	term		pg_catalog.text PRIMARY KEY,
	position	pg_catalog.int2 NOT NULL UNIQUE,
	weight		pg_catalog.float8 NOT NULL CHECK (weight BETWEEN 0 AND 1000),
	is_penalty	pg_catalog.bool NOT NULL DEFAULT false,
	description	pg_catalog.text NOT NULL,
	is_changed	pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe.debt_term IS 'Terms of the debt score. Each is a number from 0 to 1 before its weight, so that no term drowns another by its unit';
COMMENT ON COLUMN floe.debt_term.weight IS 'floe''s default; a policy can set its own in "weights"';
COMMENT ON COLUMN floe.debt_term.is_penalty IS 'Subtracted: a table that keeps failing must not climb';
COMMENT ON COLUMN floe.debt_term.is_changed IS 'The weight was changed after installation: pg_dump carries it';

INSERT INTO floe.debt_term VALUES
	('severity', 1, 3, false, 'How far the worst metric with this remedy is beyond its thresholds: 0 at zero, 0.5 at warning, 1 at critical'),
	('gain', 2, 2, false, 'Objects (files, manifests, snapshots) that would go, on a logarithmic scale up to 100000'),
	('benefit', 3, 2, false, 'Objects that would go per GB-hour of the engine, on a logarithmic scale up to 100000'),
	('age', 4, 1, false, 'Time since the last success against the deadline, or against 30 days without one'),
	('failures', 5, 1, true, 'Consecutive failures, up to 5');

CREATE FUNCTION floe_internal.debt_term_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		NEW.is_changed := true;
		RETURN NEW;
	END IF;
	UPDATE floe.debt_term AS t SET weight = NEW.weight WHERE t.term = NEW.term;
	RETURN CASE WHEN NOT FOUND THEN NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.debt_term_before() IS 'Trigger: marks changed rows of floe.debt_term, and takes them back from a dump';

CREATE TRIGGER debt_term_before BEFORE INSERT OR UPDATE ON floe.debt_term
	FOR EACH ROW EXECUTE FUNCTION floe_internal.debt_term_before();
