"""What the doubles of Livy and Kyuubi share: an HTTP server, faults that a test asks for, and statements that run on the lab's real Spark.

Each statement of a session runs in one HiveServer2 session of the lab's Thrift Server, opened with the session's settings, as a thread of this
process: so procedures, commits, cancellation and error texts are Spark's. What the doubles play is the protocol in front of it.

Tests steer a double by a path that no product has. GET /lab: requests and statements so far; PATCH /lab changes what is in SETTINGS.
A fault is {"match": regular expression on "METHOD path", "do": "kill" | "drop" | "status:503", "when": "before" | "after" (the handling), "times": 1}.
"hold": true keeps statements from Spark until it is false again; they are running meanwhile.
"""
from __future__ import annotations

import base64
import decimal
import http.server
import json
import os
import re
import socket
import sys
import threading
import time
import traceback
from typing import Any, Callable

from TCLIService import ttypes

from sparksql import Spark, SparkError

SETTINGS: dict[str, Any] = {"faults": [], "hold": False, "start_s": 0.0, "old": False, "csrf": False, "own": False, "login": None, "token": None}

# Given to a driver when it is started, and not to a session of one that runs.
LAUNCH = re.compile(r"spark\.(executor|driver|dynamicAllocation|app|master|submit|yarn|kubernetes)\.|spark\.redaction\.regex$|spark\.master$|kyuubi\.")
TYPES = {"INT_TYPE": "integer", "BIGINT_TYPE": "long", "SMALLINT_TYPE": "short", "TINYINT_TYPE": "byte", "STRING_TYPE": "string", "BOOLEAN_TYPE": "boolean",
         "DOUBLE_TYPE": "double", "FLOAT_TYPE": "float", "DECIMAL_TYPE": "decimal(10,2)", "TIMESTAMP_TYPE": "timestamp", "DATE_TYPE": "date", "NULL_TYPE": "void",
         "ARRAY_TYPE": "array", "BINARY_TYPE": "binary"}


def now_ms() -> int:
    return int(time.time() * 1000)


class Cancelled(Exception):
    pass


class Session(Spark):
    """A HiveServer2 session of its own for one session of a double; statements one after another."""

    def __init__(self, conf: dict[str, str], url: str | None = None):
        self.url = url or os.environ["FLOE_SPARK_URL"]
        super().__init__(self.url, conf={key: value for key, value in conf.items() if not LAUNCH.match(key)}, timeout_s=900)

    def other(self) -> Any:
        """A connection of another thread to the same session."""
        twin = Spark.__new__(Spark)
        from thrift.protocol.TBinaryProtocol import TBinaryProtocol
        from thrift.transport.THttpClient import THttpClient
        from TCLIService import TCLIService
        transport = THttpClient(self.url)
        transport.setTimeout(60000)
        transport.setCustomHeaders({"Authorization": "Basic " + base64.b64encode(b"lab:lab").decode()})
        twin.client = TCLIService.Client(TBinaryProtocol(transport))
        return twin.client

    def run(self, statement: "Statement") -> None:
        """To its end; fills in columns and rows, or raises SparkError with the text as Spark gives it, or Cancelled."""
        reply = self.client.ExecuteStatement(ttypes.TExecuteStatementReq(self.session, statement.text, runAsync=True))
        if reply.status.statusCode not in (ttypes.TStatusCode.SUCCESS_STATUS, ttypes.TStatusCode.SUCCESS_WITH_INFO_STATUS):
            raise SparkError(reply.status.errorMessage or "no message")
        operation = reply.operationHandle
        states = ttypes.TOperationState
        asked = False
        while True:
            found = self.client.GetOperationStatus(ttypes.TGetOperationStatusReq(operation))
            if found.status.statusCode == ttypes.TStatusCode.ERROR_STATUS:
                raise SparkError(found.status.errorMessage or "no message")
            if found.operationState not in (states.INITIALIZED_STATE, states.RUNNING_STATE, states.PENDING_STATE):
                break
            if statement.cancelled.is_set() and not asked:
                asked = True
                self.client.CancelOperation(ttypes.TCancelOperationReq(operation))
            time.sleep(0.05)
        if found.operationState in (states.CANCELED_STATE, states.CLOSED_STATE):
            raise Cancelled
        if found.operationState != states.FINISHED_STATE:
            raise SparkError(found.errorMessage or "no message")
        described = self.client.GetResultSetMetadata(ttypes.TGetResultSetMetadataReq(operation))
        self._check(described)
        names = ttypes.TTypeId._VALUES_TO_NAMES
        statement.columns = [(column.columnName, names[column.typeDesc.types[0].primitiveEntry.type]) for column in described.schema.columns]
        statement.rows = [list(row.values()) for row in self._rows(operation)]
        if statement.columns and statement.columns[0][0] == "Result" and not statement.rows:
            statement.columns = []
        self.client.CloseOperation(ttypes.TCloseOperationReq(operation))


class Statement:
    def __init__(self, text: str):
        self.text = text
        self.cancelled = threading.Event()
        self.columns: list[tuple[str, str]] = []
        self.rows: list[list[Any]] = []

    def hold(self, settings: dict[str, Any]) -> None:
        while settings["hold"]:
            if self.cancelled.wait(0.05):
                raise Cancelled
        if self.cancelled.is_set():
            raise Cancelled


def message_of(text: str) -> tuple[str, str, list[str]]:
    """Class, message and stack of the exception in a text of the Thrift Server."""
    head, *stack = re.split(r"\n\tat ", text)
    head = re.sub(r"^org\.apache\.hive\.service\.cli\.HiveSQLException: ", "", head)
    head = re.sub(r"^Error running query: ", "", head)
    head = re.sub(r"^\[[A-Z0-9_.]+\] (?=[\w.$]+: )", "", head)
    found = re.match(r"([\w$]+(?:\.[\w$]+)+): ?(.*)$", head, re.S)
    name, message = (found[1], found[2]) if found else ("java.lang.RuntimeException", head)
    return name, message, [line.split("\n")[0] for line in stack]


def plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return value.decode(errors="replace")
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value


class Reply(Exception):
    """An answer: value is JSON, None for no body, bytes as they are."""

    def __init__(self, status: int, value: Any = None, kind: str = "application/json", **headers: str):
        super().__init__(status)
        self.status, self.kind, self.headers = status, kind, headers
        self.body = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


class Gateway:
    """A double: routes are (method, regular expression of the path, function of match, query, body)."""

    def __init__(self) -> None:
        self.settings = json.loads(json.dumps(SETTINGS))
        self.lock = threading.RLock()
        self.requests: list[str] = []
        self.statements: list[str] = []
        self.bodies: list[Any] = []
        self.routes: list[tuple[str, str, Callable[..., Any]]] = []

    def summary(self) -> dict[str, Any]:
        return {}

    def lab(self, method: str, body: bytes) -> Reply:
        if method == "PATCH":
            self.settings.update(json.loads(body))
        with self.lock:
            return Reply(200, {**self.settings, "requests": self.requests, "statements": self.statements, "bodies": self.bodies, **self.summary()})

    def fault(self, line: str, when: str) -> str | None:
        with self.lock:
            for fault in self.settings["faults"]:
                if fault.get("times", 1) > 0 and fault.get("when", "before") == when and re.search(fault["match"], line):
                    fault["times"] = fault.get("times", 1) - 1
                    return str(fault["do"])
        return None

    def authorized(self, headers: Any) -> bool:
        given = headers.get("Authorization", "")
        if self.settings["login"]:
            return given == "Basic " + base64.b64encode(self.settings["login"].encode()).decode()
        return given == "Bearer " + self.settings["token"] if self.settings["token"] else True

    def unauthorized(self) -> Reply:
        return Reply(401, b"<html><head><title>Error 401 Authentication required</title></head></html>", "text/html", **{"WWW-Authenticate": 'Basic realm="lab"'})

    def serve(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        if not self.authorized(headers):
            return self.unauthorized()
        if self.settings["csrf"] and method != "GET" and not headers.get("X-Requested-By"):
            return Reply(400, b"Missing Required Header for CSRF protection.", "text/plain")
        bare, _, query = path.partition("?")
        fields = dict(one.split("=", 1) for one in query.split("&") if "=" in one)
        for wanted, pattern, handle in self.routes:
            match = re.fullmatch(pattern, bare)
            if match and wanted == method:
                return handle(match, fields, body)
        return self.unknown(method, bare)

    def unknown(self, method: str, path: str) -> Reply:
        return Reply(404, b"<html><body>Not Found</body></html>", "text/html")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gateway: Gateway

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/lab":
            self.reply(self.gateway.lab(self.command, body))
            return
        line = f"{self.command} {self.path}"
        with self.gateway.lock:
            self.gateway.requests.append(line)
        answer = None
        for when in ("before", "after"):
            what = self.gateway.fault(line, when)
            if what == "kill":
                os._exit(9)
            if what == "drop":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if what:
                answer = Reply(int(what.removeprefix("status:")), b"<html>a proxy says no</html>", "text/html")
                break
            if when == "before":
                try:
                    answer = self.gateway.serve(self.command, self.path, self.headers, body)
                except Reply as raised:
                    answer = raised
                except Exception:  # noqa: BLE001: a fault of the double must not look like one of its words
                    traceback.print_exc()
                    answer = Reply(500, b"the double failed; see its log", "text/plain")
        self.reply(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def reply(self, answer: Reply) -> None:
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        if answer.body:
            self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, form: str, *args: object) -> None:
        sys.stderr.write(f"{self.log_date_time_string()} {form % args}\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main(gateway: Gateway) -> None:
    Handler.gateway = gateway
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
