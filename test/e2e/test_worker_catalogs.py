"""A catalog that hangs for an hour while another keeps its pace, and what its circuit breaker does meanwhile. Then one that loads no tables.

The hour is one of floe's clock (floe.virtual_clock, moved by reloads), by which everything in SQL is due; requests time out by the steady clock.
"""
# test/run: alone
from __future__ import annotations

import datetime
import re
import statistics
import time
from typing import Any

from badinput import Base, Bench, Table
from catalog import Mock, answer, hang
from harness import Tap
from lakehouse import Lakehouse

TABLES = 20
MINUTE = datetime.timedelta(seconds=61)  # every poll interval of a minute is over
LOADS = "/tables/t[0-9]+"
POLICY = """{"poll_interval": "1 minute", "min_poll_interval": "1 minute"}"""


class Clock:
    """floe's clock, which stands still but for what the test says."""

    def __init__(self, pg: Lakehouse):
        self.pg = pg
        self.now: Any = pg.value("SELECT clock_timestamp()")
        self.set(self.now)

    def set(self, at: Any) -> None:
        self.now = at
        self.pg.sql(f"ALTER SYSTEM SET floe.virtual_clock = '{at.isoformat()}'")
        self.pg.sql("SELECT pg_reload_conf()")

    def step(self, by: datetime.timedelta = MINUTE) -> None:
        self.set(self.now + by)


class Pace:
    """How long it takes, after each step of the clock, until every table of the healthy catalog was asked for."""

    def __init__(self, clock: Clock, healthy: Any):
        self.clock, self.healthy = clock, healthy

    def step(self) -> float:
        wanted = len(self.healthy.asked(LOADS)) + TABLES
        begun = time.monotonic()
        self.clock.step()
        while len(self.healthy.asked(LOADS)) < wanted:
            if time.monotonic() - begun > 20:
                raise TimeoutError(f"the healthy catalog was asked for {len(self.healthy.asked(LOADS)) - wanted + TABLES} of {TABLES} tables")
            time.sleep(0.005)
        took = time.monotonic() - begun
        # the answers are stored, so that the next step finds all of them due
        self.clock.pg.wait_for("SELECT count(*) = %s FROM floe_internal.table_poll AS p JOIN floe_internal.catalog AS c USING (catalog_id) "
                               "WHERE c.server_name = 'fine' AND p.claim_pass IS NULL AND p.polled_at >= %s", (TABLES, self.clock.now))
        return took


def breaker(pg: Lakehouse) -> dict[str, Any]:
    return pg.sql("SELECT b.*, c.claim_pass IS NOT NULL AS probing FROM floe.breakers AS b JOIN floe_internal.catalog AS c ON c.server_name = b.name WHERE b.kind = 'catalog' AND b.name = 'sick'")[0]


def an_hour(t: Tap, pg: Lakehouse, clock: Clock, pace: Pace, sick: Any) -> None:
    alone = [pace.step() for _ in range(15)]
    sick.misbehave(".*", hang)
    hour_before, asked_before, begun = clock.now, len(pace.healthy.asked(LOADS)), len(sick.requests)
    beside, states = [], []
    while clock.now - hour_before < datetime.timedelta(hours=1):
        beside.append(pace.step())
        states.append(breaker(pg)["state"])
        if len(beside) == 10:
            pg.wait_for("SELECT state = 'open' FROM floe.breakers WHERE name = 'sick'")
        if len(beside) > 10:
            # a probe is not overtaken by the clock
            pg.wait_for("SELECT claim_pass IS NULL FROM floe_internal.catalog WHERE server_name = 'sick'")
    polls = len(pace.healthy.asked(LOADS)) - asked_before
    t.note(f"median time to poll {TABLES} tables: {statistics.median(alone) * 1000:.0f} ms without, {statistics.median(beside) * 1000:.0f} ms with the catalog that hangs; "
           f"worst {max(alone) * 1000:.0f} and {max(beside) * 1000:.0f} ms")
    t.equal(polls, len(beside) * TABLES, f"in the hour the healthy catalog was asked for each of its tables every minute ({polls} polls)")
    t.ok(statistics.median(beside) < 3 * statistics.median(alone) + 0.1, "... as fast as before")
    t.ok(max(beside) < 5, "... and never late", max(beside))
    row = breaker(pg)
    probes = [line for line in sick.requests[begun:] if "config" in line]
    t.note(f"{len(probes)} requests and {row['failures']} failures in an hour; states seen: {sorted(set(states))}")
    t.ok(states[-1] != "closed" and "open" in states and "closed" not in states[11:], "the breaker of the other one is open", states)
    # ten seconds, doubling up to ten minutes, and a minute's step between two looks: about ten in an hour, three requests each
    t.ok(5 <= row["failures"] <= 13 and len(probes) <= 3 * row["failures"], "it is tried again less and less often", row, len(probes))
    loads = [line for line in sick.requests[begun:] if re.search(LOADS, line)]
    t.ok(len(loads) <= 3 * TABLES, "and its tables are left alone after the first time", len(loads))


def looked(pace: Pace) -> None:
    """The assessor has seen the present time: it found something else due."""
    pace.clock.pg.sql("SELECT floe.notify_commit('fine.w.t0')")
    wanted = len(pace.healthy.asked(LOADS)) + 1
    end = time.monotonic() + 20
    while len(pace.healthy.asked(LOADS)) < wanted and time.monotonic() < end:
        time.sleep(0.01)


def probes(t: Tap, pg: Lakehouse, clock: Clock, pace: Pace, sick: Any) -> None:
    pg.wait_for("SELECT claim_pass IS NULL FROM floe_internal.catalog WHERE server_name = 'sick'")
    row = breaker(pg)
    t.ok(row["state"] == "open" and row["retry_at"] > clock.now and row["error"] and row["since"], "open, with the reason, since when, and when it is tried again", row)
    clock.set(row["retry_at"] - datetime.timedelta(seconds=1))
    asked = len(sick.requests)
    for _ in range(5):
        looked(pace)
    t.equal(len(sick.requests), asked, "before that time nothing is asked of it")
    clock.set(row["retry_at"] + datetime.timedelta(seconds=1))
    pg.wait_for("SELECT claim_pass IS NOT NULL FROM floe_internal.catalog WHERE server_name = 'sick'")
    t.equal(breaker(pg)["state"], "half-open", "then it is half-open")
    pg.wait_for("SELECT claim_pass IS NULL FROM floe_internal.catalog WHERE server_name = 'sick'")
    again = breaker(pg)
    t.ok(again["state"] == "open" and again["failures"] == row["failures"] + 1 and again["since"] == row["since"] and again["retry_at"] > clock.now + datetime.timedelta(minutes=8),
         "after one probe that found nothing open again, for ten minutes", again)
    t.ok(1 <= len(sick.requests) - asked <= 3, "one request and its repetitions were all of it", sick.requests[asked:])
    sick.heal()
    clock.set(again["retry_at"] + datetime.timedelta(seconds=1))
    pg.wait_for("SELECT state = 'closed' AND error IS NULL AND retry_at IS NULL FROM floe.breakers WHERE name = 'sick'")
    t.ok(True, "a probe that is answered closes it")
    clock.step(datetime.timedelta(hours=1))
    pg.wait_for("SELECT bool_and(i.status = 'ok' AND p.claim_pass IS NULL AND p.failures = 0) FROM floe_internal.table_poll AS p JOIN floe_internal.iceberg_table AS i USING (table_id)")
    t.ok(True, "and its tables are well, too")


def tables_throttled(t: Tap, pg: Lakehouse, clock: Clock, pace: Pace, sick: Any) -> None:
    """The catalog answers and lists, but loads no table: what its listing says does not close the breaker, the next table does."""
    since, asked = pg.value("SELECT COALESCE(max(id), 0) FROM floe.events"), len(sick.requests)
    sick.misbehave(LOADS, answer(429))
    states = []
    begun = clock.now
    while clock.now - begun < datetime.timedelta(minutes=40):
        clock.step()
        looked(pace)
        pg.wait_for("SELECT NOT EXISTS (SELECT FROM floe_internal.catalog WHERE claim_pass IS NOT NULL) AND NOT EXISTS (SELECT FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL AND next_poll_at < 'infinity')")
        states.append(breaker(pg)["state"])
    row = breaker(pg)
    loads = [line for line in sick.requests[asked:] if re.search(LOADS, line)]
    t.note(f"{row['failures']} failures, {len(loads)} loads in {len(states)} minutes; states seen: {sorted(set(states))}")
    t.ok(row["failures"] >= 4 and "closed" not in states[5:] and row["error"], "tables that are throttled open the breaker, and a listing does not close it", row, states)
    # those in flight when it began, then one table for each probe; each request is made three times
    t.ok(len(loads) <= 3 * (TABLES + row["failures"]), "one table is tried at a time, less and less often", len(loads))
    sick.heal()
    for _ in range(15):
        clock.step()
        if breaker(pg)["state"] == "closed":
            break
        pg.wait_for("SELECT NOT EXISTS (SELECT FROM floe_internal.catalog WHERE claim_pass IS NOT NULL)")
    pg.wait_for("SELECT state = 'closed' FROM floe.breakers WHERE name = 'sick'")
    kinds = [row["kind"] for row in pg.sql("SELECT kind FROM floe.events WHERE id > %s AND catalog = 'sick' AND table_name IS NULL ORDER BY id", (since,))]
    t.equal(kinds, ["catalog error", "catalog ok"], "all of that were two changes of state: the first table that was loaded closed it")
    clock.step(datetime.timedelta(hours=1))
    pg.wait_for("SELECT bool_and(i.status = 'ok' AND p.claim_pass IS NULL AND p.failures = 0) FROM floe_internal.table_poll AS p JOIN floe_internal.iceberg_table AS i USING (table_id)")


def told(t: Tap, pg: Lakehouse) -> None:
    """The hour and all its probes are two lines."""
    lines = [line for line in pg.server_log().splitlines() if 'floe: database "postgres", catalog "sick": ' in line]
    kinds = [re.search(r'catalog "sick": (catalog \w+)', line).group(1) for line in lines]
    t.equal(kinds, ["catalog ok", "catalog error", "catalog ok"], "the log: one line for each change of the catalog's state") or t.note(lines)
    tables = [line for line in pg.server_log().splitlines() if re.search(r'table "sick\.w\.t\d+": table error', line)]
    names = [re.search(r'table "(sick\.w\.t\d+)"', line).group(1) for line in tables]
    t.ok(len(names) == len(set(names)) <= TABLES, "and at most one for each of its tables", *tables)
    fine = [line for line in pg.server_log().splitlines() if re.search(r'catalog "fine".*: (catalog|table) error', line)]
    t.equal(fine, [], "nothing of the healthy one")


def main() -> None:
    conf = {"floe.request_timeout": "500ms"}
    with Tap() as t, Lakehouse(preload=True, conf=conf) as pg, Mock() as fine_mock, Mock() as sick_mock:
        base, clock = Base(), Clock(pg)
        fine, sick = fine_mock.catalog("fine"), sick_mock.catalog("sick")
        for catalog in (fine, sick):
            for i in range(TABLES):
                Table(catalog, ("w", f"t{i}"), base)
        pg.sql("SELECT floe.create_policy('pace', '*.**', %s)", (POLICY,))
        Bench(t, pg, fine_mock).connect(fine, list_interval="30 days")
        Bench(t, pg, sick_mock).connect(sick, list_interval="30 days")
        pg.wait_for("SELECT count(*) = %s FROM floe.tables WHERE status = 'ok'", (2 * TABLES,))
        pace = Pace(clock, fine)
        an_hour(t, pg, clock, pace, sick)
        probes(t, pg, clock, pace, sick)
        told(t, pg)
        tables_throttled(t, pg, clock, pace, sick)


if __name__ == "__main__":
    main()
