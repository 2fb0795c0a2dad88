"""The dialects themselves (test/lab/dialect.py): that they check what they say they check. What floe makes of them is test_catalogs.py's.

A stand-in that lets everything through would prove nothing, so each of its refusals is asked for here, and its vended keys are tried
where they must not fit.
"""
from __future__ import annotations

import base64
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from harness import Tap, lab

NS = f"dia_{int(time.time())}"
SCHEMA = {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}]}


def call(method: str, url: str, body: Any = None, form: dict[str, str] | None = None, **headers: str) -> tuple[int, Any, Any]:
    """Status, JSON (None without a body, text when it is not JSON) and headers."""
    data = urllib.parse.urlencode(form).encode() if form is not None else json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, method=method, data=data, headers={key.replace("_", "-"): value for key, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text, found = answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        status, text, found = error.code, error.read(), error.headers
    try:
        return status, json.loads(text) if text else None, found
    except ValueError:
        return status, text.decode(), found


def error_of(answer: tuple[int, Any, Any]) -> tuple[int, str | None]:
    body = answer[1]
    return answer[0], body["error"]["type"] if isinstance(body, dict) and isinstance(body.get("error"), dict) else body["error"] if isinstance(body, dict) else body


def metadata_of(answer: tuple[int, Any, Any]) -> str:
    return answer[1]["metadata-location"]


def s3_status(location: str, config: dict[str, str], method: str = "GET") -> int:
    """What the store says to a read of location with these keys, or to another request."""
    from dialects.vending import Vending

    try:
        Vending(os.environ["FLOE_S3_URI"], config["s3.access-key-id"], config["s3.secret-access-key"], "us-east-1")._signed(
            method, "/" + location.removeprefix("s3://"), "", b"")
        return 200
    except urllib.error.HTTPError as error:
        return error.code


class Polaris:
    def __init__(self, t: Tap):
        self.t, self.base = t, os.environ["FLOE_POLARIS_URI"]
        self.admin = os.environ["FLOE_DIALECTS_URI"] + "/lab/polaris"
        self.first = call("GET", self.admin)[1]
        self.roles = self.first["realms"]["floe-lab"]["grants"]

    def token(self, client: str = "floe-client", secret: str = "floe-secret", scope: str = "PRINCIPAL_ROLE:ALL", realm: str | None = "floe-lab") -> tuple[int, Any, Any]:
        return call("POST", self.base + "/v1/oauth/tokens", form={"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "scope": scope},
                    **({"Polaris_Realm": realm} if realm else {}))

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        return call(method, f"{self.base}/{path}", body, Authorization=f"Bearer {self.bearer}", Polaris_Realm="floe-lab", Content_Type="application/json", **headers)

    def tokens(self) -> None:
        equal = self.t.equal
        equal(error_of(self.token(realm="nowhere")), (404, "MissingOrInvalidRealm"), "Polaris: a realm that is not there")
        equal(error_of(self.token(realm=None)), (401, "unauthorized_client"), "Polaris: a client of another realm is not known in the default one")
        equal(error_of(self.token(secret="wrong")), (401, "unauthorized_client"), "Polaris: a wrong secret")
        equal(error_of(self.token(scope="catalog")), (400, "invalid_scope"), "Polaris: a scope that names no principal role")
        equal(call("GET", self.base + "/v1/config?warehouse=lake", Polaris_Realm="floe-lab")[0], 401, "Polaris: no token")
        equal(call("GET", self.base + "/v1/config?warehouse=lake", Polaris_Realm="floe-lab", Authorization="Bearer x.y")[0], 401, "Polaris: a token that is not its own")
        self.bearer = self.token(scope="PRINCIPAL_ROLE:writer")[1]["access_token"]
        equal(error_of(self.ask("GET", "v1/lake/namespaces")), (403, "ForbiddenException"), "Polaris: a principal role that the principal has not is not activated")
        self.bearer = self.token()[1]["access_token"]
        equal(call("GET", self.base + "/v1/config?warehouse=lake", Authorization=f"Bearer {self.bearer}")[0], 401, "Polaris: a token of another realm")
        equal(error_of(self.ask("GET", "v1/config?warehouse=nope")), (404, "NotFoundException"), "Polaris: a catalog that is not there")
        equal(self.ask("GET", "v1/config?warehouse=lake")[1]["overrides"], {"prefix": "lake", "namespace-separator": "%1F"}, "Polaris: the prefix is the catalog's name")

    def tables(self) -> None:
        """ns.inner.t and ns.other."""
        equal = self.t.equal
        for levels in ([NS], [NS, "inner"]):
            equal(self.ask("POST", "v1/lake/namespaces", {"namespace": levels})[0], 200, f"Polaris: namespace {levels[1:]} is made")
        for place, name in ((f"{NS}%1Finner", "t"), (NS, "other")):
            equal(self.ask("POST", f"v1/lake/namespaces/{place}/tables", {"name": name, "schema": SCHEMA})[0], 200, f"Polaris: table {name} is made")
        equal(self.ask("GET", f"v1/lake/namespaces?parent={NS}")[1], {"namespaces": [[NS, "inner"]]}, "Polaris: nested namespaces are listed level by level")
        path = f"v1/lake/namespaces/{NS}%1Finner/tables/t"
        loaded = self.ask("GET", path)
        self.t.ok(loaded[2]["etag"].startswith('W/"') and self.ask("GET", path, If_None_Match=loaded[2]["etag"])[0] == 304, "Polaris: a weak tag that gives 304", loaded[2])
        equal(loaded[1].get("config"), {}, "Polaris: no keys for who asks for none")
        vended = self.ask("GET", path, X_Iceberg_Access_Delegation="vended-credentials")
        config = vended[1]["storage-credentials"][0]["config"]
        other = self.ask("GET", f"v1/lake/namespaces/{NS}/tables/other")
        equal((s3_status(metadata_of(vended), config), s3_status(metadata_of(other), config)), (200, 403), "Polaris: vended keys open this table's files and no other's")
        self.grants([{"privilege": "TABLE_READ_PROPERTIES", "on": [NS, "inner"]}, "NAMESPACE_LIST"])
        equal(self.ask("GET", path)[0], 200, "Polaris: TABLE_READ_PROPERTIES is enough to load")
        equal(error_of(self.ask("GET", path, X_Iceberg_Access_Delegation="vended-credentials")), (403, "ForbiddenException"), "Polaris: and not for keys")
        equal(error_of(self.ask("GET", f"v1/lake/namespaces/{NS}/tables/other")), (403, "ForbiddenException"), "Polaris: a grant is for what it is on")
        self.grants(["CATALOG_MANAGE_CONTENT"])

    def grants(self, privileges: list[Any]) -> None:
        call("PATCH", self.admin, {"realms": {"floe-lab": {"grants": {"maintainer": {"lake": privileges}}}}})

    def policies(self) -> None:
        """Set by the product's own requests; a test may as well PATCH them into the state."""
        equal, at = self.t.equal, f"polaris/v1/lake/namespaces/{NS}/policies"
        compaction = {"name": "compact", "type": "system.data-compaction", "content": '{"enable": true, "config": {"target_file_size_bytes": 134217728}}'}
        made = self.ask("POST", at, compaction)
        equal((made[0], made[1]["policy"]["version"], made[1]["policy"]["inheritable"]), (200, 0, True), "Polaris: a policy is made")
        equal(error_of(self.ask("POST", at, compaction)), (409, "AlreadyExistsException"), "Polaris: once")
        equal(error_of(self.ask("POST", at, {**compaction, "name": "x", "type": "system.nope"})), (400, "BadRequestException"), "Polaris: of a type that is known")
        equal(error_of(self.ask("POST", at, {**compaction, "name": "x", "content": '{"enable": "yes"}'})), (400, "InvalidPolicyException"), "Polaris: with content that fits it")
        self.ask("POST", at, {"name": "lazy", "type": "system.data-compaction", "content": '{"enable": false}'})
        self.ask("POST", at, {"name": "expire", "type": "system.snapshot-expiry", "content": '{"enable": true, "config": {"max_snapshot_age_days": 2}}'})
        equal(error_of(self.ask("GET", at + "/nope")), (404, "NoSuchPolicyException"), "Polaris: a policy that is not there")
        equal(sorted(one["name"] for one in self.ask("GET", at)[1]["identifiers"]), ["compact", "expire", "lazy"], "Polaris: policies of a namespace")
        for name, target in (("compact", {"type": "catalog"}), ("expire", {"type": "namespace", "path": [NS]}), ("lazy", {"type": "table-like", "path": [NS, "inner", "t"]})):
            equal(self.ask("PUT", f"{at}/{name}/mappings", {"target": target})[0], 204, f"Polaris: {name} is attached to a {target['type']}")
        equal(error_of(self.ask("PUT", f"{at}/lazy/mappings", {"target": {"type": "catalog"}})), (409, "PolicyMappingAlreadyExistsException"), "Polaris: one of a type on one thing")
        self.applicable("", {"compact": False}, "the catalog's own")
        self.applicable(f"?namespace={NS}%1Finner", {"compact": True, "expire": True}, "a namespace inherits")
        self.applicable(f"?namespace={NS}%1Finner&target-name=t", {"lazy": False, "expire": True}, "a table's own takes the place of the catalog's")
        self.applicable(f"?namespace={NS}&target-name=other&policyType=system.data-compaction", {"compact": True}, "by type")
        update = self.ask("PUT", at + "/compact", {"content": '{"enable": false}', "current-policy-version": 0})
        equal(update[1]["policy"]["version"], 1, "Polaris: a change counts the version on")
        equal(error_of(self.ask("PUT", at + "/compact", {"content": '{"enable": true}', "current-policy-version": 0})), (409, "PolicyVersionMismatchException"), "Polaris: from the current one")
        equal(error_of(self.ask("DELETE", at + "/compact")), (400, "PolicyInUseException"), "Polaris: what is attached stays")
        self.grants(["TABLE_LIST"])
        equal(error_of(self.ask("GET", "polaris/v1/lake/applicable-policies")), (403, "ForbiddenException"), "Polaris: policies need a grant")
        self.grants(["CATALOG_MANAGE_CONTENT"])
        for name in ("compact", "lazy", "expire"):
            equal(self.ask("DELETE", f"{at}/{name}?detach-all=true")[0], 204, f"Polaris: {name} goes with its attachments")

    def applicable(self, query: str, wanted: dict[str, bool], what: str) -> None:
        found = self.ask("GET", "polaris/v1/lake/applicable-policies" + query)[1]
        self.t.equal({one["name"]: one["inherited"] for one in found.get("applicable-policies", [])}, wanted, f"Polaris, applicable policies: {what}")

    def run(self) -> None:
        try:
            self.tokens()
            self.tables()
            self.policies()
            for path in (f"{NS}%1Finner/tables/t", f"{NS}/tables/other", f"{NS}%1Finner", NS):
                self.t.equal(self.ask("DELETE", f"v1/lake/namespaces/{path}")[0], 204, f"Polaris: {path.replace(NS, '')} is dropped")
        finally:
            call("PUT", self.admin, self.first)


class Lakekeeper:
    """What stands in the recordings, asked again of the dialect."""

    def __init__(self, t: Tap):
        self.t, self.base = t, os.environ["FLOE_LAKEKEEPER_URI"]
        self.admin = os.environ["FLOE_DIALECTS_URI"] + "/lab/lakekeeper"
        self.first = call("GET", self.admin)[1]
        self.bearer = self.token("writer")
        self.prefix = {name: self.ask("GET", f"config?warehouse={name}")[1]["defaults"]["prefix"] for name in ("lab", "sts")}

    @staticmethod
    def token(scope: str) -> str:
        return call("POST", os.environ["FLOE_OAUTH2_URI"] + "/token", form={"grant_type": "client_credentials", "client_id": "lab", "client_secret": "any", "scope": scope})[1]["access_token"]

    def ask(self, method: str, path: str, body: Any = None, bearer: str | None = None, **headers: str) -> tuple[int, Any, Any]:
        return call(method, f"{self.base}/v1/{path}", body, **{"Authorization": f"Bearer {bearer or self.bearer}", "Content_Type": "application/json", **headers})

    def at(self, path: str, warehouse: str = "lab") -> str:
        return f"{self.prefix[warehouse]}/namespaces{path}"

    def door(self) -> None:
        equal = self.t.equal
        equal(error_of(call("GET", self.base + "/v1/config?warehouse=lab")), (401, "MissingAuthorizationHeader"), "Lakekeeper: no token")
        equal("www-authenticate" in call("GET", self.base + "/v1/config?warehouse=lab")[2], False, "Lakekeeper: without WWW-Authenticate")
        equal(error_of(self.ask("GET", "config?warehouse=lab", bearer="bad")), (401, "AuthenticationFailed"), "Lakekeeper: no JWT")
        head, body, mark = self.bearer.split(".")
        forged = ".".join([head, self.token("nobody").split(".")[1], mark])
        equal(error_of(self.ask("GET", "config?warehouse=lab", bearer=forged)), (401, "AuthenticationFailed"), "Lakekeeper: another's words under a signature")
        equal(self.ask("GET", "config?warehouse=lab", Authorization="Basic eDp5")[0:2], (400, "invalid HTTP header (authorization)"), "Lakekeeper: Basic is a 400 in plain text")
        equal((self.ask("POST", "oauth/tokens")[0:2], call("POST", self.base + "/v1/oauth/tokens")[0]), ((404, None), 401), "Lakekeeper: it gives no tokens")
        equal(error_of(self.ask("GET", "config")), (400, "GetConfigNoWarehouseProvided"), "Lakekeeper: no warehouse")
        equal(error_of(self.ask("GET", "config?warehouse=nope")), (404, "NoSuchWarehouseException"), "Lakekeeper: one that is not there")
        equal(error_of(self.ask("GET", "config?warehouse=lab", bearer=self.token("nobody"))), (404, "NoSuchWarehouseException"), "Lakekeeper: and one that is not shown, in the same words")
        equal([self.ask("GET", f"config?warehouse={one}")[0] for one in ("LAB", "00000000-0000-0000-0000-000000000000/lab", self.prefix["lab"])], [200, 200, 404],
              "Lakekeeper: a warehouse in capitals, with its project, and by its id")
        equal([error_of(self.ask("GET", "config?warehouse=lab", x_project_id=one)) for one in ("11111111-0000-0000-0000-000000000000", "a b")],
              [(404, "NoSuchWarehouseException"), (400, "MalformedProjectID")], "Lakekeeper: another project, and what is none")
        config = self.ask("GET", "config?warehouse=lab")[1]
        equal((sorted(config["defaults"]), config["defaults"]["s3.delete-enabled"], config["overrides"]), (["prefix", "rest-page-size", "s3.delete-enabled"], "false", {"uri": self.base}),
              "Lakekeeper: the prefix is a default, and soft deletion another")
        equal([error_of(self.ask("GET", f"{one}/namespaces")) for one in ("lab", "11111111-0000-0000-0000-000000000000")], [(400, "WarehouseIdIsNotUUID"), (404, "NoSuchWarehouseException")],
              "Lakekeeper: a prefix that is a name, and one that is nothing's")
        equal(self.ask("GET", self.at("/"))[0:2], (404, None), "Lakekeeper: a slash at the end is a 404 without words")

    def names(self) -> None:
        equal = self.t.equal
        for levels in ([NS], [NS, "inner"]):
            self.ask("POST", self.at(""), {"namespace": levels})
        for name in ("T", "a.b", "c", "d"):
            equal(self.ask("POST", self.at(f"/{NS}/tables"), {"name": name, "schema": SCHEMA})[0], 200, f"Lakekeeper: table {name} is made")
        equal(error_of(self.ask("POST", self.at(f"/{NS}/tables"), {"name": "t", "schema": SCHEMA})), (409, "AlreadyExistsException"), "Lakekeeper: case makes no other table")
        equal(self.ask("GET", self.at(f"/{NS.upper()}/tables/t"))[0], 200, "Lakekeeper: and any case finds it")
        equal(error_of(self.ask("POST", self.at(f"/{NS}/tables"), {"name": "a+b", "schema": SCHEMA})), (400, "InvalidTableName"), "Lakekeeper: no plus in a name")
        equal(error_of(self.ask("GET", self.at(f"/{NS}.inner/tables"))), (400, "NamespacePartContainsDot"), "Lakekeeper: a dot does not separate levels")
        missing = (self.ask("GET", self.at(f"/{NS}/tables/nope")), self.ask("GET", self.at("/nope/tables/nope")))
        equal([(error_of(one), one[1]["error"]["message"]) for one in missing], [((404, "NoSuchTableException"), "Error getting tabular from catalog")] * 2, "Lakekeeper: a table that is not there, wherever")
        pages = []
        token: str | None = ""
        while token is not None and len(pages) < 9:
            page = self.ask("GET", self.at(f"/{NS}/tables?pageSize=2&pageToken={token}"))[1]
            pages.append(len(page["identifiers"]))
            token = page.get("next-page-token")
        equal(pages, [2, 2, 0], "Lakekeeper: a full page has a token, also the last, and then comes an empty one")
        call("PATCH", self.admin, {"max_page": 3})
        cut = self.ask("GET", self.at(f"/{NS}/tables"))[1]
        equal((len(cut["identifiers"]), "next-page-token" in cut), (3, True), "Lakekeeper: cut also for who asks for no pages")
        call("PATCH", self.admin, {"max_page": 1000})
        equal(error_of(self.ask("GET", self.at(f"/{NS}/tables?pageToken=x"))), (400, "InvalidPaginationToken"), "Lakekeeper: a token that is none")

    def tags(self) -> None:
        equal, path = self.t.equal, self.at(f"/{NS}/tables/T")
        table = {mode: self.ask("GET", path, **({"X_Iceberg_Access_Delegation": mode} if mode else {})) for mode in ("", "client-managed", "vended-credentials", "remote-signing")}
        tags = {mode: one[2]["etag"] for mode, one in table.items()}
        self.t.ok(all(one.startswith('W/"lk2.') for one in tags.values()) and tags[""] != tags["client-managed"], "Lakekeeper: weak tags, another with another delegation", tags)
        again = {mode: self.ask("GET", path, If_None_Match=tags[mode], **({"X_Iceberg_Access_Delegation": mode} if mode else {}))[0] for mode in tags}
        equal(again, {"": 200, "client-managed": 304, "vended-credentials": 200, "remote-signing": 200}, "Lakekeeper: without STS only client-managed is ever a 304")
        equal(self.ask("GET", path, X_Iceberg_Access_Delegation="client-managed", If_None_Match=tags[""])[0], 200, "Lakekeeper: the tag of one delegation is none of another")
        equal(self.ask("GET", path + "?snapshots=refs", X_Iceberg_Access_Delegation="client-managed", If_None_Match=tags["client-managed"])[0], 200, "Lakekeeper: nor that of all snapshots one of refs")
        bare = tags["client-managed"].removeprefix("W/").strip('"')
        equal([self.ask("GET", path, X_Iceberg_Access_Delegation="client-managed", If_None_Match=one)[0] for one in (bare, f'"x", W/"{bare}"', "*")], [304, 304, 304], "Lakekeeper: any spelling of a tag")
        equal((table["vended-credentials"][1]["config"].get("s3.remote-signing-enabled"), "storage-credentials" in table["vended-credentials"][1]), ("true", False),
              "Lakekeeper: who asks for keys without STS is told to have requests signed")
        self.ask("POST", self.at("", "sts"), {"namespace": [NS]})
        for name in ("t", "other"):
            self.ask("POST", self.at(f"/{NS}/tables", "sts"), {"name": name, "schema": SCHEMA})
        path = self.at(f"/{NS}/tables/t", "sts")
        vended, other = self.ask("GET", path), self.ask("GET", self.at(f"/{NS}/tables/other", "sts"))
        config = vended[1]["storage-credentials"][0]["config"]
        equal((s3_status(metadata_of(vended), config), s3_status(metadata_of(other), config)), (200, 403), "Lakekeeper: vended keys open this table's files and no other's")
        parts = vended[2]["etag"].strip('W/"').split(".")
        old = f"{parts[0]}.{parts[1]}.{int(time.time() * 1000) - 3600 * 1000:x}"
        equal((len(parts), [self.ask("GET", path, If_None_Match=f'W/"{one}"')[0] for one in (".".join(parts), old)]), (3, [304, 200]), "Lakekeeper: with STS a tag has a time, and ages")

    def commits(self) -> None:
        equal, path = self.t.equal, self.at(f"/{NS}/tables/c")
        files = [metadata_of(self.ask("GET", path))]
        for i in range(4):
            change = {"write.metadata.previous-versions-max": "2", "turn": str(i)}
            answer = self.ask("POST", path, {"requirements": [], "updates": [{"action": "set-properties", "updates": change}]})
            files.append(metadata_of(answer))
        equal((answer[1]["config"], answer[2]["etag"] == self.ask("GET", path)[2]["etag"]), (None, False), "Lakekeeper: a commit has no config, and a tag that fits no load")
        keys = {"s3.access-key-id": os.environ["FLOE_S3_KEY"], "s3.secret-access-key": os.environ["FLOE_S3_SECRET"]}
        equal([s3_status(one, keys) for one in files], [404, 404, 200, 200, 200], "Lakekeeper: old metadata files go with each commit, and no property says so")
        self.t.ok(files[-1].endswith(".gz.metadata.json") and not any(one.startswith("write.metadata.d") for one in self.ask("GET", path)[1]["metadata"]["properties"]), "Lakekeeper: they are compressed")
        stale = {"requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 1}], "updates": []}
        equal(error_of(self.ask("POST", path, stale)), (409, "CatalogCommitConflicts"), "Lakekeeper: a commit that comes too late")

    def grants(self) -> None:
        equal, reader = self.t.equal, self.token("reader")
        call("PATCH", self.admin, {"users": {"reader": {"lab": [{"right": "describe", "on": [NS, "T"]}, {"right": "select", "on": [NS, "c"]}]}}})
        equal([self.ask("GET", self.at(f"/{NS}/tables/{one}"), bearer=reader)[0] for one in ("T", "c", "d")], [200, 200, 404], "Lakekeeper: what one has no right to is not there")
        equal((self.ask("GET", self.at(f"/{NS}/tables/T"), bearer=reader)[1].get("config"), "config" in self.ask("GET", self.at(f"/{NS}/tables/c"), bearer=reader)[1]), (None, True),
              "Lakekeeper: describe has no config, select has")
        equal([one["name"] for one in self.ask("GET", self.at(f"/{NS}/tables"), bearer=reader)[1]["identifiers"]], ["T", "c"], "Lakekeeper: listings show what one may see")
        equal(error_of(self.ask("POST", self.at(f"/{NS}/tables/c"), {"requirements": [], "updates": []}, bearer=reader)), (403, "TableActionForbidden"), "Lakekeeper: a commit is a 403, as the table is seen")
        equal(error_of(self.ask("GET", self.at("/NOPE/tables"), bearer=reader)), (404, "NoSuchNamespaceException"), "Lakekeeper: a namespace that is not shown")

    def dropped(self) -> None:
        equal = self.t.equal
        location = metadata_of(self.ask("GET", self.at(f"/{NS}/tables/d")))
        for name in ("T", "a.b", "c", "d"):
            equal(self.ask("DELETE", self.at(f"/{NS}/tables/{name}?purgeRequested=true"))[0], 204, f"Lakekeeper: {name} is dropped")
        keys = {"s3.access-key-id": os.environ["FLOE_S3_KEY"], "s3.secret-access-key": os.environ["FLOE_S3_SECRET"]}
        equal((self.ask("GET", self.at(f"/{NS}/tables"))[1]["identifiers"], self.ask("HEAD", self.at(f"/{NS}/tables/d"))[0], s3_status(location, keys)), ([], 404, 200), "Lakekeeper: softly, also with purge")
        equal(self.ask("DELETE", self.at(f"/{NS}%1Finner"))[0], 204, "Lakekeeper: an empty namespace goes")
        stays = self.ask("DELETE", self.at(f"/{NS}"))
        equal((error_of(stays), stays[1]["error"]["stack"][0]), ((409, "NamespaceNotEmptyException"), "Contains 0 tables/views/generic tables, 4 soft-deleted tables/views/generic tables and 0 child namespaces."),
              "Lakekeeper: a namespace of deleted tables stays")
        path = f"{os.environ['FLOE_DIALECTS_URI']}/management/v1/warehouse/{self.prefix['lab']}/deleted-tabulars"
        found = call("GET", path, Authorization=f"Bearer {self.bearer}")[1]["tabulars"]
        equal(sorted(one["name"] for one in found if one["namespace"] == [NS]), ["T", "a.b", "c", "d"], "Lakekeeper: its management API has them")
        for name in ("t", "other"):
            self.ask("DELETE", self.at(f"/{NS}/tables/{name}", "sts"))
        equal(self.ask("DELETE", self.at(f"/{NS}", "sts"))[0], 204, "Lakekeeper: without soft deletion the namespace is empty then")

    def run(self) -> None:
        try:
            self.door()
            self.names()
            self.tags()
            self.commits()
            self.grants()
            self.dropped()
        finally:
            call("PATCH", self.admin, {"max_page": self.first["max_page"], "users": {"reader": None}})


class Gravitino:
    def __init__(self, t: Tap):
        self.t, self.base = t, os.environ["FLOE_GRAVITINO_URI"]
        self.admin = os.environ["FLOE_DIALECTS_URI"] + "/lab/gravitino"
        self.first = call("GET", self.admin)[1]
        self.basic = self.header("writer", "writer-password")

    @staticmethod
    def header(user: str, password: str) -> str:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        return call(method, f"{self.base}/v1/{path}", body, **{"Authorization": self.basic, "Content_Type": "application/json", **headers})

    def door(self) -> None:
        equal = self.t.equal
        equal(error_of(call("GET", self.base + "/v1/config?warehouse=lake")), (401, "NotAuthorizedException"), "Gravitino: nobody")
        equal(error_of(self.ask("GET", "config?warehouse=lake", Authorization=self.header("writer", "wrong"))), (401, "NotAuthorizedException"), "Gravitino: a wrong password")
        equal(self.ask("GET", "config?warehouse=lake", Authorization=f"Bearer {Lakekeeper.token('floe')}")[0], 200, "Gravitino: a token of the provider")
        equal(error_of(self.ask("GET", "config?warehouse=lake", Authorization=f"Bearer {Lakekeeper.token('nobody')}")), (401, "NotAuthorizedException"), "Gravitino: of somebody whom it does not know")
        equal([self.ask("GET", f"config?warehouse={one}")[1]["defaults"]["prefix"] for one in ("lake", "second")], ["lake", "second"], "Gravitino: the prefix is the warehouse")
        equal(error_of(self.ask("GET", "config?warehouse=nope")), (404, "NoSuchCatalogException"), "Gravitino: a catalog that is not there")
        equal(error_of(self.ask("GET", "nope/namespaces")), (404, "NoSuchCatalogException"), "Gravitino: nor by its prefix")

    def tables(self) -> None:
        equal = self.t.equal
        for warehouse in ("lake", "second"):
            self.ask("POST", f"{warehouse}/namespaces", {"namespace": [NS]})
            for name in ("t", "other"):
                self.ask("POST", f"{warehouse}/namespaces/{NS}/tables", {"name": name, "schema": SCHEMA})
        path = f"lake/namespaces/{NS}/tables/t"
        one, two = self.ask("GET", path), self.ask("GET", f"second/namespaces/{NS}/tables/t")
        self.t.ok(one[1]["metadata"]["table-uuid"] != two[1]["metadata"]["table-uuid"], "Gravitino: two catalogs have two tables of one name")
        etag = one[2]["etag"]
        equal((etag.startswith('"'), self.ask("GET", path, If_None_Match=etag)[0], self.ask("GET", path + "?snapshots=refs", If_None_Match=etag)[0]), (True, 304, 200), "Gravitino: a strong tag, of all snapshots")
        equal(one[1].get("config"), {}, "Gravitino: no keys for who asks for none")
        config = self.ask("GET", path, X_Iceberg_Access_Delegation="vended-credentials")[1]["config"]
        equal((s3_status(metadata_of(one), config), s3_status(metadata_of(self.ask("GET", f"lake/namespaces/{NS}/tables/other")), config)), (200, 403), "Gravitino: vended keys open this table's files and no other's")
        equal([self.ask("GET", path, X_Iceberg_Access_Delegation=mode)[0] for mode in ("remote-signing", "client-managed")], [406, 400], "Gravitino: other delegations are refused")

    def grants(self) -> None:
        equal, reader = self.t.equal, {"Authorization": self.header("reader", "r")}

        def grant(*privileges: Any) -> None:
            call("PATCH", self.admin, {"users": {"reader": {"password": "r", "privileges": {"lake": list(privileges)}}}})

        grant()
        answer = self.ask("GET", "lake/namespaces", **reader)
        equal(error_of(answer), (403, "ForbiddenException"), "Gravitino: no privilege")
        self.t.ok("ANY_USE_CATALOG" in answer[1]["error"]["message"], "Gravitino: and which it is", answer[1])
        grant("USE_CATALOG", "USE_SCHEMA", {"privilege": "SELECT_TABLE", "on": [NS, "t"]})
        equal([one["name"] for one in self.ask("GET", f"lake/namespaces/{NS}/tables", **reader)[1]["identifiers"]], ["t"], "Gravitino: listings show what one may read")
        equal([self.ask("GET", f"lake/namespaces/{NS}/tables/{one}", **reader)[0] for one in ("t", "other")], [200, 403], "Gravitino: but what is there is refused, not hidden")
        equal(self.ask("GET", f"second/namespaces/{NS}/tables", **reader)[0], 403, "Gravitino: a privilege is one of a catalog")
        config = self.ask("GET", f"lake/namespaces/{NS}/tables/t", X_Iceberg_Access_Delegation="vended-credentials", **reader)[1]["config"]
        equal(s3_status(self.ask("GET", f"lake/namespaces/{NS}/tables/t")[1]["metadata"]["location"] + "/x", config, "PUT"), 403, "Gravitino: who may read gets keys that do not write")

    def run(self) -> None:
        try:
            self.door()
            self.tables()
            self.grants()
            for warehouse in ("lake", "second"):
                for path in (f"{NS}/tables/t", f"{NS}/tables/other", NS):
                    self.t.equal(self.ask("DELETE", f"{warehouse}/namespaces/{path}")[0], 204, f"Gravitino: {warehouse}: {path.replace(NS, '')} is dropped")
        finally:
            call("PUT", self.admin, self.first)


def main() -> None:
    lab("start", "oauth2", "dialects")
    with Tap() as t:
        try:
            Polaris(t).run()
            Lakekeeper(t).run()
            Gravitino(t).run()
        finally:
            lab("stop", "dialects", "oauth2")


if __name__ == "__main__":
    main()
