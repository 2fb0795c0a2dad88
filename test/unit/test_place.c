/*
 * test_place.c: from locations to URLs: encoding, accounts and hosts of Azure, prefixes of credentials, regions.
 */
#include "floe.h"

#include "store/place.h"

#include "tap.h"

/* Every kind of character that a URL gives a meaning, and two that are not ASCII. */
#define ODD "dt=2024/a b%20+&#?;,'é日.avro"
#define ODD_ENCODED "dt%3D2024/a%20b%2520%2B%26%23%3F%3B%2C%27%C3%A9%E6%97%A5.avro"
#define ODD_SEGMENT "dt%3D2024%2Fa%20b%2520%2B%26%23%3F%3B%2C%27%C3%A9%E6%97%A5.avro"

static FloeArena *arena;

static void
prefixes(void)
{
	static const struct
	{
		const char *location;
		const char *prefix;
		bool begins;
	} cases[] = {
		{"s3://b/t/m.avro", "", true},
		{"s3://b/t/m.avro", "s3://b/t/", true},
		{"s3a://b/t/m.avro", "s3://b/t/", true},
		{"s3://b/t/m.avro", "s3n://b", true},
		{"s3://b/t/m.avro", "s3://b/u", false},
		{"s3://b/T/m.avro", "s3://b/t", false},
		{"gs://b/t/m.avro", "s3://b/t/", false},
		{"gcs://b/t/m.avro", "gs://b/t/", true},
		{"abfs://c@a.dfs.core.windows.net/t", "abfss://c@a.dfs.core.windows.net/", true},
		{"s3://b/t", "s3", true},
		{"file:///t", "s3://", false},
		{"s3://b", "s3://b/t/m.avro", false},
		{"s3://bb/t/m.avro", "s3://b", false},
		{"s3a://bb/t/m.avro", "s3://b", false},
		{"s3://b", "s3://b", true},
		{"s3://b/tt", "s3://b/t", true},
		{"s3://b/t", "s3://", true},
		{"https://h.example/t", "https://h", false},
		{"abfss://c@a.dfs.core.windows.net.evil.example/t", "abfss://c@a.dfs.core.windows.net", false},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
		ok(floe_place_begins_with(cases[i].location, cases[i].prefix) == cases[i].begins, "\"%s\" %s \"%s\"",
		   cases[i].location, cases[i].begins ? "begins with" : "does not begin with", cases[i].prefix);
}

static void
buckets(void)
{
	const char *bucket;
	const char *key;

	ok(floe_place_bucket("b/a//b", arena, &bucket, &key) && strcmp(bucket, "b") == 0 && strcmp(key, "a//b") == 0,
	   "a bucket and a key with an empty segment");
	ok(!floe_place_bucket("b", arena, &bucket, &key) && !floe_place_bucket("b/", arena, &bucket, &key) &&
		   !floe_place_bucket("/k", arena, &bucket, &key) && !floe_place_bucket("", arena, &bucket, &key),
	   "a bucket without a key, and the reverse");
}

static void
gcs(void)
{
	is_str(floe_place_gcs(arena, "https://storage.googleapis.com", "b", ODD, false),
		   "https://storage.googleapis.com/storage/v1/b/b/o/" ODD_SEGMENT "?alt=media", "GCS: the name is one segment");
	is_str(floe_place_gcs(arena, "http://h:1/x/", "b", "../a", true),
		   "http://h:1/x/storage/v1/b/b/o/..%2Fa?fields=size", "GCS: its size, below a path");
	is_str(floe_place_gcs(arena, "host.example", "b", "k", false), "https://host.example/storage/v1/b/b/o/k?alt=media",
		   "GCS: an endpoint without a scheme");
}

static void
adls(void)
{
	static const struct
	{
		const char *text;
		const char *url; /* NULL: refused */
		const char *account;
		bool is_microsoft;
	} cases[] = {
		{"c@a.dfs.core.windows.net/" ODD, "https://a.dfs.core.windows.net/c/" ODD_ENCODED, "a", true},
		{"c@a.blob.core.windows.net/p", "https://a.dfs.core.windows.net/c/p", "a", true},
		{"c@Acc/p", "https://acc.dfs.core.windows.net/c/p", "acc", true},
		{"c@a.dfs.core.windows.net.example/p", "https://a.dfs.core.windows.net.example/c/p", "a", false},
		{"c@core.windows.net/p", "https://core.windows.net/c/p", "core", false},
		{"w@onelake.dfs.fabric.microsoft.com/l/p", "https://onelake.dfs.fabric.microsoft.com/w/l/p", "onelake", true},
		{"$web@a.dfs.core.windows.net//p", "https://a.dfs.core.windows.net/%24web//p", "a", true},
		{"c@a.dfs.core.windows.net./p", "https://a.dfs.core.windows.net/c/p", "a", true},
		{"c@127.0.0.1/p", "https://127.0.0.1/c/p", "127", false},
		{"c@::1/p", NULL},
		{"c@[::1]/p", NULL},
		{"a.dfs.core.windows.net/p", NULL},
		{"c@/p", NULL},
		{"@a/p", NULL},
		{"c@a", NULL},
		{"c@a/", NULL},
		{"c@a b/p", NULL},
		{"c@u@a/p", NULL},
		{"c@a%2eb/p", NULL},
		{"c@a?x/p", NULL},
		{"c@a\\b/p", NULL},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		FloePlaceAdls place;
		FloeStatus st;
		bool fine = floe_place_adls(cases[i].text, arena, &place, &st);

		if (cases[i].url == NULL)
		{
			ok(!fine && st.code == FLOE_ERR_CORRUPT, "ADLS: \"%s\" is refused", cases[i].text);
			continue;
		}
		ok(fine && strcmp(place.account, cases[i].account) == 0 && place.is_microsoft == cases[i].is_microsoft,
		   "ADLS: account of \"%s\"", cases[i].text);
		is_str(fine ? floe_place_adls_url(arena, NULL, &place, NULL) : NULL, cases[i].url, "ADLS: URL of \"%s\"",
			   cases[i].text);
	}
}

static void
adls_urls(void)
{
	FloePlaceAdls place;
	FloeStatus st;

	ok(floe_place_adls("c@a.dfs.core.windows.net/p/q", arena, &place, &st), "a place");
	is_str(place.blob_host, "a.blob.core.windows.net", "the account as the Blob service calls it");
	is_str(floe_place_adls_url(arena, NULL, &place, "sv=1&sig=a%2Bb%3D"),
		   "https://a.dfs.core.windows.net/c/p/q?sv=1&sig=a%2Bb%3D", "a SAS token as it is");
	is_str(floe_place_adls_url(arena, "http://h:10000/a/", &place, "?sv=1"), "http://h:10000/a/c/p/q?sv=1",
		   "an endpoint, and a SAS token with its question mark");
}

static void
urls(void)
{
	static char longest[FLOE_URL_MAX + 2];

	is_str(floe_place_url(arena, "https://h/a b%20/é?x=%2F"), "https://h/a%20b%20/%C3%A9?x=%2F",
		   "a URL: what has a meaning keeps it");
	memset(longest, 'a', sizeof(longest) - 1);
	is_str(floe_place_url(arena, longest), NULL, "a URL that is too long");
	is_str(floe_place_gcs(arena, "http://h", "b", longest, false), NULL, "a name that is too long");
}

static void
regions(void)
{
	static const char *const good[] = {"us-east-1", "auto", "RegionOne", "us-gov-west-1", "a"};
	static const char *const bad[] = {
		"",    "-a",     "a-",   "a.b", "a/b", "us east",
		"a@b", "a\r\nb", "a%2e", "é",   "a_b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	FloeBuf buf;

	for (size_t i = 0; i < lengthof(good); i++)
		ok(floe_place_is_region(good[i]), "region \"%s\"", good[i]);
	for (size_t i = 0; i < lengthof(bad); i++)
		ok(!floe_place_is_region(bad[i]), "no region: number %d", (int) i);
	floe_buf_init(&buf, 1000);
	floe_place_amazon(&buf, "eu-west-1");
	is_str(buf.data, "https://s3.eu-west-1.amazonaws.com", "Amazon's endpoint");
	floe_buf_reset(&buf);
	floe_place_amazon(&buf, "cn-north-1");
	is_str(buf.data, "https://s3.cn-north-1.amazonaws.com.cn", "the one in China");
	floe_buf_free(&buf);
}

int
main(void)
{
	arena = floe_arena_new(1 << 20);
	prefixes();
	buckets();
	gcs();
	adls();
	adls_urls();
	urls();
	regions();
	floe_arena_free(arena);
	return tap_done();
}
