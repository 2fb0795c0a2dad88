"""Apache Polaris: paths, tokens, realms, grants, vended credentials and errors, in front of the real tables (lake.py).

Source, at apache/polaris 4b42186 (nothing was recorded from a running one):
  /v1/config, prefix, separator        runtime/service/.../catalog/config/CatalogConfigHandler.java, .../iceberg/IcebergCatalogAdapter.java
  tokens and their errors              .../auth/internal/broker/{TokenRequestValidator,JWTBroker}.java, .../service/{OAuthUtils,OAuthError}.java
  realms                               .../context/{RealmContextFilter,DefaultRealmContextResolver}.java
  privileges, their supersets, words   polaris-core/.../auth/{RbacOperationSemantics,PolarisAuthorizerImpl}.java
  ETag, If-None-Match                  .../http/{IcebergHttpUtil,IfNoneMatch}.java
  errors                               .../exception/{IcebergExceptionMapper,PolarisExceptionMapper}.java
From general knowledge of its framework: a request without a good token is a 401 with an empty body.

The state, which GET, PUT and PATCH /lab/polaris show and change (realm -> catalogs, principals, grants):
  {"realms": {"floe-lab": {"catalogs": {"lake": {"location": "s3://lab/polaris", "policies": [], "mappings": []}},
    "principals": {"<client id>": {"name": "floe", "secret": "...", "roles": ["maintainer"]}},
    "grants": {"maintainer": {"lake": ["CATALOG_MANAGE_CONTENT", {"privilege": "TABLE_READ_DATA", "on": ["a", "t"]}]}}}}}
A privilege as a string is on the whole catalog, one with "on" on a namespace or table and what is below.
"""
from __future__ import annotations

import re
from typing import Any

from dialects.core import Answer, Refusal, Request, State, Tokens, digest
from dialects.lake import Lake, Levels
from dialects.policies import Policies
from dialects.rest import ENDPOINTS, Product, Warehouse, with_config
from dialects.vending import Vending

DEFAULT_REALM = "POLARIS"
SCOPE = "PRINCIPAL_ROLE:"
TOKEN_S = 3600

# What an operation needs, and which privileges hold another one within them.
NEEDS = {
    "LIST_NAMESPACES": "NAMESPACE_LIST", "NAMESPACE_EXISTS": "NAMESPACE_LIST", "CREATE_NAMESPACE": "NAMESPACE_CREATE",
    "LOAD_NAMESPACE_METADATA": "NAMESPACE_READ_PROPERTIES", "DROP_NAMESPACE": "NAMESPACE_DROP", "UPDATE_NAMESPACE_PROPERTIES": "NAMESPACE_WRITE_PROPERTIES",
    "LIST_TABLES": "TABLE_LIST", "TABLE_EXISTS": "TABLE_LIST", "CREATE_TABLE_DIRECT": "TABLE_CREATE", "REGISTER_TABLE": "TABLE_CREATE",
    "LOAD_TABLE": "TABLE_READ_PROPERTIES", "LOAD_TABLE_WITH_READ_DELEGATION": "TABLE_READ_DATA", "LOAD_TABLE_WITH_WRITE_DELEGATION": "TABLE_WRITE_DATA",
    "UPDATE_TABLE": "TABLE_WRITE_PROPERTIES", "DROP_TABLE": "TABLE_DROP", "RENAME_TABLE": "TABLE_DROP",
    "CREATE_POLICY": "POLICY_CREATE", "LOAD_POLICY": "POLICY_READ", "DROP_POLICY": "POLICY_DROP", "UPDATE_POLICY": "POLICY_WRITE", "LIST_POLICY": "POLICY_LIST",
    "GET_APPLICABLE_POLICIES_ON_CATALOG": "CATALOG_READ_PROPERTIES", "GET_APPLICABLE_POLICIES_ON_NAMESPACE": "NAMESPACE_READ_PROPERTIES",
    "GET_APPLICABLE_POLICIES_ON_TABLE": "TABLE_READ_PROPERTIES",
    **{f"{one}_POLICY_{where}": f"POLICY_{one}" for one, word in (("ATTACH", "TO"), ("DETACH", "FROM"))
       for where in (f"{word}_CATALOG", f"{word}_NAMESPACE", f"{word}_TABLE")},
}
# CATALOG_MANAGE_CONTENT holds all of these; CATALOG_MANAGE_METADATA all but TABLE_READ_DATA and TABLE_WRITE_DATA
HELD_BY = {
    "NAMESPACE_LIST": {"NAMESPACE_CREATE", "NAMESPACE_FULL_METADATA", "NAMESPACE_READ_PROPERTIES", "NAMESPACE_WRITE_PROPERTIES"},
    "NAMESPACE_READ_PROPERTIES": {"NAMESPACE_FULL_METADATA", "NAMESPACE_WRITE_PROPERTIES"},
    "NAMESPACE_CREATE": {"NAMESPACE_FULL_METADATA"}, "NAMESPACE_DROP": {"NAMESPACE_FULL_METADATA"}, "NAMESPACE_WRITE_PROPERTIES": {"NAMESPACE_FULL_METADATA"},
    "TABLE_LIST": {"TABLE_CREATE", "TABLE_FULL_METADATA", "TABLE_READ_DATA", "TABLE_READ_PROPERTIES", "TABLE_WRITE_DATA", "TABLE_WRITE_PROPERTIES"},
    "TABLE_READ_PROPERTIES": {"TABLE_FULL_METADATA", "TABLE_READ_DATA", "TABLE_WRITE_DATA", "TABLE_WRITE_PROPERTIES"},
    "TABLE_READ_DATA": {"TABLE_WRITE_DATA"}, "TABLE_WRITE_PROPERTIES": {"TABLE_FULL_METADATA", "TABLE_WRITE_DATA"},
    "TABLE_CREATE": {"TABLE_FULL_METADATA"}, "TABLE_DROP": {"TABLE_FULL_METADATA"},
    "POLICY_READ": {"POLICY_WRITE", "POLICY_FULL_METADATA"},
    "POLICY_LIST": {"POLICY_CREATE", "POLICY_READ", "POLICY_WRITE", "POLICY_FULL_METADATA"},
}

FIRST_STATE = {"realms": {
    DEFAULT_REALM: {"catalogs": {}, "principals": {}, "grants": {}},
    "floe-lab": {
        "catalogs": {"lake": {"location": "s3://lab/polaris"}},
        "principals": {
            "floe-client": {"name": "floe", "secret": "floe-secret", "roles": ["maintainer"]},
            "writer-client": {"name": "writer", "secret": "writer-secret", "roles": ["writer"]},
        },
        "grants": {"maintainer": {"lake": ["CATALOG_MANAGE_CONTENT"]}, "writer": {"lake": ["CATALOG_MANAGE_CONTENT"]}},
    },
}}


class Polaris(Product):
    base = "/api/catalog"

    def __init__(self, lake: Lake, state: State, url: str, vending: Vending):
        super().__init__(lake, state, url)
        self.vending, self.tokens = vending, Tokens()

    def realm(self, request: Request) -> dict[str, Any]:
        name = request.headers.get("Polaris-Realm", DEFAULT_REALM)
        realm = self.state.value["realms"].get(name)
        if realm is None:
            raise Refusal(404, "MissingOrInvalidRealm", "Missing or invalid realm")
        return {**realm, "name": name}

    def other(self, request: Request, segments: list[str]) -> Answer | None:
        if segments == ["v1", "oauth", "tokens"]:
            return self.token(request, self.realm(request)) if request.method == "POST" else Answer(405)
        if segments[:2] == ["polaris", "v1"] and len(segments) > 3:
            who = self.authenticate(request)
            warehouse = self.warehouse(request, who, segments[2])
            return self.state.change(lambda value: Policies(
                self, who, warehouse, value["realms"][who["realm"]["name"]]["catalogs"][warehouse.name]).serve(request, segments[3:]))
        return None

    # who asks

    def token(self, request: Request, realm: dict[str, Any]) -> Answer:
        form = request.form()

        def error(status: int, kind: str, text: str) -> Answer:
            return Answer(status, {"error": kind, "error_description": text, "error_uri": None})

        if form.get("grant_type") != "client_credentials":
            return error(400, "unsupported_grant_type", "The grant type is invalid")
        if not form.get("client_id") or not form.get("client_secret"):
            return error(400, "invalid_client", "The Client is invalid")
        scopes = form.get("scope", "").split(" ")
        if not all(one.startswith(SCOPE) and len(one) > len(SCOPE) for one in scopes):
            return error(400, "invalid_scope", "The scope is invalid")
        principal = realm["principals"].get(form["client_id"])
        if principal is None or principal["secret"] != form["client_secret"]:
            return error(401, "unauthorized_client", "The client is not authorized")
        token = self.tokens.issue(TOKEN_S, realm=realm["name"], client=form["client_id"], scopes=scopes)
        return Answer(200, {"access_token": token, "token_type": "bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                            "expires_in": TOKEN_S})

    def authenticate(self, request: Request) -> Any:
        realm = self.realm(request)
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        claims = self.tokens.read(token) if kind.lower() == "bearer" else None
        principal = realm["principals"].get(claims["client"]) if claims and claims["realm"] == realm["name"] else None
        if principal is None:
            raise Refusal(401, "", "")
        asked = [one[len(SCOPE):] for one in claims["scopes"]]
        return {"realm": realm, "name": principal["name"], "roles": [one for one in principal["roles"] if "ALL" in asked or one in asked]}

    def refused(self, refusal: Refusal) -> Answer:
        return Answer(401, None, www_authenticate="Bearer") if refusal.status == 401 else super().refused(refusal)

    # what it may

    def allow(self, who: Any, warehouse: Warehouse, op: str, levels: Levels, table: str | None = None) -> None:
        if not self.holds(who, warehouse, NEEDS[op], levels, table):
            raise Refusal(403, "ForbiddenException",
                          f"Principal '{who['name']}' with activated PrincipalRoles '{who['roles']}' and activated grants via '{who['roles']}' is not authorized for op {op}")

    def holds(self, who: Any, warehouse: Warehouse, privilege: str, levels: Levels, table: str | None) -> bool:
        enough = {privilege, "CATALOG_MANAGE_CONTENT", *HELD_BY.get(privilege, ())}
        if privilege not in ("TABLE_READ_DATA", "TABLE_WRITE_DATA"):
            enough.add("CATALOG_MANAGE_METADATA")
        path = [*levels, *([table] if table else [])]
        for role in who["roles"]:
            for grant in who["realm"]["grants"].get(role, {}).get(warehouse.name, []):
                name, on = (grant, []) if isinstance(grant, str) else (grant["privilege"], grant["on"])
                if name in enough and path[:len(on)] == on:
                    return True
        return False

    # the catalog

    def config(self, request: Request) -> Answer:
        who = self.authenticate(request)
        name = request.query.get("warehouse")
        if name is None:
            raise Refusal(400, "BadRequestException", "Malformed request: Please specify a warehouse")
        catalog = who["realm"]["catalogs"].get(name)
        if catalog is None:
            raise Refusal(404, "NotFoundException", f"Unable to find warehouse {name}")
        policies = [f"{verb} /polaris/v1/{{prefix}}/{path}" for verb, path in (
            ("POST", "namespaces/{namespace}/policies"), ("GET", "namespaces/{namespace}/policies"), ("GET", "namespaces/{namespace}/policies/{policy-name}"),
            ("PUT", "namespaces/{namespace}/policies/{policy-name}"), ("DELETE", "namespaces/{namespace}/policies/{policy-name}"),
            ("PUT", "namespaces/{namespace}/policies/{policy-name}/mappings"), ("POST", "namespaces/{namespace}/policies/{policy-name}/mappings"),
            ("GET", "applicable-policies"))]
        return Answer(200, {"defaults": {"default-base-location": catalog["location"]}, "overrides": {"prefix": name, "namespace-separator": "%1F"},
                            "endpoints": ENDPOINTS[1:] + policies})

    def warehouse(self, request: Request, who: Any, prefix: str | None) -> Warehouse:
        catalog = who["realm"]["catalogs"].get(prefix)
        if catalog is None:
            raise Refusal(404, "NotFoundException", f"Unable to find warehouse {prefix}")
        return Warehouse(prefix, f"polaris-{digest(who['realm']['name'], prefix)[:8]}", catalog["location"], catalog)

    def delegates(self, request: Request) -> bool:
        return "vended-credentials" in request.headers.get("X-Iceberg-Access-Delegation", "").split(",")

    def granted(self, who: Any, warehouse: Warehouse, levels: Levels, table: str, location: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
        """config and storage-credentials: to write with TABLE_WRITE_DATA, to read with TABLE_READ_DATA, refused without."""
        writes = self.holds(who, warehouse, "TABLE_WRITE_DATA", levels, table)
        if not writes:
            self.allow(who, warehouse, "LOAD_TABLE_WITH_READ_DELEGATION", levels, table)
        config = self.vending.config(location, writes)
        return config, [{"prefix": location, "config": config}]

    def loaded(self, request: Request, who: Any, warehouse: Warehouse, levels: Levels, table: str, result: dict[str, Any], new: bool) -> Answer:
        # the weak tag of the metadata's place, whatever of it was asked for
        etag = f'W/"{digest(result.get("metadata-location"))}"'
        config, grants = {}, []
        if self.delegates(request):
            config, grants = self.granted(who, warehouse, levels, table, result["metadata"]["location"])
        if not new and self.matches(request.headers.get("If-None-Match"), etag):
            return Answer(304)
        return Answer(200, with_config(result, config, grants), **({"etag": etag} if result.get("metadata-location") else {}))

    @staticmethod
    def matches(header: str | None, etag: str) -> bool:
        if header is None:
            return False
        tags = [one.strip() for one in header.split(",")]
        if "*" in tags:
            raise Refusal(400, "BadRequestException", "If-None-Match may not take the value of '*'")
        if not all(re.fullmatch(r'(W/)?"[^"]*"', one) for one in tags):
            raise Refusal(400, "IllegalArgumentException", f"Invalid If-None-Match header: {header}")
        return etag in tags

    def credentials(self, request: Request, who: Any, warehouse: Warehouse, levels: Levels, table: str) -> Answer:
        location = self.lake.load(warehouse.root, levels, table, True)["metadata"]["location"]
        return Answer(200, {"storage-credentials": self.granted(who, warehouse, levels, table, location)[1]})
