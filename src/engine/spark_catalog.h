/*
 * spark_catalog.h: an Iceberg catalog defined in a session of Spark.
 *
 * A session can be given a catalog that the server knows nothing of, so an
 * engine needs no configuration file for it.  The settings hold credentials:
 * they go into OpenSession (FloeEngineTarget.session_conf) and nowhere else.
 */
#ifndef FLOE_ENGINE_SPARK_CATALOG_H
#define FLOE_ENGINE_SPARK_CATALOG_H

#include "engine/ops.h"

/* A growing list of settings in an arena.  Zero-initialised is empty. */
typedef struct FloeConfList
{
	FloeKeyValue *items;
	int count;
	int size;
} FloeConfList;

/* Appends a copy; false (FLOE_ERR_NOMEM) when the arena refuses. */
extern bool floe_conf_add(FloeArena *arena, FloeConfList *conf, const char *key, const char *value, FloeStatus *st);

/*
 * Letters, digits, "_" and "-": Spark puts the name into a regular expression
 * as it is, and cannot have dots in it.  Else FLOE_ERR_CONFIG.
 */
extern bool floe_spark_catalog_name_check(const char *name, FloeStatus *st);

/*
 * Appends the settings that define an Iceberg REST catalog of that name:
 * spark.sql.catalog.<name> and its keys type, cache-enabled, and every given
 * property under its own Iceberg name (uri, warehouse, credential, token,
 * oauth2-server-uri, scope, header.X, io-impl, s3.…, client.region, …).
 * type is Iceberg's: rest, hive, jdbc.  Properties without a value are left out.  FLOE_ERR_CONFIG without uri, for
 * a key that is none or that floe sets itself, and for a value that a server
 * would change or refuse (line break, "${").
 */
extern bool floe_spark_catalog_conf(FloeArena *arena, const char *name, const char *type,
									const FloeKeyValue *properties, int nproperties, FloeConfList *conf,
									FloeStatus *st);

#endif /* FLOE_ENGINE_SPARK_CATALOG_H */
