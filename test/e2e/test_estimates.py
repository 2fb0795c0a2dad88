"""Estimates against what Spark really did: 34 tables of several sizes and shapes, rewritten one after another.

After twelve runs of learning the tables that follow, each a size or shape of its own, must have been estimated within 30 % in the median: what would
go, what would be read, and how long it would take. The first estimates, of which nothing was known, must have said so. Then expire_snapshots on some:
what only the old snapshots held is known to the byte.
"""
# test/run: alone
import json
import statistics
import time

from harness import Tap, reachable
from lakehouse import Lakehouse

from catalogs import LabCatalog
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from tables import BY_DAY
from writers import SCHEMA, Rows, snapshots_at

NS = f"estimates_{int(time.time())}"
POLICY = {"engine": "spark", "thresholds": {"excess_file_count": {"warning": 1, "critical": 100000}, "expirable_snapshot_count": {"warning": 1, "critical": 100000}},
          "rewrite_data_files": {}, "expire_snapshots": {"options": {"max_snapshot_age": "2 days"}}}
LEARN, WAVE = 12, 6

# (appends, rows of each, partitions); a second triple: appends of other partitions in which bin-packing does nothing
SHAPES = [
    # to learn from; the first two warm the engine up
    [(6, 20, 1)], [(8, 20, 4)], [(5, 20, 1)], [(12, 2000, 1)], [(6, 2000, 3)], [(7, 400, 8)], [(25, 50, 1)], [(5, 8000, 2)], [(6, 100, 14)], [(16, 500, 2)], [(9, 20000, 1)], [(5, 1000, 5)],
    # to be estimated
    [(7, 30, 1)], [(14, 1500, 1)], [(5, 300, 6)], [(10, 60, 2)], [(5, 15000, 1)], [(20, 100, 1)],
    [(6, 200, 10)], [(9, 900, 3)], [(30, 20, 1)], [(5, 5000, 4)], [(8, 8000, 1)], [(6, 50, 16)],
    [(7, 100, 5), (4, 100, 10)], [(5, 2000, 3), (3, 2000, 8)], [(11, 300, 1)], [(5, 100, 12)], [(13, 700, 2)], [(6, 12000, 2)],
    [(18, 40, 1)], [(5, 50, 9)], [(6, 3000, 6)], [(10, 10, 1)],
]


def make(catalog, name, parts):
    """The appends are ten days old; a table of one partition has no partition field."""
    table = catalog.create_table((NS, name), SCHEMA, partition_spec=UNPARTITIONED_PARTITION_SPEC if sum(part[2] for part in parts) == 1 else BY_DAY)
    source, first = Rows(name), 0
    with snapshots_at(time.time() - 10 * 86400):
        for appends, rows, partitions in parts:
            with table.transaction() as tx:
                for _ in range(appends):
                    tx.append(source.take(max(rows, partitions), list(range(first, first + partitions))))
            first += partitions


def warm_up(spark):
    """A server that has run for a day is not slower at its first rewrite than at its thirtieth; a JVM that has just begun is, by several times."""
    spark.sql(f"CREATE NAMESPACE lab.{NS}_warm")
    spark.sql(f"CREATE TABLE lab.{NS}_warm.t USING iceberg AS SELECT id, CAST(id AS string) AS note FROM range(1000)")
    for _ in range(15):
        spark.sql(f"CALL lab.system.rewrite_data_files(table => '{NS}_warm.t', options => map('rewrite-all', 'true'))")


def run(t, pg, names, operation):
    """All of them queued together, each by the estimate of this moment; rows of floe.operations by table."""
    for name in names:
        queued = pg.value("SELECT verdict FROM floe.trigger(%s, %s) ", (f"rest.{NS}.{name}", [operation]))
        if queued != "queued":
            raise RuntimeError(f"{name}: {operation} is {queued}")
    pg.maintain(f"rest.{NS}.**", wait=True)
    rows = pg.sql("SELECT * FROM floe.operations WHERE table_name = ANY (%s) AND operation = %s ORDER BY started_at", ([f"rest.{NS}.{name}" for name in names], operation))
    t.ok(len(rows) == len(names) and all(row["state"] == "succeeded" for row in rows), f"{operation} of {len(names)} tables succeeded", *[(row["table_name"], row["state"], row["error"]) for row in rows if row["state"] != "succeeded"])
    return rows


def error(row, quantity):
    return abs(row["estimate"][quantity] - row["measured"][quantity]) / row["measured"][quantity]


def tell(t, told, rows, quantities):
    for quantity in quantities:
        errors = sorted(error(row, quantity) for row in rows)
        t.note(f"{told}: {quantity}: median error {statistics.median(errors):.1%}, three quarters below {errors[len(errors) * 3 // 4]:.1%}, worst {errors[-1]:.1%} ({len(errors)} runs)")


def main():
    with Tap() as t, Lakehouse() as pg, LabCatalog("rest").spark() as spark:
        warm_up(spark)
        catalog = LabCatalog("rest").catalog
        catalog.create_namespace((NS,))
        names = [f"t{i:02}" for i in range(len(SHAPES))]
        begun = time.monotonic()
        for name, parts in zip(names, SHAPES):
            make(catalog, name, parts)
        t.note(f"{len(names)} tables made in {time.monotonic() - begun:.0f} s")
        pg.add_engine(max_operations="1")
        pg.add_catalog("rest")
        pg.sql("SELECT floe.create_policy('all', %s, %s)", (f"rest.{NS}.**", json.dumps(POLICY)))
        # only what is triggered runs
        pg.sql("SELECT floe.pause('rest.**')")
        pg.maintain(f"rest.{NS}.**")
        t.equal(pg.value("SELECT count(*) FROM floe.tables WHERE status = 'ok' AND name LIKE %s", (f"rest.{NS}.%",)), len(names), "all tables assessed")
        pg.sql("SELECT floe.resume('rest.**'); SELECT floe.alter_policy('all', '{\"rewrite_data_files\": {\"schedule\": \"0 0 1 1 *\"}, \"expire_snapshots\": {\"schedule\": \"0 0 1 1 *\"}}')")

        known_nothing = run(t, pg, names[:LEARN], "rewrite_data_files")
        tell(t, "without history", known_nothing, ("objects", "bytes", "minutes"))
        t.ok(all(row["estimate"]["past_runs"] == 0 and "error" not in row["estimate"] and row["estimate"]["minutes_high"] > 15 * row["estimate"]["minutes_low"] for row in known_nothing),
             "without history estimates are wide, and say so", known_nothing[0]["estimate"])
        rows = []
        for start in range(LEARN, len(names), WAVE):
            rows += run(t, pg, names[start:start + WAVE], "rewrite_data_files")
        t.ok(len(names) >= 30 and len(rows) >= 20, f"{len(names)} tables, {len(rows)} of them after {LEARN} runs")
        tell(t, f"after {LEARN} runs", rows, ("objects", "bytes", "files_after", "minutes"))
        for row in rows:
            t.note(f"  {row['table_name'].split('.')[-1]} " + ", ".join(f"{key} {row['estimate'][key]:g} was {row['measured'][key]:g}" for key in ("objects", "bytes", "files_touched", "minutes")))
        for quantity in ("objects", "bytes", "minutes"):
            median = statistics.median(error(row, quantity) for row in rows)
            t.ok(median < 0.3, f"{quantity}: estimated within 30 % in the median", median)
        inside = sum(row["estimate"]["minutes_low"] <= row["measured"]["minutes"] <= row["estimate"]["minutes_high"] for row in rows)
        t.ok(inside >= len(rows) * 0.7, f"{inside} of {len(rows)} took what was between low and high", *[(row["estimate"], row["measured"]) for row in rows])
        t.ok(all(row["estimate"]["past_runs"] >= LEARN and row["estimate"]["error"] is not None for row in rows), "they say of how many runs they speak, and how far off these were")
        told = pg.sql("SELECT * FROM floe.estimate_errors WHERE engine = 'spark' AND operation = 'rewrite_data_files'")[0]
        t.ok(told["runs"] == len(names) and told["minutes"] < 0.5 and told["objects"] < 0.3 and told["bytes"] < 0.3, "floe.estimate_errors tells it", told)

        # what floe measured is what the table's own metadata says
        odd = []
        for row in known_nothing + rows:
            summary = catalog.load_table((NS, row["table_name"].split(".")[-1])).current_snapshot().summary
            said = {key: int(summary.additional_properties.get(key, 0)) for key in ("deleted-data-files", "added-data-files", "removed-files-size", "added-files-size")}
            if (said["deleted-data-files"] - said["added-data-files"], said["removed-files-size"], said["removed-files-size"] - said["added-files-size"]) != tuple(row["measured"][key] for key in ("objects", "bytes", "bytes_freed")):
                odd.append((row["table_name"], said, row["measured"]))
        t.equal(odd, [], "what was measured is what the table's summaries say")

        some = names[LEARN:LEARN + 5]
        held = {name: len(reachable("rest", [NS, name])["files"]) for name in some}
        for row in run(t, pg, some, "expire_snapshots"):
            name = row["table_name"].split(".")[-1]
            t.ok(error(row, "objects") == 0 and error(row, "bytes_freed") == 0 and row["measured"]["bytes_freed"] > 0, f"{name}: snapshots and bytes of expire_snapshots as estimated", row["estimate"], row["measured"])
            t.ok(len(reachable("rest", [NS, name])["files"]) < held[name], f"{name}: and the files are gone")


if __name__ == "__main__":
    main()
