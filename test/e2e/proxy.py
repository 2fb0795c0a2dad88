"""Stands before a real server, Trino or a catalog, and passes everything on, but for what a rule makes of a request: answers are lost, and servers out of reach, at the very request that a test means."""
from __future__ import annotations

import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable
from urllib.parse import urlsplit


class Proxy:
    """kind names a request by its method and path, without a query; rules and what was seen go by those names."""

    def __init__(self, upstream: str, kind: Callable[[str, str], str]) -> None:
        self.upstream, self.kind = urlsplit(upstream), kind
        self.rules: list[tuple[str, Callable[[Exchange], bool], list[int]]] = []
        self.seen: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.handle(Exchange(proxy, self))

            do_GET = do_POST = do_DELETE = do_HEAD = handle_any

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{self.upstream.path}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rule(self, kind: str, behaviour: Callable[[Exchange], bool], times: int = 1) -> None:
        """A behaviour that returns true has answered."""
        self.rules.append((kind, behaviour, [times]))

    def handle(self, exchange: Exchange) -> None:
        self.seen.append(exchange.kind)
        for kind, behaviour, left in self.rules:
            if kind == exchange.kind and left[0] > 0:
                left[0] -= 1
                if behaviour(exchange):
                    return
                break
        exchange.answer(*exchange.forward())


class Exchange:
    """One request."""

    def __init__(self, proxy: Proxy, handler: BaseHTTPRequestHandler):
        self.proxy, self.handler = proxy, handler
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.kind = proxy.kind(handler.command, handler.path.split("?")[0])

    def forward(self) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.proxy.upstream.netloc, timeout=120)
        try:
            connection.request(self.handler.command, self.handler.path, self.body or None, dict(self.handler.headers.items()))
            answer = connection.getresponse()
            return answer.status, {key: value for key, value in answer.getheaders() if key.lower() not in ("transfer-encoding", "content-length", "connection")}, answer.read()
        except OSError:
            return 502, {}, b"<html>bad gateway"
        finally:
            connection.close()

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        try:
            self.handler.send_response(status)
            for key, value in headers.items():
                self.handler.send_header(key, value)
            if status != 204:
                self.handler.send_header("Content-Length", str(len(body)))
            self.handler.end_headers()
            self.handler.wfile.write(body)
        except OSError:
            self.handler.close_connection = True


def says(status: int, **headers: str) -> Callable[[Exchange], bool]:
    """Turned away, and the server hears nothing of it."""
    def behave(exchange: Exchange) -> bool:
        exchange.answer(status, {key.replace("_", "-"): value for key, value in headers.items()}, b"<html>")
        return True
    return behave


def instead(status: int) -> Callable[[Exchange], bool]:
    """The server gets it, and its answer is lost behind a gateway's own."""
    def behave(exchange: Exchange) -> bool:
        exchange.forward()
        exchange.answer(status, {}, b"<html>")
        return True
    return behave


def cut(exchange: Exchange) -> bool:
    """The server gets it, and the connection breaks before its answer."""
    exchange.forward()
    exchange.handler.close_connection = True
    exchange.handler.connection.shutdown(socket.SHUT_RDWR)
    return True


def first(action: Callable[[], Any]) -> Callable[[Exchange], bool]:
    """Does that before the request goes on."""
    def behave(exchange: Exchange) -> bool:
        action()
        return False
    return behave
