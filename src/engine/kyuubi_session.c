/*
 * kyuubi_session.c: the kyuubi adapter's session: opened, found again by its name, waited for until its engine is up.
 *
 * Separate from the state machine for its size.
 */
#include "floe.h"

#include "engine/kyuubi.h"

#define OPEN_POLL_MS 1000
#define FINDS 5

bool
floe_kyuubi_take_identifier(FloeJson object, char *id)
{
	const char *text = floe_json_string(floe_json_field(object, "identifier"));

	if (!floe_kyuubi_is_id(text))
		return false;
	snprintf(id, FLOE_KYUUBI_ID, "%s", text);
	return true;
}

FloeEngineVerb
floe_kyuubi_find_answered(FloeKyuubiRun *m)
{
	FloeJson sessions = floe_talk_root(&m->talk);

	m->talk.failures = 0;
	for (size_t i = 0; i < floe_json_length(sessions) && m->finds < FINDS; i++)
	{
		FloeJson one = floe_json_at(sessions, i);

		if (!floe_kyuubi_is_ours(m, floe_json_field(one, "conf")) || !floe_kyuubi_take_identifier(one, m->session))
			continue;
		m->finds++;
		m->has_session = m->was_found = true;
		return floe_kyuubi_enter(m, KYUUBI_OPENING);
	}
	return floe_kyuubi_enter(m, KYUUBI_OPEN);
}

FloeEngineVerb
floe_kyuubi_open_answered(FloeKyuubiRun *m)
{
	FloeStatus why;

	if (!floe_kyuubi_take_identifier(floe_talk_root(&m->talk), m->session))
	{
		floe_fail(&why, FLOE_ERR_PROTOCOL, "the answer to POST /sessions is not one of Kyuubi");
		return floe_kyuubi_fail(m, &why);
	}
	m->has_session = true;
	m->was_found = false;
	if (m->talk.run->cancel_requested)
		return floe_kyuubi_finish(m, FLOE_OUTCOME_CANCELLED);
	return floe_kyuubi_save_and(m, KYUUBI_OPENING);
}

/* openedTime is -1 until the engine is up; exception says why it will never be. */
FloeEngineVerb
floe_kyuubi_opening_answered(FloeKyuubiRun *m)
{
	FloeJson session = floe_talk_root(&m->talk);
	FloeJson exception = floe_json_field(session, "exception");
	int64_t opened = -1;
	int64_t operations = 0;

	m->talk.failures = 0;
	(void) floe_json_int(floe_json_field(session, "openedTime"), &opened);
	(void) floe_json_int(floe_json_field(session, "totalOperations"), &operations);
	/* of an earlier attempt, whose end nobody knows */
	if (m->was_found && (operations > 0 || floe_json_kind(exception) == FLOE_JSON_OBJECT))
		return floe_kyuubi_enter(m, KYUUBI_REPLACE);
	if (m->was_found)
	{
		m->was_found = false;
		return floe_kyuubi_save_and(m, KYUUBI_OPENING);
	}
	if (floe_json_kind(exception) == FLOE_JSON_OBJECT)
		return floe_kyuubi_fail_text(m, floe_json_string(floe_json_field(exception, "message")),
									 "the engine behind the session did not start", FLOE_CLASS_TRANSIENT);
	if (opened <= 0)
		return floe_kyuubi_wait_and(m, KYUUBI_OPENING, OPEN_POLL_MS);
	/* from here on the statement may have been sent */
	m->is_submitting = true;
	return floe_kyuubi_save_and(m, KYUUBI_EXECUTE);
}
