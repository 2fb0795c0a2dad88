-- =================================================================================================
-- 65 debt
-- The score that orders candidates: terms, each from 0 to 1, times weights. Which weights, a preset says,
-- and a policy may say otherwise, or name a function that says the score itself.
-- =================================================================================================

CREATE TABLE floe.debt_term (
	term		pg_catalog.text PRIMARY KEY,
	position	pg_catalog.int2 NOT NULL UNIQUE,
	half		pg_catalog.float8 NOT NULL CHECK (half > 0),
	is_log		pg_catalog.bool NOT NULL,
	is_penalty	pg_catalog.bool NOT NULL DEFAULT false,
	weight		pg_catalog.float8 CHECK (weight BETWEEN 0 AND 1000),
	description	pg_catalog.text NOT NULL,
	is_changed	pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe.debt_term IS 'Terms of the debt score. Each is a number from 0 to 1 before its weight, so that no term drowns another by its unit; there is no top, so that of two large ones the larger still counts for more';
COMMENT ON COLUMN floe.debt_term.half IS 'What is measured where the term is 0.5: raw / (raw + half), or that of ln(1 + raw) and ln(1 + half)';
COMMENT ON COLUMN floe.debt_term.is_log IS 'By its logarithm: what ranges over many powers of ten';
COMMENT ON COLUMN floe.debt_term.weight IS 'For everybody, whatever the preset says; NULL: the preset''s. A policy can set its own in "weights"';
COMMENT ON COLUMN floe.debt_term.is_penalty IS 'Subtracted: a table that keeps failing must not climb';
COMMENT ON COLUMN floe.debt_term.is_changed IS 'The weight was changed after installation: pg_dump carries it';

INSERT INTO floe.debt_term (term, position, half, is_log, is_penalty, description) VALUES
	('severity', 1, 1, false, false, 'How far the worst metric with this remedy is beyond its thresholds: measured 0.5 at warning, 1 at critical'),
	('gain', 2, 1000, true, false, 'Objects (files, manifests, snapshots) that would go'),
	('benefit', 3, 10000, true, false, 'Objects that would go per GB-hour of the engine'),
	('age', 4, 1, false, false, 'Time since the last success as a share of the deadline, or of 30 days without one; 0 where there is nothing to do'),
	('failures', 5, 2, false, true, 'Consecutive failures'),
	('freed', 6, 10000000000, true, false, 'Bytes that would be freed'),
	('share', 7, 1, false, false, 'Objects that would go as a share of those there are'),
	('overdue', 8, 1, false, false, 'Time beyond the deadline as a share of it; 0 without a deadline, or where there is nothing to do'),
	('pressure', 9, 100000, true, false, 'Data and delete files of the table: how much of a namespace or a planner it takes up'),
	('overwrite', 10, 1, false, true, 'Seven days as a share of the time since the last write, of a table whose files are all in one partition: what is rewritten may be overwritten soon');

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

CREATE TABLE floe.debt_preset (
	preset		pg_catalog.text NOT NULL CHECK (preset OPERATOR(pg_catalog.~) '^[^.]{1,60}$'),
	term		pg_catalog.text NOT NULL REFERENCES floe.debt_term,
	weight		pg_catalog.float8 NOT NULL CHECK (weight BETWEEN 0 AND 1000),
	is_builtin	pg_catalog.bool NOT NULL DEFAULT false,
	PRIMARY KEY (preset, term)
);
COMMENT ON TABLE floe.debt_preset IS 'Weights of terms by name, for "score" of a policy; a term without a row weighs nothing. People add their own; those that come with floe stay as they are';
COMMENT ON COLUMN floe.debt_preset.preset IS 'Without a dot: a name with one is that of a function';

INSERT INTO floe.debt_preset (preset, term, weight, is_builtin) VALUES
	('benefit', 'benefit', 1, true), ('benefit', 'overdue', 1, true), ('benefit', 'failures', 0.5, true),
	('severity', 'severity', 3, true), ('severity', 'share', 1, true), ('severity', 'age', 1, true), ('severity', 'overdue', 1, true), ('severity', 'failures', 1, true),
	('cautious', 'benefit', 1, true), ('cautious', 'overdue', 1, true), ('cautious', 'failures', 0.5, true), ('cautious', 'pressure', 0.2, true), ('cautious', 'overwrite', 0.2, true);

CREATE FUNCTION floe_internal.debt_preset_before() RETURNS pg_catalog.trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	given text := CASE TG_OP WHEN 'DELETE' THEN OLD.preset ELSE NEW.preset END;
BEGIN
	IF TG_OP <> 'INSERT' AND OLD.is_builtin OR TG_OP <> 'DELETE' AND EXISTS (SELECT 1 FROM floe.debt_preset AS p WHERE p.preset = given AND p.is_builtin) THEN
		PERFORM floe_internal.refuse(format('preset "%s" comes with floe', COALESCE(OLD.preset, given)), NULL,
			'Make one of another name, set "weights" in a policy, or floe.debt_term.weight for all.');
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$body$;
COMMENT ON FUNCTION floe_internal.debt_preset_before() IS 'Trigger: floe''s own presets stay as they are';

CREATE TRIGGER debt_preset_before BEFORE INSERT OR UPDATE OR DELETE ON floe.debt_preset
	FOR EACH ROW EXECUTE FUNCTION floe_internal.debt_preset_before();

-- The one way from what is measured to a term: from 0 to 1, and never equal for two that differ, as far as float8 tells them apart.
CREATE FUNCTION floe_internal.debt_value(raw pg_catalog.float8, half pg_catalog.float8, is_log pg_catalog.bool) RETURNS pg_catalog.float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN raw IS NULL OR raw <= 0 OR raw = 'NaN' THEN 0
		WHEN is_log THEN pg_catalog.ln(1 + LEAST(raw, 1e300)) / (pg_catalog.ln(1 + LEAST(raw, 1e300)) + pg_catalog.ln(1 + half))
		ELSE LEAST(raw, 1e300) / (LEAST(raw, 1e300) + half) END;
END;
COMMENT ON FUNCTION floe_internal.debt_value(pg_catalog.float8, pg_catalog.float8, pg_catalog.bool) IS 'A term from 0 to 1: 0.5 at half; unknown is 0';

CREATE FUNCTION floe_internal.score_weights(of_policy_set_ids pg_catalog.int4[])
	RETURNS TABLE (policy_set_id pg_catalog.int4, preset pg_catalog.text, score_function pg_catalog.text, term pg_catalog.text, "position" pg_catalog.int2,
				   half pg_catalog.float8, is_log pg_catalog.bool, is_penalty pg_catalog.bool, weight pg_catalog.float8, set_by pg_catalog.text)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	default_score CONSTANT text := (SELECT b.value #>> '{}' FROM floe_internal.builtin_setting AS b WHERE b.operation = '' AND b.setting = 'score');
BEGIN
	RETURN QUERY
		SELECT s.id, x.preset, x.score_function, d.term, d.position, d.half, d.is_log, d.is_penalty,
			   COALESCE((e.settings ->> ('weights.' || d.term))::float8, d.weight, p.weight, 0),
			   CASE WHEN e.settings ? ('weights.' || d.term) THEN COALESCE((SELECT format('policy "%s" (%s)', y.name, y.pattern) FROM floe.policy AS y WHERE y.policy_id = (e.origins ->> ('weights.' || d.term))::int4), 'policy')
					WHEN d.weight IS NOT NULL THEN 'floe.debt_term' ELSE format('preset "%s"', x.preset) END
		FROM (SELECT DISTINCT COALESCE(u.id, 0) AS id FROM unnest(of_policy_set_ids) AS u (id)) AS s
		LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = s.id AND e.operation = ''
		-- a preset that is gone counts as none, and a function has the default beside it
		CROSS JOIN LATERAL (SELECT CASE WHEN strpos(e.settings ->> 'score', '.') > 0 THEN e.settings ->> 'score' END AS score_function,
			CASE WHEN EXISTS (SELECT 1 FROM floe.debt_preset AS k WHERE k.preset = e.settings ->> 'score') THEN e.settings ->> 'score' ELSE default_score END AS preset) AS x
		CROSS JOIN floe.debt_term AS d
		LEFT JOIN floe.debt_preset AS p ON p.preset = x.preset AND p.term = d.term;
END
$body$;
COMMENT ON FUNCTION floe_internal.score_weights(pg_catalog.int4[]) IS 'Weight of each term for tables of these lists of policies (0: none), and who set it; score_function: the policies name it';

-- Each term of each candidate as it is measured, with its estimate. One row for each term that weighs anything.
CREATE FUNCTION floe_internal.debt_terms(candidates floe_internal.candidate[], at pg_catalog.timestamptz, all_terms pg_catalog.bool)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, term pg_catalog.text, "position" pg_catalog.int2, raw pg_catalog.float8, value pg_catalog.float8,
				   weight pg_catalog.float8, contribution pg_catalog.float8, set_by pg_catalog.text, preset pg_catalog.text, score_function pg_catalog.text, estimate pg_catalog.jsonb, failures pg_catalog.int4)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		WITH c AS MATERIALIZED (
			SELECT x.*, t.policy_set_id, t.first_seen_at FROM unnest(candidates) AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
		), w AS MATERIALIZED (
			SELECT * FROM floe_internal.score_weights(ARRAY(SELECT DISTINCT c.policy_set_id FROM c)) AS z -- one of them in any case: its estimate goes along
			WHERE all_terms OR z.weight > 0 OR z.score_function IS NOT NULL OR z.term = 'benefit'
		), told AS MATERIALIZED (
			SELECT e.*, jsonb_strip_nulls(jsonb_build_object('objects', e.objects, 'bytes', e.bytes, 'files_touched', e.files_touched, 'files_before', e.files_before, 'files_after', e.files_after,
				'bytes_freed', round(e.bytes_freed), 'minutes', round(e.minutes::numeric, 4), 'minutes_low', round(e.minutes_low::numeric, 4), 'minutes_high', round(e.minutes_high::numeric, 4),
				'fixed_minutes', round(e.fixed_minutes::numeric, 4), 'gb_hours', round(e.gb_hours::numeric, 6), 'past_runs', e.runs, 'error', round(e.error::numeric, 4))) AS estimate
			FROM floe_internal.estimates(candidates, at) AS e
		)
		SELECT c.table_id, c.operation, v.term, w.position, v.raw, n.value, w.weight, CASE WHEN w.is_penalty THEN - n.value ELSE n.value END * w.weight, w.set_by, w.preset, w.score_function,
			   e.estimate, COALESCE(x.failures, 0)
		FROM c
		LEFT JOIN told AS e ON e.table_id = c.table_id AND e.operation = c.operation
		LEFT JOIN floe_internal.health AS h ON h.table_id = c.table_id
		LEFT JOIN floe_internal.table_operation AS x ON x.table_id = c.table_id AND x.operation = c.operation
		CROSS JOIN LATERAL (SELECT
			-- time alone is no debt: a table that nobody writes and that has nothing to do owes nothing
			CASE WHEN CASE c.operation WHEN 'remove_orphan_files' THEN true WHEN 'compute_table_stats' THEN h.table_stats_lag > 0 WHEN 'compute_partition_stats' THEN h.partition_stats_lag > 0
					ELSE e.objects > 0 OR c.severity >= 0.5 END
				THEN GREATEST(0, extract(epoch FROM at - COALESCE(x.last_success_at, c.first_seen_at))::float8) ELSE 0 END AS idle,
			extract(epoch FROM c.deadline)::float8 AS deadline) AS i
		CROSS JOIN LATERAL (VALUES
			('severity', c.severity),
			('gain', e.objects),
			('benefit', e.objects / NULLIF(e.gb_hours, 0)),
			('age', i.idle / COALESCE(NULLIF(i.deadline, 0), 2592000)),
			('failures', x.failures::float8),
			('freed', e.bytes_freed),
			('share', e.objects / NULLIF(e.files_before, 0)),
			('overdue', GREATEST(0, i.idle / NULLIF(i.deadline, 0) - 1)),
			('pressure', (h.data_file_count + COALESCE(h.position_delete_file_count, 0) + COALESCE(h.equality_delete_file_count, 0) + COALESCE(h.deletion_vector_count, 0))::float8),
			('overwrite', CASE WHEN h.partition_count <= 1 AND c.operation = 'rewrite_data_files' THEN 604800 / GREATEST(1, extract(epoch FROM at - h.last_write_at)::float8) END)) AS v (term, raw)
		JOIN w ON w.policy_set_id = COALESCE(c.policy_set_id, 0) AND w.term = v.term
		CROSS JOIN LATERAL (SELECT floe_internal.debt_value(v.raw, w.half, w.is_log) AS value) AS n;
END
$body$;
COMMENT ON FUNCTION floe_internal.debt_terms(floe_internal.candidate[], pg_catalog.timestamptz, pg_catalog.bool) IS 'Each term of the debt score of candidates: measured, from 0 to 1, weighted, and by whom; with all_terms those that weigh nothing, too';

-- ---- a function of the user's own ----

CREATE TYPE floe.debt_input AS (
	table_name		pg_catalog.text,
	operation		pg_catalog.text,
	severity		pg_catalog.float8,
	objects			pg_catalog.float8,
	bytes			pg_catalog.float8,
	bytes_freed		pg_catalog.float8,
	files_before	pg_catalog.float8,
	files_after		pg_catalog.float8,
	minutes			pg_catalog.float8,
	gb_hours		pg_catalog.float8,
	past_runs		pg_catalog.int8,
	failures		pg_catalog.int4,
	terms			pg_catalog.jsonb,
	score			pg_catalog.float8
);
COMMENT ON TYPE floe.debt_input IS 'What a score function gets: a candidate with its estimate, every term from 0 to 1, and the score of the default preset; NULL: unknown';

-- Who decides has the rights of floe's owner, and what he calls has them, too, unless it says otherwise. So a function is taken only if it runs as its
-- own owner, or if its owner could do anything anyhow. It is looked at when a policy is saved and again at each call.
CREATE FUNCTION floe_internal.score_function(name pg_catalog.text, OUT function_oid pg_catalog.oid, OUT problem pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	p record;
BEGIN
	BEGIN
		function_oid := to_regprocedure(score_function.name || '(floe.debt_input)')::oid;
	EXCEPTION WHEN OTHERS THEN
		NULL;	-- not even the form of a name
	END;
	SELECT f.prosecdef, f.prokind, f.proretset, f.prorettype, r.rolname, r.rolsuper INTO p
		FROM pg_proc AS f JOIN pg_roles AS r ON r.oid = f.proowner WHERE f.oid = function_oid;
	problem := CASE
		WHEN NOT FOUND THEN format('there is no function %s(floe.debt_input)', left(score_function.name, 200))
		WHEN p.prokind <> 'f' OR p.proretset OR p.prorettype <> 'float8'::regtype THEN format('function %s does not return one double precision', function_oid::regprocedure)
		WHEN NOT p.prosecdef AND NOT p.rolsuper THEN format('function %s would run with the rights of floe''s owner: it is no security definer, and its owner "%s" is no superuser', function_oid::regprocedure, p.rolname) END;
END
$body$;
COMMENT ON FUNCTION floe_internal.score_function(pg_catalog.text) IS 'A score function by its name with schema; problem: why it is not called; NULL: it is';

-- Whatever the function does is undone: it reads in a read-only subtransaction that always ends in a rollback, so that it leaves no row, no setting and
-- no deferred trigger behind, which would run as somebody else.
CREATE FUNCTION floe_internal.call_score(function_oid pg_catalog.oid, inputs floe.debt_input[], OUT scores pg_catalog.float8[], OUT problem pg_catalog.text) RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	BEGIN
		PERFORM set_config('transaction_read_only', 'on', true);
		EXECUTE format('SELECT array_agg(%s(($1)[i]) ORDER BY i) FROM generate_subscripts($1, 1) AS i', function_oid::regproc) INTO scores USING inputs;
		RAISE EXCEPTION USING ERRCODE = 'FLOES';
	EXCEPTION
		WHEN SQLSTATE 'FLOES' THEN
			NULL;
		WHEN query_canceled THEN
			RAISE;
		WHEN OTHERS THEN
			scores := NULL;
			problem := SQLERRM;
	END;
END
$body$;
COMMENT ON FUNCTION floe_internal.call_score(pg_catalog.oid, floe.debt_input[]) IS 'Scores of some candidates by a user''s function; one that fails fails all of them';

CREATE FUNCTION floe_internal.own_scores(name pg_catalog.text, inputs floe.debt_input[]) RETURNS TABLE (place pg_catalog.int4, score pg_catalog.float8, problem pg_catalog.text)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	f record;
	one record;
	all_scores float8[];
	all_problem text;
BEGIN
	SELECT * INTO f FROM floe_internal.score_function(own_scores.name);
	IF f.problem IS NULL THEN
		SELECT c.scores, c.problem INTO all_scores, all_problem FROM floe_internal.call_score(f.function_oid, inputs) AS c;
	END IF;
	FOR i IN 1 .. cardinality(inputs)
	LOOP
		place := i;
		problem := f.problem;
		score := NULL;
		IF problem IS NULL AND all_problem IS NULL THEN
			score := all_scores[i];
		ELSIF problem IS NULL THEN
			-- for which of them it fails
			SELECT * INTO one FROM floe_internal.call_score(f.function_oid, inputs[i:i]);
			score := one.scores[1];
			problem := one.problem;
		END IF;
		IF problem IS NULL AND (score IS NULL OR score IN ('NaN', 'Infinity', '-Infinity')) THEN
			problem := format('it answers %s', COALESCE(score::text, 'NULL'));
		END IF;
		score := CASE WHEN problem IS NULL THEN score END;
		RETURN NEXT;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION floe_internal.own_scores(pg_catalog.text, floe.debt_input[]) IS 'Score of each candidate by a user''s function, in one call where none fails; problem: why there is none';

-- ---- the score ----

CREATE FUNCTION floe_internal.scores(candidates floe_internal.candidate[], at pg_catalog.timestamptz)
	RETURNS TABLE (table_id pg_catalog.int8, operation pg_catalog.text, score pg_catalog.float8, parts pg_catalog.jsonb, problem pg_catalog.text, estimate pg_catalog.jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	named bool;
BEGIN
	named := EXISTS (SELECT 1 FROM floe_internal.effective AS e WHERE e.operation = '' AND strpos(e.settings ->> 'score', '.') > 0
		AND e.policy_set_id IN (SELECT t.policy_set_id FROM unnest(candidates) AS c JOIN floe_internal.iceberg_table AS t ON t.table_id = c.table_id));
	IF NOT named THEN
		RETURN QUERY
			SELECT d.table_id, d.operation, sum(d.contribution), jsonb_object_agg(d.term, round(d.contribution::numeric, 6)), NULL::text, (array_agg(d.estimate))[1]
			FROM floe_internal.debt_terms(candidates, at, false) AS d GROUP BY d.table_id, d.operation;
		RETURN;
	END IF;
	RETURN QUERY
		WITH p AS MATERIALIZED (
			SELECT d.table_id, d.operation, sum(d.contribution) AS score, jsonb_object_agg(d.term, round(d.contribution::numeric, 6)) AS parts, (array_agg(d.estimate))[1] AS estimate,
				   jsonb_object_agg(d.term, d.value) AS terms, max(d.raw) FILTER (WHERE d.term = 'severity') AS severity, max(d.failures) AS failures, max(d.score_function) AS score_function
			FROM floe_internal.debt_terms(candidates, at, false) AS d GROUP BY d.table_id, d.operation
		), input AS MATERIALIZED (
			SELECT p.*, row_number() OVER (PARTITION BY p.score_function ORDER BY p.table_id, p.operation) AS place,
				   ROW(t.name, p.operation, p.severity, (p.estimate ->> 'objects')::float8, (p.estimate ->> 'bytes')::float8, (p.estimate ->> 'bytes_freed')::float8,
					   (p.estimate ->> 'files_before')::float8, (p.estimate ->> 'files_after')::float8, (p.estimate ->> 'minutes')::float8, (p.estimate ->> 'gb_hours')::float8,
					   (p.estimate ->> 'past_runs')::int8, p.failures, p.terms, p.score)::floe.debt_input AS input
			FROM p JOIN floe_internal.iceberg_table AS t ON t.table_id = p.table_id
		), own AS MATERIALIZED (
			SELECT g.score_function, o.place, o.score, o.problem
			FROM (SELECT i.score_function, array_agg(i.input ORDER BY i.place) AS inputs FROM input AS i WHERE i.score_function IS NOT NULL GROUP BY i.score_function) AS g
			CROSS JOIN LATERAL floe_internal.own_scores(g.score_function, g.inputs) AS o
		)
		SELECT i.table_id, i.operation, COALESCE(o.score, i.score), CASE WHEN o.score IS NULL THEN i.parts ELSE jsonb_build_object(i.score_function, round(o.score::numeric, 6)) END,
			   CASE WHEN o.problem IS NOT NULL THEN format('%s: %s', i.score_function, o.problem) END, i.estimate
		FROM input AS i LEFT JOIN own AS o ON o.score_function = i.score_function AND o.place = i.place;
END
$body$;
COMMENT ON FUNCTION floe_internal.scores(floe_internal.candidate[], pg_catalog.timestamptz) IS 'Score of candidates with its parts and the estimate it rests on; problem: why it is the default preset''s and not that of the function that the policies name';

CREATE FUNCTION floe.debt(table_name pg_catalog.text,
		OUT operation pg_catalog.text, OUT term pg_catalog.text, OUT raw pg_catalog.float8, OUT value pg_catalog.float8, OUT weight pg_catalog.float8, OUT contribution pg_catalog.float8,
		OUT set_by pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	t CONSTANT floe_internal.iceberg_table := floe_internal.require_table(debt.table_name);
	at CONSTANT timestamptz := floe_internal.clock();
	candidates CONSTANT floe_internal.candidate[] := ARRAY(SELECT floe_internal.candidate(c.table_id, c.operation, c.settings, c.remedy_options, c.severity)
		FROM floe_internal.decision_context(ARRAY[t.table_id], at) AS c);
BEGIN
	RETURN QUERY
		SELECT d.operation, d.term, round(d.raw::numeric, 3)::float8, round(d.value::numeric, 6)::float8, d.weight, round(d.contribution::numeric, 6)::float8, d.set_by
		FROM (SELECT x.operation, x.term, x.position, CASE WHEN x.raw NOT IN ('Infinity', 'NaN') THEN COALESCE(x.raw, 0) ELSE 0 END AS raw, x.value, x.weight, x.contribution, x.set_by
			  FROM floe_internal.debt_terms(candidates, at, true) AS x
			  UNION ALL
			  -- a function's word counts instead of the sum
			  SELECT s.operation, f.name, 1000, CASE WHEN s.problem IS NULL THEN s.score END, NULL, NULL, CASE WHEN s.problem IS NULL THEN s.score END,
					 CASE WHEN s.problem IS NULL THEN 'instead of the sum of the others' ELSE substr(s.problem, length(f.name) + 3) || '; the sum of the others holds' END
			  FROM (SELECT w.score_function AS name FROM floe_internal.score_weights(ARRAY[t.policy_set_id]) AS w WHERE w.score_function IS NOT NULL LIMIT 1) AS f
			  CROSS JOIN LATERAL floe_internal.scores(candidates, at) AS s) AS d
		JOIN floe_internal.operation_kind AS k ON k.operation = d.operation
		ORDER BY k.position, d.position;
END
$body$;
COMMENT ON FUNCTION floe.debt(pg_catalog.text) IS 'Breakdown of a table''s debt score: per operation and term, as measured (raw), from 0 to 1 (value), weighted, and who set the weight; a score function of the policies stands last';
