/*
 * test_http_policy.c: allow-list, retry, Retry-After, redirects, status codes, headers and backoff.
 */
#include "floe.h"

#include "base/backoff.h"
#include "net/allowlist.h"
#include "net/http.h"
#include "net/http_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tap.h"

typedef struct AllowCase
{
	const char *list;
	const char *url;
	bool allowed;
} AllowCase;

static const AllowCase allow_cases[] = {
	{"", "http://anything.example/", true},
	{"", "http://10.1.2.3/", true},
	{"", "http://127.0.0.1/", true},
	{" , ", "http://anything.example/", true},
	{"", "http://169.254.169.254/latest/meta-data", false},
	{"", "http://169.254.0.1/", false},
	{"", "http://[fe80::1]/", false},
	{"", "http://[febf::1]/", false},
	{"", "http://[fec0::1]/", true},
	{"", "http://[fd00:ec2::254]/", false},
	{"", "http://[fd00:ec2::253]/", true},
	{"", "http://[::ffff:169.254.169.254]/", false},
	{"", "http://[64:ff9b::169.254.169.254]/", false},
	{"", "http://[::169.254.169.254]/", false},
	{"*", "http://169.254.169.254/", false},
	{"*", "http://anything.example/", true},
	{"169.254.169.254", "http://169.254.169.254/", true},
	{"169.254.0.0/16", "http://169.254.169.254/", true},
	{"169.254.169.254:80", "http://169.254.169.254/", true},
	{"169.254.169.254:81", "http://169.254.169.254/", false},
	{"*,fe80::/10", "http://[fe80::1]/", true},
	{"::/0", "http://169.254.169.254/", true},
	{"64:ff9b::/96", "http://169.254.169.254/", false},
	{"catalog.example.com", "http://catalog.example.com:8181/", true},
	{"catalog.example.com", "http://CATALOG.example.com/", true},
	{"Catalog.Example.com.", "http://catalog.example.com/", true},
	{"catalog.example.com", "http://catalog.example.com.evil.org/", false},
	{"catalog.example.com", "http://xcatalog.example.com/", false},
	{"catalog.example.com:8181", "http://catalog.example.com:8181/", true},
	{"catalog.example.com:8181", "http://catalog.example.com/", false},
	{"catalog.example.com:443", "https://catalog.example.com/", true},
	{"*.example.com", "http://a.example.com/", true},
	{"*.example.com", "http://a.b.example.com/", true},
	{"*.example.com", "http://example.com/", false},
	{"*.example.com", "http://aexample.com/", false},
	{"*.example.com:9", "http://a.example.com:9/", true},
	{"*.example.com:9", "http://a.example.com:8/", false},
	{"a, b ,\tc", "http://b/", true},
	{"a, b ,\tc", "http://c/", true},
	{"a, b ,\tc", "http://d/", false},
	{"10.0.0.0/8", "http://10.255.0.1/", true},
	{"10.0.0.0/8", "http://11.0.0.1/", false},
	{"10.0.0.0/8", "http://[::ffff:10.1.1.1]/", true},
	{"10.0.0.0/8", "http://ten.example/", false},
	{"10.0.0.4/30", "http://10.0.0.7/", true},
	{"10.0.0.4/30", "http://10.0.0.8/", false},
	{"10.0.0.1/32", "http://10.0.0.1/", true},
	{"10.0.0.1/32", "http://10.0.0.2/", false},
	{"0.0.0.0/0", "http://8.8.8.8/", true},
	{"0.0.0.0/0", "http://[2001:db8::1]/", false},
	{"2001:db8::/33", "http://[2001:db8:7fff::1]/", true},
	{"2001:db8::/33", "http://[2001:db8:8000::1]/", false},
	{"[::1]:80", "http://[::1]/", true},
	{"[::1]:81", "http://[::1]/", false},
	{"::1", "http://[::1]:99/", true},
	{"127.0.0.1:19400", "http://127.0.0.1:19400/", true},
};

static void
test_allowlist(void)
{
	FloeStatus st;
	FloeUrl url;

	for (size_t i = 0; i < lengthof(allow_cases); i++)
	{
		const AllowCase *c = &allow_cases[i];
		FloeAllowList *list = floe_allowlist_parse(c->list, &st);
		bool allowed = list && floe_url_parse(c->url, &url, &st) && floe_allowlist_check_url(list, &url, &st);

		ok(list != NULL && allowed == c->allowed, "\"%s\" %s %s", c->list, c->allowed ? "allows" : "refuses", c->url);
		if (list != NULL && !allowed)
			is_int(st.code, FLOE_ERR_DENIED, "code: %s", st.message);
		floe_allowlist_free(list);
	}
}

static void
test_allowlist_errors(void)
{
	static const char *const bad[] = {
		"a b",        "http://a", "a/8",     "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x",
		"fe80::/129", "a:0",      "a:65536", "a:x",         "*.1.2.3.4", "*.*.com",     "*com",
		"[::1",       "[::1]x",   "[::1]:",  "1.2.3",       "a, b;c",    "a,,*.",       "user@host",
	};
	FloeStatus st;

	for (size_t i = 0; i < lengthof(bad); i++)
	{
		FloeAllowList *list = floe_allowlist_parse(bad[i], &st);

		ok(list == NULL && st.code == FLOE_ERR_CONFIG, "\"%s\" is refused: %s", bad[i], list ? "" : st.message);
		floe_allowlist_free(list);
	}
}

/* The check of what a name was resolved to. */
static void
test_addresses(void)
{
	static const struct
	{
		const char *list, *address;
		bool allowed;
	} cases[] = {
		{"", "10.0.0.1", true},
		{"", "169.254.169.254", false},
		{"", "::ffff:169.254.169.254", false},
		{"", "fe80::1", false},
		{"", "::1", true},
		{"rebind.example", "169.254.169.254", false},
		{"rebind.example", "10.0.0.1", true},
		{"rebind.example,169.254.169.254", "169.254.169.254", true},
		{"rebind.example,169.254.169.254:81", "169.254.169.254", false},
		{"*", "fd00:ec2::254", false},
	};
	FloeStatus st;
	FloeUrl url;

	floe_url_parse("http://rebind.example/", &url, &st);
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		FloeAllowList *list = floe_allowlist_parse(cases[i].list, &st);
		struct sockaddr_in v4 = {.sin_family = AF_INET};
		struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
		const struct sockaddr *address = (struct sockaddr *) &v6;

		if (inet_pton(AF_INET, cases[i].address, &v4.sin_addr) == 1)
			address = (struct sockaddr *) &v4;
		else
			inet_pton(AF_INET6, cases[i].address, &v6.sin6_addr);
		ok(floe_allowlist_check_address(list, address, &url, &st) == cases[i].allowed, "\"%s\": a name that is %s",
		   cases[i].list, cases[i].address);
		floe_allowlist_free(list);
	}
}

/* retries: the delay is positive (backoff), -1: none, otherwise exactly this */
#define BACKOFF 1

typedef struct RetryCase
{
	const char *method;
	bool repeatable;
	FloeCode code;
	int http_status;
	int64_t retry_after_ms;
	int number;
	int max;
	int64_t want;
} RetryCase;

static const RetryCase retry_cases[] = {
	{"GET", false, FLOE_OK, 200, -1, 1, 3, -1},
	{"GET", false, FLOE_OK, 304, -1, 1, 3, -1},
	{"GET", false, FLOE_OK, 401, -1, 1, 3, -1},
	{"GET", false, FLOE_OK, 403, -1, 1, 3, -1},
	{"GET", false, FLOE_OK, 404, -1, 1, 3, -1},
	{"GET", false, FLOE_OK, 409, -1, 1, 3, -1},
	{"GET", false, FLOE_OK, 429, -1, 1, 3, BACKOFF},
	{"GET", false, FLOE_OK, 429, 2000, 1, 3, 2000},
	{"GET", false, FLOE_OK, 429, 0, 1, 3, 0},
	{"GET", false, FLOE_OK, 429, FLOE_RETRY_AFTER_WAIT_MS, 1, 3, FLOE_RETRY_AFTER_WAIT_MS},
	{"GET", false, FLOE_OK, 429, FLOE_RETRY_AFTER_WAIT_MS + 1, 1, 3, -1},
	{"GET", false, FLOE_OK, 503, INT64_MAX, 1, 3, -1},
	{"GET", false, FLOE_OK, 500, -1, 1, 3, BACKOFF},
	{"GET", false, FLOE_OK, 501, -1, 1, 3, -1},
	{"GET", false, FLOE_OK, 502, -1, 2, 3, BACKOFF},
	{"GET", false, FLOE_OK, 503, 7000, 2, 3, 7000},
	{"GET", false, FLOE_OK, 504, -1, 1, 3, BACKOFF},
	{"GET", false, FLOE_OK, 503, 7000, 3, 3, -1},
	{"GET", false, FLOE_OK, 503, -1, 1, 1, -1},
	{"HEAD", false, FLOE_OK, 503, -1, 1, 3, BACKOFF},
	{"PUT", false, FLOE_OK, 503, -1, 1, 3, BACKOFF},
	{"DELETE", false, FLOE_ERR_NETWORK, 0, -1, 1, 3, BACKOFF},
	{"GET", false, FLOE_ERR_DNS, 0, -1, 1, 3, BACKOFF},
	{"GET", false, FLOE_ERR_CONNECT, 0, -1, 1, 3, BACKOFF},
	{"GET", false, FLOE_ERR_TLS, 0, -1, 1, 3, BACKOFF},
	{"GET", false, FLOE_ERR_TIMEOUT, 0, -1, 1, 3, BACKOFF},
	{"GET", false, FLOE_ERR_NETWORK, 0, -1, 1, 3, BACKOFF},
	{"GET", false, FLOE_ERR_TOO_LARGE, 200, -1, 1, 3, -1},
	{"GET", false, FLOE_ERR_PROTOCOL, 0, -1, 1, 3, -1},
	{"GET", false, FLOE_ERR_DENIED, 0, -1, 1, 3, -1},
	{"GET", false, FLOE_ERR_CANCELLED, 200, -1, 1, 3, -1},
	{"GET", false, FLOE_ERR_NOMEM, 0, -1, 1, 3, -1},
	{"POST", false, FLOE_OK, 429, 1000, 1, 3, -1},
	{"POST", false, FLOE_OK, 500, -1, 1, 3, -1},
	{"POST", false, FLOE_OK, 503, 1000, 1, 3, -1},
	{"POST", false, FLOE_ERR_TIMEOUT, 0, -1, 1, 3, -1},
	{"POST", false, FLOE_ERR_NETWORK, 0, -1, 1, 3, -1},
	{"POST", false, FLOE_ERR_DNS, 0, -1, 1, 3, BACKOFF},
	{"POST", false, FLOE_ERR_CONNECT, 0, -1, 1, 3, BACKOFF},
	{"POST", false, FLOE_ERR_TLS, 0, -1, 1, 3, BACKOFF},
	{"POST", true, FLOE_OK, 503, 1000, 1, 3, 1000},
	{"POST", true, FLOE_OK, 500, -1, 1, 3, BACKOFF},
	{"POST", true, FLOE_ERR_NETWORK, 0, -1, 1, 3, BACKOFF},
	{"POST", true, FLOE_OK, 404, -1, 1, 3, -1},
};

static void
test_retry(void)
{
	for (size_t i = 0; i < lengthof(retry_cases); i++)
	{
		const RetryCase *c = &retry_cases[i];
		FloeHttpAttempt attempt = {.method = c->method,
								   .post_is_repeatable = c->repeatable,
								   .code = c->code,
								   .http_status = c->http_status,
								   .retry_after_ms = c->retry_after_ms,
								   .number = c->number,
								   .max = c->max,
								   .jitter_seed = i};
		int64_t got = floe_http_retry_ms(&attempt);
		bool backoff = c->want == BACKOFF && got >= FLOE_RETRY_BASE_MS / 2 && got <= FLOE_RETRY_CAP_MS;

		ok(got == c->want || backoff, "%s%s, %s %d, attempt %d of %d: %lld", c->method,
		   c->repeatable ? " (repeatable)" : "", floe_code_name(c->code), c->http_status, c->number, c->max,
		   (long long) got);
	}
}

static void
test_hopeless(void)
{
	FloeHttpAttempt attempt = {.method = "GET", .code = FLOE_ERR_TLS, .retry_after_ms = -1, .number = 1, .max = 3};

	ok(floe_http_retry_ms(&attempt) > 0, "a handshake is tried again");
	attempt.hopeless = true;
	is_int(floe_http_retry_ms(&attempt), -1, "a certificate that is not trusted is not");
}

static void
test_retry_after(void)
{
	/* 1994-11-06 08:49:37 UTC, the example of RFC 9110 */
	const int64_t date = INT64CONST(784111777000);
	const struct
	{
		const char *value;
		int64_t now, want;
	} cases[] = {
		{NULL, 0, -1},
		{"", 0, -1},
		{"0", 0, 0},
		{"120", 0, 120000},
		{"300", 0, 300000},
		{"301", 0, 300000},
		{"99999999999999999999999999", 0, 300000},
		{"-5", 0, -1},
		{"1.5", 0, -1},
		{"soon", 0, -1},
		{"5 seconds", 0, -1},
		{"Sun, 06 Nov 1994 08:49:37 GMT", date - 5000, 5000},
		{"Sunday, 06-Nov-94 08:49:37 GMT", date - 5000, 5000},
		{"Sun Nov  6 08:49:37 1994", date - 5000, 5000},
		{"Sun, 06 Nov 1994 08:49:37 GMT", date + 5000, 0},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 0, 300000},
		{"Thu, 29 Feb 2024 00:00:00 GMT", INT64CONST(1709164800000) - 1000, 1000},
		{"Sun, 06 Nov 1994 08:49:37", date, -1},
		{"Sun, 06 Foo 1994 08:49:37 GMT", date, -1},
		{"Sun, 06 anF 1994 08:49:37 GMT", date, -1},
		{"Sun, 99 Nov 1994 08:49:37 GMT", date, -1},
		{"Sun, 06 Nov 1994 24:49:37 GMT", date, -1},
		{"Sun, 06 Nov 1994 08:-9:37 GMT", date, -1},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
		is_int(floe_http_retry_after_ms(cases[i].value, cases[i].now), cases[i].want, "Retry-After: %s",
			   cases[i].value ? cases[i].value : "(none)");
	is_int(floe_http_date_ms("Thu, 01 Jan 1970 00:00:00 GMT"), 0, "the epoch");
	is_int(floe_http_date_ms("Fri, 31 Dec 2100 23:59:59 GMT"), INT64CONST(4133980799000),
		   "after a century that is no leap year");
}

static void
test_redirect(void)
{
	static const struct
	{
		const char *method, *from, *to;
		int followed;
		bool allowed;
	} cases[] = {
		{"GET", "http://h/a", "http://h/b", 0, true},     {"HEAD", "http://h/a", "http://h:80/b", 2, true},
		{"GET", "http://h/a", "http://h/b", 3, false},    {"POST", "http://h/a", "http://h/b", 0, false},
		{"PUT", "http://h/a", "http://h/b", 0, false},    {"DELETE", "http://h/a", "http://h/b", 0, false},
		{"GET", "http://h/a", "https://h/a", 0, false},   {"GET", "https://h/a", "http://h/a", 0, false},
		{"GET", "http://h/a", "http://h:81/a", 0, false}, {"GET", "http://h/a", "http://evil/a", 0, false},
	};
	FloeUrl from, to;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		floe_url_parse(cases[i].from, &from, &st);
		floe_url_parse(cases[i].to, &to, &st);
		floe_status_ok(&st);
		ok(floe_http_check_redirect(cases[i].method, &from, &to, cases[i].followed, 3, &st) == cases[i].allowed,
		   "%s %s -> %s after %d: %s", cases[i].method, cases[i].from, cases[i].to, cases[i].followed, st.message);
		is_int(st.code, cases[i].allowed ? FLOE_OK : FLOE_ERR_DENIED, "code");
	}
	floe_url_parse("http://a/secret?token=1", &from, &st);
	floe_url_parse("https://b:9/other", &to, &st);
	floe_http_check_redirect("GET", &from, &to, 0, 3, &st);
	is_str(st.message, "http://a:80 redirects to another origin, https://b:9", "both origins, no path, no query");
	ok(floe_http_is_redirect(301) && floe_http_is_redirect(308) && !floe_http_is_redirect(304) &&
		   !floe_http_is_redirect(300) && !floe_http_is_redirect(200),
	   "which codes are redirects");
}

static void
test_codes(void)
{
	static const struct
	{
		int http_status;
		int64_t retry_after_ms;
		FloeCode want;
	} cases[] = {
		{200, -1, FLOE_OK},
		{204, -1, FLOE_OK},
		{206, -1, FLOE_OK},
		{304, -1, FLOE_OK},
		{302, -1, FLOE_ERR_HTTP},
		{400, -1, FLOE_ERR_HTTP},
		{401, -1, FLOE_ERR_AUTH},
		{419, -1, FLOE_ERR_AUTH},
		{403, -1, FLOE_ERR_FORBIDDEN},
		{404, -1, FLOE_ERR_NOT_FOUND},
		{409, -1, FLOE_ERR_CONFLICT},
		{429, -1, FLOE_ERR_THROTTLED},
		{503, 0, FLOE_ERR_THROTTLED},
		{503, -1, FLOE_ERR_SERVER},
		{500, 100, FLOE_ERR_SERVER},
		{599, -1, FLOE_ERR_SERVER},
		{600, -1, FLOE_ERR_HTTP},
		{100, -1, FLOE_ERR_HTTP},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
		is_str(floe_code_name(floe_http_code(cases[i].http_status, cases[i].retry_after_ms)),
			   floe_code_name(cases[i].want), "code of %d", cases[i].http_status);
}

static void
test_request_headers(void)
{
	static const struct
	{
		const char *name, *value;
		bool accepted;
	} cases[] = {
		{"Accept", "application/json", true},
		{"If-None-Match", "\"a\tb\"", true},
		{"X-Empty", "", true},
		{"X-Utf8", "\xC3\xA9", true},
		{"X", "a\r\nEvil: b", false},
		{"X", "a\nEvil", false},
		{"X", "a\rEvil", false},
		{"X", "a\x7F", false},
		{"X", NULL, false},
		{NULL, "a", false},
		{"", "a", false},
		{"X Y", "a", false},
		{"X:", "a", false},
		{"X\r\nY", "a", false},
	};
	FloeHttpRequest request = {0};
	FloeStatus st;
	int accepted = 0;

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		accepted += cases[i].accepted;
		ok(floe_http_add_header(&request, cases[i].name, cases[i].value, &st) == cases[i].accepted,
		   "header case %zu is %s", i, cases[i].accepted ? "accepted" : "refused");
		is_int(request.nheaders, accepted, "count");
	}
	while (request.nheaders < FLOE_HTTP_MAX_HEADERS)
		floe_http_add_header(&request, "A", "b", &st);
	ok(!floe_http_add_header(&request, "A", "b", &st) && st.code == FLOE_ERR_TOO_LARGE, "no room for one more");
}

static void
test_response_headers(void)
{
	FloeHttpResponse response = {0};
	char value[16];

	floe_buf_init(&response.header_block, 1000);
	ok(!floe_http_header(&response, "ETag", value, sizeof(value)), "no headers at all");
	floe_buf_text(&response.header_block, "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nX-ETag: x\r\netag:\t\"two\" \r\n"
										  "Empty:\r\nLong: 0123456789abcdefghij\r\nNoColon\r\nLast: end");
	ok(floe_http_header(&response, "ETag", value, sizeof(value)), "found");
	is_str(value, "\"two\"", "the last one, trimmed");
	ok(floe_http_header(&response, "empty", value, sizeof(value)), "an empty one is found");
	is_str(value, "", "and empty");
	floe_http_header(&response, "Long", value, sizeof(value));
	is_str(value, "0123456789abcde", "cut at the size");
	ok(!floe_http_header(&response, "NoColon", value, sizeof(value)), "a line without a colon is no header");
	ok(!floe_http_header(&response, "Tag", value, sizeof(value)), "only whole names");
	ok(floe_http_header(&response, "Last", value, sizeof(value)), "a line that was cut off");
	is_str(value, "end", "its value");
	floe_http_response_free(&response);
}

static void
test_backoff(void)
{
	bool jitter = false;

	for (int attempt = 1; attempt < 70; attempt++)
	{
		int64_t full = attempt < 8 ? (int64_t) 100 << (attempt - 1) : 10000;
		int64_t delay = floe_backoff_ms(attempt, 100, 10000, (uint64_t) attempt);

		if (full > 10000)
			full = 10000;
		ok(delay >= full / 2 && delay <= full, "attempt %d waits %lld ms", attempt, (long long) delay);
	}
	for (uint64_t seed = 1; seed < 10; seed++)
		jitter |= floe_backoff_ms(5, 100, 10000, seed) != floe_backoff_ms(5, 100, 10000, 0);
	ok(jitter, "different seeds give different delays");
	is_int(floe_backoff_ms(3, 100, 10000, 7), floe_backoff_ms(3, 100, 10000, 7), "the same seed the same");
	is_int(floe_backoff_ms(1000000, INT64_MAX, INT64_MAX, 1) > 0, 1, "no overflow");
	is_int(floe_backoff_ms(3, 0, 100, 1), 0, "no base, no delay");
	ok(floe_backoff_ms(1, 5000, 1000, 1) <= 1000, "the cap holds for the first one too");
}

int
main(void)
{
	test_allowlist();
	test_allowlist_errors();
	test_addresses();
	test_retry();
	test_hopeless();
	test_retry_after();
	test_redirect();
	test_codes();
	test_request_headers();
	test_response_headers();
	test_backoff();
	return tap_done();
}
