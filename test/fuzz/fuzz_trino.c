/*
 * fuzz_trino.c: all the answers of a hostile Trino to a run of the adapter.
 *
 * The first byte says whether the run is a new one, a probe, or found again
 * from the bytes that follow.  Each answer has its length in front, two bytes;
 * one whose length has the highest bit comes with the HTTP status that the
 * first byte of the answer stands for.
 */
#include "floe.h"

#include "base/json.h"
#include "engine/ops.h"

#include <stdlib.h>
#include <string.h>

#define BASE "http://trino:8080"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool held)
{
	if (!held)
		abort();
}

static const uint8_t *
take_answer(const uint8_t **data, size_t *size, size_t *len, int *http_status)
{
	static const int statuses[] = {204, 302, 400, 401, 403, 404, 410, 429, 500, 502, 503};
	const uint8_t *at = *data + 2;
	unsigned int announced;

	if (*size < 2)
		return NULL;
	announced = (unsigned int) (*data)[0] << 8 | (*data)[1];
	*len = Min(announced & 0x7FFF, *size - 2);
	*http_status = 200;
	if ((announced & 0x8000) != 0 && *len > 0)
		*http_status = statuses[at[0] % lengthof(statuses)];
	*data = at + *len;
	*size -= 2 + *len;
	return at;
}

/* What holds whatever the server said: no request leads elsewhere, no text has a control character, results are JSON. */
static void
check_run(const FloeEngineRun *run, FloeEngineVerb verb)
{
	FloeStatus st;

	if (verb == FLOE_ENGINE_SEND)
	{
		/* scheme and host are compared without case, and nothing may follow them that makes it another host */
		const char *end = run->request.url + strlen(BASE);

		require(strncasecmp(run->request.url, BASE, strlen(BASE)) == 0 && (*end == '/' || *end == '?' || *end == '\0'));
	}
	if (verb == FLOE_ENGINE_WAIT)
		require(run->wait_ms > 0 && run->wait_ms <= 10 * 60 * 1000);
	if (verb == FLOE_ENGINE_SAVE)
		require(run->saved_len > 0 && run->saved_len <= FLOE_ENGINE_SAVED_MAX);
	require(memchr(run->error, '\0', sizeof(run->error)) != NULL && strchr(run->error, '\n') == NULL);
	require(strspn(run->external_id, "0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
			strlen(run->external_id));
	if (verb == FLOE_ENGINE_DONE && run->outcome == FLOE_OUTCOME_SUCCEEDED && run->result.len > 0)
	{
		FloeJsonDoc *doc = floe_json_parse(run->result.data, run->result.len, "rows", FLOE_ENGINE_RESULT_MAX, &st);

		/* the reader refuses duplicate names, which a result may have, and what is nested deeper than it reads */
		require(doc != NULL || strstr(st.message, "twice") != NULL || strstr(st.message, "duplicate") != NULL ||
				st.code == FLOE_ERR_TOO_LARGE);
		floe_json_free(doc);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FloeEngineTarget target = {.url = BASE, .request_timeout_ms = 1000};
	FloeArena *arena;
	FloeEngineRun *run;
	FloeHttpResponse response;
	FloeEngineVerb verb = FLOE_ENGINE_DONE;
	FloeStatus st;
	bool has_response = false;
	size_t len = 0;
	int status = 0;
	const uint8_t *saved = NULL;
	uint8_t kind;

	if (size < 1)
		return 0;
	kind = data[0];
	data++;
	size--;
	if (kind == 2)
		saved = take_answer(&data, &size, &len, &status);
	arena = floe_arena_new(4 * 1024 * 1024);
	run = floe_arena_alloc0(arena, sizeof(FloeEngineRun));
	run->target = &target;
	run->operation_id = "0";
	run->statement = "ALTER TABLE t EXECUTE optimize";
	run->arena = arena;
	memset(&response, 0, sizeof(response));
	floe_status_ok(&response.status);
	if (!(kind == 1 ? floe_engine_trino.begin_probe(run, &st)
					: floe_engine_trino.begin(run, (const char *) saved, saved != NULL ? len : 0, &st)))
		size = 0;
	for (int step = 0; step < 200 && size > 0; step++)
	{
		const uint8_t *answer;

		run->cancel_requested = kind == 3 && step > 12;
		verb = floe_engine_trino.next(run, has_response ? &response : NULL);
		floe_buf_free(&response.body);
		check_run(run, verb);
		has_response = verb == FLOE_ENGINE_SEND;
		if (verb == FLOE_ENGINE_DONE)
			break;
		if (!has_response)
			continue;
		answer = take_answer(&data, &size, &len, &response.http_status);
		if (answer == NULL)
			break;
		floe_buf_init(&response.body, len + 1);
		floe_buf_append(&response.body, answer, len);
	}
	floe_buf_free(&response.body);
	floe_buf_free(&run->result);
	floe_arena_free(arena);
	return 0;
}
