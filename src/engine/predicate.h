/*
 * predicate.h: the option "where": plain SQL on columns, which every engine is given in its own words.
 *
 *     predicate  = predicate OR predicate | predicate AND predicate | NOT predicate | ( predicate ) | TRUE | FALSE
 *                | column = <> != < <= > >= literal | literal = … column | column
 *                | column [NOT] IN (literal, …) | column [NOT] BETWEEN literal AND literal
 *                | column [NOT] LIKE 'beginning%' | column IS [NOT] NULL
 *     column     = name, "name", `name`, and a.b for a field of a struct
 *     literal    = 12, -1.5, 'text', TRUE, FALSE, DATE '2026-01-31', TIMESTAMP '2026-01-31 08:00:00'
 *                | current_date [- 3 days] | current_timestamp [- 12 hours] | now() [- interval '1 day']
 *
 * Times without a zone are UTC, as Iceberg's partition transforms are.  What is
 * relative to now is computed when the statement is made, by floe's clock.
 *
 * The order of work: parse (when a policy is saved), bind to the columns of a
 * table (before anything is sent), render for a dialect.  NOT is worked into
 * the comparisons while parsing, so a tree has AND, OR and leaves only.
 */
#ifndef FLOE_ENGINE_PREDICATE_H
#define FLOE_ENGINE_PREDICATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "engine/table_schema.h"

#define FLOE_PREDICATE_MAX_BYTES 32768
#define FLOE_PREDICATE_MAX_DEPTH 64
#define FLOE_PREDICATE_MAX_ITEMS 2000 /* nodes and literals */
#define FLOE_PREDICATE_MAX_PARTS 16   /* of a column's name */

/* Enough for a predicate of the greatest length. */
#define FLOE_PREDICATE_ARENA ((size_t) 4 * 1024 * 1024)

typedef enum FloePredicateKind
{
	FLOE_PREDICATE_TRUE,
	FLOE_PREDICATE_FALSE,
	FLOE_PREDICATE_AND,
	FLOE_PREDICATE_OR,
	FLOE_PREDICATE_COMPARE, /* column op values[0] */
	FLOE_PREDICATE_IN,      /* or NOT IN, when negated; the same below */
	FLOE_PREDICATE_BEGINS,  /* a text with values[0] */
	FLOE_PREDICATE_NULL
} FloePredicateKind;

typedef enum FloeCompare
{
	FLOE_COMPARE_EQ,
	FLOE_COMPARE_NE,
	FLOE_COMPARE_LT,
	FLOE_COMPARE_LE,
	FLOE_COMPARE_GT,
	FLOE_COMPARE_GE
} FloeCompare;

typedef enum FloeLiteralKind
{
	FLOE_LITERAL_NUMBER,    /* text, as it was written */
	FLOE_LITERAL_TEXT,      /* text */
	FLOE_LITERAL_BOOLEAN,   /* number: 0 or 1 */
	FLOE_LITERAL_DATE,      /* number: days since 1970 */
	FLOE_LITERAL_TIMESTAMP, /* number: microseconds since 1970, UTC */
	FLOE_LITERAL_TODAY,     /* number: days to add to the current date */
	FLOE_LITERAL_NOW        /* number: milliseconds to add to the current time */
} FloeLiteralKind;

typedef struct FloeLiteral
{
	FloeLiteralKind kind;
	const char *text;
	int64_t number;
} FloeLiteral;

typedef struct FloePredicate
{
	FloePredicateKind kind;
	bool negated;
	FloeCompare compare;
	const char *const *parts; /* of the column's name */
	int nparts;
	const FloeLiteral *values;
	int nvalues;
	FloeColumnType type;   /* of the column, after it was bound; FLOE_COLUMN_UNKNOWN before */
	int precision, scale;  /* of FLOE_COLUMN_DECIMAL */
	const char *full_name; /* parts with dots; of the schema once it is bound */
	struct FloePredicate *left;
	struct FloePredicate *right;
} FloePredicate;

/* NULL with FLOE_ERR_CONFIG, whose message says where and what; FLOE_ERR_TOO_LARGE beyond a limit. */
extern FloePredicate *floe_predicate_parse(const char *text, FloeArena *arena, FloeStatus *st);

/*
 * Looks each column up and gives each literal the kind that the column's type
 * asks for.  False (FLOE_ERR_CONFIG) names a column that the table has not, or
 * a comparison that means nothing.  A column that an incomplete schema lacks
 * stays as it is.
 */
extern bool floe_predicate_bind(FloePredicate *predicate, const FloeTableSchema *schema, FloeArena *arena,
								FloeStatus *st);

/* As a predicate of Spark SQL, not quoted as a text yet.  FLOE_ERR_UNSUPPORTED for what has no safe form in Spark. */
extern bool floe_predicate_render_spark(const FloePredicate *predicate, int64_t now_ms, FloeBuf *out, FloeStatus *st);

/*
 * As a predicate that Trino's optimize takes: whole partitions, on the columns
 * that all partition specs of the schema are made of.  Bounds of a time are
 * moved outwards to those of the partitions.  FLOE_ERR_CONFIG when it cannot be
 * said by partitions.  The predicate must be bound.
 */
extern bool floe_predicate_render_trino(const FloePredicate *predicate, const FloeTableSchema *schema, int64_t now_ms,
										FloeBuf *out, FloeStatus *st);

/* What a literal is at a time: TODAY becomes DATE, NOW becomes TIMESTAMP. */
extern FloeLiteral floe_literal_at(const FloeLiteral *literal, int64_t now_ms);

/* "2026-01-31" and "2026-01-31 08:00:00.000000"; years from 1 to 9999. */
extern void floe_append_date(FloeBuf *out, int64_t days);
extern void floe_append_timestamp(FloeBuf *out, int64_t micros);

/* True for texts of exactly these forms; a timestamp may be a date, have a T, and end with Z or an offset. */
extern bool floe_parse_date(const char *text, int64_t *days);
extern bool floe_parse_timestamp(const char *text, int64_t *micros);

typedef enum FloeTimeUnit
{
	FLOE_TIME_HOUR,
	FLOE_TIME_DAY,
	FLOE_TIME_MONTH,
	FLOE_TIME_YEAR
} FloeTimeUnit;

/* The beginning of the hour, day, month or year (UTC) that a time is in, or (steps 1) of the next. */
extern int64_t floe_time_floor(int64_t micros, FloeTimeUnit unit, int steps);

#define FLOE_MICROS_PER_DAY INT64CONST(86400000000)

#endif /* FLOE_ENGINE_PREDICATE_H */
