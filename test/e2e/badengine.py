"""What the tests of bad engines share: tables of the mock catalog, each with a policy and an engine of its own, and what must hold whatever the engine does.

A table and an engine for each case, so that one pass meets all of them: the bad ones must not harm the others. What an engine "does" to its
table is one more snapshot, so the table's history counts how often a statement was carried out.
"""
from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Callable

# First: it makes test/mock importable.
from badinput import Base, Bench, Table

import hs2
from catalog import Catalog, Mock
from harness import Tap
from lakehouse import Lakehouse

OPERATION = "rewrite_data_files"


def at(call: str, behaviour: hs2.Behaviour, times: float = float("inf")) -> Callable[[hs2.Engine], Any]:
    """Disturbs an engine at a call."""
    return lambda engine: engine.misbehave(call, behaviour, times)


def policy(engine: str, base: Base, **settings: Any) -> dict[str, Any]:
    """Calls for the operation until it was carried out, and lets nothing wait but what a gate has a reason for."""
    condition = {"metric": "snapshot_count", "op": "<=", "value": len(base.metadata["snapshots"])}
    return {"engine": engine, OPERATION: {"when": {"any": [condition]}, "min_interval": "0", "options": {"rewrite_all": True}, **settings}}


def brief(row: dict[str, Any]) -> dict[str, Any]:
    """What a person needs of an operation's row."""
    return {key: row.get(key) for key in ("id", "state", "attempt", "engine_outcome", "error_class", "error", "new_snapshots", "external_id")}


@dataclass
class Case:
    """disturb: what is wrong with the engine; says: a pattern of the reason; server: other options of its SERVER; mapping: of its USER MAPPING.

    sessions: how many stay open at the engine in the end, because it did not say their names or refuses to close them."""
    name: str
    disturb: Callable[[hs2.Engine], Any]
    says: str = ""
    error_class: str | None = None
    attempts: int = 1
    sessions: int = 0
    server: dict[str, str] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)


def healthy(names: list[str]) -> list[Case]:
    return [Case(name, lambda engine: None) for name in names]


class Work:
    """One case: its table, its engine, and the questions."""

    def __init__(self, lab: "EngineBench", case: Case):
        self.lab, self.case, self.t = lab, case, lab.bench.t
        self.engine = lab.engines.engine(case.name)
        self.table = Table(lab.catalog, ("w", case.name), lab.base)
        self.name = f"mock.w.{case.name}"
        self.engine.work = self.carry_out
        self.carried_out = 0
        lab.pg.add_server(case.name, "floe_engine", "spark-thrift", {"url": self.engine.url, **case.server}, case.mapping)

    def carry_out(self, statement: str) -> None:
        """A rewrite: a new version of the table with one more snapshot; its files stay as they are."""
        with self.table.catalog.whole:
            self.carried_out += 1
            self.table.commit()
            metadata, old = self.table.metadata, self.table.snapshot
            for place in range(self.carried_out):
                one = {**old, "snapshot-id": old["snapshot-id"] + 1 + place, "parent-snapshot-id": old["snapshot-id"] + place,
                       "timestamp-ms": old["timestamp-ms"] + 1 + place, "summary": {**old["summary"], "operation": "replace"}}
                metadata["snapshots"].append(one)
                metadata["current-snapshot-id"] = metadata["refs"]["main"]["snapshot-id"] = one["snapshot-id"]
                metadata["last-updated-ms"] = one["timestamp-ms"]

    def rows(self) -> list[dict[str, Any]]:
        return self.lab.bench.sql("SELECT * FROM floe.operations WHERE table_name = %s ORDER BY id", (self.name,))

    def row(self) -> dict[str, Any]:
        rows = self.rows()
        return rows[-1] if rows else {}

    def events(self, kind: str) -> list[str]:
        return [row["message"] for row in self.lab.bench.sql("SELECT message FROM floe.events WHERE kind = %s AND table_name = %s ORDER BY id", (kind, self.name))]

    def engine_row(self) -> dict[str, Any]:
        return self.lab.bench.sql("SELECT e.*, i.error_code FROM floe.engines AS e JOIN floe_internal.engine AS i ON i.server_name = e.name WHERE e.name = %s", (self.case.name,))[0]

    def engine_events(self, kind: str) -> list[str]:
        return [row["message"] for row in self.lab.bench.sql("SELECT message FROM floe.events WHERE kind = %s AND message LIKE %s ORDER BY id", (kind, f'engine "{self.case.name}"%'))]

    def why(self) -> dict[str, Any]:
        return self.lab.bench.sql("SELECT * FROM floe.why(%s) WHERE operation = %s", (self.name, OPERATION))[0]

    def ok(self, condition: Any, what: str, *diagnosis: Any) -> bool:
        return self.t.ok(condition, f"{self.case.name}: {what}", *diagnosis)

    # what must hold

    def waits_in_queue(self, notices: str) -> None:
        """Nothing reached the engine that could run: the operation is queued as before, the engine is in error with the reason."""
        row, engine = self.row(), self.engine_row()
        self.ok(row["state"] == "queued" and row["attempt"] == 0 and row["error_class"] is None, "the operation waits in the queue, with no attempt spent", brief(row))
        self.ok(engine["status"] == "error" and re.search(self.case.says, f"[{engine['error_code']}] {engine['error']}: {engine['error_detail']}"),
                "the engine's row says why", self.case.says, engine)
        self.ok(engine["retry_at"] is not None and engine["failures"] == 1, "it is asked again later", engine)
        told = self.engine_events("engine error")
        self.ok(len(told) == 1 and engine["error"] in told[0] and engine["error"] in notices, "one event, and a notice", told)
        gate = self.why()
        self.ok(gate["verdict"] == "wait" and gate["gate"] == "interlock", "why: it is queued already", gate)
        self.ok(not self.engine.history, "the engine has had no statement")

    def failed(self, notices: str) -> None:
        """It ended, with one line of the reason, its class, and the wait that the class asks for."""
        row, gate = self.row(), self.why()
        self.ok(row["state"] == "failed" and row["error_class"] == self.case.error_class and re.search(self.case.says, row["error"] or ""),
                f"failed, of class {self.case.error_class}, with the reason", self.case.says, row["state"], row["error_class"], row["error"])
        self.ok(row["attempt"] == self.case.attempts, f"after {self.case.attempts} attempt(s)", brief(row))
        self.ok(row["error"] and "\n" not in row["error"] and "\tat " not in row["error"] and len(row["error"]) < 1000, "the reason is one line", row["error"])
        told = self.events("operation failed")
        self.ok(len(told) == len([one for one in self.rows() if one["state"] == "failed"]) and row["error"] in told[-1] and row["error"][:500] in notices if told and row["error"] else False,
                "one event, and a notice", told)
        self.ok(gate["verdict"] == "wait" and gate["gate"] == "backoff" and row["error"] in gate["value"], "why: it is held back, and by what", gate)
        retries = self.case.error_class in ("transient", "conflict", "resource")
        wait = (gate["next_at"] - row["finished_at"]).total_seconds() if gate["next_at"] else None
        usual = {"transient": 60, "conflict": 60, "resource": 600}.get(self.case.error_class or "")
        self.ok(usual * 0.85 < wait < usual * 1.15 if retries and wait else not retries and wait is None,
                f"the next try is {'after about %d s' % usual if retries else 'not a matter of time'}", gate["next_at"], wait)
        self.ok(self.engine_row()["status"] == "ok", "the engine itself is not in error: others may use it", self.engine_row())

    def still_running(self, notices: str) -> None:
        """The engine has it, and does not say how it is: no end is made up."""
        row, engine = self.row(), self.engine_row()
        self.ok(row["state"] in ("running", "lost") and row["error"] is None, "the operation is not given up", brief(row))
        self.ok(engine["status"] == "error" and re.search(self.case.says, f"[{engine['error_code']}] {engine['error']}: {engine['error_detail']}"),
                "the engine's row says why", self.case.says, engine)
        told = self.engine_events("engine error")
        self.ok(len(told) == 1 and engine["error"] in told[0] and engine["error"] in notices, "one event, and a notice", told)

    def succeeded(self, attempts: int = 1, of: int = 1, engine_ok: bool = True) -> None:
        """of: operations there were in all."""
        rows = self.rows()
        row = rows[-1] if rows else {}
        self.ok(row.get("state") == "succeeded" and row["attempt"] == attempts and (row["error"] is None or row["engine_outcome"] == "lost"), f"succeeded at attempt {attempts}", brief(row))
        self.ok(len(rows) == of, f"{of} operation(s) in all", [(one["id"], one["state"]) for one in rows])
        self.ok(self.carried_out == 1, "carried out once", self.carried_out, [one.state for one in self.engine.history])
        self.ok(len(row.get("new_snapshots") or []) == 1, "the effect is measured", row.get("new_snapshots"))
        self.ok(self.engine_row()["status"] == "ok" or not engine_ok, "the engine is ok", self.engine_row())

    def tidy(self) -> None:
        """No two statements at once, and nothing is left open at the engine."""
        sessions = self.case.sessions
        self.ok(not self.engine.overlaps and not self.engine.running(), "never two statements at once, and none is left running", self.engine.overlaps)
        self.ok(len(self.engine.sessions) == sessions, "no session is left open" if not sessions else f"{sessions} session(s) could not be closed", len(self.engine.sessions))


class EngineBench:
    """The mock catalog, the mock engines and floe, for a list of cases."""

    def __init__(self, t: Tap, pg: Lakehouse, stores: Mock, engines: hs2.Mock, base: Base):
        self.t, self.pg, self.engines, self.base = t, pg, engines, base
        self.catalog: Catalog = stores.catalog("mock")
        self.bench = Bench(t, pg, stores)
        self.bench.connect(self.catalog)

    def begin(self, cases: list[Case], **settings: Any) -> dict[str, Work]:
        """Tables and engines of these cases, assessed, with the policies that call for an operation on each, and the engines disturbed."""
        found = {case.name: Work(self, case) for case in cases}
        start = self.bench.now()
        self.bench.refresh_and_maintain()
        self.bench.assessed([["mock", "w", name] for name in found], start, f"{len(found)} tables are assessed")
        for name, one in found.items():
            self.add_policy(name, **settings)
            one.case.disturb(one.engine)
        return found

    def add_policy(self, name: str, **settings: Any) -> None:
        self.pg.sql("SELECT floe.create_policy(%s, %s, %s)", (name, f"mock.w.{name}", json.dumps(policy(name, self.base, **settings))))

    def run(self, wait: bool = False, pattern: str = "mock.w.*", settings: str = "SET floe.request_timeout = '4s'", within: float = 60) -> str:
        """One pass; returns its notices."""
        started = time.monotonic()
        done = self.pg.psql(f"{settings}; CALL floe.run_maintenance('{pattern}', {str(wait).lower()})", timeout=within + 60)
        took = time.monotonic() - started
        self.t.ok(done.returncode == 0 and took < within, f"the pass ends well and in time ({took:.1f} of {within:.0f} s)", done.stderr[-3000:])
        return done.stderr

    def impatient(self) -> None:
        """As if the engines' waiting times and those of the queue were over."""
        self.bench.sql("UPDATE floe_internal.engine SET retry_at = NULL")
        self.bench.sql("UPDATE floe_internal.operation_queue SET not_before = now()")

    def end(self) -> None:
        """Nothing is under way, nothing is claimed."""
        left = self.bench.sql("SELECT id, table_name, state, error FROM floe.operations WHERE finished_at IS NULL")
        self.t.equal(left, [], "no operation is left under way")
        self.bench.unharmed()


def run(groups: list[Callable[[EngineBench], Any]]) -> None:
    """A test program: each group on the same bench, or those that the command line names."""
    with Tap() as t, Lakehouse() as pg, Mock() as stores, hs2.Mock() as engines:
        lab = EngineBench(t, pg, stores, engines, Base())
        for group in groups:
            if len(sys.argv) < 2 or group.__name__ in sys.argv[1:]:
                group(lab)
