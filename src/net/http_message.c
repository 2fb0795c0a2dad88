/*
 * http_message.c: the helpers of http.h that work on values: headers of a request and of an answer.
 *
 * Separate from the engine so that adapters and their unit tests can use them
 * without libcurl and without a server.
 */
#include "floe.h"

#include "common/base64.h"
#include "net/http.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 9110, 5.6.2: the characters of a header name. */
static bool
is_token(const char *text)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *text != '\0' && text[strspn(text, allowed)] == '\0';
}

bool
floe_http_add_header(FloeHttpRequest *request, const char *name, const char *value, FloeStatus *st)
{
	if (name == NULL || !is_token(name))
		return floe_fail(st, FLOE_ERR_CONFIG, "malformed name of an HTTP header");
	if (value == NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "HTTP header \"%s\" has no value", name);
	/* A line break would let a value add headers or a second request. */
	for (const char *p = value; *p != '\0'; p++)
	{
		if (((unsigned char) *p < ' ' && *p != '\t') || *p == 0x7F)
			return floe_fail(st, FLOE_ERR_CONFIG, "HTTP header \"%s\" holds a control character", name);
	}
	if (request->nheaders < 0 || request->nheaders >= FLOE_HTTP_MAX_HEADERS)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "more than %d HTTP headers", FLOE_HTTP_MAX_HEADERS);
	request->headers[request->nheaders].name = name;
	request->headers[request->nheaders].value = value;
	request->nheaders++;
	return true;
}

char *
floe_http_basic(FloeArena *arena, const char *user, const char *password)
{
	static const char scheme[] = "Basic ";
	size_t len = strlen(user) + 1 + strlen(password);
	int size = pg_b64_enc_len((int) len);
	char *pair = floe_arena_alloc(arena, len + 1);
	char *value = floe_arena_alloc(arena, sizeof(scheme) + (size_t) size);
	int encoded;

	if (pair == NULL || value == NULL)
		return NULL;
	snprintf(pair, len + 1, "%s:%s", user, password);
	strcpy(value, scheme);
	/* (void *): the parameter's type differs between versions of PostgreSQL */
	encoded = pg_b64_encode((void *) pair, (int) len, value + strlen(scheme), size);
	if (encoded < 0)
		return NULL;
	value[strlen(scheme) + (size_t) encoded] = '\0';
	return value;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
floe_http_header(const FloeHttpResponse *response, const char *name, char *value, size_t size)
{
	const char *line = response->header_block.data;
	const char *block_end = line ? line + response->header_block.len : NULL;
	size_t name_len = strlen(name);
	bool found = false;

	while (line != NULL && line < block_end)
	{
		const char *end = memchr(line, '\n', (size_t) (block_end - line));
		const char *next = end ? end + 1 : block_end;
		const char *from = line + name_len + 1;
		const char *to = next;

		if ((size_t) (next - line) > name_len && line[name_len] == ':' && pg_strncasecmp(line, name, name_len) == 0)
		{
			while (from < to && is_space(*from))
				from++;
			while (to > from && is_space(to[-1]))
				to--;
			floe_copy_text(value, size, from, (size_t) (to - from));
			found = true;
		}
		line = next;
	}
	return found;
}

void
floe_http_response_free(FloeHttpResponse *response)
{
	floe_buf_free(&response->body);
	floe_buf_free(&response->header_block);
	if (response->has_socket)
		close(response->socket);
	response->has_socket = false;
}
