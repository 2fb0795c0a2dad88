--
-- Policies as Polaris answers with them: what they mean here, what means nothing, what is refused.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all
SELECT lab.catalog(), lab.engine();

-- as the specification's examples and Polaris's documentation have them
CREATE TABLE lab.polaris (i int PRIMARY KEY, policy_type text, content jsonb);
INSERT INTO lab.polaris VALUES
	(1, 'system.data-compaction', '{"version": "2025-02-03", "enable": true, "config": {"target_file_size_bytes": 134217728, "compaction_strategy": "bin-pack", "max-concurrent-file-group-rewrites": 5, "key1": "value1"}}'),
	(2, 'system.metadata-compaction', '{"version": "2025-02-03", "enable": true, "config": {"spec_id": 1, "key1": "value1"}}'),
	(3, 'system.snapshot-expiry', '{"version": "2025-02-03", "enable": true, "config": {"min_snapshot_to_keep": 1, "max_snapshot_age_days": 2, "max_ref_age_days": 3, "key1": "value1"}}'),
	(4, 'system.orphan-file-removal', '{"version": "2025-02-03", "enable": true, "max_orphan_file_age_in_days": 30, "config": {"prefix_mismatch_mode": "ignore", "key1": "value1"}}'),
	(5, 'system.data-compaction', '{"enable": false}'),
	(6, 'system.data-compaction', '{"enable": true, "version": "", "config": null}'),
	(7, 'system.data-compaction', '{"enable": true, "config": {"Write.Target-File-Size-Bytes": "1048576", "min_input_files": "3", "rewrite-all": "TRUE", "partial-progress.enabled": true, "delete-ratio-threshold": "0.25"}}'),
	(8, 'system.data-compaction', '{"enable": true, "config": {"strategy": "sort", "sort_order": "a DESC NULLS LAST"}}'),
	(9, 'system.snapshot-expiry', '{"enable": true, "config": {"history.expire.max-snapshot-age-ms": "432000000", "history.expire.min-snapshots-to-keep": "4", "stream_results": false}}'),
	(10, 'system.snapshot-expiry', '{"enable": true, "config": {"max_snapshot_age_days": 1.5}}'),
	(14, 'system.snapshot-expiry', '{"enable": true, "config": {"older_than": "3 days"}}'),
	(11, 'system.orphan-file-removal', '{"enable": true, "max_orphan_file_age_in_days": 0, "locations": []}'),
	(12, 'system.orphan-file-removal', '{"enable": true, "max_orphan_file_age_in_days": 1, "locations": null}'),
	(13, 'system.orphan-file-removal', '{"enable": true, "something": 1}'),
	-- refused
	(20, 'system.orphan-file-removal', '{"enable": true, "locations": ["s3://lake/other"]}'),
	(21, 'system.orphan-file-removal', '{"enable": true, "max_orphan_file_age_in_days": 0.5}'),
	(22, 'system.snapshot-expiry', '{"enable": true, "config": {"min_snapshot_to_keep": 0}}'),
	(23, 'system.snapshot-expiry', '{"enable": true, "config": {"max_snapshot_age_days": "soon"}}'),
	(24, 'system.snapshot-expiry', '{"enable": true, "config": {"max_snapshot_age_days": -1}}'),
	(25, 'system.data-compaction', '{"enable": true, "config": {"compaction_strategy": "z-order"}}'),
	(26, 'system.data-compaction', '{"enable": "true"}'),
	(27, 'system.data-compaction', '{"config": {}}'),
	(28, 'system.data-compaction', '{"enable": true, "config": []}'),
	(29, 'system.data-compaction', '{"enable": true, "version": "2026-01-01"}'),
	(30, 'system.data-compaction', '"enable"'),
	(31, 'system.data-compaction', 'null'),
	(32, 'system.access-control', '{"enable": true}'),
	(33, NULL, '{"enable": true}'),
	(34, 'system.data-compaction', '{"enable": true, "config": {"target_file_size_bytes": 99999999999999999999}}');

DO $do$
DECLARE
	p lab.polaris;
	said text;
	detail text;
	hint text;
BEGIN
	FOR p IN SELECT * FROM lab.polaris ORDER BY i LOOP
		BEGIN
			-- content is a text that is JSON
			PERFORM floe.import_policy(jsonb_build_object('pattern', 'demo.**', 'policy', jsonb_build_object('policy-type', p.policy_type, 'inheritable', true, 'name', 'p', 'version', 3, 'content', p.content::text)));
			RAISE INFO '%: %', p.i, floe.export_policy('p') - 'name' - 'pattern';
		EXCEPTION WHEN invalid_parameter_value OR feature_not_supported THEN
			GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			RAISE INFO '%: % %', p.i, SQLSTATE, concat_ws(' | ', said, NULLIF(detail, ''), NULLIF(hint, ''));
		END;
	END LOOP;
END $do$;
-- what was refused changed nothing; all of them are one policy
SELECT floe.export_policy('p');

-- in the other forms it comes in, with what floe adds
SELECT floe.import_policy('{"name": "applicable", "policy-type": "system.snapshot-expiry", "inheritable": true, "inherited": true, "namespace": ["a", "b"], "description": "for all", "version": 0, "content": "{\"enable\": true}",
	"pattern": "demo.a.**", "exclude": "demo.a.b", "priority": 7, "engine": "spark", "thresholds": {"snapshot_count": {"warning": 5}}}');
SELECT floe.export_policy('applicable');
SELECT floe.import_policy('{"name": "documented", "type": "system.metadata-compaction", "appliedAt": "catalog", "content": {"enable": true}, "pattern": "demo.**"}');
SELECT floe.export_policy('documented');

-- not without a target, and not with what only floe's own documents have
SELECT floe.import_policy('{"name": "q", "policy-type": "system.snapshot-expiry", "content": "{\"enable\": true}"}');
SELECT floe.import_policy('{"name": "q", "pattern": "demo.**", "policy-type": "system.snapshot-expiry", "content": "{\"enable\": true}", "every": "1 day"}');
SELECT floe.import_policy('{"name": "q", "pattern": "demo.**", "policy-type": "system.snapshot-expiry", "content": "{\"enable\": tru"}');
SELECT floe.import_policy('{"name": "q", "pattern": "demo.**", "policy": {}}');
SELECT floe.import_policy('["content", "type"]');
SELECT name FROM floe.policy ORDER BY name;
