/*
 * test_trino.c: every path through the trino adapter, against a server that follows a script; and what it refuses to begin.
 */
#include "floe.h"

#include "trino_drive.h"

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

#define TO_PAGES "info=up save submit=queued save "
#define RUN "page=run save "
#define TO_WAIT TO_PAGES RUN RUN RUN RUN RUN RUN RUN "wait "
#define TWO_PAGES "page=run save wait page=run save wait "
#define TEN_PAGES TWO_PAGES TWO_PAGES TWO_PAGES TWO_PAGES TWO_PAGES
#define ROWS "[{\"metric\":\"files\",\"value\":7},{\"metric\":\"*** x\",\"value\":null}]"
#define CONFLICT_LINE                                                                                                  \
	"ICEBERG_COMMIT_ERROR: Failed to commit during optimize; caused by ValidationException: Found conflicting files"
#define ELSEWHERE                                                                                                      \
	"Trino's nextUri leads to another place than the engine's url; behind a proxy it needs "                           \
	"http-server.process-forwarded=true, and the headers X-Forwarded-*"
#define ABANDONED                                                                                                      \
	"ABANDONED_QUERY: Query was abandoned (nobody asked for its pages for longer than the engine's "                   \
	"query.client.timeout; the table's snapshots decide whether it was committed)"
#define UNKNOWN                                                                                                        \
	"ICEBERG_COMMIT_ERROR: Failed to commit; caused by CommitStateUnknownException: 502 (the table's snapshots "       \
	"decide whether it was committed)"
#define FORGOTTEN "Trino no longer knows the query: it was restarted, or forgot a query that ended"
#define SUCCEEDED FLOE_OUTCOME_SUCCEEDED, FLOE_CLASS_NONE, NULL
#define CANCELLED FLOE_OUTCOME_CANCELLED, FLOE_CLASS_NONE, NULL, NULL
#define FAILED(error_class, error) FLOE_OUTCOME_FAILED, FLOE_CLASS_##error_class, error, NULL
#define LOST(error) FLOE_OUTCOME_LOST, FLOE_CLASS_TRANSIENT, error, NULL

static const PathCase paths[] = {
	{"without trouble", TO_PAGES RUN "page=rows save page=finished done", SUCCEEDED, ROWS},
	{"no rows", TO_PAGES RUN "page=finished done", SUCCEEDED, NULL},
	{"a long one", TO_WAIT "page=run save wait page=rows save wait page=finished done", SUCCEEDED, ROWS},
	{"it fails", TO_PAGES RUN "page=conflict done", FAILED(CONFLICT, CONFLICT_LINE)},
	{"it fails behind rows", TO_PAGES "page=rows save page=conflict done", FAILED(CONFLICT, CONFLICT_LINE)},
	{"it fails at once", "info=up save submit=syntax done", FAILED(CONFIG, "SYNTAX_ERROR: line 1:1: ***")},
	{"somebody ends it", TO_PAGES "page=canceled wait done",
	 FAILED(TRANSIENT, "USER_CANCELED: Query was canceled (somebody ended it at the engine)")},

	/* before it is posted */
	{"away", "info=refused wait info=h503 wait info=starting wait " TO_PAGES "page=finished done", SUCCEEDED, NULL},
	{"wrong password", "info=h401 done",
	 FAILED(CONFIG, "Trino refuses the credentials (HTTP 401): Password *** is wrong")},
	{"another server", "info=h404 done",
	 FAILED(CONFIG, "not a Trino server (HTTP 404): Error 404 Not Found: Query not found")},
	{"a web page", "info=html done",
	 FAILED(CONFIG, "answer of Trino: invalid JSON at byte 0: a value must stand here")},
	{"a redirect", "info=h302 done",
	 FAILED(CONFIG, "Trino redirects the request (HTTP 302): credentials are not sent on")},
	{"floe's own rules", "info=denied done", FAILED(CONFIG, "denied")},

	/* the statement is posted again only when Trino does not have it */
	{"a bad session property", "info=up save submit=h400 done",
	 FAILED(CONFIG, "Trino refuses the request (HTTP 400): Error 400 Bad Request: Invalid X-Trino-Session header")},
	{"turned away",
	 "info=up save submit=h429 wait submit=h503 wait submit=refused wait submit=queued save page=finished done",
	 SUCCEEDED, NULL},
	{"its answer is lost", "info=up save submit=timeout wait find=strangers submit=queued save page=finished done",
	 SUCCEEDED, NULL},
	{"its answer is lost, and Trino has it",
	 "info=up save submit=h502 wait find=found save look=s-running wait look=s-finished done", SUCCEEDED, NULL},
	{"its answer is lost, and Trino is away",
	 "info=up save submit=lost wait find=refused wait find=h502 wait find=html wait find=h401 wait find=none "
	 "submit=queued save page=finished done",
	 SUCCEEDED, NULL},
	{"always lost",
	 "info=up save submit=lost wait find=none submit=timeout wait find=none submit=html wait find=none done",
	 LOST("no answer to the statement, and Trino does not have it")},
	{"it may not be looked for", "info=up save submit=lost wait find=h403 submit=queued save page=finished done",
	 SUCCEEDED, NULL},
	{"no id", "info=up save submit=badid wait find=none submit=queued save page=finished done", SUCCEEDED, NULL},

	/* pages */
	{"away in between",
	 TO_PAGES RUN "page=lost wait page=h500 wait page=h429 wait page=h401 wait page=html wait page=other wait "
				  "page=unfinished wait page=finished done",
	 SUCCEEDED, NULL},
	{"away for too long", TO_WAIT "page=timeout wait page=abandoned wait done", LOST(ABANDONED)},
	{"away for too long, then cancelled", TO_WAIT "page=timeout wait cancel! cancel=ok page=abandoned wait done",
	 CANCELLED},
	{"the catalog did not say whether it had committed", TO_PAGES RUN "page=unknown wait done", LOST(UNKNOWN)},
	{"the page is lost, the query is not",
	 TO_PAGES "page=h410 look=s-running wait look=timeout wait look=s-failed wait done",
	 FAILED(RESOURCE, "CLUSTER_OUT_OF_MEMORY: too much")},
	{"the page is lost, and it had finished", TO_PAGES "page=rows save page=h404 look=s-finished done", SUCCEEDED,
	 NULL},
	{"Trino was restarted", TO_PAGES "page=h404 look=h410 done", LOST(FORGOTTEN)},
	{"led elsewhere", "info=up save submit=away cancel=ok look=h410 wait done", FAILED(CONFIG, ELSEWHERE)},
	{"led to http", TO_PAGES "page=plain cancel=ok look=s-canceled wait done", FAILED(CONFIG, ELSEWHERE)},
	{"led elsewhere, and it may not be stopped",
	 TO_PAGES "page=away cancel=h403 look=s-running wait look=h410 wait done", FAILED(CONFIG, ELSEWHERE)},
	{"led elsewhere, and it had finished", TO_PAGES "page=away cancel=h502 wait cancel=ok look=s-finished wait done",
	 SUCCEEDED, NULL},

	/* cancelling */
	{"cancelled before anything", "cancel! done", CANCELLED},
	{"cancelled before the statement", "info=up save cancel! done", CANCELLED},
	{"cancelled while Trino is away", "info=refused wait cancel! done", CANCELLED},
	{"cancelled before its first page", TO_PAGES "cancel! cancel=ok page=canceled wait done", CANCELLED},
	{"cancelled while it runs", TO_WAIT "cancel! cancel=ok page=canceled wait done", CANCELLED},
	{"cancelled, but it had finished", TO_WAIT "cancel! cancel=ok page=finished done", SUCCEEDED, NULL},
	{"cancelled, but it had failed", TO_WAIT "cancel! cancel=ok page=conflict done", FAILED(CONFLICT, CONFLICT_LINE)},
	{"cancelled while Trino is away",
	 TO_WAIT "cancel! cancel=timeout wait cancel=h503 wait cancel=ok page=canceled wait done", CANCELLED},
	{"cancelled, and forgotten", TO_WAIT "cancel! cancel=h410 look=h410 done", LOST(FORGOTTEN)},
	{"cancelled, which is forbidden", TO_WAIT "cancel! cancel=h403 page=finished done", SUCCEEDED, NULL},
	{"cancelled, which is forbidden, and it runs on",
	 TO_WAIT "cancel! cancel=h403 " TEN_PAGES TEN_PAGES TEN_PAGES TEN_PAGES TEN_PAGES "page=finished done", SUCCEEDED,
	 NULL},
	{"cancelled in doubt about the statement", "info=up save submit=timeout wait cancel! find=none done", CANCELLED},
	{"cancelled in doubt, and it is there",
	 "info=up save submit=timeout wait cancel! find=found save cancel=ok look=s-canceled wait done", CANCELLED},

	/* crashes */
	{"a crash before the statement", "info=up save crash! find=none done",
	 LOST("floe stopped before it knew the query's id, and Trino has no such query")},
	{"a crash before its answer", "info=up save submit=queued crash! find=found save look=s-finished done", SUCCEEDED,
	 NULL},
	{"a crash while it runs", TO_WAIT "crash! page=run save wait page=finished done", SUCCEEDED, NULL},
	{"a crash between pages", TO_PAGES RUN RUN "crash! page=run save wait page=finished done", SUCCEEDED, NULL},
	{"a crash at an old page, and it had ended",
	 TO_PAGES RUN RUN "crash! page=h410 look=s-running wait look=s-finished done", SUCCEEDED, NULL},
	{"a crash at an old page: nobody can read the last one, and Trino does not say whether it committed",
	 TO_PAGES RUN RUN "crash! page=h410 look=s-running wait look=s-abandoned wait done", LOST(ABANDONED)},
	{"a crash while Trino is away", TO_PAGES RUN RUN "page=lost wait crash! page=finished done", SUCCEEDED, NULL},
	{"a crash while nothing can be sent", TO_PAGES RUN RUN "page=refused wait crash! page=finished done", SUCCEEDED,
	 NULL},
	{"a crash, and Trino was restarted", TO_WAIT "crash! page=h404 look=h410 done", LOST(FORGOTTEN)},
	{"a crash, then cancelled", TO_WAIT "crash! cancel! cancel=ok page=canceled wait done", CANCELLED},
	{"a crash without an id, then cancelled", "info=up save crash! cancel! find=none done", CANCELLED},
};

static bool
shows_secret(const FloeEngineRun *run)
{
	return strstr(run->error, "hunter2") != NULL || strstr(run->last_failure.message, "hunter2") != NULL ||
		   strstr(run->last_failure.detail, "hunter2") != NULL ||
		   (run->result.data != NULL && strstr(run->result.data, "hunter2") != NULL);
}

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
		ok(!d.broke_a_rule && !shows_secret(d.run) && !d.run->unreachable, "%s: rules", p->name);
		ok(d.run->external_id[0] == '\0' || strcmp(d.run->external_id, QUERY_ID) == 0, "%s: external id", p->name);
		if (d.run->outcome == FLOE_OUTCOME_LOST)
			is_str(floe_code_name(d.run->last_failure.code), "lost", "%s: why", p->name);
		is_int(floe_engine_trino.next(d.run, NULL), FLOE_ENGINE_DONE, "%s: it stays done", p->name);
		drive_end(&d);
	}
}

/* Every length of every byte of what was saved: it is refused, or leads to requests of the same origin. */
static void
test_saved_damage(void)
{
	Drive d;
	FloeStatus st;
	bool safe = true;
	int refused = 0;
	char saved[FLOE_ENGINE_SAVED_MAX];
	size_t len;

	drive_init(&d);
	ok(drive_begin(&d, false, &st) && !follow(&d, TO_PAGES "save"), "something is saved");
	drive_end(&d);
	memcpy(saved, d.saved, sizeof(saved));
	len = d.saved_len;
	for (size_t at = 0; at < len * 3; at++)
	{
		memcpy(d.saved, saved, sizeof(saved));
		d.saved_len = at < len ? at : len;
		if (at >= len)
			d.saved[at % len] = (char) (at < len * 2 ? 0xFF : 0);
		if (d.saved_len == 0)
			continue;
		if (!drive_begin(&d, false, &st))
			refused++;
		else if (floe_engine_trino.next(d.run, NULL) != FLOE_ENGINE_SEND ||
				 strncmp(d.run->request.url, "https://trino:8443/", strlen("https://trino:8443/")) != 0)
			safe = false;
		drive_end(&d);
	}
	ok(safe && refused > (int) len, "damaged bytes are refused, or lead to the engine alone");
}

static void
cannot_begin(const char *name, FloeEngineTarget target, const char *says)
{
	Drive d;
	FloeStatus st;

	drive_init(&d);
	target.conn = target.conn != NULL ? &d.conn : NULL;
	d.target = target;
	floe_status_ok(&st);
	ok(!drive_begin(&d, false, &st), "%s: refused", name);
	is_int(st.code, FLOE_ERR_CONFIG, "%s: config", name);
	ok(strstr(st.message, says) != NULL, "%s: %s", name, st.message);
	drive_end(&d);
}

static void
test_targets(void)
{
	Drive d;
	FloeStatus st;

	cannot_begin("no url", (FloeEngineTarget){.user = "x"}, "no url");
	cannot_begin("password in clear", (FloeEngineTarget){.url = "http://trino:8080", .password = "p"}, "over https");
	cannot_begin("a query", (FloeEngineTarget){.url = "http://trino:8080?x=1"}, "has a query");
	cannot_begin("another protocol", (FloeEngineTarget){.url = "ftp://trino"}, "http");
	cannot_begin("user with a colon", (FloeEngineTarget){.url = "https://trino:8080", .user = "a:b", .password = "p"},
				 "HTTP Basic");
	cannot_begin("user with a line end", (FloeEngineTarget){.url = "http://trino:8080", .user = "a\r\nX: y"}, "header");
	cannot_begin("token with a line end", (FloeEngineTarget){.url = "https://trino", .token = "a\nb"}, "control");

	/* a token says who it is */
	drive_init(&d);
	d.target = (FloeEngineTarget){.url = "https://trino", .token = "jwt.jwt.jwt", .password = "unused"};
	ok(drive_begin(&d, false, &st) && floe_engine_trino.next(d.run, NULL) == FLOE_ENGINE_SEND, "a token");
	is_str(header(&d.run->request, "Authorization"), "Bearer jwt.jwt.jwt", "goes as bearer");
	is_str(header(&d.run->request, "X-Trino-User"), "", "and names no user");
	is_str(d.run->request.url, "https://trino/v1/info", "a url without a path");
	drive_end(&d);
	drive_init(&d);
	d.target = (FloeEngineTarget){.url = "http://trino:8080"};
	ok(drive_begin(&d, false, &st) && floe_engine_trino.next(d.run, NULL) == FLOE_ENGINE_SEND, "no credentials");
	is_str(header(&d.run->request, "X-Trino-User"), "floe", "go as floe");
	drive_end(&d);
}

static void
probe(const char *name, const char *words, FloeOutcome outcome, const char *text)
{
	Drive d;
	FloeStatus st;
	char script[256];
	char *rest = script;
	char *word;
	FloeEngineVerb verb;

	drive_init(&d);
	snprintf(script, sizeof(script), "%s", words);
	ok(drive_begin(&d, true, &st), "probe %s", name);
	verb = floe_engine_trino.next(d.run, NULL);
	while ((word = strsep(&rest, " ")) != NULL)
	{
		while (verb == FLOE_ENGINE_SAVE || verb == FLOE_ENGINE_WAIT)
			verb = floe_engine_trino.next(d.run, NULL);
		if (verb != FLOE_ENGINE_SEND)
			break;
		verb = drive_answer(&d, word);
	}
	is_int(verb, FLOE_ENGINE_DONE, "probe %s: done", name);
	is_int(d.run->outcome, outcome, "probe %s: outcome", name);
	is_str(outcome == FLOE_OUTCOME_SUCCEEDED ? d.run->result.data : d.run->error, text, "probe %s: text", name);
	drive_end(&d);
}

int
main(void)
{
	test_paths();
	test_saved_damage();
	test_targets();
	probe("of a server that is well", "up queued run rows finished", FLOE_OUTCOME_SUCCEEDED,
		  "[{\"product\":\"Trino\",\"version\":\"476\"}]");
	probe("of a server that repeats what it was sent", "echo queued run rows finished", FLOE_OUTCOME_SUCCEEDED,
		  "[{\"product\":\"Trino\",\"version\":\"***\"}]");
	probe("with a wrong password", "up h401", FLOE_OUTCOME_FAILED,
		  "Trino refuses the credentials (HTTP 401): Password *** is wrong");
	probe("of a server that starts", "starting", FLOE_OUTCOME_FAILED, "Trino is starting");
	probe("of one that is away", "refused", FLOE_OUTCOME_FAILED, "connect");
	probe("of one that leads elsewhere", "up away", FLOE_OUTCOME_FAILED, ELSEWHERE);
	return tap_done();
}
