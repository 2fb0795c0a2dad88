"""A JDBC catalog in floe's own database: pyiceberg writes, a trigger tells, the workers look within a second, and nothing polls."""
# test/run: alone
from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
from harness import Tap, differences
from lakehouse import Lakehouse
from pyiceberg.catalog import load_catalog

from judge import run as judged

CONF = {"floe.databases": "postgres"}
ROWS = 3


def main() -> None:
    warehouse = Path(tempfile.mkdtemp(prefix="jdbc-here-", dir=os.environ["FLOE_RUN"]))
    try:
        with Tap() as t, Lakehouse(conf=CONF, preload=True, name="jdbc") as pg:
            run(t, pg, warehouse)
    finally:
        shutil.rmtree(warehouse, ignore_errors=True)


def connect(pg: Lakehouse, warehouse: Path) -> Any:
    return load_catalog("lake", type="sql", uri=f"postgresql+psycopg2://postgres@127.0.0.1:{pg.port}/postgres", warehouse=f"file://{warehouse}")


def run(t: Tap, pg: Lakehouse, warehouse: Path) -> None:
    catalog = connect(pg, warehouse)
    schema = pa.schema([("id", pa.int64())])
    rows = pa.table({"id": list(range(ROWS))})
    catalog.create_namespace("a")
    catalog.create_namespace(("a", "b"))
    tables = [catalog.create_table(name, schema) for name in (("a", "t"), ("a", "b", "t"), ("a", 'q"u.ote'))]
    for one in tables:
        one.append(rows)
    pg.sql("CREATE SERVER here TYPE 'jdbc' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'postgresql:///')")
    pg.sql("SELECT floe.create_policy('seldom', '**', '{\"poll_interval\": \"1 day\", \"min_poll_interval\": \"1 day\"}')")
    checked = pg.sql("SELECT * FROM floe.check_catalog('here')")[0]
    t.equal((checked["success"], checked["detail"].get("catalog")), (True, {"database": "this", "catalog_name": "lake"}), "check_catalog() reads this database")
    t.equal(pg.value("SELECT floe.watch_catalog('here')::text"), "iceberg_tables", "the catalog's table is watched")
    pg.wait_for("SELECT count(*) = 3 AND bool_and(status = 'ok') FROM floe.tables")
    t.equal(pg.value("SELECT string_agg(name, ' ' ORDER BY name) FROM floe.tables"), 'here.a."q""u.ote" here.a.b.t here.a.t', "nested namespaces and odd names")
    for one in tables:
        one.refresh()
        pg.wait_for("SELECT current_snapshot_id = %s FROM floe_internal.iceberg_table WHERE name = %s", (one.current_snapshot().snapshot_id, pg.format_name(["here", *one.name()])))
        wanted = judged(["--metadata", one.metadata_location])["metrics"]
        wrong = differences(pg.metrics(pg.format_name(["here", *one.name()])), wanted)
        t.ok(not wrong and len(wanted) > 10, f"{'.'.join(one.name())}: health equals the judge's", *wrong)
    times = []
    for turn in range(6):
        one = tables[turn % 3]
        name = pg.format_name(["here", *one.name()])
        one.append(rows)
        begun = time.monotonic()
        pg.wait_for("SELECT current_snapshot_id = %s FROM floe_internal.iceberg_table WHERE name = %s", (one.current_snapshot().snapshot_id, name), timeout=30)
        times.append(time.monotonic() - begun)
    t.note("seconds from the commit: " + ", ".join(f"{one:.2f}" for one in times))
    t.ok(sorted(times)[len(times) // 2] < 1, "a commit is seen within a second, without a poll", times)
    t.equal(pg.value("SELECT count(*) FROM floe_internal.table_poll WHERE next_poll_at < now() + interval '1 hour'"), 0, "none of them was due by itself")
    catalog.create_table(("a", "later"), schema)
    pg.wait_for("SELECT count(*) FROM floe.tables WHERE name = 'here.a.later' AND status = 'ok'")
    catalog.drop_table(("a", "later"))
    pg.wait_for("SELECT status = 'dropped' FROM floe.tables WHERE name = 'here.a.later'")
    t.ok(True, "a table that is made, or dropped, is noticed as soon")
    catalog.rename_table(("a", "t"), ("a", "renamed"))
    pg.wait_for("SELECT count(*) = 2 FROM floe.tables WHERE (name, status) IN (('here.a.t', 'dropped'), ('here.a.renamed', 'ok'))")
    t.ok(True, "and one that is renamed")
    # somebody holds what the trigger would write: he who commits does not wait for him
    holder = pg.connect(autocommit=False)
    with holder.cursor() as cursor:
        cursor.execute("SELECT 1 FROM floe_internal.table_poll FOR UPDATE")
        begun = time.monotonic()
        tables[1].append(rows)
        took = time.monotonic() - begun
    holder.rollback()
    t.ok(took < 5, f"a commit does not wait for a lock of floe's ({took:.1f} s)")
    t.equal(catalog.load_table(("a", "b", "t")).scan().to_arrow().num_rows, 4 * ROWS, "and is there")
    not_granted(t, pg, tables[1])
    maintained(t, pg, tables[1])
    restarted(t, pg, warehouse)
    pg.sql("DROP EXTENSION floe CASCADE")
    catalog = connect(pg, warehouse)
    catalog.load_table(("a", "b", "t")).append(rows)
    t.equal(catalog.load_table(("a", "b", "t")).scan().to_arrow().num_rows, 8 * ROWS, "without floe it goes on")


def maintained(t: Tap, pg: Lakehouse, table: Any) -> None:
    """Spark reaches this database as any other client of JDBC does."""
    name = pg.format_name(["here", *table.name()])
    rows = sorted(table.refresh().scan().to_arrow()["id"].to_pylist())
    pg.add_engine()
    pg.sql(f"""ALTER SERVER here OPTIONS (ADD "engine.uri" 'jdbc:postgresql://127.0.0.1:{pg.port}/postgres', ADD "engine.jdbc.user" 'postgres')""")
    operations = {"rewrite_data_files": {"options": {"rewrite_all": True}}, "expire_snapshots": {"options": {"max_snapshot_age": "0 days", "retain_last": 1}}}
    pg.sql("SELECT floe.create_policy('here', %s, %s)", (name, json.dumps({"engine": "spark", **operations})))
    for operation in operations:
        queued = pg.value("SELECT operation_id FROM floe.trigger(%s, ARRAY[%s])", (name, operation))
        pg.wait_for("SELECT finished_at IS NOT NULL FROM floe.operations WHERE id = %s", (queued,), timeout=120)
        row = pg.sql("SELECT state, error FROM floe.operations WHERE id = %s", (queued,))[0]
        t.equal((row["state"], row["error"]), ("succeeded", None), f"{operation} by Spark through the catalog in this database")
    table.refresh()
    t.equal((len(list(table.scan().plan_files())), len(table.snapshots()), sorted(table.scan().to_arrow()["id"].to_pylist())), (1, 1, rows), "one file, one snapshot, the same rows, by pyiceberg")


def restarted(t: Tap, pg: Lakehouse, warehouse: Path) -> None:
    """The database was restarted, and killed; commits before floe's workers are there are seen as well."""
    for how in (pg.restart, pg.kill9):
        how()
        if how == pg.kill9:
            pg.start()
        one = connect(pg, warehouse).load_table(("a", "b", "t"))
        one.append(pa.table({"id": list(range(ROWS))}))
        pg.wait_for("SELECT current_snapshot_id = %s AND status = 'ok' FROM floe_internal.iceberg_table WHERE name = 'here.a.b.t'", (one.current_snapshot().snapshot_id,))
        t.ok(True, f"after {how.__name__} a commit is seen as before")


def not_granted(t: Tap, pg: Lakehouse, table: Any) -> None:
    """The catalog is read as who owns the SERVER: who may not is told so, and no table is taken for dropped."""
    words = "permission denied for table iceberg_tables"
    name = pg.format_name(["here", *table.name()])
    known = "SELECT name, status FROM floe.tables ORDER BY name"
    before = pg.sql(known)
    pg.sql("CREATE ROLE stranger; GRANT USAGE ON FOREIGN DATA WRAPPER floe_catalog TO stranger; ALTER SERVER here OWNER TO stranger")
    checked = pg.sql("SELECT * FROM floe.check_catalog('here')")[0]
    t.ok(not checked["success"] and checked["detail"]["code"] == "forbidden" and words in f"{checked['message']} {checked['detail']['detail']}", f"no grant: check_catalog() says {words!r}", checked)
    pg.sql("SELECT floe.refresh('here.**')")
    pg.wait_for("SELECT status = 'error' FROM floe.catalogs WHERE name = 'here'")
    row = pg.sql("SELECT error_code, error_message, error_detail FROM floe_internal.catalog WHERE server_name = 'here'")[0]
    t.ok(row["error_code"] == "forbidden" and words in f"{row['error_message']} {row['error_detail']}", "no grant: a state with the database's words", row)
    t.equal([(one["name"], one["status"] == "dropped") for one in pg.sql(known)], [(one["name"], one["status"] == "dropped") for one in before], "no grant: no table is taken for dropped")
    pg.sql("GRANT SELECT ON iceberg_tables TO stranger; SELECT floe.refresh('here.**')")
    pg.wait_for("SELECT status = 'ok' FROM floe.catalogs WHERE name = 'here'")
    # its tables are looked at again too: nothing is written before that is over
    pg.wait_for("SELECT NOT EXISTS (SELECT FROM floe.tables WHERE status = 'error') AND NOT EXISTS (SELECT FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL)")
    table.append(pa.table({"id": list(range(ROWS))}))
    pg.wait_for("SELECT current_snapshot_id = %s FROM floe_internal.iceberg_table WHERE name = %s", (table.current_snapshot().snapshot_id, name), timeout=30)
    t.equal(pg.sql(known), before, "to SELECT from that table is enough")
    pg.sql("ALTER SERVER here OWNER TO postgres; DROP OWNED BY stranger; DROP ROLE stranger")


if __name__ == "__main__":
    main()
