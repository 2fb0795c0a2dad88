/*
 * talk_drive.h: drives an adapter with a JSON interface through a script, and checks what holds for every request.
 *
 * A script is a list of words.  "name=answer" expects the adapter to send that
 * request (names: what the test says of method and URL) and answers it;
 * "save", "wait" and "done" expect that verb.  "cancel!" asks for
 * cancellation, "crash!" begins anew with the saved bytes.
 */
#ifndef FLOE_TEST_TALK_DRIVE_H
#define FLOE_TEST_TALK_DRIVE_H

#include "engine/ops.h"

#include "tap.h"

#include <string.h>

#define OPERATION_ID "8f14e45f-ceea-467f-a0e6-5b2d1c3a7e90"
#define MARKER "/* floe:" OPERATION_ID " */"
#define STATEMENT "CALL `demo`.system.rewrite_manifests(table => '`demo`.`db`.`t`')"

/* An answer: of HTTP, or none (status 0). */
typedef struct TalkAnswer
{
	const char *name;
	int http_status;
	const char *body;
} TalkAnswer;

typedef struct TalkPath
{
	const char *name;
	const char *script;
	FloeOutcome outcome;
	FloeErrorClass error_class;
	const char *error;  /* exactly; NULL: none */
	const char *result; /* exactly; NULL: none */
} TalkPath;

typedef struct TalkKind
{
	const FloeEngineOps *ops;
	const char *url;
	const char *(*request_name)(const FloeHttpRequest *request);
	const TalkAnswer *answers;
	size_t nanswers;
	const char *session_name;
} TalkKind;

static const FloeKeyValue talk_conf[] = {{"spark.sql.catalog.demo.credential", "id:t0psecret", false},
										 {"spark.executor.instances", "3", false}};

static const TalkAnswer common_answers[] = {
	{"timeout", 0, NULL},
	{"h401", 401, "<html>pa55word</html>"},
	{"h403", 403, ""},
	{"h302", 302, ""},
	{"h429", 429, ""},
	{"h502", 502, "<html>bad gateway</html>"},
	{"h503", 503, "{\"msg\":\"later\"}"},
	{"html", 200, "<html>welcome</html>"},
	{"h404page", 404, "<html>nothing here</html>"},
	{"empty", 200, ""},
	{"odd", 200, "{\"id\":\"x\",\"identifier\":\"../../etc\",\"state\":17,\"openedTime\":{}}"},
	{"list", 200, "[1,null,{\"identifier\":7}]"},
};

typedef struct TalkDrive
{
	const TalkKind *kind;
	FloeEngineTarget target;
	FloeEngineRun *run;
	FloeArena *arena;
	char saved[FLOE_ENGINE_SAVED_MAX];
	size_t saved_len;
	bool cancel_requested;
	bool broke_a_rule;
	int submitted; /* statements since the session was made */
	char trace[2048];
} TalkDrive;

static bool
talk_begin(TalkDrive *d, bool is_probe, FloeStatus *st)
{
	d->arena = floe_arena_new(8 * 1024 * 1024);
	d->run = floe_arena_alloc0(d->arena, sizeof(FloeEngineRun));
	d->run->target = &d->target;
	d->run->operation_id = OPERATION_ID;
	d->run->statement = STATEMENT;
	d->run->arena = d->arena;
	d->run->cancel_requested = d->cancel_requested;
	if (is_probe)
		return d->kind->ops->begin_probe(d->run, st);
	return d->kind->ops->begin(d->run, d->saved, d->saved_len, st);
}

static void
talk_end(TalkDrive *d)
{
	floe_buf_free(&d->run->result);
	floe_arena_free(d->arena);
}

static void
talk_init(TalkDrive *d, const TalkKind *kind)
{
	memset(d, 0, sizeof(*d));
	d->kind = kind;
	d->target = (FloeEngineTarget){.url = kind->url,
								   .user = "ann",
								   .password = "pa55word",
								   .session_conf = talk_conf,
								   .nsession_conf = lengthof(talk_conf),
								   .session_name = kind->session_name,
								   .request_timeout_ms = 12345};
}

static void
talk_broke(TalkDrive *d, const char *rule, const char *request)
{
	printf("# broken: %s (%s)\n", rule, request);
	d->broke_a_rule = true;
}

/* What holds for every request, whatever the path. */
static void
talk_check(TalkDrive *d, const char *name)
{
	const FloeHttpRequest *request = &d->run->request;
	const char *body = request->body != NULL ? request->body : "";
	bool has_basic = false;
	bool has_csrf = false;

	for (int i = 0; i < request->nheaders; i++)
	{
		has_basic = has_basic || strcmp(request->headers[i].value, "Basic YW5uOnBhNTV3b3Jk") == 0;
		has_csrf = has_csrf || strcmp(request->headers[i].name, "X-Requested-By") == 0;
	}
	if (!has_basic || !has_csrf || strncmp(request->url, d->kind->url, strlen(d->kind->url)) != 0)
		talk_broke(d, "a request that the server would refuse", name);
	if (!request->no_redirect || request->total_timeout_ms != 12345)
		talk_broke(d, "a redirect would be followed, or the timeout is not the target's", name);
	if (strcmp(request->method, "GET") != 0 && (request->max_attempts != 1 || request->post_is_repeatable))
		talk_broke(d, "a request would be repeated", name);
	if (strcmp(name, "create") == 0)
	{
		d->submitted = 0;
		if (strstr(body, "\"spark.sql.catalog.demo.credential\":\"id:t0psecret\"") == NULL ||
			strstr(body, "spark.sql.session.timeZone") == NULL || strstr(body, "spark.redaction.regex") == NULL)
			talk_broke(d, "the session's settings are incomplete", name);
	}
	else if (strstr(body, "t0psecret") != NULL)
		talk_broke(d, "a secret outside of the session's settings", name);
	if (strcmp(name, "submit") == 0)
	{
		if (++d->submitted > 1)
			talk_broke(d, "a second statement in one session", name);
		if (strstr(body, MARKER " CALL") == NULL || d->saved_len == 0)
			talk_broke(d, "not the statement, or the session was not saved before it", name);
	}
}

static void
talk_traced(TalkDrive *d, const char *what)
{
	size_t len = strlen(d->trace);

	snprintf(d->trace + len, sizeof(d->trace) - len, "%s%s", len > 0 ? " " : "", what);
}

static const TalkAnswer *
talk_find(const TalkAnswer *answers, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
	{
		if (strcmp(answers[i].name, name) == 0)
			return &answers[i];
	}
	return NULL;
}

static FloeEngineVerb
talk_answer(TalkDrive *d, const char *name)
{
	const TalkAnswer *answer = talk_find(d->kind->answers, d->kind->nanswers, name);
	FloeHttpResponse response;
	FloeEngineVerb verb;

	if (answer == NULL)
		answer = talk_find(common_answers, lengthof(common_answers), name);
	memset(&response, 0, sizeof(response));
	floe_status_ok(&response.status);
	response.status.retry_after_ms = -1;
	floe_buf_init(&response.body, 1024 * 1024);
	if (answer == NULL)
		talk_broke(d, "the test has no such answer", name);
	else if (answer->http_status == 0)
		floe_fail(&response.status, FLOE_ERR_TIMEOUT, "no answer from \"engine\" in time");
	else
	{
		response.http_status = answer->http_status;
		floe_buf_text(&response.body, answer->body);
	}
	verb = d->kind->ops->next(d->run, &response);
	floe_buf_free(&response.body);
	return verb;
}

/* Follows the script; false as soon as the adapter does something else. */
static bool
talk_follow(TalkDrive *d, const char *script)
{
	char text[2048];
	char *rest = text;
	char *word;
	FloeEngineVerb verb = FLOE_ENGINE_DONE;
	bool is_fresh = false; /* verb has not been acted on */
	FloeStatus st;

	snprintf(text, sizeof(text), "%s", script);
	while ((word = strsep(&rest, " ")) != NULL)
	{
		if (word[0] == '\0')
			continue;
		talk_traced(d, word);
		if (strcmp(word, "cancel!") == 0)
		{
			d->cancel_requested = d->run->cancel_requested = true;
			continue;
		}
		if (strcmp(word, "crash!") == 0)
		{
			talk_end(d);
			if (!talk_begin(d, false, &st))
				return false;
			is_fresh = false;
			continue;
		}
		if (!is_fresh)
			verb = d->kind->ops->next(d->run, NULL);
		is_fresh = false;
		if (verb == FLOE_ENGINE_SEND)
		{
			const char *name = d->kind->request_name(&d->run->request);
			char *answer = strchr(word, '=');

			talk_check(d, name);
			if (answer == NULL || strncmp(word, name, (size_t) (answer - word)) != 0 || name[answer - word] != '\0')
			{
				talk_traced(d, "<- but sent");
				talk_traced(d, name);
				return false;
			}
			verb = talk_answer(d, answer + 1);
			is_fresh = true;
		}
		else if (verb == FLOE_ENGINE_SAVE)
		{
			memcpy(d->saved, d->run->saved, d->run->saved_len);
			d->saved_len = d->run->saved_len;
			if (strcmp(word, "save") != 0)
				return false;
		}
		else if (verb == FLOE_ENGINE_WAIT)
		{
			if (d->run->wait_ms <= 0 || d->run->wait_ms > 10 * 60 * 1000 || strcmp(word, "wait") != 0)
				return false;
		}
		else
			return strcmp(word, "done") == 0;
	}
	return false;
}

static bool
talk_shows_secret(const FloeEngineRun *run)
{
	static const char *const secrets[] = {"pa55word", "t0psecret", "YW5uOnBhNTV3b3Jk"};

	for (size_t i = 0; i < lengthof(secrets); i++)
	{
		if (strstr(run->error, secrets[i]) || strstr(run->last_failure.message, secrets[i]) ||
			strstr(run->last_failure.detail, secrets[i]) || strstr(run->external_id, secrets[i]) ||
			(run->result.data != NULL && strstr(run->result.data, secrets[i])))
			return true;
	}
	return false;
}

static void
talk_paths(const TalkKind *kind, const TalkPath *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		const TalkPath *path = &paths[i];
		TalkDrive d;
		FloeStatus st;
		const char *result;
		bool followed;
		bool is_good;

		talk_init(&d, kind);
		if (!talk_begin(&d, false, &st))
		{
			ok(false, "%s: begins", path->name);
			continue;
		}
		followed = talk_follow(&d, path->script);
		result = d.run->result.len > 0 ? d.run->result.data : "";
		is_good = followed && !d.broke_a_rule && d.run->outcome == path->outcome &&
				  d.run->error_class == path->error_class &&
				  strcmp(d.run->error, path->error != NULL ? path->error : "") == 0 &&
				  strcmp(result, path->result != NULL ? path->result : "") == 0 && !talk_shows_secret(d.run);
		ok(is_good, "%s", path->name);
		if (!is_good)
			printf("# %s\n# outcome %d, class %d, error: %s\n# result: %s\n", d.trace, (int) d.run->outcome,
				   (int) d.run->error_class, d.run->error, result);
		talk_end(&d);
	}
}

/* Whatever a server answers, in any order, nothing is broken and the run comes to an end or still waits. */
static void
talk_random(const TalkKind *kind, int runs)
{
	uint32_t random = 12345;
	bool is_good = true;

	for (int i = 0; i < runs; i++)
	{
		TalkDrive d;
		FloeStatus st;
		FloeEngineVerb verb = FLOE_ENGINE_WAIT;

		talk_init(&d, kind);
		talk_begin(&d, false, &st);
		for (int step = 0; step < 300 && verb != FLOE_ENGINE_DONE; step++)
		{
			random = random * 1664525u + 1013904223u;
			if (random >> 26 == 1)
				d.run->cancel_requested = true;
			if (verb == FLOE_ENGINE_SEND)
			{
				size_t n = (random >> 8) % (kind->nanswers + lengthof(common_answers));

				talk_check(&d, kind->request_name(&d.run->request));
				verb = talk_answer(&d, n < kind->nanswers ? kind->answers[n].name
														  : common_answers[n - kind->nanswers].name);
			}
			else
			{
				if (verb == FLOE_ENGINE_SAVE)
				{
					memcpy(d.saved, d.run->saved, d.run->saved_len);
					d.saved_len = d.run->saved_len;
				}
				verb = d.run->outcome != FLOE_OUTCOME_NONE && verb == FLOE_ENGINE_DONE ? verb
																					   : kind->ops->next(d.run, NULL);
			}
		}
		is_good = is_good && !d.broke_a_rule && !talk_shows_secret(d.run);
		talk_end(&d);
	}
	ok(is_good, "%d runs with answers in any order", runs);
}

/* Saved bytes that were cut or changed are refused, or lead to a run like any other. */
static void
talk_damage(TalkDrive *d)
{
	char good[FLOE_ENGINE_SAVED_MAX];
	size_t len = d->saved_len;
	FloeStatus st;
	bool is_good = len > 0;

	memcpy(good, d->saved, len);
	for (size_t cut = 1; cut < len; cut++)
	{
		d->saved_len = cut;
		is_good = is_good && !talk_begin(d, false, &st) && st.code == FLOE_ERR_CORRUPT;
		talk_end(d);
	}
	d->saved_len = len;
	for (size_t at = 0; at < len; at++)
	{
		for (int bit = 0; bit < 8; bit++)
		{
			memcpy(d->saved, good, len);
			d->saved[at] = (char) (d->saved[at] ^ (1 << bit));
			if (talk_begin(d, false, &st))
				is_good = is_good && d->kind->ops->next(d->run, NULL) != FLOE_ENGINE_DONE;
			talk_end(d);
		}
	}
	ok(is_good, "saved bytes that are cut or changed");
}

#endif /* FLOE_TEST_TALK_DRIVE_H */
