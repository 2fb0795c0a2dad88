/*
 * trino.c: Trino, by its statement protocol, as an engine of floe.
 *
 * The state machine alone: which request follows which answer.  Trino begins
 * a statement when its first page is asked for, not when it is posted, so the
 * query's id and nextUri are saved between the two: an answer that was lost
 * before belongs to a statement that never runs.  Nevertheless Trino is asked
 * for it by its trace token before it is posted again.
 *
 *     INFO  save  SUBMIT  save  PAGE  (save  PAGE)…  (save  wait  PAGE)…  done
 *
 * A query whose client asks for no page for query.client.timeout (5 minutes)
 * is ended by Trino, so pages are asked for every few seconds.  Only the
 * newest nextUri and the one before are honoured, and they cannot be guessed,
 * hence each is saved before it is asked for: a query whose pages are lost can
 * only be followed by its id, and if it was queued then, so that nobody ever
 * takes its result, Trino ends it as abandoned, even after its commit.
 *
 * While the statement may run, a server that cannot be reached, refuses the
 * credentials or answers nonsense is waited for: those are no proof of an end.
 */
#include "floe.h"

#include "engine/trino.h"

#include <string.h>

/* So many pages are asked for without a wait: each answer takes up to a second at Trino, and short statements have ended by then. */
#define EAGER_PAGES 6

/* After DELETE: so often, before a query that does not end counts as ended. */
#define CANCEL_POLL_MS 500
#define CANCEL_POLLS 40

#define MAX_SUBMITS 3
#define KEEP_ROWS 1000

/* It runs: that step after a while. */
static FloeEngineVerb
ask_later(FloeTrinoRun *m, FloeTrinoStep step)
{
	m->poll_ms = floe_adapter_poll_ms(m->poll_ms);
	return floe_trino_wait(m, m->cancel_sent ? CANCEL_POLL_MS : m->poll_ms, step);
}

FloeEngineVerb
floe_trino_enter(FloeTrinoRun *m, FloeTrinoStep step)
{
	FloeEngineRun *run = m->run;

	if (run->cancel_requested && !m->is_probe)
	{
		/* nothing was sent that would have to be stopped */
		if (step == TRINO_INFO || step == TRINO_SUBMIT)
			return floe_trino_finish(m, FLOE_OUTCOME_CANCELLED);
		if ((step == TRINO_PAGE || step == TRINO_LOOK) && !m->cancel_sent)
			step = TRINO_CANCEL;
	}
	m->step = step;
	if (step == TRINO_DONE)
		return floe_adapter_done(run, m->outcome);
	if (step == TRINO_PAUSE)
		return ask_later(m, TRINO_PAGE);
	if (step == TRINO_PAGE)
		m->may_run = true;
	return floe_trino_send(m);
}

/* Makes what is known durable, then goes on with that step. */
static FloeEngineVerb
save_then(FloeTrinoRun *m, FloeTrinoStep step)
{
	floe_trino_save(m);
	m->step = step;
	return FLOE_ENGINE_SAVE;
}

/* No answer, or one that says nothing: what that means for the step. */
static FloeEngineVerb
unanswered(FloeTrinoRun *m, const FloeStatus *why)
{
	m->run->outcome = FLOE_OUTCOME_NONE;
	return floe_trino_retry(m, why, m->step == TRINO_SUBMIT ? TRINO_FIND : m->step);
}

/* It is proven that Trino does not have the statement. */
static FloeEngineVerb
not_found(FloeTrinoRun *m)
{
	if (m->run->cancel_requested)
		return floe_trino_finish(m, FLOE_OUTCOME_CANCELLED);
	if (m->is_restored)
		return floe_trino_lost(m, "floe stopped before it knew the query's id, and Trino has no such query");
	if (m->submits >= MAX_SUBMITS)
		return floe_trino_lost(m, "no answer to the statement, and Trino does not have it");
	return floe_trino_enter(m, TRINO_SUBMIT);
}

/* What was asked for is not there. */
static FloeEngineVerb
gone(FloeTrinoRun *m, const FloeStatus *why)
{
	switch (m->step)
	{
		case TRINO_PAGE:
			m->next_uri[0] = '\0';
			m->failures = 0;
			return floe_trino_enter(m, TRINO_LOOK);
		case TRINO_LOOK:
			m->may_run = false;
			if (m->gave_up)
				return floe_trino_finish(m, m->outcome);
			return floe_trino_lost(m,
								   "Trino no longer knows the query: it was restarted, or forgot a query that ended");
		case TRINO_CANCEL:
			m->cancel_sent = true;
			return floe_trino_enter(m, TRINO_LOOK);
		case TRINO_FIND:
			return not_found(m);
		default: /* before anything may run */
			return floe_trino_fail(m, why);
	}
}

/* The request is not served as things are.  Before anything may run, that is the end. */
static FloeEngineVerb
refused(FloeTrinoRun *m, const FloeStatus *why)
{
	if (m->step == TRINO_INFO || m->step == TRINO_SUBMIT)
		return floe_trino_fail(m, why);
	/* who may not see or stop queries can still follow this one to its end */
	if (m->step == TRINO_CANCEL && why->code == FLOE_ERR_FORBIDDEN)
	{
		floe_trino_note(m, why);
		m->cancel_sent = true;
		m->is_unstoppable = true;
		/* once given up for where its pages lead, they are not asked for again: they lead there still */
		return floe_trino_enter(m, m->next_uri[0] != '\0' && !m->gave_up ? TRINO_PAGE : TRINO_LOOK);
	}
	if (m->step == TRINO_FIND && why->code == FLOE_ERR_FORBIDDEN)
		return not_found(m);
	return unanswered(m, why);
}

/* -------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------- */

static FloeEngineVerb
info_answered(FloeTrinoRun *m, FloeJson root)
{
	const char *version;
	bool is_starting;
	FloeStatus why;

	if (!floe_trino_read_info(root, &version, &is_starting, &why))
		return floe_trino_fail(m, &why);
	if (is_starting)
	{
		floe_fail(&why, FLOE_ERR_SERVER, "Trino is starting");
		return m->is_probe ? floe_trino_fail(m, &why) : unanswered(m, &why);
	}
	floe_copy_text(m->version, sizeof(m->version), version, strlen(version));
	floe_secrets_mask(&m->secrets, m->version, sizeof(m->version));
	m->failures = 0;
	if (m->is_probe)
		return floe_trino_enter(m, TRINO_SUBMIT);
	return save_then(m, TRINO_SUBMIT);
}

/* The last page, or the state of a query whose pages are lost: nothing of it runs any more. */
static FloeEngineVerb
ended(FloeTrinoRun *m, const FloeTrinoPage *page)
{
	m->may_run = false;
	if (page->has_error && m->gave_up)
		return floe_trino_finish(m, m->outcome);
	if (page->has_error)
		return floe_trino_fail_error(m, &page->error);
	floe_trino_close_result(m);
	m->run->error[0] = '\0';
	m->run->error_class = FLOE_CLASS_NONE;
	return floe_trino_finish(m, FLOE_OUTCOME_SUCCEEDED);
}

/* Where the next page is, if that is Trino itself. */
static bool
take_next_uri(FloeTrinoRun *m, const FloeTrinoPage *page, FloeStatus *why)
{
	if (strlen(page->next_uri) >= sizeof(m->next_uri))
		return floe_fail(why, FLOE_ERR_PROTOCOL, "Trino answers with a nextUri of %zu bytes", strlen(page->next_uri));
	if (!floe_trino_is_own(m, page->next_uri))
		return floe_fail(why, FLOE_ERR_CONFIG,
						 "Trino's nextUri leads to another place than the engine's url; behind a proxy it needs "
						 "http-server.process-forwarded=true, and the headers X-Forwarded-*");
	strcpy(m->next_uri, page->next_uri);
	return true;
}

static FloeEngineVerb
submit_answered(FloeTrinoRun *m, const FloeTrinoPage *page)
{
	FloeStatus why;

	m->failures = 0;
	snprintf(m->query_id, sizeof(m->query_id), "%s", page->id);
	snprintf(m->run->external_id, sizeof(m->run->external_id), "%s", page->id);
	floe_trino_keep_rows(m, page);
	if (page->next_uri == NULL)
		return ended(m, page);
	if (!take_next_uri(m, page, &why))
		return m->is_probe ? floe_trino_fail(m, &why) : floe_trino_give_up(m, &why);
	return save_then(m, TRINO_PAGE);
}

static FloeEngineVerb
page_answered(FloeTrinoRun *m, const FloeTrinoPage *page)
{
	FloeStatus why;

	if (strcmp(page->id, m->query_id) != 0)
	{
		floe_fail(&why, FLOE_ERR_PROTOCOL, "Trino answers for another query");
		return m->is_probe ? floe_trino_fail(m, &why) : unanswered(m, &why);
	}
	m->failures = 0;
	floe_trino_keep_rows(m, page);
	if (page->next_uri == NULL)
		return ended(m, page);
	if (!take_next_uri(m, page, &why))
		return m->is_probe ? floe_trino_fail(m, &why) : floe_trino_give_up(m, &why);
	if (m->cancel_sent && !m->is_unstoppable && ++m->polls > CANCEL_POLLS)
		return floe_trino_finish(m, FLOE_OUTCOME_CANCELLED);
	if (m->is_probe)
		return floe_trino_enter(m, TRINO_PAGE);
	/* Trino answers the last request again, and none before it; a statement whose result nobody takes never ends well */
	return save_then(m, m->pages++ < EAGER_PAGES ? TRINO_PAGE : TRINO_PAUSE);
}

static FloeEngineVerb
look_answered(FloeTrinoRun *m, const FloeTrinoPage *page)
{
	FloeStatus why;

	if (strcmp(page->id, m->query_id) != 0)
	{
		floe_fail(&why, FLOE_ERR_PROTOCOL, "Trino answers for another query");
		return unanswered(m, &why);
	}
	m->failures = 0;
	if (strcmp(page->state, "FINISHED") == 0 || strcmp(page->state, "FAILED") == 0)
		return ended(m, page);
	if (m->cancel_sent && !m->is_unstoppable && ++m->polls > CANCEL_POLLS)
		return floe_trino_finish(m, m->gave_up ? m->outcome : FLOE_OUTCOME_CANCELLED);
	return ask_later(m, TRINO_LOOK);
}

static FloeEngineVerb
find_answered(FloeTrinoRun *m, FloeJson root)
{
	const char *id;
	FloeStatus why;

	if (!floe_trino_find(root, m->trace_token, &id, &why))
		return unanswered(m, &why);
	m->failures = 0;
	if (id == NULL)
		return not_found(m);
	snprintf(m->query_id, sizeof(m->query_id), "%s", id);
	snprintf(m->run->external_id, sizeof(m->run->external_id), "%s", id);
	m->may_run = true;
	return save_then(m, TRINO_LOOK);
}

static FloeEngineVerb
cancel_answered(FloeTrinoRun *m)
{
	m->failures = 0;
	m->cancel_sent = true;
	m->polls = 0;
	/* it may have finished before: its state tells */
	return floe_trino_enter(m, m->next_uri[0] != '\0' && !m->gave_up ? TRINO_PAGE : TRINO_LOOK);
}

/* HTTP 200 with a body that is no proper answer. */
static FloeEngineVerb
misunderstood(FloeTrinoRun *m, const FloeStatus *why)
{
	if (m->is_probe || m->step == TRINO_INFO)
		return floe_trino_fail(m, why);
	return unanswered(m, why);
}

static FloeEngineVerb
read_answer(FloeTrinoRun *m, FloeJson root)
{
	FloeTrinoPage page;
	FloeStatus why;

	if (m->step == TRINO_INFO)
		return info_answered(m, root);
	if (m->step == TRINO_FIND)
		return find_answered(m, root);
	if (!(m->step == TRINO_LOOK ? floe_trino_read_query : floe_trino_read_page)(root, &page, &why))
		return misunderstood(m, &why);
	if (m->step == TRINO_SUBMIT)
		return submit_answered(m, &page);
	return m->step == TRINO_LOOK ? look_answered(m, &page) : page_answered(m, &page);
}

static FloeEngineVerb
answered(FloeTrinoRun *m, const FloeBuf *body)
{
	FloeJsonDoc *doc;
	FloeEngineVerb verb;
	FloeStatus why;

	if (m->step == TRINO_CANCEL)
		return cancel_answered(m);
	doc = floe_trino_parse(body, &why);
	if (doc == NULL)
		return misunderstood(m, &why);
	verb = read_answer(m, floe_json_root(doc));
	floe_json_free(doc);
	return verb;
}

/* -------------------------------------------------------------------------
 * The adapter
 * ------------------------------------------------------------------------- */

static FloeTrinoRun *
start(FloeEngineRun *run, bool is_probe, FloeStatus *st)
{
	FloeTrinoRun *m = floe_arena_alloc0(run->arena, sizeof(FloeTrinoRun));

	if (m == NULL)
	{
		floe_fail(st, FLOE_ERR_NOMEM, "out of memory for an operation at the engine");
		return NULL;
	}
	m->run = run;
	m->is_probe = is_probe;
	m->room = KEEP_ROWS;
	m->step = TRINO_INFO;
	floe_adapter_reset(run, m);
	return m;
}

static bool
begin(FloeEngineRun *run, const char *saved, size_t saved_len, FloeStatus *st)
{
	FloeTrinoRun *m = start(run, false, st);

	if (m == NULL || (saved_len > 0 && !floe_trino_restore(m, saved, saved_len, st)) || !floe_trino_prepare(m, st))
		return false;
	if (saved_len == 0)
		return true;
	m->is_restored = true;
	/* it was told then, and has waited since */
	m->pages = EAGER_PAGES;
	if (m->query_id[0] == '\0')
		m->step = TRINO_FIND;
	else
	{
		m->may_run = true;
		/* the engine's url may have been changed since */
		if (!floe_trino_is_own(m, m->next_uri))
			m->next_uri[0] = '\0';
		m->step = m->next_uri[0] != '\0' ? TRINO_PAGE : TRINO_LOOK;
	}
	return true;
}

static bool
begin_probe(FloeEngineRun *run, FloeStatus *st)
{
	FloeTrinoRun *m = start(run, true, st);

	return m != NULL && floe_trino_prepare(m, st);
}

static FloeEngineVerb
next(FloeEngineRun *run, FloeHttpResponse *response)
{
	FloeTrinoRun *m = run->state;
	FloeTrinoAnswer answer;
	FloeStatus why;

	if (!m->is_sent)
		return floe_trino_enter(m, m->step);
	m->is_sent = false;
	answer = floe_trino_classify(m, response, &why);
	if (answer == TRINO_BODY)
	{
		run->unreachable = false;
		return answered(m, &response->body);
	}
	if (m->is_probe)
		return floe_trino_fail(m, &why);
	switch (answer)
	{
		case TRINO_GONE:
			run->unreachable = false;
			return gone(m, &why);
		case TRINO_REFUSED:
			return refused(m, &why);
		case TRINO_UNSENT:
			return m->step == TRINO_SUBMIT ? floe_trino_retry(m, &why, m->step) : unanswered(m, &why);
		default:
			return unanswered(m, &why);
	}
}

const FloeEngineOps floe_engine_trino = {
	.type = "trino",
	.dialect = FLOE_DIALECT_TRINO,
	.defines_catalog = false,
	.begin = begin,
	.next = next,
	.begin_probe = begin_probe,
};
