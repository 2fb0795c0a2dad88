/*
 * test_sigv4.c: AWS's published vectors of Signature Version 4 and the examples of the S3 API Reference.
 *
 * The first table is the suite that AWS ships with its signing libraries
 * (service "service"); names are the suite's.  "-normalized" cases run the
 * rules of AWS services, "-unnormalized" ones those of S3.
 */
#include "floe.h"

#include "base/arena.h"
#include "base/digest.h"
#include "net/sigv4.h"

#include "tap.h"

#define SUITE_TIME_MS INT64CONST(1440938160000) /* 20150830T123600Z */
#define S3_TIME_MS INT64CONST(1369353600000)    /* 20130524T000000Z */
#define MAX_PAIRS 6

typedef struct Vector
{
	const char *name;
	const char *method;
	const char *path;
	bool s3;
	const char *params[MAX_PAIRS];  /* name, value, ... */
	const char *headers[MAX_PAIRS]; /* likewise; every entry a pair */
	const char *token;
	const char *payload_hash; /* NULL: not sent */
	const char *signature;
	const char *query; /* as sent; NULL: none */
} Vector;

#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define FORM_HASH "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"

static const Vector suite[] = {
	{.name = "get-vanilla",
	 .path = "/",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "empty path", .path = "", .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "post-vanilla",
	 .method = "POST",
	 .path = "/",
	 .signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{.name = "get-utf8",
	 .path = "/\xE1\x88\xB4",
	 .signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{.name = "get-unreserved",
	 .path = "/" UNRESERVED,
	 .signature = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{.name = "get-space-normalized",
	 .path = "/example space/",
	 .signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{.name = "get-space-unnormalized",
	 .path = "/example space/",
	 .s3 = true,
	 .signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{.name = "get-relative-normalized",
	 .path = "/example/..",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "get-relative-unnormalized",
	 .path = "/example/..",
	 .s3 = true,
	 .signature = "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"},
	{.name = "get-relative-relative-normalized",
	 .path = "/example1/example2/../..",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "get-relative-relative-unnormalized",
	 .path = "/example1/example2/../..",
	 .s3 = true,
	 .signature = "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b"},
	{.name = "get-slash-normalized",
	 .path = "//",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "get-slash-unnormalized",
	 .path = "//",
	 .s3 = true,
	 .signature = "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"},
	{.name = "get-slash-dot-slash-normalized",
	 .path = "/./",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "get-slash-dot-slash-unnormalized",
	 .path = "/./",
	 .s3 = true,
	 .signature = "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
	{.name = "get-slash-pointless-dot-normalized",
	 .path = "/./example",
	 .signature = "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
	{.name = "get-slash-pointless-dot-unnormalized",
	 .path = "/./example",
	 .s3 = true,
	 .signature = "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff"},
	{.name = "get-slashes-normalized",
	 .path = "//example//",
	 .signature = "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	{.name = "get-slashes-unnormalized",
	 .path = "//example//",
	 .s3 = true,
	 .signature = "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
	{.name = "get-vanilla-empty-query-key",
	 .path = "/",
	 .params = {"Param1", "value1"},
	 .query = "Param1=value1",
	 .signature = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{.name = "get-vanilla-query-order-encoded",
	 .path = "/",
	 .params = {"Param-3", "Value3", "Param", "Value2", "\xE1\x88\xB4", "Value1"},
	 .query = "%E1%88%B4=Value1&Param=Value2&Param-3=Value3",
	 .signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{.name = "get-vanilla-query-order-key-case",
	 .path = "/",
	 .params = {"Param2", "value2", "Param1", "value1"},
	 .query = "Param1=value1&Param2=value2",
	 .signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{.name = "get-vanilla-query-unreserved",
	 .path = "/",
	 .params = {UNRESERVED, UNRESERVED},
	 .query = UNRESERVED "=" UNRESERVED,
	 .signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{.name = "get-vanilla-utf8-query",
	 .path = "/",
	 .params = {"\xE1\x88\xB4", "bar"},
	 .query = "%E1%88%B4=bar",
	 .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{.name = "post-vanilla-query",
	 .method = "POST",
	 .path = "/",
	 .params = {"Param1", "value1"},
	 .query = "Param1=value1",
	 .signature = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{.name = "get-header-key-duplicate",
	 .path = "/",
	 .headers = {"My-Header1", "value2", "My-Header1", "value2", "My-Header1", "value1"},
	 .signature = "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{.name = "get-header-value-trim",
	 .path = "/",
	 .headers = {"My-Header1", " value1", "My-Header2", " \"a   b   c\""},
	 .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{.name = "post-header-key-sort",
	 .method = "POST",
	 .path = "/",
	 .headers = {"My-Header1", "value1"},
	 .signature = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{.name = "post-header-value-case",
	 .method = "POST",
	 .path = "/",
	 .headers = {"My-Header1", "VALUE1"},
	 .signature = "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{.name = "get-vanilla-with-session-token",
	 .path = "/",
	 .token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
	 .signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{.name = "post-sts-header-before",
	 .method = "POST",
	 .path = "/",
	 .token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTfl"
			  "fKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvl"
			  "Rd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rv"
			  "x3iSIlTJabIQwj2ICCR/oLxBA==",
	 .signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	{.name = "post-x-www-form-urlencoded",
	 .method = "POST",
	 .path = "/",
	 .headers = {"Content-Type", "application/x-www-form-urlencoded", "Content-Length", "13"},
	 .payload_hash = FORM_HASH,
	 .signature = "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
	{.name = "post-x-www-form-urlencoded-parameters",
	 .method = "POST",
	 .path = "/",
	 .headers = {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8", "Content-Length", "13"},
	 .payload_hash = FORM_HASH,
	 .signature = "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"},
};

/* Amazon S3 API Reference, "Examples: Signature Calculations in AWS Signature Version 4". */
static const Vector s3_examples[] = {
	{.name = "GET Object",
	 .path = "/test.txt",
	 .headers = {"Range", "bytes=0-9"},
	 .payload_hash = FLOE_SIGV4_EMPTY,
	 .signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
	{.name = "PUT Object",
	 .method = "PUT",
	 .path = "/test$file.text",
	 .headers = {"Date", "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class", "REDUCED_REDUNDANCY"},
	 .payload_hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
	 .signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
	{.name = "GET Bucket Lifecycle",
	 .path = "/",
	 .params = {"lifecycle", ""},
	 .query = "lifecycle=",
	 .payload_hash = FLOE_SIGV4_EMPTY,
	 .signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
	{.name = "Get Bucket (List Objects)",
	 .path = "/",
	 .params = {"prefix", "J", "max-keys", "2"},
	 .query = "max-keys=2&prefix=J",
	 .payload_hash = FLOE_SIGV4_EMPTY,
	 .signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static FloeSigV4Input
base_input(const FloeUrl *endpoint)
{
	return (FloeSigV4Input){.method = "GET",
							.endpoint = endpoint,
							.path = "/",
							.access_key = "AKIDEXAMPLE",
							.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
							.region = "us-east-1",
							.service = "service",
							.time_ms = SUITE_TIME_MS};
}

static const char *
header(const FloeSigV4Output *out, const char *name)
{
	for (int i = 0; i < out->nheaders; i++)
	{
		if (strcmp(out->headers[i].name, name) == 0)
			return out->headers[i].value;
	}
	return NULL;
}

static void
run_vector(const Vector *v, FloeSigV4Input in)
{
	FloeArena *arena = floe_arena_new(100000);
	FloeSigV4Param params[MAX_PAIRS / 2];
	FloeHttpHeader headers[MAX_PAIRS / 2];
	FloeSigV4Output out;
	FloeStatus st;
	const char *authorization;
	const char *question;

	in.method = v->method ? v->method : "GET";
	in.path = v->path;
	in.session_token = v->token;
	in.payload_hash = v->payload_hash;
	in.send_payload_hash = v->payload_hash != NULL;
	in.params = params;
	in.headers = headers;
	for (; in.nparams < MAX_PAIRS / 2 && v->params[2 * in.nparams] != NULL; in.nparams++)
		params[in.nparams] = (FloeSigV4Param){v->params[2 * in.nparams], v->params[2 * in.nparams + 1]};
	for (; in.nheaders < MAX_PAIRS / 2 && v->headers[2 * in.nheaders] != NULL; in.nheaders++)
		headers[in.nheaders] = (FloeHttpHeader){v->headers[2 * in.nheaders], v->headers[2 * in.nheaders + 1]};

	ok(floe_sigv4_sign(&in, arena, &out, &st), "%s is signed", v->name);
	authorization = header(&out, "authorization");
	is_str(authorization ? strstr(authorization, "Signature=") + 10 : NULL, v->signature, "%s: signature", v->name);
	question = strchr(out.url, '?');
	is_str(question ? question + 1 : NULL, v->query, "%s: query", v->name);
	is_str(header(&out, "x-amz-content-sha256"), v->payload_hash, "%s: payload hash", v->name);
	is_str(header(&out, "x-amz-security-token"), v->token, "%s: token", v->name);
	floe_arena_free(arena);
}

static void
test_vectors(void)
{
	FloeUrl endpoint;
	FloeStatus st;
	FloeSigV4Input in;

	floe_url_parse("https://example.amazonaws.com", &endpoint, &st);
	in = base_input(&endpoint);
	for (size_t i = 0; i < lengthof(suite); i++)
	{
		in.s3 = suite[i].s3;
		in.path_is_encoded = !suite[i].s3;
		run_vector(&suite[i], in);
	}

	floe_url_parse("https://examplebucket.s3.amazonaws.com", &endpoint, &st);
	in = base_input(&endpoint);
	in.s3 = true;
	in.path_is_encoded = false;
	in.access_key = "AKIAIOSFODNN7EXAMPLE";
	in.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
	in.service = "s3";
	in.time_ms = S3_TIME_MS;
	for (size_t i = 0; i < lengthof(s3_examples); i++)
		run_vector(&s3_examples[i], in);
}

/* A kept key must be used only for what it was derived for. */
static void
test_kept_key(void)
{
	static const struct
	{
		const char *secret, *region, *service;
		int64_t time_ms;
	} cases[] = {
		{"one", "r1", "s3", S3_TIME_MS},   {"one", "r1", "s3", S3_TIME_MS + 3600000},
		{"two", "r1", "s3", S3_TIME_MS},   {"two", "r2", "s3", S3_TIME_MS},
		{"two", "r2", "glue", S3_TIME_MS}, {"two", "r2", "glue", S3_TIME_MS + INT64CONST(86400000)},
		{"one", "r1", "s3", S3_TIME_MS},
	};
	FloeArena *arena = floe_arena_new(100000);
	FloeSigV4Key key = {.scope = ""};
	FloeSigV4Output with, without;
	FloeUrl endpoint;
	FloeStatus st;

	floe_url_parse("https://s3", &endpoint, &st);
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		FloeSigV4Input in = base_input(&endpoint);

		in.secret_key = cases[i].secret;
		in.region = cases[i].region;
		in.service = cases[i].service;
		in.time_ms = cases[i].time_ms;
		floe_sigv4_sign(&in, arena, &without, &st);
		in.key = &key;
		floe_sigv4_sign(&in, arena, &with, &st);
		is_str(header(&with, "authorization"), header(&without, "authorization"), "kept key, case %zu", i);
	}
	floe_arena_free(arena);
}

/* What goes over the wire. */
static void
test_urls(void)
{
	static const struct
	{
		const char *endpoint, *path;
		bool s3, encoded;
		const char *url;
	} cases[] = {
		{"http://127.0.0.1:9000", "lab/dt=2024-01-01/a b%c.txt", true, false,
		 "http://127.0.0.1:9000/lab/dt%3D2024-01-01/a%20b%25c.txt"},
		{"http://s3", "/b/a//b/../c/", true, false, "http://s3/b/a//b/../c/"},
		{"http://s3", "/b/\xC3\xA9+&;:@,'()*!$~", true, false,
		 "http://s3/b/%C3%A9%2B%26%3B%3A%40%2C%27%28%29%2A%21%24~"},
		{"https://s3:443", "/b/?#[]", true, false, "https://s3/b/%3F%23%5B%5D"},
		{"https://[::1]:9000", "/b", true, false, "https://[::1]:9000/b"},
		{"https://glue", "/iceberg/v1/namespaces/a%1Fb", false, true, "https://glue/iceberg/v1/namespaces/a%1Fb"},
		{"https://glue", "/a b", false, false, "https://glue/a%20b"},
	};
	FloeArena *arena = floe_arena_new(100000);
	FloeSigV4Output out;
	FloeUrl endpoint;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		FloeSigV4Input in;

		floe_url_parse(cases[i].endpoint, &endpoint, &st);
		in = base_input(&endpoint);
		in.path = cases[i].path;
		in.s3 = cases[i].s3;
		in.path_is_encoded = cases[i].encoded;
		ok(floe_sigv4_sign(&in, arena, &out, &st), "signed");
		is_str(out.url, cases[i].url, "URL of %s", cases[i].path);
		ok(floe_url_parse(out.url, &endpoint, &st), "which floe accepts");
	}
	floe_arena_free(arena);
}

static void
test_refusals(void)
{
	static char long_text[70000];
	FloeArena *arena = floe_arena_new(400000);
	FloeArena *small = floe_arena_new(64);
	FloeHttpHeader headers[FLOE_SIGV4_MAX_HEADERS];
	FloeSigV4Param param = {"prefix", long_text};
	FloeSigV4Output out;
	FloeSigV4Input in;
	FloeUrl endpoint;
	FloeStatus st;

	memset(long_text, 'x', sizeof(long_text) - 1);
	floe_url_parse("https://s3", &endpoint, &st);

#define REFUSED(what, code_wanted)                                                                                     \
	ok(!floe_sigv4_sign(&in, arena, &out, &st) && st.code == (code_wanted) && strstr(st.message, "wJalr") == NULL &&   \
		   strstr(st.message, "AKID") == NULL,                                                                         \
	   "%s: %s", what, st.message);                                                                                    \
	in = base_input(&endpoint)

	in = base_input(&endpoint);
	in.access_key = NULL;
	REFUSED("no access key", FLOE_ERR_CONFIG);
	in.secret_key = "";
	REFUSED("no secret key", FLOE_ERR_CONFIG);
	in.region = "";
	REFUSED("no region", FLOE_ERR_CONFIG);
	in.secret_key = long_text;
	REFUSED("a secret key that is too long", FLOE_ERR_TOO_LARGE);
	in.path = long_text;
	REFUSED("a path that is too long", FLOE_ERR_TOO_LARGE);
	in.params = &param;
	in.nparams = 1;
	REFUSED("a query that is too long", FLOE_ERR_TOO_LARGE);
	for (int i = 0; i < FLOE_SIGV4_MAX_HEADERS; i++)
		headers[i] = (FloeHttpHeader){"a", "b"};
	in.headers = headers;
	in.nheaders = FLOE_SIGV4_MAX_HEADERS;
	REFUSED("too many headers", FLOE_ERR_TOO_LARGE);
	ok(!floe_sigv4_sign(&in, small, &out, &st) && st.code == FLOE_ERR_NOMEM, "an arena that is full: %s", st.message);
	floe_arena_free(arena);
	floe_arena_free(small);
}

/* FIPS 180-4 and RFC 4231 */
static void
test_digests(void)
{
	uint8_t digest[FLOE_SHA256_SIZE];
	char hex[FLOE_SHA256_HEX_SIZE];

	ok(floe_sha256("", 0, digest), "hash of nothing");
	floe_sha256_hex(digest, hex);
	is_str(hex, FLOE_SIGV4_EMPTY, "is the constant");
	floe_sha256("abc", 3, digest);
	floe_sha256_hex(digest, hex);
	is_str(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "hash of abc");
	ok(floe_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest), "RFC 4231, case 2");
	floe_sha256_hex(digest, hex);
	is_str(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "its value");
}

int
main(void)
{
	test_digests();
	test_vectors();
	test_kept_key();
	test_urls();
	test_refusals();
	return tap_done();
}
