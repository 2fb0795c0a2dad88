/*
 * answer.c: what the answer of a catalog that speaks HTTP means.
 *
 * The catalog's own words go into the detail: of Iceberg's error envelope
 * {"error": {"message", "type", "code"}}, of OAuth2's {"error",
 * "error_description"}, or the first line of whatever a proxy sent.  Stack
 * traces are dropped.
 */
#include "floe.h"

#include "catalog/session.h"

#include "base/json.h"
#include "net/http_policy.h"

/* So much of a page is read, and so much of its text is shown. */
#define PLAIN_READ ((size_t) 16 * 1024)
#define PLAIN_MAX ((size_t) 200)

/* The beginning of a body that is not JSON, without tags.  Secrets go first: they may hold what looks like a tag. */
static void
plain_text(const FloeSession *session, const FloeBuf *body, char *out, size_t size)
{
	size_t len = Min(body->len, PLAIN_READ);
	char *text = palloc(len + 1);
	size_t n = 0;
	bool tag = false;

	for (size_t i = 0; i < len; i++)
		text[i] = body->data[i] != '\0' ? body->data[i] : ' ';
	text[len] = '\0';
	/* the size tells whether the text was cut, perhaps in the middle of a secret */
	floe_session_redact(session, text, len < body->len ? len + 1 : PLAIN_READ + 8);
	for (const char *p = text; *p != '\0' && n < Min(size - 1, PLAIN_MAX); p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c == '<')
			tag = true;
		else if (c == '>')
		{
			tag = false;
			c = ' ';
		}
		if (tag)
			continue;
		if (c < 0x20)
			c = ' ';
		if (c == ' ' && (n == 0 || out[n - 1] == ' '))
			continue;
		out[n++] = (char) c;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	/* cut again where a UTF-8 sequence may have been torn */
	floe_copy_text(out, n + 1, out, n);
	pfree(text);
}

/* The exception's name decides where the status code does not: Nessie says 500 for a missing right. */
static FloeCode
code_of_type(const char *type, FloeCode code)
{
	if (type == NULL)
		return code;
	if (strcmp(type, "AccessCheckException") == 0)
		return FLOE_ERR_FORBIDDEN;
	if (strcmp(type, "NotAuthorizedException") == 0 && code != FLOE_ERR_AUTH)
		return FLOE_ERR_AUTH;
	return code;
}

static void
read_envelope(FloeJson root, char *detail, size_t size, FloeCode *code)
{
	FloeJson error = floe_json_field(root, "error");
	const char *message;
	const char *type;
	char *trace;

	if (floe_json_kind(error) == FLOE_JSON_OBJECT)
	{
		message = floe_json_string(floe_json_field(error, "message"));
		type = floe_json_string(floe_json_field(error, "type"));
		*code = code_of_type(type, *code);
	}
	else
	{
		type = floe_json_string(error);
		message = floe_json_string(floe_json_field(root, "error_description"));
		if (message == NULL)
			message = floe_json_string(floe_json_field(root, "message"));
		if (message == NULL)
			message = floe_json_string(floe_json_field(root, "detail"));
	}
	if (type != NULL && type[0] != '\0' && message != NULL)
		snprintf(detail, size, "%s: %s", type, message);
	else
		snprintf(detail, size, "%s", message != NULL ? message : type != NULL ? type : "");
	trace = strstr(detail, "\n\tat ");
	if (trace != NULL)
		*trace = '\0';
	/* other lines are part of the message */
	for (char *p = detail; *p != '\0'; p++)
	{
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	}
}

/* Services that verify signatures say 403 to a wrong key, too. */
static bool
speaks_of_keys(const char *detail)
{
	static const char *const words[] = {"ignature", "ccess key", "AccessKey", "ecurity token"};

	for (size_t i = 0; i < lengthof(words); i++)
	{
		if (strstr(detail, words[i]) != NULL)
			return true;
	}
	return false;
}

bool
floe_session_status(const FloeSession *session, const char *what, const FloeHttpResponse *response, FloeStatus *st)
{
	FloeCode code = floe_http_code(response->http_status, response->status.retry_after_ms);
	char detail[FLOE_STATUS_DETAIL_SIZE * 2] = "";
	FloeJsonDoc *doc;
	FloeStatus ignored;

	*st = response->status;
	if (st->code != FLOE_OK)
		return floe_status_prefix(st, "%s", what);
	if (code == FLOE_OK)
		return true;
	doc = floe_json_parse(response->body.data, response->body.len, "error", FLOE_STATUS_DETAIL_SIZE * 64, &ignored);
	if (doc != NULL)
	{
		read_envelope(floe_json_root(doc), detail, sizeof(detail), &code);
		floe_session_redact(session, detail, sizeof(detail));
	}
	else
		plain_text(session, &response->body, detail, sizeof(detail));
	floe_json_free(doc);
	if (code == FLOE_ERR_FORBIDDEN && session->auth == FLOE_AUTH_SIGV4 && speaks_of_keys(detail))
		code = FLOE_ERR_AUTH;
	floe_fail_detail(st, code, detail, "%s: the catalog answered %d", what, response->http_status);
	st->http_status = response->http_status;
	st->retry_after_ms = response->status.retry_after_ms;
	return false;
}

/* Iceberg's error envelope, which nobody but a catalog sends. */
static bool
is_envelope(const FloeBuf *body)
{
	FloeStatus ignored;
	FloeJsonDoc *doc = floe_json_parse(body->data, body->len, "error", FLOE_STATUS_DETAIL_SIZE * 64, &ignored);
	bool found = doc != NULL && floe_json_kind(floe_json_field(floe_json_root(doc), "error")) == FLOE_JSON_OBJECT;

	floe_json_free(doc);
	return found;
}

bool
floe_session_says_missing(const FloeStatus *st, const FloeHttpResponse *response)
{
	return st->code == FLOE_ERR_NOT_FOUND && response != NULL && is_envelope(&response->body);
}

bool
floe_session_says_forbidden(const FloeStatus *st, const FloeHttpResponse *response)
{
	return st->code == FLOE_ERR_FORBIDDEN && response != NULL && is_envelope(&response->body);
}
