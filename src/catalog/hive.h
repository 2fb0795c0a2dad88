/*
 * hive.h: inside of the Hive Metastore adapter (hive.c, hive_locate.c, hive_log.c, hive_db.c).
 */
#ifndef FLOE_CATALOG_HIVE_H
#define FLOE_CATALOG_HIVE_H

#include "base/thrift.h"
#include "catalog/hive_link.h"
#include "catalog/hive_log.h"
#include "catalog/ops.h"

struct FloeHive
{
	FloeCatalog base;
	MemoryContext context;
	FloeHiveLink *link;
	char version[32];
	FloeHiveLog log;
};

/* Up to the value of a call's result, which has that type; false also when it is a declared exception. */
extern bool floe_hive_success(FloeCursor *c, FloeThriftType type, const char *what, FloeStatus *st);
extern bool floe_hive_malformed(const char *what, FloeStatus *st);

/* By uri postgresql://…: the metastore's own tables (hive_db.c). */
extern const FloeCatalogOps floe_catalog_hive_db;
extern void floe_hive_engine_properties(const FloeCatalog *catalog, FloeCatalogProperty add, void *arg);

/* Is it an Iceberg table?  kind, table_type, metadata_location: as the metastore has them, "" for what it has not. */
extern bool floe_hive_check_table(const char *kind, const char *table_type, const char *metadata_location,
								  FloeStatus *st);

/* hive_locate.c */
extern void floe_hive_locate_tables(FloeCatalog *catalog, const FloeLocateItem *items, int count, FloeLocateDone done,
									void *arg);

#endif /* FLOE_CATALOG_HIVE_H */
