/*
 * cron.h: 5-field cron expressions, and windows of a day, in a time zone.
 *
 * Pure: the zone is a callback that knows when its offset from UTC changes,
 * so the same code runs on PostgreSQL's time zones and on the tests' own.
 *
 * Daylight saving is as in cron(8).  A local time that the clock skips happens
 * at the moment of the jump, one that comes twice counts the first time only;
 * but where the minute or the hour field begins with *, the clock as it is
 * decides.  Windows follow the clock as it is, too: one in the hour that comes
 * twice opens twice, one in the hour that is skipped does not open.
 */
#ifndef FLOE_BASE_CRON_H
#define FLOE_BASE_CRON_H

#include "base/status.h"

typedef struct FloeCron
{
	uint64_t minutes; /* bit 0 to 59 */
	uint32_t hours;   /* bit 0 to 23 */
	uint32_t days;    /* bit 1 to 31 */
	uint16_t months;  /* bit 1 to 12 */
	uint8_t weekdays; /* bit 0 (Sunday) to 6 */
	bool wildcard;    /* the minute or the hour field begins with * */
	bool any_day;     /* the field begins with * */
	bool any_weekday;
} FloeCron;

/*
 * Fields: minute hour day-of-month month day-of-week; each a list of values,
 * ranges and steps; names jan–dec and sun–sat; 7 is Sunday too.  When both day
 * fields are restricted, either of them is enough (as in Vixie cron).  Also
 * @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually.
 */
extern bool floe_cron_parse(const char *text, FloeCron *cron, FloeStatus *st);

/* Offset in force at utc_s, and the next change after it; false: it never changes again. */
typedef bool (*FloeZoneChange)(void *arg, int64_t utc_s, int32_t *offset_s, int64_t *change_s, int32_t *new_offset_s);

typedef struct FloeZone
{
	FloeZoneChange change;
	void *arg;
} FloeZone;

/* First time after after_s, in seconds since the epoch (UTC); false: there is none. */
extern bool floe_cron_next(const FloeCron *cron, const FloeZone *zone, int64_t after_s, int64_t *next_s);

#define FLOE_WINDOWS_MAX 16

typedef struct FloeWindows
{
	int n;                            /* 0: the whole day */
	int16_t start[FLOE_WINDOWS_MAX];  /* minutes from midnight */
	int16_t length[FLOE_WINDOWS_MAX]; /* minutes, up to a whole day */
	uint8_t weekdays;                 /* bit 0 (Sunday) to 6: days on which windows may start; 0: all */
} FloeWindows;

/* "HH:MM-HH:MM"; the end is exclusive; before or equal to the start it lies on the next day. */
extern bool floe_window_add(FloeWindows *windows, const char *text, FloeStatus *st);
/* mon, monday, Mon … */
extern bool floe_window_add_day(FloeWindows *windows, const char *text, FloeStatus *st);

/* at_s itself if it lies in a window, else the next start; false: none within two weeks. */
extern bool floe_window_next(const FloeWindows *windows, const FloeZone *zone, int64_t at_s, int64_t *next_s);

#endif /* FLOE_BASE_CRON_H */
