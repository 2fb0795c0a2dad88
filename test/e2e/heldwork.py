"""What the tests of workers that die share: work held at many points of the network at once, by the mocks, and what must be so after whatever happened.

    with Tap() as t, Stage(t) as stage:
        scene = Scene(stage, "assessor")       # one table (and engine) for each point; returns when all are held there
        stage.crash("assessor")                # whatever it is
        scene.let_go()
        scene.heals()

Apart from badengine.py, where it is the engine that is wrong: here everybody behaves, and somebody is gone in the middle.
"""
from __future__ import annotations

import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable

import psycopg2

# First: it makes test/mock importable.
from badinput import Base, Table

import hs2
from badengine import Case, EngineBench, Work, brief
from catalog import Mock
from harness import Tap
from lakehouse import Lakehouse

WORKERS = ("assessor", "executor")


def pid_of(pg: Lakehouse, who: str) -> int:
    """assessor, executor or launcher; waits until there is one."""
    return pg.wait_for("SELECT pid FROM pg_stat_activity WHERE backend_type = %s", (f"floe {who}",), timeout=20)


# -------------------------------------------------------------------------------------------------
# Holding
# -------------------------------------------------------------------------------------------------

class Hold:
    """A behaviour of a mock: requests get no answer until the client is gone or the hold is let go.

    carried_out: the request has its effect before it is held; late: it has it when the client is gone, as one that waited in the server's queue.
    then: what else happens before it is held."""

    def __init__(self, carried_out: bool = False, late: bool = False, armed: bool = True, then: Callable[[], Any] = lambda: None):
        self.carried_out, self.late, self.armed, self.then = carried_out, late, armed, then
        self.reached, self.free = threading.Event(), threading.Event()
        self.seen = 0

    def __call__(self, exchange: Any) -> None:
        send = getattr(exchange, "send_reply", None) or exchange.send
        if not self.armed:
            send(exchange.normal())
            return
        answer = exchange.normal() if self.carried_out else None
        self.then()
        self.seen += 1
        self.reached.set()
        while not self.free.wait(0.02) and not gone(exchange.connection):
            pass
        # also when it was let go in the moment in which the client was gone already
        if gone(exchange.connection):
            if self.late:
                exchange.normal()
            exchange.close_connection = True
            return
        send(answer or exchange.normal())

    def again(self) -> None:
        """For the next request, after one that was held is gone."""
        self.reached.clear()
        self.armed = True

    def disarm(self) -> None:
        """Further requests pass; those that are held stay so."""
        self.armed = False

    def let_go(self) -> None:
        self.disarm()
        self.free.set()


def gone(connection: socket.socket) -> bool:
    """The client closed it, or died."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def load_of(name: str) -> str:
    return rf"^GET /v1/namespaces/w/tables/{name}(\?|$)"


# -------------------------------------------------------------------------------------------------
# A server with workers, a catalog, a store, engines
# -------------------------------------------------------------------------------------------------

class Stage:
    """Everything a scene needs. Nobody here ever calls run_maintenance()."""

    def __init__(self, t: Tap, conf: dict[str, str] | None = None):
        self.t = t
        self.pg = Lakehouse(preload=True, conf={"floe.request_timeout": "60s", **(conf or {})})
        self.stores, self.engines = Mock(), hs2.Mock()
        self.scenes = 0

    def __enter__(self) -> "Stage":
        self.stores.__enter__()
        self.engines.__enter__()
        self.lab = EngineBench(self.t, self.pg, self.stores, self.engines, Base())
        self.mock = self.lab.catalog
        self.others = {}
        for name in ("config", "listing"):
            self.others[name] = self.stores.catalog(name)
            Table(self.others[name], ("w", "t"), self.lab.base)
            self.lab.bench.connect(self.others[name])
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.pg.__exit__(kind, error, trace)
        self.stores.__exit__()
        self.engines.__exit__()

    # questions

    def sql(self, query: str, params: Any = None) -> list[dict[str, Any]]:
        return self.lab.bench.sql(query, params)

    def wait_for(self, query: str, params: Any = None, timeout: float = 60) -> Any:
        """As Cluster.wait_for(), of a server that may go down and come back meanwhile."""
        end = time.monotonic() + timeout
        while True:
            try:
                return self.pg.wait_for(query, params, timeout=max(0.1, end - time.monotonic()))
            except psycopg2.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def back(self, timeout: float = 60) -> None:
        """Until the server takes connections again and both workers run."""
        self.wait_for("SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = ANY (%s)", ([f"floe {who}" for who in WORKERS],), timeout)
        self.lab.bench.connection = self.pg.connect()

    def crash(self, who: str) -> None:
        """kill -9 of one process of floe: the postmaster ends all others and recovers."""
        victim = pid_of(self.pg, who)
        os.kill(victim, signal.SIGKILL)
        end = time.monotonic() + 30
        while f"(PID {victim}) was terminated by signal 9" not in self.pg.server_log():
            if time.monotonic() > end:
                raise TimeoutError("the postmaster did not notice")
            time.sleep(0.02)
        self.back()

    def power_failure(self) -> None:
        self.pg.kill9()
        self.pg.start()
        self.back()

    def restart(self, mode: str) -> None:
        self.pg.restart(mode)
        self.back()

    def left(self) -> list[dict[str, Any]]:
        """Whatever is not at rest: claims, suspects, errors, operations, decisions that are due, triggers."""
        return self.sql("""
            SELECT 'table ' || i.name || ' ' || i.status AS what, p.claim_pass IS NOT NULL AS claimed, p.crashes, i.error_message AS error
                FROM floe_internal.iceberg_table AS i JOIN floe_internal.table_poll AS p USING (table_id)
                WHERE i.status <> 'dropped' AND (p.claim_pass IS NOT NULL OR p.crashes > 0 OR i.status <> 'ok')
            UNION ALL SELECT 'catalog ' || c.server_name || ' ' || c.status, c.claim_pass IS NOT NULL, 0, c.error_message
                FROM floe_internal.catalog AS c WHERE c.claim_pass IS NOT NULL OR c.status <> 'ok'
            UNION ALL SELECT 'operation ' || o.table_name || ' ' || o.state, NULL, o.attempt, o.error_message FROM floe_internal.operation_queue AS o
            UNION ALL SELECT 'decision ' || i.name, NULL, 0, NULL FROM floe_internal.table_decision AS d JOIN floe_internal.iceberg_table AS i USING (table_id)
                WHERE d.decide_at <= floe_internal.clock()
            UNION ALL SELECT 'trigger', NULL, 0, NULL FROM floe_internal.trigger_request""")

    def rests(self, what: str, within: float = 60) -> float:
        """Everything comes to rest by itself; returns after how many seconds."""
        begun = time.monotonic()
        while (left := self.left()) and time.monotonic() - begun < within:
            time.sleep(0.1)
        took = time.monotonic() - begun
        self.t.ok(not left, f"{what}: all is at rest again, without hands, after {took:.1f} s", *left)
        return took


# -------------------------------------------------------------------------------------------------
# Points
# -------------------------------------------------------------------------------------------------

@dataclass
class Point:
    """Where an operation is held: at a call of its engine, or (call None) at a place that Scene knows by the name.

    attempts: how often its statement is sent in all, after floe died here; sessions: how many are then open at the engine for ever, because floe was never told
    of them; of: operations there are in all."""
    name: str
    call: str | None = None
    carried_out: bool = False
    late: bool = False
    attempts: int = 1
    sessions: int = 0
    of: int = 1


OPERATIONS = [
    Point("preflight"),
    Point("open", "OpenSession"),
    Point("opened", "OpenSession", carried_out=True, sessions=1),
    Point("execute", "ExecuteStatement", late=True, attempts=2),
    Point("executed", "ExecuteStatement", carried_out=True, attempts=2),
    Point("finished", "ExecuteStatement", carried_out=True),
    Point("running"),
    Point("status", "GetOperationStatus", carried_out=True),
    Point("metadata", "GetResultSetMetadata"),
    Point("fetch", "FetchResults", carried_out=True),
    Point("close_operation", "CloseOperation", carried_out=True),
    Point("close_session", "CloseSession", carried_out=True),
    Point("cancel", "CancelOperation", carried_out=True, of=2),
    Point("verify"),
]
LOOKS = {"load": load_of, "list": lambda name: f"/w/{name}/.*-list.avro", "manifest": lambda name: f"/w/{name}/.*-m0.avro"}


class Scene:
    """One table for each point of OPERATIONS with an engine of its own, one for each of LOOKS, the catalogs "config" and "listing", and (with_plan) a table
    that is assessed and not decided upon yet; each held at its point when this returns."""

    def __init__(self, stage: Stage, word: str, with_plan: bool = True):
        self.stage, self.word, self.with_plan = stage, word, with_plan
        stage.scenes += 1
        self.prefix = f"s{stage.scenes}_"
        self.holds: dict[str, Hold] = {}
        self.works = {point.name: Work(stage.lab, Case(self.prefix + point.name, lambda engine: None, sessions=point.sessions)) for point in OPERATIONS}
        self.tables = {name: Table(stage.mock, ("w", self.prefix + name), stage.lab.base) for name in LOOKS}
        self.planned: Work | None = None
        self.begun = stage.lab.bench.now()
        self._make_known()
        self._hold_operations()
        self._hold_looks()
        if with_plan:
            self._hold_plan()
        self.held_at = stage.lab.bench.now()
        missing = [name for name, hold in self.holds.items() if not hold.reached.is_set()]
        stage.t.ok(not missing, f"{word}: work is held at {len(self.holds) + 1 + with_plan} points", missing)

    def _wait(self, name: str) -> None:
        if not self.holds[name].reached.wait(20):
            raise TimeoutError(f"{self.word}: nothing came to be held at {name}")

    def _make_known(self) -> None:
        pg = self.stage.pg
        pg.sql("SELECT floe.refresh()")
        pg.wait_for("SELECT count(*) = %s FROM floe.tables WHERE name LIKE %s AND status = 'ok'", (len(self.works) + len(self.tables), f"mock.w.{self.prefix}%"))

    def _hold_operations(self) -> None:
        """Nothing but its policy calls for the operation, and nobody but the executor looks at the table after that."""
        stage = self.stage
        self._work_that("verify", lambda work: self.holds["verify"].again())
        for point in OPERATIONS:
            work, engine = self.works[point.name], self.works[point.name].engine
            hold = Hold(point.carried_out, point.late, armed=point.name != "verify")
            if point.name == "finished":
                hold.then = engine.finish
            if point.call:
                engine.misbehave(point.call, hold)
            elif point.name in ("preflight", "verify"):
                stage.mock.misbehave(load_of(work.case.name), hold)
            if point.name != "running":
                self.holds[point.name] = hold
            if point.name in ("running", "executed", "cancel"):
                engine.polls = float("inf")
            stage.lab.add_policy(work.case.name)
        cancel = self.works["cancel"]
        stage.pg.wait_for("SELECT state = 'running' FROM floe.operations WHERE table_name = %s", (cancel.name,))
        stage.pg.sql("SELECT floe.cancel(id) FROM floe.operations WHERE table_name = %s", (cancel.name,))
        for name in self.holds:
            self._wait(name)
        stage.pg.wait_for("SELECT state = 'running' FROM floe.operations WHERE table_name = %s", (self.works["running"].name,))

    def _work_that(self, name: str, then: Callable[[Work], Any]) -> None:
        work = self.works[name]
        work.engine.work = lambda statement: (work.carry_out(statement), then(work))

    def _hold_looks(self) -> None:
        stage = self.stage
        for name, pattern in LOOKS.items():
            table = self.tables[name]
            table.commit()
            self.holds[name] = Hold()
            (stage.mock if name == "load" else stage.stores).misbehave(pattern(table.levels[-1]), self.holds[name])
            stage.pg.sql("SELECT floe.notify_commit(%s)", (".".join(table.name),))
        for name, pattern in (("config", "^GET /v1/config"), ("listing", "/tables(\\?|$)")):
            self.holds[name] = Hold()
            stage.others[name].misbehave(pattern, self.holds[name])
        stage.pg.sql("SELECT floe.refresh('config.**'), floe.refresh('listing.**')")
        for name in (*LOOKS, *stage.others):
            self._wait(name)

    def _hold_plan(self) -> None:
        """A lock of the test's keeps the assessor from deciding upon a table that it has just seen for the first time."""
        stage = self.stage
        self.lock = stage.pg.connect(autocommit=False)
        with self.lock.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(floe_internal.step_class(), 2)")
        self.planned = Work(stage.lab, Case(self.prefix + "plan", lambda engine: None))
        stage.lab.add_policy(self.planned.case.name)
        # no table has that name: only the listing is due
        stage.pg.sql("SELECT floe.refresh('mock.none.none')")
        stage.pg.wait_for("""SELECT count(*) > 0 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
            WHERE l.locktype = 'advisory' AND NOT l.granted AND a.backend_type = 'floe assessor'""", timeout=20)
        stage.t.equal(stage.pg.value("SELECT status FROM floe.tables WHERE name = %s", (self.planned.name,)), "ok", f"{self.word}: a table is assessed and not decided upon")

    # afterwards

    def disarm(self) -> None:
        """What was held stays held; whoever comes anew is served."""
        for hold in self.holds.values():
            hold.disarm()

    def let_go(self) -> None:
        """Everybody answers, and what runs at engines ends when it is asked for."""
        for hold in self.holds.values():
            hold.let_go()
        for work in [*self.works.values(), *([self.planned] if self.planned else [])]:
            work.engine.heal()
        self.stage.stores.heal()
        if self.planned:
            try:
                self.lock.close()
            except psycopg2.Error:
                pass

    def ends_of(self, work: Work) -> list[dict[str, Any]]:
        return self.stage.sql("""SELECT operation_id, array_agg(kind) AS kinds FROM floe_internal.event
            WHERE table_name = %s AND kind IN ('operation succeeded', 'operation failed', 'operation cancelled', 'operation no_change') GROUP BY operation_id""", (work.name,))

    def judge(self, attempts: dict[str, Any] | None = None, sessions: dict[str, Any] | None = None) -> None:
        """Every operation ended once and well, every table was looked at since. attempts, sessions: where it is not as after floe's death."""
        attempts, sessions = attempts or {}, sessions or {}
        for point in OPERATIONS:
            work = self.works[point.name]
            open_at_the_end = sessions.get(point.name, point.sessions)
            work.case.sessions = len(work.engine.sessions) if open_at_the_end == (0, 1) and len(work.engine.sessions) < 2 else open_at_the_end
            row, rows = work.row(), work.rows()
            ends = self.ends_of(work)
            wanted = attempts.get(point.name, point.attempts)
            wanted = wanted if isinstance(wanted, tuple) else (wanted,)
            fine = row.get("state") == "succeeded" and row["attempt"] in wanted and len(rows) == point.of and work.carried_out == 1 and len(row["new_snapshots"] or []) == 1
            self.stage.t.ok(fine, f"{self.word}: {point.name}: ended well, its statement sent {' or '.join(map(str, wanted))} times and carried out once",
                            f"carried out {work.carried_out}", [one.state for one in work.engine.history], *map(brief, rows))
            if point.name == "cancel":
                self.stage.t.equal(rows[0]["state"], "cancelled", f"{self.word}: cancel: the one that was cancelled is")
            self.stage.t.ok(len(ends) == point.of and all(len(one["kinds"]) == 1 for one in ends), f"{self.word}: {point.name}: one end for each operation", ends)
            work.tidy()
        if self.planned:
            self.planned.succeeded()
        names = [table.name for table in self.tables.values()] + [[name, "w", "t"] for name in self.stage.others]
        rows = {".".join(name): self.stage.lab.bench.table(name) for name in names}
        wrong = [row for row in rows.values() if row["status"] != "ok" or row["health"] is None]
        self.stage.t.ok(not wrong, f"{self.word}: every table is well", *wrong)
        stale = [name for name, row in rows.items() if name.startswith("mock.") and row["assessed_at"] < self.held_at]
        self.stage.t.equal(stale, [], f"{self.word}: what was being looked at was looked at again")
        # what served its purpose needs no more attention
        for work in [*self.works.values(), *([self.planned] if self.planned else [])]:
            self.stage.pg.sql("SELECT floe.drop_policy(%s)", (work.case.name,))

    def heals(self, within: float = 60, **judgement: Any) -> float:
        took = self.stage.rests(self.word, within)
        self.judge(**judgement)
        return took
