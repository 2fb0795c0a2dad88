/*
 * conn.h: a catalog or engine as a connection: who, where, and with which secrets.
 *
 * Resolved from the system catalogs inside a transaction, because the network
 * phase has none, and copied whole.  Secrets come from the USER MAPPING of the
 * server's owner (else of PUBLIC), whoever asks: a user who may use a server
 * never brings or sees its credentials.
 */
#ifndef FLOE_CONN_CONN_H
#define FLOE_CONN_CONN_H

#include "conn/options.h"

typedef struct FloeConnOption
{
	const char *name;
	const char *value;
	bool secret;
	bool from_mapping;
} FloeConnOption;

typedef struct FloeConn
{
	FloeWrapper wrapper;
	Oid server_oid;
	Oid owner;
	bool owner_is_superuser;
	const char *server_name;
	const char *server_type; /* never NULL; "" when the server has none */
	int noptions;
	FloeConnOption *options;
} FloeConn;

/*
 * Everything is allocated in CurrentMemoryContext.  Needs a transaction.
 * FLOE_ERR_CONFIG when the server does not exist or belongs to another
 * wrapper, and when a secret's file cannot be read (whose content replaces the
 * option: client_secret_file becomes client_secret).
 */
extern FloeConn *floe_conn_resolve(FloeWrapper wrapper, const char *server_name, FloeStatus *st);

/* NULL when it is not set. */
extern const char *floe_conn_option(const FloeConn *conn, const char *name);
extern bool floe_conn_bool(const FloeConn *conn, const char *name, bool absent);
extern int64_t floe_conn_count(const FloeConn *conn, const char *name, int64_t absent);

/* Changes whenever a server or a user mapping was changed; noticed when a transaction begins. */
extern uint32 floe_conn_generation(void);

#endif /* FLOE_CONN_CONN_H */
