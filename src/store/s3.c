/*
 * s3.c: objects in S3 and in stores that speak its protocol.
 *
 * Keys come from the user mapping, else from what the catalog vended for the
 * longest prefix of the location.  Iceberg locations hold keys as they are,
 * not percent-encoded (org.apache.iceberg.aws.s3.S3URI), and so they are signed.
 */
#include "floe.h"

#include "store/store.h"

#include "base/clock.h"
#include "base/url.h"
#include "conn/redact.h"
#include "net/http_policy.h"
#include "net/sigv4.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_REGION "us-east-1"
#define ARENA_BYTES (256 * 1024)

typedef struct S3Target
{
	const char *bucket;
	const char *key;
	FloeUrl endpoint;
	const char *path; /* raw: what is signed and, encoded, sent */
	const char *access_key;
	const char *secret_key;
	const char *session_token;
	const char *region;
} S3Target;

static const FloeStoreGrant *
grant_for(const FloeStoreJob *job)
{
	const FloeStoreGrant *best = NULL;

	for (int i = 0; i < job->store->ngrants; i++)
	{
		const FloeStoreGrant *grant = &job->store->grants[i];

		if (strncmp(job->location, grant->prefix, strlen(grant->prefix)) != 0)
			continue;
		if (best == NULL || strlen(grant->prefix) > strlen(best->prefix))
			best = grant;
	}
	return best;
}

static const char *
setting(const FloeStoreGrant *grant, const char *key)
{
	for (int i = 0; grant != NULL && i < grant->nsettings; i++)
	{
		if (strcmp(grant->settings[i].key, key) == 0)
			return grant->settings[i].value;
	}
	return NULL;
}

/* The server's option, what came with the table, what the catalog says for all tables. */
static const char *
resolve(const FloeStoreJob *job, const FloeStoreGrant *grant, const char *option, const char *key)
{
	const FloeStore *store = job->store;
	const char *value = floe_conn_option(store->conn, option);

	if (value == NULL)
		value = setting(grant, key);
	if (value == NULL && store->catalog_default != NULL)
		value = store->catalog_default(store->catalog_default_arg, key);
	return value;
}

static bool
find_credentials(FloeStoreJob *job, const FloeStoreGrant *grant, S3Target *target)
{
	target->access_key = floe_conn_option(job->store->conn, "s3_access_key_id");
	if (target->access_key != NULL)
	{
		target->secret_key = floe_conn_option(job->store->conn, "s3_secret_access_key");
		target->session_token = floe_conn_option(job->store->conn, "s3_session_token");
	}
	else
	{
		target->access_key = setting(grant, "s3.access-key-id");
		target->secret_key = setting(grant, "s3.secret-access-key");
		target->session_token = setting(grant, "s3.session-token");
	}
	if (target->access_key == NULL || target->secret_key == NULL)
		return floe_fail_detail(&job->st, FLOE_ERR_CONFIG,
								"The user mapping has no s3_access_key_id and s3_secret_access_key, and the catalog "
								"vended none for this location.",
								"no S3 credentials for \"%s\"", job->shown);
	return true;
}

/* The endpoint, with the bucket in its host name or in the path. */
static bool
find_endpoint(FloeStoreJob *job, const FloeStoreGrant *grant, S3Target *target)
{
	const char *endpoint = resolve(job, grant, "s3_endpoint", "s3.endpoint");
	const char *style = resolve(job, grant, "s3_path_style", "s3.path-style-access");
	bool path_style = style != NULL ? pg_strcasecmp(style, "true") == 0 : endpoint != NULL;
	FloeBuf text;
	FloeUrl url;
	const char *base;
	bool ok;

	floe_buf_init(&text, FLOE_URL_MAX);
	if (endpoint == NULL)
		floe_buf_printf(&text, "https://s3.%s.amazonaws.com", target->region);
	else
		floe_buf_printf(&text, "%s%s", strstr(endpoint, "://") == NULL ? "https://" : "", endpoint);
	ok = !text.failed && floe_url_parse(text.data, &url, &job->st);
	if (!ok)
	{
		floe_buf_free(&text);
		return floe_status_prefix(&job->st, "S3 endpoint");
	}
	base = floe_arena_text(job->arena, url.target, strcspn(url.target, "?"));
	if (!path_style)
	{
		FloeUrl plain = url;

		floe_buf_reset(&text);
		floe_buf_printf(&text, "%s://%s.%s:%d", plain.https ? "https" : "http", target->bucket, plain.host, plain.port);
		ok = !text.failed && !plain.is_literal && floe_url_parse(text.data, &url, &job->st);
		if (!ok)
		{
			floe_buf_free(&text);
			return floe_fail(&job->st, FLOE_ERR_CONFIG,
							 "bucket \"%.80s\" cannot be part of a host name; use path style", target->bucket);
		}
	}
	target->endpoint = url;
	target->endpoint.target = "";
	floe_buf_reset(&text);
	while (base != NULL && *base == '/')
		base++;
	floe_buf_printf(&text, "/%s%s", base != NULL ? base : "",
					base != NULL && *base != '\0' && base[strlen(base) - 1] != '/' ? "/" : "");
	if (path_style)
		floe_buf_printf(&text, "%s/", target->bucket);
	floe_buf_text(&text, target->key);
	target->path = text.failed ? NULL : floe_arena_text(job->arena, text.data, text.len);
	floe_buf_free(&text);
	if (target->path == NULL)
		return floe_fail(&job->st, FLOE_ERR_TOO_LARGE, "location \"%s\" is too long", job->shown);
	return true;
}

static bool
find_target(FloeStoreJob *job, size_t scheme_len, S3Target *target)
{
	const FloeStoreGrant *grant = grant_for(job);
	const char *bucket = job->location + scheme_len;
	const char *slash = strchr(bucket, '/');

	memset(target, 0, sizeof(*target));
	if (slash == NULL || slash == bucket || slash[1] == '\0')
		return floe_fail(&job->st, FLOE_ERR_CORRUPT, "location \"%s\" has no bucket and key", job->shown);
	target->bucket = floe_arena_text(job->arena, bucket, (size_t) (slash - bucket));
	target->key = slash + 1;
	if (target->bucket == NULL)
		return floe_fail(&job->st, FLOE_ERR_NOMEM, "out of memory");
	target->region = resolve(job, grant, "s3_region", "s3.region");
	if (target->region == NULL)
		target->region = resolve(job, grant, "s3_region", "client.region");
	if (target->region == NULL)
		target->region = DEFAULT_REGION;
	return find_credentials(job, grant, target) && find_endpoint(job, grant, target);
}

/* The text of an XML element, without entities: for people. */
static void
element(const FloeBuf *body, const char *name, char *out, size_t size)
{
	char open[32];
	const char *start;
	const char *end;

	out[0] = '\0';
	snprintf(open, sizeof(open), "<%s>", name);
	start = body->data != NULL ? strstr(body->data, open) : NULL;
	end = start != NULL ? strchr(start + strlen(open), '<') : NULL;
	if (end != NULL)
		floe_copy_text(out, size, start + strlen(open), (size_t) (end - start) - strlen(open));
}

/* The keys may be the user mapping's or those that the catalog vended. */
static void
redact(const FloeStoreJob *job, char *text, size_t size)
{
	const FloeStoreGrant *grant = grant_for(job);
	FloeRedaction redaction = {0};

	floe_redaction_add_conn(&redaction, job->store->conn);
	floe_redaction_add(&redaction, setting(grant, "s3.secret-access-key"));
	floe_redaction_add(&redaction, setting(grant, "s3.session-token"));
	floe_redact(&redaction, text, size);
}

static void
on_answer(void *arg, FloeHttpResponse *response)
{
	FloeStoreJob *job = arg;
	FloeCode code = floe_http_code(response->http_status, response->status.retry_after_ms);
	char reason[64];
	char message[FLOE_STATUS_DETAIL_SIZE];
	char detail[FLOE_STATUS_DETAIL_SIZE + 66];
	char length[32];

	if (response->status.code != FLOE_OK)
	{
		job->st = response->status;
		floe_status_prefix(&job->st, "read \"%s\"", job->shown);
	}
	else if (code != FLOE_OK || response->http_status == 304)
	{
		element(&response->body, "Code", reason, sizeof(reason));
		element(&response->body, "Message", message, sizeof(message));
		/* versitygw's answer to an access key it does not know: nothing was said of the object */
		if (code == FLOE_ERR_NOT_FOUND && strcmp(reason, "XAdminUserNotFound") == 0)
			code = FLOE_ERR_FORBIDDEN;
		snprintf(detail, sizeof(detail), "%s%s%s", reason, message[0] != '\0' ? ": " : "", message);
		redact(job, detail, sizeof(detail));
		floe_fail_detail(&job->st, code != FLOE_OK ? code : FLOE_ERR_PROTOCOL, detail,
						 "read \"%s\": the store answered %d", job->shown, response->http_status);
		job->st.http_status = response->http_status;
		job->st.retry_after_ms = response->status.retry_after_ms;
	}
	else
	{
		job->data = response->body;
		floe_buf_init(&response->body, 0);
		job->size = (int64_t) job->data.len;
		if (job->read.size_only || job->read.sink != NULL)
			job->size =
				floe_http_header(response, "Content-Length", length, sizeof(length)) ? strtoll(length, NULL, 10) : -1;
	}
	floe_store_finish(job);
}

void
floe_store_s3_start(FloeStoreJob *job, size_t scheme_len)
{
	FloeHttpRequest request = {0};
	FloeSigV4Input in = {0};
	FloeSigV4Output out;
	S3Target target;

	job->arena = floe_arena_new(ARENA_BYTES);
	if (job->arena == NULL)
	{
		floe_fail(&job->st, FLOE_ERR_NOMEM, "out of memory");
		floe_store_finish(job);
		return;
	}
	if (!find_target(job, scheme_len, &target))
	{
		floe_store_finish(job);
		return;
	}
	request.method = job->read.size_only ? "HEAD" : "GET";
	in.method = request.method;
	in.endpoint = &target.endpoint;
	in.path = target.path;
	in.s3 = true;
	in.send_payload_hash = true;
	in.access_key = target.access_key;
	in.secret_key = target.secret_key;
	in.session_token = target.session_token;
	in.region = target.region;
	in.service = "s3";
	in.time_ms = floe_clock_wall_ms();
	if (floe_sigv4_sign(&in, job->arena, &out, &job->st))
	{
		request.url = out.url;
		for (int i = 0; i < out.nheaders; i++)
			request.headers[request.nheaders++] = out.headers[i];
		request.max_body = job->read.max_bytes;
		request.no_redirect = true;
		request.ca_file = floe_conn_option(job->store->conn, "ca_file");
		request.sink = job->read.size_only ? NULL : job->read.sink;
		request.sink_arg = job->read.sink_arg;
		if (floe_http_submit(job->store->http, &request, on_answer, job, NULL, &job->st))
			return;
	}
	floe_status_prefix(&job->st, "read \"%s\"", job->shown);
	floe_store_finish(job);
}
