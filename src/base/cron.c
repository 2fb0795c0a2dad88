/*
 * cron.c: parsing cron expressions and windows, and finding the next time in a zone.
 *
 * Own code, because the C libraries for it know only the process's zone.
 * Local time is a count of minutes, so that between two changes of the offset
 * it is UTC plus a constant and finding a time is arithmetic.
 */
#include "floe.h"

#include "base/cron.h"

#include <ctype.h>
#include <string.h>

#define DAY_MINUTES 1440
#define DAY_SECONDS 86400
/* the rarest day, 29 February on one day of the week, comes after 40 years at the latest (across 2100) */
#define CRON_HORIZON_DAYS 14975
#define WINDOW_HORIZON_DAYS 15
#define MAX_CHANGES 400

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
										  "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

typedef struct FieldKind
{
	const char *name;
	int min;
	int max;
	const char *const *names;
	int first_name; /* value of names[0] */
} FieldKind;

static const FieldKind field_kinds[] = {
	{"minute", 0, 59, NULL, 0},          {"hour", 0, 23, NULL, 0},
	{"day of month", 1, 31, NULL, 0},    {"month", 1, 12, month_names, 1},
	{"day of week", 0, 7, day_names, 0},
};

static bool
parse_value(const FieldKind *kind, const char **p, int *value)
{
	if (isdigit((unsigned char) **p))
	{
		int n = 0;

		while (isdigit((unsigned char) **p) && n < 1000)
			n = n * 10 + (*(*p)++ - '0');
		*value = n;
		return n >= kind->min && n <= kind->max;
	}
	if (kind->names != NULL)
	{
		int count = kind->max - kind->first_name + (kind->names == day_names ? 0 : 1);

		for (int i = 0; i < count; i++)
		{
			if (pg_strncasecmp(*p, kind->names[i], 3) == 0)
			{
				*p += 3;
				*value = i + kind->first_name;
				return true;
			}
		}
	}
	return false;
}

/* One element of a list: *, a, a-b, each with /step. */
static bool
parse_element(const FieldKind *kind, const char **p, uint64_t *bits)
{
	int low;
	int high;
	int step = 1;

	if (**p == '*')
	{
		(*p)++;
		low = kind->min;
		high = kind->max;
	}
	else
	{
		if (!parse_value(kind, p, &low))
			return false;
		high = low;
		if (**p == '-')
		{
			(*p)++;
			if (!parse_value(kind, p, &high))
				return false;
		}
		else if (**p == '/')
			high = kind->max;
	}
	if (**p == '/')
	{
		int n = 0;

		(*p)++;
		if (!isdigit((unsigned char) **p))
			return false;
		while (isdigit((unsigned char) **p) && n < 1000)
			n = n * 10 + (*(*p)++ - '0');
		if (n < 1 || n > kind->max)
			return false;
		step = n;
	}
	if (low > high)
		return false;
	for (int i = low; i <= high; i += step)
		*bits |= UINT64CONST(1) << i;
	return true;
}

static bool
parse_field(int index, const char *text, size_t len, uint64_t *bits, bool *any, FloeStatus *st)
{
	const FieldKind *kind = &field_kinds[index];
	char field[128];
	const char *p = field;

	if (len >= sizeof(field))
		return floe_fail(st, FLOE_ERR_CONFIG, "the %s field is too long", kind->name);
	memcpy(field, text, len);
	field[len] = '\0';
	*bits = 0;
	*any = field[0] == '*';
	for (;;)
	{
		if (!parse_element(kind, &p, bits))
			break;
		if (*p == '\0')
			return true;
		if (*p++ != ',')
			break;
	}
	return floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" is no %s of a cron expression (%d to %d, lists, ranges, steps)",
					 field, kind->name, kind->min, kind->max);
}

static const char *
expand_macro(const char *text)
{
	static const char *const macros[][2] = {
		{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
		{"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
	};

	for (size_t i = 0; i < lengthof(macros); i++)
	{
		if (pg_strcasecmp(text, macros[i][0]) == 0)
			return macros[i][1];
	}
	return text;
}

bool
floe_cron_parse(const char *text, FloeCron *cron, FloeStatus *st)
{
	const char *p = expand_macro(text);
	uint64_t bits[lengthof(field_kinds)];
	bool any[lengthof(field_kinds)];

	for (size_t i = 0; i < lengthof(field_kinds); i++)
	{
		size_t len;

		p += strspn(p, " \t");
		len = strcspn(p, " \t");
		if (len == 0)
			return floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" has %zu of the 5 fields of a cron expression", text, i);
		if (!parse_field((int) i, p, len, &bits[i], &any[i], st))
			return false;
		p += len;
	}
	p += strspn(p, " \t");
	if (*p != '\0')
		return floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" has more than the 5 fields of a cron expression", text);
	cron->minutes = bits[0];
	cron->hours = (uint32_t) bits[1];
	cron->days = (uint32_t) bits[2];
	cron->months = (uint16_t) bits[3];
	cron->weekdays = (uint8_t) ((bits[4] | bits[4] >> 7) & 0x7F);
	cron->wildcard = any[0] || any[1];
	cron->any_day = any[2];
	cron->any_weekday = any[4];
	return true;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01 to month and day of month (proleptic Gregorian; H. Hinnant's civil_from_days). */
static void
civil(int64_t days, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = floor_div(z, 146097);
	int doe = (int) (z - era * 146097);
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
}

static int
weekday(int64_t days)
{
	return (int) (((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

static bool
day_matches(const FloeCron *cron, int64_t days)
{
	int month;
	int day;
	bool by_date;
	bool by_weekday;

	civil(days, &month, &day);
	if ((cron->months >> month & 1) == 0)
		return false;
	by_date = cron->days >> day & 1;
	by_weekday = cron->weekdays >> weekday(days) & 1;
	if (cron->any_day || cron->any_weekday)
		return by_date && by_weekday;
	return by_date || by_weekday;
}

/* First matching local minute in [from, to); -1: none. */
static int64_t
first_local(const FloeCron *cron, int64_t from, int64_t to)
{
	for (int64_t day = floor_div(from, DAY_MINUTES); day * DAY_MINUTES < to; day++)
	{
		if (!day_matches(cron, day))
			continue;
		for (int hour = 0; hour < 24; hour++)
		{
			if ((cron->hours >> hour & 1) == 0 || day * DAY_MINUTES + hour * 60 + 59 < from)
				continue;
			for (int minute = 0; minute < 60; minute++)
			{
				int64_t local = day * DAY_MINUTES + hour * 60 + minute;

				if ((cron->minutes >> minute & 1) && local >= from)
					return local < to ? local : -1;
			}
		}
	}
	return -1;
}

/* A stretch of time with one offset, while walking along a zone. */
typedef struct Stretch
{
	const FloeZone *zone;
	int64_t start_s;
	int32_t offset_s;
	bool ends;
	int64_t end_s;
	int32_t next_offset_s;
	int64_t repeated_until; /* local seconds below this happened before, in the stretch before */
} Stretch;

static void
stretch_next(Stretch *s)
{
	int64_t local_end = s->end_s + s->offset_s;

	s->repeated_until = s->next_offset_s < s->offset_s ? local_end : INT64_MIN;
	s->start_s = s->end_s;
	s->ends = s->zone->change(s->zone->arg, s->start_s, &s->offset_s, &s->end_s, &s->next_offset_s);
}

/* The stretch that holds at_s; looks back two days to know of a repeated hour. */
static void
stretch_find(Stretch *s, const FloeZone *zone, int64_t at_s)
{
	s->zone = zone;
	s->start_s = at_s - 2 * DAY_SECONDS;
	s->repeated_until = INT64_MIN;
	s->ends = zone->change(zone->arg, s->start_s, &s->offset_s, &s->end_s, &s->next_offset_s);
	for (int i = 0; i < MAX_CHANGES && s->ends && s->end_s <= at_s; i++)
		stretch_next(s);
}

bool
floe_cron_next(const FloeCron *cron, const FloeZone *zone, int64_t after_s, int64_t *next_s)
{
	int64_t at = (floor_div(after_s, 60) + 1) * 60;
	int64_t horizon = after_s + (int64_t) CRON_HORIZON_DAYS * DAY_SECONDS;
	Stretch s;

	/* of after_s, not of the minute after it: the clock may jump in between */
	stretch_find(&s, zone, after_s);
	for (int i = 0; i < MAX_CHANGES; i++)
	{
		int64_t end = s.ends && s.end_s < horizon ? s.end_s : horizon;
		int64_t from = floor_div(at + s.offset_s + 59, 60);
		int64_t to = floor_div(end + s.offset_s + 59, 60);
		int64_t local;

		if (!cron->wildcard && s.repeated_until != INT64_MIN && from * 60 < s.repeated_until)
			from = floor_div(s.repeated_until + 59, 60);
		local = first_local(cron, from, to);
		if (local != -1)
		{
			*next_s = local * 60 - s.offset_s;
			return true;
		}
		if (!s.ends || s.end_s >= horizon)
			return false;
		/* what the clock jumps over happens at the jump */
		if (!cron->wildcard && s.next_offset_s > s.offset_s && s.end_s > after_s &&
			first_local(cron, floor_div(s.end_s + s.offset_s, 60), floor_div(s.end_s + s.next_offset_s, 60)) != -1)
		{
			*next_s = s.end_s;
			return true;
		}
		at = s.end_s;
		stretch_next(&s);
	}
	return false;
}

static bool
parse_clock(const char **p, int *minutes)
{
	int hour = 0;
	int minute = 0;
	int digits = 0;

	while (isdigit((unsigned char) **p) && digits < 2)
	{
		hour = hour * 10 + (*(*p)++ - '0');
		digits++;
	}
	if (digits == 0 || *(*p)++ != ':')
		return false;
	if (!isdigit((unsigned char) (*p)[0]) || !isdigit((unsigned char) (*p)[1]))
		return false;
	minute = ((*p)[0] - '0') * 10 + ((*p)[1] - '0');
	*p += 2;
	if (minute > 59 || hour > 24 || (hour == 24 && minute > 0))
		return false;
	*minutes = hour * 60 + minute;
	return true;
}

bool
floe_window_add(FloeWindows *windows, const char *text, FloeStatus *st)
{
	const char *p = text + strspn(text, " ");
	int start;
	int end;

	if (windows->n == FLOE_WINDOWS_MAX)
		return floe_fail(st, FLOE_ERR_CONFIG, "there are more than %d windows", FLOE_WINDOWS_MAX);
	if (!parse_clock(&p, &start) || start == DAY_MINUTES)
		return floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" is not a window HH:MM-HH:MM", text);
	p += strspn(p, " ");
	if (*p++ != '-')
		return floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" is not a window HH:MM-HH:MM", text);
	p += strspn(p, " ");
	if (!parse_clock(&p, &end) || p[strspn(p, " ")] != '\0')
		return floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" is not a window HH:MM-HH:MM", text);
	if (end <= start)
		end += DAY_MINUTES;
	windows->start[windows->n] = (int16_t) start;
	windows->length[windows->n] = (int16_t) (end - start);
	windows->n++;
	return true;
}

bool
floe_window_add_day(FloeWindows *windows, const char *text, FloeStatus *st)
{
	static const char *const full[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

	for (int i = 0; i < 7; i++)
	{
		if (pg_strcasecmp(text, day_names[i]) == 0 || pg_strcasecmp(text, full[i]) == 0)
		{
			windows->weekdays |= (uint8_t) (1 << i);
			return true;
		}
	}
	return floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" is not a day of the week (mon to sun)", text);
}

/* First local minute in [from, to) that lies in a window; INT64_MAX: none. */
static int64_t
first_open(const FloeWindows *windows, int64_t from, int64_t to)
{
	int count = windows->n > 0 ? windows->n : 1;
	int64_t best = INT64_MAX;

	/* a window that began the day before may still be open */
	for (int64_t day = floor_div(from, DAY_MINUTES) - 1; day * DAY_MINUTES < to; day++)
	{
		if (windows->weekdays != 0 && (windows->weekdays >> weekday(day) & 1) == 0)
			continue;
		for (int i = 0; i < count; i++)
		{
			int64_t start = day * DAY_MINUTES + (windows->n > 0 ? windows->start[i] : 0);
			int64_t end = start + (windows->n > 0 ? windows->length[i] : DAY_MINUTES);
			int64_t open = start > from ? start : from;

			if (open < end && open < to && open < best)
				best = open;
		}
	}
	return best;
}

bool
floe_window_next(const FloeWindows *windows, const FloeZone *zone, int64_t at_s, int64_t *next_s)
{
	int64_t horizon = at_s + (int64_t) WINDOW_HORIZON_DAYS * DAY_SECONDS;
	int64_t at = at_s;
	Stretch s;

	stretch_find(&s, zone, at);
	for (int i = 0; i < MAX_CHANGES; i++)
	{
		int64_t end = s.ends && s.end_s < horizon ? s.end_s : horizon;
		int64_t local = first_open(windows, floor_div(at + s.offset_s, 60), floor_div(end + s.offset_s + 59, 60));

		if (local != INT64_MAX)
		{
			int64_t found = local * 60 - s.offset_s;

			*next_s = found > at ? found : at;
			return true;
		}
		if (!s.ends || s.end_s >= horizon)
			return false;
		at = s.end_s;
		stretch_next(&s);
	}
	return false;
}
