"""Lakekeeper 0.13.1, in front of the real tables (lake.py), after recordings of a real one: every word of an answer here was in them.

From its source only: that a tag depends on the caller's rights, and that a warehouse with soft deletion has "s3.delete-enabled": "false" among the
defaults of its configuration (service/storage/s3.rs, generate_catalog_config; on unless the storage profile says push-s3-delete-disabled=false). What differs from the recordings, and why:
  users are the scope of their token: the lab's OpenID provider puts nothing else into it that a client can choose
  a warehouse "with STS" vends plain key pairs of versitygw (vending.py), without a session token
  remote signing is announced, and its endpoint is not played: whoever follows it meets a 404
  listings are in the order of names, not of creation, and the ids of namespaces are made from their names
  a soft-deleted table stays for good, under another name of the real server
  table metadata is the reference server's, so its keys are too: "properties" is there when empty

The state, which GET, PUT and PATCH /lab/lakekeeper show and change:
  {"warehouses": {"lab": {"location": "s3://lab/lk", "project": "00000000-…", "sts": false, "soft_s": 3600}}, "max_page": 1000,
   "users": {"floe": {"lab": [{"right": "modify", "on": []}, {"right": "describe", "on": ["a", "t1"]}]}}}
A right (describe < select < modify) is on the warehouse, a namespace or a table, and what is below.
"""
from __future__ import annotations

import datetime
import random
import time
import uuid
from typing import Any

from dialects.core import Answer, Issuer, Refusal, Request, State, digest, page_start, page_token
from dialects.lake import Lake, Levels
from dialects.rest import ENDPOINTS, Product, Warehouse, with_config
from dialects.vending import LIFE_S, Vending

DEFAULT_PROJECT = "00000000-0000-0000-0000-000000000000"
RIGHTS = ["describe", "select", "modify"]
NEEDS_MODIFY = {"UPDATE_TABLE": "can_commit", "DROP_TABLE": "can_drop", "RENAME_TABLE": "can_rename"}
NAMESPACE_CHANGES = {"CREATE_NAMESPACE": "can_create_namespace", "CREATE_TABLE_DIRECT": "can_create_table", "REGISTER_TABLE": "can_create_table",
                     "DROP_NAMESPACE": "can_delete", "UPDATE_NAMESPACE_PROPERTIES": "can_update_properties"}
# What it does without saying so in the properties: metadata files are gzip, and old ones go with each commit.
UNSAID = {"write.metadata.compression-codec": "gzip", "write.metadata.delete-after-commit.enabled": "true"}
MARK = "lab.unsaid"

FIRST_STATE = {
    "warehouses": {
        "lab": {"location": "s3://lab/lakekeeper", "project": DEFAULT_PROJECT, "sts": False, "soft_s": 3600},
        "sts": {"location": "s3://lab/lakekeeper-sts", "project": DEFAULT_PROJECT, "sts": True},
    },
    "max_page": 1000,
    "users": {"floe": {"lab": [{"right": "modify", "on": []}], "sts": [{"right": "modify", "on": []}]},
              "writer": {"lab": [{"right": "modify", "on": []}], "sts": [{"right": "modify", "on": []}]}},
}


def shuffled(value: Any) -> Any:
    """Maps in another order each time."""
    if not isinstance(value, dict):
        return value
    items = list(value.items())
    random.shuffle(items)
    return dict(items)


class Lakekeeper(Product):
    base, management = "/catalog", "/management"

    def __init__(self, lake: Lake, state: State, url: str, vending: Vending, issuer: Issuer):
        super().__init__(lake, state, url)
        self.vending, self.issuer = vending, issuer

    # who asks

    def authenticate(self, request: Request) -> Any:
        header = request.headers.get("Authorization")
        if header is None:
            raise Refusal(401, "MissingAuthorizationHeader", "Missing Authorization Header")
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer":
            return Answer(400, b"invalid HTTP header (authorization)", content_type="text/plain; charset=utf-8")
        claims = self.issuer.read(token)
        if claims is None:
            raise Refusal(401, "AuthenticationFailed", "Authentication failed")
        return claims.get("scope", "")

    def serve(self, request: Request) -> Answer:
        if request.path.endswith("/"):
            answer = Answer(404)
        elif request.path.startswith(self.management):
            try:
                answer = self.manage(request)
            except Refusal as refusal:
                answer = self.refused(refusal)
        else:
            answer = super().serve(request)
        answer.headers |= {"cache-control": "private", "vary": "authorization, x-project-id, x-iceberg-access-delegation", "x-request-id": str(uuid.uuid4())}
        return answer

    def refused(self, refusal: Refusal) -> Answer:
        kind = "CatalogCommitConflicts" if refusal.kind == "CommitFailedException" else refusal.kind
        stack = [*refusal.more, f"Error ID: {uuid.uuid4()}"]
        return Answer(refusal.status, {"error": {"message": refusal.message, "type": kind, "code": refusal.status, "stack": stack}})

    def malformed(self, request: Request, error: Exception) -> Answer:
        return Answer(400, f"Failed to parse the request body as JSON: {error}".encode(), content_type="text/plain; charset=utf-8")

    def manage(self, request: Request) -> Answer:
        """Of its management API: what is soft-deleted."""
        match [request.method, *request.segments(self.management)]:
            case ["GET", "v1", "warehouse", prefix, "deleted-tabulars"]:
                who = self.authenticate(request)
                if isinstance(who, Answer):
                    return who
                warehouse = self.warehouse(request, who, prefix)
                found = [one for one in self.state.value.get("deleted", []) if one["warehouse-id"] == prefix and self.right(who, warehouse, [*one["namespace"], one["name"]]) > 2]
                return Answer(200, {"tabulars": found, "next-page-token": None})
        return Answer(404)

    def drop_table(self, warehouse: Warehouse, levels: Levels, table: str, purge: bool) -> None:
        """Soft: it is not there any more, its name is free, and its files stay, also with purge."""
        kept = warehouse.settings.get("soft_s")
        if not kept:
            super().drop_table(warehouse, levels, table, purge)
            return
        ident, now = self.lake.load(warehouse.root, levels, table, True)["metadata"]["table-uuid"], datetime.datetime.now(datetime.timezone.utc)
        self.lake.put_away(warehouse.root, levels, table, warehouse.root + "-deleted", ident)
        entry = {"id": ident, "name": table, "namespace": list(levels), "typ": "table", "warehouse-id": warehouse.settings["id"], "created-at": now.isoformat(),
                 "deleted-at": now.isoformat(), "expiration-date": (now + datetime.timedelta(seconds=kept)).isoformat()}
        self.state.change(lambda value: value.setdefault("deleted", []).append(entry))

    def drop_namespace(self, warehouse: Warehouse, levels: Levels) -> None:
        tables, below = len(self.lake.tables(warehouse.root, levels)), len(self.lake.namespaces(warehouse.root, levels))
        gone = sum(one["warehouse-id"] == warehouse.settings["id"] and one["namespace"] == list(levels) for one in self.state.value.get("deleted", []))
        if tables or below or gone:
            raise Refusal(409, "NamespaceNotEmptyException", f"Namespace with name '{'.'.join(levels)}' is not empty.",
                          f"Contains {tables} tables/views/generic tables, {gone} soft-deleted tables/views/generic tables and {below} child namespaces.",
                          "Use 'recursive' flag to delete all content.", "Error dropping Namespace in catalog")
        super().drop_namespace(warehouse, levels)

    def other(self, request: Request, segments: list[str]) -> Answer | None:
        if segments == ["v1", "oauth", "tokens"]:
            who = self.authenticate(request)
            return who if isinstance(who, Answer) else Answer(404)
        return None

    # what it may

    def right(self, who: str, warehouse: Warehouse, path: list[str]) -> int:
        """0 for none, else 1 + the index in RIGHTS, of what is at path."""
        found = [0]
        for grant in self.state.value["users"].get(who, {}).get(warehouse.name, []):
            on = [one.lower() for one in grant["on"]]
            if [one.lower() for one in path[:len(on)]] == on:
                found.append(1 + RIGHTS.index(grant["right"]))
        return max(found)

    def sees(self, who: str, warehouse: Warehouse, levels: Levels, table: str | None = None) -> bool:
        """With a right on it, or on something below it."""
        path = [*levels, *([table] if table is not None else [])]
        below = table is None and any([one.lower() for one in grant["on"][:len(path)]] == [one.lower() for one in path]
                                      for grant in self.state.value["users"].get(who, {}).get(warehouse.name, []))
        return below or self.right(who, warehouse, path) > 0

    def allow(self, who: str, warehouse: Warehouse, op: str, levels: Levels, table: str | None = None) -> None:
        path = [*levels, *([table] if table is not None else [])]
        prefix = warehouse.settings["id"]
        if not self.sees(who, warehouse, levels, table):
            raise self.missing_table(warehouse, levels, table) if table is not None else self.missing_namespace(warehouse, levels)
        if self.right(who, warehouse, path) < 3 and op in NEEDS_MODIFY:
            raise Refusal(403, "TableActionForbidden", f"Table action `{NEEDS_MODIFY[op]}` forbidden on table '{'.'.join(path)}' in warehouse `{prefix}`")
        if self.right(who, warehouse, path) < 3 and op in NAMESPACE_CHANGES:
            raise Refusal(403, "NamespaceActionForbidden", f"Namespace action `{NAMESPACE_CHANGES[op]}` forbidden on namespace '{'.'.join(path)}' in warehouse `{prefix}`")

    def missing_namespace(self, warehouse: Warehouse, levels: Levels) -> Refusal:
        return Refusal(404, "NoSuchNamespaceException", f"Namespace with name '{'.'.join(levels)}' does not exist in warehouse '{warehouse.settings['id']}'",
                       "Namespace not found or access denied")

    def missing_table(self, warehouse: Warehouse, levels: Levels, table: str) -> Refusal:
        return Refusal(404, "NoSuchTableException", "Error getting tabular from catalog")

    # names

    def check_name(self, levels: Levels, table: str | None = None) -> None:
        if any("." in one for one in levels):
            raise Refusal(400, "NamespacePartContainsDot", "Namespace parts cannot contain '.'", f"Namespace: NamespaceIdent({list(levels)})".replace("'", '"'))
        if table is not None and "+" in table:
            raise Refusal(400, "InvalidTableName", "Table name cannot contain '+' character.")

    def spelled(self, warehouse: Warehouse, levels: Levels, table: str | None = None) -> tuple[Levels, str | None]:
        found: Levels = ()
        for i, level in enumerate(levels):
            there = self.lake.namespaces(warehouse.root, found) if self.lake.has_namespace(warehouse.root, found) else []
            same = [one[-1] for one in there if one[-1].lower() == level.lower()]
            if not same:
                return levels, table
            found += (same[0],)
        if table is not None:
            table = next((one for one in self.lake.tables(warehouse.root, found) if one.lower() == table.lower()), table)
        return found, table

    def place(self, warehouse: Warehouse, levels: Levels, table: str) -> str:
        return f"{warehouse.location}/{uuid.uuid4()}"

    def new_table(self, body: dict[str, Any]) -> dict[str, Any]:
        given = body.get("properties") or {}
        unsaid = {key: value for key, value in UNSAID.items() if key not in given}
        return {**body, "properties": {**given, **unsaid, MARK: ",".join(unsaid)}}

    def page(self, request: Request, found: list[Any]) -> tuple[list[Any], str | None]:
        """A full page always has a token, even the last; without pageToken the list is cut at the maximum."""
        token, most = request.query.get("pageToken", ""), self.state.value["max_page"]
        try:
            at = page_start(token) if token else 0
        except ValueError:
            raise Refusal(400, "InvalidPaginationToken", f"Invalid pagination token - Invalid paginate token format. Got: `{token}`",
                          "Error listing tabulars in catalog", "Error listing tables in catalog") from None
        size = min(max(int(request.query.get("pageSize", most)), 1), most)
        page = found[at:at + size]
        return page, page_token(at + size) if len(page) == size else None

    # the catalog

    def config(self, request: Request) -> Answer:
        who = self.authenticate(request)
        if isinstance(who, Answer):
            return who
        project = request.headers.get("x-project-id", DEFAULT_PROJECT)
        if not project.replace("-", "").replace("_", "").isalnum():
            raise Refusal(400, "MalformedProjectID", f"Project IDs may only contain alphanumeric characters, hyphens and underscores. Got: `{project}`",
                          "Invalid x-project-id header value.")
        if "warehouse" not in request.query:
            raise Refusal(400, "GetConfigNoWarehouseProvided", "No warehouse specified. Please specify the 'warehouse' parameter in the GET /config request.")
        name = request.query["warehouse"]
        found = name.lower().removeprefix(project + "/")
        settings = self.state.value["warehouses"].get(found)
        if settings is None or settings["project"] != project or not self.sees(who, self.of(found), ()):
            raise Refusal(404, "NoSuchWarehouseException", f"A warehouse '{name}' does not exist")
        return Answer(200, shuffled({
            "overrides": {"uri": self.url + self.base}, "endpoints": ENDPOINTS, "idempotency-key-lifetime": "PT30M",
            "defaults": shuffled({"prefix": self.of(found).settings["id"], "rest-page-size": "100", **({"s3.delete-enabled": "false"} if settings.get("soft_s") else {})})}))

    def of(self, name: str) -> Warehouse:
        settings = self.state.value["warehouses"][name]
        ident = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{settings['project']}/{name}"))
        return Warehouse(name, f"lakekeeper-{digest(ident)[:8]}", settings["location"], {**settings, "id": ident})

    def warehouse(self, request: Request, who: str, prefix: str | None) -> Warehouse:
        try:
            uuid.UUID(prefix or "")
        except ValueError:
            raise Refusal(400, "WarehouseIdIsNotUUID", "Provided WarehouseId is not a valid UUID. Got: {s}") from None
        for name in self.state.value["warehouses"]:
            found = self.of(name)
            if found.settings["id"] == prefix and self.sees(who, found, ()):
                return found
        raise Refusal(404, "NoSuchWarehouseException", f"A warehouse with id '{prefix}' does not exist", "Warehouse not found or access denied")

    def loaded(self, request: Request, who: str, warehouse: Warehouse, levels: Levels, table: str, result: dict[str, Any], new: bool) -> Answer:
        delegation = request.headers.get("X-Iceberg-Access-Delegation", "")
        modes = [one for one in delegation.split(",") if one in ("vended-credentials", "remote-signing", "client-managed")]
        right = self.right(who, warehouse, [*levels, table])
        config, grants, timed, may_skip = self.granted(warehouse, result["metadata"], modes, right)
        core = digest(result.get("metadata-location"), request.query.get("snapshots") == "refs", modes, right > 1)[:16]
        # the third part of a tag is the time of the keys: good for half of their life
        etag = f'W/"lk2.{core}' + (f".{int(time.time() * 1000):x}" if timed else "") + '"'
        sent = [one.strip().removeprefix("W/").strip('"') for one in request.headers.get("If-None-Match", "").split(",")]
        for one in sent if may_skip and not new else []:
            parts = one.split(".")
            fresh = not timed or (len(parts) == 3 and time.time() * 1000 - int(parts[2], 16) < LIFE_S * 500)
            if (parts[:2] == ["lk2", core] and fresh) or (one == "*" and not timed):
                return Answer(304, None, etag=f'W/"{one}"' if one != "*" else etag)
        answer = with_config({**result, "metadata": self.said(result["metadata"])}, None if config is None else shuffled(config), grants)
        return Answer(200, shuffled(answer), **({"etag": etag} if result.get("metadata-location") else {}))

    def granted(self, warehouse: Warehouse, metadata: dict[str, Any], modes: list[str], right: int) -> tuple[Any, list[Any], bool, bool]:
        """config, storage-credentials, whether the tag has a time, and whether there may be a 304."""
        if right < 2:
            return None, [], False, True
        place = self.vending.place()
        place |= {"s3.endpoint": place["s3.endpoint"] + "/", "region": place["s3.region"]}
        if modes == ["client-managed"]:
            return place, [], False, True
        if warehouse.settings["sts"] and modes != ["remote-signing"]:
            keys = self.vending.config(metadata["location"], right > 2)
            keys = {key: value for key, value in keys.items() if key not in place}
            mine = {key: keys[key] for key in ("s3.access-key-id", "s3.secret-access-key")}
            return {**place, **mine}, [{"prefix": metadata["location"], "config": shuffled({**place, **keys})}], True, True
        sign = f"v1/signer/{warehouse.settings['id']}/tabular-id/{metadata['table-uuid']}/v1/aws/s3/sign"
        return {**place, "s3.remote-signing-enabled": "true", "s3.signer": "S3V4RestSigner", "py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO",
                "s3.signer.uri": f"{self.url}{self.base}/", "signer.uri": f"{self.url}{self.base}/", "s3.signer.endpoint": sign, "signer.endpoint": sign}, [], False, False

    @staticmethod
    def said(metadata: dict[str, Any]) -> dict[str, Any]:
        """Without what it does silently."""
        properties = dict(metadata.get("properties") or {})
        for key in properties.pop(MARK, "").split(","):
            if properties.get(key) == UNSAID.get(key):
                properties.pop(key, None)
        snapshots = list(metadata.get("snapshots") or [])
        random.shuffle(snapshots)
        return {**metadata, "properties": shuffled(properties), "refs": shuffled(metadata.get("refs") or {}), "snapshots": snapshots}

    def committed(self, result: dict[str, Any]) -> Answer:
        # its tag fits no load
        return Answer(200, {**result, "metadata": self.said(result["metadata"]), "config": None}, etag=f'W/"lk2.{digest("commit", result["metadata-location"])[:16]}"')

    def credentials(self, request: Request, who: str, warehouse: Warehouse, levels: Levels, table: str) -> Answer:
        metadata = self.lake.load(warehouse.root, levels, table, True)["metadata"]
        grants = self.granted(warehouse, metadata, ["vended-credentials"], self.right(who, warehouse, [*levels, table]))[1]
        return Answer(200, {"storage-credentials": grants})
