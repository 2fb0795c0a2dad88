"""Statistics on real Spark: called for by metrics that equal the judge's, proved from the metadata, never sent where they cannot be computed.

A commit of statistics makes no snapshot, so everything here is shown by the files that the metadata names, as pyiceberg reads it.
"""
import json
import time

from harness import Tap, checksum, differences, judge, reachable, statistics_fields
from lakehouse import Lakehouse

from catalogs import LabCatalog

NS = f"stats_{int(time.time())}"
OPERATIONS = ("compute_table_stats", "compute_partition_stats")
POLICY = {
    "engine": "spark", "thresholds": {"table_stats_lag": {"warning": 2, "critical": 100}, "partition_stats_lag": {"warning": 2, "critical": 100}},
    "compute_table_stats": {"min_interval": "0"}, "compute_partition_stats": {"min_interval": "0"},
    "expire_snapshots": {"min_interval": "0", "options": {"max_snapshot_age": "0 days", "retain_last": 1}}, "remove_orphan_files": {"min_interval": "0", "options": {"older_than": "1 day"}},
}


def metadata(table):
    return LabCatalog("rest").catalog.load_table((NS, table)).metadata


def files(table):
    found = metadata(table)
    return ({one.snapshot_id: one.statistics_path for one in found.statistics}, {one.snapshot_id: one.statistics_path for one in found.partition_statistics})


class Bench:
    def __init__(self, t, pg):
        self.t, self.pg = t, pg

    def name(self, table):
        return f"rest.{NS}.{table}"

    def look(self, table, what):
        """Health without acting; it must be the judge's."""
        self.pg.assess(self.name(table))
        found = self.pg.metrics(self.name(table))
        self.t.equal(differences(found, judge("rest", [NS, table])["metrics"]), [], f"{table}, {what}: floe's metrics are the judge's")
        return found["table_stats_lag"], found["partition_stats_lag"]

    def trigger(self, table, *more):
        return {row["operation"]: row for row in self.pg.sql("SELECT * FROM floe.trigger(%s" + ", %s" * len(more) + ")", (self.name(table), *more))}

    def last(self, table, operation):
        return self.pg.sql("SELECT * FROM floe.operations WHERE table_name = %s AND operation = %s ORDER BY id DESC LIMIT 1", (self.name(table), operation))[0]


def make(session):
    session.sql(f"CREATE NAMESPACE IF NOT EXISTS lab.{NS}")
    for table, partitions in (("parted", "PARTITIONED BY (day)"), ("plain", "")):
        session.sql(f"CREATE TABLE lab.{NS}.{table} (id bigint, day date, note string, s struct<a: int>) USING iceberg {partitions}")
        for start in (0, 10):
            append(session, table, start)
    session.sql(f"ALTER TABLE lab.{NS}.plain ADD COLUMN `odd ``one` int")


def append(session, table, start):
    session.sql(f"INSERT INTO lab.{NS}.{table} SELECT id, date_add(DATE '2026-01-01', CAST(id % 3 AS int)), concat('n', id % 4), named_struct('a', CAST(id AS int)) FROM range({start}, {start + 10})")


def computed(b):
    t = b.t
    t.equal((b.look("parted", "before"), b.look("plain", "before")), ((2, 2), (2, None)), "two snapshots without statistics; one without partitions has none to want")
    rows = checksum("rest", [NS, "parted"])
    verdicts = {table: {name: row["verdict"] for name, row in b.trigger(table).items() if name in OPERATIONS} for table in ("parted", "plain")}
    t.equal(verdicts, {"parted": {"compute_table_stats": "queued", "compute_partition_stats": "queued"}, "plain": {"compute_table_stats": "queued", "compute_partition_stats": "not needed"}},
            "what the metrics call for is queued")
    row = b.trigger("plain", ["compute_partition_stats"])["compute_partition_stats"]
    t.equal((row["verdict"], row["gate"], row["value"]), ("not needed", "partitions", "not partitioned"), "and not even by name what Spark would refuse: Table must be partitioned")
    snapshots = metadata("parted").current_snapshot_id
    b.pg.maintain(f"rest.{NS}.**", wait=True)
    for table, operation in (("parted", "compute_table_stats"), ("parted", "compute_partition_stats"), ("plain", "compute_table_stats")):
        row = b.last(table, operation)
        metric = operation.removeprefix("compute_") + "_lag"
        t.ok(row["state"] == "succeeded" and row["effect"].get("statistics_files_written") == 1 and row["effect"].get(metric) == -2 and not row["new_snapshots"],
             f"{table}: {operation} succeeded: one file, {metric} is 2 less, and no snapshot", row)
    t.contains(b.last("plain", "compute_table_stats")["statement"], "columns => array('id', 'day', 'note')", "plain: a column that Iceberg cannot count is left out, and not the end of all")
    t.equal(b.pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s AND operation = 'compute_partition_stats'", (b.name("plain"),)), 0, "plain: nothing was sent for its partitions")
    t.equal((list(files("parted")[0]), list(files("parted")[1])), ([snapshots], [snapshots]), "pyiceberg sees a statistics file of each kind, of the current snapshot")
    t.equal((b.look("parted", "after"), b.look("plain", "after")), ((0, 0), (0, None)), "nothing lags")
    t.equal(checksum("rest", [NS, "parted"]), rows, "the same rows")
    again = {name: (row["verdict"], row["value"]) for name, row in b.trigger("parted").items() if name in OPERATIONS}
    t.equal(again, {name: ("not needed", "0") for name in OPERATIONS}, "a second run is not needed")


def by_name(b):
    """A run that nothing calls for: Iceberg keeps the partitions' file and commits it again, and writes another one for columns."""
    t, before = b.t, files("parted")
    t.equal(b.trigger("parted", ["compute_partition_stats"])["compute_partition_stats"]["verdict"], "queued", "by name it is queued")
    b.pg.maintain(b.name("parted"), wait=True)
    row = b.last("parted", "compute_partition_stats")
    t.equal((row["state"], files("parted")[1]), ("no_change", before[1]), "the same file again is no effect, whatever the engine says")
    for columns, says in ((["nope"], 'column "nope" of columns is not in the table'), (["ID"], 'column "ID" of columns is not in the table'), (["s"], 'column "s" of columns is not of a primitive type')):
        row = b.trigger("parted", ["compute_table_stats"], json.dumps({"compute_table_stats": {"columns": columns}}))["compute_table_stats"]
        t.equal((row["verdict"], row["gate"], row["value"]), ("blocked", "options", says), f"columns {columns}: blocked before anything is sent")
    b.trigger("parted", ["compute_table_stats"], json.dumps({"compute_table_stats": {"columns": ["id", "s.a"]}}))
    b.pg.maintain(b.name("parted"), wait=True)
    row = b.last("parted", "compute_table_stats")
    t.ok(row["state"] == "succeeded" and files("parted")[0] != before[0], "columns by name: another file takes the place of the first", row)
    t.equal(statistics_fields(metadata("parted")), [[1], [5]], "and has the columns that were asked for, and no others")


def older_snapshot(b):
    first = metadata("parted").snapshots[0].snapshot_id
    b.trigger("parted", ["compute_table_stats"], json.dumps({"compute_table_stats": {"snapshot_id": first}}))
    b.pg.maintain(b.name("parted"), wait=True)
    row = b.last("parted", "compute_table_stats")
    b.t.ok(row["state"] == "succeeded" and first in files("parted")[0], "statistics of an older snapshot are an effect, too", row)
    return first


def kept(b, session, first):
    """After writes, expiry and a search for orphans: what is of the current snapshot is there, and what lags is called for again."""
    t = b.t
    append(session, "parted", 20)
    # who looks for orphans must know where all tables of the catalog are
    b.pg.assess("rest.**")
    t.equal(b.look("parted", "a commit later"), (1, 1), "one commit later both lag by one")
    b.trigger("parted", ["compute_table_stats", "compute_partition_stats", "expire_snapshots", "remove_orphan_files"])
    b.pg.maintain(b.name("parted"), wait=True)
    current = metadata("parted").current_snapshot_id
    states = {row["operation"]: row["state"] for row in b.pg.sql("SELECT DISTINCT ON (operation) operation, state FROM floe.operations WHERE table_name = %s ORDER BY operation, id DESC", (b.name("parted"),))}
    t.equal(states, {"compute_table_stats": "succeeded", "compute_partition_stats": "succeeded", "expire_snapshots": "succeeded", "remove_orphan_files": "no_change"}, "each of four operations ended well")
    t.ok(current in files("parted")[0] and current in files("parted")[1] and first not in files("parted")[0], "statistics of the current snapshot are there, those of an expired one are gone", files("parted"))
    t.equal(reachable("rest", [NS, "parted"])["missing"], [], "no file that the metadata names is missing")
    t.equal(b.look("parted", "at the end"), (0, 0), "and nothing lags")


def main():
    with Tap() as t, Lakehouse() as pg, LabCatalog("rest").spark() as session:
        make(session)
        pg.add_catalog("rest"), pg.add_engine()
        pg.sql("SELECT floe.create_policy('stats', %s, %s)", (f"rest.{NS}.**", json.dumps(POLICY)))
        b = Bench(t, pg)
        computed(b)
        by_name(b)
        kept(b, session, older_snapshot(b))


if __name__ == "__main__":
    main()
