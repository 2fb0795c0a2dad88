/*
 * sigv4.c: the canonical request, the string to sign, the signature.
 *
 * Pure: no clock, no I/O; proven by AWS's published vectors (test_sigv4.c) and
 * against a server that verifies (test/t/011_sigv4.pl).
 */
#include "floe.h"

#include "base/buf.h"
#include "base/digest.h"
#include "net/sigv4.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define MAX_TEXT ((size_t) 64 * 1024) /* of any string that is built here */
#define STAMP_SIZE 17                 /* "20130524T000000Z" */
#define DATE_LEN 8

/* Everything between the input and the signature. */
typedef struct Signing
{
	const FloeSigV4Input *in;
	FloeBuf path;  /* as sent */
	FloeBuf query; /* as sent, which is also its canonical form */
	FloeBuf canonical;
	FloeBuf signed_names; /* "host;x-amz-date" */
	char host[FLOE_ORIGIN_SIZE];
	char stamp[STAMP_SIZE];
	char scope[256];
	FloeHttpHeader headers[FLOE_SIGV4_MAX_HEADERS]; /* to be signed */
	int nheaders;
} Signing;

/* ---- encoding ---- */

static bool
is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		   c == '_' || c == '~';
}

static void
encode(FloeBuf *to, const char *text, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text != '\0'; text++)
	{
		unsigned char byte = (unsigned char) *text;
		char triple[3] = {'%', digits[byte >> 4], digits[byte & 15]};

		if (is_unreserved(*text) || (keep_slash && *text == '/'))
			floe_buf_char(to, *text);
		else
			floe_buf_append(to, triple, sizeof(triple));
	}
}

/*
 * RFC 3986, 5.2.4, and double slashes made one: what services other than S3
 * sign.  Works on a path with its leading slash.
 */
static void
normalize(FloeBuf *to, const char *path)
{
	bool trailing = false;

	while (*path != '\0')
	{
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		trailing = path[len] == '/' || len == 0;
		if (len == 2 && memcmp(path, "..", 2) == 0)
		{
			while (to->len > 0 && to->data[--to->len] != '/')
				;
			trailing = true;
		}
		else if (len == 1 && *path == '.')
			trailing = true;
		else if (len > 0)
		{
			floe_buf_char(to, '/');
			floe_buf_append(to, path, len);
		}
		path += len;
	}
	if (trailing || to->len == 0)
		floe_buf_char(to, '/');
}

static void
build_path(Signing *s)
{
	const char *path = s->in->path;

	if (*path != '/')
		floe_buf_char(&s->path, '/');
	if (s->in->path_is_encoded)
		floe_buf_text(&s->path, path);
	else
		encode(&s->path, path, true);
}

/* The path as the server will sign it, appended to the canonical request. */
static void
append_canonical_path(Signing *s)
{
	FloeBuf normal;

	if (s->path.failed)
		return; /* its text may be missing; checked at the end */
	if (s->in->s3)
	{
		floe_buf_append(&s->canonical, s->path.data, s->path.len);
		return;
	}
	floe_buf_init(&normal, MAX_TEXT);
	normalize(&normal, s->path.data);
	if (normal.failed)
		s->canonical.failed = true;
	else
		encode(&s->canonical, normal.data, true);
	floe_buf_free(&normal);
}

/* ---- query ---- */

typedef struct EncodedParam
{
	FloeBuf name;
	FloeBuf value;
} EncodedParam;

static int
compare_texts(const FloeBuf *a, const FloeBuf *b)
{
	return strcmp(a->data ? a->data : "", b->data ? b->data : "");
}

/* Sorted by the encoded name, then by the encoded value. */
static int
compare_params(const void *a, const void *b)
{
	const EncodedParam *pa = a;
	const EncodedParam *pb = b;
	int order = compare_texts(&pa->name, &pb->name);

	return order != 0 ? order : compare_texts(&pa->value, &pb->value);
}

static bool
build_query(Signing *s)
{
	int count = s->in->nparams;
	EncodedParam *params = calloc((size_t) Max(count, 1), sizeof(EncodedParam));
	bool ok = params != NULL;

	for (int i = 0; i < count && ok; i++)
	{
		floe_buf_init(&params[i].name, MAX_TEXT);
		floe_buf_init(&params[i].value, MAX_TEXT);
		encode(&params[i].name, s->in->params[i].name, false);
		encode(&params[i].value, s->in->params[i].value ? s->in->params[i].value : "", false);
		ok = !params[i].name.failed && !params[i].value.failed;
		s->query.over_cap |= params[i].name.over_cap || params[i].value.over_cap;
	}
	if (ok)
		qsort(params, (size_t) count, sizeof(EncodedParam), compare_params);
	for (int i = 0; i < count && ok; i++)
	{
		if (i > 0)
			floe_buf_char(&s->query, '&');
		floe_buf_append(&s->query, params[i].name.data, params[i].name.len);
		floe_buf_char(&s->query, '=');
		ok = floe_buf_append(&s->query, params[i].value.data, params[i].value.len);
	}
	for (int i = 0; i < count && params != NULL; i++)
	{
		floe_buf_free(&params[i].name);
		floe_buf_free(&params[i].value);
	}
	free(params);
	return ok;
}

/* ---- headers ---- */

/* Keeps the list sorted by lower-case name; equal names stay in the order of arrival. */
static bool
add_header(Signing *s, const char *name, const char *value)
{
	int at = s->nheaders;

	if (s->nheaders >= FLOE_SIGV4_MAX_HEADERS)
		return false;
	while (at > 0 && pg_strcasecmp(s->headers[at - 1].name, name) > 0)
	{
		s->headers[at] = s->headers[at - 1];
		at--;
	}
	s->headers[at].name = name;
	s->headers[at].value = value;
	s->nheaders++;
	return true;
}

/* Trimmed, runs of blanks made one. */
static void
append_value(FloeBuf *to, const char *value)
{
	bool blank = false;
	bool begun = false;

	for (; *value != '\0'; value++)
	{
		if (*value == ' ' || *value == '\t')
		{
			blank = begun;
			continue;
		}
		if (blank)
			floe_buf_char(to, ' ');
		floe_buf_char(to, *value);
		blank = false;
		begun = true;
	}
}

static void
append_canonical_headers(Signing *s)
{
	for (int i = 0; i < s->nheaders; i++)
	{
		const char *name = s->headers[i].name;

		if (i > 0 && pg_strcasecmp(s->headers[i - 1].name, name) == 0)
			floe_buf_char(&s->canonical, ',');
		else
		{
			if (i > 0)
			{
				floe_buf_char(&s->canonical, '\n');
				floe_buf_char(&s->signed_names, ';');
			}
			for (const char *p = name; *p != '\0'; p++)
			{
				floe_buf_char(&s->canonical, (char) pg_ascii_tolower((unsigned char) *p));
				floe_buf_char(&s->signed_names, (char) pg_ascii_tolower((unsigned char) *p));
			}
			floe_buf_char(&s->canonical, ':');
		}
		append_value(&s->canonical, s->headers[i].value);
	}
	floe_buf_char(&s->canonical, '\n');
}

/* ---- signature ---- */

static bool
hmac_text(const uint8_t *key, size_t key_len, const char *text, uint8_t *out)
{
	return floe_hmac_sha256(key, key_len, text, strlen(text), out);
}

/* The key of one day, region and service. */
static bool
derive_key(const Signing *s, FloeSigV4Key *key)
{
	const FloeSigV4Input *in = s->in;
	char secret[FLOE_SIGV4_MAX_SECRET + 8];
	char date[DATE_LEN + 1];
	uint8_t *k = key->key;
	bool ok;

	if (strcmp(key->scope, s->scope) == 0 && strcmp(key->secret, in->secret_key) == 0)
		return true;
	memset(key, 0, sizeof(*key));
	snprintf(secret, sizeof(secret), "AWS4%s", in->secret_key);
	floe_copy_text(date, sizeof(date), s->stamp, DATE_LEN);
	ok = hmac_text((uint8_t *) secret, strlen(secret), date, k) && hmac_text(k, FLOE_SHA256_SIZE, in->region, k) &&
		 hmac_text(k, FLOE_SHA256_SIZE, in->service, k) && hmac_text(k, FLOE_SHA256_SIZE, "aws4_request", k);
	explicit_bzero(secret, sizeof(secret));
	if (ok)
	{
		strlcpy(key->scope, s->scope, sizeof(key->scope));
		strlcpy(key->secret, in->secret_key, sizeof(key->secret));
	}
	return ok;
}

static bool
sign(const Signing *s, char signature[FLOE_SHA256_HEX_SIZE])
{
	FloeSigV4Key own = {.scope = ""};
	FloeSigV4Key *key = s->in->key ? s->in->key : &own;
	uint8_t digest[FLOE_SHA256_SIZE];
	char hex[FLOE_SHA256_HEX_SIZE];
	char text[512];
	bool ok;

	if (!floe_sha256(s->canonical.data, s->canonical.len, digest))
		return false;
	floe_sha256_hex(digest, hex);
	snprintf(text, sizeof(text), ALGORITHM "\n%s\n%s\n%s", s->stamp, s->scope, hex);
	ok = derive_key(s, key) && hmac_text(key->key, sizeof(key->key), text, digest);
	explicit_bzero(&own, sizeof(own));
	if (ok)
		floe_sha256_hex(digest, signature);
	return ok;
}

/* ---- the whole ---- */

static bool
check(const FloeSigV4Input *in, FloeStatus *st)
{
	if (in->access_key == NULL || *in->access_key == '\0' || in->secret_key == NULL || *in->secret_key == '\0')
		return floe_fail(st, FLOE_ERR_CONFIG, "access key or secret key is missing for \"%s\"", in->endpoint->host);
	if (in->region == NULL || *in->region == '\0')
		return floe_fail(st, FLOE_ERR_CONFIG, "region is missing for \"%s\"", in->endpoint->host);
	if (strlen(in->access_key) + strlen(in->region) + strlen(in->service) > 200 ||
		strlen(in->secret_key) > FLOE_SIGV4_MAX_SECRET)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "keys or region for \"%s\" are too long", in->endpoint->host);
	return true;
}

static bool
set_times(Signing *s)
{
	time_t seconds = (time_t) (s->in->time_ms / 1000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(s->stamp, sizeof(s->stamp), "%Y%m%dT%H%M%SZ", &tm) == 0)
		return false;
	snprintf(s->scope, sizeof(s->scope), "%.8s/%s/%s/aws4_request", s->stamp, s->in->region, s->in->service);
	return true;
}

static bool
collect_headers(Signing *s, FloeSigV4Output *out)
{
	const FloeSigV4Input *in = s->in;
	bool ok = add_header(s, "host", s->host);

	out->headers[out->nheaders++] = (FloeHttpHeader){"x-amz-date", s->stamp};
	if (in->send_payload_hash)
		out->headers[out->nheaders++] = (FloeHttpHeader){"x-amz-content-sha256", in->payload_hash};
	if (in->session_token != NULL)
		out->headers[out->nheaders++] = (FloeHttpHeader){"x-amz-security-token", in->session_token};
	for (int i = 0; i < out->nheaders; i++)
		ok = ok && add_header(s, out->headers[i].name, out->headers[i].value);
	for (int i = 0; i < in->nheaders; i++)
		ok = ok && add_header(s, in->headers[i].name, in->headers[i].value);
	return ok;
}

static void
build_canonical(Signing *s)
{
	FloeBuf *to = &s->canonical;

	floe_buf_printf(to, "%s\n", s->in->method);
	append_canonical_path(s);
	floe_buf_char(to, '\n');
	floe_buf_append(to, s->query.data, s->query.len);
	floe_buf_char(to, '\n');
	append_canonical_headers(s);
	floe_buf_printf(to, "\n%s\n%s", s->signed_names.data ? s->signed_names.data : "", s->in->payload_hash);
}

static const char *
keep(FloeArena *arena, const FloeBuf *text)
{
	return text->failed ? NULL : floe_arena_text(arena, text->data ? text->data : "", text->len);
}

/* Copies what points into the signing, which ends, into the arena. */
static bool
fill_output(Signing *s, const char *signature, FloeArena *arena, FloeSigV4Output *out)
{
	FloeBuf text;
	bool ok;

	floe_buf_init(&text, 3 * MAX_TEXT);
	floe_buf_printf(&text, "%s://%s%s%s%s", s->in->endpoint->https ? "https" : "http", s->host, s->path.data,
					s->query.len > 0 ? "?" : "", s->query.len > 0 ? s->query.data : "");
	out->url = keep(arena, &text);
	floe_buf_reset(&text);
	floe_buf_printf(&text, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s", s->in->access_key, s->scope,
					s->signed_names.data, signature);
	out->headers[out->nheaders++] = (FloeHttpHeader){"authorization", keep(arena, &text)};
	floe_buf_free(&text);
	ok = out->url != NULL;
	for (int i = 0; i < out->nheaders; i++)
	{
		const char *value = out->headers[i].value;

		if (value != NULL && i < out->nheaders - 1)
			value = floe_arena_text(arena, value, strlen(value));
		out->headers[i].value = value;
		ok = ok && value != NULL;
	}
	return ok;
}

bool
floe_sigv4_sign(const FloeSigV4Input *in, FloeArena *arena, FloeSigV4Output *out, FloeStatus *st)
{
	FloeSigV4Input input = *in;
	Signing s = {.in = &input};
	char signature[FLOE_SHA256_HEX_SIZE];
	bool too_large;
	bool ok;

	memset(out, 0, sizeof(*out));
	if (!check(in, st))
		return false;
	if (input.payload_hash == NULL)
		input.payload_hash = FLOE_SIGV4_EMPTY;
	floe_buf_init(&s.path, MAX_TEXT);
	floe_buf_init(&s.query, MAX_TEXT);
	floe_buf_init(&s.canonical, 4 * MAX_TEXT);
	floe_buf_init(&s.signed_names, MAX_TEXT);
	floe_url_host_header(in->endpoint, s.host, sizeof(s.host));

	build_path(&s);
	ok = set_times(&s) && build_query(&s) && collect_headers(&s, out);
	if (ok)
		build_canonical(&s);
	too_large = s.path.over_cap || s.query.over_cap || s.canonical.over_cap || s.nheaders >= FLOE_SIGV4_MAX_HEADERS;
	ok = ok && !s.path.failed && !s.query.failed && !s.canonical.failed && !s.signed_names.failed &&
		 sign(&s, signature) && fill_output(&s, signature, arena, out);
	floe_buf_free(&s.path);
	floe_buf_free(&s.query);
	floe_buf_free(&s.canonical);
	floe_buf_free(&s.signed_names);
	if (ok)
		return true;
	if (too_large)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "request to \"%s\" is too long to be signed", in->endpoint->host);
	return floe_fail(st, FLOE_ERR_NOMEM, "could not sign a request to \"%s\"", in->endpoint->host);
}
