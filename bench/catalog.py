#!/usr/bin/env python3
"""A simulated Iceberg REST catalog with as many tables as are wanted, fast enough to be nobody's bottleneck.

    catalog.py --lake FOLDER --tables 100000 [--namespaces 100] [--generation 4] [--port 0]

prints "ready http://127.0.0.1:PORT" and serves until it is ended. FOLDER was made by lake.py. Tables are nsNNN.tNNNNNN; all are at the same
generation of the one real table at first. Their names, UUIDs, locations and metadata locations are their own, and each location is a symbolic
link to the real table's folder. The metadata is sent as pyiceberg wrote it, with these patched in.

What the driver tells it, by POST:

    /control/change?percent=1    that part of all tables, chosen at random, get another snapshot; the answer says how many
    /control/faults?delay_ms=20&error=0.01&status=503&retry_after=1&reset=0.001&drip=0.001
                                 delays and faults of loadTable, as parts of 1; what is not named is none
    /control/stats               requests so far, by kind of answer

One thread, one event loop, no HTTP library: the protocol's subset that floe and curl speak. Separate from test/mock/catalog.py, which shows
what single tests want to go wrong and has a thread for each connection. Python's standard library only.
"""
from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import struct
import socket
import urllib.parse
from collections import Counter
from pathlib import Path

JSON = b"Content-Type: application/json\r\n"
REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests", 500: b"Internal Server Error", 503: b"Service Unavailable"}
DRIP_SECONDS = 0.05


def answer(status: int, body: bytes, head: bytes = JSON) -> bytes:
    return b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, REASONS.get(status, b"Status"), head, len(body), body)


def as_json(value: object, status: int = 200) -> bytes:
    return answer(status, json.dumps(value).encode())


def refusal(status: int, kind: str, message: str, head: bytes = b"") -> bytes:
    body = json.dumps({"error": {"message": message, "type": kind, "code": status}}).encode()
    return answer(status, body, JSON + head)


class Lake:
    """The tables: which generation each is at, and what their metadata says."""

    def __init__(self, folder: Path, tables: int, namespaces: int, generation: int):
        self.folder, self.count, self.namespaces = folder, tables, namespaces
        self.files = json.loads((folder / "generations.json").read_text())
        if not 0 < generation <= len(self.files):
            raise SystemExit(f"generations are 1 to {len(self.files)}")
        self.generations = bytearray([generation - 1]) * tables
        # for each generation the beginning of the UUID, and the answer cut where the location of the real table stands; \0 is where the UUID does
        self.answers = []
        template = f"file://{folder}/template".encode()
        for name in self.files:
            metadata = (folder / "template" / "metadata" / name).read_bytes()
            uuid = json.loads(metadata)["table-uuid"].encode()
            body = b'{"metadata-location": "%b/metadata/%b", "metadata": %b, "config": {}}' % (template, name.encode(), metadata)
            self.answers.append((uuid[:24], body.replace(uuid, b"\0").split(template)))
        self.random = random.Random(20251121)

    def link(self) -> None:
        """Makes each table's location a folder with the real files."""
        for number in range(self.namespaces):
            os.makedirs(self.folder / "tables" / self.namespace(number), exist_ok=True)
        for index in range(self.count):
            path = f"{self.folder}/tables/{self.namespace(index % self.namespaces)}/{self.name(index)}"
            if not os.path.islink(path):
                os.symlink("../../template", path)

    @staticmethod
    def namespace(number: int) -> str:
        return f"ns{number:03d}"

    @staticmethod
    def name(index: int) -> str:
        return f"t{index:06d}"

    def etag(self, index: int) -> bytes:
        return b'"%06x.%d"' % (index, self.generations[index])

    def load(self, index: int) -> bytes:
        uuid, pieces = self.answers[self.generations[index]]
        location = f"file://{self.folder}/tables/{self.namespace(index % self.namespaces)}/{self.name(index)}".encode()
        return location.join(pieces).replace(b"\0", uuid + b"%012x" % index)

    def change(self, percent: float) -> int:
        """Each of them is one generation further."""
        able = [index for index, generation in enumerate(self.generations) if generation + 1 < len(self.files)]
        chosen = self.random.sample(able, min(len(able), round(self.count * percent / 100)))
        for index in chosen:
            self.generations[index] += 1
        return len(chosen)


class Faults:
    """What becomes of a loadTable request, by dice that fall the same way in every run."""

    def __init__(self, delay_ms: float = 0, error: float = 0, status: float = 503, retry_after: float = -1, reset: float = 0, drip: float = 0):
        self.delay, self.error, self.status, self.retry_after, self.reset, self.drip = delay_ms / 1000, error, int(status), retry_after, reset, drip
        self.any = bool(delay_ms or error or reset or drip)
        self.random = random.Random(4)

    def throw(self) -> str:
        value = self.random.random()
        for name, part in (("error", self.error), ("reset", self.reset), ("drip", self.drip)):
            if value < part:
                return name
            value -= part
        return ""

    def refusal(self) -> bytes:
        asked = b"" if self.retry_after < 0 else b"Retry-After: %d\r\n" % self.retry_after
        return refusal(self.status, "ServiceUnavailableException", "as asked", asked)


class Catalog:
    def __init__(self, lake: Lake):
        self.lake, self.faults, self.stats = lake, Faults(), Counter()

    # requests: (method, target, header lines in lower case) -> answer

    def respond(self, method: bytes, target: bytes, head: bytes) -> bytes:
        path, _, query = target.partition(b"?")
        parts = path.split(b"/")
        if method == b"GET" and len(parts) == 6 and parts[2] == b"namespaces" and parts[4] == b"tables":
            return self.load_table(parts[3], parts[5], head)
        options = dict(urllib.parse.parse_qsl(query.decode(), keep_blank_values=True))
        if method == b"POST" and parts[1] == b"control":
            return self.control(parts[2].decode(), options)
        self.stats["other"] += 1
        if path == b"/v1/config":
            return as_json({"defaults": {}, "overrides": {}})
        if path == b"/v1/namespaces":
            # the namespaces have one level: there is nothing below a parent
            names = [] if options.get("parent") else [[self.lake.namespace(number)] for number in range(self.lake.namespaces)]
            return self.page("namespaces", names, options)
        if len(parts) == 5 and parts[2] == b"namespaces" and parts[4] == b"tables":
            number = self.number(parts[3], 2, self.lake.namespaces)
            if number is None:
                return refusal(404, "NoSuchNamespaceException", f"Namespace does not exist: {parts[3].decode()}")
            namespace = [self.lake.namespace(number)]
            names = range(number, self.lake.count, self.lake.namespaces)
            return self.page("identifiers", [{"namespace": namespace, "name": self.lake.name(index)} for index in names], options)
        return refusal(404, "NoSuchPath", path.decode())

    @staticmethod
    def number(name: bytes, prefix: int, end: int) -> int | None:
        digits = name[prefix:]
        return int(digits) if digits.isdigit() and int(digits) < end else None

    @staticmethod
    def page(what: str, all_of_them: list[object], options: dict[str, str]) -> bytes:
        first, size = int(options.get("pageToken") or 0), int(options.get("pageSize") or 1000)
        answered: dict[str, object] = {what: all_of_them[first:first + size]}
        if "pageToken" in options and first + size < len(all_of_them):
            answered["next-page-token"] = str(first + size)
        return as_json(answered)

    def load_table(self, namespace: bytes, name: bytes, head: bytes) -> bytes:
        lake = self.lake
        index = self.number(name, 1, lake.count)
        if index is None or namespace != lake.namespace(index % lake.namespaces).encode():
            self.stats["404"] += 1
            return refusal(404, "NoSuchTableException", f"Table does not exist: {namespace.decode()}.{name.decode()}")
        etag = lake.etag(index)
        at = head.find(b"\r\nif-none-match:")
        if at >= 0 and head[at + 16:head.find(b"\r\n", at + 2)].strip() == etag:
            self.stats["304"] += 1
            return b"HTTP/1.1 304 Not Modified\r\nETag: %b\r\n\r\n" % etag
        self.stats["200"] += 1
        return answer(200, lake.load(index), JSON + b"ETag: %b\r\n" % etag)

    def control(self, what: str, options: dict[str, str]) -> bytes:
        if what == "change":
            return as_json({"changed": self.lake.change(float(options["percent"]))})
        if what == "faults":
            self.faults = Faults(**{name: float(value) for name, value in options.items()})
            return as_json({})
        if what == "stats":
            return as_json(self.stats)
        return refusal(404, "NoSuchPath", what)


class Connection(asyncio.Protocol):
    """Requests of one connection, answered in their order. Bodies of requests are not expected: nothing floe asks a catalog here has one."""

    def __init__(self, catalog: Catalog):
        self.catalog, self.buffer = catalog, b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head, self.buffer = self.buffer[:end + 2], self.buffer[end + 4:]
            method, target, _ = head[:head.find(b"\r\n")].split(b" ", 2)
            if self.catalog.faults.any and method == b"GET" and b"/tables/" in target:
                self.misbehave(method, target, head.lower())
            else:
                self.transport.write(self.catalog.respond(method, target, head.lower()))

    def misbehave(self, method: bytes, target: bytes, head: bytes) -> None:
        faults = self.catalog.faults
        fate = faults.throw()
        if fate:
            self.catalog.stats[fate] += 1
        if fate == "error":
            self.later(self.transport.write, faults.refusal())
        elif fate == "reset":
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.later(self.transport.abort)
        elif fate == "drip":
            self.later(self.drip, self.catalog.respond(method, target, head))
        else:
            self.later(self.answer_now, method, target, head)

    def later(self, function, *args) -> None:
        asyncio.get_running_loop().call_later(self.catalog.faults.delay, function, *args)

    def answer_now(self, method: bytes, target: bytes, head: bytes) -> None:
        # what the table is when it is answered for, not when it was asked for
        if not self.transport.is_closing():
            self.transport.write(self.catalog.respond(method, target, head))

    def drip(self, data: bytes) -> None:
        """A slow body: a sixteenth at a time."""
        if self.transport.is_closing():
            return
        piece = max(64, len(data) // 16)
        self.transport.write(data[:piece])
        if len(data) > piece:
            asyncio.get_running_loop().call_later(DRIP_SECONDS, self.drip, data[piece:])


async def serve(catalog: Catalog, port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(catalog), "127.0.0.1", port, backlog=1024)
    print(f"ready http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--tables", type=int, default=100000)
    parser.add_argument("--namespaces", type=int, default=100)
    parser.add_argument("--generation", type=int, default=4)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    lake = Lake(options.lake.resolve(), options.tables, options.namespaces, options.generation)
    lake.link()
    asyncio.run(serve(Catalog(lake), options.port))


if __name__ == "__main__":
    main()
