/*
 * jscan_private.h: what the two halves of the JSON scanner share: jscan.c
 * (structure and the public functions) and jscan_tokens.c (strings, numbers
 * and words).
 *
 * A step consumes bytes from p and returns where it stopped, at the latest at
 * end; NULL after a failure, with scan->st filled.
 */
#ifndef FLOE_BASE_JSCAN_PRIVATE_H
#define FLOE_BASE_JSCAN_PRIVATE_H

#include "base/jscan.h"

/* scan->state: between tokens (where white space may stand), then inside one. */
enum
{
	FLOE_JSCAN_AT_VALUE,
	FLOE_JSCAN_AT_FIRST_VALUE, /* behind [ */
	FLOE_JSCAN_AT_KEY,
	FLOE_JSCAN_AT_FIRST_KEY, /* behind { */
	FLOE_JSCAN_AT_COLON,
	FLOE_JSCAN_AT_COMMA, /* behind a value */
	FLOE_JSCAN_AT_END,
	FLOE_JSCAN_IN_STRING,
	FLOE_JSCAN_IN_NUMBER,
	FLOE_JSCAN_IN_LITERAL
};

static inline bool
floe_jscan_wanted(const FloeJscan *s)
{
	return s->handler != NULL && s->muted < 0;
}

/* Failures; both return NULL. */
extern const uint8_t *floe_jscan_bad(FloeJscan *s, const uint8_t *p, const char *why);
extern const uint8_t *floe_jscan_too_long(FloeJscan *s, const char *what, size_t limit);

/* A value ended before p; returns p. */
extern const uint8_t *floe_jscan_value_done(FloeJscan *s, const uint8_t *p);

/* Tokens: begin stands at the first byte (a string at the one behind its quote); scan takes up what a chunk has cut. */
extern const uint8_t *floe_jscan_scan_string(FloeJscan *s, const uint8_t *p, const uint8_t *end);
extern const uint8_t *floe_jscan_begin_number(FloeJscan *s, const uint8_t *p, const uint8_t *end);
extern const uint8_t *floe_jscan_scan_number(FloeJscan *s, const uint8_t *p, const uint8_t *end);
extern const uint8_t *floe_jscan_end_number(FloeJscan *s, const uint8_t *p);
extern const uint8_t *floe_jscan_begin_literal(FloeJscan *s, const uint8_t *p, const uint8_t *end);
extern const uint8_t *floe_jscan_scan_literal(FloeJscan *s, const uint8_t *p, const uint8_t *end);

#endif /* FLOE_BASE_JSCAN_PRIVATE_H */
