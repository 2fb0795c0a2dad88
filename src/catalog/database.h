/*
 * database.h: a catalog that is tables of a PostgreSQL, this one or another.
 *
 * The JDBC catalog's iceberg_tables, and the schema of a Hive Metastore.  What
 * they share: whom to ask and as whom, and how names get into a query.  All
 * queries read only.
 */
#ifndef FLOE_CATALOG_DATABASE_H
#define FLOE_CATALOG_DATABASE_H

#include "catalog/ops.h"

#include "lib/stringinfo.h"

typedef struct FloeDatabase
{
	const FloeConn *conn;
	FloePq *pq; /* NULL: this database */
} FloeDatabase;

/* Is this URI, postgresql:/// or postgresql://host/…, that of a database at all? */
extern bool floe_database_is_uri(const char *uri);
extern bool floe_database_is_here(const FloeConn *conn);

/* No connection yet.  under_way: FloeCatalog.under_way. */
extern bool floe_database_open(FloeDatabase *database, FloeHttp *http, const FloeConn *conn, int *under_way,
							   FloeStatus *st);

/* done runs once; for this database before this returns. */
extern void floe_database_query(FloeDatabase *database, const char *what, const char *sql, const char *const *params,
								int nparams, FloePqDone done, void *arg);

/*
 * "" for NULL.  What a database says need not be what was asked for: its
 * tables may be views, and it may be anything that speaks the protocol.
 */
extern const char *floe_database_text(const FloePqRows *rows, int row, int column);

/* An identifier, quoted. */
extern void floe_database_quote(StringInfo out, const char *identifier);
/* Elements of a text[] one by one, and then its text form; out begins empty. */
extern void floe_database_add(StringInfo out, const char *text);
extern const char *floe_database_array(StringInfo out);

/* Members of a JSON object, with leading commas. */
extern void floe_database_describe(const FloeDatabase *database, FloeBuf *out);

#endif /* FLOE_CATALOG_DATABASE_H */
