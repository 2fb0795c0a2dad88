/*
 * avro_types.c: named types of an Avro schema and what a type expression means.
 */
#include "floe.h"

#include "iceberg/avro_types.h"

#include <string.h>

#define MAX_NAMES 128
#define MAX_NAME_LENGTH 512

static const struct
{
	const char *name;
	FloeAvroType type;
} type_names[] = {
	{"null", FLOE_AVRO_NULL},   {"boolean", FLOE_AVRO_BOOLEAN}, {"int", FLOE_AVRO_INT},
	{"long", FLOE_AVRO_LONG},   {"float", FLOE_AVRO_FLOAT},     {"double", FLOE_AVRO_DOUBLE},
	{"bytes", FLOE_AVRO_BYTES}, {"string", FLOE_AVRO_STRING},   {"fixed", FLOE_AVRO_FIXED},
	{"enum", FLOE_AVRO_ENUM},   {"record", FLOE_AVRO_RECORD},   {"array", FLOE_AVRO_ARRAY},
	{"map", FLOE_AVRO_MAP},     {"union", FLOE_AVRO_UNION},
};

const char *
floe_avro_type_name(FloeAvroType type)
{
	for (size_t i = 0; i < lengthof(type_names); i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	return "unknown";
}

static bool
fail_no_memory(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for an Avro schema");
}

bool
floe_avro_names_init(FloeAvroNames *names, FloeArena *arena)
{
	names->arena = arena;
	names->ntypes = 0;
	names->types = floe_arena_alloc(arena, MAX_NAMES * sizeof(FloeAvroNamedType));
	return names->types != NULL;
}

static const char *
make_fullname(FloeAvroNames *names, const char *name, const char *space, bool *failed, FloeStatus *st)
{
	size_t space_len = space != NULL ? strlen(space) : 0;
	size_t name_len = strlen(name);
	char *full;

	*failed = name_len == 0 || name_len > MAX_NAME_LENGTH || space_len > MAX_NAME_LENGTH;
	if (*failed)
	{
		floe_fail(st, FLOE_ERR_CORRUPT, "an Avro type has no usable name");
		return NULL;
	}
	if (space_len == 0 || strchr(name, '.') != NULL)
		return name;
	full = floe_arena_alloc(names->arena, space_len + name_len + 2);
	if (full == NULL)
	{
		*failed = true;
		fail_no_memory(st);
		return NULL;
	}
	memcpy(full, space, space_len);
	full[space_len] = '.';
	memcpy(full + space_len + 1, name, name_len + 1);
	return full;
}

static FloeAvroNamedType *
find_name(FloeAvroNames *names, const char *fullname)
{
	for (uint32_t i = 0; i < names->ntypes; i++)
		if (strcmp(names->types[i].fullname, fullname) == 0)
			return &names->types[i];
	return NULL;
}

static bool
define_name(FloeAvroNames *names, FloeAvroResolved *r, const char *space, FloeStatus *st)
{
	const char *name, *own_space, *full, *dot;
	bool failed;

	if (!floe_json_get_string(r->node, "name", &name, st) ||
		!floe_json_opt_string(r->node, "namespace", &own_space, st))
		return false;
	full = make_fullname(names, name, own_space != NULL ? own_space : space, &failed, st);
	if (failed)
		return false;
	if (find_name(names, full) != NULL)
		return floe_fail(st, FLOE_ERR_CORRUPT, "Avro type \"%s\" is defined twice", full);
	if (names->ntypes >= MAX_NAMES)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "the Avro schema has more than %d named types", MAX_NAMES);
	dot = strrchr(full, '.');
	r->space = dot != NULL ? floe_arena_text(names->arena, full, (size_t) (dot - full)) : NULL;
	if (dot != NULL && r->space == NULL)
		return fail_no_memory(st);
	r->named = &names->types[names->ntypes++];
	*r->named = (FloeAvroNamedType){full, r->node, r->space, false};
	return true;
}

/* A name where a type stands: a primitive, or a type defined earlier. */
static bool
resolve_name(FloeAvroNames *names, const char *name, const char *space, FloeAvroResolved *r, FloeStatus *st)
{
	const char *full, *kind;
	bool failed;

	for (size_t i = 0; i < lengthof(type_names) && type_names[i].type < FLOE_AVRO_FIXED; i++)
	{
		if (strcmp(type_names[i].name, name) == 0)
		{
			r->type = type_names[i].type;
			return true;
		}
	}
	full = make_fullname(names, name, space, &failed, st);
	if (failed)
		return false;
	r->named = find_name(names, full);
	if (r->named == NULL)
		r->named = find_name(names, name);
	if (r->named == NULL)
		return floe_fail(st, FLOE_ERR_CORRUPT, "Avro type \"%s\" is not defined", name);
	r->node = r->named->node;
	r->space = r->named->space;
	if (!floe_json_get_string(r->node, "type", &kind, st))
		return false;
	r->type = strcmp(kind, "record") == 0  ? FLOE_AVRO_RECORD
			  : strcmp(kind, "fixed") == 0 ? FLOE_AVRO_FIXED
										   : FLOE_AVRO_ENUM;
	return true;
}

bool
floe_avro_resolve(FloeAvroNames *names, FloeJson type, const char *space, FloeAvroResolved *r, FloeStatus *st)
{
	const char *name;

	memset(r, 0, sizeof(*r));
	r->space = space;
	for (int wrapped = 0; wrapped < FLOE_AVRO_MAX_DEPTH; wrapped++)
	{
		switch (floe_json_kind(type))
		{
			case FLOE_JSON_STRING:
				return resolve_name(names, floe_json_string(type), space, r, st);
			case FLOE_JSON_ARRAY:
				r->type = FLOE_AVRO_UNION;
				r->node = type;
				return true;
			case FLOE_JSON_OBJECT:
				break;
			default:
				return floe_fail(st, FLOE_ERR_CORRUPT, "an Avro type is neither a name, an object nor a union");
		}
		r->node = type;
		type = floe_json_field(type, "type");
		name = floe_json_string(type);
		for (size_t i = 0; name != NULL && i < lengthof(type_names); i++)
		{
			if (type_names[i].type != FLOE_AVRO_UNION && strcmp(type_names[i].name, name) == 0)
			{
				r->type = type_names[i].type;
				if (r->type == FLOE_AVRO_RECORD || r->type == FLOE_AVRO_FIXED || r->type == FLOE_AVRO_ENUM)
					return define_name(names, r, space, st);
				return true;
			}
		}
	}
	return floe_fail(st, FLOE_ERR_TOO_LARGE, "the Avro schema is nested too deeply");
}

bool
floe_avro_describe(FloeAvroNames *names, const FloeAvroResolved *r, FloeAvroColumn *column, FloeStatus *st)
{
	int64_t scale;

	column->type = r->type;
	if (r->node.node == NULL)
		return true;
	if (!floe_json_opt_string(r->node, "logicalType", &column->logical_type, st) ||
		!floe_json_opt_bool(r->node, "adjust-to-utc", false, &column->adjust_to_utc, st) ||
		!floe_json_opt_int(r->node, "scale", 0, &scale, st))
		return false;
	if (column->logical_type != NULL)
	{
		column->logical_type = floe_arena_text(names->arena, column->logical_type, strlen(column->logical_type));
		if (column->logical_type == NULL)
			return fail_no_memory(st);
	}
	if (scale < -1000 || scale > 1000)
		return floe_fail(st, FLOE_ERR_CORRUPT, "decimal scale %lld is out of range", (long long) scale);
	column->scale = (int32_t) scale;
	return true;
}
