-- =================================================================================================
-- 95 privileges
-- Nothing is for PUBLIC. floe_viewer reads; floe_operator also acts; floe_admin also edits policies and
-- budgets. floe_internal is for nobody: the functions of floe run as their owner where they need it.
-- =================================================================================================

REVOKE ALL ON ALL TABLES IN SCHEMA floe, floe_internal FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA floe, floe_internal FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA floe, floe_internal FROM PUBLIC;
REVOKE ALL ON SCHEMA floe, floe_internal FROM PUBLIC;

GRANT USAGE ON SCHEMA floe TO floe_viewer;
GRANT SELECT ON ALL TABLES IN SCHEMA floe TO floe_viewer;
GRANT EXECUTE ON FUNCTION floe.effective_policy(pg_catalog.text), floe.matching_tables(pg_catalog.text), floe.health(pg_catalog.text), floe.partition_health(pg_catalog.text),
	floe.why(pg_catalog.text, pg_catalog.bool), floe.why(pg_catalog.text, pg_catalog.timestamptz), floe.plan(pg_catalog.text), floe.debt(pg_catalog.text), floe.status(pg_catalog.text), floe.stats(pg_catalog.interval),
	floe.export_policy(pg_catalog.text), floe.approved_engines(pg_catalog.text) TO floe_viewer;
GRANT EXECUTE ON FUNCTION floe.roi_by(pg_catalog.text, pg_catalog.interval), floe.forecast(pg_catalog.text, pg_catalog.interval), floe.recommendations(pg_catalog.text) TO floe_viewer;
GRANT EXECUTE ON FUNCTION floe.dismiss(pg_catalog.text, pg_catalog.text, pg_catalog.text), floe.undismiss(pg_catalog.text, pg_catalog.text) TO floe_operator;
GRANT UPDATE (is_enabled, threshold) ON floe.recommendation_rule TO floe_admin;

-- For the owners of policies, whom these look for.
GRANT EXECUTE ON FUNCTION floe.create_policy(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb), floe.alter_policy(pg_catalog.text, pg_catalog.jsonb), floe.drop_policy(pg_catalog.text, pg_catalog.bool),
	floe.import_policy(pg_catalog.jsonb), floe.own_policy(pg_catalog.text, pg_catalog.text), floe.restore_policy(pg_catalog.text, pg_catalog.int4),
	floe.policy_diff(pg_catalog.text, pg_catalog.int4, pg_catalog.int4) TO floe_viewer;

-- Functions inside views are run as whoever reads the view.
GRANT EXECUTE ON FUNCTION floe_internal.clock(), floe_internal.connection_options(), floe_internal.engine_options(), floe_internal.engine_operations(), floe_internal.connection_types(), floe_internal.queue_opens(pg_catalog.timestamptz), floe_internal.budget_state(pg_catalog.timestamptz), floe_internal.workers(), floe_internal.format_name(pg_catalog.text[]),
	floe_internal.match_pattern(pg_catalog.text, pg_catalog.text[]) TO floe_viewer;

GRANT EXECUTE ON FUNCTION floe.trigger(pg_catalog.text, pg_catalog.text[], pg_catalog.jsonb), floe.refresh(pg_catalog.text), floe.notify_commit(pg_catalog.text),
	floe.pause(pg_catalog.text, pg_catalog.timestamptz, pg_catalog.text), floe.resume(pg_catalog.text), floe.retry(pg_catalog.text), floe.drain(pg_catalog.text), floe.undrain(), floe.drain_engine(pg_catalog.text, pg_catalog.text), floe.undrain_engine(pg_catalog.text), floe.cancel(pg_catalog.int8),
	floe.check_catalog(pg_catalog.text), floe.check_engine(pg_catalog.text), floe.watch_catalog(pg_catalog.text), floe.unwatch_catalog(pg_catalog.text), floe.notify_jdbc_commit(),
	floe_internal.jdbc_relation(pg_catalog.text), floe_internal.drop_watch(pg_catalog.regclass, pg_catalog.text),
	floe_internal.put_watch(pg_catalog.regclass, pg_catalog.text, pg_catalog.text) TO floe_operator;
-- It reads, but passes wait while it does.
GRANT EXECUTE ON FUNCTION floe.simulate(pg_catalog.jsonb, pg_catalog.timestamptz, pg_catalog.text, pg_catalog.interval, pg_catalog.interval, pg_catalog.bool, pg_catalog.interval) TO floe_operator;
GRANT EXECUTE ON PROCEDURE floe.run_maintenance(pg_catalog.text, pg_catalog.bool) TO floe_operator;
-- Who may CALL it may have pg_cron CALL it as him; whether he may use pg_cron at all, pg_cron decides. What they call runs partly as the caller.
GRANT EXECUTE ON FUNCTION floe.schedule(pg_catalog.text), floe.unschedule(), floe_internal.prepare_schedule(pg_catalog.text, pg_catalog.name), floe_internal.prepare_unschedule(pg_catalog.name),
	floe_internal.tell_pg_cron(pg_catalog.int8, pg_catalog.bool, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.text), floe_internal.end_pg_cron_jobs(pg_catalog.int8[]),
	floe_internal.pg_cron_command() TO floe_operator;

-- All but ids and times: rows that bring those come from a dump.
GRANT DELETE, INSERT (name, pattern, priority, is_enabled, description, engine, poll_interval, min_poll_interval, thresholds, weights, fallback_engines, fallback_after, valid_during, score, locks, owner),
	UPDATE (name, pattern, priority, is_enabled, description, engine, poll_interval, min_poll_interval, thresholds, weights, fallback_engines, fallback_after, valid_during, score, locks, owner) ON floe.policy TO floe_admin;
GRANT DELETE, INSERT (policy_id, operation, is_enabled, engine, schedule, every, timezone, jitter, windows, days, min_interval, conditions, deadline, timeout, max_attempts, slice_bytes, slice_time, quiet_period, resources, options, fallback_engines, fallback_after, auto_tune),
	UPDATE (operation, is_enabled, engine, schedule, every, timezone, jitter, windows, days, min_interval, conditions, deadline, timeout, max_attempts, slice_bytes, slice_time, quiet_period, resources, options, fallback_engines, fallback_after, auto_tune) ON floe.policy_operation TO floe_admin;
GRANT INSERT, UPDATE, DELETE ON floe.budget TO floe_admin;
GRANT DELETE, INSERT (pattern, engines, description), UPDATE (pattern, engines, description) ON floe.engine_approval TO floe_admin;
GRANT UPDATE (warning, critical, weight) ON floe.metric TO floe_admin;
GRANT UPDATE (weight) ON floe.debt_term TO floe_admin;
GRANT DELETE, INSERT (preset, term, weight), UPDATE (preset, term, weight) ON floe.debt_preset TO floe_admin;
GRANT UPDATE (price, currency) ON floe.rate TO floe_admin;
GRANT UPDATE (runs, objects_per_gb_hour, bytes_per_gb_hour, longest_interval) ON floe.return_threshold TO floe_admin;
GRANT DELETE, INSERT (name, conf, description), UPDATE (name, conf, description) ON floe.resource_preset TO floe_admin;
GRANT EXECUTE ON FUNCTION floe.import_policies(pg_catalog.jsonb, pg_catalog.jsonb), floe.check_import(pg_catalog.jsonb, pg_catalog.jsonb),
	floe.import_table_properties(pg_catalog.text, pg_catalog.jsonb, pg_catalog.bool), floe.approve_engines(pg_catalog.text, pg_catalog.text[], pg_catalog.text),
	floe.drop_engine_approval(pg_catalog.text) TO floe_admin;

-- What pg_dump carries: what people wrote. What was measured and done stays behind: it belongs to the tables of this database's catalogs.
SELECT pg_catalog.pg_extension_config_dump('floe.policy', '');
SELECT pg_catalog.pg_extension_config_dump('floe.policy_policy_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('floe.policy_operation', '');
SELECT pg_catalog.pg_extension_config_dump('floe.budget', '');
SELECT pg_catalog.pg_extension_config_dump('floe.engine_approval', '');
SELECT pg_catalog.pg_extension_config_dump('floe.metric', 'WHERE is_changed');
SELECT pg_catalog.pg_extension_config_dump('floe.debt_term', 'WHERE is_changed');
SELECT pg_catalog.pg_extension_config_dump('floe.debt_preset', 'WHERE NOT is_builtin');
SELECT pg_catalog.pg_extension_config_dump('floe.resource_preset', 'WHERE is_changed');
SELECT pg_catalog.pg_extension_config_dump('floe.rate', 'WHERE is_changed');
SELECT pg_catalog.pg_extension_config_dump('floe.return_threshold', 'WHERE is_changed');
SELECT pg_catalog.pg_extension_config_dump('floe.recommendation_rule', 'WHERE is_changed');
SELECT pg_catalog.pg_extension_config_dump('floe_internal.dismissal', '');
SELECT pg_catalog.pg_extension_config_dump('floe_internal.policy_version', '');
SELECT pg_catalog.pg_extension_config_dump('floe_internal.pause', '');
SELECT pg_catalog.pg_extension_config_dump('floe_internal.pause_pause_id_seq', '');
