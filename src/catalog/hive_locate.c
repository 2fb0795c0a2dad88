/*
 * hive_locate.c: the metadata locations of tables in a Hive Metastore, many at once.
 *
 * The objects of tables of one database are one call, up to so many.  An
 * Iceberg table's metadata location is one of its parameters; other tables
 * are told apart by having no table_type=ICEBERG.
 */
#include "floe.h"

#include "catalog/hive.h"

#include "utils/memutils.h"

#define PER_CALL 200 /* tables whose objects are asked for at once */
#define MAX_ARGUMENTS ((size_t) 4 * 1024 * 1024)

/* Field ids of hive_metastore.thrift. */
enum
{
	TABLES_DB_NAME = 1, /* GetTablesRequest */
	TABLES_NAMES = 2,
	TABLES_CATALOG = 4,
	TABLES_RESULT = 1, /* GetTablesResult */
	TABLE_NAME = 1,    /* Table */
	TABLE_SD = 7,
	TABLE_PARAMETERS = 9,
	TABLE_TYPE = 12,
	SD_LOCATION = 2 /* StorageDescriptor */
};

typedef struct Locating
{
	FloeHive *hive;
	MemoryContext context;
	const FloeLocateItem *items;
	int count;
	bool *answered;
	int first; /* of the call under way: it has the database of this item */
	FloeLocateDone done;
	void *arg;
} Locating;

static void next_objects(Locating *l);

/* What is known of one table. */
typedef struct Object
{
	FloeThriftText name;
	FloeThriftText type;
	FloeThriftText location;
	FloeThriftText table_type; /* parameter: ICEBERG, whatever the case */
	FloeThriftText metadata_location;
} Object;

static char *
copy_text(FloeThriftText text)
{
	return pnstrdup(text.data, text.len);
}

static bool
text_is(FloeThriftText text, const char *other)
{
	return text.len == strlen(other) && pg_strncasecmp(text.data, other, text.len) == 0;
}

static void
read_parameters(FloeCursor *c, Object *object)
{
	FloeThriftMap map = floe_thrift_read_map(c);

	for (uint32 i = 0; i < map.count && !c->bad; i++)
	{
		FloeThriftText key;
		FloeThriftText value;

		if (map.key_type != FLOE_THRIFT_STRING || map.value_type != FLOE_THRIFT_STRING)
		{
			floe_thrift_skip(c, map.key_type);
			floe_thrift_skip(c, map.value_type);
			continue;
		}
		key = floe_thrift_read_text(c);
		value = floe_thrift_read_text(c);
		if (text_is(key, "table_type"))
			object->table_type = value;
		else if (text_is(key, "metadata_location"))
			object->metadata_location = value;
	}
}

static void
read_storage(FloeCursor *c, Object *object)
{
	FloeThriftField field;

	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, SD_LOCATION, FLOE_THRIFT_STRING))
			object->location = floe_thrift_read_text(c);
		else
			floe_thrift_skip(c, field.type);
	}
}

static void
read_object(FloeCursor *c, Object *object)
{
	FloeThriftField field;

	memset(object, 0, sizeof(*object));
	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, TABLE_NAME, FLOE_THRIFT_STRING))
			object->name = floe_thrift_read_text(c);
		else if (floe_thrift_field_is(&field, TABLE_TYPE, FLOE_THRIFT_STRING))
			object->type = floe_thrift_read_text(c);
		else if (floe_thrift_field_is(&field, TABLE_SD, FLOE_THRIFT_STRUCT))
			read_storage(c, object);
		else if (floe_thrift_field_is(&field, TABLE_PARAMETERS, FLOE_THRIFT_MAP))
			read_parameters(c, object);
		else
			floe_thrift_skip(c, field.type);
	}
}

static void
answer(Locating *l, int i, const FloeStatus *st, const FloeLocated *located)
{
	static const FloeLocated nothing = {0};

	l->answered[i] = true;
	l->done(l->arg, i, st, located != NULL ? located : &nothing);
}

static void
end_locating(Locating *l, const FloeStatus *st)
{
	MemoryContext context = l->context;

	for (int i = 0; i < l->count; i++)
	{
		if (!l->answered[i])
			answer(l, i, st, NULL);
	}
	MemoryContextDelete(context);
}

static bool
same_database(const Locating *l, int i)
{
	const char *wanted = l->items[l->first].id.namespace[0];

	return !l->answered[i] && strcmp(l->items[i].id.namespace[0], wanted) == 0;
}

static void
answer_with(Locating *l, int i, const Object *object)
{
	FloeLocated located = {0};
	char *type = copy_text(object->table_type);
	FloeStatus st;

	floe_status_ok(&st);
	if (object->location.len > 0)
		located.location = copy_text(object->location);
	if (!text_is(object->table_type, "ICEBERG"))
		floe_fail_detail(&st, FLOE_ERR_UNSUPPORTED,
						 psprintf("%s%s%s", copy_text(object->type), type[0] != '\0' ? ", table_type " : "", type),
						 "it is not an Iceberg table");
	else if (memchr(object->metadata_location.data, '\0', object->metadata_location.len) != NULL)
		floe_hive_malformed("get tables", &st);
	else if (object->metadata_location.len == 0)
		floe_fail(&st, FLOE_ERR_PROTOCOL, "the metastore has no metadata_location of the table");
	else
		located.metadata_location = copy_text(object->metadata_location);
	answer(l, i, &st, &located);
}

/* The tables of one call, in no order; those that do not exist are left out. */
static bool
read_objects(Locating *l, FloeCursor *c, const bool *asked, FloeStatus *st)
{
	FloeThriftField field;

	if (!floe_hive_success(c, FLOE_THRIFT_STRUCT, "get tables", st))
		return false;
	while (floe_thrift_read_field(c, &field))
	{
		FloeThriftList list;

		if (!floe_thrift_field_is(&field, TABLES_RESULT, FLOE_THRIFT_LIST))
		{
			floe_thrift_skip(c, field.type);
			continue;
		}
		list = floe_thrift_read_list(c);
		if (list.count > PER_CALL)
			return floe_hive_malformed("get tables", st); /* more than were asked for */
		for (uint32 n = 0; n < list.count && !c->bad && list.type == FLOE_THRIFT_STRUCT; n++)
		{
			Object object;

			read_object(c, &object);
			for (int i = 0; i < l->count && !c->bad; i++)
			{
				if (asked[i] && !l->answered[i] && text_is(object.name, l->items[i].id.name))
				{
					answer_with(l, i, &object);
					break;
				}
			}
		}
	}
	return !c->bad || floe_hive_malformed("get tables", st);
}

typedef struct Objects
{
	Locating *l;
	bool *asked;
} Objects;

static void
on_objects(void *arg, const FloeStatus *st, FloeCursor *c)
{
	Objects *objects = arg;
	Locating *l = objects->l;
	MemoryContext old = MemoryContextSwitchTo(l->context);
	FloeStatus result = *st;
	bool ok = st->code == FLOE_OK && read_objects(l, c, objects->asked, &result);

	MemoryContextSwitchTo(old);
	if (!ok)
	{
		/* of a metastore that is there and cannot say it of these, others may be asked for */
		end_locating(l, &result);
		return;
	}
	floe_fail(&result, FLOE_ERR_NOT_FOUND, "the metastore has no such table");
	for (int i = 0; i < l->count; i++)
	{
		if (objects->asked[i] && !l->answered[i])
			answer(l, i, &result, NULL);
	}
	next_objects(l);
}

/* {1: GetTablesRequest {1: dbName, 2: tblNames, 4: catName}} */
static void
next_objects(Locating *l)
{
	const char *catalog = floe_conn_option(l->hive->base.conn, "catalog_name");
	MemoryContext old = MemoryContextSwitchTo(l->context);
	Objects *objects;
	FloeBuf arguments;
	FloeStatus st;
	uint32 n = 0;

	while (l->first < l->count && l->answered[l->first])
		l->first++;
	if (l->first == l->count)
	{
		MemoryContextSwitchTo(old);
		floe_status_ok(&st);
		end_locating(l, &st);
		return;
	}
	objects = palloc(sizeof(Objects));
	objects->l = l;
	objects->asked = palloc0(sizeof(bool) * (size_t) l->count);
	for (int i = l->first; i < l->count && n < PER_CALL; i++)
	{
		objects->asked[i] = same_database(l, i);
		n += objects->asked[i] ? 1 : 0;
	}
	floe_buf_init(&arguments, MAX_ARGUMENTS);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_STRUCT, 1);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_STRING, TABLES_DB_NAME);
	floe_thrift_write_text(&arguments, l->items[l->first].id.namespace[0]);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_LIST, TABLES_NAMES);
	floe_thrift_write_list(&arguments, FLOE_THRIFT_STRING, n);
	for (int i = 0; i < l->count; i++)
	{
		if (objects->asked[i])
			floe_thrift_write_text(&arguments, l->items[i].id.name);
	}
	if (catalog != NULL)
	{
		floe_thrift_write_field(&arguments, FLOE_THRIFT_STRING, TABLES_CATALOG);
		floe_thrift_write_text(&arguments, catalog);
	}
	floe_thrift_write_stop(&arguments);
	floe_hive_call(l->hive->link, "get_table_objects_by_name_req", &arguments, on_objects, objects);
	floe_buf_free(&arguments);
	MemoryContextSwitchTo(old);
}

void
floe_hive_locate_tables(FloeCatalog *catalog, const FloeLocateItem *items, int count, FloeLocateDone done, void *arg)
{
	FloeHive *hive = (FloeHive *) catalog;
	MemoryContext context = AllocSetContextCreate(hive->context, "floe locating", ALLOCSET_SMALL_SIZES);
	Locating *l = MemoryContextAllocZero(context, sizeof(Locating));

	l->hive = hive;
	l->context = context;
	l->items = items;
	l->count = count;
	l->done = done;
	l->arg = arg;
	l->answered = MemoryContextAllocZero(context, sizeof(bool) * (size_t) count);
	next_objects(l);
}
