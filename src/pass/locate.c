/*
 * locate.c: where the metadata files of tables are, asked for many at once.
 *
 * For catalogs that know where a table's metadata is and not what is in it
 * (FloeCatalogOps.locate_tables).  Looks at tables of one catalog that begin in
 * the same turn of the loop become one question, because one answer of such a
 * catalog holds for many.  So the catalog's window (claims.c) does not hold
 * back how many are asked for, but how many of those that have changed are
 * read from the store at a time.
 */
#include "floe.h"

#include "pass/assess.h"

#include "guc.h"

#include "utils/memutils.h"

static bool
set_current(FloeTableMeta *meta, int64 snapshot_id, FloeStatus *st)
{
	meta->current_snapshot_id = snapshot_id;
	meta->current = -1;
	for (int i = 0; i < meta->snapshot_count; i++)
	{
		if (meta->snapshots[i].id == snapshot_id)
			meta->current = i;
	}
	return snapshot_id < 0 || meta->current >= 0 ||
		   floe_fail(st, FLOE_ERR_CORRUPT, "the metadata file has no snapshot %lld, which is current in the catalog",
					 (long long) snapshot_id);
}

static bool
forbid_gc(const FloeAssess *a, FloeTableMeta *meta, FloeStatus *st)
{
	int n = meta->properties.count;
	FloeMetaProperty *items = floe_arena_alloc(a->arena, sizeof(FloeMetaProperty) * (size_t) (n + 1));

	if (items == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for table metadata");
	if (n > 0)
		memcpy(items, meta->properties.items, sizeof(FloeMetaProperty) * (size_t) n);
	items[n] = (FloeMetaProperty){"gc.enabled", "false"};
	meta->properties = (FloeMetaProperties){items, n + 1};
	return true;
}

bool
floe_assess_adapt(const FloeAssess *a, FloeTableMeta *meta, FloeStatus *st)
{
	if (a->has_snapshot && (meta->current < 0 ? -1 : meta->current_snapshot_id) != a->snapshot_id &&
		!set_current(meta, a->snapshot_id, st))
		return false;
	if (a->catalog->catalog->keeps_gc != NULL && floe_meta_property(&meta->properties, "gc.enabled") == NULL)
		return forbid_gc(a, meta, st);
	return true;
}

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
	for (int first = 0; first < n; first += FLOE_LOCATE_MOST)
		ask(catalog, assessments, first, Min(FLOE_LOCATE_MOST, n - first));
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
	if (a->in_turn)
	{
		a->asking = true;
		catalog->asking++;
		catalog->pass->asking++;
	}
}

/* ---- reading what has changed ---- */

void
floe_assess_asked(FloeAssess *a)
{
	if (!a->asking)
		return;
	a->asking = false;
	a->catalog->asking--;
	a->pass->asking--;
}

static bool
has_place(const FloePassCatalog *catalog)
{
	const FloePass *pass = catalog->pass;
	int reading = catalog->in_flight - catalog->asking;

	/* of a catalog that was cut off nothing is read: each is told why */
	return catalog->state == FLOE_CATALOG_FAILED ||
		   (reading < catalog->window &&
			(reading < FLOE_GUARANTEED || pass->assessing - pass->asking < floe_max_tables_in_flight));
}

void
floe_assess_read_next(FloePassCatalog *catalog)
{
	/* one that ends at once comes here again */
	if (catalog->reading_next)
		return;
	catalog->reading_next = true;
	while (catalog->to_read != NIL && has_place(catalog))
	{
		FloeAssess *a = linitial(catalog->to_read);

		catalog->to_read = list_delete_first(catalog->to_read);
		floe_assess_asked(a);
		if (catalog->state == FLOE_CATALOG_FAILED)
			floe_assess_fail(a, &catalog->failure);
		else
			floe_assess_read(a);
	}
	catalog->reading_next = false;
}

void
floe_assess_await_turn(FloeAssess *a)
{
	MemoryContext old;

	if (!a->asking)
	{
		floe_assess_read(a);
		return;
	}
	old = MemoryContextSwitchTo(a->catalog->context);
	a->catalog->to_read = lappend(a->catalog->to_read, a);
	MemoryContextSwitchTo(old);
	floe_assess_read_next(a->catalog);
}
