/*
 * hive.c: the Hive Metastore, versions 3.1 and 4.
 *
 * Two calls do everything on both: get_tables_by_type for names, and
 * get_table_objects_by_name_req, whose tables have the metadata location among
 * their parameters, for many at once.  (get_table and
 * get_table_objects_by_name are gone in Hive 4.)  Databases are the only level
 * of namespaces.  Tables that are not Iceberg's are listed like the others and
 * say so when they are looked at.
 *
 * Source: apache/hive, standalone-metastore, hive_metastore.thrift; what
 * Iceberg keeps there: apache/iceberg, HiveTableOperations and
 * BaseMetastoreTableOperations.
 */
#include "floe.h"

#include "catalog/database.h"
#include "catalog/hive.h"

#include "base/json.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#define MAX_DATABASES 200000
#define MAX_TABLES 2000000
#define MAX_NAME_BYTES 1024
#define MAX_ARGUMENTS ((size_t) 4 * 1024 * 1024)

/* Field ids of hive_metastore.thrift. */
enum
{
	RESULT_SUCCESS = 0,
	EXCEPTION_MESSAGE = 1
};

/* ---- reading results ---- */

/* A declared exception; all of them have their message in field 1. */
static bool
fail_exception(FloeCursor *c, const char *what, FloeCode code, FloeStatus *st)
{
	FloeThriftText message = FLOE_THRIFT_NO_TEXT;
	FloeThriftField field;
	char detail[FLOE_STATUS_DETAIL_SIZE];

	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, EXCEPTION_MESSAGE, FLOE_THRIFT_STRING))
			message = floe_thrift_read_text(c);
		else
			floe_thrift_skip(c, field.type);
	}
	floe_copy_text(detail, sizeof(detail), message.data, message.len);
	if (strstr(detail, "ermission denied") != NULL || strstr(detail, "not allowed") != NULL ||
		strstr(detail, "not authorized") != NULL)
		code = FLOE_ERR_FORBIDDEN;
	return floe_fail_detail(st, code, detail, "%s: the metastore refused", what);
}

/* Up to the value of the result, which has that type; false also when it is an exception. */
bool
floe_hive_success(FloeCursor *c, FloeThriftType type, const char *what, FloeStatus *st)
{
	FloeThriftField field;

	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, RESULT_SUCCESS, type))
			return true;
		if (field.id > 0 && field.type == FLOE_THRIFT_STRUCT)
			return fail_exception(c, what, FLOE_ERR_SERVER, st);
		floe_thrift_skip(c, field.type);
	}
	return floe_fail(st, FLOE_ERR_PROTOCOL, "%s: the metastore's answer has no result", what);
}

bool
floe_hive_malformed(const char *what, FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_PROTOCOL, "%s: the metastore's answer is malformed", what);
}

/* Names of a list<string>; NULL on failure. */
static List *
read_names(FloeCursor *c, const char *what, int64 *left_out, FloeStatus *st)
{
	List *names = NIL;
	FloeThriftList list;

	if (!floe_hive_success(c, FLOE_THRIFT_LIST, what, st))
		return NIL;
	list = floe_thrift_read_list(c);
	if (!c->bad && list.count > MAX_TABLES)
	{
		floe_fail(st, FLOE_ERR_TOO_LARGE, "%s: the metastore has more than %d", what, MAX_TABLES);
		return NIL;
	}
	for (uint32 i = 0; i < list.count && !c->bad && list.type == FLOE_THRIFT_STRING; i++)
	{
		FloeThriftText name = floe_thrift_read_text(c);

		if (name.len == 0 || name.len > MAX_NAME_BYTES || memchr(name.data, '\0', name.len) != NULL ||
			memchr(name.data, 0x1F, name.len) != NULL)
			++*left_out;
		else
			names = lappend(names, pnstrdup(name.data, name.len));
	}
	if (c->bad || (list.count > 0 && list.type != FLOE_THRIFT_STRING))
	{
		floe_hive_malformed(what, st);
		return NIL;
	}
	floe_status_ok(st);
	return names;
}

/* ---- calls ---- */

/* Names of databases are @catalog#database where the catalog is not the default (MetaStoreUtils.prependCatalogToDbName). */
static const char *
database_name(const FloeHive *hive, const char *database)
{
	const char *catalog = floe_conn_option(hive->base.conn, "catalog_name");

	return catalog == NULL ? database : psprintf("@%s#%s", catalog, database);
}

static void
call_get_tables(FloeHive *hive, const char *database, const char *type, FloeHiveReply reply, void *arg)
{
	FloeBuf arguments;

	floe_buf_init(&arguments, MAX_ARGUMENTS);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_STRING, 1);
	floe_thrift_write_text(&arguments, database_name(hive, database));
	floe_thrift_write_field(&arguments, FLOE_THRIFT_STRING, 2);
	floe_thrift_write_text(&arguments, "*");
	floe_thrift_write_field(&arguments, FLOE_THRIFT_STRING, 3);
	floe_thrift_write_text(&arguments, type);
	floe_hive_call(hive->link, "get_tables_by_type", &arguments, reply, arg);
	floe_buf_free(&arguments);
}

static void
call_without_arguments(FloeHive *hive, const char *method, FloeHiveReply reply, void *arg)
{
	FloeBuf none;

	floe_buf_init(&none, 16);
	floe_hive_call(hive->link, method, &none, reply, arg);
}

/* ---- connecting ---- */

typedef struct Asked
{
	FloeHive *hive;
	FloeCatalogDone done;
	void *arg;
} Asked;

static void
on_log_checked(void *arg)
{
	Asked *asked = arg;
	FloeStatus st;

	floe_status_ok(&st);
	asked->done(asked->arg, &st);
	pfree(asked);
}

static void
on_version(void *arg, const FloeStatus *st, FloeCursor *c)
{
	Asked *asked = arg;
	FloeStatus result = *st;

	if (st->code == FLOE_OK && floe_hive_success(c, FLOE_THRIFT_STRING, "get version", &result))
	{
		FloeThriftText version = floe_thrift_read_text(c);

		floe_copy_text(asked->hive->version, sizeof(asked->hive->version), version.data, version.len);
		if (c->bad)
			floe_hive_malformed("get version", &result);
	}
	if (result.code == FLOE_OK)
	{
		floe_hive_log_check(asked->hive, on_log_checked, asked);
		return;
	}
	asked->done(asked->arg, &result);
	pfree(asked);
}

static Asked *
new_asked(FloeHive *hive, FloeCatalogDone done, void *arg)
{
	Asked *asked = MemoryContextAlloc(hive->context, sizeof(Asked));

	*asked = (Asked){hive, done, arg};
	return asked;
}

static void
hive_connect(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	FloeHive *hive = (FloeHive *) catalog;

	call_without_arguments(hive, "getVersion", on_version, new_asked(hive, done, arg));
}

static void
on_probe(void *arg, const FloeStatus *st, FloeCursor *c)
{
	Asked *asked = arg;
	FloeStatus result = *st;
	int64 ignored = 0;

	if (st->code == FLOE_OK)
		read_names(c, "list databases", &ignored, &result);
	asked->done(asked->arg, &result);
	pfree(asked);
}

static void
hive_probe(FloeCatalog *catalog, FloeCatalogDone done, void *arg)
{
	FloeHive *hive = (FloeHive *) catalog;

	call_without_arguments(hive, "get_all_databases", on_probe, new_asked(hive, done, arg));
}

/* ---- listing ---- */

typedef struct Listing
{
	FloeHive *hive;
	MemoryContext context;
	FloeCatalogPage page;
	FloeCatalogDone done;
	void *arg;
	List *databases; /* still to be asked for, the first one now */
	bool managed;    /* its managed tables; before that its external ones, which is what Iceberg makes */
	int64 tables;
} Listing;

static void next_database(Listing *listing);

static void
end_listing(Listing *listing, const FloeStatus *st)
{
	MemoryContext context = listing->context;

	listing->done(listing->arg, st);
	MemoryContextDelete(context);
}

static void
give_tables(Listing *listing, List *names)
{
	const char *database = linitial(listing->databases);
	FloeTableId *ids = palloc(sizeof(FloeTableId) * (size_t) Max(list_length(names), 1));
	int n = 0;
	ListCell *cell;

	foreach (cell, names)
	{
		if (strlen(database) + strlen(lfirst(cell)) > MAX_NAME_BYTES)
			listing->hive->base.left_out++;
		else
			ids[n++] = (FloeTableId){&database, 1, lfirst(cell)};
	}
	listing->tables += n;
	listing->page(listing->arg, ids, n);
	pfree(ids);
	list_free_deep(names);
}

static void
on_tables(void *arg, const FloeStatus *st, FloeCursor *c)
{
	Listing *listing = arg;
	FloeStatus result = *st;
	List *names = NIL;

	if (st->code == FLOE_OK)
		names = read_names(c, "list tables", &listing->hive->base.left_out, &result);
	if (result.code == FLOE_OK)
	{
		give_tables(listing, names);
		if (listing->tables > MAX_TABLES)
			floe_fail(&result, FLOE_ERR_TOO_LARGE, "list tables: the metastore has more than %d", MAX_TABLES);
	}
	if (result.code != FLOE_OK)
	{
		end_listing(listing, &result);
		return;
	}
	if (listing->managed)
		listing->databases = list_delete_first(listing->databases);
	listing->managed = !listing->managed;
	next_database(listing);
}

static void
next_database(Listing *listing)
{
	FloeStatus st;

	if (listing->databases == NIL)
	{
		floe_status_ok(&st);
		end_listing(listing, &st);
		return;
	}
	call_get_tables(listing->hive, linitial(listing->databases), listing->managed ? "MANAGED_TABLE" : "EXTERNAL_TABLE",
					on_tables, listing);
}

static void
on_databases(void *arg, const FloeStatus *st, FloeCursor *c)
{
	Listing *listing = arg;
	MemoryContext old = MemoryContextSwitchTo(listing->context);
	FloeStatus result = *st;

	if (st->code == FLOE_OK)
		listing->databases = read_names(c, "list databases", &listing->hive->base.left_out, &result);
	MemoryContextSwitchTo(old);
	if (list_length(listing->databases) > MAX_DATABASES)
		floe_fail(&result, FLOE_ERR_TOO_LARGE, "list databases: the metastore has more than %d", MAX_DATABASES);
	if (result.code != FLOE_OK)
		end_listing(listing, &result);
	else
		next_database(listing);
}

static void
hive_list_tables(FloeCatalog *catalog, FloeCatalogPage page, FloeCatalogDone done, void *arg)
{
	FloeHive *hive = (FloeHive *) catalog;
	MemoryContext context = AllocSetContextCreate(hive->context, "floe catalog listing", ALLOCSET_DEFAULT_SIZES);
	Listing *listing = MemoryContextAllocZero(context, sizeof(Listing));
	const char *name = floe_conn_option(catalog->conn, "catalog_name");
	FloeBuf arguments;

	listing->hive = hive;
	listing->context = context;
	listing->page = page;
	listing->done = done;
	listing->arg = arg;
	catalog->left_out = 0;
	if (name == NULL)
	{
		call_without_arguments(hive, "get_all_databases", on_databases, listing);
		return;
	}
	/* get_databases("@catalog#*"): the pattern is behind the catalog's name */
	floe_buf_init(&arguments, MAX_ARGUMENTS);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_STRING, 1);
	floe_thrift_write_text(&arguments, database_name(hive, "*"));
	floe_hive_call(hive->link, "get_databases", &arguments, on_databases, listing);
	floe_buf_free(&arguments);
}

/* ---- the rest ---- */

static FloeCatalog *
hive_open(FloeHttp *http, const FloeConn *conn, FloeStatus *st)
{
	const char *uri = floe_conn_option(conn, "uri");
	FloeHive *hive;

	if (uri != NULL && floe_database_is_uri(uri))
		return floe_catalog_hive_db.open(http, conn, st);
	hive = palloc0(sizeof(FloeHive));
	hive->base.ops = &floe_catalog_hive;
	hive->base.conn = conn;
	hive->base.http = http;
	hive->context = CurrentMemoryContext;
	hive->link = floe_hive_link_open(http, conn, &hive->base.under_way, st);
	floe_hive_log_init(&hive->log, conn);
	return hive->link != NULL ? &hive->base : NULL;
}

static const char *
hive_property(const FloeCatalog *catalog, const char *key)
{
	return NULL;
}

static void
hive_describe(const FloeCatalog *catalog, FloeBuf *out)
{
	const FloeHive *hive = (const FloeHive *) catalog;

	floe_buf_text(out, "{\"version\": ");
	floe_json_quote(out, hive->version, strlen(hive->version));
	floe_buf_printf(out, ", \"transport\": \"%s\", \"notification_log\": ", floe_hive_link_transport(hive->link));
	floe_hive_log_describe(&hive->log, out);
	floe_buf_text(out, "}");
}

/* org.apache.iceberg.hive.HiveCatalog; floe may read the metastore's database, engines need the metastore (option engine.uri). */
void
floe_hive_engine_properties(const FloeCatalog *catalog, FloeCatalogProperty add, void *arg)
{
	const FloeConn *conn = catalog->conn;
	const char *warehouse = floe_conn_option(conn, "warehouse");

	if (!floe_database_is_uri(floe_conn_option(conn, "uri")))
		add(arg, "uri", floe_conn_option(conn, "uri"));
	if (warehouse != NULL)
		add(arg, "warehouse", warehouse);
	floe_catalog_store_properties(conn, add, arg);
}

const FloeCatalogOps floe_catalog_hive = {
	.type = "hive",
	.engine_type = "hive",
	.open = hive_open,
	.connect = hive_connect,
	.probe = hive_probe,
	.list_tables = hive_list_tables,
	.locate_tables = floe_hive_locate_tables,
	.property = hive_property,
	.describe = hive_describe,
	.engine_properties = floe_hive_engine_properties,
};
