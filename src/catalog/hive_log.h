/*
 * hive_log.h: what the notification log of a Hive Metastore tells about changes, where there is one.
 *
 * A metastore with a DbNotificationListener numbers every change of a table,
 * in the transaction of the change.  While the number is the same nothing has
 * changed; where it grew, the events say which tables have.  Whether the
 * listener is on is asked for (get_config_value), because a log that nobody
 * writes looks like one in which nothing happens.  A metastore that was
 * restarted may have been without its listener for a while: its numbers count
 * only together with the time since which it runs.
 */
#ifndef FLOE_CATALOG_HIVE_LOG_H
#define FLOE_CATALOG_HIVE_LOG_H

#include "base/buf.h"
#include "base/status.h"
#include "conn/conn.h"

typedef struct FloeHive FloeHive;

typedef struct FloeHiveLog
{
	bool unused;       /* as long as this connection to the catalog; why says it */
	char why[256];     /* "" until the metastore was asked */
	bool checked;      /* alive is of this connection of the link: */
	uint32 connection; /* 0: a transport without connections */
	int64 alive;       /* aliveSince(): seconds, as the metastore counts them */
} FloeHiveLog;

/* Where the log stands. */
typedef struct FloeHiveLogState
{
	int64 alive; /* the metastore that says so runs since then */
	int64 event; /* number of the newest event; 0: the log says nothing */
} FloeHiveLogState;

/* Tables that events were about. */
typedef struct FloeHiveChanges FloeHiveChanges;

typedef void (*FloeHiveLogChecked)(void *arg);
typedef void (*FloeHiveLogAsked)(void *arg, const FloeHiveLogState *state);
typedef void (*FloeHiveLogRead)(void *arg, const FloeHiveChanges *changes); /* NULL: it does not know */

extern void floe_hive_log_init(FloeHiveLog *log, const FloeConn *conn);

/* Is there a log?  No failure: without one there is another way. */
extern void floe_hive_log_check(FloeHive *hive, FloeHiveLogChecked done, void *arg);
extern void floe_hive_log_ask(FloeHive *hive, FloeHiveLogAsked done, void *arg);

/* The changes of events since + 1 to until; they live in the current memory context. */
extern void floe_hive_log_read(FloeHive *hive, int64 since, int64 until, FloeHiveLogRead done, void *arg);
/* Has an event after since been about this table? */
extern bool floe_hive_log_changed(const FloeHiveChanges *changes, const char *database, const char *table, int64 since);

/* As a JSON string. */
extern void floe_hive_log_describe(const FloeHiveLog *log, FloeBuf *out);

#endif /* FLOE_CATALOG_HIVE_LOG_H */
