/*
 * restart.h: when a process that ended is started again.
 *
 * Pure: time is an argument, in microseconds of a steady clock.
 */
#ifndef FLOE_BASE_RESTART_H
#define FLOE_BASE_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define FLOE_RESTART_BASE_MS 1000
#define FLOE_RESTART_CAP_MS 300000
#define FLOE_RESTART_HEALTHY_US INT64_C(60000000) /* who ran so long starts from anew */

typedef struct FloeRestart
{
	int failures; /* in a row */
	int64_t started_us;
	int64_t next_us; /* not before */
} FloeRestart;

extern void floe_restart_started(FloeRestart *restart, int64_t now_us);
/* It failed: exponential from a second to five minutes with jitter, from anew after a healthy time. */
extern void floe_restart_failed(FloeRestart *restart, int64_t now_us, uint64_t seed);
/* It ended for a reason, or cannot start now: again after this long. A healthy time counts here, too. */
extern void floe_restart_after(FloeRestart *restart, int64_t now_us, int64_t delay_ms);

#endif /* FLOE_BASE_RESTART_H */
