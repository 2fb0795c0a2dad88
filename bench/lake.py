"""One real Iceberg table at several moments of its life, from which bench/catalog.py makes as many tables as are wanted.

pyiceberg writes it: an append is a new snapshot, a new metadata file, a new manifest list and a new manifest, all of them kept. Each simulated
table is a symbolic link to this one's folder, so its metadata files, manifest lists and manifests are files that exist; data files are not
needed, because floe never reads them. Separate from catalog.py, which is standard library only and must be ready in a moment.
"""
from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import DoubleType, IntegerType, LongType, NestedField, StringType, TimestamptzType

sys.path.append(str(Path(__file__).resolve().parents[1] / "test" / "lab"))

from writers import snapshots_at

FILES_PER_COMMIT = 2
# Written every hour, the first time this long ago: young enough that nothing expires, old enough that nobody looks at it all the time.
HOURS_AGO = 30
SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "happened_at", TimestamptzType(), required=False),
    NestedField(3, "kind", StringType(), required=False),
    NestedField(4, "customer", LongType(), required=False),
    NestedField(5, "country", StringType(), required=False),
    NestedField(6, "amount", DoubleType(), required=False),
    NestedField(7, "quantity", IntegerType(), required=False),
    NestedField(8, "note", StringType(), required=False),
)


def rows(seed: int) -> pa.Table:
    ids = list(range(seed * 100, seed * 100 + 100))
    moment = 1_750_000_000_000_000
    return pa.table({
        "id": ids, "happened_at": pa.array([moment + one * 1_000_000 for one in ids], pa.timestamp("us", "UTC")),
        "kind": [("view", "order", "return")[one % 3] for one in ids], "customer": [one * 7919 % 10007 for one in ids],
        "country": [("NL", "DE", "FR", "IN")[one % 4] for one in ids], "amount": [one * 1.25 for one in ids],
        "quantity": pa.array([one % 9 for one in ids], pa.int32()), "note": [f"row {one}" for one in ids],
    })


def make(folder: Path, generations: int) -> None:
    """folder/template: the table's folder; folder/generations.json: for each moment its metadata file, the first with one snapshot."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # One sqlite file, gone with the folder's other leavings once the table is made.
    catalog = SqlCatalog("bench", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace("bench")
    location = f"file://{folder}/template"
    table = catalog.create_table("bench.template", SCHEMA, location=location,
                                 properties={"owner": "bench", "commit.retry.num-retries": "4"})
    files = []
    for generation in range(generations):
        with snapshots_at(time.time() - (HOURS_AGO - generation) * 3600), table.transaction() as transaction:
            with transaction.update_snapshot().fast_append() as append:
                for part in range(FILES_PER_COMMIT):
                    for file in written(table, generation * FILES_PER_COMMIT + part):
                        append.append_data_file(file)
        files.append(os.path.basename(table.metadata_location))
    with open(folder / "generations.json", "w", encoding="utf-8") as out:
        json.dump(files, out)
    catalog.engine.dispose()
    (folder / "catalog.db").unlink()
    shutil.rmtree(folder / "template" / "data")


def written(table: Table, seed: int) -> list[DataFile]:
    """Data files of one append, with the statistics that pyiceberg gives them."""
    return list(_dataframe_to_data_files(table_metadata=table.metadata, df=rows(seed), io=table.io))


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
