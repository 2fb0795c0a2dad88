"""The table of schedule cases that test_schedules.py holds against the library; data only, so that it can be read and extended by itself.

A case: expression, time zone, a moment in UTC, and how many times after it are compared. Where the library does not say what crontab(5) and cron(8) of
Debian say, the case also has the times that are right, and why.
"""
from __future__ import annotations

from dataclasses import dataclass, field

AMSTERDAM, NEW_YORK, LORD_HOWE, CHATHAM = "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham"


@dataclass
class Case:
    expression: str
    zone: str
    after: str
    count: int = 3
    why: str = ""
    right: list[str] = field(default_factory=list)


CASES = [
    # fields: values, lists, ranges, steps, names
    Case("* * * * *", "UTC", "2026-01-01 00:00:00"),
    Case("* * * * *", "UTC", "2026-12-31 23:58:59"),
    Case("0 * * * *", "UTC", "2026-02-28 22:59:59"),
    Case("59 23 * * *", "UTC", "2026-12-30 23:59:00"),
    Case("0 0 * * *", "UTC", "2026-06-30 00:00:01"),
    Case("*/15 * * * *", "UTC", "2026-01-01 00:14:59", 6),
    Case("*/7 * * * *", "UTC", "2026-01-01 00:50:00", 6),
    Case("*/59 * * * *", "UTC", "2026-01-01 00:50:00", 4),
    Case("7/20 * * * *", "UTC", "2026-01-01 00:27:00", 6),
    Case("10-20/5,50 8-10 * * *", "UTC", "2026-01-01 09:20:00", 10),
    Case("5,10,5,59 0,23 * * *", "UTC", "2026-01-01 22:00:00", 8),
    Case("0 8-18/2 * * *", "UTC", "2026-01-01 12:00:00", 8),
    Case("0 5/6 * * *", "UTC", "2026-01-01 05:00:00", 6),
    Case("0 0 1-31/10 * *", "UTC", "2026-01-25 00:00:00", 8),
    Case("0 12 * jan,APR,Jul,oct *", "UTC", "2026-01-30 00:00:00", 5),
    Case("0 12 1 feb-nov/3 *", "UTC", "2026-01-01 00:00:00", 8),
    Case("0 12 * * mon", "UTC", "2026-01-01 00:00:00"),
    Case("0 12 * * Mon-Fri", "UTC", "2026-01-02 12:00:00", 6),
    Case("0 12 * * sat,SUN", "UTC", "2026-01-02 12:00:00", 5),
    Case("0 12 * * 0", "UTC", "2026-01-01 00:00:00"),
    Case("0 12 * * 7", "UTC", "2026-01-01 00:00:00"),
    Case("0 12 * * 5-7", "UTC", "2026-01-01 13:00:00", 6),
    Case("0 12 * * 1-5/2", "UTC", "2026-01-01 13:00:00", 6),
    Case("0 12 * * */2", "UTC", "2026-01-01 13:00:00", 8),
    Case("0 12 * * */3", "UTC", "2026-01-01 13:00:00", 6),
    Case("15 4 8 * *", "UTC", "2026-01-08 04:15:00"),
    Case("20-30/3 4-6/2 1,15 3-9/3 *", "UTC", "2026-03-15 06:25:00", 12),
    Case("10-10/3 * * * *", "UTC", "2026-01-01 00:05:00", 3,
         "the library takes a range of one value for a value, whose step goes on to the end of the field; in crontab(5) a step goes through its range",
         ["2026-01-01 00:10", "2026-01-01 01:10", "2026-01-01 02:10"]),
    # both days: either, but with * at the beginning of one, both
    Case("0 0 13 * fri", "UTC", "2026-01-01 00:00:00", 8),
    Case("0 0 1,15 * sun", "UTC", "2026-02-01 00:00:00", 8),
    Case("0 0 1-7 * */7", "UTC", "2026-01-01 00:00:00", 4),
    Case("0 0 */2 * mon", "UTC", "2026-01-01 00:00:00", 6),
    Case("0 0 * * fri", "UTC", "2026-01-01 00:00:00", 3),
    Case("0 0 */10 * */2", "UTC", "2026-01-01 00:00:00", 6),
    Case("0 0 1-31 * mon", "UTC", "2026-01-01 00:00:00", 4),
    Case("0 0 31 2 fri", "UTC", "2026-01-01 00:00:00", 5),
    # ends of months, leap days
    Case("0 0 31 * *", "UTC", "2026-01-31 00:00:00", 8),
    Case("0 0 30 * *", "UTC", "2026-01-30 00:00:00", 4),
    Case("0 0 29 * *", "UTC", "2026-01-29 00:00:00", 4),
    Case("0 0 29 * *", "UTC", "2028-01-29 00:00:00", 4),
    Case("0 0 28-31 * *", "UTC", "2026-02-27 00:00:00", 8),
    Case("0 0 28-31 * *", "UTC", "2028-02-27 00:00:00", 8),
    Case("0 0 29 2 *", "UTC", "2026-01-01 00:00:00", 3),
    Case("0 0 29 2 *", "UTC", "2095-01-01 00:00:00", 3),
    Case("0 0 29 feb */7", "UTC", "2026-01-01 00:00:00", 4),
    Case("0 0 29 2 mon", "UTC", "2027-02-20 00:00:00", 6),
    Case("59 23 31 12 *", "UTC", "2026-12-31 23:59:00"),
    Case("0 0 1 1 *", "UTC", "1999-12-31 23:59:00"),
    Case("0 0 31 4,6,9,11,12 *", "UTC", "2026-01-01 00:00:00", 3),
    # zones without changes of the clock
    Case("0 12 * * *", "Asia/Kathmandu", "2026-01-01 06:14:59"),
    Case("30 0 1 * *", "Asia/Tokyo", "2026-01-31 12:00:00"),
    Case("0 0 29 2 *", "Pacific/Kiritimati", "2028-02-28 09:59:59", 2),
    Case("0 0 1 1 *", "Etc/GMT+12", "2026-12-31 12:00:00", 2),
    Case("*/20 23 28 2 *", "America/Phoenix", "2027-02-28 12:00:00", 4),
    # Amsterdam, forward: 29 March 2026, 02:00 is 03:00
    Case("0 2 * * *", AMSTERDAM, "2026-03-27 12:00:00", 4),
    Case("30 2 * * *", AMSTERDAM, "2026-03-27 12:00:00", 4),
    Case("59 1 * * *", AMSTERDAM, "2026-03-27 12:00:00", 4),
    Case("0 3 * * *", AMSTERDAM, "2026-03-27 12:00:00", 4),
    Case("0,15,30,45 2 * * *", AMSTERDAM, "2026-03-28 12:00:00", 6),
    Case("30 1-3 * * *", AMSTERDAM, "2026-03-28 12:00:00", 8),
    Case("0 2,3 * * *", AMSTERDAM, "2026-03-28 12:00:00", 6),
    Case("30 2 29 3 *", AMSTERDAM, "2026-01-01 00:00:00", 2),
    Case("30 2 * * sun", AMSTERDAM, "2026-03-22 12:00:00", 3),
    Case("30 2 * * *", AMSTERDAM, "2026-03-29 00:59:59", 2),
    Case("30 2 * * *", AMSTERDAM, "2026-03-29 01:00:00", 2),
    Case("0-59/20 0-23 * * *", AMSTERDAM, "2026-03-29 00:10:00", 8),
    Case("30 * * * *", AMSTERDAM, "2026-03-28 23:40:00", 4),
    Case("*/20 2 * * *", AMSTERDAM, "2026-03-28 12:00:00", 4),
    Case("0 */2 * * *", AMSTERDAM, "2026-03-28 22:30:00", 5),
    Case("*/10 * * * *", AMSTERDAM, "2026-03-29 00:45:00", 5),
    Case("* 2 * * *", AMSTERDAM, "2026-03-28 12:00:00", 3),
    # Amsterdam, back: 25 October 2026, 03:00 is 02:00
    Case("0 2 * * *", AMSTERDAM, "2026-10-23 12:00:00", 4),
    Case("30 2 * * *", AMSTERDAM, "2026-10-23 12:00:00", 4),
    Case("0 3 * * *", AMSTERDAM, "2026-10-23 12:00:00", 4),
    Case("0 4 * * *", AMSTERDAM, "2026-10-25 00:30:00", 3),
    Case("0,15,30,45 2 * * *", AMSTERDAM, "2026-10-24 12:00:00", 6),
    Case("30 1-3 * * *", AMSTERDAM, "2026-10-24 12:00:00", 8),
    Case("30 2 25 10 *", AMSTERDAM, "2026-01-01 00:00:00", 2),
    Case("45 2 * * *", AMSTERDAM, "2026-10-25 00:30:00", 3),
    Case("45 2 * * *", AMSTERDAM, "2026-10-25 01:00:00", 2,
         "asked in the hour's second pass, the library answers with the first one, 15 minutes earlier; cron(8): jobs in the repeated time are not run again",
         ["2026-10-26 01:45", "2026-10-27 01:45"]),
    Case("30 * * * *", AMSTERDAM, "2026-10-24 23:40:00", 5),
    Case("*/20 2 * * *", AMSTERDAM, "2026-10-24 12:00:00", 8),
    Case("0 */2 * * *", AMSTERDAM, "2026-10-24 21:30:00", 6),
    Case("* 2 * * *", AMSTERDAM, "2026-10-25 00:58:00", 4),
    Case("@hourly", AMSTERDAM, "2026-10-24 23:30:00", 4),
    # New York, forward: 8 March 2026, 02:00 is 03:00; back: 1 November 2026, 02:00 is 01:00
    Case("0 2 * * *", NEW_YORK, "2026-03-06 12:00:00", 4),
    Case("15 2 * * 1-7", NEW_YORK, "2026-03-06 12:00:00", 4),
    Case("45 1 * * *", NEW_YORK, "2026-03-07 12:00:00", 3),
    Case("*/30 2 8 3 *", NEW_YORK, "2026-03-01 00:00:00", 3),
    Case("5 2,3 8 * *", NEW_YORK, "2026-03-01 00:00:00", 4),
    Case("0 1 * * *", NEW_YORK, "2026-10-30 12:00:00", 4),
    Case("30 1 * * sun", NEW_YORK, "2026-10-26 12:00:00", 3),
    Case("59 1 1 * *", NEW_YORK, "2026-10-30 12:00:00", 3),
    Case("0 2 * * *", NEW_YORK, "2026-10-30 12:00:00", 4),
    Case("*/30 1 * * *", NEW_YORK, "2026-10-31 12:00:00", 6),
    Case("0 0-6/2 * * *", NEW_YORK, "2026-10-31 12:00:00", 6),
    Case("30 0 * 3,11 *", NEW_YORK, "2026-03-07 12:00:00", 4),
    Case("@daily", NEW_YORK, "2026-10-30 12:00:00", 4),
    Case("@weekly", NEW_YORK, "2026-10-30 12:00:00", 3),
    Case("@monthly", NEW_YORK, "2026-10-30 12:00:00", 3),
    Case("@yearly", NEW_YORK, "2026-10-30 12:00:00", 2),
    # odd ones: half an hour (Lord Howe), 45 minutes and 02:45 (Chatham), midnight (Havana), a day that was left out (Apia)
    Case("15 2 * * *", LORD_HOWE, "2026-10-02 12:00:00", 4),
    Case("45 1 * * *", LORD_HOWE, "2026-04-03 12:00:00", 4),
    Case("*/15 1 * * *", LORD_HOWE, "2026-04-04 13:20:00", 8),
    Case("5 * * * *", LORD_HOWE, "2026-10-03 14:00:00", 4),
    Case("*/10 3 * * *", LORD_HOWE, "2026-10-03 12:00:00", 3,
         "the library steps by an hour across the half hour and so begins at 03:30; the clock shows 03:00, 03:10 and 03:20 too",
         ["2026-10-03 16:00", "2026-10-03 16:10", "2026-10-03 16:20"]),
    Case("0 3 * * *", CHATHAM, "2026-09-25 12:00:00", 4),
    Case("50 2 * * *", CHATHAM, "2026-04-03 12:00:00", 4),
    Case("*/45 * * * *", CHATHAM, "2026-04-04 13:00:00", 6),
    Case("30 0 * * *", "America/Havana", "2026-03-06 12:00:00", 4),
    Case("0 0 * * *", "America/Havana", "2026-10-30 12:00:00", 4),
    Case("*/20 0 * * sun", "America/Havana", "2026-03-02 12:00:00", 3,
         "the library gives midnight although that hour is skipped; cron(8): jobs with * in the minute run by the new time alone",
         ["2026-03-15 04:00", "2026-03-15 04:20", "2026-03-15 04:40"]),
    Case("0 12 30 12 *", "Pacific/Apia", "2011-12-01 00:00:00", 2),
    Case("0 0 * * *", "Pacific/Apia", "2011-12-28 12:00:00", 4),
]

# Not in crontab(5), or senseless: refused, with the library's opinion (True: it accepts it).
REFUSED = [
    ("", False), ("* * * *", False), ("* * * * * *", True), ("60 * * * *", False), ("* 24 * * *", False), ("* * 0 * *", False), ("* * 32 * *", False), ("* * * 0 *", False),
    ("* * * 13 *", False), ("* * * * 8", False), ("-1 * * * *", False), ("1.5 * * * *", False), ("5-1 * * * *", False), ("* * * * fri-sun", False), ("*/0 * * * *", False),
    ("*/ * * * *", False), ("1- * * * *", False), ("1,,2 * * * *", False), (",1 * * * *", False), ("a * * * *", False), ("* * * janu *", False), ("* * * * sunday", False),
    ("* * jan * *", False), ("0 0 ? * *", False), ("@reboot", False), ("@every 5m", False), ("0 0 30 2 *", False), ("0 0 31 4 *", False),
    # extensions of the library: the last day, the nth weekday, the last weekday; seconds
    ("0 0 L * *", True), ("0 0 LW * *", True), ("0 0 * * mon#2", True), ("0 0 * * 5L", True),
    # a step that leaves the field at once is a mistake rather than a way to say 0
    ("*/60 * * * *", True), ("0 */24 * * *", True),
]
