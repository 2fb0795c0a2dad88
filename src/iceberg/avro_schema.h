/*
 * avro_schema.h: an Avro schema compiled into a program that reads its rows.
 *
 * A manifest's schema is the writer's: fields come in any order, under any
 * name, with or without null, and most of them are of no interest.  The schema
 * is walked once; what comes out is a flat list of steps that either skip a
 * piece or put it into a slot.  Fields are found by Iceberg field id, never by
 * name (spec, Appendix A "Field IDs"), because writers differ in names.
 *
 * Separate from the container (avro.h), because a program depends on nothing
 * but the schema's text and what is wanted, and can therefore be kept and used
 * again: parsing the schema costs as much as reading hundreds of rows.
 */
#ifndef FLOE_ICEBERG_AVRO_SCHEMA_H
#define FLOE_ICEBERG_AVRO_SCHEMA_H

#include "base/arena.h"
#include "base/cursor.h"
#include "base/status.h"

/* What a compiled schema may cost at most. */
#define FLOE_AVRO_MAX_SCHEMA ((size_t) 4 * 1024 * 1024)
#define FLOE_AVRO_MAX_DEPTH 32
#define FLOE_AVRO_MAX_NODES 16384
#define FLOE_AVRO_MAX_NESTED_ARRAYS 8

typedef enum FloeAvroType
{
	FLOE_AVRO_NULL,
	FLOE_AVRO_BOOLEAN,
	FLOE_AVRO_INT,
	FLOE_AVRO_LONG,
	FLOE_AVRO_FLOAT,
	FLOE_AVRO_DOUBLE,
	FLOE_AVRO_BYTES,
	FLOE_AVRO_STRING,
	FLOE_AVRO_FIXED,
	FLOE_AVRO_ENUM,
	FLOE_AVRO_RECORD,
	FLOE_AVRO_ARRAY,
	FLOE_AVRO_MAP,
	FLOE_AVRO_UNION
} FloeAvroType;

extern const char *floe_avro_type_name(FloeAvroType type);

/* How a field is wanted. */
typedef enum FloeAvroWant
{
	FLOE_AVRO_WANT_INT,    /* int or long */
	FLOE_AVRO_WANT_BYTES,  /* string or bytes */
	FLOE_AVRO_WANT_COUNT,  /* array or map: how many elements */
	FLOE_AVRO_WANT_ENTRY,  /* map<int, binary>: the value of one key */
	FLOE_AVRO_WANT_STRUCT, /* record whose fields are wanted in turn */
	FLOE_AVRO_WANT_TUPLE   /* record: its raw bytes, and each of its fields as a column */
} FloeAvroWant;

#define FLOE_AVRO_ROOT (-1)

/* One wanted field; its slot is its position in the array of wanted fields. */
typedef struct FloeAvroField
{
	int32_t parent; /* field id of the record that holds it, or FLOE_AVRO_ROOT */
	int32_t id;
	const char *name; /* for messages */
	FloeAvroWant want;
	bool required;            /* it must be in the schema, and never null */
	int32_t key_id, value_id; /* WANT_ENTRY: field ids of the map's key and value */
	uint32_t key;             /* WANT_ENTRY: the key */
} FloeAvroField;

/* A field of the WANT_TUPLE record, in the order of the schema. */
typedef struct FloeAvroColumn
{
	int32_t field_id;
	int32_t slot;
	FloeAvroType type;        /* without the null of a union */
	const char *name;         /* as the writer made it fit for Avro */
	const char *logical_type; /* NULL without one */
	bool adjust_to_utc;
	int32_t size;  /* of a fixed */
	int32_t scale; /* of a decimal */
} FloeAvroColumn;

typedef struct FloeAvroOp FloeAvroOp;

typedef struct FloeAvroProgram
{
	const FloeAvroOp *ops;
	uint32_t nops;
	uint32_t nslots;   /* wanted fields first, then columns, then temporaries */
	uint64_t min_size; /* the fewest bytes a row can have */
	const FloeAvroField *wanted;
	uint32_t nwanted;
	const bool *present; /* by wanted field: the schema has it */
	const FloeAvroColumn *columns;
	uint32_t ncolumns;
} FloeAvroProgram;

/*
 * A slot after a row was read.  Bytes point into the row and live as long as it.
 *
 *	int, long, boolean, enum   num
 *	bytes, string, fixed       data, num is the length
 *	float, double              data: 4 or 8 bytes, little-endian
 *	WANT_COUNT                 num
 *	WANT_TUPLE                 data, num: the record's raw bytes
 */
typedef struct FloeAvroValue
{
	const uint8_t *data;
	int64_t num;
	bool set; /* false: null, or not in the schema */
} FloeAvroValue;

/*
 * Compiles the schema (JSON) for the wanted fields, which must outlive the
 * program.  The program lives in the arena.  Fails with CORRUPT when the text
 * is not an Avro schema of a record or a wanted field is missing or of another
 * type, UNSUPPORTED for recursive types, TOO_LARGE, NOMEM.
 */
extern const FloeAvroProgram *floe_avro_compile(FloeArena *arena, const void *schema, size_t len,
												const FloeAvroField *wanted, uint32_t nwanted, FloeStatus *st);

/* Reads one row into values[nslots]; false and a status when the bytes are not a row of the schema. */
extern bool floe_avro_decode(const FloeAvroProgram *program, FloeCursor *in, FloeAvroValue *values, FloeStatus *st);

/* The steps of a program; only avro_schema.c and avro_decode.c look inside. */
typedef enum FloeAvroOpCode
{
	FLOE_AVRO_OP_SKIP_VARINTS,  /* a: how many */
	FLOE_AVRO_OP_SKIP_FIXED,    /* a: how many bytes */
	FLOE_AVRO_OP_SKIP_BYTES,    /* length and bytes */
	FLOE_AVRO_OP_BOOLEAN,       /* to slot */
	FLOE_AVRO_OP_INT,           /* to slot; 32 bits */
	FLOE_AVRO_OP_LONG,          /* to slot */
	FLOE_AVRO_OP_FIXED,         /* to slot; a: how many bytes; also float and double */
	FLOE_AVRO_OP_BYTES,         /* to slot */
	FLOE_AVRO_OP_OPTIONAL,      /* branch number; a: the number of null; b: where to go on after null */
	FLOE_AVRO_OP_UNION,         /* branch number; a: branches; one JUMP for each follows */
	FLOE_AVRO_OP_JUMP,          /* b: where to */
	FLOE_AVRO_OP_ARRAY,         /* count to slot; a: fewest bytes of an element; b: step behind the END */
	FLOE_AVRO_OP_END_ARRAY,     /* b: first step of the element */
	FLOE_AVRO_OP_ARRAY_VARINTS, /* count to slot; elements are a varints */
	FLOE_AVRO_OP_ARRAY_BYTES,   /* count to slot; elements are a varints and bytes with a length */
	FLOE_AVRO_OP_MARK,          /* where the record in slot begins */
	FLOE_AVRO_OP_END_MARK,      /* and ends */
	FLOE_AVRO_OP_MATCH          /* a: key; b: slot of the key; the value, one slot behind it, goes to slot */
} FloeAvroOpCode;

#define FLOE_AVRO_NO_SLOT UINT16_MAX

struct FloeAvroOp
{
	uint16_t code; /* FloeAvroOpCode */
	uint16_t slot;
	uint32_t a;
	uint32_t b;
};

#endif /* FLOE_ICEBERG_AVRO_SCHEMA_H */
