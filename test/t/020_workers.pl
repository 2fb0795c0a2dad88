# The processes: what the launcher starts, ends and leaves alone, and which commands never wait for it.
use strict;
use warnings;

use FloeTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = PostgreSQL::Test::Cluster->new('workers');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<~'END');
	shared_preload_libraries = 'floe'
	floe.databases = 'lake'
	max_worker_processes = 10
	log_min_messages = info
	END
$node->start;

# What the launcher says of a database: "assessor 0 running, executor 0 running"
sub workers
{
	my ($database) = @_;
	return $node->safe_psql('postgres',
		"SELECT string_agg(concat_ws(' ', worker, number, state, reason), ', ' ORDER BY worker, number) FROM floe.workers WHERE database = '$database'");
}

sub wait_workers
{
	my ($database, $wanted, $name) = @_;
	my $ok = $node->poll_query_until('postgres',
		"SELECT COALESCE(string_agg(concat_ws(' ', worker, number, state, reason), ', ' ORDER BY worker, number), '') = \$\$$wanted\$\$ FROM floe.workers WHERE database = '$database'");
	ok($ok, $name) or diag(workers($database));
}

sub both { return join ', ', map { "$_ 0 $_[0]" } qw(assessor executor) }

sub took
{
	my ($code) = @_;
	my $start = time;
	$code->();
	return time - $start;
}

my $missing = 'not running the database does not have the extension';
my $gone = 'not running there is no such database, or it takes no connections';

# ---- nothing to do ----
$node->safe_psql('postgres', 'CREATE EXTENSION floe');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE \'floe %\''), '1', 'without its databases only the launcher is there');
wait_workers('lake', both($gone), 'a database that is not there is said to be so');
like(slurp_file($node->logfile), qr/WARNING:  floe assessor of database "lake" cannot be started: there is no such database.*\n.*HINT:  Correct floe.databases/, 'and in the log, with a hint');
my @warned = slurp_file($node->logfile) =~ /floe assessor of database "lake" cannot be started/g;
is(scalar(@warned), 1, 'once');
my ($ret, $out, $err) = $node->psql('postgres', 'DROP EXTENSION floe; CREATE EXTENSION floe');
like($err, qr/WARNING:  floe's workers are not told to work in database "postgres"\nHINT:  Add it to floe.databases/, 'CREATE EXTENSION in a database that is not named says so');

$node->safe_psql('postgres', 'CREATE DATABASE lake');
$node->reload;
wait_workers('lake', both($missing), 'a database without the extension is left alone');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = 'lake'"), '0', 'nobody stays connected to it');

# ---- it begins ----
my $seconds = took(sub { $node->safe_psql('lake', 'CREATE EXTENSION floe'); wait_workers('lake', both('running'), 'CREATE EXTENSION starts the workers') });
cmp_ok($seconds, '<', 5, 'at once');
# a worker is said to run before it is connected
ok($node->poll_query_until('lake', "SELECT string_agg(DISTINCT application_name, ', ' ORDER BY application_name) FROM pg_stat_activity WHERE backend_type LIKE 'floe %'",
	'floe assessor, floe executor, floe launcher'), 'they have names');
ok($node->poll_query_until('lake', "SELECT string_agg(kind, ', ' ORDER BY kind) FROM floe_internal.pass WHERE pass_id IN (SELECT floe_internal.live_passes())", 'assessor, executor'),
	'each has its pass and its lock');

# ---- commands that must not wait for them ----
# with an operation that waits and one that runs at the engine, followed by an executor
$node->safe_psql('lake', <<~'END');
	CREATE SERVER nowhere TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
	CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice');
	SELECT floe.create_policy('p', 'nowhere.**', '{"engine": "spark", "rewrite_data_files": {}}');
	SELECT floe_internal.apply_listing(catalog_id, '{db,db}', '{waits,runs}') FROM floe_internal.catalog;
	INSERT INTO floe_internal.operation_queue (table_id, table_name, operation, state, by_hand, requested_by, engine, settings, settings_hash, policies, reason, queued_at, position,
			not_before, driver_pass, saved, lost_sent)
		SELECT t.table_id, t.name, 'rewrite_data_files', s.state, false, 'floe', 'spark', '{"timeout": "1 hour"}', '', '{}', '[]', now(), 1, 'infinity', s.driver, s.saved, s.saved IS NOT NULL
		FROM (VALUES ('waits', 'queued', NULL, NULL),
				('runs', 'running', (SELECT max(pass_id) FROM floe_internal.pass WHERE kind = 'executor'), '\x01'::bytea)) AS s (name, state, driver, saved)
		JOIN floe_internal.iceberg_table AS t ON t.table_name = s.name;
	END
cmp_ok(took(sub { $node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE lake') }), '<', 3, 'CREATE DATABASE ... TEMPLATE gets the database for itself');
wait_workers('lake', both('running'), '... and they come back');
is($node->safe_psql('copy', "SELECT string_agg(state, ' ' ORDER BY state) || count(saved) FROM floe_internal.operation_queue"), 'queued running1', 'the copy has the operations of the original, and the handle of the one that runs');
is($node->safe_psql('lake', "SELECT count(*) FROM floe.queue WHERE table_name = 'nowhere.db.waits' AND state = 'queued'"), '1', '... which goes on with them');
is($node->safe_psql('lake', "SELECT count(*) FROM floe_internal.drain") . $node->safe_psql('lake', "SELECT count(*) FROM floe.events WHERE kind = 'database copied'"), '00', '... and is no copy itself');
$node->safe_psql('lake', "DELETE FROM floe_internal.operation_queue; SELECT floe.drop_policy('p'); DROP SERVER nowhere, spark; SELECT floe_internal.sync_servers()");
cmp_ok(took(sub { $node->safe_psql('postgres', 'ALTER DATABASE lake RENAME TO pond') }), '<', 3, 'so does ALTER DATABASE ... RENAME');
wait_workers('lake', both($gone), '... after which the old name is gone');
$node->safe_psql('postgres', 'ALTER DATABASE pond RENAME TO lake');
$node->reload;
wait_workers('lake', both('running'), '... and back');
$node->safe_psql('postgres', "CREATE ROLE stranger LOGIN");
# the passes that the RENAME ended are known to have ended
ok($node->poll_query_until('lake', "SELECT count(*) FROM floe_internal.pass WHERE ended_at IS NULL", '2'), 'two passes');
($ret, $out, $err) = $node->psql('postgres', 'SET ROLE stranger; DROP DATABASE lake');
like($err, qr/must be owner of database lake/, 'a stranger may not drop it');
is($node->safe_psql('lake', "SELECT count(*) FROM floe_internal.pass WHERE ended_at IS NULL"), '2', '... and does not disturb the workers by trying');
my $before = $node->safe_psql('postgres', "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM floe.workers");
$node->psql('postgres', 'SET ROLE stranger; ALTER DATABASE lake RENAME TO mine');
is($node->safe_psql('postgres', "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM floe.workers"), $before, '... whatever he tries');

$seconds = took(sub { $node->safe_psql('lake', 'DROP EXTENSION floe') });
cmp_ok($seconds, '<', 3, 'DROP EXTENSION does not wait');
$seconds = took(sub { wait_workers('lake', both($missing), '... and the workers leave') });
cmp_ok($seconds, '<', 5, '... at once');
$node->safe_psql('lake', 'CREATE EXTENSION floe');
wait_workers('lake', both('running'), '... and come back with it');

# While a command holds the extension, they stay away instead of waiting for it; an abort brings them back.
my $psql = $node->background_psql('lake');
$psql->query_safe('BEGIN; DROP EXTENSION floe');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM floe.workers WHERE database = 'lake' AND worker = 'assessor'");
ok($node->poll_query_until('postgres', "SELECT state = 'not running' FROM floe.workers WHERE worker = 'assessor' AND database = 'lake'"), 'a worker that finds the extension locked does not wait for it');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE NOT granted"), '0', 'nobody waits for a lock');
$psql->query_safe('ROLLBACK');
$psql->quit;
wait_workers('lake', both('running'), 'the command was called off: they work again');

# ---- configuration ----
$node->append_conf('postgresql.conf', "floe.assessors = 3");
$node->reload;
wait_workers('lake', 'assessor 0 running, assessor 1 running, assessor 2 running, executor 0 running', 'more assessors after a reload');
$node->append_conf('postgresql.conf', "floe.assessors = 1");
$node->reload;
wait_workers('lake', both('running'), 'and fewer');
$node->append_conf('postgresql.conf', "floe.enabled = off");
$node->reload;
wait_workers('lake', '', 'floe.enabled = off ends them all');
($ret, $out, $err) = $node->psql('lake', 'CALL floe.run_maintenance()');
like($err, qr/WARNING:  floe does nothing: floe.enabled is off/, '... and a call does nothing and says so');
is($node->safe_psql('lake', "SELECT count(*) FROM floe_internal.pass WHERE kind = 'procedure'"), '0', '... indeed nothing');
$node->append_conf('postgresql.conf', "floe.enabled = on\nfloe.scheduler = off");
$node->reload;
$node->safe_psql('lake', 'CALL floe.run_maintenance()');
is(workers('lake'), '', 'floe.scheduler = off: no workers');
is($node->safe_psql('lake', "SELECT count(*) FROM floe_internal.pass WHERE kind = 'procedure'"), '1', '... and a call does its pass');
$node->append_conf('postgresql.conf', "floe.scheduler = on\nfloe.databases = 'lake, copy, \"Odd, name\"'");
$node->reload;
wait_workers('copy', both('running'), 'a database that was added');
ok($node->poll_query_until('copy', "SELECT count(*) = 0 FROM floe.queue"), 'in a copy the operations of the original are not driven');
is($node->safe_psql('copy', "SELECT string_agg(split_part(table_name, '.', 3) || ' ' || state || ': ' || error, ', ' ORDER BY table_name) FROM floe.operations"),
	join(', ', map { "$_ cancelled: this database is a copy of database \"lake\", where the operation goes on" } qw(runs waits)), '... but struck off, with the reason');
like($node->safe_psql('copy', 'SELECT reason FROM floe_internal.drain'), qr/^this database is a copy of database "lake"; .*floe\.undrain\(\)/, '... and it is drained');
is($node->safe_psql('copy', "SELECT count(*) FROM floe.events WHERE kind = 'database copied'"), '1', '... by the first of its processes');
like(slurp_file($node->logfile), qr/floe: database "copy": database copied: this database is a copy of database "lake"; 2 operations/, '... as the log says');
is($node->safe_psql('copy', "SELECT count(*) FROM floe.policy") . $node->safe_psql('copy', "SELECT count(*) FROM floe.engines WHERE status = 'new'"), '11', 'its policies are there, and its engine was not asked for anything');
$node->safe_psql('copy', "SELECT floe.undrain(); SELECT floe.drop_policy('p'); DROP SERVER nowhere, spark; SELECT floe_internal.sync_servers()");
wait_workers('Odd, name', both($gone), 'names with capitals and commas are names');
$node->append_conf('postgresql.conf', "floe.databases = 'lake'");
$node->reload;
wait_workers('copy', '', 'a database that was taken out');
my $log_start = -s $node->logfile;
$node->append_conf('postgresql.conf', "floe.databases = 'lake,,'");
$node->reload;
ok($node->poll_query_until('postgres', "SELECT error IS NOT NULL FROM pg_file_settings WHERE name = 'floe.databases' AND NOT applied AND setting LIKE '%,,'"), 'a list that is none is refused');
is(workers('lake'), both('running'), '... and the old one goes on');
$node->append_conf('postgresql.conf', "floe.databases = 'lake'");
$node->reload;

$node->safe_psql('postgres', 'CREATE ROLE worker LOGIN');
$node->append_conf('postgresql.conf', "floe.role = 'worker'");
$node->reload;
ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type IN ('floe assessor', 'floe executor') AND usename = 'worker'"), 'floe.role: they connect as a role without privileges');
$node->safe_psql('lake', "CREATE SERVER nowhere TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1')");
ok($node->poll_query_until('lake', "SELECT status = 'error' FROM floe.catalogs WHERE name = 'nowhere'"), '... and can do their work');
$node->safe_psql('lake', 'DROP SERVER nowhere');
$node->append_conf('postgresql.conf', "floe.role = ''");
$node->reload;
# those of the role are "running" until they have seen the change
ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM floe.workers AS w JOIN pg_stat_activity AS a USING (pid) WHERE w.state = 'running' AND w.failures = 0 AND a.usename <> 'worker'"), '... and back') or diag(workers('lake'));

# ---- failures of processes ----
my $pid = $node->safe_psql('postgres', "SELECT pid FROM floe.workers WHERE worker = 'executor'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok($node->poll_query_until('postgres', "SELECT state = 'running' AND pid <> $pid FROM floe.workers WHERE worker = 'executor'"), 'a worker that was ended is started again');
is($node->safe_psql('postgres', "SELECT failures FROM floe.workers WHERE worker = 'executor'"), '1', '... and that it failed is known');
$before = $node->safe_psql('postgres', "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM floe.workers");
my $launcher = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'floe launcher'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'floe launcher' AND pid <> $launcher"), 'a launcher that was ended is started again');
is($node->safe_psql('postgres', "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM floe.workers"), $before, '... and takes over the workers that are there');
$node->append_conf('postgresql.conf', "floe.databases = ''");
$node->reload;
wait_workers('lake', '', '... and can end them');
$node->append_conf('postgresql.conf', "floe.databases = 'lake'");
$node->reload;
wait_workers('lake', both('running'), '... and start new ones');

# ---- drop it all ----
cmp_ok(took(sub { $node->safe_psql('postgres', 'DROP DATABASE lake') }), '<', 3, 'DROP DATABASE does not fail because of the workers');
wait_workers('lake', both($gone), '... and they know');
$node->safe_psql('postgres', 'ALTER DATABASE copy RENAME TO lake');
$node->reload;
wait_workers('lake', both('running'), 'the copy, extension and all, has workers of its own');

# ---- too few worker processes ----
$node->append_conf('postgresql.conf', "max_worker_processes = 3");
$node->restart;
ok($node->poll_query_until('postgres', "SELECT bool_or(reason = 'no free background worker') FROM floe.workers"), 'too few worker processes are said to be so') or diag(workers('lake'));
like(slurp_file($node->logfile, $log_start), qr/WARNING:  floe \w+ of database "lake" cannot be started: no background worker is free.*\n.*HINT:  Raise max_worker_processes/, '... and in the log, with a hint');
$node->append_conf('postgresql.conf', "max_worker_processes = 10");
$node->restart;
wait_workers('lake', both('running'), 'with more of them all is well');

# ---- standby and promotion ----
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('lake', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'floe %'"), '0', 'nothing happens on a standby');
($ret, $out, $err) = $standby->psql('lake', 'CALL floe.run_maintenance()');
like($err, qr/cannot run on a standby/, '... not by a call either');
$node->stop;
$standby->promote;
ok($standby->poll_query_until('lake', "SELECT count(*) = 2 FROM floe.workers WHERE state = 'running'"), 'promotion starts the work');
$standby->stop;

# ---- binary upgrade ----
$node->append_conf('postgresql.conf', "log_line_prefix = '%b '");
my $log = $node->data_dir . '/upgrade.log';
system_or_bail('pg_ctl', '-D', $node->data_dir, '-l', $log, '-w', '-o', '-b', 'start');
sleep 1;	# nothing is waited for: that nothing comes is what is looked at
is(scalar(grep { /^floe/ } split /\n/, slurp_file($log)), 0, 'during a binary upgrade there is not even a launcher');
my $children = `ps -o args= --ppid \$(head -1 @{[ $node->data_dir ]}/postmaster.pid)`;
unlike($children, qr/floe/, '... no process of floe');
system_or_bail('pg_ctl', '-D', $node->data_dir, '-m', 'fast', '-w', 'stop');
done_testing();
