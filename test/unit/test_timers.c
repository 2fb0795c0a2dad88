/*
 * test_timers.c: the heap of moments.
 */
#include "floe.h"

#include "net/timers.h"

#include <stdlib.h>

#include "tap.h"

static void
test_order(void)
{
	static const int64_t due[] = {50, 10, 30, 10, 20, 10, 0};
	static const uint64_t want[] = {6, 1, 3, 5, 4, 2, 0}; /* positions in due, ties in order */
	FloeTimers timers = {0};
	FloeTimer timer;

	is_int(floe_timers_next_us(&timers), -1, "nothing is due");
	ok(!floe_timers_take(&timers, INT64_MAX, &timer), "nothing to take");
	for (size_t i = 0; i < lengthof(due); i++)
		floe_timers_add(&timers, due[i], NULL, NULL, i);
	is_int(floe_timers_next_us(&timers), 0, "the first");
	ok(!floe_timers_take(&timers, -1, &timer), "not due yet");
	for (size_t i = 0; i < lengthof(due); i++)
	{
		ok(floe_timers_take(&timers, 50, &timer), "taken");
		is_int(timer.key, want[i], "position %zu", i);
	}
	is_int(timers.count, 0, "empty again");
	floe_timers_free(&timers);
}

static void
test_many(void)
{
	FloeTimers timers = {0};
	FloeTimer timer;
	int64_t last = -1;
	uint64_t last_sequence = 0;
	int taken = 0;
	bool ordered = true;

	srand(1);
	for (int i = 0; i < 20000; i++)
	{
		floe_timers_add(&timers, rand() % 1000, NULL, NULL, 0);
		if (i % 3 == 0 && floe_timers_take(&timers, -1 + rand() % 10, &timer))
			taken++;
	}
	while (floe_timers_take(&timers, INT64_MAX, &timer))
	{
		ordered &= timer.due_us > last || (timer.due_us == last && timer.sequence > last_sequence);
		last = timer.due_us;
		last_sequence = timer.sequence;
		taken++;
	}
	ok(ordered, "out in order");
	is_int(taken, 20000, "all of them");
	floe_timers_free(&timers);
}

int
main(void)
{
	test_order();
	test_many();
	return tap_done();
}
