/*
 * adls.c: files in Azure Data Lake Storage Gen2, by its REST API with a shared access signature or a bearer token.
 *
 * Locations are Hadoop's, container@account.dfs.core.windows.net/path; the Blob
 * service's (wasb:) name the same files.  A SAS token is the query of the URL,
 * so a URL with one never becomes part of a message.  Shared keys and
 * adls.connection-string.* are not read: a vended grant is a SAS token.
 */
#include "floe.h"

#include "store/job.h"

#include "store/place.h"

#include <string.h>

/* Of the REST API; bearer tokens need 2017-11-09 or later, user delegation SAS 2018-11-09. */
#define API_VERSION "2021-12-02"

typedef struct AdlsKey
{
	const char *sas;
	const char *token;
	const char *endpoint; /* NULL: the account's own */
} AdlsKey;

/* With the names an account has in such keys; the account's short name alone is anybody's host, so it is Microsoft's or not at all. */
static const FloeStoreGrant *
grant_of_account(FloeStoreJob *job, const FloePlaceAdls *place, const char *prefix, const char **key)
{
	const char *names[] = {place->host, place->blob_host, place->is_microsoft ? place->account : NULL};

	for (size_t i = 0; i < lengthof(names); i++)
	{
		const FloeStoreGrant *grant;
		char text[FLOE_HOST_MAX + 64];

		if (names[i] == NULL)
			continue;
		snprintf(text, sizeof(text), "%s.%s", prefix, names[i]);
		*key = floe_arena_text(job->arena, text, strlen(text));
		grant = *key != NULL ? floe_store_grant_with(job, *key) : NULL;
		if (grant != NULL)
			return grant;
	}
	return NULL;
}

/* "adls.sas-token.NAME" runs out at "adls.sas-token-expires-at-ms.NAME". */
static void
use_sas(FloeStoreJob *job, const FloeStoreGrant *grant, const char *key, AdlsKey *found)
{
	char expiry[FLOE_HOST_MAX + 64];

	snprintf(expiry, sizeof(expiry), "adls.sas-token-expires-at-ms%s", key + strlen("adls.sas-token"));
	found->sas = floe_store_granted(grant, key);
	floe_store_use_grant(job, grant, expiry);
}

/*
 * Whoever has a token or a SAS can read with it, and a location is a claim of
 * the catalog's: what does not name the account goes to Microsoft's hosts or to
 * where the server's option says.
 */
static bool
find_key(FloeStoreJob *job, const FloePlaceAdls *place, AdlsKey *found)
{
	const FloeConn *conn = job->store->conn;
	const FloeStoreGrant *grant;
	const char *key;
	bool is_trusted;

	memset(found, 0, sizeof(*found));
	found->endpoint = floe_conn_option(conn, "adls_endpoint");
	is_trusted = found->endpoint != NULL || place->is_microsoft;
	found->sas = floe_conn_option(conn, "adls_sas_token");
	found->token = floe_conn_option(conn, "adls_token");
	if (found->sas != NULL && found->token != NULL)
		return floe_fail(&job->st, FLOE_ERR_CONFIG, "the user mapping has both adls_sas_token and adls_token");
	if (found->sas == NULL && found->token == NULL)
	{
		if ((grant = grant_of_account(job, place, "adls.sas-token", &key)) != NULL)
		{
			use_sas(job, grant, key, found);
			return true;
		}
		if ((grant = floe_store_grant_with(job, "adls.sas-token")) != NULL)
			use_sas(job, grant, "adls.sas-token", found);
		else if ((grant = floe_store_grant_with(job, "adls.token")) != NULL)
		{
			found->token = floe_store_granted(grant, "adls.token");
			floe_store_use_grant(job, grant, NULL);
		}
	}
	if (found->sas == NULL && found->token == NULL)
		return floe_fail_detail(&job->st, FLOE_ERR_CONFIG,
								"The user mapping has no adls_sas_token or adls_token, and the catalog vended none for "
								"this account.",
								"no Azure credentials for \"%s\"", job->shown);
	if (!is_trusted)
		return floe_fail_detail(&job->st, FLOE_ERR_DENIED,
								"Credentials that are not for this host alone are sent to Azure's own hosts and to "
								"adls_endpoint.",
								"\"%.100s\" of \"%s\" is not a host of Azure's", place->host, job->shown);
	return true;
}

static bool
adls_start(FloeStoreJob *job)
{
	FloeHttpRequest request = {0};
	FloePlaceAdls place;
	AdlsKey key;
	FloeBuf header;
	bool ok;

	if (!floe_place_adls(job->name, job->arena, &place, &job->st))
		return floe_status_prefix(&job->st, "location \"%s\"", job->shown);
	if (!find_key(job, &place, &key))
		return false;
	if (key.sas != NULL && !floe_url_is_query(key.sas))
		return floe_fail(&job->st, FLOE_ERR_CONFIG,
						 "the SAS token for \"%s\" holds a character that must be percent-encoded", job->shown);
	request.url = floe_place_adls_url(job->arena, key.endpoint, &place, key.sas);
	if (request.url == NULL)
		return floe_fail(&job->st, FLOE_ERR_TOO_LARGE, "location \"%s\" is too long", job->shown);
	request.no_redirect = true;
	floe_buf_init(&header, FLOE_URL_MAX);
	ok = floe_http_add_header(&request, "x-ms-version", API_VERSION, &job->st) &&
		 (key.token == NULL || (floe_buf_printf(&header, "Bearer %s", key.token) &&
								floe_http_add_header(&request, "Authorization", header.data, &job->st)));
	if (header.failed)
		floe_fail(&job->st, FLOE_ERR_CONFIG, "the Azure token for \"%s\" is too long", job->shown);
	ok = ok && floe_store_object_get(job, &request);
	floe_buf_free(&header);
	return ok;
}

const FloeStoreScheme floe_store_adls = {
	.name = "abfss",
	.start = adls_start,
};
