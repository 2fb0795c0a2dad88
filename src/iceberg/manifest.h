/*
 * manifest.h: one manifest read into its aggregate (agg.h).
 *
 * Spec, "Manifests", "Manifest Entry Fields", "Sequence Number Inheritance".
 * The row of the manifest list is needed because entries inherit from it and
 * because it says what the manifest must contain.
 */
#ifndef FLOE_ICEBERG_MANIFEST_H
#define FLOE_ICEBERG_MANIFEST_H

#include "iceberg/agg.h"
#include "iceberg/manifest_list.h"

/*
 * Reads the object's bytes and replaces the content of blob, whose cap holds,
 * by the aggregate.  All or nothing: on failure blob is empty.
 *
 * CORRUPT when the bytes are not a manifest, when its header contradicts the
 * row (content, partition-spec-id), when its length or the number of its
 * entries is not what the row says, and for values that cannot be.
 * UNSUPPORTED when the row says it is encrypted, for format versions beyond 3
 * and for Parquet manifests.  TOO_LARGE, NOMEM.
 */
extern bool floe_manifest_read(FloeAvroReader *reader, const void *data, size_t len, const FloeManifest *row,
							   const FloeAggOptions *options, FloeBuf *blob, FloeStatus *st);

#endif /* FLOE_ICEBERG_MANIFEST_H */
