"""What a catalog bears, as its server says: tables at a time, tables a second. And that the same number, where nothing limits it, is hundreds.

Counted by the mock. The catalogs of the last case have a server each: HTTP connections are limited for each host and port.
"""
# test/run: alone
from __future__ import annotations

import bisect
import contextlib
import sys
import threading
import time
from typing import Any

from badinput import Base, Bench, Table
from catalog import Mock
from harness import Tap
from lakehouse import Lakehouse

LOADS = "/tables/t[0-9]+"


class Meter:
    """A behaviour: answers after a while, and counts how many are at it at once, and when each began."""

    def __init__(self, seconds: float):
        self.seconds, self.lock = seconds, threading.Lock()
        self.now = self.most = 0
        self.begun: list[float] = []

    def __call__(self, exchange: Any) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.begun.append(time.monotonic())
        exchange.server.ended.wait(self.seconds)
        with self.lock:
            self.now -= 1
        exchange.send(exchange.normal())

    def most_in(self, seconds: float) -> int:
        """Most that began within any such time."""
        times = sorted(self.begun)
        return max((bisect.bisect_right(times, at + seconds) - place for place, at in enumerate(times)), default=0)


class Place:
    """A server with workers."""

    def __init__(self, t: Tap, pg: Lakehouse, base: Base):
        self.t, self.pg, self.base = t, pg, base

    def catalog(self, mock: Mock, name: str, tables: int, **options: str) -> Any:
        catalog = mock.catalog(name)
        for i in range(tables):
            Table(catalog, ("w", f"t{i}"), self.base)
        Bench(self.t, self.pg, mock).connect(catalog, **options)
        return catalog

    def no_catalogs(self) -> None:
        for row in self.pg.sql("SELECT name FROM floe.catalogs WHERE status <> 'removed'"):
            self.pg.sql(f'DROP SERVER "{row["name"]}" CASCADE')

    def assessed(self, name: str, tables: int, since: Any = None, timeout: float = 60) -> None:
        self.pg.wait_for("SELECT count(*) = %s FROM floe.tables WHERE name LIKE %s AND status = 'ok' AND (%s::timestamptz IS NULL OR polled_at >= %s)",
                         (tables, name.replace("?", "_") + ".%", since, since), timeout=timeout)

    def again(self, name: str, tables: int, timeout: float = 60) -> None:
        """All tables are due at once, and were looked at."""
        since = self.pg.value("SELECT clock_timestamp()")
        self.pg.sql("SELECT floe.refresh(%s)", (f"{name}.**",))
        self.assessed(name, tables, since, timeout)


def at_a_time(place: Place) -> None:
    with Mock() as mock:
        meter = Meter(0.05)
        mock.catalog("narrow").misbehave(LOADS, meter)
        place.catalog(mock, "narrow", 40, max_in_flight="3")
        place.assessed("narrow", 40)
        place.again("narrow", 40)
        place.t.ok(meter.most == 3, "max_in_flight 3: three tables at a time, and never more", meter.most)
        # to list is to connect anew, while others are still at it with the old connection
        meter.seconds = 0.3
        place.pg.sql("SELECT floe.refresh('narrow.**')")
        for i in range(5):
            wanted = len(meter.begun) + 3
            while len(meter.begun) < wanted:
                time.sleep(0.01)
            place.pg.sql("SELECT floe.refresh('narrow.**')")
        place.t.ok(meter.most == 3, "... not while it is listed again and again either", meter.most)
        meter.seconds = 0.05
        place.again("narrow", 40)
        place.pg.sql("ALTER SERVER narrow OPTIONS (SET max_in_flight '7')")
        meter.most = 0
        place.again("narrow", 40)
        place.t.ok(3 < meter.most <= 7, "changed to 7", meter.most)


def a_second(place: Place) -> None:
    with Mock() as mock:
        meter = Meter(0)
        mock.catalog("slowly").misbehave(LOADS, meter)
        place.catalog(mock, "slowly", 60, max_rate="20")
        place.assessed("slowly", 60)
        place.t.ok(meter.most_in(1) <= 22, "max_rate 20: twenty tables in a second, and hardly one more", meter.most_in(1))
        took = meter.begun[-1] - meter.begun[0]
        place.t.ok(took < 60 / 20 * 2, f"60 tables take three seconds ({took:.1f} s): it is used", took)
        # after a rest nothing was saved up
        time.sleep(1.5)
        meter.begun.clear()
        place.again("slowly", 60)
        place.t.ok(meter.most_in(1) <= 22, "... neither after a rest, when all are due at once", meter.most_in(1))


def shared(place: Place) -> None:
    """Several assessors share what a catalog bears."""
    place.pg.sql("ALTER SYSTEM SET floe.assessors = 2")
    place.pg.sql("SELECT pg_reload_conf()")
    place.pg.wait_for("SELECT count(*) = 2 FROM floe.workers WHERE worker = 'assessor' AND state = 'running'")
    with Mock() as mock:
        meter = Meter(0.05)
        mock.catalog("both").misbehave(LOADS, meter)
        place.catalog(mock, "both", 60, max_in_flight="4", max_rate="20")
        place.assessed("both", 60)
        place.t.ok(meter.most <= 4, "two assessors, max_in_flight 4: four tables at a time", meter.most)
        place.t.ok(meter.most_in(1) <= 22, "two assessors, max_rate 20: twenty a second", meter.most_in(1))
    place.pg.sql("ALTER SYSTEM RESET floe.assessors")
    place.pg.sql("SELECT pg_reload_conf()")
    place.pg.wait_for("SELECT count(*) = 1 FROM floe.workers WHERE worker = 'assessor'")


def hundreds(place: Place) -> None:
    """300 tables in five catalogs that each take a second for every answer: in turn that is five minutes."""
    with contextlib.ExitStack() as stack:
        meter = Meter(1.0)
        for i in range(5):
            mock = stack.enter_context(Mock())
            mock.catalog(f"far{i}").misbehave(LOADS, meter)
            place.catalog(mock, f"far{i}", 60)
        begun = time.monotonic()
        place.pg.wait_for("SELECT count(*) = 300 FROM floe.tables WHERE name LIKE 'far_.%' AND status = 'ok'")
        took = time.monotonic() - begun
        place.t.note(f"first look at 300 tables: {took:.1f} s, at most {meter.most} at a time")
        place.t.ok(took < 25, "300 tables, a second each: a few seconds from a standing start", took)
        meter.most = 0
        begun = time.monotonic()
        place.again("far?", 300)
        took = time.monotonic() - begun
        place.t.note(f"all of them again: {took:.1f} s, at most {meter.most} at a time")
        place.t.ok(took < 15 and meter.most >= 200, "and again: hundreds at a time", took, meter.most)


CASES = [at_a_time, a_second, shared, hundreds]


def main() -> None:
    with Tap() as t, Lakehouse(preload=True) as pg:
        place = Place(t, pg, Base())
        for case in CASES:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                case(place)
                place.no_catalogs()


if __name__ == "__main__":
    main()
