/*
 * buf.c: a growing byte buffer with a cap, over malloc.
 */
#include "floe.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

void
floe_buf_init(FloeBuf *buf, size_t cap)
{
	memset(buf, 0, sizeof(*buf));
	buf->cap = cap;
}

void
floe_buf_free(FloeBuf *buf)
{
	size_t cap = buf->cap;

	free(buf->data);
	floe_buf_init(buf, cap);
}

void
floe_buf_reset(FloeBuf *buf)
{
	buf->len = 0;
	buf->over_cap = false;
	buf->failed = false;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

char *
floe_buf_reserve(FloeBuf *buf, size_t len)
{
	size_t need;

	if (buf->failed)
		return NULL;
	if (len > buf->cap - buf->len)
	{
		buf->over_cap = true;
		buf->failed = true;
		return NULL;
	}
	need = buf->len + len + 1;
	if (need > buf->size)
	{
		size_t size = Max(buf->size * 2, FIRST_SIZE);
		char *data;

		if (size > buf->cap + 1)
			size = buf->cap + 1;
		if (size < need)
			size = need;
		data = realloc(buf->data, size);
		if (data == NULL)
		{
			buf->failed = true;
			return NULL;
		}
		buf->data = data;
		buf->size = size;
	}
	return buf->data + buf->len;
}

bool
floe_buf_append(FloeBuf *buf, const void *data, size_t len)
{
	char *to = floe_buf_reserve(buf, len);

	if (to == NULL)
		return false;
	if (len > 0)
		memcpy(to, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return true;
}

bool
floe_buf_text(FloeBuf *buf, const char *text)
{
	return floe_buf_append(buf, text, strlen(text));
}

bool
floe_buf_char(FloeBuf *buf, char c)
{
	return floe_buf_append(buf, &c, 1);
}

bool
floe_buf_printf(FloeBuf *buf, const char *fmt, ...)
{
	va_list args;
	int len;
	char *to;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
	{
		buf->failed = true;
		return false;
	}
	to = floe_buf_reserve(buf, (size_t) len);
	if (to == NULL)
		return false;
	va_start(args, fmt);
	vsnprintf(to, (size_t) len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t) len;
	return true;
}
