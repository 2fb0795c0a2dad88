/*
 * pq.h: queries to another PostgreSQL, by libpq, in the same loop as HTTP.
 *
 * Some catalogs are tables in a database: the JDBC catalog's iceberg_tables,
 * the Hive Metastore's own schema.  One connection, whose queries run one
 * after another; opened by the first, and anew by the next one after it
 * failed.  Everything is text, and nothing is written: the session is read
 * only.
 *
 * libpq resolves host names without a way to wait for it in a loop.  So the
 * engine makes a connection of its own first, which is closed again, and libpq
 * is told the address that it led to.
 */
#ifndef FLOE_NET_PQ_H
#define FLOE_NET_PQ_H

#include "base/url.h"
#include "net/http.h"

typedef struct FloePq FloePq;

typedef struct FloePqOptions
{
	const char *uri;      /* postgresql://host[:port]/database[?sslmode=…]; floe_pq_check_uri() took it */
	const char *username; /* NULL: of the URI */
	const char *password; /* NULL: none */
	bool need_password; /* refuse a server that lets us in without: it may have believed the operating system's user */
	int connect_timeout_ms;
	int query_timeout_ms;
	size_t max_bytes; /* of one result */
	int *under_way;   /* counts requests of the engine that will call back: until it is 0 this must not be freed */
} FloePqOptions;

/* A result as text, whoever asked for it. */
typedef struct FloePqRows
{
	const void *result;
	int count;
	const char *(*value)(const void *result, int row, int column); /* NULL for SQL NULL */
} FloePqRows;

/* rows is valid only while the callback runs, and NULL after a failure. */
typedef void (*FloePqDone)(void *arg, const FloeStatus *st, const FloePqRows *rows);

/* Hosts over TCP and a few parameters only: no service or password files, no programs, no sockets of the machine. */
extern bool floe_pq_check_uri(const char *uri, FloeStatus *st);
/* The same; and the host and port, for the rules about hosts. */
extern bool floe_pq_parse_uri(const char *uri, FloeUrl *url, FloeStatus *st);

/* In the current memory context, and torn down with it; options' strings are copied. No connection yet. */
extern FloePq *floe_pq_open(FloeHttp *http, const FloePqOptions *options);

/* what: "list tables", for messages.  done runs once, from the loop. */
extern void floe_pq_query(FloePq *pq, const char *what, const char *sql, const char *const *params, int nparams,
						  FloePqDone done, void *arg);

static inline const char *
floe_pq_value(const FloePqRows *rows, int row, int column)
{
	return rows->value(rows->result, row, column);
}

/* "15.4", once connected; else "" */
extern const char *floe_pq_server_version(const FloePq *pq);

/* ---- inside pq.c ---- */

/* SQLSTATE of an error message in verbose form, "FATAL:  28P01: …"; "" when there is none. */
extern void floe_pq_find_sqlstate(const char *message, char state[6]);
/* state: ""; then it is libpq's own message that tells. */
extern FloeCode floe_pq_code(const char *state, const char *message, bool connecting);

#endif /* FLOE_NET_PQ_H */
