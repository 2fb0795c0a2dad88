#!/usr/bin/env python3
"""A double of Kyuubi 1.11.1: its REST interface as a real server was recorded to speak it, in front of the lab's real Spark (gateway.py).

Recorded, odd parts included: a session is given at once and its engine starts behind it; the first statement waits until it is up; states end
in "_STATE"; nearly every failure is a 404 with a stack trace, a session that is closed twice a 500; an exception is 27 kB of JSON; values of
most types are STRING_VAL; a fetch moves on, and an empty one is the end; cancelling and the server's time limit look alike.

    kyuubi.py PORT      needs FLOE_SPARK_URL
"""
from __future__ import annotations

import json
import threading
import time
import uuid
from typing import Any

import gateway
from gateway import Cancelled, Gateway, Reply, Session, Statement, message_of, now_ms, plain
from sparksql import SparkError

INSTANCE = "127.0.0.1:10099"
TAGS = {"INT_TYPE": "I32_VAL", "SMALLINT_TYPE": "I16_VAL", "TINYINT_TYPE": "BYTE_VAL", "BIGINT_TYPE": "I64_VAL", "BOOLEAN_TYPE": "BOOL_VAL",
        "DOUBLE_TYPE": "DOUBLE_VAL", "FLOAT_TYPE": "DOUBLE_VAL"}
FRAME = {"classLoaderName": "app", "moduleName": None, "moduleVersion": None, "methodName": "apply", "fileName": "KyuubiSQLException.scala", "lineNumber": 69,
         "nativeMethod": False, "className": "org.apache.kyuubi.KyuubiSQLException$"}


def stack(message: str, at: str = "org.apache.kyuubi.KyuubiSQLException$.apply(KyuubiSQLException.scala:69)") -> dict[str, Any]:
    return {"message": f"{message}\n\tat {at}\n\tat java.base/java.lang.Thread.run(Thread.java:840)"}


def exception(message: str) -> dict[str, Any]:
    return {"cause": None, "stackTrace": [FRAME] * 60, "sqlstate": None, "errorCode": 0, "nextException": None, "message": message, "suppressed": [],
            "localizedMessage": message}


class Operation(Statement):
    def __init__(self, session: "KyuubiSession", text: str, timeout: int):
        super().__init__(text)
        self.id, self.session, self.state, self.exception, self.timeout = str(uuid.uuid4()), session, "RUNNING_STATE", None, timeout
        self.created, self.completed, self.fetched = now_ms(), 0, 0
        self.log = [f"2026-11-21 10:26:42.533 INFO org.apache.kyuubi.operation.ExecuteStatement: Processing anonymous's query[{self.id}]: PENDING_STATE -> RUNNING_STATE, statement:", text]

    def work(self) -> None:
        if self.timeout:
            threading.Timer(self.timeout, self.cancelled.set).start()
        try:
            with self.session.turn:
                self.hold(self.session.kyuubi.settings)
                self.session.spark.run(self)
            state = "FINISHED_STATE"
        except Cancelled:
            state = "CANCELED_STATE"
        except SparkError as error:
            name, message, frames = message_of(str(error))
            frames = frames or ["org.apache.spark.sql.Dataset.<init>(Dataset.scala:220)"]
            trace = "".join(f"\n\tat {one}" for one in (frames * (200 // len(frames) + 1))[:200])
            self.exception = exception(f"org.apache.kyuubi.KyuubiSQLException: Error operating ExecuteStatement: {name}: {message}{trace}")
            state = "ERROR_STATE"
        self.completed, self.state = now_ms(), state

    def event(self) -> dict[str, Any]:
        return {"statementId": self.id, "remoteId": self.id, "statement": self.text, "shouldRunAsync": True, "state": self.state, "eventTime": now_ms(),
                "createTime": self.created, "startTime": self.created, "completeTime": self.completed, "exception": self.exception, "sessionId": self.session.id,
                "sessionUser": "anonymous", "sessionType": "INTERACTIVE", "kyuubiInstance": INSTANCE, "metrics": {"fetchLogCount": "0", "fetchResultsCount": "0"}, "progress": None}


class KyuubiSession:
    def __init__(self, kyuubi: "Kyuubi", configs: dict[str, str]):
        self.kyuubi, self.configs, self.id, self.created, self.opened = kyuubi, configs, str(uuid.uuid4()), now_ms(), -1
        self.exception, self.spark, self.operations, self.turn = None, None, 0, threading.Lock()
        self.up = threading.Event()
        threading.Thread(target=self.launch, daemon=True).start()

    def launch(self) -> None:
        time.sleep(self.kyuubi.settings["start_s"])
        try:
            if self.configs.get("spark.driver.memory") == "bogus":
                raise SparkError("Failed to detect the root cause, please check the engine's log at server side if necessary. The last 10 line(s) of log are:\n"
                                 "Invalid maximum heap size: -Xmxbogus\nError: Could not create the Java Virtual Machine.")
            self.spark = Session(self.configs)
            self.opened = now_ms()
        except SparkError as error:
            self.exception = exception(str(error))
        self.up.set()

    def conf(self) -> dict[str, str]:
        return {"kyuubi.session.real.user": "anonymous", "kyuubi.client.ipAddress": "127.0.0.1", "kyuubi.session.connection.url": INSTANCE,
                "kyuubi.server.ipAddress": "127.0.0.1", **self.configs}

    def view(self) -> dict[str, Any]:
        is_up = self.opened > 0
        return {"sessionId": self.id, "clientVersion": 0, "sessionType": "INTERACTIVE", "sessionName": self.configs.get("kyuubi.session.name", ""),
                "remoteSessionId": self.id if is_up else "", "engineId": "local-1795256789540" if is_up else "", "engineName": "kyuubi_USER_SPARK_SQL" if is_up else "",
                "engineUrl": "", "user": "anonymous", "clientIp": "127.0.0.1", "serverIp": INSTANCE, "conf": self.conf(), "eventTime": self.created, "openedTime": self.opened,
                "startTime": self.created, "endTime": -1, "totalOperations": self.operations, "exception": self.exception}

    def item(self) -> dict[str, Any]:
        return {"identifier": self.id, "remoteId": self.id, "user": "anonymous", "ipAddr": "127.0.0.1", "conf": self.conf(), "createTime": self.created,
                "duration": now_ms() - self.created, "idleTime": 0, "exception": "", "sessionType": "INTERACTIVE", "kyuubiInstance": INSTANCE, "engineId": ""}


class Kyuubi(Gateway):
    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, KyuubiSession] = {}
        self.operations: dict[str, Operation] = {}
        base, session, operation = "/api/v1", "/api/v1/sessions/([^/]+)", "/api/v1/operations/([^/]+)"
        self.routes = [
            ("GET", base + "/ping", lambda *_: Reply(200, b"pong", "text/plain")), ("GET", base + "/version", lambda *_: Reply(200, {"version": "1.11.1"})),
            ("GET", base + "/sessions", lambda *_: Reply(200, [one.item() for one in self.sessions.values()])), ("POST", base + "/sessions", self.open),
            ("GET", session, lambda m, q, b: Reply(200, self.find_session(m[1], f"Invalid {m[1]}: ").view())), ("DELETE", session, self.close),
            ("POST", session + "/operations/statement", self.execute), ("GET", operation + "/event", lambda m, q, b: Reply(200, self.find(m[1]).event())),
            ("GET", operation + "/log", self.log), ("GET", operation + "/resultsetmetadata", self.metadata), ("GET", operation + "/rowset", self.rowset),
            ("PUT", operation, self.act),
        ]

    def summary(self) -> dict[str, Any]:
        return {"sessions": [one.view() for one in self.sessions.values()]}

    def unknown(self, method: str, path: str) -> Reply:
        known = any(path == "/api/v1/" + one or path.startswith("/api/v1/" + one + "/") for one in ("sessions", "operations"))
        return Reply(405 if known else 404, {"message": "HTTP 405 Method Not Allowed" if known else "HTTP 404 Not Found"})

    def find_session(self, number: str, before: str) -> KyuubiSession:
        found = self.sessions.get(number)
        if found is None:
            raise Reply(404, stack(f"{before}org.apache.kyuubi.KyuubiSQLException: Invalid SessionHandle [{number}]"))
        return found

    def find(self, number: str, before: str = "Error getting an operation event: ") -> Operation:
        found = self.operations.get(number)
        if found is not None:
            return found
        try:
            uuid.UUID(number)
        except ValueError:
            raise Reply(404, stack(f"{before}java.lang.IllegalArgumentException: Invalid UUID string: {number}"))
        raise Reply(404, stack(f"{before}org.apache.kyuubi.KyuubiSQLException: Invalid OperationHandle [{number}]"))

    def read(self, body: bytes) -> dict[str, Any]:
        try:
            return json.loads(body)
        except ValueError:
            raise Reply(400, b"Unexpected character ('b' (code 98)): was expecting double-quote to start field name\n at [Source: REDACTED "
                             b"(`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 2]", "text/plain")

    def open(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        request = self.read(body)
        with self.lock:
            self.bodies.append(request)
            session = KyuubiSession(self, request.get("configs") or {})
            self.sessions[session.id] = session
        return Reply(200, {"identifier": session.id, "kyuubiInstance": INSTANCE})

    def close(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        with self.lock:
            session = self.sessions.pop(match[1], None)
            if session is None:
                return Reply(500, {"message": f"Invalid SessionHandle [{match[1]}]"})
            mine = [one for one in self.operations.values() if one.session is session]
            for one in mine:
                one.cancelled.set()
                del self.operations[one.id]

        def end() -> None:
            session.up.wait()
            with session.turn:
                if session.spark:
                    session.spark.close()
        threading.Thread(target=end, daemon=True).start()
        return Reply(200)

    def execute(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        before = "Error executing statement: "
        session, request = self.find_session(match[1], before), self.read(body)
        session.up.wait()
        if session.exception:
            return Reply(404, stack(f"{before}java.util.concurrent.ExecutionException: org.apache.kyuubi.KyuubiSQLException: {session.exception['message']}"))
        if request.get("statement") is None:
            return Reply(404, stack(f'{before}java.lang.NullPointerException: Cannot invoke "String.length()" because "s" is null'))
        operation = Operation(session, request["statement"], int(request.get("queryTimeout") or 0))
        with self.lock:
            self.operations[operation.id] = operation
            self.statements.append(operation.text)
            session.operations += 1
        if request.get("runAsync"):
            threading.Thread(target=operation.work, daemon=True).start()
        else:
            operation.work()
        return Reply(200, {"identifier": operation.id})

    def finished(self, number: str, what: str) -> Operation:
        operation = self.find(number, f"Error getting {what} for operation handle {number}: ")
        if operation.state != "FINISHED_STATE":
            raise Reply(404, stack(f"Error getting {what} for operation handle {number}: java.lang.IllegalStateException: Expected state FINISHED, but found "
                                   f"{operation.state.removesuffix('_STATE')}", "org.apache.kyuubi.operation.AbstractOperation.assertState(AbstractOperation.scala:165)"))
        return operation

    def metadata(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        operation = self.finished(match[1], "result set metadata")
        return Reply(200, {"columns": [{"columnName": name, "dataType": kind, "columnIndex": i, "precision": 10 if kind == "DECIMAL_TYPE" else 0,
                                        "scale": 2 if kind == "DECIMAL_TYPE" else 0, "comment": ""} for i, (name, kind) in enumerate(operation.columns)]})

    def rowset(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        operation = self.finished(match[1], "result row set")
        rows = operation.rows[operation.fetched:operation.fetched + int(query.get("maxrows", 100))]
        operation.fetched += len(rows)

        def field(kind: str, value: Any) -> dict[str, Any]:
            value = plain(value)
            return {"dataType": TAGS.get(kind, "STRING_VAL"), "value": value if value is None or kind in TAGS else str(value)}
        return Reply(200, {"rows": [{"fields": [field(kind, value) for (_, kind), value in zip(operation.columns, row)]} for row in rows], "rowCount": len(rows)})

    def log(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        lines = self.find(match[1]).log[:int(query.get("maxrows", 100))]
        return Reply(200, {"logRowSet": lines, "rowCount": len(lines)})

    def act(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        action = self.read(body).get("action")
        before = f"Error applying {action} for operation handle {match[1]}: "
        operation = self.find(match[1], before)
        if action not in ("cancel", "close"):
            return Reply(404, stack(f"{before}org.apache.kyuubi.KyuubiSQLException: Invalid action {action}"))
        operation.cancelled.set()
        if action == "close":
            with self.lock:
                self.operations.pop(operation.id, None)
        return Reply(200)


if __name__ == "__main__":
    gateway.main(Kyuubi())
