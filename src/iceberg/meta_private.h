/*
 * meta_private.h: what the files of the metadata parser share.
 *
 *   metadata.c     the public functions, gzip, and the checks on the whole
 *   meta_events.c  from the scanner's events to fields of structs, by tables
 *   meta_lists.c   failures with their place, growing lists, text
 *   meta_shapes.c, meta_snapshots.c, meta_fields.c, meta_schema.c
 *                  those tables: which keys each object has, and what they are
 *
 * Every open object or array of the document is a frame; its shape says which
 * keys it has and where their values go.
 */
#ifndef FLOE_ICEBERG_META_PRIVATE_H
#define FLOE_ICEBERG_META_PRIVATE_H

#include "base/gunzip.h"
#include "base/jscan.h"
#include "iceberg/metadata.h"

typedef enum FloeMetaKind
{
	FLOE_KIND_NONE,
	FLOE_KIND_LOAD_RESULT,
	FLOE_KIND_STRING_MAP,
	FLOE_KIND_CREDENTIALS,
	FLOE_KIND_CREDENTIAL,
	FLOE_KIND_TABLE,
	FLOE_KIND_SNAPSHOTS,
	FLOE_KIND_SNAPSHOT,
	FLOE_KIND_SUMMARY,
	FLOE_KIND_MANIFESTS,
	FLOE_KIND_REFS,
	FLOE_KIND_REF,
	FLOE_KIND_SNAPSHOT_LOG,
	FLOE_KIND_METADATA_LOG,
	FLOE_KIND_LOG_ENTRY,
	FLOE_KIND_STATISTICS,
	FLOE_KIND_PARTITION_STATISTICS,
	FLOE_KIND_STATISTICS_FILE,
	FLOE_KIND_SPECS,
	FLOE_KIND_SPEC,
	FLOE_KIND_SPEC_FIELDS,
	FLOE_KIND_SPEC_FIELD,
	FLOE_KIND_SORT_ORDERS,
	FLOE_KIND_SORT_ORDER,
	FLOE_KIND_SORT_FIELDS,
	FLOE_KIND_SORT_FIELD,
	FLOE_KIND_SOURCE_IDS,
	FLOE_KIND_SCHEMAS,
	FLOE_KIND_SCHEMA,
	FLOE_KIND_FIELDS,
	FLOE_KIND_FIELD,
	FLOE_KIND_TYPE,
	FLOE_KIND_ENCRYPTION_KEYS,
	FLOE_KIND_COUNT
} FloeMetaKind;

typedef enum FloeMetaWant
{
	FLOE_WANT_SKIP,    /* anything, unread */
	FLOE_WANT_LONG,    /* int64 at the offset */
	FLOE_WANT_INT,     /* int32 at the offset */
	FLOE_WANT_BOOL,    /* bool at the offset */
	FLOE_WANT_STRING,  /* const char * at the offset, copied into the arena */
	FLOE_WANT_WORD,    /* a string that the key's word() takes */
	FLOE_WANT_COUNTER, /* the counter of a summary whose number is the offset */
	FLOE_WANT_TYPE,    /* an Iceberg type: a string or an object */
	FLOE_WANT_OBJECT,
	FLOE_WANT_ARRAY
} FloeMetaWant;

/* flags of a key */
#define FLOE_META_REQUIRED 0x01    /* in every format version */
#define FLOE_META_REQUIRED_V2 0x02 /* in 2 and 3 */
#define FLOE_META_REQUIRED_V3 0x04
#define FLOE_META_NOT_NEGATIVE 0x08
#define FLOE_META_POSITIVE 0x10
#define FLOE_META_NOT_EMPTY 0x20
#define FLOE_META_VERSION 0x40      /* decides whether floe reads the table */
#define FLOE_META_TIME 0x80         /* not negative, and not beyond what a timestamptz holds */
#define FLOE_META_ANY_VERSION 0x100 /* read in tables of other format versions, too */

#define FLOE_META_MAX_LOCATION 2048 /* tables are found by it in an index; a key of S3 has at most 1024 */
#define FLOE_META_MAX_TIME_MS INT64CONST(9200000000000000) /* in the year 293506 */

typedef struct FloeMetaFrame FloeMetaFrame;

typedef struct FloeMetaKey
{
	const char *name;
	uint8 len;   /* of the name */
	uint8 want;  /* FloeMetaWant */
	uint8 child; /* FloeMetaKind of an object, array or type */
	uint16 flags;
	uint16 offset;
	bool (*word)(FloeMetaParser *parser, FloeMetaFrame *frame, const char *text, size_t len, FloeStatus *st);
} FloeMetaKey;

#define FLOE_META_KEY(text) .name = text, .len = sizeof(text) - 1

/* How one kind of object or array is read. */
typedef struct FloeMetaShape
{
	const FloeMetaKey *keys; /* of an object; its position is the key's bit in frame->has */
	int key_count;
	bool is_map;         /* an object whose keys are data */
	FloeMetaKey element; /* of an array or map */
	uint16 limit;        /* offset in FloeMetaLimits of the most elements; 0: items */
	bool (*open)(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st);  /* sets frame->record */
	void *(*item)(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st); /* where the next element goes */
	bool (*close)(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st);
} FloeMetaShape;

/* By kind. */
extern const FloeMetaShape *const floe_meta_shapes[FLOE_KIND_COUNT];

/* Whether the object had a value for a key of its shape that is not null. */
extern bool floe_meta_has(FloeMetaKind kind, uint64 has, const char *key);

/* A list that grows without moving: items keep their address until it is flattened. */
typedef struct FloeMetaList
{
	size_t size; /* of an item */
	int count;
	struct FloeMetaSegment *first;
	struct FloeMetaSegment *last;
} FloeMetaList;

/* A field of a schema, or an element, key or value of a nested type. */
typedef struct FloeMetaNode
{
	struct FloeMetaNode *parent; /* NULL: a top-level column */
	struct FloeMetaSchema *schema;
	const char *name; /* while it is read; then with the names of its parents */
	const char *type;
	int32 id;
	bool required;
} FloeMetaNode;

typedef struct FloeMetaSchema
{
	int32 id;
	int rank;       /* position in the document, 1 and up; 0: the "schema" of format version 1 */
	int node_count; /* columns, nested ones included */
} FloeMetaSchema;

typedef enum FloeMetaNesting
{
	FLOE_NESTING_OTHER,
	FLOE_NESTING_STRUCT,
	FLOE_NESTING_LIST,
	FLOE_NESTING_MAP
} FloeMetaNesting;

/* What a frame of kind TYPE collects. */
typedef struct FloeMetaType
{
	FloeMetaNesting nesting;
	int32 element_id;
	int32 key_id;
	int32 value_id;
	bool element_required;
	bool value_required;
	FloeMetaNode *element;
	FloeMetaNode *key;
	FloeMetaNode *value;
} FloeMetaType;

struct FloeMetaFrame
{
	uint8 kind;
	const FloeMetaShape *shape;
	uint64 met;             /* keys that have been there */
	uint64 has;             /* those with a value that is not null */
	const FloeMetaKey *key; /* whose value comes next */
	const char *name;       /* of a map: its text */
	int index;              /* elements so far */
	void *record;           /* what the offsets of keys refer to */
	FloeMetaNode *owner;    /* of FIELDS and TYPE: the column it belongs to; NULL: the schema itself */
	FloeMetaType type;
};

#define FLOE_META_SLOTS 64 /* more than the keys of any shape */

struct FloeMetaParser
{
	FloeArena *arena;
	FloeMetaRoot root;
	FloeMetaLimits limits;
	FloeJscan scan;
	FloeGunzip *gunzip; /* NULL: not compressed */
	bool started;
	bool reported; /* the failure names its place already */

	FloeTableMeta *meta;
	bool is_other_version; /* one that floe does not read: the rest of the table is skipped but for its location */
	int64 other_version;
	bool in_table;     /* between the braces of the metadata itself */
	uint64 json_start; /* offset of its opening brace */
	uint64 table_has;  /* frame->has of the table */

	FloeMetaList snapshots;
	FloeMetaList refs;
	FloeMetaList specs;
	FloeMetaList sort_orders;
	FloeMetaList schemas;
	FloeMetaList nodes;
	FloeMetaList credentials;

	/* collected while one object is open */
	FloeMetaList properties; /* FloeMetaProperty */
	FloeMetaList manifests;  /* const char * */
	FloeMetaList fields;     /* FloeMetaField */
	FloeMetaList source_ids; /* int32 */
	FloeMetaList statistics; /* FloeMetaStatistics */
	int fields_without_id;
	int64 counters[FLOE_COUNTER_COUNT];
	uint32 known;
	int64 timestamp_ms;
	int64 file_bytes;
	FloeMetaStatistics statistics_file;
	FloeMetaSchema *schema;
	FloeMetaFields v1_spec;   /* "partition-spec" */
	FloeMetaSchema v1_schema; /* "schema" */
	struct FloeMetaInterned *interned;

	/* keys by a hash of their names: position + 1, or 0 */
	uint8 slots[FLOE_KIND_COUNT][FLOE_META_SLOTS];

	FloeMetaFrame *top; /* the innermost; frames[0] stands for the document */
	FloeMetaFrame frames[FLOE_JSCAN_MAX_DEPTH + 1];
};

extern const FloeJscanHandler floe_meta_handler;

/* Once, before anything is read; the root is set. */
extern void floe_meta_begin(FloeMetaParser *parser);

/*
 * Fails with '"place" why', where place is that of the value being read;
 * fail_member names a member of it: "place.member".  Both return false.
 */
extern bool floe_meta_fail(FloeMetaParser *parser, FloeStatus *st, FloeCode code, const char *why);
extern bool floe_meta_fail_member(FloeMetaParser *parser, FloeStatus *st, FloeCode code, const char *member,
								  const char *why);

/* For the checks on the whole: '"key" why', where key is one of the table or a place below it. */
extern bool floe_meta_corrupt(FloeMetaParser *parser, FloeStatus *st, const char *key, const char *why);
extern bool floe_meta_no_memory(FloeMetaParser *parser, FloeStatus *st);

/* The place of the value being read: "snapshots[3].summary"; empty at the top. */
extern void floe_meta_place(const FloeMetaParser *parser, char *place, size_t size);

extern void floe_meta_list_init(FloeMetaList *list, size_t item_size);
extern void *floe_meta_list_add(FloeMetaParser *parser, FloeMetaList *list, FloeStatus *st); /* zeroed; NULL: failed */

/* For going through the items where they are: start with a zeroed cursor; NULL: no more. */
typedef struct FloeMetaCursor
{
	struct FloeMetaSegment *segment;
	int at;
} FloeMetaCursor;

extern void *floe_meta_list_next(const FloeMetaList *list, FloeMetaCursor *cursor);

/* All items in one piece. */
extern bool floe_meta_list_flatten(FloeMetaParser *parser, FloeMetaList *list, void **items, FloeStatus *st);

/* One copy of each of the names and types that come again in every schema. */
extern const char *floe_meta_intern(FloeMetaParser *parser, const char *text, size_t len, FloeStatus *st);

/* A terminated copy without NULs. */
extern char *floe_meta_text(FloeMetaParser *parser, const char *text, size_t len, FloeStatus *st);

/* Sorts items that begin with a name; *twice is a name that stands there twice, or NULL. */
extern bool floe_meta_sort_names(FloeMetaParser *parser, void *items, int count, size_t size, const char **twice,
								 FloeStatus *st);

/* The column whose type comes next in the frame; NULL: failed. */
extern FloeMetaNode *floe_meta_type_owner(FloeMetaParser *parser, FloeMetaFrame *frame, FloeStatus *st);

/* The frame around this one. */
static inline FloeMetaFrame *
floe_meta_outer(FloeMetaFrame *frame)
{
	return frame - 1;
}

/* A new item of the list is what the frame fills. */
static inline bool
floe_meta_new_record(FloeMetaParser *parser, FloeMetaFrame *frame, FloeMetaList *list, FloeStatus *st)
{
	frame->record = floe_meta_list_add(parser, list, st);
	return frame->record != NULL;
}

/* Of meta_snapshots.c. */
extern const FloeMetaShape floe_meta_shape_snapshots;
extern const FloeMetaShape floe_meta_shape_snapshot;
extern const FloeMetaShape floe_meta_shape_summary;
extern const FloeMetaShape floe_meta_shape_manifests;
extern const FloeMetaShape floe_meta_shape_refs;
extern const FloeMetaShape floe_meta_shape_ref;
extern const FloeMetaShape floe_meta_shape_snapshot_log;
extern const FloeMetaShape floe_meta_shape_metadata_log;
extern const FloeMetaShape floe_meta_shape_log_entry;
extern const FloeMetaShape floe_meta_shape_statistics;
extern const FloeMetaShape floe_meta_shape_partition_statistics;
extern const FloeMetaShape floe_meta_shape_statistics_file;

/* Of meta_fields.c. */
extern const FloeMetaShape floe_meta_shape_specs;
extern const FloeMetaShape floe_meta_shape_spec;
extern const FloeMetaShape floe_meta_shape_spec_fields;
extern const FloeMetaShape floe_meta_shape_spec_field;
extern const FloeMetaShape floe_meta_shape_sort_orders;
extern const FloeMetaShape floe_meta_shape_sort_order;
extern const FloeMetaShape floe_meta_shape_sort_fields;
extern const FloeMetaShape floe_meta_shape_sort_field;
extern const FloeMetaShape floe_meta_shape_source_ids;

/* Of meta_schema.c. */
extern const FloeMetaShape floe_meta_shape_schemas;
extern const FloeMetaShape floe_meta_shape_schema;
extern const FloeMetaShape floe_meta_shape_fields;
extern const FloeMetaShape floe_meta_shape_field;
extern const FloeMetaShape floe_meta_shape_type;

/* Fills columns and field types from the schemas; has_schemas: "schemas" was there, not only "schema". */
extern bool floe_meta_build_schema(FloeMetaParser *parser, bool has_schemas, FloeStatus *st);

#endif /* FLOE_ICEBERG_META_PRIVATE_H */
