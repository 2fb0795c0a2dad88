"""The table is dropped, renamed, or given another schema or partition spec while an operation on it is queued, and while Spark works on it.

Each ends in one true row: what the change made impossible says so, the rest is done once, and the rows are those that were written.
"""
from __future__ import annotations

import json
import time
from typing import Any, Callable

import pyarrow as pa
from harness import Tap, checksum, reachable
from lakehouse import Lakehouse
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType

from catalogs import LabCatalog

NS = f"changes_{int(time.time())}"
PARTITIONS = 72  # rewritten one by one: all five are still running when the last of them is changed
SCHEMA = Schema(NestedField(1, "p", LongType()), NestedField(2, "note", StringType()), NestedField(3, "extra", LongType()))
SPEC = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "p"))
# One group for each partition, one at a time: a good many seconds.
REWRITE = {"options": {"rewrite_all": True, "max_concurrent_file_group_rewrites": 1}}


def alter(change: Callable[[Any], Any]) -> Callable[[Any, str], None]:
    def act(catalog: Any, name: str) -> None:
        with catalog.load_table((NS, name)).transaction() as transaction:
            change(transaction)
    return act


def drop(catalog: Any, name: str) -> None:
    catalog.drop_table((NS, name))


def rename(catalog: Any, name: str) -> None:
    catalog.rename_table((NS, name), (NS, name + "_renamed"))


def add_column(transaction: Any) -> None:
    with transaction.update_schema() as schema:
        schema.add_column("added", LongType())


def drop_column(transaction: Any) -> None:
    with transaction.update_schema() as schema:
        schema.delete_column("extra")


def add_field(transaction: Any) -> None:
    with transaction.update_spec() as spec:
        spec.add_field("note", BucketTransform(4), "note_bucket")


# Name, what is done, what the operation becomes of it while it is queued, and while it runs; and more options of the queued one.
CHANGES: list[tuple[str, Callable[[Any, str], None], str, str, dict[str, Any]]] = [
    ("dropped", drop, "cancelled", "failed", {}),
    ("renamed", rename, "cancelled", "failed", {}),
    ("column_added", alter(add_column), "succeeded", "succeeded", {}),
    ("column_dropped", alter(drop_column), "cancelled", "succeeded", {"where": "extra >= 0"}),
    ("field_added", alter(add_field), "succeeded", "succeeded", {}),
]


class Case:
    def __init__(self, pg: Lakehouse, catalog: Any, change: tuple[Any, ...], when: str):
        self.pg, self.catalog = pg, catalog
        self.change, self.act, queued, running, more = change
        self.wanted, self.when, self.table = queued if when == "queued" else running, when, f"{self.change}_{when}"
        self.name, self.what = f"rest.{NS}.{self.table}", f"{self.change} while {when}"
        rows = pa.table({"p": pa.array(range(PARTITIONS), pa.int64()), "note": pa.array(["n"] * PARTITIONS), "extra": pa.array([1] * PARTITIONS, pa.int64())})
        table = catalog.create_table((NS, self.table), SCHEMA, partition_spec=SPEC)
        table.append(rows)
        table.append(rows)
        policy = {"engine": "spark", "rewrite_data_files": {"options": {**REWRITE["options"], **(more if when == "queued" else {})}}}
        pg.sql("SELECT floe.create_policy(%s, %s, %s)", (self.table, self.name, json.dumps(policy)))

    def trigger(self) -> None:
        self.content = checksum("rest", [NS, self.table])
        self.id = self.pg.value("SELECT operation_id FROM floe.trigger(%s, ARRAY['rewrite_data_files'])", (self.name,))

    def do(self) -> None:
        """A commit of Spark's may come in between."""
        for _ in range(10):
            try:
                return self.act(self.catalog, self.table)
            except CommitFailedException:
                continue
        raise RuntimeError(f"{self.what}: always another commit")

    def check(self, t: Tap) -> None:
        row = self.pg.sql("SELECT * FROM floe.operations WHERE id = %s", (self.id,))[0]
        t.equal(row["state"], self.wanted, f"{self.what}: {self.wanted}") or t.note(row)
        t.ok(row["finished_at"] and (self.wanted == "succeeded" or row["error"]), f"{self.what}: and says why", row["error_class"], row["error"])
        t.equal(self.pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s", (self.name,)), 1, f"{self.what}: there was one operation")
        if self.change == "dropped":
            return
        levels = [NS, self.table + ("_renamed" if self.change == "renamed" else "")]
        table = self.catalog.load_table(tuple(levels))
        rewrites = sum(1 for one in table.metadata.snapshots if one.summary and one.summary.operation.value == "replace")
        t.equal(rewrites, int(self.wanted == "succeeded"), f"{self.what}: rewritten as often as it says")
        t.equal(table.scan().count(), 2 * PARTITIONS, f"{self.what}: the same number of rows")
        if "column" not in self.change:
            t.equal(checksum("rest", levels), self.content, f"{self.what}: the same rows")
        t.equal(reachable("rest", levels)["missing"], [], f"{self.what}: no file is missing")


def main() -> None:
    with Tap() as t, Lakehouse(preload=True, conf={"floe.databases": "postgres", "floe.scheduler": "off"}) as pg:
        catalog = LabCatalog("rest").catalog
        catalog.create_namespace(NS)
        pg.add_catalog("rest")
        pg.add_engine(max_operations="5")
        cases = {when: [Case(pg, catalog, change, when) for change in CHANGES] for when in ("queued", "running")}
        pg.assess("**")
        for case in [*cases["queued"], *cases["running"]]:
            case.trigger()
        pg.sql("SELECT floe.pause(%s)", (f"rest.{NS}.*_queued",))
        pg.sql("ALTER SYSTEM SET floe.scheduler = on")
        pg.sql("SELECT pg_reload_conf()")
        for case in cases["running"]:
            pg.wait_for("SELECT state <> 'queued' AND state <> 'dispatching' FROM floe.operations WHERE id = %s", (case.id,))
            t.equal(pg.value("SELECT state FROM floe.operations WHERE id = %s", (case.id,)), "running", f"{case.what}: Spark has it")
            case.do()
        for case in cases["queued"]:
            t.equal(pg.value("SELECT state FROM floe.operations WHERE id = %s", (case.id,)), "queued", f"{case.what}: it waits")
            case.do()
        pg.sql("SELECT floe.resume(%s)", (f"rest.{NS}.*_queued",))
        pg.wait_for("SELECT count(*) = 0 FROM floe.operations WHERE finished_at IS NULL", timeout=240)
        for case in [*cases["running"], *cases["queued"]]:
            case.check(t)


main()
