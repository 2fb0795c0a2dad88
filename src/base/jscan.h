/*
 * jscan.h: a push scanner for JSON that arrives in pieces.
 *
 * Table metadata may be hundreds of megabytes, of which floe needs a small
 * part; a tree of it costs 5-8 times its size and parses at some 60 MB/s.
 * This scanner is fed chunks of any size, inside curl's write callback, and
 * calls a handler; its memory is one bit per level plus the string at hand.
 * It exists because the libraries that are as fast need the whole document in
 * memory, and the ones that stream build it up token by token.
 *
 * It accepts exactly RFC 8259, UTF-8 and surrogate pairs included, and no
 * byte order mark; what is skipped is validated like everything else.
 * Duplicate keys are the handler's business.
 */
#ifndef FLOE_BASE_JSCAN_H
#define FLOE_BASE_JSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

#define FLOE_JSCAN_MAX_DEPTH 64

typedef struct FloeJscanLimits
{
	size_t bytes;          /* of the whole document */
	size_t key;            /* of a key that is handed over, decoded */
	size_t string;         /* of a string that is handed over, decoded */
	int depth;             /* open objects and arrays; at most FLOE_JSCAN_MAX_DEPTH */
	FloeCode syntax_error; /* what "this is not JSON" means here: CORRUPT for a file, PROTOCOL for an answer */
} FloeJscanLimits;

/* No limit of bytes, keys of 4 kB, strings of 64 kB, 64 levels, FLOE_ERR_CORRUPT. */
extern const FloeJscanLimits floe_jscan_default_limits;

typedef enum FloeJscanNumber
{
	FLOE_JSCAN_INTEGER,      /* digits only; value is exact */
	FLOE_JSCAN_OUT_OF_RANGE, /* digits only, beyond 64 bits */
	FLOE_JSCAN_FRACTION      /* has a fraction or an exponent */
} FloeJscanNumber;

typedef enum FloeJscanLiteral
{
	FLOE_JSCAN_FALSE,
	FLOE_JSCAN_TRUE,
	FLOE_JSCAN_NULL
} FloeJscanLiteral;

/*
 * All functions are required.  They may not throw; returning false, after
 * filling st, ends the scan.  Text is decoded, may hold NULs, is not
 * terminated and is valid during the call only.
 */
typedef struct FloeJscanHandler
{
	bool (*open)(void *ctx, bool is_array, FloeStatus *st);
	bool (*close)(void *ctx, FloeStatus *st);
	bool (*key)(void *ctx, const char *text, size_t len, FloeStatus *st);
	bool (*string)(void *ctx, const char *text, size_t len, FloeStatus *st);
	bool (*number)(void *ctx, FloeJscanNumber kind, int64_t value, FloeStatus *st);
	bool (*literal)(void *ctx, FloeJscanLiteral literal, FloeStatus *st);
} FloeJscanHandler;

/* Embedded in its user; the fields are private to jscan.c. */
typedef struct FloeJscan
{
	const FloeJscanHandler *handler; /* NULL: only check */
	void *ctx;
	FloeArena *arena; /* holds scratch */
	FloeJscanLimits limits;
	FloeStatus *st;
	bool failed;
	uint8_t state;
	bool in_key;

	uint64_t offset;      /* bytes of the chunks before this one */
	const uint8_t *chunk; /* start of this one */
	const uint8_t *at;    /* behind the token that is being handed over */

	uint64_t arrays; /* bit n-1: level n is an array */
	int depth;
	int muted; /* no events until a value at this depth is complete; -1: not muted */

	FloeBuf *capture;
	const uint8_t *capture_from; /* NULL: the value has not begun */

	/* inside a string */
	uint8_t escape;
	uint32_t hex;
	uint32_t high_surrogate; /* 0: none waits for its other half */
	uint8_t partial[4];      /* a UTF-8 sequence cut by the end of a chunk */
	size_t partial_len;
	char *scratch; /* the decoded part of a string that is not one piece of a chunk */
	size_t scratch_len;
	size_t scratch_size;

	/* inside a number or literal */
	uint8_t number;
	bool negative;
	bool overflow;
	uint64_t digits;
	const char *rest;
	FloeJscanLiteral literal;
} FloeJscan;

/* handler NULL checks only, and needs no arena.  What is handed over lives in the arena until that ends. */
extern void floe_jscan_init(FloeJscan *scan, const FloeJscanHandler *handler, void *ctx, const FloeJscanLimits *limits,
							FloeArena *arena);

/*
 * feed: the next bytes, also none.  finish: there are no more; fails when the
 * document is not complete.  After a failure every further call fails.
 * FLOE_ERR_TOO_LARGE beyond a limit, limits->syntax_error when it is not JSON
 * ("invalid JSON at byte 7: …", counted from 0), or what the handler says.
 */
extern bool floe_jscan_feed(FloeJscan *scan, const void *data, size_t len, FloeStatus *st);
extern bool floe_jscan_finish(FloeJscan *scan, FloeStatus *st);

/*
 * From key(): no events for the value of this key.  From open(): no events
 * for the rest of this object or array, nor its close().
 */
extern void floe_jscan_skip(FloeJscan *scan);

/*
 * Like skip, and appends the bytes of the value to buf, as they are; beyond
 * the buffer's cap the scan fails.  buf must live until the value is complete.
 */
extern void floe_jscan_capture(FloeJscan *scan, FloeBuf *buf);

/* From a handler: bytes of the document up to the end of the token that is handed over. */
extern uint64_t floe_jscan_offset(const FloeJscan *scan);

/* One document in one piece, without a handler. */
extern bool floe_jscan_check(const void *data, size_t len, const FloeJscanLimits *limits, FloeStatus *st);

#endif /* FLOE_BASE_JSCAN_H */
