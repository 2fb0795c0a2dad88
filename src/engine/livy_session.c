/*
 * livy_session.c: the livy adapter's session: made, found again by its name, waited for until it is idle.
 *
 * Separate from the state machine for its size.
 */
#include "floe.h"

#include "engine/livy.h"

#include <string.h>

#define IDLE_POLL_MS 1000
#define CREATES 3
#define FIND_MS 1000

const char *
floe_livy_state_of(const FloeLivyRun *m)
{
	const char *state = floe_json_string(floe_json_field(floe_talk_root(&m->talk), "state"));

	return state != NULL ? state : "";
}

bool
floe_livy_is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		if (strcmp(word, *words) == 0)
			return true;
	}
	return false;
}

static const char *const starting_states[] = {"not_started", "starting", "recovering", NULL};
static const char *const ending_states[] = {"shutting_down", "dead", "killed", "error", "success", NULL};

bool
floe_livy_take_id(FloeJson object, int64_t *id)
{
	return floe_json_int(floe_json_field(object, "id"), id) && *id >= 0;
}

FloeEngineVerb
floe_livy_create_answered(FloeLivyRun *m)
{
	FloeStatus why;

	if (!floe_livy_take_id(floe_talk_root(&m->talk), &m->session))
	{
		floe_fail(&why, FLOE_ERR_PROTOCOL, "the answer to POST /sessions is not one of Livy");
		return floe_livy_fail(m, &why);
	}
	m->has_session = true;
	m->was_found = false;
	if (m->talk.run->cancel_requested)
		return floe_livy_finish(m, FLOE_OUTCOME_CANCELLED);
	return floe_livy_save_and(m, LIVY_IDLE);
}

FloeEngineVerb
floe_livy_create_declined(FloeLivyRun *m)
{
	FloeTalk *t = &m->talk;

	if (t->http_code == 400 && strstr(t->text, "Unrecognized field") != NULL && !m->is_plain)
	{
		m->is_plain = true;
		return floe_livy_enter(m, LIVY_CREATE);
	}
	if (t->http_code == 400 && strstr(t->text, "Duplicate session name") != NULL && ++m->creates <= CREATES)
		return floe_livy_enter(m, LIVY_FIND);
	floe_talk_error_text(t, t->text, "the engine refused to make a session", FLOE_CLASS_TRANSIENT);
	/* what is wrong with the request stays wrong; too many sessions are not the request's fault */
	if (t->http_code < 500 && t->run->error_class == FLOE_CLASS_TRANSIENT && strstr(t->text, "too many") == NULL)
		t->run->error_class = FLOE_CLASS_CONFIG;
	return floe_livy_finish(m, FLOE_OUTCOME_FAILED);
}

/* A session of our name: a new one is taken, one that has seen a statement only if it is shared. */
static FloeEngineVerb
found_session(FloeLivyRun *m, const char *state)
{
	m->has_session = true;
	m->was_found = true;
	if (m->talk.run->cancel_requested && !m->is_pooled)
		return floe_livy_finish(m, FLOE_OUTCOME_CANCELLED);
	if (floe_livy_is_one_of(state, ending_states))
		return floe_livy_enter(m, LIVY_REPLACE);
	if (m->is_pooled || floe_livy_is_one_of(state, starting_states))
		return floe_livy_save_and(m, LIVY_IDLE);
	m->looks = 0;
	return floe_livy_enter(m, LIVY_LOOK);
}

FloeEngineVerb
floe_livy_find_answered(FloeLivyRun *m)
{
	FloeJson sessions = floe_json_field(floe_talk_root(&m->talk), "sessions");
	size_t n = floe_json_length(sessions);

	for (size_t i = 0; i < n; i++)
	{
		FloeJson one = floe_json_at(sessions, i);
		const char *name = floe_json_string(floe_json_field(one, "name"));
		const char *state = floe_json_string(floe_json_field(one, "state"));

		if (name != NULL && strcmp(name, m->name) == 0 && floe_livy_take_id(one, &m->session))
			return found_session(m, state != NULL ? state : "");
	}
	m->from += (int) n;
	if (n > 0 && ++m->pages < FLOE_LIVY_PAGES)
		return floe_livy_enter(m, LIVY_FIND);
	m->may_exist = false;
	m->step = LIVY_CREATE;
	return m->talk.run->cancel_requested ? floe_livy_finish(m, FLOE_OUTCOME_CANCELLED)
										 : floe_talk_wait(&m->talk, FIND_MS);
}

FloeEngineVerb
floe_livy_idle_answered(FloeLivyRun *m)
{
	const char *state = floe_livy_state_of(m);

	m->talk.failures = 0;
	if (floe_livy_is_one_of(state, ending_states))
		return floe_livy_enter(m, LIVY_LOG);
	if (strcmp(state, "idle") != 0)
		return floe_livy_wait_and(m, LIVY_IDLE, IDLE_POLL_MS);
	/* from here on the statement may have been sent */
	m->is_submitting = true;
	return floe_livy_save_and(m, LIVY_SUBMIT);
}

/* In the log of a driver. */
static bool
tells_why(const char *line)
{
	return strstr(line, "Exception") != NULL || strstr(line, " ERROR ") != NULL || strncmp(line, "Error: ", 7) == 0;
}

/* The line that says why the driver died: the last with an exception, else the last. */
FloeEngineVerb
floe_livy_log_answered(FloeLivyRun *m)
{
	FloeJson lines = floe_json_field(floe_talk_root(&m->talk), "log");
	const char *last = NULL;
	const char *reason = NULL;

	for (size_t i = 0; i < floe_json_length(lines); i++)
	{
		const char *line = floe_json_string(floe_json_at(lines, i));

		if (line == NULL || line[strspn(line, " \t\r\n")] == '\0' || strncmp(line, "\tat ", 4) == 0)
			continue;
		last = line;
		if (tells_why(line))
			reason = line;
	}
	return floe_livy_fail_text(m, reason != NULL ? reason : last, "the session ended before it could be used",
							   FLOE_CLASS_TRANSIENT);
}
