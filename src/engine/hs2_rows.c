/*
 * hs2_rows.c: results of HiveServer2: columns with null bitmaps in, JSON rows out.
 *
 * Separate from the other calls because here the sizes are the server's to
 * choose.  Nothing is allocated per value: the columns of a fetch are cursors
 * into its body, checked to the last value before the first row is written.
 */
#include "floe.h"

#include "engine/hs2_wire.h"

#include "base/json.h"

#include "common/shortest_dec.h"

#include <math.h>
#include <string.h>

/* Members of the union TColumn */
#define KIND_BOOL 1
#define KIND_BYTE 2
#define KIND_I16 3
#define KIND_I32 4
#define KIND_I64 5
#define KIND_DOUBLE 6
#define KIND_STRING 7
#define KIND_BINARY 8

/* The Thrift type of a kind's values. */
static const uint8_t value_types[] = {
	[KIND_BOOL] = FLOE_THRIFT_BOOL,     [KIND_BYTE] = FLOE_THRIFT_I8,       [KIND_I16] = FLOE_THRIFT_I16,
	[KIND_I32] = FLOE_THRIFT_I32,       [KIND_I64] = FLOE_THRIFT_I64,       [KIND_DOUBLE] = FLOE_THRIFT_DOUBLE,
	[KIND_STRING] = FLOE_THRIFT_STRING, [KIND_BINARY] = FLOE_THRIFT_STRING,
};

/* -------------------------------------------------------------------------
 * GetResultSetMetadata
 * ------------------------------------------------------------------------- */

static const char *
read_column_name(FloeArena *arena, FloeCursor *c)
{
	FloeThriftField field;
	FloeThriftText name = FLOE_THRIFT_NO_TEXT;

	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_STRING))
			name = floe_thrift_read_text(c);
		else
			floe_thrift_skip(c, field.type);
	}
	return floe_arena_text(arena, name.data, name.len);
}

/* list<TColumnDesc> */
static bool
read_columns(FloeArena *arena, FloeCursor *c, FloeHs2Schema *schema, FloeStatus *st)
{
	FloeThriftList list = floe_thrift_read_list(c);

	if (list.count > FLOE_HS2_MAX_COLUMNS)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "a result of %u columns, more than %d", list.count,
						 FLOE_HS2_MAX_COLUMNS);
	if (list.count > 0 && list.type != FLOE_THRIFT_STRUCT)
		c->bad = true;
	if (c->bad)
		return true; /* reported when the answer is closed */
	schema->columns = floe_arena_alloc0(arena, list.count * sizeof(FloeHs2Column));
	if (schema->columns == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for a result of %u columns", list.count);
	schema->ncolumns = (int) list.count;
	for (uint32_t i = 0; i < list.count; i++)
	{
		schema->columns[i].name = read_column_name(arena, c);
		if (schema->columns[i].name == NULL)
			return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the columns of a result");
	}
	return true;
}

/* TTableSchema.  Only the first list counts, so that a message cannot make us allocate one after the other. */
static bool
read_schema(FloeArena *arena, FloeCursor *c, FloeHs2Schema *schema, FloeStatus *st)
{
	FloeThriftField field;

	while (floe_thrift_read_field(c, &field))
	{
		if (schema->columns == NULL && floe_thrift_field_is(&field, 1, FLOE_THRIFT_LIST))
		{
			if (!read_columns(arena, c, schema, st))
				return false;
		}
		else
			floe_thrift_skip(c, field.type);
	}
	return true;
}

bool
floe_hs2_read_metadata(FloeArena *arena, int32_t sequence, const void *body, size_t len, FloeHs2Schema *schema,
					   FloeHs2Status *status, FloeStatus *st)
{
	FloeHs2Call call = FLOE_HS2_GET_RESULT_SET_METADATA;
	FloeThriftField field;
	FloeCursor c;
	bool has_status = false;

	memset(schema, 0, sizeof(*schema));
	if (!floe_hs2_open_result(&c, call, sequence, body, len, st))
		return false;
	while (floe_thrift_read_field(&c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_STRUCT))
		{
			floe_hs2_read_status(&c, status);
			has_status = true;
		}
		else if (floe_thrift_field_is(&field, 2, FLOE_THRIFT_STRUCT))
		{
			if (!read_schema(arena, &c, schema, st))
				return false;
		}
		else
			floe_thrift_skip(&c, field.type);
	}
	if (!floe_hs2_close_result(&c, call, st))
		return false;
	if (!has_status || (floe_hs2_is_ok(status) && schema->columns == NULL))
		return floe_fail(st, FLOE_ERR_PROTOCOL, "the answer to %s lacks a required field", floe_hs2_call_name(call));
	return true;
}

/* -------------------------------------------------------------------------
 * FetchResults
 * ------------------------------------------------------------------------- */

/* One member of TColumn: {1: values, 2: nulls}; passes over the values, so that all of them are known to be there. */
static uint32_t
read_values(FloeCursor *c, FloeHs2Column *column)
{
	FloeThriftField field;
	FloeThriftList list = {0, 0};

	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_LIST))
		{
			list = floe_thrift_read_list(c);
			if (list.count > 0 && list.type != value_types[column->kind])
				c->bad = true;
			column->values = *c;
			for (uint32_t i = 0; i < list.count && !c->bad; i++)
				floe_thrift_skip(c, list.type);
			column->values.end = c->pos;
		}
		else if (floe_thrift_field_is(&field, 2, FLOE_THRIFT_STRING))
			column->nulls = floe_thrift_read_text(c);
		else
			floe_thrift_skip(c, field.type);
	}
	return list.count;
}

/* TColumn; makes the cursor bad when it has no member that is known. */
static uint32_t
read_column(FloeCursor *c, FloeHs2Column *column)
{
	FloeThriftField field;
	uint32_t count = 0;

	column->kind = 0;
	column->nulls = FLOE_THRIFT_NO_TEXT;
	while (floe_thrift_read_field(c, &field))
	{
		if (field.type == FLOE_THRIFT_STRUCT && field.id >= KIND_BOOL && field.id <= KIND_BINARY)
		{
			column->kind = field.id;
			count = read_values(c, column);
		}
		else
			floe_thrift_skip(c, field.type);
	}
	if (column->kind == 0)
		c->bad = true;
	return count;
}

/* TRowSet */
static bool
read_row_set(FloeCursor *c, FloeHs2Schema *schema, FloeStatus *st)
{
	FloeThriftField field;
	FloeThriftList list;

	while (floe_thrift_read_field(c, &field))
	{
		if (field.type == FLOE_THRIFT_LIST && (field.id == 2 || field.id == 3))
		{
			list = floe_thrift_read_list(c);
			if (c->bad || list.count == 0)
				continue;
			if (field.id == 2)
				return floe_fail(st, FLOE_ERR_UNSUPPORTED, "the engine answers with rows, not with columns");
			if (list.count != (uint32_t) schema->ncolumns || list.type != FLOE_THRIFT_STRUCT)
				return floe_fail(st, FLOE_ERR_PROTOCOL, "%u columns in a result that has %d", list.count,
								 schema->ncolumns);
			for (uint32_t i = 0; i < list.count && !c->bad; i++)
			{
				uint32_t count = read_column(c, &schema->columns[i]);

				if (i > 0 && count != schema->nrows && !c->bad)
					return floe_fail(st, FLOE_ERR_PROTOCOL, "the columns of a result differ in length");
				schema->nrows = count;
			}
		}
		else
			floe_thrift_skip(c, field.type);
	}
	return true;
}

bool
floe_hs2_read_rows(FloeHs2Schema *schema, int32_t sequence, const void *body, size_t len, FloeHs2Status *status,
				   FloeStatus *st)
{
	FloeHs2Call call = FLOE_HS2_FETCH_RESULTS;
	FloeThriftField field;
	FloeCursor c;
	bool has_status = false;

	schema->nrows = 0;
	if (!floe_hs2_open_result(&c, call, sequence, body, len, st))
		return false;
	while (floe_thrift_read_field(&c, &field))
	{
		if (floe_thrift_field_is(&field, 1, FLOE_THRIFT_STRUCT))
		{
			floe_hs2_read_status(&c, status);
			has_status = true;
		}
		else if (floe_thrift_field_is(&field, 3, FLOE_THRIFT_STRUCT))
		{
			if (!read_row_set(&c, schema, st))
				return false;
		}
		else
			floe_thrift_skip(&c, field.type);
	}
	if (!floe_hs2_close_result(&c, call, st))
		return false;
	if (!has_status)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "the answer to %s lacks a required field", floe_hs2_call_name(call));
	return true;
}

/* -------------------------------------------------------------------------
 * Rows as JSON
 * ------------------------------------------------------------------------- */

static bool
append_text(const FloeSecrets *secrets, FloeBuf *row, FloeBuf *scratch, const char *text, size_t len)
{
	floe_buf_reset(scratch);
	/* the scratch buffer has the cap of a row: what does not fit there cannot fit here */
	if (!floe_secrets_append(secrets, scratch, text, len))
	{
		row->failed = true;
		row->over_cap = scratch->over_cap;
		return false;
	}
	return floe_json_quote(row, scratch->len > 0 ? scratch->data : "", scratch->len);
}

/* A number that happens to be a secret becomes text, so that it can be masked. */
static bool
append_number(const FloeSecrets *secrets, FloeBuf *row, FloeBuf *scratch, const char *text)
{
	if (floe_secrets_found(secrets, text, strlen(text)))
		return append_text(secrets, row, scratch, text, strlen(text));
	return floe_buf_text(row, text);
}

static bool
append_hex(FloeBuf *row, FloeThriftText bytes)
{
	bool ok = floe_buf_char(row, '"');

	for (size_t i = 0; ok && i < bytes.len; i++)
		ok = floe_buf_printf(row, "%02x", (unsigned char) bytes.data[i]);
	return ok && floe_buf_char(row, '"');
}

static bool
append_double(const FloeSecrets *secrets, FloeBuf *row, FloeBuf *scratch, double value)
{
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, text);
	/* JSON has no NaN and no infinity */
	if (!isfinite(value))
		return append_text(secrets, row, scratch, text, strlen(text));
	return append_number(secrets, row, scratch, text);
}

static bool
append_integer(const FloeSecrets *secrets, FloeBuf *row, FloeBuf *scratch, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long) value);
	return append_number(secrets, row, scratch, text);
}

/* The next value of the column; the values were checked when the fetch was read. */
static bool
append_value(const FloeSecrets *secrets, FloeBuf *row, FloeBuf *scratch, FloeHs2Column *column, int64_t number)
{
	FloeCursor *c = &column->values;
	size_t byte = (size_t) (number / 8);
	bool is_null = byte < column->nulls.len && (column->nulls.data[byte] >> (number % 8) & 1) != 0;
	FloeThriftText text;

	if (is_null)
	{
		floe_thrift_skip(c, value_types[column->kind]); /* a placeholder stands in its place */
		return floe_buf_text(row, "null");
	}
	switch (column->kind)
	{
		case KIND_BOOL:
			return floe_buf_text(row, floe_thrift_read_bool(c) ? "true" : "false");
		case KIND_BYTE:
			return append_integer(secrets, row, scratch, (int8_t) floe_cursor_u8(c));
		case KIND_I16:
			return append_integer(secrets, row, scratch, floe_thrift_read_i16(c));
		case KIND_I32:
			return append_integer(secrets, row, scratch, floe_thrift_read_i32(c));
		case KIND_I64:
			return append_integer(secrets, row, scratch, floe_thrift_read_i64(c));
		case KIND_DOUBLE:
			return append_double(secrets, row, scratch, floe_thrift_read_double(c));
		case KIND_BINARY:
			return append_hex(row, floe_thrift_read_text(c));
		default:
			text = floe_thrift_read_text(c);
			return append_text(secrets, row, scratch, text.data, text.len);
	}
}

static bool
build_row(FloeHs2Schema *schema, const FloeSecrets *secrets, FloeBuf *row, FloeBuf *scratch, int64_t number)
{
	bool ok = floe_buf_char(row, '{');

	for (int i = 0; ok && i < schema->ncolumns; i++)
	{
		FloeHs2Column *column = &schema->columns[i];

		ok = (i == 0 || floe_buf_char(row, ',')) &&
			 append_text(secrets, row, scratch, column->name, strlen(column->name)) && floe_buf_char(row, ':') &&
			 append_value(secrets, row, scratch, column, number);
	}
	return ok && floe_buf_char(row, '}');
}

bool
floe_hs2_append_rows(FloeHs2Schema *schema, const FloeSecrets *secrets, FloeBuf *json, size_t max_bytes, int64_t *room,
					 FloeStatus *st)
{
	FloeBuf row;
	FloeBuf scratch;
	bool has_memory = true;

	floe_buf_init(&row, max_bytes);
	floe_buf_init(&scratch, max_bytes);
	for (int64_t i = 0; i<schema->nrows && * room> 0; i++)
	{
		floe_buf_reset(&row);
		if (!build_row(schema, secrets, &row, &scratch, i) && !row.over_cap)
		{
			has_memory = false;
			break;
		}
		/* one more byte for what separates it from the row before */
		if (row.failed || json->len + 1 + row.len > max_bytes)
		{
			*room = 0;
			break;
		}
		if (!floe_buf_char(json, json->len == 0 ? '[' : ',') || !floe_buf_append(json, row.data, row.len))
		{
			has_memory = false;
			break;
		}
		(*room)--;
	}
	floe_buf_free(&row);
	floe_buf_free(&scratch);
	if (!has_memory)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the rows of a result");
	return true;
}
