/*
 * test_spark_connect.c: every path through the spark-connect adapter, against a server that follows a script.
 */
#include "floe.h"

#include "connect_drive.h"
#include "tap.h"

typedef struct PathCase
{
	const char *name;
	const char *script;
	FloeOutcome outcome;
	FloeErrorClass error_class;
	const char *error;  /* exactly; NULL: none */
	const char *result; /* exactly; NULL: none */
} PathCase;

#define TO_RUNNING "config=ok save execute=part save wait "
#define END "save free=ok close=ok done"
#define ROWS                                                                                                           \
	"[{\"col_name\":\"a\",\"data_type\":\"int\",\"comment\":\"x\"},"                                                   \
	"{\"col_name\":\"b\",\"data_type\":\"string\",\"comment\":null}]"
#define FORGOTTEN "the engine no longer knows the operation: " GONE
#define SUCCESS FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS
#define LOST(error) FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT, error, NULL
#define NOT_RECEIVED LOST("the engine has not received the statement")
#define FAILED(class, error) FLOE_OUTCOME_FAILED, FLOE_CLASS_##class, error, NULL
#define CANCELLED FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL

static const PathCase paths[] = {
	{"a short statement", "config=ok save execute=ok " END, SUCCESS},
	{"a long one", TO_RUNNING "attach=part wait attach=part wait attach=ok " END, SUCCESS},
	{"the server ends the stream every two minutes", TO_RUNNING "attach=pause wait attach=empty wait attach=ok " END,
	 SUCCESS},
	{"a server that says nothing while it runs",
	 "config=ok save execute=timeout check=exists save wait attach=timeout check=exists wait attach=ok " END, SUCCESS},
	{"the statement fails at once", "config=ok save execute=conflict close=ok done",
	 FAILED(CONFLICT, "CommitFailedException: lost to another")},
	{"the statement fails later", TO_RUNNING "attach=conflict free=ok close=ok done",
	 FAILED(CONFLICT, "CommitFailedException: lost to another")},
	{"the catalog did not say whether it had committed", TO_RUNNING "attach=doubt free=ok close=ok done",
	 FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 "CommitStateUnknownException: 502 (the table's snapshots decide whether it was committed)", NULL},
	{"the causes of a failure", TO_RUNNING "attach=caused details=ok free=ok close=ok done",
	 FAILED(CONFIG, "RuntimeException: Couldn't load table 'fix.nope' in catalog 'r'; caused by NoSuchTableException: "
					"[TABLE_OR_VIEW_NOT_FOUND] The table or view fix.nope cannot be found. Verify the spelling and "
					"correctness of the schema and catalog.")},
	{"no causes of it", TO_RUNNING "attach=caused details=h500 free=ok close=ok done",
	 FAILED(TRANSIENT, "RuntimeException: it did not work")},
	{"a server that does not know its causes", TO_RUNNING "attach=caused details=s12 free=ok close=ok done",
	 FAILED(TRANSIENT, "RuntimeException: it did not work")},
	{"secrets in an error", TO_RUNNING "attach=leak free=ok close=ok done",
	 FAILED(TRANSIENT, "RuntimeException: cannot log in with *** and ***")},
	{"cancelled in the engine's UI", TO_RUNNING "attach=canceled free=ok close=ok wait done",
	 FAILED(TRANSIENT, "the statement was ended at the engine")},
	{"more rows than floe takes", TO_RUNNING "attach=large " END, FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, NULL},

	/* opening */
	{"the server is away at first",
	 "config=refused wait config=timeout wait config=h502 wait config=ok save execute=ok " END, SUCCESS},
	{"a proxy without a server", "config=s14 wait config=s8 wait config=ok save execute=ok " END, SUCCESS},
	{"a wrong token", "config=s16 done", FAILED(CONFIG, "the engine refuses the token: says the proxy")},
	{"a wrong token, by HTTP", "config=h401 done", FAILED(CONFIG, "the engine refuses the token (HTTP 401)")},
	{"forbidden", "config=s7 done", FAILED(CONFIG, "the engine forbids the request: says the proxy")},
	{"another service", "config=s12 done", FAILED(CONFIG, "not Spark Connect of Spark 3.5 or newer: says the proxy")},
	{"not there", "config=h404 done", FAILED(CONFIG, "not a Spark Connect endpoint (HTTP 404)")},
	{"a redirect", "config=h302 done",
	 FAILED(CONFIG, "the engine redirects the request (HTTP 302): credentials are not sent on")},
	{"a web page", "config=html done", FAILED(CONFIG, "the engine's answer is not one of gRPC")},
	{"an empty answer", "config=empty done", FAILED(CONFIG, "the answer to Config is none of Spark Connect")},
	{"floe's own rules forbid the host", "config=denied done", FAILED(CONFIG, "host \"spark\" is not allowed")},
	{"a setting is refused", "config=leak done", FAILED(TRANSIENT, "RuntimeException: cannot log in with *** and ***")},

	/* the statement is sent once */
	{"its answer is lost, and it runs", "config=ok save execute=refused check=exists save wait attach=ok " END,
	 SUCCESS},
	{"its answer is lost, and it does not", "config=ok save execute=refused check=ok close=ok wait done", NOT_RECEIVED},
	{"its answer is lost, and the server is away",
	 "config=ok save execute=h502 check=refused wait check=timeout wait check=s14 wait check=html wait check=empty "
	 "wait "
	 "check=exists save wait attach=ok " END,
	 SUCCESS},
	{"the plan that does nothing was there first",
	 "config=ok save execute=timeout check=timeout wait check=exists save wait attach=nothing close=ok wait done",
	 NOT_RECEIVED},
	{"the server was restarted before it", "config=ok save execute=changed close=changed wait done",
	 LOST("the engine no longer knows the operation: [INVALID_HANDLE.SESSION_CHANGED] The existing Spark server driver "
		  "instance has restarted.")},
	{"turned away", "config=ok save execute=s16 close=s16 done",
	 FAILED(CONFIG, "the engine refuses the token: says the proxy")},
	{"an answer that is none", "config=ok save execute=packed check=exists save wait attach=ok " END, SUCCESS},

	/* while it runs nothing but the server's word ends it */
	{"the server is away while it runs",
	 TO_RUNNING
	 "attach=refused wait attach=h502 wait attach=h401 wait attach=s16 wait attach=cursor wait attach=html wait "
	 "attach=packed wait attach=exists wait attach=timeout check=s14 wait check=exists wait attach=ok " END,
	 SUCCESS},
	{"the server was restarted", TO_RUNNING "attach=gone close=nosession wait done", LOST(FORGOTTEN)},
	{"Spark has no thread of it any more, or not yet", TO_RUNNING "attach=orphaned close=ok wait done",
	 LOST("the engine gave the operation up: Operation was orphaned because of an internal error.")},
	{"the session has expired", TO_RUNNING "attach=nosession close=ok wait done",
	 LOST("the engine no longer knows the operation: SparkSQLException: [INVALID_HANDLE.SESSION_NOT_FOUND] The handle "
		  "is "
		  "invalid.")},
	{"the server was frozen and restarted", TO_RUNNING "attach=timeout check=timeout wait check=ok close=ok wait done",
	 NOT_RECEIVED},

	/* giving back */
	{"Spark 3.5 cannot end a session", "config=ok save execute=ok save free=ok close=s12 done", SUCCESS},
	{"closing fails",
	 "config=ok save execute=ok save free=timeout wait free=h500 wait free=s14 close=refused wait close=refused wait "
	 "close=refused done",
	 SUCCESS},
	{"it is gone already", "config=ok save execute=ok save free=gone close=nosession done", SUCCESS},

	/* cancelling */
	{"cancelled before anything", "cancel! done", CANCELLED},
	{"cancelled while the server is away", "config=refused wait cancel! done", CANCELLED},
	{"cancelled before the statement", "config=ok save cancel! close=ok done", CANCELLED},
	{"cancelled while it runs",
	 TO_RUNNING "cancel! interrupt=ok attach=part wait attach=canceled free=ok close=ok wait done", CANCELLED},
	{"cancelled, but it had finished", TO_RUNNING "cancel! interrupt=ok attach=ok " END, SUCCESS},
	{"cancelled, but it had failed", TO_RUNNING "cancel! interrupt=ok attach=conflict free=ok close=ok done",
	 FAILED(CONFLICT, "CommitFailedException: lost to another")},
	{"cancelled, and the server is away",
	 TO_RUNNING
	 "cancel! interrupt=timeout wait interrupt=h502 wait interrupt=ok attach=canceled free=ok close=ok wait done",
	 CANCELLED},
	{"cancelled in doubt about the statement",
	 "config=ok save execute=refused check=refused wait cancel! check=exists "
	 "save wait interrupt=ok attach=canceled free=ok close=ok wait done",
	 CANCELLED},

	/* crashes */
	{"a crash before the statement", "config=ok save crash! check=ok close=ok wait done", NOT_RECEIVED},
	{"a crash after the statement", "config=ok save execute=part crash! check=exists save wait attach=ok " END,
	 SUCCESS},
	{"a crash while it runs", TO_RUNNING "attach=part wait crash! attach=part wait attach=ok " END, SUCCESS},
	{"a crash while it was given back",
	 "config=ok save execute=ok save free=ok crash! attach=gone free=gone close=ok done", FLOE_OUTCOME_SUCCEEDED,
	 FLOE_CLASS_NONE, NULL, NULL},
	{"a crash, and the result is still there", "config=ok save execute=ok save crash! attach=ok " END, SUCCESS},
	{"a crash, and the server was restarted", TO_RUNNING "crash! attach=nosession close=nosession wait done",
	 LOST("the engine no longer knows the operation: SparkSQLException: [INVALID_HANDLE.SESSION_NOT_FOUND] The handle "
		  "is "
		  "invalid.")},
	{"a crash, then cancelled", TO_RUNNING "cancel! crash! interrupt=ok attach=canceled free=ok close=ok wait done",
	 CANCELLED},
};

static void
test_paths(void)
{
	for (size_t i = 0; i < lengthof(paths); i++)
	{
		const PathCase *p = &paths[i];
		Drive d;
		FloeStatus st;
		bool followed;

		drive_init(&d);
		followed = drive_begin(&d, false, &st) && follow(&d, p->script);
		ok(followed, "%s", p->name);
		if (!followed)
			printf("#   %s\n", d.trace);
		is_int(d.run->outcome, p->outcome, "%s: outcome", p->name);
		if (p->outcome != FLOE_OUTCOME_CANCELLED)
			is_str(floe_error_class_name(d.run->error_class), floe_error_class_name(p->error_class), "%s: class",
				   p->name);
		if (p->outcome != FLOE_OUTCOME_CANCELLED)
			is_str(d.run->error, p->error != NULL ? p->error : "", "%s: error", p->name);
		is_str(d.run->result.len > 0 ? d.run->result.data : NULL, p->result, "%s: result", p->name);
		ok(!d.broke_a_rule && !shows_secret(d.run) && !d.run->unreachable, "%s: rules", p->name);
		if (d.run->outcome == FLOE_OUTCOME_LOST)
			is_str(floe_code_name(d.run->last_failure.code), "lost", "%s: why", p->name);
		is_int(floe_engine_spark_connect.next(d.run, NULL), FLOE_ENGINE_DONE, "%s: it stays done", p->name);
		drive_end(&d);
	}
}

/* A statement that no interrupt ends: its operation is released, and that has to be answered. */
static void
test_stubborn(void)
{
	char script[1024] = TO_RUNNING "cancel! interrupt=ok";
	Drive d;
	FloeStatus st;

	for (int i = 0; i < 20; i++)
		strcat(script, " attach=part wait");
	strcat(script, " attach=part free=timeout wait free=s14 wait free=ok close=s12 wait done");
	drive_init(&d);
	ok(drive_begin(&d, false, &st) && follow(&d, script), "a statement that does not end");
	is_int(d.run->outcome, FLOE_OUTCOME_CANCELLED, "is cancelled");
	drive_end(&d);
}

static void
test_begin(void)
{
	static const struct
	{
		const char *name;
		const char *url;
		const char *token;
		const char *password;
		const char *user;
		bool ok;
	} targets[] = {
		{"https and a token", URL, "t", NULL, NULL, true},
		{"http without a token", "http://spark:15002", NULL, NULL, "ann", true},
		{"http and a token", "http://spark:15002", "t", NULL, NULL, false},
		{"a token on this machine", "http://127.0.0.1:15002", "t", NULL, NULL, true},
		{"a token and a name like this machine", "http://127.0.0.1.example:15002", "t", NULL, NULL, false},
		{"a password", URL, NULL, "p", NULL, false},
		{"a line break in a token", URL, "t\r\nEvil: 1", NULL, NULL, false},
		{"a line break in a user", URL, NULL, NULL, "a\nb", false},
		{"a query in the url", "http://spark:15002/?a=b", NULL, NULL, NULL, false},
		{"no url", NULL, NULL, NULL, NULL, false},
	};
	static const char *const damaged[] = {"", "FSC", "FSC\1\4", "FHS\1\0", "FSC\2\0"};
	Drive d;
	FloeStatus st;

	for (size_t i = 0; i < lengthof(targets); i++)
	{
		drive_init(&d);
		d.target.url = targets[i].url;
		d.target.token = targets[i].token;
		d.target.password = targets[i].password;
		d.target.user = targets[i].user;
		ok(drive_begin(&d, false, &st) == targets[i].ok && (targets[i].ok || st.code == FLOE_ERR_CONFIG), "%s",
		   targets[i].name);
		drive_end(&d);
	}
	for (size_t i = 1; i < lengthof(damaged); i++)
	{
		drive_init(&d);
		memset(d.saved, 'x', sizeof(d.saved));
		memcpy(d.saved, damaged[i], strlen(damaged[i]) + 1);
		d.saved_len = 100;
		ok(!drive_begin(&d, false, &st) && st.code == FLOE_ERR_CORRUPT, "saved bytes that are none");
		drive_end(&d);
	}
}

/* The ids last: a crash finds the operation, the user and what the server called the session. */
static void
test_saved(void)
{
	Drive d;
	FloeStatus st;
	char operation[40];

	drive_init(&d);
	ok(drive_begin(&d, false, &st) && !follow(&d, TO_RUNNING) && d.run->external_id[0] != '\0', "it runs");
	snprintf(operation, sizeof(operation), "%s", d.run->external_id);
	drive_end(&d);
	d.target.user = "ben"; /* the user mapping has changed meanwhile */
	ok(drive_begin(&d, false, &st), "begins with the saved bytes");
	is_int(floe_engine_spark_connect.next(d.run, NULL), FLOE_ENGINE_SEND, "asks");
	is_str(word_of(&d.run->request), "attach", "for the operation");
	is_str(d.run->external_id, operation, "of the same id");
	ok(has_text(&d.run->request, operation) && has_text(&d.run->request, "ann") && !has_text(&d.run->request, "ben"),
	   "in the session of the same user");
	drive_end(&d);
	for (size_t len = 1; len < d.saved_len; len++)
	{
		size_t whole = d.saved_len;

		d.saved_len = len;
		if (drive_begin(&d, false, &st) || st.code != FLOE_ERR_CORRUPT)
			ok(false, "the first %zu bytes are none", len);
		drive_end(&d);
		d.saved_len = whole;
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
		{"version=ok close=ok done", FLOE_OUTCOME_SUCCEEDED, "[{\"product\":\"Spark\",\"version\":\"4.0.5\"}]"},
		{"version=ok close=refused done", FLOE_OUTCOME_SUCCEEDED, "[{\"product\":\"Spark\",\"version\":\"4.0.5\"}]"},
		{"version=refused done", FLOE_OUTCOME_FAILED, "cannot connect to \"spark\""},
		{"version=s16 done", FLOE_OUTCOME_FAILED, "the engine refuses the token: says the proxy"},
		{"version=html done", FLOE_OUTCOME_FAILED, "the engine's answer is not one of gRPC"},
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

int
main(void)
{
	fixture_load("test/fixtures/connect/spark.txt");
	test_paths();
	test_stubborn();
	test_begin();
	test_saved();
	test_probe();
	fixture_free();
	return tap_done();
}
