"""Tables that come and go, a many that cannot be read, and many that nobody answers for: what a pass does and says then."""
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


def throttled(bench, base):
    """A table is not asked for again before the time that the catalog names."""
    t = bench.t
    catalog = bench.mock.catalog("busy")
    bench.connect(catalog)
    table = Table(catalog, ("ns", "t"), base)
    bench.refresh_and_maintain(SETTINGS)
    table.commit()
    catalog.misbehave("/tables/t(\\?|$)", error(429, "TooManyRequestsException", "later", Retry_After="200"))
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    row = bench.sql("SELECT status, error, error_detail, extract(epoch FROM next_poll_at - %s)::float8 AS waits FROM floe.tables WHERE name = 'busy.ns.t'", (start,))[0]
    t.ok(row["status"] == "error" and "the catalog answered 429" in row["error"] and row["waits"] >= 200, "a throttled table has the reason and waits as long as it was asked to", row)
    t.equal(len(catalog.asked("/tables/t(\\?|$)")), 2, "and was asked for once, after the first pass")
    bench.unharmed()


def cannot_be_stored(bench, base):
    """What the database itself refuses is the catalog's or the table's error, like any other."""
    t = bench.t
    catalog = bench.mock.catalog("stored")
    bench.connect(catalog)
    first, beside = (Table(catalog, ("ns", name), base) for name in ("first", "beside"))
    bench.refresh_and_maintain(SETTINGS)
    before = bench.table(first.name)
    for one in (first, beside):
        one.commit()
    bench.sql(f"""ALTER TABLE floe_internal.iceberg_table ADD CONSTRAINT refuses_a_name CHECK (table_name <> 'new') NOT VALID;
        ALTER TABLE floe_internal.iceberg_table ADD CONSTRAINT refuses_a_version CHECK (metadata_location <> '{first.metadata_location}') NOT VALID""")
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    row = bench.table(first.name)
    t.ok(row["status"] == "error" and row["error_code"] == "database" and "refuses_a_version" in row["error"] and row["health"] == before["health"], "an assessment: a row with the reason", row)
    bench.assessed([beside.name], start, "the table beside it is assessed")
    Table(catalog, ("ns", "new"), base)
    bench.refresh_and_maintain(SETTINGS)
    row = bench.sql("SELECT status, error, tables FROM floe.catalogs WHERE name = 'stored'")[0]
    t.ok(row["status"] == "error" and row["error"].startswith("the listing cannot be stored: ") and "refuses_a_name" in row["error"] and row["tables"] == 2, "a listing: the catalog has the reason", row)
    bench.unharmed()
    bench.sql("ALTER TABLE floe_internal.iceberg_table DROP CONSTRAINT refuses_a_name, DROP CONSTRAINT refuses_a_version")
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    bench.assessed([["stored", "ns", name] for name in ("first", "beside", "new")], start, "without the constraints all are assessed")
    bench.unharmed()


def many_broken(bench, base):
    """Many broken tables are many rows, and not as many notices."""
    t = bench.t
    catalog = bench.mock.catalog("broken")
    bench.connect(catalog)
    template = Table(catalog, ("fine", "t"), base)
    for i in range(100):
        catalog.add(("ns", f"t{i}"), template)
    catalog.misbehave("^GET /v1/namespaces/ns/tables/", answer(200, "{}", Content_Type="application/json"))
    start = bench.now()
    notices = bench.refresh_and_maintain(SETTINGS)
    told(bench, catalog, notices, 100)
    t.ok(len(notices) < 10000, "the pass says little", len(notices))
    t.equal(bench.sql("SELECT count(*) AS n FROM floe.tables WHERE name LIKE 'broken.ns.%%' AND status = 'error' AND error ~ 'metadata'")[0]["n"], 100, "each has its row with the reason")
    bench.assessed([template.name], start, "the healthy one among them is assessed")
    catalog.heal()
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    t.equal(bench.sql("SELECT count(*) AS n FROM floe.tables WHERE name LIKE 'broken.ns.%%' AND status = 'ok' AND error IS NULL")[0]["n"], 100, "all are healed")
    bench.unharmed()


def unreachable_tables(bench, base):
    """A catalog that lists its tables and then lets every question for one hang: a pass does not wait for each of them."""
    t = bench.t
    catalog, fine = bench.mock.catalog("silent"), bench.mock.catalog("fine")
    bench.connect(catalog)
    bench.connect(fine)
    tables = [Table(catalog, ("ns", f"t{i}"), base) for i in range(10)]
    beside = [Table(fine, ("ns", f"t{i}"), base) for i in range(10)]
    bench.refresh_and_maintain(SETTINGS)
    for one in [*tables, *beside]:
        one.commit()
    for i in range(10, 200):
        catalog.add(("ns", f"t{i}"), tables[0])
    catalog.misbehave("^GET /v1/namespaces/ns/tables/", hang)
    start = bench.now()
    # 200 tables, 32 at a time, three attempts of 1.5 seconds each would be half a minute
    notices = bench.refresh_and_maintain(SETTINGS, within=30)
    row = bench.sql("SELECT * FROM floe.catalogs WHERE name = 'silent'")[0]
    t.ok(row["status"] == "error" and "tables in a row could not be reached" in row["error"] and "did not answer within" in row["error_detail"], "the catalog has the reason", row)
    t.contains(notices, f'catalog "silent": {row["error"]}', "the pass tells it")
    counted = bench.sql("""SELECT count(*) FILTER (WHERE i.error_code = 'timeout') AS failed, count(*) FILTER (WHERE i.error_code IS NULL) AS untouched, count(h.table_id) AS healthy
        FROM floe_internal.iceberg_table AS i LEFT JOIN floe_internal.health AS h USING (table_id) WHERE i.levels[1] = 'silent'""")[0]
    t.ok(20 <= counted["failed"] < 80 and counted["failed"] + counted["untouched"] == 200 and counted["healthy"] == 10,
         "tables that were asked for have their reason, the others are as they were, and health is kept", counted)
    bench.assessed([one.name for one in beside], start, "the tables of the catalog beside it are assessed")
    bench.unharmed()
    catalog.heal()
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS, pattern="silent.ns.t?")
    bench.assessed([one.name for one in tables], start, "all are assessed once it answers")
    row = bench.sql("SELECT status, error FROM floe.catalogs WHERE name = 'silent'")[0]
    t.equal(row, {"status": "ok", "error": None}, "and the catalog is well")
    bench.unharmed()


def main():
    with Tap() as t, Mock() as mock, Lakehouse() as pg:
        bench, base = Bench(t, pg, mock), Base()
        for part in (comings_and_goings, throttled, cannot_be_stored, many_broken, unreachable_tables):
            part(bench, base)
            for name in [row["name"] for row in bench.sql("SELECT name FROM floe.catalogs")]:
                bench.sql(f'DROP SERVER "{name}" CASCADE')


if __name__ == "__main__":
    main()
