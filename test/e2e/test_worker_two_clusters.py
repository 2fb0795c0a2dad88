"""Two clusters that know nothing of each other, pointed at the same catalog and the same engine: both work, and nobody has to clean up.

First the mocks, where both are made to run their statements on the same tables at the same time; then real tables and Spark, where Iceberg's optimistic commits
decide between them.
"""
from __future__ import annotations

import json
import re
import time
from typing import Any

# First: it makes test/mock importable.
from badinput import Base, Bench

import hs2
from badengine import Case, EngineBench, Work, policy
from catalog import Mock
from harness import Tap, checksum, judge, make_tables, reachable
from lakehouse import Lakehouse

TABLES = 6
NAMESPACE = f"two{time.time_ns() // 1000000}"
POLL = {"poll_interval": "2 seconds", "min_poll_interval": "1 second"}
SPARK_POLICY = {"engine": "spark", **POLL, "rewrite_data_files": {"min_interval": "1 second"}, "rewrite_manifests": {"min_interval": "1 second"},
                "thresholds": {"excess_file_count": {"warning": 5, "critical": 50}, "excess_manifest_count": {"warning": 2, "critical": 50}}}
# What people would have to do something about.
HANDS = ("config", "permanent")


def rests(t: Tap, clusters: list[Lakehouse], tables: str, what: str, within: float) -> None:
    """Neither has anything under way or in error for these tables, nor calls for anything."""
    end = time.monotonic() + within
    left: Any = None
    while left != [] and time.monotonic() < end:
        left = [row for pg in clusters for row in pg.sql("""
            WITH mine AS (SELECT name, status, error FROM floe.tables WHERE name LIKE %s AND status <> 'dropped')
            SELECT q.table_name AS what, q.state, q.error_message FROM floe_internal.operation_queue AS q JOIN mine ON mine.name = q.table_name
            UNION ALL SELECT name, status, error FROM mine WHERE status <> 'ok'
            UNION ALL SELECT name, w.operation, w.verdict FROM mine, LATERAL floe.why(name) AS w WHERE w.verdict = 'run' OR w.gate = 'backoff'""", (tables,))]
        time.sleep(0.2)
    t.equal(left, [], f"{what}: both are at rest")


def well(t: Tap, pg: Lakehouse, word: str) -> list[dict[str, Any]]:
    """Every operation ended once, in a state that needs nobody."""
    rows = pg.sql("SELECT * FROM floe.operations ORDER BY id")
    bad = [row for row in rows if row["finished_at"] is None or row["state"] not in ("succeeded", "no_change", "cancelled", "failed") or row["state"] == "failed" and row["error_class"] in HANDS]
    t.ok(rows and not bad, f"{word}: {len(rows)} operations, none needs hands: {sorted(row['state'] for row in rows)}", *bad)
    ends = pg.sql("SELECT operation_id FROM floe_internal.event WHERE kind ~ '^operation (succeeded|failed|cancelled|no_change)' GROUP BY operation_id HAVING count(*) <> 1")
    t.equal(ends, [], f"{word}: each ended once")
    crashed = [line for line in pg.server_log().splitlines() if re.search(r"terminated by signal|PANIC|XX000", line)]
    t.equal(crashed, [], f"{word}: nothing of floe's own went wrong")
    return rows


def with_mocks(t: Tap, clusters: list[Lakehouse]) -> None:
    with Mock() as stores, hs2.Mock() as engines:
        first = EngineBench(t, clusters[0], stores, engines, Base())
        Bench(t, clusters[1], stores).connect(first.catalog)
        works = [Work(first, Case(f"both_{i}", lambda engine: None)) for i in range(TABLES)]
        for one in works:
            # a statement does not end before both clusters have one there
            one.engine.polls = float("inf")
            clusters[1].add_server(one.case.name, "floe_engine", "spark-thrift", {"url": one.engine.url}, {})
        for pg in clusters:
            for one in works:
                pg.sql("SELECT floe.create_policy(%s, %s, %s)", (one.case.name, one.name, json.dumps({**policy(one.case.name, first.base), **POLL})))
            pg.sql("SELECT floe.refresh()")
        for pg in clusters:
            pg.wait_for("SELECT count(*) = %s FROM floe.operations WHERE state = 'running'", (TABLES,))
        t.ok(all(len(one.engine.running()) == 2 for one in works), "mocks: both clusters have a statement at each engine, for the same table")
        for one in works:
            one.engine.heal()
        rests(t, clusters, "mock.%", "mocks", 60)
        for place, pg in enumerate(clusters):
            rows = well(t, pg, f"mocks, cluster {place + 1}")
            t.equal(sorted({row["table_name"] for row in rows}), sorted(one.name for one in works), f"mocks, cluster {place + 1}: one operation for each table")
            t.equal(len(rows), TABLES, f"mocks, cluster {place + 1}: and no more")
        t.ok(all(one.carried_out == 2 and not one.engine.running() and not one.engine.sessions for one in works), "mocks: each statement ran once, and nothing is left at the engines",
             [(one.carried_out, len(one.engine.sessions)) for one in works])
        for pg in clusters:
            pg.sql("DROP SERVER mock CASCADE")


def with_spark(t: Tap, clusters: list[Lakehouse]) -> None:
    made = make_tables("rest", NAMESPACE, ["many_small", "many_partitions", "skewed"], partitions=30)
    names = {one["shape"]: [*one["namespace"], one["table"]] for one in made}
    before = {shape: checksum("rest", name) for shape, name in names.items()}
    files = {shape: judge("rest", name)["metrics"]["data_file_count"] for shape, name in names.items()}
    for pg in clusters:
        pg.sql("SELECT floe.create_policy('spark', %s, %s)", (f"rest.{NAMESPACE}.*", json.dumps(SPARK_POLICY).replace('"engine": "spark", ', "")))
    for pg in clusters:
        pg.add_engine()
        pg.sql("SELECT floe.alter_policy('spark', '{\"engine\": \"spark\"}')")
    for pg in clusters:
        pg.add_catalog("rest")
    for pg in clusters:
        pg.wait_for("SELECT count(*) > 0 FROM floe.operations WHERE started_at IS NOT NULL AND table_name LIKE %s", (f"rest.{NAMESPACE}.%",), timeout=60)
    t.ok(True, "Spark: both clusters sent something")
    rests(t, clusters, f"rest.{NAMESPACE}.%", "Spark", 120)
    for place, pg in enumerate(clusters):
        rows = [row for row in well(t, pg, f"Spark, cluster {place + 1}") if row["engine"] == "spark"]
        for row in rows:
            t.note(f"cluster {place + 1}: {row['table_name']} {row['operation']} {row['state']} attempt {row['attempt']} {row['error_class'] or ''} {row['error'] or ''}"[:200])
        calls = [row for name in names.values() for row in pg.sql("SELECT * FROM floe.health(%s) WHERE level <> 'ok' AND metric IN ('excess_file_count', 'excess_manifest_count')",
                                                                  (pg.format_name(["rest", *name]),))]
        t.equal(calls, [], f"Spark, cluster {place + 1}: every table is within its thresholds")
    for shape, name in names.items():
        t.equal(checksum("rest", name), before[shape], f"Spark: {shape}: the same rows")
        t.equal(reachable("rest", name)["missing"], [], f"Spark: {shape}: no file is missing")
        after = judge("rest", name)["metrics"]["data_file_count"]
        t.ok(after <= files[shape], f"Spark: {shape}: {files[shape]} files are {after}")


def main() -> None:
    with Tap() as t, Lakehouse(preload=True, name="one") as one, Lakehouse(preload=True, name="two") as two:
        with_mocks(t, [one, two])
        with_spark(t, [one, two])


if __name__ == "__main__":
    main()
