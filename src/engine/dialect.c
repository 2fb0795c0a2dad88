/*
 * dialect.c: the dialects by SERVER TYPE, and Spark's, which honours every option that floe has.
 */
#include "floe.h"

#include "engine/dialect.h"

#include "engine/render.h"

static const FloeDialectOps *const dialects[] = {
	&floe_dialect_spark,
	&floe_dialect_trino,
};

const FloeDialectOps *
floe_dialect_of(const char *engine_type)
{
	const FloeEngineOps *engine = floe_engine_lookup(engine_type);

	for (size_t i = 0; engine != NULL && i < lengthof(dialects); i++)
	{
		if (dialects[i]->dialect == engine->dialect)
			return dialects[i];
	}
	return NULL;
}

static const FloeSparkOption *
spark_option(const FloeSparkOption *option)
{
	return option;
}

static bool
spark_check(const char *operation, FloeJson options, FloeStatus *st)
{
	floe_status_ok(st);
	return true;
}

const FloeDialectOps floe_dialect_spark = {
	.dialect = FLOE_DIALECT_SPARK,
	.knows = floe_spark_operation_known,
	.option = spark_option,
	.check = spark_check,
	.render = floe_spark_render,
};
