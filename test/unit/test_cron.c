/*
 * test_cron.c: cron expressions and windows as tables, in a zone with daylight saving; and location keys.
 *
 * The zone is Central Europe in 2026: UTC+1, UTC+2 from 29 March 01:00 UTC to
 * 25 October 01:00 UTC.  test/e2e/test_schedules.py asks an independent library
 * about real zones; here are the rules themselves.
 */
#include "floe.h"

#include "base/cron.h"
#include "base/location.h"

#include "tap.h"

#include <stdlib.h>
#include <time.h>

#define SPRING INT64CONST(1774746000) /* 2026-03-29 01:00 UTC */
#define AUTUMN INT64CONST(1792890000) /* 2026-10-25 01:00 UTC */

static bool
europe(void *arg, int64_t utc_s, int32_t *offset_s, int64_t *change_s, int32_t *new_offset_s)
{
	(void) arg;
	if (utc_s < SPRING)
	{
		*offset_s = 3600;
		*change_s = SPRING;
		*new_offset_s = 7200;
		return true;
	}
	if (utc_s < AUTUMN)
	{
		*offset_s = 7200;
		*change_s = AUTUMN;
		*new_offset_s = 3600;
		return true;
	}
	*offset_s = 3600;
	return false;
}

static bool
utc(void *arg, int64_t utc_s, int32_t *offset_s, int64_t *change_s, int32_t *new_offset_s)
{
	(void) arg;
	(void) utc_s;
	(void) change_s;
	(void) new_offset_s;
	*offset_s = 0;
	return false;
}

static const FloeZone europe_zone = {europe, NULL};
static const FloeZone utc_zone = {utc, NULL};

static int64_t
parse_time(const char *text)
{
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	if (sscanf(text, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) <
		5)
		abort();
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return timegm(&tm);
}

static const char *
show_time(int64_t t)
{
	static char text[32];
	time_t value = (time_t) t;
	struct tm tm;

	gmtime_r(&value, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	return text;
}

typedef struct CronCase
{
	const char *expression;
	const FloeZone *zone;
	const char *after; /* UTC */
	const char *next;  /* UTC; NULL: never; "": refused */
} CronCase;

static const CronCase cron_cases[] = {
	{"* * * * *", &utc_zone, "2026-01-01 00:00:00", "2026-01-01 00:01"},
	{"* * * * *", &utc_zone, "2026-01-01 00:00:59", "2026-01-01 00:01"},
	{"0 2 * * *", &utc_zone, "2026-01-01 02:00:00", "2026-01-02 02:00"},
	{"0 2 * * *", &utc_zone, "2026-01-01 01:59:59", "2026-01-01 02:00"},
	{"*/15 * * * *", &utc_zone, "2026-01-01 00:16", "2026-01-01 00:30"},
	{"5-10/2 * * * *", &utc_zone, "2026-01-01 00:07", "2026-01-01 00:09"},
	{"5/20 * * * *", &utc_zone, "2026-01-01 00:26", "2026-01-01 00:45"},
	{"0 0 29 2 *", &utc_zone, "2026-01-01 00:00", "2028-02-29 00:00"},
	{"0 0 31 * *", &utc_zone, "2026-04-01 00:00", "2026-05-31 00:00"},
	{"0 0 30 2 *", &utc_zone, "2026-01-01 00:00", NULL},
	{"0 0 * * sun", &utc_zone, "2026-01-01 00:00", "2026-01-04 00:00"},
	{"0 0 * * 7", &utc_zone, "2026-01-01 00:00", "2026-01-04 00:00"},
	{"0 0 * * MON-FRI", &utc_zone, "2026-01-02 12:00", "2026-01-05 00:00"},
	{"0 0 13 * fri", &utc_zone, "2026-01-01 00:00", "2026-01-02 00:00"},
	{"0 0 13 * *", &utc_zone, "2026-01-01 00:00", "2026-01-13 00:00"},
	{"0 0 1 jan,jul *", &utc_zone, "2026-01-01 00:00", "2026-07-01 00:00"},
	{"30 23 31 12 *", &utc_zone, "2026-12-31 23:30", "2027-12-31 23:30"},
	{"@daily", &utc_zone, "2026-01-01 10:00", "2026-01-02 00:00"},
	{"@hourly", &utc_zone, "2026-01-01 10:00", "2026-01-01 11:00"},
	{"  0   2  *  *  * ", &utc_zone, "2026-01-01 00:00", "2026-01-01 02:00"},
	/* winter and summer */
	{"0 2 * * *", &europe_zone, "2026-01-10 00:00", "2026-01-10 01:00"},
	{"0 2 * * *", &europe_zone, "2026-07-10 00:30", "2026-07-11 00:00"},
	/* 02:30 on 29 March does not exist: at the jump, 03:00 local */
	{"30 2 * * *", &europe_zone, "2026-03-28 12:00", "2026-03-29 01:00"},
	{"30 2 * * *", &europe_zone, "2026-03-29 01:00", "2026-03-30 00:30"},
	/* asked in the last minute before the jump */
	{"30 2 * * *", &europe_zone, "2026-03-29 00:59", "2026-03-29 01:00"},
	{"30 2 * * *", &europe_zone, "2026-03-29 00:59:59", "2026-03-29 01:00"},
	{"0 3 * * *", &europe_zone, "2026-03-28 12:00", "2026-03-29 01:00"},
	{"0 * * * *", &europe_zone, "2026-03-29 00:00", "2026-03-29 01:00"},
	{"0 * * * *", &europe_zone, "2026-03-29 01:00", "2026-03-29 02:00"},
	/* with * in the minute or the hour (cron(8)) what is skipped does not happen */
	{"30 * * * *", &europe_zone, "2026-03-29 00:30", "2026-03-29 01:30"},
	{"0 */2 * * *", &europe_zone, "2026-03-28 23:00", "2026-03-29 02:00"},
	{"*/20 2 * * *", &europe_zone, "2026-03-29 00:30", "2026-03-30 00:00"},
	{"0-59/20 2 * * *", &europe_zone, "2026-03-29 00:30", "2026-03-29 01:00"},
	/* 02:30 on 25 October happens twice: 00:30 and 01:30 UTC */
	{"30 2 * * *", &europe_zone, "2026-10-24 12:00", "2026-10-25 00:30"},
	{"30 2 * * *", &europe_zone, "2026-10-25 00:30", "2026-10-26 01:30"},
	{"30 * * * *", &europe_zone, "2026-10-25 00:30", "2026-10-25 01:30"},
	{"30 2 * * *", &europe_zone, "2026-10-25 01:10", "2026-10-26 01:30"},
	{"0 3 * * *", &europe_zone, "2026-10-25 00:30", "2026-10-25 02:00"},
	{"0 2 * * *", &europe_zone, "2026-10-25 00:00", "2026-10-26 01:00"},
	/* ... and with * in either, what comes twice happens twice */
	{"*/30 2 * * *", &europe_zone, "2026-10-25 00:30", "2026-10-25 01:00"},
	{"0-59/30 2 * * *", &europe_zone, "2026-10-25 00:30", "2026-10-26 01:00"},
	/* the rarest days there are: 29 February across 2100, and only on a Sunday */
	{"0 0 29 2 *", &utc_zone, "2096-03-01 00:00", "2104-02-29 00:00"},
	{"0 0 29 2 */7", &utc_zone, "2026-01-01 00:00", "2032-02-29 00:00"},
	{"0 0 29 2 */7", &utc_zone, "2088-03-01 00:00", "2128-02-29 00:00"},
	{"0 0 29 2 */7", &europe_zone, "2026-01-01 00:00", "2032-02-28 23:00"},
	{"", &utc_zone, "2026-01-01 00:00", ""},
	{"0 2 * *", &utc_zone, "2026-01-01 00:00", ""},
	{"0 2 * * * *", &utc_zone, "2026-01-01 00:00", ""},
	{"60 * * * *", &utc_zone, "2026-01-01 00:00", ""},
	{"* 24 * * *", &utc_zone, "2026-01-01 00:00", ""},
	{"* * 0 * *", &utc_zone, "2026-01-01 00:00", ""},
	{"* * * 13 *", &utc_zone, "2026-01-01 00:00", ""},
	{"* * * * 8", &utc_zone, "2026-01-01 00:00", ""},
	{"10-5 * * * *", &utc_zone, "2026-01-01 00:00", ""},
	{"*/0 * * * *", &utc_zone, "2026-01-01 00:00", ""},
	{"1,,2 * * * *", &utc_zone, "2026-01-01 00:00", ""},
	{"1, * * * *", &utc_zone, "2026-01-01 00:00", ""},
	{"a * * * *", &utc_zone, "2026-01-01 00:00", ""},
	{"0 0 ? * MON", &utc_zone, "2026-01-01 00:00", ""},
	{"99999999999999999999 * * * *", &utc_zone, "2026-01-01 00:00", ""},
};

static void
test_cron(void)
{
	for (size_t i = 0; i < lengthof(cron_cases); i++)
	{
		const CronCase *c = &cron_cases[i];
		FloeCron cron;
		FloeStatus st;
		int64_t next = 0;

		if (!floe_cron_parse(c->expression, &cron, &st))
			ok(c->next != NULL && c->next[0] == '\0', "[%s] is refused: %s", c->expression, st.message);
		else if (!floe_cron_next(&cron, c->zone, parse_time(c->after), &next))
			ok(c->next == NULL, "[%s] never happens", c->expression);
		else
			is_str(show_time(next), c->next, "[%s] after %s", c->expression, c->after);
	}
}

typedef struct WindowCase
{
	const char *windows[3];
	const char *days[4];
	const FloeZone *zone;
	const char *at;
	const char *next; /* NULL: never; "": refused */
} WindowCase;

static const WindowCase window_cases[] = {
	{{"22:00-06:00"}, {NULL}, &utc_zone, "2026-01-01 23:00", "2026-01-01 23:00"},
	{{"22:00-06:00"}, {NULL}, &utc_zone, "2026-01-01 05:59", "2026-01-01 05:59"},
	{{"22:00-06:00"}, {NULL}, &utc_zone, "2026-01-01 06:00", "2026-01-01 22:00"},
	{{"22:00-06:00"}, {NULL}, &utc_zone, "2026-01-01 21:59", "2026-01-01 22:00"},
	/* the day is that of the window's start: Saturday 05:00 belongs to Friday's window */
	{{"22:00-06:00"}, {"fri"}, &utc_zone, "2026-01-03 05:00", "2026-01-03 05:00"},
	{{"22:00-06:00"}, {"sat"}, &utc_zone, "2026-01-03 05:00", "2026-01-03 22:00"},
	{{"09:00-10:00", "15:00-16:00"}, {NULL}, &utc_zone, "2026-01-01 12:00", "2026-01-01 15:00"},
	{{"09:00-10:00", "15:00-16:00"}, {NULL}, &utc_zone, "2026-01-01 16:00", "2026-01-02 09:00"},
	{{NULL}, {"mon", "Tuesday"}, &utc_zone, "2026-01-01 12:00", "2026-01-05 00:00"},
	{{NULL}, {"thu"}, &utc_zone, "2026-01-01 12:00", "2026-01-01 12:00"},
	{{NULL}, {NULL}, &utc_zone, "2026-01-01 12:00", "2026-01-01 12:00"},
	{{"00:00-24:00"}, {NULL}, &utc_zone, "2026-01-01 12:00", "2026-01-01 12:00"},
	{{"00:00-00:00"}, {NULL}, &utc_zone, "2026-01-01 12:00", "2026-01-01 12:00"},
	{{"02:00-04:00"}, {NULL}, &europe_zone, "2026-07-01 01:00", "2026-07-01 01:00"},
	{{"02:00-04:00"}, {NULL}, &europe_zone, "2026-07-01 02:00", "2026-07-02 00:00"},
	{{"02:30-04:00"}, {NULL}, &europe_zone, "2026-03-29 00:30", "2026-03-29 01:00"},
	{{"02:30-04:00"}, {NULL}, &europe_zone, "2026-03-28 20:00", "2026-03-29 01:00"},
	{{"02:15-02:45"}, {NULL}, &europe_zone, "2026-03-29 00:30", "2026-03-30 00:15"},
	{{"02:15-02:45", "03:00-03:30"}, {NULL}, &europe_zone, "2026-03-29 00:30", "2026-03-29 01:00"},
	{{"02:30-04:00"}, {NULL}, &europe_zone, "2026-10-24 20:00", "2026-10-25 00:30"},
	/* a window of the hour that comes twice opens twice */
	{{"02:15-02:45"}, {NULL}, &europe_zone, "2026-10-25 00:44", "2026-10-25 00:44"},
	{{"02:15-02:45"}, {NULL}, &europe_zone, "2026-10-25 00:45", "2026-10-25 01:15"},
	{{"02:15-02:45"}, {NULL}, &europe_zone, "2026-10-25 01:44", "2026-10-25 01:44"},
	{{"02:15-02:45"}, {NULL}, &europe_zone, "2026-10-25 01:45", "2026-10-26 01:15"},
	{{"01:00-02:30"}, {NULL}, &europe_zone, "2026-10-25 00:30", "2026-10-25 01:00"},
	{{"02:15-02:45"}, {"sun"}, &europe_zone, "2026-10-25 01:45", "2026-11-01 01:15"},
	/* a week's only window, left out by the jump */
	{{"02:15-02:45"}, {"sun"}, &europe_zone, "2026-03-22 01:45", "2026-04-05 00:15"},
	{{"23:30-02:30"}, {"sat"}, &europe_zone, "2026-03-29 00:59", "2026-03-29 00:59"},
	{{"23:30-02:30"}, {"sat"}, &europe_zone, "2026-03-29 01:00", "2026-04-04 21:30"},
	{{"25:00-26:00"}, {NULL}, &utc_zone, "2026-01-01 12:00", ""},
	{{"9-10"}, {NULL}, &utc_zone, "2026-01-01 12:00", ""},
	{{"09:00"}, {NULL}, &utc_zone, "2026-01-01 12:00", ""},
	{{"09:00-10:60"}, {NULL}, &utc_zone, "2026-01-01 12:00", ""},
	{{"24:00-10:00"}, {NULL}, &utc_zone, "2026-01-01 12:00", ""},
	{{NULL}, {"someday"}, &utc_zone, "2026-01-01 12:00", ""},
};

static void
test_windows(void)
{
	for (size_t i = 0; i < lengthof(window_cases); i++)
	{
		const WindowCase *c = &window_cases[i];
		FloeWindows windows = {0};
		FloeStatus st;
		int64_t next;
		bool fine = true;

		for (int j = 0; j < 3 && fine && c->windows[j] != NULL; j++)
			fine = floe_window_add(&windows, c->windows[j], &st);
		for (int j = 0; j < 4 && fine && c->days[j] != NULL; j++)
			fine = floe_window_add_day(&windows, c->days[j], &st);
		if (!fine)
			ok(c->next != NULL && c->next[0] == '\0', "window case %zu is refused: %s", i, st.message);
		else if (!floe_window_next(&windows, c->zone, parse_time(c->at), &next))
			ok(c->next == NULL, "window case %zu: never", i);
		else
			is_str(show_time(next), c->next, "window case %zu at %s", i, c->at);
	}
}

static void
test_locations(void)
{
	static const char *const cases[][2] = {
		{"file:/a/b", "file:///a/b"},
		{"file:///a/b/", "file:///a/b"},
		{"file://localhost/a/b", "file:///a/b"},
		{"FILE:/a/b", "file:///a/b"},
		{"/a/b", "file:///a/b"},
		{"file:////a", "file:///a"},
		{"s3://b/k", "s3://b/k"},
		{"s3a://b/k/", "s3://b/k"},
		{"S3N://b/k//", "s3://b/k"},
		{"s3://b/a//c", "s3://b/a//c"},
		{"gs://B/k", "gs://B/k"},
		{"abfss://c@acc.dfs.core.windows.net/x/", "abfss://c@acc.dfs.core.windows.net/x"},
		{"", "file://"},
	};
	const char *key = "s3://b/a/c";
	size_t len = strlen(key);

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		FloeBuf buf;

		floe_buf_init(&buf, 1000);
		floe_location_key(&buf, cases[i][0], strlen(cases[i][0]));
		is_str(buf.data, cases[i][1], "key of %s", cases[i][0]);
		floe_buf_free(&buf);
	}
	len = floe_location_parent(key, len);
	ok(len == 8 && strncmp(key, "s3://b/a", len) == 0, "parent of a key");
	len = floe_location_parent(key, len);
	ok(len == 6 && strncmp(key, "s3://b", len) == 0, "the bucket is the last parent");
	is_int(floe_location_parent(key, len), 0, "nothing above the bucket");
}

int
main(void)
{
	test_cron();
	test_windows();
	test_locations();
	return tap_done();
}
