/*
 * partition_value.h: the partition tuple of a manifest entry as JSON text.
 *
 * The text is the identity of a partition inside its spec (docs/metrics.md,
 * "Partition values"): the fields in the order of the spec, as
 *
 *	{"event_day": "2026-01-31", "id_bucket": 3}
 *
 * with values as in the spec's Appendix D, "JSON single-value serialization",
 * and these rules where it leaves a choice:
 *
 *	float, double   shortest text that reads back, with a point or an exponent;
 *	                NaN (all of them one value) and infinities are the strings
 *	                "NaN", "Infinity", "-Infinity"; -0.0 is not 0.0
 *	time, timestamp always six digits of fraction, nine for nanoseconds
 *	years           at least four digits, with "-" before year 0
 *	string          what is not valid UTF-8, and NUL, is shown as U+FFFD
 *
 * Values of year, month, day and hour transforms are shown as people write
 * them, bucket as its number, the value of a transform floe does not know as it
 * is stored; null, and every value of void, is null.
 */
#ifndef FLOE_ICEBERG_PARTITION_VALUE_H
#define FLOE_ICEBERG_PARTITION_VALUE_H

#include "base/buf.h"
#include "iceberg/avro.h"

#define FLOE_PARTITION_MAX_FIELDS 256
#define FLOE_PARTITION_MAX_TEXT 65536

/* How a stored value is shown. */
typedef enum FloePartitionType
{
	FLOE_PARTITION_NULL, /* always null */
	FLOE_PARTITION_BOOLEAN,
	FLOE_PARTITION_INTEGER,
	FLOE_PARTITION_FLOAT,
	FLOE_PARTITION_DOUBLE,
	FLOE_PARTITION_DECIMAL,
	FLOE_PARTITION_DATE,
	FLOE_PARTITION_TIME,
	FLOE_PARTITION_TIMESTAMP,
	FLOE_PARTITION_TIMESTAMPTZ,
	FLOE_PARTITION_TIMESTAMP_NS,
	FLOE_PARTITION_TIMESTAMPTZ_NS,
	FLOE_PARTITION_STRING,
	FLOE_PARTITION_UUID,
	FLOE_PARTITION_HEX,
	FLOE_PARTITION_YEAR, /* the results of the time transforms */
	FLOE_PARTITION_MONTH,
	FLOE_PARTITION_HOUR
} FloePartitionType;

typedef struct FloePartitionField
{
	const char *prefix; /* what stands before the value: '"name": ', with ', ' except in the first field */
	FloePartitionType type;
	int32_t scale; /* of a decimal */
	int32_t slot;  /* of the decoded row; -1: not stored, always null */
} FloePartitionField;

typedef struct FloePartitionSpec
{
	uint32_t nfields;
	const FloePartitionField *fields;
	/* No field but void ones.  Equality deletes of such a spec apply to the whole table. */
	bool unpartitioned;
} FloePartitionSpec;

/*
 * From what the manifest's header says ("schema", "partition-spec"; JSON, both
 * may be absent: data NULL) and the columns of its tuple.  The result lives in
 * the arena.  The Iceberg type of a field is that of its source column as far
 * as the stored Avro type can hold it, else what the Avro type itself says.
 * CORRUPT when the tuple has a field the spec does not have.
 */
extern const FloePartitionSpec *floe_partition_compile(FloeArena *arena, FloeSlice schema, FloeSlice spec,
													   const FloeAvroColumn *columns, uint32_t ncolumns,
													   FloeStatus *st);

/* Replaces the content of out by the text of the tuple in values. */
extern bool floe_partition_render(const FloePartitionSpec *spec, const FloeAvroValue *values, FloeBuf *out,
								  FloeStatus *st);

#endif /* FLOE_ICEBERG_PARTITION_VALUE_H */
