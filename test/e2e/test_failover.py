"""PostgreSQL fails over while Spark works: the promoted standby finds the operation again, by the handle that was replicated, and ends it once.

A primary with its workers and a streaming standby that has them, too, and idles. The primary is killed in mid-operation, with a second one queued.
"""
from __future__ import annotations

import json
import time
from typing import Any

from harness import Cluster, Tap, checksum, make_tables, reachable
from lakehouse import SETTINGS, Lakehouse

from catalogs import LabCatalog

NS = f"failover_{int(time.time())}"
CONF = {"floe.databases": "postgres", **SETTINGS}
# One group for each partition, one at a time: a good many seconds.
POLICY = {"engine": "spark", "rewrite_data_files": {"min_interval": "1 hour", "options": {"rewrite_all": True, "max_concurrent_file_group_rewrites": 1}},
          "thresholds": {"excess_file_count": {"warning": 100000, "critical": 100000}}}


def rewrites(levels: list[str]) -> int:
    table = LabCatalog("rest").catalog.load_table(tuple(levels))
    return sum(1 for one in table.metadata.snapshots if one.summary and one.summary.operation.value == "replace")


def set_up(pg: Lakehouse) -> list[dict[str, Any]]:
    """Two tables, which nothing but a trigger calls for; the engine does one at a time."""
    tables = make_tables("rest", NS, ["many_partitions"], partitions=60) + make_tables("rest", NS, ["many_small"])
    pg.add_catalog("rest")
    pg.add_engine(max_operations="1")
    pg.sql("SELECT floe.create_policy('p', %s, %s)", (f"rest.{NS}.*", json.dumps(POLICY)))
    # the catalog has other tests' tables, too
    pg.wait_for("SELECT count(*) = 2 FROM floe.tables WHERE status = 'ok' AND name LIKE %s", (f"rest.{NS}.%",))
    return tables


def main() -> None:
    with Tap() as t, Lakehouse(preload=True, name="primary", conf=CONF) as pg, Cluster(name="standby", standby_of=pg) as standby:
        tables = set_up(pg)
        content = [checksum("rest", [NS, one["table"]]) for one in tables]
        names = [f"rest.{NS}.{one['table']}" for one in tables]
        ids = [pg.value("SELECT operation_id FROM floe.trigger(%s, ARRAY['rewrite_data_files'])", (name,)) for name in names]
        pg.wait_for("SELECT state = 'running' FROM floe.operations WHERE id = %s", (ids[0],))
        standby.wait_for("SELECT state = 'running' FROM floe.operations WHERE id = %s", (ids[0],))
        t.equal(standby.value("SELECT state FROM floe.operations WHERE id = %s", (ids[1],)), "queued", "one runs and one is queued when the primary dies")
        t.equal(standby.value("SELECT count(*) FROM floe_internal.workers() WHERE worker = 'executor' AND state = 'running'"), 0, "the standby has left them alone")
        pg.kill9()
        standby.promote()
        standby.wait_for("SELECT count(*) = 0 FROM floe.operations WHERE finished_at IS NULL", timeout=180)
        for number, (operation_id, name, one) in enumerate(zip(ids, names, tables)):
            row = standby.sql("SELECT * FROM floe.operations WHERE id = %s", (operation_id,))[0]
            t.equal((row["state"], row["attempt"]), ("succeeded", 1), f"{name}: the promoted server ends it, without sending it again") or t.note(row)
            t.equal(rewrites([NS, one["table"]]), 1, f"{name}: was rewritten once")
            t.equal(checksum("rest", [NS, one["table"]]), content[number], f"{name}: the same rows")
            t.equal(reachable("rest", [NS, one["table"]])["missing"], [], f"{name}: no file is missing")
        t.equal(standby.value("SELECT count(*) FROM floe.operations"), 2, "and there were two operations")


main()
