/*
 * test_spark_thrift.c: every path through the spark-thrift adapter, against a server that follows a script.
 */
#include "floe.h"

#include "engine/ops.h"

#include "spark_drive.h"
#include "tap.h"

typedef struct PathCase
{
	const char *name;
	const char *script;
	FloeOutcome outcome;
	FloeErrorClass error_class;
	const char *error;  /* exactly; NULL: none */
	const char *result; /* exactly; NULL: none */
	int rows;
} PathCase;

#define RESULT "metadata=ok fetch=rows fetch=end save closeop=ok close=ok done"
#define ROWS "[{\"location\":\"/a\"},{\"location\":\"/a\"}]"
#define UNKNOWN_RECEIPT "no answer to the statement, so whether it was received is unknown"
#define STOPPED "floe stopped before it knew the operation's id; the session is closed"
#define FORGOTTEN                                                                                                      \
	"the engine no longer knows the operation: Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT]"

static const PathCase paths[] = {
	{"without trouble", TO_RUNNING "status=pending wait status=unknown wait status=finished " RESULT,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS, 2},
	{"no rows", "open=ok save execute=ok save status=finished metadata=ok fetch=end save closeop=ok close=ok done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]", 0},
	{"the statement fails", TO_RUNNING "status=conflict close=ok done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFLICT,
	 "CommitFailedException: lost to another", NULL, 0},
	{"the catalog did not say whether it had committed", TO_RUNNING "status=doubt close=ok done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, "CommitStateUnknownException: 502 (the table's snapshots decide whether it was committed)",
	 NULL, 0},
	{"the error's text comes after its state",
	 TO_RUNNING "status=silent wait status=silent wait status=conflict close=ok done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_CONFLICT, "CommitFailedException: lost to another", NULL, 0},
	{"an error that never says anything",
	 TO_RUNNING
	 "status=silent wait status=silent wait status=silent wait status=silent wait status=silent wait status=silent "
	 "close=ok done",
	 FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT, "the engine reports an error without a message", NULL, 0},
	{"secrets in an error", TO_RUNNING "status=leak close=ok done", FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT,
	 "RuntimeException: cannot log in with *** and ***, ***", NULL, 0},
	{"secrets in a result", TO_RUNNING "status=finished metadata=ok fetch=leak fetch=end save closeop=ok close=ok done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[{\"location\":\"/***/x\"},{\"location\":\"/***/x\"}]", 2},
	{"cancelled in the engine's UI", TO_RUNNING "status=canceled close=ok wait done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_TRANSIENT, "the statement was ended at the engine", NULL, 0},
	{"closed at the engine", TO_RUNNING "status=closed close=ok wait done", FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT,
	 "the statement was ended at the engine", NULL, 0},
	{"the engine's own time limit", TO_RUNNING "status=timedout close=ok wait done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_RESOURCE, "the engine ended the statement at its own time limit", NULL, 0},

	/* opening */
	{"the server is away at first",
	 "open=refused wait open=timeout wait open=h502 wait " TO_RUNNING "status=finished " RESULT, FLOE_OUTCOME_SUCCEEDED,
	 FLOE_CLASS_NONE, NULL, ROWS, 2},
	{"wrong password", "open=h401+ done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the engine refuses user or password (HTTP 401): Authentication Error: *** is wrong", NULL, 0},
	{"forbidden", "open=h403 done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG, "the engine forbids the request (HTTP 403)",
	 NULL, 0},
	{"wrong path", "open=h405 done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "not a HiveServer2 HTTP endpoint (HTTP 405)", NULL, 0},
	{"not there", "open=h404 done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "not a HiveServer2 HTTP endpoint (HTTP 404)", NULL, 0},
	{"a redirect", "open=h302 done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the engine redirects the request (HTTP 302): credentials are not sent on", NULL, 0},
	{"floe's own rules forbid the host", "open=denied done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "host \"spark\" is not allowed", NULL, 0},
	{"a web page answers", "open=html done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the answer to OpenSession is not a Thrift message", NULL, 0},
	{"another Thrift service answers", "open=exception done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the server refused OpenSession: Invalid method name", NULL, 0},
	{"a cut-off answer to OpenSession", "open=cut done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "malformed or cut-off answer to OpenSession", NULL, 0},
	{"the session is refused", "open=error done", FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT,
	 "The background threadpool cannot accept new task for execution (the engine's queue of statements is full)", NULL,
	 0},
	{"asked to come back later", "open=h503@ wait " TO_RUNNING "status=finished " RESULT, FLOE_OUTCOME_SUCCEEDED,
	 FLOE_CLASS_NONE, NULL, ROWS, 2},

	/* the statement is sent once */
	{"its answer is lost", "open=ok save execute=timeout close=ok wait done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 UNKNOWN_RECEIPT ": no answer from \"spark\" in time", NULL, 0},
	{"not even connected", "open=ok save execute=refused close=ok wait done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 UNKNOWN_RECEIPT ": cannot connect to \"spark\"", NULL, 0},
	{"its answer is lost and the server is away",
	 "open=ok save execute=timeout close=timeout wait close=h500 wait close=h401 wait close=lost wait done",
	 FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT, UNKNOWN_RECEIPT ": no answer from \"spark\" in time", NULL, 0},
	{"a server error in answer to it", "open=ok save execute=h500 close=ok wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, UNKNOWN_RECEIPT ": the engine answered HTTP 500", NULL, 0},
	{"an odd status in answer to it", "open=ok save execute=h202 close=ok wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, UNKNOWN_RECEIPT ": the engine answered HTTP 202", NULL, 0},
	{"a web page in answer to it", "open=ok save execute=html close=nosession wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, UNKNOWN_RECEIPT ": the answer to ExecuteStatement is not a Thrift message", NULL, 0},
	{"a cut-off answer to it", "open=ok save execute=cut close=ok wait done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 UNKNOWN_RECEIPT ": malformed or cut-off answer to ExecuteStatement", NULL, 0},
	{"refused by HTTP", "open=ok save execute=h401 close=h401 wait close=h401 wait close=h401 done",
	 FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG, "the engine refuses user or password (HTTP 401)", NULL, 0},
	{"the session went away before it", "open=ok save execute=nosession close=lost wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, "the engine no longer knows the session: Invalid SessionHandle: SessionHandle [5d7f]", NULL,
	 0},
	{"refused by the server", "open=ok save execute=error close=ok wait done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_TRANSIENT,
	 "The background threadpool cannot accept new task for execution (the engine's queue of statements is full)", NULL,
	 0},

	/* while it runs nothing but the server's word ends it */
	{"the server is away while it runs",
	 TO_RUNNING
	 "status=timeout wait status=refused wait status=h502 wait status=h401 wait status=h404 wait status=html wait "
	 "status=error wait status=exception wait status=cut wait status=running wait status=finished " RESULT,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS, 2},
	{"the server was restarted", TO_RUNNING "status=lost close=lost wait done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 FORGOTTEN, NULL, 0},
	{"the session was closed", TO_RUNNING "status=nosession close=lost wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, "the engine no longer knows the operation: Invalid SessionHandle: SessionHandle [5d7f]",
	 NULL, 0},

	/* results are evidence, not the purpose */
	{"a fetch is lost",
	 TO_RUNNING "status=finished metadata=timeout wait metadata=ok fetch=rows fetch=timeout wait fetch=rows "
				"fetch=rows fetch=end save closeop=ok close=ok done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL,
	 "[{\"location\":\"/a\"},{\"location\":\"/a\"},{\"location\":\"/a\"},{\"location\":\"/a\"}]", 4},
	{"the rows cannot be read",
	 TO_RUNNING "status=finished metadata=ok fetch=rows fetch=html save closeop=ok close=ok done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, NULL, 0},
	{"the result has expired", TO_RUNNING "status=finished metadata=lost save closeop=lost close=ok done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, NULL, 0},
	{"the server is away for the result",
	 TO_RUNNING
	 "status=finished metadata=refused wait metadata=refused wait metadata=refused wait metadata=refused wait "
	 "metadata=refused save closeop=refused close=refused wait close=refused wait close=refused done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, NULL, 0},
	{"closing fails",
	 TO_RUNNING "status=finished metadata=ok fetch=end save closeop=h500 close=html wait close=error done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]", 0},

	/* cancelling */
	{"cancelled before anything", "cancel! done", FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL, 0},
	{"cancelled while the server is away", "open=refused wait cancel! done", FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE,
	 NULL, NULL, 0},
	{"cancelled before the statement", "open=ok save cancel! close=ok done", FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE,
	 NULL, NULL, 0},
	{"cancelled while it runs", TO_RUNNING "cancel! cancel=ok status=running wait status=canceled close=ok wait done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL, 0},
	{"cancelled, but it had finished", TO_RUNNING "cancel! cancel=ok status=finished " RESULT, FLOE_OUTCOME_SUCCEEDED,
	 FLOE_CLASS_NONE, NULL, ROWS, 2},
	{"cancelled, but it had failed", TO_RUNNING "cancel! cancel=ok status=conflict close=ok done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_CONFLICT, "CommitFailedException: lost to another", NULL, 0},
	{"cancelled, and the server is away",
	 TO_RUNNING
	 "cancel! cancel=timeout wait cancel=h502 wait cancel=ok status=timeout wait status=canceled close=ok wait done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL, 0},
	{"cancelled at a server that cannot", TO_RUNNING "cancel! cancel=error close=timeout wait close=ok wait done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL, 0},
	{"cancelled, but forgotten", TO_RUNNING "cancel! cancel=lost close=lost wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, FORGOTTEN, NULL, 0},
	{"cancelled in doubt about the statement",
	 "open=ok save execute=timeout close=timeout wait cancel! close=ok wait done", FLOE_OUTCOME_CANCELLED,
	 FLOE_CLASS_TRANSIENT, UNKNOWN_RECEIPT ": no answer from \"spark\" in time", NULL, 0},
	{"cancelled while the result is read",
	 TO_RUNNING "status=finished metadata=ok cancel! fetch=rows fetch=end save closeop=ok "
				"close=ok done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS, 2},

	/* crashes */
	{"a crash before the statement", "open=ok save crash! close=ok wait done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 STOPPED, NULL, 0},
	{"a crash after the statement, before its handle",
	 "open=ok save execute=ok crash! close=timeout wait close=lost wait done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 STOPPED, NULL, 0},
	{"a crash while it runs", TO_RUNNING "crash! status=running wait status=finished " RESULT, FLOE_OUTCOME_SUCCEEDED,
	 FLOE_CLASS_NONE, NULL, ROWS, 2},
	{"a crash while the result is read",
	 TO_RUNNING "status=finished metadata=ok fetch=rows crash! status=finished " RESULT, FLOE_OUTCOME_SUCCEEDED,
	 FLOE_CLASS_NONE, NULL, ROWS, 2},
	{"a crash after closing",
	 TO_RUNNING "status=finished metadata=ok fetch=rows fetch=end save closeop=ok close=ok crash! "
				"status=lost closeop=lost close=lost done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, NULL, 0},
	{"a crash, and the server was restarted", TO_RUNNING "crash! status=lost close=lost wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, FORGOTTEN, NULL, 0},
	{"a crash, then cancelled", TO_RUNNING "crash! cancel! cancel=ok status=canceled close=ok wait done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL, 0},
	{"a crash without a handle, then cancelled", "open=ok save crash! cancel! close=ok wait done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_TRANSIENT, STOPPED, NULL, 0},
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
		is_str(floe_error_class_name(d.run->error_class), floe_error_class_name(p->error_class), "%s: class", p->name);
		is_str(d.run->error, p->error != NULL ? p->error : "", "%s: error", p->name);
		is_str(d.run->result.len > 0 ? d.run->result.data : NULL, p->result, "%s: result", p->name);
		is_int(d.run->result_rows, p->rows, "%s: rows", p->name);
		ok(!d.broke_a_rule && !shows_secret(d.run) && !d.run->unreachable, "%s: rules", p->name);
		if (d.run->outcome == FLOE_OUTCOME_LOST)
			is_str(floe_code_name(d.run->last_failure.code), "lost", "%s: why", p->name);
		is_int(floe_engine_spark_thrift.next(d.run, NULL), FLOE_ENGINE_DONE, "%s: it stays done", p->name);
		drive_end(&d);
	}
}

int
main(void)
{
	test_paths();
	return tap_done();
}
