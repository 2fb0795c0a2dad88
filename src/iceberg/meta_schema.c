/*
 * meta_schema.c: schemas in table metadata.
 *
 * A schema is a tree (Appendix C, "Schemas"), arbitrarily nested, and a table
 * may have hundreds of wide ones; it is read without recursion into one list
 * of nodes that know their parent.  Names with dots, as Iceberg writes them,
 * are made for the current schema only.
 */
#include "floe.h"

#include "iceberg/meta_private.h"
#include "base/sort.h"

#include <stdio.h>
#include <string.h>

#define KEY FLOE_META_KEY

static FloeMetaNode *
new_node(FloeMetaParser *parser, FloeMetaNode *parent, const char *name, FloeStatus *st)
{
	FloeMetaNode *node;
	char why[64];

	if (parser->nodes.count >= parser->limits.columns)
	{
		snprintf(why, sizeof(why), "is beyond %d columns of all schemas", parser->limits.columns);
		floe_meta_fail(parser, st, FLOE_ERR_TOO_LARGE, why);
		return NULL;
	}
	node = floe_meta_list_add(parser, &parser->nodes, st);
	if (node == NULL)
		return NULL;
	node->parent = parent;
	node->schema = parser->schema;
	node->name = name;
	parser->schema->node_count++;
	return node;
}

/* -------------------------------------------------------------------- columns */

static bool
read_name(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	FloeMetaNode *node = frame->record;

	node->name = floe_meta_intern(parser, text, len, st);
	return node->name != NULL;
}

static const FloeMetaKey field_keys[] = {
	{KEY("id"), FLOE_WANT_INT, .flags = FLOE_META_REQUIRED | FLOE_META_NOT_NEGATIVE,
	 .offset = offsetof(FloeMetaNode, id)},
	{KEY("name"), FLOE_WANT_WORD, .flags = FLOE_META_REQUIRED, .word = read_name},
	{KEY("required"), FLOE_WANT_BOOL, .flags = FLOE_META_REQUIRED, .offset = offsetof(FloeMetaNode, required)},
	{KEY("type"), FLOE_WANT_TYPE, FLOE_KIND_TYPE, FLOE_META_REQUIRED},
};

static bool
open_field(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	frame->record = new_node(parser, floe_meta_outer(frame)->owner, NULL, st);
	return frame->record != NULL;
}

const FloeMetaShape floe_meta_shape_field = {
	.keys = field_keys,
	.key_count = lengthof(field_keys),
	.open = open_field,
};

static bool
open_fields(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	frame->owner = floe_meta_outer(frame)->owner;
	return true;
}

const FloeMetaShape floe_meta_shape_fields = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_FIELD},
	.limit = offsetof(FloeMetaLimits, columns),
	.open = open_fields,
};

/* --------------------------------------------------------------- nested types */

static const char *const nesting_names[] = {
	[FLOE_NESTING_STRUCT] = "struct",
	[FLOE_NESTING_LIST] = "list",
	[FLOE_NESTING_MAP] = "map",
};

static bool
read_nesting(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	for (int nesting = FLOE_NESTING_STRUCT; nesting <= FLOE_NESTING_MAP; nesting++)
	{
		if (strlen(nesting_names[nesting]) == len && memcmp(nesting_names[nesting], text, len) == 0)
			frame->type.nesting = nesting;
	}
	if (frame->type.nesting == FLOE_NESTING_OTHER)
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "must be struct, list or map");
	return true;
}

enum
{
	TYPE_FIELDS = 1, /* positions in type_keys */
	TYPE_ELEMENT_ID,
	TYPE_ELEMENT,
	TYPE_ELEMENT_REQUIRED,
	TYPE_KEY_ID,
	TYPE_KEY,
	TYPE_VALUE_ID,
	TYPE_VALUE,
	TYPE_VALUE_REQUIRED
};

#define AT(field) .offset = offsetof(FloeMetaType, field)
#define BIT(position) (1 << (position))

static const FloeMetaKey type_keys[] = {
	{KEY("type"), FLOE_WANT_WORD, .flags = FLOE_META_REQUIRED, .word = read_nesting},
	[TYPE_FIELDS] = {KEY("fields"), FLOE_WANT_ARRAY, FLOE_KIND_FIELDS},
	[TYPE_ELEMENT_ID] = {KEY("element-id"), FLOE_WANT_INT, .flags = FLOE_META_NOT_NEGATIVE, AT(element_id)},
	[TYPE_ELEMENT] = {KEY("element"), FLOE_WANT_TYPE, FLOE_KIND_TYPE},
	[TYPE_ELEMENT_REQUIRED] = {KEY("element-required"), FLOE_WANT_BOOL, AT(element_required)},
	[TYPE_KEY_ID] = {KEY("key-id"), FLOE_WANT_INT, .flags = FLOE_META_NOT_NEGATIVE, AT(key_id)},
	[TYPE_KEY] = {KEY("key"), FLOE_WANT_TYPE, FLOE_KIND_TYPE},
	[TYPE_VALUE_ID] = {KEY("value-id"), FLOE_WANT_INT, .flags = FLOE_META_NOT_NEGATIVE, AT(value_id)},
	[TYPE_VALUE] = {KEY("value"), FLOE_WANT_TYPE, FLOE_KIND_TYPE},
	[TYPE_VALUE_REQUIRED] = {KEY("value-required"), FLOE_WANT_BOOL, AT(value_required)},
};

/* The keys that a nested type has besides "type". */
static const uint64 nesting_keys[] = {
	[FLOE_NESTING_STRUCT] = BIT(TYPE_FIELDS),
	[FLOE_NESTING_LIST] = BIT(TYPE_ELEMENT_ID) | BIT(TYPE_ELEMENT) | BIT(TYPE_ELEMENT_REQUIRED),
	[FLOE_NESTING_MAP] =
		BIT(TYPE_KEY_ID) | BIT(TYPE_KEY) | BIT(TYPE_VALUE_ID) | BIT(TYPE_VALUE) | BIT(TYPE_VALUE_REQUIRED),
};

#undef AT

FloeMetaNode *
floe_meta_type_owner(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeMetaNode **child;

	if (frame->kind == FLOE_KIND_FIELD)
		return frame->record;
	child = frame->key == &type_keys[TYPE_ELEMENT] ? &frame->type.element
			: frame->key == &type_keys[TYPE_KEY]   ? &frame->type.key
												   : &frame->type.value;
	*child = new_node(parser, frame->owner, frame->key->name, st);
	return *child;
}

static bool
open_type(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	frame->record = &frame->type;
	return true;
}

static bool
close_type(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	FloeMetaType *type = &frame->type;
	uint64 needed = nesting_keys[type->nesting];
	char why[64];

	if ((frame->has & ~(uint64) 1) != needed)
	{
		snprintf(why, sizeof(why), "is not a valid %s type", nesting_names[type->nesting]);
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, why);
	}
	frame->owner->type = nesting_names[type->nesting];
	if (type->nesting == FLOE_NESTING_LIST)
	{
		type->element->id = type->element_id;
		type->element->required = type->element_required;
	}
	if (type->nesting == FLOE_NESTING_MAP)
	{
		type->key->id = type->key_id;
		type->key->required = true; /* spec, "Nested Types" */
		type->value->id = type->value_id;
		type->value->required = type->value_required;
	}
	return true;
}

const FloeMetaShape floe_meta_shape_type = {
	.keys = type_keys,
	.key_count = lengthof(type_keys),
	.open = open_type,
	.close = close_type,
};

/* -------------------------------------------------------------------- schemas */

static bool
read_struct(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st)
{
	if (len != strlen("struct") || memcmp(text, "struct", len) != 0)
		return floe_meta_fail(parser, st, FLOE_ERR_CORRUPT, "must be struct");
	return true;
}

static const FloeMetaKey schema_keys[] = {
	{KEY("type"), FLOE_WANT_WORD, .flags = FLOE_META_REQUIRED, .word = read_struct},
	{KEY("schema-id"), FLOE_WANT_INT, .offset = offsetof(FloeMetaSchema, id)},
	{KEY("fields"), FLOE_WANT_ARRAY, FLOE_KIND_FIELDS, FLOE_META_REQUIRED},
};

/* A schema without an id is number 0, as in Iceberg. */
static bool
open_schema(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st)
{
	if (floe_meta_outer(frame)->kind == FLOE_KIND_TABLE)
		frame->record = &parser->v1_schema;
	else if (!floe_meta_new_record(parser, frame, &parser->schemas, st))
		return false;
	parser->schema = frame->record;
	if (parser->schema != &parser->v1_schema)
		parser->schema->rank = parser->schemas.count;
	return true;
}

const FloeMetaShape floe_meta_shape_schema = {
	.keys = schema_keys,
	.key_count = lengthof(schema_keys),
	.open = open_schema,
};

const FloeMetaShape floe_meta_shape_schemas = {
	.element = {.want = FLOE_WANT_OBJECT, .child = FLOE_KIND_SCHEMA},
};

/* ------------------------------------------------------------ the whole of them */

/* A column of any schema while the field types are sorted out. */
typedef struct Candidate
{
	int32 id;
	int rank; /* of its schema; the current one is above all */
	const char *type;
} Candidate;

static int
compare_candidates(const void *a, const void *b)
{
	const Candidate *x = a;
	const Candidate *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->rank < y->rank) - (x->rank > y->rank);
}

/* The best candidate of each id; an id that a schema has twice is refused. */
static bool
build_field_types(FloeMetaParser *parser, const FloeMetaSchema *current, bool has_schemas, FloeStatus *st)
{
	size_t most = (size_t) parser->nodes.count;
	Candidate *candidates = floe_arena_alloc(parser->arena, most * sizeof(Candidate));
	Candidate *scratch = floe_arena_alloc(parser->arena, most * sizeof(Candidate));
	FloeMetaFieldType *types = floe_arena_alloc(parser->arena, most * sizeof(FloeMetaFieldType));
	FloeMetaCursor cursor = {0};
	const FloeMetaNode *node;
	int found = 0;
	int count = 0;

	if (candidates == NULL || scratch == NULL || types == NULL)
		return floe_meta_no_memory(parser, st);
	while ((node = floe_meta_list_next(&parser->nodes, &cursor)) != NULL)
	{
		if (node->schema->rank > 0 || !has_schemas)
			candidates[found++] =
				(Candidate){node->id, node->schema == current ? PG_INT32_MAX : node->schema->rank, node->type};
	}
	floe_sort(candidates, scratch, (size_t) found, sizeof(Candidate), compare_candidates);
	for (int i = 0; i < found; i++)
	{
		if (i > 0 && compare_candidates(&candidates[i - 1], &candidates[i]) == 0)
		{
			char why[64];

			snprintf(why, sizeof(why), "has field id %d twice in one schema", candidates[i].id);
			return floe_meta_corrupt(parser, st, has_schemas ? "schemas" : "schema", why);
		}
		if (i == 0 || candidates[i - 1].id != candidates[i].id)
			types[count++] = (FloeMetaFieldType){candidates[i].id, candidates[i].type};
	}
	parser->meta->field_types = types;
	parser->meta->field_type_count = count;
	return true;
}

static bool
build_columns(FloeMetaParser *parser, const FloeMetaSchema *current, FloeStatus *st)
{
	FloeMetaColumn *columns = floe_arena_alloc(parser->arena, (size_t) current->node_count * sizeof(FloeMetaColumn));
	FloeMetaCursor cursor = {0};
	FloeMetaNode *node;
	int count = 0;

	if (columns == NULL)
		return floe_meta_no_memory(parser, st);
	while ((node = floe_meta_list_next(&parser->nodes, &cursor)) != NULL)
	{
		if (node->schema != current)
			continue;
		/* parents have been given their full name before */
		if (node->parent != NULL)
		{
			size_t size = strlen(node->parent->name) + strlen(node->name) + 2;
			char *name = floe_arena_alloc(parser->arena, size);

			if (name == NULL)
				return floe_meta_no_memory(parser, st);
			snprintf(name, size, "%s.%s", node->parent->name, node->name);
			node->name = name;
		}
		columns[count++] = (FloeMetaColumn){node->name, node->type, node->id, node->required};
	}
	parser->meta->columns = columns;
	parser->meta->column_count = count;
	return true;
}

bool
floe_meta_build_schema(FloeMetaParser *parser, bool has_schemas, FloeStatus *st)
{
	FloeTableMeta *meta = parser->meta;
	FloeMetaSchema *current = NULL;
	FloeMetaCursor cursor = {0};
	FloeMetaSchema *schema;

	while ((schema = floe_meta_list_next(&parser->schemas, &cursor)) != NULL)
	{
		if (schema->id == meta->current_schema_id)
			current = schema;
	}
	if (!has_schemas)
	{
		current = &parser->v1_schema;
		meta->current_schema_id = current->id;
	}
	if (current == NULL)
		return floe_meta_corrupt(parser, st, "current-schema-id", "names no schema");
	meta->schema_count = has_schemas ? parser->schemas.count : 1;
	return build_columns(parser, current, st) && build_field_types(parser, current, has_schemas, st);
}
