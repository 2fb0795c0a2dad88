/*
 * backoff.c: exponential backoff with deterministic jitter.
 *
 * Separate because HTTP retries, the worker supervisor and the queue share it
 * and because a pure function can be tested by a table.
 */
#include "floe.h"

#include "base/backoff.h"

/* The finaliser of splitmix64: spreads neighbouring seeds over all 64 bits. */
static uint64_t
mix(uint64_t x)
{
	x += UINT64CONST(0x9E3779B97F4A7C15);
	x = (x ^ (x >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

int64_t
floe_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms, uint64_t seed)
{
	int64_t delay;
	int64_t fixed;

	if (base_ms <= 0 || cap_ms <= 0)
		return 0;
	delay = Min(base_ms, cap_ms);
	for (int i = 1; i < attempt && delay < cap_ms; i++)
		delay = delay > cap_ms / 2 ? cap_ms : delay * 2;
	fixed = delay - delay / 2;
	return fixed + (int64_t) (mix(seed ^ mix((uint64_t) attempt)) % (uint64_t) (delay - fixed + 1));
}
