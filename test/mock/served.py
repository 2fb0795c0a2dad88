"""What the mocks share: a server in threads of the test's own process, on a free port of 127.0.0.1, and ways of HTTP not to answer.

    class Mock(Served):                        # with Mock() as mock: it serves, below mock.uri
        def __init__(self): super().__init__(Exchange)

Separate from catalog.py and hs2.py, whose protocols share nothing else. Python's standard library only.
"""
from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import ssl
import struct
import threading
from typing import Any


class Exchange(http.server.BaseHTTPRequestHandler):
    """One request."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def log_message(self, *args: Any) -> None:
        pass

    def parse_request(self) -> bool:
        """A server that is down serves nothing more, not even on a connection that is about to be reset."""
        if self.server.ended.is_set():
            self.close_connection = True
            return False
        return super().parse_request()

    def wait_for_the_end(self) -> None:
        """Says nothing until the client or the test gives up."""
        self.close_connection = True
        self.connection.settimeout(0.2)
        while not self.server.ended.is_set():
            try:
                if not self.connection.recv(4096):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


def hang(exchange: Exchange) -> None:
    """Says nothing until the client or the test gives up."""
    exchange.wait_for_the_end()


def reset_at_close(exchange: Exchange) -> None:
    """Closing the connection will reset it."""
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.close_connection = True


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, mock: "Served", exchange: type[Exchange], context: ssl.SSLContext | None, port: int = 0):
        self.mock, self.context = mock, context
        self.ended = threading.Event()
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), exchange)

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        try:
            self._finish_request(request, client_address)
        finally:
            self.open.discard(request)

    def _finish_request(self, request: Any, client_address: Any) -> None:
        # Here and not in get_request(): a handshake must not keep others from being accepted.
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except (ssl.SSLError, OSError):
                return
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away in the middle is what these tests are about.
        pass


class Served:
    """Serves within a with block."""

    def __init__(self, exchange: type[Exchange], context: ssl.SSLContext | None = None):
        self.exchange, self.context = exchange, context
        self.server: Server | None = Server(self, exchange, context)
        self.port = self.server.server_address[1]
        self.uri = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.thread = self._thread()

    def __enter__(self) -> Any:
        self.thread.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        if self.server is not None:
            self.down()

    def down(self) -> None:
        """Its end: nobody listens, and every connection is reset."""
        server, self.server = self.server, None
        server.ended.set()
        server.shutdown()
        server.server_close()
        for one in list(server.open):
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
        self.thread.join()

    def up(self) -> None:
        """It is back, at the same place."""
        self.server = Server(self, self.exchange, self.context, self.port)
        self.thread = self._thread()
        self.thread.start()

    def _thread(self) -> threading.Thread:
        return threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
