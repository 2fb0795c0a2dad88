/*
 * assess_store.c: the stores of one table: what came with it from the catalog, and asking for it again before it runs out.
 *
 * Separate from assess.c because it goes on beside the chain of reads: while
 * some reads wait for new credentials, others are still under way.
 */
#include "floe.h"

#include "pass/assess.h"

#include "base/cleanup.h"
#include "guc.h"

#include "utils/memutils.h"

static const char *
catalog_default(void *arg, const char *key)
{
	FloeAssess *a = arg;

	return a->catalog->catalog->ops->property(a->catalog->catalog, key);
}

static FloeStoreGrant
make_grant(MemoryContext context, const char *prefix, const FloeMetaProperties *config)
{
	FloeStoreSetting *settings = MemoryContextAlloc(context, sizeof(FloeStoreSetting) * Max(config->count, 1));
	FloeStoreGrant grant = {prefix, settings, config->count};

	for (int i = 0; i < config->count; i++)
	{
		settings[i].key = config->items[i].name;
		settings[i].value = config->items[i].value;
	}
	return grant;
}

/* The texts are the arena's that the answer was read into. */
static FloeStoreGrant *
make_grants(MemoryContext context, const FloeLoadResult *result, int *count)
{
	FloeStoreGrant *grants =
		MemoryContextAlloc(context, sizeof(FloeStoreGrant) * (size_t) (result->credential_count + 1));
	int n = 0;

	grants[n++] = make_grant(context, "", &result->config);
	for (int i = 0; i < result->credential_count; i++)
		grants[n++] = make_grant(context, result->credentials[i].prefix, &result->credentials[i].config);
	*count = n;
	return grants;
}

/* ---- new ones ---- */

typedef struct Renewal
{
	FloeAssess *assess;
	MemoryContext context; /* of the answer, as long as it is the newest */
	FloeArena *arena;
} Renewal;

static void
release_arena(void *arena)
{
	floe_arena_free(arena);
}

static void
on_renewed(void *arg, const FloeStatus *st, const FloeLoadAnswer *answer)
{
	Renewal *renewal = arg;
	FloeAssess *a = renewal->assess;
	MemoryContext context = renewal->context;
	MemoryContext old = a->renewed;
	FloeStatus result = *st;
	FloeStoreGrant *grants = NULL;
	int n = 0;

	if (st->code == FLOE_OK && answer->meta == NULL)
		floe_fail(&result, FLOE_ERR_PROTOCOL, "load table: the catalog answered 304 to an unconditional request");
	if (result.code != FLOE_OK)
	{
		/* what there was stays; the reads that waited say so if it is of no use any more */
		floe_store_renewed(&a->store, &result, NULL, 0);
		MemoryContextDelete(context);
		return;
	}
	grants = make_grants(context, &answer->meta->load, &n);
	a->renewed = context;
	floe_store_renewed(&a->store, &result, grants, n);
	if (old != NULL)
		MemoryContextDelete(old);
}

/* As little of the table as the catalog gives: what is wanted comes beside it. */
static void
renew(void *arg)
{
	FloeAssess *a = arg;
	MemoryContext context = AllocSetContextCreate(a->context, "floe renewed credentials", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Renewal *renewal = palloc0(sizeof(Renewal));
	FloeLoadRequest request;

	renewal->assess = a;
	renewal->context = context;
	renewal->arena = floe_cleanup_hold(floe_cleanup_register(release_arena), floe_assess_new_arena());
	MemoryContextSwitchTo(old);
	if (renewal->arena == NULL)
	{
		FloeStatus st;

		floe_fail(&st, FLOE_ERR_NOMEM, "out of memory for table metadata");
		on_renewed(renewal, &st, NULL);
		return;
	}
	floe_assess_load_request(a, FLOE_LOAD_REFS, NULL, renewal->arena, &request);
	a->catalog->catalog->ops->load_table(a->catalog->catalog, &request, on_renewed, renewal);
}

void
floe_assess_open_store(FloeAssess *a)
{
	FloeStoreGrant *grants;
	int n;

	a->store.http = a->pass->http;
	a->store.context = a->context;
	a->store.conn = a->catalog->conn;
	a->store.regions = &a->catalog->regions;
	a->store.file_roots = floe_allowed_file_roots;
	a->store.catalog_default = catalog_default;
	a->store.catalog_default_arg = a;
	if (a->catalog->catalog->ops->load_table != NULL)
	{
		a->store.renew = renew;
		a->store.renew_arg = a;
	}
	grants = make_grants(a->context, &a->meta->load, &n);
	floe_store_grant(&a->store, grants, n);
}
