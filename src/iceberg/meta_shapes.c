/*
 * meta_shapes.c: the keys of a table's metadata and of a loadTable answer.
 *
 * They follow the spec ("Table Metadata Fields") and Iceberg's REST protocol
 * (LoadTableResult), and stand in the order in which Iceberg writes them.
 */
#include "floe.h"

#include "iceberg/meta_private.h"

#define KEY FLOE_META_KEY

/* ------------------------------------------------------- the loadTable answer */

static const FloeMetaKey load_result_keys[] = {
	{KEY("metadata-location"), FLOE_WANT_STRING, .offset = offsetof(FloeLoadResult, metadata_location)},
	{KEY("metadata"), FLOE_WANT_OBJECT, FLOE_KIND_TABLE, FLOE_META_REQUIRED},
	{KEY("config"), FLOE_WANT_OBJECT, FLOE_KIND_STRING_MAP, .offset = offsetof(FloeLoadResult, config)},
	{KEY("storage-credentials"), FLOE_WANT_ARRAY, FLOE_KIND_CREDENTIALS},
};

static bool
open_load_result(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	frame->record = &parser->meta->load;
	return true;
}

static const FloeMetaShape shape_load_result = {
	.keys = load_result_keys,
	.key_count = lengthof(load_result_keys),
	.open = open_load_result,
};

/* A map of strings; the key it stands under says where it goes. */
static bool
open_string_map(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	frame->record = (char *) floe_meta_outer(frame)->record + floe_meta_outer(frame)->key->offset;
	floe_meta_list_init(&parser->properties, sizeof(FloeMetaProperty));
	return true;
}

static void *
add_property(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeMetaProperty *property = floe_meta_list_add(parser, &parser->properties, st);

	if (property == NULL)
		return NULL;
	property->name = frame->name;
	return &property->value;
}

static bool
close_string_map(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeMetaProperties *properties = frame->record;
	const char *twice;
	void *items;

	StaticAssertStmt(offsetof(FloeMetaProperty, name) == 0, "properties are sorted by what they begin with");
	if (!floe_meta_list_flatten(parser, &parser->properties, &items, st) ||
		!floe_meta_sort_names(parser, items, parser->properties.count, sizeof(FloeMetaProperty), &twice, st))
		return false;
	if (twice != NULL)
		return floe_meta_fail_member(parser, st, FLOE_ERR_CORRUPT, twice, "stands there twice");
	properties->items = items;
	properties->count = parser->properties.count;
	return true;
}

static const FloeMetaShape shape_string_map = {
	.is_map = true,
	.element = {.want = FLOE_WANT_STRING},
	.limit = offsetof(FloeMetaLimits, properties),
	.open = open_string_map,
	.item = add_property,
	.close = close_string_map,
};

static const FloeMetaKey credential_keys[] = {
	{KEY("prefix"), FLOE_WANT_STRING, .flags = FLOE_META_REQUIRED, .offset = offsetof(FloeMetaCredential, prefix)},
	{KEY("config"), FLOE_WANT_OBJECT, FLOE_KIND_STRING_MAP, FLOE_META_REQUIRED, offsetof(FloeMetaCredential, config)},
};

static bool
open_credential(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	return floe_meta_new_record(parser, frame, &parser->credentials, st);
}

static const FloeMetaShape shape_credential = {
	.keys = credential_keys,
	.key_count = lengthof(credential_keys),
	.open = open_credential,
};

static const FloeMetaShape shape_credentials = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_CREDENTIAL},
};

/* ------------------------------------------------------------------ the table */

/* Only the canonical form, as it goes into a column of type uuid. */
static bool
read_uuid(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	bool right = len == sizeof(form) - 1;

	for (size_t i = 0; i < len && right; i++)
	{
		char lower = text[i] | 0x20;

		right = form[i] == '-' ? text[i] == '-' : (text[i] >= '0' && text[i] <= '9') || (lower >= 'a' && lower <= 'f');
	}
	if (!right)
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "is not a UUID");
	parser->meta->table_uuid = floe_meta_text(parser, text, len, st);
	return parser->meta->table_uuid != NULL;
}

#define AT(field) .offset = offsetof(FloeTableMeta, field)
#define COUNT (FLOE_META_REQUIRED | FLOE_META_NOT_NEGATIVE)
#define COUNT_V2 (FLOE_META_REQUIRED_V2 | FLOE_META_NOT_NEGATIVE)
#define COUNT_V3 (FLOE_META_REQUIRED_V3 | FLOE_META_NOT_NEGATIVE)

static const FloeMetaKey table_keys[] = {
	{KEY("format-version"), FLOE_WANT_INT, .flags = FLOE_META_REQUIRED | FLOE_META_VERSION, AT(format_version)},
	{KEY("table-uuid"), FLOE_WANT_WORD, .flags = FLOE_META_REQUIRED_V2, .word = read_uuid},
	{KEY("location"), FLOE_WANT_STRING, .flags = FLOE_META_REQUIRED | FLOE_META_NOT_EMPTY | FLOE_META_ANY_VERSION,
	 AT(location)},
	{KEY("last-sequence-number"), FLOE_WANT_LONG, .flags = COUNT_V2, AT(last_sequence_number)},
	{KEY("last-updated-ms"), FLOE_WANT_LONG, .flags = COUNT, AT(last_updated_ms)},
	{KEY("last-column-id"), FLOE_WANT_INT, .flags = COUNT, AT(last_column_id)},
	{KEY("schema"), FLOE_WANT_OBJECT, FLOE_KIND_SCHEMA},
	{KEY("current-schema-id"), FLOE_WANT_INT, .flags = FLOE_META_REQUIRED_V2, AT(current_schema_id)},
	{KEY("schemas"), FLOE_WANT_ARRAY, FLOE_KIND_SCHEMAS, FLOE_META_REQUIRED_V2},
	{KEY("partition-spec"), FLOE_WANT_ARRAY, FLOE_KIND_SPEC_FIELDS},
	{KEY("default-spec-id"), FLOE_WANT_INT, .flags = FLOE_META_REQUIRED_V2, AT(default_spec_id)},
	{KEY("partition-specs"), FLOE_WANT_ARRAY, FLOE_KIND_SPECS, FLOE_META_REQUIRED_V2},
	{KEY("last-partition-id"), FLOE_WANT_INT, .flags = FLOE_META_REQUIRED_V2, AT(last_partition_id)},
	{KEY("default-sort-order-id"), FLOE_WANT_INT, .flags = FLOE_META_REQUIRED_V2, AT(default_sort_order_id)},
	{KEY("sort-orders"), FLOE_WANT_ARRAY, FLOE_KIND_SORT_ORDERS, FLOE_META_REQUIRED_V2},
	{KEY("properties"), FLOE_WANT_OBJECT, FLOE_KIND_STRING_MAP, AT(properties)},
	{KEY("current-snapshot-id"), FLOE_WANT_LONG, AT(current_snapshot_id)},
	{KEY("next-row-id"), FLOE_WANT_LONG, .flags = COUNT_V3, AT(next_row_id)},
	{KEY("encryption-keys"), FLOE_WANT_ARRAY, FLOE_KIND_ENCRYPTION_KEYS},
	{KEY("refs"), FLOE_WANT_OBJECT, FLOE_KIND_REFS},
	{KEY("snapshots"), FLOE_WANT_ARRAY, FLOE_KIND_SNAPSHOTS},
	{KEY("statistics"), FLOE_WANT_ARRAY, FLOE_KIND_STATISTICS},
	{KEY("partition-statistics"), FLOE_WANT_ARRAY, FLOE_KIND_PARTITION_STATISTICS},
	{KEY("snapshot-log"), FLOE_WANT_ARRAY, FLOE_KIND_SNAPSHOT_LOG},
	{KEY("metadata-log"), FLOE_WANT_ARRAY, FLOE_KIND_METADATA_LOG},
};

#undef AT

static bool
open_table(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	frame->record = parser->meta;
	parser->in_table = true;
	parser->json_start = floe_jscan_offset(&parser->scan) - 1;
	return true;
}

static bool
close_table(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	parser->in_table = false;
	parser->table_has = frame->has;
	parser->meta->json_bytes = floe_jscan_offset(&parser->scan) - parser->json_start;
	return true;
}

static bool
close_encryption_keys(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	parser->meta->encryption_key_count = frame->index;
	return true;
}

static const FloeMetaShape shape_encryption_keys = {
	.element = {.want = FLOE_WANT_SKIP},
	.close = close_encryption_keys,
};

static const FloeMetaShape shape_table = {
	.keys = table_keys,
	.key_count = lengthof(table_keys),
	.open = open_table,
	.close = close_table,
};

const FloeMetaShape *const floe_meta_shapes[FLOE_KIND_COUNT] = {
	[FLOE_KIND_LOAD_RESULT] = &shape_load_result,
	[FLOE_KIND_STRING_MAP] = &shape_string_map,
	[FLOE_KIND_CREDENTIALS] = &shape_credentials,
	[FLOE_KIND_CREDENTIAL] = &shape_credential,
	[FLOE_KIND_TABLE] = &shape_table,
	[FLOE_KIND_SNAPSHOTS] = &floe_meta_shape_snapshots,
	[FLOE_KIND_SNAPSHOT] = &floe_meta_shape_snapshot,
	[FLOE_KIND_SUMMARY] = &floe_meta_shape_summary,
	[FLOE_KIND_MANIFESTS] = &floe_meta_shape_manifests,
	[FLOE_KIND_REFS] = &floe_meta_shape_refs,
	[FLOE_KIND_REF] = &floe_meta_shape_ref,
	[FLOE_KIND_SNAPSHOT_LOG] = &floe_meta_shape_snapshot_log,
	[FLOE_KIND_METADATA_LOG] = &floe_meta_shape_metadata_log,
	[FLOE_KIND_LOG_ENTRY] = &floe_meta_shape_log_entry,
	[FLOE_KIND_STATISTICS] = &floe_meta_shape_statistics,
	[FLOE_KIND_PARTITION_STATISTICS] = &floe_meta_shape_partition_statistics,
	[FLOE_KIND_STATISTICS_FILE] = &floe_meta_shape_statistics_file,
	[FLOE_KIND_SPECS] = &floe_meta_shape_specs,
	[FLOE_KIND_SPEC] = &floe_meta_shape_spec,
	[FLOE_KIND_SPEC_FIELDS] = &floe_meta_shape_spec_fields,
	[FLOE_KIND_SPEC_FIELD] = &floe_meta_shape_spec_field,
	[FLOE_KIND_SORT_ORDERS] = &floe_meta_shape_sort_orders,
	[FLOE_KIND_SORT_ORDER] = &floe_meta_shape_sort_order,
	[FLOE_KIND_SORT_FIELDS] = &floe_meta_shape_sort_fields,
	[FLOE_KIND_SORT_FIELD] = &floe_meta_shape_sort_field,
	[FLOE_KIND_SOURCE_IDS] = &floe_meta_shape_source_ids,
	[FLOE_KIND_SCHEMAS] = &floe_meta_shape_schemas,
	[FLOE_KIND_SCHEMA] = &floe_meta_shape_schema,
	[FLOE_KIND_FIELDS] = &floe_meta_shape_fields,
	[FLOE_KIND_FIELD] = &floe_meta_shape_field,
	[FLOE_KIND_TYPE] = &floe_meta_shape_type,
	[FLOE_KIND_ENCRYPTION_KEYS] = &shape_encryption_keys,
};
