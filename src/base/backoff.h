/*
 * backoff.h: how long to wait before trying again.
 */
#ifndef FLOE_BASE_BACKOFF_H
#define FLOE_BASE_BACKOFF_H

#include <stdint.h>

/*
 * Milliseconds to wait after `attempt` failures (1 is the first): base_ms
 * doubled for each further one, at most cap_ms, of which the upper half is
 * jitter so that many clients do not return together.  Pure: the same seed
 * gives the same answer.  0 when base_ms or cap_ms is not positive.
 */
extern int64_t floe_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms, uint64_t seed);

#endif /* FLOE_BASE_BACKOFF_H */
