# floe.schedule() with the real pg_cron: what it says where pg_cron is not, whose job it makes and who may change it, and that pg_cron really runs passes: by
# connections of its own and by background workers, in the database where it is and in another.
use strict;
use warnings;

use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $setup = q{
	CREATE EXTENSION floe;
	CREATE SERVER demo TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER demo};

sub new_node
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', join("\n", "fsync = off", "timezone = 'America/New_York'", @settings, ''));
	$node->start;
	return $node;
}

my $node = new_node('connections');
$node->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(lake shop);
my $long = 'd' x 60;
$node->safe_psql('postgres', "CREATE DATABASE $long");
$node->safe_psql($_, $setup) foreach qw(lake shop);
$node->safe_psql($long, $setup);
$node->safe_psql('postgres', 'CREATE ROLE ann LOGIN IN ROLE floe_operator; CREATE ROLE bob LOGIN IN ROLE floe_operator; CREATE ROLE eve LOGIN IN ROLE floe_viewer; CREATE ROLE odd LOGIN');

# What a statement answers, as one line a row; for an error SQLSTATE, message, detail and hint.
sub says
{
	my ($database, $role, $statement) = @_;
	my ($rc, $out, $err) = $node->psql($database, $statement, extra_params => [ '-U', $role // $ENV{USER} // getpwuid($<), '-v', 'VERBOSITY=verbose' ]);
	return $out if $rc == 0 && $err eq '';
	$err =~ s/^(LOCATION|CONTEXT):.*//msg;
	$err =~ s/^psql:\S+ //mg;
	return join(' / ', ($rc == 0 ? $out : ()), map { s/\s+$//r } split(/\n/, $err));
}
my $boss = $node->safe_psql('postgres', 'SELECT CURRENT_USER');

# ---- where it is not ----

like(says('lake', $boss, 'SELECT * FROM floe.schedule()'),
	qr{^ERROR:  55000: pg_cron is not loaded / DETAIL:  It is installed, but is not among shared_preload_libraries\. / HINT:  Add pg_cron to shared_preload_libraries, set cron\.database_name = 'lake', restart .* background workers need none},
	'not loaded: what to do, and that it is not needed');
is(says('lake', $boss, 'SELECT floe.unschedule()'), "f / WARNING:  01000: floe is not scheduled in this database / HINT:  floe.schedule() does that, through pg_cron.", 'nothing to end');
like(says('lake', 'eve', 'SELECT * FROM floe.schedule()'), qr/^ERROR:  42501: permission denied for function schedule/, 'who may only look may not schedule');

# a parameter of that name in the configuration does not make it loaded
$node->append_conf('postgresql.conf', "cron.database_name = 'lake'\n");
$node->reload;
like(says('lake', $boss, 'SELECT * FROM floe.schedule()'), qr{^ERROR:  55000: pg_cron is not loaded}, 'configured, but not loaded');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'\ncron.host = '" . $node->host . "'\n");
$node->restart;
is(says('lake', $boss, 'SELECT * FROM floe.schedule()'),
	q{ERROR:  55000: extension pg_cron is not in this database / DETAIL:  Its library is loaded, and cron.database_name says that this is its database. / HINT:  As superuser: CREATE EXTENSION pg_cron.}, 'loaded, but no extension');
$node->safe_psql('lake', 'CREATE EXTENSION pg_cron');

my $elsewhere = says('shop', $boss, q{SELECT * FROM floe.schedule('*/5 * * * *')});
like($elsewhere, qr{^ERROR:  55000: pg_cron is not in this database, but in database "lake" / DETAIL:  .* / HINT:  As superuser in database "lake": SELECT cron\.schedule_in_database\('floe: shop', '\*/5 \* \* \* \*', }, 'in another database: which, and what to say there');
like(says($long, 'ann', 'SELECT * FROM floe.schedule()'), qr{schedule_in_database\('floe: database \d+', '\* \* \* \* \*', 'CALL floe\.run_maintenance\(\)', '$long', 'ann'\);$}, 'a name that fits, and who asked');

# ---- whose it is ----

is(says('lake', 'ann', 'SELECT * FROM floe.schedule()'), q{ERROR:  42501: role "ann" may not use pg_cron / HINT:  As superuser: GRANT USAGE ON SCHEMA cron TO ann.}, 'pg_cron is for whom it was granted to');
$node->safe_psql('lake', "GRANT USAGE ON SCHEMA cron TO $_") foreach qw(ann bob floe_operator odd);
is(says('lake', 'ann', 'SET ROLE floe_operator; SELECT * FROM floe.schedule()'),
	q{ERROR:  55000: role "floe_operator" cannot log in, so pg_cron cannot run a job as it / DETAIL:  A job runs as the role that schedules it. / HINT:  Schedule it as a member of that role that can log in.}, 'as a role that cannot log in');
$node->safe_psql('lake', 'GRANT USAGE ON SCHEMA floe TO odd; GRANT EXECUTE ON FUNCTION floe.schedule(text), floe_internal.prepare_schedule(text, name), floe_internal.tell_pg_cron(bigint, boolean, boolean, text, text, text), floe_internal.pg_cron_command() TO odd');
like(says('lake', 'odd', 'SELECT * FROM floe.schedule()'), qr{^ERROR:  42501: role "odd" may not call floe\.run_maintenance\(\) / .* / HINT:  As superuser: GRANT floe_operator TO odd\.$}, 'as a role whose job would fail');

my $job = says('lake', 'ann', 'SELECT job_id FROM floe.schedule()');
like($job, qr/^\d+$/, 'scheduled');
my $jobs = 'SELECT jobid, jobname, schedule, command, database, username, active FROM cron.job';
is(says('lake', $boss, $jobs), "$job|floe: lake|* * * * *|CALL floe.run_maintenance()|lake|ann|t", 'one job, with a name of its own, as who asked for it');
is(says('lake', 'ann', $jobs), says('lake', $boss, $jobs), 'who sees it');
is(says('lake', 'ann', q{SELECT job_id, job_name, schedule, timezone, runs_as, to_char(next_at AT TIME ZONE 'UTC', 'HH24:MI:SS') FROM floe.schedule(' 30 2 * JAN-mar Mon ')}), "$job|floe: lake|30 2 * jan-mar mon|GMT|ann|02:30:00",
	'again: another expression for the same job; its times are GMT, whatever the zone of the session');
is(says('lake', 'bob', q{SELECT * FROM floe.schedule('*/2 * * * *')}),
	qq{ERROR:  42710: floe is scheduled in this database by role "ann" already / DETAIL:  Job $job, "30 2 * jan-mar mon". / HINT:  That role, or a superuser, can change it with floe.schedule() and end it with floe.unschedule().}, 'not a second job for somebody else');
is(says('lake', 'bob', 'SELECT floe.unschedule()'), q{ERROR:  42501: floe was scheduled in this database by role "ann" / HINT:  That role, or a superuser, can end it.}, 'who may not end it');
is(says('lake', $boss, q{SELECT job_id, schedule, runs_as FROM floe.schedule('*/2 * * * *')}), "$job|*/2 * * * *|ann", 'a superuser changes it, and it stays whose it is');
is(says('lake', $boss, $jobs), "$job|floe: lake|*/2 * * * *|CALL floe.run_maintenance()|lake|ann|t", 'in the same way');
$node->safe_psql('lake', "SELECT cron.alter_job($job, active => false)");
isnt(says('lake', 'ann', 'SELECT job_id FROM floe.schedule()'), $job, 'one that was switched off');
is(says('lake', $boss, "SELECT count(*), bool_and(active) FROM cron.job"), '1|t', 'is on again, and the only one');
is(says('lake', 'ann', 'SELECT floe.unschedule()'), 't', 'ended');
is(says('lake', $boss, $jobs), '', 'is gone');
is(says('lake', $boss, 'SELECT job_id > 0, runs_as FROM floe.schedule()'), "t|$boss", 'a job of a superuser');
is(says('lake', 'ann', 'SELECT floe.unschedule()'), qq{ERROR:  42501: floe was scheduled in this database by role "$boss" / HINT:  That role, or a superuser, can end it.}, 'is not for an operator to end');
$node->safe_psql('lake', q{SELECT cron.schedule_in_database('floe: lake', '* * * * *', 'SELECT 1', 'lake', 'bob'), cron.schedule('mine', '0 0 1 1 *', 'SELECT 1')});
is(says('lake', $boss, 'SELECT floe.unschedule()'), 't', 'a superuser ends all there are');
is(says('lake', $boss, 'SELECT jobname FROM cron.job'), 'mine', 'and no other');

# ---- expressions ----

is(says('lake', $boss, q{SELECT * FROM floe.schedule('5/20 * * * *')}),
	q{ERROR:  22023: pg_cron does not take the expression "5/20 * * * *" / DETAIL:  It says: invalid schedule: 5/20 * * * *. / HINT:  Before a step it wants * or a range: "5-59/20" instead of "5/20".}, 'what floe takes and pg_cron does not');
is(says('lake', $boss, q{SELECT schedule FROM floe.schedule('@HOURLY')}), '@hourly', 'what pg_cron takes in another spelling only');
like(says('lake', $boss, "SELECT * FROM floe.schedule('$_')"), qr{^ERROR:  22023: }, "'$_'") foreach '30 seconds', '* * * *', '61 * * * *', '@reboot', '0 0 30 2 *', '* * * * * *', '';
like(says('lake', $boss, 'SELECT * FROM floe.schedule(NULL)'), qr{^ERROR:  22023: a schedule needs a cron expression / HINT:  Leave it out for every minute; floe\.unschedule\(\) ends the schedule\.$}, 'NULL');
is(says('lake', $boss, q{SELECT schedule FROM cron.job WHERE jobname LIKE 'floe%'}), '@hourly', 'none of them changed the job');
is(says('lake', $boss, 'SELECT floe.unschedule()'), 't', 'ended');

# ---- it runs ----

# a job from above may have run if its minute came
my $last = $node->safe_psql('lake', 'SELECT COALESCE(max(pass_id), 0) FROM floe_internal.pass');
# in the same minute: as an operator, by connections; in a second database, as the hint says; as a superuser, by background workers
my $workers = new_node('workers', "shared_preload_libraries = 'pg_cron'", "cron.database_name = 'postgres'", 'cron.use_background_workers = on');
$workers->safe_psql('postgres', "$setup; CREATE EXTENSION pg_cron; SELECT floe.schedule()");
my ($statement) = says('shop', 'bob', 'SELECT * FROM floe.schedule()') =~ /: (SELECT cron\..*);$/;
like($statement, qr/'shop', 'bob'\)$/, 'the statement for the other database');
$node->safe_psql('lake', $statement);
is(says('lake', 'ann', 'SELECT job_id > 0 FROM floe.schedule()'), 't', 'all are scheduled');

my $done = q{SELECT count(DISTINCT j.jobname) FROM cron.job AS j JOIN cron.job_run_details AS d ON d.jobid = j.jobid WHERE j.jobname LIKE 'floe: %' AND d.status IN ('succeeded', 'failed')};
ok($node->poll_query_until('lake', $done, '2'), 'at the start of the next minute: two passes') or diag($node->safe_psql('lake', 'SELECT * FROM cron.job_run_details'));
ok($workers->poll_query_until('postgres', $done, '1'), 'and one') or diag($workers->safe_psql('postgres', 'SELECT * FROM cron.job_run_details'));
my $runs = q{SELECT DISTINCT ON (j.jobname) j.jobname, d.database, d.username, d.status, d.return_message FROM cron.job AS j JOIN cron.job_run_details AS d ON d.jobid = j.jobid WHERE j.jobname LIKE 'floe: %' ORDER BY j.jobname, d.runid};
like($node->safe_psql('lake', $runs), qr/^floe: lake\|lake\|ann\|succeeded\|.*\nfloe: shop\|shop\|bob\|succeeded\|.*$/, 'that succeeded');
like($workers->safe_psql('postgres', $runs), qr/^floe: postgres\|postgres\|$boss\|succeeded\|/, 'with workers, too');
my $pass = q{SELECT kind, role_name, ended_at IS NOT NULL, (SELECT status FROM floe.catalogs), (SELECT count(*) FROM floe.events WHERE kind = 'catalog error') FROM floe_internal.pass WHERE pass_id > %d ORDER BY pass_id LIMIT 1};
is($node->safe_psql('lake', sprintf($pass, $last)), 'procedure|ann|t|error|1', 'they were passes, which asked the catalog');
is($node->safe_psql('shop', sprintf($pass, 0)), 'procedure|bob|t|error|1', 'in the other database');
is($workers->safe_psql('postgres', sprintf($pass, 0)), "procedure|$boss|t|error|1", 'and with workers');

# ended from the other database as the hint says
my ($end) = says('shop', 'bob', 'SELECT floe.unschedule()') =~ /: (SELECT cron\..*);$/;
$node->safe_psql('lake', $end);
is($node->safe_psql('lake', q{SELECT jobname FROM cron.job WHERE jobname LIKE 'floe: %'}), 'floe: lake', 'the job of the other database is ended from here');
# where floe's own workers are at work, too, that is said
$workers->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron, floe'");
$workers->restart;
$workers->poll_query_until('postgres', "SELECT count(*) = 2 FROM floe.workers WHERE state = 'running'") or die 'no workers';
my $both = qr{NOTICE:  00000: background workers drive floe in this database already / DETAIL: .* / HINT:  To leave it to pg_cron: ALTER SYSTEM SET floe\.scheduler = off};
my ($rc, $out, $err) = $workers->psql('postgres', 'SELECT schedule FROM floe.schedule()', extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($err =~ s/\n/ \/ /gr, $both, 'beside the workers');
is($out, '* * * * *', '... it is scheduled all the same');
$workers->safe_psql('postgres', 'ALTER SYSTEM SET floe.scheduler = off');
$workers->safe_psql('postgres', 'SELECT pg_reload_conf()');
$workers->poll_query_until('postgres', "SELECT count(*) = 0 FROM floe.workers WHERE state = 'running'") or die 'workers';
(undef, undef, $err) = $workers->psql('postgres', 'SELECT schedule FROM floe.schedule()');
is($err, '', '... and nothing is to be said without them');
$_->stop foreach $node, $workers;
done_testing();
