"""Several engines for one operation, with workers on: one that is dead, one that fails, one that falls silent in mid-run, and the real Spark twice.

An operation goes to the next engine of its policy's list, is carried out once, and says why; a drained engine finishes what it has while the others go on; and what
somebody does by hand on the real Spark is seen and not done again.
"""
from __future__ import annotations

import json
import os
import sys
import time

from harness import ROOT, Tap, checksum, free_port, make_tables
from lakehouse import Lakehouse

sys.path.insert(0, str(ROOT / "test" / "mock"))

import hs2
from catalogs import LabCatalog
from hs2 import answer
from sparksql import Spark, quote, rest_catalog

NS = f"fail{time.time_ns() // 1000000}"
TABLES = 6


def policy(engine: str, *fallback: str, after: str = "1 second") -> str:
    return json.dumps({"engine": engine, "fallback_engines": list(fallback), "fallback_after": after, "priority": 5, "poll_interval": "2 seconds", "min_poll_interval": "1 second",
                       "thresholds": {"excess_file_count": {"warning": 5, "critical": 50}}, "rewrite_data_files": {"min_interval": "1 second"}})


class Case:
    """One table with many small files."""

    def __init__(self, t: Tap, pg: Lakehouse, number: int):
        self.t, self.pg, self.table = t, pg, f"t{number}"
        self.name = f"rest.{NS}.{self.table}"
        self.content = checksum("rest", [NS, self.table])

    def rows(self) -> list[dict]:
        return self.pg.sql("SELECT * FROM floe.operations WHERE table_name = %s AND operation = 'rewrite_data_files' ORDER BY id", (self.name,))

    def wait(self, timeout: float = 120) -> None:
        self.pg.wait_for("SELECT count(*) > 0 AND bool_and(finished_at IS NOT NULL) FROM floe.operations WHERE table_name = %s", (self.name,), timeout=timeout)

    def replaced(self) -> int:
        return sum(one.summary.operation.value == "replace" for one in LabCatalog("rest").catalog.load_table((NS, self.table)).metadata.snapshots)

    def once(self, engines: set[str]) -> dict:
        """It succeeded, on one of these engines, and the table shows that it was done once."""
        rows = self.rows()
        row = rows[0] if rows else {}
        self.t.ok(len(rows) == 1 and row["state"] == "succeeded" and row["engine"] in engines, f"{self.name}: one operation, which succeeded on {' or '.join(sorted(engines))}",
                  [(one["state"], one["engine"], one["error"], one["attempt"]) for one in rows])
        self.t.equal((self.replaced(), checksum("rest", [NS, self.table])), (1, self.content), f"{self.name}: one snapshot of it, and the same rows")
        return row


def make(t: Tap) -> None:
    made = make_tables("rest", NS, ["many_small"])[0]
    lab = LabCatalog("rest")
    data = lab.catalog.load_table((*made["namespace"], made["table"])).scan().to_arrow()
    for number in range(TABLES):
        table = lab.catalog.create_table((NS, f"t{number}"), data.schema)
        for part in range(12):
            table.append(data.slice(part, 3))
    t.note(f"{TABLES} tables of 12 files")


def dead_and_failing(t: Tap, pg: Lakehouse, engines: hs2.Mock) -> None:
    """The first engine is not there, the second refuses every session; the third is Spark."""
    failing = engines.engine("failing")
    failing.misbehave("OpenSession", answer(503))
    pg.add_server("dead", "floe_engine", "spark-thrift", {"url": f"http://127.0.0.1:{free_port()}/cliservice"}, {})
    pg.add_server("failing", "floe_engine", "spark-thrift", {"url": failing.url}, {})
    case = Case(t, pg, 0)
    pg.sql("SELECT floe.create_policy('a', %s, %s)", (case.name, policy("dead", "failing", "spark")))
    case.wait()
    row = case.once({"spark"})
    t.ok('engine "dead" fails since' in row["engine_reason"] and 'engine "failing" fails since' in row["engine_reason"], "it says which engines it passed over, and why", row["engine_reason"])
    t.equal((len(failing.history), row["attempt"]), (0, 1), "no statement reached the failing one, and no attempt was spent")
    told = pg.value("SELECT count(*) FROM floe.events WHERE kind = 'operation rerouted' AND operation_id = %s", (row["id"],))
    t.ok(told >= 1, "an event tells it", told)
    states = {one["name"]: (one["status"], one["failures"] > 0) for one in pg.sql("SELECT * FROM floe.engines")}
    t.equal((states["dead"], states["failing"], states["spark"]), (("error", True), ("error", True), ("ok", False)), "floe.engines says how they are")


def silent(t: Tap, pg: Lakehouse, engines: hs2.Mock) -> None:
    """An engine that has the statement and falls silent: nobody else gets it, however long the others wait for nothing."""
    dying = engines.engine("dying")
    dying.polls = float("inf")
    pg.add_server("dying", "floe_engine", "spark-thrift", {"url": dying.url}, {})
    case = Case(t, pg, 1)
    pg.sql("SELECT floe.create_policy('b', %s, %s)", (case.name, policy("dying", "spark", after="0 seconds")))
    pg.wait_for("SELECT state = 'running' FROM floe.operations WHERE table_name = %s", (case.name,), timeout=60)
    dying.misbehave(".*", answer(503))
    pg.wait_for("SELECT status = 'error' AND failures >= 2 FROM floe.engines WHERE name = 'dying'", timeout=60)
    row = case.rows()[0]
    t.ok(len(case.rows()) == 1 and row["state"] in ("running", "lost") and row["engine"] == "dying", "it stays with the engine that may be running it", row["state"], row["engine"])
    t.equal(case.replaced(), 0, "nothing was done to the table by another")
    # restarted: it knows nothing of it, so nothing runs; only then it is sent again, and to whom is decided anew
    with dying.lock:
        dying.forget()
        dying.rules[:] = [["OpenSession", answer(503), float("inf")]]
    case.wait()
    row = case.once({"spark"})
    t.ok(row["attempt"] == 2 and len(dying.history) == 1, "sent once to each", row["attempt"], len(dying.history))


def drained(t: Tap, pg: Lakehouse) -> None:
    """Two engines under load, and one of them is drained."""
    cases = [Case(t, pg, number) for number in (2, 3, 4)]
    pg.sql("SELECT floe.create_policy('c', %s, %s)", (", ".join(one.name for one in cases), policy("spark", "spare", after="1 hour")))
    # while the first is on its way there
    pg.wait_for("SELECT bool_or(engine = 'spark' AND state <> 'queued') FROM floe.operations WHERE table_name = ANY (%s)", ([one.name for one in cases],), timeout=60)
    pg.value("SELECT floe.drain_engine('spark', 'new disks')")
    pg.wait_for("SELECT floe.drain_engine('spark') = 0", timeout=120)
    for one in cases:
        one.wait()
    rows = [one.once({"spark", "spare"}) for one in cases]
    at = pg.value("SELECT drained_at FROM floe.engines WHERE name = 'spark'")
    late = [row["id"] for row in rows if row["engine"] == "spark" and row["started_at"] > at and pg.value("SELECT dispatched_at > %s FROM floe_internal.operation_log WHERE operation_id = %s", (at, row["id"]))]
    t.equal(late, [], "nothing was dispatched to the drained engine")
    moved = [row for row in rows if row["engine"] == "spare"]
    t.ok(moved and all('engine "spark" is drained by postgres: new disks' in row["engine_reason"] for row in moved), "the others went to the second engine, and say why", [row["engine_reason"] for row in rows])
    t.ok(pg.value("SELECT floe.undrain_engine('spark')"), "it is given operations again")


def by_hand(t: Tap, pg: Lakehouse) -> None:
    """Somebody rewrites a table on the real Spark while floe has it in its queue."""
    case = Case(t, pg, 5)
    pg.sql("SELECT floe.pause(%s)", (case.name,))
    pg.sql("SELECT floe.create_policy('d', %s, %s)", (case.name, policy("spark")))
    with Spark(os.environ["FLOE_SPARK_URL"], {"lab": rest_catalog(os.environ["FLOE_REST_URI"])}) as spark:
        spark.sql(f"CALL lab.system.rewrite_data_files(table => '{quote(NS, case.table)}', options => map('min-input-files', '2'))")
    pg.sql("SELECT floe.notify_commit(%s)", (case.name,))
    pg.wait_for("SELECT count(*) > 0 FROM floe.external_operations WHERE table_name = %s", (case.name,), timeout=60)
    seen = pg.sql("SELECT * FROM floe.external_operations WHERE table_name = %s", (case.name,))
    t.equal([(one["operation"], one["engine"], one["files_before"], one["files_after"], one["is_run"]) for one in seen], [("rewrite_data_files", "spark", 12, 1, True)],
            "a rewrite by hand is seen, with who did it and what it did")
    current = LabCatalog("rest").catalog.load_table((NS, case.table)).metadata.current_snapshot_id
    t.equal(seen[0]["snapshot_ids"], [current], "and with its snapshot")
    resumed = pg.value("SELECT clock_timestamp() FROM floe.resume(%s)", (case.name,))
    pg.wait_for("SELECT d.decided_at > %s FROM floe_internal.table_decision AS d JOIN floe_internal.iceberg_table AS i ON i.table_id = d.table_id WHERE i.name = %s", (resumed, case.name), timeout=60)
    t.equal((case.rows(), case.replaced()), ([], 1), "floe does not do it again")
    why = pg.sql("SELECT * FROM floe.why(%s) WHERE operation = 'rewrite_data_files'", (case.name,))[0]
    t.equal((why["verdict"], why["gate"]), ("not needed", "excess_file_count"), "and says that nothing calls for it")


def main() -> None:
    with Tap() as t, Lakehouse(preload=True, name="failover") as pg, hs2.Mock() as engines:
        make(t)
        pg.add_catalog("rest")
        pg.add_engine("spark", max_operations="1")
        pg.add_engine("spare", max_operations="1")
        dead_and_failing(t, pg, engines)
        silent(t, pg, engines)
        drained(t, pg)
        by_hand(t, pg)
        t.equal(pg.sql("SELECT * FROM floe.operations WHERE finished_at IS NULL"), [], "nothing is left under way")


main()
