/*
 * partition_value.c: values of partition tuples as JSON text.
 */
#include "floe.h"

#include "base/json.h"
#include "common/shortest_dec.h"
#include "iceberg/partition_value.h"

#include <math.h>
#include <string.h>

#define SECONDS_PER_DAY INT64_C(86400)

static bool
fail_value(FloeStatus *st, const char *type)
{
	return floe_fail(st, FLOE_ERR_CORRUPT, "a partition value is not a valid %s", type);
}

/* Floor division, so that times before 1970 fall into the right day. */
static int64_t
split(int64_t value, int64_t by, int64_t *rest)
{
	int64_t whole = value / by;

	*rest = value % by;
	if (*rest < 0)
	{
		*rest += by;
		whole--;
	}
	return whole;
}

/*
 * The civil date of a day since 1970-01-01, proleptic Gregorian calendar:
 * PostgreSQL's j2date() is in the server only and covers fewer years.
 * Counts from 0000-03-01 in cycles of 400 years, so that leap days come last.
 */
static bool
append_date(FloeBuf *out, int64_t days)
{
	int64_t day;
	int64_t cycle = split(days + 719468, 146097, &day);
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t of_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;

	day = of_year - (153 * month + 2) / 5 + 1;
	month += month < 10 ? 3 : -9;
	year += cycle * 400 + (month <= 2 ? 1 : 0);
	return floe_buf_printf(out, "%s%04lld-%02d-%02d", year < 0 ? "-" : "", (long long) (year < 0 ? -year : year),
						   (int) month, (int) day);
}

/* hh:mm:ss and a fraction of that many digits. */
static bool
append_time(FloeBuf *out, int64_t seconds, int64_t fraction, int digits)
{
	return floe_buf_printf(out, "%02d:%02d:%02d.%0*lld", (int) (seconds / 3600), (int) (seconds / 60 % 60),
						   (int) (seconds % 60), digits, (long long) fraction);
}

static bool
append_timestamp(FloeBuf *out, int64_t value, int digits, bool zone)
{
	int64_t fraction, of_day;
	int64_t seconds = split(value, digits == 9 ? 1000000000 : 1000000, &fraction);
	int64_t days = split(seconds, SECONDS_PER_DAY, &of_day);

	return floe_buf_char(out, '"') && append_date(out, days) && floe_buf_char(out, 'T') &&
		   append_time(out, of_day, fraction, digits) && floe_buf_text(out, zone ? "+00:00\"" : "\"");
}

/* Results of the time transforms; all are 32-bit numbers, which keeps the arithmetic far from overflow. */
static bool
append_time_transform(FloeBuf *out, FloePartitionType type, int64_t value, FloeStatus *st)
{
	int64_t year, rest;

	if (value < INT32_MIN || value > INT32_MAX)
		return fail_value(st, type == FLOE_PARTITION_DATE ? "date" : "result of a time transform");
	switch (type)
	{
		case FLOE_PARTITION_DATE:
			return floe_buf_char(out, '"') && append_date(out, value) && floe_buf_char(out, '"');
		case FLOE_PARTITION_HOUR:
			year = split(value, 24, &rest);
			return floe_buf_char(out, '"') && append_date(out, year) && floe_buf_printf(out, "-%02d\"", (int) rest);
		case FLOE_PARTITION_MONTH:
			year = 1970 + split(value, 12, &rest);
			return floe_buf_printf(out, "\"%s%04lld-%02d\"", year < 0 ? "-" : "", (long long) (year < 0 ? -year : year),
								   (int) rest + 1);
		default:
			year = 1970 + value;
			return floe_buf_printf(out, "\"%s%04lld\"", year < 0 ? "-" : "", (long long) (year < 0 ? -year : year));
	}
}

static bool
append_time_of_day(FloeBuf *out, int64_t micros, FloeStatus *st)
{
	if (micros < 0 || micros >= SECONDS_PER_DAY * 1000000)
		return fail_value(st, "time");
	return floe_buf_char(out, '"') && append_time(out, micros / 1000000, micros % 1000000, 6) &&
		   floe_buf_char(out, '"');
}

static bool
append_float(FloeBuf *out, const FloeAvroValue *value, FloePartitionType type)
{
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];
	uint64_t bits = 0;
	double number;
	float single;

	for (int64_t i = 0; i < value->num; i++)
		bits |= (uint64_t) value->data[i] << (8 * i);
	if (type == FLOE_PARTITION_FLOAT)
	{
		uint32_t bits32 = (uint32_t) bits;

		memcpy(&single, &bits32, sizeof(single));
		number = single;
	}
	else
		memcpy(&number, &bits, sizeof(number));
	if (isnan(number))
		return floe_buf_text(out, "\"NaN\"");
	if (isinf(number))
		return floe_buf_text(out, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
	if (type == FLOE_PARTITION_FLOAT)
		float_to_shortest_decimal_buf(single, text);
	else
		double_to_shortest_decimal_buf(number, text);
	return floe_buf_text(out, text) && (strpbrk(text, ".e") != NULL || floe_buf_text(out, ".0"));
}

static bool
append_hex(FloeBuf *out, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *to = floe_buf_reserve(out, 2 * len);

	if (to == NULL)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		to[2 * i] = digits[data[i] >> 4];
		to[2 * i + 1] = digits[data[i] & 15];
	}
	out->len += 2 * len;
	out->data[out->len] = '\0';
	return true;
}

static bool
append_uuid(FloeBuf *out, const uint8_t *data)
{
	static const struct
	{
		int from, len;
	} groups[] = {{0, 4}, {4, 2}, {6, 2}, {8, 2}, {10, 6}};

	for (size_t i = 0; i < lengthof(groups); i++)
		if (!floe_buf_char(out, i == 0 ? '"' : '-') || !append_hex(out, data + groups[i].from, groups[i].len))
			return false;
	return floe_buf_char(out, '"');
}

/* Big-endian two's complement; Iceberg's decimals have at most 38 digits, which are 16 bytes. */
static bool
append_decimal(FloeBuf *out, const FloeAvroValue *value, int32_t scale, FloeStatus *st)
{
	bool negative = value->num > 0 && (value->data[0] & 0x80) != 0;
	unsigned __int128 number = negative ? ~(unsigned __int128) 0 : 0;
	char text[64];
	char *p = text + sizeof(text);
	int digits = 0;

	if (scale > 38)
		return fail_value(st, "decimal");
	for (int64_t i = 0; i < value->num; i++)
	{
		if (i < value->num - 16 && value->data[i] != (negative ? 0xFF : 0))
			return fail_value(st, "decimal");
		number = number << 8 | value->data[i];
	}
	if (negative)
		number = -number;
	*--p = '\0';
	do
	{
		if (scale > 0 && digits == scale)
			*--p = '.';
		*--p = (char) ('0' + (int) (number % 10));
		number /= 10;
		digits++;
	} while (number > 0 || digits <= scale);
	if (negative)
		*--p = '-';
	/* a negative scale is shown as an exponent (spec, Appendix D) */
	if (scale < 0)
		return floe_buf_printf(out, "\"%sE+%d\"", p, -scale);
	return floe_buf_printf(out, "\"%s\"", p);
}

static bool
append_value(FloeBuf *out, const FloePartitionField *field, const FloeAvroValue *value, FloeStatus *st)
{
	switch (field->type)
	{
		case FLOE_PARTITION_NULL:
			return floe_buf_text(out, "null");
		case FLOE_PARTITION_BOOLEAN:
			return floe_buf_text(out, value->num != 0 ? "true" : "false");
		case FLOE_PARTITION_INTEGER:
			return floe_buf_printf(out, "%lld", (long long) value->num);
		case FLOE_PARTITION_FLOAT:
		case FLOE_PARTITION_DOUBLE:
			return append_float(out, value, field->type);
		case FLOE_PARTITION_DECIMAL:
			return append_decimal(out, value, field->scale, st);
		case FLOE_PARTITION_DATE:
		case FLOE_PARTITION_YEAR:
		case FLOE_PARTITION_MONTH:
		case FLOE_PARTITION_HOUR:
			return append_time_transform(out, field->type, value->num, st);
		case FLOE_PARTITION_TIME:
			return append_time_of_day(out, value->num, st);
		case FLOE_PARTITION_TIMESTAMP:
			return append_timestamp(out, value->num, 6, false);
		case FLOE_PARTITION_TIMESTAMPTZ:
			return append_timestamp(out, value->num, 6, true);
		case FLOE_PARTITION_TIMESTAMP_NS:
			return append_timestamp(out, value->num, 9, false);
		case FLOE_PARTITION_TIMESTAMPTZ_NS:
			return append_timestamp(out, value->num, 9, true);
		case FLOE_PARTITION_STRING:
			return floe_json_quote(out, (const char *) value->data, (size_t) value->num);
		case FLOE_PARTITION_UUID:
			return append_uuid(out, value->data);
		case FLOE_PARTITION_HEX:
			return floe_buf_char(out, '"') && append_hex(out, value->data, (size_t) value->num) &&
				   floe_buf_char(out, '"');
	}
	return floe_fail(st, FLOE_ERR_INTERNAL, "partition type %d is not handled", (int) field->type);
}

bool
floe_partition_render(const FloePartitionSpec *spec, const FloeAvroValue *values, FloeBuf *out, FloeStatus *st)
{
	bool good;

	floe_buf_reset(out);
	floe_status_ok(st);
	good = floe_buf_char(out, '{');
	for (uint32_t i = 0; good && i < spec->nfields; i++)
	{
		const FloePartitionField *field = &spec->fields[i];

		good = floe_buf_text(out, field->prefix);
		if (good && (field->slot < 0 || !values[field->slot].set))
			good = floe_buf_text(out, "null");
		else if (good)
			good = append_value(out, field, &values[field->slot], st);
	}
	good = good && floe_buf_char(out, '}');
	if (!good && out->over_cap)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "the text of a partition value is longer than %zu bytes", out->cap);
	if (!good && out->failed)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for a partition value");
	return good;
}
