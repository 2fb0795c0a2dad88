/*
 * utf8.h: remote text made fit for PostgreSQL: valid UTF-8 without NUL.
 *
 * What a server sends may be cut in the middle of a character, be in another
 * encoding or hold NULs; stored as it is, it would make the INSERT of an error
 * message fail.  Checking is PostgreSQL's own (common/wchar.c).
 */
#ifndef FLOE_BASE_UTF8_H
#define FLOE_BASE_UTF8_H

#include "base/buf.h"

/* True when all len bytes are valid UTF-8 and none is NUL. */
extern bool floe_utf8_is_valid(const char *text, size_t len);

/* Appends the text with every byte that is not part of valid UTF-8, and every NUL, replaced by U+FFFD. */
extern bool floe_utf8_append(FloeBuf *buf, const char *text, size_t len);

/* The same in place of a terminated text: what is invalid becomes '?'. */
extern void floe_utf8_repair(char *text);

/* And control characters, too: names from outside may hold line ends and escape sequences, messages must not. */
extern void floe_utf8_one_line(char *text);

#endif /* FLOE_BASE_UTF8_H */
