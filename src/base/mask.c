/*
 * mask.c: one walk over a text, from secret to secret.
 */
#include "floe.h"

#include "base/mask.h"
#include "base/status.h"

#include <string.h>

#define MASK "***"

/* Length of the longest secret that stands at text, or 0. */
static size_t
secret_at(const FloeMaskItem *items, int count, const char *text, size_t left)
{
	size_t longest = 0;

	for (int i = 0; i < count; i++)
	{
		if (items[i].text[0] == text[0] && items[i].len > longest && items[i].len <= left &&
			memcmp(text, items[i].text, items[i].len) == 0)
			longest = items[i].len;
	}
	return longest;
}

/* Is all of the text the beginning of a secret? */
static bool
is_beginning(const FloeMaskItem *items, int count, const char *text, size_t len)
{
	for (int i = 0; i < count; i++)
	{
		if (len < items[i].len && memcmp(text, items[i].text, len) == 0)
			return true;
	}
	return false;
}

bool
floe_mask_found(const FloeMaskItem *items, int count, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (secret_at(items, count, text + i, len - i) > 0)
			return true;
	}
	return false;
}

bool
floe_mask_append(const FloeMaskItem *items, int count, FloeBuf *buf, const char *text, size_t len, bool was_cut)
{
	size_t shown = 0; /* up to here the text is in the buffer */

	for (size_t i = 0; i < len;)
	{
		size_t secret = secret_at(items, count, text + i, len - i);

		if (secret == 0 && was_cut && is_beginning(items, count, text + i, len - i))
			len = i;
		else if (secret == 0)
			i++;
		else
		{
			if (!floe_buf_append(buf, text + shown, i - shown) || !floe_buf_text(buf, MASK))
				return false;
			i += secret;
			shown = i;
		}
	}
	return floe_buf_append(buf, text + shown, len - shown);
}

void
floe_mask_text(const FloeMaskItem *items, int count, char *text, size_t size)
{
	size_t len = strlen(text);
	/* a character of up to four bytes may have been left out together with what did not fit */
	bool was_cut = len + 4 >= size;
	FloeBuf masked;

	if (count == 0)
		return;
	floe_buf_init(&masked, len * sizeof(MASK) + 1);
	if (floe_mask_append(items, count, &masked, text, len, was_cut))
		floe_copy_text(text, size, masked.data != NULL ? masked.data : "", masked.len);
	else
		text[0] = '\0';
	floe_buf_free(&masked);
}
