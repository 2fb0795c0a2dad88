/*
 * policies.c: reading the maintenance policies that a catalog keeps, after it was listed.
 *
 * Where to ask is SQL's (floe_internal.policy_targets()), and what becomes of
 * the answers.  A reading counts only when it is complete; one that fails is a
 * state with a reason, and what was read before stays in force.
 */
#include "floe.h"

#include "pass/pass.h"

#include "utils/memutils.h"

#define IN_FLIGHT 8
#define MAX_BYTES ((size_t) 64 * 1024 * 1024) /* of all answers */
#define STORE_AGAIN_MS 1000
#define STORE_ATTEMPTS 30 /* of a pass with an end */

typedef struct Reading
{
	FloePassCatalog *catalog;
	MemoryContext context;
	FloePolicyTarget *targets;
	int ntargets;
	int next;
	int open; /* questions */
	bool failed;
	FloeStatus failure;
	/* pages of answers, by target */
	const char **namespaces;
	const char **names;
	const char **pages;
	int npages;
	int size;
	size_t bytes;
	int attempts; /* to store them */
} Reading;

typedef struct Question
{
	Reading *reading;
	const FloePolicyTarget *target;
} Question;

static void ask_more(Reading *reading);

static void
end_reading(Reading *reading)
{
	floe_pass_catalog_arrived(reading->catalog);
	MemoryContextDelete(reading->context);
}

static void
tell_failure(Reading *reading)
{
	FloePassCatalog *catalog = reading->catalog;
	FloeStatus st;

	floe_db_begin();
	if (!floe_inbox_policies_failed(catalog->catalog_id, &reading->failure, &st))
		floe_pass_log(&st, "state of a catalog's policies");
	floe_db_end();
	floe_pass_progress(catalog->pass, "catalog \"%s\": its policies cannot be read: %s%s%s", catalog->server_name,
					   reading->failure.message, reading->failure.detail[0] != '\0' ? ": " : "",
					   reading->failure.detail);
}

static void
store(void *arg)
{
	Reading *reading = arg;
	FloePassCatalog *catalog = reading->catalog;
	int32 attached = 0;
	FloeStatus st;
	bool ok;

	if (catalog->retired)
	{
		/* listed anew meanwhile: this is the older truth */
		end_reading(reading);
		return;
	}
	floe_db_begin();
	ok = floe_inbox_apply_policies(catalog->catalog_id, reading->namespaces, reading->names, reading->pages,
								   reading->npages, &attached, &st);
	floe_db_end();
	if (!ok && st.code == FLOE_ERR_BUSY && (catalog->pass->endless || ++reading->attempts < STORE_ATTEMPTS))
	{
		floe_http_after(catalog->pass->http, STORE_AGAIN_MS, store, reading);
		return;
	}
	if (!ok)
	{
		reading->failure = st;
		tell_failure(reading);
	}
	else if (attached > 0)
		floe_pass_progress(catalog->pass, "catalog \"%s\": %d attached %s of its own", catalog->server_name, attached,
						   attached == 1 ? "policy" : "policies");
	end_reading(reading);
}

static void
keep_pages(Reading *reading, const FloePolicyTarget *target, const char *const *pages, int npages)
{
	MemoryContext old = MemoryContextSwitchTo(reading->context);

	if (reading->npages + npages > reading->size)
	{
		reading->size = Max(reading->size * 2, Max(256, reading->npages + npages));
		reading->namespaces = reading->namespaces == NULL
								  ? palloc_extended(sizeof(char *) * reading->size, MCXT_ALLOC_HUGE)
								  : repalloc_huge(reading->namespaces, sizeof(char *) * reading->size);
		reading->names = reading->names == NULL ? palloc_extended(sizeof(char *) * reading->size, MCXT_ALLOC_HUGE)
												: repalloc_huge(reading->names, sizeof(char *) * reading->size);
		reading->pages = reading->pages == NULL ? palloc_extended(sizeof(char *) * reading->size, MCXT_ALLOC_HUGE)
												: repalloc_huge(reading->pages, sizeof(char *) * reading->size);
	}
	for (int i = 0; i < npages; i++)
	{
		reading->namespaces[reading->npages] = target->namespace;
		reading->names[reading->npages] = target->name != NULL ? target->name : "";
		reading->pages[reading->npages++] = pstrdup(pages[i]);
		reading->bytes += strlen(pages[i]);
	}
	MemoryContextSwitchTo(old);
}

static void
fail_reading(Reading *reading, const FloeStatus *st)
{
	if (reading->failed)
		return;
	reading->failed = true;
	reading->failure = *st;
}

static void
on_policies(void *arg, const FloeStatus *st, const char *const *pages, int npages)
{
	static const char *const nothing = "{\"applicable-policies\": []}";
	Question *question = arg;
	Reading *reading = question->reading;
	const FloePolicyTarget *target = question->target;
	FloeStatus failure;

	reading->open--;
	pfree(question);
	if (st->code == FLOE_OK)
		keep_pages(reading, target, pages, npages);
	/* dropped since it was listed */
	else if (st->code == FLOE_ERR_NOT_FOUND && target->namespace[0] != '\0')
		keep_pages(reading, target, &nothing, 1);
	else if (st->code == FLOE_ERR_NOT_FOUND)
	{
		floe_fail_detail(&failure, FLOE_ERR_NOT_FOUND, st->message, "the catalog has no policies as Polaris has them");
		fail_reading(reading, &failure);
	}
	else
		fail_reading(reading, st);
	if (reading->bytes > MAX_BYTES)
	{
		floe_fail(&failure, FLOE_ERR_TOO_LARGE, "the policies of the catalog are larger than %zu bytes", MAX_BYTES);
		fail_reading(reading, &failure);
	}
	ask_more(reading);
}

static void
ask(Reading *reading, const FloePolicyTarget *target)
{
	Question *question = MemoryContextAlloc(reading->context, sizeof(Question));
	MemoryContext old = MemoryContextSwitchTo(reading->catalog->pass->scratch);
	FloeCatalog *catalog = reading->catalog->catalog;
	FloeTableId id = {0};
	const char **levels = palloc(sizeof(char *) * (strlen(target->namespace) + 1));

	question->reading = reading;
	question->target = target;
	for (char *level = target->namespace[0] != '\0' ? pstrdup(target->namespace) : NULL; level != NULL;)
	{
		char *end = strchr(level, 0x1F);

		levels[id.nlevels++] = level;
		if (end != NULL)
			*end++ = '\0';
		level = end;
	}
	id.namespace = levels;
	id.name = target->name;
	MemoryContextSwitchTo(old);
	reading->open++;
	catalog->ops->list_policies(catalog, &id, on_policies, question);
}

static void
ask_more(Reading *reading)
{
	FloePassCatalog *catalog = reading->catalog;
	bool stop = reading->failed || catalog->retired;

	/* an answer may come at once: then this goes on, and ends the reading only here */
	reading->open++;
	while (!stop && reading->next < reading->ntargets && reading->open <= Min(IN_FLIGHT, catalog->most))
	{
		ask(reading, &reading->targets[reading->next++]);
		stop = reading->failed;
	}
	if (--reading->open > 0)
		return;
	if (reading->failed && !catalog->retired)
		tell_failure(reading);
	if (stop)
		end_reading(reading);
	else
		store(reading);
}

void
floe_pass_read_policies(FloePassCatalog *catalog)
{
	MemoryContext context = AllocSetContextCreate(catalog->context, "floe policies", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Reading *reading = palloc0(sizeof(Reading));
	FloeStatus st;

	reading->catalog = catalog;
	reading->context = context;
	floe_db_begin();
	if (!floe_inbox_policy_targets(catalog->catalog_id, &reading->targets, &reading->ntargets, &st))
		floe_pass_log(&st, "targets of policies");
	floe_db_end();
	MemoryContextSwitchTo(old);
	if (reading->ntargets == 0)
		end_reading(reading);
	else if (catalog->catalog->ops->list_policies == NULL)
	{
		floe_fail(&reading->failure, FLOE_ERR_CONFIG, "policy_source is for catalogs of TYPE 'rest'");
		tell_failure(reading);
		end_reading(reading);
	}
	else
		ask_more(reading);
}
