"""The shapes that Spark writes: merge-on-read deletes, deletion vectors, all partition transforms, zstd manifests, replaced snapshots, statistics."""
from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.exceptions import NamespaceAlreadyExistsError
from pyiceberg.table import Table
from sparksql import quote

if TYPE_CHECKING:
    from tables import Maker


class SparkMaker:
    def __init__(self, maker: Maker):
        self.maker = maker
        self.session = maker.lab.spark()

    def sql(self, statement: str) -> list[dict]:
        return self.session.sql(statement)

    def create(self, name: str, columns: str = "id bigint, day int, note string", partitioned: str = "",
               properties: dict[str, str] | None = None) -> str:
        """Makes the table and returns its name in Spark."""
        levels = self.maker.base + (name,)
        try:
            self.maker.namespace(self.maker.base)
        except NamespaceAlreadyExistsError:
            pass
        self.maker.drop(levels)
        table = quote("lab", *levels)
        location = self.maker.lab.location(levels)
        options = ", ".join(f"'{key}'='{value}'" for key, value in (properties or {}).items())
        self.sql(f"CREATE TABLE {table} ({columns}) USING iceberg" + (f" PARTITIONED BY ({partitioned})" if partitioned else "")
                 + (f" LOCATION '{location}'" if location else "") + (f" TBLPROPERTIES ({options})" if options else ""))
        return table

    def fill(self, table: str, start: int, end: int, days: int = 2) -> None:
        self.sql(f"INSERT INTO {table} SELECT id, CAST(id % {days} AS int), concat('note-', id) FROM range({start}, {end})")

    def procedure(self, name: str, table: str, *more: str) -> None:
        target = ".".join(quote(part) for part in self.maker.base + (table,)).replace("'", "\\'")
        self.sql(f"CALL lab.system.{name}(table => '{target}'" + "".join(", " + arg for arg in more) + ")")

    def load(self, name: str) -> Table:
        return self.maker.catalog.load_table(self.maker.base + (name,))

    def merge_on_read(self) -> Table:
        """v2, position deletes by Spark at both granularities."""
        table = self.create("merge_on_read", partitioned="day", properties={"format-version": "2", "write.delete.mode": "merge-on-read"})
        self.fill(table, 0, 100)
        self.fill(table, 100, 200)
        self.sql(f"DELETE FROM {table} WHERE id % 10 = 3")
        self.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('write.delete.granularity'='partition')")
        self.sql(f"DELETE FROM {table} WHERE id % 10 = 4")
        return self.load("merge_on_read")

    def deletion_vectors(self) -> Table:
        """v3: deletion vectors, one of them replaced by a later one."""
        table = self.create("deletion_vectors", partitioned="day", properties={"format-version": "3", "write.delete.mode": "merge-on-read"})
        self.fill(table, 0, 100)
        self.fill(table, 100, 200)
        self.sql(f"DELETE FROM {table} WHERE id % 10 = 3")
        self.sql(f"DELETE FROM {table} WHERE id = 5")
        return self.load("deletion_vectors")

    def format_v3(self) -> Table:
        """v3 without deletes, with row lineage and a default value."""
        table = self.create("format_v3", properties={"format-version": "3"})
        for i in range(3):
            self.fill(table, i * 10, i * 10 + 10)
        return self.load("format_v3")

    def v2_to_v3(self) -> Table:
        """Position delete files from before the upgrade beside deletion vectors."""
        table = self.create("v2_to_v3", properties={"format-version": "2", "write.delete.mode": "merge-on-read"})
        self.fill(table, 0, 50)
        self.fill(table, 50, 100)
        self.sql(f"DELETE FROM {table} WHERE id = 7")
        self.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('format-version'='3')")
        self.sql(f"DELETE FROM {table} WHERE id = 77")
        return self.load("v2_to_v3")

    def dangling_spark(self) -> Table:
        """Rewritten data files whose delete files stay behind, as Spark leaves them."""
        table = self.create("dangling_spark", partitioned="day", properties={
            "format-version": "2", "write.delete.mode": "merge-on-read", "write.delete.granularity": "partition"})
        self.fill(table, 0, 100)
        self.fill(table, 100, 200)
        self.sql(f"DELETE FROM {table} WHERE id % 10 = 3")
        self.procedure("rewrite_data_files", "dangling_spark", "options => map('rewrite-all', 'true', 'use-starting-sequence-number', 'false')")
        return self.load("dangling_spark")

    def replaced(self) -> Table:
        """Snapshots of operation replace between writes: compaction and rewritten manifests."""
        table = self.create("replaced", partitioned="day")
        for i in range(6):
            self.fill(table, i * 10, i * 10 + 10)
        self.procedure("rewrite_data_files", "replaced", "options => map('rewrite-all', 'true')")
        self.fill(table, 60, 70)
        self.procedure("rewrite_manifests", "replaced")
        return self.load("replaced")

    def zstd_manifests(self) -> Table:
        table = self.create("zstd_manifests", properties={"write.manifest.compression-codec": "zstd"})
        for i in range(3):
            self.fill(table, i * 10, i * 10 + 10)
        return self.load("zstd_manifests")

    def transforms(self) -> Table:
        """Every partition transform, each with a null, dates before 1970 and values that need quoting."""
        table = self.create("transforms", columns=(
            "id bigint, s string, i int, d date, n decimal(9,2), b boolean, l bigint, t string, k bigint, f double, "
            "y date, m timestamp, dd timestamp_ntz, h timestamp"), partitioned=(
            "s, i, d, n, b, f, bucket(8, l), truncate(t, 3), truncate(k, 10), years(y), months(m), days(dd), hours(h)"))
        values = [
            "1, 'a', 1, DATE '2026-01-31', 1.50, true, 10, 'abcdef', 15, 1.5, DATE '2026-01-31', TIMESTAMP '2026-01-31 08:15:00', "
            "TIMESTAMP_NTZ '2026-01-31 08:15:00', TIMESTAMP '2026-01-31 08:15:00'",
            "2, 'it\\'s \"q\" / %=ü', -5, DATE '1969-12-30', -0.25, false, -10, 'ü☃x-long', -15, double('-0.0'), DATE '1968-02-29', TIMESTAMP '1969-11-30 23:59:59', "
            "TIMESTAMP_NTZ '1969-12-31 00:00:01', TIMESTAMP '1969-12-31 22:59:59'",
            "3, CAST(NULL AS string), CAST(NULL AS int), CAST(NULL AS date), CAST(NULL AS decimal(9,2)), CAST(NULL AS boolean), CAST(NULL AS bigint), "
            "CAST(NULL AS string), CAST(NULL AS bigint), CAST(NULL AS double), CAST(NULL AS date), CAST(NULL AS timestamp), "
            "CAST(NULL AS timestamp_ntz), CAST(NULL AS timestamp)",
            "4, '', 0, DATE '1970-01-01', 1234567.89, true, 0, '', 0, double('NaN'), DATE '1970-01-01', TIMESTAMP '1970-01-01 00:00:00', "
            "TIMESTAMP_NTZ '1970-01-01 00:00:00', TIMESTAMP '1970-01-01 00:00:00'",
        ]
        for row in values:
            self.sql(f"INSERT INTO {table} VALUES ({row})")
        return self.load("transforms")

    def file_formats(self) -> Table:
        """Parquet, ORC and Avro data files in one table."""
        table = self.create("file_formats")
        for i, kind in enumerate(("parquet", "orc", "avro")):
            self.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('write.format.default'='{kind}')")
            self.fill(table, i * 10, i * 10 + 10)
        return self.load("file_formats")

    def nested_columns(self) -> Table:
        """Structs, lists and maps: statistics of columns that are not at the top."""
        table = self.create("nested_columns", columns="id bigint, s struct<a: int, b: array<string>>, m map<string, int>")
        self.sql(f"INSERT INTO {table} SELECT id, named_struct('a', int(id), 'b', array('x', 'y')), map('k', int(id)) FROM range(20)")
        return self.load("nested_columns")

    def statistics(self) -> Table:
        """Statistics files of a table and of its partitions."""
        table = self.create("statistics", partitioned="day")
        self.fill(table, 0, 100)
        self.procedure("compute_table_stats", "statistics")
        self.procedure("compute_partition_stats", "statistics")
        return self.load("statistics")


SHAPES = [name for name, value in vars(SparkMaker).items()
          if callable(value) and not name.startswith("_") and name not in ("sql", "create", "fill", "procedure", "load")]
