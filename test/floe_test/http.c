/*
 * http.c: the HTTP engine as SQL functions: many requests, callbacks, timers, a benchmark.
 */
#include "floe.h"

#include "base/clock.h"
#include "compat.h"
#include "http_options.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include <sys/resource.h>

FLOE_MODULE_MAGIC("floe_test", FLOE_VERSION_STRING);

PG_FUNCTION_INFO_V1(floe_test_http);
PG_FUNCTION_INFO_V1(floe_test_http_outside);
PG_FUNCTION_INFO_V1(floe_test_http_callbacks);
PG_FUNCTION_INFO_V1(floe_test_http_timers);
PG_FUNCTION_INFO_V1(floe_test_http_bench);

/* ---- many requests, one row each ---- */

typedef struct Run
{
	ReturnSetInfo *rows; /* NULL: throw the results away */
	int64 sink_stop;     /* -1: never */
	int left;
} Run;

typedef struct Sent
{
	Run *run;
	int n;
	int64 sunk;
	int restarts;
} Sent;

static bool
count_bytes(void *arg, const char *data, size_t len)
{
	Sent *sent = arg;

	if (data == NULL)
	{
		sent->restarts++;
		sent->sunk = 0;
		return true;
	}
	sent->sunk += len;
	return sent->run->sink_stop < 0 || sent->sunk < sent->run->sink_stop;
}

static Datum
text_datum(const char *text, size_t len)
{
	return PointerGetDatum(cstring_to_text_with_len(text ? text : "", (int) len));
}

static void
add_row(const Sent *sent, const FloeHttpResponse *response)
{
	const FloeStatus *st = &response->status;
	bool printable = response->body.len <= 1000 &&
					 pg_verify_mbstr(GetDatabaseEncoding(), response->body.data ? response->body.data : "",
									 (int) response->body.len, true);
	char etag[64];
	Datum values[16];
	bool nulls[16] = {0};
	int i = 0;

	values[i++] = Int32GetDatum(sent->n);
	values[i++] = CStringGetTextDatum(floe_code_name(st->code));
	values[i++] = Int32GetDatum(response->http_status);
	values[i++] = Int32GetDatum(response->attempts);
	values[i++] = CStringGetTextDatum(st->message);
	values[i++] = CStringGetTextDatum(st->detail);
	values[i++] = Int64GetDatum(st->retry_after_ms);
	nulls[i] = !printable;
	values[i++] = printable ? text_datum(response->body.data, response->body.len) : (Datum) 0;
	values[i++] = Int64GetDatum((int64) response->body.len + sent->sunk);
	values[i++] = Int32GetDatum(sent->restarts);
	nulls[i] = !floe_http_header(response, "ETag", etag, sizeof(etag));
	values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(etag);
	i++;
	values[i++] = Int32GetDatum(response->timing.dns_ms);
	values[i++] = Int32GetDatum(response->timing.connect_ms);
	values[i++] = Int32GetDatum(response->timing.tls_ms);
	values[i++] = Int32GetDatum(response->timing.first_byte_ms);
	values[i++] = Int32GetDatum(response->timing.total_ms);
	tuplestore_putvalues(sent->run->rows->setResult, sent->run->rows->setDesc, values, nulls);
}

static void
on_done(void *arg, FloeHttpResponse *response)
{
	Sent *sent = arg;

	sent->run->left--;
	if (sent->run->rows != NULL)
		add_row(sent, response);
}

static void
add_refusal(const Sent *sent, const FloeStatus *st)
{
	FloeHttpResponse response = {0};

	response.status = *st;
	if (sent->run->rows != NULL)
		add_row(sent, &response);
}

/* The names of the hostile server's ports come from the test, so urls are an argument like any other. */
static void
run(Run *run, ArrayType *urls, Jsonb *options)
{
	bool sequential = floe_test_option_bool(options, "sequential", false);
	FloeHttpOptions engine_options;
	FloeHttp *http;
	Datum *values;
	bool *nulls;
	int count;
	Sent *sent_all;

	deconstruct_array(urls, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	floe_http_default_options(&engine_options);
	floe_test_read_engine_options(options, &engine_options);
	http = floe_http_create(&engine_options);
	run->sink_stop = floe_test_option_int(options, "sink_stop", -1);
	sent_all = palloc0(count * sizeof(Sent));
	for (int i = 0; i < count; i++)
	{
		FloeHttpRequest request = {0};
		FloeHttpResponse response;
		FloeStatus st;

		sent_all[i].run = run;
		sent_all[i].n = i + 1;
		floe_test_read_request(options, &request);
		request.url = TextDatumGetCString(values[i]);
		if (floe_test_option_bool(options, "sink", false))
		{
			request.sink = count_bytes;
			request.sink_arg = &sent_all[i];
		}
		if (sequential)
		{
			floe_http_fetch(http, &request, &response, &st);
			on_done(&sent_all[i], &response);
			floe_http_response_free(&response);
		}
		else if (floe_http_submit(http, &request, on_done, &sent_all[i], NULL, &st))
			run->left++;
		else
			add_refusal(&sent_all[i], &st);
	}
	while (!sequential && run->left > 0)
		floe_http_wait(http, -1);
	if (floe_http_pending(http) != 0)
		elog(ERROR, "%d requests are still pending", floe_http_pending(http));
	floe_http_destroy(http);
}

/* InitMaterializedSRF has three names in PostgreSQL 15 to 18's minor releases; this is what it does. */
static ReturnSetInfo *
start_rows(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old = MemoryContextSwitchTo(rows->econtext->ecxt_per_query_memory);
	TupleDesc desc;

	switch (get_call_result_type(fcinfo, NULL, &desc))
	{
		case TYPEFUNC_COMPOSITE:
			desc = CreateTupleDescCopy(desc);
			break;
		default:
			desc = CreateTemplateTupleDesc(1);
			TupleDescInitEntry(desc, 1, "line", TEXTOID, -1, 0);
			break;
	}
	rows->returnMode = SFRM_Materialize;
	rows->setResult = tuplestore_begin_heap(false, false, work_mem);
	rows->setDesc = desc;
	MemoryContextSwitchTo(old);
	return rows;
}

Datum
floe_test_http(PG_FUNCTION_ARGS)
{
	Run state = {.rows = start_rows(fcinfo)};

	run(&state, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_JSONB_P(1));
	return (Datum) 0;
}

Datum
floe_test_http_outside(PG_FUNCTION_ARGS)
{
	Run state = {.rows = NULL};
	ArrayType *urls = PG_GETARG_ARRAYTYPE_P_COPY(0);
	Jsonb *options = PG_GETARG_JSONB_P_COPY(1);

	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect_ext failed");
	SPI_commit();
	run(&state, urls, options);
	SPI_finish();
	return (Datum) 0;
}

/* ---- callbacks ---- */

typedef struct Talk
{
	FloeHttp *http;
	ReturnSetInfo *rows;
	const char *url;
	uint64_t hanging;
	int chain; /* requests that the next answers shall submit */
	int done;
	bool ended;
} Talk;

static void say(Talk *talk, const char *fmt, ...) FLOE_PRINTF(2, 3);

static void
say(Talk *talk, const char *fmt, ...)
{
	char line[200];
	va_list args;
	Datum value;
	bool null = false;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	value = CStringGetTextDatum(line);
	tuplestore_putvalues(talk->rows->setResult, talk->rows->setDesc, &value, &null);
}

static void
submit(Talk *talk, const char *url, FloeHttpDone done, FloeHttpSink sink, uint64_t *id)
{
	FloeHttpRequest request = {.url = url, .sink = sink, .sink_arg = talk};
	FloeStatus st;

	if (!floe_http_submit(talk->http, &request, done, talk, id, &st))
		elog(ERROR, "%s", st.message);
}

static void
on_chain(void *arg, FloeHttpResponse *response)
{
	Talk *talk = arg;

	talk->done++;
	if (talk->chain-- > 0)
		submit(talk, talk->url, on_chain, NULL, NULL);
}

static void
on_never(void *arg, FloeHttpResponse *response)
{
	say(arg, "an aborted request was handed over");
}

static void
on_throw(void *arg, FloeHttpResponse *response)
{
	elog(ERROR, "thrown by a callback");
}

static void
on_nested(void *arg, FloeHttpResponse *response)
{
	floe_http_wait(((Talk *) arg)->http, 0);
}

static void
on_abort_other(void *arg, FloeHttpResponse *response)
{
	Talk *talk = arg;

	floe_http_abort(talk->http, talk->hanging);
	floe_http_abort(talk->http, talk->hanging); /* an id that is gone is ignored */
	floe_http_abort(talk->http, 0);
	talk->done++;
}

static bool
abort_in_sink(void *arg, const char *data, size_t len)
{
	Talk *talk = arg;

	if (data != NULL)
		floe_http_abort(talk->http, talk->hanging);
	return true;
}

static void
on_timer(void *arg)
{
	((Talk *) arg)->ended = true;
}

static void
wait_until_idle(Talk *talk)
{
	while (floe_http_pending(talk->http) > 0)
		floe_http_wait(talk->http, -1);
}

/* Runs until the callback throws, and returns what it threw. */
static char *
caught(Talk *talk)
{
	MemoryContext context = CurrentMemoryContext;
	char *volatile message = "nothing";

	PG_TRY();
	{
		wait_until_idle(talk);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		message = error->message;
	}
	PG_END_TRY();
	return message;
}

Datum
floe_test_http_callbacks(PG_FUNCTION_ARGS)
{
	char *hang_url = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Talk talk = {.rows = start_rows(fcinfo), .url = text_to_cstring(PG_GETARG_TEXT_PP(0))};
	FloeHttpOptions options;

	floe_http_default_options(&options);
	talk.http = floe_http_create(&options);

	talk.chain = 9;
	submit(&talk, talk.url, on_chain, NULL, NULL);
	wait_until_idle(&talk);
	say(&talk, "chain: %d answers", talk.done);

	talk.done = 0;
	submit(&talk, hang_url, on_never, NULL, &talk.hanging);
	submit(&talk, talk.url, on_abort_other, NULL, NULL);
	wait_until_idle(&talk);
	say(&talk, "abort from a callback: %d answer", talk.done);

	submit(&talk, talk.url, on_never, abort_in_sink, &talk.hanging);
	wait_until_idle(&talk);
	say(&talk, "abort from its own sink: %d pending", floe_http_pending(talk.http));

	submit(&talk, talk.url, on_throw, NULL, NULL);
	say(&talk, "throw: %s", caught(&talk));
	submit(&talk, talk.url, on_nested, NULL, NULL);
	say(&talk, "nested: %s", caught(&talk));

	talk.done = 0;
	talk.chain = 0;
	submit(&talk, talk.url, on_chain, NULL, NULL);
	wait_until_idle(&talk);
	say(&talk, "usable afterwards: %d answer", talk.done);

	for (int i = 0; i < 30; i++)
		submit(&talk, hang_url, on_never, NULL, NULL);
	floe_http_after(talk.http, 1000000, on_timer, &talk);
	floe_http_wait(talk.http, 50);
	floe_http_abort_all(talk.http);
	say(&talk, "abort all: %d pending, %d timers", floe_http_pending(talk.http), floe_http_timers(talk.http));

	submit(&talk, hang_url, on_never, NULL, NULL);
	floe_http_after(talk.http, 20, on_timer, &talk);
	while (!talk.ended)
		floe_http_wait(talk.http, -1);
	say(&talk, "a timer goes off while a request hangs: %d pending", floe_http_pending(talk.http));
	return (Datum) 0; /* the engine, with a request in flight, ends with the memory context */
}

/* ---- timers ---- */

typedef struct TimerCase
{
	Talk *talk;
	int delay_ms;
	int64_t set_us;
} TimerCase;

static void
on_due(void *arg)
{
	TimerCase *timer = arg;
	int64_t late_us = floe_clock_steady_us() - timer->set_us - (int64_t) timer->delay_ms * 1000;

	say(timer->talk, "%d %s", timer->delay_ms, late_us < 0 ? "early" : late_us < 200000 ? "on time" : "late");
}

Datum
floe_test_http_timers(PG_FUNCTION_ARGS)
{
	Talk talk = {.rows = start_rows(fcinfo)};
	FloeHttpOptions options;
	Datum *values;
	bool *nulls;
	int count;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT4OID, 4, true, TYPALIGN_INT, &values, &nulls, &count);
	floe_http_default_options(&options);
	talk.http = floe_http_create(&options);
	for (int i = 0; i < count; i++)
	{
		TimerCase *timer = palloc(sizeof(TimerCase));

		timer->talk = &talk;
		timer->delay_ms = DatumGetInt32(values[i]);
		timer->set_us = floe_clock_steady_us();
		floe_http_after(talk.http, timer->delay_ms, on_due, timer);
	}
	while (floe_http_timers(talk.http) > 0)
		floe_http_wait(talk.http, -1);
	floe_http_destroy(talk.http);
	return (Datum) 0;
}

/* ---- speed ---- */

typedef struct Bench
{
	FloeHttp *http;
	const char *url;
	int to_submit;
	int done;
	int failed;
} Bench;

static void
on_bench(void *arg, FloeHttpResponse *response)
{
	Bench *bench = arg;
	FloeHttpRequest request = {.url = bench->url};
	FloeStatus st;

	if (response != NULL)
	{
		bench->done++;
		bench->failed += response->status.code != FLOE_OK || response->http_status != 200;
	}
	if (bench->to_submit-- > 0 && !floe_http_submit(bench->http, &request, on_bench, bench, NULL, &st))
		elog(ERROR, "%s", st.message);
}

static double
cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

Datum
floe_test_http_bench(PG_FUNCTION_ARGS)
{
	int requests = PG_GETARG_INT32(1);
	int in_flight = PG_GETARG_INT32(2);
	Bench bench = {.url = text_to_cstring(PG_GETARG_TEXT_PP(0)), .to_submit = requests};
	FloeHttpOptions options;
	int64_t start_us;
	double start_cpu;
	TupleDesc desc;
	Datum values[2];
	bool nulls[2] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	floe_http_default_options(&options);
	options.max_connections = options.max_connections_per_host = options.max_in_flight = in_flight;
	options.portable_wait = PG_GETARG_BOOL(3);
	bench.http = floe_http_create(&options);
	start_us = floe_clock_steady_us();
	start_cpu = cpu_us();
	for (int i = 0; i < in_flight; i++)
		on_bench(&bench, NULL);
	while (floe_http_pending(bench.http) > 0)
		floe_http_wait(bench.http, -1);
	values[0] = Float8GetDatum(requests * 1e6 / (floe_clock_steady_us() - start_us));
	values[1] = Float8GetDatum((cpu_us() - start_cpu) / requests);
	if (bench.failed > 0 || bench.done != requests)
		elog(ERROR, "%d of %d requests failed", bench.failed, bench.done);
	floe_http_destroy(bench.http);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
