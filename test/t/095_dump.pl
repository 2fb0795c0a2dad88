# pg_dump and restore of a database with floe: what people wrote (connections, policies with their history, budgets, pauses, changed thresholds and weights,
# privileges) is there again, works as before, and no restore fails because something a policy names is gone by now.
use strict;
use warnings;

use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

use lib 'test/t';
use FloeTest;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE source; CREATE ROLE team; CREATE ROLE boss LOGIN');
$node->safe_psql(
	'source', q{
	CREATE EXTENSION floe;
	GRANT floe_admin TO boss;
	GRANT EXECUTE ON FUNCTION floe.pause(text, timestamptz, text) TO team;
	CREATE SERVER demo TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1', warehouse 'w');
	CREATE USER MAPPING FOR CURRENT_USER SERVER demo OPTIONS (client_id 'a', client_secret 'b');
	CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice');
	CREATE SERVER gone TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice');
	SELECT floe.create_policy('all', 'demo.**', '{"engine": "spark", "rewrite_data_files": {"schedule": "0 2 * * *", "timezone": "Europe/Amsterdam", "options": {"target_file_size": "128MB"}},
		"expire_snapshots": {"every": "6 hours", "windows": ["22:00-06:00"], "days": ["mon"], "when": [{"metric": "snapshot_count", "value": 3}]}}');
	SELECT floe.create_policy('passing', 'demo.x.*', '{"rewrite_manifests": {}}');
	SELECT floe.alter_policy('all', '{"priority": 3, "thresholds": {"excess_file_count": {"warning": 500}}, "weights": {"gain": 0.5}}');
	SELECT floe.drop_policy('passing');
	SELECT floe.create_policy('orphaned', 'demo.b.*', '{"engine": "gone", "rewrite_manifests": {"engine": "gone", "enabled": false}}');
	SELECT floe.alter_policy('orphaned', '{"name": "renamed"}');
	INSERT INTO floe.budget (name, pattern, engine, operations) VALUES ('little', 'demo.**', 'spark', 3), ('none', 'demo.**', 'gone', 0);
	DROP SERVER gone;
	SELECT floe.pause('demo.paused.*', 'infinity', 'because');
	UPDATE floe.metric SET warning = 7, critical = 9, weight = 2 WHERE name = 'excess_file_count';
	UPDATE floe.debt_term SET weight = 0 WHERE term = 'age';
	UPDATE floe.rate SET price = 0.07, currency = 'EUR' WHERE name = 'engine';
	UPDATE floe.return_threshold SET runs = 5, longest_interval = '9 days' WHERE operation = 'rewrite_manifests';
	UPDATE floe.recommendation_rule SET is_enabled = false, threshold = 7 WHERE name = 'delete_mode';
	SELECT floe.dismiss('demo.**', 'stat_columns', 'we know');
	CREATE SERVER livy TYPE 'livy' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1');
	UPDATE floe.resource_preset SET conf = '{"spark.driver.memory": "3g"}' WHERE name = 'small';
	INSERT INTO floe.resource_preset (name, conf) VALUES ('mine', '{"spark.executor.memory": "5g"}');
	INSERT INTO floe.debt_preset (preset, term, weight) VALUES ('bytes first', 'freed', 5), ('bytes first', 'overdue', 0.5);
	SELECT floe.create_policy('sized', 'other.**', '{"score": "bytes first", "engine": "livy", "fallback_engines": ["spark"], "rewrite_manifests": {"resources": "small"}, "rewrite_data_files": {"resources": "mine"}}');
	SELECT floe.approve_engines('demo.pii.**', '{spark}');
	CREATE ROLE leaver;
	SELECT floe.own_policy('renamed', 'leaver');
	DROP ROLE leaver;
	SELECT floe.create_policy('top', 'other.**', '{"valid_during": ["2020-01-01", "2100-01-01"], "locks": {"*.timeout": {"max": "1 day"}, "poll_interval": {"fixed": true}}, "poll_interval": "1 hour"}');
});

# A policy directly, as its administrator.
$node->safe_psql('source', q{
	INSERT INTO floe.policy (name, pattern, poll_interval) VALUES ('direct', 'demo.d.*', '1 minute');
	UPDATE floe.policy SET priority = 1 WHERE name = 'direct'}, extra_params => [ '-U', 'boss' ]);

my %kept = (
	policies => 'SELECT * FROM floe.policy ORDER BY policy_id',
	operations => 'SELECT * FROM floe.policy_operation ORDER BY policy_id, operation',
	history => 'SELECT * FROM floe.policy_history ORDER BY policy_id, version',
	budgets => 'SELECT * FROM floe.budget ORDER BY name',
	pauses => 'SELECT * FROM floe_internal.pause ORDER BY pause_id',
	metrics => 'SELECT * FROM floe.metric ORDER BY name',
	presets => 'SELECT * FROM floe.resource_preset ORDER BY name',
	approvals => 'SELECT pattern, engines FROM floe.engine_approval ORDER BY pattern',
	rates => 'SELECT * FROM floe.rate ORDER BY name',
	returns => 'SELECT * FROM floe.return_threshold ORDER BY operation',
	rules => 'SELECT * FROM floe.recommendation_rule ORDER BY name',
	dismissals => 'SELECT * FROM floe.dismissals',
	'debt terms' => 'SELECT * FROM floe.debt_term ORDER BY term',
	'debt presets' => 'SELECT * FROM floe.debt_preset ORDER BY preset, term',
	connections => 'SELECT name, type, uri, warehouse FROM floe.catalogs UNION ALL SELECT name, type, url, NULL FROM floe.engines ORDER BY 1',
	secrets => 'SELECT srvname, umoptions FROM pg_user_mappings ORDER BY 1',
	privileges => q{SELECT has_function_privilege('team', 'floe.pause(text, timestamptz, text)', 'EXECUTE'), has_column_privilege('boss', 'floe.policy', 'created_at', 'INSERT')},
);
my %rows = map { $_ => $node->safe_psql('source', $kept{$_}) } keys %kept;
my $lines = sub { scalar(split /\n/, $_[0]) };
is($lines->($rows{history}), 11, 'eleven versions are to be kept');
like($rows{policies}, qr/leaver/, 'a policy belongs to a role that is gone');
like($rows{privileges}, qr/^t\|f$/, 'an administrator of policies cannot make up their times');

# Tables seen and their settings: what was measured stays behind, and listing the same tables again brings the same settings.
my $listing = q{SELECT floe_internal.apply_listing(catalog_id, '{b,d,x}', '{t,t,t}') FROM floe_internal.catalog WHERE server_name = 'demo'};
my $settings = q{SELECT t.name, e.* FROM floe.tables AS t CROSS JOIN LATERAL floe.effective_policy(t.name) AS e ORDER BY 1, 2 NULLS FIRST, 3};
$node->safe_psql('source', $listing);
my $in_force = $node->safe_psql('source', $settings);
like($in_force, qr/^demo\.b\.t\|rewrite_manifests\|enabled\|false\|policy "renamed" \(demo\.b\.\*\)$/m, 'policies apply');

my $dir = PostgreSQL::Test::Utils::tempdir();
my $dump = sub {
	my @command = ('pg_dump', '-h', $node->host, '-p', $node->port, @_, 'source');
	my ($out, $err) = run_command(\@command);
	is($err, '', "pg_dump @_ has nothing to say");
};
$dump->('-Fp', '-f', "$dir/plain.sql");
$dump->('-Fc', '-f', "$dir/custom");

my %restore = (
	'statement by statement' => [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", '-d' ],
	'in one transaction' => [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-1', '-f', "$dir/plain.sql", '-d' ],
	'from an archive' => [ 'pg_restore', '-e', "$dir/custom", '-d' ]);
foreach my $way (sort keys %restore)
{
	my $target = 'target_' . $way =~ s/ /_/gr;
	my @command = (@{ $restore{$way} }, $target);
	$node->safe_psql('postgres', "CREATE DATABASE $target");
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
	my ($out, $err) = run_command(\@command);
	is($err, '', "restored $way without a complaint");
	is($node->safe_psql($target, $kept{$_}), $rows{$_}, "$way: $_") foreach sort keys %kept;
	is($node->safe_psql($target, 'SELECT count(*) FROM floe.tables'), 0, "$way: what was measured stays behind");
	$node->safe_psql($target, $listing);
	is($node->safe_psql($target, $settings), $in_force, "$way: the same tables have the same settings");

	# and life goes on
	$node->safe_psql($target, q{
		SELECT floe.create_policy('new', 'demo.n.*', '{"rewrite_manifests": {}}');
		SELECT floe.alter_policy('all', '{"priority": 4}');
		SELECT floe.pause('demo.new.*')});
	is($node->safe_psql($target, q{SELECT name, version, action FROM floe.policy_history WHERE changed_at > now() - interval '1 hour' AND name IN ('new', 'all') ORDER BY 1, 2}),
		"all|1|create\nall|2|alter\nall|3|alter\nnew|1|create", "$way: ids and versions go on where they were");
}

# History cannot be made up by those who may write policies.
my ($status, $out, $err) = $node->psql('source', q{INSERT INTO floe.policy (name, pattern, created_at) VALUES ('x', 'demo.**', '2020-01-01')}, extra_params => [ '-U', 'boss' ]);
like($err, qr/permission denied for table policy/, 'only a superuser brings times along');
$node->stop;
done_testing();
