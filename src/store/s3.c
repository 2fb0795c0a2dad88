/*
 * s3.c: objects in S3 and in stores that speak its protocol.
 *
 * Keys come from the user mapping, else from what the catalog vended for the
 * longest prefix of the location.  Iceberg locations hold keys as they are,
 * not percent-encoded (org.apache.iceberg.aws.s3.S3URI), and so they are signed.
 *
 * Regions: a signature is made for one, and a store that has the bucket in
 * another says which (Amazon, "Request redirection and the REST API").  Then
 * the request is signed for that one and sent once more, to the endpoint that
 * is configured, or else to Amazon's of that region; never to a host that the
 * answer names, because with it would go a signature that is good for reading.
 */
#include "floe.h"

#include "store/job.h"

#include "base/clock.h"
#include "base/url.h"
#include "net/sigv4.h"
#include "store/place.h"

#include "utils/memutils.h"

#include <string.h>

#define DEFAULT_REGION "us-east-1"
#define REGION_SIZE 64
#define MAX_KNOWN_REGIONS 1000 /* a catalog may name any number of buckets */

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

/* Where a bucket is, as its store has said. */
typedef struct KnownRegion
{
	char *bucket;
	char *region;
} KnownRegion;

static KnownRegion *
find_known(const FloeStore *store, const char *bucket)
{
	ListCell *cell;

	foreach (cell, store->regions->known)
	{
		KnownRegion *known = lfirst(cell);

		if (strcmp(known->bucket, bucket) == 0)
			return known;
	}
	return NULL;
}

static void
forget_region(FloeStoreRegions *regions, KnownRegion *known)
{
	regions->known = list_delete_ptr(regions->known, known);
	pfree(known->bucket);
	pfree(known->region);
	pfree(known);
}

/* The newest goes first: a bucket may be known already, and wrongly. */
static void
remember_region(FloeStore *store, const char *bucket, const char *region)
{
	FloeStoreRegions *regions = store->regions;
	MemoryContext old = MemoryContextSwitchTo(regions->context);
	KnownRegion *known = find_known(store, bucket);

	if (known == NULL && list_length(regions->known) >= MAX_KNOWN_REGIONS)
		known = llast(regions->known);
	if (known != NULL)
		forget_region(regions, known);
	known = palloc(sizeof(KnownRegion));
	known->bucket = pstrdup(bucket);
	known->region = pstrdup(region);
	regions->known = lcons(known, regions->known);
	MemoryContextSwitchTo(old);
}

static bool
find_credentials(FloeStoreJob *job, S3Target *target)
{
	const FloeConn *conn = job->store->conn;
	const FloeStoreGrant *grant;

	target->access_key = floe_conn_option(conn, "s3_access_key_id");
	if (target->access_key != NULL)
	{
		target->secret_key = floe_conn_option(conn, "s3_secret_access_key");
		target->session_token = floe_conn_option(conn, "s3_session_token");
	}
	else if ((grant = floe_store_grant_with(job, "s3.access-key-id")) != NULL)
	{
		target->access_key = floe_store_granted(grant, "s3.access-key-id");
		target->secret_key = floe_store_granted(grant, "s3.secret-access-key");
		target->session_token = floe_store_granted(grant, "s3.session-token");
		floe_store_use_grant(job, grant, "s3.session-token-expires-at-ms");
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
find_endpoint(FloeStoreJob *job, S3Target *target)
{
	const char *endpoint = floe_store_setting(job, "s3_endpoint", "s3.endpoint");
	const char *style = floe_store_setting(job, "s3_path_style", "s3.path-style-access");
	/* Amazon's certificate is for one label before its own: with dots the bucket goes into the path, as its SDKs do it */
	bool path_style =
		style != NULL ? pg_strcasecmp(style, "true") == 0 : endpoint != NULL || strchr(target->bucket, '.') != NULL;
	FloeBuf text;
	FloeUrl url;
	const char *base;
	bool ok;

	floe_buf_init(&text, FLOE_URL_MAX);
	if (endpoint == NULL)
		floe_place_amazon(&text, target->region);
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

/* A region becomes part of a host name and of what is signed. */
static bool
find_region(FloeStoreJob *job, S3Target *target)
{
	const KnownRegion *known = find_known(job->store, target->bucket);

	/* a copy: another read may learn better meanwhile */
	target->region = known != NULL ? floe_arena_text(job->arena, known->region, strlen(known->region))
								   : floe_store_setting(job, "s3_region", "s3.region");
	if (target->region == NULL)
		target->region = floe_store_setting(job, "s3_region", "client.region");
	if (target->region == NULL)
		target->region = DEFAULT_REGION;
	job->region = target->region;
	return floe_place_is_region(target->region) ||
		   floe_fail(&job->st, FLOE_ERR_CONFIG, "the region of \"%s\" is not a region's name", job->shown);
}

static bool
find_target(FloeStoreJob *job, S3Target *target)
{
	memset(target, 0, sizeof(*target));
	if (!floe_place_bucket(job->name, job->arena, &target->bucket, &target->key))
		return floe_fail(&job->st, FLOE_ERR_CORRUPT, "location \"%s\" has no bucket and key", job->shown);
	return find_region(job, target) && find_credentials(job, target) && find_endpoint(job, target);
}

/* Which region the store says that the bucket is in; false when it says nothing that could be one. */
static bool
told_region(const FloeHttpResponse *response, char *region, size_t size)
{
	if (!floe_http_header(response, "x-amz-bucket-region", region, size))
		floe_store_element(&response->body, "Region", region, size);
	/* what was cut is not the region */
	return strlen(region) < size - 1 && floe_place_is_region(region);
}

static bool
s3_refused(FloeStoreJob *job, const FloeHttpResponse *response, FloeStoreRefusal *refusal)
{
	int status = response->http_status;
	char region[REGION_SIZE + 1];
	char said[FLOE_STATUS_DETAIL_SIZE];
	const char *bucket;
	const char *key;

	/* versitygw's answer to an access key it does not know: nothing was said of the object */
	if (refusal->code == FLOE_ERR_NOT_FOUND && strcmp(refusal->reason, "XAdminUserNotFound") == 0)
		refusal->code = FLOE_ERR_FORBIDDEN;
	if (status != 301 && status != 307 && status != 400)
		return false;
	if (told_region(response, region, sizeof(region)) && strcmp(region, job->region) != 0 &&
		floe_place_bucket(job->name, job->arena, &bucket, &key))
	{
		if (!job->moved)
		{
			job->moved = true;
			remember_region(job->store, bucket, region);
			floe_store_object_start(job);
			return true;
		}
		strlcpy(said, refusal->detail, sizeof(said));
		snprintf(refusal->detail, sizeof(refusal->detail),
				 "Signed for region %s as the store had asked, which now asks for %s. %.800s", job->region, region,
				 said);
	}
	else if (status != 400 && refusal->detail[0] == '\0')
		strlcpy(refusal->detail,
				"The store redirects and names no region; redirects of signed requests are not followed.",
				sizeof(refusal->detail));
	return false;
}

static bool
s3_start(FloeStoreJob *job)
{
	FloeHttpRequest request = {0};
	FloeSigV4Input in = {0};
	FloeSigV4Output out;
	S3Target target;

	if (!find_target(job, &target))
		return false;
	in.method = job->read.size_only ? "HEAD" : "GET";
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
	if (!floe_sigv4_sign(&in, job->arena, &out, &job->st))
		return floe_status_prefix(&job->st, "read \"%s\"", job->shown);
	request.url = out.url;
	for (int i = 0; i < out.nheaders; i++)
		request.headers[request.nheaders++] = out.headers[i];
	request.no_redirect = true;
	return floe_store_object_get(job, &request);
}

const FloeStoreScheme floe_store_s3 = {
	.name = "s3",
	.start = s3_start,
	.refused = s3_refused,
};
