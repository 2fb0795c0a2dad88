#!/usr/bin/env python3
"""What the demo compares: the same query on every table, before and after, by pyiceberg alone. floe has no part in it.

    measure.py take FILE              answers and costs of the query, as JSON
    measure.py compare BEFORE AFTER   the table with bars; the exit code is 1 unless all answers are the same

The query is SELECT count(*), sum(amount) over a whole table; with it comes the checksum of all rows. What it costs is what a reader has to open:
data files, delete files, and the bytes of metadata it reads before the first row (metadata file, manifest list, manifests).
"""
from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

NAMESPACE = "shop"


def query(table: Any) -> dict[str, Any]:
    import pyarrow.compute as pc

    from judge import checksum

    io, snapshot = table.io, table.current_snapshot()
    manifests = snapshot.manifests(io)
    tasks = list(table.scan().plan_files())
    rows = table.scan().to_arrow()
    return {
        "rows": len(rows), "sum": round(pc.sum(rows["amount"]).as_py(), 6), "checksum": checksum(rows.to_pylist())[1],
        "files": len(tasks) + len({delete.file_path for task in tasks for delete in task.delete_files}),
        "metadata_bytes": len(io.new_input(table.metadata_location)) + len(io.new_input(snapshot.manifest_list)) + sum(one.manifest_length for one in manifests),
        "snapshots": len(table.metadata.snapshots),
    }


def take(path: str) -> int:
    from catalogs import LabCatalog

    catalog = LabCatalog("seaweedfs").catalog
    names = sorted(name[-1] for name in catalog.list_tables(NAMESPACE))
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(names, pool.map(lambda name: query(catalog.load_table((NAMESPACE, name))), names)))
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
    return 0


def unicode_output() -> bool:
    try:
        "█·".encode(sys.stdout.encoding or "ascii")
        return True
    except UnicodeEncodeError:
        return False


def bar(value: float, most: float, width: int) -> str:
    full, empty = ("█", "·") if unicode_output() else ("#", ".")
    n = max(1, round(width * value / most)) if value else 0
    return full * n + empty * (width - n)


def size(value: float) -> str:
    return f"{value / 1024:.0f} kB" if value < 1 << 20 else f"{value / (1 << 20):.1f} MB"


def compare(before_path: str, after_path: str) -> int:
    with open(before_path, encoding="utf-8") as one, open(after_path, encoding="utf-8") as other:
        before, after = json.load(one), json.load(other)
    colour = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and "NO_COLOR" not in os.environ
    good, bad, plain = ("\x1b[32m", "\x1b[31m", "\x1b[0m") if colour else ("", "", "")
    most_files, most_bytes = (max(max(one[key] for one in found.values()) for found in (before, after)) for key in ("files", "metadata_bytes"))
    print(f"{'':16}{'rows':>7}  {'answer':<10}{'files a query opens':<34}{'metadata it reads':<38}{'snapshots':>9}")
    wrong = 0
    for name in sorted(before, key=lambda name: -before[name]["files"]):
        for when, found in (("before", before), ("after", after)):
            one = found.get(name)
            same = all((one or {}).get(key) == before[name][key] for key in ("rows", "sum", "checksum"))
            wrong += not same
            if one is None:
                print(f"  {name:<14}{bad}gone{plain}")
                continue
            answer = "" if when == "before" else f"{good}identical{plain} " if same else f"{bad}DIFFERENT{plain} "
            print(f"  {name if when == 'before' else '':<14}{one['rows']:>7}  {answer or ' ' * 10}{one['files']:>5} {bar(one['files'], most_files, 24)}    "
                  f"{size(one['metadata_bytes']):>7} {bar(one['metadata_bytes'], most_bytes, 24)}{one['snapshots']:>9}")
    total = {key: [sum(one[key] for one in found.values()) for found in (before, after)] for key in ("files", "metadata_bytes", "snapshots")}
    print(f"  all tables: files {total['files'][0]} > {total['files'][1]}, metadata {size(total['metadata_bytes'][0])} > {size(total['metadata_bytes'][1])}, "
          f"snapshots {total['snapshots'][0]} > {total['snapshots'][1]}; answers " + ("identical" if not wrong else "DIFFERENT"))
    return 1 if wrong or set(before) != set(after) else 0


if __name__ == "__main__":
    sys.exit({"take": take, "compare": compare}[sys.argv[1]](*sys.argv[2:]))
