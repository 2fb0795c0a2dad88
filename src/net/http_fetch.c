/*
 * http_fetch.c: conveniences over the engine: timers, counters, and one request at a time.
 */
#include "floe.h"

#include "base/clock.h"
#include "net/http_engine.h"

#include <string.h>

void
floe_http_after(FloeHttp *http, int delay_ms, FloeTimerDone done, void *arg)
{
	int64_t due_us = floe_clock_steady_us() + (int64_t) Max(delay_ms, 0) * 1000;

	if (!floe_timers_add(&http->timers, due_us, done, arg, 0))
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
}

int
floe_http_pending(const FloeHttp *http)
{
	return http->pending;
}

int
floe_http_timers(const FloeHttp *http)
{
	return http->timers.count;
}

typedef struct Fetch
{
	FloeHttpResponse *response;
	bool done;
} Fetch;

static void
on_fetched(void *arg, FloeHttpResponse *response)
{
	Fetch *fetch = arg;

	*fetch->response = *response;
	/* the memory is the caller's from here on */
	floe_buf_init(&response->body, 0);
	floe_buf_init(&response->header_block, 0);
	fetch->done = true;
}

bool
floe_http_fetch(FloeHttp *http, const FloeHttpRequest *request, FloeHttpResponse *response, FloeStatus *st)
{
	Fetch fetch = {.response = response};
	uint64_t id;

	memset(response, 0, sizeof(*response));
	floe_status_ok(st);
	if (!floe_http_submit(http, request, on_fetched, &fetch, &id, st))
	{
		response->status = *st;
		return false;
	}
	PG_TRY();
	{
		while (!fetch.done)
			floe_http_wait(http, -1);
	}
	PG_CATCH();
	{
		/* on_fetched must not find a stack that is gone */
		floe_http_abort(http, id);
		floe_http_response_free(response);
		PG_RE_THROW();
	}
	PG_END_TRY();
	*st = response->status;
	return st->code == FLOE_OK;
}
