-- =================================================================================================
-- 58 slices
-- Which partitions of a table a rewrite is about: the part of a large table that fits the budget of one
-- operation, and never the partitions that are being written. Separate from gates and selection, which ask.
-- =================================================================================================

-- The statement's text is made by the functions up to partition_term() alone. What has no form that every setting of Spark reads alike
-- (backslash, "${") is not said: NULL. It is the language of the option "where" (docs/predicates.md).
CREATE FUNCTION floe_internal.predicate_text(value pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN pg_catalog.strpos(value, '\') = 0 AND pg_catalog.strpos(value, '${') = 0 AND pg_catalog.strpos(value, '�') = 0 AND pg_catalog.length(value) <= 1000
		THEN '''' || pg_catalog.replace(value, '''', '''''') || '''' END;
END;
COMMENT ON FUNCTION floe_internal.predicate_text(pg_catalog.text) IS 'A text literal of a predicate; NULL where it has none that is safe, and for what was shown with U+FFFD, which stands for other bytes';

CREATE FUNCTION floe_internal.predicate_column(columns pg_catalog.jsonb, column_id pg_catalog.int4) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN floe_internal.predicate_text(c.item ->> 'name') IS NULL OR c.item ->> 'name' = '' THEN NULL
		WHEN pg_catalog.strpos(c.item ->> 'name', '.') = 0 THEN '`' || pg_catalog.replace(c.item ->> 'name', '`', '``') || '`'
		-- a dot is one of a path, or one of a name: only where each part is a struct it is the first for certain
		WHEN (SELECT pg_catalog.bool_and(EXISTS (SELECT 1 FROM pg_catalog.jsonb_array_elements(columns) AS s (item)
					WHERE s.item ->> 'type' = 'struct' AND s.item ->> 'name' = pg_catalog.array_to_string(p.parts[1:i], '.')))
			FROM pg_catalog.generate_series(1, pg_catalog.cardinality(p.parts) - 1) AS i)
			THEN (SELECT pg_catalog.string_agg('`' || pg_catalog.replace(x.part, '`', '``') || '`', '.' ORDER BY x.place) FROM pg_catalog.unnest(p.parts) WITH ORDINALITY AS x (part, place)) END
	FROM pg_catalog.jsonb_array_elements(columns) AS c (item)
	CROSS JOIN LATERAL (SELECT pg_catalog.string_to_array(c.item ->> 'name', '.') AS parts) AS p
	WHERE (c.item ->> 'id')::pg_catalog.int4 = column_id
	LIMIT 1;
END;
COMMENT ON FUNCTION floe_internal.predicate_column(pg_catalog.jsonb, pg_catalog.int4) IS 'A column of the current schema, quoted, by its id; NULL: it was dropped, or its name cannot be said safely';

-- What was read of a manifest is whatever somebody wrote: 31 February is a text like others, and must not be an error of all tables decided upon with this one.
CREATE FUNCTION floe_internal.predicate_day(value pg_catalog.text) RETURNS pg_catalog.timestamp
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN value ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' AND value > '0000z' THEN (
		SELECT CASE WHEN pg_catalog.to_char(d.at, 'YYYY-MM-DD') = value THEN d.at END
		FROM (SELECT (pg_catalog."left"(value, 4) || '-01-01')::pg_catalog.timestamp
			+ pg_catalog.make_interval(months => pg_catalog.substr(value, 6, 2)::pg_catalog.int4 - 1, days => pg_catalog."right"(value, 2)::pg_catalog.int4 - 1) AS at) AS d) END;
END;
COMMENT ON FUNCTION floe_internal.predicate_day(pg_catalog.text) IS 'The beginning of a day of the years 1 to 9999; NULL: there is no such day';

-- Years that every SQL can write with four digits.
CREATE FUNCTION floe_internal.predicate_time(at pg_catalog.timestamp, column_type pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN at < '0001-01-01' OR at >= '10000-01-01' THEN NULL
		WHEN column_type = 'date' THEN pg_catalog.to_char(at, '"DATE ''"YYYY-MM-DD"''"')
		WHEN column_type IN ('timestamp', 'timestamptz') THEN pg_catalog.to_char(at, '"TIMESTAMP ''"YYYY-MM-DD HH24:MI:SS.US"''"') END;
END;
COMMENT ON FUNCTION floe_internal.predicate_time(pg_catalog.timestamp, pg_catalog.text) IS 'A date or time literal for a column of that Iceberg type; at is in UTC';

CREATE FUNCTION floe_internal.predicate_literal(value pg_catalog.text, column_type pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN column_type = 'boolean' AND value IN ('true', 'false') THEN value
		WHEN column_type IN ('int', 'long') AND value ~ '^-?[0-9]{1,19}$' THEN value
		WHEN column_type LIKE 'decimal(%' AND value ~ '^-?[0-9]{1,38}(\.[0-9]{1,38})?$' THEN value
		WHEN column_type IN ('float', 'double') AND value ~ '^-?[0-9]{1,20}([.][0-9]{1,20})?(e[-+]?[0-9]{1,3})?$' THEN value
		WHEN column_type IN ('date', 'timestamp', 'timestamptz') AND value ~ '^.{10}(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}(\+00:00)?)?$'
			THEN floe_internal.predicate_time(floe_internal.predicate_day(pg_catalog."left"(value, 10)) + COALESCE(NULLIF(pg_catalog.substr(value, 12, 15), ''), '0')::pg_catalog.interval, column_type)
		WHEN column_type = 'string' THEN floe_internal.predicate_text(value) END;
END;
COMMENT ON FUNCTION floe_internal.predicate_literal(pg_catalog.text, pg_catalog.text) IS 'A partition value, as floe.partition_health() shows it, as a literal of the source column''s Iceberg type; NULL: it has none';

-- The least text that is greater than every text that begins with this.
CREATE FUNCTION floe_internal.next_prefix(prefix pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog."left"(p.kept, -1) || pg_catalog.chr(CASE pg_catalog.ascii(pg_catalog."right"(p.kept, 1)) WHEN 55295 THEN 57344 ELSE pg_catalog.ascii(pg_catalog."right"(p.kept, 1)) + 1 END)
	FROM (SELECT pg_catalog.rtrim(prefix, '􏿿') AS kept) AS p WHERE p.kept <> '';
END;
COMMENT ON FUNCTION floe_internal.next_prefix(pg_catalog.text) IS 'By code points, without surrogates; NULL: there is none';

CREATE FUNCTION floe_internal.predicate_range(column_name pg_catalog.text, low pg_catalog.text, high pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN low IS NOT NULL THEN pg_catalog.concat_ws(' AND ', column_name || ' >= ' || low, column_name || ' < ' || high) END;
END;
COMMENT ON FUNCTION floe_internal.predicate_range(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS 'From low to below high; high NULL: to the end';

-- Iceberg finds the files of a predicate by projecting it on the partition, and these project on exactly one value.
CREATE FUNCTION floe_internal.partition_term(column_name pg_catalog.text, column_type pg_catalog.text, transform pg_catalog.text, value pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE
		WHEN column_name IS NULL OR transform = 'void' THEN NULL
		WHEN value IS NULL THEN CASE WHEN transform ~ '^(identity|bucket\[[0-9]+\]|truncate\[[0-9]+\]|year|month|day|hour)$' THEN column_name || ' IS NULL' END
		WHEN transform = 'identity' THEN column_name || ' = ' || floe_internal.predicate_literal(value, column_type)
		WHEN transform IN ('year', 'month', 'day', 'hour') THEN (
			SELECT floe_internal.predicate_range(column_name, floe_internal.predicate_time(b.at, column_type),
				floe_internal.predicate_time(b.at + ('1 ' || transform)::pg_catalog.interval, column_type))
			FROM (SELECT CASE transform WHEN 'year' THEN floe_internal.predicate_day(value || '-01-01')
				WHEN 'month' THEN floe_internal.predicate_day(value || '-01')
				WHEN 'day' THEN floe_internal.predicate_day(value)
				ELSE CASE WHEN value ~ '^.{10}-([01][0-9]|2[0-3])$'
					THEN floe_internal.predicate_day(pg_catalog."left"(value, 10)) + pg_catalog.make_interval(hours => pg_catalog."right"(value, 2)::pg_catalog.int4) END END AS at) AS b
			WHERE column_type <> 'date' OR transform <> 'hour')
		WHEN transform ~ '^truncate\[[1-9][0-9]{0,8}\]$' THEN (
			SELECT CASE
				WHEN column_type IN ('int', 'long') AND value ~ '^-?[0-9]{1,19}$' THEN floe_internal.predicate_range(column_name, value,
					CASE WHEN value::pg_catalog.numeric + w.width <= CASE column_type WHEN 'int' THEN 2147483647 ELSE 9223372036854775807 END THEN (value::pg_catalog.numeric + w.width)::pg_catalog.text END)
				WHEN column_type ~ '^decimal\([0-9]{1,2}, ?[0-9]{1,2}\)$' AND value ~ '^-?[0-9]{1,38}(\.[0-9]{1,38})?$' THEN floe_internal.predicate_range(column_name, value,
					(value::pg_catalog.numeric + w.width * ('1e-' || (pg_catalog.regexp_match(column_type, ', ?([0-9]+)'))[1])::pg_catalog.numeric)::pg_catalog.text)
				WHEN column_type = 'string' AND pg_catalog.length(value) < w.width THEN column_name || ' = ' || floe_internal.predicate_text(value)
				WHEN column_type = 'string' AND pg_catalog.length(value) = w.width THEN floe_internal.predicate_range(column_name, floe_internal.predicate_text(value),
					-- what comes after "[" is a backslash, which cannot be said; what is after that can
					floe_internal.predicate_text(pg_catalog.replace(floe_internal.next_prefix(value), '\', ']'))) END
			FROM (SELECT (pg_catalog.regexp_match(transform, '[0-9]+'))[1]::pg_catalog.int8 AS width) AS w) END;
END;
COMMENT ON FUNCTION floe_internal.partition_term(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text)
	IS 'The rows whose partition field has that value, as a predicate on its source column; NULL: it cannot be said (bucket, and what has no literal), and the field is left out';

CREATE FUNCTION floe_internal.partition_predicate(specs pg_catalog.jsonb, columns pg_catalog.jsonb, of_spec_id pg_catalog.int4, partition pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.string_agg(floe_internal.partition_term(floe_internal.predicate_column(columns, (f.item ->> 'source_id')::pg_catalog.int4), f.item ->> 'source_type',
			f.item ->> 'transform', partition::pg_catalog.json ->> (f.item ->> 'name')), ' AND ' ORDER BY f.place)
	FROM pg_catalog.jsonb_array_elements(specs) AS s (item)
	CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(s.item -> 'fields') WITH ORDINALITY AS f (item, place)
	WHERE (s.item ->> 'spec_id')::pg_catalog.int4 = of_spec_id;
END;
COMMENT ON FUNCTION floe_internal.partition_predicate(pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.int4, pg_catalog.text)
	IS 'The rows of a partition, and where a field cannot be said those of its neighbours; NULL: of no field can it be said';

-- Who writes the table, and how ------------------------------------------------------------------

CREATE FUNCTION floe_internal.writers(of_table_id pg_catalog.int8, settings pg_catalog.jsonb, at pg_catalog.timestamptz,
		OUT quiet_period pg_catalog.interval, OUT may_conflict pg_catalog.bool, OUT commit_interval pg_catalog.float8)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	commits int;
BEGIN
	SELECT h.commit_interval, COALESCE((settings ->> 'quiet_period')::interval,
			CASE WHEN h.commit_interval <= 600 THEN GREATEST(interval '2 minutes', make_interval(secs => 2 * h.commit_interval)) ELSE '0' END)
		INTO commit_interval, quiet_period
		FROM floe_internal.health AS h WHERE h.table_id = of_table_id AND h.last_write_at IS NOT NULL;
	may_conflict := false;
	IF NOT FOUND OR quiet_period = '0' THEN
		quiet_period := '0';
		RETURN;
	END IF;
	-- adding files conflicts with nothing; whoever removes rows, or replaces files, wants the files that he has read to be there
	SELECT count(*), COALESCE(bool_or(s.operation IS DISTINCT FROM 'append'), false) INTO commits, may_conflict
		FROM floe_internal.iceberg_table AS t CROSS JOIN LATERAL floe_internal.snapshot_list(t.snapshots) AS s
		WHERE t.table_id = of_table_id AND s.operation IS DISTINCT FROM 'replace' AND s.committed_at > at - GREATEST(interval '1 hour', 10 * quiet_period);
	IF commits < 3 AND NOT settings ? 'quiet_period' THEN
		quiet_period := '0';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.writers(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.timestamptz)
	IS 'quiet_period: so long after its last commit a partition counts as being written; 0: nobody writes often. As a policy says; else twice the median gap between commits, at least 2 minutes, for tables that are written every 10 minutes or more often. may_conflict: not all of the last commits only added files';

-- Partitions with something to gain. Those that one predicate cannot tell apart are one row.
CREATE FUNCTION floe_internal.slice_units(of_table_id pg_catalog.int8, with_deletes pg_catalog.bool, quiet_period pg_catalog.interval, at pg_catalog.timestamptz)
	RETURNS TABLE (predicate pg_catalog.text, partitions pg_catalog.int8, files pg_catalog.int8, objects pg_catalog.int8, bytes pg_catalog.float8, hot_until pg_catalog.timestamptz)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY
		WITH t AS MATERIALIZED (
			SELECT x.* FROM floe_internal.iceberg_table AS x WHERE x.table_id = of_table_id
		), recent AS MATERIALIZED (
			SELECT s.snapshot_id, s.sequence_number, s.committed_at FROM t CROSS JOIN LATERAL floe_internal.snapshot_list(t.snapshots) AS s
			WHERE s.operation IS DISTINCT FROM 'replace' AND s.committed_at > at - slice_units.quiet_period
		), merged AS (
			SELECT floe_internal.merge_partitions(m.content, m.spec_id, m.aggregate, z.target_bytes, z.small_below, z.oversized_above, z.min_input_files, z.deletes_per_file ORDER BY m.content DESC, l.place) AS parts
			FROM t CROSS JOIN LATERAL floe_internal.size_limits(t.table_id, t.properties) AS z
			CROSS JOIN LATERAL unnest(t.manifest_ids) WITH ORDINALITY AS l (id, place)
			JOIN floe_internal.manifest AS m ON m.manifest_id = l.id
		), part AS MATERIALIZED (
			SELECT p.spec_id, p.partition, p.excess_file_count + d.deletes AS objects, CASE WHEN d.deletes > 0 THEN p.data_file_count ELSE p.small_file_count END AS files,
				CASE WHEN d.deletes > 0 THEN p.data_bytes ELSE p.small_file_bytes END AS bytes,
				(SELECT max(r.committed_at) FROM recent AS r WHERE r.snapshot_id = ANY (p.snapshot_ids) OR r.sequence_number = p.last_delete_sequence) + slice_units.quiet_period AS hot_until
			FROM merged CROSS JOIN LATERAL unnest(merged.parts) AS p
			-- those that apply to nothing stay behind, whatever is rewritten
			CROSS JOIN LATERAL (SELECT CASE WHEN with_deletes
				THEN GREATEST(p.position_delete_file_count + p.equality_delete_file_count + p.deletion_vector_count - COALESCE(p.dangling_delete_count, 0), 0) ELSE 0 END AS deletes) AS d
			WHERE p.data_file_count > 0 AND p.excess_file_count + d.deletes > 0
		), field AS MATERIALIZED (
			SELECT (s.item ->> 'spec_id')::int4 AS spec_id, f.place, f.item ->> 'name' AS name, f.item ->> 'source_type' AS source_type, f.item ->> 'transform' AS transform,
				floe_internal.predicate_column(t.details -> 'columns', (f.item ->> 'source_id')::int4) AS column_name
			FROM t CROSS JOIN LATERAL jsonb_array_elements(t.specs) AS s (item) CROSS JOIN LATERAL jsonb_array_elements(s.item -> 'fields') WITH ORDINALITY AS f (item, place)
		), told AS (
			-- of very many those with most to gain are enough; all count in the sums
			SELECT x.*, CASE WHEN x.place <= 2000 THEN (
				SELECT string_agg(floe_internal.partition_term(f.column_name, f.source_type, f.transform, x.partition::json ->> f.name), ' AND ' ORDER BY f.place)
				FROM field AS f WHERE f.spec_id = x.spec_id) END AS predicate
			FROM (SELECT p.*, row_number() OVER (ORDER BY p.hot_until IS NOT NULL, p.objects DESC, p.bytes, p.spec_id, p.partition) AS place FROM part AS p) AS x
		)
		SELECT w.predicate, count(*), sum(w.files)::int8, sum(w.objects)::int8, sum(w.bytes)::float8, max(w.hot_until)
		FROM told AS w
		-- what cannot be said is not mixed up with what is being written
		GROUP BY w.predicate, CASE WHEN w.predicate IS NULL THEN w.hot_until IS NULL END
		ORDER BY 4 DESC, 5, 1;
END
$body$;
COMMENT ON FUNCTION floe_internal.slice_units(pg_catalog.int8, pg_catalog.bool, pg_catalog.interval, pg_catalog.timestamptz)
	IS 'Partitions in which rewriting data files would have an effect, most first: how to say them, what would go (objects: excess and delete files), what it costs, and until when they count as being written; predicate NULL: those that cannot be said';

CREATE FUNCTION floe_internal.applies_deletes(options pg_catalog.jsonb) RETURNS pg_catalog.bool
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT COALESCE(options ?| '{delete_file_threshold,delete_ratio_threshold}', false);
END;
COMMENT ON FUNCTION floe_internal.applies_deletes(pg_catalog.jsonb) IS 'Whether files are rewritten for the sake of their deletes, too';

-- For the gate "writers". severity: how far the worst metric is; beyond the middle between warning and critical waiting costs more than a conflict.
CREATE FUNCTION floe_internal.hot_partitions(of_table_id pg_catalog.int8, settings pg_catalog.jsonb, with_deletes pg_catalog.bool, severity pg_catalog.float8, at pg_catalog.timestamptz,
		OUT stops pg_catalog.bool, OUT told pg_catalog.text, OUT limit_told pg_catalog.text, OUT hot_until pg_catalog.timestamptz)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	w record;
	n record;
BEGIN
	SELECT * INTO w FROM floe_internal.writers(of_table_id, settings, at);
	IF w.quiet_period = '0' THEN
		RETURN;
	END IF;
	SELECT COALESCE(sum(u.partitions), 0) AS partitions, COALESCE(sum(u.partitions) FILTER (WHERE u.hot_until > at), 0) AS hot, min(u.hot_until) AS hot_until INTO n
		FROM floe_internal.slice_units(of_table_id, with_deletes, w.quiet_period, at) AS u;
	IF n.hot = 0 THEN
		RETURN;
	END IF;
	hot_until := n.hot_until;
	limit_told := 'quiet for ' || floe_internal.format_interval(w.quiet_period);
	stops := n.hot = n.partitions AND w.may_conflict AND COALESCE(severity, 0) < 0.75;
	told := concat_ws(', ', format('%s of %s partitions are hot', n.hot, n.partitions),
		CASE WHEN n.hot < n.partitions THEN NULL WHEN NOT w.may_conflict THEN 'but files are only added' WHEN NOT stops THEN 'and it is more urgent than that' END);
END
$body$;
COMMENT ON FUNCTION floe_internal.hot_partitions(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.bool, pg_catalog.float8, pg_catalog.timestamptz)
	IS 'Whether all partitions that need rewriting are being written, by somebody whom that would disturb; NULLs: none is';

-- The part of a table that the next rewrite_data_files is about. All NULL: the whole of it, as its options say.
CREATE FUNCTION floe_internal.slice(of_table_id pg_catalog.int8, settings pg_catalog.jsonb, options pg_catalog.jsonb, at pg_catalog.timestamptz, with_hot pg_catalog.bool,
		OUT predicate pg_catalog.text, OUT more_options pg_catalog.jsonb, OUT detail pg_catalog.jsonb)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	most_partitions CONSTANT int := 200;	-- a predicate of so many, or so long, is one that every engine takes
	most_text CONSTANT int := 12000;
	large_bytes CONSTANT float8 := 10e9;
	deletes CONSTANT bool := floe_internal.applies_deletes(options);
	rewrites_all CONSTANT bool := COALESCE((options ->> 'rewrite_all')::bool, false);
	h floe_internal.health;
	x floe_internal.table_operation;
	w record;
	u record;
	budget float8 := COALESCE((settings ->> 'slice_bytes')::float8, 'Infinity');
	most int;
	taken text[] := ARRAY[]::text[];
	marks text[] := ARRAY[]::text[];
	partitions int8 := 0;
	objects int8 := 0;
	bytes float8 := 0;
	rest int8 := 0;
	max_files int8;
BEGIN
	SELECT * INTO h FROM floe_internal.health AS z WHERE z.table_id = of_table_id;
	SELECT * INTO x FROM floe_internal.table_operation AS z WHERE z.table_id = of_table_id AND z.operation = 'rewrite_data_files';
	-- who writes does not matter where nobody wrote lately: 20 minutes are the longest quiet period that floe itself sets
	SELECT * INTO w FROM floe_internal.writers(of_table_id, settings, at) WHERE NOT with_hot AND h.last_write_at > at - COALESCE((settings ->> 'quiet_period')::interval, '20 minutes');
	x.slice_halvings := COALESCE(x.slice_halvings, 0);
	IF settings ? 'slice_time' THEN
		budget := LEAST(budget, extract(epoch FROM (settings ->> 'slice_time')::interval)
			* (SELECT t.bytes_per_second FROM floe_internal.throughput(settings ->> 'engine', 'rewrite_data_files') AS t));
	END IF;
	with_hot := with_hot OR COALESCE(w.quiet_period, '0') = '0' OR h.last_write_at <= at - w.quiet_period;
	bytes := CASE WHEN deletes OR rewrites_all THEN h.data_bytes ELSE h.small_file_bytes END;
	-- after rewrite_all nothing shows what is left to do, so it could not go on where it stopped; of another branch the partitions are not known
	IF h.is_complete AND NOT rewrites_all AND COALESCE(options ->> 'branch', 'main') = 'main' AND (bytes > budget OR NOT with_hot OR x.slice_halvings > 0 OR x.slice_tried <> '{}') THEN
		bytes := 0;
		FOR u IN
			WITH a AS MATERIALIZED (
				SELECT z.*, md5(concat_ws('|', z.predicate, z.objects)) AS mark, COALESCE(z.hot_until > at, false) AND NOT with_hot AS is_hot
				FROM floe_internal.slice_units(of_table_id, deletes, w.quiet_period, at) AS z
			), n AS MATERIALIZED (
				SELECT sum(a.partitions) AS all_partitions, sum(a.bytes) AS all_bytes, COALESCE(sum(a.partitions) FILTER (WHERE a.is_hot), 0) AS hot_partitions, min(a.hot_until) FILTER (WHERE a.is_hot) AS hot_end,
					-- nothing is lost where files are only added, unless they will be rewritten once more soon
					COALESCE(sum(a.objects) FILTER (WHERE NOT a.is_hot) * CASE WHEN w.may_conflict THEN 1e9 ELSE 2 END >= sum(a.objects), false) AS cold_only
				FROM a
			), wanted AS (
				SELECT a.*, n.*, z.is_tried, bool_and(z.is_tried) OVER () AS all_tried
				FROM a CROSS JOIN n CROSS JOIN LATERAL (SELECT a.mark = ANY (COALESCE(x.slice_tried, '{}')) AS is_tried) AS z WHERE NOT (a.is_hot AND n.cold_only)
			), pool AS (
				SELECT z.*, sum(z.bytes) OVER () AS pool_bytes, sum(z.partitions) OVER () AS pool_partitions, count(z.predicate) OVER () AS units
				FROM wanted AS z WHERE z.all_tried OR NOT z.is_tried
			)
			SELECT * FROM pool ORDER BY pool.predicate IS NULL, pool.objects DESC, pool.bytes, pool.predicate
		LOOP
			IF detail IS NULL THEN
				-- while somebody writes, a partition that needs nothing yet may do so before the engine plans: then it is said which are meant
				EXIT WHEN x.slice_halvings = 0 AND u.pool_bytes <= budget AND u.pool_partitions = u.all_partitions AND (with_hot OR NOT u.cold_only);
				budget := LEAST(budget, u.pool_bytes) / pow(2, x.slice_halvings);
				most := ceil(LEAST(most_partitions, u.units) / pow(2, x.slice_halvings));
				detail := jsonb_build_object('of_partitions', u.all_partitions, 'of_bytes', u.all_bytes::int8)
					|| CASE WHEN u.hot_partitions > 0 AND u.cold_only THEN jsonb_build_object('hot_partitions', u.hot_partitions, 'hot_until', u.hot_end) ELSE '{}' END
					|| CASE WHEN x.slice_halvings > 0 THEN jsonb_build_object('halvings', x.slice_halvings) ELSE '{}' END;
			ELSIF u.predicate IS NULL OR cardinality(taken) >= most OR bytes + u.bytes > budget OR length(u.predicate) + (SELECT sum(length(z) + 6) FROM unnest(taken) AS z) > most_text OR max_files IS NOT NULL THEN
				rest := rest + u.partitions;
				CONTINUE;
			END IF;
			marks := marks || u.mark;
			taken := taken || u.predicate;
			partitions := partitions + u.partitions;
			objects := objects + u.objects;
			IF u.bytes > budget THEN
				-- one partition is more than that, or it cannot be said which: so many of its files, and it is not done with these
				max_files := GREATEST(2, floor(u.files * budget / u.bytes));
				rest := rest + 1;
			END IF;
			bytes := bytes + LEAST(u.bytes, budget);
		END LOOP;
	END IF;
	IF detail IS NOT NULL THEN
		detail := jsonb_build_object('partitions', partitions, 'bytes', bytes::int8, 'objects', objects, 'left', rest, 'units', marks) || detail;
		predicate := (SELECT string_agg(CASE WHEN cardinality(taken) > 1 AND strpos(z.term, ' AND ') > 0 THEN '(' || z.term || ')' ELSE z.term END, ' OR ' ORDER BY z.place)
			FROM unnest(taken) WITH ORDINALITY AS z (term, place) WHERE z.term IS NOT NULL);
		IF max_files IS NOT NULL THEN
			max_files := LEAST(max_files, (options ->> 'max_files_to_rewrite')::int8);
			detail := detail || jsonb_build_object('max_files', max_files);
			more_options := jsonb_build_object('max_files_to_rewrite', max_files);
		END IF;
	END IF;
	IF bytes > large_bytes AND NOT options ? 'partial_progress_enabled' THEN
		more_options := COALESCE(more_options, '{}') || '{"partial_progress_enabled": true}';
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.slice(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.timestamptz, pg_catalog.bool)
	IS 'predicate: of its partitions, most to gain first, as many as fit slice_bytes and slice_time, halved after each conflict, none that are being written (unless with_hot); more_options: partial progress beyond 10 GB, and a limit on files where a predicate does not divide; detail: partitions and bytes of how many, left: partitions for the next slices. NULLs: the whole table';

CREATE FUNCTION floe_internal.slice_text(slice pg_catalog.jsonb) RETURNS pg_catalog.text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.concat_ws(', ', pg_catalog.format('%s of %s partitions', slice ->> 'partitions', slice ->> 'of_partitions'),
		pg_catalog.format('%s of %s', floe_internal.format_metric((slice ->> 'bytes')::pg_catalog.float8, 'bytes'), floe_internal.format_metric((slice ->> 'of_bytes')::pg_catalog.float8, 'bytes')),
		'at most ' || (slice ->> 'max_files') || ' files',
		CASE WHEN slice ? 'hot_partitions' THEN pg_catalog.format('%s hot until %s or later', slice ->> 'hot_partitions',
			pg_catalog.to_char((slice ->> 'hot_until')::pg_catalog.timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')) END)
	WHERE slice IS NOT NULL;
END;
COMMENT ON FUNCTION floe_internal.slice_text(pg_catalog.jsonb) IS 'A slice in a few words';
