/*
 * rest_policies.c: maintenance policies that a REST catalog keeps.
 *
 * The API is Polaris's, beside that of Iceberg at the same server
 * (spec/polaris-catalog-apis/policy-apis.yaml): /polaris/v1/{prefix}/
 * applicable-policies.  What policies mean is SQL's; here is only whether the
 * answers have the shape.
 */
#include "floe.h"

#include "catalog/rest.h"

#include "base/json.h"

#include "utils/memutils.h"

#define POLARIS_ROOT "/polaris/v1/"
#define PAGE_MAX_BYTES ((size_t) 4 * 1024 * 1024)
#define MAX_PAGES 100
#define MAX_POLICIES 1000 /* of one target: more than there are types */

typedef struct Reading
{
	FloeRest *rest;
	MemoryContext context;
	char *query; /* namespace and target, encoded */
	char *what;
	FloeCatalogPolicies done;
	void *arg;
	char *token; /* of the page under way; NULL: the first */
	const char *pages[MAX_PAGES];
	int npages;
	size_t policies;
} Reading;

static void ask(Reading *reading);

static void
finish(Reading *reading, const FloeStatus *st)
{
	reading->done(reading->arg, st, reading->pages, st->code == FLOE_OK ? reading->npages : 0);
	MemoryContextDelete(reading->context);
}

/* SQL takes "applicable-policies" for a list of objects with texts in them. */
static bool
check_page(Reading *reading, FloeJson root, const char **next, FloeStatus *st)
{
	FloeJson array;
	FloeJson namespace;
	const char *text;

	if (!floe_json_get_array(root, "applicable-policies", &array, st) ||
		!floe_json_opt_string(root, "next-page-token", next, st))
		return floe_status_prefix(st, "%s", reading->what);
	reading->policies += floe_json_length(array);
	if (reading->policies > MAX_POLICIES)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "%s: there are more than %d", reading->what, MAX_POLICIES);
	for (size_t i = 0; i < floe_json_length(array); i++)
	{
		FloeJson policy = floe_json_at(array, i);

		if (!floe_json_get_string(policy, "policy-type", &text, st) ||
			!floe_json_get_string(policy, "name", &text, st) || !floe_json_opt_string(policy, "content", &text, st) ||
			!floe_json_opt_array(policy, "namespace", &namespace, st))
			return floe_status_prefix(st, "%s: entry %zu", reading->what, i);
	}
	return true;
}

static bool
keep_page(Reading *reading, FloeHttpResponse *response, FloeStatus *st)
{
	FloeJsonDoc *doc =
		floe_json_parse(response->body.data, response->body.len, "answer to get policies", PAGE_MAX_BYTES, st);
	const char *next = NULL;
	bool ok;

	if (doc == NULL)
		return false;
	ok = check_page(reading, floe_json_root(doc), &next, st);
	if (ok)
	{
		reading->pages[reading->npages++] =
			MemoryContextStrdup(reading->context, pnstrdup(response->body.data, response->body.len));
		if (next != NULL && next[0] == '\0')
			next = NULL;
		if (next != NULL &&
			((reading->token != NULL && strcmp(next, reading->token) == 0) || reading->npages == MAX_PAGES))
			ok = floe_fail(st, FLOE_ERR_PROTOCOL, "%s: the pages do not come to an end", reading->what);
		reading->token = next != NULL ? MemoryContextStrdup(reading->context, next) : NULL;
	}
	floe_json_free(doc);
	return ok;
}

static void
on_page(FloeRestCall *call, const FloeStatus *st, FloeHttpResponse *response)
{
	Reading *reading = call->arg;
	FloeStatus result = *st;

	if (st->code != FLOE_OK || !keep_page(reading, response, &result))
		finish(reading, &result);
	else if (reading->token != NULL)
		ask(reading);
	else
		finish(reading, &result);
}

static void
ask(Reading *reading)
{
	MemoryContext old = MemoryContextSwitchTo(reading->context);
	StringInfoData path;
	FloeRestCall *call;

	initStringInfo(&path);
	appendStringInfo(&path, "applicable-policies%s", reading->query);
	if (reading->token != NULL)
	{
		appendStringInfo(&path, "%spageToken=", reading->query[0] == '\0' ? "?" : "&");
		floe_session_encode(&path, reading->token);
	}
	MemoryContextSwitchTo(old);
	call = floe_rest_call(reading->rest, reading->what, path.data, on_page, reading);
	call->root = POLARIS_ROOT;
	call->max_body = PAGE_MAX_BYTES;
	floe_rest_send(call);
}

void
floe_rest_list_policies(FloeCatalog *catalog, const FloeTableId *target, FloeCatalogPolicies done, void *arg)
{
	FloeRest *rest = (FloeRest *) catalog;
	MemoryContext context = AllocSetContextCreate(rest->context, "floe catalog policies", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Reading *reading = palloc0(sizeof(Reading));
	StringInfoData query;
	StringInfoData what;

	initStringInfo(&query);
	initStringInfo(&what);
	appendStringInfoString(&what, "get policies of ");
	if (target->nlevels > 0)
	{
		appendStringInfoString(&query, "?namespace=");
		floe_rest_encode_namespace(rest, &query, target->namespace, target->nlevels);
	}
	else
		appendStringInfoString(&what, "the catalog");
	for (int i = 0; i < target->nlevels; i++)
		appendStringInfo(&what, "%s%s", i > 0 ? "." : "", target->namespace[i]);
	if (target->name != NULL)
	{
		appendStringInfoString(&query, "&target-name=");
		floe_session_encode(&query, target->name);
		appendStringInfo(&what, ".%s", target->name);
	}
	reading->rest = rest;
	reading->context = context;
	reading->query = query.data;
	reading->what = what.data;
	reading->done = done;
	reading->arg = arg;
	MemoryContextSwitchTo(old);
	ask(reading);
}
