/*
 * hive_locate.c: the metadata locations of tables in a Hive Metastore, many at once.
 *
 * The objects of tables of one database are one call, up to so many.  An
 * Iceberg table's metadata location is one of its parameters; other tables
 * are told apart by having no table_type=ICEBERG.
 *
 * Where the metastore has a notification log (hive_log.h), a table's etag says
 * up to which event it is known, and only those that later events are about
 * are asked for.  Once in a while a table is asked for all the same: another
 * metastore over the same database may be without the listener.
 */
#include "floe.h"

#include "catalog/hive.h"

#include "base/clock.h"

#include "utils/memutils.h"

#define PER_CALL 200 /* tables whose objects are asked for at once */
#define MAX_ARGUMENTS ((size_t) 4 * 1024 * 1024)
#define BELIEVE_SECONDS 600 /* the log is, without a look at the table itself */

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
	FloeHiveLogState log;
	char *etag; /* of tables that are looked at now; NULL: the log does not tell when they change */
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

bool
floe_hive_check_table(const char *kind, const char *table_type, const char *metadata_location, FloeStatus *st)
{
	if (pg_strcasecmp(table_type, "ICEBERG") != 0)
		return floe_fail_detail(st, FLOE_ERR_UNSUPPORTED,
								psprintf("%s%s%s", kind, table_type[0] != '\0' ? ", table_type " : "", table_type),
								"it is not an Iceberg table");
	if (metadata_location[0] == '\0')
		return floe_fail(st, FLOE_ERR_PROTOCOL, "the metastore has no metadata_location of the table");
	floe_status_ok(st);
	return true;
}

static void
answer_with(Locating *l, int i, const Object *object)
{
	FloeLocated located = {0};
	char *kind = copy_text(object->type);
	char *type = copy_text(object->table_type);
	char *metadata_location = copy_text(object->metadata_location);
	FloeStatus st;

	floe_status_ok(&st);
	located.etag = l->etag;
	if (object->location.len > 0)
		located.location = copy_text(object->location);
	if (memchr(object->metadata_location.data, '\0', object->metadata_location.len) != NULL)
		floe_hive_malformed("get tables", &st);
	else if (floe_hive_check_table(kind, type, metadata_location, &st))
		located.metadata_location = metadata_location;
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

/* ---- etags ---- */

typedef struct Known
{
	int64 event;
	int64 looked; /* seconds since 1970, when the table itself was */
} Known;

static char *
make_etag(const Locating *l, int64 looked)
{
	return psprintf("log:%lld:%lld:%lld", (long long) l->log.alive, (long long) l->log.event, (long long) looked);
}

/* false: this etag says nothing to this log, or has said it for long. */
static bool
read_etag(const Locating *l, const char *etag, Known *known)
{
	int64 now = floe_clock_wall_ms() / 1000;
	long long alive;
	long long event;
	long long looked;

	if (etag == NULL || sscanf(etag, "log:%18lld:%18lld:%18lld", &alive, &event, &looked) != 3)
		return false;
	known->event = event;
	known->looked = looked;
	return alive == l->log.alive && event > 0 && event <= l->log.event && looked <= now &&
		   looked > now - BELIEVE_SECONDS;
}

/* Those that no event was about since they were looked at. */
static void
answer_unchanged(Locating *l, const FloeHiveChanges *changes)
{
	FloeLocated same = {.unchanged = true};
	FloeStatus st;
	Known known;

	floe_status_ok(&st);
	for (int i = 0; i < l->count; i++)
	{
		const char *database = l->items[i].id.namespace[0];
		const char *table = l->items[i].id.name;

		if (!read_etag(l, l->items[i].etag, &known))
			continue;
		if (known.event < l->log.event &&
			(changes == NULL || floe_hive_log_changed(changes, database, table, known.event)))
			continue;
		same.etag = make_etag(l, known.looked);
		answer(l, i, &st, &same);
	}
}

static void
on_changes(void *arg, const FloeHiveChanges *changes)
{
	Locating *l = arg;
	MemoryContext old = MemoryContextSwitchTo(l->context);

	/* what is no log now was none before */
	if (l->hive->log.unused)
		l->etag = NULL;
	else
		answer_unchanged(l, changes);
	MemoryContextSwitchTo(old);
	next_objects(l);
}

static void
on_log(void *arg, const FloeHiveLogState *state)
{
	Locating *l = arg;
	MemoryContext old = MemoryContextSwitchTo(l->context);
	int64 oldest = state->event;
	Known known;

	l->log = *state;
	if (state->event > 0)
	{
		l->etag = make_etag(l, floe_clock_wall_ms() / 1000);
		for (int i = 0; i < l->count; i++)
		{
			if (read_etag(l, l->items[i].etag, &known))
				oldest = Min(oldest, known.event);
		}
		if (oldest < state->event)
			floe_hive_log_read(l->hive, oldest, state->event, on_changes, l);
		else
			answer_unchanged(l, NULL);
	}
	MemoryContextSwitchTo(old);
	if (oldest == state->event)
		next_objects(l);
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
	if (hive->log.unused)
		next_objects(l);
	else
		floe_hive_log_ask(hive, on_log, l);
}
