/*
 * grant.c: what a catalog vended with a table, which of it fits a location, and that it runs out.
 *
 * Vended credentials are good for an hour or less, and the first read of a big
 * table may take longer.  A read whose credentials are about to run out waits
 * until the catalog has given new ones; so does one that was refused because
 * they did.  The catalog is asked once for all that wait.
 */
#include "floe.h"

#include "store/job.h"

#include "base/clock.h"
#include "store/place.h"

#include "utils/memutils.h"

#include <stdlib.h>
#include <string.h>

/* Renewed so long before the end, but never in the first three quarters of their life. */
#define RENEW_BEFORE_MS INT64CONST(60000)

const char *
floe_store_granted(const FloeStoreGrant *grant, const char *key)
{
	for (int i = 0; grant != NULL && i < grant->nsettings; i++)
	{
		if (strcmp(grant->settings[i].key, key) == 0)
			return grant->settings[i].value;
	}
	return NULL;
}

const FloeStoreGrant *
floe_store_grant_with(const FloeStoreJob *job, const char *key)
{
	const FloeStoreGrant *best = NULL;

	for (int i = 0; i < job->store->ngrants; i++)
	{
		const FloeStoreGrant *grant = &job->store->grants[i];

		if ((best == NULL || strlen(grant->prefix) > strlen(best->prefix)) &&
			floe_place_begins_with(job->location, grant->prefix) && floe_store_granted(grant, key) != NULL)
			best = grant;
	}
	return best;
}

const char *
floe_store_setting(const FloeStoreJob *job, const char *option, const char *key)
{
	const FloeStore *store = job->store;
	const char *value = option != NULL ? floe_conn_option(store->conn, option) : NULL;

	if (value == NULL)
		value = floe_store_granted(floe_store_grant_with(job, key), key);
	if (value == NULL && store->catalog_default != NULL)
		value = store->catalog_default(store->catalog_default_arg, key);
	return value;
}

/* Milliseconds since 1970; -1: none that can be read. */
static int64
parse_time(const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (len == 0 || len > 15 || strspn(text, "0123456789") != len)
		return -1;
	return strtoll(text, NULL, 10);
}

void
floe_store_use_grant(FloeStoreJob *job, const FloeStoreGrant *grant, const char *expiry_key)
{
	MemoryContext old = MemoryContextSwitchTo(job->context);

	job->vended = true;
	job->generation = job->store->generation;
	job->vended_end_ms = expiry_key != NULL ? parse_time(floe_store_granted(grant, expiry_key)) : -1;
	for (int i = 0; i < grant->nsettings; i++)
	{
		char *value;

		if (grant->settings[i].value == NULL)
			continue;
		/* a grant is gone before its job; whatever is vended beside them is as secret, unless it says where things are */
		value = pstrdup(grant->settings[i].value);

		if (strstr(grant->settings[i].key, "sas-token") != NULL)
			floe_redaction_add_query(&job->secrets, value);
		else if (strstr(grant->settings[i].key, "secret") != NULL || strstr(grant->settings[i].key, "token") != NULL)
			floe_redaction_add(&job->secrets, value);
	}
	MemoryContextSwitchTo(old);
}

static void
wait_for_renewal(FloeStoreJob *job)
{
	FloeStore *store = job->store;
	MemoryContext old = MemoryContextSwitchTo(store->context);

	job->renewed = true;
	store->waiting = lappend(store->waiting, job);
	MemoryContextSwitchTo(old);
	if (store->renewing)
		return;
	store->renewing = true;
	store->renew(store->renew_arg);
}

bool
floe_store_renew_early(FloeStoreJob *job)
{
	int64 end = job->store->renew != NULL ? job->vended_end_ms : -1;
	int64 life = end - job->store->granted_at_ms;

	/* what seems to have been over when it was given is a matter of clocks: the store will say */
	if (job->renewed || end < 0 || life <= 0)
		return false;
	if (floe_clock_wall_ms() < end - Min(RENEW_BEFORE_MS, life / 4))
		return false;
	wait_for_renewal(job);
	return true;
}

bool
floe_store_renew_late(FloeStoreJob *job, const FloeStoreRefusal *refusal)
{
	int64 end = job->vended_end_ms;
	bool refused = refusal->code == FLOE_ERR_AUTH || refusal->code == FLOE_ERR_FORBIDDEN;

	/* ExpiredToken (S3, with 400); AuthenticationFailed with its reason in words (Azure); 401 (Google) */
	if (!job->vended || job->store->renew == NULL || job->renewed)
		return false;
	if (strstr(refusal->reason, "Expired") == NULL && !(refused && end >= 0 && floe_clock_wall_ms() >= end) &&
		!(refusal->code == FLOE_ERR_AUTH && end < 0))
		return false;
	if (job->generation == job->store->generation)
		wait_for_renewal(job);
	else
	{
		/* another read has got new ones while this one was under way */
		job->renewed = true;
		floe_store_object_start(job);
	}
	return true;
}

void
floe_store_grant(FloeStore *store, const FloeStoreGrant *grants, int ngrants)
{
	store->grants = grants;
	store->ngrants = ngrants;
	store->granted_at_ms = floe_clock_wall_ms();
	store->generation++;
}

/* Without new ones: what is still good is used, for the rest there is no point in asking the store. */
static void
go_on(FloeStoreJob *job, const FloeStatus *st)
{
	if (st->code == FLOE_OK || floe_clock_wall_ms() < job->vended_end_ms)
	{
		floe_store_object_start(job);
		return;
	}
	job->st = *st;
	/* that the table is gone from the catalog says nothing of the object */
	if (st->code == FLOE_ERR_NOT_FOUND)
		job->st.code = FLOE_ERR_AUTH;
	floe_status_prefix(&job->st, "the vended credentials ran out, and no others can be had");
	floe_store_finish(job);
}

void
floe_store_renewed(FloeStore *store, const FloeStatus *st, const FloeStoreGrant *grants, int ngrants)
{
	List *jobs = store->waiting;
	ListCell *cell;

	if (st->code == FLOE_OK)
		floe_store_grant(store, grants, ngrants);
	store->renewing = false;
	store->waiting = NIL;
	foreach (cell, jobs)
		go_on(lfirst(cell), st);
	list_free(jobs);
}
