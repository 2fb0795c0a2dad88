/*
 * predicate_time.c: dates and times of predicates, read and written without the server and the C library's time zones.
 */
#include "floe.h"

#include "engine/predicate.h"

#include <ctype.h>
#include <string.h>

/* The proleptic Gregorian calendar, as Iceberg's. */
static int64_t
days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
date_of(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;

	*day = (int) (of_year - (153 * m + 2) / 5 + 1);
	*month = (int) (m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2 ? 1 : 0);
}

/* Exactly so many digits. */
static bool
digits(const char **at, int count, int *value)
{
	*value = 0;
	for (int i = 0; i < count; i++, (*at)++)
	{
		if (!isdigit((unsigned char) **at))
			return false;
		*value = *value * 10 + (**at - '0');
	}
	return true;
}

static bool
sign(const char **at, char c)
{
	return *(*at)++ == c;
}

static bool
take_date(const char **at, int64_t *days)
{
	static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day;

	if (!digits(at, 4, &year) || !sign(at, '-') || !digits(at, 2, &month) || !sign(at, '-') || !digits(at, 2, &day))
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1] ||
		(month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0))))
		return false;
	*days = days_of(year, month, day);
	return true;
}

bool
floe_parse_date(const char *text, int64_t *days)
{
	return take_date(&text, days) && *text == '\0';
}

/* Z, +02, +02:00, +0200, or nothing, which is UTC. */
static bool
take_zone(const char **at, int64_t *offset)
{
	int hours = 0;
	int minutes = 0;
	bool is_west = **at == '-';

	*offset = 0;
	if (**at == 'Z' || **at == 'z')
		(*at)++;
	else if (**at == '+' || **at == '-')
	{
		(*at)++;
		if (!digits(at, 2, &hours) || hours > 18)
			return false;
		if (**at == ':')
			(*at)++;
		if (**at != '\0' && (!digits(at, 2, &minutes) || minutes > 59))
			return false;
		*offset = (int64_t) (is_west ? -1 : 1) * (hours * 60 + minutes) * INT64CONST(60000000);
	}
	return true;
}

bool
floe_parse_timestamp(const char *text, int64_t *micros)
{
	const char *at = text;
	int64_t days, offset;
	int hour, minute;
	int second = 0;
	int fraction = 0;
	int places = 100000;

	if (!take_date(&at, &days))
		return false;
	*micros = days * FLOE_MICROS_PER_DAY;
	if (*at == '\0')
		return true;
	if ((*at != ' ' && *at != 'T') || at[1] == '\0')
		return false;
	at++;
	if (!digits(&at, 2, &hour) || !sign(&at, ':') || !digits(&at, 2, &minute) || hour > 23 || minute > 59)
		return false;
	if (*at == ':')
	{
		at++;
		if (!digits(&at, 2, &second) || second > 59)
			return false;
		if (*at == '.')
		{
			at++;
			if (!isdigit((unsigned char) *at))
				return false;
			for (; isdigit((unsigned char) *at) && places > 0; at++, places /= 10)
				fraction += (*at - '0') * places;
		}
	}
	if (!take_zone(&at, &offset) || *at != '\0')
		return false;
	*micros += (((int64_t) hour * 60 + minute) * 60 + second) * INT64CONST(1000000) + fraction - offset;
	return true;
}

void
floe_append_date(FloeBuf *out, int64_t days)
{
	int64_t year;
	int month, day;

	date_of(days, &year, &month, &day);
	floe_buf_printf(out, "%04lld-%02d-%02d", (long long) year, month, day);
}

void
floe_append_timestamp(FloeBuf *out, int64_t micros)
{
	int64_t days = micros / FLOE_MICROS_PER_DAY;
	int64_t rest = micros % FLOE_MICROS_PER_DAY;

	if (rest < 0)
	{
		days--;
		rest += FLOE_MICROS_PER_DAY;
	}
	floe_append_date(out, days);
	floe_buf_printf(out, " %02d:%02d:%02d.%06d", (int) (rest / INT64CONST(3600000000)), (int) (rest / 60000000 % 60),
					(int) (rest / 1000000 % 60), (int) (rest % 1000000));
}

FloeLiteral
floe_literal_at(const FloeLiteral *literal, int64_t now_ms)
{
	int64_t today = now_ms / 86400000 - (now_ms % 86400000 < 0 ? 1 : 0);

	if (literal->kind == FLOE_LITERAL_TODAY)
		return (FloeLiteral){FLOE_LITERAL_DATE, NULL, today + literal->number};
	if (literal->kind == FLOE_LITERAL_NOW)
		return (FloeLiteral){FLOE_LITERAL_TIMESTAMP, NULL, (now_ms + literal->number) * 1000};
	return *literal;
}

int64_t
floe_time_floor(int64_t micros, FloeTimeUnit unit, int steps)
{
	int64_t hour = INT64CONST(3600000000);
	int64_t span = unit == FLOE_TIME_HOUR ? hour : FLOE_MICROS_PER_DAY;
	int64_t count = micros / span - (micros % span < 0 ? 1 : 0);
	int64_t year;
	int month, day;

	if (unit == FLOE_TIME_HOUR || unit == FLOE_TIME_DAY)
		return (count + steps) * span;
	date_of(count, &year, &month, &day);
	if (unit == FLOE_TIME_YEAR)
		return days_of((int) year + steps, 1, 1) * FLOE_MICROS_PER_DAY;
	month += steps;
	return days_of((int) year + (month - 1) / 12, (month - 1) % 12 + 1, 1) * FLOE_MICROS_PER_DAY;
}
