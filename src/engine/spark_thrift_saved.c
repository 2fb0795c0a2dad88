/*
 * spark_thrift_saved.c: the durable state of a run: which session and which operation are ours.
 *
 * Layout: "FHS", version 1, flags; guid and secret of the session; with flag 1
 * also guid and secret of the operation, its type (big-endian) and whether it
 * has a result set.  Flag 2: the operation was seen to have finished.  The
 * secrets are what the server checks, so the bytes are a secret.  Separate
 * because another version of floe must be able to read them.
 */
#include "floe.h"

#include "engine/spark_thrift.h"

#include "base/cursor.h"

#include <string.h>

#define MAGIC "FHS"
#define MAGIC_SIZE 3
#define VERSION 1
#define FLAG_OPERATION 1
#define FLAG_FINISHED 2

static size_t
put(FloeEngineRun *run, size_t at, const void *data, size_t len)
{
	memcpy(run->saved + at, data, len);
	return at + len;
}

static size_t
put_handle(FloeEngineRun *run, size_t at, const FloeHs2Handle *handle)
{
	at = put(run, at, handle->guid, FLOE_HS2_ID_SIZE);
	return put(run, at, handle->secret, FLOE_HS2_ID_SIZE);
}

void
floe_spark_save(FloeThriftRun *m)
{
	FloeEngineRun *run = m->run;
	uint32_t type = (uint32_t) m->operation.type;
	uint8_t flags = (m->has_operation ? FLAG_OPERATION : 0) | (m->is_finished ? FLAG_FINISHED : 0);
	uint8_t head[2] = {VERSION, flags};
	uint8_t tail[5] = {(uint8_t) (type >> 24), (uint8_t) (type >> 16), (uint8_t) (type >> 8), (uint8_t) type,
					   m->operation.has_result_set ? 1 : 0};
	size_t at = put(run, 0, MAGIC, MAGIC_SIZE);

	StaticAssertStmt(MAGIC_SIZE + 2 + 4 * FLOE_HS2_ID_SIZE + 5 <= FLOE_ENGINE_SAVED_MAX, "the state fits");
	at = put(run, at, head, sizeof(head));
	at = put_handle(run, at, &m->session);
	if (m->has_operation)
	{
		at = put_handle(run, at, &m->operation.handle);
		at = put(run, at, tail, sizeof(tail));
		floe_hs2_guid_text(&m->operation.handle, run->external_id);
	}
	run->saved_len = at;
}

static void
take_handle(FloeCursor *c, FloeHs2Handle *handle)
{
	const uint8_t *guid = floe_cursor_take(c, FLOE_HS2_ID_SIZE);
	const uint8_t *secret = floe_cursor_take(c, FLOE_HS2_ID_SIZE);

	if (c->bad)
		return;
	memcpy(handle->guid, guid, FLOE_HS2_ID_SIZE);
	memcpy(handle->secret, secret, FLOE_HS2_ID_SIZE);
}

bool
floe_spark_restore(FloeThriftRun *m, const char *saved, size_t len, FloeStatus *st)
{
	FloeCursor c;
	const uint8_t *magic;
	uint8_t flags;

	floe_cursor_init(&c, saved, len);
	magic = floe_cursor_take(&c, MAGIC_SIZE);
	if (magic == NULL || memcmp(magic, MAGIC, MAGIC_SIZE) != 0 || floe_cursor_u8(&c) != VERSION)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the saved state of the operation is not one of spark-thrift");
	flags = floe_cursor_u8(&c);
	take_handle(&c, &m->session);
	if (flags & FLAG_OPERATION)
	{
		take_handle(&c, &m->operation.handle);
		m->operation.type = (int32_t) floe_cursor_be32(&c);
		m->operation.has_result_set = floe_cursor_u8(&c) != 0;
	}
	if (c.bad || floe_cursor_left(&c) > 0 || (flags & ~(FLAG_OPERATION | FLAG_FINISHED)) != 0)
		return floe_fail(st, FLOE_ERR_CORRUPT, "the saved state of the operation is damaged");
	m->has_session = true;
	m->has_operation = (flags & FLAG_OPERATION) != 0;
	m->is_finished = (flags & FLAG_FINISHED) != 0;
	m->may_run = true;
	floe_spark_save(m);
	return true;
}
