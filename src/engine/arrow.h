/*
 * arrow.h: rows out of an Arrow IPC stream, as far as results of maintenance procedures need them.
 *
 * Spark Connect has no other form of a row.  Source: arrow.apache.org,
 * "Columnar Format" and "IPC streaming format"; the messages are FlatBuffers
 * (flatbuffers.dev, "Internals").  Own code because Arrow's C++ library and
 * its GLib binding are far larger than all of floe, and nanoarrow trusts the
 * lengths it reads.  What procedures return is read: whole numbers, text and
 * truth, with NULLs.  Everything else is FLOE_ERR_UNSUPPORTED; a result is
 * evidence and not the purpose, so its owner leaves it out.
 */
#ifndef FLOE_ENGINE_ARROW_H
#define FLOE_ENGINE_ARROW_H

#include "base/buf.h"
#include "base/status.h"
#include "engine/secrets.h"

#define FLOE_ARROW_MAX_COLUMNS 256

/*
 * Appends the rows of a stream (schema, record batches) to *json as objects
 * by column name: "[{…},{…}]".  Kept are at most keep_rows, and none that
 * would make *json longer than max_bytes; *rows counts all.  Secrets are
 * masked.  After false *json holds nothing that may be used: FLOE_ERR_PROTOCOL,
 * FLOE_ERR_UNSUPPORTED, FLOE_ERR_NOMEM.
 */
extern bool floe_arrow_rows(const void *data, size_t len, const FloeSecrets *secrets, FloeBuf *json, size_t max_bytes,
							int64_t keep_rows, int64_t *rows, FloeStatus *st);

#endif /* FLOE_ENGINE_ARROW_H */
