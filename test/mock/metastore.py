"""A Hive Metastore that misbehaves when told to: Thrift's binary protocol over TCP, unframed, in threads of the test's own process.

    with Metastore() as mock:
        mock.tables = {"db": {"t": "file:///…/v1.metadata.json"}}        # database, table, metadata location
        mock.misbehave["get_table_objects_by_name_req"] = send(b"…")     # instead of its answer

Separate from catalog.py, which speaks HTTP. Python's standard library only. Source: apache/thrift, thrift-binary-protocol; apache/hive, hive_metastore.thrift.
"""
from __future__ import annotations

import socket
import socketserver
import struct
import threading
from typing import Any, Callable

VERSION, REPLY, EXCEPTION = 0x80010000, 2, 3
STOP, BOOL, I32, STRING, STRUCT, MAP, LIST = 0, 2, 8, 11, 12, 13, 15


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">i", len(data)) + data


def field(kind: int, number: int, value: bytes) -> bytes:
    return struct.pack(">bh", kind, number) + value


def struct_of(*fields: bytes) -> bytes:
    return b"".join(fields) + b"\0"


def list_of(kind: int, items: list[bytes], count: int | None = None) -> bytes:
    return struct.pack(">bi", kind, len(items) if count is None else count) + b"".join(items)


def map_of(values: dict[str, str]) -> bytes:
    return struct.pack(">bbi", STRING, STRING, len(values)) + b"".join(text(key) + text(value) for key, value in values.items())


def table_of(name: str | bytes, database: str, parameters: dict[str, str], location: str = "file:///nowhere", kind: str = "EXTERNAL_TABLE") -> bytes:
    """struct Table, as far as floe looks at it."""
    return struct_of(field(STRING, 1, text(name)), field(STRING, 2, text(database)), field(STRUCT, 7, struct_of(field(STRING, 2, text(location)))),
                     field(MAP, 9, map_of(parameters)), field(STRING, 12, text(kind)))


def message(name: str, sequence: int, body: bytes, kind: int = REPLY) -> bytes:
    return struct.pack(">I", VERSION | kind) + text(name) + struct.pack(">i", sequence) + body


class Call:
    """One call: its method, arguments and sequence number, and ways to answer it."""

    def __init__(self, link: "Link", method: str, sequence: int, arguments: dict[int, Any]):
        self.link, self.method, self.sequence, self.arguments = link, method, sequence, arguments

    def send(self, data: bytes) -> None:
        self.link.request.sendall(data)

    def success(self, kind: int, value: bytes) -> None:
        self.send(message(self.method, self.sequence, struct_of(field(kind, 0, value))))

    def wait(self) -> None:
        self.link.server.ended.wait(120)


Behaviour = Callable[[Call], None]


def send(data: bytes) -> Behaviour:
    """These bytes instead of a message, and the connection is closed."""
    def behave(call: Call) -> None:
        call.send(data)
        call.link.request.shutdown(socket.SHUT_RDWR)
    return behave


def result(kind: int, value: bytes) -> Behaviour:
    return lambda call: call.success(kind, value)


class Link(socketserver.BaseRequestHandler):
    server: "Server"

    def take(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            piece = self.request.recv(n - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def number(self, form: str) -> int:
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.take(self.number("i")).decode()
        if kind == LIST:
            of, count = self.number("b"), self.number("i")
            return [self.value(of) for _ in range(count)]
        if kind == STRUCT:
            return self.fields()
        return self.take({BOOL: 1, I32: 4}[kind])

    def fields(self) -> dict[int, Any]:
        found = {}
        while (kind := self.number("b")) != STOP:
            number = self.number("h")
            found[number] = self.value(kind)
        return found

    def handle(self) -> None:
        mock = self.server.mock
        try:
            while not self.server.ended.is_set():
                self.number("I")
                method, sequence = self.value(STRING), self.number("i")
                call = Call(self, method, sequence, self.fields())
                mock.asked.append(method)
                mock.misbehave.get(method, mock.answer)(call)
        except (EOFError, OSError):
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, mock: "Metastore"):
        self.mock, self.ended = mock, threading.Event()
        super().__init__(("127.0.0.1", 0), Link)


class Metastore:
    def __init__(self) -> None:
        self.tables: dict[str, dict[str, str]] = {}
        self.misbehave: dict[str, Behaviour] = {}
        self.asked: list[str] = []

    def __enter__(self) -> "Metastore":
        self.server = Server(self)
        self.uri = f"thrift://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.server.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def parameters(self, location: str) -> dict[str, str]:
        return {"table_type": "ICEBERG", "metadata_location": location}

    def objects(self, call: Call) -> list[bytes]:
        request = call.arguments[1]
        known = self.tables.get(request[1], {})
        return [table_of(name, request[1], self.parameters(known[name])) for name in request[2] if name in known]

    def answer(self, call: Call) -> None:
        """As a metastore does."""
        if call.method == "getVersion":
            call.success(STRING, text("3.1.3"))
        elif call.method == "get_all_databases":
            call.success(LIST, list_of(STRING, [text(name) for name in self.tables]))
        elif call.method == "get_tables_by_type":
            names = list(self.tables.get(call.arguments[1], {})) if call.arguments[3] == "EXTERNAL_TABLE" else []
            call.success(LIST, list_of(STRING, [text(name) for name in names]))
        elif call.method == "get_table_objects_by_name_req":
            call.success(STRUCT, struct_of(field(LIST, 1, list_of(STRUCT, self.objects(call)))))
        else:
            call.send(message(call.method, call.sequence, struct_of(field(STRING, 1, text(f"Invalid method name: '{call.method}'")), field(I32, 2, struct.pack(">i", 1))), EXCEPTION))
