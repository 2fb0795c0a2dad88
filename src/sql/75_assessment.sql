-- =================================================================================================
-- 75 assessment
-- The database side of steps 1 to 4 of a pass: claim what is due, keep what was read. Called by the
-- library, each in a transaction of its own; the network lies between them.
-- =================================================================================================

CREATE FUNCTION floe_internal.spread(seed pg_catalog.text, delay pg_catalog.interval) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT delay * 0.9 + floe_internal.jitter(seed, delay * 0.2);
END;
COMMENT ON FUNCTION floe_internal.spread(pg_catalog.text, pg_catalog.interval) IS 'A tenth more or less, the same for the same seed';

CREATE FUNCTION floe_internal.backoff_delay(attempt pg_catalog.int4, base pg_catalog.interval, most pg_catalog.interval, seed pg_catalog.text) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT floe_internal.spread(seed || attempt, d.delay)
	FROM (SELECT LEAST(most, base * pg_catalog.pow(2, LEAST(attempt - 1, 20))) AS delay) AS d;
END;
COMMENT ON FUNCTION floe_internal.backoff_delay(pg_catalog.int4, pg_catalog.interval, pg_catalog.interval, pg_catalog.text) IS 'Exponential from base to most, plus or minus a tenth, the same for the same seed and attempt';

CREATE FUNCTION floe_internal.claim_catalogs(of_pass_id pg_catalog.int4, pattern pg_catalog.text,
		OUT catalog_id pg_catalog.int4, OUT server_name pg_catalog.text, OUT is_due pg_catalog.bool)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
DECLARE
	at timestamptz := floe_internal.clock();
	-- A person who calls wants to know whether it works now; a worker comes back when it is time.
	by_person bool := EXISTS (SELECT 1 FROM floe_internal.pass AS s WHERE s.pass_id = of_pass_id AND s.kind = 'procedure');
BEGIN
	PERFORM floe_internal.sync_servers();
	PERFORM floe_internal.void_claims();
	-- A pattern given by a person makes its catalogs and tables due.
	IF pattern IS NOT NULL THEN
		UPDATE floe_internal.table_poll AS p SET next_poll_at = at
			FROM (SELECT x.table_id FROM floe_internal.table_poll AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
				  WHERE t.status NOT IN ('dropped', 'quarantined') AND x.next_poll_at > at AND floe_internal.match_pattern(claim_catalogs.pattern, t.levels) IS NOT NULL
				  ORDER BY x.table_id FOR NO KEY UPDATE OF x) AS known
			WHERE p.table_id = known.table_id;
	END IF;
	RETURN QUERY
		UPDATE floe_internal.catalog AS c SET claim_pass = of_pass_id, next_list_at = at
		FROM (SELECT x.catalog_id FROM floe_internal.catalog AS x
			  WHERE x.status <> 'removed' AND x.claim_pass IS NULL
				-- what was wrong is found out by listing; who asked for fewer requests is left alone
				AND (x.next_list_at <= at OR (by_person AND x.status = 'error' AND x.error_code <> 'throttled') OR (claim_catalogs.pattern IS NOT NULL AND floe_internal.match_catalog(claim_catalogs.pattern, x.server_name)))
			  ORDER BY x.catalog_id FOR UPDATE SKIP LOCKED) AS d
		WHERE c.catalog_id = d.catalog_id
		  AND (claim_catalogs.pattern IS NULL OR floe_internal.match_catalog(claim_catalogs.pattern, c.server_name))
		RETURNING c.catalog_id, c.server_name, true;
	RETURN QUERY
		SELECT c.catalog_id, c.server_name, false FROM floe_internal.catalog AS c
		WHERE c.status NOT IN ('removed', 'new') AND (by_person OR c.status = 'ok' OR c.tripped_by = 'probe') AND c.claim_pass IS DISTINCT FROM of_pass_id
		  AND (claim_catalogs.pattern IS NULL OR floe_internal.match_catalog(claim_catalogs.pattern, c.server_name));
END
$body$;
COMMENT ON FUNCTION floe_internal.claim_catalogs(pg_catalog.int4, pg_catalog.text) IS 'Catalogs to list now (claimed), and the others whose tables may be due';

CREATE FUNCTION floe_internal.catalog_id(of_server_name pg_catalog.text) RETURNS pg_catalog.int4
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT c.catalog_id FROM floe_internal.catalog AS c WHERE c.server_name = of_server_name AND c.status <> 'removed';
END;
COMMENT ON FUNCTION floe_internal.catalog_id(pg_catalog.text) IS 'A catalog by the name of its server; NULL: there is none';

CREATE FUNCTION floe_internal.catalog_failed(of_catalog_id pg_catalog.int4, code pg_catalog.text, message pg_catalog.text, detail pg_catalog.text,
		retry_after_ms pg_catalog.int8 DEFAULT -1, by_tables pg_catalog.bool DEFAULT false, of_pass_id pg_catalog.int4 DEFAULT NULL) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	c floe_internal.catalog;
	at timestamptz := floe_internal.clock();
BEGIN
	SELECT * INTO c FROM floe_internal.catalog AS x WHERE x.catalog_id = of_catalog_id FOR NO KEY UPDATE;
	-- its server is gone; one that is made under that name again must not find it claimed by a pass that has nothing to do with it any more
	IF c.status = 'removed' THEN
		UPDATE floe_internal.catalog AS x SET claim_pass = NULL WHERE x.catalog_id = of_catalog_id AND x.claim_pass = of_pass_id AND NOT by_tables;
		RETURN;
	END IF;
	UPDATE floe_internal.catalog AS x
		SET status = 'error', error_code = code, error_message = message, error_detail = NULLIF(detail, ''), failures = x.failures + 1,
			-- a listing that goes on, or that somebody else is at, ends by itself
			claim_pass = CASE WHEN by_tables OR x.claim_pass <> of_pass_id THEN x.claim_pass END,
			tripped_by = CASE WHEN by_tables THEN 'tables' END, error_since = CASE WHEN c.status = 'error' THEN c.error_since ELSE at END,
			next_list_at = CASE WHEN c.claim_pass IS NOT NULL AND c.next_list_at = '-infinity' THEN at
				ELSE at + GREATEST(floe_internal.backoff_delay(x.failures + 1, interval '10 seconds', interval '10 minutes', x.server_name),
					make_interval(secs => retry_after_ms / 1000.0)) END
		WHERE x.catalog_id = of_catalog_id;
	IF FOUND AND (c.status IS DISTINCT FROM 'error' OR c.error_code IS DISTINCT FROM code) THEN
		PERFORM floe_internal.write_event('catalog error', c.server_name, NULL, NULL, NULL, message, jsonb_build_object('code', code, 'detail', detail));
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.catalog_failed(pg_catalog.int4, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.bool, pg_catalog.int4)
	IS 'A catalog could not be reached or listed, or (by_tables) its tables in a row could not be loaded: a state with a reason and a time, not before what the catalog asked for (-1: nothing); its tables keep their health. of_pass_id: whose claim of it ends with that';

CREATE FUNCTION floe_internal.catalog_well(of_catalog_id pg_catalog.int4) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	c floe_internal.catalog;
	at timestamptz := floe_internal.clock();
BEGIN
	SELECT * INTO c FROM floe_internal.catalog AS x WHERE x.catalog_id = of_catalog_id FOR NO KEY UPDATE;
	UPDATE floe_internal.catalog AS x
		SET status = 'ok', error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL, failures = 0, tripped_by = NULL
		WHERE x.catalog_id = of_catalog_id AND x.status <> 'removed' AND (x.status <> 'ok' OR x.failures <> 0);
	IF c.status = 'removed' THEN
		RETURN;
	END IF;
	-- What could not be looked at for the same reason does not wait out a backoff of up to an hour.
	IF c.status = 'error' THEN
		UPDATE floe_internal.table_poll AS p SET next_poll_at = at
			-- who holds one may wait for the catalog's row
			FROM (SELECT x.table_id FROM floe_internal.table_poll AS x JOIN floe_internal.iceberg_table AS t ON t.table_id = x.table_id
				  WHERE x.catalog_id = of_catalog_id AND x.failures > 0 AND x.next_poll_at > at
					AND t.status = 'error' AND (t.error_code = c.error_code OR t.error_code IN ('dns', 'connect', 'tls', 'timeout', 'network', 'auth', 'throttled', 'server'))
				  FOR UPDATE OF x SKIP LOCKED) AS failed
			WHERE p.table_id = failed.table_id;
		PERFORM floe_internal.wake('assessor');
	END IF;
	IF c.status <> 'ok' THEN
		PERFORM floe_internal.write_event('catalog ok', c.server_name, NULL, NULL, NULL, format('catalog "%s" answers', c.server_name), c.config);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.catalog_well(pg_catalog.int4) IS 'Nothing is wrong with the catalog, or no longer';

CREATE FUNCTION floe_internal.catalog_connected(of_catalog_id pg_catalog.int4, config pg_catalog.jsonb) RETURNS pg_catalog.bool
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	c floe_internal.catalog;
BEGIN
	SELECT * INTO c FROM floe_internal.catalog AS x WHERE x.catalog_id = of_catalog_id FOR NO KEY UPDATE;
	UPDATE floe_internal.catalog AS x SET config = catalog_connected.config WHERE x.catalog_id = of_catalog_id;
	IF c.config ->> 'read_only' IS DISTINCT FROM catalog_connected.config ->> 'read_only' THEN
		PERFORM floe_internal.decide_soon(ARRAY(SELECT t.table_id FROM floe_internal.iceberg_table AS t WHERE t.catalog_id = of_catalog_id));
	END IF;
	-- An error lasts until a listing succeeded, or a table was loaded: it may have been these that failed.
	IF c.status <> 'error' THEN
		PERFORM floe_internal.catalog_well(of_catalog_id);
	END IF;
	RETURN c.status = 'error' AND c.tripped_by IS NOT NULL;
END
$body$;
COMMENT ON FUNCTION floe_internal.catalog_connected(pg_catalog.int4, pg_catalog.jsonb) IS 'A catalog was reached; true: its tables could not be, and the first one that is looked at tells whether they can now';

-- Namespaces as levels joined with U+001F, one entry per table.
CREATE FUNCTION floe_internal.apply_listing(of_catalog_id pg_catalog.int4, namespaces pg_catalog.text[], table_names pg_catalog.text[],
		left_out pg_catalog.int8 DEFAULT 0, of_pass_id pg_catalog.int4 DEFAULT NULL, refused pg_catalog.text[] DEFAULT '{}', refusal pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.int4
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	server text;
	fresh int8[];
	t record;
	old_row floe_internal.catalog;
	-- of many thousands one is found as fast as of few
	hidden jsonb := (SELECT jsonb_object_agg(r, 1) FROM unnest(refused) AS r);
BEGIN
	-- triggers of its tables, which refer to it, do not wait for this
	SELECT * INTO old_row FROM floe_internal.catalog AS c WHERE c.catalog_id = of_catalog_id FOR NO KEY UPDATE;
	server := old_row.server_name;
	-- older than what somebody else has listed, or is at
	IF old_row.claim_pass IS DISTINCT FROM of_pass_id AND of_pass_id IS NOT NULL THEN
		RETURN 0;
	END IF;
	IF old_row.status = 'removed' THEN
		UPDATE floe_internal.catalog AS c SET claim_pass = NULL WHERE c.catalog_id = of_catalog_id;
		RETURN 0;
	END IF;
	-- A table that comes back keeps its row and its history.
	WITH listed AS (
		SELECT DISTINCT string_to_array(l.namespace, chr(31)) AS namespace, l.table_name
		FROM unnest(namespaces, table_names) AS l (namespace, table_name)
	), back AS (
		-- without a metadata location to compare, all of it is read again; it may have been made anew somewhere else
		UPDATE floe_internal.iceberg_table AS i SET status = 'unseen', metadata_location = NULL, location = NULL, location_key = NULL, dropped_at = NULL, is_left_behind = false, error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL
		WHERE i.table_id IN (
			SELECT max(x.table_id) FROM floe_internal.iceberg_table AS x JOIN listed AS l ON l.namespace = x.namespace AND l.table_name = x.table_name
			WHERE x.catalog_id = of_catalog_id
			GROUP BY x.namespace, x.table_name
			HAVING bool_and(x.status = 'dropped'))
		RETURNING i.table_id
	), made AS (
		INSERT INTO floe_internal.iceberg_table (catalog_id, namespace, table_name, levels, name, first_seen_at)
			SELECT of_catalog_id, l.namespace, l.table_name, ARRAY[server] || l.namespace || l.table_name, floe_internal.format_name(ARRAY[server] || l.namespace || l.table_name), at
			FROM listed AS l
			WHERE NOT EXISTS (SELECT 1 FROM floe_internal.iceberg_table AS x WHERE x.catalog_id = of_catalog_id AND x.namespace = l.namespace AND x.table_name = l.table_name)
			ORDER BY l.namespace, l.table_name
			ON CONFLICT DO NOTHING
			RETURNING table_id
	)
	SELECT array_agg(n.table_id) INTO fresh FROM (SELECT back.table_id FROM back UNION ALL SELECT made.table_id FROM made) AS n;
	IF fresh IS NOT NULL THEN
		INSERT INTO floe_internal.table_poll AS p (table_id, catalog_id, next_poll_at) SELECT unnest(fresh), of_catalog_id, at
			ON CONFLICT (table_id) DO UPDATE SET next_poll_at = EXCLUDED.next_poll_at, etag = NULL, crashes = 0;
		PERFORM floe_internal.match_tables(fresh);
	END IF;
	FOR t IN
		UPDATE floe_internal.iceberg_table AS i SET status = 'dropped', dropped_at = at
		WHERE i.catalog_id = of_catalog_id AND i.status <> 'dropped'
		  AND NOT EXISTS (SELECT 1 FROM unnest(namespaces, table_names) AS l (namespace, table_name)
						  WHERE string_to_array(l.namespace, chr(31)) = i.namespace AND l.table_name = i.table_name)
		  AND (hidden IS NULL OR NOT EXISTS (SELECT 1 FROM generate_series(1, cardinality(i.namespace)) AS d (depth) WHERE hidden ? array_to_string(i.namespace[1:d.depth], chr(31))))
		RETURNING i.table_id, i.name
	LOOP
		UPDATE floe_internal.table_poll AS p SET next_poll_at = 'infinity' WHERE p.table_id = t.table_id;
		PERFORM floe_internal.drop_queued(t.table_id, 'the catalog no longer lists the table');
		PERFORM floe_internal.write_event('table dropped', server, t.table_id, t.name, NULL, format('%s is no longer in the catalog, or not shown to floe any more', t.name), NULL);
	END LOOP;
	-- A pass with an end that finds no table due would leave it in error.
	UPDATE floe_internal.catalog AS c SET tripped_by = 'probe'
		WHERE c.catalog_id = of_catalog_id AND c.tripped_by IS NOT NULL AND EXISTS (SELECT 1 FROM floe_internal.pass AS s WHERE s.pass_id = c.claim_pass AND s.kind <> 'procedure');
	IF NOT FOUND AND EXISTS (SELECT 1 FROM floe_internal.catalog AS c WHERE c.catalog_id = of_catalog_id AND c.status <> 'ok') THEN
		PERFORM floe_internal.catalog_well(of_catalog_id);
	END IF;
	UPDATE floe_internal.catalog AS c
		SET listed_at = at, left_out = apply_listing.left_out, refused_count = (SELECT count(DISTINCT r) FROM unnest(refused) AS r), refusal = apply_listing.refusal, claim_pass = NULL,
			next_list_at = CASE WHEN c.next_list_at = '-infinity' THEN at
				ELSE at + COALESCE((SELECT (s.options ->> 'list_interval')::interval FROM floe_internal.server AS s WHERE s.wrapper = 'floe_catalog' AND s.server_name = server), interval '5 minutes') END
		WHERE c.catalog_id = of_catalog_id;
	RETURN COALESCE(array_length(fresh, 1), 0);
END
$body$;
COMMENT ON FUNCTION floe_internal.apply_listing(pg_catalog.int4, pg_catalog.text[], pg_catalog.text[], pg_catalog.int8, pg_catalog.int4, pg_catalog.text[], pg_catalog.text)
	IS 'A complete listing: registers new tables and marks those that are gone as dropped; returns the number of new ones. Never called with a listing that broke off. of_pass_id: who claimed the catalog for it; by anybody else it counts for nothing. refused: namespaces that could not be listed, and why';

-- Each catalog has its own share: one that is slow or has much to look at takes nothing from the others.
CREATE FUNCTION floe_internal.claim_tables(of_pass_id pg_catalog.int4, catalog_ids pg_catalog.int4[], pattern pg_catalog.text, shares pg_catalog.int4[], nothing_in_flight pg_catalog.bool,
		OUT table_id pg_catalog.int8, OUT catalog_id pg_catalog.int4, OUT namespace pg_catalog.text[], OUT table_name pg_catalog.text, OUT name pg_catalog.text,
		OUT metadata_location pg_catalog.text, OUT etag pg_catalog.text, OUT current_snapshot_id pg_catalog.int8, OUT look pg_catalog.int8)
	RETURNS SETOF pg_catalog.record
	-- always by the index in its order: right after a first listing there are no statistics that would say so
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_sort = off SET enable_bitmapscan = off SET enable_seqscan = off
AS $body$
#variable_conflict use_column
DECLARE
	at timestamptz := floe_internal.clock();
	-- What a pass with an end has polled is not polled again by it, however long it takes: with slow catalogs it would never end.
	pass_start timestamptz := COALESCE((SELECT s.started_at FROM floe_internal.pass AS s WHERE s.pass_id = of_pass_id AND s.kind = 'procedure'), 'infinity');
	suspect_since timestamptz := (SELECT min(x.next_poll_at) FROM floe_internal.table_poll AS x
		WHERE x.crashes > 0 AND x.next_poll_at <= at AND x.claim_pass IS NULL AND x.catalog_id = ANY (catalog_ids));
	picked int8[];
	n int8;
	this_look int8;
BEGIN
	-- What waits for all others to be done must not wait for ever.
	IF COALESCE(suspect_since > at - interval '1 minute', true) THEN
		picked := ARRAY(
			SELECT due.table_id FROM unnest(catalog_ids, shares) AS c (catalog_id, share)
			CROSS JOIN LATERAL (
				SELECT x.table_id FROM floe_internal.table_poll AS x
				WHERE x.catalog_id = c.catalog_id AND x.next_poll_at <= at AND x.claim_pass IS NULL AND x.crashes = 0 AND (x.polled_at IS NULL OR x.polled_at <= pass_start)
				  AND (claim_tables.pattern IS NULL
					   OR (SELECT floe_internal.match_pattern(claim_tables.pattern, i.levels) IS NOT NULL FROM floe_internal.iceberg_table AS i WHERE i.table_id = x.table_id))
				ORDER BY x.next_poll_at LIMIT COALESCE(c.share, 0) FOR UPDATE OF x SKIP LOCKED) AS due);
	END IF;
	-- A suspect, whose last claim was left by a crash, is assessed alone: if it happens again, it was this one.
	IF COALESCE(picked, '{}') = '{}' AND suspect_since IS NOT NULL AND nothing_in_flight THEN
		picked := ARRAY(
			SELECT x.table_id FROM floe_internal.table_poll AS x
			WHERE x.crashes > 0 AND x.next_poll_at <= at AND x.claim_pass IS NULL AND x.catalog_id = ANY (catalog_ids) AND (x.polled_at IS NULL OR x.polled_at <= pass_start)
			  AND (claim_tables.pattern IS NULL
				   OR (SELECT floe_internal.match_pattern(claim_tables.pattern, i.levels) IS NOT NULL FROM floe_internal.iceberg_table AS i WHERE i.table_id = x.table_id))
			ORDER BY x.next_poll_at LIMIT 1 FOR UPDATE OF x SKIP LOCKED);
	END IF;
	IF picked <> '{}' THEN
		this_look := nextval('floe_internal.look_seq');
	END IF;
	RETURN QUERY
		UPDATE floe_internal.table_poll AS p SET claim_pass = of_pass_id, claimed_at = at
		FROM floe_internal.iceberg_table AS t
		WHERE p.table_id = ANY (picked) AND t.table_id = p.table_id AND t.status NOT IN ('dropped', 'quarantined')
		RETURNING t.table_id, t.catalog_id, t.namespace, t.table_name, t.name, t.metadata_location, p.etag, t.current_snapshot_id, this_look;
	GET DIAGNOSTICS n = ROW_COUNT;
	-- Dropped, and in the same moment made due by somebody who could not see that yet.
	IF n < cardinality(picked) THEN
		UPDATE floe_internal.table_poll AS p SET next_poll_at = 'infinity'
			FROM floe_internal.iceberg_table AS t
			WHERE p.table_id = ANY (picked) AND t.table_id = p.table_id AND t.status IN ('dropped', 'quarantined');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.claim_tables(pg_catalog.int4, pg_catalog.int4[], pg_catalog.text, pg_catalog.int4[], pg_catalog.bool)
	IS 'Tables due for assessment, at most so many of each catalog, claimed for the pass before anything of them is read';

-- For an operation: whether or not the table is due. A claim that somebody else holds is left to him; either is evidence, should it end in a crash.
CREATE FUNCTION floe_internal.claim_table(of_pass_id pg_catalog.int4, of_table_id pg_catalog.int8,
		OUT table_id pg_catalog.int8, OUT catalog_id pg_catalog.int4, OUT namespace pg_catalog.text[], OUT table_name pg_catalog.text, OUT name pg_catalog.text,
		OUT metadata_location pg_catalog.text, OUT etag pg_catalog.text, OUT look pg_catalog.int8, OUT is_quarantined pg_catalog.bool)
	RETURNS SETOF pg_catalog.record
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	-- One statement: dropped between two, the table would stay claimed by somebody who was told that it is not there.
	WITH claimed AS (
		UPDATE floe_internal.table_poll AS p SET claim_pass = of_pass_id, claimed_at = floe_internal.clock()
			FROM floe_internal.iceberg_table AS t
			WHERE p.table_id = of_table_id AND p.claim_pass IS NULL AND t.table_id = p.table_id AND t.status NOT IN ('dropped', 'quarantined'))
	SELECT t.table_id, t.catalog_id, t.namespace, t.table_name, t.name, t.metadata_location, p.etag, pg_catalog.nextval('floe_internal.look_seq'), t.status = 'quarantined'
	FROM floe_internal.iceberg_table AS t LEFT JOIN floe_internal.table_poll AS p ON p.table_id = t.table_id
	WHERE t.table_id = of_table_id AND t.status <> 'dropped';
END;
COMMENT ON FUNCTION floe_internal.claim_table(pg_catalog.int4, pg_catalog.int8) IS 'What is needed to look at one table, now claimed; no row if it was dropped';

-- About as often as it is written, and ever less often while nobody writes; within the bounds that policies set.
CREATE FUNCTION floe_internal.poll_delay(of_table_id pg_catalog.int8, settings pg_catalog.jsonb, commit_interval pg_catalog.float8, idle pg_catalog.interval) RETURNS pg_catalog.interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT d.delay * 0.8 + floe_internal.jitter(of_table_id::pg_catalog.text, d.delay * 0.2)
	FROM (SELECT GREATEST(LEAST((settings ->> 'min_poll_interval')::pg_catalog.interval, (settings ->> 'poll_interval')::pg_catalog.interval),
						  LEAST((settings ->> 'poll_interval')::pg_catalog.interval,
								GREATEST(pg_catalog.make_interval(secs => LEAST(commit_interval, 1e9)), idle / 4))) AS delay) AS d;
END;
COMMENT ON FUNCTION floe_internal.poll_delay(pg_catalog.int8, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.interval)
	IS 'Time until the next look at a table: its median commit interval, or a quarter of the time since its last commit if that is longer; unknown: the longest. Up to a fifth less, differently for each table';

-- plpgsql, like all that is called for every table: its plans live as long as the session, those of an SQL function as long as the call.
CREATE FUNCTION floe_internal.next_polls(of_table_ids pg_catalog.int8[], at pg_catalog.timestamptz, OUT table_id pg_catalog.int8, OUT next_poll_at pg_catalog.timestamptz)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	RETURN QUERY
		SELECT t.table_id, at + floe_internal.poll_delay(t.table_id, COALESCE(b.settings || e.settings, b.settings)
				-- what somebody set does not give way to what nobody set
				|| CASE WHEN e.settings ? 'min_poll_interval' AND NOT e.settings ? 'poll_interval'
					AND (e.settings ->> 'min_poll_interval')::interval > (b.settings ->> 'poll_interval')::interval
					THEN jsonb_build_object('poll_interval', e.settings -> 'min_poll_interval') ELSE '{}' END, h.commit_interval, at - h.last_write_at)
		FROM floe_internal.iceberg_table AS t
		CROSS JOIN (SELECT floe_internal.builtin_settings('') AS settings OFFSET 0) AS b
		LEFT JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id AND e.operation = ''
		LEFT JOIN floe_internal.health AS h ON h.table_id = t.table_id
		WHERE t.table_id = ANY (of_table_ids);
END
$body$;
COMMENT ON FUNCTION floe_internal.next_polls(pg_catalog.int8[], pg_catalog.timestamptz) IS 'When tables that were just looked at are looked at again';

-- After decide_soon(), as where a look is stored. A table in error keeps its backoff. What is being looked at now is given back by the old settings.
CREATE FUNCTION floe_internal.poll_sooner(of_table_ids pg_catalog.int8[]) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
BEGIN
	PERFORM 1 FROM floe_internal.table_poll AS p WHERE p.table_id = ANY (of_table_ids) ORDER BY p.table_id FOR NO KEY UPDATE;
	UPDATE floe_internal.table_poll AS p SET next_poll_at = LEAST(p.next_poll_at, n.next_poll_at), notified_at = CASE WHEN p.claim_pass IS NOT NULL THEN at ELSE p.notified_at END
		FROM floe_internal.next_polls(of_table_ids, at) AS n
		WHERE p.table_id = n.table_id AND p.failures = 0 AND (p.next_poll_at > n.next_poll_at OR p.claim_pass IS NOT NULL) AND p.next_poll_at < 'infinity';
	IF FOUND THEN
		PERFORM floe_internal.wake('assessor');
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.poll_sooner(pg_catalog.int8[]) IS 'The settings of these tables changed: who is to be looked at more often does not wait for the time that was set before';

CREATE FUNCTION floe_internal.poll_done(of_table_id pg_catalog.int8, new_etag pg_catalog.text, failed pg_catalog.bool) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
BEGIN
	UPDATE floe_internal.table_poll AS p
		SET polled_at = at, claim_pass = NULL, crashes = CASE WHEN failed THEN p.crashes ELSE 0 END,
			etag = CASE WHEN failed THEN p.etag ELSE COALESCE(new_etag, p.etag) END,
			failures = CASE WHEN failed THEN p.failures + 1 ELSE 0 END,
			next_poll_at = CASE WHEN p.next_poll_at = 'infinity' THEN 'infinity'	-- dropped or quarantined meanwhile
				-- a first failure, too: it may be of what was changed
				WHEN p.notified_at >= p.claimed_at AND (NOT failed OR p.failures = 0) THEN at
				WHEN failed THEN at + floe_internal.backoff_delay(p.failures + 1, '30 seconds', '1 hour', of_table_id::text)
				ELSE n.next_poll_at END
		FROM floe_internal.next_polls(ARRAY[of_table_id], at) AS n
		WHERE p.table_id = of_table_id;
END
$body$;
COMMENT ON FUNCTION floe_internal.poll_done(pg_catalog.int8, pg_catalog.text, pg_catalog.bool) IS 'Gives the claim back and sets the next poll: now, if the table or its server was reported as changed since it was claimed';

CREATE FUNCTION floe_internal.tables_unchanged(of_table_ids pg_catalog.int8[], etags pg_catalog.text[] DEFAULT NULL) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	healed int8[];
BEGIN
	-- tables, decisions, polls, each in the order of their ids: so does everybody who has several
	PERFORM 1 FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (of_table_ids) AND t.status = 'error' ORDER BY t.table_id FOR NO KEY UPDATE;
	IF FOUND THEN
		WITH changed AS (
			UPDATE floe_internal.iceberg_table AS t SET status = 'ok', error_code = NULL, error_message = NULL, error_detail = NULL, error_since = NULL
				WHERE t.table_id = ANY (of_table_ids) AND t.status = 'error' RETURNING t.table_id)
		SELECT array_agg(c.table_id) INTO healed FROM changed AS c;
		PERFORM floe_internal.decide_soon(healed);
		PERFORM floe_internal.write_event('table assessed', t.levels[1], t.table_id, t.name, NULL, format('%s can be read again, and is as it was', t.name), NULL)
			FROM floe_internal.iceberg_table AS t WHERE t.table_id = ANY (healed);
	END IF;
	PERFORM 1 FROM floe_internal.table_poll AS p WHERE p.table_id = ANY (of_table_ids) ORDER BY p.table_id FOR NO KEY UPDATE;
	UPDATE floe_internal.table_poll AS p
		SET polled_at = at, claim_pass = NULL, crashes = 0, failures = 0,
			next_poll_at = CASE WHEN p.next_poll_at = 'infinity' THEN 'infinity' WHEN p.notified_at >= p.claimed_at THEN at ELSE n.next_poll_at END
		FROM floe_internal.next_polls(of_table_ids, at) AS n
		WHERE p.table_id = n.table_id;
	IF etags IS NOT NULL THEN
		UPDATE floe_internal.table_poll AS p SET etag = l.etag
			FROM unnest(of_table_ids, etags) AS l (table_id, etag)
			WHERE p.table_id = l.table_id AND l.etag <> '' AND p.etag IS DISTINCT FROM l.etag;
	END IF;
	IF EXISTS (SELECT 1 FROM floe_internal.trigger_request AS x WHERE x.table_id = ANY (of_table_ids)) THEN
		PERFORM floe_internal.answer_requests(r.table_id) FROM (SELECT DISTINCT x.table_id FROM floe_internal.trigger_request AS x WHERE x.table_id = ANY (of_table_ids)) AS r;
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.tables_unchanged(pg_catalog.int8[], pg_catalog.text[]) IS 'The catalog says these tables are as they were; etags: what stands for their state from now on, empty for what keeps its own';

CREATE FUNCTION floe_internal.table_failed(of_table_id pg_catalog.int8, code pg_catalog.text, message pg_catalog.text, detail pg_catalog.text,
		retry_after_ms pg_catalog.int8 DEFAULT -1, found_location pg_catalog.text DEFAULT NULL, this_look pg_catalog.int8 DEFAULT NULL) RETURNS pg_catalog.void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	old_row floe_internal.iceberg_table;
	new_status text := CASE WHEN code = 'unsupported' THEN 'unsupported' ELSE 'error' END;
BEGIN
	SELECT * INTO old_row FROM floe_internal.iceberg_table AS t WHERE t.table_id = of_table_id FOR NO KEY UPDATE;
	PERFORM floe_internal.poll_done(of_table_id, NULL, true);
	UPDATE floe_internal.table_poll AS p SET next_poll_at = GREATEST(p.next_poll_at, floe_internal.clock() + make_interval(secs => retry_after_ms / 1000.0))
		WHERE p.table_id = of_table_id AND retry_after_ms > 0;
	UPDATE floe_internal.iceberg_table AS t
		SET status = new_status, error_code = code, error_message = message, error_detail = NULLIF(detail, ''),
			error_since = CASE WHEN t.error_since IS NULL OR t.error_code <> code THEN floe_internal.clock() ELSE t.error_since END
		WHERE t.table_id = of_table_id AND t.status <> 'dropped';
	-- As of this look even though it failed: an older one that ends later must not bring back where the table was before.
	UPDATE floe_internal.iceberg_table AS t
		SET location = found_location, location_key = floe_internal.location_key(found_location), look = COALESCE(this_look, t.look)
		WHERE t.table_id = of_table_id AND t.status <> 'dropped' AND t.location IS DISTINCT FROM found_location AND found_location IS NOT NULL
		  AND COALESCE(this_look >= t.look, true);
	IF old_row.status IS DISTINCT FROM new_status OR old_row.error_code IS DISTINCT FROM code THEN
		PERFORM floe_internal.write_event('table ' || new_status, old_row.levels[1], of_table_id, old_row.name, NULL, message, jsonb_build_object('code', code, 'detail', detail));
	END IF;
	PERFORM floe_internal.purge_unlisted(of_table_id);
	-- A request by hand does not wait for ever on a table that cannot be read.
	DELETE FROM floe_internal.trigger_request AS r WHERE r.table_id = of_table_id;
	IF FOUND THEN
		PERFORM floe_internal.write_event('trigger refused', old_row.levels[1], of_table_id, old_row.name, NULL, 'not triggered: ' || message, NULL);
	END IF;
END
$body$;
COMMENT ON FUNCTION floe_internal.table_failed(pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.int8)
	IS 'A table could not be assessed: a row with the reason; the last health stays. The next look is not before what the catalog or store asked for (-1: nothing). found_location: where it is, if that much was read; this_look: from the claim';

CREATE FUNCTION floe_internal.give_back_tables(of_pass_id pg_catalog.int4, of_table_ids pg_catalog.int8[], due_s pg_catalog.int4[]) RETURNS pg_catalog.int4[]
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	at timestamptz := floe_internal.clock();
	back int8[];
BEGIN
	WITH free AS (
		SELECT p.table_id FROM floe_internal.table_poll AS p
		WHERE p.table_id = ANY (of_table_ids) AND p.claim_pass = of_pass_id FOR UPDATE SKIP LOCKED
	), done AS (
		UPDATE floe_internal.table_poll AS p
			SET claim_pass = NULL, next_poll_at = CASE WHEN p.next_poll_at = 'infinity' THEN 'infinity'
				ELSE at + make_interval(secs => l.seconds) + floe_internal.jitter(p.table_id::text, interval '1 second') END
			FROM (SELECT x.table_id, min(x.seconds) AS seconds FROM unnest(of_table_ids, due_s) AS x (table_id, seconds) GROUP BY x.table_id) AS l
			WHERE l.table_id = p.table_id AND p.table_id IN (SELECT f.table_id FROM free AS f)
			RETURNING p.table_id
	)
	SELECT array_agg(d.table_id) INTO back FROM done AS d;
	IF back IS NOT NULL THEN
		PERFORM floe_internal.wake('assessor');
	END IF;
	RETURN ARRAY(SELECT l.place::int4 FROM unnest(of_table_ids) WITH ORDINALITY AS l (table_id, place)
		JOIN floe_internal.table_poll AS p ON p.table_id = l.table_id AND p.claim_pass = of_pass_id
		ORDER BY l.place);
END
$body$;
COMMENT ON FUNCTION floe_internal.give_back_tables(pg_catalog.int4, pg_catalog.int8[], pg_catalog.int4[])
	IS 'What was seen of these tables could not be stored: they are as they were, and due again after so many seconds each. Returns the places of those that stay claimed, because somebody else holds their rows';

CREATE FUNCTION floe_internal.sizes(settings pg_catalog.jsonb, OUT target_bytes pg_catalog.int8, OUT small_below pg_catalog.int8, OUT oversized_above pg_catalog.int8, OUT min_input_files pg_catalog.int4)
	RETURNS pg_catalog.record
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT x.target, COALESCE((settings ->> 'options.min_file_size')::pg_catalog.int8, pg_catalog.floor(x.target * 0.75)::pg_catalog.int8),
		   COALESCE((settings ->> 'options.max_file_size')::pg_catalog.int8, pg_catalog.floor(x.target * 1.8)::pg_catalog.int8),
		   COALESCE((settings ->> 'options.min_input_files')::pg_catalog.int4, 5)
	FROM (SELECT (settings ->> 'options.target_file_size')::pg_catalog.int8 AS target) AS x;
END;
COMMENT ON FUNCTION floe_internal.sizes(pg_catalog.jsonb) IS 'Target file size in force and what follows from it (Iceberg''s bin-packing: 0.75 and 1.8 of the target, at least 5 files), unless a policy sets the options';

-- Sizes that decide what is small and what is oversized, by the settings and the properties in force.
CREATE FUNCTION floe_internal.size_limits(of_table_id pg_catalog.int8, properties pg_catalog.jsonb,
		OUT target_bytes pg_catalog.int8, OUT small_below pg_catalog.int8, OUT oversized_above pg_catalog.int8, OUT min_input_files pg_catalog.int4,
		OUT deletes_per_file pg_catalog.bool)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
	of_policies jsonb;
BEGIN
	SELECT e.settings INTO of_policies
		FROM floe_internal.iceberg_table AS t JOIN floe_internal.effective AS e ON e.policy_set_id = t.policy_set_id AND e.operation = 'rewrite_data_files'
		WHERE t.table_id = of_table_id;
	SELECT z.target_bytes, z.small_below, z.oversized_above, z.min_input_files INTO target_bytes, small_below, oversized_above, min_input_files
		FROM floe_internal.sizes(floe_internal.builtin_settings('rewrite_data_files') || floe_internal.property_settings('rewrite_data_files', COALESCE(properties, '{}'))
			|| COALESCE(of_policies, '{}')) AS z;
	-- as Spark since Iceberg 1.8; DeleteGranularity knows no third, and any case
	deletes_per_file := lower(COALESCE(properties ->> 'write.delete.granularity', 'file')) <> 'partition';
END
$body$;
COMMENT ON FUNCTION floe_internal.size_limits(pg_catalog.int8, pg_catalog.jsonb) IS 'What the merge of manifests must know of a table with these properties, which are not stored yet while it is read: sizes in force; deletes_per_file: rewritten position deletes are one file for each data file';

-- Which manifests of a list still have to be read: positions (from 1) in the arrays.
CREATE FUNCTION floe_internal.unread_manifests(of_table_id pg_catalog.int8, paths pg_catalog.text[], lengths pg_catalog.int8[], contents pg_catalog.int4[], spec_ids pg_catalog.int4[],
		sequence_numbers pg_catalog.int8[], added_snapshot_ids pg_catalog.int8[], need_paths pg_catalog.bool, properties pg_catalog.jsonb,
		OUT unread pg_catalog.int4[], OUT has_scoped_deletes pg_catalog.bool, OUT small_below pg_catalog.int8, OUT oversized_above pg_catalog.int8)
	RETURNS pg_catalog.record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	SELECT x.unread, x.has_scoped_deletes, z.small_below, z.oversized_above INTO unread, has_scoped_deletes, small_below, oversized_above
	FROM floe_internal.size_limits(of_table_id, properties) AS z
	CROSS JOIN (
		SELECT array_agg(l.place::int4 ORDER BY l.place) FILTER (WHERE m.manifest_id IS NULL) AS unread,
			   COALESCE(bool_or(m.content = 1 AND m.has_paths), false) AS has_scoped_deletes
		FROM ROWS FROM (unnest(paths), unnest(lengths), unnest(contents), unnest(spec_ids), unnest(sequence_numbers),
						unnest(added_snapshot_ids)) WITH ORDINALITY AS l (path, length, content, spec_id, sequence_number, added_snapshot_id, place)
		LEFT JOIN floe_internal.manifest AS m ON m.table_id = of_table_id AND m.path = l.path AND m.length = l.length AND m.content = l.content AND m.spec_id = l.spec_id
			AND m.sequence_number = l.sequence_number AND m.added_snapshot_id = l.added_snapshot_id AND (m.has_paths OR m.content = 1 OR NOT need_paths)) AS x;
END
$body$;
COMMENT ON FUNCTION floe_internal.unread_manifests(pg_catalog.int8, pg_catalog.text[], pg_catalog.int8[], pg_catalog.int4[], pg_catalog.int4[], pg_catalog.int8[], pg_catalog.int8[], pg_catalog.bool, pg_catalog.jsonb)
	IS 'Manifests without a stored aggregate of exactly this identity, and the sizes at which aggregates must be exact; has_scoped_deletes: a known delete manifest names data files, so data manifests are needed with paths';

CREATE FUNCTION floe_internal.store_manifests(of_table_id pg_catalog.int8, paths pg_catalog.text[], lengths pg_catalog.int8[], contents pg_catalog.int4[], spec_ids pg_catalog.int4[],
		sequence_numbers pg_catalog.int8[], added_snapshot_ids pg_catalog.int8[], have_paths pg_catalog.bool[], aggregates pg_catalog.bytea[]) RETURNS pg_catalog.void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO floe_internal.manifest AS m (table_id, path, length, content, spec_id, sequence_number, added_snapshot_id, has_paths, aggregate)
		SELECT of_table_id, l.path, l.length, l.content, l.spec_id, l.sequence_number, l.added_snapshot_id, l.has_paths, l.aggregate
		FROM ROWS FROM (pg_catalog.unnest(paths), pg_catalog.unnest(lengths), pg_catalog.unnest(contents), pg_catalog.unnest(spec_ids), pg_catalog.unnest(sequence_numbers),
						pg_catalog.unnest(added_snapshot_ids), pg_catalog.unnest(have_paths), pg_catalog.unnest(aggregates))
			AS l (path, length, content, spec_id, sequence_number, added_snapshot_id, has_paths, aggregate)
		ON CONFLICT (table_id, path) DO UPDATE
			SET length = EXCLUDED.length, content = EXCLUDED.content, spec_id = EXCLUDED.spec_id, sequence_number = EXCLUDED.sequence_number,
				added_snapshot_id = EXCLUDED.added_snapshot_id, has_paths = EXCLUDED.has_paths, aggregate = EXCLUDED.aggregate, stored_at = EXCLUDED.stored_at, left_list_at = NULL;
END;
COMMENT ON FUNCTION floe_internal.store_manifests(pg_catalog.int8, pg_catalog.text[], pg_catalog.int8[], pg_catalog.int4[], pg_catalog.int4[], pg_catalog.int8[], pg_catalog.int8[], pg_catalog.bool[], pg_catalog.bytea[])
	IS 'Aggregates of manifests that were read whole; stored in batches, so that an interrupted first read of a big table goes on where it stopped';

CREATE FUNCTION floe_internal.next_assessor_ms(catalog_ids pg_catalog.int4[], decisions pg_catalog.bool) RETURNS pg_catalog.int8
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
	-- PostgreSQL 15 and 16 do not subtract infinite times
	RETURN (SELECT CASE WHEN min(d.due_at) <= floe_internal.clock() THEN 0
		ELSE ceil(EXTRACT(epoch FROM NULLIF(min(d.due_at), 'infinity') - floe_internal.clock()) * 1000) END::int8
	FROM (SELECT min(c.next_list_at) AS due_at FROM floe_internal.catalog AS c WHERE c.status <> 'removed' AND c.claim_pass IS NULL
		  UNION ALL
		  SELECT (SELECT p.next_poll_at FROM floe_internal.table_poll AS p WHERE p.catalog_id = k.id AND p.claim_pass IS NULL ORDER BY p.next_poll_at LIMIT 1)
		  FROM unnest(catalog_ids) AS k (id)
		  UNION ALL
		  SELECT (SELECT x.decide_at FROM floe_internal.table_decision AS x WHERE decisions ORDER BY x.decide_at LIMIT 1)
		  UNION ALL
		  SELECT (SELECT v.next_at FROM floe_internal.policy_validity AS v WHERE decisions ORDER BY v.next_at LIMIT 1)) AS d);
END
$body$;
COMMENT ON FUNCTION floe_internal.next_assessor_ms(pg_catalog.int4[], pg_catalog.bool) IS 'Milliseconds until a catalog must be listed, a table of these catalogs looked at, a table decided upon, or a policy begins or ends; NULL: never. Each is one look into an index';
