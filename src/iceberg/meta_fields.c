/*
 * meta_fields.c: partition specs and sort orders in table metadata.
 *
 * Spec: "Partition Specs" and "Sort Orders" of Appendix C.  Both are lists of
 * fields over source columns, so they share a struct.
 */
#include "floe.h"

#include "iceberg/meta_private.h"

#include <string.h>

#define KEY FLOE_META_KEY
#define AT(field) .offset = offsetof(FloeMetaField, field)
#define FIRST_FIELD_ID 1000 /* of partition fields, where format version 1 does not say (spec, "Partition Evolution") */

static bool
open_field(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	return floe_meta_new_record(parser, frame, &parser->fields, st);
}

static bool
open_source_ids(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	floe_meta_list_init(&parser->source_ids, sizeof(int32));
	return true;
}

static void *
add_source_id(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	return floe_meta_list_add(parser, &parser->source_ids, st);
}

static bool
close_source_ids(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeMetaField *field = floe_meta_outer(frame)->record;

	if (frame->index == 0)
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "must not be empty");
	field->source_count = frame->index;
	return floe_meta_list_flatten(parser, &parser->source_ids, (void **) &field->source_ids, st);
}

const FloeMetaShape floe_meta_shape_source_ids = {
	.element = {.want = FLOE_WANT_INT},
	.open = open_source_ids,
	.item = add_source_id,
	.close = close_source_ids,
};

/* One source or several: exactly one of the two keys is written, source-ids wins where both are. */
static bool
finish_sources(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeMetaField *field = frame->record;

	if (field->source_count > 0)
		field->source_id = field->source_ids[0];
	else if (floe_meta_has(frame->kind, frame->has, "source-id"))
		field->source_count = 1;
	else
		return floe_meta_fail_member(parser, st, FLOE_ERR_CORRUPT, "source-id", "is missing");
	return true;
}

static bool
open_fields(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	floe_meta_list_init(&parser->fields, sizeof(FloeMetaField));
	parser->fields_without_id = 0;
	return true;
}

/* The fields of a spec or order; those of the table's own "partition-spec" are spec 0 of format version 1. */
static bool
close_fields(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	bool outside = floe_meta_outer(frame)->kind == FLOE_KIND_TABLE;
	FloeMetaFields *fields = outside ? &parser->v1_spec : floe_meta_outer(frame)->record;

	if (parser->fields_without_id > 0 && parser->fields_without_id < frame->index)
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "has field-id in some fields only");
	fields->count = frame->index;
	return floe_meta_list_flatten(parser, &parser->fields, (void **) &fields->items, st);
}

/* ------------------------------------------------------------ partition specs */

static const FloeMetaKey spec_field_keys[] = {
	{KEY("name"), FLOE_WANT_STRING, .flags = FLOE_META_REQUIRED, AT(name)},
	{KEY("transform"), FLOE_WANT_STRING, .flags = FLOE_META_REQUIRED, AT(transform)},
	{KEY("source-id"), FLOE_WANT_INT, AT(source_id)},
	{KEY("source-ids"), FLOE_WANT_ARRAY, FLOE_KIND_SOURCE_IDS},
	{KEY("field-id"), FLOE_WANT_INT, AT(field_id)},
};

static bool
close_spec_field(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeMetaField *field = frame->record;

	if (!floe_meta_has(frame->kind, frame->has, "field-id"))
		field->field_id = FIRST_FIELD_ID + parser->fields_without_id++;
	return finish_sources(parser, frame, st);
}

const FloeMetaShape floe_meta_shape_spec_field = {
	.keys = spec_field_keys,
	.key_count = lengthof(spec_field_keys),
	.open = open_field,
	.close = close_spec_field,
};

const FloeMetaShape floe_meta_shape_spec_fields = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_SPEC_FIELD},
	.open = open_fields,
	.close = close_fields,
};

static const FloeMetaKey spec_keys[] = {
	{KEY("spec-id"), FLOE_WANT_INT, .flags = FLOE_META_REQUIRED, .offset = offsetof(FloeMetaFields, id)},
	{KEY("fields"), FLOE_WANT_ARRAY, FLOE_KIND_SPEC_FIELDS, FLOE_META_REQUIRED},
};

static bool
open_spec(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	return floe_meta_new_record(parser, frame, &parser->specs, st);
}

const FloeMetaShape floe_meta_shape_spec = {
	.keys = spec_keys,
	.key_count = lengthof(spec_keys),
	.open = open_spec,
};

const FloeMetaShape floe_meta_shape_specs = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_SPEC},
};

/* ---------------------------------------------------------------- sort orders */

static bool
one_of(FloeMetaParser *parser, const char *text, size_t len, const char *no, const char *yes, bool *is_yes)
{
	*is_yes = strlen(yes) == len && pg_strncasecmp(text, yes, len) == 0;
	return *is_yes || (strlen(no) == len && pg_strncasecmp(text, no, len) == 0);
}

static bool
read_direction(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	FloeMetaField *field = frame->record;

	if (!one_of(parser, text, len, "asc", "desc", &field->descending))
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "must be asc or desc");
	return true;
}

static bool
read_null_order(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	FloeMetaField *field = frame->record;

	if (!one_of(parser, text, len, "nulls-first", "nulls-last", &field->nulls_last))
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "must be nulls-first or nulls-last");
	return true;
}

static const FloeMetaKey sort_field_keys[] = {
	{KEY("transform"), FLOE_WANT_STRING, .flags = FLOE_META_REQUIRED, AT(transform)},
	{KEY("source-id"), FLOE_WANT_INT, AT(source_id)},
	{KEY("source-ids"), FLOE_WANT_ARRAY, FLOE_KIND_SOURCE_IDS},
	{KEY("direction"), FLOE_WANT_WORD, .flags = FLOE_META_REQUIRED, .word = read_direction},
	{KEY("null-order"), FLOE_WANT_WORD, .flags = FLOE_META_REQUIRED, .word = read_null_order},
};

const FloeMetaShape floe_meta_shape_sort_field = {
	.keys = sort_field_keys,
	.key_count = lengthof(sort_field_keys),
	.open = open_field,
	.close = finish_sources,
};

const FloeMetaShape floe_meta_shape_sort_fields = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_SORT_FIELD},
	.open = open_fields,
	.close = close_fields,
};

static const FloeMetaKey sort_order_keys[] = {
	{KEY("order-id"), FLOE_WANT_INT, .flags = FLOE_META_REQUIRED, .offset = offsetof(FloeMetaFields, id)},
	{KEY("fields"), FLOE_WANT_ARRAY, FLOE_KIND_SORT_FIELDS, FLOE_META_REQUIRED},
};

static bool
open_sort_order(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	return floe_meta_new_record(parser, frame, &parser->sort_orders, st);
}

const FloeMetaShape floe_meta_shape_sort_order = {
	.keys = sort_order_keys,
	.key_count = lengthof(sort_order_keys),
	.open = open_sort_order,
};

const FloeMetaShape floe_meta_shape_sort_orders = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_SORT_ORDER},
};
