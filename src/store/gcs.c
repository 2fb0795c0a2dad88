/*
 * gcs.c: objects in Google Cloud Storage, by its JSON API and a bearer token.
 *
 * The JSON API and not the XML API, which is S3's twin: it is what gcs.service.host
 * of Iceberg's GCSFileIO names, so whatever stands at such an endpoint speaks
 * it, and there an object's name is one segment of the path, so that no name
 * can be taken for another path ("Objects: get", "Encoding URI path parts").
 * It has no HEAD: the size is a field of the object's resource.
 */
#include "floe.h"

#include "store/job.h"

#include "base/json.h"
#include "store/place.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_ENDPOINT "https://storage.googleapis.com"
#define RESOURCE_MAX_BYTES ((size_t) 64 * 1024)

/* {"size": "4711"}: 64-bit integers are strings in Google's JSON */
static int64_t
gcs_read_size(const FloeHttpResponse *response)
{
	FloeStatus ignored;
	FloeJsonDoc *doc = floe_json_parse(response->body.data, response->body.len, "object", RESOURCE_MAX_BYTES, &ignored);
	const char *text = doc != NULL ? floe_json_string(floe_json_field(floe_json_root(doc), "size")) : NULL;
	int64_t size = -1;

	if (text != NULL && text[0] != '\0' && strlen(text) <= 18 && strspn(text, "0123456789") == strlen(text))
		size = strtoll(text, NULL, 10);
	floe_json_free(doc);
	return size;
}

/*
 * A bearer token is good for whoever has it, so the user mapping's goes to Google
 * or to where the server's option says, whatever the catalog calls the endpoint.
 */
static bool
find_token(FloeStoreJob *job, const char **token, const char **endpoint)
{
	const FloeStoreGrant *grant = floe_store_grant_with(job, "gcs.oauth2.token");
	const char *no_auth = floe_store_setting(job, NULL, "gcs.no-auth");

	*token = floe_conn_option(job->store->conn, "gcs_token");
	*endpoint = *token != NULL ? floe_conn_option(job->store->conn, "gcs_endpoint")
							   : floe_store_setting(job, "gcs_endpoint", "gcs.service.host");
	if (*endpoint == NULL)
		*endpoint = DEFAULT_ENDPOINT;
	if (*token == NULL && grant != NULL)
	{
		*token = floe_store_granted(grant, "gcs.oauth2.token");
		floe_store_use_grant(job, grant, "gcs.oauth2.token-expires-at");
	}
	if (*token != NULL || (no_auth != NULL && pg_strcasecmp(no_auth, "true") == 0))
		return true;
	return floe_fail_detail(&job->st, FLOE_ERR_CONFIG,
							"The user mapping has no gcs_token, and the catalog vended none for this location.",
							"no Google Cloud Storage token for \"%s\"", job->shown);
}

static bool
gcs_start(FloeStoreJob *job)
{
	FloeHttpRequest request = {0};
	const char *bucket;
	const char *key;
	const char *token;
	const char *endpoint;
	FloeBuf header;
	bool ok;

	if (!floe_place_bucket(job->name, job->arena, &bucket, &key))
		return floe_fail(&job->st, FLOE_ERR_CORRUPT, "location \"%s\" has no bucket and key", job->shown);
	if (!find_token(job, &token, &endpoint))
		return false;
	request.url = floe_place_gcs(job->arena, endpoint, bucket, key, job->read.size_only);
	if (request.url == NULL)
		return floe_fail(&job->st, FLOE_ERR_TOO_LARGE, "location \"%s\" is too long", job->shown);
	request.no_redirect = true;
	floe_buf_init(&header, FLOE_URL_MAX);
	ok = token == NULL || (floe_buf_printf(&header, "Bearer %s", token) &&
						   floe_http_add_header(&request, "Authorization", header.data, &job->st));
	if (header.failed)
		floe_fail(&job->st, FLOE_ERR_CONFIG, "the Google Cloud Storage token for \"%s\" is too long", job->shown);
	ok = ok && floe_store_object_get(job, &request);
	floe_buf_free(&header);
	return ok;
}

const FloeStoreScheme floe_store_gcs = {
	.name = "gs",
	.start = gcs_start,
	.read_size = gcs_read_size,
};
