#!/usr/bin/env python3
"""Operations a minute: floe with four at a time on one Spark, against one spark-submit, and one Livy session, for each operation.

    engines.py [--tables 200] [--peers 8] [--results FOLDER]

Tables of three tiny files each, in the Iceberg REST server and on local files. floe's workers rewrite all of them through the Thrift Server of a Spark that
is running. The peer does what a script does: a spark-submit for each table, as many at a time, with the same Iceberg, heap and catalog. Both in one run on
the same machine; a table counts once its files are one. Of each of floe's operations, too: what part of its time was not the engine's.

bench/run engines sets it up; by hand it wants FLOE_BINDIR and the lab (test/lab/lab env) with iceberg-rest and spark.
"""
from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "test" / "e2e"), str(HERE.parent / "test" / "lab")]

import pyarrow as pa
import report
from catalogs import LabCatalog
from lakehouse import Lakehouse

AT_A_TIME = 4
FILES = 3


def say(text: str) -> None:
    print(f"-- {text}", file=sys.stderr, flush=True)


class Tables:
    """Each of three files of one row."""

    def __init__(self, namespace: str, count: int):
        self.namespace, self.names = namespace, [f"t{number:04d}" for number in range(count)]
        self.catalog = LabCatalog("rest").catalog
        self.catalog.create_namespace(namespace)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self.fill, self.names))

    def fill(self, name: str) -> None:
        rows = pa.table({"id": pa.array([1], pa.int64())})
        table = self.catalog.create_table((self.namespace, name), schema=rows.schema)
        for _ in range(FILES):
            table.append(rows)

    def files(self, name: str) -> int:
        return len(self.catalog.load_table((self.namespace, name)).inspect.data_files())


def by_floe(tables: Tables) -> dict[str, Any]:
    conf = {"floe.databases": "postgres", "floe.scheduler": "off"}
    with Lakehouse(name="engines", preload=True, conf=conf) as pg:
        pg.add_catalog("rest")
        pg.add_engine(max_operations=str(AT_A_TIME))
        pattern = f"rest.{tables.namespace}.*"
        policy = {"engine": "spark", "rewrite_data_files": {"options": {"min_input_files": 2}}, "thresholds": {"excess_file_count": {"warning": 1, "critical": 1000}}}
        pg.maintain()
        pg.sql("SELECT floe.create_policy('tiny', %s, %s)", (pattern, json.dumps(policy)))
        begun = time.monotonic()
        pg.sql("ALTER SYSTEM SET floe.scheduler = on")
        pg.sql("SELECT pg_reload_conf()")
        done = f"SELECT count(*) = {len(tables.names)} FROM floe.operations WHERE finished_at IS NOT NULL"
        pg.wait_for(done, timeout=60 * len(tables.names))
        took = time.monotonic() - begun
        states = {row["state"]: row["n"] for row in pg.sql("SELECT state, count(*) AS n FROM floe.operations GROUP BY state")}
        if states != {"succeeded": len(tables.names)} or {tables.files(name) for name in tables.names} != {1}:
            raise RuntimeError(f"not all tables were rewritten: {states}")
        times = pg.sql("SELECT extract(epoch FROM finished_at - dispatched_at)::float8 AS whole, extract(epoch FROM engine_ended_at - started_at)::float8 AS engine FROM floe_internal.operation_log")
        return {**report.about(pg, argparse.Namespace(driver="worker", tables=len(tables.names), changed=0), {}),
                "operations": len(times), "seconds": took, "whole_s": statistics.median(one["whole"] for one in times), "engine_s": statistics.median(one["engine"] for one in times),
                "own_share": statistics.median(1 - one["engine"] / one["whole"] for one in times)}


PEER = {"": "org.apache.iceberg.spark.SparkCatalog", ".type": "rest", ".uri": os.environ.get("FLOE_REST_URI", "")}


def peer_settings() -> dict[str, str]:
    return {f"spark.sql.catalog.peer{key}": value for key, value in PEER.items()}


def peer_statement(tables: Tables, name: str) -> str:
    return f"CALL peer.system.rewrite_data_files(table => '{tables.namespace}.{name}', options => map('min-input-files', '2'))"


def each(tables: Tables, rewrite: Callable[[str], None]) -> dict[str, Any]:
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(rewrite, tables.names))
    return {"operations": len(tables.names), "seconds": time.monotonic() - begun}


def by_submit(tables: Tables) -> dict[str, Any]:
    """The lab's Spark, by spark-sql: spark-submit with the statement."""
    home = Path(os.environ["FLOE_RUN"]) / "spark"
    jars = next(line.split(None, 1)[1] for line in (home / "conf" / "spark-defaults.conf").read_text().splitlines() if line.split(None, 1)[:1] == ["spark.driver.extraClassPath"])
    environment = {**os.environ, "SPARK_CONF_DIR": str(home / "conf"), "SPARK_HOME": os.environ["FLOE_SPARK_HOME"], "JAVA_HOME": os.environ["FLOE_SPARK_JAVA"]}

    def rewrite(name: str) -> None:
        settings = [f"{key}={value}" for key, value in peer_settings().items()] + ["spark.ui.enabled=false", "spark.plugins=", f"spark.driver.extraClassPath={jars}"]
        command = [os.environ["FLOE_SPARK_HOME"] + "/bin/spark-sql", *(word for one in settings for word in ("--conf", one)), "-e", peer_statement(tables, name)]
        done = subprocess.run(command, env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
        if done.returncode or tables.files(name) != 1:
            raise RuntimeError(f"spark-sql of {name}: {done.stderr[-2000:]}")

    return each(tables, rewrite)


def livy(method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(os.environ["FLOE_LIVY_URL"] + path, None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def by_livy(tables: Tables) -> dict[str, Any]:
    """A session for each statement, asked every half second, and deleted after it."""
    livy("PATCH", "/lab", {"own": True})

    def until(path: str, wanted: str, waiting: tuple[str, ...]) -> Any:
        while (found := livy("GET", path))["state"] in waiting:
            time.sleep(0.5)
        if found["state"] != wanted:
            raise RuntimeError(f"livy: {path} is {found}")
        return found

    def rewrite(name: str) -> None:
        session = f"/sessions/{livy('POST', '/sessions', {'kind': 'sql', 'conf': peer_settings()})['id']}"
        until(session, "idle", ("not_started", "starting"))
        sent = livy("POST", session + "/statements", {"code": peer_statement(tables, name)})["id"]
        done = until(f"{session}/statements/{sent}", "available", ("waiting", "running"))
        livy("DELETE", session)
        if done["output"]["status"] != "ok" or tables.files(name) != 1:
            raise RuntimeError(f"livy: {name}: {done}")

    return each(tables, rewrite)


def rate(one: dict[str, Any]) -> float:
    return 60 * one["operations"] / one["seconds"]


def table(result: dict[str, Any]) -> str:
    floe, machine = result["floe"], result["floe"]["machine"]
    peers = {"spark-submit": result["submit"], "Livy session": result["livy"]}
    rows = [["", "operations", "seconds", "a minute", "floe x"], [f"floe, {AT_A_TIME} at a time", str(floe["operations"]), f"{floe['seconds']:.1f}", f"{rate(floe):.1f}", ""]]
    rows += [[f"a {name} each, {AT_A_TIME} at a time", str(one["operations"]), f"{one['seconds']:.1f}", f"{rate(one):.1f}", f"{rate(floe) / rate(one):.1f}"] for name, one in peers.items()]
    return "\n".join([
        f"floe {floe['commit']}, {floe['date']}, PostgreSQL {floe['postgres']}: rewrite_data_files on tables of {FILES} tiny files",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, Linux {machine['kernel']}, load {machine['load']:.1f}", "",
        report.columns(rows), "",
        f"an operation of floe's: {floe['whole_s']:.2f} s from its dispatch to its verified end, {floe['engine_s']:.2f} s of these at the engine; floe's own share {100 * floe['own_share']:.0f} % (medians)"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--peers", type=int, default=8, help="tables of each peer, whose operations take the same time each")
    parser.add_argument("--results", type=Path, default=Path("build/bench"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    prefix = f"engines_{int(time.time())}"
    tables, others, more = Tables(prefix, options.tables), Tables(prefix + "_peer", options.peers), Tables(prefix + "_livy", options.peers)
    say(f"{options.tables} tables are there")
    result = {"floe": by_floe(tables)}
    say(f"floe: {rate(result['floe']):.1f} operations a minute")
    result["submit"] = by_submit(others)
    say(f"a spark-submit each: {rate(result['submit']):.1f}")
    result["livy"] = by_livy(more)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / f"engines-{options.tables}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
