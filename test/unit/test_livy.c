/*
 * test_livy.c: every path through the livy adapter, over answers that a real Livy 0.9.0 gave.
 */
#include "floe.h"

#include "talk_drive.h"

static const char *
request_name(const FloeHttpRequest *request)
{
	const char *path = request->url + strlen("http://livy:8998");
	const char *id = strncmp(path, "/sessions/", 10) == 0 ? path + 10 : NULL;
	const char *rest = id != NULL ? strchr(id, '/') : NULL;

	if (strcmp(path, "/version") == 0)
		return "version";
	if (id == NULL)
		return strcmp(request->method, "POST") == 0 ? "create" : "find";
	if (rest == NULL)
		return strcmp(request->method, "DELETE") == 0 ? "delete" : "session";
	if (strncmp(rest, "/log", 4) == 0)
		return "log";
	if (strstr(rest, "/cancel") != NULL)
		return "cancel";
	if (strncmp(rest, "/statements/", 12) == 0)
		return "poll";
	return strcmp(request->method, "POST") == 0 ? "submit" : "look";
}

#define SESSION(state)                                                                                                 \
	"{\"id\":2,\"name\":\"floe-" OPERATION_ID "\",\"appId\":null,\"state\":\"" state "\",\"kind\":\"sql\",\"log\":[]}"
#define STATEMENT_OF(state, output)                                                                                    \
	"{\"id\":0,\"code\":\"" MARKER " CALL x\",\"state\":\"" state "\",\"output\":" output ",\"progress\":0.0}"
#define OUTPUT_OK                                                                                                      \
	"{\"status\":\"ok\",\"execution_count\":11,\"data\":{\"application/json\":{\"schema\":{\"type\":\"struct\","       \
	"\"fields\":[{\"name\":\"n\",\"type\":\"integer\",\"nullable\":false,\"metadata\":{}},{\"name\":\"s\",\"type\":"   \
	"\"string\"}]},\"data\":[[6,\"a\"],[null,\"t0psecret\"]]}}}"
#define OUTPUT_ERROR(text)                                                                                             \
	"{\"status\":\"error\",\"execution_count\":0,\"ename\":\"Error\",\"evalue\":\"" text "\",\"traceback\":[\"org."    \
	"a\"]}"

static const TalkAnswer answers[] = {
	{"new", 201, SESSION("starting")},
	{"starting", 200, SESSION("starting")},
	{"idle", 200, SESSION("idle")},
	{"busy", 200, SESSION("busy")},
	{"dead", 200, SESSION("dead")},
	{"sessions", 200,
	 "{\"from\":0,\"total\":2,\"sessions\":[{\"id\":1,\"name\":null,\"state\":\"idle\"}," SESSION("idle") "]}"},
	{"startings", 200, "{\"from\":0,\"total\":1,\"sessions\":[" SESSION("starting") "]}"},
	{"deads", 200, "{\"from\":0,\"total\":1,\"sessions\":[" SESSION("dead") "]}"},
	{"none", 200, "{\"from\":0,\"total\":0,\"sessions\":[],\"total_statements\":0,\"statements\":[]}"},
	{"gone", 404, "{\"msg\":\"Session '2' not found.\"}"},
	{"unrecognized", 400,
	 "\"Unrecognized field \\\"ttl\\\" (class org.apache.livy.server.interactive.CreateInteractiveRequest), not "
	 "marked\""},
	{"duplicate", 400, "{\"msg\":\"Rejected, Reason: Duplicate session name: Some(floe-2) for session 3\"}"},
	{"badkind", 400, "\"Invalid kind: nokind (through reference chain: x)\""},
	{"toomany", 400, "{\"msg\":\"Rejected, too many sessions are being created!\"}"},
	{"h500", 500, "\"java.nio.file.NoSuchFileException: /spark/python/lib\""},
	{"npe", 500,
	 "\"java.util.concurrent.ExecutionException: org.apache.livy.rsc.rpc.RpcException: "
	 "java.lang.NullPointerException\\n\\tat org\""},
	{"inactive", 400, "{\"msg\":\"requirement failed: Session isn't active.\"}"},
	{"log", 200,
	 "{\"id\":2,\"from\":0,\"total\":3,\"log\":[\"stdout: \",\"java.lang.IllegalStateException: pa55word is "
	 "wrong\",\"\\tat org.x\",\"\\nstderr: \"]}"},
	{"waiting", 201, STATEMENT_OF("waiting", "null")},
	{"running", 200, STATEMENT_OF("running", "null")},
	{"ok", 200, STATEMENT_OF("available", OUTPUT_OK)},
	{"ddl", 200,
	 STATEMENT_OF("available", "{\"status\":\"ok\",\"data\":{\"application/"
							   "json\":{\"schema\":{\"type\":\"struct\",\"fields\":[]},\"data\":[]}}}")},
	{"text", 200, STATEMENT_OF("available", "{\"status\":\"ok\",\"data\":{\"text/plain\":\"x\"}}")},
	{"failed", 200, STATEMENT_OF("available", OUTPUT_ERROR("Couldn't load table 'db.nope' in catalog 'lab'"))},
	{"parse", 200,
	 STATEMENT_OF("available",
				  OUTPUT_ERROR("\\n[PARSE_SYNTAX_ERROR] Syntax error at or near 'CALL'.(line 1, pos 0)\\n"))},
	{"silent", 200, STATEMENT_OF("available", "null")},
	{"cancelled", 200, STATEMENT_OF("cancelled", OUTPUT_ERROR("Job 50 cancelled part of cancelled job group 19"))},
	{"nostatement", 404, "\"Statement not found\""},
	{"statements", 200, "{\"total_statements\":1,\"statements\":[" STATEMENT_OF("running", "null") "]}"},
	{"others", 200,
	 "{\"total_statements\":1,\"statements\":[{\"id\":4,\"code\":\"SELECT 1\",\"state\":\"available\"}]}"},
	{"deleted", 200, "{\"msg\":\"deleted\"}"},
	{"canceled", 200, "{\"msg\":\"canceled\"}"},
};

#define IDLE "create=new save session=starting wait session=idle save "
#define RUNNING IDLE "submit=waiting save poll=running wait "
#define END "save delete=deleted done"
#define ROWS "[{\"n\":6,\"s\":\"a\"},{\"n\":null,\"s\":\"***\"}]"
#define NOT_LISTED "no answer to the statement, and the engine does not list it"
#define GONE "the engine no longer knows the session: Session '2' not found."

static const TalkPath paths[] = {
	{"without trouble", RUNNING "poll=ok " END, FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS},
	{"no rows", IDLE "submit=waiting save poll=ddl " END, FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"output of another kind", IDLE "submit=waiting save poll=text " END, FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL,
	 NULL},
	{"it failed, and is available", RUNNING "poll=failed delete=deleted done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "Couldn't load table 'db.nope' in catalog 'lab'", NULL},
	{"no such procedure", RUNNING "poll=parse delete=deleted done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "[PARSE_SYNTAX_ERROR] Syntax error at or near 'CALL'.(line 1, pos 0) (Iceberg's SQL extensions are missing in "
	 "spark.sql.extensions, or its version has no such procedure)",
	 NULL},
	{"an error that says nothing", RUNNING "poll=silent delete=deleted done", FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT,
	 "the engine reports an error without a message", NULL},
	{"cancelled in another way", RUNNING "poll=cancelled delete=deleted wait done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_TRANSIENT, "the statement was ended at the engine", NULL},

	/* the session */
	{"an old server", "create=unrecognized create=new save session=idle save submit=waiting save poll=ddl " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"refused twice", "create=unrecognized create=unrecognized done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "Unrecognized field \"ttl\" (class org.apache.livy.server.interactive.CreateInteractiveRequest), not marked",
	 NULL},
	{"a request that is wrong", "create=badkind done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "Invalid kind: nokind (through reference chain: x)", NULL},
	{"too many sessions", "create=toomany done", FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT,
	 "Rejected, too many sessions are being created!", NULL},
	{"the server's own fault", "create=h500 done", FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT,
	 "NoSuchFileException: /spark/python/lib", NULL},
	{"its answer is lost; it starts",
	 "create=timeout wait create=duplicate find=startings save session=idle save submit=waiting save poll=ddl " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"its answer is lost; it is idle",
	 "create=timeout wait create=duplicate find=sessions look=none save session=idle save submit=waiting save "
	 "poll=ddl " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"one of an earlier attempt is replaced",
	 "create=duplicate find=sessions look=statements delete=deleted create=new save session=idle save submit=waiting "
	 "save poll=ddl " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"a dead one is replaced",
	 "create=duplicate find=deads delete=gone create=new save session=idle save submit=waiting save poll=ddl " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"a name that is taken, and not listed",
	 "create=duplicate find=none wait create=duplicate find=none wait create=duplicate find=none wait create=duplicate "
	 "done",
	 FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG, "Rejected, Reason: Duplicate session name: Some(floe-2) for session 3",
	 NULL},
	{"wrong password", "create=h401 done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the engine refuses user or password (HTTP 401)", NULL},
	{"another service", "create=h404page done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "not an endpoint of Livy (HTTP 404)", NULL},
	{"a web page", "create=html done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the engine's answer: invalid JSON at byte 0: a value must stand here", NULL},
	{"an answer of something else", "create=odd done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the answer to POST /sessions is not one of Livy", NULL},
	{"a redirect", "create=h302 done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the engine redirects the request (HTTP 302): credentials are not sent on", NULL},
	{"asked to come back", "create=h429 wait create=h503 wait " RUNNING "poll=ddl " END, FLOE_OUTCOME_SUCCEEDED,
	 FLOE_CLASS_NONE, NULL, "[]"},
	{"its driver does not start", "create=new save session=dead log=log delete=deleted done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_TRANSIENT, "IllegalStateException: *** is wrong", NULL},
	{"its driver does not start, and has no log", "create=new save session=dead log=h502 delete=deleted done",
	 FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT, "the session ended before it could be used", NULL},
	{"it vanishes while it starts", "create=new save session=gone done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT, GONE,
	 NULL},

	/* the statement is sent once */
	{"its answer is lost; it is there", IDLE "submit=timeout wait look=statements save poll=ddl " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"its answer is lost; it is not there",
	 IDLE "submit=timeout wait look=none wait look=none wait look=none delete=deleted wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, NOT_LISTED, NULL},
	{"its answer is nonsense", IDLE "submit=odd wait look=statements save poll=ddl " END, FLOE_OUTCOME_SUCCEEDED,
	 FLOE_CLASS_NONE, NULL, "[]"},
	{"a 500 that refuses it", IDLE "submit=npe wait look=none wait look=none wait look=none delete=deleted wait done",
	 FLOE_OUTCOME_FAILED, FLOE_CLASS_TRANSIENT, "RpcException: java.lang.NullPointerException", NULL},
	{"its session is gone", IDLE "submit=gone done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT, GONE, NULL},
	{"refused by HTTP", IDLE "submit=h403 delete=deleted done", FLOE_OUTCOME_FAILED, FLOE_CLASS_CONFIG,
	 "the engine forbids the request (HTTP 403)", NULL},
	{"the proof has to be waited for",
	 IDLE "submit=timeout wait look=none wait look=none wait look=none delete=h502 wait delete=timeout wait "
		  "delete=gone wait done",
	 FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT, NOT_LISTED, NULL},

	/* while it runs nothing but the server's word ends it */
	{"the server is away",
	 RUNNING "poll=timeout wait poll=h502 wait poll=h401 wait poll=html wait poll=running wait poll=ok " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS},
	{"the server was restarted", RUNNING "poll=gone session=gone wait done", FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT,
	 GONE, NULL},
	{"its session died", RUNNING "poll=inactive session=dead delete=deleted wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, "the session ended (dead) with the statement in it", NULL},
	{"it is not known, and nothing runs", RUNNING "poll=nostatement session=idle delete=deleted wait done",
	 FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT, "the engine no longer knows the statement", NULL},
	{"it is not known, and something runs", RUNNING "poll=nostatement session=busy wait poll=ok " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS},
	{"closing fails", RUNNING "poll=ddl save delete=h502 wait delete=timeout wait delete=h502 done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},

	/* cancelling */
	{"cancelled before anything", "cancel! done", FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL},
	{"cancelled while it starts", "create=new save session=starting wait cancel! delete=deleted done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL},
	{"cancelled when the session may exist", "create=timeout wait cancel! find=startings delete=deleted done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL},
	{"cancelled while it runs",
	 RUNNING "cancel! cancel=canceled poll=running wait poll=cancelled delete=deleted wait done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL},
	{"cancelled too late", RUNNING "cancel! cancel=canceled poll=ok " END, FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE,
	 NULL, ROWS},
	{"cancelled, and the server forgot it", RUNNING "cancel! cancel=gone session=gone wait done",
	 FLOE_OUTCOME_CANCELLED, FLOE_CLASS_TRANSIENT, GONE, NULL},

	/* after a crash */
	{"crash with a session", "create=new save crash! session=idle save submit=waiting save poll=ddl " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"crash around the statement; it is there", IDLE "crash! look=statements save poll=ddl " END,
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"crash around the statement; it is not",
	 IDLE "crash! look=others look=none wait look=none wait look=none delete=deleted wait done", FLOE_OUTCOME_LOST,
	 FLOE_CLASS_TRANSIENT, NOT_LISTED, NULL},
	{"crash while it runs", RUNNING "crash! poll=ok " END, FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS},
	{"crash after its end", RUNNING "poll=ok save crash! delete=gone done", FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE,
	 NULL, NULL},
};

static const TalkPath pooled[] = {
	{"pooled: the session is left", RUNNING "poll=ok save done", FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, ROWS},
	{"pooled: one that is there is used",
	 "create=duplicate find=pooled save session=idle save submit=waiting save poll=ddl save done",
	 FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL, "[]"},
	{"pooled: what failed takes the session with it", RUNNING "poll=failed delete=deleted done", FLOE_OUTCOME_FAILED,
	 FLOE_CLASS_CONFIG, "Couldn't load table 'db.nope' in catalog 'lab'", NULL},
	{"pooled: crash after its end", RUNNING "poll=ok save crash! done", FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL,
	 NULL},
};

/* A statement may run for days, and its session may be waited for as long. */
static void
test_long_run(const TalkKind *kind)
{
	TalkDrive d;
	FloeStatus st;
	size_t used = 0;

	talk_init(&d, kind);
	talk_begin(&d, false, &st);
	(void) talk_follow(&d, RUNNING);
	for (int i = 0; i < 500; i++)
	{
		if (d.kind->ops->next(d.run, NULL) != FLOE_ENGINE_SEND)
			continue;
		(void) talk_answer(&d, strcmp(request_name(&d.run->request), "poll") == 0 ? "running" : "busy");
		if (i == 100)
			used = floe_arena_used(d.arena);
	}
	is_int((long long) floe_arena_used(d.arena), (long long) used, "polling takes no memory");
	talk_end(&d);
}

int
main(void)
{
	TalkKind kind = {&floe_engine_livy, "http://livy:8998", request_name, answers, lengthof(answers), NULL};
	static TalkAnswer more[lengthof(answers) + 1];
	TalkDrive d;
	FloeStatus st;

	talk_paths(&kind, paths, lengthof(paths));
	talk_random(&kind, 3000);
	test_long_run(&kind);
	talk_init(&d, &kind);
	talk_begin(&d, false, &st);
	(void) talk_follow(&d, RUNNING);
	talk_end(&d);
	talk_damage(&d);

	memcpy(more, answers, sizeof(answers));
	more[lengthof(answers)] =
		(TalkAnswer){"pooled", 200,
					 "{\"from\":0,\"total\":1,\"sessions\":[{\"id\":7,\"name\":\"floe-pool-1\",\"state\":\"idle\"}]}"};
	kind.answers = more;
	kind.nanswers = lengthof(more);
	kind.session_name = "floe-pool-1";
	talk_paths(&kind, pooled, lengthof(pooled));
	ok(floe_engine_lookup("livy") == &floe_engine_livy, "lookup");
	return tap_done();
}
