/*
 * test_spark_errors.c: what floe makes of Spark's error texts.
 *
 * The texts are those of Spark 3.5.9 and 4.0 with Iceberg 1.11.0, shortened
 * only in their frames; those marked (class) stand as constants in the classes
 * of Iceberg, Spark or the AWS SDK and were not provoked.
 */
#include "floe.h"

#include "engine/hs2.h"
#include "engine/spark_errors.h"

#include "hs2_fixture.h"
#include "tap.h"

#define HIVE "org.apache.hive.service.cli.HiveSQLException: Error running query: "
#define AT                                                                                                             \
	"\n\tat org.apache.spark.sql.hive.thriftserver.SparkExecuteStatementOperation.run(X.scala:1)\n\tat "               \
	"java.base/x.y(Z.java:2)"
#define MORE "\n\t... 16 more\n"
#define CAUSED "Caused by: "

typedef struct ErrorCase
{
	const char *text;
	FloeErrorClass error_class;
	const char *line;
} ErrorCase;

static const ErrorCase cases[] = {
	/* floe's own words come this way, too: a host is no package, whatever follows it */
	{"127.0.0.1:10001 closed the connection without an answer", FLOE_CLASS_TRANSIENT,
	 "127.0.0.1:10001 closed the connection without an answer"},
	{"spark.example.org:10001 did not answer within 1000 ms", FLOE_CLASS_TRANSIENT,
	 "spark.example.org:10001 did not answer within 1000 ms"},
	{HIVE
	 "java.lang.RuntimeException: org.apache.iceberg.exceptions.NotFoundException: File does not exist: s3://a/b" AT,
	 FLOE_CLASS_PERMANENT,
	 "RuntimeException: org.apache.iceberg.exceptions.NotFoundException: File does not exist: s3://a/b (a file that "
	 "the "
	 "table's metadata names is missing in the store)"},
	/* table, catalog, procedure, options */
	{HIVE
	 "java.lang.RuntimeException: Couldn't load table 'db.nope' in catalog 'lab'" AT "\n" CAUSED
	 "java.lang.RuntimeException: Couldn't load table 'db.nope' in catalog 'lab'" AT MORE CAUSED
	 "org.apache.spark.sql.catalyst.analysis.NoSuchTableException: [TABLE_OR_VIEW_NOT_FOUND] The table or view db.nope "
	 "cannot be found. Verify the spelling.\nIf you did not qualify the name" AT MORE,
	 FLOE_CLASS_CONFIG,
	 "RuntimeException: Couldn't load table 'db.nope' in catalog 'lab'; caused by NoSuchTableException: "
	 "[TABLE_OR_VIEW_NOT_FOUND] The table or view db.nope cannot be found. Verify the spelling."},
	{"java.lang.RuntimeException: Couldn't load table 'db.nope' in catalog 'lab'", FLOE_CLASS_CONFIG,
	 "RuntimeException: Couldn't load table 'db.nope' in catalog 'lab'"},
	{"org.apache.kyuubi.KyuubiSQLException: Error operating ExecuteStatement: java.lang.RuntimeException: Couldn't "
	 "load "
	 "table 'db.nope' in catalog 'lab'\n\tat org.apache",
	 FLOE_CLASS_CONFIG, "RuntimeException: Couldn't load table 'db.nope' in catalog 'lab'"},
	{HIVE
	 "[PARSE_SYNTAX_ERROR] org.apache.spark.sql.catalyst.parser.ParseException: \n[PARSE_SYNTAX_ERROR] Syntax error "
	 "at or near 'CALL'.(line 1, pos 0)\n\n== SQL ==\nCALL lab.system.SlowDown()\n^^^\n" AT,
	 FLOE_CLASS_CONFIG,
	 "ParseException: [PARSE_SYNTAX_ERROR] Syntax error at or near 'CALL'.(line 1, pos 0) (Iceberg's SQL extensions "
	 "are "
	 "missing in spark.sql.extensions, or its version has no such procedure)"},
	{HIVE
	 "org.apache.spark.sql.catalyst.parser.extensions.IcebergParseException: \nno viable alternative at input ')'\n"
	 "== SQL ==\nCALL x()" AT,
	 FLOE_CLASS_CONFIG, "IcebergParseException: no viable alternative at input ')'"},
	{HIVE "org.apache.spark.sql.AnalysisException: Cannot use catalog spark_catalog: not a ProcedureCatalog" AT,
	 FLOE_CLASS_CONFIG,
	 "AnalysisException: Cannot use catalog spark_catalog: not a ProcedureCatalog (the engine knows no Iceberg catalog "
	 "of "
	 "the name asked for)"},
	{"Catalog spark_catalog does not support procedures.", FLOE_CLASS_CONFIG,
	 "Catalog spark_catalog does not support procedures. (the engine knows no Iceberg catalog of the name asked for)"},
	{HIVE "[_LEGACY_ERROR_TEMP_2215] org.apache.spark.SparkException: Cannot find catalog plugin class for catalog "
		  "'badcls': org.apache.iceberg.spark.NoSuchCatalog." AT "\n" CAUSED
		  "java.lang.ClassNotFoundException: org.apache.iceberg.spark.NoSuchCatalog" AT MORE,
	 FLOE_CLASS_CONFIG,
	 "SparkException: Cannot find catalog plugin class for catalog 'badcls': org.apache.iceberg.spark.NoSuchCatalog.; "
	 "caused by ClassNotFoundException: org.apache.iceberg.spark.NoSuchCatalog"},
	{"java.lang.IllegalArgumentException: Cannot use options [bogus], they are not supported by the action or the "
	 "rewriter "
	 "BIN-PACK",
	 FLOE_CLASS_CONFIG,
	 "IllegalArgumentException: Cannot use options [bogus], they are not supported by the action or the rewriter "
	 "BIN-PACK"},
	{"org.apache.spark.sql.AnalysisException: Could not build name to arg map: Unknown argument: tabel",
	 FLOE_CLASS_CONFIG, "AnalysisException: Could not build name to arg map: Unknown argument: tabel"},
	{"java.lang.IllegalArgumentException: Number of snapshots to retain must be at least 1, cannot be: 0",
	 FLOE_CLASS_CONFIG, "IllegalArgumentException: Number of snapshots to retain must be at least 1, cannot be: 0"},
	{"java.lang.NumberFormatException: For input string: \"128MB\"", FLOE_CLASS_CONFIG,
	 "NumberFormatException: For input string: \"128MB\""},
	{"org.apache.iceberg.exceptions.ValidationException: Cannot find field 'nocol' in struct: struct<1: id: optional "
	 "long>",
	 FLOE_CLASS_CONFIG, "ValidationException: Cannot find field 'nocol' in struct: struct<1: id: optional long>"},

	{HIVE
	 "[FAILED_TO_LOAD_ROUTINE] org.apache.spark.sql.AnalysisException: [FAILED_TO_LOAD_ROUTINE] Failed to load routine "
	 "`labfs`.`system`.`nosuch`. SQLSTATE: 38000" AT "\n" CAUSED
	 "java.lang.RuntimeException: Procedure system.nosuch not found" AT MORE,
	 FLOE_CLASS_CONFIG,
	 "AnalysisException: [FAILED_TO_LOAD_ROUTINE] Failed to load routine `labfs`.`system`.`nosuch`. SQLSTATE: 38000; "
	 "caused "
	 "by RuntimeException: Procedure system.nosuch not found (the engine's Iceberg has no such procedure)"},

	/* never by itself */
	{"org.apache.iceberg.exceptions.ValidationException: Cannot expire snapshots: GC is disabled (deleting files may "
	 "corrupt "
	 "other tables)" AT,
	 FLOE_CLASS_PERMANENT,
	 "ValidationException: Cannot expire snapshots: GC is disabled (deleting files may corrupt other tables) (table "
	 "property "
	 "gc.enabled is false)"},
	{"java.lang.UnsupportedOperationException: Cannot read unsupported version 4", FLOE_CLASS_PERMANENT,
	 "UnsupportedOperationException: Cannot read unsupported version 4"},

	/* a concurrent commit won (class) */
	{HIVE
	 "java.lang.RuntimeException: Cannot commit rewrite because of a ValidationException or CommitFailedException. "
	 "This "
	 "usually means that this rewrite has conflicted with another concurrent Iceberg operation." AT "\n" CAUSED
	 "org.apache.iceberg.exceptions.ValidationException: Missing required files to delete: file:/a.parquet" AT MORE,
	 FLOE_CLASS_CONFLICT,
	 "RuntimeException: Cannot commit rewrite because of a ValidationException or CommitFailedException. This usually "
	 "means "
	 "that this rewrite has conflicted with another concurrent Iceberg operation.; caused by ValidationException: "
	 "Missing "
	 "required files to delete: file:/a.parquet"},
	/* a delete came for a file that was being rewritten (made by test_streams.py), by position and of either kind */
	{"org.apache.iceberg.exceptions.ValidationException: Cannot commit, found new position delete for replaced data "
	 "file: GenericDataFile{content=data, file_path=file:///t/data/a.parquet}" AT,
	 FLOE_CLASS_CONFLICT,
	 "ValidationException: Cannot commit, found new position delete for replaced data file: "
	 "GenericDataFile{content=data, file_path=file:///t/data/a.parquet}"},
	{"org.apache.iceberg.exceptions.ValidationException: Cannot commit, found new delete for replaced data file: "
	 "GenericDataFile{content=data}",
	 FLOE_CLASS_CONFLICT,
	 "ValidationException: Cannot commit, found new delete for replaced data file: GenericDataFile{content=data}"},
	{"org.apache.iceberg.exceptions.ValidationException: Found new conflicting delete files that can apply to records "
	 "matching true: [d.parquet]",
	 FLOE_CLASS_CONFLICT,
	 "ValidationException: Found new conflicting delete files that can apply to records matching true: [d.parquet]"},
	{"org.apache.iceberg.exceptions.ValidationException: Found conflicting files that can contain records matching "
	 "true: "
	 "[a.parquet]",
	 FLOE_CLASS_CONFLICT,
	 "ValidationException: Found conflicting files that can contain records matching true: [a.parquet]"},
	{"org.apache.iceberg.exceptions.ValidationException: Deleted manifest file:/t/metadata/a-m1.avro could not be "
	 "found in "
	 "the latest snapshot 7833650795966637410",
	 FLOE_CLASS_CONFLICT,
	 "ValidationException: Deleted manifest file:/t/metadata/a-m1.avro could not be found in the latest snapshot "
	 "7833650795966637410"},
	{"org.apache.iceberg.exceptions.ValidationException: Manifest is missing: file:/t/metadata/a-m1.avro",
	 FLOE_CLASS_CONFLICT, "ValidationException: Manifest is missing: file:/t/metadata/a-m1.avro"},
	{"org.apache.iceberg.exceptions.ValidationException: Cannot commit, found new delete for replaced data file: x",
	 FLOE_CLASS_CONFLICT, "ValidationException: Cannot commit, found new delete for replaced data file: x"},
	{"org.apache.iceberg.exceptions.CommitFailedException: Requirement failed: branch main has changed",
	 FLOE_CLASS_CONFLICT, "CommitFailedException: Requirement failed: branch main has changed"},
	{"java.lang.RuntimeException: partial-progress.enabled is true but 3 rewrite commits failed. This is more than the "
	 "maximum allowed failures of 2.",
	 FLOE_CLASS_CONFLICT,
	 "RuntimeException: partial-progress.enabled is true but 3 rewrite commits failed. This is more than the maximum "
	 "allowed "
	 "failures of 2."},

	/* memory, disk (class) */
	{HIVE "org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 3.0 failed 1 times, most "
		  "recent "
		  "failure: Lost task 0.0 in stage 3.0 (TID 5) (host executor driver): java.lang.OutOfMemoryError: Java heap "
		  "space" AT,
	 FLOE_CLASS_RESOURCE,
	 "SparkException: Job aborted due to stage failure: Task 0 in stage 3.0 failed 1 times, most recent failure: Lost "
	 "task "
	 "0.0 in stage 3.0 (TID 5) (host executor driver): java.lang.OutOfMemoryError: Java heap space"},
	{"org.apache.spark.SparkException: Job aborted\n\tat x\n" CAUSED
	 "java.io.IOException: No space left on device\n\tat y",
	 FLOE_CLASS_RESOURCE, "SparkException: Job aborted; caused by IOException: No space left on device"},
	{"org.apache.spark.SparkException: Total size of serialized results of 9 tasks (1 GiB) is bigger than "
	 "spark.driver.maxResultSize (1 GiB)",
	 FLOE_CLASS_RESOURCE,
	 "SparkException: Total size of serialized results of 9 tasks (1 GiB) is bigger than spark.driver.maxResultSize (1 "
	 "GiB)"},

	/* credentials and privileges: Iceberg's class decides, whatever the words */
	{"org.apache.iceberg.exceptions.ForbiddenException: Forbidden: request timed out", FLOE_CLASS_CONFIG,
	 "ForbiddenException: Forbidden: request timed out (the engine's credentials lack a privilege in the catalog)"},
	{HIVE "java.lang.RuntimeException: Couldn't load table 'db.t' in catalog 'x'" AT "\n" CAUSED
		  "org.apache.iceberg.exceptions.NotAuthorizedException: Not authorized: invalid_client" AT,
	 FLOE_CLASS_CONFIG,
	 "RuntimeException: Couldn't load table 'db.t' in catalog 'x'; caused by NotAuthorizedException: Not authorized: "
	 "invalid_client (the catalog refuses the engine's credentials)"},
	{"software.amazon.awssdk.services.s3.model.S3Exception: Access Denied (Service: S3, Status Code: 403, Request ID: "
	 "1)",
	 FLOE_CLASS_CONFIG,
	 "S3Exception: Access Denied (Service: S3, Status Code: 403, Request ID: 1) (the engine's credentials lack a "
	 "privilege in "
	 "the store)"},
	{HIVE "org.apache.iceberg.exceptions.RuntimeIOException: Failed to get file system for path: s3://nobucket/wh" AT
		  "\n" CAUSED "org.apache.hadoop.fs.UnsupportedFileSystemException: No FileSystem for scheme \"s3\"" AT,
	 FLOE_CLASS_CONFIG,
	 "RuntimeIOException: Failed to get file system for path: s3://nobucket/wh; caused by "
	 "UnsupportedFileSystemException: No "
	 "FileSystem for scheme \"s3\" (the engine lacks the file system; remove_orphan_files can go without it by "
	 "prefix_listing)"},

	/* network, overload */
	{HIVE
	 "org.apache.iceberg.exceptions.RESTException: Error occurred while processing GET request" AT "\n" CAUSED
	 "org.apache.iceberg.exceptions.RESTException: Error occurred while processing GET request" AT MORE CAUSED
	 "org.apache.iceberg.shaded.org.apache.hc.client5.http.HttpHostConnectException: Connect to http://127.0.0.1:19310 "
	 "failed: Connection refused" AT MORE,
	 FLOE_CLASS_TRANSIENT,
	 "RESTException: Error occurred while processing GET request; caused by HttpHostConnectException: Connect to "
	 "http://127.0.0.1:19310 failed: Connection refused"},
	{HIVE "org.apache.iceberg.exceptions.RESTException: Error occurred while processing GET request" AT "\n" CAUSED
		  "java.net.UnknownHostException: no.such.host.invalid: Name or service not known" AT,
	 FLOE_CLASS_TRANSIENT,
	 "RESTException: Error occurred while processing GET request; caused by UnknownHostException: "
	 "no.such.host.invalid: Name "
	 "or service not known"},
	{"software.amazon.awssdk.services.s3.model.S3Exception: Please reduce your request rate. (Service: S3, Status "
	 "Code: 503, "
	 "Request ID: 1)",
	 FLOE_CLASS_TRANSIENT,
	 "S3Exception: Please reduce your request rate. (Service: S3, Status Code: 503, Request ID: 1)"},
	{"org.apache.iceberg.exceptions.CommitStateUnknownException: Service failed: 502\nCannot determine whether the "
	 "commit was "
	 "successful",
	 FLOE_CLASS_TRANSIENT,
	 "CommitStateUnknownException: Service failed: 502 (the table's snapshots decide whether it was committed)"},
	{"org.apache.iceberg.exceptions.ServiceUnavailableException: Service unavailable: try later", FLOE_CLASS_TRANSIENT,
	 "ServiceUnavailableException: Service unavailable: try later"},

	/* form */
	{"", FLOE_CLASS_TRANSIENT, ""},
	{"\n\n\t\n", FLOE_CLASS_TRANSIENT, ""},
	{"\n\tat a.b(C.java)\n", FLOE_CLASS_TRANSIENT, ""},
	{HIVE, FLOE_CLASS_TRANSIENT, ""},
	{"something new", FLOE_CLASS_TRANSIENT, "something new"},
	{"a\tb\x01\xFF"
	 "c\r\nsecond",
	 FLOE_CLASS_TRANSIENT,
	 "a b \xEF\xBF\xBD"
	 "c"},
	{"*java.nio.BufferUnderflowException:null:14:13", FLOE_CLASS_TRANSIENT,
	 "*java.nio.BufferUnderflowException:null:14:13"},
	{"MyOutOfMemoryErrorHandler was called", FLOE_CLASS_TRANSIENT, "MyOutOfMemoryErrorHandler was called"},
	{CAUSED CAUSED "x.y.Z: a\n" CAUSED, FLOE_CLASS_TRANSIENT, "Caused by: x.y.Z: a"},
};

static void
test_cases(void)
{
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		const ErrorCase *e = &cases[i];
		char line[FLOE_ENGINE_ERROR_MAX];
		bool in_doubt;
		FloeErrorClass error_class = floe_spark_error_read(e->text, strlen(e->text), line, sizeof(line), &in_doubt);

		is_str(line, e->line, "line %zu", i);
		is_str(floe_error_class_name(error_class), floe_error_class_name(e->error_class), "class of it");
		is_int(in_doubt, strstr(e->text, "CommitStateUnknownException") != NULL, "in doubt: %s", line);
	}
}

/* The longest that a server sent, and worse. */
static void
test_size(void)
{
	size_t len = 4 * 1024 * 1024;
	char *text = malloc(len);
	char line[64];
	bool in_doubt;

	memset(text, 'x', len);
	floe_spark_error_read(text, len, line, sizeof(line), &in_doubt);
	is_int(strlen(line), sizeof(line) - 1, "one line of four megabytes is cut");
	for (size_t i = 0; i + 11 <= len; i += 11)
		memcpy(text + i, "Caused by: ", 11);
	for (size_t i = 11; i < len; i += 13)
		text[i] = '\n';
	(void) floe_spark_error_read(text, len, line, sizeof(line), &in_doubt);
	memset(text, 0xFF, len);
	(void) floe_spark_error_read(text, len, line, sizeof(line), &in_doubt);
	ok(strncmp(line, "\xEF\xBF\xBD\xEF\xBF\xBD", 6) == 0, "nonsense is repaired");
	free(text);
}

/* What the server really sent, with all its frames. */
static void
test_recorded(void)
{
	static const struct
	{
		const char *label;
		const char *line;
	} recorded[] = {
		{"status_missing_table",
		 "RuntimeException: Couldn't load table 'db.nope' in catalog 'labfs'; caused by NoSuchTableException: "
		 "[TABLE_OR_VIEW_NOT_FOUND] The table or view db.nope cannot be found. Verify the spelling and correctness of "
		 "the "
		 "schema and catalog."},
		{"status_unknown_procedure", "ParseException: [PARSE_SYNTAX_ERROR] Syntax error at or near 'CALL'.(line 1, pos "
									 "0) (Iceberg's SQL extensions are "
									 "missing in spark.sql.extensions, or its version has no such procedure)"},
	};

	fixture_load("test/fixtures/hs2/spark-3.5.9.txt");
	for (size_t i = 0; i < lengthof(recorded); i++)
	{
		const Fixture *f = fixture(recorded[i].label);
		char line[FLOE_ENGINE_ERROR_MAX];
		bool in_doubt;
		FloeHs2Reply reply;
		FloeStatus st;

		ok(floe_hs2_read_reply(FLOE_HS2_GET_OPERATION_STATUS, 1, f->response, f->response_len, &reply, &st), "%s",
		   recorded[i].label);
		is_str(floe_error_class_name(
				   floe_spark_error_read(reply.error.data, reply.error.len, line, sizeof(line), &in_doubt)),
			   "config", "its class");
		is_str(line, recorded[i].line, "its line");
	}
	fixture_free();
}

int
main(void)
{
	test_cases();
	test_size();
	test_recorded();
	return tap_done();
}
