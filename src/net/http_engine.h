/*
 * http_engine.h: the inside of FloeHttp, shared by the http_*.c files and nobody else.
 *
 *   http_multi.c     the engine: libcurl's multi handle, the wait, the callbacks
 *   http_transfer.c  the life of one request: copy, start, judge, retry, hand over
 *   http_queue.c     who may start: ids, origins, caps, descriptors
 *   http_watch.c     sockets of others
 *   http_easy.c      one libcurl handle: options, callbacks, what came of it
 *   http_error.c     libcurl's result as a FloeStatus
 *
 * Everything here is malloc'ed.  Code that libcurl calls back (http_easy.c and
 * the two callbacks in http_multi.c) runs with signals blocked and must
 * neither throw nor call the server; it records and returns.
 */
#ifndef FLOE_NET_HTTP_ENGINE_H
#define FLOE_NET_HTTP_ENGINE_H

#include <curl/curl.h>
#include <signal.h>

#include "base/cleanup.h"
#include "base/url.h"
#include "lib/ilist.h"
#include "net/allowlist.h"
#include "net/http.h"
#include "net/pollset.h"
#include "net/timers.h"
#include "utils/palloc.h"

/* CURLOPT_QUICK_EXIT; older ones also lack CURLOPT_PROTOCOLS_STR and CURLOPT_PREREQFUNCTION */
#if LIBCURL_VERSION_NUM < 0x075700
#error "floe needs libcurl 7.87 or newer"
#endif

#define ORIGIN_BUCKETS 64
#define MAX_IDLE_EASY 64
#define MAX_SPARE_BODIES 32
#define MAX_SPARE_BYTES ((size_t) 32 * 1024 * 1024)
#define ERROR_BODY_MAX ((size_t) 64 * 1024)

/* How far an attempt came, in this order; what a timeout or a lost connection means depends on it. */
typedef enum FloeHttpStep
{
	FLOE_HTTP_RESOLVING,
	FLOE_HTTP_CONNECTING,
	FLOE_HTTP_HANDSHAKING, /* TLS */
	FLOE_HTTP_SENDING,     /* and waiting for the first byte of the answer */
	FLOE_HTTP_READING
} FloeHttpStep;

/* Requests to one host and port. */
typedef struct FloeHttpOrigin
{
	FloeHttp *http;
	struct FloeHttpOrigin *next; /* in its bucket */
	dlist_head queue;            /* of FloeHttpTransfer.node */
	dlist_node ready_node;
	bool is_ready; /* in http->ready: has queued requests and may start one */
	int queued;
	int running;

	/*
	 * libcurl starts one resolver thread per transfer.  While nothing is known
	 * about a host only one transfer may ask; the others then find the answer
	 * in libcurl's cache.
	 */
	bool resolved;
	char host_port[FLOE_ORIGIN_SIZE];
} FloeHttpOrigin;

typedef enum FloeTransferState
{
	TRANSFER_QUEUED,  /* in origin->queue */
	TRANSFER_RUNNING, /* has an easy handle, which is in the multi handle */
	TRANSFER_WAITING, /* for its retry timer */
	TRANSFER_FINISHED /* in http->finished: done is due */
} FloeTransferState;

typedef struct FloeHttpTransfer
{
	FloeHttp *http;
	uint64_t id;
	FloeTransferState state;
	dlist_node node;
	FloeHttpOrigin *origin;
	bool doomed; /* aborted inside a libcurl callback: in http->doomed until libcurl has returned */

	/* The request. Its strings and body are pieces of one allocation; the URL changes with a redirect. */
	FloeHttpRequest request;
	char *copy;
	char *redirected_url;       /* owned; NULL: request.url counts */
	FloeUrl url;                /* of the URL that counts */
	char who[FLOE_ORIGIN_SIZE]; /* its host and port, for messages; a redirect does not change them */
	struct curl_slist *headers;
	FloeHttpDone done;
	void *arg;

	/* The attempt. */
	CURL *easy;
	FloeHttpStep step;
	int redirects;
	size_t header_bytes;         /* of all header lines, also of interim answers */
	size_t body_bytes;           /* after decoding */
	bool body_cut;               /* the body of an error was longer than ERROR_BODY_MAX */
	bool hopeless;               /* repeating cannot help */
	char error[CURL_ERROR_SIZE]; /* libcurl's own words */

	/* While libcurl has the transfer, a status that is not FLOE_OK is why a callback stopped it. */
	FloeHttpResponse response;
} FloeHttpTransfer;

typedef struct FloeHttpSlot
{
	FloeHttpTransfer *transfer; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
} FloeHttpSlot;

/* A socket that is not libcurl's. */
typedef struct FloeWatch
{
	int fd;
	int events; /* 0: ended */
	int ready;  /* what it is ready for and its owner was not told yet */
	FloeWatchReady fn;
	void *arg;
} FloeWatch;

struct FloeHttp
{
	FloeCleanup *cleanup;
	FloeHttpOptions options; /* its strings are copies */
	FloeAllowList *allowed;
	CURLM *multi;
	FloePollset *pollset;
	bool pollset_broken; /* a socket could not be registered: libcurl's multi handle is dead */
	bool in_curl;
	sigset_t signals; /* to be restored when libcurl returns */
	bool dispatching; /* done callbacks are running */
	int64_t curl_due_us;
	uint32_t wait_event_http;
	uint32_t wait_event_idle;

	FloeTimers timers;  /* floe_http_after() */
	FloeTimers retries; /* key is the id of the request */

	FloeHttpSlot *slots;
	uint32_t nslots;
	uint32_t free_slot; /* index + 1; 0: none */
	int pending;        /* submitted and not handed over */
	int running;

	FloeHttpOrigin *origins[ORIGIN_BUCKETS];
	dlist_head ready; /* of FloeHttpOrigin.ready_node */
	dlist_head finished;
	dlist_head doomed;
	FloeHttpTransfer *delivering;

	MemoryContext context; /* in which it was created, and with which it ends */
	FloeHttpGuest *guests;
	FloeWatch *watches;
	int nwatches;
	int watches_size;
	bool any_watch_ready;

	CURL *idle_easy[MAX_IDLE_EASY];
	int nidle_easy;
	FloeBuf spare_bodies[MAX_SPARE_BODIES];
	int nspare_bodies;
	size_t spare_bytes;
	int open_sockets; /* libcurl's, in use or kept for reuse */
	int reserved_fds; /* reported to fd.c */
	uint64_t jitter;  /* seed of backoff, differs between processes */
};

/* http_queue.c */
extern bool floe_http_slot_take(FloeHttp *http, FloeHttpTransfer *transfer);
extern void floe_http_slot_release(FloeHttpTransfer *transfer);
extern FloeHttpTransfer *floe_http_slot_find(FloeHttp *http, uint64_t id);
extern bool floe_http_enqueue(FloeHttpTransfer *transfer); /* false: out of memory */
extern void floe_http_dequeue(FloeHttpTransfer *transfer); /* takes it out of its origin's queue */
extern FloeHttpTransfer *floe_http_next_to_start(FloeHttp *http);
extern void floe_http_origin_resolved(FloeHttpOrigin *origin);
extern void floe_http_ended_running(FloeHttpTransfer *transfer);
extern void floe_http_reserve_fds(FloeHttp *http);
extern void floe_http_release_fds(FloeHttp *http);
extern void floe_http_free_origins(FloeHttp *http);

/* http_transfer.c */
extern void floe_http_start(FloeHttpTransfer *transfer);
extern void floe_http_ended(FloeHttpTransfer *transfer, CURLcode result);
extern void floe_http_retry_due(FloeHttp *http, uint64_t id);
extern void floe_http_drop(FloeHttpTransfer *transfer);
extern void floe_http_bury_doomed(FloeHttp *http);
extern void floe_http_transfer_free(FloeHttpTransfer *transfer);

/* http_easy.c */
extern CURL *floe_http_easy_take(FloeHttp *http);
extern void floe_http_easy_give_back(FloeHttp *http, CURL *easy, bool clean);
extern bool floe_http_easy_configure(FloeHttpTransfer *transfer);
extern void floe_http_easy_read_result(FloeHttpTransfer *transfer, CURLcode result);
extern void floe_http_keep_body(FloeHttp *http, FloeBuf *body);
extern void floe_http_free_spare_bodies(FloeHttp *http);
extern bool floe_http_resolve_reference(const char *base, const char *reference, char **url, FloeStatus *st);

/* http_error.c */
extern void floe_http_describe_error(FloeHttpTransfer *transfer, CURLcode result, FloeStatus *st);

/* http_watch.c */
extern void floe_http_dismiss_guests(FloeHttp *http);
extern bool floe_http_watch_event(FloeHttp *http, const FloePollEvent *event); /* false: it is libcurl's */
extern bool floe_http_dispatch_watches(FloeHttp *http);                        /* true: a callback ran */

/* http_multi.c */
extern void floe_http_enter_curl(FloeHttp *http);
extern void floe_http_leave_curl(FloeHttp *http);

#endif /* FLOE_NET_HTTP_ENGINE_H */
