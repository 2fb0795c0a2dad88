/*
 * table_schema.h: what rendering must know of a table's columns and partitions.
 *
 * Read from what floe keeps of the table's metadata (iceberg_table.details and
 * specs), so it is as of the last look, which is right before the dispatch.
 */
#ifndef FLOE_ENGINE_TABLE_SCHEMA_H
#define FLOE_ENGINE_TABLE_SCHEMA_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"

typedef enum FloeColumnType
{
	FLOE_COLUMN_UNKNOWN, /* not looked up, or of a type that literals cannot be compared with */
	FLOE_COLUMN_BOOLEAN,
	FLOE_COLUMN_INT,
	FLOE_COLUMN_LONG,
	FLOE_COLUMN_FLOAT,
	FLOE_COLUMN_DOUBLE,
	FLOE_COLUMN_DECIMAL,
	FLOE_COLUMN_DATE,
	FLOE_COLUMN_TIMESTAMP,   /* without a zone */
	FLOE_COLUMN_TIMESTAMPTZ, /* of UTC */
	FLOE_COLUMN_STRING,
	FLOE_COLUMN_UUID,
	FLOE_COLUMN_NESTED /* struct, list, map */
} FloeColumnType;

typedef struct FloeSchemaColumn
{
	const char *name; /* with dots for a nested one */
	const char *type; /* as Iceberg writes it */
	int64_t id;
} FloeSchemaColumn;

/* A field of a partition spec that is not void. */
typedef struct FloePartitionField
{
	int64_t spec_id;
	int64_t source_id;
	const char *transform; /* "identity", "day", "bucket[16]" */
} FloePartitionField;

typedef struct FloeTableSchema
{
	const FloeSchemaColumn *columns;
	int ncolumns;
	bool is_complete; /* no column is missing */
	const FloePartitionField *fields;
	int nfields;
	const int64_t *specs; /* ids of all specs that partition nothing or something */
	int nspecs;
} FloeTableSchema;

/*
 * {"columns": [{"id", "name", "type"}], "column_count": n, "specs": [{"spec_id",
 * "fields": [{"transform", "source_id"}]}]}.  NULL when the arena is full or it
 * is something else (FLOE_ERR_CONFIG).
 */
extern FloeTableSchema *floe_table_schema_read(FloeJson json, FloeArena *arena, FloeStatus *st);

/* By its name, else by its name in another case if only one has it; NULL: there is none (or several: is_ambiguous). */
extern const FloeSchemaColumn *floe_schema_column(const FloeTableSchema *schema, const char *name, bool *is_ambiguous);

/* Whether it lies in a list or map, where no single value can be compared. */
extern bool floe_schema_is_repeated(const FloeTableSchema *schema, const char *name);

extern FloeColumnType floe_column_type(const char *type, int *precision, int *scale);

/* Fails with: column "x" of WHAT is not in the table's schema, and names like it in detail. */
extern bool floe_schema_fail_column(const FloeTableSchema *schema, const char *name, bool is_ambiguous,
									const char *what, FloeStatus *st);

#endif /* FLOE_ENGINE_TABLE_SCHEMA_H */
