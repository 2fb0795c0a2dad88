/*
 * manifest_list.h: the manifests of a snapshot, from its manifest list.
 *
 * Spec, "Manifest Lists".  The rows are also what a manifest inherits from
 * when it is read (manifest.h), and tell without reading it whether it has
 * been read before: path, length, content, spec_id, sequence_number and
 * added_snapshot_id never change for a manifest.
 */
#ifndef FLOE_ICEBERG_MANIFEST_LIST_H
#define FLOE_ICEBERG_MANIFEST_LIST_H

#include "iceberg/agg.h"
#include "iceberg/avro.h"

#define FLOE_MAX_FORMAT_VERSION 3 /* of tables and of their manifests */
#define FLOE_MANIFEST_LIST_MAX 1000000
#define FLOE_MANIFEST_MAX_PATH 2048 /* the database finds manifests by it in an index; a key of S3 has at most 1024 */

/* Which optional fields of a row were not null. */
typedef enum FloeManifestKnown
{
	FLOE_MANIFEST_HAS_ADDED_FILES = 1 << 0,
	FLOE_MANIFEST_HAS_EXISTING_FILES = 1 << 1,
	FLOE_MANIFEST_HAS_DELETED_FILES = 1 << 2,
	FLOE_MANIFEST_HAS_ADDED_ROWS = 1 << 3,
	FLOE_MANIFEST_HAS_EXISTING_ROWS = 1 << 4,
	FLOE_MANIFEST_HAS_DELETED_ROWS = 1 << 5,
	FLOE_MANIFEST_HAS_SNAPSHOT_ID = 1 << 6,
	FLOE_MANIFEST_HAS_FIRST_ROW_ID = 1 << 7
} FloeManifestKnown;

typedef struct FloeManifest
{
	const char *path; /* terminated, valid UTF-8 */
	int64_t length;   /* bytes */
	int32_t spec_id;
	FloeManifestContent content; /* data in format version 1 */
	int64_t sequence_number;     /* 0 in format version 1 */
	int64_t min_sequence_number; /* 0 in format version 1 */
	int64_t added_snapshot_id;
	uint32_t known; /* FloeManifestKnown; the fields below and added_snapshot_id are 0 when not known */
	int64_t added_files, existing_files, deleted_files;
	int64_t added_rows, existing_rows, deleted_rows;
	int64_t first_row_id;
	bool encrypted; /* there is key_metadata: floe cannot read the manifest */
} FloeManifest;

typedef struct FloeManifestList
{
	FloeManifest *manifests;
	uint32_t count;
} FloeManifestList;

/*
 * Reads the object's bytes; everything in list lives in the arena.  CORRUPT for
 * anything that contradicts the spec, negative numbers and a path that is
 * listed twice among it; TOO_LARGE, UNSUPPORTED, NOMEM.  On failure list is
 * empty.
 */
extern bool floe_manifest_list_read(FloeAvroReader *reader, const void *data, size_t len, FloeArena *arena,
									FloeManifestList *list, FloeStatus *st);

#endif /* FLOE_ICEBERG_MANIFEST_LIST_H */
