/*
 * rest.c: the Iceberg REST catalog adapter: connection, configuration, and how every request is sent.
 *
 * Source: Apache Iceberg, open-api/rest-catalog-open-api.yaml; where real
 * servers differ from it, what they do.  Listing, loading, tokens, errors and
 * what engines are told have files of their own.
 */
#include "floe.h"

#include "catalog/rest.h"

#include "base/json.h"
#include "base/url.h"

#include "utils/memutils.h"

#define CONFIG_MAX_BYTES (1024 * 1024)
#define DEFAULT_SEPARATOR "%1F"

void
floe_rest_encode_namespace(FloeRest *rest, StringInfo out, const char *const *levels, int nlevels)
{
	for (int i = 0; i < nlevels; i++)
	{
		if (i > 0)
			appendStringInfoString(out, rest->separator);
		floe_session_encode(out, levels[i]);
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
	MemoryContextSwitchTo(old);
	return call;
}

static void
end_call(FloeRestCall *call, const FloeStatus *st, FloeHttpResponse *response)
{
	call->done(call, st, response);
	pfree(unconstify(char *, call->what));
	pfree(unconstify(char *, call->path));
	pfree(call);
}

static void
on_response(void *arg, const FloeStatus *st, FloeHttpResponse *response)
{
	end_call(arg, st, response);
}

static void
send_now(FloeRestCall *call)
{
	FloeRest *rest = call->rest;
	bool prefixed = !call->before_config && rest->prefix[0] != '\0';
	char *path = psprintf("%s%s%s%s", call->root != NULL ? call->root : "/v1/", prefixed ? rest->prefix : "",
						  prefixed ? "/" : "", call->path);
	FloeSessionRequest request = {
		.what = call->what,
		.path = path,
		.max_body = call->max_body,
		.sink = call->sink,
		.sink_arg = call->arg,
	};

	if (call->wants_credentials && rest->delegation != NULL)
		request.headers[request.nheaders++] = (FloeHttpHeader){"X-Iceberg-Access-Delegation", rest->delegation};
	if (call->if_none_match != NULL)
		request.headers[request.nheaders++] = (FloeHttpHeader){"If-None-Match", call->if_none_match};
	floe_session_send(&rest->session, &request, on_response, call);
	pfree(path);
}

/* Sends, or keeps until the configuration is there. */
void
floe_rest_send(FloeRestCall *call)
{
	FloeRest *rest = call->rest;
	MemoryContext old;

	if (rest->phase == FLOE_REST_READY || call->before_config)
		send_now(call);
	else if (rest->phase == FLOE_REST_FAILED)
		end_call(call, &rest->failure, NULL);
	else
	{
		old = MemoryContextSwitchTo(rest->context);
		rest->waiting = lappend(rest->waiting, call);
		MemoryContextSwitchTo(old);
	}
}

static void
connected(FloeRest *rest, const FloeStatus *st)
{
	FloeCatalogDone done = rest->connect_done;
	List *calls = rest->waiting;
	ListCell *cell;

	rest->phase = st->code == FLOE_OK ? FLOE_REST_READY : FLOE_REST_FAILED;
	rest->failure = *st;
	rest->connect_done = NULL;
	if (done != NULL)
		done(rest->connect_arg, st);
	rest->waiting = NIL;
	foreach (cell, calls)
		floe_rest_send(lfirst(cell));
	list_free(calls);
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
	if (!floe_url_parse(rest->session.base_url, &here, &ignored) || !floe_url_parse(uri, &there, &ignored) ||
		!floe_url_same_origin(&here, &there))
	{
		rest->ignored_uri = true;
		return;
	}
	floe_session_set_base(&rest->session, uri);
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
	if (value != NULL)
		floe_session_take_token(&rest->session, value);
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

	if (floe_session_says_missing(st, response) && floe_conn_option(rest->base.conn, "warehouse") != NULL)
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
		floe_session_encode(&path, warehouse);
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
	rest->prefix = pstrdup("");
	rest->separator = pstrdup(DEFAULT_SEPARATOR);
	rest->endpoint_count = -1;
	rest->delegation = floe_rest_delegation(conn, NULL);
	if (!floe_session_init(&rest->session, http, conn, uri, "/v1/oauth/tokens", &rest->base.under_way, st))
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
	floe_buf_printf(out, ", \"authentication\": \"%s\"}", floe_session_auth_name(&rest->session));
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
rest_engine_properties(const FloeCatalog *catalog, FloeCatalogProperty add, void *arg)
{
	const FloeRest *rest = (const FloeRest *) catalog;

	floe_rest_engine_properties(&rest->session, floe_conn_option(catalog->conn, "uri"), NULL, add, arg);
}

const FloeCatalogOps floe_catalog_rest = {
	.type = "rest",
	.engine_type = "rest",
	.open = rest_open,
	.connect = rest_connect,
	.probe = rest_probe,
	.list_tables = floe_rest_list_tables,
	.load_table = floe_rest_load_table,
	.list_policies = floe_rest_list_policies,
	.property = rest_property,
	.describe = rest_describe,
	.engine_properties = rest_engine_properties,
};
