#!/usr/bin/env python3
"""Makes Iceberg tables of known shapes in one of the lab's catalogs; prints one JSON line for each table.

    eval "$(test/lab/lab env)"
    $FLOE_PYTHON test/lab/tables.py --catalog rest --shapes many_small,aged,orphans
    $FLOE_PYTHON test/lab/tables.py --catalog seaweedfs --skip-spark

Rows come from --seed alone; so do the numbers of files and rows, and summaries. Snapshot ids, times and paths are new each time.
A table that is there is dropped first. A line has shape, catalog, namespace (levels), table, metadata_location, format_version,
snapshots, seconds; planted lists what remove_orphan_files must take ("old") and leave ("young"); refused says why a catalog would
not have it. The exit code is 1 when a shape failed for another reason.
"""
from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from typing import Any, Callable

import tables_spark
from catalogs import NAMES, LabCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError, RESTError, ValidationError
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.table import Table
from pyiceberg.transforms import BucketTransform, IdentityTransform
from writers import SCHEMA, Rows, commit_deletes, data_files, equality_deletes, position_deletes, snapshots_at

BY_DAY = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=IdentityTransform(), name="day"))
DAY = 86400

# Every kind of trouble a name can bring. A catalog may refuse some of them.
EVIL_TABLES = [
    "UPPER Case", "dot.in.name", 'double"quote', "single'quote", "back`tick", "naïve_☃_表", "star*", "what?", "a+b&c=d#e", "100%41",
    "semi;colon, comma", "x'); DROP TABLE floe.policy;--", "[brackets] {braces}", "-- comment", "select",
]
EVIL_NAMESPACES = ["Upper", "with space", "naïve", 'quo"te\'s', "st*r?"]


class Maker:
    def __init__(self, lab: LabCatalog, args: argparse.Namespace):
        self.lab, self.catalog, self.args = lab, lab.catalog, args
        self.base = tuple(args.namespace.split("."))
        self.now = time.time()

    def namespace(self, levels: tuple[str, ...]) -> None:
        for i in range(1, len(levels) + 1):
            try:
                self.catalog.create_namespace(levels[:i])
            except NamespaceAlreadyExistsError:
                pass

    def create(self, name: str, spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC, levels: tuple[str, ...] = (), version: int = 2,
               properties: dict[str, str] | None = None) -> Table:
        levels = (levels or self.base) + (name,)
        self.namespace(levels[:-1])
        self.drop(levels)
        location = self.lab.location(levels)
        return self.catalog.create_table(levels, SCHEMA, partition_spec=spec, location=location,
                                         properties={"format-version": str(version), **(properties or {})})

    def drop(self, levels: tuple[str, ...]) -> None:
        try:
            self.catalog.drop_table(levels)
        except NoSuchTableError:
            pass

    def rows(self, name: str) -> Rows:
        return Rows(f"{self.args.seed}/{name}")

    def appended(self, name: str, appends: int, rows: int, **options: Any) -> Table:
        """A table of that many appends of so many rows."""
        table, source = self.create(name, **options), self.rows(name)
        for _ in range(appends):
            table.append(source.take(rows))
        return table

    # Shapes. Each returns a table, (table, more for the line), or a list of these.

    def empty(self) -> Table:
        return self.create("empty")

    def few_large(self) -> Table:
        table, rows = self.create("few_large"), self.rows("few_large")
        for _ in range(3):
            table.append(rows.take(self.args.large_rows, width=64))
        return table

    def many_small(self) -> Table:
        """20 partitions of 6 small files each."""
        table, rows = self.create("many_small", BY_DAY), self.rows("many_small")
        days = list(range(20))
        for _ in range(6):
            table.append(rows.take(40, days))
        return table

    def skewed(self) -> Table:
        """One partition with most of the files, one data manifest for each append."""
        table, rows = self.create("skewed", BY_DAY, properties={"commit.manifest-merge.enabled": "false"}), self.rows("skewed")
        for i in range(25):
            table.append(rows.take(5, [i % 10 if i % 3 == 0 else 0]))
        return table

    def many_partitions(self) -> Table:
        table, rows = self.create("many_partitions", BY_DAY), self.rows("many_partitions")
        for _ in range(2):
            table.append(rows.take(self.args.partitions, list(range(self.args.partitions))))
        return table

    def many_snapshots(self) -> Table:
        table, rows = self.create("many_snapshots"), self.rows("many_snapshots")
        for start in range(0, self.args.snapshots, 50):
            # One commit, fifty snapshots.
            with table.transaction() as tx:
                for _ in range(min(50, self.args.snapshots - start)):
                    tx.append(rows.take(1))
        return table

    def merged_manifests(self) -> Table:
        """Appends that merge manifests: EXISTING entries with sequence numbers and snapshots of their own."""
        return self.appended("merged_manifests", 12, 3, properties={"commit.manifest-merge.enabled": "true", "commit.manifest.min-count-to-merge": "4"})

    def evolved_spec(self) -> Table:
        table, rows = self.create("evolved_spec", BY_DAY), self.rows("evolved_spec")
        table.append(rows.take(20, [1, 2]))
        with table.update_spec() as update:
            update.remove_field("day")
            update.add_field("id", BucketTransform(4), "id_bucket")
        table.append(rows.take(20, [1, 2]))
        with table.update_spec() as update:
            update.remove_field("id_bucket")
        table.append(rows.take(20, [1, 2]))
        return table

    def evolved_schema(self) -> Table:
        """Columns renamed and dropped under live files."""
        table = self.appended("evolved_schema", 2, 10)
        with table.update_schema() as update:
            update.rename_column("note", "remark")
            update.delete_column("amount")
        return table

    def format_v1(self) -> Table:
        return self.appended("format_v1", 3, 10, version=1)

    def v1_evolved(self) -> Table:
        """In v1 a removed partition field stays in the spec as void."""
        table, rows = self.create("v1_evolved", BY_DAY, version=1), self.rows("v1_evolved")
        table.append(rows.take(20, [1, 2]))
        with table.update_spec() as update:
            update.remove_field("day")
        table.append(rows.take(20, [1, 2]))
        return table

    def v1_upgraded(self) -> Table:
        table = self.appended("v1_upgraded", 2, 10, version=1)
        with table.transaction() as tx:
            tx.upgrade_table_version(2)
        table.append(self.rows("v1_upgraded").take(10))
        return table

    def branch_tag(self) -> Table:
        table, rows = self.create("branch_tag"), self.rows("branch_tag")
        for _ in range(3):
            table.append(rows.take(5))
        first, last = table.history()[0].snapshot_id, table.current_snapshot().snapshot_id
        with table.manage_snapshots() as refs:
            refs.create_tag(first, "first", max_ref_age_ms=365 * DAY * 1000)
            refs.create_branch(last, "audit")
            # Not the branch that is appended to: pyiceberg's commit drops a branch's retention.
            refs.create_branch(last, "kept", max_ref_age_ms=30 * DAY * 1000, max_snapshot_age_ms=DAY * 1000, min_snapshots_to_keep=2)
        table.append(rows.take(5), branch="audit")
        return table

    def aged(self) -> Table:
        """Twelve days of history, one snapshot a day, the newest three days old; refs of every kind of retention."""
        levels = self.base + ("aged",)
        table, rows = self.create("aged", properties={"history.expire.max-snapshot-age-ms": str(5 * DAY * 1000),
                                                      "history.expire.min-snapshots-to-keep": "2"}), self.rows("aged")
        self.lab.allow_past(levels, int((self.now - 20 * DAY) * 1000))
        table = self.catalog.load_table(levels)
        for days_ago in range(14, 2, -1):
            with snapshots_at(self.now - days_ago * DAY):
                table.append(rows.take(5))
        ids = [entry.snapshot_id for entry in table.history()]
        with snapshots_at(self.now - 2 * DAY):
            with table.manage_snapshots() as refs:
                refs.create_tag(ids[0], "dropped", max_ref_age_ms=10 * DAY * 1000)
                refs.create_tag(ids[1], "young-enough", max_ref_age_ms=14 * DAY * 1000)
                refs.create_tag(ids[2], "for-ever")
                refs.create_branch(ids[6], "short", max_snapshot_age_ms=DAY * 1000, min_snapshots_to_keep=3)
                refs.create_branch(ids[4], "gone", max_ref_age_ms=3 * DAY * 1000)
        return table

    def abandoned(self) -> Table:
        """A snapshot that no ref reaches any more: rolled back."""
        table = self.appended("abandoned", 4, 5)
        with table.manage_snapshots() as refs:
            refs.rollback_to_snapshot(table.history()[1].snapshot_id)
        return table

    def position_deletes(self) -> Table:
        """Delete files of each granularity: one for each data file with and without bounds, one for two data files."""
        table, rows = self.create("position_deletes", BY_DAY), self.rows("position_deletes")
        for _ in range(2):
            table.append(rows.take(100, [1, 2]))
        files = data_files(table)
        commit_deletes(table, [position_deletes(table, files[:1], 5, "a", bounds=True), position_deletes(table, files[2:3], 7, "b")])
        commit_deletes(table, [position_deletes(table, files[:2], 10, "c")])
        return table

    def equality_deletes(self) -> Table:
        """Equality deletes in one partition and, from the time before the table was partitioned, one that applies to all."""
        table, rows = self.create("equality_deletes"), self.rows("equality_deletes")
        table.append(rows.take(20, [1, 2]))
        commit_deletes(table, [equality_deletes(table, data_files(table)[0], [3, 4], "global")])
        with table.update_spec() as update:
            update.add_identity("day")
        table.append(rows.take(40, [1, 2]))
        partitioned = [file for file in data_files(table) if file.spec_id != 0]
        commit_deletes(table, [equality_deletes(table, partitioned[0], [20, 22], "day")])
        table.append(rows.take(10, [2]))
        return table

    def dangling_deletes(self) -> Table:
        """Three delete files that apply to nothing any more (by path, by partition, equality deletes older than all data) and two live ones."""
        table, rows = self.create("dangling_deletes", BY_DAY), self.rows("dangling_deletes")
        for _ in range(2):
            table.append(rows.take(20, [1, 2]))
        files = data_files(table)
        commit_deletes(table, [position_deletes(table, files[:1], 2, "path", bounds=True), position_deletes(table, files[:2], 2, "partition"),
                               equality_deletes(table, files[0], [0, 2], "old"), equality_deletes(table, files[2], [1, 3], "live-equality"),
                               position_deletes(table, files[3:4], 2, "live-path", bounds=True)])
        # Dropped as whole partitions and files, as pyiceberg cannot read equality deletes.
        table.delete("day == 1")
        table.append(rows.take(20, [1]))
        return table

    def nested(self) -> Table:
        return self.appended("leaf", 2, 10, levels=(*self.base, "inner", "deep"))

    def gc_disabled(self) -> Table:
        return self.appended("gc_disabled", 2, 10, properties={"gc.enabled": "false"})

    def rewritten(self) -> Table:
        """A copy-on-write delete: one file dropped, one rewritten, one left; a manifest with DELETED entries."""
        table = self.appended("rewritten", 3, 20)
        table.delete("id < 30")
        return table

    def emptied(self) -> Table:
        """Rows were deleted, all of them: manifests without a live entry."""
        table = self.appended("emptied", 2, 10)
        table.delete("id >= 0")
        return table

    def gzip_metadata(self) -> Table:
        return self.appended("gzip_metadata", 3, 10, properties={"write.metadata.compression-codec": "gzip"})

    def snappy_manifests(self) -> Table:
        return self.appended("snappy_manifests", 3, 10, properties={"write.avro.compression-codec": "snappy"})

    def plain_manifests(self) -> Table:
        return self.appended("plain_manifests", 3, 10, properties={"write.avro.compression-codec": "null"})

    def limited_stats(self) -> Table:
        """Statistics of one column only, and in half of the files of none."""
        table = self.appended("limited_stats", 2, 10, properties={"write.metadata.metrics.default": "none", "write.metadata.metrics.column.id": "counts"})
        with table.transaction() as tx:
            tx.set_properties({"write.metadata.metrics.column.id": "none"})
        table.append(self.rows("limited_stats").take(10))
        return table

    def orphans(self) -> tuple[Table, dict[str, Any]]:
        """Files no snapshot knows: copies of a data file and of a metadata file, ten days old, and one that is too young to take."""
        table = self.appended("orphans", 4, 20, levels=self.base)
        location = table.location()
        data = table.io.new_input(data_files(table)[0].file_path).open().read()
        metadata = table.io.new_input(table.metadata_location).open().read()
        plant = self.lab.plant
        return table, {"planted": {
            "old": [plant(f"{location}/data/orphan-{i}.parquet", data, 10 * DAY) for i in range(3)]
            + [plant(f"{location}/metadata/00099-orphan.metadata.json", metadata, 10 * DAY)],
            "young": [plant(f"{location}/data/young.parquet", data, 60)],
        }}

    def evil_names(self) -> list[Any]:
        made: list[Any] = []
        names = [((self.base[0], "evil"), name) for name in EVIL_TABLES] + [((name,), "events") for name in EVIL_NAMESPACES]
        for levels, name in names:
            try:
                made.append(self.appended(name, 1, 3, levels=levels))
            except (RESTError, ValidationError, OSError) as error:
                made.append({"namespace": list(levels), "table": name, "refused": f"{type(error).__name__}: {error}"[:300]})
        return made


SHAPES = [name for name, value in vars(Maker).items()
          if callable(value) and not name.startswith("_") and name not in ("namespace", "create", "drop", "rows", "appended")]


def line(shape: str, lab: LabCatalog, table: Table, more: dict[str, Any]) -> dict[str, Any]:
    table = lab.catalog.load_table(table.name())
    return {"shape": shape, "catalog": lab.name, "namespace": list(table.name()[:-1]), "table": table.name()[-1],
            "metadata_location": table.metadata_location, "format_version": table.metadata.format_version,
            "snapshots": len(table.metadata.snapshots), **more}


def make(shape: str, lab: LabCatalog, function: Callable[[], Any]) -> bool:
    started = time.monotonic()
    try:
        result = function()
    except Exception as error:
        # SeaweedFS lets only files of known names into a table bucket: no Puffin files, no unusual partition values.
        if lab.name == "seaweedfs" and "Status Code: 403" in str(error):
            print(json.dumps({"shape": shape, "catalog": lab.name, "refused": str(error)[:300]}), flush=True)
            return True
        traceback.print_exc()
        print(json.dumps({"shape": shape, "catalog": lab.name, "error": f"{type(error).__name__}: {error}"[:500]}), flush=True)
        return False
    for one in result if isinstance(result, list) else [result]:
        seconds = {"seconds": round(time.monotonic() - started, 1)}
        if isinstance(one, dict):
            print(json.dumps({"shape": shape, "catalog": lab.name, **one, **seconds}), flush=True)
        else:
            table, more = one if isinstance(one, tuple) else (one, {})
            print(json.dumps(line(shape, lab, table, {**more, **seconds})), flush=True)
    return True


def main() -> int:
    every = SHAPES + list(tables_spark.SHAPES)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", choices=NAMES, required=True)
    parser.add_argument("--namespace", default="floe_lab")
    parser.add_argument("--shapes", default="all", help="all, or some of: " + ",".join(every))
    parser.add_argument("--skip", default="", help="shapes to leave out of all")
    parser.add_argument("--skip-spark", action="store_true", help="leave out the shapes that Spark writes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--large-rows", type=int, default=50000)
    parser.add_argument("--partitions", type=int, default=150)
    parser.add_argument("--snapshots", type=int, default=300)
    args = parser.parse_args()

    shapes = every if args.shapes == "all" else args.shapes.split(",")
    skip = set(filter(None, args.skip.split(","))) | (set(tables_spark.SHAPES) if args.skip_spark else set())
    if unknown := (set(shapes) | skip) - set(every):
        parser.error("unknown shapes: " + ", ".join(sorted(unknown)))
    lab = LabCatalog(args.catalog)
    maker = Maker(lab, args)
    spark = None
    failed = False
    for shape in [shape for shape in shapes if shape not in skip]:
        if shape in tables_spark.SHAPES:
            spark = spark or tables_spark.SparkMaker(maker)
            function = getattr(spark, shape)
        else:
            function = getattr(maker, shape)
        failed |= not make(shape, lab, function)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
