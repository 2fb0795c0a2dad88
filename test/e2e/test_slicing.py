"""Large first runs in slices, on real Spark: each a part of the partitions that fits a budget, committed by itself, and the next follows at once.

A table of 24 partitions in several slices; then every transform and type of partition whose predicate Spark must understand, with nulls and evil values,
one partition to a slice, so that a predicate which is not exactly one partition shows: in the number of files that Spark rewrote, and in what is left.
"""
import json
import time
from typing import Any

from harness import Tap, checksum, judge, reachable
from lakehouse import Lakehouse

from catalogs import LabCatalog

NS = f"slices_{int(time.time())}"
FILES = 2  # in each partition
POLICY = {
    "engine": "spark", "thresholds": {"excess_file_count": {"warning": 1, "critical": 100000}},
    "rewrite_data_files": {"min_interval": "1 day", "quiet_period": "0", "options": {"min_input_files": 2}},
}

# name: (type, transform, values: a partition each)
SHAPES: dict[str, tuple[str, str, list[str]]] = {
    "texts": ("string", "c", ["'a'", '"it\'s"', "'q\"q'", "'%'", "'; -- x'", "''", "'null'", "'ä☃'", "NULL"]),
    "numbers": ("decimal(9,2)", "c", ["1.50BD", "-10.25BD", "NULL"]),
    "doubles": ("double", "c", ["1.5D", "double('NaN')", "double('-Infinity')"]),
    "halves": ("double", "c", ["1.5D", "-2.5D", "NULL"]),
    "flags": ("boolean", "c", ["true", "false", "NULL"]),
    "blobs": ("binary", "c", ["X'00ff'", "X'27'", "NULL"]),
    "moments": ("timestamp", "c", ["TIMESTAMP '2026-01-01 01:02:03.123456 UTC'", "TIMESTAMP '2026-01-01 01:02:04 UTC'"]),
    "days": ("timestamp", "days(c)", ["TIMESTAMP '2026-01-01 00:00:00 UTC'", "TIMESTAMP '2026-01-02 23:59:59.999999 UTC'", "TIMESTAMP '1969-12-31 12:00:00 UTC'", "NULL"]),
    "local_days": ("timestamp_ntz", "days(c)", ["TIMESTAMP_NTZ '2026-01-01 00:00:00'", "TIMESTAMP_NTZ '2026-01-02 00:00:00'"]),
    "months": ("date", "months(c)", ["DATE '2025-12-31'", "DATE '2026-01-01'", "DATE '2026-02-28'"]),
    "hours": ("timestamp", "hours(c)", ["TIMESTAMP '2026-01-01 23:30:00 UTC'", "TIMESTAMP '2026-01-02 00:00:00 UTC'"]),
    "truncated": ("string", "truncate(2, c)", ["'abc'", "'acx'", "'a'", "'%_z'", '"a\'q"']),
    "tens": ("int", "truncate(10, c)", ["5", "15", "-5", "2147483647"]),
    "both": ("string", "c, bucket(2, id)", ["'a'", "'b'"]),
    "buckets": ("int", "bucket(4, c)", ["1", "2", "3", "5"]),
    "plain": ("int", "", ["1"]),
}
# Some of their partitions cannot be said in the language of "where": NaN, infinity, bytes.
UNSPOKEN = ("doubles", "blobs")


def make(spark: Any, name: str, kind: str, transform: str, values: list[str], files: int = FILES) -> None:
    """So many files in each partition, in as many commits."""
    spark.sql(f"CREATE TABLE lab.{NS}.{name} (id bigint, c {kind}) USING iceberg" + (f" PARTITIONED BY ({transform})" if transform else ""))
    rows = [", ".join(f"({file * 100 + i}, {value})" for i, value in enumerate(values)) for file in range(files)]
    for one in rows:
        spark.sql(f"INSERT INTO lab.{NS}.{name} VALUES {one}")


class Sliced:
    """One table, followed until nothing is left to do. Numbers of before and after are Spark's own."""

    def __init__(self, t: Tap, pg: Lakehouse, spark: Any, name: str):
        self.t, self.pg, self.spark, self.table, self.name = t, pg, spark, f"lab.{NS}.{name}", f"rest.{NS}.{name}"
        self.rows, self.before = self.content(), self.files()

    def content(self) -> list[dict[str, Any]]:
        return self.spark.sql(f"SELECT c, count(*) AS n, sum(id) AS ids FROM {self.table} GROUP BY c ORDER BY c")

    def files(self) -> dict[str, Any]:
        return self.spark.sql(f"SELECT count(*) AS partitions, sum(file_count) AS files, sum(total_data_file_size_in_bytes) AS bytes FROM {self.table}.partitions")[0]

    def operations(self) -> list[dict[str, Any]]:
        return self.pg.sql("SELECT * FROM floe.operations WHERE table_name = %s ORDER BY id", (self.name,))

    def same(self) -> None:
        after, partitions = self.files(), self.before["partitions"]
        # as texts: NaN is not NaN
        self.t.equal((str(self.content()), after["files"], after["partitions"]), (str(self.rows), partitions, partitions), f"{self.name}: the same rows, in one file for each partition")


def first_run(t: Tap, pg: Lakehouse, spark: Any) -> None:
    """24 partitions, a budget of about six; the judge's numbers, too."""
    levels = [NS, "large"]
    case, content = Sliced(t, pg, spark, "large"), checksum("rest", levels)
    size = int(case.before["bytes"] / 24 * 6.5)
    pg.sql("SELECT floe.create_policy('large', %s, %s)", (case.name, json.dumps({"rewrite_data_files": {"slice_bytes": size}})))
    shown = pg.sql("SELECT value FROM floe.why(%s, true) WHERE operation = 'rewrite_data_files' AND gate = 'slice'", (case.name,))
    t.ok(shown and shown[0]["value"].startswith("6 of 24 partitions, "), f"{case.name}: floe.why() shows the slice", shown)
    pg.maintain(case.name, wait=True)
    rows = case.operations()
    t.equal([row["state"] for row in rows], ["succeeded"] * 4, f"{case.name}: four operations, each succeeded") or t.note(rows)
    t.equal([(row["slice"]["partitions"], row["slice"]["of_partitions"]) for row in rows[:-1]], [(6, 24), (6, 18), (6, 12)], f"{case.name}: which part each was")
    t.ok(rows[-1]["slice"] is None and "where" not in rows[-1]["statement"], f"{case.name}: the last is the rest", rows[-1]["statement"])
    t.ok(all(row["slice"]["bytes"] <= size for row in rows[:-1]), f"{case.name}: none of them beyond {size} bytes", [row["slice"] for row in rows])
    t.equal([row["effect"]["data_file_count"] for row in rows], [6 - 6 * FILES] * 4, f"{case.name}: each with an effect of its own")
    t.ok(all([one["operation"] for one in row["new_snapshots"]] == ["replace"] for row in rows), f"{case.name}: each committed by itself")
    t.ok(all((later["queued_at"] - earlier["finished_at"]).total_seconds() < 3600 for earlier, later in zip(rows, rows[1:])),
         f"{case.name}: none waited for the day that min_interval asks for")
    after = judge("rest", levels)["metrics"]
    t.equal((after["excess_file_count"], after["data_file_count"]), (0, 24), f"{case.name}: every partition is one file, says the judge")
    t.equal(checksum("rest", levels), content, f"{case.name}: the same rows")
    t.equal(reachable("rest", levels)["missing"], [], f"{case.name}: no file of any snapshot is missing")


def shape(t: Tap, case: Sliced, name: str) -> None:
    """A slice to a partition; the last needs no predicate any more."""
    rows, (_, transform, values) = case.operations(), SHAPES[name]
    n = len(values)
    t.ok(rows and all(row["state"] == "succeeded" for row in rows), f"{case.name}: all succeeded", *[(row["state"], row["statement"], row["error"]) for row in rows])
    if name in ("buckets", "plain"):
        t.ok(all("max-files-to-rewrite" in row["statement"] for row in rows[:1]) and not any("where =>" in row["statement"] for row in rows), f"{case.name}: by a number of files")
    elif name in UNSPOKEN:
        t.ok("where =>" in rows[0]["statement"] and any("max-files-to-rewrite" in row["statement"] for row in rows), f"{case.name}: what can be said by a predicate, the rest by a number of files",
             [row["statement"] for row in rows])
    else:
        counts = [row["engine_result"][0]["rewritten_data_files_count"] for row in rows]
        each = case.before["files"] // n
        # of "both", whose slices are two buckets each, a bucket may have a single file
        t.ok(counts == [each] * n or name == "both" and len(counts) == n, f"{case.name} ({transform}): each slice is exactly one partition", counts, [row["statement"] for row in rows])
        t.ok(all("where =>" in row["statement"] for row in rows[:-1]), f"{case.name}: by a predicate")
    case.same()


def main() -> None:
    with Tap() as t, Lakehouse() as pg, LabCatalog("rest").spark() as spark:
        spark.sql(f"CREATE NAMESPACE lab.{NS}")
        make(spark, "large", "int", "c", [str(i) for i in range(24)])
        for name, (kind, transform, values) in SHAPES.items():
            make(spark, name, kind, transform, values, 5 if name == "plain" else FILES)
        pg.add_engine(max_operations="4")
        pg.add_catalog("rest")
        pg.sql("SELECT floe.create_policy('all', %s, %s)", (f"rest.{NS}.**", json.dumps(POLICY)))
        pg.sql("SELECT floe.create_policy('tiny', %s, %s)", (f"rest.{NS}.**, !rest.{NS}.large", json.dumps({"priority": 1, "rewrite_data_files": {"slice_bytes": 2000}})))
        pg.assess("rest.**")
        first_run(t, pg, spark)
        # in one pass, with as many at a time as the engine takes
        cases = {name: Sliced(t, pg, spark, name) for name in SHAPES}
        pg.maintain(f"rest.{NS}.**", wait=True)
        for name, case in cases.items():
            shape(t, case, name)


if __name__ == "__main__":
    main()
