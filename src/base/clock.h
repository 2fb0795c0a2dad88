/*
 * clock.h: the two clocks of floe, so that one place can replace them in tests.
 */
#ifndef FLOE_BASE_CLOCK_H
#define FLOE_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970-01-01 UTC.  For what is stored and compared with other machines; may jump. */
extern int64_t floe_clock_wall_ms(void);

/* Microseconds since some fixed moment.  For measuring and waiting; never goes back. */
extern int64_t floe_clock_steady_us(void);

#endif /* FLOE_BASE_CLOCK_H */
