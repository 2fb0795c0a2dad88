#!/usr/bin/env python3
"""An HTTP server that misbehaves on request: the path says how.

One purpose: to show that floe's HTTP client survives each way in which a
server can fail, and to count what the client really did. Python's standard
library only.

    hostile.py CERT KEY

Takes free ports of 127.0.0.1 and prints them as one line of JSON:

    http    the server
    tls     the same with TLS and the given certificate
    silent  accepts connections and never says a word
    full    its queue of connections is full: connecting never ends

Ends when its standard input is closed, so that it cannot outlive the test
that started it.
"""
import asyncio
import collections
import gzip
import json
import socket
import ssl
import struct
import sys
import urllib.parse

class Stats:
    """What the client did; /stats shows it, /reset-stats forgets it."""

    def __init__(self):
        self.connections = 0
        self.open = 0
        self.max_open = 0
        self.requests = collections.Counter()
        self.running = 0
        self.max_running = 0

    def as_dict(self):
        return dict(connections=self.connections, open=self.open, max_open=self.max_open,
                    running=self.running, max_running=self.max_running, requests=dict(self.requests),
                    total=sum(self.requests.values()))

    def forget(self):
        self.connections = 0
        self.max_open = self.open
        self.requests.clear()
        self.max_running = self.running


STATS = Stats()
FLAKY = collections.Counter()


class Request:
    def __init__(self, method, target, headers, body):
        self.method = method
        self.target = target
        url = urllib.parse.urlsplit(target)
        self.path = url.path
        self.parts = url.path.strip("/").split("/")
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.headers = headers
        self.body = body

    def number(self, index, default):
        return int(self.parts[index]) if len(self.parts) > index else default


class Close(Exception):
    """The behaviour wants the connection to end."""


class Connection:
    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.served = 0

    async def read_request(self):
        line = await self.reader.readline()
        if not line:
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while True:
            line = (await self.reader.readline()).decode("latin-1").strip()
            if not line:
                break
            name, value = line.split(":", 1)
            headers.append((name.strip(), value.strip()))
        length = int(dict((n.lower(), v) for n, v in headers).get("content-length", 0))
        body = await self.reader.readexactly(length) if length else b""
        return Request(method, target, headers, body)

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status=200, body=b"", headers=(), request=None):
        lines = [f"HTTP/1.1 {status} Whatever"] + [f"{n}: {v}" for n, v in headers]
        if not any(n.lower() == "content-length" for n, _ in headers):
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        if request is not None and request.method == "HEAD":
            body = b""
        await self.send(head + body)

    async def hang(self):
        """Says nothing more until the client goes away."""
        while await self.reader.read(65536):
            pass
        raise Close

    def reset(self):
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


# ---- behaviours: name of the first part of the path -> coroutine(connection, request) ----

async def ok(c, r):
    body = b"x" * int(r.query["size"]) if "size" in r.query else b"hello"
    await c.answer(200, body, request=r)


async def delay(c, r):
    await asyncio.sleep(r.number(1, 100) / 1000)
    await c.answer(200, b"late")


async def hang(c, r):
    await c.hang()


async def hang_body(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")
    await c.hang()


async def slow_body(c, r):
    """Ten bytes per interval: alive, but never done."""
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        await c.send(b"0123456789")
        await asyncio.sleep(r.number(1, 100) / 1000)


async def slow_header(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await c.send(b"X-Drip: drop\r\n")
        await asyncio.sleep(r.number(1, 100) / 1000)


async def reset(c, r):
    c.reset()
    raise Close


async def reset_body(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")
    await asyncio.sleep(0.05)
    c.reset()
    raise Close


async def close(c, r):
    raise Close


async def short(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")
    raise Close


async def status(c, r):
    headers = [("Retry-After", r.query["retry-after"])] if "retry-after" in r.query else []
    if "date" in r.query:
        headers.append(("Date", r.query["date"]))
    body = b"e" * int(r.query["size"]) if "size" in r.query else b'{"error":"as asked"}'
    await c.answer(r.number(1, 500), body, headers, r)


async def flaky(c, r):
    """/flaky/KEY/N[/how]: fails N times, then answers. how: a status code, or reset."""
    key, times = r.parts[1], r.number(2, 1)
    how = r.parts[3] if len(r.parts) > 3 else "503"
    FLAKY[key] += 1
    if FLAKY[key] > times:
        await c.answer(200, b"at last", request=r)
    elif how == "reset":
        c.reset()
        raise Close
    elif how == "short":
        await short(c, r)
    else:
        await c.answer(int(how), b"not yet", [("Retry-After", r.query.get("retry-after", "0"))])


async def html(c, r):
    await c.answer(200, b"<html><body>Sign in</body></html>", [("Content-Type", "text/html")])


async def redirect(c, r):
    """/redirect/N: N hops on this server; /redirect?to=URL: to wherever; /redirect/loop."""
    code = int(r.query.get("status", 302))
    if "to" in r.query:
        to = r.query["to"]
    elif r.parts[1:] == ["loop"]:
        to = "/redirect/loop"
    elif r.number(1, 0) > 0:
        to = f"/redirect/{r.number(1, 0) - 1}"
    else:
        return await c.answer(200, b"arrived", request=r)
    await c.answer(code, b"elsewhere", [("Location", to)], r)


async def endless_body(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await c.send(b"10000\r\n" + b"z" * 65536 + b"\r\n")


async def endless_headers(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await c.send(b"X-Header: value of no interest\r\n" * 100)


async def endless_interim(c, r):
    while True:
        await c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * 100)


async def giant_header(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\nX-Giant: " + b"g" * r.number(1, 1000000) + b"\r\nContent-Length: 0\r\n\r\n")


async def gzipped(c, r):
    await c.answer(200, gzip.compress(b"compressed " * 100), [("Content-Encoding", "gzip")])


async def gzip_bomb(c, r):
    """1 GiB of zeros in about 1 MiB, as a chain of gzip members cut from one stream."""
    import zlib
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(1024):
        piece = z.compress(b"\0" * 1048576)
        if piece:
            await c.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
    piece = z.flush()
    await c.send(b"%x\r\n" % len(piece) + piece + b"\r\n0\r\n\r\n")


async def gzip_garbage(c, r):
    await c.answer(200, b"this is not gzip at all", [("Content-Encoding", "gzip")])


async def chunked(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\nETag: head\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"5\r\nhello\r\n6\r\n world\r\n0\r\nETag: trailer\r\n\r\n")


async def chunked_garbage(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZZZ\r\n")
    await asyncio.sleep(0.2)
    raise Close


async def bad_length(c, r):
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")
    raise Close


async def not_http(c, r):
    await c.send(b"\x15\x03\x01\x00\x02\x02\x28 SSH-2.0-OpenSSH_9.2 this is not the protocol you want\r\n")
    raise Close


async def etag(c, r):
    headers = dict((n.lower(), v) for n, v in r.headers)
    if headers.get("if-none-match") == '"v1"':
        await c.answer(304, b"", [("ETag", '"v1"')])
    else:
        await c.answer(200, b"version 1", [("ETag", '"v1"')])


async def partial(c, r):
    await c.answer(206, b"part", [("Content-Range", "bytes 0-3/10")])


async def echo(c, r):
    await c.answer(200, json.dumps(dict(method=r.method, target=r.target, headers=dict(r.headers),
                                        names=[n.lower() for n, _ in r.headers],
                                        body=r.body.decode("latin-1"))).encode(), request=r)


async def stale(c, r):
    """Keeps the connection, but the second request on it is read and never answered."""
    if c.served > 1:
        raise Close
    await c.answer(200, b"fresh")


async def stats(c, r):
    await c.answer(200, json.dumps(STATS.as_dict()).encode())


async def reset_stats(c, r):
    STATS.forget()
    FLAKY.clear()
    await c.answer(200, b"{}")


BEHAVIOURS = dict((name.replace("_", "-"), f) for name, f in dict(globals()).items()
                  if asyncio.iscoroutinefunction(f))


async def serve(reader, writer):
    c = Connection(reader, writer)
    STATS.connections += 1
    STATS.open += 1
    STATS.max_open = max(STATS.max_open, STATS.open)
    try:
        while (r := await c.read_request()) is not None:
            c.served += 1
            quiet = r.parts[0] in ("stats", "reset-stats")
            if not quiet:
                STATS.requests[r.method + " " + r.path] += 1
                STATS.running += 1
                STATS.max_running = max(STATS.max_running, STATS.running)
            try:
                behaviour = BEHAVIOURS.get(r.parts[0])
                if behaviour is None:
                    await c.answer(404, b"no such behaviour")
                else:
                    await behaviour(c, r)
            finally:
                if not quiet:
                    STATS.running -= 1
    except (Close, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, ssl.SSLError):
        pass
    finally:
        STATS.open -= 1
        writer.close()


async def watch_stdin(stop):
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.set()


async def listen(handler, **options):
    server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=1024, **options)
    return server, server.sockets[0].getsockname()[1]


async def stay_silent(reader, writer):
    while await reader.read(65536):
        pass
    writer.close()


def full_socket():
    """Nobody accepts here; a second connection already finds the queue full and the kernel ignores it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(3):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        waiting.append(sock)
    return listener, waiting


async def main():
    stop = asyncio.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    http, http_port = await listen(serve)
    tls, tls_port = await listen(serve, ssl=context)
    silent, silent_port = await listen(stay_silent)
    full, waiting = full_socket()
    watch = asyncio.create_task(watch_stdin(stop))
    print(json.dumps(dict(http=http_port, tls=tls_port, silent=silent_port, full=full.getsockname()[1])), flush=True)
    await stop.wait()
    del http, tls, silent, full, waiting, watch


if __name__ == "__main__":
    asyncio.run(main())
