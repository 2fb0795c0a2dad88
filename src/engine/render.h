/*
 * render.h: a maintenance operation as a CALL of Iceberg's Spark procedures.
 *
 * Pure: the same input gives the same text, in every process.  Options are
 * checked once more as a complete set, so what floe never does (younger orphans
 * than a day, prefix_mismatch_mode DELETE, retaining no snapshot) cannot be
 * reached by a row that was written around the policy functions.
 */
#ifndef FLOE_ENGINE_RENDER_H
#define FLOE_ENGINE_RENDER_H

#include "engine/dialect.h"

/*
 * Appends "CALL `cat`.system.proc(table => '…', …)".  options is an object as
 * floe_spark_options_check() writes it (any that passes it will do), or
 * FLOE_JSON_NONE; now_ms is the time that ages are counted back from, in
 * milliseconds since 1970.  On failure st is FLOE_ERR_CONFIG (an option) or
 * FLOE_ERR_UNSUPPORTED (a name or text that Spark cannot be given safely), and
 * what was appended is to be thrown away.
 */
extern bool floe_spark_render(const FloeEngineTable *table, const char *operation, FloeJson options, int64_t now_ms,
							  FloeBuf *out, FloeStatus *st);

#endif /* FLOE_ENGINE_RENDER_H */
