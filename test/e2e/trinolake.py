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


class Case:
    """A table with a policy of its own, by which nothing is done before it is triggered."""

    def __init__(self, t: Tap, pg: Lakehouse, name: str, table: list[str], operation: str, engine: str = "trino", more: dict[str, Any] | None = None, **options: Any):
        self.t, self.pg, self.word, self.operation = t, pg, name, operation
        self.table = pg.format_name(table)
        pg.maintain(self.table)
        never = {"when": {"any": [{"metric": "data_file_count", "op": "<", "value": 0}]}, "min_interval": "0"}
        pg.sql("SELECT floe.create_policy(%s, %s, %s)", (name, self.table, json.dumps({operation: {"engine": engine, **never, "options": options, **(more or {})}})))

    def ok(self, condition: Any, what: str, *more: Any) -> bool:
        return self.t.ok(condition, f"{self.word}: {what}", *more)

    def rows(self) -> list[dict[str, Any]]:
        return self.pg.sql("SELECT o.*, q.operation_key::text AS key FROM floe.operations AS o LEFT JOIN floe_internal.operation_queue AS q ON q.operation_id = o.id "
                           "WHERE o.table_name = %s AND o.operation = %s ORDER BY o.id", (self.table, self.operation))

    def row(self) -> dict[str, Any]:
        return self.rows()[-1]

    def trigger(self) -> int:
        queued = self.pg.sql("SELECT * FROM floe.trigger(%s, ARRAY[%s])", (self.table, self.operation))[0]
        self.ok(queued["verdict"] == "queued", "triggered", queued)
        return queued["operation_id"]

    def run(self, wait: bool = True) -> str:
        self.trigger()
        return self.pg.maintain(self.table, wait=wait, timeout=300)

    def succeeded(self, notices: str = "") -> bool:
        row = self.row()
        return self.ok(row["state"] == "succeeded" and row["error"] is None, "succeeded", row["state"], row["error"], notices)

    def failed(self, error_class: str, says: str, notices: str = "") -> bool:
        row = self.row()
        self.t.note(f"{self.word}: {row['error_class']}: {row['error']}")
        self.ok(row["state"] == "failed" and row["error_class"] == error_class, f"failed, of class {error_class}", row["state"], row["error_class"], notices)
        return self.ok(says in (row["error"] or "") and "\n" not in (row["error"] or ""), "with the reason, in one line", says, row["error"])


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
