/*
 * auth.c: the credentials of catalogs that speak HTTP.
 *
 * Given in the user mapping: a bearer token, user and password (RFC 7617),
 * keys for signatures (SigV4); or what a token endpoint gives for client
 * credentials (RFC 6749, 4.4) or for another token (RFC 8693).  A token is
 * fetched once for all that wait for it, renewed before it runs out, and
 * thrown away when the catalog answers 401 or 419.  Tokens live in this
 * process's memory only.
 */
#include "floe.h"

#include "catalog/session.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "net/sigv4.h"
#include "utils/memutils.h"

#define TOKEN_MAX_BYTES (256 * 1024)
#define DEFAULT_SCOPE "catalog"
#define DEFAULT_SUBJECT_TYPE "urn:ietf:params:oauth:token-type:access_token"
#define MAX_PARAMS 16

/* ---- which ---- */

static const char *const kinds[] = {
	[FLOE_AUTH_NONE] = "none",     [FLOE_AUTH_BEARER] = "bearer",
	[FLOE_AUTH_OAUTH2] = "oauth2", [FLOE_AUTH_EXCHANGE] = "token-exchange",
	[FLOE_AUTH_BASIC] = "basic",   [FLOE_AUTH_SIGV4] = "sigv4",
};

const char *
floe_session_auth_name(const FloeSession *session)
{
	/* the configuration brought a token */
	if (session->auth == FLOE_AUTH_NONE && session->token != NULL)
		return kinds[FLOE_AUTH_BEARER];
	return kinds[session->auth];
}

/* One way in at a time: what is given says which; two are a contradiction. */
static bool
choose(FloeSession *session, FloeStatus *st)
{
	const FloeConn *conn = session->conn;
	const struct
	{
		const char *option;
		FloeAuthKind kind;
	} given[] = {
		{"token", FLOE_AUTH_BEARER},   {"client_secret", FLOE_AUTH_OAUTH2}, {"subject_token", FLOE_AUTH_EXCHANGE},
		{"password", FLOE_AUTH_BASIC}, {"sigv4_service", FLOE_AUTH_SIGV4},
	};
	const char *first = NULL;

	session->auth = FLOE_AUTH_NONE;
	for (size_t i = 0; i < lengthof(given); i++)
	{
		if (floe_conn_option(conn, given[i].option) == NULL)
			continue;
		/* a client may have to say who it is when it exchanges a token */
		if (session->auth == FLOE_AUTH_OAUTH2 && given[i].kind == FLOE_AUTH_EXCHANGE)
			session->auth = FLOE_AUTH_NONE;
		if (session->auth != FLOE_AUTH_NONE)
			return floe_fail(st, FLOE_ERR_CONFIG, "server \"%s\" and its user mapping have both \"%s\" and \"%s\"",
							 conn->server_name, first, given[i].option);
		session->auth = given[i].kind;
		first = given[i].option;
	}
	return true;
}

static bool
require(const FloeSession *session, const char *option, const char *without, FloeStatus *st)
{
	if (floe_conn_option(session->conn, option) != NULL && floe_conn_option(session->conn, without) == NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "the user mapping of server \"%s\" has \"%s\" without \"%s\"",
						 session->conn->server_name, option, without);
	return true;
}

static bool
prepare_basic(FloeSession *session, FloeStatus *st)
{
	const char *user = floe_conn_option(session->conn, "username");
	FloeArena *arena = floe_arena_new(65536);
	const char *value;

	/* RFC 7617: the first colon ends the user */
	if (strchr(user, ':') != NULL)
		floe_fail(st, FLOE_ERR_CONFIG, "the username for server \"%s\" holds a colon", session->conn->server_name);
	else if (arena == NULL ||
			 (value = floe_http_basic(arena, user, floe_conn_option(session->conn, "password"))) == NULL)
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory");
	else
		session->basic = pstrdup(value);
	floe_arena_free(arena);
	return session->basic != NULL;
}

bool
floe_auth_init(FloeSession *session, const char *default_token_path, FloeStatus *st)
{
	const char *url = floe_conn_option(session->conn, "oauth2_server_uri");

	if (!choose(session, st) || !require(session, "client_id", "client_secret", st) ||
		!require(session, "username", "password", st) || !require(session, "password", "username", st))
		return false;
	session->given_token = floe_conn_option(session->conn, "token");
	if (session->auth == FLOE_AUTH_BASIC && !prepare_basic(session, st))
		return false;
	if (url != NULL)
		session->token_url = pstrdup(url);
	else if (default_token_path != NULL)
		session->token_url = psprintf("%s%s", session->base_url, default_token_path);
	else if (session->auth == FLOE_AUTH_OAUTH2 || session->auth == FLOE_AUTH_EXCHANGE)
		return floe_fail(st, FLOE_ERR_CONFIG, "server \"%s\" has no option \"oauth2_server_uri\"",
						 session->conn->server_name);
	return true;
}

void
floe_session_take_token(FloeSession *session, const char *token)
{
	if (session->auth == FLOE_AUTH_NONE)
		session->token = MemoryContextStrdup(session->context, token);
}

/* ---- tokens ---- */

static bool
fetches(const FloeSession *session)
{
	return session->auth == FLOE_AUTH_OAUTH2 || session->auth == FLOE_AUTH_EXCHANGE;
}

bool
floe_auth_is_ready(const FloeSession *session)
{
	return !fetches(session) || (session->token != NULL && floe_clock_steady_us() < session->token_expires_us);
}

/* The token ran out, or was withdrawn: another one, if nobody has got one meanwhile. */
bool
floe_auth_renew(FloeSession *session, int token_serial)
{
	if (!fetches(session))
		return false;
	if (token_serial == session->token_serial)
		session->token_expires_us = 0;
	return true;
}

/* Renewed a little early, so that it does not run out on the way; what waits for a token can always use the one that came. */
static int64
good_for_us(int64 expires_s)
{
	int64 us = Min(expires_s, 365 * 86400) * INT64CONST(1000000);

	return Max(us - Min(INT64CONST(60000000), us / 10 + 1000000), us / 2);
}

/* {"access_token", "expires_in"?}; the rest does not matter. */
static bool
read_token(FloeSession *session, const FloeHttpResponse *response, FloeStatus *st)
{
	FloeJsonDoc *doc =
		floe_json_parse(response->body.data, response->body.len, "answer of the token endpoint", TOKEN_MAX_BYTES, st);
	const char *token;
	int64 expires_s;
	bool ok;

	if (doc == NULL)
		return false;
	ok = floe_json_get_string(floe_json_root(doc), "access_token", &token, st) &&
		 floe_json_opt_int(floe_json_root(doc), "expires_in", -1, &expires_s, st);
	if (ok && (token[0] == '\0' || token[strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
													   "0123456789-._~+/=")] != '\0'))
		ok = floe_fail(st, FLOE_ERR_PROTOCOL, "answer of the token endpoint: \"access_token\" is not a bearer token");
	if (ok)
	{
		if (session->token != NULL)
			pfree(session->token);
		session->token = MemoryContextStrdup(session->context, token);
		session->token_serial++;
		session->token_expires_us = expires_s <= 0 ? PG_INT64_MAX : floe_clock_steady_us() + good_for_us(expires_s);
	}
	floe_json_free(doc);
	return ok;
}

static void
on_token(void *arg, FloeHttpResponse *response)
{
	FloeSession *session = arg;
	FloeStatus st;

	session->fetching_token = false;
	floe_session_status(session, "get token", response, &st);
	/* RFC 6749, 5.2: a refusal of the credentials is a 400 */
	if (response->http_status == 400)
		st.code = FLOE_ERR_AUTH;
	if (st.code == FLOE_ERR_AUTH || st.code == FLOE_ERR_FORBIDDEN)
		floe_fail_detail(&st, FLOE_ERR_AUTH, pstrdup(st.detail), "the token endpoint refused the %s",
						 session->auth == FLOE_AUTH_EXCHANGE ? "subject token" : "client credentials");
	if (st.code == FLOE_OK)
		read_token(session, response, &st);
	floe_session_release_waiting(session, &st);
}

static void
build_form(const FloeSession *session, StringInfo body)
{
	const FloeConn *conn = session->conn;
	bool exchange = session->auth == FLOE_AUTH_EXCHANGE;
	const char *type = floe_conn_option(conn, "subject_token_type");
	const char *scope = floe_conn_option(conn, "scope");
	const char *fields[][2] = {
		{"subject_token", exchange ? floe_conn_option(conn, "subject_token") : NULL},
		{"subject_token_type", !exchange      ? NULL
							   : type != NULL ? type
											  : DEFAULT_SUBJECT_TYPE},
		{"client_id", floe_conn_option(conn, "client_id")},
		{"client_secret", floe_conn_option(conn, "client_secret")},
		{"scope", scope != NULL ? scope : DEFAULT_SCOPE},
		{"audience", floe_conn_option(conn, "audience")},
		{"resource", floe_conn_option(conn, "resource")},
	};

	appendStringInfo(body, "grant_type=%s",
					 exchange ? "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange" : "client_credentials");
	for (size_t i = 0; i < lengthof(fields); i++)
	{
		if (fields[i][1] == NULL)
			continue;
		appendStringInfo(body, "&%s=", fields[i][0]);
		floe_session_encode(body, fields[i][1]);
	}
}

/*
 * A catalog's own token endpoint may need the headers that the catalog does
 * (Polaris-Realm says where the client is known); anybody else must not see them.
 */
static bool
add_catalog_headers(const FloeSession *session, FloeHttpRequest *request, FloeStatus *st)
{
	FloeUrl catalog;
	FloeUrl endpoint;
	FloeStatus ignored;

	if (!floe_url_parse(session->base_url, &catalog, &ignored) ||
		!floe_url_parse(session->token_url, &endpoint, &ignored) || !floe_url_same_origin(&catalog, &endpoint))
		return true;
	return floe_session_add_option_headers(session, request, st);
}

void
floe_auth_fetch(FloeSession *session)
{
	FloeHttpRequest request = {0};
	StringInfoData body;
	FloeStatus st;

	if (session->fetching_token)
		return;
	session->fetching_token = true;
	initStringInfo(&body);
	build_form(session, &body);
	request.method = "POST";
	request.url = session->token_url;
	request.body = body.data;
	request.body_len = body.len;
	request.max_body = TOKEN_MAX_BYTES;
	request.post_is_repeatable = true;
	request.no_redirect = true;
	request.ca_file = floe_conn_option(session->conn, "ca_file");
	if (!floe_http_add_header(&request, "Content-Type", "application/x-www-form-urlencoded", &st) ||
		!floe_http_add_header(&request, "Accept", "application/json", &st) ||
		!add_catalog_headers(session, &request, &st) ||
		!floe_http_submit(session->http, &request, on_token, session, NULL, &st))
	{
		session->fetching_token = false;
		floe_status_prefix(&st, "get token");
		floe_session_release_waiting(session, &st);
	}
	memset(body.data, 0, body.len);
	pfree(body.data);
}

/* ---- on the request ---- */

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
		   : c >= 'A' && c <= 'F' ? c - 'A' + 10
		   : c >= 'a' && c <= 'f' ? c - 'a' + 10
								  : -1;
}

/* A piece of a query without its percent-encoding. */
static char *
decoded(FloeArena *arena, const char *text, size_t len)
{
	char *out = floe_arena_text(arena, text, len);
	size_t n = 0;

	for (size_t i = 0; out != NULL && i < len; i++)
	{
		if (text[i] == '%' && i + 2 < len && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0)
		{
			out[n++] = (char) (hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		}
		else
			out[n++] = text[i];
	}
	if (out != NULL)
		out[n] = '\0';
	return out;
}

/* The query of floe's own URLs: what is signed is put together again from its parts, in their order. */
static bool
split_query(const char *query, FloeSigV4Param *params, int *nparams, FloeArena *arena, FloeStatus *st)
{
	*nparams = 0;
	while (query != NULL && *query != '\0')
	{
		size_t len = strcspn(query, "&");
		size_t name = Min(strcspn(query, "="), len);
		FloeSigV4Param *param = &params[*nparams];

		if (*nparams == MAX_PARAMS)
			return floe_fail(st, FLOE_ERR_INTERNAL, "a request with more than %d parameters cannot be signed",
							 MAX_PARAMS);
		param->name = decoded(arena, query, name);
		param->value = name < len ? decoded(arena, query + name + 1, len - name - 1) : "";
		if (param->name == NULL || param->value == NULL)
			return floe_fail(st, FLOE_ERR_NOMEM, "out of memory");
		++*nparams;
		query += len + (query[len] == '&' ? 1 : 0);
	}
	return true;
}

void
floe_auth_sigv4_keys(const FloeConn *conn, FloeSigV4Keys *keys)
{
	bool own = floe_conn_option(conn, "sigv4_access_key_id") != NULL;

	keys->access_key = floe_conn_option(conn, own ? "sigv4_access_key_id" : "s3_access_key_id");
	keys->secret_key = floe_conn_option(conn, own ? "sigv4_secret_access_key" : "s3_secret_access_key");
	keys->session_token = floe_conn_option(conn, own ? "sigv4_session_token" : "s3_session_token");
	keys->region = floe_conn_option(conn, "sigv4_region");
	if (keys->region == NULL)
		keys->region = floe_conn_option(conn, "s3_region");
	if (keys->region == NULL)
		keys->region = "us-east-1";
}

static bool
apply_sigv4(const FloeSession *session, FloeHttpRequest *request, FloeArena *arena, FloeStatus *st)
{
	const FloeConn *conn = session->conn;
	FloeSigV4Keys keys;
	FloeSigV4Param params[MAX_PARAMS];
	FloeSigV4Input in = {0};
	FloeSigV4Output out;
	FloeUrl url;
	const char *query;
	uint8_t digest[FLOE_SHA256_SIZE];
	char hash[FLOE_SHA256_HEX_SIZE];

	if (!floe_url_parse(request->url, &url, st))
		return false;
	query = strchr(url.target, '?');
	if (!split_query(query != NULL ? query + 1 : NULL, params, &in.nparams, arena, st))
		return false;
	if (!floe_sha256(request->body != NULL ? request->body : "", request->body_len, digest))
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory");
	floe_sha256_hex(digest, hash);
	in.method = request->method != NULL ? request->method : "GET";
	in.endpoint = &url;
	in.path = floe_arena_text(arena, url.target, query != NULL ? (size_t) (query - url.target) : strlen(url.target));
	in.path_is_encoded = true;
	in.params = params;
	in.send_payload_hash = true;
	in.payload_hash = hash;
	floe_auth_sigv4_keys(conn, &keys);
	in.access_key = keys.access_key;
	in.secret_key = keys.secret_key;
	in.session_token = keys.session_token;
	in.region = keys.region;
	in.service = floe_conn_option(conn, "sigv4_service");
	in.time_ms = floe_clock_wall_ms();
	if (in.path == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory");
	if (!floe_sigv4_sign(&in, arena, &out, st))
		return false;
	request->url = out.url;
	/* a redirect would need another signature */
	request->no_redirect = true;
	for (int i = 0; i < out.nheaders; i++)
	{
		if (!floe_http_add_header(request, out.headers[i].name, out.headers[i].value, st))
			return false;
	}
	return true;
}

bool
floe_auth_apply(FloeSession *session, FloeHttpRequest *request, FloeArena *arena, FloeStatus *st)
{
	const char *token = session->given_token != NULL ? session->given_token : session->token;

	if (session->auth == FLOE_AUTH_SIGV4)
		return apply_sigv4(session, request, arena, st);
	if (session->auth == FLOE_AUTH_BASIC)
		return floe_http_add_header(request, "Authorization", session->basic, st);
	if (token == NULL)
		return true;
	return floe_http_add_header(request, "Authorization", psprintf("Bearer %s", token), st);
}
