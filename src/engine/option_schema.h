/*
 * option_schema.h: options that name columns, against the columns that a table has.
 */
#ifndef FLOE_ENGINE_OPTION_SCHEMA_H
#define FLOE_ENGINE_OPTION_SCHEMA_H

#include "base/json.h"
#include "engine/table_schema.h"

/*
 * Whether where, sort_order and columns name columns of the table, of types
 * that they can be used with.  FLOE_ERR_CONFIG says which do not; nothing of
 * the operation has to be sent to find that out.
 */
extern bool floe_options_fit(const char *operation, FloeJson options, const FloeTableSchema *schema, FloeStatus *st);

#endif /* FLOE_ENGINE_OPTION_SCHEMA_H */
