"""Tables that come and go, a many that cannot be read, and many that nobody answers for: what a pass does and says then."""
import re
import subprocess
import time

from badinput import Base, Bench, Table, spoken, told
from catalog import Mock, answer, error, hang
from harness import Tap
from lakehouse import Lakehouse

SETTINGS = "SET floe.request_timeout = '1500ms'; SET floe.connect_timeout = '1s'"


def comings_and_goings(bench, base):
    t = bench.t
    catalog = bench.mock.catalog("coming")
    bench.connect(catalog)
    stays, goes, phantom = (Table(catalog, levels, base) for levels in (("ns", "stays"), ("gone", "goes"), ("ns", "phantom")))
    # listed, but gone when it is loaded: at first sight, and after it was well
    catalog.misbehave("/tables/phantom$", error(404, "NoSuchTableException", "Table does not exist: ns.phantom"))
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    row = bench.table(phantom.name)
    t.ok(row["status"] == "error" and row["error_code"] == "not_found" and row["health"] is None
         and spoken(row) == "load table: the catalog answered 404: NoSuchTableException: Table does not exist: ns.phantom", "dropped between list and load: a row with the reason", row)
    bench.assessed([stays.name, goes.name], start, "the tables beside it are assessed")
    before = bench.table(goes.name)
    catalog.misbehave("/tables/goes$", error(404, "NoSuchTableException", "Table does not exist: gone.goes"))
    bench.refresh_and_maintain(SETTINGS)
    row = bench.table(goes.name)
    t.ok(row["status"] == "error" and row["error_code"] == "not_found" and row["health"] == before["health"], "the same after it was well: its health is kept", row)

    # its namespace goes, too, between the list of namespaces and the list of its tables
    catalog.misbehave("^GET /v1/namespaces/gone/tables", error(404, "NoSuchNamespaceException", "Namespace does not exist: gone"))
    del catalog.tables[phantom.levels]
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    for one in (goes, phantom):
        row = bench.table(one.name)
        t.ok(row["status"] == "dropped" and len(bench.events("table dropped", start, row["name"])) == 1, f"{row['name']}: dropped once it is no longer listed", row)
    t.ok(bench.table(goes.name)["health"] == before["health"], "its health stays")
    bench.assessed([stays.name], start, "the table that stayed is assessed")

    # and both come back
    catalog.heal()
    catalog.add(phantom.levels, phantom)
    goes.commit()
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    bench.assessed([stays.name, goes.name, phantom.name], start, "both are back")
    t.equal(bench.sql("SELECT count(*) AS n FROM floe.tables WHERE name = 'coming.gone.goes'")[0]["n"], 1, "as the same row")
    bench.unharmed()


def many_broken(bench, base):
    """Many broken tables are many rows, and not as many notices."""
    t = bench.t
    catalog = bench.mock.catalog("broken")
    bench.connect(catalog)
    template = Table(catalog, ("fine", "t"), base)
    for i in range(150):
        catalog.add(("ns", f"t{i}"), template)
    catalog.misbehave("^GET /v1/namespaces/ns/tables/", answer(200, "{}", Content_Type="application/json"))
    start = bench.now()
    notices = bench.refresh_and_maintain(SETTINGS)
    told(bench, catalog, notices, 150)
    t.ok(len(notices) < 10000, "the pass says little", len(notices))
    t.equal(bench.sql("SELECT count(*) AS n FROM floe.tables WHERE name LIKE 'broken.ns.%%' AND status = 'error' AND error ~ 'metadata'")[0]["n"], 150, "each has its row with the reason")
    bench.assessed([template.name], start, "the healthy one among them is assessed")
    catalog.heal()
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    t.equal(bench.sql("SELECT count(*) AS n FROM floe.tables WHERE name LIKE 'broken.ns.%%' AND status = 'ok' AND error IS NULL")[0]["n"], 150, "all are healed")
    bench.unharmed()


def unreachable_tables(bench, base):
    """A catalog that lists its tables and then lets every question for one hang: a pass does not wait for each of them."""
    t = bench.t
    catalog, fine = bench.mock.catalog("silent"), bench.mock.catalog("fine")
    bench.connect(catalog)
    bench.connect(fine)
    tables = [Table(catalog, ("ns", f"t{i}"), base) for i in range(150)]
    beside = [Table(fine, ("ns", f"t{i}"), base) for i in range(20)]
    bench.refresh_and_maintain(SETTINGS)
    for one in [*tables, *beside]:
        one.commit()
    catalog.misbehave("^GET /v1/namespaces/ns/tables/", hang)
    start = bench.now()
    # 150 tables, 32 at a time, three attempts of 1.5 seconds each would be 25 seconds
    notices = bench.refresh_and_maintain(SETTINGS, within=18)
    row = bench.sql("SELECT * FROM floe.catalogs WHERE name = 'silent'")[0]
    t.ok(row["status"] == "error" and "tables in a row could not be reached" in row["error"] and "did not answer within" in row["error_detail"], "the catalog has the reason", row)
    t.contains(notices, f'catalog "silent": {row["error"]}', "the pass tells it")
    counted = bench.sql("""SELECT count(*) FILTER (WHERE i.error_code = 'timeout') AS failed, count(*) FILTER (WHERE i.status = 'ok') AS kept, count(h.table_id) AS healthy
        FROM floe_internal.iceberg_table AS i LEFT JOIN floe_internal.health AS h USING (table_id) WHERE i.levels[1] = 'silent'""")[0]
    t.ok(20 <= counted["failed"] < 100 and counted["failed"] + counted["kept"] == 150 and counted["healthy"] == 150,
         "tables that were asked for have their reason, the others are as they were, and all keep their health", counted)
    bench.assessed([one.name for one in beside], start, "the tables of the catalog beside it are assessed")
    bench.unharmed()
    catalog.heal()
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    bench.assessed([one.name for one in tables], start, "all are assessed once it answers")
    bench.unharmed()


def given_up(bench, base):
    """A pass that is cancelled, times out or is terminated while a catalog hangs ends at once, and the next one finds nothing claimed."""
    t, pg = bench.t, bench.pg
    catalog, silent = bench.mock.catalog("given_up"), bench.mock.catalog("never")
    tables = [Table(catalog, ("ns", f"t{i}"), base) for i in range(3)]
    bench.connect(catalog)
    bench.connect(silent)
    Table(silent, ("ns", "t"), base)
    bench.refresh_and_maintain(SETTINGS)
    for end in ("pg_cancel_backend", "pg_terminate_backend", "statement_timeout"):
        for one in tables:
            one.commit()
        catalog.misbehave("/tables/t1(\\?|$)", hang)
        silent.misbehave("^GET /v1/config", hang)
        bench.sql("SELECT floe.refresh()")
        timeout = "2s" if end == "statement_timeout" else "0"
        session = subprocess.Popen(pg.psql_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        session.stdin.write(f"SET application_name = 'given up'; SET floe.request_timeout = '1h'; SET statement_timeout = '{timeout}'; CALL floe.run_maintenance();\n")
        session.stdin.close()
        pg.wait_for("SELECT count(*) = 1 FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL")
        asked = time.monotonic()
        if end != "statement_timeout":
            bench.sql(f"SELECT {end}(pid) FROM pg_stat_activity WHERE application_name = 'given up'")
        said = session.stdout.read()
        session.wait(timeout=30)
        took = time.monotonic() - asked
        t.ok(took < (1 if end != "statement_timeout" else 3) and re.search("cancel|terminat", said), f"{end}: the pass ends at once ({took:.2f} s)", said)
        bench.mock.heal()
        start = bench.now()
        bench.refresh_and_maintain(SETTINGS)
        bench.assessed([one.name for one in tables], start, f"{end}: the next pass assesses all")
        bench.unharmed()


def main():
    with Tap() as t, Mock() as mock, Lakehouse(conf={"floe.max_connections_per_host": "100"}) as pg:
        bench, base = Bench(t, pg, mock), Base()
        for part in (comings_and_goings, many_broken, unreachable_tables, given_up):
            part(bench, base)
            for name in [row["name"] for row in bench.sql("SELECT name FROM floe.catalogs")]:
                bench.sql(f'DROP SERVER "{name}" CASCADE')


if __name__ == "__main__":
    main()
