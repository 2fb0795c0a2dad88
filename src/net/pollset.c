/*
 * pollset.c: sockets of libcurl inside PostgreSQL's wait.
 *
 * Separate from the engine so that the two variants stand side by side and
 * nothing else knows which one runs.
 */
#include "floe.h"

#include "net/pollset.h"

#include "compat.h"
#include "miscadmin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#define USE_EPOLL
#endif

#define FIXED_EVENTS 2 /* latch and postmaster death */
#define FIRST_SIZE 64

struct FloePollset
{
	WaitEventSet *wes; /* NULL until open(), which may throw; new() must not */
	int epoll_fd;      /* -1: portable variant */

	/* portable variant */
	int *events;  /* FLOE_POLL_* by descriptor */
	int size;     /* descriptors the array can hold */
	int count;    /* descriptors with events */
	bool changed; /* wes is out of date */
};

FloePollset *
floe_pollset_new(bool portable)
{
	FloePollset *pollset = calloc(1, sizeof(FloePollset));

	if (pollset == NULL)
		return NULL;
	pollset->epoll_fd = -1;
#ifdef USE_EPOLL
	if (!portable)
	{
		pollset->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		if (pollset->epoll_fd < 0)
		{
			free(pollset);
			return NULL;
		}
	}
#endif
	return pollset;
}

static void
free_wes(FloePollset *pollset)
{
	WaitEventSet *wes = pollset->wes;

	pollset->wes = NULL;
	if (wes != NULL)
		FreeWaitEventSet(wes);
}

void
floe_pollset_free(FloePollset *pollset)
{
	if (pollset == NULL)
		return;
	free_wes(pollset);
	if (pollset->epoll_fd >= 0)
		close(pollset->epoll_fd);
	free(pollset->events);
	free(pollset);
}

#ifdef USE_EPOLL
static bool
epoll_set(FloePollset *pollset, int fd, int events)
{
	struct epoll_event ev = {.data.fd = fd};

	if (events & FLOE_POLL_READ)
		ev.events |= EPOLLIN;
	if (events & FLOE_POLL_WRITE)
		ev.events |= EPOLLOUT;
	if (events == 0)
		return epoll_ctl(pollset->epoll_fd, EPOLL_CTL_DEL, fd, &ev) == 0 || errno == ENOENT || errno == EBADF;
	return epoll_ctl(pollset->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 ||
		   (errno == EEXIST && epoll_ctl(pollset->epoll_fd, EPOLL_CTL_MOD, fd, &ev) == 0);
}

static int
epoll_collect(FloePollset *pollset, FloePollEvent *ready, int max)
{
	struct epoll_event occurred[64];
	int n = epoll_wait(pollset->epoll_fd, occurred, Min(max, (int) lengthof(occurred)), 0);

	for (int i = 0; i < n; i++)
	{
		ready[i].fd = occurred[i].data.fd;
		ready[i].events = 0;
		if (occurred[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			ready[i].events |= FLOE_POLL_READ;
		if (occurred[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			ready[i].events |= FLOE_POLL_WRITE;
	}
	return Max(n, 0); /* interrupted: nothing is ready yet */
}
#endif

bool
floe_pollset_set(FloePollset *pollset, int fd, int events)
{
#ifdef USE_EPOLL
	if (pollset->epoll_fd >= 0)
		return epoll_set(pollset, fd, events);
#endif
	if (fd >= pollset->size)
	{
		int size = Max(FIRST_SIZE, Max(fd + 1, pollset->size * 2));
		int *grown = realloc(pollset->events, (size_t) size * sizeof(int));

		if (grown == NULL)
			return false;
		memset(grown + pollset->size, 0, (size_t) (size - pollset->size) * sizeof(int));
		pollset->events = grown;
		pollset->size = size;
	}
	pollset->count += (events != 0) - (pollset->events[fd] != 0);
	pollset->events[fd] = events;
	pollset->changed = true;
	return true;
}

/* The epoll variant's set is built once, the portable one's after every change. */
static void
build_wes(FloePollset *pollset)
{
	free_wes(pollset);
	pollset->wes = floe_wes_create(FIXED_EVENTS + Max(pollset->count, 1));
	AddWaitEventToSet(pollset->wes, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(pollset->wes, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	if (pollset->epoll_fd >= 0)
		AddWaitEventToSet(pollset->wes, WL_SOCKET_READABLE, pollset->epoll_fd, NULL, NULL);
	for (int fd = 0; fd < pollset->size; fd++)
	{
		uint32 events = 0;

		if (pollset->events[fd] & FLOE_POLL_READ)
			events |= WL_SOCKET_READABLE;
		if (pollset->events[fd] & FLOE_POLL_WRITE)
			events |= WL_SOCKET_WRITEABLE;
		if (events != 0)
			AddWaitEventToSet(pollset->wes, events, fd, NULL, NULL);
	}
	pollset->changed = false;
}

void
floe_pollset_open(FloePollset *pollset)
{
	build_wes(pollset);
}

int
floe_pollset_wait(FloePollset *pollset, long timeout_ms, uint32_t wait_event_info, FloePollEvent *ready, int max,
				  bool *latch_set)
{
	WaitEvent occurred[64];
	int nready = 0;
	int n;

	*latch_set = false;
	if (pollset->changed)
		build_wes(pollset);
	n = WaitEventSetWait(pollset->wes, timeout_ms, occurred, Min(max, (int) lengthof(occurred)), wait_event_info);
	for (int i = 0; i < n; i++)
	{
		if (occurred[i].events & WL_LATCH_SET)
			*latch_set = true;
#ifdef USE_EPOLL
		else if (pollset->epoll_fd >= 0)
			nready = epoll_collect(pollset, ready, max);
#endif
		else if (occurred[i].events & WL_SOCKET_MASK)
		{
			ready[nready].fd = occurred[i].fd;
			ready[nready].events = 0;
			if (occurred[i].events & WL_SOCKET_READABLE)
				ready[nready].events |= FLOE_POLL_READ;
			if (occurred[i].events & WL_SOCKET_WRITEABLE)
				ready[nready].events |= FLOE_POLL_WRITE;
			nready++;
		}
	}
	return nready;
}
