--
-- Forty pairs of policies made by dice that always fall the same way, and what must hold for each: an export is an import, saying the same again changes nothing,
-- and a document imported over another policy leaves what making it anew leaves.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine(), lab.engine('big');
SELECT lab.list_tables('demo', 'demo.db.t', 'demo.db.u', 'demo.x.v');
CREATE TABLE lab.field (scope text, key text, choices jsonb);
INSERT INTO lab.field VALUES
	('policy', 'priority', '[0, 1, -5, 2.0, 1000000000]'), ('policy', 'enabled', '[true, false]'), ('policy', 'description', '["x", "", "ä\"\\ \n"]'), ('policy', 'engine', '["spark", "big"]'), ('policy', 'poll_interval', '["1 minute", "PT5M", "1 day 2 hours"]'), ('policy', 'min_poll_interval', '["1 second", "PT45S", "1 minute"]'),
	('policy', 'thresholds', '[{}, {"excess_file_count": {"warning": 1}}, {"data_bytes": {"warning": "1 GB", "critical": "2TB"}}, {"oldest_snapshot_age": {"warning": "1 day", "critical": 1e6}, "delete_ratio": {"critical": 0.7}}]'),
	('policy', 'weights', '[{}, {"gain": 0}, {"gain": 0.1, "age": 1000}]'), ('policy', 'exclude', '[[], "demo.x.*", ["demo.x.*", "!demo.db.u"]]'),
	('operation', 'enabled', '[true, false]'), ('operation', 'engine', '["spark", "big"]'), ('operation', 'jitter', '["0", "1 hour"]'), ('operation', 'windows', '[[], "22:00-06:00", ["00:00-24:00", "01:00-02:00"]]'), ('operation', 'days', '[[], "mon", ["tue", "Wednesday"]]'),
	('operation', 'timezone', '["UTC", "Europe/Amsterdam"]'), ('operation', 'min_interval', '["0", "PT1H"]'), ('operation', 'deadline', '["7 days", "1 month"]'), ('operation', 'timeout', '["1 minute", "4:00"]'), ('operation', 'max_attempts', '[1, 100, 5.0]'),
	('operation', 'when', '[[{"metric": "data_bytes", "value": "1GB"}], {"all": [{"metric": "delete_ratio", "op": "<", "value": 0.123456789012345}]}]'),
	('schedule', 'every', '["1 minute", "1 month", "36 hours"]'), ('schedule', 'schedule', '["0 2 * * *", "@daily"]'),
	('rewrite_data_files', 'options', '[{}, {"target_file_size": "1GB"}, {"min-input-files": 3, "rewrite_all": true}, {"where": "a = ''x''", "partial-progress.enabled": false}]'), ('rewrite_position_delete_files', 'options', '[{}, {"rewrite-all": true}]'),
	('rewrite_manifests', 'options', '[{}, {"spec_id": 0}]'), ('expire_snapshots', 'options', '[{}, {"retain_last": 3}, {"older_than": "3 days", "snapshot_ids": [1, 9223372036854775807]}]'), ('remove_orphan_files', 'options', '[{}, {"older_than": "24 hours", "equal_schemes": {"s3a": "s3"}}]');
CREATE FUNCTION lab.dice(seed text, faces int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || substr(md5(seed), 1, 6))::bit(24)::int % faces $$;
-- fields of a scope, each one time in so many; of the schedules only one
CREATE FUNCTION lab.fields(seed text, of_scope text, one_in int) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT COALESCE(jsonb_object_agg(f.key, f.choices -> lab.dice(seed || f.scope || f.key, jsonb_array_length(f.choices))), '{}') FROM lab.field AS f
	WHERE f.scope = of_scope AND CASE of_scope WHEN 'schedule' THEN f.key = (ARRAY['every', 'schedule', ''])[1 + lab.dice(seed || 'which', 3)] ELSE lab.dice(seed || f.scope || f.key || '?', one_in) = 0 END
$$;
CREATE FUNCTION lab.document(seed text) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT lab.fields(seed, 'policy', 3) || COALESCE(jsonb_object_agg(k.operation, lab.fields(seed || k.operation, 'operation', 3) || lab.fields(seed || k.operation, 'schedule', 1) || lab.fields(seed, k.operation, 2))
		FILTER (WHERE lab.dice(seed || k.operation, 2) = 0), '{}') FROM floe_internal.operation_kind AS k
$$;
CREATE TABLE lab.made AS SELECT i AS seed, lab.document('a' || i) AS document, lab.document('b' || i) AS other FROM generate_series(1, 40) AS i;
CREATE FUNCTION lab.versions() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	SET CONSTRAINTS ALL IMMEDIATE;
	SET CONSTRAINTS ALL DEFERRED;
	RETURN (SELECT count(*) FROM floe.policy_history);
END $$;
CREATE TABLE lab.wrong (seed int, what text, document jsonb, other jsonb);
DO $do$
DECLARE
	document jsonb;
	other jsonb;
	saved jsonb;
	over jsonb;
	before bigint;
	settings text;
	told text;
BEGIN
	FOR i IN 1 .. 40 LOOP
		SELECT m.document, m.other INTO document, other FROM lab.made AS m WHERE m.seed = i;
		BEGIN
			PERFORM floe.create_policy('p', 'demo.**', document);
			saved := floe.export_policy('p');
			before := lab.versions();
			SELECT string_agg(e.settings::text, '|' ORDER BY e.policy_set_id, e.operation) INTO settings FROM floe_internal.effective AS e;
			PERFORM floe.import_policy(saved), floe.alter_policy('p', saved), floe.alter_policy('p', '{}');
			INSERT INTO lab.wrong SELECT i, 'saying it again changes it', saved, floe.export_policy('p') WHERE floe.export_policy('p') <> saved OR lab.versions() <> before
				OR settings IS DISTINCT FROM (SELECT string_agg(e.settings::text, '|' ORDER BY e.policy_set_id, e.operation) FROM floe_internal.effective AS e);
			PERFORM floe.import_policy(other || '{"name": "p", "pattern": "demo.**"}');
			over := floe.export_policy('p');
			PERFORM floe.drop_policy('p'), floe.create_policy('p', 'demo.**', other);
			INSERT INTO lab.wrong SELECT i, 'imported over another policy it is not as made anew', over, floe.export_policy('p') WHERE floe.export_policy('p') <> over;
			PERFORM floe.drop_policy('p'), floe.import_policy(over);
			INSERT INTO lab.wrong SELECT i, 'an export is not an import', over, floe.export_policy('p') WHERE floe.export_policy('p') <> over;
			PERFORM floe.drop_policy('p');
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS told = MESSAGE_TEXT;
			INSERT INTO lab.wrong VALUES (i, told, document, other);
		END;
	END LOOP;
END
$do$;
SELECT * FROM lab.wrong;
-- the dice have shown every face of every field that a policy can have
SELECT count(DISTINCT d) AS documents FROM lab.made AS m, LATERAL (VALUES (m.document), (m.other)) AS x (d);
SELECT f.scope, f.key FROM lab.field AS f WHERE jsonb_array_length(f.choices) > (SELECT count(DISTINCT x.value) FROM (
	SELECT CASE f.scope WHEN 'policy' THEN m.document -> f.key ELSE m.document #> ARRAY[k.operation, f.key] END AS value
	FROM (SELECT d.document FROM lab.made AS d UNION ALL SELECT d.other FROM lab.made AS d) AS m, floe_internal.operation_kind AS k WHERE f.scope IN ('policy', 'operation', 'schedule', k.operation)) AS x);
SELECT count(*) FROM floe.policy;
