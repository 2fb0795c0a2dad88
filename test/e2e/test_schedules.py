"""When a schedule's time comes and a window is open: against an independent library, and against every minute looked at one by one.

The library is cronsim, which follows Debian's cron, changes of the clock included. Where it errs, schedule_cases.py says so and what is right; that it does
err there is checked as well. The second judge is minutes() below: each minute of UTC, what the clock shows then, and the words of cron(8).
"""
from __future__ import annotations

import random
import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from harness import Cluster, Tap
from schedule_cases import AMSTERDAM, CASES, CHATHAM, LORD_HOWE, NEW_YORK, REFUSED

UTC = timezone.utc
MINUTE = timedelta(minutes=1)
MACROS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *"}
# one seed, so that what is compared is the same every time
DICE = random.Random(20260302)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def show(times: list[datetime]) -> list[str]:
    return [one.strftime("%Y-%m-%d %H:%M") for one in times]


def in_zone(at: datetime, zone: str) -> datetime:
    # for the library UTC itself has no changes of the clock, a ZoneInfo may have
    return at if zone == "UTC" else at.astimezone(ZoneInfo(zone))


def library(expression: str, zone: str, after: datetime, count: int, only_later: bool = False) -> list[datetime]:
    """The next times by cronsim; fewer if there are no more. only_later: without those it gives for the past (schedule_cases.py, "second pass")."""
    found: list[datetime] = []
    try:
        for one in CronSim(MACROS.get(expression, expression), in_zone(after, zone)):
            at = one.astimezone(UTC)
            if not only_later or at > after:
                found.append(at)
            if len(found) == count:
                break
    except CronSimError:
        pass  # it says so of days that never come
    return found


def minutes(expression: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """All times by cron(8), minute by minute. Only the fields are read by the library; what they mean is decided here."""
    fields = CronSim(expression, after)
    minute, hour = expression.split()[:2]
    fixed = not minute.startswith("*") and not hour.startswith("*")

    def named(local: datetime) -> bool:
        weekdays = {day % 7 for day in fields.weekdays}
        days = [local.day in fields.days, local.isoweekday() % 7 in weekdays]
        return (local.minute in fields.minutes and local.hour in fields.hours and local.month in fields.months
                and (all(days) if fields.day_and else any(days)))

    found, at = [], after.replace(second=0) + MINUTE
    before = (at - MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    while at <= until:
        local = at.astimezone(ZoneInfo(zone))
        clock = local.replace(tzinfo=None, fold=0)
        skipped = [before + MINUTE * n for n in range(1, (clock - before) // MINUTE)]
        if named(local) and not (fixed and local.fold) or fixed and any(map(named, skipped)):
            found.append(at)
        before, at = clock, at + MINUTE
    return found


def floe(pg: Cluster, asked: list[tuple[str, str, datetime, int]]) -> list[list[datetime]]:
    """The next times of every question, in one call."""
    rows = pg.sql("""
        WITH RECURSIVE asked AS (
            SELECT n, expression, zone, after, most FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::int[]) WITH ORDINALITY AS a (expression, zone, after, most, n)
        ), step AS (
            SELECT n, expression, zone, most, 1 AS place, floe_internal.cron_next(expression, zone, after) AS at FROM asked
            UNION ALL
            SELECT n, expression, zone, most, place + 1, floe_internal.cron_next(expression, zone, at) FROM step WHERE place < most AND at IS NOT NULL
        )
        SELECT n, COALESCE(array_agg(extract(epoch FROM at)::int8 ORDER BY place) FILTER (WHERE at IS NOT NULL), '{}') AS times FROM step GROUP BY n ORDER BY n""",
        [list(column) for column in zip(*asked)])
    return [[datetime.fromtimestamp(one, UTC) for one in row["times"]] for row in rows]


def refusal(pg: Cluster, expression: str) -> str | None:
    try:
        return None if pg.value("SELECT floe_internal.cron_next(%s, 'UTC', '2026-01-01')", [expression]) else "never happens"
    except Exception as error:
        return str(error).splitlines()[0]


# -------------------------------------------------------------------------------------------------
# Cron expressions
# -------------------------------------------------------------------------------------------------

def table(t: Tap, pg: Cluster) -> None:
    answers = floe(pg, [(c.expression, c.zone, moment(c.after), c.count) for c in CASES])
    for case, answer in zip(CASES, answers):
        judged = show(library(case.expression, case.zone, moment(case.after), case.count))
        name = f"{case.expression} in {case.zone} after {case.after}"
        if case.why:
            t.ok(judged != case.right, f"{name}: the library still errs", case.why)
            t.equal(show(answer), case.right, f"{name} ({case.why})")
        else:
            t.equal(show(answer), judged, name)
    for expression, accepted in REFUSED:
        try:
            taken = bool(next(CronSim(expression, moment("2026-01-01")), None))
        except (CronSimError, StopIteration):
            taken = False
        told = refusal(pg, expression)
        t.ok(told is not None and taken == accepted, f"[{expression}] is refused: {told}", f"the library takes it: {taken}")


def random_field(low: int, high: int, names: list[str]) -> str:
    def one() -> str:
        a, b = sorted(DICE.sample(range(low, high + 1), 2))
        step = DICE.randint(1, max(1, (high - low) // 2))
        spell = lambda n: names[n - low] if names and n - low < len(names) and DICE.random() < 0.3 else str(n)
        return DICE.choice(["*", str(a), spell(a), f"{spell(a)}-{spell(b)}" if b < 7 or not names or high > 7 else f"{a}-{b}", f"{a}-{b}/{step}", f"*/{step}", f"{a}/{step}"])

    if DICE.random() < 0.35:
        return "*"
    return ",".join(one() for _ in range(DICE.choice([1, 1, 1, 2, 3])))


def random_expression() -> str:
    months = "jan feb mar apr may jun jul aug sep oct nov dec".split()
    days = "sun mon tue wed thu fri sat".split()
    # small hours, where the clock is changed, more often than others
    hour = DICE.choice([random_field(0, 23, []), random_field(0, 3, []), DICE.choice("0123")])
    return " ".join([random_field(0, 59, []), hour, random_field(1, 31, []), random_field(1, 12, months), random_field(0, 7, days)])


def changes(zone: str, first: int, last: int) -> list[datetime]:
    """When the zone's offset changes, to the minute, in these years."""
    def offset(at: datetime) -> timedelta:
        return at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()

    found = []
    at = datetime(first, 1, 1, tzinfo=UTC)
    while at.year <= last:
        if offset(at) != offset(at + timedelta(days=1)):
            low, high = at, at + timedelta(days=1)
            while high - low > MINUTE:
                middle = low + (high - low) / 2
                middle = middle.replace(second=0, microsecond=0)
                low, high = (middle, high) if offset(middle) == offset(at) else (low, middle)
            found.append(high)
        at += timedelta(days=1)
    return found


def in_bulk(t: Tap, pg: Cluster) -> None:
    """Random expressions, most of them asked within three days of a change of the clock."""
    zones = ["UTC", "Asia/Kathmandu", AMSTERDAM, AMSTERDAM, NEW_YORK, NEW_YORK]
    near = {zone: changes(zone, 2024, 2030) for zone in set(zones)}
    t.equal([len(near[zone]) for zone in sorted(near)], [14, 0, 14, 0], "two changes a year of seven in New York and Amsterdam, none in Kathmandu and UTC")
    asked = []
    while len(asked) < 4000:
        expression, zone = random_expression(), DICE.choice(zones)
        if re.search(r"(\b\d+)-\1/", expression):
            continue  # schedule_cases.py: a range of one value
        if near[zone] and DICE.random() < 0.8:
            after = DICE.choice(near[zone]) + timedelta(seconds=DICE.randint(-3 * 86400, 86400))
        else:
            after = moment("2024-01-01") + timedelta(seconds=DICE.randint(0, 7 * 365 * 86400))
        asked.append((expression, zone, after, 4))
    wrong, times = [], 0
    for question, answer in zip(asked, floe(pg, asked)):
        judged = library(*question, only_later=True)
        times += len(judged)
        if answer != judged:
            wrong.append(f"{question[0]} in {question[1]} after {question[2]}: {show(answer)} instead of {show(judged)}")
    t.equal(wrong[:5], [], f"{len(asked)} random expressions: the next four times are the library's ({times})")
    t.ok(times > 3.9 * len(asked), "nearly all of them happen four times", times)


def by_the_minute(t: Tap, pg: Cluster) -> None:
    """Random expressions over the days of a change, in zones where the library errs too."""
    for zone, years in ((AMSTERDAM, (2026, 2026)), (NEW_YORK, (2026, 2026)), (LORD_HOWE, (2026, 2026)), (CHATHAM, (2026, 2026)), ("America/Havana", (2026, 2026)),
                        ("America/St_Johns", (2010, 2010)), ("Antarctica/Troll", (2026, 2026)), ("Africa/Casablanca", (2026, 2026)), ("Pacific/Apia", (2011, 2011))):
        wrong, times, found = [], 0, changes(zone, *years)
        for change in found:
            start, end = change - timedelta(hours=30), change + timedelta(hours=30)
            questions = []
            while len(questions) < 60:
                fields = random_expression().split()
                # any day, or too few would have a time at all
                fields[2:] = [DICE.choice(["*", "*", "*/2", "1-20"]), "*", DICE.choice(["*", "*", "sat,sun", "*/3"])]
                expression = " ".join(fields)
                if not re.search(r"(\b\d+)-\1/", expression):
                    questions.append(expression)
            expected = [minutes(one, zone, start, end) for one in questions]
            answers = floe(pg, [(one, zone, start, len(right) + 1) for one, right in zip(questions, expected)])
            for one, right, answer in zip(questions, expected, answers):
                times += len(right)
                answer = [at for at in answer if at <= end]
                if answer != right:
                    odd = min(set(answer) ^ set(right))
                    wrong.append(f"{one} around {change}: {odd} is {'no' if odd in answer else 'a'} time")
        t.equal((wrong[:5], bool(found) and times > 100), ([], True), f"{zone}: {len(found)} changes of the clock, {times} times, minute by minute")


# -------------------------------------------------------------------------------------------------
# Windows
# -------------------------------------------------------------------------------------------------

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WINDOWS: list[tuple[list[str], list[str]]] = [
    (["22:00-06:00"], []), (["22:00-06:00"], ["fri"]), (["22:00-06:00"], ["sat"]), (["22:00-06:00"], ["sat", "sun"]), (["02:15-02:45"], []), (["02:15-02:45"], ["sun"]),
    (["02:00-03:00"], []), (["01:30-02:30"], []), (["23:30-02:10"], ["sat"]), (["01:59-02:00", "03:00-03:01"], []), (["09:00-17:00"], ["mon", "tue", "wed", "thu", "fri"]),
    (["00:00-24:00"], ["sun"]), (["00:00-00:00"], ["sat"]), (["12:00-12:00"], ["mon"]), ([], ["sun", "mon"]), (["00:00-00:01", "23:59-00:00"], ["sun"]), (["03:00-02:00"], ["sat", "wed"]),
    (["02:30-03:30", "00:30-01:30"], []),
]


def minute_of(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def opening_hours(windows: list[str], days: list[str]) -> list[bool]:
    """Whether it is open, for each minute of a week from Monday; windows of Sunday night reach into Monday."""
    open_ = [False] * (7 * 1440)
    for day, name in enumerate(DAYS):
        if days and name not in days:
            continue
        for window in windows or ["00:00-24:00"]:
            start, end = map(minute_of, window.split("-"))
            for minute in range(start, end if end > start else end + 1440):
                open_[(day * 1440 + minute) % len(open_)] = True
    return open_


def windows(t: Tap, pg: Cluster) -> None:
    for zone, year in ((AMSTERDAM, 2026), (NEW_YORK, 2026), (LORD_HOWE, 2026), (CHATHAM, 2026), ("America/Havana", 2026), ("UTC", 0)):
        wrong, asked, opened = [], 0, 0
        days = changes(zone, year, year) if year else [moment("2026-03-01")]
        for change in days:
            # every minute of two days around it; the answer may lie two weeks on
            start = change - timedelta(days=1)
            week = []
            for n in range(18 * 1440):
                local = (start + MINUTE * n).astimezone(ZoneInfo(zone))
                week.append(local.weekday() * 1440 + local.hour * 60 + local.minute)
            for hours, on in WINDOWS:
                open_, following = opening_hours(hours, on), [0] * len(week)
                for n in reversed(range(len(week))):
                    following[n] = n if open_[week[n]] else following[n + 1] if n + 1 < len(week) else -1
                answers = pg.value("""SELECT array_agg((extract(epoch FROM floe_internal.window_next(%s::text[], %s::text[], %s, at) - %s)::int8 / 60)::int ORDER BY at)
                    FROM generate_series(%s::timestamptz, %s, interval '1 minute') AS at""", [hours, on, zone, start, start, start + timedelta(days=2)])
                asked, opened = asked + len(answers), opened + sum(answer == n for n, answer in enumerate(answers))
                for n, answer in enumerate(answers):
                    if answer != following[n]:
                        wrong.append(f"{hours} on {on} at {start + MINUTE * n}: {start + MINUTE * answer} instead of {start + MINUTE * following[n]}")
                        break
        t.equal((wrong[:5], 0 < opened < asked), ([], True), f"windows in {zone}: {asked} minutes around {len(days)} changes of the clock, open in {opened}")
    # below a minute
    for at, wanted in (("2026-03-02 05:59:59.999999", "2026-03-02 05:59:59.999999"), ("2026-03-02 06:00:00", "2026-03-02 22:00:00"), ("2026-03-02 21:59:59.999999", "2026-03-02 22:00:00"),
                       ("2026-03-02 22:00:00", "2026-03-02 22:00:00")):
        got = pg.value("SELECT floe_internal.window_next('{22:00-06:00}', NULL, 'UTC', %s)", [moment(at)])
        t.equal(got, moment(wanted), f"22:00-06:00 at {at}: the end is exclusive, the start is not")


def main() -> None:
    with Tap() as t, Cluster() as pg:
        pg.sql("CREATE EXTENSION floe")
        table(t, pg)
        in_bulk(t, pg)
        by_the_minute(t, pg)
        windows(t, pg)


if __name__ == "__main__":
    main()
