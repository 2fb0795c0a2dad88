--
-- lab.sql: what the SQL tests share. Each of sql/*.sql reads it first and so begins with a new extension, a stopped clock and one superuser.
--
-- Tables get their health the way the library gives it to them: a listing, stored aggregates of manifests, an assessment. The encoders below write
-- what src/iceberg/agg.c and src/iceberg/snapshot_codec.c read. Nothing here is random and nothing reads the wall clock, so results are the same
-- everywhere and always.
--
\set ON_ERROR_STOP 0
\set SHOW_CONTEXT never
SET client_min_messages = error;
DROP EXTENSION IF EXISTS floe CASCADE;
DROP SCHEMA IF EXISTS lab CASCADE;
DO $do$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'regress_boss') THEN
		CREATE ROLE regress_boss SUPERUSER LOGIN;
	END IF;
END
$do$;
SET SESSION AUTHORIZATION regress_boss;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
-- as the public functions and the library do for themselves; the tests also call what these call
SET jit = off;
CREATE EXTENSION floe;
CREATE SCHEMA lab;

-- a Monday
SET floe.virtual_clock = '2026-03-02 12:00:00+00';

-- ---- the clock ----

CREATE FUNCTION lab.at(t timestamptz) RETURNS timestamptz LANGUAGE sql AS
	$$ SELECT set_config('floe.virtual_clock', t::text, false)::timestamptz $$;
CREATE FUNCTION lab.later(i interval) RETURNS timestamptz LANGUAGE sql AS
	$$ SELECT lab.at(floe_internal.clock() + i) $$;

-- ---- stored forms ----

CREATE FUNCTION lab.number(n bigint) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	result bytea := '';
BEGIN
	WHILE n >= 128 LOOP
		result := result || set_byte('\x00', 0, (n & 127 | 128)::int);
		n := n >> 7;
	END LOOP;
	RETURN result || set_byte('\x00', 0, n::int);
END $$;
CREATE FUNCTION lab.zigzag(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$ SELECT lab.number((n << 1) # (n >> 63)) $$;
CREATE FUNCTION lab.list(items bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$ SELECT lab.number(length(items)) || items $$;
CREATE FUNCTION lab.word(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$ SELECT string_agg(substring(int8send(n) FROM i FOR 1), '' ORDER BY i DESC) FROM generate_series(1, 8) AS i $$;

-- Snapshots 1, 2, 3 ... of one branch, oldest first.
CREATE FUNCTION lab.snapshots(at timestamptz[], operations text[] DEFAULT NULL) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	result bytea := '\x01'::bytea || lab.number(cardinality(at));
	ms bigint;
	last bigint := 0;
BEGIN
	FOR i IN 1 .. cardinality(at) LOOP
		ms := (extract(epoch FROM at[i]) * 1000)::bigint;
		result := result
			|| set_byte('\x00', 0, array_position(ARRAY['append', 'replace', 'overwrite', 'delete'], COALESCE(operations[i], 'append')) + CASE WHEN i > 1 THEN 24 ELSE 0 END)
			|| '\x00'::bytea || int8send(i::bigint) || lab.zigzag(ms - last) || lab.zigzag(1);
		last := ms;
	END LOOP;
	RETURN result;
END $$;

-- A data manifest: in each partition so many files of one size with 100 records each.
CREATE FUNCTION lab.data_manifest(partitions text[], files int, file_bytes bigint, deleted_entries int DEFAULT 0) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	result bytea := 'F'::bytea || '\x01'::bytea || CASE WHEN partitions = ARRAY['{}'] THEN '\x02'::bytea ELSE '\x00' END || '\x0000000000'::bytea || lab.number(deleted_entries);
	p text;
BEGIN
	-- the spec id, two size limits, entries added and existing: all zero above
	result := result || lab.number(CASE WHEN files > 0 THEN cardinality(partitions) ELSE 0 END);
	FOR p IN SELECT x FROM unnest(partitions) AS x WHERE files > 0 ORDER BY x COLLATE "C" LOOP
		result := result || '\x00'::bytea || lab.list(convert_to(p, 'UTF8')) || '\x0100'::bytea
			|| lab.number(files) || lab.number(files * file_bytes) || lab.number(files * 100) || lab.number(files * 3)
			|| lab.list(lab.zigzag(1) || lab.word(1)) || lab.list(lab.number(file_bytes * 2 + 1) || lab.number(files));
	END LOOP;
	RETURN result || '\x00'::bytea;
END $$;

-- A delete manifest of an unpartitioned table: 10 rows in each file, all of sequence number 1 (which deletes by position may apply to, by equality not).
CREATE FUNCTION lab.delete_manifest(partition text, position_deletes int, equality_deletes int, sequence_number int DEFAULT 1) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT 'F'::bytea || '\x01'::bytea || CASE WHEN partition = '{}' THEN '\x03'::bytea ELSE '\x01' END || '\x000000000000'::bytea || '\x01'::bytea
		|| '\x00'::bytea || lab.list(convert_to(partition, 'UTF8')) || lab.number(sequence_number) || '\x00'::bytea
		|| lab.number(position_deletes) || lab.number(position_deletes * 10) || lab.number(position_deletes * 1000)
		|| lab.number(equality_deletes) || lab.number(equality_deletes * 10) || lab.number(equality_deletes * 1000)
		|| '\x000000'::bytea
		|| lab.list(CASE WHEN position_deletes > 0 THEN lab.number(sequence_number) || lab.number(position_deletes) ELSE '' END)
		|| lab.list(CASE WHEN equality_deletes > 0 THEN lab.number(sequence_number) || lab.number(equality_deletes) ELSE '' END)
		|| '\x00'::bytea || '\x00'::bytea
$$;

-- ---- catalogs, engines, tables ----

CREATE FUNCTION lab.catalog(name text DEFAULT 'demo') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE SERVER %I TYPE ''rest'' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri ''http://127.0.0.1:1'')', name);
END $$;
CREATE FUNCTION lab.engine(name text DEFAULT 'spark', options text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE SERVER %I TYPE ''spark-thrift'' FOREIGN DATA WRAPPER floe_engine OPTIONS (url ''http://127.0.0.1:1/cliservice''%s)', name, options);
END $$;
CREATE FUNCTION lab.id(name text) RETURNS bigint LANGUAGE sql AS
	$$ SELECT (floe_internal.find_table(name)).table_id $$;

-- A listing of exactly these tables of one catalog.
CREATE FUNCTION lab.list_tables(catalog text, VARIADIC names text[]) RETURNS int LANGUAGE sql AS $$
	SELECT floe_internal.apply_listing(c.catalog_id, x.namespaces, x.tables)
	FROM floe_internal.catalog AS c,
		 (SELECT COALESCE(array_agg(array_to_string(l[2:cardinality(l) - 1], chr(31))), '{}') AS namespaces, COALESCE(array_agg(l[cardinality(l)]), '{}') AS tables
		  FROM (SELECT floe_internal.parse_name(n) AS l FROM unnest(names) AS n) AS p) AS x
	WHERE c.server_name = catalog AND c.status <> 'removed'
$$;

-- Registers a table, where it is new, and gives it the health of these files and snapshots.
CREATE FUNCTION lab.assess(name text, files int DEFAULT 1, file_bytes bigint DEFAULT 536870912, manifests int DEFAULT 1, position_deletes int DEFAULT 0,
		equality_deletes int DEFAULT 0, snapshots int DEFAULT 1, snapshot_gap interval DEFAULT '1 hour', properties jsonb DEFAULT '{}', location text DEFAULT NULL,
		refs jsonb DEFAULT '[]', partitions text[] DEFAULT '{"{}"}', manifest_bytes bigint DEFAULT 10000, format_version int DEFAULT 2, complete bool DEFAULT true,
		uuid text DEFAULT NULL, operations text[] DEFAULT NULL, newest timestamptz DEFAULT NULL, look bigint DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	levels text[] := floe_internal.parse_name(name);
	id bigint := lab.id(name);
	now timestamptz := floe_internal.clock();
	head timestamptz := COALESCE(newest, now - snapshot_gap);
	times timestamptz[] := ARRAY(SELECT head - snapshot_gap * (snapshots - i) FROM generate_series(1, snapshots) AS i);
	ms bigint[] := ARRAY(SELECT (extract(epoch FROM t) * 1000)::bigint FROM unnest(times) AS t);
	paths text[] := ARRAY(SELECT format('m%s-%s.avro', i, snapshots) FROM generate_series(1, manifests + (position_deletes + equality_deletes > 0)::int) AS i);
	n int := cardinality(paths);
	deletes int := n - manifests;
BEGIN
	IF id IS NULL THEN
		PERFORM floe_internal.apply_listing(c.catalog_id, x.namespaces || array_to_string(levels[2:cardinality(levels) - 1], chr(31)), x.tables || levels[cardinality(levels)])
		FROM floe_internal.catalog AS c,
			LATERAL (SELECT array_agg(array_to_string(t.namespace, chr(31))) AS namespaces, array_agg(t.table_name) AS tables
					 FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = c.catalog_id AND t.status <> 'dropped') AS x
		WHERE c.server_name = levels[1] AND c.status <> 'removed';
		id := lab.id(name);
	END IF;
	IF id IS NULL THEN
		RAISE EXCEPTION 'no catalog for %', name;
	END IF;
	PERFORM floe_internal.store_manifests(id, paths, array_fill(manifest_bytes, ARRAY[n]),
		array_fill(0, ARRAY[manifests]) || array_fill(1, ARRAY[deletes]), array_fill(0, ARRAY[n]), array_fill(1::bigint, ARRAY[n]), array_fill(1::bigint, ARRAY[n]), array_fill(false, ARRAY[n]),
		ARRAY(SELECT CASE WHEN i > manifests THEN lab.delete_manifest(partitions[1], position_deletes, equality_deletes)
					 ELSE lab.data_manifest(partitions, files / NULLIF(manifests, 0) + CASE WHEN i <= files % NULLIF(manifests, 0) THEN 1 ELSE 0 END, file_bytes) END
			  FROM generate_series(1, n) AS i ORDER BY i))
		WHERE n > 0;
	PERFORM floe_internal.apply_assessment(id, jsonb_build_object(
			'uuid', COALESCE(uuid, md5(name)), 'location', COALESCE(location, 's3://lake/' || array_to_string(levels, '/')), 'format_version', format_version,
			'metadata_location', format('s3://lake/%s/metadata/%s.json', array_to_string(levels, '/'), md5(concat_ws('|', files, file_bytes, manifests, position_deletes, equality_deletes, snapshots, properties))),
			'current_snapshot_id', NULLIF(snapshots, 0), 'properties', properties,
			'refs', CASE WHEN snapshots > 0 THEN jsonb_build_array(jsonb_build_object('name', 'main', 'type', 'branch', 'snapshot_id', snapshots)) ELSE '[]' END || refs,
			'specs', '[]'::jsonb,
			'details', jsonb_build_object('snapshot_count', snapshots, 'oldest_snapshot_ms', ms[1], 'newest_snapshot_ms', ms[snapshots], 'last_write_ms', ms[snapshots],
				'commit_interval_ms', CASE WHEN snapshots > 1 THEN (extract(epoch FROM snapshot_gap) * 1000)::bigint END,
				'ref_count', (snapshots > 0)::int + jsonb_array_length(refs), 'metadata_json_bytes', 1000 + 100 * snapshots, 'metadata_log_count', LEAST(snapshots, 100))),
		lab.snapshots(times, operations), 'etag-' || snapshots, paths, array_fill(manifest_bytes, ARRAY[n]), array_fill(0, ARRAY[manifests]) || array_fill(1, ARRAY[deletes]),
		array_fill(0, ARRAY[n]), complete, look);
END $$;

-- Health as if it had been measured: single metrics over what lab.assess() left.
CREATE FUNCTION lab.measure(name text, metrics jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	h floe_internal.health;
BEGIN
	DELETE FROM floe_internal.health AS x WHERE x.table_id = lab.id(name) RETURNING * INTO h;
	h := jsonb_populate_record(h, metrics);
	-- what is said of small files holds of what bin-packing would read
	h.rewrite_file_count := CASE WHEN metrics ? 'small_file_count' THEN h.small_file_count ELSE h.rewrite_file_count END;
	h.rewrite_bytes := CASE WHEN metrics ? 'small_file_bytes' THEN h.small_file_bytes ELSE h.rewrite_bytes END;
	INSERT INTO floe_internal.health SELECT (h).*;
END $$;

-- ---- telling ----

-- What a statement says when it fails, as psql would show it, with the SQLSTATE; "ok" when it does not. What it did is undone.
CREATE FUNCTION lab.says(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
	detail text;
	hint text;
BEGIN
	BEGIN
		EXECUTE statement;
		SET CONSTRAINTS ALL IMMEDIATE;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION
		WHEN SQLSTATE 'LAB00' THEN
			RETURN 'ok';
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			RETURN format('%s: %s', SQLSTATE, told) || COALESCE(E'\n  DETAIL: ' || NULLIF(detail, ''), '') || COALESCE(E'\n  HINT: ' || NULLIF(hint, ''), '');
	END;
END $$;

-- One gate of one operation after some statements, which are undone again.
CREATE FUNCTION lab.gate(setup text, name text, of_operation text, of_gate text, by_hand bool DEFAULT false, named bool DEFAULT false,
		OUT status text, OUT label text, OUT value text, OUT limit_value text, OUT set_by text, OUT next_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		IF setup <> '' THEN
			EXECUTE setup;
		END IF;
		SELECT g.status, g.label, g.value, g.limit_value, g.set_by, g.next_at INTO status, label, value, limit_value, set_by, next_at
			FROM floe_internal.gates(ARRAY[lab.id(name)], floe_internal.clock(), by_hand, CASE WHEN named THEN ARRAY[of_operation] END) AS g
			WHERE g.operation = of_operation AND g.gate = of_gate;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
END $$;

-- Rows of a query, as one text each, after some statements, which are undone again.
CREATE FUNCTION lab.rows(setup text, query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	found text[];
BEGIN
	BEGIN
		IF setup <> '' THEN
			EXECUTE setup;
		END IF;
		EXECUTE format('SELECT array_agg(translate(q::text, ''"'', '''')) FROM (%s) AS q', query) INTO found;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
	RETURN QUERY SELECT unnest(found);
END $$;

-- ---- the library's part of a pass and of an operation's life ----

-- A pass whose process is gone: with the server, or by itself.
CREATE FUNCTION lab.dead_pass(id int, crashed bool DEFAULT true) RETURNS void LANGUAGE sql AS $$
	INSERT INTO floe_internal.pass (pass_id, kind, pid, role_name, generation, started_at) OVERRIDING SYSTEM VALUE
	VALUES (id, 'procedure', 1, 'regress_boss', CASE WHEN NOT crashed THEN floe_internal.server_generation() END, floe_internal.clock())
$$;
-- What a pass claims of each catalog, at most so many; nothing else is in flight.
CREATE FUNCTION lab.claim_tables(pass int, most int DEFAULT 10, pattern text DEFAULT NULL) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(t.name ORDER BY t.name COLLATE "C")
	FROM (SELECT array_agg(c.catalog_id) AS ids, array_agg(most) AS shares FROM floe_internal.catalog AS c WHERE c.status <> 'removed') AS x,
		LATERAL floe_internal.claim_tables(pass, x.ids, pattern, x.shares, true) AS t
$$;


-- Claims the next operation for a pass; NULL when there is none.
CREATE FUNCTION lab.claim(pass int DEFAULT 1, pattern text DEFAULT NULL) RETURNS text LANGUAGE sql AS
	$$ SELECT format('%s %s on %s: %s, attempt %s', c.operation_id, c.operation, c.table_name, c.state, c.attempt) FROM floe_internal.claim_operation(pass, pattern) AS c $$;

RESET client_min_messages;
