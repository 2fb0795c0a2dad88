"""The results for people: where and when they were measured, and a table with the figures that issue and documentation speak of."""
from __future__ import annotations

import datetime
import os
import platform
import re
import statistics
import subprocess
from pathlib import Path
from typing import Any

from procs import read

ROOT = Path(__file__).resolve().parents[1]
# What it must show at 100,000 tables.
IDLE_MS, TABLES_PER_S, MEMORY_MB = 5, 2000, 150


def commit() -> str:
    """FLOE_COMMIT, because a benchmark runs in a copy of the tree without its history."""
    known = os.environ.get("FLOE_COMMIT")
    if known:
        return known
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def about(cluster: Any, options: Any, settings: dict[str, str]) -> dict[str, Any]:
    model = re.search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo"), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.M)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": {"processor": model.group(1) if model else platform.machine(), "cores": len(os.sched_getaffinity(0)),
                    "memory_gb": round(int(memory.group(1)) / 1048576) if memory else None, "kernel": platform.release(), "load": os.getloadavg()[0]},
        "postgres": cluster.value("SHOW server_version"),
        "settings": {name: value for name, value in settings.items() if name != "floe.allowed_file_roots"},
        "driver": options.driver, "tables": options.tables, "changed_percent": options.changed,
    }


def floe_cpu(phase: dict[str, Any]) -> float:
    """Of the processes that do floe's work, and of the session that did."""
    return sum(one["cpu_s"] for name, one in phase["processes"].items() if name.startswith("floe"))


def server_cpu(phase: dict[str, Any]) -> float:
    """All of PostgreSQL: floe's processes and those that write, vacuum and checkpoint."""
    return sum(one["cpu_s"] for name, one in phase["processes"].items() if name not in ("simulated catalog", "libcurl alone", "the benchmark itself", "others on the machine"))


def floe_memory(phase: dict[str, Any]) -> float:
    return max((max(one["anonymous_mb"], one["private_mb"]) for name, one in phase["processes"].items() if name.startswith("floe")), default=0.0)


def others_share(phases: list[dict[str, Any]]) -> float:
    """What part of the machine's CPU was used by processes that have nothing to do with the benchmark."""
    return sum(one["processes"]["others on the machine"]["cpu_s"] for one in phases) / sum(one["seconds"] * len(os.sched_getaffinity(0)) for one in phases)


def phase_line(name: str, phase: dict[str, Any], tables: int) -> list[str]:
    return [name, f"{phase['seconds']:.2f}", f"{tables / phase['seconds']:,.0f}", f"{floe_cpu(phase):.2f}", f"{server_cpu(phase):.2f}",
            f"{phase['processes'].get('simulated catalog', {}).get('cpu_s', 0):.2f}", f"{phase['processes']['others on the machine']['cpu_s']:.2f}",
            f"{floe_memory(phase):.0f}", f"{phase['wal_mb']:.1f}"]


def columns(rows: list[list[str]]) -> str:
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if number == 0 else cell.rjust(width) for number, (cell, width) in enumerate(zip(row, widths))) for row in rows)


def table(result: dict[str, Any]) -> str:
    tables = result["tables"]
    machine = result["machine"]
    rows = [["", "seconds", "tables/s", "floe CPU s", "PostgreSQL CPU s", "catalog CPU s", "others CPU s", "peak MB", "WAL MB"]]
    rows.append(phase_line("apply_listing, all new", result["apply_listing"]["new"], tables))
    rows.append(phase_line("apply_listing, none new", result["apply_listing"]["known"], tables))
    rows.append(phase_line("listing by the library", result["listing"], tables))
    rows.append(phase_line("first assessment", result["first"], tables))
    for number, one in enumerate(result["steady"], 1):
        rows.append(phase_line(f"polling, {result['changed_percent']:g} % changed, {number}", one, tables))
    floors = [one["floor"] for one in result["steady"]]
    for name, one in (("libcurl alone, all loaded", result["floor_first"]), ("libcurl alone, conditional", min(floors, key=lambda one: one["seconds"]))):
        rows.append([name, f"{one['seconds']:.2f}", f"{tables / one['seconds']:,.0f}", f"{one['cpu_seconds']:.2f}", "", f"{one['catalog_cpu_s']:.2f}", "", "", ""])
    rate = statistics.median(one["tables_per_s"] for one in result["steady"])
    wall = statistics.median(one["seconds"] / one["floor"]["seconds"] for one in result["steady"])
    per_cpu = statistics.median(tables / max(server_cpu(one), 0.01) for one in result["steady"])
    cpu = statistics.median(server_cpu(one) / max(one["floor"]["cpu_seconds"], 0.01) for one in result["steady"])
    memory = max(floe_memory(one) for one in [result["first"], result["listing"], *result["steady"]])
    idle = result["profile"]["idle"]
    judged = [
        ("a tick with nothing due, database time", idle["database_ms"], f"{idle['database_ms']:.2f} ms, {idle['buffers']} buffers; {idle['cpu_ms']:.2f} ms of CPU, {idle['wall_ms']:.1f} ms in all", IDLE_MS, idle["database_ms"] < IDLE_MS, f"< {IDLE_MS} ms"),
        ("polling, median of the rounds", rate, f"{rate:,.0f} tables/s", TABLES_PER_S, rate >= TABLES_PER_S, f">= {TABLES_PER_S:,} tables/s"),
        ("peak memory of a process", memory, f"{memory:.0f} MB", MEMORY_MB, memory < MEMORY_MB, f"< {MEMORY_MB} MB"),
    ]
    text = [f"floe {result['commit']}, {result['date']}, PostgreSQL {result['postgres']}, driver {result['driver']}, {tables:,} tables",
            f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, Linux {machine['kernel']}, load at the start {machine['load']:.1f}", "",
            columns(rows), "",
            f"polling: {per_cpu:,.0f} tables per CPU second of all of PostgreSQL; against libcurl alone {wall:.1f} x the time, {cpu:.1f} x the CPU",
            f"plan of all tables, nothing called for: {result['plan']['seconds']:.2f} s, {result['plan']['buffers']:,} buffers",
            f"database time of a round, statements counted: {result['profile']['round']['database_ms'] / tables * 1000:.0f} us a table; database {result['database_mb']} MB", ""]
    catalog_us = min(one["floor"]["catalog_cpu_s"] for one in result["steady"]) / tables * 1e6
    text[-1:] = [f"the simulated catalog alone: {catalog_us:.0f} us of CPU a request, {catalog_us * TABLES_PER_S / 1e4:.1f} % of a core at {TABLES_PER_S:,} requests/s", ""]
    if others_share(result["steady"]) > 0.1:
        text[-1:] = [f"DISTURBED: other processes had {others_share(result['steady']) * 100:.0f} % of the machine during the rounds", ""]
    text.extend(f"{'met    ' if met else 'NOT MET'}  {what}: {value} ({wanted})" for what, _, value, _, met, wanted in judged)
    return "\n".join(text)
