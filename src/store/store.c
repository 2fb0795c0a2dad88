/*
 * store.c: from a location to the store that holds it.
 */
#include "floe.h"

#include "store/store.h"

#include "base/cleanup.h"
#include "base/utf8.h"

#include "utils/memutils.h"

#include <string.h>

/* Runs when the job's context goes, whoever ends it. */
static void
release_job(void *arg)
{
	FloeStoreJob *job = arg;

	floe_buf_free(&job->data);
	floe_arena_free(job->arena);
}

/* The receiver may end what asked for the object, and the store with it: from here on the job belongs to the caller's turn. */
static void
run_done(void *arg)
{
	FloeStoreJob *job = arg;

	MemoryContextSetParent(job->context, CurrentMemoryContext);
	job->read.done(job->read.arg, &job->st, &job->data, job->size);
	MemoryContextDelete(job->context);
}

/* Ends a job from inside floe_store_read() or from a callback of the loop. */
void
floe_store_finish(FloeStoreJob *job)
{
	floe_http_after(job->store->http, 0, run_done, job);
}

static size_t
has_scheme(const char *location, const char *scheme)
{
	size_t len = strlen(scheme);

	return pg_strncasecmp(location, scheme, len) == 0 ? len : 0;
}

static void
show(FloeStoreJob *job)
{
	size_t len = strlen(job->location);
	size_t room = sizeof(job->shown) - 1;

	if (len <= room)
		strlcpy(job->shown, job->location, sizeof(job->shown));
	else
		snprintf(job->shown, sizeof(job->shown), "...%s", job->location + len - (room - 3));
	/* a character may have been cut at the front */
	floe_utf8_repair(job->shown);
}

void
floe_store_read(FloeStore *store, const FloeStoreRead *read)
{
	MemoryContext context = AllocSetContextCreate(store->context, "floe object", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FloeStoreJob *job = palloc0(sizeof(FloeStoreJob));
	size_t len;

	job->context = context;
	job->store = store;
	job->read = *read;
	job->location = pstrdup(read->location);
	floe_cleanup_hold(floe_cleanup_register(release_job), job);
	MemoryContextSwitchTo(old);
	job->read.location = job->location;
	show(job);
	job->size = -1;
	floe_status_ok(&job->st);
	floe_buf_init(&job->data, read->max_bytes);
	if ((len = has_scheme(job->location, "s3://")) || (len = has_scheme(job->location, "s3a://")) ||
		(len = has_scheme(job->location, "s3n://")))
		floe_store_s3_start(job, len);
	else if (has_scheme(job->location, "file:///"))
		floe_store_file_start(job, job->location + strlen("file://"));
	else if (has_scheme(job->location, "file:/") && job->location[6] != '/')
		floe_store_file_start(job, job->location + strlen("file:"));
	else if (job->location[0] == '/')
		floe_store_file_start(job, job->location);
	else
	{
		floe_fail_detail(&job->st, FLOE_ERR_UNSUPPORTED, "floe reads s3:, s3a:, s3n: and file: locations.",
						 "object store of location \"%s\" is not supported", job->shown);
		floe_store_finish(job);
	}
}
