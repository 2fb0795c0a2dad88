/*
 * fuzz_connect.c: answers of a hostile Spark Connect, and the adapter that reads them.
 *
 * The first byte chooses what the rest is: an Arrow stream, the header of an
 * answer, one message of each kind, or all the answers of a run of the adapter.
 * There each has its length in front, two bytes; the highest bit says that
 * floe's own limit ended it, the next one that its header is an error's.
 */
#include "floe.h"

#include "base/json.h"
#include "engine/arrow.h"
#include "engine/connect_wire.h"
#include "engine/grpc.h"
#include "engine/ops.h"

#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const FloeSecrets no_secrets;

static void
require(bool held)
{
	if (!held)
		abort();
}

/* The rows that were read are JSON, whatever the server sent. */
static void
fuzz_rows(const uint8_t *data, size_t size)
{
	FloeStatus st;
	FloeBuf json;
	int64_t rows;

	floe_buf_init(&json, 65536);
	if (floe_arrow_rows(data, size, &no_secrets, &json, 65536, 1000, &rows, &st))
	{
		FloeJsonDoc *doc = floe_json_parse(json.data, json.len, "rows", 65536, &st);

		/* the reader refuses duplicate names, which a result may have */
		require(doc != NULL || strstr(st.message, "twice") != NULL || strstr(st.message, "duplicate") != NULL);
		floe_json_free(doc);
	}
	floe_buf_free(&json);
}

static void
fuzz_end(const uint8_t *data, size_t size)
{
	FloeHttpResponse response;
	FloeGrpcEnd *end = calloc(1, sizeof(FloeGrpcEnd));

	memset(&response, 0, sizeof(response));
	floe_buf_init(&response.header_block, size + 1);
	floe_buf_append(&response.header_block, data, size);
	floe_grpc_read_end(&response, end);
	require(end->code >= -1 && end->code <= 16 && memchr(end->message, '\0', sizeof(end->message)) != NULL);
	floe_buf_free(&response.header_block);
	free(end);
}

static void
fuzz_messages(const uint8_t *data, size_t size)
{
	FloeCursor message;
	FloeConnectPart part;
	FloeBuf text;
	char name[64];

	floe_cursor_init(&message, data, size);
	(void) floe_connect_read_part(message, &part);
	require(memchr(part.response_id, '\0', sizeof(part.response_id)) != NULL);
	(void) floe_connect_read_version(message, name, sizeof(name));
	(void) floe_connect_read_config(message, name, sizeof(name));
	floe_buf_init(&text, 65536);
	floe_connect_read_error(message, &text);
	floe_buf_free(&text);
}

/* A run from begin() on: the input is all that the server ever says. */
static void
fuzz_run(const uint8_t *data, size_t size)
{
	FloeEngineTarget target = {.url = "http://x"};
	FloeArena *arena = floe_arena_new(4 * 1024 * 1024);
	FloeEngineRun *run = floe_arena_alloc0(arena, sizeof(FloeEngineRun));
	FloeHttpResponse response;
	FloeStatus st;
	bool has_response = false;

	run->target = &target;
	run->operation_id = "0";
	run->statement = "SELECT 1";
	run->arena = arena;
	require(floe_engine_spark_connect.begin(run, NULL, 0, &st));
	memset(&response, 0, sizeof(response));
	for (int step = 0; step < 200; step++)
	{
		FloeEngineVerb verb = floe_engine_spark_connect.next(run, has_response ? &response : NULL);
		unsigned int announced;
		size_t len;

		floe_buf_free(&response.body);
		floe_buf_free(&response.header_block);
		has_response = verb == FLOE_ENGINE_SEND;
		if (verb == FLOE_ENGINE_DONE || (has_response && size < 2))
			break;
		if (!has_response)
			continue;
		announced = (unsigned int) data[0] << 8 | data[1];
		len = Min(announced & 0x3FFF, size - 2);
		floe_status_ok(&response.status);
		response.http_status = 200;
		floe_buf_init(&response.body, len);
		floe_buf_init(&response.header_block, 65536);
		if (announced & 0x8000)
			floe_fail(&response.status, FLOE_ERR_TIMEOUT, "time is up");
		if (announced & 0x4000)
			floe_buf_append(&response.header_block, data + 2, len);
		else
		{
			floe_buf_append(&response.body, data + 2, len);
			floe_buf_text(&response.header_block, "grpc-status: 0\r\n");
		}
		data += 2 + len;
		size -= 2 + len;
	}
	floe_buf_free(&response.body);
	floe_buf_free(&response.header_block);
	floe_buf_free(&run->result);
	floe_arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	switch (data[0] % 4)
	{
		case 0:
			fuzz_rows(data + 1, size - 1);
			break;
		case 1:
			fuzz_end(data + 1, size - 1);
			break;
		case 2:
			fuzz_messages(data + 1, size - 1);
			break;
		default:
			fuzz_run(data + 1, size - 1);
			break;
	}
	return 0;
}
