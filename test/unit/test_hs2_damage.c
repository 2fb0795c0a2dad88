/*
 * test_hs2_damage.c: recorded answers of HiveServer2, cut off and changed at every byte.
 *
 * Under the sanitizers, in memory of exactly the message's size: a read beyond
 * it ends the program.
 */
#include "floe.h"

#include "engine/hs2.h"

#include "hs2_fixture.h"
#include "tap.h"

static const FloeSecrets no_secrets;
static FloeArena *arena;

/* One of them describes each of the recorded fetches. */
static const char *const schemas[] = {"metadata_nulls", "metadata_orphan", "metadata_expire", "metadata_rewrite",
									  "metadata_types"};

static FloeHs2Call
call_of(const char *method)
{
	for (FloeHs2Call call = FLOE_HS2_OPEN_SESSION; call <= FLOE_HS2_GET_INFO; call++)
	{
		if (strcmp(method, floe_hs2_call_name(call)) == 0)
			return call;
	}
	return FLOE_HS2_OPEN_SESSION;
}

static bool
read_rows(const char *metadata, int32_t sequence, const void *body, size_t len)
{
	const Fixture *f = fixture(metadata);
	FloeHs2Schema schema;
	FloeHs2Status status;
	FloeStatus st;
	FloeBuf json;
	int64_t room = 100;
	bool done;

	if (!floe_hs2_read_metadata(arena, f->sequence, f->response, f->response_len, &schema, &status, &st) ||
		!floe_hs2_read_rows(&schema, sequence, body, len, &status, &st))
		return false;
	floe_buf_init(&json, 100000);
	done = floe_hs2_append_rows(&schema, &no_secrets, &json, 100000, &room, &st);
	floe_buf_free(&json);
	return done;
}

/* Reads a body as the answer to that call. */
static bool
read_any(FloeHs2Call call, int32_t sequence, const uint8_t *body, size_t len)
{
	uint8_t *copy = malloc(len + (len == 0));
	FloeHs2Reply reply;
	FloeHs2Schema schema;
	FloeHs2Status status;
	FloeStatus st;
	bool done = false;

	memcpy(copy, body, len);
	if (call == FLOE_HS2_GET_RESULT_SET_METADATA)
		done = floe_hs2_read_metadata(arena, sequence, copy, len, &schema, &status, &st);
	else if (call == FLOE_HS2_FETCH_RESULTS)
	{
		for (size_t i = 0; i < lengthof(schemas) && !done; i++)
			done = read_rows(schemas[i], sequence, copy, len);
	}
	else
		done = floe_hs2_read_reply(call, sequence, copy, len, &reply, &st);
	free(copy);
	floe_arena_reset(arena);
	return done;
}

static void
test_damage(void)
{
	int whole = 0;
	int cut = 0;
	long changed = 0;

	for (int i = 0; i < nfixtures; i++)
	{
		const Fixture *f = &fixtures[i];
		FloeHs2Call call = call_of(f->method);
		uint8_t *copy = malloc(f->response_len + 1);
		/* the long stack traces are text: their first and last bytes say as much as all of them */
		size_t limit = Min(f->response_len, 600);

		memcpy(copy, f->response, f->response_len);
		whole += read_any(call, f->sequence, copy, f->response_len);
		for (size_t len = 0; len < f->response_len; len += len < limit ? 1 : 97)
			cut += read_any(call, f->sequence, copy, len);
		copy[f->response_len] = 0;
		cut += read_any(call, f->sequence, copy, f->response_len + 1);
		for (size_t at = 0; at < limit; at++)
		{
			for (int value = 0; value < 256; value += value < 16 ? 1 : 17)
			{
				copy[at] = (uint8_t) value;
				(void) read_any(call, f->sequence, copy, f->response_len);
				changed++;
			}
			copy[at] = f->response[at];
		}
		free(copy);
	}
	is_int(whole, nfixtures, "every recorded answer is read");
	is_int(cut, 0, "no cut-off or lengthened answer is");
	ok(changed > 50000, "%ld changed answers did no harm", changed);
}

int
main(void)
{
	arena = floe_arena_new(1000000);
	fixture_load("test/fixtures/hs2/spark-3.5.9.txt");
	fixture_load("test/fixtures/hs2/spark-3.5.9-types.txt");
	test_damage();
	fixture_free();
	floe_arena_free(arena);
	return tap_done();
}
