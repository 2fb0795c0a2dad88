/*
 * trino_saved.c: the durable state of a run: which query is ours, and where its next page is.
 *
 * Layout: "FTR", version 1; the nonce; length (2 bytes, big-endian) and text
 * of the query's id, empty before the statement is posted; the same of
 * nextUri.  The bytes come from floe's own table, and are read with the care
 * that anything from outside gets.
 */
#include "floe.h"

#include "engine/trino.h"

#include <string.h>

#define MAGIC "FTR\001"
#define MAGIC_LEN 4
#define HEAD_LEN (MAGIC_LEN + FLOE_TRINO_NONCE_LEN)

StaticAssertDecl(HEAD_LEN + 2 + FLOE_TRINO_ID_MAX + 2 + FLOE_TRINO_URI_MAX <= FLOE_ENGINE_SAVED_MAX,
				 "what is saved fits its place");

static char *
put_text(char *at, const char *text)
{
	size_t len = strlen(text);

	*at++ = (char) (len >> 8);
	*at++ = (char) (len & 0xFF);
	memcpy(at, text, len);
	return at + len;
}

void
floe_trino_save(FloeTrinoRun *m)
{
	FloeEngineRun *run = m->run;
	char *at = run->saved;

	memcpy(at, MAGIC, MAGIC_LEN);
	memcpy(at + MAGIC_LEN, m->nonce, FLOE_TRINO_NONCE_LEN);
	at = put_text(at + HEAD_LEN, m->query_id);
	at = put_text(at, m->next_uri);
	run->saved_len = (size_t) (at - run->saved);
}

/* The next text into a buffer of that size; *at moves behind it. */
static bool
get_text(const char **at, const char *end, char *out, size_t size)
{
	size_t len;

	if (end - *at < 2)
		return false;
	len = (size_t) (unsigned char) (*at)[0] << 8 | (unsigned char) (*at)[1];
	*at += 2;
	if ((size_t) (end - *at) < len || len >= size || memchr(*at, '\0', len) != NULL)
		return false;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at += len;
	return true;
}

bool
floe_trino_restore(FloeTrinoRun *m, const char *saved, size_t len, FloeStatus *st)
{
	const char *at = saved + HEAD_LEN;
	const char *end = saved + len;
	bool done = len >= HEAD_LEN && memcmp(saved, MAGIC, MAGIC_LEN) == 0;

	if (done)
	{
		memcpy(m->nonce, saved + MAGIC_LEN, FLOE_TRINO_NONCE_LEN);
		done = strspn(m->nonce, "0123456789abcdef") == FLOE_TRINO_NONCE_LEN;
	}
	done = done && get_text(&at, end, m->query_id, sizeof(m->query_id)) &&
		   get_text(&at, end, m->next_uri, sizeof(m->next_uri)) && at == end;
	if (!done || (m->query_id[0] != '\0' && !floe_trino_is_id(m->query_id)))
		return floe_fail(st, FLOE_ERR_INTERNAL, "what was saved of the operation at the engine cannot be read");
	snprintf(m->run->external_id, sizeof(m->run->external_id), "%s", m->query_id);
	return true;
}
