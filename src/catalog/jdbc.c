/*
 * jdbc.c: Iceberg's JDBC catalog, kept in a PostgreSQL: the table iceberg_tables of org.apache.iceberg.jdbc.JdbcCatalog and of pyiceberg's SqlCatalog.
 *
 * One query has the metadata locations of any number of tables, so a look at
 * a thousand unchanged tables is one round trip.  The table may be in this
 * very database (uri 'postgresql:///'), or in another one, by libpq.
 *
 * Namespaces are stored as one text, levels joined by dots; a level that holds
 * a dot cannot be told from two.  Rows of views (schema V1: iceberg_type) are
 * no tables; in schema V0 the column is missing.
 *
 * Source: apache/iceberg, core, org/apache/iceberg/jdbc/JdbcUtil.java.
 */
#include "floe.h"

#include "catalog/database.h"
#include "catalog/ops.h"

#include "base/json.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#define PAGE 10000
#define MAX_TABLES 2000000
#define MAX_LEVELS 30
#define MAX_NAME_BYTES 1024 /* all levels together: names are keys of indexes */
#define MAX_CATALOGS 5
#define IS_TABLE "COALESCE(pg_catalog.to_jsonb(t) ->> 'iceberg_type', 'TABLE') = 'TABLE'"

typedef struct Jdbc
{
	FloeCatalog base;
	MemoryContext context;
	FloeDatabase database;
	const char *relation; /* quoted */
	const char *name;     /* column catalog_name; NULL until it is known */
	FloeCatalogDone connect_done;
	void *connect_arg;
} Jdbc;

/* ---- connecting ---- */

static void
connected(Jdbc *jdbc, const FloeStatus *st)
{
	FloeCatalogDone done = jdbc->connect_done;

	jdbc->connect_done = NULL;
	done(jdbc->connect_arg, st);
}

/* Which catalogs the table holds: one, or the one that was asked for. */
static void
on_names(void *arg, const FloeStatus *st, const FloePqRows *rows)
{
	Jdbc *jdbc = arg;
	const char *wanted = floe_conn_option(jdbc->base.conn, "catalog_name");
	FloeStatus result = *st;
	StringInfoData names;

	if (st->code == FLOE_OK && wanted != NULL)
		jdbc->name = wanted;
	else if (st->code == FLOE_OK && rows->count == 1)
		jdbc->name = MemoryContextStrdup(jdbc->context, floe_database_text(rows, 0, 0));
	else if (st->code == FLOE_OK && rows->count == 0)
		jdbc->name = "";
	else if (st->code == FLOE_OK)
	{
		initStringInfo(&names);
		appendStringInfoString(&names, "Set the server's option \"catalog_name\" to one of them: ");
		for (int i = 0; i < Min(rows->count, MAX_CATALOGS); i++)
			appendStringInfo(&names, "%s%.100s", i > 0 ? ", " : "", floe_database_text(rows, i, 0));
		floe_fail_detail(&result, FLOE_ERR_CONFIG, names.data, "the database holds more than one catalog");
	}
	else if (st->code == FLOE_ERR_NOT_FOUND && strstr(st->detail, "iceberg_tables") != NULL)
		floe_fail_detail(&result, FLOE_ERR_NOT_FOUND, st->detail, "the database has no table %s", jdbc->relation);
	connected(jdbc, &result);
}

static void
jdbc_connect(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	Jdbc *jdbc = (Jdbc *) catalog;
	char *sql =
		psprintf("SELECT DISTINCT t.catalog_name FROM %s AS t ORDER BY 1 LIMIT %d", jdbc->relation, MAX_CATALOGS);

	jdbc->connect_done = done;
	jdbc->connect_arg = arg;
	floe_database_query(&jdbc->database, "get catalog names", sql, NULL, 0, on_names, jdbc);
	pfree(sql);
}

typedef struct Probe
{
	FloeCatalogDone done;
	void *arg;
} Probe;

static void
on_probe(void *arg, const FloeStatus *st, const FloePqRows *rows)
{
	Probe *probe = arg;

	probe->done(probe->arg, st);
	pfree(probe);
}

static void
jdbc_probe(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	Jdbc *jdbc = (Jdbc *) catalog;
	Probe *probe = MemoryContextAlloc(jdbc->context, sizeof(Probe));
	char *sql = psprintf("SELECT t.table_name, t.metadata_location FROM %s AS t WHERE t.catalog_name = $1 LIMIT 1",
						 jdbc->relation);

	probe->done = done;
	probe->arg = arg;
	floe_database_query(&jdbc->database, "read a table", sql, &jdbc->name, 1, on_probe, probe);
	pfree(sql);
}

/* ---- listing ---- */

typedef struct Listing
{
	Jdbc *jdbc;
	FloeCatalogPage page;
	FloeCatalogDone done;
	void *arg;
	int64 rows;
	char *last_namespace; /* of the page before */
	char *last_name;
} Listing;

static void next_page(Listing *listing);

/* Levels of a namespace, which is cut up; 0: floe cannot use it. */
static int
split_namespace(char *text, const char *name, const char **levels)
{
	size_t bytes = strlen(text) + strlen(name);
	int n = 0;

	for (char *dot; text != NULL; text = dot)
	{
		dot = strchr(text, '.');
		if (dot != NULL)
			*dot++ = '\0';
		if (n == MAX_LEVELS || text[0] == '\0' || strchr(text, 0x1F) != NULL)
			return 0;
		levels[n++] = text;
	}
	return bytes <= MAX_NAME_BYTES && name[0] != '\0' ? n : 0;
}

static void
read_page(Listing *listing, const FloePqRows *rows)
{
	FloeTableId *ids = palloc(sizeof(FloeTableId) * (size_t) Max(rows->count, 1));
	const char **levels = palloc(sizeof(char *) * MAX_LEVELS * (size_t) Max(rows->count, 1));
	int n = 0;

	for (int i = 0; i < rows->count; i++)
	{
		FloeTableId *id = &ids[n];

		id->namespace = &levels[(size_t) n * MAX_LEVELS];
		id->name = floe_database_text(rows, i, 1);
		id->nlevels =
			split_namespace(pstrdup(floe_database_text(rows, i, 0)), id->name, &levels[(size_t) n * MAX_LEVELS]);
		if (id->nlevels == 0)
			listing->jdbc->base.left_out++;
		else
			n++;
	}
	listing->rows += rows->count;
	listing->page(listing->arg, ids, n);
	pfree(ids);
	pfree(levels);
}

static void
on_page(void *arg, const FloeStatus *st, const FloePqRows *rows)
{
	Listing *listing = arg;
	MemoryContext context = listing->jdbc->context;
	FloeStatus result = *st;

	if (st->code == FLOE_OK && rows->count > PAGE)
		floe_fail(&result, FLOE_ERR_PROTOCOL, "list tables: the database answered with more than was asked for");
	else if (st->code == FLOE_OK)
	{
		read_page(listing, rows);
		if (listing->rows > MAX_TABLES)
			floe_fail(&result, FLOE_ERR_TOO_LARGE, "list tables: the catalog has more than %d", MAX_TABLES);
	}
	if (result.code == FLOE_OK && rows->count == PAGE)
	{
		listing->last_namespace = MemoryContextStrdup(context, floe_database_text(rows, PAGE - 1, 0));
		listing->last_name = MemoryContextStrdup(context, floe_database_text(rows, PAGE - 1, 1));
		next_page(listing);
		return;
	}
	listing->done(listing->arg, &result);
	pfree(listing);
}

static void
next_page(Listing *listing)
{
	Jdbc *jdbc = listing->jdbc;
	const char *params[] = {jdbc->name, listing->last_namespace, listing->last_name};
	char *sql = psprintf("SELECT t.table_namespace, t.table_name FROM %s AS t "
						 "WHERE t.catalog_name = $1 AND " IS_TABLE " AND (t.table_namespace, t.table_name) > ($2, $3) "
						 "ORDER BY 1, 2 LIMIT %d",
						 jdbc->relation, PAGE);

	floe_database_query(&jdbc->database, "list tables", sql, params, 3, on_page, listing);
	pfree(sql);
}

static void
jdbc_list_tables(FloeCatalog *catalog, FloeCatalogPage page, FloeCatalogDone done, void *arg)
{
	Jdbc *jdbc = (Jdbc *) catalog;
	Listing *listing = MemoryContextAllocZero(jdbc->context, sizeof(Listing));

	listing->jdbc = jdbc;
	listing->page = page;
	listing->done = done;
	listing->arg = arg;
	listing->last_namespace = listing->last_name = MemoryContextStrdup(jdbc->context, "");
	catalog->left_out = 0;
	next_page(listing);
}

/* ---- where tables are ---- */

typedef struct Locating
{
	Jdbc *jdbc;
	int count;
	FloeLocateDone done;
	void *arg;
} Locating;

/* A row for each item, in their order. */
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

		if (whole.code == FLOE_OK)
		{
			located.metadata_location = floe_pq_value(rows, i, 0);
			if (floe_pq_value(rows, i, 1) == NULL)
				floe_fail(&one, FLOE_ERR_NOT_FOUND, "the catalog has no such table");
			else if (located.metadata_location == NULL)
				floe_fail(&one, FLOE_ERR_PROTOCOL, "the catalog's row has no metadata_location");
		}
		l->done(l->arg, i, &one, &located);
	}
	pfree(l);
}

static void
jdbc_locate_tables(FloeCatalog *catalog, const FloeLocateItem *items, int count, FloeLocateDone done, void *arg)
{
	Jdbc *jdbc = (Jdbc *) catalog;
	Locating *l = MemoryContextAllocZero(jdbc->context, sizeof(Locating));
	StringInfoData namespaces;
	StringInfoData names;
	StringInfoData one;
	const char *params[3];
	char *sql;

	l->jdbc = jdbc;
	l->count = count;
	l->done = done;
	l->arg = arg;
	initStringInfo(&namespaces);
	initStringInfo(&names);
	initStringInfo(&one);
	for (int i = 0; i < count; i++)
	{
		resetStringInfo(&one);
		for (int j = 0; j < items[i].id.nlevels; j++)
			appendStringInfo(&one, "%s%s", j > 0 ? "." : "", items[i].id.namespace[j]);
		floe_database_add(&namespaces, one.data);
		floe_database_add(&names, items[i].id.name);
	}
	params[0] = jdbc->name;
	params[1] = floe_database_array(&namespaces);
	params[2] = floe_database_array(&names);
	sql =
		psprintf("SELECT t.metadata_location, t.table_name "
				 "FROM ROWS FROM (pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[])) "
				 "WITH ORDINALITY AS l (table_namespace, table_name, place) "
				 "LEFT JOIN %s AS t ON t.catalog_name = $1 AND t.table_namespace = l.table_namespace "
				 "AND t.table_name = l.table_name AND " IS_TABLE " ORDER BY l.place",
				 jdbc->relation);
	floe_database_query(&jdbc->database, "locate tables", sql, params, 3, on_locations, l);
	pfree(sql);
	pfree(namespaces.data);
	pfree(names.data);
	pfree(one.data);
}

/* ---- the rest ---- */

static FloeCatalog *
jdbc_open(FloeHttp *http, const FloeConn *conn, FloeStatus *st)
{
	Jdbc *jdbc = palloc0(sizeof(Jdbc));
	const char *schema = floe_conn_option(conn, "schema");
	StringInfoData relation;

	jdbc->base.ops = &floe_catalog_jdbc;
	jdbc->base.conn = conn;
	jdbc->base.http = http;
	jdbc->context = CurrentMemoryContext;
	initStringInfo(&relation);
	floe_database_quote(&relation, schema != NULL ? schema : "public");
	appendStringInfoString(&relation, ".iceberg_tables");
	jdbc->relation = relation.data;
	return floe_database_open(&jdbc->database, http, conn, &jdbc->base.under_way, st) ? &jdbc->base : NULL;
}

static const char *
jdbc_property(const FloeCatalog *catalog, const char *key)
{
	return NULL;
}

static void
jdbc_describe(const FloeCatalog *catalog, FloeBuf *out)
{
	const Jdbc *jdbc = (const Jdbc *) catalog;

	floe_buf_text(out, "{\"catalog_name\": ");
	floe_json_quote(out, jdbc->name, strlen(jdbc->name));
	floe_database_describe(&jdbc->database, out);
	floe_buf_text(out, "}");
}

/* What Spark calls the catalog is what stands in catalog_name. */
static const char *
jdbc_engine_name(const FloeCatalog *catalog)
{
	return ((const Jdbc *) catalog)->name;
}

/* org.apache.iceberg.jdbc.JdbcCatalog; jdbc:postgresql is the URI as JDBC spells it. */
static void
jdbc_engine_properties(const FloeCatalog *catalog, FloeCatalogProperty add, void *arg)
{
	const FloeConn *conn = catalog->conn;
	const char *uri = floe_conn_option(conn, "uri");
	const char *schema = floe_conn_option(conn, "schema");
	const char *warehouse = floe_conn_option(conn, "warehouse");
	const char *rest = strstr(uri, "://");

	if (!floe_database_is_here(conn))
		add(arg, "uri",
			psprintf("jdbc:postgresql%s%s%s", rest,
					 schema == NULL              ? ""
					 : strchr(rest, '?') != NULL ? "&"
												 : "?",
					 schema == NULL ? "" : psprintf("currentSchema=%s", schema)));
	if (floe_conn_option(conn, "username") != NULL)
		add(arg, "jdbc.user", floe_conn_option(conn, "username"));
	if (floe_conn_option(conn, "password") != NULL)
		add(arg, "jdbc.password", floe_conn_option(conn, "password"));
	add(arg, "jdbc.init-catalog-tables", "false");
	/* it must have one, and uses it for new tables only */
	add(arg, "warehouse", warehouse != NULL ? warehouse : "file:///nonexistent");
	floe_catalog_store_properties(conn, add, arg);
}

const FloeCatalogOps floe_catalog_jdbc = {
	.type = "jdbc",
	.engine_type = "jdbc",
	.open = jdbc_open,
	.connect = jdbc_connect,
	.probe = jdbc_probe,
	.list_tables = jdbc_list_tables,
	.locate_tables = jdbc_locate_tables,
	.property = jdbc_property,
	.describe = jdbc_describe,
	.engine_name = jdbc_engine_name,
	.engine_properties = jdbc_engine_properties,
};
