/*
 * hive_db.c: a Hive Metastore straight from its database, where that is a PostgreSQL.
 *
 * The same tables with the same answers as by Thrift (hive.c), for those who
 * cannot reach the metastore or are not let in (Kerberos): one query has the
 * names, another the metadata locations of as many tables as are asked for.
 * A role that may read "DBS", "TBLS", "SDS", "TABLE_PARAMS" and "VERSION" is
 * enough, and nothing is ever written.
 *
 * Source: apache/hive, standalone-metastore,
 * hive-schema-3.1.0.postgres.sql and hive-schema-4.0.0.postgres.sql.
 */
#include "floe.h"

#include "catalog/database.h"
#include "catalog/hive.h"

#include "base/json.h"

#include "utils/memutils.h"

#define PAGE 10000
#define MAX_TABLES 2000000
#define MAX_NAME_BYTES 1024
#define DEFAULT_CATALOG "hive"

typedef struct HiveDb
{
	FloeCatalog base;
	MemoryContext context;
	FloeDatabase database;
	const char *schema; /* quoted */
	const char *name;   /* of the catalog in the metastore */
	char version[32];
} HiveDb;

/* One question of connecting or probing. */
typedef struct Asked
{
	HiveDb *db;
	FloeCatalogDone done;
	void *arg;
} Asked;

static Asked *
new_asked(HiveDb *db, FloeCatalogDone done, void *arg)
{
	Asked *asked = MemoryContextAlloc(db->context, sizeof(Asked));

	*asked = (Asked){db, done, arg};
	return asked;
}

static void
on_version(void *arg, const FloeStatus *st, const FloePqRows *rows)
{
	Asked *asked = arg;
	FloeStatus result = *st;

	if (st->code == FLOE_OK && rows->count != 1)
		floe_fail(&result, FLOE_ERR_PROTOCOL, "the metastore's table \"VERSION\" has no row, or more than one");
	else if (st->code == FLOE_OK)
		strlcpy(asked->db->version, floe_database_text(rows, 0, 0), sizeof(asked->db->version));
	else if (st->code == FLOE_ERR_NOT_FOUND && strstr(st->detail, "VERSION") != NULL)
		floe_fail_detail(&result, FLOE_ERR_NOT_FOUND, st->detail, "the database has no table %s.\"VERSION\"",
						 asked->db->schema);
	asked->done(asked->arg, &result);
	pfree(asked);
}

static void
db_connect(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	HiveDb *db = (HiveDb *) catalog;
	char *sql = psprintf("SELECT v.\"SCHEMA_VERSION\" FROM %s.\"VERSION\" AS v LIMIT 2", db->schema);

	floe_database_query(&db->database, "get schema version", sql, NULL, 0, on_version, new_asked(db, done, arg));
	pfree(sql);
}

static void
on_probe(void *arg, const FloeStatus *st, const FloePqRows *rows)
{
	Asked *asked = arg;

	asked->done(asked->arg, st);
	pfree(asked);
}

/* Everything that the other questions read. */
static void
db_probe(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	HiveDb *db = (HiveDb *) catalog;
	char *sql = psprintf("SELECT 1 FROM %s.\"DBS\" AS d JOIN %s.\"TBLS\" AS t ON t.\"DB_ID\" = d.\"DB_ID\" "
						 "LEFT JOIN %s.\"SDS\" AS s ON s.\"SD_ID\" = t.\"SD_ID\" "
						 "LEFT JOIN %s.\"TABLE_PARAMS\" AS p ON p.\"TBL_ID\" = t.\"TBL_ID\" "
						 "WHERE d.\"CTLG_NAME\" = $1 LIMIT 1",
						 db->schema, db->schema, db->schema, db->schema);

	floe_database_query(&db->database, "read a table", sql, &db->name, 1, on_probe, new_asked(db, done, arg));
	pfree(sql);
}

/* ---- listing ---- */

typedef struct Listing
{
	HiveDb *db;
	FloeCatalogPage page;
	FloeCatalogDone done;
	void *arg;
	int64 rows;
	char *last_database; /* of the page before */
	char *last_table;
} Listing;

static void next_page(Listing *listing);

static void
read_page(Listing *listing, const FloePqRows *rows)
{
	FloeTableId *ids = palloc(sizeof(FloeTableId) * (size_t) Max(rows->count, 1));
	const char **databases = palloc(sizeof(char *) * (size_t) Max(rows->count, 1));
	int n = 0;

	for (int i = 0; i < rows->count; i++)
	{
		const char *database = floe_database_text(rows, i, 0);
		const char *table = floe_database_text(rows, i, 1);

		if (database[0] == '\0' || table[0] == '\0' || strlen(database) + strlen(table) > MAX_NAME_BYTES ||
			strchr(database, 0x1F) != NULL || strchr(table, 0x1F) != NULL)
		{
			listing->db->base.left_out++;
			continue;
		}
		databases[n] = database;
		ids[n] = (FloeTableId){&databases[n], 1, table};
		n++;
	}
	listing->rows += rows->count;
	listing->page(listing->arg, ids, n);
	pfree(ids);
	pfree(databases);
}

static void
on_page(void *arg, const FloeStatus *st, const FloePqRows *rows)
{
	Listing *listing = arg;
	MemoryContext context = listing->db->context;
	FloeStatus result = *st;

	if (st->code == FLOE_OK && rows->count > PAGE)
		floe_fail(&result, FLOE_ERR_PROTOCOL, "list tables: the database answered with more than was asked for");
	else if (st->code == FLOE_OK)
	{
		read_page(listing, rows);
		if (listing->rows > MAX_TABLES)
			floe_fail(&result, FLOE_ERR_TOO_LARGE, "list tables: the metastore has more than %d", MAX_TABLES);
	}
	if (result.code == FLOE_OK && rows->count == PAGE)
	{
		listing->last_database = MemoryContextStrdup(context, floe_database_text(rows, PAGE - 1, 0));
		listing->last_table = MemoryContextStrdup(context, floe_database_text(rows, PAGE - 1, 1));
		next_page(listing);
		return;
	}
	listing->done(listing->arg, &result);
	pfree(listing);
}

/* Views have no files. */
static void
next_page(Listing *listing)
{
	HiveDb *db = listing->db;
	const char *params[] = {db->name, listing->last_database, listing->last_table};
	char *sql = psprintf("SELECT d.\"NAME\", t.\"TBL_NAME\" FROM %s.\"DBS\" AS d JOIN %s.\"TBLS\" AS t "
						 "ON t.\"DB_ID\" = d.\"DB_ID\" WHERE d.\"CTLG_NAME\" = $1 "
						 "AND t.\"TBL_TYPE\" IN ('EXTERNAL_TABLE', 'MANAGED_TABLE') "
						 "AND (d.\"NAME\", t.\"TBL_NAME\") > ($2, $3) ORDER BY 1, 2 LIMIT %d",
						 db->schema, db->schema, PAGE);

	floe_database_query(&db->database, "list tables", sql, params, 3, on_page, listing);
	pfree(sql);
}

static void
db_list_tables(FloeCatalog *catalog, FloeCatalogPage page, FloeCatalogDone done, void *arg)
{
	HiveDb *db = (HiveDb *) catalog;
	Listing *listing = MemoryContextAllocZero(db->context, sizeof(Listing));

	listing->db = db;
	listing->page = page;
	listing->done = done;
	listing->arg = arg;
	listing->last_database = listing->last_table = MemoryContextStrdup(db->context, "");
	catalog->left_out = 0;
	next_page(listing);
}

/* ---- where tables are ---- */

typedef struct Locating
{
	int count;
	FloeLocateDone done;
	void *arg;
} Locating;

/* A row for each item, in their order: name, kind, place, and the two parameters that make an Iceberg table. */
static void
on_locations(void *arg, const FloeStatus *st, const FloePqRows *rows)
{
	Locating *l = arg;
	FloeStatus whole = *st;

	if (st->code == FLOE_OK && rows->count != l->count)
		floe_fail(&whole, FLOE_ERR_PROTOCOL, "locate tables: the database answered for %d of %d", rows->count,
				  l->count);
	for (int i = 0; i < l->count; i++)
	{
		FloeLocated located = {0};
		FloeStatus one = whole;

		if (whole.code == FLOE_OK && floe_pq_value(rows, i, 0) == NULL)
			floe_fail(&one, FLOE_ERR_NOT_FOUND, "the metastore has no such table");
		else if (whole.code == FLOE_OK)
		{
			located.location = floe_pq_value(rows, i, 2);
			located.metadata_location = floe_database_text(rows, i, 4);
			floe_hive_check_table(floe_database_text(rows, i, 1), floe_database_text(rows, i, 3),
								  located.metadata_location, &one);
		}
		l->done(l->arg, i, &one, &located);
	}
	pfree(l);
}

static void
db_locate_tables(FloeCatalog *catalog, const FloeLocateItem *items, int count, FloeLocateDone done, void *arg)
{
	HiveDb *db = (HiveDb *) catalog;
	Locating *l = MemoryContextAlloc(db->context, sizeof(Locating));
	StringInfoData databases;
	StringInfoData tables;
	const char *params[3];
	char *sql;

	*l = (Locating){count, done, arg};
	initStringInfo(&databases);
	initStringInfo(&tables);
	for (int i = 0; i < count; i++)
	{
		floe_database_add(&databases, items[i].id.namespace[0]);
		floe_database_add(&tables, items[i].id.name);
	}
	params[0] = db->name;
	params[1] = floe_database_array(&databases);
	params[2] = floe_database_array(&tables);
	sql =
		psprintf("SELECT t.\"TBL_NAME\", t.\"TBL_TYPE\", s.\"LOCATION\", "
				 "(SELECT p.\"PARAM_VALUE\" FROM %s.\"TABLE_PARAMS\" AS p WHERE p.\"TBL_ID\" = t.\"TBL_ID\" "
				 "AND p.\"PARAM_KEY\" = 'table_type'), "
				 "(SELECT p.\"PARAM_VALUE\" FROM %s.\"TABLE_PARAMS\" AS p WHERE p.\"TBL_ID\" = t.\"TBL_ID\" "
				 "AND p.\"PARAM_KEY\" = 'metadata_location') "
				 "FROM ROWS FROM (pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[])) "
				 "WITH ORDINALITY AS l (database_name, table_name, place) "
				 "LEFT JOIN (%s.\"DBS\" AS d JOIN %s.\"TBLS\" AS t ON t.\"DB_ID\" = d.\"DB_ID\") "
				 "ON d.\"CTLG_NAME\" = $1 AND d.\"NAME\" = l.database_name AND t.\"TBL_NAME\" = l.table_name "
				 "LEFT JOIN %s.\"SDS\" AS s ON s.\"SD_ID\" = t.\"SD_ID\" ORDER BY l.place",
				 db->schema, db->schema, db->schema, db->schema, db->schema);
	floe_database_query(&db->database, "locate tables", sql, params, 3, on_locations, l);
	pfree(sql);
	pfree(databases.data);
	pfree(tables.data);
}

/* ---- the rest ---- */

static FloeCatalog *
db_open(FloeHttp *http, const FloeConn *conn, FloeStatus *st)
{
	HiveDb *db = palloc0(sizeof(HiveDb));
	const char *schema = floe_conn_option(conn, "schema");
	const char *name = floe_conn_option(conn, "catalog_name");
	StringInfoData quoted;

	db->base.ops = &floe_catalog_hive_db;
	db->base.conn = conn;
	db->base.http = http;
	db->context = CurrentMemoryContext;
	db->name = name != NULL ? name : DEFAULT_CATALOG;
	initStringInfo(&quoted);
	floe_database_quote(&quoted, schema != NULL ? schema : "public");
	db->schema = quoted.data;
	return floe_database_open(&db->database, http, conn, &db->base.under_way, st) ? &db->base : NULL;
}

static const char *
db_property(const FloeCatalog *catalog, const char *key)
{
	return NULL;
}

static void
db_describe(const FloeCatalog *catalog, FloeBuf *out)
{
	const HiveDb *db = (const HiveDb *) catalog;

	floe_buf_text(out, "{\"schema_version\": ");
	floe_json_quote(out, db->version, strlen(db->version));
	floe_database_describe(&db->database, out);
	floe_buf_text(out, "}");
}

const FloeCatalogOps floe_catalog_hive_db = {
	.type = "hive",
	.engine_type = "hive",
	.open = db_open,
	.connect = db_connect,
	.probe = db_probe,
	.list_tables = db_list_tables,
	.locate_tables = db_locate_tables,
	.property = db_property,
	.describe = db_describe,
	.engine_properties = floe_hive_engine_properties,
};
