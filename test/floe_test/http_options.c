/*
 * http_options.c: FloeHttpOptions and FloeHttpRequest from jsonb, by the names of their fields.
 */
#include "floe.h"

#include "http_options.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

static JsonbValue *
option(Jsonb *options, const char *name, enum jbvType type)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&options->root, name, strlen(name), NULL);

	if (value != NULL && value->type != type)
		elog(ERROR, "option \"%s\" has the wrong type", name);
	return value;
}

int64
floe_test_option_int(Jsonb *options, const char *name, int64 otherwise)
{
	JsonbValue *value = option(options, name, jbvNumeric);

	if (value == NULL)
		return otherwise;
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

bool
floe_test_option_bool(Jsonb *options, const char *name, bool otherwise)
{
	JsonbValue *value = option(options, name, jbvBool);

	return value ? value->val.boolean : otherwise;
}

static const char *
option_text(Jsonb *options, const char *name, const char *otherwise)
{
	JsonbValue *value = option(options, name, jbvString);

	return value ? pnstrdup(value->val.string.val, value->val.string.len) : otherwise;
}

void
floe_test_read_engine_options(Jsonb *options, FloeHttpOptions *engine)
{
	engine->low_speed_bytes = floe_test_option_int(options, "low_speed_bytes", engine->low_speed_bytes);
	engine->low_speed_s = floe_test_option_int(options, "low_speed_s", engine->low_speed_s);
	engine->max_header_bytes = floe_test_option_int(options, "max_header_bytes", engine->max_header_bytes);
	engine->max_redirects = floe_test_option_int(options, "max_redirects", engine->max_redirects);
	engine->max_connections = floe_test_option_int(options, "max_connections", engine->max_connections);
	engine->max_connections_per_host =
		floe_test_option_int(options, "max_connections_per_host", engine->max_connections_per_host);
	engine->max_in_flight = floe_test_option_int(options, "max_in_flight", engine->max_in_flight);
	engine->allowed_hosts = option_text(options, "allowed_hosts", engine->allowed_hosts);
	engine->proxy = option_text(options, "proxy", engine->proxy);
	engine->portable_wait = floe_test_option_bool(options, "portable_wait", engine->portable_wait);
}

static void
read_headers(Jsonb *options, FloeHttpRequest *request)
{
	JsonbValue *headers = getKeyJsonValueFromContainer(&options->root, "headers", strlen("headers"), NULL);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue value;
	const char *name = NULL;

	if (headers == NULL)
		return;
	iterator = JsonbIteratorInit(headers->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
		{
			/* straight into the array: that a bad one is refused is the engine's business */
			request->headers[request->nheaders].name = name;
			request->headers[request->nheaders].value = pnstrdup(value.val.string.val, value.val.string.len);
			request->nheaders++;
		}
	}
}

void
floe_test_read_request(Jsonb *options, FloeHttpRequest *request)
{
	request->method = option_text(options, "method", NULL);
	request->body = option_text(options, "body", NULL);
	request->body_len = request->body ? strlen(request->body) : 0;
	if (floe_test_option_int(options, "body_size", 0) > 0)
	{
		request->body_len = floe_test_option_int(options, "body_size", 0);
		request->body = palloc0(request->body_len);
	}
	request->connect_timeout_ms = floe_test_option_int(options, "connect_timeout_ms", 0);
	request->total_timeout_ms = floe_test_option_int(options, "total_timeout_ms", 0);
	request->max_body = floe_test_option_int(options, "max_body", 0);
	request->max_attempts = floe_test_option_int(options, "max_attempts", 0);
	request->post_is_repeatable = floe_test_option_bool(options, "post_is_repeatable", false);
	request->no_redirect = floe_test_option_bool(options, "no_redirect", false);
	request->accept_gzip = floe_test_option_bool(options, "accept_gzip", false);
	request->ca_file = option_text(options, "ca_file", NULL);
	read_headers(options, request);
}
