"""Between a client and a server: a TCP relay that counts what is asked and how many bytes that takes in either direction.

    with Relays({"FLOE_REST_URI": ("http://127.0.0.1:8181", "http")}) as relays:
        relays["FLOE_REST_URI"].uri          # what the client is given instead
        mark = relays["FLOE_REST_URI"].count()
        ...
        relays["FLOE_REST_URI"].count() - mark

What the client sends is read far enough to tell one request from the next: HTTP/1.1, calls of Thrift's binary protocol, and PostgreSQL's messages.
Separate from polls.py, so that the counting is neither floe's nor the driver's word. One thread and one event loop for all of them; Python's
standard library only.
"""
from __future__ import annotations

import asyncio
import re
import struct
import threading
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
STATUS_BYTES = len(b"HTTP/1.1 200 ")
# SSLRequest and GSSENCRequest: what a client may ask before it says who it is.
ENCRYPTION = (80877103, 80877104)
# A simple query, and one with parameters; what surrounds the latter (Parse, Bind, Describe, Sync) goes in the same packet.
QUERIES = {b"Q": "query", b"E": "query with parameters"}


class Unreadable(Exception):
    """The client speaks something else than was said."""


# Each reader takes the bytes so far and returns (what it is, "" for nothing that counts; its length), or None while it is not complete.

def read_http(data: bytes, first: bool) -> tuple[str, int] | None:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    line, _, head = data[:end].partition(b"\r\n")
    match = re.fullmatch(rb"([A-Z]+) (\S+) HTTP/1\.1", line)
    if match is None:
        raise Unreadable(f"not a request of HTTP/1.1: {line[:200]!r}")
    length = re.search(rb"^content-length:\s*(\d+)\s*$", head, re.I | re.M)
    if re.search(rb"^transfer-encoding:", head, re.I | re.M):
        raise Unreadable("a request in chunks")
    size = end + 4 + (int(length.group(1)) if length else 0)
    return (match.group(1).decode(), size) if len(data) >= size else None


def _thrift_value(data: bytes, at: int, kind: int) -> int:
    """Where a value ends; struct.error or IndexError when there is not all of it."""
    if kind in FIXED:
        return at + FIXED[kind]
    if kind == 11:
        return at + 4 + struct.unpack_from(">i", data, at)[0]
    if kind == 12:
        while data[at] != 0:
            at = _thrift_value(data, at + 3, data[at])
        return at + 1
    if kind in (14, 15):
        item, count = struct.unpack_from(">bi", data, at)
        at += 5
        for _ in range(count):
            at = _thrift_value(data, at, item)
        return at
    if kind == 13:
        key, value, count = struct.unpack_from(">bbi", data, at)
        at += 6
        for _ in range(count):
            at = _thrift_value(data, _thrift_value(data, at, key), value)
        return at
    raise Unreadable(f"a value of Thrift's type {kind}")


FIXED = {2: 1, 3: 1, 4: 8, 6: 2, 8: 4, 10: 8}   # bool, byte, double, i16, i32, i64


def read_thrift(data: bytes, first: bool) -> tuple[str, int] | None:
    try:
        if data[:2] != b"\x80\x01" and len(data) >= 2:
            raise Unreadable(f"not a call of Thrift's binary protocol: {data[:20]!r}")
        size = struct.unpack_from(">i", data, 4)[0]
        end = _thrift_value(data, 8 + size + 4, 12)
    except (struct.error, IndexError):
        return None
    return (data[8:8 + size].decode(), end) if len(data) >= end else None


def read_postgres(data: bytes, first: bool) -> tuple[str, int] | None:
    """first: nothing but requests for encryption came before this."""
    at = 0 if first else 1
    if len(data) < at + 4:
        return None
    size = at + struct.unpack_from(">i", data, at)[0]
    if len(data) < size:
        return None
    if first:
        return ("encryption?" if struct.unpack_from(">i", data, 4)[0] in ENCRYPTION else "", size)
    return QUERIES.get(data[:1], ""), size


READERS: dict[str, Callable[[bytes, bool], tuple[str, int] | None]] = {"http": read_http, "thrift": read_thrift, "postgresql": read_postgres}


@dataclass
class Count:
    """What went through, so far or between two moments. kinds: requests by HTTP method, Thrift call or kind of message; answers by HTTP status."""
    connections: int = 0
    requests: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)

    def __sub__(self, before: "Count") -> "Count":
        return Count(self.connections - before.connections, self.requests - before.requests, self.bytes_out - before.bytes_out,
                     self.bytes_in - before.bytes_in, self.kinds - before.kinds, self.answers - before.answers)


class Relay:
    def __init__(self, uri: str, protocol: str):
        parts = urllib.parse.urlsplit(uri)
        self.host, self.port, self.reader = parts.hostname or "", parts.port or 80, READERS[protocol]
        self.parts, self.uri, self.error = parts, "", ""
        self.server: asyncio.Server
        self.total = Count()
        self.lock = threading.Lock()

    def count(self) -> Count:
        if self.error:
            raise RuntimeError(f"between client and {self.host}:{self.port}: {self.error}")
        with self.lock:
            return self.total - Count()

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024, limit=1 << 20)
        self.uri = self.parts._replace(netloc=f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}").geturl()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back_reader, back_writer = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
        except OSError:
            writer.transport.abort()
            return
        with self.lock:
            self.total.connections += 1
        await asyncio.gather(self.carry(reader, back_writer, Requests(self).take), self.carry(back_reader, writer, Answers(self).take))

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: Callable[[bytes], None]) -> None:
        try:
            while data := await reader.read(1 << 16):
                # counted before it is there: whoever has the answer finds it in the count
                take(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


class Requests:
    """One connection's way out."""

    def __init__(self, relay: Relay):
        self.relay, self.data, self.first = relay, b"", True

    def take(self, data: bytes) -> None:
        self.data += data
        with self.relay.lock:
            total = self.relay.total
            total.bytes_out += len(data)
            try:
                while self.data and (found := self.relay.reader(self.data, self.first)) is not None:
                    kind, size = found
                    self.data = self.data[size:]
                    self.first = kind == "encryption?"
                    if kind and not self.first:
                        total.requests += 1
                        total.kinds[kind] += 1
            except Unreadable as error:
                self.relay.error = str(error)


class Answers:
    """One connection's way back. What stands at the end of one piece may be the beginning of a status line."""

    def __init__(self, relay: Relay):
        self.relay, self.tail = relay, b""

    def take(self, data: bytes) -> None:
        with self.relay.lock:
            self.relay.total.bytes_in += len(data)
            if self.relay.reader is read_http:
                text = self.tail + data
                self.relay.total.answers.update(status.decode() for status in STATUS.findall(text))
                self.tail = text[-(STATUS_BYTES - 1):]


class Relays(dict[str, Relay]):
    """By name; running while the block is entered."""

    def __init__(self, servers: dict[str, tuple[str, str]]):
        super().__init__({name: Relay(uri, protocol) for name, (uri, protocol) in servers.items()})
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def __enter__(self) -> "Relays":
        self.thread.start()
        for relay in self.values():
            self.run(relay.start())
        return self

    def __exit__(self, *_: Any) -> None:
        self.run(self.hang_up())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def hang_up(self) -> None:
        for relay in self.values():
            relay.server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for one in others:
                one.cancel()
            await asyncio.gather(*others, return_exceptions=True)
