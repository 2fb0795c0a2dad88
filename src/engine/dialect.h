/*
 * dialect.h: what engines of one SQL are given: which operations and options they honour, and the statement.
 *
 * Options are floe's (spark_options.h has them all, with types and ranges); a
 * dialect says which of them it can honour, and translates them.  Pure: the
 * same input gives the same text, in every process.
 */
#ifndef FLOE_ENGINE_DIALECT_H
#define FLOE_ENGINE_DIALECT_H

#include "base/buf.h"
#include "base/json.h"
#include "base/status.h"
#include "engine/ops.h"
#include "engine/spark_options.h"
#include "engine/table_schema.h"

/* A table as the engine's session knows it.  Names as they are in the catalog, unquoted. */
typedef struct FloeEngineTable
{
	const char *catalog; /* name in the engine */
	const char *const *levels;
	int nlevels;
	const char *table;
	const FloeTableSchema *schema; /* NULL, or without columns: not known */
} FloeEngineTable;

typedef struct FloeDialectOps
{
	FloeDialect dialect;

	bool (*knows)(const char *operation);

	/* The option as this engine has it; NULL: it has none of that meaning. */
	const FloeSparkOption *(*option)(const FloeSparkOption *option);

	/*
	 * Whether an object of options that floe_spark_options_check() wrote can be
	 * honoured; FLOE_ERR_CONFIG names the option that cannot, and why.
	 */
	bool (*check)(const char *operation, FloeJson options, FloeStatus *st);

	/*
	 * Appends the statement.  options: as for check(), or FLOE_JSON_NONE;
	 * now_ms: the time that ages are counted back from, in milliseconds since
	 * 1970.  On failure st is FLOE_ERR_CONFIG (an option) or
	 * FLOE_ERR_UNSUPPORTED (a name or text that the engine cannot be given
	 * safely), and what was appended is to be thrown away.
	 */
	bool (*render)(const FloeEngineTable *table, const char *operation, FloeJson options, int64_t now_ms, FloeBuf *out,
				   FloeStatus *st);
} FloeDialectOps;

extern const FloeDialectOps floe_dialect_spark;
extern const FloeDialectOps floe_dialect_trino;

/* Of a SERVER TYPE; NULL when it is not one. */
extern const FloeDialectOps *floe_dialect_of(const char *engine_type);

#endif /* FLOE_ENGINE_DIALECT_H */
