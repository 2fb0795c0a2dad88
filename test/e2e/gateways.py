"""What test_livy.py and test_kyuubi.py share: floe in front of a double of either, and the cases."""
from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.request
from typing import Any, Callable

from harness import Tap, checksum, judge, lab, lab_pid, make_tables, reachable
from lakehouse import Lakehouse

from catalogs import LabCatalog

NS = f"gw_{int(time.time())}"
SHAPES = {"many_small": "rewrite_data_files", "aged": "expire_snapshots", "orphans": "remove_orphan_files", "position_deletes": "rewrite_position_delete_files",
          "skewed": "rewrite_manifests"}


def brief(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row.get(key) for key in ("id", "operation", "state", "attempt", "engine_outcome", "error_class", "error", "external_id")}


class Double:
    """A double, steered by its path /lab."""

    name = engine = ""
    sessions_path = ""

    def __init__(self) -> None:
        self.url = os.environ[f"FLOE_{self.name.upper()}_URL"]

    def lab(self, **settings: Any) -> dict[str, Any]:
        request = urllib.request.Request(self.url + "/lab", method="PATCH" if settings else "GET", data=json.dumps(settings).encode() if settings else None)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def calm(self) -> None:
        self.lab(faults=[], hold=False, start_s=0, old=False, csrf=False, login=None, token=None)

    def restart(self) -> None:
        lab("stop", self.name)
        lab("start", self.name)

    def kill(self) -> None:
        os.kill(lab_pid(self.name), signal.SIGKILL)
        self.restart()

    def wait_for(self, what: Callable[[dict[str, Any]], Any], timeout: float = 60) -> dict[str, Any]:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = self.lab()
            if what(found):
                return found
            time.sleep(0.1)
        raise TimeoutError(f"{self.name}: {self.lab()}")


class Livy(Double):
    name = engine = "livy"
    submit, poll, create, close = r"POST /sessions/\d+/statements$", r"GET /sessions/\d+/statements/\d+$", r"POST /sessions$", r"DELETE /sessions/\d+$"


class Kyuubi(Double):
    name = engine = "kyuubi"
    submit, poll, create, close = r"POST .*/operations/statement$", r"GET .*/event$", r"POST /api/v1/sessions$", r"DELETE .*/sessions/"


class GatewayBench:
    def __init__(self, t: Tap, pg: Lakehouse, double: Double):
        self.t, self.pg, self.double = t, pg, double

    def rows(self, name: str, operation: str | None = None) -> list[dict[str, Any]]:
        return self.pg.sql("SELECT * FROM floe.operations WHERE table_name = %s AND operation = COALESCE(%s, operation) ORDER BY id", (name, operation))

    def tidy(self, what: str) -> None:
        found = self.double.lab()
        self.t.equal(len(found["sessions"]), 0, f"{what}: no session is left at the engine") or self.t.note(found["sessions"])

    def maintain(self, name: str, wait: bool = True, settings: str = "", timeout: float = 300) -> str:
        done = self.pg.psql(f"{settings}; CALL floe.run_maintenance('{name}', {str(wait).lower()})", timeout=timeout)
        self.t.ok(done.returncode == 0, f"{name}: the pass ends well", done.stderr[-2000:])
        return done.stderr


# -------------------------------------------------------------------------------------------------
# The five operations
# -------------------------------------------------------------------------------------------------

def five(bench: GatewayBench, catalog: str, shapes: dict[str, str] = SHAPES) -> None:
    """Each on a table of its own: succeeded once, the judge sees the effect, the rows are the same, nothing live is missing."""
    t, pg = bench.t, bench.pg
    pg.add_catalog(catalog)
    made = {one["shape"]: one for one in make_tables(catalog, NS, list(shapes))}
    if "position_deletes" in shapes:
        # otherwise Spark writes one delete file for each data file, as many as there are
        with LabCatalog(catalog).catalog.load_table((NS, "position_deletes")).transaction() as tx:
            tx.set_properties({"write.delete.granularity": "partition"})
    for shape, operation in shapes.items():
        pg.sql("SELECT floe.create_policy(%s, %s, %s)", (f"{catalog}_{shape}", f"{catalog}.{NS}.{shape}", json.dumps(
            {"engine": bench.double.engine, operation: {"options": {"rewrite_all": True}} if operation == "rewrite_position_delete_files" else {}})))
    pg.assess(f"{catalog}.**")
    before = {}
    for shape, operation in shapes.items():
        name = f"{catalog}.{NS}.{shape}"
        before[shape] = (checksum(catalog, [NS, shape]), judge(catalog, [NS, shape])["metrics"])
        verdict = pg.value("SELECT verdict FROM floe.trigger(%s, ARRAY[%s])", (name, operation))
        t.equal(verdict, "queued", f"{name}: {operation} is queued")
    notices = pg.maintain(f"{catalog}.{NS}.**", wait=True)
    for shape, operation in shapes.items():
        name = f"{catalog}.{NS}.{shape}"
        rows = bench.rows(name, operation)
        t.ok([row["state"] for row in rows] == ["succeeded"], f"{name}: {operation} succeeded, once", notices[-3000:], *map(brief, rows))
        t.ok(rows and rows[0]["engine_result"] is not None and rows[0]["external_id"], f"{name}: with the engine's own rows and its id", rows and rows[0]["engine_result"])
        content, metrics = before[shape]
        after = judge(catalog, [NS, shape])["metrics"]
        t.equal(checksum(catalog, [NS, shape]), content, f"{name}: the same rows")
        found = reachable(catalog, [NS, shape])
        t.equal(found["missing"], [], f"{name}: no file of any snapshot is missing")
        if operation == "rewrite_data_files":
            t.equal((metrics["data_file_count"], after["data_file_count"]), (120, 20), f"{name}: one file for each partition is left")
            t.equal(rows[0]["engine_result"][0]["rewritten_data_files_count"], 120, f"{name}: Spark counts the same")
        elif operation == "expire_snapshots":
            t.equal(after["snapshot_count"], metrics["snapshot_count"] - metrics["expirable_snapshot_count"], f"{name}: the expirable snapshots are gone")
        elif operation == "remove_orphan_files":
            def plain(path: str) -> str:
                return path.split("://")[-1].removeprefix("file:").lstrip("/")
            left = {plain(one) for one in found["unreferenced"]}
            planted = made["orphans"]["planted"]
            t.ok(not left & {plain(one) for one in planted["old"]} and {plain(one) for one in planted["young"]} <= left, f"{name}: the old orphans are gone, the young one is left", left)
        elif operation == "rewrite_manifests":
            t.equal(after["excess_manifest_count"], 0, f"{name}: no manifest too many is left")
        else:
            t.equal(after["excess_delete_file_count"], 0, f"{name}: no delete file too many is left")
    bench.tidy(f"{catalog}: the operations")


# -------------------------------------------------------------------------------------------------
# What breaks: small tables of one's own
# -------------------------------------------------------------------------------------------------

class Victim:
    """A table with a manifest too many, whose rewrite is disturbed; each rewrite is one snapshot more."""

    def __init__(self, bench: GatewayBench, name: str):
        self.bench, self.table, self.name = bench, name, f"rest.{NS}.{name}"

    def queue(self) -> None:
        verdict = self.bench.pg.value("SELECT verdict FROM floe.trigger(%s, ARRAY['rewrite_manifests'])", (self.name,))
        self.bench.t.equal(verdict, "queued", f"{self.table}: queued")

    def row(self) -> dict[str, Any]:
        rows = self.bench.rows(self.name)
        return rows[-1] if rows else {}

    def snapshots(self) -> int:
        return len(LabCatalog("rest").catalog.load_table((NS, self.table)).metadata.snapshots)

    def ended(self, state: str, more: int, *others: str) -> None:
        """In that state or one of the others; so many snapshots more."""
        row = self.row()
        self.bench.t.ok(row.get("state") in (state, *others) and len(self.bench.rows(self.name)) == 1, f"{self.table}: {state}, in one row", brief(row))
        self.bench.t.equal(self.snapshots() - self.first, more, f"{self.table}: {more} snapshot(s) more")
        self.bench.tidy(self.table)


def victims(bench: GatewayBench, names: list[str]) -> dict[str, Victim]:
    catalog = LabCatalog("rest").catalog
    import pyarrow as pa
    found = {}
    for name in names:
        rows = pa.table({"id": pa.array([1, 2], pa.int64())})
        table = catalog.create_table((NS, name), schema=rows.schema, properties={"commit.manifest-merge.enabled": "false"})
        for _ in range(3):
            table.append(rows)
        found[name] = Victim(bench, name)
        found[name].first = 3
    bench.pg.sql("SELECT floe.drop_policy('victims', true)")
    bench.pg.sql("SELECT floe.create_policy('victims', %s, %s)", (f"rest.{NS}.*", json.dumps({"engine": bench.double.engine, "rewrite_manifests": {}})))
    bench.pg.assess("rest.**")
    return found


def impatient(pg: Lakehouse) -> None:
    """As if the waiting times of the engine and the queue were over."""
    pg.sql("UPDATE floe_internal.engine SET retry_at = NULL")
    pg.sql("UPDATE floe_internal.operation_queue SET not_before = now()")


def until_done(bench: GatewayBench, one: Victim, passes: int = 6) -> str:
    notices = ""
    for _ in range(passes):
        impatient(bench.pg)
        notices += bench.maintain(one.name)
        if one.row()["finished_at"]:
            break
    return notices


def killed_at(bench: GatewayBench, one: Victim, what: str, when: str, more: int = 1) -> None:
    """The double dies at a request, before it did what was asked, or after and before it answered; then it is started again and knows nothing."""
    bench.double.lab(faults=[{"match": what, "do": "kill", "when": when}])
    one.queue()
    bench.maintain(one.name, wait=False)
    for _ in range(100):
        if not os.path.exists(f"/proc/{lab_pid(bench.double.name)}") or not alive(bench.double):
            break
        bench.maintain(one.name, wait=False)
        time.sleep(0.3)
    bench.double.restart()
    until_done(bench, one)
    one.ended("succeeded", more, "no_change")


def alive(double: Double) -> bool:
    try:
        double.lab()
        return True
    except OSError:
        return False


def faults(bench: GatewayBench) -> None:
    double, pg, t = bench.double, bench.pg, bench.t
    names = ["k_create", "k_submit", "k_submitted", "k_polled", "k_closing", "proxy", "dropped", "crash", "cancelled", "cancelled_early", "vanishing", "dying", "config"]
    if double.name == "livy":
        names += ["old", "login", "bearer", "lost_create"]
    found = victims(bench, names)
    killed_at(bench, found["k_create"], double.create, "after")
    killed_at(bench, found["k_submit"], double.submit, "before")
    killed_at(bench, found["k_submitted"], double.submit, "after")
    killed_at(bench, found["k_polled"], double.poll, "before")
    killed_at(bench, found["k_closing"], double.close, "before")

    one = found["proxy"]
    double.lab(faults=[{"match": double.poll, "do": "status:502"}, {"match": double.poll, "do": "status:503"}, {"match": double.poll, "do": "status:429"},
                       {"match": double.close, "do": "status:502"}])
    one.queue()
    until_done(bench, one)
    one.ended("succeeded", 1)

    one = found["dropped"]
    double.lab(faults=[{"match": double.submit, "do": "drop", "when": "after"}])
    one.queue()
    until_done(bench, one)
    one.ended("succeeded", 1, "no_change")
    if double.name == "livy":
        t.equal(one.row()["attempt"], 1, "dropped: the statement whose answer was lost was found in its session")

    one = found["crash"]
    double.lab(hold=True)
    one.queue()
    bench.maintain(one.name, wait=False)
    double.wait_for(lambda lab_: any(one.table in text for text in lab_["statements"])) if running(bench, one) else None
    pg.kill9()
    pg.start()
    double.lab(hold=False)
    until_done(bench, one)
    one.ended("succeeded", 1)
    t.equal(one.row()["attempt"], 1, "crash: it was found again, at the first attempt")

    one = found["cancelled"]
    double.lab(hold=True)
    one.queue()
    running(bench, one)
    t.equal(pg.value("SELECT floe.cancel(%s)", (one.row()["id"],)), "requested", "cancelled: asked for")
    bench.maintain(one.name)
    one.ended("cancelled", 0)
    double.calm()

    one = found["cancelled_early"]
    double.lab(start_s=600)
    one.queue()
    bench.maintain(one.name, wait=False)
    t.equal(pg.value("SELECT floe.cancel(%s)", (one.row()["id"],)), "requested", "cancelled_early: asked for while its session starts")
    bench.maintain(one.name)
    one.ended("cancelled", 0)
    double.calm()

    one = found["vanishing"]
    double.lab(hold=True)
    one.queue()
    running(bench, one)
    double.kill()
    until_done(bench, one)
    one.ended("succeeded", 1)
    t.equal(one.row()["attempt"], 2, "vanishing: the server forgot it, and it was sent again")

    one = found["config"]
    one.queue()
    pg.sql(f'ALTER SERVER "{double.name}" OPTIONS (ADD "spark.driver.memory" \'bogus\')')
    bench.maintain(one.name)
    row = one.row()
    t.ok(row["state"] in ("failed", "queued") and "Invalid maximum heap size" in (row["error"] or ""), "config: why the session did not start", brief(row))
    bench.tidy("config")
    pg.sql(f'ALTER SERVER "{double.name}" OPTIONS (DROP "spark.driver.memory")')
    pg.sql("SELECT floe.cancel(id) FROM floe.operations WHERE finished_at IS NULL")
    if double.name == "livy":
        livy_only(bench, found)


def running(bench: GatewayBench, one: Victim) -> bool:
    """Passes that do not wait, until the engine has the statement."""
    for _ in range(100):
        bench.maintain(one.name, wait=False)
        if any(one.table in text for text in bench.double.lab()["statements"]):
            return True
        time.sleep(0.2)
    raise TimeoutError(f"{one.name}: {one.row()}")


def livy_only(bench: GatewayBench, found: dict[str, Victim]) -> None:
    double, pg, t = bench.double, bench.pg, bench.t
    one = found["lost_create"]
    double.lab(faults=[{"match": double.create, "do": "drop", "when": "after"}])
    one.queue()
    until_done(bench, one)
    one.ended("succeeded", 1)
    t.equal([len(double.lab()["bodies"]) > 0, one.row()["attempt"]], [True, 1], "lost_create: the session was found by its name")

    one = found["dying"]
    double.lab(hold=True)
    one.queue()
    running(bench, one)
    double.lab(die="dead", hold=False)
    until_done(bench, one)
    one.ended("succeeded", 1)
    t.equal(one.row()["attempt"], 2, "dying: the session died, and it was sent again")

    one = found["old"]
    double.lab(old=True)
    one.queue()
    until_done(bench, one)
    one.ended("succeeded", 1)
    t.ok("ttl" not in double.lab()["bodies"][-1], "old: without ttl, which the server refuses", double.lab()["bodies"][-1])
    double.calm()

    refused = pg.psql(f"""SELECT floe.create_policy('sized', 'rest.{NS}.login', '{{"engine": "spark", "rewrite_manifests": {{"resources": "small"}}}}')""")
    t.ok("has its resources fixed when its server starts" in refused.stderr, "resources: refused for an engine that cannot change its own", refused.stderr)
    for resources, says in (('"huge"', 'there is no preset "huge"'), ('{"executor": "2g"}', "is no setting of Spark"), ('{"spark.my.password": "x"}', "looks like a secret"), ("7", "must be the name of a preset")):
        refused = pg.psql(f"""SELECT floe.create_policy('sized', 'rest.{NS}.login', '{{"engine": "livy", "rewrite_manifests": {{"resources": {resources}}}}}')""")
        t.ok(says in refused.stderr, f"resources: {resources} is refused", refused.stderr)
    pg.sql("UPDATE floe.resource_preset SET conf = conf || '{\"spark.executor.memory\": \"3g\"}' WHERE name = 'small'")
    for name, mapping, settings in (("login", {"username": "ann", "password": "pa55word"}, {"login": "ann:pa55word", "csrf": True}), ("bearer", {"token": "t0ken-t0ken"}, {"token": "t0ken-t0ken"})):
        pg.add_server(name, "floe_engine", "livy", {"url": double.url, "ttl": "2 hours", "queue": "night", "spark.executor.memory": "2g", "spark.executor.instances": "3"}, mapping)
        pg.sql("SELECT floe.create_policy(%s, %s, %s)", (name, f"rest.{NS}.{name}", json.dumps({"engine": name, "rewrite_manifests": {"resources": "small" if name == "login" else {"spark.executor.cores": 5}}})))
        double.lab(**settings)
        answer = pg.sql("SELECT * FROM floe.check_engine(%s)", (name,))[0]
        t.ok(answer["success"] and "0.9.0" in str(answer), f"{name}: check_engine", answer)
        found[name].queue()
        until_done(bench, found[name])
        found[name].ended("succeeded", 1)
        body = double.lab()["bodies"][-1]
        sizes = {"executorMemory": "3g", "numExecutors": 2, "executorCores": 2, "driverMemory": "1g"} if name == "login" else {"executorMemory": "2g", "numExecutors": 3, "executorCores": 5, "driverMemory": None}
        t.equal({key: body.get(key) for key in ("ttl", "queue", "kind", *sizes)}, {"ttl": "7200s", "queue": "night", "kind": "sql", **sizes}, f"{name}: options and resources reach the engine")
        double.calm()


def pool(bench: GatewayBench) -> None:
    """Several operations one after another in one session; one that is lost is replaced."""
    double, pg, t = bench.double, bench.pg, bench.t
    found = victims(bench, [f"pool_{i}" for i in range(5)])
    pg.sql("ALTER SERVER livy OPTIONS (ADD pool_size '2', ADD max_operations '1')")
    made = len(double.lab()["bodies"])
    for one in list(found.values())[:3]:
        one.queue()
    bench.maintain(f"rest.{NS}.pool_*")
    for one in list(found.values())[:3]:
        t.ok(one.row()["state"] == "succeeded" and one.snapshots() == 4, f"{one.table}: succeeded", brief(one.row()))
    seen = double.lab()
    t.equal((len(seen["bodies"]) - made, len(seen["sessions"])), (1, 1), "pool: three operations in one session, which is kept")
    name = seen["sessions"][0]["name"]
    t.ok(name.startswith("floe-postgres-") and pg.value("SELECT name FROM floe_internal.engine_session") == name, "pool: under a name of its own", name)
    one = found["pool_3"]
    double.lab(hold=True)
    one.queue()
    running(bench, one)
    double.lab(die="dead", hold=False)
    until_done(bench, one)
    t.ok(one.row()["state"] == "succeeded" and one.row()["attempt"] == 2 and one.snapshots() == 4, "pool: a session that died is replaced", brief(one.row()))
    seen = double.lab()["sessions"]
    t.ok([each["name"] for each in seen] == [name] and seen[0]["state"] == "idle", "pool: under the same name", seen)
    one = found["pool_4"]
    double.lab(hold=True)
    one.queue()
    running(bench, one)
    pg.kill9()
    pg.start()
    double.lab(hold=False)
    until_done(bench, one)
    t.ok(one.row()["state"] == "succeeded" and one.row()["attempt"] == 1 and one.snapshots() == 4, "pool: found again after a crash", brief(one.row()))
    t.equal([each["name"] for each in double.lab()["sessions"]], [name], "pool: and the session is kept")
    pg.sql("ALTER SERVER livy OPTIONS (DROP pool_size, DROP max_operations)")
    double.restart()


def run(kind: type[Double]) -> None:
    double = kind()
    lab("start", double.name)
    double.calm()
    with Tap() as t, Lakehouse() as pg:
        pg.add_server(double.name, "floe_engine", double.engine, {"url": double.url}, {})
        pg.add_engine()
        answer = pg.sql("SELECT * FROM floe.check_engine(%s)", (double.name,))[0]
        t.ok(answer["success"], "check_engine", answer)
        bench = GatewayBench(t, pg, double)
        parts = sys.argv[1:] or ["five", "faults", "s3"]
        if {"five", "faults", "pool"} & set(parts):
            five(bench, "rest", SHAPES if "five" in parts else {"many_small": "rewrite_data_files"})
        if "s3" in parts:
            five(bench, "s3", {"many_small": "rewrite_data_files"})
        if "faults" in parts:
            faults(bench)
        if double.name == "livy" and ("faults" in parts or "pool" in parts):
            pool(bench)
