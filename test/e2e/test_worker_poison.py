"""A table at which the process that looks at it dies, again and again: it is quarantined after the second time, nobody else suffers, and floe.refresh() frees it.

The test is what kills: it holds the table's request and sends SIGKILL to the process that asks, whenever it asks for exactly this table.
"""
from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

from heldwork import Stage, load_of, pid_of
from badengine import Case, Work, brief
from badinput import Table
from harness import Tap

REASON = "the server went down twice while this table was being assessed"


class Poison:
    """Kills a process of floe at each request for a table, for as long as it is active."""

    def __init__(self, stage: Stage, name: str, who: str):
        self.stage, self.who, self.deaths, self.active = stage, who, 0, False
        self.lock = threading.Lock()
        stage.mock.misbehave(load_of(name), self)

    def __call__(self, exchange: Any) -> None:
        with self.lock:
            if self.active:
                # while the request waits its process lives, so that the row is there
                os.kill(pid_of(self.stage.pg, self.who), signal.SIGKILL)
                self.deaths += 1
                exchange.wait_for_the_end()
                return
        exchange.send(exchange.normal())

    def wait(self, deaths: int) -> None:
        end = time.monotonic() + 60
        while self.deaths < deaths:
            if time.monotonic() > end:
                raise TimeoutError(f"the {self.who} died {self.deaths} times of {deaths}")
            time.sleep(0.05)


def quarantined(stage: Stage, name: list[str], poison: Poison, deaths: int) -> None:
    """After so many deaths: the row, the event, the line in the log; and no more."""
    poison.wait(deaths)
    stage.wait_for("SELECT status = 'quarantined' FROM floe.tables WHERE name = %s", (".".join(name),))
    stage.back()
    word = poison.who
    row = stage.lab.bench.table(name)
    stage.t.ok(row["status"] == "quarantined" and row["error"] == REASON and "floe.refresh()" in row["error_detail"], f"{word}: quarantined, with the reason and the way out", row)
    told = stage.lab.bench.events("table quarantined", stage.begun, of_table=row["name"])
    stage.t.ok(len(told) == 1 and told[0]["message"] == REASON, f"{word}: one event", told)
    lines = [line for line in stage.pg.server_log().splitlines() if f'table "{row["name"]}": table quarantined: ' in line]
    stage.t.ok(len(lines) == 1 and REASON in lines[0] and 'floe: database "postgres", catalog "mock"' in lines[0], f"{word}: one line in the log", *lines)
    stage.t.equal(row["claim_pass"], None, f"{word}: nobody claims it")


def neighbours_go_on(stage: Stage, neighbours: list[Table], word: str) -> None:
    """While the table is in quarantine all others are looked at as usual, in the same process."""
    since, asked = stage.lab.bench.now(), len(stage.mock.asked(load_of(f"poison_{word}")))
    for one in neighbours:
        one.commit()
    names = [".".join(one.name) for one in neighbours]
    stage.sql("SELECT floe.notify_commit(x) FROM unnest(%s) AS x", (names,))
    stage.pg.wait_for("SELECT bool_and(i.status = 'ok' AND i.assessed_at > %s) FROM floe_internal.iceberg_table AS i WHERE i.name = ANY (%s)", (since, names), timeout=30)
    stage.t.ok(True, f"{word}: {len(names)} neighbours are looked at beside it")
    stage.t.equal(len(stage.mock.asked(load_of(f"poison_{word}"))), asked, f"{word}: and it is left alone")
    # whatever else was claimed when the process died is suspected once, until it was looked at by itself
    end = time.monotonic() + 30
    while (left := [row for row in stage.left() if f"poison_{word}" not in row["what"]]) and time.monotonic() < end:
        time.sleep(0.1)
    stage.t.equal(left, [], f"{word}: nobody else is suspected, or in error")


def assessor_dies(stage: Stage) -> None:
    name = ("w", "poison_assessor")
    table = Table(stage.mock, name, stage.lab.base)
    neighbours = [Table(stage.mock, ("w", f"beside_{i}"), stage.lab.base) for i in range(10)]
    poison = Poison(stage, name[-1], "assessor")
    stage.pg.sql("SELECT floe.refresh()")
    stage.pg.wait_for("SELECT count(*) = 11 FROM floe.tables WHERE name LIKE 'mock.w.%%' AND status = 'ok'")
    before = stage.lab.bench.table(table.name)
    table.commit()
    poison.active = True
    for one in neighbours:
        one.commit()
    stage.pg.sql("SELECT floe.refresh()")
    quarantined(stage, table.name, poison, 2)
    stage.t.ok(before["health"] and stage.lab.bench.table(table.name)["health"] == before["health"], "assessor: its health is kept")
    neighbours_go_on(stage, neighbours, "assessor")
    stage.t.equal(stage.pg.value("SELECT floe.notify_commit('mock.w.poison_assessor')"), False, "assessor: somebody says that it was written: it stays in quarantine")
    stage.t.equal(poison.deaths, 2, "assessor: it died twice and no more")

    # Freed while it is still poisonous: it may kill twice again, and no more.
    stage.begun = stage.lab.bench.now()
    stage.pg.sql("SELECT floe.refresh('mock.w.poison_assessor')")
    poison.wait(4)
    stage.wait_for("SELECT status = 'quarantined' FROM floe.tables WHERE name = 'mock.w.poison_assessor'")
    stage.back()
    stage.t.equal(poison.deaths, 4, "assessor: freed too early it is quarantined again")
    poison.active = False
    since = stage.lab.bench.now()
    stage.pg.sql("SELECT floe.refresh('mock.w.poison_assessor')")
    stage.pg.wait_for("SELECT status = 'ok' FROM floe.tables WHERE name = 'mock.w.poison_assessor'", timeout=30)
    stage.lab.bench.assessed([table.name], since, "assessor: floe.refresh() frees it, and it is looked at")
    stage.rests("assessor")


def executor_dies(stage: Stage) -> None:
    """The statement was carried out; the process dies when it wants to see what that did."""
    work = Work(stage.lab, Case("poison_executor", lambda engine: None))
    poison = Poison(stage, "poison_executor", "executor")
    work.engine.work = lambda statement: (work.carry_out(statement), setattr(poison, "active", True))
    stage.begun = stage.lab.bench.now()
    stage.pg.sql("SELECT floe.refresh()")
    stage.pg.wait_for("SELECT status = 'ok' FROM floe.tables WHERE name = %s", (work.name,))
    stage.lab.add_policy(work.case.name)
    quarantined(stage, work.table.name, poison, 2)
    neighbours_go_on(stage, [Table(stage.mock, ("w", f"beside_{i}"), stage.lab.base) for i in range(3)], "executor")
    work.ok(work.row()["state"] == "verifying", "its operation waits to be measured", brief(work.row()))
    stage.t.equal(poison.deaths, 2, "executor: it died twice and no more")
    poison.active = False
    stage.pg.sql("SELECT floe.refresh(%s)", (work.name,))
    stage.rests("executor", within=90)
    work.succeeded()
    work.tidy()


CASES = [assessor_dies, executor_dies]


def main() -> None:
    with Tap() as t, Stage(t) as stage:
        stage.begun = stage.lab.bench.now()
        for case in CASES:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                case(stage)


if __name__ == "__main__":
    main()
