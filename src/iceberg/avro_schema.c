/*
 * avro_schema.c: the compiler from an Avro schema to a flat program.
 *
 * Named types are expanded where they are used; a type that contains itself
 * is refused, for nothing in Iceberg's metadata is recursive.  The number of
 * schema nodes visited and the depth are bounded, so a short schema cannot
 * expand into a long program.  What a name in a schema means: avro_types.h.
 */
#include "floe.h"

#include "base/buf.h"
#include "iceberg/avro_types.h"

#include <string.h>

#define MAX_BRANCHES 64
#define MAX_COLUMNS 256
#define MAX_SIZE ((uint64_t) 1 << 40)

typedef struct Compiler
{
	FloeArena *arena;
	FloeStatus *st;
	FloeAvroProgram *program;
	FloeBuf ops;      /* of FloeAvroOp */
	uint32_t barrier; /* steps before this one are jumped to: nothing may be joined with them */
	FloeAvroNames names;
	uint32_t nodes;
	int arrays; /* nested at this point */
	bool *present;
	FloeAvroColumn *columns;
} Compiler;

/* What becomes of the value that is compiled. */
typedef struct Target
{
	enum
	{
		SKIP,
		WANTED, /* by field */
		COLUMN  /* by column */
	} kind;
	const FloeAvroField *field;
	uint16_t slot;
	FloeAvroColumn *column;
} Target;

static const Target skip_target = {.kind = SKIP};

static bool compile_value(Compiler *c, FloeJson type, const char *space, Target target, int depth, uint64_t *min);

static bool
fail_no_memory(Compiler *c)
{
	return floe_fail(c->st, FLOE_ERR_NOMEM, "out of memory for an Avro schema");
}

/* ---- emitting ---- */

static uint32_t
position(const Compiler *c)
{
	return (uint32_t) (c->ops.len / sizeof(FloeAvroOp));
}

static FloeAvroOp *
op_at(Compiler *c, uint32_t at)
{
	return (FloeAvroOp *) (void *) c->ops.data + at;
}

/* A label: what follows can be reached by a jump. */
static uint32_t
label(Compiler *c)
{
	c->barrier = position(c);
	return c->barrier;
}

static bool
emit(Compiler *c, FloeAvroOpCode code, uint16_t slot, uint64_t a, uint32_t b)
{
	FloeAvroOp op = {(uint16_t) code, slot, (uint32_t) Min(a, UINT32_MAX), b};

	if (floe_buf_append(&c->ops, &op, sizeof(op)))
		return true;
	if (c->ops.over_cap)
		return floe_fail(c->st, FLOE_ERR_TOO_LARGE, "the Avro schema is too large");
	return fail_no_memory(c);
}

/* Skipping n of something; joined with the step before when that skips the same. */
static bool
emit_skip(Compiler *c, FloeAvroOpCode code, uint32_t n)
{
	uint32_t at = position(c);

	if (n == 0)
		return true;
	if (at > c->barrier)
	{
		FloeAvroOp *last = op_at(c, at - 1);

		if (last->code == code && last->a <= INT32_MAX - n)
		{
			last->a += n;
			return true;
		}
	}
	return emit(c, code, FLOE_AVRO_NO_SLOT, n, 0);
}

/* ---- scalars ---- */

static bool
check_target(Compiler *c, const FloeAvroResolved *r, const Target *target)
{
	bool fits = false;

	if (target->kind == SKIP)
		return true;
	if (target->kind == COLUMN)
	{
		if (r->type == FLOE_AVRO_RECORD || r->type == FLOE_AVRO_ARRAY || r->type == FLOE_AVRO_MAP ||
			r->type == FLOE_AVRO_UNION)
			return floe_fail(c->st, FLOE_ERR_CORRUPT, "partition field \"%s\" has Avro type %s", target->column->name,
							 floe_avro_type_name(r->type));
		return floe_avro_describe(&c->names, r, target->column, c->st);
	}
	switch (target->field->want)
	{
		case FLOE_AVRO_WANT_INT:
			fits = r->type == FLOE_AVRO_INT || r->type == FLOE_AVRO_LONG;
			break;
		case FLOE_AVRO_WANT_BYTES:
			fits = r->type == FLOE_AVRO_BYTES || r->type == FLOE_AVRO_STRING;
			break;
		case FLOE_AVRO_WANT_COUNT:
			fits = r->type == FLOE_AVRO_ARRAY || r->type == FLOE_AVRO_MAP;
			break;
		case FLOE_AVRO_WANT_ENTRY:
			fits = r->type == FLOE_AVRO_ARRAY;
			break;
		case FLOE_AVRO_WANT_STRUCT:
		case FLOE_AVRO_WANT_TUPLE:
			fits = r->type == FLOE_AVRO_RECORD;
			break;
	}
	if (fits || r->type == FLOE_AVRO_NULL)
		return true;
	return floe_fail(c->st, FLOE_ERR_CORRUPT, "field %d (%s) has Avro type %s", target->field->id, target->field->name,
					 floe_avro_type_name(r->type));
}

/* A scalar of the given wire form: into the slot, or skipped. */
static bool
emit_scalar(Compiler *c, const Target *target, FloeAvroOpCode take, FloeAvroOpCode skip, uint32_t a)
{
	if (target->kind == SKIP)
		return emit_skip(c, skip, skip == FLOE_AVRO_OP_SKIP_VARINTS ? 1 : a);
	return emit(c, take, target->slot, a, 0);
}

static bool
compile_fixed(Compiler *c, const FloeAvroResolved *r, const Target *target, uint64_t *min)
{
	int64_t size;

	if (!floe_json_get_int(r->node, "size", &size, c->st))
		return false;
	if (size < 0 || size > INT32_MAX)
		return floe_fail(c->st, FLOE_ERR_CORRUPT, "an Avro fixed has size %lld", (long long) size);
	if (target->kind == COLUMN)
		target->column->size = (int32_t) size;
	*min = (uint64_t) size;
	return emit_scalar(c, target, FLOE_AVRO_OP_FIXED, FLOE_AVRO_OP_SKIP_FIXED, (uint32_t) size);
}

/* ---- records ---- */

/* The field id of a record field; -1 without one. */
static bool
read_field_id(Compiler *c, FloeJson field, int32_t *id)
{
	int64_t number;

	if (!floe_json_opt_int(field, "field-id", -1, &number, c->st))
		return false;
	if (number < -1 || number > INT32_MAX)
		return floe_fail(c->st, FLOE_ERR_CORRUPT, "field id %lld is out of range", (long long) number);
	*id = (int32_t) number;
	return true;
}

/* Which of the wanted fields a field of the record with id parent is. */
static bool
match_wanted(Compiler *c, int32_t parent, int32_t id, Target *target)
{
	FloeAvroProgram *p = c->program;

	*target = skip_target;
	for (uint32_t i = 0; id >= 0 && i < p->nwanted; i++)
	{
		if (p->wanted[i].parent != parent || p->wanted[i].id != id)
			continue;
		if (c->present[i])
			return floe_fail(c->st, FLOE_ERR_CORRUPT, "field %d (%s) is in the Avro schema twice", id,
							 p->wanted[i].name);
		c->present[i] = true;
		*target = (Target){.kind = WANTED, .field = &p->wanted[i], .slot = (uint16_t) i};
	}
	return true;
}

static bool
add_column(Compiler *c, FloeJson field, int32_t id, Target *target)
{
	FloeAvroProgram *p = c->program;
	FloeAvroColumn *column = &c->columns[p->ncolumns];
	const char *name;

	if (!floe_json_get_string(field, "name", &name, c->st))
		return false;
	if (id < 0)
		return floe_fail(c->st, FLOE_ERR_CORRUPT, "partition field \"%s\" has no field id", name);
	if (p->ncolumns >= MAX_COLUMNS)
		return floe_fail(c->st, FLOE_ERR_TOO_LARGE, "more than %d partition fields", MAX_COLUMNS);
	memset(column, 0, sizeof(*column));
	column->field_id = id;
	column->slot = (int32_t) p->nslots++;
	column->name = floe_arena_text(c->arena, name, strlen(name));
	if (column->name == NULL)
		return fail_no_memory(c);
	p->ncolumns++;
	*target = (Target){.kind = COLUMN, .column = column, .slot = (uint16_t) column->slot};
	return true;
}

/* What a field of a record is compiled for, given what the record is compiled for. */
static bool
field_target(Compiler *c, const Target *record, int32_t parent, FloeJson field, int32_t id, Target *target)
{
	*target = skip_target;
	if (record->kind != WANTED)
		return true;
	if (record->field == NULL || record->field->want == FLOE_AVRO_WANT_STRUCT)
		return match_wanted(c, parent, id, target);
	if (record->field->want == FLOE_AVRO_WANT_TUPLE)
		return add_column(c, field, id, target);
	return true;
}

static bool
compile_record(Compiler *c, const FloeAvroResolved *r, const Target *target, int depth, uint64_t *min)
{
	bool tuple = target->kind == WANTED && target->field != NULL && target->field->want == FLOE_AVRO_WANT_TUPLE;
	int32_t parent = target->kind == WANTED && target->field != NULL ? target->field->id : FLOE_AVRO_ROOT;
	FloeJson fields;
	size_t nfields;

	if (!floe_json_get_array(r->node, "fields", &fields, c->st))
		return false;
	if (r->named->open)
		return floe_fail(c->st, FLOE_ERR_UNSUPPORTED, "Avro type \"%s\" contains itself", r->named->fullname);
	r->named->open = true;
	if (tuple && !emit(c, FLOE_AVRO_OP_MARK, target->slot, 0, 0))
		return false;
	nfields = floe_json_length(fields);
	for (size_t i = 0; i < nfields; i++)
	{
		FloeJson field = floe_json_at(fields, i);
		Target inner;
		int32_t id;
		uint64_t field_min;

		if (floe_json_kind(field) != FLOE_JSON_OBJECT)
			return floe_fail(c->st, FLOE_ERR_CORRUPT, "a field of an Avro record is not an object");
		if (!read_field_id(c, field, &id) || !field_target(c, target, parent, field, id, &inner) ||
			!compile_value(c, floe_json_field(field, "type"), r->space, inner, depth + 1, &field_min))
			return false;
		*min = Min(*min + field_min, MAX_SIZE);
	}
	r->named->open = false;
	return !tuple || emit(c, FLOE_AVRO_OP_END_MARK, target->slot, 0, 0);
}

/* ---- arrays and maps ---- */

/* The element of a map<int, binary> of which one entry is wanted. */
static bool
compile_entry(Compiler *c, FloeJson items, const char *space, const Target *target, int depth, uint64_t *min)
{
	const FloeAvroField *want = target->field;
	const FloeAvroField key = {.id = want->key_id, .name = want->name, .want = FLOE_AVRO_WANT_INT};
	const FloeAvroField value = {.id = want->value_id, .name = want->name, .want = FLOE_AVRO_WANT_BYTES};
	uint16_t key_slot = (uint16_t) c->program->nslots;
	FloeAvroResolved r;
	FloeJson fields;
	int found = 0;

	c->program->nslots += 2;
	if (!floe_avro_resolve(&c->names, items, space, &r, c->st))
		return false;
	if (r.type != FLOE_AVRO_RECORD || !floe_json_get_array(r.node, "fields", &fields, c->st))
		return floe_fail(c->st, FLOE_ERR_CORRUPT, "field %d (%s) is not an array of entries", want->id, want->name);
	for (size_t i = 0; i < floe_json_length(fields); i++)
	{
		FloeJson field = floe_json_at(fields, i);
		Target inner = skip_target;
		uint64_t field_min;
		int32_t id;

		if (!read_field_id(c, field, &id))
			return false;
		if (id == key.id)
			inner = (Target){.kind = WANTED, .field = &key, .slot = key_slot};
		else if (id == value.id)
			inner = (Target){.kind = WANTED, .field = &value, .slot = (uint16_t) (key_slot + 1)};
		found += id == key.id ? 1 : id == value.id ? 100 : 0;
		if (!compile_value(c, floe_json_field(field, "type"), r.space, inner, depth + 1, &field_min))
			return false;
		*min = Min(*min + field_min, MAX_SIZE);
	}
	if (found != 101)
		return floe_fail(c->st, FLOE_ERR_CORRUPT, "field %d (%s) is not a map with fields %d and %d", want->id,
						 want->name, want->key_id, want->value_id);
	return emit(c, FLOE_AVRO_OP_MATCH, target->slot, want->key, key_slot);
}

/*
 * The usual elements of column statistics (a pair of numbers, a number and
 * bytes) get a step of their own: they are most of a manifest's bytes.
 */
static bool
shorten_array(Compiler *c, uint32_t begin)
{
	FloeAvroOp *array = op_at(c, begin);
	FloeAvroOp *body = array + 1;
	uint32_t steps = position(c) - begin - 1;

	if (steps == 0)
		array->code = FLOE_AVRO_OP_ARRAY_VARINTS, array->a = 0;
	else if (steps == 1 && body[0].code == FLOE_AVRO_OP_SKIP_VARINTS)
		array->code = FLOE_AVRO_OP_ARRAY_VARINTS, array->a = body[0].a;
	else if (steps == 2 && body[0].code == FLOE_AVRO_OP_SKIP_VARINTS && body[1].code == FLOE_AVRO_OP_SKIP_BYTES)
		array->code = FLOE_AVRO_OP_ARRAY_BYTES, array->a = body[0].a;
	else
		return false;
	c->ops.len = (size_t) (begin + 1) * sizeof(FloeAvroOp);
	return true;
}

static bool
compile_array(Compiler *c, const FloeAvroResolved *r, const Target *target, int depth, uint64_t *min)
{
	bool count = target->kind == WANTED && target->field->want == FLOE_AVRO_WANT_COUNT;
	bool entry = target->kind == WANTED && target->field->want == FLOE_AVRO_WANT_ENTRY;
	FloeJson items = floe_json_field(r->node, r->type == FLOE_AVRO_MAP ? "values" : "items");
	uint32_t begin = position(c), body;
	uint64_t element = 0;

	*min = 1;
	if (c->arrays >= FLOE_AVRO_MAX_NESTED_ARRAYS)
		return floe_fail(c->st, FLOE_ERR_TOO_LARGE, "the Avro schema nests more than %d arrays",
						 FLOE_AVRO_MAX_NESTED_ARRAYS);
	c->arrays++;
	if (!emit(c, FLOE_AVRO_OP_ARRAY, count ? target->slot : FLOE_AVRO_NO_SLOT, 0, 0))
		return false;
	body = label(c);
	if (entry)
	{
		if (!compile_entry(c, items, r->space, target, depth + 1, &element))
			return false;
	}
	else
	{
		if (r->type == FLOE_AVRO_MAP && !emit(c, FLOE_AVRO_OP_SKIP_BYTES, FLOE_AVRO_NO_SLOT, 0, 0))
			return false;
		if (!compile_value(c, items, r->space, skip_target, depth + 1, &element))
			return false;
		element += r->type == FLOE_AVRO_MAP ? 1 : 0;
	}
	c->arrays--;
	if (shorten_array(c, begin))
	{
		(void) label(c);
		return true;
	}
	if (!emit(c, FLOE_AVRO_OP_END_ARRAY, FLOE_AVRO_NO_SLOT, 0, body))
		return false;
	op_at(c, begin)->a = (uint32_t) Min(element, UINT32_MAX);
	op_at(c, begin)->b = label(c);
	return true;
}

/* ---- unions ---- */

/* A union of several types: can only be skipped. */
static bool
compile_branches(Compiler *c, FloeJson node, const char *space, const Target *target, int depth, uint64_t *min)
{
	uint32_t n = (uint32_t) floe_json_length(node);
	uint32_t table = position(c) + 1;
	uint64_t least = MAX_SIZE, branch;

	if (target->kind != SKIP)
		return floe_fail(c->st, FLOE_ERR_CORRUPT, "field \"%s\" is a union of several types",
						 target->kind == COLUMN ? target->column->name : target->field->name);
	if (!emit(c, FLOE_AVRO_OP_UNION, FLOE_AVRO_NO_SLOT, n, 0))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!emit(c, FLOE_AVRO_OP_JUMP, FLOE_AVRO_NO_SLOT, 0, 0))
			return false;
	for (uint32_t i = 0; i < n; i++)
	{
		op_at(c, table + i)->b = label(c);
		if (!compile_value(c, floe_json_at(node, i), space, skip_target, depth + 1, &branch))
			return false;
		least = Min(least, branch);
		/* every branch ends with a jump whose target is set below */
		if (!emit(c, FLOE_AVRO_OP_JUMP, FLOE_AVRO_NO_SLOT, 0, 0))
			return false;
		op_at(c, table + i)->a = position(c) - 1;
	}
	(void) label(c);
	for (uint32_t i = 0; i < n; i++)
		op_at(c, op_at(c, table + i)->a)->b = position(c);
	*min = 1 + least;
	return true;
}

static bool
compile_union(Compiler *c, const FloeAvroResolved *r, const Target *target, int depth, uint64_t *min)
{
	size_t n = floe_json_length(r->node);
	int null_branch = -1;
	uint32_t optional;
	uint64_t value_min;

	if (n == 0 || n > MAX_BRANCHES)
		return floe_fail(c->st, FLOE_ERR_CORRUPT, "an Avro union has %zu branches", n);
	for (size_t i = 0; i < n; i++)
	{
		const char *name = floe_json_string(floe_json_at(r->node, i));

		if (name != NULL && strcmp(name, "null") == 0)
			null_branch = (int) i;
	}
	if (n != 2 || null_branch < 0)
		return compile_branches(c, r->node, r->space, target, depth, min);
	*min = 1;
	optional = position(c);
	if (!emit(c, FLOE_AVRO_OP_OPTIONAL, FLOE_AVRO_NO_SLOT, (uint32_t) null_branch, 0))
		return false;
	if (!compile_value(c, floe_json_at(r->node, (size_t) (1 - null_branch)), r->space, *target, depth + 1, &value_min))
		return false;
	op_at(c, optional)->b = label(c);
	return true;
}

/* ---- the whole ---- */

static bool
compile_value(Compiler *c, FloeJson type, const char *space, Target target, int depth, uint64_t *min)
{
	FloeAvroResolved r;

	*min = 0;
	if (depth > FLOE_AVRO_MAX_DEPTH || ++c->nodes > FLOE_AVRO_MAX_NODES)
		return floe_fail(c->st, FLOE_ERR_TOO_LARGE, "the Avro schema is nested too deeply or too large");
	if (!floe_avro_resolve(&c->names, type, space, &r, c->st))
		return false;
	if (r.type == FLOE_AVRO_UNION)
		return compile_union(c, &r, &target, depth, min);
	if (!check_target(c, &r, &target))
		return false;
	switch (r.type)
	{
		case FLOE_AVRO_NULL:
			return true;
		case FLOE_AVRO_BOOLEAN:
			*min = 1;
			return emit_scalar(c, &target, FLOE_AVRO_OP_BOOLEAN, FLOE_AVRO_OP_SKIP_FIXED, 1);
		case FLOE_AVRO_INT:
		case FLOE_AVRO_ENUM:
			*min = 1;
			return emit_scalar(c, &target, FLOE_AVRO_OP_INT, FLOE_AVRO_OP_SKIP_VARINTS, 0);
		case FLOE_AVRO_LONG:
			*min = 1;
			return emit_scalar(c, &target, FLOE_AVRO_OP_LONG, FLOE_AVRO_OP_SKIP_VARINTS, 0);
		case FLOE_AVRO_FLOAT:
		case FLOE_AVRO_DOUBLE:
			*min = r.type == FLOE_AVRO_FLOAT ? 4 : 8;
			return emit_scalar(c, &target, FLOE_AVRO_OP_FIXED, FLOE_AVRO_OP_SKIP_FIXED, (uint32_t) *min);
		case FLOE_AVRO_BYTES:
		case FLOE_AVRO_STRING:
			*min = 1;
			return emit(c, target.kind == SKIP ? FLOE_AVRO_OP_SKIP_BYTES : FLOE_AVRO_OP_BYTES, target.slot, 0, 0);
		case FLOE_AVRO_FIXED:
			return compile_fixed(c, &r, &target, min);
		case FLOE_AVRO_RECORD:
			return compile_record(c, &r, &target, depth, min);
		case FLOE_AVRO_ARRAY:
		case FLOE_AVRO_MAP:
			return compile_array(c, &r, &target, depth, min);
		case FLOE_AVRO_UNION:
			break;
	}
	return floe_fail(c->st, FLOE_ERR_INTERNAL, "Avro type %d is not handled", (int) r.type);
}

static bool
check_wanted(Compiler *c)
{
	FloeAvroProgram *p = c->program;

	for (uint32_t i = 0; i < p->nwanted; i++)
	{
		if (p->wanted[i].required && !c->present[i])
			return floe_fail(c->st, FLOE_ERR_CORRUPT, "the Avro schema has no field %d (%s)", p->wanted[i].id,
							 p->wanted[i].name);
	}
	return true;
}

static bool
compile_row(Compiler *c, FloeJson root)
{
	FloeAvroProgram *p = c->program;
	/* the row: wanted, but not as a field of anything */
	Target row = {.kind = WANTED, .field = NULL};
	FloeAvroResolved r;

	if (!floe_avro_resolve(&c->names, root, NULL, &r, c->st))
		return false;
	if (r.type != FLOE_AVRO_RECORD)
		return floe_fail(c->st, FLOE_ERR_CORRUPT, "the Avro schema is not that of a record");
	if (!compile_record(c, &r, &row, 0, &p->min_size) || !check_wanted(c))
		return false;
	p->nops = position(c);
	p->ops = floe_arena_alloc(c->arena, c->ops.len);
	if (p->ops == NULL)
		return fail_no_memory(c);
	if (c->ops.len > 0)
		memcpy((void *) p->ops, c->ops.data, c->ops.len);
	return true;
}

const FloeAvroProgram *
floe_avro_compile(FloeArena *arena, const void *schema, size_t len, const FloeAvroField *wanted, uint32_t nwanted,
				  FloeStatus *st)
{
	FloeAvroProgram *p = floe_arena_alloc0(arena, sizeof(*p));
	Compiler c = {.arena = arena, .st = st, .program = p};
	FloeJsonDoc *doc;
	bool done;

	c.present = floe_arena_alloc0(arena, Max(nwanted, 1) * sizeof(bool));
	c.columns = floe_arena_alloc(arena, MAX_COLUMNS * sizeof(FloeAvroColumn));
	if (p == NULL || c.present == NULL || c.columns == NULL || !floe_avro_names_init(&c.names, arena))
	{
		fail_no_memory(&c);
		return NULL;
	}
	p->wanted = wanted;
	p->nwanted = nwanted;
	p->nslots = nwanted;
	p->present = c.present;
	p->columns = c.columns;
	doc = floe_json_parse(schema, len, "Avro schema", FLOE_AVRO_MAX_SCHEMA, st);
	done = doc != NULL;
	floe_buf_init(&c.ops, FLOE_AVRO_MAX_NODES * 4 * sizeof(FloeAvroOp));
	done = done && compile_row(&c, floe_json_root(doc));
	floe_buf_free(&c.ops);
	floe_json_free(doc);
	/* what the JSON layer calls a protocol error is, in a file, corruption */
	if (!done && st->code == FLOE_ERR_PROTOCOL)
		st->code = FLOE_ERR_CORRUPT;
	return done ? p : NULL;
}
