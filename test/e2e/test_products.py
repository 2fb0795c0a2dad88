"""The other ways in which Polaris, Lakekeeper and Gravitino are met: floe against the habits that test_catalogs.py's one row for each does not show.

The dialects (test/lab/dialect.py) play the products; that they play them is test_dialects.py's.
"""
from __future__ import annotations

import http.server
import json
import os
import re
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pyarrow as pa
from catalog_rights import dialect
from harness import Tap, lab
from lakehouse import Lakehouse, catalog_definition
from pyiceberg.catalog import load_catalog

from catalogs import LabCatalog, _dialect_writer, _token

NS = f"prod_{int(time.time())}"
ROWS = pa.table({"id": list(range(10))})
SETTINGS = {"floe.request_timeout": "5s", "floe.connect_timeout": "2s", "floe.allowed_hosts": "127.0.0.1, localhost"}


def answers(method: str, path: str) -> list[str]:
    """Status codes that the dialects gave to floe for paths that match, oldest first."""
    log = Path(os.environ["FLOE_RUN"], "dialects.log").read_text(encoding="utf-8")
    return re.findall(rf'"{method} {path} HTTP/1\.1" (\d+) - floe', log)


class TokenEndpoint:
    """One that refuses everybody, and keeps the names of the headers that it got."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802
                seen.append([one.lower() for one in self.headers.keys()])
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, form: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_address[1]}/token"

    def __enter__(self) -> "TokenEndpoint":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


class Meeting:
    """One SERVER of floe's and one writer of the same catalog."""

    def __init__(self, t: Tap, pg: Lakehouse):
        self.t, self.pg = t, pg

    def add(self, name: str, of: str, server: dict[str, str | None], mapping: dict[str, str | None]) -> None:
        """A server as test_catalogs.py has it, with these changes; None: without."""
        def merged(first: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
            return {key: value for key, value in {**first, **changes}.items() if value is not None}

        first = catalog_definition(of)
        self.pg.add_server(name, "floe_catalog", "rest", merged(first[0], server), merged(first[1], mapping))

    def look(self, name: str) -> None:
        self.pg.sql("SELECT floe.refresh(%s)", (f"{name}.**",))
        self.pg.maintain(f"{name}.**")

    def status(self, name: str, *levels: str) -> str | None:
        return self.pg.value("SELECT status FROM floe.tables WHERE name = %s", (self.pg.format_name([name, *levels]),))

    def said(self, name: str) -> tuple[str, str]:
        """What check_catalog() says: its code, and its words."""
        checked = self.pg.sql("SELECT * FROM floe.check_catalog(%s)", (name,))[0]
        return "ok" if checked["success"] else checked["detail"]["code"], f"{checked['message']} {checked['detail'].get('detail')}"

    def refused(self, name: str, code: str, words: str, what: str) -> None:
        found = self.said(name)
        self.t.ok(found[0] == code and words in found[1], what, found)

    # ---- Polaris ----

    def polaris(self) -> None:
        writer = LabCatalog("polaris").catalog
        writer.create_namespace(NS)
        writer.create_table((NS, "t"), ROWS.schema).append(ROWS)
        keys = {"s3_endpoint": os.environ["FLOE_S3_URI"], "s3_region": os.environ["FLOE_S3_REGION"]}, {"s3_access_key_id": os.environ["FLOE_S3_KEY"], "s3_secret_access_key": os.environ["FLOE_S3_SECRET"]}
        self.add("p_realm", "polaris", {"header.Polaris-Realm": "nowhere"}, {})
        self.refused("p_realm", "not_found", "MissingOrInvalidRealm", "Polaris: a realm that is not there")
        self.add("p_default", "polaris", {"header.Polaris-Realm": None}, {})
        self.refused("p_default", "auth", "unauthorized_client", "Polaris: the default realm does not know the client")
        self.add("p_role", "polaris", {"scope": "PRINCIPAL_ROLE:writer"}, {})
        self.refused("p_role", "forbidden", "activated PrincipalRoles '[]'", "Polaris: a principal role that floe has not")
        self.add("p_nowhere", "polaris", {"warehouse": "nowhere"}, {})
        self.refused("p_nowhere", "not_found", "Unable to find warehouse nowhere", "Polaris: a catalog that is not there")
        with TokenEndpoint() as elsewhere:
            self.add("p_elsewhere", "polaris", {"oauth2_server_uri": elsewhere.uri}, {})
            self.said("p_elsewhere")
            self.t.ok(elsewhere.seen and not any("polaris-realm" in one for one in elsewhere.seen), "Polaris: a token endpoint elsewhere does not get the catalog's headers", elsewhere.seen)
        self.add("p_keys", "polaris", keys[0], keys[1])
        first = dialect("polaris")
        try:
            dialect("polaris", {"realms": {"floe-lab": {"grants": {"maintainer": {"lake": ["NAMESPACE_LIST", "TABLE_READ_PROPERTIES"]}}}}})
            self.look("p_keys")
            self.t.equal(self.status("p_keys", NS, "t"), "ok", "Polaris: with keys of one's own the right to a table's properties is enough")
        finally:
            dialect("polaris", first)
        self.look("p_keys")
        self.t.equal(answers("GET", f"/api/catalog/v1/lake/namespaces/{NS}/tables/t")[-1], "304", "Polaris: what did not change is a 304")

    # ---- Lakekeeper ----

    def lakekeeper(self) -> None:
        writer = LabCatalog("lakekeeper").catalog
        writer.create_namespace(NS)
        for name in ("Mixed", "lower", "old"):
            writer.create_table((NS, name), ROWS.schema, properties={"write.metadata.previous-versions-max": "2"}).append(ROWS)
        for _ in range(4):
            writer.load_table((NS, "old")).append(ROWS)
        self.add("lk", "lakekeeper", {"warehouse": "LAB", "header.x-project-id": "00000000-0000-0000-0000-000000000000"}, {})
        first = dialect("lakekeeper")
        try:
            dialect("lakekeeper", {"max_page": 2})
            self.look("lk")
            found = self.pg.value("SELECT array_agg(name ORDER BY name COLLATE \"C\") FROM floe.tables WHERE status = 'ok' AND name LIKE %s", (f"lk.{NS}.%",))
            self.t.equal(found, [self.pg.format_name(["lk", NS, one]) for one in ("Mixed", "lower", "old")],
                         "Lakekeeper: pages of two, a warehouse in capitals: every table once, spelled as it was made")
        finally:
            dialect("lakekeeper", first)
        location = writer.load_table((NS, "old")).metadata_location
        self.t.ok(location.endswith(".gz.metadata.json"), "Lakekeeper: its metadata files are compressed without a property that says so", location)
        self.look("lk")
        self.t.equal(answers("GET", f"/catalog/v1/[^/]*/namespaces/{NS}/tables/old")[-1], "304", "Lakekeeper: with client-managed what did not change is a 304")
        self.add("lk_project", "lakekeeper", {"header.x-project-id": "11111111-0000-0000-0000-000000000000"}, {})
        self.refused("lk_project", "not_found", "or does not show it to these credentials", "Lakekeeper: a warehouse of another project")
        self.add("lk_own", "lakekeeper", {"oauth2_server_uri": None}, {})
        self.refused("lk_own", "auth", "token endpoint", "Lakekeeper: it has no token endpoint of its own, and floe says that this failed")
        self.dropped(writer)
        self.vended()

    def dropped(self, writer: Any) -> None:
        name = self.pg.format_name(["lk", NS, "Mixed"])
        uuid = writer.load_table((NS, "Mixed")).metadata.table_uuid
        writer.drop_table((NS, "MIXED"))
        self.look("lk")
        self.t.equal(self.status("lk", NS, "Mixed"), "dropped", "Lakekeeper: what is soft-deleted is dropped")
        writer.create_table((NS, "Mixed"), ROWS.schema).append(ROWS)
        self.look("lk")
        row = self.pg.sql("SELECT status, data_file_count FROM floe.tables WHERE name = %s", (name,))
        self.t.equal([(one["status"], one["data_file_count"]) for one in row], [("ok", 1)], "Lakekeeper: another one under its name is a table again")
        prefix = warehouse_id()
        request = urllib.request.Request(f"{os.environ['FLOE_DIALECTS_URI']}/management/v1/warehouse/{prefix}/deleted-tabulars", headers={"Authorization": f"Bearer {_token('writer')}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.t.ok(str(uuid) in [one["id"] for one in json.load(answer)["tabulars"]], "Lakekeeper: the first one is among the deleted")

    def vended(self) -> None:
        """A warehouse with STS, and a floe without keys of its own."""
        writer = load_catalog("sts", type="rest", uri=os.environ["FLOE_LAKEKEEPER_URI"], warehouse="sts", token=_token("writer"), **{"header.X-Iceberg-Access-Delegation": "vended-credentials"})
        writer.create_namespace(NS)
        writer.create_table((NS, "t"), ROWS.schema).append(ROWS)
        own = ("s3_endpoint", "s3_region", "access_delegation")
        self.add("lk_sts", "lakekeeper", {"warehouse": "sts", **{key: None for key in own}}, {"s3_access_key_id": None, "s3_secret_access_key": None})
        self.look("lk_sts")
        self.t.equal(self.status("lk_sts", NS, "t"), "ok", "Lakekeeper: files are read with the keys that it vends")
        self.look("lk_sts")
        self.t.equal(answers("GET", f"/catalog/v1/[^/]*/namespaces/{NS}/tables/t")[-1], "304", "Lakekeeper: a tag with a time is a 304 while the keys are good")
        self.add("lk_none", "lakekeeper", {key: None for key in own}, {"s3_access_key_id": None, "s3_secret_access_key": None})
        self.look("lk_none")
        row = self.pg.sql("SELECT status, error, error_detail FROM floe.tables WHERE name = %s", (self.pg.format_name(["lk_none", NS, "lower"]),))[0]
        self.t.ok(row["status"] == "error", "Lakekeeper: without STS and without keys of one's own the files cannot be read, and that is said", row)
        self.t.note(f"{row['error']}: {row['error_detail']}")

    # ---- Gravitino ----

    def gravitino(self) -> None:
        for warehouse in ("lake", "second"):
            writer = load_catalog(warehouse, type="rest", uri=os.environ["FLOE_GRAVITINO_URI"], warehouse=warehouse, **_dialect_writer("gravitino"))
            writer.create_namespace(NS)
            writer.create_table((NS, warehouse), ROWS.schema).append(ROWS)
        oauth2 = {"oauth2_server_uri": os.environ["FLOE_OAUTH2_URI"] + "/token", "scope": "floe"}
        nobody = {"username": None, "password": None, "client_id": "floe", "client_secret": "any"}
        self.add("g_lake", "gravitino", {}, {})
        self.add("g_second", "gravitino", {"warehouse": "second", **oauth2}, nobody)
        for name in ("g_lake", "g_second"):
            self.look(name)
        found = self.pg.value("SELECT array_agg(name || ' ' || status ORDER BY name) FROM floe.tables WHERE name ~ %s", (rf"^g_\w+\.{NS}\.",))
        self.t.equal(found, [f"g_lake.{NS}.lake ok", f"g_second.{NS}.second ok"], "Gravitino: two catalogs of one server, one with OAuth2, each with its own tables")
        self.add("g_stranger", "gravitino", {**oauth2, "scope": "nobody"}, nobody)
        self.refused("g_stranger", "auth", "NotAuthorizedException", "Gravitino: a token of somebody whom it does not know")
        self.add("g_nowhere", "gravitino", {"warehouse": "nowhere"}, {})
        self.refused("g_nowhere", "not_found", "Couldn't find Iceberg configuration for nowhere", "Gravitino: a catalog that is not there")


def warehouse_id() -> str:
    """The id of Lakekeeper's warehouse lab."""
    request = urllib.request.Request(os.environ["FLOE_LAKEKEEPER_URI"] + "/v1/config?warehouse=lab", headers={"Authorization": f"Bearer {_token('writer')}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["defaults"]["prefix"]


def main() -> None:
    with Tap() as t, Lakehouse(conf=SETTINGS) as pg:
        try:
            lab("start", "oauth2", "dialects")
            meeting = Meeting(t, pg)
            meeting.polaris()
            meeting.lakekeeper()
            meeting.gravitino()
        finally:
            lab("stop", "dialects", "oauth2")


if __name__ == "__main__":
    main()
