-- =================================================================================================
-- 50 operations: queue, log, bookkeeping, events
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
	measured			pg_catalog.jsonb,
	PRIMARY KEY (operation_id)
);
CREATE INDEX operation_log_table ON floe_internal.operation_log (table_id, operation_id);
CREATE INDEX operation_log_finished ON floe_internal.operation_log (finished_at);
-- what an engine may still be at (60, pins)
CREATE INDEX operation_log_lost ON floe_internal.operation_log (table_id, finished_at) WHERE outcome = 'lost';
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
COMMENT ON COLUMN floe_internal.operation_log.measured IS 'What it really touched, gained and took, by the keys of estimate, and in error how far off these were (|estimated - measured| / measured); NULL: it never came to that';
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
	snapshots_before	pg_catalog.bytea,
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
COMMENT ON COLUMN floe_internal.operation_queue.snapshots_before IS 'The snapshot list right before expire_snapshots was sent: what those that went had taken out of the table; NULL: another operation';
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
	tuned_every				pg_catalog.interval,
	tuned_by				pg_catalog.text,
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

COMMENT ON COLUMN floe_internal.table_operation.tuned_every IS 'How often floe_internal.tune_cadence() found that it pays; NULL: nothing is known, or nothing may be learned';
COMMENT ON COLUMN floe_internal.table_operation.tuned_by IS 'What that was found from, for people';

CREATE TABLE floe_internal.table_circuit (
	table_id		pg_catalog.int8 PRIMARY KEY REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	opened_at		pg_catalog.timestamptz NOT NULL,
	open_until		pg_catalog.timestamptz NOT NULL,
	openings		pg_catalog.int4 NOT NULL DEFAULT 1,
	failures		pg_catalog.int8 NOT NULL,
	operations		pg_catalog.text[] NOT NULL,
	error_class		pg_catalog.text NOT NULL REFERENCES floe_internal.error_class,
	error_message	pg_catalog.text
);
COMMENT ON TABLE floe_internal.table_circuit IS 'Tables on which several different operations failed: none is sent to them until open_until. Then the circuit is half-open: the next run closes it, which removes the row, or opens it for longer';
COMMENT ON COLUMN floe_internal.table_circuit.openings IS 'In a row: each opens it for twice as long';
COMMENT ON COLUMN floe_internal.table_circuit.failures IS 'Failures that opened it';
COMMENT ON COLUMN floe_internal.table_circuit.operations IS 'Operations that failed';

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
-- what held everything back at some time, for floe.why() of that time
CREATE INDEX event_hold ON floe_internal.event (happened_at) WHERE kind IN ('paused', 'resumed', 'drained', 'undrained');
COMMENT ON TABLE floe_internal.event IS 'Every change of state, written in the transaction of the change; kept for floe.event_retention';

CREATE TYPE floe_internal.event_line AS (
	kind pg_catalog.text, catalog pg_catalog.text, table_id pg_catalog.int8, table_name pg_catalog.text, operation_id pg_catalog.int8, message pg_catalog.text, data pg_catalog.jsonb
);
COMMENT ON TYPE floe_internal.event_line IS 'An event of this moment, on its way into floe_internal.event';

CREATE FUNCTION floe_internal.write_events(events floe_internal.event_line[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF events IS NULL THEN
		RETURN;
	END IF;
	INSERT INTO floe_internal.event (happened_at, kind, catalog, table_id, table_name, operation_id, message, data)
		SELECT floe_internal.clock(), e.kind, e.catalog, e.table_id, e.table_name, e.operation_id, e.message, e.data FROM unnest(events) WITH ORDINALITY AS e ORDER BY e.ordinality;
	-- a notification holds less than 8000 bytes, and a character in JSON takes up to six
	PERFORM pg_notify('floe', json_build_object('kind', e.kind, 'catalog', e.catalog, 'table', left(e.table_name, 600), 'operation_id', e.operation_id, 'message', left(e.message, 600))::text),
			floe_internal.log_event(e.kind, e.catalog, e.table_name, e.message)
		FROM unnest(events) AS e;
END
$body$;
COMMENT ON FUNCTION floe_internal.write_events(floe_internal.event_line[]) IS 'Event rows, when the transaction commits a notification of each on channel floe, and in a worker a line each in the server log; NULL: none';

CREATE FUNCTION floe_internal.write_event(kind pg_catalog.text, catalog pg_catalog.text, of_table_id pg_catalog.int8, of_table_name pg_catalog.text,
		of_operation_id pg_catalog.int8, message pg_catalog.text, data pg_catalog.jsonb) RETURNS pg_catalog.void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	PERFORM floe_internal.write_events(ARRAY[ROW(write_event.kind, write_event.catalog, of_table_id, of_table_name, of_operation_id, write_event.message, write_event.data)::floe_internal.event_line]);
END
$body$;
COMMENT ON FUNCTION floe_internal.write_event(pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb) IS 'One event, as floe_internal.write_events()';

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
