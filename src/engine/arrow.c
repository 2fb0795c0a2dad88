/*
 * arrow.c: reading Arrow IPC: FlatBuffers with every offset checked, then columns by position.
 */
#include "floe.h"

#include "engine/arrow.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* Message.header */
#define HEADER_SCHEMA 1
#define HEADER_RECORD_BATCH 3

/* Type */
#define TYPE_INT 2
#define TYPE_UTF8 5
#define TYPE_BOOL 6

#define CONTINUATION 0xFFFFFFFFu

/* Bytes that offsets must stay in; bad stays set once one did not. */
typedef struct Bytes
{
	const uint8_t *data;
	size_t len;
	bool bad;
} Bytes;

typedef struct Column
{
	FloeBuf name;
	int type;
	int width; /* of an integer, in bytes */

	/* of the batch that is read */
	const uint8_t *validity; /* NULL: all are there */
	const uint8_t *values;   /* of text: the offsets */
	const uint8_t *text;
	size_t text_len;
} Column;

typedef struct Reader
{
	Column columns[FLOE_ARROW_MAX_COLUMNS];
	int ncolumns;
	bool has_schema;
	const FloeSecrets *secrets;
	FloeBuf *json;
	size_t max_bytes;
	int64_t room;
	int64_t rows;
	FloeBuf row;
	FloeBuf scratch;
} Reader;

/* -------------------------------------------------------------------------
 * FlatBuffers
 * ------------------------------------------------------------------------- */

static uint64_t
load(Bytes *b, size_t at, size_t size)
{
	uint64_t value = 0;

	if (b->bad || at > b->len || size > b->len - at)
	{
		b->bad = true;
		return 0;
	}
	for (size_t i = size; i-- > 0;)
		value = value << 8 | b->data[at + i];
	return value;
}

/* Where an offset that is stored at a place points to: forwards, and inside. */
static size_t
follow(Bytes *b, size_t at)
{
	size_t offset = (size_t) load(b, at, 4);

	if (b->bad || offset > b->len - at)
	{
		b->bad = true;
		return 0;
	}
	return at + offset;
}

/* The place of a table's field; 0 when it is absent, which no field's place can be. */
static size_t
field(Bytes *b, size_t table, int number)
{
	int64_t vtable = (int64_t) table - (int32_t) (uint32_t) load(b, table, 4);
	size_t size;
	size_t offset;

	if (b->bad || vtable < 0 || (size_t) vtable > b->len)
	{
		b->bad = true;
		return 0;
	}
	size = (size_t) load(b, (size_t) vtable, 2);
	if (size < 4 + 2 * (size_t) number + 2)
		return 0;
	offset = (size_t) load(b, (size_t) vtable + 4 + 2 * (size_t) number, 2);
	return offset == 0 || b->bad ? 0 : table + offset;
}

static int64_t
scalar(Bytes *b, size_t table, int number, size_t size, int64_t absent)
{
	size_t at = field(b, table, number);

	return at == 0 ? absent : (int64_t) load(b, at, size);
}

static size_t
subtable(Bytes *b, size_t table, int number)
{
	size_t at = field(b, table, number);

	return at == 0 ? 0 : follow(b, at);
}

/* The first element of a vector and how many there are, of that many bytes each: they fit into what there is. */
static size_t
vector(Bytes *b, size_t table, int number, size_t element, size_t *count)
{
	size_t at = subtable(b, table, number);

	*count = 0;
	if (at == 0)
		return 0;
	*count = (size_t) load(b, at, 4);
	if (b->bad || *count > (b->len - at - 4) / element)
	{
		b->bad = true;
		*count = 0;
	}
	return at + 4;
}

/* -------------------------------------------------------------------------
 * Schema
 * ------------------------------------------------------------------------- */

static bool
unsupported(FloeStatus *st, const char *what)
{
	return floe_fail(st, FLOE_ERR_UNSUPPORTED, "the result has %s, which floe does not read", what);
}

static bool
malformed(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_PROTOCOL, "the result is not an Arrow stream, or a damaged one");
}

static bool
read_field(Bytes *b, size_t table, Column *column, const FloeSecrets *secrets, FloeStatus *st)
{
	size_t len;
	size_t name = vector(b, table, 0, 1, &len);
	size_t type = subtable(b, table, 3);
	int64_t bits;

	column->type = (int) scalar(b, table, 2, 1, 0);
	if (b->bad)
		return malformed(st);
	if (field(b, table, 4) != 0)
		return unsupported(st, "a dictionary");
	if (column->type == TYPE_INT)
	{
		bits = type != 0 ? scalar(b, type, 0, 4, 0) : 0;
		if (type == 0 || scalar(b, type, 1, 1, 0) == 0 || (bits != 32 && bits != 64))
			return b->bad ? malformed(st) : unsupported(st, "numbers of an odd width");
		column->width = (int) bits / 8;
	}
	else if (column->type != TYPE_UTF8 && column->type != TYPE_BOOL)
		return unsupported(st, "a column of another type than number, text and truth");
	floe_buf_init(&column->name, len * 3 + 16);
	if (!floe_secrets_append(secrets, &column->name, (const char *) b->data + name, len))
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the columns of a result");
	return !b->bad || malformed(st);
}

static bool
read_schema(Reader *r, Bytes *b, size_t schema, FloeStatus *st)
{
	size_t count;
	size_t fields = vector(b, schema, 1, 4, &count);

	if (b->bad || r->has_schema)
		return malformed(st);
	if (scalar(b, schema, 0, 2, 0) != 0)
		return unsupported(st, "its numbers in big-endian");
	if (count > FLOE_ARROW_MAX_COLUMNS)
		return unsupported(st, "very many columns");
	r->has_schema = true;
	for (size_t i = 0; i < count; i++)
	{
		size_t table = follow(b, fields + 4 * i);

		if (b->bad)
			return malformed(st);
		r->ncolumns++;
		if (!read_field(b, table, &r->columns[i], r->secrets, st))
			return false;
	}
	return true;
}

/* -------------------------------------------------------------------------
 * Batches
 * ------------------------------------------------------------------------- */

/* Buffer i of the body; NULL (and bad) unless it is inside and has that many bytes. */
static const uint8_t *
buffer(Bytes *b, size_t buffers, size_t i, Bytes *body, size_t least, size_t *len)
{
	uint64_t offset = load(b, buffers + 16 * i, 8);
	uint64_t length = load(b, buffers + 16 * i + 8, 8);

	if (b->bad || offset > body->len || length > body->len - offset || length < least)
	{
		b->bad = true;
		return NULL;
	}
	*len = (size_t) length;
	return body->data + offset;
}

/* The places of all columns in the body; what they hold has room for that many rows. */
static bool
place_columns(Reader *r, Bytes *b, size_t batch, Bytes *body, size_t rows, FloeStatus *st)
{
	size_t nnodes;
	size_t nbuffers;
	size_t nodes = vector(b, batch, 1, 16, &nnodes);
	size_t buffers = vector(b, batch, 2, 16, &nbuffers);
	size_t used = 0;
	size_t len;

	if (b->bad || nnodes != (size_t) r->ncolumns)
		return malformed(st);
	for (int i = 0; i < r->ncolumns; i++)
	{
		Column *column = &r->columns[i];
		bool is_text = column->type == TYPE_UTF8;
		size_t bits = (rows + 7) / 8;
		size_t need = column->type == TYPE_BOOL ? bits
					  : is_text                 ? (rows > 0 ? 4 * (rows + 1) : 0)
												: rows * (size_t) column->width;
		bool has_nulls = load(b, nodes + 16 * (size_t) i + 8, 8) != 0;

		if (b->bad || nbuffers - used < (is_text ? 3 : 2))
			return malformed(st);
		/* without NULLs the bits may be left out */
		column->validity = buffer(b, buffers, used++, body, has_nulls ? bits : 0, &len);
		if (!has_nulls)
			column->validity = NULL;
		column->values = buffer(b, buffers, used++, body, need, &len);
		column->text = NULL;
		column->text_len = 0;
		if (is_text)
			column->text = buffer(b, buffers, used++, body, 0, &column->text_len);
		if (b->bad)
			return malformed(st);
	}
	return true;
}

static bool
append_text(Reader *r, const char *text, size_t len)
{
	floe_buf_reset(&r->scratch);
	if (!floe_secrets_append(r->secrets, &r->scratch, text, len))
	{
		r->row.failed = true;
		r->row.over_cap = r->scratch.over_cap;
		return false;
	}
	return floe_json_quote(&r->row, r->scratch.len > 0 ? r->scratch.data : "", r->scratch.len);
}

/* False also when an offset of a text points outside: then the row has not failed. */
static bool
append_value(Reader *r, const Column *column, size_t row)
{
	Bytes values = {column->values, SIZE_MAX, false}; /* their length was checked with the batch */
	size_t from;
	size_t to;

	if (column->validity != NULL && (column->validity[row / 8] >> (row % 8) & 1) == 0)
		return floe_buf_text(&r->row, "null");
	switch (column->type)
	{
		case TYPE_BOOL:
			return floe_buf_text(&r->row, (column->values[row / 8] >> (row % 8) & 1) != 0 ? "true" : "false");
		case TYPE_INT:
			if (column->width == 4)
				return floe_buf_printf(&r->row, "%d", (int32_t) (uint32_t) load(&values, row * 4, 4));
			return floe_buf_printf(&r->row, "%lld", (long long) load(&values, row * 8, 8));
		default:
			from = (size_t) load(&values, row * 4, 4);
			to = (size_t) load(&values, row * 4 + 4, 4);
			if (from > to || to > column->text_len)
				return false;
			return append_text(r, (const char *) column->text + from, to - from);
	}
}

static bool
build_row(Reader *r, size_t row)
{
	bool ok = floe_buf_char(&r->row, '{');

	for (int i = 0; ok && i < r->ncolumns; i++)
	{
		const FloeBuf *name = &r->columns[i].name;

		ok = (i == 0 || floe_buf_char(&r->row, ',')) &&
			 floe_json_quote(&r->row, name->len > 0 ? name->data : "", name->len) && floe_buf_char(&r->row, ':') &&
			 append_value(r, &r->columns[i], row);
	}
	return ok && floe_buf_char(&r->row, '}');
}

static bool
append_rows(Reader *r, size_t rows, FloeStatus *st)
{
	for (size_t i = 0; i < rows && r->room > 0; i++)
	{
		floe_buf_reset(&r->row);
		if (!build_row(r, i))
		{
			if (!r->row.failed)
				return malformed(st);
			if (!r->row.over_cap)
				return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the rows of a result");
		}
		/* two more bytes: what separates it from the row before, and the bracket that ends all */
		if (r->row.failed || r->json->len + r->row.len + 2 > r->max_bytes)
		{
			r->room = 0;
			break;
		}
		r->room--;
		if (!floe_buf_char(r->json, r->json->len == 0 ? '[' : ',') ||
			!floe_buf_append(r->json, r->row.data, r->row.len))
			return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the rows of a result");
	}
	return true;
}

static bool
read_batch(Reader *r, Bytes *b, size_t batch, Bytes *body, FloeStatus *st)
{
	int64_t rows = scalar(b, batch, 0, 8, 0);

	if (b->bad || !r->has_schema || rows < 0 || (uint64_t) rows > body->len * 8)
		return malformed(st);
	if (field(b, batch, 3) != 0)
		return unsupported(st, "compressed columns");
	/* rows without columns are none */
	if (r->ncolumns == 0)
		return true;
	if (!place_columns(r, b, batch, body, (size_t) rows, st))
		return false;
	r->rows += rows;
	return append_rows(r, (size_t) rows, st);
}

/* -------------------------------------------------------------------------
 * The stream
 * ------------------------------------------------------------------------- */

/* One message: metadata, and the body that it announces behind it. */
static bool
read_message(Reader *r, Bytes *metadata, Bytes *body, FloeStatus *st)
{
	size_t message = follow(metadata, 0);
	int64_t kind = scalar(metadata, message, 1, 1, 0);
	size_t header = subtable(metadata, message, 2);

	if (metadata->bad || header == 0)
		return malformed(st);
	if (kind == HEADER_SCHEMA)
		return read_schema(r, metadata, header, st);
	if (kind == HEADER_RECORD_BATCH)
		return read_batch(r, metadata, header, body, st);
	return unsupported(st, "a part of a kind");
}

static bool
read_stream(Reader *r, Bytes *all, FloeStatus *st)
{
	size_t at = 0;

	while (at < all->len)
	{
		size_t size = (size_t) load(all, at, 4);
		Bytes metadata = {0};
		Bytes body = {0};
		int64_t body_len;

		at += 4;
		/* before Arrow 0.15 the length stood here itself */
		if (size == CONTINUATION)
		{
			size = (size_t) load(all, at, 4);
			at += 4;
		}
		if (all->bad)
			return malformed(st);
		if (size == 0)
			break; /* the end of the stream */
		if (size > all->len - at)
			return malformed(st);
		metadata = (Bytes){all->data + at, size, false};
		at += size;
		body_len = scalar(&metadata, follow(&metadata, 0), 3, 8, 0);
		if (metadata.bad || body_len < 0 || (uint64_t) body_len > all->len - at)
			return malformed(st);
		body = (Bytes){all->data + at, (size_t) body_len, false};
		at += (size_t) body_len;
		if (!read_message(r, &metadata, &body, st))
			return false;
	}
	return r->has_schema || malformed(st);
}

bool
floe_arrow_rows(const void *data, size_t len, const FloeSecrets *secrets, FloeBuf *json, size_t max_bytes,
				int64_t keep_rows, int64_t *rows, FloeStatus *st)
{
	Bytes all = {data, len, false};
	Reader *r = calloc(1, sizeof(Reader));
	bool done;

	if (r == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the rows of a result");
	floe_status_ok(st);
	r->secrets = secrets;
	r->json = json;
	r->max_bytes = max_bytes;
	r->room = keep_rows;
	floe_buf_init(&r->row, max_bytes);
	floe_buf_init(&r->scratch, max_bytes);
	done = read_stream(r, &all, st);
	*rows = r->rows;
	if (done && !floe_buf_text(json, json->len == 0 ? "[]" : "]"))
		done = floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the rows of a result");
	for (int i = 0; i < r->ncolumns; i++)
		floe_buf_free(&r->columns[i].name);
	floe_buf_free(&r->row);
	floe_buf_free(&r->scratch);
	free(r);
	return done;
}
