/*
 * fuzz_hs2.c: answers of a hostile HiveServer2, and the adapter that reads them.
 *
 * The first byte chooses what the rest is: the answer to one of the calls, a
 * description of a result and a fetch, an error text, or all the answers of a
 * run of the adapter.  Where there are several, each has its length in front,
 * two bytes; an answer whose length has the highest bit comes as HTTP 500.
 */
#include "floe.h"

#include "base/json.h"
#include "engine/hs2.h"
#include "engine/ops.h"
#include "engine/spark_errors.h"

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

/* Takes the next answer off the input; what there is when it is shorter than it says. */
static const uint8_t *
take_answer(const uint8_t **data, size_t *size, size_t *len, bool *is_error)
{
	const uint8_t *at = *data + 2;
	unsigned int announced;

	if (*size < 2)
		return NULL;
	announced = (unsigned int) (*data)[0] << 8 | (*data)[1];
	*is_error = (announced & 0x8000) != 0;
	*len = Min(announced & 0x7FFF, *size - 2);
	*data = at + *len;
	*size -= 2 + *len;
	return at;
}

/* The rows that were read are JSON, whatever the server sent. */
static void
fuzz_rows(const uint8_t *data, size_t size)
{
	FloeArena *arena = floe_arena_new(1024 * 1024);
	const uint8_t *metadata;
	size_t len;
	bool is_error;
	FloeHs2Schema schema;
	FloeHs2Status status;
	FloeStatus st;
	FloeJsonDoc *doc;
	FloeBuf json;
	int64_t room = 1000;

	floe_buf_init(&json, 65536);
	metadata = take_answer(&data, &size, &len, &is_error);
	if (metadata != NULL && floe_hs2_read_metadata(arena, 1, metadata, len, &schema, &status, &st) &&
		floe_hs2_read_rows(&schema, 1, data, size, &status, &st) &&
		floe_hs2_append_rows(&schema, &no_secrets, &json, 65535, &room, &st) && json.len > 0)
	{
		floe_buf_char(&json, ']');
		doc = floe_json_parse(json.data, json.len, "rows", 65536, &st);
		/* the reader refuses duplicate names, which a result may have */
		require(doc != NULL || strstr(st.message, "twice") != NULL || strstr(st.message, "duplicate") != NULL);
		floe_json_free(doc);
	}
	floe_buf_free(&json);
	floe_arena_free(arena);
}

static void
fuzz_error(const uint8_t *data, size_t size)
{
	char line[256];
	bool in_doubt;

	memset(line, 'x', sizeof(line));
	(void) floe_spark_error_read((const char *) data, size, line, sizeof(line), &in_doubt);
	require(memchr(line, '\0', sizeof(line)) != NULL && strchr(line, '\n') == NULL);
}

/* A run from begin() on: the input is all that the server ever says. */
static void
fuzz_run(const uint8_t *data, size_t size)
{
	FloeEngineTarget target = {.url = "http://x/cliservice"};
	FloeArena *arena = floe_arena_new(4 * 1024 * 1024);
	FloeEngineRun *run = floe_arena_alloc0(arena, sizeof(FloeEngineRun));
	FloeHttpResponse response;
	FloeEngineVerb verb;
	FloeStatus st;
	bool has_response = false;

	run->target = &target;
	run->operation_id = "0";
	run->statement = "SELECT 1";
	run->arena = arena;
	require(floe_engine_spark_thrift.begin(run, NULL, 0, &st));
	memset(&response, 0, sizeof(response));
	floe_status_ok(&response.status);
	for (int step = 0; step < 200; step++)
	{
		const uint8_t *answer;
		size_t len;
		bool is_error;

		verb = floe_engine_spark_thrift.next(run, has_response ? &response : NULL);
		floe_buf_free(&response.body);
		has_response = verb == FLOE_ENGINE_SEND;
		if (verb == FLOE_ENGINE_DONE)
			break;
		if (has_response)
		{
			answer = take_answer(&data, &size, &len, &is_error);
			if (answer == NULL)
				break;
			floe_buf_init(&response.body, len);
			response.http_status = is_error ? 500 : 200;
			floe_buf_append(&response.body, answer, len);
		}
	}
	floe_buf_free(&response.body);
	floe_buf_free(&run->result);
	floe_arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FloeHs2Reply reply;
	FloeStatus st;

	if (size < 1)
		return 0;
	switch (data[0])
	{
		case 9:
			fuzz_rows(data + 1, size - 1);
			break;
		case 10:
			fuzz_error(data + 1, size - 1);
			break;
		case 11:
			fuzz_run(data + 1, size - 1);
			break;
		default:
			if (floe_hs2_read_reply((FloeHs2Call) (data[0] % 9), 1, data + 1, size - 1, &reply, &st))
				(void) floe_hs2_is_lost(&reply.status);
			break;
	}
	return 0;
}
