/*
 * test_hs2.c: HiveServer2 requests and replies, against what Spark really sent and received.
 */
#include "floe.h"

#include "base/json.h"
#include "engine/hs2.h"

#include "hs2_fixture.h"
#include "tap.h"

#include <math.h>

static const FloeSecrets no_secrets;

/* -------------------------------------------------------------------------
 * Requests, byte for byte
 * ------------------------------------------------------------------------- */

static void
is_request(FloeBuf *buf, const char *label)
{
	const Fixture *f = fixture(label);

	ok(!buf->failed && buf->len == f->request_len && memcmp(buf->data, f->request, buf->len) == 0,
	   "request %s is what was recorded", label);
	floe_buf_reset(buf);
}

/* The handles that the recorded answers gave out. */
static FloeHs2Handle
recorded_session(void)
{
	const Fixture *f = fixture("open");
	FloeHs2Reply reply;
	FloeStatus st;

	ok(floe_hs2_read_reply(FLOE_HS2_OPEN_SESSION, 1, f->response, f->response_len, &reply, &st), "OpenSession is read");
	return reply.session;
}

static FloeHs2Operation
recorded_operation(const char *label)
{
	const Fixture *f = fixture(label);
	FloeHs2Reply reply;
	FloeStatus st;

	ok(floe_hs2_read_reply(FLOE_HS2_EXECUTE_STATEMENT, 1, f->response, f->response_len, &reply, &st),
	   "ExecuteStatement is read");
	return reply.operation;
}

static void
test_requests(void)
{
	static const FloeKeyValue conf[] = {{"set:hiveconf:hive.server2.long.polling.timeout", "0ms"},
										{"set:hiveconf:spark.sql.thriftserver.scheduler.pool", "floe"},
										{"use:database", "default"}};
	FloeHs2Handle session = recorded_session();
	FloeHs2Operation operation = recorded_operation("execute_rewrite");
	FloeHs2Operation canceled = recorded_operation("execute_sleep");
	FloeBuf buf;
	char guid[37];

	floe_buf_init(&buf, 10000);
	floe_hs2_open_session(&buf, 1, conf, lengthof(conf));
	is_request(&buf, "open");
	floe_hs2_get_info(&buf, 1, &session, FLOE_HS2_INFO_DBMS_VERSION);
	is_request(&buf, "info_version");
	floe_hs2_execute_statement(&buf, 1, &session,
							   "/* floe:op:8f14e45f-ceea-467f-a0e6-5b2d1c3a7e90 */ CALL "
							   "labfs.system.rewrite_data_files(table => 'db.t', options => "
							   "map('rewrite-all','true'))");
	is_request(&buf, "execute_rewrite");
	floe_hs2_operation_call(&buf, FLOE_HS2_GET_OPERATION_STATUS, 1, &operation);
	is_request(&buf, "status_finished");
	floe_hs2_operation_call(&buf, FLOE_HS2_GET_RESULT_SET_METADATA, 1, &operation);
	is_request(&buf, "metadata_rewrite");
	floe_hs2_fetch_results(&buf, 1, &operation, FLOE_HS2_FETCH_NEXT, 1000);
	is_request(&buf, "fetch_rewrite");
	floe_hs2_operation_call(&buf, FLOE_HS2_CLOSE_OPERATION, 1, &operation);
	is_request(&buf, "close_operation");
	floe_hs2_operation_call(&buf, FLOE_HS2_CANCEL_OPERATION, 1, &canceled);
	is_request(&buf, "cancel");
	floe_hs2_close_session(&buf, 1, &session);
	is_request(&buf, "close_session");
	floe_buf_free(&buf);

	floe_hs2_guid_text(&operation.handle, guid);
	is_str(guid, "8152e51d-16c3-4462-9b39-ddf3adf4ee1b", "the operation's id as Spark's UI shows it");
}

/* -------------------------------------------------------------------------
 * Replies
 * ------------------------------------------------------------------------- */

typedef struct ReplyCase
{
	const char *label;
	FloeHs2Call call;
	bool is_ok;
	bool is_lost;
	int state;         /* GetOperationStatus; -1: not asked */
	const char *error; /* how the text of the failure begins */
} ReplyCase;

static const ReplyCase reply_cases[] = {
	{"open", FLOE_HS2_OPEN_SESSION, true, false, -1, ""},
	{"info_version", FLOE_HS2_GET_INFO, true, false, -1, ""},
	{"execute_rewrite", FLOE_HS2_EXECUTE_STATEMENT, true, false, -1, ""},
	{"status_finished", FLOE_HS2_GET_OPERATION_STATUS, true, false, FLOE_HS2_FINISHED, ""},
	{"status_running", FLOE_HS2_GET_OPERATION_STATUS, true, false, FLOE_HS2_RUNNING, ""},
	{"status_canceled", FLOE_HS2_GET_OPERATION_STATUS, true, false, FLOE_HS2_CANCELED, ""},
	{"status_missing_table", FLOE_HS2_GET_OPERATION_STATUS, true, false, FLOE_HS2_ERROR,
	 "org.apache.hive.service.cli.HiveSQLException: Error running query: java.lang.RuntimeException: Couldn't load "},
	{"status_unknown_procedure", FLOE_HS2_GET_OPERATION_STATUS, true, false, FLOE_HS2_ERROR,
	 "org.apache.hive.service.cli.HiveSQLException: Error running query: [PARSE_SYNTAX_ERROR] "},
	{"status_invalid_handle", FLOE_HS2_GET_OPERATION_STATUS, false, true, -1, "Invalid OperationHandle"},
	{"execute_invalid_session", FLOE_HS2_EXECUTE_STATEMENT, false, true, -1, "Invalid SessionHandle"},
	{"cancel", FLOE_HS2_CANCEL_OPERATION, true, false, -1, ""},
	{"close_operation", FLOE_HS2_CLOSE_OPERATION, true, false, -1, ""},
	{"close_session", FLOE_HS2_CLOSE_SESSION, true, false, -1, ""},
};

static void
test_replies(void)
{
	for (size_t i = 0; i < lengthof(reply_cases); i++)
	{
		const ReplyCase *r = &reply_cases[i];
		const Fixture *f = fixture(r->label);
		FloeHs2Reply reply;
		FloeThriftText text;
		FloeStatus st;

		ok(floe_hs2_read_reply(r->call, 1, f->response, f->response_len, &reply, &st), "%s is read", r->label);
		ok(floe_hs2_is_ok(&reply.status) == r->is_ok, "%s: OK or not", r->label);
		ok(floe_hs2_is_lost(&reply.status) == r->is_lost, "%s: lost or not", r->label);
		if (r->state >= 0)
			is_int(reply.state, r->state, "%s: state", r->label);
		text = r->is_ok ? reply.error : reply.status.message;
		ok(text.len >= strlen(r->error) && memcmp(text.data, r->error, strlen(r->error)) == 0 &&
			   (text.len == 0) == (r->error[0] == '\0'),
		   "%s: text", r->label);
		ok(!floe_hs2_read_reply(r->call, 2, f->response, f->response_len, &reply, &st) && st.code == FLOE_ERR_PROTOCOL,
		   "%s: the answer to another call is refused", r->label);
	}
}

/* A message of one call with the fields of its result, for replies that were not recorded. */
static void
begin_reply(FloeBuf *buf, FloeHs2Call call)
{
	floe_thrift_write_message(buf, floe_hs2_call_name(call), FLOE_THRIFT_REPLY, 1);
	floe_thrift_write_field(buf, FLOE_THRIFT_STRUCT, 0);
}

static void
write_status(FloeBuf *buf, int code, const char *message, const char *info)
{
	floe_thrift_write_field(buf, FLOE_THRIFT_STRUCT, 1);
	floe_thrift_write_field(buf, FLOE_THRIFT_I32, 1);
	floe_thrift_write_i32(buf, code);
	if (info != NULL)
	{
		floe_thrift_write_field(buf, FLOE_THRIFT_LIST, 2);
		floe_thrift_write_list(buf, FLOE_THRIFT_STRING, 2);
		floe_thrift_write_text(buf, info);
		floe_thrift_write_text(buf, "more");
	}
	if (message != NULL)
	{
		floe_thrift_write_field(buf, FLOE_THRIFT_STRING, 5);
		floe_thrift_write_text(buf, message);
	}
	floe_thrift_write_stop(buf);
}

static void
end_reply(FloeBuf *buf)
{
	floe_thrift_write_stop(buf);
	floe_thrift_write_stop(buf);
}

typedef struct LostCase
{
	int code;
	const char *message;
	const char *info;
	bool is_lost;
} LostCase;

static const LostCase lost_cases[] = {
	{3, "Session does not exist!", NULL, true},
	{3, "org.apache.kyuubi.KyuubiSQLException: Invalid SessionHandle [f8e]\n\tat org.apache", NULL, true},
	{4, "whatever", NULL, true},
	{3, NULL, "*java.nio.BufferUnderflowException:null:14:13", false},
	{3, "something else\n\tat Invalid SessionHandle", NULL, false},
	{0, "Invalid SessionHandle", NULL, false},
	{3, NULL, NULL, false},
};

static void
test_lost(void)
{
	FloeHs2Reply reply;
	FloeStatus st;
	FloeBuf buf;

	floe_buf_init(&buf, 10000);
	for (size_t i = 0; i < lengthof(lost_cases); i++)
	{
		const LostCase *l = &lost_cases[i];
		const char *text = l->message ? l->message : l->info ? l->info : "";

		begin_reply(&buf, FLOE_HS2_CLOSE_SESSION);
		write_status(&buf, l->code, l->message, l->info);
		end_reply(&buf);
		ok(floe_hs2_read_reply(FLOE_HS2_CLOSE_SESSION, 1, buf.data, buf.len, &reply, &st) &&
			   floe_hs2_is_lost(&reply.status) == l->is_lost,
		   "lost or not, case %zu", i);
		ok(reply.status.message.len == strlen(text) &&
			   memcmp(reply.status.message.data, text, reply.status.message.len) == 0,
		   "its message, case %zu", i);
		floe_buf_reset(&buf);
	}

	/* what an OK answer must hold */
	for (FloeHs2Call call = FLOE_HS2_OPEN_SESSION; call <= FLOE_HS2_GET_INFO; call++)
	{
		bool has_nothing_more =
			call == FLOE_HS2_CANCEL_OPERATION || call == FLOE_HS2_CLOSE_OPERATION || call == FLOE_HS2_CLOSE_SESSION;

		begin_reply(&buf, call);
		write_status(&buf, 0, NULL, NULL);
		end_reply(&buf);
		ok(floe_hs2_read_reply(call, 1, buf.data, buf.len, &reply, &st) == has_nothing_more, "bare OK to %s",
		   floe_hs2_call_name(call));
		floe_buf_reset(&buf);
	}
	begin_reply(&buf, FLOE_HS2_CLOSE_SESSION);
	end_reply(&buf);
	ok(!floe_hs2_read_reply(FLOE_HS2_CLOSE_SESSION, 1, buf.data, buf.len, &reply, &st), "no status at all");
	floe_buf_free(&buf);
}

/* -------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------- */

static FloeArena *arena;

static bool
read_schema(const char *label, FloeHs2Schema *schema)
{
	const Fixture *f = fixture(label);
	FloeHs2Status status;
	FloeStatus st;

	return floe_hs2_read_metadata(arena, f->sequence, f->response, f->response_len, schema, &status, &st) &&
		   floe_hs2_is_ok(&status);
}

static void
is_rows(const char *metadata, const char *fetch, const FloeSecrets *secrets, const char *want)
{
	const Fixture *f = fixture(fetch);
	FloeHs2Schema schema;
	FloeHs2Status status;
	FloeStatus st;
	FloeBuf json;
	int64_t room = 100;

	floe_buf_init(&json, 10000);
	ok(read_schema(metadata, &schema), "%s is read", metadata);
	ok(floe_hs2_read_rows(&schema, f->sequence, f->response, f->response_len, &status, &st) && floe_hs2_is_ok(&status),
	   "%s is read", fetch);
	ok(floe_hs2_append_rows(&schema, secrets, &json, 10000, &room, &st), "and written");
	is_str(json.data, want, "rows of %s", fetch);
	is_int(schema.nrows, 100 - room, "all of them");
	floe_buf_free(&json);
}

static void
test_rows(void)
{
	FloeSecrets secrets = {0};
	FloeStatus st;
	FloeHs2Schema schema;
	FloeHs2Status status;
	const Fixture *f;
	FloeBuf json;
	int64_t room;

	is_rows("metadata_rewrite", "fetch_rewrite", &no_secrets,
			"[{\"rewritten_data_files_count\":4,\"added_data_files_count\":1,\"rewritten_bytes_count\":2528,"
			"\"failed_data_files_count\":0,\"removed_delete_files_count\":0}");
	is_rows("metadata_rewrite", "fetch_rewrite_end", &no_secrets, NULL);
	is_rows("metadata_orphan", "fetch_orphan_none", &no_secrets, NULL);
	/* null bitmaps 49 02 and 00 01 */
	is_rows("metadata_nulls", "fetch_nulls", &no_secrets,
			"[{\"a\":0,\"b\":null,\"c\":\"s0\"},{\"a\":1,\"b\":1,\"c\":\"s1\"},{\"a\":2,\"b\":2,\"c\":\"s2\"},"
			"{\"a\":3,\"b\":null,\"c\":\"s3\"},{\"a\":4,\"b\":4,\"c\":\"s4\"},{\"a\":5,\"b\":5,\"c\":\"s5\"},"
			"{\"a\":6,\"b\":null,\"c\":\"s6\"},{\"a\":7,\"b\":7,\"c\":\"s7\"},{\"a\":8,\"b\":8,\"c\":null},"
			"{\"a\":9,\"b\":null,\"c\":\"s9\"}");

	/* metadata announces a column, the set of rows has none */
	is_rows("metadata_ddl", "fetch_ddl", &no_secrets, NULL);
	is_rows("metadata_types", "fetch_types", &no_secrets,
			"[{\"b\":true,\"ti\":1,\"si\":-2,\"i\":3,\"l\":4,\"f\":1.5,\"d\":2.5,\"nan\":\"NaN\",\"dec\":\"1.10\","
			"\"dt\":\"2026-01-31\","
			"\"ts\":\"2026-01-31 "
			"10:00:00\",\"s\":\"tx\\\"\\\\t\",\"bin\":\"00ff\",\"arr\":\"[1,2]\",\"m\":\"{\\\"k\\\":1}\","
			"\"st\":\"{\\\"x\\\":1}\",\"n\":null,\"iv\":\"1 00:00:00.000000000\"}");

	floe_secrets_add(&secrets, "s4", 2, &st);
	floe_secrets_add(&secrets, "2528", 4, &st);
	floe_secrets_add(&secrets, "count", 5, &st);
	is_rows("metadata_rewrite", "fetch_rewrite", &secrets,
			"[{\"rewritten_data_files_***\":4,\"added_data_files_***\":1,\"rewritten_bytes_***\":\"***\","
			"\"failed_data_files_***\":0,\"removed_delete_files_***\":0}");

	/* a fetch that was refused, a fetch of another result */
	ok(read_schema("metadata_nulls", &schema), "schema");
	f = fixture("fetch_canceled");
	ok(floe_hs2_read_rows(&schema, 1, f->response, f->response_len, &status, &st) && !floe_hs2_is_ok(&status) &&
		   !floe_hs2_is_lost(&status) && schema.nrows == 0,
	   "a refused fetch has no rows");
	f = fixture("fetch_rewrite");
	ok(!floe_hs2_read_rows(&schema, 1, f->response, f->response_len, &status, &st) && st.code == FLOE_ERR_PROTOCOL,
	   "another number of columns is refused");

	/* caps: one row is 24 bytes with its separator */
	f = fixture("fetch_nulls");
	floe_buf_init(&json, 10000);
	room = 3;
	ok(floe_hs2_read_rows(&schema, 1, f->response, f->response_len, &status, &st) &&
		   floe_hs2_append_rows(&schema, &no_secrets, &json, 10000, &room, &st) && room == 0,
	   "a cap of rows");
	is_str(json.data,
		   "[{\"a\":0,\"b\":null,\"c\":\"s0\"},{\"a\":1,\"b\":1,\"c\":\"s1\"},{\"a\":2,\"b\":2,\"c\":\"s2\"}",
		   "is kept");
	floe_buf_reset(&json);
	room = 100;
	ok(floe_hs2_read_rows(&schema, 1, f->response, f->response_len, &status, &st) &&
		   floe_hs2_append_rows(&schema, &no_secrets, &json, 50, &room, &st) && room == 0,
	   "a cap of bytes");
	is_str(json.data, "[{\"a\":0,\"b\":null,\"c\":\"s0\"},{\"a\":1,\"b\":1,\"c\":\"s1\"}", "is kept");
	is_int(schema.nrows, 10, "and all rows are counted");
	floe_buf_free(&json);
}

/* Every kind of column, and texts that need care; written by hand because no procedure returns them. */
static void
write_types(FloeBuf *metadata, FloeBuf *rows)
{
	static const char *const names[] = {"bool", "byte", "short", "int", "long", "double", "te\"xt", "bytes"};
	static const uint8_t types[] = {FLOE_THRIFT_BOOL, FLOE_THRIFT_I8,     FLOE_THRIFT_I16,    FLOE_THRIFT_I32,
									FLOE_THRIFT_I64,  FLOE_THRIFT_DOUBLE, FLOE_THRIFT_STRING, FLOE_THRIFT_STRING};

	begin_reply(metadata, FLOE_HS2_GET_RESULT_SET_METADATA);
	write_status(metadata, 0, NULL, NULL);
	floe_thrift_write_field(metadata, FLOE_THRIFT_STRUCT, 2);
	floe_thrift_write_field(metadata, FLOE_THRIFT_LIST, 1);
	floe_thrift_write_list(metadata, FLOE_THRIFT_STRUCT, lengthof(names));
	begin_reply(rows, FLOE_HS2_FETCH_RESULTS);
	write_status(rows, 0, NULL, NULL);
	floe_thrift_write_field(rows, FLOE_THRIFT_STRUCT, 3);
	floe_thrift_write_field(rows, FLOE_THRIFT_LIST, 3);
	floe_thrift_write_list(rows, FLOE_THRIFT_STRUCT, lengthof(names));
	for (size_t i = 0; i < lengthof(names); i++)
	{
		floe_thrift_write_field(metadata, FLOE_THRIFT_STRING, 1);
		floe_thrift_write_text(metadata, names[i]);
		floe_thrift_write_stop(metadata);
		floe_thrift_write_field(rows, FLOE_THRIFT_STRUCT, (int16_t) (i + 1));
		floe_thrift_write_field(rows, FLOE_THRIFT_LIST, 1);
		floe_thrift_write_list(rows, types[i], 2);
		for (int row = 0; row < 2; row++)
		{
			if (types[i] == FLOE_THRIFT_BOOL)
				floe_thrift_write_bool(rows, row == 0);
			else if (types[i] == FLOE_THRIFT_I8)
				floe_thrift_write_i8(rows, row == 0 ? -128 : 127);
			else if (types[i] == FLOE_THRIFT_I16)
				floe_thrift_write_i16(rows, row == 0 ? -32768 : 32767);
			else if (types[i] == FLOE_THRIFT_I32)
				floe_thrift_write_i32(rows, row == 0 ? INT32_MIN : INT32_MAX);
			else if (types[i] == FLOE_THRIFT_I64)
				floe_thrift_write_i64(rows, row == 0 ? INT64_MIN : INT64_MAX);
			else if (types[i] == FLOE_THRIFT_DOUBLE)
				floe_thrift_write_double(rows, row == 0 ? 0.1 : -INFINITY);
			else
				floe_thrift_write_binary(rows, row == 0 ? "a\0\xFF\"\n\\é" : "", row == 0 ? 8 : 0);
		}
		floe_thrift_write_field(rows, FLOE_THRIFT_STRING, 2);
		floe_thrift_write_binary(rows, "", 0);
		floe_thrift_write_stop(rows); /* of the values */
		floe_thrift_write_stop(rows); /* of the union */
	}
	floe_thrift_write_stop(metadata);
	end_reply(metadata);
	floe_thrift_write_stop(rows);
	end_reply(rows);
}

static void
test_types(void)
{
	FloeBuf metadata;
	FloeBuf rows;
	FloeBuf json;
	FloeHs2Schema schema;
	FloeHs2Status status;
	FloeStatus st;
	FloeJsonDoc *doc;
	int64_t room = 100;

	floe_buf_init(&metadata, 10000);
	floe_buf_init(&rows, 10000);
	floe_buf_init(&json, 10000);
	write_types(&metadata, &rows);
	ok(floe_hs2_read_metadata(arena, 1, metadata.data, metadata.len, &schema, &status, &st) &&
		   floe_hs2_read_rows(&schema, 1, rows.data, rows.len, &status, &st) &&
		   floe_hs2_append_rows(&schema, &no_secrets, &json, 10000, &room, &st),
	   "every kind of column is read");
	is_str(json.data,
		   "[{\"bool\":true,\"byte\":-128,\"short\":-32768,\"int\":-2147483648,\"long\":-9223372036854775808,"
		   "\"double\":0.1,\"te\\\"xt\":\"a\xEF\xBF\xBD\xEF\xBF\xBD\\\"\\u000a\\\\é\",\"bytes\":\"6100ff220a5cc3a9\"},"
		   "{\"bool\":false,\"byte\":127,\"short\":32767,\"int\":2147483647,\"long\":9223372036854775807,"
		   "\"double\":\"-Infinity\",\"te\\\"xt\":\"\",\"bytes\":\"\"}",
		   "and written");
	floe_buf_char(&json, ']');
	doc = floe_json_parse(json.data, json.len, "rows", 10000, &st);
	ok(doc != NULL && floe_json_length(floe_json_root(doc)) == 2, "the result is JSON");
	floe_json_free(doc);

	/* one byte of a value's type is wrong: a column of longs announced as a column of texts */
	for (size_t i = 0; i + 3 < rows.len; i++)
	{
		if (memcmp(rows.data + i, "\x0C\x00\x05\x0F", 4) == 0)
			rows.data[i + 2] = 7;
	}
	ok(!floe_hs2_read_rows(&schema, 1, rows.data, rows.len, &status, &st) && st.code == FLOE_ERR_PROTOCOL,
	   "values of another type than their column's are refused");

	/* wide */
	floe_buf_reset(&metadata);
	begin_reply(&metadata, FLOE_HS2_GET_RESULT_SET_METADATA);
	write_status(&metadata, 0, NULL, NULL);
	floe_thrift_write_field(&metadata, FLOE_THRIFT_STRUCT, 2);
	floe_thrift_write_field(&metadata, FLOE_THRIFT_LIST, 1);
	floe_thrift_write_list(&metadata, FLOE_THRIFT_STRUCT, FLOE_HS2_MAX_COLUMNS + 1);
	for (int i = 0; i <= FLOE_HS2_MAX_COLUMNS; i++)
		floe_thrift_write_stop(&metadata);
	floe_thrift_write_stop(&metadata);
	end_reply(&metadata);
	ok(!floe_hs2_read_metadata(arena, 1, metadata.data, metadata.len, &schema, &status, &st) &&
		   st.code == FLOE_ERR_TOO_LARGE,
	   "too many columns are refused");
	floe_buf_free(&metadata);
	floe_buf_free(&rows);
	floe_buf_free(&json);
}

int
main(void)
{
	arena = floe_arena_new(1000000);
	fixture_load("test/fixtures/hs2/spark-3.5.9.txt");
	fixture_load("test/fixtures/hs2/spark-3.5.9-types.txt");
	test_requests();
	test_replies();
	test_lost();
	test_rows();
	test_types();
	fixture_free();
	floe_arena_free(arena);
	return tap_done();
}
