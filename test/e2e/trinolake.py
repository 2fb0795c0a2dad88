"""What the tests of Trino share: the server and its catalogs as the lab has them, a policy of its own for each table, and what Trino itself says of a query."""
from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from typing import Any

from harness import Tap, lab, lab_pid, make_tables
from lakehouse import Lakehouse
from proxy import Proxy
from triggered import Triggered

OPERATIONS = ("rewrite_data_files", "rewrite_manifests", "expire_snapshots", "remove_orphan_files")
# Trino's name of each of the lab's catalogs: tables in S3 are in the same one.
CATALOGS = {"catalog.s3": "rest"}


def url() -> str:
    return os.environ["FLOE_TRINO_URL"]


def add_engine(pg: Lakehouse, name: str = "trino", at: str | None = None, **more: str) -> str:
    pg.add_server(name, "floe_engine", "trino", {"url": at or url(), **CATALOGS, **more}, {})
    return name


def ask(path: str, method: str = "GET", body: str | None = None) -> Any:
    """Trino's answer to a request of a person."""
    request = urllib.request.Request(url() + path if path.startswith("/") else path, method=method, data=body.encode() if body is not None else None, headers={"X-Trino-User": "lab"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def queries(operation_key: str) -> list[dict[str, Any]]:
    """Those with the operation's mark, the oldest first."""
    return sorted((query for query in ask("/v1/query") if f"/* floe:{operation_key} */" in query["query"]), key=lambda query: query["queryId"])


class Case(Triggered):
    """By Trino, unless another engine is said."""

    def __init__(self, t: Tap, pg: Lakehouse, name: str, table: list[str], operation: str, engine: str = "trino", more: dict[str, Any] | None = None, **options: Any):
        super().__init__(t, pg, name, table, operation, engine, more, **options)


def many_small(catalog: str, namespace: str) -> str:
    return make_tables(catalog, namespace, ["many_small"])[0]["table"]


def start(*more: str) -> None:
    lab("start", "versitygw", "iceberg-rest", *more, "trino")


def wait_until(condition: Any, timeout: float = 60) -> Any:
    """Asks until it is true; what it was last."""
    end = time.monotonic() + timeout
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return value


def between() -> Proxy:
    """Before the real Trino, whose nextUri leads back there, as it has the name it was asked by. Requests are info, submit, page, look, find or cancel."""
    def kind(method: str, path: str) -> str:
        return {"/v1/info": "info", "/v1/statement": "submit", "/v1/query": "find"}.get(path) or (
            "page" if path.startswith("/v1/statement/") else "cancel" if method == "DELETE" else "look")
    return Proxy(url(), kind)


class Frozen:
    """A component of the lab that does nothing, until the block ends or thaw()."""

    def __init__(self, component: str):
        self.pid, self.is_frozen = lab_pid(component), False

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        if self.is_frozen:
            self.is_frozen = False
            try:
                os.kill(self.pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def __enter__(self) -> "Frozen":
        return self

    def __exit__(self, *error: Any) -> None:
        self.thaw()
