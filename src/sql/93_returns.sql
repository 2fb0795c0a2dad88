-- =================================================================================================
-- 93 returns
-- What maintenance was worth: what each run gave and cost, measured when it ends; a weekly sum that outlasts the log; which
-- operations never pay, and with auto_tune their longer interval. A failed run costs, too, and what is unknown is never zero.
-- =================================================================================================

CREATE TABLE floe.rate (
	name		pg_catalog.text PRIMARY KEY,
	position	pg_catalog.int2 NOT NULL UNIQUE,
	price		pg_catalog.numeric CHECK (price >= 0 AND price < 1e12),
	currency	pg_catalog.text NOT NULL DEFAULT 'USD' CHECK (pg_catalog.length(currency) BETWEEN 1 AND 10),
	unit		pg_catalog.text NOT NULL,
	description	pg_catalog.text NOT NULL,
	is_changed	pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe.rate IS 'Prices by which floe tells what storage and engines cost. Defaults are list prices of an order of magnitude: put your own in';
COMMENT ON COLUMN floe.rate.price IS 'For one unit; NULL: not known, and so are all costs made of it';
COMMENT ON COLUMN floe.rate.currency IS 'Shown beside every sum; floe converts nothing';
COMMENT ON COLUMN floe.rate.unit IS 'What the price is for; a GB is 2^30 bytes';
COMMENT ON COLUMN floe.rate.is_changed IS 'The row was changed after installation: pg_dump carries it';

INSERT INTO floe.rate (name, position, price, unit, description) VALUES
	('storage', 1, 0.023, 'GB of stored files for a month', 'Object storage: what floe.waste is priced at'),
	('engine', 2, 0.02, 'GB of engine memory for an hour', 'Compute, by memory_gb of the engine''s SERVER (2 where it does not say): what floe.roi is priced at');

CREATE TABLE floe.return_threshold (
	operation				pg_catalog.text PRIMARY KEY REFERENCES floe_internal.operation_kind,
	runs					pg_catalog.int4 NOT NULL DEFAULT 3 CHECK (runs BETWEEN 1 AND 1000),
	objects_per_gb_hour		pg_catalog.numeric CHECK (objects_per_gb_hour >= 0 AND objects_per_gb_hour < 1e15),
	bytes_per_gb_hour		pg_catalog.numeric CHECK (bytes_per_gb_hour >= 0 AND bytes_per_gb_hour < 1e21),
	longest_interval		pg_catalog.interval NOT NULL DEFAULT '30 days' CHECK (longest_interval OPERATOR(pg_catalog.>=) '1 hour'::pg_catalog.interval AND longest_interval OPERATOR(pg_catalog.<=) '1 year'::pg_catalog.interval),
	is_changed				pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe.return_threshold IS 'From what return on a run pays, by operation. One of the two is enough; a run that removed nothing never pays';
COMMENT ON COLUMN floe.return_threshold.runs IS 'After so many runs in a row that did not pay, the operation is in floe.unprofitable, and with auto_tune its interval is stretched';
COMMENT ON COLUMN floe.return_threshold.objects_per_gb_hour IS 'Files, manifests or snapshots removed per GB-hour of the engine; NULL: their number does not count. An operation that writes statistics removes nothing: it pays when it wrote them';
COMMENT ON COLUMN floe.return_threshold.bytes_per_gb_hour IS 'Bytes removed per GB-hour of the engine; NULL: they do not count';
COMMENT ON COLUMN floe.return_threshold.longest_interval IS 'auto_tune doubles the interval up to this; never beyond the deadline, and never below what the policy says';
COMMENT ON COLUMN floe.return_threshold.is_changed IS 'The row was changed after installation: pg_dump carries it';

INSERT INTO floe.return_threshold (operation, objects_per_gb_hour, bytes_per_gb_hour)
	SELECT k.operation, CASE WHEN k.operation LIKE 'compute%' THEN NULL ELSE 10 END, CASE WHEN k.operation LIKE 'compute%' THEN NULL ELSE 1073741824 END
	FROM floe_internal.operation_kind AS k;

CREATE FUNCTION floe_internal.rate_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		NEW.is_changed := true;
		RETURN NEW;
	END IF;
	UPDATE floe.rate AS r SET (price, currency) = (NEW.price, NEW.currency) WHERE r.name = NEW.name;
	RETURN CASE WHEN NOT FOUND THEN NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.rate_before() IS 'Trigger: marks changed rows of floe.rate, and takes them back from a dump';

CREATE TRIGGER rate_before BEFORE INSERT OR UPDATE ON floe.rate
	FOR EACH ROW EXECUTE FUNCTION floe_internal.rate_before();

CREATE FUNCTION floe_internal.return_threshold_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		NEW.is_changed := true;
		RETURN NEW;
	END IF;
	UPDATE floe.return_threshold AS r SET (runs, objects_per_gb_hour, bytes_per_gb_hour, longest_interval) = (NEW.runs, NEW.objects_per_gb_hour, NEW.bytes_per_gb_hour, NEW.longest_interval)
		WHERE r.operation = NEW.operation;
	RETURN CASE WHEN NOT FOUND THEN NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.return_threshold_before() IS 'Trigger: marks changed rows of floe.return_threshold, and takes them back from a dump';

CREATE TRIGGER return_threshold_before BEFORE INSERT OR UPDATE ON floe.return_threshold
	FOR EACH ROW EXECUTE FUNCTION floe_internal.return_threshold_before();

-- What a run gave ------------------------------------------------------------------------------------

-- What its own snapshots say is its own doing; a difference of metrics has what writers did meanwhile in it.
CREATE FUNCTION floe_internal.own_snapshots(new_snapshots pg_catalog.jsonb,
		OUT files_removed pg_catalog.numeric, OUT bytes_removed pg_catalog.numeric, OUT bytes_touched pg_catalog.numeric)
	RETURNS pg_catalog.record
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN pg_catalog.bool_and(s.item ?& '{added_data_files,deleted_data_files}') THEN pg_catalog.sum((s.item ->> 'deleted_data_files')::pg_catalog.numeric - (s.item ->> 'added_data_files')::pg_catalog.numeric) END,
		   CASE WHEN pg_catalog.bool_and(s.item ?& '{added_bytes,removed_bytes}') THEN pg_catalog.sum((s.item ->> 'removed_bytes')::pg_catalog.numeric - (s.item ->> 'added_bytes')::pg_catalog.numeric) END,
		   CASE WHEN pg_catalog.bool_and(s.item ? 'removed_bytes') THEN pg_catalog.sum((s.item ->> 'removed_bytes')::pg_catalog.numeric) END
	FROM pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(new_snapshots) = 'array' THEN new_snapshots ELSE '[]' END) AS s (item)
	WHERE s.item ->> 'operation' = 'replace';
END;
COMMENT ON FUNCTION floe_internal.own_snapshots(pg_catalog.jsonb) IS 'Data files and bytes that the rewrites among new snapshots took out of the table less those that they put in, and bytes that they read; NULL: there are none, or a summary does not say';

-- effect has what changed; what is in before and not in effect did not change; what is in neither is unknown.
CREATE FUNCTION floe_internal.went_down(before pg_catalog.jsonb, effect pg_catalog.jsonb, metric pg_catalog.text) RETURNS pg_catalog.numeric
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN effect ? metric THEN - (effect ->> metric)::pg_catalog.numeric WHEN before ? metric AND effect IS NOT NULL THEN 0 END;
END;
COMMENT ON FUNCTION floe_internal.went_down(pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.text) IS 'By how much a metric became less; NULL: unknown';

CREATE FUNCTION floe_internal.measured_gain(operation pg_catalog.text, state pg_catalog.text, before pg_catalog.jsonb, effect pg_catalog.jsonb, new_snapshots pg_catalog.jsonb, engine_result pg_catalog.jsonb,
		OUT objects_removed pg_catalog.numeric, OUT files_removed pg_catalog.numeric, OUT bytes_removed pg_catalog.numeric, OUT bytes_touched pg_catalog.numeric)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	own record;
BEGIN
	IF operation LIKE 'rewrite%' AND operation <> 'rewrite_manifests' THEN
		SELECT * INTO own FROM floe_internal.own_snapshots(new_snapshots);
		bytes_touched := COALESCE(own.bytes_touched, CASE WHEN state = 'no_change' THEN 0 END);
		bytes_removed := COALESCE(own.bytes_removed, floe_internal.went_down(before, effect, 'data_bytes') + floe_internal.went_down(before, effect, 'delete_bytes'));
		objects_removed := floe_internal.went_down(before, effect, 'position_delete_file_count') + floe_internal.went_down(before, effect, 'deletion_vector_count');
		IF operation = 'rewrite_data_files' THEN
			objects_removed := COALESCE(own.files_removed, floe_internal.went_down(before, effect, 'data_file_count')) + COALESCE(objects_removed, 0)
				+ COALESCE(floe_internal.went_down(before, effect, 'equality_delete_file_count'), 0);
		END IF;
		files_removed := objects_removed;
	ELSIF operation = 'rewrite_manifests' THEN
		objects_removed := floe_internal.went_down(before, effect, 'manifest_count');
		files_removed := objects_removed;
		bytes_removed := floe_internal.went_down(before, effect, 'manifest_bytes');
	ELSIF operation = 'expire_snapshots' THEN
		-- those that writers made meanwhile hide as many that went
		objects_removed := floe_internal.went_down(before, effect, 'snapshot_count') + CASE WHEN jsonb_typeof(new_snapshots) = 'array' THEN jsonb_array_length(new_snapshots) ELSE 0 END;
		files_removed := (SELECT sum(v.value::numeric) FROM jsonb_array_elements(CASE WHEN jsonb_typeof(engine_result) = 'array' THEN engine_result ELSE '[]' END) AS r
			CROSS JOIN LATERAL jsonb_each_text(CASE WHEN jsonb_typeof(r) = 'object' THEN r ELSE '{}' END) AS v
			WHERE v.key LIKE 'deleted\_%\_count' AND v.value ~ '^[0-9]{1,18}$');
	ELSIF operation = 'remove_orphan_files' THEN
		objects_removed := (effect ->> 'orphan_files_removed')::numeric;
		files_removed := objects_removed;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.measured_gain(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb)
	IS 'What a run removed, as the table''s metadata before and after shows it; negative: there is more than before; NULL: unknown. Files that a rewrite replaced stay in the store until their snapshots expire';

CREATE FUNCTION floe_internal.pays(operation pg_catalog.text, state pg_catalog.text, objects_removed pg_catalog.numeric, bytes_removed pg_catalog.numeric, gb_hours pg_catalog.numeric,
		objects_needed pg_catalog.numeric, bytes_needed pg_catalog.numeric) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN operation LIKE 'compute%' THEN state = 'succeeded'
		WHEN COALESCE(objects_removed > 0 AND objects_removed >= objects_needed * COALESCE(gb_hours, 0), false) THEN true
		WHEN COALESCE(bytes_removed > 0 AND bytes_removed >= bytes_needed * COALESCE(gb_hours, 0), false) THEN true
		-- who failed or changed nothing need not have been counted
		WHEN objects_removed IS NULL AND bytes_removed IS NULL THEN CASE WHEN state IN ('failed', 'no_change') THEN false END
		ELSE false END;
END;
COMMENT ON FUNCTION floe_internal.pays(pg_catalog.text, pg_catalog.text, pg_catalog.numeric, pg_catalog.numeric, pg_catalog.numeric, pg_catalog.numeric, pg_catalog.numeric)
	IS 'Whether a run paid by its operation''s floe.return_threshold; NULL: nobody can tell';

-- The policy that configures the operation, from the gates it passed: a run costs once, however many policies had a say in it.
CREATE FUNCTION floe_internal.paying_policy(reason pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE((SELECT pg_catalog.substring(r.item ->> 'set_by', '^policy "(.*)" \(') FROM pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(reason) = 'array' THEN reason ELSE '[]' END) AS r (item)
		WHERE r.item ->> 'gate' = 'policy' LIMIT 1), '');
END;
COMMENT ON FUNCTION floe_internal.paying_policy(pg_catalog.jsonb) IS 'Name of the policy on whose account a run goes; empty: no policy configures the operation, somebody asked for it by name';

CREATE FUNCTION floe_internal.measured_return(l floe_internal.operation_log) RETURNS pg_catalog.jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	gain record;
	needed floe.return_threshold;
	took numeric := extract(epoch FROM l.engine_ended_at - l.started_at)::numeric / 60;
	memory numeric;
	spent numeric;
BEGIN
	-- what was cancelled in the queue cost nothing and is no run
	IF l.started_at IS NULL AND l.outcome IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT * INTO gain FROM floe_internal.measured_gain(l.operation, l.state, l.before, l.effect, l.new_snapshots, l.engine_result);
	SELECT * INTO needed FROM floe.return_threshold AS t WHERE t.operation = l.operation;
	memory := COALESCE((SELECT (s.options ->> 'memory_gb')::numeric FROM floe_internal.server AS s WHERE s.wrapper = 'floe_engine' AND s.server_name = l.engine), 2);
	spent := GREATEST(took, 0) / 60 * memory;
	RETURN jsonb_strip_nulls(jsonb_build_object('objects_removed', gain.objects_removed, 'files_removed', gain.files_removed, 'bytes_removed', gain.bytes_removed,
		'bytes_touched', gain.bytes_touched, 'minutes', round(GREATEST(took, 0), 4), 'gb_hours', round(spent, 6), 'policy', floe_internal.paying_policy(l.reason),
		'pays', CASE WHEN l.state <> 'cancelled' THEN floe_internal.pays(l.operation, l.state, gain.objects_removed, gain.bytes_removed, spent, needed.objects_per_gb_hour, needed.bytes_per_gb_hour) END));
END
$body$;
COMMENT ON FUNCTION floe_internal.measured_return(floe_internal.operation_log) IS 'What a run gave and cost: objects, files and bytes removed, bytes read, minutes, GB-hours, the policy it ran for, and whether it paid; NULL: it never reached an engine';

-- The weekly sum -------------------------------------------------------------------------------------

CREATE TABLE floe_internal.weekly_return (
	week				pg_catalog.timestamptz NOT NULL,
	table_name			pg_catalog.text NOT NULL,
	operation			pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	engine				pg_catalog.text NOT NULL,
	policy				pg_catalog.text NOT NULL,
	runs				pg_catalog.int8 NOT NULL,
	succeeded			pg_catalog.int8 NOT NULL,
	no_change			pg_catalog.int8 NOT NULL,
	failed				pg_catalog.int8 NOT NULL,
	cancelled			pg_catalog.int8 NOT NULL,
	paid				pg_catalog.int8 NOT NULL,
	unpaid				pg_catalog.int8 NOT NULL,
	objects_estimated	pg_catalog.numeric,
	objects_removed		pg_catalog.numeric,
	files_removed		pg_catalog.numeric,
	bytes_estimated		pg_catalog.numeric,
	bytes_touched		pg_catalog.numeric,
	bytes_removed		pg_catalog.numeric,
	minutes_estimated	pg_catalog.numeric,
	minutes				pg_catalog.numeric,
	gb_hours_estimated	pg_catalog.numeric,
	gb_hours			pg_catalog.numeric,
	PRIMARY KEY (week, table_name, operation, engine, policy)
) WITH (fillfactor = 80);
COMMENT ON TABLE floe_internal.weekly_return IS 'Everything that ever reached an engine, by week, table, operation, engine and policy: each run is added once, in the transaction that writes it into the log, and stays when the log is trimmed';
COMMENT ON COLUMN floe_internal.weekly_return.week IS 'Monday, 00:00 UTC, of the week in which the runs ended';
COMMENT ON COLUMN floe_internal.weekly_return.policy IS 'The one that configures the operation; empty: none does';
COMMENT ON COLUMN floe_internal.weekly_return.unpaid IS 'Runs that did not pay; those of which nobody can tell are neither here nor in paid';
COMMENT ON COLUMN floe_internal.weekly_return.objects_removed IS 'Of those runs of which it is known; NULL: of none';

CREATE FUNCTION floe_internal.measure_return() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	NEW.worth := floe_internal.measured_return(NEW);
	RETURN NEW;
END
$body$;
COMMENT ON FUNCTION floe_internal.measure_return() IS 'Trigger: an operation that ends is measured';

CREATE TRIGGER operation_log_measure BEFORE INSERT ON floe_internal.operation_log
	FOR EACH ROW EXECUTE FUNCTION floe_internal.measure_return();

-- The interval that is stretched: the longest of what the settings say.
CREATE FUNCTION floe_internal.tuned_interval(settings pg_catalog.jsonb, at pg_catalog.timestamptz) RETURNS pg_catalog.interval
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	cron CONSTANT text := settings #>> '{schedule,cron}';
	zone CONSTANT text := COALESCE(settings ->> 'timezone', 'UTC');
	first_at timestamptz;
BEGIN
	IF cron IS NOT NULL THEN
		first_at := floe_internal.cron_next(cron, zone, at);
	END IF;
	RETURN GREATEST((settings ->> 'min_interval')::interval, (settings #>> '{schedule,every}')::interval, floe_internal.cron_next(cron, zone, first_at) - first_at, interval '1 hour');
END
$body$;
COMMENT ON FUNCTION floe_internal.tuned_interval(pg_catalog.jsonb, pg_catalog.timestamptz) IS 'How often an operation may come by its settings: min_interval, every, the gap of its cron schedule, whichever is longest, and at least an hour';

CREATE FUNCTION floe_internal.note_return() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	m CONSTANT jsonb := NEW.worth;
	e CONSTANT jsonb := NEW.estimate;
	needed floe.return_threshold;
	called_for text;
	row_count int4;
	base interval;
	until timestamptz;
BEGIN
	INSERT INTO floe_internal.weekly_return AS w
		VALUES (date_trunc('week', NEW.finished_at, 'UTC'), NEW.table_name, NEW.operation, NEW.engine, m ->> 'policy', 1, (NEW.state = 'succeeded')::int, (NEW.state = 'no_change')::int,
			(NEW.state = 'failed')::int, (NEW.state = 'cancelled')::int, COALESCE((m ->> 'pays')::bool, false)::int, COALESCE(NOT (m ->> 'pays')::bool, false)::int,
			(e ->> 'objects')::numeric, (m ->> 'objects_removed')::numeric, (m ->> 'files_removed')::numeric, (e ->> 'bytes')::numeric, (m ->> 'bytes_touched')::numeric,
			(m ->> 'bytes_removed')::numeric, (e ->> 'minutes')::numeric, (m ->> 'minutes')::numeric, (e ->> 'gb_hours')::numeric, (m ->> 'gb_hours')::numeric)
		ON CONFLICT (week, table_name, operation, engine, policy) DO UPDATE
			SET runs = w.runs + 1, succeeded = w.succeeded + EXCLUDED.succeeded, no_change = w.no_change + EXCLUDED.no_change, failed = w.failed + EXCLUDED.failed,
				cancelled = w.cancelled + EXCLUDED.cancelled, paid = w.paid + EXCLUDED.paid, unpaid = w.unpaid + EXCLUDED.unpaid,
				objects_estimated = COALESCE(w.objects_estimated + EXCLUDED.objects_estimated, w.objects_estimated, EXCLUDED.objects_estimated),
				objects_removed = COALESCE(w.objects_removed + EXCLUDED.objects_removed, w.objects_removed, EXCLUDED.objects_removed),
				files_removed = COALESCE(w.files_removed + EXCLUDED.files_removed, w.files_removed, EXCLUDED.files_removed),
				bytes_estimated = COALESCE(w.bytes_estimated + EXCLUDED.bytes_estimated, w.bytes_estimated, EXCLUDED.bytes_estimated),
				bytes_touched = COALESCE(w.bytes_touched + EXCLUDED.bytes_touched, w.bytes_touched, EXCLUDED.bytes_touched),
				bytes_removed = COALESCE(w.bytes_removed + EXCLUDED.bytes_removed, w.bytes_removed, EXCLUDED.bytes_removed),
				minutes_estimated = COALESCE(w.minutes_estimated + EXCLUDED.minutes_estimated, w.minutes_estimated, EXCLUDED.minutes_estimated),
				minutes = COALESCE(w.minutes + EXCLUDED.minutes, w.minutes, EXCLUDED.minutes),
				gb_hours_estimated = COALESCE(w.gb_hours_estimated + EXCLUDED.gb_hours_estimated, w.gb_hours_estimated, EXCLUDED.gb_hours_estimated),
				gb_hours = COALESCE(w.gb_hours + EXCLUDED.gb_hours, w.gb_hours, EXCLUDED.gb_hours);
	-- what a person wanted says nothing against the schedule, unless it paid
	IF NOT m ? 'pays' OR NEW.by_hand AND NOT (m ->> 'pays')::bool THEN
		RETURN NULL;
	END IF;
	IF (m ->> 'pays')::bool THEN
		UPDATE floe_internal.table_operation AS x SET unpaid_runs = 0, stretched_until = NULL, stretched_metric = NULL, stretched_value = NULL
			WHERE x.table_id = NEW.table_id AND x.operation = NEW.operation AND x.unpaid_runs > 0;
		RETURN NULL;
	END IF;
	UPDATE floe_internal.table_operation AS x SET unpaid_runs = x.unpaid_runs + 1 WHERE x.table_id = NEW.table_id AND x.operation = NEW.operation RETURNING x.unpaid_runs INTO row_count;
	SELECT * INTO needed FROM floe.return_threshold AS t WHERE t.operation = NEW.operation;
	-- after a failure the backoff says how long
	IF row_count >= needed.runs AND NEW.state <> 'failed' THEN
		called_for := (SELECT r ->> 'gate' FROM jsonb_array_elements(NEW.reason) AS r WHERE r ->> 'gate' IN (SELECT k.name FROM floe.metric AS k) LIMIT 1);
		base := floe_internal.tuned_interval(NEW.settings, NEW.finished_at);
		until := LEAST(NEW.finished_at + GREATEST(base, LEAST(base * pow(2, LEAST(row_count - needed.runs + 1, 16)), needed.longest_interval)),
			NEW.finished_at + (NEW.settings ->> 'deadline')::interval);
		UPDATE floe_internal.table_operation AS x SET stretched_until = until, stretched_metric = called_for, stretched_value = (NEW.before ->> called_for)::float8
			WHERE x.table_id = NEW.table_id AND x.operation = NEW.operation;
	END IF;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.note_return() IS 'Trigger: adds a run to the sum of its week, and counts those in a row that did not pay';

CREATE TRIGGER operation_log_return AFTER INSERT ON floe_internal.operation_log
	FOR EACH ROW WHEN (NEW.worth IS NOT NULL) EXECUTE FUNCTION floe_internal.note_return();

INSERT INTO floe_internal.retention (relation, rule, time_column, setting, keep, description) VALUES
	('floe.rate', 'fixed', NULL, NULL, NULL, 'Prices; people put their own in'),
	('floe.return_threshold', 'fixed', NULL, NULL, NULL, 'From what return on a run pays; people change it'),
	('floe_internal.weekly_return', 'time', 'week', NULL, '5 years', 'At most a row for each week, table, operation, engine and policy in which something ran; it outlasts the log');

-- What people read ----------------------------------------------------------------------------------

CREATE VIEW floe.roi AS
	SELECT l.operation_id AS id, l.table_name, l.operation, l.state, l.engine, l.worth ->> 'policy' AS policy, l.finished_at,
		   (l.estimate ->> 'objects')::pg_catalog.numeric AS objects_estimated, (l.worth ->> 'objects_removed')::pg_catalog.numeric AS objects_removed,
		   (l.worth ->> 'files_removed')::pg_catalog.numeric AS files_removed,
		   (l.estimate ->> 'bytes')::pg_catalog.numeric AS bytes_estimated, (l.worth ->> 'bytes_touched')::pg_catalog.numeric AS bytes_touched, (l.worth ->> 'bytes_removed')::pg_catalog.numeric AS bytes_removed,
		   (l.estimate ->> 'minutes')::pg_catalog.numeric AS minutes_estimated, (l.worth ->> 'minutes')::pg_catalog.numeric AS minutes,
		   (l.estimate ->> 'gb_hours')::pg_catalog.numeric AS gb_hours_estimated, (l.worth ->> 'gb_hours')::pg_catalog.numeric AS gb_hours,
		   pg_catalog.round((l.worth ->> 'objects_removed')::pg_catalog.numeric / NULLIF((l.worth ->> 'gb_hours')::pg_catalog.numeric, 0), 1) AS objects_per_gb_hour,
		   pg_catalog.round((l.worth ->> 'bytes_removed')::pg_catalog.numeric / NULLIF((l.worth ->> 'gb_hours')::pg_catalog.numeric, 0)) AS bytes_per_gb_hour,
		   pg_catalog.round((l.worth ->> 'gb_hours')::pg_catalog.numeric * r.price, 6) AS cost, r.currency, (l.worth ->> 'pays')::pg_catalog.bool AS pays
	FROM floe_internal.operation_log AS l
	LEFT JOIN floe.rate AS r ON r.name = 'engine'
	WHERE l.worth IS NOT NULL;
COMMENT ON VIEW floe.roi IS 'Return of each run in the log that reached an engine, failed ones included: estimated against measured. NULL: unknown; bytes_removed of a rewrite are those of the table as it is, older snapshots hold the files until they expire; pays: by floe.return_threshold';

CREATE FUNCTION floe.roi_by(dimension pg_catalog.text, since pg_catalog.interval DEFAULT '10 years',
		OUT name pg_catalog.text, OUT runs pg_catalog.int8, OUT succeeded pg_catalog.int8, OUT no_change pg_catalog.int8, OUT failed pg_catalog.int8, OUT cancelled pg_catalog.int8,
		OUT paid pg_catalog.int8, OUT unpaid pg_catalog.int8, OUT objects_estimated pg_catalog.numeric, OUT objects_removed pg_catalog.numeric, OUT files_removed pg_catalog.numeric,
		OUT bytes_estimated pg_catalog.numeric, OUT bytes_touched pg_catalog.numeric, OUT bytes_removed pg_catalog.numeric, OUT minutes_estimated pg_catalog.numeric, OUT minutes pg_catalog.numeric,
		OUT gb_hours_estimated pg_catalog.numeric, OUT gb_hours pg_catalog.numeric, OUT objects_per_gb_hour pg_catalog.numeric, OUT bytes_per_gb_hour pg_catalog.numeric,
		OUT cost pg_catalog.numeric, OUT currency pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	IF dimension IS NULL OR dimension NOT IN ('table', 'policy', 'engine', 'operation', 'week', 'catalog') THEN
		PERFORM floe_internal.refuse(format('there is no dimension "%s"', dimension), NULL, 'Dimensions are table, policy, engine, operation, week and catalog.');
	END IF;
	RETURN QUERY
		SELECT g.name, g.runs, g.succeeded, g.no_change, g.failed, g.cancelled, g.paid, g.unpaid, g.objects_estimated, g.objects_removed, g.files_removed,
			   g.bytes_estimated, g.bytes_touched, g.bytes_removed, g.minutes_estimated, g.minutes, g.gb_hours_estimated, g.gb_hours,
			   round(g.objects_removed / NULLIF(g.gb_hours, 0), 1), round(g.bytes_removed / NULLIF(g.gb_hours, 0)), round(g.gb_hours * r.price, 4), r.currency
		FROM (SELECT CASE dimension WHEN 'table' THEN w.table_name WHEN 'policy' THEN w.policy WHEN 'engine' THEN w.engine WHEN 'operation' THEN w.operation
						WHEN 'week' THEN to_char(w.week AT TIME ZONE 'UTC', 'YYYY-MM-DD') ELSE (floe_internal.parse_name(w.table_name))[1] END AS name,
					 sum(w.runs)::int8 AS runs, sum(w.succeeded)::int8 AS succeeded, sum(w.no_change)::int8 AS no_change, sum(w.failed)::int8 AS failed, sum(w.cancelled)::int8 AS cancelled,
					 sum(w.paid)::int8 AS paid, sum(w.unpaid)::int8 AS unpaid, sum(w.objects_estimated) AS objects_estimated, sum(w.objects_removed) AS objects_removed, sum(w.files_removed) AS files_removed,
					 sum(w.bytes_estimated) AS bytes_estimated, sum(w.bytes_touched) AS bytes_touched, sum(w.bytes_removed) AS bytes_removed, sum(w.minutes_estimated) AS minutes_estimated,
					 sum(w.minutes) AS minutes, sum(w.gb_hours_estimated) AS gb_hours_estimated, sum(w.gb_hours) AS gb_hours
			  FROM floe_internal.weekly_return AS w
			  -- whole weeks: the one in which that time lies counts
			  WHERE w.week >= date_trunc('week', floe_internal.clock() - since, 'UTC')
			  GROUP BY 1) AS g
		LEFT JOIN floe.rate AS r ON r.name = 'engine'
		ORDER BY g.name;
END
$body$;
COMMENT ON FUNCTION floe.roi_by(pg_catalog.text, pg_catalog.interval)
	IS 'Return of all runs of the last while, in whole weeks, by table, policy, engine, operation, week (its Monday) or catalog; also of runs that the log does not have any more. Sums are over the runs of which the number is known; unpaid: did not pay';

CREATE VIEW floe.roi_by_table AS SELECT * FROM floe.roi_by('table');
COMMENT ON VIEW floe.roi_by_table IS 'floe.roi_by(''table'')';
CREATE VIEW floe.roi_by_policy AS SELECT * FROM floe.roi_by('policy');
COMMENT ON VIEW floe.roi_by_policy IS 'floe.roi_by(''policy''); name empty: operations that people asked for and no policy configures';
CREATE VIEW floe.roi_by_operation AS SELECT * FROM floe.roi_by('operation');
COMMENT ON VIEW floe.roi_by_operation IS 'floe.roi_by(''operation'')';
CREATE VIEW floe.roi_by_week AS SELECT * FROM floe.roi_by('week');
COMMENT ON VIEW floe.roi_by_week IS 'floe.roi_by(''week'')';

-- A table's operation by the runs in a row; a policy's, if of all its runs of the last four weeks none paid.
CREATE VIEW floe.unprofitable AS
	SELECT u.operation, u.table_name, u.policy, u.unpaid_runs, u.since, u.gb_hours, pg_catalog.round(u.gb_hours * r.price, 4) AS cost, r.currency, u.objects_removed, u.bytes_removed, u.last_state,
		   t.objects_per_gb_hour AS objects_needed_per_gb_hour, t.bytes_per_gb_hour AS bytes_needed_per_gb_hour, u.stretched_until
	FROM (SELECT x.operation, i.name AS table_name, e.policy, x.unpaid_runs::pg_catalog.int8 AS unpaid_runs, e.since, e.gb_hours, e.objects_removed, e.bytes_removed, x.last_state, x.stretched_until
		  FROM floe_internal.table_operation AS x
		  JOIN floe_internal.iceberg_table AS i ON i.table_id = x.table_id AND i.status <> 'dropped'
		  JOIN floe.return_threshold AS n ON n.operation = x.operation AND x.unpaid_runs >= n.runs
		  CROSS JOIN LATERAL (
			SELECT pg_catalog.min(o.finished_at) AS since, pg_catalog.sum(o.gb_hours) AS gb_hours, pg_catalog.sum(o.objects_removed) AS objects_removed, pg_catalog.sum(o.bytes_removed) AS bytes_removed,
				   (pg_catalog.array_agg(o.policy ORDER BY o.operation_id DESC))[1] AS policy
			FROM (SELECT l.operation_id, l.finished_at, (l.worth ->> 'gb_hours')::pg_catalog.numeric AS gb_hours, (l.worth ->> 'objects_removed')::pg_catalog.numeric AS objects_removed,
						 (l.worth ->> 'bytes_removed')::pg_catalog.numeric AS bytes_removed, l.worth ->> 'policy' AS policy
				  FROM floe_internal.operation_log AS l
				  WHERE l.table_id = x.table_id AND l.operation = x.operation AND l.worth ->> 'pays' = 'false' AND NOT l.by_hand
				  ORDER BY l.operation_id DESC LIMIT x.unpaid_runs) AS o) AS e
		  UNION ALL
		  SELECT w.operation, NULL, w.policy, pg_catalog.sum(w.unpaid)::pg_catalog.int8, pg_catalog.min(w.week), pg_catalog.sum(w.gb_hours), pg_catalog.sum(w.objects_removed), pg_catalog.sum(w.bytes_removed), NULL, NULL
		  FROM floe_internal.weekly_return AS w
		  WHERE w.week >= pg_catalog.date_trunc('week', floe_internal.clock() - '28 days'::pg_catalog.interval, 'UTC') AND w.policy <> ''
		  GROUP BY w.operation, w.policy
		  HAVING pg_catalog.sum(w.paid) = 0 AND pg_catalog.sum(w.unpaid) >= (SELECT n.runs FROM floe.return_threshold AS n WHERE n.operation = w.operation)) AS u
	JOIN floe.return_threshold AS t ON t.operation = u.operation
	LEFT JOIN floe.rate AS r ON r.name = 'engine';
COMMENT ON VIEW floe.unprofitable IS 'Operations that do not pay: of a table, whose last runs, failed ones included, all gave less than floe.return_threshold asks for, with what they cost and removed together; and, with table_name NULL, of a policy of whose runs in the last four weeks none paid. stretched_until: with auto_tune on it is not before then';
