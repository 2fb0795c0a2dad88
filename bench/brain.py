#!/usr/bin/env python3
"""What floe's choice is worth: generated fleets whose truth is known, one budget of GB-hours, floe's own SQL against other systems' ways to choose.

    brain.py [--tables 10000] [--seeds 1,2,3] [--mixes mixed,streaming,warehouse] [--budgets 2,10] [--results FOLDER]

Every system sees the same health and spends the same true GB-hours: those that floe's choice under the budget turned out to cost. Compared is what
that truly removed. The optimum is the linear bound of the knapsack over the truth, which nobody can know. docs/performance.md has the method and the
figures; it wants FLOE_BINDIR, as bench/run sets it up.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "test" / "e2e")]

import generated
import report
import rivals
from harness import Cluster

# Any gain worth the start of a session is a candidate, as for AutoComp; what deletes or schedules could call for is left out of the comparison.
POLICY = {"engine": "spark", "score": "benefit", "rewrite_data_files": {"min_interval": "0 seconds"},
          "thresholds": {"excess_file_count": {"warning": 10, "critical": 1000}, "equality_delete_file_count": {"warning": 1000000, "critical": 1000000}}}
PAST_RUNS = 200
MUST = {"round-robin": 1.5, "staleness first": 1.5, "the original's formula": 1.5, "AutoComp": 1.0}
OF_OPTIMUM = 0.95


def say(text: str) -> None:
    print(f"-- {text}", file=sys.stderr, flush=True)


def fill(pg: Any, tables: list[generated.Table], seed: int, mix: generated.Mix) -> None:
    """A new floe in the database, with the fleet, its policy, and a log of runs on other tables of the same kinds: what floe learns an engine's speed from."""
    pg.sql("DROP EXTENSION IF EXISTS floe CASCADE; DROP SCHEMA IF EXISTS floe CASCADE; CREATE EXTENSION floe")
    pg.sql("""CREATE SERVER lake TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1');
        CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1/cliservice', memory_gb '%d')""" % generated.MEMORY_GB)
    pg.sql("SELECT floe_internal.sync_servers()")
    pg.sql("SELECT floe.create_policy('all', '**', %s)", (json.dumps(POLICY),))
    generated.load(pg, tables)
    past = [one for one in generated.generate(seed + 1_000_000, PAST_RUNS * 4, mix, generated.engine(seed)) if is_candidate(one) and one.true_seconds < 4 * 3600][:PAST_RUNS]
    generated.load_past(pg, past)


def is_candidate(one: generated.Table) -> bool:
    return one.excess_file_count >= 10 or one.delete_ratio >= 0.2


def chosen(pg: Any, budget: float) -> tuple[list[str], list[float], float]:
    """What floe would queue under the budget, in its order, with its estimates in GB-hours; and how long it took."""
    pg.sql("DELETE FROM floe.budget")
    pg.sql("INSERT INTO floe.budget (name, gb_hours, period) VALUES ('golden', %s, '1 day')", (budget,))
    begun = time.monotonic()
    rows = pg.sql("SELECT table_name, gb_hours FROM floe.plan('**') WHERE verdict = 'run' ORDER BY rank")
    return [row["table_name"] for row in rows], [row["gb_hours"] for row in rows], time.monotonic() - begun


def compare(pg: Any, tables: list[generated.Table], budget: float) -> dict[str, Any]:
    known = {one.name: one for one in tables}
    names, estimates, seconds = chosen(pg, budget)
    taken = [known[name] for name in names]
    spent, files = sum(one.true_cost for one in taken), sum(one.true_gain for one in taken)
    candidates = [one for one in tables if is_candidate(one)]
    result: dict[str, Any] = {
        "budget": budget, "estimated": sum(estimates), "spent": spent, "tables": len(taken), "files": files, "files_per_gb_hour": files / spent if spent else 0, "seconds": seconds,
        "median_error": statistics.median(abs(guess / one.true_cost - 1) for guess, one in zip(estimates, taken)) if taken else None,
        "optimum": rivals.optimum(tables, spent), "names": names, "rivals": {}}
    for name, order in rivals.RIVALS.items():
        removed, cost, count = rivals.spend(order(candidates), spent)
        result["rivals"][name] = {"files": removed, "spent": cost, "tables": count, "files_per_gb_hour": removed / cost if cost else 0}
    return result


def failures(result: dict[str, Any]) -> list[str]:
    """What of the promise is not kept."""
    told = []
    if not result["tables"]:
        return ["nothing was chosen"]
    if result["estimated"] > result["budget"]:
        told.append(f"the estimates are {result['estimated']:.1f} GB-hours, over the budget of {result['budget']:.1f}")
    for name, times in MUST.items():
        rival = result["rivals"][name]["files_per_gb_hour"]
        if result["files_per_gb_hour"] < times * rival or result["files_per_gb_hour"] <= rival:
            told.append(f"{result['files_per_gb_hour']:.0f} files per GB-hour are not {times} times those of {name}: {rival:.0f}")
    if result["files"] < OF_OPTIMUM * result["optimum"]:
        told.append(f"{result['files']:.0f} files are {result['files'] / result['optimum'] * 100:.1f} % of the optimum, {result['optimum']:.0f}")
    return told


def run(pg: Any, seeds: list[int], mixes: list[str], tables: int, budgets: list[float]) -> list[dict[str, Any]]:
    """budgets: GB-hours for each thousand tables."""
    results = []
    for mix in mixes:
        for seed in seeds:
            fleet = generated.generate(seed, tables, generated.MIXES[mix])
            fill(pg, fleet, seed, generated.MIXES[mix])
            for budget in budgets:
                result = {"mix": mix, "seed": seed, "fleet": tables, "candidates": sum(map(is_candidate, fleet)), **compare(pg, fleet, budget * tables / 1000)}
                say(f"{mix} {seed}, {result['budget']:g} GB-hours: {result['tables']} tables, {result['files'] / max(1, result['optimum']) * 100:.1f} % of the optimum, {result['seconds']:.1f} s")
                results.append(result)
    return results


def table(results: list[dict[str, Any]]) -> str:
    rows = [["fleet", "GB-hours", "tables", "files", "a GB-hour", "of the optimum", *(f"x {name}" for name in rivals.RIVALS)]]
    for one in results:
        rows.append([f"{one['mix']} {one['seed']}", f"{one['spent']:.0f} of {one['budget']:.0f}", str(one["tables"]), f"{one['files']:,.0f}", f"{one['files_per_gb_hour']:,.0f}",
                     f"{one['files'] / one['optimum'] * 100:.1f} %", *(f"{one['files_per_gb_hour'] / max(rival['files_per_gb_hour'], 1e-9):.1f}" for rival in one["rivals"].values())])
    return report.columns(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=10000)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--mixes", default=",".join(generated.MIXES))
    parser.add_argument("--budgets", default="2,10,50", help="GB-hours for each thousand tables")
    parser.add_argument("--results", default=".")
    options = parser.parse_args()
    with Cluster({"shared_buffers": "256MB", "max_wal_size": "4GB"}) as pg:
        results = run(pg, [int(one) for one in options.seeds.split(",")], options.mixes.split(","), options.tables, [float(one) for one in options.budgets.split(",")])
    commit = os.environ.get("FLOE_COMMIT", "unknown")
    Path(options.results, f"brain-{options.tables}.json").write_text(json.dumps({"commit": commit, "results": results}, indent=1))
    print(f"floe {commit}, {options.tables:,} tables\n\n{table(results)}\n")
    broken = [f"{one['mix']} {one['seed']}, {one['budget']:g}: {told}" for one in results for told in failures(one)]
    print("\n".join(f"NOT MET  {one}" for one in broken) or "met      all of it, for every fleet and budget")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
