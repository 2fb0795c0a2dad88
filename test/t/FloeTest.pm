# FloeTest: what the TAP tests share: the test module, the hostile server, a node with both.
package FloeTest;

use strict;
use warnings;

use Carp;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename;

# Among the end-to-end tests nobody has prepared what PostgreSQL's modules want to know.
BEGIN
{
	if (!$ENV{PG_REGRESS})
	{
		$ENV{PATH} = "$ENV{FLOE_BINDIR}:$ENV{PATH}" if $ENV{FLOE_BINDIR};
		my $pgxs = dirname(dirname(`pg_config --pgxs`));
		my $dir = $ENV{FLOE_TEST_DIR} // "$ENV{PWD}/tmp_check";
		unshift @INC, "$pgxs/test/perl";
		%ENV = (%ENV, PG_REGRESS => "$pgxs/test/regress/pg_regress", TESTDIR => $dir, TESTDATADIR => "$dir/data", TESTLOGDIR => "$dir/log",
			top_builddir => $dir);
	}
}

use File::Path qw(make_path);
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes ();

our @EXPORT = qw(build_module make_certificates start_hostile hostile_get start_node rows milliseconds);

my $test_dir = abs_path(dirname(__FILE__) . '/..');

# Builds floe_test for the server whose pg_config comes first in PATH and returns the path for CREATE FUNCTION … AS.
sub build_module
{
	my ($out) = run_command([ 'pg_config', '--version' ]);
	my ($major) = $out =~ /(\d+)/;
	system_or_bail('make', '-s', '-C', "$test_dir/floe_test", 'PG_CONFIG=pg_config');
	return "$test_dir/floe_test/obj/$major/floe_test";
}

# A directory with cert.pem and key.pem (self-signed, for localhost) and ca.pem, server.pem, server.key (signed by a CA).
sub make_certificates
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my @quiet = ('-days', '2', '-newkey', 'rsa:2048', '-nodes');
	my $names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
	my $run = sub {
		my ($stdout, $stderr);
		IPC::Run::run([ 'openssl', @_ ], '>', \$stdout, '2>', \$stderr) or croak "openssl @_: $stderr";
	};
	$run->('req', '-x509', @quiet, '-keyout', "$dir/key.pem", '-out', "$dir/cert.pem", '-subj', '/CN=localhost', '-addext', $names);
	$run->('req', '-x509', @quiet, '-keyout', "$dir/ca.key", '-out', "$dir/ca.pem", '-subj', '/CN=floe test CA');
	$run->('req', @quiet[ 2 .. 4 ], '-keyout', "$dir/server.key", '-out', "$dir/server.csr", '-subj', '/CN=localhost');
	append_to_file("$dir/names", "$names\n");
	$run->('x509', '-req', '-days', '2', '-in', "$dir/server.csr", '-CA', "$dir/ca.pem", '-CAkey', "$dir/ca.key",
		'-CAcreateserial', '-extfile', "$dir/names", '-out', "$dir/server.pem");
	return $dir;
}

# Starts test/mock/hostile.py; the returned hash has its ports and keeps it alive.
sub start_hostile
{
	my ($cert, $key) = @_;
	my %server = (in => '', out => '', err => '');
	$server{run} = IPC::Run::start([ 'python3', "$test_dir/mock/hostile.py", $cert, $key ],
		'<', \$server{in}, '>', \$server{out}, '2>', \$server{err}, IPC::Run::timeout(60));
	$server{run}->pump until $server{out} =~ /\n/ or !$server{run}->pumpable;
	$server{out} =~ /^\{/ or croak "hostile.py did not start: $server{err}";
	%server = (%server, %{ JSON::PP::decode_json($server{out}) });
	return \%server;
}

# A plain GET without floe, decoded: the server's counters.
sub hostile_get
{
	my ($server, $path) = @_;
	require HTTP::Tiny;
	my $answer = HTTP::Tiny->new->get("http://127.0.0.1:$server->{http}$path");
	croak "$path: $answer->{status} $answer->{content}" unless $answer->{success};
	return JSON::PP::decode_json($answer->{content});
}

# A running node with the functions of floe_test; %$env is set for the server. Without malloc's per-thread cache, whose chunks count
# as used, floe_test.malloc_bytes() is exact.
sub start_node
{
	my ($name, $module, $env) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', "fsync = off\n");
	{
		local %ENV = (%ENV, GLIBC_TUNABLES => 'glibc.malloc.tcache_count=0', %{ $env // {} });
		$node->start;
	}
	my ($rc, $out, $err) = $node->psql('postgres', slurp_file("$test_dir/floe_test/floe_test.sql"),
		extra_params => [ '-v', "module=$module" ], on_error_stop => 1);
	croak "floe_test.sql: $err" if $rc != 0;
	return $node;
}

# The rows of a query as hashes.
sub rows
{
	my ($node, $query) = @_;
	my $json = $node->safe_psql('postgres', "SELECT coalesce(json_agg(r), '[]') FROM ($query) r");
	return @{ JSON::PP::decode_json($json) };
}

# How long the code ran.
sub milliseconds
{
	my ($code) = @_;
	my $start = Time::HiRes::time();
	$code->();
	return (Time::HiRes::time() - $start) * 1000;
}

1;
