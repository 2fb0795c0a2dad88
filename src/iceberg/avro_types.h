/*
 * avro_types.h: what a type in an Avro schema means: primitives, names defined
 * earlier, wrapped types (Avro specification, "Schema Declaration", "Names").
 *
 * Internal to the schema compiler (avro_schema.c); separate from it because
 * the rules of Avro's names have nothing to do with the program that is made.
 */
#ifndef FLOE_ICEBERG_AVRO_TYPES_H
#define FLOE_ICEBERG_AVRO_TYPES_H

#include "base/json.h"
#include "iceberg/avro_schema.h"

/* A named type (record, fixed, enum) that was defined earlier in the text. */
typedef struct FloeAvroNamedType
{
	const char *fullname;
	FloeJson node;
	const char *space; /* the namespace that names inside it are relative to; NULL: none */
	bool open;         /* being expanded at the moment; the compiler's */
} FloeAvroNamedType;

typedef struct FloeAvroNames
{
	FloeArena *arena;
	FloeAvroNamedType *types;
	uint32_t ntypes;
} FloeAvroNames;

/* A type with its name looked up and wrappers like {"type": {"type": …}} taken off. */
typedef struct FloeAvroResolved
{
	FloeAvroType type;
	FloeJson node;            /* the object that describes it; absent for a bare primitive; a union's array */
	FloeAvroNamedType *named; /* NULL unless record, fixed or enum */
	const char *space;        /* for names inside it */
} FloeAvroResolved;

extern bool floe_avro_names_init(FloeAvroNames *names, FloeArena *arena); /* false: no memory */

/* space: the namespace around the type, or NULL.  A definition is entered into names. */
extern bool floe_avro_resolve(FloeAvroNames *names, FloeJson type, const char *space, FloeAvroResolved *r,
							  FloeStatus *st);

/* Fills type, logical type, adjust-to-utc and scale of a column from what its type says. */
extern bool floe_avro_describe(FloeAvroNames *names, const FloeAvroResolved *r, FloeAvroColumn *column, FloeStatus *st);

#endif /* FLOE_ICEBERG_AVRO_TYPES_H */
