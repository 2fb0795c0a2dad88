/*
 * timers.h: what is due when: a heap of moments.
 *
 * Pure and without a clock: the caller passes the time, in microseconds of
 * floe_clock_steady_us().  Entries of one moment come out in the order they
 * were added.
 */
#ifndef FLOE_NET_TIMERS_H
#define FLOE_NET_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct FloeTimer
{
	int64_t due_us;
	uint64_t sequence; /* breaks ties */
	void (*fn)(void *arg);
	void *arg;
	uint64_t key; /* for users that have no function, only an id */
} FloeTimer;

/* Zero-initialised is a valid empty heap. */
typedef struct FloeTimers
{
	FloeTimer *heap; /* malloc'ed */
	int count;
	int size;
	uint64_t next_sequence;
} FloeTimers;

/* False when out of memory. */
extern bool floe_timers_add(FloeTimers *timers, int64_t due_us, void (*fn)(void *arg), void *arg, uint64_t key);

/* When the first one is due; -1 without any. */
extern int64_t floe_timers_next_us(const FloeTimers *timers);

/* Removes the first one that is due at now_us; false when there is none. */
extern bool floe_timers_take(FloeTimers *timers, int64_t now_us, FloeTimer *timer);

extern void floe_timers_free(FloeTimers *timers);

#endif /* FLOE_NET_TIMERS_H */
