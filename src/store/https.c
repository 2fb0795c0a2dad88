/*
 * https.c: objects behind a plain URL, read without credentials.
 *
 * The location is the URL, its query included, which may be what opens the
 * object to its holder: messages have a location without it.  Redirects are
 * followed within the same origin, and floe.allowed_hosts holds as for every
 * other host.
 */
#include "floe.h"

#include "store/job.h"

#include "store/place.h"

static bool
https_start(FloeStoreJob *job)
{
	FloeHttpRequest request = {0};

	request.url = floe_place_url(job->arena, job->location);
	if (request.url == NULL)
		return floe_fail(&job->st, FLOE_ERR_TOO_LARGE, "location \"%s\" is too long", job->shown);
	return floe_store_object_get(job, &request);
}

const FloeStoreScheme floe_store_https = {
	.name = "https",
	.start = https_start,
};
