/*
 * test_spark_thrift_rules.c: waiting, probes, saved states, caps and random answers of the spark-thrift adapter.
 *
 * Separate from test_spark_thrift.c, which is the table of its paths.
 */
#include "floe.h"

#include "base/json.h"
#include "engine/ops.h"

#include "spark_drive.h"
#include "tap.h"

#define SIX_TIMES(what) what what what what what what

/* How long the adapter waits, and when it says that the server is away. */
static void
test_waiting(void)
{
	static const struct
	{
		const char *script;
		int least;
		int most;
		bool unreachable;
		bool is_ending;
	} waits[] = {
		{TO_RUNNING, 100, 100, false},
		{TO_RUNNING "status=running wait", 125, 125, false},
		{TO_RUNNING SIX_TIMES("status=running wait ") SIX_TIMES("status=running wait ")
			 SIX_TIMES("status=running wait "),
		 5000, 5000, false},
		{TO_RUNNING "status=refused wait", 500, 1000, true},
		{TO_RUNNING "status=refused wait status=refused wait status=refused wait", 2000, 4000, true},
		{TO_RUNNING "status=refused wait status=running wait", 125, 125, false},
		{TO_RUNNING "status=h500 wait status=h500 wait status=h500 wait", 500, 500, false},
		{TO_RUNNING "status=h500 wait status=h500 wait status=h500 wait status=h500 wait", 4000, 8000, true},
		{TO_RUNNING "status=h500+ wait", 500, 1000, true},
		{TO_RUNNING "status=h503@ wait", 20000, 20000, true},
		{TO_RUNNING "status=lost close=lost wait", 1500, 1500, false, true},
		{TO_RUNNING "status=conflict close=refused wait", 500, 1000, true, true},
		{TO_RUNNING "cancel! cancel=ok status=canceled close=ok wait", 1500, 1500, false, true},
		{"open=ok save execute=timeout close=timeout wait", 500, 1000, true},
		{"open=ok save execute=timeout close=ok wait", 1500, 1500, false, true},
	};

	for (size_t i = 0; i < lengthof(waits); i++)
	{
		Drive d;
		FloeStatus st;

		drive_init(&d);
		drive_begin(&d, false, &st);
		(void) follow(&d, waits[i].script); /* ends in the middle */
		ok(d.run->wait_ms >= waits[i].least && d.run->wait_ms <= waits[i].most, "waits %d to %d ms (%d)",
		   waits[i].least, waits[i].most, d.run->wait_ms);
		ok((d.run->outcome != FLOE_OUTCOME_NONE) == waits[i].is_ending, "is %sending",
		   waits[i].is_ending ? "" : "not ");
		ok(d.run->unreachable == waits[i].unreachable, "is %sreachable", waits[i].unreachable ? "un" : "");
		drive_end(&d);
	}
}

static void
test_probe(void)
{
	static const struct
	{
		const char *script;
		FloeOutcome outcome;
		const char *text; /* the result, or the error */
	} probes[] = {
		{"open=ok info=Spark info=3.5.9 close=ok done", FLOE_OUTCOME_SUCCEEDED,
		 "[{\"product\":\"Spark\",\"version\":\"3.5.9\"}]"},
		{"open=ok info=Spark info=3.5.9 close=h500 done", FLOE_OUTCOME_SUCCEEDED,
		 "[{\"product\":\"Spark\",\"version\":\"3.5.9\"}]"},
		{"open=refused done", FLOE_OUTCOME_FAILED, "cannot connect to \"spark\""},
		{"open=h401+ done", FLOE_OUTCOME_FAILED,
		 "the engine refuses user or password (HTTP 401): Authentication Error: *** is wrong"},
		{"open=html done", FLOE_OUTCOME_FAILED, "the answer to OpenSession is not a Thrift message"},
		{"open=ok info=h500 close=ok done", FLOE_OUTCOME_FAILED, "the engine answered HTTP 500"},
		{"open=ok info=html close=timeout done", FLOE_OUTCOME_FAILED, "the answer to GetInfo is not a Thrift message"},
		{"open=ok info=Spark info=error close=ok done", FLOE_OUTCOME_FAILED,
		 "The background threadpool cannot accept new task for execution (the engine's queue of statements is full)"},
	};

	for (size_t i = 0; i < lengthof(probes); i++)
	{
		Drive d;
		FloeStatus st;

		drive_init(&d);
		ok(drive_begin(&d, true, &st) && follow(&d, probes[i].script), "probe %s", probes[i].script);
		is_int(d.run->outcome, probes[i].outcome, "its outcome");
		is_str(probes[i].outcome == FLOE_OUTCOME_SUCCEEDED ? d.run->result.data : d.run->error, probes[i].text,
			   "its text");
		ok(!d.broke_a_rule && !shows_secret(d.run), "its rules");
		drive_end(&d);
	}
}

static void
test_begin(void)
{
	Drive d;
	FloeStatus st;
	FloeHttpResponse response;

	/* the target */
	drive_init(&d);
	d.target.user = "a:b";
	ok(!drive_begin(&d, false, &st) && st.code == FLOE_ERR_CONFIG, "a user with a colon cannot be sent");
	drive_end(&d);
	drive_init(&d);
	d.target.token = "x\r\nEvil: 1";
	ok(!drive_begin(&d, false, &st) && st.code == FLOE_ERR_CONFIG, "a token with a line break is refused");
	drive_end(&d);
	drive_init(&d);
	d.target.url = NULL;
	ok(!drive_begin(&d, false, &st) && st.code == FLOE_ERR_CONFIG, "no url");
	drive_end(&d);
	drive_init(&d);
	d.target.user = d.target.password = NULL;
	ok(drive_begin(&d, false, &st) && floe_engine_spark_thrift.next(d.run, NULL) == FLOE_ENGINE_SEND, "no user");
	is_str(d.run->request.headers[1].value, "Basic ZmxvZTpmbG9l", "neither user nor password is sent empty");
	drive_end(&d);
	drive_init(&d);
	d.target.token = "abc";
	ok(drive_begin(&d, false, &st) && floe_engine_spark_thrift.next(d.run, NULL) == FLOE_ENGINE_SEND, "a token");
	is_str(d.run->request.headers[1].value, "Bearer abc", "is sent as one");
	ok(d.run->request.nheaders == 3, "beside the type and the header that XSRF filters want");
	drive_end(&d);

	for (int i = 0; i < 3; i++)
	{
		static const char *const values[] = {"a${env:HOME}", "a\nb", "$ {a} fine"};
		FloeKeyValue setting = {"spark.sql.catalog.demo.uri", values[i]};

		drive_init(&d);
		d.target.session_conf = &setting;
		d.target.nsession_conf = 1;
		ok(drive_begin(&d, false, &st) == (i == 2), "a setting that the server would change or not, %d", i);
		drive_end(&d);
	}

	/* the id goes into a comment */
	drive_init(&d);
	drive_begin(&d, false, &st);
	d.run->operation_id = "*/ DROP TABLE t --";
	ok(!floe_engine_spark_thrift.begin(d.run, NULL, 0, &st) && st.code == FLOE_ERR_INTERNAL, "an id that is no uuid");
	drive_end(&d);

	/* an executor that comes back without an answer */
	drive_init(&d);
	drive_begin(&d, false, &st);
	is_int(floe_engine_spark_thrift.next(d.run, NULL), FLOE_ENGINE_SEND, "send");
	is_int(floe_engine_spark_thrift.next(d.run, NULL), FLOE_ENGINE_WAIT, "no answer is a failed request");
	is_int(floe_engine_spark_thrift.next(d.run, NULL), FLOE_ENGINE_SEND, "that is sent again");
	fake_response(&response, &d.run->request, "denied");
	is_int(floe_engine_spark_thrift.next(d.run, &response), FLOE_ENGINE_DONE, "until it is refused");
	floe_buf_free(&response.body);
	drive_end(&d);

	ok(floe_engine_lookup("spark-thrift") == &floe_engine_spark_thrift, "lookup");
	ok(floe_engine_lookup("livy-of-old") == NULL, "unknown engines are unknown");
}

/* Saved bytes come from a row of the database, but may be of another version or cut. */
static void
test_saved(void)
{
	Drive d;
	FloeStatus st;
	size_t good_len;
	int accepted = 0;

	drive_init(&d);
	drive_begin(&d, false, &st);
	(void) follow(&d, TO_RUNNING);
	is_str(d.run->external_id, "6f706572-6174-696f-6e6f-706572617469", "the id in Spark's UI");
	good_len = d.saved_len;
	drive_end(&d);
	for (size_t len = 1; len < good_len; len++)
	{
		d.saved_len = len;
		accepted += drive_begin(&d, false, &st);
		drive_end(&d);
	}
	d.saved_len = good_len + 1;
	accepted += drive_begin(&d, false, &st);
	drive_end(&d);
	is_int(accepted, 0, "damaged states are refused");
	is_str(floe_code_name(st.code), "corrupt", "as damaged");
	d.saved_len = good_len;
	for (int at = 0; at < 5; at++)
	{
		d.saved[at] ^= 0x40;
		accepted += drive_begin(&d, false, &st);
		drive_end(&d);
		d.saved[at] ^= 0x40;
	}
	is_int(accepted, 0, "so are those of another version");
}

/* Many rows: what is kept has an end, what is counted has a later one. */
static void
test_many_rows(void)
{
	Drive d;
	FloeStatus st;
	FloeEngineVerb verb;
	FloeJsonDoc *doc;
	int fetches = 0;

	drive_init(&d);
	drive_begin(&d, false, &st);
	(void) follow(&d, TO_RUNNING "status=finished metadata=ok");
	verb = FLOE_ENGINE_SEND;
	while (verb == FLOE_ENGINE_SEND)
	{
		verb = drive_answer(&d, "rows");
		fetches++;
	}
	is_int(verb, FLOE_ENGINE_SAVE, "a result without end is left");
	is_int(fetches, 1000, "after a thousand fetches");
	is_int(d.run->result_rows, 2000, "rows are counted");
	doc = floe_json_parse(d.run->result.data, d.run->result.len, "result", FLOE_ENGINE_RESULT_MAX, &st);
	is_int(floe_json_length(floe_json_root(doc)), 1000, "and a thousand kept");
	floe_json_free(doc);
	drive_end(&d);
}

/* Random answers: the adapter always ends or waits, and keeps its rules. */
static void
test_random(void)
{
	static const char *const words[] = {"ok",   "ok",   "ok",      "ok",       "timeout", "h401",      "h500",
										"h502", "html", "lost",    "cut",      "error",   "exception", "finished",
										"rows", "end",  "running", "canceled", "silent",  "conflict",  "denied"};
	uint32_t seed = 12345;
	int broken = 0;
	int ended = 0;

	for (int round = 0; round < 5000; round++)
	{
		Drive d;
		FloeStatus st;
		FloeEngineVerb verb;

		drive_init(&d);
		drive_begin(&d, false, &st);
		verb = floe_engine_spark_thrift.next(d.run, NULL);
		for (int step = 0; step < 300 && verb != FLOE_ENGINE_DONE; step++)
		{
			seed = seed * 1664525 + 1013904223;
			if (seed >> 8 < (1u << 24) / 50)
				d.cancel_requested = d.run->cancel_requested = true;
			if (verb == FLOE_ENGINE_SAVE)
			{
				memcpy(d.saved, d.run->saved, d.run->saved_len);
				d.saved_len = d.run->saved_len;
			}
			if (seed % 97 == 0 && d.saved_len > 0)
			{
				drive_end(&d);
				if (!drive_begin(&d, false, &st))
					broken++;
				verb = floe_engine_spark_thrift.next(d.run, NULL);
			}
			else if (verb == FLOE_ENGINE_SEND)
			{
				FakeCall call = fake_read_call(&d.run->request);

				check_request(&d, &call);
				verb = drive_answer(&d, words[(seed >> 16) % lengthof(words)]);
			}
			else
				verb = floe_engine_spark_thrift.next(d.run, NULL);
		}
		ended += verb == FLOE_ENGINE_DONE;
		broken +=
			d.broke_a_rule || shows_secret(d.run) || (verb == FLOE_ENGINE_DONE && d.run->outcome == FLOE_OUTCOME_NONE);
		drive_end(&d);
	}
	is_int(broken, 0, "no rule is broken on random paths");
	is_int(ended, 5000, "and each of them ends");
}

int
main(void)
{
	test_waiting();
	test_probe();
	test_begin();
	test_saved();
	test_many_rows();
	test_random();
	return tap_done();
}
