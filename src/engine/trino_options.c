/*
 * trino_options.c: Trino's share of floe's options, and the dialect made of them.
 *
 * Trino has few options, and floe sends no other: what a policy sets is
 * honoured or refused.  Retention and safety floors are those of floe's own
 * table, for a value is checked there before it comes here.
 */
#include "floe.h"

#include "engine/trino_options.h"

#include "engine/dialect.h"
#include "engine/trino_render.h"

#include <string.h>

#define ORPHAN_FLOOR (INT64CONST(24) * 3600 * 1000)

static const struct
{
	const char *operation;
	const char *procedure;
} procedures[] = {
	{"rewrite_data_files", "optimize"},
	{"rewrite_manifests", "optimize_manifests"},
	{"expire_snapshots", "expire_snapshots"},
	{"remove_orphan_files", "remove_orphan_files"},
};

static const FloeSparkOption options[] = {
	{"rewrite_data_files", "where", FLOE_OPTION_ARGUMENT, "WHERE", FLOE_OPTION_WHERE, FLOE_OPTION_NEEDS_NOTHING, NULL,
	 0, 0, "all files", "Rewrites only files of partitions for which this is true; it can name partition columns only",
	 NULL},
	{"rewrite_data_files", "min_file_size", FLOE_OPTION_ARGUMENT, "file_size_threshold", FLOE_OPTION_BYTES,
	 FLOE_OPTION_NEEDS_NOTHING, NULL, 0, 0, "0.75 of the target size in force",
	 "Smaller files are rewritten, and files that have deletes", NULL},
	{"expire_snapshots", "max_snapshot_age", FLOE_OPTION_ARGUMENT, "retention_threshold", FLOE_OPTION_AGE,
	 FLOE_OPTION_NEEDS_NOTHING, NULL, 0, 0, "history.expire.max-snapshot-age-ms (5 days)",
	 "Snapshots older than this expire; not less than the engine's iceberg.expire-snapshots.min-retention", NULL},
	{"remove_orphan_files", "older_than", FLOE_OPTION_ARGUMENT, "retention_threshold", FLOE_OPTION_AGE,
	 FLOE_OPTION_NEEDS_NOTHING, NULL, ORPHAN_FLOOR, 0, "3 days",
	 "Only files older than this count as orphans; not less than the engine's "
	 "iceberg.remove-orphan-files.min-retention",
	 NULL},
};

const char *
floe_trino_procedure(const char *operation)
{
	for (size_t i = 0; i < lengthof(procedures); i++)
	{
		if (strcmp(procedures[i].operation, operation) == 0)
			return procedures[i].procedure;
	}
	return NULL;
}

const FloeSparkOption *
floe_trino_option(const FloeSparkOption *option)
{
	for (size_t i = 0; i < lengthof(options); i++)
	{
		if (strcmp(options[i].operation, option->operation) == 0 && strcmp(options[i].name, option->name) == 0)
			return &options[i];
	}
	return NULL;
}

bool
floe_trino_options_check(const FloeSparkOptions *read, FloeStatus *st)
{
	FloeBuf buf;
	int n = 0;
	const FloeSparkOption *refused = NULL;

	for (int i = 0; i < read->count && refused == NULL; i++)
	{
		if (floe_trino_option(read->items[i].option) == NULL)
			refused = read->items[i].option;
	}
	if (refused == NULL)
		return true;
	floe_buf_init(&buf, FLOE_STATUS_DETAIL_SIZE);
	for (size_t i = 0; i < lengthof(options); i++)
	{
		if (strcmp(options[i].operation, refused->operation) == 0)
			floe_buf_printf(&buf, "%s%s", n++ > 0 ? ", " : "", options[i].name);
	}
	floe_fail(st, FLOE_ERR_CONFIG, "Trino has no option like \"%s\" of %s; it has %s", refused->name,
			  refused->operation, n > 0 ? buf.data : "none");
	floe_buf_free(&buf);
	return false;
}

static bool
knows(const char *operation)
{
	return floe_trino_procedure(operation) != NULL;
}

static bool
check(const char *operation, FloeJson json, FloeStatus *st)
{
	FloeSparkOptions read;
	const FloeOptionValue *where;
	FloeBuf buf;
	bool done;

	floe_status_ok(st);
	if (!floe_spark_options_read(operation, json, false, &read, st) || !floe_trino_options_check(&read, st))
		return false;
	where = floe_spark_options_get(&read, "where");
	if (where == NULL)
		return true;
	floe_buf_init(&buf, strlen(where->text) * 4 + 64);
	done = floe_trino_where(&buf, where->text, st);
	floe_buf_free(&buf);
	return done;
}

const FloeDialectOps floe_dialect_trino = {
	.dialect = FLOE_DIALECT_TRINO,
	.knows = knows,
	.option = floe_trino_option,
	.check = check,
	.render = floe_trino_render,
};
