/*
 * hs2_wire.h: what hs2.c and hs2_rows.c share; nobody else includes it.
 */
#ifndef FLOE_ENGINE_HS2_WIRE_H
#define FLOE_ENGINE_HS2_WIRE_H

#include "engine/hs2.h"

/* Places c at the first field of the response struct. */
extern bool floe_hs2_open_result(FloeCursor *c, FloeHs2Call call, int32_t sequence, const void *body, size_t len,
								 FloeStatus *st);

/* After the last field of the response struct: checks that the message ends there. */
extern bool floe_hs2_close_result(FloeCursor *c, FloeHs2Call call, FloeStatus *st);

/* TStatus; a status without a code makes the cursor bad. */
extern void floe_hs2_read_status(FloeCursor *c, FloeHs2Status *status);

#endif /* FLOE_ENGINE_HS2_WIRE_H */
