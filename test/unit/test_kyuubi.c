/*
 * test_kyuubi.c: every path through the kyuubi adapter, over answers that a real Kyuubi 1.11.1 gave.
 */
#include "floe.h"

#include "talk_drive.h"

#define BASE "http://kyuubi:10099/api/v1"
#define ID "a93c3269-203b-4ae5-91aa-df15bc7799b2"
#define OP "905bcc82-71ef-41aa-8bbe-4183f59ffc62"

static const char *
request_name(const FloeHttpRequest *request)
{
	const char *path = request->url + strlen(BASE);
	const char *body = request->body != NULL ? request->body : "";

	if (strcmp(path, "/version") == 0)
		return "version";
	if (strcmp(path, "/sessions") == 0)
		return strcmp(request->method, "POST") == 0 ? "create" : "find";
	if (strstr(path, "/operations/statement") != NULL)
		return "submit";
	if (strncmp(path, "/sessions/", 10) == 0)
		return strcmp(request->method, "DELETE") == 0 ? "delete" : "session";
	if (strcmp(request->method, "PUT") == 0)
		return strstr(body, "cancel") != NULL ? "cancel" : "close";
	if (strstr(path, "/event") != NULL)
		return "poll";
	if (strstr(path, "/log") != NULL)
		return "log";
	if (strstr(path, "/resultsetmetadata") != NULL)
		return "metadata";
	return request->max_attempts == 1 ? "fetch" : "fetch repeated";
}

#define SESSION(opened, operations, exception)                                                                         \
	"{\"sessionId\":\"" ID "\",\"openedTime\":" opened ",\"totalOperations\":" operations ",\"exception\":" exception  \
	"}"
#define EVENT(state, exception)                                                                                        \
	"{\"statementId\":\"" OP "\",\"state\":\"" state "\",\"exception\":" exception ",\"completeTime\":0}"
#define NO_OPERATION                                                                                                   \
	"{\"message\":\"Error getting an operation event: org.apache.kyuubi.KyuubiSQLException: Invalid OperationHandle "  \
	"[" OP "]\\n\\tat org.apache.kyuubi.KyuubiSQLException$.apply(KyuubiSQLException.scala:69)\"}"
#define NO_SESSION                                                                                                     \
	"{\"message\":\"Error executing statement: org.apache.kyuubi.KyuubiSQLException: Invalid SessionHandle "           \
	"[" ID "]\\n\\tat org.apache\"}"

static const TalkAnswer answers[] = {
	{"none", 200, "[]"},
	{"others", 200, "[{\"identifier\":\"" ID "\",\"conf\":{\"kyuubi.session.name\":\"floe-other\"}}]"},
	{"ours", 200, "[{\"identifier\":\"" ID "\",\"conf\":{\"kyuubi.session.name\":\"floe-" OPERATION_ID "\"}}]"},
	{"new", 200, "{\"identifier\":\"" ID "\",\"kyuubiInstance\":\"127.0.0.1:10099\"}"},
	{"opening", 200, SESSION("-1", "0", "null")},
	{"opened", 200, SESSION("1795256784739", "0", "null")},
	{"used", 200, SESSION("1795256784739", "1", "null")},
	{"broken", 200, SESSION("-1", "0", "{\"message\":\"Failed to detect the root cause: pa55word\\n\\tat x\"}")},
	{"id", 200, "{\"identifier\":\"" OP "\"}"},
	{"running", 200, EVENT("RUNNING_STATE", "null")},
	{"bare", 200, EVENT("RUNNING", "null")},
	{"finished", 200, EVENT("FINISHED_STATE", "null")},
	{"failed", 200,
	 EVENT("ERROR_STATE",
		   "{\"cause\":null,\"stackTrace\":[{\"methodName\":\"apply\"}],\"message\":\"org.apache.kyuubi."
		   "KyuubiSQLException: Error "
		   "operating ExecuteStatement: java.lang.RuntimeException: Couldn't load table 'db.nope' in catalog "
		   "'lab'\\n\\tat org.apache.iceberg\"}")},
	{"silent", 200, EVENT("ERROR_STATE", "null")},
	{"canceled", 200, EVENT("CANCELED_STATE", "null")},
	{"timeout_state", 200, EVENT("TIMEOUT_STATE", "null")},
	{"columns", 200,
	 "{\"columns\":[{\"columnName\":\"n\",\"dataType\":\"INT_TYPE\"},{\"columnName\":\"s\",\"dataType\":\"STRING_"
	 "TYPE\"}]}"},
	{"nocolumns", 200, "{\"columns\":[]}"},
	{"rows", 200,
	 "{\"rows\":[{\"fields\":[{\"dataType\":\"I32_VAL\",\"value\":6},{\"dataType\":\"STRING_VAL\",\"value\":"
	 "\"t0psecret\"}]}],\"rowCount\":1}"},
	{"end", 200, "{\"rows\":[],\"rowCount\":0}"},
	{"log", 200, "{\"logRowSet\":[\"x\",\"java.lang.OutOfMemoryError: Java heap space\",\"y\"]}"},
	{"nosession", 404, NO_SESSION},
	{"nooperation", 404, NO_OPERATION},
	{"closed", 500, "{\"message\":\"Invalid SessionHandle [" ID "]\"}"},
	{"state", 404,
	 "{\"message\":\"Error getting result row set: java.lang.IllegalStateException: Expected state FINISHED, but found "
	 "RUNNING\\n\\tat x\"}"},
	{"noengine", 404,
	 "{\"message\":\"Error executing statement: java.util.concurrent.ExecutionException: "
	 "org.apache.kyuubi.KyuubiSQLException: Failed to detect the root cause\\n\\tat x\"}"},
	{"broken500", 500, "{\"message\":\"java.lang.OutOfMemoryError: Java heap space\"}"},
	{"v", 200, "{\"version\":\"1.11.1\"}"},
};

#define OPENED "find=none create=new save session=opening wait session=opened save "
#define RUNNING OPENED "submit=id save poll=running wait "
#define DDL "poll=finished metadata=nocolumns save close=empty delete=empty done"
#define ROWS "[{\"n\":6,\"s\":\"***\"}]"
#define UNKNOWN "no answer to the statement, so whether it was received is unknown: no answer from \"engine\" in time"

static const TalkPath paths[] = {
	{"without trouble",
	 RUNNING "poll=bare wait poll=finished metadata=columns fetch=rows fetch=end save close=empty delete=empty done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS},
	{"no rows", RUNNING DDL, FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"it failed", RUNNING "poll=failed delete=empty done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "RuntimeException: Couldn't load table 'db.nope' in catalog 'lab'", NULL},
	{"it failed without a message", RUNNING "poll=silent log=log delete=empty done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_RESOURCE, "OutOfMemoryError: Java heap space", NULL},
	{"it failed without anything", RUNNING "poll=silent log=state delete=empty done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_TRANSIENT, "the engine reports an error without a message", NULL},
	{"its own time limit", RUNNING "poll=timeout_state delete=empty wait done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_RESOURCE, "the engine ended the statement at its own time limit", NULL},
	{"cancelled in another way", RUNNING "poll=canceled delete=empty wait done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_TRANSIENT, "the statement was ended at the engine", NULL},

	/* the session */
	{"other sessions", "find=others create=new save session=opened save submit=id save " DDL, FLOE_OUTCOME_SUCCEEDED,
	 FLOE_CLASS_NONE, NULL, "[]"},
	{"one whose answer was lost", "find=ours session=opened save session=opened save submit=id save " DDL,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"one of an earlier attempt is closed",
	 "find=ours session=used delete=empty find=none create=new save session=opened save submit=id save " DDL,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"its answer is lost",
	 "find=none create=timeout wait find=ours session=opened save session=opened save submit=id save " DDL,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"sessions may not be listed", "find=state create=new save session=opened save submit=id save " DDL,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"its engine does not start", "find=none create=new save session=broken delete=empty done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_TRANSIENT, "Failed to detect the root cause: ***", NULL},
	{"it vanishes while it opens", "find=none create=new save session=nosession wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT,
	 "the engine no longer knows the session: Error executing statement: org.apache.kyuubi.KyuubiSQLException: Invalid "
	 "SessionHandle [" ID "]",
	 NULL},
	{"wrong password", "find=h401 done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the engine refuses user or password (HTTP 401)", NULL},
	{"another service", "find=h404page done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "not an endpoint of Kyuubi (HTTP 404)", NULL},
	{"an id that is none", "find=none create=odd done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the answer to POST /sessions is not one of Kyuubi", NULL},

	/* the statement is sent once */
	{"its answer is lost", OPENED "submit=timeout delete=empty wait done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 UNKNOWN, NULL},
	{"the proof has to be waited for",
	 OPENED "submit=timeout delete=h502 wait delete=timeout wait delete=closed wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, UNKNOWN, NULL},
	{"it is refused", OPENED "submit=noengine delete=empty done", FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT,
	 "Error executing statement: java.util.concurrent.ExecutionException: org.apache.kyuubi.KyuubiSQLException: Failed "
	 "to detect the root cause",
	 NULL},

	{"it breaks the server",
	 OPENED "submit=broken500 delete=h502 wait delete=h502 wait delete=h502 wait delete=h502 wait delete=empty wait "
			"done",
	 FLOE_OUTCOME_FAILED, FLOE_CLASS_RESOURCE, "OutOfMemoryError: Java heap space", NULL},

	/* while it runs nothing but the server's word ends it */
	{"the server is away",
	 RUNNING "poll=timeout wait poll=h502 wait poll=h401 wait poll=html wait poll=state wait poll=odd wait " DDL,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"the server was restarted", RUNNING "poll=nooperation delete=closed wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT,
	 "the engine no longer knows the operation: Error getting an operation event: "
	 "org.apache.kyuubi.KyuubiSQLException: Invalid OperationHandle [" OP "]",
	 NULL},
	{"the rows are lost",
	 RUNNING "poll=finished metadata=columns fetch=timeout save close=h502 delete=h502 wait delete=closed done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, NULL},

	/* cancelling */
	{"cancelled before anything", "cancel! find=none done", FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL},
	{"cancelled while it opens", "find=none create=new save session=opening wait cancel! delete=empty done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL},
	{"cancelled while it runs", RUNNING "cancel! cancel=empty poll=canceled delete=empty wait done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL},
	{"cancelled too late", RUNNING "cancel! cancel=empty " DDL, FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},

	/* after a crash */
	{"crash with a session", "find=none create=new save crash! session=opened save submit=id save " DDL,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"crash around the statement", OPENED "crash! delete=empty wait done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 "floe stopped before it knew the operation's id; the session is closed", NULL},
	{"crash while it runs", RUNNING "crash! " DDL, FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"crash after its end", RUNNING "poll=finished metadata=nocolumns save crash! close=nooperation delete=closed done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, NULL},
};

int
main(void)
{
	TalkKind kind = {&floe_engine_kyuubi, BASE, request_name, answers, lengthof(answers), NULL};
	TalkDrive d;
	FloeStatus st;

	talk_paths(&kind, paths, lengthof(paths));
	talk_random(&kind, 3000);
	talk_init(&d, &kind);
	talk_begin(&d, false, &st);
	(void) talk_follow(&d, RUNNING);
	talk_end(&d);
	talk_damage(&d);

	talk_init(&d, &kind);
	talk_begin(&d, true, &st);
	ok(talk_follow(&d, "version=v find=none done") && d.run->outcome == FLOE_OUTCOME_SUCCEEDED &&
		   strcmp(d.run->result.data, "[{\"product\":\"Kyuubi\",\"version\":\"1.11.1\"}]") == 0,
	   "a probe");
	talk_end(&d);
	ok(floe_engine_lookup("kyuubi") == &floe_engine_kyuubi, "lookup");
	return tap_done();
}
