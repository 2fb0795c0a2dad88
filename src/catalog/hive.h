/*
 * hive.h: inside of the Hive Metastore adapter (hive.c, hive_locate.c, hive_log.c).
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

/* hive_locate.c */
extern void floe_hive_locate_tables(FloeCatalog *catalog, const FloeLocateItem *items, int count, FloeLocateDone done,
									void *arg);

#endif /* FLOE_CATALOG_HIVE_H */
