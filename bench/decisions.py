#!/usr/bin/env python3
"""How long decisions take with 100,000 tables: the full pass, one of a few tables, floe.why(), and which policies are whose.

    decisions.py [--tables 100000] [--sick 2] [--rounds 3] [--results FOLDER]

A generated fleet (generated.py) under 200 policies; most tables need nothing, a few per cent something. Nothing is sent anywhere: what is measured
is SQL in one backend, by its own CPU time. docs/performance.md has the method and the figures.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "test" / "e2e")]

import generated
import report
from harness import Cluster

SCHEMAS = 40
FULL_S, INCREMENTAL_MS, WHY_MS = 2.0, 50.0, 10.0
CHANGED = 50
# The same work for every version of floe: how fast the machine was meanwhile. Neighbours on the same host halve it without a trace in its own load.
YARDSTICK = "SELECT count(md5(g::text)) FROM generate_series(1, 500000) AS g"
MANY = 5000  # rows: there are a few hundred policies, and some more of their settings


def say(text: str) -> None:
    print(f"-- {text}", file=sys.stderr, flush=True)


def fleet(tables: int, sick: float, seed: int) -> list[generated.Table]:
    """Of a mixed fleet as many sick tables as are asked for, and healthy ones."""
    mix = generated.MIXES["mixed"]
    calling = [one for one in generated.generate(seed, int(tables * sick / 100) * 4, mix) if one.excess_file_count >= 100][:int(tables * sick / 100)]
    well = generated.generate(seed + 1, tables - len(calling), generated.Mix("well", {"healthy": 1.0}))
    for number, one in enumerate(calling + well):
        one.number, one.name = number, f"lake.s{number % SCHEMAS}.{'hot' if number % 11 == 0 else 't'}{number:06d}"
    return calling + well


def fill(pg: Any, tables: list[generated.Table]) -> None:
    """200 policies: defaults, one for each schema, for each schema's hot tables, and for some prefixes; every operation is on somewhere."""
    pg.sql("CREATE EXTENSION floe")
    # the hour of the day decides how many tables are inside their windows
    pg.sql("ALTER DATABASE postgres SET floe.virtual_clock = '2026-03-02 12:00:00+00'")
    pg.sql("""CREATE SERVER lake TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
        CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice')""")
    pg.sql("SELECT floe_internal.sync_servers()")
    begun = time.monotonic()
    pg.sql("""SELECT floe.create_policy('all', '**', '{"engine": "spark", "rewrite_data_files": {}, "expire_snapshots": {"options": {"max_snapshot_age": "5 days"}}, "rewrite_manifests": {}, "remove_orphan_files": {}}');
        SELECT count(floe.create_policy(format('schema %s', n), format('lake.s%s.**', n), '{"priority": 1, "expire_snapshots": {"options": {"retain_last": 5}}, "rewrite_position_delete_files": {}}')) FROM generate_series(0, 39) AS n;
        SELECT count(floe.create_policy(format('hot %s', n), format('lake.s%s.hot*', n), '{"priority": 10, "rewrite_data_files": {"min_interval": "10 minutes"}, "thresholds": {"excess_file_count": {"warning": 50}}}')) FROM generate_series(0, 39) AS n;
        SELECT count(floe.create_policy(format('prefix %s', n), format('lake.*.t%s*', n), format('{"priority": 5, "rewrite_data_files": {"windows": ["%s:00-%s:00"]}}', lpad((n %% 24)::text, 2, '0'), lpad(((n + 20) %% 24)::text, 2, '0'))::jsonb))
            FROM generate_series(0, 119) AS n""" .replace("%%", "%"))
    generated.load(pg, tables)
    say(f"{len(tables):,} tables under {pg.value('SELECT count(*) FROM floe.policy')} policies, {pg.value('SELECT count(*) FROM floe_internal.policy_set')} lists of policies, in {time.monotonic() - begun:.0f} s")
    # as after a day at work: schedules are known, expired not long ago
    pg.sql("""INSERT INTO floe_internal.table_operation AS x (table_id, operation, last_run_at, last_success_at, last_state)
        SELECT t.table_id, o, floe_internal.clock() - interval '1 hour' * (t.table_id % 160), floe_internal.clock() - interval '1 hour' * (t.table_id % 160), 'succeeded'
        FROM floe_internal.iceberg_table AS t CROSS JOIN unnest('{expire_snapshots,remove_orphan_files}'::text[]) AS o""")
    pg.sql("UPDATE floe_internal.health SET snapshot_count = 1")
    pg.sql("SELECT floe_internal.sync_schedules(ARRAY(SELECT table_id FROM floe_internal.iceberg_table), floe_internal.clock())")
    pg.sql("UPDATE floe_internal.table_operation SET next_due_at = floe_internal.clock() + interval '1 minute' + interval '6 seconds' * (table_id % 100000) WHERE next_due_at <= floe_internal.clock()")
    pg.sql("VACUUM ANALYZE")


class Session:
    """One backend, and its CPU time."""

    def __init__(self, pg: Any):
        self.connection = pg.connect()
        self.cursor = self.connection.cursor()
        self.run("SET jit = off")
        self.pid = self.run("SELECT pg_backend_pid()")[0][0]
        self.yardsticks: list[float] = []

    def run(self, statement: str, params: Any = None) -> list[Any]:
        self.cursor.execute(statement, params)
        return self.cursor.fetchall() if self.cursor.description else []

    def cpu(self) -> float:
        times = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")

    def measured(self, statement: str, params: Any = None) -> dict[str, float]:
        """Seconds, and of CPU, of a statement that is undone."""
        self.run("BEGIN")
        cpu, begun = self.cpu(), time.monotonic()
        rows = self.run(statement, params)
        result = {"seconds": time.monotonic() - begun, "cpu_s": self.cpu() - cpu, "answer": rows[0][0] if rows else None}
        self.run("ROLLBACK")
        return result

    def paced(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What work() measures, with how long the yardstick took before and after it."""
        self.yardsticks.append(self.measured(YARDSTICK)["seconds"])
        result = work()
        self.yardsticks.append(self.measured(YARDSTICK)["seconds"])
        return {**result, "yardstick": sum(self.yardsticks[-2:]) / 2}


def best(session: Session, rounds: int, statement: str, params: Any = None) -> dict[str, float]:
    """The round with least CPU: the others had the machine to share."""
    return min((session.measured(statement, params) for _ in range(rounds)), key=lambda one: one["cpu_s"])


STEPS = {
    "what can call, of all tables": "SELECT count(*) FROM floe_internal.tables_to_decide((SELECT array_agg(table_id) FROM floe_internal.iceberg_table), floe_internal.clock())",
    "sizes in force, of all tables": "SELECT floe_internal.recompute_health((SELECT array_agg(table_id) FROM floe_internal.iceberg_table))",
    "schedules, of all tables": "SELECT floe_internal.sync_schedules((SELECT array_agg(table_id) FROM floe_internal.iceberg_table), floe_internal.clock())",
    "when quiet tables are due again": "SELECT count(*) FROM floe_internal.quiet_until((SELECT array_agg(table_id) FROM floe_internal.iceberg_table), floe_internal.clock(), '15 minutes')",
}


def run(pg: Any, rounds: int) -> dict[str, Any]:
    session = Session(pg)
    result: dict[str, Any] = {"steps": {}}
    # the first decision upon every table, which nobody asked to be fast
    result["first"] = session.measured("SELECT floe_internal.plan_and_queue(NULL)")
    session.run("SELECT floe_internal.plan_and_queue(NULL)")
    session.run("DELETE FROM floe_internal.operation_queue")
    session.run("VACUUM ANALYZE")
    called = session.run("SELECT array_agg(t) FROM floe_internal.tables_to_decide((SELECT array_agg(table_id) FROM floe_internal.iceberg_table), floe_internal.clock()) AS t")[0][0]
    result["called"] = len(called)
    for name, statement in STEPS.items():
        result["steps"][name] = best(session, rounds, statement)
        say(f"{name}: {result['steps'][name]['cpu_s']:.2f} s of CPU")
    result["steps"]["gates of those called"] = best(session, rounds, "SELECT count(*) FROM floe_internal.decide(%s, floe_internal.clock(), false, NULL, false)", (called,))
    result["steps"]["selection of those called"] = best(session, rounds, "SELECT count(*) FROM floe_internal.select_candidates(%s, floe_internal.clock(), false, NULL)", (called,))
    full = [session.paced(lambda: session.measured("SELECT floe_internal.plan_and_queue(NULL)")) for _ in range(rounds)]
    result["full"] = min(full, key=lambda one: one["cpu_s"] / one["yardstick"])
    session.run("SELECT floe_internal.plan_and_queue(NULL)")
    session.run("VACUUM ANALYZE")
    result["again"] = best(session, rounds, "SELECT floe_internal.plan_and_queue(NULL)")
    for name in ("gates of those called", "selection of those called"):
        say(f"{name}: {result['steps'][name]['cpu_s']:.2f} s of CPU")
    say(f"full pass: {result['full']['cpu_s']:.2f} s of CPU, {result['full']['answer']} queued of {result['called']} called; again: {result['again']['cpu_s']:.2f} s")
    result["all_due"] = all_due(session)
    some = session.run("SELECT array_agg(table_id) FROM (SELECT table_id FROM floe_internal.table_decision ORDER BY md5(table_id::text) LIMIT %s) AS x", (CHANGED,))[0][0]
    result["incremental"] = session.paced(lambda: incremental(session, some, 20))
    result["why"] = session.paced(lambda: why(session, 30))
    result["plans"] = plans(session, some)
    result["resolution"] = resolution(session)
    # at the speed that the machine had at its best
    for name, figure in ("full", "cpu_s"), ("incremental", "ms"), ("why", "ms"):
        result[name]["at_best"] = result[name][figure] * min(session.yardsticks) / result[name]["yardstick"]
    result["yardsticks"] = session.yardsticks
    session.connection.close()
    return result


def all_due(session: Session) -> dict[str, float]:
    """As after a change of settings for all."""
    session.run("BEGIN")
    session.run("SELECT floe_internal.decide_all()")
    cpu, begun = session.cpu(), time.monotonic()
    answer = session.run("SELECT floe_internal.plan_and_queue(NULL)")[0][0]
    result = {"seconds": time.monotonic() - begun, "cpu_s": session.cpu() - cpu, "answer": answer}
    session.run("ROLLBACK")
    say(f"all due: {result['cpu_s']:.2f} s of CPU")
    return result


def incremental(session: Session, ids: list[int], rounds: int) -> dict[str, float]:
    """A few tables were written: decided upon as a worker does, plan_due()."""
    times = []
    for _ in range(rounds):
        session.run("BEGIN")
        session.run("SELECT floe_internal.decide_soon(%s)", (ids,))
        begun = time.monotonic()
        decided = session.run("SELECT decided FROM floe_internal.plan_due(100)")[0][0]
        times.append((time.monotonic() - begun) * 1000)
        session.run("ROLLBACK")
        assert decided == len(ids), decided
    say(f"{len(ids)} changed tables: {statistics.median(times):.1f} ms, first {times[0]:.1f} ms")
    return {"ms": statistics.median(times), "least_ms": min(times), "first_ms": times[0], "tables": len(ids)}


def why(session: Session, rounds: int) -> dict[str, float]:
    names = [row[0] for row in session.run("SELECT name FROM floe_internal.iceberg_table ORDER BY md5(name) LIMIT %s", (rounds,))]
    times = []
    for name in names:
        begun = time.monotonic()
        rows = session.run("SELECT * FROM floe.why(%s)", (name,))
        times.append((time.monotonic() - begun) * 1000)
        assert len(rows) >= 7
    say(f"why: {statistics.median(times):.1f} ms, first {times[0]:.1f} ms")
    return {"ms": statistics.median(times), "least_ms": min(times), "first_ms": times[0]}


def resolution(session: Session) -> dict[str, dict[str, float]]:
    """500 policies upon all tables, as if all of these were new, and what a change of one of the policies costs."""
    session.run("BEGIN")
    session.run("""SELECT count(floe.create_policy(format('more %s', n), format('lake.s%s.t%s*', n % 40, lpad((n * 37 % 1000)::text, 3, '0')), '{"priority": 7, "rewrite_data_files": {"min_interval": "20 minutes"}}'))
        FROM generate_series(1, 500 - (SELECT count(*) FROM floe.policy)) AS n""")
    session.run("DELETE FROM floe_internal.policy_match")
    result = {}
    for name, statement in {"500 policies, of all tables": "SELECT floe_internal.match_tables((SELECT array_agg(table_id) FROM floe_internal.iceberg_table))",
                            "a new policy of a fortieth of the tables": "SELECT floe.create_policy('new', 'lake.s3.**', '{\"rewrite_data_files\": {\"min_interval\": \"25 minutes\"}}')",
                            "a change of the policy of all": "SELECT floe.alter_policy('all', '{\"rewrite_data_files\": {\"min_interval\": \"25 minutes\"}}')"}.items():
        cpu, begun = session.cpu(), time.monotonic()
        session.run(statement)
        result[name] = {"seconds": time.monotonic() - begun, "cpu_s": session.cpu() - cpu}
        say(f"{name}: {result[name]['cpu_s']:.2f} s of CPU")
    session.run("ROLLBACK")
    return result


class Notices(list):
    """psycopg2 keeps fifty at most, were this a list of its own."""


def read_at_large(session: Session, statement: str, params: Any = None) -> set[str]:
    """Tables of which a statement, or any inside its functions, reads thousands of rows, whether by an index or not; by EXPLAIN of each of them."""
    found: set[str] = set()

    def look(node: dict[str, Any]) -> None:
        if "Relation Name" in node and (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] >= MANY:
            found.add(node["Relation Name"])
        for child in node.get("Plans", []):
            look(child)

    session.connection.notices = notices = Notices()
    session.run("LOAD 'auto_explain'")
    settings = {"log_min_duration": 0, "log_analyze": "on", "log_timing": "off", "log_nested_statements": "on", "log_format": "json"}
    for name, value in settings.items():
        session.run(f"SET auto_explain.{name} = {value}")
    session.run("SET client_min_messages = log")
    session.run(statement, params)
    session.run("RESET client_min_messages")
    session.run("SET auto_explain.log_min_duration = -1")
    plans = [json.loads(one[one.index("{"):]) for one in notices if "plan:" in one]
    assert plans, notices
    for plan in plans:
        look(plan["Plan"])
    return found


def plans(session: Session, ids: list[int]) -> dict[str, list[str]]:
    result = {}
    # what it must find
    assert read_at_large(session, "SELECT count(*) FROM floe_internal.iceberg_table AS t JOIN floe_internal.health AS h ON h.table_id = t.table_id") == {"iceberg_table", "health"}
    for name, prepare, statement, params in [
            (f"{len(ids)} changed tables", "SELECT floe_internal.decide_soon(%s)", "SELECT decided FROM floe_internal.plan_due(100)", None),
            ("floe.why()", None, "SELECT * FROM floe.why((SELECT name FROM floe_internal.iceberg_table WHERE table_id = %s))", (ids[0],))]:
        session.run("BEGIN")
        if prepare:
            session.run(prepare, (ids,))
        result[name] = sorted(read_at_large(session, statement, params))
        session.run("ROLLBACK")
        say(f"{name}: tables of which thousands of rows are read: {', '.join(result[name]) or 'none'}")
    return result


def judged(result: dict[str, Any]) -> list[tuple[str, str, bool]]:
    def told(name: str, figure: str, unit: str, limit: float) -> tuple[str, bool]:
        one = result[name]
        return f"{one[figure]:.2f} {unit}, {one['at_best']:.2f} at the speed that the machine had at its best (< {limit:g})", one["at_best"] < limit

    return [(f"full pass, {result['called']} tables called, {result['full']['answer']} operations queued", *told("full", "cpu_s", "s of CPU", FULL_S)),
            (f"{result['incremental']['tables']} changed tables", *told("incremental", "ms", "ms", INCREMENTAL_MS)),
            ("floe.why()", *told("why", "ms", "ms", WHY_MS)),
            *((f"plans of {name}", f"thousands of rows read of {', '.join(tables) or 'no table'}", not tables) for name, tables in result["plans"].items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=100000)
    parser.add_argument("--sick", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", default=".")
    options = parser.parse_args()
    with Cluster({"shared_buffers": "512MB", "max_wal_size": "4GB"}) as pg:
        fill(pg, fleet(options.tables, options.sick, 7))
        result = {"commit": os.environ.get("FLOE_COMMIT", "unknown"), "tables": options.tables, **run(pg, options.rounds)}
    Path(options.results, f"decisions-{options.tables}.json").write_text(json.dumps(result, indent=1))
    rows = [["", "seconds", "CPU s"]]
    for name, one in {**result["steps"], "the first decision upon all": result["first"], "full pass": result["full"], "full pass, what it called for is queued": result["again"], "full pass, all due": result["all_due"],
                      **result["resolution"]}.items():
        rows.append([name, f"{one['seconds']:.2f}", f"{one['cpu_s']:.2f}"])
    print(f"floe {result['commit']}, {options.tables:,} tables\n\n{report.columns(rows)}\n")
    print(f"the yardstick: {min(result['yardsticks']):.2f} to {max(result['yardsticks']):.2f} s")
    for what, told, met in judged(result):
        print(f"{'met    ' if met else 'NOT MET'}  {what}: {told}")
    sys.exit(not all(met for _, _, met in judged(result)))


if __name__ == "__main__":
    main()
