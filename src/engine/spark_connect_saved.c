/*
 * spark_connect_saved.c: the durable state of a run: the ids that floe chose, and what the server called the session.
 *
 * Layout: "FSC", version 1, flags; the ids of session and operation, 36
 * characters each; then the server's name of the session and the user, each
 * with its length in front (one byte).  The user is saved because a session is
 * found by user and id, and the user mapping may have changed.  Flag 1: the
 * server has, or had, the operation; flag 2: it was seen to have finished.
 * Separate because another version of floe must be able to read them.
 */
#include "floe.h"

#include "engine/spark_connect.h"

#include "base/cursor.h"

#include <string.h>

#define MAGIC "FSC"
#define MAGIC_SIZE 3
#define VERSION 1
#define FLAG_KNOWN 1
#define FLAG_FINISHED 2

/* RFC 9562, version 4 */
static bool
new_uuid(char text[FLOE_UUID_SIZE])
{
	uint8_t bytes[16];
	char *to = text;

	if (!pg_strong_random(bytes, sizeof(bytes)))
		return false;
	bytes[6] = (uint8_t) ((bytes[6] & 0x0F) | 0x40);
	bytes[8] = (uint8_t) ((bytes[8] & 0x3F) | 0x80);
	for (int i = 0; i < 16; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		to += snprintf(to, 3, "%02x", bytes[i]);
	}
	return true;
}

/* Not derived from floe's operation: each attempt needs others, and a server keeps those that it has closed. */
bool
floe_connect_new_ids(FloeConnectRun *m, FloeStatus *st)
{
	if (!new_uuid(m->session) || !new_uuid(m->operation))
		return floe_fail(st, FLOE_ERR_INTERNAL, "no random numbers for the ids of a session");
	return true;
}

static void
put(FloeEngineRun *run, const void *data, size_t len)
{
	memcpy(run->saved + run->saved_len, data, len);
	run->saved_len += len;
}

static void
put_short(FloeEngineRun *run, const char *text)
{
	uint8_t len = (uint8_t) strlen(text);

	put(run, &len, 1);
	put(run, text, len);
}

void
floe_connect_save(FloeConnectRun *m)
{
	FloeEngineRun *run = m->run;
	uint8_t head[2] = {VERSION, (m->is_known ? FLAG_KNOWN : 0) | (m->is_finished ? FLAG_FINISHED : 0)};

	StaticAssertStmt(MAGIC_SIZE + 2 + 2 * FLOE_UUID_SIZE + 2 + FLOE_CONNECT_SERVER_SESSION_SIZE +
							 FLOE_CONNECT_USER_MAX <=
						 FLOE_ENGINE_SAVED_MAX,
					 "the state fits");
	run->saved_len = 0;
	put(run, MAGIC, MAGIC_SIZE);
	put(run, head, sizeof(head));
	put(run, m->session, FLOE_UUID_SIZE - 1);
	put(run, m->operation, FLOE_UUID_SIZE - 1);
	put_short(run, m->server_session);
	put_short(run, m->user);
	/* only now: with the first external id people are told that the engine has it */
	if (m->is_known)
		snprintf(run->external_id, sizeof(run->external_id), "%s", m->operation);
}

static void
take(FloeCursor *c, char *text, size_t len, size_t size)
{
	const uint8_t *at = len < size ? floe_cursor_take(c, len) : NULL;

	text[0] = '\0';
	if (at == NULL || memchr(at, '\0', len) != NULL)
	{
		c->bad = true;
		return;
	}
	memcpy(text, at, len);
	text[len] = '\0';
}

static bool
is_uuid(const char *text)
{
	return strspn(text, "0123456789abcdef-") == FLOE_UUID_SIZE - 1;
}

bool
floe_connect_restore(FloeConnectRun *m, const char *saved, size_t len, FloeStatus *st)
{
	FloeCursor c;
	const uint8_t *magic;
	uint8_t flags;

	floe_cursor_init(&c, saved, len);
	magic = floe_cursor_take(&c, MAGIC_SIZE);
	if (magic == NULL || memcmp(magic, MAGIC, MAGIC_SIZE) != 0 || floe_cursor_u8(&c) != VERSION)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the saved state of the operation is not one of spark-connect");
	flags = floe_cursor_u8(&c);
	take(&c, m->session, FLOE_UUID_SIZE - 1, sizeof(m->session));
	take(&c, m->operation, FLOE_UUID_SIZE - 1, sizeof(m->operation));
	take(&c, m->server_session, floe_cursor_u8(&c), sizeof(m->server_session));
	take(&c, m->user, floe_cursor_u8(&c), sizeof(m->user));
	if (c.bad || floe_cursor_left(&c) > 0 || (flags & ~(FLAG_KNOWN | FLAG_FINISHED)) != 0 || !is_uuid(m->session) ||
		!is_uuid(m->operation))
		return floe_fail(st, FLOE_ERR_CORRUPT, "the saved state of the operation is damaged");
	m->is_known = (flags & FLAG_KNOWN) != 0;
	m->is_finished = (flags & FLAG_FINISHED) != 0;
	floe_connect_save(m);
	return true;
}
