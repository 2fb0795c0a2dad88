/*
 * mask.h: replacing secrets in text.
 *
 * The one place that knows how: conn/redact.h and engine/secrets.h only know
 * what is secret.  The secrets are theirs, in an array of any order.
 */
#ifndef FLOE_BASE_MASK_H
#define FLOE_BASE_MASK_H

#include "base/buf.h"

typedef struct FloeMaskItem
{
	const char *text; /* not terminated, not empty */
	size_t len;
} FloeMaskItem;

extern bool floe_mask_found(const FloeMaskItem *items, int count, const char *text, size_t len);

/*
 * Appends the text with every secret, of several at one place the longest,
 * replaced by "***"; false when the buffer refuses.  was_cut: the text may end
 * in the middle of a secret; such an end is dropped.
 */
extern bool floe_mask_append(const FloeMaskItem *items, int count, FloeBuf *buf, const char *text, size_t len,
							 bool was_cut);

/*
 * The same in place of a terminated text in a buffer of that size; what does
 * not fit is cut.  A text that fills its buffer was cut before.
 */
extern void floe_mask_text(const FloeMaskItem *items, int count, char *text, size_t size);

#endif /* FLOE_BASE_MASK_H */
