/*
 * options.h: the options of the two foreign data wrappers, as one table.
 *
 * Validation, hints, the SQL view floe.connection_option and the filling of a
 * connection all derive from it, so an option cannot be accepted but ignored,
 * or documented but refused.
 */
#ifndef FLOE_CONN_OPTIONS_H
#define FLOE_CONN_OPTIONS_H

#include "base/buf.h"
#include "base/status.h"

typedef enum FloeWrapper
{
	FLOE_WRAPPER_CATALOG,
	FLOE_WRAPPER_ENGINE
} FloeWrapper;

typedef enum FloeOptionContext
{
	FLOE_CONTEXT_SERVER,
	FLOE_CONTEXT_MAPPING
} FloeOptionContext;

typedef enum FloeConnValue
{
	FLOE_VALUE_TEXT,
	FLOE_VALUE_URL,
	FLOE_VALUE_URI, /* also of protocols other than HTTP */
	FLOE_VALUE_BOOL,
	FLOE_VALUE_COUNT,    /* integer within min and max */
	FLOE_VALUE_NUMBER,   /* real, not negative */
	FLOE_VALUE_INTERVAL, /* PostgreSQL interval input, positive */
	FLOE_VALUE_FILE,     /* absolute path of a file on the database host */
	FLOE_VALUE_ENUM,
	FLOE_VALUE_HEADER,   /* value of an HTTP header */
	FLOE_VALUE_QUERY,    /* query of a URL, as it is sent */
	FLOE_VALUE_LOCATIONS /* of objects, separated by commas */
} FloeConnValue;

typedef struct FloeConnOptionDef
{
	FloeWrapper wrapper;
	FloeOptionContext context;
	const char *types; /* of servers it is for, separated by |; NULL: all of the wrapper */
	const char *name;  /* a name that ends in "." is a family: any suffix may follow */
	FloeConnValue type;
	bool required;
	bool secret; /* only in USER MAPPINGs; never shown */
	bool superuser_only;
	int64_t min;
	int64_t max;
	const char *choices; /* of ENUM, separated by | */
	const char *description;
} FloeConnOptionDef;

extern const FloeConnOptionDef *floe_conn_options(int *count);
extern const FloeConnOptionDef *floe_conn_option_find(FloeWrapper wrapper, FloeOptionContext context, const char *name);
extern bool floe_conn_option_is_for(const FloeConnOptionDef *option, const char *type);
extern const char *floe_conn_value_name(FloeConnValue type);
extern const char *floe_wrapper_name(FloeWrapper wrapper);

/* Appends "uri, warehouse, …" of a wrapper and context, for hints. */
extern void floe_conn_options_list(FloeBuf *out, FloeWrapper wrapper, FloeOptionContext context);

/*
 * Checks one value; the option is known.  Intervals are checked by the
 * caller, because their parser belongs to the server.
 */
extern bool floe_conn_option_check(const FloeConnOptionDef *option, const char *name, const char *value,
								   FloeStatus *st);

#endif /* FLOE_CONN_OPTIONS_H */
