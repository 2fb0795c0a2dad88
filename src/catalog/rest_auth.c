/*
 * rest_auth.c: bearer tokens of the REST catalog: given, or by OAuth2 client credentials (RFC 6749, 4.4).
 *
 * A token is fetched once for all calls that wait for it, renewed before it
 * runs out, and thrown away when the catalog answers 401 or 419.  Tokens live
 * in this process's memory only.
 */
#include "floe.h"

#include "catalog/rest.h"

#include "base/clock.h"
#include "base/json.h"
#include "conn/redact.h"
#include "net/http_policy.h"

#include "utils/memutils.h"

#define TOKEN_MAX_BYTES (256 * 1024)
#define DEFAULT_SCOPE "catalog"

bool
floe_rest_auth_init(FloeRest *rest, FloeStatus *st)
{
	const FloeConn *conn = rest->base.conn;
	const char *url = floe_conn_option(conn, "oauth2_server_uri");

	rest->static_token = floe_conn_option(conn, "token");
	rest->has_client = floe_conn_option(conn, "client_secret") != NULL;
	rest->token_url = url != NULL ? pstrdup(url) : psprintf("%s/v1/oauth/tokens", rest->base_url);
	if (rest->static_token != NULL && rest->has_client)
		return floe_fail(st, FLOE_ERR_CONFIG,
						 "the user mapping of server \"%s\" has both \"token\" and \"client_secret\"",
						 conn->server_name);
	if (floe_conn_option(conn, "client_id") != NULL && !rest->has_client)
		return floe_fail(st, FLOE_ERR_CONFIG,
						 "the user mapping of server \"%s\" has \"client_id\" without \"client_secret\"",
						 conn->server_name);
	return true;
}

bool
floe_rest_token_usable(const FloeRest *rest)
{
	if (!rest->has_client)
		return true;
	return rest->token != NULL && floe_clock_steady_us() < rest->token_expires_us;
}

bool
floe_rest_auth_header(FloeRest *rest, FloeHttpRequest *request, FloeStatus *st)
{
	const char *token = rest->static_token != NULL ? rest->static_token : rest->token;

	if (token == NULL)
		return true;
	return floe_http_add_header(request, "Authorization", psprintf("Bearer %s", token), st);
}

void
floe_rest_redact(const FloeRest *rest, char *text, size_t size)
{
	FloeRedaction redaction = {0};

	floe_redaction_add_conn(&redaction, rest->base.conn);
	floe_redaction_add(&redaction, rest->token);
	floe_redact(&redaction, text, size);
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
read_token(FloeRest *rest, const FloeHttpResponse *response, FloeStatus *st)
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
		if (rest->token != NULL)
			pfree(rest->token);
		rest->token = MemoryContextStrdup(rest->context, token);
		rest->token_serial++;
		rest->token_expires_us = expires_s <= 0 ? PG_INT64_MAX : floe_clock_steady_us() + good_for_us(expires_s);
	}
	floe_json_free(doc);
	return ok;
}

static void
on_token(void *arg, FloeHttpResponse *response)
{
	FloeRest *rest = arg;
	FloeStatus st;

	rest->fetching_token = false;
	floe_rest_status(rest, "get token", response, &st);
	/* RFC 6749, 5.2: a refusal of the credentials is a 400 */
	if (response->http_status == 400)
		st.code = FLOE_ERR_AUTH;
	if (st.code == FLOE_ERR_AUTH || st.code == FLOE_ERR_FORBIDDEN)
		floe_fail_detail(&st, FLOE_ERR_AUTH, pstrdup(st.detail), "the token endpoint refused the client credentials");
	if (st.code == FLOE_OK)
		read_token(rest, response, &st);
	floe_rest_release_waiting(rest, &st);
}

void
floe_rest_token_fetch(FloeRest *rest)
{
	const FloeConn *conn = rest->base.conn;
	const char *fields[][2] = {
		{"client_id", floe_conn_option(conn, "client_id")},
		{"client_secret", floe_conn_option(conn, "client_secret")},
		{"scope", floe_conn_option(conn, "scope") != NULL ? floe_conn_option(conn, "scope") : DEFAULT_SCOPE},
		{"audience", floe_conn_option(conn, "audience")},
		{"resource", floe_conn_option(conn, "resource")},
	};
	FloeHttpRequest request = {0};
	StringInfoData body;
	FloeStatus st;

	if (rest->fetching_token)
		return;
	rest->fetching_token = true;
	initStringInfo(&body);
	appendStringInfoString(&body, "grant_type=client_credentials");
	for (size_t i = 0; i < lengthof(fields); i++)
	{
		if (fields[i][1] == NULL)
			continue;
		appendStringInfo(&body, "&%s=", fields[i][0]);
		floe_rest_encode(&body, fields[i][1]);
	}
	request.method = "POST";
	request.url = rest->token_url;
	request.body = body.data;
	request.body_len = body.len;
	request.max_body = TOKEN_MAX_BYTES;
	request.post_is_repeatable = true;
	request.no_redirect = true;
	request.ca_file = floe_conn_option(conn, "ca_file");
	if (!floe_http_add_header(&request, "Content-Type", "application/x-www-form-urlencoded", &st) ||
		!floe_http_add_header(&request, "Accept", "application/json", &st) ||
		!floe_http_submit(rest->base.http, &request, on_token, rest, NULL, &st))
	{
		rest->fetching_token = false;
		floe_status_prefix(&st, "get token");
		floe_rest_release_waiting(rest, &st);
	}
	memset(body.data, 0, body.len);
	pfree(body.data);
}
