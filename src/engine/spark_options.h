/*
 * spark_options.h: every option of the maintenance procedures of Iceberg for Spark, in one table.
 *
 * The table is what policies are checked against, what the SQL view of options
 * shows and what statements are rendered from, so an option cannot be accepted
 * and then be ignored.  Source: Iceberg 1.11.0 for Spark 3.5, read from its
 * classes (procedures, actions, planners and runners) and run one by one.
 */
#ifndef FLOE_ENGINE_SPARK_OPTIONS_H
#define FLOE_ENGINE_SPARK_OPTIONS_H

#include "base/buf.h"
#include "base/json.h"
#include "base/status.h"

typedef enum FloeOptionType
{
	FLOE_OPTION_BYTES,    /* a number, or text with a unit: "128MB" is 128 x 2^20 */
	FLOE_OPTION_COUNT,    /* a whole number */
	FLOE_OPTION_RATIO,    /* a number above the minimum, up to the maximum */
	FLOE_OPTION_BOOLEAN,  /* true or false, also as text */
	FLOE_OPTION_ENUM,     /* one of values, without case; "_" is "-" */
	FLOE_OPTION_AGE,      /* a duration; rendered as the time that long ago */
	FLOE_OPTION_IDS,      /* array of snapshot ids, as numbers or as text */
	FLOE_OPTION_COLUMNS,  /* array of names of columns, "a.b" for a nested one */
	FLOE_OPTION_TEXT,     /* of one line at most 1 kB long */
	FLOE_OPTION_TEXT_MAP, /* object of texts */
	FLOE_OPTION_SORT,     /* "id DESC NULLS LAST, bucket(4, x)" or "zorder(a, b)" */
	FLOE_OPTION_WHERE     /* a predicate on columns (predicate.h) */
} FloeOptionType;

typedef enum FloeOptionPlace
{
	FLOE_OPTION_ARGUMENT, /* name => value */
	FLOE_OPTION_MAP       /* an entry of options => map(…) */
} FloeOptionPlace;

/* What an option has an effect with only; Iceberg refuses it otherwise. */
typedef enum FloeOptionNeed
{
	FLOE_OPTION_NEEDS_NOTHING,
	FLOE_OPTION_NEEDS_SORT,
	FLOE_OPTION_NEEDS_ZORDER
} FloeOptionNeed;

typedef struct FloeSparkOption
{
	const char *operation;
	const char *name; /* floe's, in snake case */
	FloeOptionPlace place;
	const char *engine_name; /* also understood as a name, with '-', '.' and '_' alike */
	FloeOptionType type;
	FloeOptionNeed need;
	const char *const *values; /* ENUM: ends with NULL */
	int64_t min;               /* milliseconds for AGE, exclusive for RATIO */
	int64_t max;               /* 0: none */
	const char *default_text;  /* what Iceberg does without it */
	const char *description;
	const char *refusal; /* not NULL: floe never sends it, and why */
} FloeSparkOption;

/* At least as many as the table has. */
#define FLOE_SPARK_MAX_OPTIONS 64

/* In the order of the operations, and within one in that of the documentation; NULL behind the last. */
extern const FloeSparkOption *floe_spark_option_at(size_t index);

/* By floe's name or Iceberg's; NULL when there is none. */
extern const FloeSparkOption *floe_spark_option_find(const char *operation, const char *name);

extern bool floe_spark_operation_known(const char *operation);
extern const char *floe_option_type_name(FloeOptionType type);

/*
 * A checked option.  number holds BYTES, COUNT, BOOLEAN and milliseconds of
 * AGE; text and json point into the document they were read from.
 */
typedef struct FloeOptionValue
{
	const FloeSparkOption *option;
	int64_t number;
	double ratio;
	const char *text;
	FloeJson json;
} FloeOptionValue;

typedef struct FloeSparkOptions
{
	int count;
	FloeOptionValue items[FLOE_SPARK_MAX_OPTIONS]; /* in the table's order */
} FloeSparkOptions;

/*
 * Checks an object of options; a null is an option that is not set, and no
 * object (FLOE_JSON_NONE) is an empty one.  is_complete: these are all there
 * are, so that what an option needs must be among them; a policy may give its
 * share only.  Contradictions are refused either way.  On failure st names the
 * option in message (FLOE_ERR_CONFIG) and says in detail what is valid.
 */
extern bool floe_spark_options_read(const char *operation, FloeJson options, bool is_complete, FloeSparkOptions *out,
									FloeStatus *st);

/*
 * The same, and the options as floe stores them: floe's names in the table's
 * order, sizes as numbers of bytes, durations in their largest exact unit.
 */
extern bool floe_spark_options_check(const char *operation, FloeJson options, bool is_complete, FloeBuf *canonical,
									 FloeStatus *st);

/* The value of an option that was read, or NULL. */
extern const FloeOptionValue *floe_spark_options_get(const FloeSparkOptions *options, const char *name);

/* One element of an IDS option. */
extern bool floe_spark_option_id(FloeJson json, int64_t *id);

#endif /* FLOE_ENGINE_SPARK_OPTIONS_H */
