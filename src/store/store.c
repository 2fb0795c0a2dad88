/*
 * store.c: from a location to the store that holds it.
 */
#include "floe.h"

#include "store/job.h"

#include "base/cleanup.h"
#include "base/location.h"
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

char *
floe_store_show(const char *location, char *out, size_t size)
{
	bool is_url = pg_strncasecmp(location, "http", 4) == 0;
	size_t len = is_url ? strcspn(location, "?") : strlen(location);
	const char *hidden = location[len] != '\0' ? "?..." : "";
	size_t room = size - 1 - strlen(hidden);

	if (len <= room)
		snprintf(out, size, "%.*s%s", (int) len, location, hidden);
	else
		snprintf(out, size, "...%.*s%s", (int) (room - 3), location + len - (room - 3), hidden);
	/* a character may have been cut at the front */
	floe_utf8_repair(out);
	return out;
}

static const struct
{
	const char *prefix;
	const FloeStoreScheme *scheme;
} schemes[] = {
	{"s3://", &floe_store_s3},       {"s3a://", &floe_store_s3},     {"s3n://", &floe_store_s3},
	{"gs://", &floe_store_gcs},      {"gcs://", &floe_store_gcs},    {"abfss://", &floe_store_adls},
	{"abfs://", &floe_store_adls},   {"wasbs://", &floe_store_adls}, {"wasb://", &floe_store_adls},
	{"https://", &floe_store_https}, {"http://", &floe_store_https},
};

/* What the catalog says where files are is its word alone; the server's option says what it may say. */
static bool
is_allowed(FloeStoreJob *job)
{
	const char *allowed = floe_conn_option(job->store->conn, "allowed_locations");

	return allowed == NULL || floe_location_is_below(job->location, allowed) ||
		   floe_fail(&job->st, FLOE_ERR_DENIED, "\"%s\" is not below one of the server's allowed_locations",
					 job->shown);
}

static bool
start_object(FloeStoreJob *job)
{
	for (size_t i = 0; i < lengthof(schemes); i++)
	{
		size_t len = has_scheme(job->location, schemes[i].prefix);

		if (len == 0)
			continue;
		job->scheme = schemes[i].scheme;
		job->name = job->location + len;
		floe_store_object_start(job);
		return true;
	}
	return false;
}

void
floe_store_read(FloeStore *store, const FloeStoreRead *read)
{
	MemoryContext context = AllocSetContextCreate(store->context, "floe object", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FloeStoreJob *job = palloc0(sizeof(FloeStoreJob));

	job->context = context;
	job->store = store;
	job->read = *read;
	job->location = pstrdup(read->location);
	floe_cleanup_hold(floe_cleanup_register(release_job), job);
	MemoryContextSwitchTo(old);
	job->read.location = job->location;
	floe_store_show(job->location, job->shown, sizeof(job->shown));
	job->size = -1;
	floe_status_ok(&job->st);
	floe_buf_init(&job->data, read->max_bytes);
	if (!is_allowed(job))
	{
		floe_store_finish(job);
		return;
	}
	if (start_object(job))
		return;
	if (has_scheme(job->location, "file:///"))
		floe_store_file_start(job, job->location + strlen("file://"));
	else if (has_scheme(job->location, "file:/") && job->location[6] != '/')
		floe_store_file_start(job, job->location + strlen("file:"));
	else if (job->location[0] == '/')
		floe_store_file_start(job, job->location);
	else
	{
		floe_fail_detail(&job->st, FLOE_ERR_UNSUPPORTED,
						 "floe reads s3:, gs:, abfss:, https: and file: locations, and their aliases.",
						 "object store of location \"%s\" is not supported", job->shown);
		floe_store_finish(job);
	}
}
