# The library as a file: what it shows, and that no symbol it takes from a foreign library is one that the server has too (jansson's json_object() is
# also a function of PostgreSQL: the dynamic linker takes the server's, and the call crashes).
use strict;
use warnings;

use Test::More;
use PostgreSQL::Test::Utils;

sub symbols
{
	my (@how) = @_;
	my ($out, $err) = run_command([ 'nm', @how ]);
	my %found = map { my ($name) = /(\S+?)(?:@.*)?$/; ($name => 1) } split /\n/, $out;
	return \%found;
}

my ($libdir) = run_command([ 'pg_config', '--pkglibdir' ]);
my ($bindir) = run_command([ 'pg_config', '--bindir' ]);
my $library = "$libdir/floe.so";
ok(-f $library, 'the library is installed');

my $shown = symbols('-D', '--defined-only', $library);
is_deeply([ grep { !/^(Pg_magic_func|_PG_init|(pg_finfo_)?floe_sql_\w+|floe_(launcher|worker)_main)$/ } sort keys %$shown ], [], 'it shows SQL functions and what the server looks for, nothing else');
cmp_ok(scalar(grep { /^floe_sql_/ } keys %$shown), '>', 20, 'and those are many');

my $needed = symbols('-D', '--undefined-only', $library);
my $server = symbols('-D', '--defined-only', "$bindir/postgres");
cmp_ok(scalar(keys %$server), '>', 5000, 'the server shows its symbols');

my ($linked) = run_command([ 'ldd', $library ]);
my @foreign = map { m{=> (/\S*lib(?:curl|jansson|deflate|z|zstd|snappy)\.so\S*)} ? ($1) : () } split /\n/, $linked;
is(scalar(@foreign), 6, 'six foreign libraries') or diag($linked);
my @clash;
foreach my $file (@foreign)
{
	my $theirs = symbols('-D', '--defined-only', $file);
	push @clash, map { "$_ of $file" } grep { $theirs->{$_} && $server->{$_} } keys %$needed;
}
is_deeply(\@clash, [], 'no needed symbol of a foreign library is one of the server\'s');
done_testing();
