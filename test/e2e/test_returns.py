"""What maintenance was worth, on real Spark: floe's numbers against those that pyiceberg reads from the same table; and recommended statements, which Spark takes as they are."""
from __future__ import annotations

import json
import time
from typing import Any

from harness import Tap
from lakehouse import Lakehouse

from catalogs import LabCatalog

NS = f"returns_{int(time.time())}"
EVIL = "it's \"a\" `b`"
LATER = "floe_internal.clock() + interval '30 days'"


def table(name: str) -> Any:
    return LabCatalog("rest").catalog.load_table((NS, name))


def files(name: str) -> dict[str, int]:
    """Data files of the current snapshot, with their sizes."""
    return {one.file.file_path: one.file.file_size_in_bytes for one in table(name).scan().plan_files()}


def make(session: Any) -> None:
    evil = EVIL.replace("`", "``")
    session.sql(f"CREATE NAMESPACE IF NOT EXISTS lab.{NS}")
    session.sql(f"CREATE TABLE lab.{NS}.small (id bigint, name string) USING iceberg")
    session.sql(f"CREATE TABLE lab.{NS}.`{evil}` (id bigint, `at ``x``` timestamp) USING iceberg PARTITIONED BY (hours(`at ``x```))")
    for i in range(4):
        session.sql(f"INSERT INTO lab.{NS}.small SELECT /*+ REPARTITION(4) */ id, concat('n', id) FROM range({i * 40}, {i * 40 + 40})")
    for i in range(2):
        session.sql(f"INSERT INTO lab.{NS}.`{evil}` SELECT id, timestamp'2026-01-01 00:00:00' FROM range({i}, {i + 3})")


def measured(t: Tap, pg: Lakehouse) -> None:
    """One rewrite: what it removed, what it read, what it cost; and what is held for nothing afterwards."""
    name = f"lab.{NS}.small"
    before = files("small")
    pg.maintain(name, wait=True)
    after = files("small")
    row = pg.sql("SELECT * FROM floe.roi WHERE table_name = %s AND operation = 'rewrite_data_files'", (name,))[0]
    gone = {path: size for path, size in before.items() if path not in after}
    fresh = {path: size for path, size in after.items() if path not in before}
    t.equal((row["state"], int(row["objects_removed"]), int(row["bytes_touched"]), int(row["bytes_removed"]), row["pays"], row["policy"]),
            ("succeeded", len(before) - len(after), sum(gone.values()), sum(gone.values()) - sum(fresh.values()), True, "small"), "files and bytes are those that pyiceberg finds gone, less those that are new")
    took = pg.value("SELECT extract(epoch FROM duration) / 60 FROM floe.operations WHERE id = %s", (row["id"],))
    t.ok(abs(float(row["minutes"]) - float(took)) < 0.001 and abs(float(row["gb_hours"]) - float(took) / 60 * 2) < 0.0001, "minutes as in the log, and GB-hours of two GB", row)
    t.equal(pg.value("SELECT runs FROM floe.roi_by_table WHERE name = %s", (name,)), pg.value("SELECT count(*) FROM floe.roi WHERE table_name = %s", (name,)), "the week's sum has each run once")
    held = pg.value(f"SELECT w.expirable_bytes FROM floe_internal.iceberg_table AS i, LATERAL floe_internal.waste_of(ARRAY[i.table_id], {LATER}) AS w WHERE i.name = %s", (name,))
    t.equal(held, sum(gone.values()), "once the snapshots before the rewrite are old enough, they hold the bytes of the files that it replaced")
    t.equal(pg.value("SELECT count(*) FROM floe.fleet WHERE table_name LIKE %s", (f"lab.{NS}.%",)), 2, "a pass has put the tables into the fleet's views")


def recommended(t: Tap, pg: Lakehouse, session: Any) -> None:
    """Each statement is sent as it is, and the metadata has it; then it is recommended no more."""
    name = pg.format_name(["lab", NS, EVIL])
    pg.sql("UPDATE floe.recommendation_rule SET threshold = 1 WHERE name = 'metadata_retention'")
    rows = pg.sql("SELECT * FROM floe.recommendations(%s)", (name,))
    t.equal([row["rule"] for row in rows], ["metadata_retention"], "what the evidence of two commits calls for with a threshold of one")
    session.sql(rows[0]["spark_sql"])
    found = {key: value for key, value in table(EVIL).properties.items() if key in rows[0]["properties"]}
    t.equal(found, rows[0]["properties"], f"Spark takes it, evil name and all: {rows[0]['spark_sql']}")
    pg.maintain(name)
    t.equal(pg.sql("SELECT rule FROM floe.recommendations(%s)", (name,)), [], "and once it is set it is recommended no more")
    # so many partitions are not made here
    pg.sql("UPDATE floe_internal.health SET partition_count = 1000, data_bytes = 2000000000 WHERE table_id = (SELECT table_id FROM floe_internal.iceberg_table WHERE name = %s)", (name,))
    row = pg.sql("SELECT * FROM floe.recommendations(%s) WHERE rule = 'partition_spec'", (name,))[0]
    session.sql(row["spark_sql"])
    t.equal([str(field.transform) for field in table(EVIL).spec().fields], ["day"], f"Spark takes a coarser partition spec: {row['spark_sql']}")


def main() -> None:
    with Tap() as t, Lakehouse() as pg, LabCatalog("rest").spark() as session:
        make(session)
        pg.add_catalog("rest", "lab"), pg.add_engine()
        pg.sql("SELECT floe.create_policy('small', %s, %s)", (f"lab.{NS}.small", json.dumps({"engine": "spark", "rewrite_data_files": {"quiet_period": "0"}, "thresholds": {"excess_file_count": {"warning": 5, "critical": 100}}})))
        pg.assess(f"lab.{NS}.**")
        measured(t, pg)
        recommended(t, pg, session)


if __name__ == "__main__":
    main()
