/*
 * locate.c: where the metadata files of tables are, asked for many at once.
 *
 * For catalogs that know where a table's metadata is and not what is in it
 * (FloeCatalogOps.locate_tables).  Looks at tables of one catalog that begin in
 * the same turn of the loop become one question, because one answer of such a
 * catalog holds for many.
 */
#include "floe.h"

#include "pass/assess.h"

#include "utils/memutils.h"

/* More than that is several questions: an answer stands in memory as a whole. */
#define MAX_BATCH 1000

typedef struct Batch
{
	FloePassCatalog *catalog;
	MemoryContext context;
	FloeLocateItem *items;
	FloeAssess **assessments;
	int count;
	int open;
} Batch;

static void
on_located(void *arg, int i, const FloeStatus *st, const FloeLocated *located)
{
	Batch *batch = arg;
	FloeAssess *a = batch->assessments[i];

	Assert(a != NULL);
	batch->assessments[i] = NULL;
	floe_assess_located(a, st, located);
	if (--batch->open > 0)
		return;
	batch->catalog->refs--;
	MemoryContextDelete(batch->context);
}

static void
ask(FloePassCatalog *catalog, List *assessments, int first, int count)
{
	MemoryContext context = AllocSetContextCreate(catalog->context, "floe locating", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Batch *batch = palloc0(sizeof(Batch));

	batch->catalog = catalog;
	batch->context = context;
	batch->items = palloc0(sizeof(FloeLocateItem) * (size_t) count);
	batch->assessments = palloc0(sizeof(FloeAssess *) * (size_t) count);
	batch->count = batch->open = count;
	for (int i = 0; i < count; i++)
	{
		FloeAssess *a = list_nth(assessments, first + i);

		batch->assessments[i] = a;
		batch->items[i].id.namespace = (const char *const *) a->claim.namespace;
		batch->items[i].id.nlevels = a->claim.nlevels;
		batch->items[i].id.name = a->claim.table_name;
		batch->items[i].etag = a->claim.etag;
	}
	MemoryContextSwitchTo(old);
	/* the answer to the last table may be what lets go of the catalog */
	catalog->refs++;
	catalog->catalog->ops->locate_tables(catalog->catalog, batch->items, count, on_located, batch);
}

static void
ask_all(void *arg)
{
	FloePassCatalog *catalog = arg;
	List *assessments = catalog->to_locate;
	int n = list_length(assessments);

	catalog->to_locate = NIL;
	for (int first = 0; first < n; first += MAX_BATCH)
		ask(catalog, assessments, first, Min(MAX_BATCH, n - first));
	list_free(assessments);
	catalog->refs--;
}

void
floe_assess_locate(FloeAssess *a)
{
	FloePassCatalog *catalog = a->catalog;
	MemoryContext old = MemoryContextSwitchTo(catalog->context);

	if (catalog->to_locate == NIL)
	{
		catalog->refs++;
		floe_http_after(catalog->pass->http, 0, ask_all, catalog);
	}
	catalog->to_locate = lappend(catalog->to_locate, a);
	MemoryContextSwitchTo(old);
}
