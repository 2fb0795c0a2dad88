"""Policies that Polaris keeps, followed: made and attached by Polaris's requests (the dialect), read by floe, carried out by Spark.

What documents mean and how attachments become policies is held by sql/046 and 047; here it is the way from the one to the other, and what goes wrong on it.
"""
from __future__ import annotations

import json
import os
import re
import time
from typing import Any

import pyarrow as pa
from badinput import Catalog, Mock
from catalog_rights import dialect
from harness import Tap, lab
from lakehouse import Lakehouse, catalog_definition
from test_dialects import call

from catalog import answer, as_json, error, hang
from catalogs import LabCatalog

NS = f"pol_{int(time.time())}"
ROWS = pa.table({"id": list(range(10))})
SETTINGS = {"floe.request_timeout": "5s", "floe.connect_timeout": "2s", "floe.allowed_hosts": "127.0.0.1, localhost"}
EXPIRE, COMPACT, ORPHANS = "system.snapshot-expiry", "system.data-compaction", "system.orphan-file-removal"


class Polaris:
    """Its administrator, by its own API."""

    def __init__(self) -> None:
        self.base = os.environ["FLOE_POLARIS_URI"]
        form = {"grant_type": "client_credentials", "client_id": "floe-client", "client_secret": "floe-secret", "scope": "PRINCIPAL_ROLE:ALL"}
        self.bearer = call("POST", self.base + "/v1/oauth/tokens", form=form, Polaris_Realm="floe-lab")[1]["access_token"]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        status, found, _ = call(method, f"{self.base}/polaris/v1/lake/namespaces/{NS}/policies{path}", body, Authorization=f"Bearer {self.bearer}", Polaris_Realm="floe-lab",
                                Content_Type="application/json")
        assert status in (200, 204), (method, path, status, found)
        return found

    def make(self, name: str, kind: str, **content: Any) -> None:
        self.ask("POST", "", {"name": name, "type": kind, "content": json.dumps(content)})

    def change(self, name: str, **content: Any) -> None:
        version = self.ask("GET", "/" + name)["policy"]["version"]
        self.ask("PUT", "/" + name, {"content": json.dumps(content), "current-policy-version": version})

    def attach(self, name: str, *path: str, table: bool = False) -> None:
        self.ask("PUT", f"/{name}/mappings", {"target": target(path, table)})

    def detach(self, name: str, *path: str, table: bool = False) -> None:
        self.ask("POST", f"/{name}/mappings", {"target": target(path, table)})


def target(path: tuple[str, ...], table: bool) -> dict[str, Any]:
    return {"type": "table-like" if table else "namespace", "path": list(path)} if path else {"type": "catalog"}


class Followed:
    """floe's server "lake", and what it makes of the policies."""

    def __init__(self, t: Tap, pg: Lakehouse):
        self.t, self.pg = t, pg
        server, mapping = catalog_definition("polaris")
        pg.add_server("lake", "floe_catalog", "rest", {**server, "policy_source": "polaris"}, mapping)

    def look(self) -> None:
        self.pg.sql("SELECT floe.refresh('lake.**')")
        self.pg.maintain("lake.**")

    def asked(self) -> int:
        """How many questions for policies the dialect has answered to floe."""
        with open(os.path.join(os.environ["FLOE_RUN"], "dialects.log"), encoding="utf-8") as log:
            return sum("/applicable-policies" in line and "- floe" in line for line in log)

    def policies(self) -> dict[str, Any]:
        return {one["name"]: one for one in self.pg.sql("SELECT * FROM floe.catalog_policies")}

    def options(self, *levels: str) -> dict[str, Any]:
        """What floe would do with a table."""
        rows = self.pg.sql("SELECT operation, setting, value FROM floe.effective_policy(%s) WHERE operation IS NOT NULL AND (setting LIKE 'options.%%' OR setting = 'enabled')",
                           (self.pg.format_name(["lake", *levels]),))
        return {f"{row['operation']}.{row['setting'].removeprefix('options.')}": row["value"] for row in rows}

    def error(self) -> str | None:
        return self.pg.value("SELECT policies_error FROM floe.catalogs WHERE name = 'lake'")

    # ---- the tests, in their order ----

    def attach_and_follow(self, polaris: Polaris) -> None:
        equal = self.t.equal
        polaris.make("week", EXPIRE, enable=True, config={"max_snapshot_age_days": 7, "min_snapshot_to_keep": 2, "max_ref_age_days": 3})
        polaris.make("now", EXPIRE, enable=True, config={"max_snapshot_age_days": 0})
        polaris.make("never", EXPIRE, enable=False)
        polaris.make("compact", COMPACT, enable=True, config={"target_file_size_bytes": 1048576})
        polaris.attach("week")
        polaris.attach("now", NS, "inner")
        polaris.attach("never", NS, "inner", "off", table=True)
        polaris.attach("compact", NS)
        self.look()
        equal(self.error(), None, "the policies are read")
        equal({name: (one["target_kind"], one["target"], one["left_out"], one["problem"]) for name, one in self.policies().items()},
              {"week": ("catalog", None, ["max_ref_age_days"], None), "now": ("namespace", f"{NS}.inner", [], None), "never": ("table", f"{NS}.inner.off", [], None),
               "compact": ("namespace", NS, [], None)}, "each attachment is there, with what of it means nothing")
        for levels, enabled, age, last, what in (((NS, "t"), "true", "7 days", "2", "a table inherits"),
                                                 ((NS, "inner", "on"), "true", "0 seconds", "1", "a namespace's own takes the place of the catalog's, all of it: the last is Iceberg's default"),
                                                 ((NS, "inner", "off"), "false", "5 days", "1", "and a table's that of the namespace")):
            equal(self.options(*levels), {"expire_snapshots.enabled": enabled, "expire_snapshots.max_snapshot_age": age, "expire_snapshots.retain_last": last,
                                          "rewrite_data_files.enabled": "true", "rewrite_data_files.target_file_size": "1048576"}, what)

    def carry_out(self, writer: Any) -> None:
        """The engine is a person's policy; that a snapshot may go, Polaris's."""
        self.pg.sql("SELECT floe.create_policy('engine', 'lake.**', '{\"engine\": \"spark\", \"rewrite_data_files\": {\"enabled\": false}}')")
        before = {name: len(writer.load_table((NS, "inner", name)).metadata.snapshots) for name in ("on", "off")}
        self.pg.sql("SELECT floe.trigger(%s, ARRAY['expire_snapshots'])", (self.pg.format_name(["lake", NS, "inner", "on"]),))
        self.pg.maintain("lake.**", wait=True)
        ended = self.pg.sql("SELECT state, statement FROM floe.operations WHERE operation = 'expire_snapshots'")
        after = {name: len(writer.load_table((NS, "inner", name)).metadata.snapshots) for name in ("on", "off")}
        self.t.ok([one["state"] for one in ended] == ["succeeded"], "Polaris's policy is carried out by Spark", ended)
        self.t.equal((before, after), ({"on": 3, "off": 3}, {"on": 1, "off": 3}), "and only where it says so")

    def change_and_detach(self, polaris: Polaris) -> None:
        equal = self.t.equal
        polaris.change("week", enable=True, config={"max_snapshot_age_days": 9})
        polaris.detach("never", NS, "inner", "off", table=True)
        polaris.make("orphans", ORPHANS, enable=True, locations=["s3://lake/elsewhere"])
        polaris.attach("orphans")
        self.look()
        found = self.policies()
        changed = self.options(NS, "t")
        equal((found["week"]["version"], changed["expire_snapshots.max_snapshot_age"], changed["expire_snapshots.retain_last"]), ("1", "9 days", "1"), "a new version is followed")
        equal((sorted(found), self.options(NS, "inner", "off").get("expire_snapshots.enabled")), (["compact", "now", "orphans", "week"], "true"), "what was detached is gone, and what is above holds")
        self.t.ok("own location only" in found["orphans"]["problem"] and self.options(NS, "t").get("remove_orphan_files.enabled") == "false", "what floe does not do is off, and says why", found["orphans"])

    def fail(self, first: Any) -> None:
        equal, before = self.t.equal, self.policies()
        try:
            dialect("polaris", {"realms": {"floe-lab": {"grants": {"maintainer": {"lake": ["TABLE_LIST", "NAMESPACE_LIST", "TABLE_READ_DATA"]}}}}})
            self.look()
            # of the first that is refused, of several that are asked for at a time
            self.t.ok(re.match(r"get policies of .*: the catalog answered 403", str(self.error())), "a principal that may not read policies: an error with the reason", self.error())
            equal(self.policies(), before, "and what was read before stays")
            equal(self.pg.value("SELECT status FROM floe.catalogs WHERE name = 'lake'"), "ok", "the catalog itself is well")
        finally:
            dialect("polaris", first)
        self.look()
        equal(self.error(), None, "the grant is given back: it is read again")

    def leave(self) -> None:
        asked = self.asked()
        self.t.ok(asked > 10, "the dialect has been asked for policies", asked)
        self.pg.sql("ALTER SERVER lake OPTIONS (DROP policy_source)")
        self.look()
        self.t.equal((self.policies(), self.pg.value("SELECT array_agg(name) FROM floe.policy"), self.asked()), ({}, ["engine"], asked), "without policy_source they go, and nobody is asked")


def misbehave(t: Tap, pg: Lakehouse) -> None:
    """Answers that are none: a reason, and nothing changed; the catalog's tables are looked at as ever."""
    policy = {"policy-type": EXPIRE, "inheritable": True, "inherited": False, "name": "p", "version": 0, "content": '{"enable": true}', "namespace": ["n"]}
    endless = iter(range(10**6))

    def page(exchange: Any) -> None:
        exchange.send(as_json({"applicable-policies": [], "next-page-token": str(next(endless))}))

    cases: list[tuple[str, Any, str]] = [
        ("same_token", answer(200, '{"applicable-policies": [], "next-page-token": "x"}'), "the pages do not come to an end"),
        ("endless", page, "the pages do not come to an end"),
        ("none", error(404, "NotFoundException"), "has no policies as Polaris has them"),
        ("refused", error(403, "ForbiddenException", "Principal 'floe' is not authorized for op GET_APPLICABLE_POLICIES_ON_CATALOG"), "get policies of the catalog"),
        ("broken", error(500), "get policies of the catalog"),
        ("silent", hang, "get policies of the catalog"),
        ("html", answer(200, "<html>"), "answer to get policies"),
        ("empty", answer(200, "{}"), '"applicable-policies" is missing'),
        ("a_number", answer(200, '{"applicable-policies": 7}'), "applicable-policies"),
        ("numbers", answer(200, '{"applicable-policies": [7]}'), "entry 0"),
        ("no_type", as_behaviour({**policy, "policy-type": 7}), "entry 0"),
        ("no_name", as_behaviour({**policy, "name": None}), "entry 0"),
        ("content", as_behaviour({**policy, "content": {"enable": True}}), "entry 0"),
        ("namespace", as_behaviour({**policy, "namespace": 5}), "entry 0"),
        ("nul", as_behaviour({**policy, "name": "a\0b"}), ""),
        ("many", answer(200, json.dumps({"applicable-policies": [policy] * 1001})), "there are more than 1000"),
        ("deep", answer(200, '{"applicable-policies": ' + "[" * 10000 + "]" * 10000 + "}"), "answer to get policies"),
        ("big", answer(200, '{"applicable-policies": [], "x": "' + "y" * (5 * 1024 * 1024) + '"}'), "exceeds 4194304 bytes"),
    ]
    with Mock() as mock:
        servers: dict[str, Catalog] = {}
        for name, behaviour, _ in cases:
            servers[name] = mock.catalog(name)
            servers[name].misbehave("GET /polaris/v1/", behaviour)
            pg.add_server(name, "floe_catalog", "rest", {"uri": mock.uri + "/" + name, "policy_source": "polaris"}, {"token": "x"})
        pg.maintain()
        for name, _, words in cases:
            row = pg.sql("SELECT status, policies_error, policies_read_at FROM floe.catalogs WHERE name = %s", (name,))[0]
            t.ok(row["status"] == "ok" and row["policies_error"] is not None and words in row["policies_error"] and row["policies_read_at"] is None, f"{name}: a reason, and the catalog is well", row)
        t.equal(pg.value("SELECT count(*) FROM floe.catalog_policies WHERE catalog <> 'lake'"), 0, "none of it became a policy")


def as_behaviour(policy: dict[str, Any]) -> Any:
    return answer(200, json.dumps({"applicable-policies": [policy]}))


def follow(t: Tap, pg: Lakehouse) -> None:
    writer = LabCatalog("polaris").catalog
    first = dialect("polaris")  # what is attached here must not be there for the next test
    polaris = Polaris()
    for levels in ((NS,), (NS, "inner")):
        writer.create_namespace(levels)
    for levels, name, commits in (((NS,), "t", 1), ((NS, "inner"), "on", 3), ((NS, "inner"), "off", 3)):
        table = writer.create_table((*levels, name), ROWS.schema)
        for _ in range(commits):
            table.append(ROWS)
    pg.add_engine()
    followed = Followed(t, pg)
    try:
        followed.attach_and_follow(polaris)
        followed.carry_out(writer)
        followed.change_and_detach(polaris)
        followed.fail(dialect("polaris"))
        followed.leave()
    finally:
        call("PUT", os.environ["FLOE_DIALECTS_URI"] + "/lab/polaris", first)


def main() -> None:
    with Tap() as t, Lakehouse(conf=SETTINGS) as pg:
        try:
            lab("start", "oauth2", "dialects")
            follow(t, pg)
        finally:
            lab("stop", "dialects", "oauth2")
        misbehave(t, pg)


if __name__ == "__main__":
    main()
