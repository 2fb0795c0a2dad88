/*
 * http_transfer.c: the life of one request: copied, queued, started, judged, repeated or handed over.
 *
 * Separate from the engine's loop so that what happens to a request can be
 * read from top to bottom; the rules themselves are in http_policy.c.
 */
#include "floe.h"

#include "base/clock.h"
#include "net/http_engine.h"
#include "net/http_policy.h"

#include <stdlib.h>
#include <string.h>

/* ---- submit ---- */

static bool
check_request(FloeHttp *http, const FloeHttpRequest *request, FloeUrl *url, FloeStatus *st)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
	FloeHttpRequest headers = {0};
	bool known = request->method == NULL;

	for (size_t i = 0; i < lengthof(methods) && !known; i++)
		known = strcmp(request->method, methods[i]) == 0;
	if (!known)
		return floe_fail(st, FLOE_ERR_INTERNAL, "HTTP method \"%.20s\" is not one that floe sends", request->method);
	if (request->url == NULL || !floe_url_parse(request->url, url, st))
		return request->url != NULL ? false : floe_fail(st, FLOE_ERR_CONFIG, "URL is missing");
	if (!floe_allowlist_check_url(http->allowed, url, st))
		return false;
	for (int i = 0; i < request->nheaders; i++)
	{
		if (!floe_http_add_header(&headers, request->headers[i].name, request->headers[i].value, st))
			return floe_status_prefix(st, "request to %s:%d", url->host, url->port);
	}
	return true;
}

/* A piece of the one allocation that holds what the caller's pointers point to. */
static void *
put(char **at, const void *data, size_t len)
{
	char *piece = *at;

	memcpy(piece, data, len);
	*at += len;
	return piece;
}

static bool
copy_request(FloeHttpTransfer *transfer, const FloeHttpRequest *from)
{
	const FloeHttpOptions *options = &transfer->http->options;
	FloeHttpRequest *to = &transfer->request;
	const char *method = from->method ? from->method : "GET";
	size_t body_len = from->body ? from->body_len : 0;
	size_t size = strlen(method) + strlen(from->url) + 2 + (from->ca_file ? strlen(from->ca_file) + 1 : 0) + body_len;
	char *at;

	transfer->copy = at = malloc(size);
	if (at == NULL)
		return false;
	*to = *from;
	to->method = put(&at, method, strlen(method) + 1);
	to->url = put(&at, from->url, strlen(from->url) + 1);
	if (from->ca_file != NULL)
		to->ca_file = put(&at, from->ca_file, strlen(from->ca_file) + 1);
	to->body = from->body ? put(&at, from->body, body_len) : NULL;
	to->body_len = body_len;
	to->nheaders = 0; /* they are in transfer->headers */

	if (to->connect_timeout_ms <= 0)
		to->connect_timeout_ms = options->connect_timeout_ms;
	if (to->total_timeout_ms <= 0)
		to->total_timeout_ms = options->total_timeout_ms;
	if (to->max_body == 0)
		to->max_body = options->max_body;
	if (to->max_attempts <= 0)
		to->max_attempts = options->max_attempts;
	transfer->url.target = to->url + (transfer->url.target - from->url);
	return true;
}

static bool
add_header_line(struct curl_slist **list, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 3;
	char *line = malloc(size);
	struct curl_slist *longer;

	if (line == NULL)
		return false;
	/* libcurl takes "Name:" as "do not send it" and "Name;" as an empty value */
	snprintf(line, size, value[0] != '\0' ? "%s: %s" : "%s;", name, value);
	longer = curl_slist_append(*list, line);
	free(line);
	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

static bool
copy_headers(FloeHttpTransfer *transfer, const FloeHttpRequest *from)
{
	struct curl_slist *longer = curl_slist_append(NULL, "Expect:"); /* no waiting for "100 Continue" */
	bool has_type = false;

	transfer->headers = longer;
	if (longer == NULL)
		return false;
	for (int i = 0; i < from->nheaders; i++)
	{
		has_type |= pg_strcasecmp(from->headers[i].name, "Content-Type") == 0;
		if (!add_header_line(&transfer->headers, from->headers[i].name, from->headers[i].value))
			return false;
	}
	if (has_type)
		return true;
	longer = curl_slist_append(transfer->headers, "Content-Type:"); /* libcurl would call a body a web form */
	if (longer != NULL)
		transfer->headers = longer;
	return longer != NULL;
}

void
floe_http_transfer_free(FloeHttpTransfer *transfer)
{
	Assert(transfer->easy == NULL);
	curl_slist_free_all(transfer->headers);
	free(transfer->copy);
	free(transfer->redirected_url);
	floe_http_keep_body(transfer->http, &transfer->response.body);
	floe_http_response_free(&transfer->response);
	free(transfer);
}

bool
floe_http_submit(FloeHttp *http, const FloeHttpRequest *request, FloeHttpDone done, void *arg, uint64_t *id,
				 FloeStatus *st)
{
	FloeHttpTransfer *transfer = calloc(1, sizeof(FloeHttpTransfer));

	if (transfer == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for a request");
	transfer->http = http;
	transfer->done = done;
	transfer->arg = arg;
	transfer->response.attempts = 1;
	floe_status_ok(&transfer->response.status);
	if (!check_request(http, request, &transfer->url, st))
	{
		free(transfer);
		return false;
	}
	floe_url_host_port(&transfer->url, transfer->who, sizeof(transfer->who));
	if (!copy_request(transfer, request) || !copy_headers(transfer, request) || !floe_http_slot_take(http, transfer))
	{
		floe_http_transfer_free(transfer);
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for a request");
	}
	floe_buf_init(&transfer->response.body, Max(transfer->request.max_body, ERROR_BODY_MAX));
	floe_buf_init(&transfer->response.header_block, http->options.max_header_bytes);
	if (!floe_http_enqueue(transfer))
	{
		floe_http_slot_release(transfer);
		floe_http_transfer_free(transfer);
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for a request");
	}
	if (id != NULL)
		*id = transfer->id;
	return true;
}

/* ---- one attempt ---- */

static void
finish(FloeHttpTransfer *transfer)
{
	FloeCode code = transfer->response.status.code;

	if (code != FLOE_OK && !(code == FLOE_ERR_TIMEOUT && transfer->request.keep_partial))
		floe_buf_reset(&transfer->response.body); /* a part of an answer is none */
	transfer->state = TRANSFER_FINISHED;
	dlist_push_tail(&transfer->http->finished, &transfer->node);
}

/* Takes the handle away from libcurl, which closes the connection if the answer was not read whole. */
static void
detach(FloeHttpTransfer *transfer, bool clean)
{
	FloeHttp *http = transfer->http;

	if (transfer->easy != NULL)
	{
		curl_multi_remove_handle(http->multi, transfer->easy);
		floe_http_easy_give_back(http, transfer->easy, clean);
		transfer->easy = NULL;
	}
	floe_http_ended_running(transfer);
}

/* Runs between floe_http_enter_curl() and floe_http_leave_curl(), as does floe_http_ended(). */
void
floe_http_start(FloeHttpTransfer *transfer)
{
	FloeHttp *http = transfer->http;
	FloeHttpResponse *response = &transfer->response;

	transfer->step = FLOE_HTTP_RESOLVING;
	transfer->header_bytes = 0;
	transfer->body_bytes = 0;
	transfer->body_cut = false;
	transfer->hopeless = false;
	transfer->error[0] = '\0';
	floe_status_ok(&response->status);
	response->http_status = 0;
	floe_buf_reset(&response->body);
	floe_buf_reset(&response->header_block);

	if (transfer->request.sink != NULL && !transfer->request.sink(transfer->request.sink_arg, NULL, 0))
		floe_fail(&response->status, FLOE_ERR_CANCELLED, "the reader of the answer of %s stopped", transfer->who);
	else
	{
		transfer->easy = floe_http_easy_take(http);
		if (transfer->easy != NULL && floe_http_easy_configure(transfer) &&
			curl_multi_add_handle(http->multi, transfer->easy) == CURLM_OK)
			return;
		floe_fail(&response->status, FLOE_ERR_NOMEM, "out of memory for a request to %s", transfer->who);
	}
	detach(transfer, false);
	if (!transfer->doomed)
		finish(transfer);
}

static void
read_retry_after(FloeHttpTransfer *transfer)
{
	char value[64];
	char date[64];
	int64_t now_ms = -1;

	if (!floe_http_header(&transfer->response, "Retry-After", value, sizeof(value)))
		return;
	/* The server's own clock, if it says so: ours may differ. */
	if (floe_http_header(&transfer->response, "Date", date, sizeof(date)))
		now_ms = floe_http_date_ms(date);
	if (now_ms < 0)
		now_ms = floe_clock_wall_ms();
	transfer->response.status.retry_after_ms = floe_http_retry_after_ms(value, now_ms);
}

/* True when the request is on its way to another URL; else the response says what became of it. */
static bool
follow_redirect(FloeHttpTransfer *transfer)
{
	FloeHttpResponse *response = &transfer->response;
	const FloeHttpRequest *request = &transfer->request;
	const char *from = transfer->redirected_url ? transfer->redirected_url : request->url;
	char location[FLOE_URL_MAX + 2];
	char *to;
	FloeUrl url;

	if (response->status.code != FLOE_OK || request->no_redirect || !floe_http_is_redirect(response->http_status) ||
		!floe_http_header(response, "Location", location, sizeof(location)))
		return false;
	if (!floe_http_resolve_reference(from, location, &to, &response->status))
		floe_status_prefix(&response->status, "%s", transfer->who);
	else if (!floe_url_parse(to, &url, &response->status))
	{
		response->status.code = FLOE_ERR_PROTOCOL;
		floe_status_prefix(&response->status, "%s redirects to a", transfer->who);
	}
	else if (floe_http_check_redirect(request->method, &transfer->url, &url, transfer->redirects,
									  transfer->http->options.max_redirects, &response->status))
	{
		free(transfer->redirected_url);
		transfer->redirected_url = to;
		transfer->url = url;
		transfer->redirects++;
		if (floe_http_enqueue(transfer))
			return true;
		floe_fail(&response->status, FLOE_ERR_NOMEM, "out of memory for a redirect");
		to = NULL;
	}
	free(to);
	response->status.http_status = response->http_status;
	return false;
}

static bool
schedule_retry(FloeHttpTransfer *transfer)
{
	FloeHttp *http = transfer->http;
	FloeHttpResponse *response = &transfer->response;
	FloeHttpAttempt attempt = {
		.method = transfer->request.method,
		.post_is_repeatable = transfer->request.post_is_repeatable,
		.code = response->status.code,
		.http_status = response->http_status,
		.retry_after_ms = response->status.retry_after_ms,
		.number = response->attempts,
		.max = transfer->request.max_attempts,
		.hopeless = transfer->hopeless,
		.jitter_seed = http->jitter ^ transfer->id,
	};
	int64_t delay_ms = floe_http_retry_ms(&attempt);

	if (delay_ms < 0 ||
		!floe_timers_add(&http->retries, floe_clock_steady_us() + delay_ms * 1000, NULL, NULL, transfer->id))
		return false;
	response->attempts++;
	transfer->state = TRANSFER_WAITING;
	return true;
}

void
floe_http_retry_due(FloeHttp *http, uint64_t id)
{
	FloeHttpTransfer *transfer = floe_http_slot_find(http, id);

	if (transfer == NULL || transfer->state != TRANSFER_WAITING)
		return; /* aborted meanwhile */
	if (!floe_http_enqueue(transfer))
	{
		floe_fail(&transfer->response.status, FLOE_ERR_NOMEM, "out of memory for a request");
		finish(transfer);
	}
}

/* libcurl has done with the transfer. */
void
floe_http_ended(FloeHttpTransfer *transfer, CURLcode result)
{
	floe_http_easy_read_result(transfer, result);
	detach(transfer, result == CURLE_OK && !transfer->request.connect_only);
	if (transfer->doomed)
		return; /* floe_http_leave_curl() drops it */
	if (transfer->response.status.code == FLOE_OK)
		read_retry_after(transfer);
	if (!follow_redirect(transfer) && !schedule_retry(transfer))
		finish(transfer);
}

/* ---- abort ---- */

static void
forget(FloeHttpTransfer *transfer)
{
	floe_http_slot_release(transfer);
	floe_http_transfer_free(transfer);
}

/* Forgets the request in whatever state it is; if libcurl is at work, as soon as it has returned. */
void
floe_http_drop(FloeHttpTransfer *transfer)
{
	FloeHttp *http = transfer->http;

	switch (transfer->state)
	{
		case TRANSFER_QUEUED:
			floe_http_dequeue(transfer);
			break;
		case TRANSFER_RUNNING:
			if (!transfer->doomed)
				dlist_push_tail(&http->doomed, &transfer->node);
			transfer->doomed = true;
			if (!http->in_curl)
			{
				floe_http_enter_curl(http);
				floe_http_leave_curl(http);
			}
			return;
		case TRANSFER_WAITING:
			break; /* its timer will not find it */
		case TRANSFER_FINISHED:
			dlist_delete(&transfer->node);
			break;
	}
	forget(transfer);
}

void
floe_http_bury_doomed(FloeHttp *http)
{
	while (!dlist_is_empty(&http->doomed))
	{
		FloeHttpTransfer *transfer = dlist_container(FloeHttpTransfer, node, dlist_pop_head_node(&http->doomed));

		if (transfer->origin != NULL) /* else it ended by itself */
			detach(transfer, false);
		forget(transfer);
	}
}

void
floe_http_abort(FloeHttp *http, uint64_t id)
{
	FloeHttpTransfer *transfer = floe_http_slot_find(http, id);

	if (transfer != NULL)
		floe_http_drop(transfer);
}

void
floe_http_abort_all(FloeHttp *http)
{
	for (uint32_t i = 0; i < http->nslots; i++)
	{
		if (http->slots[i].transfer != NULL)
			floe_http_drop(http->slots[i].transfer);
	}
	floe_timers_free(&http->timers);
	floe_timers_free(&http->retries);
}
