#!/usr/bin/env python3
"""Writers that go on: five Iceberg tables that are written for as long as they are told to be, each at its own pace and in its own way, by pyiceberg.

    eval "$(test/lab/lab env)"
    $FLOE_PYTHON test/lab/streams.py --catalog rest --namespace live --seconds 120
    $FLOE_PYTHON test/lab/streams.py --catalog seaweedfs --namespace live --seconds 60 --streams events,orders

A line of JSON for each commit; and at the end one for each table with what must be in it: number of rows, and the judge's checksum of the rows
that were written and not deleted, which no reader had a part in. A table that is there already is written on. Others may rewrite the tables
meanwhile: a commit that comes too late is made again from the table as it is then, a delete with the positions of then.

Separate from tables.py, whose shapes are made once and exactly. It is a process of its own, because whoever watches it has other things to do.
"""
from __future__ import annotations

import argparse
import heapq
import json
import random
import signal
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Callable

import pyarrow.parquet as pq
from catalogs import NAMES, LabCatalog
from judge import checksum
from pyiceberg.exceptions import CommitFailedException, NamespaceAlreadyExistsError, NoSuchTableError
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from writers import SCHEMA, History, Rows, data_files, position_deletes_at

BY_DAY = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=IdentityTransform(), name="day"))


@dataclass
class Pace:
    """every: seconds between two commits; burst: so many at once, then quiet for as long as they stand for; days: partitions of each commit;
    deletes: every so many commits one removes rows; until: the part of the time after which nothing more comes; backlog: commits made at the beginning."""
    every: float
    rows: int = 20
    burst: int = 1
    days: tuple[int, ...] = ()
    deletes: int = 0
    until: float = 1.0
    backlog: int = 0


STREAMS = {
    "events": Pace(1.5),
    "orders": Pace(4, days=(1, 2, 3, 4), backlog=24),
    "customers": Pace(3, deletes=3),
    "visits": Pace(2, until=0.5),
    "bursts": Pace(3, burst=6),
}


class Stream:
    """One table and its writer. rows: what must be in it."""

    def __init__(self, lab: LabCatalog, levels: tuple[str, ...], pace: Pace):
        self.lab, self.levels, self.pace = lab, levels, pace
        self.random = random.Random(levels[-1])
        self.source = Rows(levels[-1])
        self.rows: dict[int, dict[str, Any]] = {}
        self.ids: dict[str, list[int]] = {}  # of data files, which never change
        self.commits = self.conflicts = self.files = 0
        self.table = self._open()

    def _open(self) -> Table:
        catalog = self.lab.catalog
        try:
            table = catalog.load_table(self.levels)
            self.rows = {row["id"]: row for row in table.scan().to_arrow().to_pylist()}
            self.source.next_id = max(self.rows, default=-1) + 1
            return table
        except NoSuchTableError:
            spec = BY_DAY if self.pace.days else UNPARTITIONED_PARTITION_SPEC
            return catalog.create_table(self.levels, SCHEMA, partition_spec=spec, properties={"format-version": "2"})

    def step(self) -> list[dict[str, Any]]:
        """One commit, or a burst of them; what was committed."""
        return [self._one() for _ in range(self.pace.burst)]

    def _one(self) -> dict[str, Any]:
        if self.pace.deletes and self.commits % self.pace.deletes == self.pace.deletes - 1:
            return self._delete()
        return self._append()

    def _append(self) -> dict[str, Any]:
        rows = self.source.take(self.pace.rows, list(self.pace.days) or None)
        files = list(_dataframe_to_data_files(self.table.metadata, rows, self.table.io))
        self.files += len(files)
        told = self._commit("append", lambda table: files)
        self.rows.update((row["id"], row) for row in rows.to_pylist())
        return told

    def _delete(self) -> dict[str, Any]:
        ids = set(self.random.sample(sorted(self.rows), min(5, len(self.rows))))
        told = self._commit("delete", lambda table: self._delete_files(table, ids))
        for one in ids:
            del self.rows[one]
        return told

    def _delete_files(self, table: Table, ids: set[int]) -> list[DataFile]:
        """Position deletes for these rows, wherever they are now; a row that is nowhere was lost by somebody."""
        places: dict[Any, dict[str, list[int]]] = defaultdict(dict)  # a delete file is of one partition
        like: dict[Any, DataFile] = {}
        left, live = set(ids), data_files(table)
        for file in live:
            if file.file_path not in self.ids:
                with table.io.new_input(file.file_path).open() as source:
                    self.ids[file.file_path] = pq.read_table(source, columns=["id"])["id"].to_pylist()
            found = [(place, one) for place, one in enumerate(self.ids[file.file_path]) if one in left]
            if found:
                key = (file.spec_id, str(file.partition))
                places[key][file.file_path] = [place for place, _ in found]
                like[key] = file
                left -= {one for _, one in found}
        if left:
            raise RuntimeError(f"{self.levels}: rows {sorted(left)} were written, not deleted, and are in no file of snapshot {table.current_snapshot()}")
        for path in self.ids.keys() - {file.file_path for file in live}:
            del self.ids[path]
        return [position_deletes_at(table, each, like[key], f"{self.commits}-{i}") for i, (key, each) in enumerate(places.items())]

    def _commit(self, what: str, files_of: Callable[[Table], list[DataFile]]) -> dict[str, Any]:
        tries = 0
        while True:
            tries += 1
            history = History(self.table)
            files = files_of(self.table)
            history.add(time.time(), files)
            snapshot = history.parent
            try:
                history.commit()
                break
            except CommitFailedException:
                self.conflicts += 1
                self.table.refresh()
        self.commits += 1
        summary = snapshot.summary.additional_properties
        return {"table": self.levels[-1], "at": time.time(), "what": what, "snapshot": snapshot.snapshot_id, "files": len(files), "tries": tries,
                "total_files": int(summary.get("total-data-files", 0)), "total_deletes": int(summary.get("total-delete-files", 0)),
                "snapshots": len(self.table.metadata.snapshots)}

    def end(self) -> dict[str, Any]:
        count, total = checksum(self.rows.values())
        return {"table": self.levels[-1], "end": True, "rows": count, "checksum": total, "commits": self.commits, "conflicts": self.conflicts, "files": self.files}


def run(lab: LabCatalog, namespace: str, paces: dict[str, Pace], seconds: float, tell: Callable[[dict[str, Any]], Any]) -> None:
    """Streams to these tables for so long; every commit is told. A signal to end ends them early."""
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.append(1))
    try:
        lab.catalog.create_namespace((namespace,))
    except NamespaceAlreadyExistsError:
        pass
    streams = [Stream(lab, (namespace, name), pace) for name, pace in paces.items()]
    for one in streams:
        for _ in range(one.pace.backlog if not one.rows else 0):
            tell(one._one())
    begun = time.monotonic()
    due = [(begun + i * 0.3, i) for i in range(len(streams))]
    heapq.heapify(due)
    while due and not ended:
        at, i = heapq.heappop(due)
        if at >= begun + seconds * streams[i].pace.until:
            continue
        time.sleep(max(0, at - time.monotonic()))
        for told in streams[i].step():
            tell(told)
        pace = streams[i].pace
        # who cannot keep up does not hurry
        heapq.heappush(due, (max(at + pace.every * pace.burst, time.monotonic()), i))
    for one in streams:
        tell(one.end())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", choices=NAMES, required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--streams", default=",".join(STREAMS), help=f"of {', '.join(STREAMS)}")
    options = parser.parse_args()
    paces = {name: STREAMS[name] for name in options.streams.split(",")}
    run(LabCatalog(options.catalog), options.namespace, paces, options.seconds, lambda told: print(json.dumps(told), flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
