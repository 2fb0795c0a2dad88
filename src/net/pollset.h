/*
 * pollset.h: waiting for libcurl's sockets together with the process latch and postmaster death.
 *
 * Two ways behind the same functions:
 *
 * - on Linux the sockets live in an epoll descriptor of their own, and that one
 *   descriptor is a member of a PostgreSQL WaitEventSet: a change costs one
 *   system call;
 * - elsewhere (and when asked for, to test it) the WaitEventSet holds all
 *   sockets and is built again after every change, because a WaitEventSet can
 *   neither remove a socket nor grow.
 */
#ifndef FLOE_NET_POLLSET_H
#define FLOE_NET_POLLSET_H

#include <stdbool.h>
#include <stdint.h>

#define FLOE_POLL_READ 1
#define FLOE_POLL_WRITE 2

typedef struct FloePollset FloePollset;

typedef struct FloePollEvent
{
	int fd;
	int events; /* FLOE_POLL_*; an error or hang-up counts as both */
} FloePollEvent;

/* malloc'ed; NULL (with errno) when out of memory or descriptors.  Does not throw. */
extern FloePollset *floe_pollset_new(bool portable);

/*
 * Takes the descriptor that waiting needs, before connections take those that
 * fd.c allows.  Throws when there is none; floe_pollset_free() is still due.
 */
extern void floe_pollset_open(FloePollset *pollset);

/*
 * From now on wait for these events of the socket; 0 removes it, which must
 * happen before it is closed.  Does not throw and does not call the server:
 * runs inside libcurl's callbacks.  False (with errno) on failure.
 */
extern bool floe_pollset_set(FloePollset *pollset, int fd, int events);

/*
 * Waits until a socket is ready, the latch is set or timeout_ms passed (-1: no
 * limit) and returns the number of ready sockets in *ready, at most max.
 * *latch_set: the process latch is set; the caller resets it.  Ends the
 * process when the postmaster died.  May throw.
 */
extern int floe_pollset_wait(FloePollset *pollset, long timeout_ms, uint32_t wait_event_info, FloePollEvent *ready,
							 int max, bool *latch_set);

/* NULL is allowed.  Does not close the sockets. */
extern void floe_pollset_free(FloePollset *pollset);

#endif /* FLOE_NET_POLLSET_H */
