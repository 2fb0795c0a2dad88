"""Answers that come when nobody waits for them any more: a listing has failed, the catalog was connected to anew, and then the rest of it arrives.

Freed memory is filled with rubbish (MALLOC_PERTURB_), so that whoever uses it is noticed.
"""
from __future__ import annotations

import os
import threading
import time
from typing import Callable

from badinput import Base, Bench, Table
from catalog import Exchange, Mock, error
from harness import Tap
from lakehouse import Lakehouse

ROUNDS = 12


class Gate:
    """Holds answers until it is opened."""

    def __init__(self) -> None:
        self.held, self.answered = 0, 0
        self.open = threading.Event()
        self.lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        with self.lock:
            self.held += 1
        self.open.wait(60)
        exchange.send(exchange.normal())
        with self.lock:
            self.answered += 1


def wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)


def listing(t: Tap, pg: Lakehouse, mock: Mock, base: Base) -> None:
    catalog, gate = mock.catalog("late"), Gate()
    for namespace in ("bad", "slow"):
        Table(catalog, (namespace, "t"), base)
    Bench(t, pg, mock).connect(catalog, list_interval="30 days")
    pg.wait_for("SELECT count(*) = 2 FROM floe.tables WHERE status = 'ok'")
    assessor = pg.value("SELECT pid FROM floe.workers WHERE worker = 'assessor'")
    catalog.misbehave("/namespaces/slow/tables", gate)
    catalog.misbehave("/namespaces/bad/tables", error(400))
    for i in range(ROUNDS):
        pg.sql("SELECT floe.refresh('late.**')")
        wait(lambda: gate.held > i, "the slow half of the listing is under way")
        pg.wait_for("SELECT claim_pass IS NULL AND error_message || COALESCE(error_detail, '') LIKE %s FROM floe_internal.catalog WHERE server_name = 'late'", ("%list tables of bad%",))
    t.equal(gate.answered, 0, f"{ROUNDS} listings have failed, the slow half of each is still under way")
    catalog.heal()
    pg.sql("SELECT floe.refresh('late.**')")
    pg.wait_for("SELECT claim_pass IS NULL AND error_code IS NULL FROM floe_internal.catalog WHERE server_name = 'late'")
    t.ok(True, "a listing that finds everything well makes the catalog well")
    gate.open.set()
    wait(lambda: gate.answered == gate.held, "all late answers are sent")
    pg.sql("SELECT floe.notify_commit('late.slow.t')")
    pg.wait_for("SELECT requests = 0 AND in_flight = 0 FROM floe.workers WHERE worker = 'assessor'")
    t.equal(pg.value("SELECT pid FROM floe.workers WHERE worker = 'assessor'"), assessor, "the assessor outlives them")
    t.equal(pg.value("SELECT count(*) FROM floe.tables WHERE status = 'ok'"), 2, "and they change nothing")


def main() -> None:
    os.environ["MALLOC_PERTURB_"] = "165"
    with Tap() as t, Lakehouse(preload=True) as pg, Mock() as mock:
        listing(t, pg, mock, Base())


if __name__ == "__main__":
    main()
