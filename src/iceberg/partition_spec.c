/*
 * partition_spec.c: which Iceberg type each value of a partition tuple has.
 *
 * A pure function of the manifest's header, done once per distinct header;
 * separate from partition_value.c, which shows the values of each entry.
 */
#include "floe.h"

#include "base/json.h"
#include "iceberg/partition_value.h"

#include <stdio.h>
#include <string.h>

#define MAX_SCHEMA ((size_t) 32 * 1024 * 1024)
#define MAX_SPEC ((size_t) 1024 * 1024)
#define FIRST_FIELD_ID 1000 /* format version 1 does not store ids; they are counted from here */

/* A field of the spec while it is resolved. */
typedef struct SpecField
{
	int64_t source_id;       /* -1: several, or none */
	const char *source_type; /* of a primitive source column; NULL: not found */
	const char *transform;
} SpecField;

static bool
fail_no_memory(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for a partition spec");
}

/* ---- types ---- */

/* What a transform does to the type of its source. */
static const struct
{
	const char *name;
	enum
	{
		KEEP,    /* the result has the type of the source */
		INTEGER, /* it is a number */
		SHOW_AS  /* it is shown in a form of its own */
	} effect;
	FloePartitionType type;
} transforms[] = {
	{"identity", KEEP, 0},
	{"truncate[", KEEP, 0},
	{"void", SHOW_AS, FLOE_PARTITION_NULL},
	{"bucket[", INTEGER, 0},
	{"year", SHOW_AS, FLOE_PARTITION_YEAR},
	{"month", SHOW_AS, FLOE_PARTITION_MONTH},
	{"day", SHOW_AS, FLOE_PARTITION_DATE},
	{"hour", SHOW_AS, FLOE_PARTITION_HOUR},
};

/* The primitive types of Iceberg; the ones that take parameters end in the opening bracket. */
static const struct
{
	const char *name;
	FloePartitionType type;
} iceberg_types[] = {
	{"boolean", FLOE_PARTITION_BOOLEAN},
	{"int", FLOE_PARTITION_INTEGER},
	{"long", FLOE_PARTITION_INTEGER},
	{"float", FLOE_PARTITION_FLOAT},
	{"double", FLOE_PARTITION_DOUBLE},
	{"decimal(", FLOE_PARTITION_DECIMAL},
	{"date", FLOE_PARTITION_DATE},
	{"time", FLOE_PARTITION_TIME},
	{"timestamp", FLOE_PARTITION_TIMESTAMP},
	{"timestamptz", FLOE_PARTITION_TIMESTAMPTZ},
	{"timestamp_ns", FLOE_PARTITION_TIMESTAMP_NS},
	{"timestamptz_ns", FLOE_PARTITION_TIMESTAMPTZ_NS},
	{"string", FLOE_PARTITION_STRING},
	{"uuid", FLOE_PARTITION_UUID},
	{"binary", FLOE_PARTITION_HEX},
	{"fixed[", FLOE_PARTITION_HEX},
};

/* The whole name, or the part up to and including an opening bracket. */
static bool
matches(const char *text, const char *name)
{
	size_t len = strlen(name);

	if (name[len - 1] == '[' || name[len - 1] == '(')
		return strncmp(text, name, len) == 0;
	return strcmp(text, name) == 0;
}

/* How a value is shown when nothing but its Avro type is known. */
static FloePartitionType
raw_type(const FloeAvroColumn *column)
{
	switch (column->type)
	{
		case FLOE_AVRO_BOOLEAN:
			return FLOE_PARTITION_BOOLEAN;
		case FLOE_AVRO_INT:
		case FLOE_AVRO_LONG:
		case FLOE_AVRO_ENUM:
			return FLOE_PARTITION_INTEGER;
		case FLOE_AVRO_FLOAT:
			return FLOE_PARTITION_FLOAT;
		case FLOE_AVRO_DOUBLE:
			return FLOE_PARTITION_DOUBLE;
		case FLOE_AVRO_STRING:
			return FLOE_PARTITION_STRING;
		case FLOE_AVRO_BYTES:
		case FLOE_AVRO_FIXED:
			return FLOE_PARTITION_HEX;
		default:
			return FLOE_PARTITION_NULL;
	}
}

/* Whether a value stored as column can be shown as type. */
static bool
can_hold(const FloeAvroColumn *column, FloePartitionType type)
{
	FloePartitionType raw = raw_type(column);

	switch (type)
	{
		case FLOE_PARTITION_NULL:
			return true;
		case FLOE_PARTITION_DATE:
		case FLOE_PARTITION_YEAR:
		case FLOE_PARTITION_MONTH:
		case FLOE_PARTITION_HOUR:
		case FLOE_PARTITION_TIME:
		case FLOE_PARTITION_TIMESTAMP:
		case FLOE_PARTITION_TIMESTAMPTZ:
		case FLOE_PARTITION_TIMESTAMP_NS:
		case FLOE_PARTITION_TIMESTAMPTZ_NS:
			return raw == FLOE_PARTITION_INTEGER;
		case FLOE_PARTITION_UUID:
			return column->type == FLOE_AVRO_FIXED && column->size == 16;
		case FLOE_PARTITION_DECIMAL:
			return raw == FLOE_PARTITION_HEX;
		default:
			return raw == type;
	}
}

/* What the Avro type says by itself (spec, Appendix A, "Data Type Mappings"). */
static FloePartitionType
avro_type(const FloeAvroColumn *column)
{
	static const struct
	{
		const char *name;
		FloePartitionType type, utc;
	} logical[] = {
		{"date", FLOE_PARTITION_DATE, FLOE_PARTITION_DATE},
		{"time-micros", FLOE_PARTITION_TIME, FLOE_PARTITION_TIME},
		{"timestamp-micros", FLOE_PARTITION_TIMESTAMP, FLOE_PARTITION_TIMESTAMPTZ},
		{"timestamp-nanos", FLOE_PARTITION_TIMESTAMP_NS, FLOE_PARTITION_TIMESTAMPTZ_NS},
		{"uuid", FLOE_PARTITION_UUID, FLOE_PARTITION_UUID},
		{"decimal", FLOE_PARTITION_DECIMAL, FLOE_PARTITION_DECIMAL},
	};

	for (size_t i = 0; column->logical_type != NULL && i < lengthof(logical); i++)
	{
		FloePartitionType type = column->adjust_to_utc ? logical[i].utc : logical[i].type;

		if (strcmp(logical[i].name, column->logical_type) == 0 && can_hold(column, type))
			return type;
	}
	return raw_type(column);
}

static void
resolve_type(const SpecField *source, const FloeAvroColumn *column, FloePartitionField *field)
{
	for (size_t i = 0; i < lengthof(transforms); i++)
	{
		if (!matches(source->transform, transforms[i].name))
			continue;
		if (transforms[i].effect != KEEP)
		{
			field->type = raw_type(column);
			if (transforms[i].effect == SHOW_AS && can_hold(column, transforms[i].type))
				field->type = transforms[i].type;
			return;
		}
		for (size_t t = 0; source->source_type != NULL && t < lengthof(iceberg_types); t++)
		{
			int scale = 0;

			if (!matches(source->source_type, iceberg_types[t].name) || !can_hold(column, iceberg_types[t].type))
				continue;
			field->type = iceberg_types[t].type;
			if (field->type == FLOE_PARTITION_DECIMAL && sscanf(source->source_type, "decimal(%*d , %d", &scale) == 1 &&
				scale >= -1000 && scale <= 1000)
				field->scale = scale;
			return;
		}
		field->type = avro_type(column);
		return;
	}
	field->type = raw_type(column);
}

/* ---- the source columns ---- */

/* Partition sources may stand in structs, never in lists or maps (spec, "Partitioning"). */
static void
find_sources(FloeJson structure, SpecField *fields, uint32_t nfields, int depth)
{
	FloeJson columns = floe_json_field(structure, "fields");
	size_t ncolumns = floe_json_length(columns);

	for (size_t i = 0; i < ncolumns; i++)
	{
		FloeJson column = floe_json_at(columns, i);
		FloeJson type = floe_json_field(column, "type");
		int64_t id;

		if (floe_json_kind(type) == FLOE_JSON_OBJECT && depth < FLOE_AVRO_MAX_DEPTH)
			find_sources(type, fields, nfields, depth + 1);
		if (!floe_json_int(floe_json_field(column, "id"), &id) || id < 0)
			continue;
		for (uint32_t f = 0; f < nfields; f++)
			if (fields[f].source_id == id)
				fields[f].source_type = floe_json_string(type);
	}
}

/* ---- the spec ---- */

static bool
read_spec_field(FloeArena *arena, FloeJson json, uint32_t at, SpecField *source, FloePartitionField *field,
				int64_t *field_id, FloeStatus *st)
{
	const char *name;
	FloeBuf prefix;

	memset(field, 0, sizeof(*field));
	field->slot = -1;
	source->source_type = NULL;
	if (!floe_json_get_string(json, "name", &name, st) ||
		!floe_json_get_string(json, "transform", &source->transform, st) ||
		!floe_json_opt_int(json, "source-id", -1, &source->source_id, st) ||
		!floe_json_opt_int(json, "field-id", FIRST_FIELD_ID + at, field_id, st))
		return false;
	floe_buf_init(&prefix, FLOE_PARTITION_MAX_TEXT);
	if (floe_buf_text(&prefix, at > 0 ? ", " : "") && floe_json_quote(&prefix, name, strlen(name)) &&
		floe_buf_text(&prefix, ": "))
		field->prefix = floe_arena_text(arena, prefix.data, prefix.len);
	floe_buf_free(&prefix);
	return field->prefix != NULL || floe_fail(st, FLOE_ERR_TOO_LARGE, "the name of a partition field is too long");
}

static bool
read_fields(FloeArena *arena, FloeJson json, SpecField *sources, FloePartitionField *fields, FloePartitionSpec *spec,
			const FloeAvroColumn *columns, const FloeAvroColumn **stored, uint32_t ncolumns, FloeStatus *st)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < spec->nfields; i++)
	{
		int64_t id;
		bool again;

		if (!read_spec_field(arena, floe_json_at(json, i), i, &sources[i], &fields[i], &id, st))
			return false;
		for (uint32_t c = 0; c < ncolumns; c++)
		{
			if (columns[c].field_id != id)
				continue;
			again = fields[i].slot >= 0;
			for (uint32_t before = 0; before < i; before++)
				again |= stored[before] == &columns[c];
			if (again)
				return floe_fail(st, FLOE_ERR_CORRUPT, "partition field %lld is there twice", (long long) id);
			fields[i].slot = columns[c].slot;
			stored[i] = &columns[c];
			taken++;
		}
		if (strcmp(sources[i].transform, "void") != 0)
			spec->unpartitioned = false;
	}
	if (taken != ncolumns)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the partition tuple has %u fields, the partition spec knows %u of them",
						 ncolumns, taken);
	return true;
}

static bool
read_types(FloeSlice schema, SpecField *sources, FloePartitionField *fields, const FloePartitionSpec *spec,
		   const FloeAvroColumn **stored, FloeStatus *st)
{
	FloeJsonDoc *doc = NULL;

	if (schema.data != NULL && spec->nfields > 0)
	{
		doc = floe_json_parse(schema.data, schema.len, "schema of the manifest", MAX_SCHEMA, st);
		if (doc == NULL)
			return false;
		find_sources(floe_json_root(doc), sources, spec->nfields, 0);
	}
	for (uint32_t i = 0; i < spec->nfields; i++)
	{
		if (stored[i] == NULL)
			continue;
		fields[i].scale = stored[i]->scale;
		resolve_type(&sources[i], stored[i], &fields[i]);
	}
	floe_json_free(doc);
	return true;
}

static bool
compile_spec(FloeArena *arena, FloeSlice schema, FloeJson json, const FloeAvroColumn *columns, uint32_t ncolumns,
			 FloePartitionSpec *spec, FloeStatus *st)
{
	size_t nfields = floe_json_length(json);
	SpecField *sources;
	FloePartitionField *fields;
	const FloeAvroColumn **stored;

	if (nfields > FLOE_PARTITION_MAX_FIELDS)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "the partition spec has %zu fields", nfields);
	spec->nfields = (uint32_t) nfields;
	spec->unpartitioned = true;
	sources = floe_arena_alloc0(arena, nfields * sizeof(*sources));
	fields = floe_arena_alloc0(arena, nfields * sizeof(*fields));
	stored = floe_arena_alloc0(arena, nfields * sizeof(*stored));
	if (sources == NULL || fields == NULL || stored == NULL)
		return fail_no_memory(st);
	spec->fields = fields;
	return read_fields(arena, json, sources, fields, spec, columns, stored, ncolumns, st) &&
		   read_types(schema, sources, fields, spec, stored, st);
}

const FloePartitionSpec *
floe_partition_compile(FloeArena *arena, FloeSlice schema, FloeSlice spec_text, const FloeAvroColumn *columns,
					   uint32_t ncolumns, FloeStatus *st)
{
	FloePartitionSpec *spec = floe_arena_alloc0(arena, sizeof(*spec));
	FloeJsonDoc *doc = NULL;
	FloeJson json = {NULL, NULL};
	bool done = true;

	if (spec == NULL)
	{
		fail_no_memory(st);
		return NULL;
	}
	if (spec_text.data != NULL)
	{
		doc = floe_json_parse(spec_text.data, spec_text.len, "partition spec of the manifest", MAX_SPEC, st);
		done = doc != NULL;
		json = done ? floe_json_root(doc) : json;
		/* the fields alone; some writers store the whole spec */
		if (floe_json_kind(json) == FLOE_JSON_OBJECT)
			json = floe_json_field(json, "fields");
		if (done && floe_json_kind(json) != FLOE_JSON_ARRAY)
			done = floe_fail(st, FLOE_ERR_CORRUPT, "the partition spec of the manifest is not a list of fields");
	}
	done = done && compile_spec(arena, schema, json, columns, ncolumns, spec, st);
	floe_json_free(doc);
	if (!done && st->code == FLOE_ERR_PROTOCOL)
		st->code = FLOE_ERR_CORRUPT;
	return done ? spec : NULL;
}
