/*
 * spark_values.h: sizes and durations as people write them, and times as Spark reads them.
 */
#ifndef FLOE_ENGINE_SPARK_VALUES_H
#define FLOE_ENGINE_SPARK_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * "134217728", "128MB", "128 MiB", "1 TB": a whole number of bytes, with units
 * that are powers of 1024 as in PostgreSQL's settings.  False when it is
 * anything else or beyond int64.
 */
extern bool floe_spark_parse_bytes(const char *text, int64_t *bytes);

/*
 * "3 days", "72h", "1 day 12 hours", "P3DT12H", "PT90M": milliseconds.  Units
 * from weeks to milliseconds, whole numbers; not years and months, which have
 * no fixed length.  At most 100 years.  False when it is anything else.
 */
extern bool floe_spark_parse_duration(const char *text, int64_t *ms);

/* "3 days", in the largest unit that is exact; also an interval of PostgreSQL. */
extern void floe_spark_append_duration(FloeBuf *buf, int64_t ms);

/* "2026-01-01 00:00:00.000Z": with its zone, so that the session's does not matter. */
extern void floe_spark_append_timestamp(FloeBuf *buf, int64_t epoch_ms);

#endif /* FLOE_ENGINE_SPARK_VALUES_H */
