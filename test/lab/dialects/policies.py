"""Polaris's policy store: policies in namespaces, attached to a catalog, namespaces and tables, inherited downwards.

Source, at apache/polaris 4b42186: spec/polaris-catalog-apis/policy-apis.yaml (paths, shapes, error examples),
runtime/service/.../catalog/policy/PolicyCatalog.java and PolicyCatalogHandler.java (what is refused and how, order of checks, inheritance),
polaris-core/.../policy/PredefinedPolicyTypes.java, .../content/maintenance/*.java and schemas/policies/system/*/2025-02-03.json (content),
.../auth/RbacOperationSemantics.java (privileges). Nothing of it was recorded from a running Polaris.
"""
from __future__ import annotations

import json
import random
import re
from typing import Any

from dialects.core import Answer, Refusal, Request, levels_of
from dialects.lake import Levels
from dialects.rest import Warehouse

TYPES = ["system.data-compaction", "system.metadata-compaction", "system.orphan-file-removal", "system.snapshot-expiry"]
VERSION = "2025-02-03"
NAME = re.compile(r"[A-Za-z0-9\-_]+")


def check_content(kind: str, content: str | None) -> None:
    """As the maintenance policies' validators do; a PolicyException is a 400 of that type."""
    def wrong(message: str) -> Refusal:
        return Refusal(400, "InvalidPolicyException", message)

    if not content:
        raise wrong("Policy is empty")
    try:
        value = json.loads(content)
    except ValueError as error:
        raise wrong(str(error)) from None
    known = {"version", "enable", "config"} | ({"max_orphan_file_age_in_days", "locations"} if kind == "system.orphan-file-removal" else set())
    if not isinstance(value, dict) or not isinstance(value.get("enable"), bool) or set(value) - known:
        raise wrong(f"Invalid policy: {content}")
    if value.get("version") not in (None, "", VERSION):
        raise wrong(f"Invalid policy version: {value['version']}")
    config = value.get("config") or {}
    if not isinstance(config, dict) or any(isinstance(one, (dict, list)) for one in config.values()):
        raise wrong(f"Invalid policy: {content}")
    age = value.get("max_orphan_file_age_in_days", 0)
    if not isinstance(age, int) or age < 0:
        raise wrong(f"Invalid max_orphan_file_age_in_days: {age}. It must be greater than or equal to 0")


def shown(policy: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"policy-type": policy["type"], "inheritable": True, "name": policy["name"], "version": policy["version"],
            **{key: policy[key] for key in ("description", "content") if policy.get(key) is not None}, **more}


class Policies:
    """Of one catalog: a part of the product's state, as {"policies": [{namespace, name, type, description, content, version}],
    "mappings": [{policy: {namespace, name}, target: {type, path}, parameters}]}."""

    def __init__(self, product: Any, who: Any, warehouse: Warehouse, catalog: dict[str, Any]):
        self.product, self.who, self.warehouse = product, who, warehouse
        self.policies, self.mappings = catalog.setdefault("policies", []), catalog.setdefault("mappings", [])

    def serve(self, request: Request, rest: list[str]) -> Answer | None:
        match [request.method, *rest]:
            case ["GET", "applicable-policies"]:
                return self.applicable(request)
            case [method, "namespaces", name, "policies", *more]:
                levels = levels_of(name)
                if not self.product.lake.has_namespace(self.warehouse.root, levels):
                    raise self.product.missing_namespace(self.warehouse, levels)
                return self.of_namespace(method, request, levels, more)
        return None

    def of_namespace(self, method: str, request: Request, levels: Levels, more: list[str]) -> Answer | None:
        match [method, *more]:
            case ["GET"]:
                self.allow("LIST_POLICY", levels)
                kind = request.query.get("policyType")
                # a type that it does not know is no filter
                found = [one["name"] for one in self.policies if one["namespace"] == list(levels) and (kind not in TYPES or one["type"] == kind)]
                random.shuffle(found)  # the answer is made of a HashSet
                return Answer(200, {"identifiers": [{"namespace": list(levels), "name": name} for name in found]})
            case ["POST"]:
                return self.create(request.json(), levels)
            case ["GET", name]:
                policy = self.find(levels, name)
                self.allow("LOAD_POLICY", levels)
                return Answer(200, {"policy": shown(policy)})
            case ["PUT", name]:
                return self.update(request.json(), levels, name)
            case ["DELETE", name]:
                return self.drop(levels, name, request.query.get("detach-all") == "true")
            case ["PUT" | "POST", name, "mappings"]:
                return self.map(method == "PUT", request.json(), levels, name)
        return None

    def allow(self, op: str, levels: Levels = (), table: str | None = None) -> None:
        self.product.allow(self.who, self.warehouse, op, levels, table)

    def find(self, levels: Levels, name: str) -> dict[str, Any]:
        for one in self.policies:
            if one["namespace"] == list(levels) and one["name"] == name:
                return one
        raise Refusal(404, "NoSuchPolicyException", f"Policy does not exist: PolicyIdentifier[namespace={'.'.join(levels)}, name={name}]")

    def create(self, body: dict[str, Any], levels: Levels) -> Answer:
        self.allow("CREATE_POLICY", levels)
        name = body["name"]
        if not NAME.fullmatch(name):
            raise Refusal(400, "BadRequestException", f"Malformed request: {name}")
        if any(one["namespace"] == list(levels) and one["name"] == name for one in self.policies):
            raise Refusal(409, "AlreadyExistsException", f"Policy already exists PolicyIdentifier[namespace={'.'.join(levels)}, name={name}]")
        if body["type"] not in TYPES:
            raise Refusal(400, "BadRequestException", f"Unknown policy type: {body['type']}")
        check_content(body["type"], body.get("content"))
        policy = {"namespace": list(levels), "name": name, "type": body["type"], "description": body.get("description"), "content": body["content"], "version": 0}
        self.policies.append(policy)
        return Answer(200, {"policy": shown(policy)})

    def update(self, body: dict[str, Any], levels: Levels, name: str) -> Answer:
        policy = self.find(levels, name)
        self.allow("UPDATE_POLICY", levels)
        given = body.get("current-policy-version") or 0
        if given != policy["version"]:
            raise Refusal(409, "PolicyVersionMismatchException",
                          f"Policy version mismatch. Given version is {given}, current version is {policy['version']}")
        if (body.get("description"), body.get("content")) != (policy.get("description"), policy["content"]):
            check_content(policy["type"], body.get("content"))
            policy.update(description=body.get("description"), content=body["content"], version=policy["version"] + 1)
        return Answer(200, {"policy": shown(policy)})

    def drop(self, levels: Levels, name: str, detach_all: bool) -> Answer:
        policy = self.find(levels, name)
        self.allow("DROP_POLICY", levels)
        key = {"namespace": policy["namespace"], "name": name}
        if not detach_all and any(one["policy"] == key for one in self.mappings):
            raise Refusal(400, "PolicyInUseException", f"Policy PolicyIdentifier[namespace={'.'.join(levels)}, name={name}] is still attached to entities")
        self.mappings[:] = [one for one in self.mappings if one["policy"] != key]
        self.policies.remove(policy)
        return Answer(204)

    def target(self, body: dict[str, Any]) -> tuple[str, list[str]]:
        """Its type and path; refused when it is not there."""
        kind, path = body["target"]["type"], list(body["target"].get("path") or [])
        lake, root = self.product.lake, self.warehouse.root
        if kind == "namespace" and not lake.has_namespace(root, tuple(path)):
            raise self.product.missing_namespace(self.warehouse, tuple(path))
        if kind == "table-like" and not (len(path) > 1 and lake.has_table(root, tuple(path[:-1]), path[-1])):
            raise Refusal(404, "NoSuchTableException", f"Table or view does not exist: {'.'.join(path)}")
        if kind not in ("catalog", "namespace", "table-like"):
            raise Refusal(400, "IllegalArgumentException", f"Unsupported target type: {kind}")
        return kind, [] if kind == "catalog" else path

    def map(self, attach: bool, body: dict[str, Any], levels: Levels, name: str) -> Answer:
        policy = self.find(levels, name)
        kind, path = self.target(body)
        op = ("ATTACH_POLICY_TO_" if attach else "DETACH_POLICY_FROM_") + {"catalog": "CATALOG", "namespace": "NAMESPACE", "table-like": "TABLE"}[kind]
        self.allow(op, tuple(path))
        key, target = {"namespace": policy["namespace"], "name": name}, {"type": kind, "path": path}
        there = [one for one in self.mappings if one["target"] == target]
        if attach and any(one["policy"] != key and self.find(tuple(one["policy"]["namespace"]), one["policy"]["name"])["type"] == policy["type"] for one in there):
            place = ".".join([self.warehouse.name, *path])
            raise Refusal(409, "PolicyMappingAlreadyExistsException", f"The policy mapping of same type ({policy['type']}) for {place} already exists")
        if not attach and not any(one["policy"] == key for one in there):
            raise Refusal(404, "NoSuchMappingException", "The given mapping between policy and target does not exist")
        self.mappings[:] = [one for one in self.mappings if one["policy"] != key or one["target"] != target]
        if attach:
            self.mappings.append({"policy": key, "target": target, "parameters": body.get("parameters") or {}})
        return Answer(204)

    def applicable(self, request: Request) -> Answer:
        """Of a table, a namespace or, without either, the catalog. A lower policy of the same type takes the place of an upper one."""
        levels, table, kind = levels_of(request.query.get("namespace", "")), request.query.get("target-name") or None, request.query.get("policyType")
        lake, root = self.product.lake, self.warehouse.root
        if levels and not lake.has_namespace(root, levels):
            raise self.product.missing_namespace(self.warehouse, levels)
        if levels and table and not lake.has_table(root, levels, table):
            raise self.product.missing_table(self.warehouse, levels, table)
        table = table if levels else None
        self.allow(f"GET_APPLICABLE_POLICIES_ON_{'TABLE' if table else 'NAMESPACE' if levels else 'CATALOG'}", levels, table)
        path: list[tuple[str, list[str]]] = [("catalog", [])] + [("namespace", list(levels[:i + 1])) for i in range(len(levels))]
        if table:
            path.append(("table-like", [*levels, table]))
        found: dict[str, dict[str, Any]] = {}
        for i, (what, where) in enumerate(path):
            for one in self.mappings:
                if one["target"] != {"type": what, "path": where}:
                    continue
                policy = self.find(tuple(one["policy"]["namespace"]), one["policy"]["name"])
                if kind not in TYPES or policy["type"] == kind:
                    found[policy["type"]] = shown(policy, inherited=i < len(path) - 1, namespace=policy["namespace"])
        policies = list(found.values())
        random.shuffle(policies)
        return Answer(200, {"applicable-policies": policies})
