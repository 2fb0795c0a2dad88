--
-- fleet.sql: tables that are written, looked at, decided upon and maintained for days of the virtual clock, without an engine. After lab.sql.
--
-- Nothing is random: what differs from table to table and from run to run comes from hashes of names. A rewrite leaves as many files as its bytes
-- fill, an expiry what its retention keeps; each takes some minutes, and every so many fail.
--
SET client_min_messages = error;
CREATE TABLE lab.fleet (
	name text PRIMARY KEY, every interval NOT NULL, adds int NOT NULL, next_at timestamptz NOT NULL, until timestamptz NOT NULL DEFAULT 'infinity',
	small int NOT NULL DEFAULT 0, large int NOT NULL DEFAULT 0, manifests int NOT NULL DEFAULT 1,
	ids bigint[] NOT NULL DEFAULT '{}', times timestamptz[] NOT NULL DEFAULT '{}', operations text[] NOT NULL DEFAULT '{}', version int NOT NULL DEFAULT 0, failing int NOT NULL DEFAULT 0);
CREATE TABLE lab.running (operation_id bigint PRIMARY KEY, name text NOT NULL, operation text NOT NULL, ends_at timestamptz NOT NULL, fails bool NOT NULL);

CREATE FUNCTION lab.hash(of text, below int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT (('x' || left(md5(of), 7))::bit(28)::int % below) $$;

-- So many tables, written every 20 minutes to every few hours.
CREATE FUNCTION lab.fleet(n int, start timestamptz, prefix text DEFAULT 'demo.db.t') RETURNS void LANGUAGE sql AS $$
	INSERT INTO lab.fleet (name, every, adds, next_at)
		SELECT prefix || lpad(i::text, 4, '0'), make_interval(mins => 20 + lab.hash('every' || i, 200)), 5 + lab.hash('adds' || i, 40), start + make_interval(mins => lab.hash('next' || i, 200))
		FROM generate_series(1, n) AS i;
	SELECT floe_internal.apply_listing(c.catalog_id, x.namespaces, x.tables)
		FROM floe_internal.catalog AS c, (SELECT array_agg(split_part(f.name, '.', 2) ORDER BY f.name) AS namespaces, array_agg(split_part(f.name, '.', 3) ORDER BY f.name) AS tables FROM lab.fleet AS f) AS x
		WHERE c.server_name = 'demo'
$$;

CREATE FUNCTION lab.look(of text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	f lab.fleet;
	id bigint := lab.id(of);
	n int;
	ms bigint[];
	paths text[];
BEGIN
	UPDATE lab.fleet SET version = version + 1 WHERE name = of RETURNING * INTO f;
	n := f.manifests;
	paths := ARRAY(SELECT format('m%s.avro', i) FROM generate_series(1, n) AS i);
	ms := ARRAY(SELECT (extract(epoch FROM t) * 1000)::bigint FROM unnest(f.times) AS t);
	PERFORM floe_internal.store_manifests(id, paths, array_fill(10000::bigint, ARRAY[n]), array_fill(0, ARRAY[n]), array_fill(0, ARRAY[n]), array_fill(1::bigint, ARRAY[n]),
		array_fill(1::bigint, ARRAY[n]), array_fill(false, ARRAY[n]),
		ARRAY(SELECT CASE i WHEN 1 THEN lab.data_manifest(ARRAY['{}'], f.small, 1000000) ELSE lab.data_manifest(ARRAY['{}'], 0, 1000000) END FROM generate_series(1, n) AS i));
	PERFORM floe_internal.apply_assessment(id, jsonb_build_object('uuid', md5(of), 'location', 's3://lake/' || of, 'format_version', 2,
			'metadata_location', format('s3://lake/%s/%s.json', of, f.version), 'current_snapshot_id', f.ids[cardinality(f.ids)], 'properties', '{}'::jsonb,
			'refs', jsonb_build_array(jsonb_build_object('name', 'main', 'type', 'branch', 'snapshot_id', f.ids[cardinality(f.ids)])), 'specs', '[]'::jsonb,
			'details', jsonb_build_object('snapshot_count', cardinality(f.ids), 'oldest_snapshot_ms', ms[1], 'newest_snapshot_ms', ms[cardinality(ms)], 'last_write_ms', ms[cardinality(ms)],
				'commit_interval_ms', (extract(epoch FROM f.every) * 1000)::bigint, 'ref_count', 1, 'metadata_json_bytes', 1000, 'metadata_log_count', 10)),
		floe_internal.encode_snapshots(f.ids, f.times, f.operations), NULL, paths, array_fill(10000::bigint, ARRAY[n]), array_fill(0, ARRAY[n]), array_fill(0, ARRAY[n]), true, NULL);
END $$;

CREATE FUNCTION lab.snapshot(of text, operation text) RETURNS void LANGUAGE sql AS $$
	UPDATE lab.fleet SET ids = ids || (COALESCE(ids[cardinality(ids)], lab.hash(name, 1000) * 1000000) + 1), times = times || floe_internal.clock(), operations = operations || operation WHERE name = of
$$;

-- The end of an operation at the engine, and what it did.
CREATE FUNCTION lab.finish(r lab.running) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	age interval;
	kept int;
BEGIN
	IF r.fails THEN
		PERFORM floe_internal.engine_ended(r.operation_id, 'failed', 'transient', 'executor lost', NULL, NULL);
	ELSE
		IF r.operation = 'rewrite_data_files' THEN
			-- 1 MB each, 512 MB are full
			UPDATE lab.fleet SET small = ceil(small / 512.0) WHERE name = r.name;
			PERFORM lab.snapshot(r.name, 'replace');
		ELSIF r.operation = 'rewrite_manifests' THEN
			UPDATE lab.fleet SET manifests = 1 WHERE name = r.name;
			PERFORM lab.snapshot(r.name, 'replace');
		ELSIF r.operation = 'expire_snapshots' THEN
			SELECT (s.settings ->> 'options.max_snapshot_age')::interval INTO age FROM floe_internal.table_setting AS s WHERE s.table_id = lab.id(r.name) AND s.operation = 'expire_snapshots';
			SELECT GREATEST(1, count(*) FILTER (WHERE t >= floe_internal.clock() - age)) INTO kept FROM lab.fleet AS f, unnest(f.times) AS t WHERE f.name = r.name;
			UPDATE lab.fleet SET ids = ids[cardinality(ids) - kept + 1:], times = times[cardinality(times) - kept + 1:], operations = operations[cardinality(operations) - kept + 1:] WHERE name = r.name;
		END IF;
		PERFORM floe_internal.engine_ended(r.operation_id, 'succeeded', NULL, '', NULL, CASE r.operation WHEN 'remove_orphan_files' THEN 3 END);
	END IF;
	PERFORM lab.look(r.name);
	PERFORM floe_internal.operation_verified(r.operation_id);
	DELETE FROM lab.running AS x WHERE x.operation_id = r.operation_id;
END $$;

-- What engines have a place for.
CREATE FUNCTION lab.send() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz := floe_internal.clock();
	q record;
	go bool;
BEGIN
	LOOP
		SELECT * INTO q FROM floe_internal.claim_operation(1, NULL);
		EXIT WHEN NOT FOUND;
		SELECT p.go INTO go FROM floe_internal.preflight(q.operation_id, 'spark-thrift', 'lake') AS p;
		CONTINUE WHEN NOT go;
		PERFORM floe_internal.operation_saved(q.operation_id, '\x01', 'session');
		INSERT INTO lab.running SELECT q.operation_id, q.table_name, q.operation, at + make_interval(secs => CASE q.operation WHEN 'rewrite_data_files' THEN f.small * 3 ELSE 5 END + lab.hash(q.table_name || at, 20)),
				f.failing > 0 AND lab.hash(q.table_name || at || 'f', f.failing) = 0
			FROM lab.fleet AS f WHERE f.name = q.table_name;
	END LOOP;
END $$;

-- Life from one time to another, with a plan every so often.
CREATE FUNCTION lab.live(upto timestamptz, step interval, plans bool DEFAULT true) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz := floe_internal.clock();
	tick timestamptz := at;
	f record;
	r lab.running;
BEGIN
	WHILE tick + step <= upto LOOP
		tick := tick + step;
		LOOP
			SELECT x.* INTO r FROM lab.running AS x WHERE x.ends_at <= tick ORDER BY x.ends_at, x.operation_id LIMIT 1;
			SELECT x.* INTO f FROM lab.fleet AS x WHERE x.next_at <= LEAST(tick, r.ends_at) AND x.next_at < x.until ORDER BY x.next_at, x.name LIMIT 1;
			EXIT WHEN f.name IS NULL AND r.operation_id IS NULL;
			IF f.name IS NOT NULL THEN
				PERFORM lab.at(f.next_at);
				UPDATE lab.fleet SET small = small + adds, manifests = manifests + 1, next_at = next_at + every WHERE name = f.name;
				PERFORM lab.snapshot(f.name, 'append');
				PERFORM lab.look(f.name);
			ELSE
				PERFORM lab.at(r.ends_at);
				PERFORM lab.finish(r);
				PERFORM lab.send();
			END IF;
		END LOOP;
		PERFORM lab.at(tick);
		IF plans THEN
			PERFORM floe_internal.plan_due(100000);
			PERFORM lab.send();
		END IF;
	END LOOP;
END $$;

RESET client_min_messages;
