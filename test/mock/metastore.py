"""A Hive Metastore that misbehaves when told to: Thrift's binary protocol over TCP, unframed, in threads of the test's own process.

    with Metastore() as mock:
        mock.tables = {"db": {"t": "file:///…/v1.metadata.json"}}        # database, table, metadata location
        mock.misbehave["get_table_objects_by_name_req"] = send(b"…")     # instead of its answer
        mock.log = Log()                                                 # it has a notification log, to which commit() writes
    with Relay(uri) as relay:                                            # passes on what a real metastore is asked, and knows which calls it was


Separate from catalog.py, which speaks HTTP. Python's standard library only. Source: apache/thrift, thrift-binary-protocol; apache/hive, hive_metastore.thrift.
"""
from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
from dataclasses import dataclass, field as fresh
from typing import Any, Callable

VERSION, REPLY, EXCEPTION = 0x80010000, 2, 3
STOP, BOOL, I32, I64, STRING, STRUCT, MAP, LIST = 0, 2, 8, 10, 11, 12, 13, 15


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
        if kind in (I32, I64):
            return self.number("i" if kind == I32 else "q")
        return self.take({BOOL: 1}[kind])

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
                mock.calls.append(call)
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


@dataclass
class Log:
    """The notification log. events: (number, type, database, table, catalog); event: the number that is said to be the newest."""
    listeners: str = "x.Other,org.apache.hive.hcatalog.listener.DbNotificationListener"
    alive: int = 1_700_000_000
    event: int = 10
    events: list[tuple[int, str, str, str, str]] = fresh(default_factory=list)

    def add(self, kind: str, database: str = "", table: str = "", catalog: str = "hive") -> None:
        self.event += 1
        self.events.append((self.event, kind, database, table, catalog))

    def after(self, last: int, most: int) -> list[bytes]:
        return [event_of(*one) for one in self.events if one[0] > last][:most]


def event_of(number: int, kind: str, database: str = "", table: str = "", catalog: str = "") -> bytes:
    """struct NotificationEvent."""
    names = [field(STRING, at, text(value)) for at, value in ((4, database), (5, table), (8, catalog)) if value]
    return struct_of(field(I64, 1, struct.pack(">q", number)), field(I32, 2, struct.pack(">i", 0)), field(STRING, 3, text(kind)), field(STRING, 6, text("{}")), *names)


class Metastore:
    def __init__(self) -> None:
        self.log: Log | None = None
        self.calls: list[Call] = []
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

    def commit(self, database: str, table: str, location: str, log: bool = True) -> None:
        self.tables[database][table] = location
        if log and self.log is not None:
            self.log.add("ALTER_TABLE", database, table)

    def of_log(self, call: Call, log: Log) -> bool:
        if call.method == "aliveSince":
            call.success(I64, struct.pack(">q", log.alive))
        elif call.method == "get_config_value":
            call.success(STRING, text(log.listeners if call.arguments[1].endswith("transactional.event.listeners") else call.arguments[2]))
        elif call.method == "get_current_notificationEventId":
            call.success(STRUCT, struct_of(field(I64, 1, struct.pack(">q", log.event))))
        elif call.method == "get_next_notification":
            call.success(STRUCT, struct_of(field(LIST, 1, list_of(STRUCT, log.after(call.arguments[1][1], call.arguments[1][2])))))
        else:
            return False
        return True

    def answer(self, call: Call) -> None:
        """As a metastore does."""
        if self.log is not None and self.of_log(call, self.log):
            return
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


class Relay:
    """In front of a real metastore. asked: the methods of all calls so far."""

    CALL = re.compile(rb"\x80\x01\x00\x01\x00\x00\x00.([A-Za-z_]+)", re.S)

    def __init__(self, uri: str):
        self.place = uri.removeprefix("thrift://").split(":")
        self.asked: list[str] = []

    def __enter__(self) -> "Relay":
        relay = self

        class Pair(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                there = socket.create_connection((relay.place[0], int(relay.place[1])))
                threading.Thread(target=pump, args=(there, self.request, None), daemon=True).start()
                pump(self.request, there, relay.asked)

        def pump(source: socket.socket, sink: socket.socket, asked: list[str] | None) -> None:
            try:
                while data := source.recv(65536):
                    # floe writes a call at once, and the next one when the answer is there: each begins a piece
                    if asked is not None and (found := Relay.CALL.match(data)):
                        asked.append(found[1].decode())
                    sink.sendall(data)
            except OSError:
                pass
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pair)
        self.server.daemon_threads, self.server.block_on_close = True, False
        self.uri = f"thrift://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.server.shutdown()
        self.server.server_close()
