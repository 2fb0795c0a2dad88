#!/usr/bin/env python3
"""The shop goes on: five of its tables are written for a while by pyiceberg, and read again later. floe has no part in it.

    eval "$(test/lab/lab env)"
    PYTHONPATH=test/lab $FLOE_PYTHON demo/stream.py write FILE SECONDS    what must be in the tables then, as JSON
    PYTHONPATH=test/lab $FLOE_PYTHON demo/stream.py check FILE            the exit code is 1 unless exactly that is in them

Separate from ingest.py, which makes a past in one go: this is a writer that competes with maintenance (test/lab/streams.py says how).
"""
from __future__ import annotations

import json
import sys
from typing import Any

from catalogs import LabCatalog
from judge import checksum
from streams import Pace, run

NAMESPACE = "shop"
# A commit that deletes from a file which is just being rewritten makes that rewrite fail and wait a minute. customers is deleted from too often for
# somebody who watches that; it gets so few data files that only its deletes and manifests need mending.
PACES = {
    "events": Pace(1, days=(1, 2, 3, 4)),
    "orders": Pace(2, days=(1, 2, 3, 4)),
    "customers": Pace(1.5, days=(1,), deletes=2),
    "clicks": Pace(1.5, days=(1, 2)),
    "checkpoints": Pace(1),
}


def write(path: str, seconds: str) -> int:
    ends: dict[str, dict[str, Any]] = {}
    run(LabCatalog("seaweedfs"), NAMESPACE, PACES, float(seconds), lambda told: ends.update({told["table"]: told}) if told.get("end") else None)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(ends, file, indent=1)
    return 0


def check(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        ends = json.load(file)
    catalog, wrong = LabCatalog("seaweedfs").catalog, 0
    print(f"{'':16}{'commits':>7}  {'data files written':>18}  {'data files now':>14}  {'rows':>7}")
    for name, told in sorted(ends.items()):
        table = catalog.load_table((NAMESPACE, name))
        same = list(checksum(table.scan().to_arrow().to_pylist())) == [told["rows"], told["checksum"]]
        wrong += not same
        print(f"  {name:<14}{told['commits']:>7}  {told['files']:>18}  {table.current_snapshot().summary['total-data-files']:>14}  {told['rows']:>7}  {'as written' if same else 'NOT AS WRITTEN'}")
    return 1 if wrong or set(ends) != set(PACES) else 0


if __name__ == "__main__":
    sys.exit({"write": write, "check": check}[sys.argv[1]](*sys.argv[2:]))
