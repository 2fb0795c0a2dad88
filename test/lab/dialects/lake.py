"""The real Iceberg REST server behind the dialects (component iceberg-rest): every table, snapshot and commit is its.

Each warehouse of a product is one top-level namespace there. Names are written in letters, digits and "_xx", so that a product may
have names that this server would not take, and so that no name of one warehouse can be one of another.
"""
from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from typing import Any

Levels = tuple[str, ...]


class LakeRefusal(Exception):
    """What the real server said."""

    def __init__(self, status: int, kind: str, message: str):
        super().__init__(f"{status} {kind}: {message}")
        self.status, self.kind, self.message = status, kind, message


def encode(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "".join(f"_{b:02x}" for b in c.encode()) for c in name)


def decode(name: str) -> str:
    return re.sub(rb"_([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), name.encode()).decode(errors="replace")


class Lake:
    """root: the top-level namespace of a warehouse; levels and table as the product has them."""

    def __init__(self, uri: str):
        self.uri, self.made, self.lock = uri, set(), threading.Lock()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(f"{self.uri}/v1/{path}", method=method, data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from None
        except OSError as error:
            raise LakeRefusal(503, "ServiceUnavailableException", f"the catalog's own store does not answer: {error}") from None
        return json.loads(text) if text else None

    @staticmethod
    def _refusal(error: urllib.error.HTTPError) -> LakeRefusal:
        try:
            told = json.load(error)["error"]
            return LakeRefusal(error.code, told["type"], told["message"])
        except (ValueError, KeyError, TypeError):
            return LakeRefusal(error.code, "ServiceFailureException", "an answer without words")

    def _at(self, root: str, levels: Levels = (), table: str | None = None) -> str:
        if root not in self.made:
            with self.lock:
                try:
                    self.ask("POST", "namespaces", {"namespace": [root]})
                except LakeRefusal as refusal:
                    if refusal.status != 409:
                        raise
                self.made.add(root)
        # it says itself that a dot is between its levels
        place = "namespaces/" + ".".join([root, *map(encode, levels)])
        return place if table is None else f"{place}/tables/{encode(table)}"

    def _identifier(self, root: str, identifier: dict[str, Any]) -> dict[str, Any]:
        return {"namespace": [root, *map(encode, identifier["namespace"])], "name": encode(identifier["name"])}

    # namespaces

    def namespaces(self, root: str, levels: Levels) -> list[Levels]:
        """Below levels, one level."""
        parent = self._at(root, levels).removeprefix("namespaces/")
        return sorted(tuple(map(decode, one[1:])) for one in self.ask("GET", f"namespaces?parent={parent}")["namespaces"])

    def namespace(self, root: str, levels: Levels) -> dict[str, str]:
        return self.ask("GET", self._at(root, levels))["properties"]

    def has_namespace(self, root: str, levels: Levels) -> bool:
        try:
            return bool(self.ask("GET", self._at(root, levels)))
        except LakeRefusal as refusal:
            if refusal.status == 404:
                return False
            raise

    def make_namespace(self, root: str, levels: Levels, properties: dict[str, str]) -> dict[str, str]:
        self._at(root)
        return self.ask("POST", "namespaces", {"namespace": [root, *map(encode, levels)], "properties": properties})["properties"]

    def drop_namespace(self, root: str, levels: Levels) -> None:
        self.ask("DELETE", self._at(root, levels))

    def change_namespace(self, root: str, levels: Levels, body: Any) -> Any:
        return self.ask("POST", self._at(root, levels) + "/properties", body)

    # tables

    def tables(self, root: str, levels: Levels) -> list[str]:
        return sorted(decode(one["name"]) for one in self.ask("GET", self._at(root, levels) + "/tables")["identifiers"])

    def load(self, root: str, levels: Levels, table: str, refs_only: bool = False) -> dict[str, Any]:
        return self.ask("GET", self._at(root, levels, table) + ("?snapshots=refs" if refs_only else ""))

    def has_table(self, root: str, levels: Levels, table: str) -> bool:
        try:
            self.ask("HEAD", self._at(root, levels, table))
            return True
        except LakeRefusal as refusal:
            if refusal.status == 404:
                return False
            raise

    def make(self, root: str, levels: Levels, body: dict[str, Any]) -> dict[str, Any]:
        return self.ask("POST", self._at(root, levels) + "/tables", {**body, "name": encode(body["name"])})

    def register(self, root: str, levels: Levels, body: dict[str, Any]) -> dict[str, Any]:
        return self.ask("POST", self._at(root, levels) + "/register", {**body, "name": encode(body["name"])})

    def commit(self, root: str, levels: Levels, table: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.ask("POST", self._at(root, levels, table),
                        {**body, "identifier": self._identifier(root, {"namespace": levels, "name": table})})

    def commit_many(self, root: str, body: dict[str, Any]) -> None:
        self.ask("POST", "transactions/commit",
                 {"table-changes": [{**one, "identifier": self._identifier(root, one["identifier"])} for one in body["table-changes"]]})

    def drop(self, root: str, levels: Levels, table: str, purge: bool) -> None:
        self.ask("DELETE", self._at(root, levels, table) + ("?purgeRequested=true" if purge else ""))

    def rename(self, root: str, body: dict[str, Any]) -> None:
        self.ask("POST", "tables/rename", {key: self._identifier(root, body[key]) for key in ("source", "destination")})

    def put_away(self, root: str, levels: Levels, table: str, away: str, name: str) -> None:
        """To another root, where nobody looks; its files stay."""
        self._at(away)
        self.ask("POST", "tables/rename", {"source": self._identifier(root, {"namespace": levels, "name": table}),
                                           "destination": self._identifier(away, {"namespace": (), "name": name})})
