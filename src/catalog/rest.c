/*
 * rest.c: the Iceberg REST catalog adapter: connection, configuration, and how every request is sent.
 *
 * Source: Apache Iceberg, open-api/rest-catalog-open-api.yaml; where real
 * servers differ from it, what they do.  Listing, loading, tokens and errors
 * have files of their own.
 */
#include "floe.h"

#include "catalog/rest.h"

#include "base/json.h"
#include "base/url.h"

#include "utils/memutils.h"

#define CONFIG_MAX_BYTES (1024 * 1024)
#define DEFAULT_SEPARATOR "%1F"

static void send_now(FloeRestCall *call);

/* Percent-encodes everything but the unreserved characters of RFC 3986. */
void
floe_rest_encode(StringInfo out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
	{
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			strchr("-._~", *p) != NULL)
			appendStringInfoCharMacro(out, *p);
		else
			appendStringInfo(out, "%%%02X", *p);
	}
}

void
floe_rest_encode_namespace(FloeRest *rest, StringInfo out, const char *const *levels, int nlevels)
{
	for (int i = 0; i < nlevels; i++)
	{
		if (i > 0)
			appendStringInfoString(out, rest->separator);
		floe_rest_encode(out, levels[i]);
	}
}

FloeRestCall *
floe_rest_call(FloeRest *rest, const char *what, const char *path, FloeRestDone done, void *arg)
{
	MemoryContext old = MemoryContextSwitchTo(rest->context);
	FloeRestCall *call = palloc0(sizeof(FloeRestCall));

	call->rest = rest;
	call->what = pstrdup(what);
	call->path = pstrdup(path);
	call->done = done;
	call->arg = arg;
	rest->base.under_way++;
	MemoryContextSwitchTo(old);
	return call;
}

static void
end_call(FloeRestCall *call, const FloeStatus *st, FloeHttpResponse *response)
{
	call->done(call, st, response);
	call->rest->base.under_way--;
	pfree(unconstify(char *, call->what));
	pfree(unconstify(char *, call->path));
	pfree(call);
}

static void
on_response(void *arg, FloeHttpResponse *response)
{
	FloeRestCall *call = arg;
	FloeRest *rest = call->rest;
	FloeStatus st;

	floe_rest_status(rest, call->what, response, &st);
	if (st.code == FLOE_ERR_AUTH && rest->has_client && !call->retried)
	{
		/* the token ran out, or was withdrawn: once more with another one, if nobody has got one meanwhile */
		call->retried = true;
		if (call->token_serial == rest->token_serial)
			rest->token_expires_us = 0;
		floe_rest_send(call);
		return;
	}
	end_call(call, &st, response);
}

static bool
add_headers(FloeRestCall *call, FloeHttpRequest *request, FloeStatus *st)
{
	FloeRest *rest = call->rest;
	const FloeConn *conn = rest->base.conn;

	if (!floe_http_add_header(request, "Accept", "application/json", st))
		return false;
	for (int i = 0; i < conn->noptions; i++)
	{
		const char *name = conn->options[i].name;

		if (strncmp(name, "header.", 7) == 0 && !floe_http_add_header(request, name + 7, conn->options[i].value, st))
			return false;
	}
	if (call->wants_credentials && rest->delegation != NULL &&
		!floe_http_add_header(request, "X-Iceberg-Access-Delegation", rest->delegation, st))
		return false;
	if (call->if_none_match != NULL && !floe_http_add_header(request, "If-None-Match", call->if_none_match, st))
		return false;
	return floe_rest_auth_header(rest, request, st);
}

static void
send_now(FloeRestCall *call)
{
	FloeRest *rest = call->rest;
	FloeHttpRequest request = {0};
	StringInfoData url;
	FloeStatus st;

	initStringInfo(&url);
	appendStringInfo(&url, "%s/v1/", rest->base_url);
	if (!call->before_config && rest->prefix[0] != '\0')
		appendStringInfo(&url, "%s/", rest->prefix);
	appendStringInfoString(&url, call->path);
	request.url = url.data;
	request.max_body = call->max_body;
	request.accept_gzip = true;
	request.ca_file = floe_conn_option(rest->base.conn, "ca_file");
	call->token_serial = rest->token_serial;
	request.sink = call->sink;
	request.sink_arg = call->arg;
	if (!add_headers(call, &request, &st) || !floe_http_submit(rest->base.http, &request, on_response, call, NULL, &st))
	{
		floe_status_prefix(&st, "%s", call->what);
		end_call(call, &st, NULL);
	}
	pfree(url.data);
}

/* Sends, or keeps until the configuration and a token are there. */
void
floe_rest_send(FloeRestCall *call)
{
	FloeRest *rest = call->rest;
	MemoryContext old;

	if (rest->phase == FLOE_REST_FAILED && !call->before_config)
	{
		end_call(call, &rest->failure, NULL);
		return;
	}
	if (floe_rest_token_usable(rest) && (rest->phase == FLOE_REST_READY || call->before_config))
	{
		send_now(call);
		return;
	}
	old = MemoryContextSwitchTo(rest->context);
	rest->waiting = lappend(rest->waiting, call);
	MemoryContextSwitchTo(old);
	if (!floe_rest_token_usable(rest))
		floe_rest_token_fetch(rest);
}

/* After a token or the configuration arrived, or failed to. */
void
floe_rest_release_waiting(FloeRest *rest, const FloeStatus *st)
{
	List *calls = rest->waiting;
	ListCell *cell;

	rest->waiting = NIL;
	foreach (cell, calls)
	{
		FloeRestCall *call = lfirst(cell);

		if (st->code != FLOE_OK)
			end_call(call, st, NULL);
		else
			floe_rest_send(call);
	}
	list_free(calls);
}

static void
connected(FloeRest *rest, const FloeStatus *st)
{
	FloeCatalogDone done = rest->connect_done;

	rest->phase = st->code == FLOE_OK ? FLOE_REST_READY : FLOE_REST_FAILED;
	rest->failure = *st;
	rest->connect_done = NULL;
	if (done != NULL)
		done(rest->connect_arg, st);
	floe_rest_release_waiting(rest, st);
}

static bool
is_safe_path(const char *prefix)
{
	if (prefix[0] == '/' || strstr(prefix, "..") != NULL)
		return false;
	return prefix[strspn(prefix,
						 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%/!$&'()*+,;=:@")] == '\0';
}

/*
 * Last of defaults, the server's options and overrides that has it (spec:
 * overrides win over the client, the client over defaults).
 */
static const char *
config_value(FloeRest *rest, FloeJson defaults, FloeJson overrides, const char *key, const char *option)
{
	const char *value = floe_json_string(floe_json_field(overrides, key));

	if (value == NULL && option != NULL)
		value = floe_conn_option(rest->base.conn, option);
	if (value == NULL)
		value = floe_json_string(floe_json_field(defaults, key));
	return value;
}

static void
keep_properties(FloeRest *rest, FloeJson object)
{
	for (FloeJsonIter it = floe_json_iter(object); floe_json_next(&it);)
	{
		const char *value = floe_json_string(it.value);
		FloeRestProperty *property;

		if (value == NULL || (strncmp(it.key, "s3.", 3) != 0 && strcmp(it.key, "client.region") != 0))
			continue;
		property = palloc(sizeof(FloeRestProperty));
		property->key = pstrdup(it.key);
		property->value = pstrdup(value);
		rest->properties = lappend(rest->properties, property);
	}
}

/* A catalog may say that it is elsewhere. Its credentials only follow within the same origin. */
static void
apply_uri(FloeRest *rest, const char *uri)
{
	FloeUrl here;
	FloeUrl there;
	FloeStatus ignored;

	if (uri == NULL)
		return;
	if (!floe_url_parse(rest->base_url, &here, &ignored) || !floe_url_parse(uri, &there, &ignored) ||
		!floe_url_same_origin(&here, &there))
	{
		rest->ignored_uri = true;
		return;
	}
	rest->base_url = pstrdup(uri);
	while (rest->base_url[0] != '\0' && rest->base_url[strlen(rest->base_url) - 1] == '/')
		rest->base_url[strlen(rest->base_url) - 1] = '\0';
}

static bool
apply_config(FloeRest *rest, FloeJson root, FloeStatus *st)
{
	FloeJson defaults;
	FloeJson overrides;
	FloeJson endpoints;
	const char *value;

	if (!floe_json_opt_object(root, "defaults", &defaults, st) ||
		!floe_json_opt_object(root, "overrides", &overrides, st) ||
		!floe_json_opt_array(root, "endpoints", &endpoints, st))
		return false;
	if (floe_json_kind(defaults) == FLOE_JSON_NONE && floe_json_kind(overrides) == FLOE_JSON_NONE)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "the answer to /v1/config has neither \"defaults\" nor \"overrides\"");
	rest->endpoint_count = floe_json_kind(endpoints) == FLOE_JSON_ARRAY ? (int) floe_json_length(endpoints) : -1;
	value = config_value(rest, defaults, overrides, "prefix", "prefix");
	if (value != NULL && !is_safe_path(value))
		return floe_fail_detail(st, FLOE_ERR_PROTOCOL, value, "the catalog's prefix is not a URL path");
	rest->prefix = pstrdup(value != NULL ? value : "");
	while (rest->prefix[0] != '\0' && rest->prefix[strlen(rest->prefix) - 1] == '/')
		rest->prefix[strlen(rest->prefix) - 1] = '\0';
	value = config_value(rest, defaults, overrides, "namespace-separator", NULL);
	if (value != NULL && (!is_safe_path(value) || strlen(value) == 0 || strlen(value) > 16))
		return floe_fail_detail(st, FLOE_ERR_PROTOCOL, value, "the catalog's namespace separator is not usable");
	if (value != NULL)
		rest->separator = pstrdup(value);
	apply_uri(rest, config_value(rest, defaults, overrides, "uri", NULL));
	value = config_value(rest, defaults, overrides, "token", NULL);
	if (value != NULL && rest->static_token == NULL && !rest->has_client)
	{
		rest->token = pstrdup(value);
		rest->token_from_server = true;
	}
	keep_properties(rest, defaults);
	keep_properties(rest, overrides);
	return true;
}

static void
on_config(FloeRestCall *call, const FloeStatus *st, FloeHttpResponse *response)
{
	FloeRest *rest = call->rest;
	MemoryContext old = MemoryContextSwitchTo(rest->context);
	FloeStatus result = *st;
	FloeJsonDoc *doc;

	if (floe_rest_says_missing(st, response) && floe_conn_option(rest->base.conn, "warehouse") != NULL)
		floe_fail_detail(&result, FLOE_ERR_NOT_FOUND, st->detail,
						 "the catalog has no warehouse \"%s\", or does not show it to these credentials",
						 floe_conn_option(rest->base.conn, "warehouse"));
	else if (st->code == FLOE_OK)
	{
		doc =
			floe_json_parse(response->body.data, response->body.len, "answer to /v1/config", CONFIG_MAX_BYTES, &result);
		if (doc != NULL)
		{
			floe_status_ok(&result);
			apply_config(rest, floe_json_root(doc), &result);
			floe_json_free(doc);
		}
	}
	MemoryContextSwitchTo(old);
	connected(rest, &result);
}

static void
rest_connect(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	FloeRest *rest = (FloeRest *) catalog;
	const char *warehouse = floe_conn_option(catalog->conn, "warehouse");
	StringInfoData path;
	FloeRestCall *call;

	rest->phase = FLOE_REST_CONNECTING;
	rest->connect_done = done;
	rest->connect_arg = arg;
	initStringInfo(&path);
	appendStringInfoString(&path, "config");
	if (warehouse != NULL)
	{
		appendStringInfoString(&path, "?warehouse=");
		floe_rest_encode(&path, warehouse);
	}
	call = floe_rest_call(rest, "get configuration", path.data, on_config, NULL);
	call->before_config = true;
	call->max_body = CONFIG_MAX_BYTES;
	pfree(path.data);
	floe_rest_send(call);
}

typedef struct Probe
{
	FloeCatalogDone done;
	void *arg;
} Probe;

static void
on_probe(FloeRestCall *call, const FloeStatus *st, FloeHttpResponse *response)
{
	Probe *probe = call->arg;
	FloeStatus result = *st;
	FloeJsonDoc *doc;
	FloeJson namespaces;

	if (st->code == FLOE_OK)
	{
		doc = floe_json_parse(response->body.data, response->body.len, "answer to list namespaces", CONFIG_MAX_BYTES,
							  &result);
		if (doc != NULL && floe_json_get_array(floe_json_root(doc), "namespaces", &namespaces, &result))
			floe_status_ok(&result);
		floe_json_free(doc);
	}
	probe->done(probe->arg, &result);
	pfree(probe);
}

static void
rest_probe(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	FloeRest *rest = (FloeRest *) catalog;
	Probe *probe = MemoryContextAlloc(rest->context, sizeof(Probe));
	FloeRestCall *call;

	probe->done = done;
	probe->arg = arg;
	call = floe_rest_call(rest, "list namespaces", "namespaces?pageToken=&pageSize=1", on_probe, probe);
	call->max_body = CONFIG_MAX_BYTES * 16;
	floe_rest_send(call);
}

static const char *
choose_delegation(const FloeConn *conn)
{
	const char *option = floe_conn_option(conn, "access_delegation");

	if (option != NULL)
		return strcmp(option, "none") == 0 ? NULL : option;
	/* with keys of our own, nothing the server would have to make for us */
	return floe_conn_option(conn, "s3_access_key_id") != NULL ? NULL : "vended-credentials";
}

static FloeCatalog *
rest_open(FloeHttp *http, const FloeConn *conn, FloeStatus *st)
{
	FloeRest *rest = palloc0(sizeof(FloeRest));
	const char *uri = floe_conn_option(conn, "uri");

	rest->base.ops = &floe_catalog_rest;
	rest->base.conn = conn;
	rest->base.http = http;
	rest->context = CurrentMemoryContext;
	if (uri == NULL)
	{
		floe_fail(st, FLOE_ERR_CONFIG, "server \"%s\" has no option \"uri\"", conn->server_name);
		return NULL;
	}
	rest->base_url = pstrdup(uri);
	while (rest->base_url[0] != '\0' && rest->base_url[strlen(rest->base_url) - 1] == '/')
		rest->base_url[strlen(rest->base_url) - 1] = '\0';
	rest->prefix = pstrdup("");
	rest->separator = pstrdup(DEFAULT_SEPARATOR);
	rest->endpoint_count = -1;
	rest->delegation = choose_delegation(conn);
	if (!floe_rest_auth_init(rest, st))
		return NULL;
	return &rest->base;
}

static void
rest_describe(const FloeCatalog *catalog, FloeBuf *out)
{
	const FloeRest *rest = (const FloeRest *) catalog;

	floe_buf_text(out, "{\"prefix\": ");
	floe_json_quote(out, rest->prefix, strlen(rest->prefix));
	floe_buf_text(out, ", \"namespace_separator\": ");
	floe_json_quote(out, rest->separator, strlen(rest->separator));
	if (rest->endpoint_count >= 0)
		floe_buf_printf(out, ", \"endpoints\": %d", rest->endpoint_count);
	if (rest->ignored_uri)
		floe_buf_text(out, ", \"ignored_uri\": true");
	floe_buf_printf(out, ", \"authentication\": \"%s\"}",
					rest->has_client                                        ? "oauth2"
					: rest->static_token != NULL || rest->token_from_server ? "bearer"
																			: "none");
}

static const char *
rest_property(const FloeCatalog *catalog, const char *key)
{
	const FloeRest *rest = (const FloeRest *) catalog;
	const char *value = NULL;
	ListCell *cell;

	/* overrides come last and win */
	foreach (cell, rest->properties)
	{
		const FloeRestProperty *property = lfirst(cell);

		if (strcmp(property->key, key) == 0)
			value = property->value;
	}
	return value;
}

static void
rest_engine_properties(const FloeConn *conn, FloeCatalogProperty add, void *arg)
{
	static const struct
	{
		const char *option;
		const char *property;
	} plain[] = {
		{"uri", "uri"},
		{"warehouse", "warehouse"},
		{"prefix", "prefix"},
		{"oauth2_server_uri", "oauth2-server-uri"},
		{"scope", "scope"},
		{"audience", "audience"},
		{"resource", "resource"},
		{"token", "token"},
		{"s3_endpoint", "s3.endpoint"},
		{"s3_path_style", "s3.path-style-access"},
		{"s3_region", "client.region"},
		{"s3_access_key_id", "s3.access-key-id"},
		{"s3_secret_access_key", "s3.secret-access-key"},
		{"s3_session_token", "s3.session-token"},
	};
	const char *id = floe_conn_option(conn, "client_id");
	const char *secret = floe_conn_option(conn, "client_secret");
	const char *delegation = choose_delegation(conn);

	for (size_t i = 0; i < lengthof(plain); i++)
	{
		if (floe_conn_option(conn, plain[i].option) != NULL)
			add(arg, plain[i].property, floe_conn_option(conn, plain[i].option));
	}
	if (secret != NULL)
	{
		add(arg, "credential", id != NULL ? psprintf("%s:%s", id, secret) : secret);
		if (floe_conn_option(conn, "scope") == NULL)
			add(arg, "scope", "catalog");
	}
	if (floe_conn_option(conn, "s3_endpoint") != NULL || floe_conn_option(conn, "s3_access_key_id") != NULL)
	{
		add(arg, "io-impl", "org.apache.iceberg.aws.s3.S3FileIO");
		if (floe_conn_option(conn, "s3_region") == NULL)
			add(arg, "client.region", "us-east-1");
		if (floe_conn_option(conn, "s3_path_style") == NULL && floe_conn_option(conn, "s3_endpoint") != NULL)
			add(arg, "s3.path-style-access", "true");
	}
	if (delegation != NULL)
		add(arg, "header.X-Iceberg-Access-Delegation", delegation);
	for (int i = 0; i < conn->noptions; i++)
	{
		if (strncmp(conn->options[i].name, "header.", 7) == 0)
			add(arg, conn->options[i].name, conn->options[i].value);
	}
	for (int i = 0; i < conn->noptions; i++)
	{
		if (strncmp(conn->options[i].name, "engine.", 7) == 0)
			add(arg, conn->options[i].name + 7, conn->options[i].value);
	}
}

const FloeCatalogOps floe_catalog_rest = {
	.type = "rest",
	.open = rest_open,
	.connect = rest_connect,
	.probe = rest_probe,
	.list_tables = floe_rest_list_tables,
	.load_table = floe_rest_load_table,
	.property = rest_property,
	.describe = rest_describe,
	.engine_properties = rest_engine_properties,
};
