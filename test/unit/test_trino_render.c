/*
 * test_trino_render.c: Trino's statements, which options and names it is given, and its errors by class.
 */
#include "floe.h"

#include "engine/dialect.h"
#include "engine/trino_errors.h"

#include "tap.h"

#include <stdlib.h>

#define NOW INT64CONST(1767225600000)
#define CLEAN "ALTER TABLE \"lake\".\"db\".\"t\" EXECUTE "
#define NO_OPTION "Trino has no option like "

static bool
render(const FloeEngineTable *table, const char *operation, const char *json, FloeBuf *out, FloeStatus *st)
{
	FloeJsonDoc *doc = floe_json_parse(json, strlen(json), "options", 64 * 1024, st);
	bool done;

	floe_buf_init(out, 64 * 1024);
	done = doc != NULL && floe_dialect_trino.render(table, operation, floe_json_root(doc), NOW, out, st);
	floe_json_free(doc);
	return done;
}

static const struct
{
	const char *operation;
	const char *options;
	const char *statement; /* NULL: refused */
	const char *error;
} statements[] = {
	{"rewrite_data_files", "{}", CLEAN "optimize", NULL},
	{"rewrite_data_files", "{\"min_file_size\": \"128 MB\"}", CLEAN "optimize(file_size_threshold => '128MB')", NULL},
	{"rewrite_data_files", "{\"min_file_size\": 750000}", CLEAN "optimize(file_size_threshold => '750000B')", NULL},
	{"rewrite_data_files", "{\"min_file_size\": 9223372036854775807}",
	 CLEAN "optimize(file_size_threshold => '9223372036854775807B')", NULL},
	{"rewrite_data_files", "{\"where\": \"d = DATE '2026-01-01' AND s IN ('a''b;--', '(')\"}",
	 CLEAN "optimize WHERE (\"d\" = DATE '2026-01-01' AND \"s\" IN ('a''b;--', '('))", NULL},
	{"rewrite_data_files", "{\"where\": \"d > DATE '2026-01-01'\", \"min_file_size\": 0}",
	 CLEAN "optimize(file_size_threshold => '0B') WHERE \"d\" > DATE '2026-01-01'", NULL},
	{"rewrite_manifests", "{}", CLEAN "optimize_manifests", NULL},
	{"expire_snapshots", "{\"max_snapshot_age\": \"7 days\"}", CLEAN "expire_snapshots(retention_threshold => '7d')",
	 NULL},
	{"expire_snapshots", "{\"max_snapshot_age\": \"36 hours\"}", CLEAN "expire_snapshots(retention_threshold => '36h')",
	 NULL},
	{"expire_snapshots", "{\"max_snapshot_age\": \"90 minutes\"}",
	 CLEAN "expire_snapshots(retention_threshold => '90m')", NULL},
	{"expire_snapshots", "{\"max_snapshot_age\": \"432000 seconds\"}",
	 CLEAN "expire_snapshots(retention_threshold => '5d')", NULL},
	/* what is less than a second is rounded to the older */
	{"expire_snapshots", "{\"max_snapshot_age\": \"61001 milliseconds\"}",
	 CLEAN "expire_snapshots(retention_threshold => '62s')", NULL},
	{"expire_snapshots", "{\"max_snapshot_age\": \"1 millisecond\"}",
	 CLEAN "expire_snapshots(retention_threshold => '1s')", NULL},
	{"expire_snapshots", "{}", NULL, "expire_snapshots needs option \"max_snapshot_age\" on Trino"},
	{"remove_orphan_files", "{\"older_than\": \"3 days\"}", CLEAN "remove_orphan_files(retention_threshold => '3d')",
	 NULL},
	/* one at the floor is a little older than it */
	{"remove_orphan_files", "{\"older_than\": \"24 hours\"}",
	 CLEAN "remove_orphan_files(retention_threshold => '1450m')", NULL},
	{"remove_orphan_files", "{\"older_than\": \"23 hours\"}", NULL, "invalid value for option \"older_than\""},
	{"remove_orphan_files", "{}", NULL, "remove_orphan_files needs option \"older_than\" on Trino"},

	/* what Trino has not */
	{"rewrite_position_delete_files", "{}", NULL, "Trino has no operation like rewrite_position_delete_files"},
	{"rewrite_data_files", "{\"target_file_size\": 1}", NULL, NO_OPTION "\"target_file_size\""},
	{"rewrite_data_files", "{\"rewrite_all\": true}", NULL, NO_OPTION "\"rewrite_all\""},
	{"rewrite_data_files", "{\"strategy\": \"sort\"}", NULL, NO_OPTION "\"strategy\""},
	{"rewrite_data_files", "{\"delete_file_threshold\": 1}", NULL, "it has where, min_file_size"},
	{"rewrite_manifests", "{\"use_caching\": true}", NULL, "it has none"},
	{"expire_snapshots", "{\"max_snapshot_age\": \"7 days\", \"retain_last\": 2}", NULL, NO_OPTION "\"retain_last\""},
	{"expire_snapshots", "{\"max_snapshot_age\": \"7 days\", \"snapshot_ids\": [1]}", NULL,
	 NO_OPTION "\"snapshot_ids\""},
	{"remove_orphan_files", "{\"older_than\": \"7 days\", \"dry_run\": true}", NULL, NO_OPTION "\"dry_run\""},
	{"remove_orphan_files", "{\"older_than\": \"7 days\", \"prefix_listing\": true}", NULL,
	 NO_OPTION "\"prefix_listing\""},
	{"rewrite_data_files", "{\"nothing\": 1}", NULL, "has no option \"nothing\""},

	/* predicates that name no partitions, or more than one thing */
	{"rewrite_data_files", "{\"where\": \"n = 1\"}", NULL, "option \"where\""},
	{"rewrite_data_files", "{\"where\": \"gone = 1\"}", NULL, "column \"gone\""},
	{"rewrite_data_files", "{\"where\": \"d = 'x\"}", NULL, "option \"where\""},
	{"rewrite_data_files", "{\"where\": \"n = 1; DROP TABLE t\"}", NULL, "option \"where\""},
	{"rewrite_data_files", "{\"where\": \"n = 1 -- x\"}", NULL, "option \"where\""},
	{"rewrite_data_files", "{\"where\": \"n = 1) OR (1 = 1\"}", NULL, "option \"where\""},
};

static void
test_statements(void)
{
	static const char *const levels[] = {"db"};
	static const FloeSchemaColumn columns[] = {{"d", "date", 1}, {"s", "string", 2}, {"n", "int", 3}};
	static const FloePartitionField fields[] = {{0, 1, "identity"}, {0, 2, "identity"}};
	static const int64_t specs[] = {0};
	static const FloeTableSchema schema = {columns, lengthof(columns), true, fields, lengthof(fields), specs, 1};
	static const FloeEngineTable table = {"lake", levels, 1, "t", &schema};
	static const FloeEngineTable unknown = {"lake", levels, 1, "t", NULL};
	FloeBuf nothing;
	FloeStatus refused;

	ok(!render(&unknown, "rewrite_data_files", "{\"where\": \"n = 1\"}", &nothing, &refused) &&
		   strstr(refused.message, "not known") != NULL,
	   "a predicate on a table whose columns are not known");
	floe_buf_free(&nothing);
	for (size_t i = 0; i < lengthof(statements); i++)
	{
		FloeBuf out;
		FloeStatus st;
		bool done;

		floe_status_ok(&st);
		done = render(&table, statements[i].operation, statements[i].options, &out, &st);
		if (statements[i].statement != NULL)
			is_str(done ? out.data : st.message, statements[i].statement, "%s %s", statements[i].operation,
				   statements[i].options);
		else
			ok(!done && st.code == FLOE_ERR_CONFIG && strstr(st.message, statements[i].error) != NULL, "%s %s: %s",
			   statements[i].operation, statements[i].options, done ? out.data : st.message);
		floe_buf_free(&out);
	}
}

static const struct
{
	const char *name;
	const char *level;
	const char *nested; /* NULL: none */
	const char *table;
	const char *rendered; /* NULL: refused */
} names[] = {
	{"plain", "db", NULL, "t", "\"lake\".\"db\".\"t\""},
	{"nested", "a", "b", "t", "\"lake\".\"a.b\".\"t\""},
	{"quotes", "d\"b", NULL, "x'); drop \"", "\"lake\".\"d\"\"b\".\"x'); drop \"\"\""},
	{"dots of a table are its own", "db", NULL, "we.ird", "\"lake\".\"db\".\"we.ird\""},
	{"no ASCII", "n\303\244", NULL, "\350\241\250\342\230\203", "\"lake\".\"n\303\244\".\"\350\241\250\342\230\203\""},
	{"backslash, line end, comment", "db", NULL, "a\\b\nc--/*", "\"lake\".\"db\".\"a\\b\nc--/*\""},
	{"a dot in a level", "a.b", NULL, "t", NULL},
	{"a dot in a nested level", "a", "b.c", "t", NULL},
	{"upper case", "db", NULL, "T", NULL},
	{"upper case of a level", "Db", NULL, "t", NULL},
	{"upper case that is not ASCII", "db", NULL, "\303\211", NULL},
	{"a title", "db", NULL, "\307\205", NULL},
	{"a metadata table", "db", NULL, "t$files", NULL},
	{"a table's other name", "db", NULL, "t$data", NULL},
	{"a version", "db", NULL, "t@1", NULL},
	{"empty table", "db", NULL, "", NULL},
	{"empty level", "", NULL, "t", NULL},
	{"not UTF-8", "db", NULL, "\xff", NULL},
	{"cut UTF-8", "db", NULL, "a\303", NULL},
};

static void
test_names(void)
{
	for (size_t i = 0; i < lengthof(names); i++)
	{
		const char *levels[] = {names[i].level, names[i].nested};
		FloeEngineTable table = {"lake", levels, names[i].nested != NULL ? 2 : 1, names[i].table};
		char wanted[256];
		FloeBuf out;
		FloeStatus st;
		bool done;

		floe_status_ok(&st);
		done = render(&table, "rewrite_manifests", "{}", &out, &st);
		snprintf(wanted, sizeof(wanted), "ALTER TABLE %s EXECUTE optimize_manifests",
				 names[i].rendered != NULL ? names[i].rendered : "");
		if (names[i].rendered != NULL)
			is_str(done ? out.data : st.message, wanted, "%s", names[i].name);
		else
			ok(!done && st.code == FLOE_ERR_UNSUPPORTED, "%s: refused: %s", names[i].name, st.message);
		floe_buf_free(&out);
	}
}

/* Every option that the catalogue shows for Trino reaches the statement; every other is refused by check(). */
static void
test_catalogue(void)
{
	const FloeSparkOption *o;
	int own = 0;

	for (size_t i = 0; (o = floe_spark_option_at(i)) != NULL; i++)
	{
		const FloeSparkOption *has = floe_dialect_trino.option(o);

		if (has == NULL)
			continue;
		own++;
		ok(strcmp(has->name, o->name) == 0 && has->type == o->type && has->min >= o->min &&
			   floe_dialect_trino.knows(o->operation),
		   "%s.%s is the same option, not less strict", o->operation, o->name);
	}
	is_int(own, 4, "all of Trino's options are floe's");
	ok(!floe_dialect_trino.knows("rewrite_position_delete_files") && !floe_dialect_trino.knows("nothing"),
	   "what Trino cannot do it does not know");
	ok(floe_dialect_of("trino") == &floe_dialect_trino, "engines of TYPE trino speak it");
}

/* -------------------------------------------------------------------------
 * Errors
 * ------------------------------------------------------------------------- */

static const struct
{
	const char *name;
	const char *type;
	const char *message;
	const char *cause_type;
	const char *cause;
	FloeErrorClass error_class;
	FloeTrinoEnding ending;
	const char *line; /* its beginning */
} errors[] = {
	/* as Trino 476 said them */
	{"INVALID_PROCEDURE_ARGUMENT", "USER_ERROR",
	 "Retention specified (1.00d) is shorter than the minimum retention configured in the system (7.00d). Minimum "
	 "retention can be changed with iceberg.expire-snapshots.min-retention configuration property or "
	 "iceberg.expire_snapshots_min_retention session property",
	 NULL, NULL, FLOE_CLASS_CONFIG, TRINO_FAILED, "INVALID_PROCEDURE_ARGUMENT: Retention specified (1.00d) is shorter"},
	{"TABLE_NOT_FOUND", "USER_ERROR", "line 1:7: Table 'rest.low.gone' does not exist", NULL, NULL, FLOE_CLASS_CONFIG,
	 TRINO_FAILED, "TABLE_NOT_FOUND: line 1:7: Table 'rest.low.gone' does not exist (also what Trino says"},
	{"GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR",
	 "Unexpected FilterNode found in plan; probably connector was not able to handle provided WHERE expression", NULL,
	 NULL, FLOE_CLASS_PERMANENT, TRINO_FAILED, "GENERIC_INTERNAL_ERROR: Unexpected FilterNode found in plan"},
	{"GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", "Error processing metadata for table trino.aged",
	 "java.lang.IllegalArgumentException", "[BUG] Expected sorted previous metadata log entries.", FLOE_CLASS_PERMANENT,
	 TRINO_FAILED,
	 "GENERIC_INTERNAL_ERROR: Error processing metadata for table trino.aged; caused by IllegalArgumentException: "
	 "[BUG]"},
	{"COLUMN_NOT_FOUND", "USER_ERROR", "line 1:39: Column 'nocol' cannot be resolved", NULL, NULL, FLOE_CLASS_CONFIG,
	 TRINO_FAILED, "COLUMN_NOT_FOUND: line 1:39"},
	{"SYNTAX_ERROR", "USER_ERROR", "line 1:53: backquoted identifiers are not supported", NULL, NULL, FLOE_CLASS_CONFIG,
	 TRINO_FAILED, "SYNTAX_ERROR: line 1:53"},
	{"PROCEDURE_NOT_FOUND", "USER_ERROR", "Table procedure not registered: OPTIMIZE_MANIFESTS", NULL, NULL,
	 FLOE_CLASS_CONFIG, TRINO_FAILED, "PROCEDURE_NOT_FOUND: Table"},
	{"INVALID_SESSION_PROPERTY", "USER_ERROR", "Session property 'rest.nosuch' does not exist", NULL, NULL,
	 FLOE_CLASS_CONFIG, TRINO_FAILED, "INVALID_SESSION_PROPERTY: Session"},
	{"NOT_SUPPORTED", "USER_ERROR", "This connector does not support table procedures", NULL, NULL,
	 FLOE_CLASS_PERMANENT, TRINO_FAILED, "NOT_SUPPORTED: This"},
	{"USER_CANCELED", "USER_ERROR", "Query was canceled", NULL, NULL, FLOE_CLASS_TRANSIENT, TRINO_INTERRUPTED,
	 "USER_CANCELED: Query was canceled (somebody ended it at the engine)"},
	{"ADMINISTRATIVELY_KILLED", "USER_ERROR", "Query killed. Message: no", NULL, NULL, FLOE_CLASS_RESOURCE,
	 TRINO_INTERRUPTED, "ADMINISTRATIVELY_KILLED: Query killed"},
	{"HIVE_METASTORE_ERROR", "EXTERNAL", "Failed connecting to Hive metastore: [127.0.0.1:18713]", NULL, NULL,
	 FLOE_CLASS_TRANSIENT, TRINO_FAILED, "HIVE_METASTORE_ERROR: Failed"},
	{"ICEBERG_CATALOG_ERROR", "EXTERNAL", "Failed to load table: t in low namespace",
	 "org.apache.iceberg.exceptions.RESTException", "Error occurred while processing GET request", FLOE_CLASS_TRANSIENT,
	 TRINO_FAILED,
	 "ICEBERG_CATALOG_ERROR: Failed to load table: t in low namespace; caused by RESTException: Error occurred"},
	/* as its source has them */
	{"ICEBERG_COMMIT_ERROR", "EXTERNAL", "Failed to commit during optimize",
	 "org.apache.iceberg.exceptions.ValidationException", "Missing required files to delete: s3://b/x.parquet",
	 FLOE_CLASS_CONFLICT, TRINO_FAILED, "ICEBERG_COMMIT_ERROR: Failed"},
	{"TRANSACTION_CONFLICT", "USER_ERROR", "Failed to commit", NULL, NULL, FLOE_CLASS_CONFLICT, TRINO_FAILED, "TRANS"},
	{"ICEBERG_COMMIT_ERROR", "EXTERNAL", "Failed to commit",
	 "org.apache.iceberg.exceptions.CommitStateUnknownException", "Cannot determine whether the commit was successful",
	 FLOE_CLASS_TRANSIENT, TRINO_IN_DOUBT, "ICEBERG_COMMIT_ERROR: Failed"},
	{"ICEBERG_FILESYSTEM_ERROR", "EXTERNAL", "Failed to list files",
	 "software.amazon.awssdk.services.s3.model.S3Exception", "Access Denied (Service: S3, Status Code: 403)",
	 FLOE_CLASS_CONFIG, TRINO_FAILED,
	 "ICEBERG_FILESYSTEM_ERROR: Failed to list files; caused by S3Exception: Access Denied"},
	{"ICEBERG_FILESYSTEM_ERROR", "EXTERNAL", "Failed", "S3Exception", "Please reduce your request rate. SlowDown",
	 FLOE_CLASS_TRANSIENT, TRINO_FAILED, "ICEBERG_FILESYSTEM_ERROR: Failed"},
	{"EXCEEDED_LOCAL_MEMORY_LIMIT", "INSUFFICIENT_RESOURCES", "Query exceeded per-node memory limit of 256MB", NULL,
	 NULL, FLOE_CLASS_RESOURCE, TRINO_INTERRUPTED, "EXCEEDED_LOCAL"},
	{"EXCEEDED_TIME_LIMIT", "INSUFFICIENT_RESOURCES", "Query exceeded maximum time limit of 1.00h", NULL, NULL,
	 FLOE_CLASS_RESOURCE, TRINO_INTERRUPTED, "EXCEEDED_TIME"},
	{"CLUSTER_OUT_OF_MEMORY", "INSUFFICIENT_RESOURCES", "killed", NULL, NULL, FLOE_CLASS_RESOURCE, TRINO_INTERRUPTED,
	 "CLUSTER"},
	{"QUERY_QUEUE_FULL", "INSUFFICIENT_RESOURCES", "Too many queued queries", NULL, NULL, FLOE_CLASS_RESOURCE,
	 TRINO_FAILED, "QUERY_QUEUE_FULL"},
	{"NO_NODES_AVAILABLE", "INTERNAL_ERROR", "No nodes available to run query", NULL, NULL, FLOE_CLASS_TRANSIENT,
	 TRINO_FAILED, "NO_NODES"},
	{"SERVER_SHUTTING_DOWN", "INTERNAL_ERROR", "Server is shutting down", NULL, NULL, FLOE_CLASS_TRANSIENT,
	 TRINO_INTERRUPTED, "SERVER_"},
	{"ABANDONED_QUERY", "USER_ERROR", "Query was abandoned by the client", NULL, NULL, FLOE_CLASS_TRANSIENT,
	 TRINO_IN_DOUBT, "ABANDONED_QUERY: Query was abandoned by the client (nobody asked"},
	{"REMOTE_TASK_ERROR", "INTERNAL_ERROR", "Expected response code", NULL, NULL, FLOE_CLASS_TRANSIENT,
	 TRINO_INTERRUPTED, "REMOTE_TASK_ERROR"},
	{"PERMISSION_DENIED", "USER_ERROR", "Access Denied: Cannot alter table", NULL, NULL, FLOE_CLASS_CONFIG,
	 TRINO_FAILED, "PERMISSION_DENIED: Access Denied: Cannot alter table (the engine's user lacks a privilege)"},
	{"ICEBERG_MISSING_METADATA", "EXTERNAL", "Metadata not found", NULL, NULL, FLOE_CLASS_PERMANENT, TRINO_FAILED,
	 "ICEBERG"},
	{"GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", "Java heap space", "java.lang.OutOfMemoryError", "Java heap space",
	 FLOE_CLASS_RESOURCE, TRINO_FAILED, "GENERIC_INTERNAL_ERROR: Java heap space"},
	/* unknown names go by their type; nothing at all is still a line */
	{"BRAND_NEW", "INSUFFICIENT_RESOURCES", "x", NULL, NULL, FLOE_CLASS_RESOURCE, TRINO_FAILED, "BRAND_NEW: x"},
	{"BRAND_NEW", "EXTERNAL", "x", NULL, NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, "BRAND_NEW: x"},
	{"BRAND_NEW", "USER_ERROR", "a\r\n\tb\001c", NULL, NULL, FLOE_CLASS_CONFIG, TRINO_FAILED, "BRAND_NEW: a"},
	{NULL, NULL, NULL, NULL, NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED, "the engine reports an error without a message"},
	{"X", "EXTERNAL", "token=hunter2\n\tat io.trino.Frame", NULL, NULL, FLOE_CLASS_TRANSIENT, TRINO_FAILED,
	 "X: token=***"},
};

static void
test_errors(void)
{
	FloeEngineTarget target = {.password = "hunter2"};
	FloeSecrets secrets;
	FloeStatus st;

	floe_secrets_collect(&secrets, &target, &st);
	for (size_t i = 0; i < lengthof(errors); i++)
	{
		FloeTrinoError error = {errors[i].name, errors[i].type, errors[i].message, errors[i].cause_type,
								errors[i].cause};
		char line[FLOE_ENGINE_ERROR_MAX];
		FloeTrinoEnding ending;
		FloeErrorClass error_class = floe_trino_error_read(&error, &secrets, line, sizeof(line), &ending);
		bool is_clean = strstr(line, "hunter2") == NULL && strstr(line, "Frame") == NULL;

		for (const char *at = line; *at != '\0'; at++)
			is_clean = is_clean && (unsigned char) *at >= ' ';
		is_str(floe_error_class_name(error_class), floe_error_class_name(errors[i].error_class), "class of %s", line);
		is_int(ending, errors[i].ending, "ending: %s", line);
		ok(is_clean && strncmp(line, errors[i].line, strlen(errors[i].line)) == 0, "line: %s", line);
	}
}

static void
test_long_error(void)
{
	FloeSecrets secrets = {0};
	char *message = malloc(200001);
	char line[FLOE_ENGINE_ERROR_MAX];
	FloeTrinoEnding ending;
	FloeTrinoError error = {"ICEBERG_COMMIT_ERROR", "EXTERNAL", message, "a.b.C", "d"};

	memset(message, 0xC3, 200000);
	message[200000] = '\0';
	is_int(floe_trino_error_read(&error, &secrets, line, sizeof(line), &ending), FLOE_CLASS_CONFLICT,
		   "an error without an end");
	ok(strlen(line) < sizeof(line), "is cut");
	free(message);
}

int
main(void)
{
	test_statements();
	test_names();
	test_catalogue();
	test_errors();
	test_long_error();
	return tap_done();
}
