/*
 * avro_decode.c: runs a compiled program over the bytes of a row.
 *
 * The inner loop of every assessment.  Everything is checked against the end
 * of the block; every repetition consumes at least one byte, so the time is
 * bounded by the size of the block.
 */
#include "floe.h"

#include "common/int.h"
#include "iceberg/avro_schema.h"

#include <string.h>

/* Elements that take no bytes (null, an empty record) cost nothing to repeat, but are still counted. */
#define MAX_EMPTY_ELEMENTS ((int64_t) 1 << 32)

/* The arrays whose elements are being walked through, the innermost last. */
typedef struct OpenArrays
{
	int depth;
	struct
	{
		int64_t left;  /* elements of the block that are still to come */
		int64_t total; /* elements of all blocks so far */
	} open[FLOE_AVRO_MAX_NESTED_ARRAYS];
} OpenArrays;

static inline void
skip_varint(FloeCursor *c)
{
	const uint8_t *p = c->pos;
	const uint8_t *end = c->end - p > 10 ? p + 10 : c->end;

	while (p < end && (*p & 0x80) != 0)
		p++;
	if (p == end)
		c->bad = true;
	else
		c->pos = p + 1;
}

static inline void
skip_varints(FloeCursor *c, uint64_t n)
{
	for (; n > 0 && !c->bad; n--)
		skip_varint(c);
}

/* A length that has that many bytes behind it. */
static inline size_t
read_length(FloeCursor *c)
{
	int64_t len = floe_cursor_zigzag(c);

	if (len < 0 || (uint64_t) len > floe_cursor_left(c))
	{
		c->bad = true;
		return 0;
	}
	return (size_t) len;
}

/*
 * The head of the next block of an array: how many elements, 0 at the end.  A
 * negative count is followed by the size of the block in bytes; it is not
 * needed, but must not reach beyond what is there.
 */
static int64_t
read_block_count(FloeCursor *c, uint64_t element_size)
{
	int64_t count = floe_cursor_zigzag(c);

	if (count < 0)
	{
		count = count == INT64_MIN ? INT64_MAX : -count;
		(void) read_length(c);
	}
	if (element_size > 0 ? (uint64_t) count > floe_cursor_left(c) / element_size : count > MAX_EMPTY_ELEMENTS)
		c->bad = true;
	return c->bad ? 0 : count;
}

/* An array whose elements are n varints, and bytes with a length if with_bytes: all of it. */
static int64_t
skip_array(FloeCursor *c, uint32_t n, bool with_bytes)
{
	int64_t total = 0;
	int64_t count;

	while ((count = read_block_count(c, (uint64_t) n + (with_bytes ? 1 : 0))) > 0)
	{
		if (pg_add_s64_overflow(total, count, &total) || total > MAX_EMPTY_ELEMENTS)
			c->bad = true;
		if (!with_bytes)
			skip_varints(c, (uint64_t) count * n);
		for (; with_bytes && count > 0 && !c->bad; count--)
		{
			skip_varints(c, n);
			floe_cursor_skip(c, read_length(c));
		}
	}
	return total;
}

static inline void
set_bytes(FloeAvroValue *value, FloeCursor *c, size_t len)
{
	value->data = floe_cursor_take(c, len);
	value->num = (int64_t) len;
	value->set = true;
}

static inline void
set_number(FloeAvroValue *value, int64_t num)
{
	value->num = num;
	value->set = true;
}

/* The steps that read a single value into a slot. */
static inline bool
read_scalar(const FloeAvroOp *op, FloeCursor *c, FloeAvroValue *value)
{
	int64_t num;

	switch ((FloeAvroOpCode) op->code)
	{
		case FLOE_AVRO_OP_LONG:
			set_number(value, floe_cursor_zigzag(c));
			return true;
		case FLOE_AVRO_OP_INT:
			num = floe_cursor_zigzag(c);
			if (num < INT32_MIN || num > INT32_MAX)
				c->bad = true;
			set_number(value, num);
			return true;
		case FLOE_AVRO_OP_BOOLEAN:
			num = floe_cursor_u8(c);
			if (num > 1)
				c->bad = true;
			set_number(value, num);
			return true;
		case FLOE_AVRO_OP_BYTES:
			set_bytes(value, c, read_length(c));
			return true;
		case FLOE_AVRO_OP_FIXED:
			set_bytes(value, c, op->a);
			return true;
		default:
			return false;
	}
}

/* Takes up the next block of the innermost array; where to go on. */
static uint32_t
next_block(const FloeAvroOp *op, uint32_t body, FloeCursor *c, OpenArrays *arrays, FloeAvroValue *values)
{
	int64_t count = read_block_count(c, op->a);
	int at = arrays->depth - 1;

	arrays->open[at].left = count;
	arrays->open[at].total += count;
	if (count > 0)
		return body;
	if (op->slot != FLOE_AVRO_NO_SLOT)
		set_number(&values[op->slot], arrays->open[at].total);
	arrays->depth--;
	return op->b;
}

/* The branch of a union; branch numbers are zigzag like every int. */
static uint32_t
read_branch(FloeCursor *c, uint32_t branches)
{
	uint64_t branch = floe_cursor_varint(c);

	if (branch % 2 != 0 || branch / 2 >= branches)
	{
		c->bad = true;
		return 0;
	}
	return (uint32_t) (branch / 2);
}

/* An entry of a map was read: if it is the wanted one, its value is kept. */
static void
match_entry(const FloeAvroOp *op, FloeAvroValue *values)
{
	FloeAvroValue *key = &values[op->b];

	if (key->set && key->num == op->a)
		values[op->slot] = key[1];
	key[0].set = key[1].set = false;
}

static bool
run(const FloeAvroProgram *program, FloeCursor *c, FloeAvroValue *values)
{
	OpenArrays arrays = {0};
	uint32_t at = 0;

	while (at < program->nops && !c->bad)
	{
		const FloeAvroOp *op = &program->ops[at++];
		int64_t count;

		switch ((FloeAvroOpCode) op->code)
		{
			case FLOE_AVRO_OP_SKIP_VARINTS:
				skip_varints(c, op->a);
				break;
			case FLOE_AVRO_OP_SKIP_FIXED:
				floe_cursor_skip(c, op->a);
				break;
			case FLOE_AVRO_OP_SKIP_BYTES:
				floe_cursor_skip(c, read_length(c));
				break;
			case FLOE_AVRO_OP_OPTIONAL:
				if (read_branch(c, 2) == op->a)
					at = op->b;
				break;
			case FLOE_AVRO_OP_UNION:
				at += read_branch(c, op->a);
				break;
			case FLOE_AVRO_OP_JUMP:
				at = op->b;
				break;
			case FLOE_AVRO_OP_ARRAY_VARINTS:
			case FLOE_AVRO_OP_ARRAY_BYTES:
				count = skip_array(c, op->a, op->code == FLOE_AVRO_OP_ARRAY_BYTES);
				if (op->slot != FLOE_AVRO_NO_SLOT)
					set_number(&values[op->slot], count);
				break;
			case FLOE_AVRO_OP_ARRAY:
				arrays.open[arrays.depth++].total = 0;
				at = next_block(op, at, c, &arrays, values);
				break;
			case FLOE_AVRO_OP_END_ARRAY:
				at = --arrays.open[arrays.depth - 1].left > 0
						 ? op->b
						 : next_block(&program->ops[op->b - 1], op->b, c, &arrays, values);
				break;
			case FLOE_AVRO_OP_MARK:
				values[op->slot].data = c->pos;
				break;
			case FLOE_AVRO_OP_END_MARK:
				set_number(&values[op->slot], c->pos - values[op->slot].data);
				break;
			case FLOE_AVRO_OP_MATCH:
				match_entry(op, values);
				break;
			default:
				if (!read_scalar(op, c, &values[op->slot]))
					return false;
		}
	}
	return !c->bad;
}

bool
floe_avro_decode(const FloeAvroProgram *program, FloeCursor *in, FloeAvroValue *values, FloeStatus *st)
{
	FloeCursor c = *in;
	bool good;

	memset(values, 0, program->nslots * sizeof(FloeAvroValue));
	good = run(program, &c, values);
	*in = c;
	if (!good)
		return floe_fail(st, FLOE_ERR_CORRUPT, "a row does not follow the Avro schema");
	for (uint32_t i = 0; i < program->nwanted; i++)
	{
		if (program->wanted[i].required && !values[i].set && program->wanted[i].want != FLOE_AVRO_WANT_STRUCT)
			return floe_fail(st, FLOE_ERR_CORRUPT, "field %d (%s) is null", program->wanted[i].id,
							 program->wanted[i].name);
	}
	return true;
}
