/*
 * timers.c: a binary heap over malloc.
 *
 * Own code because PostgreSQL's lib/binaryheap.h pallocs, throws when full and
 * changed its interface in version 17.
 */
#include "floe.h"

#include "net/timers.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 16

static bool
earlier(const FloeTimer *a, const FloeTimer *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->sequence < b->sequence;
}

static void
swap(FloeTimer *a, FloeTimer *b)
{
	FloeTimer t = *a;

	*a = *b;
	*b = t;
}

bool
floe_timers_add(FloeTimers *timers, int64_t due_us, void (*fn)(void *arg), void *arg, uint64_t key)
{
	int at = timers->count;

	if (timers->count == timers->size)
	{
		int size = Max(FIRST_SIZE, timers->size * 2);
		FloeTimer *heap = realloc(timers->heap, (size_t) size * sizeof(FloeTimer));

		if (heap == NULL)
			return false;
		timers->heap = heap;
		timers->size = size;
	}
	timers->heap[at] =
		(FloeTimer){.due_us = due_us, .sequence = timers->next_sequence++, .fn = fn, .arg = arg, .key = key};
	timers->count++;
	while (at > 0 && earlier(&timers->heap[at], &timers->heap[(at - 1) / 2]))
	{
		swap(&timers->heap[at], &timers->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	return true;
}

int64_t
floe_timers_next_us(const FloeTimers *timers)
{
	return timers->count > 0 ? timers->heap[0].due_us : -1;
}

bool
floe_timers_take(FloeTimers *timers, int64_t now_us, FloeTimer *timer)
{
	int at = 0;

	if (timers->count == 0 || timers->heap[0].due_us > now_us)
		return false;
	*timer = timers->heap[0];
	timers->heap[0] = timers->heap[--timers->count];
	for (;;)
	{
		int child = 2 * at + 1;

		if (child >= timers->count)
			return true;
		if (child + 1 < timers->count && earlier(&timers->heap[child + 1], &timers->heap[child]))
			child++;
		if (!earlier(&timers->heap[child], &timers->heap[at]))
			return true;
		swap(&timers->heap[child], &timers->heap[at]);
		at = child;
	}
}

void
floe_timers_free(FloeTimers *timers)
{
	free(timers->heap);
	memset(timers, 0, sizeof(*timers));
}
