"""What is killed in mid-operation: psql, the backend, the Spark session, Spark, PostgreSQL. And two passes at once, and a cancel.

Always the same questions: does the next run find the operation again and end it, was nothing run twice at once, are the rows the same and is
no file missing. A slow operation makes the middle: a rewrite of many partitions, one after the other.
"""
import json
import os
import signal
import subprocess
import sys
import threading
import time

from harness import Tap, checksum, lab, lab_pid, make_tables, reachable
from lakehouse import Lakehouse

from catalogs import LabCatalog
from sparksql import Spark
from TCLIService import ttypes

NS = f"crash_{int(time.time())}"
# One group for each partition, one at a time: a good many seconds.
POLICY = {"engine": "spark", "rewrite_data_files": {"min_interval": "0", "options": {"rewrite_all": True, "max_concurrent_file_group_rewrites": 1}}}


class Case:
    """A table of its own with a triggered rewrite; start() gets it to run and end() asks the questions."""

    def __init__(self, t, pg, word, partitions=90):
        self.t, self.pg, self.word = t, pg, word
        self.table = make_tables("rest", f"{NS}_{word}", ["many_partitions"], partitions=partitions)[0]
        self.namespace, self.leaf = f"{NS}_{word}", self.table["table"]
        self.name = f"rest.{self.namespace}.{self.leaf}"
        self.content = checksum("rest", [self.namespace, self.leaf])
        pg.maintain(self.name)
        self.id = pg.value("SELECT operation_id FROM floe.trigger(%s, ARRAY['rewrite_data_files'])", (self.name,))
        t.ok(self.id, f"{word}: triggered")
        self.caller = None

    def start(self):
        """CALL in a psql of its own; returns when Spark has begun to write."""
        self.caller = subprocess.Popen([*self.pg.psql_command(), "-c", f"CALL floe.run_maintenance('{self.name}', true)"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pg.wait_for("SELECT state = 'running' FROM floe.operations WHERE id = %s", (self.id,))
        return self.pg.value("SELECT a.pid FROM pg_stat_activity AS a WHERE a.query LIKE 'CALL floe.run_maintenance%%' AND a.state = 'active' AND a.pid <> pg_backend_pid()")

    def row(self):
        return self.pg.sql("SELECT * FROM floe.operations WHERE id = %s", (self.id,))[0]

    def snapshots(self):
        table = LabCatalog("rest").catalog.load_table((self.namespace, self.leaf))
        return [one for one in table.metadata.snapshots if one.summary and one.summary.operation.value == "replace"]

    def end(self, states, attempts, rewrites):
        if self.caller:
            self.caller.kill()
            self.caller.wait()
        notices = self.pg.maintain(self.name, wait=True)
        row = self.row()
        self.t.ok(row["state"] in states, f"{self.word}: the next run ends it ({', '.join(states)})", row["state"], row["error"], notices)
        self.t.ok(row["attempt"] in attempts, f"{self.word}: attempts", row["attempt"], notices)
        made = self.snapshots()
        self.t.equal(len(made), rewrites if rewrites is not None else (1 if row["state"] == "succeeded" else 0), f"{self.word}: rewritten as often as it says") or self.t.note(notices)
        self.t.equal(checksum("rest", [self.namespace, self.leaf]), self.content, f"{self.word}: the same rows")
        self.t.equal(reachable("rest", [self.namespace, self.leaf])["missing"], [], f"{self.word}: no file is missing")
        self.t.equal(self.pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s AND finished_at IS NULL", (self.name,)), 0, f"{self.word}: nothing is left under way")
        self.t.equal(self.pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s", (self.name,)), 1, f"{self.word}: and there was one operation")
        return row, notices


def kill_psql(t, pg):
    case = Case(t, pg, "psql")
    case.start()
    os.kill(case.caller.pid, signal.SIGKILL)
    case.caller.wait()
    case.end(["succeeded"], [1], 1)


def kill_backend(t, pg):
    case = Case(t, pg, "backend")
    pid = case.start()
    started = time.monotonic()
    t.ok(pg.value("SELECT pg_terminate_backend(%s, 5000)", (pid,)), "backend: SIGTERM ends it")
    t.ok(time.monotonic() - started < 2, "backend: at once", time.monotonic() - started)
    _, notices = case.end(["succeeded"], [1], 1)
    t.contains(notices, "taken over", "backend: the next run says that it took it over")


def session_of(pg, operation_id):
    """The HiveServer2 session of a running operation, out of the state that floe keeps to find it again."""
    saved = bytes(pg.value("SELECT saved FROM floe_internal.operation_queue WHERE operation_id = %s", (operation_id,)))
    return ttypes.TSessionHandle(ttypes.THandleIdentifier(saved[5:21], saved[21:37]))


def kill_session(t, pg):
    case = Case(t, pg, "session")
    case.start()
    with Spark(os.environ["FLOE_SPARK_URL"]) as spark:
        spark.client.CloseSession(ttypes.TCloseSessionReq(session_of(pg, case.id)))
    pg.wait_for("SELECT state NOT IN ('running', 'dispatching') OR attempt > 1 FROM floe.operations WHERE id = %s", (case.id,))
    case.end(["succeeded"], [1, 2], 1)


def kill_spark(t, pg):
    case = Case(t, pg, "spark")
    case.start()
    os.kill(lab_pid("spark"), signal.SIGKILL)
    pg.wait_for("SELECT status = 'error' FROM floe.engines WHERE name = 'spark'")
    case.caller.kill()
    case.caller.wait()
    started = time.monotonic()
    notices = pg.maintain(case.name)
    t.ok(time.monotonic() - started < 30, "spark: a pass without waiting does not wait for it", notices)
    t.ok(case.row()["state"] in ("running", "lost"), "spark: nobody knows how it ended, so the operation stays", case.row()["state"])
    engine = pg.sql("SELECT * FROM floe.engines WHERE name = 'spark'")[0]
    t.ok(engine["status"] == "error" and engine["error"] and engine["retry_at"], "spark: the engine is in error, with the reason and the time of the next try", engine)
    lab("stop", "spark")
    lab("start", "spark")
    case.end(["succeeded"], [1, 2], 1)
    t.equal(pg.value("SELECT status FROM floe.engines WHERE name = 'spark'"), "ok", "spark: the engine is ok again")


def kill_postgres(t, pg):
    case = Case(t, pg, "postgres")
    case.start()
    pg.kill9()
    case.caller.wait()
    pg.start()
    row = case.row()
    t.equal(row["state"], "running", "postgres: after recovery the operation is known to run")
    _, notices = case.end(["succeeded"], [1], 1)
    t.contains(notices, "taken over", "postgres: and is taken over")


def kill_postgres_early(t, pg):
    """As near to the moment of dispatch as a test can be: whatever was committed by then decides."""
    case = Case(t, pg, "early")
    caller = subprocess.Popen([*pg.psql_command(), "-c", f"CALL floe.run_maintenance('{case.name}', true)"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pg.wait_for("SELECT state <> 'queued' FROM floe.operations WHERE id = %s", (case.id,))
    pg.kill9()
    caller.wait()
    pg.start()
    # If the statement had left and its handle was not committed, it may finish by itself: then the second attempt finds the table done.
    case.end(["succeeded", "no_change"], [1, 2], None)


def two_at_once(t, pg):
    tables = make_tables("rest", f"{NS}_two", ["many_small", "skewed", "aged", "orphans"])
    pg.sql("SELECT floe.create_policy('two', %s, %s)", (f"rest.{NS}_two.**", json.dumps({
        "engine": "spark", "thresholds": {"excess_file_count": {"warning": 1, "critical": 100}, "excess_manifest_count": {"warning": 1, "critical": 100}},
        "rewrite_data_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}})))
    content = {one["table"]: checksum("rest", one["namespace"] + [one["table"]]) for one in tables}
    calls = [threading.Thread(target=pg.maintain, args=(f"rest.{NS}_two.**", True)) for _ in range(3)]
    for one in calls:
        one.start()
    for one in calls:
        one.join()
    rows = pg.sql("SELECT * FROM floe.operations WHERE table_name LIKE %s ORDER BY table_name, started_at", (f"rest.{NS}_two.%",))
    t.ok(len(rows) >= 4 and all(row["state"] in ("succeeded", "no_change", "cancelled") for row in rows), "two at once: all end well", *rows)
    ran = [row for row in rows if row["started_at"]]
    overlaps = [(a["id"], b["id"]) for a in ran for b in ran if a["id"] < b["id"] and a["table_name"] == b["table_name"]
                and a["started_at"] < b["finished_at"] and b["started_at"] < a["finished_at"]]
    t.equal(overlaps, [], "two at once: never two operations on one table")
    t.equal(len({(row["table_name"], row["operation"]) for row in ran}), len(ran), "two at once: none is run twice")
    t.equal({one["table"]: checksum("rest", one["namespace"] + [one["table"]]) for one in tables}, content, "two at once: the same rows")


def cancelled(t, pg):
    case = Case(t, pg, "cancel")
    case.start()
    t.equal(pg.value("SELECT floe.cancel(%s)", (case.id,)), "requested", "cancel: requested")
    pg.wait_for("SELECT finished_at IS NOT NULL FROM floe.operations WHERE id = %s", (case.id,))
    row, _ = case.end(["cancelled"], [1], 0)
    t.equal((row["cancel_requested_by"], row["engine_outcome"]), ("postgres", "cancelled"), "cancel: at the engine, and it says by whom")


CASES = [kill_psql, kill_backend, kill_session, kill_postgres, kill_postgres_early, two_at_once, cancelled, kill_spark]


def main():
    with Tap() as t, Lakehouse() as pg:
        pg.add_engine()
        pg.add_catalog("rest")
        for word in ("psql", "backend", "session", "postgres", "early", "cancel", "spark"):
            pg.sql("SELECT floe.create_policy(%s, %s, %s)", (word, f"rest.{NS}_{word}.**", json.dumps(POLICY)))
        for case in CASES:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                case(t, pg)


if __name__ == "__main__":
    main()
