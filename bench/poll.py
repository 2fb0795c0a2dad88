#!/usr/bin/env python3
"""What it costs floe to keep an eye on many tables: registering, first assessment, polling when little has changed, and nothing to do at all.

    poll.py [--tables 100000] [--changed 1] [--rounds 3] [--driver worker|procedure] [--results FOLDER]

A private PostgreSQL, the simulated catalog (catalog.py) and, as the floor, the same requests by libcurl without a database (floor.c) are run one
after the other on the same machine. docs/performance.md has the method and the figures. What was asked for and did not happen ends the run: a
figure is only printed for work that was done and counted on both sides, in floe's tables and by the catalog.

bench/run sets it up; by hand it wants FLOE_BINDIR, FLOE_BENCH_FLOOR (the program made of floor.c) and the lab's Python.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "test" / "e2e")]

import lake
import report
import statements
from drivers import DRIVERS, FLOE_PROCESS
from harness import Cluster
from procs import Watch

NAMESPACES = 100
GENERATIONS, FIRST_GENERATION = 12, 4
# PostgreSQL as it comes, but for these. fsync is on, and every commit waits for the disk unless floe itself says that it need not.
SETTINGS = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "4GB", "floe.allowed_hosts": "127.0.0.1"}
# Operations are configured and nothing calls for them: what most tables of a fleet are like most of the time.
POLICY = '{"engine": "spark", "poll_interval": "1 day", "rewrite_data_files": {}, "expire_snapshots": {}, "rewrite_manifests": {}}'
CATALOG, FLOOR, MEASURING = "simulated catalog", "libcurl alone", "the benchmark itself"


def say(text: str) -> None:
    print(f"-- {text}", file=sys.stderr, flush=True)


def postmaster_of(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


class SimulatedCatalog:
    """catalog.py as a process."""

    def __init__(self, folder: Path, tables: int):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "catalog.py"), "--lake", str(folder), "--tables", str(tables), "--namespaces", str(NAMESPACES),
             "--generation", str(FIRST_GENERATION)], stdout=subprocess.PIPE, text=True)
        self.uri = self.process.stdout.readline().removeprefix("ready ").strip()
        if not self.uri:
            raise RuntimeError("the simulated catalog did not start")

    def tell(self, what: str) -> dict[str, Any]:
        with urllib.request.urlopen(urllib.request.Request(f"{self.uri}/control/{what}", method="POST")) as answer:
            return json.load(answer)

    def counts(self) -> tuple[int, int]:
        """Tables loaded whole, and answered with 304, so far."""
        stats = self.tell("stats")
        return stats.get("200", 0), stats.get("304", 0)

    def names(self) -> tuple[list[str], list[str]]:
        """Namespace and name of every table, as a listing gives them."""
        namespaces, names = [], []
        for number in range(NAMESPACES):
            with urllib.request.urlopen(f"{self.uri}/v1/namespaces/ns{number:03d}/tables?pageSize=1000000") as answer:
                for one in json.load(answer)["identifiers"]:
                    namespaces.append(one["namespace"][0])
                    names.append(one["name"])
        return namespaces, names

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


class Floor:
    """floor.c as a process: the first line when all tables were loaded once, another for each again()."""

    def __init__(self, uri: str, tables: int, in_flight: int):
        self.process = subprocess.Popen([os.environ["FLOE_BENCH_FLOOR"], uri, str(tables), str(NAMESPACES), str(in_flight)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = json.loads(self.process.stdout.readline())

    def again(self) -> dict[str, Any]:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path, cluster: Cluster, catalog: SimulatedCatalog, watch: Watch):
        self.options, self.folder, self.pg, self.catalog, self.watch = options, folder, cluster, catalog, watch
        self.driver = DRIVERS[options.driver](cluster, watch)
        self.tables = options.tables

    # ---- what a phase costs ----

    def wal(self) -> dict[str, int]:
        return self.pg.sql("SELECT (pg_current_wal_insert_lsn() - '0/0')::int8 AS bytes, wal_fpi::int8 AS full_pages FROM pg_stat_wal")[0]

    def measured(self, what: str, work: Any) -> dict[str, Any]:
        """work() returns the seconds that count."""
        self.pg.sql("CHECKPOINT")
        wal, mark = self.wal(), self.watch.mark()
        seconds = work()
        processes = self.watch.since(mark)
        after = self.wal()
        result = {"seconds": round(seconds, 3), "processes": processes, "wal_mb": round((after["bytes"] - wal["bytes"]) / 1048576, 1),
                  "wal_full_pages": after["full_pages"] - wal["full_pages"]}
        say(f"{what}: {seconds:.2f} s")
        return result

    def all_due(self) -> None:
        """Every table at once, in the order of a fleet whose polls had been spread over a minute; no listing meanwhile."""
        self.pg.sql("UPDATE floe_internal.catalog SET next_list_at = now() + interval '1 day'")
        self.pg.sql("UPDATE floe_internal.table_poll SET next_poll_at = now() - interval '1 minute' + table_id % 60000 * interval '1 ms'")
        # the dead rows of this statement are not floe's
        self.pg.sql("VACUUM floe_internal.table_poll")

    def none_due(self) -> None:
        self.pg.sql("UPDATE floe_internal.catalog SET next_list_at = now() + interval '1 day'")
        self.pg.sql("UPDATE floe_internal.table_poll SET next_poll_at = now() + interval '1 day'")
        self.pg.sql("VACUUM floe_internal.table_poll")

    # ---- phases ----

    def register(self) -> dict[str, Any]:
        """apply_listing() in a session of its own, all new and then nothing new; and a whole listing through the library."""
        pg = self.pg
        pg.sql("CREATE EXTENSION floe")
        self.driver.still()
        pg.sql(f"CREATE SERVER lake TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri '{self.catalog.uri}')")
        pg.sql("CREATE USER MAPPING FOR PUBLIC SERVER lake")
        pg.sql("CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice')")
        pg.sql("SELECT floe.create_policy('all', '**', %s::jsonb)", (POLICY,))
        pg.sql("SELECT floe_internal.sync_servers()")
        namespaces, names = self.catalog.names()
        connection = pg.connect()
        result: dict[str, Any] = {}
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.watch.name(cursor.fetchone()[0], FLOE_PROCESS)
            for word in ("new", "known"):
                def apply() -> float:
                    begun = time.monotonic()
                    cursor.execute("SELECT floe_internal.apply_listing(c.catalog_id, %s::text[], %s::text[]) FROM floe_internal.catalog AS c", (namespaces, names))
                    return time.monotonic() - begun
                result[word] = self.measured(f"apply_listing, {self.tables} {word} tables", apply)
        connection.close()
        if pg.value("SELECT count(*) FROM floe_internal.iceberg_table") != self.tables:
            raise RuntimeError("apply_listing() did not register every table")
        return result

    def listing(self) -> dict[str, Any]:
        """The library lists all, page by page, and finds nothing new and nothing due."""
        self.driver.still()
        self.none_due()
        self.pg.sql("UPDATE floe_internal.catalog SET next_list_at = '-infinity'")
        listed = "SELECT listed_at IS NOT NULL AND next_list_at > now() AND claim_pass IS NULL FROM floe_internal.catalog"
        return self.measured("listing by the library", lambda: self.driver.poll(lambda: self.pg.value(listed), self.options.limit))

    def poll(self, what: str, loaded: int) -> dict[str, Any]:
        """All tables are due; so many of them have to be loaded whole."""
        self.driver.still()
        self.all_due()
        before = self.catalog.counts()
        since = self.pg.value("SELECT clock_timestamp()")

        def is_over() -> bool:
            if sum(self.catalog.counts()) - sum(before) < self.tables:
                return False
            return self.pg.value("SELECT NOT EXISTS (SELECT FROM floe_internal.table_poll AS p WHERE p.polled_at IS NULL OR p.polled_at < %s)", (since,))

        result = self.measured(what, lambda: self.driver.poll(is_over, self.options.limit))
        after = self.catalog.counts()
        result["loaded"], result["unchanged"] = after[0] - before[0], after[1] - before[1]
        result["tables_per_s"] = round(self.tables / result["seconds"])
        stored = self.pg.value("SELECT count(*) FROM floe_internal.health AS h WHERE h.assessed_at >= %s", (since,))
        bad = self.pg.value("SELECT count(*) FROM floe_internal.iceberg_table AS t WHERE t.status <> 'ok'")
        if result["loaded"] != loaded or result["unchanged"] != self.tables - loaded or stored != loaded or bad:
            raise RuntimeError(f"{what}: of {self.tables} tables {loaded} should have been loaded; the catalog sent {result['loaded']} "
                               f"and {result['unchanged']} times 304, health was stored for {stored}, {bad} tables are not ok")
        return result

    def steady(self, floor: Floor) -> list[dict[str, Any]]:
        rounds = []
        holder = self.pg.connect(autocommit=False)
        if self.options.old_snapshot:
            holder.set_session(isolation_level="REPEATABLE READ")
            holder.cursor().execute("SELECT FROM pg_class LIMIT 1")
        for number in range(1, self.options.rounds + 1):
            changed = self.catalog.tell(f"change?percent={self.options.changed}")["changed"]
            one = self.poll(f"round {number}, {changed} changed", changed)
            mark = self.watch.mark()
            one["floor"] = floor.again()
            one["floor"]["catalog_cpu_s"] = self.watch.since(mark).get(CATALOG, {}).get("cpu_s", 0.0)
            if one["floor"]["status_304"] != self.tables - changed or one["floor"]["failed"]:
                raise RuntimeError(f"the floor's round was another: {one['floor']}")
            rounds.append(one)
        holder.close()
        return rounds

    def plan(self) -> dict[str, Any]:
        """The decision over every table, due or not, when nothing is called for."""
        took, buffers = [], 0
        for _ in range(3):
            begun = time.monotonic()
            plan = self.pg.value("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT floe_internal.plan_and_queue(NULL)")[0]
            took.append(time.monotonic() - begun)
            buffers = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
        if self.pg.value("SELECT count(*) FROM floe_internal.operation_queue"):
            raise RuntimeError("something was queued: this is not a plan with nothing to do")
        say(f"plan_and_queue: {statistics.median(took):.2f} s")
        return {"seconds": round(statistics.median(took), 3), "buffers": buffers}

    def profile(self) -> dict[str, Any]:
        """Statement by statement, in a server that counts them, which costs a little: idle, and a round."""
        self.driver.still()
        statements.count_in(self.pg, self.driver.settings.get("shared_preload_libraries"))
        self.watch.postmaster = postmaster_of(self.pg)
        self.none_due()
        # what a start costs is not what being there costs
        self.driver.idle(3)
        statements.forget(self.pg)
        mark = self.watch.mark()
        wall = self.driver.idle(self.options.idle)
        idle = statements.of(self.pg, len(wall))
        idle["cpu_ms"] = round(report.floe_cpu({"processes": self.watch.since(mark)}) * 1000 / len(wall), 2)
        idle["wall_ms"] = round(statistics.median(wall) * 1000, 2)
        self.driver.still()
        self.all_due()
        changed = self.catalog.tell(f"change?percent={self.options.changed}")["changed"]
        statements.forget(self.pg)
        result = self.poll(f"round with statements counted, {changed} changed", changed)
        result.update(statements.of(self.pg, 1))
        return {"idle": idle, "round": result}

    def run(self) -> dict[str, Any]:
        result: dict[str, Any] = {"apply_listing": self.register()}
        result["listing"] = self.listing()
        result["first"] = self.poll("first assessment", self.tables)
        self.driver.still()
        # as autovacuum would have by the next day
        self.pg.sql("VACUUM ANALYZE")
        result["plan"] = self.plan()
        in_flight = self.pg.value("LOAD 'floe'; SELECT LEAST(current_setting('floe.max_connections_per_host')::int, current_setting('floe.max_tables_in_flight')::int)")
        mark = self.watch.mark()
        floor = Floor(self.catalog.uri, self.tables, in_flight)
        try:
            self.watch.others[FLOOR] = floor.process.pid
            result["floor_first"] = {**floor.first, "in_flight": in_flight, "catalog_cpu_s": self.watch.since(mark)[CATALOG]["cpu_s"]}
            result["steady"] = self.steady(floor)
        finally:
            floor.close()
            self.watch.others.pop(FLOOR, None)
        result["profile"] = self.profile()
        result["database_mb"] = round(self.pg.value("SELECT pg_database_size(current_database())") / 1048576)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=100000)
    parser.add_argument("--changed", type=float, default=1, help="percent, in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle", type=int, default=10, help="passes or ticks with nothing due")
    parser.add_argument("--driver", choices=sorted(DRIVERS), default="worker")
    parser.add_argument("--old-snapshot", action="store_true", help="somebody else's transaction is open all the while, so that no dead row can be removed")
    parser.add_argument("--limit", type=float, default=7200, help="seconds one phase may take")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="another setting of the server")
    parser.add_argument("--results", type=Path, default=Path("build/bench"))
    options = parser.parse_args()
    # ended as it ends by itself: the server is stopped, and nothing is left
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("FLOE_TEST_DIR")))
    driver = DRIVERS[options.driver]
    try:
        say("making the table")
        lake.make(folder / "lake", GENERATIONS)
        settings = {**SETTINGS, "floe.allowed_file_roots": str(folder / "lake"), **driver.settings, **dict(one.split("=", 1) for one in options.set)}
        catalog = SimulatedCatalog(folder / "lake", options.tables)
        try:
            with Cluster(conf=settings, name="bench") as cluster:
                with Watch(postmaster_of(cluster), {CATALOG: catalog.process.pid, MEASURING: os.getpid()}) as watch:
                    result = report.about(cluster, options, settings)
                    result.update(Bench(options, folder, cluster, catalog, watch).run())
        finally:
            catalog.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / f"poll-{options.driver}-{options.tables}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(report.table(result))


if __name__ == "__main__":
    main()
