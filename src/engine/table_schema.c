/*
 * table_schema.c: reading a table's columns and partition fields, and finding columns.
 *
 * Separate because predicates, sort orders and statistics all ask it.
 */
#include "floe.h"

#include "engine/table_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool
read_columns(FloeJson json, FloeTableSchema *schema, FloeArena *arena, FloeStatus *st)
{
	FloeJson list = floe_json_field(json, "columns");
	size_t n = floe_json_length(list);
	FloeSchemaColumn *columns = floe_arena_alloc0(arena, n * sizeof(FloeSchemaColumn));
	int64_t count = 0;

	if (columns == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "no memory for the columns of the table");
	for (size_t i = 0; i < n; i++)
	{
		FloeJson one = floe_json_at(list, i);

		columns[i].name = floe_json_string(floe_json_field(one, "name"));
		columns[i].type = floe_json_string(floe_json_field(one, "type"));
		if (columns[i].name == NULL || columns[i].type == NULL ||
			!floe_json_int(floe_json_field(one, "id"), &columns[i].id))
			return floe_fail(st, FLOE_ERR_CONFIG, "the columns of the table are not known");
	}
	schema->columns = columns;
	schema->ncolumns = (int) n;
	schema->is_complete = floe_json_int(floe_json_field(json, "column_count"), &count) && count == (int64_t) n && n > 0;
	return true;
}

static bool
read_spec(FloeJson spec, FloePartitionField *fields, int *nfields, int64_t *id)
{
	FloeJson list = floe_json_field(spec, "fields");

	if (!floe_json_int(floe_json_field(spec, "spec_id"), id))
		return false;
	for (size_t i = 0; i < floe_json_length(list); i++)
	{
		FloeJson one = floe_json_at(list, i);
		FloePartitionField *field = &fields[*nfields];

		field->spec_id = *id;
		field->transform = floe_json_string(floe_json_field(one, "transform"));
		if (field->transform == NULL || !floe_json_int(floe_json_field(one, "source_id"), &field->source_id))
			return false;
		if (strcmp(field->transform, "void") != 0)
			(*nfields)++;
	}
	return true;
}

static bool
read_specs(FloeJson json, FloeTableSchema *schema, FloeArena *arena, FloeStatus *st)
{
	FloeJson list = floe_json_field(json, "specs");
	size_t n = floe_json_length(list);
	size_t total = 0;
	FloePartitionField *fields;
	int64_t *specs = floe_arena_alloc0(arena, n * sizeof(int64_t));

	for (size_t i = 0; i < n; i++)
		total += floe_json_length(floe_json_field(floe_json_at(list, i), "fields"));
	/* one more: a void field is read and then not counted */
	fields = floe_arena_alloc0(arena, (total + 1) * sizeof(FloePartitionField));
	if (fields == NULL || specs == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "no memory for the partition specs of the table");
	for (size_t i = 0; i < n; i++)
	{
		if (!read_spec(floe_json_at(list, i), fields, &schema->nfields, &specs[i]))
			return floe_fail(st, FLOE_ERR_CONFIG, "the partition specs of the table are not known");
	}
	schema->fields = fields;
	schema->specs = specs;
	schema->nspecs = (int) n;
	return true;
}

FloeTableSchema *
floe_table_schema_read(FloeJson json, FloeArena *arena, FloeStatus *st)
{
	FloeTableSchema *schema = floe_arena_alloc0(arena, sizeof(FloeTableSchema));

	if (schema == NULL)
	{
		floe_fail(st, FLOE_ERR_NOMEM, "no memory for the schema of the table");
		return NULL;
	}
	return read_columns(json, schema, arena, st) && read_specs(json, schema, arena, st) ? schema : NULL;
}

const FloeSchemaColumn *
floe_schema_column(const FloeTableSchema *schema, const char *name, bool *is_ambiguous)
{
	const FloeSchemaColumn *found = NULL;

	*is_ambiguous = false;
	for (int i = 0; i < schema->ncolumns; i++)
	{
		if (strcmp(schema->columns[i].name, name) == 0)
		{
			*is_ambiguous = false;
			return &schema->columns[i];
		}
		if (strcasecmp(schema->columns[i].name, name) == 0)
		{
			*is_ambiguous = found != NULL;
			found = &schema->columns[i];
		}
	}
	return *is_ambiguous ? NULL : found;
}

bool
floe_schema_is_repeated(const FloeTableSchema *schema, const char *name)
{
	for (int i = 0; i < schema->ncolumns; i++)
	{
		const FloeSchemaColumn *c = &schema->columns[i];
		size_t len = strlen(c->name);

		if ((strcmp(c->type, "list") == 0 || strcmp(c->type, "map") == 0) && strncmp(c->name, name, len) == 0 &&
			name[len] == '.')
			return true;
	}
	return false;
}

FloeColumnType
floe_column_type(const char *type, int *precision, int *scale)
{
	static const struct
	{
		const char *name;
		FloeColumnType type;
	} types[] = {
		{"boolean", FLOE_COLUMN_BOOLEAN},     {"int", FLOE_COLUMN_INT},
		{"long", FLOE_COLUMN_LONG},           {"float", FLOE_COLUMN_FLOAT},
		{"double", FLOE_COLUMN_DOUBLE},       {"date", FLOE_COLUMN_DATE},
		{"timestamp", FLOE_COLUMN_TIMESTAMP}, {"timestamptz", FLOE_COLUMN_TIMESTAMPTZ},
		{"string", FLOE_COLUMN_STRING},       {"uuid", FLOE_COLUMN_UUID},
		{"struct", FLOE_COLUMN_NESTED},       {"list", FLOE_COLUMN_NESTED},
		{"map", FLOE_COLUMN_NESTED},
	};
	char rest;

	for (size_t i = 0; i < lengthof(types); i++)
	{
		if (strcmp(types[i].name, type) == 0)
			return types[i].type;
	}
	if (sscanf(type, "decimal(%d , %d %c", precision, scale, &rest) == 3 && rest == ')' && *precision > 0 &&
		*precision <= 38 && *scale >= 0 && *scale <= *precision)
		return FLOE_COLUMN_DECIMAL;
	return FLOE_COLUMN_UNKNOWN;
}

bool
floe_schema_fail_column(const FloeTableSchema *schema, const char *name, bool is_ambiguous, const char *what,
						FloeStatus *st)
{
	FloeBuf buf;
	int shown = 0;

	if (is_ambiguous)
		return floe_fail(st, FLOE_ERR_CONFIG, "column \"%s\" of %s: the table has several that differ in case only",
						 name, what);
	floe_buf_init(&buf, FLOE_STATUS_DETAIL_SIZE);
	floe_buf_text(&buf, "Columns are: ");
	for (int i = 0; i < schema->ncolumns && shown < 20; i++)
	{
		if (strchr(schema->columns[i].name, '.') == NULL)
			floe_buf_printf(&buf, "%s%s", shown++ > 0 ? ", " : "", schema->columns[i].name);
	}
	floe_buf_text(&buf, shown < 20 ? "." : ", and more.");
	floe_fail_detail(st, FLOE_ERR_CONFIG, buf.data != NULL ? buf.data : "", "column \"%s\" of %s is not in the table",
					 name, what);
	floe_buf_free(&buf);
	return false;
}
