/*
 * trino_options.h: which of floe's operations and options Trino has, and what it calls them.
 *
 * Source: Trino 476, read from its Iceberg connector and run one by one.
 */
#ifndef FLOE_ENGINE_TRINO_OPTIONS_H
#define FLOE_ENGINE_TRINO_OPTIONS_H

#include "engine/spark_options.h"

/* EXECUTE's procedure; NULL for an operation that Trino does not have. */
extern const char *floe_trino_procedure(const char *operation);

/* The option as Trino has it; NULL: it has none of that meaning. */
extern const FloeSparkOption *floe_trino_option(const FloeSparkOption *option);

/* FLOE_ERR_CONFIG names the first option that Trino does not have. */
extern bool floe_trino_options_check(const FloeSparkOptions *options, FloeStatus *st);

#endif /* FLOE_ENGINE_TRINO_OPTIONS_H */
