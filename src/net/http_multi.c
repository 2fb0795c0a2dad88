/*
 * http_multi.c: the engine: libcurl's multi interface inside PostgreSQL's wait.
 *
 * libcurl says which sockets and which timeout it waits for (on_socket,
 * on_timer); pollset.c waits for them together with the process latch; the
 * loop in floe_http_wait() tells libcurl what happened, collects what ended,
 * and only then, outside libcurl, runs the callbacks of floe's own code.
 *
 * Signals.  libcurl resolves names in threads of its own.  A thread inherits
 * the signal mask of its creator, so all signals are blocked while libcurl
 * runs; otherwise PostgreSQL's handlers could run on a thread that PostgreSQL
 * knows nothing of.
 */
#include "floe.h"

#include "base/clock.h"
#include "compat.h"
#include "miscadmin.h"
#include "net/http_engine.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_EVENTS 64

/* ---- entering and leaving libcurl ---- */

void
floe_http_enter_curl(FloeHttp *http)
{
	sigset_t all;

	Assert(!http->in_curl);
	sigfillset(&all);
	/* raised by the code itself; blocking them would only hide where */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	sigdelset(&all, SIGTRAP);
	pthread_sigmask(SIG_SETMASK, &all, &http->signals);
	http->in_curl = true;
}

void
floe_http_leave_curl(FloeHttp *http)
{
	floe_http_bury_doomed(http);
	http->in_curl = false;
	pthread_sigmask(SIG_SETMASK, &http->signals, NULL);
}

/* ---- what libcurl waits for ---- */

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	FloeHttp *http = arg;
	int events = 0;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= FLOE_POLL_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= FLOE_POLL_WRITE;
	if (floe_pollset_set(http->pollset, fd, events))
		return 0;
	http->pollset_broken = true;
	return -1;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	FloeHttp *http = arg;

	http->curl_due_us = timeout_ms < 0 ? -1 : floe_clock_steady_us() + (int64_t) timeout_ms * 1000;
	return 0;
}

/* ---- life of the engine ---- */

void
floe_http_default_options(FloeHttpOptions *options)
{
	*options = (FloeHttpOptions){
		.connect_timeout_ms = 10000,
		.total_timeout_ms = 120000,
		.low_speed_bytes = 1024,
		.low_speed_s = 30,
		.max_body = (size_t) 64 * 1024 * 1024,
		.max_header_bytes = (size_t) 64 * 1024,
		.max_redirects = 3,
		.max_attempts = 3,
		.max_connections = 64,
		.max_connections_per_host = 16,
		.max_in_flight = 64,
		.allowed_hosts = "",
		.proxy = "",
		.user_agent = "floe/" FLOE_VERSION_STRING,
	};
}

/* Once per process, at first use and not in _PG_init(): most processes never speak HTTP. */
static void
ensure_curl(void)
{
	static bool ready = false;

	if (ready)
		return;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not initialize libcurl"));
	ready = true;
}

/* The cleanup callback: never throws, and copes with an engine that is half built. */
static void
destroy(void *arg)
{
	FloeHttp *http = arg;

	floe_http_dismiss_guests(http);
	floe_http_abort_all(http);
	if (http->delivering != NULL)
		floe_http_transfer_free(http->delivering);
	if (http->multi != NULL)
	{
		floe_http_enter_curl(http);
		while (http->nidle_easy > 0)
			curl_easy_cleanup(http->idle_easy[--http->nidle_easy]);
		curl_multi_cleanup(http->multi); /* closes the connections that were kept */
		floe_http_leave_curl(http);
	}
	floe_http_free_spare_bodies(http);
	floe_pollset_free(http->pollset);
	floe_http_release_fds(http);
	floe_http_free_origins(http);
	floe_allowlist_free(http->allowed);
	free(http->slots);
	free(http->watches);
	free((char *) http->options.allowed_hosts);
	free((char *) http->options.proxy);
	free((char *) http->options.user_agent);
	free(http);
}

static bool
set_up(FloeHttp *http, const FloeHttpOptions *options, FloeStatus *st)
{
	CURLM *multi;

	http->options = *options;
	http->options.max_connections = Max(options->max_connections, 1);
	http->options.max_connections_per_host = Max(options->max_connections_per_host, 1);
	http->options.max_in_flight = Max(options->max_in_flight, 1);
	http->options.allowed_hosts = strdup(options->allowed_hosts ? options->allowed_hosts : "");
	http->options.proxy = strdup(options->proxy ? options->proxy : "");
	http->options.user_agent = strdup(options->user_agent ? options->user_agent : "");
	http->allowed = floe_allowlist_parse(options->allowed_hosts, st);
	if (http->allowed == NULL)
		return false;
	http->pollset = floe_pollset_new(options->portable_wait);
	http->multi = multi = curl_multi_init();
	if (http->options.allowed_hosts == NULL || http->options.proxy == NULL || http->options.user_agent == NULL ||
		http->pollset == NULL || multi == NULL ||
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long) CURLPIPE_NOTHING) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) http->options.max_connections) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) http->options.max_connections) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) http->options.max_connections_per_host) !=
			CURLM_OK)
		return floe_fail(st, FLOE_ERR_NOMEM, "could not create an HTTP engine");
	return true;
}

FloeHttp *
floe_http_create(const FloeHttpOptions *options)
{
	uint32_t wait_event_http = floe_wait_event_new(FLOE_WAIT_EVENT_HTTP);
	uint32_t wait_event_idle = floe_wait_event_new(FLOE_WAIT_EVENT_IDLE);
	FloeCleanup *cleanup;
	FloeHttp *http;
	FloeStatus st;

	ensure_curl();
	cleanup = floe_cleanup_register(destroy);
	http = floe_cleanup_hold(cleanup, calloc(1, sizeof(FloeHttp)));
	if (http == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	http->cleanup = cleanup;
	http->context = CurrentMemoryContext;
	http->curl_due_us = -1;
	http->wait_event_http = wait_event_http;
	http->wait_event_idle = wait_event_idle;
	http->jitter = (uint64_t) floe_clock_wall_ms() << 20 ^ (uint64_t) getpid();
	dlist_init(&http->ready);
	dlist_init(&http->finished);
	dlist_init(&http->doomed);
	if (!set_up(http, options, &st))
	{
		const char *state = floe_code_sqlstate(st.code);

		floe_cleanup_run(cleanup);
		ereport(ERROR, errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
				errmsg("%s", st.message));
	}
	floe_http_reserve_fds(http);
	floe_pollset_open(http->pollset);
	return http;
}

void
floe_http_destroy(FloeHttp *http)
{
	if (http->dispatching)
		elog(ERROR, "floe_http_destroy() called from a callback");
	floe_cleanup_run(http->cleanup);
}

/* ---- moving bytes ---- */

/* Everything that has ended since the last time. */
static void
collect(FloeHttp *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL)
	{
		CURLcode result = message->data.result;
		void *transfer = NULL;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		floe_http_ended(transfer, result);
	}
}

static void
start_what_may_start(FloeHttp *http)
{
	FloeHttpTransfer *transfer;

	/* finding one asks fd.c, which is the server's, so libcurl is entered for each */
	while ((transfer = floe_http_next_to_start(http)) != NULL)
	{
		floe_http_enter_curl(http);
		floe_http_start(transfer);
		floe_http_leave_curl(http);
	}
}

/*
 * Tells libcurl which sockets are ready and that its timeout has passed, takes
 * what ended, and starts what may start now.
 */
static void
advance(FloeHttp *http, const FloePollEvent *events, int nevents)
{
	FloeTimer retry;
	int running;

	if (nevents > 0)
	{
		floe_http_enter_curl(http);
		for (int i = 0; i < nevents; i++)
		{
			int what = (events[i].events & FLOE_POLL_READ ? CURL_CSELECT_IN : 0) |
					   (events[i].events & FLOE_POLL_WRITE ? CURL_CSELECT_OUT : 0);

			if (floe_http_watch_event(http, &events[i]))
				continue;
			curl_multi_socket_action(http->multi, events[i].fd, what, &running);
		}
		collect(http);
		floe_http_leave_curl(http);
	}
	while (floe_timers_take(&http->retries, floe_clock_steady_us(), &retry))
		floe_http_retry_due(http, retry.key);
	start_what_may_start(http);
	if (http->curl_due_us >= 0 && http->curl_due_us <= floe_clock_steady_us())
	{
		http->curl_due_us = -1; /* libcurl sets it again when it needs to */
		floe_http_enter_curl(http);
		curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		collect(http);
		floe_http_leave_curl(http);
		start_what_may_start(http); /* what ended has made room; libcurl's timeout is due again if one did */
	}
	floe_http_reserve_fds(http);
	if (http->pollset_broken)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				errmsg("could not wait for the socket of an HTTP connection"));
}

/* ---- callbacks of floe's own code ---- */

static void
deliver_next(FloeHttp *http)
{
	FloeHttpTransfer *transfer = dlist_container(FloeHttpTransfer, node, dlist_pop_head_node(&http->finished));

	floe_http_slot_release(transfer);
	http->delivering = transfer;
	transfer->done(transfer->arg, &transfer->response);
	http->delivering = NULL;
	floe_http_transfer_free(transfer);
}

/* Runs what is due and returns whether anything was. */
static bool
dispatch(FloeHttp *http)
{
	int64_t now = floe_clock_steady_us();
	volatile bool any = false;
	FloeTimer timer;

	if (dlist_is_empty(&http->finished) && !http->any_watch_ready &&
		(http->timers.count == 0 || floe_timers_next_us(&http->timers) > now))
		return false;
	http->dispatching = true;
	PG_TRY();
	{
		while (!dlist_is_empty(&http->finished))
		{
			deliver_next(http);
			any = true;
			CHECK_FOR_INTERRUPTS();
		}
		if (floe_http_dispatch_watches(http))
			any = true;
		while (floe_timers_take(&http->timers, now, &timer))
		{
			timer.fn(timer.arg);
			any = true;
			CHECK_FOR_INTERRUPTS();
		}
	}
	PG_FINALLY();
	{
		http->dispatching = false;
		if (http->delivering != NULL)
		{
			floe_http_transfer_free(http->delivering);
			http->delivering = NULL;
		}
	}
	PG_END_TRY();
	return any;
}

/* The earlier of two moments, of which -1 is none. */
static int64_t
earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Rounded up, so that what is due then is due when the wait ends; -1 for none. */
static long
milliseconds_until(int64_t moment_us)
{
	int64_t left_us = moment_us - floe_clock_steady_us();

	if (moment_us < 0)
		return -1;
	return left_us <= 0 ? 0 : (long) Min((left_us + 999) / 1000, INT_MAX);
}

void
floe_http_wait(FloeHttp *http, int timeout_ms)
{
	int64_t deadline_us = timeout_ms < 0 ? -1 : floe_clock_steady_us() + (int64_t) timeout_ms * 1000;
	int pending = http->pending;
	bool done;

	if (http->dispatching)
		elog(ERROR, "floe_http_wait() called from a callback");
	CHECK_FOR_INTERRUPTS();
	advance(http, NULL, 0);
	/* a request that goes without a callback was aborted by a sink */
	while (!(done = dispatch(http)) && http->pending == pending)
	{
		FloePollEvent events[MAX_EVENTS];
		uint32_t wait_event = http->wait_event_http;
		int64_t due_us = earlier(earlier(deadline_us, http->curl_due_us),
								 earlier(floe_timers_next_us(&http->timers), floe_timers_next_us(&http->retries)));
		bool latch_set;
		int n;

		if (http->pending == 0)
		{
			floe_http_free_spare_bodies(http);
			wait_event = http->wait_event_idle;
		}
		n = floe_pollset_wait(http->pollset, milliseconds_until(due_us), wait_event, events, MAX_EVENTS, &latch_set);
		if (latch_set)
			ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		advance(http, events, n);
		if (latch_set || (deadline_us >= 0 && floe_clock_steady_us() >= deadline_us))
		{
			done = dispatch(http);
			break;
		}
	}
	if (done)
		advance(http, NULL, 0); /* what the callbacks submitted goes out while the caller works */
}
