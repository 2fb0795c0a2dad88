/*
 * object.c: what the schemes over HTTP have in common: sending the request of a job, and what an answer means.
 *
 * A scheme knows the URL, the headers and how its store refuses; that a
 * refusal has a reason in XML, in JSON or in a header, that secrets are taken
 * out of it, and that credentials may have run out is the same for all.
 */
#include "floe.h"

#include "store/job.h"

#include "base/json.h"
#include "base/utf8.h"
#include "net/http_policy.h"

#include "utils/memutils.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES (256 * 1024)
#define REFUSAL_MAX_BYTES ((size_t) 64 * 1024)

void
floe_store_element(const FloeBuf *body, const char *name, char *out, size_t size)
{
	char open[32];
	const char *start;
	const char *end;

	out[0] = '\0';
	snprintf(open, sizeof(open), "<%s>", name);
	start = body->data != NULL ? strstr(body->data, open) : NULL;
	end = start != NULL ? strchr(start + strlen(open), '<') : NULL;
	if (end != NULL)
		floe_copy_text(out, size, start + strlen(open), (size_t) (end - start) - strlen(open));
}

/* {"error": {"code", "message"}}, as Google and Azure's Data Lake have it; the code may be a number. */
static void
read_json(const FloeBuf *body, char *reason, size_t reason_size, char *message, size_t message_size)
{
	FloeStatus ignored;
	FloeJsonDoc *doc = floe_json_parse(body->data, body->len, "refusal", REFUSAL_MAX_BYTES, &ignored);
	FloeJson error;
	const char *text;

	if (doc == NULL)
		return;
	error = floe_json_field(floe_json_root(doc), "error");
	text = floe_json_string(floe_json_field(error, "code"));
	if (text != NULL)
		floe_copy_text(reason, reason_size, text, strlen(text));
	text = floe_json_string(floe_json_field(error, "message"));
	if (text != NULL)
		floe_copy_text(message, message_size, text, strlen(text));
	floe_json_free(doc);
}

static void
explain(const FloeStoreJob *job, const FloeHttpResponse *response, FloeStoreRefusal *refusal)
{
	char message[FLOE_STATUS_DETAIL_SIZE - FLOE_STORE_REASON_MAX - 2] = "";
	const FloeBuf *body = &response->body;

	floe_store_element(body, "Code", refusal->reason, sizeof(refusal->reason));
	floe_store_element(body, "Message", message, sizeof(message));
	if (body->len > 0 && body->data[0] == '{')
		read_json(body, refusal->reason, sizeof(refusal->reason), message, sizeof(message));
	/* an answer to HEAD has no body */
	if (refusal->reason[0] == '\0')
		floe_http_header(response, "x-ms-error-code", refusal->reason, sizeof(refusal->reason));
	if (refusal->reason[0] == '\0' && message[0] == '\0' && body->len > 0 && body->data[0] != '<' &&
		body->data[0] != '{')
		floe_copy_text(message, sizeof(message), body->data, strcspn(body->data, "\r\n"));
	/* Azure goes on with lines for its support */
	message[strcspn(message, "\r\n")] = '\0';
	floe_utf8_repair(refusal->reason);
	floe_utf8_repair(message);
	snprintf(refusal->detail, sizeof(refusal->detail), "%s%s%s", refusal->reason,
			 refusal->reason[0] != '\0' && message[0] != '\0' ? ": " : "", message);
	floe_redact(&job->secrets, refusal->detail, sizeof(refusal->detail));
}

static void
refuse(FloeStoreJob *job, const FloeHttpResponse *response, FloeCode code)
{
	FloeStoreRefusal refusal = {code != FLOE_OK ? code : FLOE_ERR_PROTOCOL, response->http_status};

	explain(job, response, &refusal);
	if (job->scheme->refused != NULL && job->scheme->refused(job, response, &refusal))
		return;
	if (floe_store_renew_late(job, &refusal))
		return;
	floe_fail_detail(&job->st, refusal.code, refusal.detail, "read \"%s\": the store answered %d", job->shown,
					 response->http_status);
	job->st.http_status = response->http_status;
	job->st.retry_after_ms = response->status.retry_after_ms;
	floe_store_finish(job);
}

static int64_t
content_length(const FloeHttpResponse *response)
{
	char length[32];

	if (!floe_http_header(response, "Content-Length", length, sizeof(length)) || length[0] == '\0' ||
		strlen(length) > 18 || strspn(length, "0123456789") != strlen(length))
		return -1;
	return strtoll(length, NULL, 10);
}

static void
on_answer(void *arg, FloeHttpResponse *response)
{
	FloeStoreJob *job = arg;
	FloeCode code = floe_http_code(response->http_status, response->status.retry_after_ms);

	if (response->status.code != FLOE_OK)
	{
		job->st = response->status;
		floe_status_prefix(&job->st, "read \"%s\"", job->shown);
	}
	else if (code != FLOE_OK || response->http_status == 304)
	{
		refuse(job, response, code);
		return;
	}
	else if (job->read.size_only)
		job->size = job->scheme->read_size != NULL ? job->scheme->read_size(response) : content_length(response);
	else
	{
		job->data = response->body;
		floe_buf_init(&response->body, 0);
		job->size = job->read.sink != NULL ? content_length(response) : (int64_t) job->data.len;
	}
	floe_store_finish(job);
}

bool
floe_store_object_get(FloeStoreJob *job, FloeHttpRequest *request)
{
	bool by_head = job->read.size_only && job->scheme->read_size == NULL;

	/* before the request is made of them it must be known that they will do */
	if (floe_store_renew_early(job))
		return true;
	request->method = by_head ? "HEAD" : "GET";
	request->max_body = job->read.size_only ? REFUSAL_MAX_BYTES : job->read.max_bytes;
	request->ca_file = floe_conn_option(job->store->conn, "ca_file");
	request->sink = job->read.size_only ? NULL : job->read.sink;
	request->sink_arg = job->read.sink_arg;
	return floe_http_submit(job->store->http, request, on_answer, job, NULL, &job->st) ||
		   floe_status_prefix(&job->st, "read \"%s\"", job->shown);
}

void
floe_store_object_start(FloeStoreJob *job)
{
	MemoryContext old = MemoryContextSwitchTo(job->context);
	bool ok;

	if (job->arena == NULL)
	{
		/* released with the job */
		job->arena = floe_arena_new(ARENA_BYTES);
		floe_redaction_add_conn(&job->secrets, job->store->conn);
	}
	else
		floe_arena_reset(job->arena);
	job->vended = false;
	job->vended_end_ms = -1;
	ok = job->arena != NULL ? job->scheme->start(job) : floe_fail(&job->st, FLOE_ERR_NOMEM, "out of memory");
	MemoryContextSwitchTo(old);
	if (ok)
		return;
	/* the store's own words are in the detail already */
	floe_redact(&job->secrets, job->st.message, sizeof(job->st.message));
	floe_store_finish(job);
}
