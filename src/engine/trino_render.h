/*
 * trino_render.h: a maintenance operation as Trino's ALTER TABLE … EXECUTE.
 *
 * Pure: the same input gives the same text, in every process.  Options are
 * checked once more as a complete set, and every age is in the statement, so
 * that no default of the engine decides what is deleted.
 */
#ifndef FLOE_ENGINE_TRINO_RENDER_H
#define FLOE_ENGINE_TRINO_RENDER_H

#include "engine/dialect.h"

/* As FloeDialectOps has it. */
extern bool floe_trino_render(const FloeEngineTable *table, const char *operation, FloeJson options, int64_t now_ms,
							  FloeBuf *out, FloeStatus *st);

/* Appends a predicate as Trino reads it; FLOE_ERR_CONFIG when it is Spark's alone, or might end the statement. */
extern bool floe_trino_where(FloeBuf *out, const char *text, FloeStatus *st);

#endif /* FLOE_ENGINE_TRINO_RENDER_H */
