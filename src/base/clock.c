/*
 * clock.c: wall time and steady time.
 *
 * Separate, and not linked into unit tests: what is tested there gets its time
 * as an argument.
 */
#include "floe.h"

#include "base/clock.h"

#include <time.h>

int64_t
floe_clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
floe_clock_steady_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
