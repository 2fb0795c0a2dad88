"""Names that need care, in every catalog that allows them: listed, assessed as the judge says, and rewritten by Spark.

What a catalog refuses is asked for, too, so that the table in docs/catalogs.md says what is so. Its own file, because what it shows is of names
and not of catalogs (test_catalogs.py): each kind of name stands at a table and at a level of a namespace, and namespaces are four levels deep.
"""
from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow as pa
from harness import Tap, differences, judge, lab
from judge import run as judge_run
from lakehouse import Lakehouse

from catalogs import LabCatalog, _hive

NS = f"names_{int(time.time())}"
KINDS = {"dot": "do.t", "double quote": 'dou"ble', "single quote": "sin'gle", "space": "spa ce", "upper case": "UPPER", "non-ASCII": "naïve_☃_表",
         "percent": "per%41cent", "slash": "sla/sh", "backtick": "back`tick", "backslash": "back\\slash", "plus": "a+b"}
EVERY = frozenset(KINDS)
# Four levels below the first, and what can be in a name at all: the table that Spark rewrites.
DEEP = ("Über Alles", 'q"uo\'te', "ba`ck, tick", "d")
DEEP_TABLE = "Ta b.le \"x'`; --"
ROWS = 7
SCHEMA = pa.schema([("id", pa.int64())])


@dataclass
class Rule:
    """What a catalog makes of names. stuck: it makes what it refuses, and then lets nobody ask for it; split: a dot in a namespace's level makes
    it two; folded: upper case becomes lower case."""
    tables: frozenset[str] = frozenset()        # the kinds it refuses
    namespaces: frozenset[str] = frozenset()
    stuck: bool = False
    split: bool = False
    folded: bool = False
    nested: bool = True
    deep: tuple[str, ...] = DEEP
    deep_table: str = DEEP_TABLE
    needs: list[str] = field(default_factory=list)   # servers that run for this row only


# Its Jetty refuses them in a URI, however they are encoded.
IN_URI = frozenset({"percent", "slash", "backslash"})
HIVE_TABLES = EVERY - {"upper case", "slash"}
IN_HIVE4 = frozenset({"non-ASCII", "backslash"})
RULES = {
    "rest": Rule(IN_URI, IN_URI, stuck=True, split=True),
    "rest_old": Rule(split=True, needs=["iceberg-rest-old"]),
    "seaweedfs": Rule(EVERY, EVERY, deep=("a", "b", "c", "d"), deep_table="t"),
    # Java's client writes a space in a path as "+", which Nessie takes for a plus: Spark does not find such a table.
    "nessie": Rule(deep=tuple(level.replace(" ", "") for level in DEEP), deep_table=DEEP_TABLE.replace(" ", ""), needs=["nessie"]),
    "nessie_rest": Rule(needs=["nessie"]),
    "hive3": Rule(HIVE_TABLES, EVERY - {"upper case"}, folded=True, nested=False, needs=["database", "hive3"]),
    "hive4": Rule(IN_HIVE4, IN_HIVE4, folded=True, nested=False, needs=["database", "hive3", "hive4"]),
    "jdbc": Rule(split=True, needs=["database"]),
    "here": Rule(split=True, needs=["database"]),
}
# Where the tables of a row come from, when not from itself.
WRITTEN = {"nessie_rest": "nessie", "here": "jdbc"}
# Spark of this version cannot speak with Hive 4, and needs an address of a database; each protocol is shown once, each separator of namespaces, too.
REWRITTEN = ("rest", "rest_old", "seaweedfs", "nessie", "hive3", "jdbc")
MADE: dict[str, list["Made"]] = {}


@dataclass
class Made:
    levels: tuple[str, ...]
    metadata: str = ""   # its file, of a table that the judge cannot have from the catalog


class Row:
    def __init__(self, t: Tap, pg: Lakehouse, name: str):
        self.t, self.pg, self.name, self.rule = t, pg, name, RULES[name]
        self.lab = LabCatalog(WRITTEN.get(name, "hive3" if name == "hive4" else name))
        self.made: list[Made] = []

    def ok(self, condition: Any, what: str, *more: Any) -> bool:
        return self.t.ok(condition, f"{self.name}: {what}", *more)

    # ---- making ----

    def create(self, levels: tuple[str, ...]) -> Made:
        catalog = self.lab.catalog
        for i in range(1, len(levels)):
            catalog.create_namespace_if_not_exists(levels[:i])
        table = catalog.create_table(levels, SCHEMA, location=self.lab.location(levels))
        for _ in range(2):
            table.append(pa.table({"id": list(range(ROWS))}, SCHEMA))
        return Made(levels)

    def kept(self, levels: tuple[str, ...], is_namespace: bool) -> tuple[str, ...]:
        """What the catalog calls it."""
        if self.rule.folded:
            return tuple(level.lower() for level in levels)
        if self.rule.split and is_namespace:
            return (*".".join(levels[:-1]).split("."), levels[-1])
        return levels

    def try_one(self, kind: str, what: str, levels: tuple[str, ...], refused: frozenset[str]) -> None:
        try:
            made = self.create(levels)
        except Exception as error:
            self.ok(kind in refused, f"a {what} with a {kind} is refused by the catalog itself: {type(error).__name__}", error)
            return
        if self.ok(kind not in refused, f"a {what} with a {kind} is allowed"):
            made.levels = self.kept(levels, what == "namespace")
            self.made.append(made)

    def make(self) -> None:
        for kind, name in KINDS.items():
            self.try_one(kind, "table", (f"{NS}_t", name), self.rule.tables)
            self.try_one(kind, "namespace", (f"{NS}_n", name, "t") if self.rule.nested else (f"{NS}_{name}", "t"), self.rule.namespaces)
        if self.rule.nested:
            self.made.append(self.create((f"{NS}_d", *self.rule.deep, self.rule.deep_table)))
        else:
            try:
                self.create((f"{NS}_d", "b", "t"))
                self.ok(False, "it has one level of namespaces")
            except Exception as error:
                self.ok(True, f"it has one level of namespaces: {type(error).__name__}")

    def make_in_hive4(self) -> None:
        """pyiceberg cannot write to it: one table of hive3, under every name."""
        plain = self.lab.catalog.load_table(self.create((f"{NS}_4", "plain")).levels).metadata_location
        with _hive(os.environ["FLOE_HIVE3_URI"]) as old, _hive(os.environ["FLOE_HIVE4_URI"]) as new:
            table, database = old.get_table(f"{NS}_4", "plain"), old.get_database(f"{NS}_4")
            new.create_database(database)
            place = database.locationUri

            def put(kind: str, what: str, namespace: str, name: str, refused: frozenset[str]) -> None:
                database.name, database.locationUri = namespace, f"{place}_{len(self.made)}_{kind.replace(' ', '_')}"
                table.dbName, table.tableName = namespace, name
                try:
                    if what == "namespace":
                        new.create_database(database)
                    new.create_table(table)
                except Exception as error:
                    self.ok(kind in refused, f"a {what} with a {kind} is refused by the catalog itself: {type(error).__name__}", error)
                    return
                if self.ok(kind not in refused, f"a {what} with a {kind} is allowed"):
                    self.made.append(Made(self.kept((namespace, name), False), plain))

            for kind, name in KINDS.items():
                put(kind, "table", f"{NS}_4", name, self.rule.tables)
                put(kind, "namespace", f"{NS}_{name}4", "t", self.rule.namespaces)

    def copy_here(self) -> None:
        """The rows of the other database, in this one."""
        there = psycopg2.connect("postgresql://lab:labsecret@" + os.environ["FLOE_DATABASE_URI"].split("://")[1] + "/iceberg")
        with there.cursor() as cursor:
            cursor.execute("SELECT 'here', table_namespace, table_name, metadata_location FROM iceberg_tables WHERE table_namespace LIKE %s", (f"{NS}%",))
            rows = cursor.fetchall()
        there.close()
        self.pg.sql("CREATE TABLE iceberg_tables (catalog_name text, table_namespace text, table_name text, metadata_location text)")
        for row in rows:
            self.pg.sql("INSERT INTO iceberg_tables VALUES (%s, %s, %s, %s)", row)

    # ---- what floe makes of them ----

    def add(self) -> None:
        if self.name == "here":
            io = self.lab.io
            self.pg.add_server("here", "floe_catalog", "jdbc", {"uri": "postgresql:///", "s3_endpoint": io["s3.endpoint"], "s3_region": io["s3.region"]},
                               {"s3_access_key_id": io["s3.access-key-id"], "s3_secret_access_key": io["s3.secret-access-key"]})
        else:
            self.pg.add_catalog(self.name)

    def listed(self) -> None:
        wanted = {self.pg.format_name([self.name, *one.levels]) for one in self.made}
        found = {row["name"] for row in self.pg.sql("SELECT name FROM floe.tables WHERE status <> 'dropped' AND name LIKE %s", (f"{self.name}.%{NS}%",))}
        found -= {f"{self.name}.{NS}_4.plain"}
        if self.rule.stuck:
            found -= self.stuck()
        self.ok(found == wanted and wanted, f"all {len(wanted)} are listed, and nothing else", wanted - found, found - wanted)

    def stuck(self) -> set[str]:
        """Tables that nobody can load are an error of theirs, namespaces whose tables nobody can list are counted, and neither is in the others' way."""
        names = {self.pg.format_name([self.name, f"{NS}_t", KINDS[kind]]) for kind in self.rule.tables}
        rows = self.pg.sql("SELECT name, error_detail, error FROM floe.tables WHERE status = 'error' AND name = ANY (%s)", (list(names),))
        self.ok({row["name"] for row in rows} == names and all("400" in row["error"] for row in rows), "a table that the server refuses to be asked for has that error", rows)
        found = self.pg.sql("SELECT status, refused_namespaces FROM floe.catalogs WHERE name = %s", (self.name,))[0]
        self.ok(found["status"] == "ok" and found["refused_namespaces"] >= len(self.rule.namespaces), "a namespace that the server refuses to be asked for counts as refused", found)
        return names

    def assessed(self) -> None:
        for one in self.made:
            name = self.pg.format_name([self.name, *one.levels])
            row = self.pg.sql("SELECT * FROM floe.tables WHERE name = %s", (name,))
            if not self.ok(row and row[0]["status"] == "ok", f"{name} is assessed", row):
                continue
            wanted = (judge_run(["--metadata", one.metadata]) if one.metadata else judge(self.lab.name, one.levels))["metrics"]
            wrong = differences(self.pg.metrics(name), wanted)
            self.ok(wanted["data_file_count"] == 2 and not wrong, f"{name}: health equals the judge's", *wrong)

    def rewritten(self) -> None:
        one = self.made[-1] if self.rule.nested else next(one for one in self.made if one.levels[-1] == KINDS["slash"])
        name = self.pg.format_name([self.name, *one.levels])
        policy = {"engine": "spark", "rewrite_data_files": {"options": {"rewrite_all": True}}}
        self.pg.sql("SELECT floe.create_policy(%s, %s, %s)", (f"names_{self.name}", name, json.dumps(policy)))
        verdict = self.pg.sql("SELECT * FROM floe.trigger(%s, ARRAY['rewrite_data_files'])", (name,))[0]
        self.pg.maintain(name, wait=True)
        row = self.pg.sql("SELECT state, error FROM floe.operations WHERE id = %s", (verdict["operation_id"],))
        self.ok([one["state"] for one in row] == ["succeeded"], f"{name}: rewritten by Spark", verdict, row)
        table = self.lab.catalog.load_table(one.levels)
        self.ok(len(list(table.scan().plan_files())) == 1, "two files have become one, says pyiceberg")
        self.ok(sorted(table.scan().to_arrow()["id"].to_pylist()) == sorted(list(range(ROWS)) * 2), "with the same rows")
        self.ok(self.pg.metrics(name)["data_file_count"] == 1, "and floe knows it")

    def run(self) -> None:
        if self.name in WRITTEN:
            self.made = MADE[WRITTEN[self.name]]
        elif self.name == "hive4":
            self.make_in_hive4()
        else:
            self.make()
            MADE[self.name] = self.made
        if self.name == "here":
            self.copy_here()
        self.add()
        self.pg.maintain(f"{self.name}.**")
        self.listed()
        self.assessed()


def forget_stuck() -> None:
    """No request can drop them, and whoever looks at this server next would stumble: out of its catalog's own database."""
    with closing(sqlite3.connect(Path(os.environ["FLOE_RUN"]) / "iceberg-rest" / "catalog.db", timeout=30)) as catalog, catalog:
        catalog.execute("DELETE FROM iceberg_tables WHERE table_namespace LIKE ?", (f"{NS}%",))
        catalog.execute("DELETE FROM iceberg_namespace_properties WHERE namespace LIKE ?", (f"{NS}%",))


def main() -> None:
    names = sys.argv[1:] or list(RULES)
    needs = list(dict.fromkeys(server for name in names for server in RULES[name].needs))
    with Tap() as t, Lakehouse(name="names") as pg:
        pg.add_engine()
        try:
            if needs:
                lab("start", *needs)
            rows = [Row(t, pg, name) for name in names]
            for row in rows:
                row.run()
            # after all have been looked at: two of them may be looking at the same tables
            for row in rows:
                if row.name in REWRITTEN:
                    row.rewritten()
        finally:
            if "rest" in names:
                forget_stuck()
            if needs:
                lab("stop", *reversed(needs))


if __name__ == "__main__":
    main()
