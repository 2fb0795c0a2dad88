"""Branches and tags of a real Nessie: one table, as it is on each of them; Spark works on the branch that floe looks at and on no other; a tag is only read.

A branch that is deleted, or whose name is mistyped, is an error of the catalog: it says nothing of what tables there are.
"""
from __future__ import annotations

import json
import os
import time
import urllib.request
from typing import Any

import pyarrow as pa
from harness import Tap, lab
from lakehouse import Lakehouse, catalog_definition, literal
from pyiceberg.catalog import load_catalog

from catalogs import LabCatalog

NS = f"refs_{int(time.time())}"
NAME = (NS, "t")
BRANCH = f"feature/{NS}.dev-1"  # what a name of a branch may be made of
TAG = f"v1_{NS}"


def api(method: str, path: str, body: Any = None, **headers: str) -> Any:
    request = urllib.request.Request(os.environ["FLOE_NESSIE_URI"] + "/api/v2" + path, json.dumps(body).encode() if body is not None else None,
                                     {"Content-Type": "application/json", **headers}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def encoded(ref: str) -> str:
    return ref.replace("/", "%2F")


def head(ref: str) -> str:
    return api("GET", f"/trees/{encoded(ref)}")["reference"]["hash"]


def rows(first: int, count: int = 10) -> pa.Table:
    return pa.table({"id": list(range(first, first + count))})


class Refs:
    def __init__(self, t: Tap, pg: Lakehouse):
        self.t, self.pg = t, pg
        self.lab = LabCatalog("nessie")
        self.main = self.lab.catalog
        self.main.create_namespace(NS)
        table = self.main.create_table(NAME, rows(0).schema)
        for i in range(6):
            table.append(rows(10 * i))
        main = api("GET", "/trees/main")["reference"]
        api("POST", f"/trees?name={encoded(BRANCH)}&type=BRANCH", main)
        api("POST", f"/trees?name={TAG}&type=TAG", main)
        self.branch = load_catalog("branch", type="rest", uri=f"{self.lab.uri}/{encoded(BRANCH)}", warehouse=self.lab.warehouse, **self.lab.io)
        for i in range(3):
            self.branch.load_table(NAME).append(rows(100 + 10 * i))

    def add(self, name: str, kind: str = "nessie", of: str = "nessie", **server: str) -> None:
        first = catalog_definition(of)
        self.pg.add_server(name, "floe_catalog", kind, {**first[0], **server}, first[1])

    def look(self) -> None:
        self.pg.sql("SELECT floe.refresh('**')")
        self.pg.maintain("**")

    def found(self) -> dict[str, tuple[str, int | None]]:
        return {row["catalog"]: (row["status"], row["data_file_count"]) for row in self.pg.sql("SELECT split_part(name, '.', 1) AS catalog, status, data_file_count FROM floe.tables WHERE name LIKE %s",
                                                                                              (f"%.{NS}.t",))}

    def state(self, name: str) -> tuple[str, str]:
        row = self.pg.sql("SELECT status, concat_ws(' ', error, error_detail) AS said FROM floe.catalogs WHERE name = %s", (name,))[0]
        return row["status"], row["said"]


def looked_at(t: Tap, r: Refs) -> None:
    r.add("n_main")
    r.add("n_branch", ref=BRANCH)
    r.add("n_tag", ref=TAG)
    r.add("n_rest", "rest", "nessie_rest", uri=f"{r.lab.uri}/{encoded(BRANCH)}")
    r.look()
    t.equal(r.found(), {"n_main": ("ok", 6), "n_branch": ("ok", 9), "n_tag": ("ok", 6), "n_rest": ("ok", 9)}, "each reference has its own state of the table, by Nessie's API and by REST")
    for name, catalog in (("n_main", r.main), ("n_branch", r.branch)):
        t.equal(r.pg.value("SELECT current_snapshot_id FROM floe_internal.iceberg_table WHERE name = %s", (f"{name}.{NS}.t",)), catalog.load_table(NAME).current_snapshot().snapshot_id,
                f"{name}: with the snapshot that is current there")
    r.main.load_table(NAME).append(rows(500))
    r.look()
    t.equal(r.found(), {"n_main": ("ok", 7), "n_branch": ("ok", 9), "n_tag": ("ok", 6), "n_rest": ("ok", 9)}, "a commit to main is one to main")


def maintained(t: Tap, r: Refs) -> None:
    policy = {"engine": "spark", "rewrite_data_files": {"options": {"rewrite_all": True}}}
    r.pg.sql("SELECT floe.create_policy('all', '**', %s)", (json.dumps(policy),))
    heads = {ref: head(ref) for ref in ("main", BRANCH, TAG)}
    verdict = r.pg.sql("SELECT * FROM floe.trigger(%s, ARRAY['rewrite_data_files'])", (f"n_tag.{NS}.t",))[0]
    t.equal((verdict["verdict"], verdict["gate"], verdict["set_by"]), ("blocked", "writable", "server option ref: a tag"), "a tag cannot be written, and floe says why")
    before = sorted(r.branch.load_table(NAME).scan().to_arrow()["id"].to_pylist())
    verdict = r.pg.sql("SELECT * FROM floe.trigger(%s, ARRAY['rewrite_data_files'])", (f"n_branch.{NS}.t",))[0]
    r.pg.maintain(f"n_branch.{NS}.t", wait=True)
    row = r.pg.sql("SELECT state, error FROM floe.operations WHERE id = %s", (verdict["operation_id"],))[0]
    t.equal((row["state"], row["error"]), ("succeeded", None), "Spark rewrites the files of the branch")
    t.equal({ref: head(ref) == old for ref, old in heads.items()}, {"main": True, BRANCH: False, TAG: True}, "and commits to the branch alone")
    table = r.branch.load_table(NAME)
    t.equal((len(list(table.scan().plan_files())), sorted(table.scan().to_arrow()["id"].to_pylist())), (1, before), "one file with the same rows, by pyiceberg")
    r.look()
    t.equal(r.found(), {"n_main": ("ok", 7), "n_branch": ("ok", 1), "n_tag": ("ok", 6), "n_rest": ("ok", 1)}, "floe finds it there and nowhere else")


def turned(t: Tap, r: Refs) -> None:
    """The server is pointed at another reference."""
    r.pg.sql(f"ALTER SERVER n_tag OPTIONS (SET ref {literal(BRANCH)})")
    r.look()
    t.equal(r.found()["n_tag"], ("ok", 1), "with another ref the table is as it is there")
    verdict = r.pg.value("SELECT gate FROM floe.why(%s) WHERE operation = 'rewrite_data_files'", (f"n_tag.{NS}.t",))
    t.ok(verdict != "writable", "and may be written, where that is a branch", verdict)
    r.pg.sql("ALTER SERVER n_tag OPTIONS (SET ref 'mistyped')")
    r.look()
    status, said = r.state("n_tag")
    t.ok(status == "error" and "mistyped" in said, "a ref that is not there is an error of the catalog", status, said)
    t.equal(r.found()["n_tag"], ("ok", 1), "and drops nothing")


def deleted(t: Tap, r: Refs) -> None:
    api("DELETE", f"/trees/{encoded(BRANCH)}%40{head(BRANCH)}")
    # with the connection that it has, and with a new one
    r.pg.sql("UPDATE floe_internal.table_poll SET next_poll_at = '-infinity'")
    r.pg.maintain("n_branch.**")
    t.ok(r.found()["n_branch"] in {("ok", 1), ("error", 1)}, "a branch that was deleted drops nothing", r.found()["n_branch"])
    r.look()
    status, said = r.state("n_branch")
    t.ok(status == "error" and BRANCH in said, "it is an error of the catalog", status, said)
    t.ok(r.found()["n_branch"] in {("ok", 1), ("error", 1)}, "and its tables keep their last health", r.found()["n_branch"])
    r.main.drop_table(NAME)
    r.look()
    t.equal(r.found()["n_main"][0], "dropped", "a table that is dropped on main is dropped there")


def main() -> None:
    with Tap() as t, Lakehouse() as pg:
        try:
            lab("start", "nessie")
            pg.add_engine()
            refs = Refs(t, pg)
            looked_at(t, refs)
            maintained(t, refs)
            turned(t, refs)
            deleted(t, refs)
        finally:
            lab("stop", "nessie")


if __name__ == "__main__":
    main()
