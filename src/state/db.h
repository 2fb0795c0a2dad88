/*
 * db.h: calling floe's own SQL from the library.
 *
 * The library never touches floe's tables: it calls functions of
 * floe_internal.  Each call runs in a subtransaction, as the owner of the
 * extension, so that an error is a status and the caller's privileges do not
 * matter; who may start a pass was decided at its door.  Cancel and shutdown
 * are not errors: they go through.
 *
 * A step is begin, one or more calls, end.  What begin and end do depends on
 * who runs the pass: in a procedure they commit by SPI, in a worker they are
 * whole transactions.  Between steps no snapshot is held.
 */
#ifndef FLOE_STATE_DB_H
#define FLOE_STATE_DB_H

#include "base/status.h"

typedef struct FloeDbOps
{
	void (*begin)(void);
	void (*end)(void); /* commits; throws if that fails */
} FloeDbOps;

/* Set once by sqlfn/ or worker/, for the process. */
extern void floe_db_use(const FloeDbOps *ops);

extern void floe_db_begin(void);
extern void floe_db_end(void);

/* Arguments, built by the macros below; a NULL pointer value makes an SQL NULL. */
typedef struct FloeArg
{
	Oid type;
	Datum value;
	bool isnull;
} FloeArg;

extern FloeArg floe_arg_int4(int32 value);
extern FloeArg floe_arg_int8(int64 value);
extern FloeArg floe_arg_bool(bool value);
extern FloeArg floe_arg_text(const char *value);
extern FloeArg floe_arg_text_len(const char *value, size_t len);
extern FloeArg floe_arg_jsonb(const char *json); /* throws inside the call's protection, not here */
extern FloeArg floe_arg_bytea(const void *data, size_t len);
extern FloeArg floe_arg_text_array(const char *const *values, int n);
extern FloeArg floe_arg_int4_array(const int32 *values, int n);
extern FloeArg floe_arg_int8_array(const int64 *values, int n);
extern FloeArg floe_arg_bool_array(const bool *values, int n);

typedef struct FloeBytes
{
	const void *data;
	size_t len;
} FloeBytes;

extern FloeArg floe_arg_bytea_array(const FloeBytes *values, int n);

/* A result; valid until the next call. */
typedef struct FloeRows
{
	void *table;
	int count;
} FloeRows;

/* rows may be NULL.  FLOE_ERR_DATABASE, or FLOE_ERR_BUSY, with the server's message on an error. */
extern bool floe_db_call(const char *sql, const FloeArg *args, int nargs, FloeRows *rows, FloeStatus *st);

/*
 * A query that is not floe's, in a security-restricted operation: nothing that
 * it calls can keep or change anything beyond it.  Parameters are texts.
 */
typedef struct FloeForeignQuery
{
	Oid role; /* whose rights it has */
	const char *sql;
	const char *const *params;
	int nparams;
	int max_rows;   /* it is ended after them */
	int timeout_ms; /* 57014 after it */
} FloeForeignQuery;

/* rows times columns, NULL for SQL NULL, in CurrentMemoryContext. */
typedef struct FloeTextRows
{
	int count;
	int columns;
	char **values;
} FloeTextRows;

/* sqlstate gets the five characters of an error's. */
extern bool floe_db_query_as(const FloeForeignQuery *query, FloeTextRows *rows, char sqlstate[6], FloeStatus *st);

/* Columns by position from 0.  Texts are copied into CurrentMemoryContext; NULL for SQL NULL. */
extern int64 floe_row_int8(const FloeRows *rows, int row, int column, int64 if_null);
extern int32 floe_row_int4(const FloeRows *rows, int row, int column, int32 if_null);
extern bool floe_row_bool(const FloeRows *rows, int row, int column, bool if_null);
extern char *floe_row_text(const FloeRows *rows, int row, int column);
extern char *floe_row_any(const FloeRows *rows, int row, int column); /* any type, by its output function */
extern void *floe_row_bytea(const FloeRows *rows, int row, int column, size_t *len);
extern char **floe_row_text_array(const FloeRows *rows, int row, int column, int *n);
extern int32 *floe_row_int4_array(const FloeRows *rows, int row, int column, int *n);

#endif /* FLOE_STATE_DB_H */
