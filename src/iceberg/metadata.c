/*
 * metadata.c: the metadata parser from outside, and the checks on the whole.
 *
 * What can only be judged when everything has been read (format-version may
 * stand last) is judged here: what each version requires, and that ids which
 * name something name something that is there.
 */
#include "floe.h"

#include "iceberg/meta_private.h"
#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

#define GZIP_FIRST_BYTE 0x1F /* no JSON begins with it */

const FloeMetaLimits floe_meta_default_limits = {
	.json_bytes = (size_t) 512 * 1024 * 1024,
	.string_bytes = (size_t) 8 * 1024 * 1024,
	.snapshots = 1000000,
	.refs = 10000,
	.properties = 10000,
	.columns = 1000000,
	.items = 100000,
};

FloeMetaParser *
floe_meta_parser_new(FloeArena *arena, FloeMetaRoot root, const FloeMetaLimits *limits)
{
	FloeMetaParser *parser = floe_arena_alloc0(arena, sizeof(FloeMetaParser));
	FloeJscanLimits scan_limits = floe_jscan_default_limits;

	if (parser == NULL)
		return NULL;
	parser->meta = floe_arena_alloc0(arena, sizeof(FloeTableMeta));
	if (parser->meta == NULL)
		return NULL;
	parser->arena = arena;
	parser->root = root;
	parser->limits = *limits;
	floe_meta_begin(parser);
	floe_meta_list_init(&parser->snapshots, sizeof(FloeSnapshot));
	floe_meta_list_init(&parser->refs, sizeof(FloeRef));
	floe_meta_list_init(&parser->specs, sizeof(FloeMetaFields));
	floe_meta_list_init(&parser->sort_orders, sizeof(FloeMetaFields));
	floe_meta_list_init(&parser->schemas, sizeof(FloeMetaSchema));
	floe_meta_list_init(&parser->nodes, sizeof(FloeMetaNode));
	floe_meta_list_init(&parser->credentials, sizeof(FloeMetaCredential));

	scan_limits.bytes = limits->json_bytes;
	scan_limits.string = limits->string_bytes;
	scan_limits.key = Min(limits->string_bytes, (size_t) 64 * 1024);
	scan_limits.syntax_error = root == FLOE_META_FILE ? FLOE_ERR_CORRUPT : FLOE_ERR_PROTOCOL;
	floe_jscan_init(&parser->scan, &floe_meta_handler, parser, &scan_limits, arena);
	return parser;
}

/* Every failure leaves with what was read, and those of the scanner with the place. */
static bool
failed(FloeMetaParser *parser, FloeStatus *st)
{
	const char *what = parser->root == FLOE_META_FILE ? "table metadata" : "loadTable answer";
	char place[160];

	if (st->code == FLOE_ERR_UNSUPPORTED)
		return false;
	floe_meta_place(parser, place, sizeof(place));
	if (parser->reported || place[0] == '\0')
		return floe_status_prefix(st, "%s", what);
	return floe_status_prefix(st, "%s at \"%s\"", what, place);
}

static bool
take_inflated(void *ctx, const void *data, size_t len, FloeStatus *st)
{
	FloeMetaParser *parser = ctx;

	return floe_jscan_feed(&parser->scan, data, len, st);
}

bool
floe_meta_parser_feed(FloeMetaParser *parser, const void *data, size_t len, FloeStatus *st)
{
	bool ok;

	if (len == 0)
		return true;
	if (!parser->started && parser->root == FLOE_META_FILE && *(const uint8 *) data == GZIP_FIRST_BYTE)
	{
		parser->gunzip = floe_gunzip_new(parser->arena, take_inflated, parser);
		if (parser->gunzip == NULL)
		{
			floe_meta_no_memory(parser, st);
			return failed(parser, st);
		}
	}
	parser->started = true;
	ok = parser->gunzip != NULL ? floe_gunzip_feed(parser->gunzip, data, len, st)
								: floe_jscan_feed(&parser->scan, data, len, st);
	return ok || failed(parser, st);
}

static bool
has(const FloeMetaParser *parser, const char *key)
{
	return floe_meta_has(FLOE_KIND_TABLE, parser->table_has, key);
}

/* What format version 1 may leave out, and what then stands for it. */
static bool
check_version(FloeMetaParser *parser, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;

	if (!has(parser, "schemas") && !has(parser, "schema"))
		return floe_meta_corrupt(parser, st, "schema", "is missing");
	if (has(parser, "schemas") && !has(parser, "current-schema-id"))
		return floe_meta_corrupt(parser, st, "current-schema-id", "is missing");
	if (!has(parser, "partition-specs") && !has(parser, "partition-spec"))
		return floe_meta_corrupt(parser, st, "partition-spec", "is missing");
	if (has(parser, "partition-specs") && !has(parser, "default-spec-id"))
		return floe_meta_corrupt(parser, st, "default-spec-id", "is missing");
	if (has(parser, "sort-orders") && !has(parser, "default-sort-order-id"))
		return floe_meta_corrupt(parser, st, "default-sort-order-id", "is missing");
	if (meta->format_version == 1)
		meta->last_sequence_number = 0;
	if (meta->format_version < 3)
		meta->next_row_id = 0;
	return true;
}

static bool
build_snapshots(FloeMetaParser *parser, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;
	FloeSnapshot *snapshots;

	if (!floe_meta_list_flatten(parser, &parser->snapshots, (void **) &snapshots, st))
		return false;
	meta->snapshots = snapshots;
	meta->snapshot_count = parser->snapshots.count;
	for (int i = 0; i < meta->snapshot_count; i++)
	{
		if (meta->format_version == 1)
			snapshots[i].sequence_number = 0;
		if (snapshots[i].sequence_number > meta->last_sequence_number)
		{
			char key[64];

			snprintf(key, sizeof(key), "snapshots[%d].sequence-number", i);
			return floe_meta_corrupt(parser, st, key, "is beyond last-sequence-number");
		}
	}
	if (!floe_lineage_init(&meta->lineage, parser->arena, snapshots, meta->snapshot_count, st))
		return false;
	if (meta->lineage.duplicate >= 0 || meta->lineage.cycle >= 0)
	{
		bool twice = meta->lineage.duplicate >= 0;
		char key[64];

		snprintf(key, sizeof(key), twice ? "snapshots[%d].snapshot-id" : "snapshots[%d].parent-snapshot-id",
				 twice ? meta->lineage.duplicate : meta->lineage.cycle);
		return floe_meta_corrupt(parser, st, key, twice ? "stands there twice" : "makes the snapshot its own ancestor");
	}
	return true;
}

/* -1 is how Iceberg writes "none" before version 3 (spec, "Assignment of Snapshot IDs"). */
static bool
find_current(FloeMetaParser *parser, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;

	meta->current = -1;
	meta->has_current_snapshot = has(parser, "current-snapshot-id") && meta->current_snapshot_id != -1;
	if (!meta->has_current_snapshot)
	{
		meta->current_snapshot_id = -1;
		return true;
	}
	meta->current = floe_lineage_find(&meta->lineage, meta->current_snapshot_id);
	return meta->current >= 0 || floe_meta_corrupt(parser, st, "current-snapshot-id", "names no snapshot");
}

static bool
build_refs(FloeMetaParser *parser, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;
	FloeRef *refs;
	const FloeRef *main = NULL;
	const char *twice;
	char key[128];

	StaticAssertStmt(offsetof(FloeRef, name) == 0, "refs are sorted by what they begin with");
	if (!floe_meta_list_flatten(parser, &parser->refs, (void **) &refs, st) ||
		!floe_meta_sort_names(parser, refs, parser->refs.count, sizeof(FloeRef), &twice, st))
		return false;
	if (twice != NULL)
		return floe_meta_corrupt(parser, st, "refs", "has a name twice");
	for (int i = 0; i < parser->refs.count; i++)
	{
		if (strcmp(refs[i].name, FLOE_MAIN_BRANCH) == 0)
			main = &refs[i];
		if (floe_lineage_find(&meta->lineage, refs[i].snapshot_id) < 0)
		{
			char name[100];

			floe_copy_text(name, sizeof(name), refs[i].name, strlen(refs[i].name));
			snprintf(key, sizeof(key), "refs.%s.snapshot-id", name);
			return floe_meta_corrupt(parser, st, key, "names no snapshot");
		}
	}
	if (main != NULL && (!meta->has_current_snapshot || main->snapshot_id != meta->current_snapshot_id))
		return floe_meta_corrupt(parser, st, "refs.main.snapshot-id", "is not the current snapshot");
	if (main == NULL && meta->has_current_snapshot)
	{
		/* spec, "Table Metadata Fields": there is always a main branch */
		FloeRef *implicit = floe_meta_list_add(parser, &parser->refs, st);

		if (implicit == NULL)
			return false;
		*implicit = (FloeRef){.name = FLOE_MAIN_BRANCH, .snapshot_id = meta->current_snapshot_id, .is_branch = true};
		if (!floe_meta_list_flatten(parser, &parser->refs, (void **) &refs, st) ||
			!floe_meta_sort_names(parser, refs, parser->refs.count, sizeof(FloeRef), &twice, st))
			return false;
	}
	meta->refs = refs;
	meta->ref_count = parser->refs.count;
	return true;
}

static int
compare_fields(const void *a, const void *b)
{
	int32 x = ((const FloeMetaFields *) a)->id;
	int32 y = ((const FloeMetaFields *) b)->id;

	return (x > y) - (x < y);
}

static const FloeMetaFields *
find_fields(const FloeMetaFields *list, int count, int32 id)
{
	FloeMetaFields wanted = {.id = id};

	return count > 0 ? bsearch(&wanted, list, (size_t) count, sizeof(FloeMetaFields), compare_fields) : NULL;
}

/* Specs or sort orders, by id. */
static bool
build_list(FloeMetaParser *parser, FloeMetaList *list, const char *key, const FloeMetaFields **items, int *count,
		   FloeStatus *st)
{
	FloeMetaFields *sorted;
	void *scratch = floe_arena_alloc(parser->arena, (size_t) list->count * sizeof(FloeMetaFields));

	if (scratch == NULL)
		return floe_meta_no_memory(parser, st);
	if (!floe_meta_list_flatten(parser, list, (void **) &sorted, st))
		return false;
	floe_sort(sorted, scratch, (size_t) list->count, sizeof(FloeMetaFields), compare_fields);
	for (int i = 1; i < list->count; i++)
	{
		if (sorted[i - 1].id == sorted[i].id)
			return floe_meta_corrupt(parser, st, key, "has an id twice");
	}
	*items = sorted;
	*count = list->count;
	return true;
}

static bool
build_fields(FloeMetaParser *parser, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;

	if (!build_list(parser, &parser->specs, "partition-specs", &meta->specs, &meta->spec_count, st) ||
		!build_list(parser, &parser->sort_orders, "sort-orders", &meta->sort_orders, &meta->sort_order_count, st))
		return false;
	if (!has(parser, "partition-specs"))
	{
		meta->specs = &parser->v1_spec;
		meta->spec_count = 1;
		meta->default_spec_id = parser->v1_spec.id;
	}
	meta->default_spec = find_fields(meta->specs, meta->spec_count, meta->default_spec_id);
	if (meta->default_spec == NULL)
		return floe_meta_corrupt(parser, st, "default-spec-id", "names no partition spec");

	if (!has(parser, "sort-orders"))
		meta->default_sort_order_id = 0;
	meta->default_sort_order = find_fields(meta->sort_orders, meta->sort_order_count, meta->default_sort_order_id);
	/* 0 is reserved for "unsorted" and need not be listed (spec, "Sorting") */
	if (meta->default_sort_order == NULL && meta->default_sort_order_id != 0)
		return floe_meta_corrupt(parser, st, "default-sort-order-id", "names no sort order");
	if (meta->default_sort_order != NULL && meta->default_sort_order->count == 0)
		meta->default_sort_order = NULL;
	return true;
}

static bool
build(FloeMetaParser *parser, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;

	if (meta->location != NULL && strlen(meta->location) > FLOE_META_MAX_LOCATION)
		return floe_meta_corrupt(parser, st, "location", "is longer than 2048 bytes");
	if (!check_version(parser, st) || !build_snapshots(parser, st) || !find_current(parser, st) ||
		!build_refs(parser, st) || !build_fields(parser, st) ||
		!floe_meta_build_schema(parser, has(parser, "schemas"), st))
		return false;
	meta->load.credential_count = parser->credentials.count;
	return floe_meta_list_flatten(parser, &parser->credentials, (void **) &meta->load.credentials, st);
}

bool
floe_meta_parser_finish(FloeMetaParser *parser, const FloeTableMeta **meta, FloeStatus *st)
{
	if ((parser->gunzip != NULL && !floe_gunzip_finish(parser->gunzip, st)) || !floe_jscan_finish(&parser->scan, st) ||
		!build(parser, st))
		return failed(parser, st);
	*meta = parser->meta;
	return true;
}

const char *
floe_meta_parser_location(const FloeMetaParser *parser)
{
	const char *location = parser->meta->location;

	return location != NULL && strlen(location) <= FLOE_META_MAX_LOCATION ? location : NULL;
}

static int
compare_property(const void *key, const void *item)
{
	return strcmp(key, ((const FloeMetaProperty *) item)->name);
}

const char *
floe_meta_property(const FloeMetaProperties *properties, const char *name)
{
	const FloeMetaProperty *found = NULL;

	if (properties->count > 0)
		found =
			bsearch(name, properties->items, (size_t) properties->count, sizeof(FloeMetaProperty), compare_property);
	return found != NULL ? found->value : NULL;
}

const FloeMetaFields *
floe_meta_spec(const FloeTableMeta *meta, int32 spec_id)
{
	return find_fields(meta->specs, meta->spec_count, spec_id);
}

static int
compare_field_type(const void *key, const void *item)
{
	int32 id = *(const int32 *) key;
	int32 other = ((const FloeMetaFieldType *) item)->id;

	return (id > other) - (id < other);
}

const char *
floe_meta_field_type(const FloeTableMeta *meta, int32 field_id)
{
	const FloeMetaFieldType *found = NULL;

	if (meta->field_type_count > 0)
		found = bsearch(&field_id, meta->field_types, (size_t) meta->field_type_count, sizeof(FloeMetaFieldType),
						compare_field_type);
	return found != NULL ? found->type : NULL;
}
