/*
 * hive_log.c: asks a Hive Metastore for its notification log.
 *
 * Four calls: aliveSince and get_config_value once for a connection,
 * get_current_notificationEventId for each look at the catalog, and
 * get_next_notification where something has changed.  Event numbers have no
 * gaps, because the listener takes them from a locked row in the transaction
 * of the change; where some are missing they were cleaned away, and the log
 * does not know what has changed.
 *
 * Source: apache/hive, hive_metastore.thrift; DbNotificationListener,
 * HiveMetaStoreClient.getNextNotification (which looks for gaps likewise).
 */
#include "floe.h"

#include "catalog/hive.h"

#include "base/json.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define EVENTS_PER_CALL 500 /* each brings the table before and after as JSON */
#define MAX_EVENTS 2000     /* beyond it, asking for the tables themselves is cheaper */
#define MAX_NAME_BYTES 1024
#define LISTENERS "hive.metastore.transactional.event.listeners"
#define LISTENER "DbNotificationListener"
#define DEFAULT_CATALOG "hive"

/* Field ids of hive_metastore.thrift. */
enum
{
	CURRENT_ID = 1, /* CurrentNotificationEventId */
	RESPONSE_EVENTS = 1,
	EVENT_ID = 1, /* NotificationEvent */
	EVENT_TYPE = 3,
	EVENT_DATABASE = 4,
	EVENT_TABLE = 5,
	EVENT_CATALOG = 8
};

void
floe_hive_log_init(FloeHiveLog *log, const FloeConn *conn)
{
	const char *option = floe_conn_option(conn, "notification_log");

	memset(log, 0, sizeof(*log));
	log->unused = option != NULL && strcmp(option, "off") == 0;
	if (log->unused)
		strlcpy(log->why, "option \"notification_log\" is off", sizeof(log->why));
}

void
floe_hive_log_describe(const FloeHiveLog *log, FloeBuf *out)
{
	char text[sizeof(log->why) + 16];

	snprintf(text, sizeof(text), "%s%s", log->unused ? "not used: " : "used", log->why);
	floe_json_quote(out, text, strlen(text));
}

static void
leave_log(FloeHiveLog *log, const char *why)
{
	log->unused = true;
	floe_copy_text(log->why, sizeof(log->why), why, strlen(why));
}

static void
leave_failed_log(FloeHiveLog *log, const FloeStatus *st)
{
	char why[FLOE_STATUS_MESSAGE_SIZE + FLOE_STATUS_DETAIL_SIZE];

	snprintf(why, sizeof(why), "%s%s%s", st->message, st->detail[0] != '\0' ? ": " : "", st->detail);
	leave_log(log, why);
}

/* ---- is there one ---- */

typedef struct Check
{
	FloeHive *hive;
	FloeHiveLogChecked done;
	void *arg;
} Check;

static void
end_check(Check *check)
{
	check->done(check->arg);
	pfree(check);
}

static void
on_listeners(void *arg, const FloeStatus *st, FloeCursor *c)
{
	Check *check = arg;
	FloeHiveLog *log = &check->hive->log;
	FloeStatus result = *st;

	if (st->code == FLOE_OK && floe_hive_success(c, FLOE_THRIFT_STRING, "get listeners", &result))
	{
		FloeThriftText listeners = floe_thrift_read_text(c);

		if (c->bad)
			floe_hive_malformed("get listeners", &result);
		else if (memmem(listeners.data, listeners.len, LISTENER, strlen(LISTENER)) == NULL)
			leave_log(log, "the metastore has no " LISTENER " among its " LISTENERS);
	}
	if (result.code != FLOE_OK)
		leave_failed_log(log, &result);
	log->checked = !log->unused;
	end_check(check);
}

static void
ask_listeners(Check *check)
{
	FloeBuf arguments;

	floe_buf_init(&arguments, 1024);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_STRING, 1);
	floe_thrift_write_text(&arguments, LISTENERS);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_STRING, 2);
	floe_thrift_write_text(&arguments, "");
	floe_hive_call(check->hive->link, "get_config_value", &arguments, on_listeners, check);
	floe_buf_free(&arguments);
}

static void
on_alive(void *arg, const FloeStatus *st, FloeCursor *c)
{
	Check *check = arg;
	FloeHiveLog *log = &check->hive->log;
	const char *option = floe_conn_option(check->hive->base.conn, "notification_log");
	FloeStatus result = *st;
	int64 alive = 0;

	if (st->code == FLOE_OK && floe_hive_success(c, FLOE_THRIFT_I64, "get start time", &result))
	{
		alive = floe_thrift_read_i64(c);
		if (c->bad || alive <= 0)
			floe_hive_malformed("get start time", &result);
	}
	log->connection = floe_hive_link_connection(check->hive->link);
	if (result.code != FLOE_OK)
		leave_failed_log(log, &result);
	/* who was asked before and runs since, has the listeners that it had; "on": who says so knows */
	else if ((log->checked && log->alive == alive) || (option != NULL && strcmp(option, "on") == 0))
		log->checked = true;
	else
	{
		log->checked = false;
		log->alive = alive;
		ask_listeners(check);
		return;
	}
	log->alive = alive;
	end_check(check);
}

void
floe_hive_log_check(FloeHive *hive, FloeHiveLogChecked done, void *arg)
{
	Check *check;
	FloeBuf none;

	if (hive->log.unused)
	{
		done(arg);
		return;
	}
	check = MemoryContextAlloc(hive->context, sizeof(Check));
	*check = (Check){hive, done, arg};
	floe_buf_init(&none, 16);
	floe_hive_call(hive->link, "aliveSince", &none, on_alive, check);
	floe_buf_free(&none);
}

/* ---- where it stands ---- */

typedef struct Asked
{
	FloeHive *hive;
	FloeHiveLogAsked done;
	void *arg;
	int64 event;
	uint32 connection; /* on which it came */
} Asked;

static void
end_asked(Asked *asked, bool valid)
{
	FloeHiveLogState state = {.alive = asked->hive->log.alive, .event = valid ? asked->event : 0};

	asked->done(asked->arg, &state);
	pfree(asked);
}

static void
on_checked(void *arg)
{
	Asked *asked = arg;
	const FloeHiveLog *log = &asked->hive->log;

	/* the number and the time have to be of one metastore */
	end_asked(asked, !log->unused && log->checked && log->connection == asked->connection);
}

static bool
read_current(FloeCursor *c, int64 *event, FloeStatus *st)
{
	FloeThriftField field;

	*event = 0;
	if (!floe_hive_success(c, FLOE_THRIFT_STRUCT, "get newest event", st))
		return false;
	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, CURRENT_ID, FLOE_THRIFT_I64))
			*event = floe_thrift_read_i64(c);
		else
			floe_thrift_skip(c, field.type);
	}
	/* 0: no event yet */
	return (!c->bad && *event >= 0) || floe_hive_malformed("get newest event", st);
}

static void
on_current(void *arg, const FloeStatus *st, FloeCursor *c)
{
	Asked *asked = arg;
	FloeHiveLog *log = &asked->hive->log;
	FloeStatus result = *st;

	if (st->code != FLOE_OK || !read_current(c, &asked->event, &result))
	{
		/* a connection that is gone says nothing about the log */
		if (result.code != FLOE_ERR_NETWORK && result.code != FLOE_ERR_CONNECT)
			leave_failed_log(log, &result);
		end_asked(asked, false);
		return;
	}
	asked->connection = floe_hive_link_connection(asked->hive->link);
	if (asked->event == 0 || (log->checked && asked->connection != 0 && asked->connection == log->connection))
		end_asked(asked, true);
	else
		floe_hive_log_check(asked->hive, on_checked, asked);
}

void
floe_hive_log_ask(FloeHive *hive, FloeHiveLogAsked done, void *arg)
{
	Asked *asked = MemoryContextAllocZero(hive->context, sizeof(Asked));
	FloeBuf none;

	asked->hive = hive;
	asked->done = done;
	asked->arg = arg;
	floe_buf_init(&none, 16);
	floe_hive_call(hive->link, "get_current_notificationEventId", &none, on_current, asked);
	floe_buf_free(&none);
}

/* ---- what has changed ---- */

struct FloeHiveChanges
{
	HTAB *newest;    /* of a table, or of a whole database */
	int64 of_anyone; /* the newest event that may be about any table */
};

typedef struct Change
{
	uint64 hash;
	int64 event;
} Change;

typedef struct Reading
{
	FloeHive *hive;
	MemoryContext context;
	FloeHiveChanges *changes;
	int64 last; /* read up to here */
	int64 until;
	FloeHiveLogRead done;
	void *arg;
} Reading;

typedef struct Event
{
	int64 id;
	FloeThriftText type;
	FloeThriftText database;
	FloeThriftText table;
	FloeThriftText catalog;
} Event;

static void next_events(Reading *r);

/* Of database and table, where upper and lower case are the same; table "": of the database.  Its name has at most MAX_NAME_BYTES. */
static uint64
hash_names(FloeThriftText database, FloeThriftText table)
{
	char key[2 * MAX_NAME_BYTES + 1];
	size_t n = 0;

	for (size_t i = 0; i < database.len; i++)
		key[n++] = (char) pg_ascii_tolower((unsigned char) database.data[i]);
	key[n++] = 0x1F;
	for (size_t i = 0; i < table.len; i++)
		key[n++] = (char) pg_ascii_tolower((unsigned char) table.data[i]);
	return hash_bytes_extended((const unsigned char *) key, (int) n, 0);
}

/* A name whose upper and lower case floe can tell to be the same as the metastore does. */
static bool
is_plain(FloeThriftText name)
{
	if (name.len == 0 || name.len > MAX_NAME_BYTES)
		return false;
	for (size_t i = 0; i < name.len; i++)
	{
		if (IS_HIGHBIT_SET(name.data[i]))
			return false;
	}
	return true;
}

static bool
ends_with(FloeThriftText text, const char *end)
{
	size_t n = strlen(end);

	return text.len >= n && memcmp(text.data + text.len - n, end, n) == 0;
}

static void
note_event(Reading *r, const Event *event)
{
	FloeHiveChanges *changes = r->changes;
	const char *catalog = floe_conn_option(r->hive->base.conn, "catalog_name");
	Change *change;
	uint64 hash;

	if (catalog == NULL)
		catalog = DEFAULT_CATALOG;
	if (event->catalog.len > 0 && (event->catalog.len != strlen(catalog) ||
								   pg_strncasecmp(event->catalog.data, catalog, event->catalog.len) != 0))
		return;
	/* transactions of Hive's own tables */
	if (event->database.len == 0 && ends_with(event->type, "_TXN"))
		return;
	if (!is_plain(event->database) || event->database.data[0] == '@')
	{
		changes->of_anyone = event->id;
		return;
	}
	hash = hash_names(event->database, is_plain(event->table) ? event->table : FLOE_THRIFT_NO_TEXT);
	change = hash_search(changes->newest, &hash, HASH_ENTER, NULL);
	change->event = event->id;
}

static void
read_event(FloeCursor *c, Event *event)
{
	FloeThriftField field;

	memset(event, 0, sizeof(*event));
	while (floe_thrift_read_field(c, &field))
	{
		if (floe_thrift_field_is(&field, EVENT_ID, FLOE_THRIFT_I64))
			event->id = floe_thrift_read_i64(c);
		else if (floe_thrift_field_is(&field, EVENT_TYPE, FLOE_THRIFT_STRING))
			event->type = floe_thrift_read_text(c);
		else if (floe_thrift_field_is(&field, EVENT_DATABASE, FLOE_THRIFT_STRING))
			event->database = floe_thrift_read_text(c);
		else if (floe_thrift_field_is(&field, EVENT_TABLE, FLOE_THRIFT_STRING))
			event->table = floe_thrift_read_text(c);
		else if (floe_thrift_field_is(&field, EVENT_CATALOG, FLOE_THRIFT_STRING))
			event->catalog = floe_thrift_read_text(c);
		else
			floe_thrift_skip(c, field.type);
	}
}

/* false with FLOE_ERR_NOT_FOUND: events are missing; with another code: this is no log. */
static bool
read_events(Reading *r, FloeCursor *c, FloeStatus *st)
{
	int64 before = r->last;
	FloeThriftField field;

	if (!floe_hive_success(c, FLOE_THRIFT_STRUCT, "get events", st))
		return false;
	while (floe_thrift_read_field(c, &field))
	{
		FloeThriftList list;

		if (!floe_thrift_field_is(&field, RESPONSE_EVENTS, FLOE_THRIFT_LIST))
		{
			floe_thrift_skip(c, field.type);
			continue;
		}
		list = floe_thrift_read_list(c);
		if (!c->bad && list.count > 0 && list.type != FLOE_THRIFT_STRUCT)
			return floe_hive_malformed("get events", st);
		for (uint32 i = 0; i < list.count && !c->bad; i++)
		{
			Event event;

			if (r->last == r->until || r->last - before == EVENTS_PER_CALL)
				return floe_fail(st, FLOE_ERR_PROTOCOL, "get events: the metastore gives more than were asked for");
			read_event(c, &event);
			if (c->bad)
				break;
			if (event.id != r->last + 1)
				return floe_fail(st, FLOE_ERR_NOT_FOUND, "get events: some are missing");
			r->last = event.id;
			note_event(r, &event);
		}
	}
	if (c->bad)
		return floe_hive_malformed("get events", st);
	return r->last > before || floe_fail(st, FLOE_ERR_NOT_FOUND, "get events: some are missing");
}

static void
end_reading(Reading *r, const FloeHiveChanges *changes)
{
	r->done(r->arg, changes);
}

static void
on_events(void *arg, const FloeStatus *st, FloeCursor *c)
{
	Reading *r = arg;
	FloeStatus result = *st;

	if (st->code != FLOE_OK || !read_events(r, c, &result))
	{
		if (result.code != FLOE_ERR_NOT_FOUND)
			leave_failed_log(&r->hive->log, &result);
		end_reading(r, NULL);
	}
	else if (r->last == r->until)
		end_reading(r, r->changes);
	else
		next_events(r);
}

/* {1: NotificationEventRequest {1: lastEvent, 2: maxEvents}} */
static void
next_events(Reading *r)
{
	FloeBuf arguments;

	floe_buf_init(&arguments, 1024);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_STRUCT, 1);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_I64, 1);
	floe_thrift_write_i64(&arguments, r->last);
	floe_thrift_write_field(&arguments, FLOE_THRIFT_I32, 2);
	floe_thrift_write_i32(&arguments, (int32) Min(EVENTS_PER_CALL, r->until - r->last));
	floe_thrift_write_stop(&arguments);
	floe_hive_call(r->hive->link, "get_next_notification", &arguments, on_events, r);
	floe_buf_free(&arguments);
}

void
floe_hive_log_read(FloeHive *hive, int64 since, int64 until, FloeHiveLogRead done, void *arg)
{
	Reading *r;
	HASHCTL info = {0};

	Assert(since > 0 && since < until);
	if (until - since > MAX_EVENTS)
	{
		done(arg, NULL);
		return;
	}
	r = palloc0(sizeof(Reading));
	r->hive = hive;
	r->context = CurrentMemoryContext;
	r->last = since;
	r->until = until;
	r->done = done;
	r->arg = arg;
	r->changes = palloc0(sizeof(FloeHiveChanges));
	info.keysize = sizeof(uint64);
	info.entrysize = sizeof(Change);
	info.hcxt = CurrentMemoryContext;
	r->changes->newest = hash_create("floe changes", 64, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	next_events(r);
}

bool
floe_hive_log_changed(const FloeHiveChanges *changes, const char *database, const char *table, int64 since)
{
	FloeThriftText db = {database, strlen(database)};
	FloeThriftText name = {table, strlen(table)};

	if (changes->of_anyone > since || db.len > MAX_NAME_BYTES || name.len > MAX_NAME_BYTES)
		return true;
	for (int i = 0; i < 2; i++)
	{
		uint64 hash = hash_names(db, i == 0 ? name : FLOE_THRIFT_NO_TEXT);
		const Change *change = hash_search(changes->newest, &hash, HASH_FIND, NULL);

		if (change != NULL && change->event > since)
			return true;
	}
	return false;
}
