/*
 * test_location.c: locations in one spelling, and what is below what.
 */
#include "floe.h"

#include "base/location.h"

#include "tap.h"

#include <string.h>

static void
keys(void)
{
	static const struct
	{
		const char *location;
		const char *key;
	} cases[] = {
		{"S3A://b/k/", "s3://b/k"},
		{"s3n://b", "s3://b"},
		{"gcs://b/k", "gs://b/k"},
		{"file:/x//", "file:///x"},
		{"/x", "file:///x"},
		{"file://localhost/x", "file:///x"},
		{"abfs://c@a.dfs.core.windows.net/p", "abfss://c@a.dfs.core.windows.net/p"},
		{"wasbs://c@a.blob.core.windows.net/p", "abfss://c@a.dfs.core.windows.net/p"},
		{"wasb://c@a.blob.core.windows.net", "abfss://c@a.dfs.core.windows.net"},
		{"abfss://c@a/p.blob.q", "abfss://c@a/p.blob.q"},
		{"abfss://c.blob.d/p", "abfss://c.blob.d/p"},
		{"abfss:", "abfss:"},
		{"wasb://@.blob.", "abfss://@.dfs."},
		{"https://a@h.blob.x/p", "https://a@h.blob.x/p"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		FloeBuf key;

		floe_buf_init(&key, 1000);
		floe_location_key(&key, cases[i].location, strlen(cases[i].location));
		is_str(key.data, cases[i].key, "key of \"%s\"", cases[i].location);
		floe_buf_free(&key);
	}
}

static void
below(void)
{
	static const struct
	{
		const char *location;
		const char *list;
		bool is_below;
	} cases[] = {
		{"s3://b/t/m", "s3://b", true},
		{"s3a://b/t/m", "gs://x, s3://b/t/ ", true},
		{"s3://b/t/m", "s3n://b/t", true},
		{"s3://bb/t/m", "s3://b", false},
		{"s3://b/tt/m", "s3://b/t/", false},
		{"s3://b", "s3://b", false},
		{"S3://b/x", "s3://b", true},
		{"s3://B/x", "s3://b", false},
		{"s3://b/t/../u/m", "s3://b/t", false},
		{"s3://b/t/..", "s3://b/t", false},
		{"s3://b/t/./m", "s3://b/t", false},
		{"s3://b/t/...", "s3://b/t", true},
		{"s3://b/t/..a/.b", "s3://b/t", true},
		{"s3://b/t/%2e%2e/m", "s3://b/t", true},
		{"s3://../m", "s3://..", false},
		{"gcs://b/k", "gs://b", true},
		{"wasbs://c@a.blob.core.windows.net/t/m", "abfss://c@a.dfs.core.windows.net/t", true},
		{"abfss://d@a.dfs.core.windows.net/t/m", "abfss://c@a.dfs.core.windows.net/t", false},
		{"file:/w/t", "file:///w", true},
		{"/w/t", "file:///w", true},
		{"file:///w/t", "/w", true},
		{"file:///w/t", "/", true},
		{"file:///w/../etc", "/w", false},
		{"https://h/w/t", "https://h/w", true},
		{"https://h/w?x=/t", "https://h/w", false},
		{"https://h.example/w", "https://h", false},
		{"https://h@evil.example/w", "https://h", false},
		{"https://h:444/w", "https://h", false},
		{"http://h/w", "https://h", false},
		{"https://h/w/..?x", "https://h/w", false},
		{"https://h/w/%2E%2e/x", "https://h/w", false},
		{"https://h/w/a%2fb", "https://h/w", false},
		{"https://h/w\\..\\x", "https://h", false},
		{"", "s3://b", false},
		{"s3://b/t", ", ,", false},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
		ok(floe_location_is_below(cases[i].location, cases[i].list) == cases[i].is_below, "\"%s\" is %sbelow \"%s\"",
		   cases[i].location, cases[i].is_below ? "" : "not ", cases[i].list);
}

static void
lists(void)
{
	static const char *const good[] = {"s3://b", " s3://b/x , gs://c,file:///w", "/w",
									   "abfss://c@a.dfs.core.windows.net/", "https://h/w"};
	static const char *const bad[] = {
		"",        " , ",         "b",           "s3:b", "s3://", "://b", "s3://b?x", "s3://b/../c", "https://h/%2e",
		"s3 ://b", "s3://b,file", "s3://b, ../x"};
	static char longest[5000];
	FloeStatus st;

	for (size_t i = 0; i < lengthof(good); i++)
		ok(floe_location_check_list(good[i], &st), "list \"%s\"", good[i]);
	for (size_t i = 0; i < lengthof(bad); i++)
		ok(!floe_location_check_list(bad[i], &st) && st.code == FLOE_ERR_CONFIG, "no list: \"%s\"", bad[i]);
	memset(longest, 'a', sizeof(longest) - 1);
	memcpy(longest, "s3://", 5);
	ok(!floe_location_check_list(longest, &st), "a location that is too long");
	ok(!floe_location_is_below(longest, "s3://b") && !floe_location_is_below("s3://b/c", longest),
	   "and it is below nothing, and nothing below it");
}

int
main(void)
{
	keys();
	below();
	lists();
	return tap_done();
}
