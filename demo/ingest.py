#!/usr/bin/env python3
"""A few days of a small shop's life, written into eight Iceberg tables by pyiceberg, each the way such tables get sick.

    eval "$(test/lab/lab env)"
    PYTHONPATH=test/lab $FLOE_PYTHON demo/ingest.py [TABLE...]

Snapshots get the times they would have had (test/lab/writers.py, weedmeta.py say how). Separate from test/lab/tables.py: those shapes are for
exact measurements, these tables are for looking at. Two processes share the work, because one Python uses one core.
"""
from __future__ import annotations

import multiprocessing
import os
import sys
import time
from typing import Any, Iterable

from catalogs import LabCatalog
import pyarrow as pa
from pyiceberg.exceptions import NamespaceAlreadyExistsError
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from writers import SCHEMA, History, Rows, commit_deletes, data_files, position_deletes, snapshots_at

NAMESPACE = "shop"
BY_DAY = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=IdentityTransform(), name="day"))
HOUR, DAY = 3600, 86400


class Shop:
    def __init__(self) -> None:
        self.lab = LabCatalog("seaweedfs")
        self.now = time.time()

    def table(self, name: str, spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC, **properties: str) -> Table:
        levels = (NAMESPACE, name)
        try:
            self.lab.catalog.create_namespace((NAMESPACE,))
        except NamespaceAlreadyExistsError:
            pass
        self.lab.catalog.create_table(levels, SCHEMA, partition_spec=spec, properties={"format-version": "2", **properties})
        self.lab.allow_past(levels, int((self.now - 30 * DAY) * 1000))
        return self.lab.catalog.load_table(levels)

    def files(self, table: Table, rows: pa.Table) -> list[DataFile]:
        return list(_dataframe_to_data_files(table.metadata, rows, table.io))

    def commits(self, table: Table, count: int, days: float, rows: Rows, each: int, partitions: list[int] | None = None, data_every: int = 1) -> None:
        """count snapshots over the last days; of each data_every one brings rows, the others are empty, as a stream's checkpoints are."""
        history = History(table)
        for i in range(count):
            some = rows.take(each, [partitions[i * len(partitions) // count]] if partitions else None) if i % data_every == 0 else None
            history.add(self.now - days * DAY * (count - i) / count, self.files(table, some) if some else [])
        history.commit()

    # One function for each table, named as the table; the first line says what is wrong with it.

    def events(self) -> None:
        """A stream that commits a small file every half hour."""
        self.commits(self.table("events", BY_DAY), 128, 4, Rows("events"), 40, [1, 2, 3, 4])

    def checkpoints(self) -> None:
        """A job that commits at every checkpoint, mostly without data: hundreds of snapshots."""
        self.commits(self.table("checkpoints"), 240, 10, Rows("checkpoints"), 200, data_every=24)

    def customers(self) -> None:
        """Merge-on-read updates: position deletes pile up."""
        table, rows = self.table("customers", BY_DAY), Rows("customers")
        with snapshots_at(self.now - 3 * DAY):
            table.append(rows.take(2400, [1, 2]))
        files = data_files(table)
        history = History(table)
        for hour in range(6):
            history.add(self.now - (6 - hour) * HOUR, [position_deletes(table, [file], 3, f"{hour}-{i}-{n}") for n, file in enumerate(files) for i in range(5)])
        history.commit()

    def clicks(self) -> None:
        """Files of a good size, each in a manifest of its own."""
        table = self.table("clicks", BY_DAY)
        self.commits(table, 64, 0.9, Rows("clicks"), 150, [1, 2])
        with table.transaction() as tx:
            # What is small is a matter of the target: here files have it.
            tx.set_properties({"write.target-file-size-bytes": "4096"})

    def exports(self) -> None:
        """Jobs that died left files that no snapshot knows."""
        table = self.table("exports")
        self.commits(table, 4, 2, Rows("exports"), 500)
        content = table.io.new_input(data_files(table)[0].file_path).open().read()
        self.lab.plant_all([(f"{table.location()}/data/attempt-{i:02}.parquet", content) for i in range(40)], 6 * DAY)

    def orders(self) -> None:
        """Everything at once: small files, old snapshots, deletes."""
        table = self.table("orders", BY_DAY)
        self.commits(table, 64, 5, Rows("orders"), 60, [1, 2, 3, 4])
        with snapshots_at(self.now - HOUR):
            commit_deletes(table, [position_deletes(table, [file], 2, str(i)) for i, file in enumerate(data_files(table)[:24])])

    def countries(self) -> None:
        """Healthy: one load, one file."""
        self.commits(self.table("countries"), 1, 1, Rows("countries"), 5000)

    def audit(self) -> None:
        """Old snapshots that must stay: its owner forbids deleting files."""
        self.commits(self.table("audit", **{"gc.enabled": "false"}), 48, 6, Rows("audit"), 50)


# The longest first, so that two processes end together.
TABLES = ["events", "checkpoints", "orders", "clicks", "audit", "customers", "exports", "countries"]


def make(name: str) -> tuple[str, str, float]:
    started = time.monotonic()
    function: Any = getattr(Shop(), name)
    function()
    return name, function.__doc__, time.monotonic() - started


def main(names: Iterable[str]) -> int:
    with multiprocessing.Pool(min(2, os.cpu_count() or 1)) as pool:
        for name, what, seconds in pool.imap_unordered(make, names, chunksize=1):
            print(f"  {NAMESPACE}.{name:<12} {what} ({seconds:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or TABLES))
