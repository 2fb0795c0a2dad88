"""The routes of the Iceberg REST protocol, as the products serve them; what differs is asked of the product (polaris, lakekeeper, gravitino).

Source: Apache Iceberg, open-api/rest-catalog-open-api.yaml. What a product may do before, instead or after is in the methods that its
class replaces.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dialects.core import Answer, Refusal, Request, State, levels_of, page_start, page_token
from dialects.lake import Lake, LakeRefusal, Levels

ENDPOINTS = [
    "GET /v1/config", "GET /v1/{prefix}/namespaces", "HEAD /v1/{prefix}/namespaces/{namespace}", "POST /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}", "DELETE /v1/{prefix}/namespaces/{namespace}",
    "POST /v1/{prefix}/namespaces/{namespace}/properties", "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "POST /v1/{prefix}/namespaces/{namespace}/tables", "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}", "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}", "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials",
    "POST /v1/{prefix}/tables/rename", "POST /v1/{prefix}/namespaces/{namespace}/register",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics", "POST /v1/{prefix}/transactions/commit",
]
WITHOUT_PREFIX = ("namespaces", "tables", "transactions")


@dataclass(frozen=True)
class Warehouse:
    name: str
    root: str      # its namespace in the real server
    location: str  # where its tables are, without a slash at the end
    settings: Any


class Product:
    """base: the path that it serves."""

    base = ""
    management = "-"  # what it serves beside that

    def __init__(self, lake: Lake, state: State, url: str):
        self.lake, self.state, self.url = lake, state, url

    # what the products replace

    def config(self, request: Request) -> Answer:
        raise NotImplementedError

    def authenticate(self, request: Request) -> Any:
        """Who asks; a Refusal or an Answer is raised or returned by serve()."""
        raise NotImplementedError

    def warehouse(self, request: Request, who: Any, prefix: str | None) -> Warehouse:
        raise NotImplementedError

    def allow(self, who: Any, warehouse: Warehouse, op: str, levels: Levels, table: str | None = None) -> None:
        raise NotImplementedError

    def sees(self, who: Any, warehouse: Warehouse, levels: Levels, table: str | None = None) -> bool:
        """Does a listing show it?"""
        return True

    def refused(self, refusal: Refusal) -> Answer:
        return Answer(refusal.status, {"error": {"message": refusal.message, "type": refusal.kind, "code": refusal.status}})

    def missing_namespace(self, warehouse: Warehouse, levels: Levels) -> Refusal:
        return Refusal(404, "NoSuchNamespaceException", f"Namespace does not exist: {'.'.join(levels)}")

    def missing_table(self, warehouse: Warehouse, levels: Levels, table: str) -> Refusal:
        return Refusal(404, "NoSuchTableException", f"Table does not exist: {'.'.join([*levels, table])}")

    def check_name(self, levels: Levels, table: str | None = None) -> None:
        """Refuses names that the product would not take."""

    def spelled(self, warehouse: Warehouse, levels: Levels, table: str | None = None) -> tuple[Levels, str | None]:
        """As the names were written when they were made."""
        return levels, table

    def place(self, warehouse: Warehouse, levels: Levels, table: str) -> str:
        """Where a new table's files go. Characters that are not themselves in an s3:// location are left out of it."""
        return "/".join([warehouse.location, *(re.sub(r"[^A-Za-z0-9._=@:+ -]", "_", one) for one in (*levels, table))])

    def new_table(self, body: dict[str, Any]) -> dict[str, Any]:
        """What the product adds to a table's creation."""
        return body

    def page(self, request: Request, found: list[Any]) -> tuple[list[Any], str | None]:
        """Without pageToken everything at once, as the protocol wants it."""
        token = request.query.get("pageToken")
        if token is None:
            return found, None
        try:
            at = page_start(token) if token else 0
        except ValueError:
            raise Refusal(400, "IllegalArgumentException", f"Invalid page token: {token}") from None
        end = at + int(request.query.get("pageSize", 1000))
        return found[at:end], page_token(end) if end < len(found) else None

    def loaded(self, request: Request, who: Any, warehouse: Warehouse, levels: Levels, table: str, result: dict[str, Any], new: bool) -> Answer:
        """The answer to a load, or to a creation (new)."""
        raise NotImplementedError

    def committed(self, result: dict[str, Any]) -> Answer:
        return Answer(200, result)

    def credentials(self, request: Request, who: Any, warehouse: Warehouse, levels: Levels, table: str) -> Answer:
        raise NotImplementedError

    def drop_table(self, warehouse: Warehouse, levels: Levels, table: str, purge: bool) -> None:
        self.lake.drop(warehouse.root, levels, table, purge)

    def drop_namespace(self, warehouse: Warehouse, levels: Levels) -> None:
        self.lake.drop_namespace(warehouse.root, levels)

    def other(self, request: Request, segments: list[str]) -> Answer | None:
        """What is not of the Iceberg protocol: tokens, management. None: it is not that either."""
        return None

    # the routes

    def serve(self, request: Request) -> Answer:
        try:
            segments = request.segments(self.base)
            answer = self.other(request, segments)
            if answer is not None:
                return answer
            if segments == ["v1", "config"]:
                return self.config(request)
            who = self.authenticate(request)
            if isinstance(who, Answer):
                return who
            if segments[0] != "v1":
                return self.unknown(request)
            bare = len(segments) > 1 and segments[1] in WITHOUT_PREFIX
            warehouse = self.warehouse(request, who, None if bare else segments[1] if len(segments) > 1 else "")
            return self.iceberg(request, who, warehouse, segments[1 if bare else 2:]) or self.unknown(request)
        except Refusal as refusal:
            return self.refused(refusal)
        except LakeRefusal as refusal:
            return self.refused(Refusal(refusal.status, refusal.kind, refusal.message))
        except (KeyError, ValueError, TypeError) as error:
            return self.malformed(request, error)

    def unknown(self, request: Request) -> Answer:
        return Answer(404)

    def malformed(self, request: Request, error: Exception) -> Answer:
        return self.refused(Refusal(400, "BadRequestException", f"Malformed request: {type(error).__name__} {error}"))

    def iceberg(self, request: Request, who: Any, warehouse: Warehouse, rest: list[str]) -> Answer | None:
        match [request.method, *rest]:
            case ["GET", "namespaces"]:
                return self.list_namespaces(request, who, warehouse)
            case ["POST", "namespaces"]:
                return self.make_namespace(request, who, warehouse)
            case [method, "namespaces", name, *more] if method in ("GET", "HEAD", "POST", "DELETE"):
                self.check_name(levels_of(name))
                levels, table = self.spelled(warehouse, levels_of(name), more[1] if len(more) > 1 else None)
                if not self.lake.has_namespace(warehouse.root, levels):
                    raise self.missing_table(warehouse, levels, table) if table else self.missing_namespace(warehouse, levels)
                if table is None:
                    return self.one_namespace(request, who, warehouse, levels, more, levels_of(name))
                return self.one_table(request, who, warehouse, levels, table, more[2:]) if more[0] == "tables" else None
            case ["POST", "tables", "rename"]:
                return self.rename(request, who, warehouse)
            case ["POST", "transactions", "commit"]:
                return self.transaction(request, who, warehouse)
        return None

    def list_namespaces(self, request: Request, who: Any, warehouse: Warehouse) -> Answer:
        parent = levels_of(request.query.get("parent", ""))
        self.check_name(parent)
        parent, _ = self.spelled(warehouse, parent)
        if parent and not self.lake.has_namespace(warehouse.root, parent):
            raise self.missing_namespace(warehouse, parent)
        self.allow(who, warehouse, "LIST_NAMESPACES", parent)
        found = [list(one) for one in self.lake.namespaces(warehouse.root, parent) if self.sees(who, warehouse, one)]
        found, token = self.page(request, found)
        return Answer(200, {"namespaces": found, **({"next-page-token": token} if token else {})})

    def make_namespace(self, request: Request, who: Any, warehouse: Warehouse) -> Answer:
        body = request.json()
        levels = tuple(body["namespace"])
        self.check_name(levels)
        parent, _ = self.spelled(warehouse, levels[:-1])
        if parent and not self.lake.has_namespace(warehouse.root, parent):
            raise self.missing_namespace(warehouse, parent)
        self.allow(who, warehouse, "CREATE_NAMESPACE", parent)
        if self.lake.has_namespace(warehouse.root, self.spelled(warehouse, levels)[0]):
            raise Refusal(409, "AlreadyExistsException", f"Namespace already exists: {'.'.join(levels)}")
        properties = self.lake.make_namespace(warehouse.root, levels, body.get("properties") or {})
        return Answer(200, {"namespace": list(levels), "properties": properties})

    def one_namespace(self, request: Request, who: Any, warehouse: Warehouse, levels: Levels, more: list[str], asked: Levels) -> Answer | None:
        root = warehouse.root
        match [request.method, *more]:
            case ["GET"]:
                self.allow(who, warehouse, "LOAD_NAMESPACE_METADATA", levels)
                return Answer(200, {"namespace": list(asked), "properties": self.lake.namespace(root, levels)})
            case ["HEAD"]:
                self.allow(who, warehouse, "NAMESPACE_EXISTS", levels)
                return Answer(204)
            case ["DELETE"]:
                self.allow(who, warehouse, "DROP_NAMESPACE", levels)
                self.drop_namespace(warehouse, levels)
                return Answer(204)
            case ["POST", "properties"]:
                self.allow(who, warehouse, "UPDATE_NAMESPACE_PROPERTIES", levels)
                return Answer(200, self.lake.change_namespace(root, levels, request.json()))
            case ["GET", "tables"]:
                self.allow(who, warehouse, "LIST_TABLES", levels)
                return self.list_tables(request, who, warehouse, levels)
            case ["POST", "tables"]:
                return self.make_table(request, who, warehouse, levels)
            case ["POST", "register"]:
                body = request.json()
                self.allow(who, warehouse, "REGISTER_TABLE", levels)
                return self.loaded(request, who, warehouse, levels, body["name"], self.lake.register(root, levels, body), True)
            case ["GET", "views"]:
                return Answer(200, {"identifiers": []})
        return None

    def list_tables(self, request: Request, who: Any, warehouse: Warehouse, levels: Levels) -> Answer:
        names = [one for one in self.lake.tables(warehouse.root, levels) if self.sees(who, warehouse, levels, one)]
        names, token = self.page(request, names)
        return Answer(200, {"identifiers": [{"namespace": list(levels), "name": name} for name in names],
                            **({"next-page-token": token} if token else {})})

    def make_table(self, request: Request, who: Any, warehouse: Warehouse, levels: Levels) -> Answer:
        body = request.json()
        self.check_name(levels, body["name"])
        self.allow(who, warehouse, "CREATE_TABLE_DIRECT", levels)
        if self.lake.has_table(warehouse.root, *self.spelled(warehouse, levels, body["name"])):
            raise Refusal(409, "AlreadyExistsException", f"Table already exists: {'.'.join([*levels, body['name']])}")
        location = (body.get("location") or self.place(warehouse, levels, body["name"])).rstrip("/")
        # Polaris's allowedLocations; the others have the same
        if not location.startswith(warehouse.location + "/"):
            raise Refusal(403, "ForbiddenException", f"Invalid locations '[{location}]' for identifier '{'.'.join([*levels, body['name']])}'")
        result = self.lake.make(warehouse.root, levels, self.new_table({**body, "location": location}))
        return self.loaded(request, who, warehouse, levels, body["name"], result, True)

    def one_table(self, request: Request, who: Any, warehouse: Warehouse, levels: Levels, table: str, more: list[str]) -> Answer | None:
        root = warehouse.root
        body = request.json() if request.method == "POST" and not more else {}
        creates = any(one.get("type") == "assert-create" for one in body.get("requirements", []))
        if not creates and not self.lake.has_table(root, levels, table):
            raise self.missing_table(warehouse, levels, table)
        match [request.method, *more]:
            case ["GET"]:
                self.allow(who, warehouse, "LOAD_TABLE", levels, table)
                refs = request.query.get("snapshots") == "refs"
                return self.loaded(request, who, warehouse, levels, table, self.lake.load(root, levels, table, refs), False)
            case ["HEAD"]:
                self.allow(who, warehouse, "TABLE_EXISTS", levels, table)
                return Answer(204)
            case ["POST"]:
                self.allow(who, warehouse, "CREATE_TABLE_DIRECT" if creates else "UPDATE_TABLE", levels, table)
                return self.committed(self.lake.commit(root, levels, table, body))
            case ["DELETE"]:
                self.allow(who, warehouse, "DROP_TABLE", levels, table)
                self.drop_table(warehouse, levels, table, request.query.get("purgeRequested", "").lower() == "true")
                return Answer(204)
            case ["GET", "credentials"]:
                self.allow(who, warehouse, "LOAD_TABLE", levels, table)
                return self.credentials(request, who, warehouse, levels, table)
            case ["POST", "metrics"]:
                self.allow(who, warehouse, "LOAD_TABLE", levels, table)
                return Answer(204)
        return None

    def rename(self, request: Request, who: Any, warehouse: Warehouse) -> Answer:
        body = request.json()
        source = body["source"]
        levels, table = self.spelled(warehouse, tuple(source["namespace"]), source["name"])
        if not self.lake.has_table(warehouse.root, levels, table):
            raise self.missing_table(warehouse, levels, table)
        self.allow(who, warehouse, "RENAME_TABLE", levels, table)
        self.lake.rename(warehouse.root, {**body, "source": {"namespace": levels, "name": table}})
        return Answer(204)

    def transaction(self, request: Request, who: Any, warehouse: Warehouse) -> Answer:
        body = request.json()
        for one in body["table-changes"]:
            levels, table = self.spelled(warehouse, tuple(one["identifier"]["namespace"]), one["identifier"]["name"])
            self.allow(who, warehouse, "UPDATE_TABLE", levels, table)
            one["identifier"] = {"namespace": levels, "name": table}
        self.lake.commit_many(warehouse.root, body)
        return Answer(204)


def with_config(result: dict[str, Any], config: dict[str, str] | None, grants: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A load result with the product's config and storage-credentials in place of the real server's."""
    kept = {key: value for key, value in result.items() if key not in ("config", "storage-credentials")}
    return {**kept, **({"config": config} if config is not None else {}), **({"storage-credentials": grants} if grants else {})}

