/*
 * spark_values.c: parsing and writing of sizes, durations and times.
 *
 * Own code because PostgreSQL's pg_size_bytes() and interval input throw and
 * allow more than can be rendered (fractions, months).
 */
#include "floe.h"

#include "engine/spark_values.h"

#include "common/int.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SECOND INT64CONST(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)
#define LONGEST (100 * 366 * DAY)

typedef struct Unit
{
	const char *name;
	int64_t factor;
} Unit;

static const Unit size_units[] = {
	{"B", 1},
	{"kB", INT64CONST(1) << 10},
	{"KiB", INT64CONST(1) << 10},
	{"MB", INT64CONST(1) << 20},
	{"MiB", INT64CONST(1) << 20},
	{"GB", INT64CONST(1) << 30},
	{"GiB", INT64CONST(1) << 30},
	{"TB", INT64CONST(1) << 40},
	{"TiB", INT64CONST(1) << 40},
};

static const Unit time_units[] = {
	{"weeks", WEEK},    {"week", WEEK},   {"w", WEEK},      {"days", DAY}, {"day", DAY},
	{"d", DAY},         {"hours", HOUR},  {"hour", HOUR},   {"h", HOUR},   {"minutes", MINUTE},
	{"minute", MINUTE}, {"min", MINUTE},  {"mins", MINUTE}, {"m", MINUTE}, {"seconds", SECOND},
	{"second", SECOND}, {"secs", SECOND}, {"sec", SECOND},  {"s", SECOND}, {"milliseconds", 1},
	{"millisecond", 1}, {"ms", 1},
};

static const char *
skip_blanks(const char *at)
{
	while (isspace((unsigned char) *at))
		at++;
	return at;
}

/* Digits, at least one; NULL when there is none or the number does not fit. */
static const char *
take_number(const char *at, int64_t *number)
{
	if (!isdigit((unsigned char) *at))
		return NULL;
	*number = 0;
	for (; isdigit((unsigned char) *at); at++)
	{
		if (pg_mul_s64_overflow(*number, 10, number) || pg_add_s64_overflow(*number, *at - '0', number))
			return NULL;
	}
	return at;
}

/* A word of letters that is one of the units, without case; NULL when it is none. */
static const char *
take_unit(const char *at, const Unit *units, size_t nunits, int64_t *factor)
{
	size_t len = 0;

	while (isalpha((unsigned char) at[len]))
		len++;
	for (size_t i = 0; i < nunits; i++)
	{
		if (len == strlen(units[i].name) && strncasecmp(at, units[i].name, len) == 0)
		{
			*factor = units[i].factor;
			return at + len;
		}
	}
	return NULL;
}

bool
floe_spark_parse_bytes(const char *text, int64_t *bytes)
{
	int64_t number;
	int64_t factor = 1;
	const char *at = take_number(skip_blanks(text), &number);

	if (at == NULL)
		return false;
	at = skip_blanks(at);
	if (*at != '\0')
		at = take_unit(at, size_units, lengthof(size_units), &factor);
	if (at == NULL || *skip_blanks(at) != '\0')
		return false;
	return !pg_mul_s64_overflow(number, factor, bytes);
}

/* Adds number * factor to a sum that stays below the longest duration. */
static bool
add_time(int64_t *ms, int64_t number, int64_t factor)
{
	int64_t part;

	return !pg_mul_s64_overflow(number, factor, &part) && !pg_add_s64_overflow(*ms, part, ms) && *ms <= LONGEST;
}

/* ISO 8601, behind the P: weeks, days, then T and hours, minutes, seconds, each at most once and in that order. */
static bool
parse_iso(const char *at, int64_t *ms)
{
	static const struct
	{
		char letter;
		bool is_time;
		int64_t factor;
	} parts[] = {{'W', false, WEEK}, {'D', false, DAY}, {'H', true, HOUR}, {'M', true, MINUTE}, {'S', true, SECOND}};
	size_t next = 0;
	bool is_time = false;
	int64_t number;

	*ms = 0;
	if (*at == '\0')
		return false;
	while (*at != '\0')
	{
		if (*at == 'T' && !is_time)
		{
			is_time = true;
			at++;
		}
		at = take_number(at, &number);
		if (at == NULL)
			return false;
		while (next < lengthof(parts) && (parts[next].letter != *at || parts[next].is_time != is_time))
			next++;
		if (next == lengthof(parts) || !add_time(ms, number, parts[next].factor))
			return false;
		next++;
		at++;
	}
	return true;
}

bool
floe_spark_parse_duration(const char *text, int64_t *ms)
{
	const char *at = skip_blanks(text);
	int64_t number;
	int64_t factor;

	if (*at == 'P')
		return parse_iso(at + 1, ms);
	*ms = 0;
	if (*at == '\0')
		return false;
	while (*at != '\0')
	{
		at = take_number(at, &number);
		if (at != NULL)
			at = take_unit(skip_blanks(at), time_units, lengthof(time_units), &factor);
		if (at == NULL || !add_time(ms, number, factor))
			return false;
		at = skip_blanks(at);
	}
	return true;
}

void
floe_spark_append_duration(FloeBuf *buf, int64_t ms)
{
	static const Unit units[] = {
		{"day", DAY}, {"hour", HOUR}, {"minute", MINUTE}, {"second", SECOND}, {"millisecond", 1}};
	size_t i = 0;

	while (ms % units[i].factor != 0)
		i++;
	/* zero is a multiple of everything */
	if (ms == 0)
		i = 3;
	ms /= units[i].factor;
	floe_buf_printf(buf, "%lld %s%s", (long long) ms, units[i].name, ms == 1 ? "" : "s");
}

void
floe_spark_append_timestamp(FloeBuf *buf, int64_t epoch_ms)
{
	int64_t part = (epoch_ms % 1000 + 1000) % 1000;
	time_t seconds = (time_t) ((epoch_ms - part) / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	floe_buf_printf(buf, "%04d-%02d-%02d %02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec, (int) part);
}
