/*
 * http_easy.c: one request on one libcurl handle.
 *
 * Every option and every callback of a transfer is set here and nowhere else,
 * so that what floe promises about TLS, proxies, redirects, cookies and caps
 * can be checked on one page.  The callbacks run inside libcurl: they record
 * and return, they never throw and never call the server.
 */
#include "floe.h"

#include "net/http_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BUFFER_SIZE 65536L
#define MIN_SPARE_BODY ((size_t) 64 * 1024)
#define MAX_RESERVED_BODY ((curl_off_t) 16 * 1024 * 1024)

/* ---- callbacks ---- */

static bool
is_success(FloeHttpTransfer *transfer)
{
	long http_status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http_status);
	return http_status >= 200 && http_status <= 299;
}

/* One header line, also those of interim answers (1xx) and of trailers. */
static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	FloeHttpTransfer *transfer = arg;
	FloeHttp *http = transfer->http;
	FloeBuf *block = &transfer->response.header_block;
	size_t len = size * count;

	if (transfer->step != FLOE_HTTP_READING)
	{
		transfer->step = FLOE_HTTP_READING;
		/* Not before: an engine may think about its answer for longer than a body may stand still. */
		curl_easy_setopt(transfer->easy, CURLOPT_LOW_SPEED_LIMIT, (long) http->options.low_speed_bytes);
		curl_easy_setopt(transfer->easy, CURLOPT_LOW_SPEED_TIME, (long) http->options.low_speed_s);
	}
	transfer->header_bytes += len;
	if (transfer->header_bytes > http->options.max_header_bytes)
	{
		floe_fail(&transfer->response.status, FLOE_ERR_TOO_LARGE, "the header of the answer of %s exceeds %zu bytes",
				  transfer->who, http->options.max_header_bytes);
		return 0;
	}
	if (transfer->body_bytes > 0 && !transfer->request.http2)
		return len; /* a trailer must not replace what the header said */
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		floe_buf_reset(block);
	if (!floe_buf_append(block, data, len))
	{
		floe_fail(&transfer->response.status, FLOE_ERR_NOMEM, "out of memory for the header of an answer");
		return 0;
	}
	return len;
}

/*
 * Bodies of answers are large, and there is one after the other: memory that
 * has just been given back to the system has to be mapped and cleared again,
 * which took more time than libcurl.  So some of it is kept.
 */
void
floe_http_keep_body(FloeHttp *http, FloeBuf *body)
{
	if (body->size < MIN_SPARE_BODY || http->nspare_bodies == MAX_SPARE_BODIES ||
		http->spare_bytes + body->size > MAX_SPARE_BYTES)
		floe_buf_free(body);
	else
	{
		http->spare_bodies[http->nspare_bodies++] = *body;
		http->spare_bytes += body->size;
		floe_buf_init(body, 0);
	}
}

void
floe_http_free_spare_bodies(FloeHttp *http)
{
	while (http->nspare_bodies > 0)
		floe_buf_free(&http->spare_bodies[--http->nspare_bodies]);
	http->spare_bytes = 0;
}

/*
 * Room for the whole body at once, if its length was announced: growing step
 * by step would copy it twice.  Memory that is reserved and never written to
 * costs nothing, so a false announcement gains nothing.
 */
static void
reserve_body(FloeHttpTransfer *transfer)
{
	FloeHttp *http = transfer->http;
	FloeBuf *body = &transfer->response.body;
	curl_off_t announced = -1;

	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	if (announced < (curl_off_t) MIN_SPARE_BODY || announced > MAX_RESERVED_BODY ||
		announced > (curl_off_t) transfer->request.max_body)
		return;
	for (int i = http->nspare_bodies; i-- > 0 && body->data == NULL;)
	{
		FloeBuf *spare = &http->spare_bodies[i];

		if (spare->size <= (size_t) announced)
			continue;
		body->data = spare->data;
		body->size = spare->size;
		http->spare_bytes -= spare->size;
		*spare = http->spare_bodies[--http->nspare_bodies];
	}
	floe_buf_reserve(body, (size_t) announced);
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	FloeHttpTransfer *transfer = arg;
	FloeHttpResponse *response = &transfer->response;
	size_t len = size * count;
	size_t room;

	if (!is_success(transfer))
	{
		room = ERROR_BODY_MAX - response->body.len;
		transfer->body_bytes += len;
		if (!floe_buf_append(&response->body, data, Min(len, room)))
			floe_fail(&response->status, FLOE_ERR_NOMEM, "out of memory for the body of an error");
		else if (len <= room)
			return len;
		else
			transfer->body_cut = true;
		return 0;
	}
	room = transfer->request.max_body - transfer->body_bytes;
	if (len > room)
	{
		floe_fail(&response->status, FLOE_ERR_TOO_LARGE, "the answer of %s exceeds %zu bytes", transfer->who,
				  transfer->request.max_body);
		return 0;
	}
	transfer->body_bytes += len;
	if (transfer->request.sink != NULL)
	{
		if (transfer->request.sink(transfer->request.sink_arg, data, len))
			return len;
		floe_fail(&response->status, FLOE_ERR_CANCELLED, "the reader of the answer of %s stopped", transfer->who);
		return 0;
	}
	if (response->body.len == 0)
		reserve_body(transfer);
	if (!floe_buf_append(&response->body, data, len))
	{
		floe_fail(&response->status, FLOE_ERR_NOMEM, "out of memory for an answer of %zu bytes", transfer->body_bytes);
		return 0;
	}
	return len;
}

/* The name has been resolved and libcurl wants to connect to this address. */
static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	FloeHttpTransfer *transfer = arg;
	FloeHttp *http = transfer->http;
	int fd;

	transfer->step = FLOE_HTTP_CONNECTING;
	floe_http_origin_resolved(transfer->origin);
	if (!floe_allowlist_check_address(http->allowed, &address->addr, &transfer->url, &transfer->response.status))
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype, address->protocol);
	if (fd < 0)
	{
		/* a machine without IPv6 is no news: libcurl goes on to the next address */
		if (errno == EMFILE || errno == ENFILE)
			floe_fail(&transfer->response.status, FLOE_ERR_NOMEM, "no file descriptor left for a connection to %s",
					  transfer->who);
		return CURL_SOCKET_BAD;
	}
	(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	http->open_sockets++;
	return fd;
}

/* The engine is the argument, because a connection may outlive the transfer that opened it. */
static int
on_close_socket(void *arg, curl_socket_t fd)
{
	FloeHttp *http = arg;

	http->open_sockets--;
	return close(fd);
}

/* TCP is connected. */
static CURLcode
on_handshake(CURL *easy, void *tls, void *arg)
{
	FloeHttpTransfer *transfer = arg;

	transfer->step = FLOE_HTTP_HANDSHAKING;
	return CURLE_OK;
}

/* Connected, or a connection was found for reuse: the request is about to be sent. */
static int
on_connected(void *arg, char *primary_ip, char *local_ip, int primary_port, int local_port)
{
	FloeHttpTransfer *transfer = arg;

	transfer->step = FLOE_HTTP_SENDING;
	floe_http_origin_resolved(transfer->origin);
	/* one of several addresses may have been refused before another one was taken */
	floe_status_ok(&transfer->response.status);
	return CURL_PREREQFUNC_OK;
}

/* ---- handles ---- */

CURL *
floe_http_easy_take(FloeHttp *http)
{
	if (http->nidle_easy > 0)
		return http->idle_easy[--http->nidle_easy];
	return curl_easy_init();
}

/*
 * Resetting keeps what is dear to build: buffers and TLS sessions.  Only after
 * a success: a failed transfer leaves more behind than curl_easy_reset()
 * clears (a buffer when a name did not resolve, a rewind error: curl#18206).
 */
void
floe_http_easy_give_back(FloeHttp *http, CURL *easy, bool clean)
{
	if (clean && http->nidle_easy < MAX_IDLE_EASY)
	{
		curl_easy_reset(easy);
		http->idle_easy[http->nidle_easy++] = easy;
	}
	else
		curl_easy_cleanup(easy);
}

/* ---- options ---- */

/* A failure of any option is out of memory: values and options are ours. */
#define SET(option, value) (failures += curl_easy_setopt(easy, (option), (value)) != CURLE_OK)

static long
http_version(const FloeHttpTransfer *transfer)
{
	if (!transfer->request.http2)
		return CURL_HTTP_VERSION_1_1;
	return transfer->url.https ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

static int
set_connection(CURL *easy, FloeHttpTransfer *transfer)
{
	const FloeHttp *http = transfer->http;
	const FloeHttpRequest *request = &transfer->request;
	int failures = 0;

	SET(CURLOPT_NOSIGNAL, 1L);   /* signals are PostgreSQL's */
	SET(CURLOPT_QUICK_EXIT, 1L); /* a cancel must not wait for a resolver thread */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_HTTP_VERSION, http_version(transfer));
	SET(CURLOPT_PROXY, http->options.proxy); /* "" also keeps the environment's proxies out */
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's own answer is not the server's */
	if (request->connect_only)
	{
		SET(CURLOPT_CONNECT_ONLY, 1L);
		SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
		SET(CURLOPT_FRESH_CONNECT, 1L);
	}
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long) request->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, (long) request->total_timeout_ms);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_SIZE);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(CURLOPT_OPENSOCKETDATA, transfer);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, transfer->http);
	SET(CURLOPT_PREREQFUNCTION, on_connected);
	SET(CURLOPT_PREREQDATA, transfer);

	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (request->ca_file != NULL)
		SET(CURLOPT_CAINFO, request->ca_file);
	/* libcurl reads a file of authorities (which takes 20 ms) once and not per connection, if there is no directory. */
	if (request->ca_file != NULL || curl_version_info(CURLVERSION_NOW)->cainfo != NULL)
		SET(CURLOPT_CAPATH, NULL);
	/* not every TLS library has it; then a handshake that hangs is reported as a connection that does */
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_handshake);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, transfer);

	/*
	 * When a connection that was kept for reuse turns out to be dead, libcurl
	 * sends the request again on a new one, whatever its method; the server
	 * may have acted on the first.  It is not kept either: who sends many would
	 * leave one connection after each.
	 */
	if (strcmp(request->method, "POST") == 0 && !request->post_is_repeatable)
	{
		SET(CURLOPT_FRESH_CONNECT, 1L);
		SET(CURLOPT_FORBID_REUSE, 1L);
	}
	return failures;
}

static int
set_request(CURL *easy, FloeHttpTransfer *transfer)
{
	const FloeHttpRequest *request = &transfer->request;
	const char *method = request->method;
	int failures = 0;

	SET(CURLOPT_URL, transfer->redirected_url ? transfer->redirected_url : request->url);
	SET(CURLOPT_PATH_AS_IS, 1L); /* a signature covers the path as it was written */
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTPHEADER, transfer->headers);
	SET(CURLOPT_USERAGENT, transfer->http->options.user_agent);
	if (request->accept_gzip)
		SET(CURLOPT_ACCEPT_ENCODING, "gzip");
	if (strcmp(method, "HEAD") == 0)
	{
		SET(CURLOPT_NOBODY, 1L);
		return failures;
	}
	if (request->body != NULL || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0)
	{
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body_len);
		SET(CURLOPT_POSTFIELDS, request->body != NULL ? (const char *) request->body : "");
	}
	SET(CURLOPT_CUSTOMREQUEST, method);
	return failures;
}

bool
floe_http_easy_configure(FloeHttpTransfer *transfer)
{
	CURL *easy = transfer->easy;
	int failures = set_connection(easy, transfer) + set_request(easy, transfer);

	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_ERRORBUFFER, transfer->error);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	return failures == 0;
}

/* ---- results ---- */

static int64_t
time_us(CURL *easy, CURLINFO info)
{
	curl_off_t value = 0;

	curl_easy_getinfo(easy, info, &value);
	return value;
}

static int
to_ms(int64_t us)
{
	return us <= 0 ? 0 : (int) ((us + 500) / 1000);
}

static void
read_timing(CURL *easy, FloeHttpTiming *timing)
{
	int64_t resolved = time_us(easy, CURLINFO_NAMELOOKUP_TIME_T);
	int64_t connected = time_us(easy, CURLINFO_CONNECT_TIME_T);
	int64_t encrypted = time_us(easy, CURLINFO_APPCONNECT_TIME_T);
	long connections = 0;

	memset(timing, 0, sizeof(*timing));
	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
	if (connections > 0)
	{
		timing->dns_ms = to_ms(resolved);
		timing->connect_ms = to_ms(connected - resolved);
		timing->tls_ms = to_ms(encrypted - connected);
	}
	timing->first_byte_ms = to_ms(time_us(easy, CURLINFO_STARTTRANSFER_TIME_T));
	timing->total_ms = to_ms(time_us(easy, CURLINFO_TOTAL_TIME_T));
}

/* libcurl closes its own descriptor of a connection that it only made when the handle goes. */
static void
keep_socket(FloeHttpTransfer *transfer)
{
	FloeHttpResponse *response = &transfer->response;
	curl_socket_t fd = CURL_SOCKET_BAD;

	curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &fd);
	response->socket = fd != CURL_SOCKET_BAD ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	response->has_socket = response->socket >= 0;
	if (!response->has_socket)
		floe_fail(&response->status, FLOE_ERR_NOMEM, "no file descriptor left for a connection to %s", transfer->who);
}

void
floe_http_easy_read_result(FloeHttpTransfer *transfer, CURLcode result)
{
	FloeHttpResponse *response = &transfer->response;
	long http_status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http_status);
	response->http_status = (int) http_status;
	read_timing(transfer->easy, &response->timing);
	if (result == CURLE_OK && transfer->request.connect_only)
		keep_socket(transfer);
	if (result != CURLE_OK && response->status.code == FLOE_OK && !transfer->body_cut)
		floe_http_describe_error(transfer, result, &response->status);
	if (response->status.code != FLOE_OK)
		response->status.http_status = response->http_status;
}

/* RFC 3986, 5.2: what a Location means, seen from the URL it was sent for. *url is malloc'ed. */
bool
floe_http_resolve_reference(const char *base, const char *reference, char **url, FloeStatus *st)
{
	CURLU *handle = curl_url();
	char *resolved = NULL;

	*url = NULL;
	if (handle != NULL && curl_url_set(handle, CURLUPART_URL, base, 0) == CURLUE_OK &&
		curl_url_set(handle, CURLUPART_URL, reference, 0) == CURLUE_OK &&
		curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
		curl_url_get(handle, CURLUPART_URL, &resolved, 0) == CURLUE_OK)
		*url = strdup(resolved);
	curl_free(resolved);
	curl_url_cleanup(handle);
	return *url != NULL || floe_fail(st, FLOE_ERR_PROTOCOL, "malformed Location in a redirect");
}
