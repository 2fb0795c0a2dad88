/*
 * fuzz_place.c: whatever a location says, what is made of it is a URL of the host that was meant.
 *
 * Catalogs say where files are, and a manifest says it of thousands more.  The
 * URLs that are made of that must be parsed as they were made: the host is the
 * endpoint's or the location's own, and what is below an allowed place is
 * spelled like it.
 */
#include "floe.h"

#include "base/location.h"
#include "base/url.h"
#include "store/place.h"

#include <stdlib.h>
#include <string.h>

#define ENDPOINT "https://endpoint.example:8443/base"
#define ROOT "s3://bucket/folder"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool held)
{
	if (!held)
		abort();
}

/* NULL is a refusal. */
static void
check_url(const char *url, const char *host, const char *path)
{
	FloeUrl parsed;
	FloeStatus st;

	if (url == NULL)
		return;
	require(strlen(url) <= FLOE_URL_MAX && floe_url_parse(url, &parsed, &st));
	require(parsed.https && strcmp(parsed.host, host) == 0 && strncmp(parsed.target, path, strlen(path)) == 0);
}

static void
check_bucket(FloeArena *arena, const char *text)
{
	const char *bucket;
	const char *key;
	const char *url;

	if (!floe_place_bucket(text, arena, &bucket, &key))
		return;
	require(strlen(bucket) + 1 + strlen(key) == strlen(text) && *bucket != '\0' && *key != '\0');
	url = floe_place_gcs(arena, ENDPOINT, bucket, key, false);
	check_url(url, "endpoint.example", "/base/storage/v1/b/");
	/* the name is the last segment, and nothing of it is the query */
	require(url == NULL || strcmp(strrchr(url, '?'), "?alt=media") == 0);
	require(url == NULL || strchr(url, '?') == strrchr(url, '?'));
	require(url == NULL || strncmp(strrchr(url, '/') - 2, "/o/", 3) == 0);
}

static void
check_adls(FloeArena *arena, const char *text)
{
	FloePlaceAdls place;
	FloeStatus st;
	const char *url;

	if (!floe_place_adls(text, arena, &place, &st))
		return;
	url = floe_place_adls_url(arena, NULL, &place, "sig=a");
	require(url == NULL || strcmp(strrchr(url, '?'), "?sig=a") == 0);
	check_url(url, place.host, "/");
	check_url(floe_place_adls_url(arena, ENDPOINT, &place, NULL), "endpoint.example", "/base/");
	require(strncmp(place.host, place.account, strlen(place.account)) == 0);
}

static void
check_below(const char *text)
{
	FloeBuf key;

	if (!floe_location_is_below(text, ROOT))
		return;
	floe_buf_init(&key, FLOE_URL_MAX);
	require(floe_location_key(&key, text, strlen(text)));
	require(strncmp(key.data, ROOT "/", strlen(ROOT "/")) == 0 && strstr(key.data, "/../") == NULL);
	floe_buf_free(&key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FloeArena *arena = floe_arena_new(1 << 20);
	FloeStatus ignored;
	char *text = malloc(size + 1);

	require(arena != NULL && text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	check_bucket(arena, text);
	check_adls(arena, text);
	check_below(text);
	floe_location_check_list(text, &ignored);
	floe_place_begins_with(text, ROOT);
	floe_place_begins_with(ROOT, text);
	require(floe_place_begins_with(text, text));
	free(text);
	floe_arena_free(arena);
	return 0;
}
