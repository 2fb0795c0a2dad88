/*
 * test_connect_wire.c: gRPC, Spark Connect's messages and Arrow rows, as recorded from Spark 3.5.9 and 4.0.5, whole and damaged.
 */
#include "floe.h"

#include "base/protobuf.h"
#include "engine/arrow.h"
#include "engine/connect_wire.h"
#include "engine/grpc.h"

#include "connect_fixture.h"
#include "tap.h"

static const char *const versions[] = {"3.5", "4.0"};

static const FloeSecrets no_secrets;

static const Fixture *
of_version(const char *what, const char *version)
{
	char label[64];

	snprintf(label, sizeof(label), "%s-%s", what, version);
	return fixture(label);
}

/* All parts of a stream added up. */
static bool
read_body(const void *data, size_t len, FloeConnectPart *sum, int *parts)
{
	FloeCursor all;
	FloeCursor message;
	FloeConnectPart part;

	memset(sum, 0, sizeof(*sum));
	*parts = 0;
	floe_cursor_init(&all, data, len);
	while (floe_grpc_next(&all, &message))
	{
		if (!floe_connect_read_part(message, &part))
			return false;
		(*parts)++;
		sum->is_complete = sum->is_complete || part.is_complete;
		if (part.response_id[0] != '\0')
			strcpy(sum->response_id, part.response_id);
		if (part.has_rows)
		{
			sum->has_rows = true;
			sum->rows = part.rows;
			sum->rows_len = part.rows_len;
		}
		if (part.query_len > 0)
		{
			sum->query = part.query;
			sum->query_len = part.query_len;
		}
	}
	return !all.bad;
}

static const struct
{
	const char *what;
	const char *json;
	int64_t rows;
} results[] = {
	{"rewrite",
	 "[{\"rewritten_data_files_count\":2,\"added_data_files_count\":1,\"rewritten_bytes_count\":*,"
	 "\"failed_data_files_count\":0,\"removed_delete_files_count\":0}]",
	 1},
	{"show", "[{\"namespace\":\"fix\",\"tableName\":\"t\",\"isTemporary\":false}]", 1},
	{"describe",
	 "[{\"col_name\":\"a\",\"data_type\":\"int\",\"comment\":\"x\"},"
	 "{\"col_name\":\"b\",\"data_type\":\"string\",\"comment\":null}]",
	 2},
	{"expire",
	 "[{\"deleted_data_files_count\":0,\"deleted_position_delete_files_count\":0,"
	 "\"deleted_equality_delete_files_count\":0,\"deleted_manifest_files_count\":0,\"deleted_manifest_lists_count\":0,"
	 "\"deleted_statistics_files_count\":0}]",
	 1},
	{"orphans", "[]", 0},
	{"ancestors",
	 "[{\"snapshot_id\":*,\"timestamp\":*},{\"snapshot_id\":*,\"timestamp\":*},{\"snapshot_id\":*,\"timestamp\":*}]",
	 3},
};

/* Equal, but for the numbers where the pattern has "*". */
static bool
fits(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; pattern++)
	{
		if (*pattern == '*')
			text += strspn(text, "0123456789");
		else if (*text++ != *pattern)
			return false;
	}
	return *text == '\0';
}

static void
test_results(const char *version)
{
	for (size_t i = 0; i < lengthof(results); i++)
	{
		const Fixture *f = of_version(results[i].what, version);
		FloeConnectPart part;
		FloeStatus st;
		FloeBuf json;
		int64_t rows;
		int parts;
		bool done;

		ok(read_body(f->data, f->len, &part, &parts) && parts >= 2 && part.is_complete && part.has_rows &&
			   strlen(part.response_id) == 36,
		   "%s: a whole stream", f->label);
		floe_buf_init(&json, 65536);
		done = floe_arrow_rows(part.rows, part.rows_len, &no_secrets, &json, 65536, 100, &rows, &st);
		ok(done && rows == results[i].rows, "%s: rows", f->label);
		ok(done && fits(json.data, results[i].json), "%s: %s", f->label, json.data);
		floe_buf_free(&json);
	}
}

static void
test_single(const char *version)
{
	FloeCursor all;
	FloeCursor message;
	FloeConnectPart part;
	char text[64];
	int parts;
	const Fixture *f = of_version("version", version);

	floe_cursor_init(&all, f->data, f->len);
	ok(floe_grpc_next(&all, &message) && floe_connect_read_version(message, text, sizeof(text)) &&
		   strncmp(text, version, 3) == 0,
	   "%s: %s", f->label, text);
	ok(!floe_connect_read_version(all, text, sizeof(text)), "no answer has no version");
	f = of_version("config", version);
	floe_cursor_init(&all, f->data, f->len);
	ok(floe_grpc_next(&all, &message) && floe_connect_read_config(message, text, sizeof(text)) &&
		   strlen(text) == (version[0] == '3' ? 0 : 36),
	   "%s: what the server calls the session: %s", f->label, text);
	f = of_version("nothing", version);
	ok(read_body(f->data, f->len, &part, &parts) && part.is_complete && !part.has_rows &&
		   part.query_len == strlen("SELECT 1 AS floe_nothing") &&
		   memcmp(part.query, "SELECT 1 AS floe_nothing", part.query_len) == 0,
	   "%s: a query is not run, its text comes back", f->label);
}

static void
answer_of(FloeHttpResponse *response, const Fixture *header)
{
	memset(response, 0, sizeof(*response));
	floe_buf_init(&response->header_block, 65536);
	floe_buf_text(&response->header_block, "HTTP/2 200 \r\ncontent-type: application/grpc\r\n");
	floe_buf_append(&response->header_block, header->data, header->len);
	floe_buf_text(&response->header_block, "\r\n");
}

static void
test_ends(const char *version)
{
	FloeHttpResponse response;
	FloeGrpcEnd *end = calloc(1, sizeof(FloeGrpcEnd));
	bool is_new = version[0] != '3';

	answer_of(&response, of_version("error-headers", version));
	floe_grpc_read_end(&response, end);
	is_int(end->code, FLOE_GRPC_INTERNAL, "an error: status");
	is_str(end->message, "Couldn't load table 'fix.nope' in catalog 'r'", "its message");
	ok(end->has_info, "Spark explains it");
	is_str(end->reason, "java.lang.RuntimeException", "by the class of the exception");
	is_int(strlen(end->error_id), is_new ? 36 : 0, "its id");
	floe_buf_free(&response.header_block);

	answer_of(&response, of_version("gone-headers", version));
	floe_grpc_read_end(&response, end);
	ok(end->has_info && strstr(end->message, "[INVALID_HANDLE.SESSION_NOT_FOUND]") != NULL,
	   "a session that is not there");
	is_str(end->error_name, is_new ? "INVALID_HANDLE.SESSION_NOT_FOUND" : "", "its name");
	floe_buf_free(&response.header_block);
	free(end);
}

static void
test_end_forms(void)
{
	static const struct
	{
		const char *header;
		int code;
		const char *message;
	} cases[] = {
		{"grpc-status: 0\r\n", 0, ""},
		{"grpc-status: 13\r\ngrpc-message: 50%25 of %E2%82%AC%00%zz%4\r\n", 13, "50% of \xE2\x82\xAC%00%zz%4"},
		{"grpc-status: 17\r\n", -1, ""},
		{"grpc-status: -1\r\n", -1, ""},
		{"grpc-status: x\r\n", -1, ""},
		{"grpc-status: 1x\r\n", -1, ""},
		{"content-type: text/html\r\n", -1, ""},
		{"grpc-status: 14\r\ngrpc-status-details-bin: ????\r\n", 14, ""},
		{"grpc-status: 14\r\ngrpc-status-details-bin: CA0\r\n", 14, ""},
		{"grpc-status: 14\r\ngrpc-status-details-bin: Gv8\r\n", 14, ""},
	};
	FloeGrpcEnd *end = calloc(1, sizeof(FloeGrpcEnd));

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		Fixture header = {"", (uint8_t *) (uintptr_t) cases[i].header, strlen(cases[i].header)};
		FloeHttpResponse response;

		answer_of(&response, &header);
		floe_grpc_read_end(&response, end);
		is_int(end->code, cases[i].code, "status of case %zu", i);
		is_str(end->message, cases[i].message, "its message");
		ok(!end->has_info, "nobody explains it");
		floe_buf_free(&response.header_block);
	}
	free(end);
}

static void
test_framing(void)
{
	FloeCursor all;
	FloeCursor message;

	floe_cursor_init(&all, "\0\0\0\0\2ab\0\0\0\0\0\0\0\0\0\5cut", 20);
	ok(floe_grpc_next(&all, &message) && floe_cursor_left(&message) == 2, "a message");
	ok(floe_grpc_next(&all, &message) && floe_cursor_left(&message) == 0, "an empty one");
	ok(!floe_grpc_next(&all, &message) && !all.bad, "one that was cut off is left out");
	floe_cursor_init(&all, "\1\0\0\0\2ab", 7);
	ok(!floe_grpc_next(&all, &message) && all.bad, "a compressed one is refused");
	floe_cursor_init(&all,
					 "\0\xff\xff\xff\xff"
					 "ab",
					 7);
	ok(!floe_grpc_next(&all, &message) && !all.bad, "one of four gigabytes is not there yet");
	floe_cursor_init(&all, "\0\0\0", 3);
	ok(!floe_grpc_next(&all, &message) && !all.bad, "a part of a prefix is none");
}

static void
test_details(void)
{
	const Fixture *f = fixture("details-4.0");
	FloeCursor all;
	FloeCursor message;
	FloeBuf text;

	floe_buf_init(&text, 65536);
	floe_cursor_init(&all, f->data, f->len);
	ok(floe_grpc_next(&all, &message), "details of an error");
	floe_connect_read_error(message, &text);
	ok(text.data != NULL &&
		   strncmp(text.data, "java.lang.RuntimeException: Couldn't load table 'fix.nope' in catalog 'r'\n",
				   strlen("java.lang.RuntimeException: Couldn't load table 'fix.nope' in catalog 'r'\n")) == 0,
	   "the exception");
	ok(strstr(text.data,
			  "\nCaused by: org.apache.spark.sql.catalyst.analysis.NoSuchTableException: [TABLE_OR_VIEW_NOT_FOUND]") !=
		   NULL,
	   "and its cause");
	floe_buf_reset(&text);
	/* an error whose cause is itself */
	floe_cursor_init(&message, "\x08\x00\x12\x04\x12\x00\x20\x00", 8);
	floe_connect_read_error(message, &text);
	ok(text.len > 0 && text.len < 1000, "causes in a circle end");
	floe_buf_free(&text);
}

/* Cut off at any place, and with any byte changed, nothing is read that is not there (AddressSanitizer looks on). */
static void
test_damage(void)
{
	static const char *const labels[] = {"rewrite-3.5", "describe-4.0", "show-3.5", "expire-4.0", "ancestors-3.5"};
	int read = 0;
	int refused = 0;
	int unsupported = 0;

	for (size_t i = 0; i < lengthof(labels); i++)
	{
		const Fixture *f = fixture(labels[i]);
		FloeConnectPart part;
		int parts;

		read_body(f->data, f->len, &part, &parts);
		for (size_t n = 0; n < part.rows_len * 3; n++)
		{
			bool is_cut = n >= part.rows_len * 2;
			size_t len = is_cut ? n - part.rows_len * 2 : part.rows_len;
			uint8_t *copy = malloc(len + (len == 0));
			FloeStatus st;
			FloeBuf json;
			int64_t rows;

			memcpy(copy, part.rows, len);
			if (!is_cut)
				copy[n / 2] ^= n % 2 ? 0x80 : 0x07;
			floe_buf_init(&json, 4096);
			if (floe_arrow_rows(copy, len, &no_secrets, &json, 4096, 100, &rows, &st))
				read++;
			else
				*(st.code == FLOE_ERR_UNSUPPORTED ? &unsupported : &refused) += 1;
			floe_buf_free(&json);
			free(copy);
		}
	}
	ok(read > 0 && refused > 0 && unsupported > 0, "damaged rows: %d read, %d refused, %d of a kind that is not read",
	   read, refused, unsupported);
}

static void
test_caps(void)
{
	const Fixture *f = fixture("describe-3.5");
	FloeConnectPart part;
	FloeSecrets secrets = {0};
	FloeStatus st;
	FloeBuf json;
	int64_t rows;
	int parts;

	read_body(f->data, f->len, &part, &parts);
	floe_buf_init(&json, 4096);
	ok(floe_arrow_rows(part.rows, part.rows_len, &no_secrets, &json, 4096, 1, &rows, &st) && rows == 2,
	   "one row is kept, two are counted");
	is_str(json.data, "[{\"col_name\":\"a\",\"data_type\":\"int\",\"comment\":\"x\"}]", "the first");
	floe_buf_reset(&json);
	ok(floe_arrow_rows(part.rows, part.rows_len, &no_secrets, &json, 60, 100, &rows, &st) && rows == 2 &&
		   json.len <= 60,
	   "nor more than fit");
	floe_buf_reset(&json);
	floe_secrets_add(&secrets, "string", strlen("string"), &st);
	ok(floe_arrow_rows(part.rows, part.rows_len, &secrets, &json, 4096, 100, &rows, &st) &&
		   strstr(json.data, "string") == NULL && strstr(json.data, "***") != NULL,
	   "secrets are masked");
	floe_buf_free(&json);
}

static void
test_requests(void)
{
	FloeConnectIds ids = {"ann", "s-1", "o-1", ""};
	FloeBuf buf;
	FloeCursor all;
	FloeCursor message;
	FloeProtoField field;
	static const struct
	{
		FloeConnectCall call;
		uint32_t operation;
		uint32_t server_session;
	} calls[] = {{FLOE_CONNECT_EXECUTE, 6, 8},        {FLOE_CONNECT_REATTACH, 3, 6},
				 {FLOE_CONNECT_INTERRUPT, 6, 7},      {FLOE_CONNECT_RELEASE_EXECUTE, 3, 7},
				 {FLOE_CONNECT_ERROR_DETAILS, 0, 5},  {FLOE_CONNECT_ANALYZE, 0, 0},
				 {FLOE_CONNECT_RELEASE_SESSION, 0, 0}};
	char text[64];

	for (size_t i = 0; i < lengthof(calls); i++)
	{
		const char *name = floe_connect_call_name(calls[i].call);

		ids.server_session = "theirs";
		floe_buf_init(&buf, 4096);
		floe_connect_request(&buf, calls[i].call, &ids, "text");
		floe_cursor_init(&all, buf.data, buf.len);
		ok(!buf.failed && floe_grpc_next(&all, &message) && floe_cursor_left(&all) == 0, "%s: one message", name);
		ok(floe_proto_find(message, 1, &field) && field.len == 3 && floe_proto_find(message, 2, &field),
		   "%s: session and user", name);
		if (calls[i].operation != 0)
		{
			ok(floe_proto_find(message, calls[i].operation, &field), "%s: has the operation", name);
			floe_proto_copy(&field, text, sizeof(text));
			is_str(text, "o-1", "%s: its id", name);
		}
		if (calls[i].server_session != 0)
		{
			ok(floe_proto_find(message, calls[i].server_session, &field), "%s: has the server's name of the session",
			   name);
			floe_proto_copy(&field, text, sizeof(text));
			is_str(text, "theirs", "%s: its name", name);
		}
		floe_buf_free(&buf);
	}
}

int
main(void)
{
	fixture_load("test/fixtures/connect/spark.txt");
	for (size_t i = 0; i < lengthof(versions); i++)
	{
		test_results(versions[i]);
		test_single(versions[i]);
		test_ends(versions[i]);
	}
	test_end_forms();
	test_framing();
	test_details();
	test_damage();
	test_caps();
	test_requests();
	fixture_free();
	return tap_done();
}
