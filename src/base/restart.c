/*
 * restart.c: the supervisor's arithmetic, apart from its processes so that it can be tested in microseconds.
 */
#include "floe.h"

#include "base/restart.h"

#include "base/backoff.h"

void
floe_restart_started(FloeRestart *restart, int64_t now_us)
{
	restart->started_us = now_us;
}

static void
forget_if_healthy(FloeRestart *restart, int64_t now_us)
{
	if (restart->started_us != 0 && now_us - restart->started_us >= FLOE_RESTART_HEALTHY_US)
		restart->failures = 0;
	restart->started_us = 0;
}

void
floe_restart_failed(FloeRestart *restart, int64_t now_us, uint64_t seed)
{
	forget_if_healthy(restart, now_us);
	if (restart->failures < 1000)
		restart->failures++;
	restart->next_us =
		now_us +
		floe_backoff_ms(restart->failures, FLOE_RESTART_BASE_MS, FLOE_RESTART_CAP_MS, seed + (uint64_t) now_us) * 1000;
}

void
floe_restart_after(FloeRestart *restart, int64_t now_us, int64_t delay_ms)
{
	forget_if_healthy(restart, now_us);
	restart->next_us = now_us + delay_ms * 1000;
}
