"""Statements that a real Spark refuses or fails at: one line of reason, the right class, nothing changed, and well again when the cause is gone.

What HiveServer2 itself can do wrong is test_bad_engine.py's, with a mock; here the texts are Spark's and Iceberg's own.
"""
import json
import re
import time
from pathlib import Path

from harness import Tap, checksum, make_tables
from lakehouse import Lakehouse, catalog_definition
from triggered import Triggered

from catalogs import LabCatalog

NS = f"refuses_{int(time.time())}"
OPERATION = "rewrite_data_files"


class Case(Triggered):
    """A rewrite of everything that a real Spark refuses, or fails at."""

    def __init__(self, t, pg, name, catalog, table, **options):
        super().__init__(t, pg, name, [catalog, NS, table], OPERATION, "spark", rewrite_all=True, **options)

    def fails(self, error_class, says):
        notices, row = self.run(), self.row()
        self.t.note(f"{self.word}: {row['error_class']}: {row['error']}")
        self.t.ok(row["state"] == "failed" and row["error_class"] == error_class, f"{self.word}: failed, of class {error_class}", row["state"], row["error_class"])
        self.t.ok(re.search(says, row["error"] or ""), f"{self.word}: with the reason", says, row["error"])
        self.t.ok(row["error"] and len(row["error"]) < 1000 and "\n" not in row["error"] and "\tat " not in row["error"] and row["error"][:200] in notices, f"{self.word}: in one line, and a notice", notices)
        self.t.equal(self.pg.value("SELECT count(*) FROM floe.events WHERE operation_id = %s AND kind = 'operation failed'", (row["id"],)), 1, f"{self.word}: one event")
        self.t.ok(row["attempt"] == 1 and not row["new_snapshots"], f"{self.word}: tried once, and the table is as it was", row["attempt"], row["new_snapshots"])
        self.t.equal(self.pg.value("SELECT status FROM floe.engines WHERE name = 'spark'"), "ok", f"{self.word}: the engine is well")
        gate = self.pg.sql("SELECT reason FROM (SELECT jsonb_build_object('status', verdict, 'next_at', next_at) AS reason FROM floe.why(%s, true) "
                           "WHERE operation = %s AND gate = 'backoff') AS x", (self.table, OPERATION))[0]["reason"]
        waits = error_class in ("transient", "resource", "conflict")
        self.t.ok(gate["status"] == "wait" and (gate["next_at"] is not None) == waits, f"{self.word}: waits for {'a time' if waits else 'a change'}", gate)

    def is_not_sent(self, says):
        row = self.pg.sql("SELECT * FROM floe.trigger(%s, ARRAY[%s])", (self.table, OPERATION))[0]
        self.t.equal((row["verdict"], row["gate"], row["value"]), ("blocked", "options", says), f"{self.word}: floe knows before anything is sent")
        self.t.equal(self.pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s", (self.table,)), 0, f"{self.word}: and nothing is queued")

    def succeeds(self):
        notices = self.run()
        self.t.ok(self.row()["state"] == "succeeded", f"{self.word}: without the cause it succeeds", self.row()["error"], notices)


def missing_file(t, pg):
    """One data file is gone from the store."""
    made = make_tables("rest", NS, ["many_small"])[0]
    table = LabCatalog("rest").catalog.load_table((NS, made["table"]))
    victim = Path(next(iter(table.scan().plan_files())).file.file_path.removeprefix("file:"))
    case = Case(t, pg, "missing_file", "rest", made["table"])
    content = victim.read_bytes()
    victim.unlink()
    case.fails("permanent", re.escape(victim.name) + ".*missing in the store")
    victim.write_bytes(content)
    before = checksum("rest", [NS, made["table"]])
    case.succeeds()
    t.equal(checksum("rest", [NS, made["table"]]), before, "missing_file: and the rows are the same")


def wrong_column(t, pg):
    made = make_tables("rest", NS, ["skewed"])[0]
    case = Case(t, pg, "wrong_column", "rest", made["table"], where="no_such_column = 'x'")
    case.is_not_sent('column "no_such_column" of the predicate is not in the table')
    pg.sql("SELECT floe.alter_policy('wrong_column', %s)", (json.dumps({OPERATION: {"options": {"where": None}}}),))
    case.succeeds()


def wrong_sort(t, pg):
    made = make_tables("rest", NS, ["few_large"])[0]
    Case(t, pg, "wrong_sort", "rest", made["table"], strategy="sort", sort_order="no_such_column DESC").is_not_sent('column "no_such_column" of sort_order is not in the table')


def unknown_catalog(t, pg):
    """The engine is said to have a catalog that it has not."""
    made = make_tables("rest", NS, ["evolved_spec"])[0]
    server, mapping = catalog_definition("rest")
    pg.add_server("elsewhere", "floe_catalog", "rest", {**server, "engine_catalog": "no_such_catalog"}, mapping)
    case = Case(t, pg, "unknown_catalog", "elsewhere", made["table"])
    case.fails("config", r"the engine knows no Iceberg catalog of the name asked for")
    pg.sql("ALTER SERVER elsewhere OPTIONS (DROP engine_catalog)")
    case.succeeds()


def unreachable_catalog(t, pg):
    """The engine is given an address of the catalog where nobody answers."""
    made = make_tables("rest", NS, ["format_v1"])[0]
    server, mapping = catalog_definition("rest")
    pg.add_server("far", "floe_catalog", "rest", {**server, "engine.uri": "http://127.0.0.1:1"}, mapping)
    case = Case(t, pg, "unreachable_catalog", "far", made["table"])
    case.fails("transient", r"caused by HttpHostConnectException: Connect to http://127\.0\.0\.1:1 failed: Connection refused$")
    pg.sql("ALTER SERVER far OPTIONS (DROP \"engine.uri\")")
    case.succeeds()


def refused_by_catalog(t, pg):
    """The engine has credentials that the catalog refuses."""
    made = make_tables("seaweedfs", NS, ["many_small"])[0]
    server, mapping = catalog_definition("seaweedfs")
    pg.add_server("weed", "floe_catalog", "rest", server, {**mapping, "engine.credential": "lab:wrong-secret-4711"})
    case = Case(t, pg, "refused_by_catalog", "weed", made["table"])
    case.fails("config", r"^NotAuthorizedException: .*the catalog refuses the engine's credentials")
    t.ok("wrong-secret-4711" not in pg.server_log() and "wrong-secret-4711" not in str(case.row()), "refused_by_catalog: the secret is not in the log or the row")
    pg.sql('ALTER USER MAPPING FOR PUBLIC SERVER weed OPTIONS (DROP "engine.credential")')
    case.succeeds()


def refused_by_store(t, pg):
    """The engine has keys that the store refuses."""
    made = make_tables("s3", NS, ["many_small"])[0]
    server, mapping = catalog_definition("s3")
    pg.add_server("store", "floe_catalog", "rest", server, {**mapping, "engine.s3.secret-access-key": "wrong-key-4711"})
    case = Case(t, pg, "refused_by_store", "store", made["table"])
    case.fails("config", r"Status Code: 403.*the store refuses the engine's credentials")
    pg.sql('ALTER USER MAPPING FOR PUBLIC SERVER store OPTIONS (DROP "engine.s3.secret-access-key")')
    case.succeeds()


CASES = [missing_file, wrong_column, wrong_sort, unknown_catalog, unreachable_catalog, refused_by_catalog, refused_by_store]


def main():
    with Tap() as t, Lakehouse() as pg:
        pg.add_engine()
        pg.add_catalog("rest")
        for case in CASES:
            case(t, pg)
        t.equal(pg.value("SELECT count(*) FROM floe.operations WHERE finished_at IS NULL"), 0, "nothing is left under way")


if __name__ == "__main__":
    main()
