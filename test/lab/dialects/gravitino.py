"""Apache Gravitino's Iceberg REST service with authorization, in front of the real tables (lake.py).

Source, at apache/gravitino f461aa3 (nothing was recorded from a running one):
  several catalogs, warehouse -> prefix   docs/iceberg-rest-service.md, iceberg-rest-server/.../rest/IcebergConfigOperations.java
  Basic, OAuth2                           docs/security/how-to-authenticate.md, .../service/IcebergAuthenticationFilter.java
  errors                                  .../service/IcebergExceptionMapper.java
  privileges, their words, what is shown  .../web/filter/BaseMetadataAuthorizationMethodInterceptor.java, .../rest/IcebergTableOperations.java
  ETag, delegation header                 .../rest/IcebergTableOperations.java, .../IcebergRESTUtils.java
The words of a refused password are not known; their type and place are. Bearer tokens are the lab's OpenID provider's.

The state, which GET, PUT and PATCH /lab/gravitino show and change:
  {"catalogs": {"lake": {"location": "s3://lab/gravitino"}},
   "users": {"floe": {"password": "...", "privileges": {"lake": ["OWNER", {"privilege": "SELECT_TABLE", "on": ["a", "t"]}]}}}}
A user of a bearer token is the one that its scope names.
"""
from __future__ import annotations

import base64
from typing import Any

from dialects.core import Answer, Issuer, Refusal, Request, State, digest
from dialects.lake import Lake, Levels
from dialects.rest import ENDPOINTS, Product, Warehouse, with_config
from dialects.vending import Vending

DEFAULT_CATALOG = "default_catalog"
# operation: its method's name there, and a privilege that is enough beside OWNER
NEEDS = {
    "LIST_NAMESPACES": ("listNamespaces", "USE_CATALOG"), "NAMESPACE_EXISTS": ("namespaceExists", "USE_SCHEMA"), "CREATE_NAMESPACE": ("createNamespace", "CREATE_SCHEMA"),
    "LOAD_NAMESPACE_METADATA": ("loadNamespace", "USE_SCHEMA"), "DROP_NAMESPACE": ("dropNamespace", "OWNER"), "UPDATE_NAMESPACE_PROPERTIES": ("updateNamespace", "OWNER"),
    "LIST_TABLES": ("listTable", "USE_SCHEMA"), "TABLE_EXISTS": ("tableExists", "SELECT_TABLE"), "CREATE_TABLE_DIRECT": ("createTable", "CREATE_TABLE"),
    "REGISTER_TABLE": ("registerTable", "CREATE_TABLE"), "LOAD_TABLE": ("loadTable", "SELECT_TABLE"), "UPDATE_TABLE": ("updateTable", "MODIFY_TABLE"),
    "DROP_TABLE": ("dropTable", "OWNER"), "RENAME_TABLE": ("renameTable", "OWNER"),
}

FIRST_STATE = {
    "catalogs": {"lake": {"location": "s3://lab/gravitino"}, "second": {"location": "s3://lab/gravitino-second"}},
    "users": {"floe": {"password": "floe-password", "privileges": {"lake": ["OWNER"], "second": ["OWNER"]}},
              "writer": {"password": "writer-password", "privileges": {"lake": ["OWNER"], "second": ["OWNER"]}}},
}


class Gravitino(Product):
    base = "/iceberg"

    def __init__(self, lake: Lake, state: State, url: str, vending: Vending, issuer: Issuer):
        super().__init__(lake, state, url)
        self.vending, self.issuer = vending, issuer

    def authenticate(self, request: Request) -> Any:
        kind, _, rest = request.headers.get("Authorization", "").partition(" ")
        name, users = None, self.state.value["users"]
        if kind.lower() == "basic":
            try:
                user, _, password = base64.b64decode(rest).decode().partition(":")
                name = user if user in users and users[user]["password"] == password else None
            except ValueError:
                name = None
        elif kind.lower() == "bearer":
            name = (self.issuer.read(rest) or {}).get("scope")
        if name not in users:
            raise Refusal(401, "NotAuthorizedException", "Unauthorized" if kind else "The provided credentials did not support")
        return name

    def refused(self, refusal: Refusal) -> Answer:
        answer = super().refused(refusal)
        if refusal.status == 401:
            answer.headers["www-authenticate"] = "Basic"
        return answer

    def config(self, request: Request) -> Answer:
        self.authenticate(request)
        name = request.query.get("warehouse", "")
        self.of(name or DEFAULT_CATALOG)
        place = self.vending.place()
        defaults = {"io-impl": "org.apache.iceberg.aws.s3.S3FileIO", "s3.endpoint": place["s3.endpoint"], "s3.path-style-access": "true",
                    "client.region": place["client.region"], **({"prefix": name} if name else {})}
        return Answer(200, {"defaults": defaults, "overrides": {}, "endpoints": ENDPOINTS[1:]})

    def of(self, name: str) -> Warehouse:
        catalog = self.state.value["catalogs"].get(name)
        if catalog is None:
            raise Refusal(404, "NoSuchCatalogException", f"Couldn't find Iceberg configuration for {name}")
        return Warehouse(name, f"gravitino-{digest(name)[:8]}", catalog["location"], catalog)

    def warehouse(self, request: Request, who: str, prefix: str | None) -> Warehouse:
        return self.of(prefix or DEFAULT_CATALOG)

    def holds(self, who: str, warehouse: Warehouse, privilege: str, path: list[str]) -> bool:
        enough = {privilege, "OWNER"} | ({"MODIFY_TABLE"} if privilege == "SELECT_TABLE" else set())
        for grant in self.state.value["users"][who]["privileges"].get(warehouse.name, []):
            name, on = (grant, []) if isinstance(grant, str) else (grant["privilege"], grant["on"])
            if name in enough and path[:len(on)] == on:
                return True
        return False

    def allow(self, who: str, warehouse: Warehouse, op: str, levels: Levels, table: str | None = None) -> None:
        method, privilege = NEEDS[op]
        path = [*levels, *([table] if table is not None else [])]
        # what is below can only be used through what is above
        needed = ["USE_CATALOG", *(["USE_SCHEMA"] if levels else []), privilege]
        if not all(self.holds(who, warehouse, one, path) for one in needed):
            what = ".".join(["metalake", warehouse.name, *path])
            raise Refusal(403, "ForbiddenException", f"User '{who}' is not authorized to perform operation '{method}' on metadata '{what}' with expression "
                                                     f"'{' && '.join('ANY_' + one for one in needed)}'")

    def sees(self, who: str, warehouse: Warehouse, levels: Levels, table: str | None = None) -> bool:
        path = [*levels, *([table] if table is not None else [])]
        return self.holds(who, warehouse, "SELECT_TABLE" if table is not None else "USE_SCHEMA", path)

    def vends(self, request: Request) -> bool:
        header = request.headers.get("X-Iceberg-Access-Delegation", "").strip().lower()
        if header == "remote-signing":
            raise Refusal(406, "UnsupportedOperationException", "Gravitino IcebergRESTServer doesn't support remote signing")
        if header not in ("", "vended-credentials"):
            raise Refusal(400, "BadRequestException", f"X-Iceberg-Access-Delegation: {header} is illegal, Iceberg REST spec supports: "
                                                      "[vended-credentials,remote-signing], Gravitino Iceberg REST server supports: vended-credentials")
        return header != ""

    def loaded(self, request: Request, who: str, warehouse: Warehouse, levels: Levels, table: str, result: dict[str, Any], new: bool) -> Answer:
        config = {}
        if self.vends(request):
            config = self.vending.config(result["metadata"]["location"], self.holds(who, warehouse, "MODIFY_TABLE", [*levels, table]))
        etag = digest(result.get("metadata-location"), request.query.get("snapshots", "all").lower())
        if not new and request.headers.get("If-None-Match", "").strip().strip('"') == etag:
            return Answer(304, None, etag=f'"{etag}"')
        return Answer(200, with_config(result, config), **({"etag": f'"{etag}"'} if result.get("metadata-location") else {}))

    def credentials(self, request: Request, who: str, warehouse: Warehouse, levels: Levels, table: str) -> Answer:
        location = self.lake.load(warehouse.root, levels, table, True)["metadata"]["location"]
        config = self.vending.config(location, self.holds(who, warehouse, "MODIFY_TABLE", [*levels, table]))
        return Answer(200, {"storage-credentials": [{"prefix": location, "config": config}]})
