# The HTTP engine against a server that fails in every way we know of, inside real backends.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use FloeTest;
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $module = build_module();
my $certificates = make_certificates();
my $server = start_hostile("$certificates/cert.pem", "$certificates/key.pem");
my $signed = start_hostile("$certificates/server.pem", "$certificates/server.key");
my $node = start_node('http', $module);

my $http = "http://127.0.0.1:$server->{http}";
my $https = "https://127.0.0.1:$server->{tls}";
my $who = "127.0.0.1:$server->{http}";

# Rows of floe_test.http(), for a list of URLs and options as a hash.
sub call
{
	my ($urls, $options) = @_;
	my $list = join ',', map { "'$_'" } @$urls;
	my $json = JSON::PP->new->canonical->encode($options // {});
	return rows($node, "SELECT * FROM floe_test.http(ARRAY[$list], \$\$$json\$\$) ORDER BY n");
}

sub check
{
	my ($name, $url, $options, $want) = @_;
	my ($row) = call([$url], $options);
	for my $field (sort keys %$want)
	{
		my $got = $row->{$field} // '(null)';
		if (ref $want->{$field}) { like($got, $want->{$field}, "$name: $field") }
		else { is($got, $want->{$field}, "$name: $field") }
	}
	return $row;
}

my %once = (max_attempts => 1);
my %yes = (true => JSON::PP::true);

# -------------------------------------------------------------------------------------------------
# One request, every kind of answer and failure, with both ways of waiting
# -------------------------------------------------------------------------------------------------

my @cases = (
	[ 'an answer', "$http/ok", {}, { code => 'ok', http_status => 200, body => 'hello', message => '', attempts => 1, retry_after => -1 } ],
	[ 'a large answer', "$http/ok?size=3000000", {}, { code => 'ok', body_bytes => 3000000 } ],
	[ 'HEAD', "$http/ok?size=100", { method => 'HEAD' }, { code => 'ok', http_status => 200, body_bytes => 0 } ],
	[ 'a late answer', "$http/delay/100", {}, { code => 'ok', body => 'late' } ],
	[ 'chunks', "$http/chunked", {}, { code => 'ok', body => 'hello world', etag => 'head' } ],
	[ 'ETag', "$http/etag", {}, { code => 'ok', http_status => 200, etag => '"v1"' } ],
	[ '304', "$http/etag", { headers => { 'If-None-Match' => '"v1"' } }, { code => 'ok', http_status => 304, body_bytes => 0 } ],
	[ '206', "$http/partial", { sink => $yes{true} }, { code => 'ok', http_status => 206, body_bytes => 4, restarts => 1 } ],
	[ 'gzip', "$http/gzipped", { accept_gzip => $yes{true} }, { code => 'ok', body_bytes => 1100 } ],
	[ 'gzip not asked for', "$http/gzipped", {}, { code => 'ok', body_bytes => qr/^\d\d$/ } ],
	[ 'HTML', "$http/html", {}, { code => 'ok', http_status => 200, body => qr/^<html>/ } ],

	# status codes are answers; what they mean is the caller's business
	[ '401', "$http/status/401", {}, { code => 'ok', http_status => 401, attempts => 1, body => qr/as asked/ } ],
	[ '403', "$http/status/403", {}, { code => 'ok', http_status => 403, attempts => 1 } ],
	[ '404', "$http/status/404", {}, { code => 'ok', http_status => 404, attempts => 1 } ],
	[ '500', "$http/status/500", { max_attempts => 2 }, { code => 'ok', http_status => 500, attempts => 2 } ],
	[ '429', "$http/status/429?retry-after=7", {%once}, { code => 'ok', http_status => 429, retry_after => 7000 } ],
	[ '503 with a date', "$http/status/503?retry-after=Sun,%2006%20Nov%201994%2008:49:47%20GMT&date=Sun,%2006%20Nov%201994%2008:49:37%20GMT",
		{%once}, { code => 'ok', http_status => 503, retry_after => 10000 } ],
	[ 'an error with a sink', "$http/status/404", { sink => $yes{true} }, { http_status => 404, body => qr/as asked/ } ],
	[ 'a long error', "$http/status/404?size=1000000", {}, { code => 'ok', http_status => 404, body_bytes => 65536 } ],

	[ 'reset', "$http/reset", {%once}, { code => 'network', http_status => 0, message => "$who closed the connection without an answer" } ],
	[ 'reset in the body', "$http/reset-body", {%once}, { code => 'network', body_bytes => 0, message => "connection to $who lost in the middle of the answer, after 10 bytes" } ],
	[ 'close', "$http/close", {%once}, { code => 'network', message => "$who closed the connection without an answer" } ],
	[ 'short', "$http/short", {%once}, { code => 'network', body_bytes => 0, message => qr/middle of the answer/, detail => qr/990 bytes/ } ],
	[ 'hang', "$http/hang", { %once, total_timeout_ms => 200 }, { code => 'timeout', message => qr/^$who did not answer within 2\d\d ms$/ } ],
	[ 'hang in the body', "$http/hang-body", { %once, total_timeout_ms => 200 }, { code => 'timeout', message => qr/^the answer of $who was not complete within 2\d\d ms, after 10 bytes$/ } ],
	[ 'a request nobody reads', "http://127.0.0.1:$server->{full}/", { %once, connect_timeout_ms => 200 }, { code => 'connect', message => qr/^no connection to 127.0.0.1:$server->{full} within 2\d\d ms$/ } ],
	[ 'silence', "http://127.0.0.1:$server->{silent}/", { %once, total_timeout_ms => 200 }, { code => 'timeout', message => qr/did not answer/ } ],
	[ 'silence in TLS', "https://127.0.0.1:$server->{silent}/", { %once, connect_timeout_ms => 200 }, { code => 'tls', message => qr/^no TLS handshake with 127.0.0.1:$server->{silent} within 2\d\d ms$/ } ],
	[ 'slow body', "$http/slow-body/50", { %once, low_speed_s => 1 }, { code => 'timeout', message => qr/less than 1024 bytes per second for 1 s/ } ],
	[ 'slow header', "$http/slow-header/50", { %once, low_speed_s => 1 }, { code => 'timeout', message => qr/less than 1024 bytes per second for 1 s/ } ],
	[ 'slow to begin', "$http/delay/1500", { low_speed_s => 1 }, { code => 'ok', body => 'late' } ],
	[ 'refused', 'http://127.0.0.1:1/', {%once}, { code => 'connect', message => 'cannot connect to 127.0.0.1:1: Connection refused' } ],
	[ 'no such name', 'http://no-such-host.invalid/', {%once}, { code => 'dns', message => 'cannot resolve host "no-such-host.invalid"' } ],
	[ 'no such name, three times', 'http://no-such-host.invalid/', {}, { code => 'dns', attempts => 3 } ],

	[ 'endless body', "$http/endless-body", { max_body => 1000000 }, { code => 'too_large', attempts => 1, body_bytes => 0, message => "the answer of $who exceeds 1000000 bytes" } ],
	[ 'endless body into a sink', "$http/endless-body", { max_body => 1000000, sink => $yes{true} }, { code => 'too_large', attempts => 1 } ],
	[ 'a sink that has enough', "$http/endless-body", { sink => $yes{true}, sink_stop => 100000 }, { code => 'cancelled', attempts => 1, message => "the reader of the answer of $who stopped" } ],
	[ 'endless headers', "$http/endless-headers", {}, { code => 'too_large', attempts => 1, message => "the header of the answer of $who exceeds 65536 bytes" } ],
	[ 'endless interim answers', "$http/endless-interim", {}, { code => 'too_large', attempts => 1 } ],
	[ 'a giant header', "$http/giant-header", {}, { code => 'too_large', attempts => 1 } ],
	[ 'a gzip bomb', "$http/gzip-bomb", { accept_gzip => $yes{true}, max_body => 1000000 }, { code => 'too_large', attempts => 1 } ],
	[ 'gzip that is none', "$http/gzip-garbage", { accept_gzip => $yes{true} }, { code => 'protocol', message => "the answer of $who cannot be decompressed" } ],
	[ 'chunks that are none', "$http/chunked-garbage", {%once}, { code => 'protocol', body_bytes => 0, message => "the answer of $who is malformed" } ],
	[ 'a negative length', "$http/bad-length", {}, { code => 'protocol' } ],
	[ 'not HTTP', "$http/not-http", {}, { code => 'protocol', message => "$who sent an answer that is not HTTP" } ],
	[ 'HTTP to a TLS port', "http://127.0.0.1:$server->{tls}/ok", {%once}, { code => 'network' } ],

	[ 'redirects', "$http/redirect/3", {}, { code => 'ok', http_status => 200, body => 'arrived', attempts => 1 } ],
	[ 'a relative redirect', "$http/redirect?to=ok%3Fsize=3", {}, { code => 'ok', http_status => 200, body => 'xxx' } ],
	[ 'a redirect with a fragment', "$http/redirect?to=/ok%23part", {}, { code => 'ok', http_status => 200, body => 'hello' } ],
	[ 'one redirect too many', "$http/redirect/4", {}, { code => 'denied', http_status => 302, message => qr/after 3 redirects$/ } ],
	[ 'a redirect loop', "$http/redirect/loop", {}, { code => 'denied', message => qr/after 3 redirects$/ } ],
	[ 'a redirect elsewhere', "$http/redirect?to=http://127.0.0.1:$server->{silent}/secret", {}, { code => 'denied', attempts => 1, message => "http://$who redirects to another origin, http://127.0.0.1:$server->{silent}" } ],
	[ 'a redirect to TLS', "$http/redirect?to=https://127.0.0.1:$server->{http}/", {}, { code => 'denied' } ],
	[ 'a redirect to a file', "$http/redirect?to=file:///etc/passwd", {}, { code => 'protocol' } ],
	[ 'a redirect to another user', "$http/redirect?to=http://user\@127.0.0.1:$server->{http}/ok", {}, { code => 'protocol' } ],
	[ 'a redirect that is malformed', "$http/redirect?to=http://%5B/", {}, { code => 'protocol' } ],
	[ 'a redirected POST', "$http/redirect/1", { method => 'POST', body => 'x' }, { code => 'denied', message => qr/only GET and HEAD/ } ],
	[ 'a redirect as an answer', "$http/redirect/1", { no_redirect => $yes{true} }, { code => 'ok', http_status => 302 } ],

	[ 'a self-signed certificate', "$https/ok", {}, { code => 'tls', attempts => 1, message => qr/^TLS with 127.0.0.1:$server->{tls} failed: .*self-signed/ } ],
	[ 'trusted by ca_file', "$https/ok", { ca_file => "$certificates/cert.pem" }, { code => 'ok', body => 'hello' } ],
	[ 'signed by a CA', "https://localhost:$signed->{tls}/ok", { ca_file => "$certificates/ca.pem" }, { code => 'ok', body => 'hello' } ],
	[ 'signed by another CA', "https://localhost:$signed->{tls}/ok", { %once, ca_file => "$certificates/cert.pem" }, { code => 'tls' } ],
	[ 'a certificate for another name', "https://localhost.localdomain:$server->{tls}/ok", { %once, ca_file => "$certificates/cert.pem" }, { code => qr/^(tls|dns)$/ } ],
	[ 'a ca_file that is not there', "$https/ok", { ca_file => '/nonexistent.pem' }, { code => 'config', attempts => 1, message => 'cannot read the certificate authorities in "/nonexistent.pem"' } ],
	[ 'TLS to an HTTP port', "https://127.0.0.1:$server->{http}/ok", {%once}, { code => 'tls' } ],

	[ 'metadata service', 'http://169.254.169.254/latest', {}, { code => 'denied', attempts => 0, message => qr/link-local/ } ],
	[ 'not in the list', "$http/ok", { allowed_hosts => 'catalog.example.com' }, { code => 'denied', attempts => 0, message => qr/not in floe.allowed_hosts/ } ],
	[ 'in the list', "$http/ok", { allowed_hosts => 'catalog.example.com, 127.0.0.0/8' }, { code => 'ok' } ],
	[ 'a malformed URL', 'http://user:geheim@127.0.0.1/', {}, { code => 'config', message => qr/^(?!.*geheim)/ } ],
	[ 'no URL', '', {}, { code => 'config' } ],
	[ 'a header in a header', "$http/ok", { headers => { 'X-A' => "1\r\nX-Evil: 2" } }, { code => 'config', attempts => 0 } ],
	[ 'an unknown method', "$http/ok", { method => 'BREW' }, { code => 'internal' } ],
	[ 'a proxy', 'http://catalog.invalid/ok', { proxy => $http }, { code => 'ok', http_status => 200, body => 'hello' } ],
	[ 'a proxy that is not there', "$http/ok", { %once, proxy => 'http://127.0.0.1:1' }, { code => 'connect' } ],
);

for my $portable (0, 1)
{
	for my $case (@cases)
	{
		my ($name, $url, $options, $want) = @$case;
		check($portable ? "$name (portable)" : $name, $url, { %$options, portable_wait => $portable ? JSON::PP::true : JSON::PP::false }, $want);
	}
}

# What arrived there.
{
	my ($row) = call(["$http/echo?a=b/../%2e//c"], { method => 'POST', body => "k=v\n", headers => { 'X-One' => '1', 'X-Empty' => '' } });
	my $echo = JSON::PP::decode_json($row->{body});
	is($echo->{method}, 'POST', 'method');
	is($echo->{target}, '/echo?a=b/../%2e//c', 'the target is sent as it was written');
	is($echo->{body}, "k=v\n", 'body');
	is($echo->{headers}{'X-One'}, '1', 'a header');
	is($echo->{headers}{'X-Empty'}, '', 'an empty header');
	is($echo->{headers}{'Content-Length'}, '4', 'length');
	like($echo->{headers}{'User-Agent'}, qr{^floe/}, 'user agent');
	is_deeply([ grep { /^(cookie|expect|content-type|accept-encoding|authorization)$/ } @{ $echo->{names} } ],
		[], 'no headers that nobody asked for');
	for my $method ('PUT', 'DELETE')
	{
		($row) = call(["$http/echo"], { method => $method, body => 'data' });
		$echo = JSON::PP::decode_json($row->{body});
		is("$echo->{method} $echo->{body}", "$method data", $method);
	}
	($row) = call(["$http/echo"], { method => 'DELETE' });
	is(JSON::PP::decode_json($row->{body})->{method}, 'DELETE', 'DELETE without a body');
	($row) = call(["$http/echo"], { method => 'PUT' });
	is(JSON::PP::decode_json($row->{body})->{headers}{'Content-Length'}, '0', 'PUT without a body');
	($row) = call(["$http/echo"], { body => 'data' });
	$echo = JSON::PP::decode_json($row->{body});
	is("$echo->{method} $echo->{body}", 'GET data', 'GET with a body stays GET');
}

# -------------------------------------------------------------------------------------------------
# Repeating requests, as the server counted them
# -------------------------------------------------------------------------------------------------

sub count_requests
{
	my ($name, $path, $options, $want, $count) = @_;
	hostile_get($server, '/reset-stats');
	check($name, "$http$path", $options, $want);
	my $method = $options->{method} // 'GET';
	my ($bare) = $path =~ /^([^?]*)/;
	is(hostile_get($server, '/stats')->{requests}{"$method $bare"}, $count, "$name: sent $count times");
}

my %post = (method => 'POST', body => 'insert');
my %repeatable = (%post, post_is_repeatable => JSON::PP::true);
count_requests('GET after 503', '/flaky/a/2', {}, { code => 'ok', http_status => 200, attempts => 3 }, 3);
count_requests('GET after a reset', '/flaky/a/2/reset', {}, { code => 'ok', http_status => 200, attempts => 3 }, 3);
count_requests('GET after a short answer', '/flaky/a/1/short', {}, { code => 'ok', http_status => 200, body => 'at last' }, 2);
count_requests('a sink after a short answer', '/flaky/a/1/short', { sink => $yes{true} }, { code => 'ok', body_bytes => 7, restarts => 2 }, 2);
count_requests('GET gives up', '/flaky/a/5', {}, { code => 'ok', http_status => 503, attempts => 3 }, 3);
count_requests('GET after 404', '/flaky/a/1/404', {}, { http_status => 404, attempts => 1 }, 1);
count_requests('POST after 503', '/flaky/a/1', {%post}, { http_status => 503, attempts => 1 }, 1);
count_requests('POST after 429', '/flaky/a/1/429', {%post}, { http_status => 429, attempts => 1 }, 1);
count_requests('POST after a reset', '/flaky/a/1/reset', {%post}, { code => 'network', attempts => 1 }, 1);
count_requests('POST that may be repeated', '/flaky/a/2/reset', {%repeatable}, { code => 'ok', attempts => 3 }, 3);
count_requests('PUT after 503', '/flaky/a/1', { method => 'PUT', body => 'x' }, { http_status => 200, attempts => 2 }, 2);
check('POST to a port that refuses', 'http://127.0.0.1:1/', {%post}, { code => 'connect', attempts => 3 });

my $waited = milliseconds(sub { check('Retry-After is obeyed', "$http/flaky/b/1?retry-after=1", {}, { code => 'ok', attempts => 2 }) });
cmp_ok($waited, '>=', 1000, 'and took a second');

# A connection that was kept and is dead: libcurl would send a POST again without a word.
{
	hostile_get($server, '/reset-stats');
	my @answers = call([ ("$http/stale") x 3 ], { %post, max_attempts => 1, sequential => $yes{true} });
	is_deeply([ map { $_->{code} } @answers ], [ 'ok', 'ok', 'ok' ], 'each POST on a connection of its own');
	is(hostile_get($server, '/stats')->{requests}{'POST /stale'}, 3, 'and none sent twice');
	@answers = call([ ("$http/stale") x 3 ], { sequential => $yes{true} });
	is_deeply([ map { "$_->{code} $_->{attempts}" } @answers ], [ ('ok 1') x 3 ], 'GET is repeated by libcurl');
}

# -------------------------------------------------------------------------------------------------
# Many requests: caps, reuse, fairness
# -------------------------------------------------------------------------------------------------

for my $portable (JSON::PP::false, JSON::PP::true)
{
	hostile_get($server, '/reset-stats');
	my @answers = call([ map { "$http/delay/5?$_" } 1 .. 200 ], { max_connections_per_host => 8, portable_wait => $portable });
	is(scalar(grep { $_->{code} eq 'ok' && $_->{body} eq 'late' } @answers), 200, '200 requests at once');
	my $stats = hostile_get($server, '/stats');
	is($stats->{max_running}, 8, 'never more than the cap of the host, and the cap is used');
	cmp_ok($stats->{connections}, '<=', 9, 'connections are reused');

	hostile_get($server, '/reset-stats');
	call([ map { ("$http/delay/5?$_", "http://localhost:$server->{http}/delay/5?$_") } 1 .. 40 ], { max_connections => 5, portable_wait => $portable });
	$stats = hostile_get($server, '/stats');
	is($stats->{max_running}, 5, 'the cap of all hosts');
	is($stats->{total}, 80, 'holds back but drops nothing');
}
{
	hostile_get($server, '/reset-stats');
	my @answers = call([ ("$http/ok") x 20 ], { sequential => $yes{true} });
	is(hostile_get($server, '/stats')->{connections}, 2, '20 requests one after the other: one connection (and that of the counters)');
	cmp_ok($answers[0]{first_byte_ms}, '<=', $answers[0]{total_ms}, 'timing is taken');
	@answers = call([ ("$https/ok") x 2 ], { sequential => $yes{true}, ca_file => "$certificates/cert.pem" });
	is($answers[1]{tls_ms}, 0, 'no second handshake on the same connection');

	# a POST has a connection of its own, which must not stay behind
	hostile_get($server, '/reset-stats');
	call([ ("$http/ok") x 8 ], { sequential => $yes{true}, method => 'POST', body => 'x' });
	my $stats = hostile_get($server, '/stats');
	is($stats->{connections}, 9, '8 POSTs: a connection for each');
	cmp_ok($stats->{max_open}, '<=', 4, 'which is closed after it');

	# requests wait without their timeout running
	@answers = call([ map { "$http/delay/200?$_" } 1 .. 5 ], { max_connections_per_host => 1, total_timeout_ms => 500, max_attempts => 1 });
	is(scalar(grep { $_->{code} eq 'ok' } @answers), 5, 'the timeout begins when a request starts');

	my $took = milliseconds(sub {
		@answers = call([ (map { "$http/delay/1000?$_" } 1 .. 8), (map { "http://localhost:$server->{http}/ok?$_" } 1 .. 20) ],
			{ max_connections => 6, max_connections_per_host => 4 });
	});
	is(scalar(grep { $_->{code} eq 'ok' } @answers), 28, 'a slow host and a fast one');
	cmp_ok($took, '<', 2900, 'the slow one holds up only its own');
}

# -------------------------------------------------------------------------------------------------
# Callbacks and timers
# -------------------------------------------------------------------------------------------------

is($node->safe_psql('postgres', "SELECT * FROM floe_test.http_callbacks('$http/ok', '$http/hang')"), join("\n",
	'chain: 10 answers',
	'abort from a callback: 1 answer',
	'abort from its own sink: 0 pending',
	'throw: thrown by a callback',
	'nested: floe_http_wait() called from a callback',
	'usable afterwards: 1 answer',
	'abort all: 0 pending, 0 timers',
	'a timer goes off while a request hangs: 1 pending'), 'what is promised about callbacks');
is($node->safe_psql('postgres', "SELECT * FROM floe_test.http_timers('{60,10,0,30,10}')"),
	join("\n", map { "$_ on time" } 0, 10, 10, 30, 60), 'timers in order');
my ($rc, $out, $err) = $node->psql('postgres', qq(SELECT * FROM floe_test.http('{}', '{"allowed_hosts": "a b"}')));
like($err, qr/allowed hosts: entry "a b" is not a host/, 'a malformed list of hosts');

is($node->safe_psql('postgres', 'SELECT floe_test.digest_without_owner()'),
	'5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'digests as between two transactions, without a resource owner');

# -------------------------------------------------------------------------------------------------
# Cancel, terminate, nothing left behind
# -------------------------------------------------------------------------------------------------

my $hanging = join ',', map { ("'$http/hang?$_'", "'$http/hang-body?$_'", "'http://127.0.0.1:$server->{full}/$_'", "'https://127.0.0.1:$server->{silent}/$_'") } 1 .. 10;
my $hang_40 = "SELECT count(*) FROM floe_test.http(ARRAY[$hanging], '%s')";

# Every case above, cancelled batches, thrown callbacks: in one session, then the counts of before.
{
	my $everything = join "\n", map {
		my ($name, $url, $options) = @$_;
		my $json = JSON::PP->new->canonical->encode($options);
		"SELECT count(*) FROM floe_test.http(ARRAY['$url'], \$\$$json\$\$);"
	} grep { $_->[0] !~ /slow/ } @cases;
	my $cancelled = join "\n", map { sprintf("$hang_40;", $_) } ('{"max_connections_per_host": 40}', '{"max_connections_per_host": 40, "portable_wait": true}') x 3;
	my $round = "$everything\nSET statement_timeout = 150;\n$cancelled\nRESET statement_timeout;\n"
	  . "SELECT count(*) FROM floe_test.http_callbacks('$http/ok', '$http/hang');\n";
	my $counts = "SELECT 'fds', floe_test.fd_count(), 'external', floe_test.external_fds_left(), 'threads', floe_test.thread_count();\n"
	  . "SELECT 'malloc', floe_test.malloc_bytes();\n";
	my ($stdout, $stderr);
	$node->psql('postgres', join(' ', ("$round $counts") x 4), stdout => \$stdout, stderr => \$stderr, on_error_stop => 0, timeout => 300);
	my @fds = $stdout =~ /^(fds.*)$/mg;
	my @malloc = $stdout =~ /^malloc\|(\d+)$/mg;
	is(scalar(@fds), 4, 'four rounds in one session') or diag($stderr);
	is(scalar(() = $stderr =~ /canceling statement due to statement timeout/g), 24, 'with cancelled batches');
	is($fds[1], $fds[0], "descriptors, descriptors reported, threads: $fds[0]");
	is($fds[3], $fds[0], 'and again');
	# caches of the server may still grow once; a leak is there in every round
	my ($least) = sort { $a <=> $b } map { $malloc[$_] - $malloc[ $_ - 1 ] } 1 .. 3;
	cmp_ok($least, '<', 256, "memory in use: @malloc");
}

# Milliseconds from the start of a statement to its cancellation by statement_timeout, by the server's clock.
sub cancelled_after
{
	my ($timeout, $query) = @_;
	my ($rc, $stdout, $stderr) = $node->psql('postgres', qq{
		SET statement_timeout = $timeout;
		DO \$do\$
		BEGIN
			EXECUTE \$q\$$query\$q\$;
		EXCEPTION WHEN query_canceled THEN
			RAISE NOTICE 'took %', extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000;
		END \$do\$;});
	return $stderr =~ /took ([\d.]+)/ ? $1 : "no cancellation: $stderr";
}

for my $portable ('false', 'true')
{
	my $took = cancelled_after(500, sprintf($hang_40, qq({"max_connections_per_host": 40, "portable_wait": $portable})));
	cmp_ok($took, '>=', 500, 'statement_timeout with 40 requests that hang');
	cmp_ok($took, '<', 700, 'takes effect within 0.2 s');
}

# Has the process ended?  A dead one may wait for its parent for a while.
sub ended
{
	my ($pid) = @_;
	return 1 unless kill(0, $pid);
	open(my $stat, '<', "/proc/$pid/stat") or return !kill(0, $pid);
	return (<$stat> // ') X ') =~ /\) [ZX] /;
}

# A session in the background, and the pid of its backend once it waits.
sub background
{
	my ($query) = @_;
	my %session = (in => '', out => '', err => '');
	$session{run} = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$session{in}, '>', \$session{out}, '2>', \$session{err});
	$session{in} .= "SELECT pg_backend_pid();\n";
	$session{run}->pump until $session{out} =~ /(\d+)\n/;
	$session{pid} = $1;
	$session{in} .= "$query;\n";
	$session{run}->pump_nb;
	$node->poll_query_until('postgres', "SELECT wait_event IN ('Extension', 'FloeHttp') FROM pg_stat_activity WHERE pid = $session{pid}")
	  or die 'the query does not wait';
	return \%session;
}

for my $portable ('false', 'true')
{
	my $session = background(sprintf($hang_40, qq({"max_connections_per_host": 40, "portable_wait": $portable})));
	my $start = time();
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($session->{pid})");
	sleep 0.005 while !ended($session->{pid}) && time() < $start + 10;
	cmp_ok(time() - $start, '<', 0.3, 'pg_terminate_backend with 40 requests that hang: within 0.2 s (0.1 s for psql)');
	$session->{run}->finish;
	like($session->{err}, qr/terminating connection due to administrator command/, 'as it should');
}
{
	my $open;
	for (1 .. 50) { $open = hostile_get($server, '/stats')->{open}; last if $open <= 1; sleep 0.1 }
	is($open, 1, 'the server has seen all connections close');
}

# A procedure that commits first holds no snapshot while it waits; a function does.
{
	my $session = background("CALL floe_test.http_outside(ARRAY['$http/hang'], '{}')");
	my $horizon = "SELECT backend_xmin IS NULL, backend_xid IS NULL, wait_event FROM pg_stat_activity WHERE pid = $session->{pid}";
	like($node->safe_psql('postgres', $horizon), qr/^t\|t\|(Extension|FloeHttp)$/, 'no snapshot in a procedure');
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($session->{pid})");
	$session->{in} .= "SELECT 'alive';\n";
	$session->{run}->pump until $session->{out} =~ /alive/;
	like($session->{err}, qr/canceling statement due to user request/, 'cancelled outside a function');
	$session->{in} .= "\\q\n";
	$session->{run}->finish;

	$session = background("SELECT * FROM floe_test.http(ARRAY['$http/hang'])");
	like($node->safe_psql('postgres', "SELECT backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $session->{pid}"), qr/^f$/, 'the test can see one');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($session->{pid})");
	$session->{run}->finish;
}

# -------------------------------------------------------------------------------------------------
# Names
# -------------------------------------------------------------------------------------------------

SKIP:
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $built = system('cc', '-shared', '-fPIC', '-o', "$dir/resolver.so", "$FindBin::Bin/../mock/resolver.c", '-ldl') == 0;
	skip 'LD_PRELOAD does not work here', 1 unless $built && $^O eq 'linux';
	$node->stop;
	{
		local %ENV = (%ENV, LD_PRELOAD => "$dir/resolver.so", RESOLVER_LOG => "$dir/lookups");
		$node->start;
	}
	my $lookups = sub {
		my @lines = -e "$dir/lookups" ? split(/\n/, slurp_file("$dir/lookups")) : ();
		unlink "$dir/lookups";
		return scalar(@lines);
	};
	my $denied = qr/^host "metadata.test" resolves to 169.254.169.254, a link-local or metadata address/;

	check('a name', "http://good.test:$server->{http}/ok", {}, { code => 'ok', body => 'hello' });
	check('a name that leads to a metadata service', 'http://metadata.test/', {}, { code => 'denied', attempts => 1, message => $denied });
	check('though its name is in the list', 'http://metadata.test/', { allowed_hosts => '*,metadata.test' }, { code => 'denied' });
	check('unless its address is', 'http://metadata.test:1/', { %once, allowed_hosts => 'metadata.test,169.254.0.0/16', connect_timeout_ms => 300 }, { code => qr/^(?!denied)/ });
	check('a name with a forbidden and a good address', "http://mixed.test:$server->{http}/ok", {}, { code => 'ok', body => 'hello' });
	check('a name that is not answered', 'http://hang.test/', { %once, connect_timeout_ms => 300 }, { code => 'dns', message => qr/^host "hang.test" was not resolved within 3\d\d ms$/ });

	$lookups->();
	my @answers = call([ map { "http://good.test:$server->{http}/ok?$_" } 1 .. 50 ]);
	is(scalar(grep { $_->{code} eq 'ok' } @answers), 50, '50 requests to a new name');
	is($lookups->(), 1, 'ask the resolver once');

	my $query = "SELECT count(*) FROM floe_test.http(ARRAY['http://hang.test/1', 'http://hang.test/2'], '{}')";
	cmp_ok(cancelled_after(300, $query), '<', 500, 'statement_timeout while the resolver hangs');
	my $session = background($query);

	# libcurl's threads must never run PostgreSQL's signal handlers
	my @threads = grep { !m{/$session->{pid}/status$} } glob("/proc/$session->{pid}/task/*/status");
	is(scalar(@threads), 1, 'a thread resolves');
	for my $status (@threads)
	{
		my ($blocked) = slurp_file($status) =~ /^SigBlk:\s*([0-9a-f]+)/m;
		is_deeply([ grep { !(hex($blocked) >> ($_ - 1) & 1) } 1, 2, 3, 10, 12, 13, 14, 15, 23 ], [], 'with HUP, INT, QUIT, USR1, USR2, PIPE, ALRM, TERM and URG blocked');
	}

	my $start = time();
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($session->{pid})");
	sleep 0.005 while !ended($session->{pid}) && time() < $start + 30;
	cmp_ok(time() - $start, '<', 0.3, 'pg_terminate_backend while the resolver hangs');
	$session->{run}->finish;
}

# -------------------------------------------------------------------------------------------------
# Few file descriptors
# -------------------------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "max_files_per_process = 100\n");
$node->restart;
my $left = $node->safe_psql('postgres', 'SELECT floe_test.external_fds_left()');
for my $portable (JSON::PP::false, JSON::PP::true)
{
	hostile_get($server, '/reset-stats');
	my @answers = call([ map { "$http/delay/20?$_" } 1 .. 60 ],
		{ max_connections => 100, max_connections_per_host => 100, max_in_flight => 100, portable_wait => $portable });
	my $stats = hostile_get($server, '/stats');
	is(scalar(grep { $_->{code} eq 'ok' } @answers), 60, "60 requests with room for $left descriptors");
	cmp_ok($stats->{max_running}, '<', $left, "wait for each other: $stats->{max_running} at once");
	cmp_ok($stats->{max_running}, '>', 1, 'but not each for all others');
}

# -------------------------------------------------------------------------------------------------
# Secrets, and the death of the postmaster
# -------------------------------------------------------------------------------------------------

{
	my $secret = 'Geheimnis0815';
	my %with = (%once, total_timeout_ms => 200, headers => { Authorization => "Bearer $secret" });
	for my $path ('hang', 'reset', 'short', 'not-http', 'giant-header', "redirect?to=http://127.0.0.1:1/", 'chunked-garbage', 'bad-length', 'endless-body')
	{
		my $mark = $path =~ /\?/ ? '&' : '?';
		my ($row) = call(["$http/$path${mark}token=$secret"], { %with, max_body => 1000 });
		unlike("$row->{message} $row->{detail}", qr/$secret/, "no secret in the message of $path: $row->{message}");
	}
}
{
	my $session = background(sprintf($hang_40, '{}'));
	$node->kill9;
	my $start = time();
	sleep 0.01 while !ended($session->{pid}) && time() < $start + 10;
	cmp_ok(time() - $start, '<', 0.3, 'a backend that waits ends with its postmaster');
	$session->{run}->finish;
	# Started again and stopped in order, nothing stays behind. Until init has collected the dead postmaster it looks alive.
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	$start = time();
	sleep 0.1 while kill(0, $postmaster) && time() < $start + 30;
	$node->start;
}

done_testing();
