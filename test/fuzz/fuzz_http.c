/*
 * fuzz_http.c: what floe reads of an HTTP answer by itself, and the texts that become URLs.
 *
 * The first byte chooses: a URL (server options, Location), a header block, a
 * Retry-After, a list of allowed hosts, an object key to be signed.
 */
#include "floe.h"

#include "base/arena.h"
#include "net/allowlist.h"
#include "net/http.h"
#include "net/http_policy.h"
#include "net/sigv4.h"

#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A URL that is accepted must mean the same when its origin is read again. */
static void
fuzz_url(const char *text)
{
	char origin[FLOE_ORIGIN_SIZE];
	FloeUrl url, again;
	FloeStatus st;

	if (!floe_url_parse(text, &url, &st))
		return;
	floe_url_origin(&url, origin, sizeof(origin));
	if (!floe_url_parse(origin, &again, &st) || !floe_url_same_origin(&url, &again) || url.target < text ||
		url.target > text + strlen(text))
		abort();
}

static void
fuzz_headers(const char *data, size_t len)
{
	FloeHttpResponse response = {0};
	char value[32];

	floe_buf_init(&response.header_block, len);
	floe_buf_append(&response.header_block, data, len);
	if (floe_http_header(&response, "ETag", value, sizeof(value)) && strlen(value) >= sizeof(value))
		abort();
	floe_http_header(&response, "", value, sizeof(value));
	floe_http_header(&response, "Retry-After", value, 1);
	floe_http_response_free(&response);
}

/* Whatever the list, it must not open the metadata service unless it names an address. */
static void
fuzz_allowlist(const char *text)
{
	FloeUrl url;
	FloeStatus st;
	FloeAllowList *list = floe_allowlist_parse(text, &st);

	if (list == NULL)
		return;
	floe_url_parse("http://169.254.169.254/", &url, &st);
	if (floe_allowlist_check_url(list, &url, &st) && strpbrk(text, "0123456789") == NULL && strchr(text, ':') == NULL)
		abort();
	floe_allowlist_free(list);
}

/* A signed URL is one that floe accepts, at the same origin. */
static void
fuzz_sign(const char *key, bool s3)
{
	FloeArena *arena = floe_arena_new(400000);
	FloeSigV4Param param = {key, key};
	FloeSigV4Output out;
	FloeUrl endpoint, url;
	FloeStatus st;
	FloeSigV4Input in = {.method = "GET",
						 .endpoint = &endpoint,
						 .path = key,
						 .params = &param,
						 .nparams = 1,
						 .s3 = s3,
						 .access_key = "a",
						 .secret_key = "s",
						 .region = "r",
						 .service = "s3"};

	floe_url_parse("https://[::1]:9000", &endpoint, &st);
	if (floe_sigv4_sign(&in, arena, &out, &st) && strlen(out.url) <= FLOE_URL_MAX &&
		(!floe_url_parse(out.url, &url, &st) || !floe_url_same_origin(&url, &endpoint)))
		abort();
	floe_arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0])
	{
		case 'u':
			fuzz_url(text);
			break;
		case 'h':
			fuzz_headers(text, size - 1);
			break;
		case 'r':
			if (floe_http_retry_after_ms(text, 0) > FLOE_RETRY_AFTER_MAX_MS)
				abort();
			break;
		case 'a':
			fuzz_allowlist(text);
			break;
		case 's':
			fuzz_sign(text, true);
			break;
		case 'S':
			fuzz_sign(text, false);
			break;
	}
	free(text);
	return 0;
}
