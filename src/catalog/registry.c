/*
 * registry.c: the catalogs floe knows, by SERVER TYPE. A new protocol is a new file and a line here.
 */
#include "floe.h"

#include "catalog/ops.h"

static const FloeCatalogOps *const catalogs[] = {
	&floe_catalog_rest,
	&floe_catalog_nessie,
	&floe_catalog_jdbc,
	&floe_catalog_hive,
};

const FloeCatalogOps *
floe_catalog_lookup(const char *type)
{
	for (size_t i = 0; i < lengthof(catalogs); i++)
	{
		if (strcmp(catalogs[i]->type, type) == 0)
			return catalogs[i];
	}
	return NULL;
}

const char *
floe_catalog_type(int i)
{
	return i >= 0 && (size_t) i < lengthof(catalogs) ? catalogs[i]->type : NULL;
}
