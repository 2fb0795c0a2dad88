-- =================================================================================================
-- 40 policies: tables
-- Typed columns are the truth, NULL means "not set by this policy". JSON documents (41) are how people
-- exchange them. Direct INSERT, UPDATE and DELETE on these two tables is validated like the functions are.
-- =================================================================================================

CREATE TABLE floe.policy (
	policy_id		pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name			pg_catalog.text NOT NULL UNIQUE CHECK (name OPERATOR(pg_catalog.<>) '' AND pg_catalog.length(name) OPERATOR(pg_catalog.<=) 200),
	pattern			pg_catalog.text NOT NULL,
	priority		pg_catalog.int4 NOT NULL DEFAULT 0,
	is_enabled		pg_catalog.bool NOT NULL DEFAULT true,
	description		pg_catalog.text,
	engine			pg_catalog.text,
	poll_interval	pg_catalog.interval CHECK (poll_interval OPERATOR(pg_catalog.>=) '1 second'::pg_catalog.interval),
	min_poll_interval	pg_catalog.interval CHECK (min_poll_interval OPERATOR(pg_catalog.>=) '1 second'::pg_catalog.interval),
	thresholds		pg_catalog.jsonb NOT NULL DEFAULT '{}',
	weights			pg_catalog.jsonb NOT NULL DEFAULT '{}',
	fallback_engines	pg_catalog.text[],
	fallback_after	pg_catalog.interval CHECK (fallback_after OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	valid_during	pg_catalog.tstzrange,
	score			pg_catalog.text,
	locks			pg_catalog.jsonb NOT NULL DEFAULT '{}',
	owner			pg_catalog.text NOT NULL,
	created_at		pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated_at		pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE floe.policy IS 'Maintenance policies; a NULL column is not set and leaves the value to other policies, the table''s properties or floe''s defaults';
COMMENT ON COLUMN floe.policy.pattern IS 'Comma-separated patterns over catalog.namespace.table: * and ? inside one level, ** any levels, /regex/ for one level, !pattern excludes';
COMMENT ON COLUMN floe.policy.priority IS 'Higher wins; then more literal levels in the pattern; then the name';
COMMENT ON COLUMN floe.policy.engine IS 'SERVER of wrapper floe_engine for all operations of this policy that do not name their own';
COMMENT ON COLUMN floe.policy.fallback_engines IS 'Engines that take an operation, in this order, when the ones before them cannot: not able or approved, drained, removed, failing or full for fallback_after. Of all tables: set it in a policy for **';
COMMENT ON COLUMN floe.policy.fallback_after IS 'How long an engine must have failed, or an operation have waited for a place at it, before the next engine takes it; 5 minutes where no policy says otherwise';
COMMENT ON COLUMN floe.policy.poll_interval IS 'Longest time between two looks at a table; one that is written more often is looked at about as often as it is written';
COMMENT ON COLUMN floe.policy.min_poll_interval IS 'Shortest time between two looks at a table that nobody asked for';
COMMENT ON COLUMN floe.policy.thresholds IS 'metric -> {"warning": n, "critical": n} in the metric''s unit';
COMMENT ON COLUMN floe.policy.weights IS 'debt term -> weight';
COMMENT ON COLUMN floe.policy.valid_during IS 'The policy counts only within this; the beginning belongs to it, the end does not; NULL: always';
COMMENT ON COLUMN floe.policy.score IS 'What orders candidates: a preset of floe.debt_preset, or a function of the user''s own, schema-qualified';
COMMENT ON COLUMN floe.policy.locks IS 'field -> what every policy and table property below this one may set it to; docs/policies.md has the forms';
COMMENT ON COLUMN floe.policy.owner IS 'Role that may change and drop the policy, as may its members and floe_admin; by name, so that a restore does not need the role';

CREATE TABLE floe.resource_preset (
	name		pg_catalog.text PRIMARY KEY,
	conf		pg_catalog.jsonb NOT NULL,
	description	pg_catalog.text NOT NULL DEFAULT '',
	is_changed	pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE floe.resource_preset IS 'Sizes of sessions that policies name in "resources": Spark settings, which an engine is given when it starts a session';
COMMENT ON COLUMN floe.resource_preset.conf IS 'Spark setting -> value; for Livy the sizes of driver and executors become its own fields';
COMMENT ON COLUMN floe.resource_preset.is_changed IS 'The row was made or changed after installation: pg_dump carries it';

INSERT INTO floe.resource_preset VALUES
	('small', '{"spark.driver.memory": "1g", "spark.executor.instances": "2", "spark.executor.cores": "2", "spark.executor.memory": "2g"}', 'expiring snapshots, manifests, small tables'),
	('medium', '{"spark.driver.memory": "2g", "spark.executor.instances": "4", "spark.executor.cores": "2", "spark.executor.memory": "4g"}', 'tables of some hundred GB'),
	('large', '{"spark.driver.memory": "4g", "spark.executor.instances": "8", "spark.executor.cores": "4", "spark.executor.memory": "8g"}', 'first runs on large tables, orphans of large tables');

CREATE TABLE floe.policy_operation (
	policy_id		pg_catalog.int4 NOT NULL REFERENCES floe.policy ON DELETE CASCADE,
	operation		pg_catalog.text NOT NULL REFERENCES floe_internal.operation_kind,
	is_enabled		pg_catalog.bool,
	engine			pg_catalog.text,
	schedule		pg_catalog.text,
	every			pg_catalog.interval CHECK (every OPERATOR(pg_catalog.>=) '1 minute'::pg_catalog.interval),
	timezone		pg_catalog.text,
	jitter			pg_catalog.interval CHECK (jitter OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	windows			pg_catalog.text[],
	days			pg_catalog.text[],
	min_interval	pg_catalog.interval CHECK (min_interval OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	conditions		pg_catalog.jsonb,
	deadline		pg_catalog.interval CHECK (deadline OPERATOR(pg_catalog.>) '0'::pg_catalog.interval),
	timeout			pg_catalog.interval CHECK (timeout OPERATOR(pg_catalog.>=) '1 minute'::pg_catalog.interval),
	max_attempts	pg_catalog.int4 CHECK (max_attempts OPERATOR(pg_catalog.>=) 1 AND max_attempts OPERATOR(pg_catalog.<=) 100),
	slice_bytes		pg_catalog.int8 CHECK (slice_bytes OPERATOR(pg_catalog.>) 0),
	slice_time		pg_catalog.interval CHECK (slice_time OPERATOR(pg_catalog.>=) '1 minute'::pg_catalog.interval),
	quiet_period	pg_catalog.interval CHECK (quiet_period OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	options			pg_catalog.jsonb NOT NULL DEFAULT '{}',
	resources		pg_catalog.jsonb,
	fallback_engines	pg_catalog.text[],
	fallback_after	pg_catalog.interval CHECK (fallback_after OPERATOR(pg_catalog.>=) '0'::pg_catalog.interval),
	auto_tune		pg_catalog.bool,
	schedule_set_at	pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (policy_id, operation),
	CONSTRAINT policy_operation_one_schedule CHECK (schedule IS NULL OR every IS NULL)
);
COMMENT ON TABLE floe.policy_operation IS 'What a policy says about one operation; a row, even an empty one, switches the operation on for matching tables unless a policy disables it';
COMMENT ON COLUMN floe.policy_operation.schedule IS '5-field cron expression in timezone; excludes every';
COMMENT ON COLUMN floe.policy_operation.every IS 'Interval between runs, in whole intervals from when it was set; excludes schedule';
COMMENT ON COLUMN floe.policy_operation.timezone IS 'Of schedule, windows and days; IANA name; default UTC';
COMMENT ON COLUMN floe.policy_operation.jitter IS 'A scheduled run starts up to this much later, by a fixed amount for each table and operation, always before the next one; default 5 minutes, for every a tenth of it if that is less; 0: all tables at once';
COMMENT ON COLUMN floe.policy_operation.windows IS 'HH:MM-HH:MM in timezone, may cross midnight: runs may start only inside one';
COMMENT ON COLUMN floe.policy_operation.days IS 'mon … sun: windows may start only on these days';
COMMENT ON COLUMN floe.policy_operation.min_interval IS 'Least time between the end of a run that did not fail and the start of the next; after a failure the backoff of its error class counts';
COMMENT ON COLUMN floe.policy_operation.conditions IS '{"any": [{"metric": …, "op": ">=", "value": …}]} or {"all": […]}: replaces the thresholds as the reason to run';
COMMENT ON COLUMN floe.policy_operation.deadline IS 'After this long without a run, any work at all (not only beyond a threshold) is a reason to run; never overrides safety';
COMMENT ON COLUMN floe.policy_operation.timeout IS 'A run longer than this is cancelled at the engine';
COMMENT ON COLUMN floe.policy_operation.max_attempts IS 'Consecutive failures after which the operation waits for a change';
COMMENT ON COLUMN floe.policy_operation.resources IS 'Size of the engine''s session: name of a row of floe.resource_preset, or Spark settings as an object; for engines that start a session for it (livy, kyuubi)';
COMMENT ON COLUMN floe.policy_operation.slice_bytes IS 'rewrite_data_files: most bytes that one run rewrites; a table with more is done partition by partition, in runs one after the other. Default 50 GB';
COMMENT ON COLUMN floe.policy_operation.slice_time IS 'rewrite_data_files: the same as a time, by the speed learned from the log';
COMMENT ON COLUMN floe.policy_operation.quiet_period IS 'rewrite_data_files: a partition that was written within this is left alone while others have something to gain; default: twice the median gap between commits, at least 2 minutes, for tables that are written every 10 minutes or more often; 0: none is';
COMMENT ON COLUMN floe.policy_operation.schedule_set_at IS 'When schedule, every, timezone, jitter or the policy''s pattern were last changed, or the policy was last switched on: the schedule begins with this';
COMMENT ON COLUMN floe.policy_operation.auto_tune IS 'Runs that never pay are called for less often; NULL: as another policy says, else not';
COMMENT ON COLUMN floe.policy_operation.options IS 'Options of the procedure, canonical; floe.operation_option lists them';

CREATE TABLE floe_internal.policy_version (
	policy_id	pg_catalog.int4 NOT NULL,
	version		pg_catalog.int4 NOT NULL,
	name		pg_catalog.text NOT NULL,
	action		pg_catalog.text NOT NULL CHECK (action IN ('create', 'alter', 'drop')),
	document	pg_catalog.jsonb NOT NULL,
	changed_at	pg_catalog.timestamptz NOT NULL,
	changed_by	pg_catalog.text NOT NULL,
	PRIMARY KEY (policy_id, version)
);
COMMENT ON TABLE floe_internal.policy_version IS 'Every version every policy ever had; rows are never changed';

CREATE TABLE floe_internal.policy_match (
	table_id	pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	policy_id	pg_catalog.int4 NOT NULL REFERENCES floe.policy ON DELETE CASCADE,
	specificity	pg_catalog.int4 NOT NULL,
	PRIMARY KEY (table_id, policy_id)
);
CREATE INDEX policy_match_policy ON floe_internal.policy_match (policy_id);
COMMENT ON TABLE floe_internal.policy_match IS 'Which enabled policies match which table; kept up to date when either changes';

CREATE TABLE floe_internal.policy_set (
	policy_set_id	pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	policy_ids		pg_catalog.int4[] NOT NULL UNIQUE
);
COMMENT ON TABLE floe_internal.policy_set IS 'Ordered lists of policies, winner first. Tables with the same list share one resolution: settings are resolved per list, not per table';

CREATE TABLE floe_internal.effective (
	policy_set_id	pg_catalog.int4 NOT NULL REFERENCES floe_internal.policy_set ON DELETE CASCADE,
	operation		pg_catalog.text NOT NULL,
	settings		pg_catalog.jsonb NOT NULL,
	origins			pg_catalog.jsonb NOT NULL,
	problem			pg_catalog.text,
	engine_names	pg_catalog.text[],
	engine_refusals	pg_catalog.jsonb,
	locked			pg_catalog.jsonb,
	bounds			pg_catalog.jsonb,
	PRIMARY KEY (policy_set_id, operation)
);
COMMENT ON TABLE floe_internal.effective IS 'Resolved settings of each policy list, by operation; operation "" holds what is not of one operation. origins: setting -> policy_id';
COMMENT ON COLUMN floe_internal.effective.problem IS 'Why the options, taken together from several policies, are not valid, or no engine that they name can honour them: the operation is blocked';
COMMENT ON COLUMN floe_internal.effective.locked IS 'setting -> what a lock overruled: {"asked": value, "by": policy_id or null, "holder": policy_id, "allows": text}; NULL: nothing';
COMMENT ON COLUMN floe_internal.effective.bounds IS 'setting -> locks that hold what a table property says, the lowest first; NULL: none';
COMMENT ON COLUMN floe_internal.effective.engine_names IS 'Engines named, the preferred one first';
COMMENT ON COLUMN floe_internal.effective.engine_refusals IS 'Of these, which cannot honour it, and why; one that does not exist is not among them, and is asked when it does';

-- Settings that hold when no policy and no table property says otherwise.
CREATE TABLE floe_internal.builtin_setting (
	operation	pg_catalog.text NOT NULL,
	setting		pg_catalog.text NOT NULL,
	value		pg_catalog.jsonb NOT NULL,
	PRIMARY KEY (operation, setting)
);
COMMENT ON TABLE floe_internal.builtin_setting IS 'floe''s defaults, below policies and table properties';

INSERT INTO floe_internal.builtin_setting VALUES
	('', 'poll_interval', '"1 hour"'),
	('', 'min_poll_interval', '"1 minute"'),
	('', 'score', '"benefit"'),
	('rewrite_data_files', 'min_interval', '"1 hour"'),
	('rewrite_data_files', 'timeout', '"4 hours"'),
	('rewrite_data_files', 'max_attempts', '5'),
	('rewrite_data_files', 'slice_bytes', '53687091200'),
	('rewrite_position_delete_files', 'min_interval', '"1 hour"'),
	('rewrite_position_delete_files', 'timeout', '"2 hours"'),
	('rewrite_position_delete_files', 'max_attempts', '5'),
	('rewrite_manifests', 'min_interval', '"1 hour"'),
	('rewrite_manifests', 'timeout', '"1 hour"'),
	('rewrite_manifests', 'max_attempts', '5'),
	('expire_snapshots', 'min_interval', '"1 hour"'),
	('expire_snapshots', 'deadline', '"7 days"'),
	('expire_snapshots', 'timeout', '"2 hours"'),
	('expire_snapshots', 'max_attempts', '5'),
	('remove_orphan_files', 'schedule', '{"every": "7 days"}'),
	('remove_orphan_files', 'min_interval', '"1 day"'),
	('remove_orphan_files', 'timeout', '"4 hours"'),
	('remove_orphan_files', 'max_attempts', '5'),
	('remove_orphan_files', 'options.older_than', '"3 days"'),
	('compute_table_stats', 'min_interval', '"1 hour"'),
	('compute_table_stats', 'deadline', '"1 day"'),
	('compute_table_stats', 'timeout', '"4 hours"'),
	('compute_table_stats', 'max_attempts', '5'),
	('compute_partition_stats', 'min_interval', '"1 hour"'),
	('compute_partition_stats', 'deadline', '"1 day"'),
	('compute_partition_stats', 'timeout', '"1 hour"'),
	('compute_partition_stats', 'max_attempts', '5'),
	('rewrite_data_files', 'timezone', '"UTC"'),
	('rewrite_position_delete_files', 'timezone', '"UTC"'),
	('rewrite_manifests', 'timezone', '"UTC"'),
	('expire_snapshots', 'timezone', '"UTC"'),
	('remove_orphan_files', 'timezone', '"UTC"'),
	('compute_table_stats', 'timezone', '"UTC"'),
	('compute_partition_stats', 'timezone', '"UTC"');

