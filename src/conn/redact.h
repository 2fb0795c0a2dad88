/*
 * redact.h: taking secrets out of what a catalog or a store says.
 *
 * Servers throw back what they were given: headers in an error page, the body
 * of a request in a message.  Whatever of theirs is kept or shown goes through
 * here first.  Engines have their own (engine/secrets.h), which knows what
 * stands in the configuration of a session.
 */
#ifndef FLOE_CONN_REDACT_H
#define FLOE_CONN_REDACT_H

#include "base/mask.h"
#include "conn/conn.h"

typedef struct FloeRedaction
{
	int count;
	int size;
	FloeMaskItem *items; /* secrets, in every form in which they may come back */
} FloeRedaction;

/* Zero-initialised is empty; grows in CurrentMemoryContext.  NULL and what is shorter than 4 bytes is no secret. */
extern void floe_redaction_add(FloeRedaction *redaction, const char *secret);
/* The query of a URL that is a secret, and each value in it that is one by itself: sig=..., with and without its percent-encoding. */
extern void floe_redaction_add_query(FloeRedaction *redaction, const char *query);
extern void floe_redaction_add_conn(FloeRedaction *redaction, const FloeConn *conn);

/*
 * Replaces every secret in text, which stands in a buffer of that size, by
 * ***.  A text that fills its buffer was cut, perhaps in the middle of a
 * secret: such an end is dropped.
 */
extern void floe_redact(const FloeRedaction *redaction, char *text, size_t size);

#endif /* FLOE_CONN_REDACT_H */
