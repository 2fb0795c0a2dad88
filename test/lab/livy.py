#!/usr/bin/env python3
"""A double of Livy 0.9.0: its protocol as a real server was recorded to speak it, in front of the lab's real Spark (gateway.py).

Recorded, odd parts included: a failed statement is "available" with output.status "error" and a message without its class; some error bodies
are bare JSON strings; a bad kind of a statement is a 500; unknown fields and names that are taken are a 400; a POST that fails uses up an id;
at most 1000 rows. Not recorded, from Livy's sources: a session that is not active answers 400 to its statements; CSRF and login.

    livy.py PORT        needs FLOE_SPARK_URL; {"old": true} makes it a server that knows neither ttl nor idleTimeout;
                        {"own": true} starts a Spark for each session, as Livy does (driver.py): for benchmarks, what a session costs
"""
from __future__ import annotations

import json
import queue
import re
import sys
import threading
import time
from typing import Any

import driver
import gateway
from gateway import Cancelled, Gateway, Reply, Session, Statement, message_of, now_ms, plain
from sparksql import SparkError

FIELDS = ["executorCores", "conf", "driverMemory", "name", "driverCores", "idleTimeout", "pyFiles", "archives", "kind", "files", "jars", "proxyUser",
          "numExecutors", "heartbeatTimeoutInSecond", "ttl", "queue", "executorMemory"]
REQUEST = "org.apache.livy.server.interactive.CreateInteractiveRequest"
KINDS = ("spark", "pyspark", "sparkr", "sql", "shared")
MAX_ROWS = 1000
JETTY = "org.eclipse.jetty.server.HttpInputOverHTTP"


def value_of(kind: str, value: Any) -> Any:
    value = plain(value)
    if value is None:
        return None
    if kind == "TIMESTAMP_TYPE":
        return str(value).replace(" ", "T") + "Z"
    if kind == "DECIMAL_TYPE":
        return float(value)
    return json.loads(value) if kind == "ARRAY_TYPE" else value


class LivyStatement(Statement):
    def __init__(self, number: int, code: str):
        super().__init__(code)
        self.number, self.state, self.output, self.started, self.completed = number, "waiting", None, 0, 0

    def ok(self) -> dict[str, Any]:
        fields = [{"name": name, "type": gateway.TYPES.get(kind, "string"), "nullable": True, "metadata": {}} for name, kind in self.columns]
        rows = [[value_of(kind, value) for (_, kind), value in zip(self.columns, row)] for row in self.rows[:MAX_ROWS]]
        return {"status": "ok", "execution_count": self.number, "data": {"application/json": {"schema": {"type": "struct", "fields": fields}, "data": rows}}}

    def error(self, message: str, stack: list[str]) -> dict[str, Any]:
        return {"status": "error", "execution_count": self.number, "ename": "Error", "evalue": message, "traceback": stack}

    def view(self) -> dict[str, Any]:
        progress = 1.0 if self.state in ("available", "cancelled") else 0.5 if self.state == "running" else 0.0
        return {"id": self.number, "code": self.text, "state": self.state, "output": self.output, "progress": progress,
                "started": self.started, "completed": self.completed}


class LivySession:
    def __init__(self, livy: "Livy", number: int, request: dict[str, Any]):
        self.livy, self.number, self.request = livy, number, request
        self.state, self.log, self.statements = "starting", ["stdout: ", "\nstderr: "], []
        self.queue: queue.Queue[LivyStatement | None] = queue.Queue()
        self.spark: Session | None = None
        self.driver: driver.Driver | None = None
        threading.Thread(target=self.work, daemon=True).start()

    def view(self) -> dict[str, Any]:
        get = self.request.get
        return {"id": self.number, "name": get("name"), "appId": None, "owner": None, "proxyUser": get("proxyUser"), "state": self.state, "kind": get("kind") or "shared",
                "appInfo": {"driverLogUrl": None, "sparkUiUrl": None, "executorLogUrls": None}, "log": self.log[-10:], "ttl": get("ttl"), "idleTimeout": get("idleTimeout"),
                "driverMemory": get("driverMemory"), "driverCores": get("driverCores", 0), "executorMemory": get("executorMemory"), "executorCores": get("executorCores", 0),
                "conf": get("conf", {}), "archives": [], "files": [], "heartbeatTimeoutInSecond": get("heartbeatTimeoutInSecond", 0), "jars": [],
                "numExecutors": get("numExecutors", 0), "pyFiles": [], "queue": get("queue")}

    def work(self) -> None:
        time.sleep(self.livy.settings["start_s"])
        try:
            if str(self.request.get("driverMemory")) == "bogus":
                raise SparkError("Invalid maximum heap size: -Xmxbogus")
            self.driver = driver.Driver() if self.livy.settings["own"] else None
            self.spark = Session(self.request.get("conf") or {}, self.driver and self.driver.url)
        except (SparkError, driver.DriverError) as error:
            self.log += [f"26/11/21 10:18:03 ERROR ContextLauncher: {error}", "26/11/21 10:18:03 WARN RSCClient: Error stopping RPC."]
            self.state = "dead"
            return
        self.state = "idle"
        while (statement := self.queue.get()) is not None:
            if statement.state == "waiting":
                self.execute(statement)
        self.spark.close()
        if self.driver:
            self.driver.end()

    def execute(self, statement: LivyStatement) -> None:
        self.state, statement.state, statement.started = "busy", "running", now_ms()
        try:
            statement.hold(self.livy.settings)
            self.spark.run(statement)
            output, state = statement.ok(), "available"
        except Cancelled:
            output, state = statement.error(f"Job 50 cancelled part of cancelled job group {statement.number}", ["org.apache.spark.scheduler.DAGScheduler"]), "cancelled"
        except SparkError as error:
            _, message, stack = message_of(str(error))
            output, state = statement.error(message, stack), "available"
        if self.state in ("dead", "error", "killed"):
            return
        self.state = "idle"
        statement.output, statement.completed, statement.state = output, now_ms(), state

    def end(self, state: str) -> None:
        self.state = state
        for statement in self.statements:
            statement.cancelled.set()
        self.queue.put(None)


class Livy(Gateway):
    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[int, LivySession] = {}
        self.next_id = 0
        session = r"/sessions/(\d+)"
        self.routes = [
            ("GET", "/version", lambda *_: Reply(200, {"url": "https://github.com/apache/incubator-livy.git", "branch": "HEAD", "revision": "0", "version": "0.9.0-incubating",
                                                       "date": "2026-11-21", "user": "lab"})),
            ("GET", "/sessions", self.list), ("POST", "/sessions", self.create), ("GET", session, self.get), ("DELETE", session, self.delete),
            ("GET", session + "/state", lambda m, q, b: Reply(200, {"id": int(m[1]), "state": self.find(m).state})),
            ("GET", session + "/log", self.get_log), ("GET", session + "/statements", self.list_statements), ("POST", session + "/statements", self.submit),
            ("GET", session + r"/statements/(\d+)", self.get_statement), ("POST", session + r"/statements/(\d+)/cancel", self.cancel),
        ]

    def summary(self) -> dict[str, Any]:
        return {"sessions": [one.view() for one in self.sessions.values()]}

    def lab(self, method: str, body: bytes) -> Reply:
        """And {"die": state}: every session's driver dies."""
        asked = json.loads(body) if method == "PATCH" else {}
        for one in list(self.sessions.values()):
            if "die" in asked:
                one.end(asked["die"])
        return super().lab(method, body)

    def find(self, match: re.Match[str]) -> LivySession:
        found = self.sessions.get(int(match[1]))
        if found is None:
            raise Reply(404, {"msg": f"Session '{match[1]}' not found."})
        return found

    def read(self, body: bytes, fields: list[str], name: str) -> dict[str, Any]:
        try:
            value = json.loads(body)
        except ValueError:
            raise Reply(400, f"Unexpected character ('b' (code 98)): was expecting double-quote to start field name\n at [Source: ({JETTY}); line: 1, column: 3]")
        for key in value:
            if key not in fields:
                known = ", ".join(f'"{one}"' for one in fields)
                raise Reply(400, f'Unrecognized field "{key}" (class {name}), not marked as ignorable ({len(fields)} known properties: {known}])\n'
                                 f' at [Source: ({JETTY}); line: 1, column: 33] (through reference chain: {name}["{key}"])')
        return value

    def list(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        start, every = int(query.get("from", 0)), list(self.sessions.values())
        return Reply(200, {"from": start, "total": len(every), "sessions": [one.view() for one in every[start:start + int(query.get("size", 100))]]})

    def create(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        request = self.read(body, [one for one in FIELDS if not (self.settings["old"] and one in ("ttl", "idleTimeout"))], REQUEST)
        if request.get("kind", "sql") not in KINDS:
            return Reply(400, f'Invalid kind: {request["kind"]} (through reference chain: {REQUEST}["kind"])')
        with self.lock:
            number, self.next_id = self.next_id, self.next_id + 1
            if request.get("name") and any(one.request.get("name") == request["name"] for one in self.sessions.values()):
                return Reply(400, {"msg": f"Rejected, Reason: Duplicate session name: Some({request['name']}) for session {number}"})
            self.bodies.append(request)
            session = self.sessions[number] = LivySession(self, number, request)
        return Reply(201, {**session.view(), "state": "starting"}, Location=f"/sessions/{number}")

    def get(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        return Reply(200, self.find(match).view())

    def delete(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        session = self.find(match)
        with self.lock:
            self.sessions.pop(session.number, None)
        session.end("shutting_down")
        return Reply(200, {"msg": "deleted"})

    def get_log(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        log, size = self.find(match).log, int(query.get("size", 100))
        start = int(query["from"]) if "from" in query else max(0, len(log) - size)
        return Reply(200, {"id": int(match[1]), "from": start, "total": len(log), "log": log[start:start + size]})

    def list_statements(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        every, start = self.find(match).statements, int(query.get("from", 0))
        return Reply(200, {"total_statements": len(every), "statements": [one.view() for one in every[start:start + int(query.get("size", len(every)))]]})

    def active(self, match: Any) -> LivySession:
        session = self.find(match)
        if session.state in ("dead", "error", "killed", "shutting_down"):
            raise Reply(400, {"msg": "requirement failed: Session isn't active."})
        return session

    def submit(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        session = self.active(match)
        request = self.read(body, ["code", "kind"], "org.apache.livy.server.interactive.ExecuteRequest")
        if request.get("kind", "sql") not in KINDS or request.get("code") is None:
            return Reply(500, "java.util.concurrent.ExecutionException: org.apache.livy.rsc.rpc.RpcException: java.lang.NullPointerException: Cannot invoke "
                              '"String.toCharArray()" because "s" is null\n\tat org.apache.livy.EOLUtils$Mode$.determineEOL(EOLUtils.scala:59)')
        with self.lock:
            statement = LivyStatement(len(session.statements), request["code"])
            session.statements.append(statement)
            self.statements.append(request["code"])
        session.queue.put(statement)
        return Reply(201, {**statement.view(), "state": "waiting", "output": None, "progress": 0.0, "started": 0, "completed": 0},
                     Location=f"/sessions/{session.number}/statements/{statement.number}")

    def statement(self, match: Any) -> LivyStatement:
        statements = self.active(match).statements
        if int(match[2]) >= len(statements):
            raise Reply(404, "Statement not found")
        return statements[int(match[2])]

    def get_statement(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        return Reply(200, self.statement(match).view())

    def cancel(self, match: Any, query: dict[str, str], body: bytes) -> Reply:
        statement = self.statement(match)
        statement.cancelled.set()
        if statement.state == "waiting":
            statement.state = "cancelled"
        return Reply(200, {"msg": "canceled"})


if __name__ == "__main__":
    sys.setswitchinterval(0.001)
    gateway.main(Livy())
