/*
 * test_url.c: what floe accepts as a URL, and which host it takes it to mean.
 */
#include "floe.h"

#include "base/url.h"

#include "tap.h"

typedef struct ParseCase
{
	const char *text;
	const char *origin; /* NULL: refused */
	const char *target;
} ParseCase;

static const ParseCase parse_cases[] = {
	{"http://example.com", "http://example.com:80", ""},
	{"https://example.com", "https://example.com:443", ""},
	{"HTTP://EXAMPLE.com:8181/v1/Config?warehouse=A", "http://example.com:8181", "/v1/Config?warehouse=A"},
	{"https://example.com.:443/", "https://example.com:443", "/"},
	{"http://example.com?a=b", "http://example.com:80", "?a=b"},
	{"http://a_b-c.svc/", "http://a_b-c.svc:80", "/"},
	{"http://127.0.0.1:1/x", "http://127.0.0.1:1", "/x"},
	{"http://[::1]:8080/", "http://[::1]:8080", "/"},
	{"http://[0:0:0:0:0:0:0:1]/", "http://[::1]:80", "/"},
	{"http://[2001:DB8::0001]/", "http://[2001:db8::1]:80", "/"},
	{"http://h/a//b/../%2e/c@d", "http://h:80", "/a//b/../%2e/c@d"},
	{"http://h:65535", "http://h:65535", ""},
	{"", NULL},
	{"example.com", NULL},
	{"ftp://example.com/", NULL},
	{"file:///etc/passwd", NULL},
	{"http:/example.com", NULL},
	{"http://", NULL},
	{"http:///path", NULL},
	{"http://:80/", NULL},
	{"http://user@example.com/", NULL},
	{"http://user:pass@example.com/", NULL},
	{"http://example.com:80@evil.com/", NULL},
	{"http://example.com#@evil.com/", NULL},
	{"http://example.com\\@evil.com/", NULL},
	{"http://example.com/#fragment", NULL},
	{"http://example.com/a b", NULL},
	{"http://example.com/\r\nX: y", NULL},
	{"http://example.com/\x01", NULL},
	{"http://ex\xC3\xA4mple.com/", NULL},
	{"http://ex%61mple.com/", NULL},
	{"http://a..b/", NULL},
	{"http://.a/", NULL},
	{"http://a:/", NULL},
	{"http://a:0/", NULL},
	{"http://a:65536/", NULL},
	{"http://a:99999999999999999999/", NULL},
	{"http://a:80x/", NULL},
	{"http://a:+80/", NULL},
	{"http://127.1/", NULL},
	{"http://2130706433/", NULL},
	{"http://0x7f.0.0.1/", NULL},
	{"http://0x7f000001/", NULL},
	{"http://1.2.3.4.5/", NULL},
	{"http://256.1.1.1/", NULL},
	{"http://example.0x10/", NULL},
	{"http://0x10.example/", "http://0x10.example:80", "/"},
	{"http://[::1/", NULL},
	{"http://[::1]x/", NULL},
	{"http://[fe80::1%25eth0]/", NULL},
	{"http://[127.0.0.1]/", NULL},
	{"http://::1/", NULL},
};

/* A line break in the name of a test would break TAP. */
static void
printable(const char *text, char *out, size_t size)
{
	snprintf(out, size, "%s", text);
	for (; *out != '\0'; out++)
		if ((unsigned char) *out < ' ')
			*out = '?';
}

static void
test_parse(void)
{
	char origin[FLOE_ORIGIN_SIZE];
	char name[100];
	FloeUrl url;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(parse_cases); i++)
	{
		const ParseCase *c = &parse_cases[i];
		bool parsed = floe_url_parse(c->text, &url, &st);

		printable(c->text, name, sizeof(name));
		ok(parsed == (c->origin != NULL), "\"%s\" is %s", name, c->origin ? "accepted" : "refused");
		if (!parsed)
		{
			is_int(st.code, FLOE_ERR_CONFIG, "code of \"%s\": %s", name, st.message);
			continue;
		}
		floe_url_origin(&url, origin, sizeof(origin));
		is_str(origin, c->origin, "origin of %s", c->text);
		is_str(url.target, c->target, "target of %s", c->text);
	}
	floe_url_parse("http://user:geheim@example.com/", &url, &st);
	ok(strstr(st.message, "geheim") == NULL, "a refused URL is not repeated: %s", st.message);
}

static void
test_lengths(void)
{
	char text[FLOE_URL_MAX + 2] = "http://h/";
	FloeUrl url;
	FloeStatus st;

	memset(text + 9, 'a', FLOE_URL_MAX - 9);
	ok(floe_url_parse(text, &url, &st), "a URL of the greatest length");
	text[FLOE_URL_MAX] = 'a';
	ok(!floe_url_parse(text, &url, &st), "one byte more");

	memset(text, 0, sizeof(text));
	strcpy(text, "http://");
	for (int i = 0; i < 4; i++)
	{
		memset(text + strlen(text), 'a', 62);
		strcat(text, ".");
	}
	strcat(text, "b");
	is_int(strlen(text) - 7, FLOE_HOST_MAX, "the longest host");
	ok(floe_url_parse(text, &url, &st), "is accepted");
	strcat(text, "b");
	ok(!floe_url_parse(text, &url, &st), "one byte more is refused");
	strcpy(text, "http://");
	memset(text + 7, 'a', 64);
	ok(!floe_url_parse(text, &url, &st), "a label of 64 bytes is refused");
}

static void
test_same_origin(void)
{
	static const struct
	{
		const char *a, *b;
		bool same;
	} cases[] = {
		{"http://h/a", "http://H:80/b", true},
		{"https://h", "https://h:443", true},
		{"http://h", "https://h", false},
		{"http://h:443", "https://h:443", false},
		{"http://h:80", "http://h:81", false},
		{"http://h", "http://h2", false},
		{"http://[::1]", "http://[0::0:1]:80", true},
		{"http://h.", "http://h", true},
	};
	FloeUrl a, b;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		bool parsed = floe_url_parse(cases[i].a, &a, &st) && floe_url_parse(cases[i].b, &b, &st);

		ok(parsed && floe_url_same_origin(&a, &b) == cases[i].same, "%s and %s", cases[i].a, cases[i].b);
	}
}

int
main(void)
{
	test_parse();
	test_lengths();
	test_same_origin();
	return tap_done();
}
