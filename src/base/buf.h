/*
 * buf.h: a growing byte buffer with a cap, for bodies and for rendered text.
 *
 * The counterpart of StringInfo for code that must not throw and for data
 * that comes from outside: beyond the cap, or without memory, an append
 * returns false and the buffer remembers why.  Zero-initialised with a cap is
 * a valid empty buffer; data is NUL-terminated whenever it is not NULL.
 */
#ifndef FLOE_BASE_BUF_H
#define FLOE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

typedef struct FloeBuf
{
	char *data; /* malloc'ed; NULL while empty */
	size_t len;
	size_t size;   /* allocated */
	size_t cap;    /* the most that len may become */
	bool over_cap; /* an append was refused because of the cap */
	bool failed;   /* an append was refused for any reason */
} FloeBuf;

extern void floe_buf_init(FloeBuf *buf, size_t cap);
extern void floe_buf_free(FloeBuf *buf);  /* frees the data and makes it an empty buffer again */
extern void floe_buf_reset(FloeBuf *buf); /* forgets the content, keeps the memory */

extern bool floe_buf_append(FloeBuf *buf, const void *data, size_t len);
extern bool floe_buf_text(FloeBuf *buf, const char *text);
extern bool floe_buf_char(FloeBuf *buf, char c);
extern bool floe_buf_printf(FloeBuf *buf, const char *fmt, ...) __attribute__((format(gnu_printf, 2, 3)));

/* Makes room for len more bytes and returns where they go; NULL when refused. */
extern char *floe_buf_reserve(FloeBuf *buf, size_t len);

#endif /* FLOE_BASE_BUF_H */
