# What floe writes at full pace stays small where it must: the queue while thousands of operations go through it, with autovacuum as floe sets it; and a
# great heap of old history goes in batches, each as cheap as the first, though somebody holds an old snapshot.
use strict;
use warnings;

use JSON::PP ();
use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = PostgreSQL::Test::Cluster->new('retention');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum_naptime = 1\nshared_buffers = '128MB'\nmax_wal_size = '2GB'\n");
$node->start;
sub value { return $node->safe_psql('postgres', $_[0]) }

value(q{
	CREATE EXTENSION floe;
	CREATE SERVER demo TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
	CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice');
	SELECT floe_internal.apply_listing(c.catalog_id, array_agg('db'::text), array_agg('t' || n)) FROM floe_internal.catalog AS c, generate_series(1, 1000) AS n GROUP BY c.catalog_id;

	-- an operation as wide as a real one, in the queue
	CREATE PROCEDURE queue(number int, score float8) LANGUAGE sql AS $$
		INSERT INTO floe_internal.operation_queue (table_id, table_name, operation, position, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, score, estimate, queued_at)
			SELECT t.table_id, t.name, k.operation, k.position, 'queued', false, 'floe', 'spark', jsonb_build_object('timeout', '4 hours', 'options', jsonb_build_object('where', repeat('x', 300))), md5('s'), '{defaults}',
				(SELECT jsonb_agg(jsonb_build_object('gate', 'g' || n, 'status', 'pass', 'value', repeat('v', 20))) FROM generate_series(1, 15) AS n), queue.score, '{"minutes": 3, "gb_hours": 0.1}', now()
			FROM (SELECT x.table_id, x.name FROM floe_internal.iceberg_table AS x WHERE x.table_id = 1 + number % 1000) AS t
			CROSS JOIN (SELECT y.operation, y.position FROM floe_internal.operation_kind AS y WHERE y.position = 1 + number / 1000 % 2) AS k
	$$;

	-- its way, each step committed, as a pass takes it
	CREATE PROCEDURE live(operations int) LANGUAGE plpgsql AS $$
	DECLARE
		q floe_internal.operation_queue;
	BEGIN
		FOR n IN 1 .. operations LOOP
			SELECT * INTO STRICT q FROM floe_internal.claim_operation(1, NULL);
			COMMIT;
			UPDATE floe_internal.operation_queue SET statement = repeat('CALL ', 100), before = (SELECT jsonb_object_agg('metric_' || m, m) FROM generate_series(1, 40) AS m), before_snapshots = ARRAY(SELECT generate_series(1, 100))
				WHERE operation_id = q.operation_id;
			COMMIT;
			PERFORM floe_internal.operation_saved(q.operation_id, '\x01', '');
			COMMIT;
			PERFORM floe_internal.operation_saved(q.operation_id, '\x0102', 'session/statement');
			COMMIT;
			PERFORM floe_internal.engine_ended(q.operation_id, 'succeeded', NULL, NULL, '[]', 1);
			COMMIT;
			UPDATE floe_internal.operation_queue SET after = before, effect = '{}' WHERE operation_id = q.operation_id;
			PERFORM floe_internal.end_operation(q.operation_id, 'succeeded', '12 data files fewer');
			COMMIT;
			-- another comes, of another score
			INSERT INTO floe_internal.operation_queue (table_id, table_name, operation, position, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, score, estimate, queued_at)
				VALUES (q.table_id, q.table_name, q.operation, q.position, 'queued', false, 'floe', 'spark', q.settings, q.settings_hash, q.policies, q.reason, (n * 7919 % 1000)::float8, q.estimate, now());
			COMMIT;
		END LOOP;
	END $$;
	CREATE FUNCTION pages() RETURNS bigint LANGUAGE sql AS $$ SELECT pg_total_relation_size('floe_internal.operation_queue') / 8192 $$;
	DO 'BEGIN FOR n IN 0 .. 299 LOOP CALL queue(n, n); END LOOP; END'});

# What a statement reads of shared buffers, in functions too.
sub buffers
{
	my ($query) = @_;
	my $plan = JSON::PP::decode_json(value("EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) $query"))->[0]{Plan};
	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}

# ---- the queue ----

value('VACUUM ANALYZE floe_internal.operation_queue');
my @pages = map { value('CALL live(200)'); value('SELECT pages()') } 1 .. 10;
note("pages of the queue after each 200 operations: @pages");
is(value('SELECT count(*) FROM floe_internal.operation_log'), 2000, '2000 operations are in the log');
is(value('SELECT count(*) FROM floe_internal.operation_queue'), 300, 'and those that wait in the queue');
cmp_ok($pages[9], '<', 2 * $pages[2], 'the queue is about as large as after the first 600');
ok( $node->poll_query_until(
		'postgres', q{SELECT n_dead_tup < 300 AND autovacuum_count > 0 FROM pg_stat_user_tables WHERE relid = 'floe_internal.operation_queue'::regclass}),
	'autovacuum follows without being asked');
value(q{ALTER TABLE floe_internal.operation_queue SET (autovacuum_enabled = off, toast.autovacuum_enabled = off);
	VACUUM floe_internal.operation_queue});
my $before = value('SELECT pages()');
value('CALL live(600)');
cmp_ok(value('SELECT pages()'), '>', 1.3 * $before, 'without it the queue would grow with what went through it');

# ---- old history ----

# 200,000 rows of history and 50,000 events that are beyond their retention, and 20,000 rows that are not; without statistics of any of them
value(q{
	INSERT INTO floe_internal.health_history (table_id, assessed_at, target_file_bytes, small_below_bytes, oversized_above_bytes, min_input_files, is_complete, is_inexact, data_file_count)
		SELECT 1 + n % 1000, now() - interval '91 days' - n * interval '1 minute' + CASE WHEN n > 200000 THEN interval '200 days' ELSE '0' END, 1, 1, 1, 5, true, false, n FROM generate_series(1, 220000) AS n;
	INSERT INTO floe_internal.event (happened_at, kind, message) SELECT now() - interval '31 days' - n * interval '1 second', 'old', repeat('x', 100) FROM generate_series(1, 50000) AS n;
	ALTER TABLE floe_internal.health_history SET (autovacuum_enabled = off)});

# As pg_dump would: nothing that is removed from now on can be forgotten.
my $snapshot = $node->background_psql('postgres');
$snapshot->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM floe_internal.health');

my $scans = q{SELECT pg_stat_force_next_flush(), string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_user_tables WHERE relid IN ('floe_internal.health_history'::regclass, 'floe_internal.event'::regclass)};
value('CREATE TABLE said (at serial, more bool)');
value($scans);
my $scanned = value($scans);
my @read;
do
{
	push @read, buffers('INSERT INTO said (more) SELECT floe_internal.purge(5000)');
} while (@read < 100 && value('SELECT more FROM said ORDER BY at DESC LIMIT 1') eq 't');
value($scans);
is(value($scans), $scanned, 'no batch reads a table from its beginning to its end');
note("buffers that batches read: @read");
is(scalar(@read), 41, 'batches of 5000: 40 that say there may be more, one that says there is not');
is(value(q{SELECT count(*) FROM floe_internal.health_history}), 20000, 'what is within the retention is there');
is(value(q{SELECT count(*) FROM floe_internal.health_history WHERE assessed_at < now() - interval '90 days'}), 0, 'and nothing else');
is(value('SELECT count(*) FROM floe_internal.event WHERE kind = \'old\''), 0, 'the same for events');
# the first ten have events to remove, too
cmp_ok($read[39] - $read[11], '<', 500, 'the last batch reads no more than one before, though all dead rows are still there');
cmp_ok($read[40], '<', $read[39] / 4, 'and one with nothing to remove little');
is($snapshot->query_safe('SELECT count(*) FROM floe_internal.health_history'), 220000, 'they are: the old snapshot sees them');
$snapshot->quit;
$node->stop;
done_testing();
