"""The dialects themselves (test/lab/dialect.py): that they check what they say they check. What floe makes of them is test_catalogs.py's.

A stand-in that lets everything through would prove nothing, so each of its refusals is asked for here, and its vended keys are tried
where they must not fit.
"""
from __future__ import annotations

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


def s3_status(location: str, config: dict[str, str]) -> int:
    """What the store says to a read of location with these keys."""
    from dialects.vending import Vending

    try:
        Vending(os.environ["FLOE_S3_URI"], config["s3.access-key-id"], config["s3.secret-access-key"], "us-east-1", "")._signed(
            "GET", "/" + location.removeprefix("s3://"), "", b"")
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


def main() -> None:
    lab("start", "oauth2", "dialects")
    with Tap() as t:
        try:
            Polaris(t).run()
        finally:
            lab("stop", "dialects", "oauth2")


if __name__ == "__main__":
    main()
