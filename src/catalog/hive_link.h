/*
 * hive_link.h: calls to a Hive Metastore: one message out, one message in, one after another.
 *
 * Over a socket (Thrift's binary protocol, unframed as it comes or framed) or
 * over HTTP, as Hive 4 can have it.  SASL, which is how a metastore does
 * Kerberos, is not spoken: such a server closes the connection or answers
 * with what is no Thrift message, and the failure says so.
 */
#ifndef FLOE_CATALOG_HIVE_LINK_H
#define FLOE_CATALOG_HIVE_LINK_H

#include "base/cursor.h"
#include "catalog/session.h"

typedef struct FloeHiveLink FloeHiveLink;

/* c is inside the result struct of the reply, whose bytes are valid only while this runs; NULL after a failure. */
typedef void (*FloeHiveReply)(void *arg, const FloeStatus *st, FloeCursor *c);

/*
 * In the current memory context, and torn down with it.  NULL with
 * FLOE_ERR_CONFIG for a URI that is not thrift://host:port[,thrift://…] or
 * http(s)://.  No connection yet.  under_way: FloeCatalog.under_way.
 */
extern FloeHiveLink *floe_hive_link_open(FloeHttp *http, const FloeConn *conn, int *under_way, FloeStatus *st);

/*
 * Sends a call; arguments: the bytes of the argument struct's fields, without
 * its end.  reply runs once, from the loop.
 */
extern void floe_hive_call(FloeHiveLink *link, const char *method, const FloeBuf *arguments, FloeHiveReply reply,
						   void *arg);

/* Number of the connection in use, which the last answer came by; 0: there is none, or no telling (HTTP). */
extern uint32 floe_hive_link_connection(const FloeHiveLink *link);

extern const char *floe_hive_link_transport(const FloeHiveLink *link); /* "buffered", "framed", "http" */

#endif /* FLOE_CATALOG_HIVE_LINK_H */
