/*
 * registry.c: the engines floe knows, by SERVER TYPE, and the names of their error classes.
 *
 * A new engine is a new file and a line here.
 */
#include "floe.h"

#include "engine/ops.h"

#include <string.h>

static const FloeEngineOps *const engines[] = {
	&floe_engine_spark_thrift, &floe_engine_spark_connect, &floe_engine_livy, &floe_engine_kyuubi, &floe_engine_trino,
};

/* As in floe_internal.error_class. */
static const char *const class_names[] = {
	[FLOE_CLASS_NONE] = "none",           [FLOE_CLASS_CONFIG] = "config",     [FLOE_CLASS_CONFLICT] = "conflict",
	[FLOE_CLASS_TRANSIENT] = "transient", [FLOE_CLASS_RESOURCE] = "resource", [FLOE_CLASS_PERMANENT] = "permanent",
};

const FloeEngineOps *
floe_engine_lookup(const char *type)
{
	for (size_t i = 0; i < lengthof(engines); i++)
	{
		if (strcmp(engines[i]->type, type) == 0)
			return engines[i];
	}
	return NULL;
}

const char *
floe_engine_type(int i)
{
	return i >= 0 && (size_t) i < lengthof(engines) ? engines[i]->type : NULL;
}

const char *
floe_error_class_name(FloeErrorClass error_class)
{
	if ((int) error_class < 0 || (size_t) error_class >= lengthof(class_names))
		return class_names[FLOE_CLASS_NONE];
	return class_names[error_class];
}
