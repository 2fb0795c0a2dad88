/*
 * metadata.h: table metadata (metadata.json) of format versions 1 to 3, and the loadTable answer around it.
 *
 * A push parser: bytes go in as they arrive, out comes a FloeTableMeta in the
 * arena.  It is all or nothing.  Rules are those of the spec ("Table Metadata
 * Fields", "Snapshots", "Snapshot References", Appendix C) as Iceberg's own
 * TableMetadataParser applies them, and where the two differ the tolerant one:
 *
 *   - unknown keys are skipped; a key that is used may not stand twice
 *   - a snapshot without sequence-number has 0 (written by format version 1)
 *   - a missing main branch is the current snapshot
 *   - a value of a summary that is not a string of digits is unknown
 *
 * A loadTable answer asked for with snapshots=refs lacks ancestors: then
 * parents are missing, but the current snapshot and those of refs are there.
 */
#ifndef FLOE_ICEBERG_METADATA_H
#define FLOE_ICEBERG_METADATA_H

#include "iceberg/snapshots.h"

/* Names are unique and in byte order. */
typedef struct FloeMetaProperty
{
	const char *name;
	const char *value;
} FloeMetaProperty;

typedef struct FloeMetaProperties
{
	const FloeMetaProperty *items;
	int count;
} FloeMetaProperties;

/* A partition field or a sort field. */
typedef struct FloeMetaField
{
	int32 source_id;         /* the column; of several, the first */
	int source_count;        /* more than 1 with transforms of several arguments (v3) */
	const int32 *source_ids; /* all of them; NULL when there is one */
	int32 field_id;          /* partition fields only; 1000 and up where format version 1 does not say */
	const char *name;        /* partition fields only */
	const char *transform;   /* as it is written; may be one floe does not know */
	bool descending;         /* sort fields only */
	bool nulls_last;         /* sort fields only */
} FloeMetaField;

/* A partition spec or a sort order; no fields: unpartitioned, unsorted. */
typedef struct FloeMetaFields
{
	int32 id;
	int count;
	const FloeMetaField *items;
} FloeMetaFields;

/* A column of the current schema; parents stand before their children. */
typedef struct FloeMetaColumn
{
	const char *name; /* "address.city", "tags.element", "scores.key", "scores.value" */
	const char *type; /* as it is written: "decimal(9,2)"; "struct", "list" or "map" for nested types */
	int32 id;
	bool required;
} FloeMetaColumn;

typedef struct FloeMetaFieldType
{
	int32 id;
	const char *type;
} FloeMetaFieldType;

/* An entry of statistics or partition-statistics. */
typedef struct FloeMetaStatistics
{
	int64 snapshot_id;
	uint64 file; /* a hash of statistics-path: a file that takes another's place has another */
} FloeMetaStatistics;

typedef struct FloeMetaCredential
{
	const char *prefix; /* of the locations it is for; the longest that fits wins */
	FloeMetaProperties config;
} FloeMetaCredential;

/* What stands around the metadata in a loadTable answer. Its config and credentials are secrets. */
typedef struct FloeLoadResult
{
	const char *metadata_location; /* NULL: the table is not committed yet */
	FloeMetaProperties config;
	const FloeMetaCredential *credentials;
	int credential_count;
} FloeLoadResult;

typedef struct FloeTableMeta
{
	int32 format_version;
	const char *table_uuid; /* 8-4-4-4-12 hexadecimal digits; NULL: format version 1 without one */
	const char *location;   /* as it is written, a slash at the end included */
	int64 last_updated_ms;
	int64 last_sequence_number; /* 0 in format version 1 */
	int64 next_row_id;          /* v3; 0 before */
	int32 last_column_id;
	int32 last_partition_id; /* 0 where format version 1 does not say */

	bool has_current_snapshot;
	int64 current_snapshot_id;
	int current; /* its index in snapshots; -1: none */
	const FloeSnapshot *snapshots;
	int snapshot_count;
	FloeLineage lineage; /* of snapshots */
	const FloeRef *refs; /* main included wherever there is a current snapshot */
	int ref_count;

	FloeMetaProperties properties;
	int32 default_spec_id;
	const FloeMetaFields *specs; /* by id, as sort_orders are */
	int spec_count;
	const FloeMetaFields *default_spec;
	int32 default_sort_order_id;
	const FloeMetaFields *sort_orders;
	int sort_order_count;
	const FloeMetaFields *default_sort_order; /* NULL: unsorted */
	int32 current_schema_id;
	int schema_count;
	const FloeMetaColumn *columns; /* of the current schema */
	int column_count;
	const FloeMetaFieldType *field_types; /* of all schemas, see floe_meta_field_type() */
	int field_type_count;

	int snapshot_log_count;
	int metadata_log_count;
	int64 metadata_log_oldest_ms; /* 0 without entries */
	int64 metadata_log_newest_ms;
	int statistics_count;
	int64 statistics_bytes;
	const FloeMetaStatistics *statistics;
	int partition_statistics_count;
	int64 partition_statistics_bytes;
	const FloeMetaStatistics *partition_statistics;
	int encryption_key_count;

	uint64 json_bytes;   /* of the metadata value as it stood in the document, inflated */
	FloeLoadResult load; /* empty for a file */
} FloeTableMeta;

/* NULL when there is none of that name. */
extern const char *floe_meta_property(const FloeMetaProperties *properties, const char *name);

/* NULL when there is none of that id. */
extern const FloeMetaFields *floe_meta_spec(const FloeTableMeta *meta, int32 spec_id);

/*
 * Type of a column, dropped ones included: from the current schema, else from
 * the newest schema that has it.  NULL when no schema has it.
 */
extern const char *floe_meta_field_type(const FloeTableMeta *meta, int32 field_id);

typedef enum FloeMetaRoot
{
	FLOE_META_FILE,       /* a metadata.json, as it is or gzip'ed */
	FLOE_META_LOAD_RESULT /* the answer to loadTable */
} FloeMetaRoot;

typedef struct FloeMetaLimits
{
	size_t json_bytes;   /* of the document, inflated */
	size_t string_bytes; /* of one string that is kept */
	int snapshots;
	int refs;
	int properties; /* of one map */
	int columns;    /* of all schemas together, nested ones included */
	int items;      /* of every other list */
} FloeMetaLimits;

/* 512 MB, 8 MB, 1,000,000, 10,000, 10,000, 1,000,000, 100,000. */
extern const FloeMetaLimits floe_meta_default_limits;

typedef struct FloeMetaParser FloeMetaParser;

/*
 * The parser and everything it makes live in the arena, whose limit bounds its
 * memory; there is nothing else to free.  NULL when the arena is full.
 */
extern FloeMetaParser *floe_meta_parser_new(FloeArena *arena, FloeMetaRoot root, const FloeMetaLimits *limits);

/*
 * feed: the next bytes, also none; safe in a write callback.  finish: there
 * are no more.  After a failure the parser is of no use.
 *
 * FLOE_ERR_UNSUPPORTED for another format version; FLOE_ERR_TOO_LARGE beyond a
 * limit; FLOE_ERR_CORRUPT for everything that contradicts the format, and
 * FLOE_ERR_PROTOCOL for what stands around the metadata of an answer.  The
 * message names the place: 'table metadata: "snapshots[3].timestamp-ms" is missing'.
 */
extern bool floe_meta_parser_feed(FloeMetaParser *parser, const void *data, size_t len, FloeStatus *st);
extern bool floe_meta_parser_finish(FloeMetaParser *parser, const FloeTableMeta **meta, FloeStatus *st);

/*
 * The table's location, if it was read before a failure; NULL: it was not.
 * Whose files are where must be known of tables that cannot be read, too.
 */
extern const char *floe_meta_parser_location(const FloeMetaParser *parser);

#endif /* FLOE_ICEBERG_METADATA_H */
