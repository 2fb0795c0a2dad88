/*
 * http_queue.c: which request may start next.
 *
 * Requests wait here and not in libcurl's own queue, because there the timeout
 * of a request runs while it waits for a connection.  They wait per origin
 * (host and port), and origins take turns, so that a slow host holds up only
 * its own requests.  Also here: the ids handed to callers, and the accounting
 * of descriptors with fd.c.
 */
#include "floe.h"

#include "net/http_engine.h"

#include "common/hashfn.h"
#include "storage/fd.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 32

/* ---- ids: generation in the upper half, index + 1 in the lower, so that an old id finds nothing ---- */

bool
floe_http_slot_take(FloeHttp *http, FloeHttpTransfer *transfer)
{
	FloeHttpSlot *slot;
	uint32_t index;

	if (http->free_slot == 0)
	{
		uint32_t size = Max(FIRST_SLOTS, http->nslots * 2);
		FloeHttpSlot *slots = realloc(http->slots, (size_t) size * sizeof(FloeHttpSlot));

		if (slots == NULL)
			return false;
		for (uint32_t i = size; i-- > http->nslots;)
		{
			slots[i] = (FloeHttpSlot){.generation = 1, .next_free = http->free_slot};
			http->free_slot = i + 1;
		}
		http->slots = slots;
		http->nslots = size;
	}
	index = http->free_slot - 1;
	slot = &http->slots[index];
	http->free_slot = slot->next_free;
	slot->transfer = transfer;
	transfer->id = (uint64_t) slot->generation << 32 | (index + 1);
	http->pending++;
	return true;
}

void
floe_http_slot_release(FloeHttpTransfer *transfer)
{
	FloeHttp *http = transfer->http;
	uint32_t index = (uint32_t) transfer->id - 1;

	http->slots[index].transfer = NULL;
	http->slots[index].generation++;
	http->slots[index].next_free = http->free_slot;
	http->free_slot = index + 1;
	http->pending--;
}

FloeHttpTransfer *
floe_http_slot_find(FloeHttp *http, uint64_t id)
{
	uint32_t index = (uint32_t) id - 1; /* id 0 wraps around and is out of range */

	if (index >= http->nslots || http->slots[index].generation != (uint32_t) (id >> 32))
		return NULL;
	return http->slots[index].transfer;
}

/* ---- origins ---- */

static FloeHttpOrigin **
bucket_of(FloeHttp *http, const char *host_port)
{
	uint32_t hash = hash_bytes((const unsigned char *) host_port, (int) strlen(host_port));

	return &http->origins[hash % ORIGIN_BUCKETS];
}

static FloeHttpOrigin *
get_origin(FloeHttp *http, const FloeUrl *url)
{
	char host_port[FLOE_ORIGIN_SIZE];
	FloeHttpOrigin **bucket;
	FloeHttpOrigin *origin;

	floe_url_host_port(url, host_port, sizeof(host_port));
	bucket = bucket_of(http, host_port);
	for (origin = *bucket; origin != NULL; origin = origin->next)
	{
		if (strcmp(origin->host_port, host_port) == 0)
			return origin;
	}
	origin = calloc(1, sizeof(FloeHttpOrigin));
	if (origin == NULL)
		return NULL;
	strcpy(origin->host_port, host_port);
	origin->http = http;
	origin->resolved = url->is_literal;
	dlist_init(&origin->queue);
	origin->next = *bucket;
	*bucket = origin;
	return origin;
}

/* Puts the origin where it belongs after any change of it; frees it when nothing refers to it. */
static void
settle(FloeHttpOrigin *origin)
{
	FloeHttp *http = origin->http;
	bool ready = origin->queued > 0 && origin->running < http->options.max_connections_per_host &&
				 (origin->resolved || origin->running == 0);

	if (ready && !origin->is_ready)
		dlist_push_tail(&http->ready, &origin->ready_node);
	else if (!ready && origin->is_ready)
		dlist_delete(&origin->ready_node);
	origin->is_ready = ready;
	if (origin->queued == 0 && origin->running == 0)
	{
		FloeHttpOrigin **link = bucket_of(http, origin->host_port);

		while (*link != origin)
			link = &(*link)->next;
		*link = origin->next;
		free(origin);
	}
}

bool
floe_http_enqueue(FloeHttpTransfer *transfer)
{
	FloeHttpOrigin *origin = get_origin(transfer->http, &transfer->url);

	if (origin == NULL)
		return false;
	transfer->origin = origin;
	transfer->state = TRANSFER_QUEUED;
	dlist_push_tail(&origin->queue, &transfer->node);
	origin->queued++;
	settle(origin);
	return true;
}

void
floe_http_dequeue(FloeHttpTransfer *transfer)
{
	FloeHttpOrigin *origin = transfer->origin;

	dlist_delete(&transfer->node);
	transfer->origin = NULL;
	origin->queued--;
	settle(origin);
}

/* Runs inside libcurl's callbacks, too. */
void
floe_http_origin_resolved(FloeHttpOrigin *origin)
{
	if (!origin->resolved)
	{
		origin->resolved = true;
		settle(origin);
	}
}

void
floe_http_ended_running(FloeHttpTransfer *transfer)
{
	FloeHttpOrigin *origin = transfer->origin;

	transfer->origin = NULL;
	transfer->http->running--;
	origin->running--;
	/* Whatever became of the one that asked for the address: do not make the others wait for another one. */
	origin->resolved = true;
	settle(origin);
}

void
floe_http_free_origins(FloeHttp *http)
{
	for (int i = 0; i < ORIGIN_BUCKETS; i++)
	{
		while (http->origins[i] != NULL)
		{
			FloeHttpOrigin *origin = http->origins[i];

			http->origins[i] = origin->next;
			free(origin);
		}
	}
}

/* ---- descriptors ---- */

/*
 * fd.c wants to know of descriptors it does not manage, so that it closes some
 * of its own in time.  One per connection is reported, and one for epoll.  A
 * connection being made may use two or three for a moment (both address
 * families, libcurl's resolver); fd.c's reserve covers that.
 */
static bool
room_for_one_more(FloeHttp *http)
{
	if (http->reserved_fds > http->running + 1)
		return true; /* that of a connection which is being kept for reuse */
	if (!AcquireExternalFD())
	{
		if (http->running > 0)
			return false; /* the next one to end makes room */
		ReserveExternalFD();
	}
	http->reserved_fds++;
	return true;
}

/* Brings what was reported up to date; not from within libcurl. */
void
floe_http_reserve_fds(FloeHttp *http)
{
	int wanted = 1 + Max(http->open_sockets, http->running);

	for (; http->reserved_fds < wanted; http->reserved_fds++)
		ReserveExternalFD();
	for (; http->reserved_fds > wanted; http->reserved_fds--)
		ReleaseExternalFD();
}

void
floe_http_release_fds(FloeHttp *http)
{
	for (; http->reserved_fds > 0; http->reserved_fds--)
		ReleaseExternalFD();
}

/* The request whose turn it is, taken out of its queue and counted as running; NULL: none may start now. */
FloeHttpTransfer *
floe_http_next_to_start(FloeHttp *http)
{
	FloeHttpOrigin *origin;
	FloeHttpTransfer *transfer;

	if (dlist_is_empty(&http->ready) || http->running >= http->options.max_connections ||
		http->running >= http->options.max_in_flight || !room_for_one_more(http))
		return NULL;
	origin = dlist_head_element(FloeHttpOrigin, ready_node, &http->ready);
	transfer = dlist_head_element(FloeHttpTransfer, node, &origin->queue);

	/* to the end of the line of origins, if it stays in it */
	dlist_delete(&origin->ready_node);
	origin->is_ready = false;

	dlist_delete(&transfer->node);
	origin->queued--;
	origin->running++;
	http->running++;
	transfer->state = TRANSFER_RUNNING;
	settle(origin);
	return transfer;
}
