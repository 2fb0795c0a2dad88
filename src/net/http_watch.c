/*
 * http_watch.c: sockets of protocols other than HTTP in the same wait.
 *
 * The Hive Metastore and PostgreSQL's own protocol are spoken by their
 * adapters over sockets of their own; what they need of the loop is to be
 * called when such a socket is ready.
 */
#include "floe.h"

#include "net/http_engine.h"

#include "miscadmin.h"

#include <stdlib.h>

static FloeWatch *
find(FloeHttp *http, int fd)
{
	for (int i = 0; i < http->nwatches; i++)
	{
		if (http->watches[i].fd == fd && http->watches[i].events != 0)
			return &http->watches[i];
	}
	return NULL;
}

static FloeWatch *
add(FloeHttp *http)
{
	/* an ended one's place; not its callback's, which looks at it again afterwards */
	for (int i = 0; i < http->nwatches && !http->dispatching; i++)
	{
		if (http->watches[i].events == 0)
			return &http->watches[i];
	}
	if (http->nwatches == http->watches_size)
	{
		int size = Max(http->watches_size * 2, 16);
		FloeWatch *watches = realloc(http->watches, sizeof(FloeWatch) * (size_t) size);

		if (watches == NULL)
			return NULL;
		http->watches = watches;
		http->watches_size = size;
	}
	return &http->watches[http->nwatches++];
}

bool
floe_http_watch(FloeHttp *http, int fd, int events, FloeWatchReady ready, void *arg, FloeStatus *st)
{
	FloeWatch *watch = find(http, fd);

	if (watch == NULL && events == 0)
		return true;
	if (!floe_pollset_set(http->pollset, fd, events))
		return floe_fail(st, FLOE_ERR_NOMEM, "could not wait for a socket");
	if (watch == NULL)
		watch = add(http);
	if (watch == NULL)
	{
		floe_pollset_set(http->pollset, fd, 0);
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory");
	}
	*watch = (FloeWatch){.fd = fd, .events = events, .ready = 0, .fn = ready, .arg = arg};
	return true;
}

bool
floe_http_watch_event(FloeHttp *http, const FloePollEvent *event)
{
	FloeWatch *watch = find(http, event->fd);

	if (watch == NULL)
		return false;
	watch->ready |= event->events;
	http->any_watch_ready = true;
	return true;
}

bool
floe_http_dispatch_watches(FloeHttp *http)
{
	bool any = false;

	http->any_watch_ready = false;
	/* a callback may end this one or others, and add new ones, which may move all of them */
	for (int i = 0; i < http->nwatches; i++)
	{
		FloeWatch watch = http->watches[i];

		if (watch.ready == 0 || watch.events == 0)
			continue;
		http->watches[i].ready = 0;
		watch.fn(watch.arg, watch.ready);
		any = true;
		CHECK_FOR_INTERRUPTS();
	}
	while (http->nwatches > 0 && http->watches[http->nwatches - 1].events == 0)
		http->nwatches--;
	return any;
}

void
floe_http_guest_join(FloeHttp *http, FloeHttpGuest *guest)
{
	guest->http = http;
	guest->next = http->guests;
	http->guests = guest;
}

void
floe_http_guest_leave(FloeHttpGuest *guest)
{
	FloeHttpGuest **at;

	if (guest->http == NULL)
		return;
	for (at = &guest->http->guests; *at != NULL && *at != guest; at = &(*at)->next)
		;
	if (*at != NULL)
		*at = guest->next;
	guest->http = NULL;
}

void
floe_http_dismiss_guests(FloeHttp *http)
{
	while (http->guests != NULL)
		floe_http_guest_leave(http->guests);
}

MemoryContext
floe_http_context(const FloeHttp *http)
{
	return http->context;
}
