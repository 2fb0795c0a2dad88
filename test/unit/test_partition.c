/*
 * test_partition.c: partition values as text, where Python's dates and floats do not reach
 * (test_manifest.c compares the ordinary ones with what Python shows), and specs that are wrong.
 */
#include "floe.h"

#include "iceberg/partition_value.h"

#include <stdlib.h>

#include "tap.h"

/* ---- values ---- */

typedef struct ValueCase
{
	FloePartitionType type;
	int64_t number;    /* or, when bytes is NULL */
	const char *bytes; /* NULL: the number */
	size_t len;
	int32_t scale;
	const char *expected; /* NULL: refused */
} ValueCase;

#define NUMBER(type, number, expected)                                                                                 \
	{                                                                                                                  \
		type, number, NULL, 0, 0, expected                                                                             \
	}
#define TEXT(type, bytes, expected)                                                                                    \
	{                                                                                                                  \
		type, 0, bytes, sizeof(bytes) - 1, 0, expected                                                                 \
	}
#define DECIMAL(bytes, scale, expected)                                                                                \
	{                                                                                                                  \
		FLOE_PARTITION_DECIMAL, 0, bytes, sizeof(bytes) - 1, scale, expected                                           \
	}

static const ValueCase values[] = {
	NUMBER(FLOE_PARTITION_DATE, 0, "\"1970-01-01\""),
	NUMBER(FLOE_PARTITION_DATE, -1, "\"1969-12-31\""),
	NUMBER(FLOE_PARTITION_DATE, 11016, "\"2000-02-29\""),
	NUMBER(FLOE_PARTITION_DATE, 11017, "\"2000-03-01\""),
	NUMBER(FLOE_PARTITION_DATE, -25509, "\"1900-02-28\""),
	NUMBER(FLOE_PARTITION_DATE, -25508, "\"1900-03-01\""),
	NUMBER(FLOE_PARTITION_DATE, -719162, "\"0001-01-01\""),
	NUMBER(FLOE_PARTITION_DATE, -719163, "\"0000-12-31\""),
	NUMBER(FLOE_PARTITION_DATE, -719528, "\"0000-01-01\""),
	NUMBER(FLOE_PARTITION_DATE, -719529, "\"-0001-12-31\""),
	NUMBER(FLOE_PARTITION_DATE, 2932896, "\"9999-12-31\""),
	NUMBER(FLOE_PARTITION_DATE, 2932897, "\"10000-01-01\""),
	NUMBER(FLOE_PARTITION_DATE, INT32_MAX, "\"5881580-07-11\""),
	NUMBER(FLOE_PARTITION_DATE, INT32_MIN, "\"-5877641-06-23\""),
	NUMBER(FLOE_PARTITION_DATE, (int64_t) INT32_MAX + 1, NULL),
	NUMBER(FLOE_PARTITION_DATE, INT64_MIN, NULL),
	NUMBER(FLOE_PARTITION_YEAR, 56, "\"2026\""),
	NUMBER(FLOE_PARTITION_YEAR, -1970, "\"0000\""),
	NUMBER(FLOE_PARTITION_YEAR, -1971, "\"-0001\""),
	NUMBER(FLOE_PARTITION_YEAR, INT32_MAX, "\"2147485617\""),
	NUMBER(FLOE_PARTITION_YEAR, INT64_MAX, NULL),
	NUMBER(FLOE_PARTITION_MONTH, 0, "\"1970-01\""),
	NUMBER(FLOE_PARTITION_MONTH, -1, "\"1969-12\""),
	NUMBER(FLOE_PARTITION_MONTH, INT32_MIN, "\"-178955001-05\""),
	NUMBER(FLOE_PARTITION_HOUR, 491624, "\"2026-01-31-08\""),
	NUMBER(FLOE_PARTITION_HOUR, -1, "\"1969-12-31-23\""),
	NUMBER(FLOE_PARTITION_TIME, INT64_C(86399999999), "\"23:59:59.999999\""),
	NUMBER(FLOE_PARTITION_TIME, INT64_C(86400000000), NULL),
	NUMBER(FLOE_PARTITION_TIME, -1, NULL),
	NUMBER(FLOE_PARTITION_TIMESTAMP, INT64_MAX, "\"294247-01-10T04:00:54.775807\""),
	NUMBER(FLOE_PARTITION_TIMESTAMP, INT64_MIN, "\"-290308-12-21T19:59:05.224192\""),
	NUMBER(FLOE_PARTITION_TIMESTAMPTZ, -1, "\"1969-12-31T23:59:59.999999+00:00\""),
	NUMBER(FLOE_PARTITION_TIMESTAMP_NS, INT64_MAX, "\"2262-04-11T23:47:16.854775807\""),
	NUMBER(FLOE_PARTITION_TIMESTAMPTZ_NS, INT64_MIN, "\"1677-09-21T00:12:43.145224192+00:00\""),
	NUMBER(FLOE_PARTITION_BOOLEAN, 1, "true"),
	NUMBER(FLOE_PARTITION_INTEGER, INT64_MIN, "-9223372036854775808"),
	TEXT(FLOE_PARTITION_FLOAT, "\x00\x00\x80\x3f", "1.0"),
	TEXT(FLOE_PARTITION_FLOAT, "\xcd\xcc\xcc\x3d", "0.1"),
	TEXT(FLOE_PARTITION_FLOAT, "\x00\x00\x80\xff", "\"-Infinity\""),
	TEXT(FLOE_PARTITION_FLOAT, "\x00\x00\x00\x80", "-0.0"),
	TEXT(FLOE_PARTITION_FLOAT, "\x01\x00\xc0\xff", "\"NaN\""),
	TEXT(FLOE_PARTITION_FLOAT, "\xff\xff\x7f\x7f", "3.4028235e+38"),
	TEXT(FLOE_PARTITION_DOUBLE, "\x00\x00\x00\x00\x00\x00\x00\x00", "0.0"),
	TEXT(FLOE_PARTITION_DOUBLE, "\x01\x00\x00\x00\x00\x00\x00\x00", "5e-324"),
	TEXT(FLOE_PARTITION_DOUBLE, "\x01\x00\x00\x00\x00\x00\xf0\x7f", "\"NaN\""),
	TEXT(FLOE_PARTITION_DOUBLE, "\xff\xff\xff\xff\xff\xff\xff\xff", "\"NaN\""),
	TEXT(FLOE_PARTITION_STRING, "a\"b\\c\n", "\"a\\\"b\\\\c\\u000a\""),
	TEXT(FLOE_PARTITION_STRING, "\xc3\xa9\xff\x00z", "\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbdz\""),
	TEXT(FLOE_PARTITION_HEX, "\x00\xff\x10", "\"00ff10\""),
	TEXT(FLOE_PARTITION_UUID, "\xf7\x9c\x3e\x09\x67\x7c\x4b\xbd\xa4\x79\x3f\x34\x9c\xb7\x85\xe7",
		 "\"f79c3e09-677c-4bbd-a479-3f349cb785e7\""),
	DECIMAL("\x05\x8c", 2, "\"14.20\""),
	DECIMAL("\xfb", 2, "\"-0.05\""),
	DECIMAL("\x00", 3, "\"0.000\""),
	DECIMAL("", 0, "\"0\""),
	DECIMAL("\x80", 0, "\"-128\""),
	DECIMAL("\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 38,
			"\"1.70141183460469231731687303715884105727\""),
	DECIMAL("\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 0,
			"\"-170141183460469231731687303715884105728\""),
	DECIMAL("\xff\xff\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 0,
			"\"-170141183460469231731687303715884105728\""),
	DECIMAL("\x01\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 0, NULL),
	DECIMAL("\x02", -20, "\"2E+20\""),
	DECIMAL("\x02", 39, NULL),
};

static void
test_values(void)
{
	FloeBuf out;
	FloeStatus st;

	floe_buf_init(&out, FLOE_PARTITION_MAX_TEXT);
	for (size_t i = 0; i < lengthof(values); i++)
	{
		const ValueCase *c = &values[i];
		FloePartitionField field = {.prefix = "", .type = c->type, .scale = c->scale, .slot = 0};
		FloePartitionSpec spec = {.nfields = 1, .fields = &field};
		uint8_t *data = malloc(c->len > 0 ? c->len : 1);
		FloeAvroValue value = {.data = data, .num = c->bytes != NULL ? (int64_t) c->len : c->number, .set = true};
		bool done;
		char wrapped[256];

		if (c->len > 0)
			memcpy(data, c->bytes, c->len);
		done = floe_partition_render(&spec, &value, &out, &st);
		if (c->expected == NULL)
			ok(!done && st.code == FLOE_ERR_CORRUPT, "value %zu is refused", i);
		else
		{
			snprintf(wrapped, sizeof(wrapped), "{%s}", c->expected);
			is_str(done ? out.data : st.message, wrapped, "%s", c->expected);
		}
		value.set = false;
		ok(floe_partition_render(&spec, &value, &out, &st) && strcmp(out.data, "{null}") == 0, "and null");
		free(data);
	}
	floe_buf_free(&out);
}

static void
test_long_text(void)
{
	FloePartitionField field = {.prefix = "", .type = FLOE_PARTITION_STRING, .slot = 0};
	FloePartitionSpec spec = {.nfields = 1, .fields = &field};
	char *text = malloc(FLOE_PARTITION_MAX_TEXT);
	FloeAvroValue value = {.data = (uint8_t *) text, .num = FLOE_PARTITION_MAX_TEXT - 4, .set = true};
	FloeBuf out;
	FloeStatus st;

	memset(text, 'x', FLOE_PARTITION_MAX_TEXT);
	floe_buf_init(&out, FLOE_PARTITION_MAX_TEXT);
	ok(floe_partition_render(&spec, &value, &out, &st), "a text at the limit");
	value.num++;
	ok(!floe_partition_render(&spec, &value, &out, &st) && st.code == FLOE_ERR_TOO_LARGE, "a text beyond it");
	value.num = 1;
	ok(floe_partition_render(&spec, &value, &out, &st) && strcmp(out.data, "{\"x\"}") == 0, "and then a short one");
	floe_buf_free(&out);
	free(text);
}

/* ---- specs ---- */

#define SCHEMA                                                                                                         \
	"{\"type\": \"struct\", \"fields\": [{\"id\": 1, \"name\": \"d\", \"type\": \"date\"},"                            \
	"{\"id\": 2, \"name\": \"s\", \"type\": {\"type\": \"struct\", \"fields\": ["                                      \
	"{\"id\": 3, \"name\": \"t\", \"type\": \"timestamptz\"}]}},"                                                      \
	"{\"id\": 4, \"name\": \"l\", \"type\": {\"type\": \"list\", \"element-id\": 5, \"element\": \"date\"}},"          \
	"{\"id\": 6, \"name\": \"dec\", \"type\": \"decimal( 9 , 3 )\"}]}"
#define FIELD(name, transform, source, id)                                                                             \
	"{\"name\": \"" name "\", \"transform\": \"" transform "\", \"source-id\": " source ", \"field-id\": " id "}"

static const FloeAvroColumn number = {.field_id = 1000, .slot = 0, .type = FLOE_AVRO_LONG, .name = "x"};
static const FloeAvroColumn string = {.field_id = 1000, .slot = 0, .type = FLOE_AVRO_STRING, .name = "x"};
static const FloeAvroColumn fixed = {.field_id = 1000, .slot = 0, .type = FLOE_AVRO_FIXED, .name = "x", .size = 4};
static const FloeAvroColumn utc = {.field_id = 1000,
								   .slot = 0,
								   .type = FLOE_AVRO_LONG,
								   .name = "x",
								   .logical_type = "timestamp-micros",
								   .adjust_to_utc = true};

static const struct
{
	const char *name;
	const char *schema;
	const char *spec;
	const FloeAvroColumn *column;
	const char *expected; /* of the number -1, or the bytes 0xff; NULL: refused */
	bool unpartitioned;
} specs[] = {
	{"source column", SCHEMA, "[" FIELD("p", "identity", "1", "1000") "]", &number, "{\"p\": \"1969-12-31\"}", false},
	{"source column in a struct", SCHEMA, "[" FIELD("p", "identity", "3", "1000") "]", &number,
	 "{\"p\": \"1969-12-31T23:59:59.999999+00:00\"}", false},
	{"elements of lists are no sources", SCHEMA, "[" FIELD("p", "identity", "5", "1000") "]", &number, "{\"p\": -1}",
	 false},
	{"scale with spaces", SCHEMA, "[" FIELD("p", "identity", "6", "1000") "]", &fixed, "{\"p\": \"-0.001\"}", false},
	{"a value that cannot be of the source's type", SCHEMA, "[" FIELD("p", "identity", "1", "1000") "]", &string,
	 "{\"p\": \"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}", false},
	{"no source column: the Avro type", SCHEMA, "[" FIELD("p", "identity", "99", "1000") "]", &utc,
	 "{\"p\": \"1969-12-31T23:59:59.999999+00:00\"}", false},
	{"no schema: the Avro type", NULL, "[" FIELD("p", "identity", "1", "1000") "]", &utc,
	 "{\"p\": \"1969-12-31T23:59:59.999999+00:00\"}", false},
	{"an unknown transform: the raw value", SCHEMA, "[" FIELD("p", "zorder", "1", "1000") "]", &utc, "{\"p\": -1}",
	 false},
	{"a transform of several columns", SCHEMA,
	 "[{\"name\": \"p\", \"transform\": \"bucket[4]\", \"source-ids\": [1, 3], \"field-id\": 1000}]", &number,
	 "{\"p\": -1}", false},
	{"a time transform stored as text", SCHEMA, "[" FIELD("p", "hour", "3", "1000") "]", &fixed,
	 "{\"p\": \"ffffffff\"}", false},
	{"ids are counted when there are none", SCHEMA, "[{\"name\": \"p\", \"transform\": \"day\", \"source-id\": 1}]",
	 &number, "{\"p\": \"1969-12-31\"}", false},
	{"a field that is not stored is null", SCHEMA,
	 "[" FIELD("o", "identity", "1", "1001") ", " FIELD("p", "identity", "1", "1000") "]", &number,
	 "{\"o\": null, \"p\": \"1969-12-31\"}", false},
	{"a whole spec instead of its fields", SCHEMA,
	 "{\"spec-id\": 0, \"fields\": [" FIELD("p", "month", "1", "1000") "]}", &number, "{\"p\": \"1969-12\"}", false},
	{"names are quoted", SCHEMA, "[" FIELD("a\\\"b", "year", "1", "1000") "]", &number, "{\"a\\\"b\": \"1969\"}",
	 false},
	{"only void fields", SCHEMA, "[" FIELD("p", "void", "1", "1000") "]", &number, "{\"p\": null}", true},
	{"no fields", SCHEMA, "[]", NULL, "{}", true},
	{"no spec", NULL, NULL, NULL, "{}", true},
	{"a column the spec does not have", SCHEMA, "[" FIELD("p", "identity", "1", "1001") "]", &number, NULL, false},
	{"no spec but a column", SCHEMA, NULL, &number, NULL, false},
	{"two fields of one id", SCHEMA,
	 "[" FIELD("p", "identity", "1", "1000") ", " FIELD("q", "identity", "1", "1000") "]", &number, NULL, false},
	{"not a list", SCHEMA, "7", &number, NULL, false},
	{"not JSON", SCHEMA, "[", &number, NULL, false},
	{"a field that is no object", SCHEMA, "[7]", &number, NULL, false},
	{"a field without transform", SCHEMA, "[{\"name\": \"p\", \"source-id\": 1}]", &number, NULL, false},
	{"a schema that is not JSON", "{", "[" FIELD("p", "identity", "1", "1000") "]", &number, NULL, false},
};

static FloeSlice
slice(const char *text_or_null)
{
	return (FloeSlice){(const uint8_t *) text_or_null, text_or_null != NULL ? strlen(text_or_null) : 0};
}

static void
test_specs(void)
{
	FloeBuf out;
	FloeStatus st;

	floe_buf_init(&out, FLOE_PARTITION_MAX_TEXT);
	for (size_t i = 0; i < lengthof(specs); i++)
	{
		FloeArena *arena = floe_arena_new(1024 * 1024);
		const FloeAvroColumn *column = specs[i].column;
		bool bytes = column != NULL && column->type != FLOE_AVRO_LONG;
		FloeAvroValue value = {.data = (const uint8_t *) "\xff\xff\xff\xff", .num = bytes ? 4 : -1, .set = true};
		const FloePartitionSpec *spec = floe_partition_compile(arena, slice(specs[i].schema), slice(specs[i].spec),
															   column, column != NULL ? 1 : 0, &st);

		if (specs[i].expected == NULL)
			ok(spec == NULL && st.code == FLOE_ERR_CORRUPT, "%s: refused", specs[i].name);
		else
		{
			bool done = spec != NULL && floe_partition_render(spec, &value, &out, &st);

			is_str(done ? out.data : st.message, specs[i].expected, "%s", specs[i].name);
			ok(spec != NULL && spec->unpartitioned == specs[i].unpartitioned, "%s: partitioned or not", specs[i].name);
		}
		floe_arena_free(arena);
	}
	floe_buf_free(&out);
}

int
main(void)
{
	test_values();
	test_long_text();
	test_specs();
	return tap_done();
}
