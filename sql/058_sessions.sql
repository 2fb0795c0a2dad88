--
-- Settings of a session change nothing: what floe stores and decides is the same under all of them.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine();
SELECT lab.assess('demo.db.t', files => 500, file_bytes => 1000, snapshots => 50, properties => '{"history.expire.max-snapshot-age-ms": "3600000"}');

-- ---- settings of presentation ----

-- What a policy leaves behind and what is decided by it.
CREATE FUNCTION lab.everything() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	saved text;
BEGIN
	BEGIN
		PERFORM floe.create_policy('p', 'demo.**', '{"engine": "spark", "poll_interval": "90 seconds", "thresholds": {"delete_ratio": {"warning": 0.1}, "oldest_snapshot_age": {"warning": "1 day 2 hours", "critical": "3 days"}}, "weights": {"gain": 0.3333333333333333},
			"rewrite_data_files": {"schedule": "0 2 * * *", "timezone": "Europe/Amsterdam", "deadline": "1 month 3 days 4:05:06.7", "when": [{"metric": "last_write_age", "value": "01:30:00"}]},
			"expire_snapshots": {"every": "36 hours", "options": {"max_snapshot_age": "1 day 12 hours"}}}');
		SELECT concat_ws(E'\n', floe.export_policy('p')::text, (SELECT string_agg(e.settings::text, '|' ORDER BY e.operation) FROM floe_internal.effective AS e WHERE e.policy_set_id = (SELECT policy_set_id FROM floe_internal.iceberg_table)),
			(SELECT string_agg(e::text, '|' ORDER BY e::text COLLATE "C") FROM floe.effective_policy('demo.db.t') AS e),
			(SELECT string_agg(concat_ws(',', w.operation, w.verdict, extract(epoch FROM w.next_at)), '|' ORDER BY w.operation) FROM floe.why('demo.db.t') AS w)) INTO saved;
		RAISE EXCEPTION USING ERRCODE = 'LAB00';
	EXCEPTION WHEN SQLSTATE 'LAB00' THEN
		NULL;
	END;
	RETURN regexp_replace(saved, '"since": "[^"]*"', '', 'g');
END $$;
CREATE TABLE lab.said AS SELECT lab.everything() AS said;
SELECT said ~ '"deadline": "1 mon 3 days 04:05:06.7"' AS as_postgres_writes_it FROM lab.said;
CREATE FUNCTION lab.changed(settings text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
	s text;
BEGIN
	FOREACH s IN ARRAY string_to_array(settings, '; ') LOOP
		PERFORM set_config(split_part(s, '=', 1), split_part(s, '=', 2), true);
	END LOOP;
	RETURN lab.everything() IS DISTINCT FROM (SELECT said FROM lab.said);
END $$;
SELECT s AS settings, lab.changed(s) AS changed FROM (VALUES
	('intervalstyle=sql_standard'), ('intervalstyle=iso_8601'), ('intervalstyle=postgres_verbose')) AS v (s);
SELECT lab.changed('datestyle=German');
SELECT lab.changed('timezone=Pacific/Kiritimati; datestyle=SQL, DMY');
RESET timezone; RESET datestyle; RESET intervalstyle;
SELECT lab.changed('extra_float_digits=-15');
SELECT lab.changed('bytea_output=escape');
SELECT lab.changed('standard_conforming_strings=off; escape_string_warning=off; backslash_quote=on');
SELECT lab.changed('enable_hashjoin=off; enable_mergejoin=off; enable_seqscan=off; jit=on; jit_above_cost=0');
SELECT lab.changed('plpgsql.variable_conflict=use_column; array_nulls=off; transform_null_equals=on; search_path=');

-- ---- isolation levels ----

-- The pass sees what others commit between its steps, whatever the session prefers; whoever cannot is not let near the policies.
CREATE TABLE lab.level (level text);
CREATE FUNCTION lab.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO lab.level VALUES (current_setting('transaction_isolation'));
	RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON floe_internal.pass FOR EACH ROW EXECUTE FUNCTION lab.note();
DROP SERVER demo;
SET default_transaction_isolation = 'serializable';
SET client_min_messages = warning;
CALL floe.run_maintenance();
RESET client_min_messages;
SHOW transaction_isolation;
SELECT DISTINCT level FROM lab.level;
SELECT floe.create_policy('q', '**');
SET default_transaction_isolation = 'repeatable read';
INSERT INTO floe.policy (name, pattern) VALUES ('q', '**');
DELETE FROM floe.policy_operation;
SELECT lab.catalog('other');
SELECT lab.list_tables('other', 'other.db.t');
RESET default_transaction_isolation;
SELECT lab.list_tables('other', 'other.db.t');
SELECT floe.create_policy('q', '**') > 0;
