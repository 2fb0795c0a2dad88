"""An operation that a test triggers and follows to its end, on whatever engine: apart from each engine's own tests because all of them ask the same of it."""
from __future__ import annotations

import json
from typing import Any

from harness import Tap
from lakehouse import Lakehouse


class Triggered:
    """A table with a policy of its own, by which nothing is done before it is triggered."""

    def __init__(self, t: Tap, pg: Lakehouse, name: str, table: list[str], operation: str, engine: str, more: dict[str, Any] | None = None, **options: Any):
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
