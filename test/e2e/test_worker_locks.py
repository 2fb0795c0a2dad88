"""Steps of the database that fail because somebody holds a row: nothing is forgotten, nothing is sent twice, no table is in error because of it.

Everywhere the network is held, a session of the test's locks what the worker is about to write, the answer is let go, and the worker's statement is cancelled by
lock_timeout, once or several times. Then the lock is given back, and all must end well by itself, while the workers live on.
"""
from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterator

from heldwork import Hold, Stage, load_of, pid_of
from badengine import Case, EngineBench, Work
from badinput import Base, Table
from catalog import Mock, answer
from harness import Tap
from lakehouse import Lakehouse

import hs2

TIMEOUT = "300ms"  # of a session of its own; workers set theirs
OPERATION_ROW = "SELECT FROM floe_internal.operation_queue WHERE table_name = %s FOR UPDATE"
TABLE_ROW = "SELECT FROM floe_internal.iceberg_table WHERE name = %s FOR UPDATE"
POLL_ROW = "SELECT FROM floe_internal.table_poll WHERE table_id = (SELECT table_id FROM floe_internal.iceberg_table WHERE name = %s) FOR UPDATE"
DECISION_ROW = "SELECT FROM floe_internal.table_decision WHERE table_id = (SELECT table_id FROM floe_internal.iceberg_table WHERE name = %s) FOR UPDATE"
CATALOG_ROW = "SELECT FROM floe_internal.catalog WHERE server_name = %s FOR UPDATE"


@contextlib.contextmanager
def locked(pg: Lakehouse, query: str, name: str) -> Iterator[None]:
    connection = pg.connect(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute(query, (name,))
        if cursor.rowcount != 1:
            raise RuntimeError(f"{cursor.rowcount} rows are locked: {query} {name}")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


class Cancelled:
    """How often from now on the log says that this could not be stored because of a lock."""

    def __init__(self, pg: Lakehouse, what: str):
        self.pg, self.what = pg, what
        self.before = self.count()

    def count(self) -> int:
        return sum(self.what in line and "canceling statement due to lock timeout" in line for line in self.pg.server_log().splitlines())

    def wait(self, times: int = 1) -> bool:
        end = time.monotonic() + 20
        while (found := self.count() - self.before >= times) is False and time.monotonic() < end:
            time.sleep(0.05)
        return found


def pids(stage: Stage) -> dict[str, int]:
    return {who: pid_of(stage.pg, who) for who in ("assessor", "executor")}


# -------------------------------------------------------------------------------------------------
# The executor
# -------------------------------------------------------------------------------------------------

@dataclass
class Step:
    """Held at a call of the engine, or at the first or second look at the table ("preflight", "verify"); row: what is locked; says: what the log says of the step.

    then: what the request that was held is answered instead; sent: statements that the engine has while the row is locked."""
    name: str
    call: str
    says: str
    row: str = OPERATION_ROW
    then: Any = None
    sent: int = 1
    state: str = "succeeded"
    attempts: int = 1
    sessions: int = 0
    changed: bool = False


STEPS = [
    Step("claim", "", "its table cannot be claimed", POLL_ROW, sent=0),
    Step("look", "preflight", "what was seen of a table cannot be stored", TABLE_ROW, sent=0, changed=True),
    Step("check", "preflight", "it cannot be checked once more", sent=0),
    Step("postpone", "preflight", "it cannot be put off", then=answer(403), sent=0, attempts=2),
    Step("unsent", "OpenSession", "it cannot go back to the queue", then=lambda exchange: setattr(exchange, "close_connection", True), sent=0),
    Step("session", "OpenSession", "what the engine holds of it cannot be recorded", sent=0),
    Step("statement", "ExecuteStatement", "what the engine holds of it cannot be recorded"),
    Step("ended", "CloseSession", "that the engine is done with it cannot be stored"),
    Step("verified", "verify", "its effect cannot be stored"),
    Step("decision", "verify", "", DECISION_ROW),
    Step("abandon", "verify", "its end cannot be stored", then=answer(404), state="failed"),
]


class HeldThen(Hold):
    """A hold that can be answered otherwise."""

    def __init__(self, instead: Any, **more: Any):
        super().__init__(carried_out=instead is None, **more)
        self.instead = instead

    def __call__(self, exchange: Any) -> None:
        if not self.armed or self.instead is None:
            super().__call__(exchange)
            return
        self.armed = False
        self.reached.set()
        self.free.wait()
        self.instead(exchange)


def hold_step(stage: Stage, work: Work, step: Step) -> HeldThen:
    hold = HeldThen(step.then, armed=step.call != "verify")
    if step.call in ("preflight", "verify"):
        stage.mock.misbehave(load_of(work.case.name), hold)
    elif step.call:
        work.engine.misbehave(step.call, hold)
    if step.call == "verify":
        work.engine.work = lambda statement: (work.carry_out(statement), hold.again())
    return hold


def executor_step(stage: Stage, step: Step) -> None:
    t, pg = stage.t, stage.pg
    work = Work(stage.lab, Case(f"x_{step.name}", lambda engine: None, sessions=step.sessions))
    pg.sql("SELECT floe.refresh('mock.none.none')")
    pg.wait_for("SELECT status = 'ok' FROM floe.tables WHERE name = %s", (work.name,))
    hold = hold_step(stage, work, step)
    if step.changed:
        work.table.commit()
    cancelled = Cancelled(pg, step.says)
    if not step.call:
        # nothing is asked of the network before
        pg.sql("SELECT floe.pause(%s)", (work.name,))
        stage.lab.add_policy(work.case.name)
        with locked(pg, step.row, work.name):
            pg.sql("SELECT floe.resume(%s)", (work.name,))
            watch(stage, work, step, cancelled)
    else:
        stage.lab.add_policy(work.case.name)
        if not hold.reached.wait(20):
            raise TimeoutError(f"{step.name}: nothing came to be held")
        with locked(pg, step.row, work.name):
            hold.let_go()
            watch(stage, work, step, cancelled)
    pg.wait_for("SELECT bool_and(finished_at IS NOT NULL) FROM floe.operations WHERE table_name = %s", (work.name,))
    row, rows = work.row(), work.rows()
    t.ok(row["state"] == step.state and row["attempt"] == step.attempts and len(rows) == 1, f"{step.name}: then it ends {step.state}", rows)
    t.ok(work.carried_out == 1 and len(work.engine.history) == 1, f"{step.name}: sent once and carried out once", work.carried_out, len(work.engine.history))
    if step.state == "succeeded":
        t.equal(len(row["new_snapshots"] or []), 1, f"{step.name}: its effect is measured")
    ends = stage.sql("SELECT kind FROM floe.events WHERE table_name = %s AND kind ~ 'operation (succeeded|failed|cancelled|no_change)'", (work.name,))
    t.equal([one["kind"] for one in ends], [f"operation {step.state}"], f"{step.name}: one end")
    work.tidy()
    stage.stores.heal()
    work.engine.heal()
    pg.sql("SELECT floe.drop_policy(%s)", (work.case.name,))
    # one that could not be loaded waits for its time
    pg.sql("SELECT floe.refresh(%s)", (work.name,))


def watch(stage: Stage, work: Work, step: Step, cancelled: Cancelled) -> None:
    """While the row is locked."""
    stage.t.ok(cancelled.wait(2), f"{step.name}: cancelled by lock_timeout, twice", stage.pg.server_log()[-3000:])
    stage.t.equal(len(work.engine.history), step.sent, f"{step.name}: {step.sent} statements were sent meanwhile")
    stage.t.equal(stage.pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s AND finished_at IS NULL", (work.name,)), 1, f"{step.name}: and it has no end")


def executor(stage: Stage) -> None:
    before = pids(stage)
    for step in STEPS:
        if len(sys.argv) < 3 or step.name in sys.argv[2:]:
            executor_step(stage, step)
    stage.rests("executor")
    stage.t.equal(pids(stage), before, "executor: it was never started anew")


# -------------------------------------------------------------------------------------------------
# The assessor
# -------------------------------------------------------------------------------------------------

def looks(stage: Stage) -> None:
    """What an assessor has seen of a table, or heard of its catalog instead."""
    t, pg = stage.t, stage.pg
    before = pids(stage)
    for name, row, changed, instead in (("l_changed", TABLE_ROW, True, None), ("l_unchanged", POLL_ROW, False, None), ("l_failed", TABLE_ROW, True, answer(403))):
        full = f"mock.w.{name}"
        table = Table(stage.mock, ("w", name), stage.lab.base)
        pg.sql("SELECT floe.refresh('mock.none.none')")
        pg.wait_for("SELECT status = 'ok' FROM floe.tables WHERE name = %s", (full,))
        seen = pg.value("SELECT p.polled_at FROM floe_internal.table_poll AS p JOIN floe_internal.iceberg_table USING (table_id) WHERE name = %s", (full,))
        hold = HeldThen(instead)
        stage.mock.misbehave(load_of(name), hold)
        if changed:
            table.commit()
        pg.sql("SELECT floe.notify_commit(%s)", (full,))
        hold.reached.wait(20)
        cancelled = Cancelled(pg, "what was seen of a table cannot be stored")
        with locked(pg, row, full):
            hold.let_go()
            t.ok(cancelled.wait(), f"{name}: cancelled by lock_timeout")
            t.equal(pg.value("SELECT status FROM floe.tables WHERE name = %s", (full,)), "ok", f"{name}: the table is not in error because of that")
        stage.stores.heal()
        t.ok(pg.wait_for("""SELECT i.status = 'ok' AND p.claim_pass IS NULL AND p.polled_at > %s AND i.metadata_location = %s
            FROM floe_internal.table_poll AS p JOIN floe_internal.iceberg_table AS i USING (table_id) WHERE i.name = %s""", (seen, table.metadata_location, full), timeout=20),
             f"{name}: then it is looked at again, soon")
    t.equal(stage.sql("SELECT * FROM floe.events WHERE kind = 'table error' AND table_name LIKE 'mock.w.l!_%%' ESCAPE '!'"), [], "looks: no table was in error")
    t.equal(pids(stage), before, "looks: the assessor was never started anew")


def listings(stage: Stage) -> None:
    """A listing that cannot be stored is not lost, nor is its failure; the catalog can be listed again."""
    t, pg = stage.t, stage.pg
    before = pids(stage)
    for name, instead, says in (("stored", None, "the listing of catalog"), ("failed", answer(403), "catalog state")):
        catalog = stage.others["listing"]
        hold = HeldThen(instead)
        catalog.misbehave("/tables(\\?|$)", hold)
        Table(catalog, ("w", f"new_{name}"), stage.lab.base)
        pg.sql("SELECT floe.refresh('listing.none.none')")
        hold.reached.wait(20)
        cancelled = Cancelled(pg, says)
        with locked(pg, CATALOG_ROW, "listing"):
            hold.let_go()
            t.ok(cancelled.wait(2), f"listing {name}: cancelled by lock_timeout")
        if instead:
            t.ok(pg.wait_for("SELECT status = 'error' AND claim_pass IS NULL FROM floe_internal.catalog WHERE server_name = 'listing'", timeout=20), f"listing {name}: the catalog is in error, and free")
        stage.stores.heal()
        if instead:
            pg.sql("SELECT floe.refresh('listing.none.none')")
        t.ok(pg.wait_for("SELECT count(*) = 1 FROM floe.tables WHERE name = %s AND status = 'ok'", (f"listing.w.new_{name}",), timeout=20), f"listing {name}: the new table is known")
    t.equal(pids(stage), before, "listings: the assessor was never started anew")


# -------------------------------------------------------------------------------------------------
# A pass with an end
# -------------------------------------------------------------------------------------------------

def procedure(t: Tap) -> None:
    """It leaves what runs at an engine to the next pass; that, too, may have to wait for a lock."""
    with Lakehouse() as pg, Mock() as stores, hs2.Mock() as engines:
        lab = EngineBench(t, pg, stores, engines, Base())
        work = lab.begin([Case("left", lambda engine: None)])["left"]
        work.engine.polls = float("inf")
        hold = Hold(carried_out=True)
        work.engine.misbehave("GetOperationStatus", hold)
        command = [*pg.psql_command(), "-c", f"SET lock_timeout = '{TIMEOUT}'", "-c", "CALL floe.run_maintenance('mock.w.*')"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            hold.reached.wait(20)
            cancelled = Cancelled(pg, "it cannot be left")
            with locked(pg, OPERATION_ROW, work.name):
                hold.let_go()
                t.ok(cancelled.wait(2), "procedure: what it would leave is locked")
            output = process.communicate(timeout=30)[0]
        t.ok(process.returncode == 0 and "it cannot be left" in output, "procedure: it says so, and ends well", output[-2000:])
        t.equal(pg.value("SELECT driver_pass FROM floe_internal.operation_queue WHERE table_name = %s", (work.name,)), 0, "procedure: the operation is free")
        work.engine.heal()
        work.engine.finish()
        lab.run()
        work.succeeded()
        work.tidy()
        t.equal(pg.sql("SELECT table_id FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL"), [], "procedure: nothing is left claimed")


def main() -> None:
    groups: list[Callable[[Stage], Any]] = [executor, looks, listings]
    chosen = [group for group in groups if len(sys.argv) < 2 or group.__name__ in sys.argv[1:]]
    with Tap() as t:
        if chosen:
            with Stage(t) as stage:
                for group in chosen:
                    group(stage)
                stage.rests("in the end")
        if len(sys.argv) < 2 or "procedure" in sys.argv[1:]:
            procedure(t)


if __name__ == "__main__":
    main()
