# AWS Signature Version 4 against a server that verifies every signature: versitygw of the lab, as `test/lab/lab env` describes it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../t";

use FloeTest;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($uri, $bucket, $key, $secret, $region) = @ENV{qw(FLOE_S3_URI FLOE_S3_BUCKET FLOE_S3_KEY FLOE_S3_SECRET FLOE_S3_REGION)};
BAIL_OUT('no S3 server: test/lab/lab start versitygw, eval "$(test/lab/lab env)"') unless $uri;

my $node = start_node('sigv4', build_module());

sub s3
{
	my ($method, $path, %with) = @_;
	my $quote = sub { my $text = shift; $text =~ s/'/''/g; "'$text'" };
	my $list = sub { 'ARRAY[' . join(',', map { $quote->($_) } @{ $_[0] // [] }) . ']::text[]' };
	my ($row) = rows($node, 'SELECT * FROM floe_test.s3(' . join(', ',
		$quote->($with{uri} // $uri), $quote->($method), $quote->($path), $list->($with{params}), $list->($with{headers}),
		$quote->($with{body} // ''), $quote->($with{key} // $key), $quote->($with{secret} // $secret),
		$quote->($with{region} // $region), $quote->($with{payload} // 'unsigned')) . ')');
	utf8::encode($_) for values %$row; # this program works with bytes
	return $row;
}

my @keys = (
	'plain.txt', 'folder/file.avro', 'dt=2024-01-01/part-0.parquet', 'a b', 'a%20b', 'a%b', '100%', 'a+b', 'a&b', 'a;b', 'a:b', 'a@b',
	'a,b', 'a$b', 'a!b', "a'b", 'a(b)', 'a*b', 'a~b', 'a"b', 'a#b', 'a?b=c', 'a[b]', 'a{b}', 'a|b', 'a^b', 'a`b', 'a<b>', 'a\\b',
	'é/ü', '日本語', 'ключ=значение', '😀', 'a=b/c=d/e%3Df', 'x_-.y', 'trailing ', ' leading', 'a  b', '%2F', '%', '..a', 'a..',
);
for my $name (@keys)
{
	my $body = "content of $name";
	my $put = s3('PUT', "$bucket/keys/$name", body => $body);
	is($put->{http_status}, 200, "PUT $name") or diag("$put->{url}\n$put->{answer}");
	my $get = s3('GET', "$bucket/keys/$name");
	is("$get->{http_status} $get->{answer}", "200 $body", "GET $name") or diag($get->{url});
}

# that it was the key we meant: the server's own list of keys
my $list = s3('GET', $bucket, params => [ prefix => 'keys/', 'list-type' => '2', 'max-keys' => '1000' ]);
is($list->{http_status}, 200, 'LIST, parameters in any order');
my %entity = (amp => '&', lt => '<', gt => '>', quot => '"', apos => "'", '#34' => '"', '#39' => "'");
my %listed = map { s/&([^;]+);/$entity{$1}/gr => 1 } $list->{answer} =~ m{<Key>([^<]*)</Key>}g;
is_deeply([ grep { !$listed{"keys/$_"} } @keys ], [], 'every key is listed as it was meant');
for my $prefix ('dt=2024', 'a b', 'a+b', 'a&b', 'é', '日', 'a%20', '', "a'b", 'a*')
{
	my $found = s3('GET', $bucket, params => [ 'list-type' => '2', delimiter => '/', prefix => "keys/$prefix" ]);
	is($found->{http_status}, 200, "LIST with prefix \"$prefix\"") or diag($found->{answer});
	like($found->{answer}, qr/<(Key|CommonPrefixes)>/, 'finds something');
}

# Empty segments and dots are part of a key; a gateway over a directory cannot store them, but must find the signature right.
for my $name ('a//b', '/a', 'a/./b', 'a/../b', 'a/')
{
	my $answer = s3('GET', "$bucket/odd/$name");
	unlike($answer->{answer}, qr/SignatureDoesNotMatch/, "the signature of \"$name\" is right ($answer->{http_status})");
	isnt($answer->{http_status}, 403, 'and not refused');
}

# ways to sign the payload
is(s3('PUT', "$bucket/keys/hashed", body => 'hashed body', payload => 'body')->{http_status}, 200, 'the hash of the body');
is(s3('GET', "$bucket/keys/hashed", payload => 'empty')->{answer}, 'hashed body', 'the hash of nothing');
is(s3('PUT', "$bucket/keys/hashed", body => 'another body', payload => 'empty')->{http_status}, 400, 'a wrong hash is refused');

# headers that are signed along
my $range = s3('GET', "$bucket/keys/plain.txt", headers => [ Range => 'bytes=0-6' ]);
is("$range->{http_status} $range->{answer}", '206 content', 'a range');
is(s3('GET', "$bucket/keys/plain.txt", headers => [ 'X-Amz-Meta-Blanks' => '  a   b  ' ])->{http_status}, 200, 'blanks in a header');
is(s3('HEAD', "$bucket/keys/plain.txt")->{http_status}, 200, 'HEAD');

# and that this server does verify
my $wrong = s3('GET', "$bucket/keys/plain.txt", secret => 'wrong');
is($wrong->{http_status}, 403, 'a wrong secret');
like($wrong->{answer}, qr/SignatureDoesNotMatch/, 'is seen in the signature');
is(s3('GET', "$bucket/keys/plain.txt", region => 'eu-west-1')->{http_status}, 400, 'a wrong region');
is(s3('GET', "$bucket/keys/nothing")->{http_status}, 404, 'a key that is not there');
is(s3('DELETE', "$bucket/keys/hashed")->{http_status}, 204, 'DELETE');

done_testing();
