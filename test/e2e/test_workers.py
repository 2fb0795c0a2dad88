"""Workers by themselves: after shared_preload_libraries and a policy nobody calls anything. Real catalog, real Spark."""
from __future__ import annotations

import time

from harness import Tap, make_tables
from lakehouse import Lakehouse

NAMESPACE = f"work{time.time_ns() // 1000000}"
POLICY = """{"engine": "spark", "rewrite_data_files": {"min_interval": "1 second"}, "poll_interval": "2 seconds", "min_poll_interval": "1 second",
             "thresholds": {"excess_file_count": {"warning": 5, "critical": 50}}}"""


def main() -> None:
    with Tap() as t, Lakehouse(preload=True, name="workers") as pg:
        made = make_tables("rest", NAMESPACE, ["many_small", "few_large"])
        tables = {row["shape"]: pg.format_name(["rest", *row["namespace"], row["table"]]) for row in made}

        workers = pg.wait_for("SELECT array_agg(worker || ' ' || state ORDER BY worker) = '{assessor running,executor running}' FROM floe_internal.workers()")
        t.ok(workers, "CREATE EXTENSION starts an assessor and an executor in a database of floe.databases")
        pg.sql("SELECT floe.create_policy('p', %s, %s)", (f"rest.{NAMESPACE}.*", POLICY.replace('"engine": "spark", ', "")))
        pg.add_catalog("rest")
        pg.add_engine()
        pg.sql("SELECT floe.alter_policy('p', %s)", ('{"engine": "spark"}',))
        done = pg.wait_for("SELECT state FROM floe.operations WHERE table_name = %s AND finished_at IS NOT NULL", (tables["many_small"],), timeout=120)
        t.equal(done, "succeeded", "a table with small files is found, rewritten and measured without a call")
        row = pg.sql("SELECT * FROM floe.operations WHERE table_name = %s", (tables["many_small"],))[0]
        t.ok(row["files_after"] < row["files_before"], "its effect is measured", row)
        t.equal(pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s", (tables["few_large"],)), 0, "a healthy table is left alone")


main()
