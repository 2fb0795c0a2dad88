-- =================================================================================================
-- 20 tables: catalogs, Iceberg tables, manifests, health
-- What is written at every poll is apart from what is written when a table changed.
-- =================================================================================================

CREATE TABLE floe_internal.pass (
	pass_id		pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind		pg_catalog.text NOT NULL,
	pid			pg_catalog.int4 NOT NULL,
	role_name	pg_catalog.text NOT NULL,
	generation	pg_catalog.timestamptz,
	started_at	pg_catalog.timestamptz NOT NULL,
	ended_at	pg_catalog.timestamptz
);
CREATE INDEX pass_open ON floe_internal.pass (pass_id) WHERE ended_at IS NULL;
CREATE INDEX pass_started ON floe_internal.pass (started_at);
COMMENT ON TABLE floe_internal.pass IS 'Every run of the maintenance pass. While it runs its process holds the advisory lock (pass_class, pass_id): claims of a pass without that lock are void';
COMMENT ON COLUMN floe_internal.pass.generation IS 'It differs after a crash, which tells a process that died from one that was cancelled, or ended by an orderly restart';

CREATE TABLE floe_internal.catalog (
	catalog_id		pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	server_name		pg_catalog.text NOT NULL UNIQUE,
	status			pg_catalog.text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'ok', 'error', 'removed')),
	config			pg_catalog.jsonb,
	error_code		pg_catalog.text,
	error_message	pg_catalog.text,
	error_detail	pg_catalog.text,
	error_since		pg_catalog.timestamptz,
	failures		pg_catalog.int4 NOT NULL DEFAULT 0,
	tripped_by		pg_catalog.text CHECK (tripped_by IN ('tables', 'probe')),
	listed_at		pg_catalog.timestamptz,
	left_out		pg_catalog.int8 NOT NULL DEFAULT 0,
	refused_count	pg_catalog.int8 NOT NULL DEFAULT 0,
	refusal			pg_catalog.text,
	next_list_at	pg_catalog.timestamptz NOT NULL DEFAULT '-infinity',
	claim_pass		pg_catalog.int4,
	created_at		pg_catalog.timestamptz NOT NULL,
	removed_at		pg_catalog.timestamptz
);
COMMENT ON TABLE floe_internal.catalog IS 'State of each SERVER of wrapper floe_catalog; found by name, because oids change on restore';
COMMENT ON COLUMN floe_internal.catalog.config IS 'What the catalog said about itself at the last connection (prefix, separator, capabilities); no secrets';
COMMENT ON COLUMN floe_internal.catalog.left_out IS 'Namespaces and tables of the last listing whose names floe cannot keep: longer than 1024 bytes with all their levels, more than 30 levels, an empty level, or the character U+001F in a namespace';
COMMENT ON COLUMN floe_internal.catalog.refused_count IS 'Namespaces that the last listing was not allowed to look into, or whose tables the catalog''s server refuses to list because of a character in the path; refusal has the catalog''s words for the first one. What floe knows of them is not regarded as dropped';
COMMENT ON COLUMN floe_internal.catalog.tripped_by IS 'tables: not the catalog itself failed, but too many of its tables in a row, so a listing does not show that all is well; probe: it was listed since then, and the next table that is looked at tells';
COMMENT ON COLUMN floe_internal.catalog.next_list_at IS '-infinity: somebody asked for it, if need be while the catalog is being listed, which then does not count as the answer';
COMMENT ON COLUMN floe_internal.catalog.failures IS 'Consecutive failures to connect or list; sets the backoff';

CREATE TABLE floe_internal.engine (
	engine_id		pg_catalog.int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	server_name		pg_catalog.text NOT NULL UNIQUE,
	status			pg_catalog.text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'ok', 'error', 'removed')),
	product			pg_catalog.text,
	error_code		pg_catalog.text,
	error_message	pg_catalog.text,
	error_detail	pg_catalog.text,
	error_since		pg_catalog.timestamptz,
	failures		pg_catalog.int4 NOT NULL DEFAULT 0,
	retry_at		pg_catalog.timestamptz,
	checked_at		pg_catalog.timestamptz,
	created_at		pg_catalog.timestamptz NOT NULL,
	removed_at		pg_catalog.timestamptz,
	drained_at		pg_catalog.timestamptz,
	drained_by		pg_catalog.text,
	drain_reason	pg_catalog.text
);
COMMENT ON TABLE floe_internal.engine IS 'State of each SERVER of wrapper floe_engine';
COMMENT ON COLUMN floe_internal.engine.retry_at IS 'No dispatch before this time after a failure to reach it';
COMMENT ON COLUMN floe_internal.engine.drained_at IS 'Since when nothing new is dispatched to it (floe.drain_engine()); what runs there is finished';

CREATE TABLE floe_internal.iceberg_table (
	table_id			pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	catalog_id			pg_catalog.int4 NOT NULL REFERENCES floe_internal.catalog,
	namespace			pg_catalog.text[] NOT NULL,
	table_name			pg_catalog.text NOT NULL,
	levels				pg_catalog.text[] NOT NULL,
	name				pg_catalog.text NOT NULL,
	status				pg_catalog.text NOT NULL DEFAULT 'unseen' CHECK (status IN ('unseen', 'ok', 'error', 'unsupported', 'quarantined', 'dropped')),
	error_code			pg_catalog.text,
	error_message		pg_catalog.text,
	error_detail		pg_catalog.text,
	error_since			pg_catalog.timestamptz,
	table_uuid			pg_catalog.text,
	location			pg_catalog.text,
	location_key		pg_catalog.text COLLATE pg_catalog."C",
	format_version		pg_catalog.int4,
	metadata_location	pg_catalog.text,
	current_snapshot_id	pg_catalog.int8,
	properties			pg_catalog.jsonb,
	refs				pg_catalog.jsonb,
	specs				pg_catalog.jsonb,
	details				pg_catalog.jsonb,
	snapshots			pg_catalog.bytea,
	manifest_ids		pg_catalog.int8[],
	assessed_at			pg_catalog.timestamptz,
	look				pg_catalog.int8,
	policy_set_id		pg_catalog.int4,
	first_seen_at		pg_catalog.timestamptz NOT NULL,
	dropped_at			pg_catalog.timestamptz,
	is_left_behind		pg_catalog.bool NOT NULL DEFAULT false,
	emptied_at			pg_catalog.timestamptz
);
CREATE UNIQUE INDEX iceberg_table_key ON floe_internal.iceberg_table (catalog_id, namespace, table_name) WHERE status OPERATOR(pg_catalog.<>) 'dropped';
CREATE UNIQUE INDEX iceberg_table_name ON floe_internal.iceberg_table (name) WHERE status OPERATOR(pg_catalog.<>) 'dropped';
CREATE INDEX iceberg_table_dropped_name ON floe_internal.iceberg_table (name) WHERE status OPERATOR(pg_catalog.=) 'dropped';
CREATE INDEX iceberg_table_policy_set ON floe_internal.iceberg_table (policy_set_id);
CREATE INDEX iceberg_table_location ON floe_internal.iceberg_table (location_key) WHERE status OPERATOR(pg_catalog.<>) 'dropped' OR is_left_behind;
CREATE INDEX iceberg_table_unlocated ON floe_internal.iceberg_table (catalog_id, table_id) WHERE location_key IS NULL AND status OPERATOR(pg_catalog.<>) 'dropped';
CREATE INDEX iceberg_table_dropped ON floe_internal.iceberg_table (dropped_at) WHERE status OPERATOR(pg_catalog.=) 'dropped';
CREATE INDEX iceberg_table_to_empty ON floe_internal.iceberg_table (dropped_at)
	WHERE status OPERATOR(pg_catalog.=) 'dropped' AND (emptied_at IS NULL OR emptied_at OPERATOR(pg_catalog.<) dropped_at);
COMMENT ON TABLE floe_internal.iceberg_table IS 'Every Iceberg table floe has seen, with its state as of the last change; written when the table changed, not when it was polled';
COMMENT ON COLUMN floe_internal.iceberg_table.levels IS 'Catalog, namespace levels, table name';
COMMENT ON COLUMN floe_internal.iceberg_table.name IS 'Text form of levels';
COMMENT ON COLUMN floe_internal.iceberg_table.status IS 'unseen: registered, not assessed yet; error: last assessment failed, older health is kept; unsupported: not assessable (format v4, encryption); quarantined: twice the process died while assessing it; dropped: the catalog says it is gone, history stays';
COMMENT ON COLUMN floe_internal.iceberg_table.location IS 'As of the last look that got to see it, even if the table could not be assessed then; NULL: nobody knows where its files are';
COMMENT ON COLUMN floe_internal.iceberg_table.is_left_behind IS 'Dropped only because the SERVER of its catalog was: the table and its files may well be there, so its location counts until it is forgotten';
COMMENT ON COLUMN floe_internal.iceberg_table.location_key IS 'Location in one spelling (s3a and s3n as s3, file:/x as file:///x, no slash at the end), to find tables that share or contain it';
COMMENT ON COLUMN floe_internal.iceberg_table.details IS 'Schema columns, sort order, statistics and other facts that only people and statement rendering read';
COMMENT ON COLUMN floe_internal.iceberg_table.snapshots IS 'Snapshot list, encoded; read with floe_internal.snapshot_list()';
COMMENT ON COLUMN floe_internal.iceberg_table.manifest_ids IS 'Manifests of the current snapshot; NULL while they are not all read';
COMMENT ON COLUMN floe_internal.iceberg_table.emptied_at IS 'When what no longer serves anybody of a dropped table was removed: manifests, snapshots, poll; before dropped_at: of an earlier drop';
COMMENT ON COLUMN floe_internal.iceberg_table.look IS 'The look at the table that found this state; an older one that ends later does not replace it';
COMMENT ON COLUMN floe_internal.iceberg_table.policy_set_id IS 'Which enabled policies match, in order; NULL: not resolved yet';

CREATE SEQUENCE floe_internal.look_seq;
COMMENT ON SEQUENCE floe_internal.look_seq IS 'Looks at tables, in the order in which they begin: an assessor and an executor may look at one table at the same time';

CREATE TABLE floe_internal.table_poll (
	table_id		pg_catalog.int8 PRIMARY KEY REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	catalog_id		pg_catalog.int4 NOT NULL,
	next_poll_at	pg_catalog.timestamptz NOT NULL,
	polled_at		pg_catalog.timestamptz,
	notified_at		pg_catalog.timestamptz,
	etag			pg_catalog.text,
	failures		pg_catalog.int4 NOT NULL DEFAULT 0,
	claim_pass		pg_catalog.int4,
	claimed_at		pg_catalog.timestamptz,
	crashes			pg_catalog.int4 NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX table_poll_due ON floe_internal.table_poll (catalog_id, next_poll_at);
CREATE INDEX table_poll_suspect ON floe_internal.table_poll (next_poll_at) WHERE crashes OPERATOR(pg_catalog.>) 0;
COMMENT ON TABLE floe_internal.table_poll IS 'When each table is looked at next, and who is looking; the row is narrow because it is written at every poll';
COMMENT ON COLUMN floe_internal.table_poll.next_poll_at IS 'infinity: never (dropped, quarantined); -infinity and the past: due';
COMMENT ON COLUMN floe_internal.table_poll.notified_at IS 'Last time somebody said that the table changed, or its server was changed: a look that began before does not count as the answer';
COMMENT ON COLUMN floe_internal.table_poll.etag IS 'ETag of the last full answer, to be sent back as it came';
COMMENT ON COLUMN floe_internal.table_poll.claim_pass IS 'The pass that started to assess the table; committed before it does, so that a crash leaves evidence';
COMMENT ON COLUMN floe_internal.table_poll.crashes IS 'How often a claim was left behind by a dead process since the last good assessment; at two the table is quarantined';

CREATE TABLE floe_internal.table_decision (
	table_id		pg_catalog.int8 PRIMARY KEY REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	decide_at		pg_catalog.timestamptz NOT NULL,
	decided_at		pg_catalog.timestamptz
) WITH (fillfactor = 70);
CREATE INDEX table_decision_due ON floe_internal.table_decision (decide_at);
COMMENT ON TABLE floe_internal.table_decision IS 'When each table that a policy configures is decided upon next: at once when anything changed that a decision depends on, else when the first of its waits is over';

CREATE TABLE floe_internal.manifest (
	manifest_id			pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	table_id			pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	path				pg_catalog.text NOT NULL,
	length				pg_catalog.int8 NOT NULL,
	content				pg_catalog.int4 NOT NULL CHECK (content IN (0, 1)),
	spec_id				pg_catalog.int4 NOT NULL,
	sequence_number		pg_catalog.int8 NOT NULL,
	added_snapshot_id	pg_catalog.int8 NOT NULL,
	has_paths			pg_catalog.bool NOT NULL,
	aggregate			pg_catalog.bytea NOT NULL,
	stored_at			pg_catalog.timestamptz NOT NULL DEFAULT floe_internal.clock(),
	left_list_at		pg_catalog.timestamptz
);
ALTER TABLE floe_internal.manifest ALTER COLUMN aggregate SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX manifest_path ON floe_internal.manifest (table_id, path);
CREATE INDEX manifest_left_list ON floe_internal.manifest (left_list_at) WHERE left_list_at IS NOT NULL;
COMMENT ON TABLE floe_internal.manifest IS 'One row per manifest ever read and still of use. A manifest is immutable, so its aggregate is computed once; health is a merge over the current manifest list, never a running delta';
COMMENT ON COLUMN floe_internal.manifest.content IS '0 data, 1 deletes (spec, manifest_file.content)';
COMMENT ON COLUMN floe_internal.manifest.has_paths IS 'The aggregate holds hashes of the data files'' paths, needed to find dangling file-scoped deletes';
COMMENT ON COLUMN floe_internal.manifest.left_list_at IS 'When it left the current manifest list; removed some time later, so that a rollback costs nothing';

CREATE TABLE floe_internal.health (
	table_id					pg_catalog.int8 NOT NULL REFERENCES floe_internal.iceberg_table ON DELETE CASCADE,
	assessed_at					pg_catalog.timestamptz NOT NULL,
	snapshot_id					pg_catalog.int8,
	metadata_location			pg_catalog.text,
	target_file_bytes			pg_catalog.int8 NOT NULL,
	small_below_bytes			pg_catalog.int8 NOT NULL,
	oversized_above_bytes		pg_catalog.int8 NOT NULL,
	min_input_files				pg_catalog.int4 NOT NULL,
	is_complete					pg_catalog.bool NOT NULL,
	is_inexact					pg_catalog.bool NOT NULL,
	excess_file_count			pg_catalog.int8,
	small_file_count			pg_catalog.int8,
	small_file_bytes			pg_catalog.int8,
	data_file_count				pg_catalog.int8,
	data_bytes					pg_catalog.int8,
	record_count				pg_catalog.int8,
	average_file_bytes			pg_catalog.float8,
	oversized_file_count		pg_catalog.int8,
	oversized_file_bytes		pg_catalog.int8,
	delete_ratio				pg_catalog.float8,
	equality_delete_file_count	pg_catalog.int8,
	equality_delete_row_count	pg_catalog.int8,
	position_delete_file_count	pg_catalog.int8,
	position_delete_row_count	pg_catalog.int8,
	excess_delete_file_count	pg_catalog.int8,
	deletion_vector_count		pg_catalog.int8,
	deletion_vector_row_count	pg_catalog.int8,
	delete_bytes				pg_catalog.int8,
	dangling_delete_count		pg_catalog.int8,
	manifest_count				pg_catalog.int8,
	data_manifest_count			pg_catalog.int8,
	delete_manifest_count		pg_catalog.int8,
	manifest_bytes				pg_catalog.int8,
	excess_manifest_count		pg_catalog.int8,
	deleted_entry_count			pg_catalog.int8,
	manifest_spread				pg_catalog.float8,
	partition_count				pg_catalog.int8,
	partition_skew				pg_catalog.float8,
	stat_column_count			pg_catalog.float8,
	expirable_snapshot_count	pg_catalog.int8,
	snapshot_count				pg_catalog.int8,
	oldest_snapshot_at			pg_catalog.timestamptz,
	newest_snapshot_at			pg_catalog.timestamptz,
	last_write_at				pg_catalog.timestamptz,
	commit_interval				pg_catalog.float8,
	ref_count					pg_catalog.int8,
	metadata_json_bytes			pg_catalog.int8,
	metadata_log_count			pg_catalog.int8,
	table_stats_lag				pg_catalog.int8,
	table_stats_at				pg_catalog.timestamptz,
	partition_stats_lag			pg_catalog.int8,
	partition_stats_at			pg_catalog.timestamptz,
	rewrite_file_count			pg_catalog.int8,
	rewrite_bytes				pg_catalog.int8
);
COMMENT ON TABLE floe_internal.health IS 'Measured state of each table at its last change; NULL is unknown, never zero. Ages are kept as times and computed when read';
COMMENT ON COLUMN floe_internal.health.is_complete IS 'All manifests were read; otherwise only what the manifest list and the metadata tell is known';
COMMENT ON COLUMN floe_internal.health.rewrite_file_count IS 'Data files that bin-packing would read: those outside the size limits, of partitions in which it would do anything; rewrite_bytes: their size. For estimates; not a metric';
COMMENT ON COLUMN floe_internal.health.expirable_snapshot_count IS 'At assessed_at, by the retention then in force; computed anew where it is used';

CREATE TABLE floe_internal.health_history (LIKE floe_internal.health);
COMMENT ON TABLE floe_internal.health_history IS 'Every change of a table''s health; kept for floe.health_history_retention';
CREATE INDEX health_history_table ON floe_internal.health_history (table_id, assessed_at);
CREATE INDEX health_history_time ON floe_internal.health_history (assessed_at);
ALTER TABLE floe_internal.health ADD PRIMARY KEY (table_id);

CREATE TABLE floe_internal.drain (
	one			pg_catalog.bool PRIMARY KEY DEFAULT true CHECK (one),
	reason		pg_catalog.text,
	drained_by	pg_catalog.text NOT NULL,
	drained_at	pg_catalog.timestamptz NOT NULL
);
COMMENT ON TABLE floe_internal.drain IS 'At most one row: nothing is dispatched while it is there';

CREATE TABLE floe_internal.pause (
	pause_id	pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	pattern		pg_catalog.text NOT NULL,
	until		pg_catalog.timestamptz NOT NULL DEFAULT 'infinity',
	reason		pg_catalog.text,
	paused_by	pg_catalog.text NOT NULL,
	paused_at	pg_catalog.timestamptz NOT NULL
);
CREATE INDEX pause_until ON floe_internal.pause (until);
COMMENT ON TABLE floe_internal.pause IS 'Patterns under which nothing is dispatched until a time';

