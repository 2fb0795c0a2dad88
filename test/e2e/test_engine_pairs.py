"""Every way to Spark with every kind of catalog: the pairs that the engines' own tests leave out, and the statistics through each of them.

A table for each pair: a rewrite on it and its statistics by real Spark, the same rows and references afterwards, nothing live lost.
Trino's pairs are in test_trino.py, those of Spark 3.5's Thrift Server in test_catalogs.py and test_statistics.py.
"""
from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import pyarrow as pa
from harness import Tap, checksum, judge, lab, reachable
from lakehouse import Lakehouse

from catalogs import LabCatalog

NS = f"pairs_{int(time.time())}"
FILES = 6
# SERVER, its TYPE, where.
ENGINES = [
    ("thrift4", "spark-thrift", "FLOE_SPARK4_URL"),
    ("connect35", "spark-connect", "FLOE_SPARK_CONNECT_URL"),
    ("connect4", "spark-connect", "FLOE_SPARK4_CONNECT_URL"),
    ("livy", "livy", "FLOE_LIVY_URL"),
    ("kyuubi", "kyuubi", "FLOE_KYUUBI_URL"),
]
CATALOGS = ["s3", "nessie", "hive3"]
COMPONENTS = ["database", "spark4", "livy", "kyuubi", "nessie", "hive3"]
OPERATIONS = {"rewrite_data_files": {"options": {"min_input_files": 2}}, "compute_table_stats": {}}


class Pair:
    def __init__(self, t: Tap, pg: Lakehouse, engine: str, lab_name: str):
        self.t, self.pg, self.engine, self.lab_name, self.table = t, pg, engine, lab_name, f"by_{engine}"
        self.levels, self.what = [NS, self.table], f"{engine}, {lab_name}"
        self.name = pg.format_name([lab_name, *self.levels])

    def make(self) -> None:
        """Small files, and a tag that holds the first of them."""
        place = LabCatalog(self.lab_name)
        place.catalog.create_namespace_if_not_exists(NS)
        rows = pa.table({"id": pa.array(range(100), pa.int64()), "note": pa.array([f"n{number}" for number in range(100)])})
        table = place.catalog.create_table((NS, self.table), schema=rows.schema, location=place.location((NS, self.table)))
        for _ in range(FILES):
            table.append(rows)
        # Nessie keeps no references of a table but main
        self.tag = self.lab_name != "nessie"
        if self.tag:
            table.manage_snapshots().create_tag(table.history()[0].snapshot_id, "kept").commit()
        self.content = checksum(self.lab_name, self.levels)
        self.pg.sql("SELECT floe.create_policy(%s, %s, %s)", (f"{self.engine} {self.lab_name}", self.name, json.dumps({"engine": self.engine, **OPERATIONS})))

    def trigger(self) -> None:
        self.ids = {operation: self.pg.value("SELECT operation_id FROM floe.trigger(%s, ARRAY[%s])", (self.name, operation)) for operation in OPERATIONS}
        self.t.ok(all(self.ids.values()), f"{self.what}: both operations are queued", self.ids)

    def check(self) -> None:
        rows = {row["operation"]: row for row in self.pg.sql("SELECT * FROM floe.operations WHERE table_name = %s", (self.name,))}
        self.t.ok(all(row["state"] == "succeeded" and row["engine"] == self.engine and row["attempt"] == 1 for row in rows.values()) and len(rows) == 2, f"{self.what}: both succeeded, once",
                  *({key: row[key] for key in ("operation", "state", "attempt", "error_class", "error")} for row in rows.values()))
        table: Any = LabCatalog(self.lab_name).catalog.load_table((NS, self.table))
        self.t.equal(judge(self.lab_name, self.levels)["metrics"]["data_file_count"], 1, f"{self.what}: one file is left")
        self.t.ok(any(one.snapshot_id == table.current_snapshot().snapshot_id for one in table.metadata.statistics), f"{self.what}: the current snapshot has statistics", table.metadata.statistics)
        self.t.equal(checksum(self.lab_name, self.levels), self.content, f"{self.what}: the same rows")
        self.t.ok(not self.tag or "kept" in table.metadata.refs, f"{self.what}: the tag is there", table.metadata.refs)
        self.t.equal(reachable(self.lab_name, self.levels)["missing"], [], f"{self.what}: no file of any snapshot is missing")


def main() -> None:
    chosen = sys.argv[1:]
    # the metastore asks its database as soon as it starts
    lab("start", COMPONENTS[0])
    lab("start", *COMPONENTS[1:])
    try:
        with Tap() as t, Lakehouse() as pg:
            for lab_name in CATALOGS:
                pg.add_catalog(lab_name)
            for name, kind, url in ENGINES:
                pg.add_server(name, "floe_engine", kind, {"url": os.environ[url]}, {})
            pairs = [Pair(t, pg, name, lab_name) for name, _, _ in ENGINES for lab_name in CATALOGS if not chosen or name in chosen or lab_name in chosen]
            for pair in pairs:
                pair.make()
            pg.assess("**")
            for pair in pairs:
                pair.trigger()
            notices = pg.maintain(f"*.{NS}.*", wait=True)
            t.ok(pg.value("SELECT count(*) = 0 FROM floe.operations WHERE finished_at IS NULL"), "all of it has ended", notices)
            for pair in pairs:
                pair.check()
    finally:
        lab("stop", *reversed(COMPONENTS))


main()
