/*
 * nessie.h: inside of the Nessie adapter (nessie.c, nessie_locate.c).
 */
#ifndef FLOE_CATALOG_NESSIE_H
#define FLOE_CATALOG_NESSIE_H

#include "base/json.h"
#include "catalog/ops.h"
#include "catalog/session.h"

#define FLOE_NESSIE_PAGE_BYTES ((size_t) 64 * 1024 * 1024)
#define FLOE_NESSIE_SMALL_BYTES ((size_t) 1024 * 1024) /* a configuration, a reference */
#define FLOE_NESSIE_ELEMENTS 30                        /* of a key */

typedef struct FloeNessie
{
	FloeCatalog base;
	MemoryContext context;
	FloeSession session;
	char *ref; /* branch or tag; "" until connected, where the server's default is taken */
	bool is_branch;
	FloeCatalogDone connect_done;
	void *connect_arg;
	int max_api;
} FloeNessie;

extern void floe_nessie_ask(FloeNessie *nessie, const char *what, const char *path, size_t max_body,
							FloeSessionDone done, void *arg);
/* "/trees/main" and what follows */
extern char *floe_nessie_tree_path(const FloeNessie *nessie, const char *rest);
extern void floe_nessie_ask_reference(FloeNessie *nessie, FloeSessionDone done, void *arg);
/* NULL: *result says why. */
extern FloeJsonDoc *floe_nessie_parse(const FloeStatus *st, const FloeHttpResponse *response, const char *what,
									  size_t max, FloeStatus *result);
/* {"reference" or "effectiveReference": {"hash"}}; NULL on failure */
extern const char *floe_nessie_read_hash(FloeJson root, const char *member, FloeStatus *st);
/* Elements of a content key; 0: floe cannot use it as a name; -1: it is none. */
extern int floe_nessie_read_key(FloeJson key, const char **elements);

/* nessie_locate.c */
extern void floe_nessie_locate_tables(FloeCatalog *catalog, const FloeLocateItem *items, int count, FloeLocateDone done,
									  void *arg);

#endif /* FLOE_CATALOG_NESSIE_H */
